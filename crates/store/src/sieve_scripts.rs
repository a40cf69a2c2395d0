//! Scripts (bộ lọc thư) as their owners change them.
//!
//! Invariants: whoever changes an owner's scripts holds the owner, so that of two that come at once one sees what the other has done; each
//! change moves the version on by which nodes know what to follow; of each script the newest versions stay, and a version is never changed.

use crate::sieve::column;
use crate::{Error, ScriptOwner, Store, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, ScriptId};

/// Versions of a script that stay.
pub const SCRIPT_VERSIONS_KEPT: u32 = 20;

/// A script as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SieveScriptRow {
    pub script: ScriptId,
    pub name: String,
    pub is_active: bool,
    /// The newest.
    pub version: u32,
    /// Of the newest.
    pub octets: u64,
    pub changed_at: Timestamp,
}

/// What a script was, or is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SieveVersionRow {
    pub version: u32,
    pub octets: u64,
    /// An address, or as the audit trail has it.
    pub put_by: String,
    pub put_at: Timestamp,
}

type Row = (i64, String, bool, i32, i32, jiff_sqlx::Timestamp);

const SCRIPTS: &str =
    "select s.script_id, s.name, s.is_active, s.version, octet_length(v.source), s.changed_at
   from (select * from sieve_scripts where account_id = $1
         union all
         select * from sieve_scripts where unit_id = $2
         union all
         select * from sieve_scripts where domain_id = $3) s
   join sieve_versions v using (script_id, version) order by s.name";

fn script((script, name, is_active, version, octets, changed_at): Row) -> SieveScriptRow {
    SieveScriptRow {
        script: ScriptId(script),
        name,
        is_active,
        version: version.unsigned_abs(),
        octets: octets.unsigned_abs().into(),
        changed_at: changed_at.to_jiff(),
    }
}

impl Store {
    /// All of an owner, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn scripts_of(&self, owner: ScriptOwner) -> Result<Vec<SieveScriptRow>, Error> {
        let (account, unit, domain) = owner.columns();
        let rows: Vec<Row> =
            sqlx::query_as(SCRIPTS).bind(account).bind(unit).bind(domain).fetch_all(&self.pools.main).await?;
        Ok(rows.into_iter().map(script).collect())
    }

    /// The versions of a script that there are, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn script_versions(&self, script: ScriptId) -> Result<Vec<SieveVersionRow>, Error> {
        let rows: Vec<(i32, i32, String, jiff_sqlx::Timestamp)> = sqlx::query_as(
            "select version, octet_length(source), put_by, put_at from sieve_versions where script_id = $1 order by version desc",
        )
        .bind(script.0)
        .fetch_all(&self.pools.main)
        .await?;
        let version =
            |(version, octets, put_by, put_at): (i32, i32, String, jiff_sqlx::Timestamp)| SieveVersionRow {
                version: version.unsigned_abs(),
                octets: octets.unsigned_abs().into(),
                put_by,
                put_at: put_at.to_jiff(),
            };
        Ok(rows.into_iter().map(version).collect())
    }
}

