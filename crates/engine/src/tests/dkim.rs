//! Keys of a domain, and what they sign.

use super::queue::send;
use super::{World, actor, address, arrival};
use crate::{AdminError, Examined, OutgoingOctets, WantedWork};
use model::DomainName;
use model::admission::{Arc, Evidence, Outcome};

async fn read(octets: &OutgoingOctets) -> String {
    let mut read = Vec::new();
    while let piece = octets.piece(read.len() as u64).await.unwrap()
        && !piece.is_empty()
    {
        read.extend_from_slice(&piece);
    }
    assert_eq!(read.len() as u64, octets.size());
    String::from_utf8(read).unwrap()
}

/// The next message as it goes out.
async fn goes_out(world: &World) -> String {
    let claimed = world.engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    let delivery = &claimed.deliveries[0];
    let octets = world.engine.outgoing_octets(delivery).await.unwrap();
    let signed = read(&world.engine.signed(delivery, octets, &mut Default::default()).await.unwrap()).await;
    let outcomes = vec![super::queue::taken(); delivery.recipients.len()];
    world.engine.report_mail(&claimed.lease, delivery, outcomes, crate::Contact::Reached).await.unwrap();
    world.engine.give_back_mail(&claimed.lease).await.unwrap();
    signed
}

#[tokio::test]
async fn keys_wait_sign_and_retire() {
    let world = World::new().await;
    let an = world.user("an").await;
    let domain = DomainName::new("demo.gov.vn").unwrap();
    let engine = &world.engine;
    assert!(matches!(engine.rotate_dkim(&actor(), &domain).await, Err(AdminError::NoDkimKey(_))));
    let made = engine.add_dkim(&actor(), &domain).await.unwrap();
    assert_eq!(made.len(), 2);
    assert!(matches!(engine.add_dkim(&actor(), &domain).await, Err(AdminError::DkimWaiting(_))));
    send(&world, &an, &["x@a.test"]).await;
    assert!(goes_out(&world).await.starts_with("Received: "), "what waits signs nothing");
    engine.rotate_dkim(&actor(), &domain).await.unwrap();
    send(&world, &an, &["x@a.test"]).await;
    let signed = goes_out(&world).await;
    for key in &made {
        let field = format!(
            "DKIM-Signature: v=1; a={}; c=relaxed/relaxed; d=demo.gov.vn;\r\n\ts={};",
            key.algorithm, key.selector
        );
        assert!(signed.contains(&field), "{signed}");
    }
    assert!(signed.contains("\th=From:\r\n\t From:\r\n\t To:"), "{signed}");
    // The next keys; the first end, and their secrets go.
    engine.add_dkim(&actor(), &domain).await.unwrap();
    engine.rotate_dkim(&actor(), &domain).await.unwrap();
    send(&world, &an, &["x@a.test"]).await;
    let signed = goes_out(&world).await;
    assert_eq!(signed.matches("DKIM-Signature").count(), 2);
    assert!(made.iter().all(|key| !signed.contains(&key.selector)));
    for key in engine.dkim_keys(&actor(), &domain).await.unwrap() {
        let retired = engine.retire_dkim(&actor(), &domain, &key.selector).await;
        assert_eq!(retired.is_ok(), key.state == "signing", "{key:?}");
    }
    send(&world, &an, &["x@a.test"]).await;
    assert!(goes_out(&world).await.starts_with("Received: "));
    assert_eq!(world.database.number("select count(secret) from dkim_keys").await, 0);
}

#[tokio::test]
async fn what_strangers_wrote_is_not_signed() {
    let world = World::new().await;
    world.user("an").await;
    let domain = DomainName::new("demo.gov.vn").unwrap();
    world.engine.add_dkim(&actor(), &domain).await.unwrap();
    world.engine.rotate_dkim(&actor(), &domain).await.unwrap();
    super::policy(&world, "sending.forward_outside", "true").await;
    world.engine.set_forward(&actor(), &address("an"), (&address("an@example.net"), false)).await.unwrap();
    // Not even in our name, which only the policy of a domain lets in.
    for sender in [None, arrival().sender] {
        let mut spool = world.engine.new_spool();
        spool.write(b"From: an@demo.gov.vn\r\nSubject: x\r\n\r\nz\r\n").await.unwrap();
        let to = [world.engine.recipient(&address("an")).await.unwrap()];
        world.engine.deliver(&crate::Arrival { sender, ..arrival() }, &to, spool).await.unwrap();
        assert!(goes_out(&world).await.starts_with("Received: "));
    }
}

/// With what was found out of it when it came, and in one copy for each time that it is sent.
#[tokio::test]
async fn what_strangers_wrote_goes_on_under_a_seal() {
    let world = World::new().await;
    world.user("an").await;
    let domain = DomainName::new("demo.gov.vn").unwrap();
    world.engine.add_dkim(&actor(), &domain).await.unwrap();
    world.engine.rotate_dkim(&actor(), &domain).await.unwrap();
    super::policy(&world, "sending.forward_outside", "true").await;
    world.engine.set_forward(&actor(), &address("an"), (&address("an@example.net"), false)).await.unwrap();
    let links = "ARC-Seal: i=1; cv=none; d=a.vn; b=x\r\nARC-Message-Signature: i=1; d=a.vn; b=x\r\n\
                 ARC-Authentication-Results: i=1; a.vn; spf=pass\r\n";
    for (theirs, outcome, expected) in [
        ("", Outcome::None, Some("i=1; cv=none")),
        (links, Outcome::Pass, Some("i=2; cv=pass")),
        (links, Outcome::Fail, None),
        (links, Outcome::TempError, None),
    ] {
        let mut spool = world.engine.new_spool();
        let message = format!("{theirs}From: x@a.vn\r\nSubject: x\r\n\r\nz\r\n");
        spool.write(message.as_bytes()).await.unwrap();
        let to = [world.engine.recipient(&address("an")).await.unwrap()];
        let chain = Arc { outcome, domain: "a.vn".into(), links: 1 };
        let evidence = Evidence { arc: chain, ..Evidence::default() };
        let examined = Some(Examined { evidence, sorting: model::Sorting::Inbox });
        world.engine.deliver(&crate::Arrival { examined, ..arrival() }, &to, spool).await.unwrap();
        let sent = goes_out(&world).await;
        let Some(expected) = expected else {
            assert!(sent.starts_with("Authentication-Results: "), "{sent}");
            continue;
        };
        assert!(sent.starts_with(&format!("ARC-Seal: {expected}; a=rsa-sha256; d=demo.gov.vn;")), "{sent}");
        assert!(!sent.contains("DKIM-Signature"), "{sent}");
        let results = sent.split_once("\nARC-Authentication-Results: ").unwrap().1;
        assert!(results.contains(" mail.demo.gov.vn;\r\n\tspf=none"), "{sent}");
    }
}

