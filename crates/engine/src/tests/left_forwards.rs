//! Whose mail goes on to somebody who goes (chuyển thư tự động): what ends with the place, what stays, and that both are named.

use super::organisation::{act, lend, office, person, province};
use super::{World, actor};
use crate::{Engine, MoveOptions, PersonMove, PersonMoved, UnitAct};
use model::{Address, DomainName, PersonId};
use store::ForwardNamed;

const MAIL: &[u8] = b"Subject: x\r\n\r\ny\r\n";

async fn go(engine: &Engine, who: PersonId, to: Option<&str>, options: MoveOptions) -> PersonMoved {
    let domain = DomainName::new("demo.gov.vn").unwrap();
    let how = to.map_or(PersonMove::Leave, |to| PersonMove::Transfer { to: to.into(), position: None });
    engine.move_person(&actor(), &domain, who, &how, options).await.unwrap()
}

async fn forward(engine: &Engine, from: &Address, to: &Address, keep_copy: bool) {
    engine.set_forward(&actor(), from, (to, keep_copy)).await.unwrap();
}

async fn inbox(world: &World, of: &Address) -> i64 {
    let query = format!(
        "select count(*) from entries join addresses g using (account_id) where g.address = '{of}' and g.kind = 'primary'"
    );
    world.number(&query).await
}

/// Each as its mailbox, where it goes, and whether a copy is kept.
fn lines(forwards: &[ForwardNamed]) -> Vec<(&str, &str, bool)> {
    forwards.iter().map(|one| (one.mailbox.as_str(), one.target.as_str(), one.keep_copy)).collect()
}

#[tokio::test]
async fn an_offices_mail_does_not_go_on_to_who_has_left_it_and_each_forwarding_is_named() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let who = person(engine, "Lê Tú", "sotttt", None).await;
    person(engine, "Trần An", "sotttt", None).await;
    let [own, other]: [Address; 2] = ["ltu@demo.gov.vn", "tan@demo.gov.vn"].map(|one| one.parse().unwrap());
    let [sotttt, cds, ubnd] =
        [office(engine, "sotttt").await, office(engine, "cds.sotttt").await, office(engine, "ubnd").await];
    // Nobody gave him a right to the first; in the second he may read.
    forward(engine, &sotttt, &own, false).await;
    lend(engine, &cds, &own).await;
    forward(engine, &cds, &own, true).await;
    forward(engine, &ubnd, &own, true).await;
    forward(engine, &other, &own, false).await;
    let elsewhere = world.another_node();
    elsewhere.open().await.unwrap();
    let mut listener = world.store.listen_for_rights().await.unwrap();
    let me = "ltu@demo.gov.vn";
    let none = ("sotttt@demo.gov.vn", me, false);
    let read = ("cds.sotttt@demo.gov.vn", me, true);
    // The committee is above both units, and a colleague decides himself.
    let stays = [("tan@demo.gov.vn", me, false), ("ubnd@demo.gov.vn", me, true)];
    for (keep_delegations, dry_run) in [(true, true), (false, true), (false, false)] {
        let moved =
            go(engine, who, Some("sokhcn"), MoveOptions { keep_delegations, dry_run, on: None }).await;
        let (ended, kept) = if keep_delegations {
            (vec![none], [&[read], &stays[..]].concat())
        } else {
            (vec![read, none], stays.to_vec())
        };
        assert_eq!((lines(&moved.forwards_ended), lines(&moved.forwards_kept)), (ended, kept));
        assert_eq!(engine.forward(&actor(), &sotttt).await.unwrap().is_none(), !dry_run);
    }
    let told = world.database.texts(
        "select a.address from entries e join addresses a using (account_id) where a.kind = 'primary' order by 1",
    );
    assert_eq!(told.await, ["cds.sotttt@demo.gov.vn", "sotttt@demo.gov.vn"], "once, and by no preview");
    let row = world.detail("person.transfer").await;
    assert_eq!(row["forwardings_ended"][1]["mailbox"], "sotttt@demo.gov.vn");
    assert_eq!(
        (&row["forwardings_ended"][1]["target"], &row["forwardings_ended"][1]["copy_kept"]),
        (&me.into(), &false.into())
    );
    assert_eq!(row["forwardings_kept"][0]["mailbox"], "tan@demo.gov.vn");
    let row = world.detail("forwarding.set").await;
    assert_eq!((&row["went_to"], &row["because"]), (&me.into(), &"person.transfer".into()));
    // Nothing is lost: here and on other nodes it lies in the office's mailbox.
    world.deliver(&["sotttt"], MAIL).await;
    // Beside the letter that says so.
    assert_eq!((inbox(&world, &sotttt).await, inbox(&world, &own).await), (2, 0));
    let soon = std::time::Duration::from_secs(10);
    let heard = tokio::time::timeout(soon, listener.next()).await.unwrap().unwrap();
    elsewhere.heard_of_rights(heard).await.unwrap();
    let recipient = elsewhere.recipient(&sotttt).await.unwrap();
    let mut spool = elsewhere.new_spool();
    spool.write(MAIL).await.unwrap();
    elsewhere.deliver(&super::arrival(), &[recipient], spool).await.unwrap();
    assert_eq!((inbox(&world, &sotttt).await, inbox(&world, &own).await), (3, 0));
    // Who leaves has no office any more: of the committee's he was the reader, of the department's nobody.
    lend(engine, &ubnd, &own).await;
    forward(engine, &sotttt, &own, true).await;
    let left = go(engine, who, None, MoveOptions::default()).await;
    assert_eq!(
        lines(&left.forwards_ended),
        [("sotttt@demo.gov.vn", me, true), ("ubnd@demo.gov.vn", me, true)]
    );
    assert_eq!(lines(&left.forwards_kept), [("tan@demo.gov.vn", me, false)]);
    assert_eq!(world.detail("person.leave").await["forwardings_ended"][0]["mailbox"], "sotttt@demo.gov.vn");
}

