//! Scripts (bộ lọc thư): who may change whose, what is taken, what is kept and what is audited.

use super::delegation::{delegation, office, reach};
use super::groups::{domain, province};
use super::{World, actor, address, policy};
use crate::{Actor, AdminError, NewHandover, Principal, SieveError, SieveOwner, SieveScript};
use jiff::civil::{Date, date};
use model::lifecycle::Leave;
use model::{DomainId, Grant, Reason, Right, Rights, Role, Scope};
use store::LeaveAnswer;
use tokio::task::JoinSet;

const KEEP: &[u8] = b"keep;\r\n";
const TODAY: Date = date(2026, 11, 22);

fn names(scripts: &[SieveScript]) -> Vec<(&str, bool, u32)> {
    scripts.iter().map(|script| (script.name.as_str(), script.is_active, script.version)).collect()
}

/// Names of scripts that are followed for a mailbox.
async fn followed(world: &World, who: &Principal) -> Vec<String> {
    let chains = world.store.sieve_chains(&[who.account()], TODAY).await.unwrap();
    let versions: Vec<_> = chains[0].scripts.iter().map(|script| (script.script, script.version)).collect();
    let mut named = Vec::new();
    for version in versions {
        named.extend(world.store.sieve_sources(&[version]).await.unwrap().into_iter().map(|one| one.name));
    }
    named
}

#[tokio::test]
async fn users_keep_scripts_and_one_is_followed() {
    let world = World::new().await;
    let an = world.user("an").await;
    let engine = &world.engine;
    let version = async || world.store.sieve_version().await.unwrap();
    assert_eq!(engine.sieve_scripts(&an).await, Ok(vec![]));
    engine.put_sieve(&an, "hai", KEEP).await.unwrap();
    engine.put_sieve(&an, "một", b"redirect \"binh@x.vn\";").await.unwrap();
    assert_eq!(followed(&world, &an).await, [""; 0], "none is followed unless he says so");
    assert_eq!(engine.activate_sieve(&an, Some("ba")).await, Err(SieveError::NoSuchScript));
    let before = version().await;
    // As another keyboard writes it.
    engine.activate_sieve(&an, Some("mo\u{302}\u{323}t")).await.unwrap();
    assert!(version().await > before);
    assert_eq!(followed(&world, &an).await, ["một"]);
    let row = world.detail("sieve.activate").await;
    assert_eq!((&row["name"], &row["passes_on_to"][0]), (&"một".into(), &"binh@x.vn".into()));
    assert_eq!(engine.delete_sieve(&an, "một").await, Err(SieveError::IsActive));
    // An active one that is put anew is followed at once.
    let before = version().await;
    engine.put_sieve(&an, "một", b"discard;").await.unwrap();
    assert!(version().await > before);
    assert_eq!(engine.sieve_source(&an, "một").await.unwrap(), "discard;");
    assert_eq!(names(&engine.sieve_scripts(&an).await.unwrap()), [("hai", false, 1), ("một", true, 2)]);
    assert_eq!(engine.rename_sieve(&an, "một", "hai").await, Err(SieveError::Exists));
    assert_eq!(engine.rename_sieve(&an, "ba", "bốn").await, Err(SieveError::NoSuchScript));
    engine.rename_sieve(&an, "một", "chính").await.unwrap();
    assert_eq!(followed(&world, &an).await, ["chính"], "it stays active");
    engine.activate_sieve(&an, Some("hai")).await.unwrap();
    engine.activate_sieve(&an, None).await.unwrap();
    engine.activate_sieve(&an, None).await.unwrap();
    assert_eq!(followed(&world, &an).await, [""; 0]);
    engine.delete_sieve(&an, "chính").await.unwrap();
    assert_eq!(engine.sieve_source(&an, "chính").await, Err(SieveError::NoSuchScript));
    assert_eq!(names(&engine.sieve_scripts(&an).await.unwrap()), [("hai", false, 1)]);
    let an = "an@demo.gov.vn";
    assert_eq!(world.audited("sieve.put").await, [an, an, an]);
    assert_eq!(world.audited("sieve.activate").await, [an, an, an]);
    assert_eq!(world.audited("sieve.rename").await, [an]);
    assert_eq!(world.audited("sieve.delete").await, [an]);
}

