//! In which half hours each mailbox was looked at, and the report of it by unit.

use crate::{Error, Reach, Store};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, MailboxClass};

/// So many days of a mailbox that were alike.
#[derive(Clone, Debug)]
pub struct CheckRow {
    pub address: String,
    pub name: String,
    pub class: MailboxClass,
    /// Domain and code of the unit.
    pub domain: String,
    pub unit: Option<(String, String)>,
    /// Days since it was made within the period; the same in each row of the mailbox.
    pub expected: u32,
    /// Bits of [`model::DayChecks`]; with `days`: on how many. Days without any are in no row; a mailbox without any day has one
    /// row of none.
    pub half_hours: u64,
    pub days: u32,
}

/// Mailboxes of one page: with 400 days each, at most 80,000 rows.
const CHECKS_PAGE: i64 = 200;

impl Store {
    /// Adds the half hours in which people logged in between two moments; what is there stays.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_checks(&self, since: Timestamp, until: Timestamp) -> Result<u64, Error> {
        let noted = sqlx::query(
            "insert into checks (account_id, day, half_hours)
             select account_id, local::date,
                    bit_or(1::bigint << (extract(hour from local)::integer * 2 + extract(minute from local)::integer / 30))
               from (select account_id, at at time zone 'Asia/Ho_Chi_Minh' as local from events
                      where kind = 'login' and at >= $1 and at < $2 and account_id is not null) as logged_in
              where exists (select from accounts a where a.account_id = logged_in.account_id)
              group by account_id, local::date
             on conflict (day, account_id) do update set half_hours = checks.half_hours | excluded.half_hours
              where checks.half_hours | excluded.half_hours <> checks.half_hours",
        )
        .bind(since.to_sqlx())
        .bind(until.to_sqlx())
        .execute(&self.pools.main)
        .await?;
        Ok(noted.rows_affected())
    }

    /// Adds a half hour to the day of these mailboxes, which somebody has open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_present(&self, accounts: &[AccountId], day: Date, half_hour: u32) -> Result<(), Error> {
        let mut ids: Vec<i64> = accounts.iter().map(|account| account.0).collect();
        ids.sort_unstable();
        sqlx::query(
            "insert into checks (account_id, day, half_hours)
             select a.account_id, $2, 1::bigint << $3 from accounts a where a.account_id = any ($1) order by a.account_id
             on conflict (day, account_id) do update set half_hours = checks.half_hours | excluded.half_hours
              where checks.half_hours | excluded.half_hours <> checks.half_hours",
        )
        .bind(ids)
        .bind(day.to_sqlx())
        .bind(i32::try_from(half_hour).unwrap_or(0))
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }

    /// Mailboxes in use within `reach` (and of the unit, with those below it), with their days among `days`, by address: at most
    /// 200 from behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn checks(
        &self,
        reach: &Reach,
        unit: Option<(i64, i64)>,
        days: &[Date],
        after: &str,
    ) -> Result<Vec<CheckRow>, Error> {
        type Row = (String, String, String, String, Option<String>, Option<String>, i64, i64, i64);
        let (domains, units): (Vec<i64>, Vec<i64>) = unit.into_iter().unzip();
        let days: Vec<jiff_sqlx::Date> = days.iter().map(|day| day.to_sqlx()).collect();
        let rows: Vec<Row> = sqlx::query_as(
            "with wanted as materialized (
                 select a.account_id, g.address, a.display_name, a.class, d.name as domain, u.code, u.name,
                        (select count(*) from unnest($1::date[]) day
                          where day >= (a.created_at at time zone 'Asia/Ho_Chi_Minh')::date) as expected
                   from accounts a
                   join addresses g on g.account_id = a.account_id and g.kind = 'primary'
                   join domains d on d.domain_id = a.domain_id
                   left join units u on u.unit_id = a.unit_id
                  where a.state in ('new', 'active')
                    and ($2 or a.domain_id = any ($3) or a.account_id = any ($6)
                         or a.unit_id in (select units_below($4, $5)))
                    and (cardinality($7::bigint[]) = 0 or a.unit_id in (select units_below($7, $8)))
                    and g.address > $9
                  order by g.address limit $10
             )
             select w.address, w.display_name, w.class, w.domain, w.code, w.name, w.expected,
                    coalesce(c.half_hours, 0), count(c.day)
               from wanted w
               left join checks c on c.account_id = w.account_id and c.day = any ($1)
              group by w.address, w.display_name, w.class, w.domain, w.code, w.name, w.expected, c.half_hours
              order by w.address",
        )
        .bind(days)
        .bind(reach.everything)
        .bind(&reach.domains)
        .bind(&reach.subtree_domains)
        .bind(&reach.subtree_units)
        .bind(&reach.mailboxes)
        .bind(domains)
        .bind(units)
        .bind(after)
        .bind(CHECKS_PAGE)
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter()
            .map(|(address, name, class, domain, code, unit, expected, half_hours, days)| {
                Ok(CheckRow {
                    address,
                    name,
                    class: class
                        .parse()
                        .map_err(|_| Error::Damaged("an account row has an unknown class"))?,
                    domain,
                    unit: code.zip(unit),
                    expected: u32::try_from(expected).unwrap_or(u32::MAX),
                    half_hours: half_hours.cast_unsigned(),
                    days: u32::try_from(days).unwrap_or(u32::MAX),
                })
            })
            .collect()
    }
}
