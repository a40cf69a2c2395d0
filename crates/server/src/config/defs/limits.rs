//! Options of what one peer may take.

use super::{Definition, Fallback, put};
use crate::config::values::{read_list, read_number, read_size};

/// At 40 KB each, 8 GB: more than a machine of this system has for them. The server takes fewer where its limit on
/// open files is lower.
const CONNECTIONS_MAX: u32 = 200_000;
/// The least that everybody must take (RFC 5321 4.5.3.1.7).
const MESSAGE_BYTES_LEAST: u64 = 64 << 10;
/// Postgres takes values below 1 GB and messages are loaded whole where they are small: beyond 200 MB both end, and no
/// mail system on the way takes such a message.
const MESSAGE_BYTES_MOST: u64 = 200 << 20;

pub(crate) const LIMITS: &[Definition] = &[
    Definition {
        table: "limits",
        key: "message_size",
        kind: "size",
        fallback: Fallback::Value(r#""70MB""#),
        example: r#""70MB""#,
        doc: "The largest message taken, as it travels: a 50 MB attachment in base64 has 68.5 MB. At most 200MB.",
        set: |config, value| {
            put(
                &mut config.limits.message_bytes_max,
                read_size(value, MESSAGE_BYTES_LEAST, MESSAGE_BYTES_MOST),
            )
        },
    },
    Definition {
        table: "limits",
        key: "smtp_connections",
        kind: "whole number",
        fallback: Fallback::Value("5000"),
        example: "5000",
        doc: "Open connections of all smtp, submission and lmtp listeners together, at about 40 KB each; further ones get a temporary refusal. Strangers get at most 60 % of them on smtp and 30 % on submission; the rest is for lmtp and exempt networks.",
        set: |config, value| put(&mut config.limits.smtp_connections, read_number(value, 1, CONNECTIONS_MAX)),
    },
    Definition {
        table: "limits",
        key: "smtp_connections_per_address",
        kind: "whole number",
        fallback: Fallback::Value("100"),
        example: "100",
        doc: "Of those, from one IPv4 address or IPv6 /64; from one IPv6 /48 half of what strangers get on that kind of port.",
        set: |config, value| {
            put(&mut config.limits.smtp_connections_per_address, read_number(value, 1, CONNECTIONS_MAX))
        },
    },
    Definition {
        table: "limits",
        key: "imap_connections",
        kind: "whole number",
        fallback: Fallback::Value("20000"),
        example: "20000",
        doc: "Open connections of all imap and sieve listeners together; each mail program keeps up to five.",
        set: |config, value| put(&mut config.limits.imap_connections, read_number(value, 1, CONNECTIONS_MAX)),
    },
    Definition {
        table: "limits",
        key: "imap_connections_per_address",
        kind: "whole number",
        fallback: Fallback::Value("1000"),
        example: "1000",
        doc: "Of those, from one IPv4 address or IPv6 /64: a whole office may be behind one; from one IPv6 /48 half of all.",
        set: |config, value| {
            put(&mut config.limits.imap_connections_per_address, read_number(value, 1, CONNECTIONS_MAX))
        },
    },
    Definition {
        table: "limits",
        key: "exempt_networks",
        kind: "list of networks",
        fallback: Fallback::Value("[]"),
        example: r#"["127.0.0.0/8", "10.0.0.0/8"]"#,
        doc: "Limits per address and log-in back-off never apply to these. Nothing else is let pass: what they bring without a log-in \
              is checked like any stranger's mail (see `trusted_relays` in `[authentication]`), but for what is looked at of the \
              connection: greeting, lists of addresses, first contacts.",
        set: |config, value| put(&mut config.limits.exempt_networks, read_list(value)),
    },
];
