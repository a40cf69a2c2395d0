//! Where an APPEND goes, and committing an APPEND, COPY or MOVE whose answer may be lost: the entries it made are the evidence.
//!
//! A client that is told NO asks again, so a commit that happened must not be reported as one that did not. There is
//! no event to look for, as for accepted mail, but there is the mailbox's lock: once it is had, the transaction in
//! question has ended, and its entries are there, or went again since and left tombstones, or never will be.

use crate::folders::to_u32;
use crate::{Error, Standing, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, ContentId, FolderId, FolderName, ModSeq, Uid, UidValidity};
use std::time::Duration;

/// How long the entries are looked for: a restart or failover of Postgres is over by then, a client still waits.
const LOOK_FOR: Duration = Duration::from_secs(30);
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// What a transaction put into a folder.
#[derive(Clone, Debug)]
pub struct Evidence {
    pub account: AccountId,
    pub folder: FolderId,
    /// The entries' save date. With uid and content it tells them from others that were given the same numbers after a
    /// crash lost these.
    pub saved: Timestamp,
    pub entries: Vec<(Uid, ContentId)>,
    /// That of the mailbox when they came: whoever removed them did so under a higher one.
    pub modseq: ModSeq,
}

/// Where an appended message is to go, and what is there.
#[derive(Clone, Copy, Debug)]
pub struct AppendPlace {
    pub folder: FolderId,
    pub uid_validity: UidValidity,
    /// Octets used, quota in octets, messages: of the whole mailbox.
    pub usage: (u64, u64, u64),
}

impl Store {
    /// What putting a message into a folder by its name needs to know, in one look; the first `None` when the account may
    /// not log in, the second when it has no such folder.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append_place(
        &self,
        account: AccountId,
        name: &FolderName,
    ) -> Result<Option<(Standing, Option<AppendPlace>)>, Error> {
        type Row = (i64, i64, i64, i64, Option<i64>, Option<i64>);
        let row: Option<Row> = sqlx::query_as(
            "select a.security_epoch, c.used_bytes, a.quota_bytes, c.messages, f.folder_id, f.uid_validity
               from accounts a join counters c using (account_id)
               left join folders f on f.account_id = a.account_id and f.name = $2
              where a.account_id = $1 and a.state in ('new', 'active')",
        )
        .bind(account.0)
        .bind(name.as_str())
        .fetch_optional(&self.pools.main)
        .await?;
        let Some((security_epoch, used, quota, messages, folder, validity)) = row else { return Ok(None) };
        let place = folder.zip(validity).map(|(folder, validity)| AppendPlace {
            folder: FolderId(folder),
            uid_validity: UidValidity(to_u32(validity)),
            usage: (used.unsigned_abs(), quota.unsigned_abs(), messages.unsigned_abs()),
        });
        Ok(Some((Standing { security_epoch }, place)))
    }

    /// As [`Tx::commit`], but after a lost answer the entries are looked for.
    ///
    /// # Errors
    /// That of the commit when it certainly did not happen, `CommitUnknown` when nobody can tell.
    pub async fn commit_entries(&self, tx: Tx, evidence: &Evidence) -> Result<(), Error> {
        let Err(error) = tx.commit().await else { return Ok(()) };
        tracing::warn!(%error, "the answer to a commit was lost; looking for its entries");
        match tokio::time::timeout(LOOK_FOR, self.look_until_known(evidence)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(error.not_done()),
            Err(_) => Err(Error::CommitUnknown),
        }
    }

    async fn look_until_known(&self, evidence: &Evidence) -> bool {
        loop {
            match self.is_there(evidence).await {
                Ok(there) => return there,
                Err(_) => tokio::time::sleep(LOOK_PAUSE).await,
            }
        }
    }

    /// Waits for whoever holds the mailbox, then looks; changes nothing.
    async fn is_there(&self, evidence: &Evidence) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        if tx.lock_mailbox(evidence.account).await?.is_none() {
            return Ok(false);
        }
        let (uids, contents): (Vec<i64>, Vec<i64>) =
            evidence.entries.iter().map(|(uid, content)| (i64::from(uid.0), content.0)).unzip();
        let found: i64 = sqlx::query_scalar(
            "select count(*) from unnest($3::bigint[], $4::bigint[]) as wanted (uid, content_id)
              where exists (select from entries e
                             where e.account_id = $1 and e.folder_id = $2 and e.uid = wanted.uid
                               and e.content_id = wanted.content_id and e.save_date = $5)
                 or exists (select from tombstones t
                             where t.account_id = $1 and t.folder_id = $2 and t.modseq > $6 and t.uid = wanted.uid)",
        )
        .bind(evidence.account.0)
        .bind(evidence.folder.0)
        .bind(uids)
        .bind(contents)
        .bind(evidence.saved.to_sqlx())
        .bind(evidence.modseq.0.cast_signed())
        .fetch_one(&mut *tx.inner)
        .await?;
        Ok(usize::try_from(found) == Ok(evidence.entries.len()))
    }
}
