//! A domain's mailboxes move to another domain: both addresses receive, nothing of the mail changes, and it can be undone.

use super::{PASSWORD, World, actor, address, mailbox, origin};
use crate::{Actor, AdminError, AdminTarget, Engine, MoveRow, MoveState, RecipientError};
use jiff::SignedDuration;
use model::{AccountId, Action, DomainName, Grant, Reason, Role, Scope};
use store::Direction;

fn name(text: &str) -> DomainName {
    DomainName::new(text).unwrap()
}

async fn plan(engine: &Engine) -> MoveRow {
    let domains = (&name("demo.gov.vn"), &name("moi.gov.vn"));
    engine.plan_move(&actor(), domains, "Nghị quyết sáp nhập").await.unwrap()
}

async fn world() -> World {
    let world = World::new().await;
    world.engine.add_domain(&actor(), &name("moi.gov.vn"), "soc-trang").await.unwrap();
    world
}

async fn primary(world: &World, who: &str) -> String {
    world.store.login(&address(who)).await.unwrap().unwrap().primary.to_string()
}

#[tokio::test]
async fn mailboxes_move_with_their_mail_and_keep_both_addresses() {
    let world = world().await;
    let engine = &world.engine;
    let an = world.user("an").await;
    world.user("binh").await;
    world.deliver(&["an"], b"Subject: truoc\r\n\r\n").await;
    let planned = plan(engine).await;
    assert_eq!((planned.pending, planned.conflicts, planned.state), (2, 0, MoveState::Planned));
    assert_eq!(primary(&world, "an").await, "an@demo.gov.vn", "a plan changes nothing");
    assert_eq!(
        engine.plan_move(&actor(), (&name("demo.gov.vn"), &name("moi.gov.vn")), "x").await.unwrap_err(),
        AdminError::MoveExists
    );

    let done = engine.run_move(&actor(), planned.id).await.unwrap();
    assert_eq!((done.state, done.done, done.pending), (MoveState::Done, 2, 0));
    assert_eq!(primary(&world, "an").await, "an@moi.gov.vn");
    world.deliver(&["an@demo.gov.vn"], b"Subject: cu\r\n\r\n").await;
    world.deliver(&["an@moi.gov.vn"], b"Subject: moi\r\n\r\n").await;
    let read = world.read(&an, "INBOX").await;
    let subjects: Vec<&str> = ["truoc", "Thay", "cu", "moi"].into_iter().collect();
    assert_eq!(read.len(), subjects.len(), "a session of before goes on, and was told of the new address");
    assert!(String::from_utf8_lossy(&read[1].1).contains("Auto-Submitted: auto-generated"));
    for login in ["an@demo.gov.vn", "an@moi.gov.vn"] {
        let who = engine.log_in(login, PASSWORD, &origin()).await.unwrap();
        for sender in ["an@demo.gov.vn", "an@moi.gov.vn"] {
            engine.check_sender(&who, &address(sender)).await.unwrap();
        }
    }
    engine.run_move(&actor(), planned.id).await.unwrap();
    assert_eq!(world.read(&an, "INBOX").await.len(), 4, "nobody is told twice");
}

/// AG Đ9.3b has 10 MB, ST Đ7 50: what holds is the policy of where the mailbox is, not of where its session began.
#[tokio::test]
async fn a_session_of_before_has_the_rules_of_the_new_domain() {
    let world = world().await;
    let engine = &world.engine;
    let an = world.user("an").await;
    let file = "QUJD".repeat((11 << 20) / 3);
    let text = format!(
        "From: <an@demo.gov.vn>\r\nMIME-Version: 1.0\r\nContent-Type: application/pdf; name=a.pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{file}\r\n"
    );
    let send = async || {
        let recipient = engine.recipient(&address("an")).await.unwrap();
        let mut spool = engine.new_spool();
        spool.write(text.as_bytes()).await.unwrap();
        let arrival = crate::Arrival { principal: Some(an.clone()), ..super::arrival() };
        engine.deliver(&arrival, &[recipient], spool).await.map(drop)
    };
    assert!(matches!(send().await, Err(crate::DeliverError::Attachments(_))));
    let planned = plan(engine).await;
    engine.run_move(&actor(), planned.id).await.unwrap();
    send().await.unwrap();
}

