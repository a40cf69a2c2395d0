//! Where rules (Sieve) put a message of theirs, and what they ask before: folders by name and by use, and who is on which list.
//!
//! Invariants: questions are asked for all mailboxes of a message together; a copy is put down in the transaction that accepts the
//! message, with its mailbox locked.

use crate::{Error, NewEntry, Placed, Store, Target, Tx};
use jiff::Timestamp;
use model::{AccountId, Address, ContentId, Flags, FolderId, FolderName, Keyword, SpecialUse};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A copy of the message that is accepted, as a mailbox's rules want it.
#[derive(Clone, Copy, Debug)]
pub struct Filed<'a> {
    pub target: &'a Target,
    pub flags: Flags,
    pub keywords: &'a [Keyword],
    /// In place of the message: the how-manieth of those with another header.
    pub changed: Option<usize>,
}

/// Lists that rules may ask for (RFC 6134).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressList {
    /// Addresses of the mailboxes of one's own unit.
    Unit,
    /// All addresses of this installation.
    Everybody,
}

impl Store {
    /// The folders of these names that are there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn folders_named(
        &self,
        asked: &[(AccountId, FolderName)],
    ) -> Result<HashMap<(AccountId, FolderName), FolderId>, Error> {
        let rows: Vec<(i64, String, i64)> = sqlx::query_as(
            "select f.account_id, f.name, f.folder_id
               from unnest($1::bigint[], $2::text[]) as w (account_id, name) join folders f using (account_id, name)",
        )
        .bind(asked.iter().map(|(account, _)| account.0).collect::<Vec<_>>())
        .bind(asked.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>())
        .fetch_all(&self.pools.main)
        .await?;
        let named = |(account, name, folder): (i64, String, i64)| {
            let name =
                FolderName::new(&name).map_err(|_| Error::Damaged("a folder has an impossible name"))?;
            Ok(((AccountId(account), name), FolderId(folder)))
        };
        rows.into_iter().map(named).collect()
    }

    /// The folders for these uses that are there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn folders_for(
        &self,
        asked: &[(AccountId, SpecialUse)],
    ) -> Result<HashMap<(AccountId, SpecialUse), (FolderId, String)>, Error> {
        let rows: Vec<(i64, String, i64, String)> = sqlx::query_as(
            "select distinct on (f.account_id, f.special_use) f.account_id, f.special_use, f.folder_id, f.name
               from unnest($1::bigint[], $2::text[]) as w (account_id, special_use)
               join folders f using (account_id, special_use)
              order by f.account_id, f.special_use, f.folder_id",
        )
        .bind(asked.iter().map(|(account, _)| account.0).collect::<Vec<_>>())
        .bind(asked.iter().map(|(_, special)| special.as_str()).collect::<Vec<_>>())
        .fetch_all(&self.pools.main)
        .await?;
        let used = |(account, special, folder, name): (i64, String, i64, String)| {
            let special = SpecialUse::from_name(&special)?;
            Some(((AccountId(account), special), (FolderId(folder), name)))
        };
        Ok(rows.into_iter().filter_map(used).collect())
    }

    /// Which of the addresses are on the list of the mailbox that asks.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn listed_addresses(
        &self,
        list: AddressList,
        asked: &[(AccountId, Address)],
    ) -> Result<HashSet<(AccountId, Address)>, Error> {
        let rows: Vec<i64> = sqlx::query_scalar(
            "select w.nth
               from unnest($1::bigint[], $2::text[]) with ordinality as w (account_id, address, nth)
               join addresses g on g.address = w.address and g.kind <> 'retired'
               join accounts a on a.account_id = g.account_id
               join accounts own on own.account_id = w.account_id
              where not $3 or a.unit_id = own.unit_id",
        )
        .bind(asked.iter().map(|(account, _)| account.0).collect::<Vec<_>>())
        .bind(asked.iter().map(|(_, address)| address.to_string()).collect::<Vec<_>>())
        .bind(list == AddressList::Unit)
        .fetch_all(&self.pools.main)
        .await?;
        let nth = |nth: i64| asked.get(usize::try_from(nth).ok()?.checked_sub(1)?).cloned();
        Ok(rows.into_iter().filter_map(nth).collect())
    }

    /// To which of these the mailbox has written lately, by the keys that are kept of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn written_to(&self, asked: &[(AccountId, i64)]) -> Result<HashSet<(AccountId, i64)>, Error> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select c.account_id, c.address_key
               from unnest($1::bigint[], $2::bigint[]) as w (account_id, address_key)
               join correspondents c using (account_id, address_key)",
        )
        .bind(asked.iter().map(|(account, _)| account.0).collect::<Vec<_>>())
        .bind(asked.iter().map(|(_, key)| *key).collect::<Vec<_>>())
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(|(account, key)| (AccountId(account), key)).collect())
    }
}

/// Copies that one statement puts down: without room to be looked at, the content, the flags, the keywords, and the how-manieth of its
/// mailbox each is. Those whose room is looked at come first.
type Alike = (bool, Option<usize>, i32, Vec<i16>, usize);

impl Tx {
    /// Takes all these mailboxes, in the order in which everybody takes them.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn lock_mailboxes(&mut self, accounts: &[i64]) -> Result<(), Error> {
        sqlx::query(
            "select 1 from counters where account_id = any ($1) order by account_id for no key update",
        )
        .bind(accounts)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Puts the copies down, each in its folder. All their mailboxes are locked.
    ///
    /// # Errors
    /// `MailboxGone`, `MailboxFull`, and `keywords_id_check` where a mailbox uses too many.
    pub(crate) async fn file(
        &mut self,
        (message, changed): (Option<ContentId>, &[ContentId]),
        filed: &[Filed<'_>],
        at: Timestamp,
    ) -> Result<Vec<Placed>, Error> {
        let mut alike: BTreeMap<Alike, Vec<Target>> = BTreeMap::new();
        for copy in filed {
            let account = copy.target.account;
            let keywords = match copy.keywords {
                [] => Vec::new(),
                keywords => self.keyword_ids(account, keywords, true).await?,
            };
            let mut key = (copy.target.room.is_none(), copy.changed, copy.flags.0, keywords, 0);
            while alike.get(&key).is_some_and(|others| others.iter().any(|other| other.account == account)) {
                key.4 += 1;
            }
            alike.entry(key).or_default().push(copy.target.clone());
        }
        let mut placed = Vec::with_capacity(filed.len());
        for ((_, number, flags, keywords, _), targets) in alike {
            let content = match number {
                None => message,
                Some(number) => changed.get(number).copied(),
            };
            let entry = NewEntry { now: at, internal_date: at, flags: Flags(flags), keywords: &keywords };
            placed.extend(self.add_entries(content.ok_or(Error::MailboxGone)?, &targets, entry).await?);
        }
        Ok(placed)
    }
}
