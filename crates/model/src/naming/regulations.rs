//! The five regulations' schemes, as tables: form, for whom, in words, and the article (requirements A3–A12).
//!
//! Invariants: rows stand in the order they are tried; what no text asks, because it is silent on what happens next, says so
//! in its source ([`OURS`]). Every row is read: a test counts them. An installation's profile may hold others.

use super::scheme::{Namesakes, PersonScheme, Rule, SameDay, UnitScheme, When};
use super::unit_name::NameKind::{
    self, Association, Board, Branch, Commune, Department, District, Division, Other, SpecialZone, Township,
    Ward,
};
use crate::SchemeId;

impl SchemeId {
    #[must_use]
    pub fn person_scheme(self) -> PersonScheme {
        PersonScheme {
            holder_chooses: self == Self::ThaiNguyen,
            same_day: if self == Self::SocTrang { SameDay::LeadersFirst } else { SameDay::Registration },
            rules: rules(self.person_rows()),
        }
    }

    #[must_use]
    pub fn unit_scheme(self) -> UnitScheme {
        UnitScheme { abbreviate_from: ABBREVIATE_FROM, rules: rules(self.unit_rows()) }
    }

    const fn person_rows(self) -> &'static [Row] {
        match self {
            Self::AnGiang => AN_GIANG_PERSONS,
            Self::LaoCai => LAO_CAI_PERSONS,
            Self::ThaiNguyen => THAI_NGUYEN_PERSONS,
            Self::SocTrang => SOC_TRANG_PERSONS,
            Self::BinhDinhSct => BINH_DINH_PERSONS,
        }
    }

    const fn unit_rows(self) -> &'static [Row] {
        match self {
            Self::AnGiang => AN_GIANG_UNITS,
            Self::LaoCai => LAO_CAI_UNITS,
            Self::ThaiNguyen => THAI_NGUYEN_UNITS,
            Self::SocTrang => SOC_TRANG_UNITS,
            Self::BinhDinhSct => BINH_DINH_UNITS,
        }
    }
}

/// "Tên các tổ chức từ 03 (ba) từ trở lên … sẽ được viết tắt" (An Giang 63/2016 Điều 6.2a); only An Giang's rules ask for it.
const ABBREVIATE_FROM: usize = 3;

const AG_A: &str = "Điều 6.2a Quyết định 63/2016/QĐ-UBND tỉnh An Giang";
const AG_B: &str = "Điều 6.2b Quyết định 63/2016/QĐ-UBND tỉnh An Giang";
const LC_UNIT: &str = "Điều 4.1 Quyết định 33/2010/QĐ-UBND tỉnh Lào Cai";
const LC_A: &str = "Điều 4.2a Quyết định 33/2010/QĐ-UBND tỉnh Lào Cai";
const LC_B: &str = "Điều 4.2b Quyết định 33/2010/QĐ-UBND tỉnh Lào Cai";
const TN_UNIT: &str = "Điều 3.4 Quyết định 957/QĐ-UBND tỉnh Thái Nguyên";
const TN_PERSON: &str = "Điều 3.5 Quyết định 957/QĐ-UBND tỉnh Thái Nguyên";
const ST_1: &str = "Điều 3.1 Quyết định 59/2024/QĐ-UBND tỉnh Sóc Trăng";
const ST_2: &str = "Điều 3.2 Quyết định 59/2024/QĐ-UBND tỉnh Sóc Trăng";
const ST_3: &str = "Điều 3.3 Quyết định 59/2024/QĐ-UBND tỉnh Sóc Trăng";
const ST_4: &str = "Điều 3.4 Quyết định 59/2024/QĐ-UBND tỉnh Sóc Trăng";
const ST_11: &str = "Điều 11.4 Quyết định 59/2024/QĐ-UBND tỉnh Sóc Trăng (theo ttcns.sotttt)";
const BD_1: &str = "Điều 4.1 Quyết định 148/QĐ-SCT Sở Công Thương Bình Định";
const BD_2: &str = "Điều 4.2 Quyết định 148/QĐ-SCT Sở Công Thương Bình Định";
/// Where the text is silent.
const OURS: &str = "Văn bản không quy định; hệ thống chọn";

