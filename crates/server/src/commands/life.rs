//! `congthu mailbox lock`, `restore`, `unlock`, `revoke`, `export`, `confirm-deletion`, `deletion-list`, `quota`, `sending`.

use super::pages::{self, PAGE};
use super::{Session, counted, export, forward, leave, resets};
use crate::audit_head::hex;
use crate::cli::LifeCommand;
use anyhow::{Context as _, Result, anyhow};
use engine::{ExportRow, LeaveAnswer, LifeDetail, LockDone, LockEvidence, SendingDetail};
use model::calendar::local_text;
use model::lifecycle::{Holds, Leave, Life, LockReason};
use model::{AccountState, Address, DomainName};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Of a request for restoration.
const REFUSED: &str = "stays as it is: the refusal is noted, and whoever looks after the mailbox is told. It may be asked for again";

pub(super) async fn run(session: &Session, command: &LifeCommand, answer: Option<LeaveAnswer>) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    match command {
        LifeCommand::Lock { address, reason, evidence } => lock(session, address, *reason, evidence).await,
        LifeCommand::Restore { address, refuse: Some(reason), .. } => {
            engine.refuse_restore(actor, address, reason).await.context(address.clone())?;
            done(session, address, REFUSED).await
        }
        LifeCommand::Restore { address, request, .. } => {
            let request = request.as_deref().unwrap_or_default();
            let due = engine.ask_restore(actor, address, request).await.context(address.clone())?;
            let due = due.map(|day| day.to_string());
            let text = format!(
                "the request for {address} is noted, and the mailbox is not in use yet\n\
                 give it back by the end of {}: congthu mailbox unlock {address}",
                due.as_deref().unwrap_or("today")
            );
            session.answer(&json!({ "address": address.to_string(), "due": due }), &text)
        }
        LifeCommand::Unlock { address, request } => unlock(session, address, request.as_deref()).await,
        LifeCommand::Revoke { address, cause, reason } => {
            engine.list_for_deletion(actor, address, *cause, reason).await.context(address.clone())?;
            let held = engine.life(actor, address).await?.and_then(|mailbox| held(&mailbox));
            let held =
                held.map(|by| format!("; kept by {by}: it is deleted in no night before that has ended"));
            ending(session, address, &format!("is on the deletion list{}", held.unwrap_or_default())).await
        }
        LifeCommand::ConfirmDeletion { address, without_export } => {
            engine.confirm_deletion(actor, address, without_export.as_deref()).await?;
            confirmed(session, address).await
        }
        LifeCommand::Export { address, out } => export::run(session, address, out).await,
        LifeCommand::DeletionList(of) => deletion_list(session, of.name()).await,
        LifeCommand::Quota { address, set, as_class, reason } => {
            if set.is_some() || *as_class {
                let reason = reason.as_deref().unwrap_or_default();
                engine.set_quota(actor, address, *set, reason).await.context(address.clone())?;
            }
            quota(session, address).await
        }
        LifeCommand::Sending { address, reset, reason } => {
            if *reset {
                let reason = reason.as_deref().unwrap_or_default();
                engine.reset_sending(actor, address, reason).await.context(address.clone())?;
            }
            sending(session, address).await
        }
        LifeCommand::Resets { open } => resets::list(session, *open).await,
        LifeCommand::ConfirmReset { number, document } => resets::confirm(session, *number, document).await,
        LifeCommand::Leave { address, from: Some(from), to: Some(to), reason, .. } => {
            leave::note(session, address, Leave { from: *from, to: *to }, (reason.as_deref(), answer)).await
        }
        LifeCommand::Leave { address, .. } => leave::list(session, address).await,
        LifeCommand::CancelLeave { address, from, reason } => {
            leave::cancel(session, address, *from, reason).await
        }
    }
}

