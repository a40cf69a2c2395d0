//! The kinds of units (loại đơn vị): data that an administrator may add to, as reforms make new ones.

use crate::naming::NameKind;
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};

/// Huyện and thị trấn ended with this day: there are two tiers since (ST Đ1.2 still has three).
const TWO_TIERS_SINCE: Date = date(2025, 7, 1);

/// A kind's short name, such as `so`, `xa` or `phong`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KindId(String);

impl KindId {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_ascii_lowercase())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the naming schemes take it for; `None`: the unit's name tells.
    #[must_use]
    pub fn name_kind(&self) -> Option<NameKind> {
        match self.as_str() {
            "so" => Some(NameKind::Department),
            "ban" => Some(NameKind::Board),
            "hoi" => Some(NameKind::Association),
            "nganh" => Some(NameKind::Branch),
            "huyen" | "thi-xa" | "thanh-pho" => Some(NameKind::District),
            "xa" => Some(NameKind::Commune),
            "phuong" => Some(NameKind::Ward),
            "thi-tran" => Some(NameKind::Township),
            "dac-khu" => Some(NameKind::SpecialZone),
            "phong" => Some(NameKind::Division),
            _ => None,
        }
    }
}

/// Where in the state's order a kind stands; a unit never stands above one of a higher tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Tỉnh.
    Province,
    /// Sở, ban, ngành, hội, Party, HĐND, Mặt trận, central bodies.
    Department,
    /// Huyện, thị xã, thành phố: history since the first of July 2025.
    District,
    /// Xã, phường, đặc khu.
    Commune,
    /// Phòng, trung tâm, đơn vị sự nghiệp: inside any of them, and of each other.
    Inner,
}

impl Tier {
    pub const ALL: [Self; 5] = [Self::Province, Self::Department, Self::District, Self::Commune, Self::Inner];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Province => "province",
            Self::Department => "department",
            Self::District => "district",
            Self::Commune => "commune",
            Self::Inner => "inner",
        }
    }
}

impl std::str::FromStr for Tier {
    type Err = crate::UnknownName;
    fn from_str(name: &str) -> Result<Self, crate::UnknownName> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == name).ok_or_else(|| crate::UnknownName {
            what: "tier",
            name: name.to_owned(),
            expected: "province, department, district, commune, inner",
        })
    }
}

/// One kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitKind {
    pub id: KindId,
    /// Vietnamese.
    pub label: String,
    pub tier: Tier,
    /// No unit of it is founded on this day or later.
    pub ended: Option<Date>,
}

/// The kinds of one domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kinds(Vec<UnitKind>);

/// AG Đ1.2, Đ6.2a; ST Đ1.2; LC Đ1.2; TN Đ1; BD Đ4.1; the two tiers of 2025.
const STANDARD: &[(&str, &str, Tier, bool)] = &[
    ("tinh", "tỉnh", Tier::Province, false),
    ("ubnd-tinh", "Ủy ban nhân dân tỉnh", Tier::Department, false),
    ("so", "sở", Tier::Department, false),
    ("ban", "ban", Tier::Department, false),
    ("nganh", "ngành", Tier::Department, false),
    ("hoi", "hội", Tier::Department, false),
    ("dang", "cơ quan Đảng", Tier::Department, false),
    ("hdnd", "Hội đồng nhân dân", Tier::Department, false),
    ("mat-tran", "Mặt trận Tổ quốc", Tier::Department, false),
    ("doan-the", "tổ chức chính trị - xã hội", Tier::Department, false),
    ("trung-uong", "cơ quan Trung ương đặt tại tỉnh", Tier::Department, false),
    ("luc-luong", "đơn vị vũ trang", Tier::Department, false),
    ("kinh-te", "tổ chức kinh tế", Tier::Department, false),
    ("huyen", "huyện", Tier::District, true),
    ("thi-xa", "thị xã", Tier::District, true),
    ("thanh-pho", "thành phố thuộc tỉnh", Tier::District, true),
    ("xa", "xã", Tier::Commune, false),
    ("phuong", "phường", Tier::Commune, false),
    ("dac-khu", "đặc khu", Tier::Commune, false),
    ("thi-tran", "thị trấn", Tier::Commune, true),
    ("su-nghiep", "đơn vị sự nghiệp", Tier::Inner, false),
    ("trung-tam", "trung tâm", Tier::Inner, false),
    ("chi-cuc", "chi cục", Tier::Inner, false),
    ("van-phong", "văn phòng", Tier::Inner, false),
    ("phong", "phòng", Tier::Inner, false),
    ("khac", "đơn vị khác", Tier::Inner, false),
];

impl Default for Kinds {
    fn default() -> Self {
        let kinds = STANDARD.iter().map(|&(id, label, tier, historical)| UnitKind {
            id: KindId::new(id),
            label: label.to_owned(),
            tier,
            ended: historical.then_some(TWO_TIERS_SINCE),
        });
        Self(kinds.collect())
    }
}

impl UnitKind {
    /// May one be founded on this day?
    #[must_use]
    pub fn lives_on(&self, day: Date) -> bool {
        self.ended.is_none_or(|end| day < end)
    }
}

impl Kinds {
    #[must_use]
    pub fn find(&self, id: &KindId) -> Option<&UnitKind> {
        self.0.iter().find(|kind| kind.id == *id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &UnitKind> {
        self.0.iter()
    }

    /// Adds a kind, or replaces the one of the same id.
    pub fn put(&mut self, kind: UnitKind) {
        match self.0.iter_mut().find(|known| known.id == kind.id) {
            Some(known) => *known = kind,
            None => self.0.push(kind),
        }
    }

    /// May a unit of `below` stand directly under one of `above`?
    #[must_use]
    pub fn fits(&self, below: &KindId, above: &KindId) -> bool {
        match (self.find(below), self.find(above)) {
            (Some(below), Some(above)) => below.tier >= above.tier,
            _ => false,
        }
    }
}
