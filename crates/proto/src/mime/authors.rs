//! Whose names a submitted message carries, read strictly: what two programs could read differently is refused.
//!
//! `address` reads whatever stands in a header, for lists that people look at. A check of who may write as whom must not
//! guess: where the grammar (RFC 5322 3.4 without the obsolete forms of 4.4, RFC 6532) gives one reading, all readers
//! agree; elsewhere the one who shows the message may find another author than the one who let it through.
//! Invariants: one pass, bounded by the header's length and [`AUTHORS_MAX`]; never recursive.

use super::header::{HeaderField, header_fields, trim_line_end};

/// Addresses read of one message: a letter signed by this many offices is none.
const AUTHORS_MAX: usize = 50;

/// Why the authors of a message cannot be told for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorsError {
    /// A line of the header has no name, or one with other than visible ASCII characters (RFC 5322 2.2).
    #[error("the header has a line that is not a field")]
    FieldName,
    #[error("there is no From address")]
    Missing,
    /// RFC 5322 3.6: From and Sender come once.
    #[error("there are several {0} fields")]
    Repeated(&'static str),
    #[error("the {0} field cannot be read without doubt")]
    Unclear(&'static str),
    #[error("there are too many addresses")]
    TooMany,
}

/// Fields under whose name a message goes out (RFC 5322 3.6.2, 3.6.6), and whether one message has more than one.
const FIELDS: [(&str, bool); 4] =
    [("From", false), ("Sender", false), ("Resent-From", true), ("Resent-Sender", true)];

/// Who is named as an author, as `local@domain` without quotation marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authors {
    /// At least one.
    pub from: Vec<String>,
    pub sender: Vec<String>,
    /// In Resent-From and Resent-Sender.
    pub resent: Vec<String>,
}

impl Authors {
    /// Each as often as it is named.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.from.iter().chain(&self.sender).chain(&self.resent)
    }
}

/// Every address in From, Sender, Resent-From and Resent-Sender of a header.
///
/// # Errors
/// See [`AuthorsError`].
pub fn authors(header: &[u8]) -> Result<Authors, AuthorsError> {
    let mut found = Authors::default();
    let mut seen = [false; FIELDS.len()];
    for field in header_fields(header) {
        if !has_plain_name(&field) {
            return Err(AuthorsError::FieldName);
        }
        for ((name, repeats), seen) in FIELDS.iter().zip(&mut seen) {
            if !field.is(name) {
                continue;
            }
            if std::mem::replace(seen, true) && !repeats {
                return Err(AuthorsError::Repeated(name));
            }
            let count = found.all().count();
            let list = match *name {
                "From" => &mut found.from,
                "Sender" => &mut found.sender,
                _ => &mut found.resent,
            };
            read_list(&field, name, (list, count))?;
        }
    }
    match seen {
        [true, ..] => Ok(found),
        _ => Err(AuthorsError::Missing),
    }
}

/// RFC 5322 3.6.8: visible ASCII up to the colon. White space in front of the colon is obsolete, and for some the end of
/// the header.
fn has_plain_name(field: &HeaderField<'_>) -> bool {
    let name = field.raw.split(|byte| *byte == b':').next().unwrap_or_default();
    name.len() < trim_line_end(field.raw).len() && !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

fn read_list(
    field: &HeaderField<'_>,
    name: &'static str,
    (found, mut count): (&mut Vec<String>, usize),
) -> Result<(), AuthorsError> {
    let unclear = AuthorsError::Unclear(name);
    let value = str::from_utf8(field.value).map_err(|_| unclear)?;
    // RFC 5322 2.2.3: a line end is there only in front of white space, and goes.
    let value = value.replace("\r\n", "").replace('\n', "");
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(unclear);
    }
    let mut rest = Reader { rest: &value };
    rest.space().ok_or(unclear)?;
    if rest.rest.is_empty() && name == "From" {
        return Err(AuthorsError::Missing);
    }
    loop {
        if count >= AUTHORS_MAX {
            return Err(AuthorsError::TooMany);
        }
        found.push(rest.mailbox().ok_or(unclear)?);
        count += 1;
        rest.space().ok_or(unclear)?;
        if rest.rest.is_empty() {
            return Ok(());
        }
        rest.octet(',').ok_or(unclear)?;
        rest.space().ok_or(unclear)?;
    }
}

