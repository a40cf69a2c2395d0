//! Two years of a province: who is warned, locked, restored across Tết, listed and deleted, and who is not.

use super::{World, actor, address, mailbox, origin};
use crate::{Engine, NewMailbox, PolicyEdit, Principal};
use jiff::SignedDuration;
use jiff::civil::Date;
use model::calendar::local_date;
use model::lifecycle::{Life, LockReason};
use model::{AccountState, DomainName, FolderName, MailboxClass, Uid};
use std::collections::BTreeMap;

const YEARS_DAYS: usize = 731;

fn names(stem: &str, count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("{stem}{n:02}")).collect()
}

struct Province {
    world: World,
    users: BTreeMap<String, Principal>,
    /// What each night did, where it did something.
    nights: BTreeMap<Date, crate::life::Kept>,
}

impl Province {
    async fn new(groups: &[(&str, usize)]) -> Self {
        let world = World::new().await;
        let mut users = BTreeMap::new();
        for name in groups.iter().flat_map(|(stem, count)| names(stem, *count)) {
            users.insert(name.clone(), world.user(&name).await);
        }
        Self { world, users, nights: BTreeMap::new() }
    }

    fn engine(&self) -> &Engine {
        &self.world.engine
    }

    fn today(&self) -> Date {
        local_date(self.engine().now())
    }

    fn of<'a>(&'a self, stem: &'a str) -> impl Iterator<Item = (&'a String, &'a Principal)> {
        self.users.iter().filter(move |(name, _)| name.starts_with(stem))
    }

    /// As a telephone does it: asks for everything, and takes the bodies of what is new to it.
    async fn poll(&self, who: &Principal, seen: &mut u32) {
        let Ok(Some(inbox)) = self.engine().folder(who, &FolderName::inbox()).await else { return };
        let view = self.engine().view(who, inbox.id).await.unwrap();
        let new: Vec<Uid> =
            view.entries().iter().map(|entry| entry.uid).filter(|uid| uid.0 > *seen).collect();
        *seen = new.iter().map(|uid| uid.0).max().unwrap_or(*seen);
        self.engine().note_retrieved(who, &view, &new).await;
    }

    async fn night(&mut self) {
        let kept = self.engine().keep_lives().await.unwrap();
        if kept != crate::life::Kept::default() {
            self.nights.insert(self.today(), kept);
        }
        self.world.clock.advance(SignedDuration::from_hours(24));
    }

    async fn life(&self, name: &str) -> Option<Life> {
        self.engine().life(&actor(), &address(name)).await.unwrap().map(|detail| detail.life)
    }
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

#[tokio::test]
async fn two_years_of_a_province() {
    let groups = [("can", 20), ("im", 10), ("khoi", 5), ("may", 3), ("nghi", 4), ("bao", 3), ("doc", 5)];
    let mut province = Province::new(&groups).await;
    let service = NewMailbox { class: MailboxClass::Service, ..mailbox("xulythurac") };
    province.engine().add_mailbox(&actor(), &service).await.unwrap();
    unit_mailboxes(&province).await;
    for name in names("nghi", 4) {
        let leave = model::lifecycle::Leave { from: day("2026-12-01"), to: day("2027-06-30") };
        let reason = "Đi học tập trung";
        province.engine().note_leave(&actor(), &address(&name), leave, reason, None).await.unwrap();
    }
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for number in 0..YEARS_DAYS {
        let today = province.today();
        if number % 7 == 0 {
            a_week(&province, &mut seen).await;
        }
        decisions(&mut province, today).await;
        province.night().await;
    }
    the_counts(&province).await;
}

/// In a domain whose regulation takes back what is not used within six months (Sở Công Thương Bình Định 148/2014 Điều 5.2).
async fn unit_mailboxes(province: &Province) {
    let domain = DomainName::new("sct.gov.vn").unwrap();
    let engine = province.engine();
    engine.add_domain(&actor(), &domain, "binh-dinh-sct").await.unwrap();
    let settings = [("life.lock_after".to_owned(), "off".to_owned())];
    let edit = PolicyEdit { settings: &settings, based_on: None, reason: "thử", dry_run: false };
    let _ = engine.change_policy(&actor(), &domain, &edit).await;
    for name in ["qlcn@sct.gov.vn", "qltm@sct.gov.vn"] {
        let unit = NewMailbox { class: MailboxClass::Organisation, ..mailbox(name) };
        engine.add_mailbox(&actor(), &unit).await.unwrap();
    }
    let used = engine.log_in("qltm@sct.gov.vn", super::PASSWORD, &origin()).await.unwrap();
    engine.note_sent(&used, Vec::new()).await;
}

