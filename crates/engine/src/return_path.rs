//! Mail that is forwarded to the outside goes under a return path of ours, and what comes back to it is passed on (SRS).
//!
//! The domain of a stranger does not name us among the hosts that send its mail (SPF, RFC 7208), so under his own address what we
//! forward would be refused elsewhere. The path holds his address, its day, and a seal: `SRS0=<seal>=<day>=<domain>=<local part>`.
//!
//! Invariants: passed on is only what this system sealed, to whom it sealed it for, only as mail without a sender (RFC 5321
//! 4.5.5), and only for [`DAYS_MAX`]: so nobody relays by it. The queue, the log and our own reports have his own address. Where
//! the path would not be one that every host takes, mail goes under the address that it came with.

use crate::deliver::Arrival;
use crate::{Engine, Error, Recipient, RecipientError};
use jiff::Timestamp;
use model::{Address, DomainName};
use std::fmt;

/// In capitals, as all do who write such paths; read in either case.
const MARK: &str = "SRS0=";
/// RFC 5321 4.5.3.1.1
const LOCAL_OCTETS_MAX: usize = 64;
/// For so long reports come back: systems give up after five days, and some people's answering machines later.
const DAYS_MAX: i64 = 21;
/// Days are counted round in two characters.
const DAYS_ROUND: i64 = 32 * 32;
/// Characters of a seal, five bits each: a guess is right once in 10^12.
const SEAL_CHARS: usize = 8;
const BASE32: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";

/// What paths are sealed with.
pub(crate) struct Seal([u8; 32]);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}

impl Seal {
    /// The path in `domain` for mail of `sender`; `None` when it would be none that every host takes.
    fn path(&self, sender: &str, domain: &DomainName, now: Timestamp) -> Option<String> {
        let (local, host) = sender.rsplit_once('@')?;
        if local.starts_with('"') || host.starts_with('[') {
            return None;
        }
        let sealed = format!("{}={host}={local}", base32(&[day(now) / 32, day(now) % 32]));
        let local = format!("{MARK}{}={sealed}", self.seal(&sealed, domain));
        (local.len() <= LOCAL_OCTETS_MAX).then(|| format!("{local}@{domain}"))
    }

    /// Whose mail a path of ours is for, in his own spelling; `None` when we did not make it, or long ago.
    fn sender(&self, local: &str, domain: &DomainName, now: Timestamp) -> Option<String> {
        let (seal, sealed) = unmarked(local)?.split_once('=')?;
        if !is_same(&seal.to_ascii_lowercase(), &self.seal(sealed, domain)) {
            return None;
        }
        let (made, rest) = sealed.split_once('=')?;
        let (host, local) = rest.split_once('=')?;
        let age = (day(now) - day_of(made)?).rem_euclid(DAYS_ROUND);
        (age <= DAYS_MAX).then(|| format!("{local}@{host}"))
    }

    /// Some hosts change the case of what comes back.
    fn seal(&self, sealed: &str, domain: &DomainName) -> String {
        let text = format!("{sealed}@{domain}").to_lowercase();
        let hash = blake3::keyed_hash(&self.0, text.as_bytes());
        let digits = hash.as_bytes().iter().take(SEAL_CHARS).map(|byte| i64::from(byte % 32));
        base32(&digits.collect::<Vec<_>>())
    }
}

/// Without the mark.
fn unmarked(local: &str) -> Option<&str> {
    let (mark, rest) = local.split_at_checked(MARK.len())?;
    mark.eq_ignore_ascii_case(MARK).then_some(rest)
}

/// In the same time, wherever they differ.
fn is_same(one: &str, other: &str) -> bool {
    let differing = one.bytes().zip(other.bytes()).fold(0, |all, (one, other)| all | (one ^ other));
    one.len() == other.len() && differing == 0
}

fn day(now: Timestamp) -> i64 {
    now.as_second().div_euclid(24 * 3600).rem_euclid(DAYS_ROUND)
}

fn base32(digits: &[i64]) -> String {
    let digit = |digit: &i64| usize::try_from(*digit).ok().and_then(|digit| BASE32.get(digit));
    digits.iter().filter_map(digit).map(|byte| char::from(*byte)).collect()
}

fn day_of(text: &str) -> Option<i64> {
    let [high, low] = <[u8; 2]>::try_from(text.to_ascii_lowercase().into_bytes()).ok()?;
    let digit = |byte| BASE32.iter().position(|digit| *digit == byte).and_then(|at| i64::try_from(at).ok());
    Some(digit(high)? * 32 + digit(low)?)
}

impl Engine {
    async fn seal(&self) -> Result<&Seal, store::Error> {
        let made = async {
            let mut new = [0; 32];
            self.0.rng.fill(&mut new);
            self.0.store.return_path_secret(&new).await.map(Seal)
        };
        self.0.return_paths.get_or_try_init(|| made).await
    }

