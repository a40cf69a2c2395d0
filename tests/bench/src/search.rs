//! SEARCH, where what must be found is known.

use crate::corpus::{self, ABSENT, BARE, COMMON, COMPOSED, DECOMPOSED, EVERYWHERE, RARE};
use crate::flags::Flags;
use crate::report::Line;
use crate::wire::{Imap, Outcome, Reply};
use std::collections::{HashMap, HashSet};
use std::time::Instant;

struct Question {
    name: &'static str,
    key: &'static str,
    needle: String,
    /// Whether a message must be found; `None`: it may be or not.
    wanted: fn(u64) -> Option<bool>,
}

/// `--messages` in `--folder` as `fill` made them; each question `--times` times, the median counts.
/// A server that answers one question wrongly still gets the others asked.
pub async fn search(flags: &Flags) -> Outcome<String> {
    let (target, messages, times) =
        (flags.target()?, flags.number("messages", 10_000)?, flags.number("times", 1)?);
    let (folder, only) = (flags.text("folder", "Fill"), flags.text("only", ""));
    let mut imap = Imap::log_in(&target, &target.user(0)).await?;
    imap.command(&format!("EXAMINE \"{folder}\"")).await?;
    let numbers = numbers(&mut imap, messages).await?;
    let mut line = Line::new("search");
    for question in questions().iter().filter(|question| only.is_empty() || question.name.starts_with(&only))
    {
        let (mut took, mut wrong) = (Vec::new(), None);
        for _ in 0..times {
            let began = Instant::now();
            let command = format!("UID SEARCH CHARSET UTF-8 {}", question.key);
            let reply = imap.command_with(&command, question.needle.as_bytes()).await?;
            took.push(began.elapsed());
            wrong = wrong.or(check(question, &uids(&reply)?, &numbers));
        }
        line = match wrong {
            None => line.median(&format!("{}_ms", question.name), &mut took),
            Some(wrong) => line.text(&format!("{}_ms", question.name), &wrong),
        };
    }
    Ok(line.end())
}

fn questions() -> Vec<Question> {
    let new = |name, key, needle: &str, wanted| Question { name, key, needle: needle.to_owned(), wanted };
    vec![
        new("header_from", "FROM", "canbo.17@", |n| Some(corpus::sender_of(n) == 17)),
        new("header_subject", "SUBJECT", "Công văn số 123 ", |n| Some(n == 123)),
        new("header_message_id", "HEADER Message-ID", "<77.office@bench.test>", |n| Some(n == 77)),
        new("body_rare", "BODY", RARE, |n| Some(corpus::has_rare(n))),
        new("body_common", "BODY", COMMON, |n| Some(corpus::has_common(n))),
        new("body_everywhere", "BODY", EVERYWHERE, |_| Some(true)),
        new("body_absent", "BODY", ABSENT, |_| Some(false)),
        new("text_rare", "TEXT", RARE, |n| Some(corpus::has_rare(n))),
        new("body_composed", "BODY", COMPOSED, |n| Some(corpus::has_resolution(n))),
        new("body_decomposed", "BODY", DECOMPOSED, |n| Some(corpus::has_resolution(n))),
        // Without diacritics the bare words must be found; the others may be.
        new("body_bare", "BODY", BARE, |n| match (corpus::has_bare(n), corpus::has_resolution(n)) {
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(false),
        }),
    ]
}

/// Which message is behind each UID.
async fn numbers(imap: &mut Imap, messages: usize) -> Outcome<HashMap<u32, u64>> {
    let reply = imap.command("FETCH 1:* (UID ENVELOPE)").await?;
    let mut numbers = HashMap::new();
    for item in reply.fetches() {
        let text = String::from_utf8_lossy(item);
        let uid = text.split_once("UID ").and_then(|(_, rest)| rest.split([' ', ')']).next()?.parse().ok());
        numbers
            .insert(uid.ok_or("no UID")?, corpus::number_in_envelope(item).ok_or("no Message-ID of ours")?);
    }
    if numbers.len() == messages {
        Ok(numbers)
    } else {
        Err(format!("{} of {messages} messages", numbers.len()).into())
    }
}

/// UIDs of `* SEARCH 1 2 3`.
fn uids(reply: &Reply) -> Outcome<HashSet<u32>> {
    let mut found = HashSet::new();
    let mut answered = false;
    for line in reply.lines() {
        let Some(rest) = line.strip_prefix("* SEARCH") else { continue };
        answered = true;
        for word in rest.split_whitespace().take_while(|word| !word.starts_with('(')) {
            found.insert(word.parse()?);
        }
    }
    if answered { Ok(found) } else { Err("SEARCH told nothing".into()) }
}

/// What is wrong with an answer. It then stands in the place of a figure; the other questions have theirs.
fn check(question: &Question, found: &HashSet<u32>, numbers: &HashMap<u32, u64>) -> Option<String> {
    let told =
        |uid: &u32, number: &u64| (question.wanted)(*number).map(|wanted| (wanted, found.contains(uid)));
    let answers: Vec<_> = numbers.iter().filter_map(|(uid, number)| told(uid, number)).collect();
    let count = |wanted, found| answers.iter().filter(|answer| **answer == (wanted, found)).count();
    let (missed, extra) = (count(true, false), count(false, true));
    let all = count(true, true) + missed;
    (missed + extra > 0).then(|| format!("wrong: {missed} of {all} missed, {extra} too many"))
}
