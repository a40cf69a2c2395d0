//! The organisation tree of a domain: units, kinds, and what happened to them.
//!
//! Invariants: whoever changes a domain's organisation holds its row ([`Tx::lock_organisation`]) while reading what the change
//! is based on; a tree is read and written whole or by what changed, never unit by unit.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::{Date as SqlDate, ToSqlx as _};
use model::{DomainId, KindId, Kinds, Tier, Tree, Unit, UnitCode, UnitEvent, UnitId, UnitKind, UnitState};
use sqlx::PgConnection;
use sqlx::types::Json;

const DAMAGED: Error = Error::Damaged("a unit has a value this version does not know");

impl Store {
    /// The tree as it is at one moment.
    ///
    /// # Errors
    /// When the database fails or the tree is none.
    pub async fn tree(&self, domain: DomainId) -> Result<Tree, Error> {
        // In one transaction, so that units and events are of one moment.
        let mut tx = self.begin().await?;
        sqlx::query("set transaction isolation level repeatable read").execute(&mut *tx.inner).await?;
        load(&mut tx.inner, domain).await
    }
}

impl Tx {
    /// Until the end of the transaction nobody else changes this domain's organisation or grants an address made from a name.
    /// Its profile; `None` when there is no such domain any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_organisation(&mut self, domain: DomainId) -> Result<Option<String>, Error> {
        Ok(sqlx::query_scalar("select profile from domains where domain_id = $1 for no key update")
            .bind(domain.0)
            .fetch_optional(&mut *self.inner)
            .await?)
    }

    /// # Errors
    /// When the database fails or the tree is none.
    pub async fn tree(&mut self, domain: DomainId) -> Result<Tree, Error> {
        load(&mut self.inner, domain).await
    }

    /// Numbers for units that are to be founded.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn new_unit_ids(&mut self, count: usize) -> Result<Vec<UnitId>, Error> {
        let ids: Vec<i64> = sqlx::query_scalar(
            "select nextval(pg_get_serial_sequence('units', 'unit_id')) from generate_series(1, $1)",
        )
        .bind(i64::try_from(count).unwrap_or(0))
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(ids.into_iter().map(UnitId).collect())
    }

    /// Writes units that are new or have changed, and what happened.
    ///
    /// # Errors
    /// `units_code_key` when a code is taken.
    pub async fn save_units(
        &mut self,
        domain: DomainId,
        units: &[&Unit],
        events: &[UnitEvent],
        now: Timestamp,
    ) -> Result<(), Error> {
        // By number, so that a unit comes behind the one above it; keys of one statement are checked at its end.
        let columns = Columns::of(units);
        sqlx::query(
            "insert into units (unit_id, domain_id, parent_id, code, name, kind, identifier, dissolved_on, successors,
                                created_at)
             overriding system value
             select unit_id, $1, parent_id, code, name, kind, identifier, dissolved_on, successors::bigint[], $10
               from unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::date[],
                           $9::text[])
                 as u (unit_id, parent_id, code, name, kind, identifier, dissolved_on, successors)
             on conflict on constraint units_pkey do update
                set parent_id = excluded.parent_id, code = excluded.code, name = excluded.name, kind = excluded.kind,
                    identifier = excluded.identifier, dissolved_on = excluded.dissolved_on,
                    successors = excluded.successors",
        )
        .bind(domain.0)
        .bind(columns.ids)
        .bind(columns.parents)
        .bind(columns.codes)
        .bind(columns.names)
        .bind(columns.kinds)
        .bind(columns.identifiers)
        .bind(columns.dissolved)
        .bind(columns.successors)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        self.insert_unit_events(domain, events, now).await
    }

    async fn insert_unit_events(
        &mut self,
        domain: DomainId,
        events: &[UnitEvent],
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(
            "insert into unit_events (domain_id, unit_id, on_day, happening, at)
             select $1, unit_id, on_day, happening, $5
               from unnest($2::bigint[], $3::date[], $4::jsonb[]) with ordinality
                 as e (unit_id, on_day, happening, nth)
              order by nth",
        )
        .bind(domain.0)
        .bind(events.iter().map(|event| event.unit.0).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.on.to_sqlx()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| Json(&event.happening)).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Adds a kind of units to a domain's, or replaces it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_kind(&mut self, domain: DomainId, kind: &UnitKind) -> Result<(), Error> {
        sqlx::query(
            "insert into unit_kinds (domain_id, kind, label, tier, ended_on) values ($1, $2, $3, $4, $5)
             on conflict on constraint unit_kinds_pkey
             do update set label = excluded.label, tier = excluded.tier, ended_on = excluded.ended_on",
        )
        .bind(domain.0)
        .bind(kind.id.as_str())
        .bind(&kind.label)
        .bind(kind.tier.as_str())
        .bind(kind.ended.map(Date::to_sqlx))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}

/// Units column by column, as statements take them.
struct Columns<'a> {
    ids: Vec<i64>,
    parents: Vec<Option<i64>>,
    codes: Vec<&'a str>,
    names: Vec<&'a str>,
    kinds: Vec<&'a str>,
    identifiers: Vec<Option<&'a str>>,
    dissolved: Vec<Option<SqlDate>>,
    successors: Vec<String>,
}

