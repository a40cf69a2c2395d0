//! Whether a message is answered by itself as a rule wants it (RFC 5230, RFC 3834), and the answer, ready to be put where it belongs.
//!
//! What the message itself tells was looked at when the rule was followed (`proto::sieve`); here it is who wrote it. Invariants: an
//! answer has a null return path and says what it is, so none answers it; who may have been named by somebody else is written nothing
//! (backscatter); nobody is answered twice in a period, whatever is killed and repeated, as that is noted in the transaction that accepts
//! what he wrote.

use super::written::{Body, Letter, TEXT_OCTETS_MAX, Thread};
use crate::intake::Prepared;
use crate::recipients::{Kind, RecipientError};
use crate::report::{Mail, Manner};
use crate::reporter::Reporter;
use crate::{Arrival, Engine, Error, Recipient, Sender, trace};
use jiff::{SignedDuration, Timestamp};
use model::queue::{Priority, Schedule};
use model::{AccountId, Address, DomainName, MailboxClass, Policy, Sorting};
use proto::mime::{MailAddress, facts};
use proto::sieve::{Answer, Entity};
use store::{SieveChain, Tx};

const DAY_SECONDS: i64 = 24 * 60 * 60;
/// RFC 6131 2: machines that do not say what they are write to each other so often at most.
const PERIOD_SECONDS_MIN: i64 = 10 * 60;
/// RFC 5230 4.1: whoever is away for longer says so again.
const PERIOD_SECONDS_MAX: i64 = 30 * DAY_SECONDS;

/// An answer that waits for the transaction in which the message is accepted.
#[derive(Debug)]
pub(crate) struct AnswerMail {
    mail: Mail,
    account: AccountId,
    key: [u8; 32],
    until: Timestamp,
}

/// Who wrote, as far as that decides whether he is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    Elsewhere,
    Mailbox(AccountId, MailboxClass),
    /// A group, or a unit's clerks.
    Several,
    /// No mailbox that takes mail now.
    Nobody,
}

/// What is looked at before somebody is answered.
#[derive(Clone, Copy, Debug)]
struct Asked {
    sorting: Sorting,
    writer: Writer,
    /// He logged in, or was shown to be the sender.
    is_shown: bool,
    /// He was not named by somebody else, as far as is known.
    may_be_told: bool,
    /// Whose rule it is.
    owner: AccountId,
    /// Policy has strangers answered.
    answers_outside: bool,
    /// It was here before, and has come round: he was answered then, and by now has another name (SRS).
    was_here: bool,
}

/// Why nobody is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    Unwanted,
    Round,
    Unproven,
    Own,
    Machine,
    Several,
    Nobody,
    Outside,
}

/// RFC 5230 4.6, RFC 3834 2; the first that holds.
fn silence(asked: &Asked) -> Option<Silence> {
    match asked.writer {
        // Whom the mailbox has blocked is unwanted there.
        _ if asked.sorting.is_unwanted() => Some(Silence::Unwanted),
        _ if asked.was_here => Some(Silence::Round),
        Writer::Elsewhere if !asked.may_be_told => Some(Silence::Unproven),
        Writer::Elsewhere if !asked.answers_outside => Some(Silence::Outside),
        Writer::Elsewhere => None,
        // Whoever names a colleague has him written to from his own system.
        _ if !asked.is_shown => Some(Silence::Unproven),
        Writer::Several => Some(Silence::Several),
        Writer::Nobody => Some(Silence::Nobody),
        Writer::Mailbox(account, _) if account == asked.owner => Some(Silence::Own),
        Writer::Mailbox(_, MailboxClass::Service) => Some(Silence::Machine),
        Writer::Mailbox(..) => None,
    }
}

/// For how long nobody is answered the same again: what a script says, at least ten minutes and at most 30 days (RFC 5230 4.1,
/// RFC 6131 2; `:days` is a day at least); else what policy says, in days.
fn period(said: Option<u64>, answer_days: u32) -> SignedDuration {
    let seconds = match said {
        Some(seconds) => i64::try_from(seconds).unwrap_or(i64::MAX),
        None => DAY_SECONDS * i64::from(answer_days),
    };
    SignedDuration::from_secs(seconds.clamp(PERIOD_SECONDS_MIN, PERIOD_SECONDS_MAX))
}

