//! Rules followed when a message is accepted: what they keep, where, and that nothing is lost by them.

mod many;
mod onward;
mod refused;
mod writes;

use super::groups::inboxes;
use super::{World, address, arrival, policy};
use crate::{Arrival, DeliverError, Examined, Principal};
use model::admission::Evidence;
use model::{Flags, FolderName, Sorting};

pub(super) const MAIL: &[u8] =
    b"From: sender@example.org\r\nTo: an@demo.gov.vn\r\nSubject: Report\r\nMessage-ID: <1@x>\r\n\r\nbody\r\n";

/// `owner`: the columns of whose it is.
pub(super) async fn put_for(world: &World, owner: &str, source: &str) {
    let source = source.replace('\'', "''");
    world
        .database
        .run(&format!(
            "with old as (update sieve_scripts s set is_active = false from (select {owner}) as o (account_id, unit_id, domain_id)
                           where s.is_active and (s.account_id = o.account_id or s.unit_id = o.unit_id or s.domain_id = o.domain_id)
                          returning 1),
                  made as (insert into sieve_scripts (account_id, unit_id, domain_id, name, is_active, version, changed_at)
                           select {owner}, 's' || (select count(*) from sieve_scripts), (select count(*) from old) < 0, 1, now()
                           returning script_id)
             insert into sieve_versions (script_id, version, source, put_by, put_at)
             select script_id, 1, '{source}', 'an@demo.gov.vn', now() from made"
        ))
        .await;
    world.database.run("update sieve_scripts set is_active = true where script_id = (select max(script_id) from sieve_scripts)").await;
    world.database.run("update sieve_version set version = version + 1").await;
    world.engine.renew_sieves().await.unwrap();
}

/// The mailbox's own script, in place of the one before.
pub(super) async fn put(world: &World, name: &str, source: &str) {
    let owner = format!(
        "(select account_id from addresses where address = '{}'), null::bigint, null::bigint",
        address(name)
    );
    put_for(world, &owner, source).await;
}

pub(super) async fn send(world: &World, to: &[&str], message: &[u8]) -> Result<(), DeliverError> {
    let mut recipients = Vec::new();
    for name in to {
        recipients.push(world.engine.recipient(&address(name)).await.unwrap());
    }
    let mut spool = world.engine.new_spool();
    spool.write(message).await.unwrap();
    let delivered = world.engine.deliver(&arrival(), &recipients, spool).await.map(|_| ());
    world.engine.tell_of_failed().await;
    delivered
}

/// Messages in each of the folders that are there, by name, without empty ones.
pub(super) async fn folders(world: &World, name: &str) -> Vec<String> {
    world
        .database
        .texts(&format!(
            "select f.name || ' ' || count(*) from entries e join folders f using (account_id, folder_id)
              where account_id = (select account_id from addresses where address = '{}')
              group by f.name order by f.name",
            address(name)
        ))
        .await
}

async fn flags(world: &World, who: &Principal, folder: &str) -> Vec<(Flags, Vec<String>)> {
    let folder = world.engine.folder(who, &FolderName::new(folder).unwrap()).await.unwrap().unwrap();
    let view = world.engine.view(who, folder.id).await.unwrap();
    let names = world.store.keywords(who.account()).await.unwrap();
    let name = |id: &i16| names.iter().find(|row| row.keyword_id == *id).unwrap().name.clone();
    view.entries().iter().map(|entry| (entry.flags, entry.keywords.iter().map(name).collect())).collect()
}

/// What is noted of it, without what is noted of every message.
pub(super) async fn sifted(world: &World) -> Vec<String> {
    world
        .database
        .texts(
            "select recipients[1] || ' ' || status || ' ' || coalesce(split_part(about, E'\\n', 5), '')
               from events where kind = 'sifted' order by event_id",
        )
        .await
}

