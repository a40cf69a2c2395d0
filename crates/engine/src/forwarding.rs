//! Automatic forwarding (D4), decided in one place.
//!
//! ST Đ9.3: never to the outside, but to the domains that policy names. Invariants: what is asked for is looked at when it is
//! set, whoever sets it, and what goes outside with each message: where policy does not let it any more, mail stays; the few that there are lie in memory, so that accepting a message asks nothing; mail goes round no
//! circle and is lost in none, and stays where it came when the next mailbox receives none; each mailbox gets it once. A
//! forwarding ends with the rights of whoever it goes to or set it, and with a hand-over.

mod shown;

use crate::sender::written;
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use model::{AccountId, Action, Address, DomainName, FolderId, Policy, Reason, Right};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use store::{ForwardRow, ForwardTo, Forwarded, ForwardedTo, PartyRow, Tx};

/// Mailboxes that mail goes on through, one after the other.
const HOPS_MAX: usize = 5;
/// Times that a message has come here, behind which it goes outside no more: once when somebody here sent it, once by a list, and
/// once back from where it was forwarded to. What comes more often goes round.
pub(crate) const ROUNDS_MAX: usize = 3;

/// A mailbox's forwarding.
pub type ForwardDetail = store::ForwardDetail;

/// A forwarding as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardListed {
    pub forward: ForwardDetail,
    /// It goes to another system.
    pub is_outside: bool,
    /// Why mail stays in the mailbox instead; `None`: it goes.
    pub stopped: Option<ForwardStop>,
}

/// Why mail is not forwarded any more, though it was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardStop {
    /// Policy does not let it out any more (ST Đ9.3).
    Policy,
    /// The next mailbox takes no mail.
    Target,
}

/// Which forwardings to list; all of them by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForwardQuery<'a> {
    pub domain: Option<&'a DomainName>,
    /// Those to other systems alone.
    pub outside: bool,
    /// From behind this mailbox on.
    pub after: Option<&'a Address>,
    /// Rows at most.
    pub limit: u32,
}

/// Those that hold, as this node last read them.
#[derive(Debug, Default)]
pub(crate) struct Forwards(RwLock<(i64, Arc<HashMap<AccountId, ForwardRow>>)>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    #[error(
        "mail does not go to {0} by itself: the domain is outside, see sending.forward_domains in the policy"
    )]
    Outside(DomainName),
    #[error("a mailbox does not forward to itself")]
    Own,
    #[error("mail would go round in a circle")]
    Circle,
    #[error("{0} receives no mail")]
    Inactive(Address),
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl From<store::Error> for ForwardError {
    fn from(error: store::Error) -> Self {
        Self::Admin(error.into())
    }
}

impl From<Error> for ForwardError {
    fn from(error: Error) -> Self {
        Self::Admin(error.into())
    }
}

/// May mail of a mailbox in `from` go to an address in `to` by itself (ST Đ9.3)?
pub(crate) fn may_go_on(policy: &Policy, from: &DomainName, to: &DomainName) -> bool {
    from == to || is_let_out(policy, to)
}

/// May mail go to an address of another system in `to` by itself? Looked at with each message.
fn is_let_out(policy: &Policy, to: &DomainName) -> bool {
    policy.sending.forward_outside || policy.sending.forward_domains.contains(to)
}

impl Forwards {
    fn map(&self) -> Arc<HashMap<AccountId, ForwardRow>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    fn version(&self) -> i64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Does its mail go on without a copy, as far as this node knows?
    pub(crate) fn keeps_nothing(&self, account: AccountId) -> bool {
        self.map().get(&account).is_some_and(|forward| !forward.keep_copy)
    }

    /// The next look reads them anew, whatever their version.
    pub(crate) fn clear(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = (0, Arc::default());
    }
}

/// Where mail for a mailbox comes to lie in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) mailboxes: Vec<(AccountId, FolderId)>,
    /// With the mailbox whose forwarding leads there.
    pub(crate) outside: Option<(AccountId, Address)>,
    /// How it goes there.
    pub(crate) steps: Vec<Forwarded>,
}

