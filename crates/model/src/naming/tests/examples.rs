//! Every unit and person that a regulation or the requirements (A3–A12) name, and exactly the address they give.

use super::Grants;
use crate::SchemeId;
use crate::naming::NameKind::{Department, District, Ward};
use crate::naming::{Applicant, NameKind, Namesakes, Unit, UnitName};
use jiff::civil::date;

fn persons(scheme: SchemeId, rows: &[(&str, Option<&str>, &str, &str)]) {
    let scheme = scheme.person_scheme();
    let mut grants = Grants::default();
    for (name, unit, local, rule) in rows {
        let made = grants.person(&scheme, name, *unit).unwrap();
        assert_eq!(made, ((*local).to_owned(), (*rule).to_owned()), "{name}");
    }
}

#[test]
fn an_giang_persons() {
    let rows = [
        ("Nguyễn Thanh Bình", None, "ntbinh", "plain"),
        ("Nguyễn Thanh Bình", None, "ntbinh02", "ordinal"),
        ("Tôn Nữ Thị Đào", None, "tntdao", "plain"),
        ("Sang", None, "sang", "plain"),
    ];
    persons(SchemeId::AnGiang, &rows);
}

#[test]
fn an_giang_has_two_digits_and_then_three() {
    let scheme = SchemeId::AnGiang.person_scheme();
    let mut grants = Grants::default();
    let made: Vec<_> = (0..101).map(|_| grants.person(&scheme, "Nguyễn Thanh Bình", None).unwrap()).collect();
    assert_eq!(made[98], ("ntbinh99".to_owned(), "ordinal".to_owned()));
    assert_eq!(made[99], ("ntbinh100".to_owned(), "long-ordinal".to_owned()));
    assert_eq!(made[100].0, "ntbinh101");
}

#[test]
fn lao_cai_persons() {
    let rows = [
        ("Nguyễn Thanh Bình", Some("stttt"), "ntbinh-stttt", "plain"),
        ("Nguyễn Thanh Bình", Some("stttt"), "binhnt-stttt", "given-first"),
        ("Nguyễn Thanh Bình", Some("stttt"), "binhngt-stttt", "grown"),
        ("Nguyễn Thanh Bình", Some("stttt"), "binhngth-stttt", "grown"),
        ("Nguyễn Thanh Bình", Some("snv"), "ntbinh-snv", "plain"),
        ("Pao", Some("stttt"), "pao-stttt", "plain"),
        ("Pao", Some("stttt"), "pao2-stttt", "ordinal"),
    ];
    persons(SchemeId::LaoCai, &rows);
    assert!(SchemeId::LaoCai.person_scheme().needs_unit());
    assert!(!SchemeId::AnGiang.person_scheme().needs_unit());
}

#[test]
fn thai_nguyen_persons() {
    let rows = [("Đặng Thị Đào", None, "daodt", "plain"), ("Đặng Thị Đào", None, "daodta", "extra-one")];
    persons(SchemeId::ThaiNguyen, &rows);
    assert!(SchemeId::ThaiNguyen.person_scheme().holder_chooses);
}

#[test]
fn soc_trang_persons() {
    let rows = [
        ("Ông Dương Chí Nguyên", None, "dcnguyen", "plain"),
        ("Dương Chí Nguyên", None, "dcnguyen1", "ordinal"),
        ("Dương Chí Nguyên", None, "dcnguyen2", "ordinal"),
    ];
    persons(SchemeId::SocTrang, &rows);
}

#[test]
fn soc_trang_serves_leaders_of_a_day_first() {
    let scheme = SchemeId::SocTrang.person_scheme();
    let day = date(2026, 11, 2);
    let asked = [(None, 1), (Some(2), 2), (Some(1), 3)].map(|(rank, number)| Applicant { day, rank, number });
    let mut grants = Grants::default();
    let mut made = vec![String::new(); asked.len()];
    for turn in scheme.same_day.turns(&asked) {
        made[turn] = grants.person(&scheme, "Dương Chí Nguyên", None).unwrap().0;
    }
    assert_eq!(made, ["dcnguyen2", "dcnguyen1", "dcnguyen"]);
}

#[test]
fn binh_dinh_persons() {
    let rows =
        [("Nguyễn Văn Bằng", None, "bangnv", "plain"), ("Nguyễn Văn Bằng", None, "bangnv2", "ordinal")];
    persons(SchemeId::BinhDinhSct, &rows);
}

/// Name, the unit above, its code, who bears its name, the address, the rule.
type UnitRow<'a> = (&'a str, Option<(&'a str, NameKind)>, Option<&'a str>, Namesakes, &'a str, &'a str);

