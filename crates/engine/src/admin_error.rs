//! Why an administrative act did not take place; each says what to do.

use crate::{Error, GrantError, OrganisationError, passwords};
use jiff::Timestamp;
use jiff::civil::Date;
use model::lifecycle::{Leave, StateName};
use model::password_rules::Flaw;
use model::quota::QuotaError;
use model::{Address, DomainName, Reason, SetError, VersionError};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    #[error("there is no domain {0}; add it first")]
    NoSuchDomain(DomainName),
    #[error("the domain exists")]
    DomainExists,
    #[error(
        "the domain has addresses, or had, or roles, requests, announcements or moves are on record for it: they are kept, so it \
         stays"
    )]
    DomainInUse,
    #[error("there is no unit {0} in this domain")]
    NoSuchUnit(String),
    #[error("the unit code is taken")]
    UnitExists,
    #[error("the address is taken, or was once somebody's")]
    AddressTaken,
    #[error(
        "{0} is not an address everybody can write: letters without marks, digits and . _ - before the @"
    )]
    OddAddress(Address),
    #[error("there is no mailbox {0}")]
    NoSuchMailbox(Address),
    /// Everything that is wrong with it.
    #[error("{}", passwords::english(.0))]
    BadPassword(Vec<Flaw>),
    #[error("say why, in 1 to 1000 characters without control characters")]
    BadReason,
    #[error("a quota has 1 PB at most")]
    BadQuota,
    /// The bound of the policy that the mailbox's own quota is not within.
    #[error("{error} ({article}): policy field {field}")]
    QuotaOutside { error: QuotaError, field: &'static str, article: String },
    #[error("a leave ends on the day it begins, or later")]
    BadLeave,
    #[error(
        "a notice of leave covers {0} days at most, and ends that many days from today at the latest: give notice again then"
    )]
    LongLeave(i64),
    #[error(
        "a leave from {} to {} is noted already: give the days that it lacks, or take it back first (congthu mailbox cancel-leave --from {})",
        .0.from, .0.to, .0.from
    )]
    LeaveNoted(Leave),
    #[error(
        "an answer has 1 to 4,000 characters, its subject 1 to 200 in one line; neither has control characters"
    )]
    BadAnswer,
    #[error("no leave that stands begins on {0}; congthu mailbox leave ADDRESS lists them")]
    NoSuchLeave(Date),
    #[error("{0}")]
    BadHolidays(String),
    #[error("{0} has keys that wait: publish them, then `congthu dkim rotate {0}`")]
    DkimWaiting(DomainName),
    #[error("{0} has no such key, or none that waits; see `congthu dkim list {0}`")]
    NoDkimKey(DomainName),
    #[error(
        "the certificate {0} was ordered many times within a day; see `congthu acme status`, mend what it says, and try tomorrow"
    )]
    TooManyCertificates(String),
    /// What the life cycle does not allow.
    #[error(transparent)]
    Life(#[from] model::lifecycle::Refusal),
    #[error(
        "{0} holds mail that was not exported since it went out of use, and the policy asks for that (life.export_first): \
         congthu mailbox export {0} --out FILE.zip, then this again; or say why it goes without: --without-export"
    )]
    NotExported(Address),
    #[error(
        "{0} is in use, and its mail is its owner's to read: lock it or put it on the deletion list before it is exported"
    )]
    InUse(Address),
    #[error(
        "{0} is {1}, so no password opens it: congthu mailbox unlock {0} gives it back with a new one (congthu mailbox show {0} says \
         what comes before that)"
    )]
    OutOfUse(Address, StateName),
    #[error("a name has 1 to 200 characters and no control characters")]
    BadName,
    #[error(transparent)]
    Profile(#[from] model::UnknownName),
    /// The Vietnamese says which field of which value.
    #[error("{field}: {error}{}", policy_form(.field))]
    PolicySetting { field: String, error: SetError },
    #[error("{}", refused_policy(.0))]
    PolicyVersion(#[from] VersionError),
    #[error("there is no move {0}; `congthu move list` lists them")]
    NoSuchMove(i64),
    #[error(
        "a move of one of these domains is planned, under way, or can still be undone: `congthu move list`"
    )]
    MoveExists,
    #[error("a domain does not move to itself")]
    SameDomain,
    /// Such as a planned one that is to be undone.
    #[error("the move is {0}")]
    MoveState(&'static str),
    #[error(
        "{0} addresses are not decided: `congthu move show --undecided` lists them, `congthu move decide` decides"
    )]
    Undecided(u64),
    #[error("the time in which the move could be undone was over at {}", model::calendar::local_text(*.0))]
    UndoOver(jiff::Timestamp),
    /// Codes of units, names of people, addresses of mailboxes.
    #[error(
        "these belong to units of both domains since the move; move them to a unit of the one they are to stay in first: {}",
        .0.join(", ")
    )]
    GrownTogether(Vec<String>),
    #[error("somebody else has just changed the policy; look at it again")]
    PolicyRace,
    /// Said only of what the actor may see.
    #[error("denied: {0}")]
    Denied(Reason),
    #[error("{0} has this role already")]
    RoleHeld(Address),
    #[error(
        "this role is not given over this: system-administrator over the system, centre-operator and helpdesk over a \
         domain, organisation-officer over a unit, inspector over a domain, unit or mailbox"
    )]
    RoleScope,
    #[error(
        "a planned stop is announced {days} working days ahead: it may begin from {} on; an emergency needs its reason",
        model::calendar::local_text(*.first)
    )]
    TooSoon { days: u16, first: Timestamp },
    #[error("the policy allows no emergency stops: announcement.emergencies")]
    NoEmergencies,
    #[error("say when the incident is expected to be over: announcement.recovery_time")]
    NoRecovery,
    #[error("a text has 1 to 2,000 characters")]
    BadText,
    #[error("there is no announcement {0} that could be taken back; see congthu announce list")]
    NoSuchAnnouncement(i64),
    #[error("a period ends after it begins")]
    BadPeriod,
    #[error("there is no hold {0} in force; see congthu hold list")]
    NoSuchHold(i64),
    #[error("it takes a second person: somebody else has to agree, by the same command")]
    SecondPerson,
    #[error("the end lies in the past")]
    PastUntil,
    #[error(transparent)]
    Organisation(#[from] OrganisationError),
    #[error(transparent)]
    Grant(#[from] GrantError),
    #[error(transparent)]
    Engine(#[from] Error),
}

impl From<store::Error> for AdminError {
    fn from(error: store::Error) -> Self {
        let known = [
            ("domains_name_key", Self::DomainExists),
            ("units_code_key", Self::UnitExists),
            ("addresses_pkey", Self::AddressTaken),
            ("accounts_domain_fkey", Self::DomainInUse),
            ("reviews_unit_fkey", Self::DomainInUse),
            ("policies_pkey", Self::PolicyRace),
            ("moves_one", Self::MoveExists),
            ("move_steps_new", Self::AddressTaken),
        ];
        match known.into_iter().find(|(name, _)| error.is_constraint(name)) {
            Some((_, known)) => known,
            None => Self::Engine(error.into()),
        }
    }
}

/// What the field may be; nothing for what is no field.
fn policy_form(field: &str) -> String {
    model::Policy::field(field).map(|field| format!(": it is {}", field.form())).unwrap_or_default()
}

fn refused_policy(error: &VersionError) -> String {
    match error {
        VersionError::Invalid(violations) => {
            let list = violations.iter().map(|wrong| format!("{}: {}", wrong.field, wrong.rule.label()));
            format!("{error}: {}", list.collect::<Vec<_>>().join("; "))
        }
        _ => error.to_string(),
    }
}
