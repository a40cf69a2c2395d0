//! Accepting mail for others: rows of the queue in the transaction that answers 250.

use crate::accept::columns;
use crate::contents::NewContent;
use crate::queue::never;
use crate::tx::TransactionId;
use crate::{
    Error, Event, Filed, Forwarded, NewEntry, NewHeld, NewQuarantined, Placed, RECIPIENTS_PER_TX, Store,
    Target, Tx,
};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use model::queue::{Needs, Notify, Priority, Return};
use model::{AccountId, ContentId, Flags};
use std::collections::BTreeMap;

/// A destination that was used within this is not noted as used again; those of days ago are forgotten.
const USED_NOTED: SignedDuration = SignedDuration::from_hours(6);
const USED_KEPT: SignedDuration = SignedDuration::from_hours(72);

/// $1: since when nothing has gone there.
pub(crate) const FORGET: &str = "delete from queue_destinations d
      where d.used_at < $1
        and not exists (select from queue_deliveries q where q.destination_id = d.destination_id and q.lease_id is null and not q.held)
        and d.destination_id not in (select q.destination_id from queue_deliveries q where q.lease_id is not null)
        and d.destination_id not in (select q.destination_id from queue_deliveries q where q.held)";

/// A message that is to go out.
#[derive(Clone, Debug)]
pub struct NewOutgoing<'a> {
    pub queue_id: &'a str,
    /// Return path; empty: null.
    pub sender: &'a str,
    /// The return path that others are told; `None`: the sender.
    pub sent_as: Option<&'a str>,
    /// Who submitted it.
    pub account: Option<AccountId>,
    pub ret: Option<Return>,
    pub envid: Option<&'a str>,
    pub needs: Needs,
    /// As [`Event::about`].
    pub about: &'a str,
    pub priority: Priority,
    /// When it goes, now or later.
    pub due_at: Timestamp,
    pub warn_at: Option<Timestamp>,
    pub give_up_at: Timestamp,
    /// The filter for spam has it kept back until an administrator lets it go.
    pub is_kept_back: bool,
    /// May be empty for what only waits to be handed out here.
    pub parts: Vec<NewOutgoingPart>,
}

/// Recipients of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOutgoingPart {
    pub destination: String,
    pub recipients: Vec<NewOutgoingRecipient>,
}

/// Somebody elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOutgoingRecipient {
    /// As a path has it, without brackets, in the spelling of whoever wrote it.
    pub address: String,
    pub orcpt: Option<String>,
    pub notify: Notify,
    /// `None`: it was itself written to.
    pub passed_on: Option<PassedOn>,
}

/// Of an address elsewhere that gets mail because a mailbox here passes its own on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOn {
    /// Whose forwarding it is.
    pub by: AccountId,
    /// Our address that was written to, as it may stand in a report: of the same mailbox, of one that forwards to it, or of a group.
    pub written: String,
}

/// Whom an accepted message is for, all together.
#[derive(Clone, Debug, Default)]
pub struct Accepting<'a> {
    /// Mailboxes here, each once.
    pub targets: &'a [Target],
    /// Those of large groups, which wait for approval.
    pub held: &'a [NewHeld<'a>],
    /// Those for whom it is kept apart until somebody has looked at it.
    pub quarantined: Option<NewQuarantined<'a>>,
    /// Others.
    pub outgoing: Option<&'a NewOutgoing<'a>>,
    /// How it went on by itself from mailboxes here.
    pub forwarded: &'a [Forwarded],
    /// Addresses that were written to, in lower case, for which none of `targets` stands: it is found by them. Where mail goes on to is
    /// none, as its sender does not learn that: `forwarded` says it to whose forwarding it is.
    pub ways: &'a [String],
    /// Nothing happens before this moment; then `outgoing` is there, whoever it is for.
    pub release_at: Option<Timestamp>,
    /// Copies as rules want them, of mailboxes that are among `targets` or not.
    pub filed: &'a [Filed<'a>],
    /// What some of them hold, in place of the message.
    pub changed: &'a [NewContent],
    /// Mailboxes that something more is put into in this transaction.
    pub told: &'a [AccountId],
}

