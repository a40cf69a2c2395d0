//! Scripts over one message, and what is to be done with it.

use super::*;
use crate::mime::facts;
use jiff::Zoned;
use std::collections::BTreeMap;
use std::sync::Arc;

mod answers;
mod bombs;
mod chain;
mod cost;

const MESSAGE: &str = "Received: from a.test by b.test; Mon, 05 Oct 2026 09:05:00 +0700\r\nFrom: Nguyen Van An <an@so.tinh.gov.vn>\r\n\
    To: Binh <binh+viec@tinh.gov.vn>, cuong@tinh.gov.vn\r\nSubject: =?utf-8?Q?C=C3=B4ng_v=C4=83n?= 12/SNV\r\n\
    Date: Mon, 05 Oct 2026 09:00:00 +0700\r\nMessage-ID: <1@so.tinh.gov.vn>\r\nX-Priority: 2\r\n\r\nKính gửi các đồng chí\r\n";

fn setting() -> Setting {
    Setting {
        envelope_from: "an@so.tinh.gov.vn".into(),
        envelope_to: "binh+viec@tinh.gov.vn".into(),
        auth: String::new(),
        addresses: vec!["binh@tinh.gov.vn".into(), "binh+viec@tinh.gov.vn".into()],
        now: "2026-10-06T10:00:00+07:00[Asia/Ho_Chi_Minh]".parse::<Zoned>().unwrap(),
        environment: BTreeMap::from([("location".to_owned(), "MDA".to_owned())]),
        redirects_max: 4,
    }
}

