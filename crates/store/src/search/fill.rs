//! Writes the search index, one node at a time.
//!
//! A number of a content is given out before its transaction commits, so "everything up to here is indexed" is only said
//! of numbers whose transactions have all ended: [`SearchMark`] remembers the highest number given out, and a transaction
//! of its own that began then. (Whoever adds a content has a transaction number before it takes the content's.) That has
//! to be a transaction: the xmax of a snapshot follows the last one that has *ended*, and others may be under way beyond.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::ContentId;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

/// Advisory lock of whoever gives words their numbers.
pub(crate) const SEARCH_LOCK: i64 = 0x636f_6e67_7468_7504;
/// A node that has not been heard of for so long does not index any more.
const LEASE_SECONDS: i32 = 30;

/// Content numbers up to `last` belong to transactions before this one.
#[derive(Clone, Debug)]
pub struct SearchMark {
    last: i64,
    transaction: String,
}

/// What is to be indexed next.
#[derive(Clone, Debug)]
pub struct SearchFill {
    /// Ascending.
    pub contents: Vec<ContentId>,
}

/// One text of a content, with its keys.
#[derive(Clone, Debug, Default)]
pub struct SearchPiece {
    pub header: String,
    pub body: String,
    pub header_keys: Vec<i32>,
    pub body_keys: Vec<i32>,
}

/// A content as the index keeps it.
#[derive(Clone, Debug)]
pub struct SearchContent {
    pub content: ContentId,
    pub facts: String,
    /// None mean that it could not be analysed.
    pub pieces: Vec<SearchPiece>,
}

type StateRow = (i64, i16, jiff_sqlx::Timestamp);

impl Store {
    /// Contents that are not in the index, the oldest first; none while another node is at it. `mark` is the caller's
    /// to keep between calls, `worker` its name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_fill(
        &self,
        (worker, analyser): (i64, i16),
        mark: &mut Option<SearchMark>,
        limit: usize,
    ) -> Result<SearchFill, Error> {
        let none = SearchFill { contents: Vec::new() };
        let (up_to, by, rebuild): StateRow =
            sqlx::query_as("select indexed_up_to, analyser, rebuild_before from search_state")
                .fetch_one(&self.pools.main)
                .await?;
        if by > analyser {
            // A newer node is there; its index is not ours to write.
            return Ok(none);
        }
        let up_to = if by < analyser { 0 } else { up_to };
        let here = match mark.take() {
            Some(mark) => mark,
            None => {
                let last = self.last_content().await?;
                if last <= up_to && by == analyser {
                    // Nothing came. A mark costs a transaction number, which who has nothing to do is not to use up.
                    return Ok(none);
                }
                self.search_mark(last).await?
            }
        };
        let settled: bool =
            sqlx::query_scalar("select pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8")
                .bind(&here.transaction)
                .fetch_one(&self.pools.main)
                .await?;
        let contents: Vec<i64> = sqlx::query_scalar(
            "select c.content_id
               from contents c
               left join search_contents s on s.content_id = c.content_id
              where c.content_id > $1
                and (s.content_id is null or s.analyser < $2 or s.indexed_at < $3)
              order by c.content_id limit $4",
        )
        .bind(up_to)
        .bind(analyser)
        .bind(rebuild)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pools.main)
        .await?;
        let done = here.last.min(contents.first().map_or(i64::MAX, |first| first - 1));
        if !settled {
            *mark = Some(here);
        } else if done > up_to || by < analyser {
            self.search_done(done, (up_to, by, rebuild), analyser).await?;
        }
        if contents.is_empty() || !self.search_lease(worker).await? {
            return Ok(none);
        }
        Ok(SearchFill { contents: contents.into_iter().map(ContentId).collect() })
    }

    /// The highest number of a content that was given out.
    async fn last_content(&self) -> Result<i64, Error> {
        Ok(sqlx::query_scalar("select coalesce(pg_sequence_last_value('contents_content_id_seq'), 0)")
            .fetch_one(&self.pools.main)
            .await?)
    }

    /// `last` was read before: the transaction must not have begun by then.
    async fn search_mark(&self, last: i64) -> Result<SearchMark, Error> {
        let transaction: String =
            sqlx::query_scalar("select pg_current_xact_id()::text").fetch_one(&self.pools.main).await?;
        Ok(SearchMark { last, transaction })
    }

    /// Says how far the index has come, unless somebody has begun it anew meanwhile.
    async fn search_done(&self, done: i64, before: StateRow, analyser: i16) -> Result<(), Error> {
        let (up_to, by, rebuild) = before;
        let stated = if by < analyser { None } else { Some(up_to) };
        sqlx::query(
            "update search_state set indexed_up_to = $1, analyser = $2
              where analyser = $3 and rebuild_before = $4 and ($5::bigint is null or indexed_up_to = $5)",
        )
        .bind(done)
        .bind(analyser)
        .bind(by)
        .bind(rebuild)
        .bind(stated)
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }

    /// Takes or keeps the right to index; the database's clock counts.
    async fn search_lease(&self, worker: i64) -> Result<bool, Error> {
        let mine = sqlx::query(
            "update search_state set worker = $1, worker_until = clock_timestamp() + make_interval(secs => $2)
              where worker = $1 or worker_until < clock_timestamp()",
        )
        .bind(worker)
        .bind(f64::from(LEASE_SECONDS))
        .execute(&self.pools.main)
        .await?;
        Ok(mine.rows_affected() > 0)
    }

    /// Gives the right to index back before its time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_release(&self, worker: i64) -> Result<(), Error> {
        sqlx::query("update search_state set worker_until = clock_timestamp() where worker = $1")
            .bind(worker)
            .execute(&self.pools.main)
            .await?;
        Ok(())
    }

    /// Begins the index anew: what is there serves until it is replaced.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_rebuild(&self, now: Timestamp) -> Result<(), Error> {
        sqlx::query("update search_state set indexed_up_to = 0, rebuild_before = $1")
            .bind(now.to_sqlx())
            .execute(&self.pools.main)
            .await?;
        Ok(())
    }
}

