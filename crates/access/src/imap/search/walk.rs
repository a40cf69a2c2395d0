//! Which messages a search looks at, in which order, and when it has seen enough.
//!
//! A client that shows a page of what is found asks for a part of the result, mostly its end (RFC 9394). That part is the
//! same whatever is found beyond it, so messages are looked at from that end, some at a time, until the part is full.
//! What the first of them have tells how many more are needed, or that it is rare and the index is to be asked; so it
//! is at once where no word is known that the text could be part of.
//!
//! Invariants: each position is looked at once at most; of those looked at all hits are known; what was not looked at is
//! beyond the part.

use super::key::Compiled;
use super::{Place, index, read};
use crate::imap::limits::{SEARCH_BATCH, SEARCH_GROUP, SEARCH_NEAR, SEARCH_SCAN, SEARCH_STEP, SEARCH_STEPS};
use crate::imap::reply::Failure;
use crate::imap::session::{Door, Selected};
use engine::{Candidates, SEARCH_DIRECT};
use proto::imap::ReturnOptions;
use std::collections::VecDeque;
use std::ops::Range;

/// The part of a result that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// How many hits from that end make it full.
    hits: usize,
    from_end: bool,
}

impl Part {
    /// What `options` ask for, where that is no more than a part: RFC 9394 3.1 tells no count of the whole.
    pub(super) fn of(options: &ReturnOptions) -> Option<Self> {
        let whole = options.all || options.count || options.min || options.max;
        let range = options.partial.filter(|_| !whole)?;
        Some(Self { hits: range.high.get() as usize, from_end: range.from_end })
    }
}

/// The messages that are searched for, ascending; of a `part`, at least those in it and all between them and its end.
pub(super) async fn find(
    door: &mut Door,
    selected: &Selected,
    compiled: &Compiled,
    part: Option<Part>,
) -> Result<Vec<Place>, Failure> {
    let mut walk = Walk::new(selected.tracker.exists() as usize, part.is_some_and(|part| part.from_end));
    let rare = match compiled.needed_text() {
        Some((_, needle)) => door.engine.is_search_rare(needle).await,
        None => false,
    };
    let mut plan = Plan::new(part, rare);
    let (mut hits, mut read_of) = (Vec::new(), 0);
    loop {
        if plan.asks_index() {
            walk.among = candidates(door, selected, compiled).await?;
            if let Some(candidates) = &walk.among {
                let entries = selected.tracker.view().entries();
                walk.left = walk.left.iter().flat_map(|span| candidates.spans(entries, span)).collect();
                plan.narrowed(hits.len());
            }
        }
        let open = scan(selected, compiled, &mut walk, &plan, &mut hits).await;
        for group in open.chunks(plan.group()) {
            let left = index::by_index(door, selected, compiled, group, &mut hits).await?;
            for batch in left.chunks(SEARCH_BATCH) {
                read(door, selected, compiled, batch, &mut hits).await?;
                // RFC 9585 4: of the messages that have to be read.
                read_of += batch.len() as u64;
                door.progress(read_of, None).await?;
            }
        }
        if walk.left.is_empty() || hits.len() >= plan.hits {
            hits.sort_unstable();
            return Ok(hits);
        }
        plan.looked_at(open.len(), hits.len());
    }
}

/// What all that is found is among, as far as the index can say that of a text that is needed.
async fn candidates(
    door: &Door,
    selected: &Selected,
    compiled: &Compiled,
) -> Result<Option<Candidates>, Failure> {
    let Some(text) = compiled.needed_text() else { return Ok(None) };
    // A view that the session is behind of does not show what it still counts, and positions in it are others.
    if selected.tracker.is_haunted() {
        return Ok(None);
    }
    Ok(door.engine.search_candidates(&selected.who, selected.tracker.view(), text).await?)
}

/// Adds to `hits` what the view decides, and gives the messages that it leaves open, ascending: up to as many as planned.
async fn scan(
    selected: &Selected,
    compiled: &Compiled,
    walk: &mut Walk,
    plan: &Plan,
    hits: &mut Vec<Place>,
) -> Vec<Place> {
    let mut open: Vec<Place> = Vec::new();
    while let Some(mut span) = walk.next(SEARCH_SCAN) {
        while hits.len() < plan.hits
            && open.len() < plan.open
            && let Some(position) = if walk.from_end { span.next_back() } else { span.next() }
        {
            // RFC 2180 4.3: what is expunged is not found.
            let listed = selected.tracker.at(position).filter(|listed| !listed.gone);
            let Some(listed) = listed.filter(|listed| walk.may_have(listed.entry.content)) else { continue };
            match compiled.by_view(&selected.tracker, position, &listed) {
                Some(true) => hits.push((position, listed.entry.uid)),
                Some(false) => {}
                None => open.push((position, listed.entry.uid)),
            }
        }
        walk.give_back(span);
        if hits.len() >= plan.hits || open.len() >= plan.open {
            break;
        }
        tokio::task::yield_now().await;
    }
    open.sort_unstable();
    open
}

/// Positions still to be looked at.
#[derive(Debug)]
struct Walk {
    /// Spans, ascending, none empty.
    left: VecDeque<Range<usize>>,
    from_end: bool,
    /// Only these may be found.
    among: Option<Candidates>,
}

impl Walk {
    fn new(count: usize, from_end: bool) -> Self {
        let mut walk = Self { left: VecDeque::new(), from_end, among: None };
        walk.give_back(0..count);
        walk
    }

