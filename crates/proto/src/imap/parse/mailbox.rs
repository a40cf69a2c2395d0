//! Commands on mailboxes: names, patterns, STATUS, quotas.

use super::cursor::{Cursor, is_list_char, utf8};
use super::{Fault, Result};
use crate::imap::utf7;
use crate::imap::{Command, List, ListPattern, Mailbox, StatusItem};

/// Patterns of one extended LIST: clients send one or two; each costs a pass over all names.
const PATTERNS_MAX: usize = 32;
/// Items of a short list of options; none has as many to offer.
const OPTIONS_MAX: usize = 32;

const NOT_A_NAME: &str = "Mailbox name is neither modified UTF-7 nor UTF-8";

/// `mailbox = "INBOX" / astring`
pub(super) fn mailbox(c: &mut Cursor<'_>) -> Result<Mailbox> {
    utf7::read(&c.astring()?).map(Mailbox).ok_or(Fault::bad(NOT_A_NAME))
}

/// `SP mailbox`, as in select, examine, delete, rename, subscribe, unsubscribe, getquotaroot.
pub(super) fn argument(c: &mut Cursor<'_>) -> Result<Mailbox> {
    c.sp()?;
    mailbox(c)
}

/// `list-mailbox = 1*list-char / string`
fn list_mailbox(c: &mut Cursor<'_>) -> Result<ListPattern> {
    let pattern = match c.take_while(is_list_char) {
        [] => utf7::read(&c.string()?),
        chars => utf7::read(chars),
    };
    pattern.map(ListPattern).ok_or(Fault::bad(NOT_A_NAME))
}

/// `create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]` (RFC 6154 6)
pub(super) fn create(c: &mut Cursor<'_>) -> Result<Command> {
    let mailbox = argument(c)?;
    let mut special_use = Vec::new();
    if c.eat(b' ') {
        c.expect(b'(', "List expected")?;
        if c.word()? != "USE" {
            return Err(Fault::bad("Unknown CREATE parameter"));
        }
        c.sp()?;
        special_use = c.list(OPTIONS_MAX, true, use_attr)?;
        c.expect(b')', "End of list expected")?;
    }
    Ok(Command::Create { mailbox, special_use })
}

/// `use-attr = "\" atom` (RFC 6154 6)
fn use_attr(c: &mut Cursor<'_>) -> Result<String> {
    c.expect(b'\\', "Attribute expected")?;
    Ok(format!("\\{}", c.atom()?))
}

/// `list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]` (RFC 5258 6)
/// `mbox-or-pat = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")"`
pub(super) fn list(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let mut select_special_use = false;
    if c.peek() == Some(b'(') {
        let options = c.list(OPTIONS_MAX, true, Cursor::word)?;
        if options.iter().any(|option| option != "SPECIAL-USE") {
            return Err(Fault::bad("Unknown LIST selection option"));
        }
        select_special_use = !options.is_empty();
        c.sp()?;
    }
    let reference = mailbox(c)?;
    c.sp()?;
    let patterns = match c.peek() {
        Some(b'(') => c.list(PATTERNS_MAX, false, list_mailbox)?,
        _ => vec![list_mailbox(c)?],
    };
    let mut list =
        List { reference, patterns, select_special_use, return_special_use: false, return_children: false };
    if c.eat(b' ') {
        list_return_opts(c, &mut list)?;
    }
    Ok(Command::List(list))
}

/// `list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")"` (RFC 5258 6)
fn list_return_opts(c: &mut Cursor<'_>, list: &mut List) -> Result<()> {
    if c.word()? != "RETURN" {
        return Err(Fault::bad("RETURN expected"));
    }
    c.sp()?;
    for option in c.list(OPTIONS_MAX, true, Cursor::word)? {
        match option.as_str() {
            "SPECIAL-USE" => list.return_special_use = true,
            "CHILDREN" => list.return_children = true,
            _ => return Err(Fault::bad("Unknown LIST return option")),
        }
    }
    Ok(())
}

/// `lsub = "LSUB" SP mailbox SP list-mailbox`
pub(super) fn lsub(c: &mut Cursor<'_>) -> Result<Command> {
    let reference = argument(c)?;
    c.sp()?;
    Ok(Command::Lsub { reference, pattern: list_mailbox(c)? })
}

/// `status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"`
pub(super) fn status(c: &mut Cursor<'_>) -> Result<Command> {
    let mailbox = argument(c)?;
    c.sp()?;
    let items = c.list(OPTIONS_MAX, false, |c| {
        let name = c.word()?;
        let item = StatusItem::ALL.into_iter().find(|item| item.as_str() == name);
        item.ok_or(Fault::bad("Unknown STATUS item"))
    })?;
    Ok(Command::Status { mailbox, items })
}

/// `getquota = "GETQUOTA" SP quota-root-name` (RFC 9208 6), an astring
pub(super) fn get_quota(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    Ok(Command::GetQuota(c.text()?))
}

/// `setquota = "SETQUOTA" SP quota-root-name SP setquota-list` (RFC 9208 6)
/// `setquota-list = "(" [setquota-resource *(SP setquota-resource)] ")"`
/// `setquota-resource = resource-name SP resource-limit`
pub(super) fn set_quota(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let root = utf8(c.astring()?)?;
    c.sp()?;
    let limits = c.list(OPTIONS_MAX, true, |c| {
        let name = c.word()?;
        c.sp()?;
        Ok((name, c.number64()?))
    })?;
    Ok(Command::SetQuota { root, limits })
}
