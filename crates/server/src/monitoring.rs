//! `/metrics`: the recorder that the other crates count with, and what is only looked at when somebody asks.
//!
//! Invariants: every metric of the program stands in [`METRICS`] with a sentence for the operator, and in
//! `docs/operations/metrics.md`; a label has few values, none of a user or a peer; a page costs no query.

use crate::tls::Certificates;
use anyhow::{Context as _, Result};
use engine::Engine;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use model::Clock as _;
use smtp::Gate;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Upper bounds in seconds: a cached command takes under a millisecond, a commit some, a large message seconds.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// How often measured durations are put into their buckets when nobody asks: until then each is kept.
const UPKEEP: Duration = Duration::from_secs(5);
/// How often the database is asked for the lag of the search index, which it has to count.
const SEARCH_LAG_EVERY: Duration = Duration::from_secs(30);

enum Kind {
    Counter,
    Gauge,
    Histogram,
}
use Kind::{Counter, Gauge, Histogram};

/// Name, kind, what it says. By area.
const METRICS: &[(&str, Kind, &str)] = &[
    ("congthu_build_info", Gauge, "1; the label version is this program's"),
    ("congthu_start_timestamp_seconds", Gauge, "When the server was ready, in seconds since 1970"),
    ("congthu_connections_total", Counter, "Connections taken, by door"),
    ("congthu_connections_open", Gauge, "Connections open now, by door"),
    ("congthu_connections_refused_total", Counter, "Connections turned away, by door and reason"),
    ("congthu_tls_failures_total", Counter, "TLS handshakes that failed, by door"),
    ("congthu_messages_accepted_total", Counter, "Messages acknowledged, by door"),
    ("congthu_messages_accepted_bytes_total", Counter, "Their octets, by door"),
    (
        "congthu_dnsbl_total",
        Counter,
        "Addresses that a list of unwanted ones (DNSBL) was asked about, by list and result",
    ),
    ("congthu_dnsbl_down", Gauge, "1 while a list of addresses is not asked, as it failed, by list"),
    (
        "congthu_first_contacts_total",
        Counter,
        "Messages of senders that greylisting looked at, by what it found",
    ),
    ("congthu_scans_total", Counter, "Messages that a scanner was asked about, by scanner and result"),
    ("congthu_scan_seconds", Histogram, "How long scanners took, by scanner"),
    (
        "congthu_scanner_down",
        Gauge,
        "1: the scanner failed so often that it is not asked for a while, by scanner",
    ),
    (
        "congthu_filtered_total",
        Counter,
        "Messages that scanners had something done with, by direction, reason and act",
    ),
    (
        "congthu_lessons_total",
        Counter,
        "Messages that users moved into Junk or out of it, or reported, by what they said and what became of it",
    ),
    ("congthu_senders_throttled_total", Counter, "Times a mailbox reached its limit of sending and was told"),
    ("congthu_senders_locked_total", Counter, "Mailboxes locked as they sent as no person would"),
    (
        "congthu_cloud_logins_total",
        Counter,
        "Times somebody was told that his mail program hands the password to its maker, by what was done (act)",
    ),
    (
        "congthu_strange_logins_total",
        Counter,
        "Log-ins from countries that mailboxes are not used from, by what was done (act)",
    ),
    (
        "congthu_dmarc_dropped_total",
        Counter,
        "Kinds of mail missing in reports to the domains in whose names it came, as there were too many",
    ),
    (
        "congthu_tls_reports_dropped_total",
        Counter,
        "Kinds of sessions missing in reports of TLS to the domains that mail went to, as there were too many",
    ),
    (
        "congthu_dmarc_left_out_total",
        Counter,
        "Lines of others' reports that were counted together or not at all, as they told too much in a day",
    ),
    ("congthu_messages_refused_total", Counter, "Messages refused after DATA, by door and reason"),
    ("congthu_recipients_refused_total", Counter, "Recipients refused, by door and reason"),
    ("congthu_deliver_seconds", Histogram, "From the end of a message to its durable commit, by door"),
    ("congthu_arriving_bytes", Gauge, "Octets of messages that are arriving now"),
    ("congthu_arriving_bytes_max", Gauge, "How many there may be; beyond, messages get 452"),
    ("congthu_message_memory_bytes", Gauge, "Octets of whole messages in memory now"),
    (
        "congthu_message_memory_bytes_max",
        Gauge,
        "How many there may be; beyond, deliveries wait for each other",
    ),
    (
        "congthu_outgoing_total",
        Counter,
        "Recipients elsewhere, by result (sent, deferred, bounced, cancelled); destinations not reached (unreachable)",
    ),
    ("congthu_queue_deliveries", Gauge, "Messages times destinations that wait to go out"),
    ("congthu_queue_oldest_seconds", Gauge, "For how long the oldest of them has waited"),
    ("congthu_queue_filtered_deliveries", Gauge, "Those of them that the filter for spam keeps back"),
    ("congthu_queue_filtered_oldest_seconds", Gauge, "For how long the oldest of these has been kept back"),
    ("congthu_quarantine_messages", Gauge, "Messages that are kept apart, by mailbox"),
    ("congthu_quarantine_bytes", Gauge, "Their octets"),
    (
        "congthu_quarantine_nearly_full",
        Gauge,
        "Mailboxes with nine tenths of what may be kept apart, or more",
    ),
    ("congthu_logins_total", Counter, "Log-ins, by door and result"),
    ("congthu_imap_commands_total", Counter, "IMAP commands, by command and result (ok, refused, ended)"),
    ("congthu_imap_command_seconds", Histogram, "How long IMAP commands took, by command, IDLE excepted"),
    ("congthu_sieve_commands_total", Counter, "ManageSieve commands, by command and result"),
    ("congthu_sieve_command_seconds", Histogram, "How long ManageSieve commands took, by command"),
    ("congthu_imap_idle", Gauge, "Sessions in IDLE now"),
    ("congthu_mailboxes_watched", Gauge, "Mailboxes that sessions of this node wait for news of"),
    ("congthu_database_connections", Gauge, "Connections to Postgres, by pool and state (used, idle)"),
    ("congthu_database_connections_max", Gauge, "How many there may be, by pool"),
    ("congthu_database_errors_total", Counter, "What the database did not do, by kind"),
    (
        "congthu_postgres_restarts_total",
        Counter,
        "Times the embedded Postgres ended by itself and was started again",
    ),
    ("congthu_swept_total", Counter, "Things nobody needed that the sweeper removed, by kind"),
    ("congthu_sweep_last_timestamp_seconds", Gauge, "When the sweeper last had nothing left to do"),
    (
        "congthu_housekeeping_failures_total",
        Counter,
        "Background work that failed and will be tried again, by task",
    ),
    ("congthu_search_waiting", Gauge, "Messages that are not yet in the search index"),
    ("congthu_search_lag_seconds", Gauge, "For how long the oldest of them has waited"),
    ("congthu_certificate_expiry_timestamp_seconds", Gauge, "When the certificate for this name ends"),
    (
        "congthu_certificate_orders_total",
        Counter,
        "Orders of certificates that ended, by result (done, failed)",
    ),
    ("congthu_certificate_reloads_total", Counter, "Certificates loaded anew, by result (ok, failed)"),
];

