//! The job that reads what others tell of mail in our domains' names: each report becomes rows once, and the mail stays where it is.
//!
//! Invariants: what a mail becomes and that it was looked at are one transaction; nobody is read whose mail was not shown to be his; a
//! package is unpacked within bounds, in room that it asked for, on a thread that may block; what cannot be read, and what is of no
//! domain of ours, is ordinary mail of that mailbox, and the log says so; whoever writes much fills no more than [`A_DAY_MAX`], and
//! leaves room for others.

use crate::message::{FACTS_OCTETS_MAX, Message};
use crate::{Engine, Error, figures, trace};
use jiff::{SignedDuration, Timestamp};
use model::{AccountId, Address, DomainId, DomainName, registered};
use proto::dmarc::{Report, Unreadable, read, unpack, unpacked_bytes_max};
use proto::mime::{Part, Structure, decode_body};
use std::collections::BTreeMap;
use store::{ContentColumns, DmarcKept, DmarcReportRow, NewDmarcReport, NoticePlace, SupportEntry};

/// Mails read at once.
const PAGE: u32 = 50;
/// A mailbox that is read for the first time: older ones are passed over.
const FIRST_SINCE: SignedDuration = SignedDuration::from_hours(24 * 8);
/// Octets of a package, encoded: the largest receivers write some hundred KB.
const PACKED_BYTES_MAX: u64 = 3 << 20;
/// Parts of a mail that are looked at.
const PARTS_MAX: usize = 10;
/// Octets of a header that are looked at for who is shown: what we wrote ourselves, in front.
const SHOWN_BYTES_MAX: u64 = 64 << 10;
/// What is kept of reports about a domain in a day: one report of each system that it writes to, some ten rows of each; and of one
/// teller, so that others still can. All of 400 days are then summed in seconds, well before a statement is given up.
const A_DAY_MAX: DmarcKept = DmarcKept { reports: 300, rows: 5_000, org_reports: 30, org_rows: 2_000 };
/// Rows of a report that are kept, the most frequent; the others are counted together.
const ROWS_KEPT_MAX: u64 = 2_000;
/// How far ahead of ours the clock of another may be.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(48);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// For how long reports are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 400);
const FORGOTTEN_AT_ONCE: u32 = 100;

/// A mailbox for reports, of one domain or of several.
struct ReportBox {
    account: AccountId,
    place: NoticePlace,
    addresses: Vec<Address>,
}

/// What a run did.
#[derive(Debug, Default)]
struct Tally {
    kept: usize,
    known: usize,
    others: usize,
}

/// A report, and who is shown to have sent it.
struct Told {
    author: String,
    report: Report,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
enum Untold {
    #[error("it was not shown to be of its author")]
    Author,
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// What a mail became.
enum Became {
    Kept,
    /// It was told before.
    Known,
    Mail,
}

impl Engine {
    /// Reads what came to the addresses for reports, and forgets old reports.
    pub(crate) async fn dmarc_intake_job(&self) -> Result<String, Error> {
        let mut tally = Tally::default();
        let before = self.now().saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        while self.0.store.forget_dmarc_reports(before, FORGOTTEN_AT_ONCE).await?
            == u64::from(FORGOTTEN_AT_ONCE)
        {}
        for found in self.dmarc_mailboxes().await? {
            // One mailbox that cannot be read is no reason not to read the others.
            if let Err(error) = self.read_dmarc(&found, &mut tally).await {
                tracing::warn!(%error, account = %found.account, "a mailbox for DMARC reports cannot be read");
            }
        }
        let Tally { kept, known, others } = tally;
        Ok(format!("{kept} reports read, {known} known before, {others} mails that are none"))
    }

    /// Each once: there is one cursor.
    async fn dmarc_mailboxes(&self) -> Result<Vec<ReportBox>, Error> {
        let mut found: Vec<ReportBox> = Vec::new();
        for (domain, name) in self.0.store.domain_ids().await? {
            let policy = self.policy_of(domain).await?;
            let Ok(address) = Address::new(&policy.contact.dmarc_reports, name.as_str()) else { continue };
            let Some(party) = self.0.store.party(&address).await? else { continue };
            if let Some(known) = found.iter_mut().find(|known| known.account == party.account) {
                known.addresses.push(address);
                continue;
            }
            let Some(place) = self.0.store.notice_place(party.account).await? else { continue };
            found.push(ReportBox { account: party.account, place, addresses: vec![address] });
        }
        Ok(found)
    }

