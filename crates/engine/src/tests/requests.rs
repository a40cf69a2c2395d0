//! Requests of organisations, from their receipt to their decision.

use super::{World, actor, address, mailbox};
use crate::{Actor, AdminError, NewMailbox, NewRequest, RequestError, RequestQuery};
use jiff::SignedDuration;
use model::{DomainName, Grant, RequestKind, RequestState, Role, Scope};

fn domain() -> DomainName {
    DomainName::new("demo.gov.vn").unwrap()
}

fn request(kind: RequestKind, document: &str) -> NewRequest {
    NewRequest {
        domain: domain(),
        kind,
        unit: Some("sotttt".into()),
        mailbox: None,
        subject: "Cấp mới 2 hộp thư".into(),
        detail: "Danh sách kèm theo".into(),
        document: document.into(),
        requested_by: None,
        watchers: vec![address("binh")],
    }
}

async fn unit(world: &World, code: &str) -> (i64, i64) {
    let made = format!(
        "insert into units (domain_id, code, name, kind, created_at)
         select domain_id, '{code}', 'Đơn vị {code}', 'so', now() from domains"
    );
    world.database.run(&made).await;
    let unit = world.database.number(&format!("select unit_id from units where code = '{code}'")).await;
    (world.database.number("select domain_id from domains").await, unit)
}

#[tokio::test]
async fn whoever_follows_an_organisation_is_told_of_requests_below_it() {
    let world = World::new().await;
    let (_, above) = unit(&world, "huyen").await;
    let (_, so) = unit(&world, "sotttt").await;
    world.database.run(&format!("update units set parent_id = {above} where unit_id = {so}")).await;
    world.user("phong-vhtt").await;
    let engine = &world.engine;
    let follow = async |who: &str, watches| {
        engine.watch_unit(&actor(), &domain(), ("huyen", &address(who), watches)).await
    };
    assert_eq!(follow("phong-vhtt", true).await, Ok(true));
    assert_eq!(follow("phong-vhtt", true).await, Ok(false), "once");
    assert!(matches!(follow("khong-co", true).await, Err(AdminError::NoSuchMailbox(_))));
    let told = async || {
        let new = NewRequest { watchers: Vec::new(), ..request(RequestKind::Create, "15/CV") };
        let made = engine.add_request(&actor(), &new).await.unwrap();
        world.store.request_watchers(made.request).await.unwrap().len()
    };
    super::policy(&world, "request.watchers", "false").await;
    assert_eq!(told().await, 0, "policy does not want it");
    super::policy(&world, "request.watchers", "true").await;
    assert_eq!(told().await, 1);
    assert_eq!(engine.unit_watchers(&actor(), &domain(), "huyen").await.unwrap(), [address("phong-vhtt")]);
    // An officer names those who follow his own organisation, and nobody else's.
    let (id, _) = (world.store.domain(&domain()).await.unwrap().unwrap(), so);
    let grant = Grant::new(Role::OrganisationOfficer, Scope::Subtree { domain: id, unit: model::UnitId(so) })
        .unwrap();
    let officer = Actor::of("dau-moi", None, vec![grant]);
    let asked = engine.unit_watchers(&officer, &domain(), "huyen").await;
    assert_eq!(asked, Err(AdminError::NoSuchUnit("huyen".to_owned())));
    assert_eq!(follow("phong-vhtt", false).await, Ok(true));
    assert_eq!(told().await, 0);
}

#[tokio::test]
async fn a_request_is_due_decided_and_told_of() {
    let world = World::new().await;
    unit(&world, "sotttt").await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let engine = &world.engine;
    let about = RequestError::About;
    let nothing = NewRequest { unit: None, ..request(RequestKind::Create, "") };
    assert_eq!(engine.add_request(&actor(), &nothing).await.unwrap_err(), about);
    // Sunday 22 November 2026: three working days end on Wednesday.
    let made = engine.add_request(&actor(), &request(RequestKind::Create, "")).await.unwrap();
    assert_eq!((made.state, made.due_on.to_string().as_str()), (RequestState::New, "2026-11-25"));
    let number = made.request;
    let decide =
        async |state, why: &str| engine.decide_request(&actor(), number, (state, why)).await.map(|_| ());
    assert_eq!(decide(RequestState::Accepted, "").await, Err(RequestError::DocumentMissing));
    engine
        .attach_to_request(&actor(), number, ("de-nghi.pdf", "application/pdf", b"%PDF-1.7"))
        .await
        .unwrap();
    let large = vec![0; crate::DOCUMENT_BYTES_MAX + 1];
    let refused = engine.attach_to_request(&actor(), number, ("x", "x/y", &large)).await;
    assert_eq!(refused, Err(RequestError::Document));
    engine.assign_request(&actor(), number, "Trần Thị B").await.unwrap();
    assert_eq!(decide(RequestState::Accepted, "").await, Ok(()));
    assert!(decide(RequestState::Refused, " ").await.is_err(), "a refusal says why");
    assert_eq!(decide(RequestState::Done, "Đã cấp 2 hộp thư").await, Ok(()));
    assert_eq!(decide(RequestState::Withdrawn, "").await, Err(RequestError::State("done", "withdrawn")));
    let history = engine.request(&actor(), number).await.unwrap();
    let acts: Vec<&str> = history.events.iter().map(|event| event.act.as_str()).collect();
    assert_eq!(acts, ["create", "attach", "assign", "accepted", "done"]);
    assert_eq!((history.documents.len(), history.documents[0].hash.len()), (1, 32));
    // The watcher heard of its receipt and of both decisions; who asked at the console has no mailbox.
    assert_eq!(world.read(&binh, "INBOX").await.len(), 3);
    // Asked for by the owner of a mailbox, about it.
    let own = engine.actor_of(&an).await.unwrap();
    let about =
        NewRequest { unit: None, mailbox: Some(address("an")), ..request(RequestKind::Change, "01/ĐN") };
    let made = engine.add_request(&own, &about).await.unwrap();
    assert_eq!(made.requester, Some(an.account()));
    let not_his = engine.decide_request(&own, made.request, (RequestState::Done, "")).await;
    assert!(matches!(not_his, Err(RequestError::Admin(AdminError::Denied(_)))), "{not_his:?}");
    assert!(engine.decide_request(&own, made.request, (RequestState::Withdrawn, "")).await.is_ok());
}

