//! The log-ins to one mailbox, for whoever looks into it: when, by which door, from where, let in or refused and why.
//!
//! Invariants: nothing of mail and nothing of other mailboxes is in the report; that it was made is in the administrators' log
//! before anything of it is read. It takes pieces of the time, the newest first, so that no statement reads months.

use crate::{Actor, AdminError, AdminTarget, Engine, LoginError};
use jiff::{SignedDuration, Timestamp};
use model::{Action, Address, Country};
use serde_json::json;
use store::LoginEvent;

/// Where no beginning is given.
const DEFAULT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// What one statement reads.
const PIECE: SignedDuration = SignedDuration::from_hours(24);
/// Log-ins of one report: a telephone that logs in each quarter of an hour for three months.
const LOGINS_MAX: u32 = 10_000;

/// Whose log-ins, and of which time.
#[derive(Clone, Copy, Debug)]
pub struct LoginQuery<'a> {
    /// Of the mailbox that has this address, an alias too.
    pub address: &'a Address,
    /// `None`: thirty days before `until`.
    pub since: Option<Timestamp>,
    /// Before this moment; `None`: now.
    pub until: Option<Timestamp>,
    /// Log-ins at most, up to 10,000.
    pub limit: u32,
}

/// The log-ins to a mailbox, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginReport {
    pub since: Timestamp,
    pub until: Timestamp,
    pub logins: Vec<LoginSeen>,
    /// There are older ones in that time.
    pub is_cut: bool,
}

/// One try to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginSeen {
    pub at: Timestamp,
    /// `imap`, `submission`, `sieve`, or `http`: the page for passwords; `None`: it was noted before doors were.
    pub door: Option<String>,
    /// The client's address.
    pub remote: Option<String>,
    /// Where that is, as the tables of then knew.
    pub country: Option<Country>,
    pub outcome: LoginOutcome,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    LetIn,
    /// By the page for passwords: who was let in, and changed it.
    ChangedPassword,
    /// With why, as [`LoginError`] says it.
    Refused(String),
}

impl LoginOutcome {
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::LetIn => "let_in",
            Self::ChangedPassword => "changed_password",
            Self::Refused(_) => "refused",
        }
    }

    /// For people to read.
    #[must_use]
    pub const fn vietnamese(&self) -> &'static str {
        match self {
            Self::LetIn => "thành công",
            Self::ChangedPassword => "thành công, đã đổi mật khẩu",
            Self::Refused(_) => "bị từ chối",
        }
    }

    /// Why it was refused, for people to read; empty where it was not.
    #[must_use]
    pub fn reason_vietnamese(&self) -> &str {
        let Self::Refused(why) = self else { return "" };
        LoginError::ALL
            .into_iter()
            .find(|error| error.to_string() == *why)
            .map_or(why.as_str(), |error| error.vietnamese())
    }
}

impl Engine {
    /// What the events say of who logged in to a mailbox.
    ///
    /// # Errors
    /// `NoSuchMailbox`, `Denied`.
    pub async fn logins(&self, actor: &Actor, query: &LoginQuery<'_>) -> Result<LoginReport, AdminError> {
        let target = AdminTarget::Address(query.address);
        self.authorize(actor, Action::SessionShow, &target).await?;
        let missing = || AdminError::NoSuchMailbox(query.address.clone());
        let login = self.0.store.login(query.address).await?.ok_or_else(missing)?;
        let until = query.until.unwrap_or(self.now());
        let since = query.since.unwrap_or(until - DEFAULT);
        let mut tx = self.0.store.begin().await?;
        let detail = json!({ "since": since, "until": until });
        self.audit(&mut tx, actor, "trace.logins", &login.primary.to_string(), &detail).await?;
        tx.commit().await?;
        let limit = query.limit.clamp(1, LOGINS_MAX) as usize;
        // Before the first event there is nothing to read.
        let first = self.0.store.first_event().await?.map_or(until, |first| first.max(since));
        // Nor behind what is: a day too many for a clock that goes before ours.
        let (mut end, mut events) = (until.min(self.now() + PIECE), Vec::new());
        while end > first && events.len() <= limit {
            let begin = (end - PIECE).max(first);
            let wanted = u32::try_from(limit + 1 - events.len()).unwrap_or(LOGINS_MAX);
            events.extend(self.0.store.logins(login.account, (begin, end), wanted).await?);
            end = begin;
        }
        let is_cut = events.len() > limit;
        events.truncate(limit);
        Ok(LoginReport { since, until, logins: events.into_iter().map(seen).collect(), is_cut })
    }
}

fn seen(event: LoginEvent) -> LoginSeen {
    let status = event.status.unwrap_or_default();
    let (door, why) = match (status.split_once(": "), event.kind.as_str()) {
        (Some((door, why)), _) => (door, why),
        // As it was noted before doors were: why, and no door.
        (None, "login_refused") => ("", status.as_str()),
        // Only the page does this; before countries were, it was not said.
        (None, "password_changed") if status.is_empty() => ("http", ""),
        (None, _) => (status.as_str(), ""),
    };
    let outcome = match event.kind.as_str() {
        "login_refused" => LoginOutcome::Refused(why.to_owned()),
        "password_changed" => LoginOutcome::ChangedPassword,
        _ => LoginOutcome::LetIn,
    };
    let (door, country) = door.split_once(' ').unwrap_or((door, ""));
    let door = Some(door.to_owned()).filter(|door| !door.is_empty());
    let country = country.parse().ok();
    LoginSeen { at: event.at, door, remote: event.remote, country, outcome }
}
