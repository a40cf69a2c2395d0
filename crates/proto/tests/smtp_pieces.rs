//! Whatever is sent, how it is cut into pieces changes nothing: replies, requests and content stay the same.

use proptest::prelude::*;
use proto::smtp::{Answer, Limits, Reply, Request, Role, Session, Settings, Step};

/// What conversations are made of; the rest are bytes that hurt.
const WORDS: [&str; 34] = [
    "EHLO a.b\r\n",
    "HELO a.b\r\n",
    "LHLO a.b\r\n",
    "MAIL FROM:<a@b.c>\r\n",
    "RCPT TO:<d@e.f>\r\n",
    "DATA\r\n",
    "BDAT 3\r\n",
    "BDAT 5 LAST\r\n",
    "BDAT 0 LAST\r\n",
    "BDAT x\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "QUIT\r\n",
    "AUTH PLAIN\r\n",
    "AUTH LOGIN eA==\r\n",
    "eA==\r\n",
    "AHgAeA==\r\n",
    "*\r\n",
    "x",
    ".",
    "..",
    "\r\n",
    "\r",
    "\n",
    ".\r\n",
    "\r\n.\r\n",
    "\n.\n",
    "\0",
    "é",
    " ",
    "<",
    "VRFY x\r\n",
    "SIZE=99",
    "MAIL FROM:<> SIZE=70\r\n",
];

fn session(role: Role, tls: bool) -> Session {
    let settings = Settings {
        role,
        hostname: "h".to_owned(),
        message_bytes_max: 60,
        starttls: false,
        future_release: None,
        limits: Limits { recipients: 2, junk_commands: 30, errors: 30, ..Limits::default() },
    };
    Session::new(settings, tls)
}

/// Everything that comes out: what was written, and what was asked, with the content where it belongs.
fn run(role: Role, tls: bool, pieces: &[&[u8]]) -> String {
    let mut session = session(role, tls);
    session.greet(false);
    let mut log = String::new();
    let mut content = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        loop {
            let step = session.step(&mut input);
            log.push_str(&session.take_output().escape_ascii().to_string());
            match step {
                Step::Read => break,
                Step::Close => return log + "CLOSED",
                Step::Flush => {}
                Step::StartTls => unreachable!("not offered"),
                Step::Content(bytes) => content.extend_from_slice(bytes),
                Step::Reset => content.clear(),
                Step::Ask(request) => {
                    log.push_str(&format!("{request:?}"));
                    session.answer(answer(&request, &content));
                }
            }
        }
        assert!(input.is_empty(), "asked for more while there was some");
    }
    log
}

fn answer(request: &Request, content: &[u8]) -> Answer {
    match request {
        Request::Deliver(_) => {
            let text = content.escape_ascii().to_string();
            Answer::Delivered(vec![Reply::new(250, (0, 0), text)])
        }
        _ => Answer::Accept,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_do_not_matter(
        words in proptest::collection::vec(0..WORDS.len(), 1..60),
        cuts in proptest::collection::vec(1..9usize, 1..40),
        kind in 0..4u8,
        opened in any::<bool>(),
    ) {
        let (role, tls) = match kind {
            0 => (Role::Smtp, false),
            1 => (Role::Submission, true),
            2 => (Role::Submission, false),
            _ => (Role::Lmtp, false),
        };
        let mut text = String::new();
        if opened {
            let hello = if role == Role::Lmtp { "LHLO a\r\n" } else { "EHLO a\r\n" };
            text += hello;
            text += if tls { "AUTH PLAIN AHgAeA==\r\n" } else { "" };
            text += "MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\n";
        }
        text.extend(words.iter().map(|word| WORDS[*word]));
        let bytes = text.as_bytes();
        let whole = run(role, tls, &[bytes]);
        let single: Vec<_> = bytes.chunks(1).collect();
        prop_assert_eq!(&whole, &run(role, tls, &single));
        let mut pieces = Vec::new();
        let mut rest = bytes;
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        prop_assert_eq!(&whole, &run(role, tls, &pieces));
    }
}
