//! The section of a policy that says how much mailboxes may send, by their class, and what is done with one that sends more.
//!
//! An Giang 63/2016 Điều 8.1d has mailboxes that spread spam locked; no text gives a number, so the defaults are what an office
//! does not reach in its busiest hour and whoever steals a password does at once.

use super::field::{Field, section};
use super::value::{OFF, Value};
use super::{Measure, Policy};
use crate::sending::{Steps, Suspicion};
use crate::{MailboxClass, SendingLimits};
use serde::{Deserialize, Serialize};

section! {
    /// Giới hạn gửi thư.
    Limits limit LIMIT {
        /// Messages an hour and a day, recipients an hour and a day; of 1 to 10,000,000 each.
        person: SendingLimits = of(100, 500, 500, 2_000), Plain 1..=10_000_000, "Giới hạn gửi của hộp thư cá nhân", "D7";
        leader: SendingLimits = of(100, 500, 1_000, 4_000), Plain 1..=10_000_000, "Giới hạn gửi của hộp thư lãnh đạo", "D7";
        organisation: SendingLimits = of(300, 2_000, 10_000, 50_000), Plain 1..=10_000_000, "Giới hạn gửi của hộp thư đơn vị", "D7";
        /// Programs of the province send as these.
        service: SendingLimits = of(2_000, 20_000, 20_000, 200_000), Plain 1..=10_000_000, "Giới hạn gửi của hộp thư dịch vụ", "D7";
        /// Addresses elsewhere that a mailbox never wrote to before; service mailboxes write to anybody; 1 to 100,000.
        strangers: Option<u32> = Some(100), PerHour 1..=100_000, "Số địa chỉ bên ngoài mới tối đa", "D7";
        /// Messages to such that were refused in one hour, after which the mailbox is locked: AG Đ8.1d; 1 to 100,000.
        lock_after: Option<u32> = Some(200), Count 1..=100_000, "Tạm khóa vì phát tán thư rác khi số thư bị từ chối trong giờ đạt", "B5";
        /// What is left of its limits, of the numbers above too, to a mailbox that something else makes suspect; at least 1; 1 to 100.
        suspect_percent: u32 = 10, Percent 1..=100, "Giới hạn gửi còn lại của hộp thư có dấu hiệu bị chiếm đoạt", "D7";
        /// For how long it is; 1 to 30.
        suspect_days: u32 = 1, Days 1..=30, "Thời gian hạn chế gửi của hộp thư có dấu hiệu bị chiếm đoạt", "D7";
        /// Messages with malware that a mailbox sent in a day: after the first number it may send less, after the second it is locked
        /// (AG Đ8.1d); 1 to 10,000 each.
        malware: Option<Steps> = Some(Steps { throttle_after: 2, lock_after: 5 }), Plain 1..=10_000, "Hạn chế rồi tạm khóa khi số thư gửi đi có mã độc trong ngày đạt", "B5";
        /// The same of messages that the filter holds for spam, and that were refused or kept back.
        spam: Option<Steps> = Some(Steps { throttle_after: 5, lock_after: 20 }), Plain 1..=10_000, "Hạn chế rồi tạm khóa khi số thư gửi đi là thư rác trong ngày đạt", "B5";
    }
}

const fn of(
    messages_per_hour: u32,
    messages_per_day: u32,
    recipients_per_hour: u32,
    recipients_per_day: u32,
) -> SendingLimits {
    SendingLimits { messages_per_hour, messages_per_day, recipients_per_hour, recipients_per_day }
}

impl SendingLimits {
    const fn numbers(&self) -> [u32; 4] {
        [self.messages_per_hour, self.messages_per_day, self.recipients_per_hour, self.recipients_per_day]
    }
}

impl Value for SendingLimits {
    fn text(&self) -> String {
        self.numbers().to_vec().text()
    }
    fn parse(text: &str) -> Option<Self> {
        let numbers = Vec::<u32>::parse(text)?;
        let &[messages_hour, messages_day, recipients_hour, recipients_day] = numbers.as_slice() else {
            return None;
        };
        Some(of(messages_hour, messages_day, recipients_hour, recipients_day))
    }
    fn shown(&self, _: Measure) -> String {
        let [messages_hour, messages_day, recipients_hour, recipients_day] = self.numbers();
        format!(
            "{messages_hour} thư/giờ, {messages_day} thư/ngày, {recipients_hour} người nhận/giờ, {recipients_day} người nhận/ngày"
        )
    }
    fn form(_: Measure, min: u32, max: u32) -> String {
        format!(
            "messages an hour, messages a day, recipients an hour, recipients a day, with commas between: \
             {min} to {max} each, no more an hour than a day"
        )
    }
    fn within(&self, min: u32, max: u32) -> bool {
        let [messages_hour, messages_day, recipients_hour, recipients_day] = self.numbers();
        self.numbers().iter().all(|number| number.within(min, max))
            && messages_hour <= messages_day
            && recipients_hour <= recipients_day
    }
}