/// Who gets what comes for the first one, past none of `refusing`; what comes to `barred` does not go outside, and with
/// `leaves_copy` it does not without a copy.
fn follow(
    map: &HashMap<AccountId, ForwardRow>,
    (account, inbox): (AccountId, FolderId),
    (refusing, barred, leaves_copy): (&HashSet<AccountId>, Option<AccountId>, bool),
) -> Ends {
    let (mut ends, mut visited) = (Ends::default(), vec![account]);
    let (mut at, mut folder) = (account, inbox);
    loop {
        let next = map.get(&at).filter(|next| match &next.to {
            ForwardTo::Mailbox { target, .. } => {
                !visited.contains(target) && !refusing.contains(target) && visited.len() <= HOPS_MAX
            }
            ForwardTo::Outside(_) => barred != Some(at),
        });
        let Some(next) = next else {
            // The end, where a circle would close, or where the next one takes nothing.
            ends.mailboxes.push((at, folder));
            return ends;
        };
        let keep_copy = next.keep_copy || (leaves_copy && matches!(next.to, ForwardTo::Outside(_)));
        if keep_copy {
            ends.mailboxes.push((at, folder));
        }
        let step = |to| Forwarded { by: at, to, keep_copy };
        match &next.to {
            ForwardTo::Mailbox { target, inbox, .. } => {
                ends.steps.push(step(ForwardedTo::Mailbox(*target)));
                (at, folder) = (*target, *inbox);
            }
            ForwardTo::Outside(address) => {
                // As events have it, and whoever looks for it.
                ends.steps.push(step(ForwardedTo::Outside(written(address).to_lowercase())));
                ends.outside = Some((at, address.clone()));
                return ends;
            }
        }
        visited.push(at);
    }
}

impl Engine {
    /// Where mail for this mailbox goes: to itself, as a rule. `goes_round`: it has come from outside often enough.
    /// With `leaves_copy` none of it goes outside without a copy here.
    pub(crate) async fn forwarded(
        &self,
        place: (AccountId, FolderId),
        goes_round: bool,
        leaves_copy: bool,
    ) -> Result<Ends, Error> {
        let map = self.0.forwards.map();
        let (mut at, mut refusing, mut barred) = (place.0, HashSet::new(), None);
        for _ in 0..=HOPS_MAX {
            let Some(next) = map.get(&at) else { break };
            match &next.to {
                ForwardTo::Mailbox { target, domain, is_locked, .. } => {
                    if *is_locked && !self.policy_of(*domain).await?.life.locked_receives {
                        refusing.insert(*target);
                    }
                    at = *target;
                }
                ForwardTo::Outside(address) => {
                    let allowed = is_let_out(&*self.policy_of(next.domain).await?, address.domain());
                    barred = (goes_round || !allowed).then_some(at);
                    break;
                }
            }
        }
        Ok(follow(&map, place, (&refusing, barred, leaves_copy)))
    }

    /// Reads them again if they have changed. True then.
    pub(crate) async fn renew_forwards(&self) -> Result<bool, Error> {
        let version = self.0.store.forwards_version().await?;
        if version == self.0.forwards.version() {
            return Ok(false);
        }
        let rows = self.0.store.forwards().await?;
        let map = rows.into_iter().map(|row| (row.account, row)).collect();
        let mut kept = self.0.forwards.0.write().unwrap_or_else(PoisonError::into_inner);
        if version > kept.0 {
            *kept = (version, Arc::new(map));
        }
        Ok(true)
    }

    /// Behind a commit that may have ended some: this node need not wait for its poll.
    pub(crate) async fn forwards_changed(&self) {
        if let Err(error) = self.renew_forwards().await {
            tracing::warn!(%error, "changes of automatic forwarding could not be looked for");
        }
    }

