//! Tests that need a real Postgres.

mod embedded;
mod migrate;
mod unprivileged;
