//! Tests of a script, each against the message and what is known around it.

use super::super::compare::{Compare, How, Value};
use super::super::compile::headers::is_address_field;
use super::super::mailto::Mailto;
use super::super::program::{
    AddressPart, AddressTest, Duplicate, DuplicateId, EnvelopeTest, FlagTest, HeaderTest, Index, MimeOf,
    StringTest, Test, Text,
};
use super::super::setting::{Question, Reason, Sighting};
use super::{Halt, Ran, Run};
use crate::mime::addresses;
use std::borrow::Cow;
use std::rc::Rc;

impl Run<'_> {
    pub(super) fn holds(&mut self, test: &Test) -> Ran<bool> {
        self.meter.spend(1)?;
        match test {
            Test::Const(result) => Ok(*result),
            Test::Not(test) => Ok(!self.holds(test)?),
            // RFC 5228 5.2, 5.3: what is not needed any more is not looked at.
            Test::AllOf(tests) => {
                for test in tests {
                    if !self.holds(test)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Test::AnyOf(tests) => {
                for test in tests {
                    if self.holds(test)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Test::Address(test) => self.address(test),
            Test::Envelope(test) => self.envelope(test),
            Test::Header(test) => self.header_test(test),
            Test::Exists { names, mime } => self.exists(names, mime.as_ref()),
            Test::Size { over, limit } => {
                let size = self.mail.raw.len() as u64;
                Ok(if *over { size > *limit } else { size < *limit })
            }
            Test::Body(test) => self.body(test),
            Test::String(test) => self.string(test),
            Test::HasFlag(test) => self.has_flag(test),
            Test::Date(test) => self.date(test),
            Test::Environment(test) => self.environment(test),
            Test::Duplicate(test) => self.duplicate(test),
            other => self.look_up(other),
        }
    }

    /// Tests that somebody else answers.
    fn look_up(&mut self, test: &Test) -> Ran<bool> {
        match test {
            Test::MailboxExists(names) => {
                let names = self.texts(names)?;
                self.all(names.into_iter().map(|name| Question::Folder(name.into_owned())))
            }
            Test::SpecialUseExists { mailbox, uses } => {
                let folder = mailbox.as_ref().map(|name| self.text(name)).transpose()?.map(Cow::into_owned);
                let uses = self.texts(uses)?;
                let question = |special_use: Cow<'_, str>| Question::SpecialUse {
                    folder: folder.clone(),
                    special_use: special_use.into_owned(),
                };
                self.all(uses.into_iter().map(question))
            }
            Test::ValidList(names) => {
                let names = self.texts(names)?;
                self.all(names.into_iter().map(|name| Question::List(name.into_owned())))
            }
            // RFC 5435 4.
            Test::ValidNotifyMethod(methods) => {
                Ok(self.texts(methods)?.iter().all(|method| is_mailto(method)))
            }
            Test::NotifyCapability(test) => self.notify_capability(test),
            Test::Unknown(name) => Err(Halt::Failed(Reason::Unknown(name.clone()))),
            _ => Ok(false),
        }
    }

    fn all(&mut self, questions: impl Iterator<Item = Question>) -> Ran<bool> {
        for question in questions {
            if !self.ask(question)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Does any value meet any key? With wildcards, what they stood for is kept (RFC 5229 3.2).
    pub(super) fn meets_any<V: AsRef<str>>(
        &mut self,
        compare: Compare,
        values: &[V],
        keys: &[Cow<'_, str>],
    ) -> Ran<bool> {
        match compare.how {
            How::Count(_) => {
                for key in keys {
                    if compare.counts(values.len(), key, &mut self.meter)? {
                        return Ok(true);
                    }
                }
                return Ok(false);
            }
            How::List => {
                let question = |list: &Cow<'_, str>, value: &V| Question::Member {
                    list: list.clone().into_owned(),
                    value: value.as_ref().to_owned(),
                };
                return self.ask_any(
                    keys.iter().flat_map(|list| values.iter().map(move |value| question(list, value))),
                );
            }
            _ => {}
        }
        for value in values {
            let value = Value::new(value.as_ref());
            for key in keys {
                if let Some(captured) = compare.meets(&value, key, &mut self.meter)? {
                    if compare.how == How::Matches {
                        self.scope.captured = captured;
                    }
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// RFC 5228 5.1: of fields that hold addresses.
    fn address(&mut self, test: &AddressTest) -> Ran<bool> {
        let mut found: Vec<Rc<str>> = Vec::new();
        let names = self.texts(&test.fields)?;
        for name in names.into_iter().filter(|name| is_address_field(name)) {
            if let Some(mime) = &test.mime {
                let values = self.mime_octets(&name, test.index, mime)?;
                self.meter.spend(values.iter().map(Vec::len).sum::<usize>() / 8)?;
                let listed = values.iter().flat_map(|value| addresses(value));
                let listed = listed.filter(|entry| entry.host.is_some()).filter_map(|entry| entry.address());
                found.extend(listed.filter_map(|address| part_of(&address.into(), test.part)));
                continue;
            }
            for field in self.header.found(&name, test.index, &mut self.meter)? {
                let listed = field.addresses(&mut self.meter)?;
                self.meter.spend(2 * listed.len())?;
                found.extend(listed.iter().filter_map(|address| part_of(address, test.part)));
            }
        }
        let keys = self.texts(&test.keys)?;
        self.meets_any(test.compare, &found, &keys)
    }

    /// RFC 5228 5.4: the null reverse path is an empty address.
    fn envelope(&mut self, test: &EnvelopeTest) -> Ran<bool> {
        let mut found = Vec::new();
        for part in self.texts(&test.parts)? {
            let setting = self.setting;
            let value = match part.to_ascii_lowercase().as_str() {
                "from" => &setting.envelope_from,
                "to" => &setting.envelope_to,
                "auth" if !setting.auth.is_empty() => &setting.auth,
                _ => continue,
            };
            if value.is_empty() {
                found.push(String::new());
            } else {
                found.extend(address_part(value, test.part).map(str::to_owned));
            }
        }
        let keys = self.texts(&test.keys)?;
        self.meets_any(test.compare, &found, &keys)
    }

    /// RFC 5228 5.7.
    fn header_test(&mut self, test: &HeaderTest) -> Ran<bool> {
        let mut found = Vec::new();
        for name in self.texts(&test.fields)? {
            found.extend(self.field_texts(&name, test.index, test.mime.as_ref())?);
        }
        let keys = self.texts(&test.keys)?;
        self.meets_any(test.compare, &found, &keys)
    }

    /// RFC 5228 5.5.
    fn exists(&mut self, names: &[Text], mime: Option<&MimeOf>) -> Ran<bool> {
        for name in self.texts(names)? {
            let is_there = match mime {
                Some(mime) => !self.mime_octets(&name, None, mime)?.is_empty(),
                None => !self.header.found(&name, None, &mut self.meter)?.is_empty(),
            };
            if !is_there {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn field_texts(&mut self, name: &str, index: Option<Index>, mime: Option<&MimeOf>) -> Ran<Vec<Rc<str>>> {
        if let Some(mime) = mime {
            return Ok(self.mime_texts(name, index, mime)?.into_iter().map(Rc::from).collect());
        }
        let mut texts = Vec::new();
        for field in self.header.found(name, index, &mut self.meter)? {
            self.meter.spend(1)?;
            texts.push(field.text(&mut self.meter)?);
        }
        Ok(texts)
    }

    /// For people, of the first of a name.
    fn first_text(&mut self, name: &str) -> Ran<Option<String>> {
        match self.header.found(name, None, &mut self.meter)?.first() {
            Some(field) => Ok(Some(field.text(&mut self.meter)?.as_ref().to_owned())),
            None => Ok(None),
        }
    }

    /// RFC 5229 5: of `:count`, strings that are not empty.
    fn string(&mut self, test: &StringTest) -> Ran<bool> {
        let mut sources = self.texts(&test.sources)?;
        if matches!(test.compare.how, How::Count(_)) {
            sources.retain(|source| !source.is_empty());
        }
        let keys = self.texts(&test.keys)?;
        self.meets_any(test.compare, &sources, &keys)
    }

    /// RFC 5183 4: an item that nobody knows fails the test.
    fn environment(&mut self, test: &StringTest) -> Ran<bool> {
        let names = self.texts(&test.sources)?;
        let setting = self.setting;
        let known = |name: &Cow<'_, str>| setting.environment.get(&name.to_ascii_lowercase()).cloned();
        let found: Vec<String> = names.iter().filter_map(known).collect();
        let keys = self.texts(&test.keys)?;
        if found.is_empty() {
            return Ok(false);
        }
        self.meets_any(test.compare, &found, &keys)
    }

    /// RFC 5232 4.
    fn has_flag(&mut self, test: &FlagTest) -> Ran<bool> {
        let mut found: Vec<String> = Vec::new();
        if test.variables.is_empty() {
            found.clone_from(&self.flags);
        }
        for variable in &test.variables {
            let value = self.value(variable).to_owned();
            found.extend(self.flags_in(&[value])?);
        }
        let mut keys = self.texts(&test.keys)?;
        if !matches!(test.compare.how, How::Count(_)) {
            keys = self.flags_in(&keys)?.into_iter().map(Cow::Owned).collect();
        }
        self.meets_any(test.compare, &found, &keys)
    }

    /// RFC 5435 5: of mailto nobody knows whether somebody is there.
    fn notify_capability(&mut self, test: &StringTest) -> Ran<bool> {
        let sources = self.texts(&test.sources)?;
        let [methods @ .., capability] = sources.as_slice() else { return Ok(false) };
        let is_known =
            methods.iter().all(|method| is_mailto(method)) && capability.eq_ignore_ascii_case("online");
        let keys = self.texts(&test.keys)?;
        if !is_known {
            return Ok(false);
        }
        self.meets_any(test.compare, &["maybe"], &keys)
    }

    /// RFC 7352 3: true from the second on; each is remembered once all is done.
    fn duplicate(&mut self, test: &Duplicate) -> Ran<bool> {
        let handle = self.text(&test.handle)?.into_owned();
        let id = match &test.id {
            DuplicateId::MessageId => self.first_text("message-id")?,
            DuplicateId::Header(name) => {
                let name = self.text(name)?;
                self.first_text(&name)?
            }
            DuplicateId::Unique(text) => Some(self.text(text)?.into_owned()),
        };
        let Some(mut id) = id.filter(|id| !id.is_empty()) else { return Ok(false) };
        super::values::cut(&mut id, ID_OCTETS_MAX);
        let sighting = Sighting { handle, id, period: test.period, last: test.last };
        // RFC 7352 3: within one run the same is no duplicate of itself.
        let seen = self.ask(Question::Seen(sighting.clone()))?;
        if (!seen || sighting.last) && !self.sightings.contains(&sighting) {
            if self.sightings.len() == SIGHTINGS_MAX {
                return Err(Halt::Failed(Reason::TooManyQuestions(SIGHTINGS_MAX)));
            }
            self.sightings.push(sighting);
        }
        Ok(seen)
    }
}

/// Octets of what is remembered of a message.
const ID_OCTETS_MAX: usize = 998;
/// Things that one run has remembered.
const SIGHTINGS_MAX: usize = 32;

fn part_of(address: &Rc<str>, part: AddressPart) -> Option<Rc<str>> {
    match part {
        AddressPart::All => Some(Rc::clone(address)),
        part => address_part(address, part).map(Rc::from),
    }
}

/// RFC 5228 2.7.4. Of something that is not an address, all of it.
fn address_part(address: &str, part: AddressPart) -> Option<&str> {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    // RFC 5233 4: without a separator there is no detail, which is not an empty one.
    let detail = local.split_once('+');
    Some(match part {
        AddressPart::All => address,
        AddressPart::Local => local,
        AddressPart::Domain => domain,
        AddressPart::User => detail.map_or(local, |(user, _)| user),
        AddressPart::Detail => detail?.1,
    })
}

pub(super) fn is_mailto(method: &str) -> bool {
    Mailto::parse(method).is_some()
}
