//! Makes the two roles and gives them what they need, as far as the connected user may.
//!
//! Invariants: only what is missing is asked for, so a database prepared by an administrator needs no rights here; roles
//! belong to the whole cluster, so another database's migrator making the same role at the same moment is no error; when
//! something is not allowed, the error holds the exact SQL to run.

use super::{BECOME_OWNER, MigrateError};
use crate::endpoint::{OWNER_ROLE, SERVER_ROLE};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _};

const INSUFFICIENT_PRIVILEGE: &str = "42501";
const DUPLICATE_OBJECT: &str = "42710";
const UNIQUE_VIOLATION: &str = "23505";
/// "tuple concurrently updated": two sessions granted on the same object.
const INTERNAL_ERROR: &str = "XX000";
/// Times a statement is tried against others doing the same.
const ATTEMPTS: u32 = 5;

/// What is there already.
#[derive(Debug)]
struct State {
    user_name: String,
    owner_exists: bool,
    server_exists: bool,
    user_is_owner: bool,
    server_user_is_server: bool,
    owner_may_create: bool,
    server_may_use: bool,
    everybody_may_create: bool,
}

/// Prepares roles and schema, then acts as the owner. `server_user` is whom the pools log in as.
pub(super) async fn prepare(connection: &mut PgConnection, server_user: &str) -> Result<(), MigrateError> {
    let state = state(connection, server_user).await?;
    let needed = needed(&state, server_user);
    for statement in &needed {
        tolerant(connection, statement).await.map_err(|error| refusal(error, &state, &needed))?;
    }
    tolerant(connection, BECOME_OWNER).await.map_err(|error| {
        let grant = [format!("grant {OWNER_ROLE} to {};", quoted(&state.user_name))];
        refusal(error, &state, &grant)
    })
}

async fn state(connection: &mut PgConnection, server_user: &str) -> Result<State, sqlx::Error> {
    type Row = (String, bool, bool, bool, bool, bool, bool, bool);
    let row: Row = sqlx::query_as(
        "with o as (select oid from pg_roles where rolname = 'congthu_owner'),
              s as (select oid from pg_roles where rolname = 'congthu_server'),
              u as (select oid from pg_roles where rolname = $1)
         select session_user::text as user_name,
                exists (select from o) as owner_exists,
                exists (select from s) as server_exists,
                coalesce((select pg_has_role(session_user, oid, 'member') from o), false) as user_is_owner,
                coalesce((select pg_has_role(u.oid, s.oid, 'member') from s, u), false) as server_user_is_server,
                coalesce((select has_schema_privilege(oid, 'public', 'create') from o), false) as owner_may_create,
                coalesce((select has_schema_privilege(oid, 'public', 'usage') from s), false) as server_may_use,
                has_schema_privilege('public', 'public', 'create') as everybody_may_create",
    )
    .bind(server_user)
    .fetch_one(connection)
    .await?;
    Ok(State {
        user_name: row.0,
        owner_exists: row.1,
        server_exists: row.2,
        user_is_owner: row.3,
        server_user_is_server: row.4,
        owner_may_create: row.5,
        server_may_use: row.6,
        everybody_may_create: row.7,
    })
}

/// The statements that are still needed, in order.
fn needed(state: &State, server_user: &str) -> Vec<String> {
    let mut statements = Vec::new();
    if !state.owner_exists {
        statements.push(format!("create role {OWNER_ROLE};"));
    }
    if !state.server_exists {
        statements.push(format!("create role {SERVER_ROLE} login;"));
    }
    if !state.user_is_owner && state.user_name != OWNER_ROLE {
        statements.push(format!("grant {OWNER_ROLE} to {};", quoted(&state.user_name)));
    }
    if !state.server_user_is_server && server_user != SERVER_ROLE {
        statements.push(format!("grant {SERVER_ROLE} to {};", quoted(server_user)));
    }
    if !state.owner_may_create {
        statements.push(format!("grant usage, create on schema public to {OWNER_ROLE} with grant option;"));
    }
    if !state.server_may_use {
        statements.push(format!("grant usage on schema public to {SERVER_ROLE};"));
    }
    if state.everybody_may_create {
        statements.push("revoke create on schema public from public;".to_owned());
    }
    statements
}

async fn tolerant(connection: &mut PgConnection, statement: &str) -> Result<(), sqlx::Error> {
    let mut attempt = 1;
    loop {
        let Err(error) = connection.execute(AssertSqlSafe(statement.to_owned())).await else { return Ok(()) };
        match code(&error).as_deref() {
            Some(DUPLICATE_OBJECT | UNIQUE_VIOLATION) => return Ok(()),
            Some(INTERNAL_ERROR) if attempt < ATTEMPTS => attempt += 1,
            _ => return Err(error),
        }
    }
}

fn refusal(error: sqlx::Error, state: &State, needed: &[String]) -> MigrateError {
    if code(&error).as_deref() == Some(INSUFFICIENT_PRIVILEGE) {
        return MigrateError::Roles { user: state.user_name.clone(), sql: needed.join(" ") };
    }
    MigrateError::Database(error)
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(user_name: &str) -> State {
        State {
            user_name: user_name.to_owned(),
            owner_exists: true,
            server_exists: true,
            user_is_owner: true,
            server_user_is_server: true,
            owner_may_create: true,
            server_may_use: true,
            everybody_may_create: false,
        }
    }

    #[test]
    fn a_prepared_database_needs_nothing() {
        assert_eq!(needed(&prepared("u"), "u"), Vec::<String>::new());
        let state = State { user_is_owner: false, server_user_is_server: false, ..prepared(OWNER_ROLE) };
        assert_eq!(needed(&state, SERVER_ROLE), Vec::<String>::new());
    }

    #[test]
    fn names_are_quoted() {
        let state = State { user_is_owner: false, ..prepared("o\"; drop") };
        assert_eq!(needed(&state, "u"), ["grant congthu_owner to \"o\"\"; drop\";"]);
    }
}
