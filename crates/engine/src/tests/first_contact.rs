//! Senders who are here for the first time (greylisting): who waits, how long, and who never does.

use super::queue::{outside, submit};
use super::{World, address, policy};
use crate::{Engine, Sender, Wishes};
use jiff::SignedDuration;
use model::admission::{Admission, Evidence, Ground, Outcome, Spf};
use model::connection::Connection;
use std::net::IpAddr;

const WAITS: Admission = Admission::Later(Ground::Greylisted);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What becomes of a message of this sender, from this address, as the door asks.
async fn comes(engine: &Engine, (remote, sender): (&str, &str), to: &[&str]) -> Admission {
    let spf = Spf { outcome: Outcome::None, domain: "b.vn".into(), of_helo: false };
    let evidence = Evidence { spf, connection: Some(Connection::default()), ..Evidence::default() };
    brings(engine, evidence, (remote, sender), to).await
}

async fn brings(
    engine: &Engine,
    mut evidence: Evidence,
    (remote, sender): (&str, &str),
    to: &[&str],
) -> Admission {
    let mut recipients = Vec::new();
    for name in to {
        recipients.push(engine.recipient(&address(name)).await.unwrap());
    }
    let sender = (!sender.is_empty()).then(|| Sender::from(&address(sender)));
    let between = (remote.parse::<IpAddr>().unwrap(), sender.as_ref());
    let before = evidence.connection.clone();
    let asked = engine.meet(&mut evidence, between, &recipients).await.unwrap();
    assert_eq!(asked, evidence.connection != before);
    engine.admit_mail(&mut evidence, &recipients).await.unwrap()
}

async fn world() -> World {
    let world = World::new().await;
    world.user("an").await;
    world.user("binh").await;
    policy(&world, "inbound.greylist", "5").await;
    world
}

async fn rows(world: &World) -> i64 {
    world.number("select count(*) from first_contacts").await
}

#[tokio::test]
async fn nobody_waits_unless_policy_says_so() {
    let world = World::new().await;
    world.user("an").await;
    assert_eq!(comes(&world.engine, ("192.0.2.1", "x@b.vn"), &["an"]).await, Admission::Accept);
    policy(&world, "inbound.greylist", "5").await;
    // A relay or a network of ours has no connection in the evidence.
    let ours = brings(&world.engine, Evidence::default(), ("192.0.2.1", "x@b.vn"), &["an"]).await;
    assert_eq!((ours, rows(&world).await), (Admission::Accept, 0));
}

#[tokio::test]
async fn who_comes_back_is_taken_and_known_from_then_on() {
    let world = world().await;
    let (engine, from) = (&world.engine, ("192.0.2.1", "x@b.vn"));
    assert_eq!(comes(engine, from, &["an"]).await, WAITS);
    world.clock.advance(MINUTE * 4);
    assert_eq!(comes(engine, from, &["an"]).await, WAITS, "too early, and its time goes on");
    world.clock.advance(MINUTE);
    // By another server of the same network, and of another node.
    let other = world.another_node();
    other.open().await.unwrap();
    assert_eq!(comes(&other, ("192.0.2.77", "y@B.vn"), &["an"]).await, Admission::Accept);
    assert_eq!(comes(engine, from, &["binh"]).await, Admission::Accept, "and to others at once");
    for stranger in [("192.0.3.1", "x@b.vn"), ("192.0.2.1", "x@c.vn"), ("192.0.2.1", "")] {
        assert_eq!(comes(engine, stranger, &["binh"]).await, WAITS, "{stranger:?}");
    }
    // Who goes on writing stays known; who does not is a stranger again.
    for _ in 0..3 {
        world.clock.advance(DAY * 30);
        assert_eq!(comes(engine, from, &["an"]).await, Admission::Accept);
    }
    world.clock.advance(DAY * 36);
    assert_eq!(comes(engine, from, &["an"]).await, WAITS);
}

#[tokio::test]
async fn who_comes_back_too_late_begins_anew() {
    let world = world().await;
    let from = ("2001:db8::1", "x@b.vn");
    assert_eq!(comes(&world.engine, from, &["an"]).await, WAITS);
    world.clock.advance(DAY * 2);
    assert_eq!(comes(&world.engine, from, &["an"]).await, WAITS);
    world.clock.advance(MINUTE * 5);
    assert_eq!(comes(&world.engine, ("2001:db8::ffff", "x@b.vn"), &["an"]).await, Admission::Accept);
}

