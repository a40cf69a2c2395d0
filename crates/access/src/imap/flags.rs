//! Flags between the wire and the model.

use super::reply::Reply;
use engine::{FlagEdit, FlagMode, FolderView, ViewEntry};
use model::{Flags, Keyword};
use proto::imap::{Code, Flag};

/// The system flags and their names (RFC 3501 2.3.2).
const SYSTEM: [(Flags, Flag); 5] = [
    (Flags::ANSWERED, Flag::Answered),
    (Flags::FLAGGED, Flag::Flagged),
    (Flags::DELETED, Flag::Deleted),
    (Flags::SEEN, Flag::Seen),
    (Flags::DRAFT, Flag::Draft),
];

/// Names of the system flags in `flags`.
pub(crate) fn names(flags: Flags) -> Vec<&'static str> {
    named(flags).collect()
}

fn named(flags: Flags) -> impl Iterator<Item = &'static str> {
    const NAMES: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];
    SYSTEM.iter().zip(NAMES).filter(move |((flag, _), _)| flags.contains(*flag)).map(|(_, name)| name)
}

/// All a FETCH FLAGS shows of a message (RFC 3501 7.4.2).
pub(crate) fn shown<'a>(
    view: &'a FolderView,
    entry: &'a ViewEntry,
    flags: Flags,
    recent: bool,
) -> impl Iterator<Item = &'a str> {
    named(flags)
        .map(|name| -> &'a str { name })
        .chain(recent.then_some("\\Recent"))
        .chain(view.keyword_names(entry))
}

/// The bit of a system flag; none for \Recent, which is no stored flag, and for keywords.
pub(crate) fn system(flag: &Flag) -> Option<Flags> {
    SYSTEM.iter().find(|(_, known)| known == flag).map(|(bit, _)| *bit)
}

/// What a client wants to store. \Recent and undefined `\` flags are passed over: RFC 3501 2.3.2 lets a server ignore
/// what is not permanent, and programs that copy mailboxes send them.
pub(crate) fn edit(mode: FlagMode, wanted: &[Flag]) -> Result<FlagEdit, Reply> {
    let mut edit = FlagEdit { mode, flags: Flags::NONE, keywords: Vec::new() };
    for flag in wanted {
        if let Some(bit) = system(flag) {
            edit.flags |= bit;
        } else if let Flag::Keyword(name) = flag {
            // RFC 5530 3
            let keyword = Keyword::new(name)
                .map_err(|_| Reply::no("A keyword has at most 100 characters").code(Code::Limit))?;
            if !edit.keywords.contains(&keyword) {
                edit.keywords.push(keyword);
            }
        }
    }
    Ok(edit)
}

pub(crate) fn too_many_keywords() -> Reply {
    Reply::no("Too many different keywords in this mailbox").code(Code::Limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_flag_has_its_name() {
        assert_eq!(names(Flags::ALL), ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"]);
        for (bit, flag) in SYSTEM {
            assert_eq!(names(bit), [flag.as_str()]);
            assert_eq!(system(&flag), Some(bit));
        }
        assert_eq!(system(&Flag::Recent), None);
    }

    #[test]
    fn what_cannot_be_stored_is_passed_over() {
        let wanted = [
            Flag::Seen,
            Flag::Recent,
            Flag::Extension("\\Foo".to_owned()),
            Flag::Keyword("$Work".to_owned()),
            Flag::Keyword("$work".to_owned()),
        ];
        let edit = edit(FlagMode::Add, &wanted).unwrap();
        assert_eq!((edit.flags, edit.keywords.len()), (Flags::SEEN, 1));
        let long = Flag::Keyword("x".repeat(101));
        assert_eq!(super::edit(FlagMode::Add, &[long]).unwrap_err().code, Some(Code::Limit));
    }
}
