//! NAMESPACE (RFC 2342): one's own mailboxes, and nobody else's.

use super::reply::Reply;
use super::session::Door;
use model::DELIMITER;

pub(crate) fn namespace(door: &mut Door) -> Reply {
    // RFC 2342 5
    door.wire.out.namespace([&[("", Some(DELIMITER))], &[], &[]]);
    Reply::ok("NAMESPACE completed")
}
