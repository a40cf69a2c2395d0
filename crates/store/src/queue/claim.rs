//! Taking work: a due destination, and some of what is due there, under a lease.
//!
//! Invariants: one short transaction, and nothing is said to the other side before it is committed; a destination that rests
//! gets one delivery at a time; the first class of mail leaves a quarter of each claim to the others where they wait.

use crate::queue::never;
use crate::{Error, PassedOn, Store, Tx};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use model::queue::{Answer, Needs, Notify, Return, Status};
use model::{AccountId, ContentId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use std::collections::HashMap;

/// Destinations without anything due that one call passes over.
const IDLE_MAX: usize = 100;

/// The class of reports: the last.
const REPORTS: i16 = 2;

/// A destination that is worth looking at: $1 now, $2 not these, $3 only these. By `queue_destinations_next`.
const DUE: &str = "select destination_id, name, failures from queue_destinations
      where next_at <= $1 and destination_id <> all ($2) and ($3::bigint[] is null or destination_id = any ($3))
      order by next_at limit 1 for no key update skip locked";

/// The same for what is no report, by `queue_destinations_mail`.
pub(crate) const DUE_MAIL: &str = "select destination_id, name, failures from queue_destinations
      where mail_at <= $1 and next_at <= $1 and destination_id <> all ($2) and ($3::bigint[] is null or destination_id = any ($3))
      order by mail_at limit 1 for no key update skip locked";

/// What is due at a destination.
struct Due {
    chosen: Vec<i64>,
    /// There may be more.
    more: bool,
    /// Something of it is no report.
    has_mail: bool,
}

/// Which destinations a node would work for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedWork {
    /// None of these.
    pub busy: Vec<i64>,
    /// Only these, where it says which.
    pub only: Option<Vec<i64>>,
    /// Not those for which nothing is due but reports.
    pub no_reports: bool,
}

/// A node's claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueLease {
    pub lease: i64,
    /// Number and name; `None`: deliveries of several.
    pub destination: Option<(i64, String)>,
    /// How often running the destination could not be reached; from 1 on this is a probe.
    pub failures: u32,
}

/// Work, with what is needed to do it.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub lease: QueueLease,
    /// Never none.
    pub deliveries: Vec<LeasedDelivery>,
}

/// A message for a destination, under a lease.
#[derive(Clone, Debug)]
pub struct LeasedDelivery {
    pub delivery: i64,
    pub message: i64,
    pub destination: String,
    pub queue_id: String,
    pub content: ContentId,
    pub sender: String,
    /// The return path that others are told; `None`: the sender.
    pub sent_as: Option<String>,
    pub account: Option<AccountId>,
    pub ret: Option<Return>,
    pub envid: Option<String>,
    pub needs: Needs,
    pub about: String,
    pub accepted_at: Timestamp,
    pub due_at: Timestamp,
    pub give_up_at: Timestamp,
    pub warn_at: Option<Timestamp>,
    pub attempts: u32,
    /// What was last said of reaching the destination.
    pub destination_answer: Option<String>,
    pub recipients: Vec<LeasedRecipient>,
}

/// Somebody who has not got it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasedRecipient {
    pub nth: i32,
    pub address: String,
    pub orcpt: Option<String>,
    pub notify: Notify,
    /// `None`: he was himself written to.
    pub passed_on: Option<PassedOn>,
    /// What was last said of him.
    pub last: Option<Answer>,
}

impl Store {
    /// Up to `limit` due deliveries of one due destination that is wanted; `None` when there is no such work.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_mail(
        &self,
        node: &str,
        wanted: &WantedWork,
        limit: i64,
        (now, term): (Timestamp, SignedDuration),
    ) -> Result<Option<Claimed>, Error> {
        for _ in 0..IDLE_MAX {
            let mut tx = self.begin().await?;
            let Some((id, name, failures)) = tx.due_destination(wanted, now).await? else { return Ok(None) };
            let limit = if failures > 0 { 1 } else { limit };
            let Due { chosen, more, has_mail } = tx.due_deliveries(id, limit, now).await?;
            if chosen.is_empty() || (wanted.no_reports && !has_mail) {
                match chosen.is_empty() {
                    true => tx.look_again(id, None).await?,
                    false => tx.look_again_for_mail(id).await?,
                }
                tx.commit().await?;
                continue;
            }
            let lease = tx.lease(&chosen, (Some(id), node, term)).await?;
            // While it is probed nobody else looks; where there is more, others may.
            let until = now.saturating_add(term).unwrap_or(Timestamp::MAX);
            let next = if failures > 0 { Some(until) } else { more.then_some(now) };
            tx.look_again(id, next).await?;
            let deliveries = tx.leased(lease).await?;
            tx.commit().await?;
            let failures = u32::try_from(failures).unwrap_or(0);
            let lease = QueueLease { lease, destination: Some((id, name)), failures };
            if deliveries.is_empty() {
                self.end_lease(&lease).await?;
                continue;
            }
            return Ok(Some(Claimed { lease, deliveries }));
        }
        Ok(None)
    }
}

