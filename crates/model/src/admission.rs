//! Mail of strangers at the door: what is known of where it comes from, and what becomes of it.
//!
//! Invariants: evidence decides nothing by itself; all that decides is the list [`CHECKS`], in its order, over evidence that was
//! gathered before; what could not be found out is never taken for a pass.
//!
//! Another kind of evidence (a filter's verdict, say) is added in three steps: a field of [`Evidence`] that its gatherer fills, a
//! function here of the form of the others, and its line in [`CHECKS`]. What it may do is a field of the policy's section
//! `inbound`, and the words that a refused sender reads are in `smtp`'s replies, by [`Ground`].

mod results;

pub use results::{Arc, Named, Outcome, Signature, Spf};

use crate::connection::{Connection, Contact, Greeting};
use crate::{Disowned, Doubtful, Inbound};
use std::borrow::Cow;
use std::time::Duration;

/// What is known of a message that a stranger brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    pub spf: Spf,
    /// Of each signature that was looked at, in the order of the message.
    pub signatures: Vec<Signature>,
    pub arc: Arc,
    /// Of each domain that the message names as its author's; several are rare.
    pub authors: Vec<Author>,
    /// The author could not be read without doubt: there is none, or two programs may show different ones.
    pub unclear_author: bool,
    /// Of each address that stands in an author's name, in front of his own: what some programs show of him.
    pub named: Vec<Named>,
    /// A relay of ours brought it: nobody says anything of its address, and of DMARC only a pass is known.
    pub is_relayed: bool,
    /// What brought it, where that is a stranger's: `None` for relays and networks of ours.
    pub connection: Option<Connection>,
    /// Those whom it is for want the author's domain to be told what came in its name ([`Published`]).
    pub is_reported: bool,
}

/// What a domain says of mail that names it as the author's, and whether it is its own (DMARC, RFC 7489).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Author {
    /// Of the From address, in small ASCII letters.
    pub domain: String,
    /// `Pass`: something that passed is of that domain. `None`: the domain publishes no policy.
    pub dmarc: Outcome,
    /// What it asks for where nothing passed.
    pub asks: Asks,
    /// Is anything that passed of that domain, whether it publishes a policy or not (RFC 7489 3.1)? `Pass`, `Fail` or
    /// `TempError`.
    pub aligned: Outcome,
    /// It is one of this system's.
    pub ours: bool,
    /// Where it wants to be told: what it has published.
    pub published: Option<Published>,
}

/// The record of a domain that wants to hear what came in its name, and what it came to (RFC 7489 7.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Where the record stands: the author's domain or one above it.
    pub domain: String,
    /// `adkim=s`, `aspf=s`.
    pub strict_dkim: bool,
    pub strict_spf: bool,
    pub policy: Asks,
    /// `sp=`; `None`: as `policy`.
    pub below: Option<Asks>,
    /// `t=y` (RFC 9989 4.7): less is done than it asks for.
    pub is_test: bool,
    /// A signature, or SPF, passed and is of the domain.
    pub dkim_passed: bool,
    pub spf_passed: bool,
}

/// What the owner of a domain asks for (RFC 7489 6.3 `p=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asks {
    #[default]
    Nothing,
    Quarantine,
    Reject,
    /// A name server did not say.
    Unknown,
}

impl Asks {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a message is not simply taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// RFC 5321 4.1.1.1: the server that brings it calls itself what it cannot be.
    Helo,
    /// RFC 5782: the address that brings it is on a list.
    Listed,
    /// RFC 7489: the author's domain disowns it.
    Dmarc,
    /// Its author is said to be of ours.
    OwnDomain,
    /// In its author's name stands an address of ours.
    OwnName,
    /// RFC 7208: not from a server of the sender's domain.
    Spf,
    /// It names no author, or several that cannot be told apart.
    UnclearAuthor,
    /// The name servers did not answer, and without them it might be forged.
    Unverifiable,
    /// Its sender was never here, and has not waited yet.
    Greylisted,
}

impl Ground {
    pub const ALL: [Self; 9] = [
        Self::Helo,
        Self::Listed,
        Self::Dmarc,
        Self::OwnDomain,
        Self::OwnName,
        Self::Spf,
        Self::UnclearAuthor,
        Self::Unverifiable,
        Self::Greylisted,
    ];

