//! Who is told what, and where it comes to lie.

use super::*;
use crate::tests::groups::group;
use crate::tests::words_of;
use crate::{Examined, PolicyEdit, Sender};
use model::admission::{Evidence, Outcome as Shown, Spf};
use model::queue::Return;
use model::{Address, DomainName, GroupRule};

#[tokio::test]
async fn a_refusal_is_told_at_once_in_words_and_for_machines() {
    let world = World::new().await;
    let an = world.user("an").await;
    let to = asked(outside(&world, &an, "Ai.Do@example.org").await, Notify::FAILURE);
    let wishes = Wishes { envid: Some("Q+2B1".into()), ret: Some(Return::Full), ..Wishes::default() };
    submit(&world, &an, &[to], wishes).await;
    work(&world.engine, |delivery| all(delivery, &never())).await;
    let raw = world.read(&an, "INBOX").await.remove(0).1;
    let text = String::from_utf8_lossy(&raw).into_owned();
    for part in [
        "Return-Path: <>\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "To: <an@demo.gov.vn>\r\n",
        "Content-Type: multipart/report; report-type=\"delivery-status\"",
        "Reporting-MTA: dns; mail.demo.gov.vn\r\nOriginal-Envelope-Id: Q+1\r\n",
        "Original-Recipient: rfc822;Ai+Do@example.org\r\nFinal-Recipient: rfc822;ai.do@example.org\r\n",
        "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns;mx\r\nDiagnostic-Code: smtp;550 no such user\r\n",
        "Content-Type: message/rfc822\r\n",
        "Message-ID: <1@demo.gov.vn>\r\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let words = words_of(&raw);
    assert!(words.starts_with("Thư không gửi được: Giấy mời "), "{words}");
    assert!(words.contains("Địa chỉ người nhận không tồn tại."), "{words}");
    assert!(words.contains("There is no such mailbox."), "{words}");
    assert!(words.contains("Gửi lúc: 08 giờ 00 ngày 22/11/2026 "), "{words}");
    // Our own Return-Path does not come back within the original.
    assert_eq!(text.matches("Return-Path:").count(), 1);
}

#[tokio::test]
async fn wishes_of_the_sender_are_kept() {
    let world = World::new().await;
    let an = world.user("an").await;
    let success = Notify::SUCCESS;
    let (usual, passed_on) = (Contact::Reached, Contact::PassedOn);
    for (notify, outcome, contact, told) in [
        (Notify::NEVER, never(), usual, None),
        (Notify::FAILURE, never(), usual, Some("failed")),
        (Notify::UNSAID, never(), usual, Some("failed")),
        (Notify::DELAY, never(), usual, None),
        (success, never(), usual, None),
        (success, taken(), usual, Some("relayed")),
        (success, taken(), passed_on, None),
        (Notify::UNSAID, taken(), usual, None),
    ] {
        let before = world.inbox(&an).await.len();
        let to = outside(&world, &an, "ai@example.org").await.asking(notify, None);
        submit(&world, &an, &[to], Wishes::default()).await;
        let claimed = world.engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
        let delivery = &claimed.deliveries[0];
        assert_eq!(delivery.warn_at.is_some(), notify.asks_for(Notify::DELAY));
        world.engine.report_mail(&claimed.lease, delivery, vec![outcome], contact).await.unwrap();
        world.engine.give_back_mail(&claimed.lease).await.unwrap();
        let inbox = world.inbox(&an).await;
        assert_eq!(inbox.len() - before, usize::from(told.is_some()), "{notify:?}");
        if let Some(action) = told {
            assert!(inbox.last().unwrap().contains(&format!("Action: {action}\r\n")));
        }
    }
}

#[tokio::test]
async fn somebody_here_is_reported_as_soon_as_he_has_it() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let to = [
        outside(&world, &an, "binh").await.asking(Notify::SUCCESS, None),
        outside(&world, &an, "an").await.asking(Notify::FAILURE, None),
    ];
    submit(&world, &an, &to, Wishes::default()).await;
    assert_eq!(world.inbox(&binh).await.len(), 1);
    let inbox = world.inbox(&an).await;
    assert_eq!(inbox.len(), 2);
    let told = inbox.iter().find(|text| text.contains("multipart/report")).unwrap();
    assert!(told.contains("Final-Recipient: rfc822;binh@demo.gov.vn\r\nAction: delivered"), "{told}");
}

