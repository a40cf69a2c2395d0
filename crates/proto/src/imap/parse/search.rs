//! SEARCH. Operators are kept on a stack of our own, so nesting costs no call depth; chains of OR and lists of
//! AND come out flat.

use super::cursor::{Cursor, utf8};
use super::message::sequence_set;
use super::{Fault, Result};
use crate::imap::date;
use crate::imap::{DateTest, Flag, SearchKey};
use jiff::civil::Date;

/// Operators open at once, runs of the same operator counting once: whoever walks the tree may recurse.
const DEPTH_MAX: usize = 100;
/// Keys of one search: each is asked of every message.
const KEYS_MAX: usize = 1_000;

/// `1*(SP search-key)` behind the first space, to the end of the command, in UTF-8 or `ascii_only`.
pub(super) fn keys(c: &mut Cursor<'_>, ascii_only: bool) -> Result<SearchKey> {
    Keys { ascii_only, stack: Vec::new(), count: 0 }.parse(c)
}

/// An operator that waits for operands.
enum Open {
    Not,
    /// `OR` with those operands it has, and how many it still needs: an OR directly inside adds one.
    Or(Vec<SearchKey>, usize),
    Paren(Vec<SearchKey>),
}

struct Keys {
    ascii_only: bool,
    stack: Vec<Open>,
    count: usize,
}

/// What stands at the start of a `search-key`.
enum Start {
    Key(SearchKey),
    /// An operator was opened; its first operand follows.
    Operator,
}

impl Keys {
    /// `1*(SP search-key)`, behind the first space, to the end of the command.
    fn parse(mut self, c: &mut Cursor<'_>) -> Result<SearchKey> {
        let mut all = Vec::new();
        loop {
            if let Start::Key(key) = self.search_key(c)? {
                if let Some(key) = self.close(c, key) {
                    push_flat(&mut all, key, true);
                }
                if self.stack.is_empty() && c.is_at_end() {
                    return Ok(one_or(all, SearchKey::And));
                }
                c.sp()?;
            }
        }
    }

    /// Hands a finished key to the operator that waits for it, and that one to the next.
    /// `None` while some operator still waits.
    fn close(&mut self, c: &mut Cursor<'_>, mut key: SearchKey) -> Option<SearchKey> {
        while let Some(open) = self.stack.pop() {
            match open {
                Open::Not => key = SearchKey::Not(Box::new(key)),
                Open::Or(mut keys, needed) => {
                    push_flat(&mut keys, key, false);
                    if needed > 1 {
                        self.stack.push(Open::Or(keys, needed - 1));
                        return None;
                    }
                    key = SearchKey::Or(keys);
                }
                Open::Paren(mut keys) => {
                    push_flat(&mut keys, key, true);
                    if !c.eat(b')') {
                        self.stack.push(Open::Paren(keys));
                        return None;
                    }
                    key = one_or(keys, SearchKey::And);
                }
            }
        }
        Some(key)
    }

    fn open(&mut self, operator: Open) -> Result<Start> {
        if self.stack.len() >= DEPTH_MAX {
            return Err(Fault::bad("Search nested too deep"));
        }
        self.stack.push(operator);
        Ok(Start::Operator)
    }

    fn search_key(&mut self, c: &mut Cursor<'_>) -> Result<Start> {
        match c.peek() {
            Some(b'(') => {
                c.eat(b'(');
                return self.open(Open::Paren(Vec::new()));
            }
            Some(b'*' | b'$' | b'0'..=b'9') => return self.leaf(SearchKey::Sequence(sequence_set(c)?)),
            _ => {}
        }
        let word = c.word().map_err(|_| Fault::bad("Search key expected"))?;
        match word.as_str() {
            "NOT" => {
                c.sp()?;
                if matches!(self.stack.last(), Some(Open::Not)) {
                    self.stack.pop();
                    return Ok(Start::Operator);
                }
                self.open(Open::Not)
            }
            "OR" => {
                c.sp()?;
                if let Some(Open::Or(_, needed)) = self.stack.last_mut() {
                    *needed += 1;
                    return Ok(Start::Operator);
                }
                self.open(Open::Or(Vec::new(), 2))
            }
            word => {
                let key = match flag_key(word) {
                    Some(key) => key,
                    None => self.key_with_argument(c, word)?,
                };
                self.leaf(key)
            }
        }
    }

    fn leaf(&mut self, key: SearchKey) -> Result<Start> {
        self.count += 1;
        if self.count > KEYS_MAX { Err(Fault::bad("Too many search keys")) } else { Ok(Start::Key(key)) }
    }

    fn key_with_argument(&self, c: &mut Cursor<'_>, word: &str) -> Result<SearchKey> {
        let key = match word {
            "BCC" => SearchKey::Bcc(self.text(c)?),
            "BODY" => SearchKey::Body(self.text(c)?),
            "CC" => SearchKey::Cc(self.text(c)?),
            "FROM" => SearchKey::From(self.text(c)?),
            "SUBJECT" => SearchKey::Subject(self.text(c)?),
            "TEXT" => SearchKey::Text(self.text(c)?),
            "TO" => SearchKey::To(self.text(c)?),
            // "HEADER" SP header-fld-name SP astring
            "HEADER" => SearchKey::Header(self.text(c)?, self.text(c)?),
            "KEYWORD" => SearchKey::Has(flag_keyword(c)?),
            "UNKEYWORD" => SearchKey::Lacks(flag_keyword(c)?),
            "BEFORE" => SearchKey::Internal(DateTest::Before, date(c)?),
            "ON" => SearchKey::Internal(DateTest::On, date(c)?),
            "SINCE" => SearchKey::Internal(DateTest::Since, date(c)?),
            "SENTBEFORE" => SearchKey::Sent(DateTest::Before, date(c)?),
            "SENTON" => SearchKey::Sent(DateTest::On, date(c)?),
            "SENTSINCE" => SearchKey::Sent(DateTest::Since, date(c)?),
            "LARGER" => SearchKey::Larger(number(c)?),
            "SMALLER" => SearchKey::Smaller(number(c)?),
            "UID" => {
                c.sp()?;
                SearchKey::Uid(sequence_set(c)?)
            }
            _ => return extended_key(c, word),
        };
        Ok(key)
    }

