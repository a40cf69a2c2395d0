//! How many connections a destination gets from this node: few at first, more while it takes mail, fewer when it does not.
//!
//! Invariants: always one at least and [`MOST`] at most; bounded in memory; a restart begins slowly, as it should.

use std::collections::HashMap;

/// Connections to a destination nothing is known of.
const FIRST: u32 = 2;
const MOST: u32 = 20;
/// Destinations that are remembered while no connection to them is open.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug)]
struct Window {
    allowed: u32,
    open: u32,
}

#[derive(Debug, Default)]
pub(super) struct Windows(HashMap<i64, Window>);

impl Windows {
    /// Destinations with as many connections as they may have.
    pub(super) fn full(&self) -> Vec<i64> {
        let full = self.0.iter().filter(|(_, window)| window.open >= window.allowed);
        full.map(|(destination, _)| *destination).collect()
    }

    pub(super) fn begin(&mut self, destination: i64) {
        if self.0.len() >= REMEMBERED_MAX {
            self.0.retain(|_, window| window.open > 0);
        }
        self.window(destination).open += 1;
    }

    pub(super) fn end(&mut self, destination: i64) {
        let window = self.window(destination);
        window.open = window.open.saturating_sub(1);
        if window.open == 0 && window.allowed == FIRST {
            self.0.remove(&destination);
        }
    }

    /// It has taken a message.
    pub(super) fn grow(&mut self, destination: i64) {
        let window = self.window(destination);
        window.allowed = (window.allowed + 1).min(MOST);
    }

    /// It has had enough (421), or a connection was lost.
    pub(super) fn halve(&mut self, destination: i64) {
        let window = self.window(destination);
        window.allowed = (window.allowed / 2).max(1);
    }

    fn window(&mut self, destination: i64) -> &mut Window {
        self.0.entry(destination).or_insert(Window { allowed: FIRST, open: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_grows_slowly_and_shrinks_fast() {
        let mut windows = Windows::default();
        windows.begin(7);
        assert_eq!(windows.full(), Vec::<i64>::new());
        windows.begin(7);
        assert_eq!(windows.full(), [7]);
        windows.grow(7);
        assert_eq!(windows.full(), Vec::<i64>::new());
        (0..100).for_each(|_| windows.grow(7));
        (2..20).for_each(|_| windows.begin(7));
        assert_eq!(windows.full(), [7]);
        (0..100).for_each(|_| windows.halve(7));
        (0..19).for_each(|_| windows.end(7));
        assert_eq!(windows.full(), [7], "one at least, and no more");
        windows.end(7);
        assert_eq!(windows.full(), Vec::<i64>::new());
    }
}
