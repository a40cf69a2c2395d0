//! A message as scanners read it: piece by piece, wherever it is kept.

use std::io::Result;

/// Something that can be read more than once, in pieces.
pub trait Octets: Sync {
    /// How many there are.
    fn length(&self) -> u64;

    /// Some of those from `at` on, as many as one may hold in memory; none only at the end.
    fn piece(&self, at: u64) -> impl Future<Output = Result<Vec<u8>>> + Send;
}

/// Octets of one piece of what is in memory anyway.
const PIECE_BYTES: usize = 64 * 1024;

impl Octets for [u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    async fn piece(&self, at: u64) -> Result<Vec<u8>> {
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(self.len());
        let rest = self.get(from..).unwrap_or_default();
        Ok(rest.chunks(PIECE_BYTES).next().unwrap_or_default().to_vec())
    }
}
