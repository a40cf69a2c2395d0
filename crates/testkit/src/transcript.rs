//! Runs protocol conversations written as text: `A> a1 NOOP`, `A< a1 OK …`. The language is described in
//! `docs/how-to/write-a-transcript.md`.
//!
//! Invariants: every transcript is run twice, the second time sending one byte at a time, each time in a world of its own;
//! lines are taken apart at CRLF only; nothing that was expected may be left out and, unless a step says so, nothing else
//! may come between.

mod connection;
mod pattern;
mod script;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use connection::{Connection, Received};
use pattern::{Pattern, Variables};
use script::{Action, Step};

/// Anything a connection can run over.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

/// A connection's bytes.
pub type Stream = Box<dyn Transport>;

/// How the bytes of a step are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Neighbouring `>` lines of one connection in one write: real pipelining.
    Whole,
    /// One byte a write.
    Bytewise,
}

/// What a transcript runs against.
pub trait World {
    /// A new connection; called when its name is first used.
    fn connect(&mut self, connection: &str) -> impl Future<Output = io::Result<Stream>>;

    /// Variables that are bound from the start, such as a password or a host name.
    fn variables(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// `@clock +5m`: the world's clock goes ahead.
    ///
    /// # Errors
    /// The world has no clock.
    fn advance(&mut self, by: Duration) -> impl Future<Output = Result<(), String>> {
        async move { Err(format!("this world has no clock to move by {by:?}")) }
    }

    /// `@words …`: anything else the world can do (deliver a message, restart a server).
    ///
    /// # Errors
    /// The words mean nothing to this world, or it failed.
    fn act(&mut self, words: &[String]) -> impl Future<Output = Result<(), String>> {
        async move { Err(format!("this world does not know: {}", words.join(" "))) }
    }

    /// `@A words …`: replaces the bytes of a connection (`@A starttls`).
    ///
    /// # Errors
    /// The words mean nothing to this world, or the handshake failed.
    fn convert(&mut self, stream: Stream, words: &[String]) -> impl Future<Output = Result<Stream, String>> {
        async move {
            drop(stream);
            Err(format!("this world does not know: {}", words.join(" ")))
        }
    }
}

/// Runs one transcript file in two fresh worlds, whole and bytewise.
///
/// # Panics
/// When the file cannot be read or the conversation goes otherwise; the text names line, expectation and what came.
pub async fn check<W: World>(path: impl AsRef<Path>, mut world: impl AsyncFnMut() -> W) {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for pace in [Pace::Whole, Pace::Bytewise] {
        if let Err(error) = run(&text, &mut world().await, pace).await {
            panic!("{} ({pace:?}): {error}", path.display());
        }
    }
}

/// Runs the text of a transcript once.
///
/// # Errors
/// Says where the conversation went otherwise.
pub async fn run<W: World>(text: &str, world: &mut W, pace: Pace) -> Result<(), String> {
    let steps = script::parse(text)?;
    let variables = world.variables().into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
    let mut run = Run { world, pace, variables, connections: BTreeMap::new() };
    let mut rest = steps.as_slice();
    while let Some(step) = rest.first() {
        let taken = run.step(step, rest).await.map_err(|error| explain(step, &error))?;
        rest = &rest[taken.max(1)..];
    }
    Ok(())
}

struct Run<'a, W> {
    world: &'a mut W,
    pace: Pace,
    variables: Variables,
    connections: BTreeMap<String, Connection>,
}

