//! Peers that hold a connection, ask for thousands of addresses, or do not notice a shutdown. Time stands still and jumps
//! when everybody waits.

use super::tests::{Yes, say, session, talk_as, until_data};
use super::*;
use proto::smtp::Role;
use tokio::io::DuplexStream;

const TOO_LONG: &str = "421 4.4.2 The session took too long; closing\r\n";
const IDLE: &str = "421 4.4.2 Nothing came for too long; closing\r\n";

/// One conversation of somebody unknown; how long it took.
async fn talk<F>(role: Role, client: impl FnOnce(DuplexStream, CancellationToken) -> F) -> Duration
where
    F: Future<Output = ()>,
{
    let begin = Instant::now();
    let talked = talk_as(session(role), Yes::default(), Limits::default(), (false, false), client);
    assert_eq!(talked.await.unwrap(), Outcome::Closed);
    begin.elapsed()
}

/// Sends `text` every `pause` until nobody takes it, and reads what is said at the end.
async fn drip(mut stream: DuplexStream, text: &str, pause: Duration) -> String {
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let mut said = String::new();
    let sending = async {
        loop {
            tokio::time::sleep(pause).await;
            if writer.write_all(text.as_bytes()).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = sending => {}
        read = reader.read_to_string(&mut said) => { read.unwrap(); }
    }
    said
}

fn about(time: Duration, seconds: u64) {
    assert!((seconds..seconds + 5).contains(&time.as_secs()), "{time:?} rather than {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn a_command_has_to_be_whole_in_time() {
    let time = talk(Role::Smtp, async |mut stream, _| {
        say(&mut stream, "", "220 ").await;
        assert_eq!(drip(stream, "x", Duration::from_secs(60)).await, IDLE);
    });
    about(time.await, 5 * 60);
}

#[tokio::test(start_paused = true)]
async fn a_session_has_to_bring_a_message_in_time() {
    let time = talk(Role::Smtp, async |mut stream, _| {
        say(&mut stream, "", "220 ").await;
        let said = drip(stream, "NOOP\r\n", Duration::from_secs(60)).await;
        assert!(said.ends_with(TOO_LONG), "{said}");
    });
    about(time.await, 10 * 60);
}

/// A transaction alone is no message either.
#[tokio::test(start_paused = true)]
async fn recipients_do_not_hold_a_session() {
    let time = talk(Role::Smtp, async |mut stream, _| {
        say(&mut stream, "", "220 ").await;
        say(&mut stream, "EHLO c\r\n", "250 ").await;
        say(&mut stream, "MAIL FROM:<a@b.vn>\r\n", "250 ").await;
        let said = drip(stream, "RCPT TO:<an@demo.vn>\r\n", Duration::from_secs(60)).await;
        assert!(said.ends_with(TOO_LONG), "{said}");
    });
    about(time.await, 10 * 60);
}

/// A refused chunk is no message: it does not get a message's time.
#[tokio::test(start_paused = true)]
async fn a_refused_chunk_does_not_hold_a_session() {
    let time = talk(Role::Smtp, async |mut stream, _| {
        say(&mut stream, "", "220 ").await;
        say(&mut stream, "EHLO c\r\n", "250 ").await;
        stream.write_all(b"BDAT 1000000\r\n").await.unwrap();
        assert_eq!(drip(stream, "x", Duration::from_secs(60)).await, TOO_LONG);
    });
    about(time.await, 10 * 60);
}

#[tokio::test(start_paused = true)]
async fn a_login_has_to_come_in_time() {
    let time = talk(Role::Submission, async |mut stream, _| {
        say(&mut stream, "", "220 ").await;
        let said = drip(stream, "NOOP\r\n", Duration::from_secs(50)).await;
        assert!(said.ends_with(TOO_LONG), "{said}");
    });
    about(time.await, 3 * 60);
}

/// Too little to be a message, too much to be silence.
#[tokio::test(start_paused = true)]
async fn content_has_to_come_at_a_rate() {
    let time = talk(Role::Smtp, async |mut stream, _| {
        until_data(&mut stream).await;
        let said = drip(stream, "0123456789\r\n", Duration::from_secs(60)).await;
        assert_eq!(said, TOO_LONG);
    });
    about(time.await, 10 * 60);
}

/// Whoever brings mail now and then may stay, however unsteadily its octets come.
#[tokio::test(start_paused = true)]
async fn a_slow_sender_of_messages_may_stay() {
    let time = talk(Role::Smtp, async |mut stream, _| {
        until_data(&mut stream).await;
        for _ in 0..3 {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(3 * 60)).await;
                stream.write_all(format!("{}\r\n", "x".repeat(500)).repeat(400).as_bytes()).await.unwrap();
            }
            say(&mut stream, "\r\n.\r\n", "250 ").await;
            tokio::time::sleep(Duration::from_secs(4 * 60)).await;
            say(&mut stream, "MAIL FROM:<a@b.vn>\r\n", "250 ").await;
            tokio::time::sleep(Duration::from_secs(4 * 60)).await;
            say(&mut stream, "RCPT TO:<an@demo.vn>\r\n", "250 ").await;
            say(&mut stream, "DATA\r\n", "354 ").await;
        }
        say(&mut stream, ".\r\nQUIT\r\n", "221 ").await;
    });
    about(time.await, 3 * (15 + 8) * 60);
}

