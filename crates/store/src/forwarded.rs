//! That mail went on by itself (chuyển thư tự động), and what a mailbox's rules did with it: an event beside that of the message, in the
//! statement that notes that one.
//!
//! Invariants: mail that nobody forwards costs nothing by it; the addresses are those of the moment, and it belongs to whose forwarding
//! it is, as what becomes of the message elsewhere does: whoever sent it does not learn where it went (`Store::trace`).

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::AccountId;

/// One step of mail that went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// Whose forwarding it is.
    pub by: AccountId,
    pub to: ForwardedTo,
    /// A copy stays with the former.
    pub keep_copy: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardedTo {
    Mailbox(AccountId),
    /// An address of another system, in lower case.
    Outside(String),
    /// Nowhere: what the mailbox's rules did with it, and a line that says more.
    Ruled(Ruled, String),
}

/// What rules did with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruled {
    /// It lies in other folders, with flags, or with another header.
    Filed,
    /// None of it stays.
    Discarded,
    Rejected,
    /// Something was written by itself to whoever sent it, or to others.
    Answered,
    /// They could not be followed, so that it was kept.
    Failed,
}

impl Ruled {
    /// The status of the event, whose kind is `sifted`.
    #[must_use]
    pub const fn status(self) -> &'static str {
        match self {
            Self::Filed => "rule_filed",
            Self::Discarded => "rule_discarded",
            Self::Rejected => "rule_rejected",
            Self::Answered => "rule_answered",
            Self::Failed => "rule_failed",
        }
    }
}

impl Forwarded {
    /// Statuses of the event: a copy stays, or none does.
    pub const STATUSES: [&str; 2] = ["copy_kept", "none_kept"];

    const fn status(&self) -> &'static str {
        let [kept, none] = Self::STATUSES;
        match self.to {
            ForwardedTo::Ruled(ruled, _) => ruled.status(),
            _ if self.keep_copy => kept,
            _ => none,
        }
    }
}

/// Notes the events of [`Columns`], which are eight parameters; without `returning`, for a `with`.
macro_rules! insert_forwarded {
    ($at:literal, $trace:literal, $sender:literal, $about:literal, $by:literal, $to:literal, $outside:literal, $status:literal) => {
        concat!(
            "insert into events (at, kind, trace, account_id, sender, recipients, status, about)
             select f.at, case when starts_with(f.status, 'rule_') then 'sifted' else 'forwarded' end, f.trace, f.by_id, f.sender,
                    array_remove(array[(select g.address from addresses g where g.account_id = f.by_id and g.kind = 'primary'),
                                       coalesce(f.outside, (select g.address from addresses g
                                                             where g.account_id = f.to_id and g.kind = 'primary'))], null),
                    f.status, f.about
               from unnest(",
            $at, "::timestamptz[], ", $trace, "::text[], ", $sender, "::text[], ", $about, "::text[], ",
            $by, "::bigint[], ", $to, "::bigint[], ", $outside, "::text[], ", $status, "::text[]",
            ") as f (at, trace, sender, about, by_id, to_id, outside, status)"
        )
    };
}

/// Gives the statement the parameters of [`insert_forwarded`].
macro_rules! bind_forwarded {
    ($statement:expr, $columns:expr) => {{
        let columns = $columns;
        $statement
            .bind(columns.at)
            .bind(columns.traces)
            .bind(columns.senders)
            .bind(columns.abouts)
            .bind(columns.by)
            .bind(columns.to)
            .bind(columns.outside)
            .bind(columns.statuses)
    }};
}

pub(crate) use {bind_forwarded, insert_forwarded};

/// The message that went on, as its own event has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of<'a> {
    pub(crate) at: Timestamp,
    pub(crate) trace: &'a str,
    pub(crate) sender: Option<&'a str>,
    pub(crate) about: Option<&'a str>,
}

#[derive(Debug, Default)]
pub(crate) struct Columns<'a> {
    pub(crate) at: Vec<jiff_sqlx::Timestamp>,
    pub(crate) traces: Vec<&'a str>,
    pub(crate) senders: Vec<Option<&'a str>>,
    pub(crate) abouts: Vec<Option<String>>,
    pub(crate) by: Vec<i64>,
    pub(crate) to: Vec<Option<i64>>,
    pub(crate) outside: Vec<Option<&'a str>>,
    pub(crate) statuses: Vec<&'static str>,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(steps: impl IntoIterator<Item = (Of<'a>, &'a Forwarded)>) -> Self {
        let mut columns = Self::default();
        for (of, step) in steps {
            let (to, outside, said) = match &step.to {
                ForwardedTo::Mailbox(to) => (Some(to.0), None, ""),
                ForwardedTo::Outside(address) => (None, Some(address.as_str()), ""),
                ForwardedTo::Ruled(_, said) => (None, None, said.as_str()),
            };
            let line = if said.is_empty() { "" } else { "\n" };
            columns.at.push(of.at.to_sqlx());
            columns.traces.push(of.trace);
            columns.senders.push(of.sender);
            columns.abouts.push(of.about.map(|about| format!("{}{line}{said}", what(about))));
            columns.by.push(step.by.0);
            columns.to.push(to);
            columns.outside.push(outside);
            columns.statuses.push(step.status());
        }
        columns
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by.is_empty()
    }
}

/// What the message is found by, without what was found out of where it came from: the event of the message says that.
fn what(about: &str) -> &str {
    about.match_indices('\n').nth(3).map_or(about, |(at, _)| &about[..at])
}
