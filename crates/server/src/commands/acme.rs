//! `congthu acme …`: certificates that are ordered by themselves.

use super::Session;
use crate::cli::AcmeCommand;
use crate::ordering::{self, Names};
use anyhow::{Result, bail};
use engine::{AcmeOrderRow, CertificateState, WantedCertificate};
use jiff::Timestamp;
use model::calendar::local_text;
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, command: &AcmeCommand) -> Result<()> {
    let Some(directory) = session.config.acme.directory() else {
        bail!("no certificate is ordered: name an authority in [acme] of the configuration");
    };
    let wanted = ordering::look(&session.config, &session.node.engine, &mut Names::default()).await;
    match command {
        AcmeCommand::Status => {
            let states = session.node.engine.certificates(&session.actor, directory, &wanted).await?;
            let text: String = states.iter().map(told).collect();
            session.answer(&states.iter().map(shown).collect(), &text)
        }
        AcmeCommand::Renew { certificate } => {
            renew(session, directory, &wanted, certificate.as_deref()).await
        }
    }
}

async fn renew(
    session: &Session,
    directory: &str,
    wanted: &[WantedCertificate],
    certificate: Option<&str>,
) -> Result<()> {
    let meant: Vec<&WantedCertificate> =
        wanted.iter().filter(|one| certificate.is_none_or(|label| label == one.label)).collect();
    if meant.is_empty() {
        let known: Vec<&str> = wanted.iter().map(|one| one.label.as_str()).collect();
        bail!("there is no such certificate; there are: {}", known.join(", "));
    }
    let (mut text, mut answers) = (String::new(), Vec::new());
    for one in meant {
        let is_new = session.node.engine.renew_certificate(&session.actor, directory, one).await?;
        let how = if is_new { "ordered" } else { "under way already" };
        let _ = writeln!(
            text,
            "{}\t{how}; the running server sees to it within seconds, `congthu acme status` says how",
            one.label
        );
        answers.push(json!({ "certificate": one.label, "names": one.names, "under_way": !is_new }));
    }
    session.answer(&Value::Array(answers), &text)
}

fn shown(state: &CertificateState) -> Value {
    let current = state.current.as_ref();
    let open = under_way(state);
    json!({
        "certificate": state.wanted.label,
        "names": state.wanted.names,
        "begins": current.and_then(|row| row.begins),
        "ends": current.and_then(|row| row.ends),
        "names_in_use": current.map(|row| &row.names),
        "under_way_since": open.map(|row| row.started_at),
        "next": open.is_none().then_some(state.next).filter(|next| *next > Timestamp::UNIX_EPOCH),
        "fault": fault(state),
    })
}

fn told(state: &CertificateState) -> String {
    let use_of = |row: &AcmeOrderRow| row.ends.map(|ends| format!("good until {}", local_text(ends)));
    let current = state.current.as_ref().and_then(use_of).unwrap_or_else(|| "none yet".to_owned());
    let next = match under_way(state) {
        Some(row) => format!("ordered at {}", local_text(row.started_at)),
        // No moment has to come first.
        None if state.next <= Timestamp::UNIX_EPOCH => {
            "to be ordered by the running server, within a minute".to_owned()
        }
        None => format!("next order {}", local_text(state.next)),
    };
    let fault = fault(state).map(|fault| format!("; last fault: {fault}")).unwrap_or_default();
    format!("{}\t{}\t{current}; {next}{fault}\n", state.wanted.label, state.wanted.names.join(" "))
}

fn under_way(state: &CertificateState) -> Option<&AcmeOrderRow> {
    state.newest.as_ref().filter(|row| row.state == "open")
}

fn fault(state: &CertificateState) -> Option<&str> {
    state.newest.as_ref()?.fault.as_deref()
}
