//! Everything the system does, once: log in, deliver, submit, append, flag, copy, move, expunge, administer.
//!
//! The front doors (SMTP, IMAP, web, command line) call these methods and translate; they decide nothing.
//! Invariants: this crate alone opens write transactions; every method that touches a mailbox takes the
//! [`Principal`] it acts for and checks it here; nothing is told to other sessions before its commit.

mod acl;
mod across;
mod activity;
mod acts;
mod admin;
mod admin_error;
mod admission;
mod announcements;
mod append;
mod attachments;
mod audit;
mod authority;
mod barred;
mod cases;
mod certificates;
mod checking;
mod chunk_cache;
mod clouds;
mod delegation;
mod deliver;
mod directory;
mod dkim;
mod dmarc;
mod entries;
mod error;
mod expansion;
mod figures;
mod first_contact;
mod flags;
mod folders;
mod forwarding;
mod groups;
mod handling;
mod handover;
mod harm;
mod header;
mod holds;
mod holidays;
mod housekeeping;
mod hub;
mod identity;
mod intake;
mod jobs;
mod learning;
mod life;
mod listed_senders;
mod listing;
mod log_in;
mod logins;
mod mailboxes;
mod message;
mod moves;
mod mta_sts;
mod notices;
mod organisation;
mod others;
mod outgoing;
mod password;
mod passwords;
mod policy;
mod provisioning;
mod quarantine;
mod queue;
mod queue_admin;
mod queue_redirect;
mod quota;
mod recent;
mod recipients;
mod renderings;
mod report;
mod report_words;
mod reporter;
mod requests;
mod resync;
mod return_path;
mod reviews;
mod scanning;
mod search;
mod sender;
mod sender_identity;
mod sending;
mod sieve;
mod spool;
mod throttle;
mod tls_reports;
mod trace;
mod trace_query;
mod view;
mod visits;
mod watching;
mod write;

