//! What a run found, as one line of JSON; and what the machine says of a process or a directory.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// One line of JSON, fields in the order they are added.
#[derive(Debug)]
pub struct Line(String);

impl Line {
    pub fn new(name: &str) -> Self {
        Self(format!("{{\"run\":\"{name}\""))
    }

    pub fn field(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        let _ = write!(self.0, ",\"{name}\":{value}");
        self
    }

    pub fn seconds(self, name: &str, value: Duration) -> Self {
        self.field(name, format!("{:.4}", value.as_secs_f64()))
    }

    /// Median, 99th percentile and maximum in milliseconds.
    pub fn latencies(self, name: &str, values: &mut [Duration]) -> Self {
        values.sort_unstable();
        let at = |share: f64| {
            let index = ((values.len() as f64 - 1.0).max(0.0) * share).round() as usize;
            values.get(index).map_or(0.0, |value| value.as_secs_f64() * 1000.0)
        };
        let text = format!("{{\"p50\":{:.2},\"p99\":{:.2},\"max\":{:.2}}}", at(0.5), at(0.99), at(1.0));
        self.field(name, text)
    }

    pub fn end(self) -> String {
        self.0 + "}"
    }
}

/// `VmRSS` or `VmHWM` of a process in KB; 0 when it cannot be read.
pub fn memory_kb(pid: usize, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':')?.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Bytes that the files below a directory have allocated, without the write-ahead log, which is recycled.
pub fn disk_bytes(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let mut sum = 0;
    let mut open = vec![directory.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                if entry.file_name() != "pg_wal" {
                    open.push(entry.path());
                }
            } else {
                sum += metadata.blocks() * 512;
            }
        }
    }
    sum
}
