//! UTF-7 (RFC 2152), which no one should send any more.

/// Every octet outside of a shift stands for itself; a shift is base64 of UTF-16, big-endian.
pub(super) fn decode(octets: &[u8]) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(octets.len());
    let mut octets = octets.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        if octet != b'+' {
            units.push(if octet.is_ascii() { u16::from(octet) } else { 0xFFFD });
            continue;
        }
        if octets.next_if_eq(&b'-').is_some() {
            units.push(u16::from(b'+'));
            continue;
        }
        let mut bits = 0_u32;
        let mut count = 0_u8;
        while let Some(digit) = octets.next_if(|octet| digit(*octet).is_some()).and_then(digit) {
            bits = (bits << 6 | digit) & 0x003F_FFFF;
            count += 6;
            if count >= 16 {
                count -= 16;
                units.push((bits >> count & 0xFFFF) as u16);
            }
        }
        octets.next_if_eq(&b'-');
    }
    String::from_utf16_lossy(&units)
}

fn digit(octet: u8) -> Option<u32> {
    Some(u32::from(match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn decodes_the_examples_of_rfc_2152() {
        assert_eq!(decode(b"A+ImIDkQ."), "A≢Α.");
        assert_eq!(decode(b"Hi Mom -+Jjo--!"), "Hi Mom -☺-!");
        assert_eq!(decode(b"+ZeVnLIqe-"), "日本語");
        assert_eq!(decode(b"1 +- 1 = 2"), "1 + 1 = 2");
        assert_eq!(decode(b"Vi+Hsc-t"), "Việt");
        assert_eq!(decode(b"+2D3eCg-\xFF+"), "\u{1F60A}\u{FFFD}");
    }
}
