//! Announcing stops (tạm dừng dịch vụ) and incidents (sự cố): a row for banners and status pages, and mail to everybody.
//!
//! Invariants: a planned stop is announced as many whole working days ahead as the policy asks (An Giang 63/2016 Điều 10.1k),
//! or is an emergency with its reason; the announcement and its mail are one transaction, so everybody gets it once or it was
//! not made.

use crate::notices::Letter;
use crate::{Actor, AdminError, AdminTarget, Engine, Error, trace_query};
use jiff::Timestamp;
use model::calendar::{local_date, written_day, written_time};
use model::{Action, DomainId, DomainName};
use serde_json::json;
use store::{AnnouncementRow, Event, NewAnnouncement, NewContent, Target, Tx};

/// Characters of what is announced.
const TEXT_CHARS_MAX: usize = 2_000;
/// Announcements listed at once.
const LIST_MAX: u32 = 100;

/// What is to be announced.
#[derive(Clone, Copy, Debug)]
pub struct Announcement<'a> {
    /// `None`: every domain.
    pub domain: Option<&'a DomainName>,
    pub kind: AnnouncementKind<'a>,
    /// What is done or what has happened, for those who use the mail; 1 to 2,000 characters.
    pub text: &'a str,
}

#[derive(Clone, Copy, Debug)]
pub enum AnnouncementKind<'a> {
    Stop {
        begins: Timestamp,
        ends: Timestamp,
        /// Why it could not be announced in time.
        emergency: Option<&'a str>,
    },
    Incident {
        since: Timestamp,
        /// The expected recovery.
        recovery: Option<Timestamp>,
    },
}

impl AnnouncementKind<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Stop { emergency: None, .. } => "planned-stop",
            Self::Stop { emergency: Some(_), .. } => "emergency-stop",
            Self::Incident { .. } => "incident",
        }
    }

    fn action(&self) -> Action {
        match self {
            Self::Stop { emergency: None, .. } => Action::AnnouncePlan,
            Self::Stop { emergency: Some(_), .. } => Action::AnnounceEmergency,
            Self::Incident { .. } => Action::IncidentPublish,
        }
    }

    fn times(&self) -> (Timestamp, Option<Timestamp>) {
        match *self {
            Self::Stop { begins, ends, .. } => (begins, Some(ends)),
            Self::Incident { since, recovery } => (since, recovery),
        }
    }
}

impl Engine {
    /// Announces it and writes to everybody, of an incident when it begins; says the announcement's number.
    ///
    /// # Errors
    /// `TooSoon` with the first moment that is allowed, `NoEmergencies`, `NoRecovery`, `BadPeriod`, `BadText`, `Denied`.
    pub async fn announce(&self, actor: &Actor, new: &Announcement<'_>) -> Result<i64, AdminError> {
        check_text(new.text)?;
        let target = new.domain.map_or(AdminTarget::System, AdminTarget::Domain);
        self.authorize(actor, new.kind.action(), &target).await?;
        let domains = self.announced_in(new.domain).await?;
        for (domain, _) in &domains {
            self.check_announcement(*domain, &new.kind).await?;
        }
        let (begins, ends) = new.kind.times();
        if ends.is_some_and(|ends| ends <= begins) {
            return Err(AdminError::BadPeriod);
        }
        let emergency = match new.kind {
            AnnouncementKind::Stop { emergency, .. } => emergency,
            AnnouncementKind::Incident { .. } => None,
        };
        let (subject, text) = letter(&new.kind, new.text);
        // What has not happened yet is told of when it does; of stops people are to know before.
        let is_later = matches!(new.kind, AnnouncementKind::Incident { since, .. } if since > self.now());
        let mail = match is_later {
            true => Vec::new(),
            false => self.letters(&domains, &subject, &text).await?,
        };
        let row = NewAnnouncement {
            mail_at: is_later.then_some(begins),
            domain: new.domain.and(domains.first()).map(|(domain, _)| *domain),
            kind: new.kind.name(),
            begins,
            ends,
            text: new.text,
            emergency,
            made_by: actor.name(),
        };
        let mut tx = self.0.store.begin().await?;
        self.send_letters(&mut tx, &mail).await?;
        let id = tx.insert_announcement(&row, self.now()).await?;
        let detail = json!({ "announcement": id, "kind": row.kind, "begins": begins, "ends": ends, "text": new.text,
                             "emergency": emergency, "told_at": row.mail_at, "mailboxes": mail.iter().map(|mail| mail.to.len()).sum::<usize>() });
        self.audit(&mut tx, actor, new.kind.action().as_str(), &target.to_string(), &detail).await?;
        tx.commit().await?;
        self.0.pending.notify_one();
        Ok(id)
    }

