//! Mail that rules pass on: outside under policy, here through the next one's rules, and round no circle.

use super::super::groups::inboxes;
use super::super::{World, policy};
use super::{MAIL, folders, put, send, sifted};

fn to(address: &str) -> String {
    format!("redirect \"{address}\";")
}

async fn queued(world: &World) -> Vec<String> {
    world
        .database
        .texts("select address || ' ' || coalesce(written_to, '') from queue_recipients order by 1")
        .await
}

#[tokio::test]
async fn outside_goes_what_policy_lets_go() {
    let world = World::new().await;
    for name in ["an", "binh"] {
        world.user(name).await;
    }
    put(&world, "an", &to("an@bo.gov.vn")).await;
    world.deliver(&["an"], MAIL).await;
    // It stays, and its owner is told.
    assert_eq!((inboxes(&world, &["an"]).await, queued(&world).await), (vec![2], vec![]));
    assert!(sifted(&world).await[0].starts_with("an@demo.gov.vn rule_failed quy định"));
    policy(&world, "sending.forward_domains", "bo.gov.vn").await;
    world.deliver(&["an", "binh"], MAIL).await;
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [2, 1]);
    assert_eq!(queued(&world).await, ["an@bo.gov.vn an@demo.gov.vn"]);
    let forwarded =
        "select array_to_string(recipients, ' ') || ' ' || status from events where kind = 'forwarded'";
    assert_eq!(world.database.texts(forwarded).await, ["an@demo.gov.vn an@bo.gov.vn none_kept"]);
    // With a copy.
    put(&world, "an", &format!("{} keep;", to("x@bo.gov.vn"))).await;
    world.deliver(&["an"], MAIL).await;
    assert_eq!(inboxes(&world, &["an"]).await, [3]);
    assert_eq!(world.database.texts(forwarded).await[1], "an@demo.gov.vn x@bo.gov.vn copy_kept");
}

#[tokio::test]
async fn here_it_goes_through_the_rules_of_the_next() {
    let world = World::new().await;
    for name in ["an", "binh", "chi"] {
        world.user(name).await;
    }
    put(&world, "an", &to("binh@demo.gov.vn")).await;
    put(&world, "binh", r#"require "fileinto"; fileinto "Archive"; redirect "chi@demo.gov.vn";"#).await;
    world.deliver(&["an"], MAIL).await;
    assert_eq!(inboxes(&world, &["an"]).await, [0]);
    assert_eq!(folders(&world, "binh").await, ["Archive 1"]);
    assert_eq!(folders(&world, "chi").await, ["INBOX 1"]);
    // Each mailbox once, whichever way.
    world.deliver(&["an", "binh", "chi"], MAIL).await;
    assert_eq!(inboxes(&world, &["an", "binh", "chi"]).await, [0, 2, 2]);
    // Nobody is there: it stays.
    put(&world, "an", &to("khong@demo.gov.vn")).await;
    world.deliver(&["an"], MAIL).await;
    assert_eq!(inboxes(&world, &["an"]).await, [2], "with a notice");
}

#[tokio::test]
async fn what_goes_round_stays() {
    let world = World::new().await;
    for name in ["an", "binh", "chi"] {
        world.user(name).await;
    }
    put(&world, "an", &to("an@demo.gov.vn")).await;
    world.deliver(&["an"], MAIL).await;
    assert_eq!(inboxes(&world, &["an"]).await, [1]);
    put(&world, "an", &to("binh@demo.gov.vn")).await;
    put(&world, "binh", &to("chi@demo.gov.vn")).await;
    put(&world, "chi", &to("an@demo.gov.vn")).await;
    world.deliver(&["an"], MAIL).await;
    assert_eq!(inboxes(&world, &["an", "binh", "chi"]).await, [2, 0, 0]);
    world.deliver(&["an", "binh", "chi"], MAIL).await;
    assert_eq!(inboxes(&world, &["an", "binh", "chi"]).await, [3, 0, 0]);
    // So it does where a forwarding closes the circle.
    let actor = super::super::actor();
    let (chi, an) = (super::super::address("chi"), super::super::address("an"));
    world.engine.set_forward(&actor, &chi, (&an, false)).await.unwrap();
    world.deliver(&["binh"], MAIL).await;
    assert_eq!(inboxes(&world, &["an", "binh", "chi"]).await.iter().sum::<usize>(), 4);
}

#[tokio::test]
async fn a_full_mailbox_is_passed_nothing_on() {
    let world = World::new().await;
    for name in ["an", "binh"] {
        world.user(name).await;
    }
    put(&world, "an", &to("binh@demo.gov.vn")).await;
    world
        .database
        .run("update accounts set quota_bytes = 100 where account_id = (select account_id from addresses where address = 'binh@demo.gov.vn')")
        .await;
    send(&world, &["an"], MAIL).await.unwrap();
    send(&world, &["an"], MAIL).await.unwrap();
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [2, 1], "kept, with a notice");
}
