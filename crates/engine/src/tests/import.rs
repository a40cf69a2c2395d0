//! Many mailboxes from one list: whole or not at all, cut off and gone on with, in the regulation's order.

use super::{World, actor, address, origin};
use crate::{
    AdminError, Batch, Column, GrantError, Import, ImportRow, Issued, LoginError, NewUnit, import_digest,
};
use model::{DomainName, MailboxClass};
use std::collections::{BTreeMap, BTreeSet};
use unicode_normalization::UnicodeNormalization as _;

fn domain(name: &str) -> DomainName {
    DomainName::new(name).unwrap()
}

/// Name, unit, position, year of birth.
fn row(number: u32, (name, unit, position, year): (&str, &str, &str, i16)) -> ImportRow {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    ImportRow {
        number,
        name: name.to_owned(),
        unit: some(unit),
        position: some(position),
        birth_year: (year > 0).then_some(year),
        ..ImportRow::default()
    }
}

fn list(of: &str, rows: Vec<ImportRow>) -> Import {
    let digest = import_digest(format!("{rows:?}").as_bytes());
    Import {
        domain: domain(of),
        file_name: "danh-sach.xlsx".into(),
        digest,
        rows,
        since: None,
        must_change_password: false,
        skip_bad: false,
    }
}

async fn found(world: &World, of: &str, name: &str, kind: &str) -> String {
    let new = NewUnit {
        domain: domain(of),
        code: None,
        name: name.into(),
        kind: kind.into(),
        identifier: None,
        parent: None,
        on: None,
    };
    world
        .engine
        .add_unit(&actor(), &new, crate::Founding { another_unit: true, ..crate::Founding::default() })
        .await
        .unwrap()
        .code
        .to_string()
}

/// Row and local part of what was issued.
fn locals(issued: &[Issued]) -> BTreeMap<u32, &str> {
    issued.iter().map(|one| (one.row, one.address.split('@').next().unwrap())).collect()
}

async fn import(world: &World, list: &Import) -> Result<Vec<Issued>, AdminError> {
    let mut issued = Vec::new();
    let mut sheet = |batch: Batch<'_>| {
        if let Batch::Kept(batch) = batch {
            issued.extend_from_slice(batch);
        }
        Ok(())
    };
    world.engine.import_mailboxes(&actor(), list, &mut sheet).await?;
    Ok(issued)
}

/// Rows of all sorts that can be granted, and the same with those that cannot.
fn of_all_sorts() -> (Vec<ImportRow>, Vec<ImportRow>) {
    let decomposed: String = "Nguyễn Văn Toàn".nfd().collect();
    let good = vec![
        row(2, ("Nguyễn Văn Toàn", "sonoivu", "Giám đốc", 1970)),
        row(3, (&decomposed, "Sở Y tế", "", 0)),
        row(4, ("TS. Nguyễn Văn Toàn (Bí thư)", "sonoivu", "", 1980)),
        row(5, ("Pao", "sonoivu", "", 0)),
        row(6, ("John O'Neill", "soyte", "", 0)),
        ImportRow {
            class: Some(MailboxClass::Organisation),
            quota_bytes: Some(5 << 30),
            ..row(7, ("Sở Nội vụ", "sonoivu", "", 0))
        },
        ImportRow {
            class: Some(MailboxClass::Service),
            address: Some("hotro".into()),
            ..row(8, ("Hỗ trợ", "", "", 0))
        },
    ];
    let mut bad = good.clone();
    bad.extend([
        row(9, ("Nguyễn Văn Toàn", "sonoivu", "", 1970)),
        row(10, ("Pao", "sonoivu", "", 0)),
        row(11, ("李小龍", "sonoivu", "", 0)),
        row(12, ("Lê Tú", "sokhong", "Tổng quản", 3000)),
        row(13, ("", "", "", 0)),
        ImportRow { class: Some(MailboxClass::Service), ..row(14, ("Trợ giúp", "", "", 0)) },
        ImportRow {
            class: Some(MailboxClass::Organisation), ..row(15, ("Sở Nội vụ", "sonoivu", "", 0))
        },
        ImportRow { address: Some("ai@khac.vn".into()), ..row(16, ("Lê An", "", "", 0)) },
        ImportRow { faults: vec![(Column::Quota, "x".into())], ..row(17, ("Lê Ân", "", "", 0)) },
        ImportRow { password: Some("123".into()), ..row(18, ("Lê Bê", "", "", 0)) },
        ImportRow { quota_bytes: Some(299 << 20), ..row(19, ("Lê Cê", "", "", 0)) },
    ]);
    (good, bad)
}

