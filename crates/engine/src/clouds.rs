//! Log-ins by servers of a mail program's maker, to whom its user has handed his password, mostly without knowing: told, and refused
//! where policy says so (requirements B11; docs/adr/0026-countries-of-log-ins.md).
//!
//! Invariants: only a right password counts; a mailbox is told once of each maker that has its password, and once more where it is
//! refused, until the password is another; that it could not be told makes no log-in fail. What a client calls itself proves nothing: it warns its user and keeps honest programs out, and
//! is no lock against anybody.

use crate::notices::Notice;
use crate::{Engine, Error, LoginError, Origin, Principal, Protocol, figures};
use jiff::Timestamp;
use model::calendar::{local_text, written_time};
use model::{AccountId, Cloud, CloudLogins, Policy};
use std::collections::HashSet;
use std::sync::{Mutex, OnceLock, PoisonError};
use store::{Event, LoginRow};

/// Mailboxes and makers remembered; beyond, all are forgotten, which costs a question each.
const REMEMBERED_MAX: usize = 50_000;

#[derive(Debug, Default)]
pub(crate) struct Clouds {
    known: OnceLock<Vec<Cloud>>,
    told: Mutex<HashSet<Seen>>,
}

/// What a mailbox was told, as this node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Seen {
    account: AccountId,
    /// Which password it was.
    set_at: Timestamp,
    /// The maker, by its place in the list.
    cloud: usize,
    is_refused: bool,
}

impl Clouds {
    /// Is it the first time that this node hears of it? Then it counts as told.
    fn is_first(&self, seen: Seen) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= REMEMBERED_MAX {
            told.clear();
        }
        told.insert(seen)
    }

    fn forget(&self, seen: &Seen) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).remove(seen);
    }
}

impl Engine {
    /// Whose servers are looked for; said once, before the doors open.
    pub fn use_clouds(&self, clouds: Vec<Cloud>) {
        if self.0.clouds.known.set(clouds).is_err() {
            tracing::error!("makers of mail programs were given twice");
        }
    }

    /// Somebody who is logged in says only now what his program is.
    ///
    /// # Errors
    /// `CloudNotAllowed`, `Unavailable`.
    pub async fn check_client(
        &self,
        who: &Principal,
        origin: &Origin,
        client: &str,
    ) -> Result<(), LoginError> {
        if self.cloud_of(origin, Some(client)).is_none() {
            return Ok(());
        }
        let row = self.0.store.login(who.own().address()).await.map_err(|_| LoginError::Unavailable)?;
        let Some(row) = row else { return Ok(()) };
        let policy = self.policy_of(row.domain).await.map_err(|_| LoginError::Unavailable)?;
        self.tell_of_client(&row, &policy, (origin, Some(client))).await;
        if !self.is_barred_by(&policy, (origin, Some(client))) {
            return Ok(());
        }
        // Behind the log-in, which it was let in by.
        let error = LoginError::CloudNotAllowed;
        self.note_login(Some(row.account), Some(&error), origin).await;
        figures::login(Some(&error), origin.protocol);
        Err(error)
    }

    /// Does policy let nobody in by this program?
    pub(crate) fn is_barred_by(&self, policy: &Policy, (origin, client): (&Origin, Option<&str>)) -> bool {
        policy.login.clouds == CloudLogins::Refuse && self.cloud_of(origin, client).is_some()
    }

    /// A maker's part in a log-in whose password was right, let in or not, is told.
    pub(crate) async fn tell_of_client(
        &self,
        row: &LoginRow,
        policy: &Policy,
        (origin, client): (&Origin, Option<&str>),
    ) {
        let Some((place, cloud)) = self.cloud_of(origin, client) else { return };
        let is_refused = match policy.login.clouds {
            CloudLogins::Allow => return,
            CloudLogins::Warn => false,
            CloudLogins::Refuse => true,
        };
        let seen = Seen { account: row.account, set_at: row.password_set_at, cloud: place, is_refused };
        if self.0.clouds.is_first(seen)
            // Boxed, as hardly a log-in comes here: each would be larger by a letter.
            && let Err(error) = Box::pin(self.tell_of_cloud(row, policy, (origin, cloud, is_refused))).await
        {
            tracing::warn!(%error, "nobody could be told whom a password was handed to");
            self.0.clouds.forget(&seen);
        }
    }

