//! Any command, written as a client may write it, is read as what it was.

use super::parse;
use crate::imap::*;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::num::NonZeroU32;

/// A string in one of its forms; `form` chooses.
fn string(text: &str, form: u8) -> String {
    let quotable = !text.contains(['\r', '\n']);
    match form % 3 {
        0 if quotable => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        1 => format!("{{{}}}\r\n{text}", text.len()),
        _ => format!("{{{}+}}\r\n{text}", text.len()),
    }
}

fn astring(text: &str, form: u8) -> String {
    let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$&'+,-./:;<=>?@[]^_`|}~".contains(&b);
    if form % 4 == 3 && !text.is_empty() && text.bytes().all(atom) {
        text.to_owned()
    } else {
        string(text, form)
    }
}

fn mailbox(name: &Mailbox, form: u8) -> String {
    astring(&encode_utf7(name.as_str()), form)
}

fn set(set: &SequenceSet) -> String {
    let number = |n| match n {
        SeqNumber::Number(n) => n.to_string(),
        SeqNumber::Last => "*".to_owned(),
    };
    if set.is_saved() {
        return "$".to_owned();
    }
    let range = |r: &SeqRange| {
        if r.from == r.to { number(r.from) } else { format!("{}:{}", number(r.from), number(r.to)) }
    };
    set.ranges().iter().map(range).collect::<Vec<_>>().join(",")
}

fn day(date: Date) -> String {
    date.strftime("%-d-%b-%Y").to_string()
}

fn key(key: &SearchKey, form: u8) -> String {
    let text = |word: &str, text: &str| format!("{word} {}", astring(text, form));
    let test = |test: &DateTest| match test {
        DateTest::Before => "BEFORE",
        DateTest::On => "ON",
        DateTest::Since => "SINCE",
    };
    match key {
        // Nothing of it was read.
        SearchKey::All | SearchKey::UnknownCharset => "ALL".to_owned(),
        SearchKey::New => "new".to_owned(),
        SearchKey::Old => "Old".to_owned(),
        SearchKey::Recent => "RECENT".to_owned(),
        SearchKey::Has(Flag::Keyword(name)) => format!("KEYWORD {name}"),
        SearchKey::Lacks(Flag::Keyword(name)) => format!("UNKEYWORD {name}"),
        SearchKey::Has(flag) => flag.as_str()[1..].to_owned(),
        SearchKey::Lacks(flag) => format!("UN{}", &flag.as_str()[1..]),
        SearchKey::Bcc(t) => text("BCC", t),
        SearchKey::Body(t) => text("BODY", t),
        SearchKey::Cc(t) => text("CC", t),
        SearchKey::From(t) => text("FROM", t),
        SearchKey::Subject(t) => text("SUBJECT", t),
        SearchKey::Text(t) => text("TEXT", t),
        SearchKey::To(t) => text("TO", t),
        SearchKey::Header(name, t) => format!("HEADER {} {}", astring(name, form), astring(t, form)),
        SearchKey::Internal(when, date) => format!("{} {}", test(when), day(*date)),
        SearchKey::Sent(when, date) => format!("SENT{} \"{}\"", test(when), day(*date)),
        SearchKey::Larger(n) => format!("LARGER {n}"),
        SearchKey::Smaller(n) => format!("SMALLER {n}"),
        SearchKey::Sequence(s) => set(s),
        SearchKey::Uid(s) => format!("UID {}", set(s)),
        SearchKey::ModSeq(n) if form.is_multiple_of(2) => format!("MODSEQ \"/flags/\\\\seen\" all {n}"),
        SearchKey::ModSeq(n) => format!("MODSEQ {n}"),
        SearchKey::Older(n) => format!("OLDER {n}"),
        SearchKey::Younger(n) => format!("younger {n}"),
        SearchKey::Saved(when, date) => format!("SAVED{} {}", test(when), day(*date)),
        SearchKey::EmailId(id) => format!("EMAILID {id}"),
        SearchKey::ThreadId(id) => format!("THREADID {id}"),
        SearchKey::Not(inner) => format!("NOT {}", self::key(inner, form)),
        SearchKey::And(keys) => {
            format!("({})", keys.iter().map(|k| self::key(k, form)).collect::<Vec<_>>().join(" "))
        }
        SearchKey::Or(keys) => {
            let mut text = "OR ".repeat(keys.len() - 1);
            text.push_str(&keys.iter().map(|k| self::key(k, form)).collect::<Vec<_>>().join(" "));
            text
        }
    }
}

