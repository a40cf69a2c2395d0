//! Mail that goes on by itself to another system (chuyển thư tự động) and does not get there.
//!
//! Invariants: its writer hears of the address that he wrote to, and not where that passes its mail on to, which is its owner's
//! affair (RFC 3464 4.2); the owner hears that it fails, whatever its writer wants to hear, once a day at most, and only of where he has
//! mail sent to now. Whose it is was noted when it was accepted: a sender may claim any original recipient.

use super::{Ended, said};
use crate::report::{Told, What};
use crate::{Engine, Error};
use model::queue::{Answer, Notify, Outcome, Status};
use model::{AccountId, Address, unlinked};
use std::collections::BTreeMap;
use store::{LeasedDelivery, LeasedRecipient, OwedNotice};

/// Somebody's mail that did not get to where it is passed on.
#[derive(Debug)]
pub(super) struct Failing {
    by: AccountId,
    target: String,
    said: String,
    /// Does its writer want to hear of it?
    is_asked: bool,
}

/// The address in an original recipient (RFC 3461 4.2) that mail was written to; `None`: it is of another kind, or none that could
/// stand in a report.
pub(crate) fn written_to(original: &str) -> Option<String> {
    let (kind, address) = original.split_once(';')?;
    let is_mail = kind.eq_ignore_ascii_case("rfc822") || kind.eq_ignore_ascii_case("utf-8");
    let address = proto::smtp::xtext(address).unwrap_or_else(|| address.to_owned());
    let is_plain = !address.chars().any(|c| c.is_control() || c.is_whitespace());
    (is_mail && is_plain && address.contains('@')).then_some(address)
}

/// What [`written_to`] reads (RFC 3461 4.2), of every address: without its tag where that could not stand in a report, which the
/// sender chose, and in the form of RFC 6533 3 where it is not of ASCII.
pub(crate) fn original_of(address: &Address) -> String {
    let all = [Some(address.to_string()), address.without_tag().map(|plain| plain.to_string())];
    let fits = |text: &String| text.chars().all(|c| c.is_ascii_graphic());
    match all.iter().flatten().find(|text| fits(text)) {
        Some(text) => format!("rfc822;{}", text.replace('+', "+2B").replace('=', "+3D")),
        None => {
            let written = |c: char| match c {
                '+' | '=' | '\\' => format!("\\x{{{:X}}}", u32::from(c)),
                c if c.is_ascii_graphic() => c.to_string(),
                c => format!("\\x{{{:X}}}", u32::from(c)),
            };
            format!("utf-8;{}", address.to_string().chars().map(written).collect::<String>())
        }
    }
}

/// Our address that was written to, where that passes its mail on to this one.
pub(crate) fn written_of(to: &LeasedRecipient) -> Option<&str> {
    to.passed_on.as_ref().map(|on| on.written.as_str())
}

/// The recipients that `is_meant` takes, by whose events tell of them, as events have them: of mail that was passed on its owner's,
/// so that whoever sent it does not learn where it went (`Store::trace`).
pub(crate) fn by_whose<'a>(
    deliveries: impl IntoIterator<Item = &'a LeasedDelivery>,
    is_meant: impl Fn(&LeasedRecipient) -> bool,
) -> BTreeMap<Option<AccountId>, Vec<String>> {
    let mut whose: BTreeMap<Option<AccountId>, Vec<String>> = BTreeMap::new();
    for delivery in deliveries {
        for to in delivery.recipients.iter().filter(|to| is_meant(to)) {
            whose.entry(whose_of(delivery, to)).or_default().push(to.address.to_lowercase());
        }
    }
    whose
}

/// As [`by_whose`], of one.
pub(super) fn whose_of(delivery: &LeasedDelivery, to: &LeasedRecipient) -> Option<AccountId> {
    to.passed_on.as_ref().map(|on| on.by).or(delivery.account)
}

