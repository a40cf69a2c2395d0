//! Mail of strangers, before it is taken: what can be found out of it, and what the rules say of that.
//!
//! Invariants: what is said here is said after the end of data and before 250, so who is refused knows it; a message is read
//! piece by piece, never held, and its header kept to the engine's limits before anything is looked at; nothing is decided here: `guard` finds out, `model::admission` decides. The next kind of evidence
//! (a filter that reads the message) is gathered in [`Scrutiny::look`], beside that of [`Examiner`], and put into the same
//! `Evidence`. Of the connection (greeting, lists) nothing is looked at where it is a relay's or a network's of ours.

use crate::{figures, replies};
use engine::{DeliverError, Engine, Examined, Origin, Recipient, Sender, Spool};
use guard::{BlockLists, Examiner, Resolver, is_near};
use model::admission::{Admission, Evidence};
use model::connection::{Connection, Contact, Greeting};
use model::{Cause, Network, Sorting};
use proto::smtp::Reply;
use std::net::IpAddr;
use std::sync::Arc;

/// Looks at mail of strangers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scrutiny {
    resolver: Resolver,
    lists: BlockLists,
    relays: Arc<[Network]>,
}

/// A message that has come, and who brought it.
#[derive(Debug)]
pub(crate) struct Brought<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) helo: &'a str,
    pub(crate) sender: Option<&'a Sender>,
    pub(crate) recipients: &'a [Recipient],
    pub(crate) spool: &'a Spool,
    /// It comes from a network that no limit is for.
    pub(crate) is_own: bool,
}

impl Scrutiny {
    /// `relays`: whence mail of strangers comes by a server of ours, which took it from them.
    #[must_use]
    pub fn new(resolver: Resolver, relays: &[Network]) -> Self {
        let lists = BlockLists::new(resolver.clone());
        Self { resolver, lists, relays: relays.into() }
    }

    /// What is known of it, when it is to be taken; else what its sender is told.
    pub(crate) async fn look(&self, engine: &Engine, brought: &Brought<'_>) -> Result<Examined, Reply> {
        let (found, connection) = tokio::join!(self.evidence(brought), self.connection(engine, brought));
        let mut evidence = found.map_err(|error| {
            tracing::info!(why = %error, "message refused");
            figures::unreadable(brought.origin.protocol, &error);
            replies::deliver(&error)
        })?;
        evidence.connection = connection.map_err(|_| replies::unavailable())?;
        let admission = admit(engine, &mut evidence, brought).await.map_err(|_| replies::unavailable())?;
        engine.count_judged(brought.origin.remote, &evidence, admission);
        match admission {
            Admission::Accept => Ok(Examined { evidence, sorting: Sorting::Inbox }),
            Admission::Junk(ground) => {
                tracing::info!(ground = ground.as_str(), "message goes into Junk");
                Ok(Examined { evidence, sorting: Sorting::Junk })
            }
            Admission::Quarantine(ground) => {
                tracing::info!(ground = ground.as_str(), "message is kept apart");
                Ok(Examined { evidence, sorting: Sorting::Quarantine(Cause::Origin(ground)) })
            }
            refused @ (Admission::Refuse(ground) | Admission::Later(ground)) => {
                let later = matches!(refused, Admission::Later(_));
                tracing::info!(ground = ground.as_str(), later, "message refused");
                figures::not_admitted(brought.origin.protocol, ground);
                let between = (brought.sender, brought.recipients);
                // It was read a moment ago; without it the log says less.
                let header = brought.spool.header().await.unwrap_or_default();
                engine.note_refused(brought.origin, between, (&evidence, ground), &header).await;
                Err(replies::not_admitted(&evidence, ground, later))
            }
        }
    }

    /// What is found out of who brings it; `None` where that is no stranger.
    async fn connection(
        &self,
        engine: &Engine,
        brought: &Brought<'_>,
    ) -> Result<Option<Connection>, engine::Error> {
        let ip = brought.origin.remote;
        if is_near(ip) || brought.is_own || self.is_relay(ip) {
            return Ok(None);
        }
        let zones = engine.lists_asked(brought.recipients).await?;
        let listings = self.lists.with(ip, &zones).await;
        let greeting = Greeting::of(brought.helo, ip, engine.is_own_name(brought.helo).await?);
        Ok(Some(Connection { greeting, listings, contact: Contact::NotAsked }))
    }

    fn is_relay(&self, ip: IpAddr) -> bool {
        self.relays.iter().any(|relay| relay.contains(ip))
    }

    /// All that is found out of the message; each kind has its own time limit, so this ends.
    async fn evidence(&self, brought: &Brought<'_>) -> Result<Evidence, DeliverError> {
        let header = brought.spool.header().await?;
        let mut examiner = Examiner::new(&header);
        let mut at = header.len() as u64;
        drop(header);
        loop {
            let piece = brought.spool.piece(at).await.map_err(|error| {
                tracing::error!(%error, "a spooled message could not be read back");
                DeliverError::Unavailable
            })?;
            if piece.is_empty() {
                break;
            }
            examiner.body(&piece);
            at += piece.len() as u64;
        }
        let ip = brought.origin.remote;
        let sender = guard::Sender { ip, helo: brought.helo, path: brought.sender.map(Sender::as_str) };
        Ok(examiner.evidence(&self.resolver, (!self.is_relay(ip)).then_some(sender)).await)
    }
}

/// By all that is known of it; that its sender was never here is only found out of what would be taken.
async fn admit(
    engine: &Engine,
    evidence: &mut Evidence,
    brought: &Brought<'_>,
) -> Result<Admission, engine::Error> {
    let admission = engine.admit_mail(evidence, brought.recipients).await?;
    let between = (brought.origin.remote, brought.sender);
    if !admission.is_refusal() && engine.meet(evidence, between, brought.recipients).await? {
        return engine.admit_mail(evidence, brought.recipients).await;
    }
    Ok(admission)
}
