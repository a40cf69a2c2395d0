//! Which fields of which header a test is about: its names, its place among those of one name (RFC 5260 6), the parts of the
//! message (RFC 5703 4), the part of an address (RFC 5228 2.7.4, RFC 5233 4).

use super::super::capability::Capability;
use super::super::problem::{Problem, Value};
use super::super::program::{AddressPart, Index, MimeOf, MimeWhat, Text};
use super::super::tree::Written;
use super::arguments::Arguments;
use super::{Compiled, Compiler};

/// RFC 5228 5.1 asks for the first seven; the others hold addresses too.
const ADDRESS_FIELDS: [&str; 21] = [
    "from",
    "to",
    "cc",
    "bcc",
    "sender",
    "resent-from",
    "resent-to",
    "reply-to",
    "resent-cc",
    "resent-bcc",
    "resent-sender",
    "resent-reply-to",
    "return-path",
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "envelope-from",
    "errors-to",
    "mail-followup-to",
    "mail-reply-to",
    "disposition-notification-to",
];

/// What tags of a test say of the fields that it looks at.
#[derive(Default)]
pub(super) struct Fields {
    number: Option<usize>,
    last: Option<usize>,
    mime: Option<usize>,
    any_child: Option<usize>,
    what: Option<MimeWhat>,
    /// RFC 5293 5: an index needs no `require` of its own, and parts are not looked at.
    place_only: bool,
}

impl Fields {
    pub(super) fn place_only() -> Self {
        Self { place_only: true, ..Self::default() }
    }

    fn needs_index(&self, compiler: &Compiler<'_>, at: usize) -> Compiled<()> {
        if self.place_only { Ok(()) } else { compiler.needs(at, Capability::Index) }
    }

    /// False: the tag is about something else.
    pub(super) fn take(
        &mut self,
        compiler: &Compiler<'_>,
        arguments: &mut Arguments,
        (at, tag): (usize, &str),
    ) -> Compiled<bool> {
        match tag {
            "index" => {
                self.needs_index(compiler, at)?;
                let (at, number) = arguments.number(compiler)?;
                let number = usize::try_from(number).ok().filter(|number| *number > 0);
                let zero = || compiler.invalid(at, Value::Index, "0");
                self.number = Some(number.ok_or_else(zero)?);
            }
            "last" => {
                self.needs_index(compiler, at)?;
                self.last = Some(at);
            }
            _ if self.place_only => return Ok(false),
            "mime" => {
                compiler.needs(at, Capability::Mime)?;
                self.mime = Some(at);
            }
            "anychild" => {
                compiler.needs(at, Capability::Mime)?;
                self.any_child = Some(at);
            }
            "type" => self.part(compiler, (at, tag), MimeWhat::Type)?,
            "subtype" => self.part(compiler, (at, tag), MimeWhat::Subtype)?,
            "contenttype" => self.part(compiler, (at, tag), MimeWhat::ContentType)?,
            "param" => {
                let names = arguments.texts(compiler)?;
                self.part(compiler, (at, tag), MimeWhat::Param(names))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn part(&mut self, compiler: &Compiler<'_>, (at, tag): (usize, &str), what: MimeWhat) -> Compiled<()> {
        compiler.needs(at, Capability::Mime)?;
        match self.what.replace(what) {
            None => Ok(()),
            Some(_) => Err(compiler.error(at, Problem::Conflict(tag.to_owned()))),
        }
    }

    /// # Errors
    /// A tag stands without the one it belongs to.
    pub(super) fn done(
        self,
        compiler: &Compiler<'_>,
        at: usize,
    ) -> Compiled<(Option<Index>, Option<MimeOf>)> {
        let index = match (self.number, self.last) {
            (Some(number), last) => Some(Index { number, from_the_end: last.is_some() }),
            (None, Some(at)) => return Err(compiler.error(at, Problem::UnknownTag("last".into()))),
            (None, None) => None,
        };
        let alone = self.any_child.is_some() || self.what.is_some();
        if self.mime.is_none() && alone {
            return Err(compiler.error(self.any_child.unwrap_or(at), Problem::UnknownTag("anychild".into())));
        }
        let mime = self.mime.map(|_| MimeOf {
            any_child: self.any_child.is_some(),
            what: self.what.unwrap_or(MimeWhat::Value),
        });
        Ok((index, mime))
    }
}

/// None: the tag is about something else.
pub(super) fn address_part(
    compiler: &Compiler<'_>,
    (at, tag): (usize, &str),
    part: &mut Option<AddressPart>,
) -> Compiled<bool> {
    let named = match tag {
        "all" => AddressPart::All,
        "localpart" => AddressPart::Local,
        "domain" => AddressPart::Domain,
        "user" => AddressPart::User,
        "detail" => AddressPart::Detail,
        _ => return Ok(false),
    };
    if matches!(named, AddressPart::User | AddressPart::Detail) {
        compiler.needs(at, Capability::Subaddress)?;
    }
    match part.replace(named) {
        None => Ok(true),
        Some(_) => Err(compiler.error(at, Problem::Conflict(tag.to_owned()))),
    }
}

impl Compiler<'_> {
    /// Names of fields that hold addresses (RFC 5228 5.1). What cannot be a name is no mistake in a test (RFC 5228 2.4.2.2).
    pub(super) fn address_fields(&self, literals: Vec<Written>) -> Compiled<Vec<Text>> {
        let mut names = Vec::with_capacity(literals.len());
        for literal in literals {
            let at = literal.at;
            let text = self.text(literal)?;
            if let Some(name) = text.literal().filter(|name| is_field_name(name) && !is_address_field(name)) {
                return Err(self.invalid(at, Value::HeaderName, name));
            }
            names.push(text);
        }
        Ok(names)
    }
}

pub(in crate::sieve) fn is_address_field(name: &str) -> bool {
    ADDRESS_FIELDS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// RFC 5322 2.2.
pub(in crate::sieve) fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic() && octet != b':')
}
