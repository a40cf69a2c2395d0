//! Which messages of a folder may have a needle, by the index alone: so that a search for what is rare looks at nothing else.
//!
//! Invariant: every message of the folder that has the needle, or of which the index does not know, is among them.

use super::{CODE_CHARS_MIN, DIRECT, Search, SearchPlace, limit, scope_of_text};
use crate::{Engine, Entries, Error, FolderView, Principal};
use model::ContentId;
use proto::search::{ANALYSER, Needle};
use std::ops::Range;

/// Contents among which are all of a folder that have a needle.
#[derive(Debug)]
pub struct Candidates {
    /// Ascending, each once.
    contents: Vec<i64>,
}

impl Candidates {
    #[must_use]
    pub fn has(&self, content: ContentId) -> bool {
        self.contents.binary_search(&content.0).is_ok()
    }

    /// Positions within `range`, in ascending spans, among which are all candidates: where none can be is left out
    /// without a look at each.
    #[must_use]
    pub fn spans(&self, entries: &Entries, range: &Range<usize>) -> Vec<Range<usize>> {
        entries.spans_with(range, |low, high| {
            let first = self.contents.partition_point(|content| *content < low);
            self.contents.get(first).is_some_and(|content| *content <= high)
        })
    }
}

impl Engine {
    /// Is the needle likely to be in few messages? So it is where a part of it, longer than a year or the number of a
    /// room, is in no word that is known: it can be in a code alone. Asks nobody.
    pub async fn is_search_rare(&self, needle: &Needle) -> bool {
        let words = self.0.words.read().await;
        let mut long = needle.runs().filter(|run| run.text.chars().count() >= CODE_CHARS_MIN);
        Search::answers(needle) && long.any(|run| words.matching(&run, needle.is_plain(), 0).is_some())
    }

    /// Contents among which are all messages of the folder that have the needle; `None` where the index does not narrow.
    ///
    /// # Errors
    /// When the database fails. `view` must be one that [`Engine::view`] gave to `who`.
    pub async fn search_candidates(
        &self,
        who: &Principal,
        view: &FolderView,
        (place, needle): (&SearchPlace, &Needle),
    ) -> Result<Option<Candidates>, Error> {
        self.check_view(who, view).await?;
        let entries = view.entries();
        if entries.len() <= DIRECT || !Search::answers(needle) {
            return Ok(None);
        }
        let Some(scope) = scope_of_text(place) else { return Ok(None) };
        // Only of these: how many there are in the whole installation, strangers decide.
        let (up_to, incomplete) =
            self.0.store.search_bounds(entries.contents().unwrap_or_default(), ANALYSER).await?;
        let newer: Vec<i64> = entries.with_contents_above(up_to).map(|entry| entry.content.0).collect();
        let unknown = self.0.store.search_unknown(&newer, ANALYSER).await?;
        self.learn_words().await?;
        let Some(mut contents) = self.having_all(scope, needle, limit(entries.len())).await? else {
            return Ok(None);
        };
        contents.extend(incomplete);
        contents.extend(unknown.iter().map(|content| content.0));
        contents.sort_unstable();
        contents.dedup();
        Ok(Some(Candidates { contents }))
    }
}
