//! Transfer encodings undone. Decoders are tolerant: what is no part of the encoding is passed over (base64) or kept
//! as it is (quoted-printable). One pass, at most one octet out per octet in.

/// Octets of a body with its transfer encoding undone; of an unknown encoding as they are.
pub fn decode_body(encoding: &str, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    decode_into(encoding, body, &mut |octets| out.extend_from_slice(octets));
    out
}

/// How many octets `decode_body` would give, without making them.
pub(super) fn decoded_size(encoding: &str, body: &[u8]) -> u64 {
    let mut size = 0_u64;
    decode_into(encoding, body, &mut |octets| size += octets.len() as u64);
    size
}

fn decode_into(encoding: &str, body: &[u8], sink: &mut dyn FnMut(&[u8])) {
    if encoding.eq_ignore_ascii_case("base64") {
        base64(body, sink);
    } else if encoding.eq_ignore_ascii_case("quoted-printable") {
        quoted_printable(body, sink);
    } else {
        sink(body);
    }
}

/// RFC 2045 6.8: characters outside the alphabet are ignored. Padding ends a group, and what follows starts anew, for
/// bodies that were joined from encoded pieces.
pub(super) fn base64(body: &[u8], sink: &mut dyn FnMut(&[u8])) {
    let mut group = 0_u32;
    let mut digits = 0_u8;
    for byte in body {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                base64_rest(group, digits, sink);
                (group, digits) = (0, 0);
                continue;
            }
            _ => continue,
        };
        group = group << 6 | u32::from(digit);
        digits += 1;
        if digits == 4 {
            let [_, first, second, third] = group.to_be_bytes();
            sink(&[first, second, third]);
            (group, digits) = (0, 0);
        }
    }
    base64_rest(group, digits, sink);
}

fn base64_rest(group: u32, digits: u8, sink: &mut dyn FnMut(&[u8])) {
    match digits {
        2 => sink(&[(group >> 4) as u8]),
        3 => sink(&[(group >> 10) as u8, (group >> 2) as u8]),
        _ => {}
    }
}

/// RFC 2045 6.7: white space at a line's end is none of the text, `=` at a line's end joins lines.
fn quoted_printable(body: &[u8], sink: &mut dyn FnMut(&[u8])) {
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let ending = if line.ends_with(b"\r\n") {
            &b"\r\n"[..]
        } else if line.ends_with(b"\n") {
            &b"\n"[..]
        } else {
            &[]
        };
        let content = line.get(..line.len() - ending.len()).unwrap_or(line).trim_ascii_end();
        let (content, ending) = match content.strip_suffix(b"=") {
            Some(joined) => (joined, &b""[..]),
            None => (content, ending),
        };
        escapes(content, b'=', sink);
        sink(ending);
    }
}

/// Octets in which `marker` and two hexadecimal digits are one octet; anything else stays.
pub(super) fn escapes(text: &[u8], marker: u8, sink: &mut dyn FnMut(&[u8])) {
    let mut rest = text;
    while let Some(position) = rest.iter().position(|byte| *byte == marker) {
        let (plain, escaped) = rest.split_at_checked(position).unwrap_or((rest, &[]));
        sink(plain);
        rest = if let [_, high, low, behind @ ..] = escaped
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            sink(&[high << 4 | low]);
            behind
        } else {
            sink(&[marker]);
            escaped.get(1..).unwrap_or_default()
        };
    }
    sink(rest);
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(encoding: &str, body: &str, expected: &str) {
        assert_eq!(String::from_utf8_lossy(&decode_body(encoding, body.as_bytes())), expected, "{body}");
        assert_eq!(decoded_size(encoding, body.as_bytes()), expected.len() as u64, "{body}");
    }

    #[test]
    fn decodes_base64() {
        check("base64", "aGVsbG8gd29ybGQ=", "hello world");
        check("BASE64", "aGVs\r\nbG8g\r\n  d29y*bGQ", "hello world");
        check("base64", "aGVsbG8=IHdvcmxk", "hello world");
        check("base64", "", "");
        check("base64", "a", "");
    }

    #[test]
    fn decodes_quoted_printable() {
        check(
            "quoted-printable",
            "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
            "Now's the time for all folk to come to the aid of their country.",
        );
        check("quoted-printable", "Ti=E1=BA=BFng Vi=e1=bb=87t  \t\r\n= \r\n=4", "Tiếng Việt\r\n=4");
        check("quoted-printable", "a=\nb\nc=XY=", "ab\nc=XY");
    }

    #[test]
    fn other_encodings_are_the_octets_themselves() {
        check("7bit", "a=3D b=\r\n", "a=3D b=\r\n");
        check("x-unknown", "aGVsbG8=", "aGVsbG8=");
    }
}
