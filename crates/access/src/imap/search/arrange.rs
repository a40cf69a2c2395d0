//! SORT (RFC 5256, RFC 5957) and THREAD (RFC 5256): the found messages in an order, or as trees.
//!
//! Invariants: of each message only what is compared is kept, bounded for each and in all; facts come in batches, and
//! other tasks run in between.

use super::results::{Form, Found, spans};
use super::walk::find;
use super::{Place, compile, number};
use crate::imap::limits::{
    ARRANGE_BATCH, ARRANGE_BYTES_MAX, ARRANGE_BYTES_SMALL, ARRANGE_LARGE_AT_ONCE, SORT_TEXT_CHARS_MAX,
    THREAD_MESSAGES_MAX,
};
use crate::imap::reply::{Failure, Outcome, Reply};
use crate::imap::session::{Door, Selected};
use engine::Wanted;
use jiff::Timestamp;
use model::Uid;
use proto::imap::{
    Code, ReturnOptions, SearchKey, SortCriterion, SortKey, ThreadAlgorithm, Threadable, base_subject,
    casemap, message_ids, ordered_subject, references,
};
use proto::mime::{Envelope, MailAddress, decode_header};
use std::cmp::Ordering;
use tokio::sync::{Semaphore, SemaphorePermit};

/// One for the node, for it is the node's memory.
static LARGE: Semaphore = Semaphore::const_new(ARRANGE_LARGE_AT_ONCE);
/// What a text takes besides its octets.
const TEXT_BYTES: usize = 48;

/// `SORT [RETURN (…)] (criteria) charset keys`
pub(crate) async fn sort(
    door: &mut Door,
    selected: &mut Selected,
    uid: bool,
    options: Option<&ReturnOptions>,
    (criteria, key): (&[SortCriterion], &SearchKey),
) -> Outcome {
    let compiled = compile(door, selected, key);
    if options.is_some_and(|options| options.save) {
        selected.saved.clear();
    }
    let compiled = compiled?;
    let hits = find(door, selected, &compiled, None).await?;
    let criteria = deciding(criteria);
    let mut rows: Vec<(Vec<Value>, Place)> = Vec::new();
    let with_envelope = criteria.iter().any(|criterion| needs_envelope(criterion.key));
    let turn = each(door, selected, &hits, with_envelope, |row| {
        let values: Vec<Value> = criteria.iter().map(|criterion| value(criterion.key, row)).collect();
        let bytes = values.iter().map(Value::bytes).sum();
        rows.push((values, row.place));
        bytes
    })
    .await?;
    // A sort of a million takes a second.
    let sorted = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        rows.sort_by(|(a, a_place), (b, b_place)| compare(&criteria, a, b).then(a_place.cmp(b_place)));
        rows.into_iter().map(|(_, place)| place).collect::<Vec<Place>>()
    });
    let places = sorted.await.map_err(|_| engine::Error::Unavailable)?;
    let found = Found { form: Form::Sort, uid, places: &places, by_modseq: compiled.by_modseq() };
    found.tell(door, selected, options).await?;
    if let Some(options) = options.filter(|options| options.save) {
        selected.saved = spans(&found.told(options));
    }
    Ok(Reply::ok("SORT completed"))
}

/// `THREAD algorithm charset keys`
pub(crate) async fn thread(
    door: &mut Door,
    selected: &Selected,
    uid: bool,
    algorithm: ThreadAlgorithm,
    key: &SearchKey,
) -> Outcome {
    let compiled = compile(door, selected, key)?;
    let hits = find(door, selected, &compiled, None).await?;
    if hits.len() > THREAD_MESSAGES_MAX {
        return Err(Reply::no("Too many messages for threads").code(Code::Limit).into());
    }
    let mut messages = Vec::new();
    let turn = each(door, selected, &hits, true, |row| {
        let message = threadable(row, uid, algorithm);
        let bytes = weight(&message);
        messages.push(message);
        bytes
    })
    .await?;
    let arranged = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        match algorithm {
            ThreadAlgorithm::OrderedSubject => ordered_subject(&messages),
            ThreadAlgorithm::References => references(&messages),
        }
    });
    let tokens = arranged.await.map_err(|_| engine::Error::Unavailable)?;
    door.wire.out.thread_start(tokens.is_empty());
    let mut behind_number = false;
    for some in tokens.chunks(crate::imap::limits::SEARCH_NUMBERS) {
        behind_number = door.wire.out.thread_tokens(some, behind_number);
        door.wire.relieve().await?;
    }
    door.wire.out.search_end();
    Ok(Reply::ok("THREAD completed"))
}

