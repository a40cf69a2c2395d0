//! What was seen of TLS on the way to others, counted and told to them.

use super::World;
use super::dmarc::{leave_room_for_one, move_to, name_server, outgoing, sign};
use proto::tlsrpt::{Failure, Policy, PolicyType, Report, ResultType};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn sts(domain: &str) -> Policy {
    Policy {
        policy_type: PolicyType::Sts,
        policy_string: vec!["version: STSv1".into(), "mode: enforce".into(), format!("mx: mx.{domain}")],
        policy_domain: domain.into(),
        mx_host: vec![format!("mx.{domain}")],
    }
}

fn failure(result_type: ResultType, mx: &str) -> Failure {
    Failure {
        result_type,
        sending_mta_ip: Some("192.0.2.1".parse().unwrap()),
        receiving_mx_hostname: Some(mx.into()),
        receiving_ip: Some("198.51.100.1".parse().unwrap()),
        failure_reason_code: None,
    }
}

fn expired(domain: &str) -> Option<Failure> {
    Some(failure(ResultType::CertificateExpired, &format!("mx.{domain}")))
}

fn day() -> jiff::civil::Date {
    "2026-11-22".parse().unwrap()
}

#[tokio::test]
async fn sessions_that_are_alike_are_one_row_whichever_node_saw_them() {
    let world = World::new().await;
    let other = world.another_node();
    for _ in 0..3 {
        world.engine.count_tls(&sts("a.vn"), None);
    }
    world.engine.count_tls(&sts("a.vn"), expired("a.vn"));
    world.engine.write_tls().await;
    world.engine.write_tls().await;
    other.count_tls(&sts("a.vn"), expired("a.vn"));
    // It publishes another policy, or none.
    let mut newer = sts("a.vn");
    newer.policy_string.push("max_age: 86400".into());
    other.count_tls(&newer, None);
    other.count_tls(&Policy::none("a.vn"), None);
    other.count_tls(&Policy::none("b.vn"), None);
    other.write_tls().await;
    let rows = world.store.tls_counts(day(), "a.vn").await.unwrap();
    let mut said: Vec<_> = rows
        .iter()
        .map(|(row, sessions)| {
            let result = row.failure.as_ref().map(|failure| failure.result.as_str());
            (row.policy.kind.as_str(), row.policy.text.lines.len(), result, *sessions)
        })
        .collect();
    said.sort_unstable();
    let bad = Some("certificate-expired");
    assert_eq!(
        said,
        [("no-policy-found", 0, None, 1), ("sts", 3, None, 3), ("sts", 3, bad, 2), ("sts", 4, None, 1)]
    );
    assert_eq!(world.number("select rows::bigint from tls_days where domain = 'a.vn'").await, 4);
    assert_eq!(world.number("select rows::bigint from tls_days where domain = 'b.vn'").await, 1);
}

#[tokio::test]
async fn nobody_fills_the_tables() {
    let world = World::new().await;
    for n in 0..300 {
        let mx = format!("{n}.a.vn");
        world.engine.count_tls(&sts("a.vn"), Some(failure(ResultType::ValidationFailure, &mx)));
        world.engine.count_tls(&Policy::none(&format!("{n}.evil.vn")), None);
        world.engine.count_tls(&Policy::none(&format!("{n}.{n}.gov.vn")), None);
        if n % 50 == 0 {
            world.engine.write_tls().await;
        }
    }
    world.engine.write_tls().await;
    assert_eq!(world.number("select count(*) from tls_counts where domain = 'a.vn'").await, 100);
    assert_eq!(world.number("select rows::bigint from tls_days where domain = 'a.vn'").await, 100);
    assert_eq!(world.number("select count(*) from tls_days where domain like '%.evil.vn'").await, 100);
    assert_eq!(world.number("select count(*) from tls_days where domain like '%.gov.vn'").await, 300);
    // What is there goes on being counted.
    world.engine.count_tls(&sts("a.vn"), Some(failure(ResultType::ValidationFailure, "0.a.vn")));
    world.engine.write_tls().await;
    let first = "select sessions from tls_counts where domain = 'a.vn' and mx = '0.a.vn'";
    assert_eq!(world.number(first).await, 2);
}