/// Whoever did not log in may have named anybody as the sender.
#[tokio::test]
async fn a_stranger_is_sent_no_receipts() {
    let world = World::new().await;
    let (_, binh) = (world.user("an").await, world.user("binh").await);
    let_forward(&world, "an", "an@example.net", false).await;
    for name in ["an", "binh"] {
        let recipient = world.engine.recipient(&address(name)).await.unwrap();
        let recipient = recipient.asking(Notify::SUCCESS.and(Notify::FAILURE), None);
        let mut spool = world.engine.new_spool();
        spool.write(b"Subject: x\r\n\r\ny\r\n").await.unwrap();
        world.engine.deliver(&arrival(), &[recipient], spool).await.unwrap();
    }
    // Neither for what lies here nor for what was forwarded, and nobody else is asked to send any.
    let asked = std::cell::RefCell::new(Vec::new());
    let taken = |delivery: &LeasedDelivery| {
        asked.borrow_mut().push((delivery.recipients[0].address.clone(), delivery.recipients[0].notify));
        all(delivery, &taken())
    };
    work(&world.engine, taken).await;
    assert_eq!(*asked.borrow(), [("an@example.net".to_owned(), Notify::FAILURE)]);
    assert_eq!(world.queue_rows().await, [0; 4]);
    assert_eq!(world.inbox(&binh).await.len(), 1);
}

/// More than there is room for in memory now: nobody may hold the room of a message and wait for that of its receipt.
#[tokio::test]
async fn receipts_of_many_messages_do_not_wait_for_each_other() {
    let world = World::new().await;
    let an = world.user("an").await;
    let others = world.engine.0.intake.permit(253 << 20).await.unwrap();
    let one = async || {
        let to = outside(&world, &an, "an").await.asking(Notify::SUCCESS, None);
        let mut spool = world.engine.new_spool();
        spool.write(format!("From: {}\r\n\r\n", an.address()).as_bytes()).await.unwrap();
        spool.write(&b"0123456789abcdef\r\n".repeat(50_000)).await.unwrap();
        world.engine.deliver(&submitted(&an, Wishes::default()), &[to], spool).await.unwrap();
    };
    let all = async { tokio::join!(one(), one(), one(), one(), one(), one()) };
    tokio::time::timeout(std::time::Duration::from_secs(60), all).await.expect("they wait for each other");
    assert_eq!(world.number("select count(*) from entries").await, 12);
    drop(others);
    assert!(world.engine.0.intake.permit(256 << 20).await.is_ok(), "all is given back");
}

pub(in crate::tests) async fn let_forward(world: &World, from: &str, to: &str, keep_copy: bool) {
    let settings = [("sending.forward_outside".to_owned(), "true".to_owned())];
    let edit = PolicyEdit { settings: &settings, based_on: None, reason: "QĐ", dry_run: false };
    let _ = world.engine.change_policy(&actor(), &DomainName::new("demo.gov.vn").unwrap(), &edit).await;
    world.engine.set_forward(&actor(), &address(from), (&address(to), keep_copy)).await.unwrap();
}

