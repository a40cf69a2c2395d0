//! What a strict client believes of its folder, response by response.
//!
//! Invariants: numbers are positions in `slots`; a value shown must have been true since the last time this session was
//! brought up to date (`floor`); when a command that may tell everything ends, everything believed must have been true
//! after that command began.

use crate::content::{GONE, Mask, mask, show};
use crate::linear::{NEVER, Tick};
use crate::model::{Account, Belief};
use crate::parse::{Fetched, Kind, Response, Value, numbers};
use crate::wire::{End, Wire, fault, tick};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Clone, Debug, Default)]
pub struct Slot {
    pub uid: Option<u32>,
    pub flags: Option<Mask>,
    pub modseq: Option<u64>,
    /// When its flags were last held against the model.
    pub checked: Tick,
}

#[derive(Clone, Debug, Default)]
pub struct View {
    /// UIDVALIDITY; 0 until SELECT has told it.
    pub folder: u32,
    pub name: String,
    pub read_only: bool,
    pub slots: Vec<Slot>,
    pub floor: Tick,
    pub uid_next: u32,
    pub modseq: Option<u64>,
    /// What QRESYNC said: vanished uids, and (number, uid) of each FETCH.
    pub vanished: Vec<u32>,
    pub resynced: BTreeMap<u32, (u32, Fetched)>,
    pub told_gone: HashSet<u32>,
    pub converged: Tick,
}

impl View {
    pub fn uids(&self) -> impl Iterator<Item = u32> {
        self.slots.iter().filter_map(|slot| slot.uid)
    }

    pub fn all_known(&self) -> bool {
        self.slots.iter().all(|slot| slot.uid.is_some() && slot.flags.is_some())
    }

    fn find(&self, uid: u32) -> Option<usize> {
        self.slots.iter().position(|slot| slot.uid == Some(uid))
    }
}

/// What may be told with a command (RFC 3501 7.4.1), and so what holds when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    All,
    NoExpunge,
    /// The folder is left, or another one opened.
    Other,
}

/// Everything untagged that a command brought and that is not about numbers.
#[derive(Debug, Default)]
pub struct Found {
    pub search: Option<Vec<u32>>,
    pub esearch: Option<Vec<Value>>,
    pub status: Vec<(String, BTreeMap<String, u64>)>,
    pub lists: Vec<(Vec<Value>, String)>,
    /// Used and limit, in KB.
    pub quota: Option<(u64, u64)>,
    pub fetched: Vec<(u32, Fetched)>,
    pub copy_uid: Option<String>,
}

#[derive(Debug)]
pub struct Done {
    pub kind: Kind,
    pub code: Option<String>,
    pub text: String,
    pub found: Found,
}

#[derive(Debug)]
pub struct Session {
    pub number: usize,
    pub wire: Wire,
    pub account: Arc<Mutex<Account>>,
    pub view: Option<View>,
    pub capabilities: HashSet<String>,
    pub condstore: bool,
    pub qresync: bool,
    pub tags: u64,
}

impl Session {
    pub fn model(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }

    pub fn tag(&mut self) -> String {
        self.tags += 1;
        format!("s{}", self.tags)
    }

    /// Sends one command that changes nothing and waits for its end.
    pub async fn simple(&mut self, command: &str, news: News) -> Result<Done, End> {
        let tag = self.tag();
        let began = tick();
        self.wire.send(format!("{tag} {command}\r\n").as_bytes()).await?;
        self.finish(&tag, began, news).await
    }

    /// Reads up to the tagged response.
    pub async fn finish(&mut self, tag: &str, began: Tick, news: News) -> Result<Done, End> {
        let mut found = Found::default();
        loop {
            match self.wire.next().await? {
                Response::Status { tag: Some(told), kind, code, text } => {
                    if told != tag {
                        return fault(format!("answer to {told} while waiting for {tag}"));
                    }
                    if news == News::All {
                        self.converge(began)?;
                    }
                    return Ok(Done { kind, code, text, found });
                }
                Response::Continue => return fault("a continuation nobody asked for"),
                response => self.untagged(response, news, &mut found)?,
            }
        }
    }

