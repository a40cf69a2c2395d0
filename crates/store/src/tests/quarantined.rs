//! How much is kept apart is asked with each message that is to be, and each minute.

use super::world::World;
use crate::QuarantineCounts;
use sqlx::{AssertSqlSafe, Executor as _};

#[tokio::test]
async fn how_much_is_kept_apart_is_read_from_an_index_alone() {
    let world = World::new().await;
    let accounts: Vec<_> = world.mailboxes(300).await.iter().map(|target| target.account).collect();
    let mut superuser = world.superuser().await;
    for statement in [
        "insert into quarantined (account_id, recipient, sender, subject, size, reason, trace, about, held_at)
         select account_id, 'an@demo.gov.vn', '', repeat('x', 200), 1000, 'spam', 'q', repeat('x', 300), now()
           from accounts, generate_series(1, 100)",
        "vacuum analyze quarantined",
    ] {
        superuser.execute(statement).await.unwrap();
    }
    for statement in [crate::quarantined::FULL_QUARANTINES, crate::quarantined::ALL_QUARANTINED] {
        let one = format!("array[{}]::bigint[]", accounts[7].0);
        let asked = statement.replace("$1", &one).replace("$2", "100").replace("$3", "1000000");
        let explained = AssertSqlSafe(format!("explain {asked}"));
        let plan: Vec<String> = sqlx::query_scalar(explained).fetch_all(&mut superuser).await.unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains("Index Only Scan using quarantined_account"), "{statement}\n{plan}");
    }
    // What is over at night.
    let over = "select q.held_id from quarantined q join accounts a using (account_id)
                 where a.domain_id = any (array[1, 2]) and q.held_at < now() - interval '30 days' order by q.held_at limit 500";
    let explained = AssertSqlSafe(format!("explain {over}"));
    let plan: Vec<String> = sqlx::query_scalar(explained).fetch_all(&mut superuser).await.unwrap();
    assert!(plan.join("\n").contains("quarantined_held_at"), "{plan:?}");
    let full = async |room| world.store.full_quarantines(&accounts[..3], room).await.unwrap().len();
    assert_eq!(
        (full((100, 1 << 30)).await, full((101, 100_000)).await, full((101, 100_001)).await),
        (3, 3, 0)
    );
    let all = world.store.quarantine_counts().await.unwrap();
    assert_eq!(all, QuarantineCounts { messages: 30_000, bytes: 30_000_000 });
}
