//! Addresses made from names, end to end: for each of the five profiles every unit and person that its regulation or the
//! requirements (A3–A12) name gets exactly the address given there; and what holds for grants whatever the profile.

use super::{World, actor, address};
use crate::{AdminError, Engine, GrantError, Granted, NamedMailbox, NewUnit, PersonMove};
use jiff::SignedDuration;
use jiff::civil::date;
use model::{Address, DomainName, MailboxClass};

/// Name, kind, code of the unit above, listed code, the local part expected.
type UnitRow<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>, &'a str);

/// A domain under a profile, with short words for founding and granting.
pub(super) struct Province<'w> {
    pub(super) engine: &'w Engine,
    pub(super) domain: DomainName,
}

impl<'w> Province<'w> {
    pub(super) async fn new(world: &'w World, profile: &str) -> Self {
        let domain = DomainName::new(&format!("{profile}.gov.vn")).unwrap();
        world.engine.add_domain(&actor(), &domain, profile).await.unwrap();
        Self { engine: &world.engine, domain }
    }

    /// Name, kind, code of the unit above, code if it is listed: the unit's code.
    pub(super) async fn unit(
        &self,
        (name, kind, parent, code): (&str, &str, Option<&str>, Option<&str>),
    ) -> String {
        let new = NewUnit {
            domain: self.domain.clone(),
            code: code.map(str::to_owned),
            name: name.to_owned(),
            kind: kind.to_owned(),
            identifier: None,
            parent: parent.map(str::to_owned),
            // Before there were two tiers.
            on: Some(date(2016, 1, 1)),
        };
        let added = self
            .engine
            .add_unit(&actor(), &new, crate::Founding { another_unit: true, ..crate::Founding::default() })
            .await;
        added.unwrap_or_else(|error| panic!("{name}: {error}")).code.to_string()
    }

    pub(super) fn mailbox(&self, name: &str, class: MailboxClass, unit: Option<&str>) -> NamedMailbox {
        NamedMailbox {
            domain: self.domain.clone(),
            name: name.to_owned(),
            class,
            unit: unit.map(str::to_owned),
            position: None,
            birth_year: None,
            person: None,
            another_person: true,
            choose: None,
            quota_bytes: None,
            password: None,
            must_change_password: false,
            dry_run: false,
        }
    }

    pub(super) fn person(&self, name: &str, unit: Option<&str>) -> NamedMailbox {
        self.mailbox(name, MailboxClass::Person, unit)
    }

    pub(super) async fn grant(&self, new: &NamedMailbox) -> Result<Granted, AdminError> {
        self.engine.add_named_mailbox(&actor(), new).await
    }

    async fn local(&self, new: &NamedMailbox) -> String {
        let granted = self.grant(new).await.unwrap_or_else(|error| panic!("{}: {error}", new.name));
        assert_eq!(granted.address.domain(), &self.domain);
        granted.address.local().to_owned()
    }

