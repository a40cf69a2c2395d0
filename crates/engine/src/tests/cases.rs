//! Mail to the support address becomes cases, once; they are answered, closed and opened again.

use super::{World, actor, address, arrival, mailbox};
use crate::{
    Actor, AdminError, Arrival, CaseError, CaseHistory, CaseQuery, CaseRequest, NewMailbox, Principal, Sender,
};
use jiff::SignedDuration;
use model::{CaseState, DomainId, DomainName, Grant, MailboxClass, RequestKind, Role, Scope};

async fn support(world: &World) -> Principal {
    let new = NewMailbox { class: MailboxClass::Service, ..mailbox("hotro") };
    world.engine.add_mailbox(&actor(), &new).await.unwrap();
    world.engine.log_in("hotro@demo.gov.vn", super::PASSWORD, &super::origin()).await.unwrap()
}

fn message(from: &str, subject: &str, more: &str) -> String {
    format!("From: {from}\r\nTo: hotro@demo.gov.vn\r\nSubject: {subject}\r\n{more}\r\nKính gửi.\r\n")
}

/// As somebody who logged in, or as a stranger.
async fn write(world: &World, who: Option<&Principal>, text: &str) {
    let sender = who.map_or(address("la@example.org"), |who| who.address().clone());
    let with = if who.is_some() { "ESMTPSA" } else { "ESMTPS" };
    let arrival = Arrival { with, sender: Some(Sender::from(&sender)), principal: who.cloned(), ..arrival() };
    bring(world, &arrival, text).await;
}

async fn bring(world: &World, arrival: &Arrival, text: &str) {
    let recipient = world.engine.recipient(&address("hotro")).await.unwrap();
    let mut spool = world.engine.new_spool();
    spool.write(text.as_bytes()).await.unwrap();
    world.engine.deliver(arrival, &[recipient], spool).await.unwrap();
}

async fn run(world: &World) -> String {
    world.engine.run_job("support-intake").await.unwrap().unwrap()
}

async fn numbers(world: &World, who: &Actor) -> Vec<i64> {
    let domain = DomainName::new("demo.gov.vn").unwrap();
    let query = CaseQuery { domain: &domain, closed: true, after: 0, limit: 100 };
    world.engine.cases(who, query).await.unwrap().iter().map(|case| case.case).collect()
}

async fn shown(world: &World, case: i64) -> CaseHistory {
    world.engine.case(&actor(), case).await.unwrap()
}

async fn texts(world: &World, who: &Principal) -> Vec<String> {
    world.read(who, "INBOX").await.into_iter().map(|(_, text)| String::from_utf8(text).unwrap()).collect()
}

