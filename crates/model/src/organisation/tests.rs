//! The tree through a reform, and people through a career.

use super::tree::Happening;
use super::*;
use crate::{MailboxClass, UnitId};
use jiff::civil::{Date, date};
use std::collections::BTreeSet;

const FOUNDED: Date = date(2020, 1, 1);
const LATER: Date = date(2025, 7, 1);

const TINH: UnitId = UnitId(1);
const SO_A: UnitId = UnitId(2);
const SO_B: UnitId = UnitId(3);
const PHONG_A: UnitId = UnitId(4);
const PHONG_B: UnitId = UnitId(5);
const XA: UnitId = UnitId(6);

fn new(id: UnitId, code: &str, name: &str, kind: &str, parent: Option<UnitId>) -> NewUnit {
    NewUnit {
        id,
        code: UnitCode::new(code).unwrap(),
        name: name.to_owned(),
        kind: KindId::new(kind),
        identifier: None,
        parent,
    }
}

/// A province with two departments, a room in each, and a commune.
fn province() -> Tree {
    let mut tree = Tree::new(Kinds::default());
    for unit in [
        new(TINH, "tinh", "Tỉnh Demo", "tinh", None),
        new(SO_A, "sotttt", "Sở Thông tin và Truyền thông", "so", Some(TINH)),
        new(SO_B, "sokhcn", "Sở Khoa học và Công nghệ", "so", Some(TINH)),
        new(PHONG_A, "phongcds.sotttt", "Phòng Chuyển đổi số", "phong", Some(SO_A)),
        new(PHONG_B, "vp.sokhcn", "Văn phòng", "phong", Some(SO_B)),
        new(XA, "xathanhphu", "Xã Thạnh Phú", "xa", Some(TINH)),
    ] {
        tree.add(unit, FOUNDED).unwrap();
    }
    tree
}

#[test]
fn paths_and_subtrees() {
    let tree = province();
    assert_eq!(tree.path(PHONG_A), [TINH, SO_A, PHONG_A]);
    assert_eq!(tree.path(UnitId(99)), []);
    assert_eq!(tree.subtree(SO_A), [SO_A, PHONG_A]);
    assert_eq!(tree.subtree(TINH).len(), 6);
    assert_eq!(tree.subtree(UnitId(99)), []);
    for id in tree.subtree(TINH) {
        for ancestor in tree.subtree(TINH) {
            let below = tree.subtree(ancestor).contains(&id);
            assert_eq!(tree.is_within(id, ancestor), below, "{id} {ancestor}");
            assert_eq!(tree.path(id).contains(&ancestor), below);
        }
    }
    assert_eq!(tree.by_code(&UnitCode::new("SOTTTT").unwrap()).unwrap().id, SO_A);
}

#[test]
fn nothing_gets_above_itself() {
    let before = province();
    let mut tree = before.clone();
    assert_eq!(tree.relocate(SO_A, Some(SO_A), LATER), Err(TreeError::Cycle(SO_A)));
    tree.convert(PHONG_A, KindId::new("ban"), LATER).unwrap();
    assert_eq!(tree.relocate(SO_A, Some(PHONG_A), LATER), Err(TreeError::Cycle(SO_A)));
    assert_eq!(tree.relocate(TINH, Some(SO_A), LATER), Err(TreeError::KindThere));
    assert_eq!(tree.merge(&[SO_A], PHONG_A, LATER), Err(TreeError::Cycle(PHONG_A)));
    assert_eq!(tree.merge(&[SO_A], SO_A, LATER), Err(TreeError::Cycle(SO_A)));
    assert_eq!(tree.path(PHONG_A), before.path(PHONG_A));
}

