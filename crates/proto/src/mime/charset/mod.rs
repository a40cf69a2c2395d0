//! Octets of a charset as Unicode. Every decoder is one pass, never fails (what it cannot read becomes U+FFFD or goes
//! through the fallback), and every text leaves as NFC without control characters.

mod utf7;
mod vietnamese;

use encoding_rs::{Encoding, REPLACEMENT, UTF_8, UTF_16BE, WINDOWS_1258};
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Text of octets labelled with a charset, not yet normalised. An unknown label is no label.
pub(super) fn decode(label: &str, octets: &[u8]) -> String {
    let label =
        label.trim_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'')).to_ascii_lowercase();
    match label.as_str() {
        // ASCII with other octets is a wrong label, so it decides nothing.
        "" | "us-ascii" | "ascii" | "unknown-8bit" | "x-unknown" | "default" => decode_unlabelled(octets),
        "viscii" | "csviscii" | "viscii1.1-1" | "x-viet-viscii" => vietnamese::viscii(octets),
        "tcvn" | "tcvn3" | "tcvn-5712" | "tcvn5712-1" | "tcvn5712-1:1993" | "x-viet-tcvn"
        | "x-viet-tcvn3" | "x-viet-tcvn5712" | "vscii" | "x-tcvn" => vietnamese::tcvn(octets),
        "vps" | "x-viet-vps" | "x-vps" => vietnamese::vps(octets),
        "vni" | "x-viet-vni" | "x-vni" => vietnamese::vni(octets),
        "utf-7" | "utf7" | "unicode-1-1-utf-7" | "x-unicode-2-0-utf-7" | "csunicode11utf7" => {
            utf7::decode(octets)
        }
        // RFC 2781 4.3: a mark decides, and without one it is big-endian.
        "utf-16" if !octets.starts_with(&[0xFF, 0xFE]) => {
            UTF_16BE.decode_with_bom_removal(octets).0.into_owned()
        }
        _ => match Encoding::for_label(label.as_bytes()) {
            Some(encoding) if encoding != REPLACEMENT => {
                encoding.decode_with_bom_removal(octets).0.into_owned()
            }
            _ => decode_unlabelled(octets),
        },
    }
}

/// Text of octets without a charset: UTF-8, and if they are not, windows-1258, which is what Vietnamese senders of old
/// mean and which agrees with Latin-1 in most letters.
pub(super) fn decode_unlabelled(octets: &[u8]) -> String {
    match UTF_8.decode_without_bom_handling_and_without_replacement(octets) {
        Some(text) => text.into_owned(),
        None => WINDOWS_1258.decode_without_bom_handling(octets).0.into_owned(),
    }
}

/// NFC on one line, without control characters; a tab becomes a space.
pub(super) fn tidy_line(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|character| if character == '\t' { ' ' } else { character })
        .filter(|character| !character.is_control())
        .collect();
    normalised(clean)
}

/// NFC with its lines: of the control characters only tab, CR and LF stay.
pub(super) fn tidy_text(text: &str) -> String {
    normalised(text.chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\r' | '\n')).collect())
}

fn normalised(text: String) -> String {
    if is_nfc(&text) { text } else { text.nfc().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_by_label() {
        assert_eq!(decode("UTF-8", "Tiếng Việt".as_bytes()), "Tiếng Việt");
        assert_eq!(decode(" \"iso-8859-1\" ", b"caf\xE9"), "café");
        assert_eq!(decode("us-ascii", "ở".as_bytes()), "ở");
        assert_eq!(decode("no-such-charset", "ở".as_bytes()), "ở");
        assert_eq!(decode("hz-gb-2312", b"plain"), "plain");
        assert_eq!(decode("utf-16", &[0x1E, 0xC7]), "ệ");
        assert_eq!(decode("utf-16", &[0xFF, 0xFE, 0xC7, 0x1E]), "ệ");
        assert_eq!(decode("utf-8", b"a\xFFb"), "a\u{FFFD}b");
        assert_eq!(decode("koi8-r", b"\xF2"), "Р");
        assert_eq!(decode("iso-2022-jp", b"\x1B$B$\"\x1B(B"), "あ");
    }

    #[test]
    fn windows_1258_becomes_composed() {
        // "Việt" as that code page writes it: a letter, then its tone as a combining mark.
        let text = decode("windows-1258", b"Vi\xEA\xF2t");
        assert_eq!(text, "Viê\u{323}t");
        assert_eq!(tidy_line(&text), "Việt");
        assert_eq!(tidy_line(&decode_unlabelled(b"\xD0\xF4\xF2ng \xFD\xDE")), "Động ữ");
    }

    #[test]
    fn tidied_text_has_no_controls() {
        assert_eq!(tidy_line("a\0b\tc\r\nd\u{85}"), "ab cd");
        assert_eq!(tidy_text("a\0b\tc\r\nd\u{1b}"), "ab\tc\r\nd");
        assert_eq!(tidy_text("e\u{302}\u{301}"), "ế");
    }
}
