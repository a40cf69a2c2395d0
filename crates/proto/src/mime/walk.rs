//! The walk over a message's bytes that finds its parts: one pass, line by line, with a stack of open parts whose
//! height is bounded. Nothing here recurses, and no octet is looked at more often than a constant number of times
//! (its line against each open boundary).
//!
//! A part ends where a boundary of a part around it stands, at whatever depth (RFC 2046 5.1.2), or at the end of
//! input. Past a cap of `limits` a part is an opaque leaf.

use std::collections::BTreeMap;

use super::envelope::Envelope;
use super::header::{header_fields, is_blank, line_at, trim_line_end, unfold};
use super::limits::{
    BOUNDARY_MAX, DEPTH_MAX, FACTS_BYTES_MAX, FIELDS_MAX, LANGUAGES_MAX, PARAM_VALUE_MAX, PARTS_MAX,
};
use super::param::{content_type, disposition, first_token, tokens};
use super::structure::{EMPTY, Param, Part};

/// What the walk found.
pub(super) struct Walked {
    /// Parts by offset, the message first.
    pub(super) arena: Vec<Part>,
    /// Declared types that are not the part's type here, by arena index.
    pub(super) declared: BTreeMap<u32, String>,
}

/// Walks a whole message.
pub(super) fn walk(raw: &[u8]) -> Walked {
    let mut walk = Walk {
        raw,
        at: 0,
        line_feeds: 0,
        arena: Vec::new(),
        open: Vec::new(),
        declared: BTreeMap::new(),
        room: FACTS_BYTES_MAX,
    };
    walk.run();
    Walked { arena: walk.arena, declared: walk.declared }
}

struct Walk<'a> {
    raw: &'a [u8],
    /// Start of the next line.
    at: usize,
    /// Line feeds before `at`.
    line_feeds: u64,
    arena: Vec<Part>,
    open: Vec<Open>,
    declared: BTreeMap<u32, String>,
    /// Octets of memory that header values may still take.
    room: usize,
}

/// A part whose end is not known yet.
struct Open {
    part: u32,
    /// Of a multipart whose closing delimiter has not come.
    boundary: Option<Vec<u8>>,
    /// Line feeds before its body.
    line_feeds: u64,
}

/// A delimiter line of an open multipart.
struct Delimiter {
    /// Index into `open`.
    level: usize,
    is_closing: bool,
    /// Offset of the line end in front, which belongs to it (RFC 2046 5.1.1).
    start: usize,
    /// Line feeds before `start`.
    line_feeds: u64,
}

/// How a new part may contain others.
enum Kind {
    Leaf,
    Multipart(Vec<u8>),
    Message,
}

impl<'a> Walk<'a> {
    fn run(&mut self) {
        let mut delimiter = self.begin(None);
        while let Some(found) = delimiter {
            self.close_above(found.level, found.start, found.line_feeds);
            delimiter = if found.is_closing {
                self.end_multipart(found.level);
                self.skip_to_delimiter()
            } else if self.arena.len() >= PARTS_MAX {
                self.end_multipart(found.level);
                self.begin_opaque(found.level)
            } else {
                let parent = self.open.get(found.level).map(|open| open.part);
                self.begin(parent)
            };
        }
        self.close_all();
    }

    /// Reads the header of a part that starts here, and of the messages directly inside, up to the next delimiter.
    fn begin(&mut self, parent: Option<u32>) -> Option<Delimiter> {
        let mut parent = parent;
        loop {
            let header_start = self.at;
            // An inner part that does not begin with a field has no header: its text must not hide in one.
            let has_header = parent.is_none() || starts_header(line_at(self.raw, self.at));
            let mut delimiter = if has_header { self.skip_header() } else { None };
            let body_start = delimiter.as_ref().map_or(self.at, |found| found.start).max(header_start);
            let line_feeds = delimiter.as_ref().map_or(self.line_feeds, |found| found.line_feeds);
            let (index, kind) = self.describe(parent, header_start, body_start);
            // A header that ends with a delimiter has no body in which a message could be.
            let is_message = matches!(kind, Kind::Message) && delimiter.is_none();
            let boundary = if let Kind::Multipart(boundary) = kind { Some(boundary) } else { None };
            self.open.push(Open { part: index, boundary, line_feeds });
            if !is_message {
                if let Some(found) = &mut delimiter {
                    found.start = found.start.max(body_start);
                    return delimiter;
                }
                return self.skip_to_delimiter();
            }
            parent = Some(index);
        }
    }

    /// All that follows in the multipart at `level`, as one part without a header.
    fn begin_opaque(&mut self, level: usize) -> Option<Delimiter> {
        let parent = self.open.get(level).map(|open| open.part);
        let mut part = opaque(EMPTY.clone());
        "7bit".clone_into(&mut part.encoding);
        let index = self.add(part, parent, self.at, self.at);
        self.open.push(Open { part: index, boundary: None, line_feeds: self.line_feeds });
        self.skip_to_delimiter()
    }

