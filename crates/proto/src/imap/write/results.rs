//! Results of SEARCH, SORT and THREAD.

use super::Writer;
use crate::imap::Tag;
use crate::imap::results::{PartialRange, ThreadToken};

impl Writer {
    /// Begins `esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)` (RFC 4466 2.6.2).
    pub fn esearch_start(&mut self, tag: &Tag, uid: bool) {
        self.text("* ESEARCH (TAG \"");
        // A tag has neither quotes nor backslashes.
        self.text(tag.as_str());
        self.text("\")");
        if uid {
            self.text(" UID");
        }
    }

    /// `SP "MIN" SP nz-number` and the like.
    pub fn esearch_number(&mut self, name: &'static str, value: u64) {
        self.byte(b' ');
        self.text(name);
        self.byte(b' ');
        self.number(value);
    }

    /// `SP "ALL" SP`; [`Writer::esearch_set`] follows.
    pub fn esearch_all(&mut self) {
        self.text(" ALL ");
    }

    /// `SP "PARTIAL" SP "(" partial-range SP`; a set or `NIL` follows, then [`Writer::esearch_partial_end`].
    pub fn esearch_partial(&mut self, range: PartialRange) {
        let sign = if range.from_end { "-" } else { "" };
        let (first, second) = if range.swapped { (range.high, range.low) } else { (range.low, range.high) };
        self.text(&format!(" PARTIAL ({sign}{first}:{sign}{second} "));
    }

    /// Ends what `esearch_partial` began; `empty`: there was no set.
    pub fn esearch_partial_end(&mut self, empty: bool) {
        if empty {
            self.text("NIL");
        }
        self.byte(b')');
    }

    /// Some of the numbers of a set, in their order; `first`: none were written before.
    pub fn esearch_set(&mut self, numbers: &[u32], first: bool) {
        if !first && !numbers.is_empty() {
            self.byte(b',');
        }
        self.uid_set(numbers);
    }

    /// Begins `"SORT" *(SP nz-number)`; `search_numbers` and `search_end` follow.
    pub fn sort_start(&mut self) {
        self.text("* SORT");
    }

    /// `SP "(" "MODSEQ" SP mod-sequence-value ")"` of a SEARCH or SORT response (RFC 7162 3.1.6).
    pub fn search_modseq(&mut self, modseq: u64) {
        self.text(" (MODSEQ ");
        self.number(modseq);
        self.byte(b')');
    }

    /// Begins `"THREAD" [SP 1*thread-list]` (RFC 5256 4); the lists follow, then `search_end`.
    pub fn thread_start(&mut self, empty: bool) {
        self.text(if empty { "* THREAD" } else { "* THREAD " });
    }

    /// Some of the lists. A space goes before a number that follows another, and before a list that follows a number.
    pub fn thread_tokens(&mut self, tokens: &[ThreadToken], mut behind_number: bool) -> bool {
        for token in tokens {
            match token {
                ThreadToken::Open if behind_number => self.text(" ("),
                ThreadToken::Open => self.byte(b'('),
                ThreadToken::Close => self.byte(b')'),
                ThreadToken::Number(number) => {
                    if behind_number {
                        self.byte(b' ');
                    }
                    self.number((*number).into());
                }
            }
            behind_number = matches!(token, ThreadToken::Number(_));
        }
        behind_number
    }
}
