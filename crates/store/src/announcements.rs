//! Announcements of stops and incidents, and whom they go to.

use crate::{Error, Reach, Store, Target, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, DomainId, DomainName, FolderId};

/// An announcement that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewAnnouncement<'a> {
    /// `None`: every domain.
    pub domain: Option<DomainId>,
    /// planned-stop, emergency-stop or incident.
    pub kind: &'a str,
    pub begins: Timestamp,
    pub ends: Option<Timestamp>,
    pub text: &'a str,
    pub emergency: Option<&'a str>,
    /// When everybody is to be told; `None`: at once.
    pub mail_at: Option<Timestamp>,
    pub made_by: &'a str,
}

/// An announcement as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncementRow {
    pub announcement: i64,
    /// `None`: every domain.
    pub domain: Option<String>,
    pub kind: String,
    pub begins: Timestamp,
    pub ends: Option<Timestamp>,
    pub text: String,
    pub emergency: Option<String>,
    pub made_by: String,
    pub made_at: Timestamp,
    pub cancelled: Option<(String, Timestamp)>,
    /// When everybody is to be told; `None`: everybody was.
    pub mail_at: Option<Timestamp>,
}

type Row = (
    i64,
    Option<String>,
    String,
    jiff_sqlx::Timestamp,
    Option<jiff_sqlx::Timestamp>,
    String,
    Option<String>,
    String,
    jiff_sqlx::Timestamp,
    Option<String>,
    Option<jiff_sqlx::Timestamp>,
    Option<jiff_sqlx::Timestamp>,
);

fn announcement(row: Row) -> AnnouncementRow {
    let (
        announcement,
        domain,
        kind,
        begins,
        ends,
        text,
        emergency,
        made_by,
        made_at,
        canceller,
        cancelled,
        mail_at,
    ) = row;
    AnnouncementRow {
        announcement,
        domain,
        kind,
        begins: begins.to_jiff(),
        ends: ends.map(jiff_sqlx::Timestamp::to_jiff),
        text,
        emergency,
        made_by,
        made_at: made_at.to_jiff(),
        cancelled: canceller.zip(cancelled.map(jiff_sqlx::Timestamp::to_jiff)),
        mail_at: mail_at.map(jiff_sqlx::Timestamp::to_jiff),
    }
}

impl Store {
    /// Announcements within `reach`, and those for every domain, the newest first. With `open_at` those alone that are not
    /// cancelled and not over at that moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn announcements(
        &self,
        reach: &Reach,
        open_at: Option<Timestamp>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AnnouncementRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select n.announcement_id, d.name, n.kind, n.begins, n.ends, n.text, n.emergency, n.made_by, n.made_at,
                    n.cancelled_by, n.cancelled_at, n.mail_at
               from announcements n left join domains d using (domain_id)
              where ($1 or n.domain_id is null or n.domain_id = any ($2))
                and ($3::timestamptz is null
                     or (n.cancelled_at is null and (n.ends is null or n.ends > $3)))
                and ($4::bigint is null or n.announcement_id < $4)
              order by n.announcement_id desc limit $5",
        )
        .bind(reach.everything)
        .bind(&reach.domains)
        .bind(open_at.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(announcement).collect())
    }

    /// Every domain by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn domain_ids(&self) -> Result<Vec<(DomainId, DomainName)>, Error> {
        let rows: Vec<(i64, String)> = sqlx::query_as("select domain_id, name from domains order by name")
            .fetch_all(&self.pools.main)
            .await?;
        let named = |(id, name): (i64, String)| {
            let name =
                DomainName::new(&name).map_err(|_| Error::Damaged("a domain has an impossible name"))?;
            Ok((DomainId(id), name))
        };
        rows.into_iter().map(named).collect()
    }

    /// The INBOX of every mailbox of a domain that receives.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn everybody(&self, domain: DomainId) -> Result<Vec<Target>, Error> {
        let rows: Vec<(i64, i64, String)> = sqlx::query_as(
            "select a.account_id, f.folder_id, g.address
               from accounts a
               join addresses g on g.account_id = a.account_id and g.kind = 'primary'
               join folders f on f.account_id = a.account_id and f.name = 'INBOX'
              where a.domain_id = $1 and a.state in ('new', 'active', 'locked')
              order by a.account_id",
        )
        .bind(domain.0)
        .fetch_all(&self.pools.main)
        .await?;
        let target = |(account, folder, address): (i64, i64, String)| Target {
            account: AccountId(account),
            folder: FolderId(folder),
            recipient: Some(address),
            room: None,
        };
        Ok(rows.into_iter().map(target).collect())
    }
}

impl Tx {
    /// # Errors
    /// When the database fails.
    pub async fn insert_announcement(
        &mut self,
        new: &NewAnnouncement<'_>,
        now: Timestamp,
    ) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(
            "insert into announcements (domain_id, kind, begins, ends, text, emergency, made_by, made_at, mail_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning announcement_id",
        )
        .bind(new.domain.map(|domain| domain.0))
        .bind(new.kind)
        .bind(new.begins.to_sqlx())
        .bind(new.ends.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(new.text)
        .bind(new.emergency)
        .bind(new.made_by)
        .bind(now.to_sqlx())
        .bind(new.mail_at.map(jiff_sqlx::ToSqlx::to_sqlx))
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// Takes the announcement whose time to be told of has come first, as told; held until the transaction ends (by
    /// `announcements_mail`).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_due_announcement(&mut self, now: Timestamp) -> Result<Option<AnnouncementRow>, Error> {
        let row: Option<Row> = sqlx::query_as(
            "update announcements n set mail_at = null
              where n.announcement_id = (select announcement_id from announcements
                                          where mail_at <= $1 and cancelled_at is null
                                          order by mail_at limit 1 for update skip locked)
            returning n.announcement_id, (select d.name from domains d where d.domain_id = n.domain_id), n.kind, n.begins,
                      n.ends, n.text, n.emergency, n.made_by, n.made_at, n.cancelled_by, n.cancelled_at, n.mail_at",
        )
        .bind(now.to_sqlx())
        .fetch_optional(&mut *self.inner)
        .await?;
        Ok(row.map(announcement))
    }

    /// Cancels what is neither cancelled nor over. `None` when there is no such announcement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel_announcement(
        &mut self,
        id: i64,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<AnnouncementRow>, Error> {
        let row: Option<Row> = sqlx::query_as(
            "update announcements n set cancelled_by = $2, cancelled_at = $3
              where n.announcement_id = $1 and n.cancelled_at is null and (n.ends is null or n.ends > $3)
            returning n.announcement_id, (select d.name from domains d where d.domain_id = n.domain_id), n.kind, n.begins,
                      n.ends, n.text, n.emergency, n.made_by, n.made_at, n.cancelled_by, n.cancelled_at, n.mail_at",
        )
        .bind(id)
        .bind(by)
        .bind(now.to_sqlx())
        .fetch_optional(&mut *self.inner)
        .await?;
        Ok(row.map(announcement))
    }
}
