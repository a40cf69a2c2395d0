//! Open files: how many the system grants, and limits on connections that fit.
//!
//! Invariant: whatever the configuration says, full listeners leave files for the database, messages and logs: without
//! them an accepted message could not be stored.

use crate::config::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For all that is no mail connection: pools, content files, listening sockets, http, Postgres' pipe.
const RESERVE: u64 = 1_000;
/// A connection and the message it is sending, which is an unlinked file.
const FILES_PER_SMTP: u64 = 2;

/// Raises the soft limit on open files to the hard one: each connection is a file, and the usual soft limit
/// of 1,024 (kept low for `select`, which we do not use) would end at a thousand idle sessions.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit on open files");
    }
}

/// The limits of the configuration, lowered in proportion where this process may not open enough files for them.
pub(crate) fn fitting(limits: &Limits) -> Limits {
    let Some(files) = getrlimit(Resource::Nofile).current else { return limits.clone() };
    let fitting = fit(limits, files);
    if (fitting.smtp_connections, fitting.imap_connections)
        != (limits.smtp_connections, limits.imap_connections)
    {
        tracing::warn!(
            open_files = files,
            smtp_connections = fitting.smtp_connections,
            imap_connections = fitting.imap_connections,
            "fewer connections than configured are taken: raise the limit on open files (LimitNOFILE, ulimit -Hn)"
        );
    }
    fitting
}

/// How many open files the limits of the configuration need, and how many are granted, where those are fewer.
pub(crate) fn missing(limits: &Limits) -> Option<(u64, u64)> {
    let granted = getrlimit(Resource::Nofile).maximum?;
    let connections =
        FILES_PER_SMTP * u64::from(limits.smtp_connections) + u64::from(limits.imap_connections);
    let wanted = RESERVE + connections;
    (wanted > granted).then_some((wanted, granted))
}

fn fit(limits: &Limits, files: u64) -> Limits {
    let (smtp, imap) = (u64::from(limits.smtp_connections), u64::from(limits.imap_connections));
    let wanted = FILES_PER_SMTP * smtp + imap;
    // A very low limit is shared in halves: some connections are better than none.
    let room = files.saturating_sub(RESERVE).max(files / 2);
    let lowered = |connections: u64| {
        let share = if wanted > room { connections * room / wanted } else { connections };
        u32::try_from(share).unwrap_or(u32::MAX).max(1)
    };
    Limits { smtp_connections: lowered(smtp), imap_connections: lowered(imap), ..limits.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(smtp: u32, imap: u32, files: u64) -> (u32, u32) {
        let limits = Limits { smtp_connections: smtp, imap_connections: imap, ..Limits::default() };
        let fitted = fit(&limits, files);
        (fitted.smtp_connections, fitted.imap_connections)
    }

    #[test]
    fn limits_that_fit_stay() {
        assert_eq!(fitted(5_000, 20_000, 524_288), (5_000, 20_000));
        assert_eq!(fitted(5_000, 20_000, 31_000), (5_000, 20_000));
    }

    #[test]
    fn limits_beyond_the_open_files_are_lowered_in_proportion() {
        assert_eq!(fitted(5_000, 20_000, 16_000), (2_500, 10_000));
        for (smtp, imap, files) in [(200_000, 200_000, 524_288), (1, 200_000, 1_024), (200_000, 1, 4_096)] {
            let (smtp, imap) = fitted(smtp, imap, files);
            let used = 2 * u64::from(smtp) + u64::from(imap);
            assert!(smtp > 0 && imap > 0 && used <= files.saturating_sub(RESERVE).max(files / 2) + 2);
        }
    }
}
