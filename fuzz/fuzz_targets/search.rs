//! The analyser of search: what is in a text is found by the index of it; subjects and threads of anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::imap::{Threadable, ThreadToken, base_subject, message_ids, ordered_subject, references};
use proto::search::{Needle, Token, fold, grams, header_text, normalise, tokens};

// The first line is searched for in the rest.
fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (needle, text) = text.split_once('\n').unwrap_or(("", &text));
    let (needle, text) = (Needle::new(needle), normalise(text));
    assert!(!text.contains(['\n', '\t', '\0']));
    if needle.found_in(&text) {
        for run in needle.runs() {
            let form = |word: &str| if needle.is_plain() { fold(word) } else { word.to_owned() };
            let wanted = grams(run.text);
            let found = tokens(&text).any(|token| match token {
                Token::Word(word) => form(word).contains(run.text),
                Token::Code(code) => {
                    let all = grams(code);
                    wanted.iter().all(|gram| all.contains(gram))
                }
            });
            assert!(found, "the index would miss it");
        }
    }
    let _ = header_text(data);
    let base = base_subject(&text);
    assert!(base.text.len() <= text.len());
    threads(data);
});

/// Each line is a message with the ids on it.
fn threads(data: &[u8]) {
    let messages: Vec<Threadable> = (1..)
        .zip(data.split(|byte| *byte == b'\n').take(200))
        .map(|(number, line)| {
            let mut ids = message_ids(line);
            let id = ids.pop();
            let subject = String::from_utf8_lossy(line.get(..1).unwrap_or_default()).into_owned();
            Threadable { number, date: 0, id, references: ids, subject, is_reply: line.len() % 2 == 0 }
        })
        .collect();
    for tokens in [ordered_subject(&messages), references(&messages)] {
        let numbers = tokens.iter().filter(|token| matches!(token, ThreadToken::Number(_))).count();
        assert_eq!(numbers, messages.len(), "each message once");
    }
}