#[tokio::test]
async fn a_mail_is_a_case_and_the_answer_to_its_answer_opens_it_again() {
    let world = World::new().await;
    let (hotro, an) = (support(&world).await, world.user("an").await);
    let engine = &world.engine;
    write(&world, Some(&an), &message("an@demo.gov.vn", "Không gửi được thư", "Message-ID: <1@pc>\r\n"))
        .await;
    assert!(run(&world).await.starts_with("1 new, 0 replies, 1 acknowledged"));
    assert!(run(&world).await.starts_with("0 new, 0 replies, 0 acknowledged"), "once");
    let case = numbers(&world, &actor()).await[0];
    let found = shown(&world, case).await;
    assert_eq!((found.case.state, found.case.account), (CaseState::New, Some(an.account())));
    assert_eq!(found.case.subject, "Không gửi được thư");
    assert_eq!(found.messages[0].place.as_ref().map(|(folder, _)| folder.as_str()), Some("INBOX"));
    let receipt = texts(&world, &an).await.remove(0);
    for part in ["Auto-Submitted: auto-replied\r\n", "In-Reply-To: <1@pc>\r\n", "Return-Path: <>\r\n"] {
        assert!(receipt.contains(part), "{part} in {receipt}");
    }
    let assigned = engine.assign_case(&actor(), case, "Trần Thị B").await.unwrap();
    assert_eq!(assigned.state, CaseState::InWork);
    assert_eq!(engine.answer_case(&actor(), case, " ").await, Err(CaseError::Text));
    let answered = engine.answer_case(&actor(), case, "Xin thử lại.").await.unwrap();
    assert_eq!(answered.state, CaseState::Answered);
    let answer = texts(&world, &an).await.remove(1);
    assert!(!answer.contains("Auto-Submitted"), "a person wrote it: {answer}");
    let id = answer.split("Message-ID: ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(world.read(&hotro, "Sent").await.len(), 1);
    let answered = shown(&world, case).await;
    assert_eq!(
        answered.messages.last().unwrap().place.as_ref().map(|(folder, _)| folder.as_str()),
        Some("Sent")
    );
    engine.close_case(&actor(), case, "").await.unwrap();
    assert_eq!(engine.close_case(&actor(), case, "").await, Err(CaseError::Closed));
    assert_eq!(engine.answer_case(&actor(), case, "x").await, Err(CaseError::Closed));
    let more = format!("In-Reply-To: {id}\r\nReferences: <1@pc> {id}\r\n");
    write(&world, Some(&an), &message("an@demo.gov.vn", "Re: vẫn lỗi", &more)).await;
    assert!(run(&world).await.starts_with("0 new, 1 replies, 0 acknowledged"));
    let again = shown(&world, case).await;
    assert_eq!((again.case.state, again.messages.len()), (CaseState::InWork, 4));
    let acts: Vec<&str> = again.events.iter().map(|event| event.act.as_str()).collect();
    assert_eq!(acts, ["open", "assign", "answer", "close", "reply"]);
    assert_eq!(world.audited("case.answer").await, [format!("demo.gov.vn/case/{case}")]);
    // What is deleted in the support mailbox is gone there; the case stays.
    world.database.run("delete from entries where recipient = 'hotro@demo.gov.vn'").await;
    assert!(shown(&world, case).await.messages[0].place.is_none());
}

#[tokio::test]
async fn machines_are_not_answered_and_what_is_not_for_support_is_no_case() {
    let world = World::new().await;
    let hotro = support(&world).await;
    let an = world.user("an").await;
    for more in ["Auto-Submitted: auto-replied\r\n", "Precedence: bulk\r\n", "List-Id: <x.y>\r\n"] {
        write(&world, Some(&an), &message("an@demo.gov.vn", "Vắng mặt", more)).await;
    }
    bring(&world, &Arrival { sender: None, ..arrival() }, &message("an@demo.gov.vn", "Không đến", "")).await;
    // The system's own words, and what the support mailbox writes to itself.
    write(&world, Some(&hotro), &message("hotro@demo.gov.vn", "Ghi nhớ", "")).await;
    world.engine.add_alias(&actor(), &address("khac"), &address("hotro")).await.unwrap();
    world.deliver(&["khac"], message("an@demo.gov.vn", "Thư khác", "").as_bytes()).await;
    assert!(run(&world).await.starts_with("0 new, 0 replies, 0 acknowledged"));
    assert!(texts(&world, &an).await.is_empty());
    assert_eq!(world.read(&hotro, "INBOX").await.len(), 6);
}

#[tokio::test]
async fn nobody_writes_into_a_case_he_takes_no_part_in() {
    let world = World::new().await;
    support(&world).await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    write(&world, Some(&an), &message("an@demo.gov.vn", "Một", "Message-ID: <1@pc>\r\n")).await;
    run(&world).await;
    let case = numbers(&world, &actor()).await[0];
    let reply = format!("[#{case}]");
    let answers = "In-Reply-To: <1@pc>\r\n";
    write(&world, Some(&binh), &message("binh@demo.gov.vn", &reply, answers)).await;
    // Somebody who says he is An, and a stranger.
    write(&world, None, &message("an@demo.gov.vn", &reply, answers)).await;
    write(&world, None, &message("la@example.org", &reply, answers)).await;
    assert!(run(&world).await.starts_with("3 new, 0 replies, 1 acknowledged"));
    // Of one unit: takes part.
    world
        .database
        .run(
            "with u as (insert into units (domain_id, code, name, kind, created_at)
                        select domain_id, 'so', 'Sở', 'so', now() from domains returning unit_id)
             update accounts set unit_id = u.unit_id from u where class = 'person'",
        )
        .await;
    write(&world, Some(&an), &message("an@demo.gov.vn", "Hai", "Message-ID: <2@pc>\r\n")).await;
    run(&world).await;
    let second = *numbers(&world, &actor()).await.last().unwrap();
    write(&world, Some(&binh), &message("binh@demo.gov.vn", &format!("[#{second}]"), "")).await;
    // A stranger goes on with what he began.
    write(
        &world,
        None,
        &message("La@Example.org", "x", "In-Reply-To: <nothing@x>\r\nMessage-ID: <9@la>\r\n"),
    )
    .await;
    write(&world, None, &message("la@example.org", "y", "References: <9@la>\r\n")).await;
    assert!(run(&world).await.starts_with("1 new, 2 replies, 0 acknowledged"));
    let last = *numbers(&world, &actor()).await.last().unwrap();
    let outside = world.engine.answer_case(&actor(), last, "x").await;
    assert_eq!(outside, Err(CaseError::Outside("la@example.org".into())));
}

