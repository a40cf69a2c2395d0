//! What the search index answers, of a group of messages at a time; what it does not know is left open.

use super::key::{Compiled, Test, Verdicts, holds};
use super::{Place, ZONE};
use crate::imap::limits::SEARCH_SCAN;
use crate::imap::reply::Failure;
use crate::imap::session::{Door, Selected};
use engine::Search;
use model::{ContentId, Uid};
use std::collections::HashSet;

/// One message of a group.
struct Member {
    place: Place,
    content: ContentId,
    verdicts: Verdicts,
    decided: Option<bool>,
}

/// Adds to `hits` what the index decides, and gives back what is still open, with what is known of it.
pub(super) async fn by_index(
    door: &Door,
    selected: &Selected,
    compiled: &Compiled,
    group: &[Place],
    hits: &mut Vec<Place>,
) -> Result<Vec<(Place, Verdicts)>, Failure> {
    let member = |place: &Place| {
        let content = selected.tracker.at(place.0)?.entry.content;
        Some(Member { place: *place, content, verdicts: compiled.verdicts(), decided: None })
    };
    let mut members: Vec<Member> = group.iter().filter_map(member).collect();
    if compiled.wants_save_dates() {
        by_save_date(door, selected, compiled, &mut members).await?;
    }
    if compiled.finds() {
        let uids: Vec<Uid> = group.iter().map(|(_, uid)| *uid).collect();
        let search = door.engine.search(&selected.who, selected.tracker.view(), &uids).await?;
        for (index, test) in compiled.tests().iter().enumerate() {
            if let Test::Find(place, needle) = test
                && Search::answers(needle)
            {
                let open: HashSet<ContentId> =
                    members.iter().filter(|one| one.decided.is_none()).map(|one| one.content).collect();
                if open.is_empty() {
                    break;
                }
                let found = search.find(place, needle, |content| open.contains(&content)).await?;
                settle(selected, compiled, &mut members, index, |content| {
                    (!search.is_unknown(content)).then(|| found.contains(&content))
                })
                .await;
            }
        }
    }
    let mut left = Vec::new();
    for member in members {
        match member.decided {
            Some(true) => hits.push(member.place),
            Some(false) => {}
            None => left.push((member.place, member.verdicts)),
        }
    }
    Ok(left)
}

/// RFC 8514 4.3: by the day of the save date, as INTERNALDATE is compared.
async fn by_save_date(
    door: &Door,
    selected: &Selected,
    compiled: &Compiled,
    members: &mut [Member],
) -> Result<(), Failure> {
    for some in members.chunks_mut(SEARCH_SCAN) {
        let uids: Vec<Uid> = some.iter().map(|member| member.place.1).collect();
        let dates = door.engine.save_dates(&selected.who, selected.tracker.view(), &uids).await?;
        for member in some {
            let day = dates.get(&member.place.1).map(|at| ZONE.to_datetime(*at).date());
            for (test, verdict) in compiled.tests().iter().zip(&mut member.verdicts) {
                if let Test::Saved(test, wanted) = test {
                    *verdict = Some(day.is_some_and(|day| holds(*test, day, *wanted)));
                }
            }
            if let Some(listed) = selected.tracker.at(member.place.0) {
                member.decided =
                    compiled.decide(&selected.tracker, member.place.0, &listed, &member.verdicts);
            }
        }
    }
    Ok(())
}

/// Notes the answers to one test, and what they decide.
async fn settle(
    selected: &Selected,
    compiled: &Compiled,
    members: &mut [Member],
    index: usize,
    answer: impl Fn(ContentId) -> Option<bool>,
) {
    for some in members.chunks_mut(SEARCH_SCAN) {
        for member in some.iter_mut().filter(|member| member.decided.is_none()) {
            if let Some(verdict) = member.verdicts.get_mut(index) {
                *verdict = answer(member.content);
            }
            if let Some(listed) = selected.tracker.at(member.place.0) {
                member.decided =
                    compiled.decide(&selected.tracker, member.place.0, &listed, &member.verdicts);
            }
        }
        tokio::task::yield_now().await;
    }
}
