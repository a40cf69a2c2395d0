//! What the filter for spam is to learn: few rows, whoever moves however much.

use super::world::World;
use crate::{LessonRoom, Said, Transferred, Tried};
use jiff::SignedDuration;
use model::{AccountId, ContentId, Lesson, Uid};

const ROOM: LessonRoom = LessonRoom { a_day: 3, waiting: 5 };

async fn say(world: &World, account: AccountId, lesson: Lesson, contents: std::ops::Range<i64>) {
    let moved: Vec<Transferred> =
        contents.map(|n| Transferred { from: Uid(1), to: Uid(1), content: ContentId(n) }).collect();
    let mut tx = world.store.begin().await.unwrap();
    tx.note_lessons(Said { actor: account, account, lesson }, &moved, (ROOM, world.now)).await.unwrap();
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
        world.store.end_lesson(row, &Tried::default(), None).await.unwrap();
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

/// `actor` says it in the mailbox.
///
/// Returns of how many nothing is noted.
async fn say_in(
    world: &World,
    (actor, account): (AccountId, AccountId),
    lesson: Lesson,
    contents: &[i64],
) -> u64 {
    let moved: Vec<Transferred> =
        contents.iter().map(|n| Transferred { from: Uid(1), to: Uid(1), content: ContentId(*n) }).collect();
    let mut tx = world.store.begin().await.unwrap();
    let left_out = tx.note_lessons(Said { actor, account, lesson }, &moved, (ROOM, world.now)).await.unwrap();
    tx.commit().await.unwrap();
    left_out
}

#[tokio::test]
async fn a_person_says_no_more_in_many_mailboxes_than_in_one() {
    let world = World::new().await;
    let accounts: Vec<AccountId> = world.mailboxes(3).await.iter().map(|target| target.account).collect();
    let mut left_out = Vec::new();
    for (n, account) in (0..).zip(&accounts) {
        let contents = [n * 10 + 1, n * 10 + 2];
        left_out.push(say_in(&world, (accounts[0], *account), Lesson::Spam, &contents).await);
    }
    assert_eq!(left_out, [0, 1, 2]);
    assert_eq!(due(&world).await.len(), 3);
    say_in(&world, (accounts[2], accounts[2]), Lesson::Spam, &[50]).await;
    assert_eq!(due(&world).await.len(), 4, "the others have their own room");
}

#[tokio::test]
async fn of_what_others_said_a_person_turns_no_more_than_he_may_say() {
    use Lesson::{Ham, Spam};
    let mut world = World::new().await;
    let accounts: Vec<AccountId> = world.mailboxes(2).await.iter().map(|target| target.account).collect();
    let [office, an] = accounts[..] else { panic!() };
    for day in 0..2 {
        say_in(&world, (office, office), Spam, &[day * 10 + 1, day * 10 + 2]).await;
        for row in world.store.lessons_due(world.now, 100).await.unwrap() {
            world.store.end_lesson(&row, &Tried::default(), None).await.unwrap();
        }
        world.now += SignedDuration::from_hours(25);
    }
    let all = [1, 2, 11, 12, 21];
    assert_eq!(say_in(&world, (an, office), Ham, &all).await, 2, "one of others, and one more");
    assert_eq!(due(&world).await, [(office.0, 2, Ham), (office.0, 11, Ham), (office.0, 12, Ham)]);
    // What he said himself that day he takes back however often.
    assert_eq!(say_in(&world, (an, office), Spam, &all).await, 1);
    assert_eq!(due(&world).await, [(office.0, 2, Spam), (office.0, 11, Spam), (office.0, 12, Spam)]);
}

#[tokio::test]
async fn what_is_said_again_after_another_mailbox_said_otherwise_is_said_last() {
    use Lesson::{Ham, Spam};
    let mut world = World::new().await;
    let accounts: Vec<AccountId> = world.mailboxes(2).await.iter().map(|target| target.account).collect();
    for (account, lesson) in [(accounts[0], Spam), (accounts[1], Ham), (accounts[0], Spam)] {
        say_in(&world, (account, account), lesson, &[1]).await;
        world.now += SignedDuration::from_secs(1);
    }
    let rows = world.store.lessons_due(world.now, 100).await.unwrap();
    let last = rows.iter().max_by_key(|row| row.noted_at).unwrap();
    assert_eq!((last.account, last.lesson, rows.len()), (accounts[0], Spam, 2));
}

#[tokio::test]
async fn what_is_attached_is_noted_by_its_octets() {
    let world = World::new().await;
    let account = world.mailboxes(1).await[0].account;
    let said = Said { actor: account, account, lesson: Lesson::Spam };
    let note = async |parts: &[std::ops::Range<u64>]| {
        let mut tx = world.store.begin().await.unwrap();
        let noted = tx.note_reported((said, ContentId(7)), parts, (ROOM, world.now)).await.unwrap();
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
