//! The organisation of a domain that moves: units, people, positions and the officers of units go with their mailboxes.
//!
//! Invariant: both domains' organisations are held, as whoever changes one holds it.

use crate::{Error, Tx};

impl Tx {
    /// Gives the organisation (units, people, positions, officers) of the one domain to the other, and notes what went. A code
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
                    person_ids = array(select person_id from people where domain_id = m.from_domain)
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

    /// Takes it back, under the codes of before where nobody has taken them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn return_organisation(&mut self, id: i64) -> Result<(), Error> {
        self.lock_both(id).await?;
        for statement in [
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
