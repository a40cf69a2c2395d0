//! Mailboxes whose addresses are made from names, by the domain's schemes (cấp mới hộp thư; requirements A1, A3–A13).
//!
//! Invariants: an address is chosen and granted under the organisation's lock, and what is not ours to lock (aliases) is met by
//! trying again: two grants at once never get one address and neither fails for the other's sake. An address is never anybody's
//! that is or was somebody else's, unless the policy's time for that is over. Whatever is granted says which rule made it.

mod facts;
mod import;
mod known;
mod list;
mod one;
mod plan;
mod readdress;
mod secret;
mod taken;

pub use import::import_digest;
pub(crate) use known::{Meant, check_same_unit, known_person};
pub use list::{Batch, Column, Import, ImportPlan, ImportRow, Imported, Issued, RowFault, RowPlan, Sheet};
pub use one::{Granted, NamedMailbox};
pub(crate) use readdress::{NEW_ADDRESS, Readdressed, new_address_text};
pub(crate) use taken::given_up_before;

use crate::AdminError;
use model::naming::{ChoiceError, NameError, NoChoice, PersonScheme};
use model::{MailboxClass, Policy};

/// Why no mailbox was granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    #[error("no address can be made of {0:?}: {1}")]
    Name(String, NameError),
    #[error("no address for {0:?}: {1}")]
    NoChoice(String, NoChoice),
    #[error("{wanted}: {why}; free are {}", offers.join(", "))]
    Choice { wanted: String, why: ChoiceError, offers: Vec<String> },
    #[error("{name} has the address {address} already, and {article} allows a person one")]
    OnePerPerson { name: String, address: String, article: String },
    #[error("unit {unit} has the address {address} already, and {article} allows an organisation one")]
    OnePerOrganisation { unit: String, address: String, article: String },
    #[error(
        "somebody of this name is known: {who}; if it is one of them, say so with --person NUMBER, if not, with \
         --another-person"
    )]
    MaybeKnown { who: String },
    #[error("give the unit: one of yours")]
    OwnUnit,
    #[error("{name} belongs to unit {unit}: transfer {name} first, or grant the mailbox there")]
    OtherUnit { name: String, unit: String },
    #[error("the address names the unit here: give one with --unit")]
    NeedsUnit,
    #[error(
        "no rule makes the address of a service mailbox: give it, as postmaster@ or hotro@ of the domain"
    )]
    Service,
    #[error("only people hold positions and have a year of birth")]
    NotAPerson,
    #[error("{0:?} is a position in a unit, and no unit is named")]
    PositionOfNoUnit(String),
    #[error("a year of birth lies between 1900 and this year")]
    BirthYear,
    #[error("several units are called {0:?}: give the code")]
    SeveralUnits(String),
    #[error("the list has more than {} rows: part it", list::IMPORT_ROWS_MAX)]
    TooManyRows,
    /// Each with its row and cell.
    #[error("{} cells are wrong, and nothing was made", .0.len())]
    BadRows(Vec<RowFault>),
    #[error("the passwords cannot be written down, so no further mailbox was made: {0}")]
    Sheet(String),
    #[error("this list was never begun")]
    NoSuchImport,
    #[error("the address was taken by others again and again; try once more")]
    Contended,
}

/// The domain's scheme for people's addresses.
pub(crate) fn person_scheme(policy: &Policy) -> PersonScheme {
    policy.naming.person_scheme.person_scheme()
}

/// A leader's position makes the mailbox a leader's (AG Đ9.3b).
const fn class_with(class: MailboxClass, is_leader: bool) -> MailboxClass {
    match (class, is_leader) {
        (MailboxClass::Person, true) => MailboxClass::Leader,
        (class, _) => class,
    }
}

pub(crate) fn check_birth_year(year: Option<i16>, this_year: i16) -> Result<(), AdminError> {
    match year {
        Some(year) if !(1900..=this_year).contains(&year) => Err(GrantError::BirthYear.into()),
        _ => Ok(()),
    }
}
