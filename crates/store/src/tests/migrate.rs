//! The migrator against a real database: from nothing, at once from several nodes, and where it must refuse.

use crate::{Endpoint, MigrateError, connect, migrate, pending};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use testkit::TestDatabase;

fn endpoint(database: &TestDatabase) -> Endpoint {
    Endpoint::external(&database.server_url, Some(&database.owner_url)).expect("good URLs")
}

async fn superuser(database: &TestDatabase) -> PgConnection {
    PgConnection::connect(&database.superuser_url).await.expect("a connection")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_nodes_migrate_at_once_and_one_does_it() {
    let database = testkit::empty_database().await;
    let endpoint = endpoint(&database);
    let all = pending(&endpoint).await.expect("an empty database");
    let (one, two, three) = tokio::join!(migrate(&endpoint), migrate(&endpoint), migrate(&endpoint));
    let mut applied: Vec<_> =
        [one, two, three].into_iter().map(|done| done.expect("migrated").applied).collect();
    applied.sort();
    assert_eq!(applied, [Vec::new(), Vec::new(), all]);
    assert_eq!(pending(&endpoint).await.expect("a database"), Vec::<&str>::new());
}

#[tokio::test]
async fn a_database_newer_than_the_binary_is_refused() {
    let database = testkit::empty_database().await;
    let endpoint = endpoint(&database);
    let known = migrate(&endpoint).await.expect("migrated").version;
    let newer = format!(
        "insert into migrations (version, name, checksum) values ({}, 'future', decode(repeat('00', 32), 'hex'))",
        known + 1
    );
    superuser(&database).await.execute(AssertSqlSafe(newer)).await.expect("noted");
    let refusal = migrate(&endpoint).await.expect_err("it is newer");
    assert!(matches!(refusal, MigrateError::Newer { .. }), "{refusal}");
    assert!(matches!(pending(&endpoint).await, Err(MigrateError::Newer { .. })));
}

#[tokio::test]
async fn an_edited_migration_is_refused() {
    let database = testkit::empty_database().await;
    let endpoint = endpoint(&database);
    migrate(&endpoint).await.expect("migrated");
    let edit = "update migrations set checksum = decode(repeat('00', 32), 'hex') where version = 1";
    superuser(&database).await.execute(edit).await.expect("changed");
    let refusal = migrate(&endpoint).await.expect_err("another text");
    assert!(matches!(refusal, MigrateError::Edited { version: 1, .. }), "{refusal}");
}

#[tokio::test]
async fn the_server_may_neither_alter_nor_forge() {
    let database = testkit::empty_database().await;
    let endpoint = endpoint(&database);
    migrate(&endpoint).await.expect("migrated");
    let pools = connect(&endpoint, 2).await.expect("pools");
    pools.main.execute("select keep_event_months()").await.expect("the server may make months");
    for forbidden in [
        "create table mine ()",
        "alter table accounts add column mine text",
        "drop table accounts",
        "create function mine() returns void language sql as ''",
        "update audit set actor = 'nobody'",
        "delete from audit",
        "truncate audit",
        "update events set kind = 'nothing'",
        "delete from events",
        "insert into migrations (version, name, checksum) values (99, 'x', '')",
        "set role congthu_owner",
    ] {
        let refusal = pools.main.execute(forbidden).await.expect_err(forbidden);
        let code = refusal.as_database_error().and_then(sqlx::error::DatabaseError::code);
        assert_eq!(code.as_deref(), Some("42501"), "{forbidden}: {refusal}");
    }
    let months: Vec<String> = sqlx::query_scalar(
        "select inhrelid::regclass::text from pg_inherits where inhparent = 'events'::regclass",
    )
    .fetch_all(&pools.main)
    .await
    .expect("an answer");
    let month = months.first().expect("a month was made");
    for forbidden in [format!("delete from {month}"), format!("update {month} set kind = 'nothing'")] {
        pools.main.execute(AssertSqlSafe(forbidden.clone())).await.expect_err(&forbidden);
    }
    pools.close().await;
}

/// A person's own database on a shared server: the user is neither role, and owns the database.
#[tokio::test]
async fn a_user_who_may_not_prepare_gets_the_statements_to_run() {
    let database = testkit::empty_database().await;
    let mut administrator = superuser(&database).await;
    let user = format!("u_{}", database.name);
    for sql in [format!("drop role if exists {user}"), format!("create role {user} login")] {
        administrator.execute(AssertSqlSafe(sql)).await.expect("done");
    }
    let url = database.owner_url.replacen("congthu_owner", &user, 1);
    let endpoint = Endpoint::external(&url, None).expect("a good URL");
    let refusal = migrate(&endpoint).await.expect_err("it may not");
    let MigrateError::Roles { user: named, sql } = refusal else { panic!("{refusal}") };
    assert_eq!(named, user);
    // What the message says is enough.
    administrator.execute(AssertSqlSafe(sql)).await.expect("an administrator may");
    migrate(&endpoint).await.expect("prepared");
    let pools = connect(&endpoint, 2).await.expect("pools");
    let acting: String =
        sqlx::query_scalar("select current_user::text").fetch_one(&pools.main).await.expect("an answer");
    assert_eq!(acting, "congthu_server");
    pools.close().await;
    administrator.execute(AssertSqlSafe(format!("drop role {user}"))).await.expect("done");
}
