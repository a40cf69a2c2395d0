//! The address of a unit's văn thư (TN Đ3.6.2): whoever is it on the day that mail comes.

use crate::groups::member;
use crate::{Error, MemberRow, Store};
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use model::DomainName;

impl Store {
    /// The văn thư of a unit, which is known by its code or by what stands before the @ in its mailbox's address; without
    /// any, the unit's own mailboxes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clerks_of(
        &self,
        domain: &DomainName,
        unit: &str,
        day: Date,
    ) -> Result<Vec<MemberRow>, Error> {
        let rows: Vec<(bool, i64, i64, String, String, String)> = sqlx::query_as(
            "with meant (unit_id) as (
                 select u.unit_id from units u join domains d using (domain_id)
                  where d.name = $1 and lower(u.code) = $2
                  union
                 select a.unit_id from addresses g join accounts a using (account_id)
                  where g.address = $3 and g.kind <> 'retired' and a.class = 'organisation' and a.unit_id is not null
             )
             select a.class <> 'organisation', a.account_id, f.folder_id, p.address, a.display_name, a.state
               from accounts a
               join addresses p on p.account_id = a.account_id and p.kind = 'primary'
               join folders f on f.account_id = a.account_id and f.name = 'INBOX'
              where a.state <> 'deleted'
                and (a.class = 'organisation' and a.unit_id in (select unit_id from meant)
                     or a.person_id in (
                        select h.person_id from appointments h join positions t using (position_id)
                         where h.unit_id in (select unit_id from meant)
                           and h.from_day <= $4 and (h.until_day is null or h.until_day > $4)
                           and fold_words(t.title) like 'van thu%'))
              order by a.account_id limit 100",
        )
        .bind(domain.as_str())
        .bind(unit)
        .bind(format!("{unit}@{domain}"))
        .bind(day.to_sqlx())
        .fetch_all(&self.pools.main)
        .await?;
        let has_clerk = rows.iter().any(|row| row.0);
        let meant = rows.into_iter().filter(|row| row.0 == has_clerk);
        meant
            .map(|(_, account, inbox, address, name, state)| member((account, inbox, address, name, state)))
            .collect()
    }
}
