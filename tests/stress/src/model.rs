//! What one account must hold, by what its clients did and were told.
//!
//! Invariants: a folder is known by its UIDVALIDITY (renaming keeps it, making anew does not); a message by folder and
//! uid. Between two audits events are gathered; an audit explains them ([`crate::linear`]) and begins anew from what it saw.

use crate::content::{DELETED, GONE, Mask, show};
use crate::linear::{Act, Event, NEVER, Tick, Verdict, check};
use crate::wire::tick;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Folders that are there from the beginning to the end; all others come and go.
pub const STEADY: [&str; 4] = ["INBOX", "C&APQ-ng v&AQM-n", "Sent", "Work/2025"];
pub const FLEETING: [&str; 4] = ["tam0", "tam1", "tam2", "Work/tam3"];

/// Flags of a message when it came into being.
#[derive(Clone, Debug)]
pub enum Initial {
    Flags(Mask),
    /// Those of (folder, uid) when this op took effect.
    Of {
        folder: u32,
        uid: u32,
        op: u64,
    },
    /// Seen before the command that made it was answered.
    Unknown,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub content: Option<u64>,
    /// From the command that made it to its answer.
    pub born: (Tick, Tick),
    pub first_seen: Tick,
    pub initial: Initial,
    pub events: Vec<Event>,
    /// The last moment at which a change of it began or ended.
    pub touched: Tick,
    /// Changes under way.
    pub open: u32,
    pub versions: BTreeMap<u64, Mask>,
    /// (modseq before, modseq after) of conditional changes that were made.
    pub swaps: Vec<(u64, u64)>,
}

impl Message {
    fn new(content: Option<u64>, born: (Tick, Tick), initial: Initial) -> Self {
        Self {
            content,
            born,
            first_seen: NEVER,
            initial,
            events: Vec::new(),
            touched: born.0,
            open: 0,
            versions: BTreeMap::new(),
            swaps: Vec::new(),
        }
    }

    /// Since the last audit it may have been \Deleted.
    pub fn may_be_deleted(&self) -> bool {
        let deletes = |event: &Event| match event.act {
            Act::Edit { set, .. } => set & DELETED != 0,
            Act::Sight(flags) => flags != GONE && flags & DELETED != 0,
            Act::Sweep | Act::Leave | Act::Copied => false,
        };
        let at_first = !matches!(self.initial, Initial::Flags(flags) if flags & DELETED == 0);
        at_first || self.events.iter().any(deletes)
    }
}

/// What somebody was told of a folder before a command was sent: its answer is not below.
#[derive(Clone, Copy, Debug, Default)]
pub struct Floor {
    pub top: u32,
    pub uid_next: u32,
    pub modseq: u64,
}

#[derive(Debug, Default)]
pub struct Folder {
    pub messages: BTreeMap<u32, Message>,
    /// EXPUNGE and CLOSE of the whole folder.
    pub sweeps: Vec<Event>,
    /// The highest uid that somebody was told.
    pub top: u32,
    /// What an audit found gone: never to be seen again.
    pub ended: BTreeSet<u32>,
    pub modseq: u64,
    pub uid_next: u32,
    pub name: String,
    pub sweeps_touched: Tick,
    sweeps_open: u32,
}

/// A command that may or may not have made messages: its connection went before the answer came.
#[derive(Clone, Debug)]
pub struct Unsure {
    pub content: Option<u64>,
    pub target: String,
    /// (folder, uid) it was copied or moved from.
    pub source: Option<(u32, u32)>,
    pub moved: bool,
    pub audits: u32,
}

/// What an audit found of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    Flags(Mask),
    Gone,
    /// Its folder was deleted.
    Unknown,
}

/// What a session believes at the end of a round: folder, and flags and modseq by uid.
#[derive(Clone, Debug)]
pub struct Belief {
    pub connection: usize,
    pub folder: u32,
    pub how: &'static str,
    pub messages: BTreeMap<u32, (Mask, Option<u64>)>,
}

/// (folder, uid, op) of a COPY or MOVE, and the flags the message may have had then.
pub type Taken = HashMap<(u32, u32, u64), BTreeSet<Mask>>;

