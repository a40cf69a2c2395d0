//! When a certificate is ordered: at once where there is none for its names, else when a third of its life is left; after a failure
//! later and later.
//!
//! Invariant: for one set of names no more than [`STARTS_A_DAY_MAX`] orders begin by themselves within a day, whatever comes of them, so
//! that the limits of authorities (at Let's Encrypt, five failures an hour and five equal certificates a week) are never ours to find.

use jiff::{SignedDuration, Timestamp};
use store::AcmeOrderRow;

/// After so many failures in a row, the last one again and again.
const AFTER_FAILURES: [SignedDuration; 4] = [
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(4),
    SignedDuration::from_hours(12),
    SignedDuration::from_hours(24),
];
/// Orders that begin by themselves within [`DAY`].
const STARTS_A_DAY_MAX: usize = 4;
/// With those that administrators asked for.
const ASKED_A_DAY_MAX: usize = 8;
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A renewal comes by chance earlier by up to this part of the certificate's life, a failed order is tried again later by up to this
/// part of its pause: not all of a province's certificates, or of the world's servers, at one moment.
const SPREAD_PART: i64 = 30;

/// When the next order may begin, in the past perhaps. `past`: those for the same names that are remembered, the newest first;
/// `good`: whose certificate is in use, and has all of the names.
pub(super) fn next_start(past: &[&AcmeOrderRow], good: Option<&AcmeOrderRow>, now: Timestamp) -> Timestamp {
    let due = good.and_then(renewal).unwrap_or(Timestamp::MIN);
    let failures = past.iter().take_while(|order| order.state == "failed").count();
    let again = past.first().filter(|_| failures > 0).map(|last| after_failure(last, failures));
    let often = nth_start(past, STARTS_A_DAY_MAX).map(|start| later(start, DAY)).filter(|at| *at > now);
    [again, often].into_iter().flatten().fold(due, Ord::max)
}

/// Were so many ordered within a day that not even an administrator's is?
pub(super) fn is_too_often(past: &[&AcmeOrderRow], now: Timestamp) -> bool {
    nth_start(past, ASKED_A_DAY_MAX).is_some_and(|start| later(start, DAY) > now)
}

/// When the `n`th newest began.
fn nth_start(past: &[&AcmeOrderRow], n: usize) -> Option<Timestamp> {
    past.get(n.checked_sub(1)?).map(|order| order.started_at)
}

fn renewal(order: &AcmeOrderRow) -> Option<Timestamp> {
    let (begins, ends) = (order.begins?, order.ends?);
    let life = ends.duration_since(begins).as_secs();
    let early = spread(order.id, life / SPREAD_PART);
    ends.checked_sub(SignedDuration::from_secs(life / 3 + early)).ok()
}

fn after_failure(last: &AcmeOrderRow, failures: usize) -> Timestamp {
    let steps = AFTER_FAILURES.get(failures.saturating_sub(1)).or(AFTER_FAILURES.last());
    let pause = steps.copied().unwrap_or(DAY);
    let late = spread(last.id, pause.as_secs() / SPREAD_PART);
    later(last.ended_at.unwrap_or(last.started_at), pause.saturating_add(SignedDuration::from_secs(late)))
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// From 0 to `most`: by chance between orders, and always the same for one, so that every node reckons alike.
fn spread(order: i64, most: i64) -> i64 {
    let hash = blake3::hash(&order.to_be_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    (u64::from_be_bytes(bytes) % (most.max(0).unsigned_abs() + 1)).try_into().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-23T00:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn order(id: i64, state: &str, ended_at: &str) -> AcmeOrderRow {
        AcmeOrderRow {
            id,
            label: "main".to_owned(),
            directory: "https://ca/".to_owned(),
            names: vec!["a.vn".to_owned(), "b.vn".to_owned()],
            state: state.to_owned(),
            started_at: at(ended_at),
            asked: false,
            fault: None,
            ended_at: Some(at(ended_at)),
            begins: (state == "done").then(|| at("2026-10-01T00:00:00Z")),
            ends: (state == "done").then(|| at("2026-12-30T00:00:00Z")),
            wanted_at: at(NOW),
        }
    }

    fn next(past: &[AcmeOrderRow]) -> Timestamp {
        let good = past.iter().find(|order| order.state == "done");
        next_start(&past.iter().collect::<Vec<_>>(), good, at(NOW))
    }

    #[test]
    fn it_is_renewed_when_a_third_of_its_life_is_left_or_a_little_more() {
        assert!(next(&[]) <= at(NOW), "there is none");
        let times: Vec<Timestamp> =
            (1..100).map(|id| next(&[order(id, "done", "2026-10-01T01:00:00Z")])).collect();
        // 90 days: the last 30, and up to 3 more.
        let (first, last) = (at("2026-11-27T00:00:00Z"), at("2026-11-30T00:00:00Z"));
        assert!(times.iter().all(|time| (first..=last).contains(time)), "{times:?}");
        assert!(times.iter().max().unwrap().duration_since(*times.iter().min().unwrap()).as_hours() > 48);
    }

    #[test]
    fn after_failures_it_waits_longer_and_longer() {
        let last = at("2026-11-22T23:00:00Z");
        for (failures, hours) in [(1, 1), (2, 4), (3, 12), (4, 24), (9, 24)] {
            let old = |n: i64| order(n, "failed", "2026-11-01T00:00:00Z");
            let mut past: Vec<AcmeOrderRow> = (0..failures - 1).map(old).collect();
            past.insert(0, order(100, "failed", "2026-11-22T23:00:00Z"));
            let pause = next(&past).duration_since(last).as_secs();
            assert!((hours * 3600..=hours * 3720).contains(&pause), "{failures}: {pause}");
        }
        // What came since is a new beginning.
        let past = [order(3, "done", "2026-11-22T23:30:00Z"), order(2, "failed", "2026-11-22T23:00:00Z")];
        assert!(next(&past) > at("2026-11-26T00:00:00Z"));
    }

    #[test]
    fn a_few_begin_within_a_day_whatever_came_of_them() {
        // Each time with a certificate that was not to be used after all.
        let past: Vec<AcmeOrderRow> =
            (0..4).map(|n| order(n, "replaced", &format!("2026-11-22T{:02}:00:00Z", 20 - n))).collect();
        assert_eq!(next(&past), at("2026-11-23T17:00:00Z"));
        assert!(next(&past[..3]) <= at(NOW));
        assert!(!is_too_often(&past.iter().collect::<Vec<_>>(), at(NOW)), "an administrator's");
        let many: Vec<AcmeOrderRow> = (0..8).map(|n| order(n, "failed", "2026-11-22T20:00:00Z")).collect();
        assert!(is_too_often(&many.iter().collect::<Vec<_>>(), at(NOW)));
        assert!(!is_too_often(&many.iter().collect::<Vec<_>>(), at("2026-11-23T20:00:00Z")));
    }
}
