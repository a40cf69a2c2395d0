//! Chunks: the bytes of messages in content-defined pieces, each stored once and compressed by itself.
//!
//! Chunks are written before the transaction that needs them, on connections that do not wait for the disk; the
//! accepting transaction's own flush covers them, and `hold_chunks` in it notices one that was swept meanwhile.
//! Invariant: rows are inserted in hash order, so two messages with the same chunks cannot deadlock.

use crate::objects::Placed;
use crate::{Error, Store};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use std::cell::RefCell;
use std::collections::HashMap;
use zstd::bulk::{Compressor, Decompressor};

/// zstd level for chunks: the fastest that still takes back what base64 wastes.
const ZSTD_LEVEL: i32 = 1;
/// Plain bytes of one chunk; more means damaged data.
pub const CHUNK_BYTES_MAX: usize = 256 * 1024;
/// Plain bytes whose chunks are sent to the database in one statement.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Plain bytes compressed without leaving the task: a third of a millisecond, and a thread of its own costs a copy.
const INLINE_BYTES_MAX: usize = 128 * 1024;

/// Names a stored chunk.
pub type ChunkId = i64;

/// A piece of a message that is to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewChunk<'a> {
    /// BLAKE3 of `bytes`.
    pub hash: [u8; 32],
    pub bytes: &'a [u8],
}

