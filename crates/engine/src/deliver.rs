//! Accepting a message for mailboxes here and for others elsewhere: after `Ok` it is durable, before it nothing is half done.

mod all;
mod error;
mod noted;

pub use error::DeliverError;
pub(crate) use error::Refused;

use crate::admission::Examined;
use crate::expansion::{Meant, Of};
use crate::forwarding::ROUNDS_MAX;
use crate::header::check_header;
use crate::intake::Prepared;
use crate::listed_senders::Writer;
use crate::outgoing::Wishes;
use crate::recipients::Kind;
use crate::report::RECEIPT_BYTES_MAX;
use crate::trace::times_here;
use crate::trace_query;
use crate::{Engine, Origin, Principal, Protocol, Recipient, RecipientError, Sender, Spool, trace};
use model::{AccountId, Flags, Sorting};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use store::{RECIPIENTS_PER_TX, SMALL_BYTES_MAX, SMALL_TARGETS_MAX, SendingRow, SmallMessage};

/// Times a message is tried anew after the sweeper or another transaction got in between.
pub(crate) const ATTEMPTS: u32 = 5;

/// Times a message is meant anew because members of its groups were filled up: each time others came in between.
const MEMBERS_FILLED_MAX: u32 = 32;

/// How and from whom a message came.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub origin: Origin,
    /// What the peer called itself.
    pub helo: String,
    /// The protocol, for Received (RFC 3848, RFC 6531 4.3).
    pub with: &'static str,
    /// Version and cipher suite.
    pub tls: Option<String>,
    /// `None`: the null reverse-path.
    pub sender: Option<Sender>,
    /// Who submitted it, when somebody logged in.
    pub principal: Option<Principal>,
    /// What its sender asked for.
    pub wishes: Wishes,
    /// What the door found out of a message that a stranger brought.
    pub examined: Option<Examined>,
}

/// Mailboxes that are written to and do not get it, where each recipient is answered (LMTP).
#[derive(Debug)]
struct LeftOut {
    full: HashSet<AccountId>,
    /// By their rules, and why.
    rejected: HashMap<AccountId, String>,
}

impl LeftOut {
    fn reason(&self, to: &Recipient) -> Option<String> {
        let Kind::Mailbox { account, .. } = to.kind() else { return None };
        self.rejected.get(account).cloned()
    }
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// One result per recipient, in the order given.
    pub results: Vec<Result<(), RecipientError>>,
    /// Of each whose rules reject it, why, in ASCII.
    pub reasons: Vec<Option<String>>,
    /// Names the message in our logs.
    pub queue_id: String,
}

impl Engine {
    /// Accepts `message` for all `recipients`, or for none; by LMTP, where each is answered, for all whose mailbox has not
    /// filled up meanwhile. Trace headers are put in front of it here.
    ///
    /// # Errors
    /// See [`DeliverError`]; only `RecipientFull`, `Throttled` and `Unavailable` are worth another try.
    pub async fn deliver(
        &self,
        arrival: &Arrival,
        recipients: &[Recipient],
        message: Spool,
    ) -> Result<Delivery, DeliverError> {
        let standing = match &arrival.principal {
            Some(who) => Some(self.may_send(who).await?.allowed().ok_or(DeliverError::OverQuota)?),
            None => None,
        };
        let counted = match (&arrival.principal, &standing) {
            (Some(who), Some(standing)) => Some(self.count_sending(who, standing, recipients).await?),
            _ => None,
        };
        let delivered = self.deliver_counted(arrival, standing.as_ref(), recipients, message).await;
        if let Some(counted) = &counted {
            self.end_sending(counted, delivered.is_ok()).await;
        }
        delivered
    }

