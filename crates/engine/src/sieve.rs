//! Rules (bộ lọc thư, Sieve) followed when a message is accepted: what they want is part of the one transaction that accepts it.
//!
//! Invariants: a mailbox with nothing to follow costs nothing; what a script cannot have, or fails at, leaves the message in INBOX, and its
//! owner is told once; no mailbox loses a message that nobody wanted away; what is Junk, kept apart, held or for later is not looked at.

mod answer;
mod apply;
mod copies;
mod failed;
mod leave;
mod manage;
mod memory;
mod notice;
mod onward;
mod questions;
mod rejected;
mod run;
mod script;
mod writes;
mod written;

pub(crate) use answer::AnswerMail;
pub(crate) use memory::Sieves;
pub use script::{ScriptVersion, SieveError, SieveOwner, SieveScript};

use crate::intake::{Permit, Prepared};
use crate::{Engine, Error};
use failed::Failed;
use leave::leave_script;
use model::{AccountId, Flags, Keyword};
use std::collections::HashMap;
use store::{Filed, Sighted, Target};
use writes::Written;
use written::WRITTEN_BYTES_MAX;

/// What rules want besides where [`crate::expansion::Meant`] has the targets.
#[derive(Debug, Default)]
pub(crate) struct Sifted {
    copies: Vec<Copy>,
    /// The message with other headers.
    pub(crate) changed: Vec<Prepared>,
    pub(crate) sighted: Vec<Sighted>,
    /// Addresses whose mailboxes keep nothing, as they want.
    pub(crate) gone: Vec<String>,
    /// Of mailboxes that are answered each for itself: why their rules reject it, in ASCII.
    pub(crate) turned_away: HashMap<AccountId, String>,
    /// What rules write to others.
    pub(crate) written: Written,
    failed: Vec<Failed>,
    /// For what is written of it.
    rooms: Vec<Permit>,
}

/// One in a mailbox.
#[derive(Clone, Debug)]
struct Copy {
    target: Target,
    flags: Flags,
    keywords: Vec<Keyword>,
    /// The how-manieth of those with another header.
    changed: Option<usize>,
}

impl Sifted {
    /// Nothing is wanted that the short path cannot do.
    pub(crate) fn is_plain(&self) -> bool {
        self.copies.is_empty() && self.sighted.is_empty() && self.gone.is_empty() && self.written.is_empty()
    }

    /// Nobody gets it by this, and nobody wanted it away.
    pub(crate) fn is_empty(&self) -> bool {
        self.copies.is_empty() && self.gone.is_empty()
    }

    /// As the store takes them.
    pub(crate) fn filed(&self, with_keywords: bool) -> Vec<Filed<'_>> {
        let filed = self.copies.iter().map(|copy| Filed {
            target: &copy.target,
            flags: copy.flags,
            keywords: if with_keywords { &copy.keywords } else { &[] },
            changed: copy.changed,
        });
        filed.collect()
    }

    /// Scripts that failed, or could not have what they wanted.
    pub(crate) fn failed(&self) -> &[Failed] {
        &self.failed
    }

    fn holds(&self, account: AccountId) -> bool {
        self.copies.iter().any(|copy| copy.target.account == account)
    }
}

impl Engine {
    /// Behind a commit that changed what is followed for these mailboxes: this node knows, and the others are told. What is followed for
    /// many of them, a unit's or a domain's, they find out by themselves within seconds.
    pub(crate) async fn sieve_changed(&self, accounts: &[AccountId]) {
        self.sieves_changed().await;
        self.rights_changed(accounts).await;
    }

    /// Nightly: whom scripts answered and what they saw, once it counts no more.
    pub(crate) async fn forget_sieve_job(&self) -> Result<String, Error> {
        let forgotten = self.0.store.forget_sieve(self.now()).await?;
        Ok(format!("{forgotten} forgotten"))
    }
}
