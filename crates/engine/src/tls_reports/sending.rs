//! Telling domains how TLS came about on the way to their servers: one report for each of them and each day, to where their record says.
//!
//! Invariants: a day is told once, however many nodes there are and whatever is killed: that somebody was told by mail, and the mail, are
//! one transaction; what is posted (HTTPS) may come again, under one number; who did not say that he wants reports gets none (`guard`), and
//! a mailbox here only those of domains of its owner. A report by mail has a null return path and is signed, else nobody may believe it
//! (RFC 8460 3); it goes although the domain's TLS is not as it should be, and what is seen of that is not counted.

use crate::report::Mail;
use crate::reporter::{Reporter, all_of, day_of};
use crate::{Engine, Error, trace};
use guard::{Poster, Resolver};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address as Mailbox;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;
use model::{DomainName, registered};
use proto::tlsrpt::{
    DateRange, Failure, FailureDetails, Place, Policy, PolicyType, Report, ResultType, Results, Summary,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{TlsCount, TlsDay, TlsFailure, TlsPolicy};
use tokio::task::JoinSet;

/// Nodes have written what they saw on a day long before; RFC 8460 4.1: so that not all tell at once.
const AFTER_THE_DAY: SignedDuration = SignedDuration::from_hours(3);
/// Days of domains in one run, and of these at once: some wait long for their name servers.
const DAYS_A_RUN: u32 = 2_000;
const AT_ONCE: usize = 16;
/// How long a run may take, as other jobs wait for it, and how long the name servers of one domain, and its web server, are waited for. The
/// rest is for the next run.
const RUN_MAX: Duration = Duration::from_secs(120);
const ANSWER_MAX: Duration = Duration::from_secs(15);
const POST_MAX: Duration = Duration::from_secs(20);
/// Runs, an hour apart, in which somebody is tried to be told (RFC 8460 5.5: for a day).
const TRIES_MAX: u32 = 24;
/// Places that are told of a day, whatever its record says in which run: whoever is named by many has much of us.
const TOLD_MAX: usize = 2;
/// For how long what was counted is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 14);
/// Days that are forgotten at once, each with a hundred rows at most.
const FORGOTTEN_AT_ONCE: u32 = 100;
/// As which local part it writes.
const FROM: &str = "tlsrpt-noreply";
/// RFC 8460 6.5
const MEDIA_TYPE: &str = "application/tlsrpt+gzip";

/// What became of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Sent,
    Nobody,
    /// Not all could be told, and another time they may be.
    Later,
}

/// What was done of a day in one run.
#[derive(Debug, Default)]
struct Tried {
    posted: Vec<String>,
    /// An address and what goes there.
    mails: Vec<(String, Mail)>,
    /// Somebody could not be told, or it could not be found out who is to be.
    missed: bool,
}

/// What a run needs.
#[derive(Debug)]
struct Run {
    resolver: Resolver,
    /// `None`: nothing is posted.
    poster: Option<Poster>,
    reporter: Reporter,
}

impl Engine {
    /// Who takes reports to web servers; said once, before jobs run.
    pub fn use_poster(&self, poster: Poster) {
        if self.0.poster.set(poster).is_err() {
            tracing::error!("who posts reports was given twice");
        }
    }

    /// Sends the reports of the days that are over, and forgets old days.
    pub(crate) async fn tls_reports_job(&self) -> Result<String, Error> {
        let forgotten = self.forget_tls().await?;
        let Some(resolver) = self.0.resolver.get().cloned() else {
            return Ok(format!("{forgotten} days forgotten; no name servers are known"));
        };
        let poster = self.0.poster.get().cloned();
        let run = Arc::new(Run { resolver, poster, reporter: self.reporter().await? });
        let over = self.now().saturating_sub(AFTER_THE_DAY).unwrap_or(Timestamp::MIN);
        let days = self.0.store.tls_days(day_of(over), DAYS_A_RUN).await?;
        let (mut sent, mut nobody, mut later) = (0, 0, 0);
        let began = Instant::now();
        for some in days.chunks(AT_ONCE) {
            if began.elapsed() > RUN_MAX {
                break;
            }
            let mut tasks = JoinSet::new();
            for day in some {
                let (engine, run, day) = (self.clone(), Arc::clone(&run), day.clone());
                tasks.spawn(async move { engine.tell_tls(&run, &day).await });
            }
            for told in all_of(tasks).await {
                match told {
                    Ok(Told::Sent) => sent += 1,
                    Ok(Told::Nobody) => nobody += 1,
                    Ok(Told::Later) => later += 1,
                    Err(error) => {
                        tracing::warn!(%error, "a domain could not be told of a day's TLS");
                        later += 1;
                    }
                }
            }
        }
        Ok(format!("{sent} sent, {nobody} wanted by nobody, {later} later, {forgotten} days forgotten"))
    }

    async fn forget_tls(&self) -> Result<u64, Error> {
        let before = day_of(self.now().saturating_sub(KEPT).unwrap_or(Timestamp::MIN));
        let mut all = 0;
        loop {
            let gone = self.0.store.forget_tls_days(before, FORGOTTEN_AT_ONCE).await?;
            all += gone;
            if gone < FORGOTTEN_AT_ONCE.into() {
                return Ok(all);
            }
        }
    }

