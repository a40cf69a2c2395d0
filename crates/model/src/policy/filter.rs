//! The section of a policy that says what becomes of spam, and of mail that could not be scanned, in and out (An Giang 63/2016
//! Điều 10.1d, g). Malware is always refused.
//!
//! The default of each field is the strictest sensible value, for regulations that are silent on it: without the scanner for malware
//! nothing is taken until it is back; without the filter for spam mail goes on, marked.

use super::Measure;
use super::field::{Field, section};
use super::value::{Value, choice};
use serde::{Deserialize, Serialize};

choice! {
    /// What becomes of spam.
    Unwanted {
        Reject "reject" "từ chối";
        Junk "junk" "đưa vào thư rác";
        /// Taken, and kept apart until somebody has looked at it.
        Quarantine "quarantine" "cách ly";
        /// Taken, with a header field that says so.
        Mark "mark" "nhận và đánh dấu";
    }
}

choice! {
    /// What becomes of mail while a scanner does not answer.
    Unscanned {
        /// Refused for now; the sender's server tries again.
        Later "later" "tạm hoãn";
        /// Taken, with a header field that says so.
        Take "take" "nhận và đánh dấu";
    }
}

choice! {
    /// What becomes of spam that somebody here sends.
    SpamOut {
        Reject "reject" "từ chối";
        /// Taken, and kept back until an administrator has looked at it.
        Quarantine "quarantine" "giữ lại chờ quản trị xem xét";
        Take "take" "vẫn gửi, có đánh dấu";
    }
}

section! {
    /// Lọc thư rác, mã độc.
    Filter filter FILTER {
        not_scanned_in: Unscanned = Unscanned::Later, Plain 0..=0, "Thư đến khi không quét được mã độc", "D7";
        not_scanned_out: Unscanned = Unscanned::Later, Plain 0..=0, "Thư đi khi không quét được mã độc", "D7";
        spam_in: Unwanted = Unwanted::Reject, Plain 0..=0, "Thư đến là thư rác", "D7";
        suspect_in: Unwanted = Unwanted::Junk, Plain 0..=0, "Thư đến nghi là thư rác", "D7";
        spam_out: SpamOut = SpamOut::Reject, Plain 0..=0, "Thư đi là thư rác", "D7";
        not_scored_in: Unscanned = Unscanned::Take, Plain 0..=0, "Thư đến khi không lọc được thư rác", "D7";
        not_scored_out: Unscanned = Unscanned::Take, Plain 0..=0, "Thư đi khi không lọc được thư rác", "D7";
        /// The filter's advice to refuse mail for now is followed.
        put_off: bool = true, Plain 0..=0, "Tạm hoãn thư đến khi bộ lọc yêu cầu", "D7";
        /// How long mail is kept apart before it is dropped; 1 to 365.
        quarantine_days: u32 = 30, Days 1..=365, "Thời hạn lưu thư cách ly", "D7";
    }
}
