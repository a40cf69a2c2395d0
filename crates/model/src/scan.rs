//! What scanners say of a message, and what becomes of it: malware and spam, in both directions (An Giang 63/2016 Điều 10.1d, g;
//! requirement D7).
//!
//! Invariants: evidence decides nothing by itself; all that decides is the list [`CHECKS`], in its order, over evidence that was
//! gathered before; what was not scanned is never taken for clean: policy says what becomes of it.

use crate::{Policy, SpamOut, Unscanned, Unwanted};

/// What is known of a message's content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scan {
    pub malware: Malware,
    pub spam: Spam,
}

/// Of the scanner for malware (clamd).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Malware {
    /// No scanner is configured.
    #[default]
    NotAsked,
    Clean,
    /// By this name, in printable ASCII.
    Found(String),
    /// The scanner did not answer, or does not take so large a message.
    Unknown,
}

/// Of the filter for spam (rspamd).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Spam {
    /// No filter is configured, or it is not asked about so large a message.
    #[default]
    NotAsked,
    Scored(Score),
    Unknown,
}

/// What the filter found.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    pub action: SpamAction,
    pub score: f64,
    /// From which on it rejects.
    pub required: f64,
}

/// What the filter advises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpamAction {
    Nothing,
    /// To be tried again later: the sender is not known yet, or too fast.
    Later,
    /// Probably spam (add header, rewrite subject).
    Suspect,
    Reject,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From somebody who did not log in.
    In,
    /// From somebody who did.
    Out,
}

/// The policy's words for one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub not_scanned: Unscanned,
    pub spam: Unwanted,
    pub suspect: Unwanted,
    pub not_scored: Unscanned,
    /// The filter's advice to have it tried again is followed.
    pub put_off: bool,
}

impl Rules {
    /// What a domain's policy says of mail that goes this way.
    #[must_use]
    pub const fn of(policy: &Policy, direction: Direction) -> Self {
        let filter = &policy.filter;
        match direction {
            Direction::In => Self {
                not_scanned: filter.not_scanned_in,
                spam: filter.spam_in,
                suspect: filter.suspect_in,
                not_scored: filter.not_scored_in,
                put_off: filter.put_off,
            },
            Direction::Out => Self {
                not_scanned: filter.not_scanned_out,
                spam: match filter.spam_out {
                    SpamOut::Reject => Unwanted::Reject,
                    SpamOut::Quarantine => Unwanted::Quarantine,
                    SpamOut::Take => Unwanted::Mark,
                },
                suspect: Unwanted::Mark,
                not_scored: filter.not_scored_out,
                put_off: false,
            },
        }
    }
}

/// Why a message is not simply taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Malware,
    /// The scanner for malware gave no answer.
    NotScanned,
    Spam,
    Suspect,
    /// The filter for spam gave no answer.
    NotScored,
    PutOff,
}

impl Reason {
    /// For the log of messages and figures.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malware => "malware",
            Self::NotScanned => "not_scanned",
            Self::Spam => "spam",
            Self::Suspect => "suspect",
            Self::NotScored => "not_scored",
            Self::PutOff => "put_off",
        }
    }
}

/// What becomes of a message; the stricter is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Take,
    /// Taken, and marked by a header field.
    Mark(Reason),
    /// Taken, into the folder for unwanted mail.
    Junk(Reason),
    /// Taken, and kept apart until somebody has looked at it.
    Quarantine(Reason),
    /// Refused for now (4xx).
    Later(Reason),
    /// Refused (5xx).
    Refuse(Reason),
}

impl Verdict {
    const fn strictness(self) -> u8 {
        match self {
            Self::Take => 0,
            Self::Mark(_) => 1,
            Self::Junk(_) => 2,
            Self::Quarantine(_) => 3,
            Self::Later(_) => 4,
            Self::Refuse(_) => 5,
        }
    }

    #[must_use]
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Take => None,
            Self::Mark(reason)
            | Self::Junk(reason)
            | Self::Quarantine(reason)
            | Self::Later(reason)
            | Self::Refuse(reason) => Some(reason),
        }
    }
}

