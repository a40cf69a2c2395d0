//! What the filter for spam is to learn: from what users moved, from what they reported; and how far the mailboxes for reports were read.
//!
//! Invariants: one row for each message and mailbox; however much is moved, it adds few rows; what was said last holds, also of what was
//! learned otherwise before; who teaches ends a row only as he read it.

use crate::cursors::cursor_in;
use crate::{Error, Store, Transferred, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, ContentId, FolderId, Lesson, Uid};
use std::ops::Range;

/// How many rows there may be. Mailboxes that say something at the same moment do not see each other's.
#[derive(Clone, Copy, Debug)]
pub struct LessonRoom {
    /// That one mailbox adds in 24 hours.
    pub a_day: u32,
    /// That wait, of all mailboxes.
    pub waiting: u32,
}

/// A message that is to be learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LessonRow {
    pub account: AccountId,
    pub content: ContentId,
    /// Octets of a message that is attached to it; `None`: it is the message itself.
    pub part: Option<Range<u64>>,
    pub lesson: Lesson,
    pub noted_at: Timestamp,
    /// Times it was tried in vain.
    pub attempts: u32,
}

type Row = (i64, i64, i64, Option<i64>, bool, jiff_sqlx::Timestamp, i32);

/// How many rows mailbox $1 may add at $2, with room for $3 a day and $4 that wait: by the key, and by lessons_due.
macro_rules! room {
    () => {
        "select greatest(0, least(
                    $3 - (select count(*) from lessons where account_id = $1 and noted_at > $2 - interval '1 day'),
                    $4 - (select count(*) from (select from lessons where next_at is not null limit $4) as waiting)))"
    };
}

impl Store {
    /// What is due at `now`, the oldest first (`lessons_due`).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lessons_due(&self, now: Timestamp, limit: u32) -> Result<Vec<LessonRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select account_id, content_id, part_start, part_end, is_spam, noted_at, attempts
               from lessons where next_at <= $1 order by next_at limit $2",
        )
        .bind(now.to_sqlx())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(row).collect())
    }

    /// Does the mailbox still have the message (`entries_content`)? Of what was reported: does any mailbox for it?
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_lesson_there(&self, lesson: &LessonRow) -> Result<bool, Error> {
        let is_there = sqlx::query_scalar(
            "select case when $3
                    then exists (select from entries where content_id = $2
                                    and account_id in (select mailbox_id from spam_cursors))
                    else exists (select from entries where content_id = $2 and account_id = $1) end",
        )
        .bind(lesson.account.0)
        .bind(lesson.content.0)
        .bind(lesson.part.is_some())
        .fetch_one(&self.pools.main)
        .await?;
        Ok(is_there)
    }

    /// It was tried: again at `next`, or, `None`, never. Of no effect when something else was said of it since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_lesson(&self, lesson: &LessonRow, next: Option<Timestamp>) -> Result<(), Error> {
        sqlx::query(
            "update lessons set next_at = $6, attempts = attempts + 1
              where account_id = $1 and content_id = $2 and part_start = $3 and is_spam = $4 and noted_at = $5",
        )
        .bind(lesson.account.0)
        .bind(lesson.content.0)
        .bind(lesson.part.as_ref().map_or(0, |part| part.start.cast_signed()))
        .bind(lesson.lesson == Lesson::Spam)
        .bind(lesson.noted_at.to_sqlx())
        .bind(next.map(jiff_sqlx::ToSqlx::to_sqlx))
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }

    /// Forgets up to `limit` that were noted before `over` and are over, or before `given_up` and still wait (`lessons_noted`). Says how
    /// many went, and what those were that still waited.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_lessons(
        &self,
        (over, given_up): (Timestamp, Timestamp),
        limit: u32,
    ) -> Result<(usize, Vec<Lesson>), Error> {
        let gone: Vec<(bool, bool)> = sqlx::query_as(
            "delete from lessons
              where ctid = any (array(select ctid from lessons
                                       where noted_at < $1 and (next_at is null or noted_at < $2)
                                       order by noted_at limit $3 for update skip locked))
             returning next_at is not null, is_spam",
        )
        .bind(over.to_sqlx())
        .bind(given_up.to_sqlx())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        let waited = gone.iter().filter(|(waited, _)| *waited);
        Ok((gone.len(), waited.map(|(_, is_spam)| lesson(*is_spam)).collect()))
    }

    /// How many wait.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lessons_waiting(&self) -> Result<u64, Error> {
        let count: i64 = sqlx::query_scalar("select count(*) from lessons where next_at is not null")
            .fetch_one(&self.pools.main)
            .await?;
        Ok(count.unsigned_abs())
    }

    /// Up to which uid the INBOX was read. When it never was, or is another than it was, what came before `since` is passed over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn spam_cursor(
        &self,
        mailbox: AccountId,
        inbox: FolderId,
        since: Timestamp,
    ) -> Result<Uid, Error> {
        self.inbox_cursor(cursor_in!("spam_cursors"), (mailbox, inbox), since).await
    }
}

