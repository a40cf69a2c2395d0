//! One session's dealings with the engine: who is logged in, and the message that is coming.

use crate::conversation::Desk;
use crate::figures;
use crate::gate::{Gate, Reservation};
use crate::replies;
use crate::scrutiny::{Brought, Scrutiny};
use engine::{
    Arrival, DeliverError, Engine, Origin, Principal, Protocol, RecipientError, RightsWatch, Sender,
    SenderError, Spool, Wishes,
};
use model::queue::{Notify, Return};
use model::{Address, AddressError};
use proto::smtp::{
    Answer, Domain, FutureRelease, Hold, Mail, Mailbox, Manner, Rcpt, Recipient, Reply, Request, Ret,
};
use std::sync::Arc;
use std::time::Instant;

/// Decides by asking the engine.
#[derive(Debug)]
pub(crate) struct EngineDesk {
    engine: Engine,
    gate: Arc<Gate>,
    origin: Origin,
    /// Of mail of strangers.
    scrutiny: Option<Scrutiny>,
    /// Version and cipher suite, once TLS is on.
    pub(crate) tls: Option<String>,
    principal: Option<Principal>,
    rights: Option<RightsWatch>,
    /// The peer was refused many recipients lately, here or on other connections.
    tries_out: bool,
    /// Recipients refused, and why; told once, at the end.
    refused: Vec<(RecipientError, u32)>,
    envelope: Envelope,
}

/// What one transaction has gathered.
#[derive(Debug, Default)]
struct Envelope {
    sender: Option<Sender>,
    wishes: Wishes,
    expected_bytes: u64,
    recipients: Vec<engine::Recipient>,
    arriving: Option<Arriving>,
}

#[derive(Debug)]
struct Arriving {
    spool: Spool,
    reservation: Reservation,
    /// The rest was not kept: this is why.
    failed: bool,
}

impl EngineDesk {
    pub(crate) fn new(engine: Engine, gate: Arc<Gate>, origin: Origin, scrutiny: Option<Scrutiny>) -> Self {
        Self {
            engine,
            gate,
            origin,
            scrutiny,
            tls: None,
            principal: None,
            rights: None,
            tries_out: false,
            refused: Vec::new(),
            envelope: Envelope::default(),
        }
    }

    pub(crate) async fn note_certificate(&self, certificate: &[u8]) {
        self.engine.note_certificate(&self.origin, certificate).await;
    }

