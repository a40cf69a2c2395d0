//! The commands of IMAP in one table: in which states each is legal, and what may be told behind it.
//!
//! Adding a command: its line here, its arm in [`run`], its file.

use super::reply::{Failure, Outcome, Reply};
use super::session::{Door, State};
use super::tracker::Expunges;
use super::{
    acl, authenticate, capability, close, copy, create, deflate, delete, enable, expunge, fetch, id, idle,
    list, login, lsub, namespace, noop, quota, rename, search, select, starttls, status, store, subscribe,
};
use crate::socket::Ended;
use proto::imap::{Command, StatusItem};
use std::pin::Pin;

/// The states a command is legal in (RFC 3501 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Any,
    /// Not authenticated (RFC 3501 6.2).
    Fresh,
    /// Authenticated or selected (RFC 3501 6.3).
    Known,
    /// RFC 3501 6.4.
    Selected,
}

/// What the client is told of its folder when a command is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Nothing,
    Sync(Expunges),
}

const TELL: After = After::Sync(Expunges::Tell);
/// RFC 3501 7.4.1: the client counts by number in these.
const HOLD: After = After::Sync(Expunges::Hold);

/// (name as in [`Command::name`], where, after)
const TABLE: [(&str, Where, After); 50] = [
    ("CAPABILITY", Where::Any, TELL),
    ("NOOP", Where::Any, TELL),
    ("LOGOUT", Where::Any, After::Nothing),
    ("ID", Where::Any, TELL),
    ("STARTTLS", Where::Fresh, After::Nothing),
    ("AUTHENTICATE", Where::Fresh, After::Nothing),
    ("LOGIN", Where::Fresh, After::Nothing),
    // RFC 5161 3.1: in the authenticated state only, but clients send it later too.
    ("ENABLE", Where::Known, TELL),
    ("SELECT", Where::Known, After::Nothing),
    ("EXAMINE", Where::Known, After::Nothing),
    ("CREATE", Where::Known, TELL),
    ("DELETE", Where::Known, TELL),
    ("RENAME", Where::Known, TELL),
    ("SUBSCRIBE", Where::Known, TELL),
    ("UNSUBSCRIBE", Where::Known, TELL),
    ("LIST", Where::Known, TELL),
    ("LSUB", Where::Known, TELL),
    ("XLIST", Where::Known, TELL),
    ("NAMESPACE", Where::Known, TELL),
    ("STATUS", Where::Known, TELL),
    ("APPEND", Where::Known, TELL),
    ("IDLE", Where::Known, TELL),
    // RFC 4978: what is told behind the OK would be compressed already.
    ("COMPRESS", Where::Known, TELL),
    ("GETQUOTA", Where::Known, TELL),
    ("GETQUOTAROOT", Where::Known, TELL),
    ("SETQUOTA", Where::Known, TELL),
    ("GETACL", Where::Known, TELL),
    ("SETACL", Where::Known, TELL),
    ("DELETEACL", Where::Known, TELL),
    ("LISTRIGHTS", Where::Known, TELL),
    ("MYRIGHTS", Where::Known, TELL),
    ("CHECK", Where::Selected, TELL),
    ("CLOSE", Where::Selected, After::Nothing),
    ("UNSELECT", Where::Selected, After::Nothing),
    ("EXPUNGE", Where::Selected, TELL),
    ("UID EXPUNGE", Where::Selected, TELL),
    ("SEARCH", Where::Selected, HOLD),
    ("UID SEARCH", Where::Selected, TELL),
    // RFC 5256 3: no EXPUNGE within SORT and THREAD.
    ("SORT", Where::Selected, HOLD),
    ("UID SORT", Where::Selected, TELL),
    ("THREAD", Where::Selected, HOLD),
    ("UID THREAD", Where::Selected, TELL),
    ("FETCH", Where::Selected, HOLD),
    ("UID FETCH", Where::Selected, TELL),
    ("STORE", Where::Selected, HOLD),
    ("UID STORE", Where::Selected, TELL),
    // RFC 2180 4.4: COPY is safe, a client waits for its answer.
    ("COPY", Where::Selected, TELL),
    ("UID COPY", Where::Selected, TELL),
    ("MOVE", Where::Selected, TELL),
    ("UID MOVE", Where::Selected, TELL),
];

/// Refuses a command that is not legal in `state`; else says what follows it.
pub(crate) fn admit(name: &str, state: &State) -> Result<After, Reply> {
    let Some((_, legal, after)) = TABLE.iter().find(|(listed, ..)| *listed == name) else {
        return Err(Reply::bad("Unknown command"));
    };
    let fits = match legal {
        Where::Any => true,
        Where::Fresh => matches!(state, State::Fresh(_)),
        Where::Known => !matches!(state, State::Fresh(_)),
        Where::Selected => matches!(state, State::Selected(_)),
    };
    match (fits, state) {
        (true, _) => Ok(*after),
        (false, State::Fresh(_)) => Err(Reply::bad("Log in first")),
        (false, _) if *legal == Where::Fresh => Err(Reply::bad("You are logged in already")),
        (false, _) => Err(Reply::bad("Select a mailbox first")),
    }
}

/// Runs an admitted command. IDLE, in which most sessions are, does not carry the size of the others.
pub(crate) fn run<'a>(
    door: &'a mut Door,
    state: &'a mut State,
    command: Command,
) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
    match command {
        Command::Idle => Box::pin(idle::idle(door, state)),
        command => Box::pin(other(door, state, command)),
    }
}

