//! DANE from the domain to the server's key, every answer signed or not.

use super::signed::{Beside, Signer};
use super::world::{Authority, Certified, Manners, Zone, serve};
use super::*;
use guard::{DnsError, Resolver, Tlsa};

/// Opens to `b.vn`, whose server `mx.b.vn` shows `certified`; the zone is made for the server's port.
async fn opened(certified: &Certified, zone: impl FnOnce(u16) -> Zone) -> String {
    opened_by(certified, zone, |resolver| resolver).await
}

async fn opened_by(
    certified: &Certified,
    zone: impl FnOnce(u16) -> Zone,
    asker: impl FnOnce(Resolver) -> Resolver,
) -> String {
    let manners = Manners { tls: Some(certified.acceptor()), ..Manners::default() };
    let server = serve("127.0.0.2", 0, manners).await;
    let (resolver, _dns) = zone(server.port).serve().await;
    match carrier(settings(server.port), asker(resolver)).open("b.vn").await {
        Ok(mut connection) => {
            let attempt = connection.send(&envelope(&["x@b.vn"]), hello()).await;
            attempt.tls.map_or("clear".to_owned(), |tls| tls.rsplit(' ').next().unwrap().to_owned())
        }
        Err(NoWay::Later(answer)) => format!("later {}", answer.status),
        Err(NoWay::Never(answer)) => format!("never {}", answer.status),
    }
}

fn zone() -> Zone {
    Zone::default().mx("b.vn", 1, "mx.b.vn").at("mx.b.vn", "127.0.0.2")
}

fn key(usage: u8, certificate: &[u8]) -> Tlsa {
    Tlsa { usage, selector: 0, matching: 0, data: certificate.to_vec() }
}

#[tokio::test]
async fn what_is_published_and_what_follows() {
    let authority = Authority::new();
    let good = authority.sign(&["mx.b.vn"], false);
    let other = authority.sign(&["mx.b.vn"], false);
    let right = key(3, &good.chain[0]);
    let wrong = key(3, &other.chain[0]);
    let all = || Signer::new(&[], &[]);
    let with = |key: &Tlsa| {
        let key = key.clone();
        move |port| zone().key("mx.b.vn", port, &key)
    };
    // The right key, proven; the wrong one; none; one that cannot be used.
    assert_eq!(opened(&good, |port| with(&right)(port).signed(all())).await, "verified");
    assert_eq!(opened(&good, |port| with(&wrong)(port).signed(all())).await, "later 4.7.5");
    assert_eq!(opened(&good, |_| zone().signed(all())).await, "unverified");
    assert_eq!(opened(&good, |port| with(&key(1, &good.chain[0]))(port).signed(all())).await, "unverified");
    // Nobody signed: a key that nobody vouches for is none, right or wrong.
    assert_eq!(opened(&good, with(&wrong)).await, "unverified");
    let unsigned = || Signer::new(&[], &["b.vn"]);
    assert_eq!(opened(&good, |port| with(&wrong)(port).signed(unsigned())).await, "unverified");
}

#[tokio::test]
async fn forged_answers_put_the_mail_off() {
    let good = Authority::new().sign(&["mx.b.vn"], false);
    let right = key(3, &good.chain[0]);
    for forged in ["b.vn", "mx.b.vn", "KEYS"] {
        let found = opened(&good, |port| {
            let keys: &'static str = format!("_{port}._tcp.mx.b.vn").leak();
            let forged = if forged == "KEYS" { keys } else { forged };
            zone().key("mx.b.vn", port, &right).signed(Signer::new(&[forged], &[]))
        });
        assert_eq!(found.await, "later 4.7.5", "{forged}");
    }
}

/// RFC 4035 5.3.3: a zone that changes its key or algorithm signs twice for a while, and one good signature is enough.
#[tokio::test]
async fn a_signature_that_is_of_no_use_beside_a_good_one_does_no_harm() {
    let authority = Authority::new();
    let good = authority.sign(&["mx.b.vn"], false);
    let right = key(3, &good.chain[0]);
    let wrong = key(3, &authority.sign(&["mx.b.vn"], false).chain[0]);
    for beside in [Beside::Stranger, Beside::Over, Beside::Unknown] {
        let to =
            |key| opened(&good, move |port| zone().key("mx.b.vn", port, key).signed(Signer::beside(beside)));
        assert_eq!(to(&right).await, "verified", "{beside:?}");
        assert_eq!(to(&wrong).await, "later 4.7.5", "{beside:?}");
    }
}

/// Signatures of what somebody has taken away do not prove that there is nothing.
#[tokio::test]
async fn signatures_without_what_they_sign_put_the_mail_off() {
    let good = Authority::new().sign(&["mx.b.vn"], false);
    let right = key(3, &good.chain[0]);
    let found = opened(&good, |port| {
        let keys: &'static str = format!("_{port}._tcp.mx.b.vn").leak();
        zone().key("mx.b.vn", port, &right).signed(Signer::bare(keys))
    });
    assert_eq!(found.await, "later 4.7.5");
}

