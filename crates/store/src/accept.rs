//! Accepting a message: content, entries and evidence in one statement, so that 250 costs one commit.
//!
//! Up to [`RECIPIENTS_PER_TX`] recipients get their entry in the accepting transaction. For more, that transaction
//! keeps the content and the list, and [`Store::expand_pending`](crate::Store::expand_pending) hands it out in batches, each exactly once.
//!
//! Invariant: a mailbox that has a [`Room`] is looked at under its lock, before anything is accepted; so those targets, up to
//! [`RECIPIENTS_PER_TX`], never wait on a list. What waits there was acknowledged, and comes however full the mailbox is.

use crate::contents::NewContent;
use crate::forwarded::{Columns, Of, bind_forwarded, insert_forwarded};
use crate::tx::TransactionId;
use crate::{Error, Event, Forwarded, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, ContentId, FolderId, Uid};

/// Recipients whose counters one transaction locks: beyond it, others would wait too long.
pub const RECIPIENTS_PER_TX: usize = 1000;

/// One mailbox that is to get the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub account: AccountId,
    pub folder: FolderId,
    /// The address the message came to, for the entry.
    pub recipient: Option<String>,
    /// `None`: it gets the message however much it holds.
    pub room: Option<Room>,
}

/// What a mailbox may hold with the message in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Octets.
    pub bytes: u64,
    pub messages: u64,
}

/// Where the message came to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    pub account: AccountId,
    pub folder: FolderId,
    pub uid: Uid,
}

type PlacedRow = (String, i64, i64, i64);

/// What the accepting statement does; where mail went on by itself, it is noted with it.
macro_rules! accept_message {
    ($($forwarded:expr),*) => {
        concat!(
            "with accepted as materialized (
                 select add_content($1, $2, $3, $4, $5, $6, $7, $8, $9) as content_id
             ), placed as materialized (
                 select a.account_id, a.folder_id, a.uid
                   from accepted c, lateral add_entries($1, c.content_id, $10, $11, $12, $1, 0, '{}', $20, $21) a
             ), noted as (
                 insert into events (at, kind, trace, account_id, remote, sender, recipients, size, status, about)
                 values ($1, $13, $14, $15, $16, $17, $12, $2, $18, $19)
             )",
            $($forwarded,)*
            " select pg_current_xact_id()::text, account_id, folder_id, uid from placed",
        )
    };
}
const ACCEPT: &str = accept_message!();
const ACCEPT_FORWARDED: &str = accept_message!(
    ", forwarded as (",
    insert_forwarded!("$22", "$23", "$24", "$25", "$26", "$27", "$28", "$29"),
    ")"
);

impl Tx {
    /// Adds the content and an entry for each target (each account at most once), and notes `event`.
    ///
    /// # Errors
    /// `ChunkGone` when chunks must be written again, `MailboxGone` when a target vanished, `MailboxFull` when one has no
    /// room.
    pub async fn accept(
        &mut self,
        content: &NewContent,
        targets: &[Target],
        event: &Event<'_>,
    ) -> Result<(TransactionId, Vec<Placed>), Error> {
        self.accept_forwarded(content, (targets, &[]), event).await
    }

    /// As [`Tx::accept`], of a message that went on by itself to these targets.
    ///
    /// # Errors
    /// As [`Tx::accept`].
    pub async fn accept_forwarded(
        &mut self,
        content: &NewContent,
        (targets, forwarded): (&[Target], &[Forwarded]),
        event: &Event<'_>,
    ) -> Result<(TransactionId, Vec<Placed>), Error> {
        let (accounts, folders, recipients) = columns(targets);
        let text = if forwarded.is_empty() { ACCEPT } else { ACCEPT_FORWARDED };
        let statement = sqlx::query_as(text)
            .bind(event.at.to_sqlx())
            .bind(content.size_i64())
            .bind(&content.chunk_ids)
            .bind(content.chunk_hashes_bytea())
            .bind(content.chunk_sizes_i32())
            .bind(&content.envelope)
            .bind(&content.structure)
            .bind(&content.preview)
            .bind(content.thread_id)
            .bind(accounts)
            .bind(folders)
            .bind(recipients)
            .bind(event.kind)
            .bind(event.trace)
            .bind(event.account.map(|account| account.0))
            .bind(event.remote)
            .bind(event.sender)
            .bind(event.status)
            .bind(event.about)
            .bind(bytes_max(targets))
            .bind(messages_max(targets));
        let steps = Columns::of(forwarded.iter().map(|step| (Of::from(event), step)));
        let statement = if steps.is_empty() { statement } else { bind_forwarded!(statement, steps) };
        let rows: Vec<PlacedRow> = statement.fetch_all(&mut *self.inner).await?;
        let id =
            rows.first().map(|row| TransactionId::new(row.0.clone(), event)).ok_or(Error::MailboxGone)?;
        Ok((id, rows.into_iter().map(|(_, account, folder, uid)| placed(account, folder, uid)).collect()))
    }

