//! Known answers of the writer.

use super::events;
use crate::imap::*;
use crate::mime::{Envelope, MailAddress, Structure};
use proptest::prelude::*;
use std::num::NonZeroU32;

fn written(write: impl FnOnce(&mut Writer)) -> String {
    let mut writer = Writer::new();
    write(&mut writer);
    assert!(!writer.is_empty());
    let text = String::from_utf8(writer.take()).unwrap();
    assert!(writer.is_empty());
    text
}

fn tag(text: &str) -> Tag {
    match events(super::LIMITS, format!("{text} NOOP\r\n").as_bytes(), usize::MAX).pop() {
        Some(Event::Command(request)) => request.tag,
        other => panic!("{other:?}"),
    }
}

#[test]
fn status_lines() {
    let line = |line: StatusLine<'_>| written(|w| w.untagged(&line));
    assert_eq!(line(StatusLine::ok("Ready").with(Code::Alert)), "* OK [ALERT] Ready\r\n");
    assert_eq!(line(StatusLine::bye("Tạm biệt\r\na1 OK")), "* BYE T?m bi?t??a1 OK\r\n");
    assert_eq!(
        written(|w| w.tagged(&tag("A142"), &StatusLine::ok("SELECT completed").with(Code::ReadWrite))),
        "A142 OK [READ-WRITE] SELECT completed\r\n"
    );
    let code = |code| line(StatusLine::no("x").with(code));
    assert_eq!(code(Code::UidNext(4392)), "* NO [UIDNEXT 4392] x\r\n");
    assert_eq!(code(Code::BadCharset), "* NO [BADCHARSET (US-ASCII UTF-8)] x\r\n");
    assert_eq!(
        code(Code::PermanentFlags { flags: vec!["\\Deleted".into(), "\\Seen".into()], any: true }),
        "* NO [PERMANENTFLAGS (\\Deleted \\Seen \\*)] x\r\n"
    );
    assert_eq!(code(Code::PermanentFlags { flags: vec![], any: false }), "* NO [PERMANENTFLAGS ()] x\r\n");
    assert_eq!(
        code(Code::Capability(vec!["IMAP4rev1".into(), "IDLE".into()])),
        "* NO [CAPABILITY IMAP4rev1 IDLE] x\r\n"
    );
    // RFC 4315 3
    assert_eq!(code(Code::AppendUid(38505, vec![3955])), "* NO [APPENDUID 38505 3955] x\r\n");
    assert_eq!(
        code(Code::CopyUid(38505, vec![304, 319, 320], vec![3956, 3957, 3958])),
        "* NO [COPYUID 38505 304,319:320 3956:3958] x\r\n"
    );
    assert_eq!(code(Code::CopyUid(1, vec![], vec![])), "* NO x\r\n");
    let progress = |done, goal| code(Code::InProgress { tag: "A\\1".into(), done, goal });
    assert_eq!(progress(Some(7), Some(5)), "* NO [INPROGRESS (\"A\\\\1\" 5 5)] x\r\n");
    assert_eq!(progress(None, Some(0)), "* NO [INPROGRESS (\"A\\\\1\" NIL NIL)] x\r\n");
    assert_eq!(
        code(Code::CopyUid(1, vec![u32::MAX, 1], vec![3, 2])),
        "* NO [COPYUID 1 4294967295,1 3,2] x\r\n"
    );
    let reject = |tag| Reject { tag, status: Status::Bad, code: Some(Code::TooBig), text: "No" };
    assert_eq!(written(|w| w.rejected(&reject(None))), "* BAD [TOOBIG] No\r\n");
    assert_eq!(written(|w| w.rejected(&reject(Some(tag("a"))))), "a BAD [TOOBIG] No\r\n");
}