    /// May policy have mail kept apart for it?
    #[must_use]
    pub const fn keeps_apart(self) -> bool {
        !matches!(self, Self::Unverifiable | Self::Greylisted)
    }

    /// For the log of messages and the figures.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Helo => "helo",
            Self::Listed => "listed",
            Self::Dmarc => "dmarc",
            Self::OwnDomain => "own_domain",
            Self::OwnName => "own_name",
            Self::Spf => "spf",
            Self::UnclearAuthor => "unclear_author",
            Self::Unverifiable => "unverifiable",
            Self::Greylisted => "greylisted",
        }
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Accept,
    /// Taken, into the folder for unwanted mail.
    Junk(Ground),
    /// Taken, and kept apart until somebody has looked at it.
    Quarantine(Ground),
    /// Refused for now (4xx).
    Later(Ground),
    /// Refused (5xx).
    Refuse(Ground),
}

impl Admission {
    /// It is not taken now, or never.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Later(_) | Self::Refuse(_))
    }

    const fn strictness(self) -> u8 {
        match self {
            Self::Accept => 0,
            Self::Junk(_) => 1,
            Self::Quarantine(_) => 2,
            Self::Later(_) => 3,
            Self::Refuse(_) => 4,
        }
    }
}

type Check = fn(&Evidence, &Inbound) -> Option<Admission>;

/// All that decides, in its order.
pub const CHECKS: &[Check] = &[listed, helo, unclear_author, own_domain, own_name, dmarc, spf, greylisted];

/// What becomes of a message under the rules of its recipients' domains: the first refusal ends the list, Junk and quarantine are
/// for what nothing behind it refuses. Who writes to several domains is bound by the strictest.
#[must_use]
pub fn admit<'a>(evidence: &Evidence, rules: impl IntoIterator<Item = &'a Inbound>) -> Admission {
    let each = rules.into_iter().map(|rules| admit_under(evidence, rules));
    each.max_by_key(|admission| admission.strictness()).unwrap_or(Admission::Accept)
}

fn admit_under(evidence: &Evidence, rules: &Inbound) -> Admission {
    let mut found = Admission::Accept;
    for check in CHECKS {
        match check(evidence, rules) {
            Some(refused) if refused.is_refusal() => return refused,
            Some(kept) if kept.strictness() > found.strictness() => found = kept,
            _ => {}
        }
    }
    found
}

fn by(rule: Doubtful, ground: Ground) -> Option<Admission> {
    match rule {
        Doubtful::Reject => Some(Admission::Refuse(ground)),
        Doubtful::Junk => Some(Admission::Junk(ground)),
        Doubtful::Quarantine => Some(Admission::Quarantine(ground)),
        Doubtful::Accept => None,
    }
}

/// Of several lists the strictest counts.
fn listed(evidence: &Evidence, rules: &Inbound) -> Option<Admission> {
    let acts = evidence.connection.as_ref()?.acts(&rules.lists);
    acts.filter_map(|act| by(act, Ground::Listed)).max_by_key(|admission| admission.strictness())
}

/// RFC 5321 4.1.4 forbids to refuse mail only as the name does not verify; what is said here needs no verifying. Many who are no
/// spammers call themselves wrongly, so the default is to say so and no more.
fn helo(evidence: &Evidence, rules: &Inbound) -> Option<Admission> {
    let greeting = evidence.connection.as_ref()?.greeting;
    (greeting != Greeting::Plausible).then(|| by(rules.helo, Ground::Helo)).flatten()
}

/// What one program checks and another shows need not be the same author.
fn unclear_author(evidence: &Evidence, rules: &Inbound) -> Option<Admission> {
    evidence.unclear_author.then(|| by(rules.unclear_author, Ground::UnclearAuthor)).flatten()
}

/// AG Đ5.5: from outside, nobody writes as one of us, unless what passed shows that he may.
fn own_domain(evidence: &Evidence, rules: &Inbound) -> Option<Admission> {
    let claimed = evidence.authors.iter().find(|author| author.ours && author.aligned != Outcome::Pass)?;
    match claimed.aligned {
        Outcome::TempError if rules.own_domain != Doubtful::Accept => {
            Some(Admission::Later(Ground::Unverifiable))
        }
        _ => by(rules.own_domain, Ground::OwnDomain),
    }
}

