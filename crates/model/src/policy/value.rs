//! The kinds of value a policy's field may have: each is written as plain text for the command line and for storage of
//! profiles, and shown to people in Vietnamese.
//!
//! Invariant: `parse(text(x)) == x` for every value.

use crate::DomainName;
use serde::{Deserialize, Serialize};

/// What the number of a field counts (đơn vị tính).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// 2^20 bytes.
    Megabytes,
    Months,
    Minutes,
    /// Calendar days.
    Days,
    /// Days that are neither weekend nor public holiday (ngày làm việc).
    WorkingDays,
    Percent,
    Characters,
    /// How many of something.
    Count,
    PerDay,
    PerHour,
    /// The field is no number.
    Plain,
}

impl Measure {
    /// As it stands behind a number.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Megabytes => " MB",
            Self::Months => " tháng",
            Self::Minutes => " phút",
            Self::Days => " ngày",
            Self::WorkingDays => " ngày làm việc",
            Self::Percent => " %",
            Self::Characters => " ký tự",
            Self::PerDay => " lần/ngày",
            Self::PerHour => " lần/giờ",
            Self::Count | Self::Plain => "",
        }
    }
}

impl Measure {
    /// As [`Measure::label`], for messages to administrators.
    const fn unit(self) -> &'static str {
        match self {
            Self::Megabytes => " MB",
            Self::Months => " months",
            Self::Minutes => " minutes",
            Self::Days => " days",
            Self::WorkingDays => " working days",
            Self::Percent => " %",
            Self::Characters => " characters",
            Self::PerDay => " a day",
            Self::PerHour => " an hour",
            Self::Count | Self::Plain => "",
        }
    }
}

/// A day of every year, for what is due once a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthDay {
    /// 1 to 12.
    pub month: i8,
    /// 1 to 28, 29, 30 or 31 as the month has.
    pub day: i8,
}

/// What a field's type can do.
pub(super) trait Value: Sized {
    fn text(&self) -> String;
    fn parse(text: &str) -> Option<Self>;
    fn shown(&self, measure: Measure) -> String;
    /// What may be written, for whoever wrote something else.
    fn form(measure: Measure, min: u32, max: u32) -> String;
    /// Is every number of it in this range; for words, their length, and for lists of them, how many?
    fn within(&self, min: u32, max: u32) -> bool;
    /// The number that a regulation's least or most is compared with.
    fn number(&self) -> Option<u32> {
        None
    }
}

impl Value for bool {
    fn text(&self) -> String {
        self.to_string()
    }
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn shown(&self, _: Measure) -> String {
        if *self { "có" } else { "không" }.to_owned()
    }
    fn form(_: Measure, _: u32, _: u32) -> String {
        "true or false".to_owned()
    }
    fn within(&self, _: u32, _: u32) -> bool {
        true
    }
}

impl Value for u32 {
    fn text(&self) -> String {
        self.to_string()
    }
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn shown(&self, measure: Measure) -> String {
        format!("{self}{}", measure.label())
    }
    fn form(measure: Measure, min: u32, max: u32) -> String {
        format!("between {min} and {max}{}", measure.unit())
    }
    fn within(&self, min: u32, max: u32) -> bool {
        (min..=max).contains(self)
    }
    fn number(&self) -> Option<u32> {
        Some(*self)
    }
}

/// What stands for "this rule does not apply here".
pub(super) const OFF: &str = "off";

impl Value for Option<u32> {
    fn text(&self) -> String {
        self.map_or_else(|| OFF.to_owned(), |number| number.to_string())
    }
    fn parse(text: &str) -> Option<Self> {
        if text == OFF { Some(None) } else { text.parse().ok().map(Some) }
    }
    fn shown(&self, measure: Measure) -> String {
        self.map_or_else(|| "không áp dụng".to_owned(), |number| number.shown(measure))
    }
    fn form(measure: Measure, min: u32, max: u32) -> String {
        format!("{}, or {OFF}", u32::form(measure, min, max))
    }
    fn within(&self, min: u32, max: u32) -> bool {
        self.is_none_or(|number| number.within(min, max))
    }
    fn number(&self) -> Option<u32> {
        *self
    }
}

