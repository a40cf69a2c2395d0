//! Keeps a service that does not answer from being waited for by every message: after some failures in a row nobody is sent to it for a
//! while, then one message goes first to see.
//!
//! Invariants: at most [`Breaker::places`] messages are with the service at once and as many again wait for a place, so what piles up
//! behind a slow one is bounded; what is turned away is a failure to scan, never a pass.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Failures in a row after which the service is thought to be down.
const FAILURES_MAX: u32 = 5;
/// For how long nobody asks it then.
const REST: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Breaker {
    working: Semaphore,
    /// With those that wait for a place.
    all: Semaphore,
    state: Mutex<State>,
    /// One message sees whether it is back.
    probing: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    rests_until: Option<Instant>,
}

/// Leave to ask the service; says how it went by being ended.
#[derive(Debug)]
pub(crate) struct Leave<'a> {
    breaker: &'a Breaker,
    probe: bool,
    /// Ended by whoever had it; else it was given up, which says nothing of the service.
    said: bool,
    _places: (SemaphorePermit<'a>, SemaphorePermit<'a>),
}

impl Breaker {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            working: Semaphore::new(places),
            all: Semaphore::new(places.saturating_mul(2)),
            state: Mutex::default(),
            probing: AtomicBool::new(false),
        }
    }

    /// Nobody is sent to the service at the moment.
    pub(crate) fn is_open(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).rests_until.is_some()
    }

    /// Waits for a place, unless too many do; `None`: the service is not to be asked now.
    pub(crate) async fn enter(&self) -> Option<Leave<'_>> {
        let waiting = self.all.try_acquire().ok()?;
        let probe = self.begin()?;
        let leave = |working| Leave { breaker: self, probe, said: false, _places: (working, waiting) };
        match self.working.acquire().await {
            Ok(working) => Some(leave(working)),
            Err(_) => None,
        }
    }

    /// `Some(true)`: as the one that sees whether it is back.
    fn begin(&self) -> Option<bool> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.rests_until {
            None => Some(false),
            Some(until) if Instant::now() < until => None,
            Some(_) => (!self.probing.swap(true, Ordering::AcqRel)).then_some(true),
        }
    }

    fn note(&self, well: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if well {
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES_MAX || state.rests_until.is_some() {
            state.rests_until = Some(Instant::now() + REST);
        }
    }
}

impl Leave<'_> {
    pub(crate) fn end(mut self, well: bool) {
        self.said = true;
        self.breaker.note(well);
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.probing.store(false, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(breaker: &Breaker, well: bool) -> bool {
        match breaker.enter().await {
            Some(leave) => {
                leave.end(well);
                true
            }
            None => false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_service_is_left_alone_and_found_again() {
        let breaker = Breaker::new(2);
        for _ in 0..FAILURES_MAX {
            assert!(ask(&breaker, false).await);
        }
        assert!(breaker.is_open() && !ask(&breaker, true).await);
        tokio::time::advance(REST).await;
        let probe = breaker.enter().await.unwrap();
        assert!(breaker.enter().await.is_none(), "one goes first");
        probe.end(false);
        assert!(!ask(&breaker, true).await, "it is still down");
        tokio::time::advance(REST).await;
        drop(breaker.enter().await.unwrap());
        assert!(ask(&breaker, true).await, "who gave up says nothing");
        assert!(!breaker.is_open() && ask(&breaker, false).await && ask(&breaker, true).await);
    }

    #[tokio::test]
    async fn what_waits_is_bounded() {
        let breaker = Breaker::new(1);
        let first = breaker.enter().await.unwrap();
        let mut second = Box::pin(breaker.enter());
        assert!(futures_poll(&mut second).await.is_none());
        assert!(breaker.enter().await.is_none(), "one works, one waits");
        first.end(true);
        assert!(second.await.is_some());
    }

    /// Polls once.
    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
