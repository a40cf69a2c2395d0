//! What the filter for spam is to learn: few rows, whoever moves however much.

use super::world::World;
use crate::{LessonRoom, Transferred};
use jiff::SignedDuration;
use model::{AccountId, ContentId, Lesson, Uid};

const ROOM: LessonRoom = LessonRoom { a_day: 3, waiting: 5 };

async fn say(world: &World, account: AccountId, lesson: Lesson, contents: std::ops::Range<i64>) {
    let moved: Vec<Transferred> =
        contents.map(|n| Transferred { from: Uid(1), to: Uid(1), content: ContentId(n) }).collect();
    let mut tx = world.store.begin().await.unwrap();
    tx.note_lessons((account, lesson), &moved, (ROOM, world.now)).await.unwrap();
    tx.commit().await.unwrap();
}

/// What of whom is due, without the rest.
async fn due(world: &World) -> Vec<(i64, i64, Lesson)> {
    let rows = world.store.lessons_due(world.now, 100).await.unwrap();
    let mut due: Vec<_> = rows.iter().map(|row| (row.account.0, row.content.0, row.lesson)).collect();
    due.sort_by_key(|(account, content, _)| (*account, *content));
    due
}

#[tokio::test]
async fn rows_are_few_and_what_was_said_last_holds() {
    use Lesson::{Ham, Spam};
    let world = World::new().await;
    let accounts: Vec<AccountId> = world.mailboxes(3).await.iter().map(|target| target.account).collect();
    let [one, two, three] = accounts[..] else { panic!() };
    say(&world, one, Spam, 1..2).await;
    say(&world, one, Spam, 1..100_000).await;
    let first = [(one.0, 1, Spam), (one.0, 99_998, Spam), (one.0, 99_999, Spam)];
    assert_eq!(due(&world).await, first, "three a day, and of many the newest");
    say(&world, two, Spam, 1..10).await;
    say(&world, three, Spam, 1..10).await;
    assert_eq!(due(&world).await.len(), 5, "no more wait of all together");
    // What was said otherwise is turned though there is no room, wherever in the list it is.
    say(&world, one, Ham, 1..100_000).await;
    let turned = first.map(|(account, content, _)| (account, content, Ham));
    assert_eq!(due(&world).await[..3], turned);
    // Who teaches ends what he read, and nothing that was said since.
    let rows = world.store.lessons_due(world.now, 100).await.unwrap();
    say(&world, one, Spam, 1..2).await;
    for row in rows.iter().filter(|row| row.account == one) {
        world.store.end_lesson(row, None).await.unwrap();
    }
    assert_eq!(due(&world).await[..1], first[..1]);
    assert_eq!(due(&world).await.len(), 3);
    say(&world, three, Spam, 1..10).await;
    assert_eq!(due(&world).await.len(), 5);
    assert_eq!(world.store.lessons_waiting().await.unwrap(), 5);
    let later = |hours| world.now + SignedDuration::from_hours(hours);
    let forgotten = world.store.forget_lessons((later(1), world.now), 100).await.unwrap();
    assert_eq!(forgotten, (2, Vec::new()));
    let given_up = world.store.forget_lessons((later(2), later(1)), 2).await.unwrap();
    assert_eq!(given_up, (2, vec![Spam, Spam]));
}

#[tokio::test]
async fn what_is_attached_is_noted_by_its_octets() {
    let world = World::new().await;
    let account = world.mailboxes(1).await[0].account;
    let note = async |parts: &[std::ops::Range<u64>]| {
        let mut tx = world.store.begin().await.unwrap();
        let noted = tx.note_reported((account, ContentId(7)), parts, (ROOM, world.now)).await.unwrap();
        tx.commit().await.unwrap();
        noted
    };
    assert_eq!(note(&[100..200, 300..400]).await, 2);
    assert_eq!(note(&[100..200, 300..400]).await, 0, "they are noted");
    assert_eq!(note(&[500..600, 700..800]).await, 1, "three a day");
    let rows = world.store.lessons_due(world.now, 100).await.unwrap();
    let mut parts: Vec<_> = rows.into_iter().map(|row| row.part.unwrap()).collect();
    parts.sort_by_key(|part| part.start);
    assert_eq!(parts, [100..200, 300..400, 500..600]);
    let mut tx = world.store.begin().await.unwrap();
    assert_eq!(tx.hold_spam_cursor(account).await.unwrap(), None);
}
