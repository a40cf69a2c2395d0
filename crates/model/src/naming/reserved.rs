//! Local parts that no person and no unit is given: those of roles, and for a time those of former holders.
//!
//! Invariants: [`ROLES`] cannot be edited away: somebody who holds `admin@` or `postmaster@` of a domain can have a TLS
//! certificate issued for it (CA/Browser Forum Baseline Requirements 3.2.2.4.4).

use serde::{Deserialize, Serialize};

/// Mailboxes that every domain has, with who asks for them.
pub const SERVICE_MAILBOXES: &[(&str, &str)] = &[
    ("postmaster", "RFC 5321 4.5.1"),
    ("abuse", "RFC 2142 2"),
    ("hotro", "Điều 7.2 Quyết định 63/2016/QĐ-UBND (An Giang); Điều 8 Quyết định 957/QĐ-UBND (Thái Nguyên)"),
    ("xulythurac", "Điều 9.4 Quyết định 59/2024/QĐ-UBND (Sóc Trăng)"),
];

/// Names of roles, never anybody's: RFC 2142, those that certificates are issued to, what programs look up or send
/// from, and their Vietnamese counterparts.
pub const ROLES: &[&str] = &[
    "abuse",
    "admin",
    "administrator",
    "all",
    "autoconfig",
    "autodiscover",
    "bounce",
    "bounces",
    "congthu",
    "contact",
    "daemon",
    "dmarc",
    "dmarc-noreply",
    "everyone",
    "ftp",
    "help",
    "hethong",
    "hostmaster",
    "hotro",
    "info",
    "list",
    "mailer-daemon",
    "marketing",
    "mta-sts",
    "news",
    "no-reply",
    "nobody",
    "noc",
    "noreply",
    "owner",
    "postmaster",
    "quantri",
    "request",
    "root",
    "sales",
    "security",
    "ssladmin",
    "sslwebmaster",
    "support",
    "sysadmin",
    "system",
    "tatca",
    "thongbao",
    "tlsrpt",
    "tlsrpt-noreply",
    "toantinh",
    "usenet",
    "uucp",
    "vanthu",
    "webmaster",
    "www",
    "xulythurac",
];

/// What is kept from being given out, beside [`ROLES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Reserved {
    /// Further local parts of this domain.
    pub also: Vec<String>,
    /// Roles every unit may have in front of its own local part: `vanthu.sotttt` (Thái Nguyên 957/2013 Điều 3.6.2).
    pub unit_roles: Vec<String>,
}

impl Default for Reserved {
    fn default() -> Self {
        Self { also: Vec::new(), unit_roles: vec!["vanthu".to_owned()] }
    }
}

impl Reserved {
    #[must_use]
    pub fn holds(&self, local: &str) -> bool {
        let unit_role =
            local.split_once('.').is_some_and(|(role, _)| self.unit_roles.iter().any(|of| of == role));
        unit_role || ROLES.contains(&local) || self.also.iter().any(|also| also == local)
    }
}

/// How long a local part that somebody gave up is kept from others; requirement A13 asks that it is never handed to somebody
/// else by accident, as mail for the former holder would reach the new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retention {
    /// The strictest, as no text says anything.
    #[default]
    Forever,
    /// Whole months from the day it was given up; at most [`RETENTION_MONTHS_MAX`] count.
    Months(u16),
}

/// A century: beyond it, one means for ever.
pub const RETENTION_MONTHS_MAX: u16 = 1_200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naming::LocalPart;

    #[test]
    fn roles_are_nobodys() {
        let reserved = Reserved { also: vec!["chutich".to_owned()], ..Reserved::default() };
        for local in ["postmaster", "admin", "hotro", "xulythurac", "vanthu.sotttt", "vanthu", "chutich"] {
            assert!(reserved.holds(local), "{local}");
        }
        // What reports to other domains are from.
        assert!(reserved.holds("dmarc-noreply") && reserved.holds("tlsrpt-noreply"));
        for local in ["ntbinh", "vanthu-x", "nvanthu", "vanphong.sotttt", ""] {
            assert!(!reserved.holds(local), "{local}");
        }
        assert!(ROLES.is_sorted() && ROLES.iter().all(|role| role.parse::<LocalPart>().is_ok()));
        assert!(SERVICE_MAILBOXES.iter().all(|(local, _)| ROLES.contains(local)));
    }
}
