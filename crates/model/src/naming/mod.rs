//! From Vietnamese names to addresses: who gets which local part, and by which rule.
//!
//! The way goes: a text becomes a [`PersonName`] or a [`UnitName`]; a scheme ([`PersonScheme`], [`UnitScheme`]: data, picked by
//! a domain's profile) proposes local parts, each with the rule and the article that made it; [`choose`] takes the
//! first that is neither reserved nor taken.
//!
//! Invariants: pure and bounded whatever the input; NFC and NFD give the same; a proposal is always a valid
//! [`LocalPart`]; nothing is proposed rather than something cut off or made up.

mod choose;
mod fold;
mod form;
mod local_part;
mod person_name;
mod regulations;
mod reserved;
mod scheme;
#[cfg(test)]
mod tests;
mod unit_name;

pub use choose::{Applicant, Choice, ChoiceError, NoChoice, PASSED_MAX, Why, choose, chosen, offers};
pub use fold::{NAME_BYTES_MAX, NameError};
pub use form::{Form, FormError, Piece};
pub use local_part::{LOCAL_BYTES_MAX, LocalPart, LocalPartError};
pub use person_name::PersonName;
pub use reserved::{RETENTION_MONTHS_MAX, ROLES, Reserved, Retention, SERVICE_MAILBOXES};
pub use scheme::{
    NUMBER_MAX, Namesakes, Parent, PersonScheme, Proposal, Proposals, RULES_MAX, Rule, STEPS_MAX, SameDay,
    SchemeError, Unit, UnitScheme, When,
};
pub use unit_name::{NameKind, UnitName};
