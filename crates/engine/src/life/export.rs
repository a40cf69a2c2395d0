//! Kết xuất lưu trữ: the whole of a mailbox that is out of use, for an archive before it is deleted (An Giang 63/2016 Điều 8.3; B7).
//!
//! Invariants: one in use is not exported: its mail is its owner's (Điều 5.5, 11.2d), and what inspectors take goes another way; an
//! export shows one moment; it is on record only once the archive is whole and on the disk, with who has it.

use crate::message::FACTS_OCTETS_MAX;
use crate::notices::Notice;
use crate::{Actor, AdminError, AdminTarget, Engine, Error, Message};
use jiff::Timestamp;
use model::calendar::{local_date, plus_days};
use model::lifecycle::Life;
use model::{AccountId, Action, Address, ContentId, DomainId, DomainName, FolderName};
use serde_json::json;
use std::fmt::Write as _;
use store::{ContentColumns, EntryRow, LifeRow, MailboxSnapshot, NewExport};

/// Mailboxes that one notice names.
const NAMED_MAX: usize = 200;

/// All of a mailbox at one moment; the octets are read when they are wanted.
#[derive(Debug)]
pub struct Export {
    /// The primary one.
    pub address: Address,
    pub at: Timestamp,
    account: AccountId,
    snapshot: MailboxSnapshot,
}

/// What was written of it.
#[derive(Clone, Copy, Debug)]
pub struct Archive<'a> {
    pub messages: u64,
    /// Of the file.
    pub octets: u64,
    pub sha256: &'a [u8; 32],
    /// Without directories.
    pub file_name: &'a str,
}

impl Export {
    /// By name; the messages of each by uid.
    pub fn folders(&self) -> impl Iterator<Item = (&FolderName, &[EntryRow])> {
        self.snapshot.folders.iter().map(|(folder, entries)| (&folder.name, entries.as_slice()))
    }

    /// The keywords of a message, by name.
    #[must_use]
    pub fn keywords(&self, entry: &EntryRow) -> Vec<&str> {
        let known = self.snapshot.keywords.iter().filter(|known| entry.keywords.contains(&known.keyword_id));
        known.map(|known| known.name.as_str()).collect()
    }
}

impl Engine {
    /// What is in a mailbox that is locked or listed for deletion, as of now.
    ///
    /// # Errors
    /// `NoSuchMailbox`, `InUse`, `Denied`.
    pub async fn begin_export(&self, actor: &Actor, address: &Address) -> Result<Export, AdminError> {
        self.authorize(actor, Action::MailboxExport, &AdminTarget::Address(address)).await?;
        let row = self.existing(address).await?;
        if !matches!(row.life, Life::Locked { .. } | Life::ToBeDeleted { .. }) {
            return Err(AdminError::InUse(row.address));
        }
        let at = self.now();
        let snapshot = self.0.store.mailbox_snapshot(row.account).await?;
        let snapshot = snapshot.ok_or_else(|| AdminError::NoSuchMailbox(address.clone()))?;
        Ok(Export { address: row.address, at, account: row.account, snapshot })
    }

    /// Envelopes and bodies of these messages, of as many, at least one, as one call reads.
    ///
    /// # Errors
    /// `NotFound` when one was removed since, and swept; `Unavailable` when the database fails.
    pub async fn exported(&self, contents: &[ContentId]) -> Result<Vec<Message>, Error> {
        let columns = ContentColumns { envelope: true, chunks: true, ..ContentColumns::default() };
        let found = self.0.store.contents(contents, columns, FACTS_OCTETS_MAX).await?;
        found
            .iter()
            .map(|row| row.as_ref().map(|row| self.message(row, None)).ok_or(Error::NotFound))
            .collect()
    }

    /// The archive is whole and on the disk: it is kept on record, and audited.
    ///
    /// # Errors
    /// `NoSuchMailbox` when it was deleted meanwhile; then nothing is on record.
    pub async fn end_export(
        &self,
        actor: &Actor,
        export: &Export,
        archive: &Archive<'_>,
    ) -> Result<(), AdminError> {
        let gone = || AdminError::NoSuchMailbox(export.address.clone());
        let mut tx = self.0.store.begin().await?;
        tx.lock_mailbox(export.account).await?.ok_or_else(gone)?;
        let Archive { messages, octets, sha256, file_name } = *archive;
        let new = NewExport {
            account: export.account,
            at: export.at,
            modseq: export.snapshot.modseq,
            made_by: actor.name(),
            messages,
            octets,
            sha256,
            file_name,
        };
        tx.add_export(&new).await?;
        let detail = json!({
            "at": export.at, "messages": messages, "octets": octets, "sha256": hex(sha256), "file": file_name,
        });
        self.audit(&mut tx, actor, "mailbox.export", &export.address.to_string(), &detail).await?;
        Ok(tx.commit().await?)
    }

    /// The centre hears, once a week, which mailboxes would be deleted but for an archive.
    pub(super) async fn tell_of_waiting(
        &self,
        domain: DomainId,
        name: &DomainName,
        waiting: &[LifeRow],
    ) -> Result<(), Error> {
        if waiting.is_empty() {
            return Ok(());
        }
        let today = local_date(self.now());
        let monday = plus_days(today, -i32::from(today.weekday().to_monday_zero_offset()));
        let mut list = String::new();
        for row in waiting.iter().take(NAMED_MAX) {
            let _ = writeln!(list, "congthu mailbox export {} --out …", row.address);
        }
        if waiting.len() > NAMED_MAX {
            let _ = writeln!(list, "… (congthu mailbox deletion-list --domain {name})");
        }
        let subject = format!("{} hộp thư chờ kết xuất lưu trữ trước khi xóa", waiting.len());
        let text = format!(
            "Các hộp thư sau của tên miền {name} đã đến hạn xóa nhưng còn thư chưa được kết xuất lưu trữ kể từ khi tạm khóa hoặc thu \
             hồi, nên được giữ lại trong danh sách xóa. Quản trị hệ thống kết xuất từng hộp thư, sau đó hộp thư được xóa trong đêm kế \
             tiếp:\n\n{list}\n--\nThese mailboxes are due to be deleted, and wait until their mail is exported."
        );
        for to in self.centre(domain, name).await? {
            let key = format!("export-awaited/{}/{monday}/{to}", domain.0);
            self.post(&Notice { key: &key, to, subject: &subject, text: &text }).await?;
        }
        Ok(())
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}
