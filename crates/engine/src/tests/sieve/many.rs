//! Rules of many mailboxes, and those of nobody.

use super::super::groups::{group, inboxes, send as submit};
use super::super::{World, actor, address};
use super::{MAIL, folders, put, put_for, send, sifted};
use crate::DeliverError;
use model::GroupRule;
use std::sync::Arc;

#[tokio::test]
async fn who_follows_nothing_asks_nothing() {
    let world = World::new().await;
    for name in ["an", "binh"] {
        world.user(name).await;
    }
    put(&world, "an", "keep;").await;
    let tables = "sieve_scripts, sieve_versions, sieve_version, sieve_seen, sieve_answered, leaves";
    world.database.run(&format!("revoke all on {tables} from congthu_server")).await;
    world.deliver(&["binh"], MAIL).await;
    assert_eq!(inboxes(&world, &["binh"]).await, [1]);
    // What cannot be looked up is tried again.
    assert_eq!(send(&world, &["an"], MAIL).await, Err(DeliverError::Unavailable));
}

#[tokio::test]
async fn members_of_a_group_each_have_their_rules() {
    let world = World::new().await;
    let an = world.user("an").await;
    for name in ["binh", "chi", "dung"] {
        world.user(name).await;
    }
    let engine = &world.engine;
    engine.add_group(&actor(), &group("nhom", GroupRule::Manual, None, false)).await.unwrap();
    let members = ["binh", "chi", "dung"].map(address);
    engine.change_group(&actor(), &address("nhom"), (&members, true)).await.unwrap();
    put(&world, "binh", r#"require "fileinto"; fileinto "Archive";"#).await;
    put(&world, "chi", "discard;").await;
    put(&world, "dung", r#"require "reject"; reject "no";"#).await;
    submit(&world, &an, &["nhom"]).await.unwrap();
    assert_eq!(folders(&world, "binh").await, ["Archive 1"]);
    assert_eq!(inboxes(&world, &["chi", "dung"]).await, [0, 0]);
    assert_eq!(inboxes(&world, &["an"]).await, [1], "he is told whose rules reject it");
}

#[tokio::test]
async fn of_very_many_only_the_folder_is_followed() {
    let world = World::new().await;
    world.user("an").await;
    let names: Vec<String> = (0..1_001).map(|nth| format!("m{nth}@demo.gov.vn")).collect();
    world
        .database
        .run(
            "with a as (insert into accounts (domain_id, display_name, class, state, quota_bytes, password_change, created_at)
                        select domain_id, 'x', 'person', 'active', 1000000, false, now() from domains, generate_series(0, 1000)
                        returning account_id),
                  c as (insert into counters (account_id) select account_id from a),
                  f as (insert into folders (account_id, name, uid_validity, modseq, flags_modseq, created_at)
                        select account_id, n, 1, 1, 1, now() from a, unnest(array['INBOX', 'Archive']) n)
             insert into addresses (address, account_id, kind, created_at)
             select 'm' || row_number() over () - 1 || '@demo.gov.vn', account_id, 'primary', now() from a",
        )
        .await;
    let domain = "null::bigint, null::bigint, (select domain_id from domains)";
    put_for(&world, domain, r#"require ["fileinto", "imap4flags"]; fileinto :flags "\\Seen" "Archive"; redirect "an@demo.gov.vn";"#).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    send(&world, &names, MAIL).await.unwrap();
    while world.store.expand_pending(world.engine.now(), &mut Vec::new()).await.unwrap().is_some() {}
    let filed = "select count(*) from entries e join folders f using (folder_id) where f.name = 'Archive' and e.flags = 0";
    assert_eq!(world.number(filed).await, i64::try_from(names.len()).unwrap());
    assert_eq!(world.number("select count(*) from entries").await, i64::try_from(names.len()).unwrap());
    assert_eq!(sifted(&world).await.len(), 0);
}

#[tokio::test]
async fn mailboxes_that_pass_on_to_each_other_do_not_stop_each_other() {
    let world = Arc::new(World::new().await);
    for name in ["an", "binh"] {
        world.user(name).await;
    }
    put(&world, "an", r#"require "copy"; redirect :copy "binh@demo.gov.vn";"#).await;
    put(&world, "binh", r#"require ["copy", "imap4flags"]; setflag "x"; redirect :copy "an@demo.gov.vn";"#)
        .await;
    let mut tasks = tokio::task::JoinSet::new();
    for nth in 0..20 {
        let world = world.clone();
        tasks.spawn(async move { send(&world, &[["an", "binh"][nth % 2]], MAIL).await.unwrap() });
    }
    tasks.join_all().await;
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [20, 20]);
}
