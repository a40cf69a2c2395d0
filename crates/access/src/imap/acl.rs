//! GETACL, SETACL, DELETEACL, LISTRIGHTS and MYRIGHTS (RFC 4314).
//!
//! A mailbox is delegated as a whole (B10), so every mailbox name of one user has the same list, which is changed at his INBOX
//! alone: RFC 4314 lets a server refuse what it does not do, and a list that changed behind other names would surprise.
//! Rights come in three groups (`tied`, RFC 4314 3.4): to read, to write, to manage; everybody may write mail to a mailbox,
//! so everybody has `p`.

use super::names;
use super::reply::{Failure, Outcome, Reply};
use super::session::Door;
use engine::{AclEdit, DelegationError, Place, Principal};
use model::{Address, Right, Rights};
use proto::imap::{AclMode, AclRights, Code, Mailbox};

/// Each right, and what it is in a list (RFC 4314 2.1).
const TIED: [(Right, &str); 3] = [(Right::Read, "lr"), (Right::Write, "swite"), (Right::Manage, "kxa")];
/// Everybody's.
const ALWAYS: &str = "p";

pub(crate) async fn get_acl(door: &mut Door, who: &Principal, mailbox: &Mailbox) -> Outcome {
    let place = administered(door, who, mailbox).await?;
    let entries = door.engine.acl(&place.who).await?;
    let entries: Vec<(String, AclRights)> =
        entries.into_iter().map(|(address, rights)| (address.to_string(), rights_of(rights))).collect();
    let entries = entries.iter().map(|(address, rights)| (address.as_str(), *rights));
    door.wire.out.acl(names::existing_name(mailbox)?.as_str(), entries);
    Ok(Reply::ok("GETACL completed"))
}

pub(crate) async fn set_acl(
    door: &mut Door,
    who: &Principal,
    mailbox: &Mailbox,
    (identifier, mode, rights): (&str, AclMode, AclRights),
) -> Outcome {
    let edit = match mode {
        AclMode::Replace => AclEdit::Replace(whole_groups(rights)?),
        AclMode::Add => AclEdit::Add(whole_groups(rights)?),
        // RFC 4314 3.4: tied rights go together, too.
        AclMode::Remove => AclEdit::Remove(touched_groups(rights)),
    };
    change(door, who, mailbox, identifier, edit).await?;
    Ok(Reply::ok("SETACL completed"))
}

pub(crate) async fn delete_acl(
    door: &mut Door,
    who: &Principal,
    mailbox: &Mailbox,
    identifier: &str,
) -> Outcome {
    change(door, who, mailbox, identifier, AclEdit::End).await?;
    Ok(Reply::ok("DELETEACL completed"))
}

pub(crate) async fn list_rights(
    door: &mut Door,
    who: &Principal,
    mailbox: &Mailbox,
    identifier: &str,
) -> Outcome {
    let place = administered(door, who, mailbox).await?;
    let name = names::existing_name(mailbox)?;
    // RFC 4314 3.4: as the client wrote it.
    let owner = identifier.parse().is_ok_and(|address: Address| address == *place.who.address());
    if owner {
        door.wire.out.list_rights(name.as_str(), identifier, rights_of(None), &[]);
    } else {
        let tied = TIED.map(|(_, letters)| group(letters));
        door.wire.out.list_rights(name.as_str(), identifier, group(ALWAYS), &tied);
    }
    Ok(Reply::ok("LISTRIGHTS completed"))
}

pub(crate) async fn my_rights(door: &mut Door, who: &Principal, mailbox: &Mailbox) -> Outcome {
    let place = existing(door, who, mailbox).await?;
    door.wire.out.my_rights(names::existing_name(mailbox)?.as_str(), rights_of(place.who.rights()));
    Ok(Reply::ok("MYRIGHTS completed"))
}

/// As a list has them; `None`: the owner's, all there are.
pub(crate) fn rights_of(rights: Option<Rights>) -> AclRights {
    let has = |right: Right| rights.is_none_or(|rights| rights.contains(right));
    let groups = TIED.iter().filter(|(right, _)| has(*right)).map(|(_, letters)| group(letters));
    groups.fold(group(ALWAYS), AclRights::union)
}