#[tokio::test]
async fn forwarded_mail_goes_out_and_its_sender_elsewhere_is_told() {
    let world = World::new().await;
    let an = world.user("an").await;
    let binh = world.user("binh").await;
    let_forward(&world, "an", "an@example.net", true).await;
    let_forward(&world, "binh", "binh@example.net", false).await;
    let shown = world.engine.forward(&actor(), &address("an")).await.unwrap().unwrap().forward;
    assert_eq!(shown.target, address("an@example.net"));
    world.deliver(&["an", "binh"], b"Subject: x\r\n\r\ny\r\n").await;
    assert_eq!((world.inbox(&an).await.len(), world.inbox(&binh).await.len()), (1, 0));
    let seen = std::cell::RefCell::new(Vec::new());
    let says = |delivery: &LeasedDelivery| {
        let to: Vec<String> = delivery.recipients.iter().map(|to| to.address.clone()).collect();
        seen.borrow_mut().push((delivery.sender.clone(), to.join(" ")));
        all(delivery, &never())
    };
    work(&world.engine, says).await;
    let expected = [("sender@example.org", "an@example.net binh@example.net"), ("", "sender@example.org")];
    assert_eq!(*seen.borrow(), expected.map(|(from, to)| (from.to_owned(), to.to_owned())));
    // What has no return path has nobody to tell, and what bears one of ours without a log-in was forged.
    for sender in [None, Some(Sender::from(&address("an")))] {
        let to = world.engine.recipient(&address("binh")).await.unwrap();
        let mut spool = world.engine.new_spool();
        spool.write(b"Subject: x\r\n\r\ny\r\n").await.unwrap();
        world.engine.deliver(&Arrival { sender, ..arrival() }, &[to], spool).await.unwrap();
        assert_eq!(work(&world.engine, |delivery| all(delivery, &never())).await, ["example.net"]);
    }
    assert_eq!(
        world.inbox(&an).await.len(),
        2,
        "the copy, and that it does not get to where it is forwarded"
    );
    assert_eq!(world.queue_rows().await, [0; 4]);
}

/// RFC 3464 4.2: where his mail goes is its owner's affair; that it does not get there, both hear.
#[tokio::test]
async fn whoever_writes_does_not_learn_where_mail_is_forwarded_and_whose_it_is_hears_that_it_fails() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let_forward(&world, "binh", "rieng@example.net", false).await;
    let says = |delivery: &LeasedDelivery| {
        let orcpt = delivery.recipients[0].orcpt.as_deref();
        assert_eq!(orcpt, Some("rfc822;binh@demo.gov.vn"), "further on it is known by what was written to");
        all(delivery, &never())
    };
    let told = async |at: usize| {
        let raw = world.read(&an, "INBOX").await.remove(at).1;
        let facts = proto::mime::facts(&raw);
        let first = facts.structure.parts().find(|part| part.is_text()).unwrap();
        let body = &raw[usize::try_from(first.body_start).unwrap()..usize::try_from(first.body_end).unwrap()];
        let words = proto::mime::decode_text(first, body).unwrap().to_string();
        (words, String::from_utf8_lossy(&raw).into_owned())
    };
    for (hours, reports, notices) in [(0, 1, 1), (1, 2, 1), (24, 3, 2)] {
        world.forward(hours, 0);
        send(&world, &an, &["binh"]).await;
        work(&world.engine, says).await;
        let (words, raw) = told(reports - 1).await;
        let fields = "Original-Recipient: rfc822;binh@demo.gov.vn\r\nFinal-Recipient: rfc822;binh@demo.gov.vn\r\n\
                      Action: failed\r\nStatus: 5.2.4\r\n";
        assert!(raw.contains(fields), "{raw}");
        assert!(words.contains("binh@demo.gov.vn: Địa chỉ này chuyển thư tự động"), "{words}");
        for text in [&words, &raw] {
            assert!(!text.contains("example.net") && !text.contains("no such user"), "{text}");
        }
        let inbox = world.inbox(&binh).await;
        assert_eq!((world.inbox(&an).await.len(), inbox.len()), (reports, notices));
    }
    // What a colleague calls the original recipient tells him no more, a right guess neither.
    for (at, claimed) in [(3, "rfc822;rieng@example.net"), (4, "rfc822;x@elsewhere.example")] {
        let to = world.engine.recipient(&address("binh")).await.unwrap();
        let to = to.asking(Notify::FAILURE, Some(claimed.to_owned()));
        submit(&world, &an, &[to], Wishes::default()).await;
        work(&world.engine, says).await;
        let (words, raw) = told(at).await;
        assert!(raw.contains("Final-Recipient: rfc822;binh@demo.gov.vn\r\n"), "{raw}");
        assert!(!words.contains("example.net") && !raw.contains("no such user"), "{words}");
    }
    // A stranger, who is told elsewhere, learns as little; the log knows.
    world.deliver(&["binh"], b"Subject: x\r\n\r\ny\r\n").await;
    let claimed = world.engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    let delivery = &claimed.deliveries[0];
    world.engine.report_mail(&claimed.lease, delivery, vec![never()], Contact::Reached).await.unwrap();
    world.engine.give_back_mail(&claimed.lease).await.unwrap();
    let back = world.engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    let octets = world.engine.outgoing_octets(&back.deliveries[0]).await.unwrap().read().await.unwrap();
    let text = String::from_utf8_lossy(&octets);
    assert!(text.contains("Final-Recipient: rfc822;binh@demo.gov.vn\r\n"), "{text}");
    assert!(!text.contains("example.net"), "{text}");
    world.engine.give_back_mail(&back.lease).await.unwrap();
    let traced =
        "select count(*) from events where kind = 'bounced' and 'rieng@example.net' = any (recipients)";
    assert_eq!(world.number(traced).await, 6);
    // Who claims another's address for what he sends himself has nobody told.
    let to = outside(&world, &an, "ai@example.org").await;
    let to = to.asking(Notify::FAILURE, Some("rfc822;binh@demo.gov.vn".to_owned()));
    world.forward(24, 0);
    let before = (world.inbox(&an).await.len(), world.inbox(&binh).await.len());
    submit(&world, &an, &[to], Wishes::default()).await;
    work(&world.engine, |delivery| all(delivery, &never())).await;
    assert_eq!((world.inbox(&an).await.len(), world.inbox(&binh).await.len()), (before.0 + 1, before.1));
}

