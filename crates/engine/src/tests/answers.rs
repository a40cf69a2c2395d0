//! What rules write to people: answers (RFC 5230, RFC 3834), and notices (RFC 5436).

use super::groups::group;
use super::{World, actor, address, arrival, mailbox, policy, words_of};
use crate::intake::Prepared;
use crate::sieve::AnswerMail;
use crate::{Arrival, Examined, NewMailbox, Principal, Sender};
use jiff::SignedDuration;
use jiff::civil::date;
use model::admission::Evidence;
use model::{DomainName, GroupRule, MailboxClass, Sorting};
use proto::sieve::{Action, Answer, Ended, Known, Mail, Notice, Setting, compile, run};
use std::collections::BTreeMap;
use store::SieveChain;

const MAIL: &str = "Message-ID: <1@x.test>\r\nReferences: <0@x.test>\r\nFrom: an@x.test\r\nTo: binh@demo.gov.vn\r\nSubject: =?utf-8?Q?H=E1=BB=8Dp?=\r\n\r\nx\r\n";

fn answer() -> Answer {
    Answer {
        to: "an@x.test".into(),
        from: None,
        subject: "Trả lời tự động: Họp".into(),
        reason: "Tôi đi công tác.".into(),
        mime: false,
        handle: "a".into(),
        period: None,
    }
}

async fn chain(world: &World, of: &Principal) -> SieveChain {
    let mut chains = world.store.sieve_chains(&[of.account()], date(2026, 11, 22)).await.unwrap();
    chains.remove(0)
}

async fn prepared(world: &World, message: &str) -> Prepared {
    let mut spool = world.engine.new_spool();
    spool.write(message.as_bytes()).await.unwrap();
    world.engine.prepare(spool, Vec::new()).await.unwrap()
}

/// As a colleague who logged in.
fn from(who: &Principal, name: &str) -> Arrival {
    Arrival { sender: Some(Sender::from(&address(name))), principal: Some(who.clone()), ..arrival() }
}

async fn made(world: &World, arrival: &Arrival, whose: &SieveChain, answer: &Answer) -> Option<AnswerMail> {
    let message = prepared(world, MAIL).await;
    world.engine.answer_mail(arrival, (whose, Sorting::Inbox), answer, &message).await.unwrap()
}

/// In a transaction of its own; was he answered?
async fn put(world: &World, mail: &AnswerMail) -> bool {
    let at = world.engine.now();
    let destinations: Vec<&str> = mail.mail().destination().into_iter().collect();
    world.store.know_destinations(&destinations, at).await.unwrap();
    let mut tx = world.store.begin().await.unwrap();
    let put = mail.put(&mut tx, &world.engine, at).await.unwrap();
    tx.commit().await.unwrap();
    mail.mail().tell(&world.engine);
    world.engine.nudge_for_reports(&destinations).await;
    put
}

#[tokio::test]
async fn a_colleague_is_answered_once_in_a_period_and_sees_who_writes() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    world.engine.add_alias(&actor(), &address("le.binh"), &address("binh")).await.unwrap();
    let whose = chain(&world, &binh).await;
    let arrival = from(&an, "an");
    let mut answer = answer();
    let once = async |answer: &Answer| match made(&world, &arrival, &whose, answer).await {
        Some(mail) => put(&world, &mail).await,
        None => false,
    };
    // Two messages at once.
    let two = [made(&world, &arrival, &whose, &answer).await, made(&world, &arrival, &whose, &answer).await];
    let [Some(first), Some(second)] = two else { panic!("nobody is answered") };
    assert_eq!((put(&world, &first).await, put(&world, &second).await), (true, false));
    assert!(made(&world, &arrival, &whose, &answer).await.is_none(), "he was answered a moment ago");
    let read = world.read(&an, "INBOX").await;
    assert_eq!(read.len(), 1);
    let text = String::from_utf8(read[0].1.clone()).unwrap();
    for field in [
        "Return-Path: <>\r\n",
        "<binh@demo.gov.vn>\r\n",
        "To: <an@demo.gov.vn>\r\n",
        "\r\nAuto-Submitted: auto-replied\r\n",
        "\r\nIn-Reply-To: <1@x.test>\r\n",
        "\r\nReferences: <0@x.test> <1@x.test>\r\n",
        "(Cong Thu) with LMTP",
        "\r\nAuthentication-Results: mail.demo.gov.vn;",
    ] {
        assert!(text.contains(field), "{field}: {text}");
    }
    assert_eq!(words_of(&read[0].1), "Trả lời tự động: Họp Tôi đi công tác.");
    assert_eq!(world.number("select count(*) from queue_messages").await, 0);
    // Another answer, and the same one when the period is over.
    answer.handle = "b".into();
    answer.from = Some("Lê Bình <le.binh@demo.gov.vn>".into());
    assert!(once(&answer).await);
    let text = String::from_utf8(world.read(&an, "INBOX").await[1].1.clone()).unwrap();
    assert!(text.contains("<le.binh@demo.gov.vn>"), "an address of his own: {text}");
    answer.handle = "a".into();
    answer.from = Some("an@demo.gov.vn".into());
    world.clock.advance(SignedDuration::from_hours(7 * 24 - 1));
    assert!(!once(&answer).await);
    world.clock.advance(SignedDuration::from_hours(1));
    assert!(once(&answer).await);
    let text = String::from_utf8(world.read(&an, "INBOX").await[2].1.clone()).unwrap();
    assert!(text.contains("<binh@demo.gov.vn>\r\n"), "nobody else's: {text}");
}