#[tokio::test]
async fn what_the_database_does_not_take_is_kept_for_the_next_time() {
    let world = World::new().await;
    for n in 0..20 {
        world.engine.count_tls(&sts(&format!("{n}.vn")), None);
    }
    world.database.run("alter table tls_counts rename to elsewhere").await;
    world.engine.write_tls().await;
    world.database.run("alter table elsewhere rename to tls_counts").await;
    assert_eq!(world.number("select count(*) from tls_days").await, 0);
    world.engine.write_tls().await;
    assert_eq!(world.number("select count(*) from tls_counts where sessions = 1").await, 20);
}

/// The report in a mail of ours.
fn attached(message: &str) -> Report {
    let facts = proto::mime::facts(message.as_bytes());
    let part = facts.structure.parts().find(|part| part.subtype == "tlsrpt+gzip").unwrap();
    let body = &message.as_bytes()[part.body_start as usize..part.body_end as usize];
    let packed = proto::mime::decode_body(&part.encoding, body);
    serde_json::from_slice(&proto::dmarc::unpack(&packed).unwrap()).unwrap()
}

const ZONE: &[(&str, &str)] = &[
    ("_smtp._tls.a.vn", "v=TLSRPTv1; rua=mailto:t@a.vn,mailto:t@service.vn,mailto:x@victim.vn"),
    ("_smtp._tls.b.vn", "v=TLSRPTv1; rua="),
    ("_smtp._tls.c.vn", "SERVFAIL"),
];

#[tokio::test]
async fn a_day_is_told_once_to_those_who_want_to_hear() {
    let world = World::new().await;
    sign(&world).await;
    let resolver = name_server(ZONE).await;
    let other = world.another_node();
    world.engine.use_resolver(resolver.clone());
    other.use_resolver(resolver);
    for domain in ["a.vn", "b.vn", "c.vn"] {
        world.engine.count_tls(&sts(domain), None);
    }
    world.engine.count_tls(&sts("a.vn"), expired("a.vn"));
    world.engine.count_tls(&sts("a.vn"), expired("a.vn"));
    world.engine.count_tls(&Policy::none("a.vn"), None);
    world.engine.write_tls().await;
    move_to(&world, "2026-11-23T02:59:59Z");
    let nothing = "0 sent, 0 wanted by nobody, 0 later, 0 days forgotten";
    assert_eq!(world.engine.tls_reports_job().await.unwrap(), nothing, "some hours after the day");
    move_to(&world, "2026-11-23T03:00:01Z");
    let (here, there) = tokio::join!(world.engine.tls_reports_job(), other.tls_reports_job());
    assert!(here.is_ok() && there.is_ok());
    world.engine.tls_reports_job().await.unwrap();
    let tried =
        "select extract(epoch from max(give_up_at) - min(due_at))::bigint / 3600 from queue_deliveries";
    assert_eq!(world.number(tried).await, 24, "hours: RFC 8460 5.5");
    assert_eq!(
        world.database.texts("select name from queue_destinations order by name").await,
        ["tls-reports:a.vn", "tls-reports:service.vn"],
        "they do not wait where mail waits for a TLS that works"
    );
    let sent = outgoing(&world).await;
    let to: Vec<&str> = sent.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(to, ["t@a.vn", "t@service.vn"]);
    let message = sent[0].1.replace("\r\n ", " ").replace("\r\n\t", " ");
    for expected in [
        "Subject: Report Domain: a.vn Submitter: demo.gov.vn Report-ID: <20261122.a.vn@demo.gov.vn>",
        "demo.gov.vn!a.vn!1795305600!1795391999.json.gz",
        "<tlsrpt-noreply@demo.gov.vn>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "TLS-Report-Domain: a.vn\r\n",
        "TLS-Report-Submitter: demo.gov.vn\r\n",
        "Content-Type: multipart/report; report-type=\"tlsrpt\";",
        "Content-Type: application/tlsrpt+gzip",
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=demo.gov.vn;",
        "TLS-Report-Domain:  TLS-Report-Submitter; b=",
    ] {
        assert!(message.contains(expected), "{expected}\n{message}");
    }
    told_as_it_was(&attached(&sent[0].1));
}

