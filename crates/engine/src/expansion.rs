//! Whom a message is for in the end: mailboxes, whoever is in groups, those that mail is forwarded to, and others elsewhere.
//!
//! Invariants: without groups nothing is asked of the database; each mailbox gets one copy, under the address that came first;
//! a group of more members than policy lets through waits as a whole (C2). Only a mailbox that was itself written to may
//! have no room: a full member would keep a message from his whole group, and its sender could not be told of him alone.

use crate::deliver::Arrival;
use crate::forwarding::Ends;
use crate::groups::MEMBERS_MAX;
use crate::intake::Prepared;
use crate::recipients::{Kind, room_for_one};
use crate::sender::written;
use crate::{Engine, Error, Recipient, Sender};
use model::calendar::local_date;
use model::queue::Notify;
use model::{AccountId, DomainId, FolderId, SpecialUse};
use std::collections::HashSet;
use store::{NewHeld, NewOutgoingRecipient, Room, Target};

/// Characters of a subject that whoever approves is shown.
const SUBJECT_CHARS_MAX: usize = 200;

/// Whom a message is for.
#[derive(Debug, Default)]
pub(crate) struct Meant {
    pub(crate) targets: Vec<Target>,
    /// Members of large groups, without those who get it anyway.
    pub(crate) held: Vec<Held>,
    /// Others, by the domain that the mail goes to.
    pub(crate) outside: Vec<(String, NewOutgoingRecipient)>,
    /// Of each recipient, in their order: does it come into a mailbox here, without anybody's approval?
    pub(crate) comes_here: Vec<bool>,
}

impl Meant {
    /// Those of `recipients`, which it was made of, whose mail comes into a mailbox here.
    pub(crate) fn who_comes_here<'a>(&self, recipients: &[&'a Recipient]) -> Vec<&'a Recipient> {
        let with = recipients.iter().zip(&self.comes_here);
        with.filter(|(_, comes_here)| **comes_here).map(|(recipient, _)| *recipient).collect()
    }

    /// Everybody has left the group since it was asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.held.is_empty() && self.outside.is_empty()
    }

    fn add_outside(&mut self, address: String, recipient: &Recipient) {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain).to_lowercase();
        let (notify, orcpt) = (recipient.notify(), recipient.original().map(str::to_owned));
        self.outside.push((domain, NewOutgoingRecipient { address, orcpt, notify }));
    }
}

/// A large group.
#[derive(Debug)]
pub(crate) struct Held {
    domain: DomainId,
    name: String,
    targets: Vec<Target>,
}

impl Engine {
    /// Of a message of so many octets; nobody of `without` gets it. Junk stays in the mailboxes that it came for, in the folder
    /// for it: nobody forwards what nobody wants.
    pub(crate) async fn meant(
        &self,
        recipients: &[&Recipient],
        (bytes, junk): (u64, bool),
        without: &HashSet<AccountId>,
    ) -> Result<Meant, Error> {
        let mut meant = self.meant_for(recipients, (bytes, junk), without).await?;
        if junk {
            self.into_junk(&mut meant).await?;
        }
        Ok(meant)
    }

    /// Whoever has removed that folder gets it where all mail comes.
    async fn into_junk(&self, meant: &mut Meant) -> Result<(), Error> {
        let held = meant.held.iter_mut().flat_map(|held| held.targets.iter_mut());
        let targets: Vec<&mut Target> = meant.targets.iter_mut().chain(held).collect();
        let accounts: Vec<AccountId> = targets.iter().map(|target| target.account).collect();
        let folders = self.0.store.special_folders(&accounts, SpecialUse::Junk).await?;
        for target in targets {
            target.folder = folders.get(&target.account).copied().unwrap_or(target.folder);
        }
        Ok(())
    }

    async fn ends(&self, place: Place, junk: bool) -> Result<Ends, Error> {
        match junk {
            true => Ok(Ends { mailboxes: vec![place], outside: None }),
            false => self.forwarded(place).await,
        }
    }

    async fn meant_for(
        &self,
        recipients: &[&Recipient],
        (bytes, junk): (u64, bool),
        without: &HashSet<AccountId>,
    ) -> Result<Meant, Error> {
        let mut seen = without.clone();
        let mut meant = Meant::default();
        let mut large = Vec::new();
        for recipient in recipients {
            let address = recipient.address().to_string();
            let (mut places, mut room) = (Vec::new(), None);
            match recipient.kind() {
                Kind::Outside(path) => meant.add_outside(path.clone(), recipient),
                Kind::Mailbox { account, inbox, hard_limit } => {
                    room = hard_limit.map(|limit| (*account, room_for_one(limit, bytes)));
                    places.push((*account, *inbox));
                }
                Kind::Several(several) => places.clone_from(several),
                Kind::Group(group) => {
                    let today = local_date(self.now());
                    let found = self.0.store.group_members(group.group, today, (None, MEMBERS_MAX)).await?;
                    let receiving = found.into_iter().filter(|member| member.state.receives());
                    let members: Vec<_> = receiving.map(|member| (member.account, member.inbox)).collect();
                    let over = self.policy_of(group.domain).await?.sending.group_approval_over;
                    if members.len() > over as usize {
                        large.push((group.domain, group.name.clone(), address.clone(), members));
                    } else {
                        places = members;
                    }
                }
            }
            let (before, mut comes_here) = (meant.outside.len(), false);
            for place in places {
                let ends = self.ends(place, junk).await?;
                comes_here |= !ends.mailboxes.is_empty();
                add_targets(&mut meant.targets, &mut seen, (&ends.mailboxes, room), &address);
                if let Some(outside) = ends.outside {
                    meant.add_outside(written(&outside), recipient);
                }
            }
            meant.comes_here.push(comes_here);
            if comes_here {
                // Whoever wants to hear of him hears that it lies here, and no more.
                let forwarded = meant.outside.iter_mut().skip(before);
                forwarded.for_each(|(_, to)| to.notify = to.notify.without(Notify::SUCCESS));
            }
        }
        // Behind all the others: who gets it anyway does not wait for it.
        for (domain, name, address, places) in large {
            let mut targets = Vec::with_capacity(places.len());
            for place in places {
                let ends = self.ends(place, junk).await?;
                // Once somebody has approved, nobody asks again where it goes; so it stays, rather than go out unapproved.
                let here = if ends.outside.is_some() { vec![place] } else { ends.mailboxes };
                add_targets(&mut targets, &mut seen, (&here, None), &address);
            }
            meant.held.push(Held { domain, name: format!("{name} <{address}>"), targets });
        }
        Ok(meant)
    }

    /// What waits for approval, as the store takes it.
    pub(crate) fn held<'a>(arrival: &'a Arrival, meant: &'a Meant, subject: &'a str) -> Vec<NewHeld<'a>> {
        let held = |held: &'a Held| NewHeld {
            domain: held.domain,
            group: &held.name,
            sender: arrival.sender.as_ref().map(Sender::as_str).unwrap_or_default(),
            sender_account: arrival.principal.as_ref().map(|who| who.own().account()),
            subject,
            targets: &held.targets,
        };
        meant.held.iter().map(held).collect()
    }
}

/// As whoever approves is shown it.
pub(crate) fn subject(message: &Prepared) -> String {
    let subject = message.facts.envelope.subject.as_deref().map(proto::mime::decode_header);
    subject.unwrap_or_default().chars().take(SUBJECT_CHARS_MAX).collect()
}

/// A mailbox and its INBOX.
type Place = (AccountId, FolderId);

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