#[test]
fn any_walk_of_moves_leaves_a_tree() {
    // A small generator instead of dice: every run is the same.
    let mut state = 7_u64;
    let mut next = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    let mut tree = Tree::new(Kinds::default());
    let ids: Vec<UnitId> = (1..=30).map(UnitId).collect();
    for &id in &ids {
        let parent = (id.0 > 1).then(|| ids[next(usize::try_from(id.0).unwrap() - 1)]);
        let _ = tree.add(new(id, &format!("p{id}"), "Phòng", "phong", parent), FOUNDED);
    }
    let (mut moved, mut refused) = (0, 0);
    for _ in 0..2000 {
        let (id, to) = (ids[next(ids.len())], ids[next(ids.len())]);
        let cycle = tree.is_within(to, id);
        match tree.relocate(id, Some(to), LATER) {
            Ok(()) => {
                assert!(!cycle);
                moved += 1;
            }
            Err(error) => {
                refused += 1;
                assert!(!cycle || matches!(error, TreeError::Cycle(_) | TreeError::Unknown(_)), "{error}");
            }
        }
        for unit in tree.units() {
            let path = tree.path(unit.id);
            let distinct: BTreeSet<_> = path.iter().collect();
            assert_eq!(distinct.len(), path.len());
            assert!(tree.unit(path[0]).unwrap().parent.is_none(), "{path:?} does not begin at a top");
        }
    }
    assert!(moved > 100 && refused > 100, "{moved} {refused}");
}

#[test]
fn depth_is_bounded() {
    let mut tree = Tree::new(Kinds::default());
    let mut parent = None;
    let mut depth = 0;
    let error = loop {
        depth += 1;
        let id = UnitId(depth);
        match tree.add(new(id, &format!("c{depth}"), "Phòng", "phong", parent), FOUNDED) {
            Ok(()) => parent = Some(id),
            Err(error) => break error,
        }
    };
    assert_eq!((depth, error), (13, TreeError::TooDeep));
    tree.add(new(UnitId(50), "x", "Phòng", "phong", None), FOUNDED).unwrap();
    assert_eq!(tree.relocate(UnitId(1), Some(UnitId(50)), LATER), Err(TreeError::TooDeep));
}

#[test]
fn a_merger_is_whole_and_remembered() {
    let mut tree = province();
    tree.rename(SO_B, "  Sở Khoa học,  Công nghệ ", date(2024, 1, 1)).unwrap();
    tree.merge(&[SO_A], SO_B, LATER).unwrap();
    assert_eq!(tree.path(PHONG_A), [TINH, SO_B, PHONG_A]);
    let dissolved = UnitState::Dissolved { on: LATER, successors: vec![SO_B] };
    assert_eq!(tree.unit(SO_A).unwrap().state, dissolved);
    assert_eq!(tree.heirs(SO_A), [SO_B]);
    assert_eq!(tree.parent_at(PHONG_A, date(2025, 6, 30)), Some(SO_A));
    assert_eq!(tree.parent_at(PHONG_A, LATER), Some(SO_B));
    assert_eq!(tree.name_at(SO_B, date(2023, 5, 5)), Some("Sở Khoa học và Công nghệ"));
    assert_eq!(tree.name_at(SO_B, LATER), Some("Sở Khoa học, Công nghệ"));
    assert_eq!(tree.name_at(SO_B, date(2019, 1, 1)), None);
    let events: Vec<&Happening> = tree.history(SO_A).map(|event| &event.happening).collect();
    assert!(matches!(events[..], [Happening::Founded { .. }, Happening::MergedInto(SO_B)]), "{events:?}");
    assert_eq!(tree.history(SO_B).last().unwrap().happening, Happening::Absorbed(SO_A));

    // The second source cannot be: nothing of the first is done either.
    let before = tree.clone();
    assert_eq!(tree.merge(&[XA, SO_A], SO_B, LATER), Err(TreeError::Dissolved(SO_A)));
    assert_eq!(tree, before);
    // What was dissolved cannot be touched, and its code is not given away.
    assert_eq!(tree.rename(SO_A, "Sở Mới", LATER), Err(TreeError::Dissolved(SO_A)));
    let again = new(UnitId(9), "sotttt", "Sở Mới", "so", Some(TINH));
    assert_eq!(tree.add(again, LATER), Err(TreeError::CodeTaken(SO_A)));
}

