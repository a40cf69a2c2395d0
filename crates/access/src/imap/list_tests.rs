//! The examples of RFC 5258 5, on its own trees of names.

use super::*;
use model::{FolderId, FolderName, ModSeq, Uid, UidValidity};
use proto::imap::{Command, Decoder, Event, Limits, Request};

fn folder(name: &str, special_use: Option<SpecialUse>, subscribed: bool) -> Folder {
    Folder {
        id: FolderId(1),
        name: FolderName::new(name).unwrap(),
        special_use,
        subscribed,
        uid_validity: UidValidity(1),
        uid_next: Uid(1),
        recent_uid: Uid(1),
        modseq: ModSeq(1),
    }
}

/// Folders, and what is subscribed to, whether it is a folder or not.
fn listing(folders: &[&str], subscribed: &[&str]) -> Listing {
    let names = subscribed.iter().filter(|name| !folders.contains(*name));
    Listing {
        folders: folders.iter().map(|name| folder(name, None, subscribed.contains(name))).collect(),
        shared: Vec::new(),
        lost_subscriptions: names.map(|name| FolderName::new(name).unwrap()).collect(),
    }
}

/// The answer to `LIST` and `arguments`, without what we add of children unasked.
async fn answer(listing: &Listing, arguments: &str) -> Vec<String> {
    let mut decoder = Decoder::new(Limits::AFTER_LOGIN);
    decoder.feed(format!("a LIST {arguments}\r\n").as_bytes());
    let Event::Command(Request { command: Command::List(list), .. }) = decoder.next() else {
        panic!("{arguments}")
    };
    let patterns: Vec<ListPattern> =
        list.patterns.iter().map(|pattern| names::pattern(&list.reference, pattern)).collect();
    let matched = matching(tree(listing, list.select.subscribed), &patterns).await;
    let shown = |line: Line<'_>| {
        let attributes = attributes(line.node, &list, false);
        let told = attributes.into_iter().filter(|attribute| {
            list.give.children || line.node.folder.is_none() || !attribute.contains("Children")
        });
        let child_info = if line.child_info { criteria(list.select).join(" ") } else { String::new() };
        format!("{} ({}) {child_info}", line.name, told.collect::<Vec<_>>().join(" ")).trim_end().to_owned()
    };
    chosen(&matched, &list).into_iter().map(shown).collect()
}