    /// Moves behind the blank line, or behind the delimiter that ends the header before it.
    fn skip_header(&mut self) -> Option<Delimiter> {
        while self.at < self.raw.len() {
            let (line, delimiter) = self.next_line();
            if delimiter.is_some() {
                return delimiter;
            }
            if is_blank(line) {
                return None;
            }
        }
        None
    }

    fn skip_to_delimiter(&mut self) -> Option<Delimiter> {
        while self.at < self.raw.len() {
            let (_, delimiter) = self.next_line();
            if delimiter.is_some() {
                return delimiter;
            }
        }
        None
    }

    /// Moves behind the next line; tells if it is a delimiter.
    fn next_line(&mut self) -> (&'a [u8], Option<Delimiter>) {
        let raw = self.raw;
        let line = line_at(raw, self.at);
        let delimiter = if line.starts_with(b"--") { self.delimiter(line) } else { None };
        self.at += line.len();
        self.line_feeds += u64::from(line.ends_with(b"\n"));
        (line, delimiter)
    }

    /// RFC 2046 5.1.1: the boundary stands at the start of the line; what is behind it does not matter. Of several
    /// that fit the longest is meant, of equal ones the innermost.
    fn delimiter(&self, line: &[u8]) -> Option<Delimiter> {
        let content = trim_line_end(line).get(2..)?;
        let mut best: Option<(usize, usize)> = None;
        for (level, open) in self.open.iter().enumerate() {
            if let Some(boundary) = &open.boundary
                && content.starts_with(boundary)
                && best.is_none_or(|(_, length)| boundary.len() >= length)
            {
                best = Some((level, boundary.len()));
            }
        }
        let (level, length) = best?;
        let before = self.raw.get(..self.at).unwrap_or_default();
        let start = trim_line_end(before).len();
        Some(Delimiter {
            level,
            is_closing: content.get(length..).is_some_and(|rest| rest.starts_with(b"--")),
            start,
            line_feeds: self.line_feeds - u64::from(start < self.at),
        })
    }

    /// Adds the part whose header is known.
    fn describe(&mut self, parent: Option<u32>, start: usize, body_start: usize) -> (u32, Kind) {
        let header = self.raw.get(start..body_start).unwrap_or_default();
        let outer = parent.and_then(|parent| self.arena.get(parent as usize));
        // RFC 2046 5.1.5: in a digest a part is a message unless it says otherwise.
        let is_digest = outer.is_some_and(|outer| outer.is_multipart() && outer.subtype == "digest");
        let is_inner = outer.is_some_and(|outer| !outer.is_multipart());
        let (part, has_type) = mime_fields(header, is_digest);
        let (mut part, kind) = self.classify(part, has_type);
        self.spend(&mut part);
        let index = self.add(part, parent, start, body_start);
        if is_inner {
            let envelope = Envelope::parse(header);
            let size = envelope.octets();
            let envelope = if size <= self.room { envelope } else { Envelope::default() };
            self.room = self.room.saturating_sub(size);
            if let Some(outer) = parent.and_then(|parent| self.arena.get_mut(parent as usize)) {
                outer.envelope = Some(Box::new(envelope));
            }
        }
        (index, kind)
    }

    /// Decides if a part is looked into; if not, it becomes a type that IMAP shows as a leaf.
    fn classify(&mut self, mut part: Part, has_type: bool) -> (Part, Kind) {
        let is_full = self.open.len() >= DEPTH_MAX || self.arena.len() >= PARTS_MAX;
        if part.media_type == "multipart" {
            if is_full {
                return (self.opaque(part), Kind::Leaf);
            }
            let plain = part.param("boundary").map(<[u8]>::to_vec);
            let boundary =
                plain.or_else(|| Some(part.param_text("boundary")?.into_bytes())).unwrap_or_default();
            let boundary = boundary.trim_ascii_end().to_vec();
            if !boundary.is_empty() && boundary.len() <= BOUNDARY_MAX {
                return (part, Kind::Multipart(boundary));
            }
            self.declare(&part);
            become_text(&mut part);
        } else if part.media_type == "message" && matches!(part.subtype.as_str(), "rfc822" | "global") {
            // RFC 2046 5.2.1 allows no encoding for rfc822; what is encoded all the same is not looked into, and
            // RFC 9051 7.5.2 has no way to show a message without its envelope.
            let is_encoded = matches!(part.encoding.as_str(), "base64" | "quoted-printable");
            if is_full || is_encoded {
                return (self.opaque(part), Kind::Leaf);
            }
            return (part, Kind::Message);
        } else if !has_type {
            // RFC 2045 5.2.
            part.params.push(Param { name: "charset".to_owned(), value: b"us-ascii".to_vec() });
        }
        (part, Kind::Leaf)
    }

    fn declare(&mut self, part: &Part) {
        let index = u32::try_from(self.arena.len()).unwrap_or(u32::MAX);
        self.declared.insert(index, format!("{}/{}", part.media_type, part.subtype));
    }

    fn opaque(&mut self, part: Part) -> Part {
        self.declare(&part);
        opaque(part)
    }

