//! Certificates from an authority (ACME, RFC 8555): one question each, so that whoever orders can stop between any two.
//!
//! Invariants: the authority is the one that the operator named, under TLS that is verified; each exchange has an end; a private
//! key is in no `Debug` and in no error; what comes as a certificate is for our key and our names, or is refused.

mod http;
mod issue;

pub use issue::{AcmeIssued, acme_challenge_config, acme_csr, acme_issued, new_certificate_key};

use http::Http;
use instant_acme::{
    Account, AuthorizationStatus, ChallengeStatus, ChallengeType, Error, ExternalAccountKey, Identifier,
    NewAccount, NewOrder, Order, OrderStatus, Problem,
};
use rustls::RootCertStore;
use std::fmt;

/// Characters of what an authority says that are kept.
const SAID_CHARS_MAX: usize = 400;

/// How an authority finds out that a name is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcmeChallenge {
    /// A page on port 80 (RFC 8555 8.3).
    Http01,
    /// A certificate on port 443 (RFC 8737).
    TlsAlpn01,
}

impl AcmeChallenge {
    /// As the RFCs call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }

    fn kind(self) -> ChallengeType {
        match self {
            Self::Http01 => ChallengeType::Http01,
            Self::TlsAlpn01 => ChallengeType::TlsAlpn01,
        }
    }
}

/// Why a step did not come about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcmeError {
    /// It may come about the next time: nobody answers, or not in a form that can be read.
    #[error("the authority cannot be asked: {0}")]
    Unreachable(String),
    /// Asked too often (RFC 8555 6.6).
    #[error("the authority wants to be asked later: {0}")]
    Limited(String),
    #[error("the authority does not know our account: {0}")]
    NoAccount(String),
    #[error("the authority refuses: {0}")]
    Refused(String),
}

/// What shows the authority that a name is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeProof {
    pub name: String,
    pub token: String,
    /// RFC 8555 8.1; no secret once it is asked for.
    pub key_authorization: String,
}

/// Where an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcmeStage {
    /// Names are still to be shown to be ours.
    Waits,
    /// All are; it wants our key.
    Ready,
    /// It is being made.
    Issuing,
    Issued,
    /// Nothing comes of it any more, and why.
    Failed(String),
}

/// Whom certificates are asked of.
#[derive(Clone, Debug)]
pub struct AcmeAuthority {
    http: Http,
    directory: String,
}

/// An account at an authority; the key that shows who we are is in it.
#[derive(Clone)]
pub struct AcmeAccount(Account);

impl fmt::Debug for AcmeAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AcmeAccount").field(&self.0.id()).finish()
    }
}

/// An order as the authority has it.
pub struct AcmeOrder {
    order: Order,
    challenge: AcmeChallenge,
}

impl fmt::Debug for AcmeOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AcmeOrder").field(&self.order.url()).finish()
    }
}

impl AcmeAuthority {
    /// `directory`: the URL that all begins at (RFC 8555 7.1.1); `roots` verify its server.
    ///
    /// # Errors
    /// When the cryptographic library refuses its own defaults.
    pub fn new(directory: &str, roots: RootCertStore) -> Result<Self, rustls::Error> {
        Ok(Self { http: Http::new(roots)?, directory: directory.to_owned() })
    }

    #[must_use]
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// Makes an account, whose terms are agreed to, and returns what opens it again; a private key is in that. `contact` are mail
    /// addresses; `binding` is the account elsewhere that it belongs to (RFC 8555 7.3.4): its id and its key.
    ///
    /// # Errors
    /// See [`AcmeError`].
    pub async fn enroll(
        &self,
        contact: &[String],
        binding: Option<(&str, &[u8])>,
    ) -> Result<Vec<u8>, AcmeError> {
        let contact: Vec<String> = contact.iter().map(|address| format!("mailto:{address}")).collect();
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let wanted =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let binding = binding.map(|(id, key)| ExternalAccountKey::new(id.to_owned(), key));
        let builder = Account::builder_with_http(Box::new(self.http.clone()));
        let made = builder.create(&wanted, self.directory.clone(), binding.as_ref()).await;
        let (_, credentials) = made.map_err(said)?;
        serde_json::to_vec(&credentials).map_err(|error| AcmeError::Refused(error.to_string()))
    }

    /// The account that [`AcmeAuthority::enroll`] made.
    ///
    /// # Errors
    /// See [`AcmeError`].
    pub async fn account(&self, credentials: &[u8]) -> Result<AcmeAccount, AcmeError> {
        let unreadable = |_| AcmeError::NoAccount("what opens it cannot be read".to_owned());
        let credentials = serde_json::from_slice(credentials).map_err(unreadable)?;
        let builder = Account::builder_with_http(Box::new(self.http.clone()));
        Ok(AcmeAccount(builder.from_credentials(credentials).await.map_err(said)?))
    }
}

impl AcmeAccount {
    /// Orders a certificate for these host names; the URL by which the order is found again.
    ///
    /// # Errors
    /// See [`AcmeError`].
    pub async fn place(&self, names: &[String]) -> Result<String, AcmeError> {
        let identifiers: Vec<Identifier> = names.iter().cloned().map(Identifier::Dns).collect();
        let order = self.0.new_order(&NewOrder::new(&identifiers)).await.map_err(said)?;
        Ok(order.url().to_owned())
    }

