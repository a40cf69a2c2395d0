//! What clients that come back are told, and changes on condition (RFC 7162).

use super::World;
use crate::{FlagEdit, FlagMode, FolderView, Gone, Principal};
use model::{Flags, FolderId, FolderName, ModSeq, Uid};
use std::collections::BTreeMap;
use std::sync::Arc;

async fn inbox(world: &World, who: &Principal) -> Arc<FolderView> {
    let folder = world.engine.folder(who, &FolderName::inbox()).await.unwrap().unwrap();
    world.engine.view(who, folder.id).await.unwrap()
}

fn flag(mode: FlagMode, flags: Flags) -> FlagEdit {
    FlagEdit { mode, flags, keywords: Vec::new() }
}

fn uids(numbers: &[u32]) -> Vec<Uid> {
    numbers.iter().map(|number| Uid(*number)).collect()
}

async fn remove(world: &World, who: &Principal, folder: FolderId, numbers: &[u32]) {
    let deleted = flag(FlagMode::Add, Flags::DELETED);
    world.engine.store_flags(who, folder, &uids(numbers), &deleted).await.unwrap();
    let gone = world.engine.expunge(who, folder, Some(&uids(numbers))).await.unwrap();
    assert_eq!(gone, uids(numbers));
}

#[tokio::test]
async fn what_went_is_known_down_to_the_floor() {
    let world = World::new().await;
    let an = world.user("an").await;
    for _ in 0..6 {
        world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    }
    let start = inbox(&world, &an).await;
    let folder = start.folder().id;
    remove(&world, &an, folder, &[2, 5]).await;
    let between = inbox(&world, &an).await;
    let moved = FolderName::new("Archive").unwrap();
    world.engine.move_messages(&an, folder, &uids(&[1, 6]), &moved).await.unwrap();
    let end = inbox(&world, &an).await;
    let gone = async |view: &FolderView, since: &FolderView| {
        world.engine.gone(&an, view, since.modseq()).await.unwrap()
    };
    assert_eq!(gone(&end, &start).await, Gone::Known(uids(&[1, 2, 5, 6])));
    assert_eq!(gone(&end, &between).await, Gone::Known(uids(&[1, 6])));
    assert_eq!(gone(&end, &end).await, Gone::Known(Vec::new()));
    assert_eq!(gone(&between, &start).await, Gone::Known(uids(&[2, 5])), "not what the view still has");
    // The first expunge was forgotten: the client that knew of it need not be told more, others of all.
    let floor = between.modseq().0;
    world.database.run(&format!("update folders set tombstone_floor = {floor}")).await;
    world.database.run(&format!("delete from tombstones where modseq <= {floor}")).await;
    assert_eq!(gone(&end, &between).await, Gone::Known(uids(&[1, 6])));
    assert_eq!(gone(&end, &start).await, Gone::Forgotten);
    let binh = world.user("binh").await;
    assert!(world.engine.gone(&binh, &end, ModSeq(0)).await.is_err(), "another's folder");
    assert!(world.engine.save_dates(&binh, &end, &uids(&[3])).await.is_err());
    let saved = world.engine.save_dates(&an, &end, &uids(&[3, 5])).await.unwrap();
    assert_eq!(saved.into_iter().collect::<Vec<_>>(), [(Uid(3), world.engine.now())]);
}

