//! Commands with what they mean for the model: told when they are sent, judged when they are answered.

use crate::content::{DELETED, Mask, SEEN, id_of, message, names, set};
use crate::linear::{Act, Tick};
use crate::model::{FLEETING, Floor, Initial, Unsure};
use crate::parse::{Fetched, Kind, Value, numbers};
use crate::search::{Key, Known};
use crate::session::{Done, News, Session, Slot, View};
use crate::wire::{End, fault, tick};
use std::collections::{BTreeMap, HashMap};

/// What a command does.
#[derive(Clone, Debug)]
pub enum What {
    Nothing,
    /// Flags become `old & keep | set`.
    /// With `unchanged_since`, those of `stale` are known to have changed later.
    Store {
        uids: Vec<u32>,
        keep: Mask,
        set: Mask,
        silent: bool,
        unchanged_since: Option<u64>,
        stale: Vec<u32>,
    },
    /// Sets \Seen if `marks`.
    Fetch {
        uids: Vec<u32>,
        marks: bool,
        part: Option<(usize, usize)>,
    },
    Append {
        messages: Vec<(u64, Mask)>,
        to: String,
    },
    Transfer {
        uids: Vec<u32>,
        to: String,
        moves: bool,
    },
    Expunge {
        uids: Option<Vec<u32>>,
    },
    /// CLOSE, UNSELECT.
    Leave {
        expunges: bool,
    },
    Search {
        key: Key,
        by_uid: bool,
        sorted: bool,
    },
    Status(String),
    Create(String),
    Delete(String),
    Rename(String, String),
    /// SELECT, EXAMINE; what was known of it, for QRESYNC.
    Select {
        name: String,
        read_only: bool,
        cache: Option<(View, bool)>,
    },
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub line: Vec<u8>,
    pub news: News,
    pub what: What,
    tag: String,
    began: Tick,
    op: u64,
    folder: u32,
    floors: HashMap<u32, Floor>,
    /// What a search looked at.
    known: Vec<Known>,
    floor: Tick,
    all_known: bool,
}

impl Plan {
    pub fn new(line: impl Into<Vec<u8>>, news: News, what: What) -> Self {
        Self {
            line: line.into(),
            news,
            what,
            tag: String::new(),
            began: 0,
            op: 0,
            folder: 0,
            floors: HashMap::new(),
            known: Vec::new(),
            floor: 0,
            all_known: false,
        }
    }

    /// What was told of the folder before this was sent.
    fn told(&self, folder: u32) -> Floor {
        self.floors.get(&folder).copied().unwrap_or_default()
    }
}

impl Session {
    /// Sends all of `plans` at once and judges every answer. `None`: one of them ended in NO.
    pub async fn perform(&mut self, plans: Vec<Plan>) -> Result<Vec<Done>, End> {
        let mut plans = self.begin(plans);
        let octets = self.octets(&plans);
        if let Err(end) = self.wire.send(&octets).await {
            self.abandon(&plans);
            return Err(end);
        }
        let mut done = Vec::new();
        while !plans.is_empty() {
            match self.one(&mut plans[0]).await {
                Ok(answered) => done.push(answered),
                Err(end) => {
                    self.abandon(&plans);
                    return Err(end);
                }
            }
            plans.remove(0);
        }
        Ok(done)
    }

    /// Sends all or a part, and goes away without reading.
    pub async fn drop_amid(&mut self, plans: Vec<Plan>, share: usize) -> Result<(), End> {
        let plans = self.begin(plans);
        let octets = self.octets(&plans);
        let sent = self.wire.send(&octets[..octets.len() * share / 100]).await;
        self.abandon(&plans);
        match sent {
            Err(End::Fault(fault)) => Err(End::Fault(fault)),
            _ => Ok(()),
        }
    }

    fn octets(&mut self, plans: &[Plan]) -> Vec<u8> {
        let mut octets = Vec::new();
        for plan in plans {
            octets.extend_from_slice(plan.tag.as_bytes());
            octets.push(b' ');
            let mut line = plan.line.clone();
            if let (What::Store { .. }, Some(mutator)) = (&plan.what, &mut self.wire.mutator) {
                if mutator.swallows() {
                    line = b"NOOP".to_vec();
                } else if mutator.ignores_condition() {
                    let text = String::from_utf8_lossy(&line).into_owned();
                    if let Some((head, tail)) = text.split_once(" (UNCHANGEDSINCE ") {
                        let tail = tail.split_once(") ").map_or("", |(_, tail)| tail);
                        line = format!("{head} {tail}").into_bytes();
                    }
                }
            }
            octets.extend_from_slice(&line);
            octets.extend_from_slice(b"\r\n");
        }
        octets
    }

