//! A domain's mailboxes move to another domain (sáp nhập tỉnh, đổi tên miền): preview, run, report, undo.
//!
//! A mailbox keeps its number, mail, password and sessions; its old address goes on receiving as an alias for as long as the
//! policy says. Invariants: nothing moves while an address is undecided; each batch is one transaction, so a run that was
//! killed goes on where it was, by the next `run` or by itself; what was undone can be told from what never moved.

mod telling;

use crate::admin::check_reason;
use crate::authority::unless_missing;
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use jiff::{SignedDuration, Timestamp};
use model::calendar::{local_date, plus_days, plus_months, start_of_day};
use model::{AccountId, Action, Address, DomainName};
use serde_json::json;
use store::{Direction, MoveRow, MoveState, MoveStep, NewMove};

/// Mailboxes of one transaction: short enough that their users do not notice.
const BATCH: u32 = 200;
/// What keeps a move from being undone, of which so many are named at once.
const OBSTACLES_MAX: u32 = 50;
/// Times a batch is tried anew when others got in between.
const ATTEMPTS: u32 = 5;

impl Engine {
    /// Plans the move of every mailbox of `from`, with its units and people. Nothing is changed but the plan.
    ///
    /// # Errors
    /// `NoSuchDomain`, `SameDomain`, `MoveExists`.
    pub async fn plan_move(
        &self,
        actor: &Actor,
        (from, to): (&DomainName, &DomainName),
        reason: &str,
    ) -> Result<MoveRow, AdminError> {
        self.authorize(actor, Action::DomainMove, &AdminTarget::Domain(from)).await?;
        self.authorize(actor, Action::DomainMove, &AdminTarget::Domain(to)).await?;
        if from == to {
            return Err(AdminError::SameDomain);
        }
        check_reason(reason)?;
        let new = NewMove {
            from: self.domain_id(from).await?,
            to: self.domain_id(to).await?,
            reason,
            planned_by: actor.name(),
            at: self.now(),
        };
        let mut tx = self.0.store.begin().await?;
        let id = tx.plan_move(&new).await?;
        self.audit_move(
            &mut tx,
            actor,
            from,
            &json!({ "act": "plan", "move": id, "to": to.as_str(), "reason": reason }),
        )
        .await?;
        tx.commit().await?;
        self.move_row(id).await
    }

    /// Decides the new address of a mailbox that has not moved yet.
    ///
    /// # Errors
    /// `NoSuchMove`, `MoveState`, `OddAddress`, `NoSuchDomain` when it is in another domain, `AddressTaken`, `NoSuchMailbox`
    /// when it is not part of the move.
    pub async fn decide_move(
        &self,
        actor: &Actor,
        id: i64,
        (old, new): (&Address, &Address),
    ) -> Result<(), AdminError> {
        let plan = self.move_for(actor, id).await?;
        if !matches!(plan.state, MoveState::Planned | MoveState::Running) {
            return Err(AdminError::MoveState(plan.state.as_str()));
        }
        if !new.is_plain() {
            return Err(AdminError::OddAddress(new.clone()));
        }
        if new.domain() != &plan.to {
            return Err(AdminError::NoSuchDomain(new.domain().clone()));
        }
        let mut tx = self.0.store.begin().await?;
        if !tx.decide_step(id, old, new).await? {
            drop(tx);
            // Its own alias, of a move that was undone, it may have.
            return Err(match self.0.store.was_given_out(new).await? {
                true => AdminError::AddressTaken,
                false => AdminError::NoSuchMailbox(old.clone()),
            });
        }
        let detail = json!({ "act": "decide", "move": id, "old": old.to_string(), "new": new.to_string() });
        self.audit_move(&mut tx, actor, &plan.from, &detail).await?;
        Ok(tx.commit().await?)
    }

    /// Carries out a planned move, or goes on with one that was cut off; tells every owner. Returns when all is done.
    ///
    /// # Errors
    /// `NoSuchMove`, `MoveState`, `Undecided`.
    pub async fn run_move(&self, actor: &Actor, id: i64) -> Result<MoveRow, AdminError> {
        let plan = self.move_for(actor, id).await?;
        match plan.state {
            MoveState::Planned => self.start_move(actor, &plan).await?,
            MoveState::Running | MoveState::Done => {}
            MoveState::Undoing | MoveState::Undone | MoveState::Cancelled => {
                return Err(AdminError::MoveState(plan.state.as_str()));
            }
        }
        if plan.state != MoveState::Done {
            self.move_everybody(id).await?;
        }
        self.end_move(actor, &plan, MoveState::Running, MoveState::Done).await?;
        self.tell_owners(id, Direction::Forth).await?;
        self.move_row(id).await
    }