fn told_as_it_was(report: &Report) {
    assert_eq!(
        (report.organization_name.as_str(), report.report_id.as_str()),
        ("demo.gov.vn", "20261122.a.vn")
    );
    assert_eq!(report.date_range.start_datetime.to_string(), "2026-11-22T00:00:00Z");
    assert_eq!(report.date_range.end_datetime.to_string(), "2026-11-22T23:59:59Z");
    let mut policies = report.policies.clone();
    policies.sort_by_key(|results| results.policy.policy_type.as_str());
    let [none, of_sts] = policies.as_slice() else { panic!("{policies:?}") };
    assert_eq!((&none.policy, &of_sts.policy), (&Policy::none("a.vn"), &sts("a.vn")));
    let counts = |results: &proto::tlsrpt::Results| {
        let summary = results.summary;
        (summary.total_successful_session_count, summary.total_failure_session_count)
    };
    assert_eq!((counts(none), counts(of_sts)), ((1, 0), (1, 2)));
    assert_eq!(none.failure_details, []);
    let [details] = of_sts.failure_details.as_slice() else { panic!("{of_sts:?}") };
    assert_eq!((Some(details.failure.clone()), details.failed_session_count), (expired("a.vn"), 2));
}

#[tokio::test]
async fn who_cannot_be_asked_is_asked_for_a_day_and_old_days_are_forgotten() {
    let world = World::new().await;
    sign(&world).await;
    world.engine.use_resolver(name_server(ZONE).await);
    for domain in ["a.vn", "b.vn", "c.vn"] {
        world.engine.count_tls(&sts(domain), None);
    }
    world.engine.write_tls().await;
    move_to(&world, "2026-11-23T04:00:00Z");
    let done = world.engine.tls_reports_job().await.unwrap();
    assert_eq!(done, "1 sent, 1 wanted by nobody, 1 later, 0 days forgotten");
    let open = "select count(*) from tls_days where ended_at is null";
    for _ in 0..22 {
        world.engine.tls_reports_job().await.unwrap();
    }
    assert_eq!(world.number(open).await, 1);
    world.engine.tls_reports_job().await.unwrap();
    assert_eq!(world.number(open).await, 0);
    assert_eq!(
        world.database.texts("select outcome from tls_days order by domain").await,
        ["sent", "nobody", "unknown"]
    );
    // What comes late is not told.
    let late = store::TlsPolicy { kind: "sts".into(), text: store::TlsPolicyText::default() };
    let late = store::TlsCount { policy: late, failure: None };
    let gathered = store::TlsGathered {
        day: day(),
        domain: "a.vn",
        counts: vec![(&late, 1)],
        owner: "a.vn",
        domains_max: 10,
        names_max: 10,
        rows_max: 10,
    };
    assert_eq!(world.store.count_tls(&gathered).await.unwrap(), 1);
    move_to(&world, "2026-12-30T01:00:00Z");
    let done = world.engine.tls_reports_job().await.unwrap();
    assert_eq!(done, "0 sent, 0 wanted by nobody, 0 later, 3 days forgotten");
    assert_eq!(world.number("select count(*) from tls_counts").await, 0);
}

#[tokio::test]
async fn nothing_is_sent_that_nobody_may_believe() {
    let world = World::new().await;
    world.engine.use_resolver(name_server(ZONE).await);
    world.engine.count_tls(&sts("a.vn"), None);
    world.engine.write_tls().await;
    move_to(&world, "2026-11-23T04:00:00Z");
    let done = world.engine.tls_reports_job().await.unwrap();
    assert_eq!(
        done, "0 sent, 1 wanted by nobody, 0 later, 0 days forgotten",
        "there are no keys to sign with"
    );
    assert_eq!(world.number("select count(*) from queue_messages").await, 0);
}

