//! What the filter for spam is to learn: from what users moved, from what they reported; and how far the mailboxes for reports were read.
//!
//! Invariants: one row for each message and mailbox; however much is moved, it adds few rows, and few of one person, in however many
//! mailboxes; what was said last holds, also of what was learned otherwise before, and in whichever mailbox; who teaches ends a row only
//! as he read it.

mod said;

pub use said::{SaidFilter, SaidRow};

use crate::cursors::cursor_in;
use crate::{Error, Store, Transferred, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, ContentId, FolderId, Lesson, Uid};
use std::ops::Range;

/// How many rows there may be. Mailboxes that say something at the same moment do not see each other's.
#[derive(Clone, Copy, Debug)]
pub struct LessonRoom {
    /// That one person adds in 24 hours, wherever.
    pub a_day: u32,
    /// That wait, of all mailboxes.
    pub waiting: u32,
}

/// Who says it, and of what lies where.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// His own mailbox.
    pub actor: AccountId,
    pub account: AccountId,
    pub lesson: Lesson,
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

/// What came of trying it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried<'a> {
    /// As `congthu_lessons_total` has it.
    pub result: &'a str,
    /// Without angle brackets; `None`: it has none, or was not read.
    pub message_id: Option<&'a str>,
}

type Row = (i64, i64, i64, Option<i64>, bool, jiff_sqlx::Timestamp, i32);

