//! What the process holds, as the kernel counts it: a leak or a cache shows here whoever allocated it.

use std::fmt;
use std::process::Command;

/// Tells a process that it is the one whose memory is watched.
const WATCHED: &str = "HOSTILE_MIME_WATCHED";

/// Makes the allocator of glibc give back what is free (mallopt(3)). Left alone it keeps up to 64 MiB for the next large
/// message, in which a leak would hide. Other allocators do not read these.
const GIVE_BACK: &[(&str, &str)] =
    &[("MALLOC_ARENA_MAX", "1"), ("MALLOC_MMAP_THRESHOLD_", "65536"), ("MALLOC_TRIM_THRESHOLD_", "65536")];

/// Octets for one octet of the largest message while it is read: the message, its decoded octets, those as UTF-8 (up to
/// three for one), normalised again, and that vectors grow by doubling.
const PEAK_FACTOR: usize = 16;

/// Octets that the floor of the last stretch may lie above that of the second; in the first the heap finds its size. The
/// stretches between are 64 MiB and more, so a leak of one octet in sixteen fails.
const GROWTH_MAX: usize = 4 * 1024 * 1024;

/// Stretches of a run whose floors are compared.
const STRETCHES: usize = 4;

/// Runs `test` in a process of its own, and this one waits for it: the allocator reads its settings when a process
/// starts, and tests beside each other would count each other's memory.
pub(super) fn in_own_process(test: &str, run: impl FnOnce()) {
    if std::env::var_os(WATCHED).is_some() {
        return run();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(WATCHED, "1").envs(GIVE_BACK.iter().copied());
    assert!(command.status().unwrap().success(), "{test} failed, see above");
}

/// Resident octets of this process.
pub(super) struct Memory {
    at_start: usize,
    /// The least between messages, of each stretch.
    floors: [usize; STRETCHES],
}

impl Memory {
    pub(super) fn watch() -> Self {
        Self { at_start: resident("VmRSS:"), floors: [usize::MAX; STRETCHES] }
    }

    /// To be called between messages, when `done` of `all` octets are read.
    pub(super) fn look(&mut self, done: usize, all: usize) {
        let stretch = (done * STRETCHES / all).min(STRETCHES - 1);
        self.floors[stretch] = self.floors[stretch].min(resident("VmRSS:"));
    }

    pub(super) fn check(&self, largest_message: usize) {
        let peak = resident("VmHWM:");
        assert!(peak - self.at_start <= PEAK_FACTOR * largest_message, "a message took too much: {self}");
        let [_, settled, .., last] = self.floors;
        assert!(last <= settled + GROWTH_MAX, "memory grew: {self}");
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |octets: usize| octets / 1024 / 1024;
        let (start, floors, peak) = (mib(self.at_start), self.floors.map(mib), mib(resident("VmHWM:")));
        write!(f, "resident MiB at the start {start}, floors {floors:?}, peak {peak}")
    }
}

/// A line of `/proc/self/status` in octets (proc(5)).
fn resident(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let kib: usize = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    kib * 1024
}
