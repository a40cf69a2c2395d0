//! Changes of a mailbox whose COMMIT is carried out but never answered: they happened once, and are said to have.

use super::*;
use crate::{FlagEdit, FlagMode};
use model::{Flags, FolderId};
use testkit::FaultProxy;

const MESSAGE: &[u8] = b"From: a@b.c\r\nSubject: x\r\n\r\nHi\r\n";

/// Two messages in An's inbox, and a node whose connections go through a proxy that can lose answers.
struct Cut {
    world: World,
    node: Engine,
    proxy: FaultProxy,
    an: Principal,
    inbox: FolderId,
}

impl Cut {
    async fn new() -> Self {
        let world = World::new().await;
        let an = world.user("an").await;
        world.deliver(&["an"], MESSAGE).await;
        world.deliver(&["an"], MESSAGE).await;
        let inbox = world.engine.folder(&an, &FolderName::inbox()).await.unwrap().unwrap().id;
        let url = &world.database.server_url;
        let home = url.split("host=").nth(1).unwrap().split('&').next().unwrap();
        let proxy = FaultProxy::start(std::path::Path::new(home));
        let through = url.replace(home, &proxy.directory().display().to_string());
        let endpoint = Endpoint::external(&through, None).unwrap();
        let store = Store::new(store::connect(&endpoint, 4).await.unwrap(), None);
        let rng = Arc::new(CountingRng(AtomicU64::new(1 << 33)));
        let node = Engine::new(store, settings(&world.spool), world.clock.clone(), rng);
        Self { world, node, proxy, an, inbox }
    }

    async fn uids(&self, folder: &str) -> Vec<u32> {
        let folder = FolderName::new(folder).unwrap();
        let folder = self.world.engine.folder(&self.an, &folder).await.unwrap().unwrap();
        let view = self.world.engine.view(&self.an, folder.id).await.unwrap();
        view.entries().iter().map(|entry| entry.uid.0).collect()
    }

    async fn make_trash(&self) -> FolderName {
        let trash = FolderName::new("Giữ lại").unwrap();
        self.world.engine.create_folder(&self.an, &trash, None).await.unwrap();
        trash
    }
}

#[tokio::test]
async fn a_copy_is_made_once() {
    let cut = Cut::new().await;
    let to = cut.make_trash().await;
    cut.proxy.cut_at_next_commit();
    let copied = cut.node.copy(&cut.an, cut.inbox, &[Uid(1), Uid(2)], &to).await.unwrap();
    assert_eq!(copied.pairs, [(Uid(1), Uid(1)), (Uid(2), Uid(2))]);
    assert_eq!((cut.uids("INBOX").await, cut.uids(to.as_str()).await), (vec![1, 2], vec![1, 2]));
}

#[tokio::test]
async fn a_move_is_made_once() {
    let cut = Cut::new().await;
    let to = cut.make_trash().await;
    cut.proxy.cut_at_next_commit();
    let moved = cut.node.move_messages(&cut.an, cut.inbox, &[Uid(2)], &to).await.unwrap();
    assert_eq!(moved.pairs, [(Uid(2), Uid(1))]);
    assert_eq!((cut.uids("INBOX").await, cut.uids(to.as_str()).await), (vec![1], vec![1]));
}

#[tokio::test]
async fn flags_and_expunge_are_carried_out() {
    let cut = Cut::new().await;
    let edit = FlagEdit { mode: FlagMode::Add, flags: Flags::DELETED, keywords: Vec::new() };
    let mut told = cut.node.watch(&cut.an);
    // In one statement; the bytes of this uid, which nobody has, tell where it goes by.
    let uids = [Uid(1), Uid(u32::from_be_bytes(*b"q#~x"))];
    cut.proxy.cut_at_next("q#~x");
    cut.node.store_flags(&cut.an, cut.inbox, &uids, &edit).await.unwrap();
    assert!(told.has_changed(), "other sessions hear of it");
    told.changed().await;
    // Which are marked is read before, and that reading has a COMMIT, too.
    cut.node.view(&cut.an, cut.inbox).await.unwrap();
    cut.proxy.cut_at_next_commit();
    assert_eq!(cut.node.expunge(&cut.an, cut.inbox, None).await.unwrap(), [Uid(1)]);
    assert!(told.has_changed());
    assert_eq!(cut.uids("INBOX").await, [2]);
}
