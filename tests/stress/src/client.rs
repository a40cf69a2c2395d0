//! A client that does whatever its dice say, as clients of an office do, only all of it at once.

use crate::command::{Plan, What, delete, edit};
use crate::content::{DELETED, Dice, Mask, message, names, set};
use crate::model::{Account, FLEETING, STEADY};
use crate::mutate::{Lie, Mutator};
use crate::parse::{Kind, Response};
use crate::search::{Key, Known};
use crate::session::{Found, News, Session, View};
use crate::wire::{End, Wire, fault, tick};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Folders are kept about so large: small enough to be read whole often.
const MESSAGES_AIM: usize = 60;
static NEXT_CONTENT: AtomicU64 = AtomicU64::new(1);

#[derive(Clone, Debug)]
pub struct Entrance {
    pub address: String,
    pub user: String,
    pub password: String,
}

pub struct Client {
    pub session: Session,
    pub dice: Dice,
    pub commands: u64,
    entrance: Entrance,
    /// What was known of folders when they were left, for QRESYNC.
    caches: HashMap<String, View>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Do {
    Noop,
    Fetch,
    Body,
    Store,
    Search,
    Append,
    Copy,
    Move,
    Delete,
    Expunge,
    Idle,
    Status,
    Open,
    Leave,
    Folders,
    Pipeline,
    Drop,
    Restart,
}

const HABITS: [(usize, Do); 18] = [
    (12, Do::Noop),
    (14, Do::Fetch),
    (6, Do::Body),
    (24, Do::Store),
    (10, Do::Search),
    (8, Do::Append),
    (4, Do::Copy),
    (5, Do::Move),
    (5, Do::Delete),
    (3, Do::Expunge),
    (3, Do::Idle),
    (3, Do::Status),
    (3, Do::Open),
    (1, Do::Leave),
    (1, Do::Folders),
    (4, Do::Pipeline),
    (1, Do::Drop),
    (1, Do::Restart),
];

pub async fn enter(
    number: usize,
    entrance: &Entrance,
    account: Arc<Mutex<Account>>,
    dice: &mut Dice,
    lie: Option<Lie>,
) -> Result<Session, End> {
    let slow = number.is_multiple_of(7) && lie.is_none();
    let wire = Wire::connect(&entrance.address, slow).await?;
    let (capabilities, tags) = (HashSet::new(), 0);
    let mut session =
        Session { number, wire, account, view: None, capabilities, condstore: false, qresync: false, tags };
    match session.wire.next().await? {
        Response::Status { tag: None, kind: Kind::Ok, .. } => {}
        other => return fault(format!("greeted with {other:?}")),
    }
    session.wants(&format!("LOGIN \"{}\" \"{}\"", entrance.user, entrance.password)).await?;
    session.wants("CAPABILITY").await?;
    if session.can("COMPRESS=DEFLATE") && dice.percent(30) {
        session.wants("COMPRESS DEFLATE").await?;
        session.wire.pack();
    }
    if session.can("QRESYNC") && session.can("ENABLE") && dice.percent(50) {
        session.wants("ENABLE QRESYNC").await?;
        (session.condstore, session.qresync) = (true, true);
    } else if session.can("CONDSTORE") && session.can("ENABLE") && dice.percent(50) {
        session.wants("ENABLE CONDSTORE").await?;
        session.condstore = true;
    }
    session.wire.mutator = lie.map(|lie| Mutator::new(lie, dice.roll()));
    Ok(session)
}

impl Session {
    /// A command that nothing can be said against.
    pub async fn wants(&mut self, command: &str) -> Result<crate::session::Done, End> {
        let done = self.simple(command, News::All).await?;
        if done.kind == Kind::Ok {
            Ok(done)
        } else {
            fault(format!("{command}: {:?} {}", done.kind, done.text))
        }
    }
}

impl Client {
    pub fn new(session: Session, entrance: Entrance, dice: Dice) -> Self {
        Self { session, dice, commands: 0, entrance, caches: HashMap::new() }
    }

