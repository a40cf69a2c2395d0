//! What users move into Junk or out of it, and what they report, is taught to the filter; a script plays it. The real one is in
//! `tests/e2e/test_filters.py`.

use super::authority::somebody;
use super::delegation::{delegation, office, reach};
use super::{World, actor, address, arrival, mailbox, policy};
use crate::learning::RunTimes;
use crate::{
    Actor, AdminError, Arrival, CopyError, Error, FlagEdit, FlagMode, LessonQuery, NewMailbox, NewMessage,
    Principal, SaidRow, Sender,
};
use guard::{Learner, LearnerSettings, ScanAddress};
use jiff::SignedDuration;
use model::{DomainName, Flags, FolderName, MailboxClass, Right, Role, Uid};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

/// It takes the message, and says nothing.
const NEVER: &str = "never";
const LEARNED: &str = "HTTP/1.1 200 OK\r\n\r\n{\"success\":true}";

/// A controller that answers as it is told, and what it was taught: path and message.
#[derive(Clone)]
struct Filter {
    answer: Arc<Mutex<&'static str>>,
    taught: Arc<Mutex<Vec<(String, String)>>>,
    /// Who waits for an answer.
    silent: Arc<Mutex<Vec<BufReader<TcpStream>>>>,
}

impl Filter {
    async fn of(world: &World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        world.engine.use_learner(Some(Learner::new(LearnerSettings {
            address: ScanAddress::Tcp(listener.local_addr().unwrap().to_string()),
            password: None,
            timeout: Duration::from_secs(10),
            message_bytes_max: 100_000,
        })));
        let filter =
            Self { answer: Arc::new(Mutex::new(LEARNED)), taught: Arc::default(), silent: Arc::default() };
        let told = filter.clone();
        TaskTracker::new().spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                told.hear(stream).await;
            }
        });
        filter
    }

    async fn hear(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        while stream.read_line(&mut head).await.unwrap() > 2 {
            let last = head.lines().last().unwrap();
            if let Some(value) = last.strip_prefix("Content-Length: ") {
                length = value.parse().unwrap();
            }
        }
        let mut message = vec![0; length];
        stream.read_exact(&mut message).await.unwrap();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        self.taught.lock().unwrap().push((path, String::from_utf8(message).unwrap()));
        let answer = *self.answer.lock().unwrap();
        if answer == NEVER {
            self.silent.lock().unwrap().push(stream);
            return;
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
    }

    fn answers(&self, answer: &'static str) {
        *self.answer.lock().unwrap() = answer;
    }

    /// What it was taught since it was asked last.
    fn taught(&self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.taught.lock().unwrap())
    }
}

async fn run(world: &World) -> String {
    world.engine.run_job("teach-filter").await.unwrap().unwrap()
}

fn name(name: &str) -> FolderName {
    FolderName::new(name).unwrap()
}

async fn uids(world: &World, who: &Principal, folder: &str) -> Vec<Uid> {
    let folder = world.engine.folder(who, &name(folder)).await.unwrap().unwrap();
    let view = world.engine.view(who, folder.id).await.unwrap();
    view.entries().iter().map(|entry| entry.uid).collect()
}

/// Moves everything.
async fn put(world: &World, who: &Principal, from: &str, to: &str) {
    let folder = world.engine.folder(who, &name(from)).await.unwrap().unwrap();
    let uids = uids(world, who, from).await;
    world.engine.move_messages(who, folder.id, &uids, &name(to)).await.unwrap();
}

fn text(subject: &str) -> String {
    format!("From: la@example.org\r\nSubject: {subject}\r\n\r\nMua ngay.\r\n")
}

fn taught(path: &str, message: &str) -> (String, String) {
    (path.to_owned(), message.to_owned())
}

