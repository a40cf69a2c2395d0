//! Work of many callers carried to the database together.
//!
//! Whoever finds a carrier free carries at once, alone; whoever comes while all are on their way waits for the next that is
//! back, which takes all that wait: the busier it is, the more go at once, and alone nobody waits. What others brought is
//! carried by a task of its own, so that no caller who leaves takes their work with him. A carrier keeps its connection, whose
//! process then has everything it needs at hand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Carries jobs. Each job holds the way to answer its caller, who learns from a job dropped unanswered that it failed.
pub(crate) trait Carrier: Send + Sized + 'static {
    type Job: Send + std::fmt::Debug;
    /// Jobs are taken while their weights together are at most this; one is always taken.
    const WEIGHT_MAX: usize;

    /// What every carrier needs.
    type Shared: Clone + Send + 'static;

    fn new(shared: Self::Shared) -> Self;

    fn weight(job: &Self::Job) -> usize;

    fn carry(&mut self, jobs: Vec<Self::Job>) -> impl Future<Output = ()> + Send;
}

/// Jobs that wait, and how many carriers are under way.
#[derive(Debug)]
pub(crate) struct Group<C: Carrier> {
    state: Arc<Mutex<State<C::Job>>>,
    carriers_max: usize,
}

#[derive(Debug)]
struct State<J> {
    waiting: VecDeque<J>,
    carriers: usize,
}

impl<C: Carrier> Clone for Group<C> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone(), carriers_max: self.carriers_max }
    }
}

impl<C: Carrier> Group<C> {
    pub(crate) fn new(carriers_max: usize) -> Self {
        let state = State { waiting: VecDeque::new(), carriers: 0 };
        Self { state: Arc::new(Mutex::new(state)), carriers_max }
    }

    /// Returns when the job was carried, or waits to be; its answer says which.
    #[expect(clippy::disallowed_methods, reason = "closing the store waits for a carrier's connection")]
    pub(crate) async fn add(&self, job: C::Job, shared: &C::Shared) {
        {
            let mut state = lock(&self.state);
            if state.carriers >= self.carriers_max || !state.waiting.is_empty() {
                state.waiting.push_back(job);
                return;
            }
            state.carriers += 1;
        }
        let mut under_way = UnderWay::<C> { state: self.state.clone(), shared: shared.clone(), ended: false };
        let mut carrier = C::new(shared.clone());
        // Its own alone: who leaves in the middle takes no other's work with him.
        carrier.carry(vec![job]).await;
        if let Some(jobs) = under_way.next() {
            tokio::spawn(carry_all(under_way, carrier, jobs.into()));
        }
    }
}

async fn carry_all<C: Carrier>(mut under_way: UnderWay<C>, mut carrier: C, mut jobs: VecDeque<C::Job>) {
    loop {
        while !jobs.is_empty() {
            carrier.carry(portion::<C>(&mut jobs)).await;
        }
        match under_way.next() {
            Some(more) => jobs.extend(more),
            None => return,
        }
    }
}

/// As many as may go at once.
pub(crate) fn portion<C: Carrier>(jobs: &mut VecDeque<C::Job>) -> Vec<C::Job> {
    let mut weight: usize = 0;
    let fits = jobs.iter().take_while(|job| {
        weight = weight.saturating_add(C::weight(job));
        weight <= C::WEIGHT_MAX
    });
    let count = fits.count().max(1).min(jobs.len());
    jobs.drain(..count).collect()
}

/// One carrier, counted off when it finds nothing more to do, is left by its caller, or falls over.
struct UnderWay<C: Carrier> {
    state: Arc<Mutex<State<C::Job>>>,
    shared: C::Shared,
    ended: bool,
}

impl<C: Carrier> UnderWay<C> {
    /// What waits, as far as it may go at once. `None` ends the carrier, in the same moment: whoever adds a job later finds
    /// it gone.
    fn next(&mut self) -> Option<Vec<C::Job>> {
        let mut state = lock(&self.state);
        if state.waiting.is_empty() {
            state.carriers -= 1;
            self.ended = true;
            return None;
        }
        Some(portion::<C>(&mut state.waiting))
    }
}

impl<C: Carrier> Drop for UnderWay<C> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        let jobs = {
            let mut state = lock(&self.state);
            if state.carriers > 1 || state.waiting.is_empty() {
                state.carriers -= 1;
                return;
            }
            std::mem::take(&mut state.waiting)
        };
        // Its caller left, or it fell over: another goes on. It owns the jobs, so that where no task can be begun any more
        // they are dropped, and who waits for them learns that they failed; all of that outside the lock.
        let (state, shared) = (self.state.clone(), self.shared.clone());
        let carrier = C::new(shared.clone());
        let under_way = Self { state, shared, ended: false };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(carry_all(under_way, carrier, jobs));
        }
    }
}