    /// Takes a part's values from what may be kept; past that they stay empty.
    fn spend(&mut self, part: &mut Part) {
        let params = |params: &[Param]| params.iter().map(Param::octets).sum::<usize>();
        let values = [&part.id, &part.description, &part.md5, &part.location];
        let size = params(&part.params)
            + part.disposition.as_ref().map_or(0, |d| d.kind.len() + params(&d.params))
            + part.language.iter().map(|tag| size_of_val(tag) + tag.len()).sum::<usize>()
            + values.into_iter().flatten().map(Vec::len).sum::<usize>();
        if size > self.room {
            part.params.clear();
            part.language.clear();
            (part.disposition, part.id, part.description) = (None, None, None);
            (part.md5, part.location) = (None, None);
        } else {
            self.room -= size;
        }
    }

    fn add(&mut self, mut part: Part, parent: Option<u32>, start: usize, body_start: usize) -> u32 {
        // At most `PARTS_MAX + DEPTH_MAX` parts exist.
        let index = u32::try_from(self.arena.len()).unwrap_or(u32::MAX);
        (part.header_start, part.body_start, part.body_end) =
            (start as u64, body_start as u64, body_start as u64);
        part.parent = parent;
        self.arena.push(part);
        if let Some(outer) = parent.and_then(|parent| self.arena.get_mut(parent as usize)) {
            outer.children.push(index);
        }
        index
    }

    fn end_multipart(&mut self, level: usize) {
        if let Some(open) = self.open.get_mut(level) {
            open.boundary = None;
        }
    }

    /// Ends the parts that are deeper than `level`.
    fn close_above(&mut self, level: usize, end: usize, line_feeds: u64) {
        // The innermost body starts last. Where it starts behind the delimiter's line end, that was its blank line.
        let innermost = self.open.last().and_then(|open| self.arena.get(open.part as usize));
        let end = innermost.map_or(0, |part| part.body_start).max(end as u64);
        while self.open.len() > level + 1 {
            let Some(open) = self.open.pop() else { break };
            self.close(&open, end, line_feeds);
        }
    }

    fn close_all(&mut self) {
        while let Some(open) = self.open.pop() {
            self.close(&open, self.raw.len() as u64, self.line_feeds);
        }
    }

    fn close(&mut self, open: &Open, end: u64, line_feeds: u64) {
        let Some(part) = self.arena.get_mut(open.part as usize) else { return };
        part.body_end = end;
        part.lines = line_feeds.saturating_sub(open.line_feeds);
        if part.is_multipart() && part.children.is_empty() {
            // RFC 9051 9 body-type-mpart has at least one part: what has none is shown as the text that it is.
            let declared = format!("{}/{}", part.media_type, part.subtype);
            become_text(part);
            self.declared.insert(open.part, declared);
        }
    }
}

/// May a header begin with this line? `From ` lines of mailboxes come with attached messages.
fn starts_header(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii_end();
    let is_field = name.len() < line.len() && !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    is_blank(line)
        || is_field
        || [&b"--"[..], b"From ", b">From "].iter().any(|start| line.starts_with(start))
}

fn become_text(part: &mut Part) {
    "text".clone_into(&mut part.media_type);
    "plain".clone_into(&mut part.subtype);
}

fn opaque(mut part: Part) -> Part {
    "application".clone_into(&mut part.media_type);
    "octet-stream".clone_into(&mut part.subtype);
    part
}

/// The fields of RFC 2045 and its kin in a header; of each the first. Tells if there was a Content-Type.
fn mime_fields(header: &[u8], is_digest: bool) -> (Part, bool) {
    let mut part = EMPTY.clone();
    let mut declared = None;
    for field in header_fields(header).take(FIELDS_MAX) {
        let is_mime = field.name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"));
        if !is_mime {
            continue;
        }
        let text = || Some(unfold(field.value, PARAM_VALUE_MAX));
        if field.is("Content-Type") && declared.is_none() {
            declared = Some(content_type(field.value));
        } else if field.is("Content-Transfer-Encoding") && part.encoding.is_empty() {
            part.encoding = first_token(field.value).unwrap_or_default();
        } else if field.is("Content-Disposition") && part.disposition.is_none() {
            part.disposition = disposition(field.value);
        } else if field.is("Content-ID") && part.id.is_none() {
            part.id = text();
        } else if field.is("Content-Description") && part.description.is_none() {
            part.description = text();
        } else if field.is("Content-MD5") && part.md5.is_none() {
            part.md5 = text();
        } else if field.is("Content-Location") && part.location.is_none() {
            part.location = text();
        } else if field.is("Content-Language") && part.language.is_empty() {
            part.language = tokens(field.value, LANGUAGES_MAX);
        }
    }
    if part.encoding.is_empty() {
        "7bit".clone_into(&mut part.encoding);
    }
    let has_type = declared.is_some();
    let media = declared.and_then(|declared| {
        part.params = declared.params;
        declared.media
    });
    let default = if is_digest && !has_type { ("message", "rfc822") } else { ("text", "plain") };
    (part.media_type, part.subtype) = media.unwrap_or_else(|| (default.0.to_owned(), default.1.to_owned()));
    (part, has_type)
}
