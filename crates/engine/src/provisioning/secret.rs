//! What the owner of a new mailbox logs in with: a password that was given, or a one-time password of ours.

use super::NamedMailbox;
use crate::passwords::{self, OneTime};
use crate::{AdminError, Engine};
use jiff::Timestamp;
use store::PasswordSubject;

/// What the owner will log in with.
pub(super) enum Secret {
    /// Of a preview.
    None,
    /// The hash of one that was given.
    Given(String),
    OneTime(OneTime),
}

impl Secret {
    pub(super) fn hash(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Given(hash) => Some(hash),
            Self::OneTime(one_time) => Some(&one_time.hash),
        }
    }

    pub(super) fn until(&self) -> Option<Timestamp> {
        match self {
            Self::OneTime(one_time) => Some(one_time.until),
            _ => None,
        }
    }

    pub(super) fn into_one_time(self) -> Option<String> {
        match self {
            Self::OneTime(one_time) => Some(one_time.password),
            _ => None,
        }
    }
}

impl Engine {
    /// The password that was given, if it will do, or a new one.
    pub(super) async fn secret(&self, new: &NamedMailbox) -> Result<Secret, AdminError> {
        let policy = self.policy_of(self.domain_id(&new.domain).await?).await?;
        let Some(password) = &new.password else { return Ok(Secret::OneTime(self.one_time(&policy).await?)) };
        let subject = PasswordSubject {
            names: vec![new.name.clone()],
            units: new.unit.iter().cloned().collect(),
            birth_year: new.birth_year,
            ..PasswordSubject::default()
        };
        let flaws = passwords::flaws(password, &subject, false, &passwords::rules(&policy));
        if !flaws.is_empty() {
            return Err(AdminError::BadPassword(flaws));
        }
        Ok(Secret::Given(self.hash_password(password).await?))
    }
}