#[test]
fn a_split_leaves_nothing_below_what_is_gone() {
    let parts = || {
        vec![
            new(UnitId(7), "sott", "Sở Thông tin", "so", Some(TINH)),
            new(UnitId(8), "sotruyenthong", "Sở Truyền thông", "so", Some(TINH)),
        ]
    };
    let mut tree = province();
    let before = tree.clone();
    assert_eq!(tree.split(SO_A, parts(), &[], false, LATER), Err(TreeError::HasChildren(SO_A)));
    assert_eq!(tree, before);
    tree.split(SO_A, parts(), &[(PHONG_A, UnitId(8))], false, LATER).unwrap();
    assert_eq!(tree.path(PHONG_A), [TINH, UnitId(8), PHONG_A]);
    assert_eq!(tree.heirs(SO_A), [UnitId(7), UnitId(8)]);
    assert_eq!(tree.history(UnitId(7)).last().unwrap().happening, Happening::SplitFrom(SO_A));
    tree.merge(&[UnitId(7)], SO_B, LATER).unwrap();
    assert_eq!(tree.heirs(SO_A), [UnitId(8), SO_B]);

    let mut tree = before;
    tree.split(SO_A, parts(), &[], true, LATER).unwrap();
    assert_eq!(tree.unit(SO_A).unwrap().state, UnitState::Active);
    assert_eq!(tree.split(SO_A, Vec::new(), &[], true, LATER), Err(TreeError::Unchanged));
}

#[test]
fn acts_are_refused_with_their_reason() {
    let unit = |code: &str, kind: &str, parent| new(UnitId(9), code, "Đơn vị", kind, parent);
    let mut tree = province();
    let before = tree.clone();
    for (unit, wanted) in [
        (unit("sotttt", "so", Some(TINH)), TreeError::CodeTaken(SO_A)),
        (unit("h", "huyen", Some(TINH)), TreeError::HistoricalKind),
        (unit("h", "planet", Some(TINH)), TreeError::UnknownKind),
        (unit("h", "so", Some(XA)), TreeError::KindThere),
        (unit("h", "phong", Some(UnitId(99))), TreeError::Unknown(UnitId(99))),
    ] {
        assert_eq!(tree.add(unit, LATER), Err(wanted));
    }
    assert_eq!(tree.add(new(XA, "h", "Xã", "xa", None), LATER), Err(TreeError::Exists(XA)));
    assert_eq!(tree.dissolve(SO_A, LATER), Err(TreeError::HasChildren(SO_A)));
    assert_eq!(tree.rename(SO_A, " ", LATER), Err(TreeError::Text(TextError::Name)));
    assert_eq!(tree.rename(XA, "Xã Thạnh Phú", LATER), Err(TreeError::Unchanged));
    assert_eq!(tree.relocate(XA, Some(TINH), LATER), Err(TreeError::Unchanged));
    assert_eq!(tree.convert(SO_A, KindId::new("phong"), LATER), Ok(()));
    assert_eq!(tree.convert(XA, KindId::new("thi-tran"), LATER), Err(TreeError::HistoricalKind));
    assert_eq!(tree.dissolve(XA, date(2019, 12, 31)), Err(TreeError::BeforeRecorded(XA)));
    assert_eq!(tree.units().count(), before.units().count());
}

#[test]
fn a_code_once_used_stays_taken() {
    let mut tree = province();
    tree.recode(SO_A, UnitCode::new("sottvatt").unwrap(), LATER).unwrap();
    let other = UnitCode::new("sotttt").unwrap();
    assert_eq!(tree.recode(SO_B, other.clone(), LATER), Err(TreeError::CodeTaken(SO_A)));
    assert!(tree.by_code(&other).is_none());
    tree.recode(SO_A, other, LATER).unwrap();
}

#[test]
fn a_kept_tree_is_checked() {
    let tree = province();
    let units: Vec<Unit> = tree.units().cloned().collect();
    let events = tree.units().flat_map(|unit| tree.history(unit.id)).cloned().collect();
    assert_eq!(Tree::restore(Kinds::default(), units.clone(), events), Ok(tree));
    let mut circle = units.clone();
    circle[0].parent = Some(PHONG_A);
    assert!(matches!(
        Tree::restore(Kinds::default(), circle, Vec::new()),
        Err(TreeError::Cycle(_) | TreeError::TooDeep)
    ));
    let orphans = units[1..].to_vec();
    assert_eq!(Tree::restore(Kinds::default(), orphans, Vec::new()), Err(TreeError::Unknown(TINH)));
}