/// Where everything is counted.
#[derive(Clone)]
pub(crate) struct Monitoring(PrometheusHandle);

impl Monitoring {
    /// From here on, what the crates count is kept. Once per process.
    ///
    /// # Errors
    /// When something is counting already.
    pub(crate) fn start() -> Result<Self> {
        let builder = PrometheusBuilder::new();
        let suffix = Matcher::Suffix("_seconds".to_owned());
        let recorder = builder.set_buckets_for_metric(suffix, &SECONDS).context("buckets")?.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).context("metrics are counted already")?;
        for (name, kind, help) in METRICS {
            match kind {
                Counter => describe_counter!(*name, *help),
                Gauge => describe_gauge!(*name, *help),
                Histogram => describe_histogram!(*name, *help),
            }
        }
        gauge!("congthu_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        gauge!("congthu_start_timestamp_seconds").set(seconds(crate::system::SystemClock.now()));
        counter!("congthu_postgres_restarts_total").absolute(0);
        Ok(Self(handle))
    }

    /// Keeps the memory of what was measured small, until `stop`.
    pub(crate) async fn upkeep(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.0.run_upkeep(),
                () = stop.cancelled() => return,
            }
        }
    }

    /// Asks for what only the database knows, until `stop`; a page must not wait for it.
    pub(crate) async fn watch_search(engine: Engine, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(SEARCH_LAG_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            // A database that does not answer is told of elsewhere.
            if let Ok(lag) = engine.search_lag().await {
                let waits = lag.oldest.map_or(0.0, |oldest| seconds(engine.now()) - seconds(oldest));
                gauge!("congthu_search_waiting").set(lag.contents as f64);
                gauge!("congthu_search_lag_seconds").set(waits.max(0.0));
            }
        }
    }

    /// Writes the page of the moment it is asked for.
    pub(crate) fn page(
        self,
        engine: Engine,
        gate: Arc<Gate>,
        certificates: Arc<Certificates>,
    ) -> impl Fn() -> String {
        move || {
            look(&engine, &gate, &certificates);
            self.0.render()
        }
    }
}

