//! THREAD=ORDEREDSUBJECT and THREAD=REFERENCES (RFC 5256 3).
//!
//! A message that was never here is a dummy only while links are made: what is kept of it is who its descendants are.

use crate::imap::ThreadToken;
use std::collections::HashMap;

/// References kept of one message: the first and the last ones, which matter.
const REFERENCES_MAX: usize = 100;
/// Messages above one another. A link that would make it more is not made, as if it made a loop.
const DEPTH_MAX: usize = 1_000;

/// What THREAD needs to know of a message.
#[derive(Clone, Debug, Default)]
pub struct Threadable {
    /// As it is answered.
    pub number: u32,
    /// The sent date (RFC 5256 2.2), in any unit.
    pub date: i64,
    /// Message id, normalised; `None` for none.
    pub id: Option<String>,
    /// Ids of ancestors, the oldest first.
    pub references: Vec<String>,
    /// Base subject, as it is compared.
    pub subject: String,
    pub is_reply: bool,
}

/// The message ids of a field, in their order, quotes and white space taken out (RFC 5256 3: "MUST normalize").
#[must_use]
pub fn message_ids(field: &[u8]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let mut rest = field;
    while let Some(open) = rest.iter().position(|byte| *byte == b'<') {
        rest = rest.get(open + 1..).unwrap_or_default();
        let Some(close) = rest.iter().position(|byte| matches!(byte, b'>' | b'<')) else { break };
        let (id, after) = rest.split_at(close);
        if after.first() == Some(&b'>') && id.contains(&b'@') {
            let plain = id.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'"');
            ids.push(String::from_utf8_lossy(&plain.collect::<Vec<u8>>()).into_owned());
            if ids.len() > REFERENCES_MAX {
                ids.remove(1);
            }
        }
        rest = after;
    }
    ids
}

/// RFC 5256 3, ORDEREDSUBJECT. `messages` come in ascending order of number.
#[must_use]
pub fn ordered_subject(messages: &[Threadable]) -> Vec<ThreadToken> {
    let mut order: Vec<&Threadable> = messages.iter().collect();
    order.sort_by(|a, b| (&a.subject, a.date, a.number).cmp(&(&b.subject, b.date, b.number)));
    let mut threads: Vec<&[&Threadable]> = order.chunk_by(|a, b| a.subject == b.subject).collect();
    threads.sort_by_key(|thread| thread.first().map(|first| (first.date, first.number)));
    let mut tokens = Vec::with_capacity(messages.len() * 3);
    for thread in threads {
        tokens.push(ThreadToken::Open);
        if let [first, others @ ..] = thread {
            tokens.push(ThreadToken::Number(first.number));
            for other in others {
                if others.len() > 1 {
                    tokens.extend([ThreadToken::Open, ThreadToken::Number(other.number), ThreadToken::Close]);
                } else {
                    tokens.push(ThreadToken::Number(other.number));
                }
            }
        }
        tokens.push(ThreadToken::Close);
    }
    tokens
}

/// RFC 5256 3, REFERENCES. `messages` come in ascending order of number.
#[must_use]
pub fn references(messages: &[Threadable]) -> Vec<ThreadToken> {
    let links = Links::of(messages);
    let mut forest = links.forest(messages);
    forest.merge_subjects(messages);
    forest.write(messages)
}

/// Parents of messages, which are the first nodes, and of dummies behind them.
struct Links {
    parents: Vec<Option<usize>>,
}

impl Links {
    /// Step 1.
    fn of(messages: &[Threadable]) -> Self {
        let mut nodes: HashMap<&str, usize> = HashMap::with_capacity(messages.len());
        for (node, message) in messages.iter().enumerate() {
            if let Some(id) = &message.id {
                // The first message of an id has it.
                nodes.entry(id).or_insert(node);
            }
        }
        let mut links = Self { parents: vec![None; messages.len()] };
        for (own, message) in messages.iter().enumerate() {
            let mut last = None;
            for id in &message.references {
                let node = *nodes.entry(id).or_insert_with(|| {
                    links.parents.push(None);
                    links.parents.len() - 1
                });
                if let Some(parent) = last
                    && links.parent(node).is_none()
                {
                    links.link(parent, node);
                }
                last = Some(node);
            }
            // (B): also without references, and then there is no parent any more.
            if let Some(link) = links.parents.get_mut(own) {
                *link = None;
            }
            if let Some(parent) = last {
                links.link(parent, own);
            }
        }
        links
    }

