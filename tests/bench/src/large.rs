//! Large messages: many at once (memory must stay flat), and one to many (the store must keep one copy).

use crate::corpus::{STRANGER, compose, noise};
use crate::flags::Flags;
use crate::inbound::{Watch, nanos};
use crate::report::{Line, disk_of_all, memory_kb};
use crate::wire::{Outcome, Smtp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between two looks at the server's memory.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

pub async fn concurrent(flags: &Flags) -> Outcome<String> {
    let (target, count, size) =
        (Arc::new(flags.target()?), flags.number("count", 64)?, flags.number("size", 50 << 20)?);
    let pid = std::fs::read_to_string(target.pid_files.first().ok_or("no pid_files")?)?.trim().parse()?;
    let before = memory_kb(pid, "VmRSS");
    let ended = Arc::new(AtomicBool::new(false));
    let sampler = tokio::spawn(highest(pid, ended.clone()));
    // One body for all connections, or this program would need gigabytes; the subject makes each message its own.
    let body = Arc::new(compose(nanos(), size));
    let began = Instant::now();
    let mut tasks = Vec::new();
    for number in 0..count {
        let (target, to, body) = (target.clone(), [target.user(number)], body.clone());
        tasks.push(tokio::spawn(async move {
            let mut smtp = Smtp::connect(&target).await?;
            smtp.begin(STRANGER, &to).await?;
            let mut message = format!("X-Number: {number}\r\n").into_bytes();
            message.extend_from_slice(&body[..1024]);
            smtp.stream_and_finish(&message, &body[1024..]).await
        }));
    }
    for task in tasks {
        task.await??;
    }
    let took = began.elapsed();
    ended.store(true, Ordering::Relaxed);
    Ok(Line::new("large")
        .field("count", count)
        .field("size", size)
        .seconds("seconds", took)
        .field("rss_before_kb", before)
        .field("rss_highest_kb", sampler.await?)
        .field("rss_after_kb", memory_kb(pid, "VmRSS"))
        .end())
}

async fn highest(pid: usize, ended: Arc<AtomicBool>) -> u64 {
    let mut highest = 0;
    while !ended.load(Ordering::Relaxed) {
        highest = highest.max(memory_kb(pid, "VmRSS"));
        tokio::time::sleep(SAMPLE_EVERY).await;
    }
    highest
}

pub async fn fanout(flags: &Flags) -> Outcome<String> {
    let (size, recipients) = (flags.number("size", 5 << 20)?, flags.number("recipients", 500)?);
    let target = Arc::new(flags.target()?);
    let recipients = recipients.min(target.users);
    let mut watch = Watch::open(&target, recipients).await?;
    let visible = watch.visible().await?;
    let seed = nanos();
    let attachment = noise(seed, size);
    let to: Vec<String> = (0..recipients).map(|number| target.user(number)).collect();
    let mut smtp = Smtp::connect(&target).await?;
    let before = disk_of_all(&target.data);
    let took = deliver(&mut smtp, &to, &with_attachment("Thu moi", "Kinh gui", &attachment)).await?;
    let lag = watch.until(visible + recipients).await?;
    let after = disk_of_all(&target.data);
    let forward =
        with_attachment("Chuyen tiep: Thu moi", "Kinh chuyen cac phong, voi mot dong dai hon.", &attachment);
    let forwarding = deliver(&mut smtp, &to[..1], &forward).await?;
    watch.until(visible + recipients + 1).await?;
    let forwarded = disk_of_all(&target.data);
    Ok(Line::new("fanout")
        .field("size", size)
        .field("recipients", recipients)
        .seconds("seconds", took)
        .seconds("visible_seconds", took + lag)
        .field("grew_bytes", after.saturating_sub(before))
        .seconds("forward_seconds", forwarding)
        .field("forward_grew_bytes", forwarded.saturating_sub(after))
        .end())
}

/// From the end of the envelope to the 250.
async fn deliver(smtp: &mut Smtp, to: &[String], message: &[u8]) -> Outcome<Duration> {
    smtp.begin(STRANGER, to).await?;
    let began = Instant::now();
    smtp.finish(message).await?;
    Ok(began.elapsed())
}

fn with_attachment(subject: &str, text: &str, attachment: &[u8]) -> Vec<u8> {
    let boundary = format!("b{}", nanos());
    let mut message = format!(
        "From: <bench@other.test>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\nContent-Type: text/plain\r\n\r\n{text}\r\n\
         --{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"tai-lieu.bin\"\r\n\r\n"
    )
    .into_bytes();
    message.extend_from_slice(attachment);
    message.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    message
}
