//! What the schema promises: rights, months, the audit chain, jumps after a failover, and plans of the hot queries.

use super::world::{World, open};
use crate::{AuditEntry, Event};
use jiff::{SignedDuration, Timestamp};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

#[tokio::test]
async fn the_server_can_neither_alter_tables_nor_change_evidence() {
    let world = World::new().await;
    let mut server = PgConnection::connect(&world.database.server_url).await.unwrap();
    for statement in [
        "update audit set actor = 'x'",
        "delete from audit",
        "truncate audit",
        "update events set status = 'x'",
        "delete from events",
        "delete from events_default",
        "drop table events_default",
        "delete from events_held",
        "insert into events_held (event_id, at, kind, trace) values (1, now(), 'x', 'x')",
        "delete from holds",
        "delete from grants",
        "update grants set role = 'system_administrator'",
        "update grants set given_by = 'x', reason = 'y'",
        "update holds set placed_by = 'x'",
        "update announcements set text = 'x'",
        "update delegations set rights = 1",
        "update held_messages set sender = 'x'",
        "update handovers set started_at = now()",
        "select make_event_month('2020-01-01')",
        "select make_event_part('2020-01-01')",
        "alter table audit disable trigger all",
        "alter sequence audit_audit_id_seq restart",
        "drop table audit",
        "alter table accounts add column x int",
        "create table mine (x int)",
        "delete from migrations",
        "set role congthu_owner",
    ] {
        let refused = sqlx::query(statement).execute(&mut server).await.expect_err(statement);
        let code = refused.as_database_error().unwrap().code().unwrap().into_owned();
        assert_eq!(code, "42501", "{statement}: {refused}");
    }
}

#[tokio::test]
async fn the_server_adds_acts_at_the_end_of_the_chain_only() {
    let world = World::new().await;
    let mut server = PgConnection::connect(&world.database.server_url).await.unwrap();
    for number in ["4611686018427387904", "nextval('audit_audit_id_seq')"] {
        let statement = format!(
            "insert into audit (audit_id, at, actor, action, target, detail, previous, digest)
             overriding system value values ({number}, now(), 'a', 'b', 'c', '{{}}', '\\x01', '\\x02')"
        );
        sqlx::query(AssertSqlSafe(statement)).execute(&mut server).await.expect_err(number);
    }
    assert_eq!(world.number("select count(*) from audit").await, 0);
}

#[tokio::test]
async fn months_of_events_come_in_time_and_none_goes_before_six() {
    let world = World::new().await;
    let months =
        async || world.number("select count(*) from pg_inherits where inhparent = 'events'::regclass").await;
    assert_eq!(
        months().await,
        4 * 6 + 1,
        "the month before, this one, two ahead, in six parts each, and the rest"
    );
    let mut superuser = world.superuser().await;
    let made =
        "select make_event_month((date_trunc('month', now() at time zone 'UTC') - make_interval(months => ago))::date)
           from generate_series(2, 8) ago";
    sqlx::raw_sql(made).execute(&mut superuser).await.unwrap();
    assert_eq!(months().await, 11 * 6 + 1);
    let present: jiff_sqlx::Timestamp =
        sqlx::query_scalar("select now()").fetch_one(&mut superuser).await.unwrap();
    let far = present.to_jiff() + SignedDuration::from_hours(24 * 3650);
    assert_eq!(
        world.store.keep_event_months(far, 0).await.unwrap(),
        2 * 6,
        "the floor is six, by the database"
    );
    assert_eq!(world.store.keep_event_months(far, 0).await.unwrap(), 0);
    assert_eq!(months().await, 9 * 6 + 1);
}

#[tokio::test]
async fn an_event_of_a_month_that_was_not_made_waits_for_it() {
    let world = World::new().await;
    let early: Timestamp = "2042-03-01T00:00:00Z".parse().unwrap();
    let old: Timestamp = "2019-12-31T23:59:59Z".parse().unwrap();
    for at in [early, old] {
        world.store.note(&Event { at, ..world.event() }).await.unwrap();
    }
    assert_eq!(world.number("select count(*) from events_default").await, 2);
    sqlx::raw_sql("select make_event_month('2042-03-01')")
        .execute(&mut world.superuser().await)
        .await
        .unwrap();
    assert_eq!(world.number("select count(*) from events_2042_03_01").await, 1);
    world.store.note(&Event { at: early, ..world.event() }).await.unwrap();
    assert_eq!(world.number("select count(distinct event_id) from events_2042_03_01").await, 2);
    world.store.keep_event_months(world.now, 7).await.unwrap();
    assert_eq!(world.number("select count(*) from events_default").await, 0, "too old by now");
}

#[test]
fn each_advisory_lock_has_a_number_of_its_own() {
    let numbers = [
        crate::audit::CHAIN_LOCK,
        crate::migrate::LOCK,
        crate::sweeper::SWEEP_LOCK,
        crate::search::SEARCH_LOCK,
    ];
    assert!(numbers.iter().enumerate().all(|(at, number)| !numbers[..at].contains(number)));
}

