//! The session: reads lines and content, asks the driver, writes replies.
//!
//! The driver loop is: call [`Session::step`] with what was read; do what the step says; write
//! [`Session::take_output`] whenever the step is not [`Step::Content`] or [`Step::Ask`] (or is, and waiting would be long).
//! Invariants: every command gets exactly one reply (LMTP: one per recipient for a message); after `Close` nothing
//! more is read; a request is answered before the next step, or counts as refused for now.

use super::command::{self, ANONYMOUS, BARE, Command, ENDS_PIPELINE, FOREIGN, JUNK, OCTETS, OPEN};
use super::content::DataDecoder;
use super::exchange::{Answer, Closing, Phase, Request, Role, Settings, Step};
use super::limits::OUTPUT_BYTES_HIGH;
use super::line::{LineEvent, LineFault, LineReader};
use super::login;
use super::message::{self, Chunk};
use super::reply::Reply;
use super::transaction::{self, Transaction};
use crate::sasl::Exchange;
use std::collections::VecDeque;

/// Which commands the table allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No EHLO yet.
    New,
    Ready,
    /// A sender, no recipient; `refused`: there were some, but none was accepted.
    Mail {
        refused: bool,
    },
    Rcpt,
    Chunks,
}

/// What the next input is.
pub(super) enum State {
    Command,
    Sasl(Exchange),
    Data(DataDecoder),
    Chunk(Chunk),
    /// A request is with the driver.
    Asked(Asked),
    TlsHandshake,
    Closed,
}

/// The request that is with the driver, and what goes on behind its answer.
#[derive(Debug)]
pub(super) enum Asked {
    LogIn,
    Mail { smtputf8: bool },
    Recipient,
    OpenData,
    OpenChunk { octets: u64, last: bool },
    Deliver,
}

/// The client's greeting.
#[derive(Clone, Debug)]
pub(super) struct Hello {
    pub(super) name: String,
    /// EHLO or LHLO rather than HELO.
    pub(super) extended: bool,
}

/// One connection's SMTP conversation.
pub struct Session {
    pub(super) settings: Settings,
    pub(super) tls: bool,
    pub(super) logged_in: bool,
    pub(super) login_failures: u32,
    pub(super) hello: Option<Hello>,
    pub(super) transaction: Option<Transaction>,
    pub(super) messages: u32,
    /// Recipients refused since the last accepted message.
    pub(super) refused_recipients: u32,
    /// One was accepted since then.
    pub(super) recipient_accepted: bool,
    pub(super) state: State,
    lines: LineReader,
    output: Vec<u8>,
    steps: VecDeque<Step<'static>>,
    errors: u32,
    junk: u32,
    draining: bool,
}

impl Session {
    /// `tls`: the connection is under TLS already (port 465).
    #[must_use]
    pub fn new(settings: Settings, tls: bool) -> Self {
        Self {
            settings,
            tls,
            logged_in: false,
            login_failures: 0,
            hello: None,
            transaction: None,
            messages: 0,
            refused_recipients: 0,
            recipient_accepted: false,
            state: State::Command,
            lines: LineReader::default(),
            output: Vec::new(),
            steps: VecDeque::new(),
            errors: 0,
            junk: 0,
            draining: false,
        }
    }

    /// Writes the greeting. `early`: the client has spoken before it, which no mail server does (RFC 5321 4.3.1).
    pub fn greet(&mut self, early: bool) {
        if early {
            self.reply(&Reply::new(554, (5, 1), "Wait for the greeting before you speak"));
            return self.close();
        }
        let protocol = if self.settings.role == Role::Lmtp { "LMTP" } else { "ESMTP" };
        let text = format!("{} {protocol} Cong Thu", self.settings.hostname);
        self.reply(&Reply::plain(220, text));
    }

