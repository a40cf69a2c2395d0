//! Known answers of CONDSTORE, QRESYNC, OBJECTID, SAVEDATE, PREVIEW and PARTIAL, as their RFCs show them.

use super::parse;
use crate::imap::*;
use std::num::NonZeroU32;

fn command(text: &str) -> Command {
    parse(text).unwrap_or_else(|reject| panic!("{text:?}: {reject:?}"))
}

fn set(ranges: &[(u32, u32)]) -> SequenceSet {
    let number = |n| NonZeroU32::new(n).map_or(SeqNumber::Last, SeqNumber::Number);
    let ranges = ranges.iter().map(|&(from, to)| SeqRange { from: number(from), to: number(to) });
    SequenceSet::new(ranges.collect()).unwrap()
}

fn params(text: &str) -> SelectParams {
    match command(text) {
        Command::Select { params, .. } => params,
        other => panic!("{other:?}"),
    }
}

fn written(write: impl FnOnce(&mut Writer)) -> String {
    let mut writer = Writer::new();
    write(&mut writer);
    String::from_utf8(writer.take()).unwrap()
}

/// RFC 7162, Example 18, the last example of section 6 and the second of 3.2.5.2.
#[test]
fn selecting() {
    assert_eq!(
        params("SELECT INBOX (condstore)"),
        SelectParams { condstore: true, ..SelectParams::default() }
    );
    let qresync = |modseq, known_uids, seq_match| SelectParams {
        condstore: false,
        qresync: Some(Box::new(QResync { uid_validity: 3_857_529_045, modseq, known_uids, seq_match })),
    };
    assert_eq!(
        params("SELECT INBOX (QRESYNC (3857529045 20010715194032001 1:198))"),
        qresync(20_010_715_194_032_001, Some(set(&[(1, 198)])), None)
    );
    assert_eq!(params("EXAMINE INBOX (QRESYNC (3857529045 1))"), qresync(1, None, None));
    let sample = || Some(SeqMatch { numbers: set(&[(5000, 5000), (9990, 9999)]), uids: set(&[(15, 25)]) });
    assert_eq!(
        params("SELECT INBOX (QRESYNC (3857529045 7 1:29997 (5000,9990:9999 15:25)))"),
        qresync(7, Some(set(&[(1, 29997)])), sample())
    );
    assert_eq!(
        params("SELECT INBOX (QRESYNC (3857529045 7 (5000,9990:9999 15:25)))"),
        qresync(7, None, sample())
    );
    let both = params("SELECT INBOX (CONDSTORE QRESYNC (1 2))");
    assert!(both.condstore && both.qresync.is_some());
    for bad in [
        "()",
        "(X)",
        "CONDSTORE",
        "(CONDSTORE CONDSTORE)",
        "(QRESYNC)",
        "(QRESYNC 1 2)",
        "(QRESYNC (1))",
        "(QRESYNC (0 2))",
        "(QRESYNC (4294967296 2))",
        "(QRESYNC (1 9223372036854775808))",
        "(QRESYNC (1 2 *))",
        "(QRESYNC (1 2 $))",
        "(QRESYNC (1 2 1:*))",
        "(QRESYNC (1 2 1 1))",
        "(QRESYNC (1 2 1 (1)))",
        "(QRESYNC (1 2 1 (1:* 2)))",
        "(QRESYNC (1 2 1 (1 2) 3))",
        "(QRESYNC (1 2)",
    ] {
        assert!(parse(format!("SELECT INBOX {bad}")).is_err(), "{bad:?}");
    }
}

/// RFC 7162, Examples 12 and 13, section 3.2.6; RFC 8474 5.3; RFC 8514 4.2; RFC 8970 5.
#[test]
fn fetching() {
    let fetch = |text: &str| match command(text) {
        Command::Fetch { items, modifiers, .. } => (items, modifiers),
        other => panic!("{other:?}"),
    };
    let since =
        |since, vanished| FetchModifiers { changed_since: Some(since), vanished, ..FetchModifiers::NONE };
    assert_eq!(
        fetch("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)"),
        (vec![FetchItem::Flags], since(12345, false))
    );
    assert_eq!(
        fetch("UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)"),
        (vec![FetchItem::Flags], since(12345, true))
    );
    assert_eq!(fetch("UID FETCH 1 FLAGS (VANISHED CHANGEDSINCE 0)").1, since(0, true));
    assert_eq!(fetch("FETCH 1:3 (MODSEQ)"), (vec![FetchItem::ModSeq], FetchModifiers::NONE));
    assert_eq!(fetch("fetch 1:* (emailid threadid)").0, [FetchItem::EmailId, FetchItem::ThreadId]);
    assert_eq!(fetch("FETCH 998 (SAVEDATE)").0, [FetchItem::SaveDate]);
    let (eager, lazy) = (FetchItem::Preview { lazy: false }, FetchItem::Preview { lazy: true });
    assert_eq!(fetch("FETCH 1 (RFC822.SIZE PREVIEW)").0, [FetchItem::Rfc822Size, eager.clone()]);
    assert_eq!(fetch("FETCH 1:4 (ENVELOPE PREVIEW (LAZY))").0, [FetchItem::Envelope, lazy.clone()]);
    assert_eq!(fetch("FETCH 1:4 (PREVIEW (lazy LAZY) UID)").0, [lazy.clone(), FetchItem::Uid]);
    assert_eq!(fetch("FETCH 1:4 PREVIEW (LAZY) (CHANGEDSINCE 7)"), (vec![lazy], since(7, false)));
    assert_eq!(fetch("FETCH 1:4 PREVIEW (CHANGEDSINCE 7)"), (vec![eager], since(7, false)));
    for bad in [
        "UID FETCH 1 (FLAGS) (VANISHED)",
        "FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)",
        "FETCH 1 (FLAGS) ()",
        "FETCH 1 (FLAGS) (CHANGEDSINCE)",
        "FETCH 1 (FLAGS) (CHANGEDSINCE x)",
        "FETCH 1 (FLAGS) (CHANGEDSINCE 1 CHANGEDSINCE 2)",
        "FETCH 1 (FLAGS) (CHANGEDSINCE 9223372036854775808)",
        "FETCH 1 (FLAGS) (X)",
        "FETCH 1 (PREVIEW (EAGER))",
        "FETCH 1 (PREVIEW (LAZY EAGER))",
        "FETCH 1 (PREVIEW ())",
    ] {
        assert!(parse(bad).is_err(), "{bad:?}");
    }
}

