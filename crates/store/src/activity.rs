//! When mailboxes were last used (giao dịch gửi, nhận), and what the nightly job asks of all.
//!
//! Invariants: nothing here is written by a delivery; what the system itself wrote is nobody's use; what is asked of all
//! mailboxes of a domain comes in pages, in order of their number.

use crate::exports::unexported;
use crate::life::Columns;
use crate::{Error, LifeRow, Store, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use model::lifecycle::{Facts, Leave, Uses, Warning};
use model::{AccountId, DomainId, FolderId, Uid};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};

/// A mailbox with all that decides what is due for it.
#[derive(Clone, Debug)]
pub struct LifeFacts {
    pub row: LifeRow,
    pub facts: Facts,
}

/// Which mailboxes of a domain are looked at.
#[derive(Clone, Copy, Debug)]
pub struct LifeFilter {
    pub domain: DomainId,
    pub after: AccountId,
    /// Those in use that were last used before then.
    pub used_before: Timestamp,
    /// Mailboxes of organisations that were never used and were made before then.
    pub made_before: Timestamp,
    /// Deliveries are use.
    pub deliveries: bool,
    pub limit: u32,
}

struct FactsRow(LifeFacts);

impl FromRow<'_, PgRow> for FactsRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let at = |name: &str| -> Result<Option<Timestamp>, sqlx::Error> {
            Ok(row.try_get::<Option<jiff_sqlx::Timestamp>, _>(name)?.map(jiff_sqlx::Timestamp::to_jiff))
        };
        let day = |name: &str| -> Result<Option<Date>, sqlx::Error> {
            Ok(row.try_get::<Option<jiff_sqlx::Date>, _>(name)?.map(jiff_sqlx::Date::to_jiff))
        };
        let days = |name: &str| row.try_get::<Vec<jiff_sqlx::Date>, _>(name);
        let life = Columns::from_row(row)?.row().map_err(|error| sqlx::Error::Decode(error.into()))?;
        let leave =
            |(from, to): (jiff_sqlx::Date, jiff_sqlx::Date)| Leave { from: from.to_jiff(), to: to.to_jiff() };
        let warned_days: Option<i16> = row.try_get("warned_days")?;
        let warned = match (warned_days, day("warned_lock_on")?, day("warned_on")?) {
            (Some(days), Some(lock_on), Some(given_on)) => {
                Some(Warning { days_before: days.unsigned_abs(), lock_on, given_on })
            }
            _ => None,
        };
        let facts = Facts {
            class: life.class,
            granted: life.created_at,
            restored: at("restored_at")?,
            uses: Uses {
                sent: at("sent_at")?,
                retrieved_new: at("retrieved_at")?,
                delivered: at("delivered_at")?,
                logged_in: None,
            },
            leaves: days("leaves_from")?.into_iter().zip(days("leaves_to")?).map(leave).collect(),
            warned,
            holds: life.holds,
        };
        Ok(Self(LifeFacts { row: life, facts }))
    }
}

macro_rules! select_facts {
    ($rest:literal) => {
        concat!(
            "select a.account_id, a.domain_id, a.unit_id, g.address, a.display_name, a.class, a.state, a.created_at,
                    a.life_since, a.lock_reason, a.deletion_cause, a.restore_request, a.restore_request_at,
                    a.deletion_confirmed_at, exists (select from holds h where h.account_id = a.account_id and h.kind = 'mailbox'
                             and h.released_at is null) as legal_hold, exists (select from handovers h where h.mailbox_id = a.account_id
                             and h.ended_at is null) as handover, a.state = 'to_be_deleted' and ",
            unexported!(),
            " as export_pending,
                    a.restored_at, v.sent_at, v.retrieved_at, v.warned_days, v.warned_lock_on, v.warned_on,
                    array(select l.from_day from leaves l
                           where l.account_id = a.account_id and l.withdrawn_at is null order by l.leave_id)
                        as leaves_from,
                    array(select l.to_day from leaves l
                           where l.account_id = a.account_id and l.withdrawn_at is null order by l.leave_id)
                        as leaves_to,
                    case when $1 then (
                        select max(e.save_date) from entries e
                         where e.account_id = a.account_id and e.recipient is not null
                           and not exists (select from notices n
                                            where n.account_id = e.account_id and n.sent_at = e.save_date)
                           and not exists (select from announced m where m.content_id = e.content_id)
                    ) end as delivered_at
               from accounts a
               join addresses g on g.account_id = a.account_id and g.kind = 'primary'
               left join activity v on v.account_id = a.account_id ",
            $rest
        )
    };
}