const AN_GIANG_PERSONS: &[Row] = &[
    row("plain", "{initials}{given}", "Chữ đầu của họ và chữ lót, rồi tên", AG_B),
    row("ordinal", "{initials}{given}{n:2}", "Trùng tên: thêm hai chữ số thứ tự đăng ký", AG_B)
        .numbers(2, 99),
    row("long-ordinal", "{initials}{given}{n}", "Hết hai chữ số: thêm số thứ tự từ 100", OURS)
        .numbers(100, 9_999),
];

const LAO_CAI_PERSONS: &[Row] = &[
    row("plain", "{initials}{given}-{unit}", "Chữ đầu của họ và đệm, rồi tên, rồi đơn vị", LC_A),
    row(
        "given-first",
        "{given}{initials}-{unit}",
        "Người thứ hai trùng tên trong đơn vị: tên đứng trước",
        LC_B,
    ),
    row("grown", "{given}{grown}-{unit}", "Từ người thứ ba: thêm dần ký tự kế tiếp của họ và đệm", LC_B),
    row("ordinal", "{initials}{given}{n}-{unit}", "Hết ký tự của họ và đệm: thêm số thứ tự", OURS),
];

const THAI_NGUYEN_PERSONS: &[Row] = &[
    row("plain", "{given}{initials}", "Tên, rồi chữ đầu của họ và đệm", TN_PERSON),
    row("extra-one", "{given}{initials}{extra:1}", "Trùng tên: người sau chọn thêm một ký tự", TN_PERSON),
    row("extra-two", "{given}{initials}{extra:2}", "Trùng tên: người sau chọn thêm hai ký tự", TN_PERSON),
];

const SOC_TRANG_PERSONS: &[Row] = &[
    row("plain", "{initials}{given}", "Chữ đầu của họ và tên đệm, rồi tên", ST_3),
    row("ordinal", "{initials}{given}{n}", "Trùng tên: thêm số thứ tự 1, 2, 3… sau tên", ST_4)
        .numbers(1, 9_999),
];

const BINH_DINH_PERSONS: &[Row] = &[
    row("plain", "{given}{initials}", "Tên, rồi chữ đầu của họ và của tên đệm", BD_2),
    row("ordinal", "{given}{initials}{n}", "Trùng tên: thêm số thứ tự liền sau", BD_2),
];

const TYPED: &[NameKind] = &[Department, Board, Association, Branch];
const TYPED_BELOW: &[NameKind] = &[Board, Association, Branch];
const PLACES: &[NameKind] = &[District, Commune, Ward, Township, SpecialZone];
const COMMUNES: &[NameKind] = &[Commune, Ward, Township, SpecialZone];
/// What may belong to a sở, a huyện or a xã.
const BELOW: &[NameKind] = &[Board, Association, Branch, Division, Other];

