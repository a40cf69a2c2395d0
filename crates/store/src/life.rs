//! Stages of mailboxes' lives, as `model::lifecycle` has them.
//!
//! Invariant: a stage is written whole, and with it the security epoch when it ends sessions.

use crate::exports::unexported;
use crate::{Error, Store, Tx};
use jiff::Timestamp;
use model::lifecycle::{DeletionCause, Holds, Life, LockReason, RestoreRequest};
use model::{AccountId, AccountState, Address, DomainId, MailboxClass, UnitId};
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};

const DAMAGED: Error = Error::Damaged("a mailbox's stage is not one that this version knows");

/// A mailbox with its stage.
#[derive(Clone, Debug)]
pub struct LifeRow {
    pub account: AccountId,
    pub domain: DomainId,
    pub unit: Option<UnitId>,
    /// The primary one.
    pub address: Address,
    pub display_name: String,
    pub class: MailboxClass,
    pub life: Life,
    pub holds: Holds,
    pub created_at: Timestamp,
}

/// What `select_lives!` selects.
pub(crate) struct Columns {
    account_id: i64,
    domain_id: i64,
    unit_id: Option<i64>,
    address: String,
    display_name: String,
    class: String,
    state: String,
    created_at: jiff_sqlx::Timestamp,
    life_since: Option<jiff_sqlx::Timestamp>,
    lock_reason: Option<String>,
    deletion_cause: Option<String>,
    restore_request: Option<String>,
    restore_request_at: Option<jiff_sqlx::Timestamp>,
    deletion_confirmed_at: Option<jiff_sqlx::Timestamp>,
    legal_hold: bool,
    handover: bool,
    export_pending: bool,
}

impl FromRow<'_, PgRow> for Columns {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            account_id: row.try_get("account_id")?,
            domain_id: row.try_get("domain_id")?,
            unit_id: row.try_get("unit_id")?,
            address: row.try_get("address")?,
            display_name: row.try_get("display_name")?,
            class: row.try_get("class")?,
            state: row.try_get("state")?,
            created_at: row.try_get("created_at")?,
            life_since: row.try_get("life_since")?,
            lock_reason: row.try_get("lock_reason")?,
            deletion_cause: row.try_get("deletion_cause")?,
            restore_request: row.try_get("restore_request")?,
            restore_request_at: row.try_get("restore_request_at")?,
            deletion_confirmed_at: row.try_get("deletion_confirmed_at")?,
            legal_hold: row.try_get("legal_hold")?,
            handover: row.try_get("handover")?,
            export_pending: row.try_get("export_pending")?,
        })
    }
}

macro_rules! select_lives {
    ($rest:literal) => {
        concat!(
            "select a.account_id, a.domain_id, a.unit_id, g.address, a.display_name, a.class, a.state, a.created_at,
                    a.life_since, a.lock_reason, a.deletion_cause, a.restore_request, a.restore_request_at,
                    a.deletion_confirmed_at, exists (select from holds h where h.account_id = a.account_id and h.kind = 'mailbox'
                             and h.released_at is null) as legal_hold, exists (select from handovers h where h.mailbox_id = a.account_id
                             and h.ended_at is null) as handover,
                    case when a.state in ('locked', 'to_be_deleted') then ",
            unexported!(),
            " else false end as export_pending
               from accounts a
               join addresses g on g.account_id = a.account_id and g.kind = 'primary' ",
            $rest
        )
    };
}

