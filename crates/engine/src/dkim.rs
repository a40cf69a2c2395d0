//! Keys of domains, and the signatures on what leaves: of what users wrote (DKIM), and on what we found out of strangers' mail that
//! goes on (ARC).
//!
//! Mail is signed when it is sent, not when it is queued: so it is signed by the keys of that moment, copies within the system have
//! no signature that nobody needs, and what lies in the queue can be signed anew after a key was lost. Invariants: signed is only
//! what somebody submitted who logged in, in the name that was checked then; what strangers wrote, and is forwarded, never: that is
//! sealed with what was found out of it when it came, and of what nothing was found out says nothing. Every change of keys is audited, and its row names no secret.

use crate::queue::OutgoingOctets;
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use guard::{Chain, NewKey, Signer, SigningKey};
use model::{Action, Address, DomainName};
use proto::mime::header_fields;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use store::{DkimKeyRow, DkimSecretRow, LeasedDelivery};

/// The algorithms that new keys are made for (RFC 6376 3.3.1, RFC 8463), and what the selector says of them.
const ALGORITHMS: [(&str, &str); 2] = [("rsa-sha256", "r"), ("ed25519-sha256", "e")];

/// Keys of domains that were asked for; none where there are none.
pub(crate) type KnownKeys = HashMap<DomainName, Arc<[SigningKey]>>;

impl Engine {
    /// Makes a key of each algorithm; they wait until [`Engine::rotate_dkim`], so that their records can be published first.
    ///
    /// # Errors
    /// `NoSuchDomain`, `DkimWaiting` when there are such keys already.
    pub async fn add_dkim(&self, actor: &Actor, domain: &DomainName) -> Result<Vec<DkimKeyRow>, AdminError> {
        self.authorize(actor, Action::PolicyChange, &AdminTarget::Domain(domain)).await?;
        let id = self.domain_id(domain).await?;
        if self.0.store.dkim_keys(id).await?.iter().any(|key| key.state == "waiting") {
            return Err(AdminError::DkimWaiting(domain.clone()));
        }
        let now = self.now();
        let day = model::calendar::local_date(now).strftime("%Y%m%d").to_string();
        let mut made = Vec::new();
        for (algorithm, letter) in ALGORITHMS {
            let key = tokio::task::spawn_blocking(move || match algorithm {
                "rsa-sha256" => guard::new_rsa_key(),
                _ => guard::new_ed25519_key(),
            });
            let NewKey { secret, public } =
                key.await.map_err(|_| Error::Unavailable)?.map_err(|_| Error::Unavailable)?;
            let mut bytes = [0; 2];
            self.0.rng.fill(&mut bytes);
            // Several may be made on one day.
            let selector = format!("{letter}{day}-{:04x}", u16::from_be_bytes(bytes));
            made.push((DkimSecretRow { selector, algorithm: algorithm.to_owned(), secret }, public));
        }
        let mut tx = self.0.store.begin().await?;
        for (key, public) in &made {
            tx.add_dkim_key(id, key, (public, now)).await?;
        }
        let selectors: Vec<&str> = made.iter().map(|(key, _)| key.selector.as_str()).collect();
        self.audit(&mut tx, actor, "dkim.add", domain.as_str(), &json!({ "selectors": selectors })).await?;
        tx.commit().await?;
        let keys = self.0.store.dkim_keys(id).await?;
        Ok(keys.into_iter().filter(|key| key.state == "waiting").collect())
    }

    /// # Errors
    /// `NoSuchDomain`.
    pub async fn dkim_keys(&self, actor: &Actor, domain: &DomainName) -> Result<Vec<DkimKeyRow>, AdminError> {
        self.authorize(actor, Action::PolicyShow, &AdminTarget::Domain(domain)).await?;
        Ok(self.0.store.dkim_keys(self.domain_id(domain).await?).await?)
    }

    /// From now on the keys that waited sign; those that signed are retired, and their secrets gone. Selectors of the former.
    ///
    /// # Errors
    /// `NoSuchDomain`, `NoDkimKey` when none waits.
    pub async fn rotate_dkim(&self, actor: &Actor, domain: &DomainName) -> Result<Vec<String>, AdminError> {
        self.authorize(actor, Action::PolicyChange, &AdminTarget::Domain(domain)).await?;
        let id = self.domain_id(domain).await?;
        let mut tx = self.0.store.begin().await?;
        let selectors = tx.rotate_dkim_keys(id, self.now()).await?;
        if selectors.is_empty() {
            return Err(AdminError::NoDkimKey(domain.clone()));
        }
        self.audit(&mut tx, actor, "dkim.rotate", domain.as_str(), &json!({ "selectors": selectors }))
            .await?;
        tx.commit().await?;
        Ok(selectors)
    }

    /// A key signs no more, and its secret is gone.
    ///
    /// # Errors
    /// `NoSuchDomain`, `NoDkimKey`.
    pub async fn retire_dkim(
        &self,
        actor: &Actor,
        domain: &DomainName,
        selector: &str,
    ) -> Result<(), AdminError> {
        self.authorize(actor, Action::PolicyChange, &AdminTarget::Domain(domain)).await?;
        let id = self.domain_id(domain).await?;
        let mut tx = self.0.store.begin().await?;
        if !tx.retire_dkim_key(id, selector, self.now()).await? {
            return Err(AdminError::NoDkimKey(domain.clone()));
        }
        self.audit(&mut tx, actor, "dkim.retire", domain.as_str(), &json!({ "selector": selector })).await?;
        Ok(tx.commit().await?)
    }

