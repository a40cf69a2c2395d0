//! Listening sockets.
//!
//! Invariant: an IPv6 socket takes IPv6 alone, so that no IPv4 peer ever looks like an IPv6 one, and `*:25` can
//! be two sockets on one port.

use crate::config::{Bind, ListenerSpec};
use anyhow::bail;
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket};

/// Connections the kernel keeps for us until they are accepted; beyond, peers try again. As many as Linux allows
/// by default (net.core.somaxconn).
const BACKLOG: u32 = 4096;

/// A listener of the configuration with its sockets.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) spec: ListenerSpec,
    pub(crate) sockets: Vec<TcpListener>,
}

/// Binds all, or none: the sockets are dropped with the error.
///
/// # Errors
/// For the first port that cannot be had, with what to do about it.
pub(crate) fn bind_all(specs: &[ListenerSpec]) -> anyhow::Result<Vec<Bound>> {
    specs.iter().map(|spec| Ok(Bound { spec: spec.clone(), sockets: bind(spec)? })).collect()
}

fn bind(spec: &ListenerSpec) -> anyhow::Result<Vec<TcpListener>> {
    let mut sockets = Vec::new();
    for address in spec.bind.addresses() {
        match listen(address) {
            Ok(socket) => sockets.push(socket),
            Err(error) if is_without_ipv6(&error, spec.bind, address) => {
                tracing::debug!(%address, "this machine has no IPv6");
            }
            Err(error) => bail!(
                "cannot listen on {address} for {}: {error}; {}",
                spec.protocol.as_str(),
                mend(&error, address)
            ),
        }
    }
    Ok(sockets)
}

/// Whether the port could be had now; nobody is served meanwhile.
///
/// # Errors
/// Why not, and what to do about it.
pub(crate) fn try_bind(spec: &ListenerSpec) -> Result<(), (Error, String)> {
    for address in spec.bind.addresses() {
        match listen(address) {
            Ok(_) => {}
            Err(error) if is_without_ipv6(&error, spec.bind, address) => {}
            Err(error) => {
                let mend = mend(&error, address);
                return Err((error, mend));
            }
        }
    }
    Ok(())
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    // A restart must not wait for old connections' last packets.
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() {
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Of all the machine's addresses, those of a family it does not have are not missed.
fn is_without_ipv6(error: &Error, bind: Bind, address: SocketAddr) -> bool {
    let absent = error.kind() == ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    matches!(bind, Bind::All(_)) && address.is_ipv6() && absent
}

fn mend(error: &Error, address: SocketAddr) -> String {
    let port = address.port();
    match error.kind() {
        ErrorKind::AddrInUse => {
            format!(
                "another program has the port (ss -ltnp 'sport = :{port}' names it): stop it, or change bind in [[listener]]"
            )
        }
        ErrorKind::PermissionDenied => {
            "start congthu as root (it gives root up) or by its systemd unit, or choose a port above 1023"
                .to_owned()
        }
        ErrorKind::AddrNotAvailable => {
            "this machine does not have that address: change bind in [[listener]]".to_owned()
        }
        _ => "check bind in [[listener]]".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Protocol, TlsMode};

    fn spec(bind: Bind) -> ListenerSpec {
        ListenerSpec {
            protocol: Protocol::Smtp,
            bind,
            tls: TlsMode::None,
            callers: crate::config::Callers::default(),
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_named() {
        let first = bind_all(&[spec(Bind::One("127.0.0.1:0".parse().unwrap()))]).unwrap();
        let taken = first[0].sockets[0].local_addr().unwrap();
        let error = bind_all(&[spec(Bind::One(taken))]).unwrap_err().to_string();
        assert!(
            error.contains(&taken.to_string()) && error.contains("another program has the port"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn all_addresses_share_a_port() {
        let port = bind_all(&[spec(Bind::One("0.0.0.0:0".parse().unwrap()))]).unwrap()[0].sockets[0]
            .local_addr()
            .unwrap()
            .port();
        let bound = bind_all(&[spec(Bind::All(port))]).unwrap();
        assert!(!bound[0].sockets.is_empty());
    }
}