/// Programs show the name and not the address behind it, so who reads it sees one of us. Lists and calendars write the address of
/// whoever they write for into the name, too; where his domain's own signature is still good, it is his.
fn own_name(evidence: &Evidence, rules: &Inbound) -> Option<Admission> {
    evidence.own_name()?;
    by(rules.own_name, Ground::OwnName)
}

/// RFC 7489 6.6.2.
fn dmarc(evidence: &Evidence, rules: &Inbound) -> Option<Admission> {
    if rules.dmarc == Disowned::Accept {
        return None;
    }
    let mut found = None;
    for author in &evidence.authors {
        match (author.dmarc, author.asks, rules.dmarc) {
            // Whatever comes out, its owner asks for nothing.
            (Outcome::TempError, Asks::Nothing, _) => {}
            (Outcome::TempError, _, _) => return Some(Admission::Later(Ground::Unverifiable)),
            (Outcome::Fail, Asks::Reject, Disowned::Honour) => {
                return Some(Admission::Refuse(Ground::Dmarc));
            }
            (Outcome::Fail, Asks::Reject | Asks::Quarantine, Disowned::Quarantine) => {
                found = Some(Admission::Quarantine(Ground::Dmarc));
            }
            (Outcome::Fail, Asks::Reject | Asks::Quarantine, _) => {
                found = Some(Admission::Junk(Ground::Dmarc));
            }
            _ => {}
        }
    }
    found
}

/// SPF alone is broken by whoever forwards (RFC 7208 D.1), so it only counts where no DMARC policy does.
fn spf(evidence: &Evidence, rules: &Inbound) -> Option<Admission> {
    let decided = |author: &Author| author.dmarc != Outcome::None;
    let passed = |signature: &Signature| {
        signature.outcome == Outcome::Pass
            && evidence.authors.iter().any(|author| author.domain == signature.domain)
    };
    if evidence.authors.iter().any(decided) || evidence.signatures.iter().any(passed) {
        return None;
    }
    match evidence.spf.outcome {
        Outcome::Fail => by(rules.spf_fail, Ground::Spf),
        Outcome::TempError if rules.spf_fail == Doubtful::Reject => {
            Some(Admission::Later(Ground::Unverifiable))
        }
        _ => None,
    }
}

/// The last of all: who is refused anyway is not asked to come again.
fn greylisted(evidence: &Evidence, rules: &Inbound) -> Option<Admission> {
    let (minutes, connection) = (rules.greylist?, evidence.connection.as_ref()?);
    let Contact::Tried(ago) = connection.contact else { return None };
    (ago < Duration::from_mins(minutes.into())).then_some(Admission::Later(Ground::Greylisted))
}

impl Evidence {
    /// Is the sender of the envelope who he says he is: is he to be told of what became of his message?
    #[must_use]
    pub fn shows_sender(&self) -> bool {
        !self.spf.of_helo && self.spf.outcome == Outcome::Pass
    }

    /// Has this domain signed it?
    #[must_use]
    pub fn is_signed_by(&self, domain: &str) -> bool {
        let by = |signature: &Signature| signature.domain.eq_ignore_ascii_case(domain);
        self.signatures.iter().any(|signature| signature.outcome == Outcome::Pass && by(signature))
    }

    /// The domain of ours of which an address stands in the author's name, and that has not signed it.
    #[must_use]
    pub fn own_name(&self) -> Option<&str> {
        let unshown = |named: &&Named| named.ours && !self.is_signed_by(&named.domain);
        self.named.iter().find(unshown).map(|named| named.domain.as_str())
    }

