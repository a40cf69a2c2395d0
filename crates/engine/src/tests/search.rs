//! The search index says what reading every message says, whatever happens around it.

use super::World;
use crate::{Candidates, FolderView, NewMessage, Principal, Search, SearchPlace, ViewEntry, Wanted};
use jiff::SignedDuration;
use model::{ContentId, Flags, FolderName, Uid};
use proto::search::{FactsLine, Haystack, Needle, facts_text, header_text, names_text, part_text};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// More than are compared with their texts at once.
const MESSAGES: u64 = 400;

/// A generator of numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % count
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

const WORDS: [&str; 24] = [
    "công",
    "cộng",
    "cong",
    "Văn",
    "van",
    "tỉnh",
    "tình",
    "Đề",
    "nghị",
    "UBND",
    "123/QĐ-UBND",
    "số",
    "2026",
    "0912345678",
    "thư",
    "Thứ",
    "gửi",
    "Nguyễn",
    "nguyen",
    "a1b2c3",
    "x",
    "họp",
    "x@demo.gov.vn",
    "e\u{302}\u{301}",
];
const GAPS: [&str; 6] = [" ", " ", " ", ", ", "\r\n", "-"];

fn text(dice: &mut Dice, words: usize) -> String {
    (0..words).map(|_| format!("{}{}", dice.of(&WORDS), dice.of(&GAPS))).collect()
}

fn line(dice: &mut Dice, words: usize) -> String {
    text(dice, words).replace("\r\n", " ")
}

fn message(dice: &mut Dice, number: u64) -> String {
    let (subject, name, count) = (line(dice, 3), line(dice, 1), 1 + dice.below(12));
    let body = text(dice, count);
    let html = dice.below(4) == 0;
    let (kind, body) =
        if html { ("html", format!("<p>{}</p>", body.replace(' ', "&#32;"))) } else { ("plain", body) };
    format!(
        "From: \"{name}\" <p{number}@demo.gov.vn>\r\nTo: an@demo.gov.vn\r\nSubject: {subject}\r\n\
         Message-ID: <m{number}.k7q@demo.gov.vn>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}\r\n"
    )
}

async fn append(world: &World, who: &Principal, messages: Vec<String>) {
    for some in messages.chunks(50) {
        let mut new = Vec::new();
        for text in some {
            let mut message = world.engine.new_spool();
            message.write(text.as_bytes()).await.unwrap();
            new.push(NewMessage { flags: Flags::NONE, keywords: Vec::new(), internal_date: None, message });
        }
        world.engine.append(who, &FolderName::new("INBOX").unwrap(), new).await.unwrap();
    }
}

async fn inbox(world: &World, who: &Principal) -> Arc<FolderView> {
    let folder = world.engine.folder(who, &FolderName::new("INBOX").unwrap()).await.unwrap().unwrap();
    world.engine.view(who, folder.id).await.unwrap()
}

async fn fill(world: &World) {
    world.engine.finish_search_index(&CancellationToken::new(), |_| {}).await.unwrap();
}

async fn begin(world: &World, who: &Principal, view: &FolderView) -> Search {
    let uids: Vec<Uid> = view.entries().iter().map(|entry| entry.uid).collect();
    world.engine.search(who, view, &uids).await.unwrap()
}

/// The texts of a message: facts, header, body.
type Texts = (ContentId, String, String, String);

async fn read(world: &World, who: &Principal, view: &FolderView) -> Vec<Texts> {
    let uids: Vec<Uid> = view.entries().iter().map(|entry| entry.uid).collect();
    let wanted = Wanted { envelope: true, structure: true, body: true, preview: false };
    let mut messages = Vec::new();
    while messages.len() < uids.len() {
        let rest = &uids[messages.len()..];
        messages.extend(world.engine.messages(who, view, rest, wanted).await.unwrap());
    }
    let mut all = Vec::new();
    for (entry, message) in view.entries().iter().zip(messages) {
        let message = message.unwrap();
        let (structure, body) = (message.structure.unwrap(), message.body.unwrap());
        let raw = body.read(0..body.size()).await.unwrap();
        let part = structure.root();
        let (start, end) =
            (usize::try_from(part.body_start).unwrap(), usize::try_from(part.body_end).unwrap());
        let mut body = names_text(&structure);
        body.push('\n');
        body.push_str(&part_text(part, &raw[start..end]).unwrap_or_default());
        all.push((entry.content, facts_text(&message.envelope.unwrap()), header_text(&raw[..start]), body));
    }
    all
}

fn expected(texts: &[Texts], place: &SearchPlace, needle: &Needle) -> BTreeSet<i64> {
    let has = |(_, facts, header, body): &&Texts| {
        let (facts, header, body) = (Haystack::new(facts), Haystack::new(header), Haystack::new(body));
        match place {
            SearchPlace::Facts(line) => facts.line_has(*line, needle),
            SearchPlace::Field(name) => header.field_has(name, needle),
            SearchPlace::Body => body.has(needle),
            SearchPlace::Text => facts.has(needle) || header.has(needle) || body.has(needle),
        }
    };
    texts.iter().filter(has).map(|(content, ..)| content.0).collect()
}