    /// Founds each unit, then grants each its address: those of namesakes depend on who is there.
    async fn check_units(&self, rows: &[UnitRow<'_>]) {
        let mut codes = Vec::new();
        for (name, kind, parent, code, _) in rows {
            codes.push(self.unit((*name, *kind, *parent, *code)).await);
        }
        for ((name, .., expected), code) in rows.iter().zip(codes) {
            let new = self.mailbox(name, MailboxClass::Organisation, Some(&code));
            assert_eq!(self.local(&new).await, *expected, "{name}");
        }
    }

    pub(super) async fn check_people(&self, rows: &[(&str, Option<&str>, &str)]) {
        for (name, unit, expected) in rows {
            assert_eq!(self.local(&self.person(name, *unit)).await, *expected, "{name}");
        }
    }
}

#[tokio::test]
async fn an_giang() {
    let world = World::new().await;
    let province = Province::new(&world, "an-giang").await;
    let units = [
        ("Ủy ban nhân dân tỉnh An Giang", "ubnd-tinh", None, None, "ubnd"),
        ("Sở Thông tin và Truyền thông", "so", Some("ubnd"), None, "sotttt"),
        ("Sở Nội vụ", "so", Some("ubnd"), None, "sonoivu"),
        ("Ban Dân tộc", "ban", Some("ubnd"), None, "bandantoc"),
        ("Hội Nông dân tỉnh", "hoi", Some("ubnd"), None, "hoinongdan"),
        ("Ngành Thuế", "nganh", Some("ubnd"), None, "nganhthue"),
        ("UBND huyện Châu Phú", "huyen", Some("ubnd"), None, "chauphu"),
        ("Thị xã Tân Châu", "thi-xa", Some("ubnd"), None, "tanchau"),
        ("Thành phố Long Xuyên", "thanh-pho", Some("ubnd"), None, "longxuyen"),
        ("Phòng Nội vụ huyện Châu Phú", "phong", Some("chauphu"), None, "noivu.chauphu"),
        ("Trung tâm Tin học", "trung-tam", Some("sotttt"), None, "ttth.sotttt"),
        ("Xã Mỹ Đức", "xa", Some("chauphu"), None, "myduc"),
        ("Xã Vĩnh Hòa", "xa", Some("chauphu"), None, "vinhhoa.chauphu"),
        ("Xã Vĩnh Hòa", "xa", Some("tanchau"), None, "vinhhoa.tanchau"),
        ("UBND phường Long Xuyên", "phuong", Some("ubnd"), None, "plongxuyen"),
        ("Xã Châu Phú", "xa", Some("chauphu"), None, "xachauphu"),
        ("Thị trấn Long Xuyên", "thi-tran", Some("chauphu"), None, "ttlongxuyen.chauphu"),
    ];
    province.check_units(&units).await;
    let people = [
        ("Nguyễn Thanh Bình", Some("sotttt"), "ntbinh"),
        ("Nguyễn Thanh Bình", Some("sonoivu"), "ntbinh02"),
        ("Tôn Nữ Thị Đào", None, "tntdao"),
        ("Sang", None, "sang"),
    ];
    province.check_people(&people).await;
}

#[tokio::test]
async fn lao_cai() {
    let world = World::new().await;
    let province = Province::new(&world, "lao-cai").await;
    let units = [
        ("Ủy ban nhân dân tỉnh Lào Cai", "ubnd-tinh", None, Some("ubnd"), "contact-ubnd"),
        ("Sở Thông tin và Truyền thông", "so", Some("ubnd"), Some("stttt"), "contact-stttt"),
        ("UBND huyện Bắc Hà", "huyen", Some("ubnd"), Some("bacha"), "contact-bacha"),
        ("Sở Nội vụ", "so", Some("ubnd"), None, "contact-snv"),
    ];
    province.check_units(&units).await;
    let people = [
        ("Nguyễn Thanh Bình", Some("stttt"), "ntbinh-stttt"),
        ("Nguyễn Thanh Bình", Some("stttt"), "binhnt-stttt"),
        ("Nguyễn Thanh Bình", Some("stttt"), "binhngt-stttt"),
        ("Nguyễn Thanh Bình", Some("stttt"), "binhngth-stttt"),
        ("Nguyễn Thanh Bình", Some("snv"), "ntbinh-snv"),
        ("Pao", Some("stttt"), "pao-stttt"),
        ("Pao", Some("stttt"), "pao2-stttt"),
    ];
    province.check_people(&people).await;
    let nowhere = province.grant(&province.person("Giàng A Pao", None)).await;
    assert_eq!(nowhere, Err(GrantError::NeedsUnit.into()));
}

#[tokio::test]
async fn thai_nguyen() {
    let world = World::new().await;
    let province = Province::new(&world, "thai-nguyen").await;
    let units = [
        ("Sở Nội vụ", "so", None, Some("sonoivu"), "sonoivu"),
        ("Sở Thông tin và Truyền thông", "so", None, Some("sotttt"), "sotttt"),
        ("Sở Giáo dục và Đào tạo", "so", None, None, "sgddt"),
    ];
    province.check_units(&units).await;
    let domain = &province.domain;
    let clerk: Address = format!("vanthu.sotttt@{domain}").parse().unwrap();
    assert!(world.engine.recipient(&clerk).await.is_ok(), "as long as there is no clerk, the unit gets it");
    assert!(world.engine.mailbox(&actor(), &clerk).await.unwrap().is_none(), "whoever is clerk gets it then");
    province.check_people(&[("Đặng Thị Đào", None, "daodt")]).await;
    // A later holder chooses one or two characters.
    let later = province.person("Đặng Thị Đào", Some("sotttt"));
    let preview = province.grant(&NamedMailbox { dry_run: true, ..later.clone() }).await.unwrap();
    assert_eq!(
        (preview.address.local(), &preview.offers[..3]),
        ("daodta", &["daodta", "daodtb", "daodtc"].map(String::from)[..])
    );
    for (wanted, expected) in
        [("daodt", "taken"), ("daodtabc", "does not make"), ("daodt-a", "does not make")]
    {
        let chosen = NamedMailbox { choose: Some(wanted.to_owned()), ..later.clone() };
        let refused = province.grant(&chosen).await.unwrap_err().to_string();
        assert!(refused.contains(expected) && refused.contains("daodta, daodtb"), "{refused}");
    }
    let chosen = NamedMailbox { choose: Some("daodtth".to_owned()), ..later.clone() };
    assert_eq!(province.local(&chosen).await, "daodtth");
    assert_eq!(province.local(&later).await, "daodta");
}

#[tokio::test]
async fn soc_trang() {
    let world = World::new().await;
    let province = Province::new(&world, "soc-trang").await;
    let units = [
        ("Sở Thông tin và Truyền thông", "so", None, None, "sotttt"),
        (
            "Phòng Chuyển đổi số của Sở Thông tin và Truyền thông",
            "phong",
            Some("sotttt"),
            None,
            "phongcds.sotttt",
        ),
        ("Trung tâm Công nghệ số", "trung-tam", Some("sotttt"), None, "ttcns.sotttt"),
        ("Ủy ban nhân dân Huyện Mỹ Xuyên", "huyen", None, None, "myxuyen"),
        (
            "Ủy ban nhân dân Xã Thạnh Phú của Huyện Mỹ Xuyên",
            "xa",
            Some("myxuyen"),
            None,
            "xathanhphu.myxuyen",
        ),
        ("Phòng Văn hóa - Thông tin của Huyện Mỹ Xuyên", "phong", Some("myxuyen"), None, "pvhtt.myxuyen"),
    ];
    province.check_units(&units).await;
    let people = [
        ("Ông Dương Chí Nguyên", None, "dcnguyen"),
        ("Dương Chí Nguyên", None, "dcnguyen1"),
        ("Dương Chí Nguyên", None, "dcnguyen2"),
    ];
    province.check_people(&people).await;
}

#[tokio::test]
async fn binh_dinh_sct() {
    let world = World::new().await;
    let province = Province::new(&world, "binh-dinh-sct").await;
    let units = [
        ("Sở Công Thương", "so", None, Some("sct"), "sct"),
        ("phòng Quản lý Công nghiệp", "phong", Some("sct"), None, "qlcn"),
    ];
    province.check_units(&units).await;
    let people = [("Nguyễn Văn Bằng", Some("qlcn"), "bangnv"), ("Nguyễn Văn Bằng", Some("qlcn"), "bangnv2")];
    province.check_people(&people).await;
}

#[tokio::test]
async fn two_at_once_get_two_addresses() {
    let world = World::new().await;
    let province = Province::new(&world, "an-giang").await;
    let other = world.another_node();
    let new = province.person("Nguyễn Thanh Bình", None);
    let mut grants = tokio::task::JoinSet::new();
    for nth in 0..6 {
        let (engine, new) = (if nth % 2 == 0 { province.engine.clone() } else { other.clone() }, new.clone());
        grants.spawn(async move { engine.add_named_mailbox(&actor(), &new).await });
    }
    // Aliases are given without the lock that grants hold.
    let engine = province.engine.clone();
    let target = province.local(&province.person("Sang", None)).await;
    let target = address(&format!("{target}@{}", province.domain));
    let mut aliases = tokio::task::JoinSet::new();
    for nth in 3..6 {
        let (engine, target) = (engine.clone(), target.clone());
        let alias = address(&format!("ntbinh0{nth}@an-giang.gov.vn"));
        aliases.spawn(async move { engine.add_alias(&actor(), &alias, &target).await });
    }
    let mut locals: Vec<String> =
        grants.join_all().await.into_iter().map(|grant| grant.unwrap().address.local().to_owned()).collect();
    for alias in aliases.join_all().await {
        // It may come too late, and is told so.
        assert!(matches!(alias, Ok(()) | Err(AdminError::AddressTaken)));
    }
    locals.sort();
    locals.dedup();
    assert_eq!(locals.len(), 6, "{locals:?}");
}

#[tokio::test]
async fn a_person_and_an_organisation_have_one_address_where_policy_says_so() {
    let world = World::new().await;
    for profile in ["an-giang", "lao-cai", "thai-nguyen"] {
        let province = Province::new(&world, profile).await;
        let naming = world.engine.policy(&actor(), &province.domain).await.unwrap().policy.naming;
        let code = province.unit(("Sở Nội vụ", "so", None, None)).await;
        let born = NamedMailbox {
            birth_year: Some(1980),
            another_person: false,
            ..province.person("Lê Hoàng Phúc", Some(&code))
        };
        let first = province.grant(&born).await.unwrap();
        let again = province.grant(&born).await;
        let by_number = NamedMailbox { person: first.person, birth_year: None, ..born.clone() };
        if naming.one_per_person {
            let refusal = again.unwrap_err().to_string();
            assert!(refusal.contains(&first.address.to_string()), "{refusal}");
            assert!(matches!(
                province.grant(&by_number).await,
                Err(AdminError::Grant(GrantError::OnePerPerson { .. }))
            ));
        } else {
            assert_eq!(again.unwrap().person, first.person);
        }
        let namesake = NamedMailbox { birth_year: Some(1981), ..born.clone() };
        assert_ne!(province.grant(&namesake).await.unwrap().person, first.person);
        let office = province.mailbox("Sở Nội vụ", MailboxClass::Organisation, Some(&code));
        let own = province.grant(&office).await.unwrap();
        match province.grant(&office).await {
            Ok(second) => assert!(!naming.one_per_organisation && second.address != own.address),
            Err(refusal) => {
                let refusal = refusal.to_string();
                assert!(
                    naming.one_per_organisation && refusal.contains(&own.address.to_string()),
                    "{refusal}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_known_name_is_asked_about() {
    let world = World::new().await;
    let province = Province::new(&world, "an-giang").await;
    let code = province.unit(("Sở Nội vụ", "so", None, None)).await;
    let asked = NamedMailbox { another_person: false, ..province.person("Nguyễn Thanh Bình", None) };
    let first = province.grant(&NamedMailbox { unit: Some(code), ..asked.clone() }).await.unwrap();
    let number = first.person.unwrap().0;
    for (year, dry_run) in [(None, true), (None, false), (Some(1980), false)] {
        let again = NamedMailbox { birth_year: year, dry_run, ..asked.clone() };
        assert_eq!(
            province.grant(&again).await.unwrap_err().to_string(),
            format!(
                "somebody of this name is known: {number} (sonoivu, year unknown, ntbinh@an-giang.gov.vn); if it is one of \
                 them, say so with --person NUMBER, if not, with --another-person"
            )
        );
    }
    let other = NamedMailbox { birth_year: Some(1980), another_person: true, ..asked.clone() };
    let other = province.grant(&other).await.unwrap();
    assert_ne!(other.person, first.person);
    assert_eq!(world.number("select count(*) from people").await, 2);
}

#[tokio::test]
async fn quota_and_class_follow_policy_and_position() {
    let world = World::new().await;
    let province = Province::new(&world, "an-giang").await;
    let code = province.unit(("Sở Nội vụ", "so", None, None)).await;
    let head =
        NamedMailbox { position: Some("giám đốc".into()), ..province.person("Trần An", Some(&code)) };
    let little = NamedMailbox { quota_bytes: Some((1 << 30) - 1), ..head.clone() };
    let refused = province.grant(&little).await.unwrap_err().to_string();
    assert!(refused.starts_with("a mailbox of class leader has 1024 MB at least"), "{refused}");
    let granted = province.grant(&head).await.unwrap();
    assert_eq!((granted.class, granted.quota_bytes), (MailboxClass::Leader, 1 << 30));
    let clerk =
        NamedMailbox { position: Some("Văn thư".into()), ..province.person("Lê Tú", Some(&code)) };
    let granted = province.grant(&clerk).await.unwrap();
    assert_eq!((granted.class, granted.quota_bytes), (MailboxClass::Person, 300 << 20));
    let unknown = NamedMailbox { position: Some("Tổng quản".into()), ..clerk.clone() };
    assert!(province.grant(&unknown).await.unwrap_err().to_string().contains("Chánh Văn phòng"));
    let other = Province::new(&world, "soc-trang").await;
    assert_eq!(other.grant(&other.person("Trần An", None)).await.unwrap().quota_bytes, 2 << 30);
    let service = other.mailbox("Hỗ trợ", MailboxClass::Service, None);
    assert_eq!(other.grant(&service).await, Err(GrantError::Service.into()));
}

#[tokio::test]
async fn what_was_given_up_is_kept_for_its_time() {
    let world = World::new().await;
    let province = Province::new(&world, "an-giang").await;
    let binh = NamedMailbox {
        birth_year: Some(1970),
        another_person: false,
        ..province.person("Nguyễn Thanh Bình", None)
    };
    let first = province.grant(&binh).await.unwrap();
    assert!(world.engine.delete_without_export(&actor(), &first.address, "thu hồi").await.unwrap());
    let namesake = province.person("Nguyễn Thanh Bình", None);
    assert_eq!(province.local(&namesake).await, "ntbinh02", "never, where policy names no time");
    let back = province.grant(&binh).await.unwrap();
    assert_eq!((back.address.local(), back.person), ("ntbinh", first.person), "the holder may have it back");
    assert!(world.engine.delete_without_export(&actor(), &first.address, "thu hồi").await.unwrap());
    let settings = [("naming.retired_months".to_owned(), "12".to_owned())];
    let edit = crate::PolicyEdit { settings: &settings, based_on: None, reason: "QĐ 1", dry_run: false };
    world.engine.change_policy(&actor(), &province.domain, &edit).await.unwrap();
    assert_eq!(province.local(&namesake).await, "ntbinh03");
    world.clock.advance(SignedDuration::from_hours(24 * 366));
    world.database.run("insert into holds (account_id, kind, reason, placed_by, since) select account_id, 'mailbox', 'Vụ 1', 'test', now() from addresses where address like 'ntbinh@%'").await;
    assert_eq!(province.local(&namesake).await, "ntbinh04", "the log names by it who is held");
    world.database.run("update holds set released_at = now()").await;
    let settings = [("log.retention".to_owned(), "24".to_owned())];
    let edit = crate::PolicyEdit { settings: &settings, based_on: None, reason: "QĐ 2", dry_run: false };
    world.engine.change_policy(&actor(), &province.domain, &edit).await.unwrap();
    assert_eq!(province.local(&namesake).await, "ntbinh05", "the log names the former holder by it");
    let settings = [("log.retention".to_owned(), "6".to_owned())];
    let edit = crate::PolicyEdit { settings: &settings, based_on: None, reason: "QĐ 3", dry_run: false };
    world.engine.change_policy(&actor(), &province.domain, &edit).await.unwrap();
    assert_eq!(province.local(&namesake).await, "ntbinh", "a year has gone");
}

#[tokio::test]
async fn a_transfer_changes_the_address_where_the_unit_is_part_of_it() {
    let world = World::new().await;
    let province = Province::new(&world, "lao-cai").await;
    for code in ["stttt", "snv"] {
        province.unit((&format!("Sở {code}"), "so", None, Some(code))).await;
    }
    province.check_people(&[("Giàng A Pao", Some("snv"), "gapao-snv")]).await;
    let moved = province.grant(&province.person("Giàng A Pao", Some("stttt"))).await.unwrap();
    let person = moved.person.unwrap();
    let go = async |to: &str, dry_run| {
        let how = PersonMove::Transfer { to: to.to_owned(), position: None };
        let options = crate::MoveOptions { dry_run, ..crate::MoveOptions::default() };
        province.engine.move_person(&actor(), &province.domain, person, &how, options).await.unwrap()
    };
    let (old, new) = ("gapao-stttt@lao-cai.gov.vn", "paoga-snv@lao-cai.gov.vn");
    let expected = [(old.to_owned(), new.to_owned())];
    assert_eq!(go("snv", true).await.addresses, expected);
    assert!(
        world.engine.mailbox(&actor(), &address(new)).await.unwrap().is_none(),
        "a preview changes nothing"
    );
    let done = go("snv", false).await;
    assert_eq!((done.from.as_deref(), done.to.as_deref()), (Some("stttt"), Some("snv")));
    assert_eq!(done.addresses, expected);
    let detail = world.engine.mailbox(&actor(), &address(old)).await.unwrap().unwrap();
    assert_eq!((detail.address.to_string(), detail.unit.as_deref()), (new.to_owned(), Some("snv")));
    assert_eq!(go("stttt", false).await.addresses, [(new.to_owned(), old.to_owned())], "back again");
}

#[tokio::test]
async fn a_proposal_passes_over_a_group() {
    let world = World::new().await;
    let province = Province::new(&world, "an-giang").await;
    let group = crate::NewGroup {
        address: address("ntbinh@an-giang.gov.vn"),
        name: "Những người tên Bình".into(),
        rule: model::GroupRule::Manual,
        unit: None,
        deep: false,
        senders: model::GroupSenders::Local,
    };
    world.engine.add_group(&actor(), &group).await.unwrap();
    assert_eq!(province.local(&province.person("Nguyễn Thanh Bình", None)).await, "ntbinh02");
}
