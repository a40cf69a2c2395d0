//! The session: reads replies, writes commands, keeps count of which reply belongs to which command.

use super::message::Message;
use super::offers::Offers;
use super::replies::{Heard, ReplyReader, Said};
use super::transaction::{CHUNK_OCTETS, Next, Transaction, Verdict};
use std::collections::VecDeque;

/// What the driver has to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Write the output, read more input, for as long as [`Client::waits_for`] says.
    Read,
    /// Nothing is under way: [`Client::start_tls`], [`Client::send`], [`Client::quit`].
    Ready,
    /// Write the output, do the TLS handshake, then call [`Client::tls_started`].
    Handshake,
    /// Write the output, then call [`Client::content`] or [`Client::content_ended`].
    Content,
    /// A message has ended, with a verdict for each recipient in their order.
    Ended(Vec<Verdict>),
    /// The connection is of no more use: close it. [`Client::take_verdicts`] has what became of a message under way.
    Broken(Broken),
    /// The server has been told good-bye and has answered.
    Closed,
}

/// Why a connection is of no more use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The server does not want to talk: its greeting or its answer to EHLO; or 421, at any time.
    Refused(Said),
    /// What came was no reply, or none to what was said.
    Garbage,
    /// A reply without end.
    TooLong,
    /// Something came in the clear behind the answer to STARTTLS: somebody on the way wants it taken for the server's word
    /// under TLS.
    Injected,
}

/// What is waited for; each has its own time limit (RFC 5321 4.5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    Greeting,
    Command,
    /// The answer to DATA.
    Data,
    /// The word on the content.
    Final,
}

/// A command that has not been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Reset,
    Mail,
    Rcpt(usize),
    Data,
    /// A chunk that was not the last.
    Chunk,
    Final,
    /// The end of content for nobody.
    EmptyFinal,
    Quit,
}

/// One connection's dialogue.
#[derive(Debug)]
pub struct Client {
    hostname: String,
    replies: ReplyReader,
    output: Vec<u8>,
    expected: VecDeque<Expected>,
    greeting: String,
    offers: Offers,
    tls: bool,
    tls_refused: Option<Said>,
    handshake: bool,
    transaction: Option<Transaction>,
    /// The server may still hold an envelope.
    needs_reset: bool,
    broken: Option<Broken>,
    closed: bool,
}

impl Client {
    /// `hostname` is who we say we are.
    #[must_use]
    pub fn new(hostname: &str) -> Self {
        Self {
            hostname: hostname.to_owned(),
            replies: ReplyReader::default(),
            output: Vec::new(),
            expected: VecDeque::from([Expected::Greeting]),
            greeting: String::new(),
            offers: Offers::default(),
            tls: false,
            tls_refused: None,
            handshake: false,
            transaction: None,
            needs_reset: false,
            broken: None,
            closed: false,
        }
    }

    /// Goes on as far as `input` allows and leaves in it what was not used.
    pub fn step(&mut self, input: &mut &[u8]) -> Step {
        loop {
            if let Some(broken) = &self.broken {
                return Step::Broken(broken.clone());
            }
            if self.handshake {
                if !input.is_empty() || self.replies.has_begun() {
                    self.broken = Some(Broken::Injected);
                    continue;
                }
                return Step::Handshake;
            }
            if self.expected.is_empty() {
                self.say_next();
            }
            if self.expected.is_empty() && input.is_empty() {
                return self.rest();
            }
            match self.replies.read(input) {
                Err(broken) => self.broken = Some(broken),
                Ok(None) if self.expected.is_empty() => return self.rest(),
                Ok(None) => return Step::Read,
                Ok(Some(heard)) => match self.expected.pop_front() {
                    Some(expected) => self.answered(expected, heard),
                    None => self.unasked(&heard.said),
                },
            }
        }
    }

    /// What is to be written to the server.
    #[must_use]
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// What the server offers; after [`Client::tls_started`] what it offers then.
    #[must_use]
    pub fn offers(&self) -> &Offers {
        &self.offers
    }

    /// The name the server greeted with, as it came; empty before the greeting.
    #[must_use]
    pub fn greeting_name(&self) -> &str {
        self.greeting.split_ascii_whitespace().next().unwrap_or_default()
    }

