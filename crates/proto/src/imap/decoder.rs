//! From octets to commands: lines, literals, and the APPEND message as a stream.
//!
//! Sans-IO: the driver feeds what it read and asks [`Decoder::next`] until that says `NeedInput`. Pending input
//! is at most one command within the limits plus one feed. A refused command is always read to its end
//! (RFC 7888 4), so that its literals are never taken for commands, or the connection ends.

mod append;

use super::limits::Limits;
use super::line::{ANNOUNCEMENT_BYTES_MAX, Announcement, line_end, strip_line_end};
use super::parse::{self, AppendHeader};
use super::{AppendMessage, AppendStart, Code, Request, Status, Tag};

/// Capacity an empty input buffer may keep: thousands of idle sessions each have one.
const IDLE_CAPACITY_MAX: usize = 1 << 10;

/// What the driver has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Read from the peer and [`Decoder::feed`].
    NeedInput,
    /// Write a continuation request, `+ ` with some text: the client waits to send a literal.
    Continue,
    Command(Request),
    /// An APPEND up to its literal: [`Decoder::accept_append`] or [`Decoder::refuse_append`] comes next.
    Append(AppendStart),
    /// A further message of an APPEND whose earlier ones are complete (RFC 3502), to be accepted or refused like the
    /// first. A refusal ends the command.
    AppendNext(AppendMessage),
    /// Octets of the accepted APPEND message, never empty.
    Literal(Vec<u8>),
    /// The accepted APPEND is complete with all its messages.
    AppendEnd,
    /// The line that [`Decoder::expect_line`] asked for, without its line end.
    Line(Vec<u8>),
    /// Write this reply; the command is over, also when it was an accepted APPEND.
    Rejected(Reject),
    /// Write `* BYE` with this text and close: what follows cannot be told apart any more, or is too much.
    Fatal(&'static str),
}

/// A command refused on its form; the reply to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// `None` when not even the tag could be read: the reply is untagged.
    pub tag: Option<Tag>,
    /// NO or BAD.
    pub status: Status,
    pub code: Option<Code>,
    pub text: &'static str,
}

#[derive(Clone, Debug)]
enum State {
    /// Offsets count from the command's first octet. `line`: where its current line goes on behind the last
    /// literal, perhaps beyond the input. `scan`: up to there that line is known to have no end.
    Command {
        line: usize,
        scan: usize,
        literals: usize,
    },
    /// An APPEND header was handed out and the driver has not decided.
    Verdict {
        bytes: u64,
        synchronising: bool,
    },
    Streaming {
        remaining: u64,
        tag: Tag,
    },
    /// Between the APPEND message and the end of its command.
    AppendTail {
        tag: Tag,
    },
    /// One line for the driver is expected.
    Line {
        scan: usize,
    },
    /// A refused command's literal, then the rest of its line, then further literals; `budget` octets may go.
    Swallow {
        literal: u64,
        budget: u64,
    },
    Dead(&'static str),
}

const START: State = State::Command { line: 0, scan: 0, literals: 0 };

/// One connection's input.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    input: Vec<u8>,
    /// Octets of `input` that are done with.
    done: usize,
    state: State,
    /// The tag of the APPEND under way.
    append_tag: Option<Tag>,
    /// Its message is wrapped in `UTF8 (…)`: a parenthesis is to follow.
    wrapped: bool,
    /// The client has enabled UTF8=ACCEPT.
    utf8: bool,
    owes_continue: bool,
}