    /// Writes to everybody of incidents whose time has come.
    pub(crate) async fn tell_incidents_job(&self) -> Result<String, Error> {
        let mut told = 0;
        loop {
            let mut tx = self.0.store.begin().await?;
            let Some(row) = tx.take_due_announcement(self.now()).await? else {
                return Ok(format!("{told} incidents told of"));
            };
            let kind = AnnouncementKind::Incident { since: row.begins, recovery: row.ends };
            let (subject, text) = letter(&kind, &row.text);
            let domain = match &row.domain {
                Some(name) => Some(DomainName::new(name).map_err(|_| Error::NotFound)?),
                None => None,
            };
            let unavailable = |error: AdminError| match error {
                AdminError::Engine(error) => error,
                _ => Error::Unavailable,
            };
            let domains = self.announced_in(domain.as_ref()).await.map_err(unavailable)?;
            let mail = self.letters(&domains, &subject, &text).await.map_err(unavailable)?;
            self.send_letters(&mut tx, &mail).await.map_err(unavailable)?;
            tx.commit().await?;
            self.0.pending.notify_one();
            told += 1;
        }
    }

    /// Takes an announcement back, and tells everybody who was told of it.
    ///
    /// # Errors
    /// `NoSuchAnnouncement` when there is none, or it is over, or not his to take back.
    pub async fn cancel_announcement(&self, actor: &Actor, id: i64) -> Result<(), AdminError> {
        let reach = actor.reach(Action::AnnounceWithdraw);
        let known = self.0.store.announcements(&reach, Some(self.now()), id.checked_add(1), 1).await?;
        let missing = AdminError::NoSuchAnnouncement(id);
        let Some(row) = known.into_iter().find(|row| row.announcement == id) else { return Err(missing) };
        let domain = match &row.domain {
            Some(name) => Some(DomainName::new(name).map_err(|_| Error::NotFound)?),
            None => None,
        };
        let target = domain.as_ref().map_or(AdminTarget::System, AdminTarget::Domain);
        self.authorize(actor, Action::AnnounceWithdraw, &target).await?;
        let domains = self.announced_in(domain.as_ref()).await?;
        let (subject, text) = withdrawal(&row);
        let mail = self.letters(&domains, &subject, &text).await?;
        let mut tx = self.0.store.begin().await?;
        let cancelled = tx.cancel_announcement(id, actor.name(), self.now()).await?.ok_or(missing)?;
        // Of what nobody was told yet nobody is told that it is not so.
        if cancelled.mail_at.is_none() {
            self.send_letters(&mut tx, &mail).await?;
        }
        let action = Action::AnnounceWithdraw.as_str();
        self.audit(&mut tx, actor, action, &target.to_string(), &json!({ "announcement": id })).await?;
        tx.commit().await?;
        self.0.pending.notify_one();
        Ok(())
    }

    /// Announcements that he may take back or plan, the newest first; with `open` those that are not over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn announcements(
        &self,
        actor: &Actor,
        open: bool,
        before: Option<i64>,
    ) -> Result<Vec<AnnouncementRow>, AdminError> {
        let reach = actor.reach(Action::AnnouncePlan);
        if reach.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.0.store.announcements(&reach, open.then(|| self.now()), before, LIST_MAX).await?)
    }

    async fn announced_in(
        &self,
        domain: Option<&DomainName>,
    ) -> Result<Vec<(DomainId, DomainName)>, AdminError> {
        match domain {
            Some(name) => Ok(vec![(self.domain_id(name).await?, name.clone())]),
            None => Ok(self.0.store.domain_ids().await?),
        }
    }

    async fn check_announcement(
        &self,
        domain: DomainId,
        kind: &AnnouncementKind<'_>,
    ) -> Result<(), AdminError> {
        let rules = &self.policy_of(domain).await?.announcement;
        match *kind {
            AnnouncementKind::Stop { begins, emergency: None, .. } => {
                let days = u16::try_from(rules.planned_stop_days).unwrap_or(u16::MAX);
                let first = self.calendar().await?.deadline(self.now(), days);
                if begins < first {
                    return Err(AdminError::TooSoon { days, first });
                }
            }
            AnnouncementKind::Stop { emergency: Some(reason), .. } => {
                check_text(reason)?;
                if !rules.emergencies {
                    return Err(AdminError::NoEmergencies);
                }
            }
            AnnouncementKind::Incident { recovery, .. } => {
                if rules.recovery_time && recovery.is_none() {
                    return Err(AdminError::NoRecovery);
                }
            }
        }
        Ok(())
    }

    /// One message for each domain, with all who are to get it; its chunks are written.
    async fn letters(
        &self,
        domains: &[(DomainId, DomainName)],
        subject: &str,
        text: &str,
    ) -> Result<Vec<MassMail>, AdminError> {
        let mut mail = Vec::with_capacity(domains.len());
        for (domain, name) in domains {
            let to = self.0.store.everybody(*domain).await?;
            if to.is_empty() {
                continue;
            }
            let letter = Letter { domain: *domain, name, to: None, subject, text, thread: None };
            let (prepared, queue_id, _) = self.prepare_letter(&letter).await?;
            let content = self.write_content(&prepared).await?;
            let about = trace_query::about(&queue_id, &prepared.facts);
            mail.push(MassMail { content, to, about, bytes: prepared.len() as u64 });
        }
        Ok(mail)
    }

    /// The handing out to each mailbox follows behind the commit, in batches.
    async fn send_letters(&self, tx: &mut Tx, mail: &[MassMail]) -> Result<(), AdminError> {
        for mail in mail {
            let trace = self.queue_id();
            let event = Event::of_own_mail(self.now(), &trace, mail.bytes, &mail.about);
            tx.accept_announced(&mail.content, &mail.to, &event).await?;
        }
        Ok(())
    }
}