type Check = fn(&Scan, &Rules) -> Verdict;

/// All that decides, in its order: of equally strict verdicts the first names the reason.
pub const CHECKS: &[Check] = &[malware, not_scanned, spam, not_scored];

/// What becomes of a message under the rules of its recipients' domains, or its sender's. Who writes to several domains is bound by
/// the strictest.
#[must_use]
pub fn judge<'a>(scan: &Scan, rules: impl IntoIterator<Item = &'a Rules>) -> Verdict {
    let all = rules.into_iter().flat_map(|rules| CHECKS.iter().map(move |check| check(scan, rules)));
    all.fold(
        Verdict::Take,
        |strictest, verdict| {
            if verdict.strictness() > strictest.strictness() { verdict } else { strictest }
        },
    )
}

/// No policy lets malware through.
fn malware(scan: &Scan, _: &Rules) -> Verdict {
    if matches!(scan.malware, Malware::Found(_)) { Verdict::Refuse(Reason::Malware) } else { Verdict::Take }
}

fn not_scanned(scan: &Scan, rules: &Rules) -> Verdict {
    if scan.malware == Malware::Unknown { down(rules.not_scanned, Reason::NotScanned) } else { Verdict::Take }
}

fn spam(scan: &Scan, rules: &Rules) -> Verdict {
    let Spam::Scored(score) = &scan.spam else { return Verdict::Take };
    match score.action {
        SpamAction::Reject => unwanted(rules.spam, Reason::Spam),
        SpamAction::Suspect => unwanted(rules.suspect, Reason::Suspect),
        SpamAction::Later if rules.put_off => Verdict::Later(Reason::PutOff),
        SpamAction::Later | SpamAction::Nothing => Verdict::Take,
    }
}

fn not_scored(scan: &Scan, rules: &Rules) -> Verdict {
    if scan.spam == Spam::Unknown { down(rules.not_scored, Reason::NotScored) } else { Verdict::Take }
}

fn unwanted(rule: Unwanted, reason: Reason) -> Verdict {
    match rule {
        Unwanted::Reject => Verdict::Refuse(reason),
        Unwanted::Junk => Verdict::Junk(reason),
        Unwanted::Quarantine => Verdict::Quarantine(reason),
        Unwanted::Mark => Verdict::Mark(reason),
    }
}

fn down(rule: Unscanned, reason: Reason) -> Verdict {
    match rule {
        Unscanned::Later => Verdict::Later(reason),
        Unscanned::Take => Verdict::Mark(reason),
    }
}

impl Scan {
    /// In one line, for the log of messages: results alone.
    #[must_use]
    pub fn line(&self) -> String {
        let malware = match &self.malware {
            Malware::NotAsked => None,
            Malware::Clean => Some("malware=clean".to_owned()),
            Malware::Found(name) => Some(format!("malware=found ({name})")),
            Malware::Unknown => Some("malware=unknown".to_owned()),
        };
        let spam = match &self.spam {
            Spam::NotAsked => None,
            Spam::Scored(Score { action, score, required }) => {
                Some(format!("spam={} ({score:.1}/{required:.1})", action.as_str()))
            }
            Spam::Unknown => Some("spam=unknown".to_owned()),
        };
        malware.into_iter().chain(spam).collect::<Vec<_>>().join(" ")
    }
}

