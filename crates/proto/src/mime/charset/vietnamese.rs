//! The Vietnamese charsets from before Unicode that no library of ours knows: VISCII, TCVN 5712 ("TCVN3", the ABC
//! fonts), VPS and VNI. Offices of the provinces wrote in them until about 2005, and archives still hold such mail.

use encoding_rs::WINDOWS_1252;

/// RFC 1456.
pub(super) fn viscii(octets: &[u8]) -> String {
    table(octets, VISCII, VISCII_CONTROLS)
}

/// TCVN 5712:1993. Tones of its combining form follow their letter, as in Unicode.
pub(super) fn tcvn(octets: &[u8]) -> String {
    table(octets, TCVN, TCVN_CONTROLS)
}

/// The charset of the Vietnamese Professionals Society.
pub(super) fn vps(octets: &[u8]) -> String {
    table(octets, VPS, VPS_CONTROLS)
}

fn table(octets: &[u8], upper: &str, controls: &[(u8, char)]) -> String {
    let upper: Vec<char> = upper.chars().collect();
    let decode = |octet: &u8| match octet.checked_sub(0x80) {
        Some(index) => upper.get(usize::from(index)).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
        None => {
            let letter = controls.iter().find(|(control, _)| control == octet);
            letter.map_or(char::from(*octet), |(_, letter)| *letter)
        }
    };
    octets.iter().map(decode).collect()
}

/// VNI for Windows: a letter, then an octet for its marks. Gives combining marks; NFC composes them.
pub(super) fn vni(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 2);
    let mut rest = octets;
    while let Some((octet, behind)) = rest.split_first() {
        rest = behind;
        let Some((letter, takes)) = vni_letter(*octet) else {
            text.push_str(&WINDOWS_1252.decode_without_bom_handling(&[*octet]).0);
            continue;
        };
        text.push(letter);
        if let Some((mark, behind)) = rest.split_first()
            && let Some(marks) = vni_marks(*mark, takes)
        {
            text.push_str(marks);
            rest = behind;
        }
    }
    text
}

/// Which marks may follow a letter.
#[derive(Clone, Copy, PartialEq)]
enum Takes {
    Nothing,
    Tone,
    /// Tone or circumflex: E.
    Circumflex,
    /// Tone, circumflex or breve: A.
    Breve,
}

fn vni_letter(octet: u8) -> Option<(char, Takes)> {
    let letter = match octet {
        b'A' => ('A', Takes::Breve),
        b'a' => ('a', Takes::Breve),
        b'E' => ('E', Takes::Circumflex),
        b'e' => ('e', Takes::Circumflex),
        b'O' => ('O', Takes::Circumflex),
        b'o' => ('o', Takes::Circumflex),
        b'U' => ('U', Takes::Tone),
        b'u' => ('u', Takes::Tone),
        b'Y' => ('Y', Takes::Tone),
        b'y' => ('y', Takes::Tone),
        0xD4 => ('Ơ', Takes::Tone),
        0xF4 => ('ơ', Takes::Tone),
        0xD6 => ('Ư', Takes::Tone),
        0xF6 => ('ư', Takes::Tone),
        0xCC => ('Ì', Takes::Nothing),
        0xEC => ('ì', Takes::Nothing),
        0xCD => ('Í', Takes::Nothing),
        0xED => ('í', Takes::Nothing),
        0xC6 => ('Ỉ', Takes::Nothing),
        0xE6 => ('ỉ', Takes::Nothing),
        0xD3 => ('Ĩ', Takes::Nothing),
        0xF3 => ('ĩ', Takes::Nothing),
        0xD2 => ('Ị', Takes::Nothing),
        0xF2 => ('ị', Takes::Nothing),
        0xCE => ('Ỵ', Takes::Nothing),
        0xEE => ('ỵ', Takes::Nothing),
        0xD1 => ('Đ', Takes::Nothing),
        0xF1 => ('đ', Takes::Nothing),
        _ => return None,
    };
    Some(letter)
}

