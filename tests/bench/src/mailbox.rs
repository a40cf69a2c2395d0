//! A mailbox with very many messages: filled over SMTP, then opened as a client opens it.

use crate::flags::Flags;
use crate::inbound::nanos;
use crate::report::Line;
use crate::wire::{Imap, Outcome, Smtp, compose};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const SIZE: usize = 2048;
/// What a client lists first.
const NEWEST: usize = 50;
/// Times each thing is done warm; the median counts.
const WARM_TIMES: usize = 5;

pub async fn fill(flags: &Flags) -> Outcome<String> {
    let (messages, connections) = (flags.number("messages", 100_000)?, flags.number("connections", 16)?);
    let next = Arc::new(AtomicUsize::new(0));
    let base = nanos();
    let began = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (address, to, next) = (flags.port("smtp")?, [flags.user(0)?], next.clone());
        tasks.push(tokio::spawn(async move {
            let mut smtp = Smtp::connect(&address).await?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= messages {
                    return Outcome::Ok(());
                }
                smtp.deliver(&to, &compose(base.wrapping_add(number as u64), SIZE)).await?;
            }
        }));
    }
    for task in tasks {
        task.await??;
    }
    let took = began.elapsed();
    Ok(Line::new("fill")
        .field("messages", messages)
        .seconds("seconds", took)
        .field("per_second", format!("{:.1}", messages as f64 / took.as_secs_f64()))
        .end())
}

/// Run right after the server's start, its first SELECT is cold of the node's own cache.
pub async fn open(flags: &Flags) -> Outcome<String> {
    let messages = flags.number("messages", 100_000)?;
    let mut imap = Imap::log_in(&flags.port("imaps")?, &flags.user(0)?, &flags.password()).await?;
    // Nothing before it may look into the folder: not even STATUS, which loads the view too.
    let began = Instant::now();
    let lines = imap.command("SELECT INBOX").await?;
    let cold = began.elapsed();
    let found = exists(&lines)?;
    if found < messages {
        return Err(format!("{found} messages, {messages} expected").into());
    }
    let newest = format!(
        "FETCH {}:{found} (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)",
        found + 1 - NEWEST.min(found)
    );
    let (first_list, lines) = timed(&mut imap, &newest).await?;
    if lines != NEWEST.min(found) {
        return Err(format!("{lines} lines for {newest}").into());
    }
    let bodies = format!("FETCH {}:{found} (BODY.PEEK[])", found + 1 - NEWEST.min(found));
    Ok(Line::new("open")
        .field("messages", found)
        .seconds("select_cold_s", cold)
        .seconds("select_warm_s", median(&mut imap, "SELECT INBOX", 0).await?)
        .seconds("list_newest_50_first_s", first_list)
        .seconds("list_newest_50_warm_s", median(&mut imap, &newest, NEWEST.min(found)).await?)
        .seconds("bodies_of_newest_50_s", median(&mut imap, &bodies, NEWEST.min(found)).await?)
        .seconds("all_flags_s", median(&mut imap, "UID FETCH 1:* (FLAGS)", found).await?)
        .end())
}

async fn timed(imap: &mut Imap, command: &str) -> Outcome<(Duration, usize)> {
    let began = Instant::now();
    let lines = imap.command(command).await?;
    Ok((began.elapsed(), lines.iter().filter(|line| line.contains(" FETCH ")).count()))
}

fn exists(lines: &[String]) -> Outcome<usize> {
    let count = lines.iter().find_map(|line| line.strip_prefix("* ")?.strip_suffix(" EXISTS"));
    Ok(count.ok_or("SELECT without EXISTS")?.parse()?)
}

async fn median(imap: &mut Imap, command: &str, messages: usize) -> Outcome<Duration> {
    let mut times = Vec::new();
    for _ in 0..WARM_TIMES {
        let (time, lines) = timed(imap, command).await?;
        if lines != messages {
            return Err(format!("{lines} lines for {command}, {messages} expected").into());
        }
        times.push(time);
    }
    times.sort_unstable();
    Ok(times[WARM_TIMES / 2])
}