    async fn deliver_counted(
        &self,
        arrival: &Arrival,
        standing: Option<&SendingRow>,
        recipients: &[Recipient],
        message: Spool,
    ) -> Result<Delivery, DeliverError> {
        message.header().await?;
        let scanned = self.scan(arrival, standing, (recipients, &message)).await?;
        let queue_id = self.queue_id();
        let mut prefix = trace::headers(arrival, self.hostname(), &queue_id, recipients, self.now());
        prefix.extend_from_slice(scanned.fields().as_bytes());
        let trace_bytes = prefix.len();
        let is_told = |to: &Recipient| to.is_told_of_success() || to.is_several();
        let told = arrival.hears_of_success() && recipients.iter().any(is_told);
        let room = message.len() + trace_bytes as u64 + if told { RECEIPT_BYTES_MAX } else { 0 };
        let permit = self.0.intake.permit(room).await?;
        let mut prepared = self.prepare_cleansed(permit, message, prefix).await?;
        prepared.sorting = arrival.sorting().or_stricter(scanned.sorting);
        self.0.arrivals.fetch_add(1, Ordering::Relaxed);
        check_header(&prepared.facts)?;
        let bytes_max = recipients.iter().map(Recipient::message_bytes_max).min().unwrap_or(u64::MAX);
        if arrival.principal.is_none() && prepared.len() as u64 > bytes_max {
            return Err(DeliverError::TooLarge { limit: bytes_max });
        }
        let mut authors = Vec::new();
        let is_asked = prepared.sorting.is_unwanted() || recipients.iter().any(Recipient::may_list_senders);
        if is_asked && arrival.principal.is_none() {
            prepared.writer = Some(Writer::of(arrival, prepared.header_from(trace_bytes)));
        }
        if let Some(who) = &arrival.principal {
            self.check_attachments(who, &prepared.facts).await?;
            authors = self.check_authors(who, prepared.header_from(trace_bytes)).await?;
        }
        self.check_returns(recipients).await?;
        let found = scanned.scan.line();
        let about =
            trace_query::about_arrived(&queue_id, &prepared.facts, (arrival.examined.as_ref(), &found));
        let message = (&prepared, queue_id.as_str(), about.as_str());
        let left_out = self.accept_renewing(arrival, recipients, message).await?;
        if let Some(who) = &arrival.principal {
            authors.extend(arrival.sender.as_ref().and_then(|sender| sender.as_str().parse().ok()));
            self.note_sent(who, authors).await;
        }
        tracing::info!(queue_id, recipients = recipients.len(), "message accepted");
        let reasons: Vec<_> = recipients.iter().map(|to| left_out.reason(to)).collect();
        let result = |(recipient, reason): (&Recipient, &Option<String>)| match reason {
            Some(_) => Err(RecipientError::Rejected),
            None if is_among(recipient, &left_out.full) => Err(RecipientError::OverQuota),
            None => Ok(()),
        };
        Ok(Delivery { results: recipients.iter().zip(&reasons).map(result).collect(), reasons, queue_id })
    }

    async fn accept_renewing(
        &self,
        arrival: &Arrival,
        recipients: &[Recipient],
        message: (&Prepared, &str, &str),
    ) -> Result<LeftOut, Refused> {
        let mut accepted = self.accept_for(arrival, recipients, message).await;
        for _ in 1..ATTEMPTS {
            // Of several, one may be filled up after the other; what is found full is looked at anew.
            if !matches!(accepted, Err(Refused::NoRoomApart)) {
                break;
            }
            accepted = self.accept_for(arrival, recipients, message).await;
        }
        // Mail may have been on its way to a mailbox that is deleted, and stays where it came then.
        if matches!(accepted, Err(Refused::Gone)) && self.renew_forwards().await? {
            accepted = self.accept_for(arrival, recipients, message).await;
        }
        // So it does where a folder that rules had found is gone.
        for _ in 1..ATTEMPTS {
            if !matches!(accepted, Err(Refused::Gone)) || !self.0.sieves.is_any() {
                break;
            }
            accepted = self.accept_for(arrival, recipients, message).await;
        }
        accepted
    }

    /// Accepts it for all recipients, and where each of them is answered (LMTP) for those whose mailbox is not full: the
    /// others are returned. Who is answered once has to come again, and is then refused the full one by itself.
    async fn accept_for(
        &self,
        arrival: &Arrival,
        recipients: &[Recipient],
        (message, queue_id, about): (&Prepared, &str, &str),
    ) -> Result<LeftOut, Refused> {
        let (mut full, mut filled) = (HashSet::new(), 0);
        loop {
            let others: Vec<&Recipient> = recipients.iter().filter(|other| !is_among(other, &full)).collect();
            if others.is_empty() {
                return Err(DeliverError::RecipientFull.into());
            }
            let (can_be_told, sorting) = (arrival.hears_of_success(), message.sorting);
            // What comes back of forwarded mail is passed on, and nobody passes on what nobody wants.
            let goes_out = |other: &&Recipient| matches!(other.kind(), Kind::Outside(_));
            if sorting.is_unwanted() && arrival.principal.is_none() && others.iter().any(goes_out) {
                return Err(DeliverError::Unwanted.into());
            }
            let at_once = arrival.wishes.release_at.is_none_or(|at| at <= self.now());
            // What waits for its moment may be called back, and what somebody looks at may not.
            if matches!(sorting, Sorting::Quarantine(_)) && !at_once {
                return Err(DeliverError::Unwanted.into());
            }
            let of = Of {
                bytes: message.len() as u64,
                sorting,
                writer: message.writer.as_ref(),
                sender: arrival.principal.as_ref().map(|who| who.own().account()),
                can_be_told,
                goes_round: times_here(message.header_alone(0), self.hostname()) > ROUNDS_MAX,
                leaves_copy: !arrival.hears_of_failure(),
            };
            let for_whom = (&others[..], at_once);
            let mut meant = self.meant_and_sifted((arrival, of), message, for_whom, &full).await?;
            let waits = !meant.held.is_empty() || meant.targets.len() > RECIPIENTS_PER_TX || !at_once;
            if waits && self.renew_forwards().await? {
                // Whoever is gone is passed over when such a message is handed out.
                meant = self.meant_and_sifted((arrival, of), message, for_whom, &full).await?;
            }
            if meant.is_empty() {
                let nobody = if meant.missed.is_empty() {
                    DeliverError::Unavailable
                } else {
                    DeliverError::RecipientFull
                };
                return Err(nobody.into());
            }
            let only_here = meant.is_only_here();
            let is_told = can_be_told && others.iter().any(|other| other.is_told_of_success());
            let refused = if only_here && at_once && !is_told {
                self.accept(arrival, &meant, message, about).await?
            } else {
                self.accept_all(arrival, (&meant, &others), (message, queue_id, about)).await?
            };
            if refused.is_empty() {
                self.0.sieves.note_failed(meant.sifted.failed());
                return Ok(LeftOut { full, rejected: meant.sifted.turned_away });
            }
            let known = full.len();
            full.extend(refused.iter().filter(|account| others.iter().any(|other| is_of(other, **account))));
            if full.len() == known && filled < MEMBERS_FILLED_MAX {
                // Members of groups that were filled up meanwhile: they are left out, and told of.
                filled += 1;
                continue;
            }
            if arrival.origin.protocol != Protocol::Lmtp || full.len() == known {
                return Err(DeliverError::RecipientFull.into());
            }
        }
    }

