//! How far the INBOX of a mailbox was read that the system itself reads: for cases, for reports of other systems.

use crate::{Error, Store};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, FolderId, Uid};

/// Of mailbox $1 with INBOX $2, in this table of `mailbox_id`, `uid_validity` and `uid`, which passes over what came before $3.
macro_rules! cursor_in {
    ($table:literal) => {
        concat!(
            "with inbox as (
                 select f.uid_validity,
                        (select coalesce(max(e.uid), 0) from entries e
                          where e.account_id = $1 and e.folder_id = $2 and e.internal_date < $3) as passed
                   from folders f
                  where f.folder_id = $2 and not exists (
                        select from ",
            $table,
            " c where c.mailbox_id = $1 and c.uid_validity = f.uid_validity)
             ), begun as (
                 insert into ",
            $table,
            " as c (mailbox_id, uid_validity, uid)
                 select $1, uid_validity, passed from inbox
                 on conflict on constraint ",
            $table,
            "_pkey
                    do update set uid_validity = excluded.uid_validity, uid = excluded.uid
                 returning c.uid
             )
             select uid from begun
             union all select uid from ",
            $table,
            " where mailbox_id = $1 and not exists (select from begun)"
        )
    };
}
pub(crate) use cursor_in;

impl Store {
    /// By a statement of [`cursor_in!`].
    pub(crate) async fn inbox_cursor(
        &self,
        statement: &'static str,
        (mailbox, inbox): (AccountId, FolderId),
        since: Timestamp,
    ) -> Result<Uid, Error> {
        let uid: i64 = sqlx::query_scalar(statement)
            .bind(mailbox.0)
            .bind(inbox.0)
            .bind(since.to_sqlx())
            .fetch_one(&self.pools.main)
            .await?;
        Ok(Uid(u32::try_from(uid).unwrap_or(u32::MAX)))
    }
}
