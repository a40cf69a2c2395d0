//! `congthu trace logins`: who logged in to a mailbox, by which door, from where.

use super::{Session, spreadsheet};
use crate::cli::TraceLogins;
use anyhow::{Context as _, Result};
use engine::{LoginOutcome, LoginQuery, LoginReport, LoginSeen};
use jiff::SignedDuration;
use model::calendar::{local_text, local_time};
use serde_json::{Value, json};
use std::io::Write as _;

/// Log-ins that are shown.
const SHOWN_MAX: u32 = 10_000;

const TITLES: [&str; 6] = ["Thời điểm", "Dịch vụ", "Địa chỉ IP", "Quốc gia", "Kết quả", "Lý do từ chối"];

pub(super) async fn run(session: &Session, options: &TraceLogins) -> Result<()> {
    let TraceLogins { address, since, until, csv } = options;
    let query = LoginQuery { address, since: *since, until: *until, limit: SHOWN_MAX };
    let report = session.node.engine.logins(&session.actor, &query).await?;
    if let Some(before) = rest(&report) {
        eprintln!(
            "only the newest {SHOWN_MAX} are shown; what came before them: congthu trace logins {address} --since {} --until {before}",
            report.since
        );
    }
    if *csv {
        let text = as_csv(&report.logins)?;
        return std::io::stdout()
            .lock()
            .write_all(text.as_bytes())
            .context("cannot write to standard output");
    }
    let text: String = report.logins.iter().map(|login| line(login) + "\n").collect();
    session.answer(&as_json(&report), &text)
}

/// Up to when the next part of a report that was cut off goes: the last one that was shown comes again, so that none of its moment is
/// left out.
fn rest(report: &LoginReport) -> Option<jiff::Timestamp> {
    let last = report.logins.last().filter(|_| report.is_cut)?;
    Some(last.at + SignedDuration::from_micros(1))
}

fn line(login: &LoginSeen) -> String {
    let outcome = match &login.outcome {
        LoginOutcome::LetIn => "let in".to_owned(),
        LoginOutcome::ChangedPassword => "let in, and changed the password".to_owned(),
        LoginOutcome::Refused(why) => format!("refused: {why}"),
    };
    let (door, remote) = (login.door.as_deref().unwrap_or("-"), login.remote.as_deref().unwrap_or("-"));
    let country = login.country.map_or_else(|| "-".to_owned(), |country| country.to_string());
    format!("{}\t{door}\t{remote}\t{country}\t{outcome}", local_text(login.at))
}

fn as_json(report: &LoginReport) -> Value {
    let one = |login: &LoginSeen| {
        let why = match &login.outcome {
            LoginOutcome::Refused(why) => Some(why),
            _ => None,
        };
        json!({ "at": login.at, "door": login.door, "remote": login.remote, "country": login.country,
                "outcome": login.outcome.as_str(), "why": why })
    };
    json!({
        "since": report.since,
        "until": report.until,
        "logins": report.logins.iter().map(one).collect::<Vec<_>>(),
        "rest_until": rest(report),
    })
}

fn as_csv(logins: &[LoginSeen]) -> Result<String> {
    let row = |login: &LoginSeen| {
        [
            local_time(login.at).strftime("%Y-%m-%d %H:%M:%S").to_string(),
            login.door.as_deref().map(door_words).unwrap_or_default().to_owned(),
            login.remote.clone().unwrap_or_default(),
            login.country.map(model::Country::vietnamese).unwrap_or_default(),
            login.outcome.vietnamese().to_owned(),
            login.outcome.reason_vietnamese().to_owned(),
        ]
    };
    spreadsheet::written(TITLES, logins.iter().map(row))
}

fn door_words(door: &str) -> &str {
    match door {
        "imap" => "đọc thư (IMAP)",
        "submission" => "gửi thư (SMTP)",
        "sieve" => "quản lý bộ lọc thư (ManageSieve)",
        "http" => "trang đổi mật khẩu",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(is_cut: bool) -> LoginReport {
        let login = |at: &str, door: Option<&str>, outcome| LoginSeen {
            at: at.parse().unwrap(),
            door: door.map(str::to_owned),
            remote: Some("192.0.2.1".to_owned()),
            country: door.map(|_| model::Country::VN),
            outcome,
        };
        let refused = |why: &str| LoginOutcome::Refused(why.to_owned());
        LoginReport {
            since: "2026-11-01T00:00:00Z".parse().unwrap(),
            until: "2026-11-22T00:00:00Z".parse().unwrap(),
            logins: vec![
                login("2026-11-20T18:30:00Z", Some("imap"), LoginOutcome::LetIn),
                login("2026-11-20T18:29:59Z", Some("http"), LoginOutcome::ChangedPassword),
                login("2026-11-20T18:29:58Z", Some("submission"), refused("wrong address or password")),
                login("2026-11-20T18:29:57Z", None, refused("=cmd()")),
            ],
            is_cut,
        }
    }

    #[test]
    fn a_report_for_inspectors_is_vietnamese_and_has_no_formula() {
        let text = as_csv(&report(false).logins).unwrap();
        let expected = [
            "\u{feff}Thời điểm;Dịch vụ;Địa chỉ IP;Quốc gia;Kết quả;Lý do từ chối",
            "2026-11-21 01:30:00;đọc thư (IMAP);192.0.2.1;Việt Nam;thành công;",
            "2026-11-21 01:29:59;trang đổi mật khẩu;192.0.2.1;Việt Nam;thành công, đã đổi mật khẩu;",
            "2026-11-21 01:29:58;gửi thư (SMTP);192.0.2.1;Việt Nam;bị từ chối;sai địa chỉ hoặc mật khẩu",
            "2026-11-21 01:29:57;;192.0.2.1;;bị từ chối;'=cmd()",
            "",
        ];
        assert_eq!(text, expected.join("\r\n"));
    }

    #[test]
    fn whoever_reads_is_told_how_to_have_what_was_cut_off() {
        assert_eq!((rest(&report(false)), as_json(&report(false))["rest_until"].is_null()), (None, true));
        assert_eq!(as_json(&report(true))["rest_until"], "2026-11-20T18:29:57.000001Z");
        let told = line(&report(true).logins[2]);
        assert_eq!(
            told,
            "2026-11-21 01:29:58 +07\tsubmission\t192.0.2.1\tVN\trefused: wrong address or password"
        );
    }
}
