//! Who may write to a group (C2).
//!
//! Invariant: each group is asked for itself, also one that is in another.

use crate::{Engine, Principal, RecipientError};
use model::calendar::local_date;
use model::{AccountId, Address, GroupSenders};
use std::collections::BTreeMap;
use store::GroupRow;

impl Engine {
    /// The group of this address, if whoever sends may write to it. `None`: there is none.
    pub(crate) async fn group_recipient(
        &self,
        address: &Address,
        who: Option<&Principal>,
    ) -> Result<Option<GroupRow>, RecipientError> {
        let failed = |error: store::Error| {
            tracing::error!(%error, "a group could not be looked up");
            RecipientError::Unavailable
        };
        let Some(group) = self.0.store.group(address).await.map_err(failed)? else { return Ok(None) };
        let sender = who.map(|who| who.own().account());
        if !self.may_write_to((group.group, group.senders), sender).await.map_err(failed)? {
            return Err(RecipientError::Restricted);
        }
        let shut = self.shut_groups(group.group, sender).await.map_err(failed)?;
        let ids: Vec<i64> = shut.iter().map(|(inner, _)| *inner).collect();
        let today = local_date(self.now());
        let members = self.0.store.group_members((group.group, &ids), today, (None, 1)).await;
        match (members.map_err(failed)?.is_empty(), shut.is_empty()) {
            (false, _) => Ok(Some(group)),
            (true, false) => Err(RecipientError::Restricted),
            (true, true) => Err(RecipientError::Unknown),
        }
    }

    async fn may_write_to(
        &self,
        (group, senders): (i64, GroupSenders),
        sender: Option<AccountId>,
    ) -> Result<bool, store::Error> {
        match (senders, sender) {
            (GroupSenders::Everybody, _) | (GroupSenders::Local, Some(_)) => Ok(true),
            (_, None) => Ok(false),
            (GroupSenders::Members, Some(account)) => {
                self.0.store.is_group_member(group, local_date(self.now()), account).await
            }
            (GroupSenders::Listed, Some(account)) => self.0.store.is_group_sender(group, account).await,
        }
    }

    /// Groups in this one, through others too, to which this sender may not write: by them he reaches nobody. A group that is in
    /// several of them is shut as a whole.
    pub(crate) async fn shut_groups(
        &self,
        group: i64,
        sender: Option<AccountId>,
    ) -> Result<Vec<(i64, Address)>, store::Error> {
        let mut asked = BTreeMap::new();
        for nested in self.0.store.nested_groups(group).await? {
            asked.entry(nested.group).or_insert((nested.senders, nested.address));
        }
        let mut shut = Vec::new();
        for (inner, (senders, address)) in asked {
            if !self.may_write_to((inner, senders), sender).await? {
                shut.push((inner, address));
            }
        }
        Ok(shut)
    }
}
