//! The real clock and the real dice: the one place that touches the globals which everything else is handed.

use jiff::Timestamp;
use rand::TryRng as _;
use rand::rngs::SysRng;

/// The machine's clock.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl model::Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that the others are handed")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The operating system's random source.
#[derive(Debug)]
pub(crate) struct OsRng;

impl model::Rng for OsRng {
    /// # Panics
    /// When the operating system gives no randomness: nothing secret could be made, so going on would be worse.
    fn fill(&self, bytes: &mut [u8]) {
        let filled = SysRng.try_fill_bytes(bytes);
        assert!(filled.is_ok(), "the operating system gives no random bytes");
    }
}

/// Raises the soft limit on open files to the hard one: each connection is a file, and the usual soft limit
/// of 1,024 (kept low for `select`, which we do not use) would end at a thousand idle sessions.
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit on open files");
    }
}
