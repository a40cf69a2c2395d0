//! What stands before the search keys of SEARCH, SORT and THREAD (RFC 5256 5).

use super::cursor::Cursor;
use super::search::keys;
use super::{Fault, Result};
use crate::imap::results::{PartialRange, ReturnOptions, SortCriterion, SortKey, ThreadAlgorithm};
use crate::imap::{Command, SearchKey};

/// Options of one RETURN: there are six, some clients repeat them.
const OPTIONS_MAX: usize = 32;
/// Criteria of one SORT: there are nine, each of use once.
const CRITERIA_MAX: usize = 32;

/// `search = "SEARCH" [search-return-opts] SP search-program` (RFC 4466 2.6.1)
/// `search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)`
pub(super) fn search(c: &mut Cursor<'_>, uid: bool) -> Result<Command> {
    c.sp()?;
    let options = return_options(c)?;
    let mut ahead = *c;
    let mut charset = Charset::Utf8;
    if ahead.atom().is_ok_and(|word| word.eq_ignore_ascii_case("CHARSET")) {
        // RFC 6855 3
        if c.is_utf8() {
            return Err(Fault::bad("With UTF-8 enabled no CHARSET is named"));
        }
        ahead.sp()?;
        charset = Charset::named(&ahead.astring()?);
        ahead.sp()?;
        *c = ahead;
    }
    Ok(Command::Search { uid, options, key: keys_in(charset, c)? })
}

/// `sort = ["UID" SP] "SORT" [search-return-opts] SP sort-criteria SP search-criteria` (RFC 5267 4)
pub(super) fn sort(c: &mut Cursor<'_>, uid: bool) -> Result<Command> {
    c.sp()?;
    let options = return_options(c)?;
    let mut criteria = Vec::new();
    c.expect(b'(', "Sort criteria expected")?;
    loop {
        if criteria.len() >= CRITERIA_MAX {
            return Err(Fault::bad("Too many sort criteria"));
        }
        criteria.push(sort_criterion(c)?);
        if c.eat(b')') {
            break;
        }
        c.sp()?;
    }
    c.sp()?;
    Ok(Command::Sort { uid, options, criteria, key: search_criteria(c)? })
}

/// `thread = ["UID" SP] "THREAD" SP thread-alg SP search-criteria`
pub(super) fn thread(c: &mut Cursor<'_>, uid: bool) -> Result<Command> {
    c.sp()?;
    let algorithm = match c.word()?.as_str() {
        "ORDEREDSUBJECT" => ThreadAlgorithm::OrderedSubject,
        "REFERENCES" => ThreadAlgorithm::References,
        _ => return Err(Fault::bad("Unknown thread algorithm")),
    };
    c.sp()?;
    Ok(Command::Thread { uid, algorithm, key: search_criteria(c)? })
}

/// `search-criteria = charset 1*(SP search-key)`
fn search_criteria(c: &mut Cursor<'_>) -> Result<SearchKey> {
    let charset = Charset::named(&c.astring()?);
    c.sp()?;
    keys_in(charset, c)
}

/// What the strings of a search are in.
#[derive(Clone, Copy)]
enum Charset {
    Ascii,
    /// Without a name the strings may be UTF-8 too: many clients never give one.
    Utf8,
    Unknown,
}

impl Charset {
    fn named(name: &[u8]) -> Self {
        match name {
            _ if name.eq_ignore_ascii_case(b"UTF-8") => Self::Utf8,
            _ if name.eq_ignore_ascii_case(b"US-ASCII") => Self::Ascii,
            _ => Self::Unknown,
        }
    }
}

fn keys_in(charset: Charset, c: &mut Cursor<'_>) -> Result<SearchKey> {
    match charset {
        Charset::Ascii => keys(c, true),
        Charset::Utf8 => keys(c, false),
        Charset::Unknown => {
            // Nothing of it can be read; it is refused where it would be run (RFC 5182 2.1).
            c.take_while(|_| true);
            Ok(SearchKey::UnknownCharset)
        }
    }
}

/// `sort-criterion = ["REVERSE" SP] sort-key`
fn sort_criterion(c: &mut Cursor<'_>) -> Result<SortCriterion> {
    let mut word = c.word()?;
    let reverse = word == "REVERSE";
    if reverse {
        c.sp()?;
        word = c.word()?;
    }
    let key = match word.as_str() {
        "ARRIVAL" => SortKey::Arrival,
        "CC" => SortKey::Cc,
        "DATE" => SortKey::Date,
        "FROM" => SortKey::From,
        "SIZE" => SortKey::Size,
        "SUBJECT" => SortKey::Subject,
        "TO" => SortKey::To,
        // RFC 5957 3
        "DISPLAYFROM" => SortKey::DisplayFrom,
        "DISPLAYTO" => SortKey::DisplayTo,
        _ => return Err(Fault::bad("Unknown sort criterion")),
    };
    Ok(SortCriterion { key, reverse })
}

/// `search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"`, with the space behind it.
fn return_options(c: &mut Cursor<'_>) -> Result<Option<ReturnOptions>> {
    let mut ahead = *c;
    if !ahead.atom().is_ok_and(|word| word.eq_ignore_ascii_case("RETURN")) {
        return Ok(None);
    }
    ahead.sp()?;
    let mut options = ReturnOptions::default();
    ahead.list(OPTIONS_MAX, true, |c| return_option(c, &mut options))?;
    ahead.sp()?;
    *c = ahead;
    if options.all && options.partial.is_some() {
        // RFC 9394 3.1
        return Err(Fault::bad("ALL and PARTIAL exclude each other"));
    }
    if options == ReturnOptions::default() {
        // RFC 4731 3.1: an empty list is (ALL).
        options.all = true;
    }
    Ok(Some(options))
}

fn return_option(c: &mut Cursor<'_>, options: &mut ReturnOptions) -> Result<()> {
    match c.word()?.as_str() {
        "MIN" => options.min = true,
        "MAX" => options.max = true,
        "ALL" => options.all = true,
        "COUNT" => options.count = true,
        "SAVE" => options.save = true,
        "PARTIAL" => {
            c.sp()?;
            let range = partial_range(c)?;
            if options.partial.replace(range).is_some() {
                return Err(Fault::bad("Only one PARTIAL"));
            }
        }
        _ => return Err(Fault::bad("Unknown return option")),
    }
    Ok(())
}

/// `partial-range = partial-range-first / partial-range-last` (RFC 9394 4)
pub(super) fn partial_range(c: &mut Cursor<'_>) -> Result<PartialRange> {
    let from_end = c.eat(b'-');
    let first = c.nz_number()?;
    c.expect(b':', "Range expected")?;
    if from_end {
        c.expect(b'-', "Both ends count from the end, or none")?;
    }
    let second = c.nz_number()?;
    Ok(PartialRange { low: first.min(second), high: first.max(second), from_end, swapped: first > second })
}
