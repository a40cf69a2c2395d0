//! Which rules hold for mail of strangers: those of the domains that it is for.

use crate::{Arrival, Engine, Error, Origin, Recipient, Sender, trace_query};
use model::admission::{Admission, Evidence, Ground, admit};
use model::connection::zones;
use model::{DomainName, Policy, Sorting};
use proto::mime::facts;
use std::sync::Arc;
use store::Event;

/// What is known of where a message comes from, and that it is taken all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    pub evidence: Evidence,
    /// Where it comes to lie by that.
    pub sorting: Sorting,
}

impl Arrival {
    /// Where it comes to lie by what the door found out.
    pub(crate) fn sorting(&self) -> Sorting {
        self.examined.as_ref().map(|examined| examined.sorting).unwrap_or_default()
    }
}

impl Engine {
    /// What becomes of a message that a stranger brings, by all that is known of it. What of it is ours is found out here.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn admit_mail(
        &self,
        evidence: &mut Evidence,
        recipients: &[Recipient],
    ) -> Result<Admission, Error> {
        for author in &mut evidence.authors {
            if let Ok(domain) = DomainName::new(&author.domain) {
                author.ours = self.is_local_domain(&domain).await?;
            }
        }
        for named in &mut evidence.named {
            if let Ok(domain) = DomainName::new(&named.domain) {
                named.ours = self.is_local_domain(&domain).await?;
            }
        }
        let policies = self.policies_of(recipients).await?;
        evidence.is_reported =
            !policies.is_empty() && policies.iter().all(|(_, policy)| policy.inbound.dmarc_reports);
        Ok(admit(evidence, policies.iter().map(|(_, policy)| &policy.inbound)))
    }

    /// The lists of addresses (DNSBL) that the domains it is for want asked, by their zones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lists_asked(&self, recipients: &[Recipient]) -> Result<Vec<DomainName>, Error> {
        let policies = self.policies_of(recipients).await?;
        Ok(zones(policies.iter().flat_map(|(_, policy)| &policy.inbound.lists)))
    }

    /// Is this name, as a peer gave it, this server's, or that of a domain here?
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_own_name(&self, name: &str) -> Result<bool, Error> {
        let Ok(name) = DomainName::new(name) else { return Ok(false) };
        if DomainName::new(self.hostname()).is_ok_and(|own| own == name) {
            return Ok(true);
        }
        self.is_local_domain(&name).await
    }

    /// Of the domains of these recipients, each once.
    pub(crate) async fn policies_of<'a>(
        &self,
        recipients: &'a [Recipient],
    ) -> Result<Vec<(&'a DomainName, Arc<Policy>)>, Error> {
        let mut policies = Vec::new();
        let mut seen: Vec<&DomainName> = Vec::new();
        for domain in recipients.iter().map(|recipient| recipient.address().domain()) {
            if !seen.contains(&domain) {
                seen.push(domain);
                if let Some(id) = self.0.store.domain(domain).await? {
                    policies.push((domain, self.policy_of(id).await?));
                }
            }
        }
        Ok(policies)
    }

    /// Keeps in the log of messages that one was refused, by which check, for whom it was, and what was known of it and stands in its
    /// header (AG Đ9.2); the reply does not wait for it to last.
    pub async fn note_refused(
        &self,
        origin: &Origin,
        (sender, recipients): (Option<&Sender>, &[Recipient]),
        (evidence, ground): (&Evidence, Ground),
        header: &[u8],
    ) {
        let (trace, remote) = (origin.trace_text(), origin.remote.to_canonical().to_string());
        let about = trace_query::about_refused(&self.queue_id(), &facts(header), (evidence, ground));
        let event = Event {
            at: self.now(),
            kind: "refused",
            trace: &trace,
            account: None,
            remote: Some(&remote),
            sender: Some(sender.map(Sender::as_str).unwrap_or_default()),
            size: None,
            status: Some(ground.as_str()),
            about: Some(&about),
        };
        let to: Vec<String> = recipients.iter().map(|to| to.address().to_string()).collect();
        if let Err(error) = self.0.store.note_about(&event, &to).await {
            tracing::warn!(%error, "a refused message could not be noted");
        }
    }
}