    /// Whose domain it is that the message is refused for; `None` where it names none.
    #[must_use]
    pub fn domain_of(&self, ground: Ground) -> Option<&str> {
        let author = |is: fn(&Author) -> bool| {
            self.authors.iter().find(|author| is(author)).map(|author| author.domain.as_str())
        };
        let domain = match ground {
            Ground::Dmarc => author(|author| {
                author.dmarc == Outcome::Fail && matches!(author.asks, Asks::Reject | Asks::Quarantine)
            }),
            Ground::OwnDomain => author(|author| author.ours && author.aligned != Outcome::Pass),
            Ground::OwnName => self.own_name(),
            Ground::Spf => Some(self.spf.domain.as_str()),
            Ground::Helo | Ground::Listed | Ground::UnclearAuthor | Ground::Greylisted => None,
            Ground::Unverifiable => {
                let author = author(|author| {
                    author.dmarc == Outcome::TempError
                        || (author.ours && author.aligned == Outcome::TempError)
                });
                author.or(Some(self.spf.domain.as_str()))
            }
        };
        domain.filter(|domain| !domain.is_empty())
    }

    /// In one line, for the log of messages: results and domains alone, as [`as_one_word`] writes them.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = match self.is_relayed {
            true => "relayed".to_owned(),
            false => format!("spf={} ({})", self.spf.outcome, as_one_word(&self.spf.domain)),
        };
        for signature in &self.signatures {
            line.push_str(&format!(" dkim={} ({})", signature.outcome, as_one_word(&signature.domain)));
        }
        for author in &self.authors {
            let (domain, asks) = (as_one_word(&author.domain), author.asks.as_str());
            line.push_str(&format!(" dmarc={} ({domain}, p={asks})", author.dmarc));
        }
        if let Some(domain) = self.own_name() {
            line.push_str(&format!(" name=ours ({})", as_one_word(domain)));
        }
        if self.arc.outcome != Outcome::None {
            line.push_str(&format!(" arc={} ({})", self.arc.outcome, as_one_word(&self.arc.domain)));
        }
        for word in self.connection.iter().flat_map(Connection::words) {
            line.push(' ');
            line.push_str(&word);
        }
        line
    }
}

