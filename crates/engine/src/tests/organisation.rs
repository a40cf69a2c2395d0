//! Units through a reform: previews, merges with people and mailboxes, splits, history.

use super::{World, actor};
use crate::{
    AdminError, Engine, Founding, NamedMailbox, NewAppointment, NewUnit, OrganisationError, UnitAct,
    UnitChange,
};
use jiff::civil::{Date, date};
use model::{Address, DomainName, KindId, MailboxClass, PersonId, Tier, UnitKind};

const FOUNDED: Date = date(2020, 1, 1);
const REFORM: Date = date(2026, 11, 22);

fn domain() -> DomainName {
    DomainName::new("demo.gov.vn").unwrap()
}

async fn found(engine: &Engine, code: &str, name: &str, kind: &str, parent: Option<&str>) {
    let new = NewUnit {
        domain: domain(),
        code: Some(code.to_owned()),
        name: name.to_owned(),
        kind: kind.to_owned(),
        identifier: None,
        parent: parent.map(str::to_owned),
        on: Some(FOUNDED),
    };
    engine.add_unit(&actor(), &new, Founding::default()).await.unwrap();
}

pub(super) async fn person(engine: &Engine, name: &str, unit: &str, position: Option<&str>) -> PersonId {
    let new = NamedMailbox {
        domain: domain(),
        name: name.to_owned(),
        class: MailboxClass::Person,
        unit: Some(unit.to_owned()),
        position: position.map(str::to_owned),
        birth_year: None,
        person: None,
        another_person: false,
        choose: None,
        quota_bytes: None,
        password: None,
        must_change_password: false,
        dry_run: false,
    };
    engine.add_named_mailbox(&actor(), &new).await.unwrap().person.unwrap()
}

pub(super) async fn act(engine: &Engine, act: UnitAct, dry_run: bool) -> Result<UnitChange, AdminError> {
    engine.change_unit(&actor(), &domain(), &act, Some(REFORM), dry_run).await
}

fn merger(from: &str, into: &str) -> UnitAct {
    UnitAct::Merge { sources: vec![from.into()], into: into.into(), keep_positions: false }
}

pub(super) async fn province(engine: &Engine) {
    found(engine, "ubnd", "Ủy ban nhân dân tỉnh", "ubnd-tinh", None).await;
    found(engine, "sotttt", "Sở Thông tin và Truyền thông", "so", Some("ubnd")).await;
    found(engine, "sokhcn", "Sở Khoa học và Công nghệ", "Sở", Some("ubnd")).await;
    found(engine, "cds.sotttt", "Phòng Chuyển đổi số", "phong", Some("sotttt")).await;
}

#[tokio::test]
async fn a_merger_takes_people_mailboxes_and_rooms_along() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let head = person(engine, "Trần An", "sotttt", Some("Giám đốc")).await;
    person(engine, "Lê Tú", "cds.sotttt", None).await;
    let merge = merger("sotttt", "sokhcn");
    let preview = act(engine, merge.clone(), true).await.unwrap();
    assert!(!preview.done && preview.people == 1 && preview.mailboxes == 1);
    let below = preview.below;
    assert_eq!((below.units, below.people, below.mailboxes), (1, 1, 1), "the room goes along as it is");
    let told: Vec<_> =
        preview.events.iter().map(|event| (event.unit.as_str(), event.what.as_str())).collect();
    assert_eq!(
        told,
        [
            ("cds.sotttt", "moved from sotttt to sokhcn"),
            ("sotttt", "merged into sokhcn"),
            ("sokhcn", "absorbed sotttt")
        ]
    );
    let (before, _) = engine.unit(&actor(), &domain(), "sotttt").await.unwrap().unwrap();
    assert_eq!(
        (before.dissolved, before.people, before.mailboxes),
        (None, 1, 1),
        "a preview changes nothing"
    );
    assert!(act(engine, merge.clone(), false).await.unwrap().done);
    let (gone, history) = engine.unit(&actor(), &domain(), "sotttt").await.unwrap().unwrap();
    assert_eq!((gone.dissolved, gone.successors), (Some(REFORM), vec!["sokhcn".to_owned()]));
    assert_eq!(history.len(), 2);
    let (into, _) = engine.unit(&actor(), &domain(), "sokhcn").await.unwrap().unwrap();
    assert_eq!((into.people, into.mailboxes), (1, 1));
    let people = engine.people(&actor(), &domain(), Some("sokhcn"), None, 10).await.unwrap();
    assert_eq!((people[0].person, people[0].positions.len()), (head, 0), "the position ended with the unit");
    assert!(act(engine, merge, false).await.unwrap_err().to_string().contains("unit sotttt is dissolved"));
    let list = engine.units(&actor(), &domain()).await.unwrap();
    let tree: Vec<_> = list.iter().map(|unit| (unit.depth, unit.code.as_str())).collect();
    assert_eq!(tree, [(0, "ubnd"), (1, "sokhcn"), (2, "cds.sotttt"), (1, "sotttt")]);
}