    /// The model hears of what may happen from now on.
    fn begin(&mut self, mut plans: Vec<Plan>) -> Vec<Plan> {
        let number = self.number;
        for plan in &mut plans {
            self.tags += 1;
            plan.tag = format!("s{}", self.tags);
            plan.began = tick();
            plan.folder = self.view.as_ref().map_or(0, |view| view.folder);
            let (folder, began) = (plan.folder, plan.began);
            let mut model = self.model();
            plan.floors = model.floors();
            plan.op = match &plan.what {
                What::Store { uids, keep, set, .. } => {
                    model.begin(folder, uids, &Act::Edit { keep: *keep, set: *set }, began, number)
                }
                What::Fetch { uids, marks: true, .. } => {
                    model.begin(folder, uids, &Act::Edit { keep: !0, set: SEEN }, began, number)
                }
                What::Transfer { uids, moves, .. } => {
                    let act = if *moves { Act::Leave } else { Act::Copied };
                    model.begin(folder, uids, &act, began, number)
                }
                What::Expunge { uids: Some(uids) } => model.begin(folder, uids, &Act::Sweep, began, number),
                What::Expunge { uids: None } | What::Leave { expunges: true } => {
                    model.begin_sweep(folder, began, number)
                }
                _ => 0,
            };
        }
        plans
    }

    /// The connection went: all of these may have happened or not.
    fn abandon(&mut self, plans: &[Plan]) {
        let mut model = self.account.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        model.dropped = true;
        for plan in plans {
            match &plan.what {
                What::Append { messages, to } => {
                    for (content, _) in messages {
                        let content = Some(*content);
                        model.unsure.push(Unsure {
                            content,
                            target: to.clone(),
                            source: None,
                            moved: false,
                            audits: 0,
                        });
                    }
                }
                What::Transfer { uids, to, moves } => {
                    for uid in uids {
                        let known = model.folders.get(&plan.folder).and_then(|of| of.messages.get(uid));
                        let content = known.and_then(|message| message.content);
                        let source = Some((plan.folder, *uid));
                        model.unsure.push(Unsure {
                            content,
                            target: to.clone(),
                            source,
                            moved: *moves,
                            audits: 0,
                        });
                    }
                }
                What::Create(name) | What::Delete(name) => model.named(name, None),
                What::Rename(from, to) => {
                    model.named(from, None);
                    model.named(to, None);
                }
                _ => {}
            }
        }
    }

    async fn one(&mut self, plan: &mut Plan) -> Result<Done, End> {
        self.start(plan);
        let done = self.finish(&plan.tag.clone(), plan.began, plan.news).await?;
        self.allowed(plan, &done)?;
        self.judge(plan, &done)?;
        Ok(done)
    }

    /// The answers before this one have been read.
    fn start(&mut self, plan: &mut Plan) {
        match &plan.what {
            What::Store { uids, keep, set, silent: true, .. } => {
                let Some(view) = &mut self.view else { return };
                for slot in
                    view.slots.iter_mut().filter(|slot| slot.uid.is_some_and(|uid| uids.contains(&uid)))
                {
                    slot.flags = slot.flags.map(|flags| flags & keep | set);
                }
            }
            What::Search { .. } => {
                let Some(view) = &self.view else { return };
                let model = self.model();
                let of = model.folders.get(&view.folder);
                let content =
                    |uid| of.and_then(|of| of.messages.get(&uid)).and_then(|message| message.content);
                let known = view.slots.iter().zip(1..).filter_map(|(slot, number)| {
                    let uid = slot.uid?;
                    Some(Known::new(number, uid, slot.flags?, content(uid)))
                });
                (plan.known, plan.floor, plan.all_known) = (known.collect(), view.floor, view.all_known());
            }
            What::Select { name, read_only, .. } => {
                self.view = Some(View {
                    name: name.clone(),
                    read_only: *read_only,
                    floor: plan.began,
                    ..View::default()
                });
            }
            What::Leave { .. } => self.view = None,
            _ => {}
        }
    }

