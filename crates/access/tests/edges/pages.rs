//! A part of what is found (RFC 9394) is that part of all that is found, however few messages were looked at for it.

use super::Client;
use crate::world::Province;
use std::fmt::Write as _;
use tokio_util::sync::CancellationToken;

/// More than are compared with their texts at once, and several steps of a search.
const MESSAGES: usize = 800;
const WORDS: [&str; 5] = ["everywhere", "often", "sometimes", "seldom", "never"];

/// xorshift64: fixed dice, so that a failure repeats.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }

    fn of<'a>(&mut self, some: &[&'a str]) -> &'a str {
        some[self.roll(some.len())]
    }

    fn words(&mut self) -> String {
        let mut words = String::from("everywhere");
        for (word, one_in) in [(" often", 2), (" sometimes", 12), (" seldom", 250)] {
            if self.roll(one_in) == 0 {
                words.push_str(word);
            }
        }
        words
    }

    fn message(&mut self) -> String {
        let day = 1 + self.roll(28);
        format!(
            "From: {}@x.vn\r\nSubject: {}\r\nDate: {day} Nov 2026 08:00:00 +0700\r\n\r\n{} {}{}\r\n",
            self.of(&["an", "binh"]),
            self.words(),
            self.words(),
            ["20260101", "", &format!("c0d3-{}", self.roll(200))][self.roll(3)],
            " x".repeat(self.roll(100)),
        )
    }

    /// Messages with flags and dates, in one command.
    fn append(&mut self, count: usize) -> String {
        let mut command = String::from("APPEND INBOX");
        for _ in 0..count {
            let (flags, day, message) = (
                self.of(&["()", "(\\Seen)", "(\\Flagged)", "(\\Seen \\Flagged)", "(viec)"]),
                1 + self.roll(28),
                self.message(),
            );
            write!(
                command,
                " {flags} \"{day:02}-Nov-2026 08:00:00 +0700\" {{{}+}}\r\n{message}",
                message.len()
            )
            .unwrap();
        }
        command
    }

    fn set(&mut self, last: usize) -> String {
        let (one, other) = (1 + self.roll(last), 1 + self.roll(last));
        format!("{one}:{other}")
    }

    fn key(&mut self, depth: usize) -> String {
        match self.roll(if depth == 0 { 14 } else { 18 }) {
            0..=2 => format!("BODY {}", self.of(&WORDS)),
            // Codes: of one message, of many, and of none.
            3 if self.roll(2) == 0 => format!("BODY {}", self.of(&["c0d3-17", "20260101", "90909"])),
            3 => format!("TEXT {}", self.of(&WORDS)),
            4 => format!("SUBJECT {}", self.of(&WORDS)),
            5 => format!("FROM {}", self.of(&["an", "binh", "chi"])),
            6 => self
                .of(&["SEEN", "UNSEEN", "FLAGGED", "KEYWORD viec", "UNKEYWORD viec", "ALL", "RECENT"])
                .into(),
            7 => {
                let test =
                    self.of(&["BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE", "SAVEDON"]);
                format!("{test} {}-Nov-2026", 1 + self.roll(28))
            }
            8 => format!("{} {}", self.of(&["LARGER", "SMALLER"]), 100 + self.roll(250)),
            // As many numbers as there are for certain.
            9 => self.set(MESSAGES / 2),
            10 => format!("UID {}", self.set(MESSAGES + 50)),
            11 => "$".into(),
            12 => format!("MODSEQ {}", self.roll(100)),
            13 => format!("HEADER From {}", self.of(&["an", "b"])),
            14 => format!("NOT {}", self.key(0)),
            15 => format!("OR {} {}", self.key(depth - 1), self.key(depth - 1)),
            _ => format!("({} {})", self.key(depth - 1), self.key(depth - 1)),
        }
    }
}

/// The answer, without its tag: all the numbers that `result` names, and the MODSEQ.
fn numbers(answer: &str, result: &str) -> (Vec<u32>, Option<String>) {
    let line =
        answer.lines().find(|line| line.starts_with("* ESEARCH")).unwrap_or_else(|| panic!("{answer}"));
    let rest = line.split_once(&format!("{result} ")).map_or("", |(_, rest)| rest);
    let set = rest.split([' ', ')']).next().unwrap().trim_end();
    let mut numbers = Vec::new();
    for span in set.split(',').filter(|span| !span.is_empty() && *span != "NIL") {
        let (low, high) = span.split_once(':').unwrap_or((span, span));
        numbers.extend(low.parse::<u32>().unwrap()..=high.parse().unwrap());
    }
    let modseq = line.split_once("MODSEQ ").map(|(_, number)| number.to_owned());
    (numbers, modseq)
}

