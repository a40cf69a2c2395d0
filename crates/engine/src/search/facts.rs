//! The facts of folders that were searched, in memory: subject and addresses of tens of thousands of messages are some
//! megabytes, and looking through them takes less than asking the database for them.
//!
//! Invariants: only facts of the contents a search was given are added; a content's facts never change; bytes are
//! bounded, for a folder and in all.

use super::lines::Lines;
use crate::recent::Recent;
use model::FolderId;
use proto::search::{FactsLine, Needle, fold};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::RwLock;

/// Octets of all kept facts; beyond, the folders longest unused are dropped. About 600,000 messages.
const BYTES_MAX: usize = 128 << 20;
/// Octets of one folder's; the facts of further messages are read for each search.
const FOLDER_BYTES_MAX: usize = 64 << 20;
/// What a folder takes without any.
const FOLDER_BYTES: usize = 512;
/// What one message takes besides its texts.
const MESSAGE_BYTES: usize = 64;
/// Messages that are looked through before other tasks have their turn.
const BLOCK: usize = 4_000;
/// Facts of messages that are gone are forgotten when they are more than those of all that are there, and this.
const GONE_MAX: usize = 1_000;

const LINES: [FactsLine; 6] =
    [FactsLine::Subject, FactsLine::From, FactsLine::To, FactsLine::Cc, FactsLine::Bcc, FactsLine::MessageId];

/// One folder's.
#[derive(Debug, Default)]
pub(crate) struct FolderFacts {
    known: HashSet<i64>,
    blocks: Vec<Block>,
    /// Of the blocks that are full.
    bytes: usize,
}

/// Some messages, a column for each line of their facts.
#[derive(Debug, Default)]
struct Block {
    messages: usize,
    columns: [Column; LINES.len()],
}

/// One line of the facts of some messages. Most are ASCII and need no second form.
#[derive(Debug, Default)]
struct Column {
    ascii_ids: Vec<i64>,
    ascii: Lines,
    other_ids: Vec<i64>,
    exact: Lines,
    folded: Lines,
}

impl FolderFacts {
    pub(super) fn knows(&self, content: i64) -> bool {
        self.known.contains(&content)
    }

    /// Prepares for a folder of so many messages.
    pub(super) fn fit(&mut self, messages: usize) {
        if self.known.len() > messages.saturating_mul(2).saturating_add(GONE_MAX) {
            *self = Self::default();
        }
    }

    /// Adds facts that were not known; false if there is no room.
    pub(super) fn add(&mut self, content: i64, facts: &str) -> bool {
        if self.knows(content) {
            return true;
        }
        // Twice: texts that are not ASCII are kept in a second form, too.
        if self.bytes() + 2 * facts.len() > FOLDER_BYTES_MAX {
            return false;
        }
        if self.blocks.last().is_none_or(|block| block.messages >= BLOCK) {
            self.bytes += self.blocks.last().map_or(0, Block::bytes);
            self.blocks.push(Block::default());
        }
        if let Some(block) = self.blocks.last_mut() {
            self.known.insert(content);
            block.add(content, facts);
        }
        true
    }

    pub(super) fn bytes(&self) -> usize {
        let last = self.blocks.last().map_or(0, Block::bytes);
        FOLDER_BYTES + self.bytes + last + self.known.len() * MESSAGE_BYTES
    }

    /// Contents that have the needle in this line of their facts, or in any.
    pub(super) async fn having(&self, line: Option<FactsLine>, needle: &Needle) -> Vec<i64> {
        let mut found = Vec::new();
        for block in &self.blocks {
            for (its, column) in LINES.iter().zip(&block.columns) {
                if line.is_none_or(|line| line == *its) {
                    column.having(needle, &mut found);
                }
            }
            tokio::task::yield_now().await;
        }
        found
    }
}

impl Block {
    fn add(&mut self, content: i64, facts: &str) {
        self.messages += 1;
        for (line, column) in LINES.iter().zip(&mut self.columns) {
            let mut texts = line.of(facts).peekable();
            if texts.peek().is_some() {
                let text: Vec<&str> = texts.collect();
                column.add(content, &text.join("\t"));
            }
        }
    }