    fn parent(&self, node: usize) -> Option<usize> {
        self.parents.get(node).copied().flatten()
    }

    /// Unless it makes a loop.
    fn link(&mut self, parent: usize, child: usize) {
        let mut above = Some(parent);
        for _ in 0..DEPTH_MAX {
            match above {
                None => {
                    if let Some(link) = self.parents.get_mut(child) {
                        *link = Some(parent);
                    }
                    return;
                }
                Some(node) if node == child => return,
                Some(node) => above = self.parent(node),
            }
        }
    }

    /// Steps 2 and 3: the nearest message above each, or the dummy at the top.
    fn forest(&self, messages: &[Threadable]) -> Forest {
        let mut forest = Forest { tops: Vec::new(), children: vec![Vec::new(); messages.len()] };
        let mut orphans: HashMap<usize, Vec<usize>> = HashMap::new();
        // What is above dummies, and the topmost of them: their chains may be as long as there are messages.
        let mut known: HashMap<usize, (Option<usize>, usize)> = HashMap::new();
        let mut walked = Vec::new();
        for node in 0..messages.len() {
            let (mut top, mut above) = (None, self.parent(node));
            while let Some(ancestor) = above.filter(|ancestor| *ancestor >= messages.len()) {
                if let Some((message, dummy)) = known.get(&ancestor) {
                    (above, top) = (*message, Some(*dummy));
                    break;
                }
                walked.push(ancestor);
                top = Some(ancestor);
                above = self.parent(ancestor);
            }
            if let Some(dummy) = top {
                known.extend(walked.drain(..).map(|ancestor| (ancestor, (above, dummy))));
            }
            match (above, top) {
                (Some(parent), _) => forest.add_child(parent, node),
                (None, Some(dummy)) => orphans.entry(dummy).or_default().push(node),
                (None, None) => forest.tops.push(Top::Message(node)),
            }
        }
        for kids in orphans.into_values() {
            forest.tops.push(match kids.as_slice() {
                [only] => Top::Message(*only),
                _ => Top::Dummy(kids),
            });
        }
        forest
    }
}

/// What stands at the root: a message, or siblings whose parent is not here.
#[derive(Clone, Debug)]
enum Top {
    Message(usize),
    Dummy(Vec<usize>),
    /// Merged into another.
    Gone,
}

struct Forest {
    tops: Vec<Top>,
    /// Of each message.
    children: Vec<Vec<usize>>,
}

/// Order of siblings (RFC 5256 2.2): by date, then by number.
fn order(messages: &[Threadable], node: usize) -> (i64, u32) {
    messages.get(node).map_or((i64::MAX, u32::MAX), |message| (message.date, message.number))
}

impl Forest {
    fn add_child(&mut self, parent: usize, child: usize) {
        if let Some(children) = self.children.get_mut(parent) {
            children.push(child);
        }
    }

    /// Sorts siblings under dummies, then the root (step 4).
    fn sort_tops(&mut self, messages: &[Threadable]) {
        for top in &mut self.tops {
            if let Top::Dummy(kids) = top {
                kids.sort_by_key(|kid| order(messages, *kid));
            }
        }
        self.tops.sort_by_key(|top| top.first().map(|first| order(messages, first)));
    }

