//! A mailbox whose mail is stopped for what it holds: malware, or what the filter holds for spam. Once is a mishap; one that goes on has
//! been taken over, or its owner's computer has (An Giang 63/2016 Điều 8.1d; requirements B5, D7; docs/adr/0020-sending-limits.md).
//!
//! Invariants: counted in the row of the limits of sending, under its lock, so exactly over all nodes; only what was stopped
//! counts, not what was never scanned, and a message that is sent again and again once; told once a day; the lock is [`crate::sending`]'s, with its own reason.

use crate::sending::{evidence, suspect_until};
use crate::{Engine, Error, Principal, Spool};
use jiff::Timestamp;
use model::calendar::{local_text, written_time};
use model::lifecycle::LockReason;
use model::scan::{Reason, Verdict};
use model::sending::{Consequence, Harm, Sent, Steps};
use model::{AccountId, Address};
use store::{LifeRow, OwedNotice, SendingRow};

/// What it says of who sent a message that this became of it.
pub(crate) const fn harm_of(verdict: Verdict) -> Option<Harm> {
    match verdict {
        Verdict::Refuse(Reason::Malware) => Some(Harm::Malware),
        Verdict::Refuse(Reason::Spam) | Verdict::Quarantine(Reason::Spam) => Some(Harm::Spam),
        _ => None,
    }
}

/// By which a message is known again.
async fn digest(message: &Spool) -> Result<i64, Error> {
    let (mut hasher, mut at) = (blake3::Hasher::new(), 0);
    loop {
        let piece = message.piece(at).await.map_err(|error| {
            tracing::error!(%error, "a message that was stopped cannot be read again");
            Error::Unavailable
        })?;
        if piece.is_empty() {
            break;
        }
        at += piece.len() as u64;
        hasher.update(&piece);
    }
    Ok(i64::from_be_bytes(*hasher.finalize().as_bytes().first_chunk().unwrap_or(&[0; 8])))
}

/// What is told of.
struct Seen {
    harm: Harm,
    count: u32,
    steps: Steps,
    until: Timestamp,
}

impl Engine {
    /// This message of `who` was stopped. Never an error: that it was stopped stands.
    pub(crate) async fn note_harm(
        &self,
        who: &Principal,
        standing: &SendingRow,
        (harm, message): (Harm, &Spool),
    ) {
        if let Err(error) = self.count_harm(who, standing, (harm, message)).await {
            tracing::error!(%error, account = %who.own().account(), "harmful mail of a mailbox could not be counted");
        }
    }

    async fn count_harm(
        &self,
        who: &Principal,
        standing: &SendingRow,
        (harm, message): (Harm, &Spool),
    ) -> Result<(), Error> {
        let (account, now) = (who.own().account(), self.now());
        let digest = digest(message).await?;
        let policy = self.policy_of(standing.domain).await?;
        let (suspicion, until) = (policy.suspicion(standing.class), suspect_until(&policy, now));
        let mut held = self.0.store.hold_counts(account, now).await?;
        if !held.is_first(digest) {
            return Ok(());
        }
        let (sent, consequence) = held.sent.harm(harm, &suspicion, (now, until));
        held.keep(&sent).await?;
        let (count, steps, reason) = match harm {
            Harm::Malware => (sent.malware, suspicion.malware, LockReason::Malware),
            Harm::Spam => (sent.spam, suspicion.spam, LockReason::Spam),
        };
        match (consequence, steps) {
            (Consequence::Throttle, Some(steps)) => {
                tracing::warn!(%account, count, "a mailbox sends harmful mail, and may send less");
                metrics::counter!("congthu_senders_throttled_total").increment(1);
                let seen = Seen { harm, count, steps, until };
                self.tell_of_throttle(self.about_harm(who.own().address(), &seen, &sent).await).await;
            }
            (Consequence::Lock, _) => {
                tracing::warn!(%account, count, "a mailbox goes on sending harmful mail, and is locked");
                self.lock_sender(who, ("harmful-mail", reason), evidence(&sent)).await;
            }
            _ => {}
        }
        Ok(())
    }

    async fn about_harm(
        &self,
        address: &Address,
        seen: &Seen,
        sent: &Sent,
    ) -> Result<Vec<OwedNotice>, Error> {
        let Some(row) = self.0.store.life(address).await? else { return Ok(Vec::new()) };
        let told = self.told_of(&row).await?;
        let LifeRow { address, display_name, account, .. } = &row;
        let (what, english) = match seen.harm {
            Harm::Malware => ("có mã độc", "malware"),
            Harm::Spam => ("bị xác định là thư rác", "spam"),
        };
        let Seen { count, until, steps: Steps { lock_after, .. }, .. } = seen;
        let subject = format!("Hộp thư {address} gửi thư {what}");
        let text = format!(
            "Hệ thống đã chặn {count} thư {what} do hộp thư {address} ({display_name}) gửi đi. Đến {}, hộp thư này chỉ được gửi ít thư \
             hơn bình thường; thư nhận về không bị ảnh hưởng.\n\nMáy tính của chủ hộp thư có thể đã nhiễm mã độc, hoặc mật khẩu đã bị lộ: \
             hãy ngừng gửi, quét mã độc trên máy tính, đổi mật khẩu tại {} từ một máy khác và báo bộ phận quản trị. Nếu có {lock_after} thư \
             như vậy trong một ngày, hộp thư sẽ bị tạm khóa.\n\n--\n{count} messages with {english} that the mailbox sent were stopped; it \
             may send less until {}, and is locked after {lock_after} in a day. Look for malware on its owner's computer, and change the \
             password on another one.",
            written_time(*until),
            self.0.settings.password_page,
            local_text(*until),
        );
        let notice = |to: AccountId| OwedNotice {
            key: format!("harmful/{account}/{english}/{}/{to}", sent.day.since),
            to,
            subject: subject.clone(),
            text: text.clone(),
        };
        Ok(told.into_iter().map(notice).collect())
    }
}