    /// OK, or a NO for a reason that can be.
    fn allowed(&self, plan: &Plan, done: &Done) -> Result<(), End> {
        let code = done.code.as_deref().unwrap_or("");
        let fleeting = |name: &String| FLEETING.contains(&name.as_str());
        let full = self.account.lock().map_or(0, |model| model.limit_kb) > 0;
        let fine = match (&plan.what, done.kind, code) {
            (_, Kind::Ok, _) => true,
            (What::Store { .. } | What::Fetch { .. } | What::Transfer { .. }, Kind::No, "EXPUNGEISSUED") => {
                true
            }
            (What::Transfer { to, .. } | What::Append { to, .. }, Kind::No, "TRYCREATE") => fleeting(to),
            (What::Transfer { .. } | What::Append { .. }, Kind::No, "OVERQUOTA") => full,
            (What::Select { name, .. } | What::Delete(name), Kind::No, "NONEXISTENT") => fleeting(name),
            (What::Status(name), Kind::No, "NONEXISTENT") => fleeting(name),
            (What::Create(_), Kind::No, "ALREADYEXISTS") => true,
            (What::Rename(..), Kind::No, "ALREADYEXISTS" | "NONEXISTENT") => true,
            _ => false,
        };
        if fine {
            return Ok(());
        }
        fault(format!(
            "{} was answered {:?} [{code}] {}",
            String::from_utf8_lossy(&plan.line[..plan.line.len().min(200)]),
            done.kind,
            done.text
        ))
    }

    fn judge(&mut self, plan: &mut Plan, done: &Done) -> Result<(), End> {
        let (folder, op) = (plan.folder, plan.op);
        let made = done.kind == Kind::Ok || done.code.as_deref() == Some("EXPUNGEISSUED");
        match &plan.what {
            What::Store { unchanged_since: Some(since), uids, stale, .. } => {
                self.swapped(plan, done, *since, (uids, stale))
            }
            What::Store { uids, .. } => {
                self.model().end(folder, uids, op, |_, act| made.then(|| (act.clone(), true)));
                Ok(())
            }
            What::Fetch { uids, marks, part } => {
                if *marks {
                    // Where the session thinks that it is set, it is not set again.
                    self.model().end(folder, uids, op, |_, act| Some((act.clone(), false)));
                }
                self.bodies(&done.found.fetched, folder, *part)
            }
            What::Append { messages, to } => self.appended(plan, done, messages, to),
            What::Transfer { .. } => self.transferred(plan, done),
            What::Expunge { uids: Some(uids) } => {
                self.model().end(folder, uids, op, |_, act| made.then(|| (act.clone(), true)));
                Ok(())
            }
            What::Expunge { uids: None } | What::Leave { expunges: true } => {
                self.model().end_sweep(folder, op, made);
                Ok(())
            }
            What::Search { key, by_uid, sorted } => self.searched(plan, done, key, *by_uid, *sorted),
            What::Create(name) if made => {
                self.model().named(name, Some(1));
                Ok(())
            }
            What::Delete(name) if made => {
                self.model().named(name, Some(-1));
                Ok(())
            }
            What::Rename(from, to) if made => {
                let mut model = self.model();
                model.named(from, Some(-1));
                model.named(to, Some(1));
                Ok(())
            }
            What::Select { cache, .. } => self.selected(done, cache.as_ref(), plan),
            _ => Ok(()),
        }
    }