#[tokio::test]
async fn what_is_moved_into_junk_or_out_of_it_is_taught_once_and_as_it_came() {
    let world = World::new().await;
    let filter = Filter::of(&world).await;
    let an = world.user("an").await;
    world.deliver(&["an"], text("1").as_bytes()).await;
    assert_eq!(run(&world).await, "0 spam, 0 ham, 0 not learned, 0 reported, 0 wait");
    put(&world, &an, "INBOX", "Junk").await;
    assert_eq!(filter.taught(), [], "nobody waits for it");
    assert_eq!(run(&world).await, "1 spam, 0 ham, 0 not learned, 0 reported, 0 wait");
    assert_eq!(filter.taught(), [taught("/learnspam", &text("1"))]);
    run(&world).await;
    // Thrown away, out of it, and back where it was thrown away: nothing new is said.
    put(&world, &an, "Junk", "Trash").await;
    put(&world, &an, "Trash", "Junk").await;
    run(&world).await;
    assert_eq!(filter.taught(), []);
    put(&world, &an, "Junk", "INBOX").await;
    assert_eq!(run(&world).await, "0 spam, 1 ham, 0 not learned, 0 reported, 0 wait");
    assert_eq!(filter.taught(), [taught("/learnham", &text("1"))]);
    // Copies say the same; what was said last holds.
    let inbox = world.engine.folder(&an, &name("INBOX")).await.unwrap().unwrap().id;
    let all = uids(&world, &an, "INBOX").await;
    world.engine.copy(&an, inbox, &all, &name("Junk")).await.unwrap();
    put(&world, &an, "Junk", "Archive").await;
    put(&world, &an, "Archive", "Junk").await;
    filter.answers("HTTP/1.1 208 known\r\n\r\n");
    assert_eq!(run(&world).await, "0 spam, 0 ham, 1 not learned, 0 reported, 0 wait");
    assert_eq!(filter.taught(), [taught("/learnspam", &text("1"))]);
}

#[tokio::test]
async fn a_move_that_touches_no_junk_does_nothing_for_the_filter() {
    let world = World::new().await;
    let _filter = Filter::of(&world).await;
    let an = world.user("an").await;
    world.deliver(&["an"], text("1").as_bytes()).await;
    // Any statement that names it fails.
    world.database.run("drop table lessons").await;
    for (from, to) in [("INBOX", "Archive"), ("Archive", "Trash"), ("Trash", "INBOX")] {
        put(&world, &an, from, to).await;
    }
    let inbox = world.engine.folder(&an, &name("INBOX")).await.unwrap().unwrap().id;
    let all = uids(&world, &an, "INBOX").await;
    world.engine.copy(&an, inbox, &all, &name("Archive")).await.unwrap();
    let refused = world.engine.move_messages(&an, inbox, &all, &name("Junk")).await;
    assert_eq!(refused, Err(CopyError::Engine(Error::Unavailable)));
    // Where the filter is not to learn, nothing is noted.
    world.another_node().move_messages(&an, inbox, &all, &name("Junk")).await.unwrap();
}

#[tokio::test]
async fn however_much_is_moved_little_is_noted_and_all_of_it_is_taken_back() {
    let world = World::new().await;
    let _filter = Filter::of(&world).await;
    let an = world.user("an").await;
    for n in 0..120 {
        world.deliver(&["an"], text(&n.to_string()).as_bytes()).await;
    }
    let first = uids(&world, &an, "INBOX").await[..10].to_vec();
    let inbox = world.engine.folder(&an, &name("INBOX")).await.unwrap().unwrap().id;
    world.engine.move_messages(&an, inbox, &first, &name("Junk")).await.unwrap();
    put(&world, &an, "INBOX", "Junk").await;
    let count = async |what: &str| world.number(&format!("select count(*) from lessons where {what}")).await;
    assert_eq!(count("is_spam").await, 100);
    put(&world, &an, "Junk", "INBOX").await;
    assert_eq!((count("is_spam").await, count("not is_spam").await), (0, 100), "it was a mistake");
    world.deliver(&["an"], text("more").as_bytes()).await;
    put(&world, &an, "INBOX", "Junk").await;
    assert_eq!(count("true").await, 100);
    assert_eq!(run(&world).await, "100 spam, 0 ham, 0 not learned, 0 reported, 0 wait");
    // A day later there is room again.
    world.clock.advance(SignedDuration::from_hours(25));
    run(&world).await;
    assert_eq!(count("true").await, 100, "it can be found out who said what");
    world.deliver(&["an"], text("next day").as_bytes()).await;
    put(&world, &an, "INBOX", "Junk").await;
    assert_eq!(count("is_spam").await, 101);
    world.clock.advance(SignedDuration::from_hours(30 * 24));
    run(&world).await;
    assert_eq!(count("true").await, 0);
}

