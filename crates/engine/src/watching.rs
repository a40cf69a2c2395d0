//! Offices that follow other organisations' mailboxes: whoever is named for an organisation is told of the requests about it and
//! about those below it, where the policy's `request.watchers` says so (AG Đ7.3: for the district level, Phòng Văn hóa Thông tin is
//! told as well).

use crate::audit::AuditKind;
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use model::{AccountId, Action, Address, DomainId, DomainName, UnitId};
use serde_json::json;

/// Told of one request, of all that are named for the organisations above.
const WATCHERS_MAX: usize = 20;

impl Engine {
    /// Names somebody who follows the organisation, or no longer does. False: it was so already.
    ///
    /// # Errors
    /// `Denied`; `NoSuchUnit`, `NoSuchMailbox`, also for a mailbox of another domain.
    pub async fn watch_unit(
        &self,
        actor: &Actor,
        domain: &DomainName,
        (code, watcher, watches): (&str, &Address, bool),
    ) -> Result<bool, AdminError> {
        let unit = self.watched(actor, domain, code).await?;
        let party = self.party(watcher).await?;
        if party.domain != self.domain_id(domain).await? {
            return Err(AdminError::NoSuchMailbox(watcher.clone()));
        }
        let mut tx = self.0.store.begin().await?;
        let is_new = tx.watch_unit(unit, party.account, watches).await?;
        if is_new {
            let detail = json!({ "watcher": party.address.to_string(), "watches": watches });
            let target = AuditKind::Unit.within(domain, code);
            self.audit(&mut tx, actor, Action::RequestWatch.as_str(), &target, &detail).await?;
            tx.commit().await?;
        }
        Ok(is_new)
    }

    /// Who follows the organisation by itself, by address.
    ///
    /// # Errors
    /// `Denied`, `NoSuchUnit`.
    pub async fn unit_watchers(
        &self,
        actor: &Actor,
        domain: &DomainName,
        code: &str,
    ) -> Result<Vec<Address>, AdminError> {
        let unit = self.watched(actor, domain, code).await?;
        Ok(self.0.store.unit_watchers(unit).await?)
    }

    async fn watched(&self, actor: &Actor, domain: &DomainName, code: &str) -> Result<UnitId, AdminError> {
        self.authorize(actor, Action::RequestWatch, &AdminTarget::UnitCode(domain, code)).await?;
        let domain = self.domain_id(domain).await?;
        self.unit_id(domain, Some(code)).await?.ok_or_else(|| AdminError::NoSuchUnit(code.to_owned()))
    }

    /// Whom the policy wants told of a request about this organisation or mailbox.
    pub(crate) async fn watchers_by_policy(
        &self,
        domain: DomainId,
        unit: Option<UnitId>,
        account: Option<AccountId>,
    ) -> Result<Vec<AccountId>, Error> {
        if !self.policy_of(domain).await?.request.watchers {
            return Ok(Vec::new());
        }
        let mut over = self.0.store.watchers_over(unit, account).await?;
        over.truncate(WATCHERS_MAX);
        Ok(over)
    }
}
