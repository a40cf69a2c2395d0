//! Windows, at moments of the test's choosing.

use super::*;

fn full(windows: &Windows) -> Vec<i64> {
    let mut full = windows.wanted(Instant::now()).busy;
    full.sort_unstable();
    full
}

/// As many connections to each of these as there is room for, all to `address`; every one takes a message at first.
fn fill(
    windows: &mut Windows,
    destinations: std::ops::Range<i64>,
    address: Option<&str>,
    now: Instant,
) -> Vec<Seat> {
    let address = address.map(|address| address.parse().unwrap());
    let mut seats = Vec::new();
    for destination in destinations {
        for _ in 0..MOST {
            windows.grow(destination, now);
        }
        while seats.len() < CONNECTIONS_MAX && !windows.wanted(now).busy.contains(&destination) {
            let mut seat = windows.begin(destination, false, now);
            match windows.reach(&mut seat, address, now) {
                true => seats.push(seat),
                false => windows.end(seat, now),
            }
        }
    }
    seats
}

#[test]
fn a_window_grows_slowly_and_shrinks_fast() {
    let (mut windows, now) = (Windows::default(), Instant::now());
    let seat = windows.begin(7, false, now);
    assert_eq!(full(&windows), Vec::<i64>::new());
    windows.begin(7, false, now);
    assert_eq!(full(&windows), [7]);
    assert!(windows.grow(7, now), "there is room for one more");
    assert_eq!(full(&windows), Vec::<i64>::new());
    assert!(!windows.grow(7, now), "there was");
    assert!((0..100).all(|_| !windows.grow(7, now)));
    for _ in 2..20 {
        windows.begin(7, false, now);
    }
    assert_eq!(full(&windows), [7]);
    (0..100).for_each(|_| windows.halve(7, now));
    (0..19).for_each(|_| windows.end(seat, now));
    assert_eq!(full(&windows), [7], "one at least, and no more");
    windows.end(seat, now);
    assert_eq!(full(&windows), Vec::<i64>::new());
}

#[test]
fn who_takes_mail_has_places_of_his_own() {
    let (mut windows, now) = (Windows::default(), Instant::now());
    let seat = windows.begin(7, false, now);
    assert!(!windows.grow(7, now));
    windows.end(seat, now);
    let many = i64::try_from(UNPROVEN_MAX).unwrap();
    let seats: Vec<_> = (1000..1000 + many).map(|id| windows.begin(id, false, now)).collect();
    assert_eq!(windows.wanted(now).only, Some(vec![7]));
    // Who takes something is waited for no more, and who fails has been proven in vain.
    assert!(!windows.grow(1000, now));
    assert_eq!(windows.wanted(now).only, None);
    windows.halve(1000, now);
    windows.halve(7, now);
    assert_eq!(windows.wanted(now).only, Some(vec![]));
    windows.end(seats[0], now);
    assert_eq!(windows.wanted(now).only, None);
    // Reports have few, whoever gets them.
    let reports: Vec<_> = (0..REPORT_CONNECTIONS_MAX).map(|_| windows.begin(8, true, now)).collect();
    assert!(windows.wanted(now).no_reports);
    windows.end(reports[0], now);
    assert!(!windows.wanted(now).no_reports);
}

/// Who has taken mail once, and then keeps us waiting over all the places that he got for it, is as one who has taken none; his places do not
/// keep others from theirs.
#[test]
fn who_has_taken_mail_once_does_not_keep_us_waiting_for_ever() {
    let (mut windows, now) = (Windows::default(), Instant::now());
    windows.grow(7, now);
    let seats = fill(&mut windows, 1000..1006, None, now);
    assert_eq!(seats.len(), 120);
    assert_eq!(windows.wanted(now).only, None);
    let later = now + WAIT_MAX;
    assert_eq!(windows.wanted(later).only, Some(vec![7]), "to whom nothing is open is waited for by nobody");
    // One that takes something, if slowly, is waited for no more.
    windows.grow(1000, later);
    let mut only = windows.wanted(later).only.unwrap_or_default();
    only.sort_unstable();
    assert_eq!(only, [7, 1000]);
    windows.grow(1001, later);
    assert_eq!(windows.wanted(later).only, None);
}

/// However many destinations have grown, those who have no connection get one.
#[test]
fn a_few_destinations_do_not_get_all_places() {
    let (mut windows, now) = (Windows::default(), Instant::now());
    let seats = fill(&mut windows, 1000..1010, None, now);
    assert_eq!(seats.len(), CONNECTIONS_MAX - KEPT + 2 * 2);
    // The ninth and tenth have two each, as has whoever comes now.
    windows.begin(7, false, now);
    assert!(!full(&windows).contains(&7));
    windows.begin(7, false, now);
    for _ in 0..MOST {
        windows.grow(7, now);
    }
    assert!(full(&windows).contains(&7));
    for seat in &seats[..7] {
        windows.end(*seat, now);
    }
    assert!(!full(&windows).contains(&7), "he may have more again");
}

/// Whoever has one server has one server's places, whatever the number of his domains.
#[test]
fn all_that_is_at_one_address_is_one() {
    let now = Instant::now();
    let most = usize::try_from(ADDRESS_MOST).unwrap();
    for (one, other, another) in
        [("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")]
    {
        let mut windows = Windows::default();
        let mut seats = fill(&mut windows, 1000..1001, Some(one), now);
        seats.extend(fill(&mut windows, 1001..1010, Some(other), now));
        assert_eq!(seats.len(), most, "{one}");
        // He is remembered as long as there is no place for him.
        let known: Vec<i64> = (1000..1010).collect();
        assert_eq!(full(&windows), known);
        assert_eq!(fill(&mut windows, 7..8, Some(another), now).len(), most);
        windows.end(seats[0], now);
        assert_eq!(full(&windows), [7]);
        // A connection counts where it is expected to go before it is there.
        windows.begin(1005, false, now);
        assert!(full(&windows).contains(&1006));
    }
    // Where the administrator leads them all has no such bound.
    let mut windows = Windows::default();
    assert_eq!(fill(&mut windows, 1000..1003, None, now).len(), 60);
}

/// Nothing is left of who comes and goes.
#[test]
fn addresses_are_forgotten() {
    let (mut windows, now) = (Windows::default(), Instant::now());
    for number in 0..100 {
        let mut seat = windows.begin(number, false, now);
        assert!(windows.reach(&mut seat, Some(IpAddr::from([192, 0, 2, 1])), now));
        windows.end(seat, now);
    }
    assert!(windows.by_destination.is_empty() && windows.by_address.is_empty());
}
