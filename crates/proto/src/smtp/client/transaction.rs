//! One message's way through the dialogue: what is said next, and what became of each recipient.

use super::encoder::Encoder;
use super::message::{Message, Recipient};
use super::offers::Offers;
use super::replies::Said;
use crate::smtp::path::{Mailbox, reverse_path};

/// Octets from which BDAT is used where it is offered: below, DATA goes together with the envelope and costs no more.
const CHUNKED_OCTETS_MIN: u64 = 256 * 1024;
/// Octets of one chunk: some hundred chunks for the largest message, and each is held until it is whole.
pub(super) const CHUNK_OCTETS: usize = 512 * 1024;

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server has taken the message on for it.
    Taken(Said),
    /// The server will not take it; `temporary`: another time it may.
    Refused { said: Said, temporary: bool },
    /// The server was not asked, as it could only have refused.
    Unsuited(Unsuited),
    /// The connection ended before the server had decided. It may have taken the message on (RFC 5321 4.5.4.1).
    Unanswered,
}

/// What the message needs and the server does not offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsuited {
    /// RFC 6531
    SmtpUtf8,
    /// RFC 6152
    EightBit,
    /// RFC 1870: it takes so many octets at most.
    TooLarge(u64),
    /// RFC 8689
    RequireTls,
    /// The sender's address cannot be said.
    Sender,
    /// The recipient's address cannot be said.
    Recipient,
}

/// What is to be said next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Reset,
    Mail,
    /// The first recipient from here on that has no verdict.
    Recipient(usize),
    Open,
    Content,
    Ended,
}

#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) message: Message,
    pub(super) next: Next,
    /// By recipient; `None` as long as nothing is decided.
    verdicts: Vec<Option<Verdict>>,
    /// Recipients that RCPT was answered with 2yz for.
    accepted: usize,
    pub(super) encoder: Encoder,
    /// With BDAT.
    pub(super) chunked: bool,
    /// Octets of the next chunk.
    pub(super) chunk: Vec<u8>,
}

impl Transaction {
    /// Recipients the server could not take are decided upon at once.
    pub(super) fn new(message: Message, offers: &Offers, tls: bool, reset: bool) -> Self {
        let chunked = offers.chunking && message.size >= CHUNKED_OCTETS_MIN;
        let unsuited = unsuited(&message, offers, tls);
        let verdict = |recipient: &Recipient| {
            let unsaid = (!offers.smtputf8 && !recipient.address.is_ascii()).then_some(Unsuited::SmtpUtf8);
            let wrong = (!is_address(&recipient.address)).then_some(Unsuited::Recipient);
            unsuited.or(wrong).or(unsaid).map(Verdict::Unsuited)
        };
        let verdicts: Vec<_> = message.recipients.iter().map(verdict).collect();
        let next = match (verdicts.iter().any(Option::is_none), reset) {
            (false, _) => Next::Ended,
            (true, true) => Next::Reset,
            (true, false) => Next::Mail,
        };
        Self {
            message,
            next,
            verdicts,
            accepted: 0,
            encoder: Encoder::new(!chunked),
            chunked,
            chunk: Vec::new(),
        }
    }

    /// The first recipient from `start` on that is undecided.
    pub(super) fn undecided(&self, start: usize) -> Option<usize> {
        let mut rest = self.verdicts.iter().enumerate().skip(start);
        rest.find(|(_, verdict)| verdict.is_none()).map(|(index, _)| index)
    }

    /// Is there anybody to send content for?
    pub(super) fn has_accepted(&self) -> bool {
        self.accepted > 0 && self.undecided(0).is_some()
    }

    /// The reply to RCPT.
    pub(super) fn recipient_answered(&mut self, index: usize, said: Said) {
        let first = self.accepted == 0;
        let Some(verdict) = self.verdicts.get_mut(index).filter(|verdict| verdict.is_none()) else { return };
        if said.is_yes() {
            self.accepted += 1;
        } else {
            let temporary = said.is_not_now() || !first && is_too_many(&said);
            *verdict = Some(Verdict::Refused { said, temporary });
        }
    }

    /// Nobody who is undecided will get it.
    pub(super) fn refuse(&mut self, said: &Said) {
        let refused = || Verdict::Refused { said: said.clone(), temporary: said.is_not_now() };
        for verdict in self.verdicts.iter_mut().filter(|verdict| verdict.is_none()) {
            *verdict = Some(refused());
        }
    }

    /// The server's word on the content.
    pub(super) fn content_answered(&mut self, said: &Said) {
        if !said.is_yes() {
            return self.refuse(said);
        }
        for verdict in self.verdicts.iter_mut().filter(|verdict| verdict.is_none()) {
            *verdict = Some(Verdict::Taken(said.clone()));
        }
    }

    /// One per recipient, in their order.
    pub(super) fn into_verdicts(self) -> Vec<Verdict> {
        self.verdicts.into_iter().map(|verdict| verdict.unwrap_or(Verdict::Unanswered)).collect()
    }
}

/// RFC 5321 4.5.3.1.10: "too many recipients" is 452; old servers say 552, which is to be read as that.
fn is_too_many(said: &Said) -> bool {
    said.code == 552 && matches!(said.status, None | Some((_, 5, 3)))
}

/// Why nobody can get it from this server.
fn unsuited(message: &Message, offers: &Offers, tls: bool) -> Option<Unsuited> {
    if !message.sender.is_empty() && !is_address(&message.sender) {
        return Some(Unsuited::Sender);
    }
    // RFC 8689 4.2.1
    if message.requires_tls && !(tls && offers.requiretls) {
        return Some(Unsuited::RequireTls);
    }
    if (message.needs_smtputf8 || !message.sender.is_ascii()) && !offers.smtputf8 {
        return Some(Unsuited::SmtpUtf8);
    }
    // RFC 6152 3: such a message must not be sent to a server that does not offer it.
    if message.is_8bit && !offers.eight_bit {
        return Some(Unsuited::EightBit);
    }
    // RFC 1870 6.1
    offers.size_max.filter(|most| message.size > *most).map(Unsuited::TooLarge)
}

/// Whole, and without anything that could end the command.
fn is_address(address: &str) -> bool {
    let path = format!("<{address}>");
    let parsed: Result<(Option<Mailbox>, &str), _> = reverse_path(&path);
    matches!(parsed, Ok((Some(_), "")))
}