    /// `SP astring` in the charset named.
    fn text(&self, c: &mut Cursor<'_>) -> Result<String> {
        c.sp()?;
        let text = c.astring()?;
        if self.ascii_only && !text.is_ascii() { Err(Fault::bad("Text is not US-ASCII")) } else { utf8(text) }
    }
}

/// Keys of the extensions.
fn extended_key(c: &mut Cursor<'_>, word: &str) -> Result<SearchKey> {
    let key = match word {
        "MODSEQ" => SearchKey::ModSeq(mod_sequence(c)?),
        // RFC 5032 3: "OLDER" SP nz-number, in seconds
        "OLDER" => SearchKey::Older(interval(c)?),
        "YOUNGER" => SearchKey::Younger(interval(c)?),
        // RFC 8514 4.3
        "SAVEDBEFORE" => SearchKey::Saved(DateTest::Before, date(c)?),
        "SAVEDON" => SearchKey::Saved(DateTest::On, date(c)?),
        "SAVEDSINCE" => SearchKey::Saved(DateTest::Since, date(c)?),
        "SAVEDATESUPPORTED" => SearchKey::All,
        // RFC 8474 6: "EMAILID" SP objectid
        "EMAILID" => SearchKey::EmailId(object_id(c)?),
        "THREADID" => SearchKey::ThreadId(object_id(c)?),
        _ => return Err(Fault::bad("Unknown search key")),
    };
    Ok(key)
}

/// `search-modsequence = "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer` (RFC 7162 7)
fn mod_sequence(c: &mut Cursor<'_>) -> Result<u64> {
    c.sp()?;
    if c.peek() == Some(b'"') {
        // RFC 7162 3.1.5: flags have no sequences of their own, so the entry is ignored.
        c.string()?;
        c.sp()?;
        if !matches!(c.word()?.as_str(), "PRIV" | "SHARED" | "ALL") {
            return Err(Fault::bad("Unknown entry type"));
        }
        c.sp()?;
    }
    c.number64()
}

/// `SP nz-number`
fn interval(c: &mut Cursor<'_>) -> Result<u32> {
    c.sp()?;
    Ok(c.nz_number()?.get())
}

/// `SP objectid`, `objectid = 1*255(ALPHA / DIGIT / "_" / "-")`
fn object_id(c: &mut Cursor<'_>) -> Result<String> {
    c.sp()?;
    Ok(c.atom()?.to_owned())
}

/// The keys that are one word.
fn flag_key(word: &str) -> Option<SearchKey> {
    Some(match word {
        "ALL" => SearchKey::All,
        "ANSWERED" => SearchKey::Has(Flag::Answered),
        "DELETED" => SearchKey::Has(Flag::Deleted),
        "DRAFT" => SearchKey::Has(Flag::Draft),
        "FLAGGED" => SearchKey::Has(Flag::Flagged),
        "SEEN" => SearchKey::Has(Flag::Seen),
        "UNANSWERED" => SearchKey::Lacks(Flag::Answered),
        "UNDELETED" => SearchKey::Lacks(Flag::Deleted),
        "UNDRAFT" => SearchKey::Lacks(Flag::Draft),
        "UNFLAGGED" => SearchKey::Lacks(Flag::Flagged),
        "UNSEEN" => SearchKey::Lacks(Flag::Seen),
        "NEW" => SearchKey::New,
        "OLD" => SearchKey::Old,
        "RECENT" => SearchKey::Recent,
        _ => return None,
    })
}

/// `SP flag-keyword`, an atom
fn flag_keyword(c: &mut Cursor<'_>) -> Result<Flag> {
    c.sp()?;
    Ok(Flag::Keyword(c.atom()?.to_owned()))
}

/// `SP date`, `date = date-text / DQUOTE date-text DQUOTE`
fn date(c: &mut Cursor<'_>) -> Result<Date> {
    c.sp()?;
    let text = c.astring()?;
    date::date_text(&text).ok_or(Fault::bad("Invalid date"))
}

/// `SP number`; RFC 9051 lets it have 63 bits.
fn number(c: &mut Cursor<'_>) -> Result<u64> {
    c.sp()?;
    c.number64()
}

/// Adds a key to those of an AND or OR; one of the same kind gives its own instead.
fn push_flat(keys: &mut Vec<SearchKey>, key: SearchKey, and: bool) {
    match key {
        SearchKey::And(inner) if and => keys.extend(inner),
        SearchKey::Or(inner) if !and => keys.extend(inner),
        key => keys.push(key),
    }
}

/// A single key stands for itself.
fn one_or(mut keys: Vec<SearchKey>, many: fn(Vec<SearchKey>) -> SearchKey) -> SearchKey {
    if keys.len() == 1 { keys.swap_remove(0) } else { many(keys) }
}
