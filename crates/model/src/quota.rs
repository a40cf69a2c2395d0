//! How much a mailbox may hold, what happens near and beyond that, and warning once about each threshold.
//!
//! Invariants: sizes are octets of messages as stored (RFC822.SIZE), 1 MB = 2^20, without credit for deduplication
//! (A14); everything is a function of usage and policy; no arithmetic overflows.

use crate::MailboxClass;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// 1 MB, as the regulations' figures are read.
pub const MB: u64 = 1 << 20;
/// 1 GB.
pub const GB: u64 = 1 << 30;

/// The policy of quotas. The defaults are An Giang's, and the strictest where a text is silent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Octets by class.
    pub classes: ClassQuotas,
    /// What a mailbox of its own quota may be given.
    pub overrides: Overrides,
    /// Percentages of the quota at which the mailbox is warned, once each ("gần vượt dung lượng",
    /// An Giang 63/2016 Điều 9.3c; the figures are A16's).
    pub warn_percents: Vec<u16>,
    /// How many points usage must fall below a threshold before its warning may come again (ours).
    pub rearm_points: u16,
    /// Whether a mailbox beyond its quota may send (forbidden by An Giang 63/2016 Điều 9.3c).
    pub over_may_send: bool,
    /// Percentage of the quota from which on mail is no longer taken; the message that crosses it is (A16).
    pub hard_limit_percent: u16,
    /// Days at the hard limit after which mail is refused for good instead of deferred (A16).
    pub refuse_after_days: u16,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            classes: ClassQuotas::default(),
            overrides: Overrides::default(),
            warn_percents: vec![80, 90, 95, 100],
            rearm_points: 5,
            over_may_send: false,
            hard_limit_percent: 110,
            refuse_after_days: 7,
        }
    }
}

/// Dung lượng lưu trữ by class, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassQuotas {
    /// At least 300 MB (An Giang 63/2016 Điều 9.3b), 1 GB (Thái Nguyên 957/2013 Điều 3.7), 2 GB (Sóc Trăng 59/2024 Điều 7).
    pub person: u64,
    /// Cán bộ lãnh đạo: at least 1 GB (An Giang).
    pub leader: u64,
    /// At least 2 GB (An Giang).
    pub organisation: u64,
    pub service: u64,
}

impl Default for ClassQuotas {
    fn default() -> Self {
        Self {
            person: MailboxClass::Person.default_quota_bytes(),
            leader: MailboxClass::Leader.default_quota_bytes(),
            organisation: MailboxClass::Organisation.default_quota_bytes(),
            service: MailboxClass::Service.default_quota_bytes(),
        }
    }
}

impl ClassQuotas {
    #[must_use]
    pub const fn of(&self, class: MailboxClass) -> u64 {
        match class {
            MailboxClass::Person => self.person,
            MailboxClass::Leader => self.leader,
            MailboxClass::Organisation => self.organisation,
            MailboxClass::Service => self.service,
        }
    }
}

/// Which quotas of its own the policy lets an administrator give a single mailbox, by class. "Tối thiểu" has no most (An Giang
/// 63/2016 Điều 9.3a-b; Thái Nguyên 957/2013 Điều 3.7); Sóc Trăng 59/2024 Điều 7 knows no exception: least and most are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    pub person: Range,
    pub leader: Range,
    pub organisation: Range,
    pub service: Range,
}

/// Octets, both ends inclusive; `None`: no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Range {
    pub least: Option<u64>,
    pub most: Option<u64>,
}

impl Overrides {
    #[must_use]
    pub const fn of(&self, class: MailboxClass) -> Range {
        match class {
            MailboxClass::Person => self.person,
            MailboxClass::Leader => self.leader,
            MailboxClass::Organisation => self.organisation,
            MailboxClass::Service => self.service,
        }
    }
}

/// Why a quota is not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    #[error("a mailbox of class {} has {} MB at least", .class.as_str(), .least / MB)]
    BelowLeast { class: MailboxClass, least: u64 },
    #[error("a mailbox of class {} has {} MB at most", .class.as_str(), .most / MB)]
    AboveMost { class: MailboxClass, most: u64 },
}

