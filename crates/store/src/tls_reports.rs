//! How TLS came about on the way to the servers of others, counted for the reports that their domains want (TLSRPT, RFC 8460).
//!
//! Invariants: as for DMARC's (`dmarc.rs`): written without waiting for the disk, read by key; whoever adds to a day holds its row of
//! `tls_days`, and a day that is over is never added to; where a report went by mail is noted in the transaction that queues the mail.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

/// What a domain asks of whoever sends it mail.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsPolicy {
    /// As RFC 8460 4.4 calls it.
    pub kind: String,
    pub text: TlsPolicyText,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TlsPolicyText {
    pub lines: Vec<String>,
    pub hosts: Vec<String>,
}

/// How sessions failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsFailure {
    /// As RFC 8460 4.3 calls it.
    pub result: String,
    pub mx: Option<String>,
    /// Addresses: ours and theirs.
    pub sending: Option<String>,
    pub receiving: Option<String>,
    pub reason: Option<String>,
}

/// Sessions that are alike in all that a report says of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsCount {
    pub policy: TlsPolicy,
    /// `None`: they were as the policy has it.
    pub failure: Option<TlsFailure>,
}

/// What was gathered of a domain on one day.
#[derive(Clone, Debug)]
pub struct TlsGathered<'a> {
    /// In UTC.
    pub day: Date,
    pub domain: &'a str,
    pub counts: Vec<(&'a TlsCount, u64)>,
    /// The name that is the domain's or above it, whose names count together.
    pub owner: &'a str,
    /// Domains of a day, of these the owner's, and rows of a domain: what is beyond is dropped.
    pub domains_max: u32,
    pub names_max: u32,
    pub rows_max: u32,
}

/// A day that is not over yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsDay {
    pub day: Date,
    pub domain: String,
    /// How often it was tried in vain to tell somebody.
    pub tries: u32,
    /// Places that were told.
    pub told: Vec<String>,
}

impl TlsCount {
    fn key(&self) -> Vec<u8> {
        let mut hasher = blake3::Hasher::new();
        let mut add = |text: Option<&str>| {
            // What is not there is told from what is empty.
            hasher.update(&text.map_or(u64::MAX, |text| text.len() as u64).to_be_bytes());
            hasher.update(text.unwrap_or_default().as_bytes());
        };
        let TlsPolicyText { lines, hosts } = &self.policy.text;
        add(Some(&self.policy.kind));
        for list in [lines, hosts] {
            list.iter().for_each(|text| add(Some(text)));
            add(None);
        }
        if let Some(TlsFailure { result, mx, sending, receiving, reason }) = &self.failure {
            add(Some(result));
            [mx, sending, receiving, reason].into_iter().for_each(|text| add(text.as_deref()));
        }
        hasher.finalize().as_bytes().to_vec()
    }
}

impl Store {
    /// Adds to a day. Returns how many rows were dropped, as there are enough, or the day is over.
    ///
    /// # Errors
    /// When the database fails; then nothing was added.
    pub async fn count_tls(&self, gathered: &TlsGathered<'_>) -> Result<u64, Error> {
        let mut tx = self.pools.chunks.begin().await?;
        let all = gathered.counts.len() as u64;
        // Both looked up by tls_days_pkey; the domains of a day are bounded.
        let rows: Option<i32> = sqlx::query_scalar(
            "insert into tls_days (day, domain)
             select $1, $2
              where exists (select from tls_days d where d.day = $1 and d.domain = $2)
                 or (select count(*) < $3 and count(*) filter (where right('.' || d.domain, length($4) + 1) = '.' || $4) < $5
                       from tls_days d where d.day = $1)
             on conflict on constraint tls_days_pkey
                do update set rows = tls_days.rows where tls_days.ended_at is null
             returning rows",
        )
        .bind(gathered.day.to_sqlx())
        .bind(gathered.domain)
        .bind(i64::from(gathered.domains_max))
        .bind(gathered.owner)
        .bind(i64::from(gathered.names_max))
        .fetch_optional(&mut *tx)
        .await?;
        let Some(rows) = rows else { return Ok(all) };
        let room = i64::from(gathered.rows_max) - i64::from(rows);
        let (known, added) = add_counts(&mut tx, gathered, room.max(0)).await?;
        sqlx::query("update tls_days set rows = rows + $3 where day = $1 and domain = $2")
            .bind(gathered.day.to_sqlx())
            .bind(gathered.domain)
            .bind(i32::try_from(added).unwrap_or(i32::MAX))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(all.saturating_sub(known + added))
    }

