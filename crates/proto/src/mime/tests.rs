//! Whole messages: the examples of the RFCs, hostile ones, and properties that hold for any bytes.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::limits::{DEPTH_MAX, FACTS_BYTES_MAX, PARTS_MAX};
use super::*;

/// `facts`, with every promise that its documents make.
fn checked(raw: &[u8]) -> Facts {
    fuzz::check(raw)
}

fn text(raw: &[u8], from: u64, to: u64) -> String {
    String::from_utf8_lossy(&raw[from as usize..to as usize]).into_owned()
}

/// The parts as nested lists: `(text/plain 12 1 message/rfc822(…))`.
fn outline(structure: &Structure, part: &Part) -> String {
    let children: Vec<String> = structure.children(part).map(|child| outline(structure, child)).collect();
    let inside = if children.is_empty() { String::new() } else { format!("({})", children.join(" ")) };
    format!("{}/{}{inside}", part.media_type, part.subtype)
}

fn check_outline(raw: &[u8], expected: &str) -> Facts {
    let facts = checked(raw);
    assert_eq!(outline(&facts.structure, facts.structure.root()), expected, "{}", raw.escape_ascii());
    facts
}

/// RFC 2046 5.1.1, its first example.
const SIMPLE: &str = "From: Nathaniel Borenstein <nsb@bellcore.com>\r\nTo: Ned Freed <ned@innosoft.com>\r\n\
Date: Sun, 21 Mar 1993 23:56:48 -0800 (PST)\r\nSubject: Sample message\r\nMIME-Version: 1.0\r\n\
Content-type: multipart/mixed; boundary=\"simple boundary\"\r\n\r\n\
This is the preamble.  It is to be ignored, though it\r\nis a handy place for composition agents to include an\r\n\
explanatory note to non-MIME conformant readers.\r\n\r\n\
--simple boundary\r\n\r\nThis is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.\r\n\
--simple boundary\r\nContent-type: text/plain; charset=us-ascii\r\n\r\n\
This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n\r\n\
--simple boundary--\r\n\r\nThis is the epilogue.  It is also to be ignored.\r\n";

#[test]
fn walks_the_example_of_rfc_2046() {
    let raw = SIMPLE.as_bytes();
    let facts = check_outline(raw, "multipart/mixed(text/plain text/plain)");
    let first = facts.structure.part(&[1]).unwrap();
    assert_eq!(
        text(raw, first.body_start, first.body_end),
        "This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak."
    );
    assert_eq!(text(raw, first.header_start, first.body_start), "\r\n");
    assert_eq!(first.param("charset"), Some(&b"us-ascii"[..]));
    assert_eq!((first.lines, first.encoding.as_str()), (1, "7bit"));
    let second = facts.structure.part(&[2]).unwrap();
    assert_eq!(
        text(raw, second.body_start, second.body_end),
        "This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n"
    );
    assert_eq!(
        text(raw, second.header_start, second.body_start),
        "Content-type: text/plain; charset=us-ascii\r\n\r\n"
    );
    assert_eq!(second.lines, 2);
    assert_eq!(facts.structure.part(&[3]), None);
    assert_eq!(facts.structure.part(&[0]), None);
    assert_eq!(facts.structure.part(&[1, 1]), None);
    assert_eq!(
        facts.preview,
        "This is implicitly typed plain US-ASCII text. It does NOT end with a linebreak."
    );
    assert_eq!(facts.envelope.subject.as_deref(), Some(&b"Sample message"[..]));
    assert_eq!(facts.envelope.sent_on().unwrap().to_string(), "1993-03-21");
    assert_eq!(facts.envelope.sender, facts.envelope.from);
    assert_eq!(facts.envelope.reply_to[0].address().as_deref(), Some("nsb@bellcore.com"));
    assert_eq!(facts.attachments, []);
    assert_eq!(facts.header_count, 6);
}

