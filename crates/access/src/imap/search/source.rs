//! Octets of a message, compared with all that is searched for in one pass.
//!
//! Invariants: nothing is waited for here, so that it can run on any thread; each text is decoded and folded once,
//! however many needles there are, and not at all where nobody asks for it; what is found is what the search index
//! finds (`proto::search` makes the texts of both).

use super::key::Test;
use engine::SearchPlace;
use proto::mime::Part;
use proto::search::{Haystack, header_text, part_text};

/// What was read, and as what.
#[derive(Debug)]
pub(crate) enum Source {
    /// Of the message.
    Header(Vec<u8>),
    /// Of a part or of a message inside.
    PartHeader(Vec<u8>),
    /// The body of a text part.
    Text(Box<Part>, Vec<u8>),
}

impl Source {
    /// Answers the tests that are open and that this answers: what is found, and for the message's header also which
    /// fields are not.
    pub(crate) fn judge(&self, tests: &[Test], verdicts: &mut [Option<bool>]) {
        match self {
            Self::Header(octets) if is_open(tests, verdicts, |place| !matches!(place, SearchPlace::Body)) => {
                in_header(&header_text(octets), tests, verdicts);
            }
            Self::PartHeader(octets) if is_open(tests, verdicts, is_body) => {
                in_body(&header_text(octets), tests, verdicts);
            }
            Self::Text(part, octets) if is_open(tests, verdicts, is_body) => {
                in_body(&part_text(part, octets).unwrap_or_default(), tests, verdicts);
            }
            _ => {}
        }
    }
}

/// RFC 3501 6.4.4: BODY is the text, TEXT the header too.
fn is_body(place: &SearchPlace) -> bool {
    matches!(place, SearchPlace::Body | SearchPlace::Text)
}

/// Has a test of such a place no answer yet?
pub(super) fn is_open(
    tests: &[Test],
    verdicts: &[Option<bool>],
    wanted: impl Fn(&SearchPlace) -> bool,
) -> bool {
    let mut answers = tests.iter().zip(verdicts);
    answers.any(|(test, verdict)| verdict.is_none() && matches!(test, Test::Find(place, _) if wanted(place)))
}

fn in_header(text: &str, tests: &[Test], verdicts: &mut [Option<bool>]) {
    let header = Haystack::new(text);
    for (test, verdict) in tests.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_none()) {
        match test {
            Test::Find(SearchPlace::Field(name), needle) => *verdict = Some(header.field_has(name, needle)),
            Test::Find(SearchPlace::Text, needle) if header.has(needle) => *verdict = Some(true),
            _ => {}
        }
    }
}

pub(super) fn in_body(text: &str, tests: &[Test], verdicts: &mut [Option<bool>]) {
    let body = Haystack::new(text);
    for (test, verdict) in tests.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_none()) {
        match test {
            Test::Find(place, needle) if is_body(place) && body.has(needle) => *verdict = Some(true),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::mime;
    use proto::search::Needle;

    #[test]
    fn a_header_answers_for_its_fields() {
        let field = |name: &str, text: &str| Test::Find(SearchPlace::Field(name.into()), Needle::new(text));
        let header: String = (0..50).map(|at| format!("X-{at}: value {at}\r\n")).collect();
        let tests = [
            field("x-7", "Value 7"),
            field("x-7", "x-7"),
            field("x-7", ""),
            field("x-99", ""),
            Test::Find(SearchPlace::Text, Needle::new("x-7: value")),
            Test::Find(SearchPlace::Text, Needle::new("absent")),
            Test::Find(SearchPlace::Body, Needle::new("value")),
        ];
        let mut verdicts = vec![None; tests.len()];
        Source::Header(header.clone().into()).judge(&tests, &mut verdicts);
        assert_eq!(verdicts, [Some(true), Some(false), Some(true), Some(false), Some(true), None, None]);
        Source::PartHeader(header.into()).judge(&tests, &mut verdicts);
        assert_eq!(verdicts.last(), Some(&Some(true)));
    }

    #[test]
    fn a_text_is_read_as_it_is_shown() {
        let message = b"Content-Type: text/html; charset=utf-8\r\n\r\n<b>C</b>\xc3\x94NG TH\xc6\xaf";
        let facts = mime::facts(message);
        let part = facts.structure.root().clone();
        let octets = message[usize::try_from(part.body_start).unwrap()..].to_vec();
        let tests =
            ["công thư", "cong thu", "<b>"].map(|text| Test::Find(SearchPlace::Body, Needle::new(text)));
        let mut verdicts = vec![None; tests.len()];
        Source::Text(Box::new(part), octets).judge(&tests, &mut verdicts);
        assert_eq!(verdicts, [Some(true), Some(true), None]);
    }
}