    /// How the server refused STARTTLS although it offers it.
    #[must_use]
    pub fn tls_refusal(&self) -> Option<&Said> {
        self.tls_refused.as_ref()
    }

    #[must_use]
    pub fn waits_for(&self) -> Wait {
        match self.expected.front() {
            Some(Expected::Greeting) => Wait::Greeting,
            Some(Expected::Data) => Wait::Data,
            Some(Expected::Final | Expected::Chunk | Expected::EmptyFinal) => Wait::Final,
            _ => Wait::Command,
        }
    }

    /// Commands that have not been answered.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.expected.len()
    }

    /// Asks for TLS (RFC 3207), when nothing else is under way.
    pub fn start_tls(&mut self) {
        self.command(b"STARTTLS\r\n", Expected::StartTls);
    }

    /// The handshake is done: everything learnt in the clear is forgotten (RFC 3207 4.2).
    pub fn tls_started(&mut self) {
        self.handshake = false;
        self.tls = true;
        self.replies = ReplyReader::default();
        self.offers = Offers::default();
        self.hello();
    }

    /// Begins a message, when nothing else is under way.
    pub fn send(&mut self, message: Message) {
        self.transaction = Some(Transaction::new(message, &self.offers, self.tls, self.needs_reset));
    }

    /// More octets of the message: after [`Step::Content`].
    pub fn content(&mut self, octets: &[u8]) {
        let Some(transaction) = &mut self.transaction else { return };
        if !transaction.chunked {
            return transaction.encoder.encode(octets, &mut self.output);
        }
        transaction.encoder.encode(octets, &mut transaction.chunk);
        if transaction.chunk.len() >= CHUNK_OCTETS {
            self.chunk("", Expected::Chunk);
        }
    }

    /// There are no more.
    pub fn content_ended(&mut self) {
        let Some(transaction) = &mut self.transaction else { return };
        if transaction.chunked {
            transaction.encoder.finish(&mut transaction.chunk);
            return self.chunk(" LAST", Expected::Final);
        }
        transaction.encoder.finish(&mut self.output);
        self.expected.push_back(Expected::Final);
    }

    /// Says good-bye, when nothing else is under way.
    pub fn quit(&mut self) {
        self.command(b"QUIT\r\n", Expected::Quit);
    }

    /// What became of the message that was under way when the connection ended; empty if there was none.
    #[must_use]
    pub fn take_verdicts(&mut self) -> Vec<Verdict> {
        self.transaction.take().map(Transaction::into_verdicts).unwrap_or_default()
    }

    /// Nothing is expected and nothing has come.
    fn rest(&mut self) -> Step {
        match self.transaction.take() {
            Some(transaction) if transaction.next == Next::Ended => Step::Ended(transaction.into_verdicts()),
            Some(transaction) => {
                self.transaction = Some(transaction);
                Step::Content
            }
            None if self.closed => Step::Closed,
            None => Step::Ready,
        }
    }

    /// Writes the commands that may be said now: one, or as many as may go together (RFC 2920 3.1).
    fn say_next(&mut self) {
        let Some(transaction) = &mut self.transaction else { return };
        let (offers, output) = (&self.offers, &mut self.output);
        loop {
            let expected = match transaction.next {
                Next::Reset => {
                    output.extend_from_slice(b"RSET\r\n");
                    transaction.next = Next::Mail;
                    Expected::Reset
                }
                Next::Mail => {
                    transaction.message.write_mail(offers, output);
                    transaction.next = Next::Recipient(0);
                    self.needs_reset = true;
                    Expected::Mail
                }
                Next::Recipient(start) => {
                    let index = transaction.undecided(start);
                    let found =
                        index.and_then(|index| Some((index, transaction.message.recipients.get(index)?)));
                    let Some((index, recipient)) = found else {
                        transaction.next = Next::Open;
                        continue;
                    };
                    recipient.write_rcpt(offers, output);
                    transaction.next = Next::Recipient(index + 1);
                    Expected::Rcpt(index)
                }
                Next::Open => {
                    let answered = self.expected.is_empty();
                    if answered && !transaction.has_accepted() {
                        transaction.next = Next::Ended;
                    } else if transaction.chunked && answered {
                        transaction.next = Next::Content;
                    } else if !transaction.chunked {
                        output.extend_from_slice(b"DATA\r\n");
                        transaction.next = Next::Content;
                        self.expected.push_back(Expected::Data);
                    }
                    return;
                }
                Next::Content | Next::Ended => return,
            };
            self.expected.push_back(expected);
            if !offers.pipelining {
                return;
            }
        }
    }

    /// RFC 5321 4.2.1: what each reply means where.
    fn answered(&mut self, expected: Expected, heard: Heard) {
        let said = heard.said;
        // RFC 5321 3.8: the server closes the connection behind it.
        if said.code == 421 && expected != Expected::Quit {
            self.refuse_all(&said);
            self.broken = Some(Broken::Refused(said));
            return;
        }
        match expected {
            Expected::Greeting if said.is_yes() => {
                self.greeting = heard.lines.into_iter().next().unwrap_or_default();
                self.hello();
            }
            Expected::Ehlo if said.is_yes() => self.offers = Offers::read(&heard.lines),
            // RFC 5321 3.2: an old server.
            Expected::Ehlo if said.code >= 500 => {
                let line = format!("HELO {}\r\n", self.hostname);
                self.command(line.as_bytes(), Expected::Helo);
            }
            Expected::Helo if said.is_yes() => self.offers = Offers::default(),
            Expected::StartTls if said.is_yes() => self.handshake = true,
            Expected::StartTls => self.tls_refused = Some(said),
            Expected::Reset if said.is_yes() => {}
            Expected::Greeting | Expected::Ehlo | Expected::Helo | Expected::Reset => {
                self.broken = Some(Broken::Refused(said));
            }
            Expected::Quit => self.closed = true,
            _ => self.transaction_answered(expected, said),
        }
    }

    fn transaction_answered(&mut self, expected: Expected, said: Said) {
        let Some(transaction) = &mut self.transaction else { return };
        let is_go_ahead = said.code / 100 == 3;
        match expected {
            _ if is_go_ahead != (expected == Expected::Data) && !said.is_refusal() => {
                self.broken = Some(Broken::Garbage);
            }
            Expected::Mail if said.is_refusal() => transaction.refuse(&said),
            Expected::Rcpt(index) => transaction.recipient_answered(index, said),
            // RFC 2920 3.1: the server goes ahead although nobody is left to send for.
            Expected::Data if is_go_ahead && !transaction.has_accepted() => {
                transaction.next = Next::Ended;
                self.output.extend_from_slice(b".\r\n");
                self.expected.push_back(Expected::EmptyFinal);
            }
            Expected::Data | Expected::Chunk if said.is_refusal() => {
                transaction.refuse(&said);
                transaction.next = Next::Ended;
            }
            Expected::Final => {
                transaction.content_answered(&said);
                transaction.next = Next::Ended;
                self.needs_reset = !said.is_yes();
            }
            _ => {}
        }
    }

    /// A reply to nothing: a server that gives up in the midst of content, or that has waited long enough.
    fn unasked(&mut self, said: &Said) {
        self.broken = Some(if said.is_refusal() {
            self.refuse_all(said);
            Broken::Refused(said.clone())
        } else {
            Broken::Garbage
        });
    }

    fn refuse_all(&mut self, said: &Said) {
        if let Some(transaction) = &mut self.transaction {
            transaction.refuse(said);
        }
    }

    fn hello(&mut self) {
        let line = format!("EHLO {}\r\n", self.hostname);
        self.command(line.as_bytes(), Expected::Ehlo);
    }

    fn command(&mut self, line: &[u8], expected: Expected) {
        self.output.extend_from_slice(line);
        self.expected.push_back(expected);
    }

    /// RFC 3030 2
    fn chunk(&mut self, last: &str, expected: Expected) {
        let Some(transaction) = &mut self.transaction else { return };
        let chunk = std::mem::take(&mut transaction.chunk);
        self.output.extend_from_slice(format!("BDAT {}{last}\r\n", chunk.len()).as_bytes());
        self.output.extend_from_slice(&chunk);
        self.expected.push_back(expected);
    }
}
