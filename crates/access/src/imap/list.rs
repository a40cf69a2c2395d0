//! LIST (RFC 3501 6.3.8) with CHILDREN (RFC 3348) and SPECIAL-USE (RFC 6154).

use super::names;
use super::reply::{Outcome, Reply};
use super::session::Door;
use engine::{Folder, Principal};
use model::{DELIMITER, SpecialUse};
use proto::imap::{List, ListKind, ListPattern};
use std::collections::BTreeMap;

/// One line of the answer, before it is matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Node {
    exists: bool,
    has_children: bool,
    special_use: Option<SpecialUse>,
}

pub(crate) async fn list(door: &mut Door, who: &Principal, list: &List) -> Outcome {
    let done = Reply::ok("LIST completed");
    // RFC 3501 6.3.8: an empty pattern asks for the delimiter and the reference's root.
    if let [only] = list.patterns.as_slice()
        && only.0.is_empty()
    {
        door.wire.out.list_entry(ListKind::List, ["\\Noselect"], Some(DELIMITER), "");
        return Ok(done);
    }
    let patterns: Vec<ListPattern> =
        list.patterns.iter().map(|pattern| names::pattern(&list.reference, pattern)).collect();
    let folders = door.engine.folders(who).await?;
    for (name, node) in tree(&folders) {
        if list.select_special_use && node.special_use.is_none() {
            continue;
        }
        if patterns.iter().any(|pattern| pattern.matches(name, DELIMITER)) {
            door.wire.out.list_entry(ListKind::List, attributes(node), Some(DELIMITER), name);
            door.wire.relieve().await?;
        }
    }
    Ok(done)
}

/// All names, those of lost parents too, INBOX first.
fn tree(folders: &[Folder]) -> impl Iterator<Item = (&str, Node)> {
    let mut nodes: BTreeMap<&str, Node> = BTreeMap::new();
    for folder in folders {
        let node = nodes.entry(folder.name.as_str()).or_default();
        node.exists = true;
        node.special_use = folder.special_use;
        for parent in parents(folder.name.as_str()) {
            nodes.entry(parent).or_default().has_children = true;
        }
    }
    let inbox = nodes.remove_entry(model::INBOX);
    inbox.into_iter().chain(nodes)
}

/// `a/b/c` has `a` and `a/b`.
pub(crate) fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices(DELIMITER).filter_map(|(at, _)| name.get(..at))
}

fn attributes(node: Node) -> Vec<&'static str> {
    // RFC 3348 3
    let mut attributes = vec![if node.has_children { "\\HasChildren" } else { "\\HasNoChildren" }];
    if !node.exists {
        // RFC 3501 7.2.2: the name is a level of others and cannot be selected.
        attributes.insert(0, "\\Noselect");
    }
    // RFC 6154 2
    attributes.extend(node.special_use.map(SpecialUse::attribute));
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{FolderId, FolderName, ModSeq, Uid, UidValidity};

    fn folder(name: &str, special_use: Option<SpecialUse>) -> Folder {
        Folder {
            id: FolderId(1),
            name: FolderName::new(name).unwrap(),
            special_use,
            subscribed: true,
            uid_validity: UidValidity(1),
            uid_next: Uid(1),
            modseq: ModSeq(1),
        }
    }

    #[test]
    fn lost_parents_are_shown_and_cannot_be_selected() {
        let folders = [
            folder("a/b/c", None),
            folder("INBOX", None),
            folder("Sent", Some(SpecialUse::Sent)),
            folder("a/b", None),
        ];
        let lines: Vec<(&str, String)> =
            tree(&folders).map(|(name, node)| (name, attributes(node).join(" "))).collect();
        let expected = [
            ("INBOX", "\\HasNoChildren"),
            ("Sent", "\\HasNoChildren \\Sent"),
            ("a", "\\Noselect \\HasChildren"),
            ("a/b", "\\HasChildren"),
            ("a/b/c", "\\HasNoChildren"),
        ];
        assert_eq!(lines, expected.map(|(name, attributes)| (name, attributes.to_owned())));
    }
}
