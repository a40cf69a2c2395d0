//! Handing over an organisation's mailbox as it is (bàn giao nguyên trạng: LC Đ11.1; TN Đ10.2; BD Đ13.1).
//!
//! Invariants: while a hand-over runs nothing in the mailbox can be deleted or taken out, by whomever; its end is one
//! transaction, after which whoever had the mailbox has neither password nor rights, and the record (biên bản) says what
//! there was at the beginning and at the end.

use crate::delegation::{check_document, is_personal};
use crate::{Actor, AdminError, AdminTarget, DelegationError, Engine, Error};
use model::calendar::{local_date, written_day};
use model::password_rules::ChangeReason;
use model::{Action, Address, Right, Rights};
use serde_json::{Value, json};
use std::fmt::Write as _;
use store::{FolderCount, HandoverRow, PartyRow};

/// Characters of the name and office of whoever hands over or takes over.
const NAME_CHARS_MAX: usize = 200;

/// A hand-over that is to begin.
#[derive(Clone, Debug)]
pub struct NewHandover {
    pub mailbox: Address,
    /// Whoever has had it: name and office.
    pub from: String,
    /// Whoever will: name and office.
    pub to: String,
    /// Whose own mailbox gets `rights` to it when it ends.
    pub delegate: Option<Address>,
    pub rights: Rights,
    /// Number and date of the paper.
    pub document: String,
}

/// A hand-over, under way or ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Handover {
    pub mailbox: Address,
    pub row: HandoverRow,
}

/// What the new holder is given.
#[derive(Clone, PartialEq)]
pub struct HandedOver {
    pub handover: Handover,
    pub one_time_password: String,
}

