//! Scanners look at every message before it is accepted, whichever way it goes and by whichever door it came; what becomes of it is
//! `model::scan`'s to say, by the policy of its sender's domain or of its recipients' (requirement D7; docs/adr/0022-scanners.md).
//!
//! Invariants: nothing is answered 250 before the scanners were heard, or policy said that it goes without; what they say stands in
//! a field of its own in front of the message; the message is read from its spool, piece by piece.

use crate::harm::harm_of;
use crate::message::{Body, FACTS_OCTETS_MAX};
use crate::{Arrival, DeliverError, Engine, Error, Recipient, Sender, Spool};
use guard::{Envelope, Octets, Scanners};
use metrics::counter;
use model::scan::{Direction, Malware, Reason, Rules, Scan, Verdict, judge};
use model::{Cause, ContentId, Sorting};
use std::ops::Range;
use store::{ContentColumns, SendingRow};

/// What was found, of a message that is taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scanned {
    pub(crate) scan: Scan,
    /// Where it comes to lie by that.
    pub(crate) sorting: Sorting,
    is_marked: bool,
}

/// A message, or one that is attached to it, where it is kept.
pub(crate) struct Kept {
    pub(crate) body: Body,
    pub(crate) place: Range<u64>,
}

impl Octets for Kept {
    fn length(&self) -> u64 {
        self.place.end.saturating_sub(self.place.start)
    }

    async fn piece(&self, at: u64) -> std::io::Result<Vec<u8>> {
        let from = self.place.start.saturating_add(at);
        let piece = self.body.piece(from, self.place.end).await.map_err(std::io::Error::other)?;
        Ok(piece.to_vec())
    }
}

impl Octets for Spool {
    fn length(&self) -> u64 {
        self.len()
    }

    async fn piece(&self, at: u64) -> std::io::Result<Vec<u8>> {
        Self::piece(self, at).await
    }
}

impl Scanned {
    /// The header fields that say so, none where nobody was asked.
    pub(crate) fn fields(&self) -> String {
        let line = self.scan.line();
        if line.is_empty() {
            return String::new();
        }
        let flag = if self.is_marked { "X-Spam-Flag: YES\r\n" } else { "" };
        format!("X-Congthu-Scan: {line}\r\n{flag}")
    }
}

impl Engine {
    /// From now on messages are scanned; said once, before the doors open.
    pub fn use_scanners(&self, scanners: Scanners) {
        if self.0.scanners.set(scanners).is_err() {
            tracing::error!("scanners were given twice");
        }
    }

    /// What the scanners find, if the message may go on.
    ///
    /// # Errors
    /// `Infected`, `Unwanted`, `NotScanned`, `PutOff`; or when the database fails.
    pub(crate) async fn scan(
        &self,
        arrival: &Arrival,
        standing: Option<&SendingRow>,
        (recipients, message): (&[Recipient], &Spool),
    ) -> Result<Scanned, DeliverError> {
        let Some(scanners) = self.0.scanners.get().filter(|scanners| scanners.is_some()) else {
            return Ok(Scanned::default());
        };
        let addresses: Vec<String> = recipients.iter().map(|to| to.address().to_string()).collect();
        let user = arrival.principal.as_ref().map(|who| who.own().address().to_string());
        let envelope = Envelope {
            remote: arrival.origin.remote,
            helo: &arrival.helo,
            sender: arrival.sender.as_ref().map(Sender::as_str).unwrap_or_default(),
            recipients: &addresses,
            user: user.as_deref(),
        };
        let scan = scanners.scan(message, &envelope).await;
        let (direction, rules) = self.scan_rules(standing, recipients).await?;
        let verdict = judge(&scan, &rules);
        if let Some(reason) = verdict.reason() {
            let way = if direction == Direction::In { "in" } else { "out" };
            counter!("congthu_filtered_total", "direction" => way, "reason" => reason.as_str(), "act" => act(verdict))
                .increment(1);
            let protocol = arrival.origin.protocol.as_str();
            tracing::info!(protocol, found = scan.line(), act = act(verdict), "a message was filtered");
        }
        if let (Some(who), Some(standing), Some(harm)) = (&arrival.principal, standing, harm_of(verdict)) {
            self.note_harm(who, standing, (harm, message)).await;
        }
        match verdict {
            Verdict::Take => Ok(Scanned { scan, ..Scanned::default() }),
            Verdict::Mark(reason) => {
                let is_marked = matches!(reason, Reason::Spam | Reason::Suspect);
                Ok(Scanned { scan, is_marked, sorting: Sorting::Inbox })
            }
            Verdict::Junk(_) => Ok(Scanned { scan, is_marked: true, sorting: Sorting::Junk }),
            Verdict::Quarantine(reason) => {
                let sorting = Sorting::Quarantine(Cause::Content(reason));
                Ok(Scanned { scan, is_marked: true, sorting })
            }
            Verdict::Later(Reason::PutOff) => Err(DeliverError::PutOff),
            Verdict::Later(_) => Err(DeliverError::NotScanned),
            Verdict::Refuse(Reason::Malware) => Err(DeliverError::Infected(name(&scan))),
            Verdict::Refuse(_) => Err(DeliverError::Unwanted),
        }
    }

    /// What the scanner for malware finds in a message that is kept here.
    ///
    /// # Errors
    /// `NotFound` when it is gone; or when the database fails.
    pub(crate) async fn malware_in(&self, content: ContentId) -> Result<Malware, Error> {
        let Some(scanners) = self.0.scanners.get() else { return Ok(Malware::NotAsked) };
        let columns = ContentColumns { chunks: true, ..ContentColumns::default() };
        let mut found = self.0.store.contents(&[content], columns, FACTS_OCTETS_MAX).await?;
        let body = found.pop().flatten().and_then(|content| self.message(&content, None).body);
        let body = body.ok_or(Error::NotFound)?;
        Ok(scanners.malware(&Kept { place: 0..body.size(), body }).await)
    }

    /// Whoever logged in is bound by his own domain, mail from others by those that it is for.
    async fn scan_rules(
        &self,
        standing: Option<&SendingRow>,
        recipients: &[Recipient],
    ) -> Result<(Direction, Vec<Rules>), Error> {
        if let Some(standing) = standing {
            let policy = self.policy_of(standing.domain).await?;
            return Ok((Direction::Out, vec![Rules::of(&policy, Direction::Out)]));
        }
        let mut names: Vec<_> = recipients.iter().map(|to| to.address().domain()).collect();
        names.sort_unstable();
        names.dedup();
        let mut rules = Vec::with_capacity(names.len());
        for name in names {
            if let Some(domain) = self.0.store.domain(name).await? {
                rules.push(Rules::of(&*self.policy_of(domain).await?, Direction::In));
            }
        }
        Ok((Direction::In, rules))
    }
}

/// Of what was found, for whoever sent it.
fn name(scan: &Scan) -> String {
    match &scan.malware {
        Malware::Found(name) => name.clone(),
        Malware::NotAsked | Malware::Clean | Malware::Unknown => String::new(),
    }
}

const fn act(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Take => "taken",
        Verdict::Mark(_) => "marked",
        Verdict::Junk(_) => "junk",
        Verdict::Quarantine(_) => "quarantined",
        Verdict::Later(_) => "put_off",
        Verdict::Refuse(_) => "refused",
    }
}