#[derive(Debug, Default)]
pub struct Account {
    pub folders: BTreeMap<u32, Folder>,
    pub unsure: Vec<Unsure>,
    /// Folders there must be by name: made minus removed. Nothing once a command about it was not answered.
    pub names: BTreeMap<String, Option<i64>>,
    next_op: u64,
    pub too_busy: u64,
    pub checked: u64,
    /// Since the last audit, a connection went with a command under way.
    pub dropped: bool,
    pub beliefs: Vec<Belief>,
    /// The quota, if it is to be reached; else 0.
    pub limit_kb: u64,
    /// When the last audit ended.
    pub audited: Tick,
}

pub type Told = Result<(), String>;

impl Account {
    pub fn op(&mut self) -> u64 {
        self.next_op += 1;
        self.next_op
    }

    pub fn folder(&mut self, folder: u32) -> &mut Folder {
        self.folders.entry(folder).or_default()
    }

    /// What was told so far, by folder.
    pub fn floors(&self) -> HashMap<u32, Floor> {
        let floor = |of: &Folder| Floor { top: of.top, uid_next: of.uid_next, modseq: of.modseq };
        self.folders.iter().map(|(folder, of)| (*folder, floor(of))).collect()
    }

    /// A change begins; it may take effect from now on.
    pub fn begin(&mut self, folder: u32, uids: &[u32], act: &Act, from: Tick, connection: usize) -> u64 {
        let op = self.op();
        let of = self.folder(folder);
        for uid in uids {
            if let Some(message) = of.messages.get_mut(uid) {
                let event = Event { from, to: NEVER, sure: false, act: act.clone(), op, connection };
                message.events.push(event);
                message.touched = tick();
                message.open += 1;
            }
        }
        op
    }

    /// It was answered: `decide` says for each uid what happened (`None`: nothing) and whether that is sure.
    pub fn end(
        &mut self,
        folder: u32,
        uids: &[u32],
        op: u64,
        decide: impl Fn(u32, &Act) -> Option<(Act, bool)>,
    ) {
        let to = tick();
        let of = self.folder(folder);
        for uid in uids {
            let Some(message) = of.messages.get_mut(uid) else { continue };
            let Some(at) = message.events.iter().rposition(|event| event.op == op) else { continue };
            match decide(*uid, &message.events[at].act) {
                None => _ = message.events.remove(at),
                Some((act, sure)) => {
                    let event = &mut message.events[at];
                    (event.to, event.sure, event.act) = (to, sure, act);
                }
            }
            message.open -= 1;
            message.touched = to;
        }
    }

    pub fn begin_sweep(&mut self, folder: u32, from: Tick, connection: usize) -> u64 {
        let op = self.op();
        let of = self.folder(folder);
        of.sweeps.push(Event { from, to: NEVER, sure: false, act: Act::Sweep, op, connection });
        of.sweeps_open += 1;
        of.sweeps_touched = tick();
        op
    }

    pub fn end_sweep(&mut self, folder: u32, op: u64, done: bool) {
        let of = self.folder(folder);
        let to = tick();
        of.sweeps_open -= 1;
        of.sweeps_touched = to;
        if !done {
            of.sweeps.retain(|event| event.op != op);
        } else if let Some(event) = of.sweeps.iter_mut().find(|event| event.op == op) {
            (event.to, event.sure) = (to, true);
        }
    }

    /// Nothing changed this message since `floor`, and nothing does now.
    pub fn quiet(&self, folder: u32, uid: u32, floor: Tick) -> bool {
        self.folders.get(&folder).is_some_and(|of| {
            of.messages.get(&uid).is_some_and(|message| {
                let swept = of.sweeps_open > 0 || of.sweeps_touched > floor;
                message.open == 0 && message.touched < floor && !swept
            })
        })
    }

    /// Somebody is shown a message.
    pub fn seen(&mut self, folder: u32, uid: u32) -> Told {
        let of = self.folder(folder);
        if of.ended.contains(&uid) {
            return Err(format!("uid {uid} of folder {folder} is shown again after it was expunged"));
        }
        let unknown = || Message::new(None, (0, NEVER), Initial::Unknown);
        let message = of.messages.entry(uid).or_insert_with(unknown);
        message.first_seen = message.first_seen.min(tick());
        Ok(())
    }

