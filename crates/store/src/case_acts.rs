//! What is done to cases, in transactions of the caller.
//!
//! Invariant: whoever reads a case in order to change it holds its row.

use crate::{Error, NewCase, NewCaseMessage, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, CaseState, ContentId, EmailId, FolderId, Uid, UnitId};

const DAMAGED: Error = Error::Damaged("a case has a value this version does not know");

/// A case that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldCase {
    pub case: i64,
    pub state: CaseState,
    pub is_assigned: bool,
    pub request: Option<i64>,
}

/// How much a sender has written of late, and all senders from outside together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SupportLoad {
    /// Mails of this sender.
    pub mails: i64,
    /// Cases of this sender, and the last of them.
    pub cases: i64,
    pub last: Option<i64>,
    /// Cases of everybody from outside.
    pub outside: i64,
}

impl Tx {
    /// Takes the cursor; `None` when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_support_cursor(&mut self, mailbox: AccountId) -> Result<Option<Uid>, Error> {
        let uid: Option<i64> =
            sqlx::query_scalar("select uid from support_cursors where mailbox_id = $1 for update")
                .bind(mailbox.0)
                .fetch_optional(&mut *self.inner)
                .await?;
        Ok(uid.map(|uid| Uid(u32::try_from(uid).unwrap_or(u32::MAX))))
    }

    /// # Errors
    /// When the database fails.
    pub async fn set_support_cursor(&mut self, mailbox: AccountId, uid: Uid) -> Result<(), Error> {
        sqlx::query("update support_cursors set uid = $2 where mailbox_id = $1")
            .bind(mailbox.0)
            .bind(i64::from(uid.0))
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Was a mail of this number made a case's before (`case_messages_email`)?
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_case_message(&mut self, mailbox: AccountId, email: EmailId) -> Result<bool, Error> {
        Ok(sqlx::query_scalar(
            "select exists (select from case_messages where mailbox_id = $1 and email_id = $2)",
        )
        .bind(mailbox.0)
        .bind(email.0)
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// The newest case of this mailbox that has one of these message ids or this number, and in which the writer takes part: he
    /// wrote in it before, or (having logged in) belongs to the unit it came from. Who did not log in takes part in no case of
    /// one who did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn case_of_reply(
        &mut self,
        mailbox: AccountId,
        (ids, number): (&[String], Option<i64>),
        (author, account, unit): (&str, Option<AccountId>, Option<UnitId>),
    ) -> Result<Option<i64>, Error> {
        Ok(sqlx::query_scalar(
            "select c.case_id from cases c
              where c.mailbox_id = $1
                and (c.case_id = $3
                     or c.case_id in (select m.case_id from case_messages m where m.mailbox_id = $1 and m.message_id = any ($2)))
                and case when $5::bigint is null
                         then c.account_id is null
                              and (c.sender = $4 or exists (select from case_messages m
                                                             where m.mailbox_id = $1 and m.author = $4 and m.is_outside and not m.is_answer
                                                               and m.case_id = c.case_id))
                         else c.account_id = $5 or c.unit_id = $6 end
              order by c.case_id desc limit 1",
        )
        .bind(mailbox.0)
        .bind(ids)
        .bind(number)
        .bind(author)
        .bind(account.map(|account| account.0))
        .bind(unit.map(|unit| unit.0))
        .fetch_optional(&mut *self.inner)
        .await?)
    }

    /// Since then (`case_messages_author`, `cases_sender`, `cases_outside`).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn support_load(
        &mut self,
        mailbox: AccountId,
        (author, is_outside): (&str, bool),
        since: Timestamp,
    ) -> Result<SupportLoad, Error> {
        let (mails, cases, last, outside): (i64, i64, Option<i64>, i64) = sqlx::query_as(
            "select (select count(*) from case_messages
                      where mailbox_id = $1 and author = $2 and at > $3 and not is_answer and is_outside = $4),
                    (select count(*) from cases
                      where mailbox_id = $1 and sender = $2 and opened_at > $3 and (account_id is null) = $4),
                    (select max(case_id) from cases
                      where mailbox_id = $1 and sender = $2 and opened_at > $3 and (account_id is null) = $4),
                    (select count(*) from cases where mailbox_id = $1 and account_id is null and opened_at > $3)",
        )
        .bind(mailbox.0)
        .bind(author)
        .bind(since.to_sqlx())
        .bind(is_outside)
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(SupportLoad { mails, cases, last, outside })
    }

    /// # Errors
    /// When the database fails.
    pub async fn insert_case(&mut self, new: &NewCase<'_>, now: Timestamp) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(
            "insert into cases (domain_id, mailbox_id, sender, account_id, unit_id, subject, state, opened_at, changed_at, receipt)
             values ($1, $2, $3, $4, $5, $6, 'new', $7, $7, $8) returning case_id",
        )
        .bind(new.domain.0)
        .bind(new.mailbox.0)
        .bind(new.sender)
        .bind(new.account.map(|account| account.0))
        .bind(new.unit.map(|unit| unit.0))
        .bind(new.subject)
        .bind(now.to_sqlx())
        .bind(new.receipt)
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// # Errors
    /// When the database fails.
    pub async fn add_case_message(
        &mut self,
        case_id: i64,
        new: &NewCaseMessage<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(
            "insert into case_messages (case_id, mailbox_id, is_answer, email_id, content_id, message_id, author, is_outside, at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(case_id)
        .bind(new.mailbox.0)
        .bind(new.is_answer)
        .bind(new.email.map(|(email, _)| email.0))
        .bind(new.email.map(|(_, content)| content.0))
        .bind(new.message_id)
        .bind(new.author)
        .bind(new.is_outside)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// # Errors
    /// When the database fails.
    pub async fn note_case(
        &mut self,
        case_id: i64,
        (actor, act, note): (&str, &str, &str),
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query("insert into case_events (case_id, at, actor, act, note) values ($1, $2, $3, $4, $5)")
            .bind(case_id)
            .bind(now.to_sqlx())
            .bind(actor)
            .bind(act)
            .bind(note)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Takes the case for this transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_case(&mut self, case_id: i64) -> Result<Option<HeldCase>, Error> {
        let row: Option<(String, bool, Option<i64>)> = sqlx::query_as(
            "select state, assignee is not null, request_id from cases where case_id = $1 for no key update",
        )
        .bind(case_id)
        .fetch_optional(&mut *self.inner)
        .await?;
        let Some((state, is_assigned, request)) = row else { return Ok(None) };
        let state = state.parse().map_err(|_| DAMAGED)?;
        Ok(Some(HeldCase { case: case_id, state, is_assigned, request }))
    }

    /// # Errors
    /// When the database fails.
    pub async fn set_case_state(
        &mut self,
        case_id: i64,
        state: CaseState,
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query("update cases set state = $2, changed_at = $3 where case_id = $1")
            .bind(case_id)
            .bind(state.as_str())
            .bind(now.to_sqlx())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// # Errors
    /// When the database fails.
    pub async fn assign_case(&mut self, case_id: i64, assignee: &str) -> Result<(), Error> {
        sqlx::query("update cases set assignee = $2 where case_id = $1")
            .bind(case_id)
            .bind(assignee)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// The request that was made of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn link_case(&mut self, case_id: i64, request_id: i64) -> Result<(), Error> {
        sqlx::query("update cases set request_id = $2 where case_id = $1")
            .bind(case_id)
            .bind(request_id)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// The number of the email that was put there in this transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn email_at(
        &mut self,
        account: AccountId,
        folder: FolderId,
        uid: Uid,
    ) -> Result<Option<(EmailId, ContentId)>, Error> {
        let ids: Option<(i64, i64)> = sqlx::query_as(
            "select email_id, content_id from entries where account_id = $1 and folder_id = $2 and uid = $3",
        )
        .bind(account.0)
        .bind(folder.0)
        .bind(i64::from(uid.0))
        .fetch_optional(&mut *self.inner)
        .await?;
        Ok(ids.map(|(email, content)| (EmailId(email), ContentId(content))))
    }

    /// Where a mailbox keeps what it sent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sent_folder(&mut self, account: AccountId) -> Result<Option<FolderId>, Error> {
        let id: Option<i64> = sqlx::query_scalar(
            "select folder_id from folders where account_id = $1 and special_use = 'sent' order by folder_id limit 1",
        )
        .bind(account.0)
        .fetch_optional(&mut *self.inner)
        .await?;
        Ok(id.map(FolderId))
    }
}
