//! Scripts behind each other: what the next one is left to decide, and what not.

use super::*;

fn ended_of(scripts: &[&str], known: &Known) -> Ended {
    let scripts: Vec<Script> = scripts.iter().map(|script| compile(script.as_bytes()).unwrap()).collect();
    let chain: Vec<&Script> = scripts.iter().collect();
    let facts = facts(MESSAGE.as_bytes());
    run(&chain, Mail { raw: MESSAGE.as_bytes(), structure: &facts.structure }, &setting(), known)
}

fn outcome_of(scripts: &[&str]) -> Outcome {
    match ended_of(scripts, &Known::default()) {
        Ended::Done(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check_all(scripts: &[&str], expected: &str) {
    let outcome = outcome_of(scripts);
    let mut words: Vec<String> = outcome.actions.iter().map(shown).collect();
    words.extend(outcome.failures.iter().map(|failure| format!("{}: {failure}", failure.script)));
    assert_eq!(words.join("; "), expected, "{scripts:?}");
}

#[test]
fn without_a_script_the_message_is_kept() {
    check_all(&[], "keep  0");
}

#[test]
fn the_next_decides_about_what_is_kept() {
    let filed = "require \"fileinto\"; fileinto \"a\";";
    check_all(&["", filed], "a");
    check_all(&["keep;", filed], "a");
    check_all(&["stop;", "discard;"], "");
    check_all(&["require \"fileinto\"; fileinto \"INBOX\";", filed], "a");
    check_all(&["require [\"fileinto\",\"copy\"]; fileinto :copy \"b\";", filed], "b; a");
    check_all(&["require [\"copy\"]; redirect :copy \"x@y.test\";", "", "keep;"], "to x@y.test; keep  0");
}

#[test]
fn what_is_taken_away_does_not_come_to_the_next() {
    let filed = "require \"fileinto\"; fileinto \"a\";";
    check_all(&[filed, "discard;"], "a");
    check_all(&["discard;", filed], "");
    check_all(&["redirect \"x@y.test\";", filed], "to x@y.test");
    check_all(&["require \"reject\"; reject \"không\";", filed], "reject không");
}

#[test]
fn flags_go_on_to_the_last_keep() {
    let flags = "require \"imap4flags\";";
    check_all(&[&format!("{flags} addflag \"a\";"), "", "keep;"], "keep a 0");
    check_all(&[&format!("{flags} addflag \"b\"; keep :flags \"a\";"), ""], "keep a 0");
    check_all(&[&format!("{flags} keep :flags \"a\";"), &format!("{flags} addflag \"c\";")], "keep a,c 0");
    check_all(&[&format!("{flags} setflag \"a\";"), "require \"fileinto\"; fileinto \"x\";"], "x a");
    check_all(&[&format!("{flags} setflag \"a\";"), &format!("{flags} removeflag \"a\";")], "keep  0");
}

#[test]
fn a_changed_header_goes_on() {
    let edit = "require \"editheader\"; addheader \"X-A\" \"1\";";
    let seen = "require \"fileinto\"; if header \"x-a\" \"1\" { fileinto \"seen\"; }";
    let outcome = outcome_of(&[edit, seen]);
    let [Action::FileInto(Filing { header: 1, .. })] = outcome.actions.as_slice() else {
        panic!("{outcome:?}");
    };
    // What is changed by a script that fails is as it was before it, not as it came.
    let failing = "require [\"editheader\",\"variables\"]; addheader \"X-B\" \"2\"; keep; set \"a\" \"nobody\"; redirect \"${a}\";";
    let outcome = outcome_of(&[edit, failing, ""]);
    let [Action::Keep { header: 1, .. }] = outcome.actions.as_slice() else { panic!("{outcome:?}") };
    let header = String::from_utf8(outcome.headers[0].clone()).unwrap();
    assert!(outcome.headers.len() == 1 && header.contains("X-A") && !header.contains("X-B"), "{header}");
}

const FAILS: &str = "require [\"fileinto\",\"variables\",\"imap4flags\",\"duplicate\"];\n\
    addflag \"lost\"; discard; if duplicate { stop; } fileinto \"lost\";\nset \"a\" \"nobody\"; redirect \"${a}\";";

#[test]
fn a_script_that_fails_keeps_and_the_next_follows() {
    let failed = "line 3: “nobody” is not an address";
    let unseen = |scripts: &[&str]| {
        let mut known = Known::default();
        loop {
            match ended_of(scripts, &known) {
                Ended::Done(outcome) => return outcome,
                Ended::Asks(questions, _) => known.answers.extend(questions.into_iter().map(|q| (q, false))),
                Ended::Wants(wanted, _) => panic!("{wanted:?}"),
            }
        }
    };
    let outcome = unseen(&[FAILS, "require \"fileinto\"; fileinto \"a\";"]);
    assert_eq!(outcome.actions.iter().map(shown).collect::<Vec<_>>(), ["a"]);
    assert!(outcome.sightings.is_empty());
    // No failure hides another one's.
    let outcome = unseen(&["", FAILS, "", FAILS]);
    assert_eq!(outcome.actions.iter().map(shown).collect::<Vec<_>>(), ["keep  0"]);
    let told: Vec<_> = outcome.failures.iter().map(|failure| (failure.script, failure.to_string())).collect();
    assert_eq!(told, [(1, failed.to_owned()), (3, failed.to_owned())]);
}

#[test]
fn what_earlier_ones_wanted_outlives_a_failure() {
    check_all(
        &[
            "require [\"copy\",\"fileinto\",\"imap4flags\"]; fileinto :copy \"b\"; addflag \"a\";",
            "require \"variables\"; set \"a\" \"nobody\"; redirect \"${a}\";",
        ],
        "b; keep a 0; 1: line 1: “nobody” is not an address",
    );
}

#[test]
fn variables_and_stops_are_each_scripts_own() {
    check_all(
        &[
            "require \"variables\"; set \"a\" \"x\"; stop;",
            "require [\"variables\",\"fileinto\"]; fileinto \"y${a}\";",
        ],
        "y",
    );
    let globals = "require [\"include\",\"variables\",\"fileinto\"]; global \"a\"; fileinto \"y${a}\";";
    check_all(&["require [\"include\",\"variables\"]; global \"a\"; set \"a\" \"x\";", globals], "y");
}

#[test]
fn only_the_first_answer_counts() {
    let answers = |text: &str| format!("require \"vacation\"; vacation :subject \"s\" \"{text}\";");
    check_all(&[&answers("một"), &answers("hai")], "answer an@so.tinh.gov.vn: s: một; keep  0");
    // Within one script two are a mistake (RFC 5230 4.7).
    let both = answers("một") + "vacation \"hai\";";
    check_all(&[&both], "keep  0; 0: line 1: a message cannot be answered twice");
}

#[test]
fn who_is_refused_is_not_answered_too() {
    let answers = "require \"vacation\"; vacation \"Tôi đi vắng\";";
    let rejects = "require \"ereject\"; ereject \"không\";";
    check_all(&[answers, rejects], "reject không");
    let refused = |scripts: &[&str]| match outcome_of(scripts).actions.as_slice() {
        [.., Action::Reject { in_dialogue, .. }] => *in_dialogue,
        other => panic!("{other:?}"),
    };
    assert!(refused(&["", answers, rejects]));
    // What was passed on is accepted: then only a report can say so.
    assert!(!refused(&["require \"copy\"; redirect :copy \"x@y.test\";", rejects]));
}

#[test]
fn limits_of_what_is_done_are_of_all_together() {
    let passes = |from: usize| -> String {
        let each = |at| format!("redirect :copy \"n{at}@y.test\";");
        "require \"copy\";".to_owned() + &(from..from + 3).map(each).collect::<String>()
    };
    check_all(
        &[&passes(0), &passes(0), &passes(3), "discard;"],
        "to n0@y.test; to n1@y.test; to n2@y.test; 2: line 1: more than 4 to pass it on to",
    );
    let files = |from: usize| -> String {
        let each = |at| format!("fileinto :copy \"f{at}\";");
        "require [\"copy\",\"fileinto\"];".to_owned() + &(from..from + 40).map(each).collect::<String>()
    };
    let outcome = outcome_of(&[&files(0), &files(40)]);
    assert_eq!(outcome.actions.len(), 41);
    assert_eq!(outcome.failures[0].reason, Reason::TooManyActions(64));
}

#[test]
fn each_script_may_cost_as_much_as_one_alone() {
    let costly = "require \"variables\"; set \"a\" \"xxxxxxxx\";".to_owned()
        + &format!("set \"a\" \"{}\";", "${a}".repeat(8)).repeat(3_000);
    let (costly, last) = (compile(costly.as_bytes()).unwrap(), compile(b"discard;").unwrap());
    let facts = facts(MESSAGE.as_bytes());
    let mail = Mail { raw: MESSAGE.as_bytes(), structure: &facts.structure };
    let Ended::Done(outcome) = run(&[&costly, &last], mail, &setting(), &Known::default()) else { panic!() };
    assert_eq!(outcome.failures.iter().map(|f| f.reason.clone()).collect::<Vec<_>>(), [Reason::TooCostly]);
    assert!(outcome.actions.is_empty() && outcome.cost > 1_000_000, "{outcome:?}");
}

#[test]
fn what_is_included_is_of_the_scripts_owner() {
    let including = "require \"include\"; include \"a\";";
    let Ended::Wants(first, _) = ended_of(&[including, including], &Known::default()) else { panic!() };
    assert_eq!((first.by, first.name.name.as_str()), (0, "a"));
    let mut known = Known::default();
    known.scripts.insert(first, Some(Arc::new(compile(b"keep;").unwrap())));
    let Ended::Wants(second, _) = ended_of(&[including, including], &known) else { panic!() };
    assert_eq!(second.by, 1);
    let fails = compile(b"require \"variables\";\nset \"a\" \"x\"; redirect \"${a}\";").unwrap();
    known.scripts.insert(second, Some(Arc::new(fails)));
    let Ended::Done(outcome) = ended_of(&[including, including], &known) else { panic!() };
    let [failure] = outcome.failures.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((failure.script, failure.to_string().as_str()), (1, "“a”, line 2: “x” is not an address"));
    assert_eq!(failure.vietnamese(), "Dòng 2 của “a”: “x” không phải là địa chỉ thư");
}
