//! What happens inside a mailbox: append, flags, expunge, copy, move; counts stay true.

use super::World;
use crate::{AppendError, CopyError, FlagEdit, FlagMode, FolderView, NewMessage, Principal, StoreError};
use model::{Flags, FolderName, Keyword, Uid};
use std::sync::Arc;

async fn append(world: &World, who: &Principal, folder: &str, raw: &[u8]) -> Result<Uid, AppendError> {
    let mut message = world.engine.new_spool();
    message.write(raw).await.unwrap();
    let new = NewMessage { flags: Flags::SEEN, keywords: Vec::new(), internal_date: None, message };
    Ok(world.engine.append(who, &FolderName::new(folder).unwrap(), vec![new]).await?.uids[0])
}

async fn view(world: &World, who: &Principal, folder: &str) -> Arc<FolderView> {
    let folder = world.engine.folder(who, &FolderName::new(folder).unwrap()).await.unwrap().unwrap();
    world.engine.view(who, folder.id).await.unwrap()
}

fn shown(view: &FolderView) -> Vec<(u32, i32, Vec<&str>)> {
    view.entries().iter().map(|e| (e.uid.0, e.flags.0, view.keyword_names(e).collect())).collect()
}

fn keywords(names: &[&str]) -> Vec<Keyword> {
    names.iter().map(|name| Keyword::new(name).unwrap()).collect()
}

fn edit(mode: FlagMode, flags: Flags, names: &[&str]) -> FlagEdit {
    FlagEdit { mode, flags, keywords: keywords(names) }
}

#[tokio::test]
async fn appended_octets_come_back_as_given() {
    let world = World::new().await;
    let an = world.user("an").await;
    let odd = b"no header, bare \n and \r and \0 and \xff".to_vec();
    let uid = append(&world, &an, "Drafts", &odd).await.unwrap();
    append(&world, &an, "Drafts", b"").await.unwrap();
    assert_eq!(world.read(&an, "Drafts").await, [(uid.0, odd), (uid.0 + 1, Vec::new())]);
    assert_eq!(append(&world, &an, "không có", b"x").await, Err(AppendError::NoSuchFolder));
}

#[tokio::test]
async fn whoever_reads_an_octet_knows_what_comes_for_it() {
    let world = World::new().await;
    let an = world.user("an").await;
    let raw = [b"\r\n".to_vec(), vec![b'x'; 600_000]].concat();
    let uid = append(&world, &an, "Drafts", &raw).await.unwrap();
    let view = view(&world, &an, "Drafts").await;
    let wanted = crate::Wanted { body: true, ..Default::default() };
    let messages = world.engine.messages(&an, &view, &[uid], wanted).await.unwrap();
    let body = messages[0].as_ref().unwrap().body.as_ref().unwrap();
    assert_eq!((body.brought(&(0..0)), body.brought(&(0..1))), (0, 2), "the header is a chunk of its own");
    assert_eq!(body.brought(&(10..11)), store::CHUNK_BYTES_MAX as u64);
    assert_eq!(body.brought(&(0..body.size())), body.size());
}

