//! How much a mailbox may send, asked for every message that somebody submits; and what becomes of one that sends as no person
//! would: throttled, told, locked (An Giang 63/2016 Điều 8.1d, requirements B5 and D7; docs/adr/0020-sending-limits.md).
//!
//! Invariants: counted before a message is accepted and given back when it is not, so no crowd of connections or nodes gets more
//! out than policy says; what the system itself writes is not counted; a refusal is temporary and says until when, unless the
//! message alone has too many recipients; the lock is [`Engine::lock_as_system`]'s, audited and told like any other.

use crate::notices::Notice;
use crate::recipients::Kind;
use crate::{Actor, AdminError, AdminTarget, DeliverError, Engine, Error, Principal, Recipient};
use jiff::{SignedDuration, Timestamp};
use model::calendar::{local_text, written_time};
use model::lifecycle::LockReason;
use model::sending::{Ask, Limit, Sent, Suspicion, Verdict};
use model::{AccountId, Action, Address, Policy, SendingLimits};
use serde_json::json;
use std::collections::BTreeSet;
use store::{LifeRow, OwedNotice, SendingRow};

/// Somebody who was not written to for so long is a stranger again.
const CORRESPONDENTS_KEPT: SignedDuration = SignedDuration::from_hours(24 * 730);
/// That somebody was written to again is noted at most this often.
const CORRESPONDENT_NOTED_EVERY: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Addresses forgotten in one statement.
const FORGOTTEN_AT_ONCE: u32 = 10_000;

/// A message that was counted: to be given back when it is not accepted.
#[derive(Debug)]
pub(crate) struct Counted {
    account: AccountId,
    ask: Ask,
    /// The recipients elsewhere, by their hashes.
    keys: Vec<i64>,
}

/// What a mailbox has sent, for administrators.
#[derive(Clone, Debug)]
pub struct SendingDetail {
    pub address: Address,
    pub limits: SendingLimits,
    pub suspicion: Suspicion,
    pub sent: Sent,
}

impl Engine {
    /// Counts a message of `who`, or says why it may not go now.
    ///
    /// # Errors
    /// `Throttled`, `TooManyRecipients`, or when the database fails.
    pub(crate) async fn count_sending(
        &self,
        who: &Principal,
        standing: &SendingRow,
        recipients: &[Recipient],
    ) -> Result<Counted, DeliverError> {
        let account = who.own().account();
        let policy = self.policy_of(standing.domain).await?;
        let keys = keys(recipients);
        let unavailable = |error: store::Error| DeliverError::from(Error::from(error));
        let strangers = match keys.is_empty() {
            true => 0,
            false => self.0.store.count_strangers(account, &keys).await.map_err(unavailable)?,
        };
        let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let ask = Ask { recipients: number(recipients.len() as u64), strangers: number(strangers) };
        let (limits, suspicion) = (policy.sending_limits(standing.class), policy.suspicion(standing.class));
        let now = self.now();
        let held = self.0.store.hold_counts(account, now).await.map_err(unavailable)?;
        let (sent, verdict) = held.sent.take(ask, &limits, &suspicion, now);
        held.keep(&sent).await.map_err(unavailable)?;
        match verdict {
            Verdict::Allowed => Ok(Counted { account, ask, keys }),
            Verdict::Never { limit, most } => Err(DeliverError::TooManyRecipients { limit, most }),
            Verdict::Later { limit, most, until, first, attack } => {
                let refused = Refused { limit, most, until };
                if attack {
                    self.lock_spammer(who, &refused, &sent).await;
                } else if first {
                    self.tell_throttled(who, &refused).await;
                }
                Err(DeliverError::Throttled { limit, most, until })
            }
        }
    }

    /// It was accepted, or was not.
    pub(crate) async fn end_sending(&self, counted: &Counted, accepted: bool) {
        if accepted {
            self.note_correspondents(counted).await;
        } else {
            self.give_back_sending(counted).await;
        }
    }

    /// Never an error: at worst somebody may send one message less in this hour.
    async fn give_back_sending(&self, counted: &Counted) {
        let now = self.now();
        let given_back = async {
            let held = self.0.store.hold_counts(counted.account, now).await?;
            let sent = held.sent.give_back(counted.ask, now);
            held.keep(&sent).await
        };
        if let Err(error) = given_back.await {
            tracing::warn!(%error, "a message that was not accepted counts as sent");
        }
    }