async fn confirmed(session: &Session, address: &Address) -> Result<()> {
    let detail = session.node.engine.life(&session.actor, address).await?;
    let held = detail.as_ref().and_then(held);
    let what = match detail.and_then(|mailbox| mailbox.backups_until) {
        None => format!(
            "is confirmed, but kept by {}: it is deleted by itself in the night after that has ended",
            held.as_deref().unwrap_or("what congthu mailbox show names")
        ),
        Some(last) => {
            format!("will be deleted in the following night; backups may hold its mail until {last}")
        }
    };
    ending(session, address, &what).await
}

/// As [`done`], of a mailbox that takes no mail any more: what forwards to it is named.
async fn ending(session: &Session, address: &Address, what: &str) -> Result<()> {
    let leads_here = forward::to(session, address).await?;
    let mut json = changed(session, address).await?;
    if let Some(fields) = json.as_object_mut() {
        fields.insert("forwardings_stopped".to_owned(), forward::left_as_json(&leads_here));
    }
    session.answer(&json, &format!("{address} {what}{}", forward::tell_left(&leads_here)))
}

async fn unlock(session: &Session, address: &Address, request: Option<&str>) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    let unlocked = engine.unlock(actor, address, request).await.context(address.clone())?;
    let (shown, until) = (unlocked.address.to_string(), unlocked.until);
    let mut text = format!(
        "{shown} is in use again\npassword, shown only now: {}\nits owner changes it at {} before {}; mail programs are refused until then",
        unlocked.one_time_password,
        engine.password_page(),
        local_text(until)
    );
    let kept_back = unlocked.kept_back;
    if kept_back > 0 {
        text += &format!(
            "\nmessages that it sent and that the lock still keeps back: {kept_back}\n\
             its owner may not have written them: look with congthu queue list --from {shown} --state held-by-lock, then let single \
             ones go with congthu queue release ID, or end them with congthu queue expire ID --quiet; \
             congthu queue release --of {shown} lets all go that is held of it, by administrators too"
        );
    }
    let json = json!({
        "address": shown, "one_time_password": unlocked.one_time_password, "until": until, "kept_back": kept_back,
    });
    session.answer(&json, &text)
}

async fn lock(session: &Session, address: &Address, reason: LockReason, evidence: &str) -> Result<()> {
    let locked = session.node.engine.lock(&session.actor, address, reason, evidence).await;
    let LockDone { receives, kept_back } = locked.context(address.clone())?;
    let mail = if receives { "mail for it still comes in" } else { "mail for it is refused" };
    let mut text = format!(
        "{address} is locked: {}\nits sessions on every node end now, and nobody logs in or sends as it; {mail}\n",
        reason.vietnamese()
    );
    match (reason.stops_mail(), kept_back) {
        (false, 0) => text += "what it had sent goes on its way\n",
        (true, 0) => text += "nothing that it sent was still on its way\n",
        (_, kept_back) => {
            let _ = writeln!(
                text,
                "messages that it sent and that are kept back now: {kept_back}; see congthu queue list"
            );
        }
    }
    let (forwarding, goes) = forward::of(session, address).await?;
    if let Some(goes) = goes {
        let _ = writeln!(text, "its forwarding goes on, {goes}: congthu forward clear {address} ends it");
    }
    let _ = write!(
        text,
        "to give it back: congthu mailbox restore {address} --request \"…\", then congthu mailbox unlock {address}"
    );
    let (mut json, _) = standing(session, address).await?;
    if json.is_null() {
        json = json!({ "address": address.to_string() });
    }
    if let Some(fields) = json.as_object_mut() {
        fields.insert("kept_back".to_owned(), json!(kept_back));
        fields.insert("forwarding".to_owned(), forwarding);
    }
    session.answer(&json, &text)
}

