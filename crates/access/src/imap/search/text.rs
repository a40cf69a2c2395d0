//! The tests of a search that need something of the message: its envelope, its header, its text.
//!
//! Texts are compared as `proto::search` normalises them (RFC 3501 6.4.4: case-insensitive substrings).

use super::key::{Compiled, Test, Verdicts, holds};
use super::source::{Source, in_body, is_open};
use crate::imap::limits::{SEARCH_INLINE_BYTES, SEARCH_STEP_BYTES, SEARCH_THREADS};
use engine::{Body, Error, Message, SEARCH_HEADER_BYTES_MAX, SEARCH_TEXT_BYTES_MAX, SearchPlace};
use proto::mime::Structure;
use proto::search::{Haystack, facts_text, names_text};
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// One for the node, for it is the node's cores that are shared.
static THREADS: Semaphore = Semaphore::const_new(SEARCH_THREADS);

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
    if is_open(tests, verdicts, |place| matches!(place, SearchPlace::Facts(_) | SearchPlace::Text)) {
        let text = facts_text(envelope);
        let facts = Haystack::new(&text);
        for (test, verdict) in tests.iter().zip(verdicts.iter_mut()).filter(|(_, verdict)| verdict.is_none())
        {
            match test {
                Test::Find(SearchPlace::Facts(line), needle) => {
                    *verdict = Some(facts.line_has(*line, needle));
                }
                Test::Find(SearchPlace::Text, needle) if facts.has(needle) => *verdict = Some(true),
                _ => {}
            }
        }
        pace.spent(text.len() + tests.len()).await;
    }
    for (test, verdict) in tests.iter().zip(verdicts.iter_mut()) {
        if let Test::Sent(test, wanted) = test {
            *verdict = Some(envelope.sent_on().is_some_and(|date| holds(*test, date, *wanted)));
        }
    }
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
    if is_open(compiled.tests(), verdicts, |place| matches!(place, SearchPlace::Body | SearchPlace::Text)) {
        in_body(&names_text(structure), compiled.tests(), verdicts);
    }
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
