//! What scripts and messages that are made to cost much are let cost: each way that fuzzing or reading found.

use super::*;
use crate::mime::limits::FIELDS_MAX;
use crate::sieve::limits::SCRIPT_OCTETS_MAX;
use std::time::{Duration, Instant};

/// Octets of all changed headers together.
const EDITIONS_OCTETS_MAX: usize = 4 * 1024 * 1024;

#[track_caller]
fn outcome_over(script: &str, message: &str) -> Outcome {
    match ended(script, message, &Known::default()) {
        Ended::Done(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn with_fields(count: usize) -> String {
    (0..count).map(|number| format!("x-{number}: a\r\n")).collect::<String>() + "\r\nbody\r\n"
}

#[test]
fn looking_for_a_field_among_many_costs_its_share() {
    let message = with_fields(8_000);
    for test in [
        "header \"nope\" \"a\"",
        "header :index 1 \"nope\" \"a\"",
        "address \"from\" \"a\"",
        "exists \"nope\"",
        "date \"date\" \"year\" \"2026\"",
    ] {
        let require = "require [\"date\", \"index\"];";
        let outcome = outcome_over(&format!("{require} if {test} {{ discard; }}"), &message);
        assert!(outcome.cost > 8_000 / 40, "{test}: {}", outcome.cost);
    }
    for command in ["deleteheader \"nope\";", "addheader \"x\" \"y\";", "vacation \"r\";"] {
        let require = "require [\"editheader\", \"vacation\"];";
        let outcome = outcome_over(&format!("{require} {command}"), &message);
        assert!(outcome.cost > 8_000 / 40, "{command}: {}", outcome.cost);
    }
}

#[test]
fn a_header_without_end_stays_as_it_is_behind_the_fields_that_are_read() {
    let message = with_fields(FIELDS_MAX + 100);
    let outcome = outcome_over(
        "require \"editheader\"; if exists \"x-10050\" { discard; } addheader \"a\" \"b\";",
        &message,
    );
    let header = message.strip_suffix("body\r\n").unwrap();
    assert_eq!(String::from_utf8_lossy(&outcome.headers[0]), format!("a: b\r\n{header}"));
    assert_eq!(outcome.actions.len(), 1, "what is behind them is not looked at");
}

#[test]
fn changed_headers_are_bounded_together() {
    let script = "require \"editheader\";".to_owned() + &"addheader \"x\" \"y\"; keep;".repeat(3_000);
    let message = MESSAGE.replace("X-Priority: 2", &format!("X-Long: {}", "a".repeat(20_000)));
    let outcome = outcome_over(&script, &message);
    assert!(outcome.headers.iter().map(Vec::len).sum::<usize>() <= EDITIONS_OCTETS_MAX);
    assert_eq!(outcome.actions, [Action::Keep { flags: Vec::new(), header: 0 }]);
}

#[test]
fn a_body_is_paid_for_by_what_is_read_of_it_and_once() {
    let tags = "<a>".repeat(300_000);
    let message = format!("Content-Type: text/html\r\n\r\n{tags}");
    let test = "if body :text :contains \"a\" { discard; }";
    let once = outcome_over(&format!("require \"body\"; {test}"), &message).cost;
    assert!(once > tags.len() as u64 / 40, "{once}");
    let often = outcome_over(&format!("require \"body\"; {}", test.repeat(50)), &message).cost;
    assert!(often < 2 * once, "{often}, not {once}");
}

#[test]
fn strings_that_are_made_are_paid_for_by_their_pieces_and_changes() {
    let script = |rest: &str| format!("require [\"variables\", \"enotify\"]; {rest}");
    let empty = outcome_over(&script(&format!("set \"a\" \"{}\";", "${b}".repeat(10_000))), MESSAGE).cost;
    assert!(empty > 10_000, "{empty}");
    let plain = "x".repeat(40_000);
    let changed = outcome_over(&script(&format!("set :upper :encodeurl \"a\" \"{plain}\";")), MESSAGE).cost;
    assert!(changed > 20_000, "{changed}");
    let value = outcome_over(
        &script("set :encodeurl \"a\" \"/ạ\"; if string \"${a}\" \"%2F%E1%BA%A1\" { discard; }"),
        MESSAGE,
    );
    assert!(value.actions.is_empty());
}

#[test]
fn comparing_without_marks_costs_more_than_comparing_octets() {
    let message = MESSAGE.replace("X-Priority: 2", &format!("X-Long: {}", "ạ".repeat(20_000)));
    let with = |comparator: &str| {
        let require = "require [\"comparator-i;vnd.congthu.without-marks\"];";
        let test = format!("header :contains :comparator \"{comparator}\" \"x-long\" [\"b\", \"c\", \"d\"]");
        outcome_over(&format!("{require} if {test} {{ discard; }}"), &message).cost
    };
    let (octets, marks) = (with("i;octet"), with("i;vnd.congthu.without-marks"));
    // Once, not for each key.
    assert!((60_000 / 3..60_000).contains(&(marks - octets)), "{octets}, {marks}");
}

/// Far above what reading it once takes unoptimised, far below what reading it from each place takes.
const PATIENCE: Duration = Duration::from_secs(2);

#[test]
fn a_script_is_read_once_whatever_is_in_it() {
    let room = SCRIPT_OCTETS_MAX - 100;
    let marks = "${".repeat(room / 2);
    let lines = "keep;".repeat(9_990) + &" ".repeat(room - 9_990 * 5);
    for (name, script) in [
        ("variables", format!("require \"variables\"; set \"a\" \"{marks}}}\";")),
        ("encoded", format!("require \"encoded-character\"; redirect \"{marks}}}\";")),
        ("a line", lines),
    ] {
        let begun = Instant::now();
        let _ = compile(script.as_bytes());
        assert!(begun.elapsed() < PATIENCE, "{name}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_field_is_added_behind_one_that_has_no_line_end() {
    let outcome = outcome_over("require \"editheader\"; addheader :last \"x\" \"y\";", "a: b\r\nc: d");
    assert_eq!(String::from_utf8_lossy(&outcome.headers[0]), "a: b\r\nc: d\r\nx: y\r\n\r\n");
}

/// Ends at the limit, and keeps the message.
#[track_caller]
fn costs_too_much(script: &str, message: &str) {
    let outcome = outcome_over(script, message);
    assert_eq!(outcome.failures.len(), 1, "{}", outcome.cost);
    assert_eq!(outcome.failures[0].reason, Reason::TooCostly);
    assert!(matches!(outcome.actions[..], [Action::Keep { .. }]));
}

#[test]
fn flags_are_counted_by_what_they_are_read_from() {
    let flags: String =
        (0..63).map(|n| format!("f{n} ")).chain(std::iter::repeat_n("f62 ".to_owned(), 1_900)).collect();
    let variables = vec!["\"a\""; 1_000].join(",");
    let require = "require [\"imap4flags\", \"variables\", \"mime\", \"foreverypart\"];";
    costs_too_much(
        &format!("{require} set \"a\" \"{flags}\"; if hasflag [{variables}] \"\" {{ discard; }}"),
        MESSAGE,
    );
    let said = format!("addflag \"{flags}\";").repeat(25);
    let outcome = outcome_over(&format!("{require} {said}"), MESSAGE);
    assert!(outcome.cost > 25 * flags.len() as u64, "{}", outcome.cost);
}

#[test]
fn who_is_on_a_list_is_counted_for_each_list_and_address() {
    let lists = vec!["\"x\""; 2_000].join(",");
    // Different ones are too many questions before that.
    let to = "a@x.vn, ".repeat(5_000);
    costs_too_much(
        &format!("require \"extlists\"; if address :list \"to\" [{lists}] {{ discard; }}"),
        &MESSAGE.replace("X-Priority: 2", &format!("To: {to}b@x.vn")),
    );
}

#[test]
fn what_is_found_is_counted_however_often_it_is_named() {
    let names = vec!["\"subject\""; 2_000].join(",");
    let message = "subject: a\r\n".repeat(8_000) + "\r\nbody\r\n";
    costs_too_much(&format!("if header [{names}] \"x\" {{ discard; }}"), &message);
    let params = vec!["\"a\""; 2_000].join(",");
    let message = format!("Content-Type: a/b; a={}\r\n", "v".repeat(4_000)).repeat(300) + "\r\nbody\r\n";
    let script =
        format!("require \"mime\"; if header :mime :param [{params}] \"content-type\" \"x\" {{ discard; }}");
    costs_too_much(&script, &message);
}

#[test]
fn strings_that_are_made_are_bounded_together() {
    let strings = vec![format!("\"{}\"", "${a}".repeat(8)); 1_900].join(",");
    let a = "x".repeat(8_000);
    costs_too_much(
        &format!("require \"variables\"; set \"a\" \"{a}\"; if string [{strings}] \"y\" {{ discard; }}"),
        MESSAGE,
    );
}