    async fn read_dmarc(&self, found: &ReportBox, tally: &mut Tally) -> Result<(), Error> {
        let (store, inbox) = (&self.0.store, found.place.inbox);
        let since = self.now().saturating_sub(FIRST_SINCE).unwrap_or(self.now());
        let mut after = store.dmarc_cursor(found.account, inbox, since).await?;
        loop {
            let page = store.support_entries(found.account, inbox, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.uid;
            for entry in &page {
                match self.take_dmarc(found, entry).await? {
                    Some(Became::Kept) => tally.kept += 1,
                    Some(Became::Known) => tally.known += 1,
                    Some(Became::Mail) => tally.others += 1,
                    None => {}
                }
            }
        }
    }

    /// `None`: another node has read it.
    async fn take_dmarc(&self, found: &ReportBox, entry: &SupportEntry) -> Result<Option<Became>, Error> {
        let told = match self.dmarc_report(found, entry).await? {
            Some(Ok(told)) => self.known_domain(&told.report.domain).await?.map(|domain| (domain, told)),
            Some(Err(why)) => {
                tracing::info!(%why, "a mail to the address for DMARC reports is kept as mail");
                None
            }
            None => None,
        };
        let now = self.now();
        let mut tx = self.0.store.begin().await?;
        match tx.hold_dmarc_cursor(found.account).await? {
            Some(cursor) if cursor < entry.uid => {}
            _ => return Ok(None),
        }
        let mut became = Became::Mail;
        if let Some((domain, Told { author, report })) = &told {
            let (day, org) = (now.saturating_sub(DAY).unwrap_or(now), registered(author));
            let kept = tx.dmarc_kept(*domain, day, org).await?;
            match (room_for(&kept), new((*domain, org), report, now)) {
                (None, _) => {
                    figures::dmarc_left_out(report.rows.len() as u64);
                    tracing::warn!(org, "more DMARC reports about a domain than are read in a day");
                }
                (Some(_), None) => {}
                (Some(room), Some(mut new)) => {
                    let left_out = shorten(&mut new.rows, room);
                    became = if tx.add_dmarc_report(&new, now).await? { Became::Kept } else { Became::Known };
                    if left_out > 0 && matches!(became, Became::Kept) {
                        figures::dmarc_left_out(left_out);
                        tracing::warn!(org, left_out, "rows of a DMARC report are counted together");
                    }
                }
            }
        }
        tx.set_dmarc_cursor(found.account, entry.uid).await?;
        tx.commit().await?;
        Ok(Some(became))
    }

    /// `None` for what is no mail to the address for reports.
    async fn dmarc_report(
        &self,
        found: &ReportBox,
        entry: &SupportEntry,
    ) -> Result<Option<Result<Told, Untold>>, Error> {
        let recipient = entry.recipient.as_deref().and_then(|to| to.parse::<Address>().ok());
        let plain = recipient.as_ref().and_then(Address::without_tag);
        if !recipient.iter().chain(&plain).any(|name| found.addresses.contains(name)) {
            return Ok(None);
        }
        let columns = ContentColumns { structure: true, chunks: true, ..ContentColumns::default() };
        let mut contents = self.0.store.contents(&[entry.content], columns, FACTS_OCTETS_MAX).await?;
        let Some(content) = contents.pop().flatten() else { return Ok(None) };
        match self.told(&self.message(&content, None)).await {
            // It was deleted meanwhile.
            Err(Error::NotFound) => Ok(None),
            told => told.map(Some),
        }
    }

    async fn told(&self, message: &Message) -> Result<Result<Told, Untold>, Error> {
        let (Some(structure), Some(body)) = (&message.structure, &message.body) else {
            return Ok(Err(Unreadable::Kind.into()));
        };
        let header = body.read(0..structure.root().body_start.min(SHOWN_BYTES_MAX)).await?;
        let Some(author) = trace::shown_author(&header) else {
            return Ok(Err(Untold::Author));
        };
        let mut why = Unreadable::Kind;
        for part in candidates(structure).take(PARTS_MAX) {
            if part.octets() > PACKED_BYTES_MAX {
                why = Unreadable::TooLarge;
                continue;
            }
            let _room = self.0.intake.permit(part.octets() + unpacked_bytes_max(part.octets())).await?;
            let octets = body.read(part.body_start..part.body_end).await?;
            let encoding = part.encoding.clone();
            let read = tokio::task::spawn_blocking(move || {
                unpack(&decode_body(&encoding, &octets)).and_then(|xml| read(&xml))
            });
            // Whatever a library makes of what a stranger wrote, the next mail is read.
            match read.await.unwrap_or(Err(Unreadable::Kind)) {
                Ok(report) => return Ok(Ok(Told { author, report })),
                // A part in words is no package, and says nothing of why.
                Err(Unreadable::Kind) => {}
                Err(other) => why = other,
            }
        }
        Ok(Err(why.into()))
    }

    /// The domain of ours that it is of, or is below.
    async fn known_domain(&self, name: &str) -> Result<Option<DomainId>, Error> {
        let mut name = Some(name);
        while let Some(one) = name {
            if let Ok(domain) = DomainName::new(one)
                && let Some(id) = self.0.store.domain(&domain).await?
            {
                return Ok(Some(id));
            }
            name = one.split_once('.').map(|(_, parent)| parent);
        }
        tracing::info!("a DMARC report of a domain that is not ours is kept as mail");
        Ok(None)
    }
}

/// Leaves that may be a package: whatever they are called, as others call them many things.
fn candidates(structure: &Structure) -> impl Iterator<Item = &Part> {
    structure.parts().filter(|part| part.children.is_empty() && part.media_type != "multipart")
}

/// How many rows of another report are kept; `None`: there are enough reports.
fn room_for(kept: &DmarcKept) -> Option<u64> {
    let DmarcKept { reports, rows, org_reports, org_rows } = A_DAY_MAX;
    let has_room = kept.reports < reports && kept.org_reports < org_reports;
    let rows = rows.saturating_sub(kept.rows).min(org_rows.saturating_sub(kept.org_rows));
    has_room.then_some(rows.min(ROWS_KEPT_MAX))
}

/// Leaves the `room` most frequent; the others become a row for each way in which they came out, without a source. Says how many those
/// were.
fn shorten(rows: &mut Vec<DmarcReportRow>, room: u64) -> u64 {
    rows.sort_by_key(|row| std::cmp::Reverse(row.messages));
    let others = rows.split_off(usize::try_from(room).unwrap_or(usize::MAX).min(rows.len()));
    let mut together: BTreeMap<(String, bool, bool), u64> = BTreeMap::new();
    for row in &others {
        let messages =
            together.entry((row.disposition.clone(), row.dkim_aligned, row.spf_aligned)).or_default();
        *messages = messages.saturating_add(row.messages);
    }
    rows.extend(together.into_iter().map(|((disposition, dkim_aligned, spf_aligned), messages)| {
        DmarcReportRow {
            source: String::new(),
            messages,
            disposition,
            dkim_aligned,
            spf_aligned,
            header_from: String::new(),
        }
    }));
    others.len() as u64
}

/// `None`: its dates are none, or of another time than reports are kept for.
fn new<'a>(
    (domain, org): (DomainId, &'a str),
    report: &'a Report,
    now: Timestamp,
) -> Option<NewDmarcReport<'a>> {
    let row = |row: &proto::dmarc::Row| DmarcReportRow {
        source: row.source.to_canonical().to_string(),
        messages: row.messages,
        disposition: row.disposition.as_str().to_owned(),
        dkim_aligned: row.dkim_aligned,
        spf_aligned: row.spf_aligned,
        header_from: row.header_from.clone(),
    };
    let (begins_at, ends_at) =
        (Timestamp::from_second(report.begin).ok()?, Timestamp::from_second(report.end).ok()?);
    let is_of_our_time = now.duration_since(begins_at) <= KEPT
        && begins_at <= ends_at
        && ends_at.duration_since(now) <= AHEAD_MAX;
    is_of_our_time.then_some(NewDmarcReport {
        domain,
        org,
        number: &report.id,
        of: &report.domain,
        begins_at,
        ends_at,
        rows: report.rows.iter().map(row).collect(),
    })
}
