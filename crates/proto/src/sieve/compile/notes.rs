//! Commands that write to somebody or change the header: `vacation` (RFC 5230), `notify` (RFC 5435), `addheader` and
//! `deleteheader` (RFC 5293).

use super::super::capability::Capability;
use super::super::entity::Entity;
use super::super::mailto::Mailto;
use super::super::problem::{Problem, Value};
use super::super::program::{Act, DeleteHeader, Notify, Text, Vacation};
use super::super::tree::Written;
use super::actions::seconds;
use super::arguments::Arguments;
use super::comparing::Comparing;
use super::headers::{Fields, is_field_name};
use super::{Compiled, Compiler};

const DAY_SECONDS: u64 = 24 * 60 * 60;
/// RFC 5230 4.1: nobody is answered once a year only.
const PERIOD_DAYS_MAX: u64 = 366;

impl Compiler<'_> {
    /// RFC 5230 4, RFC 6131 2.
    pub(super) fn vacation(&self, arguments: &mut Arguments) -> Compiled<Act> {
        self.needs(arguments.at, Capability::Vacation)?;
        let mut vacation = Vacation {
            period: None,
            subject: None,
            from: None,
            addresses: Vec::new(),
            mime: false,
            handle: None,
            reason: Text::default(),
            digest: String::new(),
        };
        let mut said = [None, None];
        while let Some((at, tag)) = arguments.tag(self)? {
            match tag.as_str() {
                "days" | "seconds" if vacation.period.is_some() => {
                    return Err(self.error(at, Problem::Conflict(tag)));
                }
                "days" => {
                    let most = PERIOD_DAYS_MAX * DAY_SECONDS;
                    vacation.period = Some(seconds(self, arguments, DAY_SECONDS)?.clamp(DAY_SECONDS, most));
                }
                "seconds" => {
                    self.needs(at, Capability::VacationSeconds)?;
                    vacation.period = Some(seconds(self, arguments, 1)?.min(PERIOD_DAYS_MAX * DAY_SECONDS));
                }
                "subject" => {
                    let literal = arguments.literal(self)?;
                    said[0] = Some(literal.text.clone());
                    vacation.subject = Some(self.text(literal)?);
                }
                "from" => {
                    let literal = arguments.literal(self)?;
                    said[1] = Some(literal.text.clone());
                    vacation.from = Some(self.one_address(literal)?);
                }
                "addresses" => vacation.addresses = arguments.texts(self)?,
                "mime" => vacation.mime = true,
                "handle" => vacation.handle = Some(arguments.text(self)?),
                _ => return Err(self.error(at, Problem::UnknownTag(tag))),
            }
        }
        let reason = arguments.literal(self)?;
        let at = reason.at;
        vacation.digest = digest(&said, vacation.mime, &reason.text);
        vacation.reason = self.text(reason)?;
        match vacation.reason.literal() {
            // RFC 5230 5
            Some(text) if vacation.mime && Entity::parse(text).is_none() => {
                Err(self.invalid(at, Value::Entity, text))
            }
            _ => Ok(Act::Vacation(Box::new(vacation))),
        }
    }

    fn one_address(&self, literal: Written) -> Compiled<Text> {
        let at = literal.at;
        let text = self.text(literal)?;
        match text.literal() {
            Some(address) if !is_named_address(address) => Err(self.invalid(at, Value::Address, address)),
            _ => Ok(text),
        }
    }

    /// RFC 5435 3.
    pub(super) fn notify(&self, arguments: &mut Arguments) -> Compiled<Act> {
        self.needs(arguments.at, Capability::Enotify)?;
        let (mut from, mut importance, mut message) = (None, None, None);
        while let Some((at, tag)) = arguments.tag(self)? {
            match tag.as_str() {
                "from" => from = Some(arguments.text(self)?),
                "importance" => {
                    let literal = arguments.literal(self)?;
                    if !matches!(literal.text.as_str(), "1" | "2" | "3") && !literal.text.contains("${") {
                        return Err(self.invalid(literal.at, Value::Importance, &literal.text));
                    }
                    importance = Some(self.text(literal)?);
                }
                // Of `mailto` there are none, and what is not known is left out (RFC 5436 2.5).
                "options" => drop(arguments.texts(self)?),
                "message" => message = Some(arguments.text(self)?),
                _ => return Err(self.error(at, Problem::UnknownTag(tag))),
            }
        }
        let literal = arguments.literal(self)?;
        let at = literal.at;
        let method = self.text(literal)?;
        if let Some(method) = method.literal().filter(|method| Mailto::parse(method).is_none()) {
            return Err(self.invalid(at, Value::Address, method));
        }
        Ok(Act::Notify(Box::new(Notify { method, from, importance, message })))
    }

    /// RFC 5293 4.
    pub(super) fn add_header(&self, arguments: &mut Arguments) -> Compiled<Act> {
        self.needs(arguments.at, Capability::EditHeader)?;
        let mut last = false;
        while let Some((at, tag)) = arguments.tag(self)? {
            match tag.as_str() {
                "last" => last = true,
                _ => return Err(self.error(at, Problem::UnknownTag(tag))),
            }
        }
        let name = self.field_name(arguments.literal(self)?)?;
        Ok(Act::AddHeader { name, value: arguments.text(self)?, last })
    }

    /// RFC 5293 4, 5: what cannot be a name is a mistake here.
    fn field_name(&self, literal: Written) -> Compiled<Text> {
        let at = literal.at;
        let name = self.text(literal)?;
        match name.literal() {
            Some(literal) if !is_field_name(literal) => Err(self.invalid(at, Value::HeaderName, literal)),
            _ => Ok(name),
        }
    }

    /// RFC 5293 5.
    pub(super) fn delete_header(&self, arguments: &mut Arguments) -> Compiled<Act> {
        self.needs(arguments.at, Capability::EditHeader)?;
        let (mut comparing, mut fields) = (Comparing::default(), Fields::place_only());
        while let Some((at, tag)) = arguments.tag(self)? {
            let tag = (at, tag.as_str());
            if !comparing.take(self, arguments, tag)? && !fields.take(self, arguments, tag)? {
                return Err(self.error(at, Problem::UnknownTag(tag.1.to_owned())));
            }
        }
        let name = self.field_name(arguments.literal(self)?)?;
        let patterns = match arguments.strings_left() {
            0 => None,
            _ => Some(arguments.texts(self)?),
        };
        let (index, _) = fields.done(self, arguments.at)?;
        let compare = comparing.done(self, arguments.at)?;
        Ok(Act::DeleteHeader(Box::new(DeleteHeader { name, index, compare, patterns })))
    }
}

/// What makes an answer this one and no other (RFC 5230 4.2): as it is written, each counted.
fn digest(said: &[Option<String>; 2], mime: bool, reason: &str) -> String {
    let mut digest = if mime { "mime".to_owned() } else { "text".to_owned() };
    for argument in said.iter().map(Option::as_deref).chain([Some(reason)]) {
        match argument {
            Some(text) => digest.extend([&format!("\n{}:", text.len()), text]),
            None => digest.push_str("\n-"),
        }
    }
    digest
}

/// `local@domain` that a message could go to; whether it may is for the engine.
pub(in crate::sieve) fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_plain =
        |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control());
    is_plain(local) && is_plain(domain) && !text.contains(['<', '>', ',', ';']) && text.len() <= 320
}

/// With or without a name before it.
pub(in crate::sieve) fn is_named_address(text: &str) -> bool {
    match text.rsplit_once('<').and_then(|(_, rest)| rest.trim_end().strip_suffix('>')) {
        Some(address) => is_address(address.trim()),
        None => is_address(text.trim()),
    }
}
