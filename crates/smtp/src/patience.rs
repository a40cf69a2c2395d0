//! Until when a peer is waited for.
//!
//! Invariants: no peer can put off an end by sending a little now and then: a command has to be whole in time, a
//! session has to bring a message in time, a message has to come at a certain rate, and each wait has an end that was fixed before it began.

use crate::limits::{CONTENT_RATE_MIN, DRAIN_IDLE_MAX, Limits};
use proto::smtp::{Closing, Phase, Session};
use std::time::Duration;
use tokio::time::Instant;

/// What one connection has used of its time; over the TLS handshake as well.
#[derive(Debug)]
pub(crate) struct Patience {
    began: Instant,
    /// When the last message was accepted, or else the beginning.
    fruitful: Instant,
    messages: u32,
    /// When the open transaction was first waited for.
    transaction: Option<Instant>,
    /// When content was first waited for in it, and what has come.
    content: Option<Instant>,
    content_bytes: usize,
    /// Since when the next command is waited for.
    line: Instant,
}

impl Patience {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            fruitful: now,
            messages: 0,
            transaction: None,
            content: None,
            content_bytes: 0,
            line: now,
        }
    }

    /// Something else than reading was done: a command, a message or a piece of one has come.
    pub(crate) fn progress(&mut self) {
        self.line = Instant::now();
    }

    /// The next transaction has its own time, even if it begins with what has been read already.
    pub(crate) fn transaction_over(&mut self) {
        self.transaction = None;
        self.content = None;
        self.content_bytes = 0;
    }

    /// So many octets of a message have come.
    pub(crate) fn content(&mut self, bytes: usize) {
        self.content_bytes = self.content_bytes.saturating_add(bytes);
    }

    /// Input is needed: until when to wait for it, and why not longer.
    pub(crate) fn end(&mut self, session: &Session, limits: &Limits) -> (Instant, Closing) {
        let now = Instant::now();
        if self.messages != session.accepted_messages() {
            self.messages = session.accepted_messages();
            self.fruitful = now;
        }
        self.transaction = session.in_transaction().then(|| self.transaction.unwrap_or(now));
        let idle = match session.phase() {
            Phase::Command => self.line + limits.command_idle,
            Phase::Content => now + limits.content_idle,
        };
        let draining = session.is_draining().then(|| (now + DRAIN_IDLE_MAX, Closing::ShuttingDown));
        let transaction = self.transaction.map(|began| (began + limits.transaction, Closing::TooLong));
        let slow = session.in_content().then(|| {
            let earned = self.content_bytes / CONTENT_RATE_MIN as usize;
            let earned =
                Duration::from_secs(u64::try_from(earned).unwrap_or(u64::MAX)).min(limits.transaction);
            (*self.content.get_or_insert(now) + limits.content_idle + earned, Closing::TooLong)
        });
        let fruitless =
            (!session.in_content()).then(|| (self.fruitful + limits.without_message, Closing::TooLong));
        let login = session.awaits_login().then(|| (self.began + limits.login, Closing::TooLong));
        let ends = [draining, transaction, slow, fruitless, login];
        ends.into_iter().flatten().fold((idle, Closing::Idle), |a, b| if b.0 < a.0 { b } else { a })
    }
}
