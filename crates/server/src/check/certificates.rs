//! Certificates that are ordered by themselves: is there one for each of our names, for how long yet, and what came of the last order.

use super::Findings;
use super::tls::RENEW_BEFORE_END;
use crate::config::Config;
use crate::ordering::Names;
use crate::outbound;
use crate::system::SystemClock;
use engine::{CertificateState, MAIN_CERTIFICATE};
use guard::AcmeChallenge;
use jiff::{SignedDuration, Timestamp};
use model::{Clock as _, DomainName};
use store::{AcmeOrderRow, Error, Store};

/// Of orders that all is said of elsewhere: why there is none.
const MEND: &str = "see `congthu acme status`, docs/operations/certificates.md, and the server's log";
/// A node that has not wanted its certificate in this time is gone.
const LIVES_WITHIN: SignedDuration = SignedDuration::from_hours(3);

/// # Errors
/// When the database fails.
pub(super) async fn look(
    config: &Config,
    store: &Store,
    domains: &[DomainName],
    findings: &mut Findings,
) -> Result<(), Error> {
    let Some(directory) = config.acme.directory() else { return Ok(()) };
    let rows = store.acme_orders().await?;
    let resolver = outbound::resolver(config).ok();
    for wanted in Names::default().wanted(config, domains, resolver.as_ref()).await {
        let state = CertificateState::of(&wanted, directory, &rows, SystemClock.now());
        judge(&state, directory, SystemClock.now(), findings);
        if wanted.label == MAIN_CERTIFICATE {
            others(&state, &rows, SystemClock.now(), findings);
        }
    }
    port(config, findings);
    Ok(())
}

fn judge(state: &CertificateState, directory: &str, now: Timestamp, findings: &mut Findings) {
    let (wanted, label) = (&state.wanted, &state.wanted.label);
    let newest = state.newest.as_ref().filter(|row| row.state != "done");
    let fault = newest.and_then(|row| row.fault.as_deref());
    let Some((current, ends)) = state.current.as_ref().and_then(|row| Some((row, row.ends?))) else {
        let why =
            fault.map_or("it is not ordered yet".to_owned(), |fault| format!("the last order: {fault}"));
        let what = format!("there is no certificate {label} of {directory}; {why}");
        return findings.error("tls", what, MEND);
    };
    let what = format!("the certificate {label} is for {}", current.names.join(", "));
    let until = ends.strftime("%Y-%m-%d");
    if let Some(missing) = wanted.names.iter().find(|name| !current.names.contains(name)) {
        findings.warn("tls", format!("{what}, and not yet for {missing}"), MEND);
    }
    if ends <= now {
        findings.error("tls", format!("{what}, and ended on {until}"), MEND);
    } else if ends.duration_since(now) < RENEW_BEFORE_END {
        findings.warn("tls", format!("{what}, and ends on {until}: it should be renewed by now"), MEND);
    } else {
        findings.ok("tls", format!("{what} and good until {until}; it is renewed by itself"));
    }
    if let Some(fault) = fault {
        findings.warn("tls", format!("the last order of the certificate {label} failed: {fault}"), MEND);
    }
}

/// Certificates of nodes with names of their own: whoever takes one machine for all sees that there are more.
fn others(state: &CertificateState, rows: &[AcmeOrderRow], now: Timestamp, findings: &mut Findings) {
    let own = state.current.as_ref().map(|row| row.id);
    let is_theirs = |row: &&AcmeOrderRow| {
        row.label == MAIN_CERTIFICATE
            && row.state == "done"
            && Some(row.id) != own
            && now.duration_since(row.wanted_at) < LIVES_WITHIN
    };
    for row in rows.iter().filter(is_theirs) {
        let (names, directory) = (row.names.join(", "), &row.directory);
        let what = format!("another node has a certificate main of its own, of {directory} for {names}");
        findings.ok("tls", what);
    }
}

