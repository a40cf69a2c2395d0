//! What a run found, as one line of JSON; and what the machine says of a process or a directory.

use crate::wire::Outcome;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
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

    pub fn text(self, name: &str, value: &str) -> Self {
        self.field(name, format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
    }

    /// The median in milliseconds.
    pub fn median(self, name: &str, values: &mut [Duration]) -> Self {
        values.sort_unstable();
        let middle = values.get(values.len() / 2).map_or(0.0, Duration::as_secs_f64);
        self.field(name, format!("{:.3}", middle * 1000.0))
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
    number_of(&status, field)
}

/// The proportional share (PSS, `smaps_rollup`) in KB of the processes in `pid_files` and of all below them: what they
/// share is counted once.
pub fn memory_of_all_kb(pid_files: &[PathBuf]) -> Outcome<u64> {
    let parents = parents();
    let mut wanted = Vec::new();
    for path in pid_files {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        wanted.push(text.split_whitespace().next().unwrap_or_default().parse::<u32>()?);
    }
    let mut next = 0;
    while let Some(pid) = wanted.get(next).copied() {
        next += 1;
        let below = parents.iter().filter(|(_, parent)| **parent == pid).map(|(child, _)| *child);
        wanted.extend(below);
    }
    wanted.sort_unstable();
    wanted.dedup();
    let rollup = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    Ok(wanted.iter().map(|pid| number_of(&rollup(pid), "Pss")).sum())
}

fn number_of(text: &str, field: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':')?.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Every process and its parent.
fn parents() -> HashMap<u32, u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let of = |entry: std::fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name in parentheses may hold anything; the state and the parent follow the last one.
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        Some((pid, parent))
    };
    entries.filter_map(of).collect()
}

/// As [`disk_bytes`] of several.
pub fn disk_of_all(directories: &[PathBuf]) -> u64 {
    directories.iter().map(|directory| disk_bytes(directory)).sum()
}

/// Bytes that the files below a directory have allocated, without the write-ahead log, which is
/// recycled; a file with several names counts once.
pub fn disk_bytes(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let (mut sum, mut linked) = (0, HashSet::new());
    let mut open = vec![directory.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                if entry.file_name() != "pg_wal" {
                    open.push(entry.path());
                }
            } else if metadata.nlink() == 1 || linked.insert((metadata.dev(), metadata.ino())) {
                sum += metadata.blocks() * 512;
            }
        }
    }
    sum
}
