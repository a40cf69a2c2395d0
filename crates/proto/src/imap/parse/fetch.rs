//! FETCH and the sections of a message.

use super::cursor::Cursor;
use super::message::sequence_set;
use super::{Fault, Result, sync};
use crate::imap::{BinarySection, BodySection, Command, FetchItem, Partial, Section, SectionText};

/// Items of one FETCH: each may be the whole message once more.
const ITEMS_MAX: usize = 256;
/// Names of one HEADER.FIELDS list: each is compared with every field.
const FIELDS_MAX: usize = 256;
/// Numbers of one section-part: messages are not kept parsed to that depth.
const PART_DEPTH_MAX: usize = 256;

/// `fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")`
/// `[fetch-modifiers]` (RFC 4466 6)
pub(super) fn fetch(c: &mut Cursor<'_>, uid: bool) -> Result<Command> {
    c.sp()?;
    let set = sequence_set(c)?;
    c.sp()?;
    let items = match c.peek() {
        Some(b'(') => c.list(ITEMS_MAX, false, fetch_att)?,
        _ => match fetch_macro(c) {
            Some(items) => items,
            None => vec![fetch_att(c)?],
        },
    };
    let modifiers = sync::fetch_modifiers(c, uid)?;
    Ok(Command::Fetch { uid, set, items, modifiers })
}

/// RFC 3501 6.4.5: a macro stands by itself.
fn fetch_macro(c: &mut Cursor<'_>) -> Option<Vec<FetchItem>> {
    let mut items = vec![FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size];
    let mut ahead = *c;
    match ahead.word().ok()?.as_str() {
        "FAST" => {}
        "ALL" => items.push(FetchItem::Envelope),
        "FULL" => items.extend([FetchItem::Envelope, FetchItem::Body]),
        _ => return None,
    }
    *c = ahead;
    Some(items)
}

/// `fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] /`
/// `"BODY" ["STRUCTURE"] / "UID" / "BODY" section ["<" number "." nz-number ">"] /`
/// `"BODY.PEEK" section ["<" number "." nz-number ">"]`
/// `fetch-att =/ "BINARY" [".PEEK"] section-binary [partial] / "BINARY.SIZE" section-binary` (RFC 3516 7)
fn fetch_att(c: &mut Cursor<'_>) -> Result<FetchItem> {
    let name = c.take_while(|b| b.is_ascii_alphanumeric() || b == b'.').to_ascii_uppercase();
    let item = match name.as_slice() {
        b"BODY" if c.peek() == Some(b'[') => FetchItem::Section(body_section(c, false)?),
        b"BODY.PEEK" => FetchItem::Section(body_section(c, true)?),
        b"BODY" => FetchItem::Body,
        b"BINARY" => FetchItem::Binary(binary_section(c, false)?),
        b"BINARY.PEEK" => FetchItem::Binary(binary_section(c, true)?),
        b"BINARY.SIZE" => FetchItem::BinarySize(section_binary(c)?),
        b"BODYSTRUCTURE" => FetchItem::BodyStructure,
        b"ENVELOPE" => FetchItem::Envelope,
        b"FLAGS" => FetchItem::Flags,
        b"INTERNALDATE" => FetchItem::InternalDate,
        b"RFC822" => FetchItem::Rfc822,
        b"RFC822.HEADER" => FetchItem::Rfc822Header,
        b"RFC822.SIZE" => FetchItem::Rfc822Size,
        b"RFC822.TEXT" => FetchItem::Rfc822Text,
        b"UID" => FetchItem::Uid,
        b"MODSEQ" => FetchItem::ModSeq,
        b"EMAILID" => FetchItem::EmailId,
        b"THREADID" => FetchItem::ThreadId,
        b"SAVEDATE" => FetchItem::SaveDate,
        b"PREVIEW" => FetchItem::Preview { lazy: preview_mods(c)? },
        _ => return Err(Fault::bad("Unknown FETCH item")),
    };
    Ok(item)
}