    /// Keeps the content and the list of targets, for [`Store::expand_pending`](crate::Store::expand_pending); those with a [`Room`] get it here.
    ///
    /// # Errors
    /// As [`Tx::accept`], of those with a room.
    pub async fn accept_pending(
        &mut self,
        content: &NewContent,
        targets: &[Target],
        event: &Event<'_>,
    ) -> Result<TransactionId, Error> {
        self.accept_pending_forwarded(content, (targets, &[]), event).await
    }

    /// As [`Tx::accept_pending`], of a message that went on by itself to these targets.
    ///
    /// # Errors
    /// As [`Tx::accept_pending`].
    pub async fn accept_pending_forwarded(
        &mut self,
        content: &NewContent,
        (targets, forwarded): (&[Target], &[Forwarded]),
        event: &Event<'_>,
    ) -> Result<TransactionId, Error> {
        Ok(self.keep_pending(content, (targets, forwarded), event).await?.0)
    }

    /// As [`Tx::accept_pending`], of what the system writes to everybody: to read it is nobody's use of his mailbox.
    ///
    /// # Errors
    /// As [`Tx::accept_pending`].
    pub async fn accept_announced(
        &mut self,
        content: &NewContent,
        targets: &[Target],
        event: &Event<'_>,
    ) -> Result<(), Error> {
        let (_, content) = self.keep_pending(content, (targets, &[]), event).await?;
        sqlx::query("insert into announced (content_id) values ($1)")
            .bind(content.0)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    async fn keep_pending(
        &mut self,
        content: &NewContent,
        (targets, forwarded): (&[Target], &[Forwarded]),
        event: &Event<'_>,
    ) -> Result<(TransactionId, ContentId), Error> {
        let id: String =
            sqlx::query_scalar("select pg_current_xact_id()::text").fetch_one(&mut *self.inner).await?;
        let content = self.add_content(content, event.at).await?;
        self.place_or_wait(content, targets, event.at).await?;
        let (_, _, recipients) = columns(targets);
        self.note_forwarded(event, recipients, forwarded).await?;
        Ok((TransactionId::new(id, event), content))
    }

    /// Those that may have no room get it now, while the sender can still be told; the others are handed it out.
    pub(crate) async fn place_or_wait(
        &mut self,
        content: ContentId,
        targets: &[Target],
        at: Timestamp,
    ) -> Result<Vec<Placed>, Error> {
        let (mut now, mut later): (Vec<Target>, Vec<Target>) =
            targets.iter().cloned().partition(|target| target.room.is_some());
        later.extend(now.split_off(now.len().min(RECIPIENTS_PER_TX)));
        let mut placed = Vec::new();
        if !now.is_empty() {
            let entry = NewEntry { now: at, internal_date: at, flags: model::Flags::NONE, keywords: &[] };
            placed = self.add_entries(content, &now, entry).await?;
        }
        self.wait_for_hand_out(content, &later, (None, at), None).await?;
        Ok(placed)
    }

    /// Keeps the list of those who are to get a content, in batches; with `held` until it is let go, and with `release` until
    /// that moment, when the message of the queue that its sender could call it back by goes, too.
    pub(crate) async fn wait_for_hand_out(
        &mut self,
        content: ContentId,
        targets: &[Target],
        (held, at): (Option<i64>, Timestamp),
        release: Option<(Timestamp, i64)>,
    ) -> Result<(), Error> {
        let at = release.map_or(at, |(release_at, _)| release_at);
        for batch in targets.chunks(RECIPIENTS_PER_TX) {
            let (accounts, folders, recipients) = columns(batch);
            sqlx::query(
                "insert into pending_deliveries
                     (content_id, account_ids, folder_ids, recipients, internal_date, held_id, release_at, message_id)
                 values ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(content.0)
            .bind(accounts)
            .bind(folders)
            .bind(recipients)
            .bind(at.to_sqlx())
            .bind(held)
            .bind(release.map(|(release_at, _)| release_at.to_sqlx()))
            .bind(release.map(|(_, message)| message))
            .execute(&mut *self.inner)
            .await?;
        }
        Ok(())
    }

    /// Adds entries of a content that exists already or was added in this transaction (APPEND).
    ///
    /// # Errors
    /// `MailboxGone` when a target vanished, `MailboxFull` when one has no room.
    pub async fn add_entries(
        &mut self,
        content: ContentId,
        targets: &[Target],
        entry: NewEntry<'_>,
    ) -> Result<Vec<Placed>, Error> {
        let (accounts, folders, recipients) = columns(targets);
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
            "select account_id, folder_id, uid from add_entries($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(entry.now.to_sqlx())
        .bind(content.0)
        .bind(accounts)
        .bind(folders)
        .bind(recipients)
        .bind(entry.internal_date.to_sqlx())
        .bind(entry.flags.0)
        .bind(entry.keywords)
        .bind(bytes_max(targets))
        .bind(messages_max(targets))
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(|(account, folder, uid)| placed(account, folder, uid)).collect())
    }

    /// Adds a content; its entries must follow in the same transaction.
    ///
    /// # Errors
    /// `ChunkGone` when chunks must be written again.
    pub async fn add_content(&mut self, content: &NewContent, now: Timestamp) -> Result<ContentId, Error> {
        let id = sqlx::query_scalar("select add_content($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(now.to_sqlx())
            .bind(content.size_i64())
            .bind(&content.chunk_ids)
            .bind(content.chunk_hashes_bytea())
            .bind(content.chunk_sizes_i32())
            .bind(&content.envelope)
            .bind(&content.structure)
            .bind(&content.preview)
            .bind(content.thread_id)
            .fetch_one(&mut *self.inner)
            .await?;
        Ok(ContentId(id))
    }
}

/// What an appended entry carries besides its content.
#[derive(Clone, Copy, Debug)]
pub struct NewEntry<'a> {
    pub now: Timestamp,
    pub internal_date: Timestamp,
    pub flags: model::Flags,
    pub keywords: &'a [i16],
}

pub(crate) fn columns(targets: &[Target]) -> (Vec<i64>, Vec<i64>, Vec<Option<&str>>) {
    let accounts = targets.iter().map(|target| target.account.0).collect();
    let folders = targets.iter().map(|target| target.folder.0).collect();
    let recipients = targets.iter().map(|target| target.recipient.as_deref()).collect();
    (accounts, folders, recipients)
}

/// Octets that each mailbox may hold afterwards.
pub(crate) fn bytes_max<'a>(targets: impl IntoIterator<Item = &'a Target>) -> Vec<Option<i64>> {
    rooms(targets, |room| room.bytes)
}

/// Messages that each mailbox may hold afterwards.
pub(crate) fn messages_max<'a>(targets: impl IntoIterator<Item = &'a Target>) -> Vec<Option<i64>> {
    rooms(targets, |room| room.messages)
}

fn rooms<'a>(targets: impl IntoIterator<Item = &'a Target>, of: fn(Room) -> u64) -> Vec<Option<i64>> {
    let most = |room| i64::try_from(of(room)).unwrap_or(i64::MAX);
    targets.into_iter().map(|target| target.room.map(most)).collect()
}

fn placed(account: i64, folder: i64, uid: i64) -> Placed {
    Placed {
        account: AccountId(account),
        folder: FolderId(folder),
        uid: Uid(u32::try_from(uid).unwrap_or(u32::MAX)),
    }
}
