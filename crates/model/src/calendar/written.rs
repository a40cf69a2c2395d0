//! Days and moments as people read them: in the answers of commands, and in letters in Vietnamese.

use super::local_time;
use jiff::Timestamp;
use jiff::civil::Date;

/// The moment as people in Vietnam read it: `2026-11-29 21:00:40 +07`.
#[must_use]
pub fn local_text(at: Timestamp) -> String {
    local_time(at).strftime("%Y-%m-%d %H:%M:%S +07").to_string()
}

/// The day as letters in Vietnamese write it: `30/11/2026`.
#[must_use]
pub fn written_day(date: Date) -> String {
    date.strftime("%d/%m/%Y").to_string()
}

/// The minute as letters in Vietnamese write it: `08 giờ 00 ngày 30/11/2026`.
#[must_use]
pub fn written_time(at: Timestamp) -> String {
    local_time(at).strftime("%H giờ %M ngày %d/%m/%Y").to_string()
}
