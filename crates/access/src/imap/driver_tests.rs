//! How much is waiting in the write buffer of a session, whatever is asked of it at once.

use super::*;
use crate::imap::deflate::Deflated;
use crate::imap::limits::OUTPUT_BYTES_MAX;
use crate::socket::{Socket, Stream};
use engine::Origin;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use world::{PASSWORD, Province};

#[expect(dead_code, reason = "the transcripts use the rest")]
#[path = "../../tests/world/mod.rs"]
mod world;

/// A pipe that knows the largest buffer that was to be written to it.
struct Gauge(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Gauge {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Gauge {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.1.fetch_max(bytes.len(), Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// Sends `commands` in one go to a session that is logged in and in INBOX with `messages`, the last of them `LOGOUT`;
/// what it said, and the largest write buffer.
async fn heard_of(messages: &[String], commands: &str) -> (String, usize) {
    let province = Province::with_quota(8 << 20).await;
    let (mut client, served) = tokio::io::duplex(64 << 10);
    let largest = Arc::new(AtomicUsize::new(0));
    let stream: Box<dyn Stream> = Box::new(Gauge(served, Arc::clone(&largest)));
    // As if TLS were around the pipe: the gauge is to see what the session writes.
    let mut door = door(&province, stream);
    let served = async {
        let ended = Session::new().run(&mut door).await.err();
        door.wire.flush().await.unwrap();
        drop(door);
        assert!(matches!(ended, Some(Ended::LoggedOut)), "{ended:?}");
    };
    let mut input = format!("a LOGIN an@demo.gov.vn {PASSWORD}\r\n");
    for message in messages {
        input.push_str(&format!("b APPEND INBOX {{{}+}}\r\n{message}\r\n", message.len()));
    }
    input.push_str(&format!("c SELECT INBOX\r\n{commands}z LOGOUT\r\n"));
    let mut heard = String::new();
    let (mut reader, mut writer) = tokio::io::split(&mut client);
    let asked = async { writer.write_all(input.as_bytes()).await.unwrap() };
    let (_, (), read) = tokio::join!(served, asked, reader.read_to_string(&mut heard));
    read.unwrap();
    (heard, largest.load(Ordering::Relaxed))
}

#[tokio::test]
async fn pipelined_commands_do_not_fill_the_memory() {
    let messages = vec!["Subject: a\r\n\r\n".to_owned(); 100];
    let commands = "s SEARCH ALL\r\n".repeat(1_000) + &"c CAPABILITY\r\n".repeat(1_000);
    let (heard, largest) = heard_of(&messages, &commands).await;
    assert_eq!(heard.matches("s OK").count(), 1_000);
    assert_eq!(heard.matches("c OK CAPABILITY").count(), 1_000);
    assert!(heard.contains(" 99 100\r\n"), "{heard}");
    assert!(largest <= OUTPUT_BYTES_MAX, "{largest}");
}

#[tokio::test]
async fn many_items_of_a_large_header_do_not_fill_the_memory() {
    let fields: String = (0..3_000).map(|at| format!("X-{at}: some value of a field\r\n")).collect();
    let message = format!("Subject: last\r\n{fields}\r\nbody");
    let items: Vec<String> = (0..50).map(|at| format!("BODY.PEEK[HEADER.FIELDS.NOT (Q-{at})]")).collect();
    let (heard, largest) = heard_of(&[message], &format!("f FETCH 1 ({})\r\n", items.join(" "))).await;
    assert_eq!(heard.matches("X-2999: some value of a field\r\n\r\n").count(), 50);
    assert!(heard.contains("f OK"));
    assert!(largest <= OUTPUT_BYTES_MAX, "{largest}");
}

#[tokio::test]
async fn an_item_said_twice_is_answered_once() {
    let message = format!("Subject: {}\r\n\r\n", "long ".repeat(200));
    let items = ["ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[HEADER]"].map(|item| [item; 80].join(" ")).join(" ");
    let (heard, largest) = heard_of(&[message], &format!("f FETCH 1 ({items})\r\n")).await;
    assert_eq!(heard.matches("ENVELOPE").count(), 1, "{heard}");
    assert_eq!(heard.matches("BODY[HEADER]").count(), 1, "{heard}");
    assert!(largest <= OUTPUT_BYTES_MAX, "{largest}");
}

/// RFC 4978 3, the example: from behind the OK on everything is compressed.
#[tokio::test]
async fn a_session_that_compresses() {
    let province = Province::new().await;
    let (mut client, served) = tokio::io::duplex(64 << 10);
    let mut door = door(&province, Box::new(served));
    let served = async {
        let ended = Session::new().run(&mut door).await.err();
        door.wire.flush().await.unwrap();
        drop(door);
        assert!(matches!(ended, Some(Ended::LoggedOut)), "{ended:?}");
    };
    let asked = async {
        let login = format!("a LOGIN an@demo.gov.vn {PASSWORD}\r\nb COMPRESS LZ4\r\nc COMPRESS DEFLATE\r\n");
        client.write_all(login.as_bytes()).await.unwrap();
        let mut plain = String::new();
        while !plain.ends_with("c OK DEFLATE active\r\n") {
            plain.push(char::from(client.read_u8().await.unwrap()));
        }
        assert!(plain.contains("\r\nb BAD "), "{plain}");
        let mut client = Deflated::new(Box::new(client));
        let rest = format!(
            "d COMPRESS DEFLATE\r\ne APPEND INBOX {{50001+}}\r\n{}\n\r\nf SELECT INBOX\r\ng FETCH 1 BODY[]\r\nz LOGOUT\r\n",
            "x".repeat(50_000)
        );
        client.write_all(rest.as_bytes()).await.unwrap();
        client.flush().await.unwrap();
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.unwrap();
        heard
    };
    let ((), heard) = tokio::join!(served, asked);
    assert!(heard.starts_with("d NO [COMPRESSIONACTIVE] "), "{heard}");
    assert!(heard.contains(&"x".repeat(50_000)));
    assert!(heard.ends_with("z OK LOGOUT completed\r\n"), "{}", &heard[heard.len() - 100..]);
}

/// With TLS around the pipe, as far as the session knows.
fn door(province: &Province, stream: Box<dyn Stream>) -> Door {
    let remote = IpAddr::from([127, 0, 0, 1]);
    let origin = Origin { trace: province.engine.new_trace(), remote, protocol: Protocol::Imap };
    let (socket, engine) = (Socket::new(stream, province.shutdown.clone()), province.engine.clone());
    Door::new(Opened { socket, engine, origin, encrypted: true, starttls: None })
}
