//! The client's side of COMPRESS=DEFLATE (RFC 4978): a task folds what the transcript sends and unfolds what it reads.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use testkit::transcript::Stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio_util::task::TaskTracker;

/// Octets read at once, and room for what they become.
const PIECE_BYTES: usize = 4 << 10;

/// A stream of plain octets whose other end is `compressed`.
pub(super) fn deflated(compressed: Stream, tasks: &TaskTracker) -> Stream {
    let (ours, plain) = tokio::io::duplex(super::PIPE_BYTES);
    let (near_read, near_write) = tokio::io::split(plain);
    let (far_read, far_write) = tokio::io::split(compressed);
    tasks.spawn(fold(near_read, far_write));
    tasks.spawn(unfold(far_read, near_write));
    Box::new(ours)
}

async fn fold(mut plain: ReadHalf<DuplexStream>, mut compressed: WriteHalf<Stream>) {
    // RFC 4978 4: raw, without the header and checksum of zlib.
    let mut deflate = Compress::new(Compression::default(), false);
    let mut piece = [0; PIECE_BYTES];
    while let Ok(count @ 1..) = plain.read(&mut piece).await {
        let mut out = Vec::with_capacity(2 * PIECE_BYTES);
        deflate.compress_vec(&piece[..count], &mut out, FlushCompress::Sync).unwrap();
        assert!(out.len() < out.capacity(), "nothing waits for more room");
        if compressed.write_all(&out).await.is_err() || compressed.flush().await.is_err() {
            return;
        }
    }
    // The other side may have gone.
    let _ = compressed.shutdown().await;
}

async fn unfold(mut compressed: ReadHalf<Stream>, mut plain: WriteHalf<DuplexStream>) {
    let mut inflate = Decompress::new(false);
    let mut piece = [0; PIECE_BYTES];
    while let Ok(count @ 1..) = compressed.read(&mut piece).await {
        let mut rest = &piece[..count];
        let mut full = true;
        while !rest.is_empty() || full {
            let mut out = Vec::with_capacity(PIECE_BYTES);
            let before = inflate.total_in();
            inflate.decompress_vec(rest, &mut out, FlushDecompress::Sync).unwrap();
            rest = &rest[usize::try_from(inflate.total_in() - before).unwrap()..];
            full = out.len() == out.capacity();
            if plain.write_all(&out).await.is_err() {
                return;
            }
        }
    }
    // A transcript that expects the end is told of it; one that has hung up is not there any more.
    let _ = plain.shutdown().await;
}
