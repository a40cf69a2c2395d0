//! Copies that rules want: into which folders, with which flags, and with which header.

use super::Copy;
use super::apply::Work;
use super::questions::use_of;
use super::run::Following;
use crate::deliver::Refused;
use crate::others::is_others;
use crate::{Engine, Error};
use model::{AccountId, Flags, FolderId, FolderName, Keyword, SpecialUse};
use proto::sieve::{Action, Filing};
use std::collections::HashMap;

/// Folders that the actions of several mailboxes name, as they are there.
#[derive(Debug, Default)]
pub(super) struct Folders {
    named: HashMap<(AccountId, FolderName), FolderId>,
    used: HashMap<(AccountId, SpecialUse), (FolderId, String)>,
}

/// Octets of one message with changed headers, all together; of a larger one there is one.
const CHANGED_BYTES_MAX: u64 = 16 << 20;

/// System flags as they are written (RFC 9051 2.3.2).
const SYSTEM_FLAGS: [(&str, Flags); 5] = [
    ("\\seen", Flags::SEEN),
    ("\\answered", Flags::ANSWERED),
    ("\\flagged", Flags::FLAGGED),
    ("\\deleted", Flags::DELETED),
    ("\\draft", Flags::DRAFT),
];

fn flags_of(texts: &[String]) -> (Flags, Vec<Keyword>) {
    let (mut flags, mut keywords) = (Flags::NONE, Vec::new());
    for text in texts {
        match SYSTEM_FLAGS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            Some((_, flag)) => flags |= *flag,
            None => keywords.extend(Keyword::new(text)),
        }
    }
    (flags, keywords)
}

impl Engine {
    /// In two looks for all of them.
    pub(super) async fn folders_wanted(&self, followings: &[Following]) -> Result<Folders, Error> {
        let (mut names, mut uses) = (Vec::new(), Vec::new());
        for following in followings {
            let account = following.target.account;
            for action in &following.outcome.actions {
                let Action::FileInto(filing) = action else { continue };
                names.extend(FolderName::new(&filing.folder).ok().map(|name| (account, name)));
                let special = filing.special_use.as_deref().and_then(use_of);
                uses.extend(special.map(|special| (account, special)));
            }
        }
        let mut folders = Folders::default();
        if !names.is_empty() {
            folders.named = self.0.store.folders_named(&names).await?;
        }
        if !uses.is_empty() {
            folders.used = self.0.store.folders_for(&uses).await?;
        }
        Ok(folders)
    }

    /// Where it goes, RFC 8579 4; `Err`: it cannot, in the owner's words.
    async fn folder_for(
        &self,
        account: AccountId,
        (filing, folders): (&Filing, &Folders),
    ) -> Result<Result<FolderId, String>, Error> {
        let special = filing.special_use.as_deref().and_then(use_of);
        if let Some((folder, _)) = special.and_then(|special| folders.used.get(&(account, special))) {
            return Ok(Ok(*folder));
        }
        let shown = &filing.folder;
        let name = match FolderName::new(&filing.folder) {
            Ok(name) if !is_others(&name) => name,
            _ => return Ok(Err(format!("“{shown}” không thể là tên thư mục"))),
        };
        let key = (account, name);
        if let Some(folder) = folders.named.get(&key) {
            return Ok(Ok(*folder));
        }
        if !filing.create {
            return Ok(Err(format!("không có thư mục “{shown}”")));
        }
        let made = self.make_folder(account, &key.1, special).await?;
        Ok(made.ok_or_else(|| format!("không tạo được thư mục “{shown}”")))
    }

    /// The copies that stay in this mailbox, each folder once, and what could not be as it was wanted, by the action's number. `with_headers`: as its rules change
    /// them.
    pub(super) async fn copies(
        &self,
        (following, with_headers): (&Following, bool),
        folders: &Folders,
        work: &mut Work<'_>,
    ) -> Result<(Vec<Copy>, Vec<(usize, String)>), Refused> {
        let (target, mut copies, mut cannot) = (&following.target, Vec::<Copy>::new(), Vec::new());
        for (nth, action) in following.outcome.actions.iter().enumerate() {
            let (folder, flags, header) = match action {
                Action::Keep { flags, header } => (target.folder, flags, *header),
                Action::FileInto(filing) => {
                    let folder = match self.folder_for(target.account, (filing, folders)).await? {
                        Ok(folder) => folder,
                        Err(why) => {
                            cannot.push((nth, why));
                            target.folder
                        }
                    };
                    (folder, &filing.flags, filing.header)
                }
                _ => continue,
            };
            let (flags, keywords) = flags_of(flags);
            let headers = if with_headers { &following.outcome.headers[..] } else { &[] };
            let changed = match self.changed(header, headers, work).await? {
                Ok(changed) => changed,
                Err(why) => {
                    cannot.push((nth, why));
                    None
                }
            };
            match copies.iter_mut().find(|copy| copy.target.folder == folder) {
                Some(copy) => {
                    copy.flags |= flags;
                    copy.keywords.extend(keywords);
                }
                None => {
                    let target = store::Target { folder, ..target.clone() };
                    copies.push(Copy { target, flags, keywords, changed });
                }
            }
        }
        Ok((copies, cannot))
    }

    /// The message with this header, made once however many mailboxes want it. Room for it is taken where there is some: whoever holds
    /// that of the message, and waited for more, might wait for ever. `Err`: there is none, in the owner's words.
    async fn changed(
        &self,
        header: usize,
        headers: &[Vec<u8>],
        work: &mut Work<'_>,
    ) -> Result<Result<Option<usize>, String>, Refused> {
        let Some(header) = header.checked_sub(1).and_then(|nth| headers.get(nth)) else {
            return Ok(Ok(None));
        };
        if let Some(known) = work.headers.get(header) {
            return Ok(Ok(Some(*known)));
        }
        let body = work.message.header_from(work.message.header_alone(0).len());
        let bytes = (header.len() + body.len()) as u64;
        work.changed_bytes += bytes;
        let has_room = work.changed_bytes <= work.of.bytes.max(CHANGED_BYTES_MAX);
        let Some(permit) = has_room.then(|| self.0.intake.try_permit(bytes)).flatten() else {
            return Ok(Err("thư quá lớn để thay đổi phần đầu thư".into()));
        };
        let prepared = self.prepare_changed([header.as_slice(), body].concat(), permit).await?;
        let nth = work.meant.sifted.changed.len();
        work.meant.sifted.changed.push(prepared);
        work.headers.insert(header.clone(), nth);
        Ok(Ok(Some(nth)))
    }
}
