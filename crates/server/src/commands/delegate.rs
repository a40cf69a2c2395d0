//! `congthu delegate …`

use super::Session;
use super::pages::{self, PAGE};
use crate::cli::{DelegateCommand, GrantDelegate};
use anyhow::Result;
use engine::{DelegationDetail, DelegationQuery, NewDelegation, Revoked};
use model::calendar::local_text;
use model::calendar::{plus_days, start_of_day};
use model::{Address, DomainName, Right};
use serde_json::{Value, json};

pub(super) async fn run(session: &Session, command: &DelegateCommand) -> Result<()> {
    match command {
        DelegateCommand::Grant(grant) => give(session, grant).await,
        DelegateCommand::Revoke { mailbox, delegate, all: _ } => {
            revoke(session, mailbox, delegate.as_ref()).await
        }
        DelegateCommand::List { mailbox, delegate, domain, ended } => {
            list(session, (mailbox.as_ref(), delegate.as_ref()), domain.as_ref(), *ended).await
        }
    }
}

async fn give(session: &Session, grant: &GrantDelegate) -> Result<()> {
    let new = NewDelegation {
        mailbox: grant.mailbox.clone(),
        delegate: grant.delegate.clone(),
        rights: grant.rights.iter().copied().collect(),
        document: grant.document.clone(),
        consent: grant.consent.clone(),
        since: grant.since.map(start_of_day),
        // The day itself belongs to it.
        until: grant.until.map(|day| start_of_day(plus_days(day, 1))),
    };
    let given = session.node.engine.grant_delegation(&session.actor, &new).await?;
    session.answer(&as_json(&given), &line(&given))
}

async fn revoke(session: &Session, mailbox: &Address, delegate: Option<&Address>) -> Result<()> {
    let ended = session.node.engine.revoke_delegation(&session.actor, mailbox, delegate).await?;
    let Revoked { delegations, forward_ended } = ended;
    let shown =
        json!({ "mailbox": mailbox.to_string(), "revoked": delegations, "forwarding_ended": forward_ended });
    let mut text = format!("{mailbox}: {delegations} revoked");
    if let Some(went) = forward_ended {
        text.push_str(&format!("\nmail of {mailbox} goes on to {went} no longer, and lies in {mailbox}"));
    }
    session.answer(&shown, &text)
}

async fn list(
    session: &Session,
    (mailbox, delegate): (Option<&Address>, Option<&Address>),
    domain: Option<&DomainName>,
    ended: bool,
) -> Result<()> {
    let all = pages::all(async |last: Option<&DelegationDetail>| {
        let after = last.map(|last| (&last.mailbox, &last.delegate));
        let query = DelegationQuery { mailbox, delegate, domain, ended, after, limit: PAGE };
        session.node.engine.delegations(&session.actor, query).await
    })
    .await?;
    let text: String = all.iter().map(|one| line(one) + "\n").collect();
    session.answer(&all.iter().map(as_json).collect(), &text)
}

fn rights(delegation: &DelegationDetail) -> Vec<&'static str> {
    delegation.rights.iter().map(Right::as_str).collect()
}

fn line(delegation: &DelegationDetail) -> String {
    let term = match (&delegation.revoked, delegation.until) {
        (Some((at, _)), _) => format!("revoked {}", local_text(*at)),
        (None, Some(until)) => format!("until {}", local_text(until)),
        (None, None) => "until revoked".to_owned(),
    };
    format!(
        "{}\t{}\t{}\tsince {}\t{term}\t{}",
        delegation.mailbox,
        delegation.delegate,
        rights(delegation).join(","),
        local_text(delegation.since),
        delegation.document
    )
}

fn as_json(delegation: &DelegationDetail) -> Value {
    json!({
        "mailbox": delegation.mailbox.to_string(),
        "delegate": delegation.delegate.to_string(),
        "name": delegation.delegate_name,
        "rights": rights(delegation),
        "document": delegation.document,
        "consent": delegation.consent,
        "given_by": delegation.given_by,
        "given_at": delegation.given_at,
        "since": delegation.since,
        "until": delegation.until,
        "revoked_at": delegation.revoked.as_ref().map(|(at, _)| at),
        "revoked_by": delegation.revoked.as_ref().map(|(_, by)| by),
    })
}
