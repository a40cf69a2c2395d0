//! What came in others' names, counted and told to them.

use super::{World, address, arrival, policy};
use model::admission::{Admission, Asks, Author, Evidence, Ground, Outcome, Published, Signature, Spf};

pub(super) fn evidence(domain: &str, dmarc: Outcome) -> Evidence {
    let published = Published { domain: domain.into(), policy: Asks::Reject, ..Published::default() };
    let author = Author {
        domain: domain.into(),
        dmarc,
        asks: Asks::Reject,
        aligned: dmarc,
        published: Some(published),
        ..Author::default()
    };
    let spf = Spf { outcome: Outcome::SoftFail, domain: "bounce.example".into(), of_helo: false };
    let signature = Signature {
        outcome: Outcome::Fail,
        domain: domain.into(),
        selector: "s1".into(),
        ..Signature::default()
    };
    Evidence {
        spf,
        signatures: vec![signature],
        authors: vec![author],
        is_reported: true,
        ..Evidence::default()
    }
}

fn count(world: &World, source: &str, evidence: &Evidence, admission: Admission) {
    world.engine.count_judged(source.parse().unwrap(), evidence, admission);
}

pub(super) fn move_to(world: &World, at: &str) {
    let at: jiff::Timestamp = at.parse().unwrap();
    world.clock.advance(at.duration_since(world.engine.now()));
}

const REFUSED: Admission = Admission::Refuse(Ground::Dmarc);

#[tokio::test]
async fn what_is_alike_is_one_row_whichever_node_it_came_to() {
    let world = World::new().await;
    let found = evidence("a.vn", Outcome::Fail);
    for _ in 0..3 {
        count(&world, "192.0.2.1", &found, REFUSED);
    }
    world.engine.write_dmarc().await;
    world.engine.write_dmarc().await;
    count(&world, "::ffff:192.0.2.1", &found, REFUSED);
    count(&world, "192.0.2.2", &found, REFUSED);
    count(&world, "192.0.2.1", &evidence("b.vn", Outcome::Pass), Admission::Accept);
    // Later it comes again; nobody wants to hear; a relay brought it; and they do not want it told.
    count(&world, "192.0.2.1", &found, Admission::Later(Ground::Unverifiable));
    let mut silent = found.clone();
    silent.authors[0].published = None;
    count(&world, "192.0.2.1", &silent, REFUSED);
    count(&world, "192.0.2.1", &Evidence { is_relayed: true, ..found.clone() }, REFUSED);
    count(&world, "192.0.2.1", &Evidence { is_reported: false, ..found.clone() }, REFUSED);
    world.engine.write_dmarc().await;
    let other = world.another_node();
    other.count_judged("192.0.2.1".parse().unwrap(), &found, REFUSED);
    other.write_dmarc().await;
    let day = "2026-11-22".parse().unwrap();
    let rows = world.store.dmarc_counts(day, "a.vn").await.unwrap();
    let said: Vec<_> = rows.iter().map(|(row, messages)| (row.source.as_str(), *messages)).collect();
    assert_eq!(said, [("192.0.2.1", 5), ("192.0.2.2", 1)]);
    let row = &rows[0].0;
    assert_eq!(row.dkim, [("a.vn".to_owned(), "s1".to_owned(), "fail".to_owned())]);
    assert_eq!((row.spf.as_str(), row.envelope_from.as_str()), ("softfail", "bounce.example"));
    assert_eq!((row.disposition.as_str(), row.reason.as_deref()), ("reject", None));
    assert_eq!(world.number("select rows::bigint from dmarc_days where domain = 'a.vn'").await, 2);
    assert_eq!(world.number("select sum(messages)::bigint from dmarc_counts where domain = 'b.vn'").await, 1);
}

