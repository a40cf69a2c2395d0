//! Scripts (bộ lọc thư) as those keep them whose they are: users their own, administrators those of units and domains.
//!
//! Invariants: a script is understood before it is kept; each change is audited in its own transaction, with the addresses that the script
//! passes mail on to; a mailbox's script is its owner's alone, as it reads all that comes; where policy lets users have none of their own,
//! they may still see and delete what there is.

use super::script::{
    ScriptVersion, SieveError, SieveOwner, SieveScript, check_room, checked, compiled, find,
};
use crate::audit::AuditKind;
use crate::{Actor, AdminError, AdminTarget, Engine, Error, Principal};
use model::{Action, Address, Reason};
use proto::sieve::{Script, compile};
use serde_json::{Value, json};
use store::{ScriptOwner, SieveScriptRow, Tx};

/// Addresses that one row of the audit trail names.
const AUDITED_ADDRESSES_MAX: usize = 100;

/// An owner who was found, for whoever may.
struct Found {
    owner: ScriptOwner,
    /// As the audit trail names him.
    target: String,
}

/// What is to be done to whose scripts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    See,
    /// What lets nothing be followed that was not.
    TakeAway,
    Put,
}

impl Engine {
    /// His own, by name.
    ///
    /// # Errors
    /// `Denied` in another's mailbox; `Revoked`.
    pub async fn sieve_scripts(&self, who: &Principal) -> Result<Vec<SieveScript>, SieveError> {
        let (actor, owner) = self.own_scripts(who).await?;
        self.scripts_of(&actor, &owner).await
    }

    /// # Errors
    /// `NoSuchScript`; as [`Engine::sieve_scripts`].
    pub async fn sieve_source(&self, who: &Principal, name: &str) -> Result<String, SieveError> {
        let (actor, owner) = self.own_scripts(who).await?;
        self.script_source(&actor, &owner, name, None).await
    }

    /// Would a script of this name and length be taken (RFC 5804 2.5)?
    ///
    /// # Errors
    /// `NameInvalid`, `TooLarge`, `TooMany`, `NotAllowed`; as [`Engine::sieve_scripts`].
    pub async fn has_sieve_space(&self, who: &Principal, name: &str, octets: u64) -> Result<(), SieveError> {
        let (actor, owner) = self.own_scripts(who).await?;
        let name = checked(name)?;
        let found = self.owner(&actor, &owner, Wants::Put).await?;
        check_room(&self.0.store.scripts_of(found.owner).await?, &name, octets)
    }

    /// # Errors
    /// As [`Engine::put_script`].
    pub async fn put_sieve(&self, who: &Principal, name: &str, source: &[u8]) -> Result<(), SieveError> {
        let (actor, owner) = self.own_scripts(who).await?;
        self.put_script(&actor, &owner, name, source).await.map(drop)
    }

    /// Would it be understood?
    ///
    /// # Errors
    /// `TooLarge`, `Invalid`.
    pub fn check_sieve(&self, source: &[u8]) -> Result<(), SieveError> {
        compiled(source).map(drop)
    }

    /// # Errors
    /// As [`Engine::activate_script`].
    pub async fn activate_sieve(&self, who: &Principal, name: Option<&str>) -> Result<(), SieveError> {
        let (actor, owner) = self.own_scripts(who).await?;
        self.activate_script(&actor, &owner, name).await
    }

    /// # Errors
    /// As [`Engine::delete_script`].
    pub async fn delete_sieve(&self, who: &Principal, name: &str) -> Result<(), SieveError> {
        let (actor, owner) = self.own_scripts(who).await?;
        self.delete_script(&actor, &owner, name).await
    }

    /// An active one stays active (RFC 5804 2.11.1).
    ///
    /// # Errors
    /// `NoSuchScript`, `Exists`, `NameInvalid`; as [`Engine::sieve_scripts`].
    pub async fn rename_sieve(&self, who: &Principal, old: &str, new: &str) -> Result<(), SieveError> {
        let (actor, owner) = self.own_scripts(who).await?;
        let (old, new) = (checked(old)?, checked(new)?);
        let found = self.owner(&actor, &owner, Wants::TakeAway).await?;
        let (mut tx, rows) = self.hold_scripts(&found).await?;
        let row = find(&rows, &old)?;
        if find(&rows, &new).is_ok() {
            return Err(SieveError::Exists);
        }
        tx.rename_script(row.script, &new, self.now()).await?;
        let detail = json!({ "name": new, "was": old });
        self.end_change(tx, &actor, &found, ("sieve.rename", &detail)).await
    }

