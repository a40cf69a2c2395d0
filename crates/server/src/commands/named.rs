//! `congthu mailbox add --auto`: the address is made from the name by the domain's rules.

use super::mailbox::{must_change, term, told_password};
use super::{Session, person};
use crate::cli::AddMailbox;
use anyhow::{Context as _, Result};
use engine::{Granted, NamedMailbox};
use model::DomainName;
use serde_json::json;
use std::fmt::Write as _;

pub(super) async fn make(
    session: &Session,
    add: &AddMailbox,
    domain: &DomainName,
    password: Option<String>,
) -> Result<()> {
    let must_change_password = must_change(session, domain, add.password.change).await?;
    let person = match &add.person {
        Some(whom) => Some(person::number_of(session, domain, whom).await?),
        None => None,
    };
    let new = NamedMailbox {
        domain: domain.clone(),
        name: add.name.clone(),
        class: add.class,
        unit: add.unit.clone(),
        position: add.position.clone(),
        birth_year: add.birth_year,
        person,
        another_person: add.another_person,
        choose: add.choose.clone(),
        quota_bytes: add.quota,
        password,
        must_change_password,
        dry_run: add.dry_run,
    };
    let made = session.node.engine.add_named_mailbox(&session.actor, &new).await;
    let granted = made.context(add.name.clone())?;
    let term = match granted.one_time_password {
        Some(_) if must_change_password => term(session, domain).await,
        _ => String::new(),
    };
    let page = session.node.engine.password_page();
    session.answer(&as_json(&granted, add.dry_run), &as_text(&granted, add.dry_run, (&term, page)))
}

fn as_json(granted: &Granted, dry_run: bool) -> serde_json::Value {
    let mut shown = json!({
        "address": granted.address.to_string(), "class": granted.class, "quota_bytes": granted.quota_bytes,
        "rule": granted.rule, "reason": granted.reason, "offers": granted.offers, "dropped": granted.dropped,
        "person": granted.person, "done": !dry_run,
    });
    if let (Some(fields), Some(password)) = (shown.as_object_mut(), &granted.one_time_password) {
        fields.insert("one_time_password".to_owned(), json!(password));
    }
    shown
}

fn as_text(granted: &Granted, dry_run: bool, (term, page): (&str, &str)) -> String {
    let would = if dry_run { "would be " } else { "" };
    let mut text = format!("{would}{}\n{}\n", granted.address, granted.reason);
    if !granted.dropped.is_empty() {
        let _ = writeln!(text, "no part of the name: {}", granted.dropped.join(", "));
    }
    if !granted.offers.is_empty() {
        let _ = writeln!(text, "the owner may choose (--choose): {}", granted.offers.join(", "));
    }
    if let Some(password) = &granted.one_time_password {
        let _ = writeln!(text, "{}", told_password(password, term, page));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_password_is_told_with_where_it_is_changed() {
        let granted = Granted {
            address: "an@b.vn".parse().unwrap(),
            class: model::MailboxClass::Person,
            quota_bytes: 1 << 20,
            rule: "name".to_owned(),
            reason: "tên".to_owned(),
            offers: Vec::new(),
            dropped: Vec::new(),
            person: None,
            one_time_password: Some("abc".to_owned()),
        };
        let told = as_text(&granted, false, (" (good for 7 days)", "https://mail.b.vn/mat-khau"));
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(
            lines,
            [
                "an@b.vn",
                "tên",
                "password, shown only now: abc (good for 7 days)",
                "its owner changes it at https://mail.b.vn/mat-khau"
            ]
        );
        let preview = Granted { one_time_password: None, ..granted };
        assert_eq!(as_text(&preview, true, ("", "https://mail.b.vn/mat-khau")), "would be an@b.vn\ntên\n");
    }
}
