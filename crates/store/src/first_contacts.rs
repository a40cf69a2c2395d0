//! Senders who are here for the first time (greylisting), and those who came back.
//!
//! Invariants: one statement for each message; no more rows than there are places, whoever fills them; a row is written for a first
//! contact, when somebody comes back, and once a day for those who are known; nothing here is waited for on the disk: what a crash of the
//! machine forgets is asked to come once more.

use crate::{Error, Store};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use model::AccountId;

/// Places that there are: half for those who try, half for those who came back.
pub const CONTACT_PLACES: u32 = 1 << 22;
/// Places looked at in one statement of the nightly job.
const SWEPT_AT_ONCE: u32 = 1 << 16;
/// $1: the sender's place. $2: those of the tries. $3: the correspondent. $4: now. $5, $6: until when a try, and who came back, are kept.
/// $7: who tried first then or before has waited. $8: who is known until before then is written down again. $9: the mailboxes it is for.
pub(crate) const FIRST_CONTACT: &str = "with known as (
     select until from first_contacts where place = $1 and until > $4
     union all
     select null from correspondents where account_id = any ($9) and address_key = $3
     limit 1
 ), tried as (
     select count(*) as places, max(first_at) as first_at from first_contacts where place = any ($2) and until > $4
 ), noted as (
     insert into first_contacts as f (place, first_at, until)
     select t.place, $4, $5 from unnest($2::integer[]) as t (place) where not exists (select from known)
     on conflict (place) do update set first_at = excluded.first_at, until = excluded.until where f.until <= $4
 ), came_back as (
     insert into first_contacts as f (place, first_at, until)
     select $1, $4, $6 from tried
      where places = cardinality($2) and first_at <= $7 and not exists (select from known)
     on conflict (place) do update set first_at = excluded.first_at, until = excluded.until
 ), renewed as (
     update first_contacts set until = $6 where place = $1 and until > $4 and until < $8
 )
 select exists (select from known), case when places = cardinality($2) then first_at end from tried";
/// $1, $2: from and to which place. $3: now.
pub(crate) const FORGET: &str = "delete from first_contacts where place >= $1 and place < $2 and until <= $3";

/// Who tries to send mail here.
#[derive(Clone, Debug)]
pub struct FirstContact {
    /// Of his network and the sender's domain; odd, below [`CONTACT_PLACES`].
    pub sender: u32,
    /// Of these and each recipient; even, below [`CONTACT_PLACES`].
    pub tries: Vec<u32>,
    /// The sender's address, as mailboxes have it that wrote to him; `None`: the null reverse-path.
    pub correspondent: Option<i64>,
    /// The mailboxes that he names: of no other is it looked at whom it wrote to, or strangers could ask for it.
    pub mailboxes: Vec<AccountId>,
}

/// How long what is kept counts.
#[derive(Clone, Copy, Debug)]
pub struct ContactTerms {
    /// Who comes back before is not yet known by it.
    pub delay: SignedDuration,
    /// Who comes back later comes for the first time.
    pub retry_max: SignedDuration,
    /// Who came back is known for so long since his last mail.
    pub known_for: SignedDuration,
}

impl Store {
    /// When he tried for the first time, `now` where this is it; `None`: he is known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn first_contact(
        &self,
        contact: &FirstContact,
        terms: ContactTerms,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let after = |term: SignedDuration| now.saturating_add(term).unwrap_or(Timestamp::MAX);
        let before = |term: SignedDuration| now.saturating_sub(term).unwrap_or(Timestamp::MIN);
        let mut tries: Vec<i32> = contact.tries.iter().map(|place| column(*place)).collect();
        tries.sort_unstable();
        tries.dedup();
        let row: (bool, Option<jiff_sqlx::Timestamp>) = sqlx::query_as(FIRST_CONTACT)
            .bind(column(contact.sender))
            .bind(tries)
            .bind(contact.correspondent)
            .bind(now.to_sqlx())
            .bind(after(terms.retry_max).to_sqlx())
            .bind(after(terms.known_for).to_sqlx())
            .bind(before(terms.delay).to_sqlx())
            .bind(after(terms.known_for.saturating_sub(SignedDuration::from_hours(24))).to_sqlx())
            .bind(contact.mailboxes.iter().map(|account| account.0).collect::<Vec<i64>>())
            .fetch_one(&self.pools.chunks)
            .await?;
        Ok(match row {
            (true, _) => None,
            (false, first) => Some(first.map_or(now, jiff_sqlx::Timestamp::to_jiff)),
        })
    }

    /// Forgets what says nothing any more; says how many there were. Place by place, as nothing but the key is indexed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_first_contacts(&self, now: Timestamp) -> Result<u64, Error> {
        let mut all = 0;
        for from in (0..CONTACT_PLACES).step_by(SWEPT_AT_ONCE as usize) {
            let done = sqlx::query(FORGET)
                .bind(column(from))
                .bind(column(from + SWEPT_AT_ONCE))
                .bind(now.to_sqlx())
                .execute(&self.pools.chunks)
                .await?;
            all += done.rows_affected();
        }
        Ok(all)
    }
}

fn column(place: u32) -> i32 {
    i32::try_from(place).unwrap_or(i32::MAX)
}
