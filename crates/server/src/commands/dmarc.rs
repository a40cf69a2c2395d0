//! `congthu dmarc …`

use super::{Session, counted};
use crate::cli::DmarcCommand;
use anyhow::Result;
use engine::{DmarcSource, DmarcSummary};
use model::DomainName;
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, command: &DmarcCommand) -> Result<()> {
    let DmarcCommand::Report { domain, days } = command;
    let engine = &session.node.engine;
    let domains: Vec<DomainName> = match domain {
        Some(domain) => vec![domain.clone()],
        None => engine.domains(&session.actor).await?.into_iter().map(|domain| domain.name).collect(),
    };
    let (mut text, mut all) = (String::new(), Vec::new());
    for domain in &domains {
        let DmarcSummary { since, sources } = engine.dmarc_summary(&session.actor, domain, *days).await?;
        let count = |passed: bool| -> u64 {
            let fits = sources.iter().filter(|one| (one.row.dkim_aligned || one.row.spf_aligned) == passed);
            fits.map(|one| one.row.messages).fold(0, u64::saturating_add)
        };
        let passing = counted(count(true), "message passes", "messages pass");
        let failing = counted(count(false), "does not", "do not");
        let _ = writeln!(text, "{domain} since {since}: {passing}, {failing}");
        for source in &sources {
            let _ = writeln!(text, "{}", line(source));
        }
        let list: Vec<Value> = sources.iter().map(as_json).collect();
        all.push(json!({ "domain": domain.to_string(), "since": since, "sources": list }));
    }
    session.answer(&json!(all), &text)
}

fn passed(aligned: bool) -> &'static str {
    if aligned { "pass" } else { "fail" }
}

fn line(source: &DmarcSource) -> String {
    let DmarcSource { row, orgs } = source;
    let (dkim, spf) = (passed(row.dkim_aligned), passed(row.spf_aligned));
    let (source, from) =
        if row.source.is_empty() { ("others", "-") } else { (&*row.source, &*row.header_from) };
    format!("{}\t{source}\t{from}\tdkim={dkim}\tspf={spf}\t{}\t{orgs}", row.messages, row.disposition)
}

fn as_json(source: &DmarcSource) -> Value {
    let DmarcSource { row, orgs } = source;
    json!({ "source": row.source, "messages": row.messages, "header_from": row.header_from,
            "dkim": passed(row.dkim_aligned), "spf": passed(row.spf_aligned), "disposition": row.disposition,
            "systems": orgs })
}