    /// The return path that other systems are told of a message for `recipients` here, some of whose mail goes on to the outside;
    /// `None`: its sender's own. Of whom SPF did not show as the sender, it is his own as well: else anybody could have a path made to
    /// whomever he names, and elsewhere SPF says the same of it.
    pub(crate) async fn sent_as(
        &self,
        arrival: &Arrival,
        recipients: &[&Recipient],
    ) -> Result<Option<String>, store::Error> {
        let (None, Some(sender), Some(recipient)) = (&arrival.principal, &arrival.sender, recipients.first())
        else {
            return Ok(None);
        };
        if arrival
            .examined
            .as_ref()
            .is_some_and(|examined| !examined.evidence.is_relayed && !examined.evidence.shows_sender())
        {
            return Ok(None);
        }
        let host = sender.as_str().rsplit_once('@').and_then(|(_, host)| DomainName::new(host).ok());
        if let Some(host) = host
            && self.0.store.domain(&host).await?.is_some()
        {
            return Ok(None);
        }
        Ok(self.seal().await?.path(sender.as_str(), recipient.address().domain(), self.now()))
    }

    /// Whom mail without a sender is for that comes to a return path of ours; `None` when it is another address. `local` is in
    /// the spelling it came in.
    ///
    /// # Errors
    /// See [`RecipientError`].
    pub async fn came_back(
        &self,
        local: &str,
        address: &Address,
    ) -> Result<Option<Recipient>, RecipientError> {
        let unavailable = |error: store::Error| {
            tracing::error!(%error, "a return path could not be looked at");
            RecipientError::Unavailable
        };
        if unmarked(local).is_none() {
            return Ok(None);
        }
        let Some(domain) = self.0.store.domain(address.domain()).await.map_err(unavailable)? else {
            return Ok(None);
        };
        let seal = self.seal().await.map_err(unavailable)?;
        let Some(sender) = seal.sender(local, address.domain(), self.now()) else { return Ok(None) };
        if let Ok(own) = sender.parse::<Address>()
            && self.is_local_domain(own.domain()).await.map_err(|_| RecipientError::Unavailable)?
        {
            return self.recipient(&own).await.map(Some);
        }
        let policy = self.policy_of(domain).await.map_err(|_: Error| RecipientError::Unavailable)?;
        Ok(Some(Recipient::back_to(address.clone(), sender, policy.inbound_bytes_max())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    const SEAL: Seal = Seal([7; 32]);

    fn domain(name: &str) -> DomainName {
        DomainName::new(name).unwrap()
    }

    fn at(days: i64) -> Timestamp {
        "2026-11-22T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * days)
    }

    fn local(path: &str) -> &str {
        path.rsplit_once('@').unwrap().0
    }

    #[test]
    fn a_path_comes_back_to_whom_it_was_made_for() {
        let (here, now) = (domain("demo.vn"), at(0));
        for sender in
            ["an@xa.example", "Le-Van.An+tag@xn--xa-abc.example", "prvs=12ab=an@a.example", "an@thư.example"]
        {
            let path = SEAL.path(sender, &here, now).unwrap();
            assert!(path.starts_with("SRS0=") && path.ends_with("@demo.vn"), "{path}");
            assert_eq!(SEAL.sender(local(&path), &here, now).as_deref(), Some(sender), "{path}");
            let folded = local(&path).to_lowercase();
            assert_eq!(SEAL.sender(&folded, &here, now), Some(sender.to_lowercase()), "{folded}");
        }
    }

    #[test]
    fn nobody_else_makes_one_and_none_holds_for_ever() {
        let (here, now) = (domain("demo.vn"), at(0));
        let path = SEAL.path("an@xa.example", &here, now).unwrap();
        let local = local(&path);
        assert_eq!(SEAL.sender(local, &domain("khac.vn"), now), None);
        assert_eq!(Seal([8; 32]).sender(local, &here, now), None);
        assert_eq!(SEAL.sender(&local.replace("=an", "=binh"), &here, now), None);
        assert_eq!(SEAL.sender(&local.replace("xa.example", "xb.example"), &here, now), None);
        for (days, holds) in [(0, true), (DAYS_MAX, true), (DAYS_MAX + 1, false), (-1, false), (365, false)] {
            assert_eq!(SEAL.sender(local, &here, at(days)).is_some(), holds, "{days}");
        }
        for other in
            ["SRS0=", "SRS0=a", "SRS0=aaaaaaaa=aa", "SRS0=aaaaaaaa=aa=b", "SRS0=đđđđ=aa=b=c", "srs", "SRS0đ"]
        {
            assert_eq!(SEAL.sender(other, &here, now), None, "{other}");
        }
    }

    #[test]
    fn what_not_every_host_takes_is_no_path() {
        let long = format!("{}@xa.example", "a".repeat(50));
        for sender in ["\"le an\"@xa.example", "an@[192.0.2.1]", "", "an", &long] {
            assert_eq!(SEAL.path(sender, &domain("demo.vn"), at(0)), None, "{sender}");
        }
    }

    #[test]
    fn days_are_counted_round() {
        let (here, eve) = (domain("demo.vn"), Timestamp::from_second(24 * 3600 * (DAYS_ROUND - 1)).unwrap());
        let path = SEAL.path("an@xa.example", &here, eve).unwrap();
        let later = eve + SignedDuration::from_hours(24 * 3);
        assert!(SEAL.sender(local(&path), &here, later).is_some());
    }
}