/// The tree of the example in RFC 9051 6.4.5.1, whose section numbers it lists.
fn sections_message() -> String {
    let leaf = |kind: &str, text: &str| format!("Content-Type: {kind}\r\n\r\n{text}");
    let multi = |kind: &str, boundary: &str, parts: &[String]| {
        let body: String = parts.iter().map(|part| format!("--{boundary}\r\n{part}\r\n")).collect();
        format!("Content-Type: {kind}; boundary={boundary}\r\n\r\n{body}--{boundary}--\r\n")
    };
    let message = |inside: &str| format!("Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n{inside}");
    let data = leaf("application/octet-stream", "data");
    let third = message(&multi("multipart/mixed", "c", &[leaf("text/plain", "3.1"), data.clone()]));
    let alternative = multi(
        "multipart/alternative",
        "e",
        &[leaf("text/plain", "4.2.2.1"), leaf("text/richtext", "4.2.2.2")],
    );
    let inner = multi("multipart/mixed", "d", &[leaf("text/plain", "4.2.1"), alternative]);
    let fourth = multi("multipart/mixed", "b", &[leaf("image/gif", "4.1"), message(&inner)]);
    format!("From: x@y\r\n{}", multi("multipart/mixed", "a", &[leaf("text/plain", "1"), data, third, fourth]))
}

#[test]
fn numbers_the_sections_of_rfc_9051() {
    let raw = sections_message();
    let raw = raw.as_bytes();
    let facts = check_outline(
        raw,
        "multipart/mixed(text/plain application/octet-stream \
         message/rfc822(multipart/mixed(text/plain application/octet-stream)) \
         multipart/mixed(image/gif message/rfc822(multipart/mixed(text/plain \
         multipart/alternative(text/plain text/richtext)))))",
    );
    let structure = &facts.structure;
    for (path, expected) in [
        (&[1][..], "1"),
        (&[2], "data"),
        (&[3, 1], "3.1"),
        (&[3, 2], "data"),
        (&[4, 1], "4.1"),
        (&[4, 2, 1], "4.2.1"),
        (&[4, 2, 2, 1], "4.2.2.1"),
        (&[4, 2, 2, 2], "4.2.2.2"),
    ] {
        let part = structure.part(path).unwrap();
        assert_eq!(text(raw, part.body_start, part.body_end), expected, "{path:?}");
    }
    let fourth = structure.part(&[4, 2]).unwrap();
    assert_eq!(text(raw, fourth.header_start, fourth.body_start), "Content-Type: message/rfc822\r\n\r\n");
    let message = structure.message(fourth).unwrap();
    assert_eq!(message.header_start, fourth.body_start);
    assert_eq!(message.body_end, fourth.body_end);
    assert_eq!(
        text(raw, message.header_start, message.body_start),
        "Subject: inner\r\nContent-Type: multipart/mixed; boundary=d\r\n\r\n"
    );
    assert_eq!(fourth.envelope.as_ref().unwrap().subject.as_deref(), Some(&b"inner"[..]));
    assert_eq!(structure.part(&[4, 2, 3]), None);
    assert_eq!(structure.part(&[]), Some(structure.root()));
}

#[test]
fn a_message_that_is_no_multipart_has_one_part() {
    let facts = check_outline(b"Subject: a\r\n\r\nbody\r\n", "text/plain");
    assert_eq!(facts.structure.part(&[1]), Some(facts.structure.root()));
    assert_eq!(facts.structure.part(&[1, 1]), None);
    let raw = b"Content-Type: message/rfc822\r\n\r\nSubject: b\r\n\r\nbody\r\n";
    let facts = check_outline(raw, "message/rfc822(text/plain)");
    let inner = facts.structure.part(&[1, 1]).unwrap();
    assert_eq!(text(raw, inner.body_start, inner.body_end), "body\r\n");
    assert_eq!(facts.structure.part(&[1, 2]), None);
    assert_eq!(facts.preview, "body");
}

#[test]
fn a_digest_holds_messages() {
    // RFC 2046 5.1.5
    let raw = b"Content-Type: multipart/digest; boundary=\"b\"\r\n\r\n--b\r\n\r\nFrom: a@b\r\nSubject: one\r\n\r\nfirst\r\n\
--b\r\n\r\nSubject: two\r\n\r\nsecond\r\n--b\r\nContent-Type: text/plain\r\n\r\nthird\r\n--b--";
    let facts = check_outline(
        raw,
        "multipart/digest(message/rfc822(text/plain) message/rfc822(text/plain) text/plain)",
    );
    let second = facts.structure.part(&[2]).unwrap();
    assert_eq!(second.envelope.as_ref().unwrap().subject.as_deref(), Some(&b"two"[..]));
    assert_eq!(text(raw, second.body_start, second.body_end), "Subject: two\r\n\r\nsecond");
    assert_eq!(facts.preview, "third");
}

