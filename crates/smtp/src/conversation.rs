//! Moves bytes between a stream and an SMTP session, within time limits; the only loop that reads and writes.
//!
//! Knows neither engine nor sockets: a [`Desk`] decides and takes the content, the stream is anything. Invariants: replies
//! are written before more is read, together where the client pipelines; nothing read before a TLS handshake is used after it;
//! a message whose end has been read is decided upon even while shutting down.

use crate::limits::{LINGER_MAX, Limits, READ_BYTES};
use proto::smtp::{Answer, Closing, Phase, Request, Session, Step};
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// Decides what is not SMTP's to decide, and keeps what was decided until the transaction ends.
pub(crate) trait Desk: Send {
    fn answer(&mut self, request: Request) -> impl Future<Output = Answer> + Send;
    /// More octets of the message. What goes wrong here is told in answer to [`Request::Deliver`].
    fn content(&mut self, bytes: &[u8]) -> impl Future<Output = ()> + Send;
    /// The transaction is over.
    fn reset(&mut self);
}

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing more is to be said.
    Closed,
    /// The client waits for a TLS handshake; nothing of its bytes has been read.
    StartTls,
}

/// One session on one stream, until it ends or TLS is to be started.
pub(crate) struct Conversation<'a, S, D> {
    pub(crate) stream: &'a mut S,
    pub(crate) session: &'a mut Session,
    pub(crate) desk: &'a mut D,
    pub(crate) limits: &'a Limits,
    pub(crate) shutdown: &'a CancellationToken,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send, D: Desk> Conversation<'_, S, D> {
    /// Greets. `patient`: whoever speaks before our greeting is refused (spam programs do not wait for it).
    ///
    /// # Errors
    /// When the peer is gone, or does not read.
    pub(crate) async fn greet(&mut self, patient: bool) -> io::Result<()> {
        let mut early = false;
        if patient {
            let mut byte = [0; 1];
            if let Ok(read) = timeout(self.limits.greeting_pause, self.stream.read(&mut byte)).await {
                early = read? > 0;
                if !early {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        self.session.greet(early);
        Ok(())
    }

    /// Talks until the end.
    ///
    /// # Errors
    /// When the peer is gone, or does not read.
    pub(crate) async fn run(mut self) -> io::Result<Outcome> {
        let mut buffer = vec![0; READ_BYTES];
        let mut unread = 0..0;
        let mut started = None;
        loop {
            let mut input = buffer.get(unread.clone()).unwrap_or_default();
            let before = input.len();
            let step = self.session.step(&mut input);
            unread.start += before - input.len();
            match step {
                Step::Content(bytes) => self.desk.content(bytes).await,
                Step::Ask(request) => self.ask(request).await?,
                Step::Reset => self.desk.reset(),
                Step::Flush => self.flush().await?,
                Step::Read => {
                    self.flush().await?;
                    started = self.session.in_transaction().then(|| started.unwrap_or_else(Instant::now));
                    unread = 0..self.read(&mut buffer, started).await?;
                }
                Step::StartTls => {
                    self.flush().await?;
                    return Ok(Outcome::StartTls);
                }
                Step::Close => {
                    self.flush().await?;
                    self.linger(&mut buffer).await?;
                    return Ok(Outcome::Closed);
                }
            }
        }
    }

    async fn ask(&mut self, request: Request) -> io::Result<()> {
        // These take long, and the client may be waiting for earlier replies.
        if matches!(request, Request::Deliver(_) | Request::LogIn(_)) {
            self.flush().await?;
        }
        let answer = self.desk.answer(request).await;
        self.session.answer(answer);
        Ok(())
    }

    /// Octets read; 0 when there is something else to do than to wait: time is up, or the server shuts down.
    async fn read(&mut self, buffer: &mut [u8], started: Option<Instant>) -> io::Result<usize> {
        let idle = match self.session.phase() {
            Phase::Command => self.limits.command_idle,
            Phase::Content => self.limits.content_idle,
        };
        let idle_end = Instant::now() + idle;
        let transaction_end = started.map(|started| started + self.limits.transaction);
        let (end, why) = match transaction_end {
            Some(end) if end < idle_end => (end, Closing::TooLong),
            _ => (idle_end, Closing::Idle),
        };
        // Told once: after that only time ends the wait for a transaction to finish.
        if self.shutdown.is_cancelled() && !self.session.is_draining() {
            self.session.drain();
            return Ok(0);
        }
        tokio::select! {
            biased;
            read = timeout_at(end, self.stream.read(buffer)) => match read {
                Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(_) => {
                    self.session.end(why);
                    Ok(0)
                }
            },
            () = self.shutdown.cancelled(), if !self.session.is_draining() => {
                self.session.drain();
                Ok(0)
            }
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        let output = self.session.take_output();
        if output.is_empty() {
            return Ok(());
        }
        let written = async {
            self.stream.write_all(&output).await?;
            self.stream.flush().await
        };
        within(self.limits.write, written).await
    }

    /// Says that nothing more comes, and lets the peer do the same.
    async fn linger(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let ended = async {
            self.stream.shutdown().await?;
            while self.stream.read(buffer).await? > 0 {}
            Ok(())
        };
        // The peer owes us nothing more.
        timeout(LINGER_MAX, ended).await.unwrap_or(Ok(()))
    }
}

/// `work`, or an error after `time`.
pub(crate) async fn within<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(time, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
#[path = "conversation_tests.rs"]
mod tests;