const PLACES: [SearchPlace; 4] = [
    SearchPlace::Body,
    SearchPlace::Text,
    SearchPlace::Facts(FactsLine::Subject),
    SearchPlace::Facts(FactsLine::From),
];

fn among<'a>(view: &'a FolderView, candidates: &Candidates) -> Vec<&'a ViewEntry> {
    let entries = view.entries();
    let spans = candidates.spans(entries, &(0..entries.len()));
    let found = spans.into_iter().flatten().filter_map(|at| entries.get(at));
    found.filter(|entry| candidates.has(entry.content)).collect()
}

async fn check(
    (world, who, view): (&World, &Principal, &FolderView),
    search: &Search,
    texts: &[Texts],
    needle: &str,
) {
    let needle = Needle::new(needle);
    for place in [SearchPlace::Body, SearchPlace::Text] {
        if let Some(may) = world.engine.search_candidates(who, view, (&place, &needle)).await.unwrap() {
            let may: BTreeSet<i64> = among(view, &may).iter().map(|entry| entry.content.0).collect();
            assert!(may.is_superset(&expected(texts, &place, &needle)), "{place:?} {needle:?}");
        }
    }
    for place in PLACES.into_iter().chain([SearchPlace::Field("message-id".into())]) {
        let found = search.find(&place, &needle, |_| true).await.unwrap();
        let found: BTreeSet<i64> = found.into_iter().map(|content| content.0).collect();
        assert_eq!(found, expected(texts, &place, &needle), "{place:?} {needle:?}");
    }
}

#[tokio::test]
async fn the_index_says_what_reading_says() {
    let world = World::new().await;
    let an = world.user("an").await;
    let mut dice = Dice(7);
    append(&world, &an, (0..MESSAGES).map(|number| message(&mut dice, number)).collect()).await;
    fill(&world).await;
    let view = inbox(&world, &an).await;
    let texts = read(&world, &an, &view).await;
    let search = begin(&world, &an, &view).await;
    assert!(texts.iter().all(|(content, ..)| !search.is_unknown(*content)));
    for needle in [
        "",
        "công",
        "cong",
        "CÔNG",
        "co\u{302}ng",
        "ong",
        "công văn",
        "cong van",
        "ng v",
        "van,",
        "/qđ",
        "123/qd-ubnd",
        "2026",
        "02",
        "0912",
        "12345678",
        "1b2",
        "b2",
        "x",
        "k7q",
        ".k7q@demo",
        "ế",
        "tinh",
        "tỉnh",
        "đề nghị",
        "de nghi",
        " ",
        "- ",
        "nothing of this",
        "subject",
        "p39",
        "zzz",
        "công văn công văn",
        "demo.gov.vn",
    ] {
        check((&world, &an, &view), &search, &texts, needle).await;
    }
    // Parts of what is there, of any length.
    for _ in 0..60 {
        let (_, _, _, body) = &texts[dice.below(texts.len())];
        let letters: Vec<char> = body.chars().collect();
        let from = dice.below(letters.len());
        let needle: String = letters.iter().skip(from).take(1 + dice.below(14)).collect();
        check((&world, &an, &view), &search, &texts, &needle.replace('\n', " ")).await;
    }
}

#[tokio::test]
async fn candidates_are_few_and_have_what_waits() {
    let world = World::new().await;
    let an = world.user("an").await;
    let mail =
        |number: u64| format!("Subject: {number}\r\n\r\nword{}\r\n", if number == 9 { "rare" } else { "" });
    append(&world, &an, (0..MESSAGES).map(mail).collect()).await;
    fill(&world).await;
    append(&world, &an, vec![mail(1)]).await;
    let view = inbox(&world, &an).await;
    let rare = (&SearchPlace::Body, &Needle::new("wordrare"));
    let found = world.engine.search_candidates(&an, &view, rare).await.unwrap().unwrap();
    let found: Vec<Uid> = among(&view, &found).iter().map(|entry| entry.uid).collect();
    assert_eq!(found, [view.entries().get(9).unwrap().uid, view.entries().last().unwrap().uid]);
}

#[tokio::test]
async fn what_waits_is_unknown_and_counted() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.deliver(&["an"], b"Subject: one\r\n\r\nfirst\r\n").await;
    let lag = world.engine.search_lag().await.unwrap();
    assert_eq!((lag.contents, lag.oldest), (1, Some(world.engine.now())));
    let view = inbox(&world, &an).await;
    let search = begin(&world, &an, &view).await;
    assert!(search.is_unknown(view.entries().get(0).unwrap().content));
    fill(&world).await;
    assert_eq!(world.engine.search_lag().await.unwrap(), crate::SearchLag::default());
    let search = begin(&world, &an, &view).await;
    assert!(!search.is_unknown(view.entries().get(0).unwrap().content));
    let found = search.find(&SearchPlace::Body, &Needle::new("FIRST"), |_| true).await.unwrap();
    assert_eq!(found.len(), 1);
    let none = search.find(&SearchPlace::Body, &Needle::new("first"), |_| false).await.unwrap();
    assert_eq!(none.len(), 0);
}

