//! Forwardings as people see them: whose mail goes where by itself, and what of it is stopped.

use super::{ForwardError, ForwardListed, ForwardQuery, ForwardStop, is_let_out};
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use model::{AccountState, Action, Address, Reason};
use store::{ForwardFilter, Reach};

/// Forwardings to one mailbox that are named: an office's has a handful.
const TO_ONE_MAX: u32 = 1_000;

impl Engine {
    /// That of one mailbox, also while mail stays in spite of it.
    ///
    /// # Errors
    /// `NoSuchMailbox`.
    pub async fn forward(
        &self,
        actor: &Actor,
        mailbox: &Address,
    ) -> Result<Option<ForwardListed>, ForwardError> {
        self.authorize(actor, Action::MailboxShow, &AdminTarget::Address(mailbox)).await?;
        let account = Some(self.party(mailbox).await?.account);
        let reach = Reach { everything: true, ..Reach::default() };
        let filter = ForwardFilter {
            reach: &reach,
            domain: None,
            account,
            target: None,
            outside: false,
            after: None,
            limit: 1,
        };
        Ok(self.listed(filter).await?.pop())
    }

    /// Those that lead to this mailbox, `TO_ONE_MAX` at most: of the mailboxes whose forwardings he may list.
    ///
    /// # Errors
    /// `NoSuchMailbox`.
    pub async fn forwards_to(
        &self,
        actor: &Actor,
        mailbox: &Address,
    ) -> Result<Vec<ForwardListed>, ForwardError> {
        self.authorize(actor, Action::MailboxShow, &AdminTarget::Address(mailbox)).await?;
        let target = Some(self.party(mailbox).await?.account);
        let reach = actor.reach(Action::ForwardingList);
        if reach.is_empty() {
            return Ok(Vec::new());
        }
        let filter = ForwardFilter {
            reach: &reach,
            domain: None,
            account: None,
            target,
            outside: false,
            after: None,
            limit: TO_ONE_MAX,
        };
        Ok(self.listed(filter).await?)
    }

    /// Whose mail goes where by itself, by the mailboxes' addresses, as far as he may see.
    ///
    /// # Errors
    /// `NoSuchDomain`, `Denied` for whoever lists nothing.
    pub async fn forwards(
        &self,
        actor: &Actor,
        query: ForwardQuery<'_>,
    ) -> Result<Vec<ForwardListed>, ForwardError> {
        let reach = match query.domain {
            Some(domain) => self.authorize_part(actor, Action::ForwardingList, domain).await?,
            None => actor.reach(Action::ForwardingList),
        };
        if reach.is_empty() {
            return Err(AdminError::Denied(Reason::Role).into());
        }
        let ForwardQuery { domain, outside, after, limit } = query;
        let filter =
            ForwardFilter { reach: &reach, domain, account: None, target: None, outside, after, limit };
        Ok(self.listed(filter).await?)
    }

    async fn listed(&self, filter: ForwardFilter<'_>) -> Result<Vec<ForwardListed>, Error> {
        let mut listed = Vec::new();
        for row in self.0.store.forwards_listed(filter).await? {
            let goes = match row.to {
                None => is_let_out(&*self.policy_of(row.domain).await?, row.forward.target.domain()),
                Some((domain, AccountState::Locked)) => self.policy_of(domain).await?.life.locked_receives,
                Some((_, state)) => state.receives(),
            };
            let is_outside = row.to.is_none();
            let why = if is_outside { ForwardStop::Policy } else { ForwardStop::Target };
            listed.push(ForwardListed { forward: row.forward, is_outside, stopped: (!goes).then_some(why) });
        }
        Ok(listed)
    }
}
