//! Which octets of a message a FETCH item means (RFC 3501 6.4.5, RFC 3516 4.2), as ranges of the stored bytes.

use proto::imap::{BinarySection, BodySection, FetchItem, Partial, Section, SectionText};
use proto::mime::{Part, Structure, TransferDecoder};
use std::ops::Range;

/// Where the octets of an item are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// As they lie in the message.
    Octets(Range<u64>),
    /// What these are decoded to, a part of that where one is wanted.
    Encoded { octets: Range<u64>, decoder: TransferDecoder, partial: Option<Partial> },
    /// As nobody knows the encoding, nobody knows the octets (RFC 3516 4.3).
    Unknown,
    /// Some fields of the header that lies there.
    Fields { header: Range<u64>, names: Vec<String>, without: bool, partial: Option<Partial> },
    /// There is no such part: NIL.
    Nowhere,
}

/// The place of a body item; `None` for items that are no octets of the message. `size` is the message's, `structure`
/// is there if [`needs_structure`] says so.
pub(crate) fn place(item: &FetchItem, size: u64, structure: Option<&Structure>) -> Option<Place> {
    match item {
        FetchItem::Rfc822 => Some(Place::Octets(0..size)),
        FetchItem::Rfc822Header => Some(of_message(structure, |root| root.header_start..root.body_start)),
        FetchItem::Rfc822Text => Some(of_message(structure, |root| root.body_start..size)),
        FetchItem::Section(wanted) => Some(of_section(wanted, size, structure)),
        FetchItem::Binary(wanted) => Some(decoded(&wanted.part, wanted.partial, size, structure)),
        FetchItem::BinarySize(part) => Some(decoded(part, None, size, structure)),
        _ => None,
    }
}

/// Must the structure be known to find the item?
pub(crate) fn needs_structure(item: &FetchItem) -> bool {
    match item {
        FetchItem::Rfc822Header | FetchItem::Rfc822Text => true,
        FetchItem::Section(wanted) => wanted.section != Section::default(),
        FetchItem::Binary(BinarySection { part, .. }) | FetchItem::BinarySize(part) => !part.is_empty(),
        _ => false,
    }
}

/// Does reading the item mark the message as seen? (RFC 3501 6.4.5)
pub(crate) fn marks_seen(item: &FetchItem) -> bool {
    match item {
        FetchItem::Rfc822 | FetchItem::Rfc822Text => true,
        FetchItem::Section(wanted) => !wanted.peek,
        FetchItem::Binary(wanted) => !wanted.peek,
        _ => false,
    }
}

/// Does the item bring what the message says, and not its header alone?
pub(crate) fn reads_text(item: &FetchItem) -> bool {
    match item {
        FetchItem::Rfc822 | FetchItem::Rfc822Text | FetchItem::Binary(_) => true,
        FetchItem::Section(wanted) => matches!(wanted.section.text, None | Some(SectionText::Text)),
        _ => false,
    }
}

fn of_message(structure: Option<&Structure>, range: impl Fn(&Part) -> Range<u64>) -> Place {
    structure.map_or(Place::Nowhere, |structure| Place::Octets(range(structure.root())))
}

fn of_section(wanted: &BodySection, size: u64, structure: Option<&Structure>) -> Place {
    let section = &wanted.section;
    if *section == Section::default() {
        return Place::Octets(clip(0..size, wanted.partial));
    }
    let Some(structure) = structure else { return Place::Nowhere };
    let Some(part) = structure.part(&section.part) else { return Place::Nowhere };
    // HEADER and TEXT are those of a message: the whole one, or that inside a message part.
    let message = if section.part.is_empty() { Some(structure.root()) } else { structure.message(part) };
    let header = |part: &Part| part.header_start..part.body_start;
    let range = match (&section.text, message) {
        (None, _) => part.body_start..part.body_end,
        (Some(SectionText::Mime), _) => header(part),
        (Some(_), None) => return Place::Nowhere,
        (Some(SectionText::Header), Some(message)) => header(message),
        (Some(SectionText::Text), Some(message)) => message.body_start..message.body_end,
        (Some(SectionText::HeaderFields(names)), Some(message)) => {
            return fields(header(message), names, false, wanted.partial);
        }
        (Some(SectionText::HeaderFieldsNot(names)), Some(message)) => {
            return fields(header(message), names, true, wanted.partial);
        }
    };
    Place::Octets(clip(range, wanted.partial))
}

