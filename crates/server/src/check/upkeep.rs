//! What is to be kept up for each domain and by the nightly jobs: keys that sign, the centre's mailboxes, work that is done.

use super::Findings;
use super::database::{DOMAINS_MAX, Found};
use crate::system::SystemClock;
use jiff::{SignedDuration, Timestamp};
use model::calendar::local_text;
use model::{AccountId, Address, Clock as _, DomainName};
use std::collections::HashSet;
use store::{
    FilteredCounts, ForwardFilter, JobRow, NearlyFullQuarantine, QUARANTINE_BYTES_MAX,
    QUARANTINE_MESSAGES_MAX, Reach,
};

/// A server that runs begins a job within seconds of its time; one that was stopped overnight needs some.
const LATE_MAX: SignedDuration = SignedDuration::from_hours(1);
/// Mailboxes named in one line.
const NAMED_MAX: u32 = 5;

/// Where users send what they take for spam.
const SPAM: &str = "contact.spam";

/// `learns`: what is reported there is taught to the filter.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn look(
    store: &store::Store,
    (found, learns): (&Found, bool),
    findings: &mut Findings,
) -> Result<(), store::Error> {
    unsigned(found, findings);
    for (id, domain) in store.domain_ids().await?.into_iter().take(DOMAINS_MAX) {
        let Some(version) = store.policy(id).await? else { continue };
        let contact = &version.policy.contact;
        for (field, local, name) in [
            (SPAM, &contact.spam, "Xử lý thư rác"),
            ("contact.support", &contact.support, "Hỗ trợ thư điện tử"),
        ] {
            let Ok(address) = Address::new(local, domain.as_str()) else { continue };
            match store.party(&address).await? {
                None if learns && field == SPAM && store.group(&address).await?.is_some() => {
                    never_read(&domain, &address, "is a group", findings);
                }
                None => nobody_at(&domain, (field, name), &address, findings),
                Some(party) if learns && field == SPAM && !has_its_mail(store, party.account).await? => {
                    never_read(&domain, &address, "passes its mail on and keeps no copy", findings);
                }
                Some(_) => {}
            }
        }
    }
    kept_back(&store.filtered_counts().await?, findings);
    let count = store.quarantine_counts().await?.nearly_full;
    apart((count, &store.nearly_full_quarantines(NAMED_MAX).await?), findings);
    jobs(&store.jobs().await?, SystemClock.now(), findings);
    Ok(())
}

/// Others put unsigned mail into the folder of spam.
fn unsigned(found: &Found, findings: &mut Findings) {
    let signed: HashSet<&str> = found.keys.iter().map(|(domain, _)| domain.as_str()).collect();
    for domain in found.domains.iter().filter(|domain| !signed.contains(domain.as_str())).take(DOMAINS_MAX) {
        let mend =
            format!("congthu dkim add {domain}, publish what it prints, then congthu dkim rotate {domain}");
        findings.warn("dkim", format!("{domain} has no key: its mail is not signed"), mend);
    }
}

/// Whoever is told to write there writes in vain.
fn nobody_at(domain: &DomainName, (field, name): (&str, &str), address: &Address, findings: &mut Findings) {
    findings.warn(
        "contact",
        format!("{domain}: {field} is {address}, and nobody has that mailbox"),
        format!("congthu mailbox add {address} --name \"{name}\" --class service"),
    );
}

/// Is what is written to this mailbox in it?
async fn has_its_mail(store: &store::Store, account: AccountId) -> Result<bool, store::Error> {
    let reach = Reach { everything: true, ..Reach::default() };
    let filter = ForwardFilter {
        reach: &reach,
        domain: None,
        account: Some(account),
        target: None,
        outside: false,
        after: None,
        limit: 1,
    };
    Ok(store.forwards_listed(filter).await?.iter().all(|listed| listed.forward.keep_copy))
}

/// What is reported there teaches the filter nothing, though it is to learn.
fn never_read(domain: &DomainName, address: &Address, why: &str, findings: &mut Findings) {
    findings.warn(
        "contact",
        format!(
            "{domain}: {SPAM} is {address}, which {why}: rspamd learns nothing of what is reported there"
        ),
        "let it be a mailbox that keeps its mail: docs/operations/filters.md",
    );
}

/// What users sent and nobody else looks at.
fn kept_back(counts: &FilteredCounts, findings: &mut Findings) {
    let Some(oldest) = counts.oldest else { return };
    let (waiting, since) = (counts.deliveries, local_text(oldest));
    findings.warn(
        "queue",
        format!(
            "{waiting} deliveries to others are kept back as spam, the first since {since}: they wait for you"
        ),
        "congthu queue list --state held-by-filter, then congthu queue release ID or congthu queue expire ID",
    );
}

