//! LIST (RFC 3501 6.3.8) with LIST-EXTENDED (RFC 5258), CHILDREN (RFC 3348), SPECIAL-USE (RFC 6154) and LIST-STATUS
//! (RFC 5819); LSUB and XLIST are looks at the same names.
//!
//! Invariants: one question to the database for the names, one for whose mailboxes one may read and one for the names in
//! those, at most one more per mailbox for all the counts, and all are asked before anything is said.

use super::acl;
use super::names;
use super::reply::{Outcome, Reply};
use super::session::Door;
use super::status;
use engine::{Folder, FolderStatus, Listing, Principal};
use model::{AccountId, DELIMITER, FolderId, SpecialUse};
use proto::imap::{List, ListKind, ListPattern, ListSelect, Mailbox};
use std::collections::{BTreeMap, HashMap};
use tokio::task::yield_now;

/// Names matched before other tasks have their turn: each with up to 32 patterns, of which each may take some hundred
/// microseconds.
const NAMES_PER_TURN: usize = 4;

/// A name, before it is matched.
#[derive(Clone, Copy, Debug, Default)]
struct Node<'a> {
    folder: Option<&'a Folder>,
    /// As whom it is reached, where it is another's.
    other: Option<&'a Principal>,
    /// There is a folder below it.
    has_children: bool,
    subscribed: bool,
}

impl Node<'_> {
    /// None of another's: with two folders for what was sent each mail program would file into another one, where others
    /// may read it (RFC 6154 6).
    fn special_use(&self) -> Option<SpecialUse> {
        self.folder.filter(|_| self.other.is_none()).and_then(|folder| folder.special_use)
    }
}

/// What is said of a name, before the words for it.
#[derive(Debug)]
struct Line<'a> {
    name: &'a str,
    node: Node<'a>,
    /// RFC 5258 3.5
    child_info: bool,
    /// The name is meant itself, not only what is below it.
    meant: bool,
}

pub(crate) async fn list(door: &mut Door, who: &Principal, list: &List) -> Outcome {
    let done = Reply::ok("LIST completed");
    // RFC 3501 6.3.8: an empty pattern asks for the delimiter and the reference's root.
    if !list.extended && list.patterns.iter().all(|pattern| pattern.0.is_empty()) {
        door.wire.out.list_entry(ListKind::List, ["\\Noselect"], Some(DELIMITER), "");
        return Ok(done);
    }
    // RFC 5258 3: in the extended form an empty name matches nothing.
    let patterns = list.patterns.iter().filter(|pattern| !pattern.0.is_empty());
    let patterns: Vec<ListPattern> =
        patterns.map(|pattern| names::pattern(&list.reference, pattern)).collect();
    let listing = door.engine.listing(who).await?;
    let matched = matching(tree(&listing, list.select.subscribed), &patterns).await;
    let lines = chosen(&matched, list);
    let statuses =
        if list.give.status.is_empty() { HashMap::new() } else { statuses(door, who, &lines).await? };
    let limit = door.engine.message_bytes_max();
    for line in &lines {
        let status: Option<&FolderStatus> = line.node.folder.and_then(|folder| statuses.get(&folder.id));
        let asked = line.meant && line.node.folder.is_some() && !list.give.status.is_empty();
        // RFC 5819 2: gone since it was listed, it has no STATUS and cannot be selected.
        let attributes = attributes(line.node, list, asked && status.is_none());
        let child_info = if line.child_info { criteria(list.select) } else { Vec::new() };
        door.wire.out.list_entry_with(ListKind::List, attributes, Some(DELIMITER), line.name, &child_info);
        if let (true, Some(status)) = (asked, status) {
            door.wire.out.status(line.name, &status::values(&list.give.status, status, limit));
        }
        if list.give.my_rights && line.meant && line.node.folder.is_some() {
            // RFC 8440 3
            let rights = acl::rights_of(line.node.other.and_then(Principal::rights));
            door.wire.out.my_rights(line.name, rights);
        }
        door.wire.relieve().await?;
    }
    Ok(done)
}

/// What lies in the folders that are meant: one question to the database for each mailbox.
async fn statuses(
    door: &Door,
    who: &Principal,
    lines: &[Line<'_>],
) -> Result<HashMap<FolderId, FolderStatus>, engine::Error> {
    let mut by_mailbox: BTreeMap<AccountId, (&Principal, Vec<&Folder>)> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.meant) {
        let Some(folder) = line.node.folder else { continue };
        let of = line.node.other.unwrap_or(who);
        by_mailbox.entry(of.account()).or_insert_with(|| (of, Vec::new())).1.push(folder);
    }
    let mut all = HashMap::new();
    for (of, folders) in by_mailbox.into_values() {
        all.extend(door.engine.statuses(of, &folders).await?);
    }
    Ok(all)
}

/// XLIST, as Gmail and Exchange had it before RFC 6154. Not announced: a client that knows both words would take this one.
pub(crate) async fn xlist(
    door: &mut Door,
    who: &Principal,
    reference: &Mailbox,
    pattern: &ListPattern,
) -> Outcome {
    let pattern = names::pattern(reference, pattern);
    let listing = door.engine.listing(who).await?;
    for (name, node, matches) in matching(tree(&listing, false), &[pattern]).await {
        if !matches {
            continue;
        }
        let mut attributes = basic_attributes(node, "\\Noselect");
        attributes.extend(match node.folder {
            Some(folder) if folder.name.is_inbox() => Some("\\Inbox"),
            _ => node.special_use().map(|special_use| match special_use {
                SpecialUse::Junk => "\\Spam",
                other => other.attribute(),
            }),
        });
        door.wire.out.list_entry(ListKind::Xlist, attributes, Some(DELIMITER), name);
        door.wire.relieve().await?;
    }
    Ok(Reply::ok("XLIST completed"))
}