    /// Whatever comes to mind.
    pub async fn act(&mut self) -> Result<(), End> {
        let Some(view) = &self.session.view else {
            return match self.dice.below(10) {
                0 => self.append().await,
                1 => self.status().await,
                2 => self.folders().await,
                _ => self.open().await,
            };
        };
        if !view.all_known() {
            return self.learn().await;
        }
        let mut what = self.dice.weighed(&HABITS);
        let count = view.slots.len();
        if count > MESSAGES_AIM && self.dice.percent(20) {
            what = *self.dice.pick(&[Do::Delete, Do::Expunge, Do::Move]);
        } else if count < MESSAGES_AIM / 4 && self.dice.percent(30) {
            what = Do::Append;
        }
        match what {
            Do::Noop => {
                let word = *self.dice.pick(&["NOOP", "CHECK"]);
                self.perform(Plan::new(word, News::All, What::Nothing)).await
            }
            Do::Append => self.append().await,
            Do::Idle => self.idle().await,
            Do::Status => self.status().await,
            Do::Open => self.open().await,
            Do::Leave => self.leave().await,
            Do::Folders => self.folders().await,
            Do::Pipeline => {
                let plans = self.several();
                self.commands += plans.len() as u64;
                self.session.perform(plans).await.map(|_| ())
            }
            Do::Drop => {
                let plans = self.several();
                self.drop_amid(plans).await
            }
            Do::Restart => self.restart().await,
            other => match self.plan(other, false) {
                Some(plan) => self.perform(plan).await,
                None => Ok(()),
            },
        }
    }

    async fn perform(&mut self, plan: Plan) -> Result<(), End> {
        self.commands += 1;
        self.session.perform(vec![plan]).await.map(|_| ())
    }

    /// Uids and flags of what was announced and is not known yet.
    pub async fn learn(&mut self) -> Result<(), End> {
        let Some(view) = &self.session.view else { return Ok(()) };
        let unknown = |slot: &crate::session::Slot| slot.uid.is_none() || slot.flags.is_none();
        let Some(first) = view.slots.iter().position(unknown) else { return Ok(()) };
        let count = view.slots.len();
        let with = if self.session.condstore { " MODSEQ" } else { "" };
        let line = format!("FETCH {}:{count} (UID FLAGS{with})", first + 1);
        self.perform(Plan::new(line, News::NoExpunge, What::Nothing)).await
    }

    /// Some commands by uid that may be sent without waiting (RFC 3501 5.5).
    fn several(&mut self) -> Vec<Plan> {
        let mut plans = Vec::new();
        for _ in 0..2 + self.dice.below(5) {
            let what = *self.dice.pick(&[
                Do::Fetch,
                Do::Store,
                Do::Store,
                Do::Search,
                Do::Append,
                Do::Copy,
                Do::Move,
            ]);
            plans.extend(match what {
                Do::Append => Some(self.append_plan()),
                what => self.plan(what, true),
            });
        }
        plans.push(Plan::new("NOOP", News::All, What::Nothing));
        plans
    }

    /// Uids, some of them or one.
    fn some(&mut self) -> Vec<u32> {
        let Some(view) = &self.session.view else { return Vec::new() };
        let uids: Vec<u32> = view.uids().collect();
        if uids.is_empty() {
            return uids;
        }
        // Everybody likes the newest best.
        match self.dice.below(4) {
            0 => vec![*self.dice.pick(&uids)],
            1 => vec![*self.dice.pick(&uids[uids.len().saturating_sub(4)..])],
            2 => uids[uids.len().saturating_sub(1 + self.dice.below(12))..].to_vec(),
            _ => uids.into_iter().filter(|_| self.dice.percent(15)).collect(),
        }
    }

    /// `UID `, the set and what may be told with it; or by numbers.
    fn address(&mut self, uids: &[u32], by_uid: bool) -> (&'static str, String, News) {
        let view = self.session.view.as_ref();
        if by_uid || self.dice.percent(60) {
            return ("UID ", set(uids), News::All);
        }
        let slots = view.map(|view| view.slots.as_slice()).unwrap_or_default();
        let numbers =
            slots.iter().zip(1..).filter(|(slot, _)| slot.uid.is_some_and(|uid| uids.contains(&uid)));
        ("", set(&numbers.map(|(_, number)| number).collect::<Vec<u32>>()), News::NoExpunge)
    }