fn group(letters: &str) -> AclRights {
    AclRights::parse(letters).unwrap_or_default()
}

/// RFC 4314 3.7: all of what is tied together is given, or none.
fn whole_groups(rights: AclRights) -> Result<Rights, Reply> {
    let mut left = rights.without(group(ALWAYS));
    let mut whole = Rights::NONE;
    for (right, letters) in TIED {
        let group = group(letters);
        if left.contains(group) {
            whole = whole.with(right);
            left = left.without(group);
        }
    }
    if left.is_empty() {
        Ok(whole)
    } else {
        let text = "Rights are given together: lr to read, swite to write, kxa to manage";
        Err(Reply::no(text).code(Code::Cannot))
    }
}

fn touched_groups(rights: AclRights) -> Rights {
    let touched = TIED.iter().filter(|(_, letters)| rights.meets(group(letters)));
    touched.map(|(right, _)| *right).collect()
}

async fn existing(door: &Door, who: &Principal, mailbox: &Mailbox) -> Result<Place, Failure> {
    let place = names::reach(door, who, mailbox).await?;
    match door.engine.folder(&place.who, &place.name).await? {
        Some(_) => Ok(place),
        None => Err(names::nonexistent().into()),
    }
}

/// RFC 4314 4: GETACL, SETACL, DELETEACL and LISTRIGHTS need `a`.
async fn administered(door: &Door, who: &Principal, mailbox: &Mailbox) -> Result<Place, Failure> {
    let place = existing(door, who, mailbox).await?;
    if place.who.may(Right::Manage) { Ok(place) } else { Err(engine::Error::NotPermitted.into()) }
}

async fn change(
    door: &mut Door,
    who: &Principal,
    mailbox: &Mailbox,
    identifier: &str,
    edit: AclEdit,
) -> Result<(), Failure> {
    let place = administered(door, who, mailbox).await?;
    if !place.name.is_inbox() {
        let text = "A user's mail is given as a whole: change the list of his INBOX";
        return Err(Reply::no(text).code(Code::Cannot).into());
    }
    let Ok(address) = identifier.parse::<Address>() else {
        // "anyone", negative rights ("-fred", RFC 4314 2) and names of groups.
        return Err(Reply::no("Rights are given to people, by their addresses").code(Code::Cannot).into());
    };
    door.engine.change_acl(&place.who, &address, edit).await.map_err(|error| refusal(&error))
}

fn refusal(error: &DelegationError) -> Failure {
    let (text, code) = match error {
        DelegationError::Rights(error) | DelegationError::Admin(engine::AdminError::Engine(error)) => {
            return (*error).into();
        }
        DelegationError::Personal(_) | DelegationError::LeaveOnly => {
            ("Nobody uses another's personal mailbox", Code::NoPerm)
        }
        DelegationError::NoPerson(_) => ("Rights are given to people, by their addresses", Code::Cannot),
        DelegationError::Own => ("The owner's rights stay as they are", Code::Cannot),
        DelegationError::MoreThanOwn => ("You cannot give what you do not have", Code::NoPerm),
        DelegationError::TooMany => ("Too many people have rights to it", Code::Limit),
        DelegationError::NoRights
        | DelegationError::Document
        | DelegationError::Term
        | DelegationError::NotDelegated(_)
        | DelegationError::Admin(_) => ("There is nobody of this address", Code::NonExistent),
    };
    Reply::no(text).code(code).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_go_in_groups() {
        let whole = |text: &str| whole_groups(AclRights::parse(text).unwrap());
        assert_eq!(whole("lrp"), Ok(Rights::NONE.with(Right::Read)));
        assert_eq!(whole("lrswipd"), Ok(Rights::NONE.with(Right::Read).with(Right::Write)));
        assert_eq!(whole("lrswipcda").map(Rights::bits), Ok(0b10011));
        assert!(whole("lrs").is_err() && whole("l").is_err());
        let touched = touched_groups(AclRights::parse("sa").unwrap());
        assert_eq!(touched, Rights::NONE.with(Right::Write).with(Right::Manage));
        assert_eq!(rights_of(None).to_string(), "lrswipkxteacd");
        assert_eq!(rights_of(Some(Rights::NONE.with(Right::Read))).to_string(), "lrp");
    }
}