    /// Days before this one that are not over, those that were tried least first: by tls_days_open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tls_days(&self, before: Date, limit: u32) -> Result<Vec<TlsDay>, Error> {
        let rows: Vec<(jiff_sqlx::Date, String, i16, Vec<String>)> = sqlx::query_as(
            "select day, domain, tries, told from tls_days
              where ended_at is null and day < $1 order by tries, day, domain limit $2",
        )
        .bind(before.to_sqlx())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        let day = |(day, domain, tries, told): (jiff_sqlx::Date, String, i16, Vec<String>)| TlsDay {
            day: day.to_jiff(),
            domain,
            tries: u32::try_from(tries).unwrap_or(0),
            told,
        };
        Ok(rows.into_iter().map(day).collect())
    }

    /// All that was counted of a domain on a day, the most frequent first: by tls_counts_pkey, its number bounded.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tls_counts(&self, day: Date, domain: &str) -> Result<Vec<(TlsCount, u64)>, Error> {
        let rows = sqlx::query(
            "select policy_type, policy, result, mx, sending, receiving, reason, sessions
               from tls_counts where day = $1 and domain = $2 order by sessions desc, key",
        )
        .bind(day.to_sqlx())
        .bind(domain)
        .fetch_all(&self.pools.main)
        .await?;
        let count = |row: &sqlx::postgres::PgRow| {
            let sessions: i64 = row.try_get("sessions")?;
            let text: serde_json::Value = row.try_get("policy")?;
            let text = serde_json::from_value(text).map_err(|_| Error::Damaged("a policy cannot be read"))?;
            let failure = match row.try_get::<Option<String>, _>("result")? {
                None => None,
                Some(result) => Some(TlsFailure {
                    result,
                    mx: row.try_get("mx")?,
                    sending: row.try_get("sending")?,
                    receiving: row.try_get("receiving")?,
                    reason: row.try_get("reason")?,
                }),
            };
            let policy = TlsPolicy { kind: row.try_get("policy_type")?, text };
            Ok((TlsCount { policy, failure }, sessions.unsigned_abs()))
        };
        rows.iter().map(count).collect()
    }

    /// Forgets days before this one, told or not, some at a time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_tls_days(&self, before: Date, limit: u32) -> Result<u64, Error> {
        let gone = sqlx::query(
            "delete from tls_days where (day, domain) in (select day, domain from tls_days where day < $1 order by day, domain limit $2)",
        )
        .bind(before.to_sqlx())
        .bind(i64::from(limit))
        .execute(&self.pools.main)
        .await?;
        Ok(gone.rows_affected())
    }
}

impl Tx {
    /// Notes whom a day was told beside those who had been, and that it is over (`sent`, `nobody`, `unknown`) or, without an
    /// outcome, that it is to be tried again. False when somebody else has noted something since it was read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tell_tls_day(
        &mut self,
        day: &TlsDay,
        (told, outcome): (&[String], Option<&str>),
        now: Timestamp,
    ) -> Result<bool, Error> {
        let noted = sqlx::query(
            "update tls_days set told = told || $3::text[], tries = tries + case when $4::text is null then 1 else 0 end,
                                 ended_at = case when $4::text is null then null else $5 end, outcome = $4
              where day = $1 and domain = $2 and ended_at is null and tries = $6",
        )
        .bind(day.day.to_sqlx())
        .bind(&day.domain)
        .bind(told)
        .bind(outcome)
        .bind(now.to_sqlx())
        .bind(i16::try_from(day.tries).unwrap_or(i16::MAX))
        .execute(&mut *self.inner)
        .await?;
        Ok(noted.rows_affected() > 0)
    }
}

/// How many were there already, and how many were added.
async fn add_counts(
    tx: &mut sqlx::PgConnection,
    gathered: &TlsGathered<'_>,
    room: i64,
) -> Result<(u64, u64), Error> {
    let counts = &gathered.counts;
    let of_failure = |of: fn(&TlsFailure) -> Option<String>| -> Vec<Option<String>> {
        counts.iter().map(|(count, _)| count.failure.as_ref().and_then(of)).collect()
    };
    let kinds: Vec<&str> = counts.iter().map(|(count, _)| count.policy.kind.as_str()).collect();
    let texts: Vec<serde_json::Value> = counts
        .iter()
        .map(|(count, _)| serde_json::to_value(&count.policy.text).unwrap_or_default())
        .collect();
    let numbers: Vec<i64> =
        counts.iter().map(|(_, number)| i64::try_from(*number).unwrap_or(i64::MAX)).collect();
    // By tls_counts_pkey.
    let (known, added): (i64, i64) = sqlx::query_as(
        "with new as (
             select * from unnest($4::bytea[], $5::text[], $6::jsonb[], $7::text[], $8::text[], $9::text[], $10::text[],
                                  $11::text[], $12::bigint[])
               as n (key, policy_type, policy, result, mx, sending, receiving, reason, sessions)
         ), known as (
             update tls_counts c set sessions = c.sessions + n.sessions
               from new n where c.day = $1 and c.domain = $2 and c.key = n.key
             returning c.key
         ), added as (
             insert into tls_counts (day, domain, key, policy_type, policy, result, mx, sending, receiving, reason, sessions)
             select $1, $2, n.* from new n where n.key not in (select key from known) limit $3
             returning key
         )
         select (select count(*) from known), (select count(*) from added)",
    )
    .bind(gathered.day.to_sqlx())
    .bind(gathered.domain)
    .bind(room)
    .bind(counts.iter().map(|(count, _)| count.key()).collect::<Vec<_>>())
    .bind(kinds)
    .bind(texts)
    .bind(of_failure(|failure| Some(failure.result.clone())))
    .bind(of_failure(|failure| failure.mx.clone()))
    .bind(of_failure(|failure| failure.sending.clone()))
    .bind(of_failure(|failure| failure.receiving.clone()))
    .bind(of_failure(|failure| failure.reason.clone()))
    .bind(numbers)
    .fetch_one(tx)
    .await?;
    Ok((known.unsigned_abs(), added.unsigned_abs()))
}
