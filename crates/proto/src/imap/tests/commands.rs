//! Known answers: the commands that the RFCs show.

use super::parse;
use crate::imap::*;
use jiff::civil::date;
use std::num::NonZeroU32;

fn mailbox(name: &str) -> Mailbox {
    Mailbox(name.to_owned())
}

fn command(text: &str) -> Command {
    parse(text).unwrap_or_else(|reject| panic!("{text:?}: {reject:?}"))
}

fn set(ranges: &[(u32, u32)]) -> SequenceSet {
    let number = |n| NonZeroU32::new(n).map_or(SeqNumber::Last, SeqNumber::Number);
    let ranges = ranges.iter().map(|&(from, to)| SeqRange { from: number(from), to: number(to) });
    SequenceSet::new(ranges.collect()).unwrap()
}

fn key(text: &str) -> SearchKey {
    match command(&format!("SEARCH {text}")) {
        Command::Search { uid: false, options: None, key } => key,
        other => panic!("{other:?}"),
    }
}

fn items(text: &str) -> Vec<FetchItem> {
    match command(&format!("FETCH 1 {text}")) {
        Command::Fetch { items, .. } => items,
        other => panic!("{other:?}"),
    }
}

#[test]
fn words_alone() {
    for (text, expected) in [
        ("CAPABILITY", Command::Capability),
        ("noop", Command::Noop),
        ("Logout", Command::Logout),
        ("STARTTLS", Command::Starttls),
        ("NAMESPACE", Command::Namespace),
        ("IDLE", Command::Idle),
        ("CHECK", Command::Check),
        ("CLOSE", Command::Close),
        ("UNSELECT", Command::Unselect),
        ("EXPUNGE", Command::Expunge { uids: None }),
        ("UID EXPUNGE 3000:3002", Command::Expunge { uids: Some(set(&[(3000, 3002)])) }),
    ] {
        assert_eq!(command(text), expected);
        assert!(text.to_uppercase().starts_with(expected.name()), "{text}");
        assert!(parse(format!("{text} ")).is_err() && parse(format!("{text} x")).is_err(), "{text}");
    }
}