#[tokio::test]
async fn flags_and_keywords_are_set_added_and_taken_away() {
    let world = World::new().await;
    let an = world.user("an").await;
    for _ in 0..3 {
        world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    }
    let folder = view(&world, &an, "INBOX").await.folder().id;
    let store = async |uids: &[u32], change: FlagEdit| {
        let uids: Vec<Uid> = uids.iter().map(|uid| Uid(*uid)).collect();
        world.engine.store_flags(&an, folder, &uids, &change).await
    };
    store(&[1, 2, 9], edit(FlagMode::Add, Flags::SEEN, &["$Forwarded"])).await.unwrap();
    store(&[2], edit(FlagMode::Replace, Flags::FLAGGED, &["viec", "VIEC"])).await.unwrap();
    store(&[1], edit(FlagMode::Remove, Flags::SEEN, &["$forwarded", "chuaco"])).await.unwrap();
    let now = view(&world, &an, "INBOX").await;
    assert_eq!(shown(&now), [(1, 0, vec![]), (2, 4, vec!["viec"]), (3, 0, vec![])]);
    assert_eq!(now.all_keywords().collect::<Vec<_>>(), ["$Forwarded", "viec"]);
    assert_eq!(now.unseen(), 3);
    let modseq = now.modseq();
    store(&[2], edit(FlagMode::Add, Flags::FLAGGED, &["viec"])).await.unwrap();
    assert_eq!(view(&world, &an, "INBOX").await.modseq(), modseq, "nothing changed, so nothing moves");
    let many: Vec<String> = (0..300).map(|n| format!("k{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(store(&[1], edit(FlagMode::Add, Flags::NONE, &many)).await, Err(StoreError::TooManyKeywords));
    assert_eq!(view(&world, &an, "INBOX").await.all_keywords().count(), 2, "refused as a whole");
}

#[tokio::test]
async fn keywords_come_to_an_end_only_while_they_are_used() {
    let world = World::new().await;
    let an = world.user("an").await;
    for _ in 0..2 {
        world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    }
    let folder = view(&world, &an, "INBOX").await.folder().id;
    let store = async |uid: u32, mode: FlagMode, names: &[String]| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        world.engine.store_flags(&an, folder, &[Uid(uid)], &edit(mode, Flags::NONE, &names)).await
    };
    let names = |prefix: &str, count: u32| (0..count).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
    for turn in 0..10 {
        store(9, FlagMode::Add, &names(&format!("gone{turn}-"), 100)).await.unwrap();
    }
    assert_eq!(world.store.keywords(an.account()).await.unwrap(), [], "on no message, so not kept");
    store(1, FlagMode::Add, &names("kept", 100)).await.unwrap();
    store(2, FlagMode::Add, &names("old", 150)).await.unwrap();
    assert_eq!(store(2, FlagMode::Add, &names("new", 1)).await, Err(StoreError::TooManyKeywords));
    assert_eq!(view(&world, &an, "INBOX").await.all_keywords().count(), 250);
    store(2, FlagMode::Replace, &[]).await.unwrap();
    store(2, FlagMode::Add, &names("new", 1)).await.unwrap();
    let now = view(&world, &an, "INBOX").await;
    assert_eq!(shown(&now)[1].2, ["new0"]);
    assert_eq!(shown(&now)[0].2, names("kept", 100));
    assert_eq!(now.all_keywords().count(), 101);
    assert_eq!(store(2, FlagMode::Add, &names("more", 151)).await, Err(StoreError::TooManyKeywords));
    let mut message = world.engine.new_spool();
    message.write(b"x").await.unwrap();
    let twice = keywords(&["kept1", "KEPT1", "kept0"]);
    let new = NewMessage { flags: Flags::NONE, keywords: twice, internal_date: None, message };
    world.engine.append(&an, &FolderName::inbox(), vec![new]).await.unwrap();
    let now = view(&world, &an, "INBOX").await;
    assert_eq!(shown(&now)[2].2, ["kept0", "kept1"]);
}

#[tokio::test]
async fn expunge_takes_only_what_is_marked() {
    let world = World::new().await;
    let an = world.user("an").await;
    for _ in 0..4 {
        world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    }
    let folder = view(&world, &an, "INBOX").await.folder().id;
    let mark = edit(FlagMode::Add, Flags::DELETED, &[]);
    world.engine.store_flags(&an, folder, &[Uid(1), Uid(2), Uid(4)], &mark).await.unwrap();
    let some = world.engine.expunge(&an, folder, Some(&[Uid(2), Uid(3)])).await.unwrap();
    assert_eq!(some, [Uid(2)]);
    assert_eq!(world.engine.expunge(&an, folder, None).await.unwrap(), [Uid(1), Uid(4)]);
    let uids: Vec<u32> = view(&world, &an, "INBOX").await.entries().iter().map(|e| e.uid.0).collect();
    assert_eq!(uids, [3]);
    assert_eq!(world.engine.quota(&an).await.unwrap().messages, 1);
    world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    let uids: Vec<u32> = view(&world, &an, "INBOX").await.entries().iter().map(|e| e.uid.0).collect();
    assert_eq!(uids, [3, 5], "a uid is never used again");
}

#[tokio::test]
async fn copies_are_new_and_moves_are_the_same_email() {
    let world = World::new().await;
    let an = world.user("an").await;
    for _ in 0..3 {
        world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    }
    let inbox = view(&world, &an, "INBOX").await;
    let archive = FolderName::new("Archive").unwrap();
    let copied =
        world.engine.copy(&an, inbox.folder().id, &[Uid(3), Uid(1), Uid(7)], &archive).await.unwrap();
    assert_eq!(copied.pairs, [(Uid(1), Uid(1)), (Uid(3), Uid(2))]);
    let moved = world.engine.move_messages(&an, inbox.folder().id, &[Uid(2)], &archive).await.unwrap();
    assert_eq!(moved.pairs, [(Uid(2), Uid(3))]);
    let archived = view(&world, &an, "Archive").await;
    let email = |view: &FolderView, uid| view.find(Uid(uid)).unwrap().email;
    assert_ne!(email(&archived, 1), email(&inbox, 1));
    assert_eq!(email(&archived, 3), email(&inbox, 2));
    assert_eq!(view(&world, &an, "INBOX").await.entries().len(), 2);
    assert_eq!(world.engine.quota(&an).await.unwrap().messages, 5);
    let here =
        world.engine.move_messages(&an, inbox.folder().id, &[Uid(1)], &FolderName::inbox()).await.unwrap();
    assert_eq!(here.pairs, [(Uid(1), Uid(4))], "moved within its folder it has a new uid");
    let uids: Vec<u32> = view(&world, &an, "INBOX").await.entries().iter().map(|e| e.uid.0).collect();
    assert_eq!(uids, [3, 4]);
    let vanished = world.engine.move_messages(&an, inbox.folder().id, &[Uid(1)], &archive).await.unwrap();
    assert_eq!(vanished.pairs, []);
    let nowhere = world.engine.copy(&an, inbox.folder().id, &[Uid(3)], &FolderName::new("x").unwrap()).await;
    assert_eq!(nowhere, Err(CopyError::NoSuchFolder));
}

#[tokio::test]
async fn usage_is_the_sum_of_what_is_there() {
    let world = World::new().await;
    let an = world.user("an").await;
    let body = vec![b'x'; 10_000];
    append(&world, &an, "INBOX", &body).await.unwrap();
    append(&world, &an, "INBOX", &body).await.unwrap();
    let inbox = view(&world, &an, "INBOX").await.folder().id;
    world.engine.copy(&an, inbox, &[Uid(1)], &FolderName::new("Sent").unwrap()).await.unwrap();
    assert_eq!(world.engine.quota(&an).await.unwrap().used_bytes, 30_000, "no credit for sharing");
    world.engine.delete_folder(&an, &FolderName::new("Sent").unwrap()).await.unwrap();
    assert_eq!(world.engine.quota(&an).await.unwrap().used_bytes, 20_000);
}

#[tokio::test]
async fn one_copy_or_move_takes_no_more_than_the_lock_may_be_held_for() {
    let world = World::new().await;
    let an = world.user("an").await;
    let inbox = world.engine.folder(&an, &FolderName::inbox()).await.unwrap().unwrap().id;
    let mut many: Vec<Uid> = (1..=100_001).map(Uid).collect();
    let moved = world.engine.move_messages(&an, inbox, &many, &FolderName::inbox()).await;
    assert_eq!(moved.unwrap_err(), CopyError::TooMany);
    many.pop();
    assert!(world.engine.copy(&an, inbox, &many, &FolderName::inbox()).await.unwrap().pairs.is_empty());
}

/// No transaction holds the mailbox's lock for more of them than a copy may have.
#[tokio::test]
async fn flags_and_expunges_of_very_many_are_all_carried_out() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    world.database.run("update folders set uid_next = 100001 where name = 'INBOX'").await;
    world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    let inbox = world.engine.folder(&an, &FolderName::inbox()).await.unwrap().unwrap().id;
    let all: Vec<Uid> = (1..=100_001).map(Uid).collect();
    let mark = edit(FlagMode::Add, Flags::DELETED, &[]);
    let stored = world.engine.store_flags(&an, inbox, &all, &mark).await.unwrap();
    assert_eq!(stored.changed, [Uid(1), Uid(100_001)]);
    assert_eq!(world.engine.expunge(&an, inbox, Some(&all)).await.unwrap(), [Uid(1), Uid(100_001)]);
}

