//! One run: accounts, clients on them, rounds of acting and auditing, and what is left when a fault was found.
//!
//! Invariant: while an audit runs nobody acts, so that what it reads is the state after everything that was done.

use crate::client::{Client, Entrance, enter};
use crate::content::Dice;
use crate::linear::Tick;
use crate::model::Account;
use crate::mutate::Lie;
use crate::session::Session;
use crate::wire::End;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Barrier;

/// Connections that went with commands under way: what the server read of them is done after so long.
const AFTERMATH: Duration = Duration::from_millis(1_500);

#[derive(Clone, Debug)]
pub struct World {
    pub address: String,
    pub password: String,
    pub users: Vec<String>,
    pub connections: usize,
    pub lasting: Duration,
    /// From one audit to the next.
    pub round: Duration,
    pub seed: u64,
    pub tight_kb: u64,
    pub lie: Option<Lie>,
    pub out: PathBuf,
}

#[derive(Debug, Default)]
pub struct Report {
    pub lie: Option<Lie>,
    pub skipped: bool,
    pub seconds: u64,
    pub connections: usize,
    pub rounds: u64,
    pub commands: u64,
    /// Histories of messages between two audits that were explained, and those too busy to follow.
    pub checked: u64,
    pub too_busy: u64,
    pub lies_told: u32,
    pub faults: Vec<String>,
}

impl Report {
    pub fn line(&self) -> String {
        format!(
            "{} s, {} connections, {} commands, {} audits, {} histories of messages explained ({} too busy), {} faults",
            self.seconds,
            self.connections,
            self.commands,
            self.rounds,
            self.checked,
            self.too_busy,
            self.faults.len()
        )
    }
}

/// What the clients and the conductor share.
struct Stage {
    pause: AtomicBool,
    stop: AtomicBool,
    barrier: Barrier,
    commands: AtomicU64,
    faults: Mutex<Vec<String>>,
}

