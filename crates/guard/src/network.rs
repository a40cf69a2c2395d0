//! Addresses that anybody on the Internet could be at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Is the address one of the public network? What strangers publish in the domain name system must not lead us into our own
/// networks, nor through a translator or tunnel of ours: all that IANA's special-purpose registries (RFC 6890) do not call globally
/// reachable, and group addresses. Documentation's and benchmarks' count as public: nobody is there, and examples and tests have no other
/// strangers; but for 3fff::/20 (RFC 9637), which these do without.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// May who comes from there be in the building, or behind the same carrier's translator: loopback, private (RFC 1918, RFC 4193),
/// carriers' (RFC 6598) and link-local addresses? Not the opposite of [`is_public`]: from any other address it is a stranger.
#[must_use]
pub fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            four.is_loopback() || four.is_private() || four.is_link_local() || is_carriers(four)
        }
        IpAddr::V6(six) => six.is_loopback() || six.is_unique_local() || six.is_unicast_link_local(),
    }
}

fn is_carriers(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && second & 0xc0 == 64
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    // RFC 6890: this network, what is reserved, protocol assignments, and relays of 6to4 (RFC 7526).
    let special = first == 0 || first >= 240 || matches!((first, second, third), (192, 0, 0) | (192, 88, 99));
    !(address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || is_carriers(address)
        || special)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    // 64:ff9b::/96 is an IPv4 address behind a translator (RFC 6052); others of a network's own (RFC 8215) could be anything.
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() {
        return is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    }
    let [first, second, ..] = address.segments();
    // 2001::/23 are protocol assignments, Teredo's tunnels among them; 2002::/16 are 6to4's (RFC 7526); 3fff::/20 is for documentation.
    let special =
        (first == 0x2001 && second < 0x200) || first == 0x2002 || (first == 0x3fff && second < 0x1000);
    // Only 2000::/3 has been given out (RFC 4291).
    first & 0xe000 == 0x2000 && !special
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
            ("192.0.1.1", true),
            ("192.88.98.1", true),
            ("192.88.100.1", true),
            ("2001:200::1", true),
            ("2001:ee0::1", true),
            ("2001:db8::1", true),
            ("2003::1", true),
            ("3ffe::1", true),
            ("3fff:1000::1", true),
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
            ("192.88.99.1", false),
            ("64:ff9b:1::808:808", false),
            ("64:ff9b:0:1::808:808", false),
            ("100::1", false),
            ("2001::1", false),
            ("2001:0:808:808::1", false),
            ("2001:1ff:ffff::1", false),
            ("2002:7f00:1::", false),
            ("2002:808:808::1", false),
            ("3fff::1", false),
            ("3fff:fff:ffff::1", false),
            ("5f00::1", false),
            ("fec0::1", false),
            ("4000::1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    /// Who has an address that nobody is to have is no colleague.
    #[test]
    fn who_may_be_in_the_building() {
        for near in
            ["127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.1.1", "100.64.0.1", "::1", "fe80::1", "fd00::1"]
        {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for stranger in [
            "8.8.8.8",
            "192.88.99.1",
            "0.0.0.1",
            "240.0.0.1",
            "2001::1",
            "2002:a00:1::1",
            "3fff::1",
            "5f00::1",
            "64:ff9b::a00:1",
        ] {
            assert!(!is_near(stranger.parse().unwrap()), "{stranger}");
        }
        assert!(is_near("::ffff:10.0.0.1".parse().unwrap()));
    }
}
