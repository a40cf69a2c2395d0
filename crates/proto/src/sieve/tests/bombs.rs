//! Scripts, and messages, made to cost more than they are worth: each ends at its limit, and the message stays.

use super::*;

/// What a script comes to over a message, with all questions answered by no.
fn exploded(script: &str, message: &str) -> Outcome {
    let script = compile(script.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let facts = facts(message.as_bytes());
    let mail = Mail { raw: message.as_bytes(), structure: &facts.structure };
    let mut known = Known::default();
    loop {
        match run(&[&script], mail, &setting(), &known) {
            Ended::Done(outcome) => return outcome,
            Ended::Asks(questions, _) => {
                known.answers.extend(questions.into_iter().map(|asked| (asked, false)));
            }
            Ended::Wants(wanted, _) => panic!("{wanted:?}"),
        }
    }
}

/// It failed for that reason, and the message is kept as it came.
#[track_caller]
fn ends_by(script: &str, message: &str, reason: Reason) {
    let outcome = exploded(script, message);
    assert_eq!(outcome.actions.iter().map(shown).collect::<Vec<_>>(), ["keep  0"]);
    assert_eq!(outcome.failures.into_iter().map(|failure| failure.reason).collect::<Vec<_>>(), [reason]);
    assert!(outcome.headers.is_empty() && outcome.sightings.is_empty() && outcome.cost <= 2_000_000);
}

#[test]
fn scripts_within_scripts_are_not_taken() {
    let problem = |source: &str| compile(source.as_bytes()).unwrap_err().problem;
    for (opens, inner, closes) in [("if true {", "stop;", "}"), ("foreverypart {", "stop;", "}")] {
        let source = format!(
            "require [\"foreverypart\",\"mime\"];{}{inner}{}",
            opens.repeat(100_000 / 15),
            closes.repeat(100_000 / 15)
        );
        assert_eq!(problem(&source), Problem::TooDeep(32));
    }
    let tests =
        |opens: &str, closes: &str| format!("if {}true{} {{}}", opens.repeat(20_000), closes.repeat(20_000));
    assert_eq!(problem(&tests("not ", "")), Problem::TooDeep(32));
    assert_eq!(problem(&tests("anyof(", ")")), Problem::TooDeep(32));
    assert_eq!(problem(&"[".repeat(200_000)), Problem::Expected(problem::Expected::Command, "“[”".into()));
    assert_eq!(problem(&"keep;".repeat(20_000)), Problem::TooManyCommands(10_000));
    let list = format!("if header \"a\" [{}\"\"] {{}}", "\"\",".repeat(5_000));
    assert_eq!(problem(&list), Problem::TooManyStrings(2_000));
    // A string of 10 MB.
    let string = format!("redirect \"{}\";", "a".repeat(10 * 1024 * 1024));
    assert_eq!(problem(&string), Problem::TooLarge(256 * 1024));
}

#[test]
fn variables_do_not_double_without_end() {
    let doubling = |times: usize| {
        "require \"variables\"; set \"a\" \"xxxxxxxx\";".to_owned() + &"set \"a\" \"${a}${a}\";".repeat(times)
    };
    // 2 to the power of 1,000 characters: a variable holds 8 KiB of them.
    let outcome = exploded(&doubling(1_000), MESSAGE);
    assert!(outcome.failures.is_empty() && outcome.cost < 600_000, "{}", outcome.cost);
    ends_by(&doubling(9_000), MESSAGE, Reason::TooCostly);
}

#[test]
fn wildcards_cost_what_they_take() {
    let stars = format!("if header :matches \"subject\" \"{}b\" {{ discard; }}", "*a".repeat(1_000));
    let message = MESSAGE.replace("X-Priority: 2", &format!("Subject: {}", "a".repeat(60_000)));
    ends_by(&stars.repeat(100), &message, Reason::TooCostly);
}

#[test]
fn a_header_of_ten_megabytes_is_compared_a_few_times() {
    let message =
        MESSAGE.replace("X-Priority: 2", &format!("Subject: {}", "a b\r\n ".repeat(10 * 1024 * 1024 / 6)));
    let test = "if header :contains \"subject\" \"zzz\" { discard; }";
    assert!(exploded(test, &message).failures.is_empty());
    ends_by(&test.repeat(200), &message, Reason::TooCostly);
}

#[test]
fn a_large_body_is_read_a_few_times() {
    let text = "Kính gửi các đồng chí\r\n".repeat(10 * 1024 * 1024 / 30);
    let message = MESSAGE.to_owned() + &text;
    let test = "if body :contains \"zzz\" { discard; }";
    let script = |times: usize| "require \"body\";".to_owned() + &test.repeat(times);
    assert!(exploded(&script(10), &message).failures.is_empty());
    ends_by(&script(100), &message, Reason::TooCostly);
}

/// `count` parts within one, or each within the one before.
fn message_of(count: usize, nested: bool) -> String {
    let mut message = "From: a@x.test\r\nMIME-Version: 1.0\r\n".to_owned();
    for place in 0..if nested { count } else { 1 } {
        message
            .push_str(&format!("Content-Type: multipart/mixed; boundary=\"b{place}\"\r\n\r\n--b{place}\r\n"));
    }
    if !nested {
        message.push_str(&"Content-Type: text/plain\r\n\r\na\r\n--b0\r\n".repeat(count));
    }
    message + "Content-Type: text/plain\r\n\r\na\r\n"
}

#[test]
fn parts_of_parts_are_looked_at_a_few_times() {
    let require = "require [\"foreverypart\",\"mime\",\"extracttext\",\"variables\"];";
    let child = "if header :mime :anychild :contains \"content-type\" \"zzz\" { discard; }";
    let many = message_of(10_000, false);
    ends_by(&format!("{require} foreverypart {{ {} }}", child.repeat(200)), &many, Reason::TooCostly);
    ends_by(&format!("{require} {}", child.repeat(1_000)), &many, Reason::TooCostly);
    let loops = "foreverypart {".repeat(30) + "extracttext \"a\";" + &"}".repeat(30);
    ends_by(&format!("{require} {loops}"), &message_of(10_000, true), Reason::TooCostly);
    assert!(
        exploded(&format!("{require} foreverypart {{ {child} }}"), &message_of(50, true)).failures.is_empty()
    );
}

#[test]
fn the_header_does_not_grow_without_end() {
    let require = "require [\"editheader\",\"foreverypart\",\"mime\",\"variables\"];";
    let adds = format!("{require} foreverypart {{ addheader \"X-A\" \"{}\"; }}", "a ".repeat(500));
    ends_by(&adds, &message_of(1_000, false), Reason::TooMuchHeader(64 * 1024));
    // Each added field makes those behind it longer to go through.
    let turns =
        format!("{require} foreverypart {{ {} }}", "addheader \"X\" \"\"; deleteheader \"X\";".repeat(1_000));
    ends_by(&turns, &message_of(1_000, false), Reason::TooMuchHeader(64 * 1024));
    // Every action may take another edition of the header.
    let editions = (0..60).map(|at| format!("fileinto :copy \"f{at}\"; addheader \"X\" \"{at}\";"));
    let editions =
        "require [\"editheader\",\"fileinto\",\"copy\"];".to_owned() + &editions.collect::<String>();
    let large = MESSAGE.replace("X-Priority: 2", &format!("X-Large: {}", "a".repeat(1024 * 1024)));
    ends_by(&editions, &large, Reason::TooMuchHeader(4 * 1024 * 1024));
}

#[test]
fn what_is_done_and_asked_has_its_most() {
    let many = |each: &dyn Fn(usize) -> String| (0..3_000).map(each).collect::<String>();
    let redirects = many(&|at| format!("redirect \"n{at}@y.test\";"));
    ends_by(&redirects, MESSAGE, Reason::TooManyRedirects(4));
    let folders = "require \"fileinto\";".to_owned() + &many(&|at| format!("fileinto \"f{at}\";"));
    ends_by(&folders, MESSAGE, Reason::TooManyActions(64));
    let asked =
        "require \"mailbox\";".to_owned() + &many(&|at| format!("if mailboxexists \"f{at}\" {{ discard; }}"));
    ends_by(&asked, MESSAGE, Reason::TooManyQuestions(200));
    let seen = "require \"duplicate\";".to_owned()
        + &many(&|at| format!("if duplicate :handle \"f{at}\" {{ discard; }}"));
    ends_by(&seen, MESSAGE, Reason::TooManyQuestions(32));
}

#[test]
fn scripts_that_include_each_other_end() {
    let script = |source: &str| Some(Arc::new(compile(source.as_bytes()).unwrap()));
    let include = |name: &str| format!("require \"include\"; include \"{name}\";");
    let ends = |source_of: &dyn Fn(&str) -> String| {
        let facts = facts(MESSAGE.as_bytes());
        let mail = Mail { raw: MESSAGE.as_bytes(), structure: &facts.structure };
        let first = compile(include("0").as_bytes()).unwrap();
        let mut known = Known::default();
        loop {
            match run(&[&first], mail, &setting(), &known) {
                Ended::Done(outcome) => return outcome,
                Ended::Wants(wanted, _) => {
                    let found = script(&source_of(&wanted.name.name));
                    known.scripts.insert(wanted, found);
                }
                Ended::Asks(asked, _) => panic!("{asked:?}"),
            }
        }
    };
    let next = |name: &str| (name.parse::<u32>().unwrap() + 1).to_string();
    let endless = ends(&|name| include(&next(name)));
    let circle = ends(&|name| include(if name == "0" { "1" } else { "0" }));
    for outcome in [endless, circle] {
        assert_eq!(outcome.failures[0].reason, Reason::IncludedTooDeep(10));
        assert_eq!(outcome.actions.len(), 1);
    }
    // Ten scripts that each include the next a hundred times: 10 to the power of 20 of them.
    let bushy = ends(&|name| match name {
        "9" => "keep;".to_owned(),
        _ => "require \"include\";".to_owned() + &format!("include \"{}\";", next(name)).repeat(100),
    });
    assert_eq!(bushy.failures[0].reason, Reason::TooCostly);
}
