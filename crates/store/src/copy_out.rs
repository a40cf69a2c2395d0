//! Reads entries through binary COPY: a folder of 100,000 in tens of milliseconds, where rows would take seconds.
//!
//! The format is that of the PostgreSQL manual, "COPY", "Binary Format": a header, then per row a count of fields and
//! per field its length and its bytes in network order.

use crate::Error;
use crate::snapshot::EntryRow;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use model::{ContentId, EmailId, Flags, ModSeq, ThreadId, Uid};
use sqlx::PgConnection;

/// Signature, flags and length of the header extension, which is empty.
const HEADER_BYTES: usize = 19;
const FIELDS: u16 = 9;
/// Microseconds from 1970 to 2000, where Postgres begins to count.
pub(crate) const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;
/// `ndim`, `flags`, `elemtype` of an array, then `size` and `lower bound` when it has a dimension.
const ARRAY_HEADER_BYTES: usize = 20;

/// Runs a `copy (…) to stdout (format binary)` that selects the nine columns of [`EntryRow`] in its order. After an
/// error, or when dropped, it leaves `connection` in the middle of the answer: nobody may use it again.
pub(crate) async fn entries(connection: &mut PgConnection, statement: &str) -> Result<Vec<EntryRow>, Error> {
    let mut stream = connection.copy_out_raw(statement).await?;
    let mut buffer: Vec<u8> = Vec::new();
    let mut rows = Vec::new();
    let mut header_read = false;
    while let Some(bytes) = stream.try_next().await? {
        buffer.extend_from_slice(&bytes);
        let mut rest = buffer.as_slice();
        if !header_read {
            let Some((_, after)) = rest.split_at_checked(HEADER_BYTES) else { continue };
            (rest, header_read) = (after, true);
        }
        while let Some(after) = whole_row(rest) {
            let (row, end) = rest.split_at(rest.len() - after.len());
            if let Some(entry) = parse_row(row)? {
                rows.push(entry);
            }
            rest = end;
        }
        let used = buffer.len() - rest.len();
        buffer.drain(..used);
    }
    Ok(rows)
}

/// What follows the first row of `bytes`; `None` when the row is not there as a whole.
fn whole_row(bytes: &[u8]) -> Option<&[u8]> {
    let (count, mut rest) = take_u16(bytes)?;
    if count == u16::MAX {
        return Some(rest);
    }
    for _ in 0..count {
        let (length, after) = take_i32(rest)?;
        rest = after.get(usize::try_from(length).unwrap_or(0)..)?;
    }
    Some(rest)
}

const DAMAGED: Error = Error::Damaged("a row of COPY has another form");

/// `None` for the trailer that ends the data.
fn parse_row(row: &[u8]) -> Result<Option<EntryRow>, Error> {
    let (count, rest) = take_u16(row).ok_or(DAMAGED)?;
    match count {
        u16::MAX => Ok(None),
        FIELDS => parse_fields(rest).ok_or(DAMAGED).map(Some),
        _ => Err(DAMAGED),
    }
}

fn parse_fields(mut rest: &[u8]) -> Option<EntryRow> {
    let mut field = || {
        let (length, after) = take_i32(rest)?;
        let (value, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
        rest = after;
        Some(value)
    };
    let uid = be_i64(field()?)?;
    let flags = i32::from_be_bytes(field()?.try_into().ok()?);
    let keywords = parse_smallints(field()?)?;
    let mut number = || be_i64(field()?);
    let (modseq, size, date) = (number()?, number()?, number()?);
    let (content, email, thread) = (number()?, number()?, number()?);
    Some(EntryRow {
        uid: Uid(u32::try_from(uid).ok()?),
        flags: Flags(flags),
        keywords,
        modseq: ModSeq(modseq.unsigned_abs()),
        size: u32::try_from(size).unwrap_or(u32::MAX),
        internal_date: Timestamp::from_microsecond(date.checked_add(POSTGRES_EPOCH_US)?).ok()?,
        content: ContentId(content),
        email: EmailId(email),
        thread: ThreadId(thread),
    })
}

fn parse_smallints(value: &[u8]) -> Option<Box<[i16]>> {
    let Some(mut rest) = value.get(ARRAY_HEADER_BYTES..) else { return Some(Box::default()) };
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        let (length, after) = take_i32(rest)?;
        let (number, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
        numbers.push(i16::from_be_bytes(number.try_into().ok()?));
        rest = after;
    }
    Some(numbers.into())
}

fn be_i64(value: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(value.try_into().ok()?))
}

fn take_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*head), rest))
}

fn take_i32(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((i32::from_be_bytes(*head), rest))
}
