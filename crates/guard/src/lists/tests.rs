//! Lists against a name server on loopback, with answers as lists give them, and as others do in their names.

use super::*;
use crate::zone::{serve, serve_crowds};
use std::sync::atomic::Ordering;

const ZONE: &str = "
    7.2.0.192.bl.test A 127.0.0.2
    7.2.0.192.bl.test A 127.0.0.11
    8.2.0.192.bl.test TXT no address at all
    2.0.0.127.bl.test A 127.0.0.2
    1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.0.6.2.bl.test A 127.0.0.4
    7.2.0.192.other.test A 127.0.0.3
    # Everybody, as lists do that have ended, and domains that were sold.
    7.2.0.192.ended.test A 127.0.0.2
    1.0.0.127.ended.test A 127.0.0.2
    7.2.0.192.sold.test A 203.0.113.80
    # A list that does not want to be asked by a public resolver.
    7.2.0.192.refuses.test A 127.255.255.254
    7.2.0.192.broken.test SERVFAIL
    7.2.0.192.silent.test SILENT
    # What it says of nobody is not known.
    7.2.0.192.half.test A 127.0.0.2
    1.0.0.127.half.test SERVFAIL
    # Nobody asks about these, and would be told this.
    1.0.0.10.bl.test A 127.0.0.2
    1.0.0.127.private.test A 127.0.0.2
";

fn zones(names: &[&str]) -> Vec<DomainName> {
    names.iter().map(|name| DomainName::new(name).unwrap()).collect()
}

fn listing(zone: &str, codes: &[u8]) -> Listing {
    Listing { zone: zone.into(), codes: codes.to_vec() }
}

async fn with(lists: &BlockLists, address: &str, names: &[&str]) -> Vec<Listing> {
    lists.with(address.parse().unwrap(), &zones(names)).await
}

#[tokio::test]
async fn what_lists_say_is_told() {
    let (resolver, _running) = serve(ZONE).await;
    let lists = BlockLists::new(resolver);
    let both = [listing("bl.test", &[2, 11]), listing("other.test", &[3])];
    for address in ["192.0.2.7", "::ffff:192.0.2.7"] {
        assert_eq!(with(&lists, address, &["bl.test", "other.test"]).await, both);
    }
    assert_eq!(with(&lists, "2606::1", &["bl.test"]).await, [listing("bl.test", &[4])]);
    for unlisted in ["192.0.2.8", "192.0.2.9", "2606::2"] {
        assert_eq!(with(&lists, unlisted, &["bl.test", "other.test"]).await, []);
    }
    assert_eq!(with(&lists, "192.0.2.7", &[]).await, []);
}

#[tokio::test]
async fn what_no_list_says_is_no_evidence() {
    let (resolver, _running) = serve(ZONE).await;
    let lists = BlockLists::new(resolver);
    for zone in ["ended.test", "sold.test", "refuses.test", "broken.test", "half.test", "nowhere.test"] {
        assert_eq!(with(&lists, "192.0.2.7", &[zone]).await, [], "{zone}");
    }
    let names = ["broken.test", "bl.test", "ended.test"];
    assert_eq!(with(&lists, "192.0.2.7", &names).await, [listing("bl.test", &[2, 11])], "beside others");
}

#[tokio::test]
async fn a_list_is_tried_out_by_what_every_list_has() {
    let zone = format!(
        "{ZONE}
        2.0.0.127.ended.test A 127.0.0.2
        2.0.0.127.refuses.test A 127.255.255.254
        2.0.0.127.broken.test SERVFAIL"
    );
    let (resolver, _running) = serve(&zone).await;
    let lists = BlockLists::new(resolver);
    for (name, expected) in [
        ("bl.test", ListTrial::Sound),
        ("other.test", ListTrial::Empty),
        ("nowhere.test", ListTrial::Empty),
        ("ended.test", ListTrial::Unbelievable),
        ("refuses.test", ListTrial::Unbelievable),
    ] {
        assert_eq!(lists.try_out(&DomainName::new(name).unwrap()).await, Ok(expected), "{name}");
    }
    assert!(lists.try_out(&DomainName::new("broken.test").unwrap()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_silent_list_is_waited_for_a_little_and_then_left_alone() {
    let (resolver, _running) = serve(ZONE).await;
    let lists = BlockLists::new(resolver);
    let mut waited = Vec::new();
    for _ in 0..6 {
        let began = Instant::now();
        assert_eq!(with(&lists, "192.0.2.7", &["silent.test"]).await, []);
        waited.push(began.elapsed());
    }
    assert!(
        waited[..5]
            .iter()
            .all(|time| *time >= Duration::from_secs(1) && *time <= ANSWER_MAX + Duration::from_secs(1)),
        "{waited:?}"
    );
    assert_eq!(waited[5], Duration::ZERO, "it is not asked any more");
}

/// And nobody's own network is told to a list.
#[tokio::test]
async fn a_list_is_asked_once_of_an_address_and_never_of_our_own() {
    let (resolver, crowd, _running) = serve_crowds(ZONE).await;
    let lists = BlockLists::new(resolver);
    for own in ["10.0.0.1", "127.0.0.1", "::1", "fd00::1", "::ffff:10.0.0.1", "169.254.1.1"] {
        assert_eq!(with(&lists, own, &["bl.test", "private.test"]).await, []);
    }
    assert_eq!(crowd.all.load(Ordering::Relaxed), 0);
    for _ in 0..3 {
        assert_eq!(with(&lists, "192.0.2.7", &["bl.test"]).await, [listing("bl.test", &[2, 11])]);
    }
    // Of the address; that nobody is listed has no term here, and is asked again.
    let of_nobody = 3;
    assert_eq!(crowd.all.load(Ordering::Relaxed), 1 + of_nobody);
}

#[tokio::test]
async fn lists_are_asked_at_once_and_not_beyond_their_number() {
    let names: Vec<String> = (0..40).map(|n| format!("l{n}.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (resolver, crowd, _running) = serve_crowds("x.test A 192.0.2.1").await;
    let lists = BlockLists::new(resolver);
    assert_eq!(with(&lists, "192.0.2.7", &names).await, []);
    assert_eq!(crowd.all.load(Ordering::Relaxed), LISTS_MAX);
    assert_eq!(crowd.most.load(Ordering::Relaxed), crate::dns::MESSAGE_QUESTIONS_MAX);
}
