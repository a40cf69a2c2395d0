//! What others read to find us, from the options and the listeners.

use super::{Config, ListenerSpec, Protocol, TlsMode, host_name};
use std::str::FromStr;

/// `[clients]` and `[mta_sts]`, as written.
#[derive(Clone, Debug, Default)]
pub(super) struct Published {
    pub(super) host: Option<String>,
    pub(super) mode: MtaStsMode,
    pub(super) exchanges: Vec<ExchangeName>,
    pub(super) max_age_days: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum MtaStsMode {
    #[default]
    Off,
    Testing,
    Enforce,
    None,
}

impl FromStr for MtaStsMode {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "off" => Ok(Self::Off),
            "testing" => Ok(Self::Testing),
            "enforce" => Ok(Self::Enforce),
            "none" => Ok(Self::None),
            _ => Err(format!("{name:?} is not one of off, testing, enforce, none")),
        }
    }
}

/// A host name, or `*.` and one (RFC 8461 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExchangeName(String);

impl FromStr for ExchangeName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        host_name(name).map(|_| Self(text.to_ascii_lowercase()))
    }
}

impl Config {
    /// What programs are told that set themselves up: the listeners that others reach, those with TLS from the first octet first;
    /// where there are none, those of this machine.
    pub(crate) fn servers(&self) -> web::Servers {
        web::Servers {
            imap: self.doors(Protocol::Imap),
            submission: self.doors(Protocol::Submission),
            mta_sts: self.mta_sts(),
        }
    }

    /// The name by which programs are told to come.
    pub(crate) fn host(&self) -> String {
        self.published.host.clone().unwrap_or_else(|| self.hostname())
    }

    fn doors(&self, protocol: Protocol) -> Vec<web::Server> {
        let specs = self.listener_specs();
        let fit = |spec: &&ListenerSpec| spec.protocol == protocol && spec.tls != TlsMode::None;
        let all: Vec<&ListenerSpec> = specs.iter().filter(fit).collect();
        let reached = all.iter().any(|spec| !spec.bind.is_local());
        let host = self.host();
        let mut doors: Vec<web::Server> = Vec::new();
        for spec in all.into_iter().filter(|spec| !reached || !spec.bind.is_local()) {
            let implicit_tls = spec.tls == TlsMode::Implicit;
            let door = web::Server { host: host.clone(), port: spec.bind.port(), implicit_tls };
            if !doors.contains(&door) {
                doors.push(door);
            }
        }
        doors.sort_by_key(|door| !door.implicit_tls);
        doors
    }

    /// The MTA-STS policy of our domains, if one is served.
    pub(crate) fn mta_sts(&self) -> Option<web::MtaSts> {
        let mode = match self.published.mode {
            MtaStsMode::Off => return None,
            MtaStsMode::Testing => "testing",
            MtaStsMode::Enforce => "enforce",
            MtaStsMode::None => "none",
        };
        let named: Vec<String> = self.published.exchanges.iter().map(|name| name.0.clone()).collect();
        let hosts = if named.is_empty() { vec![self.hostname()] } else { named };
        Some(web::MtaSts { mode, hosts, max_age: self.published.max_age_days * 24 * 60 * 60 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(text: &str) -> web::Servers {
        Config::parse(text, "test").unwrap().servers()
    }

    #[test]
    fn programs_are_told_what_they_can_reach() {
        let usual = servers("hostname = \"mail.a.vn\"");
        let ports = |servers: &[web::Server]| -> Vec<(u16, bool)> {
            servers.iter().map(|server| (server.port, server.implicit_tls)).collect()
        };
        assert_eq!(ports(&usual.imap), [(993, true), (143, false)]);
        assert_eq!(ports(&usual.submission), [(465, true), (587, false)]);
        assert_eq!((usual.imap[0].host.as_str(), usual.mta_sts), ("mail.a.vn", None));
        let other = servers(
            "hostname = \"node1.a.vn\"\n[clients]\nhost = \"mail.a.vn\"\n\
             [[listener]]\nprotocol = \"imap\"\nbind = \"127.0.0.1:2143\"\n\
             [[listener]]\nprotocol = \"imap\"\nbind = \"*:1993\"\ntls = \"implicit\"\n\
             [[listener]]\nprotocol = \"submission\"\nbind = \"127.0.0.1:2587\"\n",
        );
        assert_eq!((ports(&other.imap), other.imap[0].host.as_str()), (vec![(1993, true)], "mail.a.vn"));
        assert_eq!(ports(&other.submission), [(2587, false)], "a machine for trying it");
    }

    #[test]
    fn a_policy_names_our_servers() {
        let policy = |text: &str| servers(&format!("hostname = \"mail.a.vn\"\n[mta_sts]\n{text}")).mta_sts;
        assert_eq!(policy(""), None);
        let usual = policy("mode = \"testing\"").unwrap();
        assert_eq!(
            (usual.mode, usual.hosts, usual.max_age),
            ("testing", vec!["mail.a.vn".to_owned()], 604_800)
        );
        let more =
            policy("mode = \"enforce\"\nhosts = [\"MX1.a.vn\", \"*.b.vn\"]\nmax_age_days = 365").unwrap();
        assert_eq!(
            (more.hosts, more.max_age),
            (vec!["mx1.a.vn".to_owned(), "*.b.vn".to_owned()], 31_536_000)
        );
        for wrong in ["mode = \"on\"", "hosts = [\"*.*.vn\"]", "hosts = [\"a b\"]", "max_age_days = 366"] {
            assert!(Config::parse(&format!("[mta_sts]\n{wrong}"), "test").is_err(), "{wrong}");
        }
    }
}
