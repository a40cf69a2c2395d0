//! What a mailbox's size costs those who use it: the same few things at each size.

use crate::corpus;
use crate::flags::Flags;
use crate::inbound::nanos;
use crate::report::Line;
use crate::wire::{Imap, Outcome};
use std::time::{Duration, Instant};

const PAGE: usize = 50;
/// Messages of one COPY: a transaction that nobody else waits for too long.
const COPY_MAX: usize = 20_000;

/// Grows `--folder`, which `fill` began, to `--messages` by copying it onto itself, then measures.
pub async fn growth(flags: &Flags) -> Outcome<String> {
    let (target, messages, times) =
        (flags.target()?, flags.number("messages", 1000)?, flags.number("times", 21)?);
    let folder = flags.text("folder", "Fill");
    let mut imap = Imap::log_in(&target, &target.user(0)).await?;
    let began = Instant::now();
    let mut there = imap.select(&folder).await?;
    while there < messages {
        let more = there.min(messages - there).min(COPY_MAX);
        imap.command(&format!("COPY 1:{more} \"{folder}\"")).await?;
        there = imap.messages(&folder).await?;
    }
    let filling = began.elapsed();
    if there != messages {
        return Err(format!("{there} messages, {messages} expected").into());
    }
    // One message that a search can find alone.
    let word = format!("tim{}", nanos());
    // Every tenth is plain text, whose end is part of what is searched.
    let body = String::from_utf8(corpus::message(nanos() / 10 * 10))? + &format!("Tu can tim: {word}\r\n");
    imap.append(&folder, body.as_bytes()).await?;
    let mut other = Imap::log_in(&target, &target.user(0)).await?;
    let select = repeat(&mut other, &format!("SELECT \"{folder}\""), times, 0).await?;
    let page = format!(
        "FETCH {}:{} (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)",
        there + 2 - PAGE,
        there + 1
    );
    let list = repeat(&mut other, &page, times, PAGE).await?;
    let mut appends = Vec::new();
    for _ in 0..times {
        let message = corpus::compose(nanos(), 4096);
        let began = Instant::now();
        imap.append(&folder, &message).await?;
        appends.push(began.elapsed());
    }
    let paged = other.offers("PARTIAL").await?;
    let returns = if paged { "RETURN (PARTIAL -1:-50) " } else { "" };
    other.command("NOOP").await?;
    found(&mut other, &format!("UID SEARCH BODY {word}"), 1).await?;
    let rare = repeat(&mut other, &format!("UID SEARCH {returns}BODY {word}"), times, 0).await?;
    let common =
        repeat(&mut other, &format!("UID SEARCH {returns}BODY {}", corpus::EVERYWHERE), times.min(5), 0)
            .await?;
    Ok(Line::new("growth")
        .field("messages", messages)
        .seconds("filling_seconds", filling)
        .median("select_ms", &mut { select })
        .median("page_ms", &mut { list })
        .median("append_ms", &mut appends)
        .median("search_rare_ms", &mut { rare })
        .median(if paged { "search_page_ms" } else { "search_everywhere_ms" }, &mut { common })
        .end())
}

/// `fetches` FETCH responses must come each time.
async fn repeat(imap: &mut Imap, command: &str, times: usize, fetches: usize) -> Outcome<Vec<Duration>> {
    let mut took = Vec::new();
    for _ in 0..times {
        let began = Instant::now();
        let reply = imap.command(command).await?;
        took.push(began.elapsed());
        if reply.fetches().count() != fetches {
            return Err(format!("{command}: {} answers, {fetches} expected", reply.fetches().count()).into());
        }
    }
    Ok(took)
}

async fn found(imap: &mut Imap, command: &str, wanted: usize) -> Outcome<()> {
    let reply = imap.command(command).await?;
    let words = |line: String| line.strip_prefix("* SEARCH").map(|rest| rest.split_whitespace().count());
    let count: usize = reply.lines().filter_map(words).sum();
    if count == wanted { Ok(()) } else { Err(format!("{command}: {count} found, {wanted} expected").into()) }
}
