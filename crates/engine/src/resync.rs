//! What a client that comes back is told: the uids that went, and when messages were saved.
//!
//! What changed is in the view, whose entries carry their modseq; only what is no longer there has to be asked for.

use crate::{Engine, Error, FolderView, Principal};
use jiff::Timestamp;
use model::{ModSeq, Uid};
use std::collections::HashMap;
use store::Gone;

impl Engine {
    /// The uids that went from the folder after `since` and are not in `view`. Nothing is asked when nothing has moved.
    ///
    /// # Errors
    /// `NotFound` when the folder is gone or `view` is not one that [`Engine::view`] gave to `who`.
    pub async fn gone(&self, who: &Principal, view: &FolderView, since: ModSeq) -> Result<Gone, Error> {
        self.check_view(who, view).await?;
        if since >= view.modseq() {
            return Ok(Gone::Known(Vec::new()));
        }
        let gone = self.0.store.gone(who.account(), view.folder().id, since, view.modseq()).await?;
        gone.ok_or(Error::NotFound)
    }

    /// When messages of `uids` were saved in the folder (RFC 8514 3); those that are gone are left out.
    ///
    /// # Errors
    /// `NotFound` when `view` is not one that [`Engine::view`] gave to `who`.
    pub async fn save_dates(
        &self,
        who: &Principal,
        view: &FolderView,
        uids: &[Uid],
    ) -> Result<HashMap<Uid, Timestamp>, Error> {
        self.check_view(who, view).await?;
        let dates = self.0.store.save_dates(who.account(), view.folder().id, uids).await?;
        Ok(dates.into_iter().collect())
    }
}
