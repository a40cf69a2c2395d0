//! The account read afresh while nobody changes it, and everything compared with that.

use crate::command::{Plan, What};
use crate::content::{Dice, Mask, id_of, mask, message};
use crate::linear::Act;
use crate::model::{Account, FLEETING, Folder, Initial, Now, STEADY, Taken, Unsure};
use crate::parse::{Kind, Value};
use crate::search::{Key, Known};
use crate::session::{Done, News, Session, difference};
use crate::wire::{End, fault, tick};
use std::collections::{BTreeMap, HashMap};

/// Searches in each folder at each audit.
const SEARCHES: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Stored {
    flags: Mask,
    modseq: Option<u64>,
    content: u64,
    size: u64,
}

#[derive(Debug, Default)]
struct Whole {
    /// By UIDVALIDITY, then uid.
    folders: BTreeMap<u32, BTreeMap<u32, Stored>>,
    names: HashMap<String, u32>,
}

impl Session {
    async fn asks(&mut self, line: String) -> Result<Done, End> {
        let done = self.perform(vec![Plan::new(line, News::All, What::Nothing)]).await?;
        done.into_iter().next().map_or_else(|| fault("no answer"), Ok)
    }

    /// Makes what is there from the beginning.
    pub async fn prepare(&mut self) -> Result<(), End> {
        for name in STEADY.iter().skip(1) {
            let done = self.simple(&format!("CREATE \"{name}\""), News::All).await?;
            if done.kind != Kind::Ok && done.code.as_deref() != Some("ALREADYEXISTS") {
                return fault(format!("CREATE {name}: {}", done.text));
            }
        }
        Ok(())
    }

    pub async fn audit(&mut self, dice: &mut Dice) -> Result<(), End> {
        let began = tick();
        let mut whole = Whole::default();
        for name in self.listed().await? {
            self.read(name, dice, &mut whole).await?;
        }
        self.quota(&whole).await?;
        // Whoever stayed in a folder would be thrown out when another deletes it.
        self.perform(vec![Plan::new("UNSELECT", News::Other, What::Leave { expunges: false })]).await?;
        let mut model = self.account.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let span = (began, tick());
        names(&model, &whole)
            .and_then(|()| beliefs(&model, &whole))
            .and_then(|()| explain(&mut model, &whole, span))
            .map_err(End::Fault)?;
        model.anew();
        Ok(())
    }

    async fn listed(&mut self) -> Result<Vec<String>, End> {
        let lists = self.asks("LIST \"\" \"*\"".into()).await?.found.lists;
        let there =
            |marks: &[Value]| !marks.iter().any(|mark| mark.text().is_some_and(|mark| mark == "\\Noselect"));
        Ok(lists.into_iter().filter(|(marks, _)| there(marks)).map(|(_, name)| name).collect())
    }

    /// A full first synchronisation of one folder, and what else there is to ask about it.
    async fn read(&mut self, name: String, dice: &mut Dice, whole: &mut Whole) -> Result<(), End> {
        let what = What::Select { name: name.clone(), read_only: true, cache: None };
        self.perform(vec![Plan::new(format!("EXAMINE \"{name}\""), News::Other, what)]).await?;
        let Some(view) = self.view.clone() else {
            return fault(format!("{name} is listed and cannot be opened"));
        };
        let modseq = if self.condstore { " MODSEQ" } else { "" };
        let items = format!("(UID FLAGS RFC822.SIZE{modseq} BODY.PEEK[HEADER.FIELDS (X-STRESS)])");
        let mut stored = BTreeMap::new();
        if !view.slots.is_empty() {
            let fetched = self.asks(format!("FETCH 1:* {items}")).await?.found.fetched;
            for (number, fetched) in fetched {
                let flags = fetched.flags.as_ref().and_then(|flags| mask(flags.iter().map(String::as_str)));
                let header = fetched.sections.first().and_then(|(_, octets)| octets.as_deref());
                let content = header.and_then(id_of);
                let (Some(uid), Some(flags), Some(size), Some(content)) =
                    (fetched.uid, flags, fetched.size, content)
                else {
                    return fault(format!("{name}: number {number} is incomplete: {fetched:?}"));
                };
                if size != message(content).len() as u64 {
                    return fault(format!("{name}: message {content} has size {size}"));
                }
                stored.insert(uid, Stored { flags, modseq: fetched.modseq, content, size });
            }
        }
        if stored.len() != view.slots.len() {
            return fault(format!("{name}: EXISTS {} and {} are fetched", view.slots.len(), stored.len()));
        }
        self.status(&name, view.folder, view.uid_next, &stored).await?;
        self.changed_since(&stored, dice).await?;
        self.searches(&stored, dice).await?;
        if whole.folders.insert(view.folder, stored).is_some() {
            return fault(format!("two folders have UIDVALIDITY {}", view.folder));
        }
        whole.names.insert(name, view.folder);
        Ok(())
    }

