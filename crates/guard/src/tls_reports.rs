//! Where a domain wants to hear of TLS on the way to it (RFC 8460 3), and telling it there over HTTPS (5.4).

use crate::auth::plain_address;
use crate::dns::DnsError;
use crate::https::{Https, logged};
use crate::{Resolver, is_public};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Uri};
use proto::tlsrpt::{Place, places};
use rustls::RootCertStore;
use std::net::IpAddr;
use std::sync::Arc;

/// Where HTTPS is.
const HTTPS_PORT: u16 = 443;

impl Resolver {
    /// Where the record of this domain has reports sent: addresses that everybody can write, and URIs that something can be posted to; ten
    /// at most, each once, in its order.
    ///
    /// # Errors
    /// When it cannot be found out now.
    pub async fn tls_report_places(&self, domain: &str) -> Result<Vec<Place>, DnsError> {
        let texts = match self.texts(&format!("_smtp._tls.{domain}")).await {
            Err(DnsError::BadName(_)) => return Ok(Vec::new()),
            texts => texts?,
        };
        let mut told: Vec<Place> = Vec::new();
        for place in places(&texts) {
            let usable = match place {
                Place::Mail(address) => plain_address(&address).map(|(address, _)| Place::Mail(address)),
                Place::Https(uri) => Target::of(&uri).map(|_| Place::Https(uri)),
            };
            told.extend(usable.filter(|place| !told.contains(place)));
        }
        Ok(told)
    }
}

/// Takes reports to web servers that strangers name.
#[derive(Clone, Debug)]
pub struct Poster(Https);

impl Poster {
    /// `roots` verify the servers; `allow_private`: as in [`is_public`].
    ///
    /// # Errors
    /// When the cryptographic library refuses its own defaults.
    pub fn new(
        resolver: Resolver,
        roots: Arc<RootCertStore>,
        allow_private: bool,
    ) -> Result<Self, rustls::Error> {
        Ok(Self(Https::new(resolver, roots, allow_private)?))
    }

    /// RFC 8460 5.4: true when the server says that it has it.
    pub async fn post(&self, uri: &str, kind: &'static str, body: Vec<u8>) -> bool {
        let Some(Target { host, port, authority, path }) = Target::of(uri) else { return false };
        let request = Request::post(path)
            .header(HOST, authority)
            .header(CONTENT_TYPE, kind)
            .body(Full::new(Bytes::from(body)));
        let Ok(request) = request else { return false };
        // Nothing in the answer matters but its status.
        match self.0.ask((&host, port), request, |_| None).await {
            Ok((head, _)) => head.status.is_success(),
            Err(trouble) => {
                tracing::info!(host, trouble = logged(&trouble), "a report could not be handed over");
                false
            }
        }
    }
}

/// The parts of a URI that a request is made of.
struct Target {
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl Target {
    /// `None` for what is not HTTPS to a host of the public network's names.
    fn of(uri: &str) -> Option<Self> {
        // What stands behind `#` is for whoever reads (RFC 3986 3.5).
        let uri: Uri = uri.split('#').next()?.parse().ok()?;
        let (authority, host) = (uri.authority()?.as_str(), uri.host()?);
        let is_name = host.parse::<IpAddr>().is_err() && !host.starts_with('[') && host.contains('.');
        if uri.scheme_str() != Some("https") || authority.contains('@') || !is_name {
            return None;
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        // A query may stand right behind the host, and a request begins with a path.
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Self {
            host: host.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(HTTPS_PORT),
            authority: authority.to_owned(),
            path,
        })
    }
}

/// An address of ours as strangers may see it: what is of our own networks is nobody's business.
#[must_use]
pub fn shown_address(address: IpAddr, allow_private: bool) -> Option<IpAddr> {
    let address = address.to_canonical();
    (allow_private || is_public(address)).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::serve;

    #[tokio::test]
    async fn who_is_told() {
        let zone = "_smtp._tls.a.vn TXT v=TLSRPTv1; rua=mailto:T@A.vn,mailto:%C4%91@a.vn,mailto:t@A.VN,https://a.vn/r?x=1,mailto:u@a.vn\n\
                    _smtp._tls.b.vn TXT v=TLSRPTv1; rua=https://192.0.2.1/,https://[::1]/,https://localhost/,https://u@b.vn/,mailto:x\n\
                    _smtp._tls.c.vn SERVFAIL\n\
                    d.vn TXT v=TLSRPTv1; rua=mailto:t@d.vn\n";
        let (resolver, _running) = serve(zone).await;
        let mail = |address: &str| Place::Mail(address.to_owned());
        assert_eq!(
            resolver.tls_report_places("a.vn").await.unwrap(),
            [mail("T@a.vn"), mail("t@a.vn"), Place::Https("https://a.vn/r?x=1".to_owned()), mail("u@a.vn")],
            "those that can be told"
        );
        assert_eq!(resolver.tls_report_places("b.vn").await.unwrap(), []);
        assert!(resolver.tls_report_places("c.vn").await.is_err());
        assert_eq!(resolver.tls_report_places("d.vn").await.unwrap(), []);
    }

    #[test]
    fn what_a_request_is_made_of() {
        let parts = |uri: &str| Target::of(uri).map(|it| (it.host, it.port, it.authority, it.path));
        let said = |host: &str, port, authority: &str, path: &str| {
            Some((host.to_owned(), port, authority.to_owned(), path.to_owned()))
        };
        assert_eq!(parts("https://R.a.vn/v1?x=1#y"), said("r.a.vn", 443, "R.a.vn", "/v1?x=1"));
        assert_eq!(parts("https://a.vn:8443"), said("a.vn", 8443, "a.vn:8443", "/"));
        assert_eq!(parts("https://a.vn?x=1"), said("a.vn", 443, "a.vn", "/?x=1"));
        assert_eq!(parts("HTTPS://a.vn/"), said("a.vn", 443, "a.vn", "/"));
        for none in [
            "http://a.vn/",
            "https://u:p@a.vn/",
            "https://10.0.0.1/",
            "https://[fd00::1]/",
            "https://db/",
            "https:a",
        ] {
            assert_eq!(parts(none), None, "{none}");
        }
    }

    #[test]
    fn our_own_networks_are_not_shown() {
        let shown =
            |address: &str, all| shown_address(address.parse().unwrap(), all).map(|it| it.to_string());
        assert_eq!(shown("10.1.2.3", false), None);
        assert_eq!(shown("10.1.2.3", true).as_deref(), Some("10.1.2.3"));
        assert_eq!(shown("::ffff:203.113.1.1", false).as_deref(), Some("203.113.1.1"));
    }
}