/// Each would fit by what was there when it began.
#[tokio::test]
async fn appends_at_once_keep_to_the_quota() {
    let world = World::new().await;
    let mut new = super::mailbox("day");
    new.quota_bytes = Some(100_000);
    super::policy(&world, "quota.person_min", "off").await;
    world.engine.add_mailbox(&super::actor(), &new).await.unwrap();
    let day = world.engine.log_in("day@demo.gov.vn", super::PASSWORD, &super::origin()).await.unwrap();
    let body = vec![b'x'; 40_000];
    let one = || append(&world, &day, "INBOX", &body);
    let results: [Result<Uid, AppendError>; 6] =
        tokio::join!(one(), one(), one(), one(), one(), one()).into();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2, "{results:?}");
    assert!(results.iter().all(|result| result.is_ok() || *result == Err(AppendError::OverQuota)));
}

/// More than there is room for in memory now, from two clients at once: neither may hold what the other waits for.
#[tokio::test]
async fn appends_of_many_messages_do_not_wait_for_each_other() {
    let world = World::new().await;
    let an = world.user("an").await;
    let others = world.engine.0.intake.permit(252 << 20).await.unwrap();
    let many = async || {
        let mut messages = Vec::new();
        for n in 0..3 {
            let mut message = world.engine.new_spool();
            message.write(&vec![b'0' + n; 1_000_000]).await.unwrap();
            messages.push(NewMessage {
                flags: Flags::NONE,
                keywords: Vec::new(),
                internal_date: None,
                message,
            });
        }
        world.engine.append(&an, &FolderName::inbox(), messages).await.unwrap().uids.len()
    };
    // Four messages' room for two times three.
    let both = async { tokio::join!(many(), many()) };
    let done = tokio::time::timeout(std::time::Duration::from_secs(60), both).await;
    assert_eq!(done, Ok((3, 3)));
    drop(others);
    assert!(world.engine.0.intake.permit(256 << 20).await.is_ok(), "all is given back");
}

