//! The road out: what is accepted, what waits, what became of it and who is told. The other side is played by a script; time
//! is moved.

mod admin;
mod circles;
mod course;
mod faults;
mod kept_back;
mod paths;
mod relay;
pub(super) mod reports;
mod resting;
mod together;
mod told;

use super::{World, actor, address, arrival};
use crate::{Arrival, Contact, Engine, Principal, Recipient, RecipientError, Unreachable, Wishes};
use jiff::SignedDuration;
use model::queue::{Answer, Notify, Outcome, Status};
use std::collections::HashMap;
use store::{LeasedDelivery, WantedWork};

/// What the other side says of a delivery: an outcome for each recipient, or that nobody is there.
pub(super) type Said = Result<Vec<Outcome>, Unreachable>;

pub(super) fn taken() -> Outcome {
    Outcome::Delivered(Answer::theirs("mx", 250, Some(Status(2, 0, 0)), "OK"))
}

pub(super) fn later() -> Outcome {
    Outcome::Deferred(Answer::theirs("mx", 451, Some(Status(4, 3, 0)), "later"))
}

pub(super) fn never() -> Outcome {
    Outcome::Failed(Answer::theirs("mx", 550, Some(Status(5, 1, 1)), "no such user"))
}

pub(super) fn away() -> Unreachable {
    Unreachable::Later(Answer::ours(Status(4, 4, 1), "connection refused"))
}

pub(super) fn all(delivery: &LeasedDelivery, outcome: &Outcome) -> Said {
    Ok(vec![outcome.clone(); delivery.recipients.len()])
}

/// Somebody elsewhere, as `an` writes to him.
pub(super) async fn outside(world: &World, who: &Principal, to: &str) -> Recipient {
    world.engine.recipient_of(&address(to), Some(who)).await.unwrap()
}

pub(super) fn submitted(who: &Principal, wishes: Wishes) -> Arrival {
    Arrival { principal: Some(who.clone()), sender: Some(who.address().into()), wishes, ..arrival() }
}

/// Submits; says the queue id.
pub(super) async fn submit(world: &World, who: &Principal, to: &[Recipient], wishes: Wishes) -> String {
    let text = format!(
        "From: {}\r\nMessage-ID: <1@demo.gov.vn>\r\nSubject: =?utf-8?q?Gi=E1=BA=A5y_m=E1=BB=9Di?=\r\n\r\nKính gửi\r\n",
        who.address()
    );
    let mut spool = world.engine.new_spool();
    spool.write(text.as_bytes()).await.unwrap();
    world.engine.deliver(&submitted(who, wishes), to, spool).await.unwrap().queue_id
}

/// Sends to these addresses, with nothing said.
pub(super) async fn send(world: &World, who: &Principal, to: &[&str]) -> String {
    let mut recipients = Vec::new();
    for to in to {
        recipients.push(outside(world, who, to).await);
    }
    submit(world, who, &recipients, Wishes::default()).await
}

/// A node works until nothing is due, one delivery after the other. Says where each went, in that order.
pub(super) async fn work(engine: &Engine, mut says: impl FnMut(&LeasedDelivery) -> Said) -> Vec<String> {
    let mut went = Vec::new();
    while let Some(claimed) = engine.claim_mail(&WantedWork::default()).await.unwrap() {
        let mut reached = true;
        for delivery in &claimed.deliveries {
            if !engine.may_go(&claimed.lease, delivery).await.unwrap() {
                continue;
            }
            match says(delivery) {
                Ok(outcomes) => {
                    let octets = engine.outgoing_octets(delivery).await.unwrap();
                    let text = octets.read().await.unwrap();
                    assert_eq!(text.len() as u64, octets.size());
                    let ours = [&b"Received: "[..], b"Authentication-Results: "];
                    let begins = ours.iter().any(|field| text.starts_with(field));
                    assert!(begins, "{}", String::from_utf8_lossy(&text));
                    went.push(delivery.destination.clone());
                    assert!(
                        engine
                            .report_mail(&claimed.lease, delivery, outcomes, Contact::Reached)
                            .await
                            .unwrap()
                    );
                }
                Err(why) => {
                    engine.report_unreachable(&claimed, delivery, &why).await.unwrap();
                    reached = false;
                    break;
                }
            }
        }
        if reached {
            engine.give_back_mail(&claimed.lease).await.unwrap();
        }
    }
    went
}

pub(super) async fn everything_taken(engine: &Engine) -> Vec<String> {
    work(engine, |delivery| all(delivery, &taken())).await
}

impl World {
    pub(super) async fn look_after(&self) {
        self.engine.look_after_queue().await;
        self.engine.look_for_overdue(&tokio_util::sync::CancellationToken::new()).await;
    }

    /// As if this time had gone by since leases were taken or put off.
    pub(super) async fn age_leases(&self, minutes: i64) {
        let statement = format!("update queue_leases set until = until - make_interval(mins => {minutes})");
        self.database.run(&statement).await;
    }

