//! Commands that do something: written down here, done by whoever started the run.

use super::super::compile::notes::{is_address, is_named_address};
use super::super::limits::ACTIONS_MAX;
use super::super::program::{Act, FileInto, FlagChange, Notify, Redirect, Text, Variable};
use super::super::setting::{Action, Filing, Notice, Reason, Recipients};
use super::vacation::is_auto_submitted;
use super::values::modified;
use super::{Halt, Ran, Run};

/// Flags of a message, and octets of one: beyond any that mail programs set.
const FLAGS_MAX: usize = 64;
const FLAG_OCTETS_MAX: usize = 128;

impl Run<'_> {
    pub(super) fn plain_act(&mut self, act: &Act) -> Ran<()> {
        match act {
            Act::Keep { flags } => self.keep(flags.as_deref())?,
            Act::Discard => self.implicit_keep = false,
            Act::Redirect(redirect) => self.redirect(redirect)?,
            Act::FileInto(file_into) => self.file_into(file_into)?,
            Act::Reject { reason, in_dialogue } => self.reject(reason, *in_dialogue)?,
            Act::Flags { change, variable, flags } => self.change_flags(*change, variable.as_ref(), flags)?,
            Act::Set { variable, modifiers, value } => {
                let value = self.text(value)?;
                self.meter.spend(modifiers.len() * (1 + value.len() / 4))?;
                self.set(variable, modified(modifiers, &value))?;
            }
            Act::Vacation(vacation) => self.vacation(vacation)?,
            Act::Notify(notify) => self.notify(notify)?,
            Act::AddHeader { name, value, last } => self.add_header(name, value, *last)?,
            Act::DeleteHeader(delete) => self.delete_header(delete)?,
            Act::ExtractText { variable, modifiers, first } => {
                self.extract_text(variable, modifiers, *first)?;
            }
            Act::Error(text) => {
                let text = self.text(text)?.into_owned();
                return Err(Halt::Failed(Reason::Said(text)));
            }
            Act::Unknown(name) => return Err(Halt::Failed(Reason::Unknown(name.clone()))),
            // What decides where to go on is `super`'s.
            _ => {}
        }
        Ok(())
    }

    /// The same twice is done once (RFC 5228 2.10.3).
    pub(super) fn does(&mut self, action: Action) -> Ran<()> {
        let excludes = |other: &Action| !matches!(other, Action::Notify(_));
        let is_reject = matches!(action, Action::Reject { .. });
        let has_reject = self.actions.iter().any(|known| matches!(known, Action::Reject { .. }));
        // RFC 5429 2.3, RFC 5230 4.7.
        if (is_reject && (self.has_answered || self.actions.iter().any(excludes)))
            || (has_reject && excludes(&action))
        {
            return Err(Halt::Failed(Reason::Conflict));
        }
        if self.actions.contains(&action) {
            return Ok(());
        }
        if self.wanted(|_| true) == ACTIONS_MAX {
            return Err(Halt::Failed(Reason::TooManyActions(ACTIONS_MAX)));
        }
        self.actions.push(action);
        Ok(())
    }

    /// RFC 5232 5: flags that are said, else those that the script set.
    fn flags_said(&mut self, flags: Option<&[Text]>) -> Ran<Vec<String>> {
        match flags {
            None => {
                self.meter.spend(self.flags.len() / 4)?;
                Ok(self.flags.clone())
            }
            Some(flags) => {
                let flags = self.texts(flags)?;
                self.flags_in(&flags)
            }
        }
    }

    /// Flags among these strings.
    pub(super) fn flags_in(&mut self, texts: &[impl AsRef<str>]) -> Ran<Vec<String>> {
        let octets: usize = texts.iter().map(|text| text.as_ref().len()).sum();
        // Each is compared with all that are known.
        self.meter.spend(2 * octets)?;
        Ok(flags_of(texts.iter().map(AsRef::as_ref)))
    }

    fn keep(&mut self, flags: Option<&[Text]>) -> Ran<()> {
        self.implicit_keep = false;
        let (flags, header) = (self.flags_said(flags)?, self.header.edition()?);
        let kept = self.actions.iter_mut().find(|action| matches!(action, Action::Keep { .. }));
        match kept {
            // Into one folder it comes once, as the last said.
            Some(kept) => *kept = Action::Keep { flags, header },
            None => self.does(Action::Keep { flags, header })?,
        }
        Ok(())
    }

    fn redirect(&mut self, redirect: &Redirect) -> Ran<()> {
        self.implicit_keep &= redirect.copy;
        let to = self.text(&redirect.to)?.trim().to_owned();
        if !redirect.is_list && !is_address(&to) {
            return Err(Halt::Failed(Reason::NotAnAddress(to)));
        }
        let to = if redirect.is_list { Recipients::List(to) } else { Recipients::Address(to) };
        if self.goes_to(&to) {
            return Ok(());
        }
        let known = self.wanted(|action| matches!(action, Action::Redirect { .. }));
        if known == self.setting.redirects_max {
            return Err(Halt::Failed(Reason::TooManyRedirects(known)));
        }
        let header = self.header.edition()?;
        self.does(Action::Redirect { to, header })
    }

    fn file_into(&mut self, file_into: &FileInto) -> Ran<()> {
        self.implicit_keep &= file_into.copy;
        let folder = self.text(&file_into.mailbox)?.into_owned();
        if folder.is_empty() || folder.len() > FOLDER_OCTETS_MAX || folder.chars().any(char::is_control) {
            return Err(Halt::Failed(Reason::NotAFolder(folder)));
        }
        let flags = self.flags_said(file_into.flags.as_deref())?;
        let special_use = match &file_into.special_use {
            Some(special_use) => Some(self.text(special_use)?.into_owned()),
            None => None,
        };
        let header = self.header.edition()?;
        if folder.eq_ignore_ascii_case("INBOX") && special_use.is_none() {
            self.actions.retain(|action| !matches!(action, Action::Keep { .. }));
            return self.does(Action::Keep { flags, header });
        }
        let filing = Filing { folder, create: file_into.create, flags, special_use, header };
        self.actions.retain(|action| !action.is_into(&filing));
        self.does(Action::FileInto(filing))
    }

    /// RFC 5429 2.1, 2.2.
    fn reject(&mut self, reason: &Text, in_dialogue: bool) -> Ran<()> {
        self.implicit_keep = false;
        let reason = self.text(reason)?.into_owned();
        self.does(Action::Reject { reason, in_dialogue })
    }

    /// RFC 5232 3.
    fn change_flags(&mut self, change: FlagChange, variable: Option<&Variable>, flags: &[Text]) -> Ran<()> {
        let said = self.texts(flags)?;
        let said = self.flags_in(&said)?;
        let before = match variable {
            Some(variable) => {
                let value = self.value(variable).to_owned();
                self.flags_in(&[value])?
            }
            None => std::mem::take(&mut self.flags),
        };
        let is_said = |flag: &String| said.iter().any(|other| other.eq_ignore_ascii_case(flag));
        let after = match change {
            FlagChange::Set => said,
            FlagChange::Add => flags_of(before.iter().chain(&said).map(String::as_str)),
            FlagChange::Remove => before.into_iter().filter(|flag| !is_said(flag)).collect(),
        };
        match variable {
            Some(variable) => self.set(variable, after.join(" "))?,
            None => self.flags = after,
        }
        Ok(())
    }

    /// RFC 5435 3, RFC 5436 2.
    fn notify(&mut self, notify: &Notify) -> Ran<()> {
        let method = self.text(&notify.method)?.into_owned();
        if !super::tests_of::is_mailto(&method) {
            return Err(Halt::Failed(Reason::NotAnAddress(method)));
        }
        let from = match &notify.from {
            Some(from) => Some(self.text(from)?.into_owned()).filter(|from| is_named_address(from)),
            None => None,
        };
        let importance = match &notify.importance {
            Some(importance) => self.text(importance)?.parse().unwrap_or(2),
            None => 2,
        };
        let message = match &notify.message {
            Some(message) => Some(self.text(message)?.into_owned()),
            None => None,
        };
        // RFC 5436 2.7: no notice of a notice.
        if is_auto_submitted(&self.came, &mut self.meter)? {
            return Ok(());
        }
        self.does(Action::Notify(Notice { method, from, importance: importance.clamp(1, 3), message }))
    }
}

/// Octets of a folder's name.
const FOLDER_OCTETS_MAX: usize = 1_000;

/// RFC 5232 2: a list of flags, each once, whichever way they are written; what cannot be a flag is left out.
fn flags_of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    let mut flags: Vec<String> = Vec::new();
    for flag in texts.into_iter().flat_map(|text| text.split(' ')).filter(|flag| is_flag(flag)) {
        if flags.len() < FLAGS_MAX && !flags.iter().any(|known| known.eq_ignore_ascii_case(flag)) {
            flags.push(flag.to_owned());
        }
    }
    flags
}

/// RFC 9051 9: `flag`, without `\Recent`.
fn is_flag(flag: &str) -> bool {
    let keyword = flag.strip_prefix('\\').unwrap_or(flag);
    let is_atom = |octet: u8| octet.is_ascii_graphic() && !b"(){%*\"\\]".contains(&octet);
    let is_system = ["answered", "flagged", "deleted", "seen", "draft"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(keyword));
    !keyword.is_empty()
        && flag.len() <= FLAG_OCTETS_MAX
        && keyword.bytes().all(is_atom)
        && (!flag.starts_with('\\') || is_system)
}
