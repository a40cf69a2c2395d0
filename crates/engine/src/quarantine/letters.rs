//! The daily letter to a mailbox of what is kept apart for it, and how to have it: without it nobody would ask for what he does not know of.
//!
//! Invariants: each message is told of in one letter, or, when a node dies between letter and note, in two; a mailbox gets one letter
//! a day at most, of a bounded length; nothing in it that a stranger wrote can be followed by a click.

use crate::notices::Notice;
use crate::{Engine, Error};
use model::calendar::{local_date, written_day, written_time};
use model::{AccountId, is_dot, seen};
use std::fmt::Write as _;
use store::QuarantinedRow;

/// Messages named in a letter; of more it says how many.
const NAMED_MAX: usize = 20;
/// Characters of a subject in it.
const SUBJECT_CHARS_MAX: usize = 80;
/// Mailboxes looked at together.
const PAGE: u32 = 500;

impl Engine {
    /// Tells each mailbox of what came to lie apart since its last letter. What fails for one is told on the next day.
    pub(crate) async fn quarantine_letters_job(&self) -> Result<String, Error> {
        let (mut after, mut told) = (AccountId(0), 0_u64);
        loop {
            let mailboxes = self.0.store.untold_quarantines(after, PAGE).await?;
            let Some(last) = mailboxes.last() else { return Ok(format!("{told} letters sent")) };
            after = *last;
            for account in mailboxes {
                match self.tell_quarantined(account).await {
                    Ok(is_told) => told += u64::from(is_told),
                    Err(error) => {
                        tracing::warn!(%error, %account, "a letter about quarantine is sent tomorrow");
                    }
                }
            }
        }
    }

    /// False when it had its letter today, is gone, or nothing is left to be told of.
    async fn tell_quarantined(&self, account: AccountId) -> Result<bool, Error> {
        let all = self.0.store.untold_quarantined(account).await?;
        let Some(first) = all.first() else { return Ok(false) };
        let oldest = all.iter().map(|row| row.held_at).min().unwrap_or(first.held_at);
        let until = oldest.saturating_add(self.quarantine_term(first.domain).await?);
        let day = until.map_or_else(|_| String::new(), |until| written_day(local_date(until)));
        let mut list: String = all.iter().take(NAMED_MAX).map(line).collect();
        if all.len() > NAMED_MAX {
            let _ = writeln!(list, "… và {} thư khác.", all.len() - NAMED_MAX);
        }
        let (mailbox, count) = (&first.mailbox, all.len());
        let subject = format!("Có {count} thư gửi đến hộp thư {mailbox} đang được cách ly");
        let text = format!(
            "Từ thông báo trước đến nay, hệ thống cách ly {count} thư gửi đến hộp thư {mailbox}, do có dấu hiệu là thư rác hoặc không xác \
             thực được người gửi. Các thư này chưa được chuyển vào hộp thư:\n\n{list}\nNếu có thư cần nhận, đề nghị trả lời thông báo \
             này, ghi rõ số của thư, trước ngày {day}; sau thời hạn lưu, thư cách ly bị xóa. Nếu không cần thư nào, Ông (Bà) không \
             cần làm gì. Không trả lời, không liên hệ theo hướng dẫn của người gửi các thư trên khi chưa xác minh.\n\n--\n{count} \
             messages for {mailbox} are kept apart, as they look like spam or nothing shows who sent them. To have one, answer this \
             with its number before they are dropped."
        );
        let key = format!("quarantine/{account}/{}", local_date(self.now()));
        let is_told = self.post(&Notice { key: &key, to: account, subject: &subject, text: &text }).await?;
        if is_told {
            let told: Vec<i64> = all.iter().map(|row| row.held).collect();
            self.0.store.quarantined_told(&told).await?;
        }
        Ok(is_told)
    }
}

/// Number, when, from whom, about what, and why.
fn line(row: &QuarantinedRow) -> String {
    let from = plain(row.author.as_deref().unwrap_or(&row.sender));
    let from = if from.is_empty() { "không rõ người gửi" } else { from.as_str() };
    let (subject, why) = (harmless(&row.subject), why(&row.reason));
    format!("- Số {}, {}, từ {from}: “{subject}” ({why})\n", row.held, written_time(row.held_at))
}

/// An address, of which a quoted local part may be anything; as text that no program takes for a link, either.
pub(super) fn plain(address: &str) -> String {
    let mut text = String::with_capacity(address.len());
    for letter in address.chars() {
        match letter {
            '.' => text.push_str("[.]"),
            '@' => text.push_str("[@]"),
            letter if letter.is_alphanumeric() || "-_+=".contains(letter) => text.push(letter),
            _ => text.push('?'),
        }
    }
    text
}

/// As text that no program takes for a link or a new line.
pub(super) fn harmless(subject: &str) -> String {
    let mut text = String::with_capacity(subject.len());
    for shown in seen(subject).chars().take(SUBJECT_CHARS_MAX) {
        match shown {
            shown if is_dot(shown) => text.push_str("[.]"),
            '/' | '@' | '<' | '>' => text.push(' '),
            shown => text.push(shown),
        }
    }
    text
}

/// In a reader's words.
fn why(reason: &str) -> &'static str {
    match reason {
        "spam" => "thư rác",
        "suspect" => "nghi là thư rác",
        "own_domain" => "mạo danh tên miền của hệ thống",
        "own_name" => "tên người gửi chứa địa chỉ của hệ thống",
        "dmarc" => "tên miền gửi không xác nhận thư này",
        "spf" => "máy chủ gửi không được tên miền gửi cho phép",
        _ => "không rõ người gửi",
    }
}
