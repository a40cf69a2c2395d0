//! ENVELOPE and BODYSTRUCTURE of any message: the answer can be taken apart again, whatever the message says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::imap::Writer;

fuzz_target!(|raw: &[u8]| {
    let facts = proto::mime::facts(raw);
    let mut writer = Writer::new();
    writer.fetch_start(1);
    writer.fetch_envelope(&facts.envelope);
    writer.fetch_body(&facts.structure);
    writer.fetch_body_structure(&facts.structure);
    writer.fetch_end();
    check(&writer.take());
});

/// One response: balanced parentheses, quoted strings and literals that end, CRLF only behind literals and at the end.
fn check(mut text: &[u8]) {
    let mut depth = 0_usize;
    while let Some((octet, rest)) = text.split_first() {
        text = rest;
        match octet {
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1).expect("a parenthesis closes that was not opened"),
            b'"' => text = quoted(text),
            b'{' => text = literal(text),
            b'\r' => {
                assert_eq!(text, b"\n", "a line ends within the answer");
                assert_eq!(depth, 0, "a parenthesis is left open");
                return;
            }
            _ => assert!((0x20..0x7f).contains(octet), "octet {octet} outside a string"),
        }
    }
    panic!("no line end");
}

fn quoted(text: &[u8]) -> &[u8] {
    let mut escaped = false;
    for (index, octet) in text.iter().enumerate() {
        assert!(!matches!(octet, b'\r' | b'\n' | 0), "a control character in a quoted string");
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return &text[index + 1..],
            _ => {}
        }
    }
    panic!("a quoted string does not end");
}

fn literal(text: &[u8]) -> &[u8] {
    let end = text.windows(3).position(|window| window == b"}\r\n").expect("a literal has a length");
    let length: usize = std::str::from_utf8(&text[..end]).unwrap().parse().unwrap();
    &text[end + 3 + length..]
}
