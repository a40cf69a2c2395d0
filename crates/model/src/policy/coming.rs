//! Rules that can be set but that nothing enforces yet: whoever reads a policy is told so.
//!
//! Invariant: a field is in this list until something acts on it, and not a day longer; the tidy test compares the list with
//! what the code reads.

/// Keys of [`super::Field`]s, in the order of the policy.
pub(super) const NOT_IN_FORCE: &[&str] = &[
    "sending.warn_public_mail",
    "sending.public_mail",
    "sending.tag_sign_ups",
    "sending.diacritics_hint",
    "sending.secret",
    "sending.recall",
    "report.monthly",
    "report.half_yearly",
    "report.half_year_due",
    "report.yearly",
    "report.year_due",
    "report.from_units",
    "contact.centre",
    "contact.authority",
    "contact.telephone",
    "administration.second_factor",
];
