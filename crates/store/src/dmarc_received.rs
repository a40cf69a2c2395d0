//! What others tell of mail in the names of our domains (DMARC, RFC 7489 7.2), and how far the mailboxes for it were read.
//!
//! Invariants: a report is kept once for each number of whoever tells it; how far a mailbox was read moves on in the transaction that
//! keeps what was read. Entries themselves are read as those of support are ([`Store::support_entries`]).

use crate::cursors::cursor_in;
use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, DomainId, FolderId, Uid};

/// A report of somebody else.
#[derive(Clone, Debug)]
pub struct NewDmarcReport<'a> {
    pub domain: DomainId,
    /// Who was shown to tell it, whatever he calls himself.
    pub org: &'a str,
    pub number: &'a str,
    pub of: &'a str,
    pub begins_at: Timestamp,
    pub ends_at: Timestamp,
    pub rows: Vec<DmarcReportRow>,
}

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcReportRow {
    /// An address; empty: those of which no rows were kept, together.
    pub source: String,
    pub messages: u64,
    pub disposition: String,
    pub dkim_aligned: bool,
    pub spf_aligned: bool,
    pub header_from: String,
}

/// How much of reports about a domain is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmarcKept {
    pub reports: u64,
    pub rows: u64,
    /// Of these, those of one teller.
    pub org_reports: u64,
    pub org_rows: u64,
}

/// Who sends in a domain's name, over all reports of a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcSource {
    pub row: DmarcReportRow,
    /// How many others tell of it.
    pub orgs: u64,
}

impl Store {
    /// Up to which uid the INBOX was read. When it never was, or is another than it was, what came before `since` is passed over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dmarc_cursor(
        &self,
        mailbox: AccountId,
        inbox: FolderId,
        since: Timestamp,
    ) -> Result<Uid, Error> {
        self.inbox_cursor(cursor_in!("dmarc_cursors"), (mailbox, inbox), since).await
    }

    /// Sources of mail in a domain's name by reports that end at `since` or later, the most frequent first: by dmarc_reports_ended
    /// and the key of rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dmarc_sources(
        &self,
        domain: DomainId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<DmarcSource>, Error> {
        type Row = (String, i64, String, bool, bool, String, i64);
        let rows: Vec<Row> = sqlx::query_as(
            "select r.source, least(sum(r.messages), 9223372036854775807)::bigint as messages, r.disposition, r.dkim_aligned,
                    r.spf_aligned, r.header_from, count(distinct p.org)
               from dmarc_reports p join dmarc_report_rows r on r.report_id = p.report_id
              where p.domain_id = $1 and p.ends_at >= $2
              group by r.source, r.disposition, r.dkim_aligned, r.spf_aligned, r.header_from
              order by 2 desc, r.source limit $3",
        )
        .bind(domain.0)
        .bind(since.to_sqlx())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        let source = |(source, messages, disposition, dkim_aligned, spf_aligned, header_from, orgs): Row| {
            DmarcSource {
                row: DmarcReportRow {
                    source,
                    messages: messages.unsigned_abs(),
                    disposition,
                    dkim_aligned,
                    spf_aligned,
                    header_from,
                },
                orgs: orgs.unsigned_abs(),
            }
        };
        Ok(rows.into_iter().map(source).collect())
    }

    /// Forgets reports that came before a moment, some at a time: by dmarc_reports_received.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_dmarc_reports(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        let gone = sqlx::query(
            "delete from dmarc_reports where report_id in (
                 select report_id from dmarc_reports where received_at < $1 order by received_at limit $2)",
        )
        .bind(before.to_sqlx())
        .bind(i64::from(limit))
        .execute(&self.pools.main)
        .await?;
        Ok(gone.rows_affected())
    }
}

