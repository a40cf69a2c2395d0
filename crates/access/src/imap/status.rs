//! STATUS (RFC 3501 6.3.10), with the items of RFC 9208 4.1.4, SIZE (RFC 8438) and APPENDLIMIT (RFC 7889).

use super::names;
use super::reply::{Outcome, Reply};
use super::session::Door;
use engine::{FolderStatus, Principal};
use proto::imap::{Mailbox, StatusItem};

pub(crate) async fn status(
    door: &mut Door,
    who: &Principal,
    mailbox: &Mailbox,
    items: &[StatusItem],
) -> Outcome {
    let name = names::existing_name(mailbox)?;
    let place = names::reach(door, who, mailbox).await?;
    let Some(status) = door.engine.status(&place.who, &place.name).await? else {
        return Err(names::nonexistent().into());
    };
    let limit = door.engine.message_bytes_max();
    door.wire.out.status(name.as_str(), &values(items, &status, limit));
    Ok(Reply::ok("STATUS completed"))
}

/// The items in the order asked for; `append_limit` octets is what one message may have.
pub(crate) fn values(
    items: &[StatusItem],
    status: &FolderStatus,
    append_limit: u64,
) -> Vec<(StatusItem, u64)> {
    let value = |item: StatusItem| match item {
        StatusItem::Messages => u64::from(status.messages),
        StatusItem::Recent => u64::from(status.recent),
        StatusItem::UidNext => u64::from(status.uid_next.0),
        StatusItem::UidValidity => u64::from(status.uid_validity.0),
        StatusItem::Unseen => u64::from(status.unseen),
        StatusItem::Deleted => u64::from(status.deleted),
        StatusItem::DeletedStorage => status.deleted_bytes,
        // RFC 8438 3: at least the sum of what RFC822.SIZE says.
        StatusItem::Size => status.bytes,
        // RFC 7889 3.3: without a look at quotas.
        StatusItem::AppendLimit => append_limit,
        // RFC 7162 3.1.7
        StatusItem::HighestModSeq => status.modseq.0,
        // RFC 8474 4.3
        StatusItem::MailboxId => status.id.0.cast_unsigned(),
    };
    items.iter().map(|item| (*item, value(*item))).collect()
}
