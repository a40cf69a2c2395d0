//! The PROXY protocol, version 2: what a load balancer says of a connection before the client's first octet.
//!
//! Source: HAProxy's `doc/proxy-protocol.txt`, section 2.2. Pure: whoever reads the socket reads [`PREFIX_LEN`] octets, then as many
//! as [`Prefix::body_len`] says, and nothing more, as the next octet is the client's. Version 1, which is a line of text whose end has to
//! be looked for, is not taken.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Octets before the addresses.
pub const PREFIX_LEN: usize = 16;
/// Octets of addresses and what may follow them: a balancer adds some hundred (the TLS it has seen, an identifier of 128 octets).
pub const BODY_MAX: usize = 4_096;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const VERSION: u8 = 2;

/// Why a connection does not begin as it has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("no PROXY header of version 2")]
    NoHeader,
    #[error("a PROXY header with an unknown command")]
    Command,
    #[error("a PROXY header for something else than TCP")]
    Family,
    #[error("a PROXY header that does not know for whom it is")]
    Unknown,
    #[error("a PROXY header whose length cannot be")]
    Length,
}

/// The first [`PREFIX_LEN`] octets, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    said: Said,
    body_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// The balancer speaks for itself, as when it looks whether we are well.
    Itself,
    V4,
    V6,
}

impl Prefix {
    /// # Errors
    /// For anything that is no header of version 2 over TCP, does not know its client, or is longer than any balancer makes it.
    pub fn read(octets: &[u8; PREFIX_LEN]) -> Result<Self, ProxyError> {
        let [signature @ .., version_command, family, high, low] = octets;
        if signature != SIGNATURE || version_command >> 4 != VERSION {
            return Err(ProxyError::NoHeader);
        }
        let said = match (version_command & 0x0f, family) {
            // Whatever addresses follow are not to be used.
            (0, _) => Said::Itself,
            // Section 2.2 leaves it to us: of a stranger whom it cannot name, the balancer's own address would make somebody trusted.
            (1, 0x00) => return Err(ProxyError::Unknown),
            (1, 0x11) => Said::V4,
            (1, 0x21) => Said::V6,
            (1, _) => return Err(ProxyError::Family),
            _ => return Err(ProxyError::Command),
        };
        let body_len = usize::from(u16::from_be_bytes([*high, *low]));
        let least = match said {
            Said::Itself => 0,
            Said::V4 => 12,
            Said::V6 => 36,
        };
        if (least..=BODY_MAX).contains(&body_len) {
            Ok(Self { said, body_len })
        } else {
            Err(ProxyError::Length)
        }
    }

    /// Octets that follow before the client's, at most [`BODY_MAX`].
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.body_len
    }

    /// The client, from the body; `None`: the balancer itself.
    ///
    /// # Errors
    /// When the body is shorter than [`Self::body_len`] said.
    pub fn client(&self, body: &[u8]) -> Result<Option<SocketAddr>, ProxyError> {
        let client = match self.said {
            Said::Itself => return Ok(None),
            Said::V4 => body.first_chunk::<12>().map(|[a, b, c, d, _, _, _, _, high, low, ..]| {
                (IpAddr::from(Ipv4Addr::new(*a, *b, *c, *d)), [*high, *low])
            }),
            Said::V6 => body.first_chunk::<16>().zip(body.get(32..34)).and_then(|(address, port)| {
                // A balancer that listens on both families writes IPv4 clients so.
                Some((IpAddr::from(Ipv6Addr::from(*address)).to_canonical(), port.try_into().ok()?))
            }),
        };
        let (address, port) = client.ok_or(ProxyError::Length)?;
        Ok(Some(SocketAddr::new(address, u16::from_be_bytes(port))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> Result<Option<SocketAddr>, ProxyError> {
        let prefix = Prefix::read(octets.first_chunk().ok_or(ProxyError::Length)?)?;
        prefix.client(octets.get(PREFIX_LEN..).unwrap_or_default())
    }

    fn header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [SIGNATURE, [command, family].as_slice(), &length, body].concat()
    }

    #[test]
    fn clients_of_both_families_are_named() {
        let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0xc0, 0x01, 0, 25];
        assert_eq!(read(&header(0x21, 0x11, &v4)), Ok(Some("192.0.2.7:49153".parse().unwrap())));
        // What follows the addresses is passed over.
        let more = [v4.as_slice(), &[0x04, 0, 3, 0, 0, 0]].concat();
        assert_eq!(read(&header(0x21, 0x11, &more)), Ok(Some("192.0.2.7:49153".parse().unwrap())));

        let mut v6 = [0; 36];
        v6[..16].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        v6[32..34].copy_from_slice(&[0xc0, 0x01]);
        assert_eq!(read(&header(0x21, 0x21, &v6)), Ok(Some("[2001:db8::7]:49153".parse().unwrap())));
        v6[..16].copy_from_slice(&"::ffff:192.0.2.7".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(read(&header(0x21, 0x21, &v6)), Ok(Some("192.0.2.7:49153".parse().unwrap())));
    }

    #[test]
    fn a_balancer_may_speak_for_itself() {
        assert_eq!(read(&header(0x20, 0x00, &[])), Ok(None));
        assert_eq!(read(&header(0x20, 0x11, &[1; 12])), Ok(None), "addresses of LOCAL are not used");
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(read(b"EHLO client.example.vn\r\n"), Err(ProxyError::NoHeader));
        assert_eq!(read(b"PROXY TCP4 192.0.2.7 198.51.100.1 1 25\r\n"), Err(ProxyError::NoHeader));
        assert_eq!(read(&header(0x11, 0x11, &[1; 12])), Err(ProxyError::NoHeader), "another version");
        assert_eq!(read(&header(0x22, 0x11, &[1; 12])), Err(ProxyError::Command));
        assert_eq!(read(&header(0x21, 0x00, &[])), Err(ProxyError::Unknown));
        assert_eq!(read(&header(0x21, 0x00, &[1; 12])), Err(ProxyError::Unknown));
        assert_eq!(read(&header(0x21, 0x12, &[1; 12])), Err(ProxyError::Family), "UDP");
        assert_eq!(read(&header(0x21, 0x31, &[1; 216])), Err(ProxyError::Family), "a socket file");
        assert_eq!(read(&header(0x21, 0x11, &[1; 11])), Err(ProxyError::Length));
        assert_eq!(read(&header(0x21, 0x21, &[1; 35])), Err(ProxyError::Length));
        assert_eq!(read(&header(0x21, 0x11, &[1; BODY_MAX + 1])), Err(ProxyError::Length));
        let torn = header(0x21, 0x21, &[1; 36]);
        assert_eq!(read(&torn[..40]), Err(ProxyError::Length));
    }
}