/// Authorities look on one port and no other.
fn port(config: &Config, findings: &mut Findings) {
    let port = match config.acme.challenge() {
        AcmeChallenge::Http01 => 80,
        AcmeChallenge::TlsAlpn01 => 443,
    };
    let answering = config.answering_authorities();
    if answering.is_empty() {
        let what = format!("the authority of [acme] looks on port {port}, and no listener answers it");
        findings.error(
            "tls",
            what,
            "add a [[listener]] with protocol = \"acme\"; for tls-alpn-01, an http one with tls",
        );
    } else if answering.iter().all(|spec| spec.bind.port() != port) {
        let what = format!(
            "the authority of [acme] looks on port {port}, which no listener that answers it is bound to"
        );
        findings.warn("tls", what, "bind it there, unless something in front passes that port on to it");
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use engine::WantedCertificate;

    fn row(state: &str, fault: Option<&str>, ends: Option<&str>) -> AcmeOrderRow {
        let at: Timestamp = "2026-10-01T00:00:00Z".parse().unwrap();
        AcmeOrderRow {
            id: 1,
            label: "main".to_owned(),
            directory: "https://ca/".to_owned(),
            names: vec!["mail.a.vn".to_owned()],
            state: state.to_owned(),
            started_at: at,
            asked: false,
            fault: fault.map(str::to_owned),
            ended_at: Some(at),
            begins: ends.map(|_| at),
            ends: ends.map(|ends| ends.parse().unwrap()),
            wanted_at: NOW.parse().unwrap(),
        }
    }

    const NOW: &str = "2026-11-23T00:00:00Z";

    fn state(rows: &[AcmeOrderRow], names: &[&str]) -> CertificateState {
        let wanted = WantedCertificate::new("main", names.iter().map(|name| (*name).to_owned()));
        CertificateState::of(&wanted, "https://ca/", rows, NOW.parse().unwrap())
    }

    fn judged(rows: &[AcmeOrderRow], names: &[&str]) -> Vec<Level> {
        let mut findings = Findings::default();
        judge(&state(rows, names), "https://ca/", NOW.parse().unwrap(), &mut findings);
        findings.0.iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn what_is_good_what_ends_and_what_failed() {
        let good = || row("done", None, Some("2027-01-01T00:00:00Z"));
        let failed = || row("failed", Some("no route"), None);
        let mail = ["mail.a.vn"].as_slice();
        let until = |ends| judged(&[row("done", None, Some(ends))], mail);
        assert_eq!(judged(&[good()], mail), [Level::Ok]);
        let again = AcmeOrderRow { id: 2, ..failed() };
        assert_eq!(judged(&[again, good()], mail), [Level::Ok, Level::Warning]);
        let after_all = AcmeOrderRow { id: 2, ..good() };
        assert_eq!(judged(&[after_all, failed()], mail), [Level::Ok], "it came after all");
        assert_eq!(judged(&[good()], &["mail.a.vn", "b.a.vn"]), [Level::Warning, Level::Ok]);
        assert_eq!(until("2026-12-01T00:00:00Z"), [Level::Warning]);
        assert_eq!(until("2026-11-22T00:00:00Z"), [Level::Error]);
        assert_eq!(judged(&[failed()], mail), [Level::Error]);
        assert_eq!(judged(&[], mail), [Level::Error]);
        assert_eq!(judged(&[good()], &["mail2.a.vn"]), [Level::Error], "another node's");
    }

    #[test]
    fn certificates_of_other_nodes_are_told_while_those_live() {
        let ours = row("done", None, Some("2027-01-01T00:00:00Z"));
        let theirs = AcmeOrderRow { id: 2, names: vec!["mail2.a.vn".to_owned()], ..ours.clone() };
        let gone =
            AcmeOrderRow { id: 3, wanted_at: "2026-11-22T20:00:00Z".parse().unwrap(), ..theirs.clone() };
        let rows = [gone, theirs, ours];
        let mut findings = Findings::default();
        others(&state(&rows, &["mail.a.vn"]), &rows, NOW.parse().unwrap(), &mut findings);
        let [found] = &findings.0[..] else { panic!("{:?}", findings.0) };
        assert!(
            found.level == Level::Ok && found.what.ends_with("of https://ca/ for mail2.a.vn"),
            "{found:?}"
        );
    }

    #[test]
    fn the_port_where_an_authority_looks_is_answered() {
        let found = |text: &str| {
            let config = Config::parse(&format!("[acme]\ndirectory = 'https://ca/'\n{text}"), "x").unwrap();
            let mut findings = Findings::default();
            port(&config, &mut findings);
            (findings.count(Level::Warning), findings.count(Level::Error))
        };
        let warned = |text: &str| found(text) == (1, 0);
        let listener = |protocol: &str, port: u16, tls: &str| {
            format!("[[listener]]\nprotocol = '{protocol}'\nbind = '127.0.0.1:{port}'\ntls = '{tls}'\n")
        };
        assert_eq!((found(""), found("challenge = 'tls-alpn-01'\n")), ((0, 0), (0, 0)));
        assert_eq!(found(&listener("imap", 993, "implicit")), (0, 1));
        assert!(found(&listener("acme", 80, "none")) == (0, 0) && warned(&listener("acme", 8080, "none")));
        assert_eq!(found(&listener("http", 80, "none")), (0, 0));
        assert!(warned(&format!("challenge = 'tls-alpn-01'\n{}", listener("http", 8443, "implicit"))));
    }
}
