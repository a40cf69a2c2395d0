//! The organisation of a domain that moves: units, people, positions, the officers of units, groups, open requests and the
//! cases of the support mailbox go with their mailboxes. A group is called by the same name in the other domain where nobody is, and
//! receives under the address that it had for as long as mailboxes do.
//!
//! Invariant: both domains' organisations are held, as whoever changes one holds it.

use crate::{Error, Tx};

/// `wanted`: groups of the move `$1` that are called by an address of the one domain, and the same one in the other.
macro_rules! wanted_addresses {
    ($from:literal, $to:literal) => {
        concat!(
            "with wanted (group_id, was, wanted, name, rule, unit_id, deep, until) as (
                 select g.group_id, g.address, left(g.address, -length(f.name)) || t.name, g.name, g.rule, g.unit_id, g.deep,
                        m.alias_until
                   from moves m
                   join domains f on f.domain_id = m.",
            $from,
            " join domains t on t.domain_id = m.",
            $to,
            " cross join unnest(m.group_ids) gone (group_id)
                   join groups g using (group_id)
                  where m.move_id = $1 and m.alias_until is not null and g.domain_id = m.to_domain
                    and right(g.address, length(f.name) + 1) = '@' || f.name
             ) "
        )
    };
}

/// Those whose present address is kept as one that they had.
macro_rules! rename_groups {
    () => {
        "update groups g set address = w.wanted from wanted w
          where g.group_id = w.group_id
            and exists (select from group_addresses x where x.address = g.address and x.group_id = g.group_id)"
    };
}

/// What a group is called by now is not one of those that it had.
const FORGET_PRESENT: &str = "delete from group_addresses x using moves m, groups g
      where m.move_id = $1 and g.group_id = any (m.group_ids) and x.group_id = g.group_id and x.address = g.address";

impl Tx {
    /// Gives the organisation (units, people, positions, officers, groups, open requests, cases) of the one domain to the other, and notes what went. A code
    /// that is taken there is shortened and gets the unit's number behind it; positions of one title become one. Both domains'
    /// organisations are held from here to the end of the transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn move_organisation(&mut self, id: i64) -> Result<(), Error> {
        self.lock_both(id).await?;
        for statement in [
            "update moves m
                set unit_ids = array(select unit_id from units where domain_id = m.from_domain order by unit_id),
                    unit_codes = array(select code from units where domain_id = m.from_domain order by unit_id),
                    person_ids = array(select person_id from people where domain_id = m.from_domain),
                    group_ids = array(select group_id from groups where domain_id = m.from_domain),
                    request_ids = array(select request_id from requests
                                         where domain_id = m.from_domain and state in ('new', 'accepted'))
              where move_id = $1",
            "update units u
                set domain_id = m.to_domain,
                    code = case when exists (select from units o where o.domain_id = m.to_domain and o.code = u.code)
                           then rtrim(left(u.code, 20), '.-') || '-' || u.unit_id else u.code end
               from moves m where m.move_id = $1 and u.unit_id = any (m.unit_ids)",
            "update unit_events e set domain_id = m.to_domain
               from moves m where m.move_id = $1 and e.domain_id = m.from_domain and e.unit_id = any (m.unit_ids)",
            "update grants g set domain_id = m.to_domain
               from moves m where m.move_id = $1 and g.domain_id = m.from_domain and g.unit_id = any (m.unit_ids)",
            "update groups g set domain_id = m.to_domain
               from moves m, unnest(m.group_ids) gone (group_id) where m.move_id = $1 and g.group_id = gone.group_id",
            concat!(wanted_addresses!("from_domain", "to_domain"),
             "insert into group_addresses (address, group_id, name, rule, unit_id, deep, until)
              select w.was, w.group_id, w.name, w.rule, w.unit_id, w.deep, w.until from wanted w
               where not exists (select from addresses a where a.address = w.wanted)
                 and not exists (select from groups b where b.address = w.wanted)
                 and not exists (select from group_addresses x where x.address = w.wanted and x.group_id is distinct from w.group_id)
                 and not exists (select from move_steps s where s.move_id = $1 and s.new = w.wanted)"),
            concat!(wanted_addresses!("from_domain", "to_domain"), rename_groups!()),
            FORGET_PRESENT,
            "update requests r set domain_id = m.to_domain
               from moves m, unnest(m.request_ids) gone (request_id)
              where m.move_id = $1 and r.request_id = gone.request_id",
            "update cases c set domain_id = m.to_domain
               from moves m join move_steps s using (move_id)
              where m.move_id = $1 and s.account_id = c.mailbox_id and c.domain_id = m.from_domain",
            "insert into unit_kinds (domain_id, kind, label, tier, ended_on)
             select m.to_domain, k.kind, k.label, k.tier, k.ended_on
               from moves m join unit_kinds k on k.domain_id = m.from_domain
              where m.move_id = $1 on conflict do nothing",
            "insert into positions (domain_id, title, leader, rank)
             select m.to_domain, p.title, p.leader, p.rank
               from moves m join positions p on p.domain_id = m.from_domain
              where m.move_id = $1 on conflict do nothing",
            "update people p set domain_id = m.to_domain
               from moves m, unnest(m.person_ids) gone (person_id) where m.move_id = $1 and p.person_id = gone.person_id",
            "update appointments a set position_id = n.position_id
               from moves m, unnest(m.person_ids) gone (person_id), positions o, positions n
              where m.move_id = $1 and a.person_id = gone.person_id and a.position_id = o.position_id
                and o.domain_id = m.from_domain and n.domain_id = m.to_domain and lower(n.title) = lower(o.title)",
        ] {
            sqlx::query(statement).bind(id).execute(&mut *self.inner).await?;
        }
        Ok(())
    }