/// Not where his own goes on, nor what goes on to others.
#[tokio::test]
async fn of_who_is_transferred_only_what_goes_to_him_is_named() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let who = person(engine, "Trần An", "sotttt", None).await;
    person(engine, "Lê Tú", "sotttt", None).await;
    person(engine, "Vũ Em", "ubnd", None).await;
    let [own, other]: [Address; 2] = ["ltu@demo.gov.vn", "tan@demo.gov.vn"].map(|one| one.parse().unwrap());
    let [cds, ubnd] = [office(engine, "cds.sotttt").await, office(engine, "ubnd").await];
    forward(engine, &other, &own, false).await;
    forward(engine, &cds, &other, true).await;
    let third: Address = "vem@demo.gov.vn".parse().unwrap();
    forward(engine, &ubnd, &third, true).await;
    let moved = go(engine, who, Some("sokhcn"), MoveOptions::default()).await;
    assert_eq!(lines(&moved.forwards_ended), [("cds.sotttt@demo.gov.vn", "tan@demo.gov.vn", true)]);
    assert_eq!(lines(&moved.forwards_kept), []);
    let still =
        async |of: &Address| engine.forward(&actor(), of).await.unwrap().map(|one| one.forward.target);
    assert_eq!((still(&other).await, still(&ubnd).await), (Some(own), Some(third)));
}

#[tokio::test]
async fn a_forwarding_that_goes_along_in_a_merger_is_named() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    person(engine, "Lê Tú", "sotttt", None).await;
    let own: Address = "ltu@demo.gov.vn".parse().unwrap();
    let sotttt = office(engine, "sotttt").await;
    let sokhcn = office(engine, "sokhcn").await;
    forward(engine, &sotttt, &own, false).await;
    forward(engine, &sokhcn, &own, true).await;
    let merge =
        || UnitAct::Merge { sources: vec!["sotttt".into()], into: "sokhcn".into(), keep_positions: false };
    for dry_run in [true, false] {
        let change = act(engine, merge(), dry_run).await.unwrap();
        assert_eq!(lines(&change.forwards), [("sotttt@demo.gov.vn", "ltu@demo.gov.vn", false)]);
    }
    assert_eq!(world.detail("unit.merge").await["forwardings_kept"][0]["target"], "ltu@demo.gov.vn");
    assert!(engine.forward(&actor(), &sotttt).await.unwrap().is_some());
}

/// Another domain's offices are for its own administrators, and so is what one of them set though no office was lent to him.
#[tokio::test]
async fn what_is_not_of_his_place_does_not_end_with_it() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let who = person(engine, "Lê Tú", "sotttt", None).await;
    person(engine, "Trần An", "sotttt", None).await;
    let [own, other]: [Address; 2] = ["ltu@demo.gov.vn", "tan@demo.gov.vn"].map(|one| one.parse().unwrap());
    let [sotttt, ubnd] = [office(engine, "sotttt").await, office(engine, "ubnd").await];
    forward(engine, &sotttt, &other, true).await;
    lend(engine, &ubnd, &own).await;
    forward(engine, &ubnd, &other, true).await;
    world.database.run("update forwards set set_by = 'ltu@demo.gov.vn'").await;
    engine.add_domain(&actor(), &DomainName::new("khac.gov.vn").unwrap(), "an-giang").await.unwrap();
    let elsewhere: Address = "vanphong@khac.gov.vn".parse().unwrap();
    let new = crate::NewMailbox {
        address: elsewhere.clone(),
        class: model::MailboxClass::Organisation,
        ..super::mailbox("vanphong")
    };
    engine.add_mailbox(&actor(), &new).await.unwrap();
    // As when the policy let it out, or both domains were one.
    world
        .database
        .run(
            "insert into forwards (account_id, target_id, keep_copy, set_by, set_at)
             select o.account_id, t.account_id, false, 'console', now() from addresses o, addresses t
              where o.address = 'vanphong@khac.gov.vn' and t.address = 'ltu@demo.gov.vn'",
        )
        .await;
    let domain = DomainName::new("demo.gov.vn").unwrap();
    let id = world.store.domain(&domain).await.unwrap().unwrap();
    let grant = model::Grant::new(model::Role::CentreOperator, model::Scope::Domain(id)).unwrap();
    let operator = crate::Actor::of("trung-tam", None, vec![grant]);
    let left = engine
        .move_person(&operator, &domain, who, &PersonMove::Leave, MoveOptions::default())
        .await
        .unwrap();
    assert_eq!(lines(&left.forwards_ended), [("ubnd@demo.gov.vn", "tan@demo.gov.vn", true)]);
    assert_eq!(lines(&left.forwards_kept), [], "named to who may list it");
    for stays in [&sotttt, &elsewhere] {
        assert!(engine.forward(&actor(), stays).await.unwrap().is_some(), "{stays}");
    }
}
