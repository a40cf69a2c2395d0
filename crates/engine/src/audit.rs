//! Reading the administrators' log (nhật ký quản trị), and proving that nobody has changed, left out or cut off any of it.
//!
//! Invariants: a row that was changed, put in, taken out or moved breaks the chain and is named; a chain that was cut off at its
//! end, or made anew as a whole, is shown by comparing it with a head that was written down before and kept elsewhere.

mod target;

pub(crate) use target::AuditKind;

use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use jiff::Timestamp;
use model::Action;
use store::{AuditFilter, AuditRow, CHAIN_START};

/// Rows read at once while verifying.
const PAGE: u32 = 2_000;
/// Rows of a listing at most.
const LIST_MAX: u32 = 1_000;

/// How the log stood at one moment; signed and kept elsewhere, it shows later what is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// When it was written down.
    pub at: Timestamp,
    /// How many rows there are up to and with this one.
    pub rows: u64,
    /// Number of the newest row; 0 when there is none.
    pub id: i64,
    pub digest: [u8; 32],
}

/// What is wrong with the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    #[error("row {0} was changed: its digest is not that of what it says")]
    Changed(i64),
    #[error(
        "before row {0} rows were taken out, put in or put elsewhere: it does not follow the row before it"
    )]
    Torn(i64),
    #[error("the log is cut off: the head of {at} shows row {id}, and the log ends at row {end}")]
    CutOff { at: Timestamp, id: i64, end: i64 },
    #[error("row {id} is not the one the head of {at} shows: the log was made anew")]
    MadeAnew { at: Timestamp, id: i64 },
}

/// What verifying found. Numbers without a row are acts that were rolled back, or a jump after a failover, as long as the chain
/// is whole across them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    pub head: AuditHead,
    pub numbers_unused: u64,
    /// The first fault; what comes after it is not looked at.
    pub fault: Option<AuditFault>,
}

/// The walk along the chain.
struct Walk<'h> {
    heads: &'h [AuditHead],
    rows: u64,
    id: i64,
    digest: Vec<u8>,
    numbers_unused: u64,
}

impl Walk<'_> {
    fn step(&mut self, row: &AuditRow) -> Result<(), AuditFault> {
        if row.previous != self.digest {
            return Err(AuditFault::Torn(row.id));
        }
        if row.digest != row.seal() {
            return Err(AuditFault::Changed(row.id));
        }
        // A head of a row between the one before and this one, which is not there.
        if let Some(head) = self.heads.iter().find(|head| (self.id + 1..row.id).contains(&head.id)) {
            return Err(AuditFault::MadeAnew { at: head.at, id: head.id });
        }
        self.numbers_unused += row.id.abs_diff(self.id).saturating_sub(1);
        self.rows += 1;
        self.id = row.id;
        self.digest.clone_from(&row.digest);
        match self.heads.iter().find(|head| head.id == row.id) {
            Some(head) if head.rows != self.rows || row.digest != head.digest => {
                Err(AuditFault::MadeAnew { at: head.at, id: row.id })
            }
            _ => Ok(()),
        }
    }

    /// At the end: heads of rows that never came.
    fn end(&self) -> Option<AuditFault> {
        let missing = self.heads.iter().find(|head| head.id > self.id)?;
        Some(AuditFault::CutOff { at: missing.at, id: missing.id, end: self.id })
    }
}

impl Engine {
    /// Walks along the whole log, and compares it with heads that were written down before.
    ///
    /// # Errors
    /// `Denied`; when the database fails. A fault of the log is no error but the answer.
    pub async fn verify_audit(&self, actor: &Actor, heads: &[AuditHead]) -> Result<AuditReport, AdminError> {
        self.authorize(actor, Action::AuditVerify, &AdminTarget::System).await?;
        let mut walk = Walk { heads, rows: 0, id: 0, digest: CHAIN_START.to_vec(), numbers_unused: 0 };
        // From below every number, as one may have been changed to anything.
        let mut after = i64::MIN;
        let fault = 'log: loop {
            let page = self.0.store.audit_chain(after, PAGE).await?;
            for row in &page {
                if let Err(fault) = walk.step(row) {
                    break 'log Some(fault);
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE as usize => after = last.id,
                _ => break walk.end(),
            }
        };
        let digest = walk.digest.try_into().unwrap_or(CHAIN_START);
        let head = AuditHead { at: self.now(), rows: walk.rows, id: walk.id, digest };
        Ok(AuditReport { head, numbers_unused: walk.numbers_unused, fault })
    }

    /// The daily walk; how the log stands goes into the system's log, where it is out of reach of whoever runs this server if
    /// that is kept elsewhere.
    pub(crate) async fn watch_audit(&self) -> Result<String, Error> {
        let report = match self.verify_audit(&Actor::system("verify-audit"), &[]).await {
            Ok(report) => report,
            Err(AdminError::Engine(error)) => return Err(error),
            Err(_) => return Err(Error::Unavailable),
        };
        let digest: String = report.head.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let (rows, last) = (report.head.rows, report.head.id);
        if let Some(fault) = &report.fault {
            tracing::error!(%fault, rows, "the administrators' log was tampered with");
            return Ok(format!("TAMPERED: {fault}"));
        }
        tracing::info!(rows, last, digest, "the administrators' log is whole");
        Ok(format!("{rows} rows up to {last} are whole, digest {digest}"))
    }

    /// Acts that he may see, the newest first, a thousand at most. A target without its kind is sought among all kinds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_rows(
        &self,
        actor: &Actor,
        filter: &AuditFilter<'_>,
    ) -> Result<Vec<AuditRow>, AdminError> {
        let reach = actor.reach(Action::AuditShow);
        let domains = (!reach.everything).then_some(reach.domains.as_slice());
        let limit = filter.limit.min(LIST_MAX);
        let aliases = filter.target.map(target::aliases).unwrap_or_default();
        let filter = AuditFilter { domains, limit, aliases: &aliases, ..*filter };
        Ok(self.0.store.audit_rows(&filter).await?)
    }
}
