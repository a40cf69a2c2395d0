//! Folders: made, renamed, removed; uids and UIDVALIDITY never come back.

use super::World;
use crate::{CreateError, DeleteError, Error, RenameError, SubscribeError};
use model::{FolderName, SpecialUse};

fn name(text: &str) -> FolderName {
    FolderName::new(text).unwrap()
}

async fn names(world: &World, who: &crate::Principal) -> Vec<String> {
    world.engine.folders(who).await.unwrap().into_iter().map(|folder| folder.name.to_string()).collect()
}

#[tokio::test]
async fn a_new_mailbox_has_its_folders_subscribed() {
    let world = World::new().await;
    let an = world.user("an").await;
    let folders = world.engine.folders(&an).await.unwrap();
    assert_eq!(names(&world, &an).await, ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"]);
    assert!(folders.iter().all(|folder| folder.subscribed));
    assert_eq!(folders[2].special_use, Some(SpecialUse::Drafts));
}

#[tokio::test]
async fn a_folder_made_again_has_another_uid_validity() {
    let world = World::new().await;
    let an = world.user("an").await;
    let first = world.engine.create_folder(&an, &name("Công việc/2026"), None).await.unwrap();
    assert!(names(&world, &an).await.contains(&"Công việc".to_owned()));
    assert_eq!(
        world.engine.create_folder(&an, &name("Công việc/2026"), None).await.unwrap_err(),
        CreateError::Exists
    );
    world.engine.delete_folder(&an, &name("Công việc/2026")).await.unwrap();
    assert_eq!(world.engine.view(&an, first.id).await.unwrap_err(), Error::NotFound);
    let second = world.engine.create_folder(&an, &name("Công việc/2026"), None).await.unwrap();
    assert!(second.uid_validity > first.uid_validity);
    assert_eq!(world.engine.delete_folder(&an, &FolderName::inbox()).await.unwrap_err(), DeleteError::Inbox);
    assert_eq!(world.engine.delete_folder(&an, &name("không có")).await.unwrap_err(), DeleteError::NotFound);
}

#[tokio::test]
async fn renaming_takes_the_folders_below_along() {
    let world = World::new().await;
    let an = world.user("an").await;
    for folder in ["a/b/c", "ab"] {
        world.engine.create_folder(&an, &name(folder), None).await.unwrap();
    }
    world.engine.rename_folder(&an, &name("a"), &name("mới/z")).await.unwrap();
    let now = names(&world, &an).await;
    for expected in ["mới", "mới/z", "mới/z/b", "mới/z/b/c", "ab"] {
        assert!(now.contains(&expected.to_owned()), "{expected} in {now:?}");
    }
    assert!(!now.contains(&"a".to_owned()));
    let rename = async |from: &str, to: &str| world.engine.rename_folder(&an, &name(from), &name(to)).await;
    assert_eq!(rename("ab", "mới").await, Err(RenameError::Exists));
    assert_eq!(rename("mới", "mới/z/x").await, Err(RenameError::IntoItself));
    assert_eq!(rename("không có", "x").await, Err(RenameError::NotFound));
    assert_eq!(rename("mới", &vec!["x"; 16].join("/")).await, Err(RenameError::BadName));
}

#[tokio::test]
async fn renaming_inbox_moves_its_mail_and_leaves_it_empty() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.deliver(&["an"], b"Subject: 1\r\n\r\nx\r\n").await;
    world.deliver(&["an"], b"Subject: 2\r\n\r\nx\r\n").await;
    world.engine.rename_folder(&an, &FolderName::inbox(), &name("Cũ")).await.unwrap();
    assert_eq!(world.read(&an, "INBOX").await.len(), 0);
    assert_eq!(world.read(&an, "Cũ").await.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [1, 2]);
    world.deliver(&["an"], b"Subject: 3\r\n\r\nx\r\n").await;
    assert_eq!(world.read(&an, "INBOX").await[0].0, 3, "uids go on");
}

#[tokio::test]
async fn folders_and_subscriptions_have_an_end() {
    let world = World::new().await;
    let an = world.user("an").await;
    for n in 0..1993 {
        let mut tx = world.store.begin().await.unwrap();
        tx.insert_folder(an.account(), &name(&format!("{n}")), None, world.engine.now()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let create = async |folder: &str| world.engine.create_folder(&an, &name(folder), None).await.map(|_| ());
    let rename = async |from: &FolderName, to: &str| world.engine.rename_folder(&an, from, &name(to)).await;
    assert_eq!(create("x/y").await, Err(CreateError::TooMany));
    assert_eq!(rename(&FolderName::inbox(), "x/y").await, Err(RenameError::TooMany));
    assert_eq!(rename(&name("1"), "x/y/z").await, Err(RenameError::TooMany));
    assert_eq!(create("x").await, Ok(()));
    assert_eq!(create("y").await, Err(CreateError::TooMany));
    assert_eq!(rename(&FolderName::inbox(), "y").await, Err(RenameError::TooMany));
    assert_eq!(rename(&name("1"), "x/1").await, Ok(()));
    assert_eq!(names(&world, &an).await.len(), 2000);
    for n in 0..3993 {
        assert!(world.store.subscribe(an.account(), &name(&format!("gone{n}")), 4000).await.unwrap());
    }
    assert_eq!(world.engine.subscribe_folder(&an, &name("2"), true).await, Err(SubscribeError::TooMany));
    assert_eq!(world.engine.subscribe_folder(&an, &name("x"), true).await, Ok(()), "it was already");
    world.engine.delete_folder(&an, &name("3")).await.unwrap();
    assert!(!world.engine.create_folder(&an, &name("new"), None).await.unwrap().subscribed);
    assert_eq!(world.engine.subscribe_folder(&an, &name("x"), false).await, Ok(()));
    assert_eq!(world.engine.subscribe_folder(&an, &name("2"), true).await, Ok(()));
}

#[tokio::test]
async fn nobody_reaches_anothers_folder() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    world.deliver(&["binh"], b"Subject: bi mat\r\n\r\nx\r\n").await;
    let his = world.engine.folder(&binh, &FolderName::inbox()).await.unwrap().unwrap();
    let view = world.engine.view(&binh, his.id).await.unwrap();
    let uid = view.entries().get(0).unwrap().uid;
    assert_eq!(world.engine.view(&an, his.id).await.unwrap_err(), Error::NotFound);
    assert_eq!(world.engine.expunge(&an, his.id, None).await.unwrap_err(), Error::NotFound);
    assert!(world.engine.move_messages(&an, his.id, &[uid], &FolderName::inbox()).await.is_err());
    assert!(world.engine.copy(&an, his.id, &[uid], &FolderName::inbox()).await.is_err());
    let wanted = crate::Wanted { body: true, ..Default::default() };
    assert!(world.engine.messages(&an, &view, &[uid], wanted).await.is_err());
    assert_eq!(world.engine.claim_recent(&an, his.id).await.unwrap_err(), Error::NotFound);
    assert_eq!(world.read(&binh, "INBOX").await.len(), 1);
}
