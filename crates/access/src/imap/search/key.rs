//! A search key made ready: sets resolved, texts folded, and three-valued logic over what is known so far.

use super::ZONE;
use crate::imap::flags;
use crate::imap::limits::SEARCH_TEXTS_MAX;
use crate::imap::tracker::{Listed, Listing, Tracker};
use engine::{SearchPlace, ViewEntry, Wanted};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use model::Flags;
use proto::imap::{DateTest, Flag, SearchKey};
use proto::search::{FactsLine, Needle, normalise};
use std::sync::Arc;

/// One message's answers to [`Compiled::tests`]; `None` is not known yet.
pub(crate) type Verdicts = Vec<Option<bool>>;

/// What cannot be told without reading something of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// An empty needle in a field asks that the field be there.
    Find(SearchPlace, Needle),
    Sent(DateTest, Date),
    /// The date it was put into the mailbox.
    Saved(DateTest, Date),
}

#[derive(Debug)]
enum Node {
    All,
    Flag(Flags),
    /// In lower case.
    Keyword(String),
    Recent,
    Internal(DateTest, Date),
    /// The internal date is at this moment or before it.
    Until(Timestamp),
    /// At it or behind it.
    From(Timestamp),
    ModSeq(u64),
    Content(u64),
    Thread(u64),
    Larger(u64),
    Smaller(u64),
    /// Ascending spans, both ends included.
    Numbers(Vec<(u32, u32)>),
    /// Shared: what `$` means may be large, and be written a thousand times.
    Uids(Arc<[(u32, u32)]>),
    Test(usize),
    Not(Box<Node>),
    Or(Vec<Node>),
    And(Vec<Node>),
}

#[derive(Debug)]
pub(crate) struct Compiled {
    root: Node,
    /// Shared with the thread that reads large texts.
    tests: Arc<[Test]>,
    by_modseq: bool,
}

impl Compiled {
    /// `None` when there are more texts than one command may search for.
    ///
    /// `saved`: the spans of uids that `$` means.
    pub(crate) fn new<V: Listing>(
        key: &SearchKey,
        tracker: &Tracker<V>,
        saved: &[(u32, u32)],
        now: Timestamp,
    ) -> Option<Self> {
        let mut compiler = Compiler {
            count: tracker.exists(),
            last_uid: tracker.last_uid().map_or(0, |uid| uid.0),
            saved: saved.into(),
            now,
            by_modseq: false,
            tests: Vec::new(),
        };
        let root = compiler.node(key);
        let by_modseq = compiler.by_modseq;
        let fits = compiler.tests.len() <= SEARCH_TEXTS_MAX;
        fits.then(|| Self { root, tests: compiler.tests.into(), by_modseq })
    }

    /// Is MODSEQ among the keys? (RFC 7162 3.1.6)
    pub(crate) fn by_modseq(&self) -> bool {
        self.by_modseq
    }

    pub(crate) fn tests(&self) -> &Arc<[Test]> {
        &self.tests
    }

    pub(crate) fn verdicts(&self) -> Verdicts {
        vec![None; self.tests.len()]
    }

    /// What must be loaded of a message to decide about it.
    pub(crate) fn wanted(&self) -> Wanted {
        let reads = self.any(|place| !matches!(place, SearchPlace::Facts(_)));
        Wanted { envelope: true, structure: reads, preview: false, body: reads }
    }

    pub(crate) fn reads_bodies(&self) -> bool {
        self.any(|place| matches!(place, SearchPlace::Body | SearchPlace::Text))
    }

    /// Is the save date asked for?
    pub(crate) fn wants_save_dates(&self) -> bool {
        self.tests.iter().any(|test| matches!(test, Test::Saved(..)))
    }

    /// Is anything searched for in texts?
    pub(crate) fn finds(&self) -> bool {
        self.any(|_| true)
    }

    fn any(&self, wanted: impl Fn(&SearchPlace) -> bool) -> bool {
        self.tests.iter().any(|test| matches!(test, Test::Find(place, _) if wanted(place)))
    }

    /// A text that every message that is found has.
    pub(crate) fn needed_text(&self) -> Option<(&SearchPlace, &Needle)> {
        let needed = |node: &Node| match node {
            Node::Test(index) => match self.tests.get(*index) {
                Some(Test::Find(place @ (SearchPlace::Body | SearchPlace::Text), needle)) => {
                    Some((place, needle))
                }
                _ => None,
            },
            _ => None,
        };
        match &self.root {
            Node::And(nodes) => nodes.iter().find_map(needed),
            root => needed(root),
        }
    }

