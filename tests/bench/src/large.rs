//! Large messages: many at once (memory must stay flat), and one to many (the store must keep one copy).

use crate::flags::Flags;
use crate::inbound::nanos;
use crate::report::{Line, disk_bytes, memory_kb};
use crate::wire::{Outcome, Smtp, compose, noise};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between two looks at the server's memory.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

pub async fn concurrent(flags: &Flags) -> Outcome<String> {
    let (count, size, pid) =
        (flags.number("count", 64)?, flags.number("size", 50 << 20)?, flags.number("pid", 0)?);
    let before = memory_kb(pid, "VmRSS");
    let ended = Arc::new(AtomicBool::new(false));
    let sampler = tokio::spawn(highest(pid, ended.clone()));
    // One body for all connections, or this program would need gigabytes; the subject makes each message its own.
    let body = Arc::new(compose(nanos(), size));
    let began = Instant::now();
    let mut tasks = Vec::new();
    for number in 0..count {
        let (address, to, body) = (flags.port("smtp")?, [flags.user(number)?], body.clone());
        tasks.push(tokio::spawn(async move {
            let mut smtp = Smtp::connect(&address).await?;
            smtp.begin(&to).await?;
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
    let data = PathBuf::from(flags.text("data", "."));
    let seed = nanos();
    let attachment = noise(seed, size);
    let to: Vec<String> = (0..recipients).map(|number| flags.user(number)).collect::<Outcome<_>>()?;
    let mut smtp = Smtp::connect(&flags.port("smtp")?).await?;
    let before = disk_bytes(&data);
    let took = deliver(&mut smtp, &to, &with_attachment("Thu moi", "Kinh gui", &attachment)).await?;
    let after = disk_bytes(&data);
    let forward =
        with_attachment("Chuyen tiep: Thu moi", "Kinh chuyen cac phong, voi mot dong dai hon.", &attachment);
    let forwarding = deliver(&mut smtp, &to[..1], &forward).await?;
    let forwarded = disk_bytes(&data);
    Ok(Line::new("fanout")
        .field("size", size)
        .field("recipients", recipients)
        .seconds("seconds", took)
        .field("grew_bytes", after.saturating_sub(before))
        .seconds("forward_seconds", forwarding)
        .field("forward_grew_bytes", forwarded.saturating_sub(after))
        .end())
}

/// From the end of the envelope to the 250.
async fn deliver(smtp: &mut Smtp, to: &[String], message: &[u8]) -> Outcome<Duration> {
    smtp.begin(to).await?;
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