#[tokio::test]
async fn a_watcher_wakes_after_each_change() {
    let world = World::new().await;
    let an = world.user("an").await;
    let mut watch = world.engine.watch(&an);
    world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    watch.changed().await;
    append(&world, &an, "INBOX", b"x").await.unwrap();
    watch.changed().await;
}

#[tokio::test]
async fn concurrent_writers_agree_on_every_number() {
    let world = Arc::new(World::new().await);
    let an = world.user("an").await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (world, an) = (world.clone(), an.clone());
        tasks.spawn(async move {
            for turn in 0..10 {
                if writer % 2 == 0 {
                    world.deliver(&["an"], format!("Subject: {writer}/{turn}\r\n\r\nx\r\n").as_bytes()).await;
                } else {
                    append(&world, &an, "INBOX", b"y").await.unwrap();
                }
                let all: Vec<Uid> =
                    view(&world, &an, "INBOX").await.entries().iter().map(|e| e.uid).collect();
                let flag = edit(FlagMode::Add, Flags::FLAGGED, &[]);
                let folder = view(&world, &an, "INBOX").await.folder().id;
                world.engine.store_flags(&an, folder, &all, &flag).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let now = view(&world, &an, "INBOX").await;
    let uids: Vec<u32> = now.entries().iter().map(|e| e.uid.0).collect();
    assert_eq!(uids, (1..=80).collect::<Vec<_>>());
    assert!(now.entries().iter().all(|e| e.flags.contains(Flags::FLAGGED)));
    assert_eq!(world.engine.quota(&an).await.unwrap().messages, 80);
}

/// What a change of flags makes of the kept view is what a look at the folder would show.
#[tokio::test]
async fn a_foreseen_view_is_the_folder() {
    let world = World::new().await;
    let an = world.user("an").await;
    for n in 0..6 {
        append(&world, &an, "Drafts", format!("message {n}").as_bytes()).await.unwrap();
    }
    let folder = world.engine.folder(&an, &FolderName::new("Drafts").unwrap()).await.unwrap().unwrap().id;
    world.engine.view(&an, folder).await.unwrap();
    let uids: Vec<Uid> = (1..=6).map(Uid).collect();
    let some = [&uids[..1], &uids[1..], &[Uid(1), Uid(6)], &[Uid(5), Uid(2)], &uids];
    let edits = [
        edit(FlagMode::Remove, Flags::SEEN, &[]),
        edit(FlagMode::Add, Flags(Flags::FLAGGED.0 | Flags::SEEN.0), &[]),
        edit(FlagMode::Add, Flags::NONE, &["viec"]),
        edit(FlagMode::Remove, Flags::SEEN, &[]),
        edit(FlagMode::Replace, Flags::ANSWERED, &[]),
    ];
    for (uids, edit) in some.into_iter().zip(&edits) {
        let stored = world.engine.store_flags(&an, folder, uids, edit).await.unwrap();
        assert!(!stored.changed.is_empty());
        let foreseen = world.engine.view(&an, folder).await.unwrap();
        world.engine.0.views.clear();
        let read = world.engine.view(&an, folder).await.unwrap();
        assert!(!std::sync::Arc::ptr_eq(&foreseen, &read));
        assert!(foreseen.entries().iter().eq(read.entries().iter()), "{edit:?}");
        let facts = |view: &FolderView| (view.modseq(), view.unseen(), view.bytes(), shown(view).len());
        assert_eq!(facts(&foreseen), facts(&read));
        assert_eq!(foreseen.modseq(), stored.modseq);
        // Nothing to do the second time.
        assert!(world.engine.store_flags(&an, folder, uids, edit).await.unwrap().changed.is_empty());
        assert_eq!(world.engine.view(&an, folder).await.unwrap().modseq(), stored.modseq);
    }
}