impl Tx {
    /// The numbers of words, of new ones too where `may_add` says so. Until the commit nobody else numbers words.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn number_words(
        &mut self,
        words: &[String],
        may_add: impl FnOnce(&HashMap<String, i32>) -> Vec<String>,
    ) -> Result<HashMap<String, i32>, Error> {
        sqlx::query("select pg_advisory_xact_lock($1)").bind(SEARCH_LOCK).execute(&mut *self.inner).await?;
        let rows: Vec<(String, i32)> =
            sqlx::query_as("select word, word_id from search_words where word = any ($1)")
                .bind(words)
                .fetch_all(&mut *self.inner)
                .await?;
        let mut known: HashMap<String, i32> = rows.into_iter().collect();
        let new = may_add(&known);
        if !new.is_empty() {
            let rows: Vec<(String, i32)> = sqlx::query_as(
                "insert into search_words (word) select unnest($1::text[]) returning word, word_id",
            )
            .bind(new)
            .fetch_all(&mut *self.inner)
            .await?;
            known.extend(rows);
        }
        Ok(known)
    }

    /// Puts contents into the index, or again. Those that were swept are passed over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_search(
        &mut self,
        contents: &[SearchContent],
        (analyser, now): (i16, Timestamp),
    ) -> Result<(), Error> {
        let ids: Vec<i64> = contents.iter().map(|one| one.content.0).collect();
        let complete: Vec<bool> = contents.iter().map(|one| !one.pieces.is_empty()).collect();
        let facts: Vec<&str> = contents.iter().map(|one| one.facts.as_str()).collect();
        sqlx::query("delete from search_contents where content_id = any ($1)")
            .bind(&ids)
            .execute(&mut *self.inner)
            .await?;
        let there: Vec<i64> = sqlx::query_scalar(
            "with there as materialized (
                 select content_id from contents where content_id = any ($1) order by content_id for key share)
             insert into search_contents (content_id, complete, analyser, indexed_at, facts)
             select content_id, one.complete, $4, $5, one.facts
               from there join unnest($1::bigint[], $2::bool[], $3::text[]) as one (id, complete, facts)
                 on one.id = content_id
             returning content_id",
        )
        .bind(&ids)
        .bind(&complete)
        .bind(&facts)
        .bind(analyser)
        .bind(now.to_sqlx())
        .fetch_all(&mut *self.inner)
        .await?;
        let there: HashSet<i64> = there.into_iter().collect();
        let mut rows = PieceRows::default();
        for one in contents.iter().filter(|one| there.contains(&one.content.0)) {
            (0_i32..).zip(&one.pieces).for_each(|(number, piece)| rows.add(one.content.0, number, piece));
        }
        sqlx::query(
            "insert into search_texts (content_id, piece, header, body, header_keys, body_keys)
             select id, piece, header, body, header_keys::integer[], body_keys::integer[]
               from unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[])
                    as one (id, piece, header, body, header_keys, body_keys)",
        )
        .bind(rows.ids)
        .bind(rows.numbers)
        .bind(rows.headers)
        .bind(rows.bodies)
        .bind(rows.header_keys)
        .bind(rows.body_keys)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}

/// Columns of pieces. Keys are arrays of arrays of different lengths, which Postgres does not have: each is its text.
#[derive(Default)]
struct PieceRows<'a> {
    ids: Vec<i64>,
    numbers: Vec<i32>,
    headers: Vec<&'a str>,
    bodies: Vec<&'a str>,
    header_keys: Vec<String>,
    body_keys: Vec<String>,
}

impl<'a> PieceRows<'a> {
    fn add(&mut self, id: i64, number: i32, piece: &'a SearchPiece) {
        self.ids.push(id);
        self.numbers.push(number);
        self.headers.push(&piece.header);
        self.bodies.push(&piece.body);
        self.header_keys.push(array(&piece.header_keys));
        self.body_keys.push(array(&piece.body_keys));
    }
}

fn array(keys: &[i32]) -> String {
    let mut text = String::with_capacity(keys.len() * 8 + 2);
    text.push('{');
    for (index, key) in keys.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        // To a string it cannot fail.
        let _ = write!(text, "{key}");
    }
    text.push('}');
    text
}