/// Beyond its end what is to be kept apart comes as Junk, and nobody is asked.
fn apart((count, fullest): (u64, &[NearlyFullQuarantine]), findings: &mut Findings) {
    let Some(first) = fullest.first() else { return };
    let named = |one: &NearlyFullQuarantine| {
        format!("{} ({} messages, {} MB)", one.mailbox, one.messages, one.bytes >> 20)
    };
    let named: Vec<String> = fullest.iter().map(named).collect();
    let (messages, megabytes) = (QUARANTINE_MESSAGES_MAX, QUARANTINE_BYTES_MAX >> 20);
    findings.warn(
        "quarantine",
        format!(
            "{count} mailboxes have nine tenths or more of what may be kept apart for one ({messages} messages, {megabytes} MB), beyond \
             which it comes as Junk: {}",
            named.join(", ")
        ),
        format!(
            "congthu quarantine list --mailbox {}, then release or delete; or a shorter filter.quarantine_days",
            first.mailbox
        ),
    );
}

fn jobs(jobs: &[JobRow], now: Timestamp, findings: &mut Findings) {
    let before = findings.0.len();
    for job in jobs {
        let name = &job.name;
        let again = format!("congthu job run {name}");
        let is_late =
            job.taken_until.is_none_or(|until| until < now) && now.duration_since(job.next_run) > LATE_MAX;
        if job.paused {
            findings.warn("jobs", format!("{name} is paused"), format!("congthu job resume {name}"));
        } else if job.failed {
            let ended = job.ended_at.map(local_text).unwrap_or_default();
            let why = job.result.as_deref().unwrap_or_default();
            findings.error("jobs", format!("{name} failed {ended}: {why}"), again);
        } else if is_late {
            let what = format!("{name} was to run {}, and has not", local_text(job.next_run));
            findings.error("jobs", what, "no server runs, or it is in trouble: see its log");
        }
    }
    if findings.0.len() == before && !jobs.is_empty() {
        findings.ok("jobs", format!("{} ran in time, or wait for their hour", jobs.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Level, as_text};
    use super::*;

    fn job(name: &str) -> JobRow {
        JobRow {
            name: name.to_owned(),
            next_run: "2026-11-23T19:00:00Z".parse().unwrap(),
            taken_until: None,
            started_at: None,
            ended_at: None,
            result: None,
            failed: false,
            paused: false,
        }
    }

    fn said(rows: &[JobRow], now: &str) -> (usize, usize, String) {
        let mut findings = Findings::default();
        jobs(rows, now.parse().unwrap(), &mut findings);
        (findings.count(Level::Warning), findings.count(Level::Error), as_text(&findings))
    }

    #[test]
    fn a_job_that_failed_waits_or_is_late_is_said() {
        assert_eq!(said(&[job("life")], "2026-11-23T19:59:00Z").1, 0);
        let (_, errors, text) = said(&[job("life"), job("quota")], "2026-11-23T20:01:00Z");
        assert_eq!(errors, 2, "{text}");
        assert!(text.contains("life was to run 2026-11-24 02:00"), "{text}");
        // A node is at it.
        let taken = JobRow { taken_until: "2026-11-23T20:05:00Z".parse().ok(), ..job("life") };
        assert_eq!(said(&[taken], "2026-11-23T20:01:00Z").1, 0);

        let failed = JobRow { failed: true, result: Some("no room".to_owned()), ..job("quota") };
        let (_, errors, text) = said(&[failed], "2026-11-23T12:00:00Z");
        assert!(errors == 1 && text.contains("no room; congthu job run quota"), "{text}");
        let (warnings, _, text) = said(&[JobRow { paused: true, ..job("life") }], "2026-11-23T12:00:00Z");
        assert!(warnings == 1 && text.contains("congthu job resume life"), "{text}");
    }

    #[test]
    fn that_mail_waits_for_an_administrator_is_said() {
        let mut findings = Findings::default();
        kept_back(&FilteredCounts::default(), &mut findings);
        assert_eq!(findings.0.len(), 0);
        let oldest = "2026-11-23T19:00:00Z".parse().ok();
        kept_back(&FilteredCounts { deliveries: 3, oldest }, &mut findings);
        let text = as_text(&findings);
        assert!(
            text.contains("3 deliveries to others are kept back as spam, the first since 2026-11-24 02:00"),
            "{text}"
        );
        assert!(text.contains("congthu queue list --state held-by-filter"), "{text}");
    }

    #[test]
    fn that_a_quarantine_is_nearly_full_is_said() {
        let mut findings = Findings::default();
        apart((0, &[]), &mut findings);
        assert_eq!(findings.0.len(), 0);
        let one =
            NearlyFullQuarantine { mailbox: "an@demo.gov.vn".to_owned(), messages: 1_900, bytes: 3 << 20 };
        apart((7, &[one]), &mut findings);
        let text = as_text(&findings);
        assert!(text.contains("7 mailboxes have nine tenths or more"), "{text}");
        assert!(text.contains("(2000 messages, 1024 MB)"), "{text}");
        assert!(text.contains("an@demo.gov.vn (1900 messages, 3 MB)"), "{text}");
        assert!(text.contains("congthu quarantine list --mailbox an@demo.gov.vn"), "{text}");
    }

    #[test]
    fn a_domain_without_a_key_is_said() {
        let domains = vec![DomainName::new("a.vn").unwrap(), DomainName::new("b.vn").unwrap()];
        let mut findings = Findings::default();
        unsigned(&Found { domains, ..Found::default() }, &mut findings);
        let text = as_text(&findings);
        assert_eq!(findings.count(Level::Warning), 2, "{text}");
        assert!(text.contains("congthu dkim add a.vn"), "{text}");
    }
}
