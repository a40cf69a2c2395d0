//! Lines, literals, APPEND as a stream, refusals.

use super::{LIMITS, events};
use crate::imap::*;

fn tags(events: &[Event]) -> Vec<String> {
    let of = |event: &Event| match event {
        Event::NeedInput => "wait".to_owned(),
        Event::Continue => "+".to_owned(),
        Event::Command(request) => request.tag.to_string(),
        Event::Append(start) => format!("append {}", start.tag),
        Event::Literal(bytes) => format!("{} octets", bytes.len()),
        Event::AppendNext(_) => "next".to_owned(),
        Event::AppendEnd => "end".to_owned(),
        Event::Line(line) => format!("line {}", String::from_utf8_lossy(line)),
        Event::Rejected(reject) => {
            let tag = reject.tag.as_ref().map_or("*", |tag| tag.as_str());
            format!(
                "{tag} {}{}",
                reject.status.as_str(),
                if reject.code == Some(Code::TooBig) { " TOOBIG" } else { "" }
            )
        }
        Event::Fatal(_) => "fatal".to_owned(),
    };
    events.iter().map(of).collect()
}

/// Whatever the pieces, the events are these.
fn check(limits: Limits, input: impl AsRef<[u8]>, expected: &[&str]) -> Vec<Event> {
    let whole = events(limits, input.as_ref(), usize::MAX);
    assert_eq!(tags(&whole), expected, "{:?}", String::from_utf8_lossy(input.as_ref()));
    for piece in [1, 2, 3, 7, 1_000] {
        let got = events(limits, input.as_ref(), piece);
        // How much of an over-long line is seen at once decides only when it is refused.
        assert_eq!(got, whole, "in pieces of {piece}");
    }
    whole
}

#[test]
fn lines() {
    check(LIMITS, "a NOOP\r\nb NOOP\nc NOOP\r\nd NO", &["a", "b", "c"]);
    check(
        LIMITS,
        "a NOPE\r\n\r\n\x00\r\n+ x\r\nb\r\nc NOOP\r\n",
        &["a BAD", "* BAD", "* BAD", "* BAD", "b BAD", "c"],
    );
    // A lone CR is no line end.
    check(LIMITS, "a NOOP\rb NOOP\r\nc NOOP\r\n", &["a BAD", "c"]);
}

#[test]
fn literals_in_commands() {
    check(LIMITS, "a LOGIN {1}\r\nx {2}\r\nyz\r\nb NOOP\r\n", &["+", "+", "a", "b"]);
    check(LIMITS, "a LOGIN {1+}\r\nx {2+}\r\nyz\r\nb NOOP\r\n", &["a", "b"]);
    check(LIMITS, "a LOGIN {6+}\r\nb NOOP {2+}\r\n\r\n\r\n", &["a"]);
    // In the middle of a word it is still read as a literal, so the octets are no command.
    check(LIMITS, "a SELECT x{8+}\r\nb NOOP\r\n\r\nc NOOP\r\n", &["a BAD", "c"]);
    check(LIMITS, "a FOO {3}\r\nabc\r\nb NOOP\r\n", &["+", "a BAD", "b"]);
}

#[test]
fn literals_too_large() {
    // The client waits and learns that it must not send.
    check(LIMITS, "a LOGIN {1025}\r\nb NOOP\r\n", &["a BAD TOOBIG", "b"]);
    check(LIMITS, "a LOGIN {99999999999999999999999999}\r\nb NOOP\r\n", &["a BAD TOOBIG", "b"]);
    let sent = format!("a LOGIN {{1025+}}\r\n{} {{8+}}\r\nx NOOP\r\n\r\nb NOOP\r\n", "\n".repeat(1025));
    check(LIMITS, sent, &["a BAD TOOBIG", "b"]);
    let sent = format!("a LOGIN {{1025+}}\r\n{} {{9}}\r\nb NOOP\r\n", "\n".repeat(1025));
    check(LIMITS, sent, &["a BAD TOOBIG", "b"]);
    check(LIMITS, "a LOGIN {2097153+}\r\nb NOOP\r\n", &["a BAD TOOBIG", "fatal"]);
    check(LIMITS, "a LOGIN {18446744073709551616+}\r\n", &["a BAD TOOBIG", "fatal"]);
    let many = format!("a FETCH 1 BODY[HEADER.FIELDS ({})]\r\nb NOOP\r\n", "{1+}\r\nx ".repeat(11));
    check(LIMITS, many, &["a BAD TOOBIG", "b"]);
    let total = format!("a X{}\r\nb NOOP\r\n", format!(" {{1000+}}\r\n{}", "y".repeat(1000)).repeat(9));
    check(LIMITS, total, &["a BAD TOOBIG", "b"]);
}

