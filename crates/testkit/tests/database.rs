//! The test databases themselves: migrated, apart from each other, and of the right roles.

use sqlx::{Connection, PgConnection};
use testkit::{database, empty_database};

#[tokio::test]
async fn a_test_has_the_tables_to_itself() {
    let (one, other) = (database().await, database().await);
    let mut first = PgConnection::connect(&one.owner_url).await.unwrap();
    sqlx::query("create table only_here (id int)").execute(&mut first).await.unwrap();
    let mut second = PgConnection::connect(&other.owner_url).await.unwrap();
    let found: (Option<String>, Option<String>) =
        sqlx::query_as("select to_regclass('only_here')::text, to_regclass('accounts')::text")
            .fetch_one(&mut second)
            .await
            .unwrap();
    assert_eq!(found, (None, Some("accounts".to_owned())));
}

#[tokio::test]
async fn the_server_role_cannot_change_tables() {
    let database = database().await;
    let mut server = PgConnection::connect(&database.server_url).await.unwrap();
    let user: String = sqlx::query_scalar("select current_user::text").fetch_one(&mut server).await.unwrap();
    assert_eq!(user, testkit::SERVER_ROLE);
    let refused = sqlx::query("create table mine (id int)").execute(&mut server).await.unwrap_err();
    assert!(refused.to_string().contains("permission denied"), "{refused}");
}

#[tokio::test]
async fn a_dropped_database_is_gone_even_when_connected() {
    let kept = empty_database().await;
    let gone = empty_database().await;
    let _held = PgConnection::connect(&gone.owner_url).await.unwrap();
    let name = gone.name.clone();
    drop(gone);
    let mut connection = PgConnection::connect(&kept.owner_url).await.unwrap();
    let found: i64 = sqlx::query_scalar("select count(*) from pg_database where datname = $1")
        .bind(name)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(found, 0);
}

#[tokio::test]
async fn every_migration_is_recorded() {
    let database = database().await;
    let mut server = PgConnection::connect(&database.server_url).await.unwrap();
    let recorded: Vec<(i32, String)> =
        sqlx::query_as("select version, name from migrations order by version")
            .fetch_all(&mut server)
            .await
            .unwrap();
    let names: Vec<String> =
        recorded.iter().map(|(version, name)| format!("{version:04}_{name}.sql")).collect();
    let directory = std::fs::read_dir(testkit::workspace().join("migrations")).unwrap();
    let mut files: Vec<String> =
        directory.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.retain(|name| name.ends_with(".sql"));
    files.sort();
    assert_eq!(names, files);
}