#[tokio::test]
async fn nobody_is_left_in_a_unit_that_ends() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    person(engine, "Lê Tú", "cds.sotttt", None).await;
    let dissolve = UnitAct::Dissolve { unit: "cds.sotttt".into() };
    let in_use = act(engine, dissolve, false).await;
    assert!(matches!(
        in_use,
        Err(AdminError::Organisation(OrganisationError::InUse { people: 1, mailboxes: 1, .. }))
    ));
    let part = |name: &str| NewUnit {
        domain: domain(),
        code: None,
        name: name.to_owned(),
        kind: "phong".to_owned(),
        identifier: None,
        parent: Some("sotttt".to_owned()),
        on: None,
    };
    let parts = vec![part("Phòng Hạ tầng số"), part("Phòng Dữ liệu")];
    let split = UnitAct::Split {
        source: "cds.sotttt".into(),
        parts,
        below: Vec::new(),
        keep: false,
        keep_positions: false,
    };
    assert_eq!(act(engine, split, false).await.unwrap().people, 1);
    let (first, _) = engine.unit(&actor(), &domain(), "hts.sotttt").await.unwrap().unwrap();
    assert_eq!((first.people, first.mailboxes), (1, 1));
    act(engine, UnitAct::Dissolve { unit: "dulieu.sotttt".into() }, false).await.unwrap();
}

#[tokio::test]
async fn names_codes_kinds_and_places_change_with_history() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let unit = || "cds.sotttt".to_owned();
    act(engine, UnitAct::Rename { unit: unit(), name: "Phòng Kinh tế số".into() }, false).await.unwrap();
    act(engine, UnitAct::Move { unit: unit(), to: Some("sokhcn".into()) }, false).await.unwrap();
    act(engine, UnitAct::Convert { unit: unit(), kind: "trung-tam".into() }, false).await.unwrap();
    act(engine, UnitAct::Recode { unit: unit(), code: "kts.sokhcn".into() }, false).await.unwrap();
    let taken = act(engine, UnitAct::Recode { unit: "sotttt".into(), code: unit() }, false).await;
    assert_eq!(taken.unwrap_err().to_string(), "the code belongs to unit kts.sokhcn, or once did");
    let cycle = act(engine, UnitAct::Move { unit: "ubnd".into(), to: Some("sotttt".into()) }, false).await;
    assert_eq!(cycle.unwrap_err().to_string(), "that would put unit ubnd under itself");
    let (unit, history) = engine.unit(&actor(), &domain(), "kts.sokhcn").await.unwrap().unwrap();
    assert_eq!((unit.name.as_str(), unit.parent.as_deref()), ("Phòng Kinh tế số", Some("sokhcn")));
    assert_eq!((unit.kind.as_str(), history.len()), ("trung-tam", 5));
    let trail = world.engine.units(&actor(), &domain()).await.unwrap();
    assert_eq!(trail.len(), 4);
    // Of another unit's day before what is recorded, nothing.
    let early = UnitAct::Rename { unit: "kts.sokhcn".into(), name: "X".into() };
    let early = engine.change_unit(&actor(), &domain(), &early, Some(FOUNDED), false).await;
    assert!(early.unwrap_err().to_string().contains("before what is recorded of unit kts.sokhcn"));
}

#[tokio::test]
async fn a_unit_is_founded_twice_only_by_whoever_says_so() {
    let world = World::new().await;
    let engine = &world.engine;
    let add = async |name: &str, parent: Option<&str>, how: Founding| {
        let new = NewUnit {
            domain: domain(),
            code: None,
            name: name.to_owned(),
            kind: "so".to_owned(),
            identifier: None,
            parent: parent.map(str::to_owned),
            on: Some(FOUNDED),
        };
        engine.add_unit(&actor(), &new, how).await.map(|added| added.code.to_string())
    };
    found(engine, "ubnd", "Ủy ban nhân dân tỉnh", "ubnd-tinh", None).await;
    let preview = Founding { dry_run: true, ..Founding::default() };
    let code = add("Sở Y tế", None, preview).await.unwrap();
    assert!(engine.unit(&actor(), &domain(), &code).await.unwrap().is_none(), "it was a preview");
    assert_eq!(world.audited("unit.add").await.len(), 1);
    assert_eq!(add("Sở Y tế", None, Founding::default()).await.unwrap(), code);
    for how in [Founding::default(), preview] {
        let refused = add("  Sở Y  Tế ", None, how).await.unwrap_err();
        let there = OrganisationError::MaybeThere { name: "Sở Y tế".to_owned(), code: code.clone() };
        assert_eq!(refused, there.into());
    }
    assert_ne!(
        add("Sở Y tế", Some("ubnd"), Founding::default()).await.unwrap(),
        code,
        "elsewhere it is another"
    );
    let another = Founding { another_unit: true, ..Founding::default() };
    assert!(add("Sở Y tế", None, another).await.is_ok());
    act(engine, UnitAct::Dissolve { unit: code.clone() }, false).await.unwrap();
    let last = engine.units(&actor(), &domain()).await.unwrap();
    assert_eq!(last.iter().filter(|unit| unit.name == "Sở Y tế" && unit.dissolved.is_none()).count(), 2);
}