#[tokio::test]
async fn fruit_and_vegetables() {
    let folders =
        ["INBOX", "Fruit", "Fruit/Apple", "Fruit/Banana", "Tofu", "Vegetable", "Vegetable/Broccoli"];
    let subscribed = ["INBOX", "Fruit/Banana", "Fruit/Peach", "Vegetable", "Vegetable/Broccoli"];
    let listing = listing(&folders, &subscribed);
    // Example 2
    let all = answer(&listing, r#"(SUBSCRIBED) "" "*""#).await;
    let expected = [
        "INBOX (\\Subscribed)",
        "Fruit/Banana (\\Subscribed)",
        "Fruit/Peach (\\NonExistent \\HasNoChildren \\Subscribed)",
        "Vegetable (\\Subscribed)",
        "Vegetable/Broccoli (\\Subscribed)",
    ];
    assert_eq!(all, expected);
    // Example 3
    assert_eq!(
        answer(&listing, r#"() "" "%" RETURN (CHILDREN)"#).await,
        [
            "INBOX (\\HasNoChildren)",
            "Fruit (\\HasChildren)",
            "Tofu (\\HasNoChildren)",
            "Vegetable (\\HasChildren)"
        ]
    );
    // Examples 4 and 5: none of ours is elsewhere.
    assert_eq!(
        answer(&listing, r#"(REMOTE) "" "%" RETURN (SUBSCRIBED)"#).await,
        ["INBOX (\\Subscribed)", "Fruit ()", "Tofu ()", "Vegetable (\\Subscribed)"]
    );
    assert_eq!(answer(&listing, r#"(REMOTE SUBSCRIBED) "" "*""#).await, expected);
}

#[tokio::test]
async fn children_that_are_subscribed_to() {
    let folders = ["INBOX", "Foo", "Foo/Bar", "Foo/Baz", "Moo"];
    // Example 8
    let foo_baz = listing(&folders, &["Foo/Baz"]);
    let ask = r#"(SUBSCRIBED RECURSIVEMATCH) "" "%""#;
    assert_eq!(answer(&foo_baz, r#"(SUBSCRIBED) "" "*""#).await, ["Foo/Baz (\\Subscribed)"]);
    assert_eq!(answer(&foo_baz, r#"(SUBSCRIBED) "" "%""#).await, [""; 0]);
    assert_eq!(answer(&foo_baz, ask).await, ["Foo () SUBSCRIBED"]);
    assert_eq!(answer(&listing(&folders, &["Foo", "Foo/Baz"]), ask).await, ["Foo (\\Subscribed) SUBSCRIBED"]);
    let without = listing(&["INBOX", "Moo"], &["Foo/Baz"]);
    assert_eq!(answer(&without, ask).await, ["Foo (\\NonExistent \\HasNoChildren) SUBSCRIBED"]);
    assert_eq!(answer(&listing(&folders, &[]), ask).await, [""; 0]);
    assert_eq!(
        answer(
            &listing(&folders, &["Foo", "Moo"]),
            r#"(SUBSCRIBED RECURSIVEMATCH) "" "%" RETURN (CHILDREN)"#
        )
        .await,
        ["Foo (\\HasChildren \\Subscribed)", "Moo (\\HasNoChildren \\Subscribed)"]
    );
    // Example 10
    let foo = listing(&["foo"], &["foo/bar"]);
    assert_eq!(answer(&foo, r#""" ("foo" "foo/*")"#).await, ["foo ()"]);
    assert_eq!(
        answer(&foo, r#"(SUBSCRIBED) "" "foo/*""#).await,
        ["foo/bar (\\NonExistent \\HasNoChildren \\Subscribed)"]
    );
    assert_eq!(
        answer(&foo, r#"(SUBSCRIBED RECURSIVEMATCH) "" foo RETURN (CHILDREN)"#).await,
        ["foo (\\HasNoChildren) SUBSCRIBED"]
    );
}

#[tokio::test]
async fn what_is_told_of_children_is_not_told_twice() {
    // Example 9
    let folders = [
        "INBOX",
        "baz2",
        "baz2/bar2",
        "baz2/bar22",
        "baz2/bar222",
        "eps2",
        "eps2/mamba",
        "foo2",
        "foo2/bar1",
        "foo2/bar2",
        "qux2/bar2",
    ];
    let subscribed = [
        "baz2/bar2",
        "baz2/bar22",
        "baz2/bar222",
        "eps2",
        "eps2/mamba",
        "foo2/bar1",
        "foo2/bar2",
        "qux2/bar2",
    ];
    let listing = listing(&folders, &subscribed);
    assert_eq!(
        answer(&listing, r#"(RECURSIVEMATCH SUBSCRIBED) "" "*2""#).await,
        [
            "baz2/bar2 (\\Subscribed)",
            "baz2/bar22 (\\Subscribed)",
            "baz2/bar222 (\\Subscribed)",
            "eps2 (\\Subscribed) SUBSCRIBED",
            "foo2 () SUBSCRIBED",
            "foo2/bar2 (\\Subscribed)",
            "qux2/bar2 (\\Subscribed)",
        ]
    );
}

#[tokio::test]
async fn levels_that_are_no_mailboxes() {
    // Example 11
    let music = listing(&["music/rock"], &[]);
    assert_eq!(answer(&music, r#"(REMOTE) "" *"#).await, ["music/rock ()"]);
    assert_eq!(answer(&music, r#"() "" %"#).await, ["music (\\NonExistent \\HasChildren)"]);
    assert_eq!(answer(&music, r#""" (% music/rock)"#).await, ["music/rock ()"]);
    // The plain form shows them, too.
    assert_eq!(answer(&music, r#""" *"#).await, ["music (\\Noselect \\HasChildren)", "music/rock ()"]);
    // RFC 5258 3: an empty name among others is passed over.
    assert_eq!(answer(&music, r#""" ("" music/rock)"#).await, ["music/rock ()"]);
}

#[tokio::test]
async fn special_uses() {
    let listing = Listing {
        folders: vec![
            folder("INBOX", None, false),
            folder("Old/Sent", Some(SpecialUse::Sent), false),
            folder("Trash", Some(SpecialUse::Trash), true),
        ],
        shared: Vec::new(),
        lost_subscriptions: Vec::new(),
    };
    // RFC 6154 5.2
    assert_eq!(answer(&listing, r#"(SPECIAL-USE) "" "*""#).await, ["Old/Sent (\\Sent)", "Trash (\\Trash)"]);
    assert_eq!(
        answer(&listing, r#"(SPECIAL-USE RECURSIVEMATCH) "" %"#).await,
        ["Old (\\NonExistent \\HasChildren) SPECIAL-USE", "Trash (\\Trash)"]
    );
    assert_eq!(answer(&listing, r#"(SPECIAL-USE SUBSCRIBED) "" *"#).await, ["Trash (\\Subscribed \\Trash)"]);
}
