//! First contacts (greylisting): found by their keys, bounded, and never in each other's way.

use super::world::World;
use crate::first_contacts::{FIRST_CONTACT, FORGET};
use crate::{CONTACT_PLACES, ContactTerms, FirstContact};
use futures_util::future::join_all;
use jiff::SignedDuration;
use jiff_sqlx::ToSqlx as _;
use model::AccountId;
use sqlx::{AssertSqlSafe, Executor as _};

const TERMS: ContactTerms = ContactTerms {
    delay: SignedDuration::from_mins(5),
    retry_max: SignedDuration::from_hours(48),
    known_for: SignedDuration::from_hours(24 * 36),
};

fn contact(sender: u32, tries: &[u32]) -> FirstContact {
    FirstContact { sender, tries: tries.to_vec(), correspondent: Some(7), mailboxes: vec![AccountId(1)] }
}

#[tokio::test]
async fn first_contacts_are_found_by_their_keys() {
    let world = World::new().await;
    world.mailboxes(200).await;
    let mut superuser = world.superuser().await;
    for statement in [
        "insert into first_contacts select n * 100, '2026-11-22', '2026-11-24' from generate_series(0, 40000) n",
        "insert into correspondents (account_id, address_key, last_at)
         select account_id, account_id * 1000 + n, now() from accounts, generate_series(1, 100) n",
        "analyze first_contacts, correspondents",
    ] {
        superuser.execute(statement).await.unwrap();
    }
    let now = world.now.to_sqlx();
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("explain {FIRST_CONTACT}")))
        .bind(1)
        .bind(vec![2, 4, 6])
        .bind(Some(7_i64))
        .bind(now)
        .bind(now)
        .bind(now)
        .bind(now)
        .bind(now)
        .bind(vec![3_i64, 5, 7])
        .fetch_all(&mut superuser)
        .await
        .unwrap();
    let found = rows.join("\n");
    assert!(found.contains("first_contacts_pkey") && found.contains("correspondents_pkey"), "{found}");
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("explain {FORGET}")))
        .bind(0)
        .bind(1 << 16)
        .bind(now)
        .fetch_all(&mut superuser)
        .await
        .unwrap();
    let forgotten = rows.join("\n");
    assert!(forgotten.contains("first_contacts_pkey"), "{forgotten}");
    for plan in [found, forgotten] {
        assert!(!plan.contains("Seq Scan") && !plan.contains("Sort"), "{plan}");
    }
}

/// As many strangers as there like: no more rows than places, no rows for who only comes again, and none that stays.
#[tokio::test]
async fn a_flood_of_first_contacts_does_not_fill_the_table() {
    let world = World::new().await;
    for round in 0..4_u32 {
        let flood = (0..300_u32).map(|n| contact(n % 64 * 2 + 1, &[(n + round) % 64 * 2, n % 32 * 2]));
        let contacts: Vec<FirstContact> = flood.collect();
        let asked = contacts.iter().map(|contact| world.store.first_contact(contact, TERMS, world.now));
        for answer in join_all(asked).await {
            assert_eq!(answer.unwrap(), Some(world.now));
        }
        assert_eq!(world.number("select count(*) from first_contacts").await, 64);
    }
    let beyond = contact(CONTACT_PLACES + 1, &[CONTACT_PLACES]);
    assert!(world.store.first_contact(&beyond, TERMS, world.now).await.is_err(), "there is no such place");
    let last = contact(CONTACT_PLACES - 1, &[CONTACT_PLACES - 2]);
    assert_eq!(world.store.first_contact(&last, TERMS, world.now).await.unwrap(), Some(world.now));
    let later = world.now + TERMS.retry_max;
    assert_eq!(world.store.forget_first_contacts(later - SignedDuration::from_secs(1)).await.unwrap(), 0);
    assert_eq!(world.store.forget_first_contacts(later).await.unwrap(), 65);
    assert_eq!(world.number("select count(*) from first_contacts").await, 0);
}

/// Whoever of his servers comes first, and however they name the recipients: one is written down once, and none waits for another for ever.
#[tokio::test]
async fn who_comes_many_times_at_once_is_one() {
    let world = World::new().await;
    let tries: Vec<u32> = (0..500).map(|n| n * 2).collect();
    let backwards: Vec<u32> = tries.iter().rev().copied().collect();
    let contacts: Vec<FirstContact> =
        (0..20).map(|n| contact(1, if n % 2 == 0 { &tries } else { &backwards })).collect();
    for (now, kept) in [(world.now, 500), (world.now + TERMS.delay, 501)] {
        let asked = contacts.iter().map(|contact| world.store.first_contact(contact, TERMS, now));
        for answer in join_all(asked).await {
            let answer = answer.unwrap();
            assert!(answer == Some(world.now) || (answer.is_none() && kept == 501), "{answer:?}");
        }
        assert_eq!(world.number("select count(*) from first_contacts").await, kept);
    }
    let later = world.now + TERMS.delay;
    assert_eq!(world.store.first_contact(&contact(1, &[2000]), TERMS, later).await.unwrap(), None);
}