#[tokio::test]
async fn nobody_fills_the_tables() {
    let world = World::new().await;
    for n in 0..3_000_u32 {
        let source = std::net::Ipv4Addr::from(0x0a00_0000 + n);
        world.engine.count_judged(source.into(), &evidence("a.vn", Outcome::Fail), REFUSED);
    }
    world.engine.write_dmarc().await;
    assert_eq!(world.number("select count(*) from dmarc_counts").await, 2_000);
    assert_eq!(world.number("select rows::bigint from dmarc_days").await, 2_000);
    // What is there goes on being counted.
    count(&world, "10.0.0.1", &evidence("a.vn", Outcome::Fail), REFUSED);
    for n in 0..3_000_u32 {
        let source = std::net::Ipv4Addr::from(0x0a00_0000 + n);
        world.engine.count_judged(source.into(), &evidence("a.vn", Outcome::Fail), REFUSED);
    }
    world.engine.write_dmarc().await;
    assert_eq!(world.number("select count(*) from dmarc_counts").await, 2_000);
    assert!(world.number("select sum(messages)::bigint from dmarc_counts").await >= 4_000);
    // A selector as long as a book, and one that is several lines, are left out.
    let mut odd = evidence("odd.vn", Outcome::Fail);
    odd.signatures[0].selector = "x".repeat(10_000);
    odd.signatures.push(Signature {
        selector: "a\r\nb".into(),
        domain: "odd.vn".into(),
        ..Signature::default()
    });
    count(&world, "10.0.0.1", &odd, REFUSED);
    world.engine.write_dmarc().await;
    assert_eq!(
        world
            .number("select jsonb_array_length(dkim)::bigint from dmarc_counts where domain = 'odd.vn'")
            .await,
        0
    );
}

/// Every name below his exists, and each wants a report.
#[tokio::test]
async fn one_owner_has_no_thousand_names() {
    let world = World::new().await;
    for n in 0..300 {
        count(&world, "192.0.2.1", &evidence(&format!("{n}.evil.vn"), Outcome::Fail), REFUSED);
        count(&world, "192.0.2.1", &evidence(&format!("{n}.{n}.gov.vn"), Outcome::Fail), REFUSED);
        let mut ours = evidence(&format!("{n}.demo.gov.vn"), Outcome::Fail);
        ours.authors[0].ours = true;
        count(&world, "192.0.2.1", &ours, REFUSED);
        if n % 50 == 0 {
            world.engine.write_dmarc().await;
        }
    }
    world.engine.write_dmarc().await;
    let of = |owner: &str| format!("select count(*) from dmarc_days where domain like '%.{owner}'");
    assert_eq!(world.number(&of("evil.vn")).await, 20);
    assert_eq!(world.number(&of("demo.gov.vn")).await, 300);
    assert_eq!(world.number(&of("gov.vn")).await, 600);
    // Those that are counted go on.
    count(&world, "192.0.2.2", &evidence("0.evil.vn", Outcome::Fail), REFUSED);
    world.engine.write_dmarc().await;
    assert_eq!(world.number("select rows::bigint from dmarc_days where domain = '0.evil.vn'").await, 2);
}

#[tokio::test]
async fn whoever_gets_mail_decides_whether_its_author_is_told() {
    let world = World::new().await;
    world.user("an").await;
    let to = [world.engine.recipient(&address("an")).await.unwrap()];
    let mut found = Evidence { is_reported: false, ..evidence("a.vn", Outcome::Fail) };
    let admitted = world.engine.admit_mail(&mut found, &to).await.unwrap();
    assert!(found.is_reported, "{admitted:?}");
    policy(&world, "inbound.dmarc_reports", "false").await;
    world.engine.admit_mail(&mut found, &to).await.unwrap();
    assert!(!found.is_reported);
}

/// A name server on loopback: the texts of names, where one like `A 127.0.0.1` is an address, and nothing else. Whatever it is asked
/// beside that does not exist, or fails.
pub(super) async fn name_server(zone: &'static [(&'static str, &'static str)]) -> guard::Resolver {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let resolver = guard::Resolver::new(&[socket.local_addr().unwrap()]).unwrap();
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            socket.send_to(&answer(zone, &buffer[..length]), peer).await.unwrap();
        }
    });
    resolver
}

