//! What makes a policy valid: each field within its range, and what holds between fields, as a list of pure checks.

use super::{HandlingState, Policy};
use crate::Address;

/// Something that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field to mend.
    pub field: &'static str,
    pub rule: Rule,
}

/// Which rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The value lies outside the field's range, both inclusive.
    Range { min: u32, max: u32 },
    /// One file cannot be larger than all of a message.
    FileLargerThanMessage,
    /// What a user of the system may send, others may send too: mail from outside is not to be smaller.
    InboundSmallerThanSubmission,
    /// A leader's mailbox is not smaller than another person's.
    LeaderBelowPerson,
    /// The least of a range is not above its most.
    RangeReversed,
    /// Thresholds rise, none twice.
    NotRising,
    /// Days before a date fall, none twice.
    NotFalling,
    /// A warning cannot come before the term it warns of has begun.
    WarningBeforeTerm,
    /// Handling begins with `new`, ends with `closed` and keeps the order of the states.
    HandlingOrder,
    /// The local part of an address that every mail program can write.
    LocalPart,
    /// A password made of nothing in particular: at least two kinds of characters are asked for.
    PasswordKinds,
}

impl Rule {
    /// For people to read.
    #[must_use]
    pub fn label(self) -> String {
        let text = match self {
            Self::Range { min, max } => return format!("giá trị phải từ {min} đến {max}"),
            Self::FileLargerThanMessage => "một tệp không thể lớn hơn tổng tệp đính kèm của thư",
            Self::InboundSmallerThanSubmission => {
                "thư nhận từ bên ngoài không được nhỏ hơn thư được phép gửi"
            }
            Self::LeaderBelowPerson => "dung lượng lãnh đạo không được nhỏ hơn cá nhân",
            Self::RangeReversed => "mức thấp nhất không được cao hơn mức cao nhất",
            Self::NotRising => "các ngưỡng phải tăng dần",
            Self::NotFalling => "số ngày phải giảm dần",
            Self::WarningBeforeTerm => "cảnh báo sớm hơn cả thời hạn",
            Self::HandlingOrder => "các bước phải theo thứ tự, từ mới đến đến đã kết thúc",
            Self::LocalPart => "không phải tên hợp lệ trước @",
            Self::PasswordKinds => "mật khẩu phải gồm ít nhất hai loại ký tự",
        };
        text.to_owned()
    }
}

/// The fewest days that so many months have: February and its neighbours.
const DAYS_OF_MONTH_MIN: u32 = 28;

pub(super) fn violations(policy: &Policy) -> Vec<Violation> {
    let ranges = Policy::fields()
        .filter(|field| !field.is_valid(policy))
        .map(|field| Violation { field: field.key, rule: Rule::Range { min: field.min, max: field.max } });
    let broken = BETWEEN.iter().filter(|(_, _, holds)| !holds(policy));
    ranges.chain(broken.map(|&(field, rule, _)| Violation { field, rule })).collect()
}

type Check = (&'static str, Rule, fn(&Policy) -> bool);

const BETWEEN: &[Check] = &[
    ("attachment.per_file", Rule::FileLargerThanMessage, |policy| {
        policy.file_bytes_max() <= policy.attachments_bytes_max()
    }),
    ("attachment.inbound_message", Rule::InboundSmallerThanSubmission, |policy| {
        policy.inbound_bytes_max() >= policy.submission_bytes_max()
    }),
    ("quota.leader", Rule::LeaderBelowPerson, |policy| policy.quota.leader >= policy.quota.person),
    ("quota.person_min", Rule::RangeReversed, |policy| {
        rises(policy.quota.person_min, policy.quota.person_max)
    }),
    ("quota.leader_min", Rule::RangeReversed, |policy| {
        rises(policy.quota.leader_min, policy.quota.leader_max)
    }),
    ("quota.organisation_min", Rule::RangeReversed, |policy| {
        rises(policy.quota.organisation_min, policy.quota.organisation_max)
    }),
    ("quota.service_min", Rule::RangeReversed, |policy| {
        rises(policy.quota.service_min, policy.quota.service_max)
    }),
    ("quota.warn_at", Rule::NotRising, |policy| policy.quota.warn_at.is_sorted_by(|a, b| a < b)),
    ("password.expiry_notices", Rule::NotFalling, |policy| falling(&policy.password.expiry_notices)),
    ("password.expiry_notices", Rule::WarningBeforeTerm, |policy| {
        within_term(&policy.password.expiry_notices, policy.password.expire_after)
    }),
    ("password.min_length", Rule::PasswordKinds, |policy| {
        let password = &policy.password;
        let kinds = [password.upper, password.lower, password.digit, password.special];
        kinds.into_iter().filter(|asked| *asked).count() >= 2
    }),
    ("life.lock_warnings", Rule::NotFalling, |policy| falling(&policy.life.lock_warnings)),
    ("life.lock_warnings", Rule::WarningBeforeTerm, |policy| {
        within_term(&policy.life.lock_warnings, policy.life.lock_after)
    }),
    ("handling.states", Rule::HandlingOrder, |policy| {
        let states = &policy.handling.states;
        states.is_sorted_by(|a, b| a < b)
            && states.first() == Some(&HandlingState::New)
            && states.last() == Some(&HandlingState::Closed)
    }),
    ("contact.support", Rule::LocalPart, |policy| is_local_part(&policy.contact.support)),
    ("contact.dmarc_reports", Rule::LocalPart, |policy| is_local_part(&policy.contact.dmarc_reports)),
    ("contact.spam", Rule::LocalPart, |policy| is_local_part(&policy.contact.spam)),
];

fn falling(days: &[u32]) -> bool {
    days.is_sorted_by(|a, b| a > b)
}

fn rises(least: Option<u32>, most: Option<u32>) -> bool {
    least.zip(most).is_none_or(|(least, most)| least <= most)
}

fn within_term(days: &[u32], months: Option<u32>) -> bool {
    let longest = days.iter().max().copied().unwrap_or(0);
    months.is_none_or(|months| longest < months.saturating_mul(DAYS_OF_MONTH_MIN))
}

fn is_local_part(text: &str) -> bool {
    Address::new(text, "mail.invalid").is_ok_and(|address| address.is_plain() && address.local() == text)
}
