//! Was there an order of what happened to one message that explains all that was seen of it?
//!
//! Every change and every sight of a message has a span of moments in which it took effect. The checker follows all
//! states that are possible (linearizability as by Wing and Gong, just in time as by Lowe): a change may take effect
//! anywhere in its span, a sight must find its value somewhere in its own. None left: the server has lied.

use crate::content::{DELETED, GONE, Mask, show};
use std::collections::{BTreeSet, HashMap, HashSet};

pub type Tick = u64;
/// The end of what was never answered.
pub const NEVER: Tick = u64::MAX;
/// Beyond, a message is too busy to be followed exactly.
const STATES_MAX: usize = 20_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Flags become `old & keep | set`; nothing if it is gone.
    Edit { keep: Mask, set: Mask },
    /// An EXPUNGE: gone if \Deleted.
    Sweep,
    /// Moved away, as the server says.
    Leave,
    /// Copied, as the server says.
    Copied,
    /// A client was shown these flags, or that it is gone.
    Sight(Mask),
}

#[derive(Clone, Debug)]
pub struct Event {
    pub from: Tick,
    pub to: Tick,
    /// False: it may never have taken effect.
    pub sure: bool,
    pub act: Act,
    /// Of all events of one command.
    pub op: u64,
    pub connection: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Flags at the moment of each `Leave` and `Copied`, by op.
    Possible(HashMap<u64, BTreeSet<Mask>>),
    Impossible(String),
    TooBusy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    flags: Mask,
    /// Of the open events, those that have taken effect.
    done: u128,
}

struct Checker<'a> {
    events: &'a [Event],
    states: HashSet<State>,
    /// Event by bit.
    open: [Option<usize>; 128],
    taken: HashMap<u64, BTreeSet<Mask>>,
}

pub fn check(initial: &BTreeSet<Mask>, events: &[Event]) -> Verdict {
    let mut points: Vec<(Tick, bool, usize)> = Vec::with_capacity(events.len() * 2);
    for (index, event) in events.iter().enumerate() {
        points.push((event.from, false, index));
        points.push((event.to, true, index));
    }
    points.sort_unstable();
    let states = initial.iter().map(|flags| State { flags: *flags, done: 0 }).collect();
    let mut checker = Checker { events, states, open: [None; 128], taken: HashMap::new() };
    for (_, ends, index) in points {
        if !ends {
            if !checker.begin(index) {
                return Verdict::TooBusy;
            }
            continue;
        }
        let before: BTreeSet<Mask> = checker.states.iter().map(|state| state.flags).collect();
        if !checker.end(index) {
            return Verdict::TooBusy;
        }
        if checker.states.is_empty() {
            return Verdict::Impossible(explain(&events[index], &before));
        }
    }
    Verdict::Possible(checker.taken)
}

fn explain(event: &Event, before: &BTreeSet<Mask>) -> String {
    let possible: Vec<String> = before.iter().take(6).map(|flags| show(*flags)).collect();
    let what = match event.act {
        Act::Sight(flags) => format!("seen {}", show(flags)),
        ref other => format!("{other:?}"),
    };
    format!(
        "{what} by connection {} between {} and {}, possible before: {}",
        event.connection,
        event.from,
        event.to,
        possible.join(" or ")
    )
}

