//! Who somebody is: log-in, and the principal every later call acts for.

use crate::others::Delegated;
use crate::throttle::Attempt;
use crate::{Engine, Error, FolderView, figures, passwords};
use model::calendar::local_date;
use model::{AccountId, AccountState, Address, TraceId};
use std::net::IpAddr;
use std::sync::Arc;
use store::{Event, LoginRow};

/// By which door somebody came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Smtp,
    Submission,
    Lmtp,
    Imap,
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

/// Why somebody may not come in. Front doors say the same for `Denied` whether or not the mailbox exists.
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
    #[error("too many failed attempts from this address")]
    TooManyAttempts,
    #[error("the mail store is unavailable")]
    Unavailable,
}

impl LoginError {
    pub const ALL: [Self; 7] = [
        Self::Denied,
        Self::Locked,
        Self::PasswordChangeRequired,
        Self::OneTimePasswordOver,
        Self::CountryNotAllowed,
        Self::TooManyAttempts,
        Self::Unavailable,
    ];

    /// For people to read.
    #[must_use]
    pub const fn vietnamese(self) -> &'static str {
        match self {
            Self::Denied => "sai địa chỉ hoặc mật khẩu",
            Self::Locked => "hộp thư đang bị khóa",
            Self::PasswordChangeRequired => "phải đổi mật khẩu trước",
            Self::OneTimePasswordOver => "mật khẩu cấp một lần đã hết hạn",
            Self::CountryNotAllowed => "không được phép đăng nhập từ quốc gia này",
            Self::TooManyAttempts => "thử sai quá nhiều lần từ địa chỉ này",
            Self::Unavailable => "kho thư không truy cập được",
        }
    }
}

/// A log-in that was refused, and the mailbox that was meant, if there is one: for the evidence, and nothing that a stranger is told.
struct Refused {
    error: LoginError,
    account: Option<AccountId>,
}

