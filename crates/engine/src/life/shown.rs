//! A mailbox's life as administrators see it: its stage, who locked it and why, and what comes next by itself.

use super::rules;
use crate::authority::unless_missing;
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use jiff::civil::Date;
use model::calendar::{WorkCalendar, local_date};
use model::lifecycle::{self, Life};
use model::{AccountState, Action, Address, DomainName, Reason};
use store::{ExportRow, LifeRow};

/// A mailbox with its stage, as lists show it.
#[derive(Clone, Debug)]
pub struct LifeDetail {
    pub address: Address,
    pub display_name: String,
    pub life: Life,
    /// What keeps it from being deleted.
    pub holds: lifecycle::Holds,
    /// The last day of a restoration that was asked for.
    pub restore_due: Option<Date>,
    /// The first day on which the system does by itself what comes next: a locked one is listed, a listed one deleted.
    pub next_on: Option<Date>,
    /// Mail comes in.
    pub receives: bool,
    /// The last archive of it since it went out of use.
    pub export: Option<ExportRow>,
    /// The last day on which backups may hold its mail if it is deleted on `next_on`; of a listed one that nothing holds.
    pub backups_until: Option<Date>,
}

/// Who locked a mailbox, and what of its mail is kept back by that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockDetail {
    /// `None`: he who asks may not lock it; to him it would say who watches, and what they see.
    pub evidence: Option<LockEvidence>,
    /// Messages that it sent and that have not gone.
    pub kept_back: u64,
}

/// What a lock rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockEvidence {
    /// Who locked it, as the audit trail names him; empty where it was not noted.
    pub by: String,
    /// What was seen.
    pub note: String,
}

impl Engine {
    /// The mailbox's stage; `None` when there is no such mailbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn life(&self, actor: &Actor, address: &Address) -> Result<Option<LifeDetail>, AdminError> {
        let allowed = self.authorize(actor, Action::MailboxShow, &AdminTarget::Address(address)).await;
        let Some(()) = unless_missing(allowed)? else { return Ok(None) };
        match self.0.store.life(address).await? {
            Some(row) => Ok(Some(self.life_detail(row, &self.calendar().await?).await?)),
            None => Ok(None),
        }
    }

    /// Mailboxes in this state, by address from behind `after` on: the locked ones, or the deletion list (danh sách xóa).
    ///
    /// # Errors
    /// `NoSuchDomain`, or when the database fails.
    pub async fn lives(
        &self,
        actor: &Actor,
        domain: Option<&DomainName>,
        state: AccountState,
        after: Option<&Address>,
        limit: u32,
    ) -> Result<Vec<LifeDetail>, AdminError> {
        match domain {
            Some(name) => self.authorize(actor, Action::MailboxList, &AdminTarget::Domain(name)).await?,
            // Of all domains at once.
            None if actor.reach(Action::MailboxList).everything => {}
            None => return Err(AdminError::Denied(Reason::Role)),
        }
        let domain = match domain {
            Some(name) => Some(self.domain_id(name).await?),
            None => None,
        };
        let calendar = self.calendar().await?;
        let mut all = Vec::new();
        for row in self.0.store.ending_lives(domain, state, after, limit).await? {
            all.push(self.life_detail(row, &calendar).await?);
        }
        Ok(all)
    }

    async fn life_detail(&self, row: LifeRow, calendar: &WorkCalendar) -> Result<LifeDetail, Error> {
        let rules = rules(&*self.policy_of(row.domain).await?);
        let restore_due = lifecycle::restore_due_on(&row.life, &rules, calendar);
        let next_on = lifecycle::next_by_itself_on(&row.life, &rules, calendar);
        let receives = row.life.receives(&rules);
        let export = self.0.store.last_export(row.account).await?;
        let holds = row.holds.under(&rules);
        let goes_on = next_on.filter(|_| row.life.state() == AccountState::ToBeDeleted && !holds.any());
        let backups_until =
            goes_on.map(|day| lifecycle::backups_until(day.max(local_date(self.now())), &rules));
        let LifeRow { address, display_name, life, .. } = row;
        Ok(LifeDetail {
            address,
            display_name,
            life,
            holds,
            restore_due,
            next_on,
            receives,
            export,
            backups_until,
        })
    }

    /// The last day on which backups may hold what is deleted in this domain now.
    ///
    /// # Errors
    /// `NoSuchDomain`, `Denied`.
    pub async fn backups_until(&self, actor: &Actor, domain: &DomainName) -> Result<Date, AdminError> {
        self.authorize(actor, Action::PolicyShow, &AdminTarget::Domain(domain)).await?;
        let policy = self.policy_of(self.domain_id(domain).await?).await?;
        Ok(lifecycle::backups_until(local_date(self.now()), &rules(&policy)))
    }

    /// Who locked a mailbox that is locked or listed, and why, as far as he who asks may know it; `None` when it is neither.
    ///
    /// # Errors
    /// As [`Engine::life`].
    pub async fn lock_detail(
        &self,
        actor: &Actor,
        address: &Address,
    ) -> Result<Option<LockDetail>, AdminError> {
        let allowed = self.authorize(actor, Action::MailboxShow, &AdminTarget::Address(address)).await;
        let Some(()) = unless_missing(allowed)? else { return Ok(None) };
        let Some(row) = self.0.store.life(address).await? else { return Ok(None) };
        if !matches!(row.life, Life::Locked { .. } | Life::ToBeDeleted { .. }) {
            return Ok(None);
        }
        let evidence = match self.may(actor, Action::MailboxLock, &AdminTarget::Address(address)).await? {
            true => {
                let (by, note) = self.0.store.lock_note(row.account).await?.unwrap_or_default();
                Some(LockEvidence { by, note })
            }
            false => None,
        };
        let kept_back = self.0.store.kept_back_of(row.account).await?;
        Ok(Some(LockDetail { evidence, kept_back }))
    }
}