#[tokio::test]
async fn whoever_the_console_names_as_asking_is_told() {
    let world = World::new().await;
    unit(&world, "sotttt").await;
    let (an, _) = (world.user("an").await, world.user("binh").await);
    let engine = &world.engine;
    let by = async |who: &str| {
        let new = NewRequest { requested_by: Some(who.to_owned()), ..request(RequestKind::Create, "15/CV") };
        engine.add_request(&actor(), &new).await
    };
    let made = by("an@demo.gov.vn").await.unwrap();
    assert_eq!(made.requester, Some(an.account()));
    engine.decide_request(&actor(), made.request, (RequestState::Refused, "Thiếu hồ sơ")).await.unwrap();
    assert_eq!(world.read(&an, "INBOX").await.len(), 2, "its receipt, and the refusal");
    // A slip of the keys would leave him untold; elsewhere nobody is told, and a name is a name.
    let missing = by("ann@demo.gov.vn").await.unwrap_err();
    assert_eq!(missing, RequestError::Admin(AdminError::NoSuchMailbox(address("ann"))));
    for who in ["an@bo.gov.vn", "Nguyễn Văn An"] {
        let made = by(who).await.unwrap();
        assert_eq!((made.requester, made.requested_by.as_str()), (None, who));
    }
}

#[tokio::test]
async fn the_letter_of_a_request_says_what_it_is_about_and_why_it_came() {
    let world = World::new().await;
    unit(&world, "sotttt").await;
    let (binh, chi, dung) = (world.user("binh").await, world.user("chi").await, world.user("dung").await);
    world
        .engine
        .add_mailbox(&actor(), &NewMailbox { unit: Some("sotttt".into()), ..mailbox("an") })
        .await
        .unwrap();
    super::policy(&world, "request.watchers", "true").await;
    world.engine.watch_unit(&actor(), &domain(), ("sotttt", &address("chi"), true)).await.unwrap();
    // Of the mailbox alone: its unit is named all the same.
    let new = NewRequest {
        unit: None,
        mailbox: Some(address("an")),
        requested_by: Some("dung@demo.gov.vn".into()),
        ..request(RequestKind::Revoke, "15/CV-STTTT")
    };
    let made = world.engine.add_request(&actor(), &new).await.unwrap().request;
    world.engine.decide_request(&actor(), made, (RequestState::Done, "Đã thu hồi")).await.unwrap();
    let about = format!(
        "Đề nghị số {made} (thu hồi): Cấp mới 2 hộp thư Đơn vị: Đơn vị sotttt (sotttt) Hộp thư: an@demo.gov.vn (Nguyễn Văn A) Văn \
         bản: 15/CV-STTTT Tình trạng:"
    );
    for (who, why, because) in [
        (&dung, "đề nghị được gửi từ hộp thư này.", "this mailbox asked."),
        (&chi, "hộp thư này theo dõi các đề nghị của đơn vị.", "this mailbox follows the unit's requests."),
        (&binh, "hộp thư này theo dõi đề nghị.", "this mailbox is told of this request."),
    ] {
        let [receipt, done] = &world.letters(who).await[..] else { panic!("two letters") };
        for letter in [receipt, done] {
            let (vietnamese, english) = letter.split_once(" -- ").unwrap();
            assert!(vietnamese.contains(&about), "{about}: {letter}");
            // Sunday 22 November 2026: one working day.
            assert!(vietnamese.contains("Hạn xử lý: 23/11/2026"), "{letter}");
            assert!(vietnamese.ends_with(why), "{why}: {letter}");
            assert!(english.ends_with(because), "{because}: {letter}");
        }
        assert!(
            receipt.contains(&format!("Request {made} (revoke) is new, due by 2026-11-23.")),
            "{receipt}"
        );
        assert!(done.contains(&format!("Request {made} (revoke) is done. You")), "{done}");
        assert!(done.contains("Nội dung giải quyết: Đã thu hồi"), "{done}");
    }
}