    /// Those of an owner, by name.
    ///
    /// # Errors
    /// `NoSuchMailbox` and its like; `Denied`.
    pub async fn scripts_of(
        &self,
        actor: &Actor,
        owner: &SieveOwner,
    ) -> Result<Vec<SieveScript>, SieveError> {
        let found = self.owner(actor, owner, Wants::See).await?;
        let script = |row: SieveScriptRow| SieveScript {
            name: row.name,
            is_active: row.is_active,
            version: row.version,
            octets: row.octets,
            changed_at: row.changed_at,
        };
        Ok(self.0.store.scripts_of(found.owner).await?.into_iter().map(script).collect())
    }

    /// The text of a script, or of one of its versions.
    ///
    /// # Errors
    /// `NoSuchScript`; as [`Engine::scripts_of`].
    pub async fn script_source(
        &self,
        actor: &Actor,
        owner: &SieveOwner,
        name: &str,
        version: Option<u32>,
    ) -> Result<String, SieveError> {
        let row = self.script_row(actor, owner, name).await?;
        let sources = self.0.store.sieve_sources(&[(row.script, version.unwrap_or(row.version))]).await?;
        sources.into_iter().next().map(|source| source.source).ok_or(SieveError::NoSuchScript)
    }

    /// The versions of a script that are kept, the newest first.
    ///
    /// # Errors
    /// `NoSuchScript`; as [`Engine::scripts_of`].
    pub async fn script_versions(
        &self,
        actor: &Actor,
        owner: &SieveOwner,
        name: &str,
    ) -> Result<Vec<ScriptVersion>, SieveError> {
        let row = self.script_row(actor, owner, name).await?;
        Ok(self.0.store.script_versions(row.script).await?)
    }

    /// Keeps a script, in place of that of the same name; an active one is followed at once. Says its version.
    ///
    /// # Errors
    /// `Invalid`, `NameInvalid`, `TooLarge`, `TooMany`, `NotAllowed`; as [`Engine::scripts_of`].
    pub async fn put_script(
        &self,
        actor: &Actor,
        owner: &SieveOwner,
        name: &str,
        source: &[u8],
    ) -> Result<u32, SieveError> {
        let found = self.owner(actor, owner, Wants::Put).await?;
        let name = checked(name)?;
        let (source, script) = compiled(source)?;
        let (mut tx, rows) = self.hold_scripts(&found).await?;
        check_room(&rows, &name, source.len() as u64)?;
        let by = (actor.name(), self.now());
        let (version, is_active) = match find(&rows, &name) {
            Ok(row) => (tx.put_script(row.script, source, by).await?, row.is_active),
            Err(_) => {
                tx.add_script(found.owner, (&name, source), by).await?;
                (1, false)
            }
        };
        let detail = audited(&script, json!({ "name": name, "version": version, "active": is_active }));
        self.end_change(tx, actor, &found, ("sieve.put", &detail)).await?;
        Ok(version)
    }

    /// This one is followed from now on, and no other; `None`: none is.
    ///
    /// # Errors
    /// `NoSuchScript`, `NotAllowed`; as [`Engine::scripts_of`].
    pub async fn activate_script(
        &self,
        actor: &Actor,
        owner: &SieveOwner,
        name: Option<&str>,
    ) -> Result<(), SieveError> {
        let wants = if name.is_some() { Wants::Put } else { Wants::TakeAway };
        let found = self.owner(actor, owner, wants).await?;
        let name = name.map(checked).transpose()?;
        let (mut tx, rows) = self.hold_scripts(&found).await?;
        let before = rows.iter().find(|row| row.is_active);
        let row = name.as_deref().map(|name| find(&rows, name)).transpose()?;
        if row.map(|row| row.script) == before.map(|row| row.script) {
            return Ok(());
        }
        tx.activate_script(found.owner, row.map(|row| row.script)).await?;
        let was = before.map(|row| row.name.as_str());
        let mut detail = json!({ "name": name, "version": row.map(|row| row.version), "was": was });
        if let Some(row) = row {
            // Whoever reads the trail sees where mail goes from here on.
            let source = tx.script_source(row.script, row.version).await?;
            if let Some(script) = source.and_then(|source| compile(source.as_bytes()).ok()) {
                detail = audited(&script, detail);
            }
        }
        self.end_change(tx, actor, &found, ("sieve.activate", &detail)).await
    }

