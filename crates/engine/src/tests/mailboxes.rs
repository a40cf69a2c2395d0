//! Lists of mailboxes: of a unit with those below it, of those that nobody uses, and to whom when each was used is told.

use super::authority::{province, somebody};
use super::{World, actor, address};
use crate::{Actor, AdminError, MailboxQuery, Use};
use jiff::Timestamp;
use model::{DomainName, Grant, Right, Role, Scope};

async fn listed(world: &World, who: &Actor, query: MailboxQuery<'_>) -> Result<Vec<String>, AdminError> {
    let found = world.engine.mailboxes(who, MailboxQuery { limit: 100, ..query }).await?;
    Ok(found.iter().map(|mailbox| mailbox.address.to_string()).collect())
}

/// Notes when a mailbox was made, when it sent and when it retrieved.
async fn used(world: &World, name: &str, made: &str, sent: Option<&str>, retrieved: Option<&str>) {
    let of = format!(
        "from addresses g where g.account_id = accounts.account_id and g.address = '{name}@demo.gov.vn'"
    );
    let at = |at: Option<&str>| at.map_or_else(|| "null".to_owned(), |at| format!("'{at}'"));
    let (sent, retrieved) = (at(sent), at(retrieved));
    world
        .database
        .run(&format!(
            "update accounts set created_at = '{made}' {of};
             insert into activity (account_id, sent_at, retrieved_at)
             select account_id, {sent}, {retrieved} from addresses where address = '{name}@demo.gov.vn'"
        ))
        .await;
}

#[tokio::test]
async fn a_unit_is_listed_with_those_below_it_to_whoever_looks_after_it() {
    let world = province().await;
    let (own, other) = (DomainName::new("demo.gov.vn").unwrap(), DomainName::new("b.vn").unwrap());
    let of =
        |domain, unit| MailboxQuery { domain: Some(domain), unit: Some(unit), ..MailboxQuery::default() };
    let names = |names: &[&str]| names.iter().map(|name| format!("{name}@demo.gov.vn")).collect::<Vec<_>>();
    let so = names(&["khoa", "phong", "so"]);
    assert_eq!(listed(&world, &actor(), of(&own, "so")).await.unwrap(), so);
    assert_eq!(listed(&world, &actor(), of(&own, "phong")).await.unwrap(), names(&["khoa", "phong"]));
    assert_eq!(listed(&world, &actor(), of(&other, "so")).await.unwrap(), ["so@b.vn"]);
    assert_eq!(listed(&world, &actor(), of(&own, "tinh")).await.unwrap().len(), 4);
    let none = listed(&world, &actor(), of(&own, "khong")).await;
    assert_eq!(none, Err(AdminError::NoSuchUnit("khong".into())));
    // An officer has his own, and what is not his is not there.
    let officer = somebody(&world, "daumoi", Role::OrganisationOfficer, "demo.gov.vn/so").await;
    assert_eq!(listed(&world, &officer, of(&own, "so")).await.unwrap(), so);
    assert_eq!(listed(&world, &officer, MailboxQuery::default()).await.unwrap(), so);
    for code in ["khac", "tinh", "khong"] {
        let refused = listed(&world, &officer, of(&own, code)).await;
        assert_eq!(refused, Err(AdminError::NoSuchUnit(code.into())));
    }
    // Pages follow each other by the last address.
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let query = MailboxQuery { after: after.as_ref(), limit: 2, ..of(&own, "so") };
        let page = world.engine.mailboxes(&officer, query).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.address.clone());
        all.extend(page.iter().map(|mailbox| mailbox.address.to_string()));
    }
    assert_eq!(all, so);
}

#[tokio::test]
async fn whoever_was_not_there_for_so_many_days_is_listed_and_who_never_was() {
    let world = province().await;
    // The clock stands at eight in the morning of the 22nd of November; thirty days before is the 23rd of October.
    let long_ago = "2026-01-05T00:00:00Z";
    used(&world, "khoa", long_ago, Some("2026-10-22T16:59:00Z"), None).await;
    used(&world, "phong", long_ago, Some(long_ago), Some("2026-10-22T17:00:00Z")).await;
    used(&world, "so", long_ago, None, None).await;
    used(&world, "khac", "2026-11-10T00:00:00Z", None, None).await;
    let domain = DomainName::new("demo.gov.vn").unwrap();
    let unused = async |days: u16, unit: Option<&str>| {
        let query =
            MailboxQuery { domain: Some(&domain), unit, unused_days: Some(days), ..MailboxQuery::default() };
        let all = listed(&world, &actor(), query).await.unwrap();
        let names = all.iter().map(|one| one.strip_suffix("@demo.gov.vn").unwrap().to_owned());
        names.filter(|name| name != "nha").collect::<Vec<_>>()
    };
    assert_eq!(
        unused(30, None).await,
        ["khoa", "so"],
        "one minute of a day decides, and new ones have their time"
    );
    assert_eq!(unused(29, None).await, ["khoa", "phong", "so"]);
    assert_eq!(unused(11, None).await, ["khac", "khoa", "phong", "so"]);
    assert_eq!(unused(31, Some("phong")).await, Vec::<String>::new());
    assert_eq!(unused(30, Some("phong")).await, ["khoa"]);
    let by = async |name: &str| {
        let mailbox = world.engine.mailbox(&actor(), &address(name)).await.unwrap().unwrap();
        mailbox.last_use.map(|last| (last.at, last.by))
    };
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    assert_eq!(by("phong").await, Some((at("2026-10-22T17:00:00Z"), Use::Retrieved)), "the later of the two");
    assert_eq!(by("khoa").await, Some((at("2026-10-22T16:59:00Z"), Use::Sent)));
    assert_eq!(by("so").await, None);
    let shown = world.engine.mailbox(&actor(), &address("khoa")).await.unwrap().unwrap();
    assert_eq!((shown.unit.as_deref(), shown.unit_name.is_some()), (Some("phong"), true));
    // To whoever reads an office's mail is not told when its owner was there.
    let account = world.store.login(&address("khoa")).await.unwrap().unwrap().account;
    world.database.run("update accounts set state = 'active'").await;
    let lent = Actor::of(
        "ai",
        None,
        Grant::delegate(account, [Right::Read].into_iter().collect()).into_iter().collect(),
    );
    let owner =
        Actor::of("khoa", None, vec![Grant::new(Role::MailboxOwner, Scope::Mailbox(account)).unwrap()]);
    for (who, told) in [(lent, false), (owner, true)] {
        let seen = world.engine.mailbox(&who, &address("khoa")).await.unwrap().unwrap();
        assert_eq!(seen.last_use.is_some(), told, "{who:?}");
    }
}
