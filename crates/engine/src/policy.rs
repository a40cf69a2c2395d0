//! Policies of domains: read on every use, so kept on the node; changed by an administrator, each change a version of its own.
//!
//! Invariants: an older version never replaces a newer one that is kept; what cannot be read (it is of a newer congthu while
//! nodes are renewed) leaves what is kept in force.

use crate::admin::check_reason;
use crate::{Actor, AdminError, AdminTarget, Engine, Error, Principal};
use model::{Action, Change, DomainId, DomainName, Policy, PolicyVersion, SetError};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// What an administrator wants to have changed.
#[derive(Clone, Debug)]
pub struct PolicyEdit<'a> {
    /// Keys with values, as [`Policy::set`] reads them.
    pub settings: &'a [(String, String)],
    /// The version that was looked at; `None`: whichever holds.
    pub based_on: Option<u32>,
    /// A decision's number, or a sentence.
    pub reason: &'a str,
    /// Say what would change, and change nothing.
    pub dry_run: bool,
}

/// The policies this node has read.
#[derive(Debug, Default)]
pub(crate) struct Policies(RwLock<HashMap<DomainId, (u32, Arc<Policy>)>>);

impl Policies {
    fn get(&self, domain: DomainId) -> Option<Arc<Policy>> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.get(&domain).map(|(_, policy)| policy.clone())
    }

    /// The version kept afterwards: this one, or a newer one that was there.
    fn keep(&self, domain: DomainId, version: PolicyVersion) -> Arc<Policy> {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((number, policy)) = kept.get(&domain)
            && *number > version.number
        {
            return policy.clone();
        }
        let policy = Arc::new(version.policy);
        kept.insert(domain, (version.number, policy.clone()));
        policy
    }

    /// Those kept of which another version holds now.
    fn stale(&self, now: &[(DomainId, u32)]) -> Vec<DomainId> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let changed =
            |(domain, number): &&(DomainId, u32)| kept.get(domain).is_some_and(|(was, _)| was != number);
        now.iter().filter(changed).map(|(domain, _)| *domain).collect()
    }

    /// All that are kept: those of every domain, once [`Engine::renew_policies`] has run.
    pub(crate) fn all(&self) -> Vec<Arc<Policy>> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.values().map(|(_, policy)| policy.clone()).collect()
    }

    pub(crate) fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Engine {
    /// The policy that holds in a domain; another node's change comes within a few seconds.
    pub(crate) async fn policy_of(&self, domain: DomainId) -> Result<Arc<Policy>, Error> {
        match self.0.policies.get(domain) {
            Some(policy) => Ok(policy),
            None => self.read_policy(domain).await,
        }
    }

    /// To how many places a script of his may pass one message on (D4); 0 to 20.
    ///
    /// # Errors
    /// `Revoked`, `Unavailable`.
    pub async fn redirects_max(&self, who: &Principal) -> Result<u32, Error> {
        Ok(self.present_policy(who).await?.rules.redirects)
    }

    async fn read_policy(&self, domain: DomainId) -> Result<Arc<Policy>, Error> {
        let version = self.0.store.policy(domain).await?.ok_or(Error::NotFound)?;
        Ok(self.0.policies.keep(domain, version))
    }

    /// Looks for what other nodes changed.
    pub(crate) async fn renew_policies(&self) {
        let now = match self.0.store.policy_versions().await {
            Ok(now) => now,
            Err(error) => {
                tracing::warn!(%error, "changed policies could not be looked for");
                return;
            }
        };
        for domain in self.0.policies.stale(&now) {
            if let Err(error) = self.read_policy(domain).await {
                tracing::warn!(%error, domain = domain.0, "a changed policy could not be read; the one before holds here");
            }
        }
        let mut all = Vec::with_capacity(now.len());
        for (domain, _) in now {
            all.extend(self.policy_of(domain).await);
        }
        self.0.sizes.renew(&all.iter().map(|policy| &**policy));
    }

    /// The version that holds: the rules of a domain are for all in it to read.
    ///
    /// # Errors
    /// `NoSuchDomain`.
    pub async fn policy(&self, actor: &Actor, domain: &DomainName) -> Result<PolicyVersion, AdminError> {
        self.authorize_member(actor, Action::PolicyShow, domain).await?;
        let id = self.domain_id(domain).await?;
        let version = self.0.store.policy(id).await?;
        version.ok_or_else(|| AdminError::NoSuchDomain(domain.clone()))
    }

    /// Every version, the newest first.
    ///
    /// # Errors
    /// `NoSuchDomain`.
    pub async fn policy_history(
        &self,
        actor: &Actor,
        domain: &DomainName,
    ) -> Result<Vec<PolicyVersion>, AdminError> {
        self.authorize(actor, Action::PolicyShow, &AdminTarget::Domain(domain)).await?;
        let id = self.domain_id(domain).await?;
        Ok(self.0.store.policy_history(id).await?)
    }

    /// Makes the next version, audited field by field. Says its number and what it changes.
    ///
    /// # Errors
    /// `NoSuchDomain`, `PolicySetting`, `PolicyVersion`; nothing is changed then.
    pub async fn change_policy(
        &self,
        actor: &Actor,
        domain: &DomainName,
        edit: &PolicyEdit<'_>,
    ) -> Result<(u32, Vec<Change>), AdminError> {
        self.authorize(actor, Action::PolicyChange, &AdminTarget::Domain(domain)).await?;
        check_reason(edit.reason)?;
        let id = self.domain_id(domain).await?;
        let before = self.policy(actor, domain).await?;
        let mut policy = before.policy.clone();
        for (key, value) in edit.settings {
            let refused = |error: SetError| AdminError::PolicySetting { field: key.clone(), error };
            policy.set(key, value).map_err(refused)?;
        }
        // A version made while a clock was ahead must not keep others from being made.
        let at = self.now().max(before.since);
        let based_on = edit.based_on.unwrap_or(before.number);
        let (after, changes) = before.succeed(policy, based_on, actor.name(), edit.reason, at)?;
        let number = after.number;
        if edit.dry_run {
            return Ok((number, changes));
        }
        let mut tx = self.0.store.begin().await?;
        tx.add_policy(id, &after).await?;
        let detail = json!({ "version": number, "reason": edit.reason, "changes": changes });
        self.audit(&mut tx, actor, "policy.change", domain.as_str(), &detail).await?;
        tx.commit().await?;
        self.0.policies.keep(id, after);
        Ok((number, changes))
    }
}
