//! What differs from province to province: one typed [`Policy`] per domain, seeded from a [`Profile`], changed by an
//! administrator, each change told field by field.
//!
//! Invariants: each field is defined once ([`Field`]: type, default, unit, range, label, requirement); a policy that passed
//! [`Policy::validate`] is within every range, and no policy keeps logs for less than [`LOG_RETENTION_MONTHS_MIN`].
//! Naming schemes are named here ([`SchemeId`]), not implemented; terms are plain numbers with their unit.

mod coming;
mod conduct;
mod field;
#[cfg(test)]
mod files;
mod filter;
mod inbound;
mod limits;
mod lists;
mod logins;
mod mailboxes;
mod profile;
mod rules;
mod service;
#[cfg(test)]
mod tests;
mod value;

pub use conduct::{Checking, Directory, Handling, Requests, Rules, Sending};
pub use field::Field;
pub use filter::{Filter, SpamOut, Unscanned, Unwanted};
pub use inbound::{Disowned, Doubtful, Inbound};
pub use limits::Limits;
pub use lists::DnsList;
pub use logins::{CloudLogins, Logins, NewCountry};
pub use mailboxes::{Attachments, LifeCycle, Naming, Passwords, Quota};
pub use profile::{Bound, Departure, Profile, Setting};
pub use rules::{Rule, Violation};
pub use service::{Administration, Announcements, Contacts, LOG_RETENTION_MONTHS_MIN, Logs, Reports};
pub use value::{
    Activity, Deletion, ExternalSending, HandlingState, Measure, MonthDay, PersonalDelegation,
    PublicDirectory, SchemeId, SecretMail,
};

use crate::MailboxClass;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Bytes of one megabyte, as quotas and limits count (dung lượng).
const MEGABYTE_BYTES: u64 = 1 << 20;
/// What a message has besides its attachments: texts and headers.
const TEXT_BYTES: u64 = MEGABYTE_BYTES;
/// Characters that say why a policy was changed.
const REASON_CHARS_MAX: usize = 1000;

/// The rules of one domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// The regulation that the domain is under; says which article each rule comes from.
    pub profile: Profile,
    pub naming: Naming,
    pub quota: Quota,
    pub attachment: Attachments,
    pub password: Passwords,
    pub life: LifeCycle,
    pub request: Requests,
    pub checking: Checking,
    pub sending: Sending,
    pub rules: Rules,
    pub limit: Limits,
    pub login: Logins,
    pub inbound: Inbound,
    pub filter: Filter,
    pub handling: Handling,
    pub directory: Directory,
    pub log: Logs,
    pub announcement: Announcements,
    pub report: Reports,
    pub contact: Contacts,
    pub administration: Administration,
}

const SECTIONS: &[&[Field]] = &[
    mailboxes::NAMING,
    mailboxes::QUOTA,
    mailboxes::ATTACHMENT,
    mailboxes::PASSWORD,
    mailboxes::LIFE,
    conduct::REQUEST,
    conduct::CHECKING,
    conduct::SENDING,
    conduct::RULES,
    limits::LIMIT,
    logins::LOGIN,
    inbound::INBOUND,
    filter::FILTER,
    conduct::HANDLING,
    conduct::DIRECTORY,
    service::LOG,
    service::ANNOUNCEMENT,
    service::REPORT,
    service::CONTACT,
    service::ADMINISTRATION,
];

/// Why a field was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    #[error("the policy has no such field")]
    Unknown,
    #[error("the value is not written as this field wants it")]
    Form,
    #[error("the value is outside the field's range")]
    Range,
}

/// One field that differs between two policies, for the audit trail and for whoever decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// [`Field::key`], or `profile`.
    pub field: &'static str,
    /// Vietnamese.
    pub label: &'static str,
    /// With its unit, Vietnamese.
    pub old: String,
    pub new: String,
    /// Of the new policy's regulation, or that it is silent.
    pub article: String,
}

