//! Addresses that anybody on the Internet could be at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Is the address one of the public network? What strangers publish in the domain name system must not lead us into our own
/// networks: loopback, private (RFC 1918, RFC 4193), carriers' (RFC 6598), link-local, group and unspecified addresses.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let carriers = first == 100 && second & 0xc0 == 64;
    // RFC 6890: this network, protocol assignments, and what is reserved.
    let special = first == 0 || first >= 240 || (first, second, third) == (192, 0, 0);
    !(address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || carriers
        || special)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let [first, second, ..] = address.segments();
    // 64:ff9b::/96 is an IPv4 address behind a translator.
    if (first, second) == (0x64, 0xff9b) {
        let [.., high, low] = address.segments();
        return is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    }
    // 6to4 (RFC 3056) carries one, too.
    if first == 0x2002 {
        let [_, high, low, ..] = address.segments();
        return is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    }
    // Only 2000::/3 has been given out (RFC 4291).
    first & 0xe000 == 0x2000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_network() {
        for (address, public) in [
            ("8.8.8.8", true),
            ("203.0.113.5", true),
            ("172.32.0.1", true),
            ("100.128.0.1", true),
            ("2606:4700::1", true),
            ("64:ff9b::808:808", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("192.0.0.8", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("240.0.0.1", false),
            ("::1", false),
            ("::", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("::127.0.0.1", false),
            ("64:ff9b::7f00:1", false),
            ("2002:7f00:1::", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }
}
