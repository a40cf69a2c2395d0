//! What is known of the connection that mail of strangers comes by: what the peer calls itself, which lists its address is on, and
//! whether it was here before. `admission` decides by it, by each domain's policy.
//!
//! Invariants: what was not answered is not in here, so a list that is silent, or says what no list says, never counts against
//! anybody; nothing here shows who wrote a message.

use crate::{DnsList, DomainName, Doubtful};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Octets of a label of a domain name (RFC 1035 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// Of a connection that is a stranger's: not of one by a relay or a network of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    pub greeting: Greeting,
    /// Lists that its address is on; those that are silent, or were not asked, are not here.
    pub listings: Vec<Listing>,
    pub contact: Contact,
}

/// What the peer calls itself (RFC 5321 4.1.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Greeting {
    /// A name with a dot in it, or the address that the peer has. Nobody has verified it (RFC 5321 4.1.4).
    #[default]
    Plausible,
    /// Neither a full name nor an address literal (RFC 5321 2.3.5, 4.1.3).
    NotFull,
    /// Another's address.
    OtherAddress,
    /// This server's name, or that of a domain of ours.
    Ours,
}

/// A list that an address is on (RFC 5782 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub zone: String,
    /// The last octets of what it answered: 127.0.0.x, x from 2 to 254.
    pub codes: Vec<u8>,
}

/// Was a sender here before?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Contact {
    /// Nobody wants to know.
    #[default]
    NotAsked,
    /// He came back when he was told to, or somebody here has written to him.
    Known,
    /// He tried for the first time so long ago.
    Tried(Duration),
}

/// What a list said (RFC 5782 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListAnswer {
    NotListed,
    Listed(Vec<u8>),
    /// An answer that no list gives of an address: it refuses to be asked (127.255.255.x), or somebody else answers in its name.
    Unbelievable,
}

impl Greeting {
    /// By the name that the peer gave and the address it has; `is_ours`: the name is this server's, or of a domain of ours.
    #[must_use]
    pub fn of(name: &str, peer: IpAddr, is_ours: bool) -> Self {
        if is_ours {
            return Self::Ours;
        }
        if let Some(literal) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return match literal_address(literal) {
                Some(address) if address == peer.to_canonical() => Self::Plausible,
                Some(_) => Self::OtherAddress,
                None => Self::NotFull,
            };
        }
        if is_full_name(name.strip_suffix('.').unwrap_or(name)) { Self::Plausible } else { Self::NotFull }
    }

    /// For the log of messages and the field in front of them.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plausible => "plausible",
            Self::NotFull => "no_full_name",
            Self::OtherAddress => "other_address",
            Self::Ours => "our_name",
        }
    }
}

