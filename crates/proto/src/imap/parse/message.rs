//! What commands on messages share, and the small ones: sequence sets, flags, STORE, COPY, MOVE, APPEND's head.

use super::cursor::Cursor;
use super::mailbox::mailbox;
use super::{Fault, Result, sync};
use crate::imap::date;
use crate::imap::sequence::{SeqNumber, SeqRange, SequenceSet};
use crate::imap::{AppendMessage, Command, Flag, Mailbox, StoreMode};
use jiff::Timestamp;

/// Flags in one list: twice what a mailbox can hold, so that "too many" is said where it is known.
const FLAGS_MAX: usize = 512;

/// `sequence-set = (seq-number / seq-range) *("," sequence-set)`
/// `seq-range = seq-number ":" seq-number`
/// `sequence-set =/ seq-last-command`, `seq-last-command = "$"` (RFC 5182 3)
pub(super) fn sequence_set(c: &mut Cursor<'_>) -> Result<SequenceSet> {
    if c.eat(b'$') {
        return Ok(SequenceSet::saved());
    }
    let mut ranges = Vec::new();
    loop {
        let from = seq_number(c)?;
        let to = if c.eat(b':') { seq_number(c)? } else { from };
        ranges.push(SeqRange { from, to });
        if ranges.len() > SequenceSet::RANGES_MAX {
            return Err(Fault::bad("Too many ranges"));
        }
        if !c.eat(b',') {
            break;
        }
    }
    SequenceSet::new(ranges).ok_or(Fault::bad("Sequence set expected"))
}

/// `seq-number = nz-number / "*"`
fn seq_number(c: &mut Cursor<'_>) -> Result<SeqNumber> {
    if c.eat(b'*') { Ok(SeqNumber::Last) } else { c.nz_number().map(SeqNumber::Number) }
}

/// `flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword / flag-extension`
fn flag(c: &mut Cursor<'_>) -> Result<Flag> {
    if !c.eat(b'\\') {
        return Ok(Flag::Keyword(c.atom()?.to_owned()));
    }
    let name = c.atom()?;
    let system = [Flag::Answered, Flag::Flagged, Flag::Deleted, Flag::Seen, Flag::Draft, Flag::Recent];
    let known =
        system.into_iter().find(|flag| flag.as_str().get(1..).is_some_and(|n| n.eq_ignore_ascii_case(name)));
    Ok(known.unwrap_or_else(|| Flag::Extension(format!("\\{name}"))))
}

/// `flag-list = "(" [flag *(SP flag)] ")"`
fn flag_list(c: &mut Cursor<'_>) -> Result<Vec<Flag>> {
    c.list(FLAGS_MAX, true, flag)
}

/// `store = "STORE" SP sequence-set SP [store-modifiers SP] store-att-flags` (RFC 4466 6)
/// `store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))`
pub(super) fn store(c: &mut Cursor<'_>, uid: bool) -> Result<Command> {
    c.sp()?;
    let set = sequence_set(c)?;
    c.sp()?;
    let unchanged_since = sync::unchanged_since(c)?;
    let mode = match c.peek() {
        Some(b'+') => StoreMode::Add,
        Some(b'-') => StoreMode::Remove,
        _ => StoreMode::Replace,
    };
    let sign = match mode {
        StoreMode::Add => "+",
        StoreMode::Remove => "-",
        StoreMode::Replace => "",
    };
    let silent = match c.word()?.strip_prefix(sign) {
        Some("FLAGS") => false,
        Some("FLAGS.SILENT") => true,
        _ => return Err(Fault::bad("Unknown STORE item")),
    };
    c.sp()?;
    let mut flags = Vec::new();
    if c.peek() == Some(b'(') {
        flags = flag_list(c)?;
    } else {
        flags.push(flag(c)?);
        while c.eat(b' ') {
            if flags.len() >= FLAGS_MAX {
                return Err(Fault::bad("List too long"));
            }
            flags.push(flag(c)?);
        }
    }
    Ok(Command::Store { uid, set, mode, silent, flags, unchanged_since })
}

/// `copy = "COPY" SP sequence-set SP mailbox`; MOVE likewise (RFC 6851 4).
pub(super) fn copy(c: &mut Cursor<'_>) -> Result<(SequenceSet, Mailbox)> {
    c.sp()?;
    let set = sequence_set(c)?;
    c.sp()?;
    Ok((set, mailbox(c)?))
}

/// `append = "APPEND" SP mailbox 1*append-message` (RFC 3502 6.3.11), behind the verb and up to the announcement of a
/// literal of `bytes` octets; and whether that is wrapped. `None` when that literal is the mailbox.
pub(super) fn append(
    mut c: Cursor<'_>,
    bytes: u64,
    synchronising: bool,
) -> Result<Option<(Mailbox, AppendMessage, bool)>> {
    c.sp()?;
    if c.at_announcement() {
        return Ok(None);
    }
    let mailbox = mailbox(&mut c)?;
    let (message, wrapped) = append_message(&mut c, bytes, synchronising)?;
    Ok(Some((mailbox, message, wrapped)))
}

/// `append-message = [SP flag-list] [SP date-time] SP append-data` up to and with the announcement (RFC 3502 6.3.11)
/// `append-data = literal / literal8 / "UTF8" SP "(" literal8 ")"` (RFC 4466 6, RFC 6855 4); true for the last.
pub(super) fn append_message(
    c: &mut Cursor<'_>,
    bytes: u64,
    synchronising: bool,
) -> Result<(AppendMessage, bool)> {
    let (flags, internal_date) = append_attributes(c)?;
    c.sp()?;
    let wrapped = matches!(c.peek(), Some(b'U' | b'u'));
    if wrapped {
        if c.word()? != "UTF8" {
            return Err(Fault::bad(NO_MESSAGE));
        }
        c.sp()?;
        c.expect(b'(', "List expected")?;
    }
    if !c.eat(b'~') && wrapped {
        return Err(Fault::bad("A literal8 was expected"));
    }
    if !c.at_announcement() {
        return Err(Fault::bad(NO_MESSAGE));
    }
    Ok((AppendMessage { flags, internal_date, bytes, synchronising }, wrapped))
}

const NO_MESSAGE: &str = "The message has to be a literal";

/// Why a line that has no literal at its end is no APPEND.
pub(super) fn append_without_message(mut c: Cursor<'_>) -> Fault {
    let arguments = c.sp().and_then(|()| mailbox(&mut c)).and_then(|_| append_attributes(&mut c));
    arguments.err().unwrap_or(Fault::bad(NO_MESSAGE))
}

fn append_attributes(c: &mut Cursor<'_>) -> Result<(Vec<Flag>, Option<Timestamp>)> {
    let mut ahead = *c;
    let mut flags = Vec::new();
    if ahead.eat(b' ') && ahead.peek() == Some(b'(') {
        flags = flag_list(&mut ahead)?;
        *c = ahead;
    }
    ahead = *c;
    let mut internal_date = None;
    if ahead.eat(b' ') && ahead.peek() == Some(b'"') {
        internal_date = Some(date_time(&mut ahead)?);
        *c = ahead;
    }
    Ok((flags, internal_date))
}

/// `date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE`
fn date_time(c: &mut Cursor<'_>) -> Result<Timestamp> {
    date::date_time(&c.string()?).ok_or(Fault::bad("Invalid date-time"))
}
