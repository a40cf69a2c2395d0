//! `congthu unit …`

use super::Session;
use crate::cli::UnitCommand;
use anyhow::{Context as _, Result};
use engine::{AdminError, NewUnit};
use serde_json::json;

/// Organisations of one name that are told apart by number before the administrator has to name a code.
const SAME_NAME_MAX: u32 = 99;

pub(super) async fn run(session: &Session, command: &UnitCommand) -> Result<()> {
    let UnitCommand::Add { domain, name, kind, parent, code } = command;
    let mut new = NewUnit {
        domain: domain.clone(),
        code: code.clone().unwrap_or_else(|| code_from(name)),
        name: name.clone(),
        kind: kind.clone(),
        parent: parent.clone(),
    };
    let mut number = 1;
    loop {
        match session.node.engine.add_unit(&session.actor, &new).await {
            Err(AdminError::UnitExists) if code.is_none() && number < SAME_NAME_MAX => {
                number += 1;
                new.code = format!("{}-{number}", code_from(name));
            }
            done => break done.with_context(|| new.code.clone())?,
        }
    }
    session.answer(&json!({ "code": new.code, "name": name }), &new.code)
}

/// "Sở Nội vụ" is `so-noi-vu`.
fn code_from(name: &str) -> String {
    let plain = model::fold_marks(name).to_lowercase();
    let words = plain.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_plain() {
        assert_eq!(super::code_from("Sở Nội vụ"), "so-noi-vu");
        assert_eq!(super::code_from("UBND xã Đông Phước (A)"), "ubnd-xa-dong-phuoc-a");
    }
}