/// RFC 5321 4.1.3: `192.0.2.1`, `IPv6:2001:db8::1`.
fn literal_address(literal: &str) -> Option<IpAddr> {
    match literal.split_at_checked(5) {
        Some((tag, six)) if tag.eq_ignore_ascii_case("IPv6:") => {
            six.parse::<Ipv6Addr>().ok().map(|six| IpAddr::V6(six).to_canonical())
        }
        _ => literal.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// Several labels, of which the last is no number (an address without brackets is no name).
fn is_full_name(name: &str) -> bool {
    let fits = |label: &str| (1..=LABEL_BYTES_MAX).contains(&label.len()) && !label.contains([':', '[', ']']);
    let last = name.rsplit('.').next().unwrap_or_default();
    name.contains('.') && name.split('.').all(fits) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name that a list is asked for about an address: its octets, or its 32 nibbles, backwards (RFC 5782 2.1, 2.4).
#[must_use]
pub fn list_question(address: IpAddr, zone: &str) -> String {
    let mut name = String::new();
    match address.to_canonical() {
        IpAddr::V4(four) => four.octets().iter().rev().for_each(|octet| name.push_str(&format!("{octet}."))),
        IpAddr::V6(six) => {
            for octet in six.octets().iter().rev() {
                name.push_str(&format!("{:x}.{:x}.", octet & 0xf, octet >> 4));
            }
        }
    }
    name + zone
}

/// What the addresses that a list's name servers gave for such a name mean.
#[must_use]
pub fn list_answer(addresses: &[Ipv4Addr]) -> ListAnswer {
    let mut codes = Vec::new();
    for address in addresses {
        match address.octets() {
            [127, 0, 0, code @ 2..=254] => codes.push(code),
            _ => return ListAnswer::Unbelievable,
        }
    }
    codes.sort_unstable();
    codes.dedup();
    if codes.is_empty() { ListAnswer::NotListed } else { ListAnswer::Listed(codes) }
}

impl Connection {
    /// What a policy's lists want to have done, each that the address is on.
    pub fn acts<'a>(&'a self, lists: &'a [DnsList]) -> impl Iterator<Item = Doubtful> + 'a {
        let is_on = |list: &&DnsList| self.listings.iter().any(|listing| listing.is_meant_by(list));
        lists.iter().filter(is_on).map(|list| list.act)
    }

    /// Whatever about it is odd, a word each; none where nothing is. Names of lists are an administrator's, not a stranger's.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let greeting =
            (self.greeting != Greeting::Plausible).then(|| format!("helo={}", self.greeting.as_str()));
        let listed = self.listings.iter().map(|listing| {
            let codes = listing.codes.iter().map(|code| format!("127.0.0.{code}"));
            format!("listed={} ({})", listing.zone, codes.collect::<Vec<_>>().join(", "))
        });
        let tried = match self.contact {
            Contact::Tried(ago) => Some(format!("first_tried={}s", ago.as_secs())),
            Contact::NotAsked | Contact::Known => None,
        };
        greeting.into_iter().chain(listed).chain(tried).collect()
    }
}

impl Listing {
    fn is_meant_by(&self, list: &DnsList) -> bool {
        self.zone == list.zone.as_str() && self.codes.iter().any(|code| list.means(*code))
    }
}

/// The zones that these policies' lists name, each once.
#[must_use]
pub fn zones<'a>(lists: impl IntoIterator<Item = &'a DnsList>) -> Vec<DomainName> {
    let mut zones: Vec<DomainName> = lists.into_iter().map(|list| list.zone.clone()).collect();
    zones.sort_unstable();
    zones.dedup();
    zones
}

/// Who is told apart where first contacts are put off: a network of the size that one owner has, IPv4 /24 and IPv6 /64.
#[must_use]
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(four) => IpAddr::V4((u32::from(four) & 0xffff_ff00).into()),
        IpAddr::V6(six) => IpAddr::V6((u128::from(six) >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_calls_itself() {
        use Greeting::{NotFull, OtherAddress, Ours, Plausible};
        for (name, peer, expected) in [
            ("mail.example.org", "192.0.2.1", Plausible),
            ("mail.example.org.", "192.0.2.1", Plausible),
            ("mail_1.example.org", "192.0.2.1", Plausible),
            ("thư.ví-dụ.vn", "192.0.2.1", Plausible),
            ("[192.0.2.1]", "192.0.2.1", Plausible),
            ("[192.0.2.1]", "::ffff:192.0.2.1", Plausible),
            ("[IPv6:2001:db8::1]", "2001:db8::1", Plausible),
            ("[ipv6:2001:DB8:0::1]", "2001:db8::1", Plausible),
            ("[IPv6:::ffff:192.0.2.1]", "192.0.2.1", Plausible),
            ("[192.0.2.2]", "192.0.2.1", OtherAddress),
            ("[127.0.0.1]", "192.0.2.1", OtherAddress),
            ("[192.0.2.1]", "2001:db8::1", OtherAddress),
            ("[IPv6:2001:db8::2]", "2001:db8::1", OtherAddress),
            ("[2001:db8::1]", "2001:db8::1", NotFull),
            ("[mail.example.org]", "192.0.2.1", NotFull),
            ("[]", "192.0.2.1", NotFull),
            ("[thư]", "192.0.2.1", NotFull),
            ("192.0.2.1", "192.0.2.1", NotFull),
            ("2001:db8::1", "2001:db8::1", NotFull),
            ("localhost", "192.0.2.1", NotFull),
            ("WIN-7Q2", "192.0.2.1", NotFull),
            ("example.", "192.0.2.1", NotFull),
            (".", "192.0.2.1", NotFull),
            ("a..org", "192.0.2.1", NotFull),
            ("", "192.0.2.1", NotFull),
        ] {
            assert_eq!(Greeting::of(name, peer.parse().unwrap(), false), expected, "{name} {peer}");
        }
        assert_eq!(Greeting::of("mail.demo.vn", "192.0.2.1".parse().unwrap(), true), Ours);
    }

    /// RFC 5782 2.1, 2.4.
    #[test]
    fn a_list_is_asked_backwards() {
        let nibbles = "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ugly.example.com";
        for (address, zone, expected) in [
            ("192.0.2.99", "bad.example.com", "99.2.0.192.bad.example.com"),
            ("::ffff:192.0.2.99", "bad.example.com", "99.2.0.192.bad.example.com"),
            ("4321:0:1:2:3:4:567:89ab", "ugly.example.com", nibbles),
        ] {
            assert_eq!(list_question(address.parse().unwrap(), zone), expected);
        }
    }

    #[test]
    fn only_what_lists_say_is_an_answer() {
        use ListAnswer::{Listed, NotListed, Unbelievable};
        for (addresses, expected) in [
            (&[][..], NotListed),
            (&["127.0.0.2"], Listed(vec![2])),
            (&["127.0.0.11", "127.0.0.4", "127.0.0.4"], Listed(vec![4, 11])),
            (&["127.0.0.254"], Listed(vec![254])),
            // Who asks by a public resolver, too often, or for what is not there (Spamhaus).
            (&["127.255.255.254"], Unbelievable),
            (&["127.255.255.255"], Unbelievable),
            (&["127.0.0.2", "127.255.255.252"], Unbelievable),
            // RFC 5782 2.1: not to be used; and lists of something else.
            (&["127.0.0.1"], Unbelievable),
            (&["127.0.0.0"], Unbelievable),
            (&["127.0.0.255"], Unbelievable),
            (&["127.0.1.2"], Unbelievable),
            // Somebody who bought the list's name, or a resolver that leads whoever mistypes to advertisements.
            (&["203.0.113.9"], Unbelievable),
            (&["127.0.0.2", "203.0.113.9"], Unbelievable),
        ] {
            let addresses: Vec<Ipv4Addr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(list_answer(&addresses), expected, "{addresses:?}");
        }
    }

    #[test]
    fn odd_things_are_said_in_words() {
        let mut connection = Connection::default();
        assert_eq!(connection.words(), Vec::<String>::new());
        connection.greeting = Greeting::OtherAddress;
        connection.listings = vec![Listing { zone: "bl.example.org".into(), codes: vec![2, 4] }];
        connection.contact = Contact::Tried(Duration::from_secs(90));
        let words = ["helo=other_address", "listed=bl.example.org (127.0.0.2, 127.0.0.4)", "first_tried=90s"];
        assert_eq!(connection.words(), words);
    }

    #[test]
    fn neighbours_are_one() {
        for (address, expected) in [
            ("192.0.2.77", "192.0.2.0"),
            ("::ffff:192.0.2.77", "192.0.2.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(neighbourhood(address.parse().unwrap()), expected.parse::<IpAddr>().unwrap());
        }
    }
}
