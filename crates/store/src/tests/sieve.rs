//! Scripts as deliveries read them: by indexes, by set, in order; and what is remembered between two messages.

use super::world::World;
use crate::sieve::{CHAINS, FOLLOWED, NAMED, SOURCES};
use crate::sieve_memory::SEEN;
use crate::{ScriptOwner, SieveScriptAt, Sighted};
use jiff::SignedDuration;
use jiff::civil::{Date, date};
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, DomainId, UnitId};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

const TODAY: Date = date(2026, 11, 24);

/// 300 mailboxes in 40 units below one another and beside, most with scripts that are not followed; some with one that is.
async fn many(world: &World) -> PgConnection {
    world.mailboxes(300).await;
    let mut superuser = world.superuser().await;
    for statement in [
        "insert into units (domain_id, parent_id, code, name, kind, created_at)
         select 1, nullif(n / 2, 0), 'u' || n, 'U', 'k', now() from generate_series(1, 40) n order by n",
        "update accounts set unit_id = 1 + account_id % 40",
        "insert into addresses (address, account_id, kind, created_at)
         select 'a' || account_id || '@demo.gov.vn', account_id, 'primary', now() from accounts
         union all select 'b' || account_id || '@demo.gov.vn', account_id, 'alias', now() from accounts
         union all select 'c' || account_id || '@demo.gov.vn', account_id, 'retired', now() from accounts",
        "insert into sieve_scripts (account_id, name, is_active, version, changed_at)
         select account_id, 's' || n, n = 1 and account_id % 50 = 7, 2, now() from accounts, generate_series(1, 16) n",
        "insert into sieve_scripts (unit_id, name, is_active, version, changed_at)
         select unit_id, 's' || n, n = 1 and unit_id in (1, 4), 2, now() from units, generate_series(1, 4) n",
        "insert into sieve_scripts (domain_id, name, is_active, version, changed_at) values (1, 's1', true, 2, now()), (1, 's2', false, 2, now())",
        "insert into sieve_versions (script_id, version, source, put_by, put_at)
         select script_id, v, name || '.' || v, 'x', now() from sieve_scripts, generate_series(1, 2) v",
        "insert into leaves (account_id, from_day, to_day, reason, noted_by, noted_at, answer)
         select account_id, date '2026-01-01' + 10 * n, date '2026-01-09' + 10 * n, 'r', 'x', now(), case when n % 10 = 2 then 'away' end
           from accounts, generate_series(0, 33) n where account_id % 5 = 2",
        "insert into sieve_seen select account_id, sha256((account_id || '.' || n)::bytea), '2026-11-25'
           from accounts, generate_series(1, 200) n",
        "analyze",
    ] {
        superuser.execute(statement).await.unwrap();
    }
    superuser
}

#[tokio::test]
async fn what_is_followed_comes_in_order() {
    let world = World::new().await;
    let _superuser = many(&world).await;
    let followed = world.store.sieve_followed(TODAY).await.unwrap();
    assert_eq!(followed.accounts.len(), 6);
    assert_eq!(followed.domains, [DomainId(1)]);
    let mut units = followed.units;
    units.sort_unstable();
    assert_eq!(units, [(UnitId(1), DomainId(1)), (UnitId(4), DomainId(1))]);
    assert!(
        followed.answers.iter().all(|(_, from, to)| *to >= TODAY && *to >= *from),
        "{:?}",
        followed.answers
    );
    assert_eq!(followed.answers.len(), 60, "of those who are away now, and no longer ago");
    // In unit 8, below 4, 2 and 1; on leave; with a script.
    let chains = world.store.sieve_chains(&[AccountId(207), AccountId(3)], TODAY).await.unwrap();
    let [first, chain] = chains.as_slice() else { panic!("{chains:?}") };
    assert_eq!(
        (first.account, first.units.as_slice()),
        (AccountId(3), [UnitId(1), UnitId(2), UnitId(4)].as_slice())
    );
    assert_eq!(chain.units, [UnitId(1), UnitId(2), UnitId(4), UnitId(8)]);
    let owners: Vec<ScriptOwner> = chain.scripts.iter().map(|script| script.owner).collect();
    let own = ScriptOwner::Mailbox(AccountId(207));
    assert_eq!(
        owners,
        [ScriptOwner::Domain(DomainId(1)), ScriptOwner::Unit(UnitId(1)), ScriptOwner::Unit(UnitId(4)), own]
    );
    assert_eq!(first.scripts.as_slice(), &chain.scripts[..3]);
    let addresses: Vec<String> = chain.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["a207@demo.gov.vn", "b207@demo.gov.vn"], "what is retired is nobody's");
    let answer = chain.answer.as_ref().unwrap();
    assert_eq!((answer.text.as_str(), answer.from_day), ("away", date(2026, 11, 17)));
    assert_eq!(
        world.store.sieve_chains(&[AccountId(207)], date(2026, 11, 26)).await.unwrap()[0].answer,
        None
    );
    let SieveScriptAt { script, version, .. } = chain.scripts[3];
    let sources = world.store.sieve_sources(&[(script, version), (script, 1), (script, 9)]).await.unwrap();
    let mut texts: Vec<&str> = sources.iter().map(|source| source.source.as_str()).collect();
    texts.sort_unstable();
    assert_eq!(texts, ["s1.1", "s1.2"], "what was is there, and what never was is not");
    let named = world.store.sieve_named(own, "s2").await.unwrap().unwrap();
    assert_eq!((named.name.as_str(), named.version, named.source.as_str()), ("s2", 2, "s2.2"));
    assert!(world.store.sieve_named(ScriptOwner::Domain(DomainId(1)), "s3").await.unwrap().is_none());
    assert!(world.store.sieve_named(ScriptOwner::Unit(UnitId(4)), "s3").await.unwrap().is_some());
}

