//! What thousands of waiting clients cost: TLS sessions, logged in, one folder selected, in IDLE.

use crate::flags::Flags;
use crate::report::{Line, memory_kb};
use crate::wire::{Imap, Outcome};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Connections that are set up at once.
const AT_ONCE: usize = 32;
/// How long the sessions stay before the memory is read, so that what was needed to set them up is given back.
const SETTLE: Duration = Duration::from_secs(5);

pub async fn run(flags: &Flags) -> Outcome<String> {
    let (sessions, pid) = (flags.number("sessions", 5000)?, flags.number("pid", 0)?);
    // Some sessions first, and gone again: caches, pools and what password checks take exist before the memory is read.
    drop(open_all(flags, AT_ONCE).await?);
    tokio::time::sleep(SETTLE).await;
    let before = memory_kb(pid, "VmRSS");
    let began = Instant::now();
    let first = open_all(flags, sessions / 2).await?;
    tokio::time::sleep(SETTLE).await;
    let half = memory_kb(pid, "VmRSS");
    let second = open_all(flags, sessions - first.len()).await?;
    let took = began.elapsed().saturating_sub(SETTLE);
    tokio::time::sleep(SETTLE).await;
    let after = memory_kb(pid, "VmRSS");
    let each = |kb: u64, count: usize| format!("{:.1}", kb as f64 / count.max(1) as f64);
    Ok(Line::new("idle")
        .field("sessions", first.len() + second.len())
        .seconds("seconds_to_open", took)
        .field("rss_before_kb", before)
        .field("rss_after_kb", after)
        .field("kb_per_session", each(after.saturating_sub(before), first.len() + second.len()))
        .field("kb_per_session_of_the_second_half", each(after.saturating_sub(half), second.len()))
        .end())
}

async fn open_all(flags: &Flags, count: usize) -> Outcome<Vec<Imap>> {
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = Vec::new();
    for number in 0..count {
        let (address, user, password) = (flags.port("imaps")?, flags.user(number)?, flags.password());
        let gate = gate.clone();
        tasks.push(tokio::spawn(async move {
            let _turn = gate.acquire().await?;
            open(address, user, password).await
        }));
    }
    let mut held = Vec::new();
    for task in tasks {
        held.push(task.await??);
    }
    Ok(held)
}

async fn open(address: String, user: String, password: String) -> Outcome<Imap> {
    let mut imap = Imap::log_in(&address, &user, &password).await?;
    imap.command("SELECT INBOX").await?;
    imap.idle().await?;
    Ok(imap)
}
