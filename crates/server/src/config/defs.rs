//! Every option, defined once: from these rows come the parser, the defaults, `docs/configuration.md` and
//! `config/congthu.example.toml`.
//!
//! To add one: a field in [`Config`](super::Config), a row here, then `congthu config docs` and `congthu config example` into the two files.

mod acme;
mod inbound;
mod limits;
mod listener;
mod networks;
mod outbound;
mod published;
mod scan;
mod telemetry;

pub(crate) use scan::Scan;

use super::values::{read, read_directory_url, read_flag, read_list, read_path, read_text};
use super::{Certificate, Config, Listener, Route};
use toml::de::DeValue;

/// A table of the file.
#[derive(Debug)]
pub(crate) struct Table {
    /// As between the brackets; empty for the top of the file.
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    /// For `[[name]]`: adds a new element, which the table's options then fill.
    pub(crate) begin: Option<fn(&mut Config)>,
}

/// What holds when an option is absent.
#[derive(Debug)]
pub(crate) enum Fallback {
    /// This TOML value, read by the same reader.
    Value(&'static str),
    /// No value; the words say what happens.
    Absent(&'static str),
    /// The table cannot do without.
    Required,
}

/// One option.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) table: &'static str,
    pub(crate) key: &'static str,
    /// In words, for the reference: "path", "size", "list of networks".
    pub(crate) kind: &'static str,
    pub(crate) fallback: Fallback,
    /// A TOML value that the parser accepts.
    pub(crate) example: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) set: fn(&mut Config, &DeValue<'_>) -> Result<(), String>,
}

/// Keeps a value that could be read.
fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

fn read_host_name(value: &DeValue<'_>) -> Result<String, String> {
    super::host_name(&read_text(value)?)
}

pub(crate) const TABLES: &[Table] = &[
    Table { name: "", doc: "The top of the file, before the first table.", begin: None },
    Table {
        name: "database",
        doc: "Absent: congthu makes and supervises its own Postgres under `data_dir`, from the Postgres programs \
              installed on the machine.",
        begin: None,
    },
    Table {
        name: "content",
        doc: "Where large content lives. Absent: in Postgres, with everything else.",
        begin: None,
    },
    Table {
        name: "listener",
        doc: "One per port. None at all: smtp on *:25 (starttls), submission on *:587 (starttls) and *:465 (implicit), \
              imap on *:143 (starttls) and *:993 (implicit), sieve on *:4190 (starttls), http on *:443 (implicit) and on 127.0.0.1:8080; acme on *:80 where `[acme]` says http-01.",
        begin: Some(|config| config.listeners.push(Listener::default())),
    },
    Table {
        name: "tls",
        doc: "The certificate of `hostname`. Absent: a self-signed one under `data_dir`, made at the first start and \
              renewed by itself. After changing the files: `systemctl reload congthu` (SIGHUP).",
        begin: None,
    },
    Table {
        name: "certificate",
        doc: "Further certificates, chosen by the name that the client asks for (SNI).",
        begin: Some(|config| config.certificates.push(Certificate::default())),
    },
    Table {
        name: "acme",
        doc: "Has certificates ordered and renewed by themselves at an authority (ACME, RFC 8555), such as Let's Encrypt; its terms are \
              agreed to: docs/operations/certificates.md. A certificate of `[tls]` goes before it, for the names that that has.",
        begin: None,
    },
    Table { name: "dns", doc: "Whom names of others are asked of.", begin: None },
    Table {
        name: "authentication",
        doc: "What is found out of mail of strangers before it is taken: docs/operations/authentication.md.",
        begin: None,
    },
    Table { name: "outbound", doc: "How mail for other domains leaves.", begin: None },
    Table {
        name: "route",
        doc: "One per domain whose mail goes another way, or under other TLS, than that of all others.",
        begin: Some(|config| config.routes.push(Route::default())),
    },
    Table {
        name: "scan",
        doc: "Who looks at what messages hold, in and out: docs/operations/filters.md. What is done with what they find is each \
              domain's policy.",
        begin: None,
    },
    Table { name: "limits", doc: "What one peer may take.", begin: None },
    Table { name: "networks", doc: "Where people log in from: docs/operations/filters.md.", begin: None },
    Table {
        name: "cloud",
        doc: "One per maker of mail programs whose servers log in for their users: docs/operations/filters.md. None at all: Microsoft, by \
              what its servers call themselves.",
        begin: Some(|config| config.clouds.push(model::Cloud::default())),
    },
    Table {
        name: "clients",
        doc: "What mail programs are told that set themselves up: docs/operations/set-up.md.",
        begin: None,
    },
    Table {
        name: "mta_sts",
        doc: "How other servers are to send mail here (MTA-STS, RFC 8461): docs/operations/set-up.md.",
        begin: None,
    },
    Table {
        name: "metrics",
        doc: "`GET /metrics` of every http listener, in Prometheus' text format: docs/operations/metrics.md. Told to this \
              machine, unless the request came through a proxy, and to nobody else.",
        begin: None,
    },
    Table {
        name: "log",
        doc: "Logs go to standard error; never message content, never passwords.",
        begin: None,
    },
];

/// All options, in the order of their tables.
pub(crate) fn definitions() -> impl Iterator<Item = &'static Definition> {
    DEFINITIONS
        .iter()
        .chain(listener::CLIENTS)
        .chain(acme::ACME)
        .chain(inbound::INBOUND)
        .chain(limits::LIMITS)
        .chain(networks::NETWORKS)
        .chain(outbound::OUTBOUND)
        .chain(scan::SCAN)
        .chain(published::PUBLISHED)
        .chain(telemetry::TELEMETRY)
}

