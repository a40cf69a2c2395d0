//! Certificates: can they be read, do they match their keys, are they for our name, and for how long yet.

use super::Findings;
use crate::config::{Certificate, Config};
use crate::system::SystemClock;
use crate::tls::{self, Leaf};
use jiff::{SignedDuration, Timestamp};
use model::Clock as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Renewal is late by now: ACME clients renew a month before the end.
pub(super) const RENEW_BEFORE_END: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Of a key's permissions, those of others than owner and group.
const STRANGERS: u32 = 0o007;

pub(super) fn look(config: &Config, findings: &mut Findings) {
    // Of what is ordered, `certificates.rs` tells; it is for the hostname where a file is not.
    let is_ordered = config.acme.directory().is_some();
    if config.tls.certificate.is_some() {
        let hostname = config.hostname();
        pair(&config.tls, (!is_ordered).then_some(hostname.as_str()), findings);
    } else if !is_ordered {
        let mend = "have one ordered in [acme], or name one for the hostname in [tls]: mail programs warn of this one";
        findings.warn("tls", "the certificate is self-signed by congthu, which also renews it", mend);
    }
    for other in &config.certificates {
        pair(other, None, findings);
    }
    for spec in config.listener_specs() {
        if let Some(Err(error)) = spec.callers.certificates().map(tls::verifier) {
            findings.error("tls", format!("the listener {}: {error:#}", spec.bind), "");
        }
    }
}

fn pair(files: &Certificate, hostname: Option<&str>, findings: &mut Findings) {
    let (Some(certificate), Some(key)) = (&files.certificate, &files.key) else { return };
    let leaf = match tls::look(certificate, key) {
        Ok(leaf) => leaf,
        // The text says what to do.
        Err(error) => return findings.error("tls", format!("{error:#}"), ""),
    };
    strangers(key, findings);
    judge(&certificate.display().to_string(), &leaf, hostname, SystemClock.now(), findings);
}

fn strangers(key: &Path, findings: &mut Findings) {
    if std::fs::metadata(key).is_ok_and(|metadata| metadata.permissions().mode() & STRANGERS != 0) {
        let what = format!("everybody on this machine can read the key {}", key.display());
        findings.warn("tls", what, format!("chmod o= {}", key.display()));
    }
}

fn judge(file: &str, leaf: &Leaf, hostname: Option<&str>, now: Timestamp, findings: &mut Findings) {
    let end = leaf.end.strftime("%Y-%m-%d");
    if let Some(name) = hostname.filter(|name| !leaf.covers(name)) {
        let what = format!("{file} is for {}, not for the hostname {name}", leaf.names.join(", "));
        findings.error("tls", what, "get one for the hostname, or correct hostname");
    }
    if leaf.begin > now {
        let what = format!("{file} is not valid before {}", leaf.begin);
        findings.error("tls", what, "check this machine's clock, or wait");
    } else if leaf.end <= now {
        findings.error("tls", format!("{file} ended on {end}"), "renew it, then reload congthu (SIGHUP)");
    } else if leaf.end.duration_since(now) < RENEW_BEFORE_END {
        findings.warn("tls", format!("{file} ends on {end}"), "renew it, then reload congthu (SIGHUP)");
    } else {
        findings.ok("tls", format!("{file} is for {} and good until {end}", leaf.names.join(", ")));
    }
    if leaf.is_self_signed {
        findings.warn("tls", format!("{file} is self-signed"), "mail programs warn of it");
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn judged(name: &str, now: &str) -> Vec<Level> {
        let leaf = Leaf {
            names: vec!["mail.demo.gov.vn".to_owned(), "*.thu.vn".to_owned()],
            begin: "2026-01-01T00:00:00Z".parse().unwrap(),
            end: "2026-04-01T00:00:00Z".parse().unwrap(),
            is_self_signed: false,
        };
        let mut findings = Findings::default();
        judge("a.crt", &leaf, Some(name), now.parse().unwrap(), &mut findings);
        findings.0.iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn files_are_looked_at_whether_or_not_some_are_ordered() {
        let directory = tempfile::tempdir().unwrap();
        let nobody = directory.path().join("clients.pem");
        std::fs::write(&nobody, "none").unwrap();
        let found = |tables: &str| {
            let config = Config::parse(&format!("hostname = 'mail.a.vn'\n{tables}"), "x").unwrap();
            let mut findings = Findings::default();
            look(&config, &mut findings);
            findings.0.into_iter().map(|finding| (finding.level, finding.what)).collect::<Vec<_>>()
        };
        let (acme, files) = (
            "[acme]\ndirectory = 'https://ca/'\n",
            "[tls]\ncertificate = '/nowhere/a'\nkey = '/nowhere/b'\n",
        );
        let cannot_read = |tables: &str| {
            let [(level, what)] = &found(tables)[..] else { return false };
            *level == Level::Error && what.contains("cannot read the certificate /nowhere/a")
        };
        assert!(cannot_read(files) && cannot_read(&format!("{acme}{files}")));
        assert_eq!(found(acme), []);
        let listener = format!(
            "[[listener]]\nprotocol = 'imap'\nbind = '127.0.0.1:993'\ntls = 'implicit'\nclient_certificates = {{ ca = '{}' }}\n",
            nobody.display()
        );
        let [(Level::Error, what)] = &found(&format!("{acme}{listener}"))[..] else { panic!("one error") };
        assert!(
            what.starts_with("the listener 127.0.0.1:993: ") && what.contains("has no certificate"),
            "{what}"
        );
    }

    #[test]
    fn names_and_times_are_judged() {
        let name = "mail.demo.gov.vn";
        assert_eq!(judged(name, "2026-02-01T00:00:00Z"), [Level::Ok]);
        assert_eq!(judged("a.thu.vn", "2026-02-01T00:00:00Z"), [Level::Ok]);
        assert_eq!(judged("a.b.thu.vn", "2026-02-01T00:00:00Z"), [Level::Error, Level::Ok]);
        assert_eq!(judged(name, "2025-12-31T00:00:00Z"), [Level::Error]);
        assert_eq!(judged(name, "2026-03-25T00:00:00Z"), [Level::Warning]);
        assert_eq!(judged(name, "2026-04-01T00:00:00Z"), [Level::Error]);
    }
}
