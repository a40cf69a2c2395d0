//! How much one mailbox may send: what is counted, when it is enough, and when it is no longer a person who sends
//! (An Giang 63/2016 Điều 8.1d, 10.1d; requirements B5, D7).
//!
//! Invariants: a function of what was counted and the moment; what is refused is not counted as sent, so nobody is kept out for
//! longer than until his window ends; a window begins with the first message after the one before has ended.

use jiff::{SignedDuration, Timestamp};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The most that a mailbox of one class may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SendingLimits {
    pub messages_per_hour: u32,
    pub messages_per_day: u32,
    /// Addresses in envelopes; a group is one.
    pub recipients_per_hour: u32,
    pub recipients_per_day: u32,
}

/// What a message was found to hold that a mailbox sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    Malware,
    Spam,
}

/// After how many such messages, in a day, something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Steps {
    /// It may send less.
    pub throttle_after: u32,
    /// It is locked.
    pub lock_after: u32,
}

/// What one more such message brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    None,
    /// It may send less from now on, and people are told.
    Throttle,
    Lock,
}

/// What makes sending look like somebody else's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// Addresses elsewhere that the mailbox never wrote to before, in an hour; `None`: not looked at.
    pub strangers_per_hour: Option<u32>,
    /// Messages to strangers refused in one hour after which it is locked; `None`: never.
    pub lock_after: Option<u32>,
    /// What is left of all of this, and of its limits, to a mailbox that is suspect; 1 to 100.
    pub suspect_percent: u32,
    /// `None`: what it sends is stopped, and nothing else is done.
    pub malware: Option<Steps>,
    pub spam: Option<Steps>,
    /// It is never locked for these: a program of the province, on whose mail an office may wait.
    pub is_spared: bool,
}

impl Suspicion {
    const fn steps(&self, harm: Harm) -> Option<Steps> {
        match harm {
            Harm::Malware => self.malware,
            Harm::Spam => self.spam,
        }
    }

    /// Of a number that a mailbox has otherwise, rounded down, but never nothing.
    fn lowered(&self, most: u32) -> u32 {
        let lowered = u64::from(most) * u64::from(self.suspect_percent) / 100;
        u32::try_from(lowered).unwrap_or(most).max(1)
    }

    /// For a mailbox that is suspect.
    fn of_suspect(&self, limits: &SendingLimits) -> (SendingLimits, Self) {
        let limits = SendingLimits {
            messages_per_hour: self.lowered(limits.messages_per_hour),
            messages_per_day: self.lowered(limits.messages_per_day),
            recipients_per_hour: self.lowered(limits.recipients_per_hour),
            recipients_per_day: self.lowered(limits.recipients_per_day),
        };
        let lowered = |most: Option<u32>| most.map(|most| self.lowered(most));
        let (strangers_per_hour, lock_after) = (lowered(self.strangers_per_hour), lowered(self.lock_after));
        (limits, Self { strangers_per_hour, lock_after, ..*self })
    }
}

/// A message that is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    pub recipients: u32,
    /// Those of them that the mailbox never wrote to before.
    pub strangers: u32,
}

/// What a mailbox has sent since a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub since: Timestamp,
    pub messages: u32,
    pub recipients: u32,
}

impl Window {
    /// Nothing yet.
    #[must_use]
    pub const fn from(since: Timestamp) -> Self {
        Self { since, messages: 0, recipients: 0 }
    }

    /// Either way: a clock that was put back must not refuse for longer than it would have.
    fn is_over(&self, term: SignedDuration, now: Timestamp) -> bool {
        now.duration_since(self.since).abs() >= term
    }

    fn after(self, ask: Ask) -> Self {
        let messages = self.messages.saturating_add(1);
        Self { messages, recipients: self.recipients.saturating_add(ask.recipients), ..self }
    }

    fn end(&self, term: SignedDuration) -> Timestamp {
        self.since.saturating_add(term).unwrap_or(Timestamp::MAX)
    }
}