async fn other(door: &mut Door, state: &mut State, command: Command) -> Outcome {
    match command {
        Command::Capability => Ok(capability::capability(door, state)),
        Command::Noop | Command::Check => Ok(noop::noop()),
        Command::Logout => Err(Ended::LoggedOut.into()),
        Command::Id(fields) => id::id(door, state, &fields).await,
        Command::Starttls | Command::Authenticate { .. } | Command::Login { .. } => {
            enter(door, state, command).await
        }
        command => match state {
            State::Fresh(_) => Err(Reply::bad("Log in first").into()),
            State::Known(_) | State::Selected(_) => known(door, state, command).await,
        },
    }
}

/// Commands of a client that is not logged in.
async fn enter(door: &mut Door, state: &mut State, command: Command) -> Outcome {
    let State::Fresh(fresh) = state else {
        return Err(Reply::bad("You are logged in already").into());
    };
    let known = match command {
        Command::Starttls => return starttls::starttls(door),
        Command::Authenticate { mechanism, initial } => {
            authenticate::authenticate(door, fresh, &mechanism, initial).await?
        }
        Command::Login { user, password } => login::login(door, fresh, &user, &password).await?,
        _ => return Err(Reply::bad("Unknown command").into()),
    };
    *state = State::Known(known);
    Ok(login::welcome(door, state))
}

/// Commands of a client that is logged in.
async fn known(door: &mut Door, state: &mut State, command: Command) -> Outcome {
    if let Command::Select { mailbox, read_only, params } = command {
        return select::select(door, state, &mailbox, read_only, &params).await;
    }
    let Some(who) = state.who().cloned() else { return Err(Reply::bad("Log in first").into()) };
    let who = &who;
    match command {
        Command::Enable(names) => Ok(enable::enable(door, state, &names)),
        Command::Create { mailbox, special_use } => create::create(door, who, &mailbox, &special_use).await,
        Command::Delete(mailbox) => delete::delete(door, state, &mailbox).await,
        Command::Rename { from, to } => rename::rename(door, who, &from, &to).await,
        Command::Subscribe(mailbox) => subscribe::subscribe(door, who, &mailbox).await,
        Command::Unsubscribe(mailbox) => subscribe::unsubscribe(door, who, &mailbox).await,
        Command::List(list) => {
            if list.give.status.contains(&StatusItem::HighestModSeq) {
                // RFC 7162 3.1, by way of RFC 5819.
                enable::condstore(door, state.selected());
            }
            list::list(door, who, &list).await
        }
        Command::Lsub { reference, pattern } => lsub::lsub(door, who, &reference, &pattern).await,
        Command::Xlist { reference, pattern } => list::xlist(door, who, &reference, &pattern).await,
        Command::Compress(mechanism) => deflate::compress(door, &mechanism),
        Command::Namespace => namespace::namespace(door, who).await,
        Command::Status { mailbox, items } => {
            if items.contains(&StatusItem::HighestModSeq) {
                // RFC 7162 3.1
                enable::condstore(door, state.selected());
            }
            status::status(door, who, &mailbox, &items).await
        }
        Command::GetQuota(root) => quota::quota(door, who, &root).await,
        Command::GetQuotaRoot(mailbox) => quota::quota_root(door, who, &mailbox).await,
        Command::SetQuota { .. } => Err(quota::set_quota().into()),
        Command::GetAcl(mailbox) => acl::get_acl(door, who, &mailbox).await,
        Command::SetAcl { mailbox, identifier, mode, rights } => {
            acl::set_acl(door, who, &mailbox, (&identifier, mode, rights)).await
        }
        Command::DeleteAcl { mailbox, identifier } => acl::delete_acl(door, who, &mailbox, &identifier).await,
        Command::ListRights { mailbox, identifier } => {
            acl::list_rights(door, who, &mailbox, &identifier).await
        }
        Command::MyRights(mailbox) => acl::my_rights(door, who, &mailbox).await,
        command => in_mailbox(door, state, command).await,
    }
}

/// Commands of a client that has a mailbox open.
async fn in_mailbox(door: &mut Door, state: &mut State, command: Command) -> Outcome {
    let State::Selected(selected) = state else {
        return Err(Failure::Reply(Reply::bad("Select a mailbox first")));
    };
    // What was given by somebody else may have been taken back: not one command more.
    door.engine.check_lent(&selected.who).await?;
    match command {
        Command::Close => close::close(door, state).await,
        Command::Unselect => Ok(close::unselect(state)),
        Command::Expunge { uids } => expunge::expunge(door, selected, uids.as_ref()).await,
        Command::Search { uid, options, key } => {
            search::search(door, selected, uid, options.as_ref(), &key).await
        }
        Command::Sort { uid, options, criteria, key } => {
            search::sort(door, selected, uid, options.as_ref(), (&criteria, &key)).await
        }
        Command::Thread { uid, algorithm, key } => search::thread(door, selected, uid, algorithm, &key).await,
        Command::Fetch { uid, set, items, modifiers } => {
            fetch::fetch(door, selected, &fetch::Fetch { uid, set, items, modifiers }).await
        }
        Command::Store { uid, set, mode, silent, flags, unchanged_since } => {
            let wanted = store::Store { uid, set, mode, silent, flags, unchanged_since };
            store::store(door, selected, &wanted).await
        }
        Command::Copy { uid, set, mailbox } => copy::copy(door, selected, uid, &set, &mailbox).await,
        Command::Move { uid, set, mailbox } => copy::move_(door, selected, uid, &set, &mailbox).await,
        _ => Err(Reply::bad("Unknown command").into()),
    }
}
