//! Transfer encodings of bodies that are in memory undone. One pass, at most one octet out per octet in.

use super::transfer::{TransferDecoder, hex};

/// Octets of base64 counted together.
const BLOCK_BYTES: usize = 128;

/// Octets of a body with its transfer encoding undone; of an unknown encoding as they are.
pub fn decode_body(encoding: &str, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    decode_into(encoding, body, &mut |octets| out.extend_from_slice(octets));
    out
}

/// How many octets `decode_body` would give, without making them.
pub(super) fn decoded_size(encoding: &str, body: &[u8]) -> u64 {
    if encoding.eq_ignore_ascii_case("base64") {
        return base64_size(body);
    }
    let mut size = 0_u64;
    decode_into(encoding, body, &mut |octets| size += octets.len() as u64);
    size
}

fn decode_into(encoding: &str, body: &[u8], sink: &mut dyn FnMut(&[u8])) {
    let mut decoder = TransferDecoder::new(encoding).unwrap_or(TransferDecoder::IDENTITY);
    decoder.feed(body, sink);
    decoder.finish(sink);
}

/// base64 from its beginning to its end.
pub(super) fn base64(body: &[u8], sink: &mut dyn FnMut(&[u8])) {
    decode_into("base64", body, sink);
}

/// How many octets [`base64`] gives: this is most of what looking at a message with a large attachment costs, so it only
/// counts, in steps that a compiler turns into vector instructions.
fn base64_size(body: &[u8]) -> u64 {
    let (mut size, mut digits) = (0_u64, 0_u64);
    let octets = |digits: u64| digits / 4 * 3 + (digits % 4).saturating_sub(1);
    for block in body.chunks(BLOCK_BYTES) {
        if !block.contains(&b'=') {
            // No block has more digits than an octet counts.
            digits += u64::from(block.iter().map(|byte| u8::from(is_digit(*byte))).sum::<u8>());
            continue;
        }
        for byte in block {
            if *byte == b'=' {
                size += octets(digits);
                digits = 0;
            } else {
                digits += u64::from(is_digit(*byte));
            }
        }
    }
    size + octets(digits)
}

fn is_digit(byte: u8) -> bool {
    (byte | 0x20).wrapping_sub(b'a') < 26 || byte.wrapping_sub(b'0') < 10 || byte == b'+' || byte == b'/'
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
        check("base64", "aGVs====bG8=\r\n=a=", "hello");
        let (line, many) = ("aGVsbG8g\r\n".repeat(100), "hello ".repeat(100));
        check("base64", &format!("{line}aGVsbG8={line}aGVsbG8"), &format!("{many}hello{many}hello"));
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