    /// To the page people come by themselves.
    fn cloud_of(&self, origin: &Origin, client: Option<&str>) -> Option<(usize, &Cloud)> {
        if origin.protocol == Protocol::Http {
            return None;
        }
        let known = self.0.clouds.known.get()?;
        known.iter().enumerate().find(|(_, cloud)| cloud.is(client, origin.remote))
    }

    async fn tell_of_cloud(
        &self,
        row: &LoginRow,
        policy: &Policy,
        (origin, cloud, is_refused): (&Origin, &Cloud, bool),
    ) -> Result<(), Error> {
        let (subject, text) = self.about_cloud(row, policy, (origin, cloud, is_refused));
        let act = if is_refused { "refused" } else { "warned" };
        let set_at = row.password_set_at.as_second();
        let key = format!("cloud/{}/{}/{act}/{set_at}", row.account, cloud.name);
        let notice = Notice { key: &key, to: row.account, subject: &subject, text: &text };
        if !self.post(&notice).await? {
            return Ok(());
        }
        tracing::warn!(account = %row.account, cloud = cloud.name, act, "a password was handed to a mail program's maker");
        metrics::counter!("congthu_cloud_logins_total", "act" => act).increment(1);
        let event = Event {
            at: self.now(),
            kind: "cloud_login",
            trace: &origin.trace_text(),
            account: Some(row.account),
            remote: Some(&origin.remote.to_canonical().to_string()),
            sender: None,
            size: None,
            status: Some(&format!("{}: {act} {}", self.door_of(origin), cloud.name)),
            about: None,
        };
        Ok(self.0.store.note(&event).await?)
    }

    fn about_cloud(
        &self,
        row: &LoginRow,
        policy: &Policy,
        (origin, cloud, is_refused): (&Origin, &Cloud, bool),
    ) -> (String, String) {
        let (address, name, page) = (&row.primary, &cloud.name, &self.0.settings.password_page);
        let (now, remote) = (self.now(), origin.remote.to_canonical());
        let support = format!("{}@{}", policy.contact.support, address.domain());
        let (done, english) = match is_refused {
            true => (" Theo quy định, lần đăng nhập đó đã bị từ chối.", "refused to them, as policy says"),
            false => ("", "logged in to by them"),
        };
        let subject = format!("Mật khẩu hộp thư {address} đã được giao cho máy chủ của {name}");
        let text = format!(
            "Lúc {}, máy chủ của hãng {name} (địa chỉ IP {remote}) đã dùng đúng mật khẩu để đăng nhập vào hộp thư {address}.{done}\n\n\
             Chương trình thư mà chủ hộp thư cài đặt không kết nối trực tiếp đến hệ thống này: nó giao mật khẩu cho hãng, để máy chủ \
             của hãng lấy thư về và lưu ở ngoài hệ thống của tỉnh. Outlook bản mới cho Windows và Outlook trên điện thoại làm như \
             vậy.\n\nĐề nghị: gỡ hộp thư khỏi chương trình đó; đổi mật khẩu tại {page}; dùng chương trình kết nối trực tiếp (Outlook \
             bản cổ điển, Thunderbird, ứng dụng Thư của điện thoại). Cần hướng dẫn, liên hệ {support}.\n\n--\nAt {} servers of {name} \
             had the right password of the mailbox, which was {english}: the mail program hands it to its maker, to fetch the mail. \
             Take the mailbox out of that program, change the password at {page}, and use one that connects by itself.",
            written_time(now),
            local_text(now),
        );
        (subject, text)
    }
}
