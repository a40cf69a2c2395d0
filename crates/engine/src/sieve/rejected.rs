//! Mail that rules reject (RFC 5429): refused in the dialogue where nobody wants it, else told to whom may be told, else kept.

use super::apply::{Work, is_alone};
use crate::deliver::{Arrival, DeliverError, Refused};
use crate::expansion::{Missed, Why};
use crate::report::RECEIPT_BYTES_MAX;
use crate::{Engine, Protocol};
use store::{Ruled, Target};

/// Characters of a reason for which a message is rejected, in a reply.
const REASON_CHARS_MAX: usize = 400;

/// A mailbox whose rules reject it, and the reason.
pub(super) struct Rejected {
    pub(super) target: Target,
    pub(super) reason: String,
    /// Earlier rules had nothing done with it, so that it may be refused in the dialogue.
    pub(super) is_all: bool,
}

impl Engine {
    /// Refused in the dialogue where nobody wants it; else its sender is told, if he may be; else it is kept.
    pub(super) fn reject(&self, arrival: &Arrival, work: &mut Work<'_>) -> Result<(), Refused> {
        let rejected = std::mem::take(&mut work.rejected);
        let Some(Rejected { reason, .. }) = rejected.first() else { return Ok(()) };
        if work.meant.is_empty() {
            return Err(DeliverError::Rejected(reply_text(reason)).into());
        }
        let is_each_answered = arrival.origin.protocol == Protocol::Lmtp;
        let (each, rejected): (Vec<_>, Vec<_>) = rejected.into_iter().partition(|one| {
            is_each_answered
                && one.is_all
                && work.recipients.iter().any(|to| is_alone(to, one.target.account))
        });
        for Rejected { target, reason, .. } in each {
            let reason = reply_text(&reason);
            work.note(target.account, Ruled::Rejected, &reason);
            work.meant.sifted.gone.extend(target.recipient);
            work.meant.sifted.turned_away.insert(target.account, reason);
        }
        if !arrival.hears_of_success() {
            for Rejected { target, .. } in rejected {
                work.fail_to_reject(target);
            }
            return Ok(());
        }
        if rejected.is_empty() {
            return Ok(());
        }
        let Some(permit) = self.0.intake.try_permit(RECEIPT_BYTES_MAX) else {
            rejected.into_iter().for_each(|one| work.fail_to_reject(one.target));
            return Ok(());
        };
        work.meant.sifted.rooms.push(permit);
        for Rejected { target, reason, .. } in rejected {
            let by = target.recipient.clone().unwrap_or_default();
            let reason = reply_text(&reason);
            work.note(target.account, Ruled::Rejected, &reason);
            work.meant.sifted.gone.push(by.clone());
            let why = Why::Rejected(reason);
            work.meant.missed.push(Missed { address: by.clone(), by, why });
        }
        Ok(())
    }
}

impl Work<'_> {
    /// Nobody may be told: it is kept.
    fn fail_to_reject(&mut self, target: Target) {
        let direct = self.recipients.iter().position(|to| is_alone(to, target.account));
        if let Some(comes_here) = direct.and_then(|nth| self.meant.comes_here.get_mut(nth)) {
            *comes_here = true;
        }
        self.keep(target);
    }
}

/// As a reply has it, of one line and in ASCII: what says it in Vietnamese is read without its marks, too.
fn reply_text(reason: &str) -> String {
    let plain = model::fold_marks(reason);
    let words = plain.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars().map(|c| if c.is_ascii() { c } else { '?' }).take(REASON_CHARS_MAX).collect()
}
