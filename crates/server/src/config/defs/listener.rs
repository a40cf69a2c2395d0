//! What clients of a listener show besides a password.

use super::{Definition, Fallback, put};
use crate::config::callers::read_client_certificates;

pub(crate) const CLIENTS: &[Definition] = &[Definition {
    table: "listener",
    key: "client_certificates",
    kind: "{ ca = path, require = true | false }",
    fallback: Fallback::Absent("clients are asked for none"),
    example: r#"{ ca = "/etc/congthu/clients.pem", require = true }"#,
    doc: "What clients show under TLS, besides a password: `ca` (PEM) vouches for it; `require`: who shows none is turned away. \
          docs/operations/certificates.md.",
    set: |config, value| {
        put(&mut config.listener()?.callers.certificates, read_client_certificates(value).map(Some))
    },
}];
