//! Role × action × scope through [`Engine::authorize`] on a real database, and that nobody learns of what he may not see.

use super::{PASSWORD, World, actor as console, address, mailbox, origin};
use crate::{
    Actor, AdminError, AdminTarget, Engine, Error, Import, ImportRow, LoginError, NamedMailbox, NewMailbox,
    NewUnit, OrganisationError, RoleOver, UnitAct,
};
use jiff::SignedDuration;
use model::{
    Action, Address, Cell, DomainName, Grant, Level, MailboxClass, PersonId, Reason, Right, Rights, Role,
};
use std::collections::BTreeMap;

/// Every target, by name, with its level. `so` is the officer's, `phong` lies below it, `khac` beside it.
const TARGETS: &[(&str, Option<Level>)] = &[
    ("*", Some(Level::System)),
    ("demo.gov.vn", Some(Level::Domain)),
    ("b.vn", Some(Level::Domain)),
    ("none.vn", None),
    ("demo.gov.vn/tinh", Some(Level::Unit)),
    ("demo.gov.vn/so", Some(Level::Unit)),
    ("demo.gov.vn/phong", Some(Level::Unit)),
    ("demo.gov.vn/khac", Some(Level::Unit)),
    ("b.vn/so", Some(Level::Unit)),
    ("demo.gov.vn/none", None),
    ("so@demo.gov.vn", Some(Level::Mailbox)),
    ("phong@demo.gov.vn", Some(Level::Mailbox)),
    ("khoa@demo.gov.vn", Some(Level::Mailbox)),
    ("khac@demo.gov.vn", Some(Level::Mailbox)),
    ("nha@demo.gov.vn", Some(Level::Mailbox)),
    ("so@b.vn", Some(Level::Mailbox)),
    ("none@demo.gov.vn", None),
];

const OF_DEMO: &[&str] = &[
    "demo.gov.vn",
    "demo.gov.vn/tinh",
    "demo.gov.vn/so",
    "demo.gov.vn/phong",
    "demo.gov.vn/khac",
    "so@demo.gov.vn",
    "phong@demo.gov.vn",
    "khoa@demo.gov.vn",
    "khac@demo.gov.vn",
    "nha@demo.gov.vn",
];
const OF_SO: &[&str] =
    &["demo.gov.vn/so", "demo.gov.vn/phong", "so@demo.gov.vn", "phong@demo.gov.vn", "khoa@demo.gov.vn"];
const OF_PHONG: &[&str] = &["phong@demo.gov.vn"];

pub(super) fn unit(domain: &str, code: &str, parent: Option<&str>) -> NewUnit {
    NewUnit {
        domain: DomainName::new(domain).unwrap(),
        code: Some(code.into()),
        identifier: None,
        on: None,
        name: code.into(),
        kind: "so".into(),
        parent: parent.map(str::to_owned),
    }
}

fn boxed(address: &str, unit: Option<&str>) -> NewMailbox {
    NewMailbox { unit: unit.map(str::to_owned), ..mailbox(address) }
}

/// Two domains, three units in a tree with one beside them, and a mailbox in each.
pub(super) async fn province() -> World {
    let world = World::new().await;
    let engine = &world.engine;
    engine.add_domain(&console(), &DomainName::new("b.vn").unwrap(), "an-giang").await.unwrap();
    for (domain, code, parent) in [
        ("demo.gov.vn", "tinh", None),
        ("demo.gov.vn", "so", Some("tinh")),
        ("demo.gov.vn", "phong", Some("so")),
        ("demo.gov.vn", "khac", Some("tinh")),
        ("b.vn", "so", None),
    ] {
        engine.add_unit(&console(), &unit(domain, code, parent), crate::Founding::default()).await.unwrap();
    }
    for (name, unit) in [
        ("so@demo.gov.vn", Some("so")),
        ("phong@demo.gov.vn", Some("phong")),
        ("khoa@demo.gov.vn", Some("phong")),
        ("khac@demo.gov.vn", Some("khac")),
        ("nha@demo.gov.vn", None),
        ("so@b.vn", Some("so")),
    ] {
        engine.add_mailbox(&console(), &boxed(name, unit)).await.unwrap();
    }
    world
        .database
        .run(
            "update accounts set state = 'locked' from addresses g
              where g.account_id = accounts.account_id and g.address = 'khoa@demo.gov.vn'",
        )
        .await;
    world
}

