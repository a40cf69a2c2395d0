//! From octets to commands: lines with literals in them.
//!
//! Sans-IO: the driver feeds what it read and asks [`Decoder::next`] until that says `NeedInput`. Pending input is at most one
//! command within the limits plus one feed. A refused command is always read to its end, so that its literals are never taken
//! for commands, or the connection ends. A literal is on its way when it is announced: nobody waits to be asked for it
//! (RFC 5804 4, `literal-c2s`), also who leaves the `+` away.

use super::parse;
use super::types::{Code, Command, Response};
use crate::sieve::limits::SCRIPT_OCTETS_MAX;

/// Capacity an empty input buffer may keep.
const IDLE_CAPACITY_MAX: usize = 1 << 10;
/// `{18446744073709551615+}` and CR are shorter: so many octets of a discarded line are kept to recognise a literal at its end.
const ANNOUNCEMENT_BYTES_MAX: usize = 64;

/// Bounds on what a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of one command with its line ends and literals.
    pub command_bytes: usize,
    /// Octets of one literal.
    pub literal_bytes: usize,
    /// Octets read and thrown away to get behind a refused command before we rather hang up.
    pub swallow_bytes: u64,
}

impl Limits {
    /// Anybody can connect: a name and a password, each of a thousand octets and in base64, and no more.
    pub const BEFORE_LOGIN: Self =
        Self { command_bytes: 8 << 10, literal_bytes: 4 << 10, swallow_bytes: 64 << 10 };
    /// A name of a script and the script. Who puts a file of some megabytes by mistake is told so.
    pub const AFTER_LOGIN: Self = Self {
        command_bytes: SCRIPT_OCTETS_MAX + (8 << 10),
        literal_bytes: SCRIPT_OCTETS_MAX,
        swallow_bytes: 32 << 20,
    };
}

/// What the driver has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Read from the peer and [`Decoder::feed`].
    NeedInput,
    Command(Command),
    /// What [`Decoder::expect_response`] asked for.
    Response(Response),
    /// Answer NO with this; the command, or the exchange, is over.
    Rejected(Reject),
    /// Say BYE with this text and close: what follows cannot be told apart any more, or is too much.
    Fatal(&'static str),
}

/// A command refused on its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub code: Option<Code>,
    pub text: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Offsets count from the command's first octet. `line`: where its current line goes on behind the last literal, perhaps
    /// beyond the input. `scan`: up to there that line is known to have no end.
    Command {
        line: usize,
        scan: usize,
    },
    /// A refused command's literal, then the rest of its line, then further literals; `budget` octets may go.
    Swallow {
        literal: u64,
        budget: u64,
    },
    Dead(&'static str),
}

const START: State = State::Command { line: 0, scan: 0 };
const TOO_MUCH: &str = "Too much input for a refused command";
const TOO_LONG: Reject = Reject { code: None, text: "Command too long" };
/// RFC 5804 1.3; a script is the only thing that comes so large.
const TOO_LARGE: Reject =
    Reject { code: Some(Code::MaxSize), text: "Dữ liệu quá dài / This is too large" };

/// One connection's input.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    input: Vec<u8>,
    /// Octets of `input` that are done with.
    done: usize,
    state: State,
    /// The client owes an answer to a challenge.
    response: bool,
}

