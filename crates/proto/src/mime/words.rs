//! Header values as text for people: encoded words (RFC 2047) and raw octets, in one pass. Encoded words are taken
//! wherever they stand, also inside quoted file names where they must not but do; what only looks like one stays.

use super::body::{base64, escapes};
use super::charset;
use super::header::unfold;
use super::limits::{DECODED_HEADER_MAX, TOKEN_MAX};

/// Text of a header value as NFC: encoded words, UTF-8 or legacy octets; without control characters.
pub fn decode_header(value: &[u8]) -> String {
    let value = unfold(value, DECODED_HEADER_MAX);
    let mut text = String::with_capacity(value.len());
    let mut pending: Option<Pending<'_>> = None;
    let mut plain_start = 0;
    let mut at = 0;
    while let Some(step) = find_marker(&value, at) {
        let Some((word, end)) = word_at(&value, step) else {
            at = step + 2;
            continue;
        };
        let plain = value.get(plain_start..step).unwrap_or_default();
        // RFC 2047 6.2: white space between two encoded words is not shown.
        let joins = pending.is_some() && plain.trim_ascii().is_empty();
        if !joins {
            flush(&mut pending, &mut text);
            text.push_str(&charset::decode_unlabelled(plain));
        }
        // A character may be split between words of one charset; RFC 2047 5 forbids it, senders do it.
        match &mut pending {
            Some(open) if open.charset.eq_ignore_ascii_case(word.charset) => {
                word.decode_into(&mut open.octets);
            }
            _ => {
                flush(&mut pending, &mut text);
                let mut octets = Vec::new();
                word.decode_into(&mut octets);
                pending = Some(Pending { charset: word.charset, octets });
            }
        }
        plain_start = end;
        at = end;
    }
    flush(&mut pending, &mut text);
    text.push_str(&charset::decode_unlabelled(value.get(plain_start..).unwrap_or_default()));
    charset::tidy_line(&text)
}

/// Octets of neighbouring encoded words of one charset.
struct Pending<'a> {
    charset: &'a [u8],
    octets: Vec<u8>,
}

fn flush(pending: &mut Option<Pending<'_>>, text: &mut String) {
    if let Some(open) = pending.take() {
        text.push_str(&charset::decode(&String::from_utf8_lossy(open.charset), &open.octets));
    }
}

struct Word<'a> {
    charset: &'a [u8],
    is_base64: bool,
    text: &'a [u8],
}

impl Word<'_> {
    fn decode_into(&self, out: &mut Vec<u8>) {
        if self.is_base64 {
            base64(self.text, &mut |octets| out.extend_from_slice(octets));
        } else {
            // RFC 2047 4.2 (2): an underscore is a space in any charset.
            let spaced: Vec<u8> =
                self.text.iter().map(|byte| if *byte == b'_' { b' ' } else { *byte }).collect();
            escapes(&spaced, b'=', &mut |octets| out.extend_from_slice(octets));
        }
    }
}

/// Offset of the next `=?`.
fn find_marker(value: &[u8], from: usize) -> Option<usize> {
    let rest = value.get(from..)?;
    rest.windows(2).position(|pair| pair == b"=?").map(|position| from + position)
}

/// The encoded word at `start` and the offset behind it. Looks no further than the next thing that ends or begins a
/// word, so that a flood of beginnings costs one pass.
fn word_at(value: &[u8], start: usize) -> Option<(Word<'_>, usize)> {
    let rest = value.get(start + 2..)?;
    let charset_end = rest.iter().take(TOKEN_MAX + 1).position(|byte| *byte == b'?')?;
    let charset = rest.get(..charset_end)?;
    // RFC 2231 5: `charset*language`.
    let charset = charset.split(|byte| *byte == b'*').next().unwrap_or(charset);
    if charset.is_empty() || !charset.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let [_, encoding, b'?', text @ ..] = rest.get(charset_end..)? else { return None };
    let is_base64 = match encoding {
        b'B' | b'b' => true,
        b'Q' | b'q' => false,
        _ => return None,
    };
    let mut position = 0;
    loop {
        match text.get(position..)? {
            [b'?', b'=', ..] => break,
            [b'=', b'?', b'=', ..] => position += 1,
            [b'=', b'?', ..] | [] => return None,
            _ => position += 1,
        }
    }
    let end = value.len() - text.len() + position + 2;
    Some((Word { charset, is_base64, text: text.get(..position)? }, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &str) {
        assert_eq!(decode_header(value.as_bytes()), expected, "{value}");
    }

    #[test]
    fn decodes_the_table_of_rfc_2047() {
        check("(=?ISO-8859-1?Q?a?=)", "(a)");
        check("(=?ISO-8859-1?Q?a?= b)", "(a b)");
        check("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)");
        check("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)");
        check("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)");
        check("(=?ISO-8859-1?Q?a_b?=)", "(a b)");
        check("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)");
    }

    #[test]
    fn decodes_the_examples_of_rfc_2047() {
        check("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>");
        check("=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard");
        check(
            "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
            "If you can read this you understand the example.",
        );
        check("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore");
        check("=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=", "םולש ןב ילטפנ");
    }

    #[test]
    fn decodes_what_senders_do() {
        // A character split between words, in both encodings.
        check("=?utf-8?Q?Vi=E1?= =?UTF-8?Q?=BB=87t?=", "Việt");
        check("=?utf-8?B?VGnhur8=?= =?utf-8?B?bmcgVmnhu4d0?=", "Tiếng Việt");
        // Inside quotation marks, spaces in the text, raw octets beside.
        check("\"=?utf-8?Q?a b?=.pdf\"", "\"a b.pdf\"");
        check("Công văn", "Công văn");
        check("Co\u{302}ng va\u{306}n", "Công văn");
        assert_eq!(decode_header(b"caf\xE9 =?utf-8?q?=C3=A9?="), "café é");
        check("=?utf-8?Q??=", "");
        check("=?utf-8?Q?=C3=A9=?=", "é=");
        // Unknown charsets do not lose the text; controls do not pass.
        check("=?x-nobody-knows?Q?abc?=", "abc");
        check("a=?utf-8?Q?=00=0D=0A=07b?=", "ab");
    }

    #[test]
    fn what_is_no_encoded_word_stays() {
        for value in
            ["=?utf-8?Q?open", "=?utf-8?X?a?=", "=??Q?a?=", "=?utf-8?Q", "=?", "a =? b ?=", "=?a b?Q?c?="]
        {
            check(value, value);
        }
        check("=?utf-8?Q?open =?utf-8?Q?a?=", "=?utf-8?Q?open a");
    }

    #[test]
    fn floods_are_linear() {
        for flood in ["=?", "=?a?q?x", "=?a?q?", "=?utf-8?Q?a?= ", "=?utf-8?B?", "=?a", "?=", "=?utf-7?Q?+?="]
        {
            let value = flood.repeat(1_000_000 / flood.len());
            assert!(decode_header(value.as_bytes()).len() <= value.len());
        }
    }
}
