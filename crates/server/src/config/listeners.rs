//! Which listeners there are where none is written.

use super::{Bind, Callers, ListenerSpec, Protocol, TlsMode};

/// Browsers want TLS from the first octet on.
pub(super) fn is_page(spec: &ListenerSpec) -> bool {
    (spec.protocol, spec.tls) == (Protocol::Http, TlsMode::Implicit)
}

/// The ports mail clients and servers look for (RFC 5321, RFC 6409, RFC 8314, RFC 9051); https for the password page; http for this machine.
/// Port 80 for an authority that looks there (RFC 8555 8.3).
pub(super) fn usual_listeners(with_port_80: bool) -> Vec<ListenerSpec> {
    use Protocol::{Acme, Http, Imap, Smtp, Submission};
    use TlsMode::{Implicit, None, StartTls};
    let spec = |protocol, bind, tls| ListenerSpec { protocol, bind, tls, callers: Callers::default() };
    let mail = [
        (Smtp, 25, StartTls),
        (Submission, 587, StartTls),
        (Submission, 465, Implicit),
        (Imap, 143, StartTls),
        (Imap, 993, Implicit),
    ];
    let http =
        [spec(Http, Bind::One(([127, 0, 0, 1], 8080).into()), None), spec(Http, Bind::All(443), Implicit)];
    let mail = mail.into_iter().map(|(protocol, port, tls)| spec(protocol, Bind::All(port), tls));
    let acme = with_port_80.then(|| spec(Acme, Bind::All(80), None));
    mail.chain(http).chain(acme).collect()
}