/// What is kept of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub hour: Window,
    pub day: Window,
    /// Written to in this hour for the first time ever.
    pub strangers: u32,
    /// Messages to strangers that were refused in this hour.
    pub refused: u32,
    /// It was told in this hour that it is throttled.
    pub told: bool,
    /// Until then it may send less, as something else than its sending was strange.
    pub suspect_until: Option<Timestamp>,
    /// Messages of this day that were stopped as they held malware.
    pub malware: u32,
    /// Or as they were spam.
    pub spam: u32,
}

/// Which limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    MessagesPerHour,
    MessagesPerDay,
    RecipientsPerHour,
    RecipientsPerDay,
    StrangersPerHour,
}

impl Limit {
    #[must_use]
    pub const fn vietnamese(self) -> &'static str {
        match self {
            Self::MessagesPerHour => "thư trong một giờ",
            Self::MessagesPerDay => "thư trong một ngày",
            Self::RecipientsPerHour => "người nhận trong một giờ",
            Self::RecipientsPerDay => "người nhận trong một ngày",
            Self::StrangersPerHour => "địa chỉ bên ngoài chưa từng gửi trong một giờ",
        }
    }

    /// For replies to mail programs.
    #[must_use]
    pub const fn english(self) -> &'static str {
        match self {
            Self::MessagesPerHour => "messages an hour",
            Self::MessagesPerDay => "messages a day",
            Self::RecipientsPerHour => "recipients an hour",
            Self::RecipientsPerDay => "recipients a day",
            Self::StrangersPerHour => "new outside recipients an hour",
        }
    }
}

/// What is said of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// And it is counted.
    Allowed,
    /// Not before `until`.
    Later { limit: Limit, most: u32, until: Timestamp, first: bool, attack: bool },
    /// It alone has more recipients than the limit lets through.
    Never { limit: Limit, most: u32 },
}

impl Sent {
    #[must_use]
    pub const fn nothing(now: Timestamp) -> Self {
        let (hour, day) = (Window::from(now), Window::from(now));
        let suspect_until = None;
        Self { hour, day, strangers: 0, refused: 0, told: false, suspect_until, malware: 0, spam: 0 }
    }

    #[must_use]
    pub fn is_suspect(&self, now: Timestamp) -> bool {
        self.suspect_until.is_some_and(|until| now < until)
    }

