//! Whom a message is for in the end: mailboxes, whoever is in groups, those that mail is forwarded to, and others elsewhere.
//!
//! Invariants: without groups nothing is asked of the database; each mailbox gets one copy, under the address that came first;
//! a group of more members than policy lets through waits as a whole (C2). Who has no room gets no mail by a group either: he
//! keeps it from nobody else, and its sender is told of him (A16).

mod full;
mod waiting;

pub(crate) use full::{Missed, Why};
pub(crate) use waiting::subject;

use crate::forwarding::Ends;
use crate::groups::MEMBERS_MAX;
use crate::listed_senders::Writer;
use crate::queue::{original_of, written_to};
use crate::recipients::{Kind, room_for_one};
use crate::sender::written;
use crate::sieve::Sifted;
use crate::{Engine, Error, Recipient};
use model::calendar::local_date;
use model::queue::Notify;
use model::{AccountId, Address, DomainId, FolderId, Sorting, SpecialUse, UnitId};
use std::collections::{HashMap, HashSet};
use store::{Forwarded, ForwardedTo, GroupRow, NewOutgoingRecipient, PassedOn, Room, Target};

/// What of a message decides whom it is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of<'a> {
    pub(crate) bytes: u64,
    pub(crate) sorting: Sorting,
    /// Whom it is from; what its readers say of him goes before `sorting`.
    pub(crate) writer: Option<&'a Writer>,
    /// Who logged in to send it.
    pub(crate) sender: Option<AccountId>,
    /// Its sender hears what becomes of it: of whom nobody could hear, no mail is kept.
    pub(crate) can_be_told: bool,
    /// It has come here so often that it goes round (RFC 5321 6.3).
    pub(crate) goes_round: bool,
    /// Nobody hears that it does not get to where it goes on to: it leaves a copy here.
    pub(crate) leaves_copy: bool,
}

/// Whom a message is for.
#[derive(Debug, Default)]
pub(crate) struct Meant {
    pub(crate) targets: Vec<Target>,
    /// Those of them to whom it is Junk.
    junk: HashSet<AccountId>,
    /// For whom it is kept apart until somebody has looked at it: it counts for nothing in their mailboxes, full or not.
    pub(crate) quarantined: Vec<Target>,
    /// Members of large groups, without those who get it anyway.
    pub(crate) held: Vec<Held>,
    /// Others, by the domain that the mail goes to.
    pub(crate) outside: Vec<(String, NewOutgoingRecipient)>,
    /// Of each recipient, in their order: does it come into a mailbox here, without anybody's approval?
    pub(crate) comes_here: Vec<bool>,
    /// Members and groups in groups that do not get it.
    pub(crate) missed: Vec<Missed>,
    /// How it goes on by itself, each mailbox's forwarding once; nothing of what waits for approval.
    pub(crate) forwarded: Vec<Forwarded>,
    /// What rules want besides.
    pub(crate) sifted: Sifted,
}

impl Meant {
    /// Is it Junk to this mailbox?
    pub(crate) fn is_junk(&self, account: AccountId) -> bool {
        self.junk.contains(&account)
    }