#[tokio::test]
async fn names_of_all_sorts_are_resolved_by_the_scheme_or_reported_by_cell() {
    let world = World::new().await;
    found(&world, "demo.gov.vn", "Sở Nội vụ", "so").await;
    found(&world, "demo.gov.vn", "Sở Y tế", "so").await;
    let (good, bad) = of_all_sorts();
    let bad = list("demo.gov.vn", bad);
    let plan = world.engine.preview_import(&actor(), &bad).await.unwrap();
    let cells: Vec<_> = plan.faults.iter().map(|fault| (fault.row, fault.column)).collect();
    let expected = [
        (9, Column::Name),
        (10, Column::Name),
        (11, Column::Name),
        (12, Column::Unit),
        (12, Column::Position),
        (12, Column::BirthYear),
        (13, Column::Name),
        (14, Column::Address),
        (15, Column::Unit),
        (16, Column::Address),
        (17, Column::Quota),
        (18, Column::Password),
        (19, Column::Quota),
    ];
    assert_eq!(cells, expected, "{:?}", plan.faults);
    assert!(plan.faults[0].what.contains("row 2") && plan.faults[1].what.contains("years of birth"));
    assert!(matches!(import(&world, &bad).await, Err(AdminError::Grant(GrantError::BadRows(_)))));
    assert_eq!(
        world
            .engine
            .mailboxes(&actor(), crate::MailboxQuery { limit: 10, ..crate::MailboxQuery::default() })
            .await
            .unwrap()
            .len(),
        0,
        "nothing at all"
    );
    let some = Import { skip_bad: true, ..bad };
    let issued = import(&world, &some).await.unwrap();
    let expected = [
        (2, "nvtoan"),
        (3, "nvtoan02"),
        (4, "nvtoan03"),
        (5, "pao"),
        (6, "joneill"),
        (7, "sonoivu"),
        (8, "hotro"),
    ];
    assert_eq!(locals(&issued), BTreeMap::from(expected));
    let head = world.engine.mailbox(&actor(), &address("nvtoan")).await.unwrap().unwrap();
    assert_eq!((head.class, head.unit.as_deref()), (MailboxClass::Leader, Some("sonoivu")));
    let unit = world.engine.mailbox(&actor(), &address("sonoivu")).await.unwrap().unwrap();
    assert_eq!(unit.quota_bytes, 5 << 30);
    let people = world.engine.people(&actor(), &domain("demo.gov.vn"), Some("sonoivu"), None, 99).await;
    assert_eq!(people.unwrap().len(), 3);
    let password = issued[0].one_time_password.as_deref().unwrap();
    assert!(world.engine.log_in("nvtoan@demo.gov.vn", password, &origin()).await.is_ok());
    let wrong = world.engine.log_in("nvtoan02@demo.gov.vn", password, &origin()).await;
    assert_eq!(wrong.unwrap_err(), LoginError::Denied);
    // The name is known, in another unit: perhaps it is he.
    let elsewhere = Import { digest: [9; 32], ..list("demo.gov.vn", vec![row(2, ("Pao", "soyte", "", 0))]) };
    let plan = world.engine.preview_import(&actor(), &elsewhere).await.unwrap();
    let warning = plan.rows[0].warning.as_deref().unwrap();
    assert!(warning.ends_with("(sonoivu, year unknown, pao@demo.gov.vn)"), "{warning}");
    let again = list("demo.gov.vn", good);
    let plan = world.engine.preview_import(&actor(), &again).await.unwrap();
    let told: BTreeSet<u32> = plan.faults.iter().map(|fault| fault.row).collect();
    assert_eq!(told, BTreeSet::from([2, 4, 5, 6, 3, 7, 8]), "another file says the same again");
}

