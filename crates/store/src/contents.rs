//! Contents: the bytes and facts of one message, shared by every entry that shows it; never changed.

use crate::chunks::{ChunkId, to_i32};
use crate::{Error, Store};
use model::ContentId;
use std::collections::HashMap;

/// Facts of a message that is being accepted, as the schema keeps them.
#[derive(Clone, Debug)]
pub struct NewContent {
    /// Octets, trace headers included (RFC822.SIZE).
    pub size: u64,
    pub chunk_ids: Vec<ChunkId>,
    /// BLAKE3 of each chunk: numbers alone may come to mean others' chunks after a crash of the database.
    pub chunk_hashes: Vec<[u8; 32]>,
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

    pub(crate) fn chunk_hashes_bytea(&self) -> Vec<&[u8]> {
        self.chunk_hashes.iter().map(<[u8; 32]>::as_slice).collect()
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

type ContentRow =
    (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, Option<String>, Option<Vec<i64>>, Option<Vec<i32>>);

type OrdinaryRow =
    (i64, bool, Option<Vec<u8>>, Option<Vec<u8>>, Option<String>, Option<Vec<i64>>, Option<Vec<i32>>);

impl Content {
    /// What the columns weigh, as the statement below weighs them.
    fn octets(&self) -> usize {
        let length = |column: &Option<Vec<u8>>| column.as_ref().map_or(0, Vec::len);
        let chunks = self.chunks.as_ref().map_or(0, |(ids, _)| ids.len() * CHUNK_OCTETS);
        length(&self.envelope)
            + length(&self.structure)
            + self.preview.as_ref().map_or(0, String::len)
            + chunks
    }
}

/// Octets of one chunk's number and size.
const CHUNK_OCTETS: usize = 12;

impl Store {
    /// The contents of `ids`, in that order, `None` for one that is gone; as many of them, at least one, as come before
    /// their columns have `octets_max` octets together.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contents(
        &self,
        ids: &[ContentId],
        columns: ContentColumns,
        octets_max: usize,
    ) -> Result<Vec<Option<Content>>, Error> {
        match self.ordinary_contents(ids, columns, octets_max).await? {
            Some(found) => Ok(found),
            None => self.weighed_contents(ids, columns, octets_max).await,
        }
    }

    /// All of the contents, if each has no more octets than its share: one walk through the index, a quarter of what
    /// summing up in the order of `ids` costs. `None` if one has more.
    async fn ordinary_contents(
        &self,
        ids: &[ContentId],
        columns: ContentColumns,
        octets_max: usize,
    ) -> Result<Option<Vec<Option<Content>>>, Error> {
        let numbers: Vec<i64> = ids.iter().map(|id| id.0).collect();
        // Lengths are known without reading the columns; a large column never is.
        let rows: Vec<OrdinaryRow> = sqlx::query_as(
            "select content_id, octets > $7,
                    case when $2 and octets <= $7 then envelope end,
                    case when $3 and octets <= $7 then structure end,
                    case when $4 and octets <= $7 then preview end,
                    case when $5 and octets <= $7 then chunk_ids end,
                    case when $5 and octets <= $7 then chunk_sizes end
               from (select *, case when $2 then length(envelope) else 0 end
                               + case when $3 then length(structure) else 0 end
                               + case when $4 then octet_length(preview) else 0 end
                               + case when $5 then cardinality(chunk_ids) * $6 else 0 end as octets
                       from contents where content_id = any ($1)
                    ) as weighed",
        )
        .bind(numbers)
        .bind(columns.envelope)
        .bind(columns.structure)
        .bind(columns.preview)
        .bind(columns.chunks)
        .bind(to_i32(CHUNK_OCTETS))
        .bind(to_i32(octets_max / ids.len().max(1)))
        .fetch_all(&self.pools.main)
        .await?;
        let mut by_id: HashMap<i64, Content> = HashMap::with_capacity(rows.len());
        for (id, large, envelope, structure, preview, chunk_ids, chunk_sizes) in rows {
            if large {
                return Ok(None);
            }
            let (content_id, chunks) = (ContentId(id), chunk_ids.zip(chunk_sizes));
            by_id.insert(id, Content { content_id, envelope, structure, preview, chunks });
        }
        // A folder may show the same content twice.
        let mut left: HashMap<i64, usize> = HashMap::new();
        if by_id.len() < ids.len() {
            for id in ids {
                *left.entry(id.0).or_default() += 1;
            }
        }
        let mut take = |id: &ContentId| match left.get_mut(&id.0) {
            Some(times) if *times > 1 => {
                *times -= 1;
                by_id.get(&id.0).cloned()
            }
            _ => by_id.remove(&id.0),
        };
        Ok(Some(ids.iter().map(&mut take).collect()))
    }

    /// As [`Store::contents`], whatever they weigh.
    async fn weighed_contents(
        &self,
        ids: &[ContentId],
        columns: ContentColumns,
        octets_max: usize,
    ) -> Result<Vec<Option<Content>>, Error> {
        let numbers: Vec<i64> = ids.iter().map(|id| id.0).collect();
        // Lengths are known without reading the columns; those of the rows left out never are.
        let rows: Vec<ContentRow> = sqlx::query_as(
            "select nth, content_id, envelope, structure, preview, chunk_ids, chunk_sizes
               from (select *, sum(octets) over (order by nth rows unbounded preceding) - octets as before
                       from (select w.nth, c.content_id,
                                    case when $2 then c.envelope end as envelope,
                                    case when $3 then c.structure end as structure,
                                    case when $4 then c.preview end as preview,
                                    case when $5 then c.chunk_ids end as chunk_ids,
                                    case when $5 then c.chunk_sizes end as chunk_sizes,
                                    case when $2 then length(c.envelope) else 0 end
                                    + case when $3 then length(c.structure) else 0 end
                                    + case when $4 then octet_length(c.preview) else 0 end
                                    + case when $5 then cardinality(c.chunk_ids) * $6 else 0 end as octets
                               from unnest($1) with ordinality as w (content_id, nth) join contents c using (content_id)
                            ) as weighed
                    ) as summed
              where before < $7",
        )
        .bind(numbers)
        .bind(columns.envelope)
        .bind(columns.structure)
        .bind(columns.preview)
        .bind(columns.chunks)
        .bind(to_i32(CHUNK_OCTETS))
        .bind(i64::try_from(octets_max).unwrap_or(i64::MAX))
        .fetch_all(&self.pools.main)
        .await?;
        let mut found: Vec<Option<Content>> = vec![None; ids.len()];
        for (nth, id, envelope, structure, preview, chunk_ids, chunk_sizes) in rows {
            let content = Content {
                content_id: ContentId(id),
                envelope,
                structure,
                preview,
                chunks: chunk_ids.zip(chunk_sizes),
            };
            if let Some(slot) = usize::try_from(nth - 1).ok().and_then(|at| found.get_mut(at)) {
                *slot = Some(content);
            }
        }
        // What was left out and what is gone look alike: so the end is found as the statement found it.
        let mut octets = 0;
        let within = found.iter().take_while(|content| {
            let before = octets;
            octets += content.as_ref().map_or(0, Content::octets);
            before < octets_max
        });
        let count = within.count();
        found.truncate(count.max(1));
        Ok(found)
    }
}
