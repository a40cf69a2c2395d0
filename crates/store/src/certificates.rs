//! Orders of certificates, and what came of them; a few dozen rows in all, so none of these statements is hot.
//!
//! Invariants: of a label, an authority and a set of names one order is open at most, and one is done; what is done goes only for one
//! that has all its names, or when no node has wanted it for a week; an order is taken by one update that nobody else's sees, by
//! the database's clock, and who was given up can change nothing of it; secrets are in no `Debug`, and go with their use.

use crate::{Error, Store};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;

/// An order without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeOrderRow {
    pub id: i64,
    pub label: String,
    pub directory: String,
    pub names: Vec<String>,
    /// `open`, `failed`, `done`, `replaced`.
    pub state: String,
    pub started_at: Timestamp,
    pub asked: bool,
    pub fault: Option<String>,
    pub ended_at: Option<Timestamp>,
    /// Of its certificate.
    pub begins: Option<Timestamp>,
    pub ends: Option<Timestamp>,
    /// By the database's clock: when a node last wanted its certificate, within an hour.
    pub wanted_at: Timestamp,
}

/// An order that was taken.
pub struct TakenAcmeOrder {
    pub id: i64,
    pub label: String,
    pub directory: String,
    pub names: Vec<String>,
    pub started_at: Timestamp,
    pub turn: i32,
    pub troubles: i32,
    /// PKCS #8.
    pub secret: Option<Vec<u8>>,
    pub url: Option<String>,
}

impl std::fmt::Debug for TakenAcmeOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TakenAcmeOrder")
            .field("id", &self.id)
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}

/// What an authority is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeAnswerRow {
    pub name: String,
    pub token: String,
    pub key_authorization: String,
}

/// A certificate that is in use.
pub struct AcmeCertificateRow {
    pub order: i64,
    pub label: String,
    pub directory: String,
    pub names: Vec<String>,
    /// PEM.
    pub chain: String,
    /// PKCS #8.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for AcmeCertificateRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AcmeCertificateRow").field("order", &self.order).finish_non_exhaustive()
    }
}

type Row = (
    i64,
    String,
    String,
    Vec<String>,
    String,
    jiff_sqlx::Timestamp,
    bool,
    Option<String>,
    Option<jiff_sqlx::Timestamp>,
    Option<jiff_sqlx::Timestamp>,
    Option<jiff_sqlx::Timestamp>,
    jiff_sqlx::Timestamp,
);

type Taken =
    (i64, String, String, Vec<String>, jiff_sqlx::Timestamp, i32, i32, Option<Vec<u8>>, Option<String>);

type InUse = (i64, String, String, Vec<String>, String, Vec<u8>);

fn row(row: Row) -> AcmeOrderRow {
    let (id, label, directory, names, state, started_at, asked, fault, ended_at, begins, ends, wanted_at) =
        row;
    let jiff = |at: Option<jiff_sqlx::Timestamp>| at.map(jiff_sqlx::Timestamp::to_jiff);
    AcmeOrderRow {
        id,
        label,
        directory,
        names,
        state,
        started_at: started_at.to_jiff(),
        asked,
        fault,
        ended_at: jiff(ended_at),
        begins: jiff(begins),
        ends: jiff(ends),
        wanted_at: wanted_at.to_jiff(),
    }
}