impl Tx {
    /// Holds the owner, and says what scripts he has; `None`: he is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_scripts(&mut self, owner: ScriptOwner) -> Result<Option<Vec<SieveScriptRow>>, Error> {
        let (account, unit, domain) = owner.columns();
        let (statement, id) = match owner {
            ScriptOwner::Mailbox(account) => {
                ("select 1 from counters where account_id = $1 for no key update", account.0)
            }
            ScriptOwner::Unit(unit) => ("select 1 from units where unit_id = $1 for no key update", unit.0),
            ScriptOwner::Domain(domain) => {
                ("select 1 from domains where domain_id = $1 for no key update", domain.0)
            }
        };
        let there: Option<i32> =
            sqlx::query_scalar(statement).bind(id).fetch_optional(&mut *self.inner).await?;
        if there.is_none() {
            return Ok(None);
        }
        let rows: Vec<Row> =
            sqlx::query_as(SCRIPTS).bind(account).bind(unit).bind(domain).fetch_all(&mut *self.inner).await?;
        Ok(Some(rows.into_iter().map(script).collect()))
    }

    /// Keeps a new script of an owner who is held; it is not followed yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_script(
        &mut self,
        owner: ScriptOwner,
        (name, source): (&str, &str),
        (by, now): (&str, Timestamp),
    ) -> Result<(), Error> {
        let (account, unit, domain) = owner.columns();
        sqlx::query(
            "with made as (
                 insert into sieve_scripts (account_id, unit_id, domain_id, name, version, changed_at)
                 values ($1, $2, $3, $4, 1, $7) returning script_id
             )
             insert into sieve_versions (script_id, version, source, put_by, put_at) select script_id, 1, $5, $6, $7 from made",
        )
        .bind(account)
        .bind(unit)
        .bind(domain)
        .bind(name)
        .bind(source)
        .bind(by)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        self.sieve_changed().await
    }

    /// Keeps the next version of a script, whose owner is held; the oldest goes where there are too many. Says its number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_script(
        &mut self,
        script: ScriptId,
        source: &str,
        (by, now): (&str, Timestamp),
    ) -> Result<u32, Error> {
        let version: i32 = sqlx::query_scalar(
            "with moved as (
                 update sieve_scripts set version = version + 1, changed_at = $4 where script_id = $1 returning version
             )
             insert into sieve_versions (script_id, version, source, put_by, put_at)
             select $1, version, $2, $3, $4 from moved returning version",
        )
        .bind(script.0)
        .bind(source)
        .bind(by)
        .bind(now.to_sqlx())
        .fetch_one(&mut *self.inner)
        .await?;
        let version = version.unsigned_abs();
        sqlx::query("delete from sieve_versions where script_id = $1 and version <= $2")
            .bind(script.0)
            .bind(column(version.saturating_sub(SCRIPT_VERSIONS_KEPT)))
            .execute(&mut *self.inner)
            .await?;
        self.sieve_changed().await?;
        Ok(version)
    }

    /// This one of an owner who is held is followed from now on, or none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn activate_script(
        &mut self,
        owner: ScriptOwner,
        active: Option<ScriptId>,
    ) -> Result<(), Error> {
        let (account, unit, domain) = owner.columns();
        // The one before first: of two in one statement the index might see the new one first.
        for statement in [
            "update sieve_scripts set is_active = false
              where (account_id = $1 or unit_id = $2 or domain_id = $3) and is_active and script_id is distinct from $4",
            "update sieve_scripts set is_active = true
              where (account_id = $1 or unit_id = $2 or domain_id = $3) and not is_active and script_id = $4",
        ] {
            sqlx::query(statement)
                .bind(account)
                .bind(unit)
                .bind(domain)
                .bind(active.map(|script| script.0))
                .execute(&mut *self.inner)
                .await?;
        }
        self.sieve_changed().await
    }

    /// A script goes with all its versions; its owner is held.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_script(&mut self, script: ScriptId) -> Result<(), Error> {
        sqlx::query("delete from sieve_scripts where script_id = $1")
            .bind(script.0)
            .execute(&mut *self.inner)
            .await?;
        self.sieve_changed().await
    }

    /// Calls a script otherwise; its owner is held and has none of that name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rename_script(&mut self, script: ScriptId, name: &str, now: Timestamp) -> Result<(), Error> {
        sqlx::query("update sieve_scripts set name = $2, changed_at = $3 where script_id = $1")
            .bind(script.0)
            .bind(name)
            .bind(now.to_sqlx())
            .execute(&mut *self.inner)
            .await?;
        self.sieve_changed().await
    }

    /// What a version of a script says.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn script_source(&mut self, script: ScriptId, version: u32) -> Result<Option<String>, Error> {
        let source = "select source from sieve_versions where script_id = $1 and version = $2";
        Ok(sqlx::query_scalar(source)
            .bind(script.0)
            .bind(column(version))
            .fetch_optional(&mut *self.inner)
            .await?)
    }

    /// No script of this mailbox, which is held, is followed from now on; says which was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stop_script(&mut self, mailbox: AccountId) -> Result<Option<String>, Error> {
        let stopped: Option<String> = sqlx::query_scalar(
            "update sieve_scripts set is_active = false where account_id = $1 and is_active returning name",
        )
        .bind(mailbox.0)
        .fetch_optional(&mut *self.inner)
        .await?;
        if stopped.is_some() {
            self.sieve_changed().await?;
        }
        Ok(stopped)
    }

    /// No notice of leave of this mailbox, which is held, answers from `today` on; says whether one would have.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stop_answers(&mut self, mailbox: AccountId, today: Date) -> Result<bool, Error> {
        let stopped = sqlx::query(
            "update leaves set answer = null, answer_subject = null
              where account_id = $1 and to_day >= $2 and answer is not null",
        )
        .bind(mailbox.0)
        .bind(today.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        if stopped.rows_affected() > 0 {
            self.sieve_changed().await?;
        }
        Ok(stopped.rows_affected() > 0)
    }

    /// A mailbox that is deleted has no scripts and remembers nothing for them.
    pub(crate) async fn forget_scripts(&mut self, account: AccountId) -> Result<(), Error> {
        for statement in [
            "delete from sieve_answered where account_id = $1",
            "delete from sieve_seen where account_id = $1",
            "delete from sieve_scripts where account_id = $1",
        ] {
            sqlx::query(statement).bind(account.0).execute(&mut *self.inner).await?;
        }
        self.sieve_changed().await
    }

    /// Last in its transaction, but for the audit trail: it is held until the commit. Automatic forwarding comes before it.
    pub(crate) async fn sieve_changed(&mut self) -> Result<(), Error> {
        sqlx::query("update sieve_version set version = version + 1").execute(&mut *self.inner).await?;
        Ok(())
    }
}
