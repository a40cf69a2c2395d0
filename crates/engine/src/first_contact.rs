//! Whether a sender was here before (greylisting): who is here for the first time may be told to come again, as a mail server does and
//! a program that only sends spam mostly does not.
//!
//! Invariants: off unless a domain's policy says how long (`inbound.greylist`); only strangers' connections, and only mail that nothing
//! else refuses; whom SPF shows to be the sender, and whom a mailbox that he writes to has written to, is never told to wait; of no
//! other mailbox's correspondents can he find out anything by it; a database that does not answer is no reason to wait; places are
//! hashed with a secret, so that nobody works out who falls together; what becomes of it is `model::admission`'s to say.

use crate::sending::correspondent_key;
use crate::{Engine, Error, Recipient, Sender, figures};
use jiff::SignedDuration;
use model::admission::Evidence;
use model::connection::{Contact, neighbourhood};
use model::{AccountId, Address};
use std::net::IpAddr;
use std::time::Duration;
use store::{CONTACT_PLACES, ContactTerms, FirstContact};

/// Who comes again later than this comes for the first time: mail servers try for days, most of them within hours.
const RETRY_MAX: SignedDuration = SignedDuration::from_hours(48);
/// Who came back is known for so long since his last mail.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(24 * 36);

impl Engine {
    /// Finds out whether a stranger was here before, where a domain that it is for wants to know; false: nothing is known more.
    ///
    /// # Errors
    /// When the rules of a domain cannot be read.
    pub async fn meet(
        &self,
        evidence: &mut Evidence,
        (remote, sender): (IpAddr, Option<&Sender>),
        recipients: &[Recipient],
    ) -> Result<bool, Error> {
        if evidence.connection.is_none() || evidence.shows_sender() {
            return Ok(false);
        }
        let (mut minutes, mut to) = (0, Vec::new());
        for (domain, policy) in self.policies_of(recipients).await? {
            if let Some(wait) = policy.inbound.greylist {
                minutes = minutes.max(wait);
                let of =
                    recipients.iter().filter(|to| to.address().domain() == domain && !to.is_return_path());
                to.extend(of.map(Recipient::address));
            }
        }
        if to.is_empty() {
            return Ok(false);
        }
        let mailboxes = recipients.iter().flat_map(Recipient::mailboxes).collect();
        let contact = self.contact((remote, sender), (&to, mailboxes), minutes).await;
        if let Some(connection) = &mut evidence.connection {
            connection.contact = contact;
        }
        Ok(true)
    }

    async fn contact(
        &self,
        between: (IpAddr, Option<&Sender>),
        to: (&[&Address], Vec<AccountId>),
        minutes: u32,
    ) -> Contact {
        let delay = SignedDuration::from_mins(minutes.into());
        let (terms, now) = (ContactTerms { delay, retry_max: RETRY_MAX, known_for: KNOWN_FOR }, self.now());
        let asked = async {
            let contact = first_contact(&self.contacts_key().await?, between, to);
            self.0.store.first_contact(&contact, terms, now).await
        };
        match asked.await {
            Ok(None) => {
                figures::contact("known");
                Contact::Known
            }
            Ok(Some(first)) => {
                let ago = now.duration_since(first).max(SignedDuration::ZERO);
                figures::contact(match () {
                    () if ago >= delay => "came_back",
                    () if ago.is_zero() => "first",
                    () => "early",
                });
                Contact::Tried(Duration::try_from(ago).unwrap_or_default())
            }
            Err(error) => {
                figures::contact("failed");
                tracing::warn!(%error, "whether a sender was here before could not be found out");
                Contact::NotAsked
            }
        }
    }

    pub(crate) async fn forget_first_contacts_job(&self) -> Result<String, Error> {
        let forgotten = self.0.store.forget_first_contacts(self.now()).await?;
        Ok(format!("{forgotten} forgotten"))
    }
}

/// By hashes alone.
fn first_contact(
    key: &[u8; 32],
    (remote, sender): (IpAddr, Option<&Sender>),
    (to, mailboxes): (&[&Address], Vec<AccountId>),
) -> FirstContact {
    let path = sender.map(Sender::as_str).unwrap_or_default();
    let domain = path.rsplit_once('@').map_or("", |(_, domain)| domain).to_lowercase();
    let network = neighbourhood(remote).to_string();
    let tries = to.iter().map(|to| place(key, &[&network, &domain, &to.to_string()]) & !1);
    FirstContact {
        sender: place(key, &[&network, &domain]) | 1,
        tries: tries.collect(),
        correspondent: path.parse::<Address>().ok().map(|address| correspondent_key(&address)),
        mailboxes,
    }
}

fn place(key: &[u8; 32], of: &[&str]) -> u32 {
    let hash = blake3::keyed_hash(key, of.join("\n").as_bytes());
    u32::from_be_bytes(*hash.as_bytes().first_chunk::<4>().unwrap_or(&[0; 4])) % CONTACT_PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn of(remote: &str, sender: Option<&str>, to: &[&str]) -> FirstContact {
        keyed(&KEY, remote, sender, to)
    }

    fn keyed(key: &[u8; 32], remote: &str, sender: Option<&str>, to: &[&str]) -> FirstContact {
        let sender = sender.map(|sender| Sender::from(&sender.parse::<Address>().unwrap()));
        let to: Vec<Address> = to.iter().map(|to| to.parse().unwrap()).collect();
        let to = to.iter().collect::<Vec<_>>();
        first_contact(key, (remote.parse().unwrap(), sender.as_ref()), (&to, Vec::new()))
    }

    #[test]
    fn who_is_one_and_who_is_not() {
        let all = ["an@demo.vn", "binh@demo.vn"];
        let first = of("192.0.2.1", Some("x@B.vn"), &all);
        assert!(first.sender % 2 == 1 && first.tries.iter().all(|place| place % 2 == 0));
        assert_ne!(first.tries[0], first.tries[1]);
        for (same, remote, sender) in [
            (true, "192.0.2.200", Some("y@b.vn")),
            (true, "::ffff:192.0.2.1", Some("x@b.vn")),
            (false, "192.0.3.1", Some("x@b.vn")),
            (false, "192.0.2.1", Some("x@c.vn")),
            (false, "192.0.2.1", None),
        ] {
            let other = of(remote, sender, &all);
            let is_same = (first.sender == other.sender, first.tries == other.tries);
            assert_eq!(is_same, (same, same), "{remote} {sender:?}");
        }
        let six = |remote| of(remote, None, &all).sender;
        assert_eq!(six("2001:db8:0:1::1"), six("2001:db8:0:1:ffff::2"));
        assert_ne!(six("2001:db8:0:1::1"), six("2001:db8:0:2::1"));
        assert_eq!((of("192.0.2.1", None, &all).correspondent, first.correspondent.is_some()), (None, true));
    }

    /// Else he could look for a name of his that falls together with one who is known.
    #[test]
    fn nobody_outside_works_out_a_place() {
        let all = ["an@demo.vn", "binh@demo.vn"];
        let (one, other) = (of("192.0.2.1", None, &all), keyed(&[8; 32], "192.0.2.1", None, &all));
        assert!(one.sender != other.sender && one.tries != other.tries);
    }

    /// However many strangers there are, and whatever they call themselves.
    #[test]
    fn there_are_no_more_places_than_there_are() {
        for n in 0..100_000_u32 {
            let place = place(&KEY, &[&n.to_string(), "x"]);
            assert!(place < CONTACT_PLACES, "{n}");
        }
    }
}