impl Value for String {
    fn text(&self) -> String {
        self.clone()
    }
    fn parse(text: &str) -> Option<Self> {
        (!text.chars().any(char::is_control)).then(|| text.to_owned())
    }
    fn shown(&self, _: Measure) -> String {
        if self.is_empty() { "chưa đặt".to_owned() } else { self.clone() }
    }
    fn form(_: Measure, min: u32, max: u32) -> String {
        format!("{min} to {max} characters in one line")
    }
    fn within(&self, min: u32, max: u32) -> bool {
        length(self.chars().count()).within(min, max) && !self.chars().any(char::is_control)
    }
}

impl Value for Vec<u32> {
    fn text(&self) -> String {
        joined(self.iter().map(ToString::to_string))
    }
    fn parse(text: &str) -> Option<Self> {
        parts(text).map(|part| part.parse().ok()).collect()
    }
    fn shown(&self, measure: Measure) -> String {
        format!("{}{}", shown_list(self.iter().map(ToString::to_string)), measure.label())
    }
    fn form(measure: Measure, min: u32, max: u32) -> String {
        format!("numbers {}, with commas between", u32::form(measure, min, max))
    }
    fn within(&self, min: u32, max: u32) -> bool {
        !self.is_empty() && self.iter().all(|number| number.within(min, max))
    }
}

impl Value for Vec<DomainName> {
    fn text(&self) -> String {
        joined(self.iter().map(ToString::to_string))
    }
    fn parse(text: &str) -> Option<Self> {
        parts(text).map(|part| DomainName::new(part).ok()).collect()
    }
    fn shown(&self, _: Measure) -> String {
        if self.is_empty() {
            "không có".to_owned()
        } else {
            shown_list(self.iter().map(ToString::to_string))
        }
    }
    fn form(_: Measure, _: u32, max: u32) -> String {
        format!("at most {max} domains, with commas between")
    }
    fn within(&self, min: u32, max: u32) -> bool {
        length(self.len()).within(min, max)
    }
}

impl Value for Vec<HandlingState> {
    fn text(&self) -> String {
        joined(self.iter().map(|state| state.as_str().to_owned()))
    }
    fn parse(text: &str) -> Option<Self> {
        parts(text).map(HandlingState::parse).collect()
    }
    fn shown(&self, _: Measure) -> String {
        self.iter().map(|state| state.label()).collect::<Vec<_>>().join(" → ")
    }
    fn form(_: Measure, min: u32, max: u32) -> String {
        let all: Vec<&str> = HandlingState::ALL.iter().map(|state| state.as_str()).collect();
        format!("{min} to {max} of {}, with commas between", all.join(", "))
    }
    fn within(&self, min: u32, max: u32) -> bool {
        length(self.len()).within(min, max)
    }
}

impl Value for MonthDay {
    fn text(&self) -> String {
        format!("{:02}-{:02}", self.month, self.day)
    }
    fn parse(text: &str) -> Option<Self> {
        let (month, day) = text.split_once('-')?;
        let both = Self { month: month.parse().ok()?, day: day.parse().ok()? };
        both.within(0, 0).then_some(both)
    }
    fn shown(&self, _: Measure) -> String {
        format!("ngày {}/{}", self.day, self.month)
    }
    fn form(_: Measure, _: u32, _: u32) -> String {
        "month and day, such as 07-19".to_owned()
    }
    fn within(&self, _: u32, _: u32) -> bool {
        // A year that is no leap year: the 29th of February does not come every year.
        jiff::civil::Date::new(2023, self.month, self.day).is_ok()
    }
}

