//! CAPABILITY (RFC 3501 6.1.1), and the list wherever else it is told.
//!
//! Invariant: a stranger is told what one needs to log in; the rest is told behind the log-in, when a client may have
//! said with ID what it is and [`mask`](super::mask) has looked.

use super::reply::Reply;
use super::session::{Door, State};

/// What we offer in every state.
const ALWAYS: &[&str] = &["IMAP4rev1", "LITERAL+", "SASL-IR", "ID", "ENABLE", "IDLE"];

/// What we offer to somebody who has logged in, one to a line.
const KNOWN: &[&str] = &[
    "NAMESPACE",
    "CHILDREN",
    "UIDPLUS",
    "MOVE",
    "UNSELECT",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "STATUS=SIZE",
    "INPROGRESS",
    "MULTIAPPEND",
    "UTF8=ACCEPT",
    "COMPRESS=DEFLATE",
    "BINARY",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "ESEARCH",
    "SEARCHRES",
    "WITHIN",
    "SORT",
    "SORT=DISPLAY",
    "ESORT",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "CONDSTORE",
    "QRESYNC",
    "OBJECTID",
    "SAVEDATE",
    "PREVIEW",
    "PARTIAL",
    "ACL",
    // RFC 4314 5.1.1
    "RIGHTS=texk",
    "LIST-MYRIGHTS",
];

pub(crate) fn capability(door: &mut Door, state: &State) -> Reply {
    let names = capabilities(door, state);
    door.wire.out.capability(names.iter().map(String::as_str));
    Reply::ok("CAPABILITY completed")
}

/// The capabilities of this connection as it is now.
pub(crate) fn capabilities(door: &Door, state: &State) -> Vec<String> {
    let mut names: Vec<String> = ALWAYS.iter().map(|name| (*name).to_owned()).collect();
    if !matches!(state, State::Fresh(_)) {
        names.extend(KNOWN.iter().filter(|name| !door.mask.hides(name)).map(|name| (*name).to_owned()));
        // RFC 7889 2: the same for every mailbox.
        names.push(format!("APPENDLIMIT={}", door.engine.message_bytes_max()));
    } else if door.encrypted {
        names.extend(proto::sasl::MECHANISMS.map(|mechanism| format!("AUTH={}", mechanism.name())));
    } else {
        // RFC 3501 6.2.3: no password in plain text.
        names.push("LOGINDISABLED".to_owned());
        if door.starttls.is_some() {
            names.push("STARTTLS".to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_offered_twice() {
        let all: Vec<&str> = ALWAYS.iter().chain(KNOWN).copied().collect();
        for (at, name) in all.iter().enumerate() {
            assert!(!all[..at].contains(name), "{name}");
        }
    }
}