    /// Goes on as far as `input` allows and leaves in it what was not used.
    pub fn step<'a>(&mut self, input: &mut &'a [u8]) -> Step<'a> {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return step;
            }
            if self.output.len() >= OUTPUT_BYTES_HIGH {
                return Step::Flush;
            }
            let step = match &mut self.state {
                State::Closed => return Step::Close,
                State::Asked(_) => {
                    self.answer(Answer::Refuse(Reply::new(451, (3, 0), "Try again later")));
                    continue;
                }
                State::TlsHandshake => return Step::StartTls,
                State::Command | State::Sasl(_) => self.line(input),
                State::Data(_) => message::data_step(self, input),
                State::Chunk(_) => message::chunk_step(self, input),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// Continues behind a [`Step::Ask`].
    pub fn answer(&mut self, answer: Answer) {
        match std::mem::replace(&mut self.state, State::Command) {
            State::Asked(Asked::LogIn) => login::answered(self, answer),
            State::Asked(Asked::Mail { smtputf8 }) => transaction::mail_answered(self, smtputf8, answer),
            State::Asked(Asked::Recipient) => transaction::rcpt_answered(self, answer),
            State::Asked(Asked::OpenData) => message::data_opened(self, answer),
            State::Asked(Asked::OpenChunk { octets, last }) => {
                message::chunk_opened(self, octets, last, answer);
            }
            State::Asked(Asked::Deliver) => message::delivered(self, answer),
            state => self.state = state,
        }
    }

    /// The handshake is done: everything learnt in the clear is forgotten (RFC 3207 4.2).
    pub fn tls_started(&mut self) {
        self.tls = true;
        self.hello = None;
        self.transaction = None;
        self.lines = LineReader::default();
        self.state = State::Command;
    }

    /// The server ends the session: writes 421, unless the client is in the middle of something it would misread.
    pub fn end(&mut self, why: Closing) {
        let text = match why {
            Closing::Idle => ((4, 2), "Nothing came for too long; closing"),
            Closing::TooLong => ((4, 2), "The session took too long; closing"),
            Closing::ShuttingDown => ((3, 2), "The server is shutting down; try again soon"),
            Closing::Revoked => ((7, 0), "The login is no longer valid; log in again"),
        };
        if !matches!(self.state, State::Closed | State::TlsHandshake) {
            self.reply(&Reply::new(421, text.0, text.1));
            self.close();
        }
    }

    /// Ends the session as soon as no transaction is open.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// [`Session::drain`] has been called.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.state {
            State::Data(_) | State::Chunk(_) => Phase::Content,
            _ => Phase::Command,
        }
    }

    /// True from MAIL to the reply for the message.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// Content of a message that may be accepted is coming; true between its chunks, too.
    #[must_use]
    pub fn in_content(&self) -> bool {
        let chunks = self.transaction.as_ref().is_some_and(|transaction| transaction.chunks.is_some());
        chunks || matches!(self.state, State::Data(_))
    }

    /// A user is to log in before anything else.
    #[must_use]
    pub fn awaits_login(&self) -> bool {
        self.settings.role == Role::Submission && !self.logged_in
    }

    /// Messages accepted on this connection.
    #[must_use]
    pub fn accepted_messages(&self) -> u32 {
        self.messages
    }

    /// Recipients refused since the last accepted message, over all transactions.
    #[must_use]
    pub fn refused_recipients(&self) -> u32 {
        self.refused_recipients
    }

    /// What is to be written to the client.
    #[must_use]
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Reads one line and does it. `None`: go on.
    fn line(&mut self, input: &mut &[u8]) -> Option<Step<'static>> {
        let sasl = matches!(self.state, State::Sasl(_));
        if self.draining && !sasl && self.transaction.is_none() {
            self.end(Closing::ShuttingDown);
            return None;
        }
        match self.lines.read(input, sasl) {
            LineEvent::More => return Some(Step::Read),
            LineEvent::Line(line) => {
                if let State::Sasl(exchange) = std::mem::replace(&mut self.state, State::Command) {
                    login::response(self, exchange, &line);
                } else {
                    self.command(&line, input);
                }
            }
            LineEvent::Fault(fault) => {
                self.state = State::Command;
                self.refuse(&match fault {
                    LineFault::BareLf => Reply::new(500, (5, 2), "Lines end in CRLF, not in LF"),
                    LineFault::Characters => Reply::new(500, (5, 2), "Line has characters not allowed in it"),
                    // RFC 4954 4
                    LineFault::TooLong if sasl => Reply::new(500, (5, 6), "Line is too long"),
                    LineFault::TooLong => Reply::new(500, (5, 2), "Line is too long"),
                });
            }
        }
        None
    }

    fn command(&mut self, line: &str, input: &[u8]) {
        let Some((row, args)) = command::find(line, self.settings.role) else {
            self.refuse(&Reply::new(500, (5, 1), "Command not recognised"));
            return self.steps.push_back(Step::Flush);
        };
        if row.has(FOREIGN) {
            self.reply(&Reply::new(500, (5, 1), "This is a mail server"));
            return self.close();
        }
        if row.has(JUNK) && self.junk_too_much() {
            return;
        }
        if let Err(reply) = self.allowed(row, args).and_then(|()| (row.handler)(self, args)) {
            if row.has(OCTETS) {
                return message::skip_octets(self, args, reply);
            }
            self.refuse(&reply);
        }
        if matches!(self.state, State::TlsHandshake) {
            login::confirm_tls(self, !input.is_empty());
        }
        if row.has(ENDS_PIPELINE) {
            self.steps.push_back(Step::Flush);
        }
    }

    fn allowed(&self, row: &Command, args: &str) -> Result<(), Reply> {
        if row.has(BARE) && !args.is_empty() {
            return Err(Reply::new(501, (5, 4), "The command takes no argument"));
        }
        if self.settings.role == Role::Submission && !row.has(OPEN) {
            login::check(self, row.has(ANONYMOUS))?;
        }
        row.check_stage(self.stage(), self.settings.role)
    }

    fn stage(&self) -> Stage {
        match (&self.hello, &self.transaction) {
            (None, _) => Stage::New,
            (Some(_), None) => Stage::Ready,
            (Some(_), Some(transaction)) => transaction.stage(),
        }
    }

    pub(super) fn ask(&mut self, asked: Asked, request: Request) {
        self.state = State::Asked(asked);
        self.steps.push_back(Step::Ask(request));
    }

    /// Ends the transaction.
    pub(super) fn reset(&mut self) {
        if self.transaction.take().is_some() {
            self.steps.push_back(Step::Reset);
        }
    }

    /// A message was taken over: the client means mail.
    pub(super) fn accepted_message(&mut self) {
        self.messages = self.messages.saturating_add(1);
        self.errors = 0;
        self.junk = 0;
        self.refused_recipients = 0;
        self.recipient_accepted = false;
    }

    pub(super) fn reply(&mut self, reply: &Reply) {
        reply.write(&mut self.output);
        if reply.closes() {
            self.close();
        }
    }

    /// Replies and counts the error.
    pub(super) fn refuse(&mut self, reply: &Reply) {
        self.reply(reply);
        self.errors += 1;
        if self.errors >= self.settings.limits.errors && !reply.closes() {
            self.reply(&Reply::new(421, (7, 0), "Too many errors; closing"));
        }
    }

    pub(super) fn close(&mut self) {
        self.state = State::Closed;
        self.reset();
    }

    fn junk_too_much(&mut self) -> bool {
        self.junk += 1;
        let too_much = self.junk > self.settings.limits.junk_commands;
        if too_much {
            self.reply(&Reply::new(421, (7, 0), "Too many commands without mail; closing"));
        }
        too_much
    }
}

impl std::fmt::Debug for Session {
    /// Without the lines, which may be a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("settings", &self.settings)
            .field("tls", &self.tls)
            .field("logged_in", &self.logged_in)
            .field("stage", &self.stage())
            .finish_non_exhaustive()
    }
}
