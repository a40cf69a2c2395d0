//! NOOP and CHECK (RFC 3501 6.1.2, 6.4.1): the news they fetch come from the sync behind every command.

use super::reply::Reply;

pub(crate) fn noop() -> Reply {
    // RFC 3501 6.4.1: CHECK is a NOOP where there is no housekeeping; every change is durable when it is answered.
    Reply::ok("Completed")
}