    /// # Errors
    /// `NoSuchScript`, `IsActive`; as [`Engine::scripts_of`].
    pub async fn delete_script(
        &self,
        actor: &Actor,
        owner: &SieveOwner,
        name: &str,
    ) -> Result<(), SieveError> {
        let found = self.owner(actor, owner, Wants::TakeAway).await?;
        let name = checked(name)?;
        let (mut tx, rows) = self.hold_scripts(&found).await?;
        let row = find(&rows, &name)?;
        if row.is_active {
            return Err(SieveError::IsActive);
        }
        tx.delete_script(row.script).await?;
        let detail = json!({ "name": name, "version": row.version });
        self.end_change(tx, actor, &found, ("sieve.delete", &detail)).await
    }

    /// His own mailbox: another's, to which he has rights, has an owner.
    async fn own_scripts(&self, who: &Principal) -> Result<(Actor, SieveOwner), SieveError> {
        if who.delegated().is_some() {
            return Err(AdminError::Denied(Reason::Role).into());
        }
        Ok((self.actor_of(who).await?, SieveOwner::Mailbox(who.address().clone())))
    }

    /// Whose they are, if he may.
    async fn owner(&self, actor: &Actor, owner: &SieveOwner, wants: Wants) -> Result<Found, SieveError> {
        let shared = if wants == Wants::See { Action::RuleShow } else { Action::RuleSet };
        match owner {
            SieveOwner::Mailbox(address) => {
                self.authorize_own_rules(actor, address).await?;
                let party = self.party(address).await?;
                if wants == Wants::Put && !self.policy_of(party.domain).await?.rules.own {
                    return Err(SieveError::NotAllowed);
                }
                let owner = ScriptOwner::Mailbox(party.account);
                Ok(Found { owner, target: party.address.to_string() })
            }
            SieveOwner::Unit(name, code) => {
                self.authorize(actor, shared, &AdminTarget::UnitCode(name, code)).await?;
                let domain = self.domain_id(name).await?;
                let unit = self.unit_id(domain, Some(code)).await?;
                let unit = unit.ok_or_else(|| AdminError::NoSuchUnit(code.clone()))?;
                let target = AuditKind::Unit.within(name, code);
                Ok(Found { owner: ScriptOwner::Unit(unit), target })
            }
            SieveOwner::Domain(name) => {
                self.authorize(actor, shared, &AdminTarget::Domain(name)).await?;
                let domain = self.domain_id(name).await?;
                Ok(Found { owner: ScriptOwner::Domain(domain), target: name.to_string() })
            }
        }
    }

    /// What is done with a mailbox's mail, and said in its name, is its owner's to say; at the console that of whoever may move mailboxes
    /// about, as with forwarding.
    pub(crate) async fn authorize_own_rules(
        &self,
        actor: &Actor,
        mailbox: &Address,
    ) -> Result<(), AdminError> {
        let action = if actor.account().is_some() { Action::RuleChange } else { Action::MailboxTransfer };
        self.authorize(actor, action, &AdminTarget::Address(mailbox)).await?;
        match actor.account() {
            Some(account) if account != self.party(mailbox).await?.account => {
                Err(AdminError::Denied(Reason::Role))
            }
            _ => Ok(()),
        }
    }

    async fn script_row(
        &self,
        actor: &Actor,
        owner: &SieveOwner,
        name: &str,
    ) -> Result<SieveScriptRow, SieveError> {
        let found = self.owner(actor, owner, Wants::See).await?;
        let rows = self.0.store.scripts_of(found.owner).await?;
        find(&rows, &checked(name)?).cloned()
    }

    /// From here on nobody else changes them.
    async fn hold_scripts(&self, found: &Found) -> Result<(Tx, Vec<SieveScriptRow>), SieveError> {
        let mut tx = self.0.store.begin().await?;
        let rows = tx.lock_scripts(found.owner).await?.ok_or(Error::NotFound)?;
        Ok((tx, rows))
    }

    async fn end_change(
        &self,
        mut tx: Tx,
        actor: &Actor,
        found: &Found,
        (action, detail): (&str, &Value),
    ) -> Result<(), SieveError> {
        self.audit(&mut tx, actor, action, &found.target, detail).await?;
        tx.commit().await?;
        let told = match found.owner {
            ScriptOwner::Mailbox(account) => Some(account),
            ScriptOwner::Unit(_) | ScriptOwner::Domain(_) => None,
        };
        self.sieve_changed(told.as_slice()).await;
        Ok(())
    }
}

/// With the addresses that it passes mail on to, as far as it says them itself.
fn audited(script: &Script, mut detail: Value) -> Value {
    let to: Vec<&str> = script.passes_on_to().into_iter().take(AUDITED_ADDRESSES_MAX).collect();
    if let Some(fields) = detail.as_object_mut() {
        fields.insert("passes_on_to".to_owned(), json!(to));
    }
    detail
}
