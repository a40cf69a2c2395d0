//! The tests of a search that need something of the message: its envelope, its header, its text.
//!
//! Texts are compared decoded, in NFC and without case (RFC 3501 6.4.4: case-insensitive substrings).

use super::key::{Compiled, Test, Verdicts, holds};
use super::source::Source;
use crate::imap::limits::{
    SEARCH_HEADER_BYTES_MAX, SEARCH_INLINE_BYTES, SEARCH_STEP_BYTES, SEARCH_TEXT_BYTES_MAX, SEARCH_THREADS,
};
use engine::{Body, Error, Message};
use proto::mime::{self, MailAddress, Structure};
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;

/// One for the node, for it is the node's cores that are shared.
static THREADS: Semaphore = Semaphore::const_new(SEARCH_THREADS);

/// A text as it is compared.
pub(crate) fn fold(text: &str) -> String {
    #[cfg(test)]
    super::source::tests::FOLDS.with(|folds| folds.set(folds.get() + 1));
    text.nfc().flat_map(char::to_lowercase).collect()
}

/// Work done since other tasks had their turn.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    octets: usize,
}

impl Pace {
    async fn spent(&mut self, octets: usize) {
        self.octets = self.octets.saturating_add(octets);
        if self.octets >= SEARCH_STEP_BYTES {
            self.octets = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Answers what the envelope answers. RFC 3501 6.4.4: FROM, TO and the like are about the envelope's fields.
pub(crate) async fn by_envelope(
    compiled: &Compiled,
    message: &Message,
    verdicts: &mut Verdicts,
    pace: &mut Pace,
) {
    let Some(envelope) = &message.envelope else { return };
    let tests = compiled.tests();
    for (test, verdict) in tests.iter().zip(verdicts.iter_mut()) {
        if let Test::Sent(test, wanted) = test {
            *verdict = Some(envelope.sent_on().is_some_and(|date| holds(*test, date, *wanted)));
        }
    }
    let lists: [(&[MailAddress], Wants); 4] = [
        (&envelope.from, |test| if let Test::From(needle) = test { Some(needle) } else { None }),
        (&envelope.to, |test| if let Test::To(needle) = test { Some(needle) } else { None }),
        (&envelope.cc, |test| if let Test::Cc(needle) = test { Some(needle) } else { None }),
        (&envelope.bcc, |test| if let Test::Bcc(needle) = test { Some(needle) } else { None }),
    ];
    for (addresses, wants) in lists {
        settle(tests, verdicts, pace, wants, addresses.iter().map(address_text)).await;
    }
    let values: [(Option<&[u8]>, Wants); 2] = [
        (envelope.subject.as_deref(), |test| match test {
            Test::Subject(needle) => Some(needle),
            Test::Header(name, needle) if name.eq_ignore_ascii_case("subject") => Some(needle),
            _ => None,
        }),
        (envelope.message_id.as_deref(), |test| match test {
            Test::Header(name, needle) if name.eq_ignore_ascii_case("message-id") => Some(needle),
            _ => None,
        }),
    ];
    for (value, wants) in values {
        settle(tests, verdicts, pace, wants, value.iter().map(|value| mime::decode_header(value))).await;
    }
}

/// The needle of a test, if it is about what is looked at.
type Wants = fn(&Test) -> Option<&String>;

/// Answers for good the tests that want these texts, each of which is made and folded once.
async fn settle(
    tests: &[Test],
    verdicts: &mut Verdicts,
    pace: &mut Pace,
    wants: Wants,
    texts: impl Iterator<Item = String>,
) {
    let mut open: Vec<(&String, &mut Option<bool>)> =
        tests.iter().zip(verdicts).filter_map(|(test, verdict)| Some((wants(test)?, verdict))).collect();
    for (_, verdict) in &mut open {
        **verdict = Some(false);
    }
    if open.is_empty() {
        return;
    }
    for text in texts {
        let text = fold(&text);
        let needles = open.len();
        open.retain_mut(|(needle, verdict)| {
            let found = text.contains(needle.as_str());
            **verdict = Some(found);
            !found
        });
        if open.is_empty() {
            return;
        }
        pace.spent(text.len() + needles).await;
    }
}

fn address_text(address: &MailAddress) -> String {
    let name = address.display_name().unwrap_or_default();
    let address = address.address().unwrap_or_default();
    format!("{name} <{address}>")
}

/// Answers what the header answers: HEADER for good, TEXT if it is found.
pub(crate) async fn by_header(
    compiled: &Compiled,
    structure: &Structure,
    body: &Body,
    verdicts: &mut Verdicts,
) -> Result<(), Error> {
    let root = structure.root();
    let header = at_most(root.header_start..root.body_start, SEARCH_HEADER_BYTES_MAX);
    judge(compiled, body, header, Source::Header, verdicts).await
}

/// Answers everything that is left: the headers of the parts and the texts, one part at a time.
pub(crate) async fn by_body(
    compiled: &Compiled,
    structure: &Structure,
    body: &Body,
    verdicts: &mut Verdicts,
) -> Result<(), Error> {
    let root = structure.root().header_start;
    for part in structure.parts() {
        if verdicts.iter().all(Option::is_some) {
            return Ok(());
        }
        if part.header_start != root || part.parent.is_some() {
            let header = at_most(part.header_start..part.body_start, SEARCH_HEADER_BYTES_MAX);
            judge(compiled, body, header, Source::PartHeader, verdicts).await?;
        }
        if part.is_text() && part.children.is_empty() {
            let text = at_most(part.body_start..part.body_end, SEARCH_TEXT_BYTES_MAX);
            let of_part = |octets| Source::Text(Box::new(part.clone()), octets);
            judge(compiled, body, text, of_part, verdicts).await?;
        }
        tokio::task::yield_now().await;
    }
    for verdict in verdicts.iter_mut() {
        verdict.get_or_insert(false);
    }
    Ok(())
}

/// Reads a range and compares it: here if it is small, or when a thread is free, for it may take a second.
async fn judge(
    compiled: &Compiled,
    body: &Body,
    range: Range<u64>,
    source: impl FnOnce(Vec<u8>) -> Source,
    verdicts: &mut Verdicts,
) -> Result<(), Error> {
    if range.end.saturating_sub(range.start) <= SEARCH_INLINE_BYTES as u64 {
        source(body.read(range).await?).judge(compiled.tests(), verdicts);
        return Ok(());
    }
    // Before it is read: who waits holds nothing. Into the thread: a session that ends does not end its work.
    let turn = THREADS.acquire().await.map_err(|_| Error::Unavailable)?;
    let source = source(body.read(range).await?);
    let tests = Arc::clone(compiled.tests());
    let mut own = std::mem::take(verdicts);
    let judged = tokio::task::spawn_blocking(move || {
        source.judge(&tests, &mut own);
        drop(turn);
        own
    });
    *verdicts = judged.await.map_err(|error| {
        tracing::error!(%error, "search");
        Error::Unavailable
    })?;
    Ok(())
}

fn at_most(range: Range<u64>, bytes: u64) -> Range<u64> {
    range.start..range.end.min(range.start.saturating_add(bytes))
}
