//! The scanner for malware: clamd's INSTREAM (clamd(8)), one connection for each message.
//!
//! Invariants: the message goes piece by piece; its answer is read within bounds; what is not plainly OK or FOUND is a failure.

use super::endpoint::{ScanAddress, Stream};
use super::octets::Octets;
use std::io::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Octets of an answer: the name of what was found, and some words.
const ANSWER_BYTES_MAX: u64 = 4 * 1024;
/// Characters of a name that are kept.
const NAME_CHARS_MAX: usize = 100;

/// What it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Clean,
    Found(String),
    /// Its own limit (`StreamMaxLength`) is lower than ours.
    TooLarge,
}

pub(super) async fn scan<O: Octets + ?Sized>(address: &ScanAddress, message: &O) -> Result<Said> {
    let mut stream = address.connect().await?;
    let sent = send(&mut *stream, message).await;
    // Whatever became of sending: when clamd has had enough it says so and closes.
    let mut answer = Vec::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await;
    match (understood(&answer), sent, read) {
        (Some(said), ..) => Ok(said),
        (None, Err(error), _) | (None, Ok(()), Err(error)) => Err(error),
        (None, Ok(()), Ok(_)) => Err(Error::new(ErrorKind::InvalidData, "clamd did not say what it found")),
    }
}

/// Does it take a message of so many octets? It says so when the length of a piece is named, before the piece comes.
pub(super) async fn takes(address: &ScanAddress, octets: u64) -> Result<bool> {
    let length = u32::try_from(octets).unwrap_or(u32::MAX);
    let mut stream = address.connect().await?;
    stream.write_all(b"zINSTREAM\0").await?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await;
    match understood(&answer) {
        Some(Said::TooLarge) => Ok(false),
        // The piece that does not come is a connection that broke off.
        _ => read.map(|_| true),
    }
}

async fn send<O: Octets + ?Sized>(stream: &mut dyn Stream, message: &O) -> Result<()> {
    stream.write_all(b"zINSTREAM\0").await?;
    let mut at = 0;
    loop {
        let piece = message.piece(at).await?;
        at += piece.len() as u64;
        let length = u32::try_from(piece.len()).map_err(|_| Error::from(ErrorKind::InvalidData))?;
        stream.write_all(&length.to_be_bytes()).await?;
        if piece.is_empty() {
            break;
        }
        stream.write_all(&piece).await?;
    }
    if at != message.length() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    stream.flush().await
}

fn understood(answer: &[u8]) -> Option<Said> {
    let text = String::from_utf8_lossy(answer);
    let text = text.trim_end_matches(['\0', '\n', '\r']);
    if text.starts_with("INSTREAM size limit exceeded") {
        return Some(Said::TooLarge);
    }
    let result = text.strip_prefix("stream: ")?;
    if result == "OK" {
        return Some(Said::Clean);
    }
    let name = result.strip_suffix(" FOUND")?;
    Some(Said::Found(name.chars().filter(char::is_ascii_graphic).take(NAME_CHARS_MAX).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_is_understood_or_it_is_a_failure() {
        assert_eq!(understood(b"stream: OK\0"), Some(Said::Clean));
        let found = Said::Found("Win.Test.EICAR_HDB-1".to_owned());
        assert_eq!(understood(b"stream: Win.Test.EICAR_HDB-1 FOUND\0"), Some(found));
        assert_eq!(understood(b"INSTREAM size limit exceeded. ERROR\0"), Some(Said::TooLarge));
        for wrong in
            [&b""[..], b"stream: OK and more\0", b"stream: ", b"OK", b"stream: x ERROR\0", b"\xff\xff"]
        {
            assert_eq!(understood(wrong), None, "{wrong:?}");
        }
    }
}
