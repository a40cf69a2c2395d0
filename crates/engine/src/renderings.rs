//! What doors have written of contents, kept by the node: a list that is asked for again is neither read from the database
//! nor decoded nor written anew.
//!
//! Invariants: a content never changes, so what was written of it holds as long as the database is the same; all of it
//! stays within a fixed number of bytes; what a door keeps under a form, it alone reads. Whoever asks has the content's
//! number from a view, which is given to its owner only.

use model::ContentId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes kept, in two generations: envelopes and structures of some 80,000 ordinary messages.
const BYTES_MAX: usize = 64 << 20;
/// What is larger is not kept: a few hostile messages must not displace what everybody reads.
const EACH_BYTES_MAX: usize = 32 << 10;
/// Of one entry beside its octets: key, pointer and length, counters, and the table's spare places.
const ENTRY_BYTES: usize = 96;

/// What a door has written of a content, by a number that the door gives to each form.
type Key = (ContentId, u8);

/// Octets that doors wrote of contents.
#[derive(Debug, Default)]
pub struct Renderings(Mutex<Generations>);

/// What was used lately, and what was used before that: when the young ones are half of all, the old ones go and the
/// young ones are the old. So neither a look nor an eviction has to keep an order.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Arc<[u8]>>,
    old: HashMap<Key, Arc<[u8]>>,
    young_bytes: usize,
}

impl Renderings {
    /// What was kept of `content` in `form`.
    #[must_use]
    pub fn find(&self, content: ContentId, form: u8) -> Option<Arc<[u8]>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(octets) = kept.young.get(&(content, form)) {
            return Some(octets.clone());
        }
        let octets = kept.old.remove(&(content, form))?;
        kept.insert((content, form), octets.clone());
        Some(octets)
    }

    /// Keeps what was written of `content` in `form`.
    pub fn keep(&self, content: ContentId, form: u8, octets: &[u8]) {
        if octets.len() > EACH_BYTES_MAX {
            return;
        }
        let octets = Arc::from(octets);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((content, form), octets);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Generations::default();
    }
}

impl Generations {
    fn insert(&mut self, key: Key, octets: Arc<[u8]>) {
        self.young_bytes += octets.len() + ENTRY_BYTES;
        if let Some(before) = self.young.insert(key, octets) {
            self.young_bytes -= before.len() + ENTRY_BYTES;
        }
        if self.young_bytes > BYTES_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_used_last_within_its_bytes() {
        let kept = Renderings::default();
        let octets = vec![b'x'; EACH_BYTES_MAX];
        let half = i64::try_from(BYTES_MAX / 2 / EACH_BYTES_MAX).unwrap();
        for id in 0..10 * half {
            kept.keep(ContentId(id), 0, &octets);
            assert!(kept.find(ContentId(0), 0).is_some(), "used all the time, so never gone");
        }
        assert!(kept.find(ContentId(1), 0).is_none(), "not used for long");
        assert!(kept.find(ContentId(10 * half - 1), 0).is_some());
        let held = kept.0.lock().unwrap();
        let bytes = |part: &HashMap<Key, Arc<[u8]>>| part.values().map(|octets| octets.len()).sum::<usize>();
        assert!(bytes(&held.young) + bytes(&held.old) <= BYTES_MAX);
    }

    #[test]
    fn forms_are_apart_and_large_ones_are_not_kept() {
        let kept = Renderings::default();
        kept.keep(ContentId(1), 0, b"zero");
        kept.keep(ContentId(1), 1, b"one");
        kept.keep(ContentId(2), 0, &vec![b'x'; EACH_BYTES_MAX + 1]);
        assert_eq!(kept.find(ContentId(1), 0).as_deref(), Some(b"zero".as_slice()));
        assert_eq!(kept.find(ContentId(1), 1).as_deref(), Some(b"one".as_slice()));
        assert!(kept.find(ContentId(2), 0).is_none());
        kept.clear();
        assert!(kept.find(ContentId(1), 0).is_none());
    }
}