    /// Steps 4 and 5.
    fn merge_subjects(&mut self, messages: &[Threadable]) {
        self.sort_tops(messages);
        let subject = |top: &Top| {
            let first = top.first().and_then(|node| messages.get(node))?;
            (!first.subject.is_empty()).then_some((first.subject.as_str(), first.is_reply))
        };
        let mut table: HashMap<&str, usize> = HashMap::new();
        for (index, top) in self.tops.iter().enumerate() {
            let Some((text, is_reply)) = subject(top) else { continue };
            let known = table.entry(text).or_insert(index);
            let Some(before) = self.tops.get(*known) else { continue };
            let was_reply = subject(before).is_some_and(|(_, is_reply)| is_reply);
            if !before.is_dummy() && (top.is_dummy() || (was_reply && !is_reply)) {
                *known = index;
            }
        }
        for index in 0..self.tops.len() {
            let Some((text, is_reply)) = self.tops.get(index).and_then(subject) else { continue };
            let Some(known) = table.get(text).copied().filter(|known| *known != index) else { continue };
            let was_reply = self.tops.get(known).and_then(subject).is_some_and(|(_, is_reply)| is_reply);
            // Taken out, not copied: very many may be merged into one.
            let mut take = |at| self.tops.get_mut(at).map(|top| std::mem::replace(top, Top::Gone));
            let (Some(into), Some(top)) = (take(known), take(index)) else { continue };
            let merged = match (into, top) {
                (Top::Dummy(mut kids), Top::Dummy(more)) => {
                    kids.extend(more);
                    Top::Dummy(kids)
                }
                (Top::Dummy(mut kids), Top::Message(node)) => {
                    kids.push(node);
                    Top::Dummy(kids)
                }
                (Top::Message(parent), Top::Message(node)) if is_reply && !was_reply => {
                    self.add_child(parent, node);
                    Top::Message(parent)
                }
                (Top::Message(first), Top::Message(node)) => Top::Dummy(vec![first, node]),
                (Top::Message(first), Top::Dummy(mut kids)) => {
                    kids.push(first);
                    Top::Dummy(kids)
                }
                (into, _) => into,
            };
            if let Some(place) = self.tops.get_mut(known) {
                *place = merged;
            }
        }
    }

    /// Step 6, and the lists.
    fn write(mut self, messages: &[Threadable]) -> Vec<ThreadToken> {
        for children in &mut self.children {
            children.sort_by_key(|child| order(messages, *child));
        }
        self.sort_tops(messages);
        let mut tokens = Vec::with_capacity(messages.len() * 3);
        for top in &self.tops {
            match top {
                Top::Gone => {}
                Top::Message(node) => self.write_tree(*node, messages, &mut tokens),
                Top::Dummy(kids) => {
                    tokens.push(ThreadToken::Open);
                    for kid in kids {
                        self.write_tree(*kid, messages, &mut tokens);
                    }
                    tokens.push(ThreadToken::Close);
                }
            }
        }
        tokens
    }

    /// `thread-list = "(" (thread-members / thread-nested) ")"`
    fn write_tree(&self, head: usize, messages: &[Threadable], tokens: &mut Vec<ThreadToken>) {
        enum Step {
            Begin(usize),
            Member(usize),
            End,
        }
        let mut steps = vec![Step::Begin(head)];
        while let Some(step) = steps.pop() {
            let node = match step {
                Step::End => {
                    tokens.push(ThreadToken::Close);
                    continue;
                }
                Step::Begin(node) => {
                    tokens.push(ThreadToken::Open);
                    steps.push(Step::End);
                    node
                }
                Step::Member(node) => node,
            };
            tokens.extend(messages.get(node).map(|message| ThreadToken::Number(message.number)));
            match self.children.get(node).map(Vec::as_slice).unwrap_or_default() {
                [only] => steps.push(Step::Member(*only)),
                several => steps.extend(several.iter().rev().map(|child| Step::Begin(*child))),
            }
        }
    }
}

impl Top {
    fn is_dummy(&self) -> bool {
        matches!(self, Self::Dummy(_))
    }

