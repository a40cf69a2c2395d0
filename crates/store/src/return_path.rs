//! Return paths of forwarded mail: their secret, made once for all nodes, whose the short ones are, and how often each was used:
//! counted in the transaction that accepts what came by it, so that what is refused is no use of it.

use crate::{Error, Store, Tx};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use std::collections::BTreeSet;

/// Uses of a path are counted for so long from the first.
const USES_COUNTED: SignedDuration = SignedDuration::from_hours(24);

impl Store {
    /// The secret; `new` becomes it when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn return_path_secret(&self, new: &[u8; 32]) -> Result<[u8; 32], Error> {
        let known = "select secret from return_path_secret";
        let mut secret: Option<Vec<u8>> = sqlx::query_scalar(known).fetch_optional(&self.pools.main).await?;
        if secret.is_none() {
            sqlx::query("insert into return_path_secret (secret) values ($1) on conflict do nothing")
                .bind(new.as_slice())
                .execute(&self.pools.main)
                .await?;
            secret = sqlx::query_scalar(known).fetch_optional(&self.pools.main).await?;
        }
        let secret = secret.and_then(|secret| secret.try_into().ok());
        secret.ok_or(Error::Damaged("the secret of return paths is not as it was made"))
    }

    /// May mail come back once more by each of these paths? A look ahead, which counts nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn may_return(
        &self,
        paths: &BTreeSet<String>,
        most: u32,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let may = sqlx::query_scalar(
            "select not exists (select from return_path_uses where path = any ($1) and since > $2 and uses >= $3)",
        );
        let may = may.bind(&paths).bind(before(now, USES_COUNTED)).bind(i64::from(most));
        Ok(may.fetch_one(&self.pools.main).await?)
    }

    /// Keeps whose a token is; the same token is the same sender's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_return_path(&self, token: &str, sender: &str, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "insert into return_path_senders (token, sender, made_at) values ($1, $2, $3)
             on conflict on constraint return_path_senders_pkey do nothing",
        )
        .bind(token)
        .bind(sender)
        .bind(now.to_sqlx())
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }

    /// Whose a token is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn return_path_sender(&self, token: &str) -> Result<Option<String>, Error> {
        let sender = sqlx::query_scalar("select sender from return_path_senders where token = $1");
        Ok(sender.bind(token).fetch_optional(&self.pools.main).await?)
    }

    /// Forgets at most `limit` senders whose paths were made before this moment, and as many counts that are over; says how many.
    /// Both by an index of their moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_return_paths(
        &self,
        made_before: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<u64, Error> {
        let senders = sqlx::query(
            "delete from return_path_senders where token in
                (select token from return_path_senders where made_at < $1 order by made_at limit $2)",
        )
        .bind(made_before.to_sqlx())
        .bind(i64::from(limit))
        .execute(&self.pools.chunks)
        .await?;
        let uses = sqlx::query(
            "delete from return_path_uses where path in
                (select path from return_path_uses where since <= $1 order by since limit $2 for update skip locked)",
        )
        .bind(before(now, USES_COUNTED))
        .bind(i64::from(limit))
        .execute(&self.pools.chunks)
        .await?;
        Ok(senders.rows_affected() + uses.rows_affected())
    }
}

impl Tx {
    /// Counts that mail came back by each of these paths; false when by one of them it did `most` times within a day: then this
    /// transaction is to be dropped. They are taken in order, and before anything else that others wait for, so that nobody waits for
    /// somebody who waits for him.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_returns(
        &mut self,
        paths: &BTreeSet<String>,
        most: u32,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        // By its key alone.
        let counted = sqlx::query(
            "insert into return_path_uses as u (path, since, uses)
             select p.path, $2::timestamptz, 1 from unnest($1::text[]) with ordinality as p (path, nth) order by p.nth
             on conflict on constraint return_path_uses_pkey do update
                set since = case when u.since <= $3 then excluded.since else u.since end,
                    uses = case when u.since <= $3 then 1 else u.uses + 1 end
              where u.since <= $3 or u.uses < $4",
        )
        .bind(&paths)
        .bind(now.to_sqlx())
        .bind(before(now, USES_COUNTED))
        .bind(i64::from(most))
        .execute(&mut *self.inner)
        .await?;
        Ok(usize::try_from(counted.rows_affected()).ok() == Some(paths.len()))
    }
}

fn before(now: Timestamp, by: SignedDuration) -> jiff_sqlx::Timestamp {
    now.saturating_sub(by).unwrap_or(Timestamp::MIN).to_sqlx()
}