    async fn tell_tls(&self, run: &Arc<Run>, day: &TlsDay) -> Result<Told, Error> {
        let mut tried = Tried::default();
        let ended = match self.try_tls(run, day, &mut tried).await {
            Ok(()) => self.end_tls(day, &tried).await,
            Err(error) => Err(error),
        };
        let error = match ended {
            Ok(told) => return Ok(told),
            Err(error) => error,
        };
        tracing::warn!(%error, domain = day.domain, "a domain could not be told of a day's TLS");
        // Else it would keep others waiting, and what was posted would be posted once more.
        self.end_tls(day, &Tried { posted: tried.posted, missed: true, ..Tried::default() }).await
    }

    async fn try_tls(&self, run: &Arc<Run>, day: &TlsDay, tried: &mut Tried) -> Result<(), Error> {
        let asked = tokio::time::timeout(ANSWER_MAX, run.resolver.tls_report_places(&day.domain)).await;
        let Ok(Ok(places)) = asked else {
            tried.missed = true;
            return Ok(());
        };
        let places = self.tls_places(run, day, places).await?;
        if places.is_empty() {
            return Ok(());
        }
        let counts = self.0.store.tls_counts(day.day, &day.domain).await?;
        let report = Arc::new(report(&run.reporter, day, &counts));
        if report.policies.is_empty() {
            // What was counted cannot be read here: there are nodes of another version.
            tried.missed = true;
            return Ok(());
        }
        for place in places {
            match place {
                Place::Mail(address) => match self.tls_mail(run, (&day.domain, &address), &report).await {
                    Ok(mail) => tried.mails.extend(mail.map(|mail| (address, mail))),
                    Err(error) => {
                        tracing::warn!(%error, domain = day.domain, "a report of TLS could not be written");
                        tried.missed = true;
                    }
                },
                Place::Https(uri) => match posted(run, &uri, &report).await {
                    true => tried.posted.push(uri),
                    false => tried.missed = true,
                },
            }
        }
        Ok(())
    }

    /// Those that are told now: that can be, and have not been yet.
    async fn tls_places(&self, run: &Run, day: &TlsDay, places: Vec<Place>) -> Result<Vec<Place>, Error> {
        let mut new = Vec::new();
        for place in places {
            if new.len() + day.told.len() >= TOLD_MAX {
                break;
            }
            let can_be_told = match &place {
                Place::Https(_) => run.poster.is_some(),
                Place::Mail(_) if run.reporter.keys.is_empty() => false,
                Place::Mail(address) => !self.is_imposed(&day.domain, address).await?,
            };
            if can_be_told && !day.told.contains(name(&place)) {
                new.push(place);
            }
        }
        Ok(new)
    }

    /// Is it an address of this system in a record of somebody else's? Whoever has a domain could have every mailbox here be written to in
    /// our own name, each day once for each name below it.
    async fn is_imposed(&self, domain: &str, address: &str) -> Result<bool, Error> {
        let Some((_, host)) = address.rsplit_once('@') else { return Ok(false) };
        let Ok(known) = DomainName::new(host) else { return Ok(false) };
        Ok(registered(host) != registered(domain) && self.is_local_domain(&known).await?)
    }

    /// `None`: it is an address of this system, and nobody's, or his mailbox is full.
    async fn tls_mail(
        &self,
        run: &Arc<Run>,
        (domain, to): (&str, &str),
        report: &Arc<Report>,
    ) -> Result<Option<Mail>, Error> {
        let writing = (self.clone(), Arc::clone(run), Arc::clone(report), domain.to_owned(), to.to_owned());
        // To shrink, and to sign, is work of the processor.
        let written = tokio::task::spawn_blocking(move || {
            let (engine, run, report, domain, to) = writing;
            engine.compose_tls(&run.reporter, &report, (&domain, &to))
        });
        let written = written.await.ok().flatten().ok_or(Error::Unavailable)?;
        let mail = self.mail_to_machine(&written, to, &run.reporter.signs()).await?;
        Ok(mail.map(Mail::despite_tls))
    }

    /// Notes whom it was told, and has the mails go, in one transaction.
    async fn end_tls(&self, day: &TlsDay, Tried { posted, mails, missed }: &Tried) -> Result<Told, Error> {
        let told: Vec<String> =
            posted.iter().chain(mails.iter().map(|(address, _)| address)).cloned().collect();
        let is_told = !told.is_empty() || !day.told.is_empty();
        let outcome = match (*missed, is_told) {
            (true, _) if day.tries + 1 < TRIES_MAX => None,
            (_, true) => Some("sent"),
            (true, false) => Some("unknown"),
            (false, false) => Some("nobody"),
        };
        let mails: Vec<&Mail> = mails.iter().map(|(_, mail)| mail).collect();
        let destinations: Vec<&str> = mails.iter().filter_map(|mail| mail.destination()).collect();
        let now = self.now();
        if !destinations.is_empty() {
            self.0.store.know_destinations(&destinations, now).await?;
        }
        let mut tx = self.0.store.begin().await?;
        if !tx.tell_tls_day(day, (&told, outcome), now).await? {
            return Ok(Told::Nobody);
        }
        for mail in &mails {
            tx.mail_back(&mail.back(self, now)).await?;
        }
        tx.commit().await?;
        mails.iter().for_each(|mail| mail.tell(self));
        self.nudge(&destinations).await;
        Ok(match outcome {
            None => Told::Later,
            Some("sent") => Told::Sent,
            Some(_) => Told::Nobody,
        })
    }