impl SpamAction {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "no",
            Self::Later => "later",
            Self::Suspect => "suspect",
            Self::Reject => "yes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(action: SpamAction) -> Scan {
        Scan { malware: Malware::Clean, spam: Spam::Scored(Score { action, score: 9.0, required: 15.0 }) }
    }

    fn under(scan: &Scan, direction: Direction, settings: &[(&str, &str)]) -> Verdict {
        let mut policy = Policy::default();
        for (field, value) in settings {
            policy.set(field, value).unwrap();
        }
        judge(scan, [&Rules::of(&policy, direction)])
    }

    #[test]
    fn each_finding_has_its_rule_in_each_direction() {
        use Direction::{In, Out};
        use Verdict::{Junk, Later, Mark, Quarantine, Refuse, Take};
        let infected = Scan { malware: Malware::Found("Eicar".into()), spam: Spam::NotAsked };
        let down = Scan { malware: Malware::Unknown, spam: Spam::Unknown };
        let (spam, suspect, later) =
            (scored(SpamAction::Reject), scored(SpamAction::Suspect), scored(SpamAction::Later));
        for (scan, direction, settings, expected) in [
            (&Scan::default(), In, &[][..], Take),
            (&scored(SpamAction::Nothing), In, &[], Take),
            (&infected, In, &[], Refuse(Reason::Malware)),
            (&infected, Out, &[], Refuse(Reason::Malware)),
            (&down, In, &[], Later(Reason::NotScanned)),
            (&down, In, &[("filter.not_scanned_in", "take")], Mark(Reason::NotScanned)),
            (
                &down,
                In,
                &[("filter.not_scanned_in", "take"), ("filter.not_scored_in", "later")],
                Later(Reason::NotScored),
            ),
            (&down, Out, &[("filter.not_scanned_in", "take")], Later(Reason::NotScanned)),
            (&down, Out, &[("filter.not_scanned_out", "take")], Mark(Reason::NotScanned)),
            (&spam, In, &[], Refuse(Reason::Spam)),
            (&spam, In, &[("filter.spam_in", "junk")], Junk(Reason::Spam)),
            (&spam, In, &[("filter.spam_in", "quarantine")], Quarantine(Reason::Spam)),
            (&spam, Out, &[("filter.spam_in", "quarantine")], Refuse(Reason::Spam)),
            (&suspect, In, &[("filter.suspect_in", "quarantine")], Quarantine(Reason::Suspect)),
            (&infected, In, &[("filter.spam_in", "quarantine")], Refuse(Reason::Malware)),
            (&spam, Out, &[("filter.spam_in", "mark")], Refuse(Reason::Spam)),
            (&spam, Out, &[("filter.spam_out", "take")], Mark(Reason::Spam)),
            (&spam, Out, &[("filter.spam_out", "quarantine")], Quarantine(Reason::Spam)),
            (&suspect, Out, &[("filter.spam_out", "quarantine")], Mark(Reason::Suspect)),
            (&suspect, In, &[], Junk(Reason::Suspect)),
            (&suspect, Out, &[], Mark(Reason::Suspect)),
            (&later, In, &[], Later(Reason::PutOff)),
            (&later, In, &[("filter.put_off", "false")], Take),
            (&later, Out, &[], Take),
        ] {
            assert_eq!(under(scan, direction, settings), expected, "{scan:?} {direction:?} {settings:?}");
        }
    }

    #[test]
    fn the_strictest_domain_binds() {
        let mut lax = Policy::default();
        lax.set("filter.spam_in", "mark").unwrap();
        let (lax, strict) = (Rules::of(&lax, Direction::In), Rules::of(&Policy::default(), Direction::In));
        let spam = scored(SpamAction::Reject);
        assert_eq!(judge(&spam, [&lax]), Verdict::Mark(Reason::Spam));
        assert_eq!(judge(&spam, [&lax, &strict]), Verdict::Refuse(Reason::Spam));
        let apart = Rules { spam: Unwanted::Quarantine, ..strict };
        let junk = Rules { spam: Unwanted::Junk, ..strict };
        assert_eq!(judge(&spam, [&lax, &apart, &junk]), Verdict::Quarantine(Reason::Spam));
        assert_eq!(judge(&spam, [&apart, &strict]), Verdict::Refuse(Reason::Spam));
        assert_eq!(judge(&spam, []), Verdict::Take);
    }

    #[test]
    fn the_line_has_results_alone() {
        assert_eq!(Scan::default().line(), "");
        assert_eq!(scored(SpamAction::Suspect).line(), "malware=clean spam=suspect (9.0/15.0)");
        let down = Scan { malware: Malware::Found("Win.Test.EICAR_HDB-1".into()), spam: Spam::Unknown };
        assert_eq!(down.line(), "malware=found (Win.Test.EICAR_HDB-1) spam=unknown");
    }
}
