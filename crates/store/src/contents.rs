//! Contents: the bytes and facts of one message, shared by every entry that shows it; never changed.

use crate::chunks::ChunkId;
use crate::{Error, Store};
use model::ContentId;

/// Facts of a message that is being accepted, as the schema keeps them.
#[derive(Clone, Debug)]
pub struct NewContent {
    /// Octets, trace headers included (RFC822.SIZE).
    pub size: u64,
    pub chunk_ids: Vec<ChunkId>,
    /// Plain octets of each chunk; they add up to `size`.
    pub chunk_sizes: Vec<u32>,
    pub envelope: Vec<u8>,
    pub structure: Vec<u8>,
    pub preview: String,
    pub thread_id: i64,
}

impl NewContent {
    pub(crate) fn size_i64(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX)
    }

    pub(crate) fn chunk_sizes_i32(&self) -> Vec<i32> {
        self.chunk_sizes.iter().map(|size| i32::try_from(*size).unwrap_or(i32::MAX)).collect()
    }
}

/// Which columns of a content are wanted; the rest come back empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContentColumns {
    pub envelope: bool,
    pub structure: bool,
    pub preview: bool,
    pub chunks: bool,
}

/// A content as stored, with the columns that were asked for.
#[derive(Clone, Debug)]
pub struct Content {
    pub content_id: ContentId,
    pub envelope: Option<Vec<u8>>,
    pub structure: Option<Vec<u8>>,
    pub preview: Option<String>,
    pub chunks: Option<(Vec<ChunkId>, Vec<i32>)>,
}

type ContentRow = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Option<String>, Option<Vec<i64>>, Option<Vec<i32>>);

impl Store {
    /// The contents that exist, in no order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contents(&self, ids: &[ContentId], columns: ContentColumns) -> Result<Vec<Content>, Error> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let rows: Vec<ContentRow> = sqlx::query_as(
            "select content_id,
                    case when $2 then envelope end,
                    case when $3 then structure end,
                    case when $4 then preview end,
                    case when $5 then chunk_ids end,
                    case when $5 then chunk_sizes end
               from contents
              where content_id = any ($1)",
        )
        .bind(ids)
        .bind(columns.envelope)
        .bind(columns.structure)
        .bind(columns.preview)
        .bind(columns.chunks)
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(id, envelope, structure, preview, chunk_ids, chunk_sizes)| Content {
                content_id: ContentId(id),
                envelope,
                structure,
                preview,
                chunks: chunk_ids.zip(chunk_sizes),
            })
            .collect())
    }
}