fn units(scheme: SchemeId, rows: &[UnitRow<'_>]) {
    let scheme = scheme.unit_scheme();
    let mut grants = Grants::default();
    for (text, parent, code, namesakes, local, rule) in rows {
        let name = UnitName::parse(text).unwrap();
        let mut unit = Unit::new(&name).with_namesakes(*namesakes);
        if let Some((local, kind)) = parent {
            unit = unit.under(local, *kind);
        }
        if let Some(code) = code {
            unit = unit.with_code(code);
        }
        assert_eq!(grants.unit(&scheme, &unit), ((*local).to_owned(), (*rule).to_owned()), "{text}");
    }
}

const NONE: Namesakes = Namesakes::None;

#[test]
fn an_giang_units() {
    let (phu, so) = (Some(("chauphu", District)), Some(("sotttt", Department)));
    let xuyen = Some(("plongxuyen", Ward));
    let rows = [
        ("Sở Thông tin và Truyền thông", None, None, NONE, "sotttt", "by-kind"),
        ("Sở Nội vụ", None, None, NONE, "sonoivu", "by-kind"),
        ("Sở Lao động - Thương binh và Xã hội tỉnh An Giang", None, None, NONE, "soldtbxh", "by-kind"),
        ("Ban Dân tộc", None, None, NONE, "bandantoc", "by-kind"),
        ("Ban Quản lý Khu kinh tế tỉnh", None, None, NONE, "banqlkkt", "by-kind"),
        ("Hội Nông dân tỉnh", None, None, NONE, "hoinongdan", "by-kind"),
        ("Hội Liên hiệp Phụ nữ", None, None, NONE, "hoilhpn", "by-kind"),
        ("Ngành Thuế", None, None, NONE, "nganhthue", "by-kind"),
        ("UBND huyện Châu Phú", None, None, NONE, "chauphu", "district"),
        ("Thành phố Long Xuyên", None, None, NONE, "longxuyen", "district"),
        ("Phòng Nội vụ huyện Châu Phú", phu, None, NONE, "noivu.chauphu", "below"),
        ("Phòng Tài chính - Kế hoạch", phu, None, NONE, "tckh.chauphu", "below"),
        ("Phòng Văn hóa và Thông tin", phu, None, NONE, "vhtt.chauphu", "below"),
        ("Phòng Nội vụ", phu, None, NONE, "phongnoivu.chauphu", "below-whole"),
        ("Phòng Nội vụ", phu, None, NONE, "phongnoivu2.chauphu", "below-ordinal"),
        ("Hội Nông dân huyện Châu Phú", phu, None, NONE, "hoinongdan.chauphu", "by-kind-below"),
        ("Trung tâm Tin học", so, None, NONE, "ttth.sotttt", "below"),
        ("Văn phòng Sở", so, None, NONE, "vanphong.sotttt", "below"),
        ("Phòng Văn thư", so, None, NONE, "phongvanthu.sotttt", "below-whole"),
        ("Xã Mỹ Đức", phu, None, NONE, "myduc", "commune"),
        ("Xã Vĩnh Thạnh Trung", phu, None, NONE, "vtt", "commune"),
        ("Xã Vĩnh Hòa", phu, None, Namesakes::Commune, "vinhhoa.chauphu", "commune-in-district"),
        (
            "Xã Vĩnh Hòa",
            Some(("tanchau", District)),
            None,
            Namesakes::Commune,
            "vinhhoa.tanchau",
            "commune-in-district",
        ),
        ("UBND phường Long Xuyên", None, None, Namesakes::District, "plongxuyen", "ward-by-kind"),
        ("Xã Châu Phú", phu, None, Namesakes::District, "xachauphu", "commune-by-kind"),
        ("Thị trấn Chợ Mới", phu, None, Namesakes::District, "ttchomoi", "township-by-kind"),
        ("Xã Tân Châu", phu, None, Namesakes::Both, "xatanchau.chauphu", "commune-both"),
        ("Phường Tân Châu", phu, None, Namesakes::Both, "ptanchau.chauphu", "ward-both"),
        ("Thị trấn Tân Châu", phu, None, Namesakes::Both, "tttanchau.chauphu", "township-both"),
        ("Phường 5", None, None, NONE, "p5", "ward-by-kind"),
        ("Đặc khu Phú Quốc", None, None, NONE, "phuquoc", "commune"),
        ("Phòng Văn hóa – Xã hội", xuyen, None, NONE, "vhxh.plongxuyen", "below"),
        ("Trung tâm Phục vụ hành chính công", xuyen, None, NONE, "ttpvhcc.plongxuyen", "below"),
        ("Văn phòng HĐND và UBND", xuyen, None, NONE, "vphdndubnd.plongxuyen", "below"),
        ("Ủy ban nhân dân tỉnh An Giang", None, None, NONE, "ubnd", "other"),
        ("Công an tỉnh", None, None, NONE, "congan", "other"),
    ];
    units(SchemeId::AnGiang, &rows);
}

#[test]
fn lao_cai_units() {
    let rows = [
        ("Sở Thông tin và Truyền thông", None, Some("stttt"), NONE, "contact-stttt", "listed"),
        ("UBND huyện Bắc Hà", None, Some("bacha"), NONE, "contact-bacha", "listed"),
        ("Sở Nội vụ", None, None, NONE, "contact-snv", "initials"),
        ("Sở Nông vụ", None, None, NONE, "contact-sonongvu", "whole"),
        ("Sở Nông vụ", None, None, NONE, "contact-snv2", "ordinal"),
    ];
    units(SchemeId::LaoCai, &rows);
}

#[test]
fn thai_nguyen_units() {
    let rows = [
        ("Sở Nội vụ", None, Some("sonoivu"), NONE, "sonoivu", "domain"),
        ("Sở Thông tin và Truyền thông", None, Some("sotttt"), NONE, "sotttt", "domain"),
        ("Sở Giáo dục và Đào tạo", None, None, NONE, "sgddt", "initials"),
        ("Công an tỉnh Thái Nguyên", None, None, NONE, "ca", "initials"),
        ("Phòng Tổng hợp", Some(("sonoivu", Department)), None, NONE, "pth", "initials"),
        ("Phòng Thi hành", Some(("sonoivu", Department)), None, NONE, "pth.sonoivu", "below"),
    ];
    units(SchemeId::ThaiNguyen, &rows);
}

#[test]
fn soc_trang_units() {
    let (so, xuyen) = (Some(("sotttt", Department)), Some(("myxuyen", District)));
    let rows = [
        ("Sở Thông tin và Truyền thông", None, None, NONE, "sotttt", "by-kind"),
        (
            "Phòng Chuyển đổi số của Sở Thông tin và Truyền thông",
            so,
            None,
            NONE,
            "phongcds.sotttt",
            "division",
        ),
        ("Trung tâm Công nghệ số", so, None, NONE, "ttcns.sotttt", "below"),
        ("Ủy ban nhân dân Huyện Mỹ Xuyên", None, None, NONE, "myxuyen", "district"),
        (
            "Ủy ban nhân dân Xã Thạnh Phú của Huyện Mỹ Xuyên",
            xuyen,
            None,
            NONE,
            "xathanhphu.myxuyen",
            "commune",
        ),
        ("Thị trấn Mỹ Xuyên", xuyen, None, NONE, "thitranmyxuyen.myxuyen", "commune"),
        (
            "Phòng Văn hóa - Thông tin của Huyện Mỹ Xuyên",
            xuyen,
            None,
            NONE,
            "pvhtt.myxuyen",
            "division-of-place",
        ),
        ("Phòng Văn hóa, Thông tin", xuyen, None, NONE, "phongvhtt.myxuyen", "division"),
        ("Xã Thạnh Phú", None, None, NONE, "xathanhphu", "commune-alone"),
        ("Sở Nội vụ", None, None, NONE, "sonv", "by-kind"),
        ("Sở Nông vụ", None, None, NONE, "sonongvu", "whole"),
        ("Thanh tra tỉnh", None, None, NONE, "tt", "initials"),
    ];
    units(SchemeId::SocTrang, &rows);
}

#[test]
fn binh_dinh_units() {
    let rows = [
        ("phòng Quản lý Công nghiệp", None, None, NONE, "qlcn", "division"),
        ("Trung tâm Khuyến công", None, None, NONE, "ttkc", "initials"),
        ("Chi cục Quản lý thị trường", None, None, NONE, "ccqltt", "initials"),
        ("Văn phòng Sở", None, None, NONE, "vp", "initials"),
        ("Phòng Quản lý Chợ nổi", None, None, NONE, "pqlcn", "initials"),
        ("Phòng Quản lý Chợ nổi", None, None, NONE, "quanlychonoi", "whole"),
        ("Phòng Quản lý Chợ nổi", None, None, NONE, "qlcn2", "ordinal"),
    ];
    units(SchemeId::BinhDinhSct, &rows);
}