    async fn status(
        &mut self,
        name: &str,
        folder: u32,
        next: u32,
        stored: &BTreeMap<u32, Stored>,
    ) -> Result<(), End> {
        let size = if self.can("STATUS=SIZE") { " SIZE" } else { "" };
        let done =
            self.asks(format!("STATUS \"{name}\" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN{size})")).await?;
        let Some((_, items)) = done.found.status.first() else { return fault("no STATUS") };
        let unseen = stored.values().filter(|stored| stored.flags & 1 == 0).count() as u64;
        let expected = [
            ("MESSAGES", stored.len() as u64),
            ("UIDNEXT", u64::from(next)),
            ("UIDVALIDITY", u64::from(folder)),
            ("UNSEEN", unseen),
            ("SIZE", stored.values().map(|stored| stored.size).sum()),
        ];
        for (item, value) in expected {
            match items.get(item) {
                Some(told) if *told != value => {
                    return fault(format!("STATUS {name}: {item} {told}, and SELECT and FETCH say {value}"));
                }
                None if item != "SIZE" => return fault(format!("STATUS {name} without {item}")),
                _ => {}
            }
        }
        Ok(())
    }

    /// RFC 7162 3.1.4.1: all that changed since, and nothing else.
    async fn changed_since(&mut self, stored: &BTreeMap<u32, Stored>, dice: &mut Dice) -> Result<(), End> {
        let modseqs: Vec<u64> = stored.values().filter_map(|stored| stored.modseq).collect();
        if modseqs.is_empty() {
            return Ok(());
        }
        let since = *dice.pick(&modseqs);
        let done = self.asks(format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since})")).await?;
        let mut told: Vec<u32> = done.found.fetched.iter().filter_map(|(_, fetched)| fetched.uid).collect();
        told.sort_unstable();
        let newer = stored.iter().filter(|(_, stored)| stored.modseq.is_some_and(|modseq| modseq > since));
        let expected: Vec<u32> = newer.map(|(uid, _)| *uid).collect();
        if told == expected {
            return Ok(());
        }
        fault(format!("CHANGEDSINCE {since} tells {told:?} and not {expected:?}"))
    }

    async fn searches(&mut self, stored: &BTreeMap<u32, Stored>, dice: &mut Dice) -> Result<(), End> {
        let known: Vec<Known> = stored
            .iter()
            .zip(1..)
            .map(|((uid, stored), number)| Known::new(number, *uid, stored.flags, Some(stored.content)))
            .collect();
        for _ in 0..SEARCHES {
            let key = Key::random(dice, &known, 2);
            let by_uid = dice.percent(50);
            let uid = if by_uid { "UID " } else { "" };
            let done = self.asks(format!("{uid}SEARCH {}", key.text())).await?;
            let hits = done.found.search.unwrap_or_default();
            let matching = known.iter().filter(|known| key.matches(known) == Some(true));
            let expected: Vec<u32> =
                matching.map(|known| if by_uid { known.uid } else { known.number }).collect();
            if hits != expected {
                return fault(format!("{uid}SEARCH {} found {hits:?} and not {expected:?}", key.text()));
            }
        }
        Ok(())
    }

    async fn quota(&mut self, whole: &Whole) -> Result<(), End> {
        let done = self.asks("GETQUOTAROOT INBOX".into()).await?;
        let Some((used, _)) = done.found.quota else { return fault("no QUOTA") };
        let sum: u64 = whole.folders.values().flat_map(BTreeMap::values).map(|stored| stored.size).sum();
        if used == sum.div_ceil(1024) {
            return Ok(());
        }
        fault(format!("the quota counts {used} KB, and the messages are {} KB", sum.div_ceil(1024)))
    }
}

/// Folders are those that were made and not removed.
fn names(model: &Account, whole: &Whole) -> Result<(), String> {
    for name in STEADY {
        let Some(folder) = whole.names.get(name) else { return Err(format!("{name} is gone")) };
        let known = model.folders.iter().find(|(_, of)| of.name == name && !of.messages.is_empty());
        if let Some((known, _)) = known
            && known != folder
        {
            return Err(format!("{name} has UIDVALIDITY {folder} and had {known}"));
        }
    }
    for name in FLEETING {
        let count = model.names.get(name).copied().unwrap_or(Some(0));
        let there = i64::from(whole.names.contains_key(name));
        if count.is_some_and(|count| count != there) {
            return Err(format!("{name} was made {count:?} times more than removed, and LIST shows {there}"));
        }
    }
    Ok(())
}

/// What each session believes is what a full synchronisation shows.
fn beliefs(model: &Account, whole: &Whole) -> Result<(), String> {
    for belief in &model.beliefs {
        let Some(stored) = whole.folders.get(&belief.folder) else { continue };
        let real = stored.iter().map(|(uid, stored)| (*uid, (stored.flags, stored.modseq))).collect();
        if let Some(difference) = difference(&belief.messages, &real) {
            return Err(format!(
                "connection {} {}, folder {}: {difference}",
                belief.connection, belief.how, belief.folder
            ));
        }
    }
    Ok(())
}