    /// Gives every mailbox its old address back and tells every owner; the new ones go on receiving as aliases for as long.
    ///
    /// # Errors
    /// `NoSuchMove`, `MoveState`, `UndoOver`; `GrownTogether` where units, people or mailboxes of the one domain have come to stand
    /// in units of the other since.
    pub async fn undo_move(&self, actor: &Actor, id: i64) -> Result<MoveRow, AdminError> {
        let plan = self.move_for(actor, id).await?;
        if matches!(plan.state, MoveState::Running | MoveState::Done) {
            if let Some(until) = plan.undo_until.filter(|until| *until < self.now()) {
                return Err(AdminError::UndoOver(until));
            }
            let mut tx = self.0.store.begin().await?;
            let from = [MoveState::Running, MoveState::Done];
            if tx.set_move_state(id, &from, MoveState::Undoing, self.now()).await? {
                let obstacles = tx.undo_obstacles(id, OBSTACLES_MAX).await?;
                if !obstacles.is_empty() {
                    return Err(AdminError::GrownTogether(obstacles));
                }
                tx.return_organisation(id).await?;
                self.audit_move(&mut tx, actor, &plan.from, &json!({ "act": "undo", "move": id })).await?;
                tx.commit().await?;
            }
        } else if !matches!(plan.state, MoveState::Undoing | MoveState::Undone) {
            return Err(AdminError::MoveState(plan.state.as_str()));
        }
        if plan.state != MoveState::Undone {
            self.do_all_steps(id, Direction::Back).await?;
        }
        self.end_move(actor, &plan, MoveState::Undoing, MoveState::Undone).await?;
        self.tell_owners(id, Direction::Back).await?;
        self.move_row(id).await
    }

    /// Gives up a plan that was not started.
    ///
    /// # Errors
    /// `NoSuchMove`, `MoveState`.
    pub async fn cancel_move(&self, actor: &Actor, id: i64) -> Result<(), AdminError> {
        let plan = self.move_for(actor, id).await?;
        let mut tx = self.0.store.begin().await?;
        if !tx.set_move_state(id, &[MoveState::Planned], MoveState::Cancelled, self.now()).await? {
            return Err(AdminError::MoveState(plan.state.as_str()));
        }
        self.audit_move(&mut tx, actor, &plan.from, &json!({ "act": "cancel", "move": id })).await?;
        Ok(tx.commit().await?)
    }

