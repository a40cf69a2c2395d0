//! From arrived octets to a content that can be accepted: facts, cuts, hashes, chunks.
//!
//! Cuts are content-defined (FastCDC) and forced where the body of a larger part begins and ends, so that an attachment
//! is the same chunks in whatever message it comes. Memory is bounded: a message's octets are only loaded under a
//! permit of its size.

use crate::listed_senders::Writer;
use crate::{Engine, Error, Spool, trace};
use fastcdc::v2020::FastCDC;
use model::Sorting;
use proto::mime::{self, Facts};
use std::sync::Arc;
use store::{NewChunk, NewContent};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Sizes of chunks in bytes: small enough to share, large enough to be few.
const CHUNK_BYTES_MIN: usize = 16 * 1024;
const CHUNK_BYTES_AVERAGE: usize = 64 * 1024;
const CHUNK_BYTES_MAX: usize = store::CHUNK_BYTES_MAX;
/// Octets of messages in memory at once, whoever sends them: 64 deliveries of 50 MB take turns.
const MEMORY_BYTES_MAX: usize = 256 << 20;
/// Permits are counted in this unit.
const PERMIT_BYTES: usize = 4096;
/// Below this size a message is looked at right here; above, on a thread that may block.
const INLINE_BYTES_MAX: usize = 128 * 1024;

/// Room for the octets of one message, or of several that come together.
pub(crate) type Permit = Arc<OwnedSemaphorePermit>;

#[derive(Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

impl Budget {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MEMORY_BYTES_MAX / PERMIT_BYTES)))
    }

    /// Octets taken, and how many there are.
    pub(crate) fn usage(&self) -> (u64, u64) {
        let free = self.0.available_permits() * PERMIT_BYTES;
        ((MEMORY_BYTES_MAX.saturating_sub(free)) as u64, MEMORY_BYTES_MAX as u64)
    }

    /// As [`Budget::permit`], of room that is there now.
    pub(crate) fn try_permit(&self, bytes: u64) -> Option<Permit> {
        let permits = permits_of(bytes);
        self.0.clone().try_acquire_many_owned(permits).ok().map(Arc::new)
    }

    /// Waits until there is room for this many octets; more than there ever is count as all of it.
    pub(crate) async fn permit(&self, bytes: u64) -> Result<Permit, Error> {
        self.0
            .clone()
            .acquire_many_owned(permits_of(bytes))
            .await
            .map(Arc::new)
            .map_err(|_| Error::Unavailable)
    }
}

fn permits_of(bytes: u64) -> u32 {
    let permits = usize::try_from(bytes).unwrap_or(usize::MAX).div_ceil(PERMIT_BYTES);
    u32::try_from(permits.clamp(1, MEMORY_BYTES_MAX / PERMIT_BYTES)).unwrap_or(u32::MAX)
}

/// A message in memory with all that is known of it.
#[derive(Debug)]
pub(crate) struct Prepared {
    raw: Vec<u8>,
    pub(crate) facts: Facts,
    /// BLAKE3 and length of each chunk, in order.
    chunks: Vec<([u8; 32], usize)>,
    permit: Permit,
    /// Where it comes to lie, by all that was found of it.
    pub(crate) sorting: Sorting,
    /// Whom it is from, where a stranger brought it and that is asked for.
    pub(crate) writer: Option<Writer>,
}

impl Prepared {
    /// The header from this octet on, with some of what is behind it.
    pub(crate) fn header_from(&self, offset: usize) -> &[u8] {
        self.raw.get(offset..).unwrap_or_default()
    }

    /// Its header from this octet on, without what is behind it.
    pub(crate) fn header_alone(&self, offset: usize) -> &[u8] {
        let end = usize::try_from(self.facts.header_bytes).unwrap_or(usize::MAX).min(self.raw.len());
        self.raw.get(offset..end).unwrap_or_default()
    }

    /// Are there octets above 127 in it (RFC 6152)?
    pub(crate) fn is_eight_bit(&self) -> bool {
        !self.raw.is_ascii()
    }

    pub(crate) fn len(&self) -> usize {
        self.raw.len()
    }

    /// The room that it has. What is made of it while it is in memory takes its room from this: whoever holds a permit and
    /// waits for another one may wait for ever.
    pub(crate) fn permit(&self) -> Permit {
        Arc::clone(&self.permit)
    }

    /// The octets of each chunk, in order.
    pub(crate) fn pieces(&self) -> Result<Vec<NewChunk<'_>>, store::Error> {
        let mut rest = self.raw.as_slice();
        let mut piece = |(hash, length): &([u8; 32], usize)| {
            let (bytes, after) = rest.split_at_checked(*length)?;
            rest = after;
            Some(NewChunk { hash: *hash, bytes })
        };
        let pieces: Option<Vec<NewChunk<'_>>> = self.chunks.iter().map(&mut piece).collect();
        pieces.ok_or(store::Error::Damaged("a cut is off"))
    }
}