    /// Those of `recipients`, which it was made of, whose mail comes into a mailbox here.
    pub(crate) fn who_comes_here<'a>(&self, recipients: &[&'a Recipient]) -> Vec<&'a Recipient> {
        let with = recipients.iter().zip(&self.comes_here);
        with.filter(|(_, comes_here)| **comes_here).map(|(recipient, _)| *recipient).collect()
    }

    /// By which address each comes that goes elsewhere, as it was written to.
    pub(crate) fn written_elsewhere(&self) -> impl Iterator<Item = String> {
        let written = |to: &NewOutgoingRecipient| {
            to.passed_on.as_ref().map_or(&to.address, |on| &on.written).to_lowercase()
        };
        self.outside.iter().map(move |(_, to)| written(to))
    }

    /// All of it comes into mailboxes here, at once.
    pub(crate) fn is_only_here(&self) -> bool {
        self.quarantined.is_empty()
            && self.held.is_empty()
            && self.outside.is_empty()
            && self.missed.is_empty()
            && self.sifted.is_plain()
    }

    /// Everybody has left the group since it was asked for, or rejects it.
    pub(crate) fn is_empty(&self) -> bool {
        self.targets.is_empty()
            && self.quarantined.is_empty()
            && self.held.is_empty()
            && self.outside.is_empty()
            && self.sifted.is_empty()
    }

    /// Who has it now does not get it a second time once somebody has looked at it.
    pub(crate) fn waits_no_more(&mut self, account: AccountId) {
        self.quarantined.retain(|target| target.account != account);
        for held in &mut self.held {
            held.targets.retain(|target| target.account != account);
        }
        self.held.retain(|held| !held.targets.is_empty());
    }

    fn add_steps(&mut self, steps: Vec<Forwarded>) {
        for step in steps {
            if !self.forwarded.iter().any(|known| known.by == step.by) {
                self.forwarded.push(step);
            }
        }
    }

    /// Of steps whose end did not get it (it is full, or was left out) it says nothing, nor of a copy in a mailbox that has none.
    fn forget_steps_to_nobody(&mut self) {
        if self.forwarded.is_empty() {
            return;
        }
        let here: HashSet<AccountId> = self.targets.iter().map(|target| target.account).collect();
        loop {
            let goes_on: HashSet<AccountId> = self.forwarded.iter().map(|step| step.by).collect();
            let known = self.forwarded.len();
            self.forwarded.retain(|step| match step.to {
                ForwardedTo::Mailbox(to) => here.contains(&to) || goes_on.contains(&to),
                ForwardedTo::Outside(_) | ForwardedTo::Ruled(..) => true,
            });
            if self.forwarded.len() == known {
                break;
            }
        }
        for step in &mut self.forwarded {
            step.keep_copy &= here.contains(&step.by);
        }
    }

    fn add_outside(&mut self, address: String, recipient: &Recipient) {
        self.add_there(address, (recipient.original().map(str::to_owned), None), recipient);
    }

    /// Mail that goes on by itself is known by our address that was written to, here and further on (RFC 3461 4.2). By that its sender
    /// hears of it, and not of where it goes; so what he himself calls the original recipient counts only where it is that address.
    pub(crate) fn add_passed_on(&mut self, (by, address): (AccountId, String), recipient: &Recipient) {
        let ours = recipient.address();
        let is_ours = |original: &&str| {
            written_to(original).is_some_and(|written| written.eq_ignore_ascii_case(&ours.to_string()))
        };
        let original = recipient.original().filter(is_ours);
        let original = original.map_or_else(|| original_of(ours), str::to_owned);
        let written = written_to(&original).unwrap_or_else(|| ours.to_string());
        self.add_there(address, (Some(original), Some(PassedOn { by, written })), recipient);
    }

    fn add_there(
        &mut self,
        address: String,
        (orcpt, passed_on): (Option<String>, Option<PassedOn>),
        recipient: &Recipient,
    ) {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain).to_lowercase();
        let notify = recipient.notify();
        self.outside.push((domain, NewOutgoingRecipient { address, orcpt, notify, passed_on }));
    }
}

/// A large group.
#[derive(Debug)]
pub(crate) struct Held {
    domain: DomainId,
    unit: Option<UnitId>,
    name: String,
    targets: Vec<Target>,
}

impl Engine {
    /// Nobody of `without` gets it. Junk stays in the mailboxes that it came for, in the folder
    /// for it: nobody forwards what nobody wants. What is to be kept apart and waits for approval has somebody who looks at it, and
    /// is Junk for the members.
    pub(crate) async fn meant(
        &self,
        recipients: &[&Recipient],
        of: Of<'_>,
        without: &HashSet<AccountId>,
    ) -> Result<Meant, Error> {
        let mut meant = self.meant_for(recipients, of, without).await?;
        if of.sorting.is_unwanted() || !meant.junk.is_empty() {
            self.send_to_junk(&mut meant, of.sorting.is_unwanted()).await?;
        }
        Ok(meant)
    }

