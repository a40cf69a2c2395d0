//! Modified UTF-7, the writing of mailbox names (RFC 3501 5.1.3).
//!
//! Writing is strict. Reading is strict too, except that a name which is no modified UTF-7 is taken as it
//! stands ([`read`]): some clients send `R&D` or plain UTF-8. It is listed in its proper writing afterwards.

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

/// RFC 3501 5.1.3: `,` for `/`, no padding; unused bits must be zero.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone),
);

/// The text of a name as received; `None` when it is neither modified UTF-7 nor UTF-8.
pub(super) fn read(name: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(name).ok()?;
    Some(decode(text).unwrap_or_else(|| text.to_owned()))
}

/// Strict: `None` for any writing but the one that [`encode`] gives.
#[must_use]
pub fn decode(name: &str) -> Option<String> {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    // Two shifts in a row could have been one (RFC 3501 5.1.3).
    let mut after_shift = false;
    while let Some(first) = rest.chars().next() {
        if !(' '..='~').contains(&first) {
            return None;
        }
        let Some(shifted) = rest.strip_prefix('&') else {
            text.push(first);
            after_shift = false;
            rest = rest.get(1..)?;
            continue;
        };
        let (inner, behind) = shifted.split_once('-')?;
        rest = behind;
        if inner.is_empty() {
            text.push('&');
            after_shift = false;
            continue;
        }
        if after_shift {
            return None;
        }
        after_shift = true;
        let bytes = BASE64.decode(inner).ok()?;
        if bytes.len() % 2 != 0 {
            return None;
        }
        let units = bytes.chunks_exact(2).map(|pair| pair.iter().fold(0, |n, &b| n << 8 | u16::from(b)));
        for c in char::decode_utf16(units) {
            let c = c.ok()?;
            // Printable characters stand for themselves.
            if (' '..='~').contains(&c) {
                return None;
            }
            text.push(c);
        }
    }
    Some(text)
}

/// The one writing of a name.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let mut shifted: Vec<u8> = Vec::new();
    for c in text.chars() {
        if !(' '..='~').contains(&c) {
            let mut units = [0; 2];
            shifted.extend(c.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()));
            continue;
        }
        end_shift(&mut name, &mut shifted);
        name.push(c);
        if c == '&' {
            name.push('-');
        }
    }
    end_shift(&mut name, &mut shifted);
    name
}

fn end_shift(name: &mut String, shifted: &mut Vec<u8>) {
    if !shifted.is_empty() {
        name.push('&');
        BASE64.encode_string(&*shifted, name);
        name.push('-');
        shifted.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_names() {
        for (text, name) in [
            // RFC 3501 5.1.3
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Entwürfe & Gelöschtes", "Entw&APw-rfe &- Gel&APY-schtes"),
            ("Thư đã gửi", "Th&AbA- &AREA4w- g&Hu0-i"),
            ("😀", "&2D3eAA-"),
            ("", ""),
            ("-&-", "-&--"),
        ] {
            assert_eq!(encode(text), name);
            assert_eq!(decode(name).as_deref(), Some(text));
        }
    }

    #[test]
    fn refuses_other_writings() {
        for bad in [
            "&",
            "a&b",
            "&AGE-",              // RFC 3501 5.1.3: "a" stands for itself
            "&Jjo!",              // RFC 3501 5.1.3
            "&U,BTFw-&ZeVnLIqe-", // RFC 3501 5.1.3: superfluous shift
            "&2D0-",              // half a surrogate pair
            "&APx-",              // unused bits set
            "&AP-",               // half a unit
            "&APw=-",
            "ü",
            "a\tb",
        ] {
            assert_eq!(decode(bad), None, "{bad:?}");
            assert_eq!(read(bad.as_bytes()).as_deref(), Some(bad), "taken as it stands");
        }
        assert_eq!(read(b"\xfcber"), None);
    }

    proptest! {
        #[test]
        fn every_text_has_one_writing(text in any::<String>()) {
            let name = encode(&text);
            prop_assert!(name.bytes().all(|b| (b' '..=b'~').contains(&b)));
            prop_assert_eq!(decode(&name), Some(text));
        }

        #[test]
        fn what_decodes_encodes_back(name in "[&,a-cA-Z-]{0,12}|[ -~]{0,8}(&[A-Za-z0-9+,]{2,8}-)?[ -~]{0,4}") {
            if let Some(text) = decode(&name) {
                prop_assert_eq!(encode(&text), name);
            }
        }
    }
}