impl Engine {
    /// `login` is an address of the mailbox, an alias too. The work is the same whether the mailbox exists or not.
    ///
    /// # Errors
    /// See [`LoginError`]; what is said of the mailbox's standing only after the right password.
    pub async fn log_in(
        &self,
        login: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<Principal, LoginError> {
        let result = async {
            let attempt = self.begin_log_in(login, origin).await?;
            let (account, result) = match self.check_login(login, password).await {
                Ok(row) => (Some(row.account), self.admit(row, origin).await),
                Err(refused) => (refused.account, Err(refused.error)),
            };
            self.end_log_in(attempt, password, result.as_ref().err());
            self.note_login(account, result.as_ref().err(), origin).await;
            result
        }
        .await;
        figures::login(result.as_ref().err(), origin.protocol);
        result
    }

    /// For somebody who can only change the password: it may be one that has to be.
    pub(crate) async fn log_in_to_change(
        &self,
        login: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<LoginRow, LoginError> {
        let result = async {
            let attempt = self.begin_log_in(login, origin).await?;
            let result = match self.check_login(login, password).await {
                Ok(row) => self.admit_to_change(row, origin).await,
                refused => refused,
            };
            self.end_log_in(attempt, password, result.as_ref().err().map(|refused| &refused.error));
            // Whose password was right is noted with the change.
            if let Err(refused) = &result {
                self.note_login(refused.account, Some(&refused.error), origin).await;
            }
            result.map_err(|refused| refused.error)
        }
        .await;
        figures::login(result.as_ref().err(), origin.protocol);
        result
    }

    /// Limits per address do not apply to it.
    #[must_use]
    pub fn is_exempt(&self, remote: IpAddr) -> bool {
        self.0.settings.exempt_networks.iter().any(|network| network.contains(remote))
    }

    async fn begin_log_in(&self, login: &str, origin: &Origin) -> Result<Option<Attempt>, LoginError> {
        if self.is_exempt(origin.remote) {
            return Ok(None);
        }
        match self.0.throttle.begin(origin.remote, login, self.now()) {
            Ok(attempt) => Ok(Some(attempt)),
            Err(too_many) => {
                // Only the first, behind dozens that were heard: a stranger could write such events without end.
                if too_many.is_first {
                    let meant = self.row_of(login).await.ok().flatten().map(|row| row.account);
                    self.note_login(meant, Some(&LoginError::TooManyAttempts), origin).await;
                }
                Err(LoginError::TooManyAttempts)
            }
        }
    }

    fn end_log_in(&self, attempt: Option<Attempt>, password: &str, error: Option<&LoginError>) {
        let Some(attempt) = attempt else { return };
        if error == Some(&LoginError::Denied) {
            return self.0.throttle.denied(&attempt, self.0.passwords.mark(password));
        }
        self.0.throttle.take_back(&attempt);
        if error.is_none() {
            self.0.throttle.know(&attempt);
        }
    }

    /// The mailbox that has this address, an alias too.
    async fn row_of(&self, login: &str) -> Result<Option<LoginRow>, store::Error> {
        let Ok(address) = login.parse::<Address>() else { return Ok(None) };
        self.0.store.login(&address).await
    }

    /// Is it the right password of a mailbox that may be logged in to?
    async fn check_login(&self, login: &str, password: &str) -> Result<LoginRow, Refused> {
        let found = self.row_of(login).await.map_err(|error| {
            tracing::error!(%error, "a log-in could not be checked");
            Refused { error: LoginError::Unavailable, account: None }
        })?;
        let stored = found.as_ref().and_then(|row| row.password_hash.as_deref());
        let account = found.as_ref().map(|row| row.account);
        let right = self.0.passwords.verify(account, stored, password, self.now()).await;
        let refused = |error| Refused { error, account };
        let Some(row) = found.filter(|_| right) else { return Err(refused(LoginError::Denied)) };
        if !row.state.may_log_in() {
            return Err(refused(LoginError::Locked));
        }
        if row.one_time_until.is_some_and(|until| until <= self.now()) {
            return Err(refused(LoginError::OneTimePasswordOver));
        }
        Ok(row)
    }

    /// Lets somebody in whose password was right, unless it has to be changed (B2, B3).
    async fn admit(&self, row: LoginRow, origin: &Origin) -> Result<Principal, LoginError> {
        let policy = self.policy_of(row.domain).await.map_err(|_| LoginError::Unavailable)?;
        let (set_on, today) = (local_date(row.password_set_at), local_date(self.now()));
        if row.password_change || passwords::rules(&policy).is_expired(set_on, today) {
            return Err(LoginError::PasswordChangeRequired);
        }
        self.admit_from(&row, &policy, origin).await?;
        if row.state == AccountState::New
            && let Err(error) = self.0.store.activate(row.account, self.now()).await
        {
            tracing::warn!(%error, "a new mailbox could not be marked active");
        }
        Ok(Principal {
            account: row.account,
            address: row.primary,
            security_epoch: row.security_epoch,
            delegated: None,
        })
    }

    /// As [`Engine::admit`], of somebody who changes the password that he has to.
    async fn admit_to_change(&self, row: LoginRow, origin: &Origin) -> Result<LoginRow, Refused> {
        let refused = |error| Refused { error, account: Some(row.account) };
        let policy = self.policy_of(row.domain).await.map_err(|_| refused(LoginError::Unavailable))?;
        self.admit_from(&row, &policy, origin).await.map_err(refused)?;
        Ok(row)
    }

    /// Evidence, not a condition: a log-in does not fail because it could not be noted. The status is the door, as [`Engine::door_of`]
    /// writes it, and behind a colon why it was refused; the account is also that of a mailbox whose password was guessed at.
    async fn note_login(&self, account: Option<AccountId>, refusal: Option<&LoginError>, origin: &Origin) {
        let door = self.door_of(origin);
        let status = refusal.map_or_else(|| door.clone(), |refusal| format!("{door}: {refusal}"));
        let event = Event {
            at: self.now(),
            kind: if refusal.is_none() { "login" } else { "login_refused" },
            trace: &origin.trace_text(),
            account,
            remote: Some(&origin.remote.to_canonical().to_string()),
            sender: None,
            size: None,
            status: Some(&status),
            about: None,
        };
        if let Err(error) = self.0.store.note(&event).await {
            tracing::warn!(%error, "a log-in could not be noted");
        }
    }

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
