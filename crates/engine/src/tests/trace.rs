//! Messages are found by what is known of them, by whom it may be known; logs go in time, and what is held does not.

use super::{World, actor, address, arrival};
use crate::{Actor, AdminError, Course, Held, NewMessage, Release, Sender, TraceQuery};
use jiff::{SignedDuration, Timestamp};
use model::{DomainName, FolderName, Grant, Reason, Role, Scope};

const MESSAGE: &str =
    "Message-ID: <m1@example.org>\r\nSubject: =?utf-8?B?R2nhuqV5IG3hu51pIGjhu41w?=\r\n\r\nx\r\n";

async fn found(world: &World, who: &Actor, query: TraceQuery) -> Vec<Course> {
    world.engine.trace(who, &TraceQuery { limit: 10, ..query }).await.unwrap()
}

/// A message for two mailboxes, another for one, and a copy that its owner put away.
async fn delivered() -> World {
    let world = World::new().await;
    let an = world.user("an").await;
    world.user("binh").await;
    world.deliver(&["an", "binh"], MESSAGE.as_bytes()).await;
    world.clock.advance(SignedDuration::from_secs(60));
    world.deliver(&["binh"], b"Subject: Bao cao\r\n\r\ny\r\n").await;
    world.clock.advance(SignedDuration::from_secs(60));
    let mut spool = world.engine.new_spool();
    spool.write(MESSAGE.as_bytes()).await.unwrap();
    let flags = model::Flags::NONE;
    let copy = NewMessage { message: spool, flags, keywords: Vec::new(), internal_date: None };
    world.engine.append(&an, &FolderName::new("Sent").unwrap(), vec![copy]).await.unwrap();
    world
}

#[tokio::test]
async fn a_message_is_found_by_each_thing_known_of_it() {
    let world = delivered().await;
    let by = async |query: TraceQuery| found(&world, &actor(), query).await;
    let all = by(TraceQuery::default()).await;
    assert_eq!(all.len(), 2);
    let invitation = &all[0];
    assert_eq!(invitation.subject.as_deref(), Some("Giấy mời họp"));
    let kinds: Vec<&str> = invitation.events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["received", "appended"]);
    let received = &invitation.events[0];
    assert_eq!(received.recipients, ["an@demo.gov.vn", "binh@demo.gov.vn"]);
    assert_eq!(received.status.as_deref(), Some("delivered"));
    assert_eq!(received.remote.as_deref(), Some("192.0.2.1"));
    let queue_id = received.queue_id.clone().unwrap();
    let text = |text: &str| Some(text.to_owned());
    for query in [
        TraceQuery { subject: text("giay MOI"), ..TraceQuery::default() },
        TraceQuery { subject: text("họp, giấy"), ..TraceQuery::default() },
        TraceQuery { message_id: text("<m1@example.org>"), ..TraceQuery::default() },
        TraceQuery { message_id: text("m1@example.org"), ..TraceQuery::default() },
        TraceQuery { queue_id: text(&queue_id.to_lowercase()), ..TraceQuery::default() },
        TraceQuery { to: Some(address("an")), ..TraceQuery::default() },
        TraceQuery { status: text("appended"), ..TraceQuery::default() },
        TraceQuery { until: Some(received.at + SignedDuration::from_secs(1)), ..TraceQuery::default() },
    ] {
        assert_eq!(by(query.clone()).await, std::slice::from_ref(invitation), "{query:?}");
    }
    let from = TraceQuery { from: Some(address("sender@example.org")), ..TraceQuery::default() };
    assert_eq!(by(from).await.len(), 2);
    for query in [
        TraceQuery { subject: text("giay moi hoc"), ..TraceQuery::default() },
        TraceQuery { to: Some(address("ai")), ..TraceQuery::default() },
        TraceQuery { to: Some(address("an")), subject: text("bao cao"), ..TraceQuery::default() },
        TraceQuery {
            since: Some(world.engine.now() + SignedDuration::from_secs(1)),
            ..TraceQuery::default()
        },
    ] {
        assert_eq!(by(query.clone()).await, [], "{query:?}");
    }
    let last = invitation.events.last().unwrap();
    let next = TraceQuery { before: Some((last.at, last.id)), ..TraceQuery::default() };
    assert_eq!(by(next).await[0].subject.as_deref(), Some("Bao cao"));
    // Without an index of the months, and with one.
    assert!(world.engine.index_events().await.unwrap().contains("events_"));
    assert_eq!(world.engine.index_events().await.unwrap(), "nothing to index");
    assert_eq!(by(TraceQuery { message_id: text("m1@example.org"), ..TraceQuery::default() }).await.len(), 1);
}