impl Stage {
    fn fault(&self, connection: usize, text: &str) {
        self.stop.store(true, Ordering::SeqCst);
        self.pause.store(true, Ordering::SeqCst);
        let text = format!("connection {connection}: {text}");
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    fn judge(&self, connection: usize, result: Result<(), End>) -> bool {
        match result {
            Ok(()) => true,
            Err(End::Fault(text)) => {
                self.fault(connection, &text);
                false
            }
            Err(End::Closed(text)) => {
                self.fault(connection, &format!("closed by the server: {text:?}"));
                false
            }
        }
    }
}

/// Last lines of a conversation, and how often its server lied.
type Leftover = (usize, VecDeque<String>, u32);

impl World {
    pub async fn run(self) -> Report {
        let began = Instant::now();
        let stage = Arc::new(Stage {
            pause: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            barrier: Barrier::new(self.connections + 1),
            commands: AtomicU64::new(0),
            faults: Mutex::new(Vec::new()),
        });
        let mut report = Report { lie: self.lie, connections: self.connections, ..Report::default() };
        let accounts: Vec<Arc<Mutex<Account>>> = self.users.iter().map(|_| Arc::default()).collect();
        if let Some(first) = accounts.first() {
            first.lock().unwrap_or_else(PoisonError::into_inner).limit_kb = self.tight_kb;
        }
        let mut auditors = Vec::new();
        for (index, account) in accounts.iter().enumerate() {
            match self.auditor(index, Arc::clone(account)).await {
                Ok(auditor) => auditors.push(auditor),
                Err(end) => {
                    report.faults.push(format!("before the start: {end:?}"));
                    return report;
                }
            }
        }
        if let Some(needed) = self.lie.and_then(Lie::needs)
            && auditors.iter().any(|auditor| !auditor.can(needed))
        {
            report.skipped = true;
            return report;
        }
        let mut clients = Vec::new();
        for number in 1..=self.connections {
            let at = number % accounts.len();
            let entrance = self.entrance(at);
            let dice = Dice::new(self.seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
            let play = play(number, entrance, Arc::clone(&accounts[at]), dice, self.lie, Arc::clone(&stage));
            clients.push(tokio::spawn(play));
        }
        self.conduct(&stage, &mut auditors, &mut report).await;
        let mut leftovers: Vec<Leftover> = Vec::new();
        for client in clients {
            leftovers.extend(client.await.ok());
        }
        leftovers.extend(auditors.into_iter().map(|auditor| (auditor.number, auditor.wire.log, 0)));
        report.lies_told += leftovers.iter().map(|(_, _, told)| told).sum::<u32>();
        report.seconds = began.elapsed().as_secs();
        report.commands += stage.commands.load(Ordering::Relaxed);
        for account in &accounts {
            let account = account.lock().unwrap_or_else(PoisonError::into_inner);
            report.checked += account.checked;
            report.too_busy += account.too_busy;
        }
        report.faults.append(&mut stage.faults.lock().unwrap_or_else(PoisonError::into_inner));
        if !report.faults.is_empty() {
            self.keep(&report, &leftovers);
        }
        report
    }

    fn entrance(&self, user: usize) -> Entrance {
        Entrance {
            address: self.address.clone(),
            user: self.users[user].clone(),
            password: self.password.clone(),
        }
    }

    async fn auditor(&self, index: usize, account: Arc<Mutex<Account>>) -> Result<Session, End> {
        let mut dice = Dice::new(self.seed ^ 0xA0D1);
        let lie = self.lie.filter(|lie| matches!(lie, Lie::ChangeStatus | Lie::ChangeQuota));
        let mut auditor = enter(1_000 + index, &self.entrance(index), account, &mut dice, lie).await?;
        if auditor.can("CONDSTORE") && auditor.can("ENABLE") && !auditor.condstore {
            auditor.wants("ENABLE CONDSTORE").await?;
            auditor.condstore = true;
        }
        auditor.prepare().await?;
        Ok(auditor)
    }

    /// Lets the clients act, pauses them, audits; until the time is over or a fault was found.
    async fn conduct(&self, stage: &Arc<Stage>, auditors: &mut [Session], report: &mut Report) {
        let end = Instant::now() + self.lasting;
        let mut dice = Dice::new(self.seed);
        loop {
            let round = Instant::now() + self.round;
            while Instant::now() < round && !stage.stop.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            stage.pause.store(true, Ordering::SeqCst);
            stage.barrier.wait().await;
            let dropped = auditors.iter().any(|auditor| auditor.model().dropped);
            if dropped && !stage.stop.load(Ordering::SeqCst) {
                tokio::time::sleep(AFTERMATH).await;
            }
            stage.barrier.wait().await;
            stage.barrier.wait().await;
            if !stage.stop.load(Ordering::SeqCst) {
                for auditor in auditors.iter_mut() {
                    let audited = auditor.audit(&mut dice).await;
                    stage.judge(auditor.number, audited);
                }
                report.rounds += 1;
            }
            if Instant::now() >= end {
                stage.stop.store(true, Ordering::SeqCst);
            }
            stage.pause.store(false, Ordering::SeqCst);
            let over = stage.stop.load(Ordering::SeqCst);
            stage.barrier.wait().await;
            if over {
                return;
            }
            if report.rounds.is_multiple_of(10) && self.lie.is_none() {
                eprintln!("{} audits, {} commands", report.rounds, stage.commands.load(Ordering::Relaxed));
            }
        }
    }

    /// What is needed to understand a fault.
    fn keep(&self, report: &Report, leftovers: &[Leftover]) {
        let text = format!("seed {}\n{}\n{}\n", self.seed, report.line(), report.faults.join("\n"));
        let out = self.lie.map_or_else(|| self.out.clone(), |lie| self.out.join(format!("{lie:?}")));
        let mut failed = std::fs::create_dir_all(&out).is_err();
        failed |= std::fs::write(out.join("faults.txt"), text).is_err();
        for (number, log, _) in leftovers {
            let lines: String = log.iter().map(|line| format!("{line}\n")).collect();
            failed |= std::fs::write(out.join(format!("connection-{number}.log")), lines).is_err();
        }
        if failed {
            eprintln!("the logs could not be written to {}", out.display());
        }
    }
}

async fn play(
    number: usize,
    entrance: Entrance,
    account: Arc<Mutex<Account>>,
    mut dice: Dice,
    lie: Option<Lie>,
    stage: Arc<Stage>,
) -> Leftover {
    let mut client = match enter(number, &entrance, account, &mut dice, lie).await {
        Ok(session) => Some(Client::new(session, entrance, dice)),
        Err(end) => {
            stage.judge(number, Err(end));
            None
        }
    };
    let mut alive = client.is_some();
    let mut counted: Tick = 0;
    loop {
        while !stage.pause.load(Ordering::SeqCst) {
            match &mut client {
                Some(client) if alive => {
                    alive = act(client, &stage, Client::act).await;
                    stage.commands.fetch_add(client.commands - counted, Ordering::Relaxed);
                    counted = client.commands;
                }
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        stage.barrier.wait().await;
        stage.barrier.wait().await;
        if let Some(client) = client.as_mut().filter(|_| alive && !stage.stop.load(Ordering::SeqCst)) {
            alive = act(client, &stage, Client::settle).await;
        }
        stage.barrier.wait().await;
        stage.barrier.wait().await;
        if stage.stop.load(Ordering::SeqCst) {
            break;
        }
    }
    match client {
        Some(client) => {
            let told = client.session.wire.mutator.as_ref().map_or(0, |mutator| mutator.told);
            (number, client.session.wire.log, told)
        }
        None => (number, VecDeque::new(), 0),
    }
}

/// False after a fault.
async fn act(
    client: &mut Client,
    stage: &Stage,
    what: impl AsyncFnOnce(&mut Client) -> Result<(), End>,
) -> bool {
    let number = client.session.number;
    match what(client).await {
        Err(End::Closed(bye)) => {
            let recovered = client.recover(bye).await;
            stage.judge(number, recovered)
        }
        result => stage.judge(number, result),
    }
}
