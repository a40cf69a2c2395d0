//! Quotas (dung lượng, An Giang 63/2016 Điều 9.3): who may send, what is taken, warnings, quotas of a mailbox's own, and the
//! count that proves that usage is the truth.
//!
//! Invariants: over quota nothing is sent, and mail is taken up to the hard limit, overshot by one message at most, as that is
//! looked at under the mailbox's lock; a warning of a threshold comes once until usage has been well below it; deliveries look
//! nothing up for any of this.

use crate::admin::check_reason;
use crate::authority::unless_missing;
use crate::notices::Notice;
use crate::{Actor, AdminError, AdminTarget, Engine, Error, Principal};
use model::calendar::local_date;
use model::quota::{Fullness, Overrides, Range, Rules, Usage, Warned, warn_once};
use model::{AccountId, Action, Address, DomainId, MailboxClass, Policy};
use serde_json::json;
use std::sync::Arc;
use store::{SendingRow, UsageMark, UsageRow};

pub use store::QuotaRow;

/// Mailboxes read at once.
const PAGE: u32 = 2_000;
/// An administrator's mistake in the unit is noticed: 1 PB.
const QUOTA_BYTES_MAX: u64 = 1 << 50;

/// Why a mailbox has a quota of its own since it was made.
pub(crate) const QUOTA_FROM_START: &str = "khi cấp mới";

/// Why somebody whose rights hold may not send.
pub(crate) enum Sending {
    Allowed(SendingRow),
    OverQuota,
}

impl Sending {
    pub(crate) fn allowed(self) -> Option<SendingRow> {
        match self {
            Self::Allowed(row) => Some(row),
            Self::OverQuota => None,
        }
    }
}

/// What the policy says of quotas, in the words of the rules.
pub(crate) fn rules(policy: &Policy) -> Rules {
    let short = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    let quota = &policy.quota;
    Rules {
        warn_percents: quota.warn_at.iter().copied().map(short).chain([100]).collect(),
        over_may_send: !quota.block_sending,
        hard_limit_percent: short(quota.hard_limit),
        overrides: Overrides {
            person: own_range(policy, MailboxClass::Person),
            leader: own_range(policy, MailboxClass::Leader),
            organisation: own_range(policy, MailboxClass::Organisation),
            service: own_range(policy, MailboxClass::Service),
        },
        ..Rules::default()
    }
}

/// What one mailbox of this class may be given for itself.
pub(crate) fn own_range(policy: &Policy, class: MailboxClass) -> Range {
    let (least, most) = policy.own_quota_bytes(class);
    Range { least, most }
}

/// May a mailbox of this class have these octets for itself (AG Đ9.3a-b; TN Đ3.7; ST Đ7)? What the class has needs no leave.
pub(crate) fn check_own(policy: &Policy, class: MailboxClass, bytes: Option<u64>) -> Result<(), AdminError> {
    let Some(bytes) = bytes else { return Ok(()) };
    if bytes > QUOTA_BYTES_MAX {
        return Err(AdminError::BadQuota);
    }
    rules(policy).check_override(class, bytes).map_err(|error| {
        let field = error.field();
        AdminError::QuotaOutside { error, field, article: policy.profile.article(field) }
    })
}

impl Engine {
    /// Do this principal's rights hold, and may the mailbox send (Điều 9.3c)? One question for both.
    pub(crate) async fn may_send(&self, who: &Principal) -> Result<Sending, Error> {
        let who = who.own();
        let row = self.0.store.sending(who.account()).await?;
        let row = row.filter(|row| row.security_epoch == who.security_epoch()).ok_or(Error::Revoked)?;
        let policy = self.policy_of(row.domain).await?;
        let usage = Usage { used: row.used_bytes, quota: row.quota_bytes };
        Ok(if usage.may_send(&rules(&policy)) { Sending::Allowed(row) } else { Sending::OverQuota })
    }

    /// The policy of the domain that the mailbox belongs to now: it may have moved since the log-in.
    pub(crate) async fn present_policy(&self, who: &Principal) -> Result<Arc<Policy>, Error> {
        let domain = self.0.store.domain_of(who.account()).await?.ok_or(Error::Revoked)?;
        self.policy_of(domain).await
    }

    /// The share of the quota, in percent, up to which this user's mailbox takes messages.
    pub(crate) async fn hard_limit_percent(&self, who: &Principal) -> Result<u64, Error> {
        Ok(self.present_policy(who).await?.quota.hard_limit.into())
    }

    /// Warns mailboxes that are nearly full, and notes since when those are full that take no more.
    pub(crate) async fn quota_warnings_job(&self) -> Result<String, Error> {
        let mut warned = 0;
        for (domain, _) in self.0.store.domain_ids().await? {
            warned += self.warn_domain(domain).await?;
        }
        Ok(format!("{warned} warned"))
    }

    async fn warn_domain(&self, domain: DomainId) -> Result<usize, Error> {
        let rules = rules(&*self.policy_of(domain).await?);
        let lowest = rules.warn_percents.iter().copied().min().unwrap_or(100);
        let (mut after, mut warned) = (AccountId(0), 0);
        loop {
            let page = self.0.store.near_quota(domain, lowest, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(warned) };
            after = last.account;
            let mut marks = Vec::new();
            for row in &page {
                let (mark, given) = self.judge(row, &rules);
                if let Some(percent) = given {
                    self.tell_nearly_full(row, percent, &rules).await?;
                    warned += 1;
                }
                if (mark.warned, mark.full_since) != (row.warned, row.full_since) {
                    marks.push(mark);
                }
            }
            if !marks.is_empty() {
                let mut tx = self.0.store.begin().await?;
                tx.mark_usages(&marks).await?;
                tx.commit().await?;
            }
            if page.len() < PAGE as usize {
                return Ok(warned);
            }
        }
    }