    fn count_refusal(&mut self, error: RecipientError) {
        self.tries_out = self.gate.refused(self.origin.remote);
        match self.refused.iter_mut().find(|(kind, _)| *kind == error) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.refused.push((error, 1)),
        }
    }

    /// One line for each reason, not one for each recipient: who tries out thousands must not fill the log.
    pub(crate) fn log_refusals(&self) {
        for (error, count) in &self.refused {
            tracing::info!(%error, count, "recipients refused");
        }
    }

    async fn log_in(&mut self, user: &str, password: &str) -> Answer {
        match self.engine.log_in(user, password, &self.origin).await {
            Ok(principal) => {
                tracing::info!(user = %principal.address(), account = %principal.account(), "logged in");
                self.rights = Some(self.engine.watch_rights(&principal));
                self.principal = Some(principal);
                Answer::Accept
            }
            Err(error) => {
                tracing::info!(%error, "login refused");
                Answer::Refuse(replies::login(error, self.engine.password_page()))
            }
        }
    }

    async fn mail(&mut self, mail: Mail) -> Answer {
        // The null sender is for receipts and answering machines (RFC 5321 4.5.5).
        if let (Some(principal), Some(sender)) = (&self.principal, &mail.sender) {
            let checked = match address(sender) {
                Ok(address) => self.engine.check_sender(principal, &address).await,
                // What cannot be an address here is nobody's here.
                Err(_) => Err(SenderError::NotYours),
            };
            if let Err(error) = checked {
                tracing::info!(%error, "sender refused");
                return Answer::Refuse(replies::sender(error));
            }
        }
        let sender = mail.sender.as_ref().map(Sender::from);
        let wishes = self.wishes(&mail);
        let expected_bytes = mail.size.unwrap_or(0);
        self.envelope = Envelope { sender, wishes, expected_bytes, ..Envelope::default() };
        Answer::Accept
    }

    fn wishes(&self, mail: &Mail) -> Wishes {
        let seconds = |seconds: u32| {
            let wait = jiff::SignedDuration::from_secs(seconds.into());
            self.engine.now().saturating_add(wait).unwrap_or(jiff::Timestamp::MAX)
        };
        Wishes {
            ret: mail.ret.map(|ret| match ret {
                Ret::Full => Return::Full,
                Ret::Headers => Return::Headers,
            }),
            envid: mail.envid.clone(),
            smtputf8: mail.smtputf8,
            requiretls: mail.requiretls,
            release_at: mail.hold.map(|hold| match hold {
                Hold::For(wait) => seconds(wait),
                Hold::Until(moment) => moment,
            }),
        }
    }

    async fn recipient(&mut self, rcpt: Rcpt) -> Answer {
        let found = match &rcpt.recipient {
            Recipient::Mailbox(mailbox) => self.mailbox(mailbox).await,
            Recipient::Postmaster => self.postmaster().await,
        };
        match found {
            Ok(recipient) => {
                let recipient = recipient.asking(notify(rcpt.notify), rcpt.orcpt);
                self.envelope.recipients.push(recipient);
                Answer::Accept
            }
            Err(error) => {
                tracing::debug!(%error, "recipient refused");
                self.count_refusal(error);
                figures::recipient_refused(self.origin.protocol, error);
                Answer::Refuse(replies::recipient(error, self.principal.is_some()))
            }
        }
    }

    async fn mailbox(&self, mailbox: &Mailbox) -> Result<engine::Recipient, RecipientError> {
        // An address literal names a host, not one of our domains.
        let Ok(address) = address(mailbox) else { return Err(RecipientError::NotLocal) };
        if self.envelope.sender.is_none()
            && self.principal.is_none()
            && let Some(sender) = self.engine.came_back(mailbox.local(), &address).await?
        {
            return Ok(sender);
        }
        let found = self.engine.recipient_of(&address, self.principal.as_ref()).await;
        found.map(|found| found.as_written(mailbox))
    }

    /// RFC 5321 4.5.1: the postmaster of this host, or of the domain the host is in (`mail.demo.vn`, `demo.vn`).
    async fn postmaster(&self) -> Result<engine::Recipient, RecipientError> {
        let host = self.engine.hostname();
        let parent = host.split_once('.').map(|(_, parent)| parent);
        let mut found = Err(RecipientError::Unknown);
        for domain in [Some(host), parent].into_iter().flatten() {
            let Ok(address) = Address::new("postmaster", domain) else { continue };
            found = self.engine.recipient(&address).await;
            if !matches!(found, Err(RecipientError::Unknown | RecipientError::NotLocal)) {
                break;
            }
        }
        match found {
            Err(RecipientError::NotLocal) => Err(RecipientError::Unknown),
            found => found,
        }
    }

    fn open(&mut self) -> Answer {
        let Some(reservation) = self.gate.begin(self.envelope.expected_bytes) else {
            tracing::warn!("message refused: too much is arriving");
            figures::no_room(self.origin.protocol);
            return Answer::Refuse(replies::no_room());
        };
        let spool = self.engine.new_spool();
        self.envelope.arriving = Some(Arriving { spool, reservation, failed: false });
        Answer::Accept
    }

    async fn deliver(&mut self, manner: Manner) -> Answer {
        let Envelope { sender, wishes, recipients, arriving, .. } = std::mem::take(&mut self.envelope);
        let Some(Arriving { spool, reservation, failed: false }) = arriving else {
            figures::no_room(self.origin.protocol);
            return Answer::Refuse(replies::no_room());
        };
        let (bytes, with) = (spool.len(), manner.with);
        let mut examined = None;
        if let (Some(scrutiny), None) = (&self.scrutiny, &self.principal) {
            let brought = Brought {
                origin: &self.origin,
                helo: &manner.helo,
                sender: sender.as_ref(),
                recipients: &recipients,
                spool: &spool,
                is_own: self.gate.is_exempt(self.origin.remote),
            };
            match scrutiny.look(&self.engine, &brought).await {
                Ok(found) => examined = Some(found),
                Err(refusal) => return Answer::Refuse(refusal),
            }
        }
        let arrival = Arrival {
            origin: self.origin,
            helo: manner.helo,
            with,
            tls: self.tls.clone(),
            sender,
            principal: self.principal.clone(),
            wishes,
            examined,
        };
        let began = Instant::now();
        let delivered = self.engine.deliver(&arrival, &recipients, spool).await;
        drop(reservation);
        figures::decided(arrival.origin.protocol, bytes, began.elapsed(), delivered.as_ref().err());
        match delivered {
            Ok(delivery) => {
                let queue_id = &delivery.queue_id;
                tracing::info!(queue_id, bytes, recipients = recipients.len(), with, "message received");
                for error in delivery.results.iter().filter_map(|result| result.err()) {
                    figures::recipient_refused(arrival.origin.protocol, error);
                }
                Answer::Delivered(replies(&delivery, arrival.origin.protocol))
            }
            Err(error) => {
                // The text of an error may hold an address, which no log is to have.
                let why = match &error {
                    DeliverError::FromNotYours(_) | DeliverError::SenderMissing(_) => {
                        "From is not the sender's".to_owned()
                    }
                    DeliverError::Attachments(_) => "the attachments are too large".to_owned(),
                    DeliverError::Rejected(_) => "the recipients' rules reject it".to_owned(),
                    error => error.to_string(),
                };
                tracing::info!(bytes, recipients = recipients.len(), why, "message refused");
                Answer::Refuse(replies::deliver(&error))
            }
        }
    }
}

