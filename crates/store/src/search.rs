//! The search index: what is asked of it. `search::fill` writes it.
//!
//! Invariants: a content is in the index as a whole or not at all; a word has its number before a text is stored that has
//! the word, and numbers are committed in ascending order (one writer at a time), so whoever has read the words up to
//! a number, and then looks at texts that were there before, knows all their words.

mod fill;

#[cfg(test)]
pub(crate) use fill::SEARCH_LOCK;
pub use fill::{SearchContent, SearchFill, SearchMark, SearchPiece};

use crate::{Error, Store};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use model::ContentId;

/// In the keys of a text: it has codes, some of them too short for a group of letters.
pub const MARK_CODES: i32 = i32::MIN;
/// In the keys of a text: it has so many codes that their groups are not kept.
pub const MARK_MANY: i32 = i32::MIN + 1;

/// Words read at once.
const WORDS_BATCH: i64 = 100_000;
/// Contents that are counted at most when the lag is measured.
const LAG_COUNT_MAX: i64 = 1_000_000;

/// Whose keys are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchScope {
    Header,
    Body,
    Both,
}

/// Which texts have one of `any`, or all of `all`. Either may be empty, and then nothing has it.
#[derive(Clone, Debug)]
pub struct SearchKeys {
    pub scope: SearchScope,
    pub any: Vec<i32>,
    pub all: Vec<i32>,
}

/// A text of a content as it is compared, as far as it was wanted.
#[derive(Clone, Debug)]
pub struct SearchText {
    pub content_id: i64,
    pub header: Option<String>,
    pub body: Option<String>,
}

/// How far behind the index is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SearchLag {
    /// Contents that wait, a million at the most.
    pub contents: u64,
    /// When the oldest of them came.
    pub oldest: Option<Timestamp>,
}

