//! Options of what others read to find us: mail programs, other mail servers.

use super::{Definition, Fallback, put, read_host_name};
use crate::config::values::{read, read_list, read_number};

pub(crate) const PUBLISHED: &[Definition] = &[
    Definition {
        table: "clients",
        key: "host",
        kind: "host name",
        fallback: Fallback::Absent("`hostname`"),
        example: r#""mail.demo.gov.vn""#,
        doc: "The name that mail programs connect to, where it is not this server's own: that of a balancer in front of several.",
        set: |config, value| put(&mut config.published.host, read_host_name(value).map(Some)),
    },
    Definition {
        table: "mta_sts",
        key: "mode",
        kind: "off | testing | enforce | none",
        fallback: Fallback::Value(r#""off""#),
        example: r#""enforce""#,
        doc: "`off`: no policy is served; `testing`: others only report what fails; `enforce`: others send under verified TLS or not at all; \
              `none`: there was one, and it no longer holds. First `testing`, for weeks.",
        set: |config, value| put(&mut config.published.mode, read(value)),
    },
    Definition {
        table: "mta_sts",
        key: "hosts",
        kind: "list of host names",
        fallback: Fallback::Absent("`hostname` alone"),
        example: r#"["mail.demo.gov.vn", "mail2.demo.gov.vn"]"#,
        doc: "All that MX records of our domains name, each with a certificate of that name. `*.demo.gov.vn` stands for any one name below it.",
        set: |config, value| put(&mut config.published.exchanges, read_list(value)),
    },
    Definition {
        table: "mta_sts",
        key: "max_age_days",
        kind: "days, 1 to 365",
        fallback: Fallback::Value("7"),
        example: "30",
        doc: "How long others may keep the policy: as long as this a mistake in it holds mail up.",
        set: |config, value| put(&mut config.published.max_age_days, read_number(value, 1, 365)),
    },
];
