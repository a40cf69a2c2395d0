//! Mail that rules reject (RFC 5429): in the dialogue where nobody wants it, by a report to whom may be told, else it is kept.

use super::super::groups::inboxes;
use super::super::{World, address, arrival};
use super::{MAIL, put, send, sifted};
use crate::{Arrival, DeliverError, Origin, Protocol, RecipientError, Sender};

const REJECT: &str = r#"require "reject"; reject "Tôi đã nghỉ hưu.
Xin gửi cho Văn phòng.";"#;

#[tokio::test]
async fn alone_it_is_refused_in_the_dialogue() {
    let world = World::new().await;
    for name in ["an", "binh"] {
        world.user(name).await;
    }
    put(&world, "an", REJECT).await;
    let refused = DeliverError::Rejected("Toi da nghi huu. Xin gui cho Van phong.".into());
    assert_eq!(send(&world, &["an"], MAIL).await, Err(refused.clone()));
    put(&world, "binh", r#"require "ereject"; ereject "no";"#).await;
    assert_eq!(send(&world, &["an", "binh"], MAIL).await, Err(refused));
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [0, 0]);
    assert_eq!(world.number("select count(*) from events where kind = 'received'").await, 0);
}

#[tokio::test]
async fn beside_others_its_sender_is_told_if_he_may_be() {
    let world = World::new().await;
    let (_, binh) = (world.user("an").await, world.user("binh").await);
    world.user("chi").await;
    put(&world, "an", REJECT).await;
    // Anybody may have been named: it is kept.
    send(&world, &["an", "chi"], MAIL).await.unwrap();
    assert_eq!(inboxes(&world, &["an", "binh", "chi"]).await, [1, 0, 1]);
    let own =
        Arrival { principal: Some(binh.clone()), sender: Some(Sender::from(binh.address())), ..arrival() };
    let mut recipients = Vec::new();
    for name in ["an", "chi"] {
        recipients.push(world.engine.recipient_of(&address(name), Some(&binh)).await.unwrap());
    }
    let mut spool = world.engine.new_spool();
    spool.write(b"From: binh@demo.gov.vn\r\nSubject: x\r\n\r\ny\r\n").await.unwrap();
    world.engine.deliver(&own, &recipients, spool).await.unwrap();
    assert_eq!(inboxes(&world, &["an", "binh", "chi"]).await, [1, 1, 2]);
    let report = &world.letters(&binh).await[0];
    assert!(report.contains("an@demo.gov.vn") && report.contains("nghi huu"), "{report}");
    assert!(!report.contains("chi@demo.gov.vn"), "{report}");
    assert_eq!(
        sifted(&world).await,
        ["an@demo.gov.vn rule_rejected Toi da nghi huu. Xin gui cho Van phong."]
    );
}

#[tokio::test]
async fn where_each_is_answered_each_rejects_for_itself() {
    let world = World::new().await;
    for name in ["an", "binh"] {
        world.user(name).await;
    }
    put(&world, "an", REJECT).await;
    let origin = Origin { protocol: Protocol::Lmtp, ..arrival().origin };
    let mut recipients = Vec::new();
    for name in ["an", "binh"] {
        recipients.push(world.engine.recipient(&address(name)).await.unwrap());
    }
    let mut spool = world.engine.new_spool();
    spool.write(MAIL).await.unwrap();
    let delivery = world.engine.deliver(&Arrival { origin, ..arrival() }, &recipients, spool).await.unwrap();
    assert_eq!(delivery.results, [Err(RecipientError::Rejected), Ok(())]);
    assert_eq!(delivery.reasons, [Some("Toi da nghi huu. Xin gui cho Van phong.".to_owned()), None]);
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [0, 1]);
}
