//! A connection over which messages are handed over, one after the other.
//!
//! Invariants: content is asked for only when the server waits for it; a message that could not be read to its end is never
//! ended for the server, so that no half of it is delivered; after anything unclear no further message goes over the
//! same connection.

use super::envelope::{Attempt, Envelope, Octets, OctetsError, broken, outcome};
use super::limits::{
    CONVERSION_BYTES_MAX, CONVERSION_TIMES, CONVERTED_BYTES_MAX, Limits, MESSAGES_MAX, RATE_MIN, WRITE_BYTES,
};
use super::talk::{Lost, Stream, Talk};
use bytes::Bytes;
use model::queue::{Answer, Outcome, Status};
use proto::mime::seven_bit;
use proto::smtp::client::{Message, Step, Unsuited, Verdict};
use std::net::IpAddr;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Room for messages that are made into others of 7 bits, of all connections together; one permit is an octet.
pub(super) static CONVERSIONS: Semaphore = Semaphore::const_new(CONVERSION_BYTES_MAX);

/// An open connection to a server of a domain.
pub struct Connection {
    stream: Box<dyn Stream>,
    talk: Talk,
    host: String,
    tls: Option<String>,
    /// The server has shown that it is the one the domain names.
    pub(super) authenticated: bool,
    /// Its address, where the domain or the sender has chosen it.
    pub(crate) chosen: Option<IpAddr>,
    limits: Limits,
    messages: u32,
    /// Why it is of no more use.
    spent: Option<Answer>,
    /// It is of no more use as a message of ours could not be read.
    is_ours: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, tls, messages, .. } = self;
        f.debug_struct("Connection")
            .field("host", host)
            .field("tls", tls)
            .field("messages", messages)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(
        stream: Box<dyn Stream>,
        talk: Talk,
        host: &str,
        tls: Option<String>,
        limits: Limits,
    ) -> Self {
        let host = host.to_owned();
        Self {
            stream,
            talk,
            host,
            tls,
            authenticated: false,
            chosen: None,
            limits,
            messages: 0,
            spent: None,
            is_ours: false,
        }
    }

    /// Who is at the other end.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Hands a message over. Dropping the future ends the connection; the server may then have the message or not.
    pub async fn send(&mut self, envelope: &Envelope, octets: impl Octets) -> Attempt {
        let time = self.limits.transaction.saturating_add(Duration::from_secs(envelope.size / RATE_MIN));
        self.talk.ends_in(time);
        self.messages = self.messages.saturating_add(1);
        let message = envelope.message();
        // A server that is not known to be the domain's cannot be believed to promise anything (RFC 8689 4.2.1).
        let verdicts = if message.requires_tls && !self.authenticated {
            message.recipients.iter().map(|_| Verdict::Unsuited(Unsuited::RequireTls)).collect()
        } else {
            match self.exchange_suited(message, octets).await {
                Ok(verdicts) => verdicts,
                Err(wait) => return self.put_off(envelope, &wait),
            }
        };
        let lost = self
            .spent
            .clone()
            .unwrap_or_else(|| self.trouble((4, 2), "ended before the message was decided upon"));
        let outcomes = verdicts.into_iter().map(|verdict| outcome(verdict, &self.host, &lost)).collect();
        let attempt = Attempt {
            outcomes,
            passed_on: self.talk.client.offers().dsn,
            tls: self.tls.clone(),
            reusable: self.spent.is_none() && self.messages < MESSAGES_MAX,
            broken: self.spent.clone().filter(|_| !self.is_ours),
        };
        tracing::debug!(
            queue = envelope.queue_id,
            host = self.host,
            tls = self.tls,
            reusable = attempt.reusable,
            "handed over"
        );
        attempt
    }

    /// Says good-bye, where anybody is there to hear it.
    pub async fn quit(mut self) {
        if self.spent.is_none() {
            self.talk.quit(&mut *self.stream).await;
        }
    }

    /// A server that takes no 8-bit text gets the message in 7 bits, where that can be had (RFC 6152 3).
    /// An error says why not now.
    async fn exchange_suited(
        &mut self,
        mut message: Message,
        octets: impl Octets,
    ) -> Result<Vec<Verdict>, Answer> {
        let offers = self.talk.client.offers();
        if !message.is_8bit
            || offers.eight_bit
            || message.needs_smtputf8
            || message.size > CONVERTED_BYTES_MAX
        {
            return Ok(self.exchange(message, octets).await);
        }
        let room = u32::try_from(message.size.saturating_mul(CONVERSION_TIMES)).unwrap_or(u32::MAX);
        // Nobody waits for room with a connection open: a server that is slow would have all others wait.
        let Ok(_room) = CONVERSIONS.try_acquire_many(room.max(1)) else {
            return Err(Answer::ours(
                Status(4, 3, 2),
                "too many messages are being made into 7 bits at this moment",
            ));
        };
        let converted = match whole(octets).await {
            Ok(raw) => seven_bit(&raw),
            Err(error) => {
                self.unreadable(&error);
                return Ok(message.recipients.iter().map(|_| Verdict::Unanswered).collect());
            }
        };
        // Of one that cannot be converted the dialogue says why.
        if let Some(converted) = &converted {
            message.is_8bit = false;
            message.size = converted.len() as u64;
        }
        Ok(self.exchange(message, Whole(converted.unwrap_or_default().into())).await)
    }

    /// Nothing was said of the message, and the connection is as it was.
    fn put_off(&self, envelope: &Envelope, why: &Answer) -> Attempt {
        Attempt {
            outcomes: envelope.recipients.iter().map(|_| Outcome::Deferred(why.clone())).collect(),
            passed_on: false,
            tls: self.tls.clone(),
            reusable: self.messages < MESSAGES_MAX,
            broken: None,
        }
    }

    async fn exchange(&mut self, message: Message, mut octets: impl Octets) -> Vec<Verdict> {
        self.talk.client.send(message);
        loop {
            if self.spent.is_some() {
                return self.talk.client.take_verdicts();
            }
            match self.talk.advance(&mut *self.stream).await {
                Ok(Step::Ended(verdicts)) => return verdicts,
                Ok(Step::Content) => self.content(&mut octets).await,
                Ok(Step::Broken(why)) => self.spent = Some(broken(&why, &self.host)),
                Ok(_) => self.spent = Some(self.trouble((5, 0), "is not where it should be in the dialogue")),
                Err(lost) => self.lost(lost),
            }
        }
    }

    /// Gives the dialogue so much content as is written at once, or the end of it.
    async fn content(&mut self, octets: &mut impl Octets) {
        let mut gathered = 0;
        while gathered < WRITE_BYTES {
            match octets.next().await {
                Ok(Some(piece)) => {
                    gathered += piece.len();
                    self.talk.client.content(&piece);
                }
                Ok(None) => return self.talk.client.content_ended(),
                Err(error) => return self.unreadable(&error),
            }
            // A chunk that is whole goes before the next.
            if self.talk.client.unanswered() > 0 {
                return;
            }
        }
    }

    /// What has begun cannot be ended, and the other side is not to blame.
    fn unreadable(&mut self, error: &OctetsError) {
        self.is_ours = true;
        self.spent = Some(Answer::ours(Status(4, 3, 0), error.to_string()));
    }

    fn lost(&mut self, lost: Lost) {
        self.spent = Some(match lost {
            Lost::Closed => self.trouble((4, 2), "closed the connection"),
            Lost::Silent => self.trouble((4, 2), "does not answer"),
        });
    }

    fn trouble(&self, detail: (u16, u16), text: &str) -> Answer {
        Answer::ours(Status(4, detail.0, detail.1), format!("{} {text}", self.host))
    }
}

/// A message that is in memory.
struct Whole(Bytes);

impl Octets for Whole {
    async fn next(&mut self) -> Result<Option<Bytes>, OctetsError> {
        let piece = self.0.split_to(self.0.len().min(WRITE_BYTES));
        Ok((!piece.is_empty()).then_some(piece))
    }
}

async fn whole(mut octets: impl Octets) -> Result<Vec<u8>, OctetsError> {
    let mut raw = Vec::new();
    while let Some(piece) = octets.next().await? {
        raw.extend_from_slice(&piece);
    }
    Ok(raw)
}
