//! The address book (danh bạ, C1): who is where, found with or without diacritics (AG Đ6.1; TN Đ3.6.1); and what of it everybody
//! may have (C3: BD Đ6; TN Đ5.5, Đ16.1, Đ17).
//!
//! Invariant: what is given out is what the domain's policy shows at that moment, of mailboxes that are in use; each time it is given
//! out, the administrators' log says to whom it was open and how much it was.

use crate::{Actor, AdminError, AdminTarget, Engine};
use model::calendar::local_date;
use model::{Action, Address, DomainName, MailboxClass, PublicDirectory, search_words};
use serde_json::json;

/// Somebody in the address book.
pub type DirectoryEntry = store::DirectoryRow;
pub use store::DirectoryUnit;

/// Entries asked of the database at once.
const PAGE: u32 = 1_000;

/// What of a domain's address book everybody may have.
#[derive(Clone, Debug)]
pub struct OpenDirectory {
    pub shows: PublicDirectory,
    /// By address.
    pub entries: Vec<DirectoryEntry>,
}

impl Engine {
    /// Mailboxes of the domain in whose name, address, unit or positions every word of `query` is: a word without diacritics
    /// is found with any, one with them only so. By address, from behind `after` on. One address book is for all of the domain (AG
    /// Đ6.1), its officers and the owners of its mailboxes.
    ///
    /// # Errors
    /// `NoSuchDomain`; what is too long is cut.
    pub async fn directory(
        &self,
        actor: &Actor,
        domain: &DomainName,
        query: &str,
        (after, limit): (Option<&Address>, u32),
    ) -> Result<Vec<DirectoryEntry>, AdminError> {
        self.authorize_member(actor, Action::DirectorySearch, domain).await?;
        let (plain, marked) = search_words(query);
        let today = local_date(self.now());
        Ok(self.0.store.directory(domain, (&plain, &marked), None, today, (after, limit)).await?)
    }

    /// What of the domain's address book is open to everybody, by its policy (danh bạ công khai): nothing, the organisations'
    /// mailboxes, or those of people, too. Whose mailbox is locked is not in it, nor are our own services.
    ///
    /// # Errors
    /// `Denied`, `NoSuchDomain`.
    pub async fn open_directory(
        &self,
        actor: &Actor,
        domain: &DomainName,
    ) -> Result<OpenDirectory, AdminError> {
        self.authorize(actor, Action::DirectoryPublish, &AdminTarget::Domain(domain)).await?;
        let policy = self.policy(actor, domain).await?.policy;
        let shows = policy.directory.public;
        let classes: &[MailboxClass] = match shows {
            PublicDirectory::Nothing => return Ok(OpenDirectory { shows, entries: Vec::new() }),
            PublicDirectory::Units => &[MailboxClass::Organisation],
            PublicDirectory::UnitsAndPeople => {
                &[MailboxClass::Organisation, MailboxClass::Leader, MailboxClass::Person]
            }
        };
        let today = local_date(self.now());
        let mut entries: Vec<DirectoryEntry> = Vec::new();
        loop {
            let after = entries.last().map(|entry| entry.address.clone());
            let page = (after.as_ref(), PAGE);
            let found = self.0.store.directory(domain, (&[], &[]), Some(classes), today, page).await?;
            let whole = found.len() == PAGE as usize;
            entries.extend(found);
            if !whole {
                return Ok(OpenDirectory { shows, entries });
            }
        }
    }

    /// Writes down that it is given out, before it is.
    ///
    /// # Errors
    /// `Denied`, `NoSuchDomain`.
    pub async fn directory_published(
        &self,
        actor: &Actor,
        domain: &DomainName,
        directory: &OpenDirectory,
        form: &str,
    ) -> Result<(), AdminError> {
        self.authorize(actor, Action::DirectoryPublish, &AdminTarget::Domain(domain)).await?;
        let mut tx = self.0.store.begin().await?;
        let detail =
            json!({ "form": form, "shows": directory.shows.as_str(), "entries": directory.entries.len() });
        self.audit(&mut tx, actor, Action::DirectoryPublish.as_str(), domain.as_str(), &detail).await?;
        tx.commit().await?;
        Ok(())
    }
}
