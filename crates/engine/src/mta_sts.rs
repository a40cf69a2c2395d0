//! Policies that domains publish for mail to them (MTA-STS, RFC 8461): kept for all nodes, and beyond a restart.

use crate::{Engine, Error};
use std::time::Duration;
use store::MtaStsRow;

impl Engine {
    /// Id and text of a domain's policy, and for how long it holds yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mta_sts(&self, domain: &str) -> Result<Option<(String, String, Duration)>, Error> {
        let now = self.now();
        let row = self.0.store.mta_sts(domain, now).await?;
        Ok(row.map(|row| (row.id, row.policy, row.until.duration_since(now).unsigned_abs())))
    }

    /// In place of the one before, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_mta_sts(
        &self,
        domain: &str,
        (id, policy, left): (&str, &str, Duration),
    ) -> Result<(), Error> {
        let until = self.now().saturating_add(left).unwrap_or(jiff::Timestamp::MAX);
        let row = MtaStsRow { id: id.to_owned(), policy: policy.to_owned(), until };
        Ok(self.0.store.put_mta_sts(domain, &row).await?)
    }
}
