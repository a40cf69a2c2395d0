//! Orders of certificates: brought to an end whatever dies wherever, by whichever node, and never more often than they should be.

mod authority;

use super::*;
use crate::{CertificateOrders, MAIN_CERTIFICATE, WantedCertificate};
use authority::Authority;
use guard::{AcmeAuthority, AcmeChallenge};
use jiff::SignedDuration;

fn orders(authority: &Authority) -> CertificateOrders {
    CertificateOrders {
        authority: AcmeAuthority::new(&authority.directory, authority.roots()).unwrap(),
        challenge: AcmeChallenge::Http01,
        contact: vec!["quantri@demo.gov.vn".to_owned()],
        binding: None,
    }
}

fn wanted(label: &str) -> [WantedCertificate; 1] {
    [WantedCertificate::new(label, ["mail.a.vn".to_owned()])]
}

/// Signs for the key that the open order has, once it has one.
async fn sign(world: &World, authority: &Authority) {
    let keys = "select concat_ws(' ', encode(secret, 'hex'), array_to_string(names, ' ')) from acme_orders
                 where state = 'open' and secret is not null";
    if let Some((key, names)) = world.database.texts(keys).await.first().and_then(|row| row.split_once(' ')) {
        let octet = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        let key: Vec<u8> = key.as_bytes().chunks(2).map(octet).collect();
        authority.seen.lock().unwrap().chain =
            authority.sign(&key, &names.split(' ').map(str::to_owned).collect::<Vec<_>>());
    }
}

/// A look of this node; the key that its order has by then is signed for while it looks.
async fn tend(world: &World, node: &Engine, authority: &Authority, label: &str) {
    tend_for(world, node, authority, &wanted(label)).await;
}

async fn tend_for(world: &World, node: &Engine, authority: &Authority, wanted: &[WantedCertificate]) {
    let orders = orders(authority);
    let tended = node.tend_certificates(&orders, wanted);
    tokio::pin!(tended);
    loop {
        tokio::select! {
            done = &mut tended => return done.unwrap(),
            () = authority.died.notified() => return,
            () = tokio::time::sleep(std::time::Duration::from_millis(5)) => sign(world, authority).await,
        }
    }
}