fn poster(resolver: &guard::Resolver) -> guard::Poster {
    let roots = Arc::new(rustls::RootCertStore::empty());
    guard::Poster::new(resolver.clone(), roots, true).unwrap()
}

/// Somebody changes his record from hour to hour, and has a place in it that can never be told.
#[tokio::test]
async fn two_places_are_told_of_a_day_whatever_its_record_says() {
    let world = World::new().await;
    sign(&world).await;
    let of = |rua| [("_smtp._tls.a.vn", rua)];
    let first = of("v=TLSRPTv1; rua=https://none.a.vn/,mailto:t1@a.vn,mailto:x@victim.vn");
    let second = of("v=TLSRPTv1; rua=mailto:t2@a.vn,mailto:t3@a.vn,mailto:t4@a.vn");
    let resolver = name_server(Box::leak(Box::new(first))).await;
    world.engine.use_poster(poster(&resolver));
    world.engine.use_resolver(resolver);
    let later = world.another_node();
    later.use_resolver(name_server(Box::leak(Box::new(second))).await);
    world.engine.count_tls(&sts("a.vn"), None);
    world.engine.write_tls().await;
    move_to(&world, "2026-11-23T04:00:00Z");
    let done = world.engine.tls_reports_job().await.unwrap();
    assert_eq!(done, "0 sent, 0 wanted by nobody, 1 later, 0 days forgotten");
    let done = later.tls_reports_job().await.unwrap();
    assert_eq!(done, "1 sent, 0 wanted by nobody, 0 later, 0 days forgotten");
    let to: Vec<String> = outgoing(&world).await.into_iter().map(|(to, _)| to).collect();
    assert_eq!(to, ["t1@a.vn", "t2@a.vn"]);
}

/// Nothing is posted here.
#[tokio::test]
async fn places_that_cannot_be_told_take_the_place_of_none_that_can() {
    let world = World::new().await;
    sign(&world).await;
    let record =
        "v=TLSRPTv1; rua=https://r.a.vn/1,https://r.a.vn/2,mailto:t1@a.vn,mailto:t2@a.vn,mailto:t3@a.vn";
    world.engine.use_resolver(name_server(Box::leak(Box::new([("_smtp._tls.a.vn", record)]))).await);
    world.engine.count_tls(&sts("a.vn"), None);
    world.engine.write_tls().await;
    move_to(&world, "2026-11-23T04:00:00Z");
    world.engine.tls_reports_job().await.unwrap();
    let to: Vec<String> = outgoing(&world).await.into_iter().map(|(to, _)| to).collect();
    assert_eq!(to, ["t1@a.vn", "t2@a.vn"]);
}

/// Whoever has a domain writes into its record whom he likes.
#[tokio::test]
async fn a_mailbox_here_is_told_of_its_owners_domains_alone() {
    let world = World::new().await;
    sign(&world).await;
    world.user("an").await;
    let zone = &[
        ("_smtp._tls.a.vn", "v=TLSRPTv1; rua=mailto:an@demo.gov.vn"),
        ("_smtp._tls.xa.demo.gov.vn", "v=TLSRPTv1; rua=mailto:an@demo.gov.vn,mailto:nobody@demo.gov.vn"),
    ];
    world.engine.use_resolver(name_server(zone).await);
    for domain in ["a.vn", "xa.demo.gov.vn"] {
        world.engine.count_tls(&sts(domain), None);
    }
    world.engine.write_tls().await;
    move_to(&world, "2026-11-23T04:00:00Z");
    let done = world.engine.tls_reports_job().await.unwrap();
    assert_eq!(done, "1 sent, 1 wanted by nobody, 0 later, 0 days forgotten");
    assert_eq!(outgoing(&world).await, []);
    let told = "select told::text from tls_days order by domain";
    assert_eq!(world.database.texts(told).await, ["{}", "{an@demo.gov.vn}"]);
    assert_eq!(world.number("select count(*) from entries").await, 1);
}

