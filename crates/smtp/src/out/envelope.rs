//! What the queue gives, and what it gets back.

use bytes::Bytes;
use model::queue::{Answer, Notify, Outcome, Return, Status};
use proto::smtp::client::{self, Broken, Said, Unsuited, Verdict};
use std::future::Future;

/// A message on its way to one destination.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// For the log.
    pub queue_id: String,
    /// Empty for the null reverse path.
    pub sender: String,
    /// RFC 3461 4.4: xtext, as it came.
    pub env_id: Option<String>,
    pub ret: Option<Return>,
    /// Octets.
    pub size: u64,
    /// Its body has octets above 127.
    pub is_8bit: bool,
    /// Its header has (RFC 6531); what its addresses need is seen by themselves.
    pub needs_smtputf8: bool,
    /// RFC 8689
    pub requires_tls: bool,
    pub recipients: Vec<OutRecipient>,
}

/// One recipient.
#[derive(Clone, Debug)]
pub struct OutRecipient {
    /// Without brackets.
    pub address: String,
    /// RFC 3461 4.2: kind and xtext, as it came.
    pub orcpt: Option<String>,
    pub notify: Notify,
}

/// The message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message cannot be read")]
pub struct OctetsError;

/// Where a message's octets come from; asked once per attempt, not at all when nobody is left to send for.
pub trait Octets: Send {
    /// The next piece, of a size that may be held; `None` behind the last.
    ///
    /// # Errors
    /// When it cannot be read: the attempt ends.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, OctetsError>> + Send;
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Of each recipient, in their order.
    pub outcomes: Vec<Outcome>,
    /// The server tells the sender itself what he wishes to hear (DSN, RFC 3461 5.2.1).
    pub passed_on: bool,
    /// How it was encrypted; `None`: not at all.
    pub tls: Option<String>,
    /// Another message may follow on this connection.
    pub reusable: bool,
    /// Why the connection broke, if it did: the destination's trouble, not the message's.
    pub broken: Option<Answer>,
}

/// No server of a domain could be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoWay {
    Later(Answer),
    /// It takes no mail, or there is none.
    Never(Answer),
}

impl NoWay {
    pub(super) fn later(detail: (u16, u16), text: impl Into<String>) -> Self {
        Self::Later(Answer::ours(Status(4, detail.0, detail.1), text))
    }

    pub(super) fn never(detail: (u16, u16), text: impl Into<String>) -> Self {
        Self::Never(Answer::ours(Status(5, detail.0, detail.1), text))
    }
}

impl Envelope {
    pub(super) fn message(&self) -> client::Message {
        let recipient = |recipient: &OutRecipient| client::Recipient {
            address: plain(&recipient.address),
            notify: notify(recipient.notify),
            orcpt: recipient.orcpt.clone(),
        };
        client::Message {
            sender: plain(&self.sender),
            size: self.size,
            is_8bit: self.is_8bit,
            needs_smtputf8: self.needs_smtputf8,
            requires_tls: self.requires_tls,
            ret: self.ret.map(|ret| match ret {
                Return::Full => client::Return::Full,
                Return::Headers => client::Return::Headers,
            }),
            env_id: self.env_id.clone(),
            recipients: self.recipients.iter().map(recipient).collect(),
        }
    }
}

/// An address whose domain alone is not ASCII is written so that every server takes it.
fn plain(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) if local.is_ascii() && !domain.is_ascii() => {
            let domain = guard::ascii_domain(domain).unwrap_or_else(|| domain.to_owned());
            format!("{local}@{domain}")
        }
        _ => address.to_owned(),
    }
}

/// RFC 3461 4.1; nothing where nothing was said (5.2.1).
fn notify(notify: Notify) -> Option<String> {
    if notify.is_unsaid() {
        return None;
    }
    let words = [(Notify::SUCCESS, "SUCCESS"), (Notify::FAILURE, "FAILURE"), (Notify::DELAY, "DELAY")];
    let asked: Vec<&str> =
        words.iter().filter(|(what, _)| notify.asks_for(*what)).map(|(_, word)| *word).collect();
    Some(if asked.is_empty() { "NEVER".to_owned() } else { asked.join(",") })
}

/// What a verdict means for a recipient. `host` is who spoke, `lost` what is said where nobody did.
pub(super) fn outcome(verdict: Verdict, host: &str, lost: &Answer) -> Outcome {
    match verdict {
        Verdict::Taken(said) => Outcome::Delivered(theirs(host, &said)),
        Verdict::Refused { said, temporary: true } => {
            let mut answer = theirs(host, &said);
            // RFC 5321 4.5.3.1.10: a 552 that means 452.
            if said.code >= 500 {
                answer.status = Status(4, 5, 3);
            }
            Outcome::Deferred(answer)
        }
        Verdict::Refused { said, temporary: false } => Outcome::Failed(theirs(host, &said)),
        Verdict::Unsuited(unsuited) => Outcome::Failed(needs(unsuited, host)),
        Verdict::Unanswered => Outcome::Deferred(lost.clone()),
    }
}

