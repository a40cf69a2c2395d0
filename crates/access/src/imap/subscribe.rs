//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 6.3.6, 6.3.7): names, which may outlive their folders.

use super::names;
use super::reply::{Failure, Outcome, Reply};
use super::session::Door;
use engine::{Principal, SubscribeError};
use proto::imap::{Code, Mailbox};

pub(crate) async fn subscribe(door: &mut Door, who: &Principal, mailbox: &Mailbox) -> Outcome {
    let name = names::existing_name(mailbox)?;
    // RFC 3501 6.3.6: the name may be checked, and a typing error is better told.
    let place = names::reach(door, who, mailbox).await?;
    if door.engine.folder(&place.who, &place.name).await?.is_none() {
        return Err(names::nonexistent().into());
    }
    door.engine.subscribe_folder(who, &name, true).await.map_err(refused)?;
    Ok(Reply::ok("SUBSCRIBE completed"))
}

pub(crate) async fn unsubscribe(door: &mut Door, who: &Principal, mailbox: &Mailbox) -> Outcome {
    let name = names::existing_name(mailbox)?;
    door.engine.subscribe_folder(who, &name, false).await.map_err(refused)?;
    Ok(Reply::ok("UNSUBSCRIBE completed"))
}

fn refused(error: SubscribeError) -> Failure {
    match error {
        SubscribeError::TooMany => Reply::no("Too many subscriptions").code(Code::Limit).into(),
        SubscribeError::Engine(error) => error.into(),
    }
}
