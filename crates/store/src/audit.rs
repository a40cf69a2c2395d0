//! The administrators' log (nhật ký quản trị): append-only, each row sealed with the digest of the one before.
//!
//! The server's role may only add and read. Rows are chained under one lock, in the transaction of the act itself, and what is
//! sealed is what Postgres gives back: `jsonb` keeps another text than it was given (`1e3` becomes `1000`, keys are sorted),
//! and moments are kept to the microsecond.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

/// One administrative act.
#[derive(Clone, Copy, Debug)]
pub struct AuditEntry<'a> {
    pub at: Timestamp,
    pub actor: &'a str,
    pub action: &'a str,
    pub target: &'a str,
    pub detail: &'a serde_json::Value,
}

/// An act as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    pub id: i64,
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub target: String,
    /// JSON, in Postgres' own writing of it.
    pub detail: String,
    /// Digest of the row before; the first has [`CHAIN_START`].
    pub previous: Vec<u8>,
    pub digest: Vec<u8>,
}

impl AuditRow {
    /// What the digest of this row has to be: BLAKE3 over the digest before and every column, each with its length, so that
    /// nothing can be shifted between them.
    #[must_use]
    pub fn seal(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        let id = self.id.to_be_bytes();
        let at = self.at.as_microsecond().to_be_bytes();
        let columns = [
            self.previous.as_slice(),
            &id,
            &at,
            self.actor.as_bytes(),
            self.action.as_bytes(),
            self.target.as_bytes(),
            self.detail.as_bytes(),
        ];
        for column in columns {
            hasher.update(&(column.len() as u64).to_be_bytes());
            hasher.update(column);
        }
        *hasher.finalize().as_bytes()
    }
}

/// Which acts to list; what is `None` does not narrow.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuditFilter<'a> {
    pub actor: Option<&'a str>,
    /// The whole name, or its beginning up to the dot (`mailbox`).
    pub action: Option<&'a str>,
    /// A target, or a domain for everything in it.
    pub target: Option<&'a str>,
    /// Other names of the target.
    pub aliases: &'a [AuditAlias],
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Numbers below this one: the next page.
    pub before: Option<i64>,
    /// Domains outside which nothing is there; `None`: everything is.
    pub domains: Option<&'a [i64]>,
    pub limit: u32,
}

/// Another name of what is sought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditAlias {
    pub target: String,
    /// The acts of which it is another name; `None`: of every act.
    pub actions: Option<&'static [&'static str]>,
}

/// The digest before the first row.
pub const CHAIN_START: [u8; 32] = [0; 32];
/// Advisory lock that orders the chain; the migrator's and the sweeper's have other numbers.
pub(crate) const CHAIN_LOCK: i64 = 0x636f_6e67_7468_7502;

type Row = (i64, jiff_sqlx::Timestamp, String, String, String, String, Vec<u8>, Vec<u8>);

fn row((id, at, actor, action, target, detail, previous, digest): Row) -> AuditRow {
    AuditRow { id, at: at.to_jiff(), actor, action, target, detail, previous, digest }
}

impl Tx {
    /// Adds the act to the chain. It is the transaction's last step, as others wait for the chain's lock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&mut self, entry: &AuditEntry<'_>) -> Result<(), Error> {
        sqlx::query("select pg_advisory_xact_lock($1)").bind(CHAIN_LOCK).execute(&mut *self.inner).await?;
        let (id, at, detail, previous): (i64, jiff_sqlx::Timestamp, String, Option<Vec<u8>>) =
            sqlx::query_as(
                "select nextval('audit_audit_id_seq'), $1::timestamptz, $2::jsonb::text,
                    (select digest from audit order by audit_id desc limit 1)",
            )
            .bind(entry.at.to_sqlx())
            .bind(entry.detail)
            .fetch_one(&mut *self.inner)
            .await?;
        let mut row = AuditRow {
            id,
            at: at.to_jiff(),
            actor: entry.actor.to_owned(),
            action: entry.action.to_owned(),
            target: entry.target.to_owned(),
            detail,
            previous: previous.unwrap_or_else(|| CHAIN_START.to_vec()),
            digest: Vec::new(),
        };
        row.digest = row.seal().to_vec();
        sqlx::query(
            "insert into audit (audit_id, at, actor, action, target, detail, previous, digest)
             overriding system value values ($1, $2, $3, $4, $5, $6::jsonb, $7, $8)",
        )
        .bind(row.id)
        .bind(row.at.to_sqlx())
        .bind(row.actor)
        .bind(row.action)
        .bind(row.target)
        .bind(row.detail)
        .bind(row.previous)
        .bind(row.digest)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}

impl Store {
    /// Acts in the order of the chain, from behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_chain(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select audit_id, at, actor, action, target, detail::text, previous, digest
               from audit where audit_id > $1 order by audit_id limit $2",
        )
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(row).collect())
    }

    /// Acts that the filter lets through, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_rows(&self, filter: &AuditFilter<'_>) -> Result<Vec<AuditRow>, Error> {
        let (targets, actions) = alias_columns(filter.aliases);
        let rows: Vec<Row> = sqlx::query_as(
            "select audit_id, at, actor, action, target, detail::text, previous, digest
               from audit a
              where ($1::text is null or actor = $1)
                and ($2::text is null or action = $2 or split_part(action, '.', 1) = $2)
                and ($3::text is null or target = $3 or split_part(target, '/', 1) = $3
                     or split_part(target, '@', 2) = $3
                     or exists (select from unnest($9::text[], $10::text[]) as alias (target, action)
                                 where alias.target = a.target and coalesce(alias.action, a.action) = a.action))
                and ($4::timestamptz is null or at >= $4)
                and ($5::timestamptz is null or at < $5)
                and ($6::bigint is null or audit_id < $6)
                and ($7::bigint[] is null
                     or exists (select from domains d where d.domain_id = any ($7)
                                   and d.name in (target, split_part(target, '/', 1), split_part(target, '@', 2))))
              order by audit_id desc limit $8",
        )
        .bind(filter.actor)
        .bind(filter.action)
        .bind(filter.target)
        .bind(filter.since.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(filter.until.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(filter.before)
        .bind(filter.domains)
        .bind(i64::from(filter.limit))
        .bind(targets)
        .bind(actions)
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(row).collect())
    }
}

/// Each alias with each of its acts, as two columns.
fn alias_columns(aliases: &[AuditAlias]) -> (Vec<&str>, Vec<Option<&'static str>>) {
    let pairs = |alias: &'_ AuditAlias| -> Vec<Option<&'static str>> {
        alias.actions.map_or_else(|| vec![None], |actions| actions.iter().copied().map(Some).collect())
    };
    aliases
        .iter()
        .flat_map(|alias| pairs(alias).into_iter().map(|action| (alias.target.as_str(), action)))
        .unzip()
}
