//! Searching: the index narrows, the text decides.
//!
//! A needle's words are looked for in the vocabulary, theirs in the index; what the index cannot say for certain is
//! compared with the text it keeps. The answer is that of reading every message. Invariants: what is not in the index
//! is told as unknown, never as not found; nobody is told of messages outside the view they were given.

mod analysis;
mod candidates;
mod facts;
mod fill;
mod lines;
mod vocabulary;

pub use candidates::Candidates;
pub(crate) use facts::FactsCache;
pub use store::SearchLag;
pub(crate) use vocabulary::Vocabulary;

use crate::{Engine, Error, FolderView, Principal};
use model::{ContentId, FolderId, Uid};
use proto::search::{ANALYSER, FactsLine, Haystack, Needle, Run, grams};
use std::collections::HashSet;
use store::{MARK_CODES, MARK_MANY, SearchKeys, SearchScope, SearchText};

/// Octets of one part's text that are searched. Attachments are no text; a text part beyond this is searched up to here.
pub const SEARCH_TEXT_BYTES_MAX: u64 = 4 << 20;
/// Octets of a header that are searched. `deliver` refuses larger ones; APPEND keeps any bytes, and the rest of such a
/// header is not searched.
pub const SEARCH_HEADER_BYTES_MAX: u64 = 256 << 10;
/// Characters of a needle the index answers for: pieces of a long text overlap by as much.
pub(crate) const NEEDLE_CHARS_MAX: usize = 1_000;

/// Up to so many messages are compared with their texts at once: that is quicker than to look for words.
pub const SEARCH_DIRECT: usize = 300;
const DIRECT: usize = SEARCH_DIRECT;
/// Words of the vocabulary that are looked for in the index; a needle that more words contain does not narrow.
const WORDS_WANTED_MAX: usize = 20_000;
/// Characters of a code that few messages have.
const CODE_CHARS_MIN: usize = 5;
/// Runs of a needle that are looked for; the longest are the rarest.
const RUNS_MAX: usize = 3;
/// Messages whose texts are asked for at once; they come, and are compared, one by one.
const TEXTS_BATCH: usize = 400;
/// Messages whose facts are asked for at once; they come one by one.
const FACTS_BATCH: usize = 4_000;
/// In a folder of more messages, the facts of a few ([`SEARCH_DIRECT`]) are asked for: to look through those of all takes
/// longer.
const FACTS_FEW: usize = 20_000;
/// Hits in the whole installation, as a multiple of the messages that are searched, beyond which these are read instead.
const STRANGERS: usize = 8;
const STRANGERS_MIN: usize = 100_000;
/// However many messages are searched: each hit takes some 100 octets here until it is sorted out.
const STRANGERS_MAX: usize = 1_000_000;

/// Where in a message a needle is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchPlace {
    /// A field of the envelope.
    Facts(FactsLine),
    /// The value of a header field, by its name in lower case.
    Field(String),
    Body,
    /// Header and body.
    Text,
}

/// A search over messages of one folder.
#[derive(Debug)]
pub struct Search {
    engine: Engine,
    folder: FolderId,
    /// Messages in the folder.
    messages: usize,
    /// Ascending, each once.
    known: Vec<i64>,
    unknown: HashSet<ContentId>,
}

impl Engine {
    /// Begins a search over the messages of `uids`.
    ///
    /// # Errors
    /// When the database fails. `view` must be one that [`Engine::view`] gave to `who`.
    pub async fn search(&self, who: &Principal, view: &FolderView, uids: &[Uid]) -> Result<Search, Error> {
        self.check_view(who, view).await?;
        let entries = uids.iter().filter_map(|uid| view.find(*uid));
        let mut contents: Vec<i64> = entries.map(|entry| entry.content.0).collect();
        contents.sort_unstable();
        contents.dedup();
        // Before the words are read: a content that is known then has all its words among them.
        let unknown: HashSet<ContentId> =
            self.0.store.search_unknown(&contents, ANALYSER).await?.into_iter().collect();
        contents.retain(|id| !unknown.contains(&ContentId(*id)));
        self.learn_words().await?;
        let (folder, messages) = (view.folder().id, view.entries().len());
        Ok(Search { engine: self.clone(), folder, messages, known: contents, unknown })
    }

    /// Contents of the whole installation with a text that has all runs of the needle, codes as far as their groups tell,
    /// ascending; `None` if there are too many, or none of the runs narrows.
    async fn having_all(
        &self,
        scope: SearchScope,
        needle: &Needle,
        limit: usize,
    ) -> Result<Option<Vec<i64>>, Error> {
        let store = &self.0.store;
        let mut runs: Vec<Run<'_>> = needle.runs().collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.text.len()));
        let mut pieces: Option<Vec<(i64, i32)>> = None;
        for run in runs.iter().take(RUNS_MAX) {
            let words = self.0.words.read().await.matching(run, needle.is_plain(), WORDS_WANTED_MAX);
            let Some(words) = words else { continue };
            let asked = [with_words(scope, words), with_codes(scope, run)];
            let Some(mut having) = store.search_pieces(&asked, limit).await? else { continue };
            having.sort_unstable();
            having.dedup();
            if let Some(before) = pieces {
                having.retain(|piece| before.binary_search(piece).is_ok());
            }
            pieces = Some(having);
        }
        let mut contents: Option<Vec<i64>> =
            pieces.map(|pieces| pieces.into_iter().map(|(content, _)| content).collect());
        if let Some(contents) = &mut contents {
            contents.dedup();
        }
        Ok(contents)
    }