    /// What the folder view alone says.
    pub(crate) fn by_view<V: Listing>(
        &self,
        tracker: &Tracker<V>,
        position: usize,
        listed: &Listed<'_, V>,
    ) -> Option<bool> {
        self.decide(tracker, position, listed, &[])
    }

    /// What the view and the verdicts so far say; `None` if it still depends.
    pub(crate) fn decide<V: Listing>(
        &self,
        tracker: &Tracker<V>,
        position: usize,
        listed: &Listed<'_, V>,
        verdicts: &[Option<bool>],
    ) -> Option<bool> {
        let facts = Facts {
            number: u32::try_from(position + 1).unwrap_or(u32::MAX),
            entry: listed.entry,
            keywords: listed.home.keyword_names(listed.entry),
            recent: tracker.is_recent(listed.entry.uid),
            verdicts,
        };
        self.root.decide(&facts)
    }
}

/// One message as far as it is known.
struct Facts<'a> {
    number: u32,
    entry: &'a ViewEntry,
    keywords: Vec<&'a str>,
    recent: bool,
    verdicts: &'a [Option<bool>],
}

impl Node {
    /// The parser bounds the depth.
    fn decide(&self, facts: &Facts<'_>) -> Option<bool> {
        let known = match self {
            Self::All => true,
            Self::Flag(flag) => facts.entry.flags.contains(*flag),
            Self::Keyword(name) => facts.keywords.iter().any(|keyword| keyword.eq_ignore_ascii_case(name)),
            Self::Recent => facts.recent,
            Self::Internal(test, date) => {
                holds(*test, ZONE.to_datetime(facts.entry.internal_date).date(), *date)
            }
            Self::Until(moment) => facts.entry.internal_date <= *moment,
            Self::From(moment) => facts.entry.internal_date >= *moment,
            Self::ModSeq(modseq) => facts.entry.modseq.0 >= *modseq,
            Self::Content(number) => facts.entry.content.0.cast_unsigned() == *number,
            Self::Thread(number) => facts.entry.thread.0.cast_unsigned() == *number,
            Self::Larger(bytes) => u64::from(facts.entry.size) > *bytes,
            Self::Smaller(bytes) => u64::from(facts.entry.size) < *bytes,
            Self::Numbers(spans) => within(spans, facts.number),
            Self::Uids(spans) => within(spans, facts.entry.uid.0),
            Self::Test(index) => return facts.verdicts.get(*index).copied().flatten(),
            Self::Not(node) => return node.decide(facts).map(|held| !held),
            Self::Or(nodes) => return first(nodes, facts, true),
            Self::And(nodes) => return first(nodes, facts, false),
        };
        Some(known)
    }
}

/// OR is decided by the first that holds, AND by the first that does not.
fn first(nodes: &[Node], facts: &Facts<'_>, decisive: bool) -> Option<bool> {
    let mut open = false;
    for node in nodes {
        match node.decide(facts) {
            Some(held) if held == decisive => return Some(decisive),
            Some(_) => {}
            None => open = true,
        }
    }
    (!open).then_some(!decisive)
}

/// RFC 3501 6.4.4: BEFORE, ON, SINCE.
pub(crate) fn holds(test: DateTest, date: Date, wanted: Date) -> bool {
    match test {
        DateTest::Before => date < wanted,
        DateTest::On => date == wanted,
        DateTest::Since => date >= wanted,
    }
}

fn within(spans: &[(u32, u32)], number: u32) -> bool {
    let after = spans.partition_point(|(low, _)| *low <= number);
    after.checked_sub(1).and_then(|at| spans.get(at)).is_some_and(|(_, high)| number <= *high)
}

struct Compiler {
    count: u32,
    last_uid: u32,
    saved: Arc<[(u32, u32)]>,
    now: Timestamp,
    by_modseq: bool,
    tests: Vec<Test>,
}

