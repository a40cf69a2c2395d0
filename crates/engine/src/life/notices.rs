//! What owners and officers are told of a mailbox's life, in a civil servant's words.

use crate::notices::Notice;
use crate::{Engine, Error};
use jiff::Timestamp;
use jiff::civil::Date;
use model::calendar::{days_from, local_date, plus_months, written_day};
use model::lifecycle::{DeletionCause, Life, LockReason, RestoreRequest, Rules, Warning, backups_until};
use model::{AccountId, UnitId};
use std::collections::{BTreeSet, HashMap};
use store::{LifeRow, OwedNotice};

/// Who is told beside the owner, by unit.
#[derive(Debug, Default)]
pub(super) struct Telling {
    by_unit: HashMap<UnitId, Vec<AccountId>>,
    /// Where it is the centre's business, too.
    centre: Vec<AccountId>,
}

impl Telling {
    pub(super) fn add_centre(&mut self, centre: Vec<AccountId>) {
        self.centre.extend(centre);
    }

    /// The officers' mailboxes and the centre's, each once, without the one it is about.
    pub(super) fn officers(&self, row: &LifeRow) -> BTreeSet<AccountId> {
        let officers = row.unit.and_then(|unit| self.by_unit.get(&unit));
        let all = officers.into_iter().flatten().chain(&self.centre).copied();
        all.filter(|officer| *officer != row.account).collect()
    }
}

impl Engine {
    /// Who is told about these mailboxes, in one question.
    pub(super) async fn telling(&self, rows: impl Iterator<Item = &LifeRow>) -> Result<Telling, Error> {
        let units: BTreeSet<UnitId> = rows.filter_map(|row| row.unit).collect();
        let mut telling = Telling::default();
        if units.is_empty() {
            return Ok(telling);
        }
        let units: Vec<UnitId> = units.into_iter().collect();
        for (unit, account) in self.0.store.officers(&units, self.now()).await? {
            telling.by_unit.entry(unit).or_default().push(account);
        }
        Ok(telling)
    }

    pub(super) async fn tell_warning(
        &self,
        row: &LifeRow,
        warning: &Warning,
        telling: &Telling,
    ) -> Result<(), Error> {
        let day = warning.locks_on();
        let left = days_from(warning.given_on, day);
        let key = format!("lock-warning/{}/{}/{}", row.account, warning.lock_on, warning.days_before);
        let subject = format!("Hộp thư {} sẽ bị tạm khóa sau {left} ngày", row.address);
        let text = format!(
            "Hộp thư {} đã lâu không phát sinh giao dịch gửi, nhận thư. Nếu không được sử dụng, hộp thư sẽ bị tạm khóa từ \
             ngày {}.\n\nĐể tiếp tục sử dụng: đăng nhập, đọc thư mới hoặc gửi một thư. Trường hợp nghỉ dài ngày, đơn vị gửi thông \
             báo lý do cho bộ phận quản trị.\n\n--\nThe mailbox will be locked on {day} unless it is used: read new mail, or \
             send a message.",
            row.address,
            written_day(day)
        );
        for OwedNotice { key, to, subject, text } in self.notices(&key, row, true, telling, &subject, &text) {
            self.post(&Notice { key: &key, to, subject: &subject, text: &text }).await?;
        }
        Ok(())
    }

    /// What has just happened to it.
    pub(super) fn about_change(
        &self,
        row: &LifeRow,
        life: &Life,
        rules: &Rules,
        telling: &Telling,
    ) -> Vec<OwedNotice> {
        match *life {
            Life::Locked { since, reason, .. } => self.about_locked(row, since, reason, rules, telling),
            Life::ToBeDeleted { since, cause, .. } => self.about_listed(row, since, cause, telling),
            Life::Active { since } => self.about_restored(row, since, telling),
            Life::Deleted { at } => self.about_deleted(row, telling, local_date(at), rules),
            Life::New => Vec::new(),
        }
    }

    fn about_locked(
        &self,
        row: &LifeRow,
        since: Timestamp,
        reason: LockReason,
        rules: &Rules,
        telling: &Telling,
    ) -> Vec<OwedNotice> {
        let key = format!("locked/{}/{since}", row.account);
        let subject = format!("Hộp thư {} đã bị tạm khóa", row.address);
        let term = rules.deletion_months.map(|months| {
            let day = written_day(plus_months(local_date(since), months));
            format!(" Sau ngày {day}, nếu không có đề nghị khôi phục, hộp thư được đưa vào danh sách xóa.")
        });
        let text = format!(
            "Hộp thư {} ({}) bị tạm khóa từ ngày {}. Lý do: {}.\n\nĐể khôi phục, đơn vị gửi đề nghị khôi phục cho bộ phận quản \
             trị.{}\n\n--\nThe mailbox is locked; the organisation can ask for its restoration.",
            row.address,
            row.display_name,
            written_day(local_date(since)),
            reason.vietnamese(),
            term.unwrap_or_default(),
        );
        self.notices(&key, row, true, telling, &subject, &text)
    }

