//! Telling domains what came in their names: one report for each of them and each day, to whom their record names.
//!
//! Invariants: a day is told once, however many nodes there are and whatever is killed: that it is over, and the mail that says so, are
//! one transaction; who did not say that he wants reports gets none (`guard`); a report has a null return path, so nothing answers
//! it. It is signed when it is written, not when it is sent: what leaves without an author who logged in is not signed there.

use crate::report::Mail;
use crate::reporter::{Reporter, all_of, day_of};
use crate::{Engine, Error, trace};
use guard::{ReportAddress, Resolver};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address as Mailbox;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use proto::dmarc::{Disposition, DkimResult, Report, Row, SpfResult, pack};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{DmarcCount, DmarcDay};
use tokio::task::JoinSet;

/// Nodes have written what came on a day by then.
const AFTER_THE_DAY: SignedDuration = SignedDuration::from_hours(1);
/// Days of domains in one run, and of these at once: some wait long for their name servers.
const DAYS_A_RUN: u32 = 2_000;
const AT_ONCE: usize = 16;
/// How long a run may take, as other jobs wait for it, and how long the name servers of one domain are waited for. The rest is for the
/// next run.
const RUN_MAX: Duration = Duration::from_secs(120);
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// Runs after which a domain that could not be told, or whose name servers do not say whom to tell, is not told.
const TRIES_MAX: u32 = 8;
/// For how long what was counted is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 14);
const FORGOTTEN_AT_ONCE: u32 = 500;
/// Octets of a mail, where its recipient does not say less: many servers take 10 MB.
const BYTES_MAX: u64 = 8 << 20;
/// As which local part it writes.
const FROM: &str = "dmarc-noreply";

/// What became of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Sent,
    Nobody,
    /// It could not be told, or not be found out whom to tell, and another time it may be.
    Later,
}

impl Engine {
    /// Whom to ask about the domains of others; said once, before jobs run.
    pub fn use_resolver(&self, resolver: Resolver) {
        if self.0.resolver.set(resolver).is_err() {
            tracing::error!("name servers were given twice");
        }
    }

    /// Sends the reports of the days that are over, and forgets old days.
    pub(crate) async fn dmarc_reports_job(&self) -> Result<String, Error> {
        let forgotten = self.forget_dmarc().await?;
        let Some(resolver) = self.0.resolver.get() else {
            return Ok(format!("{forgotten} days forgotten; no name servers are known"));
        };
        let reporter = self.reporter().await?;
        let over = self.now().saturating_sub(AFTER_THE_DAY).unwrap_or(Timestamp::MIN);
        let days = self.0.store.dmarc_days(day_of(over), DAYS_A_RUN).await?;
        let (mut sent, mut nobody, mut later) = (0, 0, 0);
        let reporter = Arc::new(reporter);
        let began = Instant::now();
        for some in days.chunks(AT_ONCE) {
            if began.elapsed() > RUN_MAX {
                break;
            }
            let mut tasks = JoinSet::new();
            for day in some {
                let (engine, resolver, day) = (self.clone(), resolver.clone(), day.clone());
                let reporter = Arc::clone(&reporter);
                tasks.spawn(async move { engine.tell_day(&resolver, &reporter, &day).await });
            }
            for told in all_of(tasks).await {
                match told {
                    Ok(Told::Sent) => sent += 1,
                    Ok(Told::Nobody) => nobody += 1,
                    Ok(Told::Later) => later += 1,
                    Err(error) => {
                        tracing::warn!(%error, "a domain could not be told of a day's mail");
                        later += 1;
                    }
                }
            }
        }
        Ok(format!("{sent} sent, {nobody} wanted by nobody, {later} later, {forgotten} days forgotten"))
    }

    async fn forget_dmarc(&self) -> Result<u64, Error> {
        let before = day_of(self.now().saturating_sub(KEPT).unwrap_or(Timestamp::MIN));
        let mut all = 0;
        loop {
            let gone = self.0.store.forget_dmarc_days(before, FORGOTTEN_AT_ONCE).await?;
            all += gone;
            if gone < FORGOTTEN_AT_ONCE.into() {
                return Ok(all);
            }
        }
    }

    async fn tell_day(
        &self,
        resolver: &Resolver,
        reporter: &Arc<Reporter>,
        day: &DmarcDay,
    ) -> Result<Told, Error> {
        let asked = tokio::time::timeout(ANSWER_MAX, resolver.report_addresses(&day.domain)).await;
        let Ok(found) = asked else { return self.find_later(day).await };
        match found {
            Ok(addresses) if addresses.is_empty() => {
                self.end_day(day, "nobody", &[]).await?;
                Ok(Told::Nobody)
            }
            Ok(addresses) => match self.send_day(reporter, day, &addresses).await {
                Err(error) => {
                    tracing::warn!(%error, domain = day.domain, "a domain could not be told of a day's mail");
                    // Else it would keep others waiting.
                    self.find_later(day).await
                }
                told => told,
            },
            Err(_) => self.find_later(day).await,
        }
    }

    async fn find_later(&self, day: &DmarcDay) -> Result<Told, Error> {
        if day.tries + 1 >= TRIES_MAX {
            self.end_day(day, "unknown", &[]).await?;
            return Ok(Told::Nobody);
        }
        self.0.store.note_dmarc_try(day).await?;
        Ok(Told::Later)
    }