#[tokio::test]
async fn what_cannot_be_taken_is_said_with_its_place() {
    let world = World::new().await;
    let an = world.user("an").await;
    let engine = &world.engine;
    let refused = engine.put_sieve(&an, "một", "keep;\nkhông \"x\";".as_bytes()).await.unwrap_err();
    let SieveError::Invalid(error) = &refused else { panic!("{refused:?}") };
    assert_eq!(error.line, 2);
    assert!(refused.to_string().starts_with("line 2, column"), "{refused}");
    assert!(refused.vietnamese().starts_with("Dòng 2, cột"), "{}", refused.vietnamese());
    assert_eq!(engine.check_sieve(KEEP), Ok(()));
    assert!(matches!(engine.check_sieve(b"\xff"), Err(SieveError::Invalid(_))));
    let most = proto::sieve::limits::SCRIPT_OCTETS_MAX;
    let long = vec![b' '; most + 1];
    assert_eq!(engine.put_sieve(&an, "một", &long).await, Err(SieveError::TooLarge { most }));
    assert_eq!(engine.has_sieve_space(&an, "một", most as u64 + 1).await, Err(SieveError::TooLarge { most }));
    for name in ["", "a\nb", "a\u{85}b", "a\u{2028}b", &"x".repeat(513)] {
        assert_eq!(engine.put_sieve(&an, name, KEEP).await, Err(SieveError::NameInvalid), "{name:?}");
        assert_eq!(engine.has_sieve_space(&an, name, 1).await, Err(SieveError::NameInvalid), "{name:?}");
    }
    engine.put_sieve(&an, &"x".repeat(512), KEEP).await.unwrap();
    assert_eq!(world.number("select count(*) from sieve_scripts").await, 1);
}

#[tokio::test]
async fn those_who_put_scripts_at_once_put_no_more_than_there_may_be() {
    let world = World::new().await;
    let an = world.user("an").await;
    let (engine, other) = (&world.engine, world.another_node());
    let put_all = async |names: Vec<String>| {
        let mut tasks = JoinSet::new();
        for (n, name) in names.into_iter().enumerate() {
            let (engine, an) = (if n % 2 == 0 { engine.clone() } else { other.clone() }, an.clone());
            tasks.spawn(async move { engine.put_sieve(&an, &name, KEEP).await });
        }
        tasks.join_all().await
    };
    // One name from two nodes is one script.
    let one = put_all(vec!["một".into(); 4]).await;
    assert!(one.iter().all(Result::is_ok), "{one:?}");
    assert_eq!(names(&engine.sieve_scripts(&an).await.unwrap()), [("một", false, 4)]);
    let many = put_all((0..20).map(|n| n.to_string()).collect()).await;
    assert_eq!(many.iter().filter(|done| done.is_ok()).count(), 15);
    assert!(
        many.iter().all(|done| matches!(done, Ok(()) | Err(SieveError::TooMany { most: 16 }))),
        "{many:?}"
    );
    assert_eq!(engine.has_sieve_space(&an, "mới", 1).await, Err(SieveError::TooMany { most: 16 }));
    assert_eq!(engine.has_sieve_space(&an, "một", 1).await, Ok(()), "in place of what is there");
}

#[tokio::test]
async fn the_newest_versions_stay() {
    let world = World::new().await;
    world.user("an").await;
    let owner = SieveOwner::Mailbox(address("an"));
    for n in 1..=25 {
        let source = format!("# {n}\nkeep;");
        assert_eq!(world.engine.put_script(&actor(), &owner, "một", source.as_bytes()).await, Ok(n));
    }
    let versions = world.engine.script_versions(&actor(), &owner, "một").await.unwrap();
    let numbers: Vec<u32> = versions.iter().map(|version| version.version).collect();
    assert_eq!(numbers, (6..=25).rev().collect::<Vec<_>>());
    assert_eq!(versions[0].put_by, actor().name());
    let source = async |version| world.engine.script_source(&actor(), &owner, "một", version).await;
    assert_eq!(source(Some(6)).await.unwrap(), "# 6\nkeep;");
    assert_eq!(source(Some(5)).await, Err(SieveError::NoSuchScript));
    assert_eq!(source(None).await.unwrap(), "# 25\nkeep;");
}

#[tokio::test]
async fn a_mailbox_s_scripts_are_its_owner_s() {
    let world = World::new().await;
    let an = world.user("an").await;
    let vanthu = office(&world, "vanthu").await;
    let engine = &world.engine;
    engine.put_sieve(&vanthu, "một", KEEP).await.unwrap();
    let all = delegation("vanthu", "an", &[Right::Read, Right::Write, Right::Manage]);
    engine.grant_delegation(&actor(), &all).await.unwrap();
    // Who has every right to it, in it and as himself.
    let place = reach(&world, &an, "Other Users/vanthu@demo.gov.vn/INBOX").await.unwrap();
    let denied = SieveError::Admin(AdminError::Denied(Reason::Role));
    assert_eq!(engine.sieve_scripts(&place.who).await, Err(denied.clone()));
    assert_eq!(engine.put_sieve(&place.who, "một", KEEP).await, Err(denied.clone()));
    let by = engine.actor_of(&an).await.unwrap();
    let owner = SieveOwner::Mailbox(address("vanthu"));
    assert_eq!(engine.scripts_of(&by, &owner).await, Err(denied.clone()));
    // An operator of the domain is not at the console.
    let operator = Grant::new(Role::CentreOperator, Scope::Domain(DomainId(1))).unwrap();
    let operator = Actor::of("an@demo.gov.vn", Some(an.account()), vec![operator]);
    assert_eq!(engine.script_source(&operator, &owner, "một", None).await, Err(denied));
    assert_eq!(names(&engine.scripts_of(&actor(), &owner).await.unwrap()), [("một", false, 1)]);
}

