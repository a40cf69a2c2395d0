//! The letter to whoever sent what the filter keeps back, and to support: he was answered 250, and would wait for an answer to mail that
//! nobody has got.
//!
//! Invariants: each message is told of in one letter to either, or, when a node dies between letter and note, in two; a mailbox, and support
//! of one mailbox, gets one letter an hour at most, of a bounded length, however much a stolen one sends.

use super::letters::{harmless, plain};
use crate::notices::Notice;
use crate::{Engine, Error};
use jiff::Timestamp;
use model::calendar::{local_date, written_day, written_time};
use model::{AccountId, Address};
use std::fmt::Write as _;
use store::{FilteredRow, NoticePlace};

/// Messages named in a letter; of more it says how many.
const NAMED_MAX: usize = 20;
/// Mailboxes looked at together.
const PAGE: u32 = 500;
const HOUR_SECONDS: i64 = 3_600;

impl Engine {
    /// Tells each mailbox of what it sent and the filter keeps back, and support of its domain. What fails for one is told with the next run.
    pub(crate) async fn kept_back_letters_job(&self) -> Result<String, Error> {
        let (mut after, mut told) = (AccountId(0), 0_u64);
        loop {
            let mailboxes = self.0.store.untold_senders(after, PAGE).await?;
            let Some(last) = mailboxes.last() else { return Ok(format!("{told} senders told")) };
            after = *last;
            for account in mailboxes {
                match self.tell_kept_back(account).await {
                    Ok(is_told) => told += u64::from(is_told),
                    Err(error) => {
                        tracing::warn!(%error, %account, "that mail is kept back is told with the next run");
                    }
                }
            }
        }
    }

    /// False when it had its letter in this hour, is gone, or nothing is left to be told of.
    async fn tell_kept_back(&self, account: AccountId) -> Result<bool, Error> {
        let now = self.now();
        let key = format!("kept-back/{account}/{}", now.as_second().div_euclid(HOUR_SECONDS));
        if self.0.store.was_noticed(&key).await? {
            return Ok(false);
        }
        let all = self.0.store.untold_filtered(account).await?;
        let deliveries: Vec<i64> = all.iter().map(|row| row.delivery).collect();
        let Some(oldest) = all.iter().map(|row| row.held_at).min() else { return Ok(false) };
        let Some(place) = self.0.store.notice_place(account).await? else {
            self.0.store.filtered_told(&deliveries).await?;
            return Ok(false);
        };
        let until = oldest.saturating_add(self.quarantine_term(place.domain).await?);
        let letter = Letter::of(&all, &place, until.unwrap_or(Timestamp::MAX));
        let support = self.support_of(&place).await?;
        if let Some(support) = support.filter(|support| *support != account) {
            let key = format!("{key}/support");
            let (subject, text) = letter.to_support();
            self.post(&Notice { key: &key, to: support, subject: &subject, text: &text }).await?;
        }
        let (subject, text) = letter.to_sender();
        let is_told = self.post(&Notice { key: &key, to: account, subject: &subject, text: &text }).await?;
        self.0.store.filtered_told(&deliveries).await?;
        Ok(is_told)
    }

    /// Who answers for the domain of a mailbox.
    async fn support_of(&self, place: &NoticePlace) -> Result<Option<AccountId>, Error> {
        let policy = self.policy_of(place.domain).await?;
        let address = Address::new(&policy.contact.support, place.address.domain().as_str());
        let Ok(address) = address else { return Ok(None) };
        Ok(self.0.store.party(&address).await?.map(|party| party.account))
    }
}

/// What both letters say.
struct Letter {
    mailbox: String,
    messages: usize,
    list: String,
    /// When the first is given up.
    day: String,
}

impl Letter {
    /// Deliveries of one message stand together, as their numbers do.
    fn of(all: &[FilteredRow], place: &NoticePlace, until: Timestamp) -> Self {
        let messages: Vec<&[FilteredRow]> = all.chunk_by(|one, next| one.queue_id == next.queue_id).collect();
        let mut list: String = messages.iter().take(NAMED_MAX).map(|rows| line(rows)).collect();
        if messages.len() > NAMED_MAX {
            let _ = writeln!(list, "… và {} thư khác.", messages.len() - NAMED_MAX);
        }
        let (mailbox, day) = (place.address.to_string(), written_day(local_date(until)));
        Self { mailbox, messages: messages.len(), list, day }
    }

    fn to_sender(&self) -> (String, String) {
        let Self { mailbox, messages, list, day } = self;
        let subject = format!("Có {messages} thư gửi từ hộp thư {mailbox} đang được giữ lại");
        let text = format!(
            "Hệ thống giữ lại {messages} thư gửi từ hộp thư {mailbox} ra ngoài hệ thống, do bộ lọc xác định là thư rác. Người nhận chưa \
             nhận được các thư này:\n\n{list}\nQuản trị viên sẽ xem xét để cho gửi hoặc hủy. Thư không được cho gửi thì bị hủy, sớm nhất \
             vào ngày {day}; khi đó có thông báo. Ông (Bà) không cần gửi lại; nếu thư cần gửi gấp, đề nghị trả lời thông báo này. Nếu \
             Ông (Bà) không gửi các thư trên, có thể người khác đang sử dụng hộp thư: đề nghị đổi mật khẩu ngay và trả lời thông báo \
             này.\n\n--\n{messages} messages from {mailbox} to others are kept back, as the filter takes them for spam: nobody has got \
             them. An administrator lets them go or not; if not, they are given up, and you are told. If you did not send them, change \
             your password now and answer this."
        );
        (subject, text)
    }

    fn to_support(&self) -> (String, String) {
        let Self { mailbox, messages, list, day } = self;
        let subject = format!("Có {messages} thư gửi từ hộp thư {mailbox} chờ xem xét cho gửi");
        let text = format!(
            "Bộ lọc xác định {messages} thư gửi từ hộp thư {mailbox} ra ngoài hệ thống là thư rác; các thư này được giữ lại chờ quản trị \
             viên xem xét:\n\n{list}\nXem: congthu queue list --state held-by-filter. Cho gửi: congthu queue release MÃ-THƯ. Hủy: congthu \
             queue expire MÃ-THƯ. Thư không được xem xét thì bị hủy, sớm nhất vào ngày {day}. Nếu chủ hộp thư không gửi các thư này, đề \
             nghị tạm khóa hộp thư.\n\n--\n{messages} messages from {mailbox} to others wait for an administrator, as the filter takes \
             them for spam: let them go (congthu queue release ID) or give them up (congthu queue expire ID)."
        );
        (subject, text)
    }
}

/// Queue id, when, to whom, about what.
fn line(rows: &[FilteredRow]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let others = rows.iter().map(|row| row.recipients).sum::<u64>().saturating_sub(1);
    let to = plain(&first.recipient);
    let to = if others == 0 { to } else { format!("{to} và {others} người khác") };
    let subject = harmless(first.about.split('\n').nth(2).unwrap_or_default());
    format!("- Mã {}, {}, gửi {to}: “{subject}”\n", first.queue_id, written_time(first.held_at))
}
