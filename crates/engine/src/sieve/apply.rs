//! What scripts want, made into whom the message is for ([`Meant`]).

use super::Copy;
use super::copies::Folders;
use super::failed::Failed;
use super::questions::sighting_key;
use super::rejected::Rejected;
use super::run::Following;
use crate::deliver::{Arrival, Refused};
use crate::expansion::{Meant, Of};
use crate::intake::Prepared;
use crate::recipients::Kind;
use crate::{Engine, Recipient};
use jiff::SignedDuration;
use model::calendar::local_date;
use model::queue::Notify;
use model::{AccountId, Flags};
use proto::sieve::{Action, Mail};
use std::collections::{HashMap, HashSet};
use store::{Forwarded, ForwardedTo, RECIPIENTS_PER_TX, Ruled, Sighted, Target};

/// Mailboxes that a message goes on through by rules, one after the other; the last one's are not followed.
const HOPS_MAX: usize = 5;
/// Mailboxes whose scripts are in memory at once for one message.
const FOLLOWED_AT_ONCE: usize = 100;
/// Seconds for which something that was seen is remembered: as is usual (RFC 7352 3.3), and at most.
const SEEN_SECONDS: u64 = 7 * 24 * 3600;
const SEEN_SECONDS_MAX: u64 = 90 * 24 * 3600;
/// Characters of what is noted of one mailbox.
const NOTED_CHARS_MAX: usize = 400;

/// A message that is looked at, and what is made of it.
pub(super) struct Work<'a> {
    pub(super) of: Of<'a>,
    pub(super) message: &'a Prepared,
    pub(super) recipients: &'a [&'a Recipient],
    pub(super) meant: &'a mut Meant,
    /// Mailboxes that it came to, by whichever way: each gets it once.
    pub(super) seen: HashSet<AccountId>,
    /// Mailboxes that are full.
    pub(super) without: &'a HashSet<AccountId>,
    /// Changed headers that were made, and which they are.
    pub(super) headers: HashMap<Vec<u8>, usize>,
    /// Octets of the messages with these.
    pub(super) changed_bytes: u64,
    /// What the runs of scripts have cost so far.
    spent: u64,
    /// There are so many that only the folder is followed.
    only_folders: bool,
    pub(super) rejected: Vec<Rejected>,
    /// Who passed it on without a copy, and where it ends here.
    passed: Vec<(Target, Vec<AccountId>)>,
}

impl Work<'_> {
    pub(super) fn step(&mut self, step: Forwarded) {
        let known = |known: &Forwarded| known.by == step.by && known.to == step.to;
        if !self.meant.forwarded.iter().any(known) {
            self.meant.forwarded.push(step);
        }
    }

    pub(super) fn note(&mut self, by: AccountId, ruled: Ruled, said: &str) {
        let plain = said.chars().filter(|c| !c.is_control() && !model::is_unseen(*c));
        let to = ForwardedTo::Ruled(ruled, plain.take(NOTED_CHARS_MAX).collect());
        self.step(Forwarded { by, to, keep_copy: true });
    }

    pub(super) fn fail(&mut self, following: &Following, place: Option<usize>, why: String) {
        self.note(following.target.account, Ruled::Failed, &why);
        let Some(at) = following.script(place) else { return };
        let Some(own) = following.chain.addresses.first() else { return };
        let domain = (following.chain.domain, own.domain().clone());
        let failed = &mut self.meant.sifted.failed;
        if !failed.iter().any(|known| known.at == at) {
            failed.push(Failed { at, domain, why });
        }
    }

    fn has_copy(&self, account: AccountId) -> bool {
        let is_target = self.meant.targets.iter().any(|target| target.account == account);
        is_target || self.meant.sifted.holds(account)
    }

    /// It stays where it came.
    pub(super) fn keep(&mut self, target: Target) {
        if !self.has_copy(target.account) {
            self.meant.targets.push(target);
        }
    }

    /// Its mailbox gets these, and nothing else; the first is looked at for its room.
    fn put(&mut self, target: &Target, mut copies: Vec<Copy>) {
        let is_plain =
            |copy: &Copy| copy.flags == Flags::NONE && copy.keywords.is_empty() && copy.changed.is_none();
        let plain = copies.iter().position(is_plain).map(|nth| copies.remove(nth));
        let targets = &mut self.meant.targets;
        let place = targets.iter().position(|known| known.account == target.account);
        match (place, &plain) {
            (Some(place), Some(copy)) => {
                if let Some(known) = targets.get_mut(place) {
                    known.folder = copy.target.folder;
                }
            }
            (Some(place), None) => drop(targets.remove(place)),
            (None, Some(copy)) => targets.push(copy.target.clone()),
            (None, None) => {}
        }
        let further = usize::from(plain.is_none());
        for copy in copies.iter_mut().skip(further) {
            copy.target.room = None;
        }
        self.meant.sifted.copies.append(&mut copies);
    }
}