async fn ask(client: &mut Client, command: &str) -> String {
    let answer = client.ask("t", command).await;
    assert!(answer.contains("t OK"), "{command}: {answer}");
    answer
}

/// A part of some form, and what of `all` it is.
fn part(dice: &mut Dice, all: &[u32]) -> (String, Vec<u32>) {
    let low = if dice.roll(2) == 0 { 1 } else { 1 + dice.roll(120) };
    let width = [1, 10, 50, 200, 1_000][dice.roll(5)];
    let high = low + dice.roll(width);
    let skip = |from: usize| all.len().min(from);
    if dice.roll(3) > 0 {
        let some = all[all.len() - skip(high)..all.len() - skip(low - 1)].to_vec();
        (format!("-{low}:-{high}"), some)
    } else {
        (format!("{low}:{high}"), all[skip(low - 1)..skip(high)].to_vec())
    }
}

async fn check(client: &mut Client, dice: &mut Dice, uid: &str) {
    let key = dice.key(2);
    if !uid.is_empty() {
        // Else the first search is followed by expunges, which change what numbers in the key mean.
        ask(client, "NOOP").await;
    }
    let (all, _) = numbers(&ask(client, &format!("{uid}SEARCH RETURN (ALL) {key}")).await, "ALL");
    for _ in 0..2 {
        let (range, wanted) = part(dice, &all);
        let answer = ask(client, &format!("{uid}SEARCH RETURN (PARTIAL {range}) {key}")).await;
        let (found, modseq) = numbers(&answer, &format!("({range}"));
        assert_eq!(found, wanted, "{uid}{key} {range}: {answer}");
        if let Some(modseq) = modseq {
            // RFC 9394 3.1: the highest of those in the part. The same messages by number or uid tell the same.
            let set: Vec<String> = found.iter().map(u32::to_string).collect();
            let by = if uid.is_empty() { "" } else { "UID " };
            let of_them = format!("{uid}SEARCH RETURN (ALL) {by}{} MODSEQ 0", set.join(","));
            assert_eq!(numbers(&ask(client, &of_them).await, "ALL").1, Some(modseq), "{uid}{key} {range}");
        }
        if dice.roll(4) == 0 && !key.contains('$') {
            ask(client, &format!("{uid}SEARCH RETURN (SAVE PARTIAL {range}) {key}")).await;
            let (saved, _) = numbers(&ask(client, &format!("{uid}SEARCH RETURN (ALL) $")).await, "ALL");
            assert_eq!(saved, wanted, "$ of {uid}{key} {range}");
        }
    }
}

#[tokio::test]
async fn a_page_is_that_of_the_whole_result() {
    let province = Province::with_quota(64 << 20).await;
    let (mut client, mut other) = (Client::connect(&province).await, Client::connect(&province).await);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..MESSAGES / 100 {
        let command = dice.append(100);
        ask(&mut client, &command).await;
    }
    ask(&mut client, "ENABLE CONDSTORE").await;
    let stop = CancellationToken::new();
    province.engine.finish_search_index(&stop, |_| {}).await.unwrap();
    for round in 0..6 {
        // Some that the index does not know yet, flags that change, and messages that go.
        let command = dice.append(3);
        ask(&mut other, &command).await;
        ask(&mut other, "SELECT INBOX").await;
        if round == 0 {
            ask(&mut client, "SELECT INBOX").await;
        }
        let (flagged, deleted) = (dice.set(MESSAGES / 2), 1 + dice.roll(MESSAGES / 2));
        ask(&mut other, &format!("STORE {flagged} +FLAGS.SILENT (\\Flagged)")).await;
        ask(&mut other, &format!("STORE {deleted}:{} +FLAGS.SILENT (\\Deleted)", deleted + dice.roll(9)))
            .await;
        ask(&mut other, "EXPUNGE").await;
        // The client is told of what is new, and not of what went; searches by number leave it so.
        ask(&mut client, "FETCH 1 (UID)").await;
        for _ in 0..12 {
            check(&mut client, &mut dice, "").await;
        }
        for _ in 0..12 {
            check(&mut client, &mut dice, "UID ").await;
        }
    }
}
