//! All folders of a mailbox at one look, and how much lies in them without reading it.

use crate::folders::{folder_row, to_u32};
use crate::{Error, FolderRow, Standing, Store};
use model::{AccountId, Flags, FolderId, FolderName};

/// A name that is a folder, or subscribed to, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRow {
    pub name: FolderName,
    pub subscribed: bool,
    pub folder: Option<FolderRow>,
}

/// A folder and what lies in it, as of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRow {
    pub folder: FolderRow,
    pub messages: u32,
    pub unseen: u32,
    /// From `recent_uid` on.
    pub recent: u32,
    pub bytes: u64,
    pub deleted: u32,
    pub deleted_bytes: u64,
}

type Listed = (
    i64,
    Option<String>,
    bool,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

impl Store {
    /// Folders of several mailboxes, by mailbox and name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn folders_of(&self, accounts: &[AccountId]) -> Result<Vec<(AccountId, FolderRow)>, Error> {
        type Row = (i64, i64, String, Option<String>, i64, i64, i64, i64, i64);
        let ids: Vec<i64> = accounts.iter().map(|account| account.0).collect();
        let rows: Vec<Row> = sqlx::query_as(
            "select account_id, folder_id, name, special_use, uid_validity, uid_next, recent_uid, modseq, flags_modseq
               from folders where account_id = any ($1) order by account_id, name",
        )
        .bind(ids)
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter()
            .map(|(account, id, name, special, validity, next, recent, modseq, flags)| {
                let row = folder_row((id, name, special, validity, next, recent, modseq, flags))?;
                Ok((AccountId(account), row))
            })
            .collect()
    }

    /// Every folder and every subscription, in name order, with the standing of the account; `None` when it may not log
    /// in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn listing(&self, account: AccountId) -> Result<Option<(Standing, Vec<ListedRow>)>, Error> {
        let rows: Vec<Listed> = sqlx::query_as(
            "select a.security_epoch, l.name, l.subscribed, l.folder_id, l.special_use, l.uid_validity, l.uid_next,
                    l.recent_uid, l.modseq, l.flags_modseq
               from accounts a
              cross join lateral (
                    select coalesce(f.name, s.name) as name, s.name is not null as subscribed, f.folder_id,
                           f.special_use, f.uid_validity, f.uid_next, f.recent_uid, f.modseq, f.flags_modseq
                      from (select * from folders where account_id = a.account_id) f
                      full join (select name from subscriptions where account_id = a.account_id) s
                        on s.name = f.name
                    ) l
              where a.account_id = $1 and a.state in ('new', 'active')
              order by l.name collate \"C\"",
        )
        .bind(account.0)
        .fetch_all(&self.pools.main)
        .await?;
        // Every mailbox has its INBOX: no row is no mailbox.
        let Some(security_epoch) = rows.first().map(|row| row.0) else { return Ok(None) };
        let listed = rows.into_iter().map(listed_row).collect::<Result<Vec<_>, Error>>()?;
        Ok(Some((Standing { security_epoch }, listed.into_iter().flatten().collect())))
    }

    /// What lies in those of `folders` that are the account's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn statuses(&self, account: AccountId, folders: &[FolderId]) -> Result<Vec<StatusRow>, Error> {
        let ids: Vec<i64> = folders.iter().map(|folder| folder.0).collect();
        let rows: Vec<Counted> = sqlx::query_as(
            "select f.folder_id, f.name, f.special_use, f.uid_validity, f.uid_next, f.recent_uid, f.modseq,
                    f.flags_modseq,
                    count(e.uid),
                    count(e.uid) filter (where e.flags & $3 = 0),
                    count(e.uid) filter (where e.uid >= f.recent_uid),
                    coalesce(sum(e.size), 0)::bigint,
                    count(e.uid) filter (where e.flags & $4 <> 0),
                    coalesce(sum(e.size) filter (where e.flags & $4 <> 0), 0)::bigint
               from folders f
               left join entries e
                 on e.account_id = $1 and e.account_id = f.account_id and e.folder_id = f.folder_id
              where f.account_id = $1 and f.folder_id = any ($2)
              group by f.folder_id",
        )
        .bind(account.0)
        .bind(ids)
        .bind(Flags::SEEN.0)
        .bind(Flags::DELETED.0)
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter().map(status_row).collect()
    }
}

type Counted = (i64, String, Option<String>, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64);

fn status_row(row: Counted) -> Result<StatusRow, Error> {
    let (id, name, special, validity, next, recent_uid, modseq, flags_modseq, ..) = row;
    let (.., messages, unseen, recent, bytes, deleted, deleted_bytes) = row;
    Ok(StatusRow {
        folder: folder_row((id, name, special, validity, next, recent_uid, modseq, flags_modseq))?,
        messages: to_u32(messages),
        unseen: to_u32(unseen),
        recent: to_u32(recent),
        bytes: bytes.unsigned_abs(),
        deleted: to_u32(deleted),
        deleted_bytes: deleted_bytes.unsigned_abs(),
    })
}

/// A subscription to what could never be a folder is no name.
fn listed_row(row: Listed) -> Result<Option<ListedRow>, Error> {
    let (_, name, subscribed, id, special, validity, next, recent, modseq, flags_modseq) = row;
    let Some(Ok(parsed)) = name.as_deref().map(FolderName::new) else { return Ok(None) };
    let numbers = (|| Some((id?, validity?, next?, recent?, modseq?, flags_modseq?)))();
    let folder = match (name, numbers) {
        (Some(name), Some((id, validity, next, recent, modseq, flags))) => {
            Some(folder_row((id, name, special, validity, next, recent, modseq, flags))?)
        }
        _ => None,
    };
    Ok(Some(ListedRow { name: parsed, subscribed, folder }))
}