#[tokio::test]
async fn a_person_is_found_by_an_address() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let head = person(engine, "Trần An", "sotttt", None).await;
    let people = engine.people(&actor(), &domain(), None, None, 10).await.unwrap();
    let own: Address = people[0].addresses[0].parse().unwrap();
    engine.add_alias(&actor(), &super::address("khac"), &own).await.unwrap();
    world.user("chung").await;
    let find = async |address: &Address| engine.person_with(&actor(), &domain(), address).await;
    assert_eq!(find(&own).await, Ok(head));
    assert_eq!(find(&super::address("khac")).await, Ok(head), "an alias");
    let nobodys = OrganisationError::NobodysMailbox(super::address("chung"));
    assert_eq!(find(&super::address("chung")).await, Err(nobodys.into()));
    let none = super::address("khongco");
    assert_eq!(find(&none).await, Err(AdminError::NoSuchMailbox(none)));
    let other = DomainName::new("b.vn").unwrap();
    engine.add_domain(&actor(), &other, "an-giang").await.unwrap();
    let elsewhere = engine.person_with(&actor(), &other, &own).await;
    assert_eq!(elsewhere, Err(OrganisationError::ElsewhereMailbox(own).into()));
}

#[tokio::test]
async fn kinds_of_a_reform_can_be_added() {
    let world = World::new().await;
    let engine = &world.engine;
    found(engine, "chauphu", "Huyện Châu Phú", "huyen", None).await;
    let late = NewUnit {
        domain: domain(),
        code: None,
        name: "Huyện Mới".into(),
        kind: "huyện".into(),
        identifier: None,
        parent: None,
        on: None,
    };
    let refused = engine.add_unit(&actor(), &late, Founding::default()).await.unwrap_err();
    assert_eq!(refused.to_string(), "this kind of unit is history");
    let unknown = NewUnit { kind: "khu".into(), ..late };
    assert!(
        engine
            .add_unit(&actor(), &unknown, Founding::default())
            .await
            .unwrap_err()
            .to_string()
            .contains("dac-khu")
    );
    let kind = UnitKind { id: KindId::new("khu"), label: "khu".into(), tier: Tier::Commune, ended: None };
    engine.put_kind(&actor(), &domain(), &kind).await.unwrap();
    assert_eq!(engine.add_unit(&actor(), &unknown, Founding::default()).await.unwrap().code.as_str(), "moi");
}

#[tokio::test]
async fn a_position_makes_a_leader_and_its_end_unmakes_one() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let who = person(engine, "Lê Tú", "sotttt", None).await;
    let class = async || {
        let mailbox = engine.mailbox(&actor(), &"ltu@demo.gov.vn".parse().unwrap()).await.unwrap().unwrap();
        (mailbox.class, mailbox.quota_bytes >> 20)
    };
    assert_eq!(class().await, (MailboxClass::Person, 300));
    let post = NewAppointment { person: who, title: "Phó Giám đốc".into(), unit: None, on: None };
    engine.appoint(&actor(), &domain(), &post).await.unwrap();
    assert_eq!(class().await, (MailboxClass::Leader, 1024));
    assert!(engine.appoint(&actor(), &domain(), &post).await.is_err(), "held already");
    engine.relieve(&actor(), &domain(), &post).await.unwrap();
    assert_eq!(class().await, (MailboxClass::Person, 300));
    engine.put_position(&actor(), &domain(), "Trợ lý", false, 9).await.unwrap();
    assert!(
        engine
            .positions(&actor(), &domain())
            .await
            .unwrap()
            .iter()
            .any(|p| p.title == "Trợ lý" && p.rank == 9)
    );
}

#[tokio::test]
async fn nothing_takes_effect_before_its_day() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let who = person(engine, "Lê Tú", "sotttt", None).await;
    let day = REFORM.tomorrow().unwrap();
    let early = AdminError::from(OrganisationError::FutureDay(day));
    let rename = UnitAct::Rename { unit: "sotttt".into(), name: "Sở Số".into() };
    let refused = engine.change_unit(&actor(), &domain(), &rename, Some(day), false).await.unwrap_err();
    assert_eq!(refused, early);
    let post = NewAppointment { person: who, title: "Giám đốc".into(), unit: None, on: Some(day) };
    assert_eq!(engine.appoint(&actor(), &domain(), &post).await.unwrap_err(), early);
}

#[tokio::test]
async fn nothing_is_granted_in_a_unit_that_is_dissolved_or_to_another_units_people() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let who = person(engine, "Lê Tú", "sotttt", None).await;
    act(engine, UnitAct::Dissolve { unit: "cds.sotttt".into() }, false).await.unwrap();
    let gone = crate::NewMailbox { unit: Some("cds.sotttt".into()), ..super::mailbox("an") };
    let refused = engine.add_mailbox(&actor(), &gone).await.unwrap_err();
    assert!(refused.to_string().contains("unit cds.sotttt is dissolved"), "{refused}");
    let elsewhere = NamedMailbox {
        domain: domain(),
        name: "Lê Tú".into(),
        class: MailboxClass::Person,
        unit: Some("sokhcn".into()),
        position: None,
        birth_year: None,
        person: Some(who),
        another_person: false,
        choose: None,
        quota_bytes: None,
        password: None,
        must_change_password: false,
        dry_run: true,
    };
    engine.delete_without_export(&actor(), &"ltu@demo.gov.vn".parse().unwrap(), "thu hồi").await.unwrap();
    let refused = engine.add_named_mailbox(&actor(), &elsewhere).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Lê Tú belongs to unit sotttt: transfer Lê Tú first, or grant the mailbox there"
    );
    // A unit has one address by this door, too.
    let own = |name: &str| crate::NewMailbox {
        unit: Some("sotttt".into()),
        class: MailboxClass::Organisation,
        ..super::mailbox(name)
    };
    engine.add_mailbox(&actor(), &own("sotttt")).await.unwrap();
    let second = engine.add_mailbox(&actor(), &own("so4t")).await.unwrap_err();
    assert!(matches!(second, AdminError::Grant(crate::GrantError::OnePerOrganisation { .. })), "{second}");
}