    fn about_listed(
        &self,
        row: &LifeRow,
        since: Timestamp,
        cause: DeletionCause,
        telling: &Telling,
    ) -> Vec<OwedNotice> {
        let key = format!("listed/{}/{since}", row.account);
        let subject = format!("Hộp thư {} được đưa vào danh sách xóa", row.address);
        let text = format!(
            "Hộp thư {} ({}) được đưa vào danh sách xóa từ ngày {}. Lý do: {}.\n\nSau khi xóa, dữ liệu không thể khôi phục. Nếu \
             còn cần hộp thư, đơn vị gửi ngay đề nghị khôi phục cho bộ phận quản trị.\n\n--\nThe mailbox is to be deleted; \
             the organisation can still ask for its restoration.",
            row.address,
            row.display_name,
            written_day(local_date(since)),
            cause.vietnamese()
        );
        self.notices(&key, row, false, telling, &subject, &text)
    }

    fn about_deleted(&self, row: &LifeRow, telling: &Telling, day: Date, rules: &Rules) -> Vec<OwedNotice> {
        let key = format!("deleted/{}", row.account);
        let subject = format!("Hộp thư {} đã được xóa", row.address);
        let last = backups_until(day, rules);
        let text = format!(
            "Hộp thư {} ({}) đã được xóa ngày {} cùng toàn bộ thư. Địa chỉ không được cấp lại cho người khác. Các bản sao lưu của \
             hệ thống có thể còn giữ thư đến hết ngày {}.\n\n--\nThe mailbox was deleted with its mail. Backups of the system may hold \
             the mail until {last}.",
            row.address,
            row.display_name,
            written_day(day),
            written_day(last)
        );
        self.notices(&key, row, false, telling, &subject, &text)
    }

    /// Khôi phục: to the owner, who finds it once he is in, and the officers.
    fn about_restored(&self, row: &LifeRow, at: Timestamp, telling: &Telling) -> Vec<OwedNotice> {
        let key = format!("restored/{}/{at}", row.account);
        let subject = format!("Hộp thư {} đã được khôi phục", row.address);
        let text = format!(
            "Hộp thư {} ({}) đã được khôi phục ngày {}. Mật khẩu cấp một lần được giao riêng và phải đổi trong lần đăng nhập \
             đầu tiên tại {}\n\n--\nThe mailbox was restored.",
            row.address,
            row.display_name,
            written_day(local_date(at)),
            self.password_page()
        );
        self.notices(&key, row, true, telling, &subject, &text)
    }

    /// Đề nghị khôi phục: it has come and is `due`, or was refused and `why`.
    /// The officers hear it: the owner cannot read it.
    pub(super) fn about_restoration(
        &self,
        row: &LifeRow,
        telling: &Telling,
        due: Option<Date>,
        why: &str,
    ) -> Vec<OwedNotice> {
        let (address, name) = (&row.address, &row.display_name);
        let (key, subject, text) = match row.life.request() {
            RestoreRequest::None => return Vec::new(),
            RestoreRequest::Asked { at } => {
                let due = due
                    .map(|day| format!(", hạn xử lý đến hết ngày {}", written_day(day)))
                    .unwrap_or_default();
                (
                    format!("restore-asked/{}/{at}", row.account),
                    format!("Đã tiếp nhận đề nghị khôi phục hộp thư {address}"),
                    format!(
                        "Đề nghị khôi phục hộp thư {address} ({name}) đã được tiếp nhận{due}.\n\n--\nThe request to \
                         restore the mailbox was received."
                    ),
                )
            }
            RestoreRequest::Refused { at } => (
                format!("restore-refused/{}/{at}", row.account),
                format!("Đề nghị khôi phục hộp thư {address} không được chấp thuận"),
                format!(
                    "Đề nghị khôi phục hộp thư {address} ({name}) không được chấp thuận. Lý do: {why}.\n\nHộp thư giữ nguyên \
                     trạng thái; đơn vị có thể gửi đề nghị khác.\n\n--\nThe request to restore the mailbox was refused."
                ),
            ),
        };
        self.notices(&key, row, false, telling, &subject, &text)
    }

    fn notices(
        &self,
        key: &str,
        row: &LifeRow,
        owner: bool,
        telling: &Telling,
        subject: &str,
        text: &str,
    ) -> Vec<OwedNotice> {
        let owner = owner.then_some(row.account);
        let told = owner.into_iter().chain(telling.officers(row));
        told.map(|to| OwedNotice {
            key: format!("{key}/{to}"),
            to,
            subject: subject.to_owned(),
            text: text.to_owned(),
        })
        .collect()
    }
}
