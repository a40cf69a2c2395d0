//! Networks in CIDR notation, for settings that trust or exempt some.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address block such as `10.0.0.0/8` or `fd00::/8`; an address alone is a block of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: u128,
    mask: u128,
    v6: bool,
}

/// What is no network, as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    #[error("{0:?} is no network: a network is written like 10.0.0.0/8 or fd00::/8")]
    Form(String),
    /// The address of a machine in it: whoever wrote that meant the machine, or a smaller network.
    #[error("{0:?} names no network but an address in one: write {1}, or the address without a length")]
    Host(String, String),
}

impl Network {
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv6() == self.v6 && bits(address) & self.mask == self.base
    }
}

impl std::str::FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError::Form(text.to_owned());
        let (address, length) =
            text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width: u32 = if address.is_ipv6() { 128 } else { 32 };
        let length: u32 = length.map_or(Ok(width), str::parse).map_err(|_| wrong())?;
        if length > width {
            return Err(wrong());
        }
        // The bits of an IPv4 address are the low 32.
        let mask = u128::MAX.checked_shl(width - length).unwrap_or(0);
        let base = bits(address) & mask;
        if base != bits(address) {
            return Err(NetworkError::Host(text.to_owned(), format!("{}/{length}", spelt(base, address))));
        }
        Ok(Self { base, mask, v6: address.is_ipv6() })
    }
}

/// The address with these bits, of the same kind as that one.
fn spelt(bits: u128, like: IpAddr) -> IpAddr {
    match u32::try_from(bits) {
        Ok(v4) if like.is_ipv4() => Ipv4Addr::from(v4).into(),
        _ => Ipv6Addr::from(bits).into(),
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(network: &str, address: &str, inside: bool) {
        let network: Network = network.parse().unwrap();
        assert_eq!(network.contains(address.parse().unwrap()), inside, "{network:?} {address}");
    }

    #[test]
    fn contains_what_lies_in_the_block() {
        check("127.0.0.0/8", "127.1.2.3", true);
        check("127.0.0.0/8", "128.0.0.1", false);
        check("127.0.0.0/8", "::ffff:127.0.0.1", true);
        check("10.1.2.3", "10.1.2.3", true);
        check("10.1.2.3", "10.1.2.4", false);
        check("0.0.0.0/0", "8.8.8.8", true);
        check("0.0.0.0/0", "::1", false);
        check("fd00::/8", "fd12::1", true);
        check("::/0", "fd12::1", true);
    }

    #[test]
    fn refuses_other_text() {
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "a", "10.0.0.0/", "::/129"] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError::Form(bad.to_owned())));
        }
    }

    #[test]
    fn a_machine_is_no_network() {
        for (wrong, right) in
            [("10.1.2.3/8", "10.0.0.0/8"), ("fd12::1/8", "fd00::/8"), ("10.1.2.3/0", "0.0.0.0/0")]
        {
            let error = wrong.parse::<Network>().unwrap_err();
            assert_eq!(error, NetworkError::Host(wrong.to_owned(), right.to_owned()));
            assert!(right.parse::<Network>().is_ok());
        }
        assert!("10.1.2.3/32".parse::<Network>().is_ok());
    }
}
