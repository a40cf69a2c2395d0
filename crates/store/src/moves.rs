//! Mailboxes that move to another domain: the plan, and batches of its steps.
//!
//! Invariants: a batch of steps is done, and marked as done, in one transaction that holds the mailboxes' locks; so whatever
//! is killed, a mailbox has one primary address, and the steps say which. A batch holds the move's state, too: who undoes or
//! cancels a move waits for the batch under way, and none comes after.

mod organisation;
mod steps;

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, Address, DomainId, DomainName};

const DAMAGED: Error = Error::Damaged("a move has a value this version does not know");

/// Where a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveState {
    Planned,
    Running,
    Done,
    Undoing,
    Undone,
    Cancelled,
}

impl MoveState {
    const ALL: [Self; 6] =
        [Self::Planned, Self::Running, Self::Done, Self::Undoing, Self::Undone, Self::Cancelled];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Done => "done",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A move with the count of its steps.
#[derive(Clone, Debug)]
pub struct MoveRow {
    pub id: i64,
    pub from: DomainName,
    pub to: DomainName,
    pub from_id: DomainId,
    pub to_id: DomainId,
    pub state: MoveState,
    pub reason: String,
    pub planned_by: String,
    pub planned_at: Timestamp,
    pub alias_until: Option<Timestamp>,
    pub undo_until: Option<Timestamp>,
    pub pending: u64,
    pub done: u64,
    pub undone: u64,
    pub skipped: u64,
    pub conflicts: u64,
}

/// A move that is to be planned.
#[derive(Clone, Copy, Debug)]
pub struct NewMove<'a> {
    pub from: DomainId,
    pub to: DomainId,
    pub reason: &'a str,
    pub planned_by: &'a str,
    pub at: Timestamp,
}

/// One mailbox of a move.
#[derive(Clone, Debug)]
pub struct MoveStep {
    pub account: AccountId,
    pub old: Address,
    /// `None`: a conflict that is not decided.
    pub new: Option<Address>,
    pub display_name: String,
    pub state: String,
}

/// Which way a batch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The new address becomes the primary one.
    Forth,
    /// The old one again.
    Back,
}

impl Direction {
    /// The state of a step that went this way.
    const fn ended(self) -> &'static str {
        match self {
            Self::Forth => "done",
            Self::Back => "undone",
        }
    }
}

type MoveColumns = (
    i64,
    String,
    String,
    i64,
    i64,
    String,
    String,
    String,
    jiff_sqlx::Timestamp,
    Option<jiff_sqlx::Timestamp>,
    Option<jiff_sqlx::Timestamp>,
    Vec<i64>,
);
type StepColumns = (i64, String, Option<String>, String, String);

fn row(columns: MoveColumns) -> Result<MoveRow, Error> {
    let (id, from, to, from_id, to_id, state, reason, planned_by, planned_at, alias, undo, counts) = columns;
    let name = |text: &str| DomainName::new(text).map_err(|_| DAMAGED);
    let count = |at: usize| counts.get(at).copied().unwrap_or_default().unsigned_abs();
    Ok(MoveRow {
        id,
        from: name(&from)?,
        to: name(&to)?,
        from_id: DomainId(from_id),
        to_id: DomainId(to_id),
        state: MoveState::ALL.into_iter().find(|one| one.as_str() == state).ok_or(DAMAGED)?,
        reason,
        planned_by,
        planned_at: planned_at.to_jiff(),
        alias_until: alias.map(jiff_sqlx::Timestamp::to_jiff),
        undo_until: undo.map(jiff_sqlx::Timestamp::to_jiff),
        pending: count(0),
        done: count(1),
        undone: count(2),
        skipped: count(3),
        conflicts: count(4),
    })
}

fn step((account, old, new, display_name, state): StepColumns) -> Result<MoveStep, Error> {
    let address = |text: &str| text.parse::<Address>().map_err(|_| DAMAGED);
    let new = new.as_deref().map(address).transpose()?;
    Ok(MoveStep { account: AccountId(account), old: address(&old)?, new, display_name, state })
}

impl Store {
    /// Every move, the newest first, or this one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn moves(&self, id: Option<i64>) -> Result<Vec<MoveRow>, Error> {
        let rows: Vec<MoveColumns> = sqlx::query_as(
            "select m.move_id, f.name, t.name, m.from_domain, m.to_domain, m.state, m.reason, m.planned_by, m.planned_at,
                    m.alias_until, m.undo_until,
                    (select array[count(*) filter (where s.state = 'pending'), count(*) filter (where s.state = 'done'),
                                  count(*) filter (where s.state = 'undone'), count(*) filter (where s.state = 'skipped'),
                                  count(*) filter (where s.new is null and s.state = 'pending')]
                       from move_steps s where s.move_id = m.move_id)
               from moves m
               join domains f on f.domain_id = m.from_domain
               join domains t on t.domain_id = m.to_domain
              where $1::bigint is null or m.move_id = $1
              order by m.move_id desc",
        )
        .bind(id)
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter().map(row).collect()
    }

    /// Steps of a move by account, from behind `after` on; only the undecided ones if so wished.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn move_steps(
        &self,
        id: i64,
        undecided: bool,
        after: AccountId,
        limit: u32,
    ) -> Result<Vec<MoveStep>, Error> {
        let rows: Vec<StepColumns> = sqlx::query_as(
            "select s.account_id, s.old, s.new, a.display_name, s.state
               from move_steps s join accounts a using (account_id)
              where s.move_id = $1 and s.account_id > $3
                and (not $2 or (s.new is null and s.state = 'pending'))
              order by s.account_id limit $4",
        )
        .bind(id)
        .bind(undecided)
        .bind(after.0)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter().map(step).collect()
    }
}