#[tokio::test]
async fn a_quota_of_ones_own_survives_a_position_that_may_have_it() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let who = person(engine, "Lê Tú", "sotttt", None).await;
    let address = "ltu@demo.gov.vn".parse().unwrap();
    let post = NewAppointment { person: who, title: "Phó Giám đốc".into(), unit: None, on: None };
    for (own, as_leader, stays) in [(1500, 1500, true), (900, 1024, false)] {
        engine.set_quota(&actor(), &address, Some(own << 20), "theo công văn 5").await.unwrap();
        engine.appoint(&actor(), &domain(), &post).await.unwrap();
        let mailbox = engine.mailbox(&actor(), &address).await.unwrap().unwrap();
        assert_eq!((mailbox.class, mailbox.quota_bytes >> 20), (MailboxClass::Leader, as_leader), "AG Đ9.3b");
        assert_eq!(engine.mailbox_quota(&actor(), &address).await.unwrap().unwrap().own.is_some(), stays);
        engine.relieve(&actor(), &domain(), &post).await.unwrap();
    }
}

/// What changed of the class of one mailbox: classes, megabytes before, after and used.
fn class_of(changes: &[crate::ClassChange]) -> Vec<(MailboxClass, MailboxClass, [u64; 3])> {
    let of = |one: &crate::ClassChange| {
        (one.from, one.to, [one.quota_before, one.quota, one.used].map(|octets| octets >> 20))
    };
    changes.iter().map(of).collect()
}

/// As if the mailbox had that much mail.
async fn fill(world: &World, local: &str, megabytes: u64) {
    let fill = format!(
        "update counters set used_bytes = {megabytes} << 20
          where account_id = (select account_id from addresses where address = '{local}@demo.gov.vn')"
    );
    world.database.run(&fill).await;
}

#[tokio::test]
async fn a_merger_names_the_positions_and_classes_that_end_with_the_unit() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let head = person(engine, "Trần An", "sotttt", Some("Giám đốc")).await;
    let clerk = person(engine, "Lê Tú", "sotttt", Some("Chuyên viên")).await;
    // Of another unit, and one there as well (kiêm nhiệm); what he is at home he remains.
    let guest = person(engine, "Vũ Hà", "sokhcn", Some("Trưởng phòng")).await;
    let post =
        NewAppointment { person: guest, title: "Kế toán".into(), unit: Some("sotttt".into()), on: None };
    engine
        .appoint(&actor(), &domain(), &NewAppointment { on: Some(FOUNDED), ..post.clone() })
        .await
        .unwrap_err();
    engine.appoint(&actor(), &domain(), &post).await.unwrap();
    fill(&world, "tan", 400).await;
    let merge = || merger("sotttt", "sokhcn");
    let ended = [(head, "Trần An", "Giám đốc"), (clerk, "Lê Tú", "Chuyên viên"), (guest, "Vũ Hà", "Kế toán")];
    for dry_run in [true, false] {
        let change = act(engine, merge(), dry_run).await.unwrap();
        let named: Vec<_> = change
            .positions
            .iter()
            .map(|post| (post.person, post.name.as_str(), post.title.as_str()))
            .collect();
        assert_eq!(named, ended);
        assert!(change.positions.iter().all(|post| post.unit == "sotttt"));
        let gone = (MailboxClass::Leader, MailboxClass::Person, [1024, 300, 400]);
        assert_eq!(class_of(&change.classes), [gone]);
        let mailbox = engine.mailbox(&actor(), &"tan@demo.gov.vn".parse().unwrap()).await.unwrap().unwrap();
        let class = if dry_run { MailboxClass::Leader } else { MailboxClass::Person };
        assert_eq!(mailbox.class, class);
    }
    let row = world.detail("unit.merge").await;
    assert_eq!(row["positions_ended"][0]["title"], "Giám đốc");
    assert_eq!(
        (&row["classes"][0]["mailbox"], &row["classes"][0]["over_quota"]),
        (&"tan@demo.gov.vn".into(), &true.into())
    );
    let people = engine.people(&actor(), &domain(), Some("sokhcn"), None, 10).await.unwrap();
    let there: Vec<_> = people.iter().map(|one| (one.person, one.positions.len())).collect();
    assert_eq!(there, [(head, 0), (clerk, 0), (guest, 1)]);
}