/// What of this was passed on and has failed.
pub(super) fn failing(ended: &[Ended<'_>]) -> Vec<Failing> {
    let all = ended.iter().flat_map(|(delivery, outcomes)| delivery.recipients.iter().zip(outcomes));
    let failing = all.filter_map(|(to, outcome)| match (&to.passed_on, outcome) {
        (Some(on), Outcome::Failed(answer)) => Some(Failing {
            by: on.by,
            target: to.address.clone(),
            said: unlinked(&said(answer)),
            is_asked: to.notify.asks_for(Notify::FAILURE),
        }),
        _ => None,
    });
    failing.collect()
}

/// Names the address that was written to in place of where it passes mail on to, and takes away what the other side said, which
/// may name that as well.
pub(super) fn conceal(told: &mut Told<'_>) {
    let Some(written) = told.written else { return };
    told.address = written;
    match told.what {
        What::Failed | What::Delayed => {
            let status = Status(told.answer.status.0, 2, 4);
            told.answer =
                Answer::ours(status, "the address passes its mail on by itself, and it has not got there");
        }
        What::Relayed => told.answer = Answer::ours(Status(2, 1, 5), "the address has passed it on"),
        _ => {}
    }
}

impl Engine {
    /// Behind the commit. What is lost here is told of with the next message that fails.
    pub(super) async fn tell_who_forwards(&self, delivery: &LeasedDelivery, failing: &[Failing]) {
        for one in failing {
            if let Err(error) = self.tell_one_who_forwards(delivery, one).await {
                tracing::warn!(%error, "who forwards could not be told that it fails");
            }
        }
    }

    async fn tell_one_who_forwards(&self, delivery: &LeasedDelivery, failing: &Failing) -> Result<(), Error> {
        let Some(party) = self.0.store.parties(&[failing.by]).await?.into_iter().next() else {
            return Ok(());
        };
        let Some(forward) = self.0.store.forward(party.account).await? else { return Ok(()) };
        if !forward.target.to_string().eq_ignore_ascii_case(&failing.target) {
            return Ok(());
        }
        let kept = match forward.keep_copy {
            true => "Thư vẫn được lưu trong hộp thư của Ông/Bà.",
            false => "Thư KHÔNG được lưu trong hộp thư của Ông/Bà, trừ thư của người gửi chưa được xác thực.",
        };
        let sender = match failing.is_asked
            && self.is_anybody_told(&delivery.sender, delivery.account).await?
        {
            true => "Người gửi được thông báo là thư không đến, không được thông báo địa chỉ chuyển đến.",
            false => {
                "Người gửi KHÔNG được thông báo: thư không có địa chỉ nhận thông báo, không xác thực được người gửi, hoặc \
                 người gửi không yêu cầu."
            }
        };
        let owed = [OwedNotice {
            key: format!("forward-failed/{}/{}", party.account, self.today()),
            to: party.account,
            subject: "Chuyển thư tự động không thành công".to_owned(),
            text: format!(
                "Kính gửi: {}\n\n\
                 Thư gửi đến {} được chuyển tự động đến {}, nhưng không đến được nơi nhận:\n\n    {}\n\n\
                 {kept} {sender}\n\n\
                 Đề nghị Ông/Bà kiểm tra lại địa chỉ chuyển đến, hoặc đề nghị bộ phận hỗ trợ thôi chuyển thư tự động. Thông báo \
                 này được gửi mỗi ngày nhiều nhất một lần.\n\n\
                 Trân trọng.\n",
                party.display_name, party.address, forward.target, failing.said
            ),
        }];
        let mut tx = self.0.store.begin().await?;
        tx.owe_notices(&owed, self.now()).await?;
        tx.commit().await?;
        self.send_owed(&owed).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_stand_in_a_report_is_named() {
        assert_eq!(written_to("rfc822;An+2Bx@demo.vn").as_deref(), Some("An+x@demo.vn"));
        assert_eq!(written_to("UTF-8;ăn@demo.vn").as_deref(), Some("ăn@demo.vn"));
        let own: Address = "an+x@demo.vn".parse().unwrap();
        assert_eq!(written_to(&original_of(&own)).as_deref(), Some("an+x@demo.vn"));
        // Whatever a sender makes of a tag, something can be named in place of where the mail goes.
        for tagged in ["an+x y", "an+ă"] {
            let tagged = Address::new(tagged, "demo.vn").unwrap();
            assert_eq!(written_to(&original_of(&tagged)).as_deref(), Some("an@demo.vn"), "{tagged}");
        }
        let other: Address = "ăn@demo.vn".parse().unwrap();
        assert_eq!(written_to(&original_of(&other)).as_deref(), Some("\\x{103}n@demo.vn"));
        for none in ["an@demo.vn", "x400;/C=VN", "rfc822;an", "rfc822;a@b.vn\r\nX: y", "rfc822;a b@c.vn"] {
            assert_eq!(written_to(none), None, "{none:?}");
        }
    }
}