/// What is not counted as it happens.
fn look(engine: &Engine, gate: &Gate, certificates: &Certificates) {
    let (arriving, arriving_max) = gate.bytes_arriving();
    gauge!("congthu_arriving_bytes").set(arriving as f64);
    gauge!("congthu_arriving_bytes_max").set(arriving_max as f64);
    let figures = engine.figures();
    let (memory, memory_max) = figures.message_bytes;
    gauge!("congthu_message_memory_bytes").set(memory as f64);
    gauge!("congthu_message_memory_bytes_max").set(memory_max as f64);
    gauge!("congthu_mailboxes_watched").set(figures.mailboxes_watched as f64);
    for pool in figures.pools {
        gauge!("congthu_database_connections", "pool" => pool.name, "state" => "used").set(pool.used);
        gauge!("congthu_database_connections", "pool" => pool.name, "state" => "idle").set(pool.idle);
        gauge!("congthu_database_connections_max", "pool" => pool.name).set(pool.max);
    }
    for (name, end) in certificates.ends() {
        gauge!("congthu_certificate_expiry_timestamp_seconds", "name" => name).set(seconds(end));
    }
}

fn seconds(time: jiff::Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::METRICS;
    use std::collections::BTreeSet;
    use std::path::Path;

    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

    fn sources(directory: &Path, found: &mut String) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("server/src/monitoring.rs")
            {
                found.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }

    /// Quoted words that begin as metrics do.
    fn names(text: &str) -> BTreeSet<&str> {
        let quoted = text.split('"').filter(|word| word.starts_with("congthu_"));
        let ends =
            ["_total", "_open", "_seconds", "_idle", "_deliveries", "_messages", "_bytes", "_down", "_full"];
        quoted.filter(|word| ends.iter().any(|end| word.ends_with(end))).collect()
    }

    #[test]
    fn what_is_counted_is_described_and_documented() {
        let mut text = String::new();
        for part in ["access", "engine", "guard", "smtp", "store", "web", "server"] {
            sources(&Path::new(ROOT).join("crates").join(part).join("src"), &mut text);
        }
        let described: BTreeSet<&str> = METRICS.iter().map(|(name, ..)| *name).collect();
        assert_eq!(described.len(), METRICS.len());
        let counted = names(&text);
        assert!(counted.len() > 10, "{counted:?}");
        assert!(counted.is_subset(&described), "{:?}", counted.difference(&described));
        let own = include_str!("monitoring.rs");
        let page = std::fs::read_to_string(format!("{ROOT}/docs/operations/metrics.md")).unwrap();
        for name in described {
            assert!(page.contains(&format!("`{name}`")), "docs/operations/metrics.md lacks {name}");
            assert!(counted.contains(name) || own.matches(name).count() > 1, "nobody counts {name}");
        }
    }
}
