//! One connection of a transcript: sends bytes, reads lines.
//!
//! Invariant: while sending it also reads, so that neither side can block the other with a full pipe.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::{Pace, Stream};

/// A peer that says nothing for this long, in real time, will not say it any more: the transcript fails instead of hanging.
const SILENCE_MAX: Duration = Duration::from_secs(20);

pub(super) struct Connection {
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    /// Read but not yet asked for.
    received: Vec<u8>,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Without its CRLF.
    Line(Vec<u8>),
    /// The end, with what stood behind the last CRLF.
    End(Vec<u8>),
    /// Nothing for too long, with what stood behind the last CRLF.
    Silence(Vec<u8>),
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self { reader, writer, received: Vec::new() }
    }

    /// The stream, for a handshake on it.
    ///
    /// # Errors
    /// Bytes have come that no step asked for: behind a STARTTLS there must be none.
    pub(super) fn into_stream(self) -> Result<Stream, String> {
        if !self.received.is_empty() {
            return Err(format!("not asked for yet: {}", self.received.escape_ascii()));
        }
        Ok(self.reader.unsplit(self.writer))
    }

    pub(super) async fn send(&mut self, bytes: &[u8], pace: Pace) -> io::Result<()> {
        let Self { reader, writer, received } = self;
        let write = async {
            match pace {
                Pace::Whole => writer.write_all(bytes).await?,
                Pace::Bytewise => {
                    for byte in bytes {
                        writer.write_all(std::slice::from_ref(byte)).await?;
                        writer.flush().await?;
                        tokio::task::yield_now().await;
                    }
                }
            }
            writer.flush().await
        };
        let read = async {
            while reader.read_buf(received).await? > 0 {}
            // The peer has closed its side; whether it still listens is for the writer to find out.
            std::future::pending::<io::Result<()>>().await
        };
        let both = async {
            tokio::select! {
                done = write => done,
                Err(error) = read => Err(error),
            }
        };
        match tokio::time::timeout(SILENCE_MAX, both).await {
            Ok(done) => done,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")),
        }
    }

    /// The next line.
    pub(super) async fn line(&mut self) -> io::Result<Received> {
        loop {
            if let Some(end) = self.received.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.received.drain(..end).collect();
                self.received.drain(..2);
                return Ok(Received::Line(line));
            }
            match tokio::time::timeout(SILENCE_MAX, self.reader.read_buf(&mut self.received)).await {
                Ok(Ok(0)) => return Ok(Received::End(std::mem::take(&mut self.received))),
                Ok(Ok(_)) => {}
                // A closed TLS connection without close_notify, or a reset: the end all the same.
                Ok(Err(error)) if is_end(&error) => {
                    return Ok(Received::End(std::mem::take(&mut self.received)));
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => return Ok(Received::Silence(std::mem::take(&mut self.received))),
            }
        }
    }

    /// Says that no more will be sent; what the peer still answers can be read.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        self.writer.shutdown().await
    }
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}
