//! BINARY (RFC 3516 4.2, RFC 9051 6.4.5): a part with its transfer encoding undone, piece by piece.
//!
//! Invariants: whatever a part holds, two pieces of it are in memory; BINARY.SIZE tells what BINARY gives; other tasks
//! run between the pieces. Octets are those that the sender encoded, line ends too: ours are never changed in storage, so
//! text has the CRLF that it was sent with (RFC 3516 6), and a file has the octets of its signature.

use super::fetch::{Target, with_body};
use super::heads::head;
use super::limits::PIECE_BYTES;
use super::octets::broken;
use super::section::{self, Place};
use super::session::Door;
use crate::socket::Ended;
use engine::{Body, Engine, Error};
use model::ContentId;
use proto::imap::{FetchItem, Partial};
use proto::mime::TransferDecoder;
use std::ops::Range;

/// Nobody knows the encoding of the part that `item` asks for: it cannot be told of this message.
pub(crate) fn is_unknown(item: &FetchItem, target: &Target) -> bool {
    let (FetchItem::Binary(_) | FetchItem::BinarySize(_)) = item else { return false };
    with_body(target).is_some_and(|(message, body)| {
        section::place(item, body.size(), message.structure.as_ref()) == Some(Place::Unknown)
    })
}

/// A part that is to be decoded.
#[derive(Debug)]
pub(crate) struct Encoded<'a> {
    pub(crate) content: ContentId,
    pub(crate) body: &'a Body,
    pub(crate) octets: Range<u64>,
    pub(crate) decoder: TransferDecoder,
    /// Of the decoded octets.
    pub(crate) partial: Option<Partial>,
}

/// Where a partial fetch has ended. Clients read a large part in pieces, and each would be decoded from the beginning.
#[derive(Clone, Debug)]
pub(crate) struct Resume {
    content: ContentId,
    /// The part.
    octets: Range<u64>,
    at: Point,
}

/// How far decoding has come.
#[derive(Clone, Debug)]
struct Point {
    unread: Range<u64>,
    decoder: TransferDecoder,
    /// Decoded octets before it.
    given: u64,
}

/// A literal begins with its size, so the part is decoded once to be counted and once to be written.
pub(crate) async fn tell(door: &mut Door, item: &FetchItem, encoded: &Encoded<'_>) -> Result<(), Ended> {
    let wanted = match encoded.partial {
        Some(partial) => {
            let start = u64::from(partial.offset);
            start..start.saturating_add(u64::from(partial.length.get()))
        }
        None => 0..u64::MAX,
    };
    let engine = door.engine.clone();
    let begin = begin(door.resume.as_deref(), encoded, wanted.start);
    let mut reader = Reader::new(&engine, encoded.body, begin);
    let measured = reader.measure(&wanted).await.map_err(broken)?;
    match item {
        FetchItem::Binary(binary) => {
            door.wire.out.fetch_binary(binary, Some(measured.bytes), measured.has_nul);
        }
        FetchItem::BinarySize(part) => {
            door.wire.out.fetch_binary_size(part, measured.bytes);
            return Ok(());
        }
        _ => return Ok(()),
    }
    let mut reader = Reader::new(&engine, encoded.body, measured.start);
    let mut last = None;
    while reader.at.given < wanted.end {
        last = encoded.partial.map(|_| reader.at.clone());
        let Some(octets) = reader.next(&wanted).await.map_err(broken)? else { break };
        door.wire.raw(octets).await?;
    }
    if let Some(at) = last {
        let Encoded { content, octets, .. } = encoded;
        door.resume = Some(Box::new(Resume { content: *content, octets: octets.clone(), at }));
    }
    Ok(())
}

/// There is no such part.
pub(crate) fn nowhere(door: &mut Door, item: &FetchItem) {
    match item {
        FetchItem::Binary(binary) => door.wire.out.fetch_binary(binary, None, false),
        // RFC 3516 4.3: a number there must be; that of the octets in NIL.
        FetchItem::BinarySize(part) => door.wire.out.fetch_binary_size(part, 0),
        _ => {}
    }
}

/// Where to begin, to have the decoded octets from `start` on.
fn begin(resume: Option<&Resume>, encoded: &Encoded<'_>, start: u64) -> Point {
    let same = |resume: &&Resume| {
        resume.content == encoded.content && resume.octets == encoded.octets && resume.at.given <= start
    };
    resume.filter(same).map_or_else(
        || Point { unread: encoded.octets.clone(), decoder: encoded.decoder.clone(), given: 0 },
        |resume| resume.at.clone(),
    )
}

/// What a literal's announcement says of the octets wanted.
struct Measured {
    bytes: u64,
    has_nul: bool,
    /// The last point before them.
    start: Point,
}

struct Reader<'a> {
    engine: &'a Engine,
    body: &'a Body,
    at: Point,
    /// Up to here the octets are in memory already.
    ahead: u64,
    ended: bool,
    decoded: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(engine: &'a Engine, body: &'a Body, at: Point) -> Self {
        let ahead = at.unread.start;
        Self { engine, body, at, ahead, ended: false, decoded: Vec::new() }
    }

    async fn measure(&mut self, wanted: &Range<u64>) -> Result<Measured, Error> {
        let mut measured = Measured { bytes: 0, has_nul: false, start: self.at.clone() };
        while self.at.given < wanted.end {
            if self.at.given <= wanted.start {
                measured.start = self.at.clone();
            }
            let Some(octets) = self.next(wanted).await? else { break };
            measured.bytes += octets.len() as u64;
            measured.has_nul |= octets.contains(&0);
        }
        Ok(measured)
    }

    /// What is `wanted` of the next piece, maybe nothing; `None` at the end.
    async fn next(&mut self, wanted: &Range<u64>) -> Result<Option<&[u8]>, Error> {
        if self.ended {
            return Ok(None);
        }
        self.decoded.clear();
        let decoded = &mut self.decoded;
        let mut sink = |octets: &[u8]| decoded.extend_from_slice(octets);
        let Range { start, end } = self.at.unread;
        if start >= end {
            self.at.decoder.finish(&mut sink);
            self.ended = true;
        } else {
            tokio::task::yield_now().await;
            if start >= self.ahead {
                let next = head(start..end);
                self.ahead = next.end;
                self.engine.prefetch(&[(self.body, next)]).await?;
            }
            let piece = self.body.piece(start, end.min(start + PIECE_BYTES as u64)).await?;
            if piece.is_empty() {
                return Err(Error::NotFound);
            }
            self.at.decoder.feed(&piece, &mut sink);
            self.at.unread.start += piece.len() as u64;
        }
        let before = self.at.given;
        self.at.given += self.decoded.len() as u64;
        let count = self.decoded.len();
        let cut = |at: u64| usize::try_from(at.saturating_sub(before)).unwrap_or(usize::MAX).min(count);
        Ok(Some(self.decoded.get(cut(wanted.start)..cut(wanted.end)).unwrap_or_default()))
    }
}
