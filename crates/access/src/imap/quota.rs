//! GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208) with the one resource STORAGE: a user's mail has one quota root, "", and so
//! has that of each other user, under his name among [`OTHER_USERS`].

use super::names;
use super::reply::{Failure, Outcome, Reply};
use super::session::Door;
use engine::{OTHER_USERS, Principal};
use model::DELIMITER;
use proto::imap::{Code, Mailbox};

/// The name of one's own quota root.
const ROOT: &str = "";
/// RFC 9208 5.1: STORAGE counts units of 1,024 octets.
const UNIT_BYTES: u64 = 1_024;

pub(crate) async fn quota(door: &mut Door, who: &Principal, root: &str) -> Outcome {
    let unknown = || Reply::no("No such quota root").code(Code::NonExistent);
    let of = match root {
        ROOT => who.clone(),
        other => {
            let address = other.strip_prefix(OTHER_USERS).and_then(|rest| rest.strip_prefix(DELIMITER));
            let address = address.and_then(|address| address.parse().ok()).ok_or_else(unknown)?;
            door.engine.reach_mailbox(who, &address).await?.ok_or_else(unknown)?
        }
    };
    tell(door, &of).await?;
    Ok(Reply::ok("GETQUOTA completed"))
}

pub(crate) async fn quota_root(door: &mut Door, who: &Principal, mailbox: &Mailbox) -> Outcome {
    let name = names::existing_name(mailbox)?;
    let place = names::reach(door, who, mailbox).await?;
    if door.engine.folder(&place.who, &place.name).await?.is_none() {
        return Err(names::nonexistent().into());
    }
    // RFC 9208 4.2.2
    door.wire.out.quota_root(name.as_str(), &[&root_of(&place.who)]);
    tell(door, &place.who).await?;
    Ok(Reply::ok("GETQUOTAROOT completed"))
}

/// RFC 9208 4.1.3: quotas are set by administrators, elsewhere.
pub(crate) fn set_quota() -> Reply {
    Reply::no("Quotas are set by the administrators").code(Code::NoPerm)
}

fn root_of(who: &Principal) -> String {
    match who.rights() {
        None => ROOT.to_owned(),
        Some(_) => format!("{OTHER_USERS}{DELIMITER}{}", who.address()),
    }
}

async fn tell(door: &mut Door, who: &Principal) -> Result<(), Failure> {
    let quota = door.engine.quota(who).await?;
    let used = quota.used_bytes.div_ceil(UNIT_BYTES);
    let limit = quota.limit_bytes / UNIT_BYTES;
    // RFC 9208 4.2.1
    door.wire.out.quota(&root_of(who), &[("STORAGE", used, limit)]);
    Ok(())
}
