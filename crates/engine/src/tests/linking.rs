//! Whose mailboxes are that were made by their address.

use super::organisation::province;
use super::{World, actor};
use crate::{
    AdminError, GrantError, LinkPerson, MoveOptions, NewMailbox, OrganisationError, Owner, PersonMove,
};
use model::{DomainName, MailboxClass};

fn domain() -> DomainName {
    DomainName::new("demo.gov.vn").unwrap()
}

fn link(name: &str, unit: Option<&str>) -> LinkPerson {
    LinkPerson {
        address: super::address(name),
        owner: Owner::default(),
        unit: unit.map(str::to_owned),
        position: None,
        on: None,
        dry_run: false,
    }
}

#[tokio::test]
async fn a_mailbox_that_is_nobodys_becomes_a_persons_who_can_be_transferred() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    world.user("an").await;
    let an = super::address("an");
    let whose = async || engine.person_with(&actor(), &domain(), &an).await;
    let nobodys = whose().await.unwrap_err().to_string();
    assert!(nobodys.contains("congthu person link demo.gov.vn an@demo.gov.vn --unit CODE"), "{nobodys}");
    let go = async |link: LinkPerson| engine.link_person(&actor(), &domain(), &link).await;
    let placeless = OrganisationError::LinkNeedsUnit(an.clone());
    assert_eq!(go(link("an", None)).await, Err(placeless.into()));
    let preview = go(LinkPerson { dry_run: true, ..link("an", Some("sotttt")) }).await.unwrap();
    assert_eq!((preview.person, preview.done, preview.unit.as_str()), (None, false, "sotttt"));
    assert!(whose().await.is_err(), "a preview changes nothing");
    let head = LinkPerson { position: Some("giám đốc".to_owned()), ..link("an", Some("sotttt")) };
    let linked = go(head).await.unwrap();
    assert_eq!(linked.classes[0].to, MailboxClass::Leader);
    assert_eq!(whose().await, Ok(linked.person.unwrap()));
    assert_eq!(
        world.audited("person.link").await,
        [format!("demo.gov.vn/person/{}", linked.person.unwrap().0)]
    );
    let mailbox = engine.mailbox(&actor(), &an).await.unwrap().unwrap();
    assert_eq!((mailbox.unit.as_deref(), mailbox.class), (Some("sotttt"), MailboxClass::Leader));
    let again = go(link("an", Some("sokhcn"))).await.unwrap_err().to_string();
    assert!(again.contains("congthu person transfer"), "{again}");
    let to = PersonMove::Transfer { to: "sokhcn".to_owned(), position: None };
    let person = linked.person.unwrap();
    let moved = engine.move_person(&actor(), &domain(), person, &to, MoveOptions::default()).await.unwrap();
    assert_eq!((moved.from.as_deref(), moved.to.as_deref()), (Some("sotttt"), Some("sokhcn")));
}

#[tokio::test]
async fn a_mailbox_of_a_unit_is_made_as_its_persons_and_a_known_name_is_asked_about() {
    let world = World::new().await;
    let engine = &world.engine;
    province(engine).await;
    let new = |name: &str, class| NewMailbox {
        unit: Some("sotttt".to_owned()),
        display_name: "Trần An".to_owned(),
        class,
        ..super::mailbox(name)
    };
    let make =
        async |name: &str, class, owner| engine.add_mailbox_of(&actor(), &new(name, class), owner).await;
    let first = make("mot", MailboxClass::Person, Owner::default()).await.unwrap().person.unwrap();
    let people = engine.people(&actor(), &domain(), Some("sotttt"), None, 10).await.unwrap();
    assert_eq!(
        (people[0].person, people[0].addresses.as_slice()),
        (first, ["mot@demo.gov.vn".to_owned()].as_slice())
    );
    let asked = make("hai", MailboxClass::Person, Owner::default()).await;
    assert!(matches!(asked, Err(AdminError::Grant(GrantError::MaybeKnown { .. }))), "{asked:?}");
    assert_eq!(
        engine.mailbox(&actor(), &super::address("hai")).await.unwrap().map(|_| ()),
        None,
        "nothing is made"
    );
    let another = Owner { another_person: true, ..Owner::default() };
    assert_ne!(make("hai", MailboxClass::Person, another).await.unwrap().person, Some(first));
    let office = make("vanthu", MailboxClass::Organisation, Owner::default()).await.unwrap();
    assert_eq!(office.person, None, "an office's is nobody's");
    let refused = engine.link_person(&actor(), &domain(), &link("vanthu", Some("sotttt"))).await;
    let office = OrganisationError::NotPersonal(super::address("vanthu"), "organisation");
    assert_eq!(refused, Err(office.into()));
}