#[test]
fn kinds_are_data() {
    let mut kinds = Kinds::default();
    assert_eq!(kinds.iter().filter(|kind| !kind.lives_on(LATER)).count(), 4);
    let labels: BTreeSet<&str> = kinds.iter().map(|kind| kind.label.as_str()).collect();
    assert_eq!(labels.len(), kinds.iter().count());
    let id = KindId::new("Khu");
    assert!(!kinds.fits(&id, &KindId::new("tinh")));
    let kind = UnitKind { id: id.clone(), label: "khu".into(), tier: Tier::Commune, ended: None };
    kinds.put(kind.clone());
    kinds.put(kind);
    assert!(kinds.fits(&id, &KindId::new("tinh")) && !kinds.fits(&KindId::new("so"), &id));
    assert_eq!(kinds.iter().filter(|kind| kind.id == id).count(), 1);
}

#[test]
fn codes_names_and_identifiers() {
    for (text, ok) in [
        ("sotttt", true),
        ("phongcds.sotttt", true),
        ("contact-1", true),
        ("SoTTTT", true),
        ("", false),
        (".a", false),
        ("a.", false),
        ("a..b", false),
        ("sở", false),
        ("a b", false),
        ("a@b", false),
    ] {
        assert_eq!(UnitCode::new(text).is_ok(), ok, "{text:?}");
    }
    assert!(UnitCode::new(&"a".repeat(40)).is_ok() && UnitCode::new(&"a".repeat(41)).is_err());
    assert_eq!(unit_name(" Sở  No\u{323}\u{302}i vu\u{323} ").unwrap(), "Sở Nội vụ");
    assert!(unit_name("a\0b").is_err() && unit_name(&"a".repeat(201)).is_err());
    let mut tree = Tree::new(Kinds::default());
    let mut unit = new(TINH, "t", "Tỉnh", "tinh", None);
    unit.identifier = Some("h01.12.00".into());
    tree.add(unit.clone(), FOUNDED).unwrap();
    assert_eq!(tree.unit(TINH).unwrap().identifier.as_deref(), Some("H01.12.00"));
    unit.identifier = Some("H01..12".into());
    let bad = NewUnit { id: XA, code: UnitCode::new("u").unwrap(), ..unit };
    assert_eq!(tree.add(bad, FOUNDED), Err(TreeError::Text(TextError::Identifier)));
}

const AN: PersonId = PersonId(1);
const BINH: PersonId = PersonId(2);
const GIAM_DOC: PositionId = PositionId(1);
const TRUONG_PHONG: PositionId = PositionId(2);
const CHUYEN_VIEN: PositionId = PositionId(3);

fn register() -> Register {
    let position = |id, title: &str, leader, rank| Position { id, title: title.into(), leader, rank };
    Register::new(vec![
        position(GIAM_DOC, "Giám đốc", true, 1),
        position(TRUONG_PHONG, "Trưởng phòng", true, 3),
        position(CHUYEN_VIEN, "Chuyên viên", false, 9),
    ])
}