/// As when a minute has passed: whoever had the order is taken for dead.
async fn lapse(world: &World) {
    world.database.run("update acme_orders set look_at = clock_timestamp() where state = 'open'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_wherever_another_node_goes_on() {
    let (world, authority) = (World::new().await, Authority::start().await);
    let other = world.another_node();
    tend(&world, &world.engine, &authority, "whole").await;
    let all = authority.seen.lock().unwrap().requests;
    assert_eq!(world.number("select count(*) from acme_orders where state = 'done'").await, 1);
    assert!(all > 10, "{all}");
    world.database.run("delete from acme_accounts").await;
    for (at, after) in (1..=all).flat_map(|at| [(at, false), (at, true)]) {
        let label = format!("dies-{at}-{after}");
        {
            let mut seen = authority.seen.lock().unwrap();
            let requests = seen.requests;
            *seen = authority::Seen {
                dies_at: Some((requests + at, after)),
                requests,
                orders: seen.orders.clone(),
                ..Default::default()
            };
        }
        let placed = authority.seen.lock().unwrap().orders.len();
        tend(&world, &world.engine, &authority, &label).await;
        let died = authority.seen.lock().unwrap().dies_at.is_none();
        assert!(died, "{label}: it came through");
        let open = format!("select count(*) from acme_orders where label = '{label}' and state = 'open'");
        assert_eq!(world.number(&open).await, 1, "{label}");
        // Nobody else has it yet.
        tend(&world, &other, &authority, &label).await;
        assert_eq!(world.number(&open).await, 1, "{label}");
        lapse(&world).await;
        tend(&world, &other, &authority, &label).await;
        let rows = format!("select state from acme_orders where label = '{label}'");
        assert_eq!(world.database.texts(&rows).await, ["done"], "{label}");
        // What the authority took, and nobody heard of, it took for nothing.
        let placed = authority.seen.lock().unwrap().orders.len() - placed;
        assert!(placed == 1 || (placed == 2 && after), "{label}: {placed} orders");
        // The account is made anew for each.
        world.database.run("delete from acme_accounts").await;
    }
    assert_eq!(world.number("select count(*) from acme_answers").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_order_one_certificate_and_both_have_it() {
    let (world, authority) = (World::new().await, Authority::start().await);
    let other = world.another_node();
    tokio::join!(
        tend(&world, &world.engine, &authority, MAIN_CERTIFICATE),
        tend(&world, &other, &authority, MAIN_CERTIFICATE)
    );
    assert_eq!(authority.seen.lock().unwrap().orders.len(), 1);
    let [row] = &other.certificates_with_keys().await.unwrap()[..] else { panic!("one certificate") };
    assert_eq!(other.certificates_in_use().await.unwrap(), [row.order]);
    assert!(row.chain.contains("BEGIN CERTIFICATE") && !format!("{row:?}").contains("secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_shown_is_found_by_every_node_while_the_order_is_open() {
    let world = World::new().await;
    let other = world.another_node();
    assert_eq!(other.acme_page("token-0").await, None);
    world
        .database
        .run("insert into acme_orders (label, directory, names, state, started_at) values ('main', 'd', '{mail.a.vn}', 'open', now());
              insert into acme_answers select order_id, 'mail.a.vn', 'token-0', 'token-0.thumb' from acme_orders")
        .await;
    // Asked again within the second, it is found all the same.
    assert_eq!(other.acme_page("token-0").await.as_deref(), Some("token-0.thumb"));
    assert_eq!(other.acme_shown("MAIL.a.vn").await.as_deref(), Some("token-0.thumb"));
    for nothing in ["token-1", "", "../token-0", "token-0.thumb", &"x".repeat(100_000)] {
        assert_eq!(other.acme_page(nothing).await, None);
    }
    assert_eq!(other.acme_shown("b.vn").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_answer_is_asked_once_a_second_and_what_was_known_holds() {
    let world = World::new().await;
    let node = world.another_node();
    let insert = "insert into acme_orders (label, directory, names, state, started_at) values ('main', 'd', '{mail.a.vn}', 'open', now());
                  insert into acme_answers select order_id, 'mail.a.vn', 'token-0', 'token-0.thumb' from acme_orders";
    world.database.run(insert).await;
    assert!(node.acme_page("token-0").await.is_some());
    world.database.run("alter table acme_answers rename to away").await;
    let begun = std::time::Instant::now();
    // The first of them waits for the next look, which fails.
    assert_eq!(node.acme_page("token-1").await, None);
    assert!(node.acme_page("token-0").await.is_some(), "it was known a second ago");
    for _ in 0..2 {
        assert_eq!(node.acme_page("token-1").await, None);
    }
    assert!(begun.elapsed() > std::time::Duration::from_millis(1_900), "{:?}", begun.elapsed());
    world.database.run("alter table away rename to acme_answers").await;
    assert_eq!(node.acme_shown("mail.a.vn").await.as_deref(), Some("token-0.thumb"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_ordered_again_later_and_what_is_in_use_stays() {
    let (world, authority) = (World::new().await, Authority::start().await);
    tend(&world, &world.engine, &authority, MAIN_CERTIFICATE).await;
    let before = world.engine.certificates_in_use().await.unwrap();
    authority.seen.lock().unwrap().refuses = Some("rejectedIdentifier");
    let (directory, [main]) = (authority.directory.clone(), wanted(MAIN_CERTIFICATE));
    assert!(world.engine.renew_certificate(&actor(), &directory, &main).await.unwrap());
    assert_eq!(world.audited("job.run").await, ["*/job/certificates"]);
    let states = "select state from acme_orders order by order_id";
    tend(&world, &world.engine, &authority, MAIN_CERTIFICATE).await;
    assert_eq!(world.database.texts(states).await, ["done", "failed"]);
    assert_eq!(world.engine.certificates_in_use().await.unwrap(), before);
    // The certificate is good: a failure is no reason to order before its time, nor is a year's end a reason to wait a day.
    for hours in [1, 24, 24 * 40] {
        world.clock.advance(SignedDuration::from_hours(hours));
        tend(&world, &world.engine, &authority, MAIN_CERTIFICATE).await;
        assert_eq!(world.database.texts(states).await.len(), 2, "{hours}");
    }
    // What is not there is ordered again, but not at once; an administrator may, eight times a day.
    let [gone] = wanted("demo.gov.vn");
    tend(&world, &world.engine, &authority, "demo.gov.vn").await;
    tend(&world, &world.engine, &authority, "demo.gov.vn").await;
    let tried = "select count(*) from acme_orders where label = 'demo.gov.vn'";
    assert_eq!(world.number(tried).await, 1);
    for _ in 0..7 {
        assert!(world.engine.renew_certificate(&actor(), &directory, &gone).await.unwrap());
        assert!(
            !world.engine.renew_certificate(&actor(), &directory, &gone).await.unwrap(),
            "one is under way"
        );
        tend(&world, &world.engine, &authority, "demo.gov.vn").await;
    }
    let refused = world.engine.renew_certificate(&actor(), &directory, &gone).await.unwrap_err();
    assert!(matches!(refused, crate::AdminError::TooManyCertificates(_)), "{refused}");
    assert_eq!(world.number(tried).await, 8);
    authority.seen.lock().unwrap().refuses = None;
    world.clock.advance(SignedDuration::from_hours(25));
    tend(&world, &world.engine, &authority, "demo.gov.vn").await;
    assert_eq!(world.engine.certificates_in_use().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_not_known_any_more_is_made_anew_for_the_same_order() {
    let (world, authority) = (World::new().await, Authority::start().await);
    authority.seen.lock().unwrap().refuses = Some("accountDoesNotExist");
    tend(&world, &world.engine, &authority, MAIN_CERTIFICATE).await;
    assert_eq!(world.number("select count(*) from acme_accounts").await, 0);
    authority.seen.lock().unwrap().refuses = None;
    lapse(&world).await;
    tend(&world, &world.engine, &authority, MAIN_CERTIFICATE).await;
    assert_eq!(world.database.texts("select state from acme_orders").await, ["done"]);
    assert_eq!(authority.seen.lock().unwrap().accounts, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_with_names_of_their_own_have_certificates_of_their_own() {
    let (world, authority) = (World::new().await, Authority::start().await);
    let other = world.another_node();
    let main = |names: &str| [WantedCertificate::new(MAIN_CERTIFICATE, names.split(' ').map(str::to_owned))];
    let (ours, theirs) = (main("mail1.a.vn thu.a.vn"), main("mail2.a.vn thu.a.vn"));
    for _ in 0..3 {
        tend_for(&world, &world.engine, &authority, &ours).await;
        tend_for(&world, &other, &authority, &theirs).await;
    }
    let in_use = "select array_to_string(names, ' ') from acme_orders where state = 'done' order by order_id";
    assert_eq!(world.database.texts(in_use).await, ["mail1.a.vn thu.a.vn", "mail2.a.vn thu.a.vn"]);
    assert_eq!(authority.seen.lock().unwrap().orders.len(), 2);
    // A renewal is in place of its own.
    assert!(world.engine.renew_certificate(&actor(), &authority.directory, &ours[0]).await.unwrap());
    tend_for(&world, &other, &authority, &theirs).await;
    assert_eq!(world.database.texts(in_use).await, ["mail2.a.vn thu.a.vn", "mail1.a.vn thu.a.vn"]);
    // One that has the names of all is in place of all, and they are content with it.
    let all = main("thu.a.vn mail2.a.vn mail1.a.vn");
    tend_for(&world, &other, &authority, &all).await;
    for (node, wanted) in [(&world.engine, &ours), (&other, &theirs), (&other, &all)] {
        tend_for(&world, node, &authority, wanted).await;
        assert_eq!(world.database.texts(in_use).await, ["mail1.a.vn mail2.a.vn thu.a.vn"]);
    }
    assert_eq!(authority.seen.lock().unwrap().orders.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_for_the_nodes_that_ask_its_authority() {
    let (world, authority) = (World::new().await, Authority::start().await);
    world
        .database
        .run("insert into acme_orders (label, directory, names, state, started_at) values ('main', 'https://other/', '{mail.a.vn}', 'open', '2026-11-21T20:00:00Z')")
        .await;
    tend(&world, &world.engine, &authority, MAIN_CERTIFICATE).await;
    let states = "select state || coalesce(' ' || fault, '') from acme_orders order by order_id";
    assert_eq!(world.database.texts(states).await, ["open", "done"], "a node that asks there sees to it");
    world.clock.advance(SignedDuration::from_hours(48));
    tend(&world, &world.engine, &authority, MAIN_CERTIFICATE).await;
    assert_eq!(world.database.texts(states).await, ["failed another authority is asked by now", "done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_node_has_wanted_for_a_week_goes() {
    let (world, authority) = (World::new().await, Authority::start().await);
    tend(&world, &world.engine, &authority, "old.vn").await;
    tend(&world, &world.engine, &authority, MAIN_CERTIFICATE).await;
    let states = "select label || ' ' || state from acme_orders order by order_id";
    let unwanted = |days: u8, ends: &str| {
        format!(
            "update acme_orders set begins = '2026-08-23T00:00:00Z', ends = {ends},
                                        wanted_at = clock_timestamp() - interval '{days} days'"
        )
    };
    let ended = "clock_timestamp() - interval '1 day'";
    authority.seen.lock().unwrap().refuses = Some("caa");
    for (days, ends) in [(6, ended), (8, "clock_timestamp() + interval '9 days'")] {
        world.database.run(&unwanted(days, ends)).await;
        tend(&world, &world.engine, &authority, MAIN_CERTIFICATE).await;
        let failed = world.database.texts(states).await;
        assert_eq!(
            failed.first().map(String::as_str),
            Some("old.vn done"),
            "another node may want it: {failed:?}"
        );
    }
    world.database.run(&unwanted(8, ended)).await;
    tend(&world, &world.engine, &authority, MAIN_CERTIFICATE).await;
    let now = ["old.vn replaced", "main done", "main failed"];
    assert_eq!(world.database.texts(states).await, now, "what has ended is better than nothing");
    let secrets = "select count(*) from acme_orders where state <> 'done' and secret is not null";
    assert_eq!(world.number(secrets).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_given_up_changes_nothing_of_an_order() {
    let world = World::new().await;
    world
        .database
        .run("insert into acme_orders (label, directory, names, state, started_at) values ('main', 'd', '{mail.a.vn}', 'open', now())")
        .await;
    let (store, now, lease) = (&world.engine.0.store, world.engine.now(), SignedDuration::from_mins(1));
    let take = || store.take_acme_order(lease, ("d", now));
    let slow = take().await.unwrap().unwrap();
    assert!(take().await.unwrap().is_none(), "it is somebody's");
    lapse(&world).await;
    let other = take().await.unwrap().unwrap();
    assert_eq!((other.id, other.turn), (slow.id, slow.turn + 1));
    let (slow, other) = ((slow.id, slow.turn), (other.id, other.turn));
    assert!(store.put_acme_step(other, b"key", None).await.unwrap());
    assert!(!store.put_acme_step(slow, b"slow", Some("https://slow/")).await.unwrap());
    store.put_off_acme_order(slow, SignedDuration::from_hours(9), Some("slow")).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.put_acme_answers(slow, &[]).await.unwrap());
    assert!(!tx.fail_acme_order(slow, "slow", now).await.unwrap());
    assert!(!tx.finish_acme_order(slow, ("slow", now, now), now).await.unwrap());
    tx.commit().await.unwrap();
    let row = "select concat_ws(' ', state, encode(secret, 'escape'), url, fault, look_at < now() + interval '2 minutes') from acme_orders";
    assert_eq!(world.database.texts(row).await, ["open key t"]);
}
