//! Whom a message passes over: of several, whose mailbox is full (A16).

use super::{Meant, Of};
use crate::recipients::{MESSAGES_MAX, hard_limit_bytes, room_for_one};
use crate::{Engine, Error};
use model::AccountId;
use std::collections::HashMap;
use store::RECIPIENTS_PER_TX;

/// Somebody in a group who does not get a message for it.
#[derive(Clone, Debug)]
pub(crate) struct Missed {
    /// The address that was written to.
    pub(crate) by: String,
    pub(crate) address: String,
    pub(crate) why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// At the hard limit (A16).
    Full,
    /// The group takes no mail of this sender's (C2).
    Restricted,
    /// By his rules, for this reason (RFC 5429), in ASCII.
    Rejected(String),
}

impl Engine {
    /// Of those who would get it as one of several, those at the hard limit do not. The others have room for this one message, which
    /// is looked at under their locks, as of who was written to himself; not so where they are too many for that.
    pub(super) async fn leave_out_full(
        &self,
        meant: &mut Meant,
        (members, of): (&HashMap<AccountId, bool>, Of<'_>),
    ) -> Result<(), Error> {
        if members.is_empty() || !of.can_be_told {
            return Ok(());
        }
        let accounts: Vec<AccountId> = members.keys().copied().collect();
        let at_once = meant.targets.len() <= RECIPIENTS_PER_TX;
        let (mut full, mut rooms) = (HashMap::new(), HashMap::new());
        for row in self.0.store.nearly_full(&accounts, (MESSAGES_MAX, at_once)).await? {
            let percent = self.policy_of(row.domain).await?.quota.hard_limit.into();
            let limit = hard_limit_bytes(row.quota_bytes, percent);
            if row.used_bytes >= limit || row.messages >= MESSAGES_MAX {
                full.insert(row.account, row.address);
            } else if at_once {
                rooms.insert(row.account, room_for_one(limit, of.bytes));
            }
        }
        let Meant { targets, held, missed, .. } = meant;
        for targets in std::iter::once(&mut *targets).chain(held.iter_mut().map(|held| &mut held.targets)) {
            targets.retain(|target| {
                let address = full.get(&target.account).filter(|_| target.room.is_none());
                let by = target.recipient.clone().unwrap_or_default();
                // Whoever wrote to the group does not learn where the mail of one of it goes on to.
                let is_member = members.get(&target.account).is_some_and(|is_member| *is_member);
                let named = |address: &String| if is_member { address.clone() } else { by.clone() };
                missed.extend(address.map(|address| Missed {
                    address: named(address),
                    by: by.clone(),
                    why: Why::Full,
                }));
                address.is_none()
            });
        }
        held.retain(|held| !held.targets.is_empty());
        for target in targets.iter_mut().filter(|target| target.room.is_none()) {
            target.room = rooms.get(&target.account).copied();
        }
        Ok(())
    }
}
