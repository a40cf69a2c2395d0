//! Return paths of what is forwarded: whom they lead to, how often, and who finds what came back by them.

use super::reports::let_forward;
use super::*;
use crate::{Actor, DeliverError, Examined, Sender, TraceQuery};
use model::{Address, Grant, Role, Scope};

/// Of mail of `sender` that is forwarded: the path that others are told.
async fn path(world: &World, sender: &str) -> Address {
    let to = world.engine.recipient(&address("an")).await.unwrap();
    let mut spool = world.engine.new_spool();
    spool.write(b"Subject: x\r\n\r\ny\r\n").await.unwrap();
    let sender = Some(Sender::from(&sender.parse::<Address>().unwrap()));
    world.engine.deliver(&Arrival { sender, ..arrival() }, &[to], spool).await.unwrap();
    let path = std::cell::RefCell::new(None);
    let says = |delivery: &LeasedDelivery| {
        path.replace(delivery.sent_as.clone());
        all(delivery, &taken())
    };
    work(&world.engine, says).await;
    path.into_inner().unwrap().parse().unwrap()
}

/// A report that comes by it.
async fn comes(world: &World, path: &Address) -> Result<(), DeliverError> {
    comes_as(world, path, None).await
}

async fn comes_as(world: &World, path: &Address, examined: Option<Examined>) -> Result<(), DeliverError> {
    let to = world.engine.came_back(path.local(), path).await.unwrap().unwrap();
    let mut spool = world.engine.new_spool();
    spool.write(b"Message-ID: <back@example.net>\r\nSubject: not delivered\r\n\r\ny\r\n").await.unwrap();
    world.engine.deliver(&Arrival { sender: None, examined, ..arrival() }, &[to], spool).await.map(|_| ())
}

/// Whoever looks after the domain sees whom its paths lead to; ten a day, whatever is done to the letters of the path.
#[tokio::test]
async fn what_comes_back_is_found_by_its_path_and_counted() {
    let world = World::new().await;
    world.user("an").await;
    let_forward(&world, "an", "an@example.net", false).await;
    let by = path(&world, "Le.An@example.org").await;
    let other = path(&world, "binh@example.org").await;
    for _ in 0..5 {
        comes(&world, &by).await.unwrap();
        comes(&world, &by.to_string().to_uppercase().parse().unwrap()).await.unwrap();
    }
    assert_eq!(comes(&world, &by).await, Err(DeliverError::TooManyReturns));
    comes(&world, &other).await.unwrap();
    let domain = world.store.domain(by.domain()).await.unwrap().unwrap();
    let operator = Grant::new(Role::CentreOperator, Scope::Domain(domain)).unwrap();
    let operator = Actor::of("ai", None, vec![operator]);
    let query = TraceQuery { to: Some(by.clone()), limit: 10, ..TraceQuery::default() };
    let found = world.engine.trace(&operator, &query).await.unwrap();
    let events: Vec<_> = found.iter().flat_map(|course| &course.events).collect();
    assert_eq!(events.iter().filter(|event| event.recipients == [by.to_string()]).count(), 10);
    assert!(events.iter().all(|event| event.recipients.len() == 1), "{events:?}");
    // The next day.
    world.forward(24, 0);
    comes(&world, &by).await.unwrap();
    world.engine.forget_return_paths().await.unwrap();
    assert_eq!(world.database.number("select count(*) from return_path_uses").await, 1);
}

/// As lists and shops have them: the path with the address in it would be longer than every host takes.
#[tokio::test]
async fn a_long_sender_has_a_path_too() {
    let world = World::new().await;
    world.user("an").await;
    let_forward(&world, "an", "an@example.net", false).await;
    let long = "bounces+123-ab=le.van.an=demo.gov.vn@em.sender.example";
    let by = path(&world, long).await;
    assert!(by.local().len() <= 64 && !by.local().contains("sender"), "{by}");
    assert_eq!(path(&world, long).await, by);
    assert_eq!(world.database.number("select count(*) from return_path_senders").await, 1);
    comes(&world, &by).await.unwrap();
    let gone = std::cell::RefCell::new(String::new());
    let says = |delivery: &LeasedDelivery| {
        gone.replace(delivery.recipients[0].address.clone());
        all(delivery, &taken())
    };
    work(&world.engine, says).await;
    assert_eq!(gone.into_inner(), long);
    world.forward(24 * 21, 0);
    world.engine.forget_return_paths().await.unwrap();
    comes(&world, &by).await.unwrap();
    world.forward(24 * 2, 1);
    assert_eq!(world.engine.forget_return_paths().await.unwrap(), "2 forgotten");
    assert!(world.engine.came_back(by.local(), &by).await.unwrap().is_none());
    assert_eq!(world.database.number("select count(*) from return_path_senders").await, 0);
}

/// Else whoever knows a path uses it up with what nobody takes.
#[tokio::test]
async fn what_is_refused_is_no_use_of_a_path() {
    let world = World::new().await;
    world.user("an").await;
    let_forward(&world, "an", "an@example.net", false).await;
    let by = path(&world, "Le.An@example.org").await;
    for _ in 0..12 {
        let unwanted = Some(Examined { sorting: model::Sorting::Junk, ..Examined::default() });
        assert_eq!(comes_as(&world, &by, unwanted).await, Err(DeliverError::Unwanted));
    }
    assert_eq!(world.database.number("select count(*) from return_path_uses").await, 0);
    for _ in 0..10 {
        comes(&world, &by).await.unwrap();
    }
    assert_eq!(comes(&world, &by).await, Err(DeliverError::TooManyReturns));
    assert_eq!(world.database.number("select uses::bigint from return_path_uses").await, 10);
}

/// Each of several that come at once looks before any is counted.
#[tokio::test]
async fn what_comes_back_at_once_is_counted_one_by_one() {
    let world = World::new().await;
    world.user("an").await;
    let_forward(&world, "an", "an@example.net", false).await;
    let by = path(&world, "Le.An@example.org").await;
    let some = async || {
        let mut came = 0;
        for _ in 0..5 {
            match comes(&world, &by).await {
                Ok(()) => came += 1,
                Err(error) => assert_eq!(error, DeliverError::TooManyReturns),
            }
        }
        came
    };
    let (one, two, three) = tokio::join!(some(), some(), some());
    assert_eq!(one + two + three, 10);
}
