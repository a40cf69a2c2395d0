//! What a client asks to show a folder: flags, envelopes, structures, and the bodies themselves.

use crate::corpus;
use crate::flags::Flags;
use crate::report::Line;
use crate::wire::{Imap, Outcome, Reply};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// FETCH of one thing of a whole folder that `fill` made, `--times` times, the median counts; `--when` names the
/// figures: `first`, `cold`, `warm`.
pub async fn lists(flags: &Flags) -> Outcome<String> {
    let (target, messages, times) =
        (flags.target()?, flags.number("messages", 10_000)?, flags.number("times", 1)?);
    let (folder, when) = (flags.text("folder", "Fill"), flags.text("when", "warm"));
    let mut line = Line::new("lists");
    for (name, items) in [("flags", "FLAGS"), ("envelope", "ENVELOPE"), ("structure", "BODYSTRUCTURE")] {
        let mut took = Vec::new();
        for _ in 0..times {
            // A session each time: what one session remembers of itself is not measured.
            let mut imap = Imap::log_in(&target, &target.user(0)).await?;
            imap.command(&format!("EXAMINE \"{folder}\"")).await?;
            let began = Instant::now();
            let reply = imap.command(&format!("FETCH 1:* (UID {items})")).await?;
            took.push(began.elapsed());
            check_list(&reply, name, messages)?;
        }
        line = line.median(&format!("{name}_{when}_ms"), &mut took);
    }
    let mut imap = Imap::log_in(&target, &target.user(0)).await?;
    imap.select(&folder).await?;
    let from = messages.saturating_sub(50) + 1;
    let mut page = Vec::new();
    for _ in 0..times {
        let began = Instant::now();
        let asked = format!("FETCH {from}:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)");
        let reply = imap.command(&asked).await?;
        page.push(began.elapsed());
        check_list(&reply, "envelope", messages.min(50))?;
    }
    Ok(line.median(&format!("page_{when}_ms"), &mut page).end())
}

fn check_list(reply: &Reply, name: &str, messages: usize) -> Outcome<()> {
    let mut seen = HashSet::new();
    for item in reply.fetches() {
        let text = String::from_utf8_lossy(item);
        let uid =
            text.split_once("UID ").and_then(|(_, rest)| rest.split([' ', ')']).next()?.parse::<u32>().ok());
        let good = match name {
            "flags" => text.contains("FLAGS ("),
            "envelope" => corpus::number_in_envelope(item).is_some_and(|number| {
                let sender = format!("\"canbo.{}\"", corpus::sender_of(number));
                text.contains(&corpus::subject(number)) && text.contains(&sender)
            }),
            // Its number is not in it: the first part's type and a charset are.
            _ => {
                let upper = text.to_ascii_uppercase();
                (upper.contains("BODYSTRUCTURE (\"TEXT\" \"PLAIN\" (")
                    || upper.contains("BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" ("))
                    && upper.contains("\"UTF-8\"")
            }
        };
        if !good || uid.is_none_or(|uid| !seen.insert(uid)) {
            return Err(format!("a wrong {name}: {}", text.chars().take(400).collect::<String>()).into());
        }
    }
    if seen.len() == messages {
        Ok(())
    } else {
        Err(format!("{} {name}, {messages} expected", seen.len()).into())
    }
}

/// Every body of the folder on one connection, compared octet for octet; MB/s.
pub async fn bodies(flags: &Flags) -> Outcome<String> {
    let (target, messages, times) =
        (flags.target()?, flags.number("messages", 10_000)?, flags.number("times", 1)?);
    let (folder, size) = (flags.text("folder", "Fill"), flags.number("size", 0)?);
    let mut imap = Imap::log_in(&target, &target.user(0)).await?;
    imap.command(&format!("EXAMINE \"{folder}\"")).await?;
    let mut took = Vec::new();
    let mut octets = 0;
    for _ in 0..times {
        let began = Instant::now();
        let reply = imap.command("FETCH 1:* (UID BODY.PEEK[])").await?;
        took.push(began.elapsed());
        octets = reply.octets();
        check_bodies(&reply, messages, size)?;
    }
    took.sort_unstable();
    let median = took.get(took.len() / 2).map_or(0.0, Duration::as_secs_f64);
    let rate = octets as f64 / median / 1_048_576.0;
    Ok(Line::new("bodies").field("megabytes_per_second", format!("{rate:.1}")).end())
}

fn check_bodies(reply: &Reply, messages: usize, size: usize) -> Outcome<()> {
    let mut seen = HashSet::new();
    for item in reply.fetches() {
        let number = corpus::number_in(item).ok_or("a body without our Message-ID")?;
        let wanted = if size == 0 { corpus::message(number) } else { corpus::large(number, size) };
        let start = memchr::memmem::find(item, b"}\r\n").ok_or("a body that is no literal")? + 3;
        if !item.get(start..).is_some_and(|body| body.starts_with(&wanted)) || !seen.insert(number) {
            return Err(format!("message {number} came back changed or twice").into());
        }
    }
    if seen.len() == messages {
        Ok(())
    } else {
        Err(format!("{} bodies, {messages} expected", seen.len()).into())
    }
}