impl Engine {
    /// Somewhere to put a message's octets as they arrive.
    #[must_use]
    pub fn new_spool(&self) -> Spool {
        Spool::new(self.0.settings.spool_dir.clone(), self.0.spool_room.clone())
    }

    pub(crate) async fn prepare(&self, spool: Spool, prefix: Vec<u8>) -> Result<Prepared, Error> {
        let permit = self.0.intake.permit(spool.len() + prefix.len() as u64).await?;
        self.prepare_under(permit, spool, prefix).await
    }

    /// As [`Engine::prepare_under`], without results of checks that claim to be ours.
    pub(crate) async fn prepare_cleansed(
        &self,
        permit: Permit,
        spool: Spool,
        prefix: Vec<u8>,
    ) -> Result<Prepared, Error> {
        let from = prefix.len();
        let mut raw = read_back(spool, prefix).await?;
        trace::remove_forged(&mut raw, from, self.hostname());
        self.look_at(raw, permit).await
    }

    pub(crate) async fn prepare_under(
        &self,
        permit: Permit,
        spool: Spool,
        prefix: Vec<u8>,
    ) -> Result<Prepared, Error> {
        let raw = read_back(spool, prefix).await?;
        self.look_at(raw, permit).await
    }

    /// A message that was looked at before, with another header.
    pub(crate) async fn prepare_changed(&self, raw: Vec<u8>, permit: Permit) -> Result<Prepared, Error> {
        self.look_at(raw, permit).await
    }

    async fn look_at(&self, raw: Vec<u8>, permit: Permit) -> Result<Prepared, Error> {
        if raw.len() <= INLINE_BYTES_MAX {
            return Ok(look_at(raw, permit));
        }
        tokio::task::spawn_blocking(move || look_at(raw, permit)).await.map_err(|_| Error::Unavailable)
    }

    /// Stores the chunks that are not stored yet.
    pub(crate) async fn write_content(&self, message: &Prepared) -> Result<NewContent, store::Error> {
        let mut content = self.content(message);
        content.chunk_ids = self.0.store.write_chunks(&message.pieces()?, self.now()).await?;
        Ok(content)
    }

    /// The message as it is stored, but for the numbers of its chunks.
    pub(crate) fn content(&self, message: &Prepared) -> NewContent {
        let lengths = message.chunks.iter();
        NewContent {
            size: message.raw.len() as u64,
            chunk_ids: Vec::new(),
            chunk_hashes: message.chunks.iter().map(|(hash, _)| *hash).collect(),
            chunk_sizes: lengths.map(|(_, length)| u32::try_from(*length).unwrap_or(u32::MAX)).collect(),
            envelope: message.facts.envelope.to_bytes(),
            structure: message.facts.structure.to_bytes(),
            // Postgres text holds no NUL.
            preview: message.facts.preview.replace('\0', ""),
            thread_id: self.thread_id(&message.facts),
        }
    }

    /// The conversation's number, the same for whoever sees a message of it; a message without ids is alone.
    fn thread_id(&self, facts: &Facts) -> i64 {
        let mut bytes = [0; 8];
        match &facts.thread_key {
            Some(key) => bytes.copy_from_slice(
                blake3::hash(key.as_bytes()).as_bytes().first_chunk::<8>().unwrap_or(&[0; 8]),
            ),
            None => self.0.rng.fill(&mut bytes),
        }
        i64::from_be_bytes(bytes) & i64::MAX
    }
}

async fn read_back(spool: Spool, prefix: Vec<u8>) -> Result<Vec<u8>, Error> {
    spool.into_bytes(prefix).await.map_err(|error| {
        tracing::error!(%error, "a spooled message could not be read back");
        Error::Unavailable
    })
}

fn look_at(raw: Vec<u8>, permit: Permit) -> Prepared {
    let facts = mime::facts(&raw);
    let mut chunks = Vec::new();
    let mut start = 0;
    for end in forced_cuts(&facts, raw.len()) {
        let piece = raw.get(start..end).unwrap_or_default();
        for chunk in FastCDC::new(piece, CHUNK_BYTES_MIN, CHUNK_BYTES_AVERAGE, CHUNK_BYTES_MAX) {
            let bytes = piece.get(chunk.offset..chunk.offset + chunk.length).unwrap_or_default();
            chunks.push((*blake3::hash(bytes).as_bytes(), bytes.len()));
        }
        start = end;
    }
    Prepared { raw, facts, chunks, permit, sorting: Sorting::Inbox, writer: None }
}

/// Begin and end of every larger leaf's body, then the message's end; ascending, each once.
fn forced_cuts(facts: &Facts, length: usize) -> Vec<usize> {
    let larger = facts.structure.parts().filter(|part| part.children.is_empty());
    let larger = larger.filter(|part| part.octets() >= CHUNK_BYTES_MIN as u64);
    let mut cuts: Vec<usize> = larger
        .flat_map(|part| [part.body_start, part.body_end])
        .filter_map(|cut| usize::try_from(cut).ok())
        .filter(|cut| (1..length).contains(cut))
        .collect();
    cuts.push(length);
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}
