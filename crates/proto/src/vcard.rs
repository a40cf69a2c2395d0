//! vCards (RFC 6350), written: entries of an address book for other programs.

/// Octets of a line, its end not counted (RFC 6350 3.2).
const LINE_MAX: usize = 75;

/// Whose card it is (RFC 6350 6.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Individual,
    Org,
}

/// One entry. Texts may hold anything; what has a meaning in a vCard is escaped.
#[derive(Clone, Copy, Debug)]
pub struct Card<'a> {
    pub kind: Kind,
    /// FN, which has no parts: Vietnamese names are not taken apart.
    pub name: &'a str,
    /// The organisation, and the units in it from the highest down (RFC 6350 6.6.4); empty: none.
    pub organisation: &'a [&'a str],
    pub titles: &'a [String],
    pub email: &'a str,
}

impl Card<'_> {
    /// Adds the card to a file of them.
    pub fn write(&self, out: &mut String) {
        line(out, "BEGIN:VCARD");
        line(out, "VERSION:4.0");
        line(out, &format!("UID:mailto:{}", self.email));
        line(out, if self.kind == Kind::Org { "KIND:org" } else { "KIND:individual" });
        line(out, &format!("FN:{}", escaped(self.name)));
        if !self.organisation.is_empty() {
            // A unit keeps its place, whichever characters its name has.
            let parts: Vec<String> = self.organisation.iter().map(|part| escaped(part)).collect();
            line(out, &format!("ORG:{}", parts.join(";")));
        }
        for title in self.titles {
            line(out, &format!("TITLE:{}", escaped(title)));
        }
        line(out, &format!("EMAIL:{}", escaped(self.email)));
        line(out, "END:VCARD");
    }
}

/// RFC 6350 3.4; other controls than a line's end cannot be written at all.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | ',' | ';' => escaped.extend(['\\', character]),
            '\n' => escaped.push_str("\\n"),
            character if character.is_control() => {}
            character => escaped.push(character),
        }
    }
    escaped
}

/// Folded between characters, as no receiver has to put octets of one together again.
fn line(out: &mut String, text: &str) {
    let mut room = LINE_MAX;
    for character in text.chars() {
        if character.len_utf8() > room {
            out.push_str("\r\n ");
            room = LINE_MAX - 1;
        }
        room -= character.len_utf8();
        out.push(character);
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_and_an_organisation() {
        let mut out = String::new();
        let titles = ["Phó Giám đốc, phụ trách".to_owned()];
        let (name, organisation) =
            ("Nguyễn Thị Bưởi", ["Sở Thông tin; Truyền thông", "Phòng Kế hoạch, Tài chính"]);
        Card {
            kind: Kind::Individual,
            name,
            organisation: &organisation,
            titles: &titles,
            email: "buoi@t.vn",
        }
        .write(&mut out);
        Card { kind: Kind::Org, name: "Văn phòng", organisation: &[], titles: &[], email: "vp@t.vn" }
            .write(&mut out);
        assert_eq!(
            out,
            "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:mailto:buoi@t.vn\r\nKIND:individual\r\nFN:Nguyễn Thị Bưởi\r\n\
             ORG:Sở Thông tin\\; Truyền thông;Phòng Kế hoạch\\, Tài chính\r\nTITLE:Phó Giám đốc\\, phụ trách\r\nEMAIL:buoi@t.vn\r\nEND:VCARD\r\n\
             BEGIN:VCARD\r\nVERSION:4.0\r\nUID:mailto:vp@t.vn\r\nKIND:org\r\nFN:Văn phòng\r\nEMAIL:vp@t.vn\r\nEND:VCARD\r\n"
        );
    }

    #[test]
    fn nothing_in_a_text_ends_a_line() {
        let mut out = String::new();
        let name = "a\r\nEMAIL:x@evil.example\u{0}\\";
        Card { kind: Kind::Org, name, organisation: &[], titles: &[], email: "vp@t.vn" }.write(&mut out);
        assert!(out.contains("\r\nFN:a\\nEMAIL:x@evil.example\\\\\r\n"), "{out}");
    }

    #[test]
    fn long_lines_are_folded_between_characters() {
        let mut out = String::new();
        let name = "ữ".repeat(60);
        Card { kind: Kind::Org, name: &name, organisation: &[], titles: &[], email: "vp@t.vn" }
            .write(&mut out);
        assert!(out.lines().all(|line| line.len() <= LINE_MAX), "{out}");
        assert!(out.replace("\r\n ", "").contains(&name));
    }
}