pub use acl::AclEdit;
pub use admin::{MailboxAdded, NewMailbox};
pub use admin_error::AdminError;
pub use admission::Examined;
pub use announcements::{Announcement, AnnouncementKind};
pub use append::{AppendError, Appended, NewMessage};
pub use attachments::AttachmentError;
pub use audit::{AuditFault, AuditHead, AuditReport};
pub use authority::{Actor, AdminTarget, RoleOver};
pub use cases::{CaseDetail, CaseError, CaseHistory, CaseQuery, CaseRequest};
pub use certificates::{
    AcmeCertificateRow, AcmeOrderRow, CertificateOrders, CertificateState, Fitness, MAIN_CERTIFICATE,
    WantedCertificate,
};
pub use checking::{Checking, CheckingReport};
pub use delegation::{DelegationDetail, DelegationError, DelegationQuery, NewDelegation, Revoked};
pub use deliver::{Arrival, DeliverError, Delivery};
pub use directory::{DirectoryEntry, DirectoryUnit, OpenDirectory};
pub use dmarc::DmarcSummary;
pub use entries::{Apart, Entries, Sums};
pub use error::Error;
pub use figures::Figures;
pub use flags::{FlagEdit, FlagMode, StoreError, Stored};
pub use folders::{CreateError, DeleteError, Folder, RenameError, SubscribeError};
pub use forwarding::{ForwardDetail, ForwardError, ForwardListed, ForwardQuery, ForwardStop};
pub use groups::{GroupDetail, GroupError, GroupMember, HeldMessage, NewGroup};
pub use handling::{HandledMail, HandlingDetail, HandlingError, HandlingStep};
pub use handover::{HandedOver, Handover, HandoverError, NewHandover};
pub use holds::{Held, Release};
pub use hub::{RightsWatch, Watch};
pub use identity::{LoginError, Origin, Principal, Protocol};
pub use jobs::JobRow;
pub use learning::{LessonQuery, LessonReport};
pub use life::{Archive, Export, LifeDetail, LockDetail, LockDone, LockEvidence, Unlocked};
pub use listing::{FolderStatus, Listing};
pub use logins::{LoginOutcome, LoginQuery, LoginReport, LoginSeen};
pub use mailboxes::{Alias, LastUse, MailboxDetail, MailboxQuery, Use};
pub use message::{Body, Message, Piece, Wanted};
pub use organisation::{
    Below, ClassChange, Founding, FurtherOffice, LinkPerson, Linked, MoveOptions, NewAppointment, NewUnit,
    OpenHanded, OrganisationError, Owner, PersonDetail, PersonMove, PersonMoved, Positions, Post, UnitAct,
    UnitAdded, UnitChange, UnitDetail, UnitEvent, classes_as_json, forwards_as_json,
};
pub use others::{OTHER_USERS, Place, Shared};
pub use outgoing::Wishes;
pub use passwords::{ChangeError, ResetRow};
pub use policy::PolicyEdit;
pub use provisioning::{
    Batch, Column, GrantError, Granted, Import, ImportPlan, ImportRow, Imported, Issued, NamedMailbox,
    RowFault, RowPlan, Sheet, import_digest,
};
pub use quarantine::{QuarantineError, QuarantineQuery, QuarantinedMessage};
pub use queue::{AtHand, Contact, OutgoingOctets, Unreachable};
pub use queue_admin::{QueueError, QueueMessage};
pub use quota::QuotaRow;
pub use recipients::{Recipient, RecipientError, SenderError};
pub use renderings::Renderings;
pub use requests::{
    DOCUMENT_BYTES_MAX, NewRequest, RequestDetail, RequestError, RequestHistory, RequestQuery,
};
pub use reviews::{
    ReviewAnswer, ReviewAnswerRow, ReviewAnswered, ReviewDetail, ReviewError, ReviewFault, ReviewMistake,
    ReviewQuery, ReviewShown,
};
pub use search::{
    Candidates, SEARCH_DIRECT, SEARCH_HEADER_BYTES_MAX, SEARCH_TEXT_BYTES_MAX, Search, SearchLag, SearchPlace,
};
pub use sender::Sender;
pub use sending::SendingDetail;
pub use sieve::{ScriptVersion, SieveError, SieveOwner, SieveScript};
pub use spool::Spool;
pub use store::SharedAct;
pub use store::{AnnouncementRow, AuditFilter, AuditRow, EventRow, HoldRow};
pub use store::{
    Claimed, LeasedDelivery, LeasedRecipient, QueueCounts, QueueDestinationRow, QueueFilter, QueueLease,
    QueueRow, QueueState, ScheduledRow, WantedWork,
};
pub use store::{DkimKeyRow, DmarcReportRow, DmarcSource};
pub use store::{DomainRow as DomainSummary, Gone, MoveRow, MoveState, MoveStep, RoleRow as RoleGiven};
pub use store::{EntryRow, ExportRow, ForwardNamed, LeaveAnswer, LeaveRow, ListedSenderRow};
pub use store::{ReviewMailbox, ReviewRow, ReviewedMailbox, SaidRow};
pub use trace_query::{Course, TRACE_STATUSES, TraceQuery};
pub use view::{FolderView, ViewEntry};
pub use write::{Copied, CopyError, Quota};

use jiff::Timestamp;
use model::{Clock, Network, Rng, TraceId};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use store::Store;

/// What an installation decides about the engine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our name, in trace headers and replies.
    pub hostname: String,
    /// Where messages wait while they arrive; on the same machine, not shared.
    pub spool_dir: PathBuf,
    /// Octets of the largest message taken.
    pub message_bytes_max: u64,
    /// Where people change their passwords.
    pub password_page: String,
    /// Log-in back-off does not apply to these.
    pub exempt_networks: Vec<Network>,
}