/// Of a mailbox that is locked or listed: why, since when, by whom, and what comes next; of every one what keeps it from being deleted.
pub(super) async fn standing(session: &Session, address: &Address) -> Result<(Value, String)> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    let Some(detail) = engine.life(actor, address).await? else { return Ok((Value::Null, String::new())) };
    let mut text = String::new();
    if detail.holds.any() {
        let _ = write!(text, "\nkept by   {}", detail.holds);
    }
    let Some(lock) = engine.lock_detail(actor, address).await? else {
        let json = if detail.holds.any() { as_json(&detail) } else { Value::Null };
        return Ok((json, text));
    };
    let LockEvidence { by: locked_by, note } = lock.evidence.clone().unwrap_or_default();
    let by = if locked_by.is_empty() { String::new() } else { format!(" by {locked_by}") };
    match detail.life {
        Life::Locked { since, reason, .. } => {
            let _ = write!(text, "\nlocked    since {}{by}: {}", local_text(since), reason.vietnamese());
        }
        Life::ToBeDeleted { since, cause, .. } => {
            let _ =
                write!(text, "\nlisted    for deletion since {}: {}", local_text(since), cause.vietnamese());
        }
        _ => {}
    }
    if !note.is_empty() {
        let _ = write!(text, "\nevidence  {note}");
    }
    let _ = write!(text, "\nreceives  {}", if detail.receives { "yes" } else { "no" });
    if lock.kept_back > 0 {
        let messages = counted(lock.kept_back, "message", "messages");
        let _ = write!(text, "\nkept back {messages} that it sent, by the lock");
    }
    let _ = write!(text, "\nexported  {}", exported(&detail));
    let _ = write!(text, "\nnext      {}", next(&detail));
    let mut json = as_json(&detail);
    if let Some(fields) = json.as_object_mut() {
        if lock.evidence.is_some() {
            fields.insert("locked_by".to_owned(), json!(locked_by));
            fields.insert("evidence".to_owned(), json!(note));
        }
        fields.insert("kept_back".to_owned(), json!(lock.kept_back));
    }
    Ok((json, text))
}

/// Whether there is an archive of it, and of all of it.
fn exported(mailbox: &LifeDetail) -> String {
    let archive = mailbox.export.as_ref().map(|export| {
        let ExportRow { at, made_by, messages, file_name, sha256, .. } = export;
        let digest = hex(sha256);
        let messages = counted(messages, "message", "messages");
        format!("{} by {made_by}: {messages}, {file_name}, SHA-256 {digest}", local_text(*at))
    });
    match (archive, mailbox.holds.export_pending) {
        (None, true) => "no".to_owned(),
        (None, false) => "no; none is asked for".to_owned(),
        (Some(archive), true) => format!("{archive}; mail has come since"),
        (Some(archive), false) => archive,
    }
}

fn next(mailbox: &LifeDetail) -> String {
    let address = &mailbox.address;
    let listed = matches!(mailbox.life, Life::ToBeDeleted { .. });
    if let Some(day) = mailbox.restore_due {
        return format!(
            "asked for: to be given back by the end of {day} (congthu mailbox unlock {address}), or refused"
        );
    }
    let export_only = Holds { export_pending: true, ..Holds::default() } == mailbox.holds;
    match (mailbox.next_on, listed, mailbox.holds.any()) {
        (_, true, true) if export_only => {
            format!("an administrator exports it: congthu mailbox export {address} --out FILE.zip")
        }
        (Some(_), true, true) => {
            format!("kept by {}: deleted by itself in the night after that has ended", mailbox.holds)
        }
        (None, true, true) => {
            format!("kept by {}; an administrator confirms it, or it is given back", mailbox.holds)
        }
        (Some(day), true, false) => format!(
            "deleted with all its mail in the night to {day} or the next, unless it is given back before{}",
            in_backups(mailbox)
        ),
        (None, true, false) => format!(
            "an administrator confirms it (congthu mailbox confirm-deletion {address}), or it is given back"
        ),
        (Some(day), false, _) => format!(
            "listed for deletion on {day}, unless its organisation asks for it before (congthu mailbox restore)"
        ),
        (None, false, _) => {
            "stays locked until its organisation asks for it (congthu mailbox restore)".to_owned()
        }
    }
}