#[tokio::test]
async fn while_the_filter_is_away_it_waits_and_is_given_up_after_days() {
    let world = World::new().await;
    let filter = Filter::of(&world).await;
    let an = world.user("an").await;
    for n in 0..3 {
        world.deliver(&["an"], text(&n.to_string()).as_bytes()).await;
    }
    put(&world, &an, "INBOX", "Junk").await;
    filter.answers("");
    let away = "0 spam, 0 ham, 1 not learned, 0 reported, 3 wait; the filter did not answer";
    assert_eq!(run(&world).await, away);
    assert_eq!(filter.taught().len(), 1, "the others are not tried");
    filter.answers(LEARNED);
    assert_eq!(
        run(&world).await,
        "0 spam, 0 ham, 0 not learned, 0 reported, 3 wait; the filter did not answer"
    );
    assert_eq!(filter.taught(), [], "nor is it asked for a while: other jobs wait for this one");
    world.clock.advance(SignedDuration::from_mins(1));
    assert!(run(&world).await.starts_with("2 spam"), "the one that failed has its time");
    world.clock.advance(SignedDuration::from_mins(5));
    assert_eq!(run(&world).await, "1 spam, 0 ham, 0 not learned, 0 reported, 0 wait");
    filter.taught();
    // What it cannot learn keeps nothing else from it, and ends.
    put(&world, &an, "Junk", "INBOX").await;
    filter.answers("HTTP/1.1 500 no\r\n\r\n");
    assert!(run(&world).await.ends_with("3 not learned, 0 reported, 3 wait"));
    // Nor does it learn anything where something else answers.
    filter.answers("HTTP/1.1 200 OK\r\n\r\n<html>Welcome!</html>");
    world.clock.advance(SignedDuration::from_mins(5));
    assert!(run(&world).await.ends_with("3 not learned, 0 reported, 3 wait"));
    filter.answers("HTTP/1.1 204 less tokens\r\n\r\n");
    world.clock.advance(SignedDuration::from_mins(10));
    assert!(run(&world).await.ends_with("3 not learned, 0 reported, 0 wait"));
    put(&world, &an, "INBOX", "Junk").await;
    filter.answers("");
    world.clock.advance(SignedDuration::from_hours(73));
    run(&world).await;
    assert_eq!(world.number("select count(*) from lessons").await, 0);
}

#[tokio::test]
async fn a_filter_that_is_slow_holds_no_other_job() {
    let world = World::new().await;
    let filter = Filter::of(&world).await;
    let learner = world.engine.0.learner.get().unwrap();
    let an = world.user("an").await;
    for n in 0..3 {
        world.deliver(&["an"], text(&n.to_string()).as_bytes()).await;
    }
    put(&world, &an, "INBOX", "Junk").await;
    let teach = async |begun_until, over_at| {
        let tally = world.engine.teach(learner, RunTimes { begun_until, over_at }).await.unwrap();
        (filter.taught().len(), tally.is_away)
    };
    let (now, soon, late) = (Duration::ZERO, Duration::from_millis(200), Duration::from_secs(60));
    // What it does not learn in time is broken off: it is given ten seconds for each.
    filter.answers(NEVER);
    let began = Instant::now();
    assert_eq!(teach(soon, soon).await, (1, true));
    assert!(began.elapsed() < Duration::from_secs(5));
    filter.answers(LEARNED);
    assert_eq!(teach(late, late).await, (0, true), "it rests");
    world.clock.advance(SignedDuration::from_mins(1));
    // One that learns few in the time of a run rests, too, and longer.
    assert_eq!(teach(now, late).await, (1, true));
    world.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(teach(late, late).await, (0, true));
    world.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(teach(late, late).await, (1, false));
    // Then all is as before.
    world.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(teach(late, late).await, (1, false), "the one that was broken off");
    filter.answers("");
    put(&world, &an, "Junk", "INBOX").await;
    assert_eq!(teach(late, late).await, (1, true));
    world.clock.advance(SignedDuration::from_mins(1));
    filter.answers(LEARNED);
    assert_eq!(teach(late, late).await, (2, false), "the first rest is short again");
}

