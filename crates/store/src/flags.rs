//! Changing flags and keywords of many messages at once, under the mailbox's lock.

use crate::entries::{PLANNED_ONCE, uid_column};
use crate::folders::to_u32;
use crate::{Error, Place, Tx};
use model::{Flags, Uid};

/// Uids are taken for many in a row when from the first to the last there are at most so many numbers for each.
const DENSE_SPAN: i64 = 4;

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
    fn leaves_keywords(&self) -> bool {
        self.keep_keywords && self.set_keywords.is_empty() && self.clear_keywords.is_empty()
    }
}

/// Sets system flags of the entries whose uid, as it is written here, is listed.
macro_rules! edit_system_flags {
    ($uid:literal) => {
        concat!(
            "update entries e set flags = (flags & $5) | $6, modseq = $4
              where account_id = $1 and folder_id = $2 and uid between $7 and $8 and ",
            $uid,
            " = any ($3) and flags <> ((flags & $5) | $6)
             returning e.uid"
        )
    };
}

impl Tx {
    /// Sets flags to `(flags & keep) | set` and keywords to those of `keep_keywords` (`None`: all) and `set_keywords`;
    /// entries that would not change are left alone. Returns the changed uids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn edit_flags(&mut self, place: Place<'_>, edit: &FlagColumns) -> Result<Vec<Uid>, Error> {
        let rows = if edit.leaves_keywords() {
            self.edit_system_flags(&place, edit).await?
        } else {
            self.edit_flags_and_keywords(&place, edit).await?
        };
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

    async fn edit_system_flags(&mut self, place: &Place<'_>, edit: &FlagColumns) -> Result<Vec<i64>, Error> {
        let uids = uid_column(place.uids);
        let (Some(&first), Some(&last)) = (uids.iter().min(), uids.iter().max()) else {
            return Ok(Vec::new());
        };
        let is_dense = last - first < DENSE_SPAN * i64::try_from(uids.len()).unwrap_or(i64::MAX / DENSE_SPAN);
        // Of many uids in a row, one walk from the first to the last, each looked up in the list (`+ 0`): searching the index
        // for each costs more than the change.
        let statement = if is_dense { edit_system_flags!("uid + 0") } else { edit_system_flags!("uid") };
        let rows = sqlx::query_scalar(statement)
            .persistent(PLANNED_ONCE)
            .bind(place.account.0)
            .bind(place.folder.0)
            .bind(uids)
            .bind(place.modseq.0.cast_signed())
            .bind(edit.keep.0)
            .bind(edit.set.0)
            .bind(first)
            .bind(last)
            .fetch_all(&mut *self.inner)
            .await?;
        Ok(rows)
    }

    async fn edit_flags_and_keywords(
        &mut self,
        place: &Place<'_>,
        edit: &FlagColumns,
    ) -> Result<Vec<i64>, Error> {
        let rows = sqlx::query_scalar(
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
        Ok(rows)
    }
}