impl Store {
    /// Stores what is not stored yet; returns the ids in the order of `chunks`, which may repeat.
    ///
    /// # Errors
    /// When the database, or the content directory, fails.
    pub async fn write_chunks(&self, chunks: &[NewChunk<'_>], now: Timestamp) -> Result<Vec<ChunkId>, Error> {
        let (mut ids, unused) = self.known_chunks_and_ids(chunks).await?;
        let mut missing: Vec<NewChunk<'_>> =
            chunks.iter().filter(|chunk| !ids.contains_key(&chunk.hash)).copied().collect();
        missing.sort_unstable_by_key(|chunk| chunk.hash);
        missing.dedup_by_key(|chunk| chunk.hash);
        if let Some(objects) = &self.objects
            && missing.iter().map(|chunk| chunk.bytes.len()).sum::<usize>() >= objects.bytes_min()
        {
            self.insert_in_object(objects, &missing, now, &mut ids).await?;
        } else if missing.len() <= unused.len()
            && !missing.is_empty()
            && self.copy_in(&missing, &unused, now).await?
        {
            ids.extend(missing.iter().map(|chunk| chunk.hash).zip(unused));
        } else {
            self.insert_in_rows(&missing, now, &mut ids).await?;
        }
        chunks.iter().map(|chunk| ids.get(&chunk.hash).copied().ok_or(Error::ChunkGone)).collect()
    }

    pub(crate) async fn known_chunks(
        &self,
        chunks: &[NewChunk<'_>],
    ) -> Result<HashMap<[u8; 32], ChunkId>, Error> {
        let hashes: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.hash.as_slice()).collect();
        let rows: Vec<(Vec<u8>, ChunkId)> =
            sqlx::query_as("select hash, chunk_id from chunks where hash = any ($1)")
                .bind(hashes)
                .fetch_all(&self.pools.chunks)
                .await?;
        Ok(rows.into_iter().filter_map(|(hash, id)| Some((hash.try_into().ok()?, id))).collect())
    }

    /// The chunks that are stored, and numbers for the others, when they are so many bytes that `copy_in` is to store them.
    async fn known_chunks_and_ids(
        &self,
        chunks: &[NewChunk<'_>],
    ) -> Result<(HashMap<[u8; 32], ChunkId>, Vec<ChunkId>), Error> {
        if chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>() <= INLINE_BYTES_MAX {
            return Ok((self.known_chunks(chunks).await?, Vec::new()));
        }
        let hashes: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.hash.as_slice()).collect();
        let rows: Vec<(Option<Vec<u8>>, ChunkId)> = sqlx::query_as(
            "select hash, chunk_id from chunks where hash = any ($1)
             union all
             select null, nextval('chunks_chunk_id_seq') from generate_series(1, $2)",
        )
        .bind(hashes)
        .bind(to_i32(chunks.len()))
        .fetch_all(&self.pools.chunks)
        .await?;
        let (mut known, mut unused) = (HashMap::new(), Vec::with_capacity(chunks.len()));
        for (hash, id) in rows {
            match hash {
                None => unused.push(id),
                Some(hash) => _ = hash.try_into().ok().and_then(|hash: [u8; 32]| known.insert(hash, id)),
            }
        }
        Ok((known, unused))
    }

    pub(crate) async fn insert_in_rows(
        &self,
        missing: &[NewChunk<'_>],
        now: Timestamp,
        ids: &mut HashMap<[u8; 32], ChunkId>,
    ) -> Result<(), Error> {
        let mut rest = missing;
        while !rest.is_empty() {
            let (mut count, mut bytes) = (0, 0);
            while let Some(chunk) = rest.get(count)
                && bytes < BATCH_BYTES_MAX
            {
                bytes += chunk.bytes.len();
                count += 1;
            }
            let (batch, after) = rest.split_at(count);
            let data = compress_all(batch).await?;
            self.insert_batch(batch, Placement::Rows(&data), now, ids).await?;
            rest = after;
        }
        Ok(())
    }

    async fn insert_in_object(
        &self,
        objects: &crate::objects::Objects,
        missing: &[NewChunk<'_>],
        now: Timestamp,
        ids: &mut HashMap<[u8; 32], ChunkId>,
    ) -> Result<(), Error> {
        let compressed = compress_all(missing).await?;
        // A row for the object before its file is there, so that the sweeper finds what a crash leaves; the bytes are on
        // the disk before any chunk is said to be in it.
        let name = objects.unique_name();
        let object_id: i64 =
            sqlx::query_scalar("insert into objects (name, created_at) values ($1, $2) returning object_id")
                .bind(&name)
                .bind(now.to_sqlx())
                .fetch_one(&self.pools.chunks)
                .await?;
        let places = objects.write(&name, &compressed).await?;
        self.insert_batch(missing, Placement::Object(object_id, &places), now, ids).await
    }

    async fn insert_batch(
        &self,
        batch: &[NewChunk<'_>],
        placement: Placement<'_>,
        now: Timestamp,
        ids: &mut HashMap<[u8; 32], ChunkId>,
    ) -> Result<(), Error> {
        let hashes: Vec<&[u8]> = batch.iter().map(|chunk| chunk.hash.as_slice()).collect();
        let sizes: Vec<i32> = batch.iter().map(|chunk| to_i32(chunk.bytes.len())).collect();
        let (data, object_id, places) = match placement {
            Placement::Rows(data) => {
                (data.iter().map(|data| Some(data.as_slice())).collect(), None, [].as_slice())
            }
            Placement::Object(id, places) => (vec![None; batch.len()], Some(id), places),
        };
        let offsets: Vec<Option<i64>> = (0..batch.len()).map(|i| Some(places.get(i)?.offset)).collect();
        let lengths: Vec<Option<i32>> = (0..batch.len()).map(|i| Some(places.get(i)?.length)).collect();
        // One that another message brought meanwhile is left as it is, condemned or not: `hold_chunks` pardons it when
        // this message is accepted. Were it pardoned here and the message not accepted, nobody would find it again.
        let rows: Vec<(Vec<u8>, ChunkId)> = sqlx::query_as(
            "insert into chunks (hash, size, data, object_id, object_offset, object_length, created_at)
             select hash, size, data, $4, object_offset, object_length, $7
               from unnest($1::bytea[], $2::integer[], $3::bytea[], $5::bigint[], $6::integer[])
                    as chunk (hash, size, data, object_offset, object_length)
              order by hash
             on conflict on constraint chunks_hash_key do update set condemned_at = chunks.condemned_at
             returning hash, chunk_id",
        )
        .bind(hashes)
        .bind(sizes)
        .bind::<Vec<Option<&[u8]>>>(data)
        .bind(object_id)
        .bind(offsets)
        .bind(lengths)
        .bind(now.to_sqlx())
        .fetch_all(&self.pools.chunks)
        .await?;
        ids.extend(rows.into_iter().filter_map(|(hash, id)| Some((hash.try_into().ok()?, id))));
        Ok(())
    }

    /// Compressed bytes of all chunks, and plain facts of all contents: what mail costs on disk, indexes apart.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stored_bytes(&self) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(
            "select coalesce((select sum(coalesce(length(data), object_length)) from chunks), 0)::bigint
                  + coalesce((select sum(length(envelope) + length(structure)) from contents), 0)::bigint",
        )
        .fetch_one(&self.pools.main)
        .await?)
    }

    /// The plain bytes of the chunks that exist, in no order.
    ///
    /// # Errors
    /// When the database fails or a chunk does not decompress to its size.
    pub async fn read_chunks(&self, ids: &[ChunkId]) -> Result<Vec<(ChunkId, Vec<u8>)>, Error> {
        // Row by row, and decompressed from where the connection read it: the next is on its way meanwhile.
        let mut rows = sqlx::query(
            "select c.chunk_id, c.size, c.data, o.name, c.object_offset, c.object_length
               from chunks c left join objects o using (object_id)
              where c.chunk_id = any ($1)",
        )
        .bind(ids)
        .fetch(&self.pools.main);
        let mut chunks = Vec::with_capacity(ids.len());
        while let Some(row) = rows.try_next().await? {
            let (id, size): (ChunkId, i32) = (row.try_get(0)?, row.try_get(1)?);
            let plain = match row.try_get::<Option<&[u8]>, _>(2)? {
                Some(data) => decompress(data, size)?,
                None => decompress(&self.read_from_object(&row).await?, size)?,
            };
            chunks.push((id, plain));
        }
        Ok(chunks)
    }

    async fn read_from_object(&self, row: &PgRow) -> Result<Vec<u8>, Error> {
        let (name, offset, length): (Option<String>, Option<i64>, Option<i32>) =
            (row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
        match (name, offset, length, &self.objects) {
            (Some(name), Some(offset), Some(length), Some(objects)) => {
                objects.read(&name, offset, length).await
            }
            _ => Err(Error::Damaged("a chunk lies in content storage that is not configured")),
        }
    }
}

/// Where the compressed bytes of a batch are.
#[derive(Clone, Copy)]
enum Placement<'a> {
    Rows(&'a [Vec<u8>]),
    Object(i64, &'a [Placed]),
}

/// Small pieces right here; more on a thread that may take its time.
pub(crate) async fn compress_all(chunks: &[NewChunk<'_>]) -> Result<Vec<Vec<u8>>, Error> {
    if chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>() <= INLINE_BYTES_MAX {
        return chunks.iter().map(|chunk| compress(chunk.bytes)).collect();
    }
    let plain: Vec<Vec<u8>> = chunks.iter().map(|chunk| chunk.bytes.to_vec()).collect();
    tokio::task::spawn_blocking(move || plain.iter().map(|bytes| compress(bytes)).collect())
        .await
        .map_err(|_| Error::Damaged("compression was interrupted"))?
}

thread_local! {
    /// Making these costs as much as compressing a small message; each thread keeps its own.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

fn compress(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    with_compressor(|compressor| compressor.compress(bytes))
}

/// Compresses to the beginning of `room`; returns how many octets that are.
pub(crate) fn compress_into(bytes: &[u8], room: &mut [u8]) -> Result<usize, Error> {
    with_compressor(|compressor| compressor.compress_to_buffer(bytes, room))
}

fn with_compressor<T>(work: impl FnOnce(&mut Compressor<'static>) -> std::io::Result<T>) -> Result<T, Error> {
    COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some(compressor) => compressor,
            None => kept.insert(Compressor::new(ZSTD_LEVEL).map_err(Error::Content)?),
        };
        work(compressor).map_err(Error::Content)
    })
}

fn decompress(data: &[u8], size: i32) -> Result<Vec<u8>, Error> {
    let size = usize::try_from(size).unwrap_or(0).min(CHUNK_BYTES_MAX);
    let plain = DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            None => kept.insert(Decompressor::new()?),
        };
        decompressor.decompress(data, size)
    });
    match plain {
        Ok(plain) if plain.len() == size => Ok(plain),
        _ => Err(Error::Damaged("a chunk does not decompress to its size")),
    }
}

pub(crate) fn to_i32(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}