#[tokio::test]
async fn what_is_deleted_is_not_learned() {
    let world = World::new().await;
    let filter = Filter::of(&world).await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    world.deliver(&["an"], text("1").as_bytes()).await;
    world.deliver(&["binh"], text("2").as_bytes()).await;
    put(&world, &an, "INBOX", "Junk").await;
    put(&world, &binh, "INBOX", "Junk").await;
    assert!(world.engine.delete_without_export(&actor(), &address("an"), "thu hồi").await.unwrap());
    assert_eq!(world.number("select count(*) from lessons").await, 1, "nor is it kept of whom it was");
    world.database.run("delete from contents").await;
    assert_eq!(run(&world).await, "0 spam, 0 ham, 1 not learned, 0 reported, 0 wait");
    assert_eq!(filter.taught(), []);
}

#[tokio::test]
async fn what_one_deletes_is_not_learned_of_him_though_another_keeps_it() {
    let world = World::new().await;
    let filter = Filter::of(&world).await;
    let an = world.user("an").await;
    world.user("binh").await;
    policy(&world, "contact.spam", "xulythurac").await;
    let service = NewMailbox { class: MailboxClass::Service, ..mailbox("xulythurac") };
    world.engine.add_mailbox(&actor(), &service).await.unwrap();
    world.deliver(&["an", "binh"], text("1").as_bytes()).await;
    put(&world, &an, "INBOX", "Junk").await;
    let junk = world.engine.folder(&an, &name("Junk")).await.unwrap().unwrap().id;
    let all = uids(&world, &an, "Junk").await;
    let edit = FlagEdit { mode: FlagMode::Add, flags: Flags::DELETED, keywords: Vec::new() };
    world.engine.store_flags(&an, junk, &all, &edit).await.unwrap();
    assert_eq!(world.engine.expunge(&an, junk, Some(&all)).await.unwrap(), all);
    assert_eq!(run(&world).await, "0 spam, 0 ham, 1 not learned, 0 reported, 0 wait");
    // A report counts as long as it lies where it was sent.
    bring(&world, Some(&an), &report("an@demo.gov.vn", 'b', &[&text("2")])).await;
    filter.answers("HTTP/1.1 500 no\r\n\r\n");
    assert_eq!(run(&world).await, "0 spam, 0 ham, 1 not learned, 1 reported, 1 wait");
    assert_eq!(filter.taught().len(), 1);
    world.database.run("delete from entries where recipient like 'xulythurac%'").await;
    world.clock.advance(SignedDuration::from_mins(5));
    assert_eq!(run(&world).await, "0 spam, 0 ham, 1 not learned, 0 reported, 0 wait");
    assert_eq!(filter.taught(), []);
}

#[tokio::test]
async fn one_message_that_cannot_be_read_keeps_no_other_from_being_learned() {
    let world = World::new().await;
    let filter = Filter::of(&world).await;
    let node = world.another_node();
    node.use_learner(world.engine.0.learner.get().cloned());
    let run = async || node.run_job("teach-filter").await.unwrap().unwrap();
    let an = world.user("an").await;
    policy(&world, "contact.spam", "xulythurac").await;
    let service = NewMailbox { class: MailboxClass::Service, ..mailbox("xulythurac") };
    world.engine.add_mailbox(&actor(), &service).await.unwrap();
    world.deliver(&["an"], text("1").as_bytes()).await;
    let damage = "update chunks set data = 'damaged' where chunk_id = (select max(chunk_id) from chunks)";
    world.database.run(damage).await;
    world.deliver(&["an"], text("2").as_bytes()).await;
    put(&world, &an, "INBOX", "Junk").await;
    assert_eq!(run().await, "1 spam, 0 ham, 1 not learned, 0 reported, 1 wait");
    assert_eq!(filter.taught(), [taught("/learnspam", &text("2"))]);
    // So it is with reports: those behind one wait for hours, in case it can be read again, and not for ever.
    bring(&world, Some(&an), &report("an@demo.gov.vn", 'b', &[&text("3")])).await;
    world.database.run(damage).await;
    bring(&world, Some(&an), &report("an@demo.gov.vn", 'b', &[&text("4")])).await;
    world.clock.advance(SignedDuration::from_hours(5));
    assert_eq!(node.run_job("teach-filter").await, Err(Error::Unavailable));
    world.clock.advance(SignedDuration::from_hours(2));
    assert_eq!(run().await, "1 spam, 0 ham, 1 not learned, 1 reported, 1 wait");
    assert_eq!(filter.taught(), [taught("/learnspam", &text("4"))]);
}