/// Whichever way it came to him, and whatever its sender wants to hear: that his forwarding fails is its owner's to know.
#[tokio::test]
async fn whose_forwarding_fails_hears_of_it_whatever_was_written_to_and_asked_for() {
    let world = World::new().await;
    let (an, binh, chi) = (world.user("an").await, world.user("binh").await, world.user("chi").await);
    let engine = &world.engine;
    let_forward(&world, "binh", "rieng@example.net", false).await;
    let_forward(&world, "chi", "binh@demo.gov.vn", true).await;
    engine.add_group(&actor(), &group("nhom", GroupRule::Manual, None, false)).await.unwrap();
    engine.change_group(&actor(), &address("nhom"), (&[address("binh")], true)).await.unwrap();
    let notice = async |at: usize| {
        let raw = world.read(&binh, "INBOX").await.remove(at).1;
        let facts = proto::mime::facts(&raw);
        let part = facts.structure.parts().find(|part| part.is_text()).unwrap();
        let body = &raw[usize::try_from(part.body_start).unwrap()..usize::try_from(part.body_end).unwrap()];
        proto::mime::decode_text(part, body).unwrap().to_string()
    };
    let (told, not_told) = ("Người gửi được thông báo", "Người gửi KHÔNG được thông báo");
    for (at, (to, notify, is_ours, original, words)) in [
        ("binh+viec", Notify::FAILURE, true, None, told),
        ("nhom", Notify::FAILURE, true, None, told),
        ("chi", Notify::FAILURE, true, None, told),
        ("binh", Notify::FAILURE, true, Some("x400;/C=VN"), told),
        ("binh", Notify::NEVER, true, None, not_told),
        ("binh", Notify::UNSAID, false, None, not_told),
    ]
    .into_iter()
    .enumerate()
    {
        world.forward(24, 0);
        let reports = world.inbox(&an).await.len();
        let who = is_ours.then_some(&an);
        let to = engine.recipient_of(&address(to), who).await.unwrap();
        let to = to.asking(notify, original.map(str::to_owned));
        let mut spool = engine.new_spool();
        spool.write(b"From: an@demo.gov.vn\r\nSubject: x\r\n\r\ny\r\n").await.unwrap();
        let arrival = match is_ours {
            true => submitted(&an, Wishes::default()),
            false => Arrival { sender: None, ..arrival() },
        };
        engine.deliver(&arrival, &[to], spool).await.unwrap();
        work(engine, |delivery| all(delivery, &never())).await;
        let inbox = world.inbox(&binh).await;
        assert_eq!(inbox.len(), at + 1, "{at}");
        let said = notice(at).await;
        assert!(said.contains(words) && said.contains("rieng@example.net"), "{at} {said}");
        let reports = &world.inbox(&an).await[reports..];
        assert_eq!(reports.len(), usize::from(words == told), "{at}");
        assert!(reports.iter().all(|text| !text.contains("example.net")), "{at} {reports:?}");
    }
    assert_eq!(world.inbox(&chi).await.len(), 1, "who forwards to a colleague has nothing to mend");
    // Who has had it ended in silence, has it end for everybody.
    world.forward(24, 0);
    let id = send(&world, &an, &["binh"]).await;
    engine.expire_queued(&actor(), &id, true).await.unwrap();
    assert_eq!(world.inbox(&binh).await.len(), 6);
}