    /// Whoever has removed that folder gets it where all mail comes.
    async fn send_to_junk(&self, meant: &mut Meant, with_held: bool) -> Result<(), Error> {
        let Meant { targets, junk, held, .. } = meant;
        let held = held.iter_mut().filter(|_| with_held).flat_map(|held| held.targets.iter_mut());
        let targets = targets.iter_mut().filter(|target| junk.contains(&target.account));
        let targets: Vec<&mut Target> = targets.chain(held).collect();
        let accounts: Vec<AccountId> = targets.iter().map(|target| target.account).collect();
        let folders = self.0.store.special_folders(&accounts, SpecialUse::Junk).await?;
        for target in targets {
            target.folder = folders.get(&target.account).copied().unwrap_or(target.folder);
        }
        Ok(())
    }

    async fn ends(&self, place: Place, sorting: Sorting, of: Of<'_>) -> Result<Ends, Error> {
        match sorting.is_unwanted() {
            true => Ok(Ends { mailboxes: vec![place], ..Ends::default() }),
            false => self.forwarded(place, of.goes_round, of.leaves_copy).await,
        }
    }

    async fn meant_for(
        &self,
        recipients: &[&Recipient],
        of: Of<'_>,
        without: &HashSet<AccountId>,
    ) -> Result<Meant, Error> {
        let (mut seen, mut meant) = (without.clone(), Meant::default());
        let (mut large, mut apart) = (Vec::new(), Vec::new());
        // Who gets it as one of several, and not for himself; and whether he is one of them, and not only where the mail of one goes on to.
        let mut members = HashMap::new();
        for recipient in recipients {
            let address = recipient.address().to_string();
            let (mut places, mut room) = (Vec::new(), None);
            match recipient.kind() {
                Kind::Outside(path) => meant.add_outside(path.clone(), recipient),
                Kind::Mailbox { account, inbox, hard_limit } => {
                    room = hard_limit.map(|limit| (*account, room_for_one(limit, of.bytes)));
                    places.push((*account, *inbox));
                }
                Kind::Several(several) => places.clone_from(several),
                Kind::Group(group) => {
                    let found = self.members_for(group, (of.sender, &address), &mut meant.missed).await?;
                    if found.len() > self.approval_over(group).await? {
                        let whose = (group.domain, group.unit_id);
                        large.push((whose, group.name.clone(), address.clone(), found));
                    } else {
                        places = found;
                    }
                }
            }
            let (before, mut comes_here) = (meant.outside.len(), false);
            let listed = self.listed_by(recipient, &places, of.writer).await?;
            for place in places {
                let sorting = of.sorting.as_listed(listed.get(&place.0).copied());
                if matches!(sorting, Sorting::Quarantine(_)) {
                    apart.push(Apart { place, room, by: address.clone(), as_member: recipient.is_several() });
                    continue;
                }
                if sorting == Sorting::Junk && !seen.contains(&place.0) {
                    meant.junk.insert(place.0);
                }
                let ends = self.ends(place, sorting, of).await?;
                comes_here |= !ends.mailboxes.is_empty();
                if recipient.is_several() {
                    add_members(&mut members, &seen, (place, &ends.mailboxes));
                }
                add_targets(&mut meant.targets, &mut seen, (&ends.mailboxes, room), &address);
                meant.add_steps(ends.steps);
                if let Some((by, outside)) = ends.outside {
                    meant.add_passed_on((by, written(&outside)), recipient);
                }
            }
            meant.comes_here.push(comes_here);
            if comes_here {
                // Whoever wants to hear of him hears that it lies here, and no more.
                let forwarded = meant.outside.iter_mut().skip(before);
                forwarded.for_each(|(_, to)| to.notify = to.notify.without(Notify::SUCCESS));
            }
        }
        // Behind all the others: who gets it from somebody who wants it has it, whoever was named first.
        self.keep_apart((&apart, of), &mut meant, (&mut members, &mut seen)).await?;
        for group in large {
            self.hold_for_approval(group, (&mut meant, of), (&mut members, &mut seen)).await?;
        }
        self.leave_out_full(&mut meant, (&members, of)).await?;
        meant.forget_steps_to_nobody();
        Ok(meant)
    }