pub(super) fn length(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

pub(super) fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

pub(super) fn shown_list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// An enum of named choices that is a field's value.
macro_rules! choice {
    (
        $(#[$doc:meta])*
        $name:ident { $( $(#[$variant_doc:meta])* $variant:ident $text:literal $label:literal; )* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $( $(#[$variant_doc])* $variant, )* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// For people to read.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }
        }

        impl Value for $name {
            fn text(&self) -> String {
                self.as_str().to_owned()
            }
            fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|choice| choice.as_str() == text)
            }
            fn shown(&self, _: Measure) -> String {
                self.label().to_owned()
            }
    fn form(_: Measure, _: u32, _: u32) -> String {
        format!("one of {}", Self::ALL.iter().map(|choice| choice.as_str()).collect::<Vec<_>>().join(", "))
    }
            fn within(&self, _: u32, _: u32) -> bool {
                true
            }
        }
    };
}

pub(super) use choice;

choice! {
    /// Which rules make addresses from names (quy tắc đặt tên); the rules themselves are found by this id.
    SchemeId {
        /// An Giang 63/2016 Điều 6.2.
        AnGiang "an-giang" "quy tắc An Giang";
        /// Lào Cai 33/2010 Điều 4.
        LaoCai "lao-cai" "quy tắc Lào Cai";
        /// Thái Nguyên 957/2013 Điều 3.4, 3.5.
        ThaiNguyen "thai-nguyen" "quy tắc Thái Nguyên";
        /// Sóc Trăng 59/2024 Điều 3.
        SocTrang "soc-trang" "quy tắc Sóc Trăng";
        /// Sở Công Thương Bình Định 148/2014 Điều 4.
        BinhDinhSct "binh-dinh-sct" "quy tắc Sở Công Thương Bình Định";
    }
}

choice! {
    /// What keeps a mailbox from being locked for disuse (giao dịch gửi, nhận; An Giang 63/2016 Điều 8.1a).
    Activity {
        /// A message sent, or new mail retrieved by the user; a telephone that polls an empty mailbox is no use.
        SendOrRetrieve "send-or-retrieve" "có gửi thư hoặc lấy thư mới về";
        /// The literal reading: a delivery alone counts too.
        AnyTransaction "any-transaction" "có gửi hoặc nhận bất kỳ thư nào";
    }
}

choice! {
    /// Who lets a mailbox go for good (An Giang 63/2016 Điều 8.3).
    Deletion {
        /// An administrator confirms each.
        Confirmed "confirmed" "quản trị viên xác nhận";
        /// When its term is over.
        Automatic "automatic" "tự động khi hết hạn";
    }
}

choice! {
    /// May somebody else use a personal mailbox (An Giang 63/2016 Điều 11.2d; Lào Cai 33/2010 Điều 10.4)?
    PersonalDelegation {
        Off "off" "không cho phép";
        /// During leave, with the owner's consent and a record.
        LeaveCover "leave-cover" "khi nghỉ phép, được chủ hộp thư đồng ý";
    }
}

choice! {
    /// What becomes of a message that bears a secrecy marking (dấu chỉ độ mật).
    SecretMail {
        /// Refused with the reason.
        Block "block" "từ chối";
        /// Kept apart until somebody has looked at it (cách ly).
        Hold "hold" "cách ly chờ kiểm tra";
    }
}

choice! {
    /// Who may write to addresses outside the province's systems.
    ExternalSending {
        Everybody "everybody" "mọi hộp thư";
        /// Organisation and service mailboxes alone.
        Organisations "organisations" "chỉ hộp thư đơn vị";
        Nobody "nobody" "không hộp thư nào";
    }
}

choice! {
    /// What of the directory (danh bạ) everybody may see.
    PublicDirectory {
        Nothing "nothing" "không công khai";
        Units "units" "các đơn vị";
        UnitsAndPeople "units-and-people" "các đơn vị và cá nhân";
    }
}

choice! {
    /// Where a message of an organisation mailbox is in its handling (xử lý thư), in this order.
    HandlingState {
        New "new" "mới đến";
        /// Told to the head (An Giang 63/2016 Điều 10.2b).
        Reported "reported" "đã báo cáo thủ trưởng";
        Assigned "assigned" "đã phân công";
        Answered "answered" "đã trả lời";
        Closed "closed" "đã kết thúc";
    }
}