#[test]
fn describes_as_in_rfc_3501() {
    // RFC 3501 7.4.2: 4554 octets of base64 are 73 lines there: the last has no line end of its own.
    let line = format!("{}\r\n", "A".repeat(60)).repeat(73) + &"A".repeat(28);
    let raw = format!(
        "Content-Type: MULTIPART/MIXED; boundary=x\r\n\r\n--x\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=cc.diff\r\n\
Content-ID: <960723163407.20117h@cac.washington.edu>\r\nContent-Transfer-Encoding: BASE64\r\n\
Content-Description: Compiler diff\r\nContent-MD5: Q2hlY2s=\r\nContent-Language: en, vi (x)\r\n\
Content-Location: http://a/b\r\nContent-Disposition: ATTACHMENT; filename=cc.diff; size=5\r\n\r\n{line}\r\n--x--\r\n"
    );
    let facts = checked(raw.as_bytes());
    let part = facts.structure.part(&[1]).unwrap();
    assert_eq!((part.octets(), part.lines), (4554, 73));
    assert_eq!((part.media_type.as_str(), part.subtype.as_str()), ("text", "plain"));
    assert_eq!(part.param("charset"), Some(&b"US-ASCII"[..]));
    assert_eq!(part.id.as_deref(), Some(&b"<960723163407.20117h@cac.washington.edu>"[..]));
    assert_eq!(part.description.as_deref(), Some(&b"Compiler diff"[..]));
    assert_eq!(part.encoding, "base64");
    assert_eq!(part.md5.as_deref(), Some(&b"Q2hlY2s="[..]));
    assert_eq!(part.language, [b"en".to_vec(), b"vi".to_vec()]);
    assert_eq!(part.location.as_deref(), Some(&b"http://a/b"[..]));
    let disposition = part.disposition.as_ref().unwrap();
    assert_eq!((disposition.kind.as_str(), disposition.params.len()), ("attachment", 2));
    let attachment = &facts.attachments[0];
    assert_eq!((attachment.name.as_deref(), attachment.size), (Some("cc.diff"), 3306));
    assert_eq!(facts.body_starts(4554), [part.body_start]);
    assert_eq!(facts.body_starts(4555), [0_u64; 0]);
}

#[test]
fn the_envelope_keeps_raw_values_and_defaults() {
    let raw = "Received: a\r\nReceived: b\r\nFrom: =?utf-8?Q?Nguy=E1=BB=85n?= <a@b>\r\nfrom: c@d\r\nSubject: =?utf-8?Q?a?=\r\n =?utf-8?Q?b?=\r\n\
Subject: second\r\nSender:\r\nReply-To: (none) r@s\r\nTo: G: x@y;\r\nIn-Reply-To:\r\nReferences: <root@x>\r\n <mid@x>\r\nMessage-ID: <own@x>\r\n\r\n";
    let facts = checked(raw.as_bytes());
    let envelope = &facts.envelope;
    assert_eq!(envelope.subject.as_deref(), Some(&b"=?utf-8?Q?a?= =?utf-8?Q?b?="[..]));
    assert_eq!(envelope.date, None);
    assert_eq!(envelope.in_reply_to.as_deref(), Some(&b""[..]));
    assert_eq!(envelope.from.len(), 2);
    assert_eq!(envelope.from[0].display_name().as_deref(), Some("Nguyễn"));
    assert_eq!(envelope.sender, envelope.from);
    assert_eq!(envelope.reply_to.len(), 1);
    assert!(envelope.to[0].is_group_start() && envelope.to[2].is_group_end());
    assert_eq!(facts.thread_key.as_deref(), Some("root@x"));
    assert_eq!(facts.received_count, 2);
}

#[test]
fn the_thread_key_falls_back() {
    let key = |header: &str| facts(header.as_bytes()).thread_key;
    assert_eq!(key("Message-ID: <a@b>\r\n").as_deref(), Some("a@b"));
    assert_eq!(key("Message-ID: <a\r\n @b>\r\nIn-Reply-To: your mail of today\r\n").as_deref(), Some("a@b"));
    assert_eq!(key("In-Reply-To: Mail of x <c@d>\r\nMessage-ID: <a@b>\r\n").as_deref(), Some("c@d"));
    assert_eq!(key("Message-ID: bare@id\r\n").as_deref(), Some("bare@id"));
    assert_eq!(key("Message-ID: <>\r\nReferences: <\r\n"), None);
    assert_eq!(key("Message-ID: <a\u{8d}\u{7f}@b\u{85}>\r\n").as_deref(), Some("a@b"));
}

