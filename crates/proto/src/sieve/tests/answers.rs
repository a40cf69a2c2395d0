//! `vacation` and `notify` (RFC 5230, RFC 5435).

use super::*;

fn answer(script: &str, message: &str) -> Option<Answer> {
    let Ended::Done(outcome) = ended(script, message, &Known::default()) else { panic!("asks") };
    outcome.actions.into_iter().find_map(|action| match action {
        Action::Vacation(answer) => Some(answer),
        _ => None,
    })
}

/// RFC 5230 4.6, RFC 3834 2.
#[test]
fn machines_are_not_answered() {
    let script = "require \"vacation\"; vacation \"vắng\";";
    let with = |field: &str| MESSAGE.replace("X-Priority: 2", field);
    for (field, is_answered) in [
        ("Auto-Submitted: no", true),
        ("Auto-Submitted: No (by hand)", true),
        ("Auto-Submitted: no(by hand); x=y", true),
        ("Auto-Submitted: auto-replied", false),
        ("Auto-Submitted: auto-notified; owner-email=\"an@x.test\"", false),
        ("Auto-Submitted: nothing", false),
        ("X-Auto-Response-Suppress: DR, RN, NRN", true),
        ("X-Auto-Response-Suppress: None", true),
        ("X-Auto-Response-Suppress: DR, OOF", false),
        ("X-Auto-Response-Suppress: all", false),
        ("X-Autoreply: yes", false),
        ("X-Autorespond: x", false),
        ("Feedback-ID: 1:2:3", false),
        ("List-Unsubscribe: <mailto:a@x.test>", false),
        ("Precedence: Junk", false),
        ("Precedence: first-class", true),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=a", false),
        ("Content-Type: multipart/mixed; boundary=a", true),
    ] {
        assert_eq!(answer(script, &with(field)).is_some(), is_answered, "{field}");
    }
    let script = compile(script.as_bytes()).unwrap();
    let facts = facts(MESSAGE.as_bytes());
    let mail = Mail { raw: MESSAGE.as_bytes(), structure: &facts.structure };
    for (sender, is_answered) in [
        ("an@x.test", true),
        ("bouncer.an@x.test", true),
        ("MAILER-DAEMON@x.test", false),
        ("noreply@x.test", false),
        ("no_reply@x.test", false),
        ("noreply+tag@x.test", false),
        ("thongbao-noreply@x.test", false),
        ("no-reply-thongbao@x.test", false),
        ("ds-request@x.test", false),
        ("ds-bounces@x.test", false),
        ("ds-owner@x.test", false),
        ("owner-ds@x.test", false),
        ("bounces+12-an=x.test@y.test", false),
        ("bounce-12@y.test", false),
        ("BINH@tinh.gov.vn", false),
        ("", false),
    ] {
        let setting = Setting { envelope_from: sender.into(), ..setting() };
        let Ended::Done(outcome) = run(&[&script], mail, &setting, &Known::default()) else { panic!("asks") };
        let vacation = outcome.actions.iter().any(|action| matches!(action, Action::Vacation(_)));
        assert_eq!(vacation, is_answered, "{sender}");
    }
}

/// Else two who take the word of each other's machine out of it would write to each other for ever.
#[test]
fn who_takes_a_field_out_answers_none_for_it() {
    let script = "require [\"vacation\",\"editheader\"]; deleteheader \"Auto-Submitted\"; addheader \"To\" \"binh@tinh.gov.vn\"; vacation \"vắng\";";
    assert!(answer(script, MESSAGE).is_some());
    assert_eq!(answer(script, &MESSAGE.replace("X-Priority: 2", "Auto-Submitted: auto-replied")), None);
    let to_others = MESSAGE.replace("To: Binh <binh+viec@tinh.gov.vn>, ", "To: ");
    assert_eq!(answer(script, &to_others), None);
}

/// RFC 5230 4.2: as it is written, whatever comes of it; and what stands in one argument is not in another.
#[test]
fn answers_are_the_same_by_what_is_written() {
    let handle = |arguments: &str, subject: &str| {
        let script = format!(
            "require [\"vacation\",\"variables\"]; if header :matches \"subject\" \"*\" {{ vacation {arguments}; }}"
        );
        let message = MESSAGE.replace("=?utf-8?Q?C=C3=B4ng_v=C4=83n?= 12/SNV", subject);
        answer(&script, &message).unwrap().handle
    };
    for same in [
        ":subject \"Automatic response to: ${1}\" \"away\"",
        ":from \"${1}@x.test\" \"away\"",
        "\"away: ${1}\"",
        ":handle \"away\" \"away: ${1}\"",
    ] {
        assert_eq!(handle(same, "one"), handle(same, "two"), "{same}");
    }
    let different = [
        "\"a\"",
        ":subject \"a\" \"a\"",
        ":subject \"\" \"a\"",
        ":from \"a@x.test\" \"a\"",
        ":mime \"\r\na\"",
        "\"\r\na\"",
        ":subject \"a\" :from \"b@x.test\" \"c\"",
        ":subject \"a\nb@x.test\" \"c\"",
    ];
    let handles: std::collections::HashSet<String> =
        different.iter().map(|arguments| handle(arguments, "one")).collect();
    assert_eq!(handles.len(), different.len(), "{handles:?}");
}

/// RFC 5230 5: what would not be an entity is said when it is put, not found at night.
#[test]
fn a_reason_that_is_no_entity_is_not_taken() {
    let script = |reason: &str| format!("require \"vacation\"; vacation :mime \"{reason}\";");
    let taken = |reason: &str| compile(script(reason).as_bytes()).is_ok();
    assert!(taken("Content-Type: text/html; charset=utf-8\r\n\r\n<p>Tôi đi vắng</p>"));
    assert!(!taken("Tôi đi vắng") && !taken("Content-Type: text/plain; name=vắng\r\n\r\na"));
    let wrong = compile(script("Tôi đi vắng").as_bytes()).unwrap_err();
    assert!(wrong.vietnamese().starts_with("Dòng 1, cột 36: "), "{}", wrong.vietnamese());
}

#[test]
fn a_notice_names_whom_it_is_for() {
    let is_taken =
        |method: &str| compile(format!("require \"enotify\"; notify \"{method}\";").as_bytes()).is_ok();
    assert!(is_taken("mailto:an%2Bviec@x.test?subject=a") && is_taken("mailto:?to=an@x.test"));
    for method in ["mailto:", "mailto:an", "mailto:an@x.test?to=b", "mailto:An <an@x.test>", "xmpp:an@x.test"]
    {
        assert!(!is_taken(method), "{method}");
        holds("\"enotify\"", &format!("valid_notify_method \"{method}\""), false);
    }
    holds("\"enotify\"", "valid_notify_method \"mailto:an%2Bviec@x.test\"", true);
}

/// RFC 5436 2.7.
#[test]
fn no_notice_is_given_of_one() {
    let script =
        "require [\"enotify\",\"editheader\"]; deleteheader \"Auto-Submitted\"; notify \"mailto:z@y.test\";";
    for (field, notices) in [
        ("Auto-Submitted: auto-notified; owner-email=\"z@y.test\"", 0),
        ("Auto-Submitted: auto-replied", 0),
        ("Auto-Submitted: no", 1),
        ("List-Id: <a.b>", 1),
    ] {
        let message = MESSAGE.replace("X-Priority: 2", field);
        let Ended::Done(outcome) = ended(script, &message, &Known::default()) else { panic!("asks") };
        let given = outcome.actions.iter().filter(|action| matches!(action, Action::Notify(_))).count();
        assert_eq!(given, notices, "{field}");
    }
}