#[tokio::test]
async fn whom_and_what_is_remembered_ends() {
    let world = World::new().await;
    world.mailboxes(2).await;
    let (store, now) = (&world.store, world.now);
    let later = |hours| now + SignedDuration::from_hours(hours);
    let (account, key) = (AccountId(1), [7; 32]);
    let answer = async |until, now| {
        let mut tx = store.begin().await.unwrap();
        let first = tx.note_answered(account, key, (until, now)).await.unwrap();
        tx.commit().await.unwrap();
        first
    };
    assert!(answer(later(2), now).await);
    assert!(!answer(later(9), later(1)).await, "once in its time");
    assert!(answer(later(4), later(2)).await, "and that was not made longer meanwhile");
    let sighted = |key, hours, anew| Sighted { account, key: [key; 32], until: later(hours), anew };
    let note = async |seen: &[Sighted]| {
        let mut tx = store.begin().await.unwrap();
        tx.note_seen(seen, now).await.unwrap();
        tx.commit().await.unwrap();
    };
    note(&[sighted(1, 1, false), sighted(2, 1, false), sighted(2, 1, false)]).await;
    note(&[sighted(1, 3, false), sighted(2, 3, true)]).await;
    let keys = [(account, [1; 32]), (account, [2; 32]), (account, [3; 32]), (AccountId(2), [1; 32])];
    assert_eq!(store.sieve_seen(&keys, now).await.unwrap().len(), 2);
    assert_eq!(
        store.sieve_seen(&keys, later(2)).await.unwrap(),
        [(account, [2; 32])],
        "as it was asked to be"
    );
    assert_eq!(store.forget_sieve(later(1)).await.unwrap(), 1);
    assert_eq!(store.forget_sieve(later(5)).await.unwrap(), 2);
}

#[tokio::test]
async fn what_deliveries_ask_is_found_by_indexes() {
    let world = World::new().await;
    let mut superuser = many(&world).await;
    let keys: Vec<Vec<u8>> = (0..3).map(|n| vec![n; 32]).collect();
    let ids = vec![7_i64, 107, 207];
    let explain = |statement: &str| AssertSqlSafe(format!("explain (costs off) {statement}"));
    let plans: [Vec<String>; 5] = [
        sqlx::query_scalar(explain(CHAINS))
            .bind(&ids)
            .bind(TODAY.to_sqlx())
            .fetch_all(&mut superuser)
            .await
            .unwrap(),
        sqlx::query_scalar(explain(FOLLOWED)).bind(TODAY.to_sqlx()).fetch_all(&mut superuser).await.unwrap(),
        sqlx::query_scalar(explain(SOURCES))
            .bind(&ids)
            .bind(vec![2, 2, 1])
            .fetch_all(&mut superuser)
            .await
            .unwrap(),
        sqlx::query_scalar(explain(NAMED))
            .bind("s2")
            .bind(Some(7_i64))
            .bind(None::<i64>)
            .bind(None::<i64>)
            .fetch_all(&mut superuser)
            .await
            .unwrap(),
        sqlx::query_scalar(explain(SEEN))
            .bind(&ids)
            .bind(&keys)
            .bind(world.now.to_sqlx())
            .fetch_all(&mut superuser)
            .await
            .unwrap(),
    ];
    for plan in plans {
        let plan = plan.join("\n");
        for table in ["sieve_scripts", "sieve_versions", "sieve_seen", "leaves", "addresses"] {
            assert!(!plan.contains(&format!("Seq Scan on {table}")), "{plan}");
        }
    }
}
