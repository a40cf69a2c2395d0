//! The chunks this node read last, plain, within a fixed number of bytes.

use crate::recent::Recent;
use std::sync::Arc;
use store::ChunkId;

/// Bytes of plain chunks kept: thirty thousand small mails, or the attachments that an office reads in the same hour. Reading
/// one again costs a sixth of what bringing it from Postgres and decompressing it does.
const BYTES_MAX: usize = 128 << 20;
/// What a chunk takes besides its octets: keys, pointers, counters and spare places of both tables. Of mails of some hundred
/// octets it is half of all.
const ENTRY_BYTES: usize = 200;

#[derive(Debug, Default)]
pub(crate) struct ChunkCache(Recent<ChunkId, Arc<Vec<u8>>, BYTES_MAX>);

impl ChunkCache {
    pub(crate) fn find(&self, id: ChunkId) -> Option<Arc<Vec<u8>>> {
        self.0.find(id)
    }

    pub(crate) fn clear(&self) {
        self.0.clear();
    }

    pub(crate) fn insert(&self, id: ChunkId, chunk: Arc<Vec<u8>>) {
        let bytes = chunk.len() + ENTRY_BYTES;
        self.0.insert(id, chunk, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_chunks_weigh_more_than_their_octets() {
        let cache = ChunkCache::default();
        let chunk = Arc::new(vec![1; 20]);
        let most = i64::try_from(BYTES_MAX / (20 + ENTRY_BYTES)).unwrap();
        (0..=most).for_each(|id| cache.insert(id, chunk.clone()));
        assert!(cache.find(0).is_none() && cache.find(1).is_some() && cache.find(most).is_some());
    }
}