    fn judge(&self, row: &UsageRow, rules: &Rules) -> (UsageMark, Option<u16>) {
        let usage = Usage { used: row.used_bytes, quota: row.quota_bytes };
        let (Warned(warned), given) = warn_once(Warned(row.warned), usage, rules);
        let is_full = usage.fullness(rules) == Fullness::Blocked;
        let full_since = is_full.then(|| row.full_since.unwrap_or_else(|| self.now()));
        (UsageMark { account: row.account, warned, full_since }, given)
    }

    async fn tell_nearly_full(&self, row: &UsageRow, percent: u16, rules: &Rules) -> Result<(), Error> {
        let key = format!("quota/{}/{percent}/{}", row.account, local_date(self.now()));
        let (used, quota) = (megabytes(row.used_bytes), megabytes(row.quota_bytes));
        let subject = if percent >= 100 {
            format!("Hộp thư {} đã hết dung lượng", row.address)
        } else {
            format!("Hộp thư {} đã dùng {percent} % dung lượng", row.address)
        };
        let after = if rules.over_may_send {
            String::new()
        } else {
            "Khi vượt dung lượng, hộp thư không gửi được thư. ".to_owned()
        };
        let text = format!(
            "Hộp thư {} đang dùng {used} MB trên tổng số {quota} MB.\n\n{after}Khi dùng đến {} % dung lượng, hộp thư không nhận thêm \
             thư. Hãy xóa thư không cần thiết (kể cả trong thư mục thư đã xóa) hoặc lưu thư cũ về máy.\n\n--\nThe mailbox uses \
             {used} of {quota} MB. Over its quota it cannot send.",
            row.address, rules.hard_limit_percent
        );
        self.post(&Notice { key: &key, to: row.account, subject: &subject, text: &text }).await?;
        Ok(())
    }

    /// Gives mailboxes what their class has now, counts every mailbox, and mends what is not the truth.
    pub(crate) async fn recount_job(&self) -> Result<String, Error> {
        let mut followed = 0;
        let actor = Actor::system("recount-usage");
        for (domain, name) in self.0.store.domain_ids().await? {
            let policy = self.policy_of(domain).await?;
            let quotas = MailboxClass::ALL.map(|class| (class, policy.quota_bytes(class)));
            let mut tx = self.0.store.begin().await?;
            let count = tx.follow_class_quotas(domain, &quotas).await?;
            if count > 0 {
                let detail = json!({ "mailboxes": count, "quotas": quotas });
                let audited = self.audit(&mut tx, &actor, "quota.follow-class", name.as_str(), &detail).await;
                audited.map_err(|_| Error::Unavailable)?;
                tx.commit().await?;
                followed += count;
            }
        }
        let mut mended = 0;
        for account in self.0.store.drifts().await? {
            let mut tx = self.0.store.begin().await?;
            let Some(drift) = tx.recount(account).await? else { continue };
            tracing::error!(%account, kept = ?drift.kept, truth = ?drift.truth, "a mailbox's usage was not the truth");
            let detail = json!({ "kept": drift.kept, "truth": drift.truth });
            let audited = self.audit(&mut tx, &actor, "mailbox.recount", &drift.address, &detail).await;
            audited.map_err(|_| Error::Unavailable)?;
            tx.commit().await?;
            mended += 1;
        }
        Ok(format!("{followed} have the quota of their class anew, {mended} usages mended"))
    }

    /// Used, granted, and by whom where it is the mailbox's own; `None` when there is no such mailbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mailbox_quota(
        &self,
        actor: &Actor,
        address: &Address,
    ) -> Result<Option<QuotaRow>, AdminError> {
        let allowed = self.authorize(actor, Action::MailboxShow, &AdminTarget::Address(address)).await;
        let Some(()) = unless_missing(allowed)? else { return Ok(None) };
        Ok(self.0.store.quota_row(address).await?)
    }

    /// Gives a mailbox a quota of its own, or with `None` that of its class (Điều 9.3a); the quota it has now.
    ///
    /// # Errors
    /// `NoSuchMailbox`, `BadReason`, `BadQuota`, `QuotaOutside`.
    pub async fn set_quota(
        &self,
        actor: &Actor,
        address: &Address,
        bytes: Option<u64>,
        reason: &str,
    ) -> Result<u64, AdminError> {
        check_reason(reason)?;
        self.authorize(actor, Action::MailboxQuota, &AdminTarget::Address(address)).await?;
        let row = self.0.store.quota_row(address).await?;
        let row = row.ok_or_else(|| AdminError::NoSuchMailbox(address.clone()))?;
        let policy = self.policy_of(row.domain).await?;
        check_own(&policy, row.class, bytes)?;
        let granted = bytes.unwrap_or(policy.quota_bytes(row.class));
        let mut tx = self.0.store.begin().await?;
        tx.set_quota(row.account, granted, bytes.map(|_| (actor.name(), reason))).await?;
        let detail =
            json!({ "was": row.quota_bytes, "is": granted, "own": bytes.is_some(), "reason": reason });
        self.audit(&mut tx, actor, "mailbox.quota", &row.address.to_string(), &detail).await?;
        tx.commit().await?;
        Ok(granted)
    }
}

/// 1 MB = 2^20 bytes, as quotas are counted; rounded up.
fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}
