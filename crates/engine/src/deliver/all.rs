//! Accepting what no short path is for: mail to others, to large groups, for later, as rules want it, or of which its sender wants to hear.

use super::{ATTEMPTS, Arrival, DeliverError, Refused};
use crate::expansion::{Meant, subject};
use crate::intake::Prepared;
use crate::report::Mail;
use crate::{Engine, Recipient};
use jiff::Timestamp;
use model::AccountId;
use store::{Accepting, NewContent, RECIPIENTS_PER_TX, Tx};

impl Engine {
    /// As [`Engine::accept`], what no short path is for: mail to others, to large groups, for later, or of which its sender
    /// wants to hear.
    pub(super) async fn accept_all(
        &self,
        arrival: &Arrival,
        (meant, recipients): (&Meant, &[&Recipient]),
        message: (&Prepared, &str, &str),
    ) -> Result<Vec<AccountId>, Refused> {
        let mut with_keywords = true;
        for _ in 0..ATTEMPTS {
            match self.accept_all_once(arrival, (meant, recipients), message, with_keywords).await {
                Ok(true) => return Ok(Vec::new()),
                Ok(false) => return Err(DeliverError::TooManyReturns.into()),
                Err(store::Error::MailboxFull(full)) => return Ok(full),
                Err(store::Error::ChunkGone | store::Error::Conflict) => {}
                // Rules that set ever new ones are no reason to refuse mail.
                Err(error) if error.is_constraint("keywords_id_check") => with_keywords = false,
                Err(error) => return Err(Refused::by_store(error)),
            }
        }
        tracing::error!("a message was got in between {ATTEMPTS} times");
        Err(DeliverError::Unavailable.into())
    }

    /// False: by one of our return paths too much came back.
    async fn accept_all_once(
        &self,
        arrival: &Arrival,
        (meant, recipients): (&Meant, &[&Recipient]),
        (message, queue_id, about): (&Prepared, &str, &str),
        with_keywords: bool,
    ) -> Result<bool, store::Error> {
        let (trace, remote) = (arrival.origin.trace_text(), arrival.origin.remote.to_canonical().to_string());
        let mut event = self.received(arrival, (&trace, &remote), (message, about));
        let subject = subject(message);
        let held = Self::held(arrival, meant, &subject);
        let sent_as = match meant.outside.is_empty() {
            true => None,
            false => self.sent_as(arrival, recipients).await?,
        };
        let outgoing = self.outgoing(arrival, meant, (message, queue_id, about), sent_as.as_deref());
        if outgoing.is_some() {
            event.status = Some("queued");
        }
        let destinations = outgoing.as_ref().map(crate::outgoing::destinations).unwrap_or_default();
        let release_at = arrival.wishes.release_at.filter(|at| *at > event.at);
        let at_once = release_at.is_none();
        let told = self.told_back(arrival, (meant, recipients), (message, about), at_once).await?;
        let written = &meant.sifted.written;
        let told_to = told.iter().flatten().filter_map(Mail::destination).chain(written.destinations());
        let told_to: Vec<&str> = told_to.collect();
        let all: Vec<&str> = destinations.iter().chain(&told_to).copied().collect();
        self.0.store.know_destinations(&all, event.at).await?;
        let content = self.write_content(message).await?;
        let changed = self.write_changed(meant).await?;
        let ways = ways(meant, recipients);
        let filed = meant.sifted.filed(with_keywords);
        let told_here = told.iter().flatten().filter_map(Mail::account).chain(written.accounts());
        let told_here: Vec<AccountId> = told_here.collect();
        let (targets, outgoing) = (&meant.targets, outgoing.as_ref());
        let quarantined = Self::quarantined(arrival, meant, (message, &subject));
        // What waits may be called back.
        let forwarded = if release_at.is_some() { &[][..] } else { &meant.forwarded };
        let accepting = Accepting {
            targets,
            held: &held,
            quarantined,
            outgoing,
            forwarded,
            ways: &ways,
            release_at,
            filed: &filed,
            changed: &changed,
            told: &told_here,
        };
        let mut tx = self.0.store.begin().await?;
        if !self.count_returns(&mut tx, recipients).await? {
            return Ok(false);
        }
        let (id, placed) = tx.accept_all(&content, &accepting, &event).await?;
        self.put_beside(&mut tx, (meant, &told), event.at).await?;
        tx.commit_known(&id).await?;
        placed.iter().for_each(|place| self.0.hub.tell(place.account));
        told.iter().flatten().for_each(|mail| mail.tell(self));
        written.tell(self);
        if meant.targets.len() > RECIPIENTS_PER_TX {
            self.0.pending.notify_one();
        }
        self.keep_back_if_spreading(arrival).await;
        self.nudge(&destinations).await;
        self.nudge_for_reports(&told_to).await;
        Ok(true)
    }

    /// What its sender hears of it at once.
    async fn told_back(
        &self,
        arrival: &Arrival,
        (meant, recipients): (&Meant, &[&Recipient]),
        (message, about): (&Prepared, &str),
        at_once: bool,
    ) -> Result<[Option<Mail>; 2], store::Error> {
        let receipt = match at_once {
            // It may still be called back.
            false => None,
            true => self.receipt(arrival, &meant.who_comes_here(recipients), (message, about)).await?,
        };
        Ok([receipt, self.report_missed(arrival, (meant, recipients), (message, about)).await?])
    }

    async fn put_beside(
        &self,
        tx: &mut Tx,
        (meant, told): (&Meant, &[Option<Mail>]),
        at: Timestamp,
    ) -> Result<(), store::Error> {
        if !meant.sifted.sighted.is_empty() {
            tx.note_seen(&meant.sifted.sighted, at).await?;
        }
        for mail in told.iter().flatten() {
            tx.mail_back(&mail.back(self, at)).await?;
        }
        meant.sifted.written.put(tx, self, at).await
    }

    /// The message with the headers that rules gave it.
    async fn write_changed(&self, meant: &Meant) -> Result<Vec<NewContent>, store::Error> {
        let mut changed = Vec::with_capacity(meant.sifted.changed.len());
        for other in &meant.sifted.changed {
            changed.push(self.write_content(other).await?);
        }
        Ok(changed)
    }
}

/// By which addresses it is found that no mailbox here stands for.
fn ways(meant: &Meant, recipients: &[&Recipient]) -> Vec<String> {
    let returned = recipients.iter().filter(|recipient| recipient.is_return_path());
    let returned = returned.map(|recipient| recipient.address().to_string());
    returned.chain(meant.written_elsewhere()).chain(meant.sifted.gone.iter().cloned()).collect()
}
