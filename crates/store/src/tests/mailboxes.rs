//! Lists of thirty thousand mailboxes.

use super::world::World;
use sqlx::{AssertSqlSafe, Executor as _};

const MAILBOXES: i32 = 30_000;
/// As the command line reads them.
const PAGE: i64 = 1_000;

/// Units of a hundred mailboxes each, below one; one in ten was not used for long.
async fn fill(world: &World) {
    world.mailboxes(MAILBOXES).await;
    let mut superuser = world.superuser().await;
    for statement in [
        "insert into addresses (address, account_id, kind, created_at)
         select 'a' || account_id || '@demo.gov.vn', account_id, 'primary', now() from accounts",
        "insert into units (domain_id, code, name, kind, created_at)
         select domain_id, 'u' || n, 'Đơn vị ' || n, 'so', now()
           from domains, generate_series(1, 300) n",
        "update accounts set unit_id = (select min(unit_id) from units) + account_id % 300",
        "insert into activity (account_id, sent_at)
         select account_id, now() - make_interval(days => case when account_id % 10 = 3 then 100 else 1 end) from accounts",
        "analyze",
    ] {
        superuser.execute(statement).await.unwrap();
    }
}

#[tokio::test]
async fn a_page_of_mailboxes_does_not_read_all_of_them() {
    let world = World::new().await;
    fill(&world).await;
    let mut superuser = world.superuser().await;
    let types =
        "text, text, text, bigint, boolean, bigint[], bigint[], bigint[], bigint[], bigint[], timestamptz";
    superuser
        .execute(AssertSqlSafe(format!("prepare list ({types}) as {}", crate::mailboxes::LIST)))
        .await
        .unwrap();
    let first = world.number("select min(unit_id) from units").await;
    let all: Vec<String> = (first..first + 300).map(|unit| unit.to_string()).collect();
    let (all, one) = (format!("array[{}]", all.join(",")), format!("array[{}]", first + 7));
    let unused = "now() - interval '90 days'";
    // What is wanted, and the index along which it is read.
    for (units, since, index) in [
        ("null", "null", "addresses_pkey"),
        ("null", unused, "addresses_pkey"),
        (all.as_str(), "null", "addresses_pkey"),
        (one.as_str(), "null", "accounts_unit"),
        (one.as_str(), unused, "accounts_unit"),
    ] {
        let asked = format!(
            "null, 'demo.gov.vn', 'a2', {PAGE}, true, '{{}}', '{{}}', '{{}}', '{{}}', {units}, {since}"
        );
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("explain execute list ({asked})")))
            .fetch_all(&mut superuser)
            .await
            .unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains(index), "{units:.20} {since}\n{plan}");
        for table in ["addresses", "accounts", "activity", "counters"] {
            assert!(!plan.contains(&format!("Seq Scan on {table}")), "{units:.20} {since}\n{plan}");
        }
    }
}
