//! What is said on a connection: octets in and events of the decoder out; replies collected and written.
//!
//! Invariants: output waiting for the peer is at most the answer of one command and what had been waiting before; whatever was said is
//! sent before we wait for input; nothing is said behind half of an answer.

use crate::limits::{BYE_WITHIN, OUTPUT_BYTES};
use crate::socket::{Ended, REVOKED, Socket, Written};
use engine::RightsWatch;
use proto::managesieve::{Code, Decoder, Event, Limits, Status, Writer};
use std::io;
use std::time::Duration;
use tokio::time::{Instant, timeout};

pub(crate) struct Wire {
    socket: Socket,
    decoder: Decoder,
    /// Replies not yet written.
    pub(crate) out: Writer,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("out", &self.out.len()).finish_non_exhaustive()
    }
}

impl Wire {
    /// With a decoder that never saw what was said before.
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, decoder: Decoder::new(Limits::BEFORE_LOGIN), out: Writer::new() }
    }

    pub(crate) fn decoder(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    /// Without what is being said on it: for its TLS.
    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }

    /// Somebody has logged in: larger commands from here on, and the connection ends when these rights do.
    pub(crate) fn logged_in(&mut self, rights: RightsWatch) {
        self.socket.revoke_with(rights);
        self.decoder.set_limits(Limits::AFTER_LOGIN);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.socket.shutdown().is_cancelled()
    }

    /// The next event that is not about the wire itself, within `patience`.
    pub(crate) async fn event(&mut self, patience: Duration) -> Result<Event, Ended> {
        let deadline = Instant::now() + patience;
        loop {
            // Between commands that came together nothing else looks at what they have said.
            if self.out.len() >= OUTPUT_BYTES {
                Box::pin(self.flush()).await?;
            }
            match self.decoder.next() {
                Event::NeedInput => {
                    Box::pin(self.flush()).await?;
                    let Self { socket, decoder, .. } = self;
                    socket.read_until(deadline, |octets| decoder.feed(octets)).await?;
                }
                Event::Fatal(text) => return Err(Ended::Bye(text)),
                event => return Ok(event),
            }
        }
    }

    /// Writes everything.
    pub(crate) async fn flush(&mut self) -> Result<(), Ended> {
        // Taken, so that the memory is free again when it is written.
        let bytes = self.out.take();
        if bytes.is_empty() {
            return Ok(());
        }
        match self.socket.write(&bytes, true).await? {
            Written { revoked: false, .. } => Ok(()),
            Written { sent: 0, revoked: true } => Err(REVOKED),
            Written { sent, revoked: true } if sent == bytes.len() => Err(REVOKED),
            // A goodbye would be taken for a part of the answer.
            Written { .. } => Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()),
        }
    }

    /// Says goodbye if anybody listens, and closes.
    pub(crate) async fn close(mut self, bye: Option<&'static str>) {
        let code = self.is_stopping().then_some(Code::TryLater);
        // The goodbye itself is not to be broken off.
        self.socket.revoke_no_more();
        if let Some(text) = bye {
            self.out.status(Status::Bye, code.as_ref(), text);
        }
        let last = async {
            if self.flush().await.is_ok() {
                self.socket.end().await;
            }
        };
        _ = timeout(BYE_WITHIN, last).await;
    }
}