    /// With signatures in front, where its author's domain has keys; of a stranger's, with a seal. A message of 100 MB is read once
    /// more for it, piece by piece. `known`: keys of domains that were read a moment ago, and that there were none.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn signed(
        &self,
        delivery: &LeasedDelivery,
        octets: OutgoingOctets,
        known: &mut KnownKeys,
    ) -> Result<OutgoingOctets, Error> {
        if delivery.account.is_none() {
            return self.sealed(octets, known).await;
        }
        // Of a header that is cut off, the rest would be signed as body.
        let Some(header) = octets.whole_header().await? else { return Ok(octets) };
        let Some(domain) = author(&header) else { return Ok(octets) };
        let keys = self.known_keys(&domain, known).await?;
        if keys.is_empty() {
            return Ok(octets);
        }
        let signer = read_through(&octets, &header).await?;
        Ok(match signer.fields(&keys, self.now()) {
            Ok(fields) => octets.behind(fields.into_bytes()),
            Err(error) => {
                tracing::error!(%error, %domain, "mail goes out unsigned");
                octets
            }
        })
    }

    /// RFC 8617 5.1. What we wrote ourselves has no results of ours in front, and neither has what was taken unchecked.
    async fn sealed(&self, octets: OutgoingOctets, known: &mut KnownKeys) -> Result<OutgoingOctets, Error> {
        let Some(header) = octets.whole_header().await? else { return Ok(octets) };
        let Some(chain) = Chain::of(&header, self.hostname()) else { return Ok(octets) };
        let keys = self.sealing_keys(&header, known).await?;
        let Some(key) = keys.iter().find(|key| key.can_seal()) else { return Ok(octets) };
        let signer = read_through(&octets, &header).await?;
        Ok(match signer.seal(&chain, key, self.now()) {
            Ok(set) => octets.behind(set.into_bytes()),
            Err(error) => {
                tracing::error!(%error, "mail goes on unsealed");
                octets
            }
        })
    }

    /// Of the domain that this server's name is in, whoever it is for: who gets such mail learns to know one sealer. Else of the
    /// domain that it came for. One of them can seal, or there are none.
    async fn sealing_keys(&self, header: &[u8], known: &mut KnownKeys) -> Result<Arc<[SigningKey]>, Error> {
        let mut names = vec![self.hostname().to_owned()];
        while let Some((_, parent)) = names.last().and_then(|name| name.split_once('.')) {
            names.push(parent.to_owned());
        }
        let domains = names.iter().filter_map(|name| DomainName::new(name).ok());
        for domain in domains.chain(came_for(header)) {
            let keys = self.known_keys(&domain, known).await?;
            if keys.iter().any(SigningKey::can_seal) {
                return Ok(keys);
            }
        }
        Ok(Arc::default())
    }

    async fn known_keys(
        &self,
        domain: &DomainName,
        known: &mut KnownKeys,
    ) -> Result<Arc<[SigningKey]>, Error> {
        if let Some(keys) = known.get(domain) {
            return Ok(Arc::clone(keys));
        }
        let keys: Arc<[SigningKey]> = Arc::from(self.signing_keys(domain).await?);
        known.insert(domain.clone(), Arc::clone(&keys));
        Ok(keys)
    }

    pub(crate) async fn signing_keys(&self, domain: &DomainName) -> Result<Vec<SigningKey>, Error> {
        let rows = self.0.store.dkim_secrets(domain).await?;
        let read = |row: &DkimSecretRow| {
            let key = SigningKey::read(domain.as_str(), &row.selector, &row.algorithm, &row.secret);
            key.inspect_err(|error| tracing::error!(%error, %domain, "a key does not sign")).ok()
        };
        Ok(rows.iter().filter_map(read).collect())
    }
}

/// All of its body.
async fn read_through(octets: &OutgoingOctets, header: &[u8]) -> Result<Signer, Error> {
    let mut signer = Signer::new(header);
    let mut at = header.len() as u64;
    loop {
        let piece = octets.piece(at).await?;
        if piece.is_empty() {
            return Ok(signer);
        }
        signer.body(&piece);
        at = at.saturating_add(piece.len() as u64);
    }
}

/// The domain of its only recipient, where our Received names it.
fn came_for(header: &[u8]) -> Option<DomainName> {
    let received = header_fields(header).find(|field| field.is("Received"))?;
    let (_, address) = str::from_utf8(received.value).ok()?.split_once("\tfor <")?;
    let address: Address = address.split_once('>')?.0.parse().ok()?;
    Some(address.domain().clone())
}

/// The domain of its author, which was checked when it was submitted.
fn author(header: &[u8]) -> Option<DomainName> {
    let authors = proto::mime::authors(header).ok()?;
    let address: Address = authors.from.first()?.parse().ok()?;
    Some(address.domain().clone())
}
