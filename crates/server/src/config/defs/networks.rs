//! Options of the networks that people log in from.

use super::{Definition, Fallback, put};
use crate::config::values::{read_list, read_text};

pub(crate) const NETWORKS: &[Definition] = &[
    Definition {
        table: "cloud",
        key: "name",
        kind: "text",
        fallback: Fallback::Required,
        example: r#""Microsoft""#,
        doc: "The maker, as people are told. They have handed it their passwords; `login.clouds` of the policy says what becomes of it.",
        set: |config, value| put(&mut config.cloud()?.name, read_text(value)),
    },
    Definition {
        table: "cloud",
        key: "clients",
        kind: "list of texts",
        fallback: Fallback::Value("[]"),
        example: r#"["Microsoft Office 365"]"#,
        doc: "What its servers call themselves by IMAP's ID: the name begins so.",
        set: |config, value| put(&mut config.cloud()?.clients, read_list(value)),
    },
    Definition {
        table: "cloud",
        key: "networks",
        kind: "list of networks",
        fallback: Fallback::Value("[]"),
        example: r#"["40.96.0.0/13", "52.96.0.0/14"]"#,
        doc: "Where they come from, as the maker publishes it; that changes, so look from time to time.",
        set: |config, value| put(&mut config.cloud()?.networks, read_list(value)),
    },
    Definition {
        table: "networks",
        key: "countries",
        kind: "list of paths",
        fallback: Fallback::Value("[]"),
        example: r#"["/usr/share/tor/geoip", "/usr/share/tor/geoip6"]"#,
        doc: "Tables of which country an address is in, as Debian's package tor-geoipdb has them (docs/operations/filters.md); where two \
              know an address the later one holds, so a file of your own lines comes last. With them log-ins are kept with their \
              country, and one from where a mailbox is not used is told (`login.new_country` of the policy). Read at the start and by \
              `systemctl reload congthu`. Empty: nobody looks where log-ins come from.",
        set: |config, value| put(&mut config.networks.countries, read_list(value)),
    },
    Definition {
        table: "networks",
        key: "own",
        kind: "list of networks",
        fallback: Fallback::Value("[]"),
        example: r#"["203.0.113.0/24"]"#,
        doc: "Networks that are in no country, whatever tables say: the province's own. So are private networks and `exempt_networks`.",
        set: |config, value| put(&mut config.networks.own, read_list(value)),
    },
];
