//! Certificates that are ordered from an authority (ACME, RFC 8555), so that nobody has to think of them.
//!
//! An order is a row that is taken by one node at a time and brought forward as far as it goes: key, order, proofs, certificate, each
//! kept before the next begins. Invariants: whatever dies at whatever moment, another process goes on from what is in the database,
//! with the same key and the same order; a certificate that is in use stays until there is another one; however often an authority
//! fails or refuses, it is asked a few times a day (`certificates/timing.rs`); no secret is in a log or an audit row.

mod answers;
mod timing;
mod wanted;

pub(crate) use answers::Answers;
pub use wanted::{CertificateState, Fitness, MAIN_CERTIFICATE, WantedCertificate};

use crate::audit::AuditKind;
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use guard::{
    AcmeAccount, AcmeAuthority, AcmeChallenge, AcmeError, AcmeOrder, AcmeStage, acme_csr, acme_issued,
    new_certificate_key,
};
use jiff::{SignedDuration, Timestamp};
use metrics::counter;
use model::Action;
use serde_json::json;
use std::fmt;
use std::time::Duration;
use store::{AcmeAnswerRow, TakenAcmeOrder};

pub use store::{AcmeCertificateRow, AcmeOrderRow};

/// A node that has not come forward in this time is dead, or the authority is slow: another one goes on.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// For one turn, with time left to say where it stands.
const TURN_MAX: Duration = Duration::from_secs(45);
/// How often an authority is asked in a turn whether it has looked, or has made the certificate.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// An order that has come to nothing by then never will.
const ORDER_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// Turns without the authority having taken the order: what dies each time must not order each time.
const TURNS_UNPLACED_MAX: i32 = 10;
/// Accounts that are made anew for one order.
const NEW_ACCOUNTS_MAX: i32 = 3;
/// Between two turns: the first pause, which doubles with each trouble or turn, and the longest.
const PAUSE_FIRST: SignedDuration = SignedDuration::from_secs(15);
const PAUSE_DOUBLINGS_MAX: i32 = 7;

/// Where certificates are ordered, and how.
pub struct CertificateOrders {
    pub authority: AcmeAuthority,
    pub challenge: AcmeChallenge,
    /// Mail addresses that the authority may write to.
    pub contact: Vec<String>,
    /// Id and key of the account elsewhere that ours belongs to (RFC 8555 7.3.4).
    pub binding: Option<(String, Vec<u8>)>,
}

impl fmt::Debug for CertificateOrders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateOrders").field("authority", &self.authority).finish_non_exhaustive()
    }
}

/// How far a turn came.
enum Turn {
    Finished,
    /// Somebody else has the order.
    Lost,
}