#[tokio::test]
async fn units_and_domains_have_scripts_of_their_own() {
    let world = World::new().await;
    province(&world).await;
    let engine = &world.engine;
    let unit = SieveOwner::Unit(domain(), "sotttt".into());
    let of_domain = SieveOwner::Domain(domain());
    for (owner, name) in [(&unit, "đơn vị"), (&of_domain, "tỉnh")] {
        engine.put_script(&actor(), owner, name, KEEP).await.unwrap();
        engine.activate_script(&actor(), owner, Some(name)).await.unwrap();
    }
    assert_eq!(world.audited("sieve.put").await, ["demo.gov.vn/unit/sotttt", "demo.gov.vn"]);
    let as_role = |role, scope| {
        let grant = Grant::new(role, scope).unwrap();
        Actor::of("x@demo.gov.vn", None, vec![grant])
    };
    let at = DomainId(world.number("select domain_id from domains where name = 'demo.gov.vn'").await);
    let operator = as_role(Role::CentreOperator, Scope::Domain(at));
    engine.put_script(&operator, &unit, "đơn vị", KEEP).await.unwrap();
    // Inspectors look, others do not learn of it.
    let inspector = as_role(Role::Inspector, Scope::Domain(at));
    assert_eq!(engine.script_source(&inspector, &of_domain, "tỉnh", None).await.unwrap().as_bytes(), KEEP);
    let denied = Err(SieveError::Admin(AdminError::Denied(Reason::Role)));
    assert_eq!(engine.put_script(&inspector, &of_domain, "tỉnh", KEEP).await, denied);
    let elsewhere = as_role(Role::CentreOperator, Scope::Domain(DomainId(at.0 + 1)));
    let missing = Err(SieveError::Admin(AdminError::NoSuchDomain(domain())));
    assert_eq!(engine.activate_script(&elsewhere, &of_domain, None).await, missing);
    let unknown = SieveOwner::Unit(domain(), "không".into());
    let missing = Err(SieveError::Admin(AdminError::NoSuchUnit("không".into())));
    assert_eq!(engine.scripts_of(&actor(), &unknown).await, missing);
}

#[tokio::test]
async fn where_policy_lets_users_have_none_they_may_only_take_away() {
    let world = World::new().await;
    let an = world.user("an").await;
    let engine = &world.engine;
    engine.put_sieve(&an, "một", KEEP).await.unwrap();
    engine.activate_sieve(&an, Some("một")).await.unwrap();
    policy(&world, "rules.own", "false").await;
    let refused = Err(SieveError::NotAllowed);
    assert_eq!(engine.put_sieve(&an, "hai", KEEP).await, refused);
    assert_eq!(engine.has_sieve_space(&an, "hai", 1).await, refused);
    assert_eq!(engine.activate_sieve(&an, Some("một")).await, refused);
    let of_domain = SieveOwner::Domain(domain());
    engine.put_script(&actor(), &of_domain, "tỉnh", KEEP).await.unwrap();
    assert_eq!(engine.sieve_source(&an, "một").await.unwrap().as_bytes(), KEEP);
    engine.activate_sieve(&an, None).await.unwrap();
    engine.delete_sieve(&an, "một").await.unwrap();
}

