//! Input made to hurt.

use super::{LIMITS, events, parse};
use crate::imap::*;
use proptest::prelude::*;

#[test]
fn nesting() {
    let deep = |open: &str, close: &str, n: usize| format!("SEARCH {}ALL{}", open.repeat(n), close.repeat(n));
    assert!(parse(deep("(", ")", 100)).is_ok());
    assert!(parse(deep("NOT (", ")", 50)).is_ok());
    for (open, close) in [("(", ")"), ("NOT (", ")"), ("OR ALL (ALL ", ")"), ("(", "")] {
        assert!(parse(deep(open, close, 100_000)).is_err());
    }
    // Runs of one operator are flat.
    assert!(parse(deep("NOT ", "", 100_000)).is_ok());
    for chain in
        [format!("{}ALL", "OR ALL ".repeat(900)), format!("{}ALL{}", "OR ".repeat(900), " ALL".repeat(900))]
    {
        match parse(format!("SEARCH {chain}")) {
            Ok(Command::Search { key: SearchKey::Or(keys), .. }) => assert_eq!(keys.len(), 901),
            other => panic!("{other:?}"),
        }
    }
    assert!(parse(format!("SEARCH ALL{}", " ALL".repeat(1_000))).is_err());
}

#[test]
fn lists() {
    assert!(parse(format!("FETCH 1 ({})", vec!["BODY[]"; 257].join(" "))).is_err());
    assert!(
        parse(format!("FETCH 1 BODY[HEADER.FIELDS ({})]", vec!["{1+}\r\nx"; 100_000].join(" "))).is_err()
    );
    assert!(parse(format!("FETCH 1 BODY[{}]", vec!["1"; 100_000].join("."))).is_err());
    assert!(parse(format!("STORE 1 FLAGS ({})", vec!["x"; 100_000].join(" "))).is_err());
    assert!(parse(format!("STORE 1 FLAGS {}", vec!["x"; 100_000].join(" "))).is_err());
    assert!(parse(format!("ENABLE {}", vec!["x"; 100_000].join(" "))).is_err());
    assert!(parse(format!("FETCH {} FLAGS", vec!["1"; 100_000].join(","))).is_ok());
    assert!(parse(format!("FETCH {} FLAGS", vec!["1"; SequenceSet::RANGES_MAX + 1].join(","))).is_err());
}

#[test]
fn octets() {
    for bad in [
        &b"LOGIN \"a\0\" b"[..],
        b"LOGIN a {1}\r\n\0",
        b"LOGIN \"a b",
        b"LOGIN \"a\\x\" b",
        b"LOGIN a\x7f b",
        b"LOGIN \xc4\x91 b",
        b"SELECT \"a\rb\"",
        b"SELECT \"\\\"",
        b"NOOP\0",
        b"SEARCH LARGER 9223372036854775808",
        b"FETCH 99999999999999999999 FLAGS",
        b"SELECT {+}",
        b"SELECT {}",
    ] {
        assert!(parse(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
    }
    // The name of a user may be anything; such a one exists nowhere.
    assert!(parse(b"LOGIN \"\xff\" b").is_ok());
}

#[test]
fn a_megabyte_in_one_line() {
    for byte in *b"(a\"{*\\ 1,}\r" {
        let input = [b"t1 SEARCH ", vec![byte; 1 << 20].as_slice(), b"\r\nt2 NOOP\r\n"].concat();
        for (limits, piece) in [(LIMITS, 4_096), (Limits { command_bytes: 2 << 20, ..LIMITS }, 4_096)] {
            match events(limits, &input, piece).as_slice() {
                [Event::Rejected(reject), Event::Command(request)] => {
                    assert_eq!(reject.tag.as_ref().map(Tag::as_str), Some("t1"));
                    assert_eq!(request.tag.as_str(), "t2");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Pieces that IMAP is made of, so that random sequences get past the first word.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop::sample::select(vec![
        "a ",
        "UID ",
        "FETCH ",
        "SEARCH ",
        "STORE ",
        "APPEND ",
        "LOGIN ",
        "LIST ",
        "ID ",
        "STATUS ",
        "1",
        ":",
        ",",
        "*",
        "(",
        ")",
        "[",
        "]",
        "<",
        ">",
        "{3}\r\n",
        "{2+}\r\n",
        "{5000}\r\n",
        "{5000+}\r\n",
        "~",
        "\"",
        "\\",
        " ",
        "\r\n",
        "\n",
        "\r",
        "BODY",
        "BINARY",
        ".SIZE",
        "HEADER.FIELDS ",
        "OR ",
        "NOT ",
        "ALL",
        "\\Seen",
        "FLAGS",
        "+",
        "-",
        "x",
        "&",
        "&AbA-",
        "%",
        "\0",
        "{0}\r\n",
        "17-Jul-1996 02:44:25 -0700",
        "CHARSET ",
        "NIL",
        "{}",
        "{99999999999999999999}\r\n",
        "đ",
        ".",
        "0",
    ]);
    prop::collection::vec(fragment, 0..60).prop_map(|parts| parts.concat().into_bytes())
}

fn same_in_any_pieces(input: &[u8], piece: usize) -> std::result::Result<(), TestCaseError> {
    let limits = Limits {
        command_bytes: 300,
        literal_bytes: 50,
        literals: 4,
        append_bytes: 6_000,
        swallow_bytes: 8_000,
    };
    prop_assert_eq!(events(limits, input, usize::MAX), events(limits, input, piece));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_octets(input in prop::collection::vec(any::<u8>(), 0..400), piece in 1_usize..20) {
        same_in_any_pieces(&input, piece)?;
    }

    #[test]
    fn any_fragments(input in fragments(), piece in 1_usize..20) {
        same_in_any_pieces(&input, piece)?;
    }

    #[test]
    fn any_command(verb in "[A-Z]{2,12}|FETCH 1|SEARCH|UID STORE 1|LIST \"\"|STATUS a", input in fragments()) {
        let text = [verb.as_bytes(), b" ", input.as_slice()].concat();
        let _ = events(LIMITS, &[b"t ", text.as_slice(), b"\r\n"].concat(), usize::MAX);
    }
}