const DEFINITIONS: &[Definition] = &[
    Definition {
        table: "",
        key: "hostname",
        kind: "host name",
        fallback: Fallback::Absent("the machine's own name"),
        example: r#""mail.demo.gov.vn""#,
        doc: "The name this server gives itself in greetings, trace headers and its certificate. Its MX and PTR records should say the same.",
        set: |config, value| put(&mut config.hostname, read_host_name(value).map(Some)),
    },
    Definition {
        table: "",
        key: "data_dir",
        kind: "path",
        fallback: Fallback::Value(r#""/var/lib/congthu""#),
        example: r#""/var/lib/congthu""#,
        doc: "Holds the embedded database, the self-signed certificate and messages on their way in.",
        set: |config, value| put(&mut config.data_dir, read_path(value)),
    },
    Definition {
        table: "database",
        key: "url",
        kind: "Postgres URL",
        fallback: Fallback::Absent("embedded Postgres"),
        example: r#""postgres://congthu@db/congthu?sslmode=verify-full""#,
        doc: "The database, opened as the role that serves.",
        set: |config, value| put(&mut config.database.url, read_text(value).map(Some)),
    },
    Definition {
        table: "database",
        key: "url_file",
        kind: "path",
        fallback: Fallback::Absent("`url` is used"),
        example: r#""/etc/congthu/database-url""#,
        doc: "A file with the URL alone, so that its password is not in this one. Instead of `url`.",
        set: |config, value| put(&mut config.database.url_file, read_path(value).map(Some)),
    },
    Definition {
        table: "database",
        key: "owner_url",
        kind: "Postgres URL",
        fallback: Fallback::Absent("`url` is used for migrations too"),
        example: r#""postgres://congthu_owner@db/congthu?sslmode=verify-full""#,
        doc: "The same database, opened as the role that owns the tables; used by migrations only.",
        set: |config, value| put(&mut config.database.owner_url, read_text(value).map(Some)),
    },
    Definition {
        table: "database",
        key: "owner_url_file",
        kind: "path",
        fallback: Fallback::Absent("`owner_url` is used"),
        example: r#""/etc/congthu/database-owner-url""#,
        doc: "A file with the owner's URL alone. Instead of `owner_url`.",
        set: |config, value| put(&mut config.database.owner_url_file, read_path(value).map(Some)),
    },
    Definition {
        table: "database",
        key: "postgres_bin",
        kind: "path",
        fallback: Fallback::Absent("the newest that is found"),
        example: r#""/usr/lib/postgresql/15/bin""#,
        doc: "The directory of `initdb` and `postgres` for the embedded database.",
        set: |config, value| put(&mut config.database.postgres_bin, read_path(value).map(Some)),
    },
    Definition {
        table: "content",
        key: "url",
        kind: "URL",
        fallback: Fallback::Absent("in Postgres"),
        example: r#""file:///var/lib/congthu-content""#,
        doc: "A directory, as `file:///…`; back it up together with the database.",
        set: |config, value| put(&mut config.content.directory, read_directory_url(value).map(Some)),
    },
    Definition {
        table: "listener",
        key: "protocol",
        kind: "smtp | submission | lmtp | imap | sieve | http | acme",
        fallback: Fallback::Required,
        example: r#""smtp""#,
        doc: "What is spoken. `smtp` takes mail from other servers, `submission` from users who log in, `lmtp` from a local relay that is trusted; `sieve` is ManageSieve, by which users' programs bring rules for their mail; `acme` answers the authority of `[acme]` on port 80, and sends everybody else to https.",
        set: |config, value| put(&mut config.listener()?.protocol, read(value).map(Some)),
    },
    Definition {
        table: "listener",
        key: "bind",
        kind: "address and port",
        fallback: Fallback::Required,
        example: r#""127.0.0.1:2525""#,
        doc: "`*:25` means every address of the machine, IPv4 and IPv6; `[::]:25` means IPv6 alone.",
        set: |config, value| put(&mut config.listener()?.bind, read(value).map(Some)),
    },
    Definition {
        table: "listener",
        key: "tls",
        kind: "none | starttls | implicit",
        fallback: Fallback::Absent(
            "starttls for smtp, submission, imap and sieve; none for lmtp, http and acme; the password page of an http listener needs implicit",
        ),
        example: r#""starttls""#,
        doc: "Passwords are taken under TLS only.",
        set: |config, value| put(&mut config.listener()?.tls, read(value).map(Some)),
    },
    Definition {
        table: "listener",
        key: "allow_remote",
        kind: "true | false",
        fallback: Fallback::Value("false"),
        example: "true",
        doc: "An lmtp listener, or an http listener without tls, asks nobody for a password, so `bind` must be a loopback address; `true` allows others, where a firewall decides who comes.",
        set: |config, value| put(&mut config.listener()?.allow_remote, read_flag(value)),
    },
    Definition {
        table: "listener",
        key: "networks",
        kind: "list of networks",
        fallback: Fallback::Value("[]"),
        example: r#"["10.0.0.0/8"]"#,
        doc: "Whose clients may come by this listener; others' connections are closed without a word. Empty: everybody's.",
        set: |config, value| put(&mut config.listener()?.callers.networks, read_list(value)),
    },
    Definition {
        table: "listener",
        key: "proxies",
        kind: "list of networks",
        fallback: Fallback::Value("[]"),
        example: r#"["10.1.2.3/32"]"#,
        doc: "Load balancers in front of this listener, which begin each connection with a PROXY protocol header of version 2               (HAProxy: `send-proxy-v2`): docs/operations/load-balancer.md. Their connections without one are closed; others' are               never believed to have one.",
        set: |config, value| put(&mut config.listener()?.callers.proxies, read_list(value)),
    },
    Definition {
        table: "tls",
        key: "certificate",
        kind: "path",
        fallback: Fallback::Absent("self-signed"),
        example: r#""/etc/congthu/tls.crt""#,
        doc: "PEM, the server's certificate first, then the chain.",
        set: |config, value| put(&mut config.tls.certificate, read_path(value).map(Some)),
    },
    Definition {
        table: "tls",
        key: "key",
        kind: "path",
        fallback: Fallback::Absent("self-signed"),
        example: r#""/etc/congthu/tls.key""#,
        doc: "Its private key, PEM, readable for the user congthu.",
        set: |config, value| put(&mut config.tls.key, read_path(value).map(Some)),
    },
    Definition {
        table: "certificate",
        key: "certificate",
        kind: "path",
        fallback: Fallback::Required,
        example: r#""/etc/congthu/other.crt""#,
        doc: "As in `[tls]`.",
        set: |config, value| put(&mut config.certificate()?.certificate, read_path(value).map(Some)),
    },
    Definition {
        table: "certificate",
        key: "key",
        kind: "path",
        fallback: Fallback::Required,
        example: r#""/etc/congthu/other.key""#,
        doc: "As in `[tls]`.",
        set: |config, value| put(&mut config.certificate()?.key, read_path(value).map(Some)),
    },
];
