//! Quotas at the edge, warnings that come once, and usage that is the truth.

use super::{World, actor, address, arrival, mailbox};
use crate::{
    Arrival, DeliverError, Engine, FlagEdit, FlagMode, NewMailbox, Principal, Protocol, RecipientError,
    SenderError,
};
use jiff::SignedDuration;
use model::{Flags, FolderName, Uid};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const QUOTA: u64 = 100_000;

/// Far below what the regulation lets a mailbox have.
async fn small(world: &World, name: &str) -> Principal {
    super::policy(world, "quota.person_min", "off").await;
    let new = NewMailbox { quota_bytes: Some(QUOTA), ..mailbox(name) };
    world.engine.add_mailbox(&actor(), &new).await.unwrap();
    world.engine.log_in(&format!("{name}@demo.gov.vn"), super::PASSWORD, &super::origin()).await.unwrap()
}

/// About `octets` with its trace headers.
fn message(octets: usize) -> Vec<u8> {
    let mut text = b"From: <a@x.vn>\r\nSubject: x\r\n\r\n".to_vec();
    text.extend(
        std::iter::repeat_n(*b"0123456789abcde\n", octets / 16)
            .flatten()
            .map(|b| if b == b'\n' { b'z' } else { b }),
    );
    text.extend(b"\r\n");
    text
}

async fn used(world: &World, name: &str) -> u64 {
    world.engine.mailbox_quota(&actor(), &address(name)).await.unwrap().unwrap().used_bytes
}

async fn send(world: &World, who: &Principal, to: &str) -> Result<(), DeliverError> {
    let recipient = world.engine.recipient(&address(to)).await.unwrap();
    let mut spool = world.engine.new_spool();
    let text = format!("From: <{}>\r\nSubject: x\r\n\r\ny\r\n", who.address());
    spool.write(text.as_bytes()).await.unwrap();
    let from = Arrival { principal: Some(who.clone()), ..arrival() };
    world.engine.deliver(&from, &[recipient], spool).await.map(drop)
}

#[tokio::test]
async fn over_quota_nothing_is_sent_and_mail_is_taken_up_to_the_hard_limit() {
    let world = World::new().await;
    let an = small(&world, "an").await;
    world.user("binh").await;
    send(&world, &an, "binh").await.unwrap();
    world.deliver(&["an"], &message(99_000)).await;
    send(&world, &an, "binh").await.unwrap();
    world.deliver(&["an"], &message(4_000)).await;
    assert!(used(&world, "an").await > QUOTA);
    assert_eq!(send(&world, &an, "binh").await, Err(DeliverError::OverQuota));
    assert_eq!(world.engine.check_sender(&an, &address("an")).await, Err(SenderError::OverQuota));
    world.deliver(&["an"], &message(7_000)).await;
    let full = async || world.engine.recipient(&address("an")).await.unwrap_err();
    assert_eq!(full().await, RecipientError::OverQuota);
    world.engine.quota_warnings_job().await.unwrap();
    world.clock.advance(SignedDuration::from_hours(24 * 7));
    assert_eq!(full().await, RecipientError::FullForLong);
    world.engine.set_quota(&actor(), &address("an"), Some(2 * QUOTA), "Công văn 7").await.unwrap();
    world.engine.recipient(&address("an")).await.unwrap();
    world.engine.quota_warnings_job().await.unwrap();
    send(&world, &an, "binh").await.unwrap();
    assert_eq!(world.number("select count(*) from accounts where full_since is not null").await, 0);
    assert_eq!(world.audited("mailbox.quota").await, ["an@demo.gov.vn"]);
}

/// 32 deliveries that were all told at RCPT that they may come, and then come all at once; how many of them came.
async fn all_at_once(world: &Arc<World>, to: &[&str], octets: usize, from: &Arrival) -> Vec<Vec<bool>> {
    let mut recipients = Vec::new();
    for name in to {
        recipients.push(world.engine.recipient(&address(name)).await.unwrap());
    }
    let recipients = Arc::new(recipients);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (world, recipients, from) = (world.clone(), recipients.clone(), from.clone());
        tasks.spawn(async move {
            let mut spool = world.engine.new_spool();
            spool.write(&message(octets)).await.unwrap();
            match world.engine.deliver(&from, &recipients, spool).await {
                Ok(delivery) => delivery.results.iter().map(Result::is_ok).collect(),
                Err(DeliverError::RecipientFull) => vec![false; recipients.len()],
                Err(error) => panic!("{error}"),
            }
        });
    }
    tasks.join_all().await
}