    pub fn sight(
        &mut self,
        folder: u32,
        uid: u32,
        flags: Mask,
        span: (Tick, Tick),
        connection: usize,
    ) -> Told {
        if flags != GONE {
            self.seen(folder, uid)?;
        }
        let op = self.op();
        if let Some(message) = self.folder(folder).messages.get_mut(&uid) {
            let (from, to) = span;
            message.events.push(Event { from, to, sure: true, act: Act::Sight(flags), op, connection });
        }
        Ok(())
    }

    /// One modseq, one set of flags, whoever looks.
    pub fn version(&mut self, folder: u32, uid: u32, modseq: u64, flags: Mask) -> Told {
        let Some(message) = self.folder(folder).messages.get_mut(&uid) else { return Ok(()) };
        match message.versions.insert(modseq, flags) {
            Some(other) if other != flags => Err(format!(
                "uid {uid} of folder {folder} has flags {} and {} at modseq {modseq}",
                show(other),
                show(flags)
            )),
            _ => Ok(()),
        }
    }

    /// A message of this number is in the folder under this uid.
    pub fn content(&mut self, folder: u32, uid: u32, content: u64) -> Told {
        let Some(message) = self.folder(folder).messages.get_mut(&uid) else { return Ok(()) };
        match message.content.replace(content) {
            Some(other) if other != content => {
                Err(format!("uid {uid} of folder {folder} is message {content} and was {other}"))
            }
            _ => Ok(()),
        }
    }

    /// APPENDUID or COPYUID: `floor` are the tops when the command was sent.
    pub fn created(
        &mut self,
        (folder, uid): (u32, u32),
        content: Option<u64>,
        initial: Initial,
        born: (Tick, Tick),
        floor: Floor,
    ) -> Told {
        if uid <= floor.top || uid < floor.uid_next {
            return Err(format!("new uid {uid} of folder {folder} is not above what was told: {floor:?}"));
        }
        let of = self.folder(folder);
        of.top = of.top.max(uid);
        if of.ended.contains(&uid) {
            return Err(format!("uid {uid} of folder {folder} was given to two messages"));
        }
        let Some(known) = of.messages.get_mut(&uid) else {
            of.messages.insert(uid, Message::new(content, born, initial));
            return Ok(());
        };
        if !matches!(known.initial, Initial::Unknown) {
            return Err(format!("uid {uid} of folder {folder} was given to two messages"));
        }
        if known.first_seen < born.0 {
            return Err(format!("uid {uid} of folder {folder} was shown before the command that made it"));
        }
        (known.born, known.initial) = (born, initial);
        match content {
            Some(content) => self.content(folder, uid, content),
            None => Ok(()),
        }
    }

    /// A command made (+1) or removed (-1) this name, or was not answered (`None`).
    pub fn named(&mut self, name: &str, change: Option<i64>) {
        let count = self.names.entry(name.to_owned()).or_insert(Some(0));
        *count = count.zip(change).map(|(count, change)| count + change);
    }