#[tokio::test]
async fn who_has_it_here_is_told_apart_from_those_it_is_still_queued_for() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.user("binh").await;
    let queue_id = super::queue::send(&world, &an, &["binh", "ai@example.org"]).await;
    let query = TraceQuery { queue_id: Some(queue_id), ..TraceQuery::default() };
    let course = found(&world, &actor(), query).await.remove(0);
    let mut told: Vec<_> = course
        .events
        .iter()
        .map(|event| (event.kind.as_str(), event.status.as_deref().unwrap(), event.recipients.join(" ")))
        .collect();
    told.sort();
    let expected = [
        ("received", "delivered", "binh@demo.gov.vn".to_owned()),
        ("received", "queued", "ai@example.org".to_owned()),
    ];
    assert_eq!(told, expected);
    // By either of them the whole is found.
    for to in ["binh", "ai@example.org"] {
        let query = TraceQuery { to: Some(address(to)), ..TraceQuery::default() };
        assert_eq!(found(&world, &actor(), query).await[0].events.len(), 2, "{to}");
    }
}

#[tokio::test]
async fn nobody_learns_of_mail_that_is_not_his() {
    let world = delivered().await;
    let domain = |name: &str| DomainName::new(name).unwrap();
    world.engine.add_domain(&actor(), &domain("b.vn"), "an-giang").await.unwrap();
    let id = async |name: &str| world.store.domain(&domain(name)).await.unwrap().unwrap();
    let of = |role, scope| Actor::of("ai", None, vec![Grant::new(role, scope).unwrap()]);
    let account = async |name: &str| world.store.login(&address(name)).await.unwrap().unwrap().account;
    let all = TraceQuery::default;
    let officer = of(
        Role::OrganisationOfficer,
        Scope::Subtree { domain: id("demo.gov.vn").await, unit: model::UnitId(1) },
    );
    assert_eq!(found(&world, &officer, all()).await, []);
    let operator = of(Role::CentreOperator, Scope::Domain(id("demo.gov.vn").await));
    assert_eq!(found(&world, &operator, all()).await.len(), 2);
    assert_eq!(found(&world, &of(Role::CentreOperator, Scope::Domain(id("b.vn").await)), all()).await, []);
    // A recipient is not told of the others, by whichever way he looks.
    let an = of(Role::MailboxOwner, Scope::Mailbox(account("an").await));
    let by_other = TraceQuery { to: Some(address("binh")), ..all() };
    for query in [all(), by_other] {
        for course in found(&world, &an, query).await {
            for event in course.events {
                assert!(event.recipients.iter().all(|to| to == "an@demo.gov.vn"), "{event:?}");
            }
        }
    }
    assert_eq!(found(&world, &an, all()).await.len(), 1);
    // Who sent it sees to whom.
    let binh = world.engine.log_in("binh@demo.gov.vn", super::PASSWORD, &super::origin()).await.unwrap();
    let mut spool = world.engine.new_spool();
    spool.write(b"From: binh@demo.gov.vn\r\nMessage-ID: <s@x>\r\n\r\nz").await.unwrap();
    let to = [world.engine.recipient(&address("an")).await.unwrap()];
    let sender = Some(Sender::from(&address("binh")));
    let sent = crate::Arrival { sender, principal: Some(binh), ..arrival() };
    world.engine.deliver(&sent, &to, spool).await.unwrap();
    let binh = of(Role::MailboxOwner, Scope::Mailbox(account("binh").await));
    let sent = TraceQuery { message_id: Some("s@x".into()), ..all() };
    assert_eq!(found(&world, &binh, sent).await[0].events[0].recipients, ["an@demo.gov.vn"]);
    let later = world.engine.now() + SignedDuration::from_hours(1);
    let page = world.engine.export_events(&actor(), (Timestamp::UNIX_EPOCH, 0), later).await.unwrap();
    assert!(page.iter().any(|event| event.kind == "login"));
    let refused = world.engine.export_events(&operator, (Timestamp::UNIX_EPOCH, 0), later).await;
    assert_eq!(refused, Err(AdminError::Denied(Reason::Role)));
}