#[tokio::test]
async fn a_flood_makes_few_cases_and_no_answers() {
    let world = World::new().await;
    let hotro = support(&world).await;
    let an = world.user("an").await;
    for n in 0..60 {
        write(&world, Some(&an), &message("an@demo.gov.vn", &format!("{n}"), "")).await;
    }
    assert_eq!(
        run(&world).await,
        "10 new, 40 replies, 10 acknowledged, 10 refused as their senders write too much"
    );
    assert_eq!((world.read(&hotro, "INBOX").await.len(), texts(&world, &an).await.len()), (60, 10));
    // Whoever pretends to be him is counted apart.
    world.clock.advance(SignedDuration::from_hours(25));
    for _ in 0..60 {
        write(&world, None, &message("an@demo.gov.vn", "giả", "")).await;
    }
    write(&world, Some(&an), &message("an@demo.gov.vn", "thật", "")).await;
    assert_eq!(
        run(&world).await,
        "11 new, 40 replies, 1 acknowledged, 10 refused as their senders write too much"
    );
}

#[tokio::test]
async fn two_nodes_and_a_moved_mail_make_one_case() {
    let world = World::new().await;
    let hotro = support(&world).await;
    let an = world.user("an").await;
    let other = world.another_node();
    for n in 0..5 {
        write(&world, Some(&an), &message("an@demo.gov.vn", &format!("{n}"), "")).await;
    }
    let (one, two) = tokio::join!(world.engine.support_intake_job(), other.support_intake_job());
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    assert_eq!(numbers(&world, &actor()).await.len(), 5);
    assert_eq!(texts(&world, &an).await.len(), 5, "each is acknowledged once");
    // Out of the INBOX and back again: another uid, the same mail.
    let engine = &world.engine;
    let name = |name: &str| model::FolderName::new(name).unwrap();
    let inbox = engine.folder(&hotro, &name("INBOX")).await.unwrap().unwrap().id;
    let archive = engine.folder(&hotro, &name("Archive")).await.unwrap().unwrap().id;
    let moved = engine.move_messages(&hotro, inbox, &[model::Uid(1)], &name("Archive")).await.unwrap();
    engine.move_messages(&hotro, archive, &[moved.pairs[0].1], &name("INBOX")).await.unwrap();
    assert!(run(&world).await.starts_with("0 new, 0 replies"));
}

#[tokio::test]
async fn what_was_there_long_before_is_no_case() {
    let world = World::new().await;
    support(&world).await;
    let an = world.user("an").await;
    write(&world, Some(&an), &message("an@demo.gov.vn", "cũ", "")).await;
    world.clock.advance(SignedDuration::from_hours(48));
    write(&world, Some(&an), &message("an@demo.gov.vn", "mới", "")).await;
    assert!(run(&world).await.starts_with("1 new"));
    assert_eq!(world.number("select count(*) from cases where subject = 'mới'").await, 1);
}