    /// An order that was placed.
    ///
    /// # Errors
    /// See [`AcmeError`].
    pub async fn order(&self, url: &str, challenge: AcmeChallenge) -> Result<AcmeOrder, AcmeError> {
        let order = self.0.order(url.to_owned()).await.map_err(said)?;
        Ok(AcmeOrder { order, challenge })
    }
}

impl AcmeOrder {
    /// Where it stands now.
    ///
    /// # Errors
    /// See [`AcmeError`].
    pub async fn stage(&mut self) -> Result<AcmeStage, AcmeError> {
        let state = self.order.refresh().await.map_err(said)?;
        let fault = state.error.as_ref().map(problem);
        Ok(match state.status {
            OrderStatus::Pending => AcmeStage::Waits,
            OrderStatus::Ready => AcmeStage::Ready,
            OrderStatus::Processing => AcmeStage::Issuing,
            OrderStatus::Valid => AcmeStage::Issued,
            OrderStatus::Invalid => {
                let names = self.faults().await.unwrap_or_default();
                let all: Vec<String> = names.into_iter().chain(fault).collect();
                AcmeStage::Failed(cut(&all.join("; ")))
            }
        })
    }

    /// What the authority found wrong with our names.
    async fn faults(&mut self) -> Result<Vec<String>, AcmeError> {
        let mut faults = Vec::new();
        let mut authorizations = self.order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let authorization = authorization.map_err(said)?;
            let name = authorization.identifier().to_string();
            let errors = authorization.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
            faults.extend(errors.map(|error| format!("{name}: {}", problem(error))));
        }
        Ok(faults)
    }

    /// What it wants to see of the names that it has not seen yet; it looks only after [`AcmeOrder::show`].
    ///
    /// # Errors
    /// `Refused` when it does not offer the challenge, for an address in a private network perhaps; else see [`AcmeError`].
    pub async fn proofs(&mut self) -> Result<Vec<AcmeProof>, AcmeError> {
        let (challenge, mut proofs) = (self.challenge, Vec::new());
        let mut authorizations = self.order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(said)?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let name = authorization.identifier().to_string();
            let Some(offered) = authorization.challenge(challenge.kind()) else {
                return Err(AcmeError::Refused(format!(
                    "it does not offer {} for {name}",
                    challenge.as_str()
                )));
            };
            let key_authorization = offered.key_authorization().as_str().to_owned();
            proofs.push(AcmeProof { name, token: offered.token.clone(), key_authorization });
        }
        Ok(proofs)
    }

    /// Has it look. Asked again, it is told again only of what it has not begun to look at.
    ///
    /// # Errors
    /// See [`AcmeError`].
    pub async fn show(&mut self) -> Result<(), AcmeError> {
        let challenge = self.challenge;
        let mut authorizations = self.order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(said)?;
            let pending = authorization.status == AuthorizationStatus::Pending;
            let Some(mut offered) = authorization.challenge(challenge.kind()) else { continue };
            if pending && offered.status == ChallengeStatus::Pending {
                offered.set_ready().await.map_err(said)?;
            }
        }
        Ok(())
    }

    /// Gives it our key, with what [`acme_csr`] made.
    ///
    /// # Errors
    /// See [`AcmeError`].
    pub async fn finalize(&mut self, csr: &[u8]) -> Result<(), AcmeError> {
        self.order.finalize_csr(csr).await.map_err(said)
    }

    /// The certificate and its chain, in PEM.
    ///
    /// # Errors
    /// See [`AcmeError`].
    pub async fn chain(&mut self) -> Result<String, AcmeError> {
        let chain = self.order.certificate().await.map_err(said)?;
        chain.ok_or_else(|| AcmeError::Unreachable("it has no certificate yet".to_owned()))
    }
}

fn said(error: Error) -> AcmeError {
    let problem = match error {
        Error::Api(problem) => problem,
        Error::Crypto | Error::KeyRejected => return AcmeError::Refused("our key cannot be used".to_owned()),
        Error::Unsupported(what) => return AcmeError::Refused(format!("it does not know {what}")),
        Error::Json(_) => return AcmeError::Unreachable("its answer cannot be read".to_owned()),
        other => return AcmeError::Unreachable(cut(&other.to_string())),
    };
    let text = self::problem(&problem);
    let kind = problem.r#type.as_deref().and_then(|kind| kind.strip_prefix("urn:ietf:params:acme:error:"));
    match kind {
        Some("rateLimited") => AcmeError::Limited(text),
        Some("accountDoesNotExist") => AcmeError::NoAccount(text),
        Some("serverInternal" | "badNonce") => AcmeError::Unreachable(text),
        _ if problem.status.is_some_and(|status| status >= 500) => AcmeError::Unreachable(text),
        _ => AcmeError::Refused(text),
    }
}

/// What an authority says is wrong; its words, and what RFC 8555 6.7 calls it.
fn problem(problem: &Problem) -> String {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    let kind = kind.rsplit(':').next().unwrap_or_default();
    let parts = problem.subproblems.iter().map(|part| format!("; {part}"));
    cut(&format!("{} ({kind}){}", problem.detail.as_deref().unwrap_or_default(), parts.collect::<String>()))
}

/// One line that is not too long: an authority may say anything.
fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SAID_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