/// RFC 9394 3.3, 3.4: of UID FETCH, in any order.
#[test]
fn fetching_a_range() {
    let modifiers = |text: &str| match command(text) {
        Command::Fetch { modifiers, .. } => modifiers,
        other => panic!("{other:?}"),
    };
    let partial = |low, high, from_end, swapped| {
        let number = |n| NonZeroU32::new(n).unwrap();
        Some(PartialRange { low: number(low), high: number(high), from_end, swapped })
    };
    assert_eq!(
        modifiers("UID FETCH 25900:26600 (UID FLAGS) (PARTIAL -1:-3)"),
        FetchModifiers { partial: partial(1, 3, true, false), ..FetchModifiers::NONE }
    );
    assert_eq!(
        modifiers("UID FETCH 25900:26600 (UID FLAGS) (partial 5:1)"),
        FetchModifiers { partial: partial(1, 5, false, true), ..FetchModifiers::NONE }
    );
    for both in ["(PARTIAL -1:-30 CHANGEDSINCE 98305)", "(CHANGEDSINCE 98305 PARTIAL -1:-30)"] {
        assert_eq!(
            modifiers(&format!("UID FETCH 25900:26600 (UID FLAGS) {both}")),
            FetchModifiers {
                partial: partial(1, 30, true, false),
                changed_since: Some(98_305),
                vanished: false
            }
        );
    }
    for bad in [
        "FETCH 1:* (FLAGS) (PARTIAL 1:2)",
        "UID FETCH 1:* (FLAGS) (PARTIAL)",
        "UID FETCH 1:* (FLAGS) (PARTIAL 1)",
        "UID FETCH 1:* (FLAGS) (PARTIAL 0:1)",
        "UID FETCH 1:* (FLAGS) (PARTIAL 1:*)",
        "UID FETCH 1:* (FLAGS) (PARTIAL 1:-2)",
        "UID FETCH 1:* (FLAGS) (PARTIAL -1:2)",
        "UID FETCH 1:* (FLAGS) (PARTIAL 1:4294967296)",
        "UID FETCH 1:* (FLAGS) (PARTIAL 1:2 PARTIAL 1:2)",
    ] {
        assert!(parse(bad).is_err(), "{bad:?}");
    }
}

/// RFC 7162, Examples 3 and 8.
#[test]
fn storing() {
    let store = |text: &str| match command(text) {
        Command::Store { unchanged_since, silent, flags, .. } => (unchanged_since, silent, flags),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        store(r"UID STORE 6,4,8 (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT (\Deleted)"),
        (Some(12_121_230_045), true, vec![Flag::Deleted])
    );
    assert_eq!(
        store("STORE 12 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($MDNSent)"),
        (Some(0), true, vec![Flag::Keyword("$MDNSent".to_owned())])
    );
    for bad in
        ["()", "(X 1)", "(UNCHANGEDSINCE)", "(UNCHANGEDSINCE 1 UNCHANGEDSINCE 1)", "(UNCHANGEDSINCE -1)"]
    {
        assert!(parse(format!("STORE 1 {bad} FLAGS (a)")).is_err(), "{bad:?}");
    }
}

#[test]
fn responses() {
    // RFC 7162 3.2.6, 3.2.7
    assert_eq!(
        written(|w| w.vanished(true, &[(300, 310), (405, 405), (411, 411)])),
        "* VANISHED (EARLIER) 300:310,405,411\r\n"
    );
    assert_eq!(written(|w| w.vanished(false, &[(405, 405)])), "* VANISHED 405\r\n");
    assert_eq!(written(|w| w.vanished(false, &[])), "");
    let fetched = written(|w| {
        w.fetch_start(1);
        w.fetch_modseq(624_140_003);
        w.fetch_object_id(ObjectKind::Email, 12);
        w.fetch_object_id(ObjectKind::Thread, 7);
        w.fetch_object_id(ObjectKind::Mailbox, 7);
        w.fetch_save_date(None, jiff::tz::Offset::UTC);
        w.fetch_preview(Some("Preview text!"));
        w.fetch_preview(None);
        w.fetch_end();
    });
    assert_eq!(
        fetched,
        "* 1 FETCH (MODSEQ (624140003) EMAILID (M12) THREADID (T7) SAVEDATE NIL PREVIEW \"Preview text!\" PREVIEW NIL)\r\n"
    );
    let line = |code| written(|w| w.untagged(&StatusLine::ok("x").with(code)));
    assert_eq!(line(Code::Modified(vec![7, 9])), "* OK [MODIFIED 7,9] x\r\n");
    assert_eq!(line(Code::Modified(vec![])), "* OK x\r\n");
    assert_eq!(line(Code::MailboxId(5)), "* OK [MAILBOXID (F5)] x\r\n");
    assert_eq!(
        written(|w| w.status("foo", &[(StatusItem::HighestModSeq, 7), (StatusItem::MailboxId, 3)])),
        "* STATUS foo (HIGHESTMODSEQ 7 MAILBOXID (F3))\r\n"
    );
}
