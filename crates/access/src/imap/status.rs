//! STATUS (RFC 3501 6.3.10), with the items of RFC 9208 4.1.4.

use super::names;
use super::reply::{Failure, Outcome, Reply};
use super::session::Door;
use engine::Principal;
use model::{Flags, FolderId};
use proto::imap::{Mailbox, StatusItem};

pub(crate) async fn status(
    door: &mut Door,
    who: &Principal,
    mailbox: &Mailbox,
    items: &[StatusItem],
) -> Outcome {
    let name = names::existing_name(mailbox)?;
    let Some(folder) = door.engine.folder(who, &name).await? else { return Err(names::nonexistent().into()) };
    let status = door.engine.folder_status(who, folder.id).await?;
    let wants_deleted =
        items.iter().any(|item| matches!(item, StatusItem::Deleted | StatusItem::DeletedStorage));
    let deleted = if wants_deleted { deleted(door, who, folder.id).await? } else { Deleted::default() };
    let values: Vec<(StatusItem, u64)> = items
        .iter()
        .map(|item| {
            let value = match item {
                StatusItem::Messages => u64::from(status.messages),
                StatusItem::Recent => u64::from(status.recent),
                StatusItem::UidNext => u64::from(status.uid_next.0),
                StatusItem::UidValidity => u64::from(status.uid_validity.0),
                StatusItem::Unseen => u64::from(status.unseen),
                StatusItem::Deleted => deleted.messages,
                StatusItem::DeletedStorage => deleted.bytes,
            };
            (*item, value)
        })
        .collect();
    door.wire.out.status(name.as_str(), &values);
    Ok(Reply::ok("STATUS completed"))
}

#[derive(Debug, Default)]
struct Deleted {
    messages: u64,
    bytes: u64,
}

/// What is marked \Deleted: asked for so rarely that the view is counted through.
async fn deleted(door: &mut Door, who: &Principal, folder: FolderId) -> Result<Deleted, Failure> {
    let view = door.engine.view(who, folder).await?;
    let marked = view.entries().iter().filter(|entry| entry.flags.contains(Flags::DELETED));
    Ok(marked.fold(Deleted::default(), |sum, entry| Deleted {
        messages: sum.messages + 1,
        bytes: sum.bytes + u64::from(entry.size),
    }))
}