    /// Whom it is for is no stranger any more.
    async fn note_correspondents(&self, counted: &Counted) {
        if counted.keys.is_empty() {
            return;
        }
        let now = self.now();
        let since = now.saturating_sub(CORRESPONDENT_NOTED_EVERY).unwrap_or(Timestamp::MIN);
        let noted = self.0.store.note_correspondents(counted.account, &counted.keys, now, since);
        if let Err(error) = noted.await {
            tracing::warn!(%error, "whom a mailbox wrote to could not be noted");
        }
    }

    /// What a mailbox has sent in its present hour and day; `None` when there is no such mailbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sending_detail(
        &self,
        actor: &Actor,
        address: &Address,
    ) -> Result<Option<SendingDetail>, AdminError> {
        let allowed = self.authorize(actor, Action::MailboxShow, &AdminTarget::Address(address)).await;
        let Some(()) = crate::authority::unless_missing(allowed)? else { return Ok(None) };
        let Some(row) = self.0.store.life(address).await? else { return Ok(None) };
        let policy = self.policy_of(row.domain).await?;
        let now = self.now();
        let sent = self.0.store.sent_counts(row.account).await?;
        Ok(Some(SendingDetail {
            limits: policy.sending_limits(row.class),
            suspicion: policy.suspicion(row.class),
            sent: sent.unwrap_or_else(|| Sent::nothing(now)).at(now),
            address: row.address,
        }))
    }

    /// Lets a mailbox that reached a limit begin anew, for a reason that stays on record.
    ///
    /// # Errors
    /// `NoSuchMailbox`, `BadReason`, `Denied`.
    pub async fn reset_sending(
        &self,
        actor: &Actor,
        address: &Address,
        reason: &str,
    ) -> Result<(), AdminError> {
        crate::admin::check_reason(reason)?;
        self.authorize(actor, Action::MailboxUnlock, &AdminTarget::Address(address)).await?;
        let row = self.0.store.life(address).await?;
        let row = row.ok_or_else(|| AdminError::NoSuchMailbox(address.clone()))?;
        let was = self.0.store.sent_counts(row.account).await?;
        let mut tx = self.0.store.begin().await?;
        tx.forget_counts(row.account).await?;
        let detail = json!({ "reason": reason, "was": was.map(|sent| evidence(&sent)) });
        self.audit(&mut tx, actor, "mailbox.sending-reset", &row.address.to_string(), &detail).await?;
        Ok(tx.commit().await?)
    }

    pub(crate) async fn forget_correspondents_job(&self) -> Result<String, Error> {
        let before = self.now().saturating_sub(CORRESPONDENTS_KEPT).unwrap_or(Timestamp::MIN);
        let mut all = 0;
        loop {
            let forgotten = self.0.store.forget_correspondents(before, FORGOTTEN_AT_ONCE).await?;
            all += forgotten;
            if forgotten < FORGOTTEN_AT_ONCE.into() {
                return Ok(format!("{all} forgotten"));
            }
        }
    }

    /// Whoever has the password goes on and on writing to strangers.
    async fn lock_spammer(&self, who: &Principal, refused: &Refused, sent: &Sent) {
        let mut detail = evidence(sent);
        if let Some(detail) = detail.as_object_mut() {
            let what = format!("{} ({})", refused.limit.english(), refused.most);
            detail.insert("limit".to_owned(), json!(what));
        }
        let account = who.own().account();
        tracing::warn!(%account, refused = sent.refused, "a mailbox sends as no person would, and is locked");
        self.lock_sender(who, ("sending-limits", LockReason::Spam), detail).await;
    }

    /// `job` names in the audit trail what saw it.
    pub(crate) async fn lock_sender(
        &self,
        who: &Principal,
        (job, reason): (&str, LockReason),
        evidence: serde_json::Value,
    ) {
        let account = who.own().account();
        match self.lock_as_system(job, who.own().address(), reason, evidence).await {
            Ok(()) => metrics::counter!("congthu_senders_locked_total").increment(1),
            // Another of its messages had it locked, or an administrator.
            Err(AdminError::Life(_) | AdminError::NoSuchMailbox(_)) => {}
            Err(error) => {
                tracing::error!(%error, %account, "a mailbox that spreads spam or malware could not be locked");
            }
        }
    }

    /// Once an hour at most: to the owner, whoever looks after the unit, and the centre.
    async fn tell_throttled(&self, who: &Principal, refused: &Refused) {
        metrics::counter!("congthu_senders_throttled_total").increment(1);
        self.tell_of_throttle(self.about_throttled(who.own().address(), refused).await).await;
    }

    pub(crate) async fn tell_of_throttle(&self, owed: Result<Vec<OwedNotice>, Error>) {
        let owed = match owed {
            Ok(owed) => owed,
            Err(error) => return tracing::warn!(%error, "nobody could be told that a mailbox is throttled"),
        };
        for OwedNotice { key, to, subject, text } in &owed {
            if let Err(error) = self.post(&Notice { key, to: *to, subject, text }).await {
                tracing::warn!(%error, "somebody could not be told that a mailbox is throttled");
            }
        }
    }

    async fn about_throttled(&self, address: &Address, refused: &Refused) -> Result<Vec<OwedNotice>, Error> {
        let Some(row) = self.0.store.life(address).await? else { return Ok(Vec::new()) };
        let told = self.told_of(&row).await?;
        let LifeRow { address, display_name, account, .. } = &row;
        let (limit, most) = (refused.limit.vietnamese(), refused.most);
        let subject = format!("Hộp thư {address} tạm thời bị hạn chế gửi thư");
        let (stopped, stopped_english) = stopped_by(refused.limit);
        let text = format!(
            "Hộp thư {address} ({display_name}) đã đạt giới hạn {most} {limit}. Từ nay đến {}, hệ thống tạm dừng nhận {stopped} \
             không bị ảnh hưởng.\n\nNếu chủ hộp thư không gửi các thư đó, mật khẩu có thể đã bị lộ: hãy đổi \
             mật khẩu ngay và báo bộ phận quản trị. Nếu vẫn tiếp tục phát tán, hộp thư sẽ bị tạm khóa. Nếu cần gửi nhiều thư cho công \
             việc, đơn vị đề nghị bộ phận quản trị.\n\n--\nThe mailbox reached its limit of {most} {}; until {}, {stopped_english}.",
            written_time(refused.until),
            refused.limit.english(),
            local_text(refused.until),
        );
        let notice = |to: AccountId| OwedNotice {
            key: format!("throttled/{account}/{}/{to}", refused.until),
            to,
            subject: subject.clone(),
            text: text.clone(),
        };
        Ok(told.into_iter().map(notice).collect())
    }
}

