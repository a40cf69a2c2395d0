//! What came in the names of others, counted for the reports that they want (DMARC, RFC 7489 7.2).
//!
//! Invariants: written without waiting for the disk, as it is statistics, and read by key; whoever adds to a day holds its row of
//! `dmarc_days`, and a day that was told is never added to; a day is told by the one transaction that ends it.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

/// What a domain has published, as reports repeat it. `policy` and `below` are `none`, `quarantine`, `reject`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DmarcPublished {
    pub strict_dkim: bool,
    pub strict_spf: bool,
    pub policy: String,
    pub below: Option<String>,
    pub is_test: bool,
}

/// Messages that are alike in all that a report says of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DmarcCount {
    /// An address.
    pub source: String,
    pub header_from: String,
    /// Empty: the null reverse-path.
    pub envelope_from: String,
    pub spf: String,
    pub spf_domain: String,
    pub spf_aligned: bool,
    /// Domain, selector and result of each signature.
    pub dkim: Vec<(String, String, String)>,
    pub dkim_aligned: bool,
    /// `none`, `quarantine`, `reject`.
    pub disposition: String,
    /// Why it is not what the domain asked for.
    pub reason: Option<String>,
}

/// What was gathered of a domain on one day.
#[derive(Clone, Debug)]
pub struct DmarcGathered<'a> {
    /// In UTC.
    pub day: Date,
    pub domain: &'a str,
    pub published: &'a DmarcPublished,
    pub counts: Vec<(&'a DmarcCount, u64)>,
    /// The name that is the domain's or above it, whose names count together.
    pub owner: &'a str,
    /// Domains of a day, of these the owner's, and rows of a domain: what is beyond is dropped.
    pub domains_max: u32,
    pub names_max: u32,
    pub rows_max: u32,
}

/// A day that nobody was told of yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcDay {
    pub day: Date,
    pub domain: String,
    pub published: DmarcPublished,
    /// How often it was looked for whom to tell.
    pub tries: u32,
}

impl DmarcCount {
    fn key(&self) -> Vec<u8> {
        let mut hasher = blake3::Hasher::new();
        let mut add = |text: &str| {
            hasher.update(&(text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        };
        for text in [&self.source, &self.header_from, &self.envelope_from, &self.spf, &self.spf_domain] {
            add(text);
        }
        for (domain, selector, result) in &self.dkim {
            [domain, selector, result].into_iter().for_each(|text| add(text));
        }
        add(if self.spf_aligned { "spf" } else { "" });
        add(if self.dkim_aligned { "dkim" } else { "" });
        add(&self.disposition);
        add(self.reason.as_deref().unwrap_or_default());
        hasher.finalize().as_bytes().to_vec()
    }
}

impl Store {
    /// Adds to a day. Returns how many rows were dropped, as there are enough, or the day was told already.
    ///
    /// # Errors
    /// When the database fails; then nothing was added.
    pub async fn count_dmarc(&self, gathered: &DmarcGathered<'_>) -> Result<u64, Error> {
        let mut tx = self.pools.chunks.begin().await?;
        let published = serde_json::to_value(gathered.published)
            .map_err(|_| Error::Damaged("a policy cannot be written"))?;
        let all = gathered.counts.len() as u64;
        // Both looked up by dmarc_days_pkey; the domains of a day are bounded.
        let rows: Option<i32> = sqlx::query_scalar(
            "insert into dmarc_days (day, domain, published)
             select $1, $2, $3
              where exists (select from dmarc_days d where d.day = $1 and d.domain = $2)
                 or (select count(*) < $4 and count(*) filter (where right('.' || d.domain, length($5) + 1) = '.' || $5) < $6
                       from dmarc_days d where d.day = $1)
             on conflict on constraint dmarc_days_pkey
                do update set published = excluded.published where dmarc_days.ended_at is null
             returning rows",
        )
        .bind(gathered.day.to_sqlx())
        .bind(gathered.domain)
        .bind(&published)
        .bind(i64::from(gathered.domains_max))
        .bind(gathered.owner)
        .bind(i64::from(gathered.names_max))
        .fetch_optional(&mut *tx)
        .await?;
        let Some(rows) = rows else { return Ok(all) };
        let room = i64::from(gathered.rows_max) - i64::from(rows);
        let (known, added) = add_counts(&mut tx, gathered, room.max(0)).await?;
        sqlx::query("update dmarc_days set rows = rows + $3 where day = $1 and domain = $2")
            .bind(gathered.day.to_sqlx())
            .bind(gathered.domain)
            .bind(i32::try_from(added).unwrap_or(i32::MAX))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(all.saturating_sub(known + added))
    }

    /// Days before this one that nobody was told of yet, those that were tried least first: by dmarc_days_open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dmarc_days(&self, before: Date, limit: u32) -> Result<Vec<DmarcDay>, Error> {
        type Row = (jiff_sqlx::Date, String, serde_json::Value, i16);
        let rows: Vec<Row> = sqlx::query_as(
            "select day, domain, published, tries from dmarc_days
              where ended_at is null and day < $1 order by tries, day, domain limit $2",
        )
        .bind(before.to_sqlx())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        let day = |(day, domain, published, tries): Row| {
            Ok(DmarcDay {
                day: day.to_jiff(),
                domain,
                published: serde_json::from_value(published)
                    .map_err(|_| Error::Damaged("a published policy cannot be read"))?,
                tries: u32::try_from(tries).unwrap_or(0),
            })
        };
        rows.into_iter().map(day).collect()
    }

    /// All that was counted of a domain on a day, the most frequent first: by dmarc_counts_pkey, its number bounded.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dmarc_counts(&self, day: Date, domain: &str) -> Result<Vec<(DmarcCount, u64)>, Error> {
        let rows = sqlx::query(
            "select source, header_from, envelope_from, spf, spf_domain, spf_aligned, dkim, dkim_aligned, disposition, reason, messages
               from dmarc_counts where day = $1 and domain = $2 order by messages desc, key",
        )
        .bind(day.to_sqlx())
        .bind(domain)
        .fetch_all(&self.pools.main)
        .await?;
        let count = |row: &sqlx::postgres::PgRow| {
            let messages: i64 = row.try_get("messages")?;
            let dkim: serde_json::Value = row.try_get("dkim")?;
            let count = DmarcCount {
                source: row.try_get("source")?,
                header_from: row.try_get("header_from")?,
                envelope_from: row.try_get("envelope_from")?,
                spf: row.try_get("spf")?,
                spf_domain: row.try_get("spf_domain")?,
                spf_aligned: row.try_get("spf_aligned")?,
                dkim: serde_json::from_value(dkim)
                    .map_err(|_| Error::Damaged("a row of signatures cannot be read"))?,
                dkim_aligned: row.try_get("dkim_aligned")?,
                disposition: row.try_get("disposition")?,
                reason: row.try_get("reason")?,
            };
            Ok((count, messages.unsigned_abs()))
        };
        rows.iter().map(count).collect()
    }