impl Compiler {
    fn node(&mut self, key: &SearchKey) -> Node {
        match key {
            SearchKey::All => Node::All,
            SearchKey::UnknownCharset => not(Node::All),
            SearchKey::Has(flag) => flag_node(flag),
            SearchKey::Lacks(flag) => not(flag_node(flag)),
            // RFC 3501 6.4.4: NEW is RECENT UNSEEN, OLD is NOT RECENT.
            SearchKey::New => Node::And(vec![Node::Recent, not(Node::Flag(Flags::SEEN))]),
            SearchKey::Old => not(Node::Recent),
            SearchKey::Recent => Node::Recent,
            SearchKey::Internal(test, date) => Node::Internal(*test, *date),
            SearchKey::Larger(bytes) => Node::Larger(*bytes),
            SearchKey::Smaller(bytes) => Node::Smaller(*bytes),
            SearchKey::Sequence(set) | SearchKey::Uid(set) if set.is_saved() => {
                // RFC 5182 2.1: `$` means the same messages in both.
                Node::Uids(Arc::clone(&self.saved))
            }
            SearchKey::Sequence(set) => Node::Numbers(set.spans(self.count)),
            SearchKey::Uid(set) => Node::Uids(set.spans(self.last_uid).into()),
            SearchKey::ModSeq(modseq) => {
                self.by_modseq = true;
                Node::ModSeq(*modseq)
            }
            // RFC 5032 2: both include the moment itself.
            SearchKey::Older(seconds) => Node::Until(self.ago(*seconds)),
            SearchKey::Younger(seconds) => Node::From(self.ago(*seconds)),
            SearchKey::Saved(test, date) => self.test(Test::Saved(*test, *date)),
            SearchKey::EmailId(id) => object(id, 'M').map_or(not(Node::All), Node::Content),
            SearchKey::ThreadId(id) => object(id, 'T').map_or(not(Node::All), Node::Thread),
            SearchKey::Not(key) => not(self.node(key)),
            SearchKey::Or(keys) => Node::Or(keys.iter().map(|key| self.node(key)).collect()),
            SearchKey::And(keys) => Node::And(keys.iter().map(|key| self.node(key)).collect()),
            SearchKey::From(text) => self.find(SearchPlace::Facts(FactsLine::From), text),
            SearchKey::To(text) => self.find(SearchPlace::Facts(FactsLine::To), text),
            SearchKey::Cc(text) => self.find(SearchPlace::Facts(FactsLine::Cc), text),
            SearchKey::Bcc(text) => self.find(SearchPlace::Facts(FactsLine::Bcc), text),
            SearchKey::Subject(text) => self.find(SearchPlace::Facts(FactsLine::Subject), text),
            SearchKey::Sent(test, date) => self.test(Test::Sent(*test, *date)),
            SearchKey::Header(name, text) => self.find(SearchPlace::Field(normalise(name)), text),
            SearchKey::Body(text) => self.find(SearchPlace::Body, text),
            SearchKey::Text(text) => self.find(SearchPlace::Text, text),
        }
    }

    fn ago(&self, seconds: u32) -> Timestamp {
        self.now.saturating_sub(SignedDuration::from_secs(seconds.into())).unwrap_or(Timestamp::MIN)
    }

    fn find(&mut self, place: SearchPlace, text: &str) -> Node {
        self.test(Test::Find(place, Needle::new(text)))
    }

    fn test(&mut self, test: Test) -> Node {
        let index = self.tests.iter().position(|known| *known == test).unwrap_or_else(|| {
            self.tests.push(test);
            self.tests.len() - 1
        });
        Node::Test(index)
    }
}

/// The number in an object id as FETCH shows it (RFC 8474 5.1); another spelling names nothing.
fn object(id: &str, kind: char) -> Option<u64> {
    let number = id.strip_prefix(kind)?.parse().ok()?;
    (format!("{kind}{number}") == id).then_some(number)
}

fn not(node: Node) -> Node {
    Node::Not(Box::new(node))
}

fn flag_node(flag: &Flag) -> Node {
    match (flags::system(flag), flag) {
        (Some(bit), _) => Node::Flag(bit),
        (None, Flag::Recent) => Node::Recent,
        // A `\` flag that nobody defined is on no message, as no keyword begins with `\`.
        (None, other) => Node::Keyword(other.as_str().to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::tracker::tests::start;
    use proto::imap::SequenceSet;

    #[test]
    fn the_saved_result_is_in_memory_once_however_often_it_is_named() {
        let saved: Vec<(u32, u32)> = (0..50_000).map(|n| (2 * n + 1, 2 * n + 1)).collect();
        let key = SearchKey::And(vec![SearchKey::Uid(SequenceSet::saved()); 1_000]);
        let compiled = Compiled::new(&key, &start(&[1, 2, 3]), &saved, Timestamp::UNIX_EPOCH).unwrap();
        let Node::And(nodes) = &compiled.root else { unreachable!() };
        let spans = |node: &Node| match node {
            Node::Uids(spans) => Arc::as_ptr(spans),
            _ => unreachable!(),
        };
        assert_eq!(nodes.len(), 1_000);
        assert!(nodes.iter().all(|node| std::ptr::eq(spans(node), spans(&nodes[0]))));
    }
}