/// What is not taken of a mailbox at this limit, and what still is.
const fn stopped_by(limit: Limit) -> (&'static str, &'static str) {
    match limit {
        Limit::StrangersPerHour => (
            "thư gửi từ hộp thư này đến các địa chỉ bên ngoài mà hộp thư chưa từng gửi; thư gửi trong hệ thống, thư gửi đến các địa \
             chỉ bên ngoài đã từng gửi và thư nhận về",
            "mail to outside addresses that it has never written to is not taken; all other mail goes as before",
        ),
        Limit::MessagesPerHour
        | Limit::MessagesPerDay
        | Limit::RecipientsPerHour
        | Limit::RecipientsPerDay => (
            "thư gửi đi từ hộp thư này; thư nhận về",
            "nothing it sends is taken; what it receives comes as before",
        ),
    }
}

/// Why a message may not go now.
struct Refused {
    limit: Limit,
    most: u32,
    until: Timestamp,
}

/// Until when a mailbox may send less that something strange was seen of now.
pub(crate) fn suspect_until(policy: &Policy, now: Timestamp) -> Timestamp {
    let term = SignedDuration::from_hours(24 * i64::from(policy.limit.suspect_days));
    now.saturating_add(term).unwrap_or(Timestamp::MAX)
}

/// What was seen, for the audit trail: numbers alone.
pub(crate) fn evidence(sent: &Sent) -> serde_json::Value {
    json!({
        "hour_since": sent.hour.since.to_string(), "hour_messages": sent.hour.messages,
        "hour_recipients": sent.hour.recipients, "day_messages": sent.day.messages,
        "day_recipients": sent.day.recipients, "strangers": sent.strangers, "refused": sent.refused,
        "malware": sent.malware, "spam": sent.spam,
    })
}

/// Recipients elsewhere, each once.
fn keys(recipients: &[Recipient]) -> Vec<i64> {
    let outside = recipients.iter().filter(|recipient| matches!(recipient.kind(), Kind::Outside(_)));
    let keys: BTreeSet<i64> = outside.map(|recipient| correspondent_key(recipient.address())).collect();
    keys.into_iter().collect()
}

/// How an address elsewhere is kept that somebody here has written to.
pub(crate) fn correspondent_key(address: &Address) -> i64 {
    let hash = blake3::hash(address.to_string().as_bytes());
    i64::from_be_bytes(*hash.as_bytes().first_chunk::<8>().unwrap_or(&[0; 8]))
}
