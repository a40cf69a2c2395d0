//! A unit of the tree as the naming schemes see it: its name read by its kind, the unit above that counts, its namesakes.
//!
//! Invariant: nothing is proposed here; the same tree gives the same subject. What stands directly under the province has no
//! unit above as far as addresses go: the regulations write `sotttt`, not `sotttt.ubnd` (AG Đ6.2a; ST Đ3.1).

use super::{KindId, Tier, Tree, UnitCode, UnitState};
use crate::UnitId;
use crate::naming::{self, NameError, NameKind, Namesakes, UnitName};

/// Whatever speaks for the whole province.
const PROVINCE: &str = "ubnd-tinh";
/// Kinds without a code of their own in a province's list: their people bear the code of the organisation that manages them
/// ("cơ quan, tổ chức quản lý CCVC", LC Đ4.2a).
const ROOMS: [&str; 2] = ["phong", "van-phong"];

/// What a scheme must know of a unit that is, or is to be, in a tree.
#[derive(Clone, Debug)]
pub struct Subject {
    name: UnitName,
    parent: Option<(String, NameKind)>,
    code: Option<String>,
    namesakes: Namesakes,
}

impl Subject {
    #[must_use]
    pub fn unit(&self) -> naming::Unit<'_> {
        let unit = naming::Unit::new(&self.name).with_namesakes(self.namesakes);
        let unit = match &self.parent {
            Some((local, kind)) => unit.under(local, *kind),
            None => unit,
        };
        match &self.code {
            Some(code) => unit.with_code(code),
            None => unit,
        }
    }
}

fn read(name: &str, kind: &KindId) -> Result<UnitName, NameError> {
    match kind.name_kind() {
        Some(kind) => UnitName::of_kind(name, kind),
        None => UnitName::parse(name),
    }
}

impl Tree {
    /// A unit that stands in the tree. `local` says what stands before the @ in a unit's own address; without one its code is
    /// taken.
    ///
    /// # Errors
    /// When the name holds nothing to make an address of.
    pub fn subject(
        &self,
        id: UnitId,
        local: impl Fn(UnitId) -> Option<String>,
    ) -> Option<Result<Subject, NameError>> {
        let unit = self.unit(id)?;
        let made = self.new_subject(&unit.name, &unit.kind, unit.parent, Some(id), local);
        Some(made.map(|subject| Subject { code: Some(unit.code.to_string()), ..subject }))
    }

    /// A unit that is to be founded; `itself` is not among its own namesakes.
    ///
    /// # Errors
    /// When the name holds nothing to make an address of.
    pub fn new_subject(
        &self,
        name: &str,
        kind: &KindId,
        parent: Option<UnitId>,
        itself: Option<UnitId>,
        local: impl Fn(UnitId) -> Option<String>,
    ) -> Result<Subject, NameError> {
        let name = read(name, kind)?;
        let above = parent.and_then(|id| self.unit(id)).filter(|above| !self.is_province(&above.kind));
        let parent = above.map(|above| {
            let local = local(above.id).unwrap_or_else(|| above.code.to_string());
            (local, read(&above.name, &above.kind).map_or(NameKind::Other, |name| name.kind()))
        });
        let namesakes = if name.kind().is_place() {
            Namesakes::among(&name, &self.places(itself))
        } else {
            Namesakes::None
        };
        Ok(Subject { name, parent, code: None, namesakes })
    }

    /// The code that people of this unit bear in their addresses, where the scheme asks for one (LC Đ4.2a).
    #[must_use]
    pub fn code_of_people(&self, id: UnitId) -> Option<&UnitCode> {
        let mut unit = self.unit(id)?;
        while ROOMS.contains(&unit.kind.as_str())
            && let Some(above) = unit.parent.and_then(|above| self.unit(above))
            && !self.is_province(&above.kind)
        {
            unit = above;
        }
        Some(&unit.code)
    }

    fn is_province(&self, kind: &KindId) -> bool {
        kind.as_str() == PROVINCE || self.kinds().find(kind).is_some_and(|kind| kind.tier == Tier::Province)
    }