#[tokio::test]
async fn an_officer_sees_his_own_units_requests_only() {
    let world = World::new().await;
    let (domain_id, mine) = unit(&world, "sotttt").await;
    unit(&world, "sonoivu").await;
    world.user("binh").await;
    let engine = &world.engine;
    let scope = Scope::Subtree { domain: model::DomainId(domain_id), unit: model::UnitId(mine) };
    let grant = Grant::new(Role::OrganisationOfficer, scope).unwrap();
    let officer = Actor::of("officer", None, vec![grant]);
    let made = engine.add_request(&officer, &request(RequestKind::Revoke, "02/ĐN")).await.unwrap();
    let other = NewRequest { unit: Some("sonoivu".into()), ..request(RequestKind::Revoke, "03/ĐN") };
    assert_eq!(
        engine.add_request(&officer, &other).await.unwrap_err(),
        RequestError::Admin(AdminError::NoSuchUnit("sonoivu".into()))
    );
    let theirs = engine.add_request(&actor(), &other).await.unwrap();
    let name = domain();
    let list = async |who: &Actor, overdue| {
        let query = RequestQuery { domain: &name, settled: false, overdue, after: 0, limit: 10 };
        engine.requests(who, query).await.unwrap().iter().map(|one| one.request).collect::<Vec<_>>()
    };
    assert_eq!(list(&officer, false).await, [made.request]);
    assert_eq!(list(&actor(), false).await, [made.request, theirs.request]);
    assert_eq!(
        engine.request(&officer, theirs.request).await.unwrap_err(),
        RequestError::NoSuchRequest(theirs.request)
    );
    assert!(engine.decide_request(&officer, made.request, (RequestState::Done, "")).await.is_err());
    // One working day: on Tuesday they are overdue.
    assert!(list(&actor(), true).await.is_empty());
    world.clock.advance(SignedDuration::from_hours(48));
    assert_eq!(list(&actor(), true).await.len(), 2);
}

#[tokio::test]
async fn what_is_settled_takes_nothing_more_and_of_others_nothing_is_learnt() {
    let world = World::new().await;
    let (domain_id, mine) = unit(&world, "sotttt").await;
    world.user("an").await;
    world.user("binh").await;
    let engine = &world.engine;
    let scope = Scope::Subtree { domain: model::DomainId(domain_id), unit: model::UnitId(mine) };
    let officer = Actor::of("officer", None, vec![Grant::new(Role::OrganisationOfficer, scope).unwrap()]);
    let about =
        |who: &str| NewRequest { mailbox: Some(address(who)), ..request(RequestKind::Revoke, "02/ĐN") };
    for who in ["an", "khong-co"] {
        let refused = engine.add_request(&officer, &about(who)).await.unwrap_err();
        assert_eq!(refused, RequestError::Admin(AdminError::NoSuchMailbox(address(who))));
    }
    let made = engine.add_request(&actor(), &request(RequestKind::Create, "02/ĐN")).await.unwrap().request;
    let attach =
        async |media: &str| engine.attach_to_request(&actor(), made, ("a.pdf", media, b"%PDF")).await;
    assert_eq!(attach(&"x".repeat(300)).await, Err(RequestError::Document));
    for _ in 0..20 {
        attach("application/pdf").await.unwrap();
    }
    assert_eq!(attach("application/pdf").await, Err(RequestError::TooManyDocuments));
    engine.decide_request(&actor(), made, (RequestState::Refused, "Không đủ hồ sơ")).await.unwrap();
    assert_eq!(attach("application/pdf").await, Err(RequestError::Settled("refused")));
    let assigned = engine.assign_request(&actor(), made, "Trần Thị B").await;
    assert_eq!(assigned, Err(RequestError::Settled("refused")));
}

/// Who decides is told that it is done although nobody could be told of it yet; the notice is sent later, once.
#[tokio::test]
async fn an_act_stands_though_its_notice_cannot_be_sent_yet() {
    let world = World::new().await;
    unit(&world, "sotttt").await;
    let binh = world.user("binh").await;
    let engine = &world.engine;
    world.database.run("alter table notices add constraint broken check (key not like 'request/%')").await;
    let made = engine.add_request(&actor(), &request(RequestKind::Create, "02/ĐN")).await.unwrap();
    engine.decide_request(&actor(), made.request, (RequestState::Refused, "Không đủ hồ sơ")).await.unwrap();
    assert_eq!(engine.run_job("send-owed-notices").await.unwrap().unwrap(), "0 notices sent");
    assert!(world.read(&binh, "INBOX").await.is_empty());
    world.database.run("alter table notices drop constraint broken").await;
    assert_eq!(engine.run_job("send-owed-notices").await.unwrap().unwrap(), "2 notices sent");
    assert_eq!(world.read(&binh, "INBOX").await.len(), 2);
    assert_eq!(engine.run_job("send-owed-notices").await.unwrap().unwrap(), "0 notices sent");
}
