//! Accepting a small message in one statement that commits by itself: what the accepting transaction of `accept` does,
//! and the writing of its chunks, in one round trip in place of five.
//!
//! Invariant: a lost answer is never guessed. There is no transaction number to ask for, and the statement may not even
//! have begun when its connection died; so whoever asks `was_accepted` either finds the event that the statement notes, or
//! leaves a row that keeps it from ever succeeding.

use crate::accept::{Target, columns};
use crate::chunks::{ChunkId, NewChunk, compress_all, to_i32};
use crate::contents::NewContent;
use crate::{Error, Event, Store};
use jiff_sqlx::ToSqlx as _;
use std::time::Duration;

/// Octets of a message that is accepted in one statement: one parameter's worth that costs less to send than to ask about,
/// and below what goes to a content directory.
pub const SMALL_BYTES_MAX: usize = 128 * 1024;
/// How long the fate of a message is asked for: as for a commit in `tx`.
const RESOLVE_FOR: Duration = Duration::from_secs(60);
const RESOLVE_PAUSE: Duration = Duration::from_millis(250);

impl Store {
    /// Adds the content, made of `chunks`, and an entry for each target (each account at most once, at most
    /// [`crate::RECIPIENTS_PER_TX`]), and notes `event`, whose moment and trace no other has. `content.chunk_ids` is not
    /// looked at. Durable after `Ok`.
    ///
    /// # Errors
    /// `ChunkGone` when the chunks must be written first, `MailboxGone` when a target vanished, `Unavailable` when the
    /// message was certainly not accepted, `CommitUnknown` when nobody can tell.
    pub async fn accept_small(
        &self,
        content: &NewContent,
        chunks: &[NewChunk<'_>],
        targets: &[Target],
        event: &Event<'_>,
    ) -> Result<(), Error> {
        let known = self.known_ids(chunks).await?;
        let mut new: Vec<NewChunk<'_>> =
            chunks.iter().zip(&known).filter(|(_, id)| **id == 0).map(|(chunk, _)| *chunk).collect();
        new.sort_unstable_by_key(|chunk| chunk.hash);
        new.dedup_by_key(|chunk| chunk.hash);
        let data = compress_all(&new).await?;
        let hashes =
            |chunks: &[NewChunk<'_>]| chunks.iter().map(|chunk| chunk.hash.to_vec()).collect::<Vec<_>>();
        let (accounts, folders, recipients) = columns(targets);
        let accepted = sqlx::query(
            "select accept_message($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                                   $19, $20, $21)",
        )
        .bind(event.at.to_sqlx())
        .bind(content.size_i64())
        .bind(known)
        .bind(content.chunk_sizes_i32())
        .bind(hashes(chunks))
        .bind(hashes(&new))
        .bind(new.iter().map(|chunk| to_i32(chunk.bytes.len())).collect::<Vec<_>>())
        .bind(data)
        .bind(&content.envelope)
        .bind(&content.structure)
        .bind(&content.preview)
        .bind(content.thread_id)
        .bind(accounts)
        .bind(folders)
        .bind(recipients)
        .bind(event.kind)
        .bind(event.trace)
        .bind(event.account.map(|account| account.0))
        .bind(event.remote)
        .bind(event.sender)
        .bind(event.status)
        .execute(&self.pools.main)
        .await;
        match accepted {
            Ok(_) => Ok(()),
            Err(error) if is_certain(&error) => Err(Error::from(error)),
            Err(error) => {
                tracing::warn!(%error, "the answer to an accepting statement was lost; asking for its fate");
                if self.was_accepted(event).await? { Ok(()) } else { Err(Error::Unavailable(error)) }
            }
        }
    }

    /// The numbers of the chunks that are stored, 0 for the others. A message in one piece has our trace header in it, so
    /// that nobody has stored it before.
    async fn known_ids(&self, chunks: &[NewChunk<'_>]) -> Result<Vec<ChunkId>, Error> {
        if chunks.len() <= 1 {
            return Ok(vec![0; chunks.len()]);
        }
        let known = self.known_chunks(chunks).await?;
        Ok(chunks.iter().map(|chunk| known.get(&chunk.hash).copied().unwrap_or(0)).collect())
    }

    /// The fate of the message that noted `event`; after `false` it will never be accepted.
    pub(crate) async fn was_accepted(&self, event: &Event<'_>) -> Result<bool, Error> {
        let asked = async {
            loop {
                let answer: Result<bool, _> = sqlx::query_scalar("select was_accepted($1, $2, $3)")
                    .bind(event.at.to_sqlx())
                    .bind(event.trace)
                    .bind(event.kind)
                    .fetch_one(&self.pools.main)
                    .await;
                match answer {
                    Ok(accepted) => return accepted,
                    Err(_) => tokio::time::sleep(RESOLVE_PAUSE).await,
                }
            }
        };
        // Around everything: waiting for a connection may by itself take half of it.
        tokio::time::timeout(RESOLVE_FOR, asked).await.map_err(|_| Error::CommitUnknown)
    }
}

/// Did the server refuse the statement itself? Words of farewell may come after its commit as well: class 08, connection
/// exceptions, and 57P, the server's or the connection's end.
fn is_certain(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| !code.starts_with("08") && !code.starts_with("57P"))
}
