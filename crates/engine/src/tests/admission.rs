//! Mail of strangers, by what was found out of it.

use super::{World, actor, address, arrival, mailbox, policy};
use crate::{Actor, Arrival, Examined, NewMailbox, Recipient, TraceQuery};
use model::admission::{Admission, Asks, Author, Evidence, Ground, Named, Outcome, Spf};
use model::queue::Notify;
use model::{DomainId, DomainName, Grant, Role, Scope};

fn evidence(spf: Outcome, author: &str, dmarc: Outcome) -> Evidence {
    let author =
        Author { domain: author.into(), dmarc, asks: Asks::Reject, aligned: dmarc, ..Author::default() };
    let spf = Spf { outcome: spf, domain: "example.org".into(), of_helo: false };
    Evidence { spf, authors: vec![author], ..Evidence::default() }
}

async fn deliver(world: &World, names: &[&str], examined: Examined, raw: &str) {
    let mut recipients = Vec::new();
    for name in names {
        let recipient = world.engine.recipient(&address(name)).await.unwrap();
        recipients.push(recipient.asking(Notify::SUCCESS, None));
    }
    let mut spool = world.engine.new_spool();
    spool.write(raw.as_bytes()).await.unwrap();
    let arrival = Arrival { examined: Some(examined), ..arrival() };
    world.engine.deliver(&arrival, &recipients, spool).await.unwrap();
}

#[tokio::test]
async fn junk_lies_in_its_folder_with_its_evidence() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let forged = "Authentication-Results: mail.demo.gov.vn; dmarc=pass\r\n";
    let raw = format!("{forged}From: a@b.vn\r\nMessage-ID: <j@x>\r\n\r\nz");
    let examined =
        Examined { evidence: evidence(Outcome::Fail, "b.vn", Outcome::Fail), sorting: model::Sorting::Junk };
    deliver(&world, &["an", "binh"], examined, &raw).await;
    for who in [&an, &binh] {
        assert_eq!(world.read(who, "INBOX").await.len(), 0);
        let read = world.read(who, "Junk").await;
        let text = String::from_utf8_lossy(&read[0].1).into_owned();
        let results = "Authentication-Results: mail.demo.gov.vn;\r\n\tspf=fail smtp.mailfrom=example.org;\r\n\tdkim=none;\r\n\t\
                       dmarc=fail (p=reject) header.from=b.vn\r\nReceived: ";
        assert!(text.contains(results), "{text}");
        assert_eq!(text.matches("mail.demo.gov.vn;").count(), 1, "{text}");
    }
    let query = TraceQuery { message_id: Some("j@x".into()), limit: 10, ..TraceQuery::default() };
    let found = world.engine.trace(&actor(), &query).await.unwrap();
    let detail = found[0].events[0].detail.as_deref();
    assert_eq!(detail, Some("spf=fail (example.org) dmarc=fail (b.vn, p=reject)"));
}

