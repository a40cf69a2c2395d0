//! How many messages a second are acknowledged, and how long until all of them are visible.

use crate::corpus::{STRANGER, compose};
use crate::flags::Flags;
use crate::report::Line;
use crate::target::Target;
use crate::wire::{Imap, Outcome, Smtp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How long acknowledged messages may stay invisible before the run fails: a queue that was filled for seconds empties
/// for minutes.
const VISIBLE_WITHIN: Duration = Duration::from_secs(300);
/// Between two looks at what is visible, so that looking does not take the server's time.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub async fn run(flags: &Flags) -> Outcome<String> {
    let (target, size, seconds) =
        (Arc::new(flags.target()?), flags.number("size", 4096)?, flags.number("seconds", 10)?);
    let (recipients, connections) = (flags.number("recipients", 1)?, flags.number("connections", 8)?);
    let users = flags.number("mailboxes", 16)?.clamp(recipients, target.users.max(recipients));
    let mut watch = Watch::open(&target, users).await?;
    let before = watch.visible().await?;
    let seeds = Arc::new(AtomicU64::new(nanos()));
    let began = Instant::now();
    let deadline = began + Duration::from_secs(seconds as u64);
    let mut tasks = Vec::new();
    for number in 0..connections {
        let to: Vec<String> = (0..users).map(|user| target.user(user)).collect();
        let sender = Sender { target: target.clone(), to, recipients, size, seeds: seeds.clone(), deadline };
        tasks.push(tokio::spawn(sender.send(number)));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let took = began.elapsed();
    let accepted = latencies.len();
    let lag = watch.until(before + accepted * recipients).await?;
    let all = (took + lag).as_secs_f64();
    Ok(Line::new("inbound")
        .field("accepted", accepted)
        .field("accepted_per_second", format!("{:.1}", accepted as f64 / took.as_secs_f64()))
        .field("visible_per_second", format!("{:.1}", accepted as f64 / all))
        .field("megabytes_per_second", format!("{:.2}", (accepted * size) as f64 / all / 1_048_576.0))
        .latencies("milliseconds", &mut latencies)
        .seconds("visible_after", lag)
        .end())
}

struct Sender {
    target: Arc<Target>,
    to: Vec<String>,
    recipients: usize,
    size: usize,
    seeds: Arc<AtomicU64>,
    deadline: Instant,
}

impl Sender {
    async fn send(self, number: usize) -> Outcome<Vec<Duration>> {
        let mut smtp = Smtp::connect(&self.target).await?;
        let mut latencies = Vec::new();
        let mut next = number * self.recipients;
        while Instant::now() < self.deadline {
            let turn = self.to.iter().cycle().skip(next % self.to.len());
            let to: Vec<String> = turn.take(self.recipients).cloned().collect();
            next += self.recipients;
            let message = compose(self.seeds.fetch_add(1, Ordering::Relaxed), self.size);
            let began = Instant::now();
            smtp.deliver(STRANGER, &to, &message).await?;
            latencies.push(began.elapsed());
        }
        smtp.quit().await?;
        Ok(latencies)
    }
}

/// Sessions that ask STATUS of the INBOXes of the first mailboxes; opened before anything is timed.
pub struct Watch(Vec<Imap>);

impl Watch {
    pub async fn open(target: &Arc<Target>, users: usize) -> Outcome<Self> {
        let gate = Arc::new(Semaphore::new(16));
        let open = |number: usize| {
            let (target, gate) = (target.clone(), gate.clone());
            tokio::spawn(async move {
                let _turn = gate.acquire().await?;
                Imap::log_in(&target, &target.user(number)).await
            })
        };
        let tasks: Vec<_> = (0..users).map(open).collect();
        let mut sessions = Vec::new();
        for task in tasks {
            sessions.push(task.await??);
        }
        Ok(Self(sessions))
    }

    /// Messages in those INBOXes together.
    pub async fn visible(&mut self) -> Outcome<usize> {
        const ASK: &str = "STATUS INBOX (MESSAGES)";
        let mut tags = Vec::new();
        for imap in &mut self.0 {
            tags.push(imap.send(ASK).await?);
        }
        let mut sum = 0;
        for (imap, tag) in self.0.iter_mut().zip(tags) {
            sum += imap.reply(&tag, ASK).await?.number_after("MESSAGES ")? as usize;
        }
        Ok(sum)
    }

    /// How long until exactly so many are visible.
    pub async fn until(&mut self, wanted: usize) -> Outcome<Duration> {
        let began = Instant::now();
        loop {
            let found = self.visible().await?;
            if found == wanted {
                return Ok(began.elapsed());
            }
            if found > wanted || began.elapsed() > VISIBLE_WITHIN {
                return Err(format!("{found} messages are visible, {wanted} were acknowledged").into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// A start for message numbers that no earlier run has used.
pub fn nanos() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64)
}
