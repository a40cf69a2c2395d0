//! What a message's sender is to be told together: put by in the transaction that ends it, and told in one that puts the report where
//! it belongs.
//!
//! Invariants: what is put by is told once, whoever dies; a message stays while something of it is put by, and something is while
//! `tell_at` says when it is told.

use crate::queue::claim::last_answer;
use crate::{Error, MailBack, Placed, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::queue::{Answer, Needs, Return, Status, TELLINGS_SOON_MAX, TOLD_LATER, TOLD_SOON};
use model::{AccountId, ContentId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

/// Messages with something to tell of by now: $1 now, $2 not these, $3 at most. Also those of which nothing is left to wait for.
const UNTOLD: &str = "select message_id from queue_messages m
      where tell_at is not null and message_id <> all ($2)
        and (tell_at <= $1 or not exists (select from queue_deliveries d where d.message_id = m.message_id))
      order by tell_at limit $3";

/// A recipient whose course has ended.
#[derive(Clone, Copy, Debug)]
pub struct NewUntold<'a> {
    /// `failed` or `relayed`.
    pub action: &'static str,
    pub address: &'a str,
    /// ORCPT as it came.
    pub original: Option<&'a str>,
    pub answer: &'a Answer,
}

/// As it was put by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    pub untold: i64,
    pub action: String,
    pub address: String,
    pub original: Option<String>,
    pub answer: Answer,
    pub said_at: Timestamp,
}

/// A message whose sender is to be told.
#[derive(Clone, Debug)]
pub struct UntoldMessage {
    pub message: i64,
    pub content: ContentId,
    pub sender: String,
    pub account: Option<AccountId>,
    pub ret: Option<Return>,
    pub envid: Option<String>,
    pub needs: Needs,
    pub about: String,
    pub accepted_at: Timestamp,
    /// Never none.
    pub told: Vec<Untold>,
}

impl Store {
    /// Is this all that is left of a message, with nothing put by?
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_all_of(&self, message: i64, deliveries: &[i64]) -> Result<bool, Error> {
        Ok(sqlx::query_scalar(
            "select not exists (select from queue_deliveries where message_id = $1 and delivery_id <> all ($2))
                and not exists (select from queue_messages where message_id = $1 and tell_at is not null)",
        )
        .bind(message)
        .bind(deliveries)
        .fetch_one(&self.pools.main)
        .await?)
    }

    /// Up to `limit` messages whose sender is to be told by now, none of `passed_over`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untold_messages(
        &self,
        passed_over: &[i64],
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<i64>, Error> {
        Ok(sqlx::query_scalar(UNTOLD)
            .bind(now.to_sqlx())
            .bind(passed_over)
            .bind(limit)
            .fetch_all(&self.pools.main)
            .await?)
    }

