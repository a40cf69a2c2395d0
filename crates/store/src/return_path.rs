//! The secret of this system's return paths, made once for all nodes.

use crate::{Error, Store};

impl Store {
    /// The secret; `new` becomes it when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn return_path_secret(&self, new: &[u8; 32]) -> Result<[u8; 32], Error> {
        let known = "select secret from return_path_secret";
        let mut secret: Option<Vec<u8>> = sqlx::query_scalar(known).fetch_optional(&self.pools.main).await?;
        if secret.is_none() {
            sqlx::query("insert into return_path_secret (secret) values ($1) on conflict do nothing")
                .bind(new.as_slice())
                .execute(&self.pools.main)
                .await?;
            secret = sqlx::query_scalar(known).fetch_optional(&self.pools.main).await?;
        }
        let secret = secret.and_then(|secret| secret.try_into().ok());
        secret.ok_or(Error::Damaged("the secret of return paths is not as it was made"))
    }
}
