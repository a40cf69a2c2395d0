//! The rules of the road out: when mail for others is tried again, when its sender is told, and when it is given up
//! (RFC 5321 4.5.4, RFC 3461).
//!
//! Invariants: every delivery ends, delivered or told of; a wait is never shorter than the schedule's first and never longer
//! than its longest, whatever the dice say; NEVER stands alone.

use crate::{Rng, seen};
use jiff::{SignedDuration, Timestamp};

/// Recipients of one message whose deliveries are one dialogue with the other side (RFC 5321 4.5.3.1.8: a server takes at
/// least 100).
pub const RECIPIENTS_PER_DELIVERY_MAX: usize = 100;
/// Characters of the other side's answer that are kept.
pub const ANSWER_CHARS_MAX: usize = 500;
/// In front of a domain in a destination's name: reports to that domain about its TLS (RFC 8460), which go to its servers although its
/// TLS is not as it should be, and so do not wait in one line with its mail.
pub const TLS_REPORTS_TO: &str = "tls-reports:";
/// What fails of one message within this time its sender is told in one report.
pub const TOLD_SOON: SignedDuration = SignedDuration::from_mins(3);
/// So many reports of one message come this soon after what they tell of; what fails then waits for [`TOLD_LATER`], so that five
/// days of trying make thirty reports at most, to however many it went.
pub const TELLINGS_SOON_MAX: i32 = 10;
pub const TOLD_LATER: SignedDuration = SignedDuration::from_hours(6);
/// How long a destination that cannot be reached is left alone at most.
const DESTINATION_REST_MAX: SignedDuration = SignedDuration::from_mins(60);
const DESTINATION_REST_FIRST: SignedDuration = SignedDuration::from_mins(1);

/// Which mail goes first. The smaller, the sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Somebody wrote it to a few.
    Interactive,
    /// To many: lists, large groups.
    Bulk,
    /// Reports and receipts.
    Report,
}

impl Priority {
    pub const ALL: [Self; 3] = [Self::Interactive, Self::Bulk, Self::Report];

    /// As the database keeps it.
    #[must_use]
    pub fn number(self) -> i16 {
        match self {
            Self::Interactive => 0,
            Self::Bulk => 1,
            Self::Report => 2,
        }
    }

    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.number() == number)
    }
}

/// What a sender wants to be told of a recipient (RFC 3461 4.1, `NOTIFY`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Notify(u8);

impl Notify {
    /// Nothing, not even that it failed.
    pub const NEVER: Self = Self(0);
    pub const SUCCESS: Self = Self(1);
    pub const FAILURE: Self = Self(2);
    pub const DELAY: Self = Self(4);
    /// What is meant where nothing was said (RFC 3461 4.1: failure, and delay as the server likes).
    pub const UNSAID: Self = Self(Self::FAILURE.0 | Self::DELAY.0 | 8);

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is left is that he wants to hear of nothing, where he asked for this alone.
    #[must_use]
    pub fn without(self, what: Self) -> Self {
        Self(self.0 & !(what.0 & 7))
    }

    #[must_use]
    pub fn asks_for(self, what: Self) -> bool {
        self.0 & what.0 & 7 != 0
    }

    /// Was nothing said? Then nothing is passed on (RFC 3461 5.2.1).
    #[must_use]
    pub fn is_unsaid(self) -> bool {
        self.0 & 8 != 0
    }

    /// As the database keeps it.
    #[must_use]
    pub fn number(self) -> i16 {
        self.0.into()
    }

    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        u8::try_from(number).ok().filter(|bits| *bits < 16).map(Self)
    }
}

/// How much of the message comes back with a report of failure (RFC 3461 4.3, `RET`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Return {
    Full,
    Headers,
}

impl Return {
    /// As the RFC and the database write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Full, Self::Headers].into_iter().find(|ret| ret.as_str().eq_ignore_ascii_case(name))
    }
}

/// What a message's octets or its sender ask of every host on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Needs {
    /// Octets above 127 in its body (RFC 6152).
    pub eight_bit: bool,
    /// Characters beyond ASCII in its header or envelope (RFC 6531).
    pub smtputf8: bool,
    /// Verified TLS on every hop (RFC 8689).
    pub requiretls: bool,
}

