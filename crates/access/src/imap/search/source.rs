//! Octets of a message, compared with all that is searched for in one pass.
//!
//! Invariants: nothing is waited for here, so that it can run on any thread; each text is decoded and folded once,
//! however many needles there are, and not at all where nobody asks for it.

use super::key::Test;
use super::text::fold;
use proto::mime::{self, HeaderField, Part};

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
            Self::Header(octets) => {
                for field in mime::header_fields(octets) {
                    in_field(&field, tests, verdicts, |test| match test {
                        Test::Header(name, needle) if field.is(name) => Some((needle, Where::Value)),
                        Test::Text(needle) => Some((needle, Where::Line)),
                        _ => None,
                    });
                }
                for (test, verdict) in tests.iter().zip(verdicts) {
                    if matches!(test, Test::Header(..)) {
                        verdict.get_or_insert(false);
                    }
                }
            }
            Self::PartHeader(octets) => {
                for field in mime::header_fields(octets) {
                    in_field(&field, tests, verdicts, |test| Some((in_body(test)?, Where::Line)));
                }
            }
            Self::Text(part, octets) => in_text(part, octets, tests, verdicts),
        }
    }
}

/// What of a field is compared.
#[derive(Clone, Copy)]
enum Where {
    Value,
    /// With its name.
    Line,
}

/// RFC 3501 6.4.4: BODY is the text, TEXT the header too.
fn in_body(test: &Test) -> Option<&String> {
    match test {
        Test::Body(needle) | Test::Text(needle) => Some(needle),
        _ => None,
    }
}

/// The open tests that want something, with what they want.
fn open<'a, T>(
    tests: &'a [Test],
    verdicts: &'a mut [Option<bool>],
    wants: impl Fn(&'a Test) -> Option<T>,
) -> impl Iterator<Item = (T, &'a mut Option<bool>)> {
    let unanswered = tests.iter().zip(verdicts).filter(|(_, verdict)| verdict.is_none());
    unanswered.filter_map(move |(test, verdict)| Some((wants(test)?, verdict)))
}

fn in_field<'a>(
    field: &HeaderField<'_>,
    tests: &'a [Test],
    verdicts: &'a mut [Option<bool>],
    wants: impl Fn(&'a Test) -> Option<(&'a String, Where)>,
) {
    let mut open = open(tests, verdicts, wants).peekable();
    if open.peek().is_none() {
        return;
    }
    let name = String::from_utf8_lossy(field.name);
    let line = fold(&format!("{name}: {}", mime::decode_header(&field.unfolded())));
    // A name has no colon.
    let value = line.split_once(": ").map_or("", |(_, value)| value);
    for ((needle, place), verdict) in open {
        let text = match place {
            Where::Value => value,
            Where::Line => line.as_str(),
        };
        if text.contains(needle.as_str()) {
            *verdict = Some(true);
        }
    }
}

/// A part as it is written, and as it is read where that is something else.
fn in_text(part: &Part, octets: &[u8], tests: &[Test], verdicts: &mut [Option<bool>]) {
    if open(tests, verdicts, in_body).next().is_none() {
        return;
    }
    let Some(text) = mime::decode_text(part, octets) else { return };
    contains(&fold(&text), tests, verdicts);
    if part.subtype == "html" && open(tests, verdicts, in_body).next().is_some() {
        contains(&fold(&mime::html_text(&text)), tests, verdicts);
    }
}

fn contains(text: &str, tests: &[Test], verdicts: &mut [Option<bool>]) {
    for (needle, verdict) in open(tests, verdicts, in_body) {
        if text.contains(needle.as_str()) {
            *verdict = Some(true);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        /// Calls of [`fold`] on this thread.
        pub(crate) static FOLDS: Cell<usize> = const { Cell::new(0) };
    }

    fn folds(work: impl FnOnce()) -> usize {
        let before = FOLDS.with(Cell::get);
        work();
        FOLDS.with(Cell::get) - before
    }

    fn absent(count: usize, test: fn(String) -> Test) -> Vec<Test> {
        (0..count).map(|at| test(format!("absent {at}"))).collect()
    }

    #[test]
    fn a_header_is_folded_once_for_all_that_is_searched() {
        let header: String = (0..50).map(|at| format!("X-{at}: value {at}\r\n")).collect();
        for source in [Source::Header(header.clone().into()), Source::PartHeader(header.clone().into())] {
            let tests = absent(99, Test::Text);
            let mut verdicts = vec![None; 99];
            assert_eq!(folds(|| source.judge(&tests, &mut verdicts)), 50);
            assert_eq!(verdicts, vec![None; 99]);
        }
        let tests = [
            Test::Header("x-7".into(), "value 7".into()),
            Test::Header("x-7".into(), "x-7".into()),
            Test::Header("X-7".into(), String::new()),
            Test::Header("X-99".into(), String::new()),
        ];
        let mut verdicts = vec![None; tests.len()];
        let source = Source::Header(header.into());
        assert_eq!(folds(|| source.judge(&tests, &mut verdicts)), 1, "what nobody asks for is not read");
        assert_eq!(verdicts, [Some(true), Some(false), Some(true), Some(false)]);
    }

    #[test]
    fn a_text_is_folded_once_for_all_that_is_searched() {
        let message = b"Content-Type: text/html; charset=utf-8\r\n\r\n<b>C</b>\xc3\x94NG TH\xc6\xaf";
        let facts = mime::facts(message);
        let part = facts.structure.root().clone();
        let octets = message[usize::try_from(part.body_start).unwrap()..].to_vec();
        let source = Source::Text(Box::new(part), octets);
        let mut tests = absent(98, Test::Body);
        tests.push(Test::Text(fold("công thư")));
        let mut verdicts = vec![None; tests.len()];
        assert_eq!(folds(|| source.judge(&tests, &mut verdicts)), 2, "as written, and as read");
        assert_eq!(verdicts.iter().filter(|verdict| verdict.is_some()).count(), 1);
        assert_eq!(verdicts.last(), Some(&Some(true)));
    }
}