impl Value for Option<Steps> {
    fn text(&self) -> String {
        self.map_or_else(|| OFF.to_owned(), |steps| vec![steps.throttle_after, steps.lock_after].text())
    }
    fn parse(text: &str) -> Option<Self> {
        if text == OFF {
            return Some(None);
        }
        let numbers = Vec::<u32>::parse(text)?;
        let &[throttle_after, lock_after] = numbers.as_slice() else { return None };
        Some(Some(Steps { throttle_after, lock_after }))
    }
    fn shown(&self, _: Measure) -> String {
        let steps = |steps: &Steps| format!("{} thư, {} thư", steps.throttle_after, steps.lock_after);
        self.as_ref().map_or_else(|| "không áp dụng".to_owned(), steps)
    }
    fn form(_: Measure, min: u32, max: u32) -> String {
        format!(
            "two numbers of messages, {min} to {max}, the second no smaller, with a comma between, or {OFF}"
        )
    }
    fn within(&self, min: u32, max: u32) -> bool {
        self.is_none_or(|Steps { throttle_after, lock_after }| {
            throttle_after.within(min, max) && lock_after.within(min, max) && throttle_after <= lock_after
        })
    }
}

impl Policy {
    /// How much a mailbox of this class may send.
    #[must_use]
    pub const fn sending_limits(&self, class: MailboxClass) -> SendingLimits {
        match class {
            MailboxClass::Person => self.limit.person,
            MailboxClass::Leader => self.limit.leader,
            MailboxClass::Organisation => self.limit.organisation,
            MailboxClass::Service => self.limit.service,
        }
    }

    /// When such a mailbox sends as no person would.
    #[must_use]
    pub const fn suspicion(&self, class: MailboxClass) -> Suspicion {
        let limit = &self.limit;
        let is_spared = matches!(class, MailboxClass::Service);
        let (strangers_per_hour, lock_after) =
            if is_spared { (None, None) } else { (limit.strangers, limit.lock_after) };
        let (suspect_percent, malware, spam) = (limit.suspect_percent, limit.malware, limit.spam);
        Suspicion { strangers_per_hour, lock_after, suspect_percent, malware, spam, is_spared }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SetError;

    #[test]
    fn limits_are_four_numbers_that_agree() {
        let mut policy = Policy::default();
        policy.set("limit.person", "10, 20, 30,40").unwrap();
        assert_eq!(policy.sending_limits(MailboxClass::Person), of(10, 20, 30, 40));
        assert_eq!(Policy::field("limit.person").unwrap().text(&policy), "10,20,30,40");
        for wrong in ["", "1", "1,2,3", "1,2,3,4,5", "a,b,c,d"] {
            assert_eq!(policy.set("limit.person", wrong), Err(SetError::Form), "{wrong}");
        }
        for wrong in ["0,1,1,1", "2,1,1,1", "1,1,2,1", "1,1,1,10000001"] {
            assert_eq!(policy.set("limit.person", wrong), Err(SetError::Range), "{wrong}");
        }
    }

    #[test]
    fn steps_are_two_numbers_that_rise_or_none() {
        let mut policy = Policy::default();
        policy.set("limit.malware", "1,3").unwrap();
        assert_eq!(policy.limit.malware, Some(Steps { throttle_after: 1, lock_after: 3 }));
        policy.set("limit.spam", "off").unwrap();
        assert_eq!(policy.suspicion(MailboxClass::Person).spam, None);
        for wrong in ["", "1", "1,2,3", "a,b"] {
            assert_eq!(policy.set("limit.malware", wrong), Err(SetError::Form), "{wrong}");
        }
        for wrong in ["0,1", "3,2", "1,10001"] {
            assert_eq!(policy.set("limit.malware", wrong), Err(SetError::Range), "{wrong}");
        }
    }

    #[test]
    fn programs_of_the_province_write_to_whomever_they_must() {
        let policy = Policy::default();
        assert_eq!(policy.suspicion(MailboxClass::Service).lock_after, None);
        assert_eq!(policy.suspicion(MailboxClass::Person).lock_after, policy.limit.lock_after);
    }
}
