//! Options of certificates that are ordered by themselves.

use super::{Definition, Fallback, put};
use crate::config::values::{read, read_list, read_path, read_text};

pub(crate) const ACME: &[Definition] = &[
    Definition {
        table: "acme",
        key: "directory",
        kind: "URL",
        fallback: Fallback::Absent("nothing is ordered"),
        example: r#""https://acme-v02.api.letsencrypt.org/directory""#,
        doc: "Where the authority is. To try it, one whose certificates nobody believes: `https://acme-staging-v02.api.letsencrypt.org/directory`.",
        set: |config, value| put(&mut config.acme.directory, read(value).map(Some)),
    },
    Definition {
        table: "acme",
        key: "contact",
        kind: "list of addresses",
        fallback: Fallback::Value("[]"),
        example: r#"["quantri@demo.gov.vn"]"#,
        doc: "Whom the authority may write to, when certificates have to be changed in a hurry.",
        set: |config, value| put(&mut config.acme.contact, read_list(value)),
    },
    Definition {
        table: "acme",
        key: "names",
        kind: "list of host names",
        fallback: Fallback::Absent(
            "`hostname`, `host` of `[clients]`, and what leads here of the domains' names",
        ),
        example: r#"["mail.demo.gov.vn", "autoconfig.demo.gov.vn"]"#,
        doc: "What one certificate is for, and no other is ordered; `hostname` is always among them. Each has to lead to this system, or none \
              is vouched for. Absent: besides the server's own, a certificate for each domain of which `autoconfig.`, `autodiscover.` or, \
              with `[mta_sts]`, `mta-sts.` leads here.",
        set: |config, value| put(&mut config.acme.names, read_list(value)),
    },
    Definition {
        table: "acme",
        key: "challenge",
        kind: "http-01 | tls-alpn-01",
        fallback: Fallback::Value(r#""http-01""#),
        example: r#""tls-alpn-01""#,
        doc: "How the authority finds out that a name is ours: by a page on port 80, from an acme listener or an http one without tls; or by \
              a certificate on port 443, from an http listener with tls.",
        set: |config, value| put(&mut config.acme.challenge, read(value)),
    },
    Definition {
        table: "acme",
        key: "authorities",
        kind: "path",
        fallback: Fallback::Absent("`authorities` of `[outbound]`"),
        example: r#""/etc/congthu/acme-authority.pem""#,
        doc: "PEM: who vouches for the authority's own server, where it is one of yours.",
        set: |config, value| put(&mut config.acme.authorities, read_path(value).map(Some)),
    },
    Definition {
        table: "acme",
        key: "account_id",
        kind: "text",
        fallback: Fallback::Absent("no account elsewhere"),
        example: r#""kid-1""#,
        doc: "Where the authority wants to know whose customer you are (external account binding): the key identifier it gave you.",
        set: |config, value| put(&mut config.acme.binding_id, read_text(value).map(Some)),
    },
    Definition {
        table: "acme",
        key: "account_key_file",
        kind: "path",
        fallback: Fallback::Absent("no account elsewhere"),
        example: r#""/etc/congthu/acme-account-key""#,
        doc: "The key that it gave you, in base64url, alone in a file that the user congthu reads.",
        set: |config, value| put(&mut config.acme.binding_key_file, read_path(value).map(Some)),
    },
];
