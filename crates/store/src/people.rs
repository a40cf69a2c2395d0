//! People, their positions, and who was where when.
//!
//! Invariants: as in `units`, by set; a period that has ended is never changed; [`Loaded`] remembers which row each entry of the
//! register came from, so only what an act changed is written.

mod listing;

pub use listing::{OwnerRow, PersonFilter, PersonListed};

use crate::{Error, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::{Date as SqlDate, ToSqlx as _};
use model::{
    Appointment, DomainId, Membership, PersonId, Position, PositionId, Register, STANDARD_POSITIONS, UnitId,
};

/// A person who is to be known.
#[derive(Clone, Copy, Debug)]
pub struct NewPerson<'a> {
    pub full_name: &'a str,
    pub birth_year: Option<i16>,
}

/// A person with the unit and the address of today.
#[derive(Clone, Debug)]
pub struct PersonRow {
    pub person: PersonId,
    pub full_name: String,
    pub birth_year: Option<i16>,
    pub unit: Option<UnitId>,
    /// Primary addresses of the mailboxes that exist, the oldest first.
    pub addresses: Vec<String>,
}

/// Whose part of the register an act needs.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// These people.
    People(&'a [PersonId]),
    /// Whoever is, or holds a position, in these units now.
    Units(&'a [UnitId]),
}

/// A part of the register, and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub register: Register,
    memberships: Vec<i64>,
    appointments: Vec<i64>,
    before: Register,
}

type PersonColumns = (i64, String, Option<i16>, Option<i64>, Vec<String>);

fn person(row: PersonColumns) -> PersonRow {
    let (person, full_name, birth_year, unit, addresses) = row;
    PersonRow { person: PersonId(person), full_name, birth_year, unit: unit.map(UnitId), addresses }
}

fn ids<T>(rows: &[T], id: impl Fn(&T) -> i64) -> Vec<i64> {
    rows.iter().map(id).collect()
}

