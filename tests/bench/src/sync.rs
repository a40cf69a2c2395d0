//! A folder's first synchronisation, and the next one, as Thunderbird does them.

use crate::corpus;
use crate::flags::Flags;
use crate::report::Line;
use crate::wire::{Imap, Outcome};
use std::time::Instant;

/// What Thunderbird asks for of every new message.
const HEADERS: &str = "(UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority \
                       X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])";
/// Messages whose flags change between two synchronisations, that go, and that come.
const CHANGED: usize = 100;
const GONE: usize = 10;
const COME: usize = 10;

/// `--when first` right after `fill`; then again.
pub async fn first(flags: &Flags) -> Outcome<String> {
    let (target, messages) = (flags.target()?, flags.number("messages", 10_000)?);
    let (folder, when) = (flags.text("folder", "Fill"), flags.text("when", "first"));
    let mut imap = Imap::log_in(&target, &target.user(0)).await?;
    let began = Instant::now();
    imap.select(&folder).await?;
    let flags_reply = imap.command("UID FETCH 1:* (FLAGS)").await?;
    let headers = imap.command(&format!("UID FETCH 1:* {HEADERS}")).await?;
    let took = began.elapsed();
    if flags_reply.fetches().count() != messages || headers.fetches().count() != messages {
        return Err(format!("not {messages} messages in the first synchronisation").into());
    }
    for item in headers.fetches() {
        let number = corpus::number_in(item).ok_or("headers without our Message-ID")?;
        let subject = format!("Subject: {}\r\n", corpus::subject(number));
        if memchr::memmem::find(item, subject.as_bytes()).is_none()
            || memchr::memmem::find(item, b"Received:").is_some()
        {
            return Err(format!("wrong headers of message {number}").into());
        }
    }
    Ok(Line::new("sync").median(&format!("sync_{when}_ms"), &mut [took]).end())
}

/// Some flags change, some messages go, some come; then a new session learns of it: by QRESYNC where offered, and, apart,
/// by the flags of all. Log-in is not part of the time.
pub async fn again(flags: &Flags) -> Outcome<String> {
    let (target, folder) = (flags.target()?, flags.text("folder", "Fill"));
    let user = target.user(0);
    let mut other = Imap::log_in(&target, &user).await?;
    let qresync = other.offers("QRESYNC").await?;
    let condstore = if qresync { " (CONDSTORE)" } else { "" };
    let reply = other.command(&format!("SELECT \"{folder}\"{condstore}")).await?;
    let messages = reply.exists().ok_or("no EXISTS")?;
    let validity = reply.number_after("UIDVALIDITY ")?;
    let modseq = if qresync { reply.number_after("HIGHESTMODSEQ ")? } else { 0 };
    let next = reply.number_after("UIDNEXT ")?;
    let changed = CHANGED.min(messages / 4);
    let keyword = format!("b{}", crate::inbound::nanos() % 1000);
    other.command(&format!("STORE 1:{changed} +FLAGS.SILENT ({keyword})")).await?;
    other.command(&format!("STORE {}:{} +FLAGS.SILENT (\\Deleted)", changed + 1, changed + GONE)).await?;
    other.command("EXPUNGE").await?;
    for number in 0..COME {
        other.append(&folder, &corpus::message(1_000_000 + number as u64)).await?;
    }
    let left = messages - GONE + COME;

    let mut imap = Imap::log_in(&target, &user).await?;
    let began = Instant::now();
    imap.select(&folder).await?;
    let all = imap.command("UID FETCH 1:* (FLAGS)").await?;
    let plain = began.elapsed();
    let has = |reply: &crate::wire::Reply| {
        reply.fetches().filter(|item| memchr::memmem::find(item, keyword.as_bytes()).is_some()).count()
    };
    if all.fetches().count() != left || has(&all) != changed {
        return Err(
            format!("{} of {left} flags, {} of {changed} changed", all.fetches().count(), has(&all)).into()
        );
    }
    let mut line = Line::new("sync").median("resync_flags_ms", &mut [plain]);
    if qresync {
        let mut imap = Imap::log_in(&target, &user).await?;
        imap.command("ENABLE QRESYNC").await?;
        let began = Instant::now();
        let reply = imap
            .command(&format!("SELECT \"{folder}\" (QRESYNC ({validity} {modseq} 1:{}))", next - 1))
            .await?;
        let quick = began.elapsed();
        let vanished = reply.lines().any(|line| line.starts_with("* VANISHED (EARLIER)"));
        if has(&reply) != changed || !vanished || reply.exists() != Some(left) {
            return Err(
                format!("QRESYNC told {} of {changed} changes, vanished: {vanished}", has(&reply)).into()
            );
        }
        line = line.median("resync_best_ms", &mut [quick]);
    } else {
        line = line.median("resync_best_ms", &mut [plain]);
    }
    Ok(line.end())
}
