//! What tests need and the product must not carry: a Postgres database per test and the runner of protocol transcripts.
//!
//! Invariants: uses no crate of ours (a type would exist twice when a crate tests itself); is a dev-dependency only; opens
//! nothing but loopback and Unix sockets. The tidy test, which holds the style of the whole repository, is in `tests/`.

mod cluster;
mod database;
mod proxy;
pub mod transcript;

pub use database::{Held, OWNER_ROLE, SERVER_ROLE, TestDatabase, database, empty_database};
pub use proxy::FaultProxy;

/// The root of the checkout.
#[must_use]
pub fn workspace() -> &'static std::path::Path {
    let testkit = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    testkit.ancestors().nth(2).unwrap_or(testkit)
}
