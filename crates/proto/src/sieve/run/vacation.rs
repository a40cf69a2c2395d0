//! `vacation` (RFC 5230), as far as the message tells whether it is to be answered. Whether the sender was answered lately is for
//! whoever sends the answer.

use super::super::program::Vacation;
use super::super::setting::{Action, Answer, Reason};
use super::{Halt, Ran, Run};

/// RFC 5230 4.6, RFC 3834 2, RFC 2919 3: programs, lists, and mail in bulk.
const LIST_FIELDS: [&str; 9] = [
    "list-id",
    "list-help",
    "list-subscribe",
    "list-unsubscribe",
    "list-post",
    "list-owner",
    "list-archive",
    "x-auto-response-suppress",
    "feedback-id",
];
/// RFC 5230 4.6: names under which machines write.
const MACHINES: [&str; 8] = [
    "mailer-daemon",
    "listserv",
    "majordomo",
    "noreply",
    "no-reply",
    "donotreply",
    "do-not-reply",
    "postmaster",
];

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
            // RFC 5230 4.2: what is written, not what comes of it.
            None => format!(
                "{}\n{subject_said}\n{}",
                vacation.digest,
                from.as_deref().unwrap_or_default(),
                subject_said = if vacation.subject.is_some() { subject.as_str() } else { "" }
            ),
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

    /// RFC 5230 4.5, 4.6.
    fn may_answer(&mut self, own: &[String]) -> Ran<bool> {
        let sender = self.setting.envelope_from.to_ascii_lowercase();
        let local = sender.rsplit_once('@').map_or(sender.as_str(), |(local, _)| local);
        let is_machine = MACHINES.contains(&local)
            || local.starts_with("owner-")
            || local.ends_with("-request")
            || local.starts_with("prvs=") && local.contains("bounce");
        if sender.is_empty() || is_machine || self.is_automatic()? {
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
        for name in ["to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc"] {
            for field in self.header.found(name, None, &mut self.meter)? {
                let named = field.addresses(&mut self.meter)?;
                self.meter.spend(named.len() * (1 + mine.len() / 4))?;
                if named.iter().any(|address| mine.contains(&address.to_lowercase())) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// RFC 5230 4.6: written by a program, or to many.
    fn is_automatic(&mut self) -> Ran<bool> {
        let (header, meter) = (&self.header, &mut self.meter);
        for field in header.found("auto-submitted", None, meter)? {
            let text = field.text(meter)?.to_ascii_lowercase();
            if !(text == "no" || text.starts_with("no;") || text.starts_with("no ")) {
                return Ok(true);
            }
        }
        for field in header.found("precedence", None, meter)? {
            if matches!(field.text(meter)?.to_ascii_lowercase().as_str(), "bulk" | "list" | "junk") {
                return Ok(true);
            }
        }
        for name in LIST_FIELDS {
            if !header.found(name, None, meter)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