#[tokio::test]
async fn what_is_taken_is_decided_before_anything_moves() {
    let world = world().await;
    let engine = &world.engine;
    for one in ["an", "binh", "an@moi.gov.vn"] {
        engine.add_mailbox(&actor(), &mailbox(one)).await.unwrap();
    }
    let planned = plan(engine).await;
    assert_eq!((planned.pending, planned.conflicts), (2, 1));
    assert_eq!(engine.run_move(&actor(), planned.id).await.unwrap_err(), AdminError::Undecided(1));
    assert_eq!(primary(&world, "binh").await, "binh@demo.gov.vn");
    let undecided = engine.move_steps(&actor(), planned.id, true, AccountId(0), 10).await.unwrap();
    assert_eq!(undecided.iter().map(|step| step.old.to_string()).collect::<Vec<_>>(), ["an@demo.gov.vn"]);
    let decide = async |old: &str, new: &str| {
        engine.decide_move(&actor(), planned.id, (&address(old), &address(new))).await
    };
    assert_eq!(decide("an", "an@moi.gov.vn").await, Err(AdminError::AddressTaken));
    assert_eq!(
        decide("an", "binh@moi.gov.vn").await,
        Err(AdminError::AddressTaken),
        "somebody of the move is to have it"
    );
    assert_eq!(decide("an", "an2@demo.gov.vn").await, Err(AdminError::NoSuchDomain(name("demo.gov.vn"))));
    assert!(matches!(decide("ai", "an3@moi.gov.vn").await, Err(AdminError::NoSuchMailbox(_))));
    decide("an", "an2@moi.gov.vn").await.unwrap();
    // Who came after the plan moves too.
    engine.add_mailbox(&actor(), &mailbox("chi")).await.unwrap();
    let done = engine.run_move(&actor(), planned.id).await.unwrap();
    assert_eq!((done.done, done.conflicts), (3, 0));
    assert_eq!(primary(&world, "an").await, "an2@moi.gov.vn");
    assert_eq!(primary(&world, "chi").await, "chi@moi.gov.vn");
}

#[tokio::test]
async fn a_run_that_was_killed_goes_on_and_everybody_has_one_address() {
    let world = world().await;
    let engine = &world.engine;
    for nth in 0..7 {
        engine.add_mailbox(&actor(), &mailbox(&format!("cb{nth}"))).await.unwrap();
    }
    let planned = plan(engine).await;
    // As far as a run comes that is killed after its first batch, which is not told to anybody.
    let mut tx = world.store.begin().await.unwrap();
    assert!(
        tx.set_move_state(planned.id, &[MoveState::Planned], MoveState::Running, engine.now()).await.unwrap()
    );
    let term = engine.now() + SignedDuration::from_hours(24 * 30);
    tx.set_move_terms(planned.id, term, term).await.unwrap();
    tx.move_organisation(planned.id).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = world.store.begin().await.unwrap();
    assert_eq!(tx.do_steps(planned.id, Direction::Forth, 3, engine.now()).await.unwrap().unwrap().len(), 3);
    tx.commit().await.unwrap();
    // And one in the middle of a batch.
    let mut tx = world.store.begin().await.unwrap();
    tx.do_steps(planned.id, Direction::Forth, 2, engine.now()).await.unwrap();
    drop(tx);
    assert_eq!(primary(&world, "cb2").await, "cb2@moi.gov.vn");
    assert_eq!(primary(&world, "cb3").await, "cb3@demo.gov.vn");
    engine.delete_without_export(&actor(), &address("cb5"), "thu hồi").await.unwrap();

    assert_eq!(engine.run_job("finish-moves").await.unwrap().unwrap(), "1 moves finished");
    let done = engine.moves(&actor()).await.unwrap().remove(0);
    assert_eq!((done.state, done.done, done.skipped, done.pending), (MoveState::Done, 6, 1, 0));
    for nth in [0, 1, 2, 3, 4, 6] {
        assert_eq!(primary(&world, &format!("cb{nth}")).await, format!("cb{nth}@moi.gov.vn"));
        assert!(engine.recipient(&address(&format!("cb{nth}@demo.gov.vn"))).await.is_ok());
    }
}