    /// A command about messages of the open folder; nothing if it has none.
    fn plan(&mut self, what: Do, by_uid: bool) -> Option<Plan> {
        let uids = self.some();
        if uids.is_empty() && what != Do::Search {
            return None;
        }
        let read_only = self.session.view.as_ref()?.read_only;
        match what {
            Do::Fetch => Some(self.fetch(uids, by_uid)),
            Do::Body => Some(self.body(uids, by_uid, read_only)),
            Do::Search => Some(self.search(by_uid)),
            Do::Copy | Do::Move
                if self.session.view.as_ref()?.slots.len() < 3 * MESSAGES_AIM || what == Do::Move =>
            {
                let moves = what == Do::Move && !read_only;
                let (uid, set, _) = self.address(&uids, by_uid);
                let to = self.target();
                let word = if moves { "MOVE" } else { "COPY" };
                Some(Plan::new(
                    format!("{uid}{word} {set} \"{to}\""),
                    News::All,
                    What::Transfer { uids, to, moves },
                ))
            }
            _ if read_only => None,
            Do::Store => Some(self.store(uids, by_uid)),
            Do::Delete => Some(delete(uids)),
            Do::Expunge if self.dice.percent(50) && self.session.can("UIDPLUS") => Some(Plan::new(
                format!("UID EXPUNGE {}", set(&uids)),
                News::All,
                What::Expunge { uids: Some(uids) },
            )),
            Do::Expunge => Some(Plan::new("EXPUNGE", News::All, What::Expunge { uids: None })),
            _ => None,
        }
    }

    fn target(&mut self) -> String {
        let other = self.dice.percent(15);
        (*self.dice.pick(if other { &FLEETING } else { &STEADY })).to_owned()
    }

    fn fetch(&mut self, uids: Vec<u32>, by_uid: bool) -> Plan {
        let (uid, set, news) = self.address(&uids, by_uid);
        let items = *self.dice.pick(&[
            "UID FLAGS",
            "FLAGS UID RFC822.SIZE INTERNALDATE",
            "UID FLAGS ENVELOPE",
            "UID BODYSTRUCTURE FLAGS",
            "UID FLAGS BODY.PEEK[HEADER.FIELDS (X-STRESS)]",
        ]);
        let with = if self.session.condstore { " MODSEQ" } else { "" };
        let modseq = self
            .session
            .view
            .as_ref()
            .and_then(|view| view.slots.iter().filter_map(|slot| slot.modseq).min());
        let since = match modseq {
            Some(modseq) if self.session.condstore && self.dice.percent(20) => {
                format!(" (CHANGEDSINCE {modseq})")
            }
            _ => String::new(),
        };
        let line = format!("{uid}FETCH {set} ({items}{with}){since}");
        Plan::new(line, news, What::Fetch { uids, marks: false, part: None })
    }

    fn body(&mut self, mut uids: Vec<u32>, by_uid: bool, read_only: bool) -> Plan {
        uids.truncate(4);
        let (uid, set, news) = self.address(&uids, by_uid);
        let (items, marks, part) = match self.dice.below(4) {
            0 => ("(UID BODY[])".into(), !read_only, None),
            1 => {
                let (offset, count) = (self.dice.below(3_000), 1 + self.dice.below(2_000));
                (format!("(UID BODY.PEEK[]<{offset}.{count}>)"), false, Some((offset, count)))
            }
            _ => ("(UID BODY.PEEK[] RFC822.SIZE)".into(), false, None),
        };
        Plan::new(format!("{uid}FETCH {set} {items}"), news, What::Fetch { uids, marks, part })
    }