impl Needs {
    /// As the database keeps it.
    #[must_use]
    pub fn number(self) -> i16 {
        i16::from(self.eight_bit) | i16::from(self.smtputf8) << 1 | i16::from(self.requiretls) << 2
    }

    #[must_use]
    pub fn from_number(number: i16) -> Self {
        Self { eight_bit: number & 1 != 0, smtputf8: number & 2 != 0, requiretls: number & 4 != 0 }
    }
}

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status(pub u8, pub u16, pub u16);

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl std::str::FromStr for Status {
    type Err = ();

    /// `class "." subject "." detail` (RFC 3463 2).
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut numbers = text.split('.').map(str::parse::<u16>);
        let mut next = || numbers.next().and_then(Result::ok).ok_or(());
        let (class, subject, detail) = (next()?, next()?, next()?);
        if numbers.next().is_some() || ![2, 4, 5].contains(&class) || subject > 999 || detail > 999 {
            return Err(());
        }
        Ok(Self(u8::try_from(class).map_err(|_| ())?, subject, detail))
    }
}

/// What was said of a recipient, by the other side or by us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The reply's code; `None` when nobody answered and the words are ours.
    pub code: Option<u16>,
    pub status: Status,
    /// At most [`ANSWER_CHARS_MAX`] characters, printable.
    pub text: String,
    /// Who said it; `None`: we did.
    pub host: Option<String>,
}

impl Answer {
    /// Words of ours, of a problem that nobody answered for.
    #[must_use]
    pub fn ours(status: Status, text: impl Into<String>) -> Self {
        Self { code: None, status, text: bounded(&text.into()), host: None }
    }

    /// What the other side said. Without an enhanced code of its own it gets `x.0.0`.
    #[must_use]
    pub fn theirs(host: &str, code: u16, status: Option<Status>, text: &str) -> Self {
        let class = match code {
            200..300 => 2,
            500..600 => 5,
            _ => 4,
        };
        let status = status.filter(|status| status.0 == class).unwrap_or(Status(class, 0, 0));
        Self { code: Some(code), status, text: bounded(text), host: Some(host.to_owned()) }
    }
}

/// Nothing of what a stranger says is kept that a terminal, a log line or a header field would take for its own.
fn bounded(text: &str) -> String {
    let kept = text.chars().take(ANSWER_CHARS_MAX).collect::<String>();
    seen(&kept).trim().to_owned()
}

/// What became of one recipient in one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The next host has taken it on.
    Delivered(Answer),
    /// Try again later.
    Deferred(Answer),
    /// It will never be delivered there.
    Failed(Answer),
}

/// When a delivery is tried, told of, and given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// From the first failure to the second attempt.
    pub first: SignedDuration,
    /// No wait is longer.
    pub longest: SignedDuration,
    /// After which the sender hears that it is late (RFC 5321 4.5.4.1).
    pub warn_after: SignedDuration,
    /// After which it has failed (RFC 5321 4.5.4.1: at least 4 to 5 days).
    pub give_up_after: SignedDuration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            first: SignedDuration::from_mins(5),
            longest: SignedDuration::from_hours(2),
            warn_after: SignedDuration::from_hours(4),
            give_up_after: SignedDuration::from_hours(5 * 24),
        }
    }
}

impl Schedule {
    /// When a delivery that was put off at `now` is tried again, after so many failed attempts (from 1): the waits double,
    /// each a fifth longer or shorter as the dice fall, so that what failed together does not come together.
    #[must_use]
    pub fn next(&self, now: Timestamp, attempts: u32, rng: &dyn Rng) -> Timestamp {
        let doubled = 1_i32.checked_shl(attempts.saturating_sub(1).min(16)).unwrap_or(i32::MAX);
        let wait = self.first.saturating_mul(doubled).min(self.longest);
        let wait = jittered(wait, rng).clamp(self.first, self.longest);
        now.saturating_add(wait).unwrap_or(now)
    }
}

/// How long a destination is left alone that could not be reached so many times running (from 1): a minute, doubling, to
/// an hour.
#[must_use]
pub fn destination_rest(failures: u32, rng: &dyn Rng) -> SignedDuration {
    let doubled = 1_i32.checked_shl(failures.saturating_sub(1).min(16)).unwrap_or(i32::MAX);
    let wait = DESTINATION_REST_FIRST.saturating_mul(doubled).min(DESTINATION_REST_MAX);
    jittered(wait, rng).clamp(DESTINATION_REST_FIRST, DESTINATION_REST_MAX)
}

