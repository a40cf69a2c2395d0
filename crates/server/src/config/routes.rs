//! Several routes beside each other.
//!
//! Invariant: one way for one domain; of two, that which asks for TLS could be the one that does not count.

use super::{Config, HostPort, RouteTls};

/// How mail for one domain leaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Route {
    pub(crate) domain: String,
    pub(crate) host: Option<HostPort>,
    pub(crate) tls: RouteTls,
}

impl Config {
    pub(super) fn check_routes(&self) -> Result<(), String> {
        for (index, route) in self.routes.iter().enumerate() {
            let domain = spelt(&route.domain);
            if self.routes.iter().take(index).any(|earlier| spelt(&earlier.domain) == domain) {
                return Err(format!("two [[route]] are for {}: keep one of them", route.domain));
            }
        }
        Ok(())
    }
}

/// As it is asked for in the domain name system, however it was written; with the dot in front that says "all below".
fn spelt(domain: &str) -> String {
    let (dot, name) = domain.strip_prefix('.').map_or(("", domain), |name| (".", name));
    format!("{dot}{}", guard::ascii_domain(name).unwrap_or_else(|| name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(domains: &[&str]) -> Result<usize, String> {
        let route = |domain: &&str| format!("[[route]]\ndomain = \"{domain}\"\ntls = \"required\"\n");
        let text: String = domains.iter().map(route).collect();
        Config::parse(&text, "x.toml").map(|config| config.routes.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_domain_has_one_route() {
        assert_eq!(parsed(&["a.vn", ".a.vn", "b.a.vn", "vũ.vn"]), Ok(4));
        for twice in [["a.vn", "a.vn"], ["A.VN", "a.vn."], [".a.vn", ".a.vn"], ["vũ.vn", "xn--v-mna.vn"]] {
            let wrong = parsed(&[twice[0], "c.vn", twice[1]]).unwrap_err();
            assert!(wrong.starts_with("x.toml: two [[route]] are for "), "{wrong}");
            assert!(wrong.contains(twice[1].trim_end_matches('.')), "{wrong}");
        }
    }
}
