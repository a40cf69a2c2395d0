//! One message among five million events: figures, by tests/bench/trace.

use super::{World, actor, address};
use crate::{Actor, TraceQuery};
use jiff::{SignedDuration, Timestamp};
use model::{Grant, Role, Scope};
use std::time::{Duration, Instant};

const EVENTS: i64 = 5_000_000;
const DAYS: i64 = 200;
const PEOPLE: i64 = 10_000;
/// What one search may take in the middle of its runs.
const AIM: Duration = Duration::from_millis(100);

/// Four of five events are mail: of ten thousand people, on two hundred days up to now, a few words in each subject.
async fn fill(world: &World) -> Timestamp {
    world
        .database
        .run(
            "set role congthu_owner;
             select make_event_month((date_trunc('month', now() at time zone 'UTC') - make_interval(months => ago))::date)
               from generate_series(2, 7) ago;",
        )
        .await;
    let each = EVENTS / DAYS;
    for day in 0..DAYS {
        world
            .database
            .run(&format!(
                "insert into events (at, kind, trace, remote, sender, recipients, size, status, about)
                 select now() - make_interval(days => {day}) - make_interval(secs => n * 86400.0 / {each}),
                        case when n % 5 = 0 then 'login' else 'received' end, lpad(to_hex(n + {day}::bigint * 1000003), 16, '0'),
                        '10.0.' || n % 256 || '.' || {day},
                        case when n % 5 = 0 then null else 'nguoigui' || (n * 7919 + {day}) % 50000 || '@example.org' end,
                        case when n % 5 = 0 then null else array['user' || (n * 104729 + {day} * 31) % {PEOPLE} || '@demo.gov.vn'] end,
                        4000, 'delivered',
                        case when n % 5 = 0 then null else
                            upper(lpad(to_hex(n + {day}::bigint * 1000003), 16, '0')) || E'\\nm' || {day} || '.' || n || E'@example.org\\n'
                            || 'Báo cáo tuần ' || n % 997 || ' của đơn vị ' || n % 131 || ' ngày {day}' || E'\\n'
                            || 'bao cao tuan ' || n % 997 || ' cua don vi ' || n % 131 || ' ngay {day}' end
                   from generate_series(1::bigint, {each}) n"
            ))
            .await;
    }
    world.database.run("analyze events").await;
    world.database.text("select now()::text").await.parse().unwrap()
}

async fn timed(world: &World, who: &Actor, what: &str, queries: &[TraceQuery]) -> Duration {
    let mut times = Vec::new();
    for query in queries {
        let began = Instant::now();
        let found = world.engine.trace(who, &TraceQuery { limit: 20, ..query.clone() }).await.unwrap();
        times.push(began.elapsed());
        assert!(!found.is_empty(), "{what}: {query:?}");
    }
    times.sort_unstable();
    let median = times[times.len() / 2];
    println!("{what}: median {median:?}, longest {:?} of {}", times[times.len() - 1], times.len());
    median
}

#[tokio::test]
#[ignore = "fills five million events; run by tests/bench/trace"]
async fn one_message_among_five_million_events() {
    let world = World::new().await;
    world.user("user9").await;
    let began = Instant::now();
    let present = fill(&world).await;
    println!("{EVENTS} events filled in {:?}", began.elapsed());
    world.clock.advance(present.duration_since(world.engine.now()) + SignedDuration::from_hours(1));
    let began = Instant::now();
    let parts = world.engine.run_job("index-events").await.unwrap().unwrap().split(' ').count();
    println!("{parts} parts indexed in {:?}", began.elapsed());
    let size = "select pg_size_pretty(sum(pg_total_relation_size(inhrelid))) from pg_inherits where inhparent = 'events'::regclass";
    println!("with all indexes {}", world.database.text(size).await);
    // Of today, of last month, of the oldest days.
    let days = [0, 3, 17, 45, 90, 130, 170, 199];
    let each = |query: &dyn Fn(i64) -> TraceQuery| days.iter().map(|day| query(*day)).collect::<Vec<_>>();
    let none = TraceQuery::default;
    let message_id =
        each(&|day| TraceQuery { message_id: Some(format!("m{day}.1234@example.org")), ..none() });
    let queue_id =
        each(&|day| TraceQuery { queue_id: Some(format!("{:016X}", 1234 + day * 1_000_003)), ..none() });
    let to = each(&|day| TraceQuery {
        to: Some(address(&format!("user{}", (1234 * 104_729 + day * 31) % PEOPLE))),
        ..none()
    });
    let from = each(&|day| TraceQuery {
        from: Some(address(&format!("nguoigui{}@example.org", (1234 * 7919 + day) % 50_000))),
        ..none()
    });
    let both = each(&|day| TraceQuery {
        to: Some(address(&format!("user{}", (1234 * 104_729 + day * 31) % PEOPLE))),
        subject: Some("báo cáo tuần 237".into()),
        ..none()
    });
    let subject =
        each(&|day| TraceQuery { subject: Some(format!("tuan 237 don vi 55 ngay {day}")), ..none() });
    let mut medians = Vec::new();
    for (what, queries) in [
        ("message id", message_id),
        ("queue id", queue_id),
        ("recipient", to),
        ("sender", from),
        ("recipient and subject", both),
        ("subject", subject),
    ] {
        medians.push((what, timed(&world, &actor(), what, &queries).await));
    }
    let domain = world.store.domain(&model::DomainName::new("demo.gov.vn").unwrap()).await.unwrap().unwrap();
    let operator =
        Actor::of("x", None, vec![Grant::new(Role::CentreOperator, Scope::Domain(domain)).unwrap()]);
    let one = [TraceQuery { message_id: Some("m45.1234@example.org".into()), ..none() }];
    medians.push(("operator", timed(&world, &operator, "as an operator, by message id", &one).await));
    // Words alone, over all days, are no key of one message: their figure is shown.
    for (what, median) in medians.into_iter().filter(|(what, _)| *what != "subject") {
        assert!(median <= AIM, "{what}: {median:?}");
    }
}
