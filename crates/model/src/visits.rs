//! Log-ins from countries that a mailbox was not used from: what is strange about one, and who is to hear of it (requirements D7).
//!
//! Invariants: a function of what was seen and the moment; a mailbox that was never seen anywhere is not strange anywhere, nor is it
//! where it was seen last, however long ago; in Việt Nam none is; nobody is told of one country twice in [`TOLD_AGAIN_AFTER`], nor of more than
//! [`TOLD_PER_DAY_MAX`] countries in a day, so whoever has a password and many machines fills no mailbox with letters; and a country that
//! nobody was told of for that stays strange until somebody was.

use crate::Country;
use jiff::{SignedDuration, Timestamp};

/// The same is not said again within this.
pub const TOLD_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Countries of one mailbox that somebody is told of in [`DAY`].
pub const TOLD_PER_DAY_MAX: usize = 3;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// When a mailbox was logged in to from one country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    pub country: Country,
    /// Let in, and noted; `None`: never.
    pub last_at: Option<Timestamp>,
    /// Somebody was told of it; `None`: never.
    pub told_at: Option<Timestamp>,
}

/// What is to be said of a log-in whose password was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// It was let in, and nobody was let in from there lately.
    pub is_new: bool,
    /// It is new, or was refused, and that is news.
    pub is_told: bool,
    /// It is new, and too many are told of today: it stays strange, so it is told when it comes again on another day.
    pub is_put_off: bool,
}

/// `visits`: all of the mailbox; `days`: for so long a country is one that it is used from.
#[must_use]
pub fn find(visits: &[Visit], country: Country, is_refused: bool, days: u32, now: Timestamp) -> Finding {
    let lately = SignedDuration::from_hours(24 * i64::from(days));
    let within = |at: Option<Timestamp>, term| at.is_some_and(|at| now.duration_since(at) < term);
    let here = visits.iter().find(|visit| visit.country == country);
    let newest = visits.iter().filter_map(|visit| visit.last_at).max();
    let last_here = here.and_then(|visit| visit.last_at);
    let is_usual =
        country == Country::VN || within(last_here, lately) || newest.is_none() || newest == last_here;
    let is_strange = is_refused || !is_usual;
    let told_lately = within(here.and_then(|visit| visit.told_at), TOLD_AGAIN_AFTER);
    let is_enough = visits.iter().filter(|visit| within(visit.told_at, DAY)).count() >= TOLD_PER_DAY_MAX;
    let is_new = is_strange && !is_refused;
    Finding {
        is_new,
        is_told: is_strange && !told_lately && !is_enough,
        is_put_off: is_new && !told_lately && is_enough,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const USUAL: Finding = Finding { is_new: false, is_told: false, is_put_off: false };
    const NEW: Finding = Finding { is_new: true, is_told: true, is_put_off: false };
    const REFUSED: Finding = Finding { is_new: false, ..NEW };

    fn ago(days: i64) -> Timestamp {
        NOW - SignedDuration::from_hours(24 * days)
    }

    /// Country, days since it was logged in from, days since somebody was told.
    fn visits(seen: &[(&str, Option<i64>, Option<i64>)]) -> Vec<Visit> {
        let visit = |(code, last, told): &(&str, Option<i64>, Option<i64>)| Visit {
            country: code.parse().unwrap(),
            last_at: last.map(ago),
            told_at: told.map(ago),
        };
        seen.iter().map(visit).collect()
    }

    fn from_russia(seen: &[(&str, Option<i64>, Option<i64>)]) -> Finding {
        find(&visits(seen), "RU".parse().unwrap(), false, 180, NOW)
    }

    #[test]
    fn what_was_not_seen_for_long_is_new_unless_nothing_was_seen_since() {
        assert_eq!(from_russia(&[]), USUAL, "the first log-in ever");
        assert_eq!(from_russia(&[("VN", Some(1), None)]), NEW);
        assert_eq!(from_russia(&[("VN", Some(1), None), ("RU", Some(179), None)]), USUAL);
        assert_eq!(from_russia(&[("VN", Some(1), None), ("RU", Some(180), None)]), NEW);
        assert_eq!(from_russia(&[("RU", Some(700), None)]), USUAL, "it was away, and is back");
        assert_eq!(from_russia(&[("VN", Some(701), None), ("RU", Some(700), None)]), USUAL);
        assert_eq!(from_russia(&[("VN", Some(699), None), ("RU", Some(700), None)]), NEW);
        assert_eq!(
            from_russia(&[("VN", Some(1), None), ("RU", Some(-1), None)]),
            USUAL,
            "a clock that was put back"
        );
        assert_eq!(from_russia(&[("CN", None, Some(2))]), USUAL, "it was never let in anywhere");
        assert_eq!(
            find(&visits(&[("RU", Some(1), None)]), Country::VN, false, 180, NOW),
            USUAL,
            "it comes home"
        );
    }

    #[test]
    fn whoever_has_many_machines_makes_few_letters() {
        let told = |seen: &[(&str, Option<i64>, Option<i64>)]| from_russia(seen).is_told;
        let silent = Finding { is_told: false, ..NEW };
        assert_eq!(from_russia(&[("VN", Some(1), None), ("RU", None, Some(29))]), silent);
        assert!(told(&[("VN", Some(1), None), ("RU", None, Some(30))]));
        let three = [
            ("VN", Some(1), None),
            ("CN", Some(0), Some(0)),
            ("US", Some(0), Some(0)),
            ("FR", Some(0), Some(0)),
        ];
        assert_eq!(from_russia(&three), Finding { is_put_off: true, ..silent }, "it stays new");
        assert!(told(&three[..3]));
        let told_before = [&three[..], &[("RU", None, Some(20))]].concat();
        assert_eq!(from_russia(&told_before), silent, "somebody has heard of it");
        let refused = |seen: &[_]| find(&visits(seen), "RU".parse().unwrap(), true, 180, NOW);
        assert_eq!(refused(&[]), REFUSED, "also the first ever");
        assert_eq!(refused(&[("RU", None, Some(3))]), USUAL);
        assert_eq!(refused(&[("RU", Some(1), None)]), REFUSED);
        assert_eq!(refused(&three), USUAL, "it is no visit that could become usual");
    }
}
