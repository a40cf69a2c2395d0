//! The limits of an IMAP session, each with its reason; those of any connection are in [`crate::limits`].

use crate::limits::OUTPUT_BYTES;
use std::time::Duration;

/// What is added to the write buffer between two looks at its size, octets of messages and search results: small
/// beside [`OUTPUT_BYTES`], and large enough that looking is rare.
pub(crate) const PIECE_BYTES: usize = 16 << 10;

/// The most the write buffer holds: what is waiting, one piece and what announces it. An item that is written at once,
/// an ENVELOPE or a BODYSTRUCTURE, may be a larger piece where the message's own is; one of them waits, never two.
pub(crate) const OUTPUT_BYTES_MAX: usize = OUTPUT_BYTES + 2 * PIECE_BYTES;

/// Numbers of a SEARCH result written at once: eleven octets each at the most.
pub(crate) const SEARCH_NUMBERS: usize = PIECE_BYTES / 11;

/// Spans of uids in one VANISHED: 22 octets each at the most.
pub(crate) const VANISHED_SPANS: usize = PIECE_BYTES / 22;

/// Messages whose facts FETCH holds at once: few enough to stay small, many enough to make queries rare.
pub(crate) const FETCH_BATCH: usize = 400;

/// Messages whose text SEARCH holds facts of at once.
pub(crate) const SEARCH_BATCH: usize = 100;

/// Messages whose envelopes SORT and THREAD hold at once.
pub(crate) const ARRANGE_BATCH: usize = 2_000;

/// Characters of a subject or name that SORT and THREAD compare: what differs behind them is in no order.
pub(crate) const SORT_TEXT_CHARS_MAX: usize = 250;

/// Octets of what one SORT or THREAD compares: subjects of two million messages.
pub(crate) const ARRANGE_BYTES_MAX: usize = 256 << 20;

/// Up to so many octets a SORT or THREAD holds without waiting for a turn: those of an ordinary folder.
pub(crate) const ARRANGE_BYTES_SMALL: usize = 4 << 20;

/// Larger SORTs and THREADs of the node at once, whoever wants them; the others wait in turn.
pub(crate) const ARRANGE_LARGE_AT_ONCE: usize = 2;

/// Messages of one THREAD: some hundred octets each are in memory until it is told.
pub(crate) const THREAD_MESSAGES_MAX: usize = 200_000;

/// Messages that SEARCH asks the index about at once: their answers take some megabytes at most.
pub(crate) const SEARCH_GROUP: usize = 1 << 16;

/// Octets of text that SEARCH decodes and compares where it stands, some milliseconds at most; what is larger goes to a
/// thread of its own, so that other connections are served meanwhile.
pub(crate) const SEARCH_INLINE_BYTES: usize = 16 << 10;

/// Octets of small texts after which SEARCH lets other tasks have their turn.
pub(crate) const SEARCH_STEP_BYTES: usize = 64 << 10;

/// Threads of the node that decode large texts for SEARCH, whoever searches; the others wait in turn. The smallest node
/// has two cores, and the scheduler shares them with what answers.
pub(crate) const SEARCH_THREADS: usize = 2;

/// A field's name behind which FETCH does not look for the colon any more: a line has 998 octets (RFC 5322 2.1.1).
pub(crate) const FIELD_NAME_BYTES_MAX: usize = 1 << 10;

/// Octets of bodies that FETCH asks the database for at once; the next as many are on their way while these are written.
pub(crate) const PREFETCH_BYTES: u64 = 2 << 20;

/// The chunks in which they lie come whole, so at most this many times as much: of 400 large mails somebody may want one
/// octet each.
pub(crate) const PREFETCH_CHUNKS: u64 = 4;

/// Of one item: small mail comes whole, of large mail the beginning, the rest as it is written.
pub(crate) const PREFETCH_EACH_BYTES: u64 = 512 << 10;

/// Silence in the middle of an APPEND message: a mobile client that lost its network does not come back to it.
pub(crate) const APPEND_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Messages of one APPEND (RFC 3502): each is a row and a lookup under the mailbox's lock, which is not to be held long.
pub(crate) const APPEND_MESSAGES_MAX: usize = 100;

/// All of an APPEND message, so that a trickle does not hold a place and a spool: 100 MB at 28 KB per second.
pub(crate) const APPEND_WITHIN: Duration = Duration::from_secs(60 * 60);

/// Messages whose texts a SEARCH for part of the result looks at first, at least: a page of what is common is among them.
pub(crate) const SEARCH_STEP: usize = 100;
/// Up to so many messages are looked at from the end that is asked for, before the index says what may be found at all.
pub(crate) const SEARCH_NEAR: usize = 3_000;
/// Steps of such a SEARCH before everything that is left is looked at.
pub(crate) const SEARCH_STEPS: usize = 5;

/// Messages that SEARCH compares by the view alone before other tasks have their turn, by up to 1,000 keys.
pub(crate) const SEARCH_SCAN: usize = 1_000;

/// Different texts of one SEARCH: clients that search in all fields send six.
pub(crate) const SEARCH_TEXTS_MAX: usize = 100;