pub(super) fn theirs(host: &str, said: &Said) -> Answer {
    let status = said.status.map(|(class, subject, detail)| Status(class, subject, detail));
    Answer::theirs(host, said.code, status, &said.text)
}

/// Why a connection was of no more use.
pub(super) fn broken(broken: &Broken, host: &str) -> Answer {
    let ours = |detail, text| Answer::ours(Status(4, detail, 0), format!("{host} {text}"));
    match broken {
        Broken::Refused(said) => {
            let mut answer = theirs(host, said);
            // Its own trouble, whatever it calls it: another server may take the message, or this one another time.
            answer.status.0 = 4;
            answer
        }
        Broken::Garbage => ours(5, "does not speak SMTP"),
        Broken::TooLong => ours(5, "does not stop speaking"),
        Broken::Injected => ours(7, "was spoken for by somebody else before TLS began"),
    }
}

fn needs(unsuited: Unsuited, host: &str) -> Answer {
    let (subject, detail, text) = match unsuited {
        // RFC 6531 3.7.4
        Unsuited::SmtpUtf8 => {
            (6, 7, format!("{host} takes no addresses and headers beyond ASCII (SMTPUTF8)"))
        }
        // RFC 3463 3.7
        Unsuited::EightBit => {
            (6, 3, format!("{host} takes no 8-bit text, and the message cannot be converted"))
        }
        Unsuited::TooLarge(most) => (3, 4, format!("{host} takes messages of {most} octets at most")),
        // RFC 8689 5
        Unsuited::RequireTls => (7, 30, format!("{host} does not promise to pass the message on encrypted")),
        Unsuited::Sender => (1, 7, "the sender's address cannot be written".to_owned()),
        Unsuited::Recipient => (1, 3, "the recipient's address cannot be written".to_owned()),
    };
    Answer::ours(Status(5, subject, detail), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_passed_on_as_they_were_said() {
        for (wish, said) in [
            (Notify::UNSAID, None),
            (Notify::NEVER, Some("NEVER")),
            (Notify::FAILURE, Some("FAILURE")),
            (Notify::SUCCESS.and(Notify::DELAY), Some("SUCCESS,DELAY")),
        ] {
            assert_eq!(notify(wish).as_deref(), said);
        }
    }

    #[test]
    fn domains_are_written_for_everybody() {
        assert_eq!(plain("an@bücher.vn"), "an@xn--bcher-kva.vn");
        for same in ["đ@tỉnh.vn", "an@a.VN", "", "an@[192.0.2.1]"] {
            assert_eq!(plain(same), same);
        }
    }

    #[test]
    fn verdicts_become_outcomes() {
        let said = |code, status| Said { code, status, text: "x".into() };
        let lost = Answer::ours(Status(4, 4, 2), "lost");
        let status = |verdict| match outcome(verdict, "mx.b.vn", &lost) {
            Outcome::Delivered(answer) => ("delivered", answer.status.to_string()),
            Outcome::Deferred(answer) => ("deferred", answer.status.to_string()),
            Outcome::Failed(answer) => ("failed", answer.status.to_string()),
        };
        let refused = |code, status, temporary| Verdict::Refused { said: said(code, status), temporary };
        for (verdict, expected) in [
            (Verdict::Taken(said(250, Some((2, 6, 0)))), ("delivered", "2.6.0")),
            (refused(450, None, true), ("deferred", "4.0.0")),
            (refused(552, Some((5, 5, 3)), true), ("deferred", "4.5.3")),
            (refused(550, Some((5, 1, 1)), false), ("failed", "5.1.1")),
            (Verdict::Unsuited(Unsuited::SmtpUtf8), ("failed", "5.6.7")),
            (Verdict::Unsuited(Unsuited::EightBit), ("failed", "5.6.3")),
            (Verdict::Unsuited(Unsuited::TooLarge(9)), ("failed", "5.3.4")),
            (Verdict::Unsuited(Unsuited::RequireTls), ("failed", "5.7.30")),
            (Verdict::Unanswered, ("deferred", "4.4.2")),
        ] {
            assert_eq!(status(verdict), (expected.0, expected.1.to_owned()));
        }
        // A greeting of 554 is no reason to give a message up.
        assert_eq!(broken(&Broken::Refused(said(554, Some((5, 7, 1)))), "mx").status, Status(4, 7, 1));
    }
}