#[tokio::test]
async fn what_is_moved_from_an_office_into_ones_own_junk_is_said_by_who_has_it_then() {
    let world = World::new().await;
    let filter = Filter::of(&world).await;
    let (an, _) = (world.user("an").await, office(&world, "vanthu").await);
    let rights = [Right::Read, Right::Write];
    world.engine.grant_delegation(&actor(), &delegation("vanthu", "an", &rights)).await.unwrap();
    world.deliver(&["vanthu"], text("1").as_bytes()).await;
    let from = reach(&world, &an, "Other Users/vanthu@demo.gov.vn/INBOX").await.unwrap();
    let to = reach(&world, &an, "Junk").await.unwrap();
    let inbox = world.engine.folder(&from.who, &from.name).await.unwrap().unwrap().id;
    world.engine.move_to(&from.who, inbox, &[Uid(1)], &to).await.unwrap();
    let whose = format!("select count(*) from lessons where account_id = {}", an.account());
    assert_eq!(world.number(&whose).await, 1);
    run(&world).await;
    assert_eq!(filter.taught(), [taught("/learnspam", &text("1"))]);
}

#[tokio::test]
async fn what_somebody_made_up_teaches_nothing() {
    let world = World::new().await;
    let filter = Filter::of(&world).await;
    let an = world.user("an").await;
    // Put there by his mail program, or by whoever has his password.
    let mut spool = world.engine.new_spool();
    spool.write(text("1").as_bytes()).await.unwrap();
    let new = NewMessage { flags: Flags::NONE, keywords: Vec::new(), internal_date: None, message: spool };
    world.engine.append(&an, &name("INBOX"), vec![new]).await.unwrap();
    put(&world, &an, "INBOX", "Junk").await;
    put(&world, &an, "Junk", "Archive").await;
    assert_eq!(run(&world).await, "0 spam, 0 ham, 1 not learned, 0 reported, 0 wait");
    // Sent to himself, to be let in from then on.
    let recipient = world.engine.recipient(&address("an")).await.unwrap();
    let sender = Some(Sender::from(an.address()));
    let arrival = Arrival { with: "ESMTPSA", sender, principal: Some(an.clone()), ..arrival() };
    let mut spool = world.engine.new_spool();
    spool.write(text("2").replace("la@example.org", "an@demo.gov.vn").as_bytes()).await.unwrap();
    world.engine.deliver(&arrival, &[recipient], spool).await.unwrap();
    put(&world, &an, "INBOX", "Junk").await;
    put(&world, &an, "Junk", "INBOX").await;
    assert_eq!(run(&world).await, "0 spam, 0 ham, 1 not learned, 0 reported, 0 wait");
    assert_eq!(filter.taught(), []);
}

#[tokio::test]
async fn what_was_said_last_holds_in_whichever_mailbox() {
    let world = World::new().await;
    let filter = Filter::of(&world).await;
    let (an, _) = (world.user("an").await, office(&world, "vanthu").await);
    let rights = [Right::Read, Right::Write];
    world.engine.grant_delegation(&actor(), &delegation("vanthu", "an", &rights)).await.unwrap();
    world.deliver(&["vanthu"], text("1").as_bytes()).await;
    let theirs = reach(&world, &an, "Other Users/vanthu@demo.gov.vn/INBOX").await.unwrap();
    let junk = reach(&world, &an, "Junk").await.unwrap();
    let inbox = world.engine.folder(&theirs.who, &theirs.name).await.unwrap().unwrap().id;
    world.engine.copy_to(&theirs.who, inbox, &[Uid(1)], &junk).await.unwrap();
    world.clock.advance(SignedDuration::from_mins(1));
    let folder = world.engine.folder(&an, &name("Junk")).await.unwrap().unwrap().id;
    world.engine.copy_to(&an, folder, &[Uid(1)], &theirs).await.unwrap();
    assert_eq!(run(&world).await, "0 spam, 1 ham, 1 not learned, 0 reported, 0 wait");
    assert_eq!(filter.taught(), [taught("/learnham", &text("1"))]);
    let by = format!("select count(*) from lessons where actor_id = {}", an.account());
    assert_eq!(world.number(&by).await, 2, "both are what he said");
}