/// Who asks where a letter is, is whoever looks after the domain of the one who waits for it.
#[tokio::test]
async fn refused_mail_is_found_by_whom_it_was_for_and_by_nobody_else() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.user("binh").await;
    let other = DomainName::new("khac.gov.vn").unwrap();
    world.engine.add_domain(&actor(), &other, "an-giang").await.unwrap();
    let secret = NewMailbox { address: address("chi@khac.gov.vn"), ..mailbox("chi") };
    world.engine.add_mailbox(&actor(), &secret).await.unwrap();
    let mut to = Vec::new();
    for name in ["an", "chi@khac.gov.vn"] {
        to.push(world.engine.recipient(&address(name)).await.unwrap());
    }
    let (arrival, found) = (arrival(), evidence(Outcome::Fail, "b.vn", Outcome::Fail));
    let between = (arrival.sender.as_ref(), to.as_slice());
    let header = b"From: =?utf-8?q?S=E1=BB=9F?= <so@b.vn>, ai@c.vn\r\nSubject: =?utf-8?q?Gi=E1=BA=A5y_m=E1=BB=9Di?=\r\n\r\n";
    world.engine.note_refused(&arrival.origin, between, (&found, Ground::Dmarc), header).await;
    let by = async |who: &Actor, name: &str| {
        let query = TraceQuery { to: Some(address(name)), limit: 10, ..TraceQuery::default() };
        let courses = world.engine.trace(who, &query).await.unwrap();
        let events = courses.into_iter().flat_map(|course| course.events);
        events.map(|event| (event.kind, event.recipients)).collect::<Vec<_>>()
    };
    let domain = async |name: &str| {
        let statement = format!("select domain_id from domains where name = '{name}'");
        DomainId(world.number(&statement).await)
    };
    let of =
        |id| Actor::of("x", None, Grant::new(Role::CentreOperator, Scope::Domain(id)).into_iter().collect());
    let (ours, theirs) = (of(domain("demo.gov.vn").await), of(domain("khac.gov.vn").await));
    let seen = |name: &str| vec![("refused".to_owned(), vec![address(name).to_string()])];
    assert_eq!(by(&ours, "an").await, seen("an"), "and not to whom else it was");
    assert_eq!(by(&theirs, "chi@khac.gov.vn").await, seen("chi@khac.gov.vn"));
    assert_eq!(by(&theirs, "an").await, []);
    assert_eq!(by(&world.engine.actor_of(&an).await.unwrap(), "an").await, seen("an"));
    assert_eq!(by(&actor(), "binh").await, []);
    // What was wrong with it, and what it was.
    for query in [
        TraceQuery { status: Some("dmarc".into()), limit: 10, ..TraceQuery::default() },
        TraceQuery { subject: Some("giay moi".into()), limit: 10, ..TraceQuery::default() },
    ] {
        let courses = world.engine.trace(&ours, &query).await.unwrap();
        let event = &courses[0].events[0];
        let detail = "refused=dmarc (b.vn) from=so@b.vn from=ai@c.vn spf=fail (example.org) dmarc=fail (b.vn, p=reject)";
        assert_eq!((event.subject.as_deref(), event.detail.as_deref()), (Some("Giấy mời"), Some(detail)));
    }
    // Whatever somebody calls himself, no result can be read out of it.
    let header = b"From: \"x spf=pass (demo.gov.vn) from=ct\"@b.vn\r\nSubject: Con dau\r\n\r\n";
    world.engine.note_refused(&arrival.origin, between, (&found, Ground::Dmarc), header).await;
    let query = TraceQuery { subject: Some("con dau".into()), limit: 10, ..TraceQuery::default() };
    let courses = world.engine.trace(&ours, &query).await.unwrap();
    let detail = courses[0].events[0].detail.clone().unwrap();
    let expected =
        "refused=dmarc (b.vn) from=\"from=ct@b.vn\" spf=fail (example.org) dmarc=fail (b.vn, p=reject)";
    assert_eq!(detail, expected);
}

/// What is asked for exists, and what exists can be asked for.
#[test]
fn every_ground_is_a_status_of_the_trace() {
    assert!(Ground::ALL.iter().all(|ground| crate::TRACE_STATUSES.contains(&ground.as_str())));
}

#[tokio::test]
async fn the_rules_are_those_of_the_recipients_domain() {
    let world = World::new().await;
    world.user("an").await;
    let to = [world.engine.recipient(&address("an")).await.unwrap()];
    let mut found = evidence(Outcome::Pass, "b.vn", Outcome::Fail);
    let mut admitted = world.engine.admit_mail(&mut found, &to).await.unwrap();
    assert_eq!(admitted, Admission::Refuse(Ground::Dmarc));
    policy(&world, "inbound.dmarc", "junk").await;
    admitted = world.engine.admit_mail(&mut found, &to).await.unwrap();
    assert_eq!(admitted, Admission::Junk(Ground::Dmarc));
    // From outside nobody is one of us.
    let mut ours = evidence(Outcome::None, "demo.gov.vn", Outcome::None);
    admitted = world.engine.admit_mail(&mut ours, &to).await.unwrap();
    assert_eq!(admitted, Admission::Refuse(Ground::OwnDomain));
    ours.authors[0].aligned = Outcome::Pass;
    assert_eq!(world.engine.admit_mail(&mut ours, &to).await.unwrap(), Admission::Accept);
}