fn ended(script: &str, message: &str, known: &Known) -> Ended {
    let script = compile(script.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{script}"));
    let facts = facts(message.as_bytes());
    let mail = Mail { raw: message.as_bytes(), structure: &facts.structure };
    run(&[&script], mail, &setting(), known)
}

fn outcome(script: &str) -> Outcome {
    match ended(script, MESSAGE, &Known::default()) {
        Ended::Done(outcome) => outcome,
        other => panic!("{script}: {other:?}"),
    }
}

/// What a script does, in short.
fn done(script: &str) -> String {
    let outcome = outcome(script);
    let mut words: Vec<String> = outcome.actions.iter().map(shown).collect();
    words.extend(outcome.failures.iter().map(ToString::to_string));
    words.join("; ")
}

fn shown(action: &Action) -> String {
    match action {
        Action::Keep { flags, header } => format!("keep {} {header}", flags.join(",")).trim_end().to_owned(),
        Action::FileInto(filing) => {
            format!("{} {}", filing.folder, filing.flags.join(",")).trim_end().to_owned()
        }
        Action::Redirect { to: Recipients::Address(to), .. } => format!("to {to}"),
        Action::Redirect { to: Recipients::List(to), .. } => format!("to all of {to}"),
        Action::Reject { reason, .. } => format!("reject {reason}"),
        Action::Vacation(answer) => format!("answer {}: {}: {}", answer.to, answer.subject, answer.reason),
        Action::Notify(notice) => format!("notify {}", notice.method),
    }
}

#[track_caller]
fn check(script: &str, expected: &str) {
    assert_eq!(done(script), expected, "{script}");
}

/// Is the test true of [`MESSAGE`]?
#[track_caller]
fn holds(require: &str, test: &str, expected: bool) {
    let require = if require.is_empty() { String::new() } else { format!("require [{require}];\r\n") };
    let script = format!("{require}if {test} {{ discard; }}");
    let discarded = outcome(&script).actions.is_empty();
    assert_eq!(discarded, expected, "{script}");
}

#[test]
fn what_is_not_handled_stays() {
    check("", "keep  0");
    check("keep;", "keep  0");
    check("discard;", "");
    check("discard; keep;", "keep  0");
    check("require \"fileinto\"; fileinto \"Công việc\";", "Công việc");
    check("require [\"fileinto\", \"copy\"]; fileinto :copy \"a\";", "a; keep  0");
    check("redirect \"x@y.test\";", "to x@y.test");
    check("stop; discard;", "keep  0");
}

#[test]
fn headers_are_compared_as_they_are_read() {
    holds("", "header :is \"subject\" \"Công văn 12/SNV\"", true);
    holds("", "header :contains [\"x-no\", \"subject\"] [\"zzz\", \"văn\"]", true);
    holds("", "header :matches \"subject\" \"C?ng *\"", true);
    holds("", "header :matches \"subject\" \"C?ng\"", false);
    holds("", "header :comparator \"i;octet\" \"x-priority\" \"2\"", true);
    holds(
        "\"comparator-i;vnd.congthu.without-marks\"",
        "header :contains :comparator \"i;vnd.congthu.without-marks\" \"subject\" \"cong van\"",
        true,
    );
    holds(
        "\"relational\", \"comparator-i;ascii-numeric\"",
        "header :value \"lt\" :comparator \"i;ascii-numeric\" \"x-priority\" \"3\"",
        true,
    );
    holds("\"relational\"", "header :count \"ge\" [\"to\", \"from\"] \"2\"", true);
    holds("", "exists [\"from\", \"date\"]", true);
    holds("", "exists [\"from\", \"x-none\"]", false);
    holds("", "not size :over 1K", true);
}

#[test]
fn addresses_have_parts() {
    holds("", "address :domain \"from\" \"so.tinh.gov.vn\"", true);
    holds("", "address :localpart \"to\" \"cuong\"", true);
    holds("", "address :all :contains \"to\" \"Binh\"", true);
    holds("", "address :all :contains \"from\" \"Nguyen\"", false);
    holds("\"subaddress\"", "address :detail \"to\" \"viec\"", true);
    holds("\"subaddress\"", "address :user \"to\" \"binh\"", true);
    holds("\"envelope\"", "envelope :is \"from\" \"an@so.tinh.gov.vn\"", true);
    holds("\"envelope\", \"subaddress\"", "envelope :detail \"to\" \"viec\"", true);
}

#[test]
fn variables_hold_what_wildcards_stood_for() {
    let script = "require [\"variables\", \"fileinto\"];\r\nif header :matches \"subject\" \"* */*\" { set :lower \"n\" \"${3}\"; }\r\nfileinto \"${2}.${n}\";";
    check(script, "văn 12.snv");
    check(
        "require [\"variables\",\"fileinto\"]; set \"a\" \"x${a}y\"; fileinto \"${A}${}${b c}\";",
        "xy${}${b c}",
    );
    check("require [\"variables\",\"fileinto\"]; set :length \"a\" \"văn\"; fileinto \"${a}\";", "3");
    check("require [\"encoded-character\",\"fileinto\"]; fileinto \"a${hex:42 43}${unicode:1EA1}\";", "aBCạ");
}

#[test]
fn flags_go_with_the_message() {
    check(
        "require \"imap4flags\"; addflag \"\\\\Seen\"; addflag [\"a b\", \"A\"]; removeflag \"b\"; keep;",
        "keep \\Seen,a 0",
    );
    check(
        "require [\"imap4flags\",\"fileinto\"]; setflag \"x\"; fileinto :flags \"\\\\Flagged\" \"f\"; keep;",
        "f \\Flagged; keep x 0",
    );
    holds("\"imap4flags\"", "hasflag \"a\"", false);
}

#[test]
fn dates_are_told_in_their_zone() {
    holds("\"date\", \"relational\"", "date :value \"ge\" \"date\" \"hour\" \"09\"", true);
    holds("\"date\"", "date :zone \"+0000\" \"date\" \"hour\" \"02\"", true);
    holds("\"date\"", "currentdate \"weekday\" \"2\"", true);
    holds("\"date\"", "currentdate \"iso8601\" \"2026-10-06T10:00:00+07:00\"", true);
    holds("\"date\"", "date :zone \"+0000\" \"date\" \"iso8601\" \"2026-10-05T02:00:00Z\"", true);
    holds("\"date\"", "date \"date\" \"julian\" \"61318\"", true);
    holds("\"date\", \"index\"", "date :index 1 \"received\" \"time\" \"09:05:00\"", true);
}

#[test]
fn answers_go_to_people_who_wrote_to_me() {
    let script = "require \"vacation\"; vacation \"Tôi đi công tác\";";
    check(script, "answer an@so.tinh.gov.vn: Trả lời tự động: Công văn 12/SNV: Tôi đi công tác; keep  0");
    for (from, to) in [
        ("From:", "List-Id: <a.b>\r\nFrom:"),
        ("From:", "Precedence: bulk\r\nFrom:"),
        ("To: Binh <binh+viec@", "To: <khac@"),
        ("From:", "Auto-Submitted: auto-replied\r\nFrom:"),
    ] {
        let message = MESSAGE.replace(from, to);
        let Ended::Done(outcome) = ended(script, &message, &Known::default()) else { panic!("asks") };
        assert_eq!(outcome.actions.len(), 1, "{message}");
    }
}

#[test]
fn the_header_is_changed_in_a_copy() {
    let outcome = outcome(
        "require [\"editheader\",\"fileinto\"]; fileinto \"as it came\"; addheader \"X-A\" \"1\"; deleteheader \"x-priority\"; keep;",
    );
    let [Action::FileInto(Filing { header: 0, .. }), Action::Keep { header: 1, .. }] =
        outcome.actions.as_slice()
    else {
        panic!("{outcome:?}");
    };
    let header = String::from_utf8(outcome.headers[0].clone()).unwrap();
    assert!(header.starts_with("X-A: 1\r\nReceived:"), "{header}");
    assert!(!header.contains("Priority") && header.ends_with("\r\n\r\n"), "{header}");
}

#[test]
fn who_wrote_and_when_is_not_for_scripts() {
    let script = "require \"editheader\"; deleteheader \"From\"; addheader \"From\" \"<leader@x.vn>\"; deleteheader \"Date\";
                  addheader \"Sender\" \"<leader@x.vn>\"; deleteheader \"Message-ID\"; addheader \"Resent-From\" \"<x@x.vn>\";";
    let Ended::Done(outcome) = ended(script, MESSAGE, &Known::default()) else { panic!("asks") };
    assert_eq!(outcome.failures, []);
    assert!(outcome.headers.is_empty(), "{:?}", outcome.headers);
}

#[test]
fn what_only_others_know_is_asked() {
    let script = "require [\"mailbox\",\"fileinto\"]; if mailboxexists \"a\" { fileinto \"a\"; }";
    let Ended::Asks(questions, _) = ended(script, MESSAGE, &Known::default()) else { panic!("does not ask") };
    let mut known = Known::default();
    known.answers.extend(questions.into_iter().map(|question| (question, true)));
    let Ended::Done(outcome) = ended(script, MESSAGE, &known) else { panic!("asks again") };
    assert_eq!(shown(&outcome.actions[0]), "a");
}

#[test]
fn where_mail_goes_is_told_beforehand() {
    let script = compile(
        b"require [\"copy\",\"variables\",\"extlists\",\"foreverypart\",\"mime\"];
        if true { redirect \"b@x.test\"; } elsif false { redirect :copy \"a@x.test\"; } else { redirect \"b@x.test\"; }
        foreverypart { if true { redirect \"c@x.test\"; } }
        set \"v\" \"d\"; redirect \"${v}@x.test\"; redirect :list \"tag:all\";",
    );
    assert_eq!(script.unwrap().passes_on_to(), ["a@x.test", "b@x.test", "c@x.test"]);
}

#[test]
fn what_cannot_be_a_field_is_no_mistake_in_a_test() {
    // RFC 5228 2.4.2.2.
    holds("", "header :contains [\"subject:\", \"sub ject\", \"\"] \"\"", false);
    holds("", "exists \"from:\"", false);
    holds("", "address :contains \"from:\" \"\"", false);
    holds("\"date\"", "date :is \"date:\" \"year\" \"2026\"", false);
    // RFC 5228 5.1: what a variable says is not looked at for addresses where there are none.
    check(
        "require \"variables\"; set \"f\" \"subject\"; if address :contains \"${f}\" \"\" { discard; }",
        "keep  0",
    );
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (script, expected) in [
        ("keep", "line 1, column 5: expected “;” or a block, found EOF"),
        ("if true\n  { fileinto \"a\"; }", "line 2, column 5: this needs require \"fileinto\""),
        ("require \"nope\";", "line 1, column 9: there is no extension “nope” here"),
        ("keep; require \"fileinto\";", "line 1, column 7: “require” stands before all else"),
        ("frobnicate;", "line 1, column 1: there is no command “frobnicate”"),
        ("else { keep; }", "line 1, column 1: “elsif” and “else” stand behind an “if”"),
        (
            "if header :is :contains \"a\" \"b\" { }",
            "line 1, column 15: “:contains” cannot stand beside what is said before it",
        ),
        ("redirect \"nobody\";", "line 1, column 10: “nobody” is not an address"),
        ("if header \"a\" { }", "line 1, column 11: a string or a list of strings is missing"),
        ("keep 5;", "line 1, column 6: there are too many arguments"),
        ("\"", "line 1, column 1: the string has no closing quotation mark"),
    ] {
        assert_eq!(compile(script.as_bytes()).unwrap_err().to_string(), expected, "{script}");
    }
    assert_eq!(
        compile(b"keep").unwrap_err().vietnamese(),
        "Dòng 1, cột 5: cần dấu “;” hoặc khối lệnh, nhưng gặp EOF"
    );
}
