//! The analyser against plain substring search.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn one_form_for_all_spellings() {
    let composed = "Công văn số 123/QĐ-UBND";
    let decomposed: String = composed.nfd().collect();
    assert_eq!(normalise(composed), "công văn số 123/qđ-ubnd");
    assert_eq!(normalise(&decomposed), normalise(composed));
    assert_eq!(normalise("a\r\n\t b\0c\u{a0}"), "a bc ");
    assert_eq!(fold("công văn số 123/qđ-ubnd"), "cong van so 123/qd-ubnd");
    assert_eq!(fold("nguyễn thị ửng, đặng ỹ"), "nguyen thi ung, dang y");
}

#[test]
fn needles_without_diacritics_find_texts_with_them() {
    let text = normalise("Kính gửi UBND tỉnh,\r\n  Đề nghị");
    for (needle, found) in [
        ("kinh gui", true),
        ("KÍNH GỬI", true),
        ("kính gui", false),
        ("tinh, de nghi", true),
        ("tỉnh, đề", true),
        ("tình", false),
        ("inh g", true),
        ("", true),
        ("ubnd  TINH", true),
    ] {
        assert_eq!(Needle::new(needle).found_in(&text), found, "{needle}");
    }
}

#[test]
fn words_and_codes() {
    let of = |text| tokens(text).collect::<Vec<_>>();
    assert_eq!(
        of("số 123/qđ-ubnd, 2026-11-22"),
        [
            Token::Word("số"),
            Token::Word("123"),
            Token::Word("qđ"),
            Token::Word("ubnd"),
            Token::Word("2026"),
            Token::Word("11"),
            Token::Word("22")
        ]
    );
    assert_eq!(of("a1b2 0912345678"), [Token::Code("a1b2"), Token::Code("0912345678")]);
    let long = "x".repeat(25);
    assert_eq!(of(&long), [Token::Code(&long)]);
    assert_eq!(of("–…! \n"), []);
    assert_eq!(grams("a1b2").len(), 2);
    assert_eq!(grams("ab"), [0_u32; 0]);
    assert_eq!(grams("đặng"), grams("dang"));
}

#[test]
fn runs_know_their_borders() {
    let needle = Needle::new("ng văn/b");
    let runs: Vec<_> = needle.runs().collect();
    assert_eq!(
        runs,
        [
            Run { text: "ng", begins_word: false, ends_word: true },
            Run { text: "văn", begins_word: true, ends_word: true },
            Run { text: "b", begins_word: true, ends_word: false }
        ]
    );
    assert!(Needle::new("văn").is_within_word() && !needle.is_within_word());
    let spaced = Needle::new(" a ");
    assert_eq!(spaced.runs().next(), Some(Run { text: "a", begins_word: true, ends_word: true }));
}

#[test]
fn sources_of_a_message() {
    let raw = "Subject: =?utf-8?q?H=E1=BB=8Dp?=\r\nFrom: \"An\" <an@x.vn>\r\nTo: a@b, c@d\r\n\r\n".as_bytes();
    let facts = mime::facts(raw);
    let text = facts_text(&facts.envelope);
    assert_eq!(FactsLine::Subject.of(&text).collect::<Vec<_>>(), ["họp"]);
    assert_eq!(FactsLine::From.of(&text).collect::<Vec<_>>(), ["an <an@x.vn>"]);
    assert_eq!(FactsLine::To.of(&text).collect::<Vec<_>>(), [" <a@b>", " <c@d>"]);
    assert_eq!(FactsLine::Bcc.of(&text).count(), 0);
    assert!(header_text(raw).starts_with("subject: họp\nfrom: \"an\" <an@x.vn>\n"));
}

use crate::mime;

/// What an index of the text alone can say: may the needle be in it?
fn index_may_have(text: &str, needle: &Needle) -> bool {
    let form = |word: &str| if needle.is_plain() { fold(word) } else { word.to_owned() };
    let all: Vec<Token<'_>> = tokens(text).collect();
    needle.runs().all(|run| {
        let wanted: BTreeSet<Gram> = grams(run.text).into_iter().collect();
        all.iter().any(|token| match token {
            Token::Word(word) => {
                let word = form(word);
                match (run.begins_word, run.ends_word) {
                    (true, true) => word == run.text,
                    (true, false) => word.starts_with(run.text),
                    (false, true) => word.ends_with(run.text),
                    (false, false) => word.contains(run.text),
                }
            }
            Token::Code(code) => wanted.is_subset(&grams(code).into_iter().collect()),
        })
    })
}

const PIECES: &str =
    "([abđcôộựưn]|công|văn|[0-9]{1,5}|a\u{302}\u{301}|[ \\-/.]|\u{300}|ﬁ|İ|K|漢|≠|\r\n){0,12}";

proptest! {
    #[test]
    fn an_index_never_misses(text in PIECES, needle in PIECES) {
        let (text, needle) = (normalise(&text), Needle::new(&needle));
        if needle.found_in(&text) {
            prop_assert!(index_may_have(&text, &needle), "{text:?} {needle:?}");
        }
        // One word that contains the needle is a hit without a look at the text.
        if needle.is_within_word() {
            let form = |word: &str| if needle.is_plain() { fold(word) } else { word.to_owned() };
            let certain = tokens(&text).any(|token| matches!(token, Token::Word(word) if form(word).contains(needle.text())));
            if certain {
                prop_assert!(needle.found_in(&text));
            }
        }
    }

    #[test]
    fn any_part_of_a_text_is_found(text in "\\PC{0,40}", from in 0_usize..40, length in 0_usize..20) {
        let part: String = normalise(&text).chars().skip(from).take(length).collect();
        let needle = Needle::new(&part);
        if needle.text() == part {
            prop_assert!(needle.found_in(&normalise(&text)));
            prop_assert!(index_may_have(&normalise(&text), &needle));
        }
    }

    #[test]
    fn normal_is_normal(text in "\\PC{0,40}") {
        let once = normalise(&text);
        prop_assert!(!once.contains(['\n', '\t', '\r', '\0']));
        prop_assert!(!once.contains("  "));
    }
}
