//! What a unit that ends hands to the one that takes over (sáp nhập, chia tách; AG Đ7.3d; LC Đ6.1; TN Đ8.1).
//!
//! Invariant: people and mailboxes go along; positions end with the unit, each said by name, and the class of a mailbox follows.

use super::people::follow_class;
use super::{Held, OrganisationError};
use crate::AdminError;
use jiff::civil::Date;
use model::{Appointment, PersonId, UnitId};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use store::{ClassChange, Loaded, Part};

/// A position (chức vụ) that ended with its unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostEnded {
    pub person: PersonId,
    /// Full name.
    pub name: String,
    pub title: String,
    /// Code of the unit.
    pub unit: String,
}

impl PostEnded {
    #[must_use]
    pub fn as_json(&self) -> Value {
        json!({ "person": self.person, "name": self.name, "title": self.title, "unit": self.unit })
    }
}

/// What went along, and what ended.
#[derive(Debug, Default)]
pub(super) struct Handed {
    pub(super) people: usize,
    pub(super) mailboxes: u64,
    pub(super) positions: Vec<PostEnded>,
    pub(super) classes: Vec<ClassChange>,
}

/// People (with the end of all positions there, also of those who are elsewhere) and mailboxes of units that end.
pub(super) async fn move_all(
    held: &mut Held,
    moves: &[(UnitId, UnitId)],
    on: Date,
) -> Result<Handed, AdminError> {
    if moves.is_empty() {
        return Ok(Handed::default());
    }
    let sources: Vec<UnitId> = moves.iter().map(|(from, _)| *from).collect();
    let mut part = held.tx.register(held.domain, Part::Units(&sources)).await?;
    let there = part.register.appointments().iter();
    let ended: Vec<Appointment> =
        there.filter(|a| sources.contains(&a.unit) && a.until.is_none()).copied().collect();
    let mut handed = Handed::default();
    for (from, to) in moves {
        let moved = part.register.transfer_all(*from, *to, on).map_err(OrganisationError::from)?;
        handed.people += moved.len();
        let left = part.register.appointments().iter().filter(|a| a.unit == *from && a.until.is_none());
        let left: Vec<_> = left.map(|a| (a.person, a.position)).collect();
        for (person, position) in left {
            part.register.relieve(person, *from, position, on).map_err(OrganisationError::from)?;
        }
        handed.mailboxes += held.tx.move_mailboxes(*from, *to).await?;
    }
    held.tx.save_register(&part).await?;
    let leads = |post: &&Appointment| {
        part.register.positions().iter().any(|known| known.id == post.position && known.leader)
    };
    let leaders: BTreeSet<PersonId> = ended.iter().filter(leads).map(|post| post.person).collect();
    for person in leaders {
        handed.classes.extend(follow_class(held, &part, person, on).await?);
    }
    handed.positions = named(held, &part, &ended).await?;
    Ok(handed)
}

/// Those positions as people know them, by unit, the highest first.
async fn named(held: &mut Held, part: &Loaded, posts: &[Appointment]) -> Result<Vec<PostEnded>, AdminError> {
    let people: BTreeSet<PersonId> = posts.iter().map(|post| post.person).collect();
    let people: Vec<PersonId> = people.into_iter().collect();
    let rows = held.tx.people_by_id(held.domain, &people).await?;
    let names: HashMap<PersonId, String> = rows.into_iter().map(|row| (row.person, row.full_name)).collect();
    let mut found: Vec<_> = posts
        .iter()
        .filter_map(|post| {
            let position = part.register.positions().iter().find(|known| known.id == post.position)?;
            let name = names.get(&post.person).cloned().unwrap_or_default();
            let (title, unit) = (position.title.clone(), held.code(post.unit));
            Some((position.rank, PostEnded { person: post.person, name, title, unit }))
        })
        .collect();
    found.sort_by(|(a, x), (b, y)| (&x.unit, a, &x.name, x.person).cmp(&(&y.unit, b, &y.name, y.person)));
    Ok(found.into_iter().map(|(_, post)| post).collect())
}
