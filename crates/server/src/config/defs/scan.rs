//! Options of the scanners of content: where they listen and how much they are asked.

use super::{Definition, Fallback, put};
use crate::config::values::{read, read_number, read_path, read_size};
use guard::{Learner, LearnerSettings, ScanAddress, ScannerSettings, Scanners};
use std::path::PathBuf;
use std::time::Duration;

/// The longest that whoever sends a message waits for the scanners: RFC 5321 4.5.3.2.6 has him wait ten minutes.
const SECONDS_MAX: u32 = 300;
/// The longest that it may take to teach one message: the other jobs of the node wait for it.
const LEARN_SECONDS_MAX: u32 = 30;
/// Messages asked about at once: each has a connection and a piece of a message in memory.
const PLACES_MAX: u32 = 1_000;
/// The largest message that a scanner may be given.
const SIZE_MAX: u64 = 1 << 30;
const KB: u64 = 1 << 10;

/// As written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scan {
    clamd: Option<ScanAddress>,
    clamd_bytes_max: u64,
    rspamd: Option<ScanAddress>,
    rspamd_bytes_max: u64,
    learn: Option<ScanAddress>,
    pub(in crate::config) password_file: Option<PathBuf>,
    /// What is in that file, once it was read.
    pub(in crate::config) password: Option<String>,
    seconds: u32,
    places: u32,
}

impl Scan {
    /// Those that are configured.
    pub(crate) fn scanners(&self) -> Scanners {
        let settings = |address: &Option<ScanAddress>, message_bytes_max| {
            address.clone().map(|address| ScannerSettings {
                address,
                timeout: Duration::from_secs(self.seconds.into()),
                message_bytes_max,
                places: usize::try_from(self.places).unwrap_or(1),
            })
        };
        Scanners::new(
            settings(&self.clamd, self.clamd_bytes_max),
            settings(&self.rspamd, self.rspamd_bytes_max),
        )
    }

    /// Octets of the largest message that clamd is given.
    pub(crate) const fn clamd_bytes_max(&self) -> u64 {
        self.clamd_bytes_max
    }

    /// Who teaches rspamd what users say; `None`: it is not to learn.
    pub(crate) fn learner(&self) -> Option<Learner> {
        let settings = |address| LearnerSettings {
            address,
            password: self.password.clone(),
            timeout: Duration::from_secs(self.seconds.min(LEARN_SECONDS_MAX).into()),
            message_bytes_max: self.rspamd_bytes_max,
        };
        self.learn.clone().map(settings).map(Learner::new)
    }
}

pub(crate) const SCAN: &[Definition] = &[
    Definition {
        table: "scan",
        key: "clamd",
        kind: "host and port, or path of a socket",
        fallback: Fallback::Absent("nothing is scanned for malware"),
        example: r#""/run/clamav/clamd.ctl""#,
        doc: "The scanner for malware. What it finds is refused, in and out.",
        set: |config, value| put(&mut config.scan.clamd, read(value).map(Some)),
    },
    Definition {
        table: "scan",
        key: "clamd_size",
        kind: "size",
        fallback: Fallback::Value(r#""100MB""#),
        example: r#""50MB""#,
        doc: "Larger messages count as not scanned; no more than clamd's own `StreamMaxLength`, of which Debian's has 25M, and no less \
              than `message_size`.",
        set: |config, value| put(&mut config.scan.clamd_bytes_max, read_size(value, KB, SIZE_MAX)),
    },
    Definition {
        table: "scan",
        key: "rspamd",
        kind: "host and port, or path of a socket",
        fallback: Fallback::Absent("nothing is filtered for spam"),
        example: r#""127.0.0.1:11333""#,
        doc: "The filter for spam: rspamd's normal worker.",
        set: |config, value| put(&mut config.scan.rspamd, read(value).map(Some)),
    },
    Definition {
        table: "scan",
        key: "rspamd_size",
        kind: "size",
        fallback: Fallback::Value(r#""10MB""#),
        example: r#""20MB""#,
        doc: "It is not asked about larger messages: no spam is.",
        set: |config, value| put(&mut config.scan.rspamd_bytes_max, read_size(value, KB, SIZE_MAX)),
    },
    Definition {
        table: "scan",
        key: "rspamd_learn",
        kind: "host and port, or path of a socket",
        fallback: Fallback::Absent("it is told nothing"),
        example: r#""127.0.0.1:11334""#,
        doc: "rspamd's controller, which is told what users move into Junk or out of it, or report: docs/operations/filters.md. The same \
              on all nodes.",
        set: |config, value| put(&mut config.scan.learn, read(value).map(Some)),
    },
    Definition {
        table: "scan",
        key: "rspamd_password_file",
        kind: "path",
        fallback: Fallback::Absent("the controller trusts this machine's address"),
        example: r#""/etc/congthu/rspamd-password""#,
        doc: "A file with the controller's password alone.",
        set: |config, value| put(&mut config.scan.password_file, read_path(value).map(Some)),
    },
    Definition {
        table: "scan",
        key: "seconds",
        kind: "number",
        fallback: Fallback::Value("30"),
        example: "60",
        doc: "For how long a message waits for a scanner's answer, after it waited as long at most for its turn.",
        set: |config, value| put(&mut config.scan.seconds, read_number(value, 1, SECONDS_MAX)),
    },
    Definition {
        table: "scan",
        key: "at_once",
        kind: "number",
        fallback: Fallback::Value("16"),
        example: "4",
        doc: "Messages that each scanner is asked about at once; as many again wait for their turn, and what comes then counts as not \
              scanned. No more than clamd's own `MaxThreads`, of which Debian's has 12.",
        set: |config, value| put(&mut config.scan.places, read_number(value, 1, PLACES_MAX)),
    },
];
