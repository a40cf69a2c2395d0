//! Commands on mailboxes: names, patterns, STATUS, quotas.

use super::cursor::{Cursor, is_list_char, utf8};
use super::{Fault, Result};
use crate::imap::utf7;
use crate::imap::{Command, ListPattern, Mailbox, StatusItem};

/// Items of a short list of options; none has as many to offer.
pub(super) const OPTIONS_MAX: usize = 32;

const NOT_A_NAME: &str = "Mailbox name is neither modified UTF-7 nor UTF-8";

/// `mailbox = "INBOX" / astring`
pub(super) fn mailbox(c: &mut Cursor<'_>) -> Result<Mailbox> {
    let name = c.astring()?;
    read_name(c, &name).map(Mailbox)
}

/// RFC 6855 3: a client that has enabled UTF-8 writes names in it; `&` is then an ordinary character.
fn read_name(c: &Cursor<'_>, name: &[u8]) -> Result<String> {
    let read = if c.is_utf8() { std::str::from_utf8(name).ok().map(str::to_owned) } else { utf7::read(name) };
    read.ok_or(Fault::bad(NOT_A_NAME))
}

/// `SP mailbox`, as in select, examine, delete, rename, subscribe, unsubscribe, getquotaroot.
pub(super) fn argument(c: &mut Cursor<'_>) -> Result<Mailbox> {
    c.sp()?;
    mailbox(c)
}

/// `list-mailbox = 1*list-char / string`
pub(super) fn list_mailbox(c: &mut Cursor<'_>) -> Result<ListPattern> {
    match c.take_while(is_list_char) {
        [] => {
            let pattern = c.string()?;
            read_name(c, &pattern).map(ListPattern)
        }
        chars => read_name(c, chars).map(ListPattern),
    }
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

/// `status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"`
pub(super) fn status(c: &mut Cursor<'_>) -> Result<Command> {
    let mailbox = argument(c)?;
    c.sp()?;
    Ok(Command::Status { mailbox, items: status_items(c)? })
}

/// `"(" status-att *(SP status-att) ")"`
pub(super) fn status_items(c: &mut Cursor<'_>) -> Result<Vec<StatusItem>> {
    c.list(OPTIONS_MAX, false, |c| {
        let name = c.word()?;
        let item = StatusItem::ALL.into_iter().find(|item| item.as_str() == name);
        item.ok_or(Fault::bad("Unknown STATUS item"))
    })
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