fn vni_marks(octet: u8, takes: Takes) -> Option<&'static str> {
    // Small letters have the same marks 0x20 higher.
    let (least, marks) = match octet & !0x20 {
        0xD9 => (Takes::Tone, "\u{301}"),
        0xD8 => (Takes::Tone, "\u{300}"),
        0xDB => (Takes::Tone, "\u{309}"),
        0xD5 => (Takes::Tone, "\u{303}"),
        0xCF => (Takes::Tone, "\u{323}"),
        0xC2 => (Takes::Circumflex, "\u{302}"),
        0xC1 => (Takes::Circumflex, "\u{302}\u{301}"),
        0xC0 => (Takes::Circumflex, "\u{302}\u{300}"),
        0xC5 => (Takes::Circumflex, "\u{302}\u{309}"),
        0xC3 => (Takes::Circumflex, "\u{302}\u{303}"),
        0xC4 => (Takes::Circumflex, "\u{302}\u{323}"),
        0xCA => (Takes::Breve, "\u{306}"),
        0xC9 => (Takes::Breve, "\u{306}\u{301}"),
        0xC8 => (Takes::Breve, "\u{306}\u{300}"),
        0xDA => (Takes::Breve, "\u{306}\u{309}"),
        0xDC => (Takes::Breve, "\u{306}\u{303}"),
        0xCB => (Takes::Breve, "\u{306}\u{323}"),
        _ => return None,
    };
    let fits = match takes {
        Takes::Nothing => false,
        Takes::Tone => least == Takes::Tone,
        Takes::Circumflex => least != Takes::Breve,
        Takes::Breve => true,
    };
    fits.then_some(marks)
}

/// RFC 1456, from 0x80 on.
const VISCII: &str = "\
    ẠẮẰẶẤẦẨẬẼẸẾỀỂỄỆỐ\
    ỒỔỖỘỢỚỜỞỊỎỌỈỦŨỤỲ\
    Õắằặấầẩậẽẹếềểễệố\
    ồổỗỠƠộờởịỰỨỪỬơớƯ\
    ÀÁÂÃẢĂẳẵÈÉÊẺÌÍĨỳ\
    ĐứÒÓÔạỷừửÙÚỹỵÝỡư\
    àáâãảăữẫèéêẻìíĩỉ\
    đựòóôõỏọụùúũủýợỮ\
    ";

/// Its letters in the place of control characters.
const VISCII_CONTROLS: &[(u8, char)] =
    &[(0x02, 'Ẳ'), (0x05, 'Ẵ'), (0x06, 'Ẫ'), (0x14, 'Ỷ'), (0x19, 'Ỹ'), (0x1E, 'Ỵ')];

/// TCVN 5712:1993 VN1; VN2 and VN3 (ABC fonts) are subsets of it, from 0x80 on.
const TCVN: &str = "\
    ÀẢÃÁẠẶẬÈẺẼÉẸỆÌỈĨ\
    ÍỊÒỎÕÓỌỘỜỞỠỚỢÙỦŨ\
    \u{A0}ĂÂÊÔƠƯĐăâêôơưđẰ\
    \u{300}\u{309}\u{303}\u{301}\u{323}àảãáạẲằẳẵắẴ\
    ẮẦẨẪẤỀặầẩẫấậèỂẻẽ\
    éẹềểễếệìỉỄẾỒĩíịò\
    Ổỏõóọồổỗốộờởỡớợù\
    ỖủũúụừửữứựỳỷỹýỵỐ\
    ";

/// Its letters in the place of control characters.
const TCVN_CONTROLS: &[(u8, char)] = &[
    (0x01, 'Ú'),
    (0x02, 'Ụ'),
    (0x04, 'Ừ'),
    (0x05, 'Ử'),
    (0x06, 'Ữ'),
    (0x11, 'Ứ'),
    (0x12, 'Ự'),
    (0x13, 'Ỳ'),
    (0x14, 'Ỷ'),
    (0x15, 'Ỹ'),
    (0x16, 'Ý'),
    (0x17, 'Ỵ'),
];

/// Vietnamese Professionals Society, from 0x80 on.
const VPS: &str = "\
    ÀẢÃẤẦẨọỗĂếềểệẮẰẲ\
    Ế‘’ỀỂỄỐỒỔỖýỷỵỚỜỞ\
    \u{A0}ắằẳẵặỠớÙờởỡŨỨợỪ\
    ổỬỲỸÍÌộỈĨÓửữÒỎÕự\
    ầÁÂấẩẫậđẻÉÊẹỉễịỹ\
    ƯỦồốÔỏơÈừứÚũưÝẺß\
    àáâãảạăçèéêẽìíîĩ\
    ẴĐòóôõöƠụùúủüỶẼỳ\
    ";

