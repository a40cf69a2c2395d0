//! CLOSE (RFC 3501 6.4.2) and UNSELECT (RFC 3691).

use super::reply::{Outcome, Reply};
use super::session::{Door, Known, State};

/// Expunges without telling, and leaves the mailbox.
pub(crate) async fn close(door: &mut Door, state: &mut State) -> Outcome {
    if let State::Selected(selected) = state
        && !selected.read_only
    {
        match door.engine.expunge(&selected.who, selected.folder, None).await {
            // RFC 4314 4: where nothing may be expunged, nothing is, and the mailbox is closed. In one that somebody else has
            // deleted meanwhile nothing is left, and CLOSE has no NO to say so (RFC 9051 6.4.1).
            Ok(_) | Err(engine::Error::NotPermitted | engine::Error::Frozen | engine::Error::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    leave(state);
    Ok(Reply::ok("CLOSE completed"))
}

/// Leaves the mailbox as it is.
pub(crate) fn unselect(state: &mut State) -> Reply {
    leave(state);
    Reply::ok("UNSELECT completed")
}

fn leave(state: &mut State) {
    if let State::Selected(selected) = state {
        *state = State::Known(Known { who: selected.who.own().clone() });
    }
}
