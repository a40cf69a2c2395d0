//! Telling the other nodes that somebody's rights have ended, so that sessions end at once and not at the next look.
//!
//! Invariants: NOTIFY is a statement of its own behind the commit, never part of a delivery (committing it takes a lock of
//! the whole cluster); what is lost on the way costs time only, as every node looks by itself too.

use crate::{Error, Store};
use model::AccountId;
use sqlx::postgres::PgListener;

const CHANNEL: &str = "congthu_rights";
/// Ids of one notification: Postgres takes 8,000 octets, an id has 19 digits and a comma at most.
const IDS_MAX: usize = 399;

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Look at these.
    Accounts(Vec<AccountId>),
    /// The connection was lost for a while: look at all.
    Gap,
}

/// One connection that hears of every change of rights.
#[derive(Debug)]
pub struct RightsListener(PgListener);

impl RightsListener {
    /// Waits for the next change; connects again by itself.
    ///
    /// # Errors
    /// When the connection is gone and cannot be had again.
    pub async fn next(&mut self) -> Result<Heard, Error> {
        let Some(notification) = self.0.try_recv().await? else { return Ok(Heard::Gap) };
        let ids = notification.payload().split(',').filter_map(|id| id.parse().ok().map(AccountId));
        Ok(Heard::Accounts(ids.collect()))
    }
}

impl Store {
    /// # Errors
    /// When the database fails.
    pub async fn listen_for_rights(&self) -> Result<RightsListener, Error> {
        let mut listener = PgListener::connect_with(&self.pools.main).await?;
        listener.listen(CHANNEL).await?;
        Ok(RightsListener(listener))
    }

    /// Tells every node, this one too, that the rights of these mailboxes' sessions have changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tell_rights(&self, accounts: &[AccountId]) -> Result<(), Error> {
        for ids in accounts.chunks(IDS_MAX) {
            let ids: Vec<String> = ids.iter().map(|account| account.0.to_string()).collect();
            sqlx::query("select pg_notify($1, $2)")
                .bind(CHANNEL)
                .bind(ids.join(","))
                .execute(&self.pools.chunks)
                .await?;
        }
        Ok(())
    }

    /// The security epoch of each of these mailboxes, and its modseq while it has one: what tells a node that another one
    /// has changed something.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pulses(&self, accounts: &[AccountId]) -> Result<Vec<Pulse>, Error> {
        let ids: Vec<i64> = accounts.iter().map(|account| account.0).collect();
        let rows: Vec<(i64, i64, Option<i64>)> = sqlx::query_as(
            "select a.account_id, a.security_epoch, c.modseq
               from accounts a left join counters c on c.account_id = a.account_id where a.account_id = any ($1)",
        )
        .bind(ids)
        .fetch_all(&self.pools.main)
        .await?;
        let pulse =
            |(account, security_epoch, modseq)| Pulse { account: AccountId(account), security_epoch, modseq };
        Ok(rows.into_iter().map(pulse).collect())
    }
}

/// See [`Store::pulses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    pub account: AccountId,
    pub security_epoch: i64,
    pub modseq: Option<i64>,
}
