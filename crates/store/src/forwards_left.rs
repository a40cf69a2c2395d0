//! Automatic forwarding (chuyển thư tự động) as people and units see it who go or end: what ends with a place, and what stays.
//!
//! Invariant: of a mailbox that is a unit's or an office's, nothing goes on to who has left it, unless he may read it anyway; each
//! forwarding that ends or stays is told by name.

use crate::{Error, Reach, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, DomainId, PersonId, Right, Rights, UnitId};

/// A forwarding that an act on people or units ends or leaves, with primary addresses as they are at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardNamed {
    pub mailbox: String,
    pub target: String,
    pub keep_copy: bool,
}

fn named((mailbox, target, keep_copy): (String, String, bool)) -> ForwardNamed {
    ForwardNamed { mailbox, target, keep_copy }
}

/// That a forwarding `w` leads to the mailbox `a`, or was set by it while it had rights there: an administrator's, who set it as such,
/// does not end with him.
macro_rules! his {
    () => {
        "(a.account_id = w.target_id
          or exists (select from addresses g join delegations d on d.delegate_id = g.account_id and d.mailbox_id = w.account_id
                      where g.address = w.set_by and g.account_id = a.account_id))"
    };
}

impl Tx {
    /// Mailboxes of `units` (`None`: of any of the domain), not people's, whose mail goes on to a mailbox of this person's, or was sent
    /// on by one that was given rights to them. Nothing is held by that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forwarding_to(
        &mut self,
        (domain, person): (DomainId, PersonId),
        units: Option<&[UnitId]>,
    ) -> Result<Vec<AccountId>, Error> {
        let found: Vec<i64> = sqlx::query_scalar(concat!(
            "select w.account_id
               from forwards w
               join accounts o on o.account_id = w.account_id and o.class not in ('person', 'leader')
              where o.domain_id = $3 and ($2::bigint[] is null or o.unit_id = any ($2))
                and (w.target_id is not null or w.outside is not null)
                and exists (select from accounts a where a.person_id = $1 and ",
            his!(),
            ")"
        ))
        .bind(person.0)
        .bind(units.map(|units| units.iter().map(|unit| unit.0).collect::<Vec<_>>()))
        .bind(domain.0)
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(found.into_iter().map(AccountId).collect())
    }

    /// Ends those of `mailboxes`, which are held, that go to this person or were set by him, but for a mailbox that he may read: by
    /// mailbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_forwards_to(
        &mut self,
        person: PersonId,
        mailboxes: &[AccountId],
        (by, now): (&str, Timestamp),
    ) -> Result<Vec<(AccountId, ForwardNamed)>, Error> {
        let rows: Vec<(i64, String, String, bool)> = sqlx::query_as(concat!(
            "with there as (
                 select w.account_id, w.keep_copy, coalesce(w.outside, t.address, '') as went
                   from forwards w
                   left join addresses t on t.account_id = w.target_id and t.kind = 'primary'
                  where w.account_id = any ($2) and (w.target_id is not null or w.outside is not null)
                    and exists (select from accounts a
                                 where a.person_id = $1 and ",
            his!(),
            "
                                   and not exists (select from delegations d
                                                    where d.mailbox_id = w.account_id and d.delegate_id = a.account_id
                                                      and d.revoked_at is null and d.since <= $4
                                                      and (d.until is null or d.until > $4) and d.rights & $5 <> 0))
             ), ended as (
                 update forwards w set target_id = null, outside = null, set_by = $3, set_at = $4
                   from there where w.account_id = there.account_id
                 returning w.account_id, there.went, there.keep_copy
             )
             select e.account_id, coalesce(m.address, ''), e.went, e.keep_copy
               from ended e left join addresses m on m.account_id = e.account_id and m.kind = 'primary'
              order by 2",
        ))
        .bind(person.0)
        .bind(mailboxes.iter().map(|mailbox| mailbox.0).collect::<Vec<_>>())
        .bind(by)
        .bind(now.to_sqlx())
        .bind(i16::from(Rights::NONE.with(Right::Read).bits()))
        .fetch_all(&mut *self.inner)
        .await?;
        if !rows.is_empty() {
            self.forwards_changed().await?;
        }
        let ended =
            |(account, mailbox, went, keep_copy)| (AccountId(account), named((mailbox, went, keep_copy)));
        Ok(rows.into_iter().map(ended).collect())
    }

    /// Those within the reach that go to mailboxes of this person's, by mailbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forwards_to(&mut self, person: PersonId, reach: &Reach) -> Result<Vec<ForwardNamed>, Error> {
        let rows = sqlx::query_as(
            "select m.address, t.address, w.keep_copy
               from accounts a
               join forwards w on w.target_id = a.account_id
               join addresses t on t.account_id = a.account_id and t.kind = 'primary'
               join accounts o on o.account_id = w.account_id and o.state <> 'deleted'
               join addresses m on m.account_id = w.account_id and m.kind = 'primary'
              where a.person_id = $1
                and ($2 or o.domain_id = any ($3) or o.account_id = any ($6) or o.unit_id in (select units_below($4, $5)))
              order by 1",
        )
        .bind(person.0)
        .bind(reach.everything)
        .bind(&reach.domains)
        .bind(&reach.subtree_domains)
        .bind(&reach.subtree_units)
        .bind(&reach.mailboxes)
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(named).collect())
    }

    /// Those of mailboxes, not people's, of `units`; and of such mailboxes of the second of two units to people of the first one. By
    /// mailbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forwards_of_units(
        &mut self,
        units: &[UnitId],
        left: &[(UnitId, UnitId)],
    ) -> Result<Vec<ForwardNamed>, Error> {
        if units.is_empty() && left.is_empty() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query_as(
            "select m.address, coalesce(w.outside, t.address), w.keep_copy
               from forwards w
               join accounts o on o.account_id = w.account_id and o.class not in ('person', 'leader') and o.state <> 'deleted'
               join addresses m on m.account_id = w.account_id and m.kind = 'primary'
               left join addresses t on t.account_id = w.target_id and t.kind = 'primary'
              where (w.outside is not null or t.address is not null)
                and (o.unit_id = any ($1)
                     or exists (select from accounts a, unnest($2::bigint[], $3::bigint[]) as l (unit_id, above_id)
                                 where a.account_id = w.target_id and a.class in ('person', 'leader')
                                   and a.unit_id = l.unit_id and o.unit_id = l.above_id))
              order by 1",
        )
        .bind(units.iter().map(|unit| unit.0).collect::<Vec<_>>())
        .bind(left.iter().map(|(unit, _)| unit.0).collect::<Vec<_>>())
        .bind(left.iter().map(|(_, above)| above.0).collect::<Vec<_>>())
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(named).collect())
    }
}
