//! Where rules pass mail on to (`redirect`): as automatic forwarding does it, under the same policy (D4).

use super::apply::Work;
use super::run::Following;
use crate::forwarding::{Ends, may_go_on};
use crate::recipients::{Kind, RecipientError, room_for_one};
use crate::sender::written;
use crate::{Engine, Error};
use model::{AccountId, Address};
use proto::sieve::Recipients;
use store::{Forwarded, ForwardedTo, Target};

/// What became of a wish to pass it on.
#[derive(Debug, Default)]
pub(super) struct Onward {
    /// New mailboxes here.
    pub(super) targets: Vec<Target>,
    /// Mailboxes here where it ends, new or not.
    pub(super) ends: Vec<AccountId>,
    /// It goes to somebody elsewhere.
    pub(super) is_outside: bool,
}

impl Engine {
    /// `Err`: it may not or cannot, in the owner's words.
    pub(super) async fn pass_on(
        &self,
        following: &Following,
        to: &Recipients,
        work: &mut Work<'_>,
    ) -> Result<Result<Onward, String>, Error> {
        let Recipients::Address(text) = to else {
            return Ok(Err("không chuyển tiếp thư đến danh sách".into()));
        };
        let Ok(address) = text.parse::<Address>() else {
            return Ok(Err(format!("“{text}” không phải là địa chỉ thư")));
        };
        let policy = self.policy_of(following.chain.domain).await?;
        let own = following.chain.addresses.first().map(Address::domain);
        if !own.is_some_and(|own| may_go_on(&policy, own, address.domain())) {
            return Ok(Err(format!("quy định không cho tự động chuyển tiếp thư đến {address}")));
        }
        if !self.is_local_domain(address.domain()).await? {
            if work.of.goes_round {
                return Ok(Err(format!("thư chuyển tiếp đến {address} bị quay vòng")));
            }
            self.goes_outside(following.target.account, &following.target, &address, work);
            return Ok(Ok(Onward { is_outside: true, ..Onward::default() }));
        }
        let place = match self.recipient(&address).await {
            Ok(recipient) => match recipient.kind() {
                Kind::Mailbox { account, inbox, hard_limit } => (*account, *inbox, *hard_limit),
                _ => return Ok(Err(format!("{address} không phải là hộp thư của một người"))),
            },
            Err(RecipientError::Unavailable) => return Err(Error::Unavailable),
            Err(_) => return Ok(Err(format!("{address} không nhận được thư"))),
        };
        let found = self.forwarded((place.0, place.1), work.of.goes_round, work.of.leaves_copy).await?;
        if found.mailboxes.iter().any(|(end, _)| work.without.contains(end)) {
            return Ok(Err(format!("{address} không nhận được thư")));
        }
        Ok(Ok(self.goes_here(following, (place.0, place.2), found, work)))
    }

    fn goes_here(
        &self,
        following: &Following,
        (account, limit): (AccountId, Option<u64>),
        found: Ends,
        work: &mut Work<'_>,
    ) -> Onward {
        let by = following.target.account;
        let mut onward = Onward { is_outside: found.outside.is_some(), ..Onward::default() };
        if account != by {
            work.step(Forwarded { by, to: ForwardedTo::Mailbox(account), keep_copy: false });
        }
        for step in found.steps {
            work.step(step);
        }
        for (end, folder) in found.mailboxes {
            onward.ends.push(end);
            if work.seen.insert(end) {
                work.meant.waits_no_more(end);
                let limit = limit.filter(|_| end == account);
                let room = limit.map(|limit| room_for_one(limit, work.of.bytes));
                let recipient = following.target.recipient.clone();
                onward.targets.push(Target { account: end, folder, recipient, room });
            }
        }
        if let Some((by, address)) = found.outside {
            self.goes_outside(by, &following.target, &address, work);
        }
        onward
    }

    fn goes_outside(&self, by: AccountId, target: &Target, address: &Address, work: &mut Work<'_>) {
        let path = written(address);
        let to = ForwardedTo::Outside(path.to_lowercase());
        work.step(Forwarded { by, to, keep_copy: false });
        let came_by = work.recipients.iter().find(|to| Some(to.address().to_string()) == target.recipient);
        if let Some(recipient) = came_by.or(work.recipients.first()) {
            work.meant.add_passed_on((by, path), recipient);
        }
    }
}
