//! Groups of the address book (C1, C2): who is in them, who may write to them, and mail to large ones that waits.
//!
//! TN Đ3.6.2 names them: all văn thư, all văn phòng, all of a unit. Invariants: a group by a rule is looked up when mail comes,
//! so it is as the tree is then; each group asks for itself who may write to it, also one in another; nobody gets a message
//! twice; a group is never in itself; what was accepted for a group is
//! handed out or decided on by somebody, never lost.

mod senders;

use crate::admin::check_name;
use crate::authority::unless_missing;
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use model::calendar::local_date;
use model::lifecycle::Life;
use model::{Action, Address, DomainName, GroupRule, GroupSenders};
use serde_json::json;
use store::OwedNotice;
use store::{GroupRow, HeldMessageRow, MemberRow};

/// Members of one group, those of groups in it included: every mailbox of a large province.
pub(crate) const MEMBERS_MAX: u32 = 100_000;
/// Mailboxes and groups named in one act.
const NAMED_MAX: usize = 10_000;
/// In front of a unit's name in the address of its clerk (TN Đ3.6.2).
const CLERK_PREFIX: &str = "vanthu.";

/// A group that is to be made.
#[derive(Clone, Debug)]
pub struct NewGroup {
    pub address: Address,
    pub name: String,
    pub rule: GroupRule,
    /// Code of the unit it is of; `None`: of the domain.
    pub unit: Option<String>,
    /// With the units below it.
    pub deep: bool,
    pub senders: GroupSenders,
}

/// A group as lists show it.
pub type GroupDetail = GroupRow;
/// Somebody in a group.
pub type GroupMember = MemberRow;
/// Mail to a large group that waits for approval, or did.
pub type HeldMessage = HeldMessageRow;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    #[error("there is no group {0}")]
    NoSuchGroup(Address),
    #[error("{0} would be in itself")]
    Loop(Address),
    #[error("the members of this group are found by its rule: make another group with it as a member")]
    ByRule,
    #[error("name at most 10,000 at once")]
    TooMany,
    #[error("{0} was not in it")]
    NotMember(Address),
    #[error("there is no such message, or it was decided")]
    NoSuchMessage,
    /// For spam, malware, or because somebody else has it (An Giang 63/2016 Điều 8.1c, d).
    #[error(
        "the mailbox of the sender is locked for what it sends: refuse the message, or wait until it is restored"
    )]
    SenderLocked,
    #[error("it holds malware ({0}), and is not let go: refuse it (congthu group reject)")]
    Infected(String),
    #[error(
        "it could not be scanned for malware now, and policy lets nothing go without (filter.not_scanned_in, filter.not_scanned_out): try again when clamd answers"
    )]
    NotScanned,
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl From<store::Error> for GroupError {
    fn from(error: store::Error) -> Self {
        if error.is_constraint("groups_address_key") {
            return Self::Admin(AdminError::AddressTaken);
        }
        Self::Admin(error.into())
    }
}

impl From<Error> for GroupError {
    fn from(error: Error) -> Self {
        Self::Admin(error.into())
    }
}

impl Engine {
    /// # Errors
    /// `AddressTaken`, `NoSuchDomain`, `NoSuchUnit`, `OddAddress`, `BadName`.
    pub async fn add_group(&self, actor: &Actor, new: &NewGroup) -> Result<(), GroupError> {
        self.authorize_group(actor, Action::GroupAdd, new.address.domain(), new.unit.as_deref()).await?;
        check_name(&new.name)?;
        crate::admin::check_address(&new.address)?;
        let held = self.hold_organisation(new.address.domain()).await?;
        let unit = new.unit.as_deref().map(|code| held.living_unit(code)).transpose()?;
        let row = store::NewGroup {
            domain: held.domain,
            address: &new.address,
            name: &new.name,
            rule: new.rule,
            unit,
            deep: new.deep,
            senders: new.senders,
            by: actor.name(),
        };
        let over = crate::provisioning::given_up_before(&held.policy, self.now());
        let mut tx = held.tx;
        tx.free_group_address(&row, over).await?;
        tx.insert_group(&row, self.now()).await?;
        let detail = json!({
            "name": new.name, "rule": new.rule, "unit": new.unit, "deep": new.deep, "senders": new.senders,
        });
        self.audit(&mut tx, actor, "group.add", &new.address.to_string(), &detail).await?;
        Ok(tx.commit().await?)
    }

    /// # Errors
    /// `NoSuchGroup`.
    pub async fn remove_group(&self, actor: &Actor, address: &Address) -> Result<(), GroupError> {
        let group = self.group_for(actor, Action::GroupRemove, address).await?;
        let mut tx = self.0.store.begin().await?;
        tx.delete_group(group.group, self.now()).await?;
        self.audit(&mut tx, actor, "group.remove", &address.to_string(), &json!({ "name": group.name }))
            .await?;
        Ok(tx.commit().await?)
    }

