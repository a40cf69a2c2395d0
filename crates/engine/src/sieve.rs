//! Rules for mail that comes in (bộ lọc thư, Sieve: RFC 5228; D4): whose there are and who changes them.

mod answer;
mod leave;
mod manage;
mod notice;
mod script;
mod written;

pub(crate) use answer::AnswerMail;
pub(crate) use leave::leave_script;
pub(crate) use notice::Notices;
pub use script::{ScriptVersion, SieveError, SieveOwner, SieveScript};
pub(crate) use written::WRITTEN_BYTES_MAX;

use crate::{Engine, Error};
use model::AccountId;

impl Engine {
    /// Behind a commit that changed what is followed for these mailboxes: the other nodes are told. What is followed for many of them, a
    /// unit's or a domain's, they find out by themselves within seconds.
    pub(crate) async fn sieve_changed(&self, accounts: &[AccountId]) {
        self.rights_changed(accounts).await;
    }

    /// Nightly: whom scripts answered and what they saw, once it counts no more.
    pub(crate) async fn forget_sieve_job(&self) -> Result<String, Error> {
        let forgotten = self.0.store.forget_sieve(self.now()).await?;
        Ok(format!("{forgotten} forgotten"))
    }
}
