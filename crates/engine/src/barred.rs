//! Log-ins with the right password that policy keeps out: for where they come from, or whose servers they are (requirements D7, B11;
//! docs/adr/0026-countries-of-log-ins.md).
//!
//! Invariants: a guesser learns nothing from one, as the doors answer it as they answer a wrong password, and it is the same work until
//! then; so whom it concerns is told behind the answer. It is on record as what it was.

use crate::{Engine, LoginError, Origin};
use model::Policy;
use std::sync::{Arc, Mutex, PoisonError};
use store::LoginRow;

/// Kept at once; further ones are on record alone. Only who has the right password makes one.
const BARRED_MAX: usize = 1_000;

/// Whom nobody was told of yet, in their order, the first of each mailbox and address.
#[derive(Debug, Default)]
pub(crate) struct Barred(Mutex<Vec<LogIn>>);

#[derive(Debug)]
struct LogIn {
    row: LoginRow,
    policy: Arc<Policy>,
    origin: Origin,
    client: Option<Box<str>>,
    why: LoginError,
}

impl Barred {
    fn add(&self, log_in: LogIn) {
        let is_same = |other: &LogIn| {
            (other.row.account, other.origin.remote) == (log_in.row.account, log_in.origin.remote)
        };
        let mut barred = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if barred.iter().any(is_same) {
            return;
        }
        if barred.len() == BARRED_MAX {
            tracing::warn!(account = %log_in.row.account, "too many log-ins were kept out: nobody is told of one");
            return;
        }
        barred.push(log_in);
    }

    fn take(&self) -> Vec<LogIn> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Engine {
    /// What keeps this log-in out, whatever its password.
    pub(crate) fn bar(
        &self,
        policy: &Policy,
        (origin, client): (&Origin, Option<&str>),
    ) -> Option<LoginError> {
        if self.is_barred_from(policy, origin.remote) {
            return Some(LoginError::CountryNotAllowed);
        }
        self.is_barred_by(policy, (origin, client)).then_some(LoginError::CloudNotAllowed)
    }

    /// Its password was right: [`Engine::tell_of_barred`] says so.
    pub(crate) fn keep_out(
        &self,
        why: LoginError,
        row: LoginRow,
        policy: Arc<Policy>,
        (origin, client): (&Origin, Option<&str>),
    ) {
        self.0.barred.add(LogIn { row, policy, origin: *origin, client: client.map(Box::from), why });
    }

    /// Whom they concern is told of the log-ins that were kept out since the last time.
    pub(crate) async fn tell_of_barred(&self) {
        for LogIn { row, policy, origin, client, why } in self.0.barred.take() {
            match why {
                LoginError::CloudNotAllowed => {
                    self.tell_of_client(&row, &policy, (&origin, client.as_deref())).await;
                }
                _ => self.tell_of_visit(&row, &policy, &origin).await,
            }
        }
    }
}