/// All names, those of lost parents too, INBOX first; with `lost_subscriptions`, also those that are only subscribed to.
fn tree(listing: &Listing, lost_subscriptions: bool) -> Vec<(&str, Node<'_>)> {
    let mut nodes: BTreeMap<&str, Node<'_>> = BTreeMap::new();
    let own = listing.folders.iter().map(|folder| (folder, None));
    let shared = listing.shared.iter().flat_map(|shared| {
        let who = Some(&shared.who);
        shared.folders.iter().map(move |folder| (folder, who))
    });
    for (folder, other) in own.chain(shared) {
        let node = nodes.entry(folder.name.as_str()).or_default();
        node.folder = Some(folder);
        node.other = other;
        node.subscribed = folder.subscribed;
        for parent in parents(folder.name.as_str()) {
            nodes.entry(parent).or_default().has_children = true;
        }
    }
    for name in listing.lost_subscriptions.iter().filter(|_| lost_subscriptions) {
        nodes.entry(name.as_str()).or_default().subscribed = true;
        for parent in parents(name.as_str()) {
            nodes.entry(parent).or_default();
        }
    }
    // A lost parent may be subscribed to as well.
    for name in &listing.lost_subscriptions {
        if let Some(node) = nodes.get_mut(name.as_str()) {
            node.subscribed = true;
        }
    }
    let inbox = nodes.remove_entry(model::INBOX);
    inbox.into_iter().chain(nodes).collect()
}

/// `a/b/c` has `a` and `a/b`.
pub(crate) fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices(DELIMITER).filter_map(|(at, _)| name.get(..at))
}

/// Each name with whether a pattern matches it.
async fn matching<'a>(
    names: Vec<(&'a str, Node<'a>)>,
    patterns: &[ListPattern],
) -> Vec<(&'a str, Node<'a>, bool)> {
    let mut matched = Vec::with_capacity(names.len());
    for (at, (name, node)) in names.into_iter().enumerate() {
        if at % NAMES_PER_TURN == NAMES_PER_TURN - 1 {
            yield_now().await;
        }
        matched.push((name, node, patterns.iter().any(|pattern| pattern.matches(name, DELIMITER))));
    }
    matched
}

/// The lines of the answer: RFC 5258 3.3 has the two reasons for one, 3.5 the table.
fn chosen<'a>(matched: &[(&'a str, Node<'a>, bool)], list: &List) -> Vec<Line<'a>> {
    let select = list.select;
    let restricted = select.subscribed || select.special_use;
    let meant = |node: &Node<'_>| {
        if !restricted {
            return node.folder.is_some();
        }
        (!select.subscribed || node.subscribed) && (!select.special_use || node.special_use().is_some())
    };
    // Of the names above what is meant: whether all of that is listed itself.
    let mut above: HashMap<&str, bool> = HashMap::new();
    for (name, _, matches) in matched.iter().filter(|(_, node, _)| meant(node)) {
        for parent in parents(name) {
            *above.entry(parent).or_insert(true) &= matches;
        }
    }
    let line = |(name, node, _): &(&'a str, Node<'a>, bool)| {
        let below = above.get(name);
        let meant = meant(node);
        let child_info = select.recursive_match && below.is_some();
        let shown = if meant {
            true
        } else if select.recursive_match {
            // RFC 5258 3.5: not where what is below is listed itself.
            below == Some(&false)
        } else if restricted {
            // RFC 5258 3.1: exactly the names that are subscribed to.
            false
        } else {
            // RFC 3501 6.3.8: a level of others; RFC 5258 3.5, example 11: where it is not seen anyway.
            !list.extended || below == Some(&false)
        };
        shown.then_some(Line { name, node: *node, child_info, meant })
    };
    matched.iter().filter(|(.., matches)| *matches).filter_map(line).collect()
}

/// What CHILDINFO names: the options by which names were chosen.
fn criteria(select: ListSelect) -> Vec<&'static str> {
    let named = [("SUBSCRIBED", select.subscribed), ("SPECIAL-USE", select.special_use)];
    named.into_iter().filter_map(|(name, on)| on.then_some(name)).collect()
}

fn basic_attributes(node: Node<'_>, nonexistent: &'static str) -> Vec<&'static str> {
    // RFC 3348 3; RFC 5258 4: we tell it always.
    let mut attributes = vec![if node.has_children { "\\HasChildren" } else { "\\HasNoChildren" }];
    if node.folder.is_none() {
        attributes.insert(0, nonexistent);
    }
    attributes
}

fn attributes(node: Node<'_>, list: &List, vanished: bool) -> Vec<&'static str> {
    // RFC 3501 7.2.2: the name is a level of others and cannot be selected. RFC 5258 3: there is no such mailbox.
    let mut attributes = basic_attributes(node, if list.extended { "\\NonExistent" } else { "\\Noselect" });
    if vanished {
        attributes.insert(0, "\\Noselect");
    }
    // RFC 5258 3.1: the selection option implies the return option.
    if node.subscribed && (list.give.subscribed || list.select.subscribed) {
        attributes.push("\\Subscribed");
    }
    // RFC 6154 2: told whether it was asked for or not.
    attributes.extend(node.special_use().map(SpecialUse::attribute));
    attributes
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