#[tokio::test]
async fn a_move_is_undone_while_its_window_is_open() {
    let world = world().await;
    let engine = &world.engine;
    let an = world.user("an").await;
    let planned = plan(engine).await;
    assert_eq!(engine.undo_move(&actor(), planned.id).await.unwrap_err(), AdminError::MoveState("planned"));
    engine.run_move(&actor(), planned.id).await.unwrap();
    world.deliver(&["an@moi.gov.vn"], b"Subject: moi\r\n\r\n").await;
    let undone = engine.undo_move(&actor(), planned.id).await.unwrap();
    assert_eq!((undone.state, undone.undone, undone.done), (MoveState::Undone, 1, 0));
    assert_eq!(primary(&world, "an").await, "an@demo.gov.vn");
    world.deliver(&["an@moi.gov.vn", "an@demo.gov.vn"], b"Subject: sau\r\n\r\n").await;
    let read = world.read(&an, "INBOX").await;
    assert_eq!(read.len(), 4, "the new address goes on receiving, and he was told of both");
    assert_eq!(world.number("select count(*) from notices where key like 'moved-back/%'").await, 1);
    assert_eq!(engine.run_move(&actor(), planned.id).await.unwrap_err(), AdminError::MoveState("undone"));
    assert_eq!(engine.undo_move(&actor(), planned.id).await.unwrap().state, MoveState::Undone);

    assert_eq!(world.read(&an, "INBOX").await.len(), 4, "once");
    let again = plan(engine).await;
    engine.run_move(&actor(), again.id).await.unwrap();
    world.clock.advance(SignedDuration::from_hours(24 * 31));
    assert!(matches!(engine.undo_move(&actor(), again.id).await, Err(AdminError::UndoOver(_))));
}

#[tokio::test]
async fn an_old_address_is_retired_when_its_time_is_over_and_given_to_nobody() {
    let world = world().await;
    let engine = &world.engine;
    world.user("an").await;
    let planned = plan(engine).await;
    engine.run_move(&actor(), planned.id).await.unwrap();
    // To the very end of the last day.
    let until = engine.moves(&actor()).await.unwrap()[0].alias_until.unwrap();
    assert_eq!(until.to_string(), "2027-11-22T17:00:00Z");
    world.clock.advance(until.duration_since(engine.now()) - SignedDuration::from_secs(1));
    assert_eq!(engine.run_job("retire-old-addresses").await.unwrap().unwrap(), "0 addresses retired");
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(engine.run_job("retire-old-addresses").await.unwrap().unwrap(), "1 addresses retired");
    assert_eq!(engine.recipient(&address("an@demo.gov.vn")).await.unwrap_err(), RecipientError::Unknown);
    assert_eq!(engine.add_mailbox(&actor(), &mailbox("an")).await.unwrap_err(), AdminError::AddressTaken);
}

