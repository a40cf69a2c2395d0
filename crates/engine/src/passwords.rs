//! Setting passwords: by an administrator, by the mailbox's owner, as one-time passwords (mật khẩu cấp một lần).
//!
//! Invariants: every password that somebody chose is checked by `model::password_rules` under the policy of its domain;
//! whoever sets one ends the sessions of the one before; a one-time password has an end and lets nobody in but to change
//! it.

use crate::authority::unless_missing;
use crate::notices::Notice;
use crate::{Actor, AdminError, AdminTarget, Engine, Error, LoginError, Origin, password};
use jiff::{SignedDuration, Timestamp};
use model::calendar::{local_date, written_day};
use model::lifecycle::StateName;
use model::password_rules::{self, ChangeReason, Flaw, PASSWORD_BYTES_MAX, Person, Rules};
use model::{AccountId, Action, Address, DomainId, MailboxClass, Policy, Reason, Role};
use serde_json::json;
use store::{Event, LoginRow, NewPassword, PasswordSubject};

pub use store::ResetRow;

/// Resets in one list: a busy helpdesk makes some thousand a year.
const RESETS_MAX: u32 = 10_000;

/// Mailboxes read at once.
const PAGE: u32 = 2_000;

/// Why a user's own change of the password was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The present password is wrong, or the log-in refused.
    #[error(transparent)]
    LogIn(LoginError),
    /// Everything that is wrong with the new one.
    #[error("{}", english(.0))]
    Flaws(Vec<Flaw>),
}

pub(crate) fn english(flaws: &[Flaw]) -> String {
    flaws.iter().map(|flaw| flaw.english()).collect::<Vec<_>>().join(" ")
}

/// What the policy says of passwords, in the words of the rules.
pub(crate) fn rules(policy: &Policy) -> Rules {
    let from = &policy.password;
    let short = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    Rules {
        length_min: short(from.min_length),
        upper: from.upper,
        lower: from.lower,
        digit: from.digit,
        special: from.special,
        forbid_personal: from.no_personal,
        forbid_common: from.no_common,
        remembered: short(from.history),
        change_months: from.expire_after.map(short),
        notice_days: from.expiry_notices.iter().copied().map(short).collect(),
    }
}

/// As it stands in the database.
pub(crate) fn name(reason: ChangeReason) -> &'static str {
    match reason {
        ChangeReason::FirstLogIn => "first_log_in",
        ChangeReason::Reset => "reset",
        ChangeReason::Unlocked => "unlocked",
        ChangeReason::MailboxChanged => "mailbox_changed",
        ChangeReason::Expired => "expired",
    }
}

/// The flaws of a password for whoever `subject` is; those that only the keeper of hashes can find are the caller's.
pub(crate) fn flaws(password: &str, subject: &PasswordSubject, reused: bool, rules: &Rules) -> Vec<Flaw> {
    let addresses: Vec<&str> = subject.addresses.iter().map(String::as_str).collect();
    let units: Vec<&str> = subject.units.iter().map(String::as_str).collect();
    let names = subject.names.join(" ");
    let person =
        Person { name: &names, addresses: &addresses, units: &units, birth_year: subject.birth_year };
    password_rules::check(password, &person, reused, rules)
}

/// Must a password that an administrator gave be changed at the first log-in? As he says, but only who runs the installation may
/// spare a person that where the policy asks for it (B2): else one who may only help with passwords would use a mailbox unseen.
pub(crate) fn must_change(asked: bool, actor: &Actor, class: MailboxClass, policy: &Policy) -> bool {
    let may_spare = class == MailboxClass::Service || actor.highest_role() == Some(Role::SystemAdministrator);
    asked || policy.password.change_at_first_login && !may_spare
}

/// A password for a mailbox that nobody may log in to would be void: its unlocking makes another.
fn check_in_use(login: &LoginRow) -> Result<(), AdminError> {
    match login.state.may_log_in() {
        true => Ok(()),
        false => Err(AdminError::OutOfUse(login.primary.clone(), StateName(login.state))),
    }
}

