//! How many connections a destination gets from this node: few at first, more while it takes mail, fewer when it does not.
//!
//! Invariants: always one at least and [`MOST`] at most; bounded in memory; a restart begins slowly, as it should; whoever
//! takes mail has places that nobody who does not can take.

use super::{REPORT_CONNECTIONS_MAX, UNPROVEN_MAX};
use engine::WantedWork;
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
    /// It has taken a message, and not failed since.
    proven: bool,
}

#[derive(Debug, Default)]
pub(super) struct Windows {
    by_destination: HashMap<i64, Window>,
    /// Open for nothing but reports.
    reports: usize,
}

impl Windows {
    /// What there is room for: destinations without as many connections as they may have; where too many keep us waiting as it
    /// is, only those that take mail.
    pub(super) fn wanted(&self) -> WantedWork {
        let all = || self.by_destination.iter();
        let of = |which: fn(&Window) -> bool| {
            all().filter(|(_, window)| which(window)).map(|(id, _)| *id).collect::<Vec<i64>>()
        };
        let unproven: u32 = all().filter(|(_, window)| !window.proven).map(|(_, window)| window.open).sum();
        let crowded = usize::try_from(unproven).is_ok_and(|open| open >= UNPROVEN_MAX);
        WantedWork {
            busy: of(|window| window.open >= window.allowed),
            only: crowded.then(|| of(|window| window.proven)),
            no_reports: self.reports >= REPORT_CONNECTIONS_MAX,
        }
    }

    pub(super) fn begin(&mut self, destination: i64, reports: bool) {
        if self.by_destination.len() >= REMEMBERED_MAX {
            self.by_destination.retain(|_, window| window.open > 0);
        }
        self.window(destination).open += 1;
        self.reports += usize::from(reports);
    }

    pub(super) fn end(&mut self, destination: i64, reports: bool) {
        let window = self.window(destination);
        window.open = window.open.saturating_sub(1);
        if window.open == 0 && window.allowed == FIRST && !window.proven {
            self.by_destination.remove(&destination);
        }
        self.reports = self.reports.saturating_sub(usize::from(reports));
    }

    /// It has taken a message. True when a connection more may be opened than before.
    pub(super) fn grow(&mut self, destination: i64) -> bool {
        let window = self.window(destination);
        let was_full = window.open >= window.allowed;
        window.allowed = (window.allowed + 1).min(MOST);
        window.proven = true;
        was_full && window.open < window.allowed
    }

    /// It has had enough (421), or a connection was lost.
    pub(super) fn halve(&mut self, destination: i64) {
        let window = self.window(destination);
        window.allowed = (window.allowed / 2).max(1);
        window.proven = false;
    }

    fn window(&mut self, destination: i64) -> &mut Window {
        let new = Window { allowed: FIRST, open: 0, proven: false };
        self.by_destination.entry(destination).or_insert(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(windows: &Windows) -> Vec<i64> {
        windows.wanted().busy
    }

    #[test]
    fn a_window_grows_slowly_and_shrinks_fast() {
        let mut windows = Windows::default();
        windows.begin(7, false);
        assert_eq!(full(&windows), Vec::<i64>::new());
        windows.begin(7, false);
        assert_eq!(full(&windows), [7]);
        assert!(windows.grow(7), "there is room for one more");
        assert_eq!(full(&windows), Vec::<i64>::new());
        assert!(!windows.grow(7), "there was");
        assert!((0..100).all(|_| !windows.grow(7)));
        (2..20).for_each(|_| windows.begin(7, false));
        assert_eq!(full(&windows), [7]);
        (0..100).for_each(|_| windows.halve(7));
        (0..19).for_each(|_| windows.end(7, false));
        assert_eq!(full(&windows), [7], "one at least, and no more");
        windows.end(7, false);
        assert_eq!(full(&windows), Vec::<i64>::new());
    }

    #[test]
    fn who_takes_mail_has_places_of_his_own() {
        let mut windows = Windows::default();
        windows.begin(7, false);
        assert!(!windows.grow(7));
        windows.end(7, false);
        let many = i64::try_from(UNPROVEN_MAX).unwrap();
        (1000..1000 + many).for_each(|id| windows.begin(id, false));
        assert_eq!(windows.wanted().only, Some(vec![7]));
        // Who takes something is waited for no more, and who fails has been proven in vain.
        assert!(!windows.grow(1000));
        assert_eq!(windows.wanted().only, None);
        windows.halve(1000);
        windows.halve(7);
        assert_eq!(windows.wanted().only, Some(vec![]));
        windows.end(1000, false);
        assert_eq!(windows.wanted().only, None);
        // Reports have few, whoever gets them.
        (0..REPORT_CONNECTIONS_MAX).for_each(|_| windows.begin(8, true));
        assert!(windows.wanted().no_reports);
        windows.end(8, true);
        assert!(!windows.wanted().no_reports);
    }
}