/// RFC 3516 3: what has no encoding of its own is given as it is, as the whole message; so are parts that have parts, for
/// which RFC 2045 6.4 allows none but the encodings that change nothing (RFC 9051 6.4.5 has clients ask for leaves only).
fn decoded(part: &[u32], partial: Option<Partial>, size: u64, structure: Option<&Structure>) -> Place {
    let as_it_is = |octets: Range<u64>| {
        // What is not wanted of it need not be read.
        Place::Encoded { octets: clip(octets, partial), decoder: TransferDecoder::IDENTITY, partial: None }
    };
    if part.is_empty() {
        return as_it_is(0..size);
    }
    let Some(part) = structure.and_then(|structure| structure.part(part)) else { return Place::Nowhere };
    let octets = part.body_start..part.body_end;
    if part.is_multipart() || part.is_message() {
        return as_it_is(octets);
    }
    match TransferDecoder::new(&part.encoding) {
        Some(decoder) if decoder.is_identity() => as_it_is(octets),
        Some(decoder) => Place::Encoded { octets, decoder, partial },
        None => Place::Unknown,
    }
}

fn fields(header: Range<u64>, names: &[String], without: bool, partial: Option<Partial>) -> Place {
    Place::Fields { header, names: names.to_vec(), without, partial }
}

