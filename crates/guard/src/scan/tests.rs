//! Scanners that say what a script has them say, slowly, wrongly or not at all. The real ones are in `tests/e2e/test_filters.py`.

use super::*;
use model::Lesson;
use model::scan::{Score, SpamAction};
use std::sync::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What a scanner was sent, connection by connection.
type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

/// Answers each connection so, once it has said `until`; an empty answer hangs up.
async fn scanner(answer: &'static [u8], until: &'static [u8]) -> (ScannerSettings, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = ScanAddress::Tcp(listener.local_addr().unwrap().to_string());
    let heard = Heard::default();
    let told = heard.clone();
    let _scripted = tokio_util::task::TaskTracker::new().spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut said = Vec::new();
            let mut piece = vec![0; 100_000];
            while !said.ends_with(until) {
                match stream.read(&mut piece).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => said.extend_from_slice(&piece[..count]),
                }
            }
            stream.write_all(answer).await.unwrap();
            told.lock().unwrap().push(said);
        }
    });
    let timeout = Duration::from_secs(5);
    (ScannerSettings { address, timeout, message_bytes_max: 1 << 20, places: 2 }, heard)
}

fn envelope() -> Envelope<'static> {
    Envelope { remote: [192, 0, 2, 1].into(), helo: "x", sender: "", recipients: &[], user: None }
}

async fn asked(clamd: Option<ScannerSettings>, rspamd: Option<ScannerSettings>, message: &[u8]) -> Scan {
    Scanners::new(clamd, rspamd).scan(message, &envelope()).await
}

#[tokio::test]
async fn a_message_goes_in_pieces_and_the_answer_is_evidence() {
    let message: Vec<u8> = (0..200_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let (clamd, heard) = scanner(b"stream: Win.Test.EICAR_HDB-1 FOUND\0", &[0; 4]).await;
    let found = asked(Some(clamd), None, &message).await;
    assert_eq!(found, Scan { malware: Malware::Found("Win.Test.EICAR_HDB-1".into()), spam: Spam::NotAsked });
    let heard = heard.lock().unwrap().remove(0);
    let mut rest = heard.strip_prefix(b"zINSTREAM\0").unwrap();
    let mut read = Vec::new();
    loop {
        let (length, after) = rest.split_first_chunk::<4>().unwrap();
        let length = u32::from_be_bytes(*length) as usize;
        if length == 0 {
            assert!(after.is_empty());
            break;
        }
        read.extend_from_slice(&after[..length]);
        rest = &after[length..];
    }
    assert_eq!(read, message);
    let (rspamd, heard) = scanner(
        b"HTTP/1.0 200 OK\r\n\r\n{\"action\":\"reject\",\"score\":20,\"required_score\":15}",
        b"end\r\n",
    )
    .await;
    let scored = asked(None, Some(rspamd), b"Subject: x\r\n\r\nend\r\n").await;
    let score = Score { action: SpamAction::Reject, score: 20.0, required: 15.0 };
    assert_eq!(scored, Scan { malware: Malware::NotAsked, spam: Spam::Scored(score) });
    assert!(heard.lock().unwrap()[0].starts_with(b"POST /checkv2 HTTP/1.0\r\nContent-Length: 19\r\n"));
}

#[tokio::test]
async fn what_is_no_answer_is_never_a_pass() {
    let unknown = Scan { malware: Malware::Unknown, spam: Spam::Unknown };
    for answer in [&b""[..], b"stream: ", b"HTTP/1.0 200 OK\r\n\r\n{", b"HTTP/1.0 503 no\r\n\r\n", b"\0\0\0"]
    {
        let (clamd, _) = scanner(answer, &[0; 4]).await;
        let (rspamd, _) = scanner(answer, b"\r\n\r\nx").await;
        assert_eq!(asked(Some(clamd), Some(rspamd), b"x").await, unknown, "{answer:?}");
    }
    let (clamd, _) = scanner(b"INSTREAM size limit exceeded. ERROR\0", &[0; 4]).await;
    assert_eq!(asked(Some(clamd), None, b"x").await.malware, Malware::Unknown);
    let (clamd, heard) = scanner(b"stream: OK\0", &[0; 4]).await;
    let small = ScannerSettings { message_bytes_max: 3, ..clamd };
    assert_eq!(
        asked(Some(small.clone()), Some(small), b"abcd").await,
        Scan { malware: Malware::Unknown, spam: Spam::NotAsked }
    );
    assert!(heard.lock().unwrap().is_empty());
    let nowhere = ScannerSettings {
        address: "/nonexistent/clamd.ctl".parse().unwrap(),
        timeout: Duration::from_secs(1),
        message_bytes_max: 100,
        places: 1,
    };
    assert_eq!(asked(Some(nowhere.clone()), Some(nowhere), b"x").await, unknown);
}

#[tokio::test]
async fn whether_the_largest_message_is_taken_is_found_out_without_one() {
    let question = b"zINSTREAM\0\x00\x10\x00\x00";
    for (answer, takes) in [(&b"INSTREAM size limit exceeded. ERROR\0"[..], false), (b"", true)] {
        let (clamd, heard) = scanner(answer, question).await;
        assert_eq!(Scanners::new(Some(clamd), None).takes_the_largest().await, Some(takes), "{answer:?}");
        assert_eq!(heard.lock().unwrap().as_slice(), [question]);
    }
    assert_eq!(Scanners::default().takes_the_largest().await, None);
    let nowhere = ScannerSettings {
        address: "/nonexistent/clamd.ctl".parse().unwrap(),
        timeout: Duration::from_secs(1),
        message_bytes_max: 100,
        places: 1,
    };
    assert_eq!(Scanners::new(Some(nowhere), None).takes_the_largest().await, None);
}

#[tokio::test]
async fn a_scanner_that_hangs_is_waited_for_no_longer_than_its_time_and_then_left_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let clamd = ScannerSettings {
        address: ScanAddress::Tcp(listener.local_addr().unwrap().to_string()),
        timeout: Duration::from_millis(50),
        message_bytes_max: 100,
        places: 4,
    };
    let scanners = Scanners::new(Some(clamd), None);
    let began = Instant::now();
    // As many at once as a bad hour brings: each waits for its place and its answer no longer than it may.
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let scanners = scanners.clone();
        crowd.spawn(async move { scanners.scan(&b"x"[..], &envelope()).await.malware });
    }
    let answers = crowd.join_all().await;
    assert!(answers.iter().all(|answer| *answer == Malware::Unknown));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(scanners.clamd.as_ref().unwrap().breaker.is_open());
}