/// Why a turn ended before.
enum Stopped {
    Database(Error),
    Authority(AcmeError),
    /// Of our own making.
    Ours(String),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<store::Error> for Stopped {
    fn from(error: store::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<AcmeError> for Stopped {
    fn from(error: AcmeError) -> Self {
        Self::Authority(error)
    }
}

impl Engine {
    /// Orders what is due and brings orders forward, until nothing is to be done now. Every node does it, every few seconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tend_certificates(
        &self,
        orders: &CertificateOrders,
        wanted: &[WantedCertificate],
    ) -> Result<(), Error> {
        let directory = orders.authority.directory();
        let states = self.certificate_states(directory, wanted).await?;
        let in_use: Vec<i64> = states.iter().filter_map(|state| Some(state.current.as_ref()?.id)).collect();
        self.0.store.want_acme_certificates(&in_use).await?;
        for state in states {
            if state.is_open() || state.next > self.now() {
                continue;
            }
            let WantedCertificate { label, names } = &state.wanted;
            let mut tx = self.0.store.begin().await?;
            let added = tx.add_acme_order((label, directory, names), self.now(), false).await?;
            tx.commit().await?;
            if added {
                tracing::info!(label, names = names.join(" "), directory, "a certificate is ordered");
            }
        }
        while let Some(taken) = self.take_order(directory).await? {
            self.take_turn(orders, &taken).await?;
        }
        Ok(())
    }

    async fn certificate_states(
        &self,
        directory: &str,
        wanted: &[WantedCertificate],
    ) -> Result<Vec<CertificateState>, Error> {
        let (rows, now) = (self.0.store.acme_orders().await?, self.now());
        Ok(wanted.iter().map(|wanted| CertificateState::of(wanted, directory, &rows, now)).collect())
    }

    /// How each certificate stands.
    ///
    /// # Errors
    /// `Denied`.
    pub async fn certificates(
        &self,
        actor: &Actor,
        directory: &str,
        wanted: &[WantedCertificate],
    ) -> Result<Vec<CertificateState>, AdminError> {
        self.authorize(actor, Action::JobShow, &AdminTarget::System).await?;
        Ok(self.certificate_states(directory, wanted).await?)
    }

    /// An administrator wants a new certificate now. False: one is under way, which is looked at now.
    ///
    /// # Errors
    /// `Denied`; `TooManyCertificates` when so many were ordered within a day that the authority would not give another.
    pub async fn renew_certificate(
        &self,
        actor: &Actor,
        directory: &str,
        wanted: &WantedCertificate,
    ) -> Result<bool, AdminError> {
        self.authorize(actor, Action::JobRun, &AdminTarget::System).await?;
        let (rows, now) = (self.0.store.acme_orders().await?, self.now());
        let past = wanted::past(wanted, directory, &rows);
        let is_open = past.first().is_some_and(|row| row.state == "open");
        if !is_open && timing::is_too_often(&past, now) {
            return Err(AdminError::TooManyCertificates(wanted.label.clone()));
        }
        let order = (wanted.label.as_str(), directory, wanted.names.as_slice());
        let mut tx = self.0.store.begin().await?;
        let added = tx.add_acme_order(order, now, true).await?;
        if !added {
            tx.hurry_acme_order(order).await?;
        }
        let target = AuditKind::Job.of_system("certificates");
        let detail = json!({ "certificate": wanted.label, "names": wanted.names, "under_way": !added });
        self.audit(&mut tx, actor, Action::JobRun.as_str(), &target, &detail).await?;
        tx.commit().await?;
        Ok(added)
    }

    /// Numbers by which a node sees that there are other certificates than it has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn certificates_in_use(&self) -> Result<Vec<i64>, Error> {
        Ok(self.0.store.acme_certificates_in_use().await?)
    }

    /// The certificates in use, with their private keys.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn certificates_with_keys(&self) -> Result<Vec<AcmeCertificateRow>, Error> {
        Ok(self.0.store.acme_certificates().await?)
    }

    /// What is open at another authority is for the nodes that ask there, until it will come to nothing.
    async fn take_order(&self, directory: &str) -> Result<Option<TakenAcmeOrder>, Error> {
        let old = self.now().saturating_sub(ORDER_LIFE).unwrap_or(Timestamp::MIN);
        Ok(self.0.store.take_acme_order(LEASE, (directory, old)).await?)
    }

    async fn take_turn(&self, orders: &CertificateOrders, taken: &TakenAcmeOrder) -> Result<(), Error> {
        let directory = orders.authority.directory();
        if let Some(fault) = hopeless(taken, directory, self.now()) {
            return self.give_up(taken, fault).await;
        }
        let turn = tokio::time::timeout(TURN_MAX, self.advance(orders, taken)).await;
        match turn {
            Ok(Ok(Turn::Finished)) => {
                counter!("congthu_certificate_orders_total", "result" => "done").increment(1);
                tracing::info!(
                    label = taken.label,
                    names = taken.names.join(" "),
                    "there is a new certificate"
                );
                Ok(())
            }
            Ok(Ok(Turn::Lost)) => Ok(()),
            Err(_) => self.put_off(taken, None).await,
            Ok(Err(Stopped::Database(error))) => Err(error),
            Ok(Err(Stopped::Authority(AcmeError::Unreachable(fault)))) => {
                self.put_off(taken, Some(&fault)).await
            }
            Ok(Err(Stopped::Authority(error))) => {
                if matches!(error, AcmeError::NoAccount(_)) {
                    self.forget_account(&taken.directory).await?;
                    // What was ordered in its name is gone with it; what was not is ordered in that of another.
                    if taken.url.is_none() && taken.troubles < NEW_ACCOUNTS_MAX {
                        return self.put_off(taken, Some(&error.to_string())).await;
                    }
                }
                self.give_up(taken, &error.to_string()).await
            }
            Ok(Err(Stopped::Ours(fault))) => self.give_up(taken, &fault).await,
        }
    }

