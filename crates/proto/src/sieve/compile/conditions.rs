//! Tests, by their names: what each takes, and what it becomes.

use super::super::capability::Capability;
use super::super::problem::{Argument, Problem, Value};
use super::super::program::{
    AddressPart, AddressTest, BodyTest, DateTest, Duplicate, DuplicateId, EnvelopeTest, FlagTest, HeaderTest,
    StringTest, Test, Transform, Zone,
};
use super::super::tree::Call;
use super::arguments::Arguments;
use super::comparing::Comparing;
use super::headers::{Fields, address_part};
use super::{Compiled, Compiler};

impl Compiler<'_> {
    pub(super) fn test(&mut self, mut call: Call) -> Compiled<Test> {
        match call.name.as_str() {
            "not" => return Ok(Test::Not(Box::new(self.lone_test(call)?))),
            "allof" | "anyof" => return self.several(call),
            _ => {}
        }
        if let Some(test) = call.tests.first() {
            return Err(self.error(test.at, Problem::WantsNoTest));
        }
        let mut arguments = Arguments::new(call.at, std::mem::take(&mut call.arguments));
        let arguments = &mut arguments;
        let test = match call.name.as_str() {
            "true" => Test::Const(true),
            "false" => Test::Const(false),
            "address" => self.address(arguments)?,
            "body" => self.body(arguments)?,
            "currentdate" => self.date(arguments, true)?,
            "date" => self.date(arguments, false)?,
            "duplicate" => self.duplicate(arguments)?,
            "envelope" => self.envelope(arguments)?,
            "environment" => self.strings(arguments, Capability::Environment, Test::Environment)?,
            "exists" => self.exists(arguments)?,
            "hasflag" => self.has_flag(arguments)?,
            "header" => self.header(arguments)?,
            "ihave" => self.ihave(arguments)?,
            "mailboxexists" => {
                self.needs(call.at, Capability::Mailbox)?;
                Test::MailboxExists(arguments.texts(self)?)
            }
            "notify_method_capability" => {
                self.strings(arguments, Capability::Enotify, Test::NotifyCapability)?
            }
            "size" => self.size(arguments)?,
            "specialuse_exists" => self.special_use_exists(arguments)?,
            "string" => self.strings(arguments, Capability::Variables, Test::String)?,
            "valid_ext_list" => {
                self.needs(call.at, Capability::ExtLists)?;
                Test::ValidList(arguments.texts(self)?)
            }
            "valid_notify_method" => {
                self.needs(call.at, Capability::Enotify)?;
                Test::ValidNotifyMethod(arguments.texts(self)?)
            }
            _ if self.is_lenient() => return Ok(Test::Unknown(call.name)),
            _ => return Err(self.error(call.at, Problem::UnknownTest(call.name))),
        };
        arguments.end(self)?;
        Ok(test)
    }

    /// RFC 5228 5.2, 5.3.
    fn several(&mut self, call: Call) -> Compiled<Test> {
        if call.tests.is_empty() || call.is_lone_test {
            return Err(self.error(call.at, Problem::WantsTest));
        }
        let tests = call.tests.into_iter().map(|test| self.test(test)).collect::<Compiled<_>>()?;
        Ok(if call.name == "allof" { Test::AllOf(tests) } else { Test::AnyOf(tests) })
    }

    fn unknown_tag<T>(&self, (at, tag): (usize, &str)) -> Compiled<T> {
        Err(self.error(at, Problem::UnknownTag(tag.to_owned())))
    }

    /// RFC 5228 5.1.
    fn address(&self, arguments: &mut Arguments) -> Compiled<Test> {
        let (mut comparing, mut fields, mut part) = (Comparing::default(), Fields::default(), None);
        while let Some((at, tag)) = arguments.tag(self)? {
            let tag = (at, tag.as_str());
            let is_known = comparing.take(self, arguments, tag)?
                || fields.take(self, arguments, tag)?
                || address_part(self, tag, &mut part)?;
            if !is_known {
                return self.unknown_tag(tag);
            }
        }
        let (_, names) = arguments.literals(self)?;
        let (index, mime) = fields.done(self, arguments.at)?;
        Ok(Test::Address(Box::new(AddressTest {
            fields: self.address_fields(names)?,
            part: part.unwrap_or_default(),
            keys: arguments.texts(self)?,
            compare: comparing.done(self, arguments.at)?,
            index,
            mime,
        })))
    }

    /// RFC 5228 5.4.
    fn envelope(&self, arguments: &mut Arguments) -> Compiled<Test> {
        self.needs(arguments.at, Capability::Envelope)?;
        let (mut comparing, mut part) = (Comparing::default(), None);
        while let Some((at, tag)) = arguments.tag(self)? {
            let tag = (at, tag.as_str());
            if !comparing.take(self, arguments, tag)? && !address_part(self, tag, &mut part)? {
                return self.unknown_tag(tag);
            }
        }
        let (_, parts) = arguments.literals(self)?;
        for part in &parts {
            if !matches!(part.text.to_ascii_lowercase().as_str(), "from" | "to" | "auth" | "orig_to")
                && !part.text.contains("${")
            {
                return Err(self.invalid(part.at, Value::HeaderName, &part.text));
            }
        }
        Ok(Test::Envelope(Box::new(EnvelopeTest {
            parts: self.texts(parts)?,
            part: part.unwrap_or(AddressPart::All),
            keys: arguments.texts(self)?,
            compare: comparing.done(self, arguments.at)?,
        })))
    }

    /// RFC 5228 5.7.
    fn header(&self, arguments: &mut Arguments) -> Compiled<Test> {
        let (mut comparing, mut fields) = (Comparing::default(), Fields::default());
        while let Some((at, tag)) = arguments.tag(self)? {
            let tag = (at, tag.as_str());
            if !comparing.take(self, arguments, tag)? && !fields.take(self, arguments, tag)? {
                return self.unknown_tag(tag);
            }
        }
        let (_, names) = arguments.literals(self)?;
        let (index, mime) = fields.done(self, arguments.at)?;
        Ok(Test::Header(Box::new(HeaderTest {
            fields: self.texts(names)?,
            keys: arguments.texts(self)?,
            compare: comparing.done(self, arguments.at)?,
            index,
            mime,
        })))
    }

    /// RFC 5228 5.5.
    fn exists(&self, arguments: &mut Arguments) -> Compiled<Test> {
        let mut fields = Fields::default();
        while let Some((at, tag)) = arguments.tag(self)? {
            let is_mime = matches!(tag.as_str(), "mime" | "anychild");
            if !is_mime || !fields.take(self, arguments, (at, tag.as_str()))? {
                return self.unknown_tag((at, &tag));
            }
        }
        let (_, names) = arguments.literals(self)?;
        let (_, mime) = fields.done(self, arguments.at)?;
        Ok(Test::Exists { names: self.texts(names)?, mime })
    }

    /// RFC 5228 5.9.
    fn size(&self, arguments: &mut Arguments) -> Compiled<Test> {
        let Some((at, tag)) = arguments.tag(self)? else {
            return Err(self.error(arguments.at, Problem::Missing(Argument::Number)));
        };
        let over = match tag.as_str() {
            "over" => true,
            "under" => false,
            _ => return self.unknown_tag((at, &tag)),
        };
        let (_, limit) = arguments.number(self)?;
        Ok(Test::Size { over, limit })
    }

    /// RFC 5173 5.
    fn body(&self, arguments: &mut Arguments) -> Compiled<Test> {
        self.needs(arguments.at, Capability::Body)?;
        let (mut comparing, mut transform) = (Comparing::default(), None);
        while let Some((at, tag)) = arguments.tag(self)? {
            let tag = (at, tag.as_str());
            if comparing.take(self, arguments, tag)? {
                continue;
            }
            let named = match tag.1 {
                "raw" => Transform::Raw,
                "text" => Transform::Text,
                "content" => Transform::Content(arguments.texts(self)?),
                _ => return self.unknown_tag(tag),
            };
            if transform.replace(named).is_some() {
                return Err(self.error(at, Problem::Conflict(tag.1.to_owned())));
            }
        }
        Ok(Test::Body(Box::new(BodyTest {
            transform: transform.unwrap_or_default(),
            keys: arguments.texts(self)?,
            compare: comparing.done(self, arguments.at)?,
        })))
    }

    /// `string`, `environment` and `notify_method_capability`: RFC 5229 5, RFC 5183 4, RFC 5435 5.
    fn strings(
        &self,
        arguments: &mut Arguments,
        capability: Capability,
        into: impl Fn(Box<StringTest>) -> Test,
    ) -> Compiled<Test> {
        self.needs(arguments.at, capability)?;
        let mut comparing = Comparing::default();
        while let Some((at, tag)) = arguments.tag(self)? {
            if !comparing.take(self, arguments, (at, &tag))? {
                return self.unknown_tag((at, &tag));
            }
        }
        let mut sources = arguments.texts(self)?;
        if capability == Capability::Enotify {
            sources.push(arguments.text(self)?);
        }
        let keys = arguments.texts(self)?;
        Ok(into(Box::new(StringTest { sources, keys, compare: comparing.done(self, arguments.at)? })))
    }

    /// RFC 5232 4.
    fn has_flag(&self, arguments: &mut Arguments) -> Compiled<Test> {
        self.needs(arguments.at, Capability::Imap4Flags)?;
        let mut comparing = Comparing::default();
        while let Some((at, tag)) = arguments.tag(self)? {
            if !comparing.take(self, arguments, (at, &tag))? {
                return self.unknown_tag((at, &tag));
            }
        }
        let mut variables = Vec::new();
        if arguments.strings_left() > 1 {
            let (_, names) = arguments.literals(self)?;
            for name in names {
                self.needs(name.at, Capability::Variables)?;
                variables.push(self.variable(name.at, &name.text)?);
            }
        }
        let keys = arguments.texts(self)?;
        Ok(Test::HasFlag(Box::new(FlagTest {
            variables,
            keys,
            compare: comparing.done(self, arguments.at)?,
        })))
    }

    /// RFC 5260 4, 5.
    fn date(&self, arguments: &mut Arguments, is_current: bool) -> Compiled<Test> {
        self.needs(arguments.at, Capability::Date)?;
        let (mut comparing, mut fields, mut zone) = (Comparing::default(), Fields::default(), None);
        while let Some((at, tag)) = arguments.tag(self)? {
            let tag = (at, tag.as_str());
            if comparing.take(self, arguments, tag)? {
                continue;
            }
            let named = match tag.1 {
                "zone" => Zone::Given(self.zone(arguments)?),
                "originalzone" if !is_current => Zone::Original,
                "index" | "last" if !is_current => {
                    fields.take(self, arguments, tag)?;
                    continue;
                }
                _ => return self.unknown_tag(tag),
            };
            if zone.replace(named).is_some() {
                return Err(self.error(at, Problem::Conflict(tag.1.to_owned())));
            }
        }
        let field = if is_current { None } else { Some(arguments.text(self)?) };
        let (index, _) = fields.done(self, arguments.at)?;
        Ok(Test::Date(Box::new(DateTest {
            field,
            zone: zone.unwrap_or_default(),
            part: self.date_part(arguments)?,
            keys: arguments.texts(self)?,
            compare: comparing.done(self, arguments.at)?,
            index,
        })))
    }

    /// RFC 7352 3.
    fn duplicate(&self, arguments: &mut Arguments) -> Compiled<Test> {
        self.needs(arguments.at, Capability::Duplicate)?;
        let (mut id, mut handle, mut period, mut last) = (None, None, None, false);
        while let Some((at, tag)) = arguments.tag(self)? {
            match tag.as_str() {
                "handle" => handle = Some(arguments.text(self)?),
                "last" => last = true,
                "seconds" => period = Some(arguments.number(self)?.1),
                "header" | "uniqueid" if id.is_some() => return Err(self.error(at, Problem::Conflict(tag))),
                "header" => id = Some(DuplicateId::Header(arguments.text(self)?)),
                "uniqueid" => id = Some(DuplicateId::Unique(arguments.text(self)?)),
                _ => return self.unknown_tag((at, &tag)),
            }
        }
        let (handle, id) = (handle.unwrap_or_default(), id.unwrap_or(DuplicateId::MessageId));
        Ok(Test::Duplicate(Box::new(Duplicate { handle, id, period, last })))
    }

    /// RFC 5463 4: what is here may be used from here on; what is not makes it false.
    fn ihave(&mut self, arguments: &mut Arguments) -> Compiled<Test> {
        self.needs(arguments.at, Capability::Ihave)?;
        let (_, names) = arguments.literals(self)?;
        let known: Option<Vec<Capability>> = names.iter().map(|name| Capability::named(&name.text)).collect();
        let is_here = known.is_some();
        known.into_iter().flatten().for_each(|capability| self.capabilities.add(capability));
        Ok(Test::Const(is_here))
    }

    /// RFC 8579 3.
    fn special_use_exists(&self, arguments: &mut Arguments) -> Compiled<Test> {
        self.needs(arguments.at, Capability::SpecialUse)?;
        let mailbox = match arguments.strings_left() {
            0 | 1 => None,
            _ => Some(arguments.text(self)?),
        };
        Ok(Test::SpecialUseExists { mailbox, uses: arguments.texts(self)? })
    }
}
