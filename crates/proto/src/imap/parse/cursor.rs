//! The small rules that every command is made of.

use super::Fault;
use std::borrow::Cow;
use std::num::NonZeroU32;

type Result<T> = std::result::Result<T, Fault>;

/// What is left of a command. Its literals lie in the text behind their announcements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    /// The client has enabled UTF8=ACCEPT (RFC 6855 3).
    utf8: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], utf8: bool) -> Self {
        Self { rest: bytes, utf8 }
    }

    pub(super) fn is_utf8(&self) -> bool {
        self.utf8
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Passes `byte` if it is next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        if eaten {
            self.skip(1);
        }
        eaten
    }

    pub(super) fn expect(&mut self, byte: u8, otherwise: &'static str) -> Result<()> {
        if self.eat(byte) { Ok(()) } else { Err(Fault::bad(otherwise)) }
    }

    /// RFC 3501 9 (2): exactly one space.
    pub(super) fn sp(&mut self) -> Result<()> {
        self.expect(b' ', "Space expected")
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn end(&self) -> Result<()> {
        if self.is_at_end() { Ok(()) } else { Err(Fault::bad("Unexpected text after the command")) }
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// The longest run of octets that satisfy `accept`, perhaps empty.
    pub(super) fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.rest.iter().position(|&b| !accept(b)).unwrap_or(self.rest.len());
        self.take(length).unwrap_or_default()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// `tag = 1*<any ASTRING-CHAR except "+">`
    pub(super) fn tag(&mut self) -> Result<&'a str> {
        ascii(self.take_while(|b| is_astring_char(b) && b != b'+')).ok_or(Fault::bad("Tag expected"))
    }

    /// `atom = 1*ATOM-CHAR`
    pub(super) fn atom(&mut self) -> Result<&'a str> {
        ascii(self.take_while(is_atom_char)).ok_or(Fault::bad("Atom expected"))
    }

    /// An atom in upper case.
    pub(super) fn word(&mut self) -> Result<String> {
        self.atom().map(str::to_ascii_uppercase)
    }

    /// `astring = 1*ASTRING-CHAR / string`
    pub(super) fn astring(&mut self) -> Result<Cow<'a, [u8]>> {
        match self.take_while(is_astring_char) {
            [] => self.string(),
            atom => Ok(Cow::Borrowed(atom)),
        }
    }

    /// `string = quoted / literal`
    pub(super) fn string(&mut self) -> Result<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => Err(Fault::bad("String expected")),
        }
    }

    /// `nstring = string / nil`
    pub(super) fn nstring(&mut self) -> Result<Option<Cow<'a, [u8]>>> {
        if matches!(self.peek(), Some(b'"' | b'{')) {
            return self.string().map(Some);
        }
        if self.atom()?.eq_ignore_ascii_case("NIL") {
            Ok(None)
        } else {
            Err(Fault::bad("String or NIL expected"))
        }
    }

    /// `quoted = DQUOTE *QUOTED-CHAR DQUOTE`
    /// `QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials`
    ///
    /// Octets above 127 pass: clients send UTF-8 so.
    fn quoted(&mut self) -> Result<Cow<'a, [u8]>> {
        self.expect(b'"', "String expected")?;
        let plain = |b: u8| !matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0);
        let first = self.take_while(plain);
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(first));
        }
        let mut text = first.to_vec();
        loop {
            if self.eat(b'"') {
                return Ok(Cow::Owned(text));
            }
            self.expect(b'\\', "Quoted string without end, or with a forbidden character")?;
            match self.peek() {
                Some(special @ (b'"' | b'\\')) => text.push(special),
                _ => return Err(Fault::bad("Backslash before an ordinary character")),
            }
            self.skip(1);
            text.extend_from_slice(self.take_while(plain));
        }
    }

    /// `literal = "{" number ["+"] "}" CRLF *CHAR8` (RFC 7888 8); CHAR8 is any octet but NUL.
    fn literal(&mut self) -> Result<&'a [u8]> {
        self.expect(b'{', "Literal expected")?;
        let length = usize::try_from(self.number64()?).ok();
        self.eat(b'+');
        self.expect(b'}', "Literal expected")?;
        self.eat(b'\r');
        self.expect(b'\n', "Literal expected")?;
        let bytes = length.and_then(|length| self.take(length)).ok_or(Fault::bad("Literal expected"))?;
        if bytes.contains(&0) { Err(Fault::bad("NUL is not allowed")) } else { Ok(bytes) }
    }

    /// Is the last line end of the text that of a literal's announcement which stands here?
    pub(super) fn at_announcement(&self) -> bool {
        let mut ahead = *self;
        ahead.eat(b'{')
            && !ahead.take_while(|b| b != b'\n').is_empty()
            && ahead.eat(b'\n')
            && ahead.is_at_end()
    }

    /// `number = 1*DIGIT`, 0 to 4,294,967,295.
    pub(super) fn number(&mut self) -> Result<u32> {
        u32::try_from(self.number64()?).map_err(|_| Fault::bad("Number too large"))
    }

    /// `number64 = 1*DIGIT`, 0 to 2^63-1 (RFC 9051 9).
    pub(super) fn number64(&mut self) -> Result<u64> {
        let digits = self.take_while(|b| b.is_ascii_digit());
        if digits.is_empty() {
            return Err(Fault::bad("Number expected"));
        }
        let number =
            digits.iter().try_fold(0_i64, |n, d| n.checked_mul(10)?.checked_add(i64::from(d - b'0')));
        number.and_then(|n| u64::try_from(n).ok()).ok_or(Fault::bad("Number too large"))
    }

    /// `nz-number = digit-nz *DIGIT`
    pub(super) fn nz_number(&mut self) -> Result<NonZeroU32> {
        if self.peek() == Some(b'0') {
            return Err(Fault::bad("Number from 1 expected"));
        }
        NonZeroU32::new(self.number()?).ok_or(Fault::bad("Number from 1 expected"))
    }

    /// An astring that has to be text.
    pub(super) fn text(&mut self) -> Result<String> {
        utf8(self.astring()?)
    }

    /// `"(" item *(SP item) ")"`, at most `max` items; an empty list where `may_be_empty`.
    pub(super) fn list<T>(
        &mut self,
        max: usize,
        may_be_empty: bool,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.expect(b'(', "List expected")?;
        let mut items = Vec::new();
        if may_be_empty && self.eat(b')') {
            return Ok(items);
        }
        loop {
            if items.len() >= max {
                return Err(Fault::bad("List too long"));
            }
            items.push(item(self)?);
            if self.eat(b')') {
                return Ok(items);
            }
            self.sp()?;
        }
    }
}

/// `ATOM-CHAR = <any CHAR except atom-specials>`
/// `atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials`
pub(super) fn is_atom_char(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// `ASTRING-CHAR = ATOM-CHAR / resp-specials`
pub(in crate::imap) fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}

/// `list-char = ATOM-CHAR / list-wildcards / resp-specials`
pub(super) fn is_list_char(byte: u8) -> bool {
    is_astring_char(byte) || matches!(byte, b'%' | b'*')
}

pub(super) fn utf8(bytes: Cow<'_, [u8]>) -> Result<String> {
    String::from_utf8(bytes.into_owned()).map_err(|_| Fault::bad("Text is not UTF-8"))
}

/// Not empty.
fn ascii(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}
