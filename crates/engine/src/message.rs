//! Reading messages: their facts in batches, their octets piece by piece.

use crate::acts::Act;
use crate::chunk_cache::ChunkCache;
use crate::{Engine, Error, FolderView, Principal};
use model::{ContentId, Uid};
use proto::mime::{Envelope, Structure};
use std::ops::{Deref, Range};
use std::sync::Arc;
use store::{ChunkId, Content, ContentColumns, Store};

/// Stored octets of facts that one call reads: a thousand ordinary messages. Those of a hostile one may have 4 MB, and
/// several times that in memory.
pub(crate) const FACTS_OCTETS_MAX: usize = 2 << 20;

/// What is wanted of messages; the rest is not even read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    pub envelope: bool,
    pub structure: bool,
    pub preview: bool,
    pub body: bool,
}

/// A message, as far as it was wanted.
#[derive(Clone, Debug)]
pub struct Message {
    pub envelope: Option<Envelope>,
    pub structure: Option<Structure>,
    pub preview: Option<String>,
    pub body: Option<Body>,
}

/// The octets of a message, read when asked for.
#[derive(Clone, Debug)]
pub struct Body {
    store: Store,
    cache: Arc<ChunkCache>,
    /// Who reads it in another's mailbox: may he still?
    lent: Option<Arc<(Engine, Principal)>>,
    chunks: Arc<[Slice]>,
    size: u64,
}

/// A chunk and where it begins in the message.
#[derive(Clone, Copy, Debug)]
struct Slice {
    id: ChunkId,
    start: u64,
    end: u64,
}

/// Octets of a message as they lie in a chunk in memory, which others may be reading too.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    chunk: Arc<Vec<u8>>,
    place: Range<usize>,
}

impl Piece {
    /// Octets that are in no chunk.
    pub(crate) fn new(octets: Vec<u8>) -> Self {
        let place = 0..octets.len();
        Self { chunk: Arc::new(octets), place }
    }

    /// Without so many at its beginning.
    pub(crate) fn skipping(&self, offset: usize) -> Self {
        let start = self.place.start.saturating_add(offset).min(self.place.end);
        Self { chunk: Arc::clone(&self.chunk), place: start..self.place.end }
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.chunk.get(self.place.clone()).unwrap_or_default()
    }
}

impl Engine {
    /// The messages of `uids`, in that order; `None` where one has been expunged and swept meanwhile. There may be fewer,
    /// but never none, when their facts are large: ask for the rest with another call.
    ///
    /// # Errors
    /// `Revoked` when another's mailbox is no longer lent; when the database fails. `view` must be one that [`Engine::view`]
    /// gave to `who`.
    pub async fn messages(
        &self,
        who: &Principal,
        view: &FolderView,
        uids: &[Uid],
        wanted: Wanted,
    ) -> Result<Vec<Option<Message>>, Error> {
        self.check_view(who, view).await?;
        // No content has the number 0.
        let contents: Vec<ContentId> =
            uids.iter().map(|uid| view.find(*uid).map_or(ContentId(0), |entry| entry.content)).collect();
        let columns = ContentColumns {
            envelope: wanted.envelope,
            structure: wanted.structure,
            preview: wanted.preview,
            chunks: wanted.body,
        };
        if contents.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.0.store.contents(&contents, columns, FACTS_OCTETS_MAX).await?;
        if wanted.body {
            self.acted(who, Act::Read, &view.folder().name, uids.get(..found.len()).unwrap_or(uids)).await;
        }
        let lent = who.delegated().map(|_| Arc::new((self.clone(), who.clone())));
        Ok(found.into_iter().map(|row| Some(self.message(&row?, lent.as_ref()))).collect())
    }

    pub(crate) fn message(&self, row: &Content, lent: Option<&Arc<(Self, Principal)>>) -> Message {
        Message {
            envelope: row.envelope.as_deref().and_then(Envelope::from_bytes),
            structure: row.structure.as_deref().and_then(Structure::from_bytes),
            preview: row.preview.clone(),
            body: row
                .chunks
                .as_ref()
                .map(|(ids, sizes)| Body { lent: lent.cloned(), ..self.body(ids, sizes) }),
        }
    }

