//! Changing flags and keywords of many messages at once, under the mailbox's lock.

use crate::entries::{PLANNED_ONCE, uid_column};
use crate::folders::to_u32;
use crate::{Error, Place, Store, Tx};
use model::{AccountId, Flags, FolderId, ModSeq, Uid};

/// How flags and keywords of an entry change.
#[derive(Clone, Debug)]
pub struct FlagColumns {
    pub keep: Flags,
    pub set: Flags,
    pub keep_keywords: bool,
    pub set_keywords: Vec<i16>,
    pub clear_keywords: Vec<i16>,
}

impl FlagColumns {
    /// Then [`Store::edit_system_flags`] does the same, sooner.
    #[must_use]
    pub fn leaves_keywords(&self) -> bool {
        self.keep_keywords && self.set_keywords.is_empty() && self.clear_keywords.is_empty()
    }
}

/// What a change of flags did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagsEdited {
    /// What the changed entries carry now.
    pub modseq: ModSeq,
    /// The folder's before, when any changed.
    pub before: Option<ModSeq>,
    /// In no order.
    pub changed: Vec<Uid>,
}

impl Store {
    /// Sets the flags of `uids` (ascending) to `(flags & keep) | set`, keywords left as they are; durable after `Ok`. Done
    /// twice it comes to the same.
    ///
    /// # Errors
    /// `MailboxGone`; `AnswerLost` when nobody knows whether it was done.
    pub async fn edit_system_flags(
        &self,
        (account, folder): (AccountId, FolderId),
        uids: &[Uid],
        (keep, set): (Flags, Flags),
    ) -> Result<FlagsEdited, Error> {
        let row: (Option<i64>, Option<i64>, Option<Vec<i64>>) = sqlx::query_as(
            "select new_modseq, old_modseq, changed from edit_system_flags($1, $2, $3, $4, $5)",
        )
        .bind(account.0)
        .bind(folder.0)
        .bind(uid_column(uids))
        .bind(keep.0)
        .bind(set.0)
        .fetch_one(&self.pools.main)
        .await
        .map_err(Error::of_commit)?;
        let modseq = |number: i64| ModSeq(number.unsigned_abs());
        Ok(FlagsEdited {
            modseq: row.0.map(modseq).ok_or(Error::MailboxGone)?,
            before: row.1.map(modseq),
            changed: row.2.unwrap_or_default().into_iter().map(|uid| Uid(to_u32(uid))).collect(),
        })
    }
}

impl Tx {
    /// Sets flags to `(flags & keep) | set` and keywords to those of `keep_keywords` (`None`: all) and `set_keywords`;
    /// entries that would not change are left alone. Returns the changed uids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn edit_flags(&mut self, place: Place<'_>, edit: &FlagColumns) -> Result<Vec<Uid>, Error> {
        let rows: Vec<i64> = sqlx::query_scalar(
            // One pass without a join: a planner that takes the folder for small would join it with itself row by row.
            "update entries e
                set flags = (flags & $5) | $6, modseq = $4,
                    keywords = (select coalesce(array_agg(distinct k order by k), '{}')
                                  from unnest(case when $7 then keywords else '{}' end || $8::smallint[]) k
                                 where k <> all ($9::smallint[]))
              where account_id = $1 and folder_id = $2 and uid = any ($3)
                and (flags, keywords) is distinct from
                    ((flags & $5) | $6,
                     (select coalesce(array_agg(distinct k order by k), '{}')
                        from unnest(case when $7 then keywords else '{}' end || $8::smallint[]) k
                       where k <> all ($9::smallint[])))
             returning e.uid",
        )
        .persistent(PLANNED_ONCE)
        .bind(place.account.0)
        .bind(place.folder.0)
        .bind(uid_column(place.uids))
        .bind(place.modseq.0.cast_signed())
        .bind(edit.keep.0)
        .bind(edit.set.0)
        .bind(edit.keep_keywords)
        .bind(&edit.set_keywords)
        .bind(&edit.clear_keywords)
        .fetch_all(&mut *self.inner)
        .await?;
        if !rows.is_empty() {
            sqlx::query(
                "update folders set modseq = $3, flags_modseq = $3 where account_id = $1 and folder_id = $2",
            )
            .bind(place.account.0)
            .bind(place.folder.0)
            .bind(place.modseq.0.cast_signed())
            .execute(&mut *self.inner)
            .await?;
        }
        Ok(rows.into_iter().map(|uid| Uid(to_u32(uid))).collect())
    }
}
