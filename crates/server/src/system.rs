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
