//! COMPRESS=DEFLATE (RFC 4978): the command, and the stream it puts around the connection.
//!
//! Invariants: a session that does not compress pays nothing; one that does and waits holds the tables of a decompressor,
//! 43 KB, and a piece of input; while it answers also those of a compressor, seven times as much, and at most
//! [`WAITING_BYTES`] of output. However much a few octets unfold to, they
//! unfold into the reader's buffer, piece by piece, and the decoder's limits hold for what comes out.

use super::reply::{Outcome, Reply};
use super::session::Door;
use crate::socket::Stream;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use proto::imap::Code;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One read of compressed octets: commands are small.
const INPUT_BYTES: usize = 4 << 10;
/// Compressed octets that wait for the peer before no more are taken.
const WAITING_BYTES: usize = 16 << 10;
/// Room given to the compressor at once.
const ROOM_BYTES: usize = 4 << 10;
/// Of 9: most of what can be saved on mail, at a third of the work of the usual 6.
const LEVEL: u32 = 3;

/// Decides; the driver puts the stream around the connection behind the answer.
pub(crate) fn compress(door: &Door, mechanism: &str) -> Outcome {
    if mechanism != "DEFLATE" {
        return Err(Reply::bad("Unknown compression mechanism").into());
    }
    if door.wire.is_compressed() {
        // RFC 4978 3
        return Err(Reply::no("DEFLATE is active already").code(Code::CompressionActive).into());
    }
    Ok(Reply::ok("DEFLATE active"))
}

pub(crate) struct Deflated {
    io: Box<dyn Stream>,
    inflate: Decompress,
    /// Compressed octets not yet unfolded, from `read` on.
    input: Vec<u8>,
    read: usize,
    /// The last octets unfolded filled the reader's buffer: there may be more of them inside.
    more: bool,
    ended: bool,
    /// Only while it has something to do: thousands of sessions wait. What begins anew refers to nothing before it, so that
    /// behind a flush the peer sees no difference.
    deflate: Option<Compress>,
    /// Compressed octets not yet written, from `written` on.
    output: Vec<u8>,
    written: usize,
    /// Something was given to the compressor since it was last told to let everything out.
    dirty: bool,
}

impl Deflated {
    pub(crate) fn new(io: Box<dyn Stream>) -> Self {
        Self {
            io,
            // RFC 4978 4: raw, without the header and checksum of zlib.
            inflate: Decompress::new(false),
            input: Vec::new(),
            read: 0,
            more: false,
            ended: false,
            deflate: None,
            output: Vec::new(),
            written: 0,
            dirty: false,
        }
    }

    /// Unfolds what is there into `buffer`; how much that was.
    fn unfold(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<usize> {
        let pending = self.input.get(self.read..).unwrap_or_default();
        let room = buffer.initialize_unfilled();
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status =
            self.inflate.decompress(pending, room, FlushDecompress::None).map_err(io::Error::other)?;
        let count = |after: u64, before: u64| usize::try_from(after - before).unwrap_or(usize::MAX);
        let produced = count(self.inflate.total_out(), before_out);
        self.read = self.read.saturating_add(count(self.inflate.total_in(), before_in));
        self.more = produced == room.len();
        self.ended = matches!(status, Status::StreamEnd);
        buffer.advance(produced);
        Ok(produced)
    }

    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [0; INPUT_BYTES];
        let mut buffer = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut *self.io).poll_read(context, &mut buffer))?;
        self.ended = buffer.filled().is_empty();
        self.input.clear();
        self.input.extend_from_slice(buffer.filled());
        self.read = 0;
        Poll::Ready(Ok(()))
    }

    /// Gives octets to the compressor, all of them.
    fn fold(&mut self, mut bytes: &[u8], flush: FlushCompress) -> io::Result<()> {
        let deflate = self.deflate.get_or_insert_with(|| Compress::new(Compression::new(LEVEL), false));
        loop {
            self.output.reserve(ROOM_BYTES);
            let before = deflate.total_in();
            deflate.compress_vec(bytes, &mut self.output, flush).map_err(io::Error::other)?;
            let taken = usize::try_from(deflate.total_in() - before).unwrap_or(usize::MAX);
            bytes = bytes.get(taken..).unwrap_or_default();
            // Room that is left says that nothing waits inside for more of it.
            if bytes.is_empty() && self.output.len() < self.output.capacity() {
                return Ok(());
            }
        }
    }

    fn poll_output(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.output.len() {
            let waiting = self.output.get(self.written..).unwrap_or_default();
            let count = ready!(Pin::new(&mut *self.io).poll_write(context, waiting))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        // An idle connection keeps no buffer.
        self.output = Vec::new();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Deflated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.more || this.read < this.input.len() {
                if this.unfold(buffer)? > 0 {
                    return Poll::Ready(Ok(()));
                }
                // Without output and input alike the rest of its input would never be taken.
                if !this.more && this.read < this.input.len() && !this.ended {
                    continue;
                }
            }
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            ready!(this.poll_input(context))?;
        }
    }
}