/// RFC 5230 4.2: of what is answered, and whom, however his system tags him.
fn key(handle: &str, sender: &str) -> [u8; 32] {
    let sender = untagged(sender).to_lowercase();
    let sender = sender.parse::<Address>().map_or(sender, |address| address.to_string());
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(handle.len() as u64).to_be_bytes());
    hasher.update(handle.as_bytes());
    hasher.update(sender.as_bytes());
    *hasher.finalize().as_bytes()
}

/// Whose it is, without what differs each day or by which way it came: `prvs=tag=local@domain` (BATV), and what those who pass mail on make
/// of it (SRS): `SRS0=seal=day=domain=local@forwarder`, `SRS1=seal=forwarder==seal=day=domain=local@next`.
fn untagged(sender: &str) -> String {
    let behind = |text: &str, mark: &str| {
        let begins = text.get(..mark.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(mark));
        text.get(mark.len()..).filter(|_| begins).map(str::to_owned)
    };
    let passed_on = |rest: String| {
        let (local, _) = rest.rsplit_once('@')?;
        let mut parts = local.splitn(4, '=').skip(2);
        let (domain, local) = (parts.next()?, parts.next()?);
        Some(format!("{local}@{domain}"))
    };
    let first = ["SRS0=", "SRS0+", "SRS0-"].iter().find_map(|mark| behind(sender, mark));
    let further = ["SRS1=", "SRS1+", "SRS1-"].iter().find_map(|mark| behind(sender, mark));
    let further = further.and_then(|rest| {
        ["==", "=+", "=-"].iter().find_map(|by| rest.split_once(by).map(|(_, rest)| rest.to_owned()))
    });
    let tagged =
        behind(sender, "prvs=").and_then(|rest| rest.split_once('=').map(|(_, rest)| rest.to_owned()));
    tagged.or_else(|| first.or(further).and_then(passed_on)).unwrap_or_else(|| sender.to_owned())
}

impl Arrival {
    fn writes(&self, policy: &Policy, (writer, owner, sorting): (Writer, AccountId, Sorting)) -> Asked {
        Asked {
            sorting,
            writer,
            is_shown: self.hears_of_success(),
            may_be_told: self.hears_of_failure(),
            owner,
            answers_outside: policy.rules.answer_outside,
            was_here: false,
        }
    }
}

impl Engine {
    /// What a rule answers to a message, in the message's room, for which [`super::WRITTEN_BYTES_MAX`] was asked with it; `None`: nobody
    /// is to be answered. `sorting`: where the message came to lie in that mailbox. Called before the transaction that accepts it; there
    /// [`AnswerMail::put`].
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn answer_mail(
        &self,
        arrival: &Arrival,
        (whose, sorting): (&SieveChain, Sorting),
        answer: &Answer,
        message: &Prepared,
    ) -> Result<Option<AnswerMail>, Error> {
        let (Some(sender), Some(primary)) = (&arrival.sender, whose.addresses.first()) else {
            return Ok(None);
        };
        let policy = self.policy_of(whose.domain).await?;
        let writer = self.who_writes(sender).await?;
        let asked = arrival.writes(&policy, (writer, whose.account, sorting));
        // Once by what we put in front of it now.
        let was_here = trace::times_here(message.header_alone(0), self.hostname()) > 1;
        if let Some(silence) = silence(&Asked { was_here, ..asked }) {
            tracing::debug!(?silence, account = %whose.account, "a message is not answered");
            return Ok(None);
        }
        let (key, now) = (key(&answer.handle, sender.as_str()), self.now());
        if self.0.store.was_answered(whose.account, key, now).await? {
            return Ok(None);
        }
        let body = match answer.mime {
            false => Body::Text(answer.reason.as_str().into()),
            // In the room that is taken for it.
            true if answer.reason.len() > TEXT_OCTETS_MAX => return Ok(None),
            true => match Entity::parse(&answer.reason) {
                Some(entity) => Body::Entity(entity),
                None => return Ok(None),
            },
        };
        let (name, from) = self.as_whom(whose, (answer.from.as_deref(), primary)).await?;
        let letter = Letter {
            from: (&name, from),
            to: sender.as_str(),
            subject: &answer.subject,
            automatic: "auto-replied",
            importance: None,
            date: trace::date(now),
            message_id: format!("{}@{}", self.queue_id(), self.hostname()),
            thread: Thread::of(message.header_alone(0)),
            body,
        };
        let mail =
            self.rule_mail(&letter.octets(), (sender.as_str(), from.domain()), (arrival, message)).await?;
        let until = now.saturating_add(period(answer.period, policy.rules.answer_days));
        let until = until.unwrap_or(Timestamp::MAX);
        Ok(mail.map(|mail| AnswerMail { mail, account: whose.account, key, until }))
    }

