//! A gigabyte of hostile mail through `proto::mime`: no panic, every promise of the facts kept, and memory that depends
//! on the largest message, not on how many there were.
//!
//! The messages come from a seed, so every run sees the same; a failure names family, seed and size, which make the
//! message again. Four tests share the gigabyte, so that they run beside each other.

mod bodies;
mod headers;
mod memory;
mod nesting;
mod prng;

use memory::Memory;
use prng::{Mail, Prng};
use proto::mime::{self, Facts, Part, limits};
use std::panic;

/// Octets of messages that each of the four tests makes: 1 GiB altogether.
const BYTES_PER_TEST: usize = 256 * 1024 * 1024;
const SMALL_MESSAGE: usize = 1024;
const LARGE_MESSAGE: usize = 64 * 1024;
const LARGEST_MESSAGE: usize = 8 * 1024 * 1024;

/// One in so many messages may be large: most hostile structures fit in a few KB, and floods do not.
const LARGE_ONE_IN: usize = 8;

/// Octets of the stored facts besides the values that `FACTS_BYTES_MAX` counts: names, offsets and tags of a part.
const STORED_PART_MAX: usize = 400;

/// Octets of a stored envelope: six lists and four strings, as they were read, and tags and lengths of each address.
const STORED_ENVELOPE_MAX: usize =
    6 * (limits::ADDRESS_BYTES_MAX + 12 * limits::ADDRESSES_MAX) + 4 * (limits::VALUE_MAX + 8);

/// Addresses of a list that are also shown as text.
const SHOWN_ADDRESSES: usize = 20;

type Family = (&'static str, fn(&mut Mail<'_>));

const FAMILIES: &[Family] = &[
    ("deep multiparts", nesting::deep_multiparts),
    ("deep messages", nesting::deep_messages),
    ("same boundary", nesting::same_boundary),
    ("prefix boundaries", nesting::prefix_boundaries),
    ("tangle", nesting::tangle),
    ("part flood", nesting::part_flood),
    ("envelope flood", nesting::envelope_flood),
    ("parts of parameters", nesting::parts_of_parameters),
    ("boundary-like lines", nesting::boundary_like_lines),
    ("field flood", headers::field_flood),
    ("one field", headers::one_field),
    ("addresses", headers::addresses),
    ("groups", headers::groups),
    ("comments", headers::comments),
    ("encoded words", headers::encoded_words),
    ("continuations", headers::continuations),
    ("parameters", headers::parameters),
    ("junk header", headers::junk_header),
    ("base64 garbage", bodies::base64_garbage),
    ("quoted garbage", bodies::quoted_garbage),
    ("charset abuse", bodies::charset_abuse),
    ("combining marks", bodies::combining_marks),
    ("html", bodies::html),
    ("line ends", bodies::line_ends),
    ("noise", bodies::noise),
    ("one line", bodies::one_line),
    ("mutated", bodies::mutated),
];

#[test]
fn first_quarter_of_a_gigabyte() {
    memory::in_own_process("first_quarter_of_a_gigabyte", || swallow(1));
}

#[test]
fn second_quarter_of_a_gigabyte() {
    memory::in_own_process("second_quarter_of_a_gigabyte", || swallow(2));
}

#[test]
fn third_quarter_of_a_gigabyte() {
    memory::in_own_process("third_quarter_of_a_gigabyte", || swallow(3));
}

#[test]
fn fourth_quarter_of_a_gigabyte() {
    memory::in_own_process("fourth_quarter_of_a_gigabyte", || swallow(4));
}

fn swallow(seed: u64) {
    let memory = Memory::watch();
    let mut rng = Prng(seed);
    let (mut bytes, mut messages) = (0, 0_usize);
    while bytes < BYTES_PER_TEST {
        // Families in turn, so that none is left out; sizes at random.
        let family = FAMILIES[messages % FAMILIES.len()];
        bytes += one(family, rng.next());
        messages += 1;
    }
    memory.check(LARGEST_MESSAGE);
    println!("{bytes} octets in {messages} hostile messages; {memory}");
}

/// Makes the message of this seed and reads it; tells how large it was.
fn one((name, family): Family, seed: u64) -> usize {
    let mut rng = Prng(seed);
    let size = size(&mut rng);
    let cut = rng.one_in(2);
    let mut mail = Mail::new(&mut rng, size);
    family(&mut mail);
    let mut raw = mail.out;
    if cut {
        raw.truncate(size);
    }
    if let Err(broken) = panic::catch_unwind(|| read(&raw, seed)) {
        eprintln!("the message of family {name:?}, seed {seed}, {} octets broke a promise", raw.len());
        panic::resume_unwind(broken);
    }
    raw.len()
}