    /// Without what is over.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        let is_new_day = self.day.is_over(DAY, now);
        let day = if is_new_day { Window::from(now) } else { self.day };
        let (malware, spam) = if is_new_day { (0, 0) } else { (self.malware, self.spam) };
        let suspect_until = self.suspect_until.filter(|_| self.is_suspect(now));
        let all = if self.hour.is_over(HOUR, now) { Self::nothing(now) } else { self };
        Self { day, suspect_until, malware, spam, ..all }
    }

    /// Decides on one more message, and counts it, or that it was refused.
    #[must_use]
    pub fn take(
        self,
        ask: Ask,
        limits: &SendingLimits,
        suspicion: &Suspicion,
        now: Timestamp,
    ) -> (Self, Verdict) {
        let sent = self.at(now);
        let lowered = suspicion.of_suspect(limits);
        let (limits, suspicion) =
            if sent.is_suspect(now) { (&lowered.0, &lowered.1) } else { (limits, suspicion) };
        if let Some((limit, most)) = impossible(ask, limits, suspicion) {
            return (sent, Verdict::Never { limit, most });
        }
        let next = Self {
            hour: sent.hour.after(ask),
            day: sent.day.after(ask),
            strangers: sent.strangers.saturating_add(ask.strangers),
            ..sent
        };
        let Some((limit, most, until)) = next.over(ask, limits, suspicion) else {
            return (next, Verdict::Allowed);
        };
        let refused = sent.refused.saturating_add(u32::from(ask.strangers > 0));
        let attack = ask.strangers > 0 && suspicion.lock_after.is_some_and(|most| refused >= most);
        let first = !sent.told;
        (Self { refused, told: true, ..sent }, Verdict::Later { limit, most, until, first, attack })
    }

    /// One more message was stopped for what it holds. `until`: for so long it may then send less.
    #[must_use]
    pub fn harm(
        self,
        harm: Harm,
        suspicion: &Suspicion,
        (now, until): (Timestamp, Timestamp),
    ) -> (Self, Consequence) {
        let mut sent = self.at(now);
        let count = match harm {
            Harm::Malware => &mut sent.malware,
            Harm::Spam => &mut sent.spam,
        };
        *count = count.saturating_add(1);
        let count = *count;
        let Some(steps) = suspicion.steps(harm) else { return (sent, Consequence::None) };
        if count >= steps.lock_after && !suspicion.is_spared {
            return (sent, Consequence::Lock);
        }
        if count < steps.throttle_after {
            return (sent, Consequence::None);
        }
        sent.suspect_until = sent.suspect_until.max(Some(until));
        let is_first = count == steps.throttle_after;
        (sent, if is_first { Consequence::Throttle } else { Consequence::None })
    }

    /// The message that was counted did not go after all.
    #[must_use]
    pub fn give_back(self, ask: Ask, now: Timestamp) -> Self {
        let sent = self.at(now);
        let less = |window: Window| Window {
            messages: window.messages.saturating_sub(1),
            recipients: window.recipients.saturating_sub(ask.recipients),
            ..window
        };
        let strangers = sent.strangers.saturating_sub(ask.strangers);
        Self { hour: less(sent.hour), day: less(sent.day), strangers, ..sent }
    }

    /// Of the limits that are passed, the one that is passed for longest.
    fn over(
        &self,
        ask: Ask,
        limits: &SendingLimits,
        suspicion: &Suspicion,
    ) -> Option<(Limit, u32, Timestamp)> {
        let (hour, day) = (self.hour.end(HOUR), self.day.end(DAY));
        let strangers = if ask.strangers == 0 { 0 } else { self.strangers };
        let most_strangers = suspicion.strangers_per_hour.unwrap_or(u32::MAX);
        [
            (Limit::RecipientsPerDay, self.day.recipients, limits.recipients_per_day, day),
            (Limit::MessagesPerDay, self.day.messages, limits.messages_per_day, day),
            (Limit::RecipientsPerHour, self.hour.recipients, limits.recipients_per_hour, hour),
            (Limit::MessagesPerHour, self.hour.messages, limits.messages_per_hour, hour),
            (Limit::StrangersPerHour, strangers, most_strangers, hour),
        ]
        .into_iter()
        .find(|(_, count, most, _)| count > most)
        .map(|(limit, _, most, until)| (limit, most, until))
    }
}

