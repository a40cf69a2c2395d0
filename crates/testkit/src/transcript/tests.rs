//! The runner against a small line server.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::{Pace, Stream, World, run};

/// Greets, then answers each line `OK <line>`; `MANY` with two lines, `BYE` by closing, `EAT n` after n more bytes.
#[derive(Default)]
struct Echo {
    reads: Arc<AtomicUsize>,
    clock: Duration,
}

impl World for Echo {
    async fn connect(&mut self, connection: &str) -> io::Result<Stream> {
        let (near, far) = tokio::io::duplex(16);
        let greeting = format!("hello {connection}\r\n");
        let reads = Arc::clone(&self.reads);
        #[expect(clippy::disallowed_methods, reason = "there is no shutdown to wait for in this test")]
        tokio::spawn(async move { serve(far, greeting, &reads).await });
        Ok(Box::new(near))
    }

    fn variables(&self) -> Vec<(String, String)> {
        vec![("secret".to_owned(), "mật khẩu".to_owned())]
    }

    async fn advance(&mut self, by: Duration) -> Result<(), String> {
        self.clock += by;
        Ok(())
    }

    async fn convert(&mut self, stream: Stream, words: &[String]) -> Result<Stream, String> {
        assert_eq!(words, ["starttls", "now"]);
        Ok(stream)
    }
}

async fn serve(stream: tokio::io::DuplexStream, greeting: String, reads: &AtomicUsize) -> io::Result<()> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut reader = BufReader::new(reader);
    writer.write_all(greeting.as_bytes()).await?;
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            reads.fetch_add(1, Ordering::Relaxed);
            let some = reader.fill_buf().await?.to_vec();
            if some.is_empty() {
                return writer.write_all(b"you left\r\n").await;
            }
            let length = some.iter().position(|byte| *byte == b'\n').map_or(some.len(), |at| at + 1);
            line.extend(&some[..length]);
            reader.consume(length);
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        match text.split_once(' ') {
            Some(("EAT", count)) => {
                let mut eaten = vec![0; count.parse().unwrap()];
                reader.read_exact(&mut eaten).await?;
                writer.write_all(format!("ATE {}\r\n", String::from_utf8_lossy(&eaten)).as_bytes()).await?;
            }
            _ if text == "MANY" => writer.write_all(b"* one 1\r\n* two 2\r\n").await?,
            _ if text == "BYE" => return Ok(()),
            _ => writer.write_all(format!("OK {text}\r\n").as_bytes()).await?,
        }
    }
}

async fn outcome(text: &str) -> Result<(), String> {
    let whole = run(text, &mut Echo::default(), Pace::Whole).await;
    let bytewise = run(text, &mut Echo::default(), Pace::Bytewise).await;
    assert_eq!(whole, bytewise);
    whole
}

#[tokio::test]
async fn two_connections_with_variables_and_any_order() {
    let text = "\
# A comment.
A< hello <name>
A> one <secret>
A> two
A< OK one <secret>
A< OK two
B< hello …
B> MANY
B<? * two <second>
B<? * one <first>
B> <second><first> <name>
B< OK 21 A
A> EAT 3
A>~ a\\x20b
A< ATE a b
A> MANY
A<* * two <second>
@A starttls now
@clock +5m
@B finish
B< you left
@B closed
A> BYE
@A closed
";
    outcome(text).await.unwrap();
}

#[tokio::test]
async fn more_than_the_pipe_holds_does_not_block() {
    let text = "A< hello A\n".to_owned() + &"A> \\{40*x}\n".repeat(50) + &"A< OK \\{40*x}\n".repeat(50);
    outcome(&text).await.unwrap();
}

#[tokio::test]
async fn bytewise_is_bytewise() {
    let text = "A< hello A\nA> 0123456789\nA< OK 0123456789\n";
    let mut world = Echo::default();
    run(text, &mut world, Pace::Bytewise).await.unwrap();
    assert!(world.reads.load(Ordering::Relaxed) >= 12);
    let mut world = Echo::default();
    run(text, &mut world, Pace::Whole).await.unwrap();
    assert!(world.reads.load(Ordering::Relaxed) < 12);
}

#[tokio::test]
async fn moves_the_clock() {
    let mut world = Echo::default();
    run("@clock +2h\n@clock +90s", &mut world, Pace::Whole).await.unwrap();
    assert_eq!(world.clock, Duration::from_secs(7290));
}

#[tokio::test]
async fn says_what_came_instead() {
    for (text, part) in [
        ("A< hello B", "wanted A< hello B\n    came hello A"),
        ("A< hello A\nA> x\nA< NO x", "line 3\n  wanted A< NO x\n    came OK x"),
        ("A< hello A\nA> BYE\nA< OK", "the end"),
        ("A< hello A\nA> MANY\nA<? * one 1\nA<? * three 3", "came * two 2"),
        ("A< hello A\nA> x\n@A closed", "the line OK x"),
        ("A< hello A\nA> <nobody>", "not bound"),
        ("A< hello A\n@dance", "does not know: dance"),
        ("@clock 5", "a time is written"),
        ("@A starttls now", "not connected"),
    ] {
        let error = outcome(text).await.unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}