    /// Where as much lies apart as may, the rest is Junk: that one mailbox is full of it is no reason to refuse it to others.
    async fn keep_apart(
        &self,
        (apart, of): (&[Apart], Of<'_>),
        meant: &mut Meant,
        (members, seen): (&mut HashMap<AccountId, bool>, &mut HashSet<AccountId>),
    ) -> Result<(), Error> {
        let accounts: Vec<AccountId> = apart.iter().map(|one| one.place.0).collect();
        let full = self.full_quarantines(&accounts, of.bytes).await?;
        for Apart { place, room, by, as_member } in apart {
            if !full.contains(&place.0) {
                add_targets(&mut meant.quarantined, seen, (&[*place], None), by);
                continue;
            }
            if !seen.contains(&place.0) {
                meant.junk.insert(place.0);
            }
            if *as_member {
                add_members(members, seen, (*place, &[*place]));
            }
            add_targets(&mut meant.targets, seen, (&[*place], *room), by);
        }
        Ok(())
    }

    /// Called behind all the others: who gets it anyway does not wait for it.
    async fn hold_for_approval(
        &self,
        ((domain, unit), name, address, places): Large,
        (meant, of): (&mut Meant, Of<'_>),
        (members, seen): (&mut HashMap<AccountId, bool>, &mut HashSet<AccountId>),
    ) -> Result<(), Error> {
        let mut targets = Vec::with_capacity(places.len());
        for place in places {
            let ends = self.ends(place, of.sorting, of).await?;
            // Once somebody has approved, nobody asks again where it goes; so it stays, rather than go out unapproved.
            let here = if ends.outside.is_some() { vec![place] } else { ends.mailboxes };
            add_members(members, seen, (place, &here));
            add_targets(&mut targets, seen, (&here, None), &address);
        }
        meant.held.push(Held { domain, unit, name: format!("{name} <{address}>"), targets });
        Ok(())
    }

    /// Members that a group may have whose mail waits for nobody's approval.
    async fn approval_over(&self, group: &GroupRow) -> Result<usize, Error> {
        Ok(self.policy_of(group.domain).await?.sending.group_approval_over as usize)
    }

    /// Whoever is in the group, and in those in it that take mail of the sender's.
    async fn members_for(
        &self,
        group: &GroupRow,
        (sender, by): (Option<AccountId>, &str),
        missed: &mut Vec<Missed>,
    ) -> Result<Vec<Place>, Error> {
        let shut = self.shut_groups(group.group, sender).await?;
        let ids: Vec<i64> = shut.iter().map(|(inner, _)| *inner).collect();
        let restricted = |(_, inner): (i64, Address)| Missed {
            by: by.to_owned(),
            address: inner.to_string(),
            why: Why::Restricted,
        };
        missed.extend(shut.into_iter().map(restricted));
        let today = local_date(self.now());
        let found = self.0.store.group_members((group.group, &ids), today, (None, MEMBERS_MAX)).await?;
        let receiving = found.into_iter().filter(|member| member.state.receives());
        Ok(receiving.map(|member| (member.account, member.inbox)).collect())
    }
}

/// A mailbox and its INBOX.
type Place = (AccountId, FolderId);

/// A mailbox for which a message is to be kept apart: its room, by which address it comes, and whether as to one of several.
struct Apart {
    place: Place,
    room: Option<(AccountId, Room)>,
    by: String,
    as_member: bool,
}

/// A group that is too large for its mail to go without approval: whose it is, its name, the address that was written to, and who is in it.
type Large = ((DomainId, Option<UnitId>), String, String, Vec<Place>);

/// Those of the mailboxes where the mail of `place` ends that nobody `seen` is, as [`Engine::leave_out_full`] takes them.
fn add_members(
    members: &mut HashMap<AccountId, bool>,
    seen: &HashSet<AccountId>,
    (place, ends): (Place, &[Place]),
) {
    for (account, _) in ends {
        if !seen.contains(account) || members.contains_key(account) {
            *members.entry(*account).or_default() |= *account == place.0;
        }
    }
}

/// `room`: that of the mailbox that was itself written to.
fn add_targets(
    targets: &mut Vec<Target>,
    seen: &mut HashSet<AccountId>,
    (places, room): (&[Place], Option<(AccountId, Room)>),
    address: &str,
) {
    for (account, folder) in places.iter().copied() {
        if seen.insert(account) {
            let room = room.filter(|(whose, _)| *whose == account).map(|(_, room)| room);
            targets.push(Target { account, folder, recipient: Some(address.to_owned()), room });
        }
    }
}
