//! Mail to large groups that waits for approval (duyệt).

use crate::within::within;
use crate::{Error, Event, Reach, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, ContentId, DomainId, UnitId};

/// Mail to a group that is to wait for approval.
#[derive(Clone, Copy, Debug)]
pub struct NewHeld<'a> {
    pub domain: DomainId,
    /// Of the group.
    pub unit: Option<UnitId>,
    pub group: &'a str,
    pub sender: &'a str,
    pub sender_account: Option<AccountId>,
    pub subject: &'a str,
    pub targets: &'a [crate::Target],
}

/// Mail that waits for approval, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldMessageRow {
    pub held: i64,
    pub domain: DomainId,
    /// Of the group; `None`: it is the domain's.
    pub unit: Option<UnitId>,
    pub group: String,
    pub sender: String,
    pub sender_account: Option<AccountId>,
    pub subject: String,
    pub members: u32,
    pub held_at: Timestamp,
    /// When, by whom, `approved` or `rejected`, and why.
    pub decided: Option<(Timestamp, String, String, String)>,
}

type HeldRow = (
    i64,
    i64,
    String,
    String,
    Option<i64>,
    String,
    i32,
    jiff_sqlx::Timestamp,
    Option<jiff_sqlx::Timestamp>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
);

fn held_message(row: HeldRow) -> HeldMessageRow {
    let (id, domain, group, sender, account, subject, members, at, decided, by, outcome, reason, unit) = row;
    HeldMessageRow {
        held: id,
        domain: DomainId(domain),
        unit: unit.map(UnitId),
        group,
        sender,
        sender_account: account.map(AccountId),
        subject,
        members: u32::try_from(members).unwrap_or(0),
        held_at: at.to_jiff(),
        decided: decided.map(|at| {
            (at.to_jiff(), by.unwrap_or_default(), outcome.unwrap_or_default(), reason.unwrap_or_default())
        }),
    }
}

macro_rules! held_messages {
    () => {
        "select h.held_id, h.domain_id, h.group_name, h.sender, h.sender_id, h.subject, h.members, h.held_at, h.decided_at,
                h.decided_by, h.outcome, h.reason, h.unit_id
           from held_messages h"
    };
}

impl Store {
    /// Mail of the domain that waits for approval, as far as `reach` goes, the oldest first; with `decided`, what was decided
    /// lately, too.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn held_messages(
        &self,
        reach: &Reach,
        domain: DomainId,
        (decided, limit): (bool, u32),
    ) -> Result<Vec<HeldMessageRow>, Error> {
        let statement = if decided {
            concat!(
                "select * from (",
                held_messages!(),
                " where h.domain_id = $1 and ",
                within!("h"),
                " order by h.held_id desc limit $2) as last order by held_id"
            )
        } else {
            concat!(
                held_messages!(),
                " where h.domain_id = $1 and h.outcome is null and ",
                within!("h"),
                " order by h.held_id limit $2"
            )
        };
        let rows: Vec<HeldRow> = sqlx::query_as(statement)
            .bind(domain.0)
            .bind(i64::from(limit))
            .bind(reach.everything)
            .bind(&reach.domains)
            .bind(&reach.subtree_units)
            .fetch_all(&self.pools.main)
            .await?;
        Ok(rows.into_iter().map(held_message).collect())
    }

    /// # Errors
    /// When the database fails.
    pub async fn held_message(&self, held: i64) -> Result<Option<HeldMessageRow>, Error> {
        let row: Option<HeldRow> = sqlx::query_as(concat!(held_messages!(), " where h.held_id = $1"))
            .bind(held)
            .fetch_optional(&self.pools.main)
            .await?;
        Ok(row.map(held_message))
    }

    /// What waits for approval as it came, and the domain of who sent it where it was somebody here. `None`: it was decided.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn held_content(&self, held: i64) -> Result<Option<(ContentId, Option<DomainId>)>, Error> {
        let found: Option<(i64, Option<i64>)> = sqlx::query_as(
            "select h.content_id, a.domain_id from held_messages h left join accounts a on a.account_id = h.sender_id
              where h.held_id = $1 and h.outcome is null",
        )
        .bind(held)
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(found.map(|(content, domain)| (ContentId(content), domain.map(DomainId))))
    }
}

impl Tx {
    /// Keeps an added content for those who are to get it once somebody has approved, not before the moment of `release`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_message(
        &mut self,
        content: ContentId,
        new: &NewHeld<'_>,
        event: &Event<'_>,
        release: Option<(Timestamp, i64)>,
    ) -> Result<i64, Error> {
        let held: i64 = sqlx::query_scalar(
            "insert into held_messages (domain_id, group_name, content_id, sender_id, sender, subject, members, held_at, trace,
                                        about, unit_id)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning held_id",
        )
        .bind(new.domain.0)
        .bind(new.group)
        .bind(content.0)
        .bind(new.sender_account.map(|account| account.0))
        .bind(new.sender)
        .bind(new.subject)
        .bind(i32::try_from(new.targets.len()).unwrap_or(i32::MAX))
        .bind(event.at.to_sqlx())
        .bind(event.trace)
        .bind(event.about)
        .bind(new.unit.map(|unit| unit.0))
        .fetch_one(&mut *self.inner)
        .await?;
        self.wait_for_hand_out(content, new.targets, (Some(held), event.at), release).await?;
        Ok(held)
    }

    /// Lets what waits go on its way, or forgets it. False when it was decided before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn decide_held(
        &mut self,
        held: i64,
        approved: bool,
        (by, reason): (&str, &str),
        now: Timestamp,
    ) -> Result<bool, Error> {
        let outcome = if approved { "approved" } else { "rejected" };
        let done = sqlx::query(
            "update held_messages set outcome = $2, decided_by = $3, reason = $4, decided_at = $5
              where held_id = $1 and outcome is null",
        )
        .bind(held)
        .bind(outcome)
        .bind(by)
        .bind(reason)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        // While it is known for whom: by the index of what names it.
        sqlx::query(
            "insert into events (at, kind, trace, account_id, sender, recipients, size, status, about)
             select $2, 'received', h.trace, h.sender_id, h.sender,
                    (select array_agg(r) from pending_deliveries p, unnest(p.recipients) r where p.held_id = $1),
                    (select c.size from contents c where c.content_id = h.content_id), $3, h.about
               from held_messages h where h.held_id = $1",
        )
        .bind(held)
        .bind(now.to_sqlx())
        .bind(if approved { "delivered" } else { outcome })
        .execute(&mut *self.inner)
        .await?;
        if approved {
            sqlx::query(
                "update pending_deliveries set held_id = null, internal_date = greatest($2, release_at) where held_id = $1",
            )
            .bind(held)
            .bind(now.to_sqlx())
            .execute(&mut *self.inner)
            .await?;
        } else {
            self.forget_held(held, now).await?;
        }
        Ok(true)
    }

    /// Nobody gets it; what its sender could have called it back by ends with it.
    async fn forget_held(&mut self, held: i64, now: Timestamp) -> Result<(), Error> {
        let messages: Vec<i64> = sqlx::query_scalar(
            "select message_id from queue_messages
              where message_id in (select message_id from pending_deliveries where held_id = $1)
              order by message_id for update",
        )
        .bind(held)
        .fetch_all(&mut *self.inner)
        .await?;
        sqlx::query(
            "with gone as (delete from pending_deliveries where held_id = $1 returning content_id)
             insert into sweep_candidates (content_id, noted_at) select distinct content_id, $2 from gone",
        )
        .bind(held)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        self.end_these_messages(&messages, now).await
    }
}
