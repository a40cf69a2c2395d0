//! Schemes as a profile writes them: every built-in one survives TOML, and one can be written by hand.

use super::Grants;
use crate::SchemeId;
use crate::naming::{PersonScheme, UnitScheme};

#[test]
fn schemes_survive_toml() {
    for scheme in SchemeId::ALL {
        let (persons, units) = (scheme.person_scheme(), scheme.unit_scheme());
        let text = toml::to_string(&persons).unwrap();
        assert_eq!(toml::from_str::<PersonScheme>(&text).unwrap(), persons, "{text}");
        let text = toml::to_string(&units).unwrap();
        assert_eq!(toml::from_str::<UnitScheme>(&text).unwrap(), units, "{text}");
    }
}

const BY_HAND: &str = r#"
same-day = "leaders-first"

[[rules]]
id = "plain"
form = "{given}.{initials}"
text = "Tên, dấu chấm, chữ đầu của họ và đệm"
source = "Quy chế của Sở"

[[rules]]
id = "ordinal"
form = "{given}.{initials}{n:3}"
from = 1
to = 999
text = "Thêm ba chữ số"
source = "Quy chế của Sở"
"#;

#[test]
fn a_scheme_written_by_hand() {
    let scheme: PersonScheme = toml::from_str(BY_HAND).unwrap();
    assert_eq!(scheme.check(), Ok(()));
    let mut grants = Grants::default();
    let made: Vec<_> = (0..3).map(|_| grants.person(&scheme, "Đặng Thị Đào", None).unwrap().0).collect();
    assert_eq!(made, ["dao.dt", "dao.dt001", "dao.dt002"]);
}

#[test]
fn mistakes_in_a_profile_are_errors() {
    for (right, wrong) in [
        ("from = 1", "form-from = 1"),
        ("{given}.{initials}\"", "{given}@{initials}\""),
        ("{n:3}", "{n:3"),
        ("{n:3}", "{birth}"),
        ("leaders-first", "leaders"),
        ("to = 999", "to = -1"),
    ] {
        let text = BY_HAND.replace(right, wrong);
        assert_ne!(text, BY_HAND);
        assert!(toml::from_str::<PersonScheme>(&text).is_err(), "{wrong}");
    }
}