#[tokio::test]
async fn a_list_that_was_cut_off_goes_on_and_doubles_nobody() {
    let world = World::new().await;
    found(&world, "demo.gov.vn", "Sở Nội vụ", "so").await;
    let names = ["Nguyễn Văn An", "Trần Thị Bình", "Lê Hoàng Cường"];
    let rows = (0..1_200_u32).map(|nth| {
        let name = names[nth as usize % names.len()];
        row(nth + 2, (name, "sonoivu", "", 1960 + i16::try_from(nth / 3 % 50).unwrap()))
    });
    // 50 years of birth for each name: those that come again are the same people.
    let mut rows: Vec<ImportRow> = rows.collect();
    rows.retain(|row| row.number < 152);
    rows.extend((152..1_300).map(|nth| row(nth, (&format!("Phạm Thị {}", letters(nth)), "", "", 0))));
    let list = list("demo.gov.vn", rows);
    let mut batches = 0;
    let mut issued = Vec::new();
    let mut sheet = |batch: Batch<'_>| {
        match batch {
            Batch::Made(_) => batches += 1,
            // Nothing is told of what may not be kept.
            Batch::Kept(batch) => issued.extend_from_slice(batch),
        }
        if batches == 2 { Err(std::io::Error::other("the power went")) } else { Ok(()) }
    };
    let cut = world.engine.import_mailboxes(&actor(), &list, &mut sheet).await;
    assert!(matches!(cut, Err(AdminError::Grant(GrantError::Sheet(_)))));
    assert_eq!(issued.len(), 500);
    let count = async || {
        world
            .engine
            .mailboxes(&actor(), crate::MailboxQuery { limit: 5_000, ..crate::MailboxQuery::default() })
            .await
            .unwrap()
            .len()
    };
    assert_eq!(count().await, 500, "a batch whole, the other not at all");
    let plan = world.engine.preview_import(&actor(), &list).await.unwrap();
    assert_eq!((plan.done, plan.rows.len(), plan.faults.len()), (500, 798, 0));
    let rest = import(&world, &list).await.unwrap();
    assert_eq!((rest.len(), count().await), (798, 1_298));
    let all: BTreeSet<&str> = issued.iter().chain(&rest).map(|one| one.address.as_str()).collect();
    assert_eq!(all.len(), 1_298);
    assert!(import(&world, &list).await.unwrap().is_empty(), "nothing is left");
    let before: Vec<u32> = issued.iter().map(|one| one.row).collect();
    let first = issued[0].clone();
    let used = format!("{}@demo.gov.vn", first.address.split('@').next().unwrap());
    world.engine.log_in(&used, first.one_time_password.as_deref().unwrap(), &origin()).await.unwrap();
    let mut anew = Vec::new();
    let mut sheet = |batch: Batch<'_>| {
        if let Batch::Kept(batch) = batch {
            anew.extend_from_slice(batch);
        }
        Ok(())
    };
    let count = world.engine.reissue_import(&actor(), &list, &before, &mut sheet).await.unwrap();
    assert_eq!((count, anew.len()), (499, 499), "whoever has logged in keeps the password");
    let one = anew.last().unwrap();
    let once = one.one_time_password.as_deref().unwrap();
    let first = world.engine.log_in(&one.address, once, &origin()).await.unwrap_err();
    assert_eq!(first, LoginError::PasswordChangeRequired, "what was given anew is changed");
    // An owner who has chosen a password, and has not logged in since, keeps it.
    let own = "Rừng tràm 27!";
    world.engine.change_password(&one.address, once, own, &origin()).await.unwrap();
    assert_eq!(world.engine.reissue_import(&actor(), &list, &before, &mut |_| Ok(())).await, Ok(498));
    world.engine.log_in(&one.address, own, &origin()).await.unwrap();
}

/// A name of its own for each number, without digits.
fn letters(number: u32) -> String {
    let letter = |n: u32| char::from(b'a' + u8::try_from(n % 26).unwrap());
    format!("x{}{}{}", letter(number / 676), letter(number / 26), letter(number))
}

