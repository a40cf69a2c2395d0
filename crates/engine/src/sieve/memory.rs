//! Which scripts are followed at all, as this node last read it, and those that it has compiled.

use super::failed::Failed;
use crate::{Engine, Error};
use jiff::civil::Date;
use model::calendar::local_date;
use model::{AccountId, ScriptId};
use proto::sieve::{Script, compile};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use store::{SieveFollowed, SieveSource};

/// Octets of scripts, as they are written, that are kept compiled.
const COMPILED_OCTETS_MAX: usize = 8 << 20;

/// Scripts that failed within seconds, of which somebody is told.
const UNTOLD_MAX: usize = 200;

#[derive(Debug, Default)]
pub(crate) struct Sieves {
    followed: RwLock<(i64, Arc<Followed>)>,
    compiled: Mutex<Compiled>,
    /// Scripts that failed, of which nobody was told yet.
    untold: Mutex<Vec<Failed>>,
}

/// Who has something to be followed.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    accounts: HashSet<AccountId>,
    /// Days on which a leave answers.
    answers: HashMap<AccountId, Vec<(Date, Date)>>,
    /// Units or domains have scripts: it is looked up with each message whose they are.
    of_many: bool,
}

impl Followed {
    pub(super) fn concerns(&self, account: AccountId, today: Date) -> bool {
        let is_away = |days: &Vec<(Date, Date)>| days.iter().any(|(from, to)| (*from..=*to).contains(&today));
        self.of_many
            || self.accounts.contains(&account)
            || (!self.answers.is_empty() && self.answers.get(&account).is_some_and(is_away))
    }
}

impl From<SieveFollowed> for Followed {
    fn from(read: SieveFollowed) -> Self {
        let mut answers: HashMap<AccountId, Vec<(Date, Date)>> = HashMap::new();
        for (account, from, to) in read.answers {
            answers.entry(account).or_default().push((from, to));
        }
        let of_many = !read.units.is_empty() || !read.domains.is_empty();
        Self { accounts: read.accounts.into_iter().collect(), answers, of_many }
    }
}

/// Versions of scripts never change. None: this release does not understand it.
#[derive(Debug, Default)]
struct Compiled {
    scripts: HashMap<(ScriptId, u32), Kept>,
    octets: usize,
}

#[derive(Debug)]
struct Kept {
    script: Option<Arc<Script>>,
    octets: usize,
    /// Asked for since room was last made.
    used: bool,
}

impl Compiled {
    fn put(&mut self, key: (ScriptId, u32), kept: Kept) {
        if self.octets + kept.octets > COMPILED_OCTETS_MAX {
            self.scripts.retain(|_, kept| std::mem::take(&mut kept.used));
            self.octets = self.scripts.values().map(|kept| kept.octets).sum();
            if self.octets + kept.octets > COMPILED_OCTETS_MAX {
                (self.scripts, self.octets) = (HashMap::new(), 0);
            }
        }
        self.octets += kept.octets;
        if let Some(before) = self.scripts.insert(key, kept) {
            self.octets -= before.octets;
        }
    }
}

impl Sieves {
    pub(super) fn followed(&self) -> Arc<Followed> {
        self.followed.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Is anything followed for anybody?
    pub(crate) fn is_any(&self) -> bool {
        let followed = self.followed();
        followed.of_many || !followed.accounts.is_empty() || !followed.answers.is_empty()
    }

    /// Their owners are told of them, behind all that waits for an answer. What does not fit is told when it fails again.
    pub(crate) fn note_failed(&self, failed: &[Failed]) {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        for one in failed {
            if untold.len() < UNTOLD_MAX && !untold.iter().any(|known| known.at == one.at) {
                untold.push(one.clone());
            }
        }
    }

    pub(super) fn take_failed(&self) -> Vec<Failed> {
        std::mem::take(&mut *self.untold.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The next look reads it anew, whatever its version; another database has other scripts.
    pub(crate) fn clear(&self) {
        *self.followed.write().unwrap_or_else(PoisonError::into_inner) = (0, Arc::default());
        *self.compiled.lock().unwrap_or_else(PoisonError::into_inner) = Compiled::default();
    }

    /// The outer `None`: it is not here.
    pub(super) fn compiled(&self, key: (ScriptId, u32)) -> Option<Option<Arc<Script>>> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = compiled.scripts.get_mut(&key)?;
        kept.used = true;
        Some(kept.script.clone())
    }

    pub(super) fn compile(&self, source: &SieveSource) -> Option<Arc<Script>> {
        let key = (source.script, source.version);
        if let Some(known) = self.compiled(key) {
            return known;
        }
        let script = match compile(source.source.as_bytes()) {
            Ok(script) => Some(Arc::new(script)),
            Err(error) => {
                tracing::warn!(script = source.script.0, version = source.version, %error, "a script that was taken once is not understood");
                None
            }
        };
        let kept = Kept { script: script.clone(), octets: source.source.len(), used: true };
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner).put(key, kept);
        script
    }
}

impl Engine {
    /// Reads which scripts are followed, if that has changed. True then.
    pub(crate) async fn renew_sieves(&self) -> Result<bool, Error> {
        let version = self.0.store.sieve_version().await?;
        let sieves = &self.0.sieves;
        if version == sieves.followed.read().unwrap_or_else(PoisonError::into_inner).0 {
            return Ok(false);
        }
        let followed = self.0.store.sieve_followed(local_date(self.now())).await?;
        let mut kept = sieves.followed.write().unwrap_or_else(PoisonError::into_inner);
        if version > kept.0 {
            *kept = (version, Arc::new(followed.into()));
        }
        Ok(true)
    }

    /// Behind a commit that may have changed it: this node need not wait for its poll.
    pub(super) async fn sieves_changed(&self) {
        if let Err(error) = self.renew_sieves().await {
            tracing::warn!(%error, "changes of scripts could not be looked for");
        }
    }
}