    pub fn untagged(&mut self, response: Response, news: News, found: &mut Found) -> Result<(), End> {
        match response {
            Response::Status { kind: Kind::Bye, text, .. } => Err(End::Closed(Some(text))),
            Response::Status { kind: Kind::Bad, text, .. } => fault(format!("untagged BAD {text}")),
            Response::Status { code: Some(code), .. } => self.code(&code, found),
            Response::Number(count, word) => match word.as_str() {
                "EXISTS" => self.exists(count),
                "EXPUNGE" => self.expunge(count, news),
                _ => self.recent(count),
            },
            Response::Fetch(number, fetched) => self.fetch(number, fetched, found),
            Response::Data(name, values) => self.data(&name, values, news, found),
            Response::Status { .. } | Response::Continue => Ok(()),
        }
    }

    fn open(&mut self) -> Result<&mut View, End> {
        match &mut self.view {
            Some(view) => Ok(view),
            None => fault("news of a folder while none is open"),
        }
    }

    fn code(&mut self, code: &str, found: &mut Found) -> Result<(), End> {
        let (name, rest) = code.split_once(' ').unwrap_or((code, ""));
        match (name, &mut self.view) {
            ("UIDVALIDITY", Some(view)) => view.folder = rest.parse().unwrap_or(0),
            ("UIDNEXT", Some(view)) => view.uid_next = rest.parse().unwrap_or(0),
            ("HIGHESTMODSEQ", Some(view)) => view.modseq = rest.parse().ok(),
            ("COPYUID", _) => found.copy_uid = Some(code.to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn exists(&mut self, count: u32) -> Result<(), End> {
        let view = self.open()?;
        let count = count as usize;
        if count < view.slots.len() {
            return fault(format!("EXISTS {count} while there are {}", view.slots.len()));
        }
        view.slots.resize(count, Slot::default());
        Ok(())
    }

    fn recent(&mut self, count: u32) -> Result<(), End> {
        let exists = self.open()?.slots.len();
        if count as usize > exists { fault(format!("RECENT {count} of {exists}")) } else { Ok(()) }
    }

    fn expunge(&mut self, number: u32, news: News) -> Result<(), End> {
        if news != News::All {
            return fault("EXPUNGE during a command by numbers");
        }
        if self.qresync {
            return fault("EXPUNGE after ENABLE QRESYNC");
        }
        let view = self.open()?;
        match (number as usize).checked_sub(1).filter(|at| *at < view.slots.len()) {
            Some(at) => self.gone(at),
            None => fault(format!("EXPUNGE {number} of {}", self.open()?.slots.len())),
        }
    }

    fn gone(&mut self, at: usize) -> Result<(), End> {
        let connection = self.number;
        let view = self.open()?;
        let (folder, floor) = (view.folder, view.floor);
        let Some(uid) = view.slots.remove(at).uid else { return Ok(()) };
        view.told_gone.insert(uid);
        self.model().sight(folder, uid, GONE, (floor, tick()), connection).map_err(End::Fault)
    }

    fn vanished(&mut self, values: &[Value], news: News) -> Result<(), End> {
        if !self.qresync {
            return fault("VANISHED without ENABLE QRESYNC");
        }
        let (earlier, set) = match values {
            [Value::List(_), set] => (true, set),
            [set] => (false, set),
            _ => return fault("odd VANISHED"),
        };
        let Some(uids) = set.atom().and_then(numbers) else { return fault("odd VANISHED") };
        if earlier {
            self.open()?.vanished.extend(uids);
            return Ok(());
        }
        if news != News::All {
            return fault("VANISHED during a command by numbers");
        }
        for uid in uids {
            let view = self.open()?;
            // Numbers without a uid yet stand in gaps; within one they are alike.
            let behind = view.slots.iter().position(|slot| slot.uid.is_some_and(|known| known > uid));
            let last = behind.unwrap_or(view.slots.len()).checked_sub(1);
            let unknown = last.filter(|at| view.slots[*at].uid.is_none());
            match view.find(uid).or(unknown) {
                Some(at) => {
                    view.slots[at].uid = Some(uid);
                    self.gone(at)?;
                }
                None => return fault(format!("VANISHED {uid}, which is not there")),
            }
        }
        Ok(())
    }

    fn fetch(&mut self, number: u32, fetched: Fetched, found: &mut Found) -> Result<(), End> {
        let connection = self.number;
        let must_tell = self.condstore;
        let account = Arc::clone(&self.account);
        let view = self.open()?;
        let count = view.slots.len();
        let Some(at) = (number as usize).checked_sub(1).filter(|at| *at < count) else {
            return fault(format!("FETCH of {number} of {count}"));
        };
        let (folder, floor) = (view.folder, view.floor);
        if let Some(uid) = fetched.uid {
            let before = view.slots[..at].iter().rev().find_map(|slot| slot.uid);
            let after = view.slots[at + 1..].iter().find_map(|slot| slot.uid);
            let slot = &mut view.slots[at];
            if slot.uid.is_some_and(|known| known != uid) {
                return fault(format!("number {number} is uid {uid} and was {:?}", slot.uid));
            }
            if before.is_some_and(|before| before >= uid) || after.is_some_and(|after| after <= uid) {
                return fault(format!("uid {uid} stands between {before:?} and {after:?}"));
            }
            if view.told_gone.contains(&uid) {
                return fault(format!("uid {uid} is shown after it was expunged"));
            }
            slot.uid = Some(uid);
        }
        let slot = &mut view.slots[at];
        if let Some(modseq) = fetched.modseq {
            if slot.modseq.is_some_and(|known| known > modseq) {
                return fault(format!("modseq {modseq} of number {number} after {:?}", slot.modseq));
            }
            slot.modseq = Some(modseq);
        }
        let flags = match &fetched.flags {
            None => None,
            Some(names) => match mask(names.iter().map(String::as_str)) {
                Some(flags) => Some(flags),
                None => return fault(format!("flags nobody set: {names:?}")),
            },
        };
        let same = flags.is_none() || flags == slot.flags;
        slot.flags = flags.or(slot.flags);
        // RFC 7162 3.2: once a client has shown interest, flags come with their modseq.
        if must_tell && flags.is_some() && fetched.modseq.is_none() {
            return fault(format!("flags of number {number} without MODSEQ"));
        }
        if let Some(uid) = slot.uid
            && folder != 0
        {
            let mut model = account.lock().unwrap_or_else(PoisonError::into_inner);
            model.seen(folder, uid).map_err(End::Fault)?;
            let checked = slot.checked;
            if !same {
                slot.checked = 0;
            }
            if let Some(flags) = flags.filter(|_| !same || !model.quiet(folder, uid, checked)) {
                model.sight(folder, uid, flags, (floor, tick()), connection).map_err(End::Fault)?;
                if let Some(modseq) = fetched.modseq {
                    model.version(folder, uid, modseq, flags).map_err(End::Fault)?;
                }
            }
        }
        if let Some(uid) = fetched.uid {
            view.resynced.insert(number, (uid, fetched.clone()));
        }
        found.fetched.push((number, fetched));
        Ok(())
    }

    fn data(&mut self, name: &str, values: Vec<Value>, news: News, found: &mut Found) -> Result<(), End> {
        let odd = || End::Fault(format!("odd {name}: {values:?}"));
        match name {
            "SEARCH" | "SORT" => {
                let plain = values.iter().filter(|value| value.list().is_none());
                let numbers: Option<Vec<u32>> = plain.map(Value::number).collect();
                if found.search.replace(numbers.ok_or_else(odd)?).is_some() {
                    return fault("two results of one search");
                }
            }
            "ESEARCH" => found.esearch = Some(values),
            "VANISHED" => self.vanished(&values, news)?,
            "STATUS" => {
                let [folder, Value::List(items)] = values.as_slice() else { return Err(odd()) };
                let pairs = items.chunks(2).map(|pair| match pair {
                    [name, value] => Some((name.atom()?.to_owned(), value.number()?)),
                    _ => None,
                });
                let items = pairs.collect::<Option<_>>().ok_or_else(odd)?;
                found.status.push((folder.text().ok_or_else(odd)?, items));
            }
            "LIST" => {
                let [Value::List(marks), _, name, ..] = values.as_slice() else { return Err(odd()) };
                found.lists.push((marks.clone(), name.text().ok_or_else(odd)?));
            }
            "QUOTA" => {
                let [_, Value::List(items)] = values.as_slice() else { return Err(odd()) };
                if let [_, used, limit, ..] = items.as_slice() {
                    found.quota = used.number().zip(limit.number());
                }
            }
            "CAPABILITY" => {
                self.capabilities = values.iter().filter_map(|value| value.text()).collect();
            }
            _ => {}
        }
        Ok(())
    }

    /// A command that may tell everything has ended: now everything believed must hold.
    pub fn converge(&mut self, began: Tick) -> Result<(), End> {
        let connection = self.number;
        let Some(view) = self.view.as_mut().filter(|view| view.folder != 0) else { return Ok(()) };
        view.floor = began;
        let mut model = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        let of = model.folder(view.folder);
        let mut sights: Vec<(u32, Mask)> = Vec::new();
        let now = tick();
        let swept = of.sweeps_touched;
        for slot in &mut view.slots {
            let (Some(uid), Some(flags)) = (slot.uid, slot.flags) else { continue };
            let Some(message) = of.messages.get(&uid) else { continue };
            let may_be_swept = swept > slot.checked && !message.events.is_empty();
            if message.open > 0 || message.touched > slot.checked || may_be_swept {
                sights.push((uid, flags));
            }
            slot.checked = now;
        }
        if view.slots.iter().all(|slot| slot.uid.is_some()) {
            let known: HashSet<u32> = view.uids().collect();
            for (uid, message) in &of.messages {
                let new =
                    message.born.1 != NEVER && message.born.1 > view.converged && message.born.1 < began;
                if new && !known.contains(uid) && !view.told_gone.contains(uid) {
                    sights.push((*uid, GONE));
                }
            }
            view.converged = began;
        }
        let folder = view.folder;
        for (uid, flags) in sights {
            model.sight(folder, uid, flags, (began, now), connection).map_err(End::Fault)?;
        }
        Ok(())
    }

    /// What this session believes, for the audit.
    pub fn hand_in(&self, how: &'static str) -> Result<(), End> {
        let Some(view) = &self.view else { return Ok(()) };
        let mut messages = BTreeMap::new();
        for slot in &view.slots {
            let (Some(uid), Some(flags)) = (slot.uid, slot.flags) else {
                return fault(format!("after two NOOPs something is unknown: {slot:?}"));
            };
            messages.insert(uid, (flags, slot.modseq));
        }
        self.model().beliefs.push(Belief { connection: self.number, folder: view.folder, how, messages });
        Ok(())
    }
}

/// The difference between two states of a folder, in words.
pub fn difference(
    one: &BTreeMap<u32, (Mask, Option<u64>)>,
    other: &BTreeMap<u32, (Mask, Option<u64>)>,
) -> Option<String> {
    for (uid, (flags, modseq)) in one {
        match other.get(uid) {
            None => return Some(format!("uid {uid} is not there")),
            Some((real, _)) if real != flags => {
                return Some(format!("uid {uid} has {} and not {}", show(*real), show(*flags)));
            }
            Some((_, Some(real))) if modseq.is_some_and(|modseq| modseq != *real) => {
                return Some(format!("uid {uid} has modseq {real} and not {modseq:?}"));
            }
            Some(_) => {}
        }
    }
    other.keys().find(|uid| !one.contains_key(uid)).map(|uid| format!("uid {uid} is not known"))
}