impl Columns {
    pub(crate) fn row(self) -> Result<LifeRow, Error> {
        let created_at = self.created_at.to_jiff();
        let since = self.life_since.as_ref().map_or(created_at, |at| at.to_jiff());
        let request_at = self.restore_request_at.as_ref().map_or(since, |at| at.to_jiff());
        let request = match self.restore_request.as_deref() {
            None => RestoreRequest::None,
            Some("asked") => RestoreRequest::Asked { at: request_at },
            Some(_) => RestoreRequest::Refused { at: request_at },
        };
        let life = match self.state.parse::<AccountState>().map_err(|_| DAMAGED)? {
            AccountState::New => Life::New,
            AccountState::Active => Life::Active { since },
            AccountState::Locked => {
                // One that was locked before there were reasons.
                let reason = self.lock_reason.as_deref().map_or(Some(LockReason::Requested), named);
                Life::Locked { since, reason: reason.ok_or(DAMAGED)?, request }
            }
            AccountState::ToBeDeleted => {
                let cause = self.deletion_cause.as_deref().map_or(Some(DeletionCause::Revoked), named);
                let confirmed = self.deletion_confirmed_at.map(jiff_sqlx::Timestamp::to_jiff);
                Life::ToBeDeleted { since, cause: cause.ok_or(DAMAGED)?, request, confirmed }
            }
            AccountState::Deleted => Life::Deleted { at: since },
        };
        let holds = Holds {
            legal_hold: self.legal_hold,
            handover: self.handover,
            export_pending: self.export_pending,
        };
        Ok(LifeRow {
            account: AccountId(self.account_id),
            domain: DomainId(self.domain_id),
            unit: self.unit_id.map(UnitId),
            address: self.address.parse().map_err(|_| DAMAGED)?,
            display_name: self.display_name,
            class: self.class.parse().map_err(|_| DAMAGED)?,
            life,
            holds,
            created_at,
        })
    }
}

/// The value that serde calls so.
fn named<T: DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::from(name)).ok()
}

fn name(value: &impl serde::Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(ToOwned::to_owned)
}

/// A stage as columns.
#[derive(Default)]
struct Stage {
    state: &'static str,
    since: Option<Timestamp>,
    lock_reason: Option<String>,
    deletion_cause: Option<String>,
    request: Option<&'static str>,
    request_at: Option<Timestamp>,
    confirmed: Option<Timestamp>,
}

impl Stage {
    fn of(life: &Life) -> Self {
        let (request, request_at) = match life.request() {
            RestoreRequest::None => (None, None),
            RestoreRequest::Asked { at } => (Some("asked"), Some(at)),
            RestoreRequest::Refused { at } => (Some("refused"), Some(at)),
        };
        let stage = Self { state: life.state().as_str(), request, request_at, ..Self::default() };
        match life {
            Life::New => stage,
            Life::Active { since } => Self { since: Some(*since), ..stage },
            Life::Locked { since, reason, .. } => {
                Self { since: Some(*since), lock_reason: name(reason), ..stage }
            }
            Life::ToBeDeleted { since, cause, confirmed, .. } => {
                Self { since: Some(*since), deletion_cause: name(cause), confirmed: *confirmed, ..stage }
            }
            Life::Deleted { at } => Self { since: Some(*at), ..stage },
        }
    }
}

impl Store {
    /// The mailbox with this address, an alias too; of a deleted one no address is known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn life(&self, address: &Address) -> Result<Option<LifeRow>, Error> {
        let row: Option<Columns> = sqlx::query_as(select_lives!(
            "join addresses o on o.account_id = a.account_id where o.address = $1 and o.kind <> 'retired'"
        ))
        .bind(address.to_string())
        .fetch_optional(&self.pools.main)
        .await?;
        row.map(Columns::row).transpose()
    }

    /// Mailboxes that are locked or on the deletion list, of one domain or all, by address from behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ending_lives(
        &self,
        domain: Option<DomainId>,
        state: AccountState,
        after: Option<&Address>,
        limit: u32,
    ) -> Result<Vec<LifeRow>, Error> {
        let rows: Vec<Columns> = sqlx::query_as(select_lives!(
            "where a.state = $1 and ($2::bigint is null or a.domain_id = $2)
               and ($3::text is null or g.address > $3) order by g.address limit $4"
        ))
        .bind(state.as_str())
        .bind(domain.map(|domain| domain.0))
        .bind(after.map(ToString::to_string))
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter().map(Columns::row).collect()
    }
}