/// A one-time password, its hash, and its end.
pub(crate) struct OneTime {
    pub(crate) password: String,
    pub(crate) hash: String,
    pub(crate) until: Timestamp,
}

impl Engine {
    /// Sets a password, ends the mailbox's sessions, and records the reset as [`Engine::reset_password`] does. One that has to be
    /// changed ends as a one-time password does, as somebody else knows it. False when there is no such mailbox.
    ///
    /// # Errors
    /// `BadPassword`, with everything that is wrong with it; `BadReason`; `OutOfUse` of one that nobody may log in to.
    pub async fn set_password(
        &self,
        actor: &Actor,
        address: &Address,
        password: &str,
        must_change: bool,
        reason: &str,
    ) -> Result<bool, AdminError> {
        crate::admin::check_reason(reason)?;
        let allowed = self.authorize(actor, Action::PasswordReset, &AdminTarget::Address(address)).await;
        let Some(()) = unless_missing(allowed)? else { return Ok(false) };
        let Some(login) = self.0.store.login(address).await? else { return Ok(false) };
        check_in_use(&login)?;
        let Some(row) = self.0.store.life(address).await? else { return Ok(false) };
        let policy = self.policy_of(login.domain).await?;
        let must_change = self::must_change(must_change, actor, row.class, &policy);
        let flaws = self.flaws_for(login.account, password, &rules(&policy)).await?;
        if !flaws.is_empty() {
            return Err(AdminError::BadPassword(flaws));
        }
        let hash = self.hash_password(password).await?;
        let new = NewPassword {
            hash: &hash,
            at: self.now(),
            change: must_change.then_some(name(ChangeReason::Reset)),
            one_time_until: must_change.then(|| self.one_time_end(&policy)),
            remembered: rules(&policy).remembered,
        };
        let detail = json!({ "reason": reason, "must_change": must_change, "chosen": true });
        self.keep_password(actor, &login, &new, &detail, (&policy, reason)).await
    }

    /// Sets a new one-time password, which must be changed at the first log-in, and records the reset
    /// (An Giang 63/2016 Điều 11.2a); `None` when there is no such mailbox.
    ///
    /// # Errors
    /// `BadReason`, `OutOfUse`, or when the database fails.
    pub async fn reset_password(
        &self,
        actor: &Actor,
        address: &Address,
        reason: &str,
    ) -> Result<Option<String>, AdminError> {
        crate::admin::check_reason(reason)?;
        let allowed = self.authorize(actor, Action::PasswordReset, &AdminTarget::Address(address)).await;
        let Some(()) = unless_missing(allowed)? else { return Ok(None) };
        let Some(login) = self.0.store.login(address).await? else { return Ok(None) };
        check_in_use(&login)?;
        let policy = self.policy_of(login.domain).await?;
        let one_time = self.one_time(&policy).await?;
        let new = one_time.as_new(ChangeReason::Reset, self.now(), &policy);
        let detail = json!({ "reason": reason, "one_time_until": one_time.until.to_string() });
        let kept = self.keep_password(actor, &login, &new, &detail, (&policy, reason)).await?;
        Ok(kept.then_some(one_time.password))
    }

    async fn keep_password(
        &self,
        actor: &Actor,
        login: &LoginRow,
        new: &NewPassword<'_>,
        detail: &serde_json::Value,
        (policy, reason): (&Policy, &str),
    ) -> Result<bool, AdminError> {
        let due = match policy.request.written_confirmation {
            true => {
                let days = i32::try_from(policy.request.confirmation_days).unwrap_or(i32::MAX);
                Some(self.calendar().await?.add_working_days(local_date(self.now()), days))
            }
            false => None,
        };
        let mut tx = self.0.store.begin().await?;
        // The lock moves the modseq on: by it, nodes that heard nothing notice that sessions have ended.
        if tx.lock_mailbox(login.account).await?.is_none() {
            return Ok(false);
        }
        tx.set_password(login.account, new).await?;
        tx.add_password_reset(login.account, self.now(), actor.name(), reason, due).await?;
        self.audit(&mut tx, actor, "mailbox.password", &login.primary.to_string(), detail).await?;
        tx.commit().await?;
        self.rights_changed(&[login.account]).await;
        Ok(true)
    }

