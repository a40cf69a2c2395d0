//! ManageSieve commands: whatever comes and however it is cut, the same events come out, and nothing beyond the limits.
//!
//! The first octet chooses whether AUTHENTICATE is answered with a challenge; the rest is what the client sends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::managesieve::{Command, Decoder, Event, Limits, Writer};

const LIMITS: Limits = Limits { command_bytes: 512, literal_bytes: 256, swallow_bytes: 1_024 };

fuzz_target!(|data: &[u8]| {
    let Some((choice, input)) = data.split_first() else { return };
    let octets = run(*choice, input.chunks(1));
    let lines = run(*choice, input.split_inclusive(|octet| *octet == b'\n'));
    let whole = run(*choice, std::iter::once(input));
    assert_eq!(octets, lines, "the cut of the input must not matter");
    assert_eq!(octets, whole, "the cut of the input must not matter");
    for event in whole {
        let Event::Command(command) = event else { continue };
        match command {
            Command::PutScript { script, .. } | Command::CheckScript(script) => {
                assert!(script.len() <= LIMITS.command_bytes);
            }
            // What we write is a string for a decoder.
            Command::GetScript(name) => assert_eq!(again(&name), Event::Command(Command::GetScript(name))),
            _ => {}
        }
    }
});

fn again(name: &str) -> Event {
    let mut writer = Writer::new();
    writer.listed(name, false);
    let mut decoder = Decoder::new(Limits::AFTER_LOGIN);
    decoder.feed(b"GETSCRIPT ");
    decoder.feed(&writer.take());
    decoder.next()
}

fn run<'a>(choice: u8, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut decoder = Decoder::new(LIMITS);
    let mut events: Vec<Event> = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        loop {
            let event = decoder.next();
            match &event {
                Event::NeedInput => break,
                Event::Command(Command::Authenticate { .. }) if choice & 1 == 0 => decoder.expect_response(),
                _ => {}
            }
            let is_fatal = matches!(event, Event::Fatal(_));
            events.push(event);
            if is_fatal {
                return events;
            }
        }
    }
    events
}
