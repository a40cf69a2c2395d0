//! One or two Sieve scripts over a message, with whatever answers to their questions: they end, within their limits, and the same each
//! time.
//!
//! The input is a script, one that it may include or that follows it, a message, and answers, with NUL between them.
#![no_main]

#[path = "shared/sieve.rs"]
mod shared;

use libfuzzer_sys::fuzz_target;
use proto::sieve::{Outcome, compile};
use std::sync::Arc;

const SENDERS: [&str; 4] = ["", "an@so.tinh.test", "binh@tinh.test", "owner-list@tinh.test"];

fuzz_target!(|input: &[u8]| {
    let mut pieces = input.splitn(4, |octet| *octet == 0);
    let [script, other, raw, answers] = std::array::from_fn(|_| pieces.next().unwrap_or_default());
    let Ok(script) = compile(script) else { return };
    let script = Arc::new(script);
    let other = compile(other).ok().map(Arc::new);
    let facts = proto::mime::facts(raw);
    let once = || -> Outcome {
        let mut octets = answers.iter().copied();
        let choice = usize::from(octets.next().unwrap_or(1));
        let setting = shared::setting(SENDERS[choice % SENDERS.len()], choice / 4 % 8);
        let mut chain = vec![&*script];
        chain.extend(other.as_deref().filter(|_| choice >= 0x80));
        let mut octets_of_scripts = answers.iter().rev().copied();
        let included = |_: &_| match octets_of_scripts.next().unwrap_or(0) % 4 {
            0 | 1 => other.clone(),
            2 => Some(Arc::clone(&script)),
            _ => None,
        };
        let answer = |_: &_| octets.next().unwrap_or(0) % 2 == 1;
        shared::follow(&chain, shared::mail(raw, &facts.structure), &setting, answer, included)
    };
    assert_eq!(once(), once(), "run twice, it is the same");
});
