//! The job that reads the support mailboxes: a mail becomes one case, or one reply in a case, or nothing.
//!
//! Invariants: what a mail becomes and that it was looked at are one transaction, so it becomes that once, however often the job
//! is killed or runs twice; mail that machines wrote becomes nothing, and is never answered; only who logged in is answered;
//! however much somebody writes, it makes few cases. Whatever it becomes, the mail stays where it is.

use super::mail::{self, Written};
use crate::message::FACTS_OCTETS_MAX;
use crate::notices::{Notice, Thread};
use crate::{Engine, Error};
use jiff::SignedDuration;
use model::{AccountId, Address, DomainId, UnitId};
use store::{ContentColumns, NewCase, NewCaseMessage, NoticePlace, SupportEntry, Tx};

/// Mails read at once.
const PAGE: u32 = 100;
/// Who is told of the numbers of his cases at once.
const RECEIPTS: u32 = 500;
/// A mailbox that is read for the first time: what is older is not a case any more.
const FIRST_SINCE: SignedDuration = SignedDuration::from_hours(24);
/// What is counted of a sender is counted over this time.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Cases one sender makes in a day; what he writes besides is added to his last one.
const CASES_A_DAY: i64 = 10;
/// Mails of one sender in a day that are looked at.
const MAILS_A_DAY: i64 = 50;
/// Cases that all who did not log in make in a day: their addresses are what they say.
const OUTSIDE_A_DAY: i64 = 300;
/// Octets of a header that are read; none that was accepted has more.
const HEADER_BYTES_MAX: u64 = 300 << 10;

/// A support mailbox, of one domain or of several.
struct Support {
    domain: DomainId,
    addresses: Vec<Address>,
    place: NoticePlace,
    account: AccountId,
}

/// Who wrote a mail, as far as it is known.
struct Writer {
    /// The primary address of who logged in; of others, what they say.
    name: String,
    account: Option<AccountId>,
    unit: Option<UnitId>,
}

/// What a mail becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Became {
    Case,
    Reply(i64),
    Nothing,
    /// As its sender wrote too much.
    TooMany,
}

/// What a run did.
#[derive(Debug, Default)]
struct Tally {
    cases: usize,
    replies: usize,
    too_many: usize,
}

impl Engine {
    /// Reads what came to the support addresses, and tells the senders the numbers of their cases.
    pub(crate) async fn support_intake_job(&self) -> Result<String, Error> {
        let mut tally = Tally::default();
        for support in self.support_mailboxes().await? {
            self.read_support(&support, &mut tally).await?;
        }
        let told = self.acknowledge_cases().await?;
        Ok(format!(
            "{} new, {} replies, {told} acknowledged, {} refused as their senders write too much",
            tally.cases, tally.replies, tally.too_many
        ))
    }

    /// Each once, whichever domains' support addresses it has: there is one cursor.
    async fn support_mailboxes(&self) -> Result<Vec<Support>, Error> {
        let mut found: Vec<Support> = Vec::new();
        for (domain, name) in self.0.store.domain_ids().await? {
            let policy = self.policy_of(domain).await?;
            let Ok(address) = Address::new(&policy.contact.support, name.as_str()) else { continue };
            let Some(party) = self.0.store.party(&address).await? else { continue };
            if let Some(known) = found.iter_mut().find(|known| known.account == party.account) {
                known.addresses.push(address);
                continue;
            }
            let Some(place) = self.0.store.notice_place(party.account).await? else { continue };
            let addresses = vec![address];
            found.push(Support { domain: party.domain, addresses, place, account: party.account });
        }
        Ok(found)
    }