/// Of a mailbox that holds `before`: below the hard limit all came, and just one crossed it.
async fn exactly_one_message_over(world: &World, name: &str, before: u64, taken: usize) {
    let (used, taken) = (used(world, name).await, taken as u64);
    let (limit, each) = (QUOTA / 100 * 110, (used - before) / taken);
    assert_eq!(used - before, each * taken);
    assert!(used >= limit && used - each < limit, "{used} by {taken} of {each}");
    assert_eq!(world.engine.recipient(&address(name)).await.unwrap_err(), RecipientError::OverQuota);
    assert_eq!(world.store.drifts().await.unwrap(), []);
}

#[tokio::test]
async fn thirty_two_deliveries_at_the_edge() {
    let world = Arc::new(World::new().await);
    small(&world, "an").await;
    world.deliver(&["an"], &message(99_000)).await;
    let before = used(&world, "an").await;
    let came = all_at_once(&world, &["an"], 1_000, &arrival()).await;
    let taken = came.iter().filter(|came| came[0]).count();
    assert!((2..32).contains(&taken), "{taken}");
    exactly_one_message_over(&world, "an", before, taken).await;
}

/// Whoever is in a group keeps its mail from nobody, and gets no more of it than if he had been written to himself.
#[tokio::test]
async fn group_mail_at_the_edge_crosses_it_once() {
    for octets in [1_000, 200_000] {
        let world = Arc::new(World::new().await);
        small(&world, "an").await;
        let binh = world.user("binh").await;
        let everybody = super::groups::group("tatca", model::GroupRule::Everybody, None, true);
        world.engine.add_group(&actor(), &everybody).await.unwrap();
        let of_all = (model::GroupSenders::Everybody, &[][..]);
        world.engine.set_group_senders(&actor(), &address("tatca"), of_all).await.unwrap();
        world.deliver(&["an"], &message(99_000)).await;
        let before = used(&world, "an").await;
        let mut examined = crate::Examined::default();
        examined.evidence.spf.outcome = model::admission::Outcome::Pass;
        let from = Arrival { examined: Some(examined), ..arrival() };
        let came = all_at_once(&world, &["tatca"], octets, &from).await;
        assert!(came.iter().all(|came| came[0]));
        assert_eq!(world.read(&binh, "INBOX").await.len(), 32);
        let taken = world.number(
            "select count(*) from entries join addresses using (account_id)
              where address = 'an@demo.gov.vn' and recipient = 'tatca@demo.gov.vn'",
        );
        exactly_one_message_over(&world, "an", before, usize::try_from(taken.await).unwrap()).await;
        // Of each that did not come its sender hears, and the log does not say that it did.
        let queued = "select count(*) from queue_messages where sender = ''";
        let told =
            "select count(*) from events where 'tatca@demo.gov.vn' = any (recipients) and kind = 'received'";
        assert_eq!(world.number(told).await, 32);
        assert!(world.number(queued).await > 0);
    }
}

/// They go in a transaction of their own, each after its chunks.
#[tokio::test]
async fn large_deliveries_at_the_edge() {
    let world = Arc::new(World::new().await);
    small(&world, "an").await;
    let came = all_at_once(&world, &["an"], 200_000, &arrival()).await;
    assert_eq!(came.iter().filter(|came| came[0]).count(), 1);
    exactly_one_message_over(&world, "an", 0, 1).await;
}

/// Who is answered once gets 250 only if all get it; who is answered for each hears which of them is full.
#[tokio::test]
async fn a_full_one_among_others_at_the_edge() {
    for (protocol, octets) in [
        (Protocol::Smtp, 1_000),
        (Protocol::Smtp, 200_000),
        (Protocol::Lmtp, 1_000),
        (Protocol::Lmtp, 200_000),
    ] {
        let world = Arc::new(World::new().await);
        let binh = world.user("binh").await;
        small(&world, "an").await;
        world.deliver(&["an"], &message(99_000)).await;
        let before = used(&world, "an").await;
        let mut from = arrival();
        from.origin.protocol = protocol;
        let came = all_at_once(&world, &["an", "binh"], octets, &from).await;
        let taken = came.iter().filter(|came| came[0]).count();
        exactly_one_message_over(&world, "an", before, taken).await;
        let of_others = if protocol == Protocol::Lmtp { 32 } else { taken };
        assert_eq!(came.iter().filter(|came| came[1]).count(), of_others);
        assert_eq!(world.read(&binh, "INBOX").await.len(), of_others);
        // What the log says of each message is who got it.
        let told = "select count(*) from events where 'an@demo.gov.vn' = any (recipients)";
        assert_eq!(world.number(told).await, taken as i64 + 1);
    }
}