/// A fifth longer or shorter at most.
fn jittered(wait: SignedDuration, rng: &dyn Rng) -> SignedDuration {
    let mut dice = [0; 2];
    rng.fill(&mut dice);
    let percent = 80 + i32::from(u16::from_le_bytes(dice) % 41);
    wait.saturating_mul(percent).checked_div(100).unwrap_or(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Dice(u16);

    impl Rng for Dice {
        fn fill(&self, bytes: &mut [u8]) {
            for (byte, value) in bytes.iter_mut().zip(self.0.to_le_bytes().into_iter().cycle()) {
                *byte = value;
            }
        }
    }

    #[test]
    fn waits_double_and_keep_their_bounds() {
        let (schedule, now) = (Schedule::default(), Timestamp::UNIX_EPOCH);
        for dice in [0, 1, 20, 40, 41, 9999, u16::MAX] {
            let mut last = SignedDuration::ZERO;
            for attempts in 1..200 {
                let wait = schedule.next(now, attempts, &Dice(dice)).duration_since(now);
                assert!(wait >= schedule.first && wait <= schedule.longest, "{attempts}: {wait}");
                assert!(wait >= last, "{attempts}: {wait} < {last}");
                last = wait;
            }
            assert!(last >= schedule.longest.saturating_mul(80).checked_div(100).unwrap());
        }
        let middle = |attempts| schedule.next(now, attempts, &Dice(20)).duration_since(now).as_mins();
        assert_eq!([middle(1), middle(2), middle(3), middle(5), middle(6)], [5, 10, 20, 80, 120]);
    }

    #[test]
    fn a_destination_rests_longer_each_time() {
        let rest = |failures| destination_rest(failures, &Dice(20)).as_mins();
        assert_eq!([rest(1), rest(2), rest(4), rest(7), rest(u32::MAX)], [1, 2, 8, 60, 60]);
    }

    #[test]
    fn what_is_asked_for_is_what_was_said() {
        assert!(!Notify::NEVER.asks_for(Notify::FAILURE) && !Notify::NEVER.is_unsaid());
        assert!(Notify::UNSAID.asks_for(Notify::FAILURE) && Notify::UNSAID.asks_for(Notify::DELAY));
        assert!(!Notify::UNSAID.asks_for(Notify::SUCCESS) && Notify::UNSAID.is_unsaid());
        let both = Notify::SUCCESS.and(Notify::DELAY);
        assert!(both.asks_for(Notify::SUCCESS) && !both.asks_for(Notify::FAILURE));
        assert_eq!(Notify::from_number(both.number()), Some(both));
        assert_eq!(Notify::from_number(16), None);
        for priority in Priority::ALL {
            assert_eq!(Priority::from_number(priority.number()), Some(priority));
        }
    }

    #[test]
    fn what_the_database_keeps_is_read_back() {
        for status in [Status(2, 0, 0), Status(4, 4, 7), Status(5, 1, 10)] {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
        for wrong in ["", "5.1", "5.1.1.1", "3.0.0", "5.1000.0", "5.x.0", "5.-1.0"] {
            assert!(wrong.parse::<Status>().is_err(), "{wrong}");
        }
        for number in 0..8 {
            assert_eq!(Needs::from_number(number).number(), number);
        }
        assert_eq!(Return::from_name("hdrs"), Some(Return::Headers));
    }

    #[test]
    fn words_of_strangers_are_bounded() {
        let answer = Answer::theirs("mx.a.vn", 550, Some(Status(4, 1, 1)), "no\r\nsuch\u{1b}[2J user");
        assert_eq!((answer.status, answer.text.as_str()), (Status(5, 0, 0), "no  such [2J user"));
        let hidden = Answer::theirs("mx.a.vn", 550, None, "no \u{202e}such\u{200b} user");
        assert_eq!(hidden.text, "no  such  user");
        let long = Answer::theirs("mx.a.vn", 451, None, &"x".repeat(9000));
        assert_eq!((long.status, long.text.len()), (Status(4, 0, 0), ANSWER_CHARS_MAX));
        assert_eq!(Answer::ours(Status(4, 4, 1), "no route").to_owned().code, None);
    }
}
