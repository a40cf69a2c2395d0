//! What the node keeps in memory of what was used last, within a fixed weight: chunks, views and facts of folders alike.
//!
//! Invariants: every value weighs from when it is there until it goes; `by_use` and `by_key` hold the same keys; they weigh more
//! than `MAX` only where the one that was just used does alone.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Values by key, of weight `MAX` together, in the unit that who weighs them chooses; beyond, those longest unused go.
#[derive(Debug)]
pub(crate) struct Recent<K, T, const MAX: usize>(Mutex<Slots<K, T>>);

#[derive(Debug)]
struct Slots<K, T> {
    by_key: HashMap<K, Slot<T>>,
    /// Key by time of last use, oldest first.
    by_use: BTreeMap<u64, K>,
    weight: usize,
    tick: u64,
}

#[derive(Debug)]
struct Slot<T> {
    value: T,
    weight: usize,
    used: u64,
}

impl<K, T, const MAX: usize> Default for Recent<K, T, MAX> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, T> Default for Slots<K, T> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), by_use: BTreeMap::new(), weight: 0, tick: 0 }
    }
}

impl<K: Copy + Eq + Hash, T: Clone, const MAX: usize> Recent<K, T, MAX> {
    /// The value of `key`, which was used now.
    pub(crate) fn find(&self, key: K) -> Option<T> {
        self.with(|slots| slots.use_now(key))
    }

    /// As [`Self::find`], or the default value from now on, of this weight until it is weighed.
    pub(crate) fn find_or_default(&self, key: K, weight: usize) -> T
    where
        T: Default,
    {
        self.with(|slots| {
            slots.use_now(key).unwrap_or_else(|| {
                let value = T::default();
                slots.put(key, value.clone(), weight);
                slots.fit(key, MAX);
                value
            })
        })
    }

    /// The value of `key`, whose use this is not.
    pub(crate) fn peek(&self, key: K) -> Option<T> {
        self.with(|slots| Some(slots.by_key.get(&key)?.value.clone()))
    }

    /// Puts a value in the place of the one that may be there.
    pub(crate) fn insert(&self, key: K, value: T, weight: usize) {
        self.with(|slots| {
            slots.put(key, value, weight);
            slots.fit(key, MAX);
        });
    }

    /// Says what the value of `key`, if it is still there, weighs now; it stays, however much that is.
    pub(crate) fn weigh(&self, key: K, weight: usize) {
        self.with(|slots| {
            if let Some(slot) = slots.by_key.get_mut(&key) {
                let before = std::mem::replace(&mut slot.weight, weight);
                slots.weight = slots.weight + weight - before;
            }
            slots.fit(key, MAX);
        });
    }

    pub(crate) fn forget(&self, key: K) {
        self.with(|slots| slots.forget(key));
    }

    /// Forgets everything; who holds a value keeps it to themselves.
    pub(crate) fn clear(&self) {
        self.with(|slots| *slots = Slots::default());
    }

    fn with<R>(&self, act: impl FnOnce(&mut Slots<K, T>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K: Copy + Eq + Hash, T: Clone> Slots<K, T> {
    fn use_now(&mut self, key: K) -> Option<T> {
        let slot = self.by_key.get_mut(&key)?;
        self.tick += 1;
        let before = std::mem::replace(&mut slot.used, self.tick);
        self.by_use.remove(&before);
        self.by_use.insert(self.tick, key);
        Some(slot.value.clone())
    }

    fn put(&mut self, key: K, value: T, weight: usize) {
        self.forget(key);
        self.tick += 1;
        self.by_use.insert(self.tick, key);
        self.by_key.insert(key, Slot { value, weight, used: self.tick });
        self.weight += weight;
    }

    /// Drops those longest unused, but `key`, until the rest weighs no more than `max`.
    fn fit(&mut self, key: K, max: usize) {
        while self.weight > max
            && let Some(oldest) = self.by_use.values().copied().find(|oldest| *oldest != key)
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, key: K) {
        if let Some(slot) = self.by_key.remove(&key) {
            self.by_use.remove(&slot.used);
            self.weight -= slot.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Kept = Recent<i64, u8, 300>;

    fn keys(kept: &Kept) -> Vec<i64> {
        let slots = kept.0.lock().unwrap();
        let mut keys: Vec<i64> = slots.by_key.keys().copied().collect();
        keys.sort_unstable();
        assert_eq!(slots.by_use.len(), keys.len());
        assert_eq!(slots.weight, slots.by_key.values().map(|slot| slot.weight).sum::<usize>());
        keys
    }

    #[test]
    fn those_longest_unused_go() {
        let kept = Kept::default();
        for key in 1..=3 {
            let _ = kept.find_or_default(key, 10);
            kept.weigh(key, 100);
        }
        assert_eq!((kept.find(1), kept.peek(2)), (Some(0), Some(0)), "1 is used, 2 is not");
        kept.insert(4, 4, 100);
        assert_eq!(keys(&kept), [1, 3, 4]);
        kept.insert(4, 5, 100);
        assert_eq!((kept.find(4), keys(&kept)), (Some(5), vec![1, 3, 4]), "in the place of the other");
        kept.weigh(1, 400);
        assert_eq!(keys(&kept), [1], "what is in use stays");
        kept.weigh(2, 400);
        assert_eq!((keys(&kept), kept.find(2)), (vec![], None), "what is gone weighs nothing");
    }

    #[test]
    fn what_is_forgotten_weighs_nothing() {
        let kept = Kept::default();
        kept.insert(1, 1, 100);
        kept.insert(2, 2, 100);
        kept.forget(1);
        kept.forget(1);
        assert_eq!(keys(&kept), [2]);
        kept.clear();
        assert_eq!(keys(&kept), [0; 0]);
    }

    #[test]
    fn what_is_not_weighed_yet_weighs_something() {
        let kept = Kept::default();
        for key in 0..40 {
            let _ = kept.find_or_default(key, 10);
        }
        assert_eq!(keys(&kept), Vec::from_iter(10..40));
    }
}