#[tokio::test]
async fn scripts_end_with_hand_over_and_deletion() {
    let world = World::new().await;
    let vanthu = office(&world, "vanthu").await;
    let an = world.user("an").await;
    let engine = &world.engine;
    for who in [&vanthu, &an] {
        engine.put_sieve(who, "một", KEEP).await.unwrap();
        engine.activate_sieve(who, Some("một")).await.unwrap();
    }
    let new = NewHandover {
        mailbox: address("vanthu"),
        from: "Ông A".into(),
        to: "Bà B".into(),
        delegate: None,
        rights: Rights::NONE,
        document: "01/QĐ".into(),
    };
    world
        .database
        .run(
            "insert into leaves (account_id, from_day, to_day, reason, noted_by, noted_at, answer)
             select account_id, '2000-01-01', '2100-01-01', 'nghỉ', 'x', now(), 'Tôi vắng mặt' from addresses
              where address = 'vanthu@demo.gov.vn'",
        )
        .await;
    engine.start_handover(&actor(), &new).await.unwrap();
    let done = engine.finish_handover(&actor(), &address("vanthu")).await.unwrap();
    assert!(done.handover.text().contains("Thôi áp dụng bộ lọc thư: một\n"), "{}", done.handover.text());
    assert!(done.handover.text().contains("Thôi trả lời tự động"), "{}", done.handover.text());
    assert_eq!(world.number("select count(*) from leaves where answer is not null").await, 0);
    assert_eq!(followed(&world, &vanthu).await, [""; 0]);
    assert_eq!(world.detail("sieve.activate").await["because"], "handed over");
    // What there was is the new holder's to see.
    let owner = SieveOwner::Mailbox(address("vanthu"));
    assert_eq!(names(&engine.scripts_of(&actor(), &owner).await.unwrap()), [("một", false, 1)]);
    engine.delete_without_export(&actor(), &address("an"), "thu hồi").await.unwrap();
    assert_eq!(world.number("select count(*) from sieve_scripts").await, 1);
    assert_eq!(world.store.sieve_followed(TODAY).await.unwrap(), store::SieveFollowed::default());
}

#[tokio::test]
async fn a_leave_answers_what_its_owner_has_it_say() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.user("binh").await;
    let engine = &world.engine;
    let leave = |from, to| Leave { from: date(2026, 12, from), to: date(2026, 12, to) };
    let answer = |subject: Option<&str>, text: &str| LeaveAnswer {
        subject: subject.map(Into::into),
        text: text.into(),
    };
    let said = answer(Some("Nghỉ phép"), "Tôi nghỉ phép.\nXin liên hệ văn thư.");
    let by = engine.actor_of(&an).await.unwrap();
    let before = world.store.sieve_version().await.unwrap();
    engine.note_leave(&by, &address("an"), leave(1, 5), "nghỉ phép", Some(&said)).await.unwrap();
    let noted = world.store.sieve_version().await.unwrap();
    assert!(noted > before);
    assert_eq!(world.detail("mailbox.leave").await["answer"]["subject"], "Nghỉ phép");
    let on = async |day| {
        world.store.sieve_chains(&[an.account()], date(2026, 12, day)).await.unwrap().remove(0).answer
    };
    assert_eq!(on(6).await, None);
    assert_eq!(
        on(5).await.map(|answer| (answer.subject, answer.text)),
        Some((said.subject.clone(), said.text.clone()))
    );
    assert_eq!(engine.leaves(&by, &address("an")).await.unwrap().unwrap()[0].answer, Some(said.clone()));
    // What is said in somebody's name is not others' to say, who may note his leave.
    let helpdesk = Grant::new(Role::Helpdesk, Scope::Domain(DomainId(1))).unwrap();
    let helpdesk = Actor::of("binh@demo.gov.vn", Some(model::AccountId(2)), vec![helpdesk]);
    let note = async |who: &Actor, said: Option<&LeaveAnswer>| {
        engine.note_leave(who, &address("an"), leave(10, 12), "nghỉ phép", said).await
    };
    assert_eq!(note(&helpdesk, Some(&said)).await, Err(AdminError::Denied(Reason::Role)));
    for bad in [
        answer(None, " "),
        answer(None, "a\0b"),
        answer(None, &"x".repeat(4001)),
        answer(Some(""), "x"),
        answer(Some("a\nb"), "x"),
        answer(Some(&"x".repeat(201)), "x"),
    ] {
        assert_eq!(note(&actor(), Some(&bad)).await, Err(AdminError::BadAnswer), "{bad:?}");
    }
    note(&helpdesk, None).await.unwrap();
    assert_eq!(world.store.sieve_version().await.unwrap(), noted, "nothing is answered by it");
    engine.withdraw_leave(&by, &address("an"), date(2026, 12, 1), "đi làm lại").await.unwrap();
    assert!(world.store.sieve_version().await.unwrap() > noted);
    assert_eq!(on(5).await, None);
}

#[tokio::test]
async fn what_counts_no_more_is_forgotten_at_night() {
    let world = World::new().await;
    world.user("an").await;
    for table in ["sieve_answered", "sieve_seen"] {
        let insert = format!(
            "insert into {table} select account_id, sha256(day::text::bytea), day
               from accounts, (values (timestamptz '2026-11-21'), ('2026-11-23')) d (day)"
        );
        world.database.run(&insert).await;
    }
    assert_eq!(world.engine.run_job("forget-rules").await.unwrap().unwrap(), "2 forgotten");
    assert_eq!(world.number("select count(*) from sieve_seen").await, 1);
}
