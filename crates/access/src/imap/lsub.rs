//! LSUB (RFC 3501 6.3.9): subscribed names, whether their folders exist or not.

use super::list::parents;
use super::names;
use super::reply::{Outcome, Reply};
use super::session::Door;
use engine::Principal;
use model::{DELIMITER, FolderName};
use proto::imap::{ListKind, ListPattern, Mailbox};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) async fn lsub(
    door: &mut Door,
    who: &Principal,
    reference: &Mailbox,
    pattern: &ListPattern,
) -> Outcome {
    let pattern = names::pattern(reference, pattern);
    let listing = door.engine.listing(who).await?;
    let shared = listing.shared.iter().flat_map(|shared| &shared.folders);
    let existing: BTreeSet<&str> =
        listing.folders.iter().chain(shared).map(|folder| folder.name.as_str()).collect();
    let subscribed = listing.folders.iter().filter(|folder| folder.subscribed).map(|folder| &folder.name);
    let names = subscribed.chain(&listing.lost_subscriptions).map(FolderName::as_str);
    for (name, subscribed) in matching(names, &pattern).await {
        let selectable = subscribed && existing.contains(name);
        let attributes: &[&str] = if selectable { &[] } else { &["\\Noselect"] };
        door.wire.out.list_entry(ListKind::Lsub, attributes.iter().copied(), Some(DELIMITER), name);
        door.wire.relieve().await?;
    }
    Ok(Reply::ok("LSUB completed"))
}

/// The names to tell, and whether each is itself subscribed.
async fn matching<'a>(
    subscribed: impl Iterator<Item = &'a str>,
    pattern: &ListPattern,
) -> BTreeMap<&'a str, bool> {
    let mut found = BTreeMap::new();
    for name in subscribed {
        // Each has up to 16 levels, and each of them may take some hundred microseconds.
        tokio::task::yield_now().await;
        if pattern.matches(name, DELIMITER) {
            found.insert(name, true);
        } else if pattern.0.contains('%') {
            // RFC 3501 6.3.9: `%` shows a level that is not subscribed for what is subscribed below it.
            for parent in parents(name).filter(|parent| pattern.matches(parent, DELIMITER)) {
                found.entry(parent).or_insert(false);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn percent_shows_the_level_above_what_is_subscribed() {
        let subscribed = ["INBOX", "foo/bar", "foo/baz", "work", "work/old"];
        let lsub = async |pattern: &str| {
            let found = matching(subscribed.into_iter(), &ListPattern(pattern.to_owned())).await;
            found.into_iter().collect::<Vec<_>>()
        };
        // RFC 3501 6.3.9, the example of foo/bar.
        assert_eq!(lsub("%").await, [("INBOX", true), ("foo", false), ("work", true)]);
        assert_eq!(lsub("*").await, subscribed.map(|name| (name, true)));
        assert_eq!(lsub("foo/%").await, [("foo/bar", true), ("foo/baz", true)]);
        assert_eq!(lsub("foo").await, []);
    }
}
