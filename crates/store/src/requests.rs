//! Requests of organisations (đề nghị), their documents and what was done about them.

use crate::{Error, Reach, Store, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::{Date as SqlDate, ToSqlx as _};
use model::{AccountId, Address, DomainId, DomainName, RequestKind, RequestState, UnitId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

/// A request that is to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct NewRequestRow<'a> {
    pub domain: DomainId,
    pub unit: Option<UnitId>,
    pub account: Option<AccountId>,
    pub kind: RequestKind,
    pub subject: &'a str,
    pub detail: &'a str,
    pub document: &'a str,
    pub requested_by: &'a str,
    pub requester: Option<AccountId>,
    pub due_on: Date,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    pub request: i64,
    pub domain: DomainId,
    pub unit: Option<UnitId>,
    /// Code of the unit.
    pub unit_code: Option<String>,
    pub account: Option<AccountId>,
    /// Of the mailbox it is about.
    pub address: Option<Address>,
    /// Its display name.
    pub mailbox_name: Option<String>,
    /// Code and name of the unit that asks, else of the one that the mailbox belongs to.
    pub about_unit: Option<(String, String)>,
    pub kind: RequestKind,
    pub state: RequestState,
    pub subject: String,
    pub detail: String,
    pub document: String,
    pub requested_by: String,
    pub requester: Option<AccountId>,
    pub received_at: Timestamp,
    pub due_on: Date,
    pub assignee: Option<String>,
    /// When, by whom, and why.
    pub decided: Option<(Timestamp, String, String)>,
}

/// One thing done about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestEventRow {
    pub at: Timestamp,
    pub actor: String,
    pub act: String,
    pub note: String,
}

/// A document of a request, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestDocumentRow {
    pub name: String,
    pub media_type: String,
    /// BLAKE3.
    pub hash: Vec<u8>,
    pub bytes: u64,
    pub added_by: String,
}

/// A document that is to be added to a request.
#[derive(Clone, Copy, Debug)]
pub struct NewRequestDocument<'a> {
    pub name: &'a str,
    pub media_type: &'a str,
    pub hash: [u8; 32],
    pub data: &'a [u8],
}

/// Which requests to list.
#[derive(Clone, Copy, Debug)]
pub struct RequestFilter<'a> {
    pub reach: &'a Reach,
    pub domain: &'a DomainName,
    /// Those that are settled, too.
    pub settled: bool,
    /// Those that were due before this day.
    pub due_before: Option<Date>,
    pub after: i64,
    pub limit: u32,
}

const DAMAGED: Error = Error::Damaged("a request has a value this version does not know");

fn request(row: &PgRow) -> Result<RequestRow, Error> {
    let address: Option<String> = row.try_get("address")?;
    let (kind, state): (String, String) = (row.try_get("kind")?, row.try_get("state")?);
    let decided_at: Option<jiff_sqlx::Timestamp> = row.try_get("decided_at")?;
    let decided_by: Option<String> = row.try_get("decided_by")?;
    let decision: Option<String> = row.try_get("decision")?;
    let (code, name): (Option<String>, Option<String>) =
        (row.try_get("about_code")?, row.try_get("about_name")?);
    Ok(RequestRow {
        request: row.try_get("request_id")?,
        domain: DomainId(row.try_get("domain_id")?),
        unit: row.try_get::<Option<i64>, _>("unit_id")?.map(UnitId),
        unit_code: row.try_get("code")?,
        account: row.try_get::<Option<i64>, _>("account_id")?.map(AccountId),
        address: address.map(|address| address.parse().map_err(|_| DAMAGED)).transpose()?,
        mailbox_name: row.try_get("display_name")?,
        about_unit: code.zip(name),
        kind: kind.parse().map_err(|_| DAMAGED)?,
        state: state.parse().map_err(|_| DAMAGED)?,
        subject: row.try_get("subject")?,
        detail: row.try_get("detail")?,
        document: row.try_get("document")?,
        requested_by: row.try_get("requested_by")?,
        requester: row.try_get::<Option<i64>, _>("requester_id")?.map(AccountId),
        received_at: row.try_get::<jiff_sqlx::Timestamp, _>("received_at")?.to_jiff(),
        due_on: row.try_get::<SqlDate, _>("due_on")?.to_jiff(),
        assignee: row.try_get("assignee")?,
        decided: decided_at
            .map(|at| (at.to_jiff(), decided_by.unwrap_or_default(), decision.unwrap_or_default())),
    })
}