/// Without the password: what is printed may be kept.
impl std::fmt::Debug for HandedOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandedOver").finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandoverError {
    #[error("{0} is a personal mailbox: it is revoked, not handed over")]
    Personal(Address),
    #[error("{0} is being handed over already")]
    Running(Address),
    #[error("{0} is not being handed over")]
    NotRunning(Address),
    #[error("say who hands over and who takes over, in 1 to 200 characters each")]
    Names,
    #[error(transparent)]
    Delegation(#[from] DelegationError),
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl From<store::Error> for HandoverError {
    fn from(error: store::Error) -> Self {
        Self::Admin(error.into())
    }
}

impl From<Error> for HandoverError {
    fn from(error: Error) -> Self {
        Self::Admin(error.into())
    }
}

impl Handover {
    /// Biên bản bàn giao, for people to sign.
    #[must_use]
    pub fn text(&self) -> String {
        let row = &self.row;
        let mut text = String::from("BIÊN BẢN BÀN GIAO HỘP THƯ ĐIỆN TỬ\n\n");
        let lines = [
            ("Hộp thư đơn vị", self.mailbox.to_string()),
            ("Bên giao", row.from.clone()),
            ("Bên nhận", row.to.clone()),
            ("Căn cứ", row.document.clone()),
            ("Bắt đầu", format!("{} ({})", written_day(local_date(row.started_at)), row.started_by)),
        ];
        for (label, value) in lines {
            let _ = writeln!(text, "{label}: {value}");
        }
        match &row.ended {
            None => text.push_str("Tình trạng: đang bàn giao, tạm dừng việc xóa thư\n"),
            Some((at, by, outcome)) => {
                let outcome = if outcome == "finished" { "đã hoàn thành" } else { "đã hủy" };
                let day = written_day(local_date(*at));
                let _ = writeln!(text, "Tình trạng: {outcome} ngày {day} ({by})");
            }
        }
        let given = self.given();
        if let Some(given) = given.as_deref().filter(|_| row.ended.is_none()) {
            let _ = writeln!(text, "Ủy quyền khi hoàn thành: {given}");
        }
        for (key, label) in [("start", "Khi bắt đầu"), ("end", "Khi hoàn thành")] {
            if let Some(part) = row.record.get(key) {
                let _ = write!(text, "\n{label}:\n{}", table(part));
            }
        }
        if let Some(ended) = row.record.get("revoked").and_then(Value::as_array) {
            let names: Vec<&str> = ended.iter().filter_map(Value::as_str).collect();
            let _ = writeln!(
                text,
                "\nThôi ủy quyền: {}",
                if names.is_empty() { "không có".to_owned() } else { names.join(", ") }
            );
            // What an earlier version finished does not say to whom.
            if row.to_account.is_none() || given.is_some() {
                let _ = writeln!(text, "Ủy quyền mới: {}", given.as_deref().unwrap_or("không có"));
            }
            let went = row.record.get("forwarded").and_then(Value::as_str).unwrap_or("không có");
            let _ = writeln!(text, "Thôi chuyển thư tự động đến: {went}");
            // What an earlier version finished knew no scripts.
            if let Some(script) = row.record.get("script") {
                let _ = writeln!(text, "Thôi áp dụng bộ lọc thư: {}", script.as_str().unwrap_or("không có"));
            }
            if row.record.get("answered").and_then(Value::as_bool) == Some(true) {
                text.push_str("Thôi trả lời tự động khi vắng mặt\n");
            }
            text.push_str("Mật khẩu: đã cấp lại, mật khẩu cũ không còn hiệu lực\n");
        }
        text.push_str("\nBên giao (ký, ghi rõ họ tên)\t\tBên nhận (ký, ghi rõ họ tên)\n");
        text
    }

    /// To whom which rights are given with the mailbox.
    fn given(&self) -> Option<String> {
        let given = self.row.record.get("given")?;
        let said = |key: &str| given.get(key).and_then(Value::as_str).unwrap_or_default();
        let rights: Vec<&str> = self.row.to_rights.iter().map(Right::label).collect();
        Some(format!("{} ({}): {}", said("to"), said("name"), rights.join(", ")))
    }
}

fn given(delegate: &PartyRow, rights: Rights) -> Value {
    let rights: Vec<&str> = rights.iter().map(Right::as_str).collect();
    json!({ "to": delegate.address.to_string(), "name": delegate.display_name, "rights": rights })
}

fn table(part: &Value) -> String {
    let mut text = String::new();
    for folder in part.get("folders").and_then(Value::as_array).into_iter().flatten() {
        let number = |key: &str| folder.get(key).and_then(Value::as_u64).unwrap_or(0);
        let name = folder.get("name").and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(
            text,
            "  {name}: {} thư, {} chưa đọc, {} byte",
            number("messages"),
            number("unseen"),
            number("bytes")
        );
    }
    let total = |key: &str| part.get(key).and_then(Value::as_u64).unwrap_or(0);
    let _ = writeln!(text, "  Cộng: {} thư, {} byte", total("messages"), total("bytes"));
    text
}

fn counted(at: jiff::Timestamp, folders: &[FolderCount]) -> Value {
    let list: Vec<Value> = folders
        .iter()
        .map(|folder| {
            json!({ "name": folder.name, "messages": folder.messages, "unseen": folder.unseen, "bytes": folder.bytes })
        })
        .collect();
    let messages: u64 = folders.iter().map(|folder| folder.messages).sum();
    let bytes: u64 = folders.iter().map(|folder| folder.bytes).sum();
    json!({ "at": at.to_string(), "folders": list, "messages": messages, "bytes": bytes })
}

fn check_name(name: &str) -> Result<(), HandoverError> {
    let fits = (1..=NAME_CHARS_MAX).contains(&name.trim().chars().count());
    if fits && !name.chars().any(char::is_control) { Ok(()) } else { Err(HandoverError::Names) }
}

impl Engine {
    /// From here on nothing in the mailbox can be deleted.
    ///
    /// # Errors
    /// See [`HandoverError`].
    pub async fn start_handover(&self, actor: &Actor, new: &NewHandover) -> Result<Handover, HandoverError> {
        self.authorize(actor, Action::HandoverStart, &AdminTarget::Address(&new.mailbox)).await?;
        check_name(&new.from)?;
        check_name(&new.to)?;
        check_document(&new.document)?;
        let mailbox = self.party(&new.mailbox).await?;
        if is_personal(mailbox.class) {
            return Err(HandoverError::Personal(mailbox.address));
        }
        let delegate = match &new.delegate {
            Some(address) => Some(self.party(address).await?),
            None => None,
        };
        if let Some(delegate) = delegate.as_ref().filter(|delegate| !is_personal(delegate.class)) {
            return Err(DelegationError::NoPerson(delegate.address.clone()).into());
        }
        if new.rights.is_empty() && delegate.is_some() {
            return Err(DelegationError::NoRights.into());
        }
        let mut tx = self.0.store.begin().await?;
        // Whoever is deleting holds it; afterwards nobody does.
        tx.lock_mailbox(mailbox.account).await?.ok_or(Error::NotFound)?;
        if tx.is_frozen(mailbox.account).await? {
            return Err(HandoverError::Running(mailbox.address));
        }
        tx.take_time().await?;
        let mut record = json!({ "start": counted(self.now(), &tx.folder_counts(mailbox.account).await?) });
        if let (Some(delegate), Some(record)) = (&delegate, record.as_object_mut()) {
            record.insert("given".to_owned(), given(delegate, new.rights));
        }
        let row = store::NewHandover {
            mailbox: mailbox.account,
            from: &new.from,
            to: &new.to,
            to_account: delegate.as_ref().map(|delegate| delegate.account),
            to_rights: new.rights,
            document: &new.document,
            by: actor.name(),
            record: &record,
        };
        tx.insert_handover(&row, self.now()).await?;
        let started = tx.present_handover(mailbox.account).await?.ok_or(Error::Unavailable)?;
        let detail = json!({ "from": new.from, "to": new.to, "document": new.document, "record": record });
        self.audit(&mut tx, actor, "handover.start", &mailbox.address.to_string(), &detail).await?;
        tx.commit().await?;
        Ok(Handover { mailbox: mailbox.address, row: started })
    }

    /// The mailbox is the new holder's: a one-time password, nobody else's rights, every session ended.
    ///
    /// # Errors
    /// `NotRunning`.
    pub async fn finish_handover(
        &self,
        actor: &Actor,
        mailbox: &Address,
    ) -> Result<HandedOver, HandoverError> {
        self.authorize(actor, Action::HandoverComplete, &AdminTarget::Address(mailbox)).await?;
        let mailbox = self.party(mailbox).await?;
        let policy = self.policy_of(mailbox.domain).await?;
        let one_time = self.one_time(&policy).await?;
        let now = self.now();
        let mut tx = self.0.store.begin().await?;
        tx.lock_mailbox(mailbox.account).await?.ok_or(Error::NotFound)?;
        let Some(running) = tx.present_handover(mailbox.account).await? else {
            return Err(HandoverError::NotRunning(mailbox.address));
        };
        tx.take_time().await?;
        let ended = tx.revoke_delegations(mailbox.account, None, (actor.name(), now)).await?;
        let ended = self.0.store.parties(&ended).await?;
        let revoked: Vec<String> = ended.iter().map(|party| party.address.to_string()).collect();
        // Where the one before let mail go is not where the new one wants it, nor what he had done with it.
        let went = tx.end_forward(mailbox.account, (actor.name(), now)).await?;
        let script = tx.stop_script(mailbox.account).await?;
        let answered = tx.stop_answers(mailbox.account, local_date(now)).await?;
        let delegate = self.0.store.parties(running.to_account.as_slice()).await?;
        let mut record = running.record.clone();
        if let Some(record) = record.as_object_mut() {
            record.insert("end".to_owned(), counted(now, &tx.folder_counts(mailbox.account).await?));
            record.insert("revoked".to_owned(), json!(revoked));
            record.insert("forwarded".to_owned(), json!(went));
            record.insert("script".to_owned(), json!(script));
            record.insert("answered".to_owned(), json!(answered));
            // As they are now; a hand-over that an earlier version began does not name him.
            if let Some(delegate) = delegate.first() {
                record.insert("given".to_owned(), given(delegate, running.to_rights));
            }
        }
        tx.set_password(mailbox.account, &one_time.as_new(ChangeReason::Reset, now, &policy)).await?;
        if let Some(delegate) = running.to_account {
            let given = store::NewDelegation {
                mailbox: mailbox.account,
                delegate,
                rights: running.to_rights,
                document: &running.document,
                consent: None,
                given_by: actor.name(),
                since: now,
                until: None,
            };
            self.insert_delegation(&mut tx, &given).await?;
        }
        tx.end_handover(running.handover, (actor.name(), "finished", &record), now).await?;
        let detail = json!({
            "record": record,
            "delegate": running.to_account.map(|account| account.0),
            "rights": running.to_rights.iter().map(Right::as_str).collect::<Vec<_>>(),
        });
        if let Some(script) = &script {
            let detail = json!({ "name": null, "was": script, "because": "handed over" });
            self.audit(&mut tx, actor, "sieve.activate", &mailbox.address.to_string(), &detail).await?;
        }
        self.audit(&mut tx, actor, "handover.complete", &mailbox.address.to_string(), &detail).await?;
        tx.commit().await?;
        self.delegations_changed(mailbox.account).await;
        self.forwards_changed().await;
        self.sieve_changed(&[mailbox.account]).await;
        let ended = Some((now, actor.name().to_owned(), "finished".to_owned()));
        let row = HandoverRow { ended, record, ..running };
        let handover = Handover { mailbox: mailbox.address, row };
        Ok(HandedOver { handover, one_time_password: one_time.password })
    }

    /// All stays with whoever had it, and mail can be deleted again.
    ///
    /// # Errors
    /// `NotRunning`.
    pub async fn cancel_handover(&self, actor: &Actor, mailbox: &Address) -> Result<(), HandoverError> {
        self.authorize(actor, Action::HandoverCancel, &AdminTarget::Address(mailbox)).await?;
        let mailbox = self.party(mailbox).await?;
        let mut tx = self.0.store.begin().await?;
        tx.lock_mailbox(mailbox.account).await?.ok_or(Error::NotFound)?;
        let Some(running) = tx.present_handover(mailbox.account).await? else {
            return Err(HandoverError::NotRunning(mailbox.address));
        };
        tx.end_handover(running.handover, (actor.name(), "cancelled", &running.record), self.now()).await?;
        let detail = json!({ "handover": running.handover });
        self.audit(&mut tx, actor, "handover.cancel", &mailbox.address.to_string(), &detail).await?;
        Ok(tx.commit().await?)
    }

    /// Hand-overs of the mailbox, the latest first.
    ///
    /// # Errors
    /// `NoSuchMailbox`.
    pub async fn handovers(
        &self,
        actor: &Actor,
        mailbox: &Address,
        limit: u32,
    ) -> Result<Vec<Handover>, HandoverError> {
        self.authorize(actor, Action::HandoverRecord, &AdminTarget::Address(mailbox)).await?;
        let mailbox = self.party(mailbox).await?;
        let rows = self.0.store.handovers(mailbox.account, limit).await?;
        Ok(rows.into_iter().map(|row| Handover { mailbox: mailbox.address.clone(), row }).collect())
    }
}