    /// RFC 8460 5.3. `None`: it cannot be written, or not be signed, so that nobody may believe it.
    fn compose_tls(
        &self,
        reporter: &Reporter,
        report: &Report,
        (domain, to): (&str, &str),
    ) -> Option<Vec<u8>> {
        let text = format!(
            "Báo cáo TLS: kết quả thiết lập kết nối mã hóa khi hệ thống này gửi thư đến tên miền {domain}; gửi tự động theo yêu cầu \
             trong bản ghi _smtp._tls.{domain} (rua).\n\n--\nAggregate report of TLS on the way to the servers of {domain}, sent as \
             its TLSRPT record asks for."
        );
        let parts = vec![
            MimePart::new("text/plain", crate::notices::wrapped(&text)),
            MimePart::new(MEDIA_TYPE, report.packed()).attachment(report.file_name(domain, &reporter.name)),
        ];
        let kind = ContentType::new("multipart/report").attribute("report-type", "tlsrpt");
        let message = MessageBuilder::new()
            .from(Mailbox::new_address(Some(crate::notices::FROM_NAME), report.contact_info.clone()))
            .to(Mailbox::new_address(None::<&str>, to.to_owned()))
            .header("Subject", Raw::new(report.subject(domain, &reporter.name)))
            .header("Date", Raw::new(trace::date(self.now())))
            .message_id(format!("{}@{}", self.queue_id(), self.hostname()))
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .header("TLS-Report-Domain", Raw::new(domain.to_owned()))
            .header("TLS-Report-Submitter", Raw::new(reporter.name.clone()))
            .body(MimePart::new(kind, parts))
            .write_to_vec()
            .ok()?;
        self.signed_now(&message, &reporter.keys)
    }
}

async fn posted(run: &Run, uri: &str, report: &Arc<Report>) -> bool {
    let Some(poster) = &run.poster else { return false };
    let packing = Arc::clone(report);
    let Ok(packed) = tokio::task::spawn_blocking(move || packing.packed()).await else { return false };
    tokio::time::timeout(POST_MAX, poster.post(uri, MEDIA_TYPE, packed)).await.unwrap_or(false)
}

/// As it is noted.
fn name(place: &Place) -> &String {
    match place {
        Place::Mail(address) => address,
        Place::Https(uri) => uri,
    }
}

fn report(reporter: &Reporter, day: &TlsDay, counts: &[(TlsCount, u64)]) -> Report {
    let mut policies: Vec<Results> = Vec::new();
    for (count, sessions) in counts {
        let Some(policy) = policy(&day.domain, &count.policy) else { continue };
        let at = policies.iter().position(|known| known.policy == policy).unwrap_or_else(|| {
            policies.push(Results { policy, summary: Summary::default(), failure_details: Vec::new() });
            policies.len() - 1
        });
        let Some(Results { summary, failure_details, .. }) = policies.get_mut(at) else { continue };
        match &count.failure {
            None => summary.total_successful_session_count += sessions,
            Some(row) => {
                summary.total_failure_session_count += sessions;
                failure_details.extend(failure(row).map(|failure| FailureDetails {
                    failure,
                    failed_session_count: *sessions,
                    additional_information: None,
                }));
            }
        }
    }
    Report {
        organization_name: reporter.name.clone(),
        date_range: range(day.day),
        contact_info: format!("{FROM}@{}", reporter.name),
        // The same however often it is sent.
        report_id: format!("{}.{}", day.day.strftime("%Y%m%d"), day.domain),
        policies,
    }
}

fn range(day: Date) -> DateRange {
    let start_datetime = day.to_zoned(TimeZone::UTC).map_or(Timestamp::MIN, |start| start.timestamp());
    let end_datetime = start_datetime.saturating_add(SignedDuration::from_secs(86_399));
    DateRange { start_datetime, end_datetime: end_datetime.unwrap_or(Timestamp::MAX) }
}

fn policy(domain: &str, row: &TlsPolicy) -> Option<Policy> {
    Some(Policy {
        policy_type: PolicyType::from_name(&row.kind)?,
        policy_string: row.text.lines.clone(),
        policy_domain: domain.to_owned(),
        mx_host: row.text.hosts.clone(),
    })
}

fn failure(row: &TlsFailure) -> Option<Failure> {
    let address = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
    Some(Failure {
        result_type: ResultType::from_name(&row.result)?,
        sending_mta_ip: address(&row.sending),
        receiving_mx_hostname: row.mx.clone(),
        receiving_ip: address(&row.receiving),
        failure_reason_code: row.reason.clone(),
    })
}
