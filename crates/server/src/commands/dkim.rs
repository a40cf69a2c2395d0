//! `congthu dkim …`: keys that sign the mail of a domain, and the records that publish them and what belongs to them.

mod beside;

use super::Session;
use crate::check::key_is_published;
use crate::cli::DkimCommand;
use crate::outbound;
use anyhow::{Result, bail};
use engine::DkimKeyRow;
use model::DomainName;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Characters of one string of a TXT record (RFC 1035 3.3.14).
const STRING_CHARS: usize = 255;

pub(super) async fn run(session: &Session, command: &DkimCommand) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    match command {
        DkimCommand::Add { domain } => {
            let keys = engine.add_dkim(actor, domain).await?;
            let text = format!(
                "{}\nPublish these records, then `congthu dkim rotate {domain}`.\n",
                records(domain, &keys)
            );
            session.answer(&shown(domain, &keys), &text)
        }
        DkimCommand::List { domain } => {
            let keys = engine.dkim_keys(actor, domain).await?;
            let mut text = String::new();
            for key in &keys {
                let _ =
                    writeln!(text, "{}\t{}\t{}\t{}", key.selector, key.algorithm, key.state, key.changed_at);
            }
            session.answer(&shown(domain, &keys), &text)
        }
        DkimCommand::Dns { domain } => {
            let mut keys = engine.dkim_keys(actor, domain).await?;
            keys.retain(|key| key.state != "retired");
            let policy = engine.policy(actor, domain).await?.policy;
            let besides = beside::records(&session.config, domain, &policy.contact.dmarc_reports);
            let mut text = records(domain, &keys);
            for record in &besides {
                let _ = writeln!(text, "{}", record.line());
            }
            let keys = keys.iter().map(|key| key_shown(domain, key));
            session.answer(&keys.chain(besides.iter().map(beside::Record::shown)).collect(), &text)
        }
        DkimCommand::Rotate { domain, unpublished } => {
            if !unpublished {
                check_published(session, domain).await?;
            }
            let selectors = engine.rotate_dkim(actor, domain).await?;
            let text = format!(
                "{domain} signs by {}; take the records of retired keys out after ten days",
                selectors.join(", ")
            );
            session.answer(&json!({ "selectors": selectors }), &text)
        }
        DkimCommand::Retire { domain, selector } => {
            engine.retire_dkim(actor, domain, selector).await?;
            session.answer(&json!({ "retired": selector }), &format!("{selector} signs no more"))
        }
    }
}

/// Whoever gets mail must find the key: what is signed by one that he does not find is as good as unsigned.
async fn check_published(session: &Session, domain: &DomainName) -> Result<()> {
    let resolver = outbound::resolver(&session.config)?;
    let keys = session.node.engine.dkim_keys(&session.actor, domain).await?;
    for key in keys.iter().filter(|key| key.state == "waiting") {
        match key_is_published(&resolver, domain.as_str(), key).await {
            Ok(true) => {}
            Ok(false) => bail!(
                "the record of {} is not published; `congthu dkim dns {domain}` prints it, --unpublished goes on",
                key.selector
            ),
            Err(error) => bail!("{error}; --unpublished goes on without having looked"),
        }
    }
    Ok(())
}

fn shown(domain: &DomainName, keys: &[DkimKeyRow]) -> Value {
    keys.iter().map(|key| key_shown(domain, key)).collect()
}

fn key_shown(domain: &DomainName, key: &DkimKeyRow) -> Value {
    json!({ "selector": key.selector, "algorithm": key.algorithm, "state": key.state, "since": key.changed_at,
            "name": name(domain, key), "type": "TXT", "record": key.record() })
}

fn name(domain: &DomainName, key: &DkimKeyRow) -> String {
    format!("{}._domainkey.{domain}", key.selector)
}

/// As a zone file has them.
fn records(domain: &DomainName, keys: &[DkimKeyRow]) -> String {
    let mut text = String::new();
    for key in keys {
        let record = key.record();
        let strings = record.as_bytes().chunks(STRING_CHARS).map(String::from_utf8_lossy);
        let strings: Vec<String> = strings.map(|string| format!("\"{string}\"")).collect();
        let _ = writeln!(text, "{}. TXT ( {} )", name(domain, key), strings.join(" "));
    }
    text
}