/// A group of a thousand gets it from a list, later; whoever was written to himself is looked at before the 250.
#[tokio::test]
async fn a_full_one_beside_a_thousand() {
    let world = Arc::new(World::new().await);
    small(&world, "an").await;
    let binh = world.user("binh").await;
    world
        .database
        .run(
            "with made as (
                 insert into accounts (domain_id, display_name, class, state, quota_bytes, password_change, created_at)
                 select domain_id, 'x', 'person', 'active', 1000000, false, now() from domains, generate_series(1, 1000)
                 returning account_id
             ), counted as (
                 insert into counters (account_id) select account_id from made
             ), reached as (
                 insert into addresses (address, account_id, kind, created_at)
                 select 'm' || account_id || '@demo.gov.vn', account_id, 'primary', now() from made
             )
             insert into folders (account_id, name, uid_validity, modseq, flags_modseq, created_at)
             select account_id, 'INBOX', 1, 1, 1, now() from made",
        )
        .await;
    let everybody = crate::NewGroup {
        address: address("tatca"),
        name: "Tất cả".into(),
        rule: model::GroupRule::Everybody,
        unit: None,
        deep: true,
        senders: model::GroupSenders::Everybody,
    };
    world.engine.add_group(&actor(), &everybody).await.unwrap();
    let settings = [("sending.group_approval_over".to_owned(), "5000".to_owned())];
    let edit = crate::PolicyEdit { settings: &settings, based_on: None, reason: "x", dry_run: false };
    let domain = model::DomainName::new("demo.gov.vn").unwrap();
    world.engine.change_policy(&actor(), &domain, &edit).await.unwrap();
    world.deliver(&["an"], &message(99_000)).await;
    let before = used(&world, "an").await;
    let came = all_at_once(&world, &["an", "tatca"], 5_000, &arrival()).await;
    let taken = came.iter().filter(|came| came[0]).count();
    exactly_one_message_over(&world, "an", before, taken).await;
    world.engine.expand_all(&CancellationToken::new()).await;
    assert_eq!(world.read(&binh, "INBOX").await.len(), taken);
    let entries = "select count(*) from entries where recipient = 'tatca@demo.gov.vn'";
    assert_eq!(world.number(entries).await, taken as i64 * 1001);
    assert_eq!(world.store.drifts().await.unwrap(), []);
}

#[tokio::test]
async fn each_warning_comes_once() {
    let world = World::new().await;
    let an = small(&world, "an").await;
    let subjects = async || {
        let texts = world.read(&an, "INBOX").await;
        texts.iter().filter(|(_, text)| text.windows(16).any(|part| part == b"Auto-Submitted: ")).count()
    };
    let job = async || {
        world.engine.quota_warnings_job().await.unwrap();
        subjects().await
    };
    assert_eq!(job().await, 0);
    world.deliver(&["an"], &message(80_000)).await;
    assert_eq!((job().await, job().await), (1, 1), "80 %");
    world.deliver(&["an"], &message(12_000)).await;
    assert_eq!((job().await, job().await), (2, 2), "90 %");
    world.deliver(&["an"], &message(10_000)).await;
    assert_eq!((job().await, job().await), (3, 3), "of several at once the highest");
    // All of it goes and comes again, on another day.
    let inbox = world.engine.folder(&an, &FolderName::inbox()).await.unwrap().unwrap();
    let view = world.engine.view(&an, inbox.id).await.unwrap();
    let large: Vec<Uid> = view.entries().iter().filter(|e| e.size > 10_000).map(|e| e.uid).collect();
    let edit = FlagEdit { mode: FlagMode::Add, flags: Flags::DELETED, keywords: Vec::new() };
    world.engine.store_flags(&an, inbox.id, &large, &edit).await.unwrap();
    world.engine.expunge(&an, inbox.id, None).await.unwrap();
    assert_eq!(job().await, 3);
    world.clock.advance(SignedDuration::from_hours(24));
    world.deliver(&["an"], &message(80_000)).await;
    assert_eq!((job().await, job().await), (4, 4));
}