impl Tx {
    /// Retires aliases whose time is over; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retire_expired_aliases(&mut self, now: Timestamp) -> Result<u64, Error> {
        let retired = sqlx::query(
            "update addresses set kind = 'retired', until = null, retired_at = $1 where kind = 'alias' and until <= $1",
        )
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        let of_groups =
            sqlx::query("update group_addresses set until = null, retired_at = $1 where until <= $1")
                .bind(now.to_sqlx())
                .execute(&mut *self.inner)
                .await?;
        Ok(retired.rows_affected() + of_groups.rows_affected())
    }

    /// Makes a plan for every mailbox whose primary address is in the domain: the same local part in the other one.
    /// Where that is somebody's, or was, the new address is left open.
    ///
    /// # Errors
    /// `moves_one` when another move goes from either domain, or to the one that is to move, and is planned, under way or can still
    /// be undone. (Several domains may move to one: a merger of provinces.)
    pub async fn plan_move(&mut self, new: &NewMove<'_>) -> Result<i64, Error> {
        sqlx::query("select 1 from domains where domain_id in ($1, $2) order by domain_id for no key update")
            .bind(new.from.0)
            .bind(new.to.0)
            .execute(&mut *self.inner)
            .await?;
        let id: Option<i64> = sqlx::query_scalar(
            "insert into moves (from_domain, to_domain, state, reason, planned_by, planned_at)
             select $1, $2, 'planned', $3, $4, $5
              where not exists (select from moves m
                                 where (m.from_domain in ($1, $2) or m.to_domain = $1)
                                   and (m.state in ('planned', 'running', 'undoing')
                                        or m.state = 'done' and m.undo_until >= $5))
             returning move_id",
        )
        .bind(new.from.0)
        .bind(new.to.0)
        .bind(new.reason)
        .bind(new.planned_by)
        .bind(new.at.to_sqlx())
        .fetch_optional(&mut *self.inner)
        .await?;
        let id = id.ok_or_else(|| Error::Constraint("moves_one".to_owned()))?;
        self.add_steps(id).await?;
        Ok(id)
    }

    /// Adds what came into the domain since the plan, and opens again what cannot be had any more. Says how many steps are
    /// not decided.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_plan(&mut self, id: i64) -> Result<u64, Error> {
        self.add_steps(id).await?;
        sqlx::query(
            "update move_steps s set new = null
              where s.move_id = $1 and s.state = 'pending'
                and (exists (select from addresses a where a.address = s.new and a.account_id <> s.account_id)
                     or exists (select from groups b where b.address = s.new)
                     or exists (select from group_addresses b where b.address = s.new))",
        )
        .bind(id)
        .execute(&mut *self.inner)
        .await?;
        let undecided: i64 = sqlx::query_scalar(
            "select count(*) from move_steps where move_id = $1 and state = 'pending' and new is null",
        )
        .bind(id)
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(undecided.unsigned_abs())
    }

    async fn add_steps(&mut self, id: i64) -> Result<(), Error> {
        sqlx::query(
            "insert into move_steps (move_id, account_id, old, new, state)
             select m.move_id, a.account_id, g.address,
                    case when (taken.account_id is null or taken.account_id = a.account_id)
                               and not exists (select from groups b where b.address = wanted.address)
                               and not exists (select from group_addresses b where b.address = wanted.address)
                               and not exists (select from move_steps x where x.move_id = m.move_id and x.new = wanted.address)
                         then wanted.address end,
                    'pending'
               from moves m
               join domains t on t.domain_id = m.to_domain
               join accounts a on a.domain_id = m.from_domain and a.state <> 'deleted'
               join addresses g on g.account_id = a.account_id and g.kind = 'primary'
              cross join lateral (select left(g.address, -length(split_part(g.address, '@', -1))) || t.name) wanted (address)
               left join addresses taken on taken.address = wanted.address
              where m.move_id = $1
             on conflict (move_id, account_id) do nothing",
        )
        .bind(id)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Decides the new address of one mailbox. False when it is not waiting for it.
    ///
    /// # Errors
    /// `move_steps_new` when another mailbox of the move is to have it.
    pub async fn decide_step(&mut self, id: i64, old: &Address, new: &Address) -> Result<bool, Error> {
        let decided = sqlx::query(
            "update move_steps s set new = $3
              where s.move_id = $1 and s.old = $2 and s.state = 'pending'
                and not exists (select from addresses a where a.address = $3 and a.account_id <> s.account_id)
                and not exists (select from groups b where b.address = $3)
                and not exists (select from group_addresses b where b.address = $3)",
        )
        .bind(id)
        .bind(old.to_string())
        .bind(new.to_string())
        .execute(&mut *self.inner)
        .await?;
        Ok(decided.rows_affected() > 0)
    }

    /// Sets the state of a move that is in one of `from`; false when it is in none of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_move_state(
        &mut self,
        id: i64,
        from: &[MoveState],
        to: MoveState,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let from: Vec<&str> = from.iter().map(|state| state.as_str()).collect();
        let set = sqlx::query(
            "update moves set state = $3, started_at = coalesce(started_at, $4),
                    ended_at = case when $3 in ('done', 'undone', 'cancelled') then $4 end
              where move_id = $1 and state = any ($2)",
        )
        .bind(id)
        .bind(from)
        .bind(to.as_str())
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(set.rows_affected() > 0)
    }

    /// # Errors
    /// When the database fails.
    pub async fn set_move_terms(&mut self, id: i64, alias: Timestamp, undo: Timestamp) -> Result<(), Error> {
        sqlx::query("update moves set alias_until = $2, undo_until = $3 where move_id = $1")
            .bind(id)
            .bind(alias.to_sqlx())
            .bind(undo.to_sqlx())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}