    fn places(&self, except: Option<UnitId>) -> Vec<UnitName> {
        let living = self.units().filter(|unit| unit.state == UnitState::Active && Some(unit.id) != except);
        let names = living.filter_map(|unit| {
            let kind = unit.kind.name_kind().filter(|kind| kind.is_place())?;
            UnitName::of_kind(&unit.name, kind).ok()
        });
        names.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SchemeId;
    use crate::naming::{Reserved, choose};
    use crate::{Kinds, NewUnit};
    use jiff::civil::date;

    /// Founds units with the codes that the scheme proposes; name, kind, index of the unit above.
    fn tree(scheme: SchemeId, rows: &[(&str, &str, Option<i64>)]) -> Tree {
        let scheme = scheme.unit_scheme();
        let mut tree = Tree::new(Kinds::default());
        for ((name, kind, parent), id) in rows.iter().zip(1..) {
            let (kind, parent) = (KindId::new(kind), parent.map(UnitId));
            let subject = tree.new_subject(name, &kind, parent, None, |_| None).unwrap();
            let unit = subject.unit();
            let code = scheme.propose(&unit).find_map(|proposal| {
                let code = UnitCode::new(scheme.code_of(&proposal.local)?).ok()?;
                tree.by_code(&code).is_none().then_some(code)
            });
            let new = NewUnit {
                id: UnitId(id),
                code: code.unwrap(),
                name: (*name).to_owned(),
                kind,
                identifier: None,
                parent,
            };
            tree.add(new, date(2020, 1, 1)).unwrap();
        }
        tree
    }

    fn addresses(scheme: SchemeId, tree: &Tree) -> Vec<String> {
        let scheme = scheme.unit_scheme();
        let local = |id| {
            let subject = tree.subject(id, |_| None).unwrap().unwrap();
            let chosen = choose(scheme.propose(&subject.unit()), &Reserved::default(), |_| false).unwrap();
            chosen.proposal.local.to_string()
        };
        tree.units().map(|unit| local(unit.id)).collect()
    }

    #[test]
    fn what_stands_under_the_province_stands_alone() {
        let rows = [
            ("Ủy ban nhân dân tỉnh", "ubnd-tinh", None),
            ("Ban Dân tộc", "ban", Some(1)),
            ("Sở Nội vụ", "so", Some(1)),
            ("Văn phòng Sở", "van-phong", Some(3)),
            ("Huyện Châu Phú", "huyen", Some(1)),
            ("Huyện Tân Châu", "huyen", Some(1)),
            ("Xã Vĩnh Hòa", "xa", Some(5)),
            ("Xã Vĩnh Hòa", "xa", Some(6)),
            ("Phường Tân Châu", "phuong", Some(1)),
        ];
        let tree = tree(SchemeId::AnGiang, &rows);
        let codes: Vec<&str> = tree.units().map(|unit| unit.code.as_str()).collect();
        let before = ["ubnd", "bandantoc", "sonoivu", "vanphong.sonoivu", "chauphu", "tanchau"];
        assert_eq!(codes[..6], before);
        assert_eq!(codes[6..], ["vinhhoa", "vinhhoa.tanchau", "ptanchau"], "as each was founded");
        let now = addresses(SchemeId::AnGiang, &tree);
        assert_eq!(now[..6], before);
        assert_eq!(now[6..], ["vinhhoa.chauphu", "vinhhoa.tanchau", "ptanchau"], "as all are there");
    }

    #[test]
    fn a_list_of_codes_has_them_without_what_stands_before() {
        let rows = [
            ("Ủy ban nhân dân tỉnh", "ubnd-tinh", None),
            ("Sở Thông tin và Truyền thông", "so", Some(1)),
            ("Phòng Công nghệ thông tin", "phong", Some(2)),
            ("Văn phòng Ủy ban nhân dân tỉnh", "van-phong", Some(1)),
        ];
        let tree = tree(SchemeId::LaoCai, &rows);
        assert_eq!(tree.unit(UnitId(2)).unwrap().code.as_str(), "stttt");
        assert_eq!(addresses(SchemeId::LaoCai, &tree)[1], "contact-stttt");
        let people = |id| tree.code_of_people(UnitId(id)).unwrap().as_str();
        assert_eq!((people(3), people(2), people(4)), ("stttt", "stttt", "vpubnd"));
    }
}