    fn store(&mut self, uids: Vec<u32>, by_uid: bool) -> Plan {
        let mut flags: Mask = self.dice.flags();
        if !self.dice.percent(10) {
            flags &= !DELETED;
        }
        let (word, keep, set) = edit(self.dice.below(3), flags);
        let slots = self.session.view.as_ref().map(|view| view.slots.as_slice()).unwrap_or_default();
        let modseqs = slots.iter().filter(|slot| slot.uid.is_some_and(|uid| uids.contains(&uid)));
        let since = modseqs
            .map(|slot| slot.modseq)
            .collect::<Option<Vec<u64>>>()
            .and_then(|all| all.into_iter().max());
        // One less than the newest: it is known to have changed since then.
        let lower = u64::from(self.dice.percent(25));
        let since = since.filter(|since| *since > 1).map(|since| since - lower);
        let unchanged_since = since.filter(|_| self.session.condstore && self.dice.percent(40));
        let slots = self.session.view.as_ref().map(|view| view.slots.as_slice()).unwrap_or_default();
        let changed = slots.iter().filter(|slot| unchanged_since.is_some() && slot.modseq > unchanged_since);
        let stale = changed.filter_map(|slot| slot.uid).filter(|uid| uids.contains(uid)).collect();
        // MODIFIED names messages as the command did; by uid they stay the same while it runs.
        let (uid, numbers, news) = self.address(&uids, by_uid || unchanged_since.is_some());
        let silent = unchanged_since.is_none() && self.dice.percent(30);
        let condition = unchanged_since.map_or(String::new(), |since| format!(" (UNCHANGEDSINCE {since})"));
        let dot = if silent { ".SILENT" } else { "" };
        let line = format!("{uid}STORE {numbers}{condition} {word}{dot} ({})", names(flags));
        Plan::new(line, news, What::Store { uids, keep, set, silent, unchanged_since, stale })
    }

    fn search(&mut self, by_uid: bool) -> Plan {
        let by_uid = by_uid || self.dice.percent(50);
        let key = {
            let model = self.session.model();
            let view = self.session.view.clone().unwrap_or_default();
            let of = model.folders.get(&view.folder);
            let content = |uid| of.and_then(|of| of.messages.get(&uid)).and_then(|message| message.content);
            let known = view.slots.iter().zip(1..).filter_map(|(slot, number)| {
                Some(Known {
                    number,
                    uid: slot.uid?,
                    flags: slot.flags?,
                    content: content(slot.uid?),
                    size: 0,
                })
            });
            let known: Vec<Known> = known.collect();
            drop(model);
            loop {
                let key = Key::random(&mut self.dice, &known, 2);
                if !(by_uid && key.counts()) {
                    break key;
                }
            }
        };
        let (uid, news) = if by_uid { ("UID ", News::All) } else { ("", News::NoExpunge) };
        let sorted = self.session.can("SORT") && self.dice.percent(25);
        let line = if sorted {
            format!("{uid}SORT (REVERSE SIZE) UTF-8 {}", key.text())
        } else if self.session.can("ESEARCH") && self.dice.percent(40) {
            format!("{uid}SEARCH RETURN (MIN MAX COUNT ALL) {}", key.text())
        } else {
            format!("{uid}SEARCH {}", key.text())
        };
        Plan::new(line, news, What::Search { key, by_uid, sorted })
    }

    fn append_plan(&mut self) -> Plan {
        let to = self.target();
        let count =
            if self.session.can("MULTIAPPEND") && self.dice.percent(20) { 2 + self.dice.below(3) } else { 1 };
        let mut line = format!("APPEND \"{to}\"").into_bytes();
        let mut messages = Vec::new();
        for _ in 0..count {
            let (id, flags) = (NEXT_CONTENT.fetch_add(1, Ordering::Relaxed), self.dice.flags() & !DELETED);
            let body = message(id);
            line.extend_from_slice(format!(" ({}) {{{}+}}\r\n", names(flags), body.len()).as_bytes());
            line.extend_from_slice(&body);
            messages.push((id, flags));
        }
        Plan::new(line, News::All, What::Append { messages, to })
    }

