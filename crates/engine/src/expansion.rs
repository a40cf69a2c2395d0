//! Whom a message is for in the end: mailboxes, whoever is in groups, and those that mail is forwarded to.
//!
//! Invariants: without groups nothing is asked of the database; each mailbox gets one copy, under the address that came first;
//! a group of more members than policy lets through waits as a whole (C2). Only a mailbox that was itself written to may
//! have no room: a full member would keep a message from his whole group, and its sender could not be told of him alone.

use crate::deliver::{ATTEMPTS, Arrival, DeliverError, Refused};
use crate::groups::MEMBERS_MAX;
use crate::intake::Prepared;
use crate::recipients::{Kind, room_for_one};
use crate::{Engine, Error, Recipient, Sender};
use model::calendar::local_date;
use model::{AccountId, DomainId, FolderId};
use std::collections::HashSet;
use store::{NewHeld, Room, Target};

/// Characters of a subject that whoever approves is shown.
const SUBJECT_CHARS_MAX: usize = 200;

/// Whom a message is for.
#[derive(Debug, Default)]
pub(crate) struct Meant {
    pub(crate) targets: Vec<Target>,
    /// Members of large groups, without those who get it anyway.
    pub(crate) held: Vec<Held>,
}

/// A large group.
#[derive(Debug)]
pub(crate) struct Held {
    domain: DomainId,
    name: String,
    targets: Vec<Target>,
}

impl Engine {
    /// Of a message of so many octets; nobody of `without` gets it.
    pub(crate) async fn meant(
        &self,
        recipients: &[&Recipient],
        bytes: u64,
        without: &HashSet<AccountId>,
    ) -> Result<Meant, Error> {
        let mut seen = without.clone();
        let mut meant = Meant::default();
        let mut large = Vec::new();
        for recipient in recipients {
            let address = recipient.address().to_string();
            let mut places = Vec::new();
            match recipient.kind() {
                Kind::Mailbox { account, inbox, hard_limit } => {
                    let room = hard_limit.map(|limit| room_for_one(limit, bytes));
                    let place = ((*account, *inbox), room);
                    self.add_target(&mut meant.targets, &mut seen, place, &address).await?;
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
            for place in places {
                self.add_target(&mut meant.targets, &mut seen, (place, None), &address).await?;
            }
        }
        // Behind all the others: who gets it anyway does not wait for it.
        for (domain, name, address, places) in large {
            let mut targets = Vec::with_capacity(places.len());
            for place in places {
                self.add_target(&mut targets, &mut seen, (place, None), &address).await?;
            }
            meant.held.push(Held { domain, name: format!("{name} <{address}>"), targets });
        }
        Ok(meant)
    }

    async fn add_target(
        &self,
        targets: &mut Vec<Target>,
        seen: &mut HashSet<AccountId>,
        (place, room): ((AccountId, FolderId), Option<Room>),
        address: &str,
    ) -> Result<(), Error> {
        for (account, folder) in self.forwarded(place).await? {
            if seen.insert(account) {
                let room = room.filter(|_| account == place.0);
                targets.push(Target { account, folder, recipient: Some(address.to_owned()), room });
            }
        }
        Ok(())
    }

    /// As [`Engine::accept`], of a message of which a part waits for approval, in one transaction.
    pub(crate) async fn accept_held(
        &self,
        arrival: &Arrival,
        meant: &Meant,
        (message, about): (&Prepared, &str),
    ) -> Result<Vec<AccountId>, Refused> {
        let subject = message.facts.envelope.subject.as_deref().map(proto::mime::decode_header);
        let subject: String = subject.unwrap_or_default().chars().take(SUBJECT_CHARS_MAX).collect();
        let sender = arrival.sender.as_ref().map(Sender::as_str).unwrap_or_default();
        let held: Vec<NewHeld<'_>> = meant
            .held
            .iter()
            .map(|held| NewHeld {
                domain: held.domain,
                group: &held.name,
                sender,
                sender_account: arrival.principal.as_ref().map(|who| who.own().account()),
                subject: &subject,
                targets: &held.targets,
            })
            .collect();
        for _ in 0..ATTEMPTS {
            match self.hold_once(arrival, (&meant.targets, &held), (message, about)).await {
                Ok(()) => return Ok(Vec::new()),
                Err(store::Error::MailboxFull(full)) => return Ok(full),
                Err(store::Error::ChunkGone | store::Error::Conflict) => {}
                Err(error) => return Err(Refused::by_store(error)),
            }
        }
        Err(DeliverError::Unavailable.into())
    }

    async fn hold_once(
        &self,
        arrival: &Arrival,
        parts: (&[Target], &[NewHeld<'_>]),
        (message, about): (&Prepared, &str),
    ) -> Result<(), store::Error> {
        let (trace, remote) = (arrival.origin.trace_text(), arrival.origin.remote.to_canonical().to_string());
        let event = self.received(arrival, (&trace, &remote), (message, about));
        let content = self.write_content(message).await?;
        let mut tx = self.0.store.begin().await?;
        let id = tx.accept_held(&content, parts, &event).await?;
        tx.commit_known(&id).await?;
        self.tell(parts.0.iter().filter(|target| target.room.is_some()));
        self.0.pending.notify_one();
        Ok(())
    }
}