    pub(crate) fn body(&self, ids: &[ChunkId], sizes: &[i32]) -> Body {
        let mut start = 0;
        let slices = ids.iter().zip(sizes).map(|(id, size)| {
            let end = start + u64::try_from(*size).unwrap_or(0);
            let slice = Slice { id: *id, start, end };
            start = end;
            slice
        });
        let chunks: Arc<[Slice]> = slices.collect();
        let size = chunks.last().map_or(0, |last| last.end);
        Body { store: self.0.store.clone(), cache: self.0.chunks.clone(), lent: None, chunks, size }
    }

    /// Loads what the ranges need in one query, for the pieces that are read next.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prefetch(&self, wanted: &[(&Body, Range<u64>)]) -> Result<(), Error> {
        let mut missing: Vec<ChunkId> = wanted
            .iter()
            .flat_map(|(body, range)| body.slices(range))
            .filter(|slice| self.0.chunks.find(slice.id).is_none())
            .map(|slice| slice.id)
            .collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(());
        }
        for (id, bytes) in self.0.store.read_chunks(&missing).await? {
            self.0.chunks.insert(id, Arc::new(bytes));
        }
        Ok(())
    }
}

impl Body {
    /// Octets of the message.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Octets that come into memory when this range is read: it lies in chunks, and these come whole.
    #[must_use]
    pub fn brought(&self, range: &Range<u64>) -> u64 {
        self.slices(range).iter().map(|slice| slice.end - slice.start).sum()
    }

    fn slices(&self, range: &Range<u64>) -> &[Slice] {
        let first = self.chunks.partition_point(|slice| slice.end <= range.start);
        let end = self.chunks.partition_point(|slice| slice.start < range.end);
        self.chunks.get(first..end.max(first)).unwrap_or_default()
    }

    /// Octets from `offset` on and before `end`, as many as lie in one chunk; none at the end.
    ///
    /// # Errors
    /// `NotFound` when the message was swept, `Revoked` when another's mailbox is no longer lent, `Unavailable` when the
    /// database fails.
    pub async fn piece(&self, offset: u64, end: u64) -> Result<Piece, Error> {
        let end = end.min(self.size);
        if offset >= end {
            return Ok(Piece::default());
        }
        if let Some((engine, who)) = self.lent.as_deref() {
            engine.check_lent(who).await?;
        }
        let Some(slice) = self.slices(&(offset..end)).first().copied() else { return Ok(Piece::default()) };
        let chunk = self.chunk(slice.id).await?;
        let from = usize::try_from(offset - slice.start).unwrap_or(usize::MAX);
        let to = usize::try_from(end.min(slice.end) - slice.start).unwrap_or(usize::MAX);
        if to > chunk.len() || from > to {
            return Err(Error::Unavailable);
        }
        Ok(Piece { chunk, place: from..to })
    }

    /// The whole range in memory; for ranges known to be small.
    ///
    /// # Errors
    /// As [`Body::piece`].
    pub async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Error> {
        let end = range.end.min(self.size);
        let mut bytes = Vec::with_capacity(usize::try_from(end.saturating_sub(range.start)).unwrap_or(0));
        let mut offset = range.start;
        while offset < end {
            let piece = self.piece(offset, end).await?;
            if piece.is_empty() {
                break;
            }
            offset += piece.len() as u64;
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    async fn chunk(&self, id: ChunkId) -> Result<Arc<Vec<u8>>, Error> {
        if let Some(chunk) = self.cache.find(id) {
            return Ok(chunk);
        }
        let mut read = self.store.read_chunks(&[id]).await?;
        let (_, bytes) = read.pop().ok_or(Error::NotFound)?;
        let chunk = Arc::new(bytes);
        self.cache.insert(id, chunk.clone());
        Ok(chunk)
    }
}