impl Decoder {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, input: Vec::new(), done: 0, state: START, response: false }
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

    /// Forgets all input not yet handed out and returns how many octets that were. What a client sent behind STARTTLS in
    /// plain text must not be taken as sent under TLS (CVE-2011-0411).
    pub fn discard_pending(&mut self) -> usize {
        let pending = self.pending().len();
        self.input = Vec::new();
        self.done = 0;
        self.state = START;
        pending
    }

    /// What comes next is no command but the answer to a challenge (RFC 5804 2.1).
    pub fn expect_response(&mut self) {
        self.response = true;
    }

    /// What the input so far amounts to. `NeedInput` and `Fatal` repeat until something is fed, or for ever.
    #[expect(clippy::should_implement_trait, reason = "no iterator: NeedInput is not the end")]
    pub fn next(&mut self) -> Event {
        loop {
            let event = match self.state {
                State::Command { line, scan } => self.command(line, scan),
                State::Swallow { literal, budget } => self.swallow(literal, budget),
                State::Dead(text) => Some(Event::Fatal(text)),
            };
            if let Some(event) = event {
                if self.pending().is_empty() {
                    self.input.clear();
                    self.input.shrink_to(IDLE_CAPACITY_MAX);
                    self.done = 0;
                }
                return event;
            }
        }
    }

    fn pending(&self) -> &[u8] {
        self.input.get(self.done..).unwrap_or_default()
    }

    /// Looks for the end of the command's current line, and at its end for a literal.
    fn command(&mut self, from: usize, scan: usize) -> Option<Event> {
        let pending = self.pending();
        let found = line_end(pending, scan);
        if found.unwrap_or(pending.len()) > self.limits.command_bytes {
            return Some(self.overflow(from));
        }
        let Some(line_end) = found else {
            self.state = State::Command { line: from, scan: scan.max(pending.len()) };
            return Some(Event::NeedInput);
        };
        let Some(literal) = announced(pending.get(from..line_end).unwrap_or_default()) else {
            let event = self.complete(line_end);
            self.done += line_end;
            self.state = START;
            return Some(event);
        };
        let room = self.limits.command_bytes.saturating_sub(line_end).min(self.limits.literal_bytes);
        match usize::try_from(literal) {
            Ok(bytes) if bytes <= room => {
                self.state = State::Command { line: line_end + bytes, scan: line_end + bytes };
                None
            }
            _ => {
                self.done += line_end;
                self.state = State::Swallow { literal, budget: self.limits.swallow_bytes };
                Some(self.reject(TOO_LARGE))
            }
        }
    }

    fn complete(&mut self, line_end: usize) -> Event {
        let expected = std::mem::take(&mut self.response);
        let text = strip_line_end(self.pending().get(..line_end).unwrap_or_default());
        let parsed = if expected {
            parse::response(text).map(Event::Response)
        } else {
            parse::command(text).map(Event::Command)
        };
        parsed.unwrap_or_else(|text| Event::Rejected(Reject { code: None, text }))
    }

    fn reject(&mut self, reject: Reject) -> Event {
        self.response = false;
        Event::Rejected(reject)
    }

    /// Ends a command that is too long, whose current line begins at `from`: what is before it is done with.
    fn overflow(&mut self, from: usize) -> Event {
        self.done += from;
        self.state = State::Swallow { literal: 0, budget: self.limits.swallow_bytes };
        self.reject(TOO_LONG)
    }

    fn swallow(&mut self, literal: u64, budget: u64) -> Option<Event> {
        if literal > budget {
            return Some(self.die());
        }
        let pending = self.pending();
        if literal > 0 {
            let take = usize::try_from(literal).unwrap_or(usize::MAX).min(pending.len());
            self.done += take;
            self.state = State::Swallow { literal: literal - take as u64, budget: budget - take as u64 };
            return (take == 0).then_some(Event::NeedInput);
        }
        // Kept of a line is what may announce a literal; the same counts whether its end has come or not.
        let found = line_end(pending, 0);
        let gone = found.map_or(pending.len(), |end| end - 1).saturating_sub(ANNOUNCEMENT_BYTES_MAX);
        if gone as u64 > budget {
            return Some(self.die());
        }
        let Some(line_end) = found else {
            self.done += gone;
            self.state = State::Swallow { literal: 0, budget: budget - gone as u64 };
            return Some(Event::NeedInput);
        };
        let literal = announced(pending.get(..line_end).unwrap_or_default());
        self.done += line_end;
        let budget = budget.saturating_sub(line_end as u64);
        self.state = literal.map_or(START, |literal| State::Swallow { literal, budget });
        None
    }

    fn die(&mut self) -> Event {
        self.state = State::Dead(TOO_MUCH);
        self.input = Vec::new();
        self.done = 0;
        Event::Fatal(TOO_MUCH)
    }
}

/// The offset behind the first LF at or after `from`. Lines end in CRLF; a bare LF is taken as one.
fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let at = bytes.get(from..)?.iter().position(|octet| *octet == b'\n')?;
    Some(from + at + 1)
}

fn strip_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The literal that follows this line. A number too large to count is as large as can be.
fn announced(line: &[u8]) -> Option<u64> {
    let inner = strip_line_end(line).strip_suffix(b"}")?;
    let inner = inner.strip_suffix(b"+").unwrap_or(inner);
    let open = inner.iter().rposition(|octet| !octet.is_ascii_digit())?;
    let digits = inner.get(open + 1..).filter(|digits| !digits.is_empty())?;
    if inner.get(open) != Some(&b'{') {
        return None;
    }
    let count = digits.iter().try_fold(0_u64, |n, d| n.checked_mul(10)?.checked_add(u64::from(d - b'0')));
    Some(count.unwrap_or(u64::MAX))
}
