//! Requests as they are looked at.
//!
//! Invariant: what is outside the actor's reach is not there.

use super::{RequestDetail, RequestError, RequestHistory, RequestQuery};
use crate::{Actor, Engine};
use model::Action;
use model::calendar::local_date;
use store::RequestFilter;

impl Engine {
    /// By number; what is outside the actor's reach is not there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn requests(
        &self,
        actor: &Actor,
        query: RequestQuery<'_>,
    ) -> Result<Vec<RequestDetail>, RequestError> {
        let reach = actor.reach(Action::RequestShow);
        let today = local_date(self.now());
        let filter = RequestFilter {
            reach: &reach,
            domain: query.domain,
            settled: query.settled,
            due_before: query.overdue.then_some(today),
            after: query.after,
            limit: query.limit,
        };
        Ok(self.0.store.requests(filter).await?)
    }

    /// # Errors
    /// `NoSuchRequest`, also for what is out of reach.
    pub async fn request(&self, actor: &Actor, request: i64) -> Result<RequestHistory, RequestError> {
        let found = self.request_for(actor, Action::RequestShow, request).await?;
        let (events, documents) = self.0.store.request_history(request).await?;
        Ok(RequestHistory { request: found, events, documents })
    }
}