/// A message to several is answered once: who has a recipient more is there for the first time, with it.
#[tokio::test]
async fn each_recipient_is_a_first_contact() {
    let world = world().await;
    let from = ("192.0.2.1", "x@b.vn");
    assert_eq!(comes(&world.engine, from, &["an"]).await, WAITS);
    world.clock.advance(MINUTE * 5);
    assert_eq!(comes(&world.engine, from, &["an", "binh"]).await, WAITS);
    world.clock.advance(MINUTE * 5);
    assert_eq!(comes(&world.engine, from, &["an", "binh", "an"]).await, Admission::Accept);
}

/// Large senders try again from another of their networks, and would wait for long; whoever forges nothing need not.
#[tokio::test]
async fn whom_spf_shows_to_be_the_sender_never_waits() {
    let world = world().await;
    let from = ("192.0.2.1", "x@b.vn");
    for (outcome, of_helo, expected) in [
        (Outcome::Pass, false, Admission::Accept),
        (Outcome::Pass, true, WAITS),
        (Outcome::None, false, WAITS),
        (Outcome::Neutral, false, WAITS),
        (Outcome::SoftFail, false, WAITS),
        (Outcome::TempError, false, WAITS),
    ] {
        let spf = Spf { outcome, domain: "b.vn".into(), of_helo };
        let evidence = Evidence { spf, connection: Some(Connection::default()), ..Evidence::default() };
        assert_eq!(brings(&world.engine, evidence, from, &["an"]).await, expected, "{outcome} {of_helo}");
        assert_eq!(rows(&world).await, i64::from(expected == WAITS), "nothing is kept of him");
    }
}

/// An answer is not to be late; and by no other mailbox can a stranger find out to whom it writes.
#[tokio::test]
async fn whom_the_mailbox_wrote_to_never_waits() {
    let world = world().await;
    let an = world.engine.log_in("an@demo.gov.vn", super::PASSWORD, &super::origin()).await.unwrap();
    let to = [outside(&world, &an, "Ai@b.vn").await];
    submit(&world, &an, &to, Wishes::default()).await;
    for to in [&["an"][..], &["an+tag"], &["binh", "an"]] {
        assert_eq!(comes(&world.engine, ("192.0.2.1", "ai@b.vn"), to).await, Admission::Accept, "{to:?}");
    }
    assert_eq!(rows(&world).await, 0, "nothing is kept of him");
    for (sender, to) in [("ai@b.vn", "binh"), ("other@b.vn", "an")] {
        assert_eq!(comes(&world.engine, ("192.0.2.1", sender), &[to]).await, WAITS, "{sender} to {to}");
    }
}

/// Who knows how places are hashed does not know with what.
#[tokio::test]
async fn places_are_hashed_with_the_systems_own_secret() {
    let mut places = Vec::new();
    for secret in ["07", "08"] {
        let world = world().await;
        let secret = format!("decode(repeat('{secret}', 32), 'hex')");
        world.database.run(&format!("insert into return_path_secret (secret) values ({secret})")).await;
        assert_eq!(comes(&world.engine, ("192.0.2.1", "x@b.vn"), &["an"]).await, WAITS);
        places.push(world.number("select place::bigint from first_contacts").await);
    }
    assert_ne!(places[0], places[1]);
}

#[tokio::test]
async fn what_says_nothing_any_more_is_forgotten_at_night() {
    let world = world().await;
    for name in ["a", "b", "c"] {
        assert_eq!(comes(&world.engine, ("192.0.2.1", &format!("x@{name}.vn")), &["an"]).await, WAITS);
    }
    world.clock.advance(MINUTE * 5);
    assert_eq!(comes(&world.engine, ("192.0.2.1", "x@a.vn"), &["an"]).await, Admission::Accept);
    assert_eq!(rows(&world).await, 4);
    for (days, done, left) in [(1, "0 forgotten", 4), (1, "3 forgotten", 1), (35, "1 forgotten", 0)] {
        world.clock.advance(DAY * days);
        let said = world.engine.run_job("forget-first-contacts").await.unwrap().unwrap();
        assert_eq!((said.as_str(), rows(&world).await), (done, left));
    }
}

/// Nobody is kept waiting by a database that does not say.
#[tokio::test]
async fn what_cannot_be_found_out_keeps_nobody() {
    let world = world().await;
    world.database.run("drop table first_contacts").await;
    let spf = Spf { outcome: Outcome::None, domain: "b.vn".into(), of_helo: false };
    let mut evidence = Evidence { spf, connection: Some(Connection::default()), ..Evidence::default() };
    let to = [world.engine.recipient(&address("an")).await.unwrap()];
    let sender = Sender::from(&address("x@b.vn"));
    let between = (IpAddr::from([192, 0, 2, 1]), Some(&sender));
    assert!(world.engine.meet(&mut evidence, between, &to).await.unwrap());
    assert_eq!(world.engine.admit_mail(&mut evidence, &to).await.unwrap(), Admission::Accept);
}
