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

impl Tx {
    /// The numbers of `keywords`; unknown ones are added when `add`, passed over otherwise. The mailbox is locked.
    ///
    /// # Errors
    /// `keywords_id_check` when the mailbox has used too many.
    pub async fn keyword_ids(
        &mut self,
        account: AccountId,
        keywords: &[Keyword],
        add: bool,
    ) -> Result<Vec<i16>, Error> {
        let mut ids = Vec::with_capacity(keywords.len());
        for keyword in keywords {
            let known: Option<i16> = sqlx::query_scalar(
                "select keyword_id from keywords where account_id = $1 and lower(name) = lower($2)",
            )
            .bind(account.0)
            .bind(keyword.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
            match known {
                Some(id) => ids.push(id),
                None if add => ids.push(self.insert_keyword(account, keyword).await?),
                None => {}
            }
        }
        Ok(ids)
    }

    async fn insert_keyword(&mut self, account: AccountId, keyword: &Keyword) -> Result<i16, Error> {
        Ok(sqlx::query_scalar(
            "insert into keywords (account_id, keyword_id, name)
             select $1, coalesce(max(keyword_id), 0) + 1, $2 from keywords where account_id = $1
             returning keyword_id",
        )
        .bind(account.0)
        .bind(keyword.as_str())
        .fetch_one(&mut *self.inner)
        .await?)
    }
}