#[tokio::test]
async fn a_conditional_change_leaves_alone_what_changed_later() {
    let world = World::new().await;
    let an = world.user("an").await;
    for _ in 0..4 {
        world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    }
    let known = inbox(&world, &an).await;
    let folder = known.folder().id;
    let seen = flag(FlagMode::Add, Flags::SEEN);
    world.engine.store_flags(&an, folder, &uids(&[2]), &seen).await.unwrap();
    remove(&world, &an, folder, &[4]).await;
    let store = async |edit: &FlagEdit, since: ModSeq| {
        let all = uids(&[1, 2, 3, 4, 9]);
        world.engine.store_flags_unchanged(&an, folder, &all, edit, Some(since)).await.unwrap()
    };
    let flagged = flag(FlagMode::Add, Flags::FLAGGED);
    let stored = store(&flagged, known.modseq()).await;
    assert_eq!((&stored.changed, &stored.modified), (&uids(&[1, 3]), &uids(&[2])));
    let now = inbox(&world, &an).await;
    assert_eq!(now.find(Uid(1)).unwrap().modseq, stored.modseq);
    assert_eq!(now.modseq(), stored.modseq);
    assert_eq!(now.find(Uid(2)).unwrap().flags, Flags::SEEN);
    // Nothing is unchanged since the beginning; everything is since the end of time.
    assert_eq!(store(&flagged, ModSeq(0)).await.modified, uids(&[1, 2, 3]));
    let last = store(&flagged, ModSeq(u64::MAX)).await;
    assert_eq!((last.changed, last.modified), (uids(&[2]), Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_change_on_the_same_condition_one_wins_each_message() {
    const RIVALS: usize = 8;
    const MESSAGES: u32 = 20;
    let world = World::new().await;
    let an = world.user("an").await;
    for _ in 0..MESSAGES {
        world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    }
    let known = inbox(&world, &an).await;
    let all: Vec<Uid> = known.entries().iter().map(|entry| entry.uid).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for rival in 0..RIVALS {
        let (engine, an, known, all) = (world.engine.clone(), an.clone(), Arc::clone(&known), all.clone());
        tasks.spawn(async move {
            // Each takes some of the messages only, so that there are many winners.
            let mine: Vec<Uid> = all.into_iter().filter(|uid| uid.0 as usize % RIVALS <= rival).collect();
            let name = model::Keyword::new(&format!("rival{rival}")).unwrap();
            let edit = FlagEdit { mode: FlagMode::Add, flags: Flags::NONE, keywords: vec![name] };
            let since = Some(known.modseq());
            let stored =
                engine.store_flags_unchanged(&an, known.folder().id, &mine, &edit, since).await.unwrap();
            let mut both = [stored.changed.clone(), stored.modified].concat();
            both.sort_unstable();
            assert_eq!(both, mine, "each message was changed or was modified");
            (rival, stored.modseq, stored.changed)
        });
    }
    let mut winners = BTreeMap::new();
    for (rival, modseq, changed) in tasks.join_all().await {
        for uid in changed {
            assert_eq!(winners.insert(uid, (rival, modseq)), None, "two won message {uid}");
        }
    }
    let now = inbox(&world, &an).await;
    assert_eq!(winners.len(), all.len());
    for entry in now.entries().iter() {
        let (rival, modseq) = winners[&entry.uid];
        assert_eq!(entry.modseq, modseq);
        assert_eq!(now.keyword_names(entry).collect::<Vec<_>>(), [format!("rival{rival}")]);
    }
}

/// What a client keeps of a folder, and the modification sequence up to which it is true.
#[derive(Clone, Debug)]
struct Cache {
    messages: BTreeMap<Uid, (Flags, ModSeq)>,
    highest: ModSeq,
}

impl Cache {
    fn full(view: &FolderView) -> Self {
        let messages = view.entries().iter().map(|entry| (entry.uid, (entry.flags, entry.modseq))).collect();
        Self { messages, highest: view.modseq() }
    }

    /// As after SELECT (QRESYNC …): what vanished goes, what changed since comes.
    async fn resync(&mut self, world: &World, who: &Principal, view: &FolderView) -> bool {
        let gone = world.engine.gone(who, view, self.highest).await.unwrap();
        let known = matches!(gone, Gone::Known(_));
        match gone {
            Gone::Known(uids) => self.messages.retain(|uid, _| uids.binary_search(uid).is_err()),
            Gone::Forgotten => self.messages.retain(|uid, _| view.find(*uid).is_some()),
        }
        for entry in view.entries().iter().filter(|entry| entry.modseq > self.highest) {
            self.messages.insert(entry.uid, (entry.flags, entry.modseq));
        }
        self.highest = view.modseq();
        known
    }
}

/// QRESYNC from any moment gives what a full synchronisation gives, also from below the floor of the tombstones.
#[tokio::test]
async fn a_resync_from_any_moment_equals_a_full_one() {
    const STEPS: u32 = 60;
    let world = World::new().await;
    let an = world.user("an").await;
    let archive = FolderName::new("Archive").unwrap();
    let mut caches = vec![Cache::full(inbox(&world, &an).await.as_ref())];
    let folder = inbox(&world, &an).await.folder().id;
    let mut dice = 0x9e37_79b9_u64;
    let mut roll = |sides: usize| {
        // xorshift64: fixed dice, so that a failure repeats.
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        usize::try_from(dice % sides.max(1) as u64).unwrap()
    };
    let mut forgotten = 0;
    for _ in 0..STEPS {
        let view = inbox(&world, &an).await;
        let some: Vec<Uid> = view.entries().iter().filter(|_| roll(3) == 0).map(|entry| entry.uid).collect();
        match roll(6) {
            0..=2 => _ = world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await,
            3 => {
                let edit = flag(FlagMode::Replace, Flags(i32::try_from(roll(32)).unwrap()));
                world.engine.store_flags(&an, folder, &some, &edit).await.unwrap();
            }
            4 => _ = world.engine.expunge(&an, folder, None).await.unwrap(),
            _ => _ = world.engine.move_messages(&an, folder, &some, &archive).await.unwrap(),
        }
        if roll(15) == 0 {
            // As the sweeper does it: first the floor, then what lies below.
            let floor = caches[roll(caches.len())].highest.0;
            let raise = format!("update folders set tombstone_floor = greatest(tombstone_floor, {floor})");
            world.database.run(&raise).await;
            world.database.run(&format!("delete from tombstones where modseq <= {floor}")).await;
        }
        let now = inbox(&world, &an).await;
        let full = Cache::full(&now);
        for _ in 0..3 {
            let mut cache = caches[roll(caches.len())].clone();
            forgotten += usize::from(!cache.resync(&world, &an, &now).await);
            assert_eq!(cache.messages, full.messages);
        }
        caches.push(full);
    }
    assert!(forgotten > 0, "the floor was never above a client");
}