fn item(item: &FetchItem, form: u8) -> String {
    let dotted = |part: &[u32]| part.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
    let FetchItem::Section(wanted) = item else {
        return match item {
            FetchItem::Binary(BinarySection { part, peek, partial }) => {
                let peek = if *peek { ".Peek" } else { "" };
                let partial = partial.map(|partial| format!("<{}.{}>", partial.offset, partial.length));
                return format!("BINARY{peek}[{}]{}", dotted(part), partial.unwrap_or_default());
            }
            FetchItem::BinarySize(part) => return format!("binary.SIZE[{}]", dotted(part)),
            FetchItem::Envelope => "ENVELOPE",
            FetchItem::Flags => "Flags",
            FetchItem::InternalDate => "INTERNALDATE",
            FetchItem::Rfc822 => "RFC822",
            FetchItem::Rfc822Header => "rfc822.header",
            FetchItem::Rfc822Size => "RFC822.SIZE",
            FetchItem::Rfc822Text => "RFC822.TEXT",
            FetchItem::Body => "BODY",
            FetchItem::BodyStructure => "BODYSTRUCTURE",
            FetchItem::Uid => "UID",
            FetchItem::Section(_) => unreachable!(),
            FetchItem::ModSeq => "MODSEQ",
            FetchItem::EmailId => "EMAILID",
            FetchItem::ThreadId => "threadid",
            FetchItem::SaveDate => "SAVEDATE",
            FetchItem::Preview { lazy: false } => "PREVIEW",
            FetchItem::Preview { lazy: true } => "PREVIEW (LAZY)",
        }
        .to_owned();
    };
    let names = |names: &[String]| names.iter().map(|n| astring(n, form)).collect::<Vec<_>>().join(" ");
    let mut parts: Vec<String> = wanted.section.part.iter().map(u32::to_string).collect();
    parts.extend(wanted.section.text.as_ref().map(|text| match text {
        SectionText::Header => "HEADER".to_owned(),
        SectionText::Text => "TEXT".to_owned(),
        SectionText::Mime => "MIME".to_owned(),
        SectionText::HeaderFields(fields) => format!("HEADER.FIELDS ({})", names(fields)),
        SectionText::HeaderFieldsNot(fields) => format!("HEADER.FIELDS.NOT ({})", names(fields)),
    }));
    let mut text = format!("BODY{}[{}]", if wanted.peek { ".PEEK" } else { "" }, parts.join("."));
    if let Some(partial) = wanted.partial {
        write!(text, "<{}.{}>", partial.offset, partial.length).unwrap();
    }
    text
}

fn returned(options: Option<ReturnOptions>) -> String {
    let Some(options) = options else { return String::new() };
    let words = [
        (options.min, "MIN"),
        (options.max, "max"),
        (options.all, "ALL"),
        (options.count, "COUNT"),
        (options.save, "SAVE"),
    ];
    let mut words: Vec<String> =
        words.iter().filter(|(wanted, _)| *wanted).map(|(_, word)| (*word).to_owned()).collect();
    words.extend(options.partial.map(partial_range));
    format!(" RETURN ({})", words.join(" "))
}

fn partial_range(range: PartialRange) -> String {
    let sign = if range.from_end { "-" } else { "" };
    let (first, second) = if range.swapped { (range.high, range.low) } else { (range.low, range.high) };
    format!("PARTIAL {sign}{first}:{sign}{second}")
}

fn any_options() -> impl Strategy<Value = Option<ReturnOptions>> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    prop::option::of((flags, prop::option::of(any_partial())).prop_map(
        |((min, max, all, count, save), partial)| {
            let mut options = ReturnOptions { min, max, all: all && partial.is_none(), count, save, partial };
            options.all |= options == ReturnOptions::default();
            options
        },
    ))
}

fn any_partial() -> impl Strategy<Value = PartialRange> {
    (1..=u32::MAX, 1..=u32::MAX, any::<bool>()).prop_map(|(first, second, from_end)| {
        let number = |n| NonZeroU32::new(n).unwrap();
        let (low, high) = (number(first.min(second)), number(first.max(second)));
        PartialRange { low, high, from_end, swapped: first > second }
    })
}