/// What is known of one found message.
struct Row<'a> {
    place: Place,
    internal: Timestamp,
    size: u32,
    envelope: Option<&'a Envelope>,
}

/// Shows each of `hits`, in their order, with its envelope where that is wanted, to `show`, which says how many octets it
/// keeps of it. A turn, where these are many: to be held as long as they are.
async fn each(
    door: &Door,
    selected: &Selected,
    hits: &[Place],
    with_envelope: bool,
    mut show: impl FnMut(&Row<'_>) -> usize,
) -> Result<Option<SemaphorePermit<'static>>, Failure> {
    let (mut turn, mut bytes) = (None, 0);
    let wanted = Wanted { envelope: true, ..Wanted::default() };
    let mut rest = hits;
    while !rest.is_empty() {
        let batch = rest.get(..ARRANGE_BATCH).unwrap_or(rest);
        let messages = if with_envelope {
            let uids: Vec<Uid> = batch.iter().map(|(_, uid)| *uid).collect();
            door.engine.messages(&selected.who, selected.tracker.view(), &uids, wanted).await?
        } else {
            vec![None; batch.len()]
        };
        for (place, message) in batch.iter().zip(&messages) {
            let Some(listed) = selected.tracker.at(place.0) else { continue };
            bytes += show(&Row {
                place: *place,
                internal: listed.entry.internal_date,
                size: listed.entry.size,
                envelope: message.as_ref().and_then(|message| message.envelope.as_ref()),
            });
        }
        if bytes > ARRANGE_BYTES_MAX {
            return Err(Reply::no("Too much to be arranged at once").code(Code::Limit).into());
        }
        if bytes > ARRANGE_BYTES_SMALL && turn.is_none() {
            turn = Some(LARGE.acquire().await.map_err(|_| engine::Error::Unavailable)?);
        }
        rest = rest.get(messages.len().max(1)..).unwrap_or_default();
        tokio::task::yield_now().await;
    }
    Ok(turn)
}

/// The criteria without those that a client repeats: what is equal by the first is equal by the second.
fn deciding(criteria: &[SortCriterion]) -> Vec<SortCriterion> {
    let mut deciding: Vec<SortCriterion> = Vec::new();
    for criterion in criteria {
        if !deciding.iter().any(|before| before.key == criterion.key) {
            deciding.push(*criterion);
        }
    }
    deciding
}

/// Octets that a message of a thread takes.
fn weight(message: &Threadable) -> usize {
    let ids = message.id.iter().chain(&message.references);
    size_of::<Threadable>() + message.subject.len() + ids.map(|id| id.len() + TEXT_BYTES).sum::<usize>()
}

/// What one criterion compares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(i64),
    Text(String),
}

impl Value {
    fn bytes(&self) -> usize {
        match self {
            Self::Number(_) => TEXT_BYTES,
            Self::Text(text) => TEXT_BYTES + text.len(),
        }
    }
}

