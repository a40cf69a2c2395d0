//! What a mailbox says of senders: whose mail it wants whatever the filter says of it, and whose it does not
//! (docs/adr/0023-quarantine.md).
//!
//! Invariants: only who is shown to be who he says he is profits from being allowed, as anybody can write any name into From, and for the
//! same reason what nothing shows to be somebody's has only such mail blocked; what policy refuses stays refused; colleagues are
//! blocked by nobody, as theirs is mail of the province.

use crate::{
    Actor, AdminTarget, Arrival, Engine, Error, QuarantineError, QuarantinedMessage, Recipient, Sender,
};
use model::admission::Outcome;
use model::{AccountId, Action, Address, FolderId, Listed};
use proto::mime::authors;
use serde_json::json;
use std::collections::HashMap;
use store::{ListedLine, ListedSenderRow, QuarantinedRow, Tx};

/// Lines of one mailbox's list.
const LISTED_MAX: u32 = 500;

/// Whom a message of a stranger is from, in the form of lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Writer {
    /// The one address of From.
    pub(crate) author: Option<String>,
    /// There is one, and what passed is of his domain.
    pub(crate) is_shown: bool,
    /// Of the envelope.
    sender: Option<String>,
}

impl Writer {
    pub(crate) fn of(arrival: &Arrival, header: &[u8]) -> Self {
        let evidence = arrival.examined.as_ref().map(|examined| &examined.evidence);
        let is_shown = evidence.is_some_and(|evidence| match evidence.authors.as_slice() {
            [author] => !evidence.unclear_author && author.aligned == Outcome::Pass,
            _ => false,
        });
        let sender = arrival.sender.as_ref().map(Sender::as_str).and_then(canonical);
        let author = sole_author(header);
        Self { is_shown: is_shown && author.is_some(), author, sender }
    }

    /// As a list has him.
    fn names(&self) -> Vec<&str> {
        self.author.iter().chain(&self.sender).map(String::as_str).collect()
    }

    /// Does this line say anything of him? Whoever forges a name that is blocked is not wanted either; and whose name was forged is not
    /// blocked by that.
    fn is_meant(&self, line: &ListedLine) -> bool {
        match line.listed {
            Listed::Allowed => self.is_shown && self.author.as_deref() == Some(&line.sender),
            Listed::Blocked => line.is_shown || !self.is_shown,
        }
    }
}

/// Whom a header says the message is from, where that is one address.
fn sole_author(header: &[u8]) -> Option<String> {
    let authors = authors(header).ok()?;
    let [author] = authors.from.as_slice() else { return None };
    canonical(author)
}

fn canonical(address: &str) -> Option<String> {
    address.parse::<Address>().ok().map(|address| address.to_string())
}

impl Engine {
    /// What those who get a message by this recipient say of its writer; that he is blocked goes before that he is allowed.
    pub(crate) async fn listed_by(
        &self,
        recipient: &Recipient,
        places: &[(AccountId, FolderId)],
        writer: Option<&Writer>,
    ) -> Result<HashMap<AccountId, Listed>, Error> {
        let mut said = HashMap::new();
        let Some(writer) = writer.filter(|_| recipient.may_list_senders()) else { return Ok(said) };
        let accounts: Vec<AccountId> = places.iter().map(|(account, _)| *account).collect();
        for (account, line) in self.0.store.listed(&accounts, &writer.names()).await? {
            if writer.is_meant(&line) && said.get(&account) != Some(&Listed::Blocked) {
                said.insert(account, line.listed);
            }
        }
        Ok(said)
    }

    /// Whoever wrote this message is unwanted in that mailbox from now on: what he writes is Junk there; where nothing showed that it was
    /// he, only what is not shown to be his, either. Says who it is; the message stays where it is.
    ///
    /// # Errors
    /// `NoSuchMessage`, `NoSender`, `OwnSender`, `TooManySenders`, `Denied`.
    pub async fn block_sender(
        &self,
        actor: &Actor,
        held: i64,
    ) -> Result<(QuarantinedMessage, ListedLine), QuarantineError> {
        let message = self.quarantined_for(actor, Action::SendersChange, held).await?;
        let sender = message.author.clone().or_else(|| canonical(&message.sender));
        let sender = sender.ok_or(QuarantineError::NoSender)?;
        let line = ListedLine { sender, listed: Listed::Blocked, is_shown: message.is_shown };
        if let Ok(address) = line.sender.parse::<Address>()
            && self.is_local_domain(address.domain()).await?
        {
            return Err(QuarantineError::OwnSender(address));
        }
        let mut tx = self.0.store.begin().await?;
        self.list_sender(&mut tx, actor, &message, &line).await?;
        self.audit_listed(&mut tx, actor, &message, &line).await?;
        tx.commit().await?;
        Ok((self.with_term(message).await?, line))
    }

    /// The list of a mailbox, by sender.
    ///
    /// # Errors
    /// `NoSuchMailbox`, `Denied`.
    pub async fn listed_senders(
        &self,
        actor: &Actor,
        mailbox: &Address,
    ) -> Result<Vec<ListedSenderRow>, QuarantineError> {
        self.authorize(actor, Action::SendersList, &AdminTarget::Address(mailbox)).await?;
        Ok(self.0.store.listed_senders(self.party(mailbox).await?.account).await?)
    }

    /// Takes a sender off the list of a mailbox. False when he was not on it.
    ///
    /// # Errors
    /// `NoSuchMailbox`, `Denied`.
    pub async fn unlist_sender(
        &self,
        actor: &Actor,
        mailbox: &Address,
        sender: &Address,
    ) -> Result<bool, QuarantineError> {
        self.authorize(actor, Action::SendersChange, &AdminTarget::Address(mailbox)).await?;
        let party = self.party(mailbox).await?;
        let mut tx = self.0.store.begin().await?;
        if !tx.unlist_sender(party.account, &sender.to_string()).await? {
            return Ok(false);
        }
        let detail = json!({ "sender": sender.to_string(), "listed": null });
        let target = party.address.to_string();
        self.audit(&mut tx, actor, Action::SendersChange.as_str(), &target, &detail).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Puts whoever wrote it on the list of the mailbox it is for, and locks that.
    pub(crate) async fn list_sender(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        message: &QuarantinedRow,
        line: &ListedLine,
    ) -> Result<(), QuarantineError> {
        if !tx.list_sender(message.account, line, (actor.name(), LISTED_MAX), self.now()).await? {
            return Err(QuarantineError::TooManySenders);
        }
        Ok(())
    }

    /// Behind [`Engine::list_sender`], as the last of a transaction.
    pub(crate) async fn audit_listed(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        message: &QuarantinedRow,
        line: &ListedLine,
    ) -> Result<(), QuarantineError> {
        let detail = json!({ "sender": line.sender, "listed": line.listed.as_str(), "shown": line.is_shown,
                             "held": message.held });
        self.audit(tx, actor, Action::SendersChange.as_str(), &message.mailbox, &detail).await?;
        Ok(())
    }
}