fn any_criteria() -> impl Strategy<Value = Vec<SortCriterion>> {
    let keys = vec![
        SortKey::Arrival,
        SortKey::Cc,
        SortKey::Date,
        SortKey::From,
        SortKey::Size,
        SortKey::Subject,
        SortKey::To,
        SortKey::DisplayFrom,
        SortKey::DisplayTo,
    ];
    let criterion = (prop::sample::select(keys), any::<bool>());
    prop::collection::vec(criterion.prop_map(|(key, reverse)| SortCriterion { key, reverse }), 1..4)
}

fn encode(command: &Command, form: u8) -> String {
    let name = command.name();
    match command {
        Command::Login { user, password } => {
            format!("{name} {} {}", astring(user, form), astring(password.as_str().unwrap(), form / 2))
        }
        Command::Select { mailbox: m, params, .. } => {
            format!("{name} {}{}", mailbox(m, form), select_params(params))
        }
        Command::Delete(m) => format!("{name} {}", mailbox(m, form)),
        Command::Rename { from, to } => format!("{name} {} {}", mailbox(from, form), mailbox(to, form / 2)),
        Command::Status { mailbox: m, items } => {
            let items: Vec<_> = items.iter().map(|i| i.as_str()).collect();
            format!("{name} {} ({})", mailbox(m, form), items.join(" "))
        }
        Command::Search { key: k, options, .. } => {
            format!("{name}{} CHARSET UTF-8 {}", returned(*options), key(k, form))
        }
        Command::Sort { options, criteria, key: k, .. } => {
            let criteria: Vec<String> = criteria
                .iter()
                .map(|c| format!("{}{:?}", if c.reverse { "REVERSE " } else { "" }, c.key))
                .collect();
            format!("{name}{} ({}) UTF-8 {}", returned(*options), criteria.join(" "), key(k, form))
        }
        Command::Thread { algorithm, key: k, .. } => {
            format!("{name} {algorithm:?} \"utf-8\" {}", key(k, form))
        }
        Command::Fetch { set: s, items, modifiers, .. } => {
            let items: Vec<_> = items.iter().map(|i| item(i, form)).collect();
            let mut words: Vec<String> = modifiers.partial.map(partial_range).into_iter().collect();
            words.extend(modifiers.changed_since.map(|n| format!("changedsince {n}")));
            words.extend(modifiers.vanished.then(|| "VANISHED".to_owned()));
            let words = if words.is_empty() { String::new() } else { format!(" ({})", words.join(" ")) };
            format!("{name} {} ({}){words}", set(s), items.join(" "))
        }
        Command::Store { set: s, mode, silent, flags, unchanged_since, .. } => {
            let since = unchanged_since.map_or(String::new(), |n| format!("(UNCHANGEDSINCE {n}) "));
            let sign = match mode {
                StoreMode::Replace => "",
                StoreMode::Add => "+",
                StoreMode::Remove => "-",
            };
            let silent = if *silent { ".SILENT" } else { "" };
            let flags: Vec<_> = flags.iter().map(Flag::as_str).collect();
            format!("{name} {} {since}{sign}FLAGS{silent} ({})", set(s), flags.join(" "))
        }
        Command::Copy { set: s, mailbox: m, .. } | Command::Move { set: s, mailbox: m, .. } => {
            format!("{name} {} {}", set(s), mailbox(m, form))
        }
        Command::Expunge { uids: Some(s) } => format!("{name} {}", set(s)),
        other => other.name().to_owned(),
    }
}

fn select_params(params: &SelectParams) -> String {
    let mut words = Vec::new();
    if params.condstore {
        words.push("condstore".to_owned());
    }
    if let Some(known) = &params.qresync {
        let mut text = format!("QRESYNC ({} {}", known.uid_validity, known.modseq);
        if let Some(uids) = &known.known_uids {
            write!(text, " {}", set(uids)).unwrap();
        }
        if let Some(sample) = &known.seq_match {
            write!(text, " ({} {})", set(&sample.numbers), set(&sample.uids)).unwrap();
        }
        words.push(text + ")");
    }
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(" ")) }
}

