//! Many mailboxes from one list (đề nghị cấp mới theo danh sách, requirement B1): checked whole, then made in batches.
//!
//! Invariants: a row becomes one mailbox or none, whatever is killed when: the batch that makes it notes it, and the same list
//! given again goes on behind. Nothing is made while any row is wrong, unless that is asked for. The addresses of a list are those
//! that its rows would get one by one in the order the regulation asks for (ST Đ3.4b).

use super::list::{Batch, Import, ImportPlan, Imported, Issued, Sheet};
use super::plan::{Planned, plan};
use super::taken::Taken;
use crate::audit::AuditKind;
use crate::organisation::Held;
use crate::passwords;
use crate::quota::QUOTA_FROM_START;
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use jiff::civil::Date;
use model::password_rules::ChangeReason;
use model::{AccountId, Action, Appointment, Membership, PersonId};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use store::{NewGrant, NewImport, NewPerson, UnusedRow};

/// Rows of one transaction: some tenths of a second, so that others are not kept waiting for the organisation.
const BATCH_ROWS: usize = 500;
/// Times that the rest of a list is planned anew because somebody took an address of it.
const REPLANS_MAX: u32 = 20;
/// What tells one file from another.
#[must_use]
pub fn import_digest(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

impl Engine {
    /// What the list would do (dry run), without doing it; for an officer as far as his own units go.
    ///
    /// # Errors
    /// `NoSuchDomain`; faults of rows are told in the plan.
    pub async fn preview_import(&self, actor: &Actor, import: &Import) -> Result<ImportPlan, AdminError> {
        let reach = self.authorize_part(actor, Action::MailboxAddPreview, &import.domain).await?;
        let mut held = self.hold_organisation(&import.domain).await?;
        // Whether somebody else has begun the same list is his to know.
        let done = match held.reaches(&reach, None) {
            true => self.import_done(import).await?.1,
            false => HashSet::new(),
        };
        let planned = plan(&mut held, import, &done, (&reach, self.today())).await?;
        let rows = planned.rows.iter().map(|row| row.shown(&held.tree)).collect();
        Ok(ImportPlan { rows, faults: planned.faults, done: done.len() })
    }

    /// Makes the mailboxes of a list, or those that an earlier run of it did not. `sheet` is given each batch's passwords before
    /// the batch is kept (of a run that was cut off there may be lines of mailboxes that are made anew later), and again when it is.
    ///
    /// # Errors
    /// `BadRows` when rows are wrong and are not to be skipped; `Sheet` when passwords could not be written down. What batches
    /// have made stays.
    pub async fn import_mailboxes(
        &self,
        actor: &Actor,
        import: &Import,
        sheet: Sheet<'_>,
    ) -> Result<Imported, AdminError> {
        self.authorize(actor, Action::MailboxAddMany, &AdminTarget::Domain(&import.domain)).await?;
        let reach = actor.reach(Action::MailboxAddMany);
        let (_, mut done) = self.import_done(import).await?;
        let mut imported = Imported { before: done.len(), ..Imported::default() };
        let mut tries = 0;
        loop {
            let mut held = self.hold_organisation(&import.domain).await?;
            let planned = plan(&mut held, import, &done, (&reach, self.today())).await?;
            if !planned.faults.is_empty() && !import.skip_bad {
                return Err(super::GrantError::BadRows(planned.faults).into());
            }
            imported.faults = planned.faults;
            if tries == 0 {
                imported.warnings = planned.rows.iter().filter_map(Planned::doubt).collect();
            }
            imported.import = self.begin_import(actor, held, import, imported.before).await?;
            match self.make_rows(actor, import, imported.import, (&planned.rows, &mut done), sheet).await {
                Ok(()) => break,
                // Somebody took an address: the rest is planned anew.
                Err(AdminError::AddressTaken) if tries < REPLANS_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
        imported.made = done.len().saturating_sub(imported.before);
        self.end_import(actor, import, &imported).await?;
        Ok(imported)
    }

    /// The import's number if it was begun before, and its rows that are mailboxes already.
    async fn import_done(&self, import: &Import) -> Result<(Option<i64>, HashSet<u32>), AdminError> {
        let domain = self.domain_id(&import.domain).await?;
        let Some((id, rows)) = self.0.store.import(domain, &import.digest).await? else {
            return Ok((None, HashSet::new()));
        };
        Ok((Some(id), rows.into_iter().map(|(row, _)| row).collect()))
    }

    async fn begin_import(
        &self,
        actor: &Actor,
        mut held: Held,
        import: &Import,
        before: usize,
    ) -> Result<i64, AdminError> {
        let new = NewImport {
            domain: held.domain,
            digest: &import.digest,
            file_name: &import.file_name,
            rows: u32::try_from(import.rows.len()).unwrap_or(u32::MAX),
            actor: actor.name(),
        };
        let id = held.tx.begin_import(&new, self.now()).await?;
        let detail = json!({ "file": import.file_name, "rows": import.rows.len(), "made_before": before });
        self.audit(&mut held.tx, actor, "import.begin", &target(import, id), &detail).await?;
        held.tx.commit().await?;
        Ok(id)
    }

    async fn end_import(
        &self,
        actor: &Actor,
        import: &Import,
        imported: &Imported,
    ) -> Result<(), AdminError> {
        let mut tx = self.0.store.begin().await?;
        tx.end_import(imported.import, self.now()).await?;
        let detail = json!({
            "made": imported.made, "made_before": imported.before, "passed_over": imported.faults.len(),
        });
        self.audit(&mut tx, actor, "import.end", &target(import, imported.import), &detail).await?;
        Ok(tx.commit().await?)
    }

    async fn make_rows(
        &self,
        actor: &Actor,
        import: &Import,
        id: i64,
        (rows, done): (&[Planned<'_>], &mut HashSet<u32>),
        sheet: Sheet<'_>,
    ) -> Result<(), AdminError> {
        for batch in rows.chunks(BATCH_ROWS) {
            let secrets = self.secrets(batch).await?;
            let mut held = self.hold_organisation(&import.domain).await?;
            let made = self.make_batch(actor, &mut held, import, (batch, &secrets)).await?;
            held.tx.note_import_rows(id, &made).await?;
            let issued: Vec<Issued> =
                batch.iter().zip(&secrets).map(|(row, secret)| row.issued(secret, &held.tree)).collect();
            tell(sheet, Batch::Made(&issued))?;
            let told: Vec<Value> =
                batch.iter().map(|row| json!([row.row.number, row.address.to_string()])).collect();
            let detail = json!({ "import": id, "made": told });
            self.audit(&mut held.tx, actor, "mailbox.add-many", &target(import, id), &detail).await?;
            held.tx.commit().await?;
            done.extend(batch.iter().map(|row| row.row.number));
            tell(sheet, Batch::Kept(&issued))?;
        }
        Ok(())
    }

    /// Hashes of the passwords that the list gives, all processors at once, and one-time passwords for the others.
    async fn secrets(&self, batch: &[Planned<'_>]) -> Result<Vec<Secret>, AdminError> {
        let mut work = tokio::task::JoinSet::new();
        let mut secrets = Vec::with_capacity(batch.len());
        for (place, planned) in batch.iter().enumerate() {
            match &planned.row.password {
                None => secrets.push(self.one_time_secret()?),
                Some(password) => {
                    let (engine, password) = (self.clone(), password.clone());
                    work.spawn(async move { (place, engine.hash_password(&password).await) });
                    secrets.push(Secret { hash: String::new(), one_time: None });
                }
            }
        }
        while let Some(hashed) = work.join_next().await {
            let (place, hash) = hashed.map_err(|_| Error::Unavailable)?;
            if let Some(secret) = secrets.get_mut(place) {
                secret.hash = hash?;
            }
        }
        Ok(secrets)
    }

    fn one_time_secret(&self) -> Result<Secret, AdminError> {
        let password = crate::password::one_time(&*self.0.rng);
        let hash = crate::password::hash_one_time(&password, &*self.0.rng).ok_or(Error::Unavailable)?;
        Ok(Secret { hash, one_time: Some(password) })
    }

    /// People, places, positions and mailboxes of a batch, by set.
    async fn make_batch(
        &self,
        actor: &Actor,
        held: &mut Held,
        import: &Import,
        (batch, secrets): (&[Planned<'_>], &[Secret]),
    ) -> Result<Vec<(u32, AccountId)>, AdminError> {
        let since = import.since.unwrap_or(self.today());
        let people = self.place_people(held, batch, since).await?;
        let until = self.one_time_end(&held.policy);
        let mut grants = Vec::with_capacity(batch.len());
        for ((at, planned), secret) in batch.iter().enumerate().zip(secrets) {
            let is_one_time = secret.one_time.is_some();
            let must_change =
                passwords::must_change(import.must_change_password, actor, planned.class, &held.policy);
            grants.push(NewGrant {
                unit: planned.unit,
                person: people.get(&at).copied(),
                class: planned.class,
                display_name: &planned.name,
                quota_bytes: planned.quota_bytes,
                password_hash: Some(&secret.hash),
                password_change: must_change,
                change_reason: must_change.then_some(passwords::name(ChangeReason::FirstLogIn)),
                one_time_until: (must_change && is_one_time).then_some(until),
                address: &planned.address,
                rule: planned.rule(),
                is_reused: planned.is_reused,
            });
        }
        let made = held.tx.insert_accounts(held.domain, &grants, self.now()).await?;
        for (planned, account) in batch.iter().zip(&made) {
            if let Some(bytes) = planned.row.quota_bytes {
                held.tx.set_quota(*account, bytes, Some((actor.name(), QUOTA_FROM_START))).await?;
            }
        }
        held.tx.insert_folders(&made, &super::one::default_folders()?, self.now()).await?;
        Ok(batch.iter().map(|planned| planned.row.number).zip(made).collect())
    }

    /// The persons of a batch by their place in it.
    async fn place_people(
        &self,
        held: &mut Held,
        batch: &[Planned<'_>],
        since: Date,
    ) -> Result<HashMap<usize, PersonId>, AdminError> {
        let mut people: HashMap<usize, PersonId> = HashMap::new();
        let mut new = Vec::new();
        let mut memberships = Vec::new();
        for (at, planned) in batch.iter().enumerate().filter(|(_, planned)| planned.is_person()) {
            match &planned.known {
                Some(known) => {
                    people.insert(at, known.person);
                }
                None => new.push((at, planned)),
            }
        }
        let names = new
            .iter()
            .map(|(_, planned)| NewPerson { full_name: &planned.name, birth_year: planned.row.birth_year });
        let made = held.tx.insert_people(held.domain, &names.collect::<Vec<_>>(), self.now()).await?;
        people.extend(new.iter().map(|(at, _)| *at).zip(made));
        let mut appointments = Vec::new();
        for (at, planned) in batch.iter().enumerate() {
            let (Some(person), Some(unit)) = (people.get(&at).copied(), planned.unit) else { continue };
            if planned.known.as_ref().is_none_or(|known| known.unit.is_none()) {
                memberships.push(Membership { person, unit, from: since, until: None });
            }
            if let Some(position) = planned.position.as_ref().map(|position| position.id) {
                appointments.push(Appointment { person, unit, position, from: since, until: None });
            }
        }
        held.tx.insert_memberships(&memberships).await?;
        held.tx.insert_appointments(&appointments).await?;
        Ok(people)
    }

    /// New one-time passwords for mailboxes of an earlier run that nobody has used yet, and whose owner has chosen none: of
    /// whichever rows are asked for. They are to be changed at the first log-in, whatever was said of those before.
    ///
    /// # Errors
    /// `NoSuchImport` when the list was never begun.
    pub async fn reissue_import(
        &self,
        actor: &Actor,
        import: &Import,
        rows: &[u32],
        sheet: Sheet<'_>,
    ) -> Result<usize, AdminError> {
        self.authorize(actor, Action::MailboxAddMany, &AdminTarget::Domain(&import.domain)).await?;
        let (Some(id), _) = self.import_done(import).await? else {
            return Err(super::GrantError::NoSuchImport.into());
        };
        let mut issued_all = 0;
        for batch in rows.chunks(BATCH_ROWS) {
            let mut held = self.hold_organisation(&import.domain).await?;
            let mut unused = held.tx.unused_import_rows(id, batch).await?;
            unused.sort_by_key(|one| one.row);
            let mut hashes = Vec::with_capacity(unused.len());
            let mut issued = Vec::with_capacity(unused.len());
            for UnusedRow { row, account, address, name, unit } in unused {
                let secret = self.one_time_secret()?;
                hashes.push((account, secret.hash));
                let unit = unit.and_then(|unit| held.tree.unit(unit)).map(|unit| unit.name.clone());
                issued.push(Issued { row, unit, name, address, one_time_password: secret.one_time });
            }
            let until = self.one_time_end(&held.policy);
            held.tx
                .set_one_time_passwords(
                    &hashes,
                    (until, passwords::name(ChangeReason::FirstLogIn)),
                    self.now(),
                )
                .await?;
            tell(sheet, Batch::Made(&issued))?;
            let told: Vec<&String> = issued.iter().map(|issued| &issued.address).collect();
            let detail = json!({ "import": id, "reissued": told });
            self.audit(&mut held.tx, actor, "import.reissue", &target(import, id), &detail).await?;
            held.tx.commit().await?;
            issued_all += issued.len();
            tell(sheet, Batch::Kept(&issued))?;
        }
        Ok(issued_all)
    }
}

/// What the owner of a row will log in with.
pub(super) struct Secret {
    pub(super) hash: String,
    pub(super) one_time: Option<String>,
}

fn tell(
    sheet: &mut (dyn FnMut(Batch<'_>) -> std::io::Result<()> + Send),
    batch: Batch<'_>,
) -> Result<(), AdminError> {
    sheet(batch).map_err(|error| super::GrantError::Sheet(error.to_string()).into())
}

fn target(import: &Import, id: i64) -> String {
    AuditKind::Import.within(&import.domain, id)
}

/// Everything that is taken in a domain, at the moment of planning.
pub(super) async fn all_taken(held: &mut Held) -> Result<Taken, AdminError> {
    let rows = held.tx.taken_in(&held.name).await?;
    Ok(Taken::new(&held.policy, rows))
}
