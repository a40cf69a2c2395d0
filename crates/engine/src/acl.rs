//! Delegations as their mailbox's owner, or whoever manages it for him, sees and changes them from a mail program (RFC 4314).
//!
//! Invariants: the same rules as an administrator's, but a personal mailbox is not lent from here at all: that takes a term
//! and a record; nobody gives a right that he does not have; how somebody may send, which no list of RFC 4314 says, and his
//! term stay as they are until he is taken off the list.

use crate::delegation::is_personal;
use crate::{AdminTarget, DelegationError, Engine, Error, Principal};
use model::{Action, Address, Right, Rights};
use store::NewDelegation;

/// Rights that lists of RFC 4314 show.
const LISTED: [Right; 3] = [Right::Read, Right::Write, Right::Manage];
/// What stands for the paper where the owner gave rights himself.
const BY_HAND: &str = "IMAP SETACL";

/// A change of what somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclEdit {
    Replace(Rights),
    Add(Rights),
    Remove(Rights),
    /// All that was given, sending too: nobody is left half in (RFC 4314 3.2).
    End,
}

impl AclEdit {
    fn apply(self, before: Rights) -> Rights {
        let sending: Rights = before.iter().filter(|right| !LISTED.contains(right)).collect();
        match self {
            Self::Replace(rights) => sending.iter().chain(rights.iter()).collect(),
            Self::Add(rights) => before.iter().chain(rights.iter()).collect(),
            Self::Remove(rights) => before.iter().filter(|right| !rights.contains(*right)).collect(),
            Self::End => Rights::NONE,
        }
    }
}

impl Engine {
    /// Has anybody lent a mailbox to read?
    ///
    /// # Errors
    /// `Revoked` when the principal's rights ended.
    pub async fn has_shared(&self, who: &Principal) -> Result<bool, Error> {
        self.check_standing(who.own()).await?;
        let held = self.0.store.held_delegations(who.own().account(), self.now(), 200).await?;
        Ok(held.iter().any(|held| held.rights.contains(Right::Read)))
    }

    /// Who has which rights to the mailbox of `who`: first its owner, who has all.
    ///
    /// # Errors
    /// `NotPermitted` unless it is his own, or he manages it.
    pub async fn acl(&self, who: &Principal) -> Result<Vec<(Address, Option<Rights>)>, Error> {
        who.require(Right::Manage)?;
        self.check_standing(who).await?;
        let mut entries = vec![(who.address().clone(), None)];
        let present = self.0.store.delegates_of(who.account(), self.now()).await?;
        entries.extend(present.into_iter().map(|(address, rights)| (address, Some(rights))));
        Ok(entries)
    }

    /// # Errors
    /// See [`DelegationError`]; nothing is changed then.
    pub async fn change_acl(
        &self,
        who: &Principal,
        delegate: &Address,
        edit: AclEdit,
    ) -> Result<(), DelegationError> {
        who.require(Right::Manage)?;
        self.check_standing(who).await?;
        let mailbox = self.party(who.address()).await?;
        let delegate = self.party(delegate).await?;
        if delegate.account == mailbox.account {
            return Err(DelegationError::Own);
        }
        let actor = self.actor_of(who).await?;
        let target = AdminTarget::Mailbox(mailbox.account);
        self.authorize(&actor, Action::DelegateGrant, &target).await?;
        let mut tx = self.0.store.begin().await?;
        tx.lock_mailbox(mailbox.account).await?.ok_or(Error::NotFound)?;
        let now = self.now();
        // One whose term has ended, or has not begun, gives nothing: no list shows it.
        let before = tx.present_delegation(mailbox.account, delegate.account).await?;
        let before = before.filter(|before| before.holds(now));
        let had = before.as_ref().map_or(Rights::NONE, |before| before.rights);
        let rights = edit.apply(had);
        if rights == had {
            return Ok(());
        }
        let added: Rights = rights.iter().filter(|right| !had.contains(*right)).collect();
        if !added.is_empty() {
            if is_personal(mailbox.class) {
                return Err(DelegationError::Personal(mailbox.address));
            }
            if !is_personal(delegate.class) {
                return Err(DelegationError::NoPerson(delegate.address));
            }
        }
        if !added.iter().all(|right| who.may(right)) {
            return Err(DelegationError::MoreThanOwn);
        }
        let own = match who.own().account() {
            owner if owner == mailbox.account => None,
            manager => tx.present_delegation(mailbox.account, manager).await?.and_then(|own| own.until),
        };
        let new = (!rights.is_empty()).then(|| NewDelegation {
            mailbox: mailbox.account,
            delegate: delegate.account,
            rights,
            document: before.as_ref().map_or(BY_HAND, |before| &before.document),
            consent: before.as_ref().and_then(|before| before.consent.as_deref()),
            given_by: actor.name(),
            since: before.as_ref().map_or(now, |before| before.since),
            until: before.as_ref().map_or(own, |before| before.until),
        });
        self.put_delegation(&mut tx, &actor, (&mailbox, &delegate), new.as_ref()).await?;
        tx.commit().await?;
        self.delegations_changed(mailbox.account).await;
        self.forwards_changed().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_somebody_sends_is_not_touched() {
        let (read, write, send) = (Right::Read, Right::Write, Right::SendAs);
        let had = Rights::NONE.with(read).with(send);
        let only = |right: Right| Rights::NONE.with(right);
        assert_eq!(AclEdit::Replace(Rights::NONE).apply(had), only(send));
        assert_eq!(AclEdit::Replace(only(write)).apply(had), only(send).with(write));
        assert_eq!(AclEdit::Add(only(write)).apply(had), had.with(write));
        assert_eq!(AclEdit::Remove(only(read).with(write)).apply(had), only(send));
        assert_eq!(AclEdit::End.apply(had), Rights::NONE);
    }
}