macro_rules! requests {
    ($where:literal) => {
        concat!(
            "select r.request_id, r.domain_id, r.unit_id, u.code, r.account_id, g.address, r.kind, r.state, r.subject,
                    r.detail, r.document, r.requested_by, r.requester_id, r.received_at, r.due_on, r.assignee, r.decision,
                    r.decided_by, r.decided_at, a.display_name, v.code as about_code, v.name as about_name
               from requests r
               left join units u on u.unit_id = r.unit_id
               left join accounts a on a.account_id = r.account_id
               left join units v on v.unit_id = coalesce(r.unit_id, a.unit_id)
               left join addresses g on g.account_id = r.account_id and g.kind = 'primary' ",
            $where
        )
    };
}

impl Store {
    /// # Errors
    /// When the database fails.
    pub async fn request(&self, request_id: i64) -> Result<Option<RequestRow>, Error> {
        let row = sqlx::query(requests!("where r.request_id = $1"))
            .bind(request_id)
            .fetch_optional(&self.pools.main)
            .await?;
        row.as_ref().map(request).transpose()
    }

    /// By number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn requests(&self, filter: RequestFilter<'_>) -> Result<Vec<RequestRow>, Error> {
        let rows = sqlx::query(requests!(
            "where r.domain_id = (select domain_id from domains where name = $1)
               and ($2 or r.state in ('new', 'accepted'))
               and ($3::date is null or r.due_on < $3) and r.request_id > $4
               and ($6 or r.domain_id = any ($7) or r.account_id = any ($10)
                    or coalesce(r.unit_id, a.unit_id) in (select units_below($8, $9)))
             order by r.request_id limit $5"
        ))
        .bind(filter.domain.as_str())
        .bind(filter.settled)
        .bind(filter.due_before.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(filter.after)
        .bind(i64::from(filter.limit))
        .bind(filter.reach.everything)
        .bind(&filter.reach.domains)
        .bind(&filter.reach.subtree_domains)
        .bind(&filter.reach.subtree_units)
        .bind(&filter.reach.mailboxes)
        .fetch_all(&self.pools.main)
        .await?;
        rows.iter().map(request).collect()
    }

    /// What was done about it, in order, and its documents.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn request_history(
        &self,
        request_id: i64,
    ) -> Result<(Vec<RequestEventRow>, Vec<RequestDocumentRow>), Error> {
        let events: Vec<(jiff_sqlx::Timestamp, String, String, String)> = sqlx::query_as(
            "select at, actor, act, note from request_events where request_id = $1 order by at limit 1000",
        )
        .bind(request_id)
        .fetch_all(&self.pools.main)
        .await?;
        let documents: Vec<(String, String, Vec<u8>, i32, String)> = sqlx::query_as(
            "select name, media_type, hash, length(data), added_by from request_documents where request_id = $1
              order by document_id limit 1000",
        )
        .bind(request_id)
        .fetch_all(&self.pools.main)
        .await?;
        let events = events
            .into_iter()
            .map(|(at, actor, act, note)| RequestEventRow { at: at.to_jiff(), actor, act, note })
            .collect();
        let document = |(name, media_type, hash, bytes, added_by): (String, String, Vec<u8>, i32, String)| {
            RequestDocumentRow { name, media_type, hash, bytes: u64::try_from(bytes).unwrap_or(0), added_by }
        };
        Ok((events, documents.into_iter().map(document).collect()))
    }

    /// Who is told of what becomes of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn request_watchers(&self, request_id: i64) -> Result<Vec<AccountId>, Error> {
        let rows: Vec<i64> =
            sqlx::query_scalar("select account_id from request_watchers where request_id = $1")
                .bind(request_id)
                .fetch_all(&self.pools.main)
                .await?;
        Ok(rows.into_iter().map(AccountId).collect())
    }
}

