//! Accepting: many recipients, many at once, and a COMMIT whose answer is lost.

use super::world::{World, open};
use crate::tx::{Fate, resolve};
use crate::{Error, Event, Forwarded, ForwardedTo, Target};
use model::{FolderId, ModSeq, Uid};
use std::sync::Arc;

async fn entries(world: &World, target: &Target) -> Vec<(Uid, ModSeq)> {
    let delta = world.store.folder_delta(target.account, target.folder, None).await.unwrap().unwrap();
    delta.changed.iter().map(|entry| (entry.uid, entry.modseq)).collect()
}

#[tokio::test]
async fn a_thousand_recipients_share_one_content() {
    let world = World::new().await;
    let to = world.mailboxes(1000).await;
    assert_eq!(world.deliver(&[b"to all"], &to).await.len(), 1000);
    assert_eq!(world.number("select count(*) from contents").await, 1);
    assert_eq!(world.number("select count(*) from entries").await, 1000);
    assert_eq!(world.number("select sum(used_bytes)::bigint from counters").await, 6000);
    assert_eq!(world.number("select count(*) from events where cardinality(recipients) = 1000").await, 1);
}

#[tokio::test]
async fn twenty_thousand_recipients_are_expanded_each_exactly_once() {
    let world = World::new().await;
    let to = world.mailboxes(20_000).await;
    let content = world.content(&[b"to the whole province"]).await;
    let mut tx = world.store.begin().await.unwrap();
    let id = tx.accept_pending(&content, &to, &world.event()).await.unwrap();
    tx.commit_known(&id).await.unwrap();
    // The first mailbox of the first batch goes before its turn.
    let mut superuser = world.superuser().await;
    for statement in
        ["delete from folders where account_id = $1", "delete from counters where account_id = $1"]
    {
        sqlx::query(statement).bind(to[0].account.0).execute(&mut superuser).await.unwrap();
    }
    // Two nodes hand out at the same time, and one gives up in the middle of a batch.
    let mut failed = Vec::new();
    let abandoned = world.store.expand_pending(world.now, &mut failed);
    let _ = tokio::time::timeout(std::time::Duration::from_millis(2), abandoned).await;
    tokio::join!(expand(&world), expand(&world));
    let noted = "select count(*) from events where cardinality(recipients) = 20000";
    assert_eq!(world.number(noted).await, 1, "all addresses are evidence");
    assert_eq!(world.number("select count(*) from pending_deliveries").await, 0);
    assert_eq!(world.number("select count(*) from entries").await, 19_999);
    assert_eq!(world.number("select count(distinct account_id) from entries").await, 19_999);
    assert_eq!(world.number("select count(*) from contents").await, 1);
}

/// Hands out what can be handed out; how many batches could not.
async fn expand(world: &World) -> usize {
    let mut failed = Vec::new();
    while world.store.expand_pending(world.now, &mut failed).await.unwrap().is_some() {}
    failed.len()
}

#[tokio::test]
async fn a_batch_that_fails_keeps_no_other_from_its_turn() {
    let world = World::new().await;
    let to = world.mailboxes(2).await;
    for (body, target) in [b"lost", b"good"].into_iter().zip(&to) {
        let content = world.content(&[body]).await;
        let mut tx = world.store.begin().await.unwrap();
        let id = tx.accept_pending(&content, std::slice::from_ref(target), &world.event()).await.unwrap();
        tx.commit_known(&id).await.unwrap();
    }
    sqlx::raw_sql("delete from contents where content_id = (select min(content_id) from contents)")
        .execute(&mut world.superuser().await)
        .await
        .unwrap();
    assert_eq!(expand(&world).await, 1);
    assert_eq!(world.number("select count(*) from pending_deliveries").await, 1);
    assert_eq!(entries(&world, &to[1]).await.len(), 1);
}

#[tokio::test]
async fn a_delivery_to_mailboxes_that_all_vanished_is_left_to_the_sweeper() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    let content = world.content(&[b"for nobody"]).await;
    let mut tx = world.store.begin().await.unwrap();
    let id = tx.accept_pending(&content, &to, &world.event()).await.unwrap();
    tx.commit_known(&id).await.unwrap();
    sqlx::raw_sql("delete from folders; delete from counters")
        .execute(&mut world.superuser().await)
        .await
        .unwrap();
    assert_eq!(expand(&world).await, 0);
    assert_eq!(world.store.sweep(world.now).await.unwrap().contents_condemned, 1);
}

