//! Another's mailbox: the one way to reach it.
//!
//! Invariants: whoever acts in another's mailbox does so as a [`Principal`] that [`Engine::reach`] or [`Engine::listing`] made of
//! his own; each use checks both accounts and the delegation, so that a revoked one ends at once; what may not be seen is not
//! there.

use crate::delegation::MAILBOXES_MAX;
use crate::{Engine, Error, Folder, Principal};
use model::{Address, DELIMITER, FolderName, Right, Rights};
use std::collections::HashMap;

/// The level under which others' mailboxes are (RFC 2342 2: Other Users' Namespace); the next one is their address.
pub const OTHER_USERS: &str = "Other Users";
/// On whose behalf somebody acts who logged in as himself.
#[derive(Debug)]
pub(crate) struct Delegated {
    pub(crate) delegation: i64,
    pub(crate) rights: Rights,
    pub(crate) by: Principal,
}

impl Principal {
    /// Whoever logged in, wherever he acts.
    #[must_use]
    pub fn own(&self) -> &Self {
        self.delegated().map_or(self, |delegated| &delegated.by)
    }

    /// The rights to another's mailbox; `None`: it is his own, and he has all.
    #[must_use]
    pub fn rights(&self) -> Option<Rights> {
        self.delegated().map(|delegated| delegated.rights)
    }

    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        self.rights().is_none_or(|rights| rights.contains(right))
    }

    pub(crate) fn require(&self, right: Right) -> Result<(), Error> {
        if self.may(right) { Ok(()) } else { Err(Error::NotPermitted) }
    }
}

/// A folder by its name, and as whom it is reached.
#[derive(Clone, Debug)]
pub struct Place {
    pub who: Principal,
    /// In the mailbox of `who`.
    pub name: FolderName,
}

/// Another's mailbox in a listing.
#[derive(Clone, Debug)]
pub struct Shared {
    pub who: Principal,
    /// Under the names that whoever looks has for them; those that would be too long are left out.
    pub folders: Vec<Folder>,
}

/// Is it the name of others' mailboxes, or below it?
pub(crate) fn is_others(name: &FolderName) -> bool {
    name.as_str().split(DELIMITER).next() == Some(OTHER_USERS)
}

/// Address of the mailbox and name in it; `None`: a level above, or nothing.
fn in_others(name: &FolderName) -> Option<(Address, FolderName)> {
    let (_, rest) = name.as_str().split_once(DELIMITER)?;
    let (address, rest) = rest.split_once(DELIMITER)?;
    Some((address.parse().ok()?, FolderName::new(rest).ok()?))
}

/// As whoever has rights to the mailbox of `address` calls a folder in it.
fn name_among_others(address: &Address, name: &FolderName) -> Option<FolderName> {
    FolderName::new(&format!("{OTHER_USERS}{DELIMITER}{address}{DELIMITER}{name}")).ok()
}

impl Engine {
    /// Where a name leads that whoever logged in as `who` uses: into his own mailbox, or into one that he may read. `None`
    /// when it is neither, whether there is such a mailbox or not. Whether there is such a folder is not looked at.
    ///
    /// # Errors
    /// `Revoked` when the principal's rights ended.
    pub async fn reach(&self, who: &Principal, name: &FolderName) -> Result<Option<Place>, Error> {
        let own = who.own();
        if !is_others(name) {
            return Ok(Some(Place { who: own.clone(), name: name.clone() }));
        }
        let Some((address, name)) = in_others(name) else { return Ok(None) };
        let held = self.0.store.held_delegation(own.account(), &address, self.now()).await?;
        let Some(held) = held.filter(|held| held.rights.contains(Right::Read)) else { return Ok(None) };
        if held.delegate_epoch != own.security_epoch() {
            return Err(Error::Revoked);
        }
        Ok(Some(Place { who: own.in_mailbox(held), name }))
    }

    /// The mailbox of `address` as `who` may read it: what [`Engine::reach`] says of its INBOX.
    ///
    /// # Errors
    /// `Revoked` when the principal's rights ended.
    pub async fn reach_mailbox(
        &self,
        who: &Principal,
        address: &Address,
    ) -> Result<Option<Principal>, Error> {
        let Some(name) = name_among_others(address, &FolderName::inbox()) else { return Ok(None) };
        Ok(self.reach(who, &name).await?.map(|place| place.who))
    }

    /// Others' mailboxes that may be read, with their folders: two questions to the database, one where there are none.
    pub(crate) async fn shared(&self, who: &Principal) -> Result<Vec<Shared>, Error> {
        let own = who.own();
        let mut held = self.0.store.held_delegations(own.account(), self.now(), MAILBOXES_MAX).await?;
        held.retain(|held| held.rights.contains(Right::Read) && held.delegate_epoch == own.security_epoch());
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let accounts: Vec<_> = held.iter().map(|held| held.mailbox).collect();
        let mut folders: HashMap<_, Vec<Folder>> = HashMap::new();
        let addresses: HashMap<_, _> = held.iter().map(|held| (held.mailbox, held.address.clone())).collect();
        for (account, row) in self.0.store.folders_of(&accounts).await? {
            let Some(address) = addresses.get(&account) else { continue };
            let Some(name) = name_among_others(address, &row.name) else { continue };
            folders.entry(account).or_default().push(Folder { name, ..Folder::from_row(row, false) });
        }
        let shared = held.into_iter().map(|held| {
            let folders = folders.remove(&held.mailbox).unwrap_or_default();
            Shared { who: own.in_mailbox(held), folders }
        });
        Ok(shared.collect())
    }

    pub(crate) async fn check_delegation(&self, delegated: &Delegated) -> Result<(), Error> {
        match self.0.store.delegate_epoch(delegated.delegation, self.now()).await? {
            Some(epoch) if epoch == delegated.by.security_epoch() => Ok(()),
            _ => Err(Error::Revoked),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_into_others_mailboxes() {
        let name = |text: &str| FolderName::new(text).unwrap();
        assert!(is_others(&name("Other Users")) && is_others(&name("Other Users/a@b.vn/INBOX")));
        assert!(!is_others(&name("Other Users2")) && !is_others(&name("INBOX/Other Users")));
        let found = |text: &str| in_others(&name(text)).map(|(address, name)| format!("{address} {name}"));
        assert_eq!(found("Other Users/A@b.vn/inbox/x").as_deref(), Some("a@b.vn INBOX/x"));
        assert_eq!(found("Other Users/a@b.vn"), None);
        assert_eq!(found("Other Users/nobody/INBOX"), None);
        let address: Address = "a@b.vn".parse().unwrap();
        assert_eq!(name_among_others(&address, &name("x/y")).unwrap().as_str(), "Other Users/a@b.vn/x/y");
        assert_eq!(name_among_others(&address, &name(&"x".repeat(480))), None);
    }
}
