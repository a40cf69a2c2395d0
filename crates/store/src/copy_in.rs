//! Writes chunks through binary COPY: each is compressed while Postgres stores the one before it, and nothing is gathered.
//!
//! The format is that of the PostgreSQL manual, "COPY", "Binary Format". Invariants: rows go in hash order; a connection
//! that was left in the middle of a COPY is closed, never used again.

use crate::chunks::{CHUNK_BYTES_MAX, ChunkId, NewChunk, compress_into, to_i32};
use crate::copy_out::POSTGRES_EPOCH_US;
use crate::{Error, Store};
use jiff::Timestamp;
use sqlx::Postgres;
use sqlx::pool::PoolConnection;

/// Signature, flags, length of the header extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: &[u8] = &(-1_i16).to_be_bytes();
const FIELDS: i16 = 5;
/// Octets of a row around its compressed bytes: count, number, hash, size, the length of the bytes; then the time.
const BEFORE_BYTES: usize = 2 + (4 + 8) + (4 + 32) + (4 + 4) + 4;
const AFTER_BYTES: usize = 4 + 8;
/// Plain bytes stored in one transaction: who waits for a chunk in it (the same attachment, at the same moment) waits for
/// all of it.
const BATCH_BYTES_MAX: usize = 8 << 20;

/// A connection that is given back only when its COPY has ended.
struct Borrowed {
    connection: PoolConnection<Postgres>,
    ended: bool,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

impl Store {
    /// Stores `chunks`, in hash order and each once, under the numbers `ids`. False when one of them is stored already, by
    /// a message that came at the same time; then the rest may be missing.
    pub(crate) async fn copy_in(
        &self,
        chunks: &[NewChunk<'_>],
        ids: &[ChunkId],
        now: Timestamp,
    ) -> Result<bool, Error> {
        let longest = chunks.iter().map(|chunk| chunk.bytes.len()).max().unwrap_or(0).min(CHUNK_BYTES_MAX);
        let mut row = vec![0; BEFORE_BYTES + zstd::zstd_safe::compress_bound(longest) + AFTER_BYTES];
        let mut rest = chunks.iter().zip(ids).peekable();
        while rest.peek().is_some() {
            let mut bytes = 0;
            let batch = std::iter::from_fn(|| {
                let (chunk, id) = if bytes < BATCH_BYTES_MAX { rest.next()? } else { return None };
                bytes += chunk.bytes.len();
                Some((*chunk, *id))
            });
            if !self.copy_batch(batch, &mut row, now).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn copy_batch(
        &self,
        batch: impl Iterator<Item = (NewChunk<'_>, ChunkId)>,
        row: &mut [u8],
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut borrowed = Borrowed { connection: self.pools.chunks.acquire().await?, ended: false };
        let mut copy = borrowed
            .connection
            .copy_in_raw("copy chunks (chunk_id, hash, size, data, created_at) from stdin (format binary)")
            .await?;
        copy.send(HEADER).await?;
        for (chunk, id) in batch {
            let length = fill(row, &chunk, id, now)?;
            copy.send(row.get(..length).unwrap_or_default()).await?;
            // Compressing one takes up to a millisecond; others have their turn between two.
            tokio::task::yield_now().await;
        }
        copy.send(TRAILER).await?;
        let stored = match copy.finish().await {
            Ok(_) => true,
            Err(error)
                if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation) =>
            {
                false
            }
            Err(error) => return Err(error.into()),
        };
        borrowed.ended = true;
        Ok(stored)
    }
}

/// Writes a row; returns its length.
fn fill(row: &mut [u8], chunk: &NewChunk<'_>, id: ChunkId, now: Timestamp) -> Result<usize, Error> {
    const NO_ROOM: Error = Error::Damaged("a chunk is too large");
    let space = row.get_mut(BEFORE_BYTES..).ok_or(NO_ROOM)?;
    let room = space.len().checked_sub(AFTER_BYTES).ok_or(NO_ROOM)?;
    let data = compress_into(chunk.bytes, space.get_mut(..room).ok_or(NO_ROOM)?)?;
    let mut before = Vec::with_capacity(BEFORE_BYTES);
    before.extend_from_slice(&FIELDS.to_be_bytes());
    field(&mut before, &id.to_be_bytes());
    field(&mut before, &chunk.hash);
    field(&mut before, &to_i32(chunk.bytes.len()).to_be_bytes());
    before.extend_from_slice(&to_i32(data).to_be_bytes());
    let mut after = Vec::with_capacity(AFTER_BYTES);
    field(&mut after, &(now.as_microsecond() - POSTGRES_EPOCH_US).to_be_bytes());
    let end = BEFORE_BYTES + data;
    row.get_mut(..BEFORE_BYTES).ok_or(NO_ROOM)?.copy_from_slice(&before);
    row.get_mut(end..end + AFTER_BYTES).ok_or(NO_ROOM)?.copy_from_slice(&after);
    Ok(end + AFTER_BYTES)
}

fn field(row: &mut Vec<u8>, value: &[u8]) {
    row.extend_from_slice(&to_i32(value.len()).to_be_bytes());
    row.extend_from_slice(value);
}