    async fn append(&mut self) -> Result<(), End> {
        let plan = self.append_plan();
        self.perform(plan).await
    }

    async fn status(&mut self) -> Result<(), End> {
        let name = self.target();
        let line = format!("STATUS \"{name}\" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)");
        let quota = "GETQUOTAROOT INBOX".to_owned();
        let line = if self.dice.percent(20) { quota } else { line };
        let before = self.session.model().floors();
        self.commands += 1;
        let done = self.session.perform(vec![Plan::new(line, News::All, What::Status(name))]).await?;
        let found = done.into_iter().flat_map(|done| done.found.status);
        for (_, items) in found {
            let item = |name: &str| items.get(name).copied().unwrap_or(0);
            let folder = u32::try_from(item("UIDVALIDITY")).unwrap_or(0);
            if item("UIDNEXT") <= before.get(&folder).map_or(0, |told| u64::from(told.top)) {
                return fault(format!("STATUS UIDNEXT {} below uids told before", item("UIDNEXT")));
            }
            if item("UNSEEN") > item("MESSAGES") {
                return fault("STATUS: more unseen than there are");
            }
        }
        Ok(())
    }

    async fn folders(&mut self) -> Result<(), End> {
        let name = (*self.dice.pick(&FLEETING)).to_owned();
        let plan = match self.dice.below(5) {
            0..=1 => Plan::new(format!("CREATE \"{name}\""), News::All, What::Create(name)),
            2 => Plan::new(format!("DELETE \"{name}\""), News::All, What::Delete(name)),
            3 => {
                let to = (*self.dice.pick(&FLEETING)).to_owned();
                if to == name {
                    return Ok(());
                }
                Plan::new(format!("RENAME \"{name}\" \"{to}\""), News::All, What::Rename(name, to))
            }
            _ => Plan::new("LIST \"\" \"*\"", News::All, What::Nothing),
        };
        // Whoever deletes what he has open has it open no more.
        if let What::Delete(_) = plan.what
            && self.session.view.as_ref().is_some_and(|view| FLEETING.contains(&view.name.as_str()))
        {
            return self.leave().await;
        }
        self.perform(plan).await
    }

    async fn open(&mut self) -> Result<(), End> {
        let name = self.target();
        self.keep_cache();
        let cache = self.caches.get(&name).cloned().filter(|_| self.session.qresync && self.dice.percent(80));
        let read_only = self.dice.percent(10);
        self.select(name, read_only, cache).await
    }

    fn keep_cache(&mut self) {
        if let Some(view) = &self.session.view
            && view.all_known()
            && view.slots.iter().all(|slot| slot.modseq.is_some())
        {
            self.caches.insert(view.name.clone(), view.clone());
        }
    }

    async fn select(&mut self, name: String, read_only: bool, cache: Option<View>) -> Result<(), End> {
        let cache = cache.map(|view| (view, self.dice.percent(50)));
        let parameter = match &cache {
            Some((view, named)) => {
                // The modseq of its SELECT: what was told later one by one may have left out something below.
                let since = view.modseq.unwrap_or(1);
                let known: Vec<u32> = view.uids().collect();
                let known =
                    if *named && !known.is_empty() { format!(" {}", set(&known)) } else { String::new() };
                format!(" (QRESYNC ({} {since}{known}))", view.folder)
            }
            _ if self.session.can("CONDSTORE")
                && STEADY.contains(&name.as_str())
                && self.dice.percent(30) =>
            {
                self.session.condstore = true;
                " (CONDSTORE)".to_owned()
            }
            _ => String::new(),
        };
        let verb = if read_only { "EXAMINE" } else { "SELECT" };
        let line = format!("{verb} \"{name}\"{parameter}");
        self.perform(Plan::new(line, News::Other, What::Select { name, read_only, cache })).await
    }

    async fn leave(&mut self) -> Result<(), End> {
        self.keep_cache();
        let Some(view) = &self.session.view else { return Ok(()) };
        let closes = self.dice.percent(50);
        let expunges = closes && !view.read_only;
        let line = if closes { "CLOSE" } else { "UNSELECT" };
        self.perform(Plan::new(line, News::Other, What::Leave { expunges })).await
    }