    /// It could not be found out whom to tell; another time may show it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_dmarc_try(&self, day: &DmarcDay) -> Result<(), Error> {
        sqlx::query("update dmarc_days set tries = tries + 1 where day = $1 and domain = $2")
            .bind(day.day.to_sqlx())
            .bind(&day.domain)
            .execute(&self.pools.main)
            .await?;
        Ok(())
    }

    /// Forgets days before this one, told or not, some at a time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_dmarc_days(&self, before: Date, limit: u32) -> Result<u64, Error> {
        let gone = sqlx::query(
            "delete from dmarc_days where (day, domain) in (select day, domain from dmarc_days where day < $1 order by day, domain limit $2)",
        )
        .bind(before.to_sqlx())
        .bind(i64::from(limit))
        .execute(&self.pools.main)
        .await?;
        Ok(gone.rows_affected())
    }
}

impl Tx {
    /// Ends a day: `sent`, `nobody` or `unknown`. False when it was ended before; then nobody is told again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_dmarc_day(
        &mut self,
        day: &DmarcDay,
        outcome: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let ended = sqlx::query(
            "update dmarc_days set ended_at = $3, outcome = $4 where day = $1 and domain = $2 and ended_at is null",
        )
        .bind(day.day.to_sqlx())
        .bind(&day.domain)
        .bind(now.to_sqlx())
        .bind(outcome)
        .execute(&mut *self.inner)
        .await?;
        Ok(ended.rows_affected() > 0)
    }
}

/// How many were there already, and how many were added.
async fn add_counts(
    tx: &mut sqlx::PgConnection,
    gathered: &DmarcGathered<'_>,
    room: i64,
) -> Result<(u64, u64), Error> {
    let counts = &gathered.counts;
    let text = |of: fn(&DmarcCount) -> &str| -> Vec<String> {
        counts.iter().map(|(count, _)| of(count).to_owned()).collect()
    };
    let flag =
        |of: fn(&DmarcCount) -> bool| -> Vec<bool> { counts.iter().map(|(count, _)| of(count)).collect() };
    let dkim: Vec<serde_json::Value> =
        counts.iter().map(|(count, _)| serde_json::to_value(&count.dkim).unwrap_or_default()).collect();
    let reasons: Vec<Option<String>> = counts.iter().map(|(count, _)| count.reason.clone()).collect();
    let numbers: Vec<i64> =
        counts.iter().map(|(_, number)| i64::try_from(*number).unwrap_or(i64::MAX)).collect();
    // By dmarc_counts_pkey.
    let (known, added): (i64, i64) = sqlx::query_as(
        "with new as (
             select * from unnest($4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::boolean[],
                                  $11::jsonb[], $12::boolean[], $13::text[], $14::text[], $15::bigint[])
               as n (key, source, header_from, envelope_from, spf, spf_domain, spf_aligned, dkim, dkim_aligned,
                     disposition, reason, messages)
         ), known as (
             update dmarc_counts c set messages = c.messages + n.messages
               from new n where c.day = $1 and c.domain = $2 and c.key = n.key
             returning c.key
         ), added as (
             insert into dmarc_counts (day, domain, key, source, header_from, envelope_from, spf, spf_domain, spf_aligned, dkim,
                                       dkim_aligned, disposition, reason, messages)
             select $1, $2, n.* from new n where n.key not in (select key from known) limit $3
             returning key
         )
         select (select count(*) from known), (select count(*) from added)",
    )
    .bind(gathered.day.to_sqlx())
    .bind(gathered.domain)
    .bind(room)
    .bind(counts.iter().map(|(count, _)| count.key()).collect::<Vec<_>>())
    .bind(text(|count| &count.source))
    .bind(text(|count| &count.header_from))
    .bind(text(|count| &count.envelope_from))
    .bind(text(|count| &count.spf))
    .bind(text(|count| &count.spf_domain))
    .bind(flag(|count| count.spf_aligned))
    .bind(dkim)
    .bind(flag(|count| count.dkim_aligned))
    .bind(text(|count| &count.disposition))
    .bind(reasons)
    .bind(numbers)
    .fetch_one(tx)
    .await?;
    Ok((known.unsigned_abs(), added.unsigned_abs()))
}