    /// Explains all of a folder's events by what it holds now, and begins anew from that. `taken` collects the flags
    /// that copies got.
    pub fn settle(&mut self, folder: u32, uid: u32, now: Now, span: (Tick, Tick), taken: &mut Taken) -> Told {
        let audited = self.audited;
        let Some(of) = self.folders.get_mut(&folder) else { return Ok(()) };
        let Some(message) = of.messages.get_mut(&uid) else { return Ok(()) };
        let initial = possible_at_first(&message.initial, taken);
        let mut events = std::mem::take(&mut message.events);
        if may_go(&initial, &events) {
            let during = of.sweeps.iter().filter(|sweep| sweep.to > message.born.0);
            // One that began before the message was there for certain may have missed it.
            let born = message.born.1;
            events
                .extend(during.map(|sweep| Event { sure: sweep.sure && sweep.from > born, ..sweep.clone() }));
        }
        let kept = events.iter().filter(|event| event.to == NEVER && event.from > audited);
        let kept = kept.filter(|event| event.act != Act::Sweep).cloned().collect();
        events.extend(sighting(now, span));
        let result = if initial.is_empty() {
            Ok(())
        } else {
            match check(&initial, &events) {
                Verdict::Possible(flags) => {
                    self.checked += 1;
                    taken.extend(flags.into_iter().map(|(op, flags)| ((folder, uid, op), flags)));
                    Ok(())
                }
                Verdict::TooBusy => {
                    self.too_busy += 1;
                    Ok(())
                }
                Verdict::Impossible(why) => Err(format!(
                    "uid {uid} of folder {folder} (message {:?}): {why}\n  at first {:?}\n{}",
                    message.content,
                    initial.iter().map(|flags| show(*flags)).collect::<Vec<_>>(),
                    history(&events)
                )),
            }
        };
        match now {
            Now::Flags(flags) => {
                // A change that was never answered may still come, once.
                message.events = kept;
                message.open = 0;
                message.initial = Initial::Flags(flags);
            }
            Now::Gone => {
                of.messages.remove(&uid);
                of.ended.insert(uid);
            }
            Now::Unknown => {}
        }
        result
    }

    /// An audit is over.
    pub fn anew(&mut self) {
        let audited = self.audited;
        for of in self.folders.values_mut() {
            of.sweeps.retain(|sweep| sweep.to == NEVER && sweep.from > audited);
            of.sweeps_open = 0;
        }
        self.audited = tick();
        self.dropped = false;
        self.beliefs.clear();
    }

    /// Conditional changes must not have overlooked one in between (RFC 7162 3.1.3).
    pub fn settle_swaps(&mut self, folder: u32, uid: u32) -> Told {
        let Some(message) = self.folder(folder).messages.get_mut(&uid) else { return Ok(()) };
        for (before, after) in std::mem::take(&mut message.swaps) {
            if after <= before {
                return Err(format!(
                    "uid {uid} of folder {folder}: a change made modseq {after} of {before}"
                ));
            }
            if let Some((between, _)) = message.versions.range(before + 1..after).next() {
                return Err(format!(
                    "uid {uid} of folder {folder}: a STORE unchanged since {before} made {after} over {between}"
                ));
            }
        }
        while message.versions.len() > 1 {
            message.versions.pop_first();
        }
        Ok(())
    }
}

/// What an audit saw of a message, as an event.
fn sighting(now: Now, span: (Tick, Tick)) -> Option<Event> {
    let seen = match now {
        Now::Flags(flags) => flags,
        Now::Gone => GONE,
        Now::Unknown => return None,
    };
    Some(Event { from: span.0, to: span.1, sure: true, act: Act::Sight(seen), op: 0, connection: 0 })
}

/// Nothing if it cannot be said.
fn possible_at_first(initial: &Initial, taken: &Taken) -> BTreeSet<Mask> {
    match initial {
        Initial::Flags(flags) => BTreeSet::from([*flags]),
        Initial::Of { folder, uid, op } => taken.get(&(*folder, *uid, *op)).cloned().unwrap_or_default(),
        Initial::Unknown => BTreeSet::new(),
    }
}

/// Without \Deleted an EXPUNGE does nothing, and need not be followed.
fn may_go(initial: &BTreeSet<Mask>, events: &[Event]) -> bool {
    let deletes = |event: &Event| matches!(event.act, Act::Edit { set, .. } if set & DELETED != 0);
    initial.iter().any(|flags| flags & DELETED != 0) || events.iter().any(deletes)
}

fn history(events: &[Event]) -> String {
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort_by_key(|event| event.from);
    let line = |event: &&Event| {
        let act = match event.act {
            Act::Edit { keep, set } => format!("edit keep {} set {}", show(keep & !GONE), show(set)),
            Act::Sight(flags) => format!("seen {}", show(flags)),
            ref other => format!("{other:?}"),
        };
        let to = if event.to == NEVER { "…".into() } else { event.to.to_string() };
        let sure = if event.sure { "" } else { "?" };
        format!("  {}–{to} connection {}: {act}{sure}", event.from, event.connection)
    };
    events.iter().map(line).collect::<Vec<_>>().join("\n")
}
