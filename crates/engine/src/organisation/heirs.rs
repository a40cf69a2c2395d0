//! What a unit that ends hands to the one that takes over (sáp nhập, chia tách; AG Đ7.3d; LC Đ6.1; TN Đ8.1).
//!
//! Invariants: people and mailboxes go along, and so does what is open: requests, and the review of the mailboxes; positions end with
//! the unit, or are held in the heir if that was asked for and they are no leader's, each said by name, and the class of a mailbox
//! follows. The heir's own address stays its own.

use super::people::follow_class;
use super::{Held, OrganisationError};
use crate::{Actor, AdminError, Engine};
use jiff::Timestamp;
use jiff::civil::Date;
use model::calendar::local_date;
use model::{Appointment, PersonId, PositionId, Tree, UnitId, UnitState};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use store::{ClassChange, Loaded, NewRequestRow, Part, Tx};

/// A position (chức vụ) of somebody: one that ended with its unit, or that is held in the heir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    pub person: PersonId,
    /// Full name.
    pub name: String,
    pub title: String,
    /// Code of the unit.
    pub unit: String,
}

impl Post {
    #[must_use]
    pub fn as_json(&self) -> Value {
        json!({ "person": self.person, "name": self.name, "title": self.title, "unit": self.unit })
    }
}

/// An organisation mailbox that came to a unit that has one, where the policy says that a unit has one (AG Đ6.2; LC Đ4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FurtherOffice {
    /// Code of the unit.
    pub unit: String,
    /// The unit's own address, which it goes on to have.
    pub own: String,
    pub further: String,
}

/// What went along, and what ended.
#[derive(Debug, Default)]
pub(super) struct Handed {
    pub(super) people: usize,
    pub(super) mailboxes: u64,
    pub(super) positions: Vec<Post>,
    pub(super) positions_kept: Vec<Post>,
    pub(super) classes: Vec<ClassChange>,
    pub(super) below: Below,
}

/// Units below those that end, which go along as they are, with whoever is in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Below {
    pub units: usize,
    pub people: usize,
    /// People's and units' own.
    pub mailboxes: u64,
}

impl Below {
    #[must_use]
    pub fn as_json(self) -> Value {
        json!({ "units": self.units, "people": self.people, "mailboxes": self.mailboxes })
    }
}

/// What was open of the units that end, and is the heir's now; with its code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenHanded {
    /// Numbers of requests.
    pub requests: Vec<(i64, String)>,
    /// Numbers of reviews, and of those that they go on in: the same unless the heir had one.
    pub reviews: Vec<(i64, i64, String)>,
}

impl OpenHanded {
    #[must_use]
    pub fn as_json(&self) -> Value {
        let request = |(number, to): &(i64, String)| json!({ "request": number, "to": to });
        let review = |(number, within, to): &(i64, i64, String)| json!({ "review": number, "goes_on_in": within, "to": to });
        json!({
            "requests": self.requests.iter().map(request).collect::<Vec<_>>(),
            "reviews": self.reviews.iter().map(review).collect::<Vec<_>>(),
        })
    }
}

impl Engine {
    /// Open requests and reviews of units that end become the heirs'.
    pub(super) async fn hand_open(
        &self,
        actor: &Actor,
        held: &mut Held,
        moves: &[(UnitId, UnitId)],
    ) -> Result<OpenHanded, AdminError> {
        let mut open = OpenHanded::default();
        for (from, to) in moves {
            let (code, heir) = (held.code(*from), held.code(*to));
            for request in held.tx.hand_requests(*from, *to).await? {
                let note = format!("{code} → {heir}");
                held.tx.note_request(request, (actor.name(), "hand", &note), self.now()).await?;
                open.requests.push((request, heir.clone()));
            }
            let by = (actor.name(), REVIEW_GOES_ON, self.now());
            if let Some((review, within)) = held.tx.hand_review((*from, *to), by).await? {
                open.reviews.push((review, within, heir));
            }
        }
        Ok(open)
    }
}

/// What stands in a review that ended because its unit did.
const REVIEW_GOES_ON: &str = "Đơn vị đã sáp nhập; tiếp tục trong kỳ rà soát của đơn vị tiếp nhận";

/// People (with the end of all positions there, also of those who are elsewhere) and mailboxes of units that end. `keeps`: positions
/// that are no leader's go on in the heir.
pub(super) async fn move_all(
    held: &mut Held,
    (before, moves): (&Tree, &[(UnitId, UnitId)]),
    keeps: bool,
    (on, now): (Date, Timestamp),
) -> Result<Handed, AdminError> {
    if moves.is_empty() {
        return Ok(Handed::default());
    }
    let sources: Vec<UnitId> = moves.iter().map(|(from, _)| *from).collect();
    let mut part = held.tx.register(held.domain, Part::Units(&sources)).await?;
    let leading: BTreeSet<PositionId> =
        part.register.positions().iter().filter(|known| known.leader).map(|known| known.id).collect();
    let there = part.register.appointments().iter();
    let there = there.filter(|a| sources.contains(&a.unit) && a.until.is_none()).copied();
    let (mut kept, ended): (Vec<Appointment>, Vec<Appointment>) =
        there.partition(|post| keeps && !leading.contains(&post.position));
    let mut handed = Handed { below: below(held, before, &sources).await?, ..Handed::default() };
    for (from, to) in moves {
        let moved = part.register.transfer_all(*from, *to, on).map_err(OrganisationError::from)?;
        handed.people += moved.len();
        let left = part.register.appointments().iter().filter(|a| a.unit == *from && a.until.is_none());
        let left: Vec<_> = left.map(|a| (a.person, a.position)).collect();
        for (person, position) in left {
            part.register.relieve(person, *from, position, on).map_err(OrganisationError::from)?;
        }
        handed.mailboxes += held.tx.move_mailboxes(*from, *to, now).await?;
    }
    for post in &mut kept {
        let heir = moves.iter().find(|(from, _)| *from == post.unit);
        post.unit = heir.map_or(post.unit, |(_, to)| *to);
        appoint_in_heir(&mut part, post, on)?;
    }
    held.tx.save_register(&part).await?;
    let leads = |post: &&Appointment| leading.contains(&post.position);
    let leaders: BTreeSet<PersonId> = ended.iter().filter(leads).map(|post| post.person).collect();
    for person in leaders {
        handed.classes.extend(follow_class(held, &part, person, local_date(now)).await?);
    }
    handed.positions = named(held, &part, &ended).await?;
    handed.positions_kept = named(held, &part, &kept).await?;
    Ok(handed)
}

