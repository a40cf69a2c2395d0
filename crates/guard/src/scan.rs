//! Asks scanners about the content of a message: clamd for malware, rspamd for spam; both where they are configured.
//!
//! Invariants: evidence only; within bounds of time, of messages asked about at once and of those that wait for it, so a slow or dead
//! scanner keeps nobody but the message at hand, and that not for long; the message is read piece by piece, never whole; no answer
//! is said to be none ([`Malware::Unknown`], [`Spam::Unknown`]), never a pass.

pub(crate) mod breaker;
mod clamd;
mod endpoint;
mod learn;
mod octets;
mod rspamd;

#[cfg(test)]
mod tests;

pub use endpoint::{NoScanAddress, ScanAddress};
pub use learn::{Learner, LearnerSettings, Taught};
pub use octets::Octets;

use breaker::Breaker;
use metrics::{counter, gauge, histogram};
use model::scan::{Malware, Scan, Spam};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often the log says that mail is too large for a scanner.
const TOO_LARGE_SAID_EVERY: Duration = Duration::from_secs(3_600);

/// What the filter for spam is told of how a message came.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    pub remote: IpAddr,
    /// What the peer called itself.
    pub helo: &'a str,
    /// Empty: the null reverse-path.
    pub sender: &'a str,
    pub recipients: &'a [String],
    /// Who submitted it.
    pub user: Option<&'a str>,
}

/// One scanner as it is configured.
#[derive(Clone, Debug)]
pub struct ScannerSettings {
    pub address: ScanAddress,
    /// For all of one exchange.
    pub timeout: Duration,
    /// Octets of the largest message it is asked about.
    pub message_bytes_max: u64,
    /// Messages it is asked about at once.
    pub places: usize,
}

/// All scanners there are. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Scanners {
    clamd: Option<Arc<Scanner>>,
    rspamd: Option<Arc<Scanner>>,
}

#[derive(Debug)]
struct Scanner {
    name: &'static str,
    settings: ScannerSettings,
    breaker: Breaker,
    too_large_said: Mutex<Option<Instant>>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug)]
enum NoAnswer {
    /// Its failures before this one, or too many messages waiting for it.
    NotAsked,
    Failed,
}

impl Scanners {
    #[must_use]
    pub fn new(clamd: Option<ScannerSettings>, rspamd: Option<ScannerSettings>) -> Self {
        let scanner = |name, settings: ScannerSettings| {
            let breaker = Breaker::new(settings.places);
            gauge!("congthu_scanner_down", "scanner" => name).set(0);
            Arc::new(Scanner { name, settings, breaker, too_large_said: Mutex::default() })
        };
        Self {
            clamd: clamd.map(|settings| scanner("clamd", settings)),
            rspamd: rspamd.map(|settings| scanner("rspamd", settings)),
        }
    }

    /// Is there any?
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.clamd.is_some() || self.rspamd.is_some()
    }

    /// What the scanner for malware says of a message, alone.
    pub async fn malware<O: Octets + ?Sized>(&self, message: &O) -> Malware {
        match &self.clamd {
            Some(scanner) => scanner.malware(message).await,
            None => Malware::NotAsked,
        }
    }

    /// Does the scanner for malware take messages as large as it may be given? `None`: there is none, or it did not say.
    pub async fn takes_the_largest(&self) -> Option<bool> {
        let ScannerSettings { address, timeout, message_bytes_max, .. } = &self.clamd.as_ref()?.settings;
        tokio::time::timeout(*timeout, clamd::takes(address, *message_bytes_max)).await.ok()?.ok()
    }

    /// What they say of a message, both asked at once.
    pub async fn scan<O: Octets + ?Sized>(&self, message: &O, envelope: &Envelope<'_>) -> Scan {
        let malware = self.malware(message);
        let spam = async {
            match &self.rspamd {
                Some(scanner) => scanner.spam(message, envelope).await,
                None => Spam::NotAsked,
            }
        };
        let (malware, spam) = tokio::join!(malware, spam);
        Scan { malware, spam }
    }
}

impl Scanner {
    async fn malware<O: Octets + ?Sized>(&self, message: &O) -> Malware {
        if message.length() > self.settings.message_bytes_max {
            self.say_too_large(message.length(), "clamd_size in [scan]");
            return Malware::Unknown;
        }
        match self.ask(clamd::scan(&self.settings.address, message)).await {
            Ok(clamd::Said::Clean) => {
                self.count("clean");
                Malware::Clean
            }
            Ok(clamd::Said::Found(name)) => {
                self.count("found");
                Malware::Found(name)
            }
            Ok(clamd::Said::TooLarge) => {
                self.say_too_large(message.length(), "StreamMaxLength in clamd.conf");
                Malware::Unknown
            }
            Err(_) => Malware::Unknown,
        }
    }

    async fn spam<O: Octets + ?Sized>(&self, message: &O, envelope: &Envelope<'_>) -> Spam {
        if message.length() > self.settings.message_bytes_max {
            self.count("too_large");
            return Spam::NotAsked;
        }
        match self.ask(rspamd::score(&self.settings.address, message, envelope)).await {
            Ok(score) => {
                self.count(score.action.as_str());
                Spam::Scored(score)
            }
            Err(_) => Spam::Unknown,
        }
    }

    /// One exchange, within its bounds.
    async fn ask<T>(&self, exchange: impl Future<Output = std::io::Result<T>>) -> Result<T, NoAnswer> {
        let deadline = Instant::now() + self.settings.timeout;
        // Who waits for a place in vain says nothing of the service.
        let Ok(Some(leave)) = tokio::time::timeout_at(deadline, self.breaker.enter()).await else {
            self.count("not_asked");
            return Err(NoAnswer::NotAsked);
        };
        let began = Instant::now();
        let answer = tokio::time::timeout(self.settings.timeout, exchange).await;
        histogram!("congthu_scan_seconds", "scanner" => self.name).record(began.elapsed());
        let was_down = self.breaker.is_open();
        let answer = match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::warn!(scanner = self.name, %error, "a scanner failed");
                Err(NoAnswer::Failed)
            }
            Err(_) => {
                tracing::warn!(scanner = self.name, "a scanner did not answer in time");
                Err(NoAnswer::Failed)
            }
        };
        leave.end(answer.is_ok());
        self.say_state(was_down);
        if answer.is_err() {
            self.count("failed");
        }
        answer
    }

    fn say_state(&self, was_down: bool) {
        let is_down = self.breaker.is_open();
        gauge!("congthu_scanner_down", "scanner" => self.name).set(u32::from(is_down));
        match (was_down, is_down) {
            (false, true) => {
                tracing::error!(scanner = self.name, "a scanner is down, and not asked for a while");
            }
            (true, false) => tracing::info!(scanner = self.name, "a scanner is back"),
            _ => {}
        }
    }

    /// To try again does not help here, so somebody has to be told what would.
    fn say_too_large(&self, octets: u64, limit: &'static str) {
        self.count("too_large");
        let mut said = self.too_large_said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|at| at.elapsed() >= TOO_LARGE_SAID_EVERY) {
            *said = Some(Instant::now());
            tracing::warn!(
                scanner = self.name,
                octets,
                limit,
                "a message is too large to be scanned, and will be whenever it is tried again: raise the limit"
            );
        }
    }

    fn count(&self, result: &'static str) {
        counter!("congthu_scans_total", "scanner" => self.name, "result" => result).increment(1);
    }
}