fn learner(settings: ScannerSettings, password: Option<&str>) -> Learner {
    let ScannerSettings { address, timeout, message_bytes_max, .. } = settings;
    Learner::new(LearnerSettings {
        address,
        password: password.map(str::to_owned),
        timeout,
        message_bytes_max,
    })
}

#[tokio::test]
async fn a_message_is_taught_as_it_is_and_the_answer_says_what_became_of_it() {
    let message: &[u8] = b"Subject: x\r\n\r\nend\r\n";
    let (rspamd, heard) = scanner(b"HTTP/1.1 200 OK\r\n\r\n{\"success\":true}", b"end\r\n").await;
    let teacher = learner(rspamd, Some("q1"));
    assert_eq!(teacher.teach(message, Lesson::Spam).await, Taught::Learned);
    assert_eq!(teacher.teach(message, Lesson::Ham).await, Taught::Learned);
    let request = |path: &str| {
        let head = format!("POST {path} HTTP/1.0\r\nContent-Length: 19\r\nPassword: q1\r\n\r\n");
        [head.as_bytes(), message].concat()
    };
    assert_eq!(*heard.lock().unwrap(), [request("/learnspam"), request("/learnham")]);
    let (rspamd, heard) = scanner(b"HTTP/1.1 208 known\r\n\r\n", b"end\r\n").await;
    let small = ScannerSettings { message_bytes_max: 18, ..rspamd.clone() };
    assert_eq!(learner(small, None).teach(message, Lesson::Spam).await, Taught::Useless);
    assert!(heard.lock().unwrap().is_empty(), "it is not asked about what is too large");
    assert_eq!(learner(rspamd, None).teach(message, Lesson::Spam).await, Taught::Known);
}

#[tokio::test]
async fn a_teacher_waits_for_nobody_longer_than_its_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = ScannerSettings {
        address: ScanAddress::Tcp(listener.local_addr().unwrap().to_string()),
        timeout: Duration::from_millis(50),
        message_bytes_max: 100,
        places: 1,
    };
    assert_eq!(learner(silent, None).teach(&b"x"[..], Lesson::Spam).await, Taught::Away);
    for answer in [&b""[..], b"hello\r\n"] {
        let (rspamd, _) = scanner(answer, b"x").await;
        assert_eq!(learner(rspamd, None).teach(&b"x"[..], Lesson::Ham).await, Taught::Away, "{answer:?}");
    }
    let (rspamd, _) = scanner(b"HTTP/1.1 500 no\r\n\r\n", b"x").await;
    assert_eq!(learner(rspamd, None).teach(&b"x"[..], Lesson::Ham).await, Taught::Failed(500));
}

/// A message that is damaged where it is kept: its last octets are missing, or cannot be read.
struct Damaged(bool);

impl Octets for Damaged {
    fn length(&self) -> u64 {
        20
    }

    async fn piece(&self, at: u64) -> std::io::Result<Vec<u8>> {
        match (at, self.0) {
            (0, _) => Ok(b"Subject: x".to_vec()),
            (_, true) => Ok(Vec::new()),
            (_, false) => Err(std::io::Error::other("damaged")),
        }
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_not_the_filter_s_fault() {
    for is_short in [false, true] {
        let (rspamd, _) = scanner(b"HTTP/1.1 400 what\r\n\r\n", b"end").await;
        assert_eq!(learner(rspamd, None).teach(&Damaged(is_short), Lesson::Spam).await, Taught::Unread);
    }
}

#[tokio::test]
async fn a_password_that_only_shows_things_lets_nobody_teach() {
    for (body, expected) in [
        ("{\"auth\":\"ok\",\"version\":\"3.4\",\"read_only\":false}", Some(true)),
        ("{\"auth\":\"ok\",\"version\":\"3.4\"}", Some(true)),
        ("{\"auth\":\"ok\",\"version\":\"3.4\",\"read_only\":true}", Some(false)),
        ("<html>Welcome to nginx!</html>", None),
    ] {
        let answer = Vec::leak(format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes());
        let (rspamd, _) = scanner(answer, b"\r\n\r\n").await;
        assert_eq!(learner(rspamd, Some("q1")).may_teach().await.ok(), expected, "{body}");
    }
}

#[test]
fn addresses_are_hosts_with_ports_or_paths() {
    for good in ["127.0.0.1:3310", "[::1]:3310", "clamd.demo.vn:3310", "/run/clamav/clamd.ctl"] {
        assert_eq!(good.parse::<ScanAddress>().unwrap().to_string(), good);
    }
    for wrong in ["", "clamd", ":3310", "clamd:", "clamd:0", "clamd:99999", "run/clamd.ctl"] {
        assert_eq!(wrong.parse::<ScanAddress>(), Err(NoScanAddress), "{wrong}");
    }
}
