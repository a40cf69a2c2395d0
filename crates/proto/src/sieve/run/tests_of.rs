//! Tests of a script, each against the message and what is known around it.

use super::super::compare::{Compare, How};
use super::super::compile::headers::is_address_field;
use super::super::compile::notes::is_named_address;
use super::super::program::{
    AddressPart, AddressTest, Duplicate, DuplicateId, EnvelopeTest, FlagTest, HeaderTest, Index, MimeOf,
    StringTest, Test, Text,
};
use super::super::setting::{Question, Reason, Sighting};
use super::{Halt, Ran, Run};
use crate::mime::{MailAddress, addresses};
use std::borrow::Cow;

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
            for key in keys {
                if let Some(captured) = compare.meets(value.as_ref(), key, &mut self.meter)? {
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
        let mut found = Vec::new();
        let names = self.texts(&test.fields)?;
        for name in names.into_iter().filter(|name| is_address_field(name)) {
            let values = self.field_octets(&name, test.index, test.mime.as_ref())?;
            self.meter.spend(values.iter().map(Vec::len).sum::<usize>() / 16)?;
            let listed = values.iter().flat_map(|value| addresses(value));
            found.extend(
                listed.filter(|entry| entry.host.is_some()).filter_map(|entry| part_of(&entry, test.part)),
            );
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
                found.extend(address_part(value, test.part));
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
            if self.field_octets(&name, None, mime)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn field_texts(&mut self, name: &str, index: Option<Index>, mime: Option<&MimeOf>) -> Ran<Vec<String>> {
        if let Some(mime) = mime {
            return self.mime_texts(name, index, mime);
        }
        self.meter.spend(self.header.cost())?;
        let texts: Vec<String> = match index {
            None => self.header.named(name).map(super::header::Field::text).collect(),
            Some(index) => self.at_index(name, index).map(super::header::Field::text).into_iter().collect(),
        };
        self.meter.spend(texts.iter().map(String::len).sum::<usize>() / 32)?;
        Ok(texts)
    }

    /// As they are written.
    pub(super) fn field_octets(
        &mut self,
        name: &str,
        index: Option<Index>,
        mime: Option<&MimeOf>,
    ) -> Ran<Vec<Vec<u8>>> {
        if let Some(mime) = mime {
            return self.mime_octets(name, index, mime);
        }
        self.meter.spend(self.header.cost())?;
        let octets = |field: &super::header::Field<'_>| field.octets().to_vec();
        Ok(match index {
            None => self.header.named(name).map(octets).collect(),
            Some(index) => self.at_index(name, index).map(octets).into_iter().collect(),
        })
    }

    /// RFC 5260 6.1.
    fn at_index<'h>(&'h self, name: &str, index: Index) -> Option<&'h super::header::Field<'h>> {
        let mut fields = self.header.named(name);
        let before = index.number - 1;
        if index.from_the_end { fields.nth_back(before) } else { fields.nth(before) }
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
            found.extend(super::acts::flags_of([self.value(variable)]));
        }
        let keys = super::acts::flags_of(self.texts(&test.keys)?.iter().map(AsRef::as_ref));
        let keys: Vec<Cow<'_, str>> = match test.compare.how {
            How::Count(_) => self.texts(&test.keys)?,
            _ => keys.into_iter().map(Cow::Owned).collect(),
        };
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
            DuplicateId::MessageId => self.header.named("message-id").next().map(super::header::Field::text),
            DuplicateId::Header(name) => {
                let name = self.text(name)?;
                self.header.named(&name).next().map(super::header::Field::text)
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

/// RFC 5228 2.7.4. Of something that is not an address, all of it.
fn part_of(entry: &MailAddress, part: AddressPart) -> Option<String> {
    address_part(&entry.address()?, part)
}

fn address_part(address: &str, part: AddressPart) -> Option<String> {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    // RFC 5233 4: without a separator there is no detail, which is not an empty one.
    let detail = local.split_once('+');
    Some(str::to_owned(match part {
        AddressPart::All => address,
        AddressPart::Local => local,
        AddressPart::Domain => domain,
        AddressPart::User => detail.map_or(local, |(user, _)| user),
        AddressPart::Detail => detail?.1,
    }))
}

pub(super) fn is_mailto(method: &str) -> bool {
    let Some(rest) =
        method.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:")).and(method.get(7..))
    else {
        return false;
    };
    is_named_address(rest.split('?').next().unwrap_or_default())
}
