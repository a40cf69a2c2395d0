//! NAMESPACE (RFC 2342): one's own mailboxes, and those of others that one may read.

use super::reply::{Outcome, Reply};
use super::session::Door;
use engine::{OTHER_USERS, Principal};
use model::DELIMITER;

pub(crate) async fn namespace(door: &mut Door, who: &Principal) -> Outcome {
    let own = ("", Some(DELIMITER));
    let prefix = format!("{OTHER_USERS}{DELIMITER}");
    // RFC 2342 5: NIL where there is none; most people have no other mailbox, and their clients need not ask for any.
    let others = [(prefix.as_str(), Some(DELIMITER))];
    let others: &[_] = if door.engine.has_shared(who).await? { &others } else { &[] };
    door.wire.out.namespace([&[own], others, &[]]);
    Ok(Reply::ok("NAMESPACE completed"))
}
