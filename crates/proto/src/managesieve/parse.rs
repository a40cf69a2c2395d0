//! One command whose end is known, by the formal syntax of RFC 5804 4.
//!
//! More than one space between arguments, and spaces at the end, are let pass: people try servers by hand.

use super::types::{Command, Response};

/// Words or numbers of a name: RFC 5804 4 has atoms of up to 1,024; ours have twelve.
const ATOM_MAX: usize = 64;

/// Why it is no command.
pub(super) type Refusal = &'static str;

const NO_STRING: Refusal = "A string was expected";

/// `command`, with the line ends of its literals, without its own.
pub(super) fn command(text: &[u8]) -> Result<Command, Refusal> {
    let mut input = Input { rest: text };
    let name = input.atom()?.to_ascii_uppercase();
    let command = match name.as_str() {
        "AUTHENTICATE" => {
            let mechanism = input.text()?;
            let initial = input.optional()?.map(Response);
            Command::Authenticate { mechanism, initial }
        }
        "CAPABILITY" => Command::Capability,
        "CHECKSCRIPT" => Command::CheckScript(input.string()?),
        "DELETESCRIPT" => Command::DeleteScript(input.text()?),
        "GETSCRIPT" => Command::GetScript(input.text()?),
        "HAVESPACE" => Command::HaveSpace { name: input.text()?, octets: input.number()? },
        "LISTSCRIPTS" => Command::ListScripts,
        "LOGOUT" => Command::Logout,
        "NOOP" => Command::Noop(input.optional()?.map(utf8).transpose()?),
        "PUTSCRIPT" => Command::PutScript { name: input.text()?, script: input.string()? },
        "RENAMESCRIPT" => Command::RenameScript { from: input.text()?, to: input.text()? },
        "SETACTIVE" => Command::SetActive(input.text()?),
        "STARTTLS" => Command::Starttls,
        _ => return Err("Unknown command"),
    };
    input.end()?;
    Ok(command)
}

/// `string CRLF` in answer to a challenge (RFC 5804 2.1).
pub(super) fn response(text: &[u8]) -> Result<Response, Refusal> {
    let mut input = Input { rest: text };
    let response = input.value()?;
    input.end()?;
    Ok(Response(response))
}

fn utf8(octets: Vec<u8>) -> Result<String, Refusal> {
    String::from_utf8(octets).map_err(|_| "This is not UTF-8")
}

struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(count).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    /// True if there was one.
    fn spaces(&mut self) -> bool {
        let count = self.rest.iter().take_while(|octet| **octet == b' ').count();
        !self.take(count).is_empty()
    }

    fn atom(&mut self) -> Result<&'a str, Refusal> {
        let count = self.rest.iter().take_while(|octet| octet.is_ascii_alphanumeric()).count();
        if count == 0 || count > ATOM_MAX {
            return Err("A command was expected");
        }
        std::str::from_utf8(self.take(count)).map_err(|_| "A command was expected")
    }

    /// `SP string`
    fn string(&mut self) -> Result<Vec<u8>, Refusal> {
        if !self.spaces() {
            return Err(NO_STRING);
        }
        self.value()
    }

    fn text(&mut self) -> Result<String, Refusal> {
        self.string().and_then(utf8)
    }

    /// `[SP string]`
    fn optional(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        self.spaces();
        if self.rest.is_empty() { Ok(None) } else { self.value().map(Some) }
    }

    /// `SP number`: 32 bits, no zeros before it.
    fn number(&mut self) -> Result<u32, Refusal> {
        const WRONG: Refusal = "A number was expected";
        let is_apart = self.spaces();
        let count = self.rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
        let digits = self.take(count);
        if !is_apart || (digits.len() > 1 && digits.starts_with(b"0")) {
            return Err(WRONG);
        }
        std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(WRONG)
    }

    fn value(&mut self) -> Result<Vec<u8>, Refusal> {
        match self.rest.first() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal(),
            _ => Err(NO_STRING),
        }
    }

    fn quoted(&mut self) -> Result<Vec<u8>, Refusal> {
        let mut text = Vec::new();
        let mut octets = self.rest.iter().enumerate().skip(1);
        while let Some((at, octet)) = octets.next() {
            match octet {
                b'"' => {
                    self.take(at + 1);
                    return utf8(text).map(String::into_bytes);
                }
                b'\\' => match octets.next() {
                    Some((_, escaped @ (b'"' | b'\\'))) => text.push(*escaped),
                    _ => return Err("Only \" and \\ are written with \\"),
                },
                // A literal's octets do not come here: it stands behind its own announcement.
                0 | b'\r' | b'\n' => break,
                octet => text.push(*octet),
            }
        }
        Err("A string without its end")
    }

    /// `"{" number ["+"] "}" CRLF *OCTET`. The decoder has seen to it that all of it is here.
    fn literal(&mut self) -> Result<Vec<u8>, Refusal> {
        const WRONG: Refusal = "A literal was expected";
        let line_end = self.rest.iter().position(|octet| *octet == b'\n').ok_or(WRONG)?;
        let announced = self.take(line_end + 1);
        let digits =
            announced.strip_prefix(b"{").and_then(|rest| rest.split(|octet| !octet.is_ascii_digit()).next());
        let count: usize = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| digits.parse().ok())
            .ok_or(WRONG)?;
        let octets = self.take(count);
        if octets.len() == count { Ok(octets.to_vec()) } else { Err(WRONG) }
    }

    fn end(&mut self) -> Result<(), Refusal> {
        self.spaces();
        if self.rest.is_empty() { Ok(()) } else { Err("Too many arguments") }
    }
}
