//! Follows Sieve scripts to their end, as `engine` does, and looks at what they want.

use proto::mime::{Structure, header_end};
use proto::sieve::{Action, Ended, Known, Mail, Outcome, Question, Recipients, Script, Setting, Wanted, run};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a run may cost, want, and leave behind at most: said here again, so that nobody moves it unseen.
const COST_MAX: u64 = 2_000_000;
const ACTIONS_MAX: usize = 64;
const HEADERS_OCTETS_MAX: usize = 4 * 1024 * 1024;
/// What is not asked twice comes to an end long before.
const ROUNDS_MAX: usize = 512;

pub fn setting(envelope_from: &str, redirects_max: usize) -> Setting {
    Setting {
        envelope_from: envelope_from.to_owned(),
        envelope_to: "binh+viec@tinh.test".to_owned(),
        auth: String::new(),
        addresses: vec!["binh@tinh.test".to_owned()],
        now: "2026-10-06T10:00:00+07:00[+07:00]".parse().expect("a moment"),
        environment: BTreeMap::from([("name".to_owned(), "Công Thư".to_owned())]),
        redirects_max,
    }
}

/// The outcome, once all that it asks is answered.
pub fn follow(
    chain: &[&Script],
    mail: Mail<'_>,
    setting: &Setting,
    mut answer: impl FnMut(&Question) -> bool,
    mut included: impl FnMut(&Wanted) -> Option<Arc<Script>>,
) -> Outcome {
    let mut known = Known::default();
    for _ in 0..ROUNDS_MAX {
        match run(chain, mail, setting, &known) {
            Ended::Done(outcome) => {
                check(&outcome, chain.len(), setting);
                return outcome;
            }
            Ended::Asks(questions, _) => {
                assert!(!questions.is_empty(), "asks nothing");
                for question in questions {
                    let answer = answer(&question);
                    assert!(known.answers.insert(question, answer).is_none(), "asks again");
                }
            }
            Ended::Wants(wanted, _) => {
                let script = included(&wanted);
                assert!(known.scripts.insert(wanted, script).is_none(), "wants it again");
            }
        }
    }
    panic!("asks without end");
}

fn check(outcome: &Outcome, scripts: usize, setting: &Setting) {
    assert!(outcome.cost <= COST_MAX * scripts as u64, "costs more than a run may");
    assert!(outcome.actions.len() <= ACTIONS_MAX + 1, "does more than a run may");
    assert!(outcome.failures.len() <= scripts);
    if outcome.failures.len() == scripts {
        assert_eq!(outcome.actions, [Action::Keep { flags: Vec::new(), header: 0 }], "a failure keeps");
        assert!(outcome.headers.is_empty() && outcome.sightings.is_empty());
    }
    for failure in &outcome.failures {
        assert!(
            failure.script < scripts && !failure.to_string().is_empty() && !failure.vietnamese().is_empty()
        );
    }
    assert!(outcome.headers.iter().map(Vec::len).sum::<usize>() <= HEADERS_OCTETS_MAX, "headers grow");
    for header in &outcome.headers {
        assert!(header.ends_with(b"\r\n") && header_end(header) == header.len(), "a header has no end, or two");
    }
    let redirects = outcome.actions.iter().filter(|action| matches!(action, Action::Redirect { .. }));
    assert!(redirects.count() <= setting.redirects_max, "passes on more often than it may");
    for action in &outcome.actions {
        match action {
            Action::Keep { flags, header } => check_copy(flags, *header, outcome),
            Action::FileInto(filing) => {
                check_copy(&filing.flags, filing.header, outcome);
                assert!(!filing.folder.is_empty() && !filing.folder.chars().any(char::is_control));
            }
            Action::Redirect { to, header } => {
                check_copy(&[], *header, outcome);
                if let Recipients::Address(to) = to {
                    assert!(to.contains('@') && !to.contains(['\r', '\n', ' ']), "no address: {to:?}");
                }
            }
            Action::Notify(notice) => assert!((1..=3).contains(&notice.importance)),
            Action::Vacation(answer) => assert_eq!(answer.to, setting.envelope_from),
            Action::Reject { .. } => {}
        }
    }
}

fn check_copy(flags: &[String], header: usize, outcome: &Outcome) {
    assert!(header <= outcome.headers.len(), "a header that there is not");
    assert!(flags.len() <= 64, "more flags than a message may have");
    assert!(flags.iter().all(|flag| !flag.is_empty() && flag.bytes().all(|octet| octet.is_ascii_graphic())));
}

/// Of a message that was looked at.
pub fn mail<'a>(raw: &'a [u8], structure: &'a Structure) -> Mail<'a> {
    Mail { raw, structure }
}
