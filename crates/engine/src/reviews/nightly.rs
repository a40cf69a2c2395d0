//! The nightly look at which units are to review their mailboxes, and what is said to whom of it.
//!
//! Invariants: what is due is a function of the clock and the database, so done twice it does nothing more; who is told of an overdue
//! review is told once; a review of a unit that has no mailbox left ends by itself.

use super::{Actor, Engine, Error, audited_as};
use crate::AdminError;
use model::calendar::{local_date, written_day};
use model::{AccountId, DomainId, DomainName, ReviewDecision, UnitId};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use store::{OwedNotice, ReviewMailbox, ReviewRow, ReviewedMailbox};

/// Units and reviews read at once.
const PAGE: u32 = 500;
/// Units named to the centre in one letter; the others are in the list that it points to.
const NAMED_MAX: usize = 100;
/// Mailboxes listed in a unit's letter.
const LISTED_MAX: usize = 200;
/// What stands in a review that ended by itself.
const EMPTY: &str = "Đơn vị không còn hộp thư nào";

impl Engine {
    pub(crate) async fn keep_reviews_job(&self) -> Result<String, Error> {
        self.keep_reviews().await.map_err(|error| match error {
            AdminError::Engine(error) => error,
            other => {
                tracing::error!(error = %other, "the nightly look at reviews met what it should not");
                Error::Unavailable
            }
        })
    }

    async fn keep_reviews(&self) -> Result<String, AdminError> {
        let system = Actor::system("keep-reviews");
        let ended = self.end_empty_reviews(&system).await?;
        let (mut opened, mut reminded) = (0, 0);
        for (domain, name) in self.0.store.domain_ids().await? {
            opened += self.open_due_reviews(&system, domain).await?;
            reminded += self.remind_of_reviews(domain, &name).await?;
        }
        Ok(format!("{opened} opened, {reminded} reminded of, {ended} ended without mailboxes"))
    }

    async fn end_empty_reviews(&self, system: &Actor) -> Result<usize, AdminError> {
        let mut tx = self.0.store.begin().await?;
        let ended = tx.finish_empty_reviews((system.name(), EMPTY, self.now())).await?;
        for review in &ended {
            let about = json!({ "unit": review.unit_code, "note": EMPTY });
            self.audit(&mut tx, system, "review.end", &audited_as(review), &about).await?;
        }
        tx.commit().await?;
        Ok(ended.len())
    }

    async fn open_due_reviews(&self, system: &Actor, domain: DomainId) -> Result<usize, AdminError> {
        let months = self.policy_of(domain).await?.request.review_months;
        let when = (months, local_date(self.now()));
        let (mut after, mut opened) = (UnitId(0), 0);
        loop {
            let units = self.0.store.units_to_review(domain, when, after, PAGE).await?;
            for unit in &units {
                after = *unit;
                opened += usize::from(self.begin_review(system, *unit).await?.is_some());
            }
            if units.len() < PAGE as usize {
                return Ok(opened);
            }
        }
    }

    /// Each unit's officers of theirs, the centre of all of them in one letter.
    async fn remind_of_reviews(&self, domain: DomainId, name: &DomainName) -> Result<usize, AdminError> {
        let when = (local_date(self.now()), self.now());
        let centre = self.centre(domain, name).await?;
        let mut reminded = 0;
        loop {
            let mut tx = self.0.store.begin().await?;
            let taken = tx.take_overdue_reviews(domain, when, PAGE).await?;
            let units: Vec<UnitId> = taken.iter().map(|review| review.unit).collect();
            let mut by_unit: HashMap<UnitId, Vec<AccountId>> = HashMap::new();
            for (unit, account) in tx.review_officers(&units, self.now()).await? {
                by_unit.entry(unit).or_default().push(account);
            }
            let mut owed = overdue_at_centre(name, &taken, &centre);
            for review in &taken {
                owed.extend(overdue(review, by_unit.get(&review.unit).map_or(&[], Vec::as_slice)));
            }
            tx.owe_notices(&owed, self.now()).await?;
            tx.commit().await?;
            self.send_owed(&owed).await;
            reminded += taken.len();
            if taken.len() < PAGE as usize {
                return Ok(reminded);
            }
        }
    }
}

/// To each of those who answer for the unit.
pub(super) fn opened(review: &ReviewRow, mailboxes: &[ReviewMailbox], told: &[AccountId]) -> Vec<OwedNotice> {
    let ReviewRow { review: number, unit_code, unit_name, listed, .. } = review;
    let due = written_day(review.due_on);
    let subject = format!("Rà soát danh sách hộp thư của {unit_name}, hạn {due}");
    let text = format!(
        "Kính gửi: Ông/Bà phụ trách hộp thư điện tử công vụ của {unit_name}\n\nĐến kỳ rà soát danh sách hộp thư của đơn vị \
         {unit_name} (mã {unit_code}), gồm {listed} hộp thư. Đề nghị đơn vị xem từng hộp thư và xác nhận còn sử dụng, đề nghị thay \
         đổi, hoặc đề nghị thu hồi hộp thư không còn sử dụng; gửi kết quả cho bộ phận quản trị chậm nhất ngày {due}.\n\nSố của kỳ rà \
         soát: {number}.\n\n{}\nCách trả lời: gửi bộ phận quản trị tệp CSV hoặc XLSX gồm ba cột \"địa chỉ\", \"kết quả\" (xác nhận, thay đổi \
         hoặc thu hồi) và \"ghi chú\" (nội dung cần thay đổi, lý do thu hồi), mỗi hộp thư một dòng.\n\n--\nThe mailboxes of \
         {unit_code} are to be reviewed by {due}: confirm, change or revoke each, in a CSV or XLSX list with the columns address, \
         decision and remark. Review {number}.",
        listing(mailboxes),
    );
    to_each(told, &format!("review/{number}/opened"), &subject, &text)
}

