//! `names.txt`: names beyond the regulations' own, each with the address it gets and the rule that made it.

use super::Grants;
use crate::SchemeId;
use unicode_normalization::UnicodeNormalization as _;

const NAMES: &str = include_str!("names.txt");

#[test]
fn each_name_gets_its_address_by_its_rule() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for section in NAMES.split("\n[").skip(1) {
        let (profile, rows) = section.split_once("]\n").unwrap();
        let scheme = SchemeId::ALL.iter().find(|scheme| scheme.as_str() == profile).unwrap().person_scheme();
        let mut grants = Grants::default();
        for row in rows.lines().filter(|row| !row.is_empty() && !row.starts_with('#')) {
            let fields: Vec<&str> = row.split('|').collect();
            let (name, local, rule) = (fields[0], fields[1], fields[fields.len() - 1]);
            let unit = (fields.len() == 4).then(|| fields[2]);
            let name = name.strip_prefix('~').map_or(name.to_owned(), |name| name.nfd().collect());
            let made = grants.person(&scheme, &name, unit).unwrap();
            if made != (local.to_owned(), rule.to_owned()) {
                wrong.push(format!("{profile}: {name} gives {made:?}, not {local} by {rule}"));
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 200, "{count} names");
}
