//! Options of what the server tells about itself: metrics, logs.

use super::{Definition, Fallback, put};
use crate::config::values::{read, read_list, read_text};

pub(crate) const TELEMETRY: &[Definition] = &[
    Definition {
        table: "metrics",
        key: "networks",
        kind: "list of networks",
        fallback: Fallback::Value("[]"),
        example: r#"["10.1.2.3/32"]"#,
        doc: "Whose monitoring may ask too. It needs an http listener that it can reach (`allow_remote`).",
        set: |config, value| put(&mut config.metrics_networks, read_list(value)),
    },
    Definition {
        table: "log",
        key: "format",
        kind: "human | json",
        fallback: Fallback::Value(r#""human""#),
        example: r#""json""#,
        doc: "`--log` on the command line wins.",
        set: |config, value| put(&mut config.log.format, read(value).map(Some)),
    },
    Definition {
        table: "log",
        key: "filter",
        kind: "text",
        fallback: Fallback::Value(r#""info,postgres=warn""#),
        example: r#""info,smtp=debug""#,
        doc: "`error`, `warn`, `info`, `debug` or `trace`, for all or per module.",
        set: |config, value| put(&mut config.log.filter, read_text(value)),
    },
];