#[tokio::test]
async fn mail_is_filed_where_its_owner_wants_it() {
    let world = World::new().await;
    for name in ["an", "binh"] {
        world.user(name).await;
    }
    put(
        &world,
        "an",
        r#"require "fileinto"; if header :contains "subject" "report" { fileinto "Archive"; }"#,
    )
    .await;
    world.deliver(&["an", "binh"], MAIL).await;
    world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    assert_eq!(folders(&world, "an").await, ["Archive 1", "INBOX 1"]);
    assert_eq!(folders(&world, "binh").await, ["INBOX 1"]);
    assert_eq!(sifted(&world).await, ["an@demo.gov.vn rule_filed Archive"]);
    // What is large goes another way, to the same place.
    let large = [MAIL, &vec![b'x'; 200_000]].concat();
    world.deliver(&["an"], &large).await;
    assert_eq!(folders(&world, "an").await, ["Archive 2", "INBOX 1"]);
    // Another node hears of it at its next look.
    let other = world.another_node();
    other.open().await.unwrap();
    put(&world, "an", "keep;").await;
    other.poll().await;
    let to = other.recipient(&address("an")).await.unwrap();
    let mut spool = other.new_spool();
    spool.write(MAIL).await.unwrap();
    other.deliver(&arrival(), &[to], spool).await.unwrap();
    assert_eq!(folders(&world, "an").await, ["Archive 2", "INBOX 2"]);
    // Where policy lets nobody have his own, none is followed.
    put(&world, "an", "discard;").await;
    policy(&world, "rules.own", "false").await;
    world.deliver(&["an"], MAIL).await;
    assert_eq!(folders(&world, "an").await, ["Archive 2", "INBOX 3"]);
}

#[tokio::test]
async fn folders_are_made_and_a_missing_one_is_no_loss() {
    let world = World::new().await;
    let an = world.user("an").await;
    let script = r#"require ["fileinto", "mailbox"]; fileinto :create "Hồ sơ/2026";"#;
    put(&world, "an", script).await;
    world.deliver(&["an"], MAIL).await;
    world.deliver(&["an"], MAIL).await;
    assert_eq!(folders(&world, "an").await, ["Hồ sơ/2026 2"]);
    let made = world.engine.folder(&an, &FolderName::new("Hồ sơ/2026").unwrap()).await.unwrap().unwrap();
    assert!(made.subscribed);
    // What cannot be a folder, and one that is not there: INBOX, and its owner hears of it once.
    for (nth, script) in [
        r#"require ["fileinto", "mailbox"]; fileinto :create "a//b";"#,
        r#"require "fileinto"; fileinto "Không có";"#,
        r#"require ["fileinto", "mailbox"]; fileinto :create "Other Users/binh@demo.gov.vn/x";"#,
    ]
    .iter()
    .enumerate()
    {
        put(&world, "an", script).await;
        for _ in 0..2 {
            world.deliver(&["an"], MAIL).await;
        }
        assert_eq!(inboxes(&world, &["an"]).await, [2 + 3 * (nth + 1)], "two, and a notice: {script}");
    }
    let letters = world.letters(&an).await;
    let told: Vec<_> = letters.iter().filter(|text| text.starts_with("Bộ lọc thư")).collect();
    assert_eq!(told.len(), 3);
    assert!(told[1].contains("không có thư mục “Không có”"), "{}", told[1]);
}

#[tokio::test]
async fn flags_are_set_and_each_copy_counts() {
    let world = World::new().await;
    let an = world.user("an").await;
    let script = r#"require ["fileinto", "copy", "imap4flags"];
        fileinto :copy :flags ["\\Seen", "$Gap", "\\Flagged"] "Archive"; fileinto :copy "Trash"; setflag "viec";"#;
    put(&world, "an", script).await;
    world.deliver(&["an"], MAIL).await;
    assert_eq!(folders(&world, "an").await, ["Archive 1", "INBOX 1", "Trash 1"]);
    assert_eq!(
        flags(&world, &an, "Archive").await,
        [(Flags::SEEN | Flags::FLAGGED, vec!["$Gap".to_owned()])]
    );
    assert_eq!(flags(&world, &an, "INBOX").await, [(Flags::NONE, vec!["viec".to_owned()])]);
    assert_eq!(flags(&world, &an, "Trash").await, [(Flags::NONE, vec![])]);
    let octets = world.read(&an, "INBOX").await[0].1.len() as i64;
    let used = "select used_bytes from counters where account_id = (select account_id from addresses where address = 'an@demo.gov.vn')";
    assert_eq!(world.number(used).await, 3 * octets);
    assert_eq!(world.number("select count(*) from contents").await, 1, "one content, three entries");
    // It is one message for one mailbox.
    let received = "select cardinality(recipients)::bigint from events where kind = 'received'";
    assert_eq!(world.number(received).await, 1);
}