    /// Whom it is for, and what their rules make of that; for later nobody's rules are followed.
    async fn meant_and_sifted(
        &self,
        (arrival, of): (&Arrival, Of<'_>),
        message: &Prepared,
        (recipients, at_once): (&[&Recipient], bool),
        full: &HashSet<AccountId>,
    ) -> Result<Meant, Refused> {
        let mut meant = self.meant(recipients, of, full).await?;
        if at_once {
            self.sift((arrival, of), (message, recipients), (&mut meant, full)).await?;
        }
        Ok(meant)
    }

    pub(crate) fn queue_id(&self) -> String {
        let mut bytes = [0; 8];
        self.0.rng.fill(&mut bytes);
        format!("{:016X}", u64::from_be_bytes(bytes))
    }

    /// Returns the mailboxes that are full; if there are any, nobody got it.
    async fn accept(
        &self,
        arrival: &Arrival,
        meant: &Meant,
        message: &Prepared,
        about: &str,
    ) -> Result<Vec<AccountId>, Refused> {
        let mut is_small = message.len() <= SMALL_BYTES_MAX && meant.targets.len() <= SMALL_TARGETS_MAX;
        for _ in 0..ATTEMPTS {
            match self.accept_once(arrival, meant, message, about, is_small).await {
                Ok(()) => return Ok(Vec::new()),
                Err(store::Error::MailboxFull(full)) => return Ok(full),
                Err(store::Error::ChunkGone) => is_small = false,
                Err(store::Error::Conflict) => {}
                Err(error) => return Err(Refused::by_store(error)),
            }
        }
        tracing::error!("a message was got in between {ATTEMPTS} times");
        Err(DeliverError::Unavailable.into())
    }

    async fn accept_once(
        &self,
        arrival: &Arrival,
        Meant { targets, forwarded, .. }: &Meant,
        message: &Prepared,
        about: &str,
        is_small: bool,
    ) -> Result<(), store::Error> {
        let (trace, remote) = (arrival.origin.trace_text(), arrival.origin.remote.to_canonical().to_string());
        let event = self.received(arrival, (&trace, &remote), (message, about));
        if is_small {
            let small = SmallMessage {
                content: self.content(message),
                chunks: message.pieces()?,
                targets,
                forwarded,
                flags: Flags::NONE,
                internal_date: None,
            };
            self.0.store.accept_small(vec![small], &event).await?;
            self.tell(targets);
            return Ok(());
        }
        let content = &self.write_content(message).await?;
        let mut tx = self.0.store.begin().await?;
        if targets.len() <= RECIPIENTS_PER_TX {
            let (id, _) = tx.accept_forwarded(content, (targets, forwarded), &event).await?;
            tx.commit_known(&id).await?;
            self.tell(targets);
        } else {
            let id = tx.accept_pending_forwarded(content, (targets, forwarded), &event).await?;
            tx.commit_known(&id).await?;
            self.tell(targets.iter().filter(|target| target.room.is_some()));
            self.0.pending.notify_one();
        }
        Ok(())
    }
}

fn is_among(recipient: &Recipient, full: &HashSet<AccountId>) -> bool {
    matches!(recipient.kind(), Kind::Mailbox { account, .. } if full.contains(account))
}

/// Was this mailbox itself written to?
fn is_of(recipient: &Recipient, whose: AccountId) -> bool {
    matches!(recipient.kind(), Kind::Mailbox { account, .. } if *account == whose)
}
