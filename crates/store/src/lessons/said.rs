//! Who said what of which mail, and what came of it, for whoever looks into it.
//!
//! Invariant: nothing of a message is given out but its Message-ID, and nothing of whoever is outside the reach.

use super::lesson;
use crate::{Error, Reach, Store};
use jiff::Timestamp;
use model::{AccountId, Lesson};

/// Which of what was said to tell; what is `None` does not narrow.
#[derive(Clone, Copy, Debug)]
pub struct SaidFilter<'a> {
    /// Of whoever and whatever mailbox is outside nothing is given out.
    pub reach: &'a Reach,
    /// Who said it, by his own mailbox.
    pub by: Option<AccountId>,
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    pub limit: u32,
}

/// What somebody said of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidRow {
    pub at: Timestamp,
    /// Primary address of who said it; `None`: his mailbox is deleted, or it was noted before this was known.
    pub by: Option<String>,
    /// Primary address of the mailbox in which he moved it, or for which he reported it.
    pub mailbox: Option<String>,
    pub lesson: Lesson,
    /// It was attached to a mail for the address for suspicious mail, and not moved.
    pub is_reported: bool,
    /// The filter is still to learn it.
    pub waits: bool,
    /// As [`Tried::result`](super::Tried::result); `None`: it was not tried yet.
    pub result: Option<String>,
    /// As [`Tried::message_id`](super::Tried::message_id).
    pub message_id: Option<String>,
}

impl Store {
    /// Who said what of which mail, the newest first: where either he or the mailbox is within the reach, and nothing of the other.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lessons_said(&self, filter: &SaidFilter<'_>) -> Result<Vec<SaidRow>, Error> {
        type Row = (
            jiff_sqlx::Timestamp,
            Option<String>,
            Option<String>,
            bool,
            bool,
            bool,
            Option<String>,
            Option<String>,
        );
        let rows: Vec<Row> = sqlx::query_as(
            "select l.noted_at, case when by.is_in then p.address end, case when at.is_in then m.address end, l.is_spam, l.part_start > 0,
                    l.next_at is not null, l.result, case when at.is_in then l.message_id end
               from lessons l
               join lateral (
                    select coalesce(bool_or($5 or a.domain_id = any ($6) or a.account_id = any ($9)
                                            or a.unit_id in (select units_below($7, $8))), false) as is_in
                      from accounts a where a.account_id = coalesce(l.actor_id, l.account_id)) by on true
               join lateral (
                    select coalesce(bool_or($5 or a.domain_id = any ($6) or a.account_id = any ($9)
                                            or a.unit_id in (select units_below($7, $8))), false) as is_in
                      from accounts a where a.account_id = l.account_id) at on true
               left join addresses p on p.account_id = l.actor_id and p.kind = 'primary'
               left join addresses m on m.account_id = l.account_id and m.kind = 'primary'
              where ($1::bigint is null or l.actor_id = $1)
                and ($2::timestamptz is null or l.noted_at >= $2) and ($3::timestamptz is null or l.noted_at < $3)
                and (by.is_in or at.is_in)
              order by l.noted_at desc, l.content_id desc limit $4",
        )
        // Planned for what is asked: by lessons_actor, or by lessons_noted.
        .persistent(false)
        .bind(filter.by.map(|account| account.0))
        .bind(filter.since.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(filter.until.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(i64::from(filter.limit))
        .bind(filter.reach.everything)
        .bind(&filter.reach.domains)
        .bind(&filter.reach.subtree_domains)
        .bind(&filter.reach.subtree_units)
        .bind(&filter.reach.mailboxes)
        .fetch_all(&self.pools.main)
        .await?;
        let said = |(at, by, mailbox, is_spam, is_reported, waits, result, message_id): Row| SaidRow {
            at: at.to_jiff(),
            by,
            mailbox,
            lesson: lesson(is_spam),
            is_reported,
            waits,
            result,
            message_id,
        };
        Ok(rows.into_iter().map(said).collect())
    }
}