#[tokio::test]
async fn the_last_message_that_has_room_comes_into_all_its_folders() {
    let world = World::new().await;
    world.user("an").await;
    put(&world, "an", r#"require ["fileinto", "copy"]; fileinto :copy "Archive"; fileinto :copy "Trash";"#)
        .await;
    world.database.run("update accounts set quota_bytes = 400").await;
    world.deliver(&["an"], MAIL).await;
    assert_eq!(inboxes(&world, &["an"]).await, [3]);
    assert_eq!(
        world.engine.recipient(&address("an")).await.unwrap_err(),
        crate::RecipientError::OverQuota,
        "it is full now"
    );
}

#[tokio::test]
async fn what_is_discarded_is_found_and_kept_nowhere() {
    let world = World::new().await;
    for name in ["an", "binh"] {
        world.user(name).await;
    }
    put(&world, "an", "discard;").await;
    world.deliver(&["an"], MAIL).await;
    world.deliver(&["an", "binh"], MAIL).await;
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [0, 1]);
    assert_eq!(sifted(&world).await, ["an@demo.gov.vn rule_discarded ", "an@demo.gov.vn rule_discarded "]);
    let received =
        "select array_to_string(recipients, ' ') from events where kind = 'received' order by event_id";
    let received = world.database.texts(received).await;
    assert_eq!(received, ["an@demo.gov.vn", "binh@demo.gov.vn an@demo.gov.vn"]);
    assert_eq!(world.number("select count(*) from contents").await, 1, "nothing is kept that nobody has");
}

#[tokio::test]
async fn of_a_domains_script_that_fails_the_centre_is_told() {
    let world = World::new().await;
    let (an, centre) = (world.user("an").await, world.user("xulythurac").await);
    let domain = "null::bigint, null::bigint, (select domain_id from domains where name = 'demo.gov.vn')";
    put_for(&world, domain, r#"require "ihave"; error "hỏng";"#).await;
    for _ in 0..2 {
        world.deliver(&["an"], MAIL).await;
    }
    assert_eq!(folders(&world, "an").await, ["INBOX 2"], "kept, and nothing is told to whom it was for");
    let letters = world.letters(&centre).await;
    let told: Vec<_> = letters.iter().filter(|text| text.starts_with("Bộ lọc thư")).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("Bộ lọc thư chung của tên miền") && told[0].contains("hỏng"), "{}", told[0]);
    assert!(world.letters(&an).await.iter().all(|text| !text.starts_with("Bộ lọc thư")));
}

