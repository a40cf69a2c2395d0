//! How many messages a second are acknowledged, and how long until all of them are visible.

use crate::flags::Flags;
use crate::report::Line;
use crate::wire::{Imap, Outcome, Smtp, compose};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long acknowledged messages may stay invisible before the run fails.
const VISIBLE_WITHIN: Duration = Duration::from_secs(60);

pub async fn run(flags: &Flags) -> Outcome<String> {
    let (size, seconds) = (flags.number("size", 4096)?, flags.number("seconds", 10)?);
    let (recipients, connections) = (flags.number("recipients", 1)?, flags.number("connections", 8)?);
    let users = flags.number("users", 1)?;
    let before = visible(flags, users).await?;
    let seeds = Arc::new(AtomicU64::new(nanos()));
    let began = Instant::now();
    let deadline = began + Duration::from_secs(seconds as u64);
    let mut tasks = Vec::new();
    for number in 0..connections {
        let all: Vec<String> = (0..users).map(|user| flags.user(user)).collect::<Outcome<_>>()?;
        tasks.push(tokio::spawn(send(
            flags.port("smtp")?,
            all,
            recipients,
            size,
            number,
            seeds.clone(),
            deadline,
        )));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let took = began.elapsed();
    let accepted = latencies.len();
    let lag = until_visible(flags, users, before + accepted * recipients).await?;
    Ok(Line::new("inbound")
        .field("size", size)
        .field("recipients", recipients)
        .field("connections", connections)
        .field("accepted", accepted)
        .field("per_second", format!("{:.1}", accepted as f64 / took.as_secs_f64()))
        .field(
            "megabytes_per_second",
            format!("{:.2}", (accepted * size) as f64 / took.as_secs_f64() / 1_048_576.0),
        )
        .latencies("milliseconds", &mut latencies)
        .seconds("visible_after", lag)
        .end())
}

async fn send(
    address: String,
    users: Vec<String>,
    recipients: usize,
    size: usize,
    number: usize,
    seeds: Arc<AtomicU64>,
    deadline: Instant,
) -> Outcome<Vec<Duration>> {
    let mut smtp = Smtp::connect(&address).await?;
    let mut latencies = Vec::new();
    let mut next = number * recipients;
    while Instant::now() < deadline {
        let to: Vec<String> = (0..recipients).map(|i| users[(next + i) % users.len()].clone()).collect();
        next += recipients;
        let message = compose(seeds.fetch_add(1, Ordering::Relaxed), size);
        let began = Instant::now();
        smtp.deliver(&to, &message).await?;
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

/// Messages in the INBOXes of all users together.
async fn visible(flags: &Flags, users: usize) -> Outcome<usize> {
    let mut sum = 0;
    for user in 0..users {
        let mut imap = Imap::log_in(&flags.port("imaps")?, &flags.user(user)?, &flags.password()).await?;
        sum += imap.messages().await?;
    }
    Ok(sum)
}

async fn until_visible(flags: &Flags, users: usize, wanted: usize) -> Outcome<Duration> {
    let began = Instant::now();
    loop {
        let found = visible(flags, users).await?;
        if found == wanted {
            return Ok(began.elapsed());
        }
        if found > wanted || began.elapsed() > VISIBLE_WITHIN {
            return Err(format!("{found} messages are visible, {wanted} were acknowledged").into());
        }
    }
}

/// A start for message numbers that no earlier run has used.
pub fn nanos() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64)
}