    /// RFC 7162 3.1.3: MODIFIED names what was not changed.
    fn swapped(&self, plan: &Plan, done: &Done, since: u64, named: (&[u32], &[u32])) -> Result<(), End> {
        let (uids, stale) = named;
        let failed = done.code.as_deref().and_then(|code| code.strip_prefix("MODIFIED ")).and_then(numbers);
        let failed = failed.unwrap_or_default();
        let view = self.view.as_ref();
        let mut model = self.model();
        model.end(plan.folder, uids, plan.op, |uid, act| {
            (!failed.contains(&uid)).then(|| (act.clone(), true))
        });
        if let Some(wrong) = failed.iter().find(|uid| !uids.contains(uid)) {
            return fault(format!("MODIFIED names {wrong}, which was not asked for"));
        }
        let there = |uid: &&u32| view.is_some_and(|view| view.uids().any(|known| known == **uid));
        let made = stale.iter().filter(|uid| !failed.contains(uid)).find(there);
        if let Some(made) = made.filter(|_| plan.news == News::All) {
            return fault(format!(
                "uid {made} changed after {since}, and a STORE unchanged since then was made"
            ));
        }
        let slots = view.map(|view| view.slots.as_slice()).unwrap_or_default();
        for slot in slots.iter().filter(|slot| slot.uid.is_some_and(|uid| uids.contains(&uid))) {
            let (Some(uid), Some(after)) = (slot.uid, slot.modseq) else { continue };
            let told = done.found.fetched.iter().any(|(_, fetched)| fetched.uid == Some(uid));
            if failed.contains(&uid) {
                // It was changed since: by now this session has been told the new modseq, or that it is gone.
                if after <= since && plan.news == News::All {
                    return fault(format!("uid {uid} is in MODIFIED, unchanged since {after} <= {since}"));
                }
            } else if told
                && after > since
                && let Some(message) = model.folder(plan.folder).messages.get_mut(&uid)
                && !message.events.iter().any(|event| {
                    // Another change at the same time may be the one that was told.
                    event.op != plan.op && event.to >= plan.began && !matches!(event.act, Act::Sight(_))
                })
            {
                // The smallest modseq told is that of this change; later ones are others'.
                let first = done.found.fetched.iter().filter(|(_, fetched)| fetched.uid == Some(uid));
                if let Some(first) =
                    first.filter_map(|(_, fetched)| fetched.modseq).filter(|seq| *seq > since).min()
                {
                    message.swaps.push((since, first));
                }
            }
        }
        Ok(())
    }

    fn bodies(
        &self,
        fetched: &[(u32, Fetched)],
        folder: u32,
        part: Option<(usize, usize)>,
    ) -> Result<(), End> {
        for (_, fetched) in fetched {
            let Some(uid) = fetched.uid else { continue };
            for (name, octets) in &fetched.sections {
                let Some(octets) = octets else { continue };
                let mut model = self.model();
                let known = model.folder(folder).messages.get(&uid).and_then(|message| message.content);
                if name == "BODY[]" || name.starts_with("BODY[HEADER") {
                    match id_of(octets) {
                        Some(id) => model.content(folder, uid, id).map_err(End::Fault)?,
                        None if octets.len() > 2 => {
                            return fault(format!("{name} of uid {uid} has no number"));
                        }
                        None => {}
                    }
                }
                let Some(id) = known.or_else(|| id_of(octets)) else { continue };
                let whole = message(id);
                let expected = match (name.as_str(), part) {
                    ("BODY[]", _) => &whole[..],
                    (name, Some((offset, count))) if name.starts_with("BODY[]<") => {
                        &whole[offset.min(whole.len())..(offset + count).min(whole.len())]
                    }
                    _ => continue,
                };
                if expected != octets {
                    return fault(format!(
                        "{name} of uid {uid} (message {id}) has other octets than were given"
                    ));
                }
            }
            let known = self.model().folder(folder).messages.get(&uid).and_then(|message| message.content);
            if let (Some(size), Some(id)) = (fetched.size, known)
                && size != message(id).len() as u64
            {
                return fault(format!("RFC822.SIZE of uid {uid} is {size} and not {}", message(id).len()));
            }
        }
        Ok(())
    }

    fn appended(&self, plan: &Plan, done: &Done, messages: &[(u64, Mask)], to: &str) -> Result<(), End> {
        if done.kind != Kind::Ok {
            return Ok(());
        }
        let code = done.code.as_deref().unwrap_or("");
        let words: Vec<&str> = code.split(' ').collect();
        let (folder, uids) = match words.as_slice() {
            ["APPENDUID", folder, uids] => (folder.parse().ok(), numbers(uids)),
            _ => (None, None),
        };
        let (Some(folder), Some(uids)) = (folder, uids) else {
            return fault(format!("APPEND to {to} without APPENDUID: {code}"));
        };
        if uids.len() != messages.len() {
            return fault(format!("APPENDUID of {} uids for {} messages", uids.len(), messages.len()));
        }
        let mut model = self.model();
        for (uid, (content, flags)) in uids.into_iter().zip(messages) {
            let born = (plan.began, tick());
            let initial = Initial::Flags(*flags);
            model
                .created((folder, uid), Some(*content), initial, born, plan.told(folder))
                .map_err(End::Fault)?;
        }
        Ok(())
    }

