//! Finding a message by what is known of it, and what became of it (tra cứu thư; AG Đ9.2).
//!
//! Invariants: nothing of a body is ever in here; who asks sees only messages that his scope sent or received, and of their
//! recipients only those within it. What is kept of a subject is found with and without its marks.

use crate::{Actor, AdminError, AdminTarget, Engine, Error, Examined};
use jiff::Timestamp;
use model::admission::{Evidence, Ground, as_one_word};
use model::{Action, Address, is_unseen, seen};
use proto::mime::{Facts, decode_header};
use std::collections::{HashMap, HashSet};
use store::{EventRow, Reach, TraceFilter};

/// How many times more events are asked for where those of one message fill a page.
const WIDER: u32 = 8;
/// Characters of a subject that are kept.
const SUBJECT_CHARS_MAX: usize = 120;
/// Octets of a Message-ID that are kept; longer ones are found by their beginning.
const MESSAGE_ID_BYTES_MAX: usize = 200;
/// Octets of a subject as written that are looked at: those characters in whichever encoding.
const SUBJECT_BYTES_MAX: usize = 1_000;
/// Characters of what showed where a message comes from.
const DETAIL_CHARS_MAX: usize = 500;
/// Authors of a refused message that are shown, and characters of each: it may name anything.
const AUTHORS_SHOWN: usize = 4;
const AUTHOR_CHARS_MAX: usize = 80;
/// Messages whose course is shown at once.
const MESSAGES_MAX: u32 = 100;
/// Events of those messages.
const EVENTS_MAX: u32 = 2_000;
/// Events handed out at once.
const EXPORT_PAGE: u32 = 5_000;

/// What an event of mail may be asked for by: what happened to the message, what became of it, or for what it was refused. What other
/// systems said is asked for by its code (`5.1.1`).
pub const TRACE_STATUSES: &[&str] = &[
    "received",
    "delivered",
    "queued",
    "held",
    "rejected",
    "refused",
    "helo",
    "listed",
    "dmarc",
    "own_domain",
    "own_name",
    "spf",
    "unclear_author",
    "unverifiable",
    "greylisted",
    "sent",
    "deferred",
    "bounced",
    "cancelled",
    "appended",
    "forwarded",
    "copy_kept",
    "none_kept",
    "quarantined",
    "released",
    "expired",
    "deleted",
    "sifted",
    "rule_filed",
    "rule_discarded",
    "rule_rejected",
    "rule_answered",
    "rule_failed",
];

/// What is known of a message; what is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct TraceQuery {
    pub from: Option<Address>,
    pub to: Option<Address>,
    /// Words, with or without their marks, that are all in it.
    pub subject: Option<String>,
    pub message_id: Option<String>,
    pub queue_id: Option<String>,
    /// `delivered` and the like, or a kind of event.
    pub status: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Events older than this one: the next page.
    pub before: Option<(Timestamp, i64)>,
    /// Messages at most, up to 100.
    pub limit: u32,
}

/// A message and what became of it, the oldest event first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    pub message_id: Option<String>,
    pub subject: Option<String>,
    pub events: Vec<EventRow>,
}

/// What the accepting event says of the message: queue id, Message-ID, subject, and its words folded, a line each.
pub(crate) fn about(queue_id: &str, facts: &Facts) -> String {
    let message_id = facts.envelope.message_id.as_deref().unwrap_or_default();
    let message_id = message_id.get(..MESSAGE_ID_BYTES_MAX).unwrap_or(message_id);
    let message_id = String::from_utf8_lossy(message_id);
    let message_id = bare(&message_id);
    let subject = facts.envelope.subject.as_deref().unwrap_or_default();
    let subject = decode_header(subject.get(..SUBJECT_BYTES_MAX).unwrap_or(subject));
    let subject = seen(&subject.chars().take(SUBJECT_CHARS_MAX).collect::<String>());
    let subject = subject.trim();
    format!("{queue_id}\n{message_id}\n{subject}\n{}", words(subject).join(" "))
}

/// As [`about`], with what the door found out, and the scanners.
pub(crate) fn about_arrived(
    queue_id: &str,
    facts: &Facts,
    (examined, scanned): (Option<&Examined>, &str),
) -> String {
    let mut about = about(queue_id, facts);
    let origin = examined.map(|examined| examined.evidence.line()).unwrap_or_default();
    let line = format!("{origin} {scanned}");
    if !line.trim().is_empty() {
        add_detail(&mut about, line.trim());
    }
    about
}