/// What is ours in an author's name is found out here, refused or marked by policy, and written where only this server writes.
#[tokio::test]
async fn an_address_of_ours_in_a_name_is_seen() {
    let world = World::new().await;
    let an = world.user("an").await;
    let to = [world.engine.recipient(&address("an")).await.unwrap()];
    let mut found = evidence(Outcome::Pass, "b.vn", Outcome::Pass);
    let named = |domain: &str| Named { domain: domain.into(), ours: false };
    found.named = vec![named("c.vn"), named("so.demo.gov.vn")];
    assert_eq!(world.engine.admit_mail(&mut found, &to).await.unwrap(), Admission::Accept);
    found.named.push(named("demo.gov.vn"));
    let admitted = world.engine.admit_mail(&mut found, &to).await.unwrap();
    assert_eq!(admitted, Admission::Junk(Ground::OwnName));
    for (rule, expected) in [("accept", Admission::Accept), ("reject", Admission::Refuse(Ground::OwnName))] {
        policy(&world, "inbound.own_name", rule).await;
        assert_eq!(world.engine.admit_mail(&mut found, &to).await.unwrap(), expected);
    }
    let raw = "From: \"giam-doc@demo.gov.vn\" <x@b.vn>\r\n\r\nz";
    deliver(&world, &["an"], Examined { evidence: found, sorting: model::Sorting::Inbox }, raw).await;
    let read = world.read(&an, "INBOX").await;
    let text = String::from_utf8_lossy(&read[0].1).into_owned();
    let results =
        "dmarc=pass (p=reject) header.from=b.vn;\r\n\tx-own-name=fail header.from=demo.gov.vn\r\nReceived: ";
    assert!(text.contains(results), "{text}");
}

/// Each list once, of all domains that it is for; and a peer that has our name is one that has that of any domain here.
#[tokio::test]
async fn lists_are_asked_that_a_recipients_domain_names() {
    let world = World::new().await;
    world.user("an").await;
    let other = DomainName::new("khac.gov.vn").unwrap();
    world.engine.add_domain(&actor(), &other, "an-giang").await.unwrap();
    let neighbour = NewMailbox { address: address("chi@khac.gov.vn"), ..mailbox("chi") };
    world.engine.add_mailbox(&actor(), &neighbour).await.unwrap();
    let an = world.engine.recipient(&address("an")).await.unwrap();
    let chi = world.engine.recipient(&address("chi@khac.gov.vn")).await.unwrap();
    let asked = async |to: &[Recipient]| {
        let zones = world.engine.lists_asked(to).await.unwrap();
        zones.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(asked(&[an.clone(), chi.clone()]).await, Vec::<String>::new());
    policy(&world, "inbound.lists", "zen.test/2-9=reject,zen.test/10=junk,bl.test=accept").await;
    assert_eq!(asked(&[an, chi.clone()]).await, ["bl.test", "zen.test"]);
    assert_eq!(asked(&[chi]).await, Vec::<String>::new());
    for (name, is_ours) in [
        ("mail.demo.gov.vn", true),
        ("MAIL.demo.gov.vn.", true),
        ("demo.gov.vn", true),
        ("khac.gov.vn", true),
        ("xa.demo.gov.vn", false),
        ("[192.0.2.1]", false),
        ("", false),
    ] {
        assert_eq!(world.engine.is_own_name(name).await.unwrap(), is_ours, "{name}");
    }
}

#[tokio::test]
async fn only_a_sender_who_is_shown_to_be_one_hears_of_success() {
    let world = World::new().await;
    world.user("an").await;
    let raw = "From: a@b.vn\r\nMessage-ID: <j@x>\r\n\r\nz";
    let inbox = model::Sorting::Inbox;
    for (outcome, sorting, reports) in [
        (Outcome::SoftFail, inbox, 0),
        (Outcome::None, inbox, 0),
        (Outcome::TempError, inbox, 0),
        (Outcome::Pass, inbox, 1),
        // Nobody has it yet.
        (Outcome::Pass, model::Sorting::Quarantine(model::Cause::Origin(Ground::Spf)), 0),
    ] {
        let examined = Examined { evidence: evidence(outcome, "b.vn", Outcome::None), sorting };
        deliver(&world, &["an"], examined, raw).await;
        let claimed = world.engine.claim_mail(&store::WantedWork::default()).await.unwrap();
        assert_eq!(claimed.iter().len(), reports, "{outcome} {sorting:?}");
    }
}