/// What keeps it that no archive ends; `None`: nothing of that kind.
fn held(mailbox: &LifeDetail) -> Option<String> {
    let holds = Holds { export_pending: false, ..mailbox.holds };
    holds.any().then(|| holds.to_string())
}

/// What comes next for a mailbox on the deletion list, when a hold on it has ended; `None` of any other.
pub(super) async fn after_hold(session: &Session, address: &Address) -> Result<Option<String>> {
    let detail = session.node.engine.life(&session.actor, address).await?;
    Ok(detail
        .filter(|mailbox| matches!(mailbox.life, Life::ToBeDeleted { .. }))
        .map(|mailbox| next(&mailbox)))
}

fn in_backups(mailbox: &LifeDetail) -> String {
    mailbox.backups_until.map(|last| format!("; backups may hold it until {last}")).unwrap_or_default()
}

async fn sending(session: &Session, address: &Address) -> Result<()> {
    let detail = session.node.engine.sending_detail(&session.actor, address).await?;
    let SendingDetail { address, limits, suspicion, sent } =
        detail.ok_or_else(|| anyhow!("there is no mailbox {address}"))?;
    let number = |number: Option<u32>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let text = format!(
        "{address}\nsince {}  messages {} of {}, recipients {} of {}, new outside recipients {} of {}, refused {} (locked at {})\n\
         since {}  messages {} of {}, recipients {} of {}, stopped for malware {}, for spam {}",
        local_text(sent.hour.since),
        sent.hour.messages,
        limits.messages_per_hour,
        sent.hour.recipients,
        limits.recipients_per_hour,
        sent.strangers,
        number(suspicion.strangers_per_hour),
        sent.refused,
        number(suspicion.lock_after),
        local_text(sent.day.since),
        sent.day.messages,
        limits.messages_per_day,
        sent.day.recipients,
        limits.recipients_per_day,
        sent.malware,
        sent.spam,
    ) + &sent.suspect_until.map_or_else(String::new, |until| {
        format!(
            "\nmay send {} % of that until {}, as it is suspect",
            suspicion.suspect_percent,
            local_text(until)
        )
    });
    let window = |window: &model::sending::Window| json!({ "since": window.since, "messages": window.messages, "recipients": window.recipients });
    let json = json!({
        "address": address.to_string(), "hour": window(&sent.hour), "day": window(&sent.day),
        "strangers": sent.strangers, "refused": sent.refused, "limits": limits,
        "strangers_max": suspicion.strangers_per_hour, "lock_after": suspicion.lock_after, "malware": sent.malware, "spam": sent.spam,
        "suspect_until": sent.suspect_until, "suspect_percent": suspicion.suspect_percent,
    });
    session.answer(&json, &text)
}

async fn done(session: &Session, address: &Address, what: &str) -> Result<()> {
    let json = changed(session, address).await?;
    session.answer(&json, &format!("{address} {what}"))
}

/// Under the address it is known by, whichever was given.
async fn changed(session: &Session, address: &Address) -> Result<Value> {
    Ok(match session.node.engine.life(&session.actor, address).await? {
        Some(detail) => as_json(&detail),
        None => json!({ "address": address.to_string() }),
    })
}

