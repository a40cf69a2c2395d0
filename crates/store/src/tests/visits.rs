//! Where mailboxes were seen: what a log-in costs however many there are, and what is forgotten at night.

use super::world::World;
use jiff::SignedDuration;
use model::Country;
use sqlx::{AssertSqlSafe, Executor as _};

#[tokio::test]
async fn a_log_in_reads_and_writes_by_the_key_of_its_mailbox_and_the_night_by_an_index() {
    let world = World::new().await;
    world.mailboxes(20_000).await;
    let mut superuser = world.superuser().await;
    for statement in [
        "insert into login_countries (account_id, country, last_at)
         select account_id, country, timestamptz '2026-11-22T01:00:00Z' - make_interval(days => (account_id % 500)::int)
           from accounts, unnest(array['VN', 'LA', 'KH']) country",
        "analyze login_countries",
    ] {
        superuser.execute(statement).await.unwrap();
    }
    for (statement, wanted) in [
        (crate::visits::VISITS, "login_countries_pkey"),
        (crate::visits::NOTE, "Insert on login_countries"),
        (crate::visits::TOLD, "Insert on login_countries"),
        (crate::visits::FORGET, "login_countries_last"),
    ] {
        let (limit, country) = ("10000", "'VN'");
        let second = if statement == crate::visits::FORGET { limit } else { country };
        let first = if statement == crate::visits::FORGET { "'2025-07-20T01:00:00Z'" } else { "7" };
        let asked = statement
            .replace("$1", first)
            .replace("$2", second)
            .replace("$3", "'2026-11-22T01:00:00Z'")
            .replace("$4", "'2026-10-22T01:00:00Z'");
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("explain {asked}")))
            .fetch_all(&mut superuser)
            .await
            .unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains(wanted) && !plan.contains("Seq Scan"), "{asked}\n{plan}");
    }
}

#[tokio::test]
async fn visits_are_noted_once_told_once_and_the_newest_stays() {
    let world = World::new().await;
    let account = world.mailboxes(1).await[0].account;
    let (laos, hour) = ("LA".parse::<Country>().unwrap(), SignedDuration::from_hours(1));
    assert!(world.store.visits(account).await.unwrap().is_empty());
    world.store.note_visit(account, Country::VN, world.now).await.unwrap();
    world.store.note_visit(account, Country::VN, world.now - hour).await.unwrap();
    for (at, first) in [(world.now, true), (world.now + hour, false), (world.now + hour * 3, true)] {
        let mut tx = world.store.begin().await.unwrap();
        assert_eq!(tx.note_visit_told(account, laos, (at, at - hour * 2)).await.unwrap(), first, "{at}");
        tx.commit().await.unwrap();
    }
    let mut seen = world.store.visits(account).await.unwrap();
    seen.sort_by_key(|visit| visit.country);
    let short: Vec<_> = seen.iter().map(|visit| (visit.country, visit.last_at, visit.told_at)).collect();
    assert_eq!(short, [(laos, None, Some(world.now + hour * 3)), (Country::VN, Some(world.now), None)]);
    let mut tx = world.store.begin().await.unwrap();
    tx.note_visit(account, laos, world.now + hour).await.unwrap();
    tx.suspect(account, (world.now, world.now + hour * 5)).await.unwrap();
    tx.suspect(account, (world.now, world.now + hour)).await.unwrap();
    tx.commit().await.unwrap();
    let sent = world.store.sent_counts(account).await.unwrap().unwrap();
    assert_eq!(sent.suspect_until, Some(world.now + hour * 5), "the longer term holds");
    assert_eq!(world.store.forget_visits(world.now + hour * 9, 100).await.unwrap(), 1);
    assert_eq!(world.store.visits(account).await.unwrap()[0].country, laos);
}
