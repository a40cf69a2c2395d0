//! Who may come by a listener, who speaks for others there, and what clients show there.

use super::values::{read_flag, read_path};
use model::Network;
use std::net::IpAddr;
use std::path::PathBuf;
use toml::de::DeValue;

/// Who may come by a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Callers {
    /// Empty: everybody.
    pub(super) networks: Vec<Network>,
    /// Load balancers: their connections begin with a PROXY header, and nobody else is believed about an address.
    pub(super) proxies: Vec<Network>,
    /// None: clients are asked for none.
    pub(super) certificates: Option<ClientCertificates>,
}

/// Which certificates clients show under TLS, before anything is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientCertificates {
    /// PEM: who vouches for them.
    pub(crate) authorities: PathBuf,
    /// Whoever shows none is turned away.
    pub(crate) require: bool,
}

impl Callers {
    pub(crate) fn is_proxy(&self, peer: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(peer))
    }

    /// Of the client, not of a balancer that stands between.
    pub(crate) fn is_welcome(&self, client: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(client))
    }

    pub(crate) fn certificates(&self) -> Option<&ClientCertificates> {
        self.certificates.as_ref()
    }
}

pub(super) fn read_client_certificates(value: &DeValue<'_>) -> Result<ClientCertificates, String> {
    let wanted = "wants { ca = \"FILE\", require = true }";
    let table = value.as_table().ok_or_else(|| format!("{wanted}, not {}", value.type_str()))?;
    let (mut authorities, mut require) = (None, true);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "ca" => authorities = Some(read_path(value.get_ref())?),
            "require" => require = read_flag(value.get_ref())?,
            other => return Err(format!("{wanted}, and knows no {other:?}")),
        }
    }
    let authorities = authorities.ok_or_else(|| format!("{wanted}, and has no ca"))?;
    Ok(ClientCertificates { authorities, require })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(value: &str) -> Result<Option<ClientCertificates>, String> {
        let listener = "[[listener]]\nprotocol = 'imap'\nbind = '*:993'\ntls = 'implicit'\n";
        let config = Config::parse(&format!("{listener}client_certificates = {value}\n"), "x");
        let config = config.map_err(|error| error.to_string())?;
        Ok(config.listener_specs()[0].callers.certificates().cloned())
    }

    #[test]
    fn certificates_are_required_unless_it_is_said_otherwise() {
        let authorities = PathBuf::from("clients.pem");
        let certificates = |require| Some(ClientCertificates { authorities: authorities.clone(), require });
        assert_eq!(read("{ ca = 'clients.pem' }"), Ok(certificates(true)));
        assert_eq!(read("{ ca = 'clients.pem', require = false }"), Ok(certificates(false)));
        for (wrong, why) in [
            ("true", "wants { ca"),
            ("{ require = true }", "has no ca"),
            ("{ ca = 'a', required = true }", "knows no \"required\""),
            ("{ ca = 'a', require = 'yes' }", "wants true or false"),
        ] {
            assert!(read(wrong).unwrap_err().contains(why), "{wrong}");
        }
        let plain =
            "[[listener]]\nprotocol='lmtp'\nbind='127.0.0.1:24'\nclient_certificates = { ca = 'a' }\n";
        assert!(Config::parse(plain, "x").unwrap_err().to_string().contains("has no tls"));
    }
}
