//! DELETE (RFC 3501 6.3.4). Mailboxes below stay; their lost parent is then shown as \Noselect.

use super::names;
use super::reply::{Outcome, Reply};
use super::session::{Door, Known, State};
use engine::DeleteError;
use proto::imap::{Code, Mailbox};

pub(crate) async fn delete(door: &mut Door, state: &mut State, mailbox: &Mailbox) -> Outcome {
    let Some(who) = state.who().cloned() else { return Err(Reply::bad("Log in first").into()) };
    let place = names::reach(door, &who, mailbox).await?;
    let own = match state {
        State::Selected(selected) => {
            selected.who.account() == place.who.account()
                && selected.tracker.view().folder().name == place.name
        }
        State::Fresh(_) | State::Known(_) => false,
    };
    match door.engine.delete_folder(&place.who, &place.name).await {
        Ok(()) => {}
        // RFC 5530 3
        Err(DeleteError::Inbox) => return Err(Reply::no("INBOX stays").code(Code::Cannot).into()),
        Err(DeleteError::NotFound) => return Err(names::nonexistent().into()),
        Err(DeleteError::Engine(error)) => return Err(error.into()),
    }
    if own {
        // The client knows that what it had open is no more.
        *state = State::Known(Known { who });
    }
    Ok(Reply::ok("DELETE completed"))
}
