//! CAPABILITY (RFC 3501 6.1.1), and the list wherever else it is told.

use super::reply::Reply;
use super::session::{Door, State};

/// What we offer in every state.
const ALWAYS: [&str; 14] = [
    "IMAP4rev1",
    "LITERAL+",
    "SASL-IR",
    "ID",
    "ENABLE",
    "IDLE",
    "NAMESPACE",
    "CHILDREN",
    "UIDPLUS",
    "MOVE",
    "UNSELECT",
    "SPECIAL-USE",
    "QUOTA",
    "QUOTA=RES-STORAGE",
];

pub(crate) fn capability(door: &mut Door, state: &State) -> Reply {
    let names = capabilities(door, state);
    door.wire.out.capability(names.iter().map(String::as_str));
    Reply::ok("CAPABILITY completed")
}

/// The capabilities of this connection as it is now.
pub(crate) fn capabilities(door: &Door, state: &State) -> Vec<String> {
    let mut names: Vec<String> = ALWAYS.map(str::to_owned).into();
    if matches!(state, State::Fresh(_)) {
        if door.encrypted {
            names.extend(proto::sasl::MECHANISMS.map(|mechanism| format!("AUTH={}", mechanism.name())));
        } else {
            // RFC 3501 6.2.3: no password in plain text.
            names.push("LOGINDISABLED".to_owned());
            if door.starttls.is_some() {
                names.push("STARTTLS".to_owned());
            }
        }
    }
    names
}