/// His mailbox has room for one message more, and is named twice.
#[tokio::test]
async fn a_mailbox_here_is_not_filled_beyond_its_room() {
    let world = World::new().await;
    sign(&world).await;
    world.user("an").await;
    let record = "v=TLSRPTv1; rua=mailto:an@demo.gov.vn,mailto:an+tls@demo.gov.vn";
    let zone = [("_smtp._tls.xa.demo.gov.vn", record)];
    world.engine.use_resolver(name_server(Box::leak(Box::new(zone))).await);
    leave_room_for_one(&world, "an").await;
    world.engine.count_tls(&sts("xa.demo.gov.vn"), None);
    world.engine.write_tls().await;
    move_to(&world, "2026-11-23T04:00:00Z");
    let done = world.engine.tls_reports_job().await.unwrap();
    assert_eq!(done, "0 sent, 0 wanted by nobody, 1 later, 0 days forgotten");
    assert_eq!(world.number("select count(*) from entries").await, 0);
    assert_eq!(world.number("select tries::bigint from tls_days").await, 1, "it is behind others now");
}

#[tokio::test]
async fn a_report_of_nothing_is_not_sent() {
    let world = World::new().await;
    sign(&world).await;
    world.engine.use_resolver(name_server(ZONE).await);
    world.engine.count_tls(&sts("a.vn"), None);
    world.engine.write_tls().await;
    world.database.run("delete from tls_counts").await;
    move_to(&world, "2026-11-23T04:00:00Z");
    let done = world.engine.tls_reports_job().await.unwrap();
    assert_eq!(done, "0 sent, 0 wanted by nobody, 1 later, 0 days forgotten");
    assert_eq!(outgoing(&world).await, []);
}

/// A web server that refuses everybody, and how many came.
async fn refusing() -> (u16, Arc<AtomicUsize>) {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, asked) = (socket.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        while socket.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    (port, asked)
}

/// Its web server refuses; whoever is told by mail is told at once, and once.
#[tokio::test]
async fn one_that_cannot_be_told_keeps_no_other_waiting() {
    let world = World::new().await;
    sign(&world).await;
    let (port, asked) = refusing().await;
    let record: &str = format!("v=TLSRPTv1; rua=https://r.a.vn:{port}/v1,mailto:t@a.vn").leak();
    let zone = [("_smtp._tls.a.vn", record), ("r.a.vn", "A 127.0.0.1")];
    let resolver = name_server(Box::leak(Box::new(zone))).await;
    world.engine.use_poster(poster(&resolver));
    world.engine.use_resolver(resolver);
    world.engine.count_tls(&sts("a.vn"), None);
    world.engine.write_tls().await;
    move_to(&world, "2026-11-23T04:00:00Z");
    let later = "0 sent, 0 wanted by nobody, 1 later, 0 days forgotten";
    assert_eq!(world.engine.tls_reports_job().await.unwrap(), later);
    assert_eq!(outgoing(&world).await.len(), 1);
    for _ in 0..22 {
        assert_eq!(world.engine.tls_reports_job().await.unwrap(), later);
    }
    let done = world.engine.tls_reports_job().await.unwrap();
    assert_eq!(done, "1 sent, 0 wanted by nobody, 0 later, 0 days forgotten");
    assert_eq!(outgoing(&world).await.len(), 0);
    assert_eq!(asked.load(Ordering::Relaxed), 24);
}

/// Two nodes may think that the job is theirs: what one has noted the other cannot note once more, nor queue a mail for it.
#[tokio::test]
async fn what_was_read_before_another_noted_something_is_not_noted() {
    let world = World::new().await;
    world.engine.count_tls(&sts("a.vn"), None);
    world.engine.write_tls().await;
    let tomorrow = day().tomorrow().unwrap();
    let read = world.store.tls_days(tomorrow, 10).await.unwrap().remove(0);
    for (is_first, outcome) in [(true, None), (false, None), (false, Some("sent"))] {
        let mut tx = world.store.begin().await.unwrap();
        let noted = tx.tell_tls_day(&read, (&["t@a.vn".into()], outcome), world.engine.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(noted, is_first);
    }
    let read = world.store.tls_days(tomorrow, 10).await.unwrap().remove(0);
    assert_eq!((read.tries, read.told), (1, vec!["t@a.vn".to_owned()]));
}
