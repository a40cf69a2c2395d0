//! CREATE (RFC 3501 6.3.3) with CREATE-SPECIAL-USE (RFC 6154 3).

use super::names;
use super::reply::{Outcome, Reply};
use super::session::Door;
use engine::{CreateError, Principal};
use model::SpecialUse;
use proto::imap::{Code, Mailbox};

pub(crate) async fn create(
    door: &mut Door,
    who: &Principal,
    mailbox: &Mailbox,
    special_use: &[String],
) -> Outcome {
    let place = names::reach_new(door, who, mailbox).await?;
    let special_use = wanted_use(special_use)?;
    match door.engine.create_folder(&place.who, &place.name, special_use).await {
        // RFC 8474 4.1
        Ok(folder) => {
            let id = folder.id.0.cast_unsigned();
            Ok(Reply::ok("CREATE completed").code(Code::MailboxId(id)))
        }
        // RFC 5530 3
        Err(CreateError::Exists) => Err(Reply::no("The mailbox exists").code(Code::AlreadyExists).into()),
        Err(CreateError::TooMany) => Err(Reply::no("Too many mailboxes").code(Code::Limit).into()),
        Err(CreateError::UseTaken) => {
            Err(Reply::no("Another mailbox has this special use").code(Code::UseAttr).into())
        }
        Err(CreateError::Reserved) => {
            Err(Reply::no("This name is kept for others' mailboxes").code(Code::Cannot).into())
        }
        Err(CreateError::Engine(error)) => Err(error.into()),
    }
}

/// RFC 6154 3: an attribute that cannot be given fails the command with USEATTR.
fn wanted_use(attributes: &[String]) -> Result<Option<SpecialUse>, Reply> {
    match attributes {
        [] => Ok(None),
        [one] => SpecialUse::ALL
            .into_iter()
            .find(|special| special.attribute().eq_ignore_ascii_case(one))
            .map(Some)
            .ok_or_else(|| Reply::no("This special use is not supported").code(Code::UseAttr)),
        _ => Err(Reply::no("A mailbox has one special use").code(Code::UseAttr)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_uses_by_their_attributes() {
        let wanted =
            |names: &[&str]| wanted_use(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(wanted(&[]), Ok(None));
        assert_eq!(wanted(&["\\sent"]), Ok(Some(SpecialUse::Sent)));
        assert_eq!(wanted(&["\\All"]).unwrap_err().code, Some(Code::UseAttr));
        assert_eq!(wanted(&["\\Sent", "\\Junk"]).unwrap_err().code, Some(Code::UseAttr));
    }
}
