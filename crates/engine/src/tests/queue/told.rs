//! What a report shows of what strangers wrote.

use super::*;
use crate::tests::words_of;

/// What hides, turns round, or is to be followed.
const LURE: &str = "go to https://x.vn/a or \u{202e}ia@x.vn\u{2066} \u{e0041}www.y.vn\u{200b}\u{2028}”now";

fn refused() -> Outcome {
    Outcome::Failed(Answer::theirs("mx.x.vn", 550, Some(Status(5, 1, 1)), LURE))
}

#[tokio::test]
async fn nothing_that_another_server_said_hides_or_can_be_followed() {
    let world = World::new().await;
    let an = world.user("an").await;
    send(&world, &an, &["ai@example.org"]).await;
    work(&world.engine, |delivery| all(delivery, &refused())).await;
    let raw = world.read(&an, "INBOX").await.remove(0).1;
    let words = words_of(&raw);
    let said = "(Mã 5.1.1; máy chủ mx[.]x[.]vn trả lời: “550 go to https[:]//x[.]vn/a or ia[@]x[.]vn www[.]y[.]vn 'now”)";
    assert!(words.contains(said), "{words}");
    let text = String::from_utf8_lossy(&raw);
    let field = text.lines().find(|line| line.starts_with("Diagnostic-Code: ")).unwrap();
    assert!(field.starts_with("Diagnostic-Code: smtp;550 go to https[:]//x[.]vn/a or "), "{field}");
    assert!(!text.chars().any(model::is_unseen), "{text}");
    assert!(!text.contains("https://x.vn") && !text.contains("www.y.vn"), "{text}");
}

#[tokio::test]
async fn a_long_reply_is_cut_in_what_people_read() {
    let world = World::new().await;
    let an = world.user("an").await;
    send(&world, &an, &["ai@example.org"]).await;
    let long = Outcome::Failed(Answer::theirs("mx", 550, Some(Status(5, 7, 1)), &"xa ".repeat(200)));
    work(&world.engine, |delivery| all(delivery, &long)).await;
    let words = words_of(&world.read(&an, "INBOX").await.remove(0).1);
    let said = words.split_once('“').unwrap().1.split_once('”').unwrap().0;
    assert!((200..=205).contains(&said.chars().count()) && said.ends_with('…'), "{said}");
}

#[tokio::test]
async fn subjects_and_addresses_are_shown_as_they_are_seen() {
    let world = World::new().await;
    let an = world.user("an").await;
    let to = outside(&world, &an, "\u{202e}ai www.x.vn@example.org").await;
    let mut spool = world.engine.new_spool();
    let text = format!(
        "From: {}\r\nSubject: Xem https://x.vn/a \u{2067}\u{200b}\u{e0062}hôm nay\r\n\r\nx\r\n",
        an.address()
    );
    spool.write(text.as_bytes()).await.unwrap();
    let taken = world.engine.deliver(&submitted(&an, Wishes::default()), &[to], spool).await.unwrap();
    let about = world.database.texts("select about from queue_messages").await.remove(0);
    assert!(!about.chars().any(model::is_unseen), "{about:?} of {}", taken.queue_id);
    work(&world.engine, |delivery| all(delivery, &never())).await;
    let raw = world.read(&an, "INBOX").await.remove(0).1;
    let words = words_of(&raw);
    assert!(words.starts_with("Thư không gửi được: Xem https://x.vn/a "), "{words}");
    assert!(words.contains("www[.]x[.]vn"), "{words}");
    let text = String::from_utf8_lossy(&raw);
    let fields = text.split_once("Reporting-MTA").unwrap().1.split_once("\r\n--").unwrap().0;
    assert!(fields.contains("Final-Recipient: utf-8;\"\\x{202E}ai www.x.vn\"@example.org\r\n"), "{fields}");
    assert!(!fields.chars().any(model::is_unseen), "{fields}");
}