impl Policy {
    /// Every field there is, in the order in which it is shown.
    pub fn fields() -> impl Iterator<Item = &'static Field> {
        SECTIONS.iter().flat_map(|section| section.iter())
    }

    #[must_use]
    pub fn field(key: &str) -> Option<&'static Field> {
        Self::fields().find(|field| field.key == key)
    }

    /// Sets one field from its text (`300`, `off`, `80,90,95`, `true`); left as it was on error.
    ///
    /// # Errors
    /// When there is no such field, or the text is no value of it. What lies between fields is for [`Policy::validate`].
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), SetError> {
        let field = Self::field(key).ok_or(SetError::Unknown)?;
        let mut changed = self.clone();
        if !(field.assign)(&mut changed, text) {
            return Err(SetError::Form);
        }
        if !field.is_valid(&changed) {
            return Err(SetError::Range);
        }
        *self = changed;
        Ok(())
    }

    /// Everything that is wrong with it, ranges first.
    ///
    /// # Errors
    /// The list of violations, never empty.
    pub fn validate(&self) -> Result<(), Vec<Violation>> {
        let violations = rules::violations(self);
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    /// The fields in which `new` differs from `old`, in their order; none when they are equal.
    #[must_use]
    pub fn diff(old: &Self, new: &Self) -> Vec<Change> {
        let profile = (old.profile != new.profile).then(|| Change {
            field: "profile",
            label: "Quy chế áp dụng",
            old: old.profile.title().to_owned(),
            new: new.profile.title().to_owned(),
            article: new.profile.regulation().to_owned(),
        });
        let fields = Self::fields().filter(|field| field.text(old) != field.text(new)).map(|field| Change {
            field: field.key,
            label: field.label,
            old: field.shown(old),
            new: field.shown(new),
            article: new.profile.article(field.key),
        });
        profile.into_iter().chain(fields).collect()
    }

    /// Quota in bytes of a mailbox of this class that has no quota of its own (AG Đ9.3b; TN Đ3.7; ST Đ7).
    #[must_use]
    pub fn quota_bytes(&self, class: MailboxClass) -> u64 {
        let megabytes = match class {
            MailboxClass::Person => self.quota.person,
            MailboxClass::Leader => self.quota.leader,
            MailboxClass::Organisation => self.quota.organisation,
            MailboxClass::Service => self.quota.service,
        };
        u64::from(megabytes) * MEGABYTE_BYTES
    }

    /// Least and most bytes that a mailbox of this class may be given for itself (AG Đ9.3a-b; TN Đ3.7; ST Đ7); `None`: no bound.
    #[must_use]
    pub fn own_quota_bytes(&self, class: MailboxClass) -> (Option<u64>, Option<u64>) {
        let quota = &self.quota;
        let (least, most) = match class {
            MailboxClass::Person => (quota.person_min, quota.person_max),
            MailboxClass::Leader => (quota.leader_min, quota.leader_max),
            MailboxClass::Organisation => (quota.organisation_min, quota.organisation_max),
            MailboxClass::Service => (quota.service_min, quota.service_max),
        };
        let bytes = |megabytes: u32| u64::from(megabytes) * MEGABYTE_BYTES;
        (least.map(bytes), most.map(bytes))
    }

    /// The decoded bytes that one attachment (tệp đính kèm) may have.
    #[must_use]
    pub fn file_bytes_max(&self) -> u64 {
        u64::from(self.attachment.per_file.unwrap_or(self.attachment.per_message)) * MEGABYTE_BYTES
    }

    /// The decoded bytes that all attachments of one message may have together.
    #[must_use]
    pub fn attachments_bytes_max(&self) -> u64 {
        u64::from(self.attachment.per_message) * MEGABYTE_BYTES
    }

    /// What submission advertises as SIZE: attachments in base64 with its line ends, and texts.
    #[must_use]
    pub fn submission_bytes_max(&self) -> u64 {
        // RFC 2045 6.8: 57 bytes become a line of 76 characters and CR LF.
        self.attachments_bytes_max().div_ceil(57) * 78 + TEXT_BYTES
    }

    /// Months that logs are kept, never below the floor, whatever a stored policy says (AG Đ9.2).
    #[must_use]
    pub fn log_retention_months(&self) -> u32 {
        self.log.retention.max(LOG_RETENTION_MONTHS_MIN)
    }

    /// What the inbound door advertises as SIZE.
    #[must_use]
    pub fn inbound_bytes_max(&self) -> u64 {
        u64::from(self.attachment.inbound_message) * MEGABYTE_BYTES
    }
}

/// A policy with its place in the history of its domain; versions are kept, never edited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// From 1, without gaps.
    pub number: u32,
    pub since: Timestamp,
    /// Who made it, as the audit trail names people.
    pub by: String,
    /// Why: a decision's number, or a sentence.
    pub reason: String,
    pub policy: Policy,
}

/// Why there is no next version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    #[error("the policy is not valid")]
    Invalid(Vec<Violation>),
    #[error("nothing has changed")]
    Unchanged,
    #[error("someone else has changed the policy: it is version {0} now")]
    Stale(u32),
    #[error("say why, in at most 1000 characters")]
    Reason,
    #[error("the policy cannot be changed before its present version")]
    Time,
}

impl PolicyVersion {
    /// The first of a domain.
    ///
    /// # Errors
    /// When the policy is not valid.
    pub fn first(policy: Policy, by: &str, at: Timestamp) -> Result<Self, VersionError> {
        policy.validate().map_err(VersionError::Invalid)?;
        let reason = policy.profile.title().to_owned();
        Ok(Self { number: 1, since: at, by: by.to_owned(), reason, policy })
    }

    /// The next version and what it changes. `based_on` is the version that the administrator looked at.
    ///
    /// # Errors
    /// When it is not valid, changes nothing, was made from an older version, or has no reason.
    pub fn succeed(
        &self,
        policy: Policy,
        based_on: u32,
        by: &str,
        reason: &str,
        at: Timestamp,
    ) -> Result<(Self, Vec<Change>), VersionError> {
        if based_on != self.number {
            return Err(VersionError::Stale(self.number));
        }
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
            return Err(VersionError::Reason);
        }
        if at < self.since {
            return Err(VersionError::Time);
        }
        policy.validate().map_err(VersionError::Invalid)?;
        let changes = Policy::diff(&self.policy, &policy);
        if changes.is_empty() {
            return Err(VersionError::Unchanged);
        }
        let number = self.number.saturating_add(1);
        let (by, reason) = (by.to_owned(), reason.to_owned());
        Ok((Self { number, since: at, by, reason, policy }, changes))
    }
}
