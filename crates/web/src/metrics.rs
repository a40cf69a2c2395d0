//! `/metrics`, in Prometheus' text format, for those who may know how busy this server is.
//!
//! Invariants: this machine may ask, and the networks of the configuration; whoever comes through a proxy is somebody
//! else, wherever the proxy runs; whoever may not ask learns what he would of any page that is not there.

use axum::extract::{ConnectInfo, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, FORWARDED, VIA};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::serve::{IncomingStream, Listener};
use model::Network;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpStream;

use crate::connections::Connections;

/// The version of the format (Prometheus, "Exposition formats").
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// What proxies say who asked them. One of these means that the peer is not who asks.
const PROXIED: [HeaderName; 3] = [FORWARDED, VIA, HeaderName::from_static("x-forwarded-for")];

/// What `/metrics` answers, and to whom.
#[derive(Clone)]
pub struct Metrics {
    /// May ask besides this machine.
    pub networks: Vec<Network>,
    /// Writes the page; must not wait.
    pub page: Arc<dyn Fn() -> String + Send + Sync>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("networks", &self.networks).finish_non_exhaustive()
    }
}

impl Metrics {
    fn may_ask(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let peer = peer.to_canonical();
        let near = peer.is_loopback() || self.networks.iter().any(|network| network.contains(peer));
        near && !PROXIED.iter().any(|name| headers.contains_key(name))
    }
}

/// Who is at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl<L> axum::extract::connect_info::Connected<IncomingStream<'_, Connections<L>>> for Peer
where
    L: Listener<Io = TcpStream, Addr = SocketAddr>,
{
    fn connect_info(stream: IncomingStream<'_, Connections<L>>) -> Self {
        Self(stream.remote_addr().ip())
    }
}

pub(crate) async fn metrics(
    State(metrics): State<Arc<Metrics>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Response {
    if !metrics.may_ask(peer, &headers) {
        return StatusCode::NOT_FOUND.into_response();
    }
    ([(CONTENT_TYPE, TEXT_FORMAT), (CONNECTION, "close")], (metrics.page)()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_and_the_named_networks_may_ask_and_no_proxy() {
        let metrics = Metrics { networks: vec!["10.1.2.0/24".parse().unwrap()], page: Arc::new(String::new) };
        let may = |peer: &str, header: Option<&'static str>| {
            let headers =
                header.map(|name| (HeaderName::from_static(name), "192.0.2.1".parse().unwrap())).into_iter();
            metrics.may_ask(peer.parse().unwrap(), &headers.collect())
        };
        for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "::ffff:10.1.2.3"] {
            assert!(may(peer, None), "{peer}");
            for proxied in ["forwarded", "via", "x-forwarded-for"] {
                assert!(!may(peer, Some(proxied)), "{peer} {proxied}");
            }
        }
        for peer in ["10.1.3.1", "192.0.2.1", "2001:db8::1", "10.0.0.1"] {
            assert!(!may(peer, None), "{peer}");
        }
    }
}
