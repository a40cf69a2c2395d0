//! `[acme]`: where certificates are ordered, and for which names.

use super::{Config, ConfigError, ListenerSpec, Protocol, TlsMode, host_name, read_file};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use engine::{MAIN_CERTIFICATE, WantedCertificate};
use guard::AcmeChallenge;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Names in one certificate, as authorities take them.
const NAMES_MAX: usize = 100;

/// As written.
#[derive(Clone, Default)]
pub(crate) struct Acme {
    pub(super) directory: Option<Directory>,
    pub(super) contact: Vec<model::Address>,
    pub(super) names: Vec<HostName>,
    pub(super) challenge: Challenge,
    pub(super) authorities: Option<PathBuf>,
    pub(super) binding_id: Option<String>,
    pub(super) binding_key_file: Option<PathBuf>,
    binding_key: Option<Vec<u8>>,
}

/// Without the key.
impl fmt::Debug for Acme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acme")
            .field("directory", &self.directory)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Directory(String);

impl FromStr for Directory {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let host = text.strip_prefix("https://").and_then(|rest| rest.split('/').next());
        match host {
            Some(host) if !host.is_empty() && !text.contains(char::is_whitespace) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(format!("{text:?} is not a URL that begins with https://")),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct HostName(String);

impl FromStr for HostName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        host_name(text).map(Self)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Challenge(AcmeChallenge);

impl Default for Challenge {
    fn default() -> Self {
        Self(AcmeChallenge::Http01)
    }
}

impl FromStr for Challenge {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "http-01" => Ok(Self(AcmeChallenge::Http01)),
            "tls-alpn-01" => Ok(Self(AcmeChallenge::TlsAlpn01)),
            _ => Err(format!("{name:?} is not one of http-01, tls-alpn-01")),
        }
    }
}

impl Acme {
    /// Where certificates are ordered; none where they are not.
    pub(crate) fn directory(&self) -> Option<&str> {
        self.directory.as_ref().map(|directory| directory.0.as_str())
    }

    pub(crate) fn challenge(&self) -> AcmeChallenge {
        self.challenge.0
    }

    /// Does the configuration say itself what all the names are?
    pub(crate) fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    pub(super) fn needs_port_80(&self) -> bool {
        self.directory.is_some() && self.challenge() == AcmeChallenge::Http01
    }

    pub(crate) fn contact(&self) -> Vec<String> {
        self.contact.iter().map(ToString::to_string).collect()
    }

    /// Who vouches for the authority's server, where it is said.
    pub(crate) fn authorities(&self) -> Option<&PathBuf> {
        self.authorities.as_ref()
    }

    /// Id and key of the account elsewhere.
    pub(crate) fn binding(&self) -> Option<(String, Vec<u8>)> {
        self.binding_id.clone().zip(self.binding_key.clone())
    }

    pub(super) fn read_binding_key(&mut self) -> Result<(), ConfigError> {
        let Some(file) = &self.binding_key_file else { return Ok(()) };
        let text = read_file(file, "secret")?;
        let text = text.trim().trim_end_matches('=');
        let key = URL_SAFE_NO_PAD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text));
        let bad = |_| ConfigError(format!("{} is not in base64url; check account_key_file", file.display()));
        self.binding_key = Some(key.map_err(bad)?);
        Ok(())
    }
}

impl Config {
    /// The certificate of this server's own names.
    pub(crate) fn main_certificate(&self) -> WantedCertificate {
        let others = match self.acme.names.is_empty() {
            true => vec![self.host()],
            false => self.acme.names.iter().map(|name| name.0.clone()).collect(),
        };
        WantedCertificate::new(MAIN_CERTIFICATE, others.into_iter().chain([self.hostname()]))
    }

    pub(super) fn check_acme(&self) -> Result<(), String> {
        let acme = &self.acme;
        if acme.binding_id.is_some() != acme.binding_key_file.is_some() {
            return Err(
                "[acme] has only one of account_id and account_key_file: give both, or neither".into()
            );
        }
        if acme.directory.is_none() {
            return Ok(());
        }
        if acme.names.len() >= NAMES_MAX {
            return Err(format!("[acme] has more than {} names: leave some out", NAMES_MAX - 1));
        }
        Ok(())
    }

    /// The listeners that answer the authority.
    pub(crate) fn answering_authorities(&self) -> Vec<ListenerSpec> {
        let kinds = match self.acme.challenge() {
            AcmeChallenge::Http01 => {
                [(Protocol::Acme, TlsMode::None), (Protocol::Http, TlsMode::None)].as_slice()
            }
            AcmeChallenge::TlsAlpn01 => [(Protocol::Http, TlsMode::Implicit)].as_slice(),
        };
        let answers = |spec: &ListenerSpec| kinds.contains(&(spec.protocol, spec.tls));
        self.listener_specs().into_iter().filter(answers).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        Config::parse(text, "x.toml").unwrap_err().to_string()
    }

    const ON: &str = "hostname = 'mail.a.vn'\n[acme]\ndirectory = 'https://ca.vn/d'\n";

    #[test]
    fn it_is_off_unless_an_authority_is_named_and_then_answers_on_port_80() {
        assert_eq!(Config::parse("", "x").unwrap().acme.directory(), None);
        let ports = |text: &str| -> Vec<u16> {
            Config::parse(text, "x").unwrap().listener_specs().iter().map(|spec| spec.bind.port()).collect()
        };
        assert!(!ports("").contains(&80));
        assert!(ports(ON).contains(&80));
        assert!(!ports(&format!("{ON}challenge = 'tls-alpn-01'\n")).contains(&80));
    }

    #[test]
    fn the_host_name_is_always_in_it() {
        let names = |more: &str| Config::parse(&format!("{ON}{more}"), "x").unwrap().main_certificate().names;
        assert_eq!(names(""), ["mail.a.vn"]);
        assert_eq!(names("[clients]\nhost = 'thu.a.vn'\n"), ["mail.a.vn", "thu.a.vn"]);
        assert_eq!(
            names("names = ['Mta-Sts.a.vn', 'mail.a.vn']\n[clients]\nhost = 'thu.a.vn'\n"),
            ["mail.a.vn", "mta-sts.a.vn"]
        );
    }

    #[test]
    fn what_cannot_come_about_is_refused() {
        assert!(mistake("[acme]\ndirectory = 'http://ca.vn/'").contains("begins with https://"));
        assert!(mistake("[acme]\nchallenge = 'dns-01'").contains("not one of http-01"));
        assert!(mistake("[acme]\naccount_id = 'a'").contains("give both"));
        assert!(mistake("[acme]\nnames = ['*.a.vn']").contains("is not a host name"));
        let acme = "[[listener]]\nprotocol = 'acme'\nbind = '*:80'\n";
        assert!(mistake(&format!("{acme}tls = 'implicit'\n")).contains("has no tls"));
    }

    #[test]
    fn who_answers_the_authority() {
        let answering =
            |more: &str| Config::parse(&format!("{ON}{more}"), "x").unwrap().answering_authorities().len();
        assert_eq!(answering(""), 2, "on port 80, and whatever a proxy passes on to this machine's http");
        assert_eq!(answering("challenge = 'tls-alpn-01'\n"), 1);
        let imap = "[[listener]]\nprotocol = 'imap'\nbind = '*:993'\n";
        assert_eq!(answering(imap), 0);
        assert_eq!(answering(&format!("{imap}[[listener]]\nprotocol = 'acme'\nbind = '*:80'\n")), 1);
    }
}