#[tokio::test]
async fn usage_that_is_not_the_truth_is_found_and_mended() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.user("binh").await;
    world.deliver(&["an", "binh"], &message(5_000)).await;
    let truth = used(&world, "an").await;
    assert_eq!(
        world.engine.recount_job().await.unwrap(),
        "0 have the quota of their class anew, 0 usages mended"
    );
    world
        .database
        .run(&format!(
            "update counters set used_bytes = 1, messages = 9 where account_id = {}",
            an.account().0
        ))
        .await;
    assert_eq!(world.store.drifts().await.unwrap(), [an.account()]);
    world.engine.recount_job().await.unwrap();
    assert_eq!(used(&world, "an").await, truth);
    assert_eq!(world.audited("mailbox.recount").await, ["an@demo.gov.vn"]);
}

/// AG Đ9.3b "tối thiểu"; ST Đ7 knows no exception.
#[tokio::test]
async fn a_quota_of_its_own_lies_in_the_range_of_the_class() {
    let world = World::new().await;
    let (engine, an) = (&world.engine, address("an"));
    world.user("an").await;
    let set =
        async |megabytes: u64| engine.set_quota(&actor(), &an, Some(megabytes << 20), "Công văn 7").await;
    let refused = set(299).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "a mailbox of class person has 300 MB at least (Quyết định số 63/2016/QĐ-UBND Điều 9.3b): policy field \
         quota.person_min"
    );
    assert_eq!(set(300).await, Ok(300 << 20));
    super::policy(&world, "quota.person_max", "400").await;
    assert_eq!(set(400).await, Ok(400 << 20));
    let refused = set(401).await.unwrap_err();
    assert!(refused.to_string().starts_with("a mailbox of class person has 400 MB at most"), "{refused}");
    assert_eq!(
        engine.set_quota(&actor(), &an, None, "thôi").await,
        Ok(300 << 20),
        "the class's own needs no leave"
    );
    let office = NewMailbox {
        class: model::MailboxClass::Organisation,
        quota_bytes: Some(2047 << 20),
        ..mailbox("soyte")
    };
    let refused = engine.add_mailbox(&actor(), &office).await.unwrap_err();
    assert!(
        matches!(refused, crate::AdminError::QuotaOutside { field: "quota.organisation_min", .. }),
        "{refused}"
    );
    let office = NewMailbox { quota_bytes: Some(2048 << 20), ..office };
    engine.add_mailbox(&actor(), &office).await.unwrap();
    let absurd = NewMailbox { quota_bytes: Some(2 << 50), ..mailbox("binh") };
    assert_eq!(engine.add_mailbox(&actor(), &absurd).await, Err(crate::AdminError::BadQuota));
}

#[tokio::test]
async fn a_changed_policy_reaches_those_without_a_quota_of_their_own() {
    let world = World::new().await;
    world.user("an").await;
    small(&world, "binh").await;
    let settings = [("quota.person".to_owned(), "500".to_owned())];
    let edit = crate::PolicyEdit { settings: &settings, based_on: None, reason: "thử", dry_run: false };
    let domain = model::DomainName::new("demo.gov.vn").unwrap();
    world.engine.change_policy(&actor(), &domain, &edit).await.unwrap();
    world.engine.recount_job().await.unwrap();
    let quota = async |engine: &Engine, name: &str| {
        engine.mailbox_quota(&actor(), &address(name)).await.unwrap().unwrap().quota_bytes
    };
    assert_eq!(quota(&world.engine, "an").await, 500 << 20);
    assert_eq!(quota(&world.engine, "binh").await, QUOTA);
    assert_eq!(world.engine.set_quota(&actor(), &address("binh"), None, "thôi").await, Ok(500 << 20));
}

#[tokio::test]
async fn a_submitted_message_is_held_to_the_attachments_of_the_policy() {
    let world = World::new().await;
    let an = world.user("an").await;
    let file = "QUJD".repeat((11 << 20) / 3);
    let text = format!(
        "From: <an@demo.gov.vn>\r\nMIME-Version: 1.0\r\nContent-Type: application/pdf; name=a.pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{file}\r\n"
    );
    let deliver = async |principal: Option<Principal>| {
        let recipient = world.engine.recipient(&address("an")).await.unwrap();
        let mut spool = world.engine.new_spool();
        spool.write(text.as_bytes()).await.unwrap();
        world.engine.deliver(&Arrival { principal, ..arrival() }, &[recipient], spool).await.map(drop)
    };
    let refused = deliver(Some(an)).await.unwrap_err();
    assert_eq!(refused.to_string(), "the attachment \"a.pdf\" has 11 MB, 10 MB are allowed for each");
    deliver(None).await.unwrap();
    world.engine.renew_policies().await;
    assert!(world.engine.arriving_bytes_max(true) < world.engine.arriving_bytes_max(false));
}