/// Its letters in the place of control characters.
const VPS_CONTROLS: &[(u8, char)] = &[
    (0x02, 'Ạ'),
    (0x03, 'Ậ'),
    (0x04, 'Ặ'),
    (0x05, 'Ẹ'),
    (0x06, 'Ệ'),
    (0x10, 'Ị'),
    (0x11, 'Ọ'),
    (0x12, 'Ộ'),
    (0x13, 'Ợ'),
    (0x14, 'Ụ'),
    (0x15, 'Ự'),
    (0x19, 'Ỵ'),
    (0x1C, 'Ẫ'),
    (0x1D, 'Ữ'),
];

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    /// Every letter of the Vietnamese alphabet that is not ASCII.
    const LETTERS: &str = "\
ÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝàáâãèéêìíòóôõùúýĂăĐđĨĩŨũƠơƯưẠạẢảẤấẦầẨẩẪẫẬậẮắẰằẲẳẴẵẶ\
ặẸẹẺẻẼẽẾếỀềỂểỄễỆệỈỉỊịỌọỎỏỐốỒồỔổỖỗỘộỚớỜờỞởỠỡỢợỤụỦủỨứỪừỬửỮữỰựỲỳỴỵỶỷỸỹ";

    fn octets_of(letter: char, upper: &str, controls: &[(u8, char)]) -> u8 {
        let control = controls.iter().find(|(_, known)| *known == letter).map(|(octet, _)| *octet);
        let index = upper.chars().position(|known| known == letter).map(|index| index as u8 + 0x80);
        control.or(index).unwrap_or_else(|| panic!("{letter} is missing"))
    }

    #[test]
    fn every_letter_makes_the_round_trip() {
        assert_eq!(LETTERS.chars().count(), 134);
        for letter in LETTERS.chars() {
            let expected = letter.to_string();
            assert_eq!(viscii(&[octets_of(letter, VISCII, VISCII_CONTROLS)]), expected);
            assert_eq!(tcvn(&[octets_of(letter, TCVN, TCVN_CONTROLS)]), expected);
            assert_eq!(vps(&[octets_of(letter, VPS, VPS_CONTROLS)]), expected);
        }
    }

    #[test]
    fn every_table_is_whole() {
        for (upper, controls) in [(VISCII, VISCII_CONTROLS), (TCVN, TCVN_CONTROLS), (VPS, VPS_CONTROLS)] {
            assert_eq!(upper.chars().count(), 128);
            let mut seen: Vec<char> =
                upper.chars().chain(controls.iter().map(|(_, letter)| *letter)).collect();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), 128 + controls.len());
            assert!(controls.iter().all(|(octet, _)| !b"\0\t\r\n".contains(octet)));
        }
    }

    #[test]
    fn known_texts() {
        assert_eq!(viscii(b"Ti\xAAng Vi\xAEt"), "Tiếng Việt");
        assert_eq!(
            tcvn(b"C\xE9ng h\xDFa x\xB7 h\xE9i ch\xF1 ngh\xDCa Vi\xD6t Nam"),
            "Cộng hòa xã hội chủ nghĩa Việt Nam"
        );
        assert_eq!(tcvn(b"o\xB3i"), "o\u{301}i");
        assert_eq!(vps(b"Ti\x89ng Vi\x8Ct"), "Tiếng Việt");
    }

    #[test]
    fn vni_has_every_letter() {
        let mut decoded = Vec::new();
        for first in 0..=255_u8 {
            for second in (0..=255_u8).filter(|octet| !octet.is_ascii()) {
                let text: String = vni(&[first, second]).nfc().collect();
                decoded.extend(text.chars().next().filter(|_| text.chars().count() == 1));
            }
            decoded.extend(vni(&[first]).nfc());
        }
        for letter in LETTERS.chars() {
            assert!(decoded.contains(&letter), "{letter}");
        }
    }

    #[test]
    fn vni_texts() {
        let text = |octets: &[u8]| vni(octets).nfc().collect::<String>();
        assert_eq!(text(b"Tie\xE1ng Vie\xE4t"), "Tiếng Việt");
        assert_eq!(text(b"TIE\xC1NG VIE\xC4T"), "TIẾNG VIỆT");
        assert_eq!(text(b"\xF1\xF6\xF4\xF8ng"), "đường");
        assert_eq!(text(b"Uy\xFB ba ban nha\xE2n da\xE2n t\xE6nh"), "Uỷ ba ban nhân dân tỉnh");
        assert_eq!(text(b"\x93x\x94"), "“x”");
    }
}