#[tokio::test]
async fn a_message_that_cannot_be_analysed_is_marked_once() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.deliver(&["an"], b"Subject: one\r\n\r\nfirst\r\n").await;
    world.database.run("update contents set structure = '\\x00'").await;
    world.deliver(&["an"], b"Subject: two\r\n\r\nsecond\r\n").await;
    fill(&world).await;
    assert_eq!(world.engine.search_lag().await.unwrap().contents, 0, "it does not wait for ever");
    let view = inbox(&world, &an).await;
    let search = begin(&world, &an, &view).await;
    let unknown: Vec<bool> = view.entries().iter().map(|entry| search.is_unknown(entry.content)).collect();
    assert_eq!(unknown, [true, false]);
}

#[tokio::test]
async fn a_rebuild_serves_meanwhile_and_ends() {
    let world = World::new().await;
    let an = world.user("an").await;
    for _ in 0..3 {
        world.deliver(&["an"], b"Subject: one\r\n\r\nfirst\r\n").await;
    }
    fill(&world).await;
    world.clock.advance(SignedDuration::from_secs(1));
    world.engine.begin_search_rebuild().await.unwrap();
    assert_eq!(world.engine.search_lag().await.unwrap().contents, 3);
    let view = inbox(&world, &an).await;
    let search = begin(&world, &an, &view).await;
    assert_eq!(search.find(&SearchPlace::Text, &Needle::new("first"), |_| true).await.unwrap().len(), 3);
    fill(&world).await;
    let search = begin(&world, &an, &view).await;
    assert_eq!(search.find(&SearchPlace::Text, &Needle::new("first"), |_| true).await.unwrap().len(), 3);
}

#[tokio::test]
async fn another_mailbox_is_not_searched() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    world.deliver(&["binh"], b"Subject: secret\r\n\r\nhidden\r\n").await;
    fill(&world).await;
    let view = inbox(&world, &binh).await;
    assert!(world.engine.search(&an, &view, &[Uid(1)]).await.is_err());
    let own = inbox(&world, &an).await;
    let search = world.engine.search(&an, &own, &[Uid(1)]).await.unwrap();
    let found = search.find(&SearchPlace::Text, &Needle::new("hidden"), |_| true).await.unwrap();
    assert_eq!(found.len(), 0);
}

/// How long filling and searching take; a figure, so only on demand: `--run-ignored only`, with `--release` for the truth.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes of work for a figure"]
async fn fifty_thousand() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.database.run("update accounts set quota_bytes = 1000000000000").await;
    let mut dice = Dice(11);
    let began = std::time::Instant::now();
    for _ in 0..100 {
        let some = (0..500).map(|number| long_message(&mut dice, number)).collect();
        append(&world, &an, some).await;
    }
    println!("appended in {:?}", began.elapsed());
    let began = std::time::Instant::now();
    fill(&world).await;
    println!("filled in {:?}", began.elapsed());
    world.database.run("vacuum analyze").await;
    let view = inbox(&world, &an).await;
    let uids: Vec<Uid> = view.entries().iter().map(|entry| entry.uid).collect();
    for _ in 0..2 {
        for (place, needle) in [
            (SearchPlace::Body, "công"),
            (SearchPlace::Body, "cong"),
            (SearchPlace::Body, "công văn"),
            (SearchPlace::Body, "công văn tỉnh"),
            (SearchPlace::Body, "ngữ123"),
            (SearchPlace::Body, "absentword"),
            (SearchPlace::Body, "w1234"),
            (SearchPlace::Body, "x"),
            (SearchPlace::Text, "công"),
            (SearchPlace::Text, "absentword"),
            (SearchPlace::Facts(FactsLine::Subject), "công"),
            (SearchPlace::Facts(FactsLine::Subject), "absent"),
            (SearchPlace::Facts(FactsLine::From), "demo.gov.vn"),
        ] {
            let began = std::time::Instant::now();
            let search = world.engine.search(&an, &view, &uids).await.unwrap();
            let begun = began.elapsed();
            let found = search.find(&place, &Needle::new(needle), |_| true).await.unwrap();
            println!("{place:?} {needle}: {} in {:?} ({begun:?} to begin)", found.len(), began.elapsed());
        }
    }
}

/// About 4 KB.
fn long_message(dice: &mut Dice, number: u64) -> String {
    let body: String = (0..40).map(|_| format!("{} w{}\r\n", line(dice, 12), dice.below(20_000))).collect();
    format!(
        "From: <p{number}@demo.gov.vn>\r\nTo: an@demo.gov.vn\r\nSubject: {}\r\nMessage-ID: <{}@x>\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}",
        line(dice, 4),
        dice.below(1 << 30),
    )
}