    /// Resets, the newest first, `RESETS_MAX` at most; `open`: those whose written confirmation is owed. Those of all domains,
    /// for who runs the installation.
    ///
    /// # Errors
    /// `Denied`.
    pub async fn password_resets(&self, actor: &Actor, open: bool) -> Result<Vec<ResetRow>, AdminError> {
        if !actor.reach(Action::PasswordReset).everything {
            return Err(AdminError::Denied(Reason::Role));
        }
        Ok(self.0.store.password_resets(open, RESETS_MAX).await?)
    }

    /// The organisation has confirmed a reset in writing (An Giang 63/2016 Điều 11.2a). The mailbox's address; `None` when
    /// nothing is owed under this number.
    ///
    /// # Errors
    /// `BadReason`.
    pub async fn confirm_password_reset(
        &self,
        actor: &Actor,
        number: i64,
        document: &str,
    ) -> Result<Option<String>, AdminError> {
        crate::admin::check_reason(document)?;
        if !actor.reach(Action::PasswordReset).everything {
            return Err(AdminError::Denied(Reason::Role));
        }
        let mut tx = self.0.store.begin().await?;
        let confirmed = tx.confirm_password_reset(number, self.now(), actor.name(), document).await?;
        let Some(address) = confirmed else { return Ok(None) };
        let detail = json!({ "number": number, "document": document });
        self.audit(&mut tx, actor, "mailbox.confirm-reset", &address, &detail).await?;
        tx.commit().await?;
        Ok(Some(address))
    }

    /// The owner's own change, which also ends "must be changed". Throttled like a log-in, as it is one.
    ///
    /// # Errors
    /// See [`ChangeError`]; nothing is changed then.
    pub async fn change_password(
        &self,
        login: &str,
        present: &str,
        new: &str,
        origin: &Origin,
    ) -> Result<(), ChangeError> {
        let row = self.log_in_to_change(login, present, origin).await.map_err(ChangeError::LogIn)?;
        self.change_to(&row, new, origin).await.map_err(|error| match error {
            AdminError::BadPassword(flaws) => ChangeError::Flaws(flaws),
            _ => ChangeError::LogIn(LoginError::Unavailable),
        })
    }

    async fn change_to(&self, row: &LoginRow, password: &str, origin: &Origin) -> Result<(), AdminError> {
        let policy = self.policy_of(row.domain).await?;
        let rules = rules(&policy);
        let flaws = self.flaws_for(row.account, password, &rules).await?;
        if !flaws.is_empty() {
            return Err(AdminError::BadPassword(flaws));
        }
        let hash = self.hash_password(password).await?;
        let mut tx = self.0.store.begin().await?;
        let there = tx.lock_mailbox(row.account).await?.is_some();
        // Reset by somebody else while this one was thought of: theirs holds.
        if !there || tx.password_hash(row.account).await? != row.password_hash {
            return Err(AdminError::Engine(Error::Revoked));
        }
        let new = NewPassword {
            hash: &hash,
            at: self.now(),
            change: None,
            one_time_until: None,
            remembered: rules.remembered,
        };
        tx.set_password(row.account, &new).await?;
        tx.note(&Event {
            at: self.now(),
            kind: "password_changed",
            trace: &origin.trace_text(),
            account: Some(row.account),
            remote: Some(&origin.remote.to_canonical().to_string()),
            sender: None,
            size: None,
            status: Some(&self.door_of(origin)),
            about: None,
        })
        .await?;
        tx.commit().await?;
        self.rights_changed(&[row.account]).await;
        Ok(())
    }

