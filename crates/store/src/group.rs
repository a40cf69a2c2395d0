//! Work of many callers carried to the database together.
//!
//! Whoever finds a carrier free carries at once, alone; whoever comes while all are on their way waits for the next that is
//! back, which takes all that wait: the busier it is, the more go at once, and alone nobody waits. What others brought is
//! carried by a task of its own, so that no caller who leaves takes their work with him. A carrier keeps its connection, whose
//! process then has everything it needs at hand.

use crate::Pools;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Carries jobs. Each job holds the way to answer its caller, who learns from a job dropped unanswered that it failed.
pub(crate) trait Carrier: Send + Sized + 'static {
    type Job: Send + std::fmt::Debug;
    /// Jobs are taken while their weights together are at most this; one is always taken.
    const WEIGHT_MAX: usize;

    fn new(pools: Pools) -> Self;

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
    pub(crate) async fn add(&self, job: C::Job, pools: &Pools) {
        {
            let mut state = lock(&self.state);
            state.waiting.push_back(job);
            if state.carriers >= self.carriers_max {
                return;
            }
            state.carriers += 1;
        }
        let mut under_way = UnderWay::<C> { state: self.state.clone(), pools: pools.clone(), ended: false };
        let mut carrier = C::new(pools.clone());
        if let Some(jobs) = under_way.next() {
            carrier.carry(jobs).await;
        }
        if !under_way.ends() {
            tokio::spawn(carry_all(under_way, carrier));
        }
    }
}

async fn carry_all<C: Carrier>(mut under_way: UnderWay<C>, mut carrier: C) {
    while let Some(jobs) = under_way.next() {
        carrier.carry(jobs).await;
    }
}

/// One carrier, counted off when it finds nothing more to do, is left by its caller, or falls over.
struct UnderWay<C: Carrier> {
    state: Arc<Mutex<State<C::Job>>>,
    pools: Pools,
    ended: bool,
}

impl<C: Carrier> UnderWay<C> {
    /// Ends if nothing waits, in the same moment: whoever adds a job later finds it gone.
    fn ends(&mut self) -> bool {
        let mut state = lock(&self.state);
        if state.waiting.is_empty() && !self.ended {
            state.carriers -= 1;
            self.ended = true;
        }
        self.ended
    }

    /// What waits, as far as it may go at once.
    fn next(&mut self) -> Option<Vec<C::Job>> {
        if self.ends() {
            return None;
        }
        let mut state = lock(&self.state);
        let mut weight: usize = 0;
        let fits = state.waiting.iter().take_while(|job| {
            weight = weight.saturating_add(C::weight(job));
            weight <= C::WEIGHT_MAX
        });
        // Another carrier may have been quicker.
        let count = fits.count().max(1).min(state.waiting.len());
        Some(state.waiting.drain(..count).collect())
    }
}

impl<C: Carrier> Drop for UnderWay<C> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        let mut state = lock(&self.state);
        state.carriers -= 1;
        if state.carriers > 0 || state.waiting.is_empty() {
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if !std::thread::panicking() => {
                // Its caller left; the others' jobs are carried all the same.
                state.carriers += 1;
                let (state, pools) = (self.state.clone(), self.pools.clone());
                let carrier = C::new(pools.clone());
                runtime.spawn(carry_all(Self { state, pools, ended: false }, carrier));
            }
            // It fell over: their callers learn that it failed.
            _ => state.waiting.clear(),
        }
    }
}

fn lock<J>(state: &Mutex<State<J>>) -> std::sync::MutexGuard<'_, State<J>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
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

        fn new(_: Pools) -> Self {
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

    fn pools() -> Pools {
        let pool = || sqlx::PgPool::connect_lazy("postgres://nobody@nowhere.invalid/none").unwrap();
        Pools { main: pool(), chunks: pool() }
    }

    struct Added {
        caller: tokio::task::JoinHandle<()>,
        answered: oneshot::Receiver<()>,
    }

    struct Crowd {
        group: Group<Slow>,
        pools: Pools,
        taken: mpsc::UnboundedSender<Vec<usize>>,
    }

    impl Crowd {
        /// As its own task would add it.
        fn add(&self, number: usize, go_on: Option<oneshot::Receiver<()>>) -> Added {
            let (answer, answered) = oneshot::channel();
            let job = Job { number, taken: self.taken.clone(), go_on, _answer: answer };
            let (group, pools) = (self.group.clone(), self.pools.clone());
            let caller = tokio::spawn(async move { group.add(job, &pools).await });
            Added { caller, answered }
        }
    }

    #[tokio::test]
    async fn what_waits_goes_together_as_far_as_its_weight_allows() {
        let (taken, mut heard) = mpsc::unbounded_channel();
        let crowd = Crowd { group: Group::new(1), pools: pools(), taken };
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
        let crowd = Crowd { group: Group::new(1), pools: pools(), taken };
        for added in [0, 0].map(|number| crowd.add(number, None)) {
            added.answered.await.unwrap_err();
        }
        crowd.add(1, None);
        assert_eq!(heard.recv().await.unwrap(), [1]);
    }

    #[tokio::test]
    async fn a_caller_who_leaves_takes_nobody_with_him() {
        let (taken, mut heard) = mpsc::unbounded_channel();
        let crowd = Crowd { group: Group::new(1), pools: pools(), taken };
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
