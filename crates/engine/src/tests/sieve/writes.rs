//! What rules write by themselves: answers, once in a period, and notices; and that none of it keeps mail from coming.

use super::super::groups::inboxes;
use super::super::{World, address, arrival};
use super::{put, sifted};
use crate::{Arrival, Principal, Sender};
use std::sync::Arc;

async fn write(world: &World, from: &Principal, to: &str) {
    let recipient = world.engine.recipient_of(&address(to), Some(from)).await.unwrap();
    let mut spool = world.engine.new_spool();
    let text = format!("From: {}\r\nTo: {}\r\nSubject: Hop\r\n\r\ny\r\n", from.address(), address(to));
    spool.write(text.as_bytes()).await.unwrap();
    let own =
        Arrival { principal: Some(from.clone()), sender: Some(Sender::from(from.address())), ..arrival() };
    world.engine.deliver(&own, &[recipient], spool).await.unwrap();
}

const AWAY: &str = r#"require "vacation"; vacation "Tôi đi công tác.";"#;

#[tokio::test]
async fn who_writes_is_answered_once() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    put(&world, "an", AWAY).await;
    for _ in 0..3 {
        write(&world, &binh, "an").await;
    }
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [3, 1]);
    let answer = &world.letters(&binh).await[0];
    assert!(answer.starts_with("Trả lời tự động: Hop Tôi đi công tác."), "{answer}");
    assert_eq!(sifted(&world).await, ["an@demo.gov.vn rule_answered vacation"]);
    world.clock.advance(jiff::SignedDuration::from_hours(24 * 8));
    let binh = world
        .engine
        .log_in("binh@demo.gov.vn", super::super::PASSWORD, &super::super::origin())
        .await
        .unwrap();
    write(&world, &binh, "an").await;
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [4, 2]);
    drop(an);
}

#[tokio::test]
async fn two_who_are_away_do_not_stop_each_other() {
    let world = Arc::new(World::new().await);
    let who = [world.user("an").await, world.user("binh").await];
    for name in ["an", "binh"] {
        put(&world, name, AWAY).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for nth in 0..20 {
        let (world, from) = (world.clone(), who[nth % 2].clone());
        tasks.spawn(async move { write(&world, &from, ["binh", "an"][nth % 2]).await });
    }
    tasks.join_all().await;
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [11, 11]);
}

#[tokio::test]
async fn a_leave_answers_before_the_own_script() {
    let world = World::new().await;
    let binh = world.user("binh").await;
    world.user("an").await;
    put(&world, "an", r#"require "fileinto"; fileinto "Archive";"#).await;
    world
        .database
        .run(
            "insert into leaves (account_id, from_day, to_day, reason, noted_by, noted_at, answer)
             select account_id, '2026-11-20', '2026-11-25', 'r', 'x', now(), 'Nghi phep.' from addresses where address = 'an@demo.gov.vn'",
        )
        .await;
    world.database.run("update sieve_version set version = version + 1").await;
    world.engine.renew_sieves().await.unwrap();
    write(&world, &binh, "an").await;
    assert_eq!(super::folders(&world, "an").await, ["Archive 1"]);
    let letters = world.letters(&binh).await;
    assert!(letters.len() == 1 && letters[0].contains("Nghi phep."), "{letters:?}");
}

#[tokio::test]
async fn a_notice_goes_where_a_redirect_may() {
    let world = World::new().await;
    let binh = world.user("binh").await;
    world.user("an").await;
    world.user("chi").await;
    put(&world, "an", r#"require "enotify"; notify "mailto:chi@demo.gov.vn"; notify "mailto:x@gmail.com";"#)
        .await;
    write(&world, &binh, "an").await;
    world.engine.tell_of_failed().await;
    assert_eq!(
        inboxes(&world, &["an", "chi"]).await,
        [2, 1],
        "the message, and word that one may not be sent"
    );
    assert_eq!(world.number("select count(*) from queue_recipients").await, 0);
}