    async fn read_support(&self, support: &Support, tally: &mut Tally) -> Result<(), Error> {
        let (store, inbox) = (&self.0.store, support.place.inbox);
        let since = self.now().saturating_sub(FIRST_SINCE).unwrap_or(self.now());
        let mut after = store.support_cursor(support.account, inbox, since).await?;
        loop {
            let page = store.support_entries(support.account, inbox, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.uid;
            for entry in &page {
                match self.take_mail(support, entry).await? {
                    Became::Case => tally.cases += 1,
                    Became::Reply(_) => tally.replies += 1,
                    Became::TooMany => tally.too_many += 1,
                    Became::Nothing => {}
                }
            }
        }
    }

    async fn take_mail(&self, support: &Support, entry: &SupportEntry) -> Result<Became, Error> {
        let written = self.written(support, entry).await?;
        let writer = match &written {
            Some(written) => Some(self.writer(written).await?),
            None => None,
        };
        let mut tx = self.0.store.begin().await?;
        match tx.hold_support_cursor(support.account).await? {
            Some(cursor) if cursor < entry.uid => {}
            _ => return Ok(Became::Nothing),
        }
        let became = match written.as_ref().zip(writer.as_ref()) {
            Some((written, writer)) if writer.account != Some(support.account) => {
                let became = decide(self, &mut tx, support, entry, (written, writer)).await?;
                self.make(&mut tx, support, entry, (written, writer, became)).await?;
                became
            }
            _ => Became::Nothing,
        };
        tx.set_support_cursor(support.account, entry.uid).await?;
        tx.commit().await?;
        Ok(became)
    }

    /// `None` for what is no mail to the support address, or a machine's.
    async fn written(&self, support: &Support, entry: &SupportEntry) -> Result<Option<Written>, Error> {
        let recipient = entry.recipient.as_deref().and_then(|to| to.parse::<Address>().ok());
        let plain = recipient.as_ref().and_then(Address::without_tag);
        let mut names = recipient.iter().chain(&plain);
        if !names.any(|name| support.addresses.contains(name)) {
            return Ok(None);
        }
        let columns = ContentColumns { structure: true, chunks: true, ..ContentColumns::default() };
        let mut found = self.0.store.contents(&[entry.content], columns, FACTS_OCTETS_MAX).await?;
        let Some(content) = found.pop().flatten() else { return Ok(None) };
        let message = self.message(&content, None);
        let (Some(structure), Some(body)) = (message.structure, message.body) else { return Ok(None) };
        let root = structure.root();
        let is_report =
            root.media_type.eq_ignore_ascii_case("multipart") && root.subtype.eq_ignore_ascii_case("report");
        let header = match body.read(0..root.body_start.min(HEADER_BYTES_MAX)).await {
            Err(Error::NotFound) => return Ok(None),
            header => header?,
        };
        Ok(mail::read(&header, is_report).filter(|written| !written.is_automatic))
    }

    async fn writer(&self, written: &Written) -> Result<Writer, Error> {
        let party = match written.from.parse::<Address>() {
            Ok(address) if written.has_logged_in => self.0.store.party(&address).await?,
            _ => None,
        };
        Ok(match party {
            Some(party) => {
                Writer { name: party.address.to_string(), account: Some(party.account), unit: party.unit }
            }
            None => Writer { name: written.from.clone(), account: None, unit: None },
        })
    }

    async fn make(
        &self,
        tx: &mut Tx,
        support: &Support,
        entry: &SupportEntry,
        (written, writer, became): (&Written, &Writer, Became),
    ) -> Result<(), Error> {
        let now = self.now();
        // Only who logged in is answered: the address of another is what he says.
        let receipt = (became == Became::Case && writer.account.is_some())
            .then(|| format!("{}@{}", self.queue_id(), self.hostname()));
        let case = match became {
            Became::Nothing | Became::TooMany => return Ok(()),
            Became::Case => {
                let new = NewCase {
                    domain: support.domain,
                    mailbox: support.account,
                    sender: &writer.name,
                    account: writer.account,
                    unit: writer.unit,
                    subject: &written.subject,
                    receipt: receipt.as_deref(),
                };
                let case = tx.insert_case(&new, now).await?;
                tx.note_case(case, (&writer.name, "open", ""), now).await?;
                case
            }
            Became::Reply(case) => {
                let held = tx.hold_case(case).await?.ok_or(Error::NotFound)?;
                tx.set_case_state(case, held.state.after_reply(held.is_assigned), now).await?;
                tx.note_case(case, (&writer.name, "reply", ""), now).await?;
                case
            }
        };
        let message = NewCaseMessage {
            mailbox: support.account,
            is_answer: false,
            email: Some((entry.email, entry.content)),
            message_id: written.message_id.as_deref(),
            author: &writer.name,
            is_outside: writer.account.is_none(),
        };
        tx.add_case_message(case, &message, now).await?;
        if let Some(receipt) = &receipt {
            let answer = NewCaseMessage {
                mailbox: support.account,
                is_answer: true,
                email: None,
                message_id: Some(receipt),
                author: "system:support-intake",
                is_outside: false,
            };
            tx.add_case_message(case, &answer, now).await?;
        }
        Ok(())
    }

    /// Says how many were told. Each comes once, by its key.
    async fn acknowledge_cases(&self) -> Result<usize, Error> {
        let mut told = 0;
        loop {
            let page = self.0.store.unacknowledged_cases(RECEIPTS).await?;
            for row in &page {
                let subject = format!("[#{}] Đã tiếp nhận: {}", row.case, row.subject);
                let text = format!(
                    "Yêu cầu hỗ trợ của Ông/Bà đã được tiếp nhận, số {0}.\n\nĐể bổ sung thông tin, Ông/Bà trả lời thư này và giữ \
                     nguyên [#{0}] trong tiêu đề.\n\n--\nYour request was received as number {0}. To add to it, reply to this \
                     message.",
                    row.case
                );
                let key = format!("case/{}/received", row.case);
                let notice = Notice { key: &key, to: row.account, subject: &subject, text: &text };
                let thread =
                    Thread { message_id: &row.receipt, answers: row.answers.as_deref(), is_personal: false };
                told += usize::from(self.post_answer(&notice, Some(thread)).await?);
                self.0.store.note_acknowledged(row.case, self.now()).await?;
            }
            if page.len() < RECEIPTS as usize {
                return Ok(told);
            }
        }
    }
}

/// Under the cursor's lock.
async fn decide(
    engine: &Engine,
    tx: &mut Tx,
    support: &Support,
    entry: &SupportEntry,
    (written, writer): (&Written, &Writer),
) -> Result<Became, Error> {
    if tx.is_case_message(support.account, entry.email).await? {
        return Ok(Became::Nothing);
    }
    let since = engine.now().saturating_sub(DAY).unwrap_or(engine.now());
    let load = tx.support_load(support.account, (&writer.name, writer.account.is_none()), since).await?;
    if load.mails >= MAILS_A_DAY {
        return Ok(Became::TooMany);
    }
    let named = (written.answers.as_slice(), written.number);
    let who = (writer.name.as_str(), writer.account, writer.unit);
    if let Some(case) = tx.case_of_reply(support.account, named, who).await? {
        return Ok(Became::Reply(case));
    }
    if writer.account.is_none() && load.outside >= OUTSIDE_A_DAY {
        return Ok(Became::TooMany);
    }
    Ok(match load.last {
        Some(last) if load.cases >= CASES_A_DAY => Became::Reply(last),
        _ => Became::Case,
    })
}