#[tokio::test]
async fn leaders_of_a_list_go_first_where_the_regulation_says_so() {
    let world = World::new().await;
    for (profile, expected) in [
        ("soc-trang", ["dcnguyen2", "dcnguyen1", "dcnguyen"]),
        ("an-giang", ["dcnguyen", "dcnguyen02", "dcnguyen03"]),
    ] {
        let name = format!("{profile}.vn");
        world.engine.add_domain(&actor(), &domain(&name), profile).await.unwrap();
        let unit = found(&world, &name, "Sở Nội vụ", "so").await;
        let rows = vec![
            row(2, ("Dương Chí Nguyên", &unit, "Chuyên viên", 1990)),
            row(3, ("Dương Chí Nguyên", &unit, "Phó Giám đốc", 1980)),
            row(4, ("Dương Chí Nguyên", &unit, "Giám đốc", 1970)),
        ];
        let list = list(&name, rows);
        let plan = world.engine.preview_import(&actor(), &list).await.unwrap();
        assert_eq!(plan.rows.iter().map(|row| row.row).collect::<Vec<_>>(), [2, 3, 4]);
        let issued = import(&world, &list).await.unwrap();
        assert_eq!(locals(&issued).into_values().collect::<Vec<_>>(), expected);
        // Who hands them out goes by unit, in the order of the list.
        let told: Vec<_> = issued.iter().map(|one| (one.row, one.unit.as_deref())).collect();
        assert_eq!(told, [2, 3, 4].map(|row| (row, Some("Sở Nội vụ"))));
    }
}

#[tokio::test]
async fn each_row_is_shown_with_unit_and_position_and_no_position_is_lost() {
    let world = World::new().await;
    let unit = found(&world, "demo.gov.vn", "Sở Nội vụ", "so").await;
    let rows = vec![
        row(2, ("Lê An", "Sở Nội vụ", "chuyên viên", 0)),
        row(3, ("Lê Bê", "", "Văn thư", 0)),
        row(4, ("Lê Cê", "", "", 0)),
    ];
    let mut list = list("demo.gov.vn", rows);
    let plan = world.engine.preview_import(&actor(), &list).await.unwrap();
    let shown: Vec<_> =
        plan.rows.iter().map(|row| (row.row, row.unit.clone(), row.position.clone())).collect();
    let place = Some((unit, "Sở Nội vụ".to_owned()));
    assert_eq!(shown, [(2, place, Some("Chuyên viên".to_owned())), (4, None, None)]);
    let told: Vec<_> =
        plan.faults.iter().map(|fault| (fault.row, fault.column, fault.what.as_str())).collect();
    let what = "\"Văn thư\" is a position in a unit, and no unit is named";
    assert_eq!(told, [(3, Column::Position, what)]);
    list.skip_bad = true;
    let mut issued = import(&world, &list).await.unwrap();
    let rows: Vec<u32> = issued.iter().map(|one| one.row).collect();
    assert_eq!(rows, [2, 4], "and is not made without it");
    issued.clear();
    let mut sheet = |batch: Batch<'_>| {
        if let Batch::Made(batch) = batch {
            issued.extend_from_slice(batch);
        }
        Ok(())
    };
    world.engine.reissue_import(&actor(), &list, &rows, &mut sheet).await.unwrap();
    let told: Vec<_> = issued.iter().map(|one| (one.row, one.unit.as_deref())).collect();
    assert_eq!(told, [(2, Some("Sở Nội vụ")), (4, None)], "the sheet of passwords anew says it as well");
}

#[tokio::test]
async fn two_lists_at_once_share_the_names() {
    let world = World::new().await;
    let rows = |from: u32| (from..from + 700).map(|nth| row(nth, ("Nguyễn Văn An", "", "", 0))).collect();
    let (one, two) = (list("demo.gov.vn", rows(2)), list("demo.gov.vn", rows(1_002)));
    let (first, second) = tokio::join!(import(&world, &one), import(&world, &two));
    let all: BTreeSet<String> =
        first.unwrap().into_iter().chain(second.unwrap()).map(|one| one.address).collect();
    assert_eq!(all.len(), 1_400);
}