#[test]
fn a_career() {
    let mut people = register();
    people.join(AN, PHONG_A, date(2020, 1, 1)).unwrap();
    people.appoint(AN, PHONG_A, CHUYEN_VIEN, date(2020, 1, 1)).unwrap();
    people.relieve(AN, PHONG_A, CHUYEN_VIEN, date(2022, 1, 1)).unwrap();
    people.appoint(AN, PHONG_A, TRUONG_PHONG, date(2022, 1, 1)).unwrap();
    people.appoint(AN, SO_B, GIAM_DOC, date(2023, 1, 1)).unwrap();
    people.transfer(AN, PHONG_B, date(2024, 1, 1)).unwrap();
    people.leave(AN, date(2025, 1, 1)).unwrap();
    for (day, unit, class, rank) in [
        (date(2019, 12, 31), None, MailboxClass::Person, None),
        (date(2020, 1, 1), Some(PHONG_A), MailboxClass::Person, None),
        (date(2021, 12, 31), Some(PHONG_A), MailboxClass::Person, None),
        (date(2022, 1, 1), Some(PHONG_A), MailboxClass::Leader, Some(3)),
        (date(2023, 6, 1), Some(PHONG_A), MailboxClass::Leader, Some(1)),
        (date(2024, 1, 1), Some(PHONG_B), MailboxClass::Leader, Some(1)),
        (date(2025, 1, 1), None, MailboxClass::Person, None),
    ] {
        assert_eq!(people.unit_at(AN, day), unit, "{day}");
        assert_eq!(people.class_at(AN, day), class, "{day}");
        assert_eq!(people.leader_rank_at(AN, day), rank, "{day}");
    }
    assert_eq!(people.positions_at(AN, date(2023, 6, 1)).len(), 2);
    assert_eq!(people.positions_at(AN, date(2024, 6, 1)).len(), 1, "the post elsewhere stays");
    assert_eq!(people.members_at(PHONG_A, date(2021, 1, 1)).collect::<Vec<_>>(), [AN]);
    assert_eq!(people.members_at(PHONG_A, date(2024, 1, 1)).count(), 0);
    assert_eq!(people.join(AN, XA, date(2024, 12, 1)), Err(PeopleError::BeforeRecorded));
    people.join(AN, XA, date(2025, 1, 1)).unwrap();
}

#[test]
fn people_are_refused_with_their_reason() {
    let mut people = register();
    let day = date(2020, 1, 1);
    let before = date(2019, 1, 1);
    assert_eq!(people.leave(AN, day), Err(PeopleError::NotMember));
    assert_eq!(people.transfer(AN, XA, day), Err(PeopleError::NotMember));
    assert_eq!(people.appoint(AN, XA, GIAM_DOC, day), Err(PeopleError::NotMember));
    people.join(AN, SO_A, day).unwrap();
    assert_eq!(people.join(AN, XA, day), Err(PeopleError::AlreadyMember));
    assert_eq!(people.transfer(AN, SO_A, day), Err(PeopleError::SameUnit));
    assert_eq!(people.transfer(AN, XA, before), Err(PeopleError::BeforeRecorded));
    assert_eq!(people.leave(AN, before), Err(PeopleError::BeforeRecorded));
    assert_eq!(people.appoint(AN, SO_A, PositionId(99), day), Err(PeopleError::NoPosition));
    assert_eq!(people.appoint(AN, SO_A, GIAM_DOC, before), Err(PeopleError::BeforeRecorded));
    people.appoint(AN, SO_A, GIAM_DOC, day).unwrap();
    assert_eq!(people.appoint(AN, SO_A, GIAM_DOC, day), Err(PeopleError::AlreadyAppointed));
    assert_eq!(people.relieve(AN, SO_A, TRUONG_PHONG, day), Err(PeopleError::NotAppointed));
    assert_eq!(people.relieve(AN, SO_A, GIAM_DOC, before), Err(PeopleError::BeforeRecorded));
    people.relieve(AN, SO_A, GIAM_DOC, LATER).unwrap();
    assert_eq!(people.appoint(AN, SO_A, GIAM_DOC, day), Err(PeopleError::BeforeRecorded));
}

#[test]
fn a_merged_unit_takes_everybody_or_nobody() {
    let mut people = register();
    people.join(AN, SO_A, FOUNDED).unwrap();
    people.join(BINH, SO_A, LATER).unwrap();
    let before = people.clone();
    let early = people.transfer_all(SO_A, SO_B, date(2022, 1, 1));
    assert_eq!(early, Err(PeopleError::BeforeRecorded));
    assert_eq!(people, before);
    assert_eq!(people.transfer_all(SO_A, SO_B, LATER), Ok(vec![AN, BINH]));
    assert_eq!(people.members_at(SO_B, LATER).count(), 2);
    assert_eq!(people.transfer_all(SO_A, SO_B, LATER), Ok(Vec::new()));
}
