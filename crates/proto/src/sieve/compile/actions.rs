//! Commands that do something, by their names: what each takes, and what it becomes.

use super::super::capability::Capability;
use super::super::problem::{Problem, Value};
use super::super::program::{
    Act, FileInto, FlagChange, Location, Modifier, Redirect, ScriptName, Text, Variable,
};
use super::super::tree::Call;
use super::arguments::Arguments;
use super::notes::is_address;
use super::{Compiled, Compiler};

impl Compiler<'_> {
    /// None: it was for the compiler alone.
    pub(super) fn action(&mut self, call: Call) -> Compiled<Option<Act>> {
        if call.name == "foreverypart" {
            return self.for_every_part(call).map(Some);
        }
        let (at, name) = (call.at, call.name.clone());
        if self.is_lenient() && !is_command(&name) {
            return Ok(Some(Act::Unknown(name)));
        }
        let mut arguments = self.arguments_of_command(call)?;
        let arguments = &mut arguments;
        let act = match name.as_str() {
            "stop" => Act::Stop,
            "keep" => self.keep(arguments)?,
            "discard" => Act::Discard,
            "redirect" => self.redirect(arguments)?,
            "fileinto" => self.file_into(arguments)?,
            "reject" => self.reject(arguments, Capability::Reject)?,
            "ereject" => self.reject(arguments, Capability::Ereject)?,
            "setflag" => self.flags(arguments, FlagChange::Set)?,
            "addflag" => self.flags(arguments, FlagChange::Add)?,
            "removeflag" => self.flags(arguments, FlagChange::Remove)?,
            "set" => self.set(arguments)?,
            "vacation" => self.vacation(arguments)?,
            "notify" => self.notify(arguments)?,
            "addheader" => self.add_header(arguments)?,
            "deleteheader" => self.delete_header(arguments)?,
            "include" => self.include(arguments)?,
            "global" => {
                self.global(arguments)?;
                arguments.end(self)?;
                return Ok(None);
            }
            "return" => {
                self.needs(at, Capability::Include)?;
                Act::Return
            }
            "break" => self.break_out(arguments)?,
            "extracttext" => self.extract_text(arguments)?,
            "error" => {
                self.needs(at, Capability::Ihave)?;
                Act::Error(arguments.text(self)?)
            }
            _ => return Err(self.error(at, Problem::UnknownCommand(name))),
        };
        arguments.end(self)?;
        Ok(Some(act))
    }

    fn no_such_tag<T>(&self, at: usize, tag: String) -> Compiled<T> {
        Err(self.error(at, Problem::UnknownTag(tag)))
    }

    /// RFC 5228 4.3, RFC 5232 5.
    fn keep(&self, arguments: &mut Arguments) -> Compiled<Act> {
        let mut flags = None;
        while let Some((at, tag)) = arguments.tag(self)? {
            match tag.as_str() {
                "flags" => flags = Some(self.flag_tag(arguments, at)?),
                _ => return self.no_such_tag(at, tag),
            }
        }
        Ok(Act::Keep { flags })
    }

    fn flag_tag(&self, arguments: &mut Arguments, at: usize) -> Compiled<Vec<Text>> {
        self.needs(at, Capability::Imap4Flags)?;
        arguments.texts(self)
    }

    /// RFC 5228 4.2, RFC 3894 3.2, RFC 6134 2.3.
    fn redirect(&self, arguments: &mut Arguments) -> Compiled<Act> {
        let (mut copy, mut is_list) = (false, false);
        while let Some((at, tag)) = arguments.tag(self)? {
            match tag.as_str() {
                "copy" => {
                    self.needs(at, Capability::Copy)?;
                    copy = true;
                }
                "list" => {
                    self.needs(at, Capability::ExtLists)?;
                    is_list = true;
                }
                _ => return self.no_such_tag(at, tag),
            }
        }
        let literal = arguments.literal(self)?;
        let at = literal.at;
        let to = self.text(literal)?;
        match to.literal() {
            Some(address) if !is_list && !is_address(address.trim()) => {
                Err(self.invalid(at, Value::Address, address))
            }
            _ => Ok(Act::Redirect(Redirect { to, is_list, copy })),
        }
    }

    /// RFC 5228 4.1, RFC 3894 3.1, RFC 5232 5, RFC 5490 3.2, RFC 8579 4.
    fn file_into(&self, arguments: &mut Arguments) -> Compiled<Act> {
        self.needs(arguments.at, Capability::FileInto)?;
        let (mut copy, mut create, mut flags, mut special_use) = (false, false, None, None);
        while let Some((at, tag)) = arguments.tag(self)? {
            match tag.as_str() {
                "copy" => {
                    self.needs(at, Capability::Copy)?;
                    copy = true;
                }
                "create" => {
                    self.needs(at, Capability::Mailbox)?;
                    create = true;
                }
                "flags" => flags = Some(self.flag_tag(arguments, at)?),
                "specialuse" => {
                    self.needs(at, Capability::SpecialUse)?;
                    special_use = Some(arguments.text(self)?);
                }
                _ => return self.no_such_tag(at, tag),
            }
        }
        let literal = arguments.literal(self)?;
        let at = literal.at;
        let mailbox = self.text(literal)?;
        if mailbox.literal().is_some_and(str::is_empty) {
            return Err(self.invalid(at, Value::Mailbox, ""));
        }
        Ok(Act::FileInto(FileInto { mailbox, copy, create, flags, special_use }))
    }

    /// RFC 5429 2.1, 2.2.
    fn reject(&self, arguments: &mut Arguments, capability: Capability) -> Compiled<Act> {
        self.needs(arguments.at, capability)?;
        Ok(Act::Reject { reason: arguments.text(self)?, in_dialogue: capability == Capability::Ereject })
    }

    /// RFC 5232 3.
    fn flags(&self, arguments: &mut Arguments, change: FlagChange) -> Compiled<Act> {
        self.needs(arguments.at, Capability::Imap4Flags)?;
        let mut variable = None;
        if arguments.strings_left() > 1 {
            let name = arguments.literal(self)?;
            self.needs(name.at, Capability::Variables)?;
            variable = Some(self.variable(name.at, &name.text)?);
        }
        Ok(Act::Flags { change, variable, flags: arguments.texts(self)? })
    }

    /// RFC 5229 4.
    fn set(&self, arguments: &mut Arguments) -> Compiled<Act> {
        self.needs(arguments.at, Capability::Variables)?;
        let modifiers = self.modifiers(arguments, |_, _, _| Ok(false))?;
        let name = arguments.literal(self)?;
        let variable = self.variable(name.at, &name.text)?;
        Ok(Act::Set { variable, modifiers, value: arguments.text(self)? })
    }

    /// Modifiers, the first to be applied first; `other` takes what is none.
    fn modifiers(
        &self,
        arguments: &mut Arguments,
        mut other: impl FnMut(&mut Arguments, usize, &str) -> Compiled<bool>,
    ) -> Compiled<Vec<Modifier>> {
        let mut modifiers: Vec<Modifier> = Vec::new();
        while let Some((at, tag)) = arguments.tag(self)? {
            let Some(modifier) = Modifier::named(&tag) else {
                if other(arguments, at, &tag)? {
                    continue;
                }
                return self.no_such_tag(at, tag);
            };
            if modifier == Modifier::EncodeUrl {
                self.needs(at, Capability::Enotify)?;
            }
            if modifiers.iter().any(|known| known.precedence() == modifier.precedence()) {
                return Err(self.error(at, Problem::Conflict(tag)));
            }
            modifiers.push(modifier);
        }
        modifiers.sort_by_key(|modifier| std::cmp::Reverse(modifier.precedence()));
        Ok(modifiers)
    }

    /// RFC 6609 3.2.
    fn include(&mut self, arguments: &mut Arguments) -> Compiled<Act> {
        self.needs(arguments.at, Capability::Include)?;
        let (mut location, mut once, mut optional) = (None, false, false);
        while let Some((at, tag)) = arguments.tag(self)? {
            let named = match tag.as_str() {
                "personal" => Location::Personal,
                "global" => Location::Global,
                "once" => {
                    once = true;
                    continue;
                }
                "optional" => {
                    optional = true;
                    continue;
                }
                _ => return self.no_such_tag(at, tag),
            };
            if location.replace(named).is_some() {
                return Err(self.error(at, Problem::Conflict(tag)));
            }
        }
        let literal = arguments.literal(self)?;
        // RFC 6609 3.2: the name is not made of variables.
        if literal.text.is_empty()
            || literal.text.contains("${")
            || literal.text.chars().any(char::is_control)
        {
            return Err(self.invalid(literal.at, Value::ScriptName, &literal.text));
        }
        let script = ScriptName { location: location.unwrap_or_default(), name: literal.text };
        if !self.includes.contains(&script) {
            self.includes.push(script.clone());
        }
        Ok(Act::Include { script, once, optional })
    }

    /// RFC 6609 3.4.1.
    fn global(&mut self, arguments: &mut Arguments) -> Compiled<()> {
        self.needs(arguments.at, Capability::Include)?;
        self.needs(arguments.at, Capability::Variables)?;
        let (_, names) = arguments.literals(self)?;
        for name in names {
            let Variable { name, .. } = self.variable(name.at, &name.text)?;
            self.globals.insert(name);
        }
        Ok(())
    }

    /// RFC 5703 3.1.
    fn for_every_part(&mut self, mut call: Call) -> Compiled<Act> {
        self.needs(call.at, Capability::ForEveryPart)?;
        let Some(block) = call.block.take() else { return Err(self.error(call.at, Problem::WantsBlock)) };
        let mut arguments = self.arguments_of_command(call)?;
        let name = self.loop_name(&mut arguments)?.map(|(_, name)| name);
        arguments.end(self)?;
        self.loops.push(name.clone());
        let steps = self.block(block);
        self.loops.pop();
        Ok(Act::ForEveryPart { name, steps: steps? })
    }

    fn loop_name(&self, arguments: &mut Arguments) -> Compiled<Option<(usize, String)>> {
        let mut name = None;
        while let Some((at, tag)) = arguments.tag(self)? {
            if tag != "name" {
                return self.no_such_tag(at, tag);
            }
            let literal = arguments.literal(self)?;
            name = Some((literal.at, literal.text));
        }
        Ok(name)
    }

    /// RFC 5703 3.2.
    fn break_out(&self, arguments: &mut Arguments) -> Compiled<Act> {
        self.needs(arguments.at, Capability::ForEveryPart)?;
        let name = self.loop_name(arguments)?;
        if self.loops.is_empty() {
            return Err(self.error(arguments.at, Problem::OutsideLoop));
        }
        if let Some((at, name)) = &name
            && !self.loops.iter().flatten().any(|known| known == name)
        {
            return Err(self.invalid(*at, Value::Loop, name));
        }
        Ok(Act::Break { name: name.map(|(_, name)| name) })
    }

    /// RFC 5703 7.
    fn extract_text(&self, arguments: &mut Arguments) -> Compiled<Act> {
        self.needs(arguments.at, Capability::ExtractText)?;
        self.needs(arguments.at, Capability::Variables)?;
        if self.loops.is_empty() {
            return Err(self.error(arguments.at, Problem::OutsideLoop));
        }
        let mut first = None;
        let modifiers = self.modifiers(arguments, |arguments, _, tag| {
            if tag != "first" {
                return Ok(false);
            }
            let (at, number) = arguments.number(self)?;
            let octets = usize::try_from(number).map_err(|_| self.error(at, Problem::NumberTooLarge))?;
            first = Some(octets);
            Ok(true)
        })?;
        let name = arguments.literal(self)?;
        let variable = self.variable(name.at, &name.text)?;
        Ok(Act::ExtractText { variable, modifiers, first })
    }
}

/// What [`Compiler::action`] knows, for scripts that ask before they use (RFC 5463 4).
fn is_command(name: &str) -> bool {
    const COMMANDS: [&str; 20] = [
        "stop",
        "keep",
        "discard",
        "redirect",
        "fileinto",
        "reject",
        "ereject",
        "setflag",
        "addflag",
        "removeflag",
        "set",
        "vacation",
        "notify",
        "addheader",
        "deleteheader",
        "include",
        "global",
        "return",
        "break",
        "extracttext",
    ];
    COMMANDS.contains(&name) || name == "error"
}

/// An argument that is a number of seconds or days, within what can be counted.
pub(super) fn seconds(compiler: &Compiler<'_>, arguments: &mut Arguments, each: u64) -> Compiled<u64> {
    let (at, number) = arguments.number(compiler)?;
    let invalid = || compiler.invalid(at, Value::Number, &number.to_string());
    number.checked_mul(each).filter(|seconds| i64::try_from(*seconds).is_ok()).ok_or_else(invalid)
}
