//! Runs of the scripts of all mailboxes of a message together: what they ask is looked up for all at once, and each is run again with
//! what was answered.

use super::leave_script;
use crate::deliver::Arrival;
use crate::{Engine, Error, Sender};
use jiff::tz::TimeZone;
use model::calendar::{TIME_ZONE, local_date};
use model::{Address, ScriptId};
use proto::sieve::limits::COST_MAX;
use proto::sieve::{
    Action, Ended, Failure, Known, Location, Mail, Outcome, Question, Reason, Script, Setting, Wanted, run,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use store::{ScriptOwner, SieveChain, SieveScriptAt, Target};

/// Scripts by number and version; `None`: this release does not understand it.
type Compiled = HashMap<(ScriptId, u32), Option<Arc<Script>>>;

/// Times that one run is begun anew with what was answered. A script that asks more often, one thing after the other, is not followed.
const ROUNDS_MAX: usize = 40;
/// What the runs of one mailbox that end with questions may cost together: who asks little costs little each time.
const MAILBOX_COST_MAX: u64 = 2 * COST_MAX;
/// What all runs for one message may cost, some two seconds: ten thousand mailboxes with thirty rules each cost a fifth of it.
const MESSAGE_COST_MAX: u64 = 20 * COST_MAX;

/// A mailbox and what is followed for it.
#[derive(Debug)]
pub(super) struct Following {
    pub(super) target: Target,
    pub(super) chain: SieveChain,
    scripts: Vec<Arc<Script>>,
    /// Which they are; `None`: what a leave answers.
    places: Vec<Option<SieveScriptAt>>,
    setting: Setting,
    known: Known,
    pub(super) outcome: Outcome,
    has_ended: bool,
    /// What its runs that ended with a question cost.
    spent: u64,
}

impl Following {
    pub(super) fn answer(&mut self, question: Question, answer: bool) {
        self.known.answers.insert(question, answer);
    }

    /// The script of the chain by its number; `None`: that is what a leave answers.
    pub(super) fn script(&self, place: Option<usize>) -> Option<SieveScriptAt> {
        self.places.get(place?).copied().flatten()
    }

    /// Which script of the chain wanted its action of this number.
    pub(super) fn wanted_by(&self, action: usize) -> Option<usize> {
        self.outcome.wanted_by.get(action).copied()
    }

    fn step(&self, mail: Mail<'_>) -> Ended {
        let chain: Vec<&Script> = self.scripts.iter().map(AsRef::as_ref).collect();
        run(&chain, mail, &self.setting, &self.known)
    }

    fn end(&mut self, outcome: Outcome) {
        (self.outcome, self.has_ended) = (outcome, true);
    }

    fn give_up(&mut self, reason: Reason) {
        let script = self.scripts.len().saturating_sub(1);
        self.end(Outcome {
            actions: vec![Action::Keep { flags: Vec::new(), header: 0 }],
            failures: vec![Failure { script, included: None, line: 0, reason }],
            ..Outcome::default()
        });
    }
}

impl Engine {
    /// What is followed for these; those for which nothing is are left out.
    pub(super) async fn followings(
        &self,
        arrival: &Arrival,
        targets: &[Target],
    ) -> Result<Vec<Following>, Error> {
        let accounts: Vec<_> = targets.iter().map(|target| target.account).collect();
        let now = self.now();
        let mut chains: HashMap<_, _> = HashMap::new();
        for mut chain in self.0.store.sieve_chains(&accounts, local_date(now)).await? {
            if !self.policy_of(chain.domain).await?.rules.own {
                chain.scripts.retain(|at| !matches!(at.owner, ScriptOwner::Mailbox(_)));
            }
            chains.insert(chain.account, chain);
        }
        let compiled = self.compiled(chains.values()).await?;
        let zone = TimeZone::get(TIME_ZONE).unwrap_or(TimeZone::UTC);
        let auth = arrival.principal.as_ref().map(|who| who.own().address().to_string());
        let mut followings = Vec::new();
        for target in targets {
            let Some(chain) = chains.remove(&target.account) else { continue };
            let (scripts, places) = in_order(&chain, &compiled);
            if scripts.is_empty() {
                continue;
            }
            let policy = self.policy_of(chain.domain).await?;
            let addresses: Vec<String> = chain.addresses.iter().map(ToString::to_string).collect();
            let own = addresses.first().cloned().unwrap_or_default();
            // What came by a group or another mailbox names him nowhere by that (RFC 5230 4.5).
            let is_own = |to: &String| {
                let to = to.parse::<Address>().ok();
                to.is_some_and(|to| chain.addresses.contains(to.without_tag().as_ref().unwrap_or(&to)))
            };
            let setting = Setting {
                envelope_from: arrival.sender.as_ref().map(Sender::as_str).unwrap_or_default().to_owned(),
                envelope_to: target.recipient.clone().filter(is_own).unwrap_or(own),
                auth: auth.clone().unwrap_or_default(),
                environment: self.environment(arrival, &chain),
                addresses,
                now: now.to_zoned(zone.clone()),
                redirects_max: usize::try_from(policy.rules.redirects).unwrap_or(usize::MAX),
            };
            let (known, outcome) = (Known::default(), Outcome::default());
            let target = target.clone();
            let (has_ended, spent) = (false, 0);
            followings.push(Following {
                target,
                chain,
                scripts,
                places,
                setting,
                known,
                outcome,
                has_ended,
                spent,
            });
        }
        Ok(followings)
    }

    /// RFC 5183 4.1.
    fn environment(&self, arrival: &Arrival, chain: &SieveChain) -> BTreeMap<String, String> {
        let domain = chain.addresses.first().map(|own| own.domain().to_string()).unwrap_or_default();
        let items = [
            ("domain", domain),
            ("host", self.hostname().to_owned()),
            ("location", "MDA".to_owned()),
            ("name", "Cong Thu".to_owned()),
            ("phase", "during".to_owned()),
            ("remote-ip", arrival.origin.remote.to_canonical().to_string()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        items.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// All that these follow; held here, as others may need the room where they are kept.
    async fn compiled(&self, chains: impl Iterator<Item = &SieveChain>) -> Result<Compiled, Error> {
        let (mut compiled, mut missing) = (Compiled::new(), Vec::new());
        for at in chains.flat_map(|chain| &chain.scripts) {
            let key = (at.script, at.version);
            if compiled.contains_key(&key) || missing.contains(&key) {
                continue;
            }
            match self.0.sieves.compiled(key) {
                Some(script) => drop(compiled.insert(key, script)),
                None => missing.push(key),
            }
        }
        if missing.is_empty() {
            return Ok(compiled);
        }
        for source in self.0.store.sieve_sources(&missing).await? {
            compiled.insert((source.script, source.version), self.0.sieves.compile(&source));
            // Others have something to do, too.
            tokio::task::yield_now().await;
        }
        Ok(compiled)
    }

    /// Runs them to their ends. `spent`: what those of the message have cost so far.
    pub(super) async fn follow(
        &self,
        mail: Mail<'_>,
        followings: &mut [Following],
        spent: &mut u64,
    ) -> Result<(), Error> {
        for _ in 0..ROUNDS_MAX {
            let (mut asked, mut wanted) = (Vec::new(), Vec::new());
            for (nth, one) in followings.iter_mut().enumerate().filter(|(_, one)| !one.has_ended) {
                if *spent > MESSAGE_COST_MAX || one.spent > MAILBOX_COST_MAX {
                    one.give_up(Reason::TooCostly);
                    continue;
                }
                match one.step(mail) {
                    Ended::Done(outcome) => {
                        *spent += outcome.cost;
                        one.end(outcome);
                    }
                    Ended::Asks(questions, cost) => {
                        one.spent += cost;
                        *spent += cost;
                        asked.extend(questions.into_iter().map(|question| (nth, question)));
                    }
                    Ended::Wants(script, cost) => {
                        one.spent += cost;
                        *spent += cost;
                        wanted.push((nth, script));
                    }
                }
                // Others have something to do, too, while many are run.
                tokio::task::yield_now().await;
            }
            if asked.is_empty() && wanted.is_empty() {
                return Ok(());
            }
            self.answer_all(asked, followings).await?;
            for (nth, script) in wanted {
                self.include(script, followings.get_mut(nth)).await?;
            }
        }
        let unended = followings.iter_mut().filter(|one| !one.has_ended);
        unended.for_each(|one| one.give_up(Reason::TooManyQuestions(ROUNDS_MAX)));
        Ok(())
    }

    /// RFC 6609 3.1: a personal script is of whoever's script includes it, a global one of the domain.
    async fn include(&self, wanted: Wanted, following: Option<&mut Following>) -> Result<(), Error> {
        let Some(following) = following else { return Ok(()) };
        let personal = following.places.get(wanted.by).copied().flatten().map(|at| at.owner);
        let owner = match wanted.name.location {
            Location::Personal => personal,
            Location::Global => Some(ScriptOwner::Domain(following.chain.domain)),
        };
        let source = match owner {
            Some(owner) => self.0.store.sieve_named(owner, &wanted.name.name).await?,
            None => None,
        };
        let script = source.and_then(|source| self.0.sieves.compile(&source));
        following.known.scripts.insert(wanted, script);
        Ok(())
    }
}

/// The answer of a leave comes before the mailbox's own script.
fn in_order(chain: &SieveChain, compiled: &Compiled) -> (Vec<Arc<Script>>, Vec<Option<SieveScriptAt>>) {
    let compiled = |at: &SieveScriptAt| {
        let script = compiled.get(&(at.script, at.version)).cloned().flatten()?;
        Some((script, Some(*at)))
    };
    let is_own = |at: &&SieveScriptAt| matches!(at.owner, ScriptOwner::Mailbox(_));
    let (own, above): (Vec<_>, Vec<_>) = chain.scripts.iter().partition(is_own);
    let leave = chain.answer.as_ref().and_then(|answer| {
        let days = (answer.from_day, answer.to_day);
        let script = leave_script(days, answer.subject.as_deref(), &answer.text).ok()?;
        Some((Arc::new(script), None))
    });
    let all = above.into_iter().filter_map(compiled).chain(leave);
    all.chain(own.into_iter().filter_map(compiled)).unzip()
}