#[tokio::test]
async fn a_stranger_is_answered_under_a_null_path_and_with_a_signature() {
    let world = World::new().await;
    let binh = world.user("binh").await;
    let whose = chain(&world, &binh).await;
    let domain = DomainName::new("demo.gov.vn").unwrap();
    world.engine.add_dkim(&actor(), &domain).await.unwrap();
    world.engine.rotate_dkim(&actor(), &domain).await.unwrap();
    let stranger = |name: &str| Arrival {
        sender: Some(name.parse::<model::Address>().map(|to| Sender::from(&to)).unwrap()),
        ..arrival()
    };
    let mail = made(&world, &stranger("an@x.test"), &whose, &answer()).await.unwrap();
    assert_eq!(mail.mail().destination(), Some("x.test"));
    assert!(put(&world, &mail).await);
    assert_eq!(world.database.texts("select sender from queue_messages").await, [""]);
    assert_eq!(world.database.texts("select address from queue_recipients").await, ["an@x.test"]);
    let claimed = world.engine.claim_mail(&crate::WantedWork::default()).await.unwrap().unwrap();
    let octets = world.engine.outgoing_octets(&claimed.deliveries[0]).await.unwrap();
    let out = String::from_utf8(octets.piece(0).await.unwrap().to_vec()).unwrap();
    assert!(
        out.is_ascii() && out.contains("d=demo.gov.vn") && out.contains("Auto-Submitted: auto-replied"),
        "{out}"
    );
    // However his system tags him, he is one.
    for tagged in ["AN@x.test", "prvs=1234ab=an@x.test"] {
        assert!(made(&world, &stranger(tagged), &whose, &answer()).await.is_none(), "{tagged}");
    }
    // Who may have been named by somebody else is written nothing.
    let forged = Examined { evidence: Evidence::default(), sorting: Sorting::Inbox };
    let unproven = Arrival { examined: Some(forged), ..stranger("chi@x.test") };
    assert!(made(&world, &unproven, &whose, &answer()).await.is_none());
    assert!(made(&world, &Arrival { sender: None, ..arrival() }, &whose, &answer()).await.is_none());
    policy(&world, "rules.answer_outside", "false").await;
    assert!(made(&world, &stranger("chi@x.test"), &whose, &answer()).await.is_none());
}

#[tokio::test]
async fn machines_groups_and_nobody_are_not_answered() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let service = NewMailbox { class: MailboxClass::Service, ..mailbox("hotro") };
    world.engine.add_mailbox(&actor(), &service).await.unwrap();
    world.engine.add_group(&actor(), &group("nhom", GroupRule::Manual, None, false)).await.unwrap();
    let whose = chain(&world, &binh).await;
    for (name, is_answered) in
        [("an", true), ("hotro", false), ("nhom", false), ("binh", false), ("khong", false)]
    {
        let mail = made(&world, &from(&an, name), &whose, &answer()).await;
        assert_eq!(mail.is_some(), is_answered, "{name}");
    }
    // Nobody who did not log in has a colleague written to.
    let unknown = Arrival { principal: None, ..from(&an, "an") };
    assert!(made(&world, &unknown, &whose, &answer()).await.is_none());
    let message = prepared(&world, MAIL).await;
    let junk = (&whose, Sorting::Junk);
    assert!(world.engine.answer_mail(&from(&an, "an"), junk, &answer(), &message).await.unwrap().is_none());
}