impl Tx {
    /// The request as this transaction leaves it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn request(&mut self, request_id: i64) -> Result<Option<RequestRow>, Error> {
        let row = sqlx::query(requests!("where r.request_id = $1"))
            .bind(request_id)
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(request).transpose()
    }

    /// # Errors
    /// When the database fails.
    pub async fn insert_request(
        &mut self,
        new: &NewRequestRow<'_>,
        watchers: &[AccountId],
        now: Timestamp,
    ) -> Result<i64, Error> {
        let id: i64 = sqlx::query_scalar(
            "insert into requests (domain_id, unit_id, account_id, kind, state, subject, detail, document, requested_by,
                                   requester_id, received_at, due_on)
             values ($1, $2, $3, $4, 'new', $5, $6, $7, $8, $9, $10, $11) returning request_id",
        )
        .bind(new.domain.0)
        .bind(new.unit.map(|unit| unit.0))
        .bind(new.account.map(|account| account.0))
        .bind(new.kind.as_str())
        .bind(new.subject)
        .bind(new.detail)
        .bind(new.document)
        .bind(new.requested_by)
        .bind(new.requester.map(|account| account.0))
        .bind(now.to_sqlx())
        .bind(new.due_on.to_sqlx())
        .fetch_one(&mut *self.inner)
        .await?;
        sqlx::query("insert into request_watchers (request_id, account_id) select distinct $1::bigint, id from unnest($2::bigint[]) as id")
            .bind(id)
            .bind(watchers.iter().map(|account| account.0).collect::<Vec<_>>())
            .execute(&mut *self.inner)
            .await?;
        Ok(id)
    }

    /// Takes the request for this transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_request(&mut self, request_id: i64) -> Result<Option<RequestState>, Error> {
        let state: Option<String> =
            sqlx::query_scalar("select state from requests where request_id = $1 for no key update")
                .bind(request_id)
                .fetch_optional(&mut *self.inner)
                .await?;
        state.map(|state| state.parse().map_err(|_| DAMAGED)).transpose()
    }

    /// Has it any document?
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_request_document(&mut self, request_id: i64) -> Result<bool, Error> {
        Ok(sqlx::query_scalar(
            "select document <> '' or exists (select from request_documents where request_id = $1)
               from requests where request_id = $1",
        )
        .bind(request_id)
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// Counted by their key; to be called while the request is held.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn request_document_count(&mut self, request_id: i64) -> Result<u64, Error> {
        let count: i64 = sqlx::query_scalar("select count(*) from request_documents where request_id = $1")
            .bind(request_id)
            .fetch_one(&mut *self.inner)
            .await?;
        Ok(count.unsigned_abs())
    }

    /// # Errors
    /// When the database fails.
    pub async fn set_request_state(
        &mut self,
        request_id: i64,
        state: RequestState,
        (by, why, now): (&str, &str, Timestamp),
    ) -> Result<(), Error> {
        sqlx::query(
            "update requests set state = $2, decided_by = $3, decision = $4, decided_at = $5 where request_id = $1",
        )
        .bind(request_id)
        .bind(state.as_str())
        .bind(by)
        .bind(why)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// # Errors
    /// When the database fails.
    pub async fn assign_request(&mut self, request_id: i64, assignee: &str) -> Result<(), Error> {
        sqlx::query("update requests set assignee = $2 where request_id = $1")
            .bind(request_id)
            .bind(assignee)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// # Errors
    /// When the database fails.
    pub async fn note_request(
        &mut self,
        request_id: i64,
        (actor, act, note): (&str, &str, &str),
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(
            "insert into request_events (request_id, at, actor, act, note) values ($1, $2, $3, $4, $5)",
        )
        .bind(request_id)
        .bind(now.to_sqlx())
        .bind(actor)
        .bind(act)
        .bind(note)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// # Errors
    /// When the database fails.
    pub async fn add_request_document(
        &mut self,
        request_id: i64,
        new: &NewRequestDocument<'_>,
        (by, now): (&str, Timestamp),
    ) -> Result<(), Error> {
        sqlx::query(
            "insert into request_documents (request_id, name, media_type, hash, data, added_by, added_at)
             values ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(request_id)
        .bind(new.name)
        .bind(new.media_type)
        .bind(new.hash.as_slice())
        .bind(new.data)
        .bind(by)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