/// Seven whole months and the one under way, by the database's clock, with one message a month for an, one for binh.
async fn months(world: &World) {
    world
        .database
        .run(
            "set role congthu_owner;
             select make_event_month((date_trunc('month', now() at time zone 'UTC') - make_interval(months => ago))::date)
               from generate_series(2, 8) ago",
        )
        .await;
    world
        .database
        .run(
            "insert into events (at, kind, trace, recipients, about)
             select date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' - make_interval(months => ago) + interval '7 days',
                    'received', ago::text, array[who || '@demo.gov.vn'], E'Q\\n' || who || ago || E'\\nx\\nx'
               from generate_series(1, 8) ago, unnest(array['an', 'binh']) who",
        )
        .await;
}

#[tokio::test]
async fn the_seventh_month_goes_by_the_job_six_stay_and_what_is_held_too() {
    let world = World::new().await;
    world.user("an").await;
    world.user("binh").await;
    months(&world).await;
    let engine = &world.engine;
    let present: Timestamp = world.database.text("select now()::text").await.parse().unwrap();
    world.clock.advance(present.duration_since(engine.now()));
    let an = address("an");
    let ago = |days: i64| present - SignedDuration::from_hours(24 * days);
    let wrong = engine.place_hold(&actor(), Held::Events(Some(&an), ago(10), ago(20)), "CV 1").await;
    assert_eq!(wrong, Err(AdminError::BadPeriod));
    let hold = engine.place_hold(&actor(), Held::Events(Some(&an), ago(400), ago(1)), "CV 1").await.unwrap();
    let seen = async |who: &str| {
        let mut seen = Vec::new();
        for month in 1..=8 {
            let message_id = Some(format!("{who}{month}"));
            let query = TraceQuery { message_id, ..TraceQuery::default() };
            seen.extend((!found(&world, &actor(), query).await.is_empty()).then_some(month));
        }
        seen
    };
    assert_eq!(seen("binh").await, [1, 2, 3, 4, 5, 6, 7, 8]);
    engine.run_job("index-events").await.unwrap().unwrap();
    assert_eq!(seen("binh").await, [1, 2, 3, 4, 5, 6, 7, 8]);
    let did = engine.run_job("keep-events").await.unwrap().unwrap();
    assert!(did.starts_with("6 months are kept; 6 parts dropped"), "{did}");
    assert_eq!(seen("binh").await, [1, 2, 3, 4, 5, 6, 7], "six whole months before this one, and one more");
    assert_eq!(seen("an").await, [1, 2, 3, 4, 5, 6, 7, 8]);
    // A domain that keeps more keeps it for all; and the floor holds for the database itself.
    let twelve = [("log.retention".to_owned(), "12".to_owned())];
    let domain = DomainName::new("demo.gov.vn").unwrap();
    let edit = crate::PolicyEdit { settings: &twelve, based_on: None, reason: "QĐ", dry_run: false };
    engine.change_policy(&actor(), &domain, &edit).await.unwrap();
    assert!(engine.run_job("keep-events").await.unwrap().unwrap().starts_with("12 months are kept; 0 parts"));
    assert_eq!(world.store.keep_event_months(present, 0).await.unwrap(), 6);
    assert_eq!(seen("binh").await, [1, 2, 3, 4, 5, 6]);
    // Letting go takes two; then it is forgotten at the next run.
    assert_eq!(engine.release_hold(&actor(), hold, None).await, Ok(Release::Asked));
    assert_eq!(engine.release_hold(&actor(), hold, None).await, Err(AdminError::SecondPerson));
    assert_eq!(seen("an").await, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(
        engine.release_hold(&Actor::console("other"), hold, Some("Kết thúc thanh tra")).await,
        Ok(Release::Released)
    );
    assert_eq!(world.detail("hold.release").await["reason"], "Kết thúc thanh tra");
    assert_eq!(engine.release_hold(&actor(), hold, None).await, Err(AdminError::NoSuchHold(hold)));
    assert_eq!(world.store.drop_released_events(present, 0).await.unwrap(), 2);
    assert_eq!(seen("an").await, [1, 2, 3, 4, 5, 6]);
    let listed = engine.holds(&actor(), true, 0, 9).await.unwrap();
    assert!(listed[0].released.is_some());
    assert!(engine.holds(&actor(), false, 0, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn where_mail_went_on_by_itself_is_in_its_course_and_found_by_either_address() {
    let world = World::new().await;
    for name in ["an", "binh", "chi", "dung"] {
        world.user(name).await;
    }
    let engine = &world.engine;
    let settings = [("sending.forward_domains".to_owned(), "bo.gov.vn".to_owned())];
    let edit = crate::PolicyEdit { settings: &settings, based_on: None, reason: "thử", dry_run: false };
    engine.change_policy(&actor(), &DomainName::new("demo.gov.vn").unwrap(), &edit).await.unwrap();
    let set = async |of: &str, to: &str, keep_copy| {
        engine.set_forward(&actor(), &address(of), (&to.parse().unwrap(), keep_copy)).await.unwrap();
    };
    set("an", "binh@demo.gov.vn", false).await;
    set("binh", "chi@demo.gov.vn", true).await;
    set("dung", "Dung@Bo.gov.vn", true).await;
    let events = async |query: TraceQuery| {
        let courses = found(&world, &actor(), query).await;
        assert_eq!(courses.len(), 1, "one message");
        let line = |event: &store::EventRow| {
            let local = |one: &String| one.strip_suffix("@demo.gov.vn").unwrap_or(one).to_owned();
            let account = event.account.as_ref().map(local).unwrap_or_default();
            let to = event.recipients.iter().map(local).collect::<Vec<_>>().join(" ");
            (event.kind.clone(), account, to, event.status.clone().unwrap_or_default())
        };
        courses[0].events.iter().map(line).collect::<Vec<_>>()
    };
    let line = |kind: &str, by: &str, to: &str, status: &str| {
        (kind.to_owned(), by.to_owned(), to.to_owned(), status.to_owned())
    };
    let expected = [
        line("received", "", "an", "delivered"),
        line("forwarded", "an", "an binh", "none_kept"),
        line("forwarded", "binh", "binh chi", "copy_kept"),
    ];
    // Small, and as large as what a transaction of its own takes.
    for (id, padding) in [("small", 1), ("large", 4_000)] {
        let mail = format!(
            "Message-ID: <{id}@x>\r\nSubject: giay moi\r\n\r\n{}",
            "0123456789 abcdefg hijklmnopqrstuvwxy\r\n".repeat(padding)
        );
        world.deliver(&["an"], mail.as_bytes()).await;
        for to in ["an", "binh", "chi"] {
            let (to, message_id) = (Some(address(to)), Some(format!("{id}@x")));
            assert_eq!(
                events(TraceQuery { to, message_id, ..TraceQuery::default() }).await,
                expected,
                "{id}"
            );
        }
    }
    let (status, message_id) = (Some("none_kept".into()), Some("small@x".into()));
    assert_eq!(events(TraceQuery { status, message_id, ..TraceQuery::default() }).await, expected);
    // To another system, beside somebody else who sent it here.
    world.deliver(&["dung", "chi"], b"Message-ID: <out@x>\r\nSubject: ra ngoai\r\n\r\nx\r\n").await;
    let there = TraceQuery { to: Some("dung@bo.gov.vn".parse().unwrap()), ..TraceQuery::default() };
    let went = line("forwarded", "dung", "dung dung@bo.gov.vn", "copy_kept");
    assert!(events(there).await.contains(&went));
    // Whoever got it learns of nobody else.
    let account = world.store.login(&address("chi")).await.unwrap().unwrap().account;
    let chi = Actor::of("ai", None, vec![Grant::new(Role::MailboxOwner, Scope::Mailbox(account)).unwrap()]);
    for course in found(&world, &chi, TraceQuery::default()).await {
        for event in course.events {
            assert!(event.recipients.iter().all(|to| to == "chi@demo.gov.vn"), "{event:?}");
            // By whose forwarding it came to him he may know.
            let by = if event.kind == "forwarded" { Some("binh@demo.gov.vn") } else { None };
            assert_eq!(event.account.as_deref(), by, "{event:?}");
        }
    }
}

#[tokio::test]
async fn whoever_sent_mail_does_not_see_where_it_was_forwarded() {
    let world = World::new().await;
    for name in ["an", "binh", "chi"] {
        world.user(name).await;
    }
    let engine = &world.engine;
    engine.set_forward(&actor(), &address("binh"), (&address("chi"), false)).await.unwrap();
    let an = engine.log_in("an@demo.gov.vn", super::PASSWORD, &super::origin()).await.unwrap();
    let account = an.own().account();
    let mut spool = engine.new_spool();
    spool.write(b"From: an@demo.gov.vn\r\nMessage-ID: <s@x>\r\n\r\nz").await.unwrap();
    let to = [engine.recipient(&address("binh")).await.unwrap()];
    let sent =
        crate::Arrival { sender: Some(Sender::from(&address("an"))), principal: Some(an), ..arrival() };
    engine.deliver(&sent, &to, spool).await.unwrap();
    let query = || TraceQuery { message_id: Some("s@x".into()), ..TraceQuery::default() };
    let an = Actor::of("an", None, vec![Grant::new(Role::MailboxOwner, Scope::Mailbox(account)).unwrap()]);
    let seen = found(&world, &an, query()).await;
    assert_eq!(seen[0].events.len(), 1);
    assert_eq!(seen[0].events[0].recipients, ["binh@demo.gov.vn"]);
    assert_eq!(found(&world, &actor(), query()).await[0].events.len(), 2);
    // Mail that nobody forwards has one event.
    world.deliver(&["chi"], MESSAGE.as_bytes()).await;
    assert_eq!(world.number("select count(*) from events where kind = 'forwarded'").await, 1);
}

/// As kind, whose act it was and to whom, without the domain.
fn lines(courses: &[Course]) -> Vec<(String, String, String)> {
    let local = |one: &String| one.strip_suffix("@demo.gov.vn").unwrap_or(one).to_owned();
    let line = |event: &store::EventRow| {
        let account = event.account.as_ref().map(local).unwrap_or_default();
        (event.kind.clone(), account, event.recipients.iter().map(local).collect::<Vec<_>>().join(" "))
    };
    courses.iter().flat_map(|course| &course.events).map(line).collect()
}

async fn owner(world: &World, name: &str) -> Actor {
    let account = world.store.login(&address(name)).await.unwrap().unwrap().account;
    Actor::of(name, None, vec![Grant::new(Role::MailboxOwner, Scope::Mailbox(account)).unwrap()])
}

/// Tried once in vain, late, and there in the end; with and without a copy, on the short way of reports and on the long one.
#[tokio::test]
async fn whoever_sent_mail_does_not_see_where_it_left_the_system() {
    use super::queue::{all, away, later, send, taken, work};
    for (keep_copy, to) in [(true, &["binh"][..]), (false, &["binh"]), (false, &["binh", "ai@example.net"])] {
        let world = World::new().await;
        let an = world.user("an").await;
        world.user("binh").await;
        super::queue::reports::let_forward(&world, "binh", "Rieng@example.net", keep_copy).await;
        send(&world, &an, to).await;
        work(&world.engine, |_| Err(away())).await;
        world.forward(6, 0);
        world.look_after().await;
        work(&world.engine, |delivery| all(delivery, &later())).await;
        world.forward(6, 0);
        work(&world.engine, |delivery| all(delivery, &taken())).await;
        let message = || TraceQuery { message_id: Some("1@demo.gov.vn".into()), ..TraceQuery::default() };
        let seen = async |who: &Actor, query| lines(&found(&world, who, query).await);
        let line = |kind: &str, by: &str, to: &str| (kind.to_owned(), by.to_owned(), to.to_owned());
        let (there, other) = ("rieng@example.net", to.get(1).copied());
        let went = |by: &str, to: &str| {
            ["deferred", "delayed", "deferred", "sent"].map(|kind| line(kind, by, to)).to_vec()
        };
        let received = line("received", "an", &[&["binh"], other.as_slice()].concat().join(" "));
        // Of whom he wrote to himself he sees everything, and nothing else.
        let mut sender = vec![received.clone()];
        sender.extend(other.map(|to| went("an", to)).unwrap_or_default());
        let mut by_an = seen(&owner(&world, "an").await, message()).await;
        assert!(by_an.iter().all(|(_, _, to)| !to.contains(there)), "{by_an:?}");
        by_an.retain(|(kind, ..)| kind != "appended");
        assert_eq!(by_an, sender, "keeps {keep_copy}, to {to:?}");
        let on = [vec![line("forwarded", "binh", &format!("binh {there}"))], went("binh", there)].concat();
        let for_binh: Vec<_> = [vec![line("received", "an", "binh")], on.clone()].concat();
        assert_eq!(seen(&owner(&world, "binh").await, TraceQuery::default()).await, for_binh);
        // The operator finds it by either, whole.
        for to in ["binh@demo.gov.vn", there] {
            let by = TraceQuery { to: Some(to.parse().unwrap()), ..TraceQuery::default() };
            let whole = seen(&actor(), by).await;
            assert!(on.iter().chain([&received]).all(|line| whole.contains(line)), "{to}: {whole:?}");
        }
    }
}

#[tokio::test]
async fn how_many_got_it_by_one_address_is_not_told_to_whoever_wrote_to_it() {
    let world = World::new().await;
    let an = world.user("an").await;
    for name in ["binh", "chi", "dung"] {
        world.user(name).await;
    }
    let engine = &world.engine;
    engine.set_forward(&actor(), &address("dung"), (&address("chi"), true)).await.unwrap();
    let group = super::groups::group("nhom", model::GroupRule::Manual, None, false);
    engine.add_group(&actor(), &group).await.unwrap();
    let members = [address("binh"), address("chi")];
    engine.change_group(&actor(), &address("nhom"), (&members, true)).await.unwrap();
    let who = owner(&world, "an").await;
    for (to, shown) in [(&["dung"][..], "dung"), (&["nhom"], "nhom"), (&["dung", "nhom"], "dung nhom")] {
        super::queue::send(&world, &an, to).await;
        let seen = lines(&found(&world, &who, TraceQuery { limit: 1, ..TraceQuery::default() }).await);
        let received: Vec<_> = seen.iter().filter(|(kind, ..)| kind == "received").collect();
        assert_eq!(received.last().unwrap().2, shown, "{seen:?}");
    }
}

#[tokio::test]
async fn a_letter_that_went_on_to_many_takes_the_place_of_one() {
    let world = World::new().await;
    for name in ["an", "binh", "chi", "dung", "em"] {
        world.user(name).await;
    }
    for name in ["an", "binh", "chi", "dung"] {
        world.engine.set_forward(&actor(), &address(name), (&address("em"), false)).await.unwrap();
    }
    let letter = |id: u8| format!("Message-ID: <{id}@x>\r\n\r\nx\r\n");
    for id in 1..=3 {
        world.deliver(&["an", "binh", "chi", "dung"], letter(id).as_bytes()).await;
        world.clock.advance(SignedDuration::from_secs(60));
    }
    let to = TraceQuery { to: Some(address("em")), ..TraceQuery::default() };
    for query in [TraceQuery::default(), to] {
        for (limit, expected) in [(2, &["3@x", "2@x"][..]), (3, &["3@x", "2@x", "1@x"])] {
            let courses = world.engine.trace(&actor(), &TraceQuery { limit, ..query.clone() }).await.unwrap();
            let ids: Vec<&str> = courses.iter().filter_map(|course| course.message_id.as_deref()).collect();
            assert_eq!(ids, expected);
            assert!(courses.iter().all(|course| course.events.len() == 5));
        }
    }
}

#[tokio::test]
async fn mail_without_a_message_id_is_one_course_too() {
    let world = World::new().await;
    for name in ["an", "binh", "chi"] {
        world.user(name).await;
    }
    world.engine.set_forward(&actor(), &address("an"), (&address("binh"), false)).await.unwrap();
    for body in ["x", "y"] {
        world.deliver(&["an"], format!("Subject: khong so\r\n\r\n{body}\r\n").as_bytes()).await;
        world.clock.advance(SignedDuration::from_secs(60));
    }
    world.deliver(&["chi"], MESSAGE.as_bytes()).await;
    let kinds = async |query: TraceQuery| {
        let kinds = |course: Course| course.events.into_iter().map(|event| event.kind).collect::<Vec<_>>();
        found(&world, &actor(), query).await.into_iter().map(kinds).collect::<Vec<_>>()
    };
    let each = ["received", "forwarded"].map(str::to_owned).to_vec();
    assert_eq!(kinds(TraceQuery::default()).await, [vec!["received".to_owned()], each.clone(), each.clone()]);
    let to = TraceQuery { to: Some(address("binh")), ..TraceQuery::default() };
    assert_eq!(kinds(to).await, [each.clone(), each.clone()], "that of where it came, too");
    let queue_id = found(&world, &actor(), TraceQuery::default()).await[1].events[0].queue_id.clone();
    assert_eq!(kinds(TraceQuery { queue_id, ..TraceQuery::default() }).await, [each]);
}

/// He gets it once, as who was written to, whichever was written first.
#[tokio::test]
async fn who_is_written_to_and_forwarded_to_is_his_senders() {
    use super::queue::{all, send, taken, work};
    for to in [["binh", "rieng@example.net"], ["rieng@example.net", "binh"]] {
        let world = World::new().await;
        let an = world.user("an").await;
        world.user("binh").await;
        super::queue::reports::let_forward(&world, "binh", "rieng@example.net", false).await;
        send(&world, &an, &to).await;
        assert_eq!(work(&world.engine, |delivery| all(delivery, &taken())).await.len(), 1);
        let mut seen = lines(&found(&world, &owner(&world, "an").await, TraceQuery::default()).await);
        seen.retain(|(kind, ..)| kind != "appended");
        let line = |kind: &str, to: &str| (kind.to_owned(), "an".to_owned(), to.to_owned());
        assert_eq!(seen, [line("received", &to.join(" ")), line("sent", "rieng@example.net")]);
    }
}

#[tokio::test]
async fn a_page_of_what_was_sent_has_as_many_messages_as_it_may() {
    use super::queue::{all, taken, work};
    let world = World::new().await;
    let names = ["binh", "chi", "dung"];
    for (nth, name) in names.into_iter().enumerate() {
        world.user(name).await;
        super::queue::reports::let_forward(&world, name, &format!("{nth}@example.net"), false).await;
    }
    for id in 1..=3 {
        world.deliver(&names, format!("Message-ID: <{id}@x>\r\n\r\nx\r\n").as_bytes()).await;
        work(&world.engine, |delivery| all(delivery, &taken())).await;
        world.clock.advance(SignedDuration::from_secs(60));
    }
    let of = |status: Option<&str>, since| TraceQuery {
        status: status.map(str::to_owned),
        since,
        limit: 2,
        ..TraceQuery::default()
    };
    let number = async |query| world.engine.trace(&actor(), &query).await.unwrap().len();
    assert_eq!(number(of(None, None)).await, 2);
    assert_eq!(number(of(Some("sent"), Some(jiff::Timestamp::UNIX_EPOCH))).await, 2);
    assert_eq!(number(of(Some("sent"), None)).await, 1, "what has no index is read once");
}

#[tokio::test]
async fn a_message_that_calls_itself_as_we_call_another_hides_nothing_of_it() {
    let world = World::new().await;
    for name in ["an", "binh"] {
        world.user(name).await;
    }
    world.engine.set_forward(&actor(), &address("an"), (&address("binh"), false)).await.unwrap();
    world.deliver(&["an"], b"Subject: khong so\r\n\r\nx\r\n").await;
    let queue_id =
        found(&world, &actor(), TraceQuery::default()).await[0].events[0].queue_id.clone().unwrap();
    world.clock.advance(SignedDuration::from_secs(60));
    world.deliver(&["an"], format!("Message-ID: <{queue_id}>\r\n\r\ny\r\n").as_bytes()).await;
    let to = TraceQuery { to: Some(address("binh")), ..TraceQuery::default() };
    let kinds = |course: &Course| course.events.iter().map(|event| event.kind.clone()).collect::<Vec<_>>();
    let both = found(&world, &actor(), to).await;
    assert_eq!(
        both.iter().map(kinds).collect::<Vec<_>>(),
        [["received", "forwarded"], ["received", "forwarded"]]
    );
}