    /// What has grown together with the other domain's since and cannot be taken apart: units (code), people (name) and mailboxes
    /// (address) that would be left in one domain with their unit, their person or what is above them in the other. Both domains'
    /// organisations are held from here to the end of the transaction. Read once per undoing, by the keys of what moved.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn undo_obstacles(&mut self, id: i64, limit: u32) -> Result<Vec<String>, Error> {
        self.lock_both(id).await?;
        Ok(sqlx::query_scalar(
            "with m as (select move_id, to_domain, unit_ids, person_ids from moves where move_id = $1),
                  moved_units as (select unnest(unit_ids) as unit_id from m),
                  moved_people as (select unnest(person_ids) as person_id from m),
                  places as (select person_id, unit_id from memberships where until_day is null
                             union select person_id, unit_id from appointments where until_day is null)
             select u.code as name from m join units u on u.domain_id = m.to_domain
              where (u.unit_id in (select unit_id from moved_units))
                    is distinct from (u.parent_id in (select unit_id from moved_units)) and u.parent_id is not null
                 or exists (select from unnest(u.successors) as s (unit_id)
                             where (s.unit_id in (select unit_id from moved_units))
                                <> (u.unit_id in (select unit_id from moved_units)))
             union
             select p.full_name from m join people p on p.domain_id = m.to_domain join places s using (person_id)
              where (s.unit_id in (select unit_id from moved_units))
                 <> (p.person_id in (select person_id from moved_people))
             union
             select g.address from m join accounts a on a.domain_id = m.to_domain and a.state <> 'deleted'
               join addresses g on g.account_id = a.account_id and g.kind = 'primary'
               left join move_steps s on s.move_id = m.move_id and s.account_id = a.account_id
              where (s.account_id is not null) is distinct from (a.unit_id in (select unit_id from moved_units))
                    and a.unit_id is not null
                 or (s.account_id is not null) is distinct from (a.person_id in (select person_id from moved_people))
                    and a.person_id is not null
             order by name limit $2",
        )
        .bind(id)
        .bind(i64::from(limit))
        .fetch_all(&mut *self.inner)
        .await?)
    }

    /// Takes it back, under the codes of before where nobody has taken them; kinds of units and positions that came since go
    /// along where they are used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn return_organisation(&mut self, id: i64) -> Result<(), Error> {
        self.lock_both(id).await?;
        for statement in [
            "insert into unit_kinds (domain_id, kind, label, tier, ended_on)
             select m.from_domain, k.kind, k.label, k.tier, k.ended_on
               from moves m join unit_kinds k on k.domain_id = m.to_domain
              where m.move_id = $1
                and exists (select from units u where u.unit_id = any (m.unit_ids) and u.kind = k.kind)
             on conflict do nothing",
            "insert into positions (domain_id, title, leader, rank)
             select distinct m.from_domain, p.title, p.leader, p.rank
               from moves m
               join appointments a on a.person_id = any (m.person_ids)
               join positions p on p.position_id = a.position_id and p.domain_id = m.to_domain
              where m.move_id = $1 on conflict do nothing",
            "update units u
                set domain_id = m.from_domain,
                    code = case when exists (select from units o where o.domain_id = m.from_domain and o.code = was.code)
                           then rtrim(left(was.code, 20), '.-') || '-' || u.unit_id else was.code end
               from moves m, unnest(m.unit_ids, m.unit_codes) was (unit_id, code)
              where m.move_id = $1 and u.unit_id = was.unit_id",
            "update unit_events e set domain_id = m.from_domain
               from moves m where m.move_id = $1 and e.domain_id = m.to_domain and e.unit_id = any (m.unit_ids)",
            "update grants g set domain_id = m.from_domain
               from moves m where m.move_id = $1 and g.domain_id = m.to_domain and g.unit_id = any (m.unit_ids)",
            concat!(wanted_addresses!("to_domain", "from_domain"),
             "insert into group_addresses (address, group_id, name, rule, unit_id, deep, until)
              select w.was, w.group_id, w.name, w.rule, w.unit_id, w.deep, w.until from wanted w
               where exists (select from group_addresses x
                              where x.address = w.wanted and x.group_id = w.group_id and x.until = w.until)"),
            concat!(wanted_addresses!("to_domain", "from_domain"), rename_groups!()),
            FORGET_PRESENT,
            "update groups g set domain_id = m.from_domain
               from moves m, unnest(m.group_ids) gone (group_id)
              where m.move_id = $1 and g.group_id = gone.group_id and g.domain_id = m.to_domain",
            "update requests r set domain_id = m.from_domain
               from moves m, unnest(m.request_ids) gone (request_id)
              where m.move_id = $1 and r.request_id = gone.request_id and r.domain_id = m.to_domain",
            "update cases c set domain_id = m.from_domain
               from moves m join move_steps s using (move_id)
              where m.move_id = $1 and s.account_id = c.mailbox_id and c.domain_id = m.to_domain",
            "update people p set domain_id = m.from_domain
               from moves m, unnest(m.person_ids) gone (person_id) where m.move_id = $1 and p.person_id = gone.person_id",
            "update appointments a set position_id = n.position_id
               from moves m, unnest(m.person_ids) gone (person_id), positions o, positions n
              where m.move_id = $1 and a.person_id = gone.person_id and a.position_id = o.position_id
                and o.domain_id = m.to_domain and n.domain_id = m.from_domain and lower(n.title) = lower(o.title)",
        ] {
            sqlx::query(statement).bind(id).execute(&mut *self.inner).await?;
        }
        Ok(())
    }

    /// As whoever changes an organisation holds its domain.
    async fn lock_both(&mut self, id: i64) -> Result<(), Error> {
        sqlx::query(
            "select 1 from domains d join moves m on d.domain_id in (m.from_domain, m.to_domain)
              where m.move_id = $1 order by d.domain_id for no key update of d",
        )
        .bind(id)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