async fn with<T>(name: &str, ask: impl AsyncFnOnce(AdminTarget<'_>) -> T) -> T {
    if name == "*" {
        return ask(AdminTarget::System).await;
    }
    if name.contains('@') {
        return ask(AdminTarget::Address(&address(name))).await;
    }
    match name.split_once('/') {
        Some((domain, code)) => ask(AdminTarget::UnitCode(&DomainName::new(domain).unwrap(), code)).await,
        None => ask(AdminTarget::Domain(&DomainName::new(name).unwrap())).await,
    }
}

/// Somebody of `role` over `place`, logged in.
pub(super) async fn somebody(world: &World, name: &str, role: Role, place: &str) -> Actor {
    world.engine.add_mailbox(&console(), &boxed(&format!("{name}@b.vn"), None)).await.unwrap();
    give(world, &console(), name, role, place).await.unwrap();
    log_in(&world.engine, &format!("{name}@b.vn")).await
}

async fn give(world: &World, actor: &Actor, name: &str, role: Role, place: &str) -> Result<(), AdminError> {
    let holder = address(&format!("{name}@b.vn"));
    with(place, async |over| {
        world.engine.grant_role(actor, &RoleOver { holder: &holder, role, over }, None, "QĐ 1").await
    })
    .await
}

async fn log_in(engine: &Engine, login: &str) -> Actor {
    let who = engine.log_in(login, PASSWORD, &origin()).await.unwrap();
    engine.actor_of(&who).await.unwrap()
}

async fn authorize(engine: &Engine, actor: &Actor, action: Action, target: &str) -> Result<(), AdminError> {
    with(target, async |target| engine.authorize(actor, action, &target).await).await
}

/// What the answer is to be, by the table of cells and the reach written down above.
fn expected(
    grant: &Grant,
    action: Action,
    target: &str,
    level: Option<Level>,
    within: bool,
) -> Result<(), Reason> {
    let Some(level) = level else { return Err(Reason::NotFound) };
    if !within && level != Level::System {
        return Err(Reason::NotFound);
    }
    if !action.levels().contains(level) {
        return Err(Reason::Target);
    }
    match action.cell(grant.role()) {
        Cell::With(right) if within && !grant.rights().contains(right) => Err(Reason::Right(right)),
        Cell::Yes | Cell::With(_) if within && target == "khoa@demo.gov.vn" && action.uses_mailbox() => {
            Err(Reason::Mailbox(model::AccountState::Locked))
        }
        Cell::Yes | Cell::With(_) if within => Ok(()),
        _ => Err(Reason::Role),
    }
}

fn missing(target: &str) -> AdminError {
    if target == "*" {
        return AdminError::Denied(Reason::NotFound);
    }
    if target.contains('@') {
        return AdminError::NoSuchMailbox(address(target));
    }
    match target.split_once('/') {
        Some((_, code)) => AdminError::NoSuchUnit(code.into()),
        None => AdminError::NoSuchDomain(DomainName::new(target).unwrap()),
    }
}

#[tokio::test]
async fn the_matrix_of_roles_actions_and_scopes_holds_on_a_real_database() {
    let world = province().await;
    let all: Vec<&str> = TARGETS.iter().filter(|(_, level)| level.is_some()).map(|(name, _)| *name).collect();
    let mut actors = Vec::new();
    for (name, role, place, reach) in [
        ("quantri", Role::SystemAdministrator, "*", all.as_slice()),
        ("vanhanh", Role::CentreOperator, "demo.gov.vn", OF_DEMO),
        ("daumoi", Role::OrganisationOfficer, "demo.gov.vn/so", OF_SO),
        ("thanhtra1", Role::Inspector, "demo.gov.vn", OF_DEMO),
        ("thanhtra2", Role::Inspector, "demo.gov.vn/so", OF_SO),
        ("thanhtra3", Role::Inspector, "phong@demo.gov.vn", OF_PHONG),
        ("hotro", Role::Helpdesk, "demo.gov.vn", OF_DEMO),
    ] {
        let actor = somebody(&world, name, role, place).await;
        // Without his own mailbox, which is another grant.
        let grant = *actor.grants().iter().find(|grant| grant.role() == role).unwrap();
        actors.push((name, Actor::of(name, actor.account(), vec![grant]), grant, reach));
    }
    let owner = log_in(&world.engine, "phong@demo.gov.vn").await;
    let account = owner.account().unwrap();
    actors.push(("owner", owner.clone(), owner.grants()[0], OF_PHONG));
    for right in Right::ALL {
        let grant = Grant::delegate(account, Rights::NONE.with(right)).unwrap();
        actors.push((right.as_str(), Actor::of(right.as_str(), None, vec![grant]), grant, OF_PHONG));
    }
    let mut permitted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut asked = 0;
    for (name, actor, grant, reach) in &actors {
        for &action in Action::ALL {
            for (target, level) in TARGETS {
                let found = authorize(&world.engine, actor, action, target).await;
                let wanted = expected(grant, action, target, *level, reach.contains(target));
                let wanted = wanted.map_err(|reason| match reason {
                    Reason::NotFound => missing(target),
                    reason => AdminError::Denied(reason),
                });
                assert_eq!(found, wanted, "{name}: {} on {target}", action.as_str());
                asked += 1;
                *permitted.entry(name).or_default() += usize::from(found.is_ok());
            }
        }
    }
    println!("{} actions, {asked} questions, permitted: {permitted:?}", Action::ALL.len());
    assert_eq!(asked, 13 * Action::ALL.len() * TARGETS.len());
    assert!(permitted.values().all(|&count| count > 0));
}

#[tokio::test]
async fn an_officer_learns_nothing_of_another_subtree() {
    let world = province().await;
    let engine = &world.engine;
    let officer = somebody(&world, "daumoi", Role::OrganisationOfficer, "demo.gov.vn/so").await;
    let listed = engine
        .mailboxes(&officer, crate::MailboxQuery { limit: 100, ..crate::MailboxQuery::default() })
        .await
        .unwrap();
    let listed: Vec<String> = listed.iter().map(|mailbox| mailbox.address.to_string()).collect();
    assert_eq!(listed, ["khoa@demo.gov.vn", "phong@demo.gov.vn", "so@demo.gov.vn"]);
    assert!(engine.domains(&officer).await.unwrap().is_empty(), "a domain's row counts all of its mailboxes");
    assert!(engine.roles(&officer, true, 0, 100).await.unwrap().is_empty());
    let hidden = address("khac@demo.gov.vn");
    let none = address("none@demo.gov.vn");
    for (from, to) in [("phong", "so"), ("khac", "so")] {
        let (from, to) = (address(&format!("{from}@demo.gov.vn")), address(&format!("{to}@demo.gov.vn")));
        engine.set_forward(&console(), &from, (&to, true)).await.unwrap();
    }
    let (own, other) = (DomainName::new("demo.gov.vn").unwrap(), DomainName::new("b.vn").unwrap());
    for domain in [None, Some(&own)] {
        let query = crate::ForwardQuery { domain, limit: 100, ..crate::ForwardQuery::default() };
        let listed = engine.forwards(&officer, query).await.unwrap();
        let listed: Vec<String> = listed.iter().map(|one| one.forward.mailbox.to_string()).collect();
        assert_eq!(listed, ["phong@demo.gov.vn"]);
        assert_eq!(engine.forwards(&console(), query).await.unwrap().len(), 2);
    }
    let query = crate::ForwardQuery { domain: Some(&other), limit: 100, ..crate::ForwardQuery::default() };
    let unseen = AdminError::NoSuchDomain(other.clone());
    assert_eq!(engine.forwards(&officer, query).await, Err(unseen.into()));
    assert!(engine.mailbox(&officer, &address("phong@demo.gov.vn")).await.unwrap().is_some());
    for there in [&hidden, &none] {
        assert!(engine.mailbox(&officer, there).await.unwrap().is_none());
        assert_eq!(engine.set_password(&officer, there, "Mật khẩu 2", false, "thử").await, Ok(false));
        assert_eq!(engine.reset_password(&officer, there, "quên").await, Ok(None));
        assert_eq!(engine.delete_mailbox(&officer, there, "thu hồi").await, Ok(false));
        assert_eq!(engine.delete_alias(&officer, there).await, Ok(false));
        let alias = engine.add_alias(&officer, &address("moi"), there).await;
        assert_eq!(alias, Err(AdminError::NoSuchMailbox(there.clone())));
        let over = AdminTarget::Address(there);
        let role = RoleOver { holder: there, role: Role::Inspector, over };
        assert_eq!(
            engine.grant_role(&officer, &role, None, "QĐ").await,
            Err(AdminError::Denied(Reason::Role)),
            "whatever the mailbox, he gives no roles",
        );
    }
    for code in ["khac", "none"] {
        let new = unit("demo.gov.vn", "moi", Some(code));
        assert_eq!(
            engine.add_unit(&officer, &new, crate::Founding::default()).await,
            Err(AdminError::NoSuchUnit(code.into()))
        );
        let new = boxed("khac@demo.gov.vn", Some(code));
        assert_eq!(engine.add_mailbox(&officer, &new).await, Err(AdminError::NoSuchUnit(code.into())));
    }
    // What he sees and may not do is said to be so; and it is not done.
    let seen = address("phong@demo.gov.vn");
    assert_eq!(
        engine.delete_mailbox(&officer, &seen, "thu hồi").await,
        Err(AdminError::Denied(Reason::Role))
    );
    let taken = boxed("khac@demo.gov.vn", Some("so"));
    assert_eq!(engine.add_mailbox(&officer, &taken).await, Err(AdminError::Denied(Reason::Role)));
    assert!(engine.mailbox(&console(), &hidden).await.unwrap().is_some());
}

fn named(unit: &str, person: Option<PersonId>) -> NamedMailbox {
    NamedMailbox {
        domain: DomainName::new("demo.gov.vn").unwrap(),
        name: "Trần Thị Hoa".into(),
        class: MailboxClass::Person,
        unit: Some(unit.into()),
        position: None,
        birth_year: person.is_none().then_some(1984),
        person,
        another_person: false,
        choose: None,
        quota_bytes: None,
        password: Some(PASSWORD.into()),
        must_change_password: false,
        dry_run: false,
    }
}

#[tokio::test]
async fn a_preview_tells_an_officer_of_nobody_outside() {
    let world = province().await;
    let engine = &world.engine;
    let hidden = engine.add_named_mailbox(&console(), &named("khac", None)).await.unwrap();
    let officer = somebody(&world, "daumoi", Role::OrganisationOfficer, "demo.gov.vn/so").await;
    let preview = async |person| {
        let new = NamedMailbox { dry_run: true, ..named("phong", person) };
        engine.add_named_mailbox(&officer, &new).await
    };
    let of_nobody = PersonId(1_000_000);
    for person in [hidden.person.unwrap(), of_nobody] {
        let unknown = AdminError::Organisation(OrganisationError::NoSuchPerson(person.0));
        assert_eq!(preview(Some(person)).await, Err(unknown));
    }
    let by_name = preview(None).await.unwrap();
    assert_eq!(by_name.person, None, "somebody of that name and year is nobody he knows");
    // In his own subtree he is told.
    let seen = NamedMailbox { name: "Lê Văn Sáu".into(), ..named("phong", None) };
    let seen = engine.add_named_mailbox(&console(), &seen).await.unwrap();
    assert!(matches!(preview(seen.person).await, Err(AdminError::Grant(_))));
}

#[tokio::test]
async fn an_officer_tries_a_list_of_his_own_units_and_learns_of_no_others() {
    let world = province().await;
    let engine = &world.engine;
    engine.add_named_mailbox(&console(), &named("khac", None)).await.unwrap();
    let officer = somebody(&world, "daumoi", Role::OrganisationOfficer, "demo.gov.vn/so").await;
    let row = |number, unit: Option<&str>| ImportRow {
        number,
        name: "Trần Thị Hoa".into(),
        unit: unit.map(str::to_owned),
        birth_year: Some(1984),
        ..ImportRow::default()
    };
    let list = |domain: &str, rows| Import {
        domain: DomainName::new(domain).unwrap(),
        file_name: "danh-sach.xlsx".into(),
        digest: [7; 32],
        rows,
        since: None,
        must_change_password: false,
        skip_bad: true,
    };
    let rows = vec![row(2, Some("phong")), row(3, Some("khac")), row(4, Some("khong")), row(5, None)];
    let plan = engine.preview_import(&officer, &list("demo.gov.vn", rows.clone())).await.unwrap();
    // Who lives beside has the name and the year, and the address.
    let made: Vec<_> = plan.rows.iter().map(|row| (row.row, row.address.as_str())).collect();
    assert_eq!(made, [(2, "tthoa02@demo.gov.vn")]);
    assert_eq!(plan.rows[0].warning, None);
    let told: Vec<_> = plan.faults.iter().map(|fault| (fault.row, fault.what.as_str())).collect();
    let expected = [
        (3, "there is no unit khac in this domain"),
        (4, "there is no unit khong in this domain"),
        (5, "give the unit: one of yours"),
    ];
    assert_eq!(told, expected);
    // That somebody has imported the list is not his to know; who is in his units is.
    let eighth = ImportRow { name: "Lê Văn Tám".into(), ..row(2, Some("phong")) };
    let known = list("demo.gov.vn", vec![eighth]);
    engine.import_mailboxes(&console(), &known, &mut |_| Ok(())).await.unwrap();
    let again = engine.preview_import(&officer, &known).await.unwrap();
    assert_eq!((again.done, again.rows.len(), again.faults.len()), (0, 0, 1), "{:?}", again.faults);
    for domain in ["b.vn", "none.vn"] {
        let refused = engine.preview_import(&officer, &list(domain, rows.clone())).await.unwrap_err();
        assert_eq!(refused, AdminError::NoSuchDomain(DomainName::new(domain).unwrap()));
    }
    let refused = engine.import_mailboxes(&officer, &list("demo.gov.vn", rows), &mut |_| Ok(())).await;
    assert_eq!(refused.unwrap_err(), AdminError::NoSuchDomain(DomainName::new("demo.gov.vn").unwrap()));
}

#[tokio::test]
async fn a_role_ends_with_its_unit_and_does_not_grow() {
    let world = province().await;
    let engine = &world.engine;
    let officer = somebody(&world, "daumoi", Role::OrganisationOfficer, "demo.gov.vn/phong").await;
    assert!(officer.highest_role().is_some());
    let domain = DomainName::new("demo.gov.vn").unwrap();
    let act =
        crate::UnitAct::Merge { sources: vec!["phong".into()], into: "khac".into(), keep_positions: false };
    for dry_run in [true, false] {
        let change = engine.change_unit(&console(), &domain, &act, None, dry_run).await.unwrap();
        let ended = [("daumoi@b.vn".to_owned(), "organisation_officer".to_owned(), "phong".to_owned())];
        assert_eq!(change.roles.len(), 1, "{:?}", change.roles);
        assert_eq!((&change.roles[0].0, &change.roles[0].2), (&ended[0].0, &ended[0].2));
        let roles = engine.roles(&console(), false, 0, 9).await.unwrap();
        assert_eq!(roles.len(), usize::from(dry_run));
    }
    assert_eq!(log_in(engine, "daumoi@b.vn").await.highest_role(), None);
}

#[tokio::test]
async fn who_helps_with_passwords_does_not_come_to_use_the_mailbox() {
    let world = province().await;
    let engine = &world.engine;
    let helpdesk = somebody(&world, "hotro", Role::Helpdesk, "demo.gov.vn").await;
    let (mailbox, chosen) = (address("phong@demo.gov.vn"), "Rừng tràm 27!");
    assert!(engine.set_password(&helpdesk, &mailbox, chosen, false, "quên mật khẩu").await.unwrap());
    let refused = engine.log_in("phong@demo.gov.vn", chosen, &origin()).await;
    assert_eq!(refused.unwrap_err(), LoginError::PasswordChangeRequired);
    let kept =
        "select count(*) from password_resets where made_by = 'hotro@b.vn' and reason = 'quên mật khẩu'";
    assert_eq!(world.number(kept).await, 1);
    let acts = "select count(*) from audit where action = 'mailbox.password' and detail->>'reason' = 'quên mật khẩu'";
    assert_eq!(world.number(acts).await, 1);
    // Nor does an operator who makes a mailbox; who runs the installation may say otherwise.
    let operator = somebody(&world, "vanhanh", Role::CentreOperator, "demo.gov.vn").await;
    engine.add_mailbox(&operator, &boxed("moi@demo.gov.vn", Some("so"))).await.unwrap();
    let refused = engine.log_in("moi@demo.gov.vn", PASSWORD, &origin()).await;
    assert_eq!(refused.unwrap_err(), LoginError::PasswordChangeRequired);
    engine.set_password(&console(), &mailbox, "Sông Hậu 83?", false, "máy quét").await.unwrap();
    engine.log_in("phong@demo.gov.vn", "Sông Hậu 83?", &origin()).await.unwrap();
}

#[tokio::test]
async fn refused_tries_of_administrators_are_events_and_not_acts() {
    let world = province().await;
    let officer = somebody(&world, "daumoi", Role::OrganisationOfficer, "demo.gov.vn/so").await;
    let acts = world.database.number("select count(*) from audit").await;
    let seen = address("phong@demo.gov.vn");
    world.engine.delete_mailbox(&officer, &seen, "thu hồi").await.unwrap_err();
    world.engine.delete_mailbox(&officer, &address("khac@demo.gov.vn"), "thu hồi").await.unwrap();
    let noted = "select count(*) from events where kind = 'denied' and sender = 'daumoi@b.vn' and account_id is not null
                  and status in ('mailbox.delete phong@demo.gov.vn', 'mailbox.delete khac@demo.gov.vn')";
    assert_eq!(world.database.number(noted).await, 2);
    assert_eq!(world.database.number("select count(*) from audit").await, acts);
    // A user who is no administrator, and a typing error at the console, leave none.
    let owner = log_in(&world.engine, "phong@demo.gov.vn").await;
    world.engine.delete_mailbox(&owner, &seen, "thu hồi").await.unwrap_err();
    assert!(!world.engine.delete_mailbox(&console(), &address("none@demo.gov.vn"), "thu hồi").await.unwrap());
    assert_eq!(world.database.number("select count(*) from events where kind = 'denied'").await, 2);
}

#[tokio::test]
async fn whoever_is_locked_retired_or_over_may_nothing() {
    let world = province().await;
    let engine = &world.engine;
    somebody(&world, "daumoi", Role::OrganisationOfficer, "demo.gov.vn/so").await;
    let who = engine.log_in("daumoi@b.vn", PASSWORD, &origin()).await.unwrap();
    let seen = async |reason: Option<Reason>| {
        let officer = engine.actor_of(&who).await.unwrap();
        let found = authorize(engine, &officer, Action::MailboxShow, "phong@demo.gov.vn").await;
        assert_eq!(found, reason.map_or(Ok(()), |reason| Err(AdminError::Denied(reason))));
        let listed = engine
            .mailboxes(&officer, crate::MailboxQuery { limit: 9, ..crate::MailboxQuery::default() })
            .await
            .unwrap();
        assert_eq!(listed.len(), if reason.is_none() { 3 } else { 0 });
    };
    let set = async |what: &str| {
        let by = "from addresses g where g.account_id = accounts.account_id and g.address = 'daumoi@b.vn'";
        world.database.run(&format!("update accounts set {what} {by}")).await;
    };
    seen(None).await;
    set("password_change = true").await;
    seen(Some(Reason::Standing(model::Standing::MustChangePassword))).await;
    set("state = 'locked', password_change = false").await;
    seen(Some(Reason::Standing(model::Standing::Locked))).await;
    set("state = 'to_be_deleted'").await;
    seen(Some(Reason::Standing(model::Standing::Retired))).await;
    set("state = 'active'").await;
    // A retired owner: his mailbox is deleted, and the session he still has is worth nothing.
    let owner = engine.log_in("so@demo.gov.vn", PASSWORD, &origin()).await.unwrap();
    assert!(engine.actor_of(&owner).await.is_ok());
    engine.delete_mailbox(&console(), &address("so@demo.gov.vn"), "thu hồi").await.unwrap();
    assert_eq!(engine.actor_of(&owner).await.unwrap_err(), Error::Revoked);
    // A role that was taken away, and one that has run out.
    let holder = address("daumoi@b.vn");
    let domain = DomainName::new("demo.gov.vn").unwrap();
    let role = RoleOver {
        holder: &holder,
        role: Role::OrganisationOfficer,
        over: AdminTarget::UnitCode(&domain, "so"),
    };
    assert!(engine.revoke_role(&console(), &role).await.unwrap());
    assert!(!engine.revoke_role(&console(), &role).await.unwrap());
    assert_eq!(engine.actor_of(&who).await.unwrap().highest_role(), None);
    let until = engine.now() + SignedDuration::from_hours(24);
    engine.grant_role(&console(), &role, Some(until), "QĐ 2").await.unwrap();
    assert_eq!(
        engine.grant_role(&console(), &role, None, "QĐ 3").await,
        Err(AdminError::RoleHeld(holder.clone()))
    );
    assert_eq!(engine.actor_of(&who).await.unwrap().highest_role(), Some(Role::OrganisationOfficer));
    world.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(engine.actor_of(&who).await.unwrap().highest_role(), None);
    engine.grant_role(&console(), &role, None, "QĐ 3").await.unwrap();
    assert_eq!(engine.roles(&console(), false, 0, 9).await.unwrap().len(), 1);
    assert_eq!(engine.roles(&console(), true, 0, 9).await.unwrap().len(), 3);
}

#[tokio::test]
async fn only_an_administrator_makes_administrators() {
    let world = province().await;
    let engine = &world.engine;
    let operator = somebody(&world, "vanhanh", Role::CentreOperator, "demo.gov.vn").await;
    let holder: Address = address("phong@demo.gov.vn");
    let domain = DomainName::new("demo.gov.vn").unwrap();
    let give = async |actor: &Actor, role: Role, over: AdminTarget<'_>| {
        engine.grant_role(actor, &RoleOver { holder: &holder, role, over }, None, "QĐ 1").await
    };
    for role in [Role::SystemAdministrator, Role::CentreOperator, Role::Inspector, Role::Helpdesk] {
        let refused = give(&operator, role, AdminTarget::Domain(&domain)).await;
        assert_eq!(refused, Err(AdminError::Denied(Reason::Role)), "{role:?}");
    }
    give(&operator, Role::OrganisationOfficer, AdminTarget::UnitCode(&domain, "so")).await.unwrap();
    let foreign = DomainName::new("b.vn").unwrap();
    let refused = give(&operator, Role::OrganisationOfficer, AdminTarget::UnitCode(&foreign, "so")).await;
    assert_eq!(refused, Err(AdminError::NoSuchUnit("so".into())));
    for (role, over) in [
        (Role::SystemAdministrator, AdminTarget::Domain(&domain)),
        (Role::OrganisationOfficer, AdminTarget::Domain(&domain)),
        (Role::CentreOperator, AdminTarget::System),
        (Role::MailboxOwner, AdminTarget::Address(&holder)),
        (Role::Delegate, AdminTarget::Address(&holder)),
    ] {
        assert_eq!(give(&console(), role, over).await, Err(AdminError::RoleScope), "{role:?} {over}");
    }
    // Whoever could get into the mailbox of a higher role would have that role.
    give(&console(), Role::SystemAdministrator, AdminTarget::System).await.unwrap();
    let refused = engine.reset_password(&operator, &holder, "quên").await;
    assert_eq!(refused, Err(AdminError::Denied(Reason::HigherRole)));
}

#[tokio::test]
async fn the_document_on_which_somebody_acts_is_kept_with_what_he_does() {
    let world = World::new().await;
    super::organisation::province(&world.engine).await;
    let domain = DomainName::new("demo.gov.vn").unwrap();
    let rename = |name: &str| UnitAct::Rename { unit: "sokhcn".to_owned(), name: name.to_owned() };
    let grounded = console().on_document(" NQ 190/2025/QH15, Điều 2 ").unwrap();
    for (actor, name, document) in [
        (&grounded, "Sở Khoa học", serde_json::json!("NQ 190/2025/QH15, Điều 2")),
        (&console(), "Sở Khoa học và Công nghệ", serde_json::Value::Null),
    ] {
        world.engine.change_unit(actor, &domain, &rename(name), None, false).await.unwrap();
        assert_eq!(world.detail("unit.rename").await["document"], document);
    }
    for wrong in ["", " ", "hai\ndòng", &"x".repeat(1_000)] {
        assert!(console().on_document(wrong).is_err(), "{wrong:?}");
    }
}