impl Store {
    /// Who locked the mailbox last, and what he saw; `None` where nobody noted it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_note(&self, account: AccountId) -> Result<Option<(String, String)>, Error> {
        Ok(sqlx::query_as(
            "select locked_by, coalesce(lock_note, '') from accounts where account_id = $1 and locked_by is not null",
        )
        .bind(account.0)
        .fetch_optional(&self.pools.main)
        .await?)
    }
}

impl Tx {
    /// Keeps who locked these mailboxes, which are held, and what he saw.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_locks(
        &mut self,
        accounts: &[AccountId],
        (by, note): (&str, &str),
    ) -> Result<(), Error> {
        sqlx::query("update accounts set locked_by = $2, lock_note = $3 where account_id = any ($1)")
            .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
            .bind(by)
            .bind(note)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// The stage of a mailbox, which nobody else changes until the transaction ends. To be called under the mailbox's
    /// lock, as all who change stages do.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn life(&mut self, account: AccountId) -> Result<Option<LifeRow>, Error> {
        let row: Option<Columns> =
            sqlx::query_as(select_lives!("where a.account_id = $1 for no key update of a"))
                .bind(account.0)
                .fetch_optional(&mut *self.inner)
                .await?;
        row.map(Columns::row).transpose()
    }

    /// Keeps the stage; `ends_sessions` raises the security epoch.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_life(
        &mut self,
        account: AccountId,
        life: &Life,
        ends_sessions: bool,
    ) -> Result<(), Error> {
        self.set_lives(&[(account, *life)], ends_sessions).await
    }

    /// The same for many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_lives(&mut self, lives: &[(AccountId, Life)], ends_sessions: bool) -> Result<(), Error> {
        let stages: Vec<Stage> = lives.iter().map(|(_, life)| Stage::of(life)).collect();
        let sqlx_time = |at: Option<Timestamp>| at.map(jiff_sqlx::ToSqlx::to_sqlx);
        sqlx::query(
            "update accounts a
                set state = n.state, life_since = coalesce(n.since, a.life_since),
                    restored_at = case when n.state = 'active' and a.state in ('locked', 'to_be_deleted') then n.since
                                  else a.restored_at end, lock_reason = n.lock_reason,
                    deletion_cause = n.deletion_cause, restore_request = n.request, restore_request_at = n.request_at,
                    deletion_confirmed_at = n.confirmed, security_epoch = a.security_epoch + $9::integer,
                    out_of_use_since = case when a.state in ('new', 'active') and n.state in ('locked', 'to_be_deleted')
                                            then n.since else a.out_of_use_since end
               from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
                           $7::timestamptz[], $8::timestamptz[])
                    as n (account_id, state, since, lock_reason, deletion_cause, request, request_at, confirmed)
              where a.account_id = n.account_id",
        )
        .bind(lives.iter().map(|(account, _)| account.0).collect::<Vec<_>>())
        .bind(stages.iter().map(|stage| stage.state).collect::<Vec<_>>())
        .bind(stages.iter().map(|stage| sqlx_time(stage.since)).collect::<Vec<_>>())
        .bind(stages.iter().map(|stage| stage.lock_reason.as_deref()).collect::<Vec<_>>())
        .bind(stages.iter().map(|stage| stage.deletion_cause.as_deref()).collect::<Vec<_>>())
        .bind(stages.iter().map(|stage| stage.request).collect::<Vec<_>>())
        .bind(stages.iter().map(|stage| sqlx_time(stage.request_at)).collect::<Vec<_>>())
        .bind(stages.iter().map(|stage| sqlx_time(stage.confirmed)).collect::<Vec<_>>())
        .bind(i32::from(ends_sessions))
        .execute(&mut *self.inner)
        .await?;
        self.forwards_touched(&lives.iter().map(|(account, _)| account.0).collect::<Vec<_>>()).await
    }
}