    async fn idle(&mut self) -> Result<(), End> {
        self.commands += 1;
        let tag = self.session.tag();
        self.session.wire.send(format!("{tag} IDLE\r\n").as_bytes()).await?;
        let mut found = Found::default();
        loop {
            match self.session.wire.next().await? {
                Response::Continue => break,
                response => self.session.untagged(response, News::All, &mut found)?,
            }
        }
        let until = tokio::time::Instant::now() + Duration::from_millis(20 + self.dice.roll() % 600);
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            match self.session.wire.poll(left).await? {
                Some(Response::Status { tag: Some(_), text, .. }) => {
                    return fault(format!("IDLE ended by itself: {text}"));
                }
                Some(response) => self.session.untagged(response, News::All, &mut found)?,
                None => break,
            }
        }
        let began = tick();
        self.session.wire.send(b"DONE\r\n").await?;
        let done = self.session.finish(&tag, began, News::All).await?;
        if done.kind == Kind::Ok { Ok(()) } else { fault(format!("IDLE: {}", done.text)) }
    }

    async fn drop_amid(&mut self, plans: Vec<Plan>) -> Result<(), End> {
        let fresh = self.enter_anew().await?;
        let mut old = std::mem::replace(&mut self.session, fresh);
        self.commands += plans.len() as u64;
        let share = if self.dice.percent(50) { 100 } else { self.dice.below(100) };
        let dropped = old.drop_amid(plans, share).await;
        // What was said last on the old connection stands behind the greeting of the new one.
        for line in old.wire.log {
            self.session.wire.log.push_back(line);
        }
        dropped
    }

    async fn restart(&mut self) -> Result<(), End> {
        self.keep_cache();
        let tag = self.session.tag();
        self.session.wire.send(format!("{tag} LOGOUT\r\n").as_bytes()).await?;
        match self.session.finish(&tag, tick(), News::Other).await {
            Err(End::Closed(Some(_))) => {}
            other => return fault(format!("LOGOUT without BYE: {other:?}")),
        }
        self.session = self.enter_anew().await?;
        Ok(())
    }

    async fn enter_anew(&mut self) -> Result<Session, End> {
        let lie = self.session.wire.mutator.as_ref().map(|mutator| mutator.lie);
        let account = Arc::clone(&self.session.account);
        self.commands += 3;
        let mut session = enter(self.session.number, &self.entrance, account, &mut self.dice, lie).await?;
        std::mem::swap(&mut session.wire.log, &mut self.session.wire.log);
        Ok(session)
    }

    /// After an end that is no fault: a BYE because the folder was deleted.
    pub async fn recover(&mut self, bye: Option<String>) -> Result<(), End> {
        let Some(text) = bye else { return fault("the server closed the connection without a word") };
        let fleeting = self.session.view.as_ref().is_some_and(|view| FLEETING.contains(&view.name.as_str()));
        if !fleeting {
            return fault(format!("BYE {text}"));
        }
        self.session = self.enter_anew().await?;
        Ok(())
    }

    /// Nobody changes anything now: two NOOPs, of which the second has nothing to tell; then, for who can, the same
    /// by QRESYNC from what was known before.
    pub async fn settle(&mut self) -> Result<(), End> {
        if self.session.view.is_none() {
            return Ok(());
        }
        self.perform(Plan::new("NOOP", News::All, What::Nothing)).await?;
        self.learn().await?;
        self.session.hand_in("after NOOP")?;
        let Some(view) = self.session.view.clone() else { return Ok(()) };
        let old = self.caches.get(&view.name).cloned();
        if self.session.qresync
            && let Some(cache) = old.filter(|cache| cache.folder == view.folder)
        {
            self.select(view.name, view.read_only, Some(cache)).await?;
            self.learn().await?;
            self.session.hand_in("by QRESYNC")?;
        }
        Ok(())
    }
}
