//! Which certificates there are to be, and which of those that there are is shown for them.
//!
//! Invariant: nodes may want different names under one label: each has its certificate, and none is in the way of another's.

use super::timing;
use jiff::Timestamp;
use std::collections::BTreeSet;
use store::{AcmeCertificateRow, AcmeOrderRow};

/// The certificate of a server's own names.
pub const MAIN_CERTIFICATE: &str = "main";

/// A certificate that there is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedCertificate {
    /// By which it is known from year to year: [`MAIN_CERTIFICATE`], or a domain.
    pub label: String,
    /// Host names, 1 to 100, in the order of their octets: so that nodes that want the same have one certificate.
    pub names: Vec<String>,
}

/// How well a certificate does for a wanted one; the greatest is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fitness {
    has_all_names: bool,
    /// Of the authority that is asked now.
    is_of_authority: bool,
    /// The newest.
    order: i64,
}

impl WantedCertificate {
    #[must_use]
    pub fn new(label: &str, names: impl IntoIterator<Item = String>) -> Self {
        let names: BTreeSet<String> = names.into_iter().collect();
        Self { label: label.to_owned(), names: names.into_iter().collect() }
    }

    /// Of a certificate in use; none of one that has not even one of the names.
    #[must_use]
    pub fn fitness(&self, directory: &str, row: &AcmeCertificateRow) -> Option<Fitness> {
        self.rank((&row.label, &row.names), (row.directory == directory, row.order))
    }

    fn rank(
        &self,
        (label, names): (&str, &[String]),
        (is_of_authority, order): (bool, i64),
    ) -> Option<Fitness> {
        let held = self.names.iter().filter(|name| names.contains(name)).count();
        let has_all_names = held == self.names.len();
        (label == self.label && held > 0).then_some(Fitness { has_all_names, is_of_authority, order })
    }
}

/// A certificate and how it stands, for administrators.
#[derive(Clone, Debug)]
pub struct CertificateState {
    pub wanted: WantedCertificate,
    /// The one in use.
    pub current: Option<AcmeOrderRow>,
    /// The newest order; of a certificate that is well, the one in use.
    pub newest: Option<AcmeOrderRow>,
    /// When it is ordered next, if nothing is under way.
    pub next: Timestamp,
}

impl CertificateState {
    /// `rows`: all orders that are remembered, the newest first.
    #[must_use]
    pub fn of(wanted: &WantedCertificate, directory: &str, rows: &[AcmeOrderRow], now: Timestamp) -> Self {
        let done = rows.iter().filter(|row| row.state == "done");
        let fitness =
            |row: &AcmeOrderRow| wanted.rank((&row.label, &row.names), (row.directory == directory, row.id));
        let best = done.filter_map(|row| Some((fitness(row)?, row))).max_by_key(|(fitness, _)| *fitness);
        let good = best.filter(|(fitness, _)| fitness.has_all_names && fitness.is_of_authority);
        let past = past(wanted, directory, rows);
        let current = best.map(|(_, row)| row);
        Self {
            wanted: wanted.clone(),
            current: current.cloned(),
            newest: past.first().copied().into_iter().chain(current).max_by_key(|row| row.id).cloned(),
            next: timing::next_start(&past, good.map(|(_, row)| row), now),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.newest.as_ref().is_some_and(|order| order.state == "open")
    }
}

/// What was ordered for just these names at the authority, the newest first.
pub(super) fn past<'r>(
    wanted: &WantedCertificate,
    directory: &str,
    rows: &'r [AcmeOrderRow],
) -> Vec<&'r AcmeOrderRow> {
    let is_of = |row: &&AcmeOrderRow| {
        row.label == wanted.label && row.directory == directory && row.names == wanted.names
    };
    rows.iter().filter(is_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-23T00:00:00Z";

    fn row(id: i64, state: &str, names: &[&str]) -> AcmeOrderRow {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        AcmeOrderRow {
            id,
            label: "main".to_owned(),
            directory: "https://ca/".to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            state: state.to_owned(),
            started_at: at("2026-11-20T01:00:00Z"),
            asked: false,
            fault: None,
            ended_at: (state != "open").then(|| at("2026-11-20T01:00:00Z")),
            begins: (state == "done").then(|| at("2026-11-20T00:00:00Z")),
            ends: (state == "done").then(|| at("2027-02-18T00:00:00Z")),
            wanted_at: at(NOW),
        }
    }

    /// Numbers of the one in use and of the newest order; is one due?
    fn state(names: &[&str], rows: &[AcmeOrderRow]) -> (Option<i64>, Option<i64>, bool) {
        let wanted = WantedCertificate::new("main", names.iter().map(|name| (*name).to_owned()));
        let now = NOW.parse().unwrap();
        let state = CertificateState::of(&wanted, "https://ca/", rows, now);
        (state.current.map(|row| row.id), state.newest.map(|row| row.id), state.next <= now)
    }

    #[test]
    fn names_are_a_set() {
        let set =
            |names: &[&str]| WantedCertificate::new("main", names.iter().map(|name| (*name).to_owned()));
        assert_eq!(set(&["b.vn", "a.vn", "b.vn"]), set(&["a.vn", "b.vn"]));
    }

    #[test]
    fn another_name_or_another_authority_is_a_reason_at_once() {
        let good = row(1, "done", &["a.vn", "b.vn"]);
        let good = std::slice::from_ref(&good);
        assert_eq!(state(&["b.vn", "a.vn"], good), (Some(1), Some(1), false));
        assert_eq!(state(&["b.vn"], good), (Some(1), Some(1), false), "one that has more does");
        assert_eq!(state(&["a.vn", "c.vn"], good), (Some(1), Some(1), true), "better than none meanwhile");
        assert_eq!(state(&["c.vn"], good), (None, None, true));
        let elsewhere = AcmeOrderRow { directory: "https://other/".to_owned(), ..good[0].clone() };
        assert_eq!(state(&["a.vn"], &[elsewhere]), (Some(1), Some(1), true));
    }

    #[test]
    fn what_another_node_has_does_not_matter() {
        let (ours, theirs) = (["mail1.vn", "thu.vn"], ["mail2.vn", "thu.vn"]);
        let rows = [
            row(9, "open", &theirs),
            row(8, "failed", &theirs),
            row(7, "done", &theirs),
            row(6, "done", &ours),
        ];
        assert_eq!(state(&ours, &rows), (Some(6), Some(6), false));
        assert_eq!(state(&theirs, &rows), (Some(7), Some(9), false));
        assert_eq!(state(&ours, &rows[..3]), (Some(7), Some(7), true), "until there is our own");
    }
}