    /// Every move, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn moves(&self, actor: &Actor) -> Result<Vec<MoveRow>, AdminError> {
        // Who may move one domain may move all: it is a system administrator's.
        if !actor.reach(Action::DomainMove).everything {
            return Ok(Vec::new());
        }
        Ok(self.0.store.moves(None).await?)
    }

    /// The steps of a move in pages, from behind `after` on.
    ///
    /// # Errors
    /// `NoSuchMove`.
    pub async fn move_steps(
        &self,
        actor: &Actor,
        id: i64,
        undecided: bool,
        after: AccountId,
        limit: u32,
    ) -> Result<Vec<MoveStep>, AdminError> {
        self.move_for(actor, id).await?;
        Ok(self.0.store.move_steps(id, undecided, after, limit).await?)
    }

    /// The move, if the actor may carry it out.
    async fn move_for(&self, actor: &Actor, id: i64) -> Result<MoveRow, AdminError> {
        let row = self.move_row(id).await?;
        for domain in [&row.from, &row.to] {
            let allowed = self.authorize(actor, Action::DomainMove, &AdminTarget::Domain(domain)).await;
            unless_missing(allowed)?.ok_or(AdminError::NoSuchMove(id))?;
        }
        Ok(row)
    }

    async fn move_row(&self, id: i64) -> Result<MoveRow, AdminError> {
        self.0.store.moves(Some(id)).await?.pop().ok_or(AdminError::NoSuchMove(id))
    }

    async fn start_move(&self, actor: &Actor, plan: &MoveRow) -> Result<(), AdminError> {
        let life = self.policy_of(plan.from_id).await?;
        let now = self.now();
        let months = u16::try_from(life.naming.alias_months).unwrap_or(u16::MAX);
        // To the end of that day.
        let alias_until = start_of_day(plus_days(plus_months(local_date(now), months), 1));
        let days = SignedDuration::from_hours(24 * i64::from(life.life.undo_days));
        let undo_until = now.saturating_add(days).unwrap_or(Timestamp::MAX).min(alias_until);
        let mut tx = self.0.store.begin().await?;
        if !tx.set_move_state(plan.id, &[MoveState::Planned], MoveState::Running, now).await? {
            drop(tx);
            return match self.move_row(plan.id).await?.state {
                MoveState::Running => Ok(()),
                other => Err(AdminError::MoveState(other.as_str())),
            };
        }
        let undecided = tx.renew_plan(plan.id).await?;
        if undecided > 0 {
            // What was found undecided is kept, so that it can be looked at and decided.
            drop(tx);
            self.renew_plan(plan.id).await?;
            return Err(AdminError::Undecided(undecided));
        }
        tx.set_move_terms(plan.id, alias_until, undo_until).await?;
        tx.move_organisation(plan.id).await?;
        self.audit_move(&mut tx, actor, &plan.from, &json!({ "act": "run", "move": plan.id })).await?;
        Ok(tx.commit().await?)
    }

    /// Those who came while it ran, too.
    async fn move_everybody(&self, id: i64) -> Result<(), AdminError> {
        loop {
            self.do_all_steps(id, Direction::Forth).await?;
            self.renew_plan(id).await?;
            let row = self.move_row(id).await?;
            if row.pending == 0 {
                return Ok(());
            }
            if row.pending == row.conflicts {
                return Err(AdminError::Undecided(row.conflicts));
            }
        }
    }

    async fn do_all_steps(&self, id: i64, direction: Direction) -> Result<(), AdminError> {
        let mut attempts = 0;
        loop {
            let mut tx = self.0.store.begin().await?;
            let done = match tx.do_steps(id, direction, BATCH, self.now()).await {
                Ok(Some(done)) => done,
                Ok(None) => return Err(AdminError::MoveState(self.move_row(id).await?.state.as_str())),
                // An address was given to somebody else since the start, or others held what this wanted.
                Err(store::Error::Conflict) if attempts < ATTEMPTS => {
                    drop(tx);
                    attempts += 1;
                    self.renew_plan(id).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            tx.commit().await?;
            if done.is_empty() {
                return Ok(());
            }
            done.into_iter().for_each(|account| self.0.hub.tell(account));
        }
    }

    /// Whoever was to have an address that is somebody else's now waits for a decision.
    async fn renew_plan(&self, id: i64) -> Result<(), AdminError> {
        let mut tx = self.0.store.begin().await?;
        tx.renew_plan(id).await?;
        Ok(tx.commit().await?)
    }

    async fn end_move(
        &self,
        actor: &Actor,
        plan: &MoveRow,
        from: MoveState,
        to: MoveState,
    ) -> Result<(), AdminError> {
        let row = self.move_row(plan.id).await?;
        let mut tx = self.0.store.begin().await?;
        if !tx.set_move_state(plan.id, &[from], to, self.now()).await? {
            return Ok(());
        }
        let detail = json!({
            "act": to.as_str(), "move": plan.id, "moved": row.done, "undone": row.undone, "skipped": row.skipped,
        });
        self.audit_move(&mut tx, actor, &plan.from, &detail).await?;
        Ok(tx.commit().await?)
    }

    async fn audit_move(
        &self,
        tx: &mut store::Tx,
        actor: &Actor,
        domain: &DomainName,
        detail: &serde_json::Value,
    ) -> Result<(), AdminError> {
        self.audit(tx, actor, "domain.move", domain.as_str(), detail).await
    }

    /// Goes on with moves that were cut off.
    pub(crate) async fn finish_moves(&self) -> Result<String, Error> {
        let system = Actor::system("moves");
        let mut finished = 0;
        for (id, undoing) in self.0.store.unfinished_moves().await? {
            let ended = match undoing {
                true => self.undo_move(&system, id).await,
                false => self.run_move(&system, id).await,
            };
            match ended {
                Ok(_) => finished += 1,
                Err(error) => tracing::warn!(%error, id, "a move could not be finished"),
            }
        }
        Ok(format!("{finished} moves finished"))
    }

    pub(crate) async fn retire_old_addresses(&self) -> Result<String, Error> {
        let mut tx = self.0.store.begin().await?;
        let retired = tx.retire_expired_aliases(self.now()).await?;
        if retired > 0 {
            let actor = Actor::system("retire-old-addresses");
            let detail = json!({ "addresses": retired });
            let audited = self.audit(&mut tx, &actor, "alias.expire", "*", &detail).await;
            audited.map_err(|_| Error::Unavailable)?;
            tx.commit().await?;
        }
        Ok(format!("{retired} addresses retired"))
    }
}
