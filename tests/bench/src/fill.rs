//! Folders full of known messages, and what APPEND costs.

use crate::corpus;
use crate::flags::Flags;
use crate::inbound::nanos;
use crate::report::Line;
use crate::target::Target;
use crate::wire::{Imap, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Messages in one command, where the server takes several (MULTIAPPEND).
const BATCH: usize = 50;
/// APPEND commands under way on a connection, where it takes only one.
const AHEAD: usize = 8;
const PATIENCE: Duration = Duration::from_secs(5);

/// `--folder` with the messages numbered 0 to `--messages`; the order among connections is not fixed.
pub async fn fill(flags: &Flags) -> Outcome<String> {
    let (target, messages) = (Arc::new(flags.target()?), flags.number("messages", 10_000)?);
    let (connections, size) = (flags.number("connections", 8)?, flags.number("size", 0)?);
    let folder = flags.text("folder", "Fill");
    let mut imap = Imap::log_in(&target, &target.user(0)).await?;
    imap.create_anew(&folder).await?;
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let part =
            Part { target: target.clone(), folder: folder.clone(), next: next.clone(), messages, size };
        tasks.push(tokio::spawn(part.run()));
    }
    for task in tasks {
        task.await??;
    }
    let took = began.elapsed();
    let found = imap.messages(&folder).await?;
    if found != messages {
        return Err(format!("{found} messages in {folder}, {messages} were appended").into());
    }
    Ok(Line::new("fill")
        .field("messages", messages)
        .seconds("seconds", took)
        .field("per_second", format!("{:.1}", messages as f64 / took.as_secs_f64()))
        .end())
}

struct Part {
    target: Arc<Target>,
    folder: String,
    next: Arc<AtomicUsize>,
    messages: usize,
    size: usize,
}

impl Part {
    async fn run(self) -> Outcome<()> {
        let mut imap = Imap::log_in(&self.target, &self.target.user(0)).await?;
        let ahead = imap.offers("LITERAL+").await?;
        let batch = if ahead && imap.offers("MULTIAPPEND").await? { BATCH } else { 1 };
        let batch = if self.size > 1 << 16 { 1 } else { batch };
        let mut under_way = std::collections::VecDeque::new();
        loop {
            let from = self.next.fetch_add(batch, Ordering::Relaxed);
            let messages: Vec<_> =
                (from..(from + batch).min(self.messages)).map(|n| self.message(n)).collect();
            if messages.is_empty() {
                break;
            }
            if !ahead {
                imap.append(&self.folder, &messages[0]).await?;
                continue;
            }
            under_way.push_back(imap.append_ahead(&self.folder, &messages).await?);
            if under_way.len() >= if batch > 1 { 1 } else { AHEAD } {
                imap.reply(&under_way.pop_front().unwrap_or_default(), "APPEND").await?;
            }
        }
        for tag in under_way {
            imap.reply(&tag, "APPEND").await?;
        }
        Ok(())
    }

    fn message(&self, number: usize) -> Vec<u8> {
        if self.size == 0 { corpus::message(number as u64) } else { corpus::large(number as u64, self.size) }
    }
}

/// Single APPENDs of `--size` as a client that saves a sent copy does: alone on a kept connection, then on eight at once.
pub async fn append(flags: &Flags) -> Outcome<String> {
    let (target, size, count) =
        (Arc::new(flags.target()?), flags.number("size", 4096)?, flags.number("count", 200)?);
    let folder = flags.text("folder", "Append");
    let mut imap = Imap::log_in(&target, &target.user(0)).await?;
    imap.create_anew(&folder).await?;
    let mut alone = several(&mut imap, &folder, size, count).await?;
    let connections = 8;
    let mut sessions = Vec::new();
    for _ in 0..connections {
        sessions.push(Imap::log_in(&target, &target.user(0)).await?);
    }
    let began = Instant::now();
    let mut tasks = Vec::new();
    for mut imap in sessions {
        let folder = folder.clone();
        tasks.push(tokio::spawn(async move { several(&mut imap, &folder, size, count).await }));
    }
    for task in tasks {
        task.await??;
    }
    let rate = (connections * count) as f64 / began.elapsed().as_secs_f64();
    let (found, wanted) = (imap.messages(&folder).await?, (connections + 1) * count);
    if found != wanted {
        return Err(format!("{found} messages in {folder}, {wanted} were appended").into());
    }
    Ok(Line::new("append")
        .median("append_ms", &mut alone)
        .field("append_8_per_second", format!("{rate:.1}"))
        .end())
}

async fn several(imap: &mut Imap, folder: &str, size: usize, count: usize) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..count {
        let message = corpus::compose(nanos(), size);
        let began = Instant::now();
        imap.append(folder, &message).await?;
        times.push(began.elapsed());
        if began.elapsed() > PATIENCE {
            return Err("an APPEND took longer than anybody waits".into());
        }
    }
    Ok(times)
}