impl Store {
    /// Mailboxes for which something may be due: all that are locked or listed, and those in use that were not for long.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn life_facts(&self, filter: &LifeFilter) -> Result<Vec<LifeFacts>, Error> {
        let rows: Vec<FactsRow> = sqlx::query_as(select_facts!(
            "where a.domain_id = $2 and a.account_id > $3
                and (a.state in ('locked', 'to_be_deleted')
                     or (a.state in ('new', 'active')
                         and greatest(v.sent_at, v.retrieved_at, a.life_since, a.created_at) < $4)
                     or (a.state in ('new', 'active') and a.class = 'organisation'
                         and v.sent_at is null and v.retrieved_at is null and greatest(a.restored_at, a.created_at) < $5))
              order by a.account_id limit $6"
        ))
        .bind(filter.deliveries)
        .bind(filter.domain.0)
        .bind(filter.after.0)
        .bind(filter.used_before.to_sqlx())
        .bind(filter.made_before.to_sqlx())
        .bind(i64::from(filter.limit))
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Somebody has sent a message.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_sent(&self, account: AccountId, at: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "insert into activity (account_id, sent_at) values ($1, $2)
             on conflict (account_id) do update set sent_at = greatest(activity.sent_at, excluded.sent_at)",
        )
        .bind(account.0)
        .bind(at.to_sqlx())
        .execute(&self.pools.chunks)
        .await?;
        Ok(())
    }

    /// Somebody has read these messages of a folder. It is use when one of them was delivered after the newest that was
    /// retrieved before, and not by the system itself; says whether it was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_retrieved(
        &self,
        account: AccountId,
        folder: FolderId,
        uids: &[Uid],
        (at, by_delegate): (Timestamp, bool),
    ) -> Result<bool, Error> {
        let noted = sqlx::query(
            "insert into activity (account_id, retrieved_at, retrieved_email)
             select $1, $4, max(e.email_id) from entries e
              where e.account_id = $1 and e.folder_id = $2 and e.uid = any ($3) and e.recipient is not null
                and not exists (select from notices n
                                 where n.account_id = e.account_id and n.sent_at = e.save_date)
                and not exists (select from announced m where m.content_id = e.content_id)
                -- Who reads for an office uses it; a person's mailbox is used by that person.
                and (not $5 or exists (select from accounts a where a.account_id = $1 and a.class in ('organisation', 'service')))
             having max(e.email_id) is not null
             on conflict (account_id) do update
                set retrieved_at = excluded.retrieved_at, retrieved_email = excluded.retrieved_email
              where activity.retrieved_email < excluded.retrieved_email",
        )
        .bind(account.0)
        .bind(folder.0)
        .bind(uids.iter().map(|uid| i64::from(uid.0)).collect::<Vec<_>>())
        .bind(at.to_sqlx())
        .bind(by_delegate)
        .execute(&self.pools.chunks)
        .await?;
        Ok(noted.rows_affected() > 0)
    }
}

impl Tx {
    /// Locks these mailboxes, moving their modseqs on, and says all that decides what is due for them now. Those that are gone
    /// are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_life_facts(
        &mut self,
        accounts: &[AccountId],
        deliveries: bool,
    ) -> Result<Vec<LifeFacts>, Error> {
        let ids: Vec<i64> = accounts.iter().map(|account| account.0).collect();
        sqlx::query("select from counters where account_id = any ($1) order by account_id for no key update")
            .bind(&ids)
            .execute(&mut *self.inner)
            .await?;
        sqlx::query("update counters set modseq = modseq + 1 where account_id = any ($1)")
            .bind(&ids)
            .execute(&mut *self.inner)
            .await?;
        let rows: Vec<FactsRow> = sqlx::query_as(select_facts!(
            "where a.account_id = any ($2) order by a.account_id for no key update of a"
        ))
        .bind(deliveries)
        .bind(ids)
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Keeps the warnings that were given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_warnings(&mut self, warnings: &[(AccountId, Warning)]) -> Result<(), Error> {
        let days = |day: fn(&Warning) -> Date| -> Vec<_> {
            warnings.iter().map(|(_, warning)| day(warning).to_sqlx()).collect()
        };
        let before =
            warnings.iter().map(|(_, warning)| i16::try_from(warning.days_before).unwrap_or(i16::MAX));
        sqlx::query(
            "insert into activity (account_id, warned_days, warned_lock_on, warned_on)
             select * from unnest($1::bigint[], $2::smallint[], $3::date[], $4::date[])
             on conflict (account_id) do update
                set warned_days = excluded.warned_days, warned_lock_on = excluded.warned_lock_on,
                    warned_on = excluded.warned_on",
        )
        .bind(warnings.iter().map(|(account, _)| account.0).collect::<Vec<_>>())
        .bind(before.collect::<Vec<_>>())
        .bind(days(|warning| warning.lock_on))
        .bind(days(|warning| warning.given_on))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
