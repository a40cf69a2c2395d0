//! Which listeners there are where none is written, and where mail comes in.

use super::{Bind, Callers, Config, ListenerSpec, Protocol, TlsMode};
use std::net::SocketAddr;

impl Config {
    /// Where other servers bring mail to this node; at all addresses of a family where it is unspecified.
    pub(crate) fn mail_doors(&self) -> Vec<SocketAddr> {
        let specs = self.listener_specs().into_iter();
        specs.filter(|spec| spec.protocol == Protocol::Smtp).flat_map(|spec| spec.bind.addresses()).collect()
    }
}

/// Browsers want TLS from the first octet on.
pub(super) fn is_page(spec: &ListenerSpec) -> bool {
    (spec.protocol, spec.tls) == (Protocol::Http, TlsMode::Implicit)
}

/// The ports mail clients and servers look for (RFC 5321, RFC 6409, RFC 8314, RFC 9051, RFC 5804); https for the password page; http for this machine.
/// Port 80 for an authority that looks there (RFC 8555 8.3).
pub(super) fn usual_listeners(with_port_80: bool) -> Vec<ListenerSpec> {
    use Protocol::{Acme, Http, Imap, Sieve, Smtp, Submission};
    use TlsMode::{Implicit, None, StartTls};
    let spec = |protocol, bind, tls| ListenerSpec { protocol, bind, tls, callers: Callers::default() };
    let mail = [
        (Smtp, 25, StartTls),
        (Submission, 587, StartTls),
        (Submission, 465, Implicit),
        (Imap, 143, StartTls),
        (Imap, 993, Implicit),
        (Sieve, 4190, StartTls),
    ];
    let http =
        [spec(Http, Bind::One(([127, 0, 0, 1], 8080).into()), None), spec(Http, Bind::All(443), Implicit)];
    let mail = mail.into_iter().map(|(protocol, port, tls)| spec(protocol, Bind::All(port), tls));
    let acme = with_port_80.then(|| spec(Acme, Bind::All(80), None));
    mail.chain(http).chain(acme).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_mail_comes_in() {
        let doors = |text: &str| {
            let doors = Config::parse(text, "test").unwrap().mail_doors();
            doors.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(doors(""), ["0.0.0.0:25", "[::]:25"]);
        let two = "[[listener]]\nprotocol = 'smtp'\nbind = '192.0.2.1:25'\n[[listener]]\nprotocol = 'imap'\nbind = '*:143'";
        assert_eq!(doors(two), ["192.0.2.1:25"]);
    }
}
