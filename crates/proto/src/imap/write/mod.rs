//! Answers to octets. One [`Writer`] per session collects what the driver then sends.
//!
//! Invariants: what is written is always well-formed, whatever text it is given: line ends, NUL and octets above
//! 127 never get into a quoted string or a status text. A mailbox name is given decoded.

mod acl;
mod fetch;
mod mailbox;
mod results;
mod status;
mod structure;
mod sync;

pub use mailbox::ListKind;
pub use status::StatusLine;

/// Longest text written as a quoted string: some clients read lines into small buffers (RFC 2683 3.4.1 warns).
const QUOTED_BYTES_MAX: usize = 1_000;

/// Digits of the largest number.
const NUMBER_DIGITS_MAX: usize = 20;

/// Collects responses.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    /// The client has enabled UTF-8 in quoted strings (RFC 6855 3).
    utf8: bool,
    /// Inside a FETCH response.
    within: bool,
    /// Behind its first item.
    behind_item: bool,
}

impl Writer {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on UTF-8 may stand in quoted strings and mailbox names are UTF-8 (RFC 6855 3).
    pub fn enable_utf8(&mut self) {
        self.utf8 = true;
    }

    /// Whether [`Writer::enable_utf8`] was called: then the same text may be written in another form.
    #[must_use]
    pub fn is_utf8(&self) -> bool {
        self.utf8
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What is to be sent; the writer goes on behind it, also in the middle of a response.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Octets of an announced literal, as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.raw(text.as_bytes());
    }

    fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    fn number(&mut self, number: u64) {
        // The decimal digits from behind, without a String: a list of 50,000 messages has as many numbers as octets.
        let mut digits = [0; NUMBER_DIGITS_MAX];
        let mut left = number;
        let mut count = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(left % 10).unwrap_or(0);
            left /= 10;
            count += 1;
            if left == 0 {
                break;
            }
        }
        self.raw(digits.get(NUMBER_DIGITS_MAX - count..).unwrap_or_default());
    }

    fn crlf(&mut self) {
        self.text("\r\n");
    }

    /// `string = quoted / literal`; NUL, which neither may hold, is left out.
    fn string(&mut self, bytes: &[u8]) {
        let stripped: Vec<u8>;
        let mut bytes = bytes;
        if bytes.contains(&0) {
            stripped = bytes.iter().copied().filter(|&b| b != 0).collect();
            bytes = &stripped;
        }
        let high_ok = bytes.is_ascii() || (self.utf8 && std::str::from_utf8(bytes).is_ok());
        if bytes.len() > QUOTED_BYTES_MAX || !high_ok || bytes.iter().any(|b| matches!(b, b'\r' | b'\n')) {
            self.byte(b'{');
            self.number(bytes.len() as u64);
            self.text("}\r\n");
            self.raw(bytes);
            return;
        }
        self.byte(b'"');
        for &byte in bytes {
            if matches!(byte, b'"' | b'\\') {
                self.byte(b'\\');
            }
            self.byte(byte);
        }
        self.byte(b'"');
    }

    /// `nstring = string / nil`
    fn nstring(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.string(bytes),
            None => self.text("NIL"),
        }
    }

    /// `astring = 1*ASTRING-CHAR / string`
    fn astring(&mut self, bytes: &[u8]) {
        let atom = bytes.iter().all(|&b| super::parse::is_astring_char(b));
        if atom && !bytes.is_empty() && bytes.len() <= QUOTED_BYTES_MAX && !bytes.eq_ignore_ascii_case(b"NIL")
        {
            self.raw(bytes);
        } else {
            self.string(bytes);
        }
    }

    /// `item *(SP item)`
    fn spaced<T>(&mut self, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.byte(b' ');
            }
            write(self, item);
        }
    }

    /// `"(" [item *(SP item)] ")"`
    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, write: impl FnMut(&mut Self, T)) {
        self.byte(b'(');
        self.spaced(items, write);
        self.byte(b')');
    }

    /// `uid-set = (uniqueid / uid-range) *("," uid-set)` (RFC 4315 4): the numbers in the order given, runs of
    /// successors as ranges.
    fn uid_set(&mut self, numbers: &[u32]) {
        let runs = numbers.chunk_by(|a, b| a.checked_add(1) == Some(*b));
        for (index, run) in runs.enumerate() {
            if index > 0 {
                self.byte(b',');
            }
            if let (Some(&first), Some(&last)) = (run.first(), run.last()) {
                self.number(first.into());
                if last != first {
                    self.byte(b':');
                    self.number(last.into());
                }
            }
        }
    }
}