const AN_GIANG_UNITS: &[Row] = &[
    row(
        "by-kind-below",
        "{type}{name}.{parent}",
        "Ban, hội, ngành trực thuộc: loại và tên, dấu chấm, cơ quan chủ quản",
        AG_A,
    )
    .of(TYPED_BELOW),
    row("below", "{name}.{parent}", "Phòng, đơn vị trực thuộc: tên phòng, dấu chấm, cơ quan chủ quản", AG_A)
        .of(&[Division, Other]),
    row(
        "below-whole",
        "{type}{whole}.{parent}",
        "Trùng: loại và tên viết đủ, dấu chấm, cơ quan chủ quản",
        OURS,
    )
    .of(BELOW),
    row("below-ordinal", "{type}{name}{n}.{parent}", "Trùng: thêm số thứ tự trước dấu chấm", OURS).of(BELOW),
    row("by-kind", "{type}{name}", "so, ban, hoi, nganh và tên cơ quan", AG_A).of(TYPED),
    row("district", "{name}", "Huyện, thị xã, thành phố: tên đơn vị", AG_A).of(&[District]),
    row("commune", "{name}", "Xã, phường, thị trấn: tên đơn vị", AG_A)
        .of(COMMUNES)
        .namesakes(Namesakes::None),
    row(
        "commune-in-district",
        "{name}.{parent}",
        "Xã, phường, thị trấn trùng tên nhau: thêm tên huyện",
        AG_A,
    )
    .of(COMMUNES)
    .namesakes(Namesakes::Commune),
    row("commune-both", "xa{name}.{parent}", "Xã trùng tên xã khác và tên huyện: xa, tên, tên huyện", AG_A)
        .of(&[Commune])
        .namesakes(Namesakes::Both),
    row("ward-both", "p{name}.{parent}", "Phường trùng tên xã khác và tên huyện: p, tên, tên huyện", AG_A)
        .of(&[Ward])
        .namesakes(Namesakes::Both),
    row(
        "township-both",
        "tt{name}.{parent}",
        "Thị trấn trùng tên xã khác và tên huyện: tt, tên, tên huyện",
        AG_A,
    )
    .of(&[Township])
    .namesakes(Namesakes::Both),
    row("commune-by-kind", "xa{name}", "Xã trùng tên huyện, thị xã, thành phố: xa ở trước", AG_A)
        .of(&[Commune]),
    row("ward-by-kind", "p{name}", "Phường trùng tên huyện, thị xã, thành phố: p ở trước", AG_A).of(&[Ward]),
    row("township-by-kind", "tt{name}", "Thị trấn trùng tên huyện, thị xã, thành phố: tt ở trước", AG_A)
        .of(&[Township]),
    row("other", "{name}", "Đơn vị khác: theo tên đơn vị cụ thể", AG_A).of(&[Division, Other]),
    row("whole", "{type}{whole}", "Trùng: loại và tên viết đủ", OURS),
    row("ordinal", "{type}{name}{n}", "Trùng: thêm số thứ tự", OURS),
];

const LAO_CAI_UNITS: &[Row] = &[
    row("listed", "contact-{code}", "contact- và tên viết tắt theo danh sách của tỉnh", LC_UNIT),
    row("initials", "contact-{all-initials}", "Chưa có trong danh sách: contact- và chữ đầu của tên", OURS),
    row("whole", "contact-{type}{whole}", "Trùng: contact-, loại và tên viết đủ", OURS),
    row("ordinal", "contact-{all-initials}{n}", "Trùng: thêm số thứ tự", OURS),
];

const THAI_NGUYEN_UNITS: &[Row] = &[
    row("domain", "{code}", "Theo tên miền đã phân bổ cho cơ quan", TN_UNIT),
    row("initials", "{all-initials}", "Chữ cái đầu của tên cơ quan", TN_UNIT),
    row("below", "{all-initials}.{parent}", "Trùng: thêm dấu chấm và cơ quan chủ quản", OURS),
    row("whole", "{type}{whole}", "Trùng: loại và tên viết đủ", OURS),
    row("ordinal", "{all-initials}{n}", "Trùng: thêm số thứ tự", OURS),
];

