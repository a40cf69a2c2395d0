//! How many connections a destination gets from this node: few at first, more while it takes mail, fewer when it does not.
//!
//! Invariants: always one at least and [`MOST`] at most, to all destinations at one address together no more than [`ADDRESS_MOST`]; bounded in
//! memory; a restart begins slowly, as it should; whoever takes mail has places that nobody who does not can take, and the last [`KEPT`] places
//! are for those who have hardly any.

use super::{CONNECTIONS_MAX, REPORT_CONNECTIONS_MAX, UNPROVEN_MAX};
use engine::WantedWork;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;
use tokio::time::Instant;

/// Connections to a destination nothing is known of.
const FIRST: u32 = 2;
const MOST: u32 = 20;
/// Connections to one address, or IPv6 network of 64 bits, that domains have named: whoever has one server may have any number of domains.
const ADDRESS_MOST: u32 = 20;
/// Places of a node for destinations with fewer than [`FIRST`] connections.
const KEPT: usize = CONNECTIONS_MAX / 5;
/// A destination that takes no message over any of its connections for so long keeps us waiting: 20 MB by a line of 1 Mbit/s take less.
const WAIT_MAX: Duration = Duration::from_mins(3);
/// Destinations that are remembered while no connection to them is open.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug)]
struct Window {
    allowed: u32,
    open: u32,
    /// It has taken a message, and not failed since.
    proven: bool,
    /// When it last took a message, or has been given one to take.
    since: Instant,
    /// Where it was last; `None`: not known, or where the administrator says.
    address: Option<IpAddr>,
}

impl Window {
    fn is_proven(&self, now: Instant) -> bool {
        self.proven && (self.open == 0 || now.duration_since(self.since) < WAIT_MAX)
    }
}

/// A connection's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) destination: i64,
    /// For nothing but reports.
    reports: bool,
    /// Where it goes, or is expected to.
    address: Option<IpAddr>,
}

#[derive(Debug, Default)]
pub(super) struct Windows {
    by_destination: HashMap<i64, Window>,
    /// Open to each address; never 0.
    by_address: HashMap<IpAddr, u32>,
    /// Open for nothing but reports.
    reports: usize,
}

impl Windows {
    /// What there is room for: destinations without as many connections as they may have; where too many keep us waiting as it
    /// is, only those that take mail.
    pub(super) fn wanted(&self, now: Instant) -> WantedWork {
        let all = || self.by_destination.iter();
        let of = |which: &dyn Fn(&Window) -> bool| {
            all().filter(|(_, window)| which(window)).map(|(id, _)| *id).collect::<Vec<i64>>()
        };
        let places = |open: u32| usize::try_from(open).unwrap_or(usize::MAX);
        let unproven =
            all().filter(|(_, window)| !window.is_proven(now)).map(|(_, window)| window.open).sum();
        let crowded = places(unproven) >= UNPROVEN_MAX;
        let nearly_full = places(all().map(|(_, window)| window.open).sum()) >= CONNECTIONS_MAX - KEPT;
        let has_enough = |window: &Window| {
            let allowed = if nearly_full { window.allowed.min(FIRST) } else { window.allowed };
            window.open >= allowed || window.address.is_some_and(|address| self.is_full(address))
        };
        WantedWork {
            busy: of(&has_enough),
            only: crowded.then(|| of(&|window| window.is_proven(now))),
            no_reports: self.reports >= REPORT_CONNECTIONS_MAX,
        }
    }

    pub(super) fn begin(&mut self, destination: i64, reports: bool, now: Instant) -> Seat {
        if self.by_destination.len() >= REMEMBERED_MAX {
            self.by_destination.retain(|_, window| window.open > 0);
        }
        let window = self.window(destination, now);
        if window.open == 0 {
            window.since = now;
        }
        window.open += 1;
        let address = window.address;
        self.reports += usize::from(reports);
        self.enter(address);
        Seat { destination, reports, address }
    }

    /// The connection is to `address`; `None`: the administrator named it. False when it is one too many there, and has to end.
    pub(super) fn reach(&mut self, seat: &mut Seat, address: Option<IpAddr>, now: Instant) -> bool {
        let address = address.map(network);
        self.leave(seat.address);
        let fits = address.is_none_or(|address| !self.is_full(address));
        seat.address = address.filter(|_| fits);
        self.enter(seat.address);
        self.window(seat.destination, now).address = address;
        fits
    }

    pub(super) fn end(&mut self, seat: Seat, now: Instant) {
        self.leave(seat.address);
        let window = self.window(seat.destination, now);
        window.open = window.open.saturating_sub(1);
        let Window { open, allowed, proven, address, .. } = *window;
        // Who has no place where he goes is remembered, else he would be tried again and again.
        if open == 0 && allowed == FIRST && !proven && !address.is_some_and(|address| self.is_full(address)) {
            self.by_destination.remove(&seat.destination);
        }
        self.reports = self.reports.saturating_sub(usize::from(seat.reports));
    }

    /// It has taken a message. True when a connection more may be opened than before.
    pub(super) fn grow(&mut self, destination: i64, now: Instant) -> bool {
        let window = self.window(destination, now);
        let was_full = window.open >= window.allowed;
        window.allowed = (window.allowed + 1).min(MOST);
        (window.proven, window.since) = (true, now);
        was_full && window.open < window.allowed
    }

    /// It has had enough (421), or a connection was lost.
    pub(super) fn halve(&mut self, destination: i64, now: Instant) {
        let window = self.window(destination, now);
        window.allowed = (window.allowed / 2).max(1);
        window.proven = false;
    }

    fn window(&mut self, destination: i64, now: Instant) -> &mut Window {
        let new = Window { allowed: FIRST, open: 0, proven: false, since: now, address: None };
        self.by_destination.entry(destination).or_insert(new)
    }

    fn is_full(&self, address: IpAddr) -> bool {
        self.by_address.get(&address).is_some_and(|open| *open >= ADDRESS_MOST)
    }

    fn enter(&mut self, address: Option<IpAddr>) {
        if let Some(address) = address {
            *self.by_address.entry(address).or_default() += 1;
        }
    }

    fn leave(&mut self, address: Option<IpAddr>) {
        let Some(address) = address else { return };
        if let Some(open) = self.by_address.get_mut(&address) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

/// What one server's owner has at least: an address, or an IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() >> 64 << 64)),
        four => four,
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
