//! What the process holds, as its allocator counts it, to the octet: neither the kernel's pages nor what the heap keeps
//! for later blurs it, so what is not given back after a message shows.

use cap::Cap;
use std::alloc::System;
use std::fmt;
use std::process::Command;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Tells a process that it is the one whose memory is watched.
const WATCHED: &str = "HOSTILE_MIME_WATCHED";

/// Octets for one octet of the largest message while it is read: the message, its decoded octets, those as UTF-8 (up to
/// three for one), normalised again, and that vectors grow by doubling.
const PEAK_FACTOR: usize = 16;

/// Octets that may stay after all messages: tables that are made when they are first used. A leak of one octet in
/// four thousand fails.
const KEPT_MAX: usize = 64 * 1024;

/// Runs `test` in a process of its own, and this one waits for it: tests beside each other would count each other's
/// memory.
pub(super) fn in_own_process(test: &str, run: impl FnOnce()) {
    if std::env::var_os(WATCHED).is_some() {
        return run();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(WATCHED, "1");
    assert!(command.status().unwrap().success(), "{test} failed, see above");
}

/// Octets that are allocated and not given back.
pub(super) struct Memory {
    at_start: usize,
}

impl Memory {
    pub(super) fn watch() -> Self {
        Self { at_start: ALLOCATOR.allocated() }
    }

    /// To be called when no message is held.
    pub(super) fn check(&self, largest_message: usize) {
        assert!(
            ALLOCATOR.max_allocated() - self.at_start <= PEAK_FACTOR * largest_message,
            "a message took too much: {self}"
        );
        assert!(ALLOCATOR.allocated() <= self.at_start + KEPT_MAX, "memory was kept: {self}");
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = ALLOCATOR.allocated().saturating_sub(self.at_start);
        write!(f, "{kept} octets kept, at most {} at once", ALLOCATOR.max_allocated())
    }
}