/// A domain or an address within a line of results: as it is, or in quotation marks, and without any of its own, where a stranger
/// has written into it what could pass for a result.
#[must_use]
pub fn as_one_word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "-._@+:".contains(c);
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let inner: String = text.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
    Cow::Owned(format!("\"{inner}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Policy;
    use crate::connection::Listing;

    fn author(dmarc: Outcome, asks: Asks) -> Evidence {
        let author = Author { domain: "a.vn".into(), dmarc, asks, ..Author::default() };
        Evidence { authors: vec![author], ..Evidence::default() }
    }

    #[test]
    fn the_authors_domain_decides_what_becomes_of_what_it_disowns() {
        use Admission::{Accept, Junk, Later, Refuse};
        let rules = |dmarc| Inbound { dmarc, ..Inbound::default() };
        for (outcome, asks, honour, junk, accept) in [
            (Outcome::Pass, Asks::Reject, Accept, Accept, Accept),
            (Outcome::None, Asks::Nothing, Accept, Accept, Accept),
            (Outcome::PermError, Asks::Nothing, Accept, Accept, Accept),
            (Outcome::Fail, Asks::Nothing, Accept, Accept, Accept),
            (Outcome::Fail, Asks::Quarantine, Junk(Ground::Dmarc), Junk(Ground::Dmarc), Accept),
            (Outcome::Fail, Asks::Reject, Refuse(Ground::Dmarc), Junk(Ground::Dmarc), Accept),
            (Outcome::TempError, Asks::Nothing, Accept, Accept, Accept),
            (
                Outcome::TempError,
                Asks::Unknown,
                Later(Ground::Unverifiable),
                Later(Ground::Unverifiable),
                Accept,
            ),
        ] {
            let evidence = author(outcome, asks);
            for (rule, expected) in
                [(Disowned::Honour, honour), (Disowned::Junk, junk), (Disowned::Accept, accept)]
            {
                assert_eq!(admit(&evidence, [&rules(rule)]), expected, "{outcome} {asks:?} {rule:?}");
            }
        }
    }

    fn connected(greeting: Greeting, listings: &[(&str, &[u8])]) -> Evidence {
        let listings =
            listings.iter().map(|(zone, codes)| Listing { zone: (*zone).into(), codes: codes.to_vec() });
        let connection = Connection { greeting, listings: listings.collect(), ..Connection::default() };
        Evidence { connection: Some(connection), ..author(Outcome::Pass, Asks::Reject) }
    }

    fn inbound(settings: &[(&str, &str)]) -> Inbound {
        let mut policy = Policy::default();
        settings.iter().for_each(|(field, value)| policy.set(field, value).unwrap());
        policy.inbound
    }

    #[test]
    fn what_a_server_calls_itself_is_marked_and_refused_only_by_policy() {
        use Admission::{Accept, Junk, Quarantine, Refuse};
        use Greeting::{NotFull, OtherAddress, Ours, Plausible};
        for (rule, expected) in [
            (None, Accept),
            (Some("accept"), Accept),
            (Some("junk"), Junk(Ground::Helo)),
            (Some("quarantine"), Quarantine(Ground::Helo)),
            (Some("reject"), Refuse(Ground::Helo)),
        ] {
            let rules = inbound(&rule.map(|rule| ("inbound.helo", rule)).into_iter().collect::<Vec<_>>());
            for odd in [NotFull, OtherAddress, Ours] {
                assert_eq!(admit(&connected(odd, &[]), [&rules]), expected, "{odd:?} {rule:?}");
            }
            assert_eq!(admit(&connected(Plausible, &[]), [&rules]), Accept);
            // A relay or a network of ours.
            assert_eq!(admit(&author(Outcome::Pass, Asks::Reject), [&rules]), Accept);
        }
    }

    #[test]
    fn each_list_means_what_policy_says_of_it() {
        use Admission::{Accept, Junk, Quarantine, Refuse};
        let rules = "zen.example.org/2-3=reject,zen.example.org/10-11=junk,bl.example.org=quarantine,\
                     all.example.org=accept";
        let rules = inbound(&[("inbound.lists", rules)]);
        let (zen, bl, all) = ("zen.example.org", "bl.example.org", "all.example.org");
        for (listings, expected) in [
            (&[][..], Accept),
            (&[(zen, &[2][..])], Refuse(Ground::Listed)),
            (&[(zen, &[3])], Refuse(Ground::Listed)),
            (&[(zen, &[4])], Accept),
            (&[(zen, &[11])], Junk(Ground::Listed)),
            (&[(zen, &[3, 11])], Refuse(Ground::Listed)),
            (&[(bl, &[200])], Quarantine(Ground::Listed)),
            (&[(zen, &[10]), (bl, &[2])], Quarantine(Ground::Listed)),
            (&[(all, &[2])], Accept),
            (&[("other.example.org", &[2])], Accept),
        ] {
            let evidence = connected(Greeting::Plausible, listings);
            assert_eq!(admit(&evidence, [&rules]), expected, "{listings:?}");
            // A domain that asks no list is not bound by what another's says, and who writes to both by both.
            assert_eq!(admit(&evidence, [&Inbound::default()]), Accept);
            assert_eq!(admit(&evidence, [&Inbound::default(), &rules]), expected);
        }
    }

    #[test]
    fn who_is_here_for_the_first_time_waits_as_long_as_policy_says() {
        use Admission::{Accept, Later, Refuse};
        let wait = Later(Ground::Greylisted);
        let tried = |seconds| Contact::Tried(Duration::from_secs(seconds));
        for (contact, expected) in [
            (Contact::NotAsked, Accept),
            (Contact::Known, Accept),
            (tried(0), wait),
            (tried(299), wait),
            (tried(300), Accept),
            (tried(100_000), Accept),
        ] {
            let mut evidence = connected(Greeting::Plausible, &[]);
            evidence.connection.as_mut().unwrap().contact = contact;
            let five = inbound(&[("inbound.greylist", "5")]);
            assert_eq!(admit(&evidence, [&five]), expected, "{contact:?}");
            assert_eq!(admit(&evidence, [&Inbound::default()]), Accept, "off by default");
            assert_eq!(admit(&evidence, [&five, &Inbound::default()]), expected, "the strictest binds");
            // What is refused for good is not asked to come again.
            evidence.authors[0].dmarc = Outcome::Fail;
            assert_eq!(admit(&evidence, [&five]), Refuse(Ground::Dmarc));
        }
    }

    #[test]
    fn of_two_refusals_the_first_of_the_list_is_told() {
        let mut evidence = connected(Greeting::Ours, &[("bl.example.org", &[2])]);
        evidence.authors[0].dmarc = Outcome::Fail;
        let rules = [("inbound.helo", "reject"), ("inbound.lists", "bl.example.org=reject")];
        assert_eq!(admit(&evidence, [&inbound(&rules)]), Admission::Refuse(Ground::Listed));
        assert_eq!(admit(&evidence, [&inbound(&rules[..1])]), Admission::Refuse(Ground::Helo));
        let junk = [("inbound.helo", "junk"), ("inbound.lists", "bl.example.org=junk")];
        assert_eq!(admit(&evidence, [&inbound(&junk)]), Admission::Refuse(Ground::Dmarc));
    }

    #[test]
    fn what_is_disowned_or_in_doubt_may_be_kept_apart() {
        let rules = Inbound {
            dmarc: Disowned::Quarantine,
            spf_fail: Doubtful::Quarantine,
            unclear_author: Doubtful::Junk,
            ..Inbound::default()
        };
        for asks in [Asks::Reject, Asks::Quarantine] {
            let evidence = author(Outcome::Fail, asks);
            assert_eq!(admit(&evidence, [&rules]), Admission::Quarantine(Ground::Dmarc));
        }
        let mut evidence = author(Outcome::None, Asks::Nothing);
        evidence.spf.outcome = Outcome::Fail;
        assert_eq!(admit(&evidence, [&rules]), Admission::Quarantine(Ground::Spf));
        // What is found first does not hide what is stricter.
        evidence.unclear_author = true;
        assert_eq!(admit(&evidence, [&rules]), Admission::Quarantine(Ground::Spf));
        let other = Inbound { spf_fail: Doubtful::Reject, ..Inbound::default() };
        assert_eq!(admit(&evidence, [&rules, &other]), Admission::Refuse(Ground::Spf));
    }

    #[test]
    fn nobody_from_outside_is_one_of_us_unless_it_is_shown() {
        let mut evidence = author(Outcome::None, Asks::Nothing);
        evidence.authors[0].ours = true;
        let rules = |own_domain| Inbound { own_domain, ..Inbound::default() };
        let under = |evidence: &Evidence, rule| admit(evidence, [&rules(rule)]);
        assert_eq!(under(&evidence, Doubtful::Reject), Admission::Refuse(Ground::OwnDomain));
        assert_eq!(under(&evidence, Doubtful::Junk), Admission::Junk(Ground::OwnDomain));
        assert_eq!(under(&evidence, Doubtful::Accept), Admission::Accept);
        // Whose keys cannot be asked for may be ours.
        evidence.authors[0].aligned = Outcome::TempError;
        assert_eq!(under(&evidence, Doubtful::Reject), Admission::Later(Ground::Unverifiable));
        evidence.authors[0].aligned = Outcome::Pass;
        assert_eq!(under(&evidence, Doubtful::Reject), Admission::Accept);
    }

    #[test]
    fn nobody_from_outside_bears_an_address_of_ours_as_his_name() {
        let mut evidence = author(Outcome::Pass, Asks::Reject);
        let under =
            |evidence: &Evidence, rule| admit(evidence, [&Inbound { own_name: rule, ..Inbound::default() }]);
        let named = |domain: &str, ours| Named { domain: domain.into(), ours };
        evidence.named = vec![named("b.vn", false)];
        assert_eq!(under(&evidence, Doubtful::Reject), Admission::Accept);
        evidence.named.push(named("demo.vn", true));
        for (rule, expected) in [
            (Doubtful::Reject, Admission::Refuse(Ground::OwnName)),
            (Doubtful::Quarantine, Admission::Quarantine(Ground::OwnName)),
            (Doubtful::Junk, Admission::Junk(Ground::OwnName)),
            (Doubtful::Accept, Admission::Accept),
        ] {
            assert_eq!(under(&evidence, rule), expected);
            assert_eq!(evidence.line(), "spf=none () dmarc=pass (a.vn, p=reject) name=ours (demo.vn)");
        }
        assert_eq!(admit(&evidence, [&Inbound::default()]), Admission::Junk(Ground::OwnName));
        assert_eq!(evidence.domain_of(Ground::OwnName), Some("demo.vn"));
        // A list that leaves the letter as it was.
        let signature =
            Signature { outcome: Outcome::Fail, domain: "demo.vn".into(), ..Signature::default() };
        evidence.signatures = vec![signature];
        assert_eq!(under(&evidence, Doubtful::Junk), Admission::Junk(Ground::OwnName));
        evidence.signatures[0].outcome = Outcome::Pass;
        assert_eq!(under(&evidence, Doubtful::Junk), Admission::Accept);
        assert_eq!(evidence.line(), "spf=none () dkim=pass (demo.vn) dmarc=pass (a.vn, p=reject)");
    }

    #[test]
    fn spf_alone_counts_where_no_policy_does() {
        let failed = Spf { outcome: Outcome::Fail, domain: "b.vn".into(), of_helo: false };
        let mut evidence = Evidence { spf: failed, ..author(Outcome::None, Asks::Nothing) };
        let rules = Inbound::default();
        assert_eq!(admit(&evidence, [&rules]), Admission::Junk(Ground::Spf));
        let signature = Signature { outcome: Outcome::Pass, domain: "a.vn".into(), ..Signature::default() };
        evidence.signatures = vec![signature];
        assert_eq!(admit(&evidence, [&rules]), Admission::Accept, "signed by the author's domain");
        evidence.signatures[0].domain = "list.vn".into();
        assert_eq!(admit(&evidence, [&rules]), Admission::Junk(Ground::Spf));
        evidence.authors[0].dmarc = Outcome::Fail;
        assert_eq!(admit(&evidence, [&rules]), Admission::Accept, "p=none: the domain has spoken");
        evidence.authors[0].dmarc = Outcome::None;
        evidence.signatures.clear();
        evidence.spf.outcome = Outcome::TempError;
        let strict = Inbound { spf_fail: Doubtful::Reject, ..Inbound::default() };
        assert_eq!(admit(&evidence, [&strict]), Admission::Later(Ground::Unverifiable));
        assert_eq!(admit(&evidence, [&rules]), Admission::Accept);
    }

    #[test]
    fn the_strictest_domain_binds_and_a_refusal_goes_before_junk() {
        let (strict, lax) = (Inbound::default(), Inbound { dmarc: Disowned::Accept, ..Inbound::default() });
        let mut evidence = author(Outcome::Fail, Asks::Reject);
        assert_eq!(admit(&evidence, [&lax, &strict]), Admission::Refuse(Ground::Dmarc));
        assert_eq!(admit(&evidence, [&lax]), Admission::Accept);
        evidence.unclear_author = true;
        assert_eq!(admit(&evidence, [&lax]), Admission::Junk(Ground::UnclearAuthor));
        assert_eq!(admit(&evidence, [&strict]), Admission::Refuse(Ground::Dmarc));
        assert_eq!(admit(&evidence, []), Admission::Accept);
    }

    #[test]
    fn the_line_has_results_and_domains_alone() {
        let mut evidence = author(Outcome::Pass, Asks::Reject);
        evidence.spf = Spf { outcome: Outcome::SoftFail, domain: "b.vn".into(), of_helo: false };
        assert_eq!(evidence.line(), "spf=softfail (b.vn) dmarc=pass (a.vn, p=reject)");
        assert!(!evidence.shows_sender());
        evidence.connection = connected(Greeting::NotFull, &[("bl.example.org", &[4])]).connection;
        let said = "spf=softfail (b.vn) dmarc=pass (a.vn, p=reject) helo=no_full_name listed=bl.example.org (127.0.0.4)";
        assert_eq!(evidence.line(), said);
        evidence.connection = None;
        // Whoever says HELO, or writes a signature, says what he likes.
        evidence.spf.domain = "x) dkim=pass (\"demo.gov.vn".into();
        evidence.authors[0].domain = "a.vn, p=none) arc=pass (b.vn".into();
        assert_eq!(
            evidence.line(),
            "spf=softfail (\"x) dkim=pass (demo.gov.vn\") dmarc=pass (\"a.vn, p=none) arc=pass (b.vn\", p=reject)"
        );
    }
}