#[tokio::test]
async fn a_case_becomes_a_request_once_and_officers_see_their_own() {
    let world = World::new().await;
    support(&world).await;
    let an = world.user("an").await;
    world.user("binh").await;
    world
        .database
        .run(
            "with u as (insert into units (domain_id, code, name, kind, created_at)
                        select domain_id, 'so', 'Sở', 'so', now() from domains returning unit_id)
             update accounts a set unit_id = u.unit_id from u, addresses g
              where g.account_id = a.account_id and g.address = 'an@demo.gov.vn'",
        )
        .await;
    write(&world, Some(&an), &message("an@demo.gov.vn", "Cấp hộp thư", "")).await;
    write(&world, None, &message("la@example.org", "Hỏi", "")).await;
    run(&world).await;
    let all = numbers(&world, &actor()).await;
    let (domain, unit) = (
        DomainId(world.number("select domain_id from domains").await),
        model::UnitId(world.number("select unit_id from units where code = 'so'").await),
    );
    let of = |role, scope| Actor::of("x@demo.gov.vn", None, vec![Grant::new(role, scope).unwrap()]);
    let officer = of(Role::OrganisationOfficer, Scope::Subtree { domain, unit });
    let helpdesk = of(Role::Helpdesk, Scope::Domain(domain));
    assert_eq!(numbers(&world, &officer).await, all[..1]);
    assert_eq!(numbers(&world, &helpdesk).await, all);
    let engine = &world.engine;
    assert_eq!(engine.case(&officer, all[1]).await, Err(CaseError::NoSuchCase(all[1])));
    let refused = engine.answer_case(&officer, all[0], "x").await;
    assert!(matches!(refused, Err(CaseError::Admin(AdminError::Denied(_)))), "{refused:?}");
    assert!(engine.close_case(&helpdesk, all[1], "trả lời qua điện thoại").await.is_ok());
    let as_what =
        CaseRequest { kind: RequestKind::Create, unit: None, mailbox: None, document: "01/ĐN".into() };
    let request = engine.turn_case_into_request(&actor(), all[0], &as_what).await.unwrap();
    let twice = engine.turn_case_into_request(&actor(), all[0], &as_what).await;
    assert_eq!(twice, Err(CaseError::IsRequest(request)));
    let made = engine.request(&actor(), request).await.unwrap().request;
    assert_eq!((made.subject.as_str(), made.unit_code.as_deref()), ("Cấp hộp thư", Some("so")));
    assert!(texts(&world, &an).await.iter().any(|text| text.contains("Subject: ")));
    assert_eq!(shown(&world, all[0]).await.case.request, Some(request));
}

#[tokio::test]
async fn cases_go_with_their_domain_and_old_and_new_address_make_them() {
    let world = World::new().await;
    support(&world).await;
    let (an, engine) = (world.user("an").await, &world.engine);
    let new = DomainName::new("moi.gov.vn").unwrap();
    engine.add_domain(&actor(), &new, "an-giang").await.unwrap();
    write(&world, Some(&an), &message("an@demo.gov.vn", "cũ", "")).await;
    run(&world).await;
    let domains = (&DomainName::new("demo.gov.vn").unwrap(), &new);
    let planned = engine.plan_move(&actor(), domains, "Nghị quyết sáp nhập").await.unwrap();
    engine.run_move(&actor(), planned.id).await.unwrap();
    for to in ["hotro@demo.gov.vn", "hotro@moi.gov.vn"] {
        world.deliver(&[to], message("la@example.org", to, "").as_bytes()).await;
    }
    assert!(run(&world).await.starts_with("2 new"));
    let query = CaseQuery { domain: &new, closed: true, after: 0, limit: 100 };
    assert_eq!(engine.cases(&actor(), query).await.unwrap().len(), 3);
    engine.undo_move(&actor(), planned.id).await.unwrap();
    assert_eq!(numbers(&world, &actor()).await.len(), 3);
}
