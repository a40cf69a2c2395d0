//! Batches of a move: mailboxes get their new address, or the old one back.

use super::{Direction, MoveState, MoveStep, StepColumns, step};
use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::AccountId;

impl Store {
    /// Moves that somebody began and nobody ended, and those with owners who were not told.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unfinished_moves(&self) -> Result<Vec<(i64, bool)>, Error> {
        Ok(sqlx::query_as(
            "select m.move_id, m.state in ('undoing', 'undone') from moves m
              where m.state in ('running', 'undoing')
                 or exists (select from move_steps s join accounts a using (account_id)
                             where s.move_id = m.move_id and s.state = m.state and s.state in ('done', 'undone')
                               and not s.told and a.state <> 'deleted')
              order by m.move_id",
        )
        .fetch_all(&self.pools.main)
        .await?)
    }

    /// Mailboxes that have moved, or moved back, and whose owners were not told of that yet (by `move_steps_untold`).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untold_steps(
        &self,
        id: i64,
        direction: Direction,
        limit: u32,
    ) -> Result<Vec<MoveStep>, Error> {
        let rows: Vec<StepColumns> = sqlx::query_as(
            "select s.account_id, s.old, s.new, a.display_name, s.state
               from move_steps s join accounts a using (account_id)
              where s.move_id = $1 and s.state = $3 and s.state in ('done', 'undone') and not s.told
                and a.state <> 'deleted'
              order by s.account_id limit $2",
        )
        .bind(id)
        .bind(i64::from(limit))
        .bind(direction.ended())
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter().map(step).collect()
    }

    /// # Errors
    /// When the database fails.
    pub async fn steps_told(
        &self,
        id: i64,
        direction: Direction,
        accounts: &[AccountId],
    ) -> Result<(), Error> {
        let ids: Vec<i64> = accounts.iter().map(|account| account.0).collect();
        sqlx::query(
            "update move_steps set told = true where move_id = $1 and account_id = any ($2) and state = $3",
        )
        .bind(id)
        .bind(ids)
        .bind(direction.ended())
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }
}

impl Tx {
    /// Does up to `limit` steps, or takes them back; says whose. Nothing left to do: none. A mailbox that is gone is
    /// skipped. `None`: the move is not, or no longer, on that way.
    ///
    /// # Errors
    /// `Conflict` when an address was given to somebody else since the plan; nothing is done then.
    pub async fn do_steps(
        &mut self,
        id: i64,
        direction: Direction,
        limit: u32,
        now: Timestamp,
    ) -> Result<Option<Vec<AccountId>>, Error> {
        let (on_way, waiting) = match direction {
            Direction::Forth => (MoveState::Running, "pending"),
            Direction::Back => (MoveState::Undoing, "done"),
        };
        let state: Option<String> =
            sqlx::query_scalar("select state from moves where move_id = $1 for share")
                .bind(id)
                .fetch_optional(&mut *self.inner)
                .await?;
        if state.as_deref() != Some(on_way.as_str()) {
            return Ok(None);
        }
        let taken: Vec<i64> = sqlx::query_scalar(
            "select account_id from move_steps where move_id = $1 and state = $2 and new is not null
              order by account_id limit $3 for update",
        )
        .bind(id)
        .bind(waiting)
        .bind(i64::from(limit))
        .fetch_all(&mut *self.inner)
        .await?;
        // Held, so that none is deleted meanwhile; those that are gone have no row.
        let there: Vec<i64> = sqlx::query_scalar(
            "select account_id from counters where account_id = any ($1) order by account_id for no key update",
        )
        .bind(&taken)
        .fetch_all(&mut *self.inner)
        .await?;
        self.swap_addresses(id, direction, &there, now).await?;
        sqlx::query(
            // Of what has become of his address, each is told anew.
            "update move_steps set state = case when account_id = any ($3) then $4 else 'skipped' end, told = false
              where move_id = $1 and account_id = any ($2)",
        )
        .bind(id)
        .bind(&taken)
        .bind(&there)
        .bind(direction.ended())
        .execute(&mut *self.inner)
        .await?;
        Ok(Some(taken.into_iter().map(AccountId).collect()))
    }

    async fn swap_addresses(
        &mut self,
        id: i64,
        direction: Direction,
        accounts: &[i64],
        now: Timestamp,
    ) -> Result<(), Error> {
        let back = direction == Direction::Back;
        sqlx::query(
            // What was an alias before the move goes on for as long as it would have.
            "update addresses g
                set kind = 'alias', until = case when $3 and g.created_at < m.started_at then null else m.alias_until end
               from moves m where m.move_id = $1 and g.account_id = any ($2) and g.kind = 'primary'",
        )
        .bind(id)
        .bind(accounts)
        .bind(back)
        .execute(&mut *self.inner)
        .await?;
        let named = sqlx::query(
            "insert into addresses as g (address, account_id, kind, created_at)
             select case when $3 then s.old else s.new end, s.account_id, 'primary', $4
               from move_steps s where s.move_id = $1 and s.account_id = any ($2)
             on conflict (address) do update set kind = 'primary', until = null, retired_at = null
              where g.account_id = excluded.account_id",
        )
        .bind(id)
        .bind(accounts)
        .bind(back)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        if named.rows_affected() != accounts.len() as u64 {
            return Err(Error::Conflict);
        }
        sqlx::query(
            // The term of a password is that of the domain: where it is shorter, it begins with the move.
            "update accounts a set domain_id = case when $3 then m.from_domain else m.to_domain end, password_set_at = $4
               from moves m where m.move_id = $1 and a.account_id = any ($2)",
        )
        .bind(id)
        .bind(accounts)
        .bind(back)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
