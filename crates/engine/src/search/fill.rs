//! The job that fills the search index behind the 250.
//!
//! A content that cannot be analysed is marked, so that it is read when it is searched and is not tried for ever. What
//! the database refuses is tried again later.

use super::analysis::{self, Piece, TEXTS_BYTES_MAX};
use super::vocabulary::WORDS_MAX;
use crate::message::FACTS_OCTETS_MAX;
use crate::{Engine, Error};
use model::ContentId;
use proto::mime::{Envelope, Structure};
use proto::search::ANALYSER;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use store::{Content, ContentColumns, SearchContent, SearchMark};
use tokio_util::sync::CancellationToken;

/// Contents that are written in one transaction.
const BATCH: usize = 64;
/// Octets of texts that a batch may hold in memory before it is written.
const BATCH_BYTES: usize = 8 << 20;
/// How often new mail is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A pause takes as long as the batch before it, or so many times as long while more mail comes than is indexed.
const PAUSE_BUSY: u32 = 6;
/// Words that one content may add to the list, so that no letter of random words fills it.
const NEW_WORDS_MAX: usize = 500;

/// What the job remembers between two batches.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    mark: Option<SearchMark>,
    worker: i64,
}

/// A content ready to be written; no pieces if it could not be analysed.
struct Analysed {
    content: ContentId,
    facts: String,
    pieces: Vec<Piece>,
}

impl Engine {
    /// Indexes what is there until `stop`.
    pub(crate) async fn keep_search_index(&self, stop: &CancellationToken) {
        let mut filling = self.begin_filling();
        while !stop.is_cancelled() {
            let (began, before) = (Instant::now(), self.0.arrivals.load(Ordering::Relaxed));
            let pause = match self.fill_search_index(&mut filling).await {
                Ok(0) => LOOK_EVERY,
                // Whoever waits for an answer comes first, and most of all while more comes than could be indexed anyway.
                Ok(done) => {
                    let came = self.0.arrivals.load(Ordering::Relaxed).wrapping_sub(before);
                    (began.elapsed() * if came > done { PAUSE_BUSY } else { 1 }).min(LOOK_EVERY)
                }
                Err(error) => {
                    tracing::warn!(%error, "the search index could not be filled yet");
                    LOOK_EVERY * 10
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    pub(crate) fn begin_filling(&self) -> Filling {
        let mut name = [0; 8];
        self.0.rng.fill(&mut name);
        Filling { mark: None, worker: i64::from_be_bytes(name) }
    }

    /// Begins the search index anew: everything is analysed again, and what is there serves until then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_search_rebuild(&self) -> Result<(), Error> {
        Ok(self.0.store.search_rebuild(self.now()).await?)
    }

    /// Helps to fill the index until nothing waits or `stop`; `tell` hears after each batch how many about still wait.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_search_index(
        &self,
        stop: &CancellationToken,
        mut tell: impl FnMut(u64),
    ) -> Result<(), Error> {
        let mut filling = self.begin_filling();
        // Counting looks at everything that waits, so in between it is reckoned.
        let mut waiting = self.search_lag().await?.contents;
        while waiting > 0 && !stop.is_cancelled() {
            let done = self.fill_search_index(&mut filling).await? as u64;
            waiting = waiting.saturating_sub(done);
            if done == 0 || waiting == 0 {
                waiting = self.search_lag().await?.contents;
            }
            tell(waiting);
            if done == 0 && waiting > 0 {
                // Another node is at it.
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Ok(self.0.store.search_release(filling.worker).await?)
    }

    /// One batch; says how many contents it was.
    pub(crate) async fn fill_search_index(&self, filling: &mut Filling) -> Result<usize, Error> {
        let by = (filling.worker, ANALYSER);
        let next = self.0.store.search_fill(by, &mut filling.mark, BATCH).await?.contents;
        if next.is_empty() {
            return Ok(0);
        }
        let columns = ContentColumns { envelope: true, structure: true, preview: false, chunks: true };
        let rows = self.0.store.contents(&next, columns, FACTS_OCTETS_MAX).await?;
        let mut ready = Vec::with_capacity(rows.len());
        let mut bytes = 0;
        // In any order: what is left over comes again.
        for row in rows.into_iter().flatten() {
            let analysed = self.analyse(&row).await?;
            bytes += analysed.pieces.iter().map(Piece::bytes).sum::<usize>();
            ready.push(analysed);
            if bytes > BATCH_BYTES {
                break;
            }
        }
        let count = ready.len();
        self.write_analysed(ready).await?;
        Ok(count.max(1))
    }

    async fn analyse(&self, row: &Content) -> Result<Analysed, Error> {
        let nothing = |facts| Analysed { content: row.content_id, facts, pieces: Vec::new() };
        let envelope = row.envelope.as_deref().and_then(Envelope::from_bytes);
        let structure = row.structure.as_deref().and_then(Structure::from_bytes);
        let (Some(envelope), Some(structure), Some((ids, sizes))) = (envelope, structure, &row.chunks) else {
            return Ok(nothing(String::new()));
        };
        let body = self.body(ids, sizes);
        let size = body.size().min(TEXTS_BYTES_MAX as u64);
        let _permit = self.0.intake.permit(size.saturating_mul(2)).await?;
        let texts = match analysis::texts(&envelope, &structure, &body).await {
            Ok(texts) => texts,
            // Of a database that answers, its bytes are damaged or were swept: reading the message will say so.
            Err(Error::NotFound) => None,
            Err(_) if self.is_ready().await => None,
            Err(error) => return Err(error),
        };
        let Some(texts) = texts else {
            tracing::warn!(content = %row.content_id, "a message is not in the search index: it is read when searched");
            return Ok(nothing(String::new()));
        };
        let facts = texts.all_facts();
        let pieces = tokio::task::spawn_blocking(move || texts.pieces()).await.unwrap_or_default();
        Ok(Analysed { content: row.content_id, facts, pieces })
    }

    async fn write_analysed(&self, ready: Vec<Analysed>) -> Result<(), Error> {
        let words: BTreeSet<&String> =
            ready.iter().flat_map(|one| &one.pieces).flat_map(Piece::words).collect();
        let words: Vec<String> = words.into_iter().cloned().collect();
        self.learn_words().await?;
        let room = WORDS_MAX.saturating_sub(self.0.words.read().await.len());
        let now = self.now();
        let mut tx = self.0.store.begin().await?;
        let numbers = tx.number_words(&words, |known| new_words(&ready, known, room)).await?;
        let numbered = ready.into_iter().map(|one| SearchContent {
            content: one.content,
            facts: one.facts,
            pieces: one.pieces.into_iter().map(|piece| piece.numbered(&numbers)).collect(),
        });
        tx.put_search(&numbered.collect::<Vec<_>>(), (ANALYSER, now)).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// The words that are added to the list: of each content some, of all as many as there is room for.
fn new_words(ready: &[Analysed], known: &HashMap<String, i32>, room: usize) -> Vec<String> {
    let mut added: HashSet<&String> = HashSet::new();
    for one in ready {
        let mut left = NEW_WORDS_MAX;
        for word in one.pieces.iter().flat_map(Piece::words) {
            if known.contains_key(word) || added.contains(word) {
                continue;
            }
            if left == 0 || added.len() >= room {
                break;
            }
            left -= 1;
            added.insert(word);
        }
    }
    let mut added: Vec<String> = added.into_iter().cloned().collect();
    added.sort_unstable();
    added
}