impl QuotaError {
    /// The policy's field that says so.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::BelowLeast { class: MailboxClass::Person, .. } => "quota.person_min",
            Self::BelowLeast { class: MailboxClass::Leader, .. } => "quota.leader_min",
            Self::BelowLeast { class: MailboxClass::Organisation, .. } => "quota.organisation_min",
            Self::BelowLeast { class: MailboxClass::Service, .. } => "quota.service_min",
            Self::AboveMost { class: MailboxClass::Person, .. } => "quota.person_max",
            Self::AboveMost { class: MailboxClass::Leader, .. } => "quota.leader_max",
            Self::AboveMost { class: MailboxClass::Organisation, .. } => "quota.organisation_max",
            Self::AboveMost { class: MailboxClass::Service, .. } => "quota.service_max",
        }
    }
}

impl Rules {
    /// Whether a mailbox of `class` may be given `bytes`.
    ///
    /// # Errors
    /// `QuotaError`, with the bound.
    pub const fn check_override(&self, class: MailboxClass, bytes: u64) -> Result<(), QuotaError> {
        let Range { least, most } = self.overrides.of(class);
        match (least, most) {
            (Some(least), _) if bytes < least => Err(QuotaError::BelowLeast { class, least }),
            (_, Some(most)) if bytes > most => Err(QuotaError::AboveMost { class, most }),
            _ => Ok(()),
        }
    }

    /// The quota that holds: the mailbox's own, or its class's.
    #[must_use]
    pub fn quota(&self, class: MailboxClass, own: Option<u64>) -> u64 {
        own.unwrap_or_else(|| self.classes.of(class))
    }
}

/// A mailbox's usage and quota, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub used: u64,
    pub quota: u64,
}

/// How full a mailbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fullness {
    /// Below every threshold.
    Normal,
    /// Gần vượt dung lượng: the highest threshold reached, in percent.
    Near(u16),
    /// Vượt dung lượng: more than the quota.
    Over,
    /// At the hard limit or beyond.
    Blocked,
}

/// What a delivery is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Take,
    /// The sender may try again (452 4.2.2).
    Defer,
    /// The sender is told for good (552 5.2.2).
    Refuse,
}

impl Usage {
    #[must_use]
    pub fn fullness(self, rules: &Rules) -> Fullness {
        if self.reaches(rules.hard_limit_percent) && self.used > self.quota {
            Fullness::Blocked
        } else if self.used > self.quota {
            Fullness::Over
        } else {
            self.highest(rules).map_or(Fullness::Normal, Fullness::Near)
        }
    }

    /// Whether the mailbox may send (An Giang 63/2016 Điều 9.3c).
    #[must_use]
    pub const fn may_send(self, rules: &Rules) -> bool {
        rules.over_may_send || self.used <= self.quota
    }

    /// Whether one more message is taken, whatever its size: overshot by one message at most. `blocked_since` is since
    /// when the mailbox has been at the hard limit, if that is known.
    #[must_use]
    pub fn delivery(self, rules: &Rules, blocked_since: Option<Timestamp>, now: Timestamp) -> Delivery {
        if self.fullness(rules) != Fullness::Blocked {
            return Delivery::Take;
        }
        let patience = SignedDuration::from_hours(24 * i64::from(rules.refuse_after_days));
        match blocked_since {
            Some(since) if now.duration_since(since) >= patience => Delivery::Refuse,
            _ => Delivery::Defer,
        }
    }

    /// Whole percent of the quota, rounded down; a quota of nothing is full.
    #[must_use]
    pub fn percent(self) -> u64 {
        let percent = u128::from(self.used) * 100 / u128::from(self.quota.max(1));
        if self.quota == 0 { 100 } else { u64::try_from(percent).unwrap_or(u64::MAX) }
    }

    fn reaches(self, percent: u16) -> bool {
        u128::from(self.used) * 100 >= u128::from(self.quota) * u128::from(percent)
    }

    /// The highest threshold reached.
    fn highest(self, rules: &Rules) -> Option<u16> {
        rules.warn_percents.iter().copied().filter(|percent| self.reaches(*percent)).max()
    }
}

/// The highest threshold a mailbox was warned about and has not fallen well below since; kept with the mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warned(pub Option<u16>);

