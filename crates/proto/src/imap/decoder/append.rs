//! APPEND in the input: its messages as a stream, and what may stand between and behind them.

use super::{Decoder, Event, Reject, START, State, TOO_LONG};
use crate::imap::line::{Announcement, line_end, strip_line_end};
use crate::imap::parse;
use crate::imap::{AppendMessage, AppendStart, Code, Status, Tag};

impl Decoder {
    pub(super) fn append(&mut self, line_end: usize, start: AppendStart, wrapped: bool) -> Event {
        match self.announced(line_end, &start.tag, &start.message, wrapped) {
            Some(refused) => refused,
            None => Event::Append(start),
        }
    }

    /// A message of an APPEND stands to be decided on, or it is too large to be.
    fn announced(
        &mut self,
        line_end: usize,
        tag: &Tag,
        message: &AppendMessage,
        wrapped: bool,
    ) -> Option<Event> {
        let literal = Announcement { bytes: message.bytes, synchronising: message.synchronising };
        let refusal = if self.limits.append_bytes == 0 {
            Some((Status::Bad, None, "Log in first"))
        } else if literal.bytes > self.limits.append_bytes {
            // RFC 7889 4
            Some((Status::No, Some(Code::TooBig), "Message is too large"))
        } else {
            None
        };
        if let Some((status, code, text)) = refusal {
            let reject = Reject { tag: Some(tag.clone()), status, code, text };
            return Some(self.refuse(line_end, literal, reject));
        }
        self.done += line_end;
        self.append_tag = Some(tag.clone());
        self.wrapped = wrapped;
        self.state = State::Verdict { bytes: literal.bytes, synchronising: literal.synchronising };
        None
    }

    pub(super) fn stream(&mut self, remaining: u64, tag: Tag) -> Event {
        let pending = self.pending();
        let take = usize::try_from(remaining).unwrap_or(usize::MAX).min(pending.len());
        if take == 0 {
            return Event::NeedInput;
        }
        let whole = self.done == 0 && take == self.input.len();
        let bytes = pending.get(..take).unwrap_or_default();
        let bytes = if whole { std::mem::take(&mut self.input) } else { bytes.to_vec() };
        self.done += if whole { 0 } else { take };
        self.state = State::Streaming { remaining: remaining - take as u64, tag };
        Event::Literal(bytes)
    }

    /// `append = "APPEND" SP mailbox 1*append-message` CRLF (RFC 3502 6.3.11): what follows a message is the end, or
    /// another one.
    pub(super) fn append_tail(&mut self, tag: Tag) -> Event {
        let pending = self.pending();
        let found = line_end(pending, 0);
        if found.unwrap_or(pending.len()) > self.limits.command_bytes {
            self.state = State::Swallow { literal: 0, budget: self.limits.swallow_bytes };
            let reject = Reject { tag: Some(tag), status: Status::Bad, code: None, text: TOO_LONG };
            return Event::Rejected(reject);
        }
        let Some(line_end) = found else { return Event::NeedInput };
        let mut line = pending.get(..line_end).unwrap_or_default();
        let closed = line.strip_prefix(b")");
        let well = closed.is_some() == self.wrapped;
        line = closed.unwrap_or(line);
        let announced = Announcement::at_end(line);
        let next = match announced {
            Some(literal) if well => {
                Some(parse::append_next(line, &tag, literal.bytes, literal.synchronising))
            }
            _ => None,
        };
        let empty = well && strip_line_end(line).is_empty();
        let reject = match next {
            Some(Ok((message, wrapped))) => {
                return match self.announced(line_end, &tag, &message, wrapped) {
                    Some(refused) => refused,
                    None => Event::AppendNext(message),
                };
            }
            Some(Err(reject)) => reject,
            None => {
                let text = "Only another message may follow the message";
                Reject { tag: Some(tag), status: Status::Bad, code: None, text }
            }
        };
        self.done += line_end;
        self.state = announced.map_or(START, |l| self.after_refusal(l.bytes, l.synchronising));
        if empty { Event::AppendEnd } else { Event::Rejected(reject) }
    }
}
