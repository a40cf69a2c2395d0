//! Accepting mail: octets, sharing, recipients, refusals.

use super::{World, actor, address, arrival, without_trace};
use crate::{DeliverError, RecipientError, Sender, SenderError};
use proto::mime::AuthorsError;
use store::{Event, Target};
use tokio_util::sync::CancellationToken;

fn message(subject: &str, body: &str) -> Vec<u8> {
    format!("From: sender@example.org\r\nTo: an@demo.gov.vn\r\nSubject: {subject}\r\n\r\n{body}\r\n")
        .into_bytes()
}

/// Base64 lines of `bytes` pseudo-random octets.
fn attachment(seed: u64, bytes: usize) -> String {
    let mut reader = blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof();
    let mut random = vec![0; bytes];
    reader.fill(&mut random);
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text: Vec<u8> = random.iter().map(|byte| LETTERS[usize::from(byte & 63)]).collect();
    text.chunks(76).map(|line| String::from_utf8(line.to_vec()).unwrap() + "\r\n").collect()
}

fn with_attachment(subject: &str, cover: &str, boundary: &str, file: &str) -> Vec<u8> {
    format!(
        "From: sender@example.org\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n--{boundary}\r\nContent-Type: text/plain\r\n\r\n\
         {cover}\r\n--{boundary}\r\nContent-Type: application/pdf; name=a.pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{file}\r\n--{boundary}--\r\n"
    )
    .into_bytes()
}

#[tokio::test]
async fn a_message_is_kept_octet_for_octet_behind_its_trace() {
    let world = World::new().await;
    let an = world.user("an").await;
    for body in ["", "Xin chào", ".", "a\r\n.\r\nb", &"x".repeat(200_000)] {
        world.deliver(&["an"], &message("Thư", body)).await;
        let read = world.read(&an, "INBOX").await;
        assert_eq!(without_trace(&read.last().unwrap().1), message("Thư", body));
    }
    let raw_bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    world.deliver(&["an"], &raw_bytes).await;
    assert_eq!(without_trace(&world.read(&an, "INBOX").await.last().unwrap().1), raw_bytes);
}

#[tokio::test]
async fn the_trace_names_a_recipient_only_when_there_is_one() {
    let world = World::new().await;
    let (an, _) = (world.user("an").await, world.user("binh").await);
    world.deliver(&["an"], &message("1", "x")).await;
    world.deliver(&["an", "binh"], &message("2", "x")).await;
    let read = world.read(&an, "INBOX").await;
    let texts: Vec<_> = read.iter().map(|(_, raw)| String::from_utf8_lossy(raw).into_owned()).collect();
    assert!(texts[0].contains("for <an@demo.gov.vn>"), "{}", texts[0]);
    assert!(texts[0].contains("Sun, 22 Nov 2026 08:00:00 +0700"), "{}", texts[0]);
    assert!(!texts[1].contains("binh@demo.gov.vn") && !texts[1].contains(" for "), "{}", texts[1]);
}

#[tokio::test]
async fn addresses_are_looked_through_tags_aliases_and_case() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.engine.add_alias(&actor(), &address("lanhdao"), &address("an")).await.unwrap();
    for to in ["AN@Demo.Gov.VN", "an+baocao@demo.gov.vn", "lanhdao@demo.gov.vn"] {
        world.deliver(&[to], &message("x", "y")).await;
    }
    world.deliver(&["an", "lanhdao"], &message("x", "once for one mailbox")).await;
    assert_eq!(world.read(&an, "INBOX").await.len(), 4);
    let unknown = world.engine.recipient(&address("ai-do")).await.unwrap_err();
    assert_eq!(unknown, RecipientError::Unknown);
    let elsewhere = world.engine.recipient(&address("an@example.org")).await.unwrap_err();
    assert_eq!(elsewhere, RecipientError::NotLocal);
}

#[tokio::test]
async fn an_attachment_is_stored_once_however_often_it_is_forwarded() {
    let world = World::new().await;
    let an = world.user("an").await;
    let file = attachment(1, 1_000_000);
    world.deliver(&["an"], &with_attachment("Văn bản", "Kính gửi", "b1", &file)).await;
    let before = world.store.stored_bytes().await.unwrap();
    world
        .deliver(&["an"], &with_attachment("Fwd: Văn bản", "Chuyển tiếp đến các đơn vị", "other", &file))
        .await;
    let grown = world.store.stored_bytes().await.unwrap() - before;
    assert!(grown < 10_000, "{grown} bytes more for a forwarded megabyte");
    let read = world.read(&an, "INBOX").await;
    assert_eq!(
        without_trace(&read[1].1),
        with_attachment("Fwd: Văn bản", "Chuyển tiếp đến các đơn vị", "other", &file)
    );
}

