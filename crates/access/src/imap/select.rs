//! SELECT and EXAMINE (RFC 3501 6.3.1, 6.3.2).

use super::reply::{Outcome, Reply};
use super::session::{Door, Known, Selected, State};
use super::tracker::{Owed, Tracker};
use super::{flags, names, resync};
use engine::{FolderView, Principal};
use model::{Flags, Right, Uid};
use proto::imap::{Code, Mailbox, SelectParams, StatusLine};
use std::sync::Arc;

pub(crate) async fn select(
    door: &mut Door,
    state: &mut State,
    mailbox: &Mailbox,
    examine: bool,
    params: &SelectParams,
) -> Outcome {
    let Some(who) = state.who().cloned() else { return Err(Reply::bad("Log in first").into()) };
    if params.qresync.is_some() && !door.enabled.qresync {
        // RFC 7162 3.2.5
        return Err(Reply::bad("ENABLE QRESYNC comes first").into());
    }
    if matches!(state, State::Selected(_)) {
        // RFC 3501 6.3.1: the old mailbox is left before the new one is tried, and stays left when that fails.
        // RFC 7162 3.2.11: what follows is about the new one.
        door.wire.out.untagged(&StatusLine::ok("The mailbox is closed").with(Code::Closed));
        *state = State::Known(Known { who: who.clone() });
    }
    let place = names::reach(door, &who, mailbox).await?;
    // RFC 4314 5.2: without a right to change anything it is read only.
    let read_only = examine || !place.who.may(Right::Write);
    // RFC 3501 6.3.2: EXAMINE takes \Recent from nobody.
    let Some((view, recent_from)) = door.engine.open_folder(&place.who, &place.name, !read_only).await?
    else {
        return Err(names::nonexistent().into());
    };
    let selected = open(place.who, view, recent_from, read_only);
    // RFC 7162 3.1.8: what is told from here on is told with MODSEQ.
    door.enabled.condstore |= params.condstore;
    greet(door, &selected);
    if let Some(known) = &params.qresync {
        resync::answer(door, &selected, known).await?;
    }
    *state = State::Selected(Box::new(selected));
    // RFC 3501 6.3.1, 6.3.2: the code says which it is.
    let done = if examine { "EXAMINE completed" } else { "SELECT completed" };
    Ok(if read_only { Reply::ok(done).code(Code::ReadOnly) } else { Reply::ok(done).code(Code::ReadWrite) })
}

fn open(who: Principal, view: Arc<FolderView>, recent_from: Uid, read_only: bool) -> Selected {
    let folder = view.folder().id;
    let keywords_told = view.all_keywords().count();
    let tracker = Tracker::new(view, recent_from);
    Selected {
        who,
        folder,
        saved: Vec::new(),
        read_only,
        tracker,
        keywords_told,
        owed: Owed::default(),
        owes_highest: false,
    }
}

/// The responses of RFC 3501 6.3.1 in the order clients are used to.
fn greet(door: &mut Door, selected: &Selected) {
    flags_lines(door, selected);
    let tracker = &selected.tracker;
    let (exists, recent) = (tracker.exists(), tracker.recent_count());
    let out = &mut door.wire.out;
    out.exists(exists);
    out.recent(recent);
    let view = tracker.view();
    if let Some(position) = view.entries().first_unseen() {
        let number = u32::try_from(position + 1).unwrap_or(u32::MAX);
        out.untagged(&StatusLine::ok("First unseen").with(Code::Unseen(number)));
    }
    let (validity, next) = (view.folder().uid_validity, view.folder().uid_next);
    out.untagged(&StatusLine::ok("UIDs valid").with(Code::UidValidity(validity.0)));
    out.untagged(&StatusLine::ok("Predicted next UID").with(Code::UidNext(next.0)));
    // RFC 7162 3.1.2.1
    out.untagged(&StatusLine::ok("Highest").with(Code::HighestModSeq(view.modseq().0)));
    // RFC 8474 4.2
    let id = view.folder().id.0.cast_unsigned();
    out.untagged(&StatusLine::ok("Mailbox").with(Code::MailboxId(id)));
}

/// FLAGS again, when a keyword was used for the first time.
pub(crate) fn tell_flags(door: &mut Door, selected: &mut Selected) {
    selected.keywords_told = selected.tracker.view().all_keywords().count();
    flags_lines(door, selected);
}

/// FLAGS and PERMANENTFLAGS (RFC 3501 7.2.6, 7.1).
fn flags_lines(door: &mut Door, selected: &Selected) {
    let system = flags::names(Flags::ALL);
    let names: Vec<&str> = system.into_iter().chain(selected.tracker.view().all_keywords()).collect();
    door.wire.out.flags(names.iter().copied());
    let kept = if selected.read_only {
        StatusLine::ok("Nothing can be changed").with(Code::PermanentFlags { flags: vec![], any: false })
    } else {
        let flags = names.iter().map(|name| (*name).to_owned()).collect();
        // RFC 3501 7.1: \* says that keywords are made by using them.
        StatusLine::ok("Flags are kept").with(Code::PermanentFlags { flags, any: true })
    };
    door.wire.out.untagged(&kept);
}
