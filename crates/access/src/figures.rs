//! What is counted at the IMAP door, for `/metrics`. The names are explained in `docs/operations/metrics.md`.
//!
//! Invariant: a label has few values, all of them ours: a command's name comes from the table of commands.

use metrics::{counter, gauge, histogram};
use std::time::Duration;

const DOOR: &str = "imap";

/// A connection counts as open while this lives.
#[derive(Debug)]
pub(crate) struct Open(());

impl Open {
    pub(crate) fn new() -> Self {
        counter!("congthu_connections_total", "door" => DOOR).increment(1);
        gauge!("congthu_connections_open", "door" => DOOR).increment(1);
        Self(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge!("congthu_connections_open", "door" => DOOR).decrement(1);
    }
}

/// A session counts as idle (RFC 2177) while this lives.
#[derive(Debug)]
pub(crate) struct Idle(());

impl Idle {
    pub(crate) fn new() -> Self {
        gauge!("congthu_imap_idle").increment(1);
        Self(())
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        gauge!("congthu_imap_idle").decrement(1);
    }
}

pub(crate) fn turned_away() {
    counter!("congthu_connections_refused_total", "door" => DOOR, "reason" => "full").increment(1);
}

pub(crate) fn handshake_failed() {
    counter!("congthu_tls_failures_total", "door" => DOOR).increment(1);
}

/// A command was answered: with OK (`Some(true)`), with NO or BAD, or by the end of the connection.
pub(crate) fn command(name: &'static str, took: Duration, ok: Option<bool>) {
    let result = match ok {
        Some(true) => "ok",
        Some(false) => "refused",
        None => "ended",
    };
    counter!("congthu_imap_commands_total", "command" => name, "result" => result).increment(1);
    // How long somebody idles says nothing about us.
    if name != "IDLE" {
        histogram!("congthu_imap_command_seconds", "command" => name).record(took);
    }
}
