//! The one file with a socket: octets in and out, TLS, and the times that a connection has for each.
//!
//! Invariants: an idle connection holds no read buffer; no peer holds what is written for it for longer than its limits, nor a
//! stop; a connection ends when its user's rights do, whatever it is doing.

use crate::limits::{HANDSHAKE_WITHIN, INPUT_BYTES, STOP_WITHIN, WRITE_PATIENCE, WRITE_RATE_MIN};
use engine::RightsWatch;
use rustls::pki_types::CertificateDer;
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
pub(crate) const REVOKED: Ended = Ended::Bye("Your access to this mailbox has changed, log in again");
pub(crate) const SILENT: Ended = Ended::Bye("Autologout: you were silent too long");

pub(crate) struct Socket {
    io: Box<dyn Stream>,
    /// Something was written that a layer below may still hold.
    unflushed: bool,
    shutdown: CancellationToken,
    /// Of whoever has logged in.
    rights: Option<RightsWatch>,
    /// When writing ends, known since a write saw the server stop.
    stops: Option<Instant>,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("unflushed", &self.unflushed).finish_non_exhaustive()
    }
}

/// What became of octets that were to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// So many of them were.
    pub(crate) sent: usize,
    /// The user's rights ended meanwhile: perhaps not all of them were.
    pub(crate) revoked: bool,
}

impl Socket {
    pub(crate) fn new(io: Box<dyn Stream>, shutdown: CancellationToken) -> Self {
        Self { io, unflushed: false, shutdown, rights: None, stops: None }
    }

    /// From here on the connection ends when these rights do, whatever it is doing.
    pub(crate) fn revoke_with(&mut self, rights: RightsWatch) {
        self.rights = Some(rights);
    }

    /// Its last words are not to be broken off.
    pub(crate) fn revoke_no_more(&mut self) {
        self.rights = None;
    }

    /// Returns once the user's rights have ended.
    pub(crate) fn revoked(&self) -> impl Future<Output = ()> + Send + use<> {
        let rights = self.rights.clone();
        async move {
            match rights {
                Some(mut rights) => rights.ended().await,
                None => std::future::pending().await,
            }
        }
    }

    pub(crate) fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// From here on with another layer above; what was said before has been flushed.
    pub(crate) fn wrap(&mut self, layer: impl FnOnce(Box<dyn Stream>) -> Box<dyn Stream>) {
        let plain = std::mem::replace(&mut self.io, Box::new(tokio::io::empty()));
        self.io = layer(plain);
    }

    /// Waits for input and gives it to `take`.
    pub(crate) async fn read_until(
        &mut self,
        deadline: Instant,
        take: impl FnMut(&[u8]),
    ) -> Result<(), Ended> {
        let (shutdown, revoked) = (self.shutdown.clone(), self.revoked());
        tokio::select! {
            biased;
            () = revoked => Err(REVOKED),
            read = self.read(take) => read,
            () = shutdown.cancelled() => Err(SHUTTING_DOWN),
            () = tokio::time::sleep_until(deadline) => Err(SILENT),
        }
    }

    /// One read, without any limit of time. Dropping the future loses nothing.
    pub(crate) async fn read(&mut self, mut take: impl FnMut(&[u8])) -> Result<(), Ended> {
        let io = &mut self.io;
        poll_fn(|context| {
            // On the stack of this poll only: while we wait there is no buffer.
            let mut space = [MaybeUninit::<u8>::uninit(); INPUT_BYTES];
            let mut buffer = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut **io).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return std::task::Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
            }
            take(buffer.filled());
            std::task::Poll::Ready(Ok(()))
        })
        .await
    }

    /// Is there something written that may not have been sent?
    pub(crate) fn is_unflushed(&self) -> bool {
        self.unflushed
    }

    /// Writes all of it, and sends what layers below hold where it is the end for now.
    pub(crate) async fn write(&mut self, bytes: &[u8], flush: bool) -> Result<Written, Ended> {
        let patience = WRITE_PATIENCE + Duration::from_secs(bytes.len() as u64 / WRITE_RATE_MIN);
        self.unflushed = !flush;
        let revoked = self.revoked();
        let mut sent = 0;
        let Self { io, shutdown, stops, .. } = self;
        let stopped = async {
            shutdown.cancelled().await;
            // Counted once for all writes: a client that reads slowly is not given the time again for each.
            tokio::time::sleep_until(*stops.get_or_insert_with(|| Instant::now() + STOP_WITHIN)).await;
        };
        let written = async {
            while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
                match io.write(rest).await? {
                    0 => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                    count => sent += count,
                }
            }
            if flush { io.flush().await } else { Ok(()) }
        };
        let revoked = tokio::select! {
            biased;
            () = revoked => true,
            written = written => { written?; false }
            () = stopped => return Err(timed_out().into()),
            () = tokio::time::sleep(patience) => return Err(timed_out().into()),
        };
        Ok(Written { sent, revoked })
    }

    /// Tells the peer that nothing more comes.
    pub(crate) async fn end(&mut self) {
        _ = self.io.shutdown().await;
    }

    /// The same connection under TLS, and what the client has shown for itself, if it has.
    pub(crate) async fn into_tls(
        self,
        config: Arc<rustls::ServerConfig>,
    ) -> Result<(Self, Option<CertificateDer<'static>>), Ended> {
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        let handshake = timeout(HANDSHAKE_WITHIN, acceptor.accept(self.io));
        let tls = tokio::select! {
            biased;
            tls = handshake => tls.map_err(|_| timed_out())??,
            // A peer that says nothing must not hold up the stop, and who cannot hear us yet is told nothing.
            () = self.shutdown.cancelled() => return Err(SHUTTING_DOWN),
        };
        let shown = tls.get_ref().1.peer_certificates().and_then(|chain| chain.first().cloned());
        Ok((Self::new(Box::new(tls), self.shutdown), shown))
    }
}

fn timed_out() -> io::Error {
    io::Error::from(io::ErrorKind::TimedOut)
}
