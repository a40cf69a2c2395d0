//! EXPUNGE (RFC 3501 6.4.3) and UID EXPUNGE (RFC 4315 2.1).

use super::reply::{Outcome, Reply};
use super::session::{Door, Selected};
use proto::imap::SequenceSet;

/// The sync behind the command tells what went.
pub(crate) async fn expunge(door: &mut Door, selected: &Selected, uids: Option<&SequenceSet>) -> Outcome {
    if selected.read_only {
        return Err(read_only().into());
    }
    // Only what the client has been told of may go by its name.
    let named = match uids {
        Some(set) => Some(selected.living(&selected.resolve(set, true)?).0),
        None => None,
    };
    let engine = door.engine.clone();
    door.at_work(engine.expunge(&selected.who, selected.folder, named.as_deref())).await??;
    Ok(Reply::ok("EXPUNGE completed"))
}

pub(crate) fn read_only() -> Reply {
    Reply::no("The mailbox is open for reading only")
}