    /// What a rule writes, signed in the name of `domain`, in the room of the message that it is about.
    pub(super) async fn rule_mail(
        &self,
        written: &[u8],
        (to, domain): (&str, &DomainName),
        (arrival, message): (&Arrival, &Prepared),
    ) -> Result<Option<Mail>, Error> {
        let keys = self.signing_keys(domain).await?;
        let reporter = Reporter { name: domain.to_string(), keys };
        // Under a null return path: it is not signed when it is sent.
        let signed = self.signed_now(written, &reporter.keys);
        let manner = Manner {
            // As all that has a null return path.
            priority: Priority::Report,
            give_up_after: Schedule::default().give_up_after,
            // RFC 8689 5: it tells of the message.
            requiretls: arrival.wishes.requiretls,
            room: Some(message.permit()),
        };
        self.own_mail(signed.as_deref().unwrap_or(written), (to, &reporter.signs()), manner).await
    }

    /// In whose name a rule writes: what it says if that is an address of the mailbox (RFC 5230 4.3), else the mailbox's first.
    pub(super) async fn as_whom<'a>(
        &self,
        whose: &'a SieveChain,
        (said, primary): (Option<&str>, &'a Address),
    ) -> Result<(String, &'a Address), Error> {
        let named = said.and_then(|said| {
            let line = format!("From: {}\r\n\r\n", model::seen(said));
            let mut from = facts(line.as_bytes()).envelope.from.into_iter();
            from.next().filter(|_| from.next().is_none())
        });
        let address =
            named.as_ref().and_then(MailAddress::address).and_then(|address| address.parse::<Address>().ok());
        let own = whose.addresses.iter().find(|own| address.as_ref() == Some(own));
        let name = named.filter(|_| own.is_some()).and_then(|named| named.display_name());
        let name = match name.filter(|name| !name.trim().is_empty()) {
            Some(name) => name,
            None => {
                let place = self.0.store.notice_place(whose.account).await?;
                place.map(|place| place.display_name).unwrap_or_default()
            }
        };
        Ok((name, own.unwrap_or(primary)))
    }

    async fn who_writes(&self, sender: &Sender) -> Result<Writer, Error> {
        let Ok(address) = sender.as_str().parse::<Address>() else { return Ok(Writer::Elsewhere) };
        if !self.is_local_domain(address.domain()).await? {
            return Ok(Writer::Elsewhere);
        }
        let account = match self.recipient(&address).await.as_ref().map(Recipient::kind) {
            Ok(Kind::Mailbox { account, .. }) => *account,
            Ok(Kind::Several(_) | Kind::Group(_)) | Err(RecipientError::Restricted) => {
                return Ok(Writer::Several);
            }
            Err(RecipientError::Unavailable) => return Err(Error::Unavailable),
            _ => return Ok(Writer::Nobody),
        };
        let row = self.0.store.sending(account).await?;
        Ok(row.map_or(Writer::Nobody, |row| Writer::Mailbox(account, row.class)))
    }
}

