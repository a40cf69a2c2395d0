//! Mail that is forwarded to the outside goes under a return path of ours, and what comes back to it is passed on (SRS).
//!
//! The domain of a stranger does not name us among the hosts that send its mail (SPF, RFC 7208), so under his own address what we
//! forward would be refused elsewhere. The path holds his address, its day, and a seal: `SRS0=<seal>=<day>=<domain>=<local part>`.
//! Where that would be longer than every host takes, a token stands for him, `SRS0=<seal>=<day>=<token>`, and a row says whose it is.
//!
//! Invariants: passed on is only what this system sealed, to whom it sealed it for, only as mail without a sender (RFC 5321
//! 4.5.5), only for [`DAYS_MAX`], and [`RETURNS_MAX`] a day: so nobody relays by it. The queue, the log and our own reports have his
//! own address; what comes back is found by the path, too. An address that only some hosts take goes as it is.

use crate::deliver::Arrival;
use crate::{DeliverError, Engine, Error, Recipient, RecipientError};
use jiff::{SignedDuration, Timestamp};
use model::{Address, DomainName};
use std::collections::BTreeSet;
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
/// Characters of a token, five bits each: two senders of a day do not meet.
const TOKEN_CHARS: usize = 20;
/// What comes back by one path within a day: reports of one sender's mail of one day. The rest may try again.
const RETURNS_MAX: u32 = 10;
/// Rows forgotten in one statement.
const FORGOTTEN_AT_ONCE: u32 = 10_000;
const BASE32: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";

/// What first contacts' places are hashed with, of the same secret: neither says anything of the other.
const OF_CONTACTS: &str = "congthu 2026-11-23 places of first contacts";

/// What paths are sealed with.
pub(crate) struct Seal([u8; 32]);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}

/// A path for mail of a sender.
#[derive(Debug, PartialEq, Eq)]
struct Path {
    path: String,
    /// What stands for him in it, of which a row must be kept.
    token: Option<String>,
}

/// Whom a path names.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Sender(String),
    /// Whom a row names.
    Token(String),
}

impl Seal {
    /// The path in `domain` for mail of `sender`; `None` where his address is one that only some hosts take.
    fn path(&self, sender: &str, domain: &DomainName, now: Timestamp) -> Option<Path> {
        let (local, host) = sender.rsplit_once('@')?;
        if local.starts_with('"') || host.starts_with('[') {
            return None;
        }
        let day = base32(&[day(now) / 32, day(now) % 32]);
        let whole = self.sealed(&format!("{day}={host}={local}"), domain);
        if whole.len() <= LOCAL_OCTETS_MAX {
            return Some(Path { path: format!("{whole}@{domain}"), token: None });
        }
        // The same for all of a day's mail, in his spelling.
        let token = self.digits(&format!("{day}={sender}@{domain}"), TOKEN_CHARS);
        let short = self.sealed(&format!("{day}={token}"), domain);
        Some(Path { path: format!("{short}@{domain}"), token: Some(token) })
    }

    fn sealed(&self, sealed: &str, domain: &DomainName) -> String {
        format!("{MARK}{}={sealed}", self.seal(sealed, domain))
    }

    /// Whose mail a path of ours is for, in his own spelling; `None` when we did not make it, or long ago.
    fn sender(&self, local: &str, domain: &DomainName, now: Timestamp) -> Option<Named> {
        let (seal, sealed) = unmarked(local)?.split_once('=')?;
        if !is_same(&seal.to_ascii_lowercase(), &self.seal(sealed, domain)) {
            return None;
        }
        let (made, rest) = sealed.split_once('=')?;
        let age = (day(now) - day_of(made)?).rem_euclid(DAYS_ROUND);
        let named = match rest.split_once('=') {
            Some((host, local)) => Named::Sender(format!("{local}@{host}")),
            None => Named::Token(rest.to_ascii_lowercase()),
        };
        (age <= DAYS_MAX).then_some(named)
    }

    /// Some hosts change the case of what comes back.
    fn seal(&self, sealed: &str, domain: &DomainName) -> String {
        self.digits(&format!("{sealed}@{domain}").to_lowercase(), SEAL_CHARS)
    }

    /// Of a text, which nobody else can say.
    fn digits(&self, text: &str, chars: usize) -> String {
        let hash = blake3::keyed_hash(&self.0, text.as_bytes());
        let digits = hash.as_bytes().iter().take(chars).map(|byte| i64::from(byte % 32));
        base32(&digits.collect::<Vec<_>>())
    }
}

