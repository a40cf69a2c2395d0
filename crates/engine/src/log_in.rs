//! Logging in: the one way past the doors, by whichever somebody comes.
//!
//! Invariants: the work is the same whether the mailbox exists or not, and for whoever is kept out ([`crate::barred`]) whatever his
//! password; what is said of its standing is said behind the right password only; every try counts for the back-off ([`crate::throttle`]) and is on record, and none fails because it could not be noted.

use crate::throttle::Attempt;
use crate::{Engine, LoginError, Origin, Principal, figures, passwords};
use model::calendar::local_date;
use model::{AccountId, AccountState, Address, Policy};
use std::net::IpAddr;
use std::sync::Arc;
use store::{Event, LoginRow};

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
        self.log_in_by(login, password, (origin, None)).await
    }

    /// As [`Engine::log_in`], of a client that said what it is.
    ///
    /// # Errors
    /// As [`Engine::log_in`].
    pub async fn log_in_by(
        &self,
        login: &str,
        password: &str,
        (origin, client): (&Origin, Option<&str>),
    ) -> Result<Principal, LoginError> {
        let result = async {
            let attempt = self.begin_log_in(login, origin).await?;
            let (account, result) = match self.check_login(login, password, (origin, client)).await {
                Ok((row, policy)) => (Some(row.account), self.admit(row, &policy, (origin, client)).await),
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
            let result = match self.check_login(login, password, (origin, None)).await {
                Ok((row, policy)) => {
                    self.tell_of_visit(&row, &policy, origin).await;
                    Ok(row)
                }
                Err(refused) => Err(refused),
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
        if error.is_some_and(|error| *error == LoginError::Denied || error.is_hidden()) {
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

    /// Is it the right password of a mailbox that may be logged in to, and by this log-in?
    async fn check_login(
        &self,
        login: &str,
        password: &str,
        by: (&Origin, Option<&str>),
    ) -> Result<(LoginRow, Arc<Policy>), Refused> {
        let unavailable = |error: crate::Error| {
            tracing::error!(%error, "a log-in could not be checked");
            Refused { error: LoginError::Unavailable, account: None }
        };
        let found = self.row_of(login).await.map_err(|error| unavailable(error.into()))?;
        let found = match found {
            Some(row) => {
                let policy = self.policy_of(row.domain).await.map_err(unavailable)?;
                Some((row, policy))
            }
            None => None,
        };
        let bar = found.as_ref().and_then(|(_, policy)| self.bar(policy, by));
        let stored = found.as_ref().and_then(|(row, _)| row.password_hash.as_deref());
        let account = found.as_ref().map(|(row, _)| row.account);
        // Of who is kept out nothing is remembered: he would hear from an answer that comes at once that it was the right one.
        let remembered = bar.is_none().then(|| self.now());
        let right = self.0.passwords.verify(account, stored, password, remembered).await;
        let refused = |error| Refused { error, account };
        let Some((row, policy)) = found.filter(|_| right) else { return Err(refused(LoginError::Denied)) };
        // Before all that is said of its standing.
        if let Some(why) = bar {
            self.keep_out(why, row, policy, by);
            return Err(refused(why));
        }
        if !row.state.may_log_in() {
            return Err(refused(LoginError::Locked));
        }
        if row.one_time_until.is_some_and(|until| until <= self.now()) {
            return Err(refused(LoginError::OneTimePasswordOver));
        }
        Ok((row, policy))
    }

    /// Lets somebody in whose password was right, unless it has to be changed (B2, B3).
    async fn admit(
        &self,
        row: LoginRow,
        policy: &Policy,
        (origin, client): (&Origin, Option<&str>),
    ) -> Result<Principal, LoginError> {
        let (set_on, today) = (local_date(row.password_set_at), local_date(self.now()));
        if row.password_change || passwords::rules(policy).is_expired(set_on, today) {
            return Err(LoginError::PasswordChangeRequired);
        }
        self.tell_of_client(&row, policy, (origin, client)).await;
        self.tell_of_visit(&row, policy, origin).await;
        if row.state == AccountState::New
            && let Err(error) = self.0.store.activate(row.account, self.now()).await
        {
            tracing::warn!(%error, "a new mailbox could not be marked active");
        }
        Ok(Principal::of(row))
    }

    /// Evidence, not a condition: a log-in does not fail because it could not be noted. The status is the door, as [`Engine::door_of`]
    /// writes it, and behind a colon why it was refused; the account is also that of a mailbox whose password was guessed at.
    pub(crate) async fn note_login(
        &self,
        account: Option<AccountId>,
        refusal: Option<&LoginError>,
        origin: &Origin,
    ) {
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

    /// Evidence that a client showed a certificate that its listener believes. Its connection is the one of `origin`, as are the log-ins
    /// that it brings.
    pub async fn note_certificate(&self, origin: &Origin, certificate: &[u8]) {
        let name = guard::certificate_name(certificate);
        let status = format!("{}: {name}", self.door_of(origin));
        tracing::info!(name, "a client has shown its certificate");
        let event = Event {
            at: self.now(),
            kind: "client_certificate",
            trace: &origin.trace_text(),
            account: None,
            remote: Some(&origin.remote.to_canonical().to_string()),
            sender: None,
            size: None,
            status: Some(&status),
            about: None,
        };
        if let Err(error) = self.0.store.note(&event).await {
            tracing::warn!(%error, "a client's certificate could not be noted");
        }
    }
}