impl<W: World> Run<'_, W> {
    /// Does what `rest` begins with; returns how many steps that were.
    async fn step(&mut self, step: &Step, rest: &[Step]) -> Result<usize, String> {
        match &step.action {
            Action::Send { connection, .. } => self.send(connection, rest).await,
            Action::Expect { connection, pattern } => self.expect(connection, pattern).await.map(|()| 1),
            Action::SkipTo { connection, pattern } => self.skip_to(connection, pattern).await.map(|()| 1),
            Action::ExpectUnordered { connection, .. } => self.expect_unordered(connection, rest).await,
            Action::Directive { connection: None, words } => self.act(words).await.map(|()| 1),
            Action::Directive { connection: Some(connection), words } => {
                self.direct(connection, words).await.map(|()| 1)
            }
        }
    }

    async fn send(&mut self, to: &str, rest: &[Step]) -> Result<usize, String> {
        let mut bytes = Vec::new();
        let mut count = 0;
        for step in rest {
            match &step.action {
                Action::Send { connection, pattern, line_end } if connection == to => {
                    bytes.extend(pattern.to_bytes(&self.variables)?);
                    bytes.extend(if *line_end { b"\r\n".as_slice() } else { b"" });
                    count += 1;
                }
                _ => break,
            }
        }
        let pace = self.pace;
        let sent = self.connection(to).await?.send(&bytes, pace).await;
        sent.map_err(|error| format!("cannot send: {error}"))?;
        Ok(count)
    }

    async fn expect(&mut self, from: &str, pattern: &Pattern) -> Result<(), String> {
        let line = self.line(from).await?;
        if pattern.matches(&line, &mut self.variables) {
            return Ok(());
        }
        Err(self.other(from, &line).await)
    }

    async fn skip_to(&mut self, from: &str, pattern: &Pattern) -> Result<(), String> {
        let mut line = self.line(from).await?;
        while !pattern.matches(&line, &mut self.variables) {
            line = self.line(from).await?;
        }
        Ok(())
    }

    async fn expect_unordered(&mut self, from: &str, rest: &[Step]) -> Result<usize, String> {
        let mut wanted: Vec<&Pattern> = rest
            .iter()
            .map_while(|step| match &step.action {
                Action::ExpectUnordered { connection, pattern } if connection == from => Some(pattern),
                _ => None,
            })
            .collect();
        let count = wanted.len();
        while !wanted.is_empty() {
            let line = self.line(from).await?;
            match wanted.iter().position(|pattern| pattern.matches(&line, &mut self.variables)) {
                Some(index) => drop(wanted.remove(index)),
                None => return Err(self.other(from, &line).await),
            }
        }
        Ok(count)
    }

    async fn act(&mut self, words: &[String]) -> Result<(), String> {
        match words {
            [clock, by] if clock == "clock" => self.world.advance(duration(by)?).await,
            _ => self.world.act(words).await,
        }
    }

    async fn direct(&mut self, name: &str, words: &[String]) -> Result<(), String> {
        match words.first().map(String::as_str) {
            Some("open") => self.connection(name).await.map(drop),
            Some("closed") => match self.receive(name).await? {
                Received::End(rest) if rest.is_empty() => Ok(()),
                other => Err(format!("not closed, but {}", shown(&other))),
            },
            Some("finish") => self.connection(name).await?.finish().await.map_err(|error| error.to_string()),
            Some("hangup") => {
                self.connections.remove(name);
                Ok(())
            }
            _ => {
                let stream = self.connections.remove(name).ok_or("not connected")?.into_stream()?;
                let stream = self.world.convert(stream, words).await?;
                self.connections.insert(name.to_owned(), Connection::new(stream));
                Ok(())
            }
        }
    }

    async fn connection(&mut self, name: &str) -> Result<&mut Connection, String> {
        if !self.connections.contains_key(name) {
            let stream =
                self.world.connect(name).await.map_err(|error| format!("cannot connect: {error}"))?;
            self.connections.insert(name.to_owned(), Connection::new(stream));
        }
        self.connections.get_mut(name).ok_or_else(|| format!("no connection {name}"))
    }

    async fn receive(&mut self, from: &str) -> Result<Received, String> {
        self.connection(from).await?.line().await.map_err(|error| format!("cannot read: {error}"))
    }

    async fn line(&mut self, from: &str) -> Result<Vec<u8>, String> {
        match self.receive(from).await? {
            Received::Line(line) => Ok(line),
            other => Err(format!("came {}", shown(&other))),
        }
    }

    /// What came instead, with the rest of what is there already.
    async fn other(&mut self, from: &str, line: &[u8]) -> String {
        let mut text = format!("came {}", readable(line));
        let more = async {
            while let Ok(Received::Line(line)) = self.receive(from).await {
                let _ = write!(text, "\n     then {}", readable(&line));
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(100), more).await;
        text
    }
}

fn explain(step: &Step, error: &str) -> String {
    format!("line {}\n  wanted {}\n    {error}", step.line, step.text)
}

fn shown(received: &Received) -> String {
    match received {
        Received::Line(line) => format!("the line {}", readable(line)),
        Received::End(rest) => format!("the end behind \"{}\"", readable(rest)),
        Received::Silence(rest) => format!("nothing more behind \"{}\"", readable(rest)),
    }
}

/// Text as it is, control characters and invalid UTF-8 escaped.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        let _ = write!(text, "{}", chunk.invalid().escape_ascii());
    }
    text
}

/// `+90s`, `+5m`, `+2h`, `+1d`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text}: a time is written +90s, +5m, +2h or +1d");
    let digits = text.strip_prefix('+').ok_or_else(wrong)?;
    let unit = digits.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let count: u64 = digits.trim_end_matches(unit).parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(count.saturating_mul(seconds)))
}

#[cfg(test)]
#[path = "transcript/tests.rs"]
mod tests;