    fn bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum()
    }
}

impl Column {
    fn add(&mut self, content: i64, text: &str) {
        if text.is_ascii() {
            self.ascii_ids.push(content);
            self.ascii.push(text);
        } else {
            self.other_ids.push(content);
            self.exact.push(text);
            self.folded.push(&fold(text));
        }
    }

    fn bytes(&self) -> usize {
        let ids = (self.ascii_ids.capacity() + self.other_ids.capacity()) * size_of::<i64>();
        ids + self.ascii.bytes() + self.exact.bytes() + self.folded.bytes()
    }

    fn having(&self, needle: &Needle, found: &mut Vec<i64>) {
        if needle.is_empty() {
            // RFC 3501 6.4.4: it is in every text.
            found.extend(self.ascii_ids.iter().chain(&self.other_ids));
            return;
        }
        let mut add = |ids: &[i64], lines: &Lines| {
            found.extend(lines.having(needle.text()).filter_map(|number| ids.get(number)));
        };
        if needle.is_plain() {
            add(&self.ascii_ids, &self.ascii);
            add(&self.other_ids, &self.folded);
        } else {
            add(&self.other_ids, &self.exact);
        }
    }
}

type Shared = Arc<RwLock<FolderFacts>>;

/// Those of all folders that were searched last.
#[derive(Debug, Default)]
pub(crate) struct FactsCache(Recent<FolderId, Shared, BYTES_MAX>);

impl FactsCache {
    pub(super) fn of(&self, folder: FolderId) -> Shared {
        self.0.find_or_default(folder, FOLDER_BYTES)
    }

    /// Says what a folder's facts take now; the folder's own stay.
    pub(super) fn grown(&self, folder: FolderId, bytes: usize) {
        self.0.weigh(folder, bytes);
    }

    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::search::Haystack;

    #[tokio::test]
    async fn says_what_the_text_says() {
        const FACTS: [&str; 5] = [
            "họp giao ban\nan <an@x.vn>\tbình <binh@x.vn>\n\n\n\n<do.1@x>\t<an>",
            "hop\n\nan <an@x.vn>\n\n",
            "\nđỗ <do@x.vn>\n\nan <an@x.vn>\n",
            "an\nan <an@x.vn>\n\n\nan <an@x.vn>",
            "\n\n\n\n",
        ];
        let mut folder = FolderFacts::default();
        for (id, facts) in (0..).zip(FACTS) {
            assert!(folder.add(id, facts) && folder.add(id, facts) && folder.knows(id));
        }
        assert!(!folder.knows(5));
        for needle in ["", "hop", "họp", "an", "an <an@", "bình", "do", "đỗ", "> b", "zz"] {
            let needle = Needle::new(needle);
            for line in LINES {
                let mut found = folder.having(Some(line), &needle).await;
                found.sort_unstable();
                let texts = (0_i64..).zip(FACTS);
                let wanted: Vec<i64> = texts
                    .filter(|(_, facts)| Haystack::new(facts).line_has(line, &needle))
                    .map(|(id, _)| id)
                    .collect();
                assert_eq!(found, wanted, "{line:?} {needle:?}");
            }
        }
        folder.fit(0);
        assert!(folder.knows(0));
        (0..2_000).for_each(|id| assert!(folder.add(id, "a\n\n\n\n")));
        folder.fit(400);
        assert!(!folder.knows(0), "most were gone");
    }

    #[test]
    fn large_facts_end_where_the_room_of_a_folder_does() {
        let mut folder = FolderFacts::default();
        let large = format!("{}\n\n\n\n", "họ".repeat(500_000));
        let kept = (0..100).filter(|id| folder.add(*id, &large)).count();
        assert!((5..30).contains(&kept), "{kept} of {} octets", large.len());
        assert!(folder.bytes() <= 2 * FOLDER_BYTES_MAX, "{}", folder.bytes());
        assert!(folder.add(0, &large), "known");
    }
}
