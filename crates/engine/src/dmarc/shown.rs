//! Who sends in a domain's name, by what others tell.

use crate::{Actor, AdminError, AdminTarget, Engine};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use model::calendar::local_date;
use model::{Action, DomainName};
use store::DmarcSource;

/// Days that are looked back at most: reports are kept no longer.
const DAYS_MAX: u32 = 400;
/// Sources that are shown, the most frequent.
const SOURCES_MAX: u32 = 2_000;

/// What others tell of mail in a domain's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcSummary {
    pub since: Date,
    /// The most frequent first.
    pub sources: Vec<DmarcSource>,
}

impl Engine {
    /// By reports about the last `days`, 1 to 400.
    ///
    /// # Errors
    /// `NoSuchDomain`, `Denied`, `BadPeriod`.
    pub async fn dmarc_summary(
        &self,
        actor: &Actor,
        domain: &DomainName,
        days: u32,
    ) -> Result<DmarcSummary, AdminError> {
        self.authorize(actor, Action::ReportShow, &AdminTarget::Domain(domain)).await?;
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(AdminError::BadPeriod);
        }
        let back = SignedDuration::from_hours(24 * i64::from(days));
        let since = self.now().saturating_sub(back).unwrap_or(Timestamp::MIN);
        let sources = self.0.store.dmarc_sources(self.domain_id(domain).await?, since, SOURCES_MAX).await?;
        Ok(DmarcSummary { since: local_date(since), sources })
    }
}
