//! Messages that users attach to mail for the address for suspicious mail (xulythurac@) are noted as spam (ST Đ9.4, requirement D6).
//!
//! Invariants: see the parent; only of who logged in to write, within what he may say in a day, in whosever
//! name he wrote; what was noted and that the mail was looked at are one transaction, and the mail stays where it is.

use super::LESSON_ROOM;
use crate::cases::mail;
use crate::message::FACTS_OCTETS_MAX;
use crate::{Engine, Error, figures};
use jiff::{SignedDuration, Timestamp};
use model::{AccountId, Address, Lesson};
use proto::mime::{Structure, TransferDecoder};
use std::ops::Range;
use store::{ContentColumns, NoticePlace, Said, SupportEntry};

/// Mails read at once.
const PAGE: u32 = 50;
/// Mails read in one run, of all mailboxes together.
const RUN_MAILS_MAX: usize = 500;
/// A mailbox that is read for the first time: older ones are passed over.
const FIRST_SINCE: SignedDuration = SignedDuration::from_hours(24);
/// A mail that cannot be read is passed over once it has lain there for so long; until then those behind it wait, of this mailbox alone.
const UNREAD_KEPT: SignedDuration = SignedDuration::from_hours(6);
/// Messages attached to one mail that are looked at.
const ATTACHED_MAX: usize = 20;
/// Octets of a header that are read; none that was accepted has more.
const HEADER_BYTES_MAX: u64 = 300 << 10;

/// A mailbox for suspicious mail, of one domain or of several.
struct SpamBox {
    account: AccountId,
    place: NoticePlace,
    addresses: Vec<Address>,
}

/// Who reports which octets of a mail, and in whose name.
struct Report {
    actor: AccountId,
    account: AccountId,
    parts: Vec<Range<u64>>,
}

impl Engine {
    /// Says how many messages were noted. Where one mailbox cannot be read, the others are all the same.
    pub(super) async fn read_reported(&self) -> Result<u64, Error> {
        let (mut noted, mut left, mut failed) = (0, RUN_MAILS_MAX, None);
        for found in self.spam_mailboxes().await? {
            if let Err(error) = self.read_box(&found, (&mut noted, &mut left)).await {
                tracing::error!(mailbox = %found.account, %error, "mail that reports spam cannot be read");
                failed = Some(error);
            }
        }
        failed.map_or(Ok(noted), Err)
    }

    async fn read_box(&self, found: &SpamBox, (noted, left): (&mut u64, &mut usize)) -> Result<(), Error> {
        let since = self.now().saturating_sub(FIRST_SINCE).unwrap_or(self.now());
        let (store, inbox) = (&self.0.store, found.place.inbox);
        let mut after = store.spam_cursor(found.account, inbox, since).await?;
        while *left > 0 {
            let page = store.support_entries(found.account, inbox, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.uid;
            *left = left.saturating_sub(page.len());
            for entry in &page {
                *noted += self.take_reported(found, entry).await?;
            }
        }
        Ok(())
    }

    /// Each once: there is one cursor.
    async fn spam_mailboxes(&self) -> Result<Vec<SpamBox>, Error> {
        let mut found: Vec<SpamBox> = Vec::new();
        for (domain, name) in self.0.store.domain_ids().await? {
            let policy = self.policy_of(domain).await?;
            let Ok(address) = Address::new(&policy.contact.spam, name.as_str()) else { continue };
            let Some(party) = self.0.store.party(&address).await? else { continue };
            if let Some(known) = found.iter_mut().find(|known| known.account == party.account) {
                known.addresses.push(address);
                continue;
            }
            let Some(place) = self.0.store.notice_place(party.account).await? else { continue };
            found.push(SpamBox { account: party.account, place, addresses: vec![address] });
        }
        Ok(found)
    }

    async fn take_reported(&self, found: &SpamBox, entry: &SupportEntry) -> Result<u64, Error> {
        let report = match self.reported(found, entry).await {
            Err(error) if entry.saved > self.now().saturating_sub(UNREAD_KEPT).unwrap_or(Timestamp::MIN) => {
                return Err(error);
            }
            Err(_) => {
                tracing::error!(mailbox = %found.account, uid = %entry.uid, "a report of spam is passed over: it cannot be read");
                None
            }
            Ok(report) => report,
        };
        let mut tx = self.0.store.begin().await?;
        match tx.hold_spam_cursor(found.account).await? {
            Some(cursor) if cursor < entry.uid => {}
            _ => return Ok(0),
        }
        let mut noted = 0;
        if let Some(Report { actor, account, parts }) = report {
            let said = Said { actor, account, lesson: Lesson::Spam };
            noted = tx.note_reported((said, entry.content), &parts, (LESSON_ROOM, self.now())).await?;
            figures::lessons_left_out(said.lesson.as_str(), (parts.len() as u64).saturating_sub(noted));
        }
        tx.set_spam_cursor(found.account, entry.uid).await?;
        tx.commit().await?;
        Ok(noted)
    }

    /// `None` for what is no mail to the address, of nobody who logged in, or has nothing attached.
    async fn reported(&self, found: &SpamBox, entry: &SupportEntry) -> Result<Option<Report>, Error> {
        let recipient = entry.recipient.as_deref().and_then(|to| to.parse::<Address>().ok());
        let plain = recipient.as_ref().and_then(Address::without_tag);
        if !recipient.iter().chain(&plain).any(|name| found.addresses.contains(name)) {
            return Ok(None);
        }
        let columns = ContentColumns { structure: true, chunks: true, ..ContentColumns::default() };
        let mut contents = self.0.store.contents(&[entry.content], columns, FACTS_OCTETS_MAX).await?;
        let Some(content) = contents.pop().flatten() else { return Ok(None) };
        let message = self.message(&content, None);
        let (Some(structure), Some(body)) = (message.structure, message.body) else { return Ok(None) };
        let parts = attached(&structure);
        if parts.is_empty() {
            return Ok(None);
        }
        let header = match body.read(0..structure.root().body_start.min(HEADER_BYTES_MAX)).await {
            // It was deleted meanwhile.
            Err(Error::NotFound) => return Ok(None),
            header => header?,
        };
        let written = mail::read(&header, false).filter(|mail| mail.has_logged_in && !mail.is_automatic);
        let Some(Ok(author)) = written.map(|mail| mail.from.parse::<Address>()) else { return Ok(None) };
        let Some(party) = self.0.store.party(&author).await? else { return Ok(None) };
        // Who may write for offices says no more for that.
        let sent_by = match mail::queue_id(&header) {
            Some(queue_id) => self.0.store.sent_by(&queue_id, entry.saved).await?,
            None => None,
        };
        Ok(Some(Report { actor: sent_by.unwrap_or(party.account), account: party.account, parts }))
    }
}

/// The messages attached to one, but none within another; as they are, which is how they are attached (RFC 2046 5.2.1).
fn attached(structure: &Structure) -> Vec<Range<u64>> {
    let mut found: Vec<Range<u64>> = Vec::new();
    for part in structure.parts() {
        let is_plain = TransferDecoder::new(&part.encoding).is_some_and(|decoder| decoder.is_identity());
        let is_within = found.last().is_some_and(|last| part.body_start < last.end);
        if part.is_message() && is_plain && !is_within && part.octets() > 0 && found.len() < ATTACHED_MAX {
            found.push(part.body_start..part.body_end);
        }
    }
    found
}