/// How many rows person $1 may add at $2, with room for $3 a day and $4 that wait: by lessons_actor, and by lessons_due.
macro_rules! room {
    () => {
        "select greatest(0, least(
                    $3 - (select count(*) from lessons where actor_id = $1 and noted_at > $2 - interval '1 day'),
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

    /// Is it still to be learned? The mailbox has the message, as it was delivered there and not as somebody put it there
    /// (`entries_content`); and nothing else was said of it since, in any mailbox (`lessons_content`). Of what was reported: a mailbox
    /// for it still has the report.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lesson_holds(&self, lesson: &LessonRow) -> Result<bool, Error> {
        let holds = sqlx::query_scalar(
            "select case when $3 > 0
                    then exists (select from entries where content_id = $2
                                    and account_id in (select mailbox_id from spam_cursors))
                    else exists (select from entries where content_id = $2 and account_id = $1
                                    and recipient is not null) end
                and not exists (select from lessons where content_id = $2 and part_start = $3
                                   and is_spam <> $4 and noted_at > $5)",
        )
        .bind(lesson.account.0)
        .bind(lesson.content.0)
        .bind(lesson.part.as_ref().map_or(0, |part| part.start.cast_signed()))
        .bind(lesson.lesson == Lesson::Spam)
        .bind(lesson.noted_at.to_sqlx())
        .fetch_one(&self.pools.main)
        .await?;
        Ok(holds)
    }

    /// It was tried: again at `next`, or, `None`, never. Of no effect when something else was said of it since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_lesson(
        &self,
        lesson: &LessonRow,
        tried: &Tried<'_>,
        next: Option<Timestamp>,
    ) -> Result<(), Error> {
        sqlx::query(
            "update lessons set next_at = $6, attempts = attempts + 1, result = $7, message_id = $8
              where account_id = $1 and content_id = $2 and part_start = $3 and is_spam = $4 and noted_at = $5",
        )
        .bind(lesson.account.0)
        .bind(lesson.content.0)
        .bind(lesson.part.as_ref().map_or(0, |part| part.start.cast_signed()))
        .bind(lesson.lesson == Lesson::Spam)
        .bind(lesson.noted_at.to_sqlx())
        .bind(next.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(tried.result)
        .bind(tried.message_id)
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }

    /// Forgets up to `limit` that were noted before `over` and are over (`lessons_noted`), and as many that were noted before `given_up`
    /// and still wait (`lessons_due`). Says how many went, and what those were that still waited.
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
              where ctid = any (array(select ctid from lessons where noted_at < $1 and next_at is null
                                       order by noted_at limit $3 for update skip locked)
                             || array(select ctid from lessons where noted_at < $2 and next_at is not null
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

    /// Who logged in to send what came at this moment, as the event of it says, which is of that minute; `None`: nobody did, or it waited
    /// for somebody on its way.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sent_by(&self, queue_id: &str, came_at: Timestamp) -> Result<Option<AccountId>, Error> {
        let account: Option<i64> = sqlx::query_scalar(
            "select account_id from events
              where split_part(about, E'\\n', 1) = $1 and kind = 'received' and account_id is not null
                and at between $2 - interval '1 minute' and $2 + interval '1 minute' limit 1",
        )
        // Planned for this moment: the other parts are not looked at.
        .persistent(false)
        .bind(queue_id)
        .bind(came_at.to_sqlx())
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(account.map(AccountId))
    }
}

impl Tx {
    /// Notes what was moved or copied, ascending: of more than there is room for, the newest. What was said otherwise before, of any of
    /// them, is said so now: what he said himself that day in any case, and the rest as far as there is room. The mailbox's lock is held. Says of how many
    /// nothing is noted for want of room; a message that was moved more than once counts as often.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_lessons(
        &mut self,
        Said { actor, account, lesson }: Said,
        moved: &[Transferred],
        (room, now): (LessonRoom, Timestamp),
    ) -> Result<u64, Error> {
        let all: Vec<i64> = moved.iter().map(|entry| entry.content.0).collect();
        let newest = all.len().saturating_sub(usize::try_from(room.a_day).unwrap_or(usize::MAX));
        // What the mailbox has said is compared with what was moved, and not searched for each that was.
        let left_out: i64 = sqlx::query_scalar(concat!(
            "with room as materialized (select (",
            room!(),
            ") as free),
             known as materialized (
                 select content_id, is_spam, noted_at, actor_id = $1 and noted_at > $2 - interval '1 day' as is_counted
                   from lessons where account_id = $8 and part_start = 0 and content_id + 0 = any ($6)
             ),
             wrong as materialized (
                 select content_id, is_counted from known
                  where is_spam <> $5
                     or exists (select from lessons as other
                                 where other.content_id = known.content_id and other.part_start = 0
                                   and other.is_spam <> $5 and other.noted_at > known.noted_at)
             ),
             others as materialized (
                 select content_id from wrong where is_counted is not true
                  order by content_id desc limit (select free from room)
             ),
             turned as (
                 update lessons
                    set is_spam = $5, noted_at = $2, next_at = $2, attempts = 0, actor_id = $1, result = null
                  where account_id = $8 and part_start = 0
                    and content_id = any (array(select content_id from wrong where is_counted
                                                union all select content_id from others))
             ),
             added as (
                 insert into lessons (account_id, actor_id, content_id, is_spam, noted_at, next_at)
                 select $8, $1, content_id, $5, $2, $2
                   from unnest($7::bigint[]) with ordinality as newest (content_id, nth)
                  where content_id not in (select content_id from known)
                  order by nth desc limit (select free from room) - (select count(*) from others)
                 on conflict do nothing returning 1
             )
             select cardinality($6) - (select count(*) from known) - (select count(*) from added)
                  + (select count(*) from wrong where is_counted is not true) - (select count(*) from others)"
        ))
        .persistent(crate::entries::PLANNED_ONCE)
        .bind(actor.0)
        .bind(now.to_sqlx())
        .bind(i64::from(room.a_day))
        .bind(i64::from(room.waiting))
        .bind(lesson == Lesson::Spam)
        .bind(&all)
        .bind(all.get(newest..).unwrap_or_default())
        .bind(account.0)
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(left_out.max(0).unsigned_abs())
    }

    /// Notes messages that are attached to one, as far as there is room. Says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_reported(
        &mut self,
        (Said { actor, account, lesson }, content): (Said, ContentId),
        parts: &[Range<u64>],
        (room, now): (LessonRoom, Timestamp),
    ) -> Result<u64, Error> {
        let (starts, ends): (Vec<i64>, Vec<i64>) =
            parts.iter().map(|part| (part.start.cast_signed(), part.end.cast_signed())).unzip();
        let noted = sqlx::query(concat!(
            "insert into lessons (account_id, actor_id, content_id, part_start, part_end, is_spam, noted_at, next_at)
             select $8, $1, $5, part_start, part_end, $9, $2, $2
               from unnest($6::bigint[], $7::bigint[]) as attached (part_start, part_end)
              order by part_start limit (",
            room!(),
            ") on conflict do nothing"
        ))
        .bind(actor.0)
        .bind(now.to_sqlx())
        .bind(i64::from(room.a_day))
        .bind(i64::from(room.waiting))
        .bind(content.0)
        .bind(starts)
        .bind(ends)
        .bind(account.0)
        .bind(lesson == Lesson::Spam)
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