/// Also where the merger holds from a day before he was appointed.
#[tokio::test]
async fn who_is_a_leader_in_the_heir_already_keeps_class_and_quota_through_a_merger() {
    for days_later in [0, 3] {
        let world = World::new().await;
        let engine = &world.engine;
        province(engine).await;
        let head = person(engine, "Trần An", "sotttt", Some("Giám đốc")).await;
        world.clock.advance(jiff::SignedDuration::from_hours(24 * days_later));
        let (title, unit) = ("Phó Giám đốc".to_owned(), Some("sokhcn".to_owned()));
        let post = NewAppointment { person: head, title, unit, on: None };
        assert_eq!(engine.appoint(&actor(), &domain(), &post).await.unwrap(), []);
        let merge = merger("sotttt", "sokhcn");
        let change = act(engine, merge, false).await.unwrap();
        assert_eq!((change.positions.len(), change.classes.len()), (1, 0));
    }
}

#[tokio::test]
async fn whoever_loses_or_gets_a_leading_position_is_told_of_class_and_quota() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let who = person(engine, "Lê Tú", "sotttt", Some("Giám đốc")).await;
    fill(&world, "ltu", 400).await;
    let down = (MailboxClass::Leader, MailboxClass::Person, [1024, 300, 400]);
    let up = (MailboxClass::Person, MailboxClass::Leader, [300, 1024, 400]);
    let post = NewAppointment { person: who, title: "Giám đốc".into(), unit: None, on: None };
    assert_eq!(class_of(&engine.relieve(&actor(), &domain(), &post).await.unwrap()), [down]);
    assert_eq!(world.detail("person.relieve").await["classes"][0]["used_bytes"], 400 << 20);
    let post = NewAppointment { title: "Phó Giám đốc".into(), ..post };
    assert_eq!(class_of(&engine.appoint(&actor(), &domain(), &post).await.unwrap()), [up]);
    assert_eq!(world.detail("person.appoint").await["classes"][0]["over_quota"], false);
    let go = async |how: &crate::PersonMove, dry_run| {
        let options = crate::MoveOptions { dry_run, ..crate::MoveOptions::default() };
        engine.move_person(&actor(), &domain(), who, how, options).await.unwrap().classes
    };
    let same = crate::PersonMove::Transfer { to: "sokhcn".into(), position: Some("Giám đốc".into()) };
    assert_eq!(class_of(&go(&same, true).await), [], "a leader there as well");
    let plain = crate::PersonMove::Transfer { to: "sokhcn".into(), position: None };
    assert_eq!(class_of(&go(&crate::PersonMove::Leave, true).await), [down]);
    for dry_run in [true, false] {
        assert_eq!(class_of(&go(&plain, dry_run).await), [down]);
    }
    let row = world.detail("person.transfer").await;
    assert_eq!(
        (&row["classes"][0]["from"], &row["classes"][0]["quota_bytes"]),
        (&"leader".into(), &(300 << 20).into())
    );
}

pub(super) async fn office(engine: &Engine, unit: &str) -> model::Address {
    let new = crate::NewMailbox {
        unit: Some(unit.into()),
        class: MailboxClass::Organisation,
        ..super::mailbox(unit)
    };
    engine.add_mailbox(&actor(), &new).await.unwrap();
    new.address
}

pub(super) async fn lend(engine: &Engine, mailbox: &model::Address, to: &model::Address) {
    let lent = crate::NewDelegation {
        mailbox: mailbox.clone(),
        delegate: to.clone(),
        rights: [model::Right::Read, model::Right::Manage].into_iter().collect(),
        document: "Giấy ủy quyền 3".into(),
        consent: None,
        since: None,
        until: None,
    };
    engine.grant_delegation(&actor(), &lent).await.unwrap();
}

