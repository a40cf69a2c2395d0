//! What all SMTP listeners of a node share: how many connections there are, and how many octets are arriving.
//!
//! Invariants: a [`Place`] and a [`Reservation`] are given back when they are dropped, whatever ended the session; asking
//! never waits, so two half-arrived messages cannot wait for each other; strangers on one kind of port cannot take the
//! places of another's, nor those of trusted peers; nor takes one IPv6 /48, whose holder has 65,536 networks, more than half of a port's.

use crate::limits::{Limits, MAIL_SHARE_PERCENT, SUBMISSION_SHARE_PERCENT};
use crate::refusals::Refusals;
use proto::smtp::Role;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections and octets; shared by the listeners.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    connections: Mutex<Connections>,
    bytes: AtomicU64,
    refusals: Refusals,
}

#[derive(Debug, Default)]
struct Connections {
    total: u32,
    /// Of these, strangers on port 25.
    mail: Strangers,
    /// Of these, strangers on the submission ports.
    submission: Strangers,
    by_address: HashMap<IpAddr, u32>,
}

#[derive(Debug, Default)]
struct Strangers {
    count: u32,
    /// Of these, those of each IPv6 /48.
    by_site: HashMap<IpAddr, u32>,
}

/// Why a connection may not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    Address,
    Server,
}

/// One connection's place.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    address: IpAddr,
    site: Option<IpAddr>,
    /// Where a stranger has come in; `None`: a trusted peer.
    door: Option<Role>,
}

/// Octets of one message that count as arriving.
#[derive(Debug)]
pub(crate) struct Reservation {
    gate: Arc<Gate>,
    bytes: u64,
}

impl Gate {
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            connections: Mutex::default(),
            bytes: AtomicU64::new(0),
            refusals: Refusals::default(),
        })
    }

    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Octets of messages that are arriving now, and how many there may be.
    #[must_use]
    pub fn bytes_arriving(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.limits.bytes_in_flight)
    }

    /// Limits per address do not apply to `peer`.
    pub(crate) fn is_exempt(&self, peer: IpAddr) -> bool {
        self.limits.exempt.iter().any(|network| network.contains(peer))
    }

    /// A recipient was refused to `peer`; true when that happened often lately, over all its connections.
    pub(crate) fn refused(&self, peer: IpAddr) -> bool {
        self.refusals.note(counted_address(peer))
    }

    /// LMTP's neighbours, and whoever no limit per address applies to.
    pub(crate) fn is_trusted(&self, peer: IpAddr, role: Role) -> bool {
        role == Role::Lmtp || self.is_exempt(peer)
    }

    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr, role: Role) -> Result<Place, Full> {
        let (address, site) = (counted_address(peer), site(peer));
        let door = (!self.is_trusted(peer, role)).then_some(role);
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if connections.total >= self.limits.connections {
            return Err(Full::Server);
        }
        let own = connections.by_address.get(&address).copied().unwrap_or(0);
        if own >= self.limits.connections_per_address && !self.is_exempt(peer) {
            return Err(Full::Address);
        }
        if let Some((strangers, percent)) = connections.share(door) {
            // At least one, however low the operator sets the limit.
            let count_max = (u64::from(self.limits.connections) * u64::from(percent) / 100).max(1);
            if u64::from(strangers.count) >= count_max {
                return Err(Full::Server);
            }
            let site_max = (count_max / 2).max(self.limits.connections_per_address.into());
            if !strangers.enter(site, site_max) {
                return Err(Full::Address);
            }
        }
        connections.total += 1;
        connections.by_address.insert(address, own + 1);
        Ok(Place { gate: Arc::clone(self), address, site, door })
    }

    /// Begins a message, if one of `expected` octets would fit now. Only octets that came are counted, so that nobody
    /// fills the gate by announcing.
    pub(crate) fn begin(self: &Arc<Self>, expected: u64) -> Option<Reservation> {
        let used = self.bytes.load(Ordering::Relaxed);
        let fits = used.saturating_add(expected.max(1)) <= self.limits.bytes_in_flight;
        fits.then(|| Reservation { gate: Arc::clone(self), bytes: 0 })
    }
}

impl Connections {
    /// The strangers who came in at `door`, and how many percent of all places they may take.
    fn share(&mut self, door: Option<Role>) -> Option<(&mut Strangers, u32)> {
        match door {
            Some(Role::Smtp) => Some((&mut self.mail, MAIL_SHARE_PERCENT)),
            Some(Role::Submission) => Some((&mut self.submission, SUBMISSION_SHARE_PERCENT)),
            Some(Role::Lmtp) | None => None,
        }
    }
}

impl Strangers {
    /// One more; false where there are so many of its site.
    fn enter(&mut self, site: Option<IpAddr>, site_max: u64) -> bool {
        if let Some(site) = site {
            let of_site = self.by_site.get(&site).copied().unwrap_or(0);
            if u64::from(of_site) >= site_max {
                return false;
            }
            self.by_site.insert(site, of_site + 1);
        }
        self.count += 1;
        true
    }

    fn leave(&mut self, site: Option<IpAddr>) {
        self.count = self.count.saturating_sub(1);
        let Some(site) = site else { return };
        if let Some(of_site) = self.by_site.get_mut(&site) {
            *of_site = of_site.saturating_sub(1);
            if *of_site == 0 {
                self.by_site.remove(&site);
            }
        }
    }
}