impl AnswerMail {
    /// As other mail back: where it goes is made known before the transaction, and told and looked at after it.
    pub(crate) fn mail(&self) -> &Mail {
        &self.mail
    }

    /// In the transaction that accepts the message, whose event is of `at`. False: he was answered lately, and is not now.
    ///
    /// # Errors
    /// As [`Tx::mail_back`].
    pub(crate) async fn put(
        &self,
        tx: &mut Tx,
        engine: &Engine,
        at: Timestamp,
    ) -> Result<bool, store::Error> {
        if !tx.note_answered(self.account, self.key, (self.until, at)).await? {
            return Ok(false);
        }
        tx.mail_back(&self.mail.back(engine, at)).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_answered() {
        let owner = AccountId(1);
        let other = |class| Writer::Mailbox(AccountId(2), class);
        let asked = |writer| Asked {
            sorting: Sorting::Inbox,
            writer,
            is_shown: true,
            may_be_told: true,
            owner,
            answers_outside: true,
            was_here: false,
        };
        let person = asked(other(MailboxClass::Person));
        let stranger = Asked { is_shown: false, ..asked(Writer::Elsewhere) };
        for (asked, expected) in [
            (person, None),
            (asked(other(MailboxClass::Leader)), None),
            (asked(other(MailboxClass::Organisation)), None),
            (asked(other(MailboxClass::Service)), Some(Silence::Machine)),
            (asked(Writer::Several), Some(Silence::Several)),
            (asked(Writer::Nobody), Some(Silence::Nobody)),
            (asked(Writer::Mailbox(owner, MailboxClass::Person)), Some(Silence::Own)),
            (Asked { is_shown: false, ..person }, Some(Silence::Unproven)),
            (Asked { answers_outside: false, ..person }, None),
            (stranger, None),
            (Asked { may_be_told: false, ..stranger }, Some(Silence::Unproven)),
            (Asked { answers_outside: false, ..stranger }, Some(Silence::Outside)),
            (Asked { sorting: Sorting::Junk, ..stranger }, Some(Silence::Unwanted)),
            (Asked { sorting: Sorting::Junk, ..person }, Some(Silence::Unwanted)),
            (Asked { was_here: true, ..person }, Some(Silence::Round)),
            (Asked { was_here: true, ..stranger }, Some(Silence::Round)),
        ] {
            assert_eq!(silence(&asked), expected, "{asked:?}");
        }
    }

    /// RFC 5230 4.1, RFC 6131 2.
    #[test]
    fn nobody_is_answered_too_often_or_too_seldom() {
        let hours = SignedDuration::from_hours;
        for (said, expected) in [
            (None, hours(7 * 24)),
            (Some(0), SignedDuration::from_mins(10)),
            (Some(3_600), hours(1)),
            (Some(3 * 24 * 3_600), hours(3 * 24)),
            (Some(366 * 24 * 3_600), hours(30 * 24)),
            (Some(u64::MAX), hours(30 * 24)),
        ] {
            assert_eq!(period(said, 7), expected, "{said:?}");
        }
    }

    #[test]
    fn a_key_is_of_an_answer_and_a_person() {
        let an = key("a", "an@x.test");
        for same in ["AN@X.test", "prvs=12ab=an@x.test", "PRVS=99=an@x.test"] {
            assert_eq!(key("a", same), an, "{same}");
        }
        for passed_on in [
            "SRS0=aa=bb=x.test=an@y.test",
            "srs0+cc=dd=x.test=an@z.test",
            "SRS1=ee=y.test==aa=bb=x.test=an@z.test",
        ] {
            assert_eq!(key("a", passed_on), an, "{passed_on}");
        }
        for (handle, sender) in
            [("b", "an@x.test"), ("a", "binh@x.test"), ("aa", "n@x.test"), ("", "aan@x.test")]
        {
            assert_ne!(key(handle, sender), an, "{handle} {sender}");
        }
        assert_ne!(key("a", "prvs=an@x.test"), an);
    }
}