/// Entries of a folder from which on what is in it goes, so that an operation costs what it costs in a mailbox in use.
const FOLDER_MAX: usize = 300;

/// Deliveries, appends, copies, moves, flags, expunges and deleted folders by dice, in so many mailboxes at once.
async fn random_operations(count: usize, mailboxes: usize) {
    let world = Arc::new(World::new().await);
    let names: Arc<Vec<String>> = Arc::new((0..mailboxes).map(|nth| format!("can-bo-{nth}")).collect());
    let mut users = Vec::new();
    for name in &*names {
        users.push(world.user(name).await);
    }
    let began = std::time::Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for (seed, who) in (1..).zip(users) {
        let (world, names) = (world.clone(), names.clone());
        tasks.spawn(async move {
            let mut state: u64 = seed;
            for _ in 0..count / mailboxes {
                // A fixed linear generator: the same in every run.
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                random_operation(&world, (&who, &names), state >> 16).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let seconds = began.elapsed().as_secs_f64();
    let kept = world.number("select count(*) from entries").await;
    assert!(kept > 0);
    assert_eq!(world.store.drifts().await.unwrap(), []);
    println!(
        "{count} operations in {seconds:.1} s, {:.0} a second; {kept} messages are there",
        count as f64 / seconds
    );
}

async fn random_operation(world: &World, (who, users): (&Principal, &[String]), dice: u64) {
    let engine = &world.engine;
    let names = ["INBOX", "Sent", "Trash", "Cũ"].map(|name| FolderName::new(name).unwrap());
    let pick = |bits: u64| &names[usize::try_from(bits % 4).unwrap()];
    let (from, to) = (pick(dice >> 8), pick(dice >> 10));
    let octets = usize::try_from((dice >> 12) % 3_000).unwrap();
    match dice % 8 {
        0 | 1 => {
            let to = users[usize::try_from(dice >> 3).unwrap() % users.len()].as_str();
            let own = who.address().local();
            world.deliver(&[own, to], &message(octets)).await;
        }
        2 => {
            let mut spool = engine.new_spool();
            spool.write(&message(octets)).await.unwrap();
            let new = crate::NewMessage {
                flags: Flags::NONE,
                keywords: Vec::new(),
                internal_date: None,
                message: spool,
            };
            let _ = engine.append(who, to, vec![new]).await;
        }
        3 => {
            let _ = engine.create_folder(who, &names[3], None).await;
        }
        4 if dice % 64 == 4 => {
            let _ = engine.delete_folder(who, &names[3]).await;
        }
        kind => {
            let Ok(Some(folder)) = engine.folder(who, from).await else { return };
            let Ok(view) = engine.view(who, folder.id).await else { return };
            let edit = FlagEdit { mode: FlagMode::Add, flags: Flags::DELETED, keywords: Vec::new() };
            let all = view.entries().iter().map(|entry| entry.uid);
            if view.entries().len() > FOLDER_MAX {
                let all: Vec<Uid> = all.collect();
                drop(engine.store_flags(who, folder.id, &all, &edit).await);
                return drop(engine.expunge(who, folder.id, None).await);
            }
            let uids: Vec<Uid> = all.filter(|uid| u64::from(uid.0) % 5 == dice % 5).take(20).collect();
            match kind {
                4 => drop(engine.copy(who, folder.id, &uids, to).await),
                5 => drop(engine.move_messages(who, folder.id, &uids, to).await),
                6 => drop(engine.store_flags(who, folder.id, &uids, &edit).await),
                _ => drop(engine.expunge(who, folder.id, None).await),
            }
        }
    }
}

#[tokio::test]
async fn usage_is_the_truth_after_random_operations() {
    random_operations(600, 4).await;
}

/// By tests/faults/random-operations, which says how many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; the short one runs always"]
async fn usage_is_the_truth_after_a_hundred_thousand_random_operations() {
    let count = std::env::var("CONGTHU_OPERATIONS").ok().and_then(|count| count.parse().ok());
    random_operations(count.unwrap_or(100_000), 16).await;
}