#[test]
fn attachment_names_decode() {
    for (fields, expected) in [
        ("Content-Disposition: attachment; filename=\"=?utf-8?B?Q8O0bmcgdsSDbg==?=.pdf\"", "Công văn.pdf"),
        (
            "Content-Disposition: attachment; filename*=utf-8''C%C3%B4ng%20v%C4%83n.pdf; filename=x",
            "Công văn.pdf",
        ),
        (
            "Content-Disposition: attachment; filename*0*=utf-8'vi'C%C3; filename*1*=%B4ng; filename*2=\" a.pdf\"",
            "Công a.pdf",
        ),
        ("Content-Type: application/pdf; name=\"Công văn.pdf\"", "Công văn.pdf"),
        ("Content-Type: application/pdf; name*=x-viet-tcvn5712''C%ABng", "Công"),
        ("Content-Disposition: attachment; filename=\"=?utf-8?Q?Vi=E1?=\r\n =?utf-8?Q?=BB=87t?=\"", "Việt"),
        ("Content-Disposition: attachment; filename=Bao cao quy 3.docx", "Bao cao quy 3.docx"),
        ("Content-Disposition: inline; filename=\"a\u{202e}fdp.exe\"", "afdp.exe"),
        ("Content-Disposition: attachment; filename*=''plain", "plain"),
    ] {
        let facts = checked(format!("{fields}\r\n\r\nx").as_bytes());
        assert_eq!(facts.attachments[0].name.as_deref(), Some(expected), "{fields}");
    }
    let facts =
        checked(b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n");
    assert_eq!(facts.structure.root().media_type, "application");
    assert_eq!(facts.attachments[0].content_type, "message/rfc822");
    assert_eq!(facts.attachments[0].size, 5);
}

#[test]
fn previews_and_texts() {
    let preview = |raw: &str| checked(raw.as_bytes()).preview;
    assert_eq!(preview("\r\n  a \r\n\r\n b\u{a0}c  "), "a b c");
    assert_eq!(
        preview("Content-Type: text/html; charset=utf-8\r\n\r\n<style>x</style><p>Xin&nbsp;ch\u{e0}o</p>"),
        "Xin chào"
    );
    let multi = "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>html</b>\r\n\
--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nfile\r\n--b\r\n\r\n \r\n--b\r\n\r\nplain\r\n--b--";
    assert_eq!(preview(multi), "plain");
    assert_eq!(preview(&format!("\r\n{}", "ệ ".repeat(10_000))).chars().count(), 255);
    assert_eq!(preview(&format!("\r\n{}", "ệ".repeat(10_000))).chars().count(), 256);
    let raw = b"Content-Type: text/plain; charset=\"windows-1258\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nVi=EA=F2t\r\nNam";
    let facts = checked(raw);
    assert_eq!(facts.preview, "Việt Nam");
    let root = facts.structure.root();
    assert_eq!(decode_text(root, &raw[root.body_start as usize..]).as_deref(), Some("Việt\r\nNam"));
    let raw = b"Content-Type: text/plain; charset*=us-ascii''viscii\r\n\r\nVi\xAEt";
    assert_eq!(checked(raw).preview, "Việt");
    let part = Part { media_type: "image".to_owned(), ..root.clone() };
    assert_eq!(decode_text(&part, b"x"), None);
}

#[test]
fn broken_messages_have_facts() {
    check_outline(b"", "text/plain");
    check_outline(b"\r\n", "text/plain");
    check_outline(b"\0\0\0", "text/plain");
    check_outline(b"Subject: header only", "text/plain");
    check_outline(b"Subject: header only\r\n", "text/plain");
    check_outline(b"From: a\rTo: b\r\rCR only\r", "text/plain");
    check_outline(b"no header at all\r\nreally\r\n", "text/plain");
    check_outline(b"Content-Type: nonsense\r\n\r\n", "text/plain");
    check_outline(b"Content-Type:\r\n\r\n", "text/plain");
    check_outline(b"Content-Type: image/png\r\nContent-Type: text/html\r\n\r\n", "image/png");
    // No boundary, never used, closed only, empty parts.
    check_outline(b"Content-Type: multipart/mixed\r\n\r\n--b\r\n", "text/plain");
    check_outline(b"Content-Type: multipart/mixed; boundary=b\r\n\r\ntext\r\n", "text/plain");
    check_outline(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n", "text/plain");
    check_outline(
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b--",
        "multipart/mixed(text/plain)",
    );
    check_outline(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b", "multipart/mixed(text/plain)");
    check_outline(b"Content-Type: multipart/mixed; boundary=b\r\n--b\r\n--b--", "text/plain");
    // A part that forgot its header and blank line is a body; the extended form of a boundary (RFC 2231).
    let raw = b"Content-Type: multipart/mixed; boundary*=us-ascii''b\r\n\r\n--b\r\nhello: there\r\n--b\r\nhello there\r\n\r\nyou\r\n\
--b\r\nContent-Type: message/rfc822\r\n\r\nFrom a@b today\r\nSubject: x\r\n\r\ny\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nnot one\r\n--b--";
    let facts = check_outline(
        raw,
        "multipart/mixed(text/plain text/plain message/rfc822(text/plain) message/rfc822(text/plain))",
    );
    assert_eq!(facts.structure.part(&[2]).unwrap().octets(), 18);
    assert_eq!(facts.structure.part(&[3, 1]).unwrap().octets(), 1);
    assert_eq!(facts.structure.part(&[4, 1]).unwrap().octets(), 7);
    assert_eq!(facts.preview, "hello there you");
    // Bare line feeds; a header that ends with the delimiter.
    let raw =
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/gif\n--b\n\nx\n\n--b--\n";
    let facts = check_outline(raw, "multipart/mixed(image/gif text/plain)");
    let second = facts.structure.part(&[2]).unwrap();
    assert_eq!(text(raw, second.body_start, second.body_end), "x\n");
    let first = facts.structure.part(&[1]).unwrap();
    assert_eq!(text(raw, first.header_start, first.body_start), "Content-Type: image/gif");
    assert_eq!(first.octets(), 0);
}

#[test]
fn boundaries_end_what_is_inside() {
    // The inner multipart never closes; the outer delimiter ends it (RFC 2046 5.1.2).
    let raw = b"Content-Type: multipart/mixed; boundary=out\r\n\r\n--out\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n\
--in\r\n\r\na\r\n--out\r\n\r\nb\r\n--in\r\n--out--\r\n--out\r\nepilogue";
    let facts = check_outline(raw, "multipart/mixed(multipart/mixed(text/plain) text/plain)");
    let second = facts.structure.part(&[2]).unwrap();
    assert_eq!(text(raw, second.body_start, second.body_end), "b\r\n--in");
    // One boundary is the beginning of the other: the longer is meant.
    let raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=bc\r\n\r\n\
--bc\r\n\r\na\r\n--bc--\r\n--b  \r\n\r\nb\r\n--b--";
    check_outline(raw, "multipart/mixed(multipart/mixed(text/plain) text/plain)");
    // The same boundary twice: the inner is meant while it is open.
    let raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
--b\r\n\r\na\r\n--b--\r\n--b\r\n\r\nb\r\n--b--";
    check_outline(raw, "multipart/mixed(multipart/mixed(text/plain) text/plain)");
}

/// Far above what a linear walk of a few MB takes unoptimised, far below what a quadratic one takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn check_hostile(name: &str, raw: &[u8]) -> Facts {
    let start = Instant::now();
    let facts = checked(raw);
    assert!(start.elapsed() < PATIENCE, "{name}: {:?}", start.elapsed());
    assert!(facts.structure.to_bytes().len() <= FACTS_BYTES_MAX + 100 * (PARTS_MAX + DEPTH_MAX), "{name}");
    facts
}

#[test]
fn hostile_nesting_is_capped() {
    let raw = "Content-Type: message/rfc822\r\n\r\n".repeat(50_000) + "Subject: x\r\n\r\nbody";
    let facts = check_hostile("messages", raw.as_bytes());
    assert_eq!(facts.structure.parts().count(), DEPTH_MAX + 1);
    assert_eq!(facts.structure.parts().last().unwrap().subtype, "octet-stream");
    let raw: String = (0..100_000)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"))
        .collect();
    check_hostile("nested multiparts", raw.as_bytes());
    let raw = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n".repeat(100_000);
    check_hostile("same boundary", raw.as_bytes());
    let raw = "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n".repeat(100_000);
    check_hostile("digests", raw.as_bytes());
}

#[test]
fn hostile_breadth_is_capped() {
    let raw =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned() + &"--b\r\n\r\nx\r\n".repeat(100_000);
    let facts = check_hostile("flat", raw.as_bytes());
    assert_eq!(facts.structure.parts().count(), PARTS_MAX + 1);
    let last = facts.structure.parts().last().unwrap();
    assert_eq!((last.subtype.as_str(), last.body_end), ("octet-stream", raw.len() as u64));
    let part = "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n--c--\r\n";
    let raw = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned() + &part.repeat(100_000);
    check_hostile("multiparts in a row", raw.as_bytes());
    let raw = "Content-Type: multipart/mixed; boundary=-\r\n\r\n".to_owned() + &"-".repeat(3_000_000);
    check_hostile("dashes", raw.as_bytes());
    let raw = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned() + &"--\r\n".repeat(500_000);
    check_hostile("no boundary", raw.as_bytes());
}

#[test]
fn hostile_headers_are_capped() {
    let raw: String = (0..200_000).map(|n| format!("X-{n}: y\r\n")).collect();
    assert_eq!(check_hostile("fields", raw.as_bytes()).header_count, 200_000);
    let raw = "From: a@b\r\n".repeat(200_000);
    assert_eq!(check_hostile("From", raw.as_bytes()).header_count, 200_000);
    let raw = "To: ".to_owned()
        + &"Nguyen Van A <a@b.example>,\r\n ".repeat(10_000_000 / 30)
        + "x@y\r\nSubject: z\r\n";
    let facts = check_hostile("To", raw.as_bytes());
    assert!(facts.envelope.to_bytes().len() < 2_000_000);
    assert_eq!(facts.envelope.subject.as_deref(), Some(&b"z"[..]));
    for field in ["To", "Content-Type", "Content-Disposition", "Subject", "References", "Content-Language"] {
        for flood in ["(", "\"", "=?utf-8?Q?a?= ", "=?utf-8?B?", "<", ";x=", ";x*0*=y", "\\", "a@b,", "\r\n "]
        {
            let raw = format!("{field}: {}\r\n\r\nbody", flood.repeat(2_000_000 / flood.len()));
            check_hostile(field, raw.as_bytes());
        }
    }
}

#[test]
fn hostile_parameters_share_one_budget() {
    let params: String = (0..50_000).map(|n| format!("; p{n}=\"{n}\"")).collect();
    let facts = check_hostile("params", format!("Content-Type: text/plain{params}\r\n\r\n").as_bytes());
    assert_eq!(facts.structure.root().params.len(), limits::PARAMS_MAX);
    let pieces: String = (0..50_000).map(|n| format!("; name*{n}*=%41")).collect();
    check_hostile("pieces", format!("Content-Type: text/plain{pieces}\r\n\r\n").as_bytes());
    let part = format!("--b\r\nContent-Type: text/plain; name=\"{}\"\r\n\r\n", "x".repeat(4_000));
    let raw = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned() + &part.repeat(4_000);
    check_hostile("names", raw.as_bytes());
    let part = format!("--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: {}\r\n\r\n", "x".repeat(4_000));
    let raw = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned() + &part.repeat(4_000);
    check_hostile("envelopes", raw.as_bytes());
}

#[test]
fn many_small_values_take_no_more_memory_than_few_large_ones() {
    let within = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    let addresses = "a,".repeat(4_000);
    let part = format!("--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: {addresses}\r\n\r\n");
    let facts = check_hostile("short addresses", (within.to_owned() + &part.repeat(200)).as_bytes());
    let envelopes = facts.structure.parts().filter_map(|part| part.envelope.as_deref());
    // From, Sender and Reply-To.
    let kept: usize = envelopes.map(|envelope| 3 * envelope.from.len()).sum();
    assert!((1..=FACTS_BYTES_MAX / size_of::<MailAddress>()).contains(&kept), "{kept}");

    let params: String = (0..limits::PARAMS_MAX).map(|n| format!(";{n:x}=")).collect();
    let part = format!("--b\r\nContent-Type: a/b{params}\r\nContent-Disposition: inline{params}\r\n\r\n");
    let facts = check_hostile("short parameters", (within.to_owned() + &part.repeat(2_000)).as_bytes());
    let kept: usize = facts.structure.parts().map(|part| part.params.len()).sum();
    assert!((1..=FACTS_BYTES_MAX / size_of::<structure::Param>()).contains(&kept), "{kept}");
}

#[test]
fn stored_forms_of_another_version_are_refused() {
    let facts = facts(SIMPLE.as_bytes());
    let mut bytes = facts.structure.to_bytes();
    bytes[0] += 1;
    assert_eq!(Structure::from_bytes(&bytes), None);
    assert_eq!(Structure::from_bytes(&[]), None);
    assert_eq!(Structure::from_bytes(&[1, 0]), None);
    assert_eq!(Envelope::from_bytes(&[2]), None);
    let bytes = facts.structure.to_bytes();
    assert_eq!(Structure::from_bytes(&bytes[..bytes.len() - 1]), None);
}

/// Pieces that mail is made of, to be put together in any order.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"--a",
    b"--ab",
    b"--a--",
    b"--ab--\r\n",
    b"--a\r\n",
    b"Content-Type: multipart/mixed; boundary=a\r\n",
    b"Content-Type: multipart/digest; boundary=\"ab\"\r\n\r\n",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Type: text/html; charset=x-viet-vni\r\n\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
    b"Content-Disposition: attachment; filename*0*=utf-8''%C3; filename*1=\"\xB4\"\r\n",
    b"Subject: =?utf-8?B?4bq?= =?utf-8?Q?=BF?= =?tcvn?Q?=B8?=\r\n",
    b"From: G: \"a\\\" <x@y>, (c) <@r:b@c>;\r\n",
    b"References: <a@b> <c@d>\r\n",
    b"<p>&#7879;<style></p>",
    b"\0",
    b"\xFF\xFE",
    b"+AGE-",
];

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(PIECES).prop_map(<[u8]>::to_vec);
    prop_oneof![4 => known, 1 => prop::collection::vec(any::<u8>(), 0..8)]
}

