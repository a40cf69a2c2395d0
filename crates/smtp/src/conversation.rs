//! Moves bytes between a stream and an SMTP session, within time limits; the only loop that reads and writes.
//!
//! Knows neither engine nor sockets: a [`Desk`] decides and takes the content, the stream is anything. Invariants: replies
//! are written before more is read, together where the client pipelines; nothing read before a TLS handshake is used after it;
//! a message whose end has been read is decided upon even while shutting down. How long is waited: `patience.rs`.

use crate::limits::{DRAIN_WRITE_MAX, LINGER_MAX, Limits, READ_BYTES};
use crate::patience::Patience;
use proto::smtp::{Answer, Closing, Request, Session, Step};
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// Decides what is not SMTP's to decide, and keeps what was decided until the transaction ends.
pub(crate) trait Desk: Send {
    fn answer(&mut self, request: Request) -> impl Future<Output = Answer> + Send;
    /// More octets of the message. What goes wrong here is told in answer to [`Request::Deliver`].
    fn content(&mut self, bytes: &[u8]) -> impl Future<Output = ()> + Send;
    /// The transaction is over.
    fn reset(&mut self);
    /// Returns once the rights of whoever logged in have ended. Dropping the future loses nothing.
    fn ended(&mut self) -> impl Future<Output = ()> + Send;
    /// This peer's refused recipients are to be slowed down, however few there were on this connection.
    fn tries_out_addresses(&self) -> bool;
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
    pub(crate) patience: &'a mut Patience,
    /// Refusals are not slowed down: the peer is known, and passes on what others ask.
    pub(crate) trusted: bool,
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
        loop {
            let mut input = buffer.get(unread.clone()).unwrap_or_default();
            let before = input.len();
            let step = self.session.step(&mut input);
            unread.start += before - input.len();
            match step {
                Step::Content(bytes) => {
                    self.patience.content(bytes.len());
                    self.desk.content(bytes).await;
                }
                Step::Ask(request) => self.ask(request).await?,
                Step::Reset => {
                    self.desk.reset();
                    self.patience.transaction_over();
                }
                Step::Flush => self.flush().await?,
                Step::Read => {
                    self.flush().await?;
                    unread = 0..self.read(&mut buffer).await?;
                    continue;
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
            self.patience.progress();
        }
    }

    async fn ask(&mut self, request: Request) -> io::Result<()> {
        // These take long, and the client may be waiting for earlier replies.
        if matches!(request, Request::Deliver(_) | Request::LogIn(_)) {
            self.flush().await?;
        }
        let recipient = matches!(request, Request::Recipient(_));
        let answer = self.desk.answer(request).await;
        if recipient && matches!(answer, Answer::Refuse(_)) {
            self.slow_down().await?;
        }
        self.session.answer(answer);
        Ok(())
    }

    /// Holds back a recipient's refusal when there were many: who tries out addresses is to get few answers.
    async fn slow_down(&mut self) -> io::Result<()> {
        let many = self.session.refused_recipients() >= self.limits.refusals_at_once;
        if self.trusted || !(many || self.desk.tries_out_addresses()) {
            return Ok(());
        }
        // Else a client that pipelines would hear nothing for as long as all its refusals take.
        self.flush().await?;
        tokio::select! {
            () = sleep(self.limits.refusal_pause) => {}
            () = self.shutdown.cancelled() => {}
        }
        Ok(())
    }

    /// Octets read; 0 when there is something else to do than to wait: time is up, or the server shuts down.
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (end, why) = self.patience.end(self.session, self.limits);
        // A peer whose next bytes are always there already would never be found late.
        if end <= Instant::now() {
            self.session.end(why);
            return Ok(0);
        }
        // Told once: after that only time ends the wait for a transaction to finish.
        if self.shutdown.is_cancelled() && !self.session.is_draining() {
            self.session.drain();
            return Ok(0);
        }
        tokio::select! {
            biased;
            () = self.desk.ended() => {
                self.session.end(Closing::Revoked);
                Ok(0)
            }
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
        let drained = async {
            self.shutdown.cancelled().await;
            sleep(DRAIN_WRITE_MAX).await;
        };
        tokio::select! {
            biased;
            written = within(self.limits.write, written) => written?,
            () = drained => return Err(io::ErrorKind::TimedOut.into()),
        }
        self.patience.progress();
        Ok(())
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

#[cfg(test)]
#[path = "patience_tests.rs"]
mod patience_tests;
