//! STORE, COPY, MOVE and EXPUNGE: whole folders, a thousand, and one by one.

use crate::flags::Flags;
use crate::report::Line;
use crate::wire::{Imap, Outcome};
use std::time::{Duration, Instant};

const FEWER: usize = 1000;
const WORK: &str = "Work";
const AWAY: &str = "Away";

/// From `--folder` with `--messages` everything is copied to a folder of its own, and worked on there.
pub async fn change(flags: &Flags) -> Outcome<String> {
    let (target, messages) = (flags.target()?, flags.number("messages", 10_000)?);
    let (folder, singles) = (flags.text("folder", "Fill"), flags.number("singles", 50)?);
    let fewer = FEWER.min(messages / 2);
    let mut imap = Imap::log_in(&target, &target.user(0)).await?;
    imap.create_anew(WORK).await?;
    imap.create_anew(AWAY).await?;
    imap.select(&folder).await?;
    let mut line = Line::new("change");
    line = line.median("copy_all_ms", &mut [timed(&mut imap, &format!("COPY 1:* \"{WORK}\"")).await?]);
    expect(imap.select(WORK).await?, messages, "after COPY")?;

    line = line.median("store_all_ms", &mut [timed(&mut imap, "STORE 1:* +FLAGS.SILENT (\\Flagged)").await?]);
    flagged(&mut imap, "FLAGGED", messages).await?;
    let few = format!("STORE 1:{fewer} +FLAGS.SILENT (\\Answered)");
    line = line.median("store_1k_ms", &mut [timed(&mut imap, &few).await?]);
    flagged(&mut imap, "ANSWERED", fewer).await?;
    line = line.median("store_one_ms", &mut store_singles(&mut imap, singles).await?);
    flagged(&mut imap, "SEEN", singles).await?;

    let few = format!("MOVE 1:{fewer} \"{AWAY}\"");
    line = line.median("move_1k_ms", &mut [timed(&mut imap, &few).await?]);
    let mut one = Vec::new();
    for _ in 0..singles {
        one.push(timed(&mut imap, &format!("MOVE 1 \"{AWAY}\"")).await?);
    }
    line = line.median("move_one_ms", &mut one);
    expect(imap.messages(AWAY).await?, fewer + singles, "moved")?;
    imap.select(AWAY).await?;
    imap.command(&format!("MOVE 1:* \"{WORK}\"")).await?;
    expect(imap.select(WORK).await?, messages, "moved back")?;
    line = line.median("move_all_ms", &mut [timed(&mut imap, &format!("MOVE 1:* \"{AWAY}\"")).await?]);
    expect(imap.messages(WORK).await?, 0, "left after MOVE")?;
    expect(imap.select(AWAY).await?, messages, "moved")?;
    flagged(&mut imap, "FLAGGED", messages).await?;

    let mut left = messages;
    let mut one = Vec::new();
    for _ in 0..singles {
        left -= 1;
        one.push(expunge(&mut imap, "1", left).await?);
    }
    line = line.median("expunge_one_ms", &mut one);
    left -= fewer;
    line = line.median("expunge_1k_ms", &mut [expunge(&mut imap, &format!("1:{fewer}"), left).await?]);
    let rest = expunge(&mut imap, "1:*", 0).await?;
    // All that are still there, told as if they were all.
    let all = rest.mul_f64(messages as f64 / left.max(1) as f64);
    Ok(line.median("expunge_all_ms", &mut [all]).end())
}

async fn store_singles(imap: &mut Imap, singles: usize) -> Outcome<Vec<Duration>> {
    let mut one = Vec::new();
    for number in 1..=singles {
        let command = format!("STORE {number} +FLAGS (\\Seen)");
        let began = Instant::now();
        let reply = imap.command(&command).await?;
        one.push(began.elapsed());
        let told = reply.fetches().any(|item| String::from_utf8_lossy(item).contains("\\Seen"));
        if !told {
            return Err(format!("{command} told no flags").into());
        }
    }
    Ok(one)
}

/// Marks and expunges; only EXPUNGE is timed.
async fn expunge(imap: &mut Imap, set: &str, left: usize) -> Outcome<Duration> {
    imap.command(&format!("STORE {set} +FLAGS.SILENT (\\Deleted)")).await?;
    let took = timed(imap, "EXPUNGE").await?;
    expect(imap.messages(AWAY).await?, left, "left after EXPUNGE")?;
    Ok(took)
}

async fn timed(imap: &mut Imap, command: &str) -> Outcome<Duration> {
    let began = Instant::now();
    imap.command(command).await?;
    Ok(began.elapsed())
}

async fn flagged(imap: &mut Imap, key: &str, wanted: usize) -> Outcome<()> {
    let reply = imap.command(&format!("SEARCH {key}")).await?;
    let words = |line: String| line.strip_prefix("* SEARCH").map(|rest| rest.split_whitespace().count());
    expect(reply.lines().filter_map(words).sum(), wanted, key)
}

fn expect(found: usize, wanted: usize, what: &str) -> Outcome<()> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found}, {wanted} expected").into()) }
}