impl Store {
    /// What opens our account at an authority.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn acme_account(&self, directory: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(sqlx::query_scalar("select credentials from acme_accounts where directory = $1")
            .bind(directory)
            .fetch_optional(&self.pools.main)
            .await?)
    }

    /// Keeps a new account, unless there is one by now; the one that holds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_acme_account(
        &self,
        directory: &str,
        credentials: &[u8],
        at: Timestamp,
    ) -> Result<Vec<u8>, Error> {
        Ok(sqlx::query_scalar(
            "insert into acme_accounts (directory, credentials, made_at) values ($1, $2, $3)
             on conflict on constraint acme_accounts_pkey do update set directory = excluded.directory
             returning credentials",
        )
        .bind(directory)
        .bind(credentials)
        .bind(at.to_sqlx())
        .fetch_one(&self.pools.main)
        .await?)
    }

    /// Forgets an account that its authority does not know any more, if it is still this one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_acme_account(&self, directory: &str, credentials: &[u8]) -> Result<(), Error> {
        sqlx::query("delete from acme_accounts where directory = $1 and credentials = $2")
            .bind(directory)
            .bind(credentials)
            .execute(&self.pools.main)
            .await?;
        Ok(())
    }

    /// All that are remembered, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn acme_orders(&self) -> Result<Vec<AcmeOrderRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select order_id, label, directory, names, state, started_at, asked, fault, ended_at, begins, ends,
                    wanted_at
               from acme_orders order by order_id desc",
        )
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(row).collect())
    }

    /// Takes an open order at this authority for `lease`, if there is one to look at; at any, if it began before `old`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_acme_order(
        &self,
        lease: SignedDuration,
        (directory, old): (&str, Timestamp),
    ) -> Result<Option<TakenAcmeOrder>, Error> {
        let taken: Option<Taken> = sqlx::query_as(
            "update acme_orders set look_at = clock_timestamp() + make_interval(secs => $1), turn = turn + 1
              where order_id = (select order_id from acme_orders where state = 'open' and look_at <= clock_timestamp()
                                   and (directory = $2 or started_at < $3)
                                 order by look_at limit 1 for update skip locked)
             returning order_id, label, directory, names, started_at, turn, troubles, secret, url",
        )
        .bind(lease.as_secs_f64())
        .bind(directory)
        .bind(old.to_sqlx())
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(taken.map(|(id, label, directory, names, started_at, turn, troubles, secret, url)| {
            let started_at = started_at.to_jiff();
            TakenAcmeOrder { id, label, directory, names, started_at, turn, troubles, secret, url }
        }))
    }

    /// Keeps what the next step needs. False when somebody else has the order by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_acme_step(
        &self,
        (id, turn): (i64, i32),
        secret: &[u8],
        url: Option<&str>,
    ) -> Result<bool, Error> {
        let put = sqlx::query(
            "update acme_orders set secret = $3, url = $4 where order_id = $1 and turn = $2 and state = 'open'",
        )
        .bind(id)
        .bind(turn)
        .bind(secret)
        .bind(url)
        .execute(&self.pools.main)
        .await?;
        Ok(put.rows_affected() == 1)
    }

    /// Gives an order back for a while. `fault`: what was in the way, if anything was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_off_acme_order(
        &self,
        (id, turn): (i64, i32),
        pause: SignedDuration,
        fault: Option<&str>,
    ) -> Result<(), Error> {
        sqlx::query(
            "update acme_orders set look_at = clock_timestamp() + make_interval(secs => $3), fault = coalesce($4, fault),
                                    troubles = case when $4 is null then 0 else troubles + 1 end
              where order_id = $1 and turn = $2 and state = 'open'",
        )
        .bind(id)
        .bind(turn)
        .bind(pause.as_secs_f64())
        .bind(fault)
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }

    /// What authorities are answered now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn acme_answers(&self) -> Result<Vec<AcmeAnswerRow>, Error> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "select name, token, key_authorization from acme_answers order by order_id, token",
        )
        .fetch_all(&self.pools.main)
        .await?;
        let row = |(name, token, key_authorization)| AcmeAnswerRow { name, token, key_authorization };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Notes that these are wanted, and takes out of use what has ended and no node has wanted for a week, so that a node that was off
    /// finds its own; how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn want_acme_certificates(&self, orders: &[i64]) -> Result<u64, Error> {
        sqlx::query(
            "update acme_orders set wanted_at = clock_timestamp()
              where order_id = any ($1) and wanted_at < clock_timestamp() - interval '1 hour'",
        )
        .bind(orders)
        .execute(&self.pools.main)
        .await?;
        let retired = sqlx::query(
            "update acme_orders set state = 'replaced', secret = null
              where state = 'done' and ends < clock_timestamp() and wanted_at < clock_timestamp() - interval '7 days'",
        )
        .execute(&self.pools.main)
        .await?;
        Ok(retired.rows_affected())
    }

    /// Numbers of the orders whose certificates are in use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn acme_certificates_in_use(&self) -> Result<Vec<i64>, Error> {
        Ok(sqlx::query_scalar("select order_id from acme_orders where state = 'done' order by order_id")
            .fetch_all(&self.pools.main)
            .await?)
    }

    /// The certificates in use, with their keys.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn acme_certificates(&self) -> Result<Vec<AcmeCertificateRow>, Error> {
        let rows: Vec<InUse> = sqlx::query_as(
            "select order_id, label, directory, names, chain, secret from acme_orders where state = 'done' order by order_id",
        )
        .fetch_all(&self.pools.main)
        .await?;
        let row = |(order, label, directory, names, chain, secret)| AcmeCertificateRow {
            order,
            label,
            directory,
            names,
            chain,
            secret,
        };
        Ok(rows.into_iter().map(row).collect())
    }
}
