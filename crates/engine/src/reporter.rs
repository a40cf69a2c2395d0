//! As whom this system tells other domains what it has seen of them, and how such a mail is signed: when it is written, as what leaves
//! without an author who logged in is not signed when it is sent.

use crate::{Engine, Error};
use guard::{Signer, SigningKey};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::DomainName;
use model::admission::{Author, Evidence, Outcome, Signature};

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

    /// With a signature of each key in front; as it is where that fails.
    pub(crate) fn signed_now(&self, message: Vec<u8>, keys: &[SigningKey]) -> Vec<u8> {
        if keys.is_empty() {
            return message;
        }
        let (header, body) = message.split_at(proto::mime::header_end(&message).min(message.len()));
        let mut signer = Signer::new(header);
        signer.body(body);
        match signer.fields(keys, self.now()) {
            Ok(fields) => [fields.into_bytes(), message].concat(),
            Err(error) => {
                tracing::error!(%error, "a report goes out unsigned");
                message
            }
        }
    }
}

/// In UTC.
pub(crate) fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}
