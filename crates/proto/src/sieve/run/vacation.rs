//! `vacation` (RFC 5230), as far as the message tells whether it is to be answered. Whether the sender was answered lately is for
//! whoever sends the answer.

use super::super::program::Vacation;
use super::super::setting::{Action, Answer, Reason};
use super::{Halt, Ran, Run};
use crate::mime::addresses;

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
            None => self.answer_subject(),
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
    fn answer_subject(&self) -> String {
        let subject = self.header.named("subject").next().map(super::header::Field::text).unwrap_or_default();
        if subject.is_empty() {
            "Trả lời tự động".into()
        } else {
            format!("Trả lời tự động: {subject}")
        }
    }

    /// RFC 5230 4.5, 4.6.
    fn may_answer(&mut self, own: &[String]) -> Ran<bool> {
        self.meter.spend(8)?;
        let sender = self.setting.envelope_from.to_ascii_lowercase();
        let local = sender.rsplit_once('@').map_or(sender.as_str(), |(local, _)| local);
        let is_machine = MACHINES.contains(&local)
            || local.starts_with("owner-")
            || local.ends_with("-request")
            || local.starts_with("prvs=") && local.contains("bounce");
        let is_automatic = |field: &super::header::Field<'_>| {
            let text = field.text().to_ascii_lowercase();
            !(text == "no" || text.starts_with("no;") || text.starts_with("no "))
        };
        let in_bulk = |field: &super::header::Field<'_>| {
            matches!(field.text().to_ascii_lowercase().as_str(), "bulk" | "list" | "junk")
        };
        let header = &self.header;
        if sender.is_empty()
            || is_machine
            || header.named("auto-submitted").any(is_automatic)
            || header.named("precedence").any(in_bulk)
            || LIST_FIELDS.iter().any(|name| header.named(name).next().is_some())
        {
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
        let mut cost = 0;
        for name in ["to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc"] {
            for field in self.header.named(name) {
                cost += 1 + field.octets().len() / 16;
                let named = addresses(field.octets());
                if named
                    .filter_map(|entry| entry.address())
                    .any(|address| mine.contains(&address.to_lowercase()))
                {
                    return Ok(true);
                }
            }
        }
        self.meter.spend(cost)?;
        Ok(false)
    }
}