#[tokio::test]
async fn units_go_with_their_domain_and_come_back() {
    let world = world().await;
    let engine = &world.engine;
    let unit = |domain: &str, code: &str| crate::NewUnit {
        domain: name(domain),
        code: Some(code.into()),
        name: format!("Sở {code}"),
        kind: "so".into(),
        identifier: None,
        parent: None,
        on: None,
    };
    for (domain, code) in [("demo.gov.vn", "snv"), ("demo.gov.vn", "stc"), ("moi.gov.vn", "snv")] {
        engine.add_unit(&actor(), &unit(domain, code), crate::Founding::default()).await.unwrap();
    }
    let domain = world.store.domain(&name("demo.gov.vn")).await.unwrap().unwrap();
    let demo = world.store.unit(domain, "snv").await.unwrap().unwrap();
    let planned = plan(engine).await;
    engine.run_move(&actor(), planned.id).await.unwrap();
    let ids = async |domain: &str, codes: [&str; 3]| {
        let id = world.store.domain(&name(domain)).await.unwrap().unwrap();
        let mut there = Vec::new();
        for code in codes {
            there.push(world.store.unit(id, code).await.unwrap().is_some());
        }
        there
    };
    let renamed = format!("snv-{}", demo.0);
    let codes = ["snv", &renamed, "stc"];
    assert_eq!(ids("moi.gov.vn", codes).await, [true, true, true]);
    assert_eq!(ids("demo.gov.vn", codes).await, [false, false, false]);
    engine.undo_move(&actor(), planned.id).await.unwrap();
    assert_eq!(ids("moi.gov.vn", codes).await, [true, false, false]);
    assert_eq!(ids("demo.gov.vn", codes).await, [true, false, true]);
}

/// Whatever grew together meanwhile is named before anything is undone; what has been parted again goes its way.
#[tokio::test]
async fn an_undo_leaves_no_tree_that_cannot_be_loaded() {
    let world = world().await;
    let engine = &world.engine;
    let unit = |domain: &str, code: &str, parent: Option<&str>| crate::NewUnit {
        domain: name(domain),
        code: Some(code.into()),
        name: format!("Sở {code}"),
        kind: if parent.is_some() { "phong" } else { "so" }.into(),
        identifier: None,
        parent: parent.map(Into::into),
        on: None,
    };
    engine.add_unit(&actor(), &unit("demo.gov.vn", "snv", None), crate::Founding::default()).await.unwrap();
    engine.add_unit(&actor(), &unit("moi.gov.vn", "stc", None), crate::Founding::default()).await.unwrap();
    let planned = plan(engine).await;
    engine.run_move(&actor(), planned.id).await.unwrap();
    // Founded under what moved, and a mailbox granted in it.
    engine
        .add_unit(&actor(), &unit("moi.gov.vn", "p1", Some("snv")), crate::Founding::default())
        .await
        .unwrap();
    let new = crate::NewMailbox { unit: Some("snv".into()), ..mailbox("chi@moi.gov.vn") };
    engine.add_mailbox(&actor(), &new).await.unwrap();
    let refused = engine.undo_move(&actor(), planned.id).await.unwrap_err();
    assert_eq!(refused, AdminError::GrownTogether(vec!["chi@moi.gov.vn".into(), "p1".into()]));
    assert_eq!(engine.moves(&actor()).await.unwrap()[0].state, MoveState::Done, "nothing was begun");
    let moved = crate::UnitAct::Move { unit: "p1".into(), to: Some("stc".into()) };
    engine.change_unit(&actor(), &name("moi.gov.vn"), &moved, None, false).await.unwrap();
    engine.delete_without_export(&actor(), &address("chi@moi.gov.vn"), "thu hồi").await.unwrap();
    engine.undo_move(&actor(), planned.id).await.unwrap();
    for domain in ["demo.gov.vn", "moi.gov.vn"] {
        let id = world.store.domain(&name(domain)).await.unwrap().unwrap();
        world.store.tree(id).await.unwrap();
    }
}