    async fn flaws_for(
        &self,
        account: AccountId,
        password: &str,
        rules: &Rules,
    ) -> Result<Vec<Flaw>, AdminError> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Ok(vec![Flaw::TooLong]);
        }
        let subject = self.0.store.password_subject(account, rules.remembered).await?.unwrap_or_default();
        let last: Vec<String> = subject.hashes.iter().take(usize::from(rules.remembered)).cloned().collect();
        let mut found = flaws(password, &subject, false, rules);
        // The hashes are only asked about a password that would do otherwise: each takes 30 ms.
        if found.is_empty() && !last.is_empty() && self.0.passwords.is_one_of(last, password).await {
            found = flaws(password, &subject, true, rules);
        }
        Ok(found)
    }

    /// What a password must be in every domain: for people of whom nobody knows yet which is theirs.
    ///
    /// From the policies that this node keeps: anybody on the Internet may ask, so the database is not.
    #[must_use]
    pub fn strictest_password_rules(&self) -> Rules {
        let all = self.0.policies.all();
        all.iter().map(|policy| rules(policy)).reduce(|all, rules| all.and(&rules)).unwrap_or_default()
    }

    /// Tells those whose password ends soon (Sóc Trăng 59/2024 Điều 8.2c), in the domains where it does.
    pub(crate) async fn password_notices_job(&self) -> Result<String, Error> {
        let mut told = 0;
        for (domain, _) in self.0.store.domain_ids().await? {
            let rules = rules(&*self.policy_of(domain).await?);
            let (Some(months), Some(first)) = (rules.change_months, rules.notice_days.iter().max()) else {
                continue;
            };
            // No month is shorter than 28 days.
            let days = i64::from(months) * 28 - i64::from(*first) - 1;
            let before = self.now() - SignedDuration::from_hours(24 * days.max(0));
            told += self.tell_expiries(domain, &rules, before).await?;
        }
        Ok(format!("{told} told"))
    }

    async fn tell_expiries(
        &self,
        domain: DomainId,
        rules: &Rules,
        before: Timestamp,
    ) -> Result<usize, Error> {
        let today = local_date(self.now());
        let (mut after, mut told) = (AccountId(0), 0);
        loop {
            let page = self.0.store.old_passwords(domain, before, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(told) };
            after = last.account;
            for age in &page {
                let set_on = local_date(age.set_at);
                let Some(days) = rules.notice(set_on, None, today) else { continue };
                let Some(end) = rules.last_day(set_on) else { continue };
                let key = format!("password/{}/{set_on}/{days}", age.account);
                let end = written_day(end);
                let text = format!(
                    "Mật khẩu hộp thư của Ông/Bà hết hạn sau ngày {end}. Hãy đổi mật khẩu tại {page} trước ngày đó; quá hạn, chương \
                     trình thư sẽ không đăng nhập được cho đến khi đổi mật khẩu.\n\n--\nYour password ends on {end}: change it \
                     at {page}",
                    page = self.password_page()
                );
                let notice = Notice {
                    key: &key,
                    to: age.account,
                    subject: "Mật khẩu hộp thư sắp hết hạn",
                    text: &text,
                };
                told += usize::from(self.post(&notice).await?);
            }
            if page.len() < PAGE as usize {
                return Ok(told);
            }
        }
    }

    pub(crate) async fn one_time(&self, policy: &Policy) -> Result<OneTime, Error> {
        let password = password::one_time(&*self.0.rng);
        let hash = self.hash_password(&password).await?;
        Ok(OneTime { password, hash, until: self.one_time_end(policy) })
    }

    /// The end of a one-time password that is made now: so many times 24 hours later.
    pub(crate) fn one_time_end(&self, policy: &Policy) -> Timestamp {
        self.now() + SignedDuration::from_hours(24 * i64::from(policy.password.one_time_days))
    }

    pub(crate) async fn hash_password(&self, password: &str) -> Result<String, Error> {
        self.0.passwords.hash(password, self.0.rng.clone()).await.ok_or(Error::Unavailable)
    }
}

impl OneTime {
    pub(crate) fn as_new(&self, reason: ChangeReason, at: Timestamp, policy: &Policy) -> NewPassword<'_> {
        NewPassword {
            hash: &self.hash,
            at,
            change: Some(name(reason)),
            one_time_until: Some(self.until),
            remembered: rules(policy).remembered,
        }
    }
}