/// What no window has room for, however empty.
fn impossible(ask: Ask, limits: &SendingLimits, suspicion: &Suspicion) -> Option<(Limit, u32)> {
    let strangers = suspicion.strangers_per_hour.unwrap_or(u32::MAX);
    [
        (Limit::RecipientsPerHour, ask.recipients, limits.recipients_per_hour),
        (Limit::RecipientsPerDay, ask.recipients, limits.recipients_per_day),
        (Limit::StrangersPerHour, ask.strangers, strangers),
    ]
    .into_iter()
    .find(|(_, count, most)| count > most)
    .map(|(limit, _, most)| (limit, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SendingLimits = SendingLimits {
        messages_per_hour: 3,
        messages_per_day: 5,
        recipients_per_hour: 10,
        recipients_per_day: 15,
    };
    const SUSPICION: Suspicion = Suspicion {
        strangers_per_hour: Some(4),
        lock_after: Some(2),
        suspect_percent: 40,
        malware: Some(Steps { throttle_after: 2, lock_after: 3 }),
        spam: None,
        is_spared: false,
    };
    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn to(recipients: u32, strangers: u32) -> Ask {
        Ask { recipients, strangers }
    }

    fn minutes(minutes: i64) -> Timestamp {
        START + SignedDuration::from_mins(minutes)
    }

    /// Each message at its minute; what is said of the last.
    fn course(asks: &[(i64, Ask)]) -> (Sent, Verdict) {
        let mut all = (Sent::nothing(START), Verdict::Allowed);
        for (minute, ask) in asks {
            all = all.0.take(*ask, &LIMITS, &SUSPICION, minutes(*minute));
        }
        all
    }

    fn limit(verdict: Verdict) -> Option<(Limit, Timestamp)> {
        match verdict {
            Verdict::Later { limit, until, .. } => Some((limit, until)),
            _ => None,
        }
    }

    #[test]
    fn each_limit_lets_through_what_it_says_and_not_one_more() {
        let one = to(1, 0);
        assert_eq!(course(&[(0, one), (1, one), (2, one)]).1, Verdict::Allowed);
        let (sent, verdict) = course(&[(0, one), (1, one), (2, one), (3, one)]);
        assert_eq!(limit(verdict), Some((Limit::MessagesPerHour, minutes(60))));
        assert_eq!((sent.hour.messages, sent.day.recipients), (3, 3), "what is refused is not counted");
        assert_eq!(course(&[(0, one), (1, one), (2, one), (59, one), (60, one)]).1, Verdict::Allowed);
        let five = to(5, 0);
        assert_eq!(course(&[(0, five), (0, five)]).1, Verdict::Allowed);
        assert_eq!(
            limit(course(&[(0, five), (0, five), (0, one)]).1),
            Some((Limit::RecipientsPerHour, minutes(60)))
        );
        let over = course(&[(0, five), (0, five), (60, five), (61, one)]);
        assert_eq!(limit(over.1), Some((Limit::RecipientsPerDay, minutes(24 * 60))));
        let slow: Vec<_> = (0..6).map(|n| (n * 61, one)).collect();
        assert_eq!(limit(course(&slow).1), Some((Limit::MessagesPerDay, minutes(24 * 60))));
        let (_, strangers) = course(&[(0, to(2, 2)), (1, to(2, 2)), (2, to(1, 1))]);
        assert_eq!(limit(strangers), Some((Limit::StrangersPerHour, minutes(60))));
        let (_, known) = course(&[(0, to(2, 2)), (1, to(2, 2)), (2, to(1, 0))]);
        assert_eq!(known, Verdict::Allowed, "who was written to before is no stranger");
    }

    #[test]
    fn what_never_fits_is_refused_for_good_and_blocks_nothing() {
        let (sent, verdict) = course(&[(0, to(11, 0))]);
        assert_eq!(verdict, Verdict::Never { limit: Limit::RecipientsPerHour, most: 10 });
        assert_eq!(sent, Sent::nothing(START));
        let never = Verdict::Never { limit: Limit::StrangersPerHour, most: 4 };
        assert_eq!(course(&[(0, to(5, 5))]).1, never);
    }

    #[test]
    fn whoever_goes_on_writing_to_strangers_is_an_attack_and_others_are_not() {
        let full = [(0, to(2, 2)), (1, to(2, 2))];
        let stranger = to(1, 1);
        let verdicts: Vec<Verdict> = (2..5)
            .map(|to| {
                course(&[full.to_vec(), (2..=to).map(|minute| (minute, stranger)).collect()].concat()).1
            })
            .collect();
        let seen = verdicts.iter().map(|verdict| match verdict {
            Verdict::Later { first, attack, .. } => (*first, *attack),
            _ => panic!("{verdict:?}"),
        });
        assert_eq!(seen.collect::<Vec<_>>(), [(true, false), (false, true), (false, true)]);
        let known: Vec<_> = (0..50).map(|_| (0, to(1, 0))).collect();
        assert!(
            matches!(course(&known).1, Verdict::Later { attack: false, .. }),
            "a program that tries again"
        );
        let (sent, _) = course(&[full.to_vec(), vec![(3, stranger), (63, stranger)]].concat());
        assert_eq!((sent.refused, sent.told, sent.strangers), (0, false, 1), "a new hour");
    }

    #[test]
    fn whoever_is_suspect_may_send_less_until_he_is_no_more() {
        let suspect = Sent { suspect_until: Some(minutes(90)), ..Sent::nothing(START) };
        let (sent, verdict) = suspect.take(to(1, 0), &LIMITS, &SUSPICION, minutes(1));
        assert_eq!((verdict, sent.suspect_until), (Verdict::Allowed, Some(minutes(90))));
        let (sent, verdict) = sent.take(to(1, 1), &LIMITS, &SUSPICION, minutes(2));
        assert_eq!(limit(verdict), Some((Limit::MessagesPerHour, minutes(60))), "40 % of 3 is 1");
        assert!(matches!(verdict, Verdict::Later { attack: true, .. }), "40 % of 2 is nothing, and so 1");
        let (later, verdict) = sent.take(to(1, 0), &LIMITS, &SUSPICION, minutes(61));
        assert_eq!((verdict, later.is_suspect(minutes(89))), (Verdict::Allowed, true));
        let (later, verdict) = later.take(to(3, 0), &LIMITS, &SUSPICION, minutes(90));
        assert_eq!((verdict, later.suspect_until), (Verdict::Allowed, None));
    }

    #[test]
    fn who_sends_malware_may_send_less_then_nothing_and_begins_anew_the_next_day() {
        let day = |hours: i64| (minutes(60 * hours), minutes(60 * (hours + 24)));
        let first = Sent::nothing(START).harm(Harm::Malware, &SUSPICION, day(0));
        assert_eq!((first.1, first.0.suspect_until), (Consequence::None, None));
        let second = first.0.harm(Harm::Malware, &SUSPICION, day(2));
        assert_eq!((second.1, second.0.suspect_until), (Consequence::Throttle, Some(minutes(60 * 26))));
        assert_eq!(second.0.harm(Harm::Malware, &SUSPICION, day(3)).1, Consequence::Lock);
        assert_eq!(
            second.0.harm(Harm::Spam, &SUSPICION, day(3)).1,
            Consequence::None,
            "policy does not look at it"
        );
        let later = second.0.harm(Harm::Malware, &SUSPICION, day(24));
        assert_eq!((later.1, later.0.malware), (Consequence::None, 1));
        let spared = Suspicion { is_spared: true, ..SUSPICION };
        let third = second.0.harm(Harm::Malware, &spared, day(5));
        assert_eq!(
            (third.1, third.0.suspect_until),
            (Consequence::None, Some(minutes(60 * 29))),
            "told once"
        );
        let at_once = Suspicion { malware: Some(Steps { throttle_after: 1, lock_after: 1 }), ..SUSPICION };
        assert_eq!(Sent::nothing(START).harm(Harm::Malware, &at_once, day(0)).1, Consequence::Lock);
    }

    #[test]
    fn what_did_not_go_is_given_back() {
        let (sent, _) = course(&[(0, to(4, 3)), (1, to(2, 1))]);
        let back = sent.give_back(to(2, 1), minutes(2));
        assert_eq!((back.hour.messages, back.hour.recipients, back.strangers), (1, 4, 3));
        assert_eq!((back.day.messages, back.day.recipients), (1, 4));
        assert_eq!(sent.give_back(to(2, 1), minutes(90)).hour.messages, 0);
    }

    #[test]
    fn a_clock_that_was_put_back_refuses_for_no_longer() {
        let full = course(&[(120, to(1, 0)), (120, to(1, 0)), (120, to(1, 0))]).0;
        assert_eq!(full.take(to(1, 0), &LIMITS, &SUSPICION, START).1, Verdict::Allowed);
    }
}
