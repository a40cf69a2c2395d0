//! The one file of a ZIP archive that a report is in (PKWARE's APPNOTE.TXT, 4.3).
//!
//! Invariants: of the directory no more is read than [`FILES_MAX`] entries, whatever the archive says of itself, and the number that
//! it says, also that of ZIP64, is looked at before anything is: a library that reads a directory whole makes some hundred octets for
//! each of its 46. What is named twice is no other file; nothing is unpacked here.

use super::Unreadable;
use std::ops::Range;

/// Files of an archive: there is one.
const FILES_MAX: u64 = 8;
/// Octets of a comment behind everything.
const COMMENT_BYTES_MAX: usize = 0xffff;
const LOCAL: &[u8; 4] = b"PK\x03\x04";
const ENTRY: &[u8; 4] = b"PK\x01\x02";
const END: &[u8; 4] = b"PK\x05\x06";
const END_64: &[u8; 4] = b"PK\x06\x06";
const LOCATOR_64: &[u8; 4] = b"PK\x06\x07";
/// Octets of these without what is of no fixed length.
const LOCAL_BYTES: usize = 30;
const ENTRY_BYTES: usize = 46;
const END_BYTES: usize = 22;
const LOCATOR_64_BYTES: usize = 20;

/// A file as it lies in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packed<'a> {
    Stored(&'a [u8]),
    /// It ends by itself: what follows is not of it.
    Deflated(&'a [u8]),
}

/// The first file whose name ends in `.xml`, else the first of all.
///
/// # Errors
/// `TooLarge` for more files than [`FILES_MAX`], `Packing` for what is no archive, or is packed in another way.
pub(super) fn report_in(archive: &[u8]) -> Result<Packed<'_>, Unreadable> {
    let (files, mut at) = directory(archive)?;
    if files > FILES_MAX {
        return Err(Unreadable::TooLarge);
    }
    let mut found = None;
    for _ in 0..files {
        let (entry, next) = Entry::read(archive, at)?;
        if entry.is_xml || found.is_none() {
            let is_report = entry.is_xml;
            found = Some(entry);
            if is_report {
                break;
            }
        }
        at = next;
    }
    found.ok_or(Unreadable::Packing)?.octets(archive)
}

/// How many files there are, and where the directory of them begins.
fn directory(archive: &[u8]) -> Result<(u64, usize), Unreadable> {
    let begins = archive.len().saturating_sub(END_BYTES + COMMENT_BYTES_MAX);
    let tail = archive.get(begins..).unwrap_or_default();
    let end = begins + memchr::memmem::rfind(tail, END).ok_or(Unreadable::Packing)?;
    // Its last two octets say how long the comment behind it is, which may be torn off.
    number(archive, end + 20, 2)?;
    let (files, at) = (number(archive, end + 10, 2)?, number(archive, end + 16, 4)?);
    if files < 0xffff && at < 0xffff_ffff {
        return Ok((files, place(at)?));
    }
    let locator = end.checked_sub(LOCATOR_64_BYTES).ok_or(Unreadable::Packing)?;
    marked(archive, locator, LOCATOR_64)?;
    let end = place(number(archive, locator + 8, 8)?)?;
    marked(archive, end, END_64)?;
    Ok((number(archive, within(end, 32)?, 8)?, place(number(archive, within(end, 48)?, 8)?)?))
}

struct Entry {
    is_xml: bool,
    method: u64,
    is_secret: bool,
    /// Octets packed; `None`: said elsewhere.
    packed: Option<usize>,
    local: usize,
}

impl Entry {
    /// With where the next one begins.
    fn read(archive: &[u8], at: usize) -> Result<(Self, usize), Unreadable> {
        marked(archive, at, ENTRY)?;
        let of = |offset: usize, octets: usize| number(archive, within(at, offset)?, octets);
        let name_begins = within(at, ENTRY_BYTES)?;
        let name_ends = within(name_begins, place(of(28, 2)?)?)?;
        let name = archive.get(name_begins..name_ends).ok_or(Unreadable::Packing)?;
        let packed = of(20, 4)?;
        let entry = Self {
            is_xml: name.to_ascii_lowercase().ends_with(b".xml"),
            method: of(10, 2)?,
            is_secret: of(8, 2)? & 1 == 1,
            packed: if packed == 0xffff_ffff { None } else { Some(place(packed)?) },
            local: place(of(42, 4)?)?,
        };
        Ok((entry, within(name_ends, place(of(30, 2)? + of(32, 2)?)?)?))
    }

    fn octets<'a>(&self, archive: &'a [u8]) -> Result<Packed<'a>, Unreadable> {
        marked(archive, self.local, LOCAL)?;
        let of = |offset: usize| number(archive, within(self.local, offset)?, 2);
        let begins = within(self.local, LOCAL_BYTES + place(of(26)? + of(28)?)?)?;
        let all = |range: Range<usize>| archive.get(range).ok_or(Unreadable::Packing);
        match (self.method, self.packed) {
            _ if self.is_secret => Err(Unreadable::Packing),
            (0, Some(octets)) => all(begins..within(begins, octets)?).map(Packed::Stored),
            (8, Some(octets)) => all(begins..within(begins, octets)?).map(Packed::Deflated),
            (8, None) => all(begins..archive.len()).map(Packed::Deflated),
            _ => Err(Unreadable::Packing),
        }
    }
}

/// The number of so many octets, the least first.
fn number(archive: &[u8], at: usize, octets: usize) -> Result<u64, Unreadable> {
    let digits = archive.get(at..within(at, octets)?).ok_or(Unreadable::Packing)?;
    Ok(digits.iter().rev().fold(0, |number, octet| number << 8 | u64::from(*octet)))
}

fn marked(archive: &[u8], at: usize, mark: &[u8; 4]) -> Result<(), Unreadable> {
    let is_there = archive.get(at..).is_some_and(|rest| rest.starts_with(mark));
    if is_there { Ok(()) } else { Err(Unreadable::Packing) }
}

fn place(number: u64) -> Result<usize, Unreadable> {
    usize::try_from(number).map_err(|_| Unreadable::Packing)
}

fn within(at: usize, further: usize) -> Result<usize, Unreadable> {
    at.checked_add(further).ok_or(Unreadable::Packing)
}