#[test]
fn session_responses() {
    assert_eq!(written(|w| w.capability(["IMAP4rev1", "IDLE"])), "* CAPABILITY IMAP4rev1 IDLE\r\n");
    assert_eq!(written(|w| w.enabled(["CONDSTORE"])), "* ENABLED CONDSTORE\r\n");
    assert_eq!(written(|w| w.enabled([])), "* ENABLED\r\n");
    assert_eq!(written(|w| w.id(&[("name", "congthu")])), "* ID (\"name\" \"congthu\")\r\n");
    assert_eq!(written(|w| w.id(&[])), "* ID NIL\r\n");
    assert_eq!(written(|w| w.continuation("idling")), "+ idling\r\n");
    assert_eq!(written(|w| w.challenge(b"User Name\0")), "+ VXNlciBOYW1lAA==\r\n");
    assert_eq!(written(|w| w.challenge(b"")), "+ \r\n");
}

#[test]
fn mailbox_responses() {
    let list = |name: &str| written(|w| w.list_entry(ListKind::List, ["\\HasNoChildren"], Some('/'), name));
    assert_eq!(list("~/Mail/foo"), "* LIST (\\HasNoChildren) \"/\" ~/Mail/foo\r\n");
    assert_eq!(list("Thư đi"), "* LIST (\\HasNoChildren) \"/\" \"Th&AbA- &ARE-i\"\r\n");
    assert_eq!(list("a \"b\\"), "* LIST (\\HasNoChildren) \"/\" \"a \\\"b\\\\\"\r\n");
    assert_eq!(list("nil"), "* LIST (\\HasNoChildren) \"/\" \"nil\"\r\n");
    assert_eq!(written(|w| w.list_entry(ListKind::Lsub, [], None, "")), "* LSUB () NIL \"\"\r\n");
    let utf8 = written(|w| {
        w.enable_utf8();
        w.list_entry(ListKind::List, [], Some('/'), "Thư & x");
    });
    assert_eq!(utf8, "* LIST () \"/\" \"Thư & x\"\r\n");
    assert_eq!(
        written(|w| w.status("blurdybloop", &[(StatusItem::Messages, 231), (StatusItem::UidNext, 44292)])),
        "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)\r\n"
    );
    assert_eq!(written(|w| w.search([2, 84, 882])), "* SEARCH 2 84 882\r\n");
    assert_eq!(written(|w| w.search([])), "* SEARCH\r\n");
    assert_eq!(written(|w| w.flags(["\\Answered", "$x"])), "* FLAGS (\\Answered $x)\r\n");
    let counts = written(|w| {
        w.exists(172);
        w.recent(1);
        w.expunge(3);
    });
    assert_eq!(counts, "* 172 EXISTS\r\n* 1 RECENT\r\n* 3 EXPUNGE\r\n");
    // RFC 2342 5
    assert_eq!(
        written(|w| w.namespace([&[("", Some('/'))], &[], &[]])),
        "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"
    );
    assert_eq!(
        written(|w| w.namespace([&[("", Some('/')), ("#mh/", Some('/'))], &[("~", None)], &[]])),
        "* NAMESPACE ((\"\" \"/\")(\"#mh/\" \"/\")) ((\"~\" NIL)) NIL\r\n"
    );
    // RFC 9208 4.2
    assert_eq!(
        written(|w| w.quota("#user/alice", &[("STORAGE", 54, 111)])),
        "* QUOTA #user/alice (STORAGE 54 111)\r\n"
    );
    assert_eq!(written(|w| w.quota("", &[])), "* QUOTA \"\" ()\r\n");
    assert_eq!(
        written(|w| w.quota_root("INBOX", &["#user/alice", "a b"])),
        "* QUOTAROOT INBOX #user/alice \"a b\"\r\n"
    );
}

