//! Mailbox names between the client and us: checked on the way in, encoded on the way out.

use super::reply::{Failure, Reply};
use super::session::Door;
use engine::{Place, Principal};
use model::{DELIMITER, FolderName, FolderNameError};
use proto::imap::{Code, ListPattern, Mailbox};
use unicode_normalization::UnicodeNormalization as _;

/// The folder a client names to make, or to put something in.
pub(crate) fn folder_name(mailbox: &Mailbox) -> Result<FolderName, Reply> {
    // RFC 3501 6.3.3: a trailing delimiter only says that names will be made below.
    let name = mailbox.as_str();
    let name = name.strip_suffix(DELIMITER).unwrap_or(name);
    FolderName::new(name).map_err(|error| {
        let text = match error {
            FolderNameError::Length => "A mailbox name has 1 to 480 bytes",
            FolderNameError::Levels => "A mailbox name has no empty level and at most 16 levels",
            FolderNameError::Character => "A mailbox name has no control characters and neither % nor *",
        };
        // RFC 5530 3
        Reply::no(text).code(Code::Cannot)
    })
}

/// The folder a client means to exist: a name that cannot exist does not.
pub(crate) fn existing_name(mailbox: &Mailbox) -> Result<FolderName, Reply> {
    folder_name(mailbox).map_err(|_| nonexistent())
}

/// Where a name leads that is meant to exist, in one's own mailbox or in another's.
pub(crate) async fn reach(door: &Door, who: &Principal, mailbox: &Mailbox) -> Result<Place, Failure> {
    let name = existing_name(mailbox)?;
    // RFC 4314 6: what may not be seen is answered as what is not there.
    door.engine.reach(who, &name).await?.ok_or_else(|| nonexistent().into())
}

/// Where a name leads that is to be made, or put something in.
pub(crate) async fn reach_new(door: &Door, who: &Principal, mailbox: &Mailbox) -> Result<Place, Failure> {
    let name = folder_name(mailbox)?;
    door.engine.reach(who, &name).await?.ok_or_else(|| nonexistent().into())
}

/// A pattern behind its reference (RFC 3501 6.3.8), in NFC as our names are.
pub(crate) fn pattern(reference: &Mailbox, pattern: &ListPattern) -> ListPattern {
    ListPattern(pattern.under(reference.as_str()).0.nfc().collect())
}

/// RFC 5530 3
pub(crate) fn nonexistent() -> Reply {
    Reply::no("No such mailbox").code(Code::NonExistent)
}

/// RFC 3501 6.3.11, 6.4.7: the client may create it and try again.
pub(crate) fn try_create() -> Reply {
    Reply::no("No such mailbox, create it first").code(Code::TryCreate)
}

/// RFC 9208 4.3
pub(crate) fn over_quota() -> Reply {
    Reply::no("The mailbox is full").code(Code::OverQuota)
}
