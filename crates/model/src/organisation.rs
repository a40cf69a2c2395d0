//! The tree of organisations (đơn vị) of one domain, who belonged where and when, and positions (chức vụ) apart from people.
//!
//! Invariants: no unit is above itself; a code means one unit for ever, also after its dissolution; the day of each act is
//! given, never asked of a clock, and acts on one unit come in the order of their days; what was is never overwritten.

mod kind;
mod people;
mod subject;
#[cfg(test)]
mod tests;
mod tree;

pub use kind::{KindId, Kinds, Tier, UnitKind};
pub use people::{
    Appointment, Membership, PeopleError, PersonId, Position, PositionId, Register, STANDARD_POSITIONS,
};
pub use subject::Subject;
pub use tree::{Event, Happening, NewUnit, Tree, TreeError, Unit, UnitState};

use serde::{Deserialize, Serialize};

/// Characters of a short code: it becomes part of addresses, whose local part has 64.
const CODE_CHARS_MAX: usize = 40;
/// Characters of a full name, as lists show it.
const NAME_CHARS_MAX: usize = 200;
/// Characters of a mã định danh (QCVN 102 allows 35).
const IDENTIFIER_CHARS_MAX: usize = 35;

/// A unit's short code (tên viết tắt), part of its address: letters a–z, digits, and `.` or `-` between them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnitCode(String);

/// Why a text of a unit is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("a code has 1 to 40 letters a-z and digits, with . or - only between them")]
    Code,
    #[error("a name has 1 to 200 characters, none of them control characters")]
    Name,
    #[error("an identifier has 1 to 35 letters, digits and dots")]
    Identifier,
}

impl UnitCode {
    /// Upper case is taken as lower case.
    ///
    /// # Errors
    /// When it is empty, too long, or has other characters.
    pub fn new(text: &str) -> Result<Self, TextError> {
        let code = text.to_ascii_lowercase();
        let part_ok = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if code.len() > CODE_CHARS_MAX || !code.split(['.', '-']).all(part_ok) {
            return Err(TextError::Code);
        }
        Ok(Self(code))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for UnitCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A unit's full name: NFC, single spaces.
///
/// # Errors
/// When nothing is left, it is too long or has control characters.
pub fn unit_name(text: &str) -> Result<String, TextError> {
    use unicode_normalization::UnicodeNormalization as _;
    let composed: String = text.nfc().collect();
    let name = composed.split_whitespace().collect::<Vec<_>>().join(" ");
    let long = name.chars().count() > NAME_CHARS_MAX;
    if name.is_empty() || long || name.chars().any(char::is_control) {
        Err(TextError::Name)
    } else {
        Ok(name)
    }
}

/// A mã định danh, such as `H01.12.00.00.H01`.
fn identifier(text: &str) -> Result<String, TextError> {
    let part_ok = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let fits = text.len() <= IDENTIFIER_CHARS_MAX && text.split('.').all(part_ok);
    if fits { Ok(text.to_ascii_uppercase()) } else { Err(TextError::Identifier) }
}
