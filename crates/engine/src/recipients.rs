//! Who may receive, and who may send as whom.

use crate::sender::written;
use crate::{Engine, Error, Principal};
use jiff::SignedDuration;
use model::queue::Notify;
use model::{AccountId, AccountState, Address, DomainName, ExternalSending, FolderId, MailboxClass};
use proto::smtp::Mailbox;
use store::{GroupRow, Room};

/// Days at the hard limit after which mail is refused for good instead of put off (A16).
const FULL_DAYS_MAX: i64 = 7;

/// Messages of one mailbox, all folders together. The quota counts octets only, and an entry costs the database some 480
/// bytes however small its message: without an end, a mailbox of empty messages would fill the disk. Ten times what a
/// busy office's shared mailbox gathers in a decade, and at most 1 GB.
pub(crate) const MESSAGES_MAX: u64 = 2_000_000;

/// A recipient that was found and may receive. Only [`Engine::recipient`] makes one.
#[derive(Clone, Debug)]
pub struct Recipient {
    address: Address,
    kind: Kind,
    /// The address is a return path of ours.
    is_return_path: bool,
    /// Octets of the largest message that its domain takes from outside.
    message_bytes_max: u64,
    /// The mailbox says of some senders that it wants their mail, or does not.
    lists_senders: bool,
    /// What the sender wants to be told of it (RFC 3461 4.1).
    notify: Notify,
    /// For whom it was meant at first, `type;xtext` (RFC 3461 4.2).
    original: Option<String>,
}

/// Who gets what comes for an address.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Mailbox {
        account: AccountId,
        inbox: FolderId,
        /// Octets from which on nothing more comes in; `None`: the system's own mail does in spite.
        hard_limit: Option<u64>,
    },
    /// All of these.
    Several(Vec<(AccountId, FolderId)>),
    /// Whoever is in it when the message has come.
    Group(Box<GroupRow>),
    /// Somebody elsewhere, as a path has him, in the spelling of whoever wrote it.
    Outside(String),
}

impl Recipient {
    /// The address as it was asked for, canonical.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// A mailbox that the system itself writes to, whatever its state.
    pub(crate) fn known(address: Address, account: AccountId, inbox: FolderId) -> Self {
        let kind = Kind::Mailbox { account, inbox, hard_limit: None };
        Self::new(address, kind, u64::MAX)
    }

    /// Somebody elsewhere, whom policy lets be written to.
    pub(crate) fn elsewhere(address: Address) -> Self {
        let path = written(&address);
        Self::new(address, Kind::Outside(path), u64::MAX)
    }

    /// The sender of mail that was forwarded, by the address here that it comes back to.
    pub(crate) fn back_to(address: Address, sender: String, message_bytes_max: u64) -> Self {
        Self { is_return_path: true, ..Self::new(address, Kind::Outside(sender), message_bytes_max) }
    }

    fn new(address: Address, kind: Kind, message_bytes_max: u64) -> Self {
        let (notify, original) = (Notify::UNSAID, None);
        Self {
            address,
            kind,
            is_return_path: false,
            message_bytes_max,
            lists_senders: false,
            notify,
            original,
        }
    }

    /// With what its sender said of it.
    #[must_use]
    pub fn asking(mut self, notify: Notify, original: Option<String>) -> Self {
        (self.notify, self.original) = (notify, original);
        self
    }

    /// Elsewhere the case of a local part may mean something (RFC 5321 2.4).
    #[must_use]
    pub fn as_written(mut self, mailbox: &Mailbox) -> Self {
        if let Kind::Outside(text) = &mut self.kind {
            *text = format!("{}@{}", proto::smtp::quoted(mailbox.local()), self.address.domain());
        }
        self
    }

    pub(crate) fn notify(&self) -> Notify {
        self.notify
    }

    /// He is here, and the sender wants to hear that he has it (RFC 3461 4.1).
    pub(crate) fn is_told_of_success(&self) -> bool {
        !matches!(self.kind, Kind::Outside(_)) && self.notify.asks_for(Notify::SUCCESS)
    }

    /// A message to it may miss some of whom it is for.
    pub(crate) fn is_several(&self) -> bool {
        matches!(self.kind, Kind::Several(_) | Kind::Group(_))
    }

    /// Somebody who gets what comes for it may have said something of senders.
    pub(crate) fn may_list_senders(&self) -> bool {
        self.lists_senders || self.is_several()
    }

