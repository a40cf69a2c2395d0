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
    // One session first: caches and pools exist before the memory is read.
    drop(open(flags.port("imaps")?, flags.user(0)?, flags.password()).await?);
    let before = memory_kb(pid, "VmRSS");
    let began = Instant::now();
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = Vec::new();
    for number in 0..sessions {
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
    let took = began.elapsed();
    tokio::time::sleep(SETTLE).await;
    let after = memory_kb(pid, "VmRSS");
    Ok(Line::new("idle")
        .field("sessions", held.len())
        .seconds("seconds_to_open", took)
        .field("rss_before_kb", before)
        .field("rss_after_kb", after)
        .field(
            "kb_per_session",
            format!("{:.1}", after.saturating_sub(before) as f64 / held.len().max(1) as f64),
        )
        .end())
}

async fn open(address: String, user: String, password: String) -> Outcome<Imap> {
    let mut imap = Imap::log_in(&address, &user, &password).await?;
    imap.command("SELECT INBOX").await?;
    imap.idle().await?;
    Ok(imap)
}