/// `"PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"]`, `preview-mod = "LAZY"` (RFC 8970 6), behind the name
fn preview_mods(c: &mut Cursor<'_>) -> Result<bool> {
    let mut ahead = *c;
    if !(ahead.eat(b' ') && ahead.eat(b'(')) {
        return Ok(false);
    }
    // Behind a single item a list may also be that of the modifiers.
    if !ahead.word().is_ok_and(|word| word == "LAZY") {
        return Ok(false);
    }
    c.sp()?;
    let mods = c.list(ITEMS_MAX, false, Cursor::word)?;
    if mods.iter().any(|word| word != "LAZY") {
        return Err(Fault::bad("Unknown PREVIEW modifier"));
    }
    Ok(true)
}

fn body_section(c: &mut Cursor<'_>, peek: bool) -> Result<BodySection> {
    Ok(BodySection { section: section(c)?, peek, partial: partial(c)? })
}

fn binary_section(c: &mut Cursor<'_>, peek: bool) -> Result<BinarySection> {
    Ok(BinarySection { part: section_binary(c)?, peek, partial: partial(c)? })
}

/// `section-binary = "[" [section-part] "]"`
fn section_binary(c: &mut Cursor<'_>) -> Result<Vec<u32>> {
    match section(c)? {
        Section { part, text: None } => Ok(part),
        Section { text: Some(_), .. } => Err(Fault::bad("Only a part can be decoded")),
    }
}

/// `[partial]`, `partial = "<" number "." nz-number ">"`
fn partial(c: &mut Cursor<'_>) -> Result<Option<Partial>> {
    if !c.eat(b'<') {
        return Ok(None);
    }
    let offset = c.number()?;
    c.expect(b'.', "Partial range expected")?;
    let length = c.nz_number()?;
    c.expect(b'>', "Partial range expected")?;
    Ok(Some(Partial { offset, length }))
}

/// `section = "[" [section-spec] "]"`
/// `section-spec = section-msgtext / (section-part ["." section-text])`
/// `section-part = nz-number *("." nz-number)`
fn section(c: &mut Cursor<'_>) -> Result<Section> {
    c.expect(b'[', "Section expected")?;
    let mut section = Section::default();
    if c.eat(b']') {
        return Ok(section);
    }
    loop {
        if !c.peek().is_some_and(|b| b.is_ascii_digit()) {
            section.text = Some(section_text(c, !section.part.is_empty())?);
            break;
        }
        section.part.push(c.nz_number()?.get());
        if section.part.len() > PART_DEPTH_MAX {
            return Err(Fault::bad("Section too deep"));
        }
        if !c.eat(b'.') {
            break;
        }
    }
    c.expect(b']', "End of section expected")?;
    Ok(section)
}

/// `section-text = section-msgtext / "MIME"`, MIME only behind a part
/// `section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"`
fn section_text(c: &mut Cursor<'_>, of_part: bool) -> Result<SectionText> {
    let name = c.take_while(|b| b.is_ascii_alphabetic() || b == b'.').to_ascii_uppercase();
    match name.as_slice() {
        b"HEADER" => Ok(SectionText::Header),
        b"HEADER.FIELDS" => header_list(c).map(SectionText::HeaderFields),
        b"HEADER.FIELDS.NOT" => header_list(c).map(SectionText::HeaderFieldsNot),
        b"TEXT" => Ok(SectionText::Text),
        b"MIME" if of_part => Ok(SectionText::Mime),
        _ => Err(Fault::bad("Unknown section")),
    }
}

/// `header-list = "(" header-fld-name *(SP header-fld-name) ")"`, `header-fld-name = astring`
fn header_list(c: &mut Cursor<'_>) -> Result<Vec<String>> {
    c.sp()?;
    c.list(FIELDS_MAX, false, Cursor::text)
}