async fn make_officer(engine: &Engine, who: &model::Address, unit: &str) {
    let domain = domain();
    let over = crate::AdminTarget::UnitCode(&domain, unit);
    let role = crate::RoleOver { holder: who, role: model::Role::OrganisationOfficer, over };
    engine.grant_role(&actor(), &role, None, "QĐ 1").await.unwrap();
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[tokio::test]
async fn a_transfer_ends_what_rests_on_the_place_in_the_unit_and_names_the_rest() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let who = person(engine, "Lê Tú", "sotttt", Some("Trưởng phòng")).await;
    let own: model::Address = "ltu@demo.gov.vn".parse().unwrap();
    // Of the unit, of the branch that he stays in, and of another one.
    for unit in ["sotttt", "cds.sotttt", "ubnd", "sokhcn"] {
        lend(engine, &office(engine, unit).await, &own).await;
    }
    // Both are below the province's committee.
    for unit in ["sotttt", "sokhcn", "ubnd"] {
        make_officer(engine, &own, unit).await;
    }
    let officer = async || world.number("select count(*) from grants where revoked_at is null").await;
    let lent = async || world.number("select count(*) from delegations where revoked_at is null").await;
    let (over, of) = (|unit| ("organisation-officer", unit), |mailbox| ("delegate", mailbox));
    let (sotttt, cds) = ("sotttt@demo.gov.vn", "cds.sotttt@demo.gov.vn");
    let (ubnd, sokhcn) = ("ubnd@demo.gov.vn", "sokhcn@demo.gov.vn");
    let transfer =
        crate::PersonMove::Transfer { to: "sokhcn".into(), position: Some("Phó Giám đốc".into()) };
    for (keep_delegations, dry_run) in [(true, true), (false, true), (false, false)] {
        let options = crate::MoveOptions { keep_delegations, dry_run, on: None };
        let moved = engine.move_person(&actor(), &domain(), who, &transfer, options).await.unwrap();
        assert_eq!((moved.name.as_str(), moved.mailboxes.as_slice()), ("Lê Tú", &[own.to_string()][..]));
        assert_eq!(moved.positions.ended, pairs(&[("Trưởng phòng", "sotttt")]));
        assert_eq!(moved.positions.begun, pairs(&[("Phó Giám đốc", "sokhcn")]));
        assert_eq!(moved.ended, pairs(&[over("sotttt")]));
        let mailboxes: Vec<&str> = moved.delegations.iter().map(|(mailbox, _)| mailbox.as_str()).collect();
        let both = if keep_delegations { vec![] } else { vec![cds, sotttt] };
        assert_eq!(mailboxes, both);
        let mut keeps = vec![of(cds), of(sokhcn), of(sotttt), of(ubnd), over("sokhcn"), over("ubnd")];
        keeps.retain(|(_, mailbox)| !both.contains(mailbox));
        assert_eq!(moved.keeps, pairs(&keeps));
        assert_eq!((officer().await, lent().await), if dry_run { (3, 4) } else { (2, 2) });
    }
    let leave = crate::PersonMove::Leave;
    let left = engine.move_person(&actor(), &domain(), who, &leave, crate::MoveOptions::default()).await;
    let left = left.unwrap();
    assert_eq!(left.positions.ended, pairs(&[("Phó Giám đốc", "sokhcn")]));
    assert_eq!(left.ended, pairs(&[over("sokhcn"), over("ubnd")]));
    assert_eq!(left.delegations.len(), 2);
    assert_eq!((officer().await, lent().await, left.keeps.len()), (0, 0, 0));
    assert_eq!(world.audited("officer.dismiss").await, ["ltu@demo.gov.vn"; 3]);
    assert_eq!(world.audited("delegate.revoke").await, [cds, sotttt, sokhcn, ubnd]);
}

#[tokio::test]
async fn whoever_is_transferred_is_out_of_the_units_mailbox_at_once_and_gets_none_of_its_mail() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let who = person(engine, "Lê Tú", "sotttt", None).await;
    let own: model::Address = "ltu@demo.gov.vn".parse().unwrap();
    engine.set_password(&actor(), &own, super::PASSWORD, false, "thử").await.unwrap();
    let sotttt = office(engine, "sotttt").await;
    lend(engine, &sotttt, &own).await;
    engine.set_forward(&actor(), &sotttt, (&own, true)).await.unwrap();
    let elsewhere = world.another_node();
    let session = elsewhere.log_in("ltu@demo.gov.vn", super::PASSWORD, &super::origin()).await.unwrap();
    let shared = elsewhere.reach_mailbox(&session, &sotttt).await.unwrap().unwrap();
    let watch = elsewhere.watch(&shared);
    let mut listener = world.store.listen_for_rights().await.unwrap();
    let transfer = crate::PersonMove::Transfer { to: "sokhcn".into(), position: None };
    engine.move_person(&actor(), &domain(), who, &transfer, crate::MoveOptions::default()).await.unwrap();
    let soon = std::time::Duration::from_secs(10);
    let heard = tokio::time::timeout(soon, listener.next()).await.unwrap().unwrap();
    elsewhere.heard_of_rights(heard).await.unwrap();
    assert!(watch.has_changed(), "whoever has it open elsewhere looks again");
    assert_eq!(elsewhere.folders(&shared).await.unwrap_err(), crate::Error::Revoked);
    assert!(elsewhere.reach_mailbox(&session, &sotttt).await.unwrap().is_none());
    assert!(elsewhere.folders(&session).await.is_ok(), "his own mailbox is his");
    assert_eq!(engine.forward(&actor(), &sotttt).await.unwrap(), None);
    assert_eq!(world.audited("forwarding.set").await.len(), 2);
}

#[tokio::test]
async fn an_office_above_a_unit_ends_where_a_reform_takes_its_people_elsewhere() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    found(engine, "hdnd", "Hội đồng nhân dân tỉnh", "ubnd-tinh", None).await;
    found(engine, "sonv", "Sở Nội vụ", "so", Some("hdnd")).await;
    person(engine, "Lê Tú", "cds.sotttt", None).await;
    person(engine, "Trần An", "sotttt", None).await;
    person(engine, "Vũ Hà", "sokhcn", None).await;
    let address = |local: &str| -> model::Address { format!("{local}@demo.gov.vn").parse().unwrap() };
    let (ltu, tan, vha) = (address("ltu"), address("tan"), address("vha"));
    for (who, unit) in
        [(&ltu, "sotttt"), (&ltu, "ubnd"), (&tan, "ubnd"), (&tan, "cds.sotttt"), (&vha, "hdnd")]
    {
        make_officer(engine, who, unit).await;
    }
    let roles = |change: &UnitChange| -> Vec<(String, String)> {
        change.roles.iter().map(|(who, _, unit)| (who.clone(), unit.clone())).collect()
    };
    // To its neighbour: all are below the same committee.
    let merge = |into: &str| merger("sotttt", into);
    let near = act(engine, merge("sokhcn"), true).await.unwrap();
    assert_eq!(roles(&near), pairs(&[("ltu@demo.gov.vn", "sotttt")]));
    // Another committee's: who came along is no longer below the old one; who was there keeps what he has.
    let away =
        pairs(&[("ltu@demo.gov.vn", "sotttt"), ("ltu@demo.gov.vn", "ubnd"), ("tan@demo.gov.vn", "ubnd")]);
    for dry_run in [true, false] {
        let far = act(engine, merge("sonv"), dry_run).await.unwrap();
        assert_eq!(roles(&far), away);
        let left = world.number("select count(*) from grants where revoked_at is null").await;
        assert_eq!(left, if dry_run { 5 } else { 2 });
    }
    let dismissed = ["ltu@demo.gov.vn", "ltu@demo.gov.vn", "tan@demo.gov.vn"];
    assert_eq!(world.audited("officer.dismiss").await, dismissed);
    // The whole branch goes under another one.
    make_officer(engine, &tan, "hdnd").await;
    let to_ubnd = UnitAct::Move { unit: "sonv".into(), to: Some("ubnd".into()) };
    let moved = act(engine, to_ubnd, false).await.unwrap();
    assert_eq!(roles(&moved), pairs(&[("tan@demo.gov.vn", "hdnd")]));
    let left = world.number("select count(*) from grants where revoked_at is null").await;
    assert_eq!(left, 2, "the one over the room that came along, and a stranger's");
}

