//! What thousands of waiting clients cost: TLS sessions, logged in, one folder selected, in IDLE.

use crate::flags::Flags;
use crate::report::{Line, memory_of_all_kb};
use crate::target::Target;
use crate::wire::{Imap, Outcome};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Connections that are set up at once.
const AT_ONCE: usize = 32;
/// How long the sessions stay before the memory is read, so that what was needed to set them up is given back.
const SETTLE: Duration = Duration::from_secs(5);

pub async fn run(flags: &Flags) -> Outcome<String> {
    let (target, sessions) = (Arc::new(flags.target()?), flags.number("sessions", 5000)?);
    let memory = || memory_of_all_kb(&target.pid_files);
    // Some sessions first, and gone again: caches, pools and what password checks take exist before the memory is read.
    drop(open_all(&target, AT_ONCE).await?);
    tokio::time::sleep(SETTLE).await;
    let before = memory()?;
    let began = Instant::now();
    let first = open_all(&target, sessions / 2).await?;
    tokio::time::sleep(SETTLE).await;
    let half = memory()?;
    let second = open_all(&target, sessions - first.len()).await?;
    let took = began.elapsed().saturating_sub(SETTLE);
    tokio::time::sleep(SETTLE).await;
    let after = memory()?;
    let each = |kb: u64, count: usize| format!("{:.1}", kb as f64 / count.max(1) as f64);
    Ok(Line::new("idle")
        .field("sessions", first.len() + second.len())
        .seconds("seconds_to_open", took)
        .field("pss_before_kb", before)
        .field("pss_after_kb", after)
        .field("kb_per_session", each(after.saturating_sub(before), first.len() + second.len()))
        .field("kb_per_session_of_the_second_half", each(after.saturating_sub(half), second.len()))
        .end())
}

async fn open_all(target: &Arc<Target>, count: usize) -> Outcome<Vec<Imap>> {
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = Vec::new();
    for number in 0..count {
        let (target, gate) = (target.clone(), gate.clone());
        tasks.push(tokio::spawn(async move {
            let _turn = gate.acquire().await?;
            open(&target, number).await
        }));
    }
    let mut held = Vec::new();
    for task in tasks {
        held.push(task.await??);
    }
    Ok(held)
}

async fn open(target: &Target, number: usize) -> Outcome<Imap> {
    let mut imap = Imap::log_in(target, &target.user(number)).await?;
    imap.select("INBOX").await?;
    imap.idle().await?;
    Ok(imap)
}