impl AsyncWrite for Deflated {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.output.len() - this.written >= WAITING_BYTES {
            ready!(this.poll_output(context))?;
        }
        let piece = bytes.get(..bytes.len().min(WAITING_BYTES)).unwrap_or_default();
        this.fold(piece, FlushCompress::None)?;
        this.dirty = true;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if std::mem::take(&mut this.dirty) {
            this.fold(&[], FlushCompress::Sync)?;
            this.deflate = None;
        }
        ready!(this.poll_output(context))?;
        Pin::new(&mut *this.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        Pin::new(&mut *self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    fn pair(pipe_bytes: usize) -> (Deflated, Deflated) {
        let (left, right) = tokio::io::duplex(pipe_bytes);
        (Deflated::new(Box::new(left)), Deflated::new(Box::new(right)))
    }

    /// Octets that do not compress.
    fn noise(count: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        std::iter::repeat_with(&mut next).take(count).collect()
    }

    #[tokio::test]
    async fn what_goes_in_comes_out_at_each_flush() {
        let (mut left, mut right) = pair(1 << 10);
        for bytes in [b"a NOOP\r\n".to_vec(), vec![b'x'; 300_000], noise(100_000), vec![0; 1]] {
            let sent = async {
                left.write_all(&bytes).await.unwrap();
                left.flush().await.unwrap();
            };
            let mut heard = vec![0; bytes.len()];
            let (_, read) = tokio::join!(sent, right.read_exact(&mut heard));
            read.unwrap();
            assert!(heard == bytes, "{} octets", bytes.len());
            assert!(left.deflate.is_none() && left.output.capacity() == 0, "a session that waits is small");
        }
    }

    #[tokio::test]
    async fn a_bomb_unfolds_piece_by_piece() {
        let mut bomb = Compress::new(Compression::best(), false);
        let zeros = vec![0; 16 << 20];
        let mut small = Vec::with_capacity(1 << 20);
        bomb.compress_vec(&zeros, &mut small, FlushCompress::Finish).unwrap();
        assert!(small.len() < 32 << 10);
        let (mut client, served) = tokio::io::duplex(64 << 10);
        client.write_all(&small).await.unwrap();
        let mut served = Deflated::new(Box::new(served));
        let mut piece = [1; 1 << 10];
        let mut total = 0;
        while total < zeros.len() {
            let count = served.read(&mut piece).await.unwrap();
            assert!((1..=piece.len()).contains(&count));
            assert!(served.input.capacity() <= INPUT_BYTES);
            total += count;
        }
        assert_eq!(served.read(&mut piece).await.unwrap(), 0, "the stream has ended");
    }

    #[tokio::test]
    async fn rubbish_is_an_error() {
        let (mut client, served) = tokio::io::duplex(1 << 10);
        client.write_all(b"\xff\xff not compressed\r\n").await.unwrap();
        let mut served = Deflated::new(Box::new(served));
        assert!(served.read(&mut [0; 100]).await.is_err());
    }
}