#[test]
fn lines_too_long() {
    for length in [4_096, 5_000, 100_000] {
        check(LIMITS, format!("a NOOP {}\r\nb NOOP\r\n", "x".repeat(length)), &["a BAD TOOBIG", "b"]);
        check(LIMITS, format!("{}\r\nb NOOP\r\n", "(".repeat(length + 1)), &["* BAD TOOBIG", "b"]);
        let literal = format!("a X {} {{6+}}\r\nx Y\r\n\n\r\nb NOOP\r\n", "x".repeat(length));
        check(LIMITS, literal, &["a BAD TOOBIG", "b"]);
    }
    // The line ends of the literal are not that of the line.
    let literal = format!("a X {{1000+}}\r\n{}{}\r\nb NOOP\r\n", "\n".repeat(1000), "x".repeat(4_000));
    check(LIMITS, literal, &["a BAD TOOBIG", "b"]);
    let near = format!(
        "a X {{1000+}}\r\n{}{} {{1000+}}\r\n{}{}\r\nb NOOP\r\n",
        "\n".repeat(1000),
        "x".repeat(2_040),
        "\n".repeat(1000),
        "y".repeat(100)
    );
    check(LIMITS, near, &["a BAD TOOBIG", "b"]);
    check(LIMITS, vec![b'x'; 3 << 20], &["* BAD TOOBIG", "fatal"]);
}

#[test]
fn append_streams() {
    let input =
        "a APPEND saved-messages (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {5}\r\na\0\nb\r\r\nb NOOP\r\n";
    let got = check(LIMITS, input, &["append a", "+", "5 octets", "end", "b"]);
    assert!(got.contains(&Event::Literal(b"a\0\nb\r".to_vec())));
    let Some(Event::Append(start)) = got.first() else { panic!("{got:?}") };
    assert_eq!(start.mailbox.as_str(), "saved-messages");
    assert_eq!(
        start.message,
        AppendMessage {
            flags: vec![Flag::Seen],
            internal_date: Some("1996-07-17T09:44:25Z".parse().unwrap()),
            bytes: 5,
            synchronising: true,
        }
    );
    check(LIMITS, "a APPEND {1}\r\nx {3+}\r\nabc\r\nb NOOP\r\n", &["+", "append a", "3 octets", "end", "b"]);
    check(LIMITS, "a append x () {0+}\r\n\r\nb NOOP\r\n", &["append a", "end", "b"]);
    check(LIMITS, "a append x {0}\r\n\r\n", &["append a", "+", "end"]);
}

#[test]
fn append_of_several_messages() {
    check(
        LIMITS,
        "a APPEND x {1+}\r\na {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n",
        &["append a", "1 octets", "next", "8 octets", "end", "c"],
    );
    let got = check(
        LIMITS,
        "a APPEND x {1+}\r\na (\\Seen k) \"17-Jul-1996 02:44:25 -0700\" ~{2}\r\n\0b UTF8 (~{1+}\r\nc)\r\nb NOOP\r\n",
        &["append a", "1 octets", "next", "+", "2 octets", "next", "1 octets", "end", "b"],
    );
    let Some(Event::AppendNext(second)) = got.get(2) else { panic!("{got:?}") };
    assert_eq!((second.flags.len(), second.bytes, second.synchronising), (2, 2, true));
    check(LIMITS, "a APPEND x utf8 (~{1}\r\na)\r\nb NOOP\r\n", &["append a", "+", "1 octets", "end", "b"]);
    // What is wrong behind a message ends the command, with its literals.
    for (tail, expected) in [
        (" (a {8+}\r\nx NOOP\r\n\r\n", "a BAD"),
        (" (a {8}\r\n", "a BAD"),
        (" {1048577}\r\n", "a NO TOOBIG"),
        (")\r\n", "a BAD"),
        (" UTF8 ({1+}\r\nx)\r\n", "a BAD"),
        (" x\r\n", "a BAD"),
        ("{1}\r\n", "a BAD"),
    ] {
        check(
            LIMITS,
            format!("a APPEND x {{1+}}\r\na{tail}b NOOP\r\n"),
            &["append a", "1 octets", expected, "b"],
        );
    }
    check(LIMITS, "a APPEND x UTF8 (~{1+}\r\na\r\nb NOOP\r\n", &["append a", "1 octets", "a BAD", "b"]);
}