    /// Ends the mailbox's forwarding if it goes to one of these people, or one of them set it; audited. Says where mail went. The
    /// transaction holds the mailbox's lock.
    pub(crate) async fn end_forward_by(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        mailbox: &PartyRow,
        people: &[AccountId],
    ) -> Result<Option<String>, AdminError> {
        let by = (actor.name(), self.now());
        let went = tx.end_forward_by(mailbox.account, people, by).await?;
        if let Some(went) = &went {
            let detail = json!({ "target": null, "went_to": went, "because": "rights ended" });
            self.audit(tx, actor, "forwarding.set", &mailbox.address.to_string(), &detail).await?;
        }
        Ok(went)
    }

    /// Says to which other address mail went before.
    ///
    /// # Errors
    /// See [`ForwardError`].
    pub async fn set_forward(
        &self,
        actor: &Actor,
        mailbox: &Address,
        (target, keep_copy): (&Address, bool),
    ) -> Result<Option<String>, ForwardError> {
        self.authorize_forward(actor, mailbox).await?;
        let party = self.party(mailbox).await?;
        let policy = self.policy_of(party.domain).await?;
        let domain = target.domain().clone();
        if !may_go_on(&policy, party.address.domain(), &domain) {
            return Err(ForwardError::Outside(domain));
        }
        let local = self.is_local_domain(&domain).await?;
        let there = if local { Some(self.mailbox_there(&party, target).await?) } else { None };
        let mut tx = self.0.store.begin().await?;
        // Whoever ends rights or the mailbox holds it.
        tx.lock_mailbox(party.account).await?.ok_or(Error::NotFound)?;
        self.check_delegate(&mut tx, actor, party.account).await?;
        if let Some(there) = &there
            && !tx.hold_state(there.account).await?.is_some_and(model::AccountState::receives)
        {
            return Err(ForwardError::Inactive(there.address.clone()));
        }
        let to = there.as_ref().map_or(Err(target), |there| Ok(there.account));
        let went = tx.set_forward(party.account, (to, keep_copy), (actor.name(), self.now())).await?;
        let target = there.as_ref().map_or(target, |there| &there.address).to_string();
        let went = went.filter(|went| *went != target);
        let detail = json!({ "target": target, "keep_copy": keep_copy, "went_to": went });
        self.audit(&mut tx, actor, "forwarding.set", &party.address.to_string(), &detail).await?;
        tx.commit().await?;
        self.forward_of_changed(party.account).await;
        Ok(went)
    }

    /// Behind the commit: this node knows, and the others are told, before anybody hears that it is done. One that does not hear
    /// of it finds out by itself within seconds.
    async fn forward_of_changed(&self, account: AccountId) {
        self.forwards_changed().await;
        self.rights_changed(&[account]).await;
    }

    /// A mailbox here, if mail may go on to it.
    async fn mailbox_there(&self, from: &PartyRow, target: &Address) -> Result<PartyRow, ForwardError> {
        let there = self.party(target).await?;
        if there.account == from.account {
            return Err(ForwardError::Own);
        }
        self.renew_forwards().await?;
        let further =
            follow(&self.0.forwards.map(), (there.account, FolderId(0)), (&HashSet::new(), None, false));
        if further.mailboxes.iter().any(|(account, _)| *account == from.account) {
            return Err(ForwardError::Circle);
        }
        Ok(there)
    }

    /// Who lets another's mail go elsewhere must still have the right to, and to read what he sends there.
    async fn check_delegate(&self, tx: &mut Tx, actor: &Actor, mailbox: AccountId) -> Result<(), AdminError> {
        let Some(delegate) = actor.account().filter(|account| *account != mailbox) else { return Ok(()) };
        let present = tx.present_delegation(mailbox, delegate).await?;
        let missing = [Right::Manage, Right::Read]
            .into_iter()
            .find(|right| !present.as_ref().is_some_and(|present| present.rights.contains(*right)));
        missing.map_or(Ok(()), |right| Err(AdminError::Denied(Reason::Right(right))))
    }

