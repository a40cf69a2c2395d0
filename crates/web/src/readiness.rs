//! Whether the database answers, asked at most once a second.
//!
//! Invariant: whoever asks meanwhile waits for the same answer, so that peers cannot load the database.

use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// The longest a healthy database takes for nothing; supervisors ask again every few seconds.
const DATABASE_ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// How long an answer holds: shorter than any supervisor's pause between two questions.
const FRESH: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Readiness {
    last: Mutex<Option<(Instant, bool)>>,
}

impl Readiness {
    /// The last answer while it is fresh, else that of `query`; one that takes too long is a no.
    pub(crate) async fn ask<F: Future<Output = bool>>(&self, query: impl FnOnce() -> F) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, ready)) = *last
            && at.elapsed() < FRESH
        {
            return ready;
        }
        let ready = timeout(DATABASE_ANSWERS_WITHIN, query()).await == Ok(true);
        *last = Some((Instant::now(), ready));
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn the_database_is_asked_once_a_second() {
        let (readiness, asked) = (Readiness::default(), AtomicU32::new(0));
        let query = |answer| {
            asked.fetch_add(1, Ordering::Relaxed);
            std::future::ready(answer)
        };
        for _ in 0..100 {
            assert!(readiness.ask(|| query(true)).await);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        tokio::time::advance(FRESH).await;
        assert!(!readiness.ask(|| query(false)).await, "an old answer is not given");
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_a_no_and_all_who_wait_share_it() {
        let readiness = Readiness::default();
        let began = Instant::now();
        let silent = || readiness.ask(std::future::pending);
        assert_eq!(tokio::join!(silent(), silent(), silent()), (false, false, false));
        assert_eq!(began.elapsed(), DATABASE_ANSWERS_WITHIN);
    }
}