impl Tx {
    /// The domain's positions; a domain that has none yet gets the usual ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn positions(&mut self, domain: DomainId) -> Result<Vec<Position>, Error> {
        let mut rows = self.position_rows(domain).await?;
        if rows.is_empty() {
            let usual = STANDARD_POSITIONS.iter();
            sqlx::query(
                "insert into positions (domain_id, title, leader, rank)
                 select $1, title, leader, rank
                   from unnest($2::text[], $3::boolean[], $4::smallint[]) as p (title, leader, rank)",
            )
            .bind(domain.0)
            .bind(usual.clone().map(|(title, ..)| *title).collect::<Vec<_>>())
            .bind(usual.clone().map(|(_, leader, _)| *leader).collect::<Vec<_>>())
            .bind(usual.map(|(.., rank)| i16::try_from(*rank).unwrap_or(i16::MAX)).collect::<Vec<_>>())
            .execute(&mut *self.inner)
            .await?;
            rows = self.position_rows(domain).await?;
        }
        Ok(rows)
    }

    async fn position_rows(&mut self, domain: DomainId) -> Result<Vec<Position>, Error> {
        let rows: Vec<(i64, String, bool, i16)> = sqlx::query_as(
            "select position_id, title, leader, rank from positions where domain_id = $1 order by rank, title",
        )
        .bind(domain.0)
        .fetch_all(&mut *self.inner)
        .await?;
        let position = |(id, title, leader, rank): (i64, String, bool, i16)| Position {
            id: PositionId(id),
            title,
            leader,
            rank: rank.unsigned_abs(),
        };
        Ok(rows.into_iter().map(position).collect())
    }

    /// Adds a position, or changes what it means.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_position(
        &mut self,
        domain: DomainId,
        title: &str,
        leader: bool,
        rank: i16,
    ) -> Result<(), Error> {
        sqlx::query(
            "insert into positions (domain_id, title, leader, rank) values ($1, $2, $3, $4)
             on conflict (domain_id, lower(title)) do update set leader = excluded.leader, rank = excluded.rank",
        )
        .bind(domain.0)
        .bind(title)
        .bind(leader)
        .bind(rank)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// In the order of `people`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_people(
        &mut self,
        domain: DomainId,
        people: &[NewPerson<'_>],
        now: Timestamp,
    ) -> Result<Vec<PersonId>, Error> {
        let numbers: Vec<i64> = sqlx::query_scalar(
            "select nextval(pg_get_serial_sequence('people', 'person_id')) from generate_series(1, $1)",
        )
        .bind(i64::try_from(people.len()).unwrap_or(0))
        .fetch_all(&mut *self.inner)
        .await?;
        sqlx::query(
            "insert into people (person_id, domain_id, full_name, birth_year, created_at)
             overriding system value
             select person_id, $1, full_name, birth_year, $5
               from unnest($2::bigint[], $3::text[], $4::smallint[]) as p (person_id, full_name, birth_year)",
        )
        .bind(domain.0)
        .bind(&numbers)
        .bind(people.iter().map(|person| person.full_name).collect::<Vec<_>>())
        .bind(people.iter().map(|person| person.birth_year).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(numbers.into_iter().map(PersonId).collect())
    }

    /// People of these names (any case), with their unit of today and their addresses.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn people_named(
        &mut self,
        domain: DomainId,
        names: &[String],
    ) -> Result<Vec<PersonRow>, Error> {
        let people: Vec<i64> = sqlx::query_scalar(
            "select person_id from people
              where domain_id = $1 and lower(full_name) in (select lower(name) from unnest($2::text[]) as name)",
        )
        .bind(domain.0)
        .bind(names)
        .fetch_all(&mut *self.inner)
        .await?;
        self.people_by_id(domain, &people.into_iter().map(PersonId).collect::<Vec<_>>()).await
    }

    /// # Errors
    /// When the database fails.
    pub async fn people_by_id(
        &mut self,
        domain: DomainId,
        people: &[PersonId],
    ) -> Result<Vec<PersonRow>, Error> {
        let rows: Vec<PersonColumns> = sqlx::query_as(
            "select p.person_id, p.full_name, p.birth_year, m.unit_id,
                    array(select g.address from accounts a join addresses g using (account_id)
                           where a.person_id = p.person_id and g.kind = 'primary' and a.state <> 'deleted'
                           order by a.account_id)
               from people p
               left join memberships m on m.person_id = p.person_id and m.until_day is null
              where p.domain_id = $1 and p.person_id = any ($2)
              order by p.person_id",
        )
        .bind(domain.0)
        .bind(ids(people, |person| person.0))
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(person).collect())
    }

    /// # Errors
    /// When the database fails.
    pub async fn register(&mut self, domain: DomainId, part: Part<'_>) -> Result<Loaded, Error> {
        let people = match part {
            Part::People(people) => ids(people, |person| person.0),
            Part::Units(units) => self.people_of(&ids(units, |unit| unit.0)).await?,
        };
        let positions = self.positions(domain).await?;
        let rows: Vec<(i64, i64, i64, SqlDate, Option<SqlDate>)> = sqlx::query_as(
            "select membership_id, person_id, unit_id, from_day, until_day
               from memberships where person_id = any ($1) order by membership_id",
        )
        .bind(&people)
        .fetch_all(&mut *self.inner)
        .await?;
        let memberships = ids(&rows, |row| row.0);
        let periods = rows.into_iter().map(|(_, person, unit, from, until)| Membership {
            person: PersonId(person),
            unit: UnitId(unit),
            from: from.to_jiff(),
            until: until.map(SqlDate::to_jiff),
        });
        let periods = periods.collect();
        let rows: Vec<(i64, i64, i64, i64, SqlDate, Option<SqlDate>)> = sqlx::query_as(
            "select appointment_id, person_id, unit_id, position_id, from_day, until_day
               from appointments where person_id = any ($1) order by appointment_id",
        )
        .bind(&people)
        .fetch_all(&mut *self.inner)
        .await?;
        let appointments = ids(&rows, |row| row.0);
        let held = rows.into_iter().map(|(_, person, unit, position, from, until)| Appointment {
            person: PersonId(person),
            unit: UnitId(unit),
            position: PositionId(position),
            from: from.to_jiff(),
            until: until.map(SqlDate::to_jiff),
        });
        let register = Register::restore(positions, periods, held.collect());
        Ok(Loaded { before: register.clone(), register, memberships, appointments })
    }

    async fn people_of(&mut self, units: &[i64]) -> Result<Vec<i64>, Error> {
        Ok(sqlx::query_scalar(
            "select person_id from memberships where unit_id = any ($1) and until_day is null
             union
             select person_id from appointments where unit_id = any ($1) and until_day is null",
        )
        .bind(units)
        .fetch_all(&mut *self.inner)
        .await?)
    }

    /// Writes what an act changed in a loaded part: periods that ended, and new ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_register(&mut self, part: &Loaded) -> Result<(), Error> {
        let ended = part.memberships.iter().zip(part.before.memberships()).zip(part.register.memberships());
        let ended = ended.filter(|((_, before), after)| before != after);
        let ended: Vec<_> = ended.map(|((id, _), after)| (*id, after.until)).collect();
        self.end_rows("update memberships m set until_day = e.until_day from unnest($1::bigint[], $2::date[]) as e (id, until_day) where m.membership_id = e.id", &ended).await?;
        let ended =
            part.appointments.iter().zip(part.before.appointments()).zip(part.register.appointments());
        let ended = ended.filter(|((_, before), after)| before != after);
        let ended: Vec<_> = ended.map(|((id, _), after)| (*id, after.until)).collect();
        self.end_rows("update appointments a set until_day = e.until_day from unnest($1::bigint[], $2::date[]) as e (id, until_day) where a.appointment_id = e.id", &ended).await?;
        let new = part.register.memberships().get(part.memberships.len()..).unwrap_or_default();
        self.insert_memberships(new).await?;
        let new = part.register.appointments().get(part.appointments.len()..).unwrap_or_default();
        self.insert_appointments(new).await
    }

    async fn end_rows(
        &mut self,
        statement: &'static str,
        ended: &[(i64, Option<Date>)],
    ) -> Result<(), Error> {
        if ended.is_empty() {
            return Ok(());
        }
        sqlx::query(statement)
            .bind(ids(ended, |(id, _)| *id))
            .bind(ended.iter().map(|(_, until)| until.map(Date::to_sqlx)).collect::<Vec<_>>())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// # Errors
    /// `memberships_one_open` when somebody belongs to a unit already.
    pub async fn insert_memberships(&mut self, new: &[Membership]) -> Result<(), Error> {
        if new.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into memberships (person_id, unit_id, from_day, until_day)
             select * from unnest($1::bigint[], $2::bigint[], $3::date[], $4::date[])",
        )
        .bind(ids(new, |m| m.person.0))
        .bind(ids(new, |m| m.unit.0))
        .bind(new.iter().map(|m| m.from.to_sqlx()).collect::<Vec<_>>())
        .bind(new.iter().map(|m| m.until.map(Date::to_sqlx)).collect::<Vec<_>>())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// # Errors
    /// `appointments_one_open` when somebody holds the position already.
    pub async fn insert_appointments(&mut self, new: &[Appointment]) -> Result<(), Error> {
        if new.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into appointments (person_id, unit_id, position_id, from_day, until_day)
             select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::date[], $5::date[])",
        )
        .bind(ids(new, |a| a.person.0))
        .bind(ids(new, |a| a.unit.0))
        .bind(ids(new, |a| a.position.0))
        .bind(new.iter().map(|a| a.from.to_sqlx()).collect::<Vec<_>>())
        .bind(new.iter().map(|a| a.until.map(Date::to_sqlx)).collect::<Vec<_>>())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
