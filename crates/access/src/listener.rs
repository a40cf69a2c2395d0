//! Accepted connections: each a place, within limits, and a task.
//!
//! Invariants: every connection is counted, once for all listeners that share [`Places`], for exactly as long as its task
//! lives; every task is in the tracker that shutdown waits for; no IPv6 /48, whose holder has 65,536 networks, takes more than half of
//! what there is for everybody.

use crate::figures;
use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

/// Of all places, one in so many is kept for exempt addresses: a crowd at the door does not lock out our own webmail.
const EXEMPT_SHARE: u32 = 20;

/// Decides which addresses have no limit of their own, and a share of the places to themselves.
pub type Exempt = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// How many connections are kept at once.
#[derive(Clone)]
pub struct ListenLimits {
    /// Of one IPv4 address or one IPv6 /64. A whole office may sit behind one address, with five connections per user.
    pub per_address_max: u32,
    /// Of all addresses, exempt ones too, on all listeners together: what the memory and the descriptors of one node
    /// carry. A twentieth is for exempt addresses only.
    pub total_max: u32,
    pub exempt: Exempt,
}

impl Default for ListenLimits {
    fn default() -> Self {
        Self { per_address_max: 1_000, total_max: 20_000, exempt: Arc::new(|_| false) }
    }
}

impl std::fmt::Debug for ListenLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenLimits")
            .field("per_address_max", &self.per_address_max)
            .field("total_max", &self.total_max)
            .finish_non_exhaustive()
    }
}

/// The places of a node, shared by the listeners of a protocol: a clone is the same places.
#[derive(Clone, Debug)]
pub struct Places {
    limits: Arc<ListenLimits>,
    counts: Arc<Counts>,
}

impl Places {
    /// None of them taken.
    #[must_use]
    pub fn new(limits: ListenLimits) -> Self {
        Self { limits: Arc::new(limits), counts: Arc::default() }
    }
}

/// Gives a connection to `serve` as a task of `tasks`. `door` is the protocol, for the figures; `refused` is written to one that has no place before it is closed.
pub fn admit<Served>(
    stream: TcpStream,
    peer: IpAddr,
    places: &Places,
    (door, refused): (&'static str, &[u8]),
    tasks: &TaskTracker,
    serve: impl FnOnce(TcpStream) -> Served,
) where
    Served: Future<Output = ()> + Send + 'static,
{
    let Some(place) = Place::take(places, peer) else {
        figures::turned_away(door);
        tracing::warn!(remote = %peer, door, "connection refused: too many");
        // A best effort that cannot wait: the socket's empty send buffer takes one line.
        _ = stream.try_write(refused);
        return;
    };
    // Replies are flushed whole, so waiting for more to send only delays them.
    _ = stream.set_nodelay(true);
    let served = serve(stream);
    tasks.spawn(async move {
        served.await;
        drop(place);
    });
}

#[derive(Debug, Default)]
struct Counts(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    total: u32,
    by_address: HashMap<IpAddr, u32>,
    /// Of those that are not exempt.
    by_site: HashMap<IpAddr, u32>,
}

/// One connection's place among those counted; given back when dropped.
#[derive(Debug)]
struct Place {
    counts: Arc<Counts>,
    address: IpAddr,
    site: Option<IpAddr>,
}

impl Place {
    fn take(places: &Places, address: IpAddr) -> Option<Self> {
        let Places { limits, counts } = places;
        let exempt = (limits.exempt)(address);
        let site = if exempt { None } else { site(address) };
        let address = counted_address(address);
        let mut taken = counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.by_address.get(&address).copied().unwrap_or(0);
        let of_site = site.and_then(|site| taken.by_site.get(&site).copied()).unwrap_or(0);
        let reserve = if exempt { 0 } else { limits.total_max / EXEMPT_SHARE };
        let total_max = limits.total_max - reserve;
        let site_max = (total_max / 2).max(limits.per_address_max);
        let is_many = own >= limits.per_address_max || of_site >= site_max;
        if taken.total >= total_max || !exempt && is_many {
            return None;
        }
        taken.by_address.insert(address, own + 1);
        if let Some(site) = site {
            taken.by_site.insert(site, of_site + 1);
        }
        taken.total += 1;
        drop(taken);
        Some(Self { counts: Arc::clone(counts), address, site })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total = taken.total.saturating_sub(1);
        give_back(&mut taken.by_address, &self.address);
        if let Some(site) = &self.site {
            give_back(&mut taken.by_site, site);
        }
    }
}

fn give_back(counts: &mut HashMap<IpAddr, u32>, of: &IpAddr) {
    if let Some(count) = counts.get_mut(of) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(of);
        }
    }
}