/// The mailboxes by address. When each was last used is for the officer, who asks for the review itself, and not in a letter that
/// everybody with a right to the unit's mailbox may read.
fn listing(mailboxes: &[ReviewMailbox]) -> String {
    let mut text = "Danh sách hộp thư:\n".to_owned();
    for (at, ReviewMailbox { address, name, state, .. }) in mailboxes.iter().take(LISTED_MAX).enumerate() {
        let state = state.vietnamese();
        text.push_str(&format!("{}. {address} - {name} ({state})\n", at + 1));
    }
    if let Some(more @ 1..) = mailboxes.len().checked_sub(LISTED_MAX) {
        text.push_str(&format!(
            "và {more} hộp thư khác: đề nghị bộ phận quản trị cung cấp danh sách đầy đủ.\n"
        ));
    }
    text
}

fn overdue(review: &ReviewRow, told: &[AccountId]) -> Vec<OwedNotice> {
    let ReviewRow { review: number, unit_code, unit_name, .. } = review;
    let due = written_day(review.due_on);
    let subject = format!("Quá hạn rà soát danh sách hộp thư của {unit_name}");
    let text = format!(
        "Kính gửi: Ông/Bà phụ trách hộp thư điện tử công vụ của {unit_name}\n\nKết quả rà soát danh sách hộp thư của đơn vị {unit_name} \
         (mã {unit_code}), kỳ số {number}, đã quá hạn ngày {due}. Đề nghị đơn vị thực hiện và gửi kết quả cho bộ phận quản \
         trị.\n\n--\nReview {number} of the mailboxes of {unit_code} was due by {due}."
    );
    to_each(told, &format!("review/{number}/overdue"), &subject, &text)
}

fn overdue_at_centre(domain: &DomainName, reviews: &[ReviewRow], told: &[AccountId]) -> Vec<OwedNotice> {
    let Some(first) = reviews.first() else { return Vec::new() };
    let count = reviews.len();
    let subject = format!("{count} đơn vị quá hạn rà soát danh sách hộp thư ({domain})");
    let mut text = "Các đơn vị sau chưa gửi kết quả rà soát danh sách hộp thư đúng hạn:\n\n".to_owned();
    for review in reviews.iter().take(NAMED_MAX) {
        let ReviewRow { review: number, unit_code, unit_name, due_on, .. } = review;
        text.push_str(&format!(
            "- {unit_name} ({unit_code}), kỳ số {number}, hạn {}\n",
            written_day(*due_on)
        ));
    }
    if count > NAMED_MAX {
        text.push_str(&format!("- và {} đơn vị khác\n", count - NAMED_MAX));
    }
    text.push_str(&format!(
        "\nDanh sách: congthu review list {domain} --overdue\n\n--\n{count} reviews are overdue."
    ));
    to_each(told, &format!("reviews-overdue/{}", first.review), &subject, &text)
}

/// The receipt of whoever answered; those who follow the unit have it, too.
pub(super) fn answered(
    review: &ReviewRow,
    decisions: &[ReviewedMailbox],
    told: &[AccountId],
) -> Vec<OwedNotice> {
    let ReviewRow { review: number, unit_name, .. } = review;
    let count = |decision| decisions.iter().filter(|one| one.decision == decision).count();
    let [confirmed, changed, revoked] = ReviewDecision::ALL.map(count);
    let mut text = format!(
        "Đã tiếp nhận kết quả rà soát danh sách hộp thư của {unit_name}, kỳ số {number}: xác nhận {confirmed} hộp thư, đề nghị thay \
         đổi {changed}, đề nghị thu hồi {revoked}.\n"
    );
    for one in decisions {
        if let Some(request) = one.request {
            text.push_str(&format!("- Đề nghị số {request}: {} {}\n", one.decision.label(), one.address));
        }
    }
    text.push_str(&format!(
        "\n--\nReview {number}: {confirmed} confirmed, {changed} to be changed, {revoked} to be revoked."
    ));
    let subject = format!("Đã tiếp nhận kết quả rà soát hộp thư của {unit_name}");
    to_each(told, &format!("review/{number}/answered"), &subject, &text)
}

fn to_each(told: &[AccountId], key: &str, subject: &str, text: &str) -> Vec<OwedNotice> {
    let told: BTreeSet<AccountId> = told.iter().copied().collect();
    let owed = |to| OwedNotice {
        key: format!("{key}/{to}"),
        to,
        subject: subject.to_owned(),
        text: text.to_owned(),
    };
    told.into_iter().map(owed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_says_how_many_are_not_in_it() {
        let mailbox = |n: usize| ReviewMailbox {
            account: AccountId(1),
            address: format!("hop{n}@a.vn").parse().unwrap(),
            name: "Văn thư".to_owned(),
            class: model::MailboxClass::Organisation,
            state: model::AccountState::Active,
            used_at: None,
            is_new: false,
        };
        let list = |count: usize| listing(&(1..=count).map(mailbox).collect::<Vec<_>>());
        assert!(list(200).ends_with("200. hop200@a.vn - Văn thư (đang sử dụng)\n"));
        let cut = list(203);
        assert!(cut.contains("\n200. hop200@a.vn") && !cut.contains("hop201@a.vn"), "{cut}");
        assert!(
            cut.ends_with("và 3 hộp thư khác: đề nghị bộ phận quản trị cung cấp danh sách đầy đủ.\n"),
            "{cut}"
        );
    }
}
