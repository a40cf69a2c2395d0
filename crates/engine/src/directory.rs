//! The address book (danh bạ, C1): who is where, found with or without diacritics (AG Đ6.1; TN Đ3.6.1).

use crate::{Actor, AdminError, Engine};
use model::calendar::local_date;
use model::{Action, Address, DomainName, search_words};

/// Somebody in the address book.
pub type DirectoryEntry = store::DirectoryRow;

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
        Ok(self.0.store.directory(domain, (&plain, &marked), today, (after, limit)).await?)
    }
}