    /// The message, or the first of the siblings.
    fn first(&self) -> Option<usize> {
        match self {
            Self::Message(node) => Some(*node),
            Self::Dummy(kids) => kids.first().copied(),
            Self::Gone => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Writer;

    fn shown(tokens: &[ThreadToken]) -> String {
        let mut writer = Writer::new();
        writer.thread_tokens(tokens, false);
        String::from_utf8(writer.take()).unwrap()
    }

    /// Number, id, references, subject; a subject that begins with `re ` is a reply. The dates are the numbers.
    fn mail(number: u32, id: &str, references: &[&str], subject: &str) -> Threadable {
        Threadable {
            number,
            date: number.into(),
            id: (!id.is_empty()).then(|| id.to_owned()),
            references: references.iter().map(|id| (*id).to_owned()).collect(),
            subject: subject.trim_start_matches("re ").to_owned(),
            is_reply: subject.starts_with("re "),
        }
    }

    fn check(messages: &[Threadable], expected: &str) {
        assert_eq!(shown(&references(messages)), expected);
    }

    #[test]
    fn replies_are_below_what_they_answer() {
        check(&[mail(1, "a", &[], ""), mail(2, "b", &["a"], ""), mail(3, "c", &["a", "b"], "")], "(1 2 3)");
        check(&[mail(1, "a", &[], ""), mail(2, "b", &["a"], ""), mail(3, "c", &["a"], "")], "(1 (2)(3))");
        // RFC 5256 4: "(3 6 (4 23)(44 7 96))"
        check(
            &[
                mail(3, "c", &[], ""),
                mail(4, "d", &["c", "f"], ""),
                mail(6, "f", &["c"], ""),
                mail(7, "g", &["c", "f", "x"], ""),
                mail(23, "w", &["d"], ""),
                mail(44, "x", &["c", "f"], ""),
                mail(96, "z", &["g"], ""),
            ],
            "(3 6 (4 23)(44 7 96))",
        );
    }

    #[test]
    fn a_missing_parent_leaves_its_children_together() {
        // RFC 5256 4: "((3)(5))"
        check(&[mail(3, "c", &["lost"], ""), mail(5, "e", &["lost"], "")], "((3)(5))");
        check(&[mail(3, "c", &["lost", "gone"], "")], "(3)");
        check(&[mail(1, "a", &[], ""), mail(3, "c", &["a", "gone"], "")], "(1 3)");
        check(&[mail(3, "c", &["x", "y"], ""), mail(5, "e", &["x", "z"], "")], "((3)(5))");
    }

    #[test]
    fn subjects_join_threads() {
        check(&[mail(1, "a", &[], "s"), mail(2, "b", &[], "re s")], "(1 2)");
        check(&[mail(1, "a", &[], "re s"), mail(2, "b", &[], "s")], "(2 1)");
        check(&[mail(1, "a", &[], "s"), mail(2, "b", &[], "s")], "((1)(2))");
        check(&[mail(1, "a", &[], "s"), mail(2, "b", &[], "s"), mail(3, "c", &[], "re s")], "((1)(2)(3))");
        check(&[mail(1, "a", &["p"], "s"), mail(2, "b", &["p"], "s"), mail(3, "c", &[], "s")], "((1)(2)(3))");
        check(&[mail(1, "", &[], ""), mail(2, "", &[], "")], "(1)(2)");
    }

    #[test]
    fn loops_and_twins_are_harmless() {
        check(&[mail(1, "a", &["b"], ""), mail(2, "b", &["a"], "")], "(2 1)");
        check(&[mail(1, "a", &["a"], "")], "(1)");
        check(&[mail(1, "a", &[], ""), mail(2, "a", &[], ""), mail(3, "c", &["a"], "")], "(1 3)(2)");
        let chain: Vec<Threadable> =
            (1..20_000).map(|n| mail(n, &format!("m{n}"), &[&format!("m{}", n + 1)], "")).collect();
        let tokens = references(&chain);
        let numbers = tokens.iter().filter(|token| matches!(token, ThreadToken::Number(_)));
        assert_eq!(numbers.count(), chain.len());
    }

    #[test]
    fn ordered_by_subject() {
        let messages = [
            mail(1, "", &[], "b"),
            mail(2, "", &[], "a"),
            mail(3, "", &[], "b"),
            mail(4, "", &[], "b"),
            mail(5, "", &[], "a"),
        ];
        assert_eq!(shown(&ordered_subject(&messages)), "(1 (3)(4))(2 5)");
        assert_eq!(ordered_subject(&[]), []);
    }

    #[test]
    fn ids_of_a_field() {
        assert_eq!(message_ids(b"<\"a\"@b> prose <c@d>\r\n <e @f> <no> <open"), ["a@b", "c@d", "e@f"]);
        let many: String = (0..500).map(|n| format!("<{n}@x>")).collect();
        let ids = message_ids(many.as_bytes());
        assert_eq!((ids.len(), ids[0].as_str(), ids[99].as_str()), (100, "0@x", "499@x"));
    }
}
