//! Cases (yêu cầu hỗ trợ), the mails they are made of, and how far support mailboxes were read for them.
//!
//! Invariant: whoever moves a cursor on holds its row, and makes in the same transaction what the mail becomes.

use crate::cursors::cursor_in;
use crate::{Error, Reach, Store};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, Address, CaseState, ContentId, DomainId, DomainName, EmailId, FolderId, Uid, UnitId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

const DAMAGED: Error = Error::Damaged("a case has a value this version does not know");

/// A mail in the INBOX of a support mailbox.
#[derive(Clone, Debug)]
pub struct SupportEntry {
    pub uid: Uid,
    pub email: EmailId,
    pub content: ContentId,
    /// The address it was delivered for; `None`: it was copied or put there.
    pub recipient: Option<String>,
    /// Since when it lies there.
    pub saved: Timestamp,
}

/// A case that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewCase<'a> {
    pub domain: DomainId,
    pub mailbox: AccountId,
    pub sender: &'a str,
    /// Whoever logged in to write it.
    pub account: Option<AccountId>,
    pub unit: Option<UnitId>,
    pub subject: &'a str,
    /// Message-ID of the acknowledgement, if there is to be one.
    pub receipt: Option<&'a str>,
}

/// A mail of a case.
#[derive(Clone, Copy, Debug)]
pub struct NewCaseMessage<'a> {
    pub mailbox: AccountId,
    pub is_answer: bool,
    /// In that mailbox.
    pub email: Option<(EmailId, ContentId)>,
    pub message_id: Option<&'a str>,
    pub author: &'a str,
    pub is_outside: bool,
}

/// A case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRow {
    pub case: i64,
    pub domain: DomainId,
    pub domain_name: DomainName,
    /// The support mailbox.
    pub mailbox: AccountId,
    pub sender: String,
    /// Of the sender, while it is there; `None`: somebody from outside.
    pub account: Option<AccountId>,
    /// The sender's address of now.
    pub address: Option<Address>,
    pub unit: Option<UnitId>,
    pub unit_code: Option<String>,
    pub subject: String,
    pub state: CaseState,
    pub assignee: Option<String>,
    /// The request it became.
    pub request: Option<i64>,
    pub opened_at: Timestamp,
    pub changed_at: Timestamp,
}

/// A mail of a case, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseMessageRow {
    pub at: Timestamp,
    pub is_answer: bool,
    pub author: String,
    pub message_id: Option<String>,
    /// Folder and uid in the support mailbox; `None`: it was deleted, or never kept there.
    pub place: Option<(String, Uid)>,
}

/// One thing done about a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseEventRow {
    pub at: Timestamp,
    pub actor: String,
    pub act: String,
    pub note: String,
}

/// Which cases to list.
#[derive(Clone, Copy, Debug)]
pub struct CaseFilter<'a> {
    pub reach: &'a Reach,
    pub domain: &'a DomainName,
    /// Those that are closed, too.
    pub closed: bool,
    pub after: i64,
    pub limit: u32,
}

/// A case whose sender has not been told its number yet.
#[derive(Clone, Debug)]
pub struct Unacknowledged {
    pub case: i64,
    pub account: AccountId,
    pub subject: String,
    pub receipt: String,
    /// Message-ID of what is acknowledged.
    pub answers: Option<String>,
}

fn case(row: &PgRow) -> Result<CaseRow, Error> {
    let (domain, state): (String, String) = (row.try_get("name")?, row.try_get("state")?);
    let address: Option<String> = row.try_get("address")?;
    Ok(CaseRow {
        case: row.try_get("case_id")?,
        domain: DomainId(row.try_get("domain_id")?),
        domain_name: DomainName::new(&domain).map_err(|_| DAMAGED)?,
        mailbox: AccountId(row.try_get("mailbox_id")?),
        sender: row.try_get("sender")?,
        account: row.try_get::<Option<i64>, _>("present_id")?.map(AccountId),
        address: address.map(|address| address.parse().map_err(|_| DAMAGED)).transpose()?,
        unit: row.try_get::<Option<i64>, _>("unit_id")?.map(UnitId),
        unit_code: row.try_get("code")?,
        subject: row.try_get("subject")?,
        state: state.parse().map_err(|_| DAMAGED)?,
        assignee: row.try_get("assignee")?,
        request: row.try_get("request_id")?,
        opened_at: row.try_get::<jiff_sqlx::Timestamp, _>("opened_at")?.to_jiff(),
        changed_at: row.try_get::<jiff_sqlx::Timestamp, _>("changed_at")?.to_jiff(),
    })
}

macro_rules! cases {
    ($where:literal) => {
        concat!(
            "select c.case_id, c.domain_id, d.name, c.mailbox_id, c.sender, a.account_id as present_id, g.address, c.unit_id, u.code,
                    c.subject, c.state, c.assignee, c.request_id, c.opened_at, c.changed_at
               from cases c
               join domains d on d.domain_id = c.domain_id
               left join units u on u.unit_id = c.unit_id
               left join accounts a on a.account_id = c.account_id and a.state <> 'deleted'
               left join addresses g on g.account_id = a.account_id and g.kind = 'primary' ",
            $where
        )
    };
}

impl Store {
    /// # Errors
    /// When the database fails.
    pub async fn case(&self, case_id: i64) -> Result<Option<CaseRow>, Error> {
        let row = sqlx::query(cases!("where c.case_id = $1"))
            .bind(case_id)
            .fetch_optional(&self.pools.main)
            .await?;
        row.as_ref().map(case).transpose()
    }