async fn follow(engine: &Engine, who: &model::Address, units: &[&str]) {
    for unit in units {
        assert!(engine.watch_unit(&actor(), &domain(), (unit, who, true)).await.unwrap());
    }
}

/// AG Đ7.3: told of requests is who has a place that makes them his affair, or a role.
#[tokio::test]
async fn who_follows_a_unit_is_told_no_more_when_his_place_ends() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    found(engine, "hdnd", "Hội đồng nhân dân tỉnh", "ubnd-tinh", None).await;
    let who = person(engine, "Lê Tú", "sotttt", None).await;
    let own: model::Address = "ltu@demo.gov.vn".parse().unwrap();
    person(engine, "Vũ Hà", "sotttt", None).await;
    let stays: model::Address = "vha@demo.gov.vn".parse().unwrap();
    follow(engine, &stays, &["sotttt"]).await;
    follow(engine, &own, &["sotttt", "cds.sotttt", "ubnd", "sokhcn", "hdnd"]).await;
    let transfer = crate::PersonMove::Transfer { to: "sokhcn".into(), position: None };
    let go = async |how: &crate::PersonMove, dry_run| {
        let options = crate::MoveOptions { dry_run, ..crate::MoveOptions::default() };
        engine.move_person(&actor(), &domain(), who, how, options).await.unwrap()
    };
    let watchers = async || world.number("select count(*) from unit_watchers").await;
    for dry_run in [true, false] {
        let moved = go(&transfer, dry_run).await;
        assert_eq!(moved.watched, ["cds.sotttt", "sotttt"]);
        assert_eq!(moved.keeps, pairs(&[("watcher", "hdnd"), ("watcher", "sokhcn"), ("watcher", "ubnd")]));
        assert_eq!(watchers().await, if dry_run { 6 } else { 4 });
    }
    assert_eq!(engine.unit_watchers(&actor(), &domain(), "sotttt").await.unwrap(), [stays]);
    assert_eq!(
        world.audited("request.watch").await[6..],
        ["demo.gov.vn/unit/cds.sotttt", "demo.gov.vn/unit/sotttt"]
    );
    // A role by which he sees the requests anyway lets him be told, until it ends with the place.
    make_officer(engine, &own, "hdnd").await;
    let left = go(&crate::PersonMove::Leave, true).await;
    assert_eq!(
        (left.watched.as_slice(), left.ended),
        (&["sokhcn".to_owned(), "ubnd".to_owned()][..], vec![])
    );
    assert_eq!(left.keeps, pairs(&[("organisation-officer", "hdnd"), ("watcher", "hdnd")]));
    make_officer(engine, &own, "sokhcn").await;
    let left = go(&crate::PersonMove::Leave, false).await;
    assert_eq!(left.watched, ["sokhcn", "ubnd"]);
    assert_eq!(watchers().await, 2, "over hdnd, and a colleague's");
}

#[tokio::test]
async fn who_follows_units_is_told_no_more_when_they_end_or_go_elsewhere() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    found(engine, "hdnd", "Hội đồng nhân dân tỉnh", "ubnd-tinh", None).await;
    found(engine, "sonv", "Sở Nội vụ", "so", Some("hdnd")).await;
    person(engine, "Vũ Hà", "sonv", None).await;
    let (cds, vha) = (office(engine, "cds.sotttt").await, "vha@demo.gov.vn".parse().unwrap());
    follow(engine, &cds, &["sotttt", "ubnd", "sonv"]).await;
    follow(engine, &vha, &["sotttt", "ubnd", "cds.sotttt"]).await;
    let merge = || merger("sotttt", "sonv");
    let ended = pairs(&[
        ("cds.sotttt@demo.gov.vn", "sotttt"),
        ("vha@demo.gov.vn", "sotttt"),
        ("cds.sotttt@demo.gov.vn", "ubnd"),
    ]);
    let watchers = async || world.number("select count(*) from unit_watchers").await;
    for dry_run in [true, false] {
        assert_eq!(act(engine, merge(), dry_run).await.unwrap().watching, ended);
        assert_eq!(watchers().await, if dry_run { 6 } else { 3 });
    }
    assert_eq!(world.audited("request.watch").await.len(), 6 + 3);
    assert!(
        act(engine, UnitAct::Rename { unit: "sonv".into(), name: "Sở Nội vụ mới".into() }, false)
            .await
            .unwrap()
            .watching
            .is_empty()
    );
}