/// Nobody else's SPF and DMARC know a report under a null return path.
#[tokio::test]
async fn a_report_that_leaves_is_signed_when_it_is_written() {
    let world = World::new().await;
    world.user("an").await;
    let domain = DomainName::new("demo.gov.vn").unwrap();
    world.engine.add_dkim(&actor(), &domain).await.unwrap();
    world.engine.rotate_dkim(&actor(), &domain).await.unwrap();
    super::queue::reports::let_forward(&world, "an", "an@example.net", false).await;
    world.deliver(&["an"], b"From: sender@example.org\r\nSubject: x\r\n\r\ny\r\n").await;
    let claimed = world.engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    let delivery = &claimed.deliveries[0];
    let refused = vec![super::queue::never()];
    world.engine.report_mail(&claimed.lease, delivery, refused, crate::Contact::Reached).await.unwrap();
    world.engine.give_back_mail(&claimed.lease).await.unwrap();
    let report = goes_out(&world).await;
    let field = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=demo.gov.vn;";
    assert!(report.contains(field), "{report}");
    assert!(report.contains("<postmaster@mail.demo.gov.vn>\r\n"), "of a name below it: {report}");
}

/// A letter to two thousand people has them all in its header.
#[tokio::test]
async fn a_long_header_is_signed_to_its_end() {
    let world = World::new().await;
    let an = world.user("an").await;
    let domain = DomainName::new("demo.gov.vn").unwrap();
    world.engine.add_dkim(&actor(), &domain).await.unwrap();
    world.engine.rotate_dkim(&actor(), &domain).await.unwrap();
    let mut hashes = Vec::new();
    for count in [1, 2_000] {
        let people = vec!["Nguy\u{1ec5}n V\u{103}n An <an@demo.gov.vn>"; count].join(",\r\n ");
        let mut spool = world.engine.new_spool();
        let message = format!("From: an@demo.gov.vn\r\nTo: {people}\r\nSubject: x\r\n\r\nbody\r\n");
        spool.write(message.as_bytes()).await.unwrap();
        let to = [super::queue::outside(&world, &an, "x@a.test").await];
        let sender = Some(crate::Sender::from(&address("an")));
        let arrival = crate::Arrival { sender, principal: Some(an.clone()), ..arrival() };
        world.engine.deliver(&arrival, &to, spool).await.unwrap();
        let sent = goes_out(&world).await;
        hashes.push(sent.split_once(" bh=").unwrap().1.split_once(';').unwrap().0.to_owned());
    }
    assert_eq!(hashes[0], hashes[1], "what is behind the header");
}

/// What seals is asked for once for all that a connection has at hand, and so is that nothing does.
#[tokio::test]
async fn the_sealing_key_is_read_once_for_many() {
    let world = World::new().await;
    world.user("an").await;
    let domain = DomainName::new("demo.gov.vn").unwrap();
    super::policy(&world, "sending.forward_outside", "true").await;
    world.engine.set_forward(&actor(), &address("an"), (&address("an@example.net"), false)).await.unwrap();
    let two_go = async |between: &str| {
        for _ in 0..2 {
            let mut spool = world.engine.new_spool();
            spool.write(b"From: x@a.vn\r\nSubject: x\r\n\r\nz\r\n").await.unwrap();
            let to = [world.engine.recipient(&address("an")).await.unwrap()];
            let examined = Some(Examined::default());
            world.engine.deliver(&crate::Arrival { examined, ..arrival() }, &to, spool).await.unwrap();
        }
        let claimed = world.engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
        assert_eq!(claimed.deliveries.len(), 2);
        let (mut at_hand, mut sealed) = (crate::AtHand::default(), Vec::new());
        for nth in 0..2 {
            let octets = world.engine.next_octets(&claimed.deliveries[nth..], &mut at_hand).await.unwrap();
            sealed.push(read(&octets).await.starts_with("ARC-Seal: "));
            world.database.run(between).await;
        }
        for delivery in &claimed.deliveries {
            let outcomes = vec![super::queue::taken(); delivery.recipients.len()];
            let contact = crate::Contact::Reached;
            world.engine.report_mail(&claimed.lease, delivery, outcomes, contact).await.unwrap();
        }
        world.engine.give_back_mail(&claimed.lease).await.unwrap();
        sealed
    };
    world.engine.add_dkim(&actor(), &domain).await.unwrap();
    assert_eq!(two_go("update dkim_keys set state = 'signing'").await, [false, false]);
    assert_eq!(two_go("update dkim_keys set state = 'waiting'").await, [true, true]);
    assert_eq!(two_go("select").await, [false, false]);
}
