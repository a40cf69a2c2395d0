//! Writes the search index, one node at a time.
//!
//! A number of a content is given out before its transaction commits, so "everything up to here is indexed" is only said
//! of numbers whose transactions have all ended: [`SearchMark`] remembers the highest number given out, and the first
//! transaction that had not begun then. (`add_content` has a transaction number before it takes a content's.)

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::ContentId;
use std::collections::HashMap;

/// Advisory lock of whoever gives words their numbers.
pub(crate) const SEARCH_LOCK: i64 = 0x636f_6e67_7468_7504;
/// A node that has not been heard of for so long does not index any more.
const LEASE_SECONDS: i32 = 30;

/// Content numbers up to `last` belong to transactions before `xmax`.
#[derive(Clone, Debug)]
pub struct SearchMark {
    last: i64,
    xmax: String,
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
            None => self.search_mark().await?,
        };
        let settled: bool =
            sqlx::query_scalar("select pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8")
                .bind(&here.xmax)
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

    async fn search_mark(&self) -> Result<SearchMark, Error> {
        // Two statements, in this order: the snapshot must not be older than the number.
        let last: i64 =
            sqlx::query_scalar("select coalesce(pg_sequence_last_value('contents_content_id_seq'), 0)")
                .fetch_one(&self.pools.main)
                .await?;
        let xmax: String = sqlx::query_scalar("select pg_snapshot_xmax(pg_current_snapshot())::text")
            .fetch_one(&self.pools.main)
            .await?;
        Ok(SearchMark { last, xmax })
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

    /// Puts a content into the index, or again; no pieces mean that it could not be analysed. A content that was swept
    /// is passed over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_search(
        &mut self,
        content: ContentId,
        (facts, pieces): (&str, &[SearchPiece]),
        (analyser, now): (i16, Timestamp),
    ) -> Result<(), Error> {
        sqlx::query("delete from search_contents where content_id = $1")
            .bind(content.0)
            .execute(&mut *self.inner)
            .await?;
        let there = sqlx::query(
            "insert into search_contents (content_id, complete, analyser, indexed_at, facts)
             select content_id, $2, $3, $4, $5 from contents where content_id = $1 for key share",
        )
        .bind(content.0)
        .bind(!pieces.is_empty())
        .bind(analyser)
        .bind(now.to_sqlx())
        .bind(facts)
        .execute(&mut *self.inner)
        .await?;
        if there.rows_affected() == 0 {
            return Ok(());
        }
        for (number, piece) in (0_i32..).zip(pieces) {
            sqlx::query(
                "insert into search_texts (content_id, piece, header, body, header_keys, body_keys)
                 values ($1, $2, $3, $4, $5, $6)",
            )
            .bind(content.0)
            .bind(number)
            .bind(&piece.header)
            .bind(&piece.body)
            .bind(&piece.header_keys)
            .bind(&piece.body_keys)
            .execute(&mut *self.inner)
            .await?;
        }
        Ok(())
    }
}