    /// A message, with up to `limit` of what is put by, the first first. `None` when nothing is any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untold_of(&self, message: i64, limit: i64) -> Result<Option<UntoldMessage>, Error> {
        let row = sqlx::query(
            "select content_id, sender, account_id, ret, envid, needs, about, accepted_at from queue_messages where message_id = $1",
        )
        .bind(message)
        .fetch_optional(&self.pools.main)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let rows = sqlx::query(
            "select untold_id, action, address, original, code, status, answer, host, said_at
               from queue_untold where message_id = $1 order by untold_id limit $2",
        )
        .bind(message)
        .bind(limit)
        .fetch_all(&self.pools.main)
        .await?;
        let told = rows.iter().map(untold).collect::<Result<Vec<_>, sqlx::Error>>()?;
        Ok((!told.is_empty()).then_some(UntoldMessage {
            message,
            content: ContentId(row.try_get(0)?),
            sender: row.try_get(1)?,
            account: row.try_get::<Option<i64>, _>(2)?.map(AccountId),
            ret: row.try_get::<Option<String>, _>(3)?.as_deref().and_then(Return::from_name),
            envid: row.try_get(4)?,
            needs: Needs::from_number(row.try_get(5)?),
            about: row.try_get(6)?,
            accepted_at: row.try_get::<jiff_sqlx::Timestamp, _>(7)?.to_jiff(),
            told,
        }))
    }

    /// Where what is mailed back came to lie; `None`, and nothing is changed, when somebody else tells of it. What was put by since
    /// waits for its own report.
    ///
    /// # Errors
    /// As [`Store::report_mail`].
    pub async fn told_together(
        &self,
        (message, untold): (i64, &[i64]),
        back: &[MailBack<'_>],
        now: Timestamp,
    ) -> Result<Option<Vec<Placed>>, Error> {
        let mut tx = self.begin().await?;
        let lock = sqlx::query("select 1 from queue_messages where message_id = $1 for update skip locked")
            .bind(message)
            .fetch_optional(&mut *tx.inner)
            .await?;
        let gone = sqlx::query("delete from queue_untold where untold_id = any ($1)")
            .bind(untold)
            .execute(&mut *tx.inner)
            .await?;
        if lock.is_none() || usize::try_from(gone.rows_affected()).ok() != Some(untold.len()) {
            return Ok(None);
        }
        let mut placed = Vec::new();
        for mail in back {
            placed.extend(tx.mail_back(mail).await?);
        }
        sqlx::query(
            "update queue_messages set tellings = tellings + 1, tell_at = null where message_id = $1",
        )
        .bind(message)
        .execute(&mut *tx.inner)
        .await?;
        tx.tell_later(message, now).await?;
        tx.end_these_messages(&[message], now).await?;
        tx.commit().await?;
        Ok(Some(placed))
    }
}

impl Tx {
    /// In the transaction that ends these recipients of a message, whose row it has locked.
    pub(crate) async fn put_by(
        &mut self,
        message: i64,
        untold: &[NewUntold<'_>],
        now: Timestamp,
    ) -> Result<(), Error> {
        if untold.is_empty() {
            return Ok(());
        }
        let answers = || untold.iter().map(|one| one.answer);
        sqlx::query(
            "insert into queue_untold (message_id, action, address, original, code, status, answer, host, said_at)
             select $1, u.action, u.address, u.original, u.code, u.status, u.answer, u.host, $9
               from unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[], $8::text[])
                    with ordinality as u (action, address, original, code, status, answer, host, nth)
              order by u.nth",
        )
        .bind(message)
        .bind(untold.iter().map(|one| one.action).collect::<Vec<_>>())
        .bind(untold.iter().map(|one| one.address).collect::<Vec<_>>())
        .bind(untold.iter().map(|one| one.original).collect::<Vec<_>>())
        .bind(answers().map(|answer| answer.code.map(i32::from)).collect::<Vec<_>>())
        .bind(answers().map(|answer| answer.status.to_string()).collect::<Vec<_>>())
        .bind(answers().map(|answer| answer.text.as_str()).collect::<Vec<_>>())
        .bind(answers().map(|answer| answer.host.as_deref()).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        self.tell_later(message, now).await
    }

    /// When what is put by is told of, where that is not said yet: soon the first few times.
    async fn tell_later(&mut self, message: i64, now: Timestamp) -> Result<(), Error> {
        let after = |wait| now.saturating_add(wait).unwrap_or(Timestamp::MAX).to_sqlx();
        sqlx::query(
            "update queue_messages m set tell_at = case when tellings < $2 then $3 else $4 end
              where message_id = $1 and tell_at is null
                and exists (select from queue_untold u where u.message_id = m.message_id)",
        )
        .bind(message)
        .bind(TELLINGS_SOON_MAX)
        .bind(after(TOLD_SOON))
        .bind(after(TOLD_LATER))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}

fn untold(row: &PgRow) -> Result<Untold, sqlx::Error> {
    let status: String = row.try_get(5)?;
    let answer = last_answer(row.try_get(4)?, Some(&status), Some(row.try_get(6)?), row.try_get(7)?);
    Ok(Untold {
        untold: row.try_get(0)?,
        action: row.try_get(1)?,
        address: row.try_get(2)?,
        original: row.try_get(3)?,
        answer: answer.unwrap_or_else(|| Answer::ours(Status(5, 0, 0), "")),
        said_at: row.try_get::<jiff_sqlx::Timestamp, _>(8)?.to_jiff(),
    })
}
