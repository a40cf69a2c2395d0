//! What reports are packed in: gzip, zip, or nothing.
//!
//! Invariant: what a package holds is counted as it is unpacked, not what it says; nothing is unpacked twice.

use super::Unreadable;
use flate2::Compression;
use flate2::read::{GzEncoder, MultiGzDecoder};
use std::io::{Cursor, Read};

/// Octets of a report: a large mail provider's about a large domain has some.
pub const UNPACKED_BYTES_MAX: u64 = 16 << 20;
/// Reports shrink to a tenth, at best to a fiftieth. Small ones may be anything.
const RATIO_MAX: u64 = 200;
const SMALL_BYTES: u64 = 256 << 10;
/// Files of an archive: there is one.
const FILES_MAX: usize = 8;

/// As gzip.
#[must_use]
pub fn pack(xml: &str) -> Vec<u8> {
    let mut packed = Vec::new();
    // Reading of and writing to memory does not fail.
    let _ = GzEncoder::new(xml.as_bytes(), Compression::best()).read_to_end(&mut packed);
    packed
}

/// The XML in it; by its first octets, as names and media types are often wrong.
///
/// # Errors
/// [`Unreadable`].
pub fn unpack(bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let octets_max = UNPACKED_BYTES_MAX.min((bytes.len() as u64).saturating_mul(RATIO_MAX).max(SMALL_BYTES));
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return bounded(MultiGzDecoder::new(bytes), octets_max);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| Unreadable::Packing)?;
        if archive.len() > FILES_MAX {
            return Err(Unreadable::TooLarge);
        }
        let is_xml = |name: Result<std::borrow::Cow<'_, str>, _>| {
            name.is_ok_and(|name| name.to_ascii_lowercase().ends_with(".xml"))
        };
        let found = archive.file_names().position(is_xml).unwrap_or(0);
        let file = archive.by_index(found).map_err(|_| Unreadable::Packing)?;
        return bounded(file, octets_max);
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
