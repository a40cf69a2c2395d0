//! GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208) with the one resource STORAGE: each mailbox has one quota root, "".

use super::names;
use super::reply::{Failure, Outcome, Reply};
use super::session::Door;
use engine::Principal;
use proto::imap::{Code, Mailbox};

/// The name of the only quota root.
const ROOT: &str = "";
/// RFC 9208 5.1: STORAGE counts units of 1,024 octets.
const UNIT_BYTES: u64 = 1_024;

pub(crate) async fn quota(door: &mut Door, who: &Principal, root: &str) -> Outcome {
    if root != ROOT {
        return Err(Reply::no("No such quota root").code(Code::NonExistent).into());
    }
    tell(door, who).await?;
    Ok(Reply::ok("GETQUOTA completed"))
}

pub(crate) async fn quota_root(door: &mut Door, who: &Principal, mailbox: &Mailbox) -> Outcome {
    let name = names::existing_name(mailbox)?;
    if door.engine.folder(who, &name).await?.is_none() {
        return Err(names::nonexistent().into());
    }
    // RFC 9208 4.2.2
    door.wire.out.quota_root(name.as_str(), &[ROOT]);
    tell(door, who).await?;
    Ok(Reply::ok("GETQUOTAROOT completed"))
}

/// RFC 9208 4.1.3: quotas are set by administrators, elsewhere.
pub(crate) fn set_quota() -> Reply {
    Reply::no("Quotas are set by the administrators").code(Code::NoPerm)
}

async fn tell(door: &mut Door, who: &Principal) -> Result<(), Failure> {
    let quota = door.engine.quota(who).await?;
    let used = quota.used_bytes.div_ceil(UNIT_BYTES);
    let limit = quota.limit_bytes / UNIT_BYTES;
    // RFC 9208 4.2.1
    door.wire.out.quota(ROOT, &[("STORAGE", used, limit)]);
    Ok(())
}
