//! How often a mailbox was looked at (tần suất kiểm tra thư): at the beginning and in the middle of the morning and of the
//! afternoon of working days (AG Đ11.1; LC Đ8; TN Đ7; BD Đ13.2).
//!
//! What is known of a day is in which of its 48 half hours somebody was there. The half-sessions (nửa buổi) are wide enough
//! for offices that begin at seven and for those that begin at eight.

/// Half hours in a day.
pub const HALF_HOURS: u32 = 48;

/// The half hours of the first and second half of the morning and of the afternoon: 6:30–9:30, 9:30–12:00, 12:30–15:00,
/// 15:00–18:00.
const HALF_SESSIONS: [u64; 4] = [between(13, 19), between(19, 24), between(25, 30), between(30, 36)];

const fn between(from: u32, to: u32) -> u64 {
    (1 << to) - (1 << from)
}

/// A day as the half hours in which a mailbox was looked at; bit n is the nth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DayChecks(pub u64);

impl DayChecks {
    /// Half hours of office hours in which somebody was there.
    #[must_use]
    pub const fn count(self) -> u32 {
        let [a, b, c, d] = HALF_SESSIONS;
        (self.0 & (a | b | c | d)).count_ones()
    }

    /// In which half-sessions somebody was there.
    #[must_use]
    pub fn half_sessions(self) -> [bool; 4] {
        HALF_SESSIONS.map(|half_session| self.0 & half_session != 0)
    }

    /// Was it looked at as often as the policy asks, and spread over the day as the texts say: from four times on in each
    /// half-session, from two times on in the morning and in the afternoon.
    #[must_use]
    pub fn suffices(self, wanted: u32) -> bool {
        let [a, b, c, d] = self.half_sessions();
        let spread = match wanted {
            0 => true,
            1 => a || b || c || d,
            2 | 3 => (a || b) && (c || d),
            _ => a && b && c && d,
        };
        // More often than there are half hours nobody can be seen to look.
        let [e, f, g, h] = HALF_SESSIONS;
        spread && self.count() >= wanted.min((e | f | g | h).count_ones())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(times: &[(u32, u32)]) -> DayChecks {
        DayChecks(times.iter().fold(0, |day, (hour, minute)| day | 1 << (hour * 2 + minute / 30)))
    }

    #[test]
    fn a_day_is_checked_as_often_and_as_spread_as_the_texts_say() {
        let an_giang = at(&[(7, 5), (10, 0), (13, 30), (16, 0)]);
        assert_eq!(an_giang.count(), 4);
        assert!(
            an_giang.suffices(4) && an_giang.suffices(2) && an_giang.suffices(1) && !an_giang.suffices(6)
        );
        // Four times, but all in the morning.
        let morning = at(&[(7, 0), (8, 0), (9, 0), (11, 0)]);
        assert!(!morning.suffices(4) && !morning.suffices(2) && morning.suffices(1));
        assert!(at(&[(7, 0), (14, 0)]).suffices(2));
        assert!(!at(&[(7, 0), (14, 0)]).suffices(3));
        let thai_nguyen = at(&[(7, 0), (8, 0), (10, 0), (13, 0), (14, 0), (16, 0)]);
        assert!(thai_nguyen.suffices(6));
        assert!(!at(&[(5, 0), (20, 0)]).suffices(1), "outside office hours");
        // Who is there all day has looked as often as can be seen.
        assert!(DayChecks(u64::MAX).suffices(24));
        assert!(DayChecks(0).suffices(0));
    }
}