/// Elsewhere his domain does not name us (SPF), so it goes under a path of ours, and what comes back to that goes to him.
#[tokio::test]
async fn what_comes_back_of_forwarded_mail_goes_on_to_its_sender() {
    let world = World::new().await;
    let an = world.user("an").await;
    let_forward(&world, "an", "an@example.net", true).await;
    world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    send(&world, &an, &["ai@example.org"]).await;
    let paths = std::cell::RefCell::new(HashMap::new());
    let says = |delivery: &LeasedDelivery| {
        paths.borrow_mut().insert(delivery.destination.clone(), delivery.sent_as.clone());
        all(delivery, &taken())
    };
    work(&world.engine, says).await;
    let path = paths.borrow()["example.net"].clone().unwrap();
    let (local, domain) = path.rsplit_once('@').unwrap();
    assert!(
        local.starts_with("SRS0=") && local.ends_with("=example.org=sender") && domain == "demo.gov.vn",
        "{path}"
    );
    // What users send goes under their own address.
    assert_eq!(paths.borrow()["example.org"], None);
    let back = async |local: &str| {
        let address = Address::new(local, "demo.gov.vn").unwrap();
        world.another_node().came_back(local, &address).await.unwrap()
    };
    let mut spool = world.engine.new_spool();
    spool.write(b"Subject: not delivered\r\n\r\ny\r\n").await.unwrap();
    let to = back(local).await.unwrap();
    world.engine.deliver(&Arrival { sender: None, ..arrival() }, &[to], spool).await.unwrap();
    let gone = std::cell::RefCell::new(Vec::new());
    let says = |delivery: &LeasedDelivery| {
        let to: Vec<String> = delivery.recipients.iter().map(|to| to.address.clone()).collect();
        gone.borrow_mut().push((delivery.sender.clone(), delivery.sent_as.clone(), to.join(" ")));
        all(delivery, &never())
    };
    work(&world.engine, says).await;
    assert_eq!(*gone.borrow(), [(String::new(), None, "sender@example.org".to_owned())]);
    assert_eq!(world.queue_rows().await, [0; 4]);
    // Nobody makes one for another, and none holds for ever.
    assert!(back(&local.replace("=sender", "=other")).await.is_none() && back("an").await.is_none());
    world.forward(24 * 22, 0);
    assert!(back(local).await.is_none());
}

#[tokio::test]
async fn whose_mailbox_is_gone_is_not_told_and_the_queue_goes_on() {
    let world = World::new().await;
    let an = world.user("an").await;
    send(&world, &an, &["ai@example.org"]).await;
    world
        .database
        .run("update accounts set state = 'locked' where account_id = (select account_id from counters)")
        .await;
    world.database.run("delete from folders").await;
    work(&world.engine, |delivery| all(delivery, &never())).await;
    assert_eq!(world.queue_rows().await, [0; 4]);
}