#[test]
fn fetch_responses() {
    let response = written(|w| {
        w.fetch_start(12);
        w.fetch_flags(["\\Seen"]);
        w.fetch_uid(7);
        w.fetch_internal_date("1996-07-17T09:44:25Z".parse().unwrap(), jiff::tz::offset(-7));
        w.fetch_size(4286);
        let fields = Some(SectionText::HeaderFields(vec!["Date".into(), "đ".into()]));
        let mut wanted =
            BodySection { section: Section { part: vec![1, 2], text: fields }, peek: true, partial: None };
        w.fetch_section(&wanted, None);
        wanted.section = Section::default();
        wanted.partial = Some(Partial { offset: 5, length: NonZeroU32::MAX });
        w.fetch_section(&wanted, Some(2));
        w.raw(b"ab");
        w.fetch_rfc822(&FetchItem::Rfc822Text, Some(0));
        w.fetch_end();
        w.fetch_start(12);
        let mut wanted = BinarySection { part: vec![1, 2], peek: true, partial: None };
        w.fetch_binary(&wanted, None, false);
        w.fetch_binary(&wanted, Some(0), false);
        wanted = BinarySection {
            part: vec![],
            peek: false,
            partial: Some(Partial { offset: 9, length: NonZeroU32::MIN }),
        };
        w.fetch_binary(&wanted, Some(1), true);
        w.raw(b"\0");
        w.fetch_binary_size(&[1, 2], 1 << 40);
        w.fetch_end();
        w.fetch_start(13);
        w.fetch_flags([]);
        w.fetch_end();
    });
    assert_eq!(
        response,
        "* 12 FETCH (FLAGS (\\Seen) UID 7 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 4286 \
         BODY[1.2.HEADER.FIELDS (Date {2}\r\nđ)] NIL BODY[]<5> {2}\r\nab RFC822.TEXT {0}\r\n)\r\n\
         * 12 FETCH (BINARY[1.2] NIL BINARY[1.2] {0}\r\n BINARY[]<9> ~{1}\r\n\0 BINARY.SIZE[1.2] 1099511627776)\r\n\
         * 13 FETCH (FLAGS ())\r\n"
    );
}