    pub(super) fn forward(&self, hours: i64, minutes: i64) {
        self.clock.advance(SignedDuration::from_mins(hours * 60 + minutes));
    }

    /// Rows of messages, deliveries, recipients and leases: all none when everything has ended.
    pub(super) async fn queue_rows(&self) -> [i64; 4] {
        [
            self.number("select count(*) from queue_messages").await,
            self.number("select count(*) from queue_deliveries").await,
            self.number("select count(*) from queue_recipients").await,
            self.number("select count(*) from queue_leases").await,
        ]
    }

    /// Messages of the INBOX as text, without line breaks of folding.
    pub(super) async fn inbox(&self, who: &Principal) -> Vec<String> {
        let read = self.read(who, "INBOX").await;
        read.into_iter().map(|(_, raw)| String::from_utf8_lossy(&raw).into_owned()).collect()
    }
}

/// How often each destination was gone to.
pub(super) fn counted(went: &[String]) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for name in went {
        *counts.entry(name.as_str()).or_default() += 1;
    }
    counts
}

pub(super) fn asked(mut recipient: Recipient, notify: Notify) -> Recipient {
    recipient = recipient.asking(notify, Some("rfc822;Ai+2BDo@example.org".to_owned()));
    recipient
}

#[tokio::test]
async fn local_and_remote_recipients_are_one_transaction() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let to = [
        outside(&world, &an, "binh").await,
        outside(&world, &an, "Ai.Do@Example.ORG").await,
        outside(&world, &an, "khac@example.org").await,
        outside(&world, &an, "ai@example.net").await,
    ];
    let queue_id = submit(&world, &an, &to, Wishes::default()).await;
    assert_eq!(world.queue_rows().await, [1, 2, 3, 0]);
    assert_eq!(world.inbox(&binh).await.len(), 1);
    assert_eq!(
        world.number("select count(*) from events where kind = 'received' and status = 'queued'").await,
        1
    );
    let mut went = everything_taken(&world.engine).await;
    went.sort();
    assert_eq!(went, ["example.net", "example.org"]);
    assert_eq!(world.queue_rows().await, [0; 4]);
    assert_eq!(world.number("select count(*) from sweep_candidates").await, 1);
    let query = crate::TraceQuery { queue_id: Some(queue_id), limit: 10, ..Default::default() };
    let courses = world.engine.trace(&actor(), &query).await.unwrap();
    let kinds: Vec<&str> = courses[0].events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["received", "received", "sent", "sent"]);
    assert_eq!(courses[0].events[2].remote.as_deref(), Some("mx"));
    assert_eq!(courses[0].events[2].status.as_deref(), Some("250 2.0.0 OK"));
    // Nothing more comes of it, whatever is looked after.
    world.forward(24 * 7, 0);
    world.look_after().await;
    assert_eq!(world.inbox(&an).await.len(), 0);
}

#[tokio::test]
async fn what_is_queued_keeps_its_content_from_the_sweeper() {
    let world = World::new().await;
    let an = world.user("an").await;
    send(&world, &an, &["ai@example.org"]).await;
    world.database.run("insert into sweep_candidates select content_id, now() from contents").await;
    super::life::sweep_all(&world).await;
    assert_eq!(world.number("select count(*) from contents").await, 1);
    assert_eq!(everything_taken(&world.engine).await.len(), 1);
    super::life::sweep_all(&world).await;
    assert_eq!(world.number("select count(*) from contents").await, 0);
}

#[tokio::test]
async fn who_may_write_to_the_outside_is_policy() {
    let world = World::new().await;
    let an = world.user("an").await;
    let mut office = super::mailbox("vanphong");
    office.class = model::MailboxClass::Organisation;
    world.engine.add_mailbox(&actor(), &office).await.unwrap();
    let office =
        world.engine.log_in("vanphong@demo.gov.vn", super::PASSWORD, &super::origin()).await.unwrap();
    let may = async |who: &Principal| {
        world.engine.recipient_of(&address("ai@example.org"), Some(who)).await.map(|_| ())
    };
    for (value, person, organisation) in
        [("everybody", true, true), ("organisations", false, true), ("nobody", false, false)]
    {
        super::policy(&world, "sending.external", value).await;
        let expected = |allowed: bool| if allowed { Ok(()) } else { Err(RecipientError::OutsideNotAllowed) };
        assert_eq!(may(&an).await, expected(person), "{value}");
        assert_eq!(may(&office).await, expected(organisation), "{value}");
    }
    // Who did not log in is nobody's relay, whatever policy says.
    super::policy(&world, "sending.external", "everybody").await;
    let stranger = world.engine.recipient_of(&address("ai@example.org"), None).await.unwrap_err();
    assert_eq!(stranger, RecipientError::NotLocal);
}