async fn deletion_list(session: &Session, domain: Option<&DomainName>) -> Result<()> {
    let all = pages::all(async |last: Option<&LifeDetail>| {
        let after = last.map(|mailbox| &mailbox.address);
        session.node.engine.lives(&session.actor, domain, AccountState::ToBeDeleted, after, PAGE).await
    })
    .await?;
    let mut text = String::new();
    for mailbox in &all {
        let Life::ToBeDeleted { since, cause, confirmed, .. } = mailbox.life else { continue };
        let standing = match (held(mailbox), mailbox.restore_due, confirmed) {
            (Some(by), ..) => {
                let then = if mailbox.next_on.is_some() { ", then deleted by itself" } else { "" };
                format!("kept by {by}{then}")
            }
            (_, Some(day), _) => format!("asked for, due {day}"),
            _ if mailbox.holds.export_pending => "to be exported".to_owned(),
            (_, _, Some(at)) => format!("confirmed {}{}", local_text(at), in_backups(mailbox)),
            _ => format!("to be confirmed{}", in_backups(mailbox)),
        };
        let (address, since, cause) = (&mailbox.address, local_text(since), cause.vietnamese());
        let _ = writeln!(text, "{address}\t{since}\t{cause}\t{standing}\t{}", exported(mailbox));
    }
    session.answer(&all.iter().map(as_json).collect(), &text)
}

async fn quota(session: &Session, address: &Address) -> Result<()> {
    let row = session.node.engine.mailbox_quota(&session.actor, address).await?;
    let row = row.ok_or_else(|| anyhow!("there is no mailbox {address}; see congthu mailbox list"))?;
    // 1 MB = 2^20 bytes, as quotas are counted.
    let megabytes = |bytes: u64| bytes.div_ceil(1 << 20);
    let (used, quota) = (megabytes(row.used_bytes), megabytes(row.quota_bytes));
    let whose = match &row.own {
        Some((by, why)) => format!("its own, by {by}: {why}"),
        None => format!("that of the class {}", row.class.as_str()),
    };
    let messages = counted(row.messages, "message", "messages");
    let text = format!("{}\t{used} of {quota} MB\t{messages}\t{whose}", row.address);
    let own = row.own.as_ref().map(|(by, why)| json!({ "by": by, "reason": why }));
    let json = json!({
        "address": row.address.to_string(),
        "used_bytes": row.used_bytes,
        "quota_bytes": row.quota_bytes,
        "messages": row.messages,
        "own": own,
    });
    session.answer(&json, &text)
}

fn as_json(mailbox: &LifeDetail) -> Value {
    json!({
        "address": mailbox.address.to_string(),
        "name": mailbox.display_name,
        "life": mailbox.life,
        "holds": mailbox.holds,
        "restore_due": mailbox.restore_due,
        "next_on": mailbox.next_on,
        "receives": mailbox.receives,
        "export": mailbox.export.as_ref().map(|export| json!({
            "at": export.at,
            "by": export.made_by,
            "messages": export.messages,
            "octets": export.octets,
            "sha256": hex(&export.sha256),
            "file": export.file_name,
        })),
        "backups_until": mailbox.backups_until,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use model::lifecycle::{DeletionCause, RestoreRequest};

    #[test]
    fn what_keeps_a_listed_mailbox_is_named_with_what_comes_then() {
        let at = Timestamp::UNIX_EPOCH;
        let (cause, request) = (DeletionCause::Revoked, RestoreRequest::None);
        let mut mailbox = LifeDetail {
            address: "an@thu.test".parse().unwrap(),
            display_name: "An".to_owned(),
            life: Life::ToBeDeleted { since: at, cause, request, confirmed: Some(at) },
            holds: Holds { legal_hold: true, export_pending: true, ..Holds::default() },
            restore_due: None,
            next_on: Some("1970-01-02".parse().unwrap()),
            receives: false,
            export: None,
            backups_until: None,
        };
        assert_eq!(held(&mailbox).unwrap(), "a legal hold (congthu hold list)");
        assert!(next(&mailbox).starts_with("kept by a legal hold (congthu hold list) and mail that must be"));
        assert!(next(&mailbox).ends_with(": deleted by itself in the night after that has ended"));
        mailbox.next_on = None;
        assert!(next(&mailbox).ends_with("; an administrator confirms it, or it is given back"));
        mailbox.holds.legal_hold = false;
        assert_eq!(held(&mailbox), None);
        assert!(next(&mailbox).contains("congthu mailbox export an@thu.test"));
    }
}
