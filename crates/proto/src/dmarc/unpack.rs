//! What reports are packed in: gzip, zip, or nothing.
//!
//! Invariant: what a package holds is counted as it is unpacked, not what it says; nothing is unpacked twice.

use super::Unreadable;
use super::archive::{Packed, report_in};
use flate2::Compression;
use flate2::read::{DeflateDecoder, GzEncoder, MultiGzDecoder};
use std::io::Read;

/// Octets of a report: a large mail provider's about a large domain has some.
pub const UNPACKED_BYTES_MAX: u64 = 16 << 20;
/// Reports shrink to a tenth, at best to a fiftieth. Small ones may be anything.
const RATIO_MAX: u64 = 200;
const SMALL_BYTES: u64 = 256 << 10;

/// As gzip.
#[must_use]
pub fn pack(xml: &str) -> Vec<u8> {
    let mut packed = Vec::new();
    // Reading of and writing to memory does not fail.
    let _ = GzEncoder::new(xml.as_bytes(), Compression::best()).read_to_end(&mut packed);
    packed
}

/// Octets that a package of so many octets may hold: what is to have room before it is unpacked.
#[must_use]
pub fn unpacked_bytes_max(packed_bytes: u64) -> u64 {
    UNPACKED_BYTES_MAX.min(packed_bytes.saturating_mul(RATIO_MAX).max(SMALL_BYTES))
}

/// The XML in it; by its first octets, as names and media types are often wrong.
///
/// # Errors
/// [`Unreadable`].
pub fn unpack(bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let octets_max = unpacked_bytes_max(bytes.len() as u64);
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return bounded(MultiGzDecoder::new(bytes), octets_max);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return match report_in(bytes)? {
            Packed::Stored(octets) => bounded(octets, octets_max),
            Packed::Deflated(octets) => bounded(DeflateDecoder::new(octets), octets_max),
        };
    }
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    match start.first() {
        Some(b'<') if bytes.len() as u64 > UNPACKED_BYTES_MAX => Err(Unreadable::TooLarge),
        Some(b'<') => Ok(bytes.to_vec()),
        _ => Err(Unreadable::Kind),
    }
}

fn bounded(from: impl Read, octets_max: u64) -> Result<Vec<u8>, Unreadable> {
    let mut read = Vec::new();
    from.take(octets_max + 1).read_to_end(&mut read).map_err(|_| Unreadable::Packing)?;
    if read.len() as u64 > octets_max { Err(Unreadable::TooLarge) } else { Ok(read) }
}