    /// False when there was none.
    ///
    /// # Errors
    /// `NoSuchMailbox`.
    pub async fn clear_forward(&self, actor: &Actor, mailbox: &Address) -> Result<bool, ForwardError> {
        self.authorize_forward(actor, mailbox).await?;
        let party = self.party(mailbox).await?;
        let mut tx = self.0.store.begin().await?;
        tx.lock_mailbox(party.account).await?.ok_or(Error::NotFound)?;
        if tx.end_forward(party.account, (actor.name(), self.now())).await?.is_none() {
            return Ok(false);
        }
        self.audit(&mut tx, actor, "forwarding.set", &party.address.to_string(), &json!({ "target": null }))
            .await?;
        tx.commit().await?;
        self.forward_of_changed(party.account).await;
        Ok(true)
    }

    /// The owner's and whoever's manages it for him; at the console, whoever may move mailboxes about.
    async fn authorize_forward(&self, actor: &Actor, mailbox: &Address) -> Result<(), AdminError> {
        let action = if actor.account().is_some() { Action::ForwardingSet } else { Action::MailboxTransfer };
        self.authorize(actor, action, &AdminTarget::Address(mailbox)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::DomainId;

    fn map(rows: &[(i64, i64, bool)]) -> HashMap<AccountId, ForwardRow> {
        let row = |&(from, to, keep_copy): &(i64, i64, bool)| {
            let to = ForwardTo::Mailbox {
                target: AccountId(to),
                inbox: FolderId(to),
                domain: model::DomainId(1),
                is_locked: false,
            };
            (AccountId(from), ForwardRow { account: AccountId(from), domain: DomainId(1), to, keep_copy })
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn nothing_goes_round_and_nothing_is_lost() {
        let ends = |rows: &[(i64, i64, bool)]| -> Vec<i64> {
            let refusing = [AccountId(9)].into();
            let found = follow(&map(rows), (AccountId(1), FolderId(1)), (&refusing, None, false));
            found.mailboxes.iter().map(|(account, _)| account.0).collect()
        };
        assert_eq!(ends(&[]), [1]);
        assert_eq!(ends(&[(1, 2, false)]), [2]);
        assert_eq!(ends(&[(1, 2, true), (2, 3, false)]), [1, 3]);
        assert_eq!(ends(&[(1, 2, false), (2, 1, false)]), [2]);
        assert_eq!(ends(&[(1, 2, true), (2, 1, false)]), [1, 2]);
        assert_eq!(ends(&[(1, 9, false)]), [1], "it stays where it came");
        assert_eq!(ends(&[(1, 2, false), (2, 9, false)]), [2]);
        let long: Vec<(i64, i64, bool)> = (1..8).map(|n| (n, n + 1, false)).collect();
        assert_eq!(ends(&long), [6]);
        let outside: Address = "an@example.org".parse().unwrap();
        for keep_copy in [false, true] {
            let mut map = map(&[(1, 2, true)]);
            let to = ForwardTo::Outside(outside.clone());
            map.insert(
                AccountId(2),
                ForwardRow { account: AccountId(2), domain: DomainId(1), to, keep_copy },
            );
            for leaves_copy in [false, true] {
                let ends = follow(&map, (AccountId(1), FolderId(1)), (&HashSet::new(), None, leaves_copy));
                assert_eq!(
                    (ends.mailboxes.len(), ends.outside),
                    (1 + usize::from(keep_copy || leaves_copy), Some((AccountId(2), outside.clone())))
                );
            }
        }
    }

    #[test]
    fn what_is_outside_is_named() {
        let domain = |name: &str| DomainName::new(name).unwrap();
        let mut policy = Policy::default();
        let allowed = |policy: &Policy, to: &str| may_go_on(policy, &domain("a.gov.vn"), &domain(to));
        assert!(allowed(&policy, "a.gov.vn") && !allowed(&policy, "b.gov.vn"));
        policy.sending.forward_domains = vec![domain("b.gov.vn")];
        assert!(allowed(&policy, "b.gov.vn") && !allowed(&policy, "gmail.com"));
        policy.sending.forward_outside = true;
        assert!(allowed(&policy, "gmail.com"));
    }
}