#[tokio::test]
async fn audit_rows_are_chained_also_when_written_at_once() {
    let world = World::new().await;
    let detail = serde_json::json!({ "quota": 1 });
    let write = async |n: u32| {
        let mut tx = world.store.begin().await.unwrap();
        let target = format!("{n}@demo.gov.vn");
        let entry = AuditEntry {
            at: world.now,
            actor: "test",
            action: "mailbox.add",
            target: &target,
            detail: &detail,
        };
        tx.audit(&entry).await.unwrap();
        tx.commit().await.unwrap();
    };
    tokio::join!(write(1), write(2), write(3), write(4));
    let broken =
        "select count(*) from (select previous, lag(digest) over (order by audit_id) as before from audit) a
                   where before is not null and before <> previous";
    assert_eq!(world.number(broken).await, 0);
    assert_eq!(world.number("select count(*) from audit").await, 4);
}

#[tokio::test]
async fn after_a_failover_or_restore_every_number_jumps_ahead() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    world.deliver(&[b"x"], &to).await;
    let mut known = world.store.check_timeline().await.unwrap();
    assert_eq!(world.store.check_timeline().await.unwrap(), known);
    let numbers = async || {
        world.number("select uid_next from folders").await + world.number("select modseq from counters").await
    };
    let mut before = numbers().await;
    for (jump, changed) in (1u32..).zip([
        "update installation set timeline_id = timeline_id - 1",
        "update installation set system_identifier = system_identifier - 1, sweep_xmax = '1000000000000'",
        "update installation set database_oid = database_oid - 1",
    ]) {
        sqlx::raw_sql(changed).execute(&mut world.superuser().await).await.unwrap();
        let other_node = open(&world.database.server_url, 2).await;
        let seen = other_node.check_timeline().await.unwrap();
        assert_ne!(seen, known, "{changed}");
        // A node that comes later is told as well, and nothing jumps twice.
        assert_eq!(world.store.check_timeline().await.unwrap(), seen);
        assert!(numbers().await > before + 10_000_000);
        assert_eq!(world.deliver(&[b"y"], &to).await[0].uid.0, 100_001 * jump + 1);
        (known, before) = (seen, numbers().await);
    }
    assert!(world.number("select sweep_xmax::text::bigint from installation").await < 1_000_000_000_000);
}

/// The control file lags behind a promotion, the name of the log's segment does not.
#[tokio::test]
async fn the_timeline_is_the_logs() {
    let world = World::new().await;
    let noted = world.number("select timeline_id::bigint from installation").await;
    assert_eq!(noted, world.number("select timeline_id::bigint from pg_control_checkpoint()").await);
    assert_ne!(world.number("select system_identifier from installation").await, 0);
}

#[tokio::test]
async fn no_index_on_entries_has_flags_or_modseq() {
    let world = World::new().await;
    let count = world
        .number(
            "select count(*) from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
              where i.indrelid in (select inhrelid from pg_inherits where inhparent = 'entries'::regclass
                                   union select 'entries'::regclass)
                and (a.attname in ('flags', 'modseq', 'keywords')
                     or pg_get_expr(i.indpred, i.indrelid) ~ 'flags|modseq|keywords')",
        )
        .await;
    assert_eq!(count, 0, "it would end heap-only updates");
}

/// Fails when the plan of a hot query reads a whole table.
#[tokio::test]
async fn hot_queries_use_their_indexes() {
    let world = World::new().await;
    let to = world.mailboxes(3000).await;
    for n in 0..40u32 {
        world.deliver(&[&n.to_be_bytes()], &to[..500]).await;
    }
    let mut superuser = world.superuser().await;
    sqlx::query(
        "insert into addresses (address, account_id, kind, created_at)
         select 'a' || account_id || '@demo.gov.vn', account_id, 'primary', now() from accounts",
    )
    .execute(&mut superuser)
    .await
    .unwrap();
    sqlx::raw_sql("analyze").execute(&mut superuser).await.unwrap();
    for statement in [
        "select a.account_id, f.folder_id, a.state, a.quota_bytes, c.used_bytes
           from addresses g join accounts a using (account_id) join counters c using (account_id)
           join folders f on f.account_id = a.account_id and f.name = 'INBOX'
          where g.address = 'a7@demo.gov.vn' and g.kind <> 'retired'",
        "select uid from entries where account_id = 7 and folder_id = 7 order by uid",
        "select uid from entries where account_id = 7 and folder_id = 7 and uid >= 30 order by uid",
        "select uid from tombstones where account_id = 7 and folder_id = 7 and modseq > 3",
        "select 1 from entries where content_id = 5",
        "select chunk_id from chunks where hash = any (array['\\x00'::bytea])",
        "select chunk_ids from contents where content_id = any (array[1, 2, 3]::bigint[])",
        "update counters set modseq = modseq + 1 where account_id = 7",
    ] {
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("explain {statement}")))
            .fetch_all(&mut superuser)
            .await
            .unwrap();
        let plan = plan.join("\n");
        // A table of one page is read whole by any sane planner.
        let whole = plan.lines().find(|line| line.contains("Seq Scan") && !line.contains("on domains"));
        let small = whole.is_some_and(|line| {
            line.contains(" tombstones") || line.contains(" chunks") || line.contains(" contents")
        });
        assert!(whole.is_none() || small, "{statement}\n{plan}");
    }
}