/// Keys of a scope. A text that has one of an array has it by the index alone; rows are not looked into.
macro_rules! pieces {
    ($condition:literal) => {
        concat!(
            "select coalesce(array_agg(content_id), '{}'), coalesce(array_agg(piece), '{}')
               from (select content_id, piece from search_texts where ",
            $condition,
            " limit $3) found"
        )
    };
}

impl Store {
    /// Those of `contents` that the index of this analyser does not answer for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_unknown(&self, contents: &[i64], analyser: i16) -> Result<Vec<ContentId>, Error> {
        let (Some(first), Some(last)) = (contents.iter().min(), contents.iter().max()) else {
            return Ok(Vec::new());
        };
        let (up_to, incomplete) = self.search_bounds((*first, *last), analyser).await?;
        let newer: Vec<i64> = contents.iter().copied().filter(|id| *id > up_to).collect();
        let mut unknown: Vec<i64> = if newer.is_empty() {
            Vec::new()
        } else {
            sqlx::query_scalar(
                "select wanted.id
                   from unnest($1::bigint[]) as wanted (id)
                   left join search_contents s on s.content_id = wanted.id and s.analyser = $2 and s.complete
                  where s.content_id is null",
            )
            .persistent(false)
            .bind(newer)
            .bind(analyser)
            .fetch_all(&self.pools.main)
            .await?
        };
        unknown.extend(incomplete);
        Ok(unknown.into_iter().map(ContentId).collect())
    }

    /// Up to which content the index of this analyser has all, and which of the contents in between (both ends included)
    /// it does not answer for nevertheless.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_bounds(
        &self,
        (first, last): (i64, i64),
        analyser: i16,
    ) -> Result<(i64, Vec<i64>), Error> {
        // What could not be analysed is rare: all of it in between costs less than to ask for each.
        Ok(sqlx::query_as(
            "select case when analyser = $1 then indexed_up_to else 0 end,
                    array(select content_id from search_contents
                           where not complete and content_id between $2 and $3)
               from search_state",
        )
        .bind(analyser)
        .bind(first)
        .bind(last)
        .fetch_one(&self.pools.main)
        .await?)
    }

    /// Words with numbers above `last`, ascending; call again until there are none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_words(&self, last: i32) -> Result<Vec<(i32, String)>, Error> {
        Ok(sqlx::query_as(
            "select word_id, word from search_words where word_id > $1 order by word_id limit $2",
        )
        .bind(last)
        .bind(WORDS_BATCH)
        .fetch_all(&self.pools.main)
        .await?)
    }

    /// Contents and pieces that have one of the keys, of the whole installation, in no order, some twice; `None` if so
    /// many as `limit` have one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_pieces(
        &self,
        asked: &[SearchKeys],
        limit: usize,
    ) -> Result<Option<Vec<(i64, i32)>>, Error> {
        let mut tx = self.begin().await?;
        // A planner that takes a word for common would read every text; a map of pages that has no room for rows would
        // make it look into each.
        sqlx::query("select set_config('enable_seqscan', 'off', true), set_config('work_mem', '32MB', true)")
            .execute(&mut *tx.inner)
            .await?;
        let mut found = Vec::new();
        for keys in asked {
            let statement = match keys.scope {
                SearchScope::Header => pieces!("header_keys && $1 or ($2 <> '{}' and header_keys @> $2)"),
                SearchScope::Body => pieces!("body_keys && $1 or ($2 <> '{}' and body_keys @> $2)"),
                SearchScope::Both => pieces!(
                    "header_keys && $1 or body_keys && $1
                     or ($2 <> '{}' and (header_keys @> $2 or body_keys @> $2))"
                ),
            };
            let (contents, pieces): (Vec<i64>, Vec<i32>) = sqlx::query_as(statement)
                .persistent(false)
                .bind(&keys.any)
                .bind(&keys.all)
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_one(&mut *tx.inner)
                .await?;
            if contents.len() >= limit {
                tx.commit().await?;
                return Ok(None);
            }
            found.extend(contents.into_iter().zip(pieces));
        }
        tx.commit().await?;
        Ok(Some(found))
    }

    /// Gives the texts of contents to `each`, in no order; several pieces of one come one by one. They are not in memory
    /// together: a message may have 16 MB of them.
    ///
    /// # Errors
    /// When the database fails; some may have been given then.
    pub async fn search_texts(
        &self,
        contents: &[i64],
        scope: SearchScope,
        mut each: impl FnMut(SearchText) + Send,
    ) -> Result<(), Error> {
        let mut rows = sqlx::query_as::<_, (i64, Option<String>, Option<String>)>(
            "select content_id, case when $2 then header end as header, case when $3 then body end as body
               from search_texts where content_id = any ($1)",
        )
        .bind(contents)
        .bind(scope != SearchScope::Body)
        .bind(scope != SearchScope::Header)
        .fetch(&self.pools.main);
        while let Some((content_id, header, body)) = rows.try_next().await? {
            each(SearchText { content_id, header, body });
        }
        Ok(())
    }

    /// Those of `contents` whose text has `part`, compared octet for octet; in no order, some more than once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_having(
        &self,
        contents: &[i64],
        scope: SearchScope,
        part: &str,
    ) -> Result<Vec<i64>, Error> {
        Ok(sqlx::query_scalar(
            "select content_id from search_texts
              where content_id = any ($1)
                and ($2 and position($4 in header) > 0 or $3 and position($4 in body) > 0)",
        )
        .bind(contents)
        .bind(scope != SearchScope::Body)
        .bind(scope != SearchScope::Header)
        .bind(part)
        .fetch_all(&self.pools.main)
        .await?)
    }

    /// Gives the facts of contents to `each`, in no order, one by one: those of one message may have 2 MB.
    ///
    /// # Errors
    /// When the database fails; some may have been given then.
    pub async fn search_facts(
        &self,
        contents: &[i64],
        mut each: impl FnMut(i64, &str) + Send,
    ) -> Result<(), Error> {
        let mut rows = sqlx::query_as::<_, (i64, String)>(
            "select content_id, facts from search_contents where content_id = any ($1)",
        )
        .bind(contents)
        .fetch(&self.pools.main);
        while let Some((content, facts)) = rows.try_next().await? {
            each(content, &facts);
        }
        Ok(())
    }

    /// How far behind the index is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_lag(&self) -> Result<SearchLag, Error> {
        let (contents, oldest): (i64, Option<jiff_sqlx::Timestamp>) = sqlx::query_as(
            "select count(*), min(created_at)
               from (select c.created_at
                       from contents c, search_state
                      where c.content_id > indexed_up_to
                        and not exists (select from search_contents s
                                         where s.content_id = c.content_id and s.analyser = search_state.analyser
                                           and s.indexed_at >= rebuild_before)
                      limit $1) waiting",
        )
        .bind(LAG_COUNT_MAX)
        .fetch_one(&self.pools.main)
        .await?;
        Ok(SearchLag { contents: contents.unsigned_abs(), oldest: oldest.map(jiff_sqlx::Timestamp::to_jiff) })
    }
}