/// Codes of units whose open requests and reviews there are, by number.
async fn open_of(world: &World, table: &str, open: &str) -> Vec<String> {
    let query = format!("select u.code from {table} r join units u using (unit_id) where {open} order by 1");
    world.database.texts(&query).await
}

#[tokio::test]
async fn what_is_open_of_a_unit_that_ends_is_its_heirs_and_nothing_new_is_asked_in_its_name() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    for unit in ["sotttt", "sokhcn", "cds.sotttt"] {
        office(engine, unit).await;
        engine.open_review(&actor(), &domain(), unit).await.unwrap();
    }
    let ask = async |unit: &str| {
        let new = crate::NewRequest {
            domain: domain(),
            kind: model::RequestKind::Create,
            unit: Some(unit.to_owned()),
            mailbox: None,
            subject: "Cấp hộp thư".into(),
            detail: String::new(),
            document: "15/CV".into(),
            requested_by: None,
            watchers: Vec::new(),
        };
        engine.add_request(&actor(), &new).await.map(|made| made.request)
    };
    let (open, settled) = (ask("sotttt").await.unwrap(), ask("sotttt").await.unwrap());
    engine.decide_request(&actor(), settled, (model::RequestState::Done, "")).await.unwrap();
    let requests = async || open_of(&world, "requests", "r.state = 'new'").await;
    let reviews = async || open_of(&world, "reviews", "r.finished_at is null").await;
    let merge = |from: &str, into: &str| merger(from, into);
    for dry_run in [true, false] {
        let change = act(engine, merge("sotttt", "sokhcn"), dry_run).await.unwrap();
        assert_eq!(change.open.requests, [(open, "sokhcn".to_owned())]);
        assert_eq!(change.open.reviews, [(1, 2, "sokhcn".to_owned())]);
        assert_eq!(requests().await, [if dry_run { "sotttt" } else { "sokhcn" }]);
        assert_eq!(reviews().await.len(), if dry_run { 3 } else { 2 });
    }
    // The heir's is of both units' mailboxes; one that has none goes on with the other's.
    assert_eq!(engine.review(&actor(), 2).await.unwrap().detail.review.listed, 2);
    assert_eq!(engine.request(&actor(), open).await.unwrap().events.last().unwrap().act, "hand");
    found(engine, "sonv", "Sở Nội vụ", "so", Some("ubnd")).await;
    let change = act(engine, merge("cds.sotttt", "sonv"), false).await.unwrap();
    assert_eq!(change.open.reviews, [(3, 3, "sonv".to_owned())]);
    assert_eq!(reviews().await, ["sokhcn", "sonv"]);
    assert_eq!(world.detail("unit.merge").await["open"]["reviews"][0]["to"], "sonv");
    let refused = ask("sotttt").await.unwrap_err();
    assert_eq!(refused.to_string(), "unit sotttt is dissolved, followed by sokhcn");
}

#[tokio::test]
async fn the_heirs_address_stays_its_own_and_a_further_one_is_named() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    // The older mailbox is the one of the unit that ends.
    let (further, own) = (office(engine, "sotttt").await, office(engine, "sokhcn").await);
    let merge = || merger("sotttt", "sokhcn");
    let named =
        crate::FurtherOffice { unit: "sokhcn".into(), own: own.to_string(), further: further.to_string() };
    for dry_run in [true, false] {
        assert_eq!(act(engine, merge(), dry_run).await.unwrap().offices, std::slice::from_ref(&named));
    }
    let (unit, _) = engine.unit(&actor(), &domain(), "sokhcn").await.unwrap().unwrap();
    assert_eq!(unit.address, Some(own.to_string()));
    let third = crate::NewMailbox {
        unit: Some("sokhcn".into()),
        class: MailboxClass::Organisation,
        ..super::mailbox("so-moi")
    };
    let refused = engine.add_mailbox(&actor(), &third).await.unwrap_err().to_string();
    assert!(refused.contains("has the address sokhcn@demo.gov.vn"), "{refused}");
}

#[tokio::test]
async fn a_unit_that_comes_beside_another_of_its_name_is_named() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    found(engine, "pcds", "Phòng chuyển đổi số", "phong", Some("sokhcn")).await;
    let merge = merger("sotttt", "sokhcn");
    let pair = |unit: &str, other: &str| (unit.to_owned(), other.to_owned());
    assert_eq!(act(engine, merge, true).await.unwrap().namesakes, [pair("cds.sotttt", "pcds")]);
    let name = || UnitAct::Rename { unit: "sotttt".into(), name: "Sở Khoa học và Công nghệ".into() };
    assert_eq!(act(engine, name(), true).await.unwrap().namesakes, [pair("sotttt", "sokhcn")]);
}
