//! Options of mail of strangers.

use super::{Definition, Fallback, put};
use crate::config::values::read_flag;

pub(crate) const INBOUND: &[Definition] = &[Definition {
    table: "authentication",
    key: "check",
    kind: "true | false",
    fallback: Fallback::Value("true"),
    example: "false",
    doc: "SPF, DKIM, DMARC and ARC of mail that comes to `smtp` listeners, but not from `exempt_networks`; the domains' policies \
          (`inbound.…`) say what becomes of what fails. `false` where a server in front has done it, whose results are then \
          believed by nobody here.",
    set: |config, value| put(&mut config.authentication.check, read_flag(value)),
}];
