//! Tests of the whole wire: examples of the RFCs, framing, hostile input, round trips.

mod commands;
mod encode;
mod framing;
mod hostile;
mod responses;
mod sync;

use super::{Command, Decoder, Event, Limits, Reject, Tag};

/// Roomy enough for every example, small enough to be overrun.
pub(super) const LIMITS: Limits = Limits {
    command_bytes: 4_096,
    literal_bytes: 1_024,
    literals: 10,
    append_bytes: 1 << 20,
    swallow_bytes: 1 << 21,
};

/// All events of `input`, which is fed in pieces of `piece` octets; APPENDs are accepted. A message's octets are
/// joined, so that the result does not depend on `piece`.
pub(super) fn events(limits: Limits, input: &[u8], piece: usize) -> Vec<Event> {
    let mut decoder = Decoder::new(limits);
    let mut events: Vec<Event> = Vec::new();
    let mut pieces = input.chunks(piece);
    loop {
        match decoder.next() {
            Event::NeedInput => match pieces.next() {
                Some(piece) => decoder.feed(piece),
                None => return events,
            },
            Event::Literal(more) => {
                assert!(!more.is_empty());
                match events.last_mut() {
                    Some(Event::Literal(bytes)) => bytes.extend_from_slice(&more),
                    _ => events.push(Event::Literal(more)),
                }
            }
            event => {
                if matches!(event, Event::Append(_) | Event::AppendNext(_)) {
                    decoder.accept_append();
                }
                let fatal = matches!(event, Event::Fatal(_));
                events.push(event);
                if fatal {
                    return events;
                }
            }
        }
    }
}

/// The one command of a text without tag and last line end.
pub(super) fn parse(text: impl AsRef<[u8]>) -> Result<Command, Reject> {
    let limits = Limits { command_bytes: 2 << 20, literal_bytes: 2 << 20, literals: 200_000, ..LIMITS };
    let input = [b"t1 ", text.as_ref(), b"\r\n"].concat();
    let mut events = events(limits, &input, 65_536);
    events.retain(|event| *event != Event::Continue);
    match events.as_slice() {
        [Event::Command(request)] => {
            assert_eq!(request.tag.as_str(), "t1");
            Ok(request.command.clone())
        }
        [Event::Rejected(reject), ..] => {
            assert_eq!(reject.tag.as_ref().map(Tag::as_str), Some("t1"));
            Err(reject.clone())
        }
        other => panic!("{other:?}"),
    }
}
