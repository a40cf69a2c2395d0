//! Several sessions change one mailbox at random; each keeps count as RFC 3501 7.4.1 lets a client, and none loses it.

use super::Client;
use crate::world::Province;

/// What a client knows of its mailbox from untagged responses alone: a uid per number, unknown until told.
#[derive(Debug, Default)]
struct Counting {
    uids: Vec<Option<u32>>,
}

impl Counting {
    fn hear(&mut self, answer: &str, by_number: bool) {
        for line in answer.lines().filter_map(|line| line.strip_prefix("* ")) {
            let mut words = line.split(' ');
            let Some(Ok(number)) = words.next().map(str::parse::<usize>) else { continue };
            match words.next() {
                Some("EXISTS") => {
                    assert!(number >= self.uids.len(), "{answer}");
                    self.uids.resize(number, None);
                }
                Some("EXPUNGE") => {
                    assert!(!by_number, "EXPUNGE during a command by number: {answer}");
                    self.uids.remove(number - 1);
                }
                Some("FETCH") => {
                    let uid = line.split_once("UID ").map(|(_, rest)| rest);
                    let Some(uid) = uid.and_then(|rest| rest.split([' ', ')']).next()) else { continue };
                    let known = self.uids[number - 1].get_or_insert(uid.parse().unwrap());
                    assert_eq!(*known, uid.parse::<u32>().unwrap(), "number {number} changed: {answer}");
                }
                _ => {}
            }
        }
    }
}

/// A command to send, and whether it counts by number (RFC 3501 7.4.1).
fn command(roll: &mut impl FnMut(usize) -> usize, count: usize) -> (String, bool) {
    if count == 0 {
        return ("APPEND INBOX {14+}\r\nSubject: a\r\n\r\n".to_owned(), false);
    }
    let (one, other) = (roll(count) + 1, roll(count) + 1);
    match roll(11) {
        0..=2 => ("APPEND INBOX {14+}\r\nSubject: a\r\n\r\n".to_owned(), false),
        3 => (format!("STORE {one}:{other} +FLAGS (\\Deleted)"), true),
        4 => (format!("STORE {one} -FLAGS.SILENT (\\Deleted)"), true),
        5 => (format!("FETCH {one}:{other} (UID FLAGS)"), true),
        6 => ("UID FETCH 1:* (FLAGS)".to_owned(), false),
        7 => ("EXPUNGE".to_owned(), false),
        8 => (format!("MOVE {one} INBOX"), false),
        9 => (format!("COPY {one} INBOX"), false),
        _ => ("NOOP".to_owned(), false),
    }
}

#[tokio::test]
async fn nobody_loses_count() {
    let province = Province::new().await;
    // xorshift64: fixed dice, so that a failure repeats.
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    let mut roll = move |sides: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        usize::try_from(dice % u64::try_from(sides).unwrap()).unwrap()
    };
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(&province).await;
        let mut counting = Counting::default();
        counting.hear(&client.ask("a", "SELECT INBOX").await, false);
        sessions.push((client, counting));
    }
    for step in 0..250 {
        let (client, counting) = &mut sessions[roll(3)];
        let (text, by_number) = command(&mut roll, counting.uids.len());
        let answer = client.ask(&format!("t{step}"), &text).await;
        assert!(!answer.contains(&format!("t{step} BAD")), "{text}: {answer}");
        counting.hear(&answer, by_number);
    }
    let mut all = Vec::new();
    for (client, counting) in &mut sessions {
        counting.hear(&client.ask("z1", "NOOP").await, false);
        counting.hear(&client.ask("z2", "FETCH 1:* (UID)").await, true);
        assert!(counting.uids.iter().all(Option::is_some));
        all.push(std::mem::take(&mut counting.uids));
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
}
