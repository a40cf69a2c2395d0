//! The condition that narrows a list of what belongs to a domain, and perhaps to a unit, to a [`crate::Reach`].
//!
//! Invariant: what is of no unit is only within the reach of who has the whole domain.

/// Is what belongs to a domain, and perhaps to a unit, within the reach `$3` (everything), `$4` (domains), `$5` (units)?
macro_rules! within {
    ($of:literal) => {
        concat!(
            "($3 or ",
            $of,
            ".domain_id = any ($4) or ",
            $of,
            ".unit_id is not null and unit_path(",
            $of,
            ".unit_id) && $5::bigint[])"
        )
    };
}
pub(crate) use within;
