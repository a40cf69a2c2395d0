//! `congthu job …`: what runs at its times.

use super::Session;
use crate::cli::JobCommand;
use anyhow::{Context as _, Result, bail};
use engine::JobRow;
use model::calendar::local_text;
use serde_json::json;

pub(super) async fn run(session: &Session, command: &JobCommand) -> Result<()> {
    match command {
        JobCommand::List => list(session).await,
        JobCommand::Run { name } => run_one(session, name).await,
        JobCommand::Pause { name } => pause(session, name, true).await,
        JobCommand::Resume { name } => pause(session, name, false).await,
    }
}

async fn list(session: &Session) -> Result<()> {
    let jobs = session.node.engine.jobs(&session.actor).await?;
    let item = |job: &JobRow| {
        json!({
            "name": job.name, "next_run": job.next_run, "running_until": job.taken_until,
            "started_at": job.started_at, "ended_at": job.ended_at, "result": job.result, "failed": job.failed,
            "paused": job.paused,
        })
    };
    let line = |job: &JobRow| {
        let last = match (&job.ended_at, &job.result) {
            (Some(at), Some(result)) => {
                format!("{} {}: {result}", if job.failed { "failed" } else { "ended" }, local_text(*at))
            }
            _ => "never ran".to_owned(),
        };
        let next =
            if job.paused { "paused".to_owned() } else { format!("next {}", local_text(job.next_run)) };
        format!("{} {next}; {last}\n", job.name)
    };
    let text: String = jobs.iter().map(line).collect();
    session.answer(&jobs.iter().map(item).collect(), &text)
}

async fn pause(session: &Session, name: &str, paused: bool) -> Result<()> {
    if !session.node.engine.pause_job(&session.actor, name, paused).await? {
        bail!("there is no job {name}; `congthu job list` lists them");
    }
    session.answer(&json!({ "name": name, "paused": paused }), if paused { "paused" } else { "resumed" })
}

async fn run_one(session: &Session, name: &str) -> Result<()> {
    let engine = &session.node.engine;
    if !engine.jobs(&session.actor).await?.iter().any(|job| job.name == name) {
        bail!("there is no job {name}; `congthu job list` lists them");
    }
    crate::outbound::let_ask(engine, &session.config);
    engine.use_learner(session.config.scan.learner());
    let ran =
        engine.run_job_now(&session.actor, name).await.with_context(|| format!("the job {name} failed"))?;
    let Some(did) = ran else {
        bail!("a node is running {name} just now; `congthu job list` says since when")
    };
    session.answer(&json!({ "name": name, "result": did }), &did)
}
