//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 6.3.6, 6.3.7): names, which may outlive their folders.

use super::names;
use super::reply::{Outcome, Reply};
use super::session::Door;
use engine::Principal;
use proto::imap::Mailbox;

pub(crate) async fn subscribe(door: &mut Door, who: &Principal, mailbox: &Mailbox) -> Outcome {
    let name = names::existing_name(mailbox)?;
    // RFC 3501 6.3.6: the name may be checked, and a typing error is better told.
    if door.engine.folder(who, &name).await?.is_none() {
        return Err(names::nonexistent().into());
    }
    door.engine.subscribe_folder(who, &name, true).await?;
    Ok(Reply::ok("SUBSCRIBE completed"))
}

pub(crate) async fn unsubscribe(door: &mut Door, who: &Principal, mailbox: &Mailbox) -> Outcome {
    let name = names::existing_name(mailbox)?;
    door.engine.subscribe_folder(who, &name, false).await?;
    Ok(Reply::ok("UNSUBSCRIBE completed"))
}
