//! What policies say; fetching them is shown with the road out, over real sockets.

use super::*;

fn policy(text: &str) -> Option<Policy> {
    Policy::parse(text)
}

#[test]
fn policies_are_read() {
    let text =
        "version: STSv1\r\nmode: enforce\r\nmx: Mail.A.vn\r\nmx: *.b.vn\r\nmax_age: 604800\r\nnew: x\r\n";
    let read = policy(text).unwrap();
    assert_eq!((read.mode, read.max_age), (Mode::Enforce, Duration::from_secs(604_800)));
    for (host, allowed) in [
        ("mail.a.vn", true),
        ("MAIL.a.VN.", true),
        ("x.b.vn", true),
        ("b.vn", false),
        (".b.vn", false),
        ("x.y.b.vn", false),
        ("a.vn", false),
        ("xmail.a.vn", false),
    ] {
        assert_eq!(read.allows(host), allowed, "{host}");
    }
    assert_eq!(read.hosts(), ["mail.a.vn", "*.b.vn"]);
    assert_eq!(read.lines()[..2], ["version: STSv1", "mode: enforce"]);
    let long = format!("version: STSv1\nmode: none\nmax_age: 1\nx: {}", "y".repeat(3_000));
    assert_eq!(policy(&long).unwrap().lines().len(), 3, "what is repeated is bounded");
    let (first, last) = ("mx: first.a.vn\nversion: STSv1\nmode: enforce\nmax_age: 1\n", "mx: last.a.vn\n");
    let long = policy(&format!("{first}{}{last}", "a:\n".repeat(5_000))).unwrap();
    assert_eq!(long.lines().len(), 120, "and many short lines are many, too");
    assert_eq!(long.hosts(), ["first.a.vn"], "those that are repeated");
    assert!(long.allows("last.a.vn"));
    assert_eq!(policy("version: STSv1\nmode: none\nmax_age: 86400").unwrap().mode, Mode::None);
    let long = policy("version:STSv1\nmode:testing\nmx:a\nmax_age:99999999999").unwrap();
    assert_eq!(long.max_age, Duration::from_secs(MAX_AGE_MOST));
    for wrong in [
        "",
        "<html>",
        "mode: enforce\nmx: a\nmax_age: 1",
        "version: STSv2\nmode: enforce\nmx: a\nmax_age: 1",
        "version: STSv1\nmode: strict\nmx: a\nmax_age: 1",
        "version: STSv1\nmx: a\nmax_age: 1",
        "version: STSv1\nmode: enforce\nmax_age: 1",
        "version: STSv1\nmode: enforce\nmx: a",
        "version: STSv1\nmode: enforce\nmx: a\nmax_age: -1",
        "version: STSv1\nmode: enforce\nmx: a\nmax_age: x",
        "version: STSv1\nmode: enforce\nmx: a\0b\nmax_age: 1",
    ] {
        assert_eq!(policy(wrong), None, "{wrong}");
    }
}

/// Else one failed fetch of a new policy would make the old one hold for its whole time.
#[tokio::test]
async fn a_policy_keeps_its_own_id_when_a_new_one_cannot_be_fetched() {
    let (resolver, _running) = crate::zone::serve("_mta-sts.demo.gov.vn TXT v=STSv1; id=2;").await;
    let sts = MtaSts::new(resolver, Arc::new(rustls::RootCertStore::empty()), 443, true).unwrap();
    let old = Arc::new(policy("version: STSv1\nmode: enforce\nmx: a.vn\nmax_age: 604800").unwrap());
    let now = Instant::now();
    let (until, policy) = (now + old.max_age, Some(Arc::clone(&old)));
    sts.keep("demo.gov.vn", Kept { id: "1".into(), policy, trouble: None, until, rests: now });
    let trouble = Some(Trouble::Fetch);
    assert_eq!(sts.policy("demo.gov.vn").await, Found { policy: Some(old.clone()), trouble });
    assert_eq!(sts.policy("demo.gov.vn").await, Found { policy: Some(old), trouble }, "as long as it rests");
    let kept = sts.known("demo.gov.vn").unwrap();
    assert_eq!((kept.id.as_str(), kept.until), ("1", until));
    assert!(kept.rests > now, "it is not asked for at every message");
}

#[test]
fn hints_are_read() {
    let of = |texts: &[&str]| id(&texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>());
    assert_eq!(of(&["v=spf1 -all", "v=STSv1; id=20160831085700Z;"]).as_deref(), Some("20160831085700Z"));
    assert_eq!(of(&["v=STSv1;x=y; id=1"]).as_deref(), Some("1"));
    for none in [
        &[][..],
        &["v=STSv1; id=1", "v=STSv1; id=2"],
        &["v=STSv1"],
        &["v=STSv1; id="],
        &["v=STSv1; id=a b"],
        &["v=STSv11; id=a"],
    ] {
        assert_eq!(of(none), None, "{none:?}");
    }
}