/// RFC 1035 4.1.
fn answer(zone: &[(&str, &str)], question: &[u8]) -> Vec<u8> {
    let (mut at, mut labels) = (12, Vec::new());
    while question[at] > 0 {
        let end = at + 1 + usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..end]).to_lowercase());
        at = end;
    }
    let (name, asked) = (labels.join("."), &question[12..at + 5]);
    let kind = [asked[asked.len() - 4], asked[asked.len() - 3]];
    let found: Vec<&str> = zone.iter().filter(|(of, _)| *of == name).map(|(_, text)| *text).collect();
    let code = match found.first() {
        Some(&"SERVFAIL") => 2,
        Some(_) => 0,
        None => 3,
    };
    let data = |text: &&str| match (kind, text.strip_prefix("A ")) {
        ([0, 1], Some(address)) => Some(address.parse::<std::net::Ipv4Addr>().unwrap().octets().to_vec()),
        ([0, 16], None) => Some([&[text.len() as u8][..], text.as_bytes()].concat()),
        _ => None,
    };
    let records: Vec<Vec<u8>> = found.iter().filter(|_| code == 0).filter_map(data).collect();
    let mut reply =
        vec![question[0], question[1], 0x81, 0x80 | code, 0, 1, 0, records.len() as u8, 0, 0, 0, 0];
    reply.extend_from_slice(asked);
    for data in records {
        reply.extend_from_slice(&[0xc0, 12, kind[0], kind[1], 0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
        reply.extend_from_slice(&data);
    }
    reply
}

pub(super) async fn outgoing(world: &World) -> Vec<(String, String)> {
    let mut sent = Vec::new();
    while let Some(claimed) = world.engine.claim_mail(&crate::WantedWork::default()).await.unwrap() {
        for delivery in &claimed.deliveries {
            let octets = world.engine.outgoing_octets(delivery).await.unwrap();
            let octets = world.engine.signed(delivery, octets, &mut Default::default()).await.unwrap();
            let mut read = Vec::new();
            while let piece = octets.piece(read.len() as u64).await.unwrap()
                && !piece.is_empty()
            {
                read.extend_from_slice(&piece);
            }
            assert_eq!(delivery.sender, "", "a report is answered by nobody");
            let to = delivery.recipients[0].address.clone();
            sent.push((to, String::from_utf8(read).unwrap()));
            let outcomes = vec![super::queue::taken(); delivery.recipients.len()];
            world
                .engine
                .report_mail(&claimed.lease, delivery, outcomes, crate::Contact::Reached)
                .await
                .unwrap();
        }
        world.engine.give_back_mail(&claimed.lease).await.unwrap();
    }
    sent.sort();
    sent
}

/// The report in a mail of ours.
fn attached(message: &str) -> proto::dmarc::Report {
    let facts = proto::mime::facts(message.as_bytes());
    let part = facts.structure.parts().find(|part| part.subtype == "gzip").unwrap();
    let body = &message.as_bytes()[part.body_start as usize..part.body_end as usize];
    let packed = proto::mime::decode_body(&part.encoding, body);
    proto::dmarc::read(&proto::dmarc::unpack(&packed).unwrap()).unwrap()
}

pub(super) async fn sign(world: &World) {
    let domain = model::DomainName::new("demo.gov.vn").unwrap();
    world.engine.add_dkim(&super::actor(), &domain).await.unwrap();
    world.engine.rotate_dkim(&super::actor(), &domain).await.unwrap();
}

/// One octet below the hard limit.
pub(super) async fn leave_room_for_one(world: &World, name: &str) {
    let recipient = world.engine.recipient(&address(name)).await.unwrap();
    let crate::recipients::Kind::Mailbox { hard_limit: Some(limit), .. } = recipient.kind() else { panic!() };
    let whose = format!("(select account_id from addresses where address = '{name}@demo.gov.vn')");
    let fill = format!("update counters set used_bytes = {} where account_id = {whose}", limit - 1);
    world.database.run(&fill).await;
}

#[tokio::test]
async fn a_day_is_told_once_to_those_who_want_to_hear() {
    let world = World::new().await;
    sign(&world).await;
    let zone = &[
        ("_dmarc.a.vn", "v=DMARC1; p=reject; rua=mailto:d@a.vn,mailto:x@victim.vn,mailto:s@service.vn"),
        ("a.vn._report._dmarc.service.vn", "v=DMARC1"),
        ("_dmarc.b.vn", "v=DMARC1; p=reject"),
        ("_dmarc.c.vn", "SERVFAIL"),
    ];
    let resolver = name_server(zone).await;
    let other = world.another_node();
    world.engine.use_resolver(resolver.clone());
    other.use_resolver(resolver);
    for domain in ["a.vn", "b.vn", "c.vn"] {
        count(&world, "192.0.2.1", &evidence(domain, Outcome::Fail), REFUSED);
    }
    count(&world, "192.0.2.1", &evidence("a.vn", Outcome::Fail), REFUSED);
    count(&world, "192.0.2.2", &evidence("a.vn", Outcome::Fail), REFUSED);
    world.engine.write_dmarc().await;
    let nothing = "0 sent, 0 wanted by nobody, 0 later, 0 days forgotten";
    assert_eq!(world.engine.dmarc_reports_job().await.unwrap(), nothing, "the day is not over");
    move_to(&world, "2026-11-23T01:00:01Z");
    let (here, there) = tokio::join!(world.engine.dmarc_reports_job(), other.dmarc_reports_job());
    assert!(here.is_ok() && there.is_ok());
    world.engine.dmarc_reports_job().await.unwrap();
    let tried =
        "select extract(epoch from max(give_up_at) - min(due_at))::bigint / 3600 from queue_deliveries";
    assert_eq!(world.number(tried).await, 24, "hours: the next day has a report of its own");
    let sent = outgoing(&world).await;
    let to: Vec<&str> = sent.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(to, ["d@a.vn", "s@service.vn"]);
    let message = &sent[0].1;
    for expected in [
        "Report Domain: a.vn Submitter: demo.gov.vn",
        "demo.gov.vn!a.vn!1795305600!1795391999.xml.gz",
        "<dmarc-noreply@demo.gov.vn>\r\n",
        "Auto-Submitted: auto-generated",
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=demo.gov.vn;",
    ] {
        let unfolded = message.replace("\r\n ", " ").replace("\r\n\t", " ");
        assert!(unfolded.contains(expected), "{expected}\n{message}");
    }
    let report = attached(message);
    assert_eq!((report.org.as_str(), report.id.as_str()), ("demo.gov.vn", "20261122.a.vn"));
    let rows: Vec<_> = report.rows.iter().map(|row| (row.source.to_string(), row.messages)).collect();
    assert_eq!(rows, [("192.0.2.1".to_owned(), 2), ("192.0.2.2".to_owned(), 1)]);
    // Who cannot be asked is asked again, and given up in the end; what comes late is not told.
    let open = "select count(*) from dmarc_days where ended_at is null";
    assert_eq!(world.number(open).await, 1);
    for _ in 0..8 {
        world.engine.dmarc_reports_job().await.unwrap();
    }
    assert_eq!(world.number(open).await, 0);
    assert_eq!(
        world.database.texts("select outcome from dmarc_days order by domain").await,
        ["sent", "nobody", "unknown"]
    );
    move_to(&world, "2026-12-30T01:00:00Z");
    let done = world.engine.dmarc_reports_job().await.unwrap();
    assert_eq!(done, "0 sent, 0 wanted by nobody, 0 later, 3 days forgotten");
    assert_eq!(world.number("select count(*) from dmarc_counts").await, 0);
    assert_eq!(outgoing(&world).await, []);
}

#[tokio::test]
async fn a_report_is_no_larger_than_it_may_be() {
    let world = World::new().await;
    let zone = &[("_dmarc.a.vn", "v=DMARC1; p=reject; rua=mailto:d@a.vn!8k,mailto:none@a.vn!1k")];
    world.engine.use_resolver(name_server(zone).await);
    for n in 0..1_500_u32 {
        let source =
            std::net::Ipv4Addr::from(0x0a00_0000_u32.wrapping_add(n.wrapping_mul(2_654_435_761) >> 8));
        world.engine.count_judged(source.into(), &evidence("a.vn", Outcome::Fail), REFUSED);
    }
    count(&world, "192.0.2.1", &evidence("a.vn", Outcome::Fail), REFUSED);
    count(&world, "192.0.2.1", &evidence("a.vn", Outcome::Fail), REFUSED);
    world.engine.write_dmarc().await;
    move_to(&world, "2026-11-23T02:00:00Z");
    world.engine.dmarc_reports_job().await.unwrap();
    let sent = outgoing(&world).await;
    assert_eq!(sent.len(), 1, "no report is smaller than 1 KB");
    assert!(sent[0].1.len() < 9 << 10, "{}", sent[0].1.len());
    let report = attached(&sent[0].1);
    assert!(report.rows.len() > 20 && report.rows.len() < 1_000, "{}", report.rows.len());
    assert_eq!(report.rows[0].source.to_string(), "192.0.2.1", "the most frequent first");
}

/// What is found of mail that its author has sent.
fn shown(author: &str) -> Evidence {
    let author = Author { domain: author.into(), dmarc: Outcome::Pass, ..Author::default() };
    Evidence { authors: vec![author], ..Evidence::default() }
}

async fn bring(world: &World, evidence: Option<Evidence>, message: &[u8]) {
    let to = world.engine.recipient(&address("dmarc-reports")).await.unwrap();
    let mut spool = world.engine.new_spool();
    spool.write(message).await.unwrap();
    let examined = evidence.map(|evidence| crate::Examined { evidence, sorting: model::Sorting::Inbox });
    world.engine.deliver(&crate::Arrival { examined, ..arrival() }, &[to], spool).await.unwrap();
}

/// As another system would send it.
fn mail_of(report: &proto::dmarc::Report, packed: Vec<u8>) -> Vec<u8> {
    mail_builder::MessageBuilder::new()
        .from("noreply@google.com")
        .to("dmarc-reports@demo.gov.vn")
        .subject(report.subject("google.com"))
        .header("Date", mail_builder::headers::raw::Raw::new("Sun, 22 Nov 2026 01:00:00 +0000"))
        .message_id("1@google.com")
        .text_body("report")
        .attachment("application/zip", "x.zip", packed)
        .write_to_vec()
        .unwrap()
}

fn theirs(id: &str, domain: &str) -> proto::dmarc::Report {
    let row = |source: &str, messages, aligned| proto::dmarc::Row {
        source: source.parse().unwrap(),
        messages,
        disposition: proto::dmarc::Disposition::None,
        dkim_aligned: aligned,
        spf_aligned: false,
        reasons: Vec::new(),
        header_from: "demo.gov.vn".into(),
        envelope_from: String::new(),
        dkim: Vec::new(),
        spf: None,
    };
    proto::dmarc::Report {
        org: "google.com".into(),
        id: id.into(),
        begin: 1_795_219_200,
        end: 1_795_305_599,
        domain: domain.into(),
        policy: "none".into(),
        rows: vec![row("192.0.2.7", 30, true), row("198.51.100.1", 4, false)],
        ..proto::dmarc::Report::default()
    }
}

#[tokio::test]
async fn what_others_tell_is_read_once_and_shown_to_whom_it_concerns() {
    let world = World::new().await;
    let reports = world.user("dmarc-reports").await;
    let put = async |report: &proto::dmarc::Report, packed: Vec<u8>| {
        bring(&world, Some(shown("google.com")), &mail_of(report, packed)).await;
    };
    let (one, two) = (theirs("1", "demo.gov.vn"), theirs("2", "thu.demo.gov.vn"));
    put(&one, proto::dmarc::pack(&one.to_xml())).await;
    put(&one, one.to_xml().into_bytes()).await;
    put(&two, proto::dmarc::pack(&two.to_xml())).await;
    // What is none, of another's domain, of next year, and a bomb.
    world.deliver(&["dmarc-reports"], b"From: a@b.vn\r\n\r\nhello\r\n").await;
    let other = theirs("3", "other.vn");
    put(&other, proto::dmarc::pack(&other.to_xml())).await;
    let late = proto::dmarc::Report { end: 1_827_000_000, ..theirs("4", "demo.gov.vn") };
    put(&late, proto::dmarc::pack(&late.to_xml())).await;
    // Days that no database knows, backwards, and far away; the mails behind are read all the same.
    for (begin, end) in [
        (-300_000_000_000, 1_795_305_599),
        (-300_000_000_000, -300_000_000_000),
        (1_795_305_599, 1_795_219_200),
    ] {
        let odd = proto::dmarc::Report { begin, end, ..theirs(&format!("odd {begin} {end}"), "demo.gov.vn") };
        put(&odd, proto::dmarc::pack(&odd.to_xml())).await;
    }
    put(&one, proto::dmarc::pack(&" ".repeat(8 << 20))).await;
    let did = world.engine.dmarc_intake_job().await.unwrap();
    assert_eq!(did, "2 reports read, 1 known before, 7 mails that are none");
    assert_eq!(
        world.engine.dmarc_intake_job().await.unwrap(),
        "0 reports read, 0 known before, 0 mails that are none"
    );
    assert_eq!(world.read(&reports, "INBOX").await.len(), 10, "mails stay");
    let domain = model::DomainName::new("demo.gov.vn").unwrap();
    let shown = world.engine.dmarc_summary(&super::actor(), &domain, 7).await.unwrap();
    let rows: Vec<_> =
        shown.sources.iter().map(|one| (one.row.source.as_str(), one.row.messages, one.orgs)).collect();
    assert_eq!(rows, [("192.0.2.7", 60, 1), ("198.51.100.1", 8, 1)]);
    // An inspector of the domain sees it; whoever is of another sees that there is none.
    let id = model::DomainId(world.number("select domain_id from domains where name = 'demo.gov.vn'").await);
    let of = |role, scope| crate::Actor::of("x", None, model::Grant::new(role, scope).into_iter().collect());
    let inspector = of(model::Role::Inspector, model::Scope::Domain(id));
    assert_eq!(world.engine.dmarc_summary(&inspector, &domain, 7).await.unwrap().sources.len(), 2);
    let stranger = of(model::Role::Inspector, model::Scope::Domain(model::DomainId(id.0 + 1)));
    let refused = world.engine.dmarc_summary(&stranger, &domain, 7).await.unwrap_err();
    assert!(matches!(refused, crate::AdminError::NoSuchDomain(_)), "{refused}");
    let helpdesk = of(model::Role::Helpdesk, model::Scope::Domain(id));
    assert!(matches!(
        world.engine.dmarc_summary(&helpdesk, &domain, 7).await,
        Err(crate::AdminError::Denied(_))
    ));
    // Old ones go.
    move_to(&world, "2028-06-01T00:00:00Z");
    world.engine.dmarc_intake_job().await.unwrap();
    assert_eq!(world.number("select count(*) from dmarc_report_rows").await, 0);
}

#[tokio::test]
async fn nobody_is_read_whose_mail_is_not_shown_to_be_his() {
    let world = World::new().await;
    world.user("dmarc-reports").await;
    let bring = async |id: &str, evidence: Option<Evidence>| {
        let told = theirs(id, "demo.gov.vn");
        bring(&world, evidence, &mail_of(&told, proto::dmarc::pack(&told.to_xml()))).await;
    };
    let failed = Author { domain: "google.com".into(), dmarc: Outcome::Fail, ..Author::default() };
    bring("1", Some(Evidence { authors: vec![failed], ..Evidence::default() })).await;
    bring("2", Some(evidence("google.com", Outcome::TempError))).await;
    bring("3", Some(Evidence::default())).await;
    // Not looked at, as nobody is here: a header of his own says nothing.
    bring("4", None).await;
    let forged =
        "Authentication-Results: mail.demo.gov.vn;\r\n\tdmarc=pass (p=none) header.from=google.com\r\n";
    let told = theirs("5", "demo.gov.vn");
    let message = [forged.as_bytes(), &mail_of(&told, proto::dmarc::pack(&told.to_xml()))].concat();
    self::bring(&world, None, &message).await;
    let did = world.engine.dmarc_intake_job().await.unwrap();
    assert_eq!(did, "0 reports read, 0 known before, 5 mails that are none");
    // The same number of another is another's; he is who is shown, whatever he says he is.
    bring("6", Some(shown("tin.a.vn"))).await;
    bring("6", Some(shown("b.vn"))).await;
    bring("6", Some(shown("a.vn"))).await;
    let did = world.engine.dmarc_intake_job().await.unwrap();
    assert_eq!(did, "2 reports read, 1 known before, 0 mails that are none");
    assert_eq!(world.database.texts("select org from dmarc_reports order by org").await, ["a.vn", "b.vn"]);
}

#[tokio::test]
async fn inventors_fill_no_more_than_a_day_has() {
    let world = World::new().await;
    world.user("dmarc-reports").await;
    let mut told = theirs("0", "demo.gov.vn");
    let sample = told.rows[0].clone();
    told.rows = (0..3_000_u32)
        .map(|n| proto::dmarc::Row {
            source: std::net::Ipv4Addr::from(0x0a00_0000 + n).into(),
            messages: u64::from(n) + 1,
            dkim_aligned: n % 2 == 0,
            ..sample.clone()
        })
        .collect();
    let total = 3_000 * 3_001 / 2;
    let bring = async |id: usize, author: &str, told: &proto::dmarc::Report| {
        let told = proto::dmarc::Report { id: id.to_string(), ..told.clone() };
        bring(&world, Some(shown(author)), &mail_of(&told, proto::dmarc::pack(&told.to_xml()))).await;
    };
    let rows = "select count(*) from dmarc_report_rows where source <> ''";
    let of = |org: &str| {
        format!("{rows} and report_id in (select report_id from dmarc_reports where org = '{org}')")
    };
    for id in 0..4 {
        bring(id, &format!("x{id}.evil.vn"), &told).await;
    }
    world.engine.dmarc_intake_job().await.unwrap();
    assert_eq!(world.number(&of("evil.vn")).await, 2_000);
    // None is lost in the sums.
    assert_eq!(world.number("select sum(messages)::bigint from dmarc_report_rows").await, 4 * total);
    let domain = model::DomainName::new("demo.gov.vn").unwrap();
    let sources = world.engine.dmarc_summary(&super::actor(), &domain, 7).await.unwrap().sources;
    assert_eq!(sources.iter().filter(|one| one.row.source.is_empty()).count(), 2, "passed and not");
    for owner in 0..12 {
        for id in 0..2 {
            bring(id, &format!("evil{owner}.vn"), &told).await;
        }
    }
    world.engine.dmarc_intake_job().await.unwrap();
    let kept = world.number(rows).await;
    assert!((4_000..=5_000).contains(&kept), "{kept}");
    // Many of one are none of another's.
    let small = theirs("small", "demo.gov.vn");
    for id in 100..140 {
        bring(id, "many.vn", &small).await;
    }
    bring(0, "google.com", &small).await;
    world.engine.dmarc_intake_job().await.unwrap();
    assert_eq!(world.number("select count(*) from dmarc_reports where org = 'many.vn'").await, 30);
    assert_eq!(world.number("select count(*) from dmarc_reports where org = 'google.com'").await, 1);
    // The next day there is room again.
    move_to(&world, "2026-11-24T01:00:00Z");
    bring(7, "google.com", &small).await;
    world.engine.dmarc_intake_job().await.unwrap();
    assert_eq!(world.number(&of("google.com")).await, 2);
}

/// Our reports, read by our own reader: a domain of ours that mail from outside named.
#[tokio::test]
async fn what_we_tell_ourselves_is_read() {
    let world = World::new().await;
    sign(&world).await;
    world.user("dmarc-reports").await;
    let zone = &[("_dmarc.demo.gov.vn", "v=DMARC1; p=reject; rua=mailto:dmarc-reports@demo.gov.vn")];
    world.engine.use_resolver(name_server(zone).await);
    count(&world, "203.0.113.9", &evidence("demo.gov.vn", Outcome::Fail), REFUSED);
    world.engine.write_dmarc().await;
    move_to(&world, "2026-11-23T02:00:00Z");
    let done = world.engine.dmarc_reports_job().await.unwrap();
    assert!(done.starts_with("1 sent"), "{done}");
    assert!(world.engine.dmarc_intake_job().await.unwrap().starts_with("1 reports read"));
    let domain = model::DomainName::new("demo.gov.vn").unwrap();
    let shown = world.engine.dmarc_summary(&super::actor(), &domain, 7).await.unwrap();
    let row = &shown.sources[0].row;
    assert_eq!(
        (row.source.as_str(), row.disposition.as_str(), row.dkim_aligned),
        ("203.0.113.9", "reject", false)
    );
}

/// His mailbox has room for one message more, and he is named twice.
#[tokio::test]
async fn a_report_that_there_is_no_room_for_keeps_no_other_waiting() {
    let world = World::new().await;
    world.user("an").await;
    let record = "v=DMARC1; p=reject; rua=mailto:an@demo.gov.vn,mailto:an+x@demo.gov.vn";
    let zone = [("_dmarc.demo.gov.vn", record)];
    world.engine.use_resolver(name_server(Box::leak(Box::new(zone))).await);
    leave_room_for_one(&world, "an").await;
    count(&world, "192.0.2.1", &evidence("demo.gov.vn", Outcome::Fail), REFUSED);
    world.engine.write_dmarc().await;
    move_to(&world, "2026-11-23T02:00:00Z");
    let done = world.engine.dmarc_reports_job().await.unwrap();
    assert_eq!(done, "0 sent, 0 wanted by nobody, 1 later, 0 days forgotten");
    assert_eq!(world.number("select count(*) from entries").await, 0);
    assert_eq!(world.number("select tries::bigint from dmarc_days").await, 1);
}
