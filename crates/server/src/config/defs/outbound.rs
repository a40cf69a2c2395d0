//! Options of the road out: name servers, hosts, TLS towards others.

use super::{Definition, Fallback, put};
use crate::config::values::{read, read_domain, read_flag, read_list, read_path, read_switch};

pub(crate) const OUTBOUND: &[Definition] = &[
    Definition {
        table: "dns",
        key: "servers",
        kind: "list of addresses and ports",
        fallback: Fallback::Absent("the machine's resolvers"),
        example: r#"["127.0.0.1:53"]"#,
        doc: "Name servers to ask. DANE needs one that hands on what proves its answers (DNSSEC): a resolver of your own.",
        set: |config, value| put(&mut config.dns_servers, read_list(value)),
    },
    Definition {
        table: "dns",
        key: "anchors",
        kind: "path",
        fallback: Fallback::Absent("the keys of the Internet's root"),
        example: r#""/etc/congthu/root.key""#,
        doc: "For a network with a root of its own: that root's keys, as lines `. IN DNSKEY …`. What proves answers (DNSSEC) begins with them.",
        set: |config, value| put(&mut config.dns_anchors, read_path(value).map(Some)),
    },
    Definition {
        table: "dns",
        key: "dnssec",
        kind: "on | off",
        fallback: Fallback::Value(r#""on""#),
        example: r#""off""#,
        doc: "`off`: no proof of names (DNSSEC) is asked for, and no mail waits for one. Then DANE is lost: whoever sends mail by MX goes by what the \
              name servers say, proven or not. Only for name servers that refuse such questions (`congthu check` says whether they do) and cannot be changed.",
        set: |config, value| put(&mut config.dnssec, read_switch(value)),
    },
    Definition {
        table: "outbound",
        key: "smart_host",
        kind: "host and port",
        fallback: Fallback::Absent("each domain's MX"),
        example: r#""relay.demo.gov.vn:25""#,
        doc: "Takes all mail for other domains that no `[[route]]` is for.",
        set: |config, value| put(&mut config.smart_host, read(value).map(Some)),
    },
    Definition {
        table: "outbound",
        key: "source",
        kind: "list of addresses",
        fallback: Fallback::Value("[]"),
        example: r#"["192.0.2.1", "2001:db8::1"]"#,
        doc: "Addresses of this machine that mail leaves from, one IPv4 and one IPv6; those that SPF records name.",
        set: |config, value| put(&mut config.outbound.sources, read_list(value)),
    },
    Definition {
        table: "outbound",
        key: "authorities",
        kind: "path",
        fallback: Fallback::Value(r#""/etc/ssl/certs/ca-certificates.crt""#),
        example: r#""/etc/congthu/authorities.pem""#,
        doc: "PEM: whose signatures on other servers' certificates are believed, where a policy wants them verified.",
        set: |config, value| put(&mut config.outbound.authorities, read_path(value)),
    },
    Definition {
        table: "outbound",
        key: "allow_private",
        kind: "true | false",
        fallback: Fallback::Value("false"),
        example: "true",
        doc: "Mail for a domain whose MX has only loopback or private addresses is refused, as strangers could lead it into your \
              networks; `true` delivers it. A `[[route]]` with a host needs no permission.",
        set: |config, value| put(&mut config.outbound.allow_private, read_flag(value)),
    },
    Definition {
        table: "outbound",
        key: "tls_reports",
        kind: "true | false",
        fallback: Fallback::Value("true"),
        example: "false",
        doc: "Domains that ask for it (TLSRPT) are told once a day how TLS came about when mail went to their servers: how often it \
              did, and how it failed. `false`: nothing is counted any more, so nothing is told.",
        set: |config, value| put(&mut config.outbound.tls_reports, read_flag(value)),
    },
    Definition {
        table: "route",
        key: "domain",
        kind: "domain",
        fallback: Fallback::Required,
        example: r#""b.gov.vn""#,
        doc: "With a dot in front: all domains below it. The nearest one counts.",
        set: |config, value| put(&mut config.route()?.domain, read_domain(value)),
    },
    Definition {
        table: "route",
        key: "host",
        kind: "host and port",
        fallback: Fallback::Absent("the domain's MX, past a smart host"),
        example: r#""mail.b.gov.vn:25""#,
        doc: "Takes the mail.",
        set: |config, value| put(&mut config.route()?.host, read(value).map(Some)),
    },
    Definition {
        table: "route",
        key: "tls",
        kind: "opportunistic | required | verified | none",
        fallback: Fallback::Value(r#""opportunistic""#),
        example: r#""verified""#,
        doc: "`opportunistic`: where it is offered, whoever's certificate it is, and as the domain's own policy (DANE, MTA-STS) says; \
              `required`: with any certificate, else the mail waits; `verified`: with one that is valid for `host`, or, without \
              `host`, for the domain or a name below it.",
        set: |config, value| put(&mut config.route()?.tls, read(value)),
    },
];
