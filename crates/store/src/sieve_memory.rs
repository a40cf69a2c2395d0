//! What scripts remember between two messages: whom they answered (RFC 5230 4.2), and what they saw (RFC 7352).
//!
//! Invariant: it counts until a moment that it was given, and is forgotten at night once that is over.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::AccountId;

/// Rows that one statement of the nightly job removes.
const FORGOTTEN_AT_ONCE: i64 = 10_000;
/// $1: the mailboxes. $2: of each, a key. $3: now.
pub(crate) const SEEN: &str = "select s.account_id, s.key
   from unnest($1::bigint[], $2::bytea[]) as w (account_id, key) join sieve_seen s using (account_id, key)
  where s.until > $3";

/// Something to be remembered for the test "duplicate" (RFC 7352).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighted {
    pub account: AccountId,
    /// BLAKE3 of handle and identifier.
    pub key: [u8; 32],
    pub until: Timestamp,
    /// The time begins anew though it was seen before.
    pub anew: bool,
}

impl Store {
    /// Which of these were seen and are remembered still (RFC 7352).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sieve_seen(
        &self,
        keys: &[(AccountId, [u8; 32])],
        now: Timestamp,
    ) -> Result<Vec<(AccountId, [u8; 32])>, Error> {
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(SEEN)
            .bind(keys.iter().map(|(account, _)| account.0).collect::<Vec<_>>())
            .bind(keys.iter().map(|(_, key)| key.as_slice()).collect::<Vec<_>>())
            .bind(now.to_sqlx())
            .fetch_all(&self.pools.main)
            .await?;
        let key = |(account, key): (i64, Vec<u8>)| {
            let key = key.try_into().map_err(|_| Error::Damaged("a key of what was seen has not 32 octets"));
            Ok((AccountId(account), key?))
        };
        rows.into_iter().map(key).collect()
    }

    /// Forgets whom and what nothing rests on any more; says how many there were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_sieve(&self, now: Timestamp) -> Result<u64, Error> {
        let mut all = 0;
        for statement in [
            "delete from sieve_answered
              where ctid = any (array(select ctid from sieve_answered where until <= $1 limit $2)) and until <= $1",
            "delete from sieve_seen
              where ctid = any (array(select ctid from sieve_seen where until <= $1 limit $2)) and until <= $1",
        ] {
            loop {
                let done = sqlx::query(statement)
                    .bind(now.to_sqlx())
                    .bind(FORGOTTEN_AT_ONCE)
                    .execute(&self.pools.chunks)
                    .await?
                    .rows_affected();
                all += done;
                if done == 0 {
                    break;
                }
            }
        }
        Ok(all)
    }
}

impl Tx {
    /// True when a mailbox has not answered this before, or so long ago that it does not count `now`: it is to, and not again until then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_answered(
        &mut self,
        account: AccountId,
        key: [u8; 32],
        (until, now): (Timestamp, Timestamp),
    ) -> Result<bool, Error> {
        let done = sqlx::query(
            "insert into sieve_answered (account_id, key, until) values ($1, $2, $3)
             on conflict on constraint sieve_answered_pkey do update set until = excluded.until
                where sieve_answered.until <= $4",
        )
        .bind(account.0)
        .bind(key.as_slice())
        .bind(until.to_sqlx())
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Remembers what scripts have seen.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_seen(&mut self, seen: &[Sighted], now: Timestamp) -> Result<(), Error> {
        // In order of the key: two that remember the same do not wait for each other.
        sqlx::query(
            "insert into sieve_seen (account_id, key, until)
             select w.account_id, w.key, max(w.until)
               from unnest($1::bigint[], $2::bytea[], $3::timestamptz[], $4::boolean[]) as w (account_id, key, until, anew)
              where w.anew or not exists (select from sieve_seen s
                                           where s.account_id = w.account_id and s.key = w.key and s.until > $5)
              group by w.account_id, w.key order by w.account_id, w.key
             on conflict on constraint sieve_seen_pkey do update set until = excluded.until",
        )
        .bind(seen.iter().map(|one| one.account.0).collect::<Vec<_>>())
        .bind(seen.iter().map(|one| one.key.as_slice()).collect::<Vec<_>>())
        .bind(seen.iter().map(|one| one.until.to_sqlx()).collect::<Vec<_>>())
        .bind(seen.iter().map(|one| one.anew).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
