//! Mail on its way to others: rows of the queue, and the statements that move them (docs/adr/0019-the-queue.md).
//!
//! Invariants: who holds a delivery's lease, and nobody else, says what became of it; a message's content stays for as long
//! as its row does, and that until its sender was told; rows are locked in one order (lease, messages by number, deliveries, destination), so nobody deadlocks,
//! and nobody who accepts mail waits for a destination's row.

mod claim;
mod enqueue;
mod filtered;
mod inspect;
mod kept_back;
mod lease;
mod overdue;
mod report;
mod sent;
mod untold;

#[cfg(test)]
pub(crate) use claim::DUE_MAIL;
pub use claim::{Claimed, LeasedDelivery, LeasedRecipient, QueueLease, WantedWork};
#[cfg(test)]
pub(crate) use enqueue::FORGET;
pub use enqueue::{Accepting, NewOutgoing, NewOutgoingPart, NewOutgoingRecipient, PassedOn};
#[cfg(test)]
pub(crate) use filtered::{COUNTS as FILTERED_COUNTS, OVER as FILTERED_OVER, UNTOLD as FILTERED_UNTOLD};
pub use filtered::{FilteredCounts, FilteredRow};
pub use inspect::{QueueCounts, QueueDestinationRow, QueueFilter, QueueRow, QueueState, ScheduledRow};
pub use overdue::RedirectAsker;
pub use report::{
    DeliveryReport, MailBack, MailBackTo, NewOutgoingEvent, QueueReport, RecipientAnswer, Reroute,
};
pub(crate) use sent::Reporter;
pub use sent::SentDelivery;
pub use untold::{NewUntold, Untold, UntoldMessage};

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

/// Seconds since 1970 of the year 9000, later than any clock of ours: when what nothing waits at is looked at.
const NEVER_SECONDS: i64 = 221_845_392_000;

pub(crate) fn never() -> jiff_sqlx::Timestamp {
    Timestamp::from_second(NEVER_SECONDS).unwrap_or(Timestamp::MAX).to_sqlx()
}