fn compare(criteria: &[SortCriterion], a: &[Value], b: &[Value]) -> Ordering {
    let each = criteria.iter().zip(a.iter().zip(b));
    each.map(|(criterion, (a, b))| if criterion.reverse { b.cmp(a) } else { a.cmp(b) })
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn needs_envelope(key: SortKey) -> bool {
    !matches!(key, SortKey::Arrival | SortKey::Size)
}

fn value(key: SortKey, row: &Row<'_>) -> Value {
    let first = |list: fn(&Envelope) -> &Vec<MailAddress>| {
        // RFC 5256 3: the first address; a group counts by its name.
        row.envelope.and_then(|envelope| list(envelope).first())
    };
    let mailbox = |address: Option<&MailAddress>| {
        // RFC 5256 3: [IMAP] addr-mailbox
        text(address.and_then(|address| address.mailbox.as_deref()).map(decode_header))
    };
    match key {
        SortKey::Arrival => Value::Number(row.internal.as_millisecond()),
        SortKey::Size => Value::Number(row.size.into()),
        SortKey::Date => Value::Number(sent(row)),
        SortKey::From => mailbox(first(|envelope| &envelope.from)),
        SortKey::To => mailbox(first(|envelope| &envelope.to)),
        SortKey::Cc => mailbox(first(|envelope| &envelope.cc)),
        SortKey::DisplayFrom => text(first(|envelope| &envelope.from).and_then(shown)),
        SortKey::DisplayTo => text(first(|envelope| &envelope.to).and_then(shown)),
        SortKey::Subject => text(Some(base_subject(&subject(row)).text)),
    }
}

fn text(text: Option<String>) -> Value {
    Value::Text(casemap(&beginning(&text.unwrap_or_default())))
}

fn beginning(text: &str) -> String {
    text.chars().take(SORT_TEXT_CHARS_MAX).collect()
}

/// RFC 5957 3: the name, else the address, of a group its name.
fn shown(address: &MailAddress) -> Option<String> {
    let name = address.display_name().filter(|name| !name.is_empty());
    name.or_else(|| address.address()).or_else(|| address.mailbox.as_deref().map(decode_header))
}

fn subject(row: &Row<'_>) -> String {
    let written = row.envelope.and_then(|envelope| envelope.subject.as_deref());
    beginning(&written.map(decode_header).unwrap_or_default())
}

/// RFC 5256 2.2: the Date field, or else the internal date; in milliseconds.
fn sent(row: &Row<'_>) -> i64 {
    let date = row.envelope.and_then(Envelope::sent_at);
    date.unwrap_or(row.internal).as_millisecond()
}

fn threadable(row: &Row<'_>, uid: bool, algorithm: ThreadAlgorithm) -> Threadable {
    let (position, Uid(of)) = row.place;
    let subject = base_subject(&subject(row));
    let mut message = Threadable {
        number: if uid { of } else { number(position) },
        date: sent(row),
        subject: casemap(&subject.text),
        is_reply: subject.is_reply,
        ..Threadable::default()
    };
    if algorithm == ThreadAlgorithm::References
        && let Some(envelope) = row.envelope
    {
        let ids = |field: &Option<Vec<u8>>| message_ids(field.as_deref().unwrap_or_default());
        message.id = ids(&envelope.message_id).into_iter().next();
        message.references = ids(&envelope.references);
        if message.references.is_empty() {
            // RFC 5256 3: the first of In-Reply-To
            message.references = ids(&envelope.in_reply_to).into_iter().take(1).collect();
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_criterion_that_is_repeated_decides_nothing() {
        let by = |key, reverse| SortCriterion { key, reverse };
        let said = [by(SortKey::Subject, true), by(SortKey::Date, false), by(SortKey::Subject, false)];
        assert_eq!(deciding(&said), said[..2]);
    }

    #[test]
    fn a_message_weighs_its_ids() {
        let references = vec!["a@b".to_owned(); 100];
        let message = Threadable { id: Some("a@b".to_owned()), references, ..Threadable::default() };
        assert!(weight(&message) > 101 * TEXT_BYTES && weight(&Threadable::default()) < 200);
        assert_eq!(Value::Text("abc".to_owned()).bytes(), TEXT_BYTES + 3);
    }
}