impl Engine {
    /// Follows the scripts of all who are meant, and of those to whom they pass it on. Nothing is asked where nothing is followed.
    ///
    /// # Errors
    /// `Rejected` when everybody rejects it; when something cannot be looked up.
    pub(crate) async fn sift(
        &self,
        (arrival, of): (&Arrival, Of<'_>),
        (message, recipients): (&Prepared, &[&Recipient]),
        (meant, without): (&mut Meant, &HashSet<AccountId>),
    ) -> Result<(), Refused> {
        let (followed, today) = (self.0.sieves.followed(), local_date(self.now()));
        let concerns = |account| followed.concerns(account, today);
        let is_sifted = |target: &&Target| concerns(target.account) && !meant.is_junk(target.account);
        let mut level: Vec<Target> = meant.targets.iter().filter(is_sifted).cloned().collect();
        if level.is_empty() {
            return Ok(());
        }
        let seen = meant.targets.iter().map(|target| target.account).collect();
        let mut work = Work {
            of,
            message,
            recipients,
            only_folders: meant.targets.len() > RECIPIENTS_PER_TX,
            meant,
            seen,
            without,
            headers: HashMap::new(),
            changed_bytes: 0,
            spent: 0,
            rejected: Vec::new(),
            passed: Vec::new(),
        };
        for _ in 0..=HOPS_MAX {
            let mut next = Vec::new();
            for some in level.chunks(FOLLOWED_AT_ONCE) {
                next.extend(self.sift_some(arrival, some, &mut work).await?);
            }
            next.retain(|target| concerns(target.account));
            level = next;
            if level.is_empty() {
                break;
            }
        }
        keep_what_went_round(&mut work);
        self.reject(arrival, &mut work)
    }

    /// Says which mailboxes came to it.
    async fn sift_some(
        &self,
        arrival: &Arrival,
        targets: &[Target],
        work: &mut Work<'_>,
    ) -> Result<Vec<Target>, Refused> {
        let mut followings = self.followings(arrival, targets).await?;
        let mail = Mail { raw: work.message.header_from(0), structure: &work.message.facts.structure };
        self.follow(mail, &mut followings, &mut work.spent).await?;
        let folders = self.folders_wanted(&followings).await?;
        let mut next = Vec::new();
        for following in &followings {
            for failure in &following.outcome.failures {
                work.fail(following, Some(failure.script), failure.vietnamese());
            }
            if work.only_folders {
                self.file_only(following, &folders, work).await?;
            } else {
                next.extend(self.do_as_wanted(following, &folders, work).await?);
                self.write_for(arrival, following, work).await?;
            }
        }
        Ok(next)
    }

    /// Of very many mailboxes each gets one copy, in the first folder that its rules name.
    async fn file_only(
        &self,
        following: &Following,
        folders: &Folders,
        work: &mut Work<'_>,
    ) -> Result<(), Refused> {
        let is_kept = following.outcome.actions.iter().any(|action| matches!(action, Action::Keep { .. }));
        let (copies, _) = self.copies((following, false), folders, work).await?;
        if let Some(mut copy) = copies.into_iter().next().filter(|_| !is_kept) {
            (copy.flags, copy.keywords, copy.changed) = (Flags::NONE, Vec::new(), None);
            work.put(&following.target, vec![copy]);
        }
        Ok(())
    }

    async fn do_as_wanted(
        &self,
        following: &Following,
        folders: &Folders,
        work: &mut Work<'_>,
    ) -> Result<Vec<Target>, Refused> {
        let target = &following.target;
        let (copies, cannot) = self.copies((following, true), folders, work).await?;
        for (nth, why) in cannot {
            work.fail(following, following.wanted_by(nth), why);
        }
        let said = self.said(&copies, following);
        let (mut is_kept, mut next, mut ends) = (!copies.is_empty(), Vec::new(), Vec::new());
        let (mut goes_outside, mut reason, mut passes) = (false, None, false);
        let is_first = !is_kept;
        work.put(target, copies);
        for (nth, action) in following.outcome.actions.iter().enumerate() {
            match action {
                Action::Redirect { to, .. } => match self.pass_on(following, to, work).await? {
                    Ok(onward) => {
                        passes = true;
                        goes_outside |= onward.is_outside;
                        ends.extend(onward.ends);
                        work.meant.targets.extend(onward.targets.iter().cloned());
                        next.extend(onward.targets);
                    }
                    Err(why) => {
                        work.fail(following, following.wanted_by(nth), why);
                        work.keep(target.clone());
                        is_kept = true;
                    }
                },
                Action::Reject { reason: said, .. } => reason = Some(said.clone()),
                _ => {}
            }
        }
        if goes_outside && work.of.leaves_copy {
            work.keep(target.clone());
            is_kept = true;
        }
        if let Some(reason) = reason {
            let is_all = !is_kept && !passes;
            work.rejected.push(Rejected { target: target.clone(), reason, is_all });
        } else if passes && !is_kept && !goes_outside {
            work.passed.push((target.clone(), ends));
        } else if is_first && !passes && !is_kept {
            work.note(target.account, Ruled::Discarded, "");
            work.meant.sifted.gone.extend(target.recipient.clone());
        }
        self.settle(following, (said, is_kept), work);
        Ok(next)
    }

    /// What is noted of a mailbox, whatever became of the message.
    fn settle(&self, following: &Following, (said, is_kept): (Option<String>, bool), work: &mut Work<'_>) {
        let account = following.target.account;
        if let Some(said) = said {
            work.note(account, Ruled::Filed, &said);
        }
        for step in work.meant.forwarded.iter_mut().filter(|step| step.by == account) {
            step.keep_copy |= is_kept;
        }
        let now = self.now();
        let sighted = following.outcome.sightings.iter().map(|sighting| {
            let seconds = sighting.period.unwrap_or(SEEN_SECONDS).min(SEEN_SECONDS_MAX);
            let seconds = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0));
            Sighted {
                account,
                key: sighting_key(sighting),
                until: now.saturating_add(seconds).unwrap_or(now),
                anew: sighting.last,
            }
        });
        work.meant.sifted.sighted.extend(sighted);
        let by = work.recipients.iter().position(|to| is_alone(to, account));
        if let Some(comes_here) = by.filter(|_| !is_kept).and_then(|nth| work.meant.comes_here.get_mut(nth)) {
            *comes_here = false;
        } else if is_kept {
            // Whoever wants to hear of him hears that it lies here, and no more.
            let passed = work.meant.outside.iter_mut().map(|(_, to)| to);
            let passed = passed.filter(|to| to.passed_on.as_ref().is_some_and(|on| on.by == account));
            passed.for_each(|to| to.notify = to.notify.without(Notify::SUCCESS));
        }
    }

    /// What is to be found of where it was put; `None`: where all mail comes.
    fn said(&self, copies: &[Copy], following: &Following) -> Option<String> {
        let inbox = following.target.folder;
        let is_usual = |copy: &Copy| {
            copy.target.folder == inbox
                && copy.flags == Flags::NONE
                && copy.keywords.is_empty()
                && copy.changed.is_none()
        };
        if copies.iter().all(is_usual) {
            return None;
        }
        let named = following.outcome.actions.iter().filter_map(|action| match action {
            Action::Keep { flags, header } => Some(("INBOX", flags, *header)),
            Action::FileInto(filing) => Some((filing.folder.as_str(), &filing.flags, filing.header)),
            _ => None,
        });
        let line = named.map(|(folder, flags, header)| {
            let changed = if header > 0 { " (header changed)" } else { "" };
            [&[folder.to_owned()], flags.as_slice()].concat().join(" ") + changed
        });
        Some(line.collect::<Vec<_>>().join("; "))
    }
}

/// Where mailboxes pass it on to each other and none keeps it, the first one does.
fn keep_what_went_round(work: &mut Work<'_>) {
    let mut passed = std::mem::take(&mut work.passed);
    loop {
        let waiting: HashSet<AccountId> = passed.iter().map(|(target, _)| target.account).collect();
        let known = passed.len();
        passed.retain(|(_, ends)| ends.is_empty() || ends.iter().any(|end| waiting.contains(end)));
        if passed.len() < known {
            continue;
        }
        if passed.is_empty() {
            return;
        }
        let (target, _) = passed.remove(0);
        work.keep(target);
    }
}

pub(super) fn is_alone(to: &Recipient, account: AccountId) -> bool {
    matches!(to.kind(), Kind::Mailbox { account: whose, .. } if *whose == account)
}
