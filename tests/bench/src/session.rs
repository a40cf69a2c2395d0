//! What every client does first: log in and select; and what it sends: submission.

use crate::corpus::compose_from;
use crate::flags::Flags;
use crate::inbound::{Watch, nanos};
use crate::report::Line;
use crate::wire::{Imap, Outcome, Smtp};
use std::sync::Arc;
use std::time::Instant;

/// TLS version, cipher and capabilities, for the report.
pub async fn hello(flags: &Flags) -> Outcome<String> {
    let target = flags.target()?;
    let mut imap = Imap::log_in(&target, &target.user(0)).await?;
    let capabilities: Vec<String> = imap.command("CAPABILITY").await?.lines().collect();
    let submission = Smtp::submission(&target, &target.user(0)).await?;
    Ok(Line::new("hello")
        .text("label", &target.label)
        .text("imap_tls", &imap.cipher())
        .text("submission_tls", &submission.cipher())
        .text("smtp_tls", &Smtp::connect(&target).await?.cipher())
        .text("capabilities", &capabilities.join(" "))
        .end())
}

/// A fresh connection each time. `--distinct 1`: every log-in is another user's first one.
pub async fn login(flags: &Flags) -> Outcome<String> {
    let (target, rounds, distinct) =
        (flags.target()?, flags.number("count", 50)?, flags.number("distinct", 0)?);
    let (folder, messages) = (flags.text("folder", "INBOX"), flags.number("messages", 0)?);
    let user = flags.text("user", &target.user(0));
    let (mut connect, mut login, mut select, mut all) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        // From the last one down: the first ones are used by other runs.
        let user =
            if distinct > 0 { target.user(target.users - 1 - round % target.users) } else { user.clone() };
        let began = Instant::now();
        let mut imap = Imap::connect(&target).await?;
        let connected = Instant::now();
        imap.command(&format!("LOGIN \"{user}\" \"{}\"", target.password)).await?;
        let logged_in = Instant::now();
        let found = imap.select(&folder).await?;
        let selected = Instant::now();
        if found < messages {
            return Err(format!("{found} messages in {folder}, {messages} expected").into());
        }
        connect.push(connected - began);
        login.push(logged_in - connected);
        select.push(selected - logged_in);
        all.push(selected - began);
        imap.command("LOGOUT").await?;
    }
    Ok(Line::new("login")
        .median("connect_ms", &mut connect)
        .median("login_ms", &mut login)
        .median("select_ms", &mut select)
        .median("all_ms", &mut all)
        .end())
}

/// A whole submission on a fresh connection (STARTTLS, AUTH, message, QUIT), and one on a kept connection; all visible.
pub async fn submit(flags: &Flags) -> Outcome<String> {
    let (target, rounds, distinct) =
        (Arc::new(flags.target()?), flags.number("count", 50)?, flags.number("distinct", 0)?);
    let size = flags.number("size", 4096)?;
    let to = [target.user(0)];
    let mut watch = Watch::open(&target, 1).await?;
    let before = watch.visible().await?;
    let named = flags.text("user", "");
    let mut fresh = Vec::new();
    for round in 0..rounds {
        let user = match (distinct, named.is_empty()) {
            (0, true) => target.user(0),
            (0, false) => named.clone(),
            _ => target.user(target.users - 1 - round % target.users),
        };
        let message = compose_from(&user, nanos(), size);
        let began = Instant::now();
        let mut smtp = Smtp::submission(&target, &user).await?;
        smtp.deliver(&user, &to, &message).await?;
        smtp.quit().await?;
        fresh.push(began.elapsed());
    }
    let user = if named.is_empty() { target.user(0) } else { named };
    let mut smtp = Smtp::submission(&target, &user).await?;
    let mut kept = Vec::new();
    for _ in 0..rounds {
        let message = compose_from(&user, nanos(), size);
        let began = Instant::now();
        smtp.deliver(&user, &to, &message).await?;
        kept.push(began.elapsed());
    }
    watch.until(before + 2 * rounds).await?;
    Ok(Line::new("submit").median("fresh_ms", &mut fresh).median("kept_ms", &mut kept).end())
}
