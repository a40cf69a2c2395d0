//! Nobody makes us his relay: whoever did not log in gets mail to our own mailboxes and nowhere else.

use super::*;
use proto::smtp::{Recipient as Path, forward_path};

/// As the door does with what stands in RCPT TO.
async fn ask(world: &World, path: &str, who: Option<&Principal>) -> Result<(), RecipientError> {
    let Ok((Path::Mailbox(mailbox), _)) = forward_path(path) else { return Err(RecipientError::Unknown) };
    let proto::smtp::Domain::Name(name) = mailbox.domain() else { return Err(RecipientError::NotLocal) };
    let Ok(address) = model::Address::new(mailbox.local(), name) else {
        return Err(RecipientError::NotLocal);
    };
    world.engine.recipient_of(&address, who).await.map(|_| ())
}

#[tokio::test]
async fn the_open_relay_matrix() {
    let world = World::new().await;
    let an = world.user("an").await;
    // Path, for a stranger, for somebody who logged in.
    let (yes, unknown, relay) = (Ok(()), Err(RecipientError::Unknown), Err(RecipientError::NotLocal));
    for (path, stranger, user) in [
        ("<an@demo.gov.vn>", yes, yes),
        ("<AN@DEMO.GOV.VN>", yes, yes),
        ("<nobody@demo.gov.vn>", unknown, unknown),
        ("<ai@example.org>", relay, yes),
        // The percent hack and bang paths name nobody here.
        ("<ai%example.org@demo.gov.vn>", unknown, unknown),
        ("<example.org!ai@demo.gov.vn>", unknown, unknown),
        ("<\"ai@example.org\"@demo.gov.vn>", unknown, unknown),
        ("<\"an\"@demo.gov.vn>", yes, yes),
        // Source routes are dropped, and what is left is looked at (RFC 5321 appendix C).
        ("<@demo.gov.vn:ai@example.org>", relay, yes),
        ("<@example.org:an@demo.gov.vn>", yes, yes),
        ("<@demo.gov.vn,@example.net:ai@example.org>", relay, yes),
        // Literals name hosts, not our domains.
        ("<an@[127.0.0.1]>", relay, relay),
        ("<ai@[192.0.2.1]>", relay, relay),
        ("<ai@[IPv6:2001:db8::1]>", relay, relay),
        ("<an@demo.gov.vn.example.org>", relay, yes),
        ("<an@sub.demo.gov.vn>", relay, yes),
        ("<an@xn--demo.gov.vn>", relay, yes),
    ] {
        assert_eq!(ask(&world, path, None).await, stranger, "a stranger and {path}");
        assert_eq!(ask(&world, path, Some(&an)).await, user, "a user and {path}");
    }
    assert_eq!(world.queue_rows().await, [0; 4]);
}

#[tokio::test]
async fn elsewhere_the_spelling_of_a_name_is_kept() {
    let world = World::new().await;
    let an = world.user("an").await;
    for (path, sent_to) in [
        ("<Ai.Do@Example.ORG>", "Ai.Do@example.org"),
        ("<\"A b\"@example.org>", "\"A b\"@example.org"),
        ("<X+Tag@EXAMPLE.org>", "X+Tag@example.org"),
    ] {
        let Ok((Path::Mailbox(mailbox), _)) = forward_path(path) else { panic!("{path}") };
        let name = mailbox.domain().to_string();
        let address = model::Address::new(mailbox.local(), &name).unwrap();
        let to = world.engine.recipient_of(&address, Some(&an)).await.unwrap().as_written(&mailbox);
        submit(&world, &an, &[to], Wishes::default()).await;
        let mut seen = Vec::new();
        work(&world.engine, |delivery| {
            seen.push(delivery.recipients[0].address.clone());
            all(delivery, &taken())
        })
        .await;
        assert_eq!(seen, [sent_to]);
    }
}

#[tokio::test]
async fn what_the_octets_need_is_known() {
    let world = World::new().await;
    let an = world.user("an").await;
    let to = [outside(&world, &an, "ai@example.org").await];
    for (message, smtputf8, needs) in [
        ("Subject: x\r\n\r\ny\r\n", true, (false, false)),
        ("Subject: x\r\n\r\ný\r\n", true, (true, false)),
        ("Subject: ý\r\n\r\ny\r\n", true, (true, true)),
        ("Subject: ý\r\n\r\ny\r\n", false, (true, false)),
    ] {
        let mut spool = world.engine.new_spool();
        spool.write(format!("From: an@demo.gov.vn\r\n{message}").as_bytes()).await.unwrap();
        let wishes = Wishes { smtputf8, requiretls: true, ..Wishes::default() };
        world.engine.deliver(&submitted(&an, wishes), &to, spool).await.unwrap();
        work(&world.engine, |delivery| {
            let found = (delivery.needs.eight_bit, delivery.needs.smtputf8);
            assert_eq!((found, delivery.needs.requiretls), (needs, true), "{message}");
            all(delivery, &taken())
        })
        .await;
    }
}