fn any_params() -> impl Strategy<Value = SelectParams> {
    let known = || {
        any_set().prop_filter("no star", |set| {
            set.ranges().iter().all(|range| range.from != SeqNumber::Last && range.to != SeqNumber::Last)
        })
    };
    let sample = (known(), known()).prop_map(|(numbers, uids)| SeqMatch { numbers, uids });
    let qresync = (1..=u32::MAX, 0..=i64::MAX as u64, prop::option::of(known()), prop::option::of(sample))
        .prop_map(|(uid_validity, modseq, known_uids, seq_match)| {
            Box::new(QResync { uid_validity, modseq, known_uids, seq_match })
        });
    (any::<bool>(), prop::option::of(qresync))
        .prop_map(|(condstore, qresync)| SelectParams { condstore, qresync })
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", "[ -~]{0,12}", any::<String>().prop_map(|s| s.replace('\0', ""))]
}

fn any_set() -> impl Strategy<Value = SequenceSet> {
    let number = || prop_oneof![4 => (1..=u32::MAX).prop_map(|n| SeqNumber::Number(NonZeroU32::new(n).unwrap())), 1 => Just(SeqNumber::Last)];
    let range = prop_oneof![
        number().prop_map(|n| SeqRange { from: n, to: n }),
        (number(), number()).prop_map(|(from, to)| SeqRange { from, to })
    ];
    prop::collection::vec(range, 1..6).prop_map(|ranges| SequenceSet::new(ranges).unwrap())
}

fn any_flag() -> impl Strategy<Value = Flag> {
    prop_oneof![
        prop::sample::select(vec![Flag::Answered, Flag::Flagged, Flag::Deleted, Flag::Seen, Flag::Draft]),
        "[$a-zA-Z][a-zA-Z0-9_.+-]{0,10}".prop_map(Flag::Keyword)
    ]
}

fn any_key() -> impl Strategy<Value = SearchKey> {
    let when = || {
        (
            prop::sample::select(vec![DateTest::Before, DateTest::On, DateTest::Since]),
            1..9999_i16,
            1..=12_i8,
            1..=28_i8,
        )
    };
    let leaf = prop_oneof![
        Just(SearchKey::All),
        Just(SearchKey::New),
        any_flag().prop_map(SearchKey::Has),
        any_flag().prop_map(SearchKey::Lacks),
        any_text().prop_map(SearchKey::Subject),
        any_text().prop_map(SearchKey::From),
        (any_text(), any_text()).prop_map(|(a, b)| SearchKey::Header(a, b)),
        when().prop_map(|(t, y, m, d)| SearchKey::Internal(t, date(y, m, d))),
        when().prop_map(|(t, y, m, d)| SearchKey::Sent(t, date(y, m, d))),
        (0..=i64::MAX as u64).prop_map(SearchKey::Larger),
        any_set().prop_map(SearchKey::Sequence),
        any_set().prop_map(SearchKey::Uid),
        Just(SearchKey::Uid(SequenceSet::saved())),
        (0..=i64::MAX as u64).prop_map(SearchKey::ModSeq),
        (1..=u32::MAX).prop_map(SearchKey::Older),
        (1..=u32::MAX).prop_map(SearchKey::Younger),
        when().prop_map(|(t, y, m, d)| SearchKey::Saved(t, date(y, m, d))),
        "[A-Za-z0-9_-]{1,20}".prop_map(SearchKey::EmailId),
        "[A-Za-z0-9_-]{1,20}".prop_map(SearchKey::ThreadId),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        // Only flat trees are ever read.
        let is_and = |k: &SearchKey| matches!(k, SearchKey::And(_));
        let is_or = |k: &SearchKey| matches!(k, SearchKey::Or(_));
        let many = || prop::collection::vec(inner.clone(), 2..5);
        prop_oneof![
            inner
                .clone()
                .prop_filter("flat", |k| !matches!(k, SearchKey::Not(_)))
                .prop_map(|k| SearchKey::Not(Box::new(k))),
            many().prop_filter("flat", move |keys| !keys.iter().any(is_and)).prop_map(SearchKey::And),
            many().prop_filter("flat", move |keys| !keys.iter().any(is_or)).prop_map(SearchKey::Or),
        ]
    })
}