/// What to remember, and the threshold to warn about now, if any: of several passed at once only the highest.
///
/// Between two warnings of a threshold usage has been `Rules::rearm_points` below it, so that mail coming and going at
/// the edge does not repeat them.
#[must_use]
pub fn warn_once(warned: Warned, usage: Usage, rules: &Rules) -> (Warned, Option<u16>) {
    // What still holds: the highest threshold, up to the one warned about, that usage has not fallen well below.
    let holds = rules
        .warn_percents
        .iter()
        .copied()
        .filter(|percent| warned.0.is_some_and(|warned| *percent <= warned))
        .filter(|percent| usage.reaches(percent.saturating_sub(rules.rearm_points)))
        .max();
    match usage.highest(rules) {
        Some(reached) if holds.is_none_or(|holds| reached > holds) => (Warned(Some(reached)), Some(reached)),
        _ => (Warned(holds), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: u64 = 300 * MB;

    fn usage(percent: u64) -> Usage {
        Usage { used: QUOTA / 100 * percent, quota: QUOTA }
    }

    #[test]
    fn classes_have_their_quotas() {
        let rules = Rules::default();
        for (class, own, expected) in [
            (MailboxClass::Person, None, 314_572_800),
            (MailboxClass::Leader, None, GB),
            (MailboxClass::Organisation, None, 2 * GB),
            (MailboxClass::Service, None, 2 * GB),
            (MailboxClass::Person, Some(5 * GB), 5 * GB),
        ] {
            assert_eq!(rules.quota(class, own), expected);
        }
    }

    #[test]
    fn own_quotas_keep_to_the_policy() {
        let class = MailboxClass::Leader;
        let (once, twice) = (Some(QUOTA), Some(2 * QUOTA));
        let below = |least| Err(QuotaError::BelowLeast { class, least });
        let above = Err(QuotaError::AboveMost { class, most: 2 * QUOTA });
        for (least, most, expected) in [
            (once, None, [below(QUOTA), Ok(()), Ok(()), Ok(())]),
            (once, twice, [below(QUOTA), Ok(()), Ok(()), above]),
            (twice, twice, [below(2 * QUOTA), below(2 * QUOTA), Ok(()), above]),
            (None, None, [Ok(()); 4]),
        ] {
            let overrides = Overrides { leader: Range { least, most }, ..Overrides::default() };
            let rules = Rules { overrides, ..Rules::default() };
            for (bytes, expected) in [QUOTA - 1, QUOTA, 2 * QUOTA, 2 * QUOTA + 1].into_iter().zip(expected) {
                assert_eq!(rules.check_override(class, bytes), expected, "{bytes} in {least:?}..={most:?}");
            }
            assert_eq!(rules.check_override(MailboxClass::Person, 1), Ok(()), "another class has its own");
        }
        assert_eq!(below(QUOTA).unwrap_err().to_string(), "a mailbox of class leader has 300 MB at least");
    }

    #[test]
    fn fullness_changes_at_the_octet() {
        let rules = Rules::default();
        let at = |used| Usage { used, quota: 1000 }.fullness(&rules);
        for (used, expected) in [
            (0, Fullness::Normal),
            (799, Fullness::Normal),
            (800, Fullness::Near(80)),
            (899, Fullness::Near(80)),
            (900, Fullness::Near(90)),
            (950, Fullness::Near(95)),
            (999, Fullness::Near(95)),
            (1000, Fullness::Near(100)),
            (1001, Fullness::Over),
            (1099, Fullness::Over),
            (1100, Fullness::Blocked),
            (u64::MAX, Fullness::Blocked),
        ] {
            assert_eq!(at(used), expected, "{used}");
        }
        assert_eq!(Usage { used: 0, quota: 0 }.fullness(&rules), Fullness::Near(100));
        assert_eq!(Usage { used: 1, quota: 0 }.fullness(&rules), Fullness::Blocked);
        assert_eq!(Usage { used: u64::MAX, quota: u64::MAX }.fullness(&rules), Fullness::Near(100));
        // A hard limit below the quota holds from the quota on.
        let odd = Rules { hard_limit_percent: 50, ..Rules::default() };
        assert_eq!(Usage { used: 600, quota: 1000 }.fullness(&odd), Fullness::Normal);
        assert_eq!(Usage { used: 1001, quota: 1000 }.fullness(&odd), Fullness::Blocked);
    }

    #[test]
    fn over_quota_receives_and_does_not_send() {
        let (rules, now) = (Rules::default(), Timestamp::UNIX_EPOCH);
        let at = |used| Usage { used, quota: 1000 };
        assert!(at(1000).may_send(&rules) && !at(1001).may_send(&rules));
        assert!(at(1001).may_send(&Rules { over_may_send: true, ..Rules::default() }));
        let days = |days: i64| Some(now - SignedDuration::from_hours(24 * days));
        for (used, since, expected) in [
            (1001, None, Delivery::Take),
            (1099, days(30), Delivery::Take),
            (1100, None, Delivery::Defer),
            (1100, days(6), Delivery::Defer),
            (1100, days(7), Delivery::Refuse),
        ] {
            assert_eq!(at(used).delivery(&rules, since, now), expected, "{used}");
        }
    }

    #[test]
    fn percents_are_rounded_down() {
        for (used, quota, expected) in
            [(0, 0, 100), (0, 10, 0), (999, 1000, 99), (1000, 1000, 100), (u64::MAX, 1, u64::MAX)]
        {
            assert_eq!(Usage { used, quota }.percent(), expected);
        }
    }

    #[test]
    fn warnings_come_once() {
        let rules = Rules::default();
        let mut warned = Warned::default();
        for (percent, warning) in [
            (79, None),
            (80, Some(80)),
            (80, None),
            (79, None),
            (81, None),
            (97, Some(95)),
            (93, None),
            (96, None),
            (101, Some(100)),
            (120, None),
            // Well below all: each may come again.
            (10, None),
            (96, Some(95)),
            // Below 95 and 90 by five points, not below 80.
            (79, None),
            (84, None),
            (90, Some(90)),
        ] {
            let (next, given) = warn_once(warned, usage(percent), &rules);
            assert_eq!(given, warning, "{percent} after {warned:?}");
            warned = next;
        }
    }

    #[test]
    fn a_changed_policy_forgets_nothing_it_still_knows() {
        let rules = Rules { warn_percents: vec![70, 85], ..Rules::default() };
        assert_eq!(warn_once(Warned(Some(90)), usage(88), &rules), (Warned(Some(85)), None));
        assert_eq!(warn_once(Warned(Some(80)), usage(88), &rules), (Warned(Some(85)), Some(85)));
        let silent = Rules { warn_percents: vec![], ..Rules::default() };
        assert_eq!(warn_once(Warned(Some(90)), usage(120), &silent), (Warned(None), None));
    }

    /// Under any sequence of usages: a warning names the highest threshold reached, and between two of the same usage has
    /// been well below it. Sequences are drawn from a fixed linear generator.
    #[test]
    fn no_sequence_repeats_a_warning() {
        let rules = Rules::default();
        let mut state: u64 = 1;
        for _ in 0..2000 {
            let mut warned = Warned::default();
            // The lowest usage since each threshold was last warned about.
            let mut lowest: Vec<(u16, u64)> = Vec::new();
            for _ in 0..60 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let percent = if state >> 63 == 0 { 70 + (state >> 33) % 40 } else { (state >> 33) % 120 };
                for (_, low) in &mut lowest {
                    *low = (*low).min(percent);
                }
                let (next, given) = warn_once(warned, usage(percent), &rules);
                let reached = usage(percent).highest(&rules);
                if let Some(given) = given {
                    assert_eq!(Some(given), reached);
                    if let Some((_, low)) = lowest.iter().find(|(threshold, _)| *threshold == given) {
                        assert!(*low < u64::from(given - rules.rearm_points), "{given} again after {low}");
                    }
                    lowest.retain(|(threshold, _)| *threshold != given);
                    lowest.push((given, percent));
                } else if let Some(reached) = reached {
                    // Silence needs a warning of this threshold or a higher one before it.
                    assert!(warned.0.is_some_and(|warned| warned >= reached), "{percent} is passed over");
                }
                assert_eq!(warn_once(next, usage(percent), &rules), (next, None), "asked twice");
                warned = next;
            }
        }
    }
}
