//! What is said on a connection: octets in and events of the decoder out; replies collected and written.
//!
//! Invariants: an idle connection holds next to no write buffer; output waiting for the peer is bounded, because writers call
//! [`Wire::relieve`] between pieces and [`Wire::event`] between commands; whatever was said is sent before we wait for input.

use super::deflate::Deflated;
use super::limits::{OUTPUT_BYTES_MAX, PIECE_BYTES};
use crate::limits::{BYE_WITHIN, OUTPUT_BYTES};
use crate::socket::{Ended, REVOKED, Socket, Written};
use engine::RightsWatch;
use proto::imap::{Decoder, Event, Limits, StatusLine, Writer};
use std::io;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

pub(crate) struct Wire {
    socket: Socket,
    compressed: bool,
    /// What was written so far ends in the middle of a response.
    torn: bool,
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
        Self {
            socket,
            compressed: false,
            torn: false,
            decoder: Decoder::new(Limits::BEFORE_LOGIN),
            out: Writer::new(),
        }
    }

    pub(crate) fn decoder(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    /// Without what is being said on it: for its TLS.
    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }

    /// From here on the connection ends when these rights do, whatever it is doing.
    pub(crate) fn revoke_with(&mut self, rights: RightsWatch) {
        self.socket.revoke_with(rights);
    }

    /// Returns once the user's rights have ended.
    pub(crate) fn revoked(&self) -> impl Future<Output = ()> + Send + use<> {
        self.socket.revoked()
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// From here on both sides compress (RFC 4978 3); what was said before has been flushed.
    pub(crate) fn compress(&mut self) {
        self.socket.wrap(|plain| Box::new(Deflated::new(plain)));
        self.compressed = true;
    }

    /// The next event that is not about the wire itself, waiting at most until `deadline` for each read.
    pub(crate) async fn event(&mut self, patience: Duration) -> Result<Event, Ended> {
        let deadline = Instant::now() + patience;
        loop {
            // Between commands that came together nothing else looks at what they have said.
            self.relieve().await?;
            match self.decoder.next() {
                Event::NeedInput => {
                    self.flush().await?;
                    let Self { socket, decoder, .. } = self;
                    socket.read_until(deadline, |octets| decoder.feed(octets)).await?;
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

    /// One read, without any limit of time. Dropping the future loses nothing.
    pub(crate) async fn read(&mut self) -> Result<(), Ended> {
        let Self { socket, decoder, .. } = self;
        socket.read(|octets| decoder.feed(octets)).await
    }

    pub(crate) fn shutdown(&self) -> CancellationToken {
        self.socket.shutdown()
    }

    /// Writes what is waiting when it is much: called between the pieces of a long answer.
    pub(crate) async fn relieve(&mut self) -> Result<(), Ended> {
        if self.out.len() < OUTPUT_BYTES {
            return Ok(());
        }
        // Boxed, as in `flush`: an idle session does not carry the size of writing.
        Box::pin(self.write_out(false)).await
    }

    /// Octets of any number, in pieces.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        for piece in bytes.chunks(PIECE_BYTES) {
            self.out.raw(piece);
            self.relieve().await?;
        }
        Ok(())
    }

    /// Writes everything.
    pub(crate) async fn flush(&mut self) -> Result<(), Ended> {
        if self.out.is_empty() && !self.socket.is_unflushed() {
            return Ok(());
        }
        Box::pin(self.write_out(true)).await
    }

    async fn write_out(&mut self, flush: bool) -> Result<(), Ended> {
        // Taken, so that the memory is free again when it is written.
        let bytes = self.out.take();
        if bytes.len() > OUTPUT_BYTES_MAX {
            tracing::debug!(octets = bytes.len(), "a large item");
        }
        let whole_after = !self.out.is_within() && bytes.ends_with(b"\r\n");
        let Written { sent, revoked } = self.socket.write(&bytes, flush).await?;
        if sent > 0 {
            self.torn = sent < bytes.len() || !whole_after;
        }
        match (revoked, self.torn) {
            (false, _) => Ok(()),
            (true, false) => Err(REVOKED),
            // A goodbye would be taken for octets of the message.
            (true, true) => Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()),
        }
    }

    /// Says goodbye if anybody listens and it can be told from the response that was under way, and closes.
    pub(crate) async fn close(mut self, bye: Option<&'static str>) {
        // The goodbye itself is not to be broken off.
        self.socket.revoke_no_more();
        // What waits is the rest of what was torn, unless that is still under way.
        if self.out.is_within() || (self.torn && self.out.is_empty()) {
            _ = self.out.take();
        } else if let Some(text) = bye {
            self.out.untagged(&StatusLine::bye(text));
        }
        let last = async {
            if self.flush().await.is_ok() {
                self.socket.end().await;
            }
        };
        _ = timeout(BYE_WITHIN, last).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{STOP_WITHIN, WRITE_PATIENCE};
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt as _, DuplexStream};

    /// Less than what is to be written.
    const PIPE_BYTES: usize = 1 << 10;

    fn full() -> (DuplexStream, Wire, CancellationToken) {
        let (client, served) = tokio::io::duplex(PIPE_BYTES);
        let shutdown = CancellationToken::new();
        let mut wire = Wire::new(Socket::new(Box::new(served), shutdown.clone()));
        wire.out.raw(&[b'x'; OUTPUT_BYTES]);
        (client, wire, shutdown)
    }

    fn is_timeout(ended: &Ended) -> bool {
        matches!(ended, Ended::Gone(error) if error.kind() == io::ErrorKind::TimedOut)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_an_octet_now_and_then_is_dropped() {
        let (mut client, mut wire, _shutdown) = full();
        let began = Instant::now();
        let trickle = async {
            while client.read_u8().await.is_ok() {
                tokio::time::sleep(WRITE_PATIENCE - Duration::from_secs(1)).await;
            }
        };
        let written = tokio::select! {
            written = wire.relieve() => written,
            () = trickle => unreachable!(),
        };
        assert!(is_timeout(&written.unwrap_err()));
        assert!(began.elapsed() < 2 * WRITE_PATIENCE, "{:?}", began.elapsed());
    }

    /// A goodbye behind half of a literal would be taken for octets of it.
    #[tokio::test(start_paused = true)]
    async fn nothing_is_said_in_the_middle_of_a_response() {
        for (answer, is_whole) in [("* 1 FETCH (X {2000}\r\n", false), ("* OK all of it\r\n", true)] {
            let (mut client, served) = tokio::io::duplex(1 << 16);
            let mut wire = Wire::new(Socket::new(Box::new(served), CancellationToken::new()));
            if !is_whole {
                wire.out.fetch_start(1);
            }
            wire.out.raw(answer.as_bytes());
            wire.flush().await.unwrap();
            wire.close(Some("bye")).await;
            let mut heard = String::new();
            client.read_to_string(&mut heard).await.unwrap();
            assert_eq!(heard.contains("* BYE bye"), is_whole, "{heard}");
        }
    }

    /// The folder is gone while the end of a large message waits to be written.
    #[tokio::test(start_paused = true)]
    async fn a_response_is_ended_before_the_goodbye() {
        let (mut client, served) = tokio::io::duplex(1 << 16);
        let mut wire = Wire::new(Socket::new(Box::new(served), CancellationToken::new()));
        wire.out.fetch_start(1);
        wire.out.raw(b"X {4}\r\nab");
        wire.flush().await.unwrap();
        wire.out.raw(b"cd");
        wire.out.fetch_end();
        wire.close(Some("bye")).await;
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.unwrap();
        assert!(heard.ends_with("{4}\r\nabcd)\r\n* BYE bye\r\n"), "{heard}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_peer_is_served() {
        let (mut client, mut wire, _shutdown) = full();
        let slow = async {
            let mut piece = [0; PIPE_BYTES];
            while client.read(&mut piece).await.is_ok_and(|count| count > 0) {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        };
        tokio::select! {
            written = wire.flush() => written.unwrap(),
            () = slow => unreachable!(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_does_not_wait_for_a_peer_that_does_not_read() {
        let (_client, mut wire, shutdown) = full();
        let began = Instant::now();
        shutdown.cancel();
        assert!(is_timeout(&wire.relieve().await.unwrap_err()));
        wire.out.raw(&[b'x'; OUTPUT_BYTES]);
        assert!(is_timeout(&wire.flush().await.unwrap_err()));
        wire.out.raw(&[b'x'; OUTPUT_BYTES]);
        wire.close(Some("bye")).await;
        assert!(began.elapsed() <= STOP_WITHIN + BYE_WITHIN, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_does_not_wait_for_a_handshake() {
        let (_client, wire, shutdown) = full();
        let began = Instant::now();
        let resolver = rustls::server::ResolvesServerCertUsingSni::new();
        let config =
            rustls::ServerConfig::builder().with_no_client_auth().with_cert_resolver(Arc::new(resolver));
        shutdown.cancel();
        assert!(wire.into_socket().into_tls(Arc::new(config)).await.is_err());
        assert!(began.elapsed().is_zero());
    }
}
