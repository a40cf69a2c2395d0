//! Everything the system does, once: log in, deliver, submit, append, flag, copy, move, expunge, administer.
//!
//! The front doors (SMTP, IMAP, web, command line) call these methods and translate; they decide nothing.
//! Invariants: this crate alone opens write transactions; every method that touches a mailbox takes the
//! [`Principal`] it acts for and checks it here; nothing is told to other sessions before its commit.

mod admin;
mod append;
mod deliver;
mod folders;
mod hub;
mod identity;
mod message;
mod password;
mod spool;
mod view;
mod write;

pub use admin::{Actor, AddMailboxError, DomainSummary, MailboxAdded, MailboxDetail, NewMailbox};
pub use append::{AppendError, Appended, NewMessage};
pub use deliver::{Arrival, DeliverError, Delivery, Recipient, RecipientError, SenderError};
pub use folders::{CreateError, DeleteError, Folder, FolderStatus, RenameError};
pub use hub::Watch;
pub use identity::{LoginError, Origin, Principal, Protocol};
pub use message::{Body, Message, Wanted};
pub use spool::Spool;
pub use view::{FolderView, ViewEntry};
pub use write::{Copied, CopyError, FlagEdit, FlagMode, Quota};