fn lock<J>(state: &Mutex<State<J>>) -> std::sync::MutexGuard<'_, State<J>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "callers of their own; none outlives its test")]
mod tests {
    use super::*;
    use tokio::sync::{mpsc, oneshot};

    /// Tells which jobs it took together and waits to be let on; falls over at job 0.
    struct Slow;

    #[derive(Debug)]
    struct Job {
        number: usize,
        taken: mpsc::UnboundedSender<Vec<usize>>,
        go_on: Option<oneshot::Receiver<()>>,
        _answer: oneshot::Sender<()>,
    }

    impl Carrier for Slow {
        type Job = Job;
        const WEIGHT_MAX: usize = 10;

        type Shared = ();

        fn new((): ()) -> Self {
            Self
        }

        fn weight(job: &Job) -> usize {
            job.number
        }

        async fn carry(&mut self, jobs: Vec<Job>) {
            let numbers: Vec<usize> = jobs.iter().map(|job| job.number).collect();
            assert!(!numbers.contains(&0), "as it should be: a carrier falls over");
            jobs[0].taken.send(numbers).unwrap();
            for job in jobs {
                if let Some(go_on) = job.go_on {
                    go_on.await.unwrap();
                }
            }
        }
    }

    struct Added {
        caller: tokio::task::JoinHandle<()>,
        answered: oneshot::Receiver<()>,
    }

    struct Crowd {
        group: Group<Slow>,
        taken: mpsc::UnboundedSender<Vec<usize>>,
    }

    impl Crowd {
        /// As its own task would add it.
        fn add(&self, number: usize, go_on: Option<oneshot::Receiver<()>>) -> Added {
            let (answer, answered) = oneshot::channel();
            let job = Job { number, taken: self.taken.clone(), go_on, _answer: answer };
            let group = self.group.clone();
            let caller = tokio::spawn(async move { group.add(job, &()).await });
            Added { caller, answered }
        }
    }

    #[tokio::test]
    async fn what_waits_goes_together_as_far_as_its_weight_allows() {
        let (taken, mut heard) = mpsc::unbounded_channel();
        let crowd = Crowd { group: Group::new(1), taken };
        let (let_on, go_on) = oneshot::channel();
        let first = crowd.add(1, Some(go_on));
        assert_eq!(heard.recv().await.unwrap(), [1]);
        let others = [2, 3, 5, 4, 50, 6].map(|number| crowd.add(number, None));
        let_on.send(()).unwrap();
        for expected in [&[2, 3, 5][..], &[4], &[50], &[6]] {
            assert_eq!(heard.recv().await.unwrap(), expected);
        }
        for added in [first].into_iter().chain(others) {
            added.answered.await.unwrap_err();
        }
        // Another comes after the carrier has gone.
        crowd.add(7, None);
        assert_eq!(heard.recv().await.unwrap(), [7]);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_carrier_that_fell_over() {
        let (taken, mut heard) = mpsc::unbounded_channel();
        let crowd = Crowd { group: Group::new(1), taken };
        for added in [0, 0].map(|number| crowd.add(number, None)) {
            added.answered.await.unwrap_err();
        }
        crowd.add(1, None);
        assert_eq!(heard.recv().await.unwrap(), [1]);
    }

    /// The process could not end otherwise.
    #[test]
    fn a_runtime_ends_with_jobs_waiting() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async {
            let (taken, mut heard) = mpsc::unbounded_channel();
            let crowd = Crowd { group: Group::new(1), taken };
            let (never, go_on) = oneshot::channel();
            std::mem::forget(never);
            crowd.add(1, Some(go_on));
            assert_eq!(heard.recv().await.unwrap(), [1]);
            for added in [2, 3].map(|number| crowd.add(number, None)) {
                added.caller.await.unwrap();
            }
        });
        runtime.shutdown_timeout(std::time::Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_caller_who_leaves_takes_nobody_with_him() {
        let (taken, mut heard) = mpsc::unbounded_channel();
        let crowd = Crowd { group: Group::new(1), taken };
        let (_never, go_on) = oneshot::channel();
        let leaves = crowd.add(1, Some(go_on));
        assert_eq!(heard.recv().await.unwrap(), [1]);
        let others = [2, 3].map(|number| crowd.add(number, None));
        for added in others {
            added.caller.await.unwrap();
        }
        leaves.caller.abort();
        assert_eq!(heard.recv().await.unwrap(), [2, 3]);
    }
}
