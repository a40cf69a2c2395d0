//! What came in others' names, counted and told to them.

use super::{World, address, policy};
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