/// Two who are both away.
#[tokio::test]
async fn an_answer_is_not_answered() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let whose = chain(&world, &binh).await;
    let mail = made(&world, &from(&an, "an"), &whose, &answer()).await.unwrap();
    assert!(put(&world, &mail).await);
    let raw = world.read(&an, "INBOX").await.remove(0).1;
    let script = compile("require \"vacation\"; vacation \"Tôi cũng vắng\";".as_bytes()).unwrap();
    let structure = proto::mime::facts(&raw).structure;
    let follows = |raw: &[u8]| {
        let setting = Setting {
            envelope_from: "binh@demo.gov.vn".into(),
            envelope_to: "an@demo.gov.vn".into(),
            auth: String::new(),
            addresses: Vec::new(),
            now: world.engine.now().to_zoned(jiff::tz::TimeZone::UTC),
            environment: BTreeMap::new(),
            redirects_max: 0,
        };
        let Ended::Done(outcome) =
            run(&[&script], Mail { raw, structure: &structure }, &setting, &Known::default())
        else {
            panic!("it asks")
        };
        outcome.actions.iter().any(|action| matches!(action, Action::Vacation(_)))
    };
    assert!(!follows(&raw));
    let by_hand = String::from_utf8(raw).unwrap().replace("Auto-Submitted: auto-replied\r\n", "");
    assert!(follows(by_hand.as_bytes()), "it is that field");
}

#[tokio::test]
async fn a_notice_goes_where_mail_may_go_on_to() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let whose = chain(&world, &binh).await;
    let notice = |method: &str, message: Option<&str>| Notice {
        method: method.into(),
        from: None,
        importance: 1,
        message: message.map(str::to_owned),
    };
    let notices = [
        notice("mailto:an@demo.gov.vn,an@y.test", None),
        notice("mailto:AN@demo.gov.vn?subject=a", None),
        notice(
            "mailto:khong@demo.gov.vn,an@let.out.test?subject=C%C3%B3&body=xin%0D%0A.%0D%0Abcc:%20a",
            Some("Thư\r\nBcc: z"),
        ),
    ];
    policy(&world, "sending.forward_domains", "let.out.test").await;
    let message = prepared(&world, MAIL).await;
    let arrival = Arrival { sender: Some(Sender::from(&address("ai@x.test"))), ..arrival() };
    let told = world.engine.notice_mails(&arrival, &whose, &notices, &message).await.unwrap();
    assert_eq!((told.mails.len(), told.refused.as_slice()), (2, ["an@y.test".to_owned()].as_slice()));
    let at = world.engine.now();
    world.store.know_destinations(&["let.out.test"], at).await.unwrap();
    let mut tx = world.store.begin().await.unwrap();
    for mail in &told.mails {
        tx.mail_back(&mail.back(&world.engine, at)).await.unwrap();
    }
    tx.commit().await.unwrap();
    world.engine.nudge_for_reports(&["let.out.test"]).await;
    let here = world.read(&an, "INBOX").await.remove(0).1;
    let text = String::from_utf8(here.clone()).unwrap();
    for field in [
        "Return-Path: <>\r\n",
        "To: <an@demo.gov.vn>\r\n",
        "Auto-Submitted: auto-notified; owner-email=\"binh@demo.gov.vn\"\r\n",
        "Importance: high\r\n",
        "References: <0@x.test> <1@x.test>\r\n",
    ] {
        assert!(text.contains(field), "{field}: {text}");
    }
    assert!(!text.contains("In-Reply-To"));
    let said = "Họp Hộp thư binh@demo.gov.vn vừa nhận một thư. Người gửi: ai[@]x[.]test Tiêu đề: Họp";
    assert_eq!(words_of(&here), said);
    let claimed = world.engine.claim_mail(&crate::WantedWork::default()).await.unwrap().unwrap();
    assert_eq!(claimed.deliveries[0].recipients[0].address, "an@let.out.test");
    let octets = world.engine.outgoing_octets(&claimed.deliveries[0]).await.unwrap();
    let out = octets.piece(0).await.unwrap().to_vec();
    assert_eq!(words_of(&out), "Thư Bcc: z xin . bcc: a");
    // However many are asked for.
    let many: Vec<Notice> = (0..9).map(|n| notice(&format!("mailto:a{n}@let.out.test"), None)).collect();
    let told = world.engine.notice_mails(&arrival, &whose, &many, &message).await.unwrap();
    assert_eq!((told.mails.len(), told.refused.len()), (4, 0));
}