    /// Puts mailboxes and groups into a group that is kept by hand, or takes them out. All or none.
    ///
    /// # Errors
    /// `NoSuchMailbox` for an address that is neither, `Loop`, `ByRule`, `NotMember`.
    pub async fn change_group(
        &self,
        actor: &Actor,
        address: &Address,
        (members, present): (&[Address], bool),
    ) -> Result<(), GroupError> {
        let group = self.group_for(actor, Action::GroupChange, address).await?;
        if group.rule != GroupRule::Manual {
            return Err(GroupError::ByRule);
        }
        if members.len() > NAMED_MAX {
            return Err(GroupError::TooMany);
        }
        let (mut accounts, mut groups) = (Vec::new(), Vec::new());
        for member in members {
            // Whoever writes to the outer one writes to the inner one, if that takes his mail: for whoever may change it to let in.
            match self.0.store.group(member).await? {
                Some(_) => {
                    let action = if present { Action::GroupChange } else { Action::GroupShow };
                    let inner = self.group_for(actor, action, member).await?;
                    groups.push((inner.group, inner.address));
                }
                None => {
                    self.authorize(actor, Action::MailboxShow, &AdminTarget::Address(member)).await?;
                    accounts.push(self.party(member).await?.account);
                }
            }
        }
        let inner: Vec<i64> = groups.iter().map(|(inner, _)| *inner).collect();
        let mut tx = self.0.store.begin().await?;
        tx.lock_groups(group.domain).await?;
        if present {
            for (inner, name) in &groups {
                if tx.group_contains(*inner, group.group).await? {
                    return Err(GroupError::Loop(name.clone()));
                }
            }
            tx.add_group_members(group.group, &accounts, &inner).await?;
        } else {
            let gone = tx.remove_group_members(group.group, &accounts, &inner).await?;
            if let Some(first) = members.first().filter(|_| gone == 0) {
                return Err(GroupError::NotMember(first.clone()));
            }
        }
        let names: Vec<String> = members.iter().map(ToString::to_string).collect();
        let detail = if present { json!({ "added": names }) } else { json!({ "removed": names }) };
        self.audit(&mut tx, actor, "group.change", &address.to_string(), &detail).await?;
        Ok(tx.commit().await?)
    }

    /// Says who may write to it; `listed` are those where they are listed.
    ///
    /// # Errors
    /// `NoSuchGroup`, `NoSuchMailbox`.
    pub async fn set_group_senders(
        &self,
        actor: &Actor,
        address: &Address,
        (senders, listed): (GroupSenders, &[Address]),
    ) -> Result<(), GroupError> {
        let group = self.group_for(actor, Action::GroupChange, address).await?;
        if listed.len() > NAMED_MAX {
            return Err(GroupError::TooMany);
        }
        let mut accounts = Vec::new();
        for one in listed {
            self.authorize(actor, Action::MailboxShow, &AdminTarget::Address(one)).await?;
            accounts.push(self.party(one).await?.account);
        }
        let mut tx = self.0.store.begin().await?;
        tx.set_group_senders(group.group, senders, &accounts).await?;
        let names: Vec<String> = listed.iter().map(ToString::to_string).collect();
        let detail = json!({ "senders": senders, "listed": names });
        self.audit(&mut tx, actor, "group.change", &address.to_string(), &detail).await?;
        Ok(tx.commit().await?)
    }