impl Tx {
    async fn due_destination(
        &mut self,
        wanted: &WantedWork,
        now: Timestamp,
    ) -> Result<Option<(i64, String, i32)>, Error> {
        let statement = if wanted.no_reports { DUE_MAIL } else { DUE };
        Ok(sqlx::query_as(statement)
            .bind(now.to_sqlx())
            .bind(&wanted.busy)
            .bind(&wanted.only)
            .fetch_optional(&mut *self.inner)
            .await?)
    }

    /// Which to take. Nobody else takes any: the destination's row is ours.
    async fn due_deliveries(&mut self, destination: i64, limit: i64, now: Timestamp) -> Result<Due, Error> {
        let rows: Vec<(i64, i16)> = sqlx::query_as(
            "(select delivery_id, priority from queue_deliveries where destination_id = $1 and priority = 0
                 and due_at <= $2 and lease_id is null and not held order by due_at limit $3)
             union all
             (select delivery_id, priority from queue_deliveries where destination_id = $1 and priority = 1
                 and due_at <= $2 and lease_id is null and not held order by due_at limit $3)
             union all
             (select delivery_id, priority from queue_deliveries where destination_id = $1 and priority = 2
                 and due_at <= $2 and lease_id is null and not held order by due_at limit $3)",
        )
        .bind(destination)
        .bind(now.to_sqlx())
        .bind(limit)
        .fetch_all(&mut *self.inner)
        .await?;
        let limit = usize::try_from(limit).unwrap_or(0);
        let has_mail = rows.iter().any(|(_, priority)| *priority < REPORTS);
        Ok(Due { chosen: choose(&rows, limit), more: rows.len() >= limit, has_mail })
    }

    /// `chosen` that are still free, under a new lease; what is to be sent only if nobody has begun to keep it back. Leases end
    /// by the database's clock, as those of the nodes may differ.
    pub(crate) async fn lease(
        &mut self,
        chosen: &[i64],
        (destination, node, term): (Option<i64>, &str, SignedDuration),
    ) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(
            "with lease as (
                 insert into queue_leases (destination_id, node, until)
                 values ($2, $3, now() + make_interval(secs => $4)) returning lease_id
             ), taken as (
                 update queue_deliveries d set lease_id = lease.lease_id from lease
                  where d.delivery_id = any ($1) and d.lease_id is null and (not d.held or $2 is null)
             )
             select lease_id from lease",
        )
        .bind(chosen)
        .bind(destination)
        .bind(node)
        .bind(term.as_secs_f64())
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// When the destination, whose row is ours, is looked at next: then, or when the first of what waits there is due. It rests
    /// no more where nothing is left to probe it with: whoever brings mail for it forward passes over those that rest.
    async fn look_again(&mut self, destination: i64, at: Option<Timestamp>) -> Result<(), Error> {
        sqlx::query(
            "with first as (
                 select least((select min(due_at) from queue_deliveries
                                where destination_id = $1 and priority = 0 and lease_id is null and not held),
                              (select min(due_at) from queue_deliveries
                                where destination_id = $1 and priority = 1 and lease_id is null and not held)) as mail,
                        (select min(due_at) from queue_deliveries
                          where destination_id = $1 and priority = 2 and lease_id is null and not held) as report
             )
             update queue_destinations
                set failures = case when $2 is null then 0 else failures end,
                    next_at = coalesce($2, least(first.mail, first.report), $3),
                    mail_at = case when $2 is null then coalesce(first.mail, $3) else greatest(mail_at, $2) end
               from first where destination_id = $1",
        )
        .bind(destination)
        .bind(at.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(never())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// The destination, whose row is ours, has nothing but reports for now: when the first of anything else is due.
    async fn look_again_for_mail(&mut self, destination: i64) -> Result<(), Error> {
        sqlx::query(
            "update queue_destinations
                set mail_at = coalesce(least(
                 (select min(due_at) from queue_deliveries
                   where destination_id = $1 and priority = 0 and lease_id is null and not held),
                 (select min(due_at) from queue_deliveries
                   where destination_id = $1 and priority = 1 and lease_id is null and not held)), $2)
              where destination_id = $1",
        )
        .bind(destination)
        .bind(never())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// What is under a lease, in the order in which it is to go.
    pub(crate) async fn leased(&mut self, lease: i64) -> Result<Vec<LeasedDelivery>, Error> {
        let rows = sqlx::query(
            "select d.delivery_id, d.message_id, q.name, m.queue_id, m.content_id, m.sender, m.account_id, m.ret, m.envid,
                    m.needs, m.about, m.accepted_at, d.due_at, d.give_up_at, d.warn_at, d.attempts, q.answer,
                    m.sent_as
               from queue_deliveries d join queue_messages m using (message_id)
               join queue_destinations q using (destination_id)
              where d.lease_id = $1 order by d.priority, d.due_at, d.delivery_id",
        )
        .bind(lease)
        .fetch_all(&mut *self.inner)
        .await?;
        let mut deliveries = rows.iter().map(delivery).collect::<Result<Vec<_>, sqlx::Error>>()?;
        let ids: Vec<i64> = deliveries.iter().map(|delivery| delivery.delivery).collect();
        let rows = sqlx::query(
            "select delivery_id, nth, address, orcpt, notify, code, status, answer, host, passed_on_by, written_to
               from queue_recipients where delivery_id = any ($1) order by delivery_id, nth",
        )
        .bind(ids)
        .fetch_all(&mut *self.inner)
        .await?;
        let mut by_delivery: HashMap<i64, Vec<LeasedRecipient>> = HashMap::new();
        for row in &rows {
            by_delivery.entry(row.try_get(0)?).or_default().push(recipient(row)?);
        }
        for delivery in &mut deliveries {
            delivery.recipients = by_delivery.remove(&delivery.delivery).unwrap_or_default();
        }
        Ok(deliveries)
    }
}

/// At most `limit`: three quarters of them of the first class when others wait, and of what is left one of the last; in each
/// class those that came first.
fn choose(rows: &[(i64, i16)], limit: usize) -> Vec<i64> {
    let of = |class: i16| rows.iter().filter(move |(_, priority)| *priority == class).map(|(id, _)| *id);
    let (bulk, reports) = (of(1).count(), of(2).count());
    let kept = (limit / 4).min(bulk + reports);
    let mut chosen: Vec<i64> = of(0).take(limit - kept).collect();
    let rest = limit - chosen.len();
    let last = usize::from(reports > 0 && rest > 1);
    chosen.extend(of(1).take(rest - last));
    let rest = limit - chosen.len();
    chosen.extend(of(2).take(rest));
    chosen
}

fn delivery(row: &PgRow) -> Result<LeasedDelivery, sqlx::Error> {
    let moment = |at: usize| row.try_get::<jiff_sqlx::Timestamp, _>(at).map(jiff_sqlx::Timestamp::to_jiff);
    Ok(LeasedDelivery {
        delivery: row.try_get(0)?,
        message: row.try_get(1)?,
        destination: row.try_get(2)?,
        queue_id: row.try_get(3)?,
        content: ContentId(row.try_get(4)?),
        sender: row.try_get(5)?,
        account: row.try_get::<Option<i64>, _>(6)?.map(AccountId),
        ret: row.try_get::<Option<String>, _>(7)?.as_deref().and_then(Return::from_name),
        envid: row.try_get(8)?,
        needs: Needs::from_number(row.try_get(9)?),
        about: row.try_get(10)?,
        accepted_at: moment(11)?,
        due_at: moment(12)?,
        give_up_at: moment(13)?,
        warn_at: row.try_get::<Option<jiff_sqlx::Timestamp>, _>(14)?.map(jiff_sqlx::Timestamp::to_jiff),
        attempts: u32::try_from(row.try_get::<i32, _>(15)?).unwrap_or(0),
        destination_answer: row.try_get(16)?,
        sent_as: row.try_get(17)?,
        recipients: Vec::new(),
    })
}

fn recipient(row: &PgRow) -> Result<LeasedRecipient, sqlx::Error> {
    let by: Option<i64> = row.try_get(9)?;
    let passed_on = by.zip(row.try_get(10)?).map(|(by, written)| PassedOn { by: AccountId(by), written });
    let status: Option<String> = row.try_get(6)?;
    Ok(LeasedRecipient {
        nth: row.try_get(1)?,
        address: row.try_get(2)?,
        orcpt: row.try_get(3)?,
        notify: Notify::from_number(row.try_get(4)?).unwrap_or(Notify::UNSAID),
        passed_on,
        last: last_answer(row.try_get(5)?, status.as_deref(), row.try_get(7)?, row.try_get(8)?),
    })
}

pub(crate) fn last_answer(
    code: Option<i32>,
    status: Option<&str>,
    text: Option<String>,
    host: Option<String>,
) -> Option<Answer> {
    let status = status?.parse().unwrap_or(Status(4, 0, 0));
    let code = code.and_then(|code| u16::try_from(code).ok());
    Some(Answer { code, status, text: text.unwrap_or_default(), host })
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn the_first_class_leaves_a_quarter_to_others() {
        let rows: Vec<(i64, i16)> =
            (0..50).map(|n| (n, 0)).chain((50..55).map(|n| (n, 1))).chain([(60, 2)]).collect();
        assert_eq!(choose(&rows, 8), [0, 1, 2, 3, 4, 5, 50, 60]);
        assert_eq!(choose(&rows, 1), [0]);
        assert_eq!(choose(&rows, 60).len(), 56);
        assert_eq!(choose(&rows[50..], 2), [50, 60], "the last class gets something, too");
        assert_eq!(choose(&rows[50..], 4), [50, 51, 52, 60]);
        assert_eq!(choose(&rows[..50], 4), [0, 1, 2, 3]);
    }
}
