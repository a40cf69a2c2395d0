//! The loop without an engine: time stands still and jumps when everybody waits.

use super::*;
use proto::smtp::{Recipient, Reply, Role, Settings};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{DuplexStream, ReadBuf, duplex};

/// Says yes to everything but recipients like `no7@…`, and takes as long over a delivery as it is told.
#[derive(Debug, Default)]
pub(super) struct Yes {
    pub(super) content: Vec<u8>,
    pub(super) delivered: Arc<Mutex<Vec<Vec<u8>>>>,
    pub(super) work: Duration,
    pub(super) tries_out: bool,
    pub(super) revoked: Option<CancellationToken>,
}

impl Desk for Yes {
    async fn answer(&mut self, request: Request) -> Answer {
        if let Request::Deliver(_) = request {
            tokio::time::sleep(self.work).await;
            self.delivered.lock().unwrap().push(std::mem::take(&mut self.content));
            return Answer::Delivered(vec![Reply::new(250, (0, 0), "Taken")]);
        }
        match request {
            Request::Recipient(rcpt) => match rcpt.recipient {
                Recipient::Mailbox(mailbox) if mailbox.local().starts_with("no") => {
                    Answer::Refuse(Reply::new(550, (1, 1), "No"))
                }
                _ => Answer::Accept,
            },
            _ => Answer::Accept,
        }
    }

    async fn content(&mut self, bytes: &[u8]) {
        self.content.extend_from_slice(bytes);
    }

    fn reset(&mut self) {
        self.content.clear();
    }

    async fn ended(&mut self) {
        match &self.revoked {
            Some(revoked) => revoked.cancelled().await,
            None => std::future::pending().await,
        }
    }

    fn tries_out_addresses(&self) -> bool {
        self.tries_out
    }
}

/// Whatever the client is doing: between commands, or in the middle of its message.
#[tokio::test(start_paused = true)]
async fn a_session_whose_rights_end_is_closed_at_once() {
    for said in ["", "EHLO a.vn\r\nMAIL FROM:<a@b.vn>\r\nRCPT TO:<yes@b.vn>\r\nDATA\r\nSubject: x\r\n"] {
        let revoked = CancellationToken::new();
        let desk = Yes { revoked: Some(revoked.clone()), ..Yes::default() };
        let delivered = desk.delivered.clone();
        let client = |mut stream: DuplexStream, _| async move {
            stream.write_all(said.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_secs(5)).await;
            revoked.cancel();
            let began = Instant::now();
            let mut heard = String::new();
            stream.read_to_string(&mut heard).await.unwrap();
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
            let last = heard.lines().last().unwrap_or_default();
            assert!(last.starts_with("421 4.7.0 "), "{heard}");
        };
        talk(desk, Limits::default(), false, client).await.unwrap();
        assert!(delivered.lock().unwrap().is_empty());
    }
}

pub(super) fn session(role: Role) -> Session {
    Session::new(
        Settings {
            role,
            hostname: "mx.demo.vn".to_owned(),
            message_bytes_max: 1 << 20,
            starttls: true,
            future_release: None,
            limits: proto::smtp::Limits::default(),
        },
        false,
    )
}

/// Runs one conversation against `client`, which gets the other end and the shutdown switch.
async fn talk<F>(
    desk: Yes,
    limits: Limits,
    patient: bool,
    client: impl FnOnce(DuplexStream, CancellationToken) -> F,
) -> io::Result<Outcome>
where
    F: Future<Output = ()>,
{
    talk_as(session(Role::Smtp), desk, limits, (patient, false), client).await
}

/// The same with any session; `patient` and `trusted` as the conversation has them.
pub(super) async fn talk_as<F>(
    mut session: Session,
    mut desk: Yes,
    limits: Limits,
    (patient, trusted): (bool, bool),
    client: impl FnOnce(DuplexStream, CancellationToken) -> F,
) -> io::Result<Outcome>
where
    F: Future<Output = ()>,
{
    let (ours, mut theirs) = duplex(256);
    let shutdown = CancellationToken::new();
    let served = async {
        let mut conversation = Conversation {
            stream: &mut theirs,
            session: &mut session,
            desk: &mut desk,
            limits: &limits,
            patience: &mut Patience::new(),
            trusted,
            shutdown: &shutdown,
        };
        conversation.greet(patient).await?;
        conversation.run().await
    };
    let (outcome, ()) = tokio::join!(served, client(ours, shutdown.clone()));
    outcome
}

