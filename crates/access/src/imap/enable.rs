//! ENABLE (RFC 5161). None of our extensions needs enabling yet; a client is told so by an empty list.

use super::reply::Reply;
use super::session::Door;

pub(crate) fn enable(door: &mut Door, names: &[String]) -> Reply {
    tracing::debug!(?names, "enable");
    // RFC 5161 3.2: only what was enabled by this command is listed.
    door.wire.out.enabled([]);
    Reply::ok("ENABLE completed")
}