    /// The next positions, up to `most`.
    fn next(&mut self, most: usize) -> Option<Range<usize>> {
        let span = if self.from_end { self.left.pop_back() } else { self.left.pop_front() }?;
        let most = most.min(span.len());
        let (now, later) = if self.from_end {
            (span.end - most..span.end, span.start..span.end - most)
        } else {
            (span.start..span.start + most, span.start + most..span.end)
        };
        self.give_back(later);
        Some(now)
    }

    /// What is left of positions that [`Self::next`] gave.
    fn give_back(&mut self, span: Range<usize>) {
        match (span.is_empty(), self.from_end) {
            (true, _) => {}
            (false, true) => self.left.push_back(span),
            (false, false) => self.left.push_front(span),
        }
    }

    fn may_have(&self, content: model::ContentId) -> bool {
        self.among.as_ref().is_none_or(|candidates| candidates.has(content))
    }
}

/// How much is looked at in one step.
#[derive(Debug)]
struct Plan {
    /// Hits that are enough.
    hits: usize,
    /// Messages, left open by the view, of the next step.
    open: usize,
    steps: usize,
    /// Messages left open by the view, and hits, when the index was asked what may be found: it changes how many there
    /// are of these among those.
    looked_at: usize,
    hits_before: usize,
    asked_index: bool,
    rare: bool,
}

impl Plan {
    /// `rare`: it is likely that the index leaves few.
    fn new(part: Option<Part>, rare: bool) -> Self {
        let whole = Self {
            hits: usize::MAX,
            open: usize::MAX,
            steps: 0,
            looked_at: 0,
            hits_before: 0,
            asked_index: false,
            rare,
        };
        match part {
            None => whole,
            Some(part) => {
                let open = part.hits.saturating_mul(2).clamp(SEARCH_STEP, SEARCH_DIRECT);
                Self { hits: part.hits, open, ..whole }
            }
        }
    }

    /// Messages that the index, or for few their texts, are asked about at once.
    fn group(&self) -> usize {
        if self.open <= SEARCH_NEAR { SEARCH_DIRECT } else { SEARCH_GROUP }
    }

    /// Is it time to ask what may be found? It is, once, before many messages are looked at, or at once for what is rare.
    fn asks_index(&mut self) -> bool {
        (self.rare || self.open > SEARCH_NEAR) && !std::mem::replace(&mut self.asked_index, true)
    }

    /// From here on most of what is left open will be found.
    fn narrowed(&mut self, hits: usize) {
        (self.steps, self.looked_at, self.hits_before) = (0, 0, hits);
        if self.hits < usize::MAX {
            self.open = (self.hits - hits).saturating_mul(2).max(SEARCH_DIRECT);
        }
    }

    /// Plans the next step after one that looked at so many and came to so many hits in all, which are not enough.
    fn looked_at(&mut self, open: usize, hits: usize) {
        self.steps += 1;
        self.looked_at += open;
        let (found, missing) = (hits - self.hits_before, self.hits.saturating_sub(hits));
        // As many as there would have to be if these were like the rest, and half as many again.
        let likely =
            missing.saturating_mul(self.looked_at).checked_div(found).map(|n| n.saturating_add(n / 2));
        let rest = likely.filter(|_| self.steps < SEARCH_STEPS).unwrap_or(usize::MAX);
        self.open = rest.max(self.open.saturating_mul(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_comes_by_everything_once() {
        for from_end in [false, true] {
            let mut walk = Walk::new(10, from_end);
            let mut seen = Vec::new();
            while let Some(mut span) = walk.next(4) {
                let next = if from_end { span.next_back() } else { span.next() };
                seen.extend(next);
                walk.give_back(span);
            }
            if from_end {
                seen.reverse();
            }
            assert_eq!(seen, (0..10).collect::<Vec<_>>());
        }
        assert_eq!(Walk::new(0, true).next(4), None);
        let mut walk = Walk::new(0, true);
        walk.left = VecDeque::from([2..3, 5..9]);
        assert_eq!(
            [walk.next(3), walk.next(3), walk.next(3), walk.next(3)],
            [Some(6..9), Some(5..6), Some(2..3), None]
        );
    }

    #[test]
    fn steps_follow_what_was_found() {
        let part = |hits| Some(Part { hits, from_end: true });
        let mut all = Plan::new(None, false);
        assert!(all.asks_index() && !all.asks_index() && all.open == usize::MAX);
        let mut common = Plan::new(part(50), false);
        assert_eq!((common.open, common.group(), common.asks_index()), (100, SEARCH_DIRECT, false));
        common.looked_at(100, 25);
        assert_eq!((common.open, common.group(), common.asks_index()), (200, SEARCH_DIRECT, false));
        let mut rare = Plan::new(part(50), false);
        rare.looked_at(100, 0);
        assert!(rare.asks_index() && !rare.asks_index() && rare.open == usize::MAX);
        rare.narrowed(0);
        assert_eq!((rare.open, rare.group()), (300, SEARCH_DIRECT));
        rare.looked_at(300, 30);
        assert_eq!(rare.open, 600);
        let mut code = Plan::new(part(50), true);
        assert!(code.asks_index() && !code.asks_index() && code.open == 100, "should it be common after all");
        let mut large = Plan::new(part(100_000), false);
        large.looked_at(300, 300);
        assert_eq!((large.open, large.group()), (149_550, SEARCH_GROUP));
        (0..SEARCH_STEPS).for_each(|_| large.looked_at(1, 1_000));
        assert_eq!(large.open, usize::MAX, "it ends");
    }
}