#[tokio::test]
async fn domains_move_one_after_another_and_several_to_one() {
    let world = world().await;
    let engine = &world.engine;
    for domain in ["ba.gov.vn", "bon.gov.vn"] {
        engine.add_domain(&actor(), &name(domain), "an-giang").await.unwrap();
    }
    let planned = plan(engine).await;
    engine.run_move(&actor(), planned.id).await.unwrap();
    let wanted = async |from: &str, to: &str| {
        engine.plan_move(&actor(), (&name(from), &name(to)), "Sáp nhập").await.map(drop)
    };
    assert_eq!(wanted("moi.gov.vn", "ba.gov.vn").await, Err(AdminError::MoveExists), "it can be undone");
    assert_eq!(wanted("ba.gov.vn", "demo.gov.vn").await, Err(AdminError::MoveExists));
    wanted("bon.gov.vn", "moi.gov.vn").await.unwrap();
    world.clock.advance(SignedDuration::from_hours(24 * 31));
    wanted("ba.gov.vn", "demo.gov.vn").await.unwrap();
}

#[tokio::test]
async fn an_address_of_a_group_is_decided_like_a_mailboxs() {
    let world = world().await;
    let engine = &world.engine;
    engine.add_mailbox(&actor(), &mailbox("an")).await.unwrap();
    let planned = plan(engine).await;
    let group = |local: &str| {
        format!(
            "insert into groups (domain_id, address, name, rule, deep, senders, made_by, made_at)
             select domain_id, '{local}@moi.gov.vn', 'Nhóm', 'manual', false, 'everybody', 'test', now()
               from domains where name = 'moi.gov.vn'"
        )
    };
    world.database.run(&group("an")).await;
    world.database.run(&group("nhom")).await;
    assert_eq!(engine.run_move(&actor(), planned.id).await.unwrap_err(), AdminError::Undecided(1));
    let undecided = engine.move_steps(&actor(), planned.id, true, AccountId(0), 10).await.unwrap();
    assert_eq!(undecided.len(), 1, "what was found is kept");
    let decide =
        async |new: &str| engine.decide_move(&actor(), planned.id, (&address("an"), &address(new))).await;
    assert_eq!(decide("nhom@moi.gov.vn").await, Err(AdminError::AddressTaken));
    decide("an2@moi.gov.vn").await.unwrap();
    assert_eq!(engine.run_move(&actor(), planned.id).await.unwrap().done, 1);
}

#[tokio::test]
async fn only_who_runs_the_installation_moves_domains() {
    let world = world().await;
    let engine = &world.engine;
    world.user("an").await;
    let planned = plan(engine).await;
    let demo = world.store.domain(&name("demo.gov.vn")).await.unwrap().unwrap();
    let grant = Grant::new(Role::CentreOperator, Scope::Domain(demo)).unwrap();
    let operator = Actor::of("operator", None, vec![grant]);
    let denied = AdminError::Denied(Reason::Role);
    let domains = (&name("demo.gov.vn"), &name("moi.gov.vn"));
    assert_eq!(engine.plan_move(&operator, domains, "x").await.unwrap_err(), denied);
    assert_eq!(engine.run_move(&operator, planned.id).await.unwrap_err(), denied);
    assert_eq!(engine.undo_move(&operator, planned.id).await.unwrap_err(), denied);
    assert_eq!(engine.cancel_move(&operator, planned.id).await.unwrap_err(), denied);
    assert_eq!(engine.move_steps(&operator, planned.id, false, AccountId(0), 9).await.unwrap_err(), denied);
    assert!(engine.moves(&operator).await.unwrap().is_empty());
    let elsewhere = Actor::of("other", None, Vec::new());
    assert_eq!(
        engine.run_move(&elsewhere, planned.id).await.unwrap_err(),
        AdminError::NoSuchMove(planned.id)
    );
    assert_eq!(engine.run_move(&elsewhere, 99).await.unwrap_err(), AdminError::NoSuchMove(99));
}