impl Accepting<'_> {
    /// Is the message itself kept for anybody?
    fn keeps_message(&self) -> bool {
        let is_kept = !self.targets.is_empty() || !self.held.is_empty() || self.quarantined.is_some();
        is_kept || self.outgoing.is_some() || self.filed.iter().any(|copy| copy.changed.is_none())
    }

    /// All that something is put into by this transaction.
    fn mailboxes(&self) -> Vec<i64> {
        let filed = self.filed.iter().map(|copy| copy.target.account);
        let targets = self.targets.iter().map(|target| target.account);
        targets.chain(filed).chain(self.told.iter().copied()).map(|account| account.0).collect()
    }
}

impl Store {
    /// Makes rows for destinations that have none, each in a moment of its own: so nobody who accepts mail waits for another
    /// one who does. To be called before [`Tx::accept_all`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn know_destinations(&self, names: &[&str], now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "insert into queue_destinations as d (name, next_at, mail_at, used_at)
             select n.name, $3::timestamptz, $3::timestamptz, $2 from (select distinct name from unnest($1::text[]) as u (name)) as n
              where not exists (select from queue_destinations k where k.name = n.name and k.used_at > $4)
              order by n.name
             on conflict on constraint queue_destinations_name_key do update set used_at = excluded.used_at",
        )
        .bind(names)
        .bind(now.to_sqlx())
        .bind(never())
        .bind(before(now, USED_NOTED))
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }

    /// Forgets destinations that nothing has gone to for days; says how many. Of the queue it looks into indexes alone: what is
    /// free, what is leased, what is kept back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_destinations(&self, now: Timestamp) -> Result<u64, Error> {
        let gone = sqlx::query(FORGET).bind(before(now, USED_KEPT)).execute(&self.pools.main).await?;
        Ok(gone.rows_affected())
    }

    /// Mail for these was accepted, or nothing but reports: they are worth looking at now, or when they have rested.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn nudge_destinations(
        &self,
        names: &[&str],
        only_reports: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(
            "update queue_destinations
                set next_at = case when failures = 0 then least(next_at, $2) else next_at end,
                    mail_at = case when $3 then mail_at when failures = 0 then least(mail_at, $2)
                                   else least(mail_at, greatest(next_at, $2)) end
              where destination_id in (select destination_id from queue_destinations
                                        where name = any ($1)
                                          and (failures = 0 and next_at > $2
                                               or mail_at > case when failures = 0 then $2 else greatest(next_at, $2) end and not $3)
                                        order by destination_id for no key update skip locked)",
        )
        .bind(names)
        .bind(now.to_sqlx())
        .bind(only_reports)
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }
}

fn before(now: Timestamp, by: SignedDuration) -> jiff_sqlx::Timestamp {
    now.saturating_sub(by).unwrap_or(Timestamp::MIN).to_sqlx()
}

impl Tx {
    /// Accepts a message for mailboxes here and for others elsewhere, all in this transaction, with its event.
    ///
    /// # Errors
    /// `ChunkGone` when chunks must be written again, `MailboxGone` when a target vanished, `MailboxFull` when one has no room
    /// (what is for later comes however full it is), `Conflict` when a destination is
    /// not known.
    pub async fn accept_all(
        &mut self,
        content: &NewContent,
        accepting: &Accepting<'_>,
        event: &Event<'_>,
    ) -> Result<(TransactionId, Vec<Placed>), Error> {
        let number: String =
            sqlx::query_scalar("select pg_current_xact_id()::text").fetch_one(&mut *self.inner).await?;
        let mut placed = Vec::new();
        // Contents come first: chunks are taken before mailboxes, as in all transactions of their own.
        let id = match accepting.keeps_message() {
            true => Some(self.add_content(content, event.at).await?),
            false => None,
        };
        let mut changed = Vec::with_capacity(accepting.changed.len());
        for content in accepting.changed {
            changed.push(self.add_content(content, event.at).await?);
        }
        if !accepting.filed.is_empty() || !accepting.told.is_empty() {
            self.lock_mailboxes(&accepting.mailboxes()).await?;
        }
        if let Some(id) = id {
            placed = self.place_all(id, accepting, event).await?;
        }
        placed.extend(self.file((id, &changed), accepting.filed, event.at).await?);
        let Accepting { targets, filed, forwarded, outgoing, .. } = accepting;
        if !targets.is_empty() || !filed.is_empty() || !forwarded.is_empty() || outgoing.is_some() {
            self.note_accepted(accepting, event).await?;
        }
        Ok((TransactionId::new(number, event), placed))
    }

