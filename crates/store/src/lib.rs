//! The only SQL: one file per aggregate, the migrations, and the Postgres that runs beside us.
//!
//! Invariants: no rule of the product is decided here (those live in `model` and `engine`); sqlx appears in no other
//! crate; every statement is static text (the one exception, a COPY of numbers, is in `snapshot`); writes to a
//! mailbox go through a [`Tx`] that holds its lock.

mod accept;
mod acceptor;
mod accounts;
mod activity;
mod announcements;
mod appended;
mod audit;
mod case_acts;
mod cases;
mod certificate_orders;
mod certificates;
mod checking;
mod chunks;
mod clerks;
mod contents;
mod copy_across;
mod copy_in;
mod copy_out;
mod cursors;
mod delegations;
mod directory;
mod dkim;
mod dmarc;
mod dmarc_received;
mod domains;
pub mod embedded;
mod endpoint;
mod entries;
mod error;
mod events;
mod events_holds;
mod events_logins;
mod events_trace;
mod exports;
mod figures;
mod filing;
mod first_contacts;
mod flags;
mod folders;
mod follow;
mod forwarded;
mod forwards;
mod forwards_left;
mod grants;
mod group;
mod groups;
mod hand_out;
mod handlings;
mod handovers;
mod heirs;
mod held;
mod holidays;
mod imports;
mod inspect;
mod jobs;
mod keywords;
mod leaves;
mod lessons;
mod life;
mod line;
mod listed_senders;
mod listing;
mod mailboxes;
mod migrate;
mod moves;
mod mta_sts;
mod nightly;
mod notices;
mod objects;
mod offices;
mod parties;
mod passwords;
mod people;
mod policies;
mod quarantined;
mod queue;
mod quotas;
mod recipients;
mod requests;
mod resync;
mod return_path;
mod reviews;
mod rights;
mod roles;
mod search;
mod sending;
mod shared_acts;
mod sieve;
mod sieve_answers;
mod sieve_memory;
mod sieve_scripts;
mod small;
mod snapshot;
mod sweeper;
#[cfg(test)]
mod tests;
mod timeline;
mod tls_reports;
mod tx;
mod unit_watchers;
mod units;
mod visits;
mod within;