async fn a_week(province: &Province, seen: &mut BTreeMap<String, u32>) {
    let (today, engine) = (province.today(), province.engine());
    for (_, who) in province.of("can") {
        engine.note_sent(who, Vec::new()).await;
    }
    // In use until autumn, then forgotten; in use again after the restoration.
    for (name, who) in province.of("khoi") {
        let is_open = province.life(name).await.is_some_and(|life| life.state() == AccountState::Active);
        if today <= day("2027-10-20") || (is_open && today > day("2028-02-01")) {
            engine.note_sent(who, Vec::new()).await;
        }
    }
    for (_, who) in province.of("nghi").filter(|_| today > day("2027-06-30")) {
        engine.note_sent(who, Vec::new()).await;
    }
    let readers = names("doc", 5);
    let newsletter = names("bao", 3);
    let to: Vec<&str> = readers.iter().chain(&newsletter).map(String::as_str).collect();
    let mut there = Vec::new();
    for name in to {
        if engine.recipient(&address(name)).await.is_ok() {
            there.push(name);
        }
    }
    province.world.deliver(&there, b"From: <a@x.vn>\r\nSubject: Ban tin\r\n\r\nx\r\n").await;
    for stem in ["may", "doc"] {
        for (name, who) in province.of(stem) {
            province.poll(who, seen.entry(name.clone()).or_default()).await;
        }
    }
}

async fn decisions(province: &mut Province, today: Date) {
    let engine = province.engine().clone();
    if today == day("2027-06-01") {
        for name in names("im", 5) {
            engine.confirm_deletion(&actor(), &address(&name), None).await.unwrap();
        }
    }
    // The last working day before Tết Mậu Thân.
    if today == day("2028-01-24") {
        for name in names("khoi", 5) {
            let life = province.life(&name).await.unwrap();
            assert!(matches!(life, Life::Locked { reason: LockReason::Inactive, .. }), "{name}: {life:?}");
            let due = engine.ask_restore(&actor(), &address(&name), "Công văn 5/SNV").await.unwrap();
            assert_eq!(due, Some(day("2028-02-01")), "one working day, over Tết and the day made up for it");
        }
    }
    if today == day("2028-02-01") {
        for name in names("khoi", 5) {
            let once = engine.unlock(&actor(), &address(&name), None).await.unwrap().one_time_password;
            let login = format!("{name}@demo.gov.vn");
            engine.change_password(&login, &once, "Rừng tràm 27!", &origin()).await.unwrap();
            let who = engine.log_in(&login, "Rừng tràm 27!", &origin()).await.unwrap();
            province.users.insert(name, who);
        }
    }
}

async fn the_counts(province: &Province) {
    let sum = |of: fn(&crate::life::Kept) -> usize| province.nights.values().map(of).sum::<usize>();
    // Forgotten from the start: ten; telephones that poll nothing: three; newsletters nobody opens: three; in the second
    // autumn five. Each is warned three times.
    assert_eq!(sum(|kept| kept.warned), 3 * (10 + 3 + 3 + 5));
    assert_eq!(sum(|kept| kept.locked), 10 + 3 + 3 + 5);
    // Whoever was asked for is not listed; a unit's mailbox that was never used is.
    assert_eq!(sum(|kept| kept.listed), 10 + 3 + 3 + 1);
    assert_eq!(sum(|kept| kept.deleted), 5);
    let on = |date: &str| province.nights.get(&day(date)).copied().unwrap_or_default();
    let nights: Vec<String> = province.nights.iter().map(|(day, kept)| format!("{day}: {kept}")).collect();
    assert_eq!(
        (on("2027-02-09").warned, on("2027-02-16").warned, on("2027-02-22").warned),
        (16, 16, 16),
        "{nights:#?}"
    );
    assert_eq!(on("2027-02-23").locked, 16, "{nights:#?}");
    assert_eq!(on("2027-05-25").listed, 17, "the term ends on a Sunday: {nights:#?}");
    assert_eq!(on("2027-06-01").deleted, 5);
    assert_eq!(on("2028-01-18").locked, 5, "three months after the last message: {nights:#?}");
    for stem in ["can", "khoi", "nghi", "doc"] {
        for (name, _) in province.of(stem) {
            let life = province.life(name).await.unwrap();
            assert!(matches!(life, Life::Active { .. }), "{name}: {life:?}");
        }
    }
    for name in names("may", 3).iter().chain(&names("bao", 3)).chain(&names("im", 10)[5..]) {
        assert!(
            matches!(province.life(name).await, Some(Life::ToBeDeleted { confirmed: None, .. })),
            "{name}"
        );
    }
    for name in names("im", 5) {
        assert_eq!(province.life(&name).await, None);
    }
    assert_eq!(province.life("xulythurac").await.unwrap().state(), AccountState::New);
    assert_eq!(province.life("qlcn@sct.gov.vn").await.unwrap().state(), AccountState::ToBeDeleted);
    assert_eq!(province.life("qltm@sct.gov.vn").await.unwrap().state(), AccountState::Active);
    assert_eq!(province.world.audited("mailbox.lock").await.len(), 21);
    assert_eq!(province.world.audited("mailbox.delete").await.len(), 5);
}
