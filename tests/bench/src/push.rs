//! From a message's last byte, and from its 250, to EXISTS at a client in IDLE.

use crate::corpus::{STRANGER, compose};
use crate::flags::Flags;
use crate::inbound::nanos;
use crate::report::Line;
use crate::wire::{Imap, Outcome, Smtp};
use std::time::{Duration, Instant};

const SIZE: usize = 4096;
/// A push that takes longer is a failure.
const WITHIN: Duration = Duration::from_secs(10);

pub async fn run(flags: &Flags) -> Outcome<String> {
    let (target, rounds) = (flags.target()?, flags.number("count", 200)?);
    let user = target.user(1);
    let mut imap = Imap::log_in(&target, &user).await?;
    let mut smtp = Smtp::connect(&target).await?;
    let before = imap.select("INBOX").await?;
    imap.idle().await?;
    let to = [user];
    let (mut from_end, mut from_reply) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let message = compose(nanos().wrapping_add(round as u64), SIZE);
        smtp.begin(STRANGER, &to).await?;
        let began = Instant::now();
        let replied = async {
            smtp.finish(&message).await?;
            Outcome::Ok(Instant::now())
        };
        let pushed = async {
            let wanted = format!("* {} EXISTS", before + round + 1);
            while tokio::time::timeout(WITHIN, imap.line()).await?? != wanted {}
            Outcome::Ok(Instant::now())
        };
        let (replied, pushed) = tokio::join!(replied, pushed);
        let (replied, pushed) = (replied?, pushed?);
        from_end.push(pushed - began);
        from_reply.push(pushed.saturating_duration_since(replied));
    }
    Ok(Line::new("push")
        .field("rounds", rounds)
        .latencies("from_end_of_data_ms", &mut from_end)
        .latencies("from_250_ms", &mut from_reply)
        .end())
}