fn any_item() -> impl Strategy<Value = FetchItem> {
    let text = prop_oneof![
        Just(SectionText::Header),
        Just(SectionText::Text),
        prop::collection::vec(any_text(), 1..4).prop_map(SectionText::HeaderFields),
        prop::collection::vec(any_text(), 1..4).prop_map(SectionText::HeaderFieldsNot),
    ];
    let partial = (any::<u32>(), 1..=u32::MAX)
        .prop_map(|(offset, length)| Partial { offset, length: NonZeroU32::new(length).unwrap() });
    let part = prop::collection::vec(1..=u32::MAX, 0..4);
    let section = (part, prop::option::of(text), any::<bool>(), prop::option::of(partial.clone())).prop_map(
        |(part, text, peek, partial)| {
            FetchItem::Section(BodySection { section: Section { part, text }, peek, partial })
        },
    );
    let part = prop::collection::vec(1..=u32::MAX, 0..4);
    let size = part.clone().prop_map(FetchItem::BinarySize);
    let binary = (part, any::<bool>(), prop::option::of(partial))
        .prop_map(|(part, peek, partial)| FetchItem::Binary(BinarySection { part, peek, partial }));
    let plain = vec![
        FetchItem::Envelope,
        FetchItem::Flags,
        FetchItem::InternalDate,
        FetchItem::Rfc822,
        FetchItem::Rfc822Header,
        FetchItem::Rfc822Size,
        FetchItem::Rfc822Text,
        FetchItem::Body,
        FetchItem::BodyStructure,
        FetchItem::Uid,
        FetchItem::ModSeq,
        FetchItem::EmailId,
        FetchItem::ThreadId,
        FetchItem::SaveDate,
        FetchItem::Preview { lazy: false },
        FetchItem::Preview { lazy: true },
    ];
    prop_oneof![prop::sample::select(plain), section, binary, size]
}

fn any_command() -> impl Strategy<Value = Command> {
    let name = || any::<String>().prop_map(Mailbox);
    let flags = prop::collection::vec(any_flag(), 0..5);
    let mode = prop::sample::select(vec![StoreMode::Replace, StoreMode::Add, StoreMode::Remove]);
    prop_oneof![
        prop::sample::select(vec![Command::Noop, Command::Idle, Command::Expunge { uids: None }]),
        (any_text(), any_text())
            .prop_map(|(user, p)| Command::Login { user, password: Secret(p.into_bytes()) }),
        (name(), any::<bool>(), any_params()).prop_map(|(mailbox, read_only, params)| Command::Select {
            mailbox,
            read_only,
            params
        }),
        name().prop_map(Command::Delete),
        (name(), name()).prop_map(|(from, to)| Command::Rename { from, to }),
        (name(), prop::sample::subsequence(StatusItem::ALL.to_vec(), 1..7))
            .prop_map(|(mailbox, items)| Command::Status { mailbox, items }),
        (any::<bool>(), any_options(), any_key()).prop_map(|(uid, options, key)| Command::Search {
            uid,
            options,
            key
        }),
        (any::<bool>(), any_options(), any_criteria(), any_key())
            .prop_map(|(uid, options, criteria, key)| Command::Sort { uid, options, criteria, key }),
        (
            any::<bool>(),
            prop::sample::select(vec![ThreadAlgorithm::OrderedSubject, ThreadAlgorithm::References]),
            any_key()
        )
            .prop_map(|(uid, algorithm, key)| Command::Thread { uid, algorithm, key }),
        (
            any::<bool>(),
            any_set(),
            prop::collection::vec(any_item(), 1..5),
            prop::option::of(0..=i64::MAX as u64),
            any::<bool>(),
            prop::option::of(any_partial())
        )
            .prop_map(|(uid, set, items, changed_since, vanished, partial)| {
                let modifiers = FetchModifiers {
                    changed_since,
                    vanished: vanished && uid && changed_since.is_some(),
                    partial: partial.filter(|_| uid),
                };
                Command::Fetch { uid, set, items, modifiers }
            }),
        (any::<bool>(), any_set(), mode, any::<bool>(), flags, prop::option::of(0..=i64::MAX as u64))
            .prop_map(|(uid, set, mode, silent, flags, unchanged_since)| Command::Store {
                uid,
                set,
                mode,
                silent,
                flags,
                unchanged_since,
            }),
        (any::<bool>(), any_set(), name()).prop_map(|(uid, set, mailbox)| Command::Copy {
            uid,
            set,
            mailbox
        }),
        (any::<bool>(), any_set(), name()).prop_map(|(uid, set, mailbox)| Command::Move {
            uid,
            set,
            mailbox
        }),
        any_set().prop_map(|set| Command::Expunge { uids: Some(set) }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn commands_are_read_as_written(command in any_command(), form in any::<u8>()) {
        prop_assert_eq!(parse(encode(&command, form)), Ok(command));
    }
}