    fn transferred(&self, plan: &Plan, done: &Done) -> Result<(), End> {
        let What::Transfer { uids, to, moves } = &plan.what else { return Ok(()) };
        let mut model = self.model();
        let (folder, op) = (plan.folder, plan.op);
        if done.kind != Kind::Ok {
            model.end(folder, uids, op, |_, _| None);
            return Ok(());
        }
        let code = done.found.copy_uid.as_deref().or(done.code.as_deref());
        let words: Vec<&str> = code.unwrap_or("").split(' ').collect();
        let parsed = match words.as_slice() {
            ["COPYUID", target, from, to] => target.parse::<u32>().ok().zip(numbers(from)).zip(numbers(to)),
            _ => Some(((0, Vec::new()), Vec::new())),
        };
        let Some(((target, from), new)) = parsed else { return fault(format!("odd COPYUID {code:?}")) };
        if from.len() != new.len() || from.iter().any(|uid| !uids.contains(uid)) {
            return fault(format!("COPYUID {code:?} for {uids:?}"));
        }
        // What is not named was gone by then.
        model.end(folder, uids, op, |uid, act| {
            let taken = from.contains(&uid);
            Some((if taken { act.clone() } else { Act::Sight(crate::content::GONE) }, true))
        });
        for (from, new) in from.iter().zip(new) {
            let source = model.folder(folder).messages.get(from);
            let content = source.and_then(|message| message.content);
            let initial = Initial::Of { folder, uid: *from, op };
            let born = (plan.began, tick());
            model.created((target, new), content, initial, born, plan.told(target)).map_err(|error| {
                End::Fault(format!("{} to {to}: {error}", if *moves { "MOVE" } else { "COPY" }))
            })?;
        }
        Ok(())
    }

    fn searched(&self, plan: &Plan, done: &Done, key: &Key, by_uid: bool, sorted: bool) -> Result<(), End> {
        let hits = match (&done.found.search, &done.found.esearch) {
            (Some(hits), _) => hits.clone(),
            (None, Some(values)) => extended(values, &plan.tag, by_uid)?,
            (None, None) => return fault("a search without result"),
        };
        if !sorted && hits.windows(2).any(|two| two[0] >= two[1]) {
            return fault(format!("search results are out of order: {hits:?}"));
        }
        let name = |known: &Known| if by_uid { known.uid } else { known.number };
        let model = self.model();
        for known in &plan.known {
            let found = hits.contains(&name(known));
            let Some(expected) = key.matches(known) else { continue };
            if found != expected && model.quiet(plan.folder, known.uid, plan.floor) {
                let not = if found { "" } else { "not " };
                return fault(format!("{} was {not}found by {}", describe(known), key.text()));
            }
        }
        let last = plan.known.last().map_or(0, name);
        if let Some(wrong) =
            hits.iter().find(|hit| **hit <= last && !plan.known.iter().any(|k| name(k) == **hit))
            && plan.all_known
        {
            return fault(format!("{} found {wrong}, which is not there", key.text()));
        }
        if sorted {
            let sizes = hits.iter().filter_map(|hit| plan.known.iter().find(|known| name(known) == *hit));
            let sizes: Vec<usize> = sizes.filter(|known| known.size > 0).map(|known| known.size).collect();
            if !sizes.is_sorted_by(|one, other| one >= other) {
                return fault(format!("not sorted by size: {sizes:?}"));
            }
        }
        Ok(())
    }

