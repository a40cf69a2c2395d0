//! Keywords of a mailbox: small numbers in entries, names here.

use crate::{Error, Store, Tx};
use model::{AccountId, Keyword};

/// A keyword a mailbox has used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeywordRow {
    pub keyword_id: i16,
    pub name: String,
}

impl Store {
    /// # Errors
    /// When the database fails.
    pub async fn keywords(&self, account: AccountId) -> Result<Vec<KeywordRow>, Error> {
        let rows: Vec<(i16, String)> =
            sqlx::query_as("select keyword_id, name from keywords where account_id = $1 order by keyword_id")
                .bind(account.0)
                .fetch_all(&self.pools.main)
                .await?;
        Ok(rows.into_iter().map(|(keyword_id, name)| KeywordRow { keyword_id, name }).collect())
    }
}

/// Numbers a mailbox has for keywords (`keywords_id_check`).
const KEYWORD_IDS_MAX: i16 = 250;

impl Tx {
    /// The numbers of `keywords`, ascending, each once; unknown ones are added when `add`, passed over otherwise. The
    /// mailbox is locked. When there is no number left, those that no entry has are given out again: whoever changes an
    /// entry's keywords must do so in this transaction, and whoever shows them must read names anew with each change.
    ///
    /// # Errors
    /// `keywords_id_check` when the mailbox uses too many.
    pub async fn keyword_ids(
        &mut self,
        account: AccountId,
        keywords: &[Keyword],
        add: bool,
    ) -> Result<Vec<i16>, Error> {
        let mut ids = Vec::with_capacity(keywords.len());
        let mut unknown = Vec::new();
        for keyword in keywords {
            match self.keyword_id(account, keyword).await? {
                Some(id) => ids.push(id),
                None => unknown.push(keyword),
            }
        }
        for keyword in unknown.into_iter().filter(|_| add) {
            // Twice in the list, or added meanwhile by this very loop in another case.
            let id = match self.keyword_id(account, keyword).await? {
                Some(id) => id,
                None => self.insert_keyword(account, keyword, &ids).await?,
            };
            ids.push(id);
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    async fn keyword_id(&mut self, account: AccountId, keyword: &Keyword) -> Result<Option<i16>, Error> {
        Ok(sqlx::query_scalar(
            "select keyword_id from keywords where account_id = $1 and lower(name) = lower($2)",
        )
        .bind(account.0)
        .bind(keyword.as_str())
        .fetch_optional(&mut *self.inner)
        .await?)
    }

    async fn insert_keyword(
        &mut self,
        account: AccountId,
        keyword: &Keyword,
        keep: &[i16],
    ) -> Result<i16, Error> {
        let mut free = self.free_keyword_id(account).await?;
        if free.is_none() {
            self.forget_unused_keywords(account, keep).await?;
            free = self.free_keyword_id(account).await?;
        }
        Ok(sqlx::query_scalar(
            "insert into keywords (account_id, keyword_id, name) values ($1, $2, $3) returning keyword_id",
        )
        .bind(account.0)
        .bind(free.unwrap_or(KEYWORD_IDS_MAX + 1))
        .bind(keyword.as_str())
        .fetch_one(&mut *self.inner)
        .await?)
    }

    async fn free_keyword_id(&mut self, account: AccountId) -> Result<Option<i16>, Error> {
        Ok(sqlx::query_scalar(
            "select id::smallint from generate_series(1, $2::integer) as id
              where not exists (select from keywords where account_id = $1 and keyword_id = id)
              order by id limit 1",
        )
        .bind(account.0)
        .bind(i32::from(KEYWORD_IDS_MAX))
        .fetch_optional(&mut *self.inner)
        .await?)
    }

    /// Reads every entry of the mailbox, so only when there is no number left.
    async fn forget_unused_keywords(&mut self, account: AccountId, keep: &[i16]) -> Result<(), Error> {
        sqlx::query(
            "with used as materialized (
                 select distinct unnest(keywords) as id from entries where account_id = $1 and keywords <> '{}'
             )
             delete from keywords
              where account_id = $1 and keyword_id <> all ($2) and keyword_id not in (select id from used)",
        )
        .bind(account.0)
        .bind(keep)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
