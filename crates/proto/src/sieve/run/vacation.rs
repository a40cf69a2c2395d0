//! `vacation` (RFC 5230), as far as the message tells whether it is to be answered. Whether the sender was answered lately is for
//! whoever sends the answer.

use super::super::meter::{Meter, Spent};
use super::super::program::Vacation;
use super::super::setting::{Action, Answer, Reason};
use super::header::Header;
use super::{Halt, Ran, Run};

/// RFC 5230 4.6, RFC 3834 2, RFC 2919 3: programs, lists, and mail in bulk.
const MACHINE_FIELDS: [&str; 11] = [
    "list-id",
    "list-help",
    "list-subscribe",
    "list-unsubscribe",
    "list-post",
    "list-owner",
    "list-archive",
    "feedback-id",
    "x-autoreply",
    "x-autorespond",
    "x-autoresponse",
];
/// RFC 5230 4.5
const RECIPIENT_FIELDS: [&str; 6] = ["to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc"];
/// RFC 5230 4.6: names under which machines write.
const MACHINES: [&str; 10] = [
    "mailer-daemon",
    "mailerdaemon",
    "listserv",
    "majordomo",
    "postmaster",
    "bounce",
    "bounces",
    "donotreply",
    "do-not-reply",
    "do_not_reply",
];
/// What such names begin with, and end with.
const MACHINE_BEGINNINGS: [&str; 7] =
    ["owner-", "bounce-", "bounces-", "bounces+", "noreply", "no-reply", "no_reply"];
const MACHINE_ENDS: [&str; 6] = ["-request", "-owner", "-bounces", "-noreply", "-no-reply", ".noreply"];

impl Run<'_> {
    pub(super) fn vacation(&mut self, vacation: &Vacation) -> Ran<()> {
        // RFC 5230 4.7. It is so whether this message is answered or not.
        if std::mem::replace(&mut self.has_answered, true) {
            return Err(Halt::Failed(Reason::AnsweredTwice));
        }
        if self.actions.iter().any(|action| matches!(action, Action::Reject { .. })) {
            return Err(Halt::Failed(Reason::Conflict));
        }
        let subject = match &vacation.subject {
            Some(subject) => self.text(subject)?.into_owned(),
            None => self.answer_subject()?,
        };
        let from = match &vacation.from {
            Some(from) => Some(self.text(from)?.into_owned()),
            None => None,
        };
        let own: Vec<String> =
            self.texts(&vacation.addresses)?.into_iter().map(std::borrow::Cow::into_owned).collect();
        let handle = match &vacation.handle {
            Some(handle) => self.text(handle)?.into_owned(),
            None => vacation.digest.clone(),
        };
        let reason = self.text(&vacation.reason)?.into_owned();
        if !self.may_answer(&own)? {
            return Ok(());
        }
        self.does(Action::Vacation(Answer {
            to: self.setting.envelope_from.clone(),
            from,
            subject,
            reason,
            mime: vacation.mime,
            handle,
            period: vacation.period,
        }))
    }

    /// RFC 5230 4.4, 5.2: in the language of those who read it.
    fn answer_subject(&mut self) -> Ran<String> {
        let subject = match self.header.found("subject", None, &mut self.meter)?.first() {
            Some(field) => field.text(&mut self.meter)?,
            None => "".into(),
        };
        Ok(if subject.is_empty() {
            "Trả lời tự động".into()
        } else {
            format!("Trả lời tự động: {subject}")
        })
    }

    /// RFC 5230 4.5, 4.6. By the message as it came: what a script takes out of the header has it answer nobody.
    fn may_answer(&mut self, own: &[String]) -> Ran<bool> {
        let header = self.came.copy();
        let sender = self.setting.envelope_from.to_lowercase();
        if sender.is_empty() || is_machine(&sender) || is_automatic(&header, &mut self.meter)? {
            return Ok(false);
        }
        let mine: Vec<String> = [&self.setting.envelope_to]
            .into_iter()
            .chain(&self.setting.addresses)
            .chain(own)
            .map(|address| address.to_lowercase())
            .collect();
        // Nobody answers himself.
        if mine.contains(&sender) {
            return Ok(false);
        }
        for name in RECIPIENT_FIELDS {
            for field in header.found(name, None, &mut self.meter)? {
                let named = field.addresses(&mut self.meter)?;
                self.meter.spend(named.len() * (1 + mine.len() / 4))?;
                if named.iter().any(|address| mine.contains(&address.to_lowercase())) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Does the message say that a machine wrote it, or wrote it to many?
fn is_automatic(header: &Header<'_>, meter: &mut Meter) -> Result<bool, Spent> {
    // RFC 3464 2, RFC 8098 3
    let found = is_auto_submitted(header, meter)?
        || says(header, "precedence", meter, |text| matches!(text, "bulk" | "list" | "junk"))?
        || says(header, "x-auto-response-suppress", meter, |text| {
            text.split(',').any(|word| matches!(word.trim(), "all" | "oof" | "autoreply"))
        })?
        || says(header, "content-type", meter, |text| text.starts_with("multipart/report"))?;
    Ok(found || MACHINE_FIELDS.iter().any(|name| header.named(name).next().is_some()))
}

/// Is that said by a field of this name, in small letters?
fn says(
    header: &Header<'_>,
    name: &str,
    meter: &mut Meter,
    said: impl Fn(&str) -> bool,
) -> Result<bool, Spent> {
    for field in header.found(name, None, meter)? {
        if said(&field.text(meter)?.to_ascii_lowercase()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// RFC 3834 5: did a machine write it?
///
/// # Errors
/// Nothing is left to look at it.
pub(super) fn is_auto_submitted(header: &Header<'_>, meter: &mut Meter) -> Result<bool, Spent> {
    says(header, "auto-submitted", meter, |text| !is_no(text))
}

/// Is it an address in small letters under which nobody reads?
fn is_machine(sender: &str) -> bool {
    let local = sender.rsplit_once('@').map_or(sender, |(local, _)| local);
    MACHINES.contains(&local)
        || MACHINE_BEGINNINGS.iter().any(|begin| local.starts_with(begin))
        || MACHINE_ENDS.iter().any(|end| local.ends_with(end))
        || local.starts_with("prvs=") && local.contains("bounce")
}

/// RFC 3834 5: a keyword, and perhaps comments and parameters.
fn is_no(auto_submitted: &str) -> bool {
    auto_submitted.split([';', '(']).next().unwrap_or_default().trim() == "no"
}
