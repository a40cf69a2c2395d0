//! `congthu mailbox list`: which mailboxes there are, and when each was last used.

use super::directory::class_words;
use super::mailbox::megabytes;
use super::pages::{self, PAGE};
use super::{Session, spreadsheet};
use crate::cli::ListMailboxes;
use anyhow::{Context as _, Result, bail};
use engine::{Alias, MailboxDetail, MailboxQuery, Use};
use jiff::Timestamp;
use model::calendar::{local_text, local_time};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;

const TITLES: [&str; 11] = [
    "Địa chỉ",
    "Tên hộp thư",
    "Loại",
    "Trạng thái",
    "Mã đơn vị",
    "Đơn vị",
    "Sử dụng lần cuối",
    "Bằng việc",
    "Ngày cấp",
    "Đã dùng (MB)",
    "Dung lượng (MB)",
];

/// Every mailbox that is asked for. `query` says neither after which nor how many.
pub(super) async fn all(session: &Session, query: MailboxQuery<'_>) -> Result<Vec<MailboxDetail>> {
    if let Some(domain) = query.domain
        && !session.node.engine.domains(&session.actor).await?.iter().any(|known| known.name == *domain)
    {
        bail!("there is no domain {domain}; see congthu domain list");
    }
    let every = pages::all(async |last: Option<&MailboxDetail>| {
        let after = last.map(|mailbox| &mailbox.address);
        let page = MailboxQuery { after, limit: PAGE, ..query };
        session.node.engine.mailboxes(&session.actor, page).await
    });
    Ok(every.await?)
}

pub(super) async fn list(session: &Session, options: &ListMailboxes) -> Result<()> {
    let query = MailboxQuery {
        domain: options.of.name(),
        unit: options.unit.as_deref(),
        unused_days: options.unused,
        ..MailboxQuery::default()
    };
    let all = all(session, query).await?;
    if options.csv {
        let text = as_csv(&all)?;
        return std::io::stdout()
            .lock()
            .write_all(text.as_bytes())
            .context("cannot write to standard output");
    }
    let mut text = String::new();
    for mailbox in &all {
        let _ = writeln!(
            text,
            "{}\t{}\t{}\t{}/{}\t{}\t{}\t{}",
            mailbox.address,
            mailbox.class.as_str(),
            mailbox.state.as_str(),
            megabytes(mailbox.used_bytes),
            megabytes(mailbox.quota_bytes),
            mailbox.display_name,
            mailbox.unit.as_deref().unwrap_or("-"),
            mailbox.last_use.map_or_else(|| "-".to_owned(), |last| local_text(last.at)),
        );
    }
    session.answer(&all.iter().map(as_json).collect(), &text)
}

fn as_csv(mailboxes: &[MailboxDetail]) -> Result<String> {
    let minute = |at: Timestamp| local_time(at).strftime("%Y-%m-%d %H:%M").to_string();
    let whole = |bytes: u64| bytes.div_ceil(1 << 20).to_string();
    let row = |mailbox: &MailboxDetail| {
        [
            mailbox.address.to_string(),
            mailbox.display_name.clone(),
            class_words(mailbox.class).to_owned(),
            mailbox.state.vietnamese().to_owned(),
            mailbox.unit.clone().unwrap_or_default(),
            mailbox.unit_name.clone().unwrap_or_default(),
            mailbox.last_use.map(|last| minute(last.at)).unwrap_or_default(),
            mailbox.last_use.map_or("", |last| last.by.vietnamese()).to_owned(),
            minute(mailbox.created_at),
            whole(mailbox.used_bytes),
            whole(mailbox.quota_bytes),
        ]
    };
    spreadsheet::written(TITLES, mailboxes.iter().map(row))
}

/// The moment, to the hour, and by what it was used.
pub(super) fn last_use(mailbox: &MailboxDetail) -> String {
    let Some(last) = mailbox.last_use else { return "-".to_owned() };
    let by = match last.by {
        Use::Sent => "it sent a message",
        Use::Retrieved => "new mail was retrieved",
    };
    format!("{} ({by})", local_text(last.at))
}

/// With the end of one that it had before.
pub(super) fn alias_as_text(alias: &Alias) -> String {
    let until = alias.until.map(|day| format!(" (receives to the end of {day})")).unwrap_or_default();
    format!("{}{until}", alias.address)
}

/// Those that receive for a time only.
pub(super) fn old_addresses(mailbox: &MailboxDetail) -> Value {
    let ends = mailbox.aliases.iter().filter(|alias| alias.until.is_some());
    ends.map(|alias| json!({ "address": alias.address.to_string(), "until": alias.until })).collect()
}

pub(super) fn as_json(mailbox: &MailboxDetail) -> Value {
    json!({
        "address": mailbox.address.to_string(),
        "aliases": mailbox.aliases.iter().map(|alias| alias.address.to_string()).collect::<Vec<_>>(),
        "old_addresses": old_addresses(mailbox),
        "name": mailbox.display_name,
        "class": mailbox.class,
        "state": mailbox.state,
        "unit": mailbox.unit,
        "unit_name": mailbox.unit_name,
        "quota_bytes": mailbox.quota_bytes,
        "used_bytes": mailbox.used_bytes,
        "messages": mailbox.messages,
        "created_at": mailbox.created_at,
        "used_at": mailbox.last_use.map(|last| last.at),
        "used_by": mailbox.last_use.map(|last| last.by.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::LastUse;
    use model::{AccountState, MailboxClass};

    fn mailbox(name: &str, last_use: Option<LastUse>) -> MailboxDetail {
        MailboxDetail {
            address: "an@thu.test".parse().unwrap(),
            aliases: Vec::new(),
            display_name: name.to_owned(),
            class: MailboxClass::Person,
            state: AccountState::Active,
            unit: Some("so".to_owned()),
            unit_name: Some("Sở Y tế; phòng 2".to_owned()),
            quota_bytes: 300 << 20,
            used_bytes: 1,
            messages: 1,
            created_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            last_use,
        }
    }

    #[test]
    fn the_list_for_inspectors_has_vietnamese_titles_and_no_formula() {
        let at = "2026-11-19T18:30:00Z".parse().unwrap();
        let used = mailbox("=cmd()", Some(LastUse { at, by: Use::Retrieved }));
        let text = as_csv(&[used.clone(), mailbox("An", None)]).unwrap();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert!(lines[0].starts_with("\u{feff}Địa chỉ;Tên hộp thư;"), "{}", lines[0]);
        let rest = "cá nhân;đang sử dụng;so;\"Sở Y tế; phòng 2\"";
        assert_eq!(
            lines[1],
            format!("an@thu.test;'=cmd();{rest};2026-11-20 01:30;nhận thư mới;2026-01-02 10:04;1;300")
        );
        assert_eq!(lines[2], format!("an@thu.test;An;{rest};;;2026-01-02 10:04;1;300"));
        assert_eq!(last_use(&used), "2026-11-20 01:30:00 +07 (new mail was retrieved)");
        assert_eq!(
            (last_use(&mailbox("An", None)).as_str(), as_json(&used)["used_by"].as_str()),
            ("-", Some("retrieved"))
        );
    }
}
