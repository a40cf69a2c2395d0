//! Messages over connections: what becomes of each recipient, whatever the server does.

use super::world::{Manners, Zone, serve};
use super::*;

async fn connected(manners: Manners) -> (Connection, world::Server, impl Sized) {
    let server = serve("127.0.0.2", 0, manners).await;
    let (resolver, dns) = Zone::default().at("b.vn", "127.0.0.2").serve().await;
    let mut settings = settings(server.port);
    settings.limits.transaction = SHORT * 4;
    settings.limits.command = SHORT;
    settings.limits.data = SHORT;
    settings.limits.end = SHORT;
    let connection = carrier(settings, resolver).open("b.vn").await.unwrap();
    (connection, server, dns)
}

fn offering(offers: &[&'static str], answers: &[(&'static str, &'static str)]) -> Manners {
    Manners { offers: offers.to_vec(), answers: answers.to_vec(), ..Manners::default() }
}

#[tokio::test]
async fn one_connection_carries_many_messages() {
    for offers in [&[][..], &["PIPELINING", "8BITMIME", "SIZE 1000"]] {
        let (mut connection, server, _dns) = connected(offering(offers, &[])).await;
        for _ in 0..3 {
            let attempt = connection.send(&envelope(&["x@b.vn", "y@b.vn"]), hello()).await;
            assert_eq!(told(&attempt.outcomes), "delivered 250 2.0.0, delivered 250 2.0.0");
            assert_eq!((attempt.tls, attempt.reusable, attempt.broken), (None, true, None));
        }
        connection.quit().await;
        assert_eq!(server.messages(), ["Subject: x\r\n\r\n.hello\r\n"; 3]);
        assert_eq!(server.connections(), 1);
        assert_eq!(server.seen.lock().unwrap().lines.last().unwrap(), "QUIT");
    }
}

#[tokio::test]
async fn each_failure_at_each_step() {
    for (answers, expected, reusable) in [
        (&[("MAIL", "451 4.3.2 later")][..], "deferred 451 4.3.2, deferred 451 4.3.2", true),
        (&[("MAIL", "550 5.7.1 no")], "failed 550 5.7.1, failed 550 5.7.1", true),
        (&[("MAIL", "!")], "deferred - 4.4.2, deferred - 4.4.2", false),
        (&[("MAIL", "?")], "deferred - 4.4.2, deferred - 4.4.2", false),
        (&[("MAIL", "421 4.3.2 bye")], "deferred 421 4.3.2, deferred 421 4.3.2", false),
        (&[("RCPT TO:<x", "550 5.1.1 no")], "failed 550 5.1.1, delivered 250 2.0.0", true),
        (&[("RCPT TO:<x", "450 no")], "deferred 450 4.0.0, delivered 250 2.0.0", true),
        (&[("RCPT TO:<y", "552 many")], "delivered 250 2.0.0, deferred 552 4.5.3", true),
        (&[("RCPT TO:<y", "!")], "deferred - 4.4.2, deferred - 4.4.2", false),
        (&[("RCPT TO:<x", "550 no"), ("RCPT TO:<y", "!")], "failed 550 5.0.0, deferred - 4.4.2", false),
        (
            &[("RCPT TO:<x", "550 no"), ("RCPT TO:<y", "421 no")],
            "failed 550 5.0.0, deferred 421 4.0.0",
            false,
        ),
        (&[("DATA", "451 no")], "deferred 451 4.0.0, deferred 451 4.0.0", true),
        (&[("DATA", "554 no")], "failed 554 5.0.0, failed 554 5.0.0", true),
        (&[("DATA", "!")], "deferred - 4.4.2, deferred - 4.4.2", false),
        (&[(".", "452 4.2.2 full")], "deferred 452 4.2.2, deferred 452 4.2.2", true),
        (&[(".", "554 5.7.1 spam")], "failed 554 5.7.1, failed 554 5.7.1", true),
        (&[(".", "!")], "deferred - 4.4.2, deferred - 4.4.2", false),
        (&[(".", "?")], "deferred - 4.4.2, deferred - 4.4.2", false),
        (&[(".", "what?")], "deferred - 4.5.0, deferred - 4.5.0", false),
        (&[(".", "250 2.0.0 ok\r\n421 enough")], "delivered 250 2.0.0, delivered 250 2.0.0", false),
    ] {
        for offers in [&[][..], &["PIPELINING"]] {
            let (mut connection, _server, _dns) = connected(offering(offers, answers)).await;
            let attempt = connection.send(&envelope(&["x@b.vn", "y@b.vn"]), hello()).await;
            assert_eq!(told(&attempt.outcomes), expected, "{answers:?} {offers:?}");
            assert_eq!((attempt.reusable, attempt.broken.is_none()), (reusable, reusable), "{answers:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_message_does_not_stain_the_next() {
    let refusals = &[("MAIL", "550 no"), ("RCPT", "550 no"), (".", "554 no")];
    let (mut connection, server, _dns) = connected(offering(&[], refusals)).await;
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        outcomes.push(told(&connection.send(&envelope(&["x@b.vn"]), hello()).await.outcomes));
    }
    assert_eq!(outcomes, ["failed 550 5.0.0", "failed 550 5.0.0", "failed 554 5.0.0", "delivered 250 2.0.0"]);
    assert_eq!(server.messages().len(), 1);
    let resets = server.seen.lock().unwrap().lines.iter().filter(|line| *line == "RSET").count();
    assert_eq!(resets, 3);
}

#[tokio::test]
async fn half_a_message_is_never_ended() {
    for offers in [&[][..], &["CHUNKING"]] {
        let (mut connection, server, _dns) = connected(offering(offers, &[])).await;
        let large = Envelope { size: 1 << 20, ..envelope(&["x@b.vn"]) };
        let attempt = connection.send(&large, pieces(&[b"Subject: x\r\n", b"!"])).await;
        assert_eq!(told(&attempt.outcomes), "deferred - 4.3.0");
        // The connection is of no more use, and its server not to blame.
        assert_eq!((attempt.reusable, attempt.broken), (false, None));
        let next = connection.send(&envelope(&["x@b.vn"]), hello()).await;
        assert_eq!((told(&next.outcomes).as_str(), next.reusable), ("deferred - 4.3.0", false));
        connection.quit().await;
        assert_eq!(server.messages(), [""; 0]);
    }
}

#[tokio::test]
async fn large_messages_go_in_chunks() {
    static BLOCK: [u8; 100_000] = [b'x'; 100_000];
    let (mut connection, server, _dns) = connected(offering(&["PIPELINING", "CHUNKING"], &[])).await;
    let large = Envelope { size: 2_000_000, ..envelope(&["x@b.vn"]) };
    let attempt = connection.send(&large, pieces(&[&BLOCK[..]; 20])).await;
    assert_eq!(told(&attempt.outcomes), "delivered 250 2.0.0");
    assert_eq!(server.seen.lock().unwrap().messages[0].len(), 2_000_000);
    let chunks = server.seen.lock().unwrap().lines.iter().filter(|line| line.starts_with("BDAT")).count();
    assert_eq!(chunks, 4);
    // The dialogue goes on as before.
    assert_eq!(told(&connection.send(&envelope(&["x@b.vn"]), hello()).await.outcomes), "delivered 250 2.0.0");
}

#[tokio::test]
async fn what_the_server_cannot_take_fails_without_being_tried() {
    let eight = Envelope { is_8bit: true, ..envelope(&["x@b.vn"]) };
    let utf8 = Envelope { needs_smtputf8: true, ..envelope(&["x@b.vn"]) };
    let large = Envelope { size: 5_000, ..envelope(&["x@b.vn"]) };
    let sealed = Envelope { requires_tls: true, ..envelope(&["x@b.vn"]) };
    let mixed = envelope(&["đ@b.vn", "x@b.vn"]);
    let (mut connection, server, _dns) = connected(offering(&["SIZE 1000", "REQUIRETLS"], &[])).await;
    for (envelope, expected) in [
        (&utf8, "failed - 5.6.7"),
        (&large, "failed - 5.3.4"),
        (&sealed, "failed - 5.7.30"),
        (&mixed, "failed - 5.6.7, delivered 250 2.0.0"),
        (&eight, "failed - 5.6.3"),
    ] {
        let attempt = connection.send(envelope, pieces(&[b"Subject: \xc4\x91\r\n\r\nx\r\n"])).await;
        assert_eq!((told(&attempt.outcomes).as_str(), attempt.reusable), (expected, true));
    }
    assert_eq!(server.messages().len(), 1);
}

#[tokio::test]
async fn an_old_server_gets_seven_bits() {
    let (mut connection, server, _dns) = connected(offering(&[], &[])).await;
    let eight = Envelope { is_8bit: true, ..envelope(&["x@b.vn"]) };
    let raw: &[&'static [u8]] = &[b"MIME-Version: 1.0\r\n\r\nCh\xc3", b"\xa0o\r\n"];
    let attempt = connection.send(&eight, pieces(raw)).await;
    assert_eq!(told(&attempt.outcomes), "delivered 250 2.0.0");
    let expected = "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nCh=C3=A0o\r\n";
    assert_eq!(server.messages(), [expected]);
    // One that knows it gets it as it is.
    let (mut connection, server, _dns) = connected(offering(&["8BITMIME"], &[])).await;
    assert_eq!(told(&connection.send(&eight, pieces(raw)).await.outcomes), "delivered 250 2.0.0");
    assert_eq!(server.messages(), ["MIME-Version: 1.0\r\n\r\nChào\r\n"]);
    let unreadable = connection.send(&eight, pieces(&[b"x", b"!"])).await;
    assert_eq!(told(&unreadable.outcomes), "deferred - 4.3.0");
}

#[tokio::test]
async fn what_there_is_no_room_to_convert_waits() {
    let (mut connection, server, _dns) = connected(offering(&[], &[])).await;
    let eight = Envelope { is_8bit: true, ..envelope(&["x@b.vn"]) };
    let raw: &[&'static [u8]] = &[b"MIME-Version: 1.0\r\n\r\nCh\xc3", b"\xa0o\r\n"];
    let everything = u32::try_from(agent::CONVERSIONS.available_permits()).unwrap();
    let taken = agent::CONVERSIONS.try_acquire_many(everything).unwrap();
    let attempt = connection.send(&eight, pieces(raw)).await;
    assert_eq!((told(&attempt.outcomes).as_str(), attempt.reusable), ("deferred - 4.3.2", true));
    assert_eq!(told(&connection.send(&envelope(&["x@b.vn"]), hello()).await.outcomes), "delivered 250 2.0.0");
    drop(taken);
    assert_eq!(told(&connection.send(&eight, pieces(raw)).await.outcomes), "delivered 250 2.0.0");
    assert_eq!(server.messages().len(), 2);
    assert_eq!(agent::CONVERSIONS.available_permits(), usize::try_from(everything).unwrap());
}
