//! Our words and rules, pure: identifiers, addresses, mailbox classes and states, flags, folders, limits.
//!
//! Invariants: no IO, no clock, no randomness, no SQL and no protocol syntax in here; both the clock and the
//! random source are traits that a caller passes in. Everything can be tested without a machine around it.

mod address;
pub mod admission;
pub mod calendar;
mod case;
mod checking;
mod class;
mod clock;
mod cloud;
pub mod connection;
mod country;
mod flags;
mod folder;
mod group;
mod id;
mod lesson;
pub mod lifecycle;
pub mod lunar;
mod name;
pub mod naming;
mod network;
mod organisation;
pub mod password_rules;
mod permission;
mod policy;
pub mod queue;
pub mod quota;
mod registered;
mod request;
mod review;
pub mod scan;
pub mod sending;
mod shown;
mod sorting;
pub mod visits;

pub use address::{Address, AddressError, DomainName};
pub use case::CaseState;
pub use checking::{DayChecks, HALF_HOURS};
pub use class::{AccountState, MailboxClass, UnknownName};
pub use clock::{Clock, FixedClock, Rng};
pub use cloud::Cloud;
pub use country::{Countries, Country, CountryError, TableError};
pub use flags::{Flags, KEYWORDS_PER_ACCOUNT_MAX, Keyword, KeywordError};
pub use folder::{DEFAULT_FOLDERS, DELIMITER, FolderName, FolderNameError, INBOX, SpecialUse};
pub use group::{GroupRule, GroupSenders};
pub use id::{
    AccountId, ContentId, DomainId, EmailId, FolderId, ModSeq, ScriptId, ThreadId, TraceId, Uid, UidValidity,
    UnitId,
};
pub use lesson::Lesson;
pub use name::{fold_marks, search_words};
pub use network::{Network, NetworkError};
pub use organisation::{
    Appointment, Event as UnitEvent, Happening, KindId, Kinds, Membership, NewUnit, PeopleError, PersonId,
    Position, PositionId, Register, STANDARD_POSITIONS, Subject, TextError, Tier, Tree, TreeError, Unit,
    UnitCode, UnitKind, UnitState, unit_name,
};
pub use permission::{
    Action, Actor, Cell, Denied, Grant, GrantError, Level, Levels, Reason, Right, Rights, Role, Scope,
    Standing, Target, allows, scopes,
};
pub use policy::{
    Activity, Administration, Announcements, Attachments, Bound, Change, Checking, CloudLogins, Contacts,
    Deletion, Departure, Directory, Disowned, DnsList, Doubtful, ExternalSending, Field, Filter, Handling,
    HandlingState, Inbound, LOG_RETENTION_MONTHS_MIN, LifeCycle, Limits, Logins, Logs, Measure, MonthDay,
    Naming, NewCountry, Passwords, PersonalDelegation, Policy, PolicyVersion, Profile, PublicDirectory,
    Quota, Reports, Requests, Rule, Rules, SchemeId, SecretMail, Sending, SetError, Setting, SpamOut,
    Unscanned, Unwanted, VersionError, Violation,
};
pub use registered::registered;
pub use request::{RequestKind, RequestState};
pub use review::ReviewDecision;
pub use sending::SendingLimits;
pub use shown::{is_dot, is_unseen, seen, unlinked};
pub use sorting::{Cause, Listed, Sorting};