/// A mail with these attached, under this boundary.
fn report(from: &str, boundary: char, attached: &[&str]) -> String {
    let parts = attached.iter().map(|message| {
        format!(
            "--{boundary}\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n{message}\r\n"
        )
    });
    format!(
        "From: {from}\r\nSubject: thu rac\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary={boundary}\r\n\r\n\
         --{boundary}\r\n\r\nXem.\r\n{}--{boundary}--\r\n",
        parts.collect::<String>()
    )
}

async fn bring(world: &World, who: Option<&Principal>, text: &str) {
    let sender = who.map_or(address("la@example.org"), |who| who.address().clone());
    let with = if who.is_some() { "ESMTPSA" } else { "ESMTPS" };
    let arrival = Arrival { with, sender: Some(Sender::from(&sender)), principal: who.cloned(), ..arrival() };
    let recipient = world.engine.recipient(&address("xulythurac")).await.unwrap();
    let mut spool = world.engine.new_spool();
    spool.write(text.as_bytes()).await.unwrap();
    world.engine.deliver(&arrival, &[recipient], spool).await.unwrap();
}

#[tokio::test]
async fn what_users_attach_to_mail_for_the_address_for_suspicious_mail_is_taught_as_spam() {
    let world = World::new().await;
    let filter = Filter::of(&world).await;
    let an = world.user("an").await;
    policy(&world, "contact.spam", "xulythurac").await;
    let service = NewMailbox { class: MailboxClass::Service, ..mailbox("xulythurac") };
    world.engine.add_mailbox(&actor(), &service).await.unwrap();
    world.deliver(&["an"], text("1").as_bytes()).await;
    // As his mail program has it: with what stands in front of it.
    let kept = String::from_utf8(world.read(&an, "INBOX").await.remove(0).1).unwrap();
    let nested = report("x@example.org", 'c', &[&text("3")]);
    bring(&world, Some(&an), &report("an@demo.gov.vn", 'b', &[&kept, &text("2"), &nested])).await;
    bring(&world, None, &report("an@demo.gov.vn", 'b', &[&text("4")])).await;
    bring(&world, Some(&an), "From: an@demo.gov.vn\r\nSubject: khong co gi\r\n\r\nx\r\n").await;
    assert_eq!(run(&world).await, "3 spam, 0 ham, 0 not learned, 3 reported, 0 wait");
    let mut messages = filter.taught();
    messages.sort();
    let spam = |message: &str| taught("/learnspam", message);
    assert_eq!(messages, [spam(&text("1")), spam(&text("2")), spam(&nested)]);
    assert_eq!(run(&world).await, "0 spam, 0 ham, 0 not learned, 0 reported, 0 wait", "once");
    let account = format!("select count(*) from lessons where account_id = {}", an.account());
    assert_eq!(world.number(&account).await, 3, "it counts as what he said that day");
}

#[tokio::test]
async fn who_reports_for_several_offices_says_no_more_for_that() {
    let world = World::new().await;
    let filter = Filter::of(&world).await;
    let (an, _) = (world.user("an").await, office(&world, "vanthu").await);
    let rights = [Right::Read, Right::SendAs];
    world.engine.grant_delegation(&actor(), &delegation("vanthu", "an", &rights)).await.unwrap();
    policy(&world, "contact.spam", "xulythurac").await;
    let service = NewMailbox { class: MailboxClass::Service, ..mailbox("xulythurac") };
    world.engine.add_mailbox(&actor(), &service).await.unwrap();
    for (n, from) in ["an@demo.gov.vn", "vanthu@demo.gov.vn"].into_iter().enumerate() {
        let spam = format!("Message-ID: <{n}@x>\r\n{}", text(from));
        bring(&world, Some(&an), &report(from, 'b', &[&spam])).await;
    }
    assert_eq!(run(&world).await, "2 spam, 0 ham, 0 not learned, 2 reported, 0 wait");
    assert_eq!(filter.taught().len(), 2);
    let count = async |what: &str| world.number(&format!("select count(*) from lessons where {what}")).await;
    assert_eq!(count(&format!("actor_id = {}", an.account())).await, 2);
    assert_eq!(
        count("message_id in ('0@x', '1@x') and result = 'learned'").await,
        2,
        "and what became of it"
    );
}

