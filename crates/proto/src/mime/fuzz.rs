//! What `facts` promises for any bytes, as assertions: for the fuzz target and the tests of this crate. Nothing
//! else calls it.

use super::limits::{DEPTH_MAX, PARTS_MAX, PREVIEW_CHARS_MAX};
use super::{
    Envelope, Facts, Part, Structure, authors, decode_header, decode_text, facts, header_end, header_fields,
    header_subset_not,
};

/// Fuzz entry: panics if any promise about these bytes is broken; else gives the facts.
#[doc(hidden)]
pub fn fuzz_mime(data: &[u8]) -> Facts {
    let facts = check(data);
    for part in facts.structure.parts() {
        decode_text(part, slice(data, part.body_start, part.body_end));
        let header = slice(data, part.header_start, part.body_start);
        let fields: usize = header_fields(header).map(|field| field.raw.len()).sum();
        assert!(fields <= header.len());
        assert!(header_subset_not(header, &[]).len() <= fields + 2);
    }
    assert!(!decode_header(data).chars().any(char::is_control));
    assert!(authors(data).unwrap_or_default().all().all(|address| address.contains('@')));
    Envelope::from_bytes(data);
    Structure::from_bytes(data);
    facts
}

/// Facts, with every promise that their documents make.
pub(super) fn check(raw: &[u8]) -> Facts {
    let facts = facts(raw);
    let structure = &facts.structure;
    assert!((1..=PARTS_MAX + DEPTH_MAX).contains(&structure.parts().count()));
    let root = structure.root();
    assert_eq!((root.header_start, root.body_end), (0, raw.len() as u64));
    assert_eq!(root.body_start, header_end(raw) as u64);
    for (index, part) in (0_u32..).zip(structure.parts()) {
        check_part(raw, structure, index, part);
    }
    assert_eq!(Structure::from_bytes(&structure.to_bytes()).as_ref(), Some(structure));
    assert_eq!(Envelope::from_bytes(&facts.envelope.to_bytes()).as_ref(), Some(&facts.envelope));
    assert!(facts.preview.chars().count() <= PREVIEW_CHARS_MAX);
    let names = facts.attachments.iter().filter_map(|attachment| attachment.name.as_deref());
    for text in names.chain([facts.preview.as_str()]).chain(facts.thread_key.as_deref()) {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    facts
}

fn check_part(raw: &[u8], structure: &Structure, index: u32, part: &Part) {
    assert!(part.header_start <= part.body_start && part.body_start <= part.body_end, "{part:?}");
    assert_eq!(part.is_multipart(), !part.children.is_empty() && !part.is_message(), "{part:?}");
    assert!(!part.is_message() || part.children.len() == 1, "{part:?}");
    if part.children.is_empty() {
        let body = slice(raw, part.body_start, part.body_end);
        assert_eq!(part.lines, body.iter().filter(|byte| **byte == b'\n').count() as u64, "{part:?}");
    }
    let mut end = part.body_start;
    for child in &part.children {
        assert!(*child > index, "{part:?}");
        let child = structure.at(*child);
        assert_eq!(child.parent, Some(index));
        assert!(child.header_start >= end && child.body_end <= part.body_end, "{part:?} {child:?}");
        end = child.body_end;
    }
}

fn slice(raw: &[u8], start: u64, end: u64) -> &[u8] {
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    range.and_then(|(start, end)| raw.get(start..end)).unwrap_or_default()
}