impl Tx {
    /// The uid up to which a mailbox was read; nobody else reads it meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_dmarc_cursor(&mut self, mailbox: AccountId) -> Result<Option<Uid>, Error> {
        let uid: Option<i64> =
            sqlx::query_scalar("select uid from dmarc_cursors where mailbox_id = $1 for update")
                .bind(mailbox.0)
                .fetch_optional(&mut *self.inner)
                .await?;
        Ok(uid.map(|uid| Uid(u32::try_from(uid).unwrap_or(u32::MAX))))
    }

    /// # Errors
    /// When the database fails.
    pub async fn set_dmarc_cursor(&mut self, mailbox: AccountId, uid: Uid) -> Result<(), Error> {
        sqlx::query("update dmarc_cursors set uid = $2 where mailbox_id = $1")
            .bind(mailbox.0)
            .bind(i64::from(uid.0))
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Reports about a domain that came since a moment, and their rows: of all, and of those that `org` tells. By
    /// dmarc_reports_received and the key of rows; both numbers are bounded by who adds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dmarc_kept(
        &mut self,
        domain: DomainId,
        since: Timestamp,
        org: &str,
    ) -> Result<DmarcKept, Error> {
        let kept: (i64, i64, i64, i64) = sqlx::query_as(
            "select count(*), coalesce(sum(n.rows), 0)::bigint,
                    count(*) filter (where p.org = $3), coalesce(sum(n.rows) filter (where p.org = $3), 0)::bigint
               from dmarc_reports p, lateral (select count(*) as rows from dmarc_report_rows r where r.report_id = p.report_id) n
              where p.received_at >= $2 and p.domain_id = $1",
        )
        .bind(domain.0)
        .bind(since.to_sqlx())
        .bind(org)
        .fetch_one(&mut *self.inner)
        .await?;
        let (reports, rows, org_reports, org_rows) = kept;
        Ok(DmarcKept {
            reports: reports.unsigned_abs(),
            rows: rows.unsigned_abs(),
            org_reports: org_reports.unsigned_abs(),
            org_rows: org_rows.unsigned_abs(),
        })
    }

    /// False when it is known already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_dmarc_report(
        &mut self,
        new: &NewDmarcReport<'_>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let report: Option<i64> = sqlx::query_scalar(
            "insert into dmarc_reports (domain_id, org, number, of, begins_at, ends_at, received_at)
             values ($1, $2, $3, $4, $5, $6, $7) on conflict on constraint dmarc_reports_key do nothing returning report_id",
        )
        .bind(new.domain.0)
        .bind(new.org)
        .bind(new.number)
        .bind(new.of)
        .bind(new.begins_at.to_sqlx())
        .bind(new.ends_at.to_sqlx())
        .bind(now.to_sqlx())
        .fetch_optional(&mut *self.inner)
        .await?;
        let Some(report) = report else { return Ok(false) };
        let text = |of: fn(&DmarcReportRow) -> &str| -> Vec<String> {
            new.rows.iter().map(|row| of(row).to_owned()).collect()
        };
        let flag = |of: fn(&DmarcReportRow) -> bool| -> Vec<bool> { new.rows.iter().map(of).collect() };
        let messages: Vec<i64> =
            new.rows.iter().map(|row| i64::try_from(row.messages).unwrap_or(i64::MAX)).collect();
        sqlx::query(
            "insert into dmarc_report_rows (report_id, ordinal, source, messages, disposition, dkim_aligned, spf_aligned, header_from)
             select $1, n.ordinal, n.source, n.messages, n.disposition, n.dkim, n.spf, n.header_from
               from unnest($2::text[], $3::bigint[], $4::text[], $5::boolean[], $6::boolean[], $7::text[]) with ordinality
                 as n (source, messages, disposition, dkim, spf, header_from, ordinal)",
        )
        .bind(report)
        .bind(text(|row| &row.source))
        .bind(messages)
        .bind(text(|row| &row.disposition))
        .bind(flag(|row| row.dkim_aligned))
        .bind(flag(|row| row.spf_aligned))
        .bind(text(|row| &row.header_from))
        .execute(&mut *self.inner)
        .await?;
        Ok(true)
    }
}
