//! The SMTP, submission and LMTP session: whatever comes and however it is cut, it ends, says the same, and holds little.
//!
//! The first octet chooses the listener; the rest is what the client sends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::smtp::{Answer, Limits, OUTPUT_BYTES_HIGH, Reply, Request, Role, Session, Settings, Step};

/// What the other side and the message store saw.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    output: Vec<u8>,
    messages: Vec<Vec<u8>>,
    ended: bool,
}

struct Driver {
    session: Session,
    content: Vec<u8>,
    recipients: usize,
    seen: Seen,
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, input)) = data.split_first() else { return };
    let lines = run(*choice, input.split_inclusive(|octet| *octet == b'\n'));
    let octets = run(*choice, input.chunks(1));
    assert_eq!(lines, octets, "the cut of the input must not matter");
    // Something pipelined behind a command that must stand alone is refused, so only then the whole may differ.
    let whole = run(*choice, std::iter::once(input));
    if !names_alone(input) {
        assert_eq!(whole, octets, "the cut of the input must not matter");
    }
});

fn names_alone(input: &[u8]) -> bool {
    let text = input.to_ascii_uppercase();
    [b"STARTTLS".as_slice(), b"AUTH"]
        .iter()
        .any(|verb| text.windows(verb.len()).any(|window| window == *verb))
}

fn run<'a>(choice: u8, pieces: impl Iterator<Item = &'a [u8]>) -> Seen {
    let role = [Role::Smtp, Role::Submission, Role::Lmtp][usize::from(choice % 3)];
    let settings = Settings {
        role,
        hostname: "mail.example.vn".to_owned(),
        message_bytes_max: 4_096,
        starttls: choice & 0x10 != 0,
        limits: Limits { recipients: 3, errors: 8, junk_commands: 8, ..Limits::default() },
    };
    let session = Session::new(settings, choice & 0x20 != 0);
    let mut driver = Driver { session, content: Vec::new(), recipients: 0, seen: Seen::default() };
    driver.session.greet(false);
    for piece in pieces {
        driver.feed(piece);
        if driver.seen.ended {
            break;
        }
    }
    let rest = driver.session.take_output();
    driver.seen.output.extend(rest);
    driver.seen
}

impl Driver {
    fn feed(&mut self, mut input: &[u8]) {
        loop {
            match self.session.step(&mut input) {
                Step::Read => {
                    assert!(input.is_empty(), "asks for more while there is some");
                    return self.write();
                }
                Step::Flush => self.write(),
                Step::Ask(request) => {
                    let answer = self.answer(request);
                    self.session.answer(answer);
                }
                Step::Content(octets) => self.content.extend(octets),
                Step::Reset => {
                    self.content.clear();
                    self.recipients = 0;
                }
                Step::StartTls => {
                    self.write();
                    self.session.tls_started();
                    return;
                }
                Step::Close => {
                    self.write();
                    self.seen.ended = true;
                    return;
                }
            }
        }
    }

    fn write(&mut self) {
        let output = self.session.take_output();
        assert!(output.len() < 2 * OUTPUT_BYTES_HIGH, "output grows");
        self.seen.output.extend(output);
    }

    fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::LogIn(credentials) if credentials.password().is_empty() => {
                Answer::Refuse(Reply::new(535, (7, 8), "wrong"))
            }
            Request::LogIn(_) | Request::Mail(_) => Answer::Accept,
            Request::Open => {
                self.content.clear();
                Answer::Accept
            }
            Request::Recipient(_) => {
                self.recipients += 1;
                assert!(self.recipients <= 3, "more recipients than allowed");
                Answer::Accept
            }
            Request::Deliver(_) => {
                assert!(self.content.len() <= 4_096, "a message larger than allowed");
                self.seen.messages.push(std::mem::take(&mut self.content));
                Answer::Delivered(vec![Reply::new(250, (0, 0), "kept"); self.recipients.max(1)])
            }
        }
    }
}
