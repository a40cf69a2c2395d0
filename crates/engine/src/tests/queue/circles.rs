//! Mail that goes on by itself to the outside goes round no circle, and nobody who did not write it hears of it.

use super::reports::let_forward;
use super::*;
use crate::Examined;
use crate::tests::words_of;
use model::admission::{Evidence, Outcome as Shown, Signature, Spf};

/// Brings it to `an` and has it refused wherever it goes; where it went.
async fn bring(world: &World, examined: Option<Examined>, header: &str) -> Vec<(String, Notify)> {
    let to = world.engine.recipient(&address("an")).await.unwrap();
    let mut spool = world.engine.new_spool();
    spool.write(format!("{header}Subject: x\r\n\r\ny\r\n").as_bytes()).await.unwrap();
    world.engine.deliver(&Arrival { examined, ..arrival() }, &[to], spool).await.unwrap();
    let mut went = Vec::new();
    work(&world.engine, |delivery| {
        went.push((delivery.recipients[0].address.clone(), delivery.recipients[0].notify));
        all(delivery, &never())
    })
    .await;
    went
}

/// Two systems that forward to each other would write a copy into either mailbox until the header is full (RFC 5321 6.3: 100 hops).
#[tokio::test]
async fn what_goes_round_stays_where_it_has_come_again() {
    let world = World::new().await;
    let an = world.user("an").await;
    let_forward(&world, "an", "an@example.net", false).await;
    let by = |host: &str, times: usize| {
        format!("Received: from a.example.net ([192.0.2.1])\r\n\tby {host} (Cong Thu) with ESMTPS id 1;\r\n\tSun, 22 Nov 2026 08:00:00 +0700\r\n")
            .repeat(times)
    };
    let (ours, theirs) = ("mail.demo.gov.vn", "mail.example.net");
    let header = |times| by(theirs, times) + &by(ours, times);
    for (header, goes) in [
        (header(0), true),
        (header(1), true),
        (header(2), true),
        (header(3), false),
        (header(40), false),
        (by(theirs, 90), true),
        (by("mail.demo.gov.vn.example.net", 10), true),
        (by("x-mail.demo.gov.vn", 10), true),
    ] {
        let before = world.inbox(&an).await.len();
        let went = bring(&world, None, &header).await;
        let went_on = went.iter().any(|(to, _)| to == "an@example.net");
        let stayed = world.read(&an, "INBOX").await.len() > before && !went_on;
        assert_eq!((went_on, stayed), (goes, !goes), "{header}");
    }
    assert_eq!(world.queue_rows().await, [0; 4]);
}

/// Backscatter: whose address somebody else has put into the envelope gets no letter of what he never wrote.
#[tokio::test]
async fn who_was_not_shown_to_have_written_it_hears_nothing_of_it() {
    let world = World::new().await;
    let an = world.user("an").await;
    let_forward(&world, "an", "an@example.net", false).await;
    let evidence = |outcome, signed: Option<(&str, Shown)>, is_relayed| {
        let spf = Spf { outcome, domain: "example.org".into(), of_helo: false };
        let signature = |(domain, outcome): (&str, Shown)| Signature {
            outcome,
            domain: domain.into(),
            ..Signature::default()
        };
        let signatures = signed.map(signature).into_iter().collect();
        let evidence = Evidence { spf, signatures, is_relayed, ..Evidence::default() };
        Some(Examined { evidence, sorting: model::Sorting::Inbox })
    };
    let signed = |domain| Some((domain, Shown::Pass));
    let mut unheard = 0;
    for (examined, told) in [
        (evidence(Shown::Pass, None, false), true),
        (evidence(Shown::SoftFail, signed("example.org"), false), true),
        (evidence(Shown::None, signed("EXAMPLE.org"), true), true),
        (evidence(Shown::None, None, false), false),
        (evidence(Shown::Neutral, None, false), false),
        (evidence(Shown::SoftFail, None, false), false),
        (evidence(Shown::Fail, None, false), false),
        (evidence(Shown::TempError, None, false), false),
        (evidence(Shown::PermError, None, false), false),
        (evidence(Shown::None, None, true), false),
        (evidence(Shown::None, signed("example.com"), false), false),
        (evidence(Shown::None, Some(("example.org", Shown::Fail)), false), false),
    ] {
        world.forward(24, 0);
        let said = format!("{:?}", examined.as_ref().map(|examined| &examined.evidence));
        let went = bring(&world, examined, "").await;
        let (to, notify) = &went[0];
        assert_eq!(to, "an@example.net");
        // Whoever has it next is asked for the same.
        assert_eq!(*notify == Notify::NEVER, !told, "{said}");
        // Of what nobody else hears, its reader has a copy, though he wanted none.
        let copies =
            world.inbox(&an).await.iter().filter(|one| one.contains("Return-Path: <sender@")).count();
        unheard += usize::from(!told);
        assert_eq!(copies, unheard, "{said}");
        let letters: Vec<&str> = went[1..].iter().map(|(to, _)| to.as_str()).collect();
        assert_eq!(letters, if told { vec!["sender@example.org"] } else { vec![] }, "{said}");
        // Its reader hears that it has not got there, and whether anybody else does.
        let (_, letter) = world.read(&an, "INBOX").await.pop().unwrap();
        let words = words_of(&letter);
        assert!(words.contains("Chuyển thư tự động không thành công"), "{words}");
        assert_eq!(words.contains("không xác thực được người gửi"), !told, "{words}");
    }
    assert_eq!(world.queue_rows().await, [0; 4]);
}

/// Nobody reads it, so nobody makes room in it.
#[tokio::test]
async fn a_full_mailbox_passes_on_what_leaves_no_copy() {
    let world = World::new().await;
    world.user("an").await;
    let_forward(&world, "an", "an@example.net", false).await;
    world.database.run("update counters set used_bytes = 400000000").await;
    let went = bring(&world, None, "").await;
    assert_eq!(went[0].0, "an@example.net");
    let to = world.engine.recipient(&address("an")).await.unwrap();
    let mut spool = world.engine.new_spool();
    spool.write(b"Subject: x\r\n\r\ny\r\n").await.unwrap();
    let unproven = Arrival { examined: Some(Examined::default()), ..arrival() };
    let refused = world.engine.deliver(&unproven, &[to], spool).await;
    assert_eq!(refused.map(|_| ()), Err(crate::DeliverError::RecipientFull));
    assert_eq!(world.queue_rows().await, [0; 4], "nothing is half done");
    let_forward(&world, "an", "an@example.net", true).await;
    assert_eq!(world.engine.recipient(&address("an")).await.unwrap_err(), crate::RecipientError::OverQuota);
}
