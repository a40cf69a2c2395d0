//! Copies between mailboxes: the same contents, as new emails of another account.

use crate::entries::{PLANNED_ONCE, transferred, uid_column};
use crate::{Error, Place, Transferred, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, FolderId, ModSeq};

/// Where entries of another mailbox are copied to; its lock is held.
#[derive(Clone, Debug)]
pub struct Destination {
    pub account: AccountId,
    pub folder: FolderId,
    pub modseq: ModSeq,
    /// Numbers of keywords there, by those of the source; the others are left out.
    pub keywords: Vec<(i16, i16)>,
}

impl Tx {
    /// Numbers and names of the keywords that these entries have.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keywords_of(&mut self, from: Place<'_>) -> Result<Vec<(i16, String)>, Error> {
        Ok(sqlx::query_as(
            "select k.keyword_id, k.name
               from keywords k
              where k.account_id = $1 and k.keyword_id in (
                    select unnest(e.keywords) from entries e
                     where e.account_id = $1 and e.folder_id = $2 and e.uid = any ($3) and e.keywords <> '{}')
              order by k.keyword_id",
        )
        .persistent(PLANNED_ONCE)
        .bind(from.account.0)
        .bind(from.folder.0)
        .bind(uid_column(from.uids))
        .fetch_all(&mut *self.inner)
        .await?)
    }

    /// Copies entries into a folder of another account, in uid order; its usage goes up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn copy_entries_across(
        &mut self,
        from: Place<'_>,
        to: &Destination,
        now: Timestamp,
    ) -> Result<Vec<Transferred>, Error> {
        let (old, new): (Vec<i16>, Vec<i16>) = to.keywords.iter().copied().unzip();
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
            "with source as (
                 select *, row_number() over (order by uid) - 1 as nth
                   from entries where account_id = $1 and folder_id = $2 and uid = any ($3)
             ), room as (
                 update folders set uid_next = uid_next + (select count(*) from source), modseq = $6
                  where account_id = $4 and folder_id = $5 and exists (select from source)
                 returning uid_next - (select count(*) from source) as first
             ), counted as (
                 update counters
                    set used_bytes = used_bytes + (select coalesce(sum(size), 0) from source),
                        messages = messages + (select count(*) from source)
                  where account_id = $4
             ), added as (
                 insert into entries (account_id, folder_id, uid, content_id, thread_id, flags, keywords, modseq, size,
                                      internal_date, save_date, recipient)
                 select $4, $5, room.first + nth, content_id, thread_id, flags,
                        coalesce((select array_agg(k.new order by k.new)
                                    from unnest($8::smallint[], $9::smallint[]) as k (old, new)
                                   where k.old = any (source.keywords)), '{}'),
                        $6, size, internal_date, $7, recipient
                   from source, room
             )
             select source.uid, room.first + nth, content_id from source, room order by 1",
        )
        .persistent(PLANNED_ONCE)
        .bind(from.account.0)
        .bind(from.folder.0)
        .bind(uid_column(from.uids))
        .bind(to.account.0)
        .bind(to.folder.0)
        .bind(to.modseq.0.cast_signed())
        .bind(now.to_sqlx())
        .bind(old)
        .bind(new)
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(transferred(rows))
    }
}