    /// How far the search index is behind.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_lag(&self) -> Result<SearchLag, Error> {
        Ok(self.0.store.search_lag().await?)
    }

    pub(crate) async fn learn_words(&self) -> Result<(), Error> {
        loop {
            let last = self.0.words.read().await.last();
            let words = self.0.store.search_words(last).await?;
            if words.is_empty() {
                return Ok(());
            }
            self.0.words.write().await.extend(words);
        }
    }
}

/// What the index says.
#[derive(Debug, Default)]
struct Narrowed {
    certain: HashSet<i64>,
    /// Ascending.
    open: Vec<i64>,
}

impl Search {
    /// The index does not have it: to be found out by reading.
    #[must_use]
    pub fn is_unknown(&self, content: ContentId) -> bool {
        self.unknown.contains(&content)
    }

    /// Can the index answer for this needle?
    #[must_use]
    pub fn answers(needle: &Needle) -> bool {
        needle.text().chars().count() <= NEEDLE_CHARS_MAX
    }

    /// Those of the known messages that have the needle and that `wanted` wants to know about.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(
        &self,
        place: &SearchPlace,
        needle: &Needle,
        wanted: impl Fn(ContentId) -> bool,
    ) -> Result<HashSet<ContentId>, Error> {
        let among: Vec<i64> = self.known.iter().copied().filter(|id| wanted(ContentId(*id))).collect();
        match place {
            SearchPlace::Facts(line) => return self.by_facts(Some(*line), needle, &among).await,
            // An empty needle asks whether the field is there, which the facts do not say.
            SearchPlace::Field(name) if name == "message-id" && !needle.is_empty() => {
                return self.by_facts(Some(FactsLine::MessageId), needle, &among).await;
            }
            SearchPlace::Field(_) | SearchPlace::Body | SearchPlace::Text => {}
        }
        let Narrowed { certain, open } = match self.narrow(place, needle, &among).await? {
            Some(narrowed) => narrowed,
            None => Narrowed { certain: HashSet::new(), open: among },
        };
        let mut found: HashSet<ContentId> = certain.into_iter().map(ContentId).collect();
        if matches!(place, SearchPlace::Text) {
            found.extend(self.by_facts(None, needle, &open).await?);
        }
        for batch in open.chunks(TEXTS_BATCH) {
            self.compare(place, needle, batch, &mut found).await?;
            tokio::task::yield_now().await;
        }
        Ok(found)
    }

    /// `None` where the index does not narrow.
    async fn narrow(
        &self,
        place: &SearchPlace,
        needle: &Needle,
        among: &[i64],
    ) -> Result<Option<Narrowed>, Error> {
        if among.len() <= DIRECT {
            return Ok(None);
        }
        let scope = scope_of_text(place).unwrap_or(SearchScope::Header);
        let limit = limit(among.len());
        if needle.is_within_word() && matches!(place, SearchPlace::Body | SearchPlace::Text) {
            return self.narrow_word(scope, needle, among, limit).await;
        }
        let Some(contents) = self.engine.having_all(scope, needle, limit).await? else { return Ok(None) };
        let open = among.iter().copied().filter(|id| contents.binary_search(id).is_ok()).collect();
        Ok(Some(Narrowed { certain: HashSet::new(), open }))
    }

    /// A needle that is no more than part of a word: words that contain it say all, codes are looked into.
    async fn narrow_word(
        &self,
        scope: SearchScope,
        needle: &Needle,
        among: &[i64],
        limit: usize,
    ) -> Result<Option<Narrowed>, Error> {
        let run = Run { text: needle.text(), begins_word: false, ends_word: false };
        let Some(words) = self.words(&run, needle).await else { return Ok(None) };
        let store = &self.engine.0.store;
        let of_words = store.search_pieces(&[with_words(scope, words)], limit).await?;
        let Some(of_words) = of_words else { return Ok(None) };
        let certain: HashSet<i64> = of_words.into_iter().map(|(content, _)| content).collect();
        let certain: HashSet<i64> = among.iter().copied().filter(|id| certain.contains(id)).collect();
        let of_codes = store.search_pieces(&[with_codes(scope, &run)], limit).await?;
        let all = of_codes.is_none();
        let of_codes: HashSet<i64> =
            of_codes.unwrap_or_default().into_iter().map(|(content, _)| content).collect();
        let may = |id: &i64| !certain.contains(id) && (all || of_codes.contains(id));
        let open = among.iter().copied().filter(may).collect();
        Ok(Some(Narrowed { certain, open }))
    }

    async fn words(&self, run: &Run<'_>, needle: &Needle) -> Option<Vec<i32>> {
        self.engine.0.words.read().await.matching(run, needle.is_plain(), WORDS_WANTED_MAX)
    }

    /// Those of `among`, which is ascending, that have the needle in this line of their facts, or in any.
    async fn by_facts(
        &self,
        line: Option<FactsLine>,
        needle: &Needle,
        among: &[i64],
    ) -> Result<HashSet<ContentId>, Error> {
        if among.is_empty() {
            // A folder of which nothing is to be known is not to be remembered either.
            return Ok(HashSet::new());
        }
        let has = |facts: &str| match line {
            Some(line) => Haystack::new(facts).line_has(line, needle),
            None => Haystack::new(facts).has(needle),
        };
        let mut found = HashSet::new();
        if among.len() <= DIRECT && self.messages > FACTS_FEW {
            let each = |content, text: &str| _ = has(text).then(|| found.insert(ContentId(content)));
            self.engine.0.store.search_facts(among, each).await?;
            return Ok(found);
        }
        let cache = &self.engine.0.facts;
        let folder = cache.of(self.folder);
        let mut missing: Vec<i64> = {
            let facts = folder.read().await;
            among.iter().copied().filter(|id| !facts.knows(*id)).collect()
        };
        if !missing.is_empty() {
            // Whoever searches the same folder meanwhile waits, and finds it done.
            let mut facts = folder.write().await;
            facts.fit(self.messages);
            missing = among.iter().copied().filter(|id| !facts.knows(*id)).collect();
            for batch in missing.chunks(FACTS_BATCH) {
                let each = |content, text: &str| {
                    if !facts.add(content, text) && has(text) {
                        found.insert(ContentId(content));
                    }
                };
                self.engine.0.store.search_facts(batch, each).await?;
            }
            cache.grown(self.folder, facts.bytes());
        }
        let having = folder.read().await.having(line, needle).await;
        found.extend(having.into_iter().filter(|id| among.binary_search(id).is_ok()).map(ContentId));
        Ok(found)
    }

    /// Adds those of a batch whose text has the needle.
    async fn compare(
        &self,
        place: &SearchPlace,
        needle: &Needle,
        batch: &[i64],
        found: &mut HashSet<ContentId>,
    ) -> Result<(), Error> {
        let store = &self.engine.0.store;
        let scope = match place {
            SearchPlace::Facts(_) => return Ok(()),
            SearchPlace::Field(_) => SearchScope::Header,
            SearchPlace::Body => SearchScope::Body,
            SearchPlace::Text => SearchScope::Both,
        };
        if !needle.is_plain() && !matches!(place, SearchPlace::Field(_)) {
            // As the text is kept: the octets need not come here.
            let having = store.search_having(batch, scope, needle.text()).await?;
            found.extend(having.into_iter().map(ContentId));
            return Ok(());
        }
        let each = |text: SearchText| {
            let header = Haystack::new(text.header.as_deref().unwrap_or_default());
            let body = Haystack::new(text.body.as_deref().unwrap_or_default());
            let has = match place {
                SearchPlace::Facts(_) => false,
                SearchPlace::Field(name) => header.field_has(name, needle),
                SearchPlace::Body => body.has(needle),
                SearchPlace::Text => header.has(needle) || body.has(needle),
            };
            if has {
                found.insert(ContentId(text.content_id));
            }
        };
        Ok(store.search_texts(batch, scope, each).await?)
    }
}

/// Where the index looks for a text of the message; `None` for a field.
fn scope_of_text(place: &SearchPlace) -> Option<SearchScope> {
    match place {
        SearchPlace::Facts(_) | SearchPlace::Field(_) => None,
        SearchPlace::Body => Some(SearchScope::Body),
        SearchPlace::Text => Some(SearchScope::Both),
    }
}

/// Hits in the whole installation beyond which so many messages are read instead.
fn limit(messages: usize) -> usize {
    messages.saturating_mul(STRANGERS).clamp(STRANGERS_MIN, STRANGERS_MAX)
}

fn with_words(scope: SearchScope, words: Vec<i32>) -> SearchKeys {
    SearchKeys { scope, any: words, all: Vec::new() }
}

/// Texts with codes that may have the run.
fn with_codes(scope: SearchScope, run: &Run<'_>) -> SearchKeys {
    let all: Vec<i32> = grams(run.text).into_iter().map(analysis::key_of_gram).collect();
    // A run of fewer letters than a group has may be in any code.
    let any = if all.is_empty() { vec![MARK_MANY, MARK_CODES] } else { vec![MARK_MANY] };
    SearchKeys { scope, any, all }
}
