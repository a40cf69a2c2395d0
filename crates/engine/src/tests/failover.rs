//! A standby takes over, or a backup is restored, while a node runs.

use super::World;

#[tokio::test]
async fn what_is_kept_of_a_database_that_lost_something_is_thrown_away() {
    let world = World::new().await;
    let an = world.user("an").await;
    let other = world.another_node();
    other.open().await.unwrap();
    world.deliver(&["an"], b"Subject: one\r\n\r\nA\r\n").await;
    world.deliver(&["an"], b"Subject: two\r\n\r\nB\r\n").await;
    assert_eq!(world.read(&an, "INBOX").await.len(), 2);
    let inbox = world.engine.folder(&an, &model::FolderName::inbox()).await.unwrap().unwrap();
    let known = world.engine.view(&an, inbox.id).await.unwrap();
    // The standby had not the second message, nor the change of the numbers; its chunk's number is another's there.
    for statement in [
        "delete from entries where uid = 2",
        "update chunks set data = (select data from chunks order by chunk_id desc limit 1)",
        "update installation set timeline_id = timeline_id - 1",
    ] {
        world.database.run(statement).await;
    }
    // Whichever node sees to it, each throws away what it keeps.
    other.poll().await;
    world.engine.poll().await;
    let folder = world.engine.folder(&an, &model::FolderName::inbox()).await.unwrap().unwrap();
    let view = world.engine.view(&an, folder.id).await.unwrap();
    assert_eq!(view.entries().iter().map(|entry| entry.uid.0).collect::<Vec<_>>(), [1]);
    assert!(folder.uid_next.0 > 100_000);
    // A client that knew of the second message is told of all that is missing.
    assert_eq!(world.engine.gone(&an, &view, known.modseq()).await.unwrap(), crate::Gone::Forgotten);
    assert!(
        world.read(&an, "INBOX").await[0].1.ends_with(b"B\r\n"),
        "read again, not from the node's memory"
    );
}