/// Those of our paths by which it comes, each once: one seal holds for every spelling.
fn paths<'a>(recipients: impl IntoIterator<Item = &'a Recipient>) -> BTreeSet<String> {
    let paths = recipients.into_iter().filter(|recipient| recipient.is_return_path());
    paths.map(|path| path.address().to_string().to_lowercase()).collect()
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

    /// The key of first contacts' places, the same on every node: nobody outside can work out who falls together with whom.
    pub(crate) async fn contacts_key(&self) -> Result<[u8; 32], store::Error> {
        Ok(blake3::derive_key(OF_CONTACTS, &self.seal().await?.0))
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
        let now = self.now();
        let Some(made) = self.seal().await?.path(sender.as_str(), recipient.address().domain(), now) else {
            return Ok(None);
        };
        if let Some(token) = &made.token {
            self.0.store.keep_return_path(token, sender.as_str(), now).await?;
        }
        Ok(Some(made.path))
    }

    /// Looks whether what comes back is not too much already, before anything is written of it. It is counted when it is accepted.
    ///
    /// # Errors
    /// `TooManyReturns`, or when the database fails.
    pub(crate) async fn check_returns(&self, recipients: &[Recipient]) -> Result<(), DeliverError> {
        let paths = paths(recipients);
        if paths.is_empty() {
            return Ok(());
        }
        let may = self.0.store.may_return(&paths, RETURNS_MAX, self.now()).await;
        let may = may.map_err(|error| DeliverError::from(Error::from(error)))?;
        if may { Ok(()) } else { Err(DeliverError::TooManyReturns) }
    }

    /// Counts what comes back, first of all in the transaction that accepts it; false when it is too much.
    pub(crate) async fn count_returns(
        &self,
        tx: &mut store::Tx,
        recipients: &[&Recipient],
    ) -> Result<bool, store::Error> {
        let paths = paths(recipients.iter().copied());
        Ok(paths.is_empty() || tx.count_returns(&paths, RETURNS_MAX, self.now()).await?)
    }

    /// What is over.
    pub(crate) async fn forget_return_paths(&self) -> Result<String, Error> {
        // And a day for clocks that are not the same.
        let kept = SignedDuration::from_hours(24 * (DAYS_MAX + 2));
        let made_before = self.now().saturating_sub(kept).unwrap_or(Timestamp::MIN);
        let mut all = 0;
        loop {
            let forgotten =
                self.0.store.forget_return_paths(made_before, self.now(), FORGOTTEN_AT_ONCE).await?;
            all += forgotten;
            if forgotten < FORGOTTEN_AT_ONCE.into() {
                return Ok(format!("{all} forgotten"));
            }
        }
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
        let sender = match seal.sender(local, address.domain(), self.now()) {
            Some(Named::Sender(sender)) => sender,
            Some(Named::Token(token)) => {
                match self.0.store.return_path_sender(&token).await.map_err(unavailable)? {
                    Some(sender) => sender,
                    None => return Ok(None),
                }
            }
            None => return Ok(None),
        };
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

    /// A path that names the sender himself.
    fn whole(sender: &str, now: Timestamp) -> String {
        let Path { path, token: None } = SEAL.path(sender, &domain("demo.vn"), now).unwrap() else {
            panic!()
        };
        path
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
            let path = whole(sender, now);
            assert!(path.starts_with("SRS0=") && path.ends_with("@demo.vn"), "{path}");
            let named = |sender: &str| Some(Named::Sender(sender.to_owned()));
            assert_eq!(SEAL.sender(local(&path), &here, now), named(sender), "{path}");
            let folded = local(&path).to_lowercase();
            assert_eq!(SEAL.sender(&folded, &here, now), named(&sender.to_lowercase()), "{folded}");
        }
    }

    #[test]
    fn nobody_else_makes_one_and_none_holds_for_ever() {
        let (here, now) = (domain("demo.vn"), at(0));
        let path = whole("an@xa.example", now);
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
        for sender in ["\"le an\"@xa.example", "an@[192.0.2.1]", "", "an"] {
            assert_eq!(SEAL.path(sender, &domain("demo.vn"), at(0)), None, "{sender}");
        }
    }

    /// Lists and shops have such.
    #[test]
    fn a_token_stands_for_whom_a_path_has_no_room_for() {
        let (here, now) = (domain("demo.vn"), at(0));
        let long = "bounces+123-ab=le.van.an=demo.gov.vn@em.sender.example";
        let Path { path, token: Some(token) } = SEAL.path(long, &here, now).unwrap() else { panic!() };
        assert!(
            local(&path).len() <= LOCAL_OCTETS_MAX && path.ends_with(&format!("={token}@demo.vn")),
            "{path}"
        );
        let named = Some(Named::Token(token.clone()));
        assert_eq!(SEAL.sender(local(&path), &here, now), named);
        assert_eq!(SEAL.sender(&local(&path).to_uppercase(), &here, now), named);
        assert_eq!(SEAL.sender(&local(&path).replace(&token, "aaaaaaaaaaaaaaaaaaaa"), &here, now), None);
        assert_eq!(SEAL.sender(local(&path), &here, at(DAYS_MAX + 1)), None);
        // The same for all of a day's mail, and no other's.
        assert_eq!(SEAL.path(long, &here, now).unwrap().path, path);
        let others = [
            SEAL.path(&long.replace("an", "AN"), &here, now),
            SEAL.path(long, &domain("khac.vn"), now),
            SEAL.path(long, &here, at(1)),
            Seal([8; 32]).path(long, &here, now),
        ];
        assert!(others.into_iter().all(|other| other.unwrap().token.unwrap() != token));
    }

    #[test]
    fn days_are_counted_round() {
        let (here, eve) = (domain("demo.vn"), Timestamp::from_second(24 * 3600 * (DAYS_ROUND - 1)).unwrap());
        let path = whole("an@xa.example", eve);
        let later = eve + SignedDuration::from_hours(24 * 3);
        assert!(SEAL.sender(local(&path), &here, later).is_some());
    }
}