/// RFC 3501 8: the sample connection's envelope.
#[test]
fn envelopes() {
    let address = |name: Option<&str>, mailbox: &str, host: &str| MailAddress {
        name: name.map(|n| n.as_bytes().to_vec()),
        route: None,
        mailbox: Some(mailbox.as_bytes().to_vec()),
        host: Some(host.as_bytes().to_vec()),
    };
    let terry = vec![address(Some("Terry Gray"), "gray", "cac.washington.edu")];
    let envelope = Envelope {
        date: Some(b"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)".to_vec()),
        subject: Some(b"IMAP4rev1 WG mtg summary and minutes".to_vec()),
        from: terry.clone(),
        sender: terry.clone(),
        reply_to: terry,
        to: vec![address(None, "imap", "cac.washington.edu")],
        cc: vec![
            address(None, "minutes", "CNRI.Reston.VA.US"),
            address(Some("John Klensin"), "KLENSIN", "MIT.EDU"),
        ],
        message_id: Some(b"<B27397-0100000@cac.washington.edu>".to_vec()),
        ..Envelope::default()
    };
    let terry = r#"(("Terry Gray" NIL "gray" "cac.washington.edu"))"#;
    let expected = format!(
        "* 1 FETCH (ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" \
         {terry} {terry} {terry} ((NIL NIL \"imap\" \"cac.washington.edu\")) \
         ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
         \"<B27397-0100000@cac.washington.edu>\"))\r\n"
    );
    let fetch = |envelope: &Envelope| {
        written(|w| {
            w.fetch_start(1);
            w.fetch_envelope(envelope);
            w.fetch_end();
        })
    };
    assert_eq!(fetch(&envelope), expected);
    let odd =
        Envelope {
            subject: Some("a\r\n\0đ\"".into()), date: Some(vec![b'x'; 1_001]), ..Envelope::default()
        };
    let expected = format!(
        "* 1 FETCH (ENVELOPE ({{1001}}\r\n{} {{6}}\r\na\r\nđ\" NIL NIL NIL NIL NIL NIL NIL NIL))\r\n",
        "x".repeat(1_001)
    );
    assert_eq!(fetch(&odd), expected);
}

fn structure(raw: &str) -> (String, String) {
    let structure: Structure = crate::mime::facts(raw.as_bytes()).structure;
    let body = |write: fn(&mut Writer, &Structure)| {
        written(|w| {
            w.fetch_start(1);
            write(w, &structure);
            w.fetch_end();
        })
        .replace("* 1 FETCH (", "")
        .replace(")\r\n", "")
    };
    (body(Writer::fetch_body), body(Writer::fetch_body_structure))
}

#[test]
fn structures() {
    let plain = "Content-Type: text/plain; charset=us-ascii\r\n\r\na\r\nb\r\n";
    let (body, full) = structure(plain);
    assert_eq!(body.to_lowercase(), r#"body ("text" "plain" ("charset" "us-ascii") nil nil "7bit" 6 2)"#);
    assert_eq!(
        full.to_lowercase(),
        r#"bodystructure ("text" "plain" ("charset" "us-ascii") nil nil "7bit" 6 2 nil nil nil nil)"#
    );
    let mixed = "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhi\r\n--x\r\n\
        Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <a>\r\nContent-Language: vi, en\r\n\
        Content-Disposition: attachment; filename=b.pdf\r\n\r\nAAAA\r\n--x\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\nyo\r\n--x--\r\n";
    let (body, full) = structure(mixed);
    assert!(body.to_lowercase().starts_with("body ((\"text\" \"plain\" "), "{body}");
    assert!(
        body.contains(
            r#"("application" "pdf" NIL "<a>" NIL "base64" 4)("message" "rfc822" NIL NIL NIL "7bit" "#
        ),
        "{body}"
    );
    assert!(body.contains(r#" (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" "#), "{body}");
    assert!(body.ends_with(" \"mixed\")"), "{body}");
    assert!(full.contains(r#" NIL ("attachment" ("filename" "b.pdf")) ("vi" "en") NIL)"#), "{full}");
    assert!(full.ends_with(r#" "mixed" ("boundary" "x") NIL NIL NIL)"#), "{full}");
    for text in [body, full] {
        assert_eq!(text.matches('(').count(), text.matches(')').count(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_stays_in_its_string(bytes in prop::collection::vec(any::<u8>(), 0..60), utf8 in any::<bool>()) {
        let mut writer = Writer::new();
        if utf8 {
            writer.enable_utf8();
        }
        let envelope = Envelope { subject: Some(bytes.clone()), ..Envelope::default() };
        writer.fetch_envelope(&envelope);
        let out = writer.take();
        // What we wrote is a string that our own parser reads back.
        let argument = out.strip_prefix(b"ENVELOPE (NIL ").unwrap().strip_suffix(b" NIL NIL NIL NIL NIL NIL NIL NIL)").unwrap();
        let kept: Vec<u8> = bytes.into_iter().filter(|b| *b != 0).collect();
        let login = [b"LOGIN x ", argument].concat();
        let expected = Command::Login { user: "x".to_owned(), password: Secret(kept) };
        prop_assert_eq!(super::parse(login), Ok(expected));
    }

    #[test]
    fn any_name_is_read_back(name in any::<String>()) {
        let mut writer = Writer::new();
        writer.list_entry(ListKind::List, [], None, &name);
        let out = writer.take();
        let argument = out.strip_prefix(b"* LIST () NIL ").unwrap().strip_suffix(b"\r\n").unwrap();
        prop_assert_eq!(super::parse([b"DELETE ", argument].concat()), Ok(Command::Delete(Mailbox(name))));
    }

    #[test]
    fn uid_sets_keep_order(uids in prop::collection::vec(1_u32..40, 1..30)) {
        let text = written(|w| w.untagged(&StatusLine::ok("x").with(Code::AppendUid(1, uids.clone()))));
        let set = text.strip_prefix("* OK [APPENDUID 1 ").unwrap().strip_suffix("] x\r\n").unwrap();
        let numbers = set.split(',').flat_map(|range| {
            let (from, to) = range.split_once(':').unwrap_or((range, range));
            from.parse::<u32>().unwrap()..=to.parse::<u32>().unwrap()
        });
        prop_assert_eq!(numbers.collect::<Vec<_>>(), uids);
    }
}
