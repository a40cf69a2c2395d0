//! RENAME (RFC 3501 6.3.5): what is below follows; of INBOX the messages move and INBOX stays.

use super::names;
use super::reply::{Outcome, Reply};
use super::session::Door;
use engine::{Principal, RenameError};
use proto::imap::{Code, Mailbox};

pub(crate) async fn rename(door: &mut Door, who: &Principal, from: &Mailbox, to: &Mailbox) -> Outcome {
    let from = names::reach(door, who, from).await?;
    let to = names::reach_new(door, who, to).await?;
    if from.who.account() != to.who.account() {
        return Err(Reply::no("A mailbox stays with its owner: copy its messages").code(Code::Cannot).into());
    }
    // RFC 5530 3
    let refused = match door.engine.rename_folder(&from.who, &from.name, &to.name).await {
        Ok(()) => return Ok(Reply::ok("RENAME completed")),
        Err(RenameError::Exists) => Reply::no("The new name is taken").code(Code::AlreadyExists),
        Err(RenameError::NotFound) => names::nonexistent(),
        Err(RenameError::IntoItself) => Reply::no("A mailbox cannot move into itself").code(Code::Cannot),
        Err(RenameError::BadName) => {
            Reply::no("A name below would be too long or too deep").code(Code::Cannot)
        }
        Err(RenameError::TooMany) => Reply::no("Too many mailboxes").code(Code::Limit),
        Err(RenameError::Engine(error)) => return Err(error.into()),
    };
    Err(refused.into())
}