/// Takes from the front; `None` where the grammar is left.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// mailbox = name-addr / addr-spec. No group (RFC 6854 warns against them in From): its name would be the author.
    fn mailbox(&mut self) -> Option<String> {
        let start = self.rest;
        if let Some(address) = self.address()
            && self.space().is_some()
            && (self.rest.is_empty() || self.rest.starts_with(','))
        {
            return Some(address);
        }
        self.rest = start;
        self.display_name()?;
        self.octet('<')?;
        let address = self.address()?;
        self.octet('>')?;
        Some(address)
    }

    /// addr-spec without comments or white space in it: dot-atom or quoted-string, `@`, dot-atom.
    fn address(&mut self) -> Option<String> {
        let local = if self.rest.starts_with('"') { self.quoted()? } else { self.dot_atom()?.to_owned() };
        self.octet('@')?;
        let domain = self.dot_atom()?;
        Some(format!("{local}@{domain}"))
    }

    /// Words up to the angle bracket, perhaps none. Dots outside of quotation marks are obsolete, but everybody reads
    /// them alike ("John Q. Public").
    fn display_name(&mut self) -> Option<()> {
        loop {
            self.space()?;
            match self.rest.chars().next()? {
                '<' => return Some(()),
                '"' => drop(self.quoted()?),
                _ => drop(self.run(|c| is_atext(c) || c == '.')?),
            }
        }
    }

    /// RFC 5322 3.2.4, with its marks; gives what is between them.
    fn quoted(&mut self) -> Option<String> {
        let mut content = String::new();
        let mut characters = self.rest.strip_prefix('"')?.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => content.push(characters.next()?),
                other => content.push(other),
            }
        }
        self.rest = characters.as_str();
        Some(content)
    }

    fn dot_atom(&mut self) -> Option<&'a str> {
        let atom = self.run(|c| is_atext(c) || c == '.')?;
        atom.split('.').all(|part| !part.is_empty()).then_some(atom)
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> Option<&'a str> {
        let (run, rest) = self.rest.split_at(self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len()));
        self.rest = rest;
        (!run.is_empty()).then_some(run)
    }

    /// White space and comments. A comment with what looks like an address in it, or with another comment, is not read
    /// alike by all.
    fn space(&mut self) -> Option<()> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t']);
            let Some(comment) = self.rest.strip_prefix('(') else { return Some(()) };
            let (content, rest) = comment.split_once(')')?;
            if content.contains(['(', '<', '>', '@', '"', '\\', ',', ';', ':']) {
                return None;
            }
            self.rest = rest;
        }
    }

    fn octet(&mut self, wanted: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }
}