pub use accept::{NewEntry, Placed, RECIPIENTS_PER_TX, Room, Target};
pub use accounts::{LoginRow, NewAccount};
pub use activity::{LifeFacts, LifeFilter};
pub use announcements::{AnnouncementRow, NewAnnouncement};
pub use appended::{AppendPlace, Evidence};
pub use audit::{AuditAlias, AuditEntry, AuditFilter, AuditRow, CHAIN_START};
pub use case_acts::{HeldCase, SupportLoad};
pub use cases::{
    CaseEventRow, CaseFilter, CaseMessageRow, CaseRow, NewCase, NewCaseMessage, SupportEntry, Unacknowledged,
};
pub use certificates::{AcmeAnswerRow, AcmeCertificateRow, AcmeOrderRow, TakenAcmeOrder};
pub use checking::CheckRow;
pub use chunks::{CHUNK_BYTES_MAX, ChunkId, NewChunk};
pub use contents::{Content, ContentColumns, NewContent};
pub use copy_across::Destination;
pub use delegations::{DelegationFilter, DelegationRow, HeldRow, NewDelegation, PresentRow};
pub use directory::{DirectoryRow, DirectoryUnit};
pub use dkim::{DkimKeyRow, DkimSecretRow};
pub use dmarc::{DmarcCount, DmarcDay, DmarcGathered, DmarcPublished};
pub use dmarc_received::{DmarcKept, DmarcReportRow, DmarcSource, NewDmarcReport};
pub use domains::DomainRow;
pub use endpoint::{
    Endpoint, EndpointError, IDLE_IN_TRANSACTION_TIMEOUT, LOCK_TIMEOUT, OWNER_ROLE, Pools, SERVER_ROLE,
    STATEMENT_TIMEOUT, connect, connections,
};
pub use entries::{Place, Transferred};
pub use error::Error;
pub use events::Event;
pub use events_holds::{HoldRow, NewHold};
pub use events_logins::LoginEvent;
pub use events_trace::{EventRow, TraceFilter};
pub use exports::{ExportRow, MailboxSnapshot, NewExport};
pub use figures::PoolUsage;
pub use filing::{AddressList, Filed};
pub use first_contacts::{CONTACT_PLACES, ContactTerms, FirstContact};
pub use flags::{FlagColumns, FlagsEdited};
pub use folders::{FolderRow, Standing};
pub use follow::{ClassChange, ClassQuota, NewPrimary, UnitMailbox};
pub use forwarded::{Forwarded, ForwardedTo, Ruled};
pub use forwards::{ForwardDetail, ForwardFilter, ForwardListed, ForwardRow, ForwardTo};
pub use forwards_left::ForwardNamed;
pub use grants::{NewGrant, TakenRow};
pub use groups::{FullRow, GroupRow, MemberRow, NestedGroup, NewGroup};
pub use handlings::{HandlingRow, NewHandling, OverdueRow};
pub use handovers::{FolderCount, HandoverRow, NewHandover};
pub use held::{HeldMessageRow, NewHeld};
pub use imports::{NewImport, UnusedRow};
pub use inspect::{Inspection, inspect};
pub use jobs::{JobEnd, JobRow, TakenJob};
pub use keywords::KeywordRow;
pub use leaves::{LeaveAnswer, LeaveRow};
pub use lessons::{LessonRoom, LessonRow, Said, SaidFilter, SaidRow, Tried};
pub use life::LifeRow;
pub use listed_senders::{ListedLine, ListedSenderRow};
pub use listing::{ListedRow, StatusRow};
pub use mailboxes::{AccountFilter, AccountRow};
pub use migrate::{MigrateError, MigrationReport, migrate, pending};
pub use moves::{Direction, MoveRow, MoveState, MoveStep, NewMove};
pub use mta_sts::MtaStsRow;
pub use notices::{NoticePlace, OwedNotice};
pub use objects::Objects;
pub use offices::{EndedDelegation, EndedRole};
pub use parties::PartyRow;
pub use passwords::{NewPassword, PasswordAge, PasswordSubject, ResetRow};
pub use people::{Loaded, NewPerson, OwnerRow, Part, PersonFilter, PersonListed, PersonRow};
pub use quarantined::{
    NearlyFullQuarantine, NewQuarantined, QUARANTINE_BYTES_MAX, QUARANTINE_MESSAGES_MAX, QuarantineCounts,
    QuarantineFilter, QuarantinedRow,
};
pub use queue::{
    Accepting, Claimed, DeliveryReport, FilteredCounts, FilteredRow, LeasedDelivery, LeasedRecipient,
    MailBack, MailBackTo, NewOutgoing, NewOutgoingEvent, NewOutgoingPart, NewOutgoingRecipient, NewUntold,
    PassedOn, QueueCounts, QueueDestinationRow, QueueFilter, QueueLease, QueueReport, QueueRow, QueueState,
    RecipientAnswer, RedirectAsker, Reroute, ScheduledRow, SentDelivery, Untold, UntoldMessage, WantedWork,
};
pub use quotas::{Drift, QuotaRow, SendingRow, UsageMark, UsageRow};
pub use recipients::RecipientRow;
pub use requests::{
    NewRequestDocument, NewRequestRow, RequestDocumentRow, RequestEventRow, RequestFilter, RequestRow,
};
pub use resync::Gone;
pub use reviews::{ReviewEnd, ReviewFilter, ReviewMailbox, ReviewRow, ReviewedMailbox};
pub use rights::{Heard, Pulse, RightsListener};
pub use roles::{MailboxPlace, NewRole, Reach, RoleRow};
pub use search::{
    MARK_CODES, MARK_MANY, SearchContent, SearchFill, SearchKeys, SearchLag, SearchMark, SearchPiece,
    SearchScope, SearchText,
};
pub use sending::HeldCounts;
pub use shared_acts::SharedAct;
pub use sieve::{ScriptOwner, SieveAnswer, SieveChain, SieveFollowed, SieveScriptAt, SieveSource};
pub use sieve_memory::Sighted;
pub use sieve_scripts::{SCRIPT_VERSIONS_KEPT, SieveScriptRow, SieveVersionRow};
pub use small::{SMALL_BYTES_MAX, SMALL_TARGETS_MAX, SmallMessage};
pub use snapshot::{EntryRow, FolderDelta};
pub use sweeper::{GRACE, Swept};
pub use timeline::Incarnation;
pub use tls_reports::{TlsCount, TlsDay, TlsFailure, TlsGathered, TlsPolicy, TlsPolicyText};
pub use tx::{TransactionId, Tx};
pub use units::UnitFigures;

/// An open database, and the content directory beside it where there is one. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pools: Pools,
    pub(crate) objects: Option<Objects>,
    /// Small messages on their way.
    acts: group::Group<acceptor::Acceptor>,
    /// Those that wait for a mailbox which somebody holds.
    held: acceptor::Held,
    /// Recipients that are looked up.
    lookups: group::Group<recipients::Finder>,
    /// Deliveries that were handed over.
    sent: group::Group<queue::Reporter>,
}

impl Store {
    #[must_use]
    pub fn new(pools: Pools, objects: Option<Objects>) -> Self {
        Self {
            pools,
            objects,
            acts: group::Group::new(acceptor::acceptors()),
            held: acceptor::Held::default(),
            lookups: group::Group::new(recipients::FINDERS),
            sent: group::Group::new(acceptor::acceptors()),
        }
    }

    /// Does the database answer?
    pub async fn is_ready(&self) -> bool {
        sqlx::query("select 1").execute(&self.pools.main).await.is_ok()
    }

    /// Waits for what is under way and closes every connection.
    pub async fn close(&self) {
        self.pools.chunks.close().await;
        self.pools.main.close().await;
    }
}