#[test]
fn append_refused_on_its_form() {
    for bad in [
        "\"x\"",
        "x (\\Seen)",
        "",
        "x \"1-Jan-2026\" {3}",
        "x (a {3}",
        "x  {3}",
        "(a) {3}",
        "x UTF8 {3}",
        "x UTF9 (~{3}",
        "x ~~{3}",
        "x{3}",
        "{1+}\r\nx y {3}",
    ] {
        check(LIMITS, format!("a APPEND {bad}\r\nb NOOP\r\n"), &["a BAD", "b"]);
    }
    check(LIMITS, "a APPEND x (y {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n", &["a BAD", "c"]);
    check(LIMITS, "a APPEND x {1048577}\r\nb NOOP\r\n", &["a NO TOOBIG", "b"]);
    let before_login = Limits { append_bytes: 0, ..LIMITS };
    check(before_login, "a APPEND x {3}\r\nb NOOP\r\n", &["a BAD", "b"]);
    check(before_login, "a APPEND x {3+}\r\nabc\r\nb NOOP\r\n", &["a BAD", "b"]);
}

#[test]
fn append_refused_by_the_driver() {
    for (input, expected) in [
        ("a APPEND x {9}\r\nb NOOP\r\n", "b"),
        ("a APPEND x {9+}\r\nx NOOP\r\nx\r\nb NOOP\r\n", "b"),
        ("a APPEND x {9+}\r\nx NOOP\r\nx {3+}\r\nabc\r\nb NOOP\r\n", "b"),
    ] {
        for explicitly in [true, false] {
            let mut decoder = Decoder::new(LIMITS);
            decoder.feed(input.as_bytes());
            assert!(matches!(decoder.next(), Event::Append(_)));
            if explicitly {
                decoder.refuse_append();
            }
            assert_eq!(tags(&[decoder.next()]), [expected]);
            assert_eq!(decoder.next(), Event::NeedInput);
        }
    }
}

#[test]
fn lines_for_the_driver() {
    let mut decoder = Decoder::new(LIMITS);
    decoder.feed(b"a IDLE\r\nDONE\r\nb NOOP\r\nc AUTHENTICATE PLAIN\r\n{3}");
    assert_eq!(tags(&[decoder.next()]), ["a"]);
    decoder.expect_line();
    assert_eq!(decoder.next(), Event::Line(b"DONE".to_vec()));
    assert_eq!(tags(&[decoder.next(), decoder.next()]), ["b", "c"]);
    decoder.expect_line();
    assert_eq!(decoder.next(), Event::NeedInput);
    decoder.feed(b"\nd NOOP\r\n");
    assert_eq!(tags(&[decoder.next(), decoder.next()]), ["line {3}", "d"]);
    decoder.expect_line();
    decoder.feed(&[b'x'; 4_097]);
    assert!(matches!(decoder.next(), Event::Fatal(_)));
    decoder.feed(b"\r\ne NOOP\r\n");
    assert!(matches!(decoder.next(), Event::Fatal(_)), "for ever");
}

#[test]
fn what_follows_starttls_is_forgotten() {
    let mut decoder = Decoder::new(LIMITS);
    decoder.feed(b"a STARTTLS\r\nb LOGIN mallory x\r\nc LOG");
    assert_eq!(tags(&[decoder.next()]), ["a"]);
    assert_eq!(decoder.discard_pending(), 24);
    decoder.feed(b"d NOOP\r\n");
    assert_eq!(tags(&[decoder.next(), decoder.next()]), ["d", "wait"]);
}

#[test]
fn limits_change_between_commands() {
    let mut decoder = Decoder::new(Limits::BEFORE_LOGIN);
    let long = format!("a NOOP {}\r\n", "x".repeat(9_000));
    decoder.feed(long.as_bytes());
    assert_eq!(tags(&[decoder.next()]), ["a BAD TOOBIG"]);
    decoder.set_limits(Limits::AFTER_LOGIN);
    decoder.feed(long.as_bytes());
    assert_eq!(tags(&[decoder.next()]), ["a BAD"]);
}
