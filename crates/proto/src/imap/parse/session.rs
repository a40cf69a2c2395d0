//! Who the client is and what it wants switched on: LOGIN, AUTHENTICATE, ID, ENABLE.

use super::cursor::Cursor;
use super::{Fault, Result};
use crate::imap::{Command, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// RFC 2971 3.3: a client sends no more than 30 pairs.
const ID_PAIRS_MAX: usize = 30;
/// More than there are registered.
const ENABLE_MAX: usize = 100;

/// `login = "LOGIN" SP userid SP password`; both are astring.
///
/// A user name that is not UTF-8 is nobody's; the replacement characters see to that.
pub(super) fn login(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let user = String::from_utf8_lossy(&c.astring()?).into_owned();
    c.sp()?;
    let password = Secret(c.astring()?.into_owned());
    Ok(Command::Login { user, password })
}

/// `authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")] *(CRLF base64)` (RFC 4959 6)
pub(super) fn authenticate(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let mechanism = c.word()?;
    if !c.eat(b' ') {
        return Ok(Command::Authenticate { mechanism, initial: None });
    }
    let initial = match c.take_while(|b| b != b' ') {
        b"=" => Vec::new(),
        text => base64(text)?,
    };
    Ok(Command::Authenticate { mechanism, initial: Some(Secret(initial)) })
}

/// `base64 = *(4base64-char) [base64-terminal]`
fn base64(text: &[u8]) -> Result<Vec<u8>> {
    match STANDARD.decode(text) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(Fault::bad("Invalid base64")),
    }
}

/// A client's line in the middle of AUTHENTICATE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaslResponse {
    Response(Secret),
    /// `*`: the client gives up (RFC 3501 6.2.2: BAD).
    Cancelled,
    /// No base64 (RFC 3501 6.2.2: BAD).
    Invalid,
}

impl SaslResponse {
    /// `line` has no line end any more; an empty one is an empty response.
    #[must_use]
    pub fn parse(line: &[u8]) -> Self {
        match line {
            b"*" => Self::Cancelled,
            line => STANDARD.decode(line).map_or(Self::Invalid, |bytes| Self::Response(Secret(bytes))),
        }
    }
}

/// Does this line end IDLE? `idle = "IDLE" CRLF "DONE"` (RFC 2177 4).
#[must_use]
pub fn is_done(line: &[u8]) -> bool {
    line.eq_ignore_ascii_case(b"DONE")
}

/// `id = "ID" SP id-params-list`
/// `id-params-list = "(" [string SP nstring *(SP string SP nstring)] ")" / nil` (RFC 2971 4)
pub(super) fn id(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    if c.peek() != Some(b'(') {
        return match c.nstring()? {
            None => Ok(Command::Id(Vec::new())),
            Some(_) => Err(Fault::bad("List or NIL expected")),
        };
    }
    c.expect(b'(', "List expected")?;
    let mut pairs = Vec::new();
    loop {
        // aioimaplib writes `( "name" "aioimaplib" )`, and no client can be the worse for it.
        while c.eat(b' ') {}
        if c.eat(b')') {
            break;
        }
        if pairs.len() >= ID_PAIRS_MAX {
            return Err(Fault::bad("List too long"));
        }
        let field = String::from_utf8_lossy(&c.string()?).into_owned();
        c.sp()?;
        let value = c.nstring()?.map(|value| String::from_utf8_lossy(&value).into_owned());
        pairs.push((field, value));
        if c.peek() != Some(b')') {
            c.sp()?;
        }
    }
    Ok(Command::Id(pairs))
}

/// `enable = "ENABLE" 1*(SP capability)` (RFC 5161 4)
pub(super) fn enable(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    let mut names = vec![c.word()?];
    while c.eat(b' ') {
        if names.len() >= ENABLE_MAX {
            return Err(Fault::bad("List too long"));
        }
        names.push(c.word()?);
    }
    Ok(Command::Enable(names))
}