#[test]
fn logging_in() {
    let login = |user: &str, password: &str| Command::Login {
        user: user.to_owned(),
        password: Secret(password.as_bytes().to_vec()),
    };
    assert_eq!(command("login mrc secret"), login("mrc", "secret"));
    // RFC 3501 7.5, RFC 7888 3
    let fred = login("FRED FOOBAR", "fat man");
    for text in [
        "LOGIN {11}\r\nFRED FOOBAR {7}\r\nfat man",
        "LOGIN {11+}\r\nFRED FOOBAR {7+}\r\nfat man",
        "LOGIN \"FRED FOOBAR\" \"fat man\"",
    ] {
        assert_eq!(command(text), fred);
    }
    assert_eq!(command(r#"LOGIN a "q\"b\\""#), login("a", r#"q"b\"#));
    assert_eq!(command("LOGIN a]b {3}\n]{}"), login("a]b", "]{}"));
    assert_eq!(command("LOGIN \"\" {0}\r\n"), login("", ""));
    assert!(!format!("{fred:?}").contains("fat"));
}

#[test]
fn authenticating() {
    let expected = |mechanism: &str, initial: Option<&[u8]>| Command::Authenticate {
        mechanism: mechanism.to_owned(),
        initial: initial.map(|bytes| Secret(bytes.to_vec())),
    };
    assert_eq!(command("AUTHENTICATE GSSAPI"), expected("GSSAPI", None));
    // RFC 4959 4
    assert_eq!(
        command("AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q="),
        expected("PLAIN", Some(b"test\0test\0test"))
    );
    assert_eq!(command("AUTHENTICATE external ="), expected("EXTERNAL", Some(b"")));
    for bad in ["AUTHENTICATE", "AUTHENTICATE PLAIN ", "AUTHENTICATE PLAIN dGV", "AUTHENTICATE PLAIN a b"] {
        assert!(parse(bad).is_err(), "{bad:?}");
    }
    assert_eq!(SaslResponse::parse(b"*"), SaslResponse::Cancelled);
    assert_eq!(SaslResponse::parse(b""), SaslResponse::Response(Secret(Vec::new())));
    assert_eq!(SaslResponse::parse(b"dGVzdA=="), SaslResponse::Response(Secret(b"test".to_vec())));
    assert_eq!(SaslResponse::parse(b"dGVzdA"), SaslResponse::Invalid);
    assert!(is_done(b"done") && !is_done(b"DONE "));
}

#[test]
fn session_extensions() {
    assert_eq!(command("ID NIL"), Command::Id(vec![]));
    assert_eq!(command("ID ()"), Command::Id(vec![]));
    let pair = |a: &str, b: Option<&str>| (a.to_owned(), b.map(str::to_owned));
    // RFC 2971 3.1
    assert_eq!(
        command(r#"ID ("name" "sodr" "version" "19.34" "vendor" NIL)"#),
        Command::Id(vec![pair("name", Some("sodr")), pair("version", Some("19.34")), pair("vendor", None)])
    );
    // aioimaplib 2.0.1
    assert_eq!(command(r#"ID ( "name" "sodr" )"#), Command::Id(vec![("name".into(), Some("sodr".into()))]));
    assert_eq!(command("ID ( )"), Command::Id(vec![]));
    assert!(
        parse(r#"ID ("name")"#).is_err()
            && parse("ID x").is_err()
            && parse(r#"ID ("a" "b""c" "d")"#).is_err()
    );
    // RFC 5161 3.1
    assert_eq!(
        command("ENABLE condstore X-GOOD-IDEA"),
        Command::Enable(vec!["CONDSTORE".to_owned(), "X-GOOD-IDEA".to_owned()])
    );
}

#[test]
fn mailboxes() {
    let select = |name, read_only| Command::Select {
        mailbox: mailbox(name),
        read_only,
        params: SelectParams::default(),
    };
    assert_eq!(command("select inbox"), select("inbox", false));
    assert!(mailbox("inbox").is_inbox());
    assert_eq!(command("EXAMINE blurdybloop"), select("blurdybloop", true));
    let create = |name| Command::Create { mailbox: mailbox(name), special_use: vec![] };
    assert_eq!(command("CREATE owatagusiam/"), create("owatagusiam/"));
    assert_eq!(command("CREATE \"#mh/Deleted Items\""), create("#mh/Deleted Items"));
    assert_eq!(command("CREATE Th&AbA-"), create("Thư"));
    // Neither is modified UTF-7: taken as it stands.
    assert_eq!(command("CREATE \"R&D\""), create("R&D"));
    assert_eq!(command("CREATE \"Thư\""), create("Thư"));
    assert!(parse(b"CREATE \"Th\xb0\"").is_err());
    // RFC 6154 5.4
    assert_eq!(
        command(r"CREATE MySpecial (USE (\Drafts \Sent))"),
        Command::Create {
            mailbox: mailbox("MySpecial"),
            special_use: vec!["\\Drafts".to_owned(), "\\Sent".to_owned()]
        }
    );
    assert_eq!(command("DELETE foo/bar"), Command::Delete(mailbox("foo/bar")));
    assert_eq!(
        command("RENAME INBOX old-mail"),
        Command::Rename { from: mailbox("INBOX"), to: mailbox("old-mail") }
    );
    assert_eq!(
        command("SUBSCRIBE #news.comp.mail.mime"),
        Command::Subscribe(mailbox("#news.comp.mail.mime"))
    );
    assert_eq!(command("UNSUBSCRIBE {1}\r\na"), Command::Unsubscribe(mailbox("a")));
    for bad in ["SELECT", "SELECT a b", "SELECT  a", "SELECT (a)", "SELECT a*", "RENAME a", "CREATE a (USE)"]
    {
        assert!(parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn listing() {
    let list = |reference: &str, patterns: &[&str], extended, select, give| {
        Command::List(List {
            extended,
            select,
            reference: mailbox(reference),
            patterns: patterns.iter().map(|p| ListPattern((*p).to_owned())).collect(),
            give,
        })
    };
    let plain =
        |reference, pattern| list(reference, &[pattern], false, ListSelect::default(), ListReturn::default());
    assert_eq!(command(r#"LIST "" *"#), plain("", "*"));
    assert_eq!(command(r#"LIST #news.comp.mail.misc """#), plain("#news.comp.mail.misc", ""));
    assert_eq!(command("LIST ~/Mail/ %"), plain("~/Mail/", "%"));
    assert_eq!(command(r#"LIST "" "Th&AbA-/%""#), plain("", "Thư/%"));
    let extended = |patterns, select, give| list("", patterns, true, select, give);
    let any = ListSelect::default();
    let nothing = ListReturn::default;
    let uses = ListReturn { special_use: true, ..nothing() };
    assert_eq!(command(r#"LIST "" "%" RETURN (SPECIAL-USE)"#), extended(&["%"], any, uses));
    assert_eq!(command(r#"LIST () "" "%""#), extended(&["%"], any, nothing()));
    assert_eq!(command(r#"LIST "" ("%")"#), extended(&["%"], any, nothing()));
    assert_eq!(command(r#"LIST "" % RETURN ()"#), extended(&["%"], any, nothing()));
    let special = ListSelect { special_use: true, ..any };
    assert_eq!(command(r#"LIST (SPECIAL-USE) "" "*""#), extended(&["*"], special, nothing()));
    // RFC 5258 5, RFC 5819 3
    let subscribed = ListSelect { subscribed: true, ..any };
    let everything = ListSelect { remote: true, recursive_match: true, ..subscribed };
    assert_eq!(
        command(r#"LIST (REMOTE RECURSIVEMATCH SUBSCRIBED) "" %"#),
        extended(&["%"], everything, nothing())
    );
    let give = ListReturn {
        my_rights: false,
        subscribed: true,
        children: true,
        special_use: true,
        status: vec![StatusItem::Messages, StatusItem::Size, StatusItem::AppendLimit],
    };
    assert_eq!(
        command(
            r#"LIST () "" (INBOX "a%") RETURN (children Subscribed special-use STATUS (MESSAGES size appendlimit))"#
        ),
        extended(&["INBOX", "a%"], any, give)
    );
    assert_eq!(
        command(r#"XLIST "" "*""#),
        Command::Xlist { reference: mailbox(""), pattern: ListPattern("*".to_owned()) }
    );
    assert_eq!(
        command(r##"LSUB "#news." "comp.%""##),
        Command::Lsub { reference: mailbox("#news."), pattern: ListPattern("comp.%".to_owned()) }
    );
    for bad in [
        r#"LIST """#,
        r#"LIST "" ()"#,
        r#"LIST (X) "" *"#,
        r#"LIST "" * RETURN (X)"#,
        r#"LSUB "" (a)"#,
        r#"LIST (RECURSIVEMATCH) "" *"#,
        r#"LIST (REMOTE RECURSIVEMATCH) "" *"#,
        r#"LIST "" * RETURN (STATUS)"#,
        r#"LIST "" * RETURN (STATUS ())"#,
        r#"XLIST "" (a)"#,
    ] {
        assert!(parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn status_and_quota() {
    assert_eq!(
        command("STATUS blurdybloop (UIDNEXT MESSAGES)"),
        Command::Status {
            mailbox: mailbox("blurdybloop"),
            items: vec![StatusItem::UidNext, StatusItem::Messages]
        }
    );
    assert!(
        command("STATUS a (messages recent uidnext uidvalidity unseen deleted deleted-storage)").name()
            == "STATUS"
    );
    assert_eq!(command("GETQUOTA \"!partition/sda4\""), Command::GetQuota("!partition/sda4".to_owned()));
    assert_eq!(command("GETQUOTA \"\""), Command::GetQuota(String::new()));
    assert_eq!(command("GETQUOTAROOT INBOX"), Command::GetQuotaRoot(mailbox("INBOX")));
    assert_eq!(
        command("SETQUOTA \"#user/alice\" (STORAGE 510)"),
        Command::SetQuota { root: "#user/alice".to_owned(), limits: vec![("STORAGE".to_owned(), 510)] }
    );
    for bad in [
        "STATUS a ()",
        "STATUS a MESSAGES",
        "STATUS a (X)",
        "SETQUOTA a (STORAGE)",
        "SETQUOTA a (STORAGE -1)",
    ] {
        assert!(parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn fetching() {
    use FetchItem::*;
    assert_eq!(items("fast"), [Flags, InternalDate, Rfc822Size]);
    assert_eq!(items("ALL"), [Flags, InternalDate, Rfc822Size, Envelope]);
    assert_eq!(items("full"), [Flags, InternalDate, Rfc822Size, Envelope, Body]);
    assert_eq!(items("(UID BODYSTRUCTURE RFC822 RFC822.HEADER RFC822.TEXT)").len(), 5);
    let of = |part: &[u32], text, peek, partial: Option<(u32, u32)>| {
        let partial = partial.map(|(offset, n)| Partial { offset, length: NonZeroU32::new(n).unwrap() });
        vec![Section(BodySection {
            section: crate::imap::Section { part: part.to_vec(), text },
            peek,
            partial,
        })]
    };
    let fields = || vec!["DATE".to_owned(), "FROM".to_owned()];
    assert_eq!(items("body[header]"), of(&[], Some(SectionText::Header), false, None));
    assert_eq!(items("BODY[]<0.2048>"), of(&[], None, false, Some((0, 2048))));
    assert_eq!(items("(BODY.PEEK[])"), of(&[], None, true, None));
    assert_eq!(items("BODY[4.2.2.1]"), of(&[4, 2, 2, 1], None, false, None));
    assert_eq!(items("BODY[4.1.MIME]"), of(&[4, 1], Some(SectionText::Mime), false, None));
    assert_eq!(items("BODY[3.TEXT]"), of(&[3], Some(SectionText::Text), false, None));
    let expected = of(&[], Some(SectionText::HeaderFields(fields())), false, None);
    assert_eq!(items("BODY[HEADER.FIELDS (DATE FROM)]"), expected);
    assert_eq!(items("BODY[HEADER.FIELDS ({4}\r\nDATE \"FROM\")]"), expected);
    let expected = of(&[1], Some(SectionText::HeaderFieldsNot(fields())), true, Some((1, 2)));
    assert_eq!(items("BODY.PEEK[1.HEADER.FIELDS.NOT (DATE FROM)]<1.2>"), expected);
    let binary = |part: &[u32], peek, partial: Option<(u32, u32)>| {
        let partial = partial.map(|(offset, n)| Partial { offset, length: NonZeroU32::new(n).unwrap() });
        vec![Binary(BinarySection { part: part.to_vec(), peek, partial })]
    };
    // RFC 3516 7
    assert_eq!(items("BINARY[]"), binary(&[], false, None));
    assert_eq!(items("binary.peek[1.2]<5.7>"), binary(&[1, 2], true, Some((5, 7))));
    assert_eq!(items("(BINARY.SIZE[3] BINARY.SIZE[])"), [BinarySize(vec![3]), BinarySize(vec![])]);
    for bad in [
        "BINARY",
        "BINARY.PEEK",
        "BINARY.SIZE",
        "BINARY[1.MIME]",
        "BINARY[TEXT]",
        "BINARY[HEADER.FIELDS (A)]",
        "BINARY[0]",
        "BINARY[1]<0.0>",
        "BINARY[1]<4294967296.1>",
        "BINARY.SIZE[1]<0.1>",
        "BINARY.SIZE.PEEK[1]",
        "()",
        "(FAST)",
        "FAST FLAGS",
        "BODY[MIME]",
        "BODY[1.]",
        "BODY[0]",
        "BODY[.TEXT]",
        "BODY[1",
        "BODY[]<0.0>",
        "BODY[]<1>",
        "BODY[HEADER.FIELDS ()]",
        "BODY.PEEK",
        "BODYSTRUCTURE[1]",
        "X",
        "(FLAGS UID",
        "(FLAGS  UID)",
    ] {
        assert!(parse(format!("FETCH 1 {bad}")).is_err(), "{bad:?}");
    }
}

#[test]
fn sets_of_messages() {
    let parsed = |text: &str| match command(&format!("UID FETCH {text} FLAGS")) {
        Command::Fetch { uid: true, set, .. } => set,
        other => panic!("{other:?}"),
    };
    assert_eq!(parsed("2,4:7,9,12:*"), set(&[(2, 2), (4, 7), (9, 9), (12, 0)]));
    assert_eq!(parsed("*:4,5:7"), set(&[(0, 4), (5, 7)]));
    assert_eq!(parsed("4294967295"), set(&[(u32::MAX, u32::MAX)]));
    for bad in ["0", "01", "1,", ",1", "1:", "1:2:3", "4294967296", "1 ,2", "a", "$,1", "-1", "", "**"] {
        assert!(parse(format!("FETCH {bad} FLAGS")).is_err(), "{bad:?}");
    }
}

#[test]
fn storing() {
    let store = |mode, silent, flags: &[Flag]| Command::Store {
        uid: false,
        set: set(&[(2, 4)]),
        mode,
        silent,
        flags: flags.to_vec(),
        unchanged_since: None,
    };
    assert_eq!(command(r"STORE 2:4 +FLAGS (\Deleted)"), store(StoreMode::Add, false, &[Flag::Deleted]));
    assert_eq!(
        command(r"STORE 2:4 -flags.silent \SEEN $Forwarded"),
        store(StoreMode::Remove, true, &[Flag::Seen, Flag::Keyword("$Forwarded".to_owned())])
    );
    assert_eq!(command("STORE 2:4 FLAGS.SILENT ()"), store(StoreMode::Replace, true, &[]));
    assert_eq!(
        command(r"STORE 2:4 FLAGS (\Recent \X)"),
        store(StoreMode::Replace, false, &[Flag::Recent, Flag::Extension("\\X".to_owned())])
    );
    for bad in [
        "FLAGS",
        "+FLAG (a)",
        "+-FLAGS a",
        "++FLAGS a",
        r"FLAGS \*",
        r"FLAGS (\)",
        "FLAGS (a  b)",
        "FLAGS (a",
        "FLAGS a,b]",
    ] {
        assert!(parse(format!("STORE 1 {bad}")).is_err(), "{bad:?}");
    }
}

#[test]
fn copying() {
    let target = mailbox("MEETING");
    assert_eq!(
        command("COPY 2:4 MEETING"),
        Command::Copy { uid: false, set: set(&[(2, 4)]), mailbox: target }
    );
    let target = mailbox("foo");
    assert_eq!(
        command("UID MOVE 42:69 foo"),
        Command::Move { uid: true, set: set(&[(42, 69)]), mailbox: target }
    );
    for unknown in ["XPIG-LATIN", "UID NOOP", "BLURDYBLOOP {3}\r\nabc", "", "UID"] {
        assert_eq!(parse(unknown).unwrap_err().status, Status::Bad, "{unknown:?}");
    }
}

#[test]
fn searching() {
    use SearchKey::*;
    assert_eq!(
        key(r#"FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith""#),
        And(vec![
            Has(Flag::Flagged),
            Internal(DateTest::Since, date(1994, 2, 1)),
            Not(Box::new(From("Smith".to_owned())))
        ])
    );
    assert_eq!(key("TEXT \"string not in mailbox\""), Text("string not in mailbox".to_owned()));
    assert_eq!(key("CHARSET UTF-8 TEXT {6}\r\nđông"), Text("đông".to_owned()));
    assert_eq!(key("charset us-ascii ALL"), All);
    assert_eq!(key("SUBJECT \"họp\""), Subject("họp".to_owned()));
    assert_eq!(key("1:3,9 UID 5"), And(vec![Sequence(set(&[(1, 3), (9, 9)])), Uid(set(&[(5, 5)]))]));
    assert_eq!(key("HEADER Message-ID <a@b>"), Header("Message-ID".to_owned(), "<a@b>".to_owned()));
    assert_eq!(
        key("KEYWORD $Junk UNKEYWORD b").to_owned(),
        And(vec![Has(Flag::Keyword("$Junk".to_owned())), Lacks(Flag::Keyword("b".to_owned()))])
    );
    assert_eq!(
        key("SENTON \"2-Jan-2026\" LARGER 10 SMALLER 4294967296"),
        And(vec![Sent(DateTest::On, date(2026, 1, 2)), Larger(10), Smaller(1 << 32)])
    );
    for word in [
        "ANSWERED",
        "UNANSWERED",
        "DELETED",
        "UNDELETED",
        "DRAFT",
        "UNDRAFT",
        "SEEN",
        "UNSEEN",
        "NEW",
        "OLD",
        "RECENT",
        "UNFLAGGED",
    ] {
        key(word);
    }
    let charset = parse("SEARCH CHARSET KOI8-R TEXT \"\u{fffd}\" nothing known").unwrap();
    assert_eq!(charset, Command::Search { uid: false, options: None, key: SearchKey::UnknownCharset });
    for bad in [
        "",
        "FROM",
        "OR ALL",
        "NOT",
        "()",
        "(ALL",
        "ALL)",
        "(ALL)ALL",
        "BEFORE x",
        "X",
        "CHARSET UTF-8",
        "ALL  ALL",
        "RETURN (COLOUR) ALL",
        "RETURN (PARTIAL 1:-2) ALL",
        "RETURN (ALL PARTIAL 1:2) ALL",
        "RETURN ()",
        "KEYWORD \\Seen",
    ] {
        assert!(parse(format!("SEARCH {bad}")).is_err(), "{bad:?}");
    }
    assert!(parse(b"SEARCH TEXT \"\xff\"").is_err());
    assert!(parse("SEARCH CHARSET US-ASCII TEXT \"đ\"").is_err());
}

#[test]
fn search_operators_come_out_flat() {
    use SearchKey::*;
    let abc = || vec![Seen(), Draft(), All];
    #[expect(non_snake_case, reason = "stands beside the variants")]
    fn Seen() -> SearchKey {
        Has(Flag::Seen)
    }
    #[expect(non_snake_case, reason = "stands beside the variants")]
    fn Draft() -> SearchKey {
        Has(Flag::Draft)
    }
    for or in
        ["OR SEEN OR DRAFT ALL", "OR OR SEEN DRAFT ALL", "OR (OR SEEN DRAFT) ALL", "(OR SEEN (OR DRAFT ALL))"]
    {
        assert_eq!(key(or), Or(abc()), "{or}");
    }
    for and in ["SEEN DRAFT ALL", "(SEEN DRAFT ALL)", "SEEN (DRAFT (ALL))", "((SEEN DRAFT) ALL)"] {
        assert_eq!(key(and), And(abc()), "{and}");
    }
    assert_eq!(key("NOT NOT ALL"), All);
    assert_eq!(key("NOT NOT NOT ALL"), Not(Box::new(All)));
    assert_eq!(
        key("OR NOT SEEN (DRAFT ALL) SEEN"),
        And(vec![Or(vec![Not(Box::new(Seen())), And(vec![Draft(), All])]), Seen()])
    );
}