#[tokio::test]
async fn nobody_is_told_of_what_another_ones_script_cannot_have() {
    let world = World::new().await;
    let (an, centre) = (world.user("an").await, world.user("xulythurac").await);
    let domain = "null::bigint, null::bigint, (select domain_id from domains where name = 'demo.gov.vn')";
    put_for(&world, domain, r#"require ["fileinto", "copy"]; fileinto :copy "Không có";"#).await;
    put(&world, "an", "keep;").await;
    world.deliver(&["an"], MAIL).await;
    let of_scripts =
        |letters: Vec<String>| letters.iter().filter(|text| text.starts_with("Bộ lọc thư")).count();
    assert_eq!((of_scripts(world.letters(&an).await), of_scripts(world.letters(&centre).await)), (0, 1));
}

#[tokio::test]
async fn a_script_that_fails_keeps_the_mail_and_says_so_once() {
    let world = World::new().await;
    let an = world.user("an").await;
    put(&world, "an", r#"require ["fileinto", "include"]; fileinto "Archive"; include "nothing";"#).await;
    for _ in 0..3 {
        world.deliver(&["an"], MAIL).await;
    }
    assert_eq!(folders(&world, "an").await, ["INBOX 4"]);
    let letters = world.letters(&an).await;
    let told: Vec<_> = letters.iter().filter(|text| text.starts_with("Bộ lọc thư")).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("không có bộ lọc “nothing”"), "{}", told[0]);
    // Changed, it may fail anew.
    put(&world, "an", r#"require "ihave"; error "hỏng";"#).await;
    world.deliver(&["an"], MAIL).await;
    assert_eq!(folders(&world, "an").await, ["INBOX 6"]);
}

#[tokio::test]
async fn the_domain_decides_before_units_and_those_before_the_user() {
    let world = World::new().await;
    let an = world.user("an").await;
    super::groups::province(&world).await;
    world.database.run("update accounts set unit_id = (select unit_id from units where code = 'vp')").await;
    let unit =
        |code: &str| format!("null::bigint, (select unit_id from units where code = '{code}'), null::bigint");
    let domain = "null::bigint, null::bigint, (select domain_id from domains)";
    let adds = |word: &str| format!(r#"require "imap4flags"; addflag "{word}"; keep;"#);
    put(&world, "an", r#"require ["imap4flags", "fileinto"]; addflag "own"; fileinto "Archive";"#).await;
    put_for(&world, &unit("vp"), &adds("below")).await;
    put_for(&world, &unit("sotttt"), &adds("top")).await;
    put_for(&world, domain, &adds("domain")).await;
    world.deliver(&["an"], MAIL).await;
    let (_, mut words) = flags(&world, &an, "Archive").await.remove(0);
    words.sort_unstable();
    assert_eq!(words, ["below", "domain", "own", "top"]);
    // Who files it takes it from those behind.
    put_for(&world, &unit("sotttt"), r#"require "fileinto"; fileinto "Trash";"#).await;
    world.deliver(&["an"], MAIL).await;
    assert_eq!(folders(&world, "an").await, ["Archive 1", "Trash 1"]);
    // One that fails is as if it were not there.
    put_for(&world, &unit("sotttt"), r#"require "include"; include "none";"#).await;
    world.deliver(&["an"], MAIL).await;
    assert_eq!(folders(&world, "an").await, ["Archive 2", "Trash 1"]);
}

#[tokio::test]
async fn lists_folders_and_what_was_seen_are_asked_for() {
    let world = World::new().await;
    let an = world.user("an").await;
    let script = r#"require ["fileinto", "mailbox", "special-use", "duplicate", "extlists", "envelope"];
        if duplicate { fileinto "Trash"; stop; }
        if envelope :list "from" "tag:congthu,2026:tinh" { fileinto "Archive"; stop; }
        if allof(mailboxexists "Archive", not mailboxexists "Nowhere", specialuse_exists "\\Junk", valid_ext_list "tag:congthu,2026:don-vi",
                 not valid_ext_list "tag:x,2026:y") { fileinto "Sent"; }"#;
    put(&world, "an", script).await;
    world.deliver(&["an"], MAIL).await;
    world.deliver(&["an"], MAIL).await;
    assert_eq!(folders(&world, "an").await, ["Sent 1", "Trash 1"]);
    super::groups::send(&world, &an, &["an"]).await.unwrap();
    assert_eq!(folders(&world, "an").await, ["Archive 1", "Sent 1", "Trash 1"]);
    // It is forgotten some day.
    world.clock.advance(jiff::SignedDuration::from_hours(24 * 8));
    world.deliver(&["an"], MAIL).await;
    assert_eq!(folders(&world, "an").await, ["Archive 1", "Sent 2", "Trash 1"]);
}

#[tokio::test]
async fn a_changed_header_is_that_of_one_copy() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let script = r#"require ["editheader", "fileinto", "copy"]; fileinto :copy "Archive";
        addheader "X-Phong" "Văn thư"; deleteheader "Subject";"#;
    put(&world, "an", script).await;
    world.deliver(&["an", "binh"], MAIL).await;
    let read = async |who, folder| String::from_utf8(world.read(who, folder).await[0].1.clone()).unwrap();
    let (changed, came) = (read(&an, "INBOX").await, read(&binh, "INBOX").await);
    assert!(changed.contains("X-Phong: Văn thư\r\n") && !changed.contains("Subject:"), "{changed}");
    assert!(changed.ends_with("\r\n\r\nbody\r\n"), "{changed}");
    assert_eq!(read(&an, "Archive").await, came);
    assert!(came.contains("Subject: Report"), "{came}");
    assert_eq!(sifted(&world).await, ["an@demo.gov.vn rule_filed Archive; INBOX (header changed)"]);
    assert_eq!(world.number("select count(*) from contents").await, 2);
}

#[tokio::test]
async fn junk_is_not_sifted() {
    let world = World::new().await;
    world.user("an").await;
    put(&world, "an", "discard;").await;
    let examined = Examined { evidence: Evidence::default(), sorting: Sorting::Junk };
    let junk = Arrival { examined: Some(examined), ..arrival() };
    let to = [world.engine.recipient(&address("an")).await.unwrap()];
    let mut spool = world.engine.new_spool();
    spool.write(MAIL).await.unwrap();
    world.engine.deliver(&junk, &to, spool).await.unwrap();
    assert_eq!(folders(&world, "an").await, ["Junk 1"]);
}

#[tokio::test]
async fn a_folder_that_goes_meanwhile_is_no_reason_to_refuse_mail() {
    let world = World::new().await;
    world.user("an").await;
    put(&world, "an", r#"require ["fileinto", "copy"]; fileinto :copy "Archive"; fileinto "Trash";"#).await;
    let mut held = world.database.hold("delete from folders where name = 'Archive'").await;
    let (sent, ()) = tokio::join!(send(&world, &["an"], MAIL), async {
        held.until_somebody_waits().await;
        held.commit().await;
    });
    sent.unwrap();
    assert_eq!(folders(&world, "an").await, ["INBOX 2", "Trash 1"], "and its owner is told");
}
