//! Keys that sign the mail of domains (DKIM); a few rows of each, found by `dkim_keys_pkey`, the domain in front.
//!
//! Invariant: a secret is read only to sign, and is in no `Debug`.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{DomainId, DomainName};

/// A key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimKeyRow {
    pub selector: String,
    /// `rsa-sha256`, `ed25519-sha256`.
    pub algorithm: String,
    /// As `p=` has it.
    pub public: String,
    /// `waiting`, `signing`, `retired`.
    pub state: String,
    pub changed_at: Timestamp,
}

impl DkimKeyRow {
    /// What its record says (RFC 6376 3.6.1, RFC 8463 4).
    #[must_use]
    pub fn record(&self) -> String {
        let kind = if self.algorithm == "ed25519-sha256" { "ed25519" } else { "rsa" };
        format!("v=DKIM1; k={kind}; p={}", self.public)
    }
}

/// A key that signs.
pub struct DkimSecretRow {
    pub selector: String,
    pub algorithm: String,
    /// PKCS #8.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for DkimSecretRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DkimSecretRow").field("selector", &self.selector).finish_non_exhaustive()
    }
}

type Row = (String, String, String, String, jiff_sqlx::Timestamp);

impl Store {
    /// Of a domain, the newest change first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dkim_keys(&self, domain: DomainId) -> Result<Vec<DkimKeyRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select selector, algorithm, public, state, changed_at from dkim_keys where domain_id = $1
              order by changed_at desc, selector",
        )
        .bind(domain.0)
        .fetch_all(&self.pools.main)
        .await?;
        let row = |(selector, algorithm, public, state, changed_at): Row| DkimKeyRow {
            selector,
            algorithm,
            public,
            state,
            changed_at: changed_at.to_jiff(),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// All whose records others have to find, with their domains.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dkim_records(&self) -> Result<Vec<(String, DkimKeyRow)>, Error> {
        type Found = (String, String, String, String, String, jiff_sqlx::Timestamp);
        let rows: Vec<Found> = sqlx::query_as(
            "select d.name, k.selector, k.algorithm, k.public, k.state, k.changed_at
               from dkim_keys k join domains d using (domain_id) where k.state <> 'retired' order by d.name, k.selector",
        )
        .fetch_all(&self.pools.main)
        .await?;
        let row = |(domain, selector, algorithm, public, state, changed_at): Found| {
            (domain, DkimKeyRow { selector, algorithm, public, state, changed_at: changed_at.to_jiff() })
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Those that sign a domain's mail now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dkim_secrets(&self, domain: &DomainName) -> Result<Vec<DkimSecretRow>, Error> {
        let rows: Vec<(String, String, Vec<u8>)> = sqlx::query_as(
            "select k.selector, k.algorithm, k.secret from dkim_keys k join domains d using (domain_id)
              where d.name = $1 and k.state = 'signing' order by k.selector",
        )
        .bind(domain.as_str())
        .fetch_all(&self.pools.main)
        .await?;
        let row = |(selector, algorithm, secret)| DkimSecretRow { selector, algorithm, secret };
        Ok(rows.into_iter().map(row).collect())
    }
}

impl Tx {
    /// A key that waits to be used.
    ///
    /// # Errors
    /// `Conflict` when there is one of that selector; when the database fails.
    pub async fn add_dkim_key(
        &mut self,
        domain: DomainId,
        key: &DkimSecretRow,
        (public, at): (&str, Timestamp),
    ) -> Result<(), Error> {
        sqlx::query(
            "insert into dkim_keys (domain_id, selector, algorithm, secret, public, state, changed_at)
             values ($1, $2, $3, $4, $5, 'waiting', $6)",
        )
        .bind(domain.0)
        .bind(&key.selector)
        .bind(&key.algorithm)
        .bind(&key.secret)
        .bind(public)
        .bind(at.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Those that sign are retired, those that wait sign; selectors of the latter. None: nothing waits, and nothing is changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate_dkim_keys(&mut self, domain: DomainId, at: Timestamp) -> Result<Vec<String>, Error> {
        // In the order of the key, so that two who do it at once wait for each other.
        let locked: Vec<String> = sqlx::query_scalar(
            "select state from dkim_keys where domain_id = $1 and state <> 'retired' order by selector for update",
        )
        .bind(domain.0)
        .fetch_all(&mut *self.inner)
        .await?;
        if !locked.iter().any(|state| state == "waiting") {
            return Ok(Vec::new());
        }
        sqlx::query(
            "update dkim_keys set state = 'retired', secret = null, changed_at = $2
              where domain_id = $1 and state = 'signing'",
        )
        .bind(domain.0)
        .bind(at.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(sqlx::query_scalar(
            "update dkim_keys set state = 'signing', changed_at = $2
              where domain_id = $1 and state = 'waiting' returning selector",
        )
        .bind(domain.0)
        .bind(at.to_sqlx())
        .fetch_all(&mut *self.inner)
        .await?)
    }

    /// False when there is none of that selector that could still sign.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retire_dkim_key(
        &mut self,
        domain: DomainId,
        selector: &str,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let done = sqlx::query(
            "update dkim_keys set state = 'retired', secret = null, changed_at = $3
              where domain_id = $1 and selector = $2 and state <> 'retired'",
        )
        .bind(domain.0)
        .bind(selector)
        .bind(at.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
