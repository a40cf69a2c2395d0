//! The five profiles as files an administrator can read, `config/profiles/*.toml`: written from the data in this crate and held
//! equal to it. The binary has the data itself and reads none of them.

use super::{Policy, Profile};
use std::fmt::Write as _;
use std::path::PathBuf;

fn path(profile: Profile) -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.join("../../config/profiles").join(profile.as_str()).with_extension("toml")
}

/// Every field with its value as `congthu policy set` takes it, its label, and where it comes from.
fn written(profile: Profile) -> String {
    let policy = profile.policy().unwrap();
    let mut file = format!(
        "# {}\n#\n# What a domain begins with after `congthu domain add DOMAIN --profile {}`. The program has these values itself and does not\n\
         # read this file; a test holds the two equal. A domain's own values: `congthu policy show DOMAIN`, changed by\n\
         # `congthu policy set`.\n",
        profile.title(),
        profile.as_str(),
    );
    let mut section = "";
    for field in Policy::fields() {
        let (of, name) = field.key.split_once('.').unwrap();
        if of != section {
            write!(file, "\n[{of}]\n").unwrap();
            section = of;
        }
        let value = toml::Value::from(field.text(&policy));
        let coming = if field.is_in_force() { "" } else { " (chưa áp dụng)" };
        let article = profile.article(field.key);
        writeln!(file, "# {} ({}). {article}{coming}", field.label, field.requirement).unwrap();
        writeln!(file, "{name} = {value}").unwrap();
    }
    file
}

#[test]
fn profiles_stand_in_their_files() {
    for profile in Profile::ALL {
        let text = written(profile);
        let file = std::fs::read_to_string(path(profile)).unwrap();
        assert!(file == text, "{} should be\n{text}", path(profile).display());
        let sections: toml::Table = toml::from_str(&file).unwrap();
        let mut policy = Policy { profile, ..Policy::default() };
        for (section, fields) in &sections {
            for (name, value) in fields.as_table().unwrap() {
                policy.set(&format!("{section}.{name}"), value.as_str().unwrap()).unwrap();
            }
        }
        assert_eq!(policy, profile.policy().unwrap());
    }
}
