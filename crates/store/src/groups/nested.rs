//! What is asked of a group when mail for it has come: which groups are in it, and which of its members have no room.

use super::DAMAGED;
use crate::{Error, Store};
use model::{AccountId, Address, DomainId, GroupSenders};

/// A group in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NestedGroup {
    /// The group that it is in.
    pub outer: i64,
    pub group: i64,
    pub address: Address,
    pub senders: GroupSenders,
}

/// A mailbox that is at its quota or beyond, or has very many messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullRow {
    pub account: AccountId,
    pub domain: DomainId,
    pub address: String,
    pub used_bytes: u64,
    pub quota_bytes: u64,
    pub messages: u64,
}

impl Store {
    /// Every group in this one, through others too, once for each that it is directly in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn nested_groups(&self, group: i64) -> Result<Vec<NestedGroup>, Error> {
        let rows: Vec<(i64, i64, String, String)> = sqlx::query_as(
            "with recursive nested (outer_id, group_id) as (
                 select group_id, member_group_id from group_members where group_id = $1 and member_group_id is not null
                  union
                 select m.group_id, m.member_group_id from group_members m join nested n on n.group_id = m.group_id
                  where m.member_group_id is not null
             )
             select n.outer_id, g.group_id, g.address, g.senders from nested n join groups g using (group_id)
              order by n.outer_id, g.group_id",
        )
        .bind(group)
        .fetch_all(&self.pools.main)
        .await?;
        let nested = |(outer, group, address, senders): (i64, i64, String, String)| {
            Ok(NestedGroup {
                outer,
                group,
                address: address.parse().map_err(|_| DAMAGED)?,
                senders: senders.parse().map_err(|_| DAMAGED)?,
            })
        };
        rows.into_iter().map(nested).collect()
    }

    /// Those of these mailboxes whose messages have reached the quota, or so many; or `all` of them (by primary keys).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn nearly_full(
        &self,
        accounts: &[AccountId],
        (messages, all): (u64, bool),
    ) -> Result<Vec<FullRow>, Error> {
        let rows: Vec<(i64, i64, String, i64, i64, i64)> = sqlx::query_as(
            "select a.account_id, a.domain_id, p.address, c.used_bytes, a.quota_bytes, c.messages
               from counters c
               join accounts a using (account_id)
               join addresses p on p.account_id = a.account_id and p.kind = 'primary'
              where c.account_id = any ($1) and ($3 or c.used_bytes >= a.quota_bytes or c.messages >= $2)
              order by a.account_id",
        )
        .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
        .bind(i64::try_from(messages).unwrap_or(i64::MAX))
        .bind(all)
        .fetch_all(&self.pools.main)
        .await?;
        let full =
            |(account, domain, address, used, quota, messages): (i64, i64, String, i64, i64, i64)| FullRow {
                account: AccountId(account),
                domain: DomainId(domain),
                address,
                used_bytes: used.unsigned_abs(),
                quota_bytes: quota.unsigned_abs(),
                messages: messages.unsigned_abs(),
            };
        Ok(rows.into_iter().map(full).collect())
    }
}