/// Nobody hears that what may still be called back, or waits for approval, has arrived; nor of one way twice.
#[tokio::test]
async fn a_receipt_is_for_what_lies_in_a_mailbox() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let _chi = world.user("chi").await;
    let told = async || {
        let inbox = world.inbox(&an).await;
        let count =
            |action: &str| inbox.iter().filter(|text| text.contains(&format!("Action: {action}"))).count();
        (count("delivered"), count("relayed"), count("expanded"))
    };
    let to = async |name: &str| outside(&world, &an, name).await.asking(Notify::SUCCESS, None);
    let at = world.engine.now() + SignedDuration::from_hours(2);
    let later = Wishes { release_at: Some(at), ..Wishes::default() };
    submit(&world, &an, &[to("binh").await], later).await;
    assert_eq!(told().await, (0, 0, 0));
    // Forwarded without a copy: the other side says it.
    let_forward(&world, "binh", "binh@example.net", false).await;
    submit(&world, &an, &[to("binh").await], Wishes::default()).await;
    assert_eq!(told().await, (0, 0, 0));
    assert_eq!(everything_taken(&world.engine).await, ["example.net"]);
    assert_eq!(told().await, (0, 1, 0));
    // With a copy: it lies here, and that is said once.
    let_forward(&world, "binh", "binh@example.net", true).await;
    submit(&world, &an, &[to("binh").await], Wishes::default()).await;
    assert_eq!(everything_taken(&world.engine).await, ["example.net"]);
    assert_eq!((told().await, world.inbox(&binh).await.len()), ((1, 1, 0), 1));
}

/// ST Đ9.3: what policy does not let out any more stays, whoever had it set when it did.
#[tokio::test]
async fn mail_stays_once_policy_lets_it_out_no_more() {
    let world = World::new().await;
    let an = world.user("an").await;
    let_forward(&world, "an", "an@example.net", false).await;
    world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    assert_eq!((world.inbox(&an).await.len(), everything_taken(&world.engine).await.len()), (0, 1));
    crate::tests::policy(&world, "sending.forward_domains", "").await;
    crate::tests::policy(&world, "sending.forward_outside", "false").await;
    world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    assert_eq!((world.inbox(&an).await.len(), everything_taken(&world.engine).await.len()), (1, 0));
}

/// Who was not shown to be the sender gets no path that leads to whomever he names; what nobody wants comes back to nobody.
#[tokio::test]
async fn paths_are_for_senders_that_were_shown_and_pass_no_junk_on() {
    let world = World::new().await;
    world.user("an").await;
    let_forward(&world, "an", "an@example.net", false).await;
    let bring = async |outcome: Shown| {
        let to = world.engine.recipient(&address("an")).await.unwrap();
        let spf = Spf { outcome, domain: "example.org".into(), of_helo: false };
        let evidence = Evidence { spf, ..Evidence::default() };
        let examined = Some(Examined { evidence, sorting: model::Sorting::Inbox });
        let mut spool = world.engine.new_spool();
        spool.write(b"Subject: x\r\n\r\ny\r\n").await.unwrap();
        world.engine.deliver(&Arrival { examined, ..arrival() }, &[to], spool).await.unwrap();
        let path = std::cell::RefCell::new(None);
        let says = |delivery: &LeasedDelivery| {
            path.replace(delivery.sent_as.clone());
            all(delivery, &taken())
        };
        work(&world.engine, says).await;
        path.into_inner()
    };
    assert_eq!(bring(Shown::SoftFail).await, None);
    assert_eq!(bring(Shown::None).await, None);
    let path = bring(Shown::Pass).await.unwrap();
    let local = path.rsplit_once('@').unwrap().0;
    let to = world.engine.came_back(local, &Address::new(local, "demo.gov.vn").unwrap()).await.unwrap();
    let examined = Some(Examined { sorting: model::Sorting::Junk, ..Examined::default() });
    let mut spool = world.engine.new_spool();
    spool.write(b"Subject: x\r\n\r\ny\r\n").await.unwrap();
    let arrival = Arrival { sender: None, examined, ..arrival() };
    let refused = world.engine.deliver(&arrival, &[to.unwrap()], spool).await;
    assert_eq!(refused.map(|_| ()), Err(crate::DeliverError::Unwanted));
    assert_eq!(world.queue_rows().await, [0; 4]);
}