impl Desk for EngineDesk {
    async fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::LogIn(credentials) => self.log_in(credentials.user(), credentials.password()).await,
            Request::Mail(mail) => self.mail(mail).await,
            Request::Recipient(recipient) => self.recipient(recipient).await,
            Request::Open => self.open(),
            Request::Deliver(manner) => self.deliver(manner).await,
        }
    }

    async fn content(&mut self, bytes: &[u8]) {
        let Some(arriving) = self.envelope.arriving.as_mut().filter(|arriving| !arriving.failed) else {
            return;
        };
        if !arriving.reservation.grow(bytes.len() as u64) {
            tracing::warn!("message refused: too much is arriving");
            arriving.failed = true;
        } else if let Err(error) = arriving.spool.write(bytes).await {
            tracing::error!(%error, "the spool cannot be written");
            arriving.failed = true;
        }
        if arriving.failed {
            // Nothing of it is needed any more; others need the room.
            arriving.spool = self.engine.new_spool();
        }
    }

    fn reset(&mut self) {
        self.envelope = Envelope::default();
    }

    async fn ended(&mut self) {
        match &mut self.rights {
            Some(rights) => rights.ended().await,
            None => std::future::pending().await,
        }
    }

    fn tries_out_addresses(&self) -> bool {
        self.tries_out
    }
}

/// LMTP: one reply for each recipient, in order (RFC 2033 4.2). Else the engine takes a message for all or for none.
fn replies(delivery: &engine::Delivery, protocol: Protocol) -> Vec<Reply> {
    let accepted = replies::accepted(&delivery.queue_id);
    if protocol != Protocol::Lmtp {
        return vec![accepted];
    }
    let each =
        delivery.results.iter().zip(&delivery.reasons).map(|(result, reason)| match (result, reason) {
            (Ok(()), _) => accepted.clone(),
            (Err(_), Some(reason)) => replies::rejected(reason),
            (Err(error), None) => replies::recipient(*error, false),
        });
    each.collect()
}

/// How far ahead mail may be sent, as EHLO says it (RFC 4865 3).
pub(crate) fn future_release(engine: &Engine) -> FutureRelease {
    let ahead = engine.release_ahead_max();
    let until_max = engine.now().saturating_add(ahead).unwrap_or(jiff::Timestamp::MAX);
    FutureRelease { seconds_max: u32::try_from(ahead.as_secs()).unwrap_or(u32::MAX), until_max }
}

fn notify(asked: Option<proto::smtp::Notify>) -> Notify {
    let Some(asked) = asked else { return Notify::UNSAID };
    [(asked.success, Notify::SUCCESS), (asked.failure, Notify::FAILURE), (asked.delay, Notify::DELAY)]
        .into_iter()
        .filter(|(wanted, _)| *wanted)
        .fold(Notify::NEVER, |all, (_, what)| all.and(what))
}

fn address(mailbox: &Mailbox) -> Result<Address, AddressError> {
    match mailbox.domain() {
        Domain::Name(name) => Address::new(mailbox.local(), name),
        Domain::Ip(_) | Domain::Other(_) => Err(AddressError::Domain),
    }
}