/// Asks for `count` recipients that do not exist, in transactions of ten; how long that takes.
async fn harvest(count: usize, trusted: bool) -> Duration {
    let begin = Instant::now();
    let client = async |mut stream: DuplexStream, _| {
        say(&mut stream, "", "220 ").await;
        say(&mut stream, "EHLO c\r\n", "250 ").await;
        for _ in 0..count / 10 {
            let asked = "RCPT TO:<no@demo.vn>\r\n".repeat(10);
            stream.write_all(format!("MAIL FROM:<a@b.vn>\r\n{asked}RSET\r\n").as_bytes()).await.unwrap();
            say(&mut stream, "", "250 2.0.0").await;
        }
        say(&mut stream, "QUIT\r\n", "221 ").await;
    };
    let talked = talk_as(session(Role::Smtp), Yes::default(), Limits::default(), (false, trusted), client);
    assert_eq!(talked.await.unwrap(), Outcome::Closed);
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn trying_out_addresses_is_slow() {
    assert!(harvest(20, false).await < Duration::from_millis(100));
    let pause = Limits::default().refusal_pause;
    let time = harvest(60, false).await;
    assert!((pause * 40..pause * 41).contains(&time), "{time:?}");
    assert!(harvest(60, true).await < Duration::from_millis(100));
}

/// Connecting anew does not help.
#[tokio::test(start_paused = true)]
async fn a_peer_known_for_trying_out_addresses_is_slow_at_once() {
    let known = Yes { tries_out: true, ..Yes::default() };
    let begin = Instant::now();
    let client = async |mut stream: DuplexStream, _| {
        say(&mut stream, "", "220 ").await;
        say(&mut stream, "EHLO c\r\n", "250 ").await;
        say(&mut stream, "MAIL FROM:<a@b.vn>\r\n", "250 ").await;
        say(&mut stream, "RCPT TO:<no@demo.vn>\r\n", "550 ").await;
        say(&mut stream, "QUIT\r\n", "221 ").await;
    };
    talk_as(session(Role::Smtp), known, Limits::default(), (false, false), client).await.unwrap();
    assert!(begin.elapsed() >= Limits::default().refusal_pause);
}

/// A client that pipelines hears of the earlier ones while a refusal is held back.
#[tokio::test(start_paused = true)]
async fn held_back_replies_come_one_by_one() {
    talk(Role::Smtp, async |mut stream, _| {
        say(&mut stream, "", "220 ").await;
        say(&mut stream, "EHLO c\r\n", "250 ").await;
        let asked = "RCPT TO:<no@demo.vn>\r\n".repeat(10);
        say(&mut stream, &format!("MAIL FROM:<a@b.vn>\r\n{asked}"), "250 2.1.0").await;
        for _ in 0..10 {
            say(&mut stream, "", "550 ").await;
        }
        say(&mut stream, &asked, "550 ").await;
        for _ in 1..10 {
            say(&mut stream, "", "550 ").await;
        }
        stream.write_all(asked.as_bytes()).await.unwrap();
        for _ in 0..10 {
            let begin = Instant::now();
            say(&mut stream, "", "550 ").await;
            assert!(begin.elapsed() <= Limits::default().refusal_pause * 2);
        }
        say(&mut stream, "QUIT\r\n", "221 ").await;
    })
    .await;
}

/// How long a shutdown takes when the peer has said `text` and says nothing more.
async fn shut_down_behind(text: &str) -> Duration {
    let mut begin = Instant::now();
    talk(Role::Smtp, async |mut stream, shutdown| {
        say(&mut stream, "", "220 ").await;
        say(&mut stream, "EHLO c\r\n", "250 ").await;
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut said = String::new();
        let sending = async {
            writer.write_all(text.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_secs(9)).await;
            begin = Instant::now();
            shutdown.cancel();
        };
        let (read, ()) = tokio::join!(reader.read_to_string(&mut said), sending);
        read.unwrap();
        assert!(said.ends_with(" The server is shutting down; try again soon\r\n"), "{said}");
    })
    .await;
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_a_silent_peer() {
    let second = Duration::from_secs(1);
    assert!(shut_down_behind("NOO").await < second);
    // Of a refused chunk nothing is lost.
    assert!(shut_down_behind("BDAT 1000\r\nxyz").await < second);
    // Of a message little is, after a moment.
    assert!(shut_down_behind("MAIL FROM:<a@b.vn>\r\nRCPT TO:<an@demo.vn>\r\nDATA\r\nhel").await < second * 5);
    assert!(shut_down_behind("MAIL FROM:<a@b.vn>\r\n").await < second * 5);
    // Held back refusals are told.
    let asked = "RCPT TO:<no@demo.vn>\r\n".repeat(99);
    assert!(shut_down_behind(&format!("MAIL FROM:<a@b.vn>\r\n{asked}")).await < second * 5);
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_a_peer_that_does_not_read() {
    let client = async |mut stream: DuplexStream, shutdown: CancellationToken| {
        stream.write_all("HELP\r\n".repeat(40).as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(9)).await;
        shutdown.cancel();
        tokio::time::sleep(DRAIN_WRITE_MAX * 2).await;
        // Had it been waited for till now, this would be the error.
        drop(stream);
    };
    let talked = talk_as(session(Role::Smtp), Yes::default(), Limits::default(), (false, false), client);
    assert_eq!(talked.await.unwrap_err().kind(), io::ErrorKind::TimedOut);
}
