//! Commands on access control lists (RFC 4314).

use super::cursor::Cursor;
use super::mailbox::argument;
use super::{Fault, Result};
use crate::imap::acl::{AclMode, AclRights};
use crate::imap::{Command, Mailbox};

/// `SP mailbox SP identifier`, as in deleteacl and listrights (RFC 4314 7)
/// `identifier = astring`
pub(super) fn mailbox_and_identifier(c: &mut Cursor<'_>) -> Result<(Mailbox, String)> {
    let mailbox = argument(c)?;
    c.sp()?;
    let identifier = c.text()?;
    // RFC 4314 3: one that is empty is BAD.
    if identifier.is_empty() { Err(Fault::bad("Identifier expected")) } else { Ok((mailbox, identifier)) }
}

/// `setacl = "SETACL" SP mailbox SP identifier SP mod-rights` (RFC 4314 7)
/// `mod-rights = astring`, with `+` or `-` in front of the rights
pub(super) fn set_acl(c: &mut Cursor<'_>) -> Result<Command> {
    let (mailbox, identifier) = mailbox_and_identifier(c)?;
    c.sp()?;
    let text = c.text()?;
    let (mode, letters) = match text.split_at_checked(1) {
        Some(("+", rest)) => (AclMode::Add, rest),
        Some(("-", rest)) => (AclMode::Remove, rest),
        _ => (AclMode::Replace, text.as_str()),
    };
    // RFC 4314 3.1: a right that is not known is never passed over.
    let rights = AclRights::parse(letters).map_err(|unknown| {
        let upper = unknown.is_ascii_uppercase();
        Fault::bad(if upper { "Uppercase rights are not allowed" } else { "A right is not supported" })
    })?;
    Ok(Command::SetAcl { mailbox, identifier, mode, rights })
}