    /// As far as it goes. Each step is there before the next begins, and doing one again does no harm.
    async fn advance(&self, orders: &CertificateOrders, taken: &TakenAcmeOrder) -> Result<Turn, Stopped> {
        let (hold, store) = ((taken.id, taken.turn), &self.0.store);
        let account = self.open_account(orders).await?;
        let secret = match &taken.secret {
            Some(secret) => secret.clone(),
            None => {
                let secret = new_certificate_key().map_err(Stopped::Ours)?;
                if !store.put_acme_step(hold, &secret, None).await? {
                    return Ok(Turn::Lost);
                }
                secret
            }
        };
        let url = match &taken.url {
            Some(url) => url.clone(),
            None => {
                let url = account.place(&taken.names).await?;
                if !store.put_acme_step(hold, &secret, Some(&url)).await? {
                    return Ok(Turn::Lost);
                }
                url
            }
        };
        let mut order = account.order(&url, orders.challenge).await?;
        let mut is_shown = false;
        loop {
            match order.stage().await? {
                AcmeStage::Waits if !is_shown => {
                    if !self.show(hold, &mut order).await? {
                        return Ok(Turn::Lost);
                    }
                    is_shown = true;
                }
                AcmeStage::Waits | AcmeStage::Issuing => tokio::time::sleep(LOOK_EVERY).await,
                AcmeStage::Ready => {
                    order.finalize(&acme_csr(&secret, &taken.names).map_err(Stopped::Ours)?).await?;
                }
                AcmeStage::Issued => return self.keep(taken, &secret, &order.chain().await?).await,
                AcmeStage::Failed(why) => return Err(AcmeError::Refused(why).into()),
            }
        }
    }

    /// Lets every node answer, and has the authority look. False: somebody else has the order.
    async fn show(&self, hold: (i64, i32), order: &mut AcmeOrder) -> Result<bool, Stopped> {
        let answer = |proof: guard::AcmeProof| AcmeAnswerRow {
            name: proof.name,
            token: proof.token,
            key_authorization: proof.key_authorization,
        };
        let answers: Vec<AcmeAnswerRow> = order.proofs().await?.into_iter().map(answer).collect();
        let mut tx = self.0.store.begin().await?;
        if !tx.put_acme_answers(hold, &answers).await? {
            return Ok(false);
        }
        tx.commit().await?;
        order.show().await?;
        Ok(true)
    }

    async fn keep(&self, taken: &TakenAcmeOrder, secret: &[u8], chain: &str) -> Result<Turn, Stopped> {
        let issued = acme_issued(chain, secret, &taken.names).map_err(Stopped::Ours)?;
        let mut tx = self.0.store.begin().await?;
        let of = (chain, issued.begins, issued.ends);
        if !tx.finish_acme_order((taken.id, taken.turn), of, self.now()).await? {
            return Ok(Turn::Lost);
        }
        tx.commit().await?;
        Ok(Turn::Finished)
    }

