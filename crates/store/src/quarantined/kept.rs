//! Copies of what was kept apart that stay for a legal hold alone (lưu giữ theo yêu cầu pháp luật).
//!
//! Invariant: for its owner a copy is what it would be without a hold: gone, by the same event, out of all that he is shown and
//! told of, and out of what is counted. When the hold has ended it is dropped, of which nothing is noted: that was.

use super::end_quarantined;
use crate::{Error, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::DomainId;

/// Has rows stay as copies, and notes of them what would be noted were they gone (`$2` when, `$3` which status).
macro_rules! keep_quarantined {
    ($which:literal) => {
        concat!(
            "with kept as (update quarantined set kept_since = $2, is_told = true where kept_since is null and ",
            $which,
            " returning trace, sender, recipient, size, about
             ), noted as (
                 insert into events (at, kind, trace, sender, recipients, size, status, about)
                 select $2, 'quarantine', trace, sender, array[recipient], size, $3, about from kept
             )
             select count(*) from kept"
        )
    };
}

impl Tx {
    /// Its owner deleted it, and it stays. False when it was decided before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_quarantined(&mut self, held: i64, now: Timestamp) -> Result<bool, Error> {
        let kept: i64 = sqlx::query_scalar(keep_quarantined!("held_id = $1"))
            .bind(held)
            .bind(now.to_sqlx())
            .bind("deleted")
            .fetch_one(&mut *self.inner)
            .await?;
        Ok(kept > 0)
    }

    /// Has what was kept apart before the moment `before` for mailboxes of the domains that are under legal hold stay as copies, `limit`
    /// messages at most; says how many. What somebody decides on at this moment is passed over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_expired(
        &mut self,
        domains: &[DomainId],
        (before, limit): (Timestamp, u32),
        now: Timestamp,
    ) -> Result<u64, Error> {
        let kept: i64 = sqlx::query_scalar(keep_quarantined!(
            "held_id = any (array(
                 select q.held_id from quarantined q join accounts a using (account_id)
                  where a.domain_id = any ($1) and q.held_at < $4 and q.kept_since is null
                    and exists (select from holds h where h.account_id = q.account_id and h.kind = 'mailbox'
                                                      and h.released_at is null)
                  order by q.held_at limit $5 for update of q skip locked))"
        ))
        .bind(domains.iter().map(|domain| domain.0).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .bind("expired")
        .bind(before.to_sqlx())
        .bind(i64::from(limit))
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(kept.unsigned_abs())
    }

    /// Drops copies whose hold has ended, `limit` at most; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drop_kept(&mut self, limit: u32, now: Timestamp) -> Result<u64, Error> {
        let gone: i64 = sqlx::query_scalar(end_quarantined!(
            "held_id = any (array(
                 select q.held_id from quarantined q
                  where q.kept_since is not null
                    and not exists (select from holds h where h.account_id = q.account_id and h.kind = 'mailbox'
                                                          and h.released_at is null)
                  order by q.account_id limit $1 for update of q skip locked))"
        ))
        .bind(i64::from(limit))
        .bind(now.to_sqlx())
        .bind("deleted")
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(gone.unsigned_abs())
    }
}