/// RFC 5322 3.2.3 atext, RFC 6532 3.2: and whatever is not ASCII, but for white space, which would hide where a word ends.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Result<Vec<String>, AuthorsError> {
        let read = authors(format!("{header}\r\n\r\nFrom: in@the.body\r\n").as_bytes());
        read.map(|authors| authors.all().cloned().collect())
    }

    fn good(from: &str, expected: &[&str]) {
        assert_eq!(read(&format!("From: {from}")).as_deref().unwrap(), expected, "{from}");
    }

    #[test]
    fn reads_what_has_one_meaning() {
        good("an@demo.vn", &["an@demo.vn"]);
        good("An <an@demo.vn>", &["an@demo.vn"]);
        good(" <an@demo.vn> ", &["an@demo.vn"]);
        good("Nguyễn Văn An <an@demo.vn>", &["an@demo.vn"]);
        good("=?utf-8?Q?Nguy=E1=BB=85n?=\r\n An <an@demo.vn>", &["an@demo.vn"]);
        good("\"Sở Nội vụ, P. 2 <x>\" <an@demo.vn>", &["an@demo.vn"]);
        good("John Q. Public <jqp@demo.vn>,\r\n\tb@demo.vn", &["jqp@demo.vn", "b@demo.vn"]);
        good("an@demo.vn (Nguyễn Văn An)", &["an@demo.vn"]);
        good("\"a \\\" b\"@demo.vn", &["a \" b@demo.vn"]);
        good("ần@ví-dụ.vn", &["ần@ví-dụ.vn"]);
        let all = read(
            "from: a@b.c\r\nSENDER: d@e.f\r\nResent-From: g@h.i\r\nResent-From: j@k.l\r\nResent-Sender: m@n.o",
        );
        assert_eq!(all.unwrap(), ["a@b.c", "d@e.f", "g@h.i", "j@k.l", "m@n.o"]);
    }

    #[test]
    fn refuses_what_others_may_read_differently() {
        for from in [
            "boss@demo.vn <an@demo.vn>",
            "boss@demo.vn an@demo.vn",
            "\"boss <boss@demo.vn>, An <an@demo.vn>",
            "<@a.b,@c.d:an@demo.vn>",
            "<@a.b:an@demo.vn>",
            "g: an@demo.vn;",
            "g:;",
            "an@demo.vn;",
            "an@demo.vn,",
            ", an@demo.vn",
            "an @ demo.vn",
            "an@demo .vn",
            "an@demo.vn(boss@demo.vn)",
            "(boss@demo.vn) an@demo.vn",
            "an@demo.vn ((x) y)",
            "(x an@demo.vn",
            "<an@demo.vn",
            "An an@demo.vn>",
            "<an@demo.vn> <boss@demo.vn>",
            "<an@demo.vn> boss",
            "<<an@demo.vn>>",
            "an..x@demo.vn",
            ".an@demo.vn",
            "an@demo.vn.",
            "an@[192.0.2.1]",
            "an",
            "<>",
            "An <an@demo.vn\u{a0}>",
            "an\u{7}@demo.vn",
            "an@boss@demo.vn",
        ] {
            assert_eq!(read(&format!("From: {from}")), Err(AuthorsError::Unclear("From")), "{from}");
        }
        assert_eq!(authors(b"From: \xe1n <an@demo.vn>\r\n\r\n"), Err(AuthorsError::Unclear("From")));
        assert_eq!(read("From: a@b.c\r\nSender: d@"), Err(AuthorsError::Unclear("Sender")));
    }

    #[test]
    fn refuses_fields_that_come_twice_or_not_at_all() {
        assert_eq!(read("From: a@b.c\r\nFrom: a@b.c"), Err(AuthorsError::Repeated("From")));
        assert_eq!(
            read("From: a@b.c\r\nSender: a@b.c\r\nsender: a@b.c"),
            Err(AuthorsError::Repeated("Sender"))
        );
        for missing in ["Subject: x", "From:", "From: \r\n \t", "From: (An)"] {
            assert_eq!(read(missing), Err(AuthorsError::Missing), "{missing}");
        }
        let many = vec!["a@b.c"; 51].join(",");
        assert_eq!(read(&format!("From: {many}")), Err(AuthorsError::TooMany));
    }

    #[test]
    fn refuses_lines_that_are_no_fields() {
        for line in [
            "From : boss@demo.vn",
            "Fr\u{a0}om: boss@demo.vn",
            "From\u{a0}: boss@demo.vn",
            "Fr\u{7f}om: x",
            "no field",
            ": nameless",
        ] {
            let header = format!("From: an@demo.vn\r\n{line}");
            assert_eq!(read(&header), Err(AuthorsError::FieldName), "{line}");
        }
        assert_eq!(authors(b" From: an@demo.vn\r\n\r\n"), Err(AuthorsError::FieldName));
        assert_eq!(authors(b"From: an@demo.vn\r\n\xa0: x\r\n\r\n"), Err(AuthorsError::FieldName));
    }

    #[test]
    fn any_input_ends() {
        for flood in ["(", "\"", "<", "a@b,", "\\", "a.", "\" "] {
            let _ = read(&format!("From: {}", flood.repeat(100_000)));
        }
    }
}