#[tokio::test]
async fn a_full_mailbox_is_overshot_by_one_message_and_then_refuses() {
    let world = World::new().await;
    let mut new = super::mailbox("day");
    new.quota_bytes = Some(1000);
    super::policy(&world, "quota.person_min", "off").await;
    world.engine.add_mailbox(&actor(), &new).await.unwrap();
    world.deliver(&["day"], &message("1", &"x".repeat(2000))).await;
    let full = world.engine.recipient(&address("day")).await.unwrap_err();
    assert_eq!(full, RecipientError::OverQuota);
}

#[tokio::test]
async fn loops_and_overgrown_headers_are_refused() {
    let world = World::new().await;
    world.user("an").await;
    let recipients = [world.engine.recipient(&address("an")).await.unwrap()];
    let looping = "Received: from a by b; Sun, 22 Nov 2026 08:00:00 +0700\r\n".repeat(101);
    let many = "X-A: b\r\n".repeat(2001);
    let large = format!("X-A: {}\r\n", "b".repeat(300_000));
    for (header, expected) in [
        (looping, DeliverError::Loop),
        (many, DeliverError::HeaderTooLarge),
        (large, DeliverError::HeaderTooLarge),
    ] {
        let mut spool = world.engine.new_spool();
        spool.write(format!("{header}\r\nbody\r\n").as_bytes()).await.unwrap();
        assert_eq!(world.engine.deliver(&arrival(), &recipients, spool).await.unwrap_err(), expected);
    }
}

#[tokio::test]
async fn nobody_submits_as_somebody_else() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.user("binh").await;
    let recipients = [world.engine.recipient(&address("binh")).await.unwrap()];
    let submitted = crate::Arrival { principal: Some(an.clone()), ..arrival() };
    let check = async |from: &str| {
        let mut spool = world.engine.new_spool();
        spool.write(format!("{from}Subject: x\r\n\r\ny\r\n").as_bytes()).await.unwrap();
        world.engine.deliver(&submitted, &recipients, spool).await.map(|_| ())
    };
    assert_eq!(check("From: An <an+x@demo.gov.vn>\r\n").await, Ok(()));
    assert_eq!(check("").await, Err(DeliverError::Authors(AuthorsError::Missing)));
    for forged in
        ["binh@demo.gov.vn", "an@demo.gov.vn, binh@demo.gov.vn", "\"an@demo.gov.vn\" <binh@demo.gov.vn>"]
    {
        let refused = check(&format!("From: {forged}\r\n")).await.unwrap_err();
        assert_eq!(refused, DeliverError::FromNotYours("binh@demo.gov.vn".into()), "{forged}");
    }
    let behalf = check("From: an@demo.gov.vn\r\nSender: binh@demo.gov.vn\r\n").await.unwrap_err();
    assert_eq!(behalf, DeliverError::FromNotYours("binh@demo.gov.vn".into()));
    assert_eq!(check("From: an@demo.gov.vn\r\nSender: an+x@demo.gov.vn\r\n").await, Ok(()));
    for field in ["Resent-From", "Resent-Sender"] {
        let resent = check(&format!("From: an@demo.gov.vn\r\n{field}: binh@demo.gov.vn\r\n")).await;
        assert_eq!(resent, Err(DeliverError::FromNotYours("binh@demo.gov.vn".into())));
    }
    // One program shows the first, another the second.
    let unclear = check("From: binh@demo.gov.vn <an@demo.gov.vn>\r\n").await;
    assert_eq!(unclear, Err(DeliverError::Authors(AuthorsError::Unclear("From"))));
    let many: Vec<String> = (0..51).map(|n| format!("an+{n}@demo.gov.vn")).collect();
    let many = check(&format!("From: {}\r\n", many.join(",\r\n "))).await;
    assert_eq!(many, Err(DeliverError::Authors(AuthorsError::TooMany)));
    // Two From fields: a client may show either (RFC 5322 3.6 allows one).
    assert!(check("From: an@demo.gov.vn\r\nFrom: binh@demo.gov.vn\r\n").await.is_err());
}

