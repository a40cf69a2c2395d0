//! SPF against a name server on loopback: `table.txt` has every mechanism, limit, macro and error of RFC 7208.
//! `tests/e2e/test_spf.py` has the same cases served by unbound, and asks the whole server.

use super::*;
use crate::zone::serve;

const COMMON: &str = include_str!("zone.txt");

fn sender<'a>(ip: &str, path: &'a str) -> Sender<'a> {
    Sender { ip: ip.parse().unwrap(), helo: "mx.helo.test", path: Some(path).filter(|path| !path.is_empty()) }
}

#[tokio::test]
async fn every_case_of_the_table() {
    let mut wrong = Vec::new();
    let lines = include_str!("table.txt").lines().enumerate();
    let cases = lines.filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
    let mut count = 0;
    for (number, line) in cases {
        count += 1;
        let [ip, expected, record, more] = line.splitn(4, " |").map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("line {}: {line}", number + 1);
        };
        // A domain of its own for each, as answers are remembered.
        let domain = format!("case{number}.test");
        let mut zone = COMMON.to_owned();
        if !record.is_empty() {
            zone.push_str(&format!("{domain} TXT {}\n", record.replace('@', &domain)));
        }
        more.split(';').for_each(|line| zone.push_str(&format!("{}\n", line.trim().replace('@', &domain))));
        let (resolver, _running) = serve(&zone).await;
        let found = resolver.spf(sender(ip, &format!("strong-bad@{domain}"))).await;
        assert_eq!((found.domain.as_str(), found.of_helo), (domain.as_str(), false));
        if found.outcome.as_str() != expected {
            wrong.push(format!("line {}: {} in place of {expected}: {record}", number + 1, found.outcome));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 150, "{count}");
}

#[tokio::test]
async fn whose_record_is_asked_for() {
    let zone = "mx.helo.test TXT v=spf1 ip4:192.0.2.1 -all\na.vn TXT v=spf1 exists:%{l}.who.vn -all\npostmaster.who.vn A 127.0.0.2";
    let (resolver, _running) = serve(zone).await;
    for (path, expected, domain, of_helo) in [
        // RFC 7208 2.4: of a null reverse-path it is the greeting's.
        ("", Outcome::Pass, "mx.helo.test", true),
        // RFC 7208 4.3: without a local part it is the postmaster's.
        ("@a.vn", Outcome::Pass, "a.vn", false),
        ("a.vn", Outcome::Pass, "a.vn", false),
        ("x@A.vn", Outcome::Fail, "a.vn", false),
        ("\"x@y\"@a.vn", Outcome::Fail, "a.vn", false),
        ("x@vn", Outcome::None, "", false),
        ("x@[192.0.2.1]", Outcome::None, "", false),
        ("x@a..vn", Outcome::None, "", false),
    ] {
        let found = resolver.spf(sender("192.0.2.1", path)).await;
        assert_eq!(
            (found.outcome, found.domain.as_str(), found.of_helo),
            (expected, domain, of_helo),
            "{path}"
        );
    }
    let long = format!("x@{}.vn", "a".repeat(64));
    assert_eq!(resolver.spf(sender("192.0.2.1", &long)).await.outcome, Outcome::None);
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_temporary_error() {
    for zone in ["a.vn SILENT", "a.vn TXT v=spf1 a:s.vn a:s2.vn -all\ns.vn SILENT\ns2.vn SILENT"] {
        let (resolver, _running) = serve(zone).await;
        let began = tokio::time::Instant::now();
        assert_eq!(resolver.spf(sender("192.0.2.1", "x@a.vn")).await.outcome, Outcome::TempError, "{zone}");
        assert!(began.elapsed() <= TIME_MAX, "{:?}", began.elapsed());
    }
}