impl<'a> Columns<'a> {
    fn of(units: &[&'a Unit]) -> Self {
        let ends = |unit: &Unit| match &unit.state {
            UnitState::Active => (None, "{}".to_owned()),
            UnitState::Dissolved { on, successors } => {
                let ids: Vec<String> = successors.iter().map(ToString::to_string).collect();
                (Some(on.to_sqlx()), format!("{{{}}}", ids.join(",")))
            }
        };
        let (dissolved, successors) = units.iter().map(|unit| ends(unit)).unzip();
        Self {
            ids: units.iter().map(|unit| unit.id.0).collect(),
            parents: units.iter().map(|unit| unit.parent.map(|parent| parent.0)).collect(),
            codes: units.iter().map(|unit| unit.code.as_str()).collect(),
            names: units.iter().map(|unit| unit.name.as_str()).collect(),
            kinds: units.iter().map(|unit| unit.kind.as_str()).collect(),
            identifiers: units.iter().map(|unit| unit.identifier.as_deref()).collect(),
            dissolved,
            successors,
        }
    }
}

type UnitRow = (i64, Option<i64>, String, String, String, Option<String>, Option<SqlDate>, Vec<i64>);

async fn load(connection: &mut PgConnection, domain: DomainId) -> Result<Tree, Error> {
    let rows: Vec<UnitRow> = sqlx::query_as(
        "select unit_id, parent_id, code, name, kind, identifier, dissolved_on, successors
           from units where domain_id = $1",
    )
    .bind(domain.0)
    .fetch_all(&mut *connection)
    .await?;
    let units = rows.into_iter().map(unit).collect::<Result<Vec<_>, _>>()?;
    let rows: Vec<(i64, SqlDate, Json<model::Happening>)> = sqlx::query_as(
        "select unit_id, on_day, happening from unit_events where domain_id = $1 order by unit_event_id",
    )
    .bind(domain.0)
    .fetch_all(&mut *connection)
    .await?;
    let events = rows.into_iter().map(|(unit, on, Json(happening))| UnitEvent {
        unit: UnitId(unit),
        on: on.to_jiff(),
        happening,
    });
    let events = events.collect();
    let kinds = load_kinds(connection, domain).await?;
    Tree::restore(kinds, units, events).map_err(|_| Error::Damaged("the units of a domain are no tree"))
}

fn unit(row: UnitRow) -> Result<Unit, Error> {
    let (id, parent, code, name, kind, identifier, dissolved, successors) = row;
    let state = match dissolved {
        None => UnitState::Active,
        Some(on) => UnitState::Dissolved {
            on: on.to_jiff(),
            successors: successors.into_iter().map(UnitId).collect(),
        },
    };
    Ok(Unit {
        id: UnitId(id),
        code: UnitCode::new(&code).map_err(|_| DAMAGED)?,
        name,
        kind: KindId::new(&kind),
        identifier,
        parent: parent.map(UnitId),
        state,
    })
}

async fn load_kinds(connection: &mut PgConnection, domain: DomainId) -> Result<Kinds, Error> {
    let rows: Vec<(String, String, String, Option<SqlDate>)> = sqlx::query_as(
        "select kind, label, tier, ended_on from unit_kinds where domain_id = $1 order by kind",
    )
    .bind(domain.0)
    .fetch_all(connection)
    .await?;
    let mut kinds = Kinds::default();
    for (kind, label, tier, ended) in rows {
        let tier: Tier = tier.parse().map_err(|_| DAMAGED)?;
        kinds.put(UnitKind { id: KindId::new(&kind), label, tier, ended: ended.map(SqlDate::to_jiff) });
    }
    Ok(kinds)
}

/// What belongs to a unit.
#[derive(Clone, Debug)]
pub struct UnitFigures {
    pub unit: UnitId,
    pub people: u64,
    pub mailboxes: u64,
    /// The primary address of its oldest organisation mailbox that did not come from a unit that ended.
    pub address: Option<String>,
}

impl Store {
    /// Figures of all units of a domain.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unit_figures(&self, domain: DomainId) -> Result<Vec<UnitFigures>, Error> {
        let rows: Vec<(i64, i64, i64, Option<String>)> = sqlx::query_as(
            "select u.unit_id, coalesce(m.people, 0), coalesce(b.mailboxes, 0), b.address
               from units u
               left join (select unit_id, count(*) as people from memberships where until_day is null group by unit_id) m
                      using (unit_id)
               left join (select a.unit_id, count(*) as mailboxes,
                                 (array_agg(g.address order by a.moved_in_at nulls first, a.account_id)
                                    filter (where a.class = 'organisation'))[1] as address
                            from accounts a join addresses g on g.account_id = a.account_id and g.kind = 'primary'
                           where a.domain_id = $1 and a.unit_id is not null and a.state <> 'deleted'
                           group by a.unit_id) b
                      using (unit_id)
              where u.domain_id = $1",
        )
        .bind(domain.0)
        .fetch_all(&self.pools.main)
        .await?;
        let figures = |(unit, people, mailboxes, address): (i64, i64, i64, Option<String>)| UnitFigures {
            unit: UnitId(unit),
            people: people.unsigned_abs(),
            mailboxes: mailboxes.unsigned_abs(),
            address,
        };
        Ok(rows.into_iter().map(figures).collect())
    }
}