/// Every message has a history that ends in what is there.
fn explain(model: &mut Account, whole: &Whole, span: (u64, u64)) -> Result<(), String> {
    let unsure = std::mem::take(&mut model.unsure);
    for (folder, of) in &whole.folders {
        for (uid, stored) in of {
            model.content(*folder, *uid, stored.content)?;
        }
    }
    let rest = adopt(model, whole, unsure)?;
    let mut order: Vec<(u64, u32, u32)> = Vec::new();
    for (folder, of) in &model.folders {
        order.extend(of.messages.iter().map(|(uid, message)| (message.born.0, *folder, *uid)));
    }
    order.sort_unstable();
    let mut taken = Taken::new();
    for (_, folder, uid) in order {
        let now = match whole.folders.get(&folder) {
            None => Now::Unknown,
            Some(stored) => stored.get(&uid).map_or(Now::Gone, |stored| Now::Flags(stored.flags)),
        };
        if let Some(stored) = whole.folders.get(&folder).and_then(|of| of.get(&uid)) {
            model.content(folder, uid, stored.content)?;
            if let Some(modseq) = stored.modseq {
                model.version(folder, uid, modseq, stored.flags)?;
            }
        }
        model.settle_swaps(folder, uid)?;
        model.settle(folder, uid, now, span, &mut taken)?;
    }
    // What was not answered may be done a little later still; after one more audit it never was.
    model.unsure = rest
        .into_iter()
        .filter(|unsure| unsure.audits == 0)
        .map(|unsure| Unsure { audits: 1, ..unsure })
        .collect();
    model.folders.retain(|folder, _| whole.folders.contains_key(folder));
    Ok(())
}

/// Messages nobody was told of must come from a command that was not answered: each explains one. What is moved is not
/// in both places. Returns those that explained nothing.
fn adopt(model: &mut Account, whole: &Whole, mut unsure: Vec<Unsure>) -> Result<Vec<Unsure>, String> {
    for unsure in unsure.iter_mut().filter(|unsure| unsure.content.is_none()) {
        // When it was copied, its source was not known yet either; if that is gone, it may have been anything.
        let source = unsure.source.and_then(|(folder, uid)| model.folders.get(&folder)?.messages.get(&uid));
        unsure.content = source.and_then(|message| message.content);
    }
    for (name, folder) in &whole.names {
        for (uid, stored) in &whole.folders[folder] {
            let of = model.folder(*folder);
            of.name.clone_from(name);
            let known =
                of.messages.get(uid).is_some_and(|message| !matches!(message.initial, Initial::Unknown));
            if known {
                continue;
            }
            let content = Some(stored.content);
            let fleeting = |name: &String| FLEETING.contains(&name.as_str());
            // Only folders that come and go are renamed.
            let here =
                |unsure: &Unsure| unsure.target == *name || (fleeting(name) && fleeting(&unsure.target));
            let exact = unsure.iter().position(|unsure| unsure.content == content && here(unsure));
            let any = || unsure.iter().position(|unsure| unsure.content.is_none() && here(unsure));
            let Some(at) = exact.or_else(any) else {
                return Err(format!("uid {uid} of {name} (message {}) comes from nowhere", stored.content));
            };
            let alone =
                unsure.iter().filter(|unsure| unsure.content.is_none() || unsure.content == content).count()
                    == 1;
            let origin = unsure.remove(at);
            if let Some((source, old)) = origin.source.filter(|_| alone && origin.moved)
                && whole.folders.get(&source).is_some_and(|of| of.contains_key(&old))
            {
                return Err(format!("uid {old} of folder {source} was moved to {name} and is still there"));
            }
            model.seen(*folder, *uid)?;
            model.content(*folder, *uid, stored.content)?;
        }
    }
    let lost = unsure.iter().filter(|unsure| unsure.audits == 0 && STEADY.contains(&unsure.target.as_str()));
    for (folder, uid) in lost.filter(|unsure| unsure.moved).filter_map(|unsure| unsure.source) {
        let Some(stored) = whole.folders.get(&folder) else { continue };
        // Somebody may have seen it where it came to, and removed it from there.
        if model.folders.iter().any(|(at, of)| passed_through(of, whole.folders.get(at))) {
            continue;
        }
        let of = model.folder(folder);
        let Some(message) = of.messages.get(&uid).filter(|_| !stored.contains_key(&uid)) else { continue };
        if message.may_be_deleted() {
            // An EXPUNGE takes it away where it came to before anybody has seen it there.
            continue;
        }
        let removers = message.events.iter().filter(|event| matches!(event.act, Act::Leave | Act::Sweep));
        if of.sweeps.is_empty() && removers.count() == 1 {
            return Err(format!("uid {uid} of folder {folder} was moved and is nowhere"));
        }
    }
    Ok(unsure)
}

/// A message was seen here that no answered command had made, and is gone again.
fn passed_through(of: &Folder, stored: Option<&BTreeMap<u32, Stored>>) -> bool {
    let gone = |uid: &u32| stored.is_none_or(|stored| !stored.contains_key(uid));
    of.messages.iter().any(|(uid, message)| matches!(message.initial, Initial::Unknown) && gone(uid))
}