impl Reservation {
    /// `bytes` more have come; false when the gate is full.
    pub(crate) fn grow(&mut self, bytes: u64) -> bool {
        let limit = self.gate.limits.bytes_in_flight;
        let more = |used: u64| used.checked_add(bytes).filter(|used| *used <= limit);
        let grown = self.gate.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if grown {
            self.bytes += bytes;
        }
        grown
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.gate.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = self.gate.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.total = connections.total.saturating_sub(1);
        if let Some((strangers, _)) = connections.share(self.door) {
            strangers.leave(self.site);
        }
        if let Some(own) = connections.by_address.get_mut(&self.address) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                connections.by_address.remove(&self.address);
            }
        }
    }
}

/// Whoever has IPv6 has a /64 at least, so all of it is one peer.
fn counted_address(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

/// Whoever rents a /48 has 65,536 of these.
fn site(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        IpAddr::V6(v6) => Some(Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80).into()),
        IpAddr::V4(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(limits: Limits) -> Arc<Gate> {
        Gate::new(limits)
    }

    #[test]
    fn connections_are_counted_and_given_back() {
        let gate = gate(Limits {
            connections_per_address: 1,
            connections: 5,
            exempt: vec!["127.0.0.0/8".parse().unwrap()],
            ..Limits::default()
        });
        let enter = |address: &str| gate.enter(address.parse().unwrap(), Role::Smtp);
        let first = enter("192.0.2.1").unwrap();
        assert_eq!(enter("192.0.2.1").unwrap_err(), Full::Address);
        assert_eq!(enter("::ffff:192.0.2.1").unwrap_err(), Full::Address);
        let _second = enter("2001:db8::1").unwrap();
        assert_eq!(enter("2001:db8::2").unwrap_err(), Full::Address);
        let _third = enter("127.0.0.1").unwrap();
        let fourth = enter("127.0.0.1").unwrap();
        let _fifth = enter("127.0.0.1").unwrap();
        assert_eq!(enter("192.0.2.9").unwrap_err(), Full::Server);
        drop((first, fourth));
        let _again = enter("192.0.2.1").unwrap();
        assert_eq!(gate.connections.lock().unwrap().by_address.len(), 3);
    }

    /// However many strangers hold port 25, users can send, and trusted peers too.
    #[test]
    fn no_port_takes_the_places_of_another() {
        let gate = gate(Limits {
            connections_per_address: 100,
            connections: 10,
            exempt: vec!["127.0.0.0/8".parse().unwrap()],
            ..Limits::default()
        });
        let enter = |address: [u8; 4], role| gate.enter(address.into(), role);
        let (stranger, known) = ([192, 0, 2, 1], [127, 0, 0, 1]);
        let mut mail: Vec<_> = (0..6).map(|_| enter(stranger, Role::Smtp).unwrap()).collect();
        assert_eq!(enter(stranger, Role::Smtp).unwrap_err(), Full::Server);
        let submission: Vec<_> = (0..3).map(|_| enter(stranger, Role::Submission).unwrap()).collect();
        assert_eq!(enter(stranger, Role::Submission).unwrap_err(), Full::Server);
        let trusted = enter(known, Role::Smtp).unwrap();
        assert_eq!(enter(known, Role::Smtp).unwrap_err(), Full::Server);
        drop(trusted);
        let _lmtp = enter(stranger, Role::Lmtp).unwrap();
        mail.pop();
        mail.push(enter(stranger, Role::Smtp).unwrap());
        drop((mail, submission));
        let connections = gate.connections.lock().unwrap();
        assert_eq!((connections.total, connections.mail.count, connections.submission.count), (1, 0, 0));
    }

    /// From each of its networks come as few as from anybody.
    #[test]
    fn one_site_does_not_fill_a_port() {
        let gate = gate(Limits { connections_per_address: 10, connections: 100, ..Limits::default() });
        let enter = |network: u16, role| {
            gate.enter(Ipv6Addr::new(0x2001, 0xdb8, 1, network, 0, 0, 0, 1).into(), role)
        };
        let mut mail: Vec<_> = (0..30).map(|network| enter(network % 10, Role::Smtp).unwrap()).collect();
        assert_eq!(enter(100, Role::Smtp).unwrap_err(), Full::Address);
        let others = ["2001:db8:2::1", "192.0.2.1", "::ffff:192.0.2.2"].map(|other| other.parse().unwrap());
        let others = others.map(|other| gate.enter(other, Role::Smtp).unwrap());
        let submission: Vec<_> =
            (0..15).map(|network| enter(200 + network, Role::Submission).unwrap()).collect();
        assert_eq!(enter(100, Role::Submission).unwrap_err(), Full::Address);
        mail.pop();
        mail.push(enter(100, Role::Smtp).unwrap());
        drop((mail, others, submission));
        let connections = gate.connections.lock().unwrap();
        assert!(connections.mail.by_site.is_empty() && connections.submission.by_site.is_empty());
    }

    /// A limit too low to be shared still lets everybody in.
    #[test]
    fn each_port_has_a_place() {
        let gate = gate(Limits { connections: 2, ..Limits::default() });
        let _submission = gate.enter([192, 0, 2, 1].into(), Role::Submission).unwrap();
        let _mail = gate.enter([192, 0, 2, 2].into(), Role::Smtp).unwrap();
    }

    #[test]
    fn octets_are_counted_and_given_back() {
        let gate = gate(Limits { bytes_in_flight: 100, ..Limits::default() });
        let mut a = gate.begin(100).unwrap();
        let mut b = gate.begin(60).unwrap();
        assert!(a.grow(60));
        assert!(gate.begin(41).is_none());
        assert!(!b.grow(41));
        assert!(b.grow(40));
        assert!(gate.begin(0).is_none());
        drop(a);
        assert!(b.grow(60));
        drop(b);
        assert_eq!(gate.bytes.load(Ordering::Relaxed), 0);
    }
}