impl Checker<'_> {
    /// False if there are too many at once.
    fn begin(&mut self, index: usize) -> bool {
        let Some(bit) = self.open.iter().position(Option::is_none) else { return false };
        self.open[bit] = Some(index);
        if let Act::Sight(seen) = self.events[index].act {
            let states = std::mem::take(&mut self.states);
            let found = |mut state: State| {
                if state.flags == seen {
                    state.done |= 1 << bit;
                }
                state
            };
            self.states = states.into_iter().map(found).collect();
        }
        true
    }

    /// Keeps the states in which the event has taken effect by now.
    fn end(&mut self, index: usize) -> bool {
        let Some(bit) = self.open.iter().position(|open| *open == Some(index)) else { return false };
        let mark = 1u128 << bit;
        let mut kept = HashSet::new();
        let mut stack: Vec<State> = self.states.drain().collect();
        if !self.events[index].sure {
            kept.extend(stack.iter().map(|state| State { done: state.done & !mark, ..*state }));
        }
        let mut visited: HashSet<State> = stack.iter().copied().collect();
        while let Some(state) = stack.pop() {
            if state.done & mark != 0 {
                kept.insert(State { done: state.done & !mark, ..state });
                continue;
            }
            for other in 0..self.open.len() {
                if let Some(next) = self.take_effect(state, other)
                    && visited.insert(next)
                {
                    stack.push(next);
                }
            }
            if visited.len() > STATES_MAX {
                return false;
            }
        }
        self.states = kept;
        self.open[bit] = None;
        true
    }

    fn take_effect(&mut self, state: State, bit: usize) -> Option<State> {
        let event = &self.events[self.open[bit]?];
        if state.done >> bit & 1 == 1 {
            return None;
        }
        let gone = state.flags == GONE;
        let flags = match event.act {
            Act::Sight(_) => return None,
            Act::Edit { .. } | Act::Sweep if gone => GONE,
            Act::Edit { keep, set } => state.flags & keep | set,
            Act::Sweep => {
                if state.flags & DELETED == 0 {
                    state.flags
                } else {
                    GONE
                }
            }
            Act::Leave | Act::Copied if gone => return None,
            Act::Leave | Act::Copied => {
                self.taken.entry(event.op).or_default().insert(state.flags);
                if event.act == Act::Leave { GONE } else { state.flags }
            }
        };
        let mut done = state.done | 1 << bit;
        for (other, open) in self.open.iter().enumerate() {
            // Found as early as possible: that never rules anything out.
            if open.is_some_and(|index| self.events[index].act == Act::Sight(flags)) {
                done |= 1 << other;
            }
        }
        Some(State { flags, done })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(from: Tick, to: Tick, act: Act) -> Event {
        Event { from, to, sure: true, act, op: from, connection: 0 }
    }

    fn add(set: Mask) -> Act {
        Act::Edit { keep: !0, set }
    }

    #[track_caller]
    fn possible(expected: bool, events: &[Event]) {
        let verdict = check(&BTreeSet::from([0]), events);
        assert_eq!(matches!(verdict, Verdict::Possible(_)), expected, "{verdict:?}");
    }

    #[test]
    fn one_after_the_other() {
        possible(true, &[event(1, 2, add(1)), event(3, 4, add(2)), event(5, 6, Act::Sight(3))]);
        // A lost update.
        possible(false, &[event(1, 2, add(1)), event(3, 4, add(2)), event(5, 6, Act::Sight(2))]);
        // Stale.
        possible(false, &[event(1, 2, add(1)), event(3, 4, Act::Sight(0))]);
        possible(true, &[event(1, 4, add(1)), event(2, 3, Act::Sight(0))]);
        possible(true, &[event(1, 4, add(1)), event(2, 3, Act::Sight(1))]);
    }

    #[test]
    fn at_the_same_time() {
        let replace = |set| Act::Edit { keep: 0, set };
        let both = [event(1, 10, replace(3)), event(2, 9, replace(12))];
        for (seen, expected) in [(3, true), (12, true), (15, false), (1, false)] {
            let mut events = both.to_vec();
            events.push(event(11, 12, Act::Sight(seen)));
            possible(expected, &events);
        }
        // Two look one after the other while both write: 3, then 12, then 3 again cannot be.
        let mut events = both.to_vec();
        events.extend([event(3, 4, Act::Sight(3)), event(5, 6, Act::Sight(12)), event(7, 8, Act::Sight(3))]);
        possible(false, &events);
    }

    #[test]
    fn gone_is_gone() {
        possible(true, &[event(1, 2, add(DELETED)), event(3, 4, Act::Sweep), event(5, 6, Act::Sight(GONE))]);
        possible(false, &[event(3, 4, Act::Sweep), event(5, 6, Act::Sight(GONE))]);
        possible(false, &[event(1, 2, Act::Leave), event(3, 4, Act::Leave)]);
        possible(false, &[event(1, 2, Act::Leave), event(3, 4, Act::Copied)]);
        possible(false, &[event(5, 6, Act::Sight(GONE))]);
    }

    #[test]
    fn what_was_never_answered_may_have_happened() {
        for seen in [0, 1] {
            let lost = Event { to: NEVER, sure: false, ..event(1, 2, add(1)) };
            possible(true, &[lost, event(5, 6, Act::Sight(seen))]);
        }
    }

    #[test]
    fn says_which_flags_a_copy_got() {
        let events = [event(1, 4, add(1)), event(2, 3, Act::Copied), event(5, 6, Act::Copied)];
        let Verdict::Possible(taken) = check(&BTreeSet::from([0]), &events) else { panic!() };
        assert_eq!(taken[&2], BTreeSet::from([0, 1]));
        assert_eq!(taken[&5], BTreeSet::from([1]));
    }
}