/// The one way to do anything. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    settings: Settings,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    intake: intake::Budget,
    spool_room: spool::Room,
    passwords: password::Passwords,
    throttle: throttle::Throttle,
    visits: visits::Visits,
    clouds: clouds::Clouds,
    barred: barred::Barred,
    views: view::Views,
    statuses: listing::Statuses,
    chunks: Arc<chunk_cache::ChunkCache>,
    renderings: Renderings,
    policies: policy::Policies,
    hub: hub::Hub,
    answers: certificates::Answers,
    noted: activity::Noted,
    acts: acts::Acts,
    sizes: attachments::Sizes,
    /// What came in others' names, until it is written.
    dmarc: dmarc::Gathered,
    /// What was seen of others' TLS, until it is written.
    tls: tls_reports::Gathered,
    forwards: forwarding::Forwards,
    sieves: sieve::Sieves,
    words: tokio::sync::RwLock<search::Vocabulary>,
    facts: search::FactsCache,
    pending: tokio::sync::Notify,
    /// There is mail for others that somebody may take.
    outgoing: tokio::sync::Notify,
    /// What return paths are sealed with, once it was needed.
    return_paths: tokio::sync::OnceCell<return_path::Seal>,
    /// Who looks at what messages hold; empty in commands, which carry none.
    scanners: std::sync::OnceLock<guard::Scanners>,
    /// Who teaches the filter for spam what users say; empty in commands, and where it is not to learn.
    learner: std::sync::OnceLock<guard::Learner>,
    /// While it is away, this node does not ask it all the time.
    learner_rest: std::sync::Mutex<learning::Rest>,
    /// Whom to ask about the domains of others; none in commands that do not.
    resolver: std::sync::OnceLock<guard::Resolver>,
    /// Who takes reports to web servers; none in commands that send none.
    poster: std::sync::OnceLock<guard::Poster>,
    /// Names this process in the leases that it takes.
    node: String,
    /// Contents that came since the start; those who work behind them look how fast they come.
    arrivals: std::sync::atomic::AtomicUsize,
    /// The database that the views, chunks and renderings are of.
    incarnation: Mutex<Option<store::Incarnation>>,
}

impl Engine {
    #[must_use]
    pub fn new(store: Store, settings: Settings, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self {
        let mut name = [0; 8];
        rng.fill(&mut name);
        let node = format!("{}/{:016x}", settings.hostname, u64::from_be_bytes(name));
        Self(Arc::new(Inner {
            passwords: password::Passwords::new(&*rng),
            store,
            settings,
            clock,
            rng,
            intake: intake::Budget::new(),
            spool_room: spool::Room::new(),
            throttle: throttle::Throttle::default(),
            visits: visits::Visits::default(),
            clouds: clouds::Clouds::default(),
            barred: barred::Barred::default(),
            views: view::Views::default(),
            statuses: listing::Statuses::default(),
            chunks: Arc::new(chunk_cache::ChunkCache::default()),
            renderings: Renderings::default(),
            policies: policy::Policies::default(),
            hub: hub::Hub::default(),
            answers: certificates::Answers::default(),
            noted: activity::Noted::default(),
            acts: acts::Acts::default(),
            sizes: attachments::Sizes::default(),
            dmarc: dmarc::Gathered::default(),
            tls: tls_reports::Gathered::default(),
            forwards: forwarding::Forwards::default(),
            sieves: sieve::Sieves::default(),
            words: tokio::sync::RwLock::default(),
            facts: search::FactsCache::default(),
            pending: tokio::sync::Notify::new(),
            outgoing: tokio::sync::Notify::new(),
            return_paths: tokio::sync::OnceCell::new(),
            scanners: std::sync::OnceLock::new(),
            learner: std::sync::OnceLock::new(),
            learner_rest: std::sync::Mutex::default(),
            resolver: std::sync::OnceLock::new(),
            poster: std::sync::OnceLock::new(),
            node,
            arrivals: std::sync::atomic::AtomicUsize::new(0),
            incarnation: Mutex::default(),
        }))
    }

    #[must_use]
    pub fn hostname(&self) -> &str {
        &self.0.settings.hostname
    }

    /// Where people change their passwords, as mail programs are told.
    #[must_use]
    pub fn password_page(&self) -> &str {
        &self.0.settings.password_page
    }

    /// Octets of the largest message taken (RFC 1870 SIZE).
    #[must_use]
    pub fn message_bytes_max(&self) -> u64 {
        self.0.settings.message_bytes_max
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// What doors keep of what they wrote of contents.
    #[must_use]
    pub fn renderings(&self) -> &Renderings {
        &self.0.renderings
    }

    /// A fresh id for a connection.
    #[must_use]
    pub fn new_trace(&self) -> TraceId {
        let mut bytes = [0; 8];
        self.0.rng.fill(&mut bytes);
        TraceId(u64::from_be_bytes(bytes))
    }

    /// Does the database answer?
    pub async fn is_ready(&self) -> bool {
        self.0.store.is_ready().await
    }
}

#[cfg(test)]
mod tests;