/// Sends and reads until the last line begins with `code`.
pub(super) async fn say(stream: &mut DuplexStream, text: &str, code: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    loop {
        let byte = stream.read_u8().await.unwrap();
        said.push(byte);
        let text = String::from_utf8_lossy(&said);
        if let Some(lines) = text.strip_suffix("\r\n")
            && lines.lines().last().unwrap().starts_with(code)
        {
            return text.into_owned();
        }
    }
}

pub(super) async fn rest(mut stream: DuplexStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

const ENVELOPE: &str = "MAIL FROM:<a@b.vn>\r\nRCPT TO:<an@demo.vn>\r\nDATA\r\n";

pub(super) async fn until_data(stream: &mut DuplexStream) {
    say(stream, "", "220 ").await;
    say(stream, "EHLO c\r\n", "250 ").await;
    say(stream, ENVELOPE, "354 ").await;
}

#[tokio::test(start_paused = true)]
async fn silence_ends_the_session() {
    let begin = Instant::now();
    let outcome = talk(Yes::default(), Limits::default(), true, async |mut stream, _| {
        say(&mut stream, "", "220 ").await;
        assert_eq!(rest(stream).await, "421 4.4.2 Nothing came for too long; closing\r\n");
    });
    assert_eq!(outcome.await.unwrap(), Outcome::Closed);
    assert_eq!(begin.elapsed().as_secs(), Limits::default().command_idle.as_secs());
}

#[tokio::test(start_paused = true)]
async fn silence_in_a_message_is_borne_longer() {
    let delivered = Arc::default();
    let desk = Yes { delivered: Arc::clone(&delivered), ..Yes::default() };
    let begin = Instant::now();
    let outcome = talk(desk, Limits::default(), true, async |mut stream, _| {
        until_data(&mut stream).await;
        stream.write_all(b"hel").await.unwrap();
        assert_eq!(rest(stream).await, "421 4.4.2 Nothing came for too long; closing\r\n");
    });
    assert_eq!(outcome.await.unwrap(), Outcome::Closed);
    assert_eq!(begin.elapsed().as_secs(), Limits::default().content_idle.as_secs());
    assert!(delivered.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_dripping_sender_is_not_waited_for() {
    let begin = Instant::now();
    let outcome = talk(Yes::default(), Limits::default(), true, async |mut stream, _| {
        until_data(&mut stream).await;
        while begin.elapsed() < Limits::default().transaction + Duration::from_secs(60) {
            tokio::time::sleep(Duration::from_secs(60)).await;
            if stream.write_all(b"x").await.is_err() {
                break;
            }
        }
        assert_eq!(rest(stream).await, "421 4.4.2 The session took too long; closing\r\n");
    });
    assert_eq!(outcome.await.unwrap(), Outcome::Closed);
    assert!(begin.elapsed() < Limits::default().transaction + Duration::from_secs(70));
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_an_idle_session_at_once() {
    let begin = Instant::now();
    let outcome = talk(Yes::default(), Limits::default(), true, async |mut stream, shutdown| {
        say(&mut stream, "", "220 ").await;
        shutdown.cancel();
        assert!(rest(stream).await.starts_with("421 4.3.2 "));
    });
    assert_eq!(outcome.await.unwrap(), Outcome::Closed);
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn shutdown_lets_a_transaction_end() {
    let delivered = Arc::default();
    let desk = Yes { delivered: Arc::clone(&delivered), ..Yes::default() };
    let outcome = talk(desk, Limits::default(), true, async |mut stream, shutdown| {
        until_data(&mut stream).await;
        stream.write_all(b"one\r\n").await.unwrap();
        shutdown.cancel();
        tokio::time::sleep(Duration::from_secs(1)).await;
        stream.write_all(b"two\r\n.\r\nMAIL FROM:<a@b.vn>\r\n").await.unwrap();
        let text = rest(stream).await;
        assert!(text.starts_with("250 2.0.0 Taken\r\n421 4.3.2 "), "{text}");
    });
    assert_eq!(outcome.await.unwrap(), Outcome::Closed);
    assert_eq!(*delivered.lock().unwrap(), [b"one\r\ntwo\r\n".to_vec()]);
}

#[tokio::test(start_paused = true)]
async fn early_talkers_are_refused_where_patience_is_asked_for() {
    for (patient, expected) in [(true, "554 5.5.1 "), (false, "220 ")] {
        let limits = Limits { greeting_pause: Duration::from_secs(1), ..Limits::default() };
        let outcome = talk(Yes::default(), limits, patient, async |mut stream, _| {
            stream.write_all(b"EHLO spam\r\nQUIT\r\n").await.unwrap();
            assert!(rest(stream).await.starts_with(expected));
        });
        assert_eq!(outcome.await.unwrap(), Outcome::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn the_handshake_is_left_to_tls() {
    let outcome = talk(Yes::default(), Limits::default(), true, async |mut stream, _| {
        say(&mut stream, "", "220 ").await;
        say(&mut stream, "EHLO c\r\n", "250 ").await;
        say(&mut stream, "STARTTLS\r\n", "220 2.0.0").await;
        stream.write_all(b"\x16\x03\x01").await.unwrap();
    });
    assert_eq!(outcome.await.unwrap(), Outcome::StartTls);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_left() {
    let begin = Instant::now();
    let outcome = talk(Yes::default(), Limits::default(), true, async |mut stream, _| {
        stream.write_all("HELP\r\n".repeat(40).as_bytes()).await.unwrap();
        tokio::time::sleep(Limits::default().write * 2).await;
    });
    assert_eq!(outcome.await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert!(begin.elapsed() >= Limits::default().write);
}

#[tokio::test(start_paused = true)]
async fn half_a_message_is_none() {
    let delivered = Arc::default();
    let desk = Yes { delivered: Arc::clone(&delivered), ..Yes::default() };
    let outcome = talk(desk, Limits::default(), true, async |mut stream, _| {
        until_data(&mut stream).await;
        stream.write_all(b"hello\r\n.\r").await.unwrap();
    });
    assert_eq!(outcome.await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert!(delivered.lock().unwrap().is_empty());
}

/// A message whose end has come is decided upon even if the peer is gone by then: it may be unsure, we are not.
#[tokio::test(start_paused = true)]
async fn a_whole_message_is_delivered_though_the_peer_hangs_up() {
    let delivered = Arc::default();
    let desk = Yes { delivered: Arc::clone(&delivered), work: Duration::from_secs(9), ..Yes::default() };
    let outcome = talk(desk, Limits::default(), true, async |mut stream, shutdown| {
        until_data(&mut stream).await;
        stream.write_all(b"hello\r\n.\r\n").await.unwrap();
        tokio::task::yield_now().await;
        shutdown.cancel();
    });
    outcome.await.unwrap_err();
    assert_eq!(delivered.lock().unwrap().len(), 1);
}

/// Counts writes.
struct Counted(DuplexStream, Arc<Mutex<Vec<usize>>>);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.1.lock().unwrap().push(buf.len());
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// RFC 2920 3.2: the replies to a group of commands go out as a unit.
#[tokio::test(start_paused = true)]
async fn pipelined_replies_share_a_write() {
    let (mut ours, theirs) = duplex(8_192);
    let writes = Arc::new(Mutex::new(Vec::new()));
    let mut stream = Counted(theirs, Arc::clone(&writes));
    let (mut session, mut desk) = (session(Role::Smtp), Yes::default());
    let (limits, shutdown) = (Limits::default(), CancellationToken::new());
    let mut conversation = Conversation {
        stream: &mut stream,
        session: &mut session,
        desk: &mut desk,
        limits: &limits,
        patience: &mut Patience::new(),
        trusted: false,
        shutdown: &shutdown,
    };
    let client = async {
        say(&mut ours, "", "220 ").await;
        say(&mut ours, "EHLO c\r\n", "250 ").await;
        writes.lock().unwrap().clear();
        say(&mut ours, ENVELOPE, "354 ").await;
        assert_eq!(writes.lock().unwrap().len(), 1);
        say(&mut ours, "hi\r\n.\r\nQUIT\r\n", "221 ").await;
        drop(ours);
    };
    let served = async {
        conversation.greet(false).await?;
        conversation.run().await
    };
    let (outcome, ()) = tokio::join!(served, client);
    assert_eq!(outcome.unwrap(), Outcome::Closed);
}
