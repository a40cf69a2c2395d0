//! The answer of a notice of leave (B4), as a script: so it is made, sent and remembered as every other answer is.

use jiff::civil::Date;
use proto::sieve::{Script, ScriptError, compile};

/// Answers on its days, the first and the last one with them, as its text was written. Without a subject, that of what is answered
/// follows `Trả lời tự động: `.
///
/// # Errors
/// When the text is longer than a script may be.
pub(crate) fn leave_script(
    (from, to): (Date, Date),
    subject: Option<&str>,
    text: &str,
) -> Result<Script, ScriptError> {
    let subject = subject.map(|subject| format!(" :subject {}", quoted(subject))).unwrap_or_default();
    let source = format!(
        "require [\"vacation\", \"date\", \"relational\"];\r\n\
         if allof (currentdate :value \"ge\" \"date\" \"{from}\", currentdate :value \"le\" \"date\" \"{to}\") {{\r\n\
         vacation{subject} {};\r\n}}\r\n",
        quoted(text)
    );
    compile(source.as_bytes())
}

/// RFC 5228 2.4.2: what stands in it means nothing but itself.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Zoned;
    use jiff::civil::date;
    use proto::mime::facts;
    use proto::sieve::{Action, Answer, Ended, Known, Mail, Setting, run};
    use std::collections::BTreeMap;

    const MESSAGE: &[u8] = b"From: an@x.test\r\nTo: binh@demo.gov.vn\r\nSubject: hop\r\n\r\nx\r\n";

    fn answered(subject: Option<&str>, text: &str, now: &str) -> Option<Answer> {
        let days = (date(2026, 11, 24), date(2026, 11, 30));
        let script = leave_script(days, subject, text).unwrap();
        let facts = facts(MESSAGE);
        let setting = Setting {
            envelope_from: "an@x.test".into(),
            envelope_to: "binh@demo.gov.vn".into(),
            auth: String::new(),
            addresses: Vec::new(),
            now: now.parse::<Zoned>().unwrap(),
            environment: BTreeMap::new(),
            redirects_max: 0,
        };
        let mail = Mail { raw: MESSAGE, structure: &facts.structure };
        let Ended::Done(outcome) = run(&[&script], mail, &setting, &Known::default()) else {
            panic!("it asks")
        };
        outcome.actions.into_iter().find_map(|action| match action {
            Action::Vacation(answer) => Some(answer),
            _ => None,
        })
    }

    const NOON: &str = "2026-11-25T12:00:00+07:00[Asia/Ho_Chi_Minh]";

    #[test]
    fn the_text_is_as_it_was_written() {
        let long = "Tôi nghỉ phép. ".repeat(700);
        for text in [
            "Tôi đi công tác, việc gấp xin liên hệ đ/c \"Bình\" \\ 0912.345.678",
            ".\r\n..\r\n.\r\n;\r\n\"; discard; stop; \"",
            "${1} ${hex:41} # /* không phải ghi chú */ text:\r\n",
            "\\\"\\\\\"\\",
            long.as_str(),
        ] {
            let answer = answered(Some(text), text, NOON).unwrap();
            assert_eq!((answer.reason.as_str(), answer.subject.as_str()), (text, text));
        }
        assert!(leave_script((date(2026, 1, 1), date(2026, 1, 2)), None, &"x".repeat(300_000)).is_err());
    }

    #[test]
    fn it_answers_on_its_days_each_text_for_itself() {
        let answer = answered(None, "Vắng", NOON).unwrap();
        assert_eq!(answer.subject, "Trả lời tự động: hop");
        let other = answered(None, "Nghỉ ốm", NOON).unwrap();
        assert_ne!(answer.handle, other.handle, "who has the one is told the other, too (RFC 5230 4.2)");
        assert_eq!((answer.mime, answer.period, answer.from), (false, None, None));
        for (now, is_answered) in [
            ("2026-11-23T23:59:59+07:00[Asia/Ho_Chi_Minh]", false),
            ("2026-11-24T00:00:00+07:00[Asia/Ho_Chi_Minh]", true),
            ("2026-11-30T23:59:59+07:00[Asia/Ho_Chi_Minh]", true),
            ("2026-12-01T00:00:00+07:00[Asia/Ho_Chi_Minh]", false),
        ] {
            assert_eq!(answered(None, "Vắng", now).is_some(), is_answered, "{now}");
        }
    }
}
