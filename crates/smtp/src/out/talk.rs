//! Moves octets between a stream and a dialogue, within time limits; the only loop of the road out that reads and writes.
//!
//! Invariants: what is to be said is written before anything is waited for; each reply has its time from the moment the
//! one before it came; whatever a peer does, [`Talk::advance`] returns by the end it was given.

use super::limits::{LAST_WORDS_MAX, Limits, READ_BYTES};
use proto::smtp::client::{Client, Step, Wait};
use std::io;
use std::ops::Range;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};

/// Any connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The connection is gone, or as good as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The peer closed it, or something on the way.
    Closed,
    /// The peer was waited for in vain.
    Silent,
}

#[derive(Debug)]
pub(super) struct Talk {
    pub(super) client: Client,
    limits: Limits,
    buffer: Vec<u8>,
    unread: Range<usize>,
    /// All has to be over by then.
    end: Instant,
}

impl Talk {
    /// `end`: when messages are to be sent at last.
    pub(super) fn new(hostname: &str, limits: Limits, end: Instant) -> Self {
        Self { client: Client::new(hostname), buffer: vec![0; READ_BYTES], unread: 0..0, end, limits }
    }

    /// From now on so much time is left for all.
    pub(super) fn ends_in(&mut self, time: Duration) {
        self.end = Instant::now() + time;
    }

    /// Goes on until there is something else to do than to read and to write.
    pub(super) async fn advance<S: Stream + ?Sized>(&mut self, stream: &mut S) -> Result<Step, Lost> {
        let mut awaited = None;
        loop {
            let step = self.step();
            if let Err(lost) = self.flush(stream).await {
                return self.last_words(stream).await.ok_or(lost);
            }
            if step != Step::Read {
                return Ok(step);
            }
            let now = self.client.unanswered();
            let until = match awaited {
                Some((before, until)) if before == now => until,
                _ => Instant::now() + self.limits.of(self.client.waits_for()),
            };
            awaited = Some((now, until));
            let read = timeout_at(until.min(self.end), stream.read(&mut self.buffer)).await;
            match read.map_err(|_| Lost::Silent)? {
                Ok(0) | Err(_) => return Err(Lost::Closed),
                Ok(read) => self.unread = 0..read,
            }
        }
    }

    /// Writes what is to be said.
    pub(super) async fn flush<S: Stream + ?Sized>(&mut self, stream: &mut S) -> Result<(), Lost> {
        let output = self.client.take_output();
        if output.is_empty() {
            return Ok(());
        }
        let written = async {
            stream.write_all(&output).await?;
            stream.flush().await
        };
        let until = self.end.min(Instant::now() + self.limits.write);
        let written: Result<io::Result<()>, _> = timeout_at(until, written).await;
        written.map_err(|_| Lost::Silent)?.map_err(|_| Lost::Closed)
    }

    /// Says good-bye; what is answered changes nothing.
    pub(super) async fn quit<S: Stream + ?Sized>(mut self, stream: &mut S) {
        self.ends_in(self.limits.quit);
        self.client.quit();
        let parted = self.advance(stream).await;
        tracing::trace!(?parted, "said good-bye");
        // The peer has all it needs.
        let _closed = timeout(self.limits.quit, stream.shutdown()).await;
    }

    /// What is waited for.
    pub(super) fn waits_for(&self) -> Wait {
        self.client.waits_for()
    }

    fn step(&mut self) -> Step {
        let mut input = self.buffer.get(self.unread.clone()).unwrap_or_default();
        let before = input.len();
        let step = self.client.step(&mut input);
        self.unread.start += before - input.len();
        step
    }

    /// A peer that no longer reads may have said why, before it closed.
    async fn last_words<S: Stream + ?Sized>(&mut self, stream: &mut S) -> Option<Step> {
        let until = self.end.min(Instant::now() + LAST_WORDS_MAX);
        loop {
            let read = timeout_at(until, stream.read(&mut self.buffer)).await;
            let Ok(Ok(read @ 1..)) = read else { return None };
            self.unread = 0..read;
            match self.step() {
                Step::Broken(broken) => return Some(Step::Broken(broken)),
                Step::Ended(verdicts) => return Some(Step::Ended(verdicts)),
                _ => {}
            }
        }
    }
}