    fn selected(&mut self, done: &Done, cache: Option<&(View, bool)>, plan: &Plan) -> Result<(), End> {
        if done.kind != Kind::Ok {
            self.view = None;
            return Ok(());
        }
        let Some(view) = &mut self.view else { return fault("nothing is selected") };
        if view.folder == 0 || view.uid_next == 0 {
            return fault("SELECT without UIDVALIDITY or UIDNEXT");
        }
        let mut model = self.account.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let of = model.folder(view.folder);
        of.name.clone_from(&view.name);
        let told = plan.told(view.folder);
        if view.uid_next < told.uid_next || view.uid_next <= told.top {
            return fault(format!("UIDNEXT {} after {told:?}", view.uid_next));
        }
        if view.modseq.is_some_and(|modseq| modseq < told.modseq) {
            return fault(format!("HIGHESTMODSEQ {:?} after {told:?}", view.modseq));
        }
        of.modseq = of.modseq.max(view.modseq.unwrap_or(0));
        of.uid_next = of.uid_next.max(view.uid_next);
        let Some((cache, named)) = cache.filter(|(cache, _)| cache.folder == view.folder) else {
            return Ok(());
        };
        let mut messages: BTreeMap<u32, Slot> = BTreeMap::new();
        for slot in &cache.slots {
            if let Some(uid) = slot.uid.filter(|uid| !view.vanished.contains(uid)) {
                messages.insert(uid, slot.clone());
            }
        }
        for (uid, fetched) in view.resynced.values() {
            if view.vanished.contains(uid) {
                return fault(format!("QRESYNC tells uid {uid} both changed and vanished"));
            }
            let slot = messages.entry(*uid).or_default();
            slot.uid = Some(*uid);
            slot.modseq = fetched.modseq.or(slot.modseq);
            if let Some(flags) = &fetched.flags {
                slot.flags = crate::content::mask(flags.iter().map(String::as_str));
            }
        }
        let count = view.slots.len();
        // RFC 7162 3.2.5.1: of uids that were not named nothing is told; what came since is the rest.
        if messages.len() > count || (messages.len() < count && !named) {
            return fault(format!("QRESYNC leaves {} messages of {count}", messages.len()));
        }
        view.slots = messages.into_values().map(|slot| Slot { checked: 0, ..slot }).collect();
        view.slots.resize(count, Slot::default());
        for (number, (uid, _)) in &view.resynced {
            if view.slots.get(*number as usize - 1).and_then(|slot| slot.uid) != Some(*uid) {
                return fault(format!("QRESYNC: number {number} is not uid {uid}"));
            }
        }
        let began = view.floor;
        drop(model);
        self.converge(began)
    }
}

fn describe(known: &Known) -> String {
    format!(
        "uid {} (number {}, flags {}, {} octets, message {:?})",
        known.uid,
        known.number,
        names(known.flags),
        known.size,
        known.content
    )
}

/// RFC 4731 3.1: the numbers under ALL, after a look whether the rest agrees.
fn extended(values: &[Value], tag: &str, by_uid: bool) -> Result<Vec<u32>, End> {
    let mut values = values.iter().peekable();
    let correlated = values.next_if(|value| value.list().is_some());
    let told = correlated.and_then(|value| value.list()).and_then(|list| list.get(1)).and_then(Value::text);
    if told.as_deref() != Some(tag) {
        return fault(format!("ESEARCH for {told:?} in {tag}"));
    }
    let uid = values.next_if(|value| value.atom().is_some_and(|atom| atom.eq_ignore_ascii_case("UID")));
    if uid.is_some() != by_uid {
        return fault("ESEARCH confuses uids and numbers");
    }
    let mut pairs: HashMap<String, Vec<u32>> = HashMap::new();
    while let (Some(name), Some(value)) = (values.next(), values.next()) {
        let (Some(name), Some(set)) = (name.atom(), value.atom().and_then(numbers)) else { continue };
        pairs.insert(name.to_ascii_uppercase(), set);
    }
    let all = pairs.get("ALL").cloned().unwrap_or_default();
    let single = |name: &str| pairs.get(name).and_then(|set| set.first().copied());
    let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let agree = single("MIN") == all.iter().min().copied()
        && single("MAX") == all.iter().max().copied()
        && single("COUNT") == Some(count);
    if agree { Ok(all) } else { fault(format!("ESEARCH does not agree with itself: {pairs:?}")) }
}

/// Of a STORE: what stands before the flags, and what becomes of them.
pub fn edit(how: usize, flags: Mask) -> (&'static str, Mask, Mask) {
    match how {
        0 => ("FLAGS", 0, flags),
        1 => ("+FLAGS", !0, flags),
        _ => ("-FLAGS", !flags, 0),
    }
}

/// A STORE of \Deleted.
pub fn delete(uids: Vec<u32>) -> Plan {
    let line = format!("UID STORE {} +FLAGS (\\Deleted)", set(&uids));
    let what =
        What::Store { uids, keep: !0, set: DELETED, silent: false, unchanged_since: None, stale: Vec::new() };
    Plan::new(line, News::All, what)
}