/// As [`about`], of a message that was refused: by which check, for which domain, and whom it said it was from, as [`as_one_word`]
/// writes it.
pub(crate) fn about_refused(
    queue_id: &str,
    facts: &Facts,
    (evidence, ground): (&Evidence, Ground),
) -> String {
    let mut about = about(queue_id, facts);
    let mut line = format!("refused={}", ground.as_str());
    if let Some(domain) = evidence.domain_of(ground) {
        line.push_str(&format!(" ({})", as_one_word(domain)));
    }
    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    for author in facts.envelope.from.iter().take(AUTHORS_SHOWN) {
        if let (Some(mailbox), Some(host)) = (&author.mailbox, &author.host) {
            let address = format!("{}@{}", text(mailbox), text(host));
            let shown: String = address.chars().take(AUTHOR_CHARS_MAX).collect();
            line.push_str(&format!(" from={}", as_one_word(&shown)));
        }
    }
    line.push_str(&format!(" {}", evidence.line()));
    add_detail(&mut about, &line);
    about
}

/// A fifth line: what showed where it comes from, and what scanners found.
pub(crate) fn add_detail(about: &mut String, line: &str) {
    let plain = line.chars().filter(|c| !c.is_control() && !is_unseen(*c)).take(DETAIL_CHARS_MAX);
    about.push('\n');
    about.extend(plain);
}

/// Without brackets, and without what would end the line.
fn bare(message_id: &str) -> String {
    let trimmed = message_id.trim().trim_start_matches('<').trim_end_matches('>');
    trimmed.chars().filter(|c| !c.is_control() && !is_unseen(*c)).collect()
}

/// As words are compared: no marks, lower case, letters and digits.
fn words(text: &str) -> Vec<String> {
    let plain = model::fold_marks(text).to_lowercase();
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

impl Engine {
    /// The messages that are found, the newest first, each with all that became of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trace(&self, actor: &Actor, query: &TraceQuery) -> Result<Vec<Course>, AdminError> {
        let reach = actor.reach(Action::TraceShow);
        if reach.is_empty() {
            return Ok(Vec::new());
        }
        let listed = |text: &Option<String>| text.iter().map(|text| bare(text)).collect::<Vec<_>>();
        let filter = TraceFilter {
            sender: query.from.as_ref().map(ToString::to_string),
            recipient: query.to.as_ref().map(ToString::to_string),
            words: query.subject.as_deref().map(words).unwrap_or_default(),
            message_ids: listed(&query.message_id),
            queue_ids: listed(&query.queue_id).iter().map(|id| id.to_uppercase()).collect(),
            status: query.status.clone(),
            since: query.since,
            until: query.until,
            before: query.before,
            limit: query.limit.clamp(1, MESSAGES_MAX),
        };
        let found = self.newest(&filter, &reach).await?;
        let mut all = found.clone();
        // What else became of them: copies that were put away, later steps.
        for more in siblings(&found) {
            // Where that alone was asked for, all of it was found already.
            let alone = TraceFilter { limit: filter.limit, ..more.clone() };
            if filter == alone && !is_full(&found, &filter) {
                continue;
            }
            let rows = self.0.store.trace(&more, &reach).await?;
            let known: HashSet<(Timestamp, i64)> = all.iter().map(|event| (event.at, event.id)).collect();
            all.extend(rows.into_iter().filter(|event| !known.contains(&(event.at, event.id))));
        }
        Ok(courses(&found, all))
    }

    /// The newest events, of as many messages as are to be found: one that has many is one.
    async fn newest(&self, filter: &TraceFilter, reach: &Reach) -> Result<Vec<EventRow>, AdminError> {
        let mut found = self.0.store.trace(filter, reach).await?;
        let most = filter.limit as usize;
        // Who asks for a state alone has the first page of it at once: the next one might be months away, and none has an index.
        let goes_on = filter.status.is_none() || filter.since.is_some() || filter.has_key();
        let mut wider = filter.clone();
        while goes_on && is_full(&found, &wider) && messages(&found).len() < most && wider.limit < EVENTS_MAX
        {
            wider.limit = wider.limit.saturating_mul(WIDER).min(EVENTS_MAX);
            found = self.0.store.trace(&wider, reach).await?;
        }
        let mut seen = HashSet::new();
        found.retain(|event| {
            let message = MessageKey::of(event);
            seen.contains(&message) || seen.len() < most && seen.insert(message)
        });
        Ok(found)
    }

    /// Every event between two moments, by pages, for central logs. `after`: the last one of the page before.
    ///
    /// # Errors
    /// `Denied`.
    pub async fn export_events(
        &self,
        actor: &Actor,
        after: (Timestamp, i64),
        until: Timestamp,
    ) -> Result<Vec<EventRow>, AdminError> {
        self.authorize(actor, Action::EventExport, &AdminTarget::System).await?;
        Ok(self.0.store.events_after(after, until, EXPORT_PAGE).await?)
    }

    /// Drops the months that no domain's policy keeps any more (AG Đ9.2), but for what is held.
    pub(crate) async fn keep_events(&self) -> Result<String, Error> {
        let mut months = model::LOG_RETENTION_MONTHS_MIN;
        for (domain, _) in self.0.store.policy_versions().await? {
            months = months.max(self.policy_of(domain).await?.log_retention_months());
        }
        // And the month under way.
        let kept = i32::try_from(months).unwrap_or(i32::MAX).saturating_add(1);
        let dropped = self.0.store.keep_event_months(self.now(), kept).await?;
        let forgotten = self.0.store.drop_released_events(self.now(), kept).await?;
        Ok(format!(
            "{months} months are kept; {dropped} parts dropped, {forgotten} released events forgotten"
        ))
    }

    /// Indexes the parts of the events that are written no more.
    pub(crate) async fn index_events(&self) -> Result<String, Error> {
        let mut parts = Vec::new();
        while let Some(part) = self.0.store.index_events(self.now()).await? {
            parts.push(part);
        }
        Ok(if parts.is_empty() { "nothing to index".to_owned() } else { parts.join(" ") })
    }
}