    async fn place_all(
        &mut self,
        id: ContentId,
        accepting: &Accepting<'_>,
        event: &Event<'_>,
    ) -> Result<Vec<Placed>, Error> {
        let message = match accepting.outgoing {
            Some(outgoing) => Some(self.enqueue(id, outgoing, event.at).await?),
            None => None,
        };
        let targets = accepting.targets;
        let release = accepting.release_at.zip(message);
        let placed = if release.is_some() {
            self.wait_for_hand_out(id, targets, (None, event.at), release).await?;
            Vec::new()
        } else if targets.len() > RECIPIENTS_PER_TX {
            self.place_or_wait(id, targets, event.at).await?
        } else if targets.is_empty() {
            Vec::new()
        } else {
            let entry =
                NewEntry { now: event.at, internal_date: event.at, flags: Flags::NONE, keywords: &[] };
            self.add_entries(id, targets, entry).await?
        };
        for held in accepting.held {
            self.hold_message(id, held, event, release).await?;
            let (_, _, recipients) = columns(held.targets);
            self.note_for(&Event { status: Some("held"), ..*event }, recipients).await?;
        }
        if let Some(quarantined) = &accepting.quarantined {
            self.quarantine(id, quarantined, event).await?;
        }
        Ok(placed)
    }

    /// Whoever is here has it at once, whatever becomes of those elsewhere: apart from theirs, unless all of it waits.
    async fn note_accepted(&mut self, accepting: &Accepting<'_>, event: &Event<'_>) -> Result<(), Error> {
        let Accepting { targets, filed, forwarded, .. } = *accepting;
        let is_new = |nth: usize, account| {
            let others = filed.iter().take(nth).map(|copy| copy.target);
            !targets.iter().chain(others).any(|other| other.account == account)
        };
        let filed = filed.iter().enumerate().filter(|(nth, copy)| is_new(*nth, copy.target.account));
        let here = targets.iter().chain(filed.map(|(_, copy)| copy.target));
        let here: Vec<_> = here.map(|target| target.recipient.as_deref()).collect();
        // Of a mailbox that passes mail on, the way is the mailbox itself, which its sender is not to be told.
        let ways = accepting.ways.iter().map(|to| Some(to.as_str()));
        let others: Vec<_> = ways.filter(|to| !here.contains(to)).collect();
        let is_parted = accepting.outgoing.is_some() && accepting.release_at.is_none();
        if here.is_empty() || others.is_empty() || !is_parted {
            return self.note_forwarded(event, [here, others].concat(), forwarded).await;
        }
        self.note_for(event, others).await?;
        self.note_forwarded(&Event { status: Some("delivered"), ..*event }, here, forwarded).await
    }

