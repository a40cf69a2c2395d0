//! The kinds of value an option can have, and how each is read from TOML.
//!
//! Invariant: a reader says in one phrase what it wanted; the caller adds file, line and key.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use toml::de::DeValue;

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Smtp,
    Submission,
    Lmtp,
    Imap,
    /// ManageSieve.
    Sieve,
    Http,
    /// What authorities look for that vouch for our names, and the way to https.
    Acme,
}

impl Protocol {
    pub(crate) const ALL: [Self; 7] =
        [Self::Smtp, Self::Submission, Self::Lmtp, Self::Imap, Self::Sieve, Self::Http, Self::Acme];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Lmtp => "lmtp",
            Self::Imap => "imap",
            Self::Sieve => "sieve",
            Self::Http => "http",
            Self::Acme => "acme",
        }
    }

    /// What holds when a listener does not say: mail protocols offer STARTTLS, the others have none.
    pub(crate) const fn default_tls(self) -> TlsMode {
        match self {
            Self::Smtp | Self::Submission | Self::Imap | Self::Sieve => TlsMode::StartTls,
            Self::Lmtp | Self::Http | Self::Acme => TlsMode::None,
        }
    }
}

impl FromStr for Protocol {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.as_str() == name)
            .ok_or_else(|| format!("{name:?} is not one of smtp, submission, lmtp, imap, sieve, http, acme"))
    }
}

/// How a listener comes to TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsMode {
    None,
    StartTls,
    Implicit,
}

impl TlsMode {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::StartTls => "starttls",
            Self::Implicit => "implicit",
        }
    }
}

impl FromStr for TlsMode {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        [Self::None, Self::StartTls, Self::Implicit]
            .into_iter()
            .find(|mode| mode.as_str() == name)
            .ok_or_else(|| format!("{name:?} is not one of none, starttls, implicit"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Human,
    Json,
}

impl FromStr for LogFormat {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(format!("{name:?} is not one of human, json")),
        }
    }
}

/// Where a listener listens: one address, or all of the machine's (IPv4 and IPv6 as two sockets, so that no
/// IPv4 peer is ever seen as an IPv6 address).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bind {
    One(SocketAddr),
    All(u16),
}

impl Bind {
    /// Whether only this machine can reach it.
    pub(crate) fn is_local(self) -> bool {
        matches!(self, Self::One(address) if address.ip().to_canonical().is_loopback())
    }

    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::One(address) => address.port(),
            Self::All(port) => port,
        }
    }

    /// Whether both cannot be listened on at once.
    pub(crate) fn meets(self, other: Self) -> bool {
        let meet = |a: SocketAddr, b: SocketAddr| {
            a.port() == b.port()
                && a.port() != 0
                && a.is_ipv6() == b.is_ipv6()
                && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
        };
        self.addresses().into_iter().any(|one| other.addresses().into_iter().any(|two| meet(one, two)))
    }

    pub(crate) fn addresses(self) -> Vec<SocketAddr> {
        match self {
            Self::One(address) => vec![address],
            Self::All(port) => {
                vec![(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()]
            }
        }
    }
}

impl FromStr for Bind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(port) = text.strip_prefix("*:") {
            return port.parse().map(Self::All).map_err(|_| format!("{text:?} has no port from 0 to 65535"));
        }
        text.parse().map(Self::One).map_err(|_| {
            format!(
                "{text:?} is not an address and port such as \"127.0.0.1:2525\", \"[::1]:2525\" or \"*:25\""
            )
        })
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(address) => address.fmt(f),
            Self::All(port) => write!(f, "*:{port}"),
        }
    }
}

/// A size in bytes, 1 KB = 2^10, written `500MB`, `2GB`, `1048576`.
///
/// # Errors
/// When it is not a number with one of the units, is 0, or does not fit in 63 bits.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let wanted = || format!("{text:?} is not a size such as \"300MB\" or \"2GB\"");
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let shift = match unit.trim_start().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" => 10,
        "M" | "MB" => 20,
        "G" | "GB" => 30,
        "T" | "TB" => 40,
        _ => return Err(wanted()),
    };
    let bytes = number.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift)).ok_or_else(wanted)?;
    if bytes == 0 || i64::try_from(bytes).is_err() {
        return Err(wanted());
    }
    Ok(bytes)
}

