//! The letters that what is said of deliveries comes with: composed before the transaction, put where they belong in it.
//!
//! Invariant: nobody is told of what is not so, nor not told of what is: both are one commit.

use super::passed_on::conceal;
use crate::deliver::ATTEMPTS;
use crate::report::{Mail, ORIGINAL_BYTES_MAX, Report, Told, What};
use crate::{Engine, Error};
use model::queue::Return;
use store::{LeasedDelivery, QueueReport};

impl Engine {
    /// With one report to the sender for each list of `told` that is not empty.
    pub(crate) async fn commit_report(
        &self,
        lease: i64,
        delivery: &LeasedDelivery,
        report: &QueueReport<'_>,
        told: Vec<Vec<Told<'_>>>,
    ) -> Result<bool, Error> {
        let mut letters = Vec::new();
        for mut told in told {
            told.iter_mut().for_each(conceal);
            if !told.is_empty() && !delivery.sender.is_empty() {
                letters.push(self.report_of(delivery, told).await?);
            }
        }
        for attempt in 0..ATTEMPTS {
            match self.commit_report_once(lease, report, &letters).await {
                // Whoever was to be told is gone meanwhile; he is looked for again, and then not told.
                Err(store::Error::MailboxGone) if attempt > 0 => letters.clear(),
                Err(store::Error::ChunkGone | store::Error::Conflict | store::Error::MailboxGone) => {}
                done => return Ok(done?),
            }
        }
        Err(Error::Unavailable)
    }

    async fn commit_report_once(
        &self,
        lease: i64,
        report: &QueueReport<'_>,
        letters: &[Report<'_>],
    ) -> Result<bool, store::Error> {
        let now = self.now();
        let mut mails: Vec<Mail> = Vec::new();
        for letter in letters {
            mails.extend(self.write_report(letter, None).await?);
        }
        let destinations: Vec<&str> = mails.iter().filter_map(Mail::destination).collect();
        if !destinations.is_empty() {
            self.0.store.know_destinations(&destinations, now).await?;
        }
        let back: Vec<_> = mails.iter().map(|mail| mail.back(self, now)).collect();
        let Some(placed) = self.0.store.report_mail(lease, report, &back, now).await? else {
            tracing::warn!(lease, "what became of a delivery is no longer this node's to say");
            return Ok(false);
        };
        placed.iter().for_each(|place| self.0.hub.tell(place.account));
        self.nudge_for_reports(&destinations).await;
        Ok(true)
    }

    async fn report_of<'a>(
        &self,
        delivery: &'a LeasedDelivery,
        told: Vec<Told<'a>>,
    ) -> Result<Report<'a>, Error> {
        let failed = told.iter().any(|told| told.what == What::Failed);
        let wants_whole = failed && delivery.ret == Some(Return::Full) && !delivery.needs.requiretls;
        let (original, is_whole) = match self.original(delivery, wants_whole).await {
            Ok(original) => original,
            // Better told without it than never.
            Err(Error::NotFound) => (Vec::new(), false),
            Err(Error::Unavailable) if self.is_ready().await => (Vec::new(), false),
            Err(error) => return Err(error),
        };
        Ok(Report {
            sender: &delivery.sender,
            account: delivery.account,
            envid: delivery.envid.as_deref(),
            about: &delivery.about,
            requiretls: delivery.needs.requiretls,
            accepted_at: delivery.accepted_at,
            give_up_at: Some(delivery.give_up_at),
            told,
            original,
            is_whole,
        })
    }

    /// All of a message, if that is wanted and it is not too large, else its header; which of them it is.
    async fn original(&self, delivery: &LeasedDelivery, whole: bool) -> Result<(Vec<u8>, bool), Error> {
        let octets = self.outgoing_octets(delivery).await?;
        let is_whole = whole && octets.size() <= ORIGINAL_BYTES_MAX;
        let original = if is_whole { octets.read().await? } else { octets.header().await? };
        Ok((original, is_whole))
    }
}
