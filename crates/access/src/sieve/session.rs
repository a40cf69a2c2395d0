//! What a connection knows: who is there, and the system behind it.

use super::wire::Wire;
use crate::service::Opened;
use engine::{Engine, Origin, Principal};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) wire: Wire,
    pub(crate) engine: Engine,
    pub(crate) origin: Origin,
    pub(crate) encrypted: bool,
    /// Set where STARTTLS is possible: the connection is plain and there is a certificate.
    pub(crate) starttls: Option<Arc<rustls::ServerConfig>>,
    pub(crate) state: State,
}

/// RFC 5804 2: a client is nobody, or somebody for the rest of the connection.
#[derive(Debug)]
pub(crate) enum State {
    Fresh { failed_logins: u32 },
    Known(Principal),
}

impl Door {
    /// Before anything was said.
    pub(crate) fn new(opened: Opened) -> Self {
        let Opened { socket, engine, origin, encrypted, starttls } = opened;
        let state = State::Fresh { failed_logins: 0 };
        Self { wire: Wire::new(socket), engine, origin, encrypted, starttls, state }
    }

    /// Whoever has logged in.
    pub(crate) fn who(&self) -> Option<&Principal> {
        match &self.state {
            State::Fresh { .. } => None,
            State::Known(who) => Some(who),
        }
    }
}
