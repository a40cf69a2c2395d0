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
    if config.acme.directory().is_some() {
        // Of what is ordered, `certificates.rs` tells.
    } else if config.tls.certificate.is_none() {
        let mend = "have one ordered in [acme], or name one for the hostname in [tls]: mail programs warn of this one";
        findings.warn("tls", "the certificate is self-signed by congthu, which also renews it", mend);
    } else {
        pair(&config.tls, Some(&config.hostname()), findings);
    }
    for other in &config.certificates {
        pair(other, None, findings);
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
