//! The one file with a socket: octets in, events of the decoder out; replies collected and written.
//!
//! Invariants: an idle connection holds no read buffer and next to no write buffer; output waiting for the peer is
//! bounded, because writers call [`Wire::relieve`] between pieces; whatever was said is sent before we wait for input.

use super::limits::{self, INPUT_BYTES, OUTPUT_BYTES};
use proto::imap::{Decoder, Event, Limits, StatusLine, Writer};
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::ready;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// A socket, a TLS session over one, or a test's pipe.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// Why a connection is over.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The peer closed or the network failed: nobody is there to be told.
    Gone(io::Error),
    /// We end it, saying this.
    Bye(&'static str),
    /// LOGOUT was answered.
    LoggedOut,
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

pub(crate) const SHUTTING_DOWN: Ended = Ended::Bye("Server is restarting, please come back");
pub(crate) const SILENT: Ended = Ended::Bye("Autologout: you were silent too long");

pub(crate) struct Wire {
    io: Box<dyn Stream>,
    decoder: Decoder,
    /// Replies not yet written.
    pub(crate) out: Writer,
    shutdown: CancellationToken,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("out", &self.out.len()).finish_non_exhaustive()
    }
}

impl Wire {
    pub(crate) fn new(io: Box<dyn Stream>, shutdown: CancellationToken) -> Self {
        Self { io, decoder: Decoder::new(Limits::BEFORE_LOGIN), out: Writer::new(), shutdown }
    }

    pub(crate) fn decoder(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    /// The next event that is not about the wire itself, waiting at most until `deadline` for each read.
    pub(crate) async fn event(&mut self, patience: Duration) -> Result<Event, Ended> {
        let deadline = Instant::now() + patience;
        loop {
            match self.decoder.next() {
                Event::NeedInput => {
                    self.flush().await?;
                    self.read_until(deadline).await?;
                }
                // RFC 3501 7.5
                Event::Continue => self.out.continuation("Ready"),
                Event::Fatal(text) => return Err(Ended::Bye(text)),
                event => return Ok(event),
            }
        }
    }

    /// An event without waiting; `None` when input is needed.
    pub(crate) fn event_now(&mut self) -> Option<Event> {
        match self.decoder.next() {
            Event::NeedInput => None,
            event => Some(event),
        }
    }

    /// Waits for input and feeds it to the decoder.
    async fn read_until(&mut self, deadline: Instant) -> Result<(), Ended> {
        let shutdown = self.shutdown.clone();
        tokio::select! {
            biased;
            read = self.read() => read,
            () = shutdown.cancelled() => Err(SHUTTING_DOWN),
            () = tokio::time::sleep_until(deadline) => Err(SILENT),
        }
    }

    /// One read, without any limit of time. Dropping the future loses nothing.
    pub(crate) async fn read(&mut self) -> Result<(), Ended> {
        let Self { io, decoder, .. } = self;
        poll_fn(|context| {
            // On the stack of this poll only: while we wait there is no buffer.
            let mut space = [MaybeUninit::<u8>::uninit(); INPUT_BYTES];
            let mut buffer = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut **io).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return std::task::Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
            }
            decoder.feed(buffer.filled());
            std::task::Poll::Ready(Ok(()))
        })
        .await
    }

    pub(crate) fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Writes what is waiting when it is much: called between the pieces of a long answer.
    pub(crate) async fn relieve(&mut self) -> Result<(), Ended> {
        if self.out.len() < OUTPUT_BYTES {
            return Ok(());
        }
        self.write_out().await
    }

    /// Writes everything.
    pub(crate) async fn flush(&mut self) -> Result<(), Ended> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.write_out().await?;
        timeout(limits::WRITE_PATIENCE, self.io.flush()).await.map_err(|_| timed_out())??;
        Ok(())
    }

    async fn write_out(&mut self) -> Result<(), Ended> {
        // Taken, so that the memory is free again when it is written.
        let bytes = self.out.take();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let wrote =
                timeout(limits::WRITE_PATIENCE, self.io.write(rest)).await.map_err(|_| timed_out())??;
            if wrote == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            rest = rest.get(wrote..).unwrap_or_default();
        }
        Ok(())
    }

    /// Says goodbye if anybody listens, and closes.
    pub(crate) async fn close(mut self, bye: Option<&'static str>) {
        if let Some(text) = bye {
            self.out.untagged(&StatusLine::bye(text));
        }
        let last = async {
            if self.flush().await.is_ok() {
                _ = self.io.shutdown().await;
            }
        };
        _ = timeout(limits::BYE_WITHIN, last).await;
    }

    /// The same connection under TLS, with a decoder that never saw the plain text.
    pub(crate) async fn into_tls(self, config: Arc<rustls::ServerConfig>) -> Result<Self, Ended> {
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        let handshake = timeout(limits::HANDSHAKE_WITHIN, acceptor.accept(self.io));
        let tls = handshake.await.map_err(|_| timed_out())??;
        Ok(Self::new(Box::new(tls), self.shutdown))
    }
}

fn timed_out() -> io::Error {
    io::Error::from(io::ErrorKind::TimedOut)
}
