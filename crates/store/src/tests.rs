//! Tests that need a real Postgres.

mod accept;
mod appended;
mod chunks;
mod embedded;
mod entries;
mod first_contacts;
mod lessons;
mod mailboxes;
mod migrate;
mod quarantined;
mod queue;
mod schema;
mod sieve;
mod small;
mod sweeper;
mod tls;
mod unprivileged;
mod visits;
mod world;
