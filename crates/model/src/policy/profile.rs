//! The five regulations as data: what each of them fixes, with its article and in which direction it may be departed from.
//!
//! Where a text is silent, the field's default stands. This is plain data beside the types it fills, written as the command
//! line writes values, so no parser is needed; a test applies every line.

mod an_giang;
mod binh_dinh_sct;
mod lao_cai;
mod soc_trang;
mod thai_nguyen;

use super::{Policy, SetError};
use serde::{Deserialize, Serialize};

/// The regulation a domain is under (quy chế).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    #[default]
    AnGiang,
    LaoCai,
    ThaiNguyen,
    SocTrang,
    BinhDinhSct,
}

/// How a policy may differ from a regulation and still obey it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The text fixes the value.
    Exactly,
    /// The text gives the least (tối thiểu).
    AtLeast,
    /// The text gives the most (tối đa).
    AtMost,
    /// The text asks for the rule, the value is one of several that do.
    Free,
}

/// One thing that a regulation fixes.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// [`super::Field::key`].
    pub key: &'static str,
    /// As [`Policy::set`] reads it.
    pub value: &'static str,
    pub bound: Bound,
    /// `Điều 6.2b`.
    pub article: &'static str,
}

/// A field in which a policy does not obey its regulation, for an inspector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    pub field: &'static str,
    pub label: &'static str,
    pub bound: Bound,
    /// What the regulation says, shown in Vietnamese.
    pub wanted: String,
    pub found: String,
    pub article: String,
}

const fn set(key: &'static str, value: &'static str, bound: Bound, article: &'static str) -> Setting {
    Setting { key, value, bound, article }
}

/// What is said where a regulation does not speak.
const SILENT: &str = "Quy chế không quy định";

impl Profile {
    pub const ALL: [Self; 5] =
        [Self::AnGiang, Self::LaoCai, Self::ThaiNguyen, Self::SocTrang, Self::BinhDinhSct];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnGiang => "an-giang",
            Self::LaoCai => "lao-cai",
            Self::ThaiNguyen => "thai-nguyen",
            Self::SocTrang => "soc-trang",
            Self::BinhDinhSct => "binh-dinh-sct",
        }
    }

    /// The number under which it was issued.
    #[must_use]
    pub const fn regulation(self) -> &'static str {
        match self {
            Self::AnGiang => "Quyết định số 63/2016/QĐ-UBND",
            Self::LaoCai => "Quyết định số 33/2010/QĐ-UBND",
            Self::ThaiNguyen => "Quyết định số 957/QĐ-UBND",
            Self::SocTrang => "Quyết định số 59/2024/QĐ-UBND",
            Self::BinhDinhSct => "Quyết định số 148/QĐ-SCT",
        }
    }

    /// For people to read.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::AnGiang => "Quy chế thư điện tử tỉnh An Giang (63/2016/QĐ-UBND)",
            Self::LaoCai => "Quy chế thư điện tử tỉnh Lào Cai (33/2010/QĐ-UBND)",
            Self::ThaiNguyen => "Quy chế thư điện tử tỉnh Thái Nguyên (957/QĐ-UBND năm 2013)",
            Self::SocTrang => "Quy chế thư điện tử tỉnh Sóc Trăng (59/2024/QĐ-UBND)",
            Self::BinhDinhSct => "Quy chế thư điện tử Sở Công Thương Bình Định (148/QĐ-SCT năm 2014)",
        }
    }

    /// What it fixes.
    #[must_use]
    pub const fn settings(self) -> &'static [Setting] {
        match self {
            Self::AnGiang => an_giang::SETTINGS,
            Self::LaoCai => lao_cai::SETTINGS,
            Self::ThaiNguyen => thai_nguyen::SETTINGS,
            Self::SocTrang => soc_trang::SETTINGS,
            Self::BinhDinhSct => binh_dinh_sct::SETTINGS,
        }
    }

    /// Regulation and article that a field comes from, or that the regulation is silent.
    #[must_use]
    pub fn article(self, key: &str) -> String {
        match self.settings().iter().find(|setting| setting.key == key) {
            Some(setting) => format!("{} {}", self.regulation(), setting.article),
            None => SILENT.to_owned(),
        }
    }

    /// The policy that a new domain starts with.
    ///
    /// # Errors
    /// When a line of the profile is wrong; the tests apply each of them.
    pub fn policy(self) -> Result<Policy, SetError> {
        let mut policy = Policy { profile: self, ..Policy::default() };
        for setting in self.settings() {
            policy.set(setting.key, setting.value)?;
        }
        Ok(policy)
    }
}

impl Policy {
    /// Where it does not obey the regulation its domain is under. An administrator may decide so; an inspector sees it.
    #[must_use]
    pub fn departures(&self) -> Vec<Departure> {
        let wanted = Self { profile: self.profile, ..Self::default() };
        let settings = self.profile.settings().iter();
        settings.filter_map(|setting| self.departure(setting, &wanted)).collect()
    }

    fn departure(&self, setting: &Setting, base: &Self) -> Option<Departure> {
        let field = Self::field(setting.key)?;
        let mut wanted = base.clone();
        if !(field.assign)(&mut wanted, setting.value) {
            return None;
        }
        let numbers = (field.number)(self).zip((field.number)(&wanted));
        let obeys = match (setting.bound, numbers) {
            (Bound::Free, _) => true,
            (Bound::AtLeast, Some((found, least))) => found >= least,
            (Bound::AtMost, Some((found, most))) => found <= most,
            (Bound::Exactly | Bound::AtLeast | Bound::AtMost, _) => field.text(self) == field.text(&wanted),
        };
        (!obeys).then(|| Departure {
            field: field.key,
            label: field.label,
            bound: setting.bound,
            wanted: field.shown(&wanted),
            found: field.shown(self),
            article: self.profile.article(setting.key),
        })
    }
}

impl std::str::FromStr for Profile {
    type Err = crate::UnknownName;
    fn from_str(name: &str) -> Result<Self, crate::UnknownName> {
        Self::ALL.into_iter().find(|profile| profile.as_str() == name).ok_or_else(|| crate::UnknownName {
            what: "profile",
            name: name.to_owned(),
            expected: "an-giang, lao-cai, thai-nguyen, soc-trang, binh-dinh-sct",
        })
    }
}
