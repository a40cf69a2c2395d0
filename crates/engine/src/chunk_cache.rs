//! The chunks this node read last, plain, within a fixed number of bytes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use store::ChunkId;

/// Bytes of plain chunks kept: thirty thousand small mails, or the attachments that an office reads in the same hour. Reading
/// one again costs a sixth of what bringing it from Postgres and decompressing it does.
const BYTES_MAX: usize = 128 << 20;
/// What a chunk takes besides its octets: keys, pointers, counters and spare places of both tables. Of mails of some hundred
/// octets it is half of all.
const ENTRY_BYTES: usize = 200;

#[derive(Debug, Default)]
pub(crate) struct ChunkCache(Mutex<Slots>);

#[derive(Debug, Default)]
struct Slots {
    by_id: HashMap<ChunkId, (Arc<Vec<u8>>, u64)>,
    /// Chunk by time of last use, oldest first.
    by_use: BTreeMap<u64, ChunkId>,
    bytes: usize,
    tick: u64,
}

impl ChunkCache {
    pub(crate) fn find(&self, id: ChunkId) -> Option<Arc<Vec<u8>>> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.tick += 1;
        let tick = slots.tick;
        let (chunk, used) = slots.by_id.get_mut(&id)?;
        let chunk = chunk.clone();
        let before = std::mem::replace(used, tick);
        slots.by_use.remove(&before);
        slots.by_use.insert(tick, id);
        Some(chunk)
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Slots::default();
    }

    pub(crate) fn insert(&self, id: ChunkId, chunk: Arc<Vec<u8>>) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.tick += 1;
        let tick = slots.tick;
        slots.bytes += chunk.len() + ENTRY_BYTES;
        slots.by_use.insert(tick, id);
        if let Some((before, used)) = slots.by_id.insert(id, (chunk, tick)) {
            slots.bytes -= before.len() + ENTRY_BYTES;
            slots.by_use.remove(&used);
        }
        while slots.bytes > BYTES_MAX
            && let Some((_, oldest)) = slots.by_use.pop_first()
        {
            if let Some((chunk, _)) = slots.by_id.remove(&oldest) {
                slots.bytes -= chunk.len() + ENTRY_BYTES;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_used_last_within_its_bytes() {
        let cache = ChunkCache::default();
        let last = i64::try_from((BYTES_MAX >> 20) - 1).unwrap();
        let chunk = |byte| Arc::new(vec![byte; 1 << 20]);
        for id in 0..last {
            cache.insert(id, chunk(1));
        }
        assert!(cache.find(0).is_some(), "used again, so no longer the oldest");
        cache.insert(last, chunk(2));
        assert!(cache.find(0).is_some() && cache.find(1).is_none() && cache.find(last).is_some());
        cache.insert(last, chunk(3));
        assert_eq!(cache.find(last).unwrap().first(), Some(&3));
        assert!(cache.0.lock().unwrap().bytes <= BYTES_MAX);
    }

    #[test]
    fn small_chunks_weigh_more_than_their_octets() {
        let cache = ChunkCache::default();
        for id in 0..1_000_000 {
            cache.insert(id, Arc::new(vec![1; 20]));
        }
        let slots = cache.0.lock().unwrap();
        assert_eq!(slots.by_id.len(), BYTES_MAX / (20 + ENTRY_BYTES));
        assert_eq!(slots.by_use.len(), slots.by_id.len());
    }
}
