//! Who may come by a listener, and who speaks for others there.

use model::Network;
use std::net::IpAddr;

/// Who may come by a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Callers {
    /// Empty: everybody.
    pub(super) networks: Vec<Network>,
    /// Load balancers: their connections begin with a PROXY header, and nobody else is believed about an address.
    pub(super) proxies: Vec<Network>,
}

impl Callers {
    pub(crate) fn is_proxy(&self, peer: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(peer))
    }

    /// Of the client, not of a balancer that stands between.
    pub(crate) fn is_welcome(&self, client: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(client))
    }
}