    /// Groups by address; for an officer those of his units.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn groups(
        &self,
        actor: &Actor,
        domain: &DomainName,
        (after, limit): (Option<&Address>, u32),
    ) -> Result<Vec<GroupDetail>, GroupError> {
        let reach = self.authorize_part(actor, Action::GroupShow, domain).await?;
        Ok(self.0.store.groups(&reach, domain, (after, limit)).await?)
    }

    /// A group, and whoever is in it now, by number.
    ///
    /// # Errors
    /// `NoSuchGroup`.
    pub async fn group(
        &self,
        actor: &Actor,
        address: &Address,
    ) -> Result<(GroupDetail, Vec<GroupMember>), GroupError> {
        let group = self.group_for(actor, Action::GroupShow, address).await?;
        let today = local_date(self.now());
        let members = self.0.store.group_members((group.group, &[]), today, (None, MEMBERS_MAX)).await?;
        Ok((group, members))
    }

    /// Mail to groups of the domain, for an officer of his units, that waits for approval, the oldest first; with `decided` the last ones, whatever became
    /// of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn held_messages(
        &self,
        actor: &Actor,
        domain: &DomainName,
        (decided, limit): (bool, u32),
    ) -> Result<Vec<HeldMessage>, GroupError> {
        let reach = self.authorize_part(actor, Action::GroupApprove, domain).await?;
        let domain = self.domain_id(domain).await?;
        Ok(self.0.store.held_messages(&reach, domain, (decided, limit)).await?)
    }

    /// Lets mail to a large group go out, but not what the scanner for malware finds something in by now, or refuses it and tells its sender.
    ///
    /// # Errors
    /// `NoSuchMessage` when it was decided; when it is to go out, `Infected`, `NotScanned`, and `SenderLocked` from a mailbox that is
    /// locked for what it sends.
    pub async fn decide_held(
        &self,
        actor: &Actor,
        held: i64,
        (approved, reason): (bool, &str),
    ) -> Result<(), GroupError> {
        if !approved {
            crate::admin::check_reason(reason)?;
        }
        let message = self.0.store.held_message(held).await?.ok_or(GroupError::NoSuchMessage)?;
        let domain = self.0.store.domain_name(message.domain).await?.ok_or(GroupError::NoSuchMessage)?;
        let target = message.unit.map_or(AdminTarget::Domain(&domain), AdminTarget::Unit);
        let allowed = self.authorize(actor, Action::GroupApprove, &target).await;
        unless_missing(allowed)?.ok_or(GroupError::NoSuchMessage)?;
        if approved {
            self.scan_approved(held, message.domain).await?;
        }
        let mut tx = self.0.store.begin().await?;
        if approved && let Some(sender) = message.sender_account {
            // Held, so that it is not locked at this moment.
            let life = tx.life(sender).await?.map(|row| row.life);
            if matches!(life, Some(Life::Locked { reason, .. }) if reason.stops_mail()) {
                return Err(GroupError::SenderLocked);
            }
        }
        if !tx.decide_held(held, approved, (actor.name(), reason), self.now()).await? {
            return Err(GroupError::NoSuchMessage);
        }
        let detail = json!({
            "held": held, "group": message.group, "sender": message.sender, "members": message.members,
            "approved": approved, "reason": reason,
        });
        self.audit(&mut tx, actor, "group.approve", bare(&message.group), &detail).await?;
        let owed = about_decision(&message, approved, reason);
        tx.owe_notices(owed.as_slice(), self.now()).await?;
        tx.commit().await?;
        if approved {
            self.0.pending.notify_one();
        }
        self.send_owed(owed.as_slice()).await;
        Ok(())
    }
    async fn group_for(
        &self,
        actor: &Actor,
        action: Action,
        address: &Address,
    ) -> Result<GroupRow, GroupError> {
        let missing = || GroupError::NoSuchGroup(address.clone());
        let group = self.0.store.group(address).await?.ok_or_else(missing)?;
        // By its own numbers: after a move its address is not of its domain.
        let allowed = match group.unit_id {
            Some(unit) => self.authorize(actor, action, &AdminTarget::Unit(unit)).await,
            None => {
                let domain = self.0.store.domain_name(group.domain).await?.ok_or_else(missing)?;
                self.authorize(actor, action, &AdminTarget::Domain(&domain)).await
            }
        };
        unless_missing(allowed)?.map(|()| group).ok_or_else(missing)
    }

    async fn authorize_group(
        &self,
        actor: &Actor,
        action: Action,
        domain: &DomainName,
        unit: Option<&str>,
    ) -> Result<(), GroupError> {
        let target = match unit {
            Some(code) => AdminTarget::UnitCode(domain, code),
            None => AdminTarget::Domain(domain),
        };
        Ok(self.authorize(actor, action, &target).await?)
    }

    /// Whoever gets mail for `vanthu.<unit>`, where policy has such addresses and nobody has this one.
    pub(crate) async fn clerks(&self, address: &Address) -> Result<Vec<MemberRow>, Error> {
        let Some(unit) = address.local().strip_prefix(CLERK_PREFIX) else { return Ok(Vec::new()) };
        let Some(domain) = self.0.store.domain(address.domain()).await? else { return Ok(Vec::new()) };
        if !self.policy_of(domain).await?.naming.clerk_addresses {
            return Ok(Vec::new());
        }
        let mut found = self.0.store.clerks_of(address.domain(), unit, local_date(self.now())).await?;
        found.retain(|member| member.state.receives());
        Ok(found)
    }
}

/// What the sender is told; nothing where he is nobody of ours.
fn about_decision(message: &HeldMessage, approved: bool, reason: &str) -> Option<OwedNotice> {
    let to = message.sender_account?;
    let group = &message.group;
    let (subject, text) = if approved {
        (
            format!("Đã duyệt thư gửi nhóm {group}"),
            format!(
                "Thư “{}” gửi nhóm {group} đã được duyệt và đang được chuyển đến {} hộp thư.",
                message.subject, message.members
            ),
        )
    } else {
        (
            format!("Không duyệt thư gửi nhóm {group}"),
            format!("Thư “{}” gửi nhóm {group} không được duyệt. Lý do: {reason}", message.subject),
        )
    };
    let key = format!("group-decision/{}", message.held);
    Some(OwedNotice { key, to, subject, text })
}

/// The address of a group that a message was held for under `name <address>`: what the audit trail is asked for.
fn bare(group: &str) -> &str {
    group.rsplit_once('<').map_or(group, |(_, address)| address.trim_end_matches('>'))
}