fn is_full(found: &[EventRow], filter: &TraceFilter) -> bool {
    found.len() as u64 >= u64::from(filter.limit)
}

fn messages(found: &[EventRow]) -> HashSet<MessageKey> {
    found.iter().map(MessageKey::of).collect()
}

/// What tells a message from others.
#[derive(Clone, PartialEq, Eq, Hash)]
enum MessageKey {
    Id(String),
    /// It came without a Message-ID: our number of it, which no other message has.
    Queue(String),
    /// Of it nothing is known.
    Event(Timestamp, i64),
}

impl MessageKey {
    fn of(event: &EventRow) -> Self {
        match (&event.message_id, &event.queue_id) {
            (Some(id), _) => Self::Id(id.clone()),
            (None, Some(id)) => Self::Queue(id.clone()),
            (None, None) => Self::Event(event.at, event.id),
        }
    }
}

/// What finds all events of these messages.
fn siblings(found: &[EventRow]) -> Vec<TraceFilter> {
    let (mut message_ids, mut queue_ids) = (Vec::new(), Vec::new());
    for key in messages(found) {
        match key {
            MessageKey::Id(id) => message_ids.push(id),
            MessageKey::Queue(id) => queue_ids.push(id),
            MessageKey::Event(..) => {}
        }
    }
    let of = |message_ids: Vec<String>, queue_ids: Vec<String>| TraceFilter {
        message_ids,
        queue_ids,
        limit: EVENTS_MAX,
        ..TraceFilter::default()
    };
    let all = [of(message_ids, Vec::new()), of(Vec::new(), queue_ids)];
    all.into_iter().filter(|one| !one.message_ids.is_empty() || !one.queue_ids.is_empty()).collect()
}

/// Events by message, in the order in which the messages were found.
fn courses(found: &[EventRow], mut all: Vec<EventRow>) -> Vec<Course> {
    // Where it went on was noted in the moment in which it came, in either order; what became of it there may follow in the same.
    let place =
        |kind: &str| ["received", "sifted", "forwarded"].iter().position(|first| *first == kind).unwrap_or(3);
    all.sort_by_key(|event| (event.at, place(&event.kind), event.id));
    let mut by_message: HashMap<MessageKey, Vec<EventRow>> = HashMap::new();
    for event in all {
        by_message.entry(MessageKey::of(&event)).or_default().push(event);
    }
    let course = |first: &EventRow| {
        let events = by_message.remove(&MessageKey::of(first))?;
        Some(Course { message_id: first.message_id.clone(), subject: first.subject.clone(), events })
    };
    found.iter().filter_map(course).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_message_is_four_lines_whatever_it_says() {
        let of = |header: &str| about("0A", &proto::mime::facts(format!("{header}\r\n\r\nx").as_bytes()));
        let full = of("Message-ID: <1@x>\r\nSubject: =?utf-8?B?R2nhuqV5IG3hu51pIGjhu41w?= 12/QĐ");
        assert_eq!(full, "0A\n1@x\nGiấy mời họp 12/QĐ\ngiay moi hop 12 qd");
        assert_eq!(of("X: y"), "0A\n\n\n");
        let long = of(&format!("Message-ID: <{}@x>\r\nSubject: {}", "a".repeat(999), "á ".repeat(999)));
        assert_eq!(long.split('\n').count(), 4);
        assert!(long.len() < 900, "{}", long.len());
        let broken = of("Message-ID: <\u{1}\u{0}a>\r\nSubject: =?utf-8?Q?a=0A=00b?=");
        assert_eq!(broken, "0A\na\nab\nab");
    }
}