#[tokio::test]
async fn a_move_that_is_undone_meanwhile_stops() {
    let world = world().await;
    let engine = &world.engine;
    for nth in 0..4 {
        engine.add_mailbox(&actor(), &mailbox(&format!("cb{nth}"))).await.unwrap();
    }
    let planned = plan(engine).await;
    engine.cancel_move(&actor(), planned.id).await.unwrap();
    let mut tx = world.store.begin().await.unwrap();
    assert_eq!(tx.do_steps(planned.id, Direction::Forth, 2, engine.now()).await.unwrap(), None, "cancelled");
    drop(tx);

    let again = plan(engine).await;
    let mut tx = world.store.begin().await.unwrap();
    tx.set_move_state(again.id, &[MoveState::Planned], MoveState::Running, engine.now()).await.unwrap();
    tx.set_move_terms(again.id, engine.now() + SignedDuration::from_hours(99), engine.now()).await.unwrap();
    tx.commit().await.unwrap();
    // A batch of the run is under way: who undoes the move waits for it, and takes it back.
    let mut tx = world.store.begin().await.unwrap();
    assert_eq!(tx.do_steps(again.id, Direction::Forth, 2, engine.now()).await.unwrap().unwrap().len(), 2);
    let undoing = engine.clone();
    let mut undo = tokio::task::JoinSet::new();
    undo.spawn(async move { undoing.undo_move(&actor(), again.id).await });
    let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    while world.database.number(waiting).await == 0 {
        tokio::task::yield_now().await;
    }
    tx.commit().await.unwrap();
    assert_eq!(undo.join_all().await.remove(0).unwrap().undone, 2);
    let mut tx = world.store.begin().await.unwrap();
    assert_eq!(tx.do_steps(again.id, Direction::Forth, 2, engine.now()).await.unwrap(), None, "undone");
    drop(tx);
    for nth in 0..4 {
        assert_eq!(primary(&world, &format!("cb{nth}")).await, format!("cb{nth}@demo.gov.vn"));
    }
}

#[tokio::test]
async fn owners_are_told_though_the_run_ended_before() {
    let world = world().await;
    let engine = &world.engine;
    let an = world.user("an").await;
    let planned = plan(engine).await;
    engine.run_move(&actor(), planned.id).await.unwrap();
    // As if it had been killed before it told anybody.
    world.database.run("update move_steps set told = false").await;
    world.database.run("delete from notices").await;
    assert_eq!(world.engine.run_job("finish-moves").await.unwrap().unwrap(), "1 moves finished");
    assert_eq!(world.read(&an, "INBOX").await.len(), 2);
    assert_eq!(world.engine.run_job("finish-moves").await.unwrap().unwrap(), "0 moves finished");
}

#[tokio::test]
async fn officers_keep_their_units_through_a_move() {
    let world = world().await;
    let engine = &world.engine;
    let unit = crate::NewUnit {
        domain: name("demo.gov.vn"),
        code: Some("snv".into()),
        name: "Sở Nội vụ".into(),
        kind: "so".into(),
        parent: None,
        identifier: None,
        on: None,
    };
    engine.add_unit(&actor(), &unit, crate::Founding::default()).await.unwrap();
    let an = world.user("an").await;
    let role = crate::RoleOver {
        holder: &address("an"),
        role: Role::OrganisationOfficer,
        over: AdminTarget::UnitCode(&name("demo.gov.vn"), "snv"),
    };
    engine.grant_role(&actor(), &role, None, "Quyết định").await.unwrap();
    let planned = plan(engine).await;
    engine.run_move(&actor(), planned.id).await.unwrap();
    let officer = engine.actor_of(&an).await.unwrap();
    engine
        .authorize(&officer, Action::UnitShow, &AdminTarget::UnitCode(&name("moi.gov.vn"), "snv"))
        .await
        .unwrap();
    engine.undo_move(&actor(), planned.id).await.unwrap();
    let officer = engine.actor_of(&an).await.unwrap();
    engine
        .authorize(&officer, Action::UnitShow, &AdminTarget::UnitCode(&name("demo.gov.vn"), "snv"))
        .await
        .unwrap();
}