/// Whoever holds the position in the heir already, holds it once.
fn appoint_in_heir(part: &mut Loaded, post: &Appointment, on: Date) -> Result<(), OrganisationError> {
    let same = |a: &Appointment| (a.person, a.unit, a.position) == (post.person, post.unit, post.position);
    if part.register.appointments().iter().any(|a| same(a) && a.until.is_none()) {
        return Ok(());
    }
    Ok(part.register.appoint(post.person, post.unit, post.position, on)?)
}

/// What was below these units, and is not one of them.
async fn below(held: &mut Held, before: &Tree, sources: &[UnitId]) -> Result<Below, AdminError> {
    let all: BTreeSet<UnitId> = sources.iter().flat_map(|source| before.subtree(*source)).collect();
    let lives = |unit: &UnitId| before.unit(*unit).is_some_and(|unit| unit.state == UnitState::Active);
    let units: Vec<UnitId> = all.into_iter().filter(|unit| !sources.contains(unit) && lives(unit)).collect();
    if units.is_empty() {
        return Ok(Below::default());
    }
    let part = held.tx.register(held.domain, Part::Units(&units)).await?;
    let memberships = part.register.memberships().iter();
    let people = memberships.filter(|m| units.contains(&m.unit) && m.until.is_none()).count();
    let mailboxes = held.tx.mailboxes_of_units(&units).await?.iter().map(|(_, count)| count).sum();
    Ok(Below { units: units.len(), people, mailboxes })
}

/// Those positions as people know them, by unit, the highest first.
async fn named(held: &mut Held, part: &Loaded, posts: &[Appointment]) -> Result<Vec<Post>, AdminError> {
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
            Some((position.rank, Post { person: post.person, name, title, unit }))
        })
        .collect();
    found.sort_by(|(a, x), (b, y)| (&x.unit, a, &x.name, x.person).cmp(&(&y.unit, b, &y.name, y.person)));
    Ok(found.into_iter().map(|(_, post)| post).collect())
}

/// Organisation mailboxes of the heirs beyond the one that each may have.
pub(super) async fn further_offices(
    held: &mut Held,
    moves: &[(UnitId, UnitId)],
) -> Result<Vec<FurtherOffice>, AdminError> {
    let mut found = Vec::new();
    if !held.policy.naming.one_per_organisation {
        return Ok(found);
    }
    let heirs: BTreeSet<UnitId> = moves.iter().map(|(_, to)| *to).collect();
    for heir in heirs {
        let mut offices = held.tx.offices_of(heir).await?.into_iter();
        let Some(own) = offices.next() else { continue };
        let unit = held.code(heir);
        found.extend(offices.map(|further| FurtherOffice { unit: unit.clone(), own: own.clone(), further }));
    }
    Ok(found)
}

/// A unit is dissolved when it is empty.
pub(super) async fn nobody_left(held: &mut Held, code: &str) -> Result<(), AdminError> {
    let unit = held.unit(code)?;
    let part = held.tx.register(held.domain, Part::Units(&[unit])).await?;
    let here = part.register.memberships().iter().filter(|m| m.unit == unit && m.until.is_none());
    let people = here.count();
    let mailboxes = held.tx.mailboxes_of_units(&[unit]).await?.first().map_or(0, |(_, count)| *count);
    if people == 0 && mailboxes == 0 {
        return Ok(());
    }
    Err(OrganisationError::InUse { unit: code.to_owned(), people, mailboxes }.into())
}

/// Nothing new is asked for in the name of a unit that ended: whoever took over asks.
pub(crate) async fn refuse_dissolved(tx: &mut Tx, request: &NewRequestRow<'_>) -> Result<(), AdminError> {
    let Some(id) = request.unit else { return Ok(()) };
    let Some(heirs) = tx.heirs_of_dissolved(id).await? else { return Ok(()) };
    let tree = tx.tree(request.domain).await?;
    let unit = tree.unit(id).map_or_else(|| id.to_string(), |unit| unit.code.to_string());
    Err(OrganisationError::Dissolved { unit, heirs }.into())
}

/// Who is to be named in place of a unit that ended.
pub(super) fn followed_by(heirs: &[String]) -> String {
    if heirs.is_empty() { String::new() } else { format!(", followed by {}", heirs.join(", ")) }
}
