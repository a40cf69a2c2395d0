//! What scripts ask that only the database can tell, looked up for all mailboxes of a message together.

use super::run::Following;
use crate::sending::correspondent_key;
use crate::{Engine, Error};
use model::{AccountId, Address, FolderName, SpecialUse};
use proto::sieve::{Question, Sighting};
use std::collections::HashMap;
use store::AddressList;

/// Lists that there are (RFC 6134): of one's own unit, of the whole installation, and whom one has written to.
const OF_UNIT: &str = "tag:congthu,2026:don-vi";
const OF_ALL: &str = "tag:congthu,2026:tinh";
const OWN: &str = ":addrbook:default";

/// Who asks what.
type Asked = (AccountId, Question);

/// What is kept of something that was seen (RFC 7352 3.1).
pub(super) fn sighting_key(sighting: &Sighting) -> [u8; 32] {
    *blake3::hash(format!("{}\0{}", sighting.handle, sighting.id).as_bytes()).as_bytes()
}

pub(super) fn use_of(name: &str) -> Option<SpecialUse> {
    SpecialUse::ALL.into_iter().find(|special| special.attribute().eq_ignore_ascii_case(name))
}

fn lists(question: &Question, name: &str) -> Option<String> {
    match question {
        Question::Member { list, value } if list.eq_ignore_ascii_case(name) => Some(value.clone()),
        _ => None,
    }
}

impl Engine {
    /// `asked`: which of the mailboxes asks, and what.
    pub(super) async fn answer_all(
        &self,
        asked: Vec<(usize, Question)>,
        followings: &mut [Following],
    ) -> Result<(), Error> {
        let all: Vec<Asked> = asked
            .iter()
            .filter_map(|(nth, question)| Some((followings.get(*nth)?.target.account, question.clone())))
            .collect();
        let mut answers = HashMap::new();
        self.folders_there(&all, &mut answers).await?;
        self.uses_there(&all, &mut answers).await?;
        for (name, list) in [(OF_UNIT, AddressList::Unit), (OF_ALL, AddressList::Everybody)] {
            self.members(&all, (name, list), &mut answers).await?;
        }
        self.correspondents(&all, &mut answers).await?;
        self.sightings(&all, &mut answers).await?;
        for (nth, question) in asked {
            if let Some(following) = followings.get_mut(nth) {
                let is_list =
                    |name: &String| [OF_UNIT, OF_ALL, OWN].iter().any(|ours| name.eq_ignore_ascii_case(ours));
                let answer = match &question {
                    Question::List(name) => is_list(name),
                    _ => answers.get(&(following.target.account, question.clone())).copied().unwrap_or(false),
                };
                following.answer(question, answer);
            }
        }
        Ok(())
    }

    async fn folders_there(&self, all: &[Asked], answers: &mut HashMap<Asked, bool>) -> Result<(), Error> {
        let named = |(account, question): &Asked| match question {
            Question::Folder(name) => Some((*account, FolderName::new(name).ok()?)),
            _ => None,
        };
        let names: Vec<_> = all.iter().filter_map(named).collect();
        if names.is_empty() {
            return Ok(());
        }
        let there = self.0.store.folders_named(&names).await?;
        for asked in all {
            if let Some(name) = named(asked) {
                answers.insert(asked.clone(), there.contains_key(&name));
            }
        }
        Ok(())
    }

    async fn uses_there(&self, all: &[Asked], answers: &mut HashMap<Asked, bool>) -> Result<(), Error> {
        let used = |(account, question): &Asked| match question {
            Question::SpecialUse { special_use, .. } => Some((*account, use_of(special_use)?)),
            _ => None,
        };
        let uses: Vec<_> = all.iter().filter_map(used).collect();
        if uses.is_empty() {
            return Ok(());
        }
        let there = self.0.store.folders_for(&uses).await?;
        for asked in all {
            let (Some(key), Question::SpecialUse { folder, .. }) = (used(asked), &asked.1) else { continue };
            let named = folder.as_ref().map(|folder| FolderName::new(folder).ok());
            let is_it = |name: &String| match &named {
                None => true,
                Some(folder) => folder.as_ref().is_some_and(|folder| folder.as_str() == name),
            };
            answers.insert(asked.clone(), there.get(&key).is_some_and(|(_, name)| is_it(name)));
        }
        Ok(())
    }

    async fn members(
        &self,
        all: &[Asked],
        (name, list): (&str, AddressList),
        answers: &mut HashMap<Asked, bool>,
    ) -> Result<(), Error> {
        let member =
            |(account, question): &Asked| Some((*account, lists(question, name)?.parse::<Address>().ok()?));
        let asked: Vec<_> = all.iter().filter_map(member).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let listed = self.0.store.listed_addresses(list, &asked).await?;
        for asked in all {
            if let Some(member) = member(asked) {
                answers.insert(asked.clone(), listed.contains(&member));
            }
        }
        Ok(())
    }

    async fn correspondents(&self, all: &[Asked], answers: &mut HashMap<Asked, bool>) -> Result<(), Error> {
        let key = |(account, question): &Asked| {
            let address = lists(question, OWN)?.parse::<Address>().ok()?;
            Some((*account, correspondent_key(&address)))
        };
        let keys: Vec<_> = all.iter().filter_map(key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let known = self.0.store.written_to(&keys).await?;
        for asked in all {
            if let Some(key) = key(asked) {
                answers.insert(asked.clone(), known.contains(&key));
            }
        }
        Ok(())
    }

    async fn sightings(&self, all: &[Asked], answers: &mut HashMap<Asked, bool>) -> Result<(), Error> {
        let key = |(account, question): &Asked| match question {
            Question::Seen(sighting) => Some((*account, sighting_key(sighting))),
            _ => None,
        };
        let keys: Vec<_> = all.iter().filter_map(key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let seen = self.0.store.sieve_seen(&keys, self.now()).await?;
        for asked in all {
            if let Some(key) = key(asked) {
                answers.insert(asked.clone(), seen.contains(&key));
            }
        }
        Ok(())
    }
}