struct MassMail {
    content: NewContent,
    to: Vec<Target>,
    about: String,
    bytes: u64,
}

fn check_text(text: &str) -> Result<(), AdminError> {
    let fits = (1..=TEXT_CHARS_MAX).contains(&text.trim().chars().count()) && !text.contains('\0');
    if fits { Ok(()) } else { Err(AdminError::BadText) }
}

fn letter(kind: &AnnouncementKind<'_>, text: &str) -> (String, String) {
    let text = text.trim();
    match *kind {
        AnnouncementKind::Stop { begins, ends, emergency } => {
            let urgent = if emergency.is_some() { " khẩn cấp" } else { "" };
            let why = emergency
                .map(|why| format!("\n\nLý do không thông báo trước được: {why}"))
                .unwrap_or_default();
            let subject =
                format!("Thông báo tạm dừng dịch vụ thư điện tử{urgent} từ {}", written_time(begins));
            let body = format!(
                "Kính gửi: Các cơ quan, đơn vị và cá nhân sử dụng hệ thống thư điện tử công vụ\n\nHệ thống thư điện tử công vụ tạm dừng \
                 hoạt động{urgent} từ {} đến {}.\n\nNội dung: {text}{why}\n\nTrong thời gian này không gửi, nhận và xem thư được. Thư từ \
                 bên ngoài gửi đến sẽ được máy chủ gửi tự động chuyển lại sau khi hệ thống hoạt động trở lại. Đề nghị \
                 các cơ quan, đơn vị và cá nhân chủ động sắp xếp công việc.\n\nTrân trọng.",
                written_time(begins),
                written_time(ends),
            );
            (subject, body)
        }
        AnnouncementKind::Incident { since, recovery } => {
            let until = recovery.map_or_else(
                || "Thời gian khắc phục: sẽ thông báo sau.".to_owned(),
                |at| format!("Thời gian dự kiến khắc phục xong: {}.", written_time(at)),
            );
            let subject =
                format!("Thông báo sự cố hệ thống thư điện tử ngày {}", written_day(local_date(since)));
            let body = format!(
                "Kính gửi: Các cơ quan, đơn vị và cá nhân sử dụng hệ thống thư điện tử công vụ\n\nHệ thống thư điện tử công vụ gặp sự cố từ \
                 {}.\n\nNội dung: {text}\n\n{until}\n\nTrân trọng.",
                written_time(since),
            );
            (subject, body)
        }
    }
}

fn withdrawal(row: &AnnouncementRow) -> (String, String) {
    let incident = row.kind == "incident";
    let what = if incident { "sự cố" } else { "tạm dừng dịch vụ" };
    let subject = format!("Hủy thông báo {what} ngày {}", written_day(local_date(row.begins)));
    let after = if incident {
        "Hệ thống thư điện tử công vụ hoạt động bình thường."
    } else {
        "Hệ thống thư điện tử công vụ không tạm dừng hoạt động trong thời gian đã thông báo."
    };
    let body = format!(
        "Kính gửi: Các cơ quan, đơn vị và cá nhân sử dụng hệ thống thư điện tử công vụ\n\nThông báo {what} từ {} đã được hủy. \
         {after}\n\nTrân trọng.",
        written_time(row.begins)
    );
    (subject, body)
}
