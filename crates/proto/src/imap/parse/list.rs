//! LIST in its plain and its extended form (RFC 5258, 5819, 6154), LSUB, XLIST.

use super::cursor::Cursor;
use super::mailbox::{OPTIONS_MAX, argument, list_mailbox, mailbox, status_items};
use super::{Fault, Result};
use crate::imap::{Command, List, ListPattern, ListReturn, ListSelect, Mailbox};

/// Patterns of one extended LIST: clients send one or two; each costs a pass over all names.
const PATTERNS_MAX: usize = 32;

/// `list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]` (RFC 5258 6)
/// `mbox-or-pat = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")"`
pub(super) fn list(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let mut extended = c.peek() == Some(b'(');
    let mut select = ListSelect::default();
    if extended {
        select = list_select_opts(c)?;
        c.sp()?;
    }
    let reference = mailbox(c)?;
    c.sp()?;
    let patterns = if c.peek() == Some(b'(') {
        extended = true;
        c.list(PATTERNS_MAX, false, list_mailbox)?
    } else {
        vec![list_mailbox(c)?]
    };
    let mut give = ListReturn::default();
    if c.eat(b' ') {
        extended = true;
        give = list_return_opts(c)?;
    }
    Ok(Command::List(List { extended, select, reference, patterns, give }))
}

/// `list-select-opts = "(" [list-select-opt *(SP list-select-opt)] ")"` (RFC 5258 6, RFC 6154 6)
fn list_select_opts(c: &mut Cursor<'_>) -> Result<ListSelect> {
    let mut select = ListSelect::default();
    for option in c.list(OPTIONS_MAX, true, Cursor::word)? {
        match option.as_str() {
            "SUBSCRIBED" => select.subscribed = true,
            "REMOTE" => select.remote = true,
            "RECURSIVEMATCH" => select.recursive_match = true,
            "SPECIAL-USE" => select.special_use = true,
            _ => return Err(Fault::bad("Unknown LIST selection option")),
        }
    }
    // RFC 5258 3.1: BAD when it stands alone, or only with REMOTE.
    if select.recursive_match && !(select.subscribed || select.special_use) {
        return Err(Fault::bad("RECURSIVEMATCH needs another selection option"));
    }
    Ok(select)
}

/// `list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")"` (RFC 5258 6)
/// `status-option = "STATUS" SP "(" status-att *(SP status-att) ")"` (RFC 5819 4)
fn list_return_opts(c: &mut Cursor<'_>) -> Result<ListReturn> {
    if c.word()? != "RETURN" {
        return Err(Fault::bad("RETURN expected"));
    }
    c.sp()?;
    let mut give = ListReturn::default();
    c.list(OPTIONS_MAX, true, |c| {
        match c.word()?.as_str() {
            "SUBSCRIBED" => give.subscribed = true,
            "CHILDREN" => give.children = true,
            "SPECIAL-USE" => give.special_use = true,
            // RFC 8440 5
            "MYRIGHTS" => give.my_rights = true,
            "STATUS" => {
                c.sp()?;
                give.status = status_items(c)?;
            }
            _ => return Err(Fault::bad("Unknown LIST return option")),
        }
        Ok(())
    })?;
    Ok(give)
}

/// `lsub = "LSUB" SP mailbox SP list-mailbox`; XLIST likewise.
pub(super) fn reference_and_pattern(c: &mut Cursor<'_>) -> Result<(Mailbox, ListPattern)> {
    let reference = argument(c)?;
    c.sp()?;
    Ok((reference, list_mailbox(c)?))
}