    /// The mailboxes that it names by itself; who is in a group is not looked up.
    pub(crate) fn mailboxes(&self) -> Vec<AccountId> {
        match &self.kind {
            Kind::Mailbox { account, .. } => vec![*account],
            Kind::Several(several) => several.iter().map(|(account, _)| *account).collect(),
            Kind::Group(_) | Kind::Outside(_) => Vec::new(),
        }
    }

    pub(crate) fn original(&self) -> Option<&str> {
        self.original.as_deref()
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(crate) fn is_return_path(&self) -> bool {
        self.is_return_path
    }

    pub(crate) fn message_bytes_max(&self) -> u64 {
        self.message_bytes_max
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    #[error("no such mailbox")]
    Unknown,
    #[error("not a domain of this system")]
    NotLocal,
    /// Policy does not let this mailbox write to the outside.
    #[error("mail to the outside is not for this mailbox")]
    OutsideNotAllowed,
    #[error("the mailbox does not receive mail")]
    Inactive,
    #[error("the mailbox is full")]
    OverQuota,
    /// For so long that it is not worth another try.
    #[error("the mailbox has been full for long")]
    FullForLong,
    /// A group to which this sender may not write (C2).
    #[error("not everybody may write to this group")]
    Restricted,
    /// Its mailbox's rules do not want this message (RFC 5429).
    #[error("the recipient rejects the message")]
    Rejected,
    #[error("the mail store is unavailable")]
    Unavailable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SenderError {
    #[error("not an address of the sender")]
    NotYours,
    /// An Giang 63/2016 Điều 9.3c.
    #[error("the mailbox is over its quota and cannot send")]
    OverQuota,
    /// Password changed, mailbox locked or deleted: close the session.
    #[error("the rights of this session have ended")]
    Revoked,
    #[error("the mail store is unavailable")]
    Unavailable,
}

/// Do so many octets in so many messages fit into a mailbox with this usage: octets, quota in octets, messages? The hard
/// limit is a percentage of the quota.
pub(crate) fn has_room(
    (used, quota, present): (u64, u64, u64),
    (bytes, messages): (u64, u64),
    hard_limit_percent: u64,
) -> bool {
    used.saturating_add(bytes) <= hard_limit_bytes(quota, hard_limit_percent)
        && present.saturating_add(messages) <= MESSAGES_MAX
}

/// What a mailbox below its hard limit may hold with one more message of `bytes`: it is overshot by that one at most.
pub(crate) fn room_for_one(hard_limit: u64, bytes: u64) -> Room {
    Room { bytes: hard_limit.saturating_add(bytes).saturating_sub(1), messages: MESSAGES_MAX }
}

pub(crate) fn hard_limit_bytes(quota_bytes: u64, percent: u64) -> u64 {
    (quota_bytes / 100).saturating_mul(percent)
}

impl Engine {
    /// Aliases, `user+tag` and case are looked through here.
    ///
    /// # Errors
    /// See [`RecipientError`]. Whether the mailbox is full is looked at again when the message has come: others may have been
    /// under way.
    pub async fn recipient(&self, address: &Address) -> Result<Recipient, RecipientError> {
        self.recipient_of(address, None).await
    }

    /// As [`Engine::recipient`], for mail of somebody who logged in: groups may be kept for such.
    ///
    /// # Errors
    /// See [`RecipientError`].
    pub async fn recipient_of(
        &self,
        address: &Address,
        who: Option<&Principal>,
    ) -> Result<Recipient, RecipientError> {
        let mut found = self.find_recipient(address).await?;
        if found.is_none()
            && let Some(plain) = self.untagged(address).await.map_err(|_| RecipientError::Unavailable)?
        {
            found = self.find_recipient(&plain).await?;
        }
        let Some(row) = found else {
            if let Some(several) = self.several(address, who).await? {
                return Ok(several);
            }
            return match self.is_local_domain(address.domain()).await {
                Ok(true) => Err(RecipientError::Unknown),
                Ok(false) => self.outside(address, who).await,
                Err(_) => Err(RecipientError::Unavailable),
            };
        };
        let policy = self.policy_of(row.domain).await.map_err(|_| RecipientError::Unavailable)?;
        let is_refused = row.state == AccountState::Locked && !policy.life.locked_receives;
        if !row.state.receives() || is_refused {
            return Err(RecipientError::Inactive);
        }
        let hard_limit = hard_limit_bytes(row.quota_bytes, policy.quota.hard_limit.into());
        let is_full = row.used_bytes >= hard_limit || row.messages >= MESSAGES_MAX;
        // What only goes on needs no room; for what stays after all it is looked at when it has come.
        if is_full && !self.0.forwards.keeps_nothing(row.account) {
            let patience = SignedDuration::from_hours(24 * FULL_DAYS_MAX);
            let is_over = row.full_since.is_some_and(|since| self.now().duration_since(since) >= patience);
            return Err(if is_over { RecipientError::FullForLong } else { RecipientError::OverQuota });
        }
        let kind = Kind::Mailbox { account: row.account, inbox: row.inbox, hard_limit: Some(hard_limit) };
        let recipient = Recipient::new(address.clone(), kind, policy.inbound_bytes_max());
        Ok(Recipient { lists_senders: row.lists_senders, ..recipient })
    }

    /// Only whoever logged in writes to others by us; everything else would make us an open relay.
    async fn outside(&self, address: &Address, who: Option<&Principal>) -> Result<Recipient, RecipientError> {
        let Some(who) = who else { return Err(RecipientError::NotLocal) };
        let unavailable = |_| RecipientError::Unavailable;
        let row = self.0.store.sending(who.own().account()).await.map_err(|_| RecipientError::Unavailable)?;
        let row = row.ok_or(RecipientError::OutsideNotAllowed)?;
        let policy = self.policy_of(row.domain).await.map_err(unavailable)?;
        let may = match policy.sending.external {
            ExternalSending::Everybody => true,
            ExternalSending::Organisations => {
                matches!(row.class, MailboxClass::Organisation | MailboxClass::Service)
            }
            ExternalSending::Nobody => false,
        };
        if !may {
            return Err(RecipientError::OutsideNotAllowed);
        }
        Ok(Recipient::elsewhere(address.clone()))
    }

    /// What is no mailbox may be a group, or the address of a unit's clerk.
    async fn several(
        &self,
        address: &Address,
        who: Option<&Principal>,
    ) -> Result<Option<Recipient>, RecipientError> {
        let kind = match self.group_recipient(address, who).await? {
            Some(group) => Kind::Group(Box::new(group)),
            None => {
                let clerks = self.clerks(address).await.map_err(|_| RecipientError::Unavailable)?;
                if clerks.is_empty() {
                    return Ok(None);
                }
                Kind::Several(clerks.into_iter().map(|clerk| (clerk.account, clerk.inbox)).collect())
            }
        };
        let unavailable = |_| RecipientError::Unavailable;
        let domain = self.0.store.domain(address.domain()).await.map_err(|_| RecipientError::Unavailable)?;
        let Some(domain) = domain else { return Ok(None) };
        let message_bytes_max = self.policy_of(domain).await.map_err(unavailable)?.inbound_bytes_max();
        Ok(Some(Recipient::new(address.clone(), kind, message_bytes_max)))
    }

    async fn find_recipient(&self, address: &Address) -> Result<Option<store::RecipientRow>, RecipientError> {
        self.0.store.recipient(address).await.map_err(|error| {
            tracing::error!(%error, "a recipient could not be looked up");
            RecipientError::Unavailable
        })
    }

    /// Is it a domain this installation hosts?
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_local_domain(&self, domain: &DomainName) -> Result<bool, Error> {
        Ok(self.0.store.domain(domain).await?.is_some())
    }

    /// The address without its tag. `None` also when the whole is or was somebody's: then the `+` is no tag, and the
    /// mail not that of whoever has what stands before it.
    pub(crate) async fn untagged(&self, address: &Address) -> Result<Option<Address>, Error> {
        let Some(plain) = address.without_tag() else { return Ok(None) };
        let given_out = self.0.store.was_given_out(address).await?;
        Ok((!given_out).then_some(plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_crosses_the_hard_limit() {
        // Of 10 octets, at a limit of 100: with 99 before it is taken, with 100 not.
        assert_eq!(room_for_one(100, 10).bytes, 99 + 10);
        assert_eq!(room_for_one(0, 0).bytes, 0);
        assert_eq!(room_for_one(u64::MAX, 10).bytes, u64::MAX - 1);
        assert_eq!(hard_limit_bytes(1_000, 120), 1_200);
    }

    #[test]
    fn a_mailbox_ends_in_octets_and_in_messages() {
        assert!(has_room((1_000, 1_000, 5), (100, 1), 110));
        assert!(!has_room((1_000, 1_000, 5), (101, 1), 110));
        // Empty messages cost no quota, but each costs a row.
        assert!(has_room((0, 1_000, MESSAGES_MAX - 1), (0, 1), 110));
        assert!(!has_room((0, 1_000, MESSAGES_MAX - 1), (0, 2), 110));
    }
}