pub(super) fn read_text(value: &DeValue<'_>) -> Result<String, String> {
    let text = value.as_str().ok_or_else(|| format!("wants text in quotes, not {}", value.type_str()))?;
    if text.is_empty() {
        return Err("must not be empty; leave the key out instead".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn read_path(value: &DeValue<'_>) -> Result<PathBuf, String> {
    read_text(value).map(PathBuf::from)
}

/// The directory of a `file:` URL (RFC 8089), without percent escapes.
pub(super) fn read_directory_url(value: &DeValue<'_>) -> Result<PathBuf, String> {
    let url = read_text(value)?;
    match url.strip_prefix("file://") {
        Some(path) if path.starts_with('/') && !path.contains('%') => Ok(PathBuf::from(path)),
        _ => {
            Err(format!("{url:?} is not of the form \"file:///directory\", the only one this version knows"))
        }
    }
}

pub(super) fn read<T: FromStr<Err: fmt::Display>>(value: &DeValue<'_>) -> Result<T, String> {
    read_text(value)?.parse().map_err(|error: T::Err| error.to_string())
}

pub(super) fn read_list<T: FromStr<Err: fmt::Display>>(value: &DeValue<'_>) -> Result<Vec<T>, String> {
    let items = value.as_array().ok_or_else(|| format!("wants a list in [ ], not {}", value.type_str()))?;
    items.iter().map(|item| read(item.get_ref())).collect()
}

/// A size from `least` to `most` bytes.
pub(super) fn read_size(value: &DeValue<'_>, least: u64, most: u64) -> Result<u64, String> {
    let bytes = match value.as_integer() {
        Some(number) => size(number.as_str()),
        None => size(&read_text(value)?),
    }?;
    if !(least..=most).contains(&bytes) {
        return Err(format!("wants a size from {}KB to {}MB", least >> 10, most >> 20));
    }
    Ok(bytes)
}

pub(super) fn read_flag(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("wants true or false, not {}", value.type_str()))
}

pub(super) fn read_switch(value: &DeValue<'_>) -> Result<bool, String> {
    match value.as_str() {
        Some("on") => Ok(true),
        Some("off") => Ok(false),
        _ => Err("wants \"on\" or \"off\"".to_owned()),
    }
}

/// A whole number from `least` to `most`.
pub(super) fn read_number(value: &DeValue<'_>, least: u32, most: u32) -> Result<u32, String> {
    let number =
        value.as_integer().and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok());
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("wants a whole number from {least} to {most}"))
}

/// `host:port`, where the host may be a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl FromStr for HostPort {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("{text:?} is not a host and port such as \"relay.example:25\"");
        let (host, port) = text.rsplit_once(':').ok_or_else(wanted)?;
        if host.is_empty() || (host.contains(':') && !host.starts_with('[')) {
            return Err(wanted());
        }
        Ok(Self { host: host.to_owned(), port: port.parse().map_err(|_| wanted())? })
    }
}

/// How mail for a domain is encrypted on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RouteTls {
    #[default]
    Opportunistic,
    Required,
    Verified,
    None,
}

impl FromStr for RouteTls {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "opportunistic" => Ok(Self::Opportunistic),
            "required" => Ok(Self::Required),
            "verified" => Ok(Self::Verified),
            "none" => Ok(Self::None),
            _ => Err(format!("{name:?} is not one of opportunistic, required, verified, none")),
        }
    }
}

/// A domain in small letters, or a dot and a domain.
pub(super) fn read_domain(value: &DeValue<'_>) -> Result<String, String> {
    let text = read_text(value)?;
    let name = text.strip_prefix('.').unwrap_or(&text);
    let name = model::DomainName::new(name).map_err(|_| format!("{text:?} is not a domain"))?;
    Ok(if text.starts_with('.') { format!(".{name}") } else { name.to_string() })
}

/// An address and a port; newtype only so that its error reads like the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Server(pub(crate) SocketAddr);

impl FromStr for Server {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_| format!("{text:?} is not an address and port such as \"127.0.0.1:53\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("300MB"), Ok(300 << 20));
        assert_eq!(size("2 GB"), Ok(2 << 30));
        assert_eq!(size("12"), Ok(12));
        for bad in ["", "MB", "-1", "1.5GB", "2 parsec", "0", "99999999999TB"] {
            assert!(size(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_this_machine_reaches_loopback() {
        for local in ["127.0.0.1:24", "127.9.9.9:24", "[::1]:24", "[::ffff:127.0.0.1]:24"] {
            assert!(local.parse::<Bind>().unwrap().is_local(), "{local}");
        }
        for open in ["*:24", "0.0.0.0:24", "[::]:24", "192.0.2.1:24", "[2001:db8::1]:24"] {
            assert!(!open.parse::<Bind>().unwrap().is_local(), "{open}");
        }
    }

    #[test]
    fn one_port_is_for_one_listener() {
        let meet = |a: &str, b: &str| a.parse::<Bind>().unwrap().meets(b.parse().unwrap());
        for (a, b) in
            [("*:25", "*:25"), ("*:25", "127.0.0.1:25"), ("[::]:25", "*:25"), ("[::1]:25", "[::]:25")]
        {
            assert!(meet(a, b) && meet(b, a), "{a} {b}");
        }
        for (a, b) in [("*:25", "*:26"), ("0.0.0.0:25", "[::]:25"), ("127.0.0.1:25", "127.0.0.2:25")] {
            assert!(!meet(a, b) && !meet(b, a), "{a} {b}");
        }
    }

    #[test]
    fn binds() {
        assert_eq!("*:25".parse::<Bind>().unwrap().addresses().len(), 2);
        assert_eq!("[::1]:25".parse::<Bind>().unwrap().to_string(), "[::1]:25");
        for bad in ["25", "*:x", "localhost:25", "127.0.0.1", "127.0.0.1:99999"] {
            assert!(bad.parse::<Bind>().is_err(), "{bad:?}");
        }
    }
}
