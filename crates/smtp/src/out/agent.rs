//! A connection over which messages are handed over, one after the other.
//!
//! Invariants: content is asked for only when the server waits for it; a message that could not be read to its end is never
//! ended for the server, so that no half of it is delivered; after anything unclear no further message goes over the
//! same connection.

use super::envelope::{Attempt, Envelope, Octets, OctetsError, broken, outcome};
use super::limits::{CONVERTED_BYTES_MAX, Limits, MESSAGES_MAX, RATE_MIN, WRITE_BYTES};
use super::talk::{Lost, Stream, Talk};
use bytes::Bytes;
use model::queue::{Answer, Status};
use proto::mime::seven_bit;
use proto::smtp::client::{Message, Step, Unsuited, Verdict};
use std::time::Duration;

/// An open connection to a server of a domain.
pub struct Connection {
    stream: Box<dyn Stream>,
    talk: Talk,
    host: String,
    tls: Option<String>,
    /// The server has shown that it is the one the domain names.
    pub(super) authenticated: bool,
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
            self.exchange_suited(message, octets).await
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
    async fn exchange_suited(&mut self, mut message: Message, octets: impl Octets) -> Vec<Verdict> {
        let offers = self.talk.client.offers();
        if !message.is_8bit
            || offers.eight_bit
            || message.needs_smtputf8
            || message.size > CONVERTED_BYTES_MAX
        {
            return self.exchange(message, octets).await;
        }
        match whole(octets).await {
            Ok(raw) => match seven_bit(&raw) {
                Some(converted) => {
                    message.is_8bit = false;
                    message.size = converted.len() as u64;
                    self.exchange(message, Whole(Some(converted.into()))).await
                }
                // The dialogue says why not.
                None => self.exchange(message, Whole(None)).await,
            },
            Err(error) => {
                self.unreadable(&error);
                message.recipients.iter().map(|_| Verdict::Unanswered).collect()
            }
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

/// A message in one piece.
struct Whole(Option<Bytes>);

impl Octets for Whole {
    async fn next(&mut self) -> Result<Option<Bytes>, OctetsError> {
        Ok(self.0.take())
    }
}

async fn whole(mut octets: impl Octets) -> Result<Vec<u8>, OctetsError> {
    let mut raw = Vec::new();
    while let Some(piece) = octets.next().await? {
        raw.extend_from_slice(&piece);
    }
    Ok(raw)
}