/// A mistyped key of the root turns nothing off, whether it is known that the root is signed, or only seen.
#[tokio::test]
async fn a_root_whose_key_is_another_one_puts_the_mail_off() {
    let good = Authority::new().sign(&["mx.b.vn"], false);
    let right = key(3, &good.chain[0]);
    let known = |port| zone().key("mx.b.vn", port, &right).known_as_signed(Signer::stranger());
    assert_eq!(opened(&good, known).await, "later 4.7.5");
    let seen = |port| zone().key("mx.b.vn", port, &right).signed(Signer::stranger());
    assert_eq!(opened(&good, seen).await, "later 4.7.5");
}

/// That nobody signs is shown by an answer that nobody has signed, not by one that is wrong, nor by a failure.
#[tokio::test]
async fn a_root_that_cannot_be_seen_puts_the_mail_off() {
    let authority = Authority::new();
    let good = authority.sign(&["mx.b.vn"], false);
    let wrong = key(3, &authority.sign(&["mx.b.vn"], false).chain[0]);
    let with = |port| zone().key("mx.b.vn", port, &wrong);
    let forged = opened(&good, |port| with(port).signed(Signer::new(&[""], &[])));
    assert_eq!(forged.await, "later 4.7.5");
    let broken = opened(&good, |port| with(port).broken("").signed(Signer::new(&[], &[])));
    assert_eq!(broken.await, "later 4.7.5");
    let unsigned = opened(&good, |port| with(port).signed(Signer::new(&[], &[""])));
    assert_eq!(unsigned.await, "unverified");
}

/// What the administrator may ask beforehand, and what he may do about it: do without proofs.
#[tokio::test]
async fn who_asks_for_no_proof_waits_for_none() {
    let authority = Authority::new();
    let good = authority.sign(&["mx.b.vn"], false);
    let wrong = key(3, &authority.sign(&["mx.b.vn"], false).chain[0]);
    let with = |port| zone().key("mx.b.vn", port, &wrong);
    let all = || Signer::new(&[], &[]);
    let handed_on = async |zone: Zone| {
        let (resolver, _dns) = zone.serve().await;
        resolver.hands_on_proofs().await
    };
    assert_eq!(handed_on(zone().signed(all())).await, Ok(true));
    assert_eq!(handed_on(zone().signed(Signer::new(&[], &[""]))).await, Ok(false));
    for trouble in [
        zone().broken("").signed(all()),
        zone().signed(Signer::new(&[""], &[])),
        zone().known_as_signed(Signer::stranger()),
        zone().known_as_signed(Signer::new(&[], &[""])),
    ] {
        let shown = handed_on(trouble).await;
        assert!(matches!(shown, Err(DnsError::Unproven(_))), "{shown:?}");
    }
    let broken = |port| with(port).broken("").signed(all());
    assert_eq!(opened(&good, broken).await, "later 4.7.5");
    assert_eq!(opened_by(&good, broken, Resolver::without_proofs).await, "unverified");
    let signed = |port| with(port).signed(all());
    assert_eq!(opened_by(&good, signed, Resolver::without_proofs).await, "unverified");
}

#[tokio::test]
async fn aliases_have_keys_of_their_own() {
    let good = Authority::new().sign(&["mx.b.vn"], false);
    let right = key(3, &good.chain[0]);
    let aliased =
        || Zone::default().mx("b.vn", 1, "mx.b.vn").alias("mx.b.vn", "x.c.vn").at("x.c.vn", "127.0.0.2");
    let all = || Signer::new(&[], &[]);
    assert_eq!(opened(&good, |port| aliased().key("x.c.vn", port, &right).signed(all())).await, "verified");
    assert_eq!(opened(&good, |port| aliased().key("mx.b.vn", port, &right).signed(all())).await, "verified");
    // A domain that is its own server.
    let own = |port| Zone::default().at("b.vn", "127.0.0.2").key("b.vn", port, &right).signed(all());
    assert_eq!(opened(&good, own).await, "verified");
}

#[tokio::test]
async fn a_stripper_on_the_path_is_noticed() {
    let good = Authority::new().sign(&["mx.b.vn"], false);
    let right = key(3, &good.chain[0]);
    // STARTTLS is not offered where there is a key.
    let server = serve("127.0.0.2", 0, Manners::default()).await;
    let zone = zone().key("mx.b.vn", server.port, &right).signed(Signer::new(&[], &[]));
    let (resolver, _dns) = zone.serve().await;
    let refused = carrier(settings(server.port), resolver).open("b.vn").await.map(|_| ());
    assert!(matches!(refused, Err(NoWay::Later(answer)) if answer.status.to_string() == "4.7.10"));
    assert_eq!(server.messages(), [""; 0]);
}