    async fn send_day(
        &self,
        reporter: &Arc<Reporter>,
        day: &DmarcDay,
        addresses: &[ReportAddress],
    ) -> Result<Told, Error> {
        let counts = self.0.store.dmarc_counts(day.day, &day.domain).await?;
        let report = Arc::new(report(reporter, day, &counts));
        let mut mails = Vec::new();
        for to in addresses {
            let writing = (self.clone(), Arc::clone(reporter), Arc::clone(&report), to.clone());
            // To shrink, and to sign, is work of the processor.
            let written = tokio::task::spawn_blocking(move || {
                let (engine, reporter, report, to) = writing;
                engine.write_dmarc_mail(&reporter, &report, &to)
            });
            let Some(written) = written.await.map_err(|_| Error::Unavailable)? else {
                tracing::info!("somebody wants reports smaller than any");
                continue;
            };
            mails.extend(self.mail_to_machine(&written, &to.address, &reporter.signs()).await?);
        }
        let outcome = if mails.is_empty() { "nobody" } else { "sent" };
        let is_told = self.end_day(day, outcome, &mails).await? && !mails.is_empty();
        Ok(if is_told { Told::Sent } else { Told::Nobody })
    }

    /// False when somebody else has ended it.
    async fn end_day(&self, day: &DmarcDay, outcome: &str, mails: &[Mail]) -> Result<bool, Error> {
        let destinations: Vec<&str> = mails.iter().filter_map(Mail::destination).collect();
        let now = self.now();
        if !destinations.is_empty() {
            self.0.store.know_destinations(&destinations, now).await?;
        }
        let mut tx = self.0.store.begin().await?;
        if !tx.end_dmarc_day(day, outcome, now).await? {
            return Ok(false);
        }
        for mail in mails {
            tx.mail_back(&mail.back(self, now)).await?;
        }
        tx.commit().await?;
        mails.iter().for_each(|mail| mail.tell(self));
        self.nudge(&destinations).await;
        Ok(true)
    }

    /// With so many of its rows, the most frequent first, as there is room for; `None` when there is none for any.
    fn write_dmarc_mail(&self, reporter: &Reporter, report: &Report, to: &ReportAddress) -> Option<Vec<u8>> {
        let bytes_max = to.bytes_max.unwrap_or(BYTES_MAX).min(BYTES_MAX);
        let mut report = report.clone();
        loop {
            let packed = pack(&report.to_xml());
            let written = self.compose_dmarc(reporter, &report, (&to.address, packed));
            if written.len() as u64 <= bytes_max {
                return Some(written);
            }
            if report.rows.len() <= 1 {
                return None;
            }
            report.rows.truncate(report.rows.len() / 2);
        }
    }

    /// RFC 7489 7.2.1.1.
    fn compose_dmarc(&self, reporter: &Reporter, report: &Report, (to, packed): (&str, Vec<u8>)) -> Vec<u8> {
        let domain = &report.domain;
        let text = format!(
            "Báo cáo DMARC tổng hợp về thư gửi đến hệ thống này với danh nghĩa tên miền {domain}; gửi tự động theo yêu cầu trong \
             bản ghi _dmarc.{domain} (rua).\n\n--\nAggregate report of mail that came here in the name of {domain}, sent as the \
             domain's DMARC record asks for."
        );
        let message = MessageBuilder::new()
            .from(Mailbox::new_address(Some(crate::notices::FROM_NAME), format!("{FROM}@{}", reporter.name)))
            .to(Mailbox::new_address(None::<&str>, to.to_owned()))
            .subject(Text::new(report.subject(&reporter.name)))
            .header("Date", Raw::new(trace::date(self.now())))
            .message_id(format!("{}@{}", self.queue_id(), self.hostname()))
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .text_body(crate::notices::wrapped(&text))
            .attachment("application/gzip", report.file_name(&reporter.name), packed)
            .write_to_vec()
            .unwrap_or_default();
        self.signed_now(&message, &reporter.keys).unwrap_or(message)
    }
}

fn report(reporter: &Reporter, day: &DmarcDay, counts: &[(DmarcCount, u64)]) -> Report {
    let begin = day.day.to_zoned(TimeZone::UTC).map_or(0, |start| start.timestamp().as_second());
    let published = &day.published;
    Report {
        org: reporter.name.clone(),
        email: format!("{FROM}@{}", reporter.name),
        // The same however often it is written.
        id: format!("{}.{}", day.day.strftime("%Y%m%d"), day.domain),
        begin,
        end: begin + 86_399,
        domain: day.domain.clone(),
        strict_dkim: published.strict_dkim,
        strict_spf: published.strict_spf,
        policy: published.policy.clone(),
        below: published.below.clone(),
        rows: counts.iter().filter_map(row).collect(),
    }
}

fn row((count, messages): &(DmarcCount, u64)) -> Option<Row> {
    let dkim = |(domain, selector, result): &(String, String, String)| DkimResult {
        domain: domain.clone(),
        selector: selector.clone(),
        result: result.clone(),
    };
    Some(Row {
        source: count.source.parse().ok()?,
        messages: *messages,
        disposition: Disposition::of(&count.disposition),
        dkim_aligned: count.dkim_aligned,
        spf_aligned: count.spf_aligned,
        reasons: count.reason.iter().cloned().collect(),
        header_from: count.header_from.clone(),
        envelope_from: count.envelope_from.clone(),
        dkim: count.dkim.iter().map(dkim).collect(),
        spf: Some(SpfResult {
            domain: count.spf_domain.clone(),
            of_helo: count.envelope_from.is_empty(),
            result: count.spf.clone(),
        }),
    })
}