    /// The account that is kept, or a new one. A process that dies between making one and keeping it leaves one that nobody uses.
    async fn open_account(&self, orders: &CertificateOrders) -> Result<AcmeAccount, Stopped> {
        let directory = orders.authority.directory();
        let credentials = match self.0.store.acme_account(directory).await? {
            Some(credentials) => credentials,
            None => {
                let binding = orders.binding.as_ref().map(|(id, key)| (id.as_str(), key.as_slice()));
                let made = orders.authority.enroll(&orders.contact, binding).await?;
                self.0.store.put_acme_account(directory, &made, self.now()).await?
            }
        };
        Ok(orders.authority.account(&credentials).await?)
    }

    async fn forget_account(&self, directory: &str) -> Result<(), Error> {
        if let Some(credentials) = self.0.store.acme_account(directory).await? {
            self.0.store.forget_acme_account(directory, &credentials).await?;
        }
        Ok(())
    }

    /// Nothing came of it; the next order is the clock's to begin. What is in use stays.
    async fn give_up(&self, taken: &TakenAcmeOrder, fault: &str) -> Result<(), Error> {
        let mut tx = self.0.store.begin().await?;
        if tx.fail_acme_order((taken.id, taken.turn), fault, self.now()).await? {
            tx.commit().await?;
            counter!("congthu_certificate_orders_total", "result" => "failed").increment(1);
            tracing::error!(
                label = taken.label,
                fault,
                "no certificate came of an order; what is in use stays"
            );
        }
        Ok(())
    }

    async fn put_off(&self, taken: &TakenAcmeOrder, fault: Option<&str>) -> Result<(), Error> {
        let pause = match fault {
            Some(fault) => {
                tracing::warn!(label = taken.label, fault, "an order of a certificate waits");
                pause(taken.troubles)
            }
            // A slow authority: the longer it takes, the longer between two looks.
            None => pause(taken.turn / 4),
        };
        Ok(self.0.store.put_off_acme_order((taken.id, taken.turn), pause, fault).await?)
    }
}

/// Why nothing will come of an order, if nothing will.
fn hopeless(taken: &TakenAcmeOrder, directory: &str, now: Timestamp) -> Option<&'static str> {
    if taken.directory != directory {
        return Some("another authority is asked by now");
    }
    if now.duration_since(taken.started_at) > ORDER_LIFE {
        return Some("it came to no end within a day");
    }
    (taken.url.is_none() && taken.turn > TURNS_UNPLACED_MAX && taken.troubles == 0)
        .then_some("it was begun many times, and each time broken off")
}

/// From 15 seconds to half an hour.
fn pause(times: i32) -> SignedDuration {
    let doublings = times.clamp(0, PAUSE_DOUBLINGS_MAX);
    PAUSE_FIRST.saturating_mul(1 << doublings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_of_what_is_too_old_or_dies_each_time() {
        let now: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        let why = |hours: i64, turn: i32, troubles: i32, url: Option<&str>| {
            let taken = TakenAcmeOrder {
                id: 1,
                label: "main".to_owned(),
                directory: "https://ca/".to_owned(),
                names: vec!["mail.a.vn".to_owned()],
                started_at: now - SignedDuration::from_hours(hours),
                turn,
                troubles,
                secret: None,
                url: url.map(str::to_owned),
            };
            hopeless(&taken, "https://ca/", now)
        };
        assert_eq!(why(24, 1, 0, None), None);
        assert!(why(25, 1, 0, Some("https://ca/1")).is_some_and(|why| why.contains("within a day")));
        assert_eq!(why(1, 10, 0, None), None);
        assert!(why(1, 11, 0, None).is_some_and(|why| why.contains("broken off")));
        assert_eq!(why(1, 11, 3, None), None, "the authority does not answer");
        assert_eq!(why(1, 500, 0, Some("https://ca/1")), None, "it has the order, and takes its time");
    }

    #[test]
    fn pauses_grow_to_half_an_hour() {
        let seconds = [0, 1, 3, 7, 100, -1].map(|times| pause(times).as_secs());
        assert_eq!(seconds, [15, 30, 120, 1_920, 1_920, 15]);
    }
}