    /// Puts a content that was added, or that a message of the queue has, into the queue; its number there.
    ///
    /// # Errors
    /// `Conflict` when a destination is not known: call [`Store::know_destinations`], and try again.
    pub async fn enqueue(
        &mut self,
        content: ContentId,
        new: &NewOutgoing<'_>,
        now: Timestamp,
    ) -> Result<i64, Error> {
        let message: i64 = sqlx::query_scalar(
            "insert into queue_messages (queue_id, content_id, sender, account_id, ret, envid, needs, about, accepted_at,
                                         sent_as)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning message_id",
        )
        .bind(new.queue_id)
        .bind(content.0)
        .bind(new.sender)
        .bind(new.account.map(|account| account.0))
        .bind(new.ret.map(Return::as_str))
        .bind(new.envid)
        .bind(new.needs.number())
        .bind(new.about)
        .bind(now.to_sqlx())
        .bind(new.sent_as)
        .fetch_one(&mut *self.inner)
        .await?;
        if !new.parts.is_empty() {
            self.add_deliveries(message, new).await?;
        }
        Ok(message)
    }

    pub(crate) async fn add_deliveries(&mut self, message: i64, new: &NewOutgoing<'_>) -> Result<(), Error> {
        let names: Vec<&str> = new.parts.iter().map(|part| part.destination.as_str()).collect();
        let parts = (1_i32..).zip(&new.parts);
        let recipients: Vec<(i32, &NewOutgoingRecipient)> =
            parts.flat_map(|(nth, part)| part.recipients.iter().map(move |to| (nth, to))).collect();
        let added = sqlx::query(
            "with parts as materialized (
                 select p.nth, d.destination_id, nextval('queue_delivery_ids') as delivery_id
                   from unnest($1::text[]) with ordinality as p (name, nth) join queue_destinations d using (name)
             ), deliveries as (
                 insert into queue_deliveries (delivery_id, message_id, destination_id, priority, due_at, give_up_at, warn_at,
                                               held, held_at, held_by)
                 select delivery_id, $2, destination_id, $3, $4, $5, $6, $13, case when $13 then $4 end, case when $13 then 'filter' end
                   from parts
             )
             insert into queue_recipients (delivery_id, nth, address, orcpt, notify, passed_on_by, written_to)
             select p.delivery_id, r.nth::int, r.address, r.orcpt, r.notify, r.passed_on_by, r.written_to
               from unnest($7::int[], $8::text[], $9::text[], $10::smallint[], $11::bigint[], $12::text[])
                    with ordinality as r (part, address, orcpt, notify, passed_on_by, written_to, nth)
               join parts p on p.nth = r.part",
        )
        .bind(&names)
        .bind(message)
        .bind(new.priority.number())
        .bind(new.due_at.to_sqlx())
        .bind(new.give_up_at.to_sqlx())
        .bind(new.warn_at.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(recipients.iter().map(|(part, _)| *part).collect::<Vec<_>>())
        .bind(recipients.iter().map(|(_, to)| to.address.as_str()).collect::<Vec<_>>())
        .bind(recipients.iter().map(|(_, to)| to.orcpt.as_deref()).collect::<Vec<_>>())
        .bind(recipients.iter().map(|(_, to)| to.notify.number()).collect::<Vec<_>>())
        .bind(recipients.iter().map(|(_, to)| to.passed_on.as_ref().map(|on| on.by.0)).collect::<Vec<_>>())
        .bind(recipients.iter().map(|(_, to)| to.passed_on.as_ref().map(|on| on.written.as_str())).collect::<Vec<_>>())
        .bind(new.is_kept_back)
        .execute(&mut *self.inner)
        .await?;
        // One destination less, and somebody would be passed over in silence.
        if usize::try_from(added.rows_affected()).ok() == Some(recipients.len()) {
            Ok(())
        } else {
            Err(Error::Conflict)
        }
    }
}

impl NewOutgoingPart {
    /// By destination, each with at most as many recipients as one dialogue takes. Where the same address comes twice, it gets it once,
    /// as who was written to rather than as one to whom mail goes on, so that whoever wrote to it hears of it.
    #[must_use]
    pub fn of(recipients: impl IntoIterator<Item = (String, NewOutgoingRecipient)>) -> Vec<Self> {
        let mut by_name: BTreeMap<String, Vec<NewOutgoingRecipient>> = BTreeMap::new();
        for (destination, recipient) in recipients {
            let there = by_name.entry(destination).or_default();
            match there.iter_mut().find(|known| known.address == recipient.address) {
                Some(known) if known.passed_on.is_some() && recipient.passed_on.is_none() => {
                    *known = recipient;
                }
                Some(_) => {}
                None => there.push(recipient),
            }
        }
        let mut parts = Vec::new();
        for (destination, recipients) in by_name {
            for recipients in recipients.chunks(model::queue::RECIPIENTS_PER_DELIVERY_MAX) {
                parts.push(Self { destination: destination.clone(), recipients: recipients.to_vec() });
            }
        }
        parts
    }
}