/// A customer is given an IPv6 /64 at least, so all of it counts as one address.
fn counted_address(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Whoever rents a /48 has 65,536 of these; a carrier has thousands of our users' telephones in one.
fn site(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some(Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(per_address_max: u32, total_max: u32) -> ListenLimits {
        let exempt: Exempt = Arc::new(|address: IpAddr| address.is_loopback());
        ListenLimits { per_address_max, total_max, exempt }
    }

    #[test]
    fn places_are_counted_per_address_and_given_back() {
        let places = Places::new(limits(1, 4));
        let take = |address: &str| Place::take(&places, address.parse().unwrap());
        let first = take("192.0.2.1").unwrap();
        assert!(take("192.0.2.1").is_none());
        let _second = take("2001:db8::1").unwrap();
        assert!(take("2001:db8::2").is_none(), "the same /64");
        let _third = take("2001:db8:0:1::1").unwrap();
        let exempt = take("127.0.0.1").unwrap();
        assert!(take("192.0.2.2").is_none(), "the exempt one counts in the total");
        assert!(take("127.0.0.1").is_none(), "and the total is for it too");
        drop(first);
        let _again = take("192.0.2.1").unwrap();
        assert!(take("192.0.2.2").is_none(), "the total");
        drop(exempt);
        let _other = take("192.0.2.2").unwrap();
        assert_eq!(places.counts.0.lock().unwrap().by_address.len(), 4);
    }

    #[test]
    fn a_crowd_leaves_places_for_exempt_addresses() {
        let places = Places::new(limits(1_000, 40));
        let take = |address: &str| Place::take(&places, address.parse().unwrap());
        let crowd: Vec<Place> = std::iter::from_fn(|| take("192.0.2.1")).take(41).collect();
        assert_eq!(crowd.len(), 38);
        let exempt: Vec<Place> = std::iter::from_fn(|| take("127.0.0.1")).take(41).collect();
        assert_eq!(exempt.len(), 2);
    }

    /// From each of its networks come as few as from anybody.
    #[test]
    fn one_site_does_not_take_all_places() {
        let places = Places::new(limits(10, 40));
        let take =
            |network: u16| Place::take(&places, Ipv6Addr::new(0x2001, 0xdb8, 1, network, 0, 0, 0, 1).into());
        let mut site: Vec<Place> = (0..=40).map_while(take).collect();
        assert_eq!(site.len(), 19);
        let other = Place::take(&places, "2001:db8:2::1".parse().unwrap()).unwrap();
        site.pop();
        site.push(take(50).unwrap());
        assert!(take(51).is_none());
        drop((site, other));
        assert!(places.counts.0.lock().unwrap().by_site.is_empty(), "given back");
    }

    #[tokio::test]
    async fn a_connection_over_the_limit_is_told_and_closed() {
        use tokio::io::AsyncReadExt as _;
        let tasks = TaskTracker::new();
        let end = tokio_util::sync::CancellationToken::new();
        let none_exempt = ListenLimits { per_address_max: 1, total_max: 9, exempt: Arc::new(|_| false) };
        // Listeners share them.
        let places = Places::new(none_exempt);
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut said = Vec::new();
        for _ in 0..2 {
            let mut client = TcpStream::connect(socket.local_addr().unwrap()).await.unwrap();
            let (stream, peer) = socket.accept().await.unwrap();
            let ended = end.clone();
            admit(stream, peer.ip(), &places, ("imap", b"* BYE full\r\n"), &tasks, |mut stream| async move {
                use tokio::io::AsyncWriteExt as _;
                stream.write_all(b"* OK\r\n").await.unwrap();
                ended.cancelled().await;
            });
            let mut line = [0; 12];
            let count = client.read(&mut line).await.unwrap();
            said.push((line[..count].to_vec(), client));
        }
        assert_eq!(said[0].0, b"* OK\r\n");
        assert_eq!(said[1].0, b"* BYE full\r\n");
        assert_eq!(said[1].1.read(&mut [0; 1]).await.unwrap(), 0, "and closed");
        end.cancel();
        tasks.close();
        tasks.wait().await;
        assert!(Place::take(&places, "127.0.0.1".parse().unwrap()).is_some(), "given back");
    }
}
