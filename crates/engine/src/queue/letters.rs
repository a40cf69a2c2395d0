//! The letters that what is said of deliveries comes with: composed before the transaction, put where they belong in it.
//!
//! Invariant: nobody is told of what is not so, nor not told of what is: both are one commit.

use super::passed_on::conceal;
use crate::deliver::ATTEMPTS;
use crate::report::{Mail, ORIGINAL_BYTES_MAX, Report, Told, What};
use crate::{Engine, Error};
use jiff::Timestamp;
use model::queue::Return;
use model::{AccountId, ContentId};
use store::{LeasedDelivery, QueueReport};

/// What a commit says beside its letters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Saying<'a> {
    /// What became of deliveries, under this lease.
    Ended(i64, &'a QueueReport<'a>),
    /// That these, which were put by, of a message are told of.
    Together(i64, &'a [i64]),
}

/// The message that a report is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) content: ContentId,
    pub(super) sender: &'a str,
    pub(super) account: Option<AccountId>,
    pub(super) ret: Option<Return>,
    pub(super) envid: Option<&'a str>,
    pub(super) about: &'a str,
    pub(super) requiretls: bool,
    pub(super) accepted_at: Timestamp,
    pub(super) give_up_at: Option<Timestamp>,
}

impl<'a> From<&'a LeasedDelivery> for Subject<'a> {
    fn from(delivery: &'a LeasedDelivery) -> Self {
        Self {
            content: delivery.content,
            sender: &delivery.sender,
            account: delivery.account,
            ret: delivery.ret,
            envid: delivery.envid.as_deref(),
            about: &delivery.about,
            requiretls: delivery.needs.requiretls,
            accepted_at: delivery.accepted_at,
            give_up_at: Some(delivery.give_up_at),
        }
    }
}

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
                letters.push(self.report_of(Subject::from(delivery), told).await?);
            }
        }
        self.commit_letters(Saying::Ended(lease, report), letters).await
    }

    /// False, and nothing is changed, when it is somebody else's to say.
    pub(super) async fn commit_letters(
        &self,
        saying: Saying<'_>,
        mut letters: Vec<Report<'_>>,
    ) -> Result<bool, Error> {
        for attempt in 0..ATTEMPTS {
            match self.commit_letters_once(saying, &letters).await {
                // Whoever was to be told is gone meanwhile; he is looked for again, and then not told.
                Err(store::Error::MailboxGone) if attempt > 0 => letters.clear(),
                Err(store::Error::ChunkGone | store::Error::Conflict | store::Error::MailboxGone) => {}
                done => return Ok(done?),
            }
        }
        Err(Error::Unavailable)
    }

    async fn commit_letters_once(
        &self,
        saying: Saying<'_>,
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
        let placed = match saying {
            Saying::Ended(lease, report) => self.0.store.report_mail(lease, report, &back, now).await?,
            Saying::Together(message, untold) => {
                self.0.store.told_together((message, untold), &back, now).await?
            }
        };
        let Some(placed) = placed else {
            if let Saying::Ended(lease, _) = saying {
                tracing::warn!(lease, "what became of a delivery is no longer this node's to say");
            }
            return Ok(false);
        };
        placed.iter().for_each(|place| self.0.hub.tell(place.account));
        self.nudge_for_reports(&destinations).await;
        Ok(true)
    }

    pub(super) async fn report_of<'a>(
        &self,
        of: Subject<'a>,
        told: Vec<Told<'a>>,
    ) -> Result<Report<'a>, Error> {
        let failed = told.iter().any(|told| told.what == What::Failed);
        let wants_whole = failed && of.ret == Some(Return::Full) && !of.requiretls;
        let (original, is_whole) = match self.original(of.content, wants_whole).await {
            Ok(original) => original,
            // Better told without it than never.
            Err(Error::NotFound) => (Vec::new(), false),
            Err(Error::Unavailable) if self.is_ready().await => (Vec::new(), false),
            Err(error) => return Err(error),
        };
        Ok(Report {
            sender: of.sender,
            account: of.account,
            envid: of.envid,
            about: of.about,
            requiretls: of.requiretls,
            accepted_at: of.accepted_at,
            give_up_at: of.give_up_at,
            told,
            original,
            is_whole,
        })
    }

    /// All of a message, if that is wanted and it is not too large, else its header; which of them it is.
    async fn original(&self, content: ContentId, whole: bool) -> Result<(Vec<u8>, bool), Error> {
        let octets = self.octets_of(content).await?;
        let is_whole = whole && octets.size() <= ORIGINAL_BYTES_MAX;
        let original = if is_whole { octets.read().await? } else { octets.header().await? };
        Ok((original, is_whole))
    }
}