proptest! {
    #[test]
    fn any_bytes_have_facts(raw in prop::collection::vec(any::<u8>(), 0..2_000)) {
        checked(&raw);
    }

    #[test]
    fn any_pieces_of_mail_have_facts(pieces in prop::collection::vec(piece(), 0..60)) {
        let raw = pieces.concat();
        let facts = checked(&raw);
        for part in facts.structure.parts() {
            decode_text(part, &raw[part.body_start as usize..part.body_end as usize]);
            let header = &raw[part.header_start as usize..part.body_start as usize];
            let fields: Vec<u8> = header_fields(header).flat_map(|field| field.raw.to_vec()).collect();
            prop_assert!(header.starts_with(&fields));
            prop_assert_eq!(header_subset(header, &[]).len() + fields.len(), header_subset_not(header, &[]).len());
        }
    }

    #[test]
    fn mutated_mail_has_facts(
        at in 0..SIMPLE.len(),
        cut in 0..40_usize,
        insert in prop::collection::vec(any::<u8>(), 0..4),
        nested in any::<bool>(),
    ) {
        let mut raw = if nested { sections_message().into_bytes() } else { SIMPLE.as_bytes().to_vec() };
        let at = at.min(raw.len());
        raw.splice(at..(at + cut).min(raw.len()), insert);
        checked(&raw);
    }

    #[test]
    fn any_value_decodes(value in prop::collection::vec(any::<u8>(), 0..300), label in "[ -~]{0,12}") {
        let text = decode_header(&value);
        prop_assert!(!text.chars().any(char::is_control));
        charset::decode(&label, &value);
        for label in ["utf-7", "utf-16", "x-viet-vni", "tcvn3", "viscii", "vps", "windows-1258", "iso-2022-jp"] {
            let once = charset::tidy_text(&charset::decode(label, &value));
            prop_assert_eq!(charset::tidy_text(&once), once);
        }
        html_text(&text);
        decode_body("base64", &value);
        decode_body("quoted-printable", &value);
        date::civil_date(&value);
        Envelope::from_bytes(&value);
        Structure::from_bytes(&value);
    }
}