impl Tx {
    /// Notes what was moved or copied, ascending: of more than there is room for, the newest. What the mailbox said otherwise before, of
    /// any of them, it says so now. The mailbox's lock is held.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_lessons(
        &mut self,
        (account, lesson): (AccountId, Lesson),
        moved: &[Transferred],
        (room, now): (LessonRoom, Timestamp),
    ) -> Result<(), Error> {
        let all: Vec<i64> = moved.iter().map(|entry| entry.content.0).collect();
        let newest = all.len().saturating_sub(usize::try_from(room.a_day).unwrap_or(usize::MAX));
        // What the mailbox has said is compared with what was moved, and not searched for each that was.
        sqlx::query(concat!(
            "with turned as (
                 update lessons set is_spam = $5, noted_at = $2, next_at = $2, attempts = 0
                  where account_id = $1 and part_start = 0 and is_spam <> $5 and content_id + 0 = any ($6)
             )
             insert into lessons (account_id, content_id, is_spam, noted_at, next_at)
             select $1, content_id, $5, $2, $2 from unnest($7::bigint[]) with ordinality as newest (content_id, nth)
              order by nth desc limit (",
            room!(),
            ") on conflict do nothing"
        ))
        .persistent(crate::entries::PLANNED_ONCE)
        .bind(account.0)
        .bind(now.to_sqlx())
        .bind(i64::from(room.a_day))
        .bind(i64::from(room.waiting))
        .bind(lesson == Lesson::Spam)
        .bind(&all)
        .bind(all.get(newest..).unwrap_or_default())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Notes messages that are attached to one as spam, as far as there is room. Says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_reported(
        &mut self,
        (account, content): (AccountId, ContentId),
        parts: &[Range<u64>],
        (room, now): (LessonRoom, Timestamp),
    ) -> Result<u64, Error> {
        let (starts, ends): (Vec<i64>, Vec<i64>) =
            parts.iter().map(|part| (part.start.cast_signed(), part.end.cast_signed())).unzip();
        let noted = sqlx::query(concat!(
            "insert into lessons (account_id, content_id, part_start, part_end, is_spam, noted_at, next_at)
             select $1, $5, part_start, part_end, true, $2, $2
               from unnest($6::bigint[], $7::bigint[]) as attached (part_start, part_end)
              order by part_start limit (",
            room!(),
            ") on conflict do nothing"
        ))
        .bind(account.0)
        .bind(now.to_sqlx())
        .bind(i64::from(room.a_day))
        .bind(i64::from(room.waiting))
        .bind(content.0)
        .bind(starts)
        .bind(ends)
        .execute(&mut *self.inner)
        .await?;
        Ok(noted.rows_affected())
    }

    /// Takes the cursor; `None` when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_spam_cursor(&mut self, mailbox: AccountId) -> Result<Option<Uid>, Error> {
        let uid: Option<i64> =
            sqlx::query_scalar("select uid from spam_cursors where mailbox_id = $1 for update")
                .bind(mailbox.0)
                .fetch_optional(&mut *self.inner)
                .await?;
        Ok(uid.map(|uid| Uid(u32::try_from(uid).unwrap_or(u32::MAX))))
    }

    /// # Errors
    /// When the database fails.
    pub async fn set_spam_cursor(&mut self, mailbox: AccountId, uid: Uid) -> Result<(), Error> {
        sqlx::query("update spam_cursors set uid = $2 where mailbox_id = $1")
            .bind(mailbox.0)
            .bind(i64::from(uid.0))
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}

fn row((account, content, start, end, is_spam, noted_at, attempts): Row) -> LessonRow {
    LessonRow {
        account: AccountId(account),
        content: ContentId(content),
        part: end.map(|end| start.unsigned_abs()..end.unsigned_abs()),
        lesson: lesson(is_spam),
        noted_at: noted_at.to_jiff(),
        attempts: attempts.unsigned_abs(),
    }
}

const fn lesson(is_spam: bool) -> Lesson {
    if is_spam { Lesson::Spam } else { Lesson::Ham }
}
