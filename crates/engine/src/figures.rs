//! What the engine counts, and what of its state can be asked for, for `/metrics`. The names are explained in
//! `docs/operations/metrics.md`.
//!
//! Invariants: a label has few values, all of them ours, never anything of a user; asking costs no query.

use crate::{Engine, LoginError, Protocol};
use jiff::Timestamp;
use metrics::{counter, gauge};
use store::{FilteredCounts, PoolUsage, QuarantineCounts, QueueCounts, Swept};

/// How the engine is at this moment.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Octets of messages in memory, and how many there may be.
    pub message_bytes: (u64, u64),
    /// Mailboxes that sessions of this node wait for news of.
    pub mailboxes_watched: usize,
    pub pools: [PoolUsage; 3],
}

impl Engine {
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            message_bytes: self.0.intake.usage(),
            mailboxes_watched: self.0.hub.watched(),
            pools: self.0.store.pool_usage(),
        }
    }
}

pub(crate) fn login(refused: Option<&LoginError>, door: Protocol) {
    let result = match refused {
        None => "ok",
        Some(LoginError::Denied) => "denied",
        Some(LoginError::Locked) => "locked",
        Some(LoginError::PasswordChangeRequired) => "change_required",
        Some(LoginError::OneTimePasswordOver) => "one_time_over",
        Some(LoginError::CountryNotAllowed) => "country",
        Some(LoginError::CloudNotAllowed) => "cloud",
        Some(LoginError::TooManyAttempts) => "too_many_attempts",
        Some(LoginError::Unavailable) => "unavailable",
    };
    counter!("congthu_logins_total", "door" => door.as_str(), "result" => result).increment(1);
}

/// Whether a stranger was here before was found out.
pub(crate) fn contact(result: &'static str) {
    counter!("congthu_first_contacts_total", "result" => result).increment(1);
}

pub(crate) fn swept(swept: &Swept) {
    let counts = [
        ("content", swept.contents_deleted),
        ("chunk", swept.chunks_deleted),
        ("object", swept.objects_deleted),
        ("tombstone", swept.tombstones_deleted),
    ];
    for (kind, count) in counts {
        counter!("congthu_swept_total", "kind" => kind).increment(count);
    }
}

/// Nothing was left to sweep at `now`.
pub(crate) fn sweep_done(now: Timestamp) {
    gauge!("congthu_sweep_last_timestamp_seconds").set(now.as_millisecond() as f64 / 1_000.0);
}

/// What became of so many recipients elsewhere: sent, deferred, bounced, cancelled; or of a destination: unreachable.
pub(crate) fn outgoing(result: &'static str, count: usize) {
    counter!("congthu_outgoing_total", "result" => result).increment(count as u64);
}

/// What waits for others, as this node last looked.
pub(crate) fn queue(counts: &QueueCounts, now: Timestamp) {
    gauge!("congthu_queue_deliveries").set(counts.deliveries as f64);
    let age = counts.oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
    gauge!("congthu_queue_oldest_seconds").set(age);
}

/// What the filter keeps back of it, and what is kept apart here, as this node last looked.
pub(crate) fn kept(filtered: &FilteredCounts, apart: &QuarantineCounts, now: Timestamp) {
    gauge!("congthu_queue_filtered_deliveries").set(filtered.deliveries as f64);
    let age = filtered.oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
    gauge!("congthu_queue_filtered_oldest_seconds").set(age);
    gauge!("congthu_quarantine_messages").set(apart.messages as f64);
    gauge!("congthu_quarantine_bytes").set(apart.bytes as f64);
    gauge!("congthu_quarantine_nearly_full").set(apart.nearly_full as f64);
}

/// Rows that are missing in the reports to the domains that mail came in the name of.
pub(crate) fn dmarc_dropped(rows: u64) {
    if rows > 0 {
        counter!("congthu_dmarc_dropped_total").increment(rows);
    }
}

/// Rows that are missing in the reports of TLS to the domains that mail went to.
pub(crate) fn tls_reports_dropped(rows: u64) {
    if rows > 0 {
        counter!("congthu_tls_reports_dropped_total").increment(rows);
    }
}

pub(crate) fn dmarc_left_out(rows: u64) {
    if rows > 0 {
        counter!("congthu_dmarc_left_out_total").increment(rows);
    }
}

/// What became of a message that a user moved or reported: learned, known, useless, gone, failed, away, unread, given_up.
pub(crate) fn lesson(lesson: &'static str, result: &'static str) {
    counter!("congthu_lessons_total", "lesson" => lesson, "result" => result).increment(1);
}

/// Messages of which nothing was noted, as there was no room.
pub(crate) fn lessons_left_out(lesson: &'static str, count: u64) {
    counter!("congthu_lessons_total", "lesson" => lesson, "result" => "no_room").increment(count);
}

pub(crate) fn housekeeping_failed(task: &'static str) {
    counter!("congthu_housekeeping_failures_total", "task" => task).increment(1);
}
