//! Who receives mail for an address: asked once for each RCPT command, and so for all that come at the same time together.

use crate::group::Carrier;
use crate::line::Line;
use crate::{Error, Pools, Store};
use jiff::Timestamp;
use model::{AccountId, AccountState, Address, DomainId, FolderId};
use std::collections::HashMap;
use tokio::sync::oneshot;

/// Lookups under way at once: one is asked while another gathers.
pub(crate) const FINDERS: usize = 2;
const DAMAGED: Error = Error::Damaged("an account row has a value this version does not know");

/// What accepting mail for an address needs to know.
#[derive(Clone, Debug)]
pub struct RecipientRow {
    pub account: AccountId,
    pub inbox: FolderId,
    pub state: AccountState,
    pub quota_bytes: u64,
    pub used_bytes: u64,
    pub messages: u64,
    pub domain: DomainId,
    /// Since when it has been known to be full.
    pub full_since: Option<Timestamp>,
    /// It says of some senders that it wants their mail, or does not.
    pub lists_senders: bool,
}

type Row = (i64, i64, String, i64, i64, i64, i64, Option<jiff_sqlx::Timestamp>, bool);

impl Store {
    /// As the address stands at the time of the call or later; nothing is remembered.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recipient(&self, address: &Address) -> Result<Option<RecipientRow>, Error> {
        let (answer, answered) = oneshot::channel();
        self.lookups.add(Lookup { address: address.to_string(), answer }, &self.pools).await;
        let row = answered.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))?;
        let Some((account, inbox, state, quota, used, messages, domain, full_since, lists_senders)) = row
        else {
            return Ok(None);
        };
        Ok(Some(RecipientRow {
            account: AccountId(account),
            inbox: FolderId(inbox),
            state: state.parse().map_err(|_| DAMAGED)?,
            quota_bytes: quota.unsigned_abs(),
            used_bytes: used.unsigned_abs(),
            messages: messages.unsigned_abs(),
            domain: DomainId(domain),
            full_since: full_since.map(jiff_sqlx::Timestamp::to_jiff),
            lists_senders,
        }))
    }
}

/// An address, and who waits for it.
#[derive(Debug)]
pub(crate) struct Lookup {
    address: String,
    answer: oneshot::Sender<Result<Option<Row>, sqlx::Error>>,
}

/// Takes addresses to the database.
#[derive(Debug)]
pub(crate) struct Finder(Line);

impl Carrier for Finder {
    type Job = Lookup;
    /// Addresses of one statement.
    const WEIGHT_MAX: usize = 256;

    type Shared = Pools;

    fn new(pools: Pools) -> Self {
        Self(Line::new(pools.carriers))
    }

    fn weight(_: &Lookup) -> usize {
        1
    }

    async fn carry(&mut self, jobs: Vec<Lookup>) {
        let found = self.find(&jobs).await;
        if found.is_err() {
            self.0.cut();
        }
        for job in jobs {
            let answer = match &found {
                Ok(rows) => Ok(rows.get(&job.address).cloned()),
                Err(error) => Err(sqlx::Error::Protocol(error.to_string())),
            };
            // Who is gone hears nothing.
            drop(job.answer.send(answer));
        }
    }
}

impl Finder {
    async fn find(&mut self, jobs: &[Lookup]) -> Result<HashMap<String, Row>, sqlx::Error> {
        type Found = (String, i64, i64, String, i64, i64, i64, i64, Option<jiff_sqlx::Timestamp>, bool);
        let rows: Vec<Found> = sqlx::query_as(
            "select address, account_id, folder_id, state, quota_bytes, used_bytes, messages, domain_id, full_since,
                    (select true from listed_senders l where l.account_id = r.account_id limit 1) is not null
               from find_recipients($1) r",
        )
        .bind(jobs.iter().map(|job| job.address.as_str()).collect::<Vec<_>>())
        .fetch_all(self.0.connection().await?)
        .await?;
        let row = |(address, account, inbox, state, quota, used, messages, domain, full, lists): Found| {
            (address, (account, inbox, state, quota, used, messages, domain, full, lists))
        };
        Ok(rows.into_iter().map(row).collect())
    }
}
