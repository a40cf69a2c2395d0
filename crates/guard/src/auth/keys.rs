//! The public keys that the signatures of one message name, asked for beforehand.
//!
//! Invariant: whoever looks for a name that was not asked for, or not found out, hears of a temporary error; so the library, which
//! would ask itself for what a cache does not have, asks nobody.

use crate::Resolver;
use crate::dns::DnsError;
use futures_util::future::join_all;
use hickory_resolver::proto::op::ResponseCode;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::{DnsError as NotFound, Error, ResolverCache, Txt};
use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// By name, in small letters and with the final dot.
#[derive(Default)]
pub(super) struct Keys(HashMap<Box<str>, Txt>);

impl Keys {
    /// Asks for all at once; what does not answer in `time` is not known.
    pub(super) async fn ask(resolver: &Resolver, names: &[String], time: Duration) -> Self {
        let names: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
        let answers = names.into_iter().map(async |name| {
            let asked = resolver.texts(name.trim_end_matches('.'));
            let found = match timeout(time, asked).await.unwrap_or(Err(DnsError::Silence)) {
                Ok(texts) => key(&texts),
                Err(DnsError::BadName(_)) => Txt::Error(none()),
                Err(error) => Txt::Error(Error::Dns(NotFound::Resolver(error.to_string()))),
            };
            (name.into_boxed_str(), found)
        });
        Self(join_all(answers).await.into_iter().collect())
    }
}

/// The first that is one (RFC 6376 3.6.2.2: several are undefined).
fn key(texts: &[Vec<u8>]) -> Txt {
    let mut last = Txt::Error(none());
    for text in texts {
        match DomainKey::parse(text) {
            Ok(key) => return key.into(),
            Err(error) => last = Txt::Error(error),
        }
    }
    last
}

fn none() -> Error {
    Error::Dns(NotFound::RecordNotFound(ResponseCode::NXDomain))
}

impl ResolverCache<Box<str>, Txt> for Keys {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let unasked = || Txt::Error(Error::Dns(NotFound::Resolver("not asked for".to_owned())));
        Some(self.0.get(name).cloned().unwrap_or_else(unasked))
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}
