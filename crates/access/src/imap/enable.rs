//! ENABLE (RFC 5161), and the other commands that enable CONDSTORE (RFC 7162 3.1).

use super::reply::Reply;
use super::session::{Door, Selected, State};
use proto::imap::{Code, StatusLine};

/// What the client of a connection has switched on; nothing is ever switched off (RFC 5161 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Enabled {
    /// MODSEQ in every FETCH response that tells of a change.
    pub(crate) condstore: bool,
    /// VANISHED in place of EXPUNGE; never without `condstore`.
    pub(crate) qresync: bool,
    /// UTF-8 in names and quoted strings (RFC 6855 3).
    pub(crate) utf8: bool,
}

pub(crate) fn enable(door: &mut Door, state: &State, names: &[String]) -> Reply {
    tracing::debug!(?names, "enable");
    let before = door.enabled;
    // RFC 5161 3.1: what is not known is passed over.
    let wants = |name: &str| names.iter().any(|wanted| wanted == name);
    let qresync = wants("QRESYNC") && !before.qresync;
    // RFC 5161 3.2: only what was enabled by this command is listed.
    let mut enabled = Vec::new();
    if wants("CONDSTORE") && !before.condstore {
        enabled.push("CONDSTORE");
    }
    if qresync {
        enabled.push("QRESYNC");
    }
    let knows_modseq = !enabled.is_empty();
    if wants("UTF8=ACCEPT") && !before.utf8 {
        // RFC 6855 3
        door.enabled.utf8 = true;
        door.wire.decoder().enable_utf8();
        door.wire.out.enable_utf8();
        enabled.push("UTF8=ACCEPT");
    }
    door.wire.out.enabled(enabled.iter().copied());
    door.enabled.qresync |= qresync;
    if knows_modseq {
        // RFC 7162 3.2.3: with QRESYNC comes CONDSTORE.
        condstore(door, state.selected());
    }
    Reply::ok("ENABLE completed")
}

/// Says that the client knows of modification sequences. The first time, the open mailbox's is told.
pub(crate) fn condstore(door: &mut Door, selected: Option<&Selected>) {
    if std::mem::replace(&mut door.enabled.condstore, true) {
        return;
    }
    if let Some(selected) = selected {
        // RFC 7162 3.1
        let highest = selected.tracker.told_modseq().0;
        door.wire.out.untagged(&StatusLine::ok("Highest").with(Code::HighestModSeq(highest)));
    }
}