#[tokio::test]
async fn an_ended_right_submits_nothing_more() {
    let world = World::new().await;
    let an = world.user("an").await;
    let recipients = [world.engine.recipient(&address("an")).await.unwrap()];
    let submitted = crate::Arrival { principal: Some(an.clone()), ..arrival() };
    assert!(world.engine.set_password(&actor(), &address("an"), "Mật khẩu 2", false, "thử").await.unwrap());
    let refused = world.engine.check_sender(&an, &address("an")).await;
    assert_eq!(refused, Err(SenderError::Revoked));
    let mut spool = world.engine.new_spool();
    spool.write(b"From: an@demo.gov.vn\r\n\r\nx\r\n").await.unwrap();
    let refused = world.engine.deliver(&submitted, &recipients, spool).await.map(|_| ());
    assert_eq!(refused, Err(DeliverError::Revoked));
}

#[tokio::test]
async fn a_plus_in_an_address_that_was_given_out_is_no_tag() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    world.engine.add_alias(&actor(), &address("an+vanthu"), &address("binh")).await.unwrap();
    let vanthu = address("an+vanthu");
    assert_eq!(world.engine.check_sender(&an, &vanthu).await, Err(SenderError::NotYours));
    assert_eq!(world.engine.check_sender(&binh, &vanthu).await, Ok(()));
    world.deliver(&["an+vanthu"], &message("x", "y")).await;
    assert_eq!(world.read(&binh, "INBOX").await.len(), 1);
    world.engine.delete_without_export(&actor(), &address("binh"), "thu hồi").await.unwrap();
    assert_eq!(world.engine.recipient(&vanthu).await.unwrap_err(), RecipientError::Unknown);
    assert_eq!(world.engine.check_sender(&an, &vanthu).await, Err(SenderError::NotYours));
    assert_eq!(world.engine.check_sender(&an, &address("an+khac")).await, Ok(()));
}

#[tokio::test]
async fn the_return_path_is_the_sender_as_spelled() {
    let world = World::new().await;
    let an = world.user("an").await;
    let recipients = [world.engine.recipient(&address("an")).await.unwrap()];
    let senders = [
        "bounces+an=demo.gov.vn-0123456789abcdef0123456789abcdef0123456789@lists.example.org",
        "SRS0=HhHH=TT=example.com=Alice@Forwarder.Example",
        "\"Nguyễn \\\"A\\\" B\"@example.org",
        "a@[192.0.2.1]",
        "a@host_1.example.org",
        "đa\u{300}o@example.org",
    ];
    for (nth, sender) in senders.iter().enumerate() {
        let (mailbox, _) = proto::smtp::reverse_path(&format!("<{sender}>")).unwrap();
        let arrival = crate::Arrival { sender: mailbox.as_ref().map(Sender::from), ..arrival() };
        let mut spool = world.engine.new_spool();
        spool.write(&message("x", "y")).await.unwrap();
        world.engine.deliver(&arrival, &recipients, spool).await.unwrap();
        let read = world.read(&an, "INBOX").await;
        let text = String::from_utf8_lossy(&read[nth].1);
        assert!(text.starts_with(&format!("Return-Path: <{sender}>\r\nReceived: ")), "{text}");
    }
    let null = crate::Arrival { sender: None, ..arrival() };
    let mut spool = world.engine.new_spool();
    spool.write(&message("x", "y")).await.unwrap();
    world.engine.deliver(&null, &recipients, spool).await.unwrap();
    assert!(world.read(&an, "INBOX").await[senders.len()].1.starts_with(b"Return-Path: <>\r\n"));
}

#[tokio::test]
async fn waiting_mail_is_handed_out_until_a_stop() {
    let world = World::new().await;
    let an = world.user("an").await;
    let inbox = world.engine.folder(&an, &model::FolderName::inbox()).await.unwrap().unwrap().id;
    let mut spool = world.engine.new_spool();
    spool.write(&message("x", "y")).await.unwrap();
    let prepared = world.engine.prepare(spool, Vec::new()).await.unwrap();
    let content = world.engine.write_content(&prepared).await.unwrap();
    let target = Target { account: an.account(), folder: inbox, recipient: None, room: None };
    let event = Event {
        at: world.engine.now(),
        kind: "received",
        trace: "1",
        account: None,
        remote: None,
        sender: Some(""),
        size: None,
        status: None,
        about: None,
    };
    let mut tx = world.store.begin().await.unwrap();
    let id = tx.accept_pending(&content, &[target], &event).await.unwrap();
    tx.commit_known(&id).await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    world.engine.expand_all(&stop).await;
    assert_eq!(world.read(&an, "INBOX").await.len(), 0);
    world.engine.expand_all(&CancellationToken::new()).await;
    assert_eq!(world.read(&an, "INBOX").await.len(), 1);
}
