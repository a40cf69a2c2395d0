//! Who somebody is: the principal that every call acts for, once he is logged in, and whether his rights still hold.

use crate::others::Delegated;
use crate::{Engine, Error, FolderView};
use model::{AccountId, Address, TraceId};
use std::net::IpAddr;
use std::sync::Arc;
use store::LoginRow;

/// By which door somebody came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Smtp,
    Submission,
    Lmtp,
    Imap,
    /// ManageSieve.
    Sieve,
    Http,
    Console,
}

impl Protocol {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Lmtp => "lmtp",
            Self::Imap => "imap",
            Self::Sieve => "sieve",
            Self::Http => "http",
            Self::Console => "console",
        }
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    pub trace: TraceId,
    pub remote: IpAddr,
    pub protocol: Protocol,
}

impl Origin {
    /// The id that ties log lines and events together.
    #[must_use]
    pub fn trace_text(&self) -> String {
        format!("{:016x}", self.trace.0)
    }
}

/// Somebody who logged in, or somebody who did in another's mailbox that he has rights to. Only [`Engine::log_in`] makes the
/// one, only [`Engine::reach`] and [`Engine::listing`] the other.
#[derive(Clone, Debug)]
pub struct Principal {
    account: AccountId,
    address: Address,
    security_epoch: i64,
    /// `None`: it is his own.
    delegated: Option<Arc<Delegated>>,
}

impl Principal {
    /// Whoever may come in to his own.
    pub(crate) fn of(row: LoginRow) -> Self {
        Self {
            account: row.account,
            address: row.primary,
            security_epoch: row.security_epoch,
            delegated: None,
        }
    }

    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn security_epoch(&self) -> i64 {
        self.security_epoch
    }

    pub(crate) fn delegated(&self) -> Option<&Delegated> {
        self.delegated.as_deref()
    }

    /// Whoever acts, in the mailbox of `held`.
    pub(crate) fn in_mailbox(&self, held: store::HeldRow) -> Self {
        let by = self.own().clone();
        let delegated = Delegated { delegation: held.delegation, rights: held.rights, by };
        Self {
            account: held.mailbox,
            address: held.address,
            security_epoch: held.mailbox_epoch,
            delegated: Some(Arc::new(delegated)),
        }
    }
}

/// Why somebody may not come in. Front doors say the same for `Denied` whether or not the mailbox exists, and for whatever is
/// [`LoginError::is_hidden`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    #[error("wrong address or password")]
    Denied,
    #[error("the mailbox is locked")]
    Locked,
    #[error("the password must be changed first")]
    PasswordChangeRequired,
    /// Nobody used it in its days: a new one is to be asked for.
    #[error("the one-time password is no longer valid")]
    OneTimePasswordOver,
    /// It was the right password, and policy lets nobody in from there.
    #[error("log-ins from this country are not allowed")]
    CountryNotAllowed,
    /// It was the right password, and servers of the mail program's maker had it.
    #[error("log-ins through servers of the mail program's maker are not allowed")]
    CloudNotAllowed,
    #[error("too many failed attempts from this address")]
    TooManyAttempts,
    #[error("the mail store is unavailable")]
    Unavailable,
}

impl LoginError {
    pub const ALL: [Self; 8] = [
        Self::Denied,
        Self::Locked,
        Self::PasswordChangeRequired,
        Self::OneTimePasswordOver,
        Self::CountryNotAllowed,
        Self::CloudNotAllowed,
        Self::TooManyAttempts,
        Self::Unavailable,
    ];

    /// It is told to whom it concerns, and answered as a wrong password: who guesses from where he could not come in anyway must not
    /// learn that he has found it.
    #[must_use]
    pub const fn is_hidden(self) -> bool {
        matches!(self, Self::CountryNotAllowed | Self::CloudNotAllowed)
    }

    /// For people to read.
    #[must_use]
    pub const fn vietnamese(self) -> &'static str {
        match self {
            Self::Denied => "sai địa chỉ hoặc mật khẩu",
            Self::Locked => "hộp thư đang bị khóa",
            Self::PasswordChangeRequired => "phải đổi mật khẩu trước",
            Self::OneTimePasswordOver => "mật khẩu cấp một lần đã hết hạn",
            Self::CountryNotAllowed => "không được phép đăng nhập từ quốc gia này",
            Self::CloudNotAllowed => "không được phép đăng nhập qua máy chủ của hãng phần mềm thư",
            Self::TooManyAttempts => "thử sai quá nhiều lần từ địa chỉ này",
            Self::Unavailable => "kho thư không truy cập được",
        }
    }
}

impl Engine {
    /// The folder's row, if it is this principal's and the rights still hold.
    pub(crate) async fn standing_folder(
        &self,
        who: &Principal,
        folder: model::FolderId,
    ) -> Result<store::FolderRow, Error> {
        match self.0.store.folder_standing(who.account, folder).await? {
            Some((row, standing)) => {
                self.check_rights(who, standing).await?;
                Ok(row)
            }
            None => Err(self.why_gone(who).await?),
        }
    }

    /// A folder that is not there: was it the folder that went, or the right to look?
    async fn why_gone(&self, who: &Principal) -> Result<Error, Error> {
        let Some(standing) = self.0.store.standing(who.account).await? else { return Ok(Error::Revoked) };
        Ok(self.check_rights(who, standing).await.err().unwrap_or(Error::NotFound))
    }

    /// Are the rights, and the delegation where it is another's mailbox, those of the log-in, seen that the mailbox's
    /// standing is this now?
    pub(crate) async fn check_rights(&self, who: &Principal, now: store::Standing) -> Result<(), Error> {
        if now.security_epoch != who.security_epoch() {
            return Err(Error::Revoked);
        }
        match who.delegated() {
            None => Ok(()),
            Some(delegated) => self.check_delegation(delegated).await,
        }
    }

    /// May `who` go on with a view that he was given? Where the mailbox is another's it is asked each time: a command may
    /// run for long, and what was lent may be taken back while it does. The doors hear themselves when one's own rights end.
    pub(crate) async fn check_view(&self, who: &Principal, view: &FolderView) -> Result<(), Error> {
        if view.owner() != who.account() {
            return Err(Error::NotFound);
        }
        self.check_lent(who).await
    }

    /// Do the rights to another's mailbox still hold? Nothing is asked where it is one's own.
    ///
    /// # Errors
    /// `Revoked` when not.
    pub async fn check_lent(&self, who: &Principal) -> Result<(), Error> {
        match who.delegated() {
            Some(_) => self.check_standing(who).await,
            None => Ok(()),
        }
    }

    /// Do this principal's rights still hold?
    ///
    /// # Errors
    /// `Revoked` when not.
    pub async fn check_standing(&self, who: &Principal) -> Result<(), Error> {
        match self.why_gone(who).await? {
            Error::NotFound => Ok(()),
            error => Err(error),
        }
    }
}