#[tokio::test]
async fn concurrent_deliveries_to_one_folder_number_without_gaps_in_commit_order() {
    let world = Arc::new(World::new().await);
    let to = world.mailboxes(3).await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..12u8 {
        let (world, mut to) = (world.clone(), to.clone());
        if writer % 2 == 0 {
            to.reverse();
        }
        tasks.spawn(async move {
            for turn in 0..15u8 {
                world.deliver(&[&[writer, turn]], &to).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    for target in &to {
        let numbers = entries(&world, target).await;
        let uids: Vec<u32> = numbers.iter().map(|(uid, _)| uid.0).collect();
        assert_eq!(uids, (1..=180).collect::<Vec<_>>());
        assert!(numbers.is_sorted_by(|a, b| a.1 < b.1), "a later uid has a later modseq");
    }
}

/// Where mail goes on by itself is asked of nobody else's mail.
#[tokio::test]
async fn mail_that_nobody_forwards_is_accepted_by_the_shorter_statement() {
    let world = World::new().await;
    let to = world.mailboxes(2).await;
    let content = world.content(&[b"x"]).await;
    let step = Forwarded { by: to[1].account, to: ForwardedTo::Mailbox(to[0].account), keep_copy: false };
    for (forwarded, longer) in [(&[][..], 0_i64), (&[step], 1)] {
        let mut tx = world.store.begin().await.unwrap();
        tx.accept_forwarded(&content, (&to[..1], forwarded), &world.event()).await.unwrap();
        let known =
            "select count(*) from pg_prepared_statements where statement like $1 and statement like $2";
        let known = sqlx::query_scalar(known).bind("%add\\_content%").bind("%'forwarded'%");
        let known: i64 = known.fetch_one(&mut *tx.inner).await.unwrap();
        assert_eq!(known, longer);
        drop(tx);
    }
}

#[tokio::test]
async fn a_vanished_folder_refuses_the_whole_delivery() {
    let world = World::new().await;
    let mut to = world.mailboxes(2).await;
    to[1].folder = FolderId(to[1].folder.0 + 1000);
    let content = world.content(&[b"x"]).await;
    let mut tx = world.store.begin().await.unwrap();
    let refused = tx.accept(&content, &to, &world.event()).await.unwrap_err();
    assert!(matches!(refused, Error::MailboxGone), "{refused}");
    drop(tx);
    assert_eq!(world.number("select count(*) from contents").await, 0);
    assert_eq!(world.number("select sum(messages)::bigint from counters").await, 0);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_out() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    let home = url_host(&world.database.server_url);
    let proxy = testkit::FaultProxy::start(&home);
    let url = world
        .database
        .server_url
        .replace(&encoded(&home.display().to_string()), &encoded(&proxy.directory().display().to_string()));
    assert_ne!(url, world.database.server_url, "the proxy stands between");
    let store = open(&url, 12).await;
    let content = world.content(&[b"acknowledged"]).await;
    let mut tx = store.begin().await.unwrap();
    let (id, _) = tx.accept(&content, &to, &world.event()).await.unwrap();
    proxy.cut_at_next_commit();
    tx.commit_known(&id).await.unwrap();
    assert_eq!(world.number("select count(*) from entries").await, 1);
}

#[tokio::test]
async fn a_commit_that_did_not_happen_is_not_taken_for_one_that_did() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    let content = world.content(&[b"x"]).await;
    let mut tx = world.store.begin().await.unwrap();
    let (id, _) = tx.accept(&content, &to, &world.event()).await.unwrap();
    sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction' and datname = current_database()")
        .execute(&mut world.superuser().await)
        .await
        .unwrap();
    assert!(matches!(tx.commit_known(&id).await, Err(Error::Unavailable(_))));
    assert_eq!(world.number("select count(*) from entries").await, 0);
}

#[tokio::test]
async fn a_number_that_was_handed_out_again_after_a_crash_is_not_ours() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    let content = world.content(&[b"lost in the crash"]).await;
    let event = Event { trace: "lost", ..world.event() };
    let mut tx = world.store.begin().await.unwrap();
    let (mut id, _) = tx.accept(&content, &to, &event).await.unwrap();
    drop(tx);
    // As after recovery: the same number belongs to a transaction that did commit …
    let mut other = world.store.begin().await.unwrap();
    let (committed, _) = other.accept(&content, &to, &world.event()).await.unwrap();
    other.commit_known(&committed).await.unwrap();
    assert_eq!(resolve(&world.store.pools.main, &committed).await.unwrap(), Fate::Committed);
    id.number.clone_from(&committed.number);
    assert_eq!(resolve(&world.store.pools.main, &id).await.unwrap(), Fate::Aborted);
    // … or to none yet.
    id.number = (committed.number.parse::<u64>().unwrap() + 1_000_000).to_string();
    assert_eq!(resolve(&world.store.pools.main, &id).await.unwrap(), Fate::Aborted);
}

/// The socket directory of a URL that names it as `host`.
fn url_host(url: &str) -> std::path::PathBuf {
    let host = url.split("host=").nth(1).unwrap().split('&').next().unwrap();
    host.replace("%2F", "/").replace("%2f", "/").into()
}

fn encoded(path: &str) -> String {
    path.to_owned()
}
