//! What was done in mailboxes by others than their owners, as events of the kind `shared`.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::AccountId;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

/// One line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedAct {
    pub at: Timestamp,
    pub mailbox: AccountId,
    /// That of the mailbox.
    pub address: String,
    /// The address of whoever acted.
    pub actor: String,
    /// Act, folder, uids.
    pub what: String,
}

fn insert<'q>(acts: &[SharedAct], trace: &'q str) -> Query<'q, sqlx::Postgres, PgArguments> {
    let column = |of: fn(&SharedAct) -> &str| acts.iter().map(|act| of(act).to_owned()).collect::<Vec<_>>();
    let at: Vec<jiff_sqlx::Timestamp> = acts.iter().map(|act| act.at.to_sqlx()).collect();
    let mailboxes: Vec<i64> = acts.iter().map(|act| act.mailbox.0).collect();
    sqlx::query(
        "insert into events (at, kind, trace, account_id, sender, recipients, status)
         select at, 'shared', $1, account_id, actor, array[address], what
           from unnest($2::timestamptz[], $3::bigint[], $4::text[], $5::text[], $6::text[])
             as acts (at, account_id, actor, address, what)",
    )
    .bind(trace)
    .bind(at)
    .bind(mailboxes)
    .bind(column(|act| &act.actor))
    .bind(column(|act| &act.address))
    .bind(column(|act| &act.what))
}

impl Store {
    /// Without waiting for the disk.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_shared(&self, acts: &[SharedAct], trace: &str) -> Result<(), Error> {
        insert(acts, trace).execute(&self.pools.chunks).await?;
        Ok(())
    }

    /// The last acts in a mailbox from `since` on, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shared_acts(
        &self,
        mailbox: AccountId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<SharedAct>, Error> {
        type Row = (jiff_sqlx::Timestamp, Option<String>, Option<String>);
        let rows: Vec<Row> = sqlx::query_as(
            "select at, sender, status from events
              where kind = 'shared' and account_id = $1 and at >= $2 order by at desc, event_id desc limit $3",
        )
        .bind(mailbox.0)
        .bind(since.to_sqlx())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        let act = |(at, actor, what): Row| SharedAct {
            at: at.to_jiff(),
            mailbox,
            address: String::new(),
            actor: actor.unwrap_or_default(),
            what: what.unwrap_or_default(),
        };
        Ok(rows.into_iter().map(act).collect())
    }
}

impl Tx {
    /// In this transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_shared(&mut self, acts: &[SharedAct], trace: &str) -> Result<(), Error> {
        insert(acts, trace).execute(&mut *self.inner).await?;
        Ok(())
    }
}
