//! What is counted at the doors of this crate, for `/metrics`. The names are explained in `docs/operations/metrics.md`.
//!
//! Invariant: a label has few values, all of them ours: a command's name comes from the table of commands.

use metrics::{counter, gauge, histogram};
use std::time::Duration;

/// A connection counts as open while this lives.
#[derive(Debug)]
pub(crate) struct Open(&'static str);

impl Open {
    /// `door` is the protocol.
    pub(crate) fn new(door: &'static str) -> Self {
        counter!("congthu_connections_total", "door" => door).increment(1);
        gauge!("congthu_connections_open", "door" => door).increment(1);
        Self(door)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge!("congthu_connections_open", "door" => self.0).decrement(1);
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

pub(crate) fn turned_away(door: &'static str) {
    counter!("congthu_connections_refused_total", "door" => door, "reason" => "full").increment(1);
}

pub(crate) fn handshake_failed(door: &'static str) {
    counter!("congthu_tls_failures_total", "door" => door).increment(1);
}

/// A command was answered: with OK (`Some(true)`), with NO or BAD, or by the end of the connection.
pub(crate) fn command(name: &'static str, took: Duration, ok: Option<bool>) {
    counter!("congthu_imap_commands_total", "command" => name, "result" => result(ok)).increment(1);
    // How long somebody idles says nothing about us.
    if name != "IDLE" {
        histogram!("congthu_imap_command_seconds", "command" => name).record(took);
    }
}

/// A command of ManageSieve was answered: with OK (`Some(true)`), with NO, or by the end of the connection.
pub(crate) fn sieve_command(name: &'static str, took: Duration, ok: Option<bool>) {
    counter!("congthu_sieve_commands_total", "command" => name, "result" => result(ok)).increment(1);
    histogram!("congthu_sieve_command_seconds", "command" => name).record(took);
}

fn result(ok: Option<bool>) -> &'static str {
    match ok {
        Some(true) => "ok",
        Some(false) => "refused",
        None => "ended",
    }
}
