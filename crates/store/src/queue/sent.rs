//! Saying of many deliveries in one statement that they were handed over: what nearly all reports say, each connection to another
//! server one after every message.
//!
//! Invariants: as of every report, only under the lease; nobody waits for what somebody else has locked: nothing is said of it here,
//! and its caller says it by itself. So is everything whose answer was lost: then the lease tells.

use crate::group::Carrier;
use crate::line::Line;
use crate::queue::NewOutgoingEvent;
use crate::{Pools, Store};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use tokio::sync::oneshot;

/// A delivery whose recipients all have it.
#[derive(Clone, Copy, Debug)]
pub struct SentDelivery {
    pub lease: i64,
    pub delivery: i64,
    pub message: i64,
}

impl Store {
    /// That it was handed over, and its sender hears nothing of that. False: nothing is known to have changed, and
    /// [`Store::report_mail`] has to say it.
    pub async fn report_sent(&self, sent: SentDelivery, event: &NewOutgoingEvent<'_>) -> bool {
        let (answer, answered) = oneshot::channel();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let NewOutgoingEvent { event, recipients } = event;
        let report = Report {
            sent,
            at: event.at,
            trace: event.trace.to_owned(),
            account: event.account.map(|account| account.0),
            remote: owned(event.remote),
            sender: owned(event.sender),
            status: owned(event.status),
            about: owned(event.about),
            recipients: recipients.clone(),
            answer,
        };
        self.sent.add(report, &self.pools).await;
        answered.await.unwrap_or(false)
    }
}

/// What is said, and who waits for it.
#[derive(Debug)]
pub(crate) struct Report {
    sent: SentDelivery,
    at: Timestamp,
    trace: String,
    account: Option<i64>,
    remote: Option<String>,
    sender: Option<String>,
    status: Option<String>,
    about: Option<String>,
    recipients: Vec<String>,
    answer: oneshot::Sender<bool>,
}

/// Takes reports to the database.
#[derive(Debug)]
pub(crate) struct Reporter(Line);

impl Carrier for Reporter {
    type Job = Report;
    /// In recipients: a statement of some milliseconds.
    const WEIGHT_MAX: usize = 500;

    type Shared = Pools;

    fn new(pools: Pools) -> Self {
        Self(Line::new(pools.main))
    }

    fn weight(report: &Report) -> usize {
        report.recipients.len() + 1
    }

    async fn carry(&mut self, reports: Vec<Report>) {
        let ended = self.say(&reports).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "what was handed over is said of each by itself");
            self.0.cut();
            Vec::new()
        });
        for report in reports {
            // Who is gone hears nothing.
            let _gone = report.answer.send(ended.contains(&report.sent.delivery));
        }
    }
}

impl Reporter {
    async fn say(&mut self, reports: &[Report]) -> Result<Vec<i64>, sqlx::Error> {
        let numbers =
            |of: fn(&SentDelivery) -> i64| reports.iter().map(|it| of(&it.sent)).collect::<Vec<_>>();
        let texts = |of: fn(&Report) -> Option<&str>| reports.iter().map(of).collect::<Vec<_>>();
        let (mut firsts, mut lasts, mut said) = (Vec::new(), Vec::new(), 0_usize);
        for report in reports {
            firsts.push(i32::try_from(said + 1).unwrap_or(i32::MAX));
            said += report.recipients.len();
            lasts.push(i32::try_from(said).unwrap_or(i32::MAX));
        }
        sqlx::query_scalar("select report_sent($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
            .bind(numbers(|sent| sent.lease))
            .bind(numbers(|sent| sent.delivery))
            .bind(numbers(|sent| sent.message))
            .bind(reports.iter().map(|it| it.at.to_sqlx()).collect::<Vec<_>>())
            .bind(texts(|it| Some(&it.trace)))
            .bind(reports.iter().map(|it| it.account).collect::<Vec<_>>())
            .bind(texts(|it| it.remote.as_deref()))
            .bind(texts(|it| it.sender.as_deref()))
            .bind(texts(|it| it.status.as_deref()))
            .bind(texts(|it| it.about.as_deref()))
            .bind(reports.iter().flat_map(|it| &it.recipients).map(String::as_str).collect::<Vec<_>>())
            .bind(firsts)
            .bind(lasts)
            .fetch_one(self.0.connection().await?)
            .await
    }
}