/// RFC 3501 6.4.5: a partial fetch is cut off at the end of the text; one that starts behind it is empty.
pub(crate) fn clip(range: Range<u64>, partial: Option<Partial>) -> Range<u64> {
    let Some(partial) = partial else { return range };
    let start = range.start.saturating_add(u64::from(partial.offset)).min(range.end);
    let end = start.saturating_add(u64::from(partial.length.get())).min(range.end);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::fields::Choice;
    use proto::mime;
    use std::num::NonZeroU32;

    const MESSAGE: &[u8] = b"From: a@b\r\nSubject: hi\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
        --x\r\nContent-Type: text/plain\r\n\r\none\r\n\
        --x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninside\r\n\
        --x\r\nContent-Transfer-Encoding: Base64\r\n\r\nZm91cg==\r\n\
        --x\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n#9FEV90\r\n--x--\r\n";

    fn section(part: &[u32], text: Option<SectionText>, partial: Option<(u32, u32)>) -> FetchItem {
        let partial =
            partial.map(|(offset, length)| Partial { offset, length: NonZeroU32::new(length).unwrap() });
        FetchItem::Section(BodySection {
            section: Section { part: part.to_vec(), text },
            peek: true,
            partial,
        })
    }

    fn binary(part: &[u32], partial: Option<(u32, u32)>) -> FetchItem {
        let partial =
            partial.map(|(offset, length)| Partial { offset, length: NonZeroU32::new(length).unwrap() });
        FetchItem::Binary(BinarySection { part: part.to_vec(), peek: true, partial })
    }

    /// The octets an item means, `None` for NIL.
    fn octets(item: &FetchItem) -> Option<String> {
        let structure = mime::facts(MESSAGE).structure;
        let at = |range: Range<u64>| &MESSAGE[range.start as usize..range.end as usize];
        let bytes = match place(item, MESSAGE.len() as u64, Some(&structure)).unwrap() {
            Place::Octets(range) => at(range).to_vec(),
            Place::Fields { header, names, without, partial } => {
                let mut chosen = Vec::new();
                Choice::new(&names, without).feed(at(header), true, &mut chosen);
                let cut = clip(0..chosen.len() as u64, partial);
                chosen[cut.start as usize..cut.end as usize].to_vec()
            }
            Place::Encoded { octets, mut decoder, partial } => {
                let mut decoded = Vec::new();
                decoder.feed(at(octets), &mut |octets| decoded.extend_from_slice(octets));
                decoder.finish(&mut |octets| decoded.extend_from_slice(octets));
                let cut = clip(0..decoded.len() as u64, partial);
                decoded[cut.start as usize..cut.end as usize].to_vec()
            }
            Place::Nowhere => return None,
            Place::Unknown => b"unknown".to_vec(),
        };
        Some(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn sections_are_slices_of_the_message() {
        let whole = String::from_utf8(MESSAGE.to_vec()).unwrap();
        let (header, text) = whole.split_at(whole.find("\r\n\r\n").unwrap() + 4);
        let subject = || SectionText::HeaderFields(vec!["SUBJECT".to_owned()]);
        let not_subject =
            || SectionText::HeaderFieldsNot(vec!["subject".to_owned(), "content-type".to_owned()]);
        let rows = [
            (section(&[], None, None), Some(whole.as_str())),
            (FetchItem::Rfc822, Some(whole.as_str())),
            (section(&[], Some(SectionText::Header), None), Some(header)),
            (FetchItem::Rfc822Header, Some(header)),
            (section(&[], Some(SectionText::Text), None), Some(text)),
            (FetchItem::Rfc822Text, Some(text)),
            (section(&[], Some(subject()), None), Some("Subject: hi\r\n\r\n")),
            (section(&[], Some(not_subject()), None), Some("From: a@b\r\n\r\n")),
            (section(&[1], None, None), Some("one")),
            (section(&[1], Some(SectionText::Mime), None), Some("Content-Type: text/plain\r\n\r\n")),
            (section(&[1], Some(SectionText::Header), None), None),
            (section(&[2], None, None), Some("Subject: inner\r\n\r\ninside")),
            (section(&[2], Some(SectionText::Header), None), Some("Subject: inner\r\n\r\n")),
            (section(&[2], Some(SectionText::Text), None), Some("inside")),
            (section(&[2], Some(subject()), None), Some("Subject: inner\r\n\r\n")),
            (section(&[2, 1], None, None), Some("inside")),
            (section(&[3], None, None), Some("Zm91cg==")),
            (section(&[5], None, None), None),
            (section(&[], None, Some((0, 6))), Some("From: ")),
            (section(&[1], None, Some((1, 100))), Some("ne")),
            (section(&[1], None, Some((3, 1))), Some("")),
            (section(&[1], None, Some((u32::MAX, u32::MAX))), Some("")),
            (section(&[], Some(subject()), Some((9, 2))), Some("hi")),
            (binary(&[], None), Some(whole.as_str())),
            (binary(&[], Some((0, 6))), Some("From: ")),
            (binary(&[1], Some((1, 1))), Some("n")),
            (binary(&[2], None), Some("Subject: inner\r\n\r\ninside")),
            (binary(&[2, 1], Some((6, 1))), Some("")),
            (binary(&[3], None), Some("four")),
            (binary(&[3], Some((1, 2))), Some("ou")),
            (binary(&[3], Some((u32::MAX, u32::MAX))), Some("")),
            (binary(&[3, 1], None), None),
            (binary(&[4], None), Some("unknown")),
            (binary(&[5], None), None),
            (FetchItem::BinarySize(vec![3]), Some("four")),
        ];
        for (item, expected) in rows {
            assert_eq!(octets(&item).as_deref(), expected, "{item:?}");
        }
    }

    #[test]
    fn what_marks_as_seen_and_what_needs_the_structure() {
        let read =
            |peek| FetchItem::Section(BodySection { section: Section::default(), peek, partial: None });
        assert!(marks_seen(&read(false)) && !marks_seen(&read(true)));
        assert!(marks_seen(&FetchItem::Rfc822) && marks_seen(&FetchItem::Rfc822Text));
        assert!(!marks_seen(&FetchItem::Rfc822Header) && !marks_seen(&FetchItem::Envelope));
        assert!(!needs_structure(&read(true)) && needs_structure(&section(&[1], None, None)));
        let binary = |peek| FetchItem::Binary(BinarySection { part: vec![1], peek, partial: None });
        assert!(marks_seen(&binary(false)) && !marks_seen(&binary(true)));
        assert!(!marks_seen(&FetchItem::BinarySize(vec![1])));
        assert!(needs_structure(&binary(true)) && !needs_structure(&FetchItem::BinarySize(vec![])));
    }
}