/// As many of 1 to 2 KB as of 4 to 8 MB among the large ones: equally likely logarithms.
fn size(rng: &mut Prng) -> usize {
    let largest = if rng.one_in(LARGE_ONE_IN) { LARGEST_MESSAGE } else { LARGE_MESSAGE };
    let doublings = (largest / SMALL_MESSAGE).ilog2() as usize;
    let least = SMALL_MESSAGE << rng.below(doublings);
    least + rng.below(least)
}

/// Everything that the servers do with a message they took.
fn read(raw: &[u8], seed: u64) {
    // Checks offsets, nesting and both stored forms, and decodes each text.
    let facts = mime::fuzz_mime(raw);
    let size = raw.len() as u64;
    assert!(facts.header_bytes <= size);
    assert!(facts.structure.to_bytes().len() <= stored_max(&facts), "stored structure");
    assert!(facts.envelope.to_bytes().len() <= STORED_ENVELOPE_MAX, "stored envelope");
    for bytes_min in [0, 1, 4_096] {
        let starts = facts.body_starts(bytes_min);
        assert!(starts.is_sorted_by(|a, b| a < b) && starts.last().is_none_or(|start| *start <= size));
    }
    check_attachments(&facts);
    check_sections(&facts, &mut Prng(seed));
    check_envelope(&facts);
    let header = &raw[..usize::try_from(facts.header_bytes).unwrap()];
    assert!(mime::header_subset(header, &[b"from", b"subject"]).len() <= header.len() + 2);
    for part in facts.structure.parts().filter(|part| part.subtype == "html") {
        if let Some(text) = mime::decode_text(part, body(raw, part)) {
            assert!(mime::html_text(&text).len() <= 2 * text.len());
        }
    }
}

fn stored_max(facts: &Facts) -> usize {
    limits::FACTS_BYTES_MAX + STORED_PART_MAX * facts.structure.parts().count()
}

fn body<'a>(raw: &'a [u8], part: &Part) -> &'a [u8] {
    &raw[usize::try_from(part.body_start).unwrap()..usize::try_from(part.body_end).unwrap()]
}

fn check_attachments(facts: &Facts) {
    for attachment in &facts.attachments {
        let part = facts.structure.at(attachment.part);
        assert!(attachment.size <= part.octets());
        let name = attachment.name.as_deref().unwrap_or("x");
        assert!((1..=limits::NAME_CHARS_MAX).contains(&name.chars().count()));
    }
}

/// Every part has a section number that finds it, and numbers that are made up find nothing or a part.
fn check_sections(facts: &Facts, rng: &mut Prng) {
    let structure = &facts.structure;
    let mut paths: Vec<Vec<u32>> = vec![Vec::new(); structure.parts().count()];
    for (index, part) in structure.parts().enumerate() {
        let is_message = part.parent.is_none_or(|parent| structure.at(parent).is_message());
        // RFC 9051 6.4.5.1: the multipart of a message has no number, what is none is its part 1.
        if is_message && !part.is_multipart() {
            paths[index].push(1);
        }
        if !is_message || !part.is_multipart() {
            assert!(structure.part(&paths[index]).is_some_and(|found| std::ptr::eq(found, part)));
        }
        for (number, child) in (1_u32..).zip(&part.children) {
            let mut path = paths[index].clone();
            path.extend((!part.is_message()).then_some(number));
            paths[*child as usize] = path;
        }
    }
    for _ in 0..20 {
        let path: Vec<u32> = (0..rng.below(60)).map(|_| rng.pick(&[0, 1, 1, 1, 2, 3, u32::MAX])).collect();
        structure.part(&path);
    }
}

fn check_envelope(facts: &Facts) {
    let nested = facts.structure.parts().filter_map(|part| part.envelope.as_deref());
    for envelope in nested.chain([&facts.envelope]) {
        envelope.sent_on();
        let lists = [&envelope.from, &envelope.to, &envelope.cc, &envelope.bcc];
        for list in lists {
            assert!(list.len() <= limits::ADDRESSES_MAX);
            let starts = list.iter().filter(|address| address.is_group_start()).count();
            assert_eq!(starts, list.iter().filter(|address| address.is_group_end()).count());
            for address in list.iter().take(SHOWN_ADDRESSES) {
                assert_eq!(address.address().is_none(), address.host.is_none());
                address.display_name();
            }
        }
    }
}
