//! IMAP commands: whatever comes and however it is cut, the same events come out, and nothing beyond the limits.
//!
//! The first octet chooses what the driver does with APPEND and after AUTHENTICATE, and whether UTF-8 is enabled; the rest is what the client sends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::imap::{AppendStart, Command, Decoder, Event, Limits};

const LIMITS: Limits =
    Limits { command_bytes: 512, literal_bytes: 128, literals: 4, append_bytes: 1_024, swallow_bytes: 2_048 };

fuzz_target!(|data: &[u8]| {
    let Some((choice, input)) = data.split_first() else { return };
    let octets = run(*choice, input.chunks(1));
    let lines = run(*choice, input.split_inclusive(|octet| *octet == b'\n'));
    let whole = run(*choice, std::iter::once(input));
    assert_eq!(octets, lines, "the cut of the input must not matter");
    assert_eq!(octets, whole, "the cut of the input must not matter");
});

/// All events; the octets of one message in one event, however they came.
fn run<'a>(choice: u8, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut decoder = Decoder::new(LIMITS);
    if choice & 4 != 0 {
        decoder.enable_utf8();
    }
    let mut events: Vec<Event> = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        loop {
            let event = decoder.next();
            match &event {
                Event::NeedInput => break,
                Event::Append(AppendStart { message, .. }) | Event::AppendNext(message) => {
                    assert!(message.bytes <= LIMITS.append_bytes);
                    if choice & 1 == 0 { decoder.accept_append() } else { decoder.refuse_append() }
                }
                Event::Command(request) if choice & 2 == 0 => {
                    if matches!(request.command, Command::Authenticate { .. } | Command::Idle) {
                        decoder.expect_line();
                    }
                }
                Event::Line(line) => assert!(line.len() <= LIMITS.command_bytes),
                _ => {}
            }
            match (events.last_mut(), event) {
                (Some(Event::Literal(before)), Event::Literal(more)) => {
                    assert!(!more.is_empty());
                    before.extend(more);
                    assert!(before.len() as u64 <= LIMITS.append_bytes);
                }
                (_, event @ Event::Fatal(_)) => {
                    events.push(event);
                    return events;
                }
                (_, event) => events.push(event),
            }
        }
    }
    events
}
