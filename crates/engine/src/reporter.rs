//! As whom this system tells other domains what it has seen of them, and how such a mail is signed: when it is written, as what leaves
//! without an author who logged in is not signed when it is sent.

use crate::{Engine, Error};
use guard::{Signer, SigningKey};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::DomainName;
use model::admission::{Author, Evidence, Outcome, Signature};
use tokio::task::JoinSet;

/// A domain of ours, or this server's name.
#[derive(Debug)]
pub(crate) struct Reporter {
    pub(crate) name: String,
    pub(crate) keys: Vec<SigningKey>,
}

impl Reporter {
    /// What everybody finds of where its mail comes from.
    pub(crate) fn signs(&self) -> Evidence {
        let signature = |key: &SigningKey| Signature {
            outcome: Outcome::Pass,
            domain: self.name.clone(),
            selector: key.selector().to_owned(),
            why: None,
        };
        let signatures: Vec<Signature> = self.keys.iter().map(signature).collect();
        let dmarc = if signatures.is_empty() { Outcome::None } else { Outcome::Pass };
        let author = Author { domain: self.name.clone(), dmarc, ours: true, ..Author::default() };
        // It comes from nowhere, so SPF says nothing.
        Evidence { signatures, authors: vec![author], is_relayed: true, ..Evidence::default() }
    }
}

impl Engine {
    /// As whom reports are sent: the domain that this server's name is in, else one of ours that has keys, else this server.
    pub(crate) async fn reporter(&self) -> Result<Reporter, Error> {
        let mut names = vec![self.hostname().to_owned()];
        while let Some((_, parent)) = names.last().and_then(|name| name.split_once('.')) {
            names.push(parent.to_owned());
        }
        let mut found = None;
        for domain in names.iter().filter_map(|name| DomainName::new(name).ok()) {
            if self.is_local_domain(&domain).await? {
                found = Some(domain);
                break;
            }
        }
        if found.is_none() {
            for (_, domain) in self.0.store.domain_ids().await? {
                if !self.signing_keys(&domain).await?.is_empty() {
                    found = Some(domain);
                    break;
                }
            }
        }
        Ok(match found {
            Some(domain) => Reporter { name: domain.to_string(), keys: self.signing_keys(&domain).await? },
            None => Reporter { name: self.hostname().to_owned(), keys: Vec::new() },
        })
    }

    /// With a signature of each key in front; `None` where there are no keys, or that fails.
    pub(crate) fn signed_now(&self, message: &[u8], keys: &[SigningKey]) -> Option<Vec<u8>> {
        let (header, body) = message.split_at(proto::mime::header_end(message).min(message.len()));
        let mut signer = Signer::new(header);
        signer.body(body);
        match signer.fields(keys, self.now()) {
            Ok(fields) => (!keys.is_empty()).then(|| [fields.as_bytes(), message].concat()),
            Err(error) => {
                tracing::error!(%error, "a report cannot be signed");
                None
            }
        }
    }
}

/// What all of them came to; of one that panicked nothing does, and the others are none the worse for it.
pub(crate) async fn all_of<T: 'static>(mut tasks: JoinSet<T>) -> Vec<T> {
    let mut all = Vec::with_capacity(tasks.len());
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(one) => all.push(one),
            Err(error) => tracing::error!(%error, "a report could not be made"),
        }
    }
    all
}

/// In UTC.
pub(crate) fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_panics_takes_no_other_with_it() {
        let mut tasks = JoinSet::new();
        for n in 0..3 {
            tasks.spawn(async move { if n == 1 { panic!("on purpose") } else { n } });
        }
        let mut all = all_of(tasks).await;
        all.sort_unstable();
        assert_eq!(all, [0, 2]);
    }
}