    /// By number; a walk along `cases_domain` from `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cases(&self, filter: CaseFilter<'_>) -> Result<Vec<CaseRow>, Error> {
        let rows = sqlx::query(cases!(
            "where c.domain_id = (select domain_id from domains where name = $1)
               and ($2 or c.state <> 'closed') and c.case_id > $3
               and ($5 or c.domain_id = any ($6) or a.account_id = any ($9)
                    or case when a.account_id is null then c.unit_id else a.unit_id end in (select units_below($7, $8)))
             order by c.case_id limit $4"
        ))
        .bind(filter.domain.as_str())
        .bind(filter.closed)
        .bind(filter.after)
        .bind(i64::from(filter.limit))
        .bind(filter.reach.everything)
        .bind(&filter.reach.domains)
        .bind(&filter.reach.subtree_domains)
        .bind(&filter.reach.subtree_units)
        .bind(&filter.reach.mailboxes)
        .fetch_all(&self.pools.main)
        .await?;
        rows.iter().map(case).collect()
    }

    /// Its mails and what was done about it, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn case_history(
        &self,
        case_id: i64,
    ) -> Result<(Vec<CaseMessageRow>, Vec<CaseEventRow>), Error> {
        type Message = (jiff_sqlx::Timestamp, bool, String, Option<String>, Option<String>, Option<i64>);
        // Entries are found by their contents (`entries_content`).
        let messages: Vec<Message> = sqlx::query_as(
            "select m.at, m.is_answer, m.author, m.message_id, f.name, e.uid
               from case_messages m
               left join entries e on e.content_id = m.content_id and e.account_id = m.mailbox_id and e.email_id = m.email_id
               left join folders f on f.folder_id = e.folder_id
              where m.case_id = $1 order by m.case_message_id limit 1000",
        )
        .bind(case_id)
        .fetch_all(&self.pools.main)
        .await?;
        let events: Vec<(jiff_sqlx::Timestamp, String, String, String)> = sqlx::query_as(
            "select at, actor, act, note from case_events where case_id = $1 order by case_event_id limit 1000",
        )
        .bind(case_id)
        .fetch_all(&self.pools.main)
        .await?;
        let message = |(at, is_answer, author, message_id, folder, uid): Message| CaseMessageRow {
            at: at.to_jiff(),
            is_answer,
            author,
            message_id,
            place: folder.zip(uid.and_then(|uid| u32::try_from(uid).ok()).map(Uid)),
        };
        let events = events.into_iter().map(|(at, actor, act, note)| CaseEventRow {
            at: at.to_jiff(),
            actor,
            act,
            note,
        });
        Ok((messages.into_iter().map(message).collect(), events.collect()))
    }

    /// Message-ID of what was last written to us about it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn case_last_message_id(&self, case_id: i64) -> Result<Option<String>, Error> {
        Ok(sqlx::query_scalar(
            "select message_id from case_messages
              where case_id = $1 and not is_answer and message_id is not null order by case_message_id desc limit 1",
        )
        .bind(case_id)
        .fetch_optional(&self.pools.main)
        .await?)
    }

    /// Cases whose senders are to be told of their numbers (`cases_unreceipted`).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unacknowledged_cases(&self, limit: u32) -> Result<Vec<Unacknowledged>, Error> {
        let rows: Vec<(i64, i64, String, String, Option<String>)> = sqlx::query_as(
            "select c.case_id, c.account_id, c.subject, c.receipt,
                    (select m.message_id from case_messages m
                      where m.case_id = c.case_id and not m.is_answer order by m.case_message_id limit 1)
               from cases c
              where c.receipt is not null and c.receipt_sent_at is null and c.account_id is not null
              order by c.case_id limit $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        let row = |(case, account, subject, receipt, answers): (i64, i64, String, String, Option<String>)| {
            Unacknowledged { case, account: AccountId(account), subject, receipt, answers }
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// # Errors
    /// When the database fails.
    pub async fn note_acknowledged(&self, case_id: i64, now: Timestamp) -> Result<(), Error> {
        sqlx::query("update cases set receipt_sent_at = $2 where case_id = $1")
            .bind(case_id)
            .bind(now.to_sqlx())
            .execute(&self.pools.main)
            .await?;
        Ok(())
    }

    /// Up to which uid the INBOX was read. When it never was, or is another than it was, what came before `since` is passed over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn support_cursor(
        &self,
        mailbox: AccountId,
        inbox: FolderId,
        since: Timestamp,
    ) -> Result<Uid, Error> {
        self.inbox_cursor(cursor_in!("support_cursors"), (mailbox, inbox), since).await
    }

    /// The mails behind this uid, in order, by the key of entries.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn support_entries(
        &self,
        mailbox: AccountId,
        inbox: FolderId,
        after: Uid,
        limit: u32,
    ) -> Result<Vec<SupportEntry>, Error> {
        let rows: Vec<(i64, i64, i64, Option<String>, jiff_sqlx::Timestamp)> = sqlx::query_as(
            "select uid, email_id, content_id, recipient, save_date from entries
              where account_id = $1 and folder_id = $2 and uid > $3 order by uid limit $4",
        )
        .bind(mailbox.0)
        .bind(inbox.0)
        .bind(i64::from(after.0))
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        let entries = rows.into_iter().map(|(uid, email, content, recipient, saved)| SupportEntry {
            uid: Uid(u32::try_from(uid).unwrap_or(u32::MAX)),
            email: EmailId(email),
            content: ContentId(content),
            recipient,
            saved: saved.to_jiff(),
        });
        Ok(entries.collect())
    }
}
