//! Handing out accepted mail to those whose mailboxes the accepting transaction left alone, in batches, each exactly once.
//!
//! Invariants: a batch and its line on the list go in one transaction; a mailbox that vanished keeps the message from no other; a
//! folder that vanished keeps it from nobody.

use crate::accept::{NewEntry, Placed, Target, columns};
use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, ContentId, FolderId};
use std::collections::HashMap;

/// Times a batch is tried against vanishing mailboxes before those are looked for one by one.
const BATCH_ATTEMPTS: i32 = 1;

impl Store {
    /// Hands out one batch of accepted mail that waits for its entries, but none of `failed`. `None` when no other waits.
    ///
    /// A mailbox that vanished since is passed over; all others get the message, once, in their INBOX where the folder vanished. A batch that cannot be handed out
    /// is noted in `failed` and waits as before, behind the others.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn expand_pending(
        &self,
        now: Timestamp,
        failed: &mut Vec<i64>,
    ) -> Result<Option<Vec<Placed>>, Error> {
        let mut tx = self.begin().await?;
        let Some(batch) = tx.claim_pending(failed, now).await? else { return Ok(None) };
        let (id, attempts) = (batch.pending_id, batch.attempts);
        let error = match tx.hand_out(batch, now).await {
            Ok(placed) => {
                tx.commit().await?;
                return Ok(Some(placed));
            }
            Err(error) => error,
        };
        drop(tx);
        let is_first = matches!(error, Error::MailboxGone) && attempts < BATCH_ATTEMPTS;
        if !is_first {
            tracing::warn!(%error, batch = id, "a part of a large delivery could not be handed out yet");
            failed.push(id);
        }
        sqlx::query("update pending_deliveries set attempts = attempts + 1 where pending_id = $1")
            .bind(id)
            .execute(&self.pools.main)
            .await?;
        Ok(Some(Vec::new()))
    }
}

struct Pending {
    pending_id: i64,
    content: ContentId,
    targets: Vec<Target>,
    internal_date: Timestamp,
    attempts: i32,
    /// By which it could be called back.
    message: Option<i64>,
}

type PendingRow = (i64, i64, Vec<i64>, Vec<i64>, Vec<Option<String>>, jiff_sqlx::Timestamp, i32, Option<i64>);

impl Tx {
    async fn hand_out(&mut self, batch: Pending, now: Timestamp) -> Result<Vec<Placed>, Error> {
        let targets = if batch.attempts >= BATCH_ATTEMPTS {
            self.still_there(batch.targets).await?
        } else {
            batch.targets
        };
        let entry =
            NewEntry { now, internal_date: batch.internal_date, flags: model::Flags::NONE, keywords: &[] };
        let placed = self.add_entries(batch.content, &targets, entry).await?;
        // For the sweeper: when every mailbox is gone, nobody has the content.
        sqlx::query(
            "with done as (delete from pending_deliveries where pending_id = $1 returning content_id)
             insert into sweep_candidates (content_id, noted_at) select content_id, $2 from done",
        )
        .bind(batch.pending_id)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        if let Some(message) = batch.message {
            sqlx::query("select 1 from queue_messages where message_id = $1 for update")
                .bind(message)
                .execute(&mut *self.inner)
                .await?;
            self.end_these_messages(&[message], now).await?;
        }
        Ok(placed)
    }

    async fn claim_pending(&mut self, failed: &[i64], now: Timestamp) -> Result<Option<Pending>, Error> {
        let at_once: Option<PendingRow> = sqlx::query_as(
            "select pending_id, content_id, account_ids, folder_ids, recipients, internal_date, attempts, message_id
               from pending_deliveries where pending_id <> all ($1) and held_id is null and release_at is null
              order by attempts, pending_id limit 1 for update skip locked",
        )
        .bind(failed)
        .fetch_optional(&mut *self.inner)
        .await?;
        let row: Option<PendingRow> = match at_once {
            Some(row) => Some(row),
            None => {
                sqlx::query_as(
                    "select pending_id, content_id, account_ids, folder_ids, recipients, internal_date, attempts, message_id
                       from pending_deliveries where pending_id <> all ($1) and held_id is null and release_at <= $2
                        and kept_at is null order by release_at limit 1 for update skip locked",
                )
                .bind(failed)
                .bind(now.to_sqlx())
                .fetch_optional(&mut *self.inner)
                .await?
            }
        };
        let pending =
            |(pending_id, content, accounts, folders, recipients, at, attempts, message): PendingRow| {
                let places = accounts.into_iter().zip(folders).zip(recipients);
                let target = |((account, folder), recipient)| Target {
                    account: AccountId(account),
                    folder: FolderId(folder),
                    recipient,
                    room: None,
                };
                Pending {
                    pending_id,
                    content: ContentId(content),
                    targets: places.map(target).collect(),
                    internal_date: at.to_jiff(),
                    attempts,
                    message,
                }
            };
        Ok(row.map(pending))
    }

    /// The targets whose mailbox exists, their counters locked so that they stay: what was for a folder that is gone comes where
    /// all mail comes, which cannot go.
    async fn still_there(&mut self, targets: Vec<Target>) -> Result<Vec<Target>, Error> {
        let (accounts, folders, _) = columns(&targets);
        sqlx::query(
            "select 1 from counters where account_id = any ($1) order by account_id for no key update",
        )
        .bind(&accounts)
        .execute(&mut *self.inner)
        .await?;
        let there: Vec<(i64, i64)> = sqlx::query_as(
            "select w.account_id, coalesce(f.folder_id, i.folder_id)
               from unnest($1::bigint[], $2::bigint[]) as w (account_id, folder_id)
               join folders i on i.account_id = w.account_id and i.name = 'INBOX'
               left join folders f on f.folder_id = w.folder_id and f.account_id = w.account_id",
        )
        .bind(&accounts)
        .bind(&folders)
        .fetch_all(&mut *self.inner)
        .await?;
        let there: HashMap<i64, i64> = there.into_iter().collect();
        let placed = |target: Target| {
            let folder = there.get(&target.account.0)?;
            Some(Target { folder: FolderId(*folder), ..target })
        };
        Ok(targets.into_iter().filter_map(placed).collect())
    }
}