#[tokio::test]
async fn who_said_what_is_told_to_whoever_may_know() {
    let world = World::new().await;
    let _filter = Filter::of(&world).await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    for (who, name) in [(&an, "an"), (&binh, "binh")] {
        let mail = format!("Message-ID: <{name}@x>\r\n{}", text(name));
        world.deliver(&[name], mail.as_bytes()).await;
        put(&world, who, "INBOX", "Junk").await;
        world.clock.advance(SignedDuration::from_secs(1));
    }
    run(&world).await;
    put(&world, &an, "Junk", "INBOX").await;
    let all = LessonQuery { by: None, since: None, until: None, limit: 100 };
    let of_an = LessonQuery { by: Some(&address("an")), ..all };
    let told = async |query: &LessonQuery<'_>| {
        let report = world.engine.lessons(&actor(), query).await.unwrap();
        let words = |row: &SaidRow| {
            let by = row.by.clone().unwrap_or_default();
            (
                by,
                row.lesson.as_str(),
                row.result.clone(),
                row.message_id.clone().unwrap_or_default(),
                row.waits,
            )
        };
        (report.lessons.iter().map(words).collect::<Vec<_>>(), report.is_cut)
    };
    let learned = Some("learned".to_owned());
    let an_said = ("an@demo.gov.vn".to_owned(), "ham", None, "an@x".to_owned(), true);
    let binh_said = ("binh@demo.gov.vn".to_owned(), "spam", learned, "binh@x".to_owned(), false);
    assert_eq!(told(&all).await, (vec![an_said.clone(), binh_said], false));
    assert_eq!(told(&LessonQuery { limit: 1, ..all }).await, (vec![an_said.clone()], true));
    assert_eq!(told(&of_an).await, (vec![an_said], false));
    let before = LessonQuery { until: Some(world.engine.now() - SignedDuration::from_hours(1)), ..all };
    assert_eq!(told(&before).await, (Vec::new(), false));
    let audited = ["*", "*", "an@demo.gov.vn", "*"];
    assert_eq!(world.audited("trace.lessons").await, audited);
    // Who looks after one domain hears of its people alone.
    world.engine.add_domain(&actor(), &DomainName::new("b.vn").unwrap(), "an-giang").await.unwrap();
    let ours = somebody(&world, "thanhtra", Role::Inspector, "demo.gov.vn").await;
    let others = somebody(&world, "khac", Role::Inspector, "b.vn").await;
    let count = async |who: &Actor, query: &LessonQuery<'_>| {
        world.engine.lessons(who, query).await.map(|report| report.lessons.len())
    };
    assert_eq!((count(&ours, &all).await, count(&ours, &of_an).await), (Ok(2), Ok(1)));
    assert_eq!(count(&others, &all).await, Ok(0));
    assert_eq!(count(&others, &of_an).await, Err(AdminError::NoSuchMailbox(address("an"))));
    // What one of ours said in another domain's mailbox: either side hears of its own half.
    let cuong = world.user("cuong").await;
    let moved = format!(
        "with theirs as (update accounts set domain_id = (select domain_id from domains where name = 'b.vn')
                          where account_id = {cuong} returning account_id)
         update lessons set account_id = (select account_id from theirs) where actor_id = {binh}",
        cuong = cuong.account(),
        binh = binh.account()
    );
    world.database.run(&moved).await;
    let halves = async |who: &Actor| {
        let report = world.engine.lessons(who, &all).await.unwrap();
        let mixed = report.lessons.into_iter().filter(|row| row.by.is_none() || row.mailbox.is_none());
        mixed
            .map(|row| (row.by.is_some(), row.mailbox.is_some(), row.message_id.is_some()))
            .collect::<Vec<_>>()
    };
    assert_eq!(halves(&ours).await, [(true, false, false)]);
    assert_eq!(halves(&others).await, [(false, true, true)]);
}