const SOC_TRANG_UNITS: &[Row] = &[
    row("district", "{whole}", "Huyện, thị xã, thành phố: tên viết đủ", ST_2).of(&[District]),
    row(
        "commune",
        "{type}{whole}.{parent}",
        "Xã, phường, thị trấn: loại và tên viết đủ, dấu chấm, tên huyện",
        ST_2,
    )
    .of(COMMUNES),
    row("commune-alone", "{type}{whole}", "Xã, phường không còn cấp huyện: loại và tên viết đủ", OURS)
        .of(COMMUNES),
    row(
        "division-of-place",
        "p{initials}.{parent}",
        "Phòng của địa phương: p, chữ đầu của tên, dấu chấm, địa phương",
        ST_2,
    )
    .of(&[Division])
    .under(PLACES),
    row(
        "division",
        "{type}{initials}.{parent}",
        "Phòng của sở, ngành: phong, chữ đầu của tên, dấu chấm, cơ quan",
        ST_1,
    )
    .of(&[Division]),
    row(
        "by-kind-below",
        "{type}{initials}.{parent}",
        "Ban, hội trực thuộc: loại, chữ đầu của tên, dấu chấm, cơ quan",
        OURS,
    )
    .of(TYPED_BELOW),
    row("below", "{initials}.{parent}", "Đơn vị trực thuộc: chữ đầu của tên, dấu chấm, cơ quan", ST_11)
        .of(&[Other]),
    row("below-whole", "{type}{whole}.{parent}", "Trùng: loại và tên viết đủ, dấu chấm, cơ quan", OURS)
        .of(BELOW),
    row("below-ordinal", "{type}{initials}{n}.{parent}", "Trùng: thêm số thứ tự trước dấu chấm", OURS)
        .of(BELOW),
    row("by-kind", "{type}{initials}", "Loại cơ quan và chữ đầu của tên", ST_1).of(TYPED),
    row("initials", "{initials}", "Đơn vị khác: chữ đầu của tên", OURS).of(&[Division, Other]),
    row("whole", "{type}{whole}", "Trùng: loại và tên viết đủ", OURS),
    row("ordinal", "{type}{initials}{n}", "Trùng: thêm số thứ tự", OURS),
];

const BINH_DINH_UNITS: &[Row] = &[
    row("division", "{initials}", "Chữ đầu của tên, không có chữ phòng", BD_1).of(&[Division]),
    row("initials", "{all-initials}", "Chữ đầu của tên đơn vị", BD_1),
    row("whole", "{whole}", "Trùng: tên viết đủ", OURS),
    row("ordinal", "{initials}{n}", "Trùng: thêm số thứ tự", OURS),
];

/// A rule as it stands in a table.
#[derive(Clone, Copy)]
struct Row {
    id: &'static str,
    form: &'static str,
    numbers: (u32, u32),
    text: &'static str,
    source: &'static str,
    kinds: &'static [NameKind],
    under: &'static [NameKind],
    namesakes: Option<Namesakes>,
}

const fn row(id: &'static str, form: &'static str, text: &'static str, source: &'static str) -> Row {
    Row { id, form, numbers: (2, 9_999), text, source, kinds: &[], under: &[], namesakes: None }
}

impl Row {
    const fn numbers(self, from: u32, to: u32) -> Self {
        Self { numbers: (from, to), ..self }
    }

    const fn of(self, kinds: &'static [NameKind]) -> Self {
        Self { kinds, ..self }
    }

    const fn under(self, under: &'static [NameKind]) -> Self {
        Self { under, ..self }
    }

    const fn namesakes(self, namesakes: Namesakes) -> Self {
        Self { namesakes: Some(namesakes), ..self }
    }

    /// Nothing if the form is malformed, which no row's is.
    fn rule(&self) -> Option<Rule> {
        Some(Rule {
            id: self.id.to_owned(),
            form: self.form.parse().ok()?,
            from: self.numbers.0,
            to: self.numbers.1,
            text: self.text.to_owned(),
            source: self.source.to_owned(),
            when: When { kinds: self.kinds.to_vec(), under: self.under.to_vec(), namesakes: self.namesakes },
        })
    }
}

fn rules(rows: &[Row]) -> Vec<Rule> {
    rows.iter().filter_map(Row::rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_whole() {
        for scheme in SchemeId::ALL {
            let (persons, units) = (scheme.person_scheme(), scheme.unit_scheme());
            assert_eq!(persons.rules.len(), scheme.person_rows().len(), "{scheme:?}");
            assert_eq!(units.rules.len(), scheme.unit_rows().len(), "{scheme:?}");
            assert_eq!((persons.check(), units.check()), (Ok(()), Ok(())), "{scheme:?}");
            for rule in persons.rules.iter().chain(&units.rules) {
                assert!(rule.source == OURS || rule.source.starts_with("Điều "), "{rule:?}");
            }
        }
    }
}
