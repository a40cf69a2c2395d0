//! How much is kept apart is asked with each message that is to be, and each minute.

use super::world::World;
use crate::QuarantineCounts;
use sqlx::{AssertSqlSafe, Executor as _};

#[tokio::test]
async fn how_much_is_kept_apart_is_read_from_a_row_for_each_mailbox() {
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
    superuser.execute("set enable_seqscan = off").await.unwrap();
    for statement in [crate::quarantined::FULL_QUARANTINES, crate::quarantined::ALL_QUARANTINED] {
        let one = format!("array[{}]::bigint[]", accounts[7].0);
        let is_of_one = statement.contains("any ($1)");
        let asked = statement.replace("any ($1)", &format!("any ({one})"));
        let asked = asked.replace("$1", "100").replace("$2", "100").replace("$3", "1000000");
        let explained = AssertSqlSafe(format!("explain {asked}"));
        let plan: Vec<String> = sqlx::query_scalar(explained).fetch_all(&mut superuser).await.unwrap();
        let plan = plan.join("\n");
        assert!(!plan.contains(" on quarantined"), "{statement}\n{plan}");
        assert_eq!(plan.contains("quarantine_amounts_pkey"), is_of_one, "{statement}\n{plan}");
    }
    superuser.execute("set enable_seqscan = on").await.unwrap();
    // What is over at night.
    let over = "select q.held_id from quarantined q join accounts a using (account_id)
                 where a.domain_id = any (array[1, 2]) and q.held_at < now() - interval '30 days' order by q.held_at limit 500";
    let explained = AssertSqlSafe(format!("explain {over}"));
    let plan: Vec<String> = sqlx::query_scalar(explained).fetch_all(&mut superuser).await.unwrap();
    assert!(plan.join("\n").contains("quarantined_held_at"), "{plan:?}");
    let fill = "update quarantine_amounts set messages = 1999, bytes = 1073741824 - 10";
    let all = world.store.quarantine_counts().await.unwrap();
    assert_eq!(all, QuarantineCounts { messages: 30_000, bytes: 30_000_000, nearly_full: 0 });
    superuser.execute(fill).await.unwrap();
    let full = async |bytes| world.store.full_quarantines(&accounts[..3], bytes).await.unwrap().len();
    assert_eq!((full(10).await, full(11).await), (0, 3));
    assert_eq!(world.store.quarantine_counts().await.unwrap().nearly_full, 300);
    assert_eq!(world.store.nearly_full_quarantines(5).await.unwrap().len(), 5);
    superuser.execute("update quarantine_amounts set messages = 2000, bytes = 0").await.unwrap();
    assert_eq!(full(0).await, 3);
}

/// Whoever adds, changes or takes away rows, and however: also a node of the release before.
#[tokio::test]
async fn what_lies_apart_is_counted_as_it_comes_and_goes() {
    let world = World::new().await;
    let accounts: Vec<_> = world.mailboxes(3).await.iter().map(|target| target.account).collect();
    let mut superuser = world.superuser().await;
    for (statement, messages, bytes) in [
        (
            "insert into quarantined (account_id, recipient, sender, subject, size, reason, trace, held_at)
             select account_id, 'a@b.vn', '', '', 10 * n, 'spam', 'q', now() from accounts, generate_series(1, 3) n",
            9,
            180,
        ),
        ("update quarantined set is_told = true", 9, 180),
        ("update quarantined set kept_since = now() where size = 20", 6, 120),
        ("delete from quarantined where size = 20", 6, 120),
        ("delete from quarantined where size = 10", 3, 90),
        ("update quarantined set size = 1", 3, 3),
        ("delete from quarantined", 0, 0),
    ] {
        superuser.execute(statement).await.unwrap();
        let all = world.store.quarantine_counts().await.unwrap();
        assert_eq!((all.messages, all.bytes), (messages, bytes), "{statement}");
    }
    assert_eq!(accounts.len(), 3);
}
