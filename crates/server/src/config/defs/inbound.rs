//! Options of mail of strangers.

use super::{Definition, Fallback, put};
use crate::config::values::{read_flag, read_list};

pub(crate) const INBOUND: &[Definition] = &[
    Definition {
        table: "authentication",
        key: "check",
        kind: "true | false",
        fallback: Fallback::Value("true"),
        example: "false",
        doc: "SPF, DKIM, DMARC and ARC of all mail that comes to `smtp` listeners without a log-in, from `exempt_networks`, too; \
              the domains' policies (`inbound.…`) say what becomes of what fails. `false` where a server in front has done it, \
              whose results are then believed by nobody here.",
        set: |config, value| put(&mut config.authentication.check, read_flag(value)),
    },
    Definition {
        table: "authentication",
        key: "trusted_relays",
        kind: "list of networks",
        fallback: Fallback::Value("[]"),
        example: r#"["192.0.2.7"]"#,
        doc: "Servers of your own that take mail of strangers and hand it on to this one: a backup MX, a filter in front. SPF \
              would say something of their address and is not asked, and a domain is not said to disown (DMARC) what it may \
              have shown by SPF. Who writes in the name of a domain here must still be shown by a signature (DKIM): \
              `inbound.own_domain` holds for them as for anybody. Not for people's machines, scanners and applications, which \
              log in, or stand in the SPF record of the domain they write in the name of.",
        set: |config, value| put(&mut config.authentication.trusted_relays, read_list(value)),
    },
];