impl Decoder {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            input: Vec::new(),
            done: 0,
            state: START,
            append_tag: None,
            wrapped: false,
            utf8: false,
            owes_continue: false,
        }
    }

    /// From the next command on, strings and mailbox names are UTF-8 (RFC 6855 3).
    pub fn enable_utf8(&mut self) {
        self.utf8 = true;
    }

    /// From the next command on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Takes what was read. Feed only after `NeedInput`, else input piles up.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.done > 0 {
            self.input.drain(..self.done);
            self.done = 0;
        }
        self.input.extend_from_slice(bytes);
    }

    /// Forgets all input not yet handed out and returns how many octets that were. What a client sent behind
    /// STARTTLS in plain text must not be taken as sent under TLS (RFC 3501 6.2.1; CVE-2011-0411).
    pub fn discard_pending(&mut self) -> usize {
        let pending = self.pending().len();
        self.input = Vec::new();
        self.done = 0;
        self.state = START;
        pending
    }

    /// The next line is no command: a SASL response or the DONE of IDLE. It comes as [`Event::Line`].
    pub fn expect_line(&mut self) {
        if matches!(self.state, State::Command { scan: 0, .. }) {
            self.state = State::Line { scan: 0 };
        }
    }

    /// The message may come: its octets follow as [`Event::Literal`], for a waiting client after `Continue`.
    pub fn accept_append(&mut self) {
        if let State::Verdict { bytes, synchronising } = self.state
            && let Some(tag) = self.append_tag.take()
        {
            self.owes_continue = synchronising;
            self.state = State::Streaming { remaining: bytes, tag };
        }
    }

    /// The driver answers NO itself; a message that comes without asking is read and thrown away.
    pub fn refuse_append(&mut self) {
        if let State::Verdict { bytes, synchronising } = self.state {
            self.append_tag = None;
            self.state = self.after_refusal(bytes, synchronising);
        }
    }

    /// What the input so far amounts to. `NeedInput` and `Fatal` repeat until something is fed, or for ever.
    #[expect(clippy::should_implement_trait, reason = "no iterator: NeedInput is not the end")]
    pub fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.step() {
                if self.pending().is_empty() {
                    self.input.clear();
                    self.input.shrink_to(IDLE_CAPACITY_MAX);
                    self.done = 0;
                }
                return event;
            }
        }
    }

    /// One transition; `None` when there is more to find out.
    fn step(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.owes_continue) {
            return Some(Event::Continue);
        }
        match &self.state {
            &State::Command { line, scan, literals } => self.command(line, scan, literals),
            State::Verdict { .. } => {
                self.refuse_append();
                None
            }
            State::Streaming { remaining: 0, tag } => {
                self.state = State::AppendTail { tag: tag.clone() };
                None
            }
            &State::Streaming { remaining, ref tag } => {
                let tag = tag.clone();
                Some(self.stream(remaining, tag))
            }
            State::AppendTail { tag } => {
                let tag = tag.clone();
                Some(self.append_tail(tag))
            }
            &State::Line { scan } => Some(self.line(scan)),
            &State::Swallow { literal, budget } => self.swallow(literal, budget),
            State::Dead(text) => Some(Event::Fatal(text)),
        }
    }

    fn pending(&self) -> &[u8] {
        self.input.get(self.done..).unwrap_or_default()
    }

    /// Looks for the end of the command's current line, and at its end for a literal.
    fn command(&mut self, from: usize, scan: usize, literals: usize) -> Option<Event> {
        let pending = self.pending();
        let Some(line_end) = line_end(pending, scan) else {
            if pending.len() > self.limits.command_bytes {
                return Some(self.overflow(from, pending.len(), false));
            }
            self.state = State::Command { line: from, scan: scan.max(pending.len()), literals };
            return Some(Event::NeedInput);
        };
        if line_end > self.limits.command_bytes {
            return Some(self.overflow(from, line_end, true));
        }
        let (head, line) = (pending.get(..line_end).unwrap_or_default(), pending.get(from..line_end));
        let Some(literal) = Announcement::at_end(line.unwrap_or_default()) else {
            let result = parse::request(strip_line_end(head), self.utf8);
            self.done += line_end;
            self.state = START;
            return Some(result.map_or_else(Event::Rejected, Event::Command));
        };
        match parse::append_header(head, self.utf8, literal.bytes, literal.synchronising) {
            AppendHeader::Message { start, wrapped } => return Some(self.append(line_end, start, wrapped)),
            AppendHeader::Invalid(reject) => return Some(self.refuse(line_end, literal, reject)),
            AppendHeader::Not => {}
        }
        self.literal(line_end, literals, literal)
    }

    /// A literal that is part of the command.
    fn literal(&mut self, line_end: usize, literals: usize, literal: Announcement) -> Option<Event> {
        let room = self.limits.command_bytes.saturating_sub(line_end);
        let bytes = usize::try_from(literal.bytes).unwrap_or(usize::MAX);
        if literals >= self.limits.literals || bytes > room || literal.bytes > self.limits.literal_bytes {
            let tag = parse::tag_of(self.pending());
            let reject = Reject { tag, status: Status::Bad, code: Some(Code::TooBig), text: LITERAL_TOO_BIG };
            return Some(self.refuse(line_end, literal, reject));
        }
        let line = line_end + bytes;
        self.state = State::Command { line, scan: line, literals: literals + 1 };
        literal.synchronising.then_some(Event::Continue)
    }

    /// Ends a command at a literal's announcement.
    fn refuse(&mut self, line_end: usize, literal: Announcement, reject: Reject) -> Event {
        self.done += line_end;
        self.state = self.after_refusal(literal.bytes, literal.synchronising);
        Event::Rejected(reject)
    }

    /// A client that waits learns from the tagged reply that it must not send; else the literal is under way.
    fn after_refusal(&self, bytes: u64, synchronising: bool) -> State {
        if synchronising {
            START
        } else {
            State::Swallow { literal: bytes, budget: self.limits.swallow_bytes }
        }
    }

    /// Ends a command that is too long. Its current line is `from..to`; all of it when `line_ended`.
    fn overflow(&mut self, from: usize, to: usize, line_ended: bool) -> Event {
        let tag = parse::tag_of(self.pending());
        if line_ended {
            let announced = Announcement::at_end(self.pending().get(from..to).unwrap_or_default());
            self.done += to;
            self.state = announced.map_or(START, |l| self.after_refusal(l.bytes, l.synchronising));
        } else {
            // Some of the line stays, but nothing of a literal before it, in which a line end has no meaning.
            let gone = to - to.saturating_sub(from).min(ANNOUNCEMENT_BYTES_MAX);
            self.done += gone;
            let excess = gone.saturating_sub(self.limits.command_bytes) as u64;
            self.state = match self.limits.swallow_bytes.checked_sub(excess) {
                Some(budget) => State::Swallow { literal: 0, budget },
                None => State::Dead(TOO_MUCH),
            };
        }
        Event::Rejected(Reject { tag, status: Status::Bad, code: Some(Code::TooBig), text: TOO_LONG })
    }

    fn line(&mut self, scan: usize) -> Event {
        let pending = self.pending();
        let found = line_end(pending, scan);
        if found.unwrap_or(pending.len()) > self.limits.command_bytes {
            return self.die("Line too long");
        }
        let Some(line_end) = found else {
            self.state = State::Line { scan: pending.len() };
            return Event::NeedInput;
        };
        let line = strip_line_end(pending.get(..line_end).unwrap_or_default()).to_vec();
        self.done += line_end;
        self.state = START;
        Event::Line(line)
    }

    fn swallow(&mut self, literal: u64, budget: u64) -> Option<Event> {
        if literal > budget {
            return Some(self.die(TOO_MUCH));
        }
        let pending = self.pending();
        if literal > 0 {
            let take = usize::try_from(literal).unwrap_or(usize::MAX).min(pending.len());
            self.done += take;
            self.state = State::Swallow { literal: literal - take as u64, budget: budget - take as u64 };
            return (take == 0).then_some(Event::NeedInput);
        }
        let Some(line_end) = line_end(pending, 0) else {
            let take = pending.len().saturating_sub(ANNOUNCEMENT_BYTES_MAX);
            if take as u64 > budget {
                return Some(self.die(TOO_MUCH));
            }
            self.done += take;
            self.state = State::Swallow { literal: 0, budget: budget - take as u64 };
            return Some(Event::NeedInput);
        };
        let announced = Announcement::at_end(pending.get(..line_end).unwrap_or_default());
        self.done += line_end;
        self.state = match announced {
            Some(Announcement { bytes, synchronising: false }) => {
                State::Swallow { literal: bytes, budget: budget.saturating_sub(line_end as u64) }
            }
            _ => START,
        };
        None
    }

    fn die(&mut self, text: &'static str) -> Event {
        self.state = State::Dead(text);
        self.input = Vec::new();
        self.done = 0;
        Event::Fatal(text)
    }
}

const TOO_MUCH: &str = "Too much input for a refused command";
const TOO_LONG: &str = "Command too long";
const LITERAL_TOO_BIG: &str = "Literal too large here";
