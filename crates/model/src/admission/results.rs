//! What came of each check of where a message comes from, in the words of RFC 8601.

use std::fmt;

/// What came of a check (RFC 8601 2.7); the words of each method are a subset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was there to be looked at.
    #[default]
    None,
    Pass,
    Fail,
    /// Not the sender's, but he does not want to be held to it (RFC 7208 2.6.5).
    SoftFail,
    Neutral,
    /// It could not be found out now.
    TempError,
    /// What the domain says cannot be read.
    PermError,
}

impl Outcome {
    /// As Authentication-Results writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// May this server send for that domain (RFC 7208)?
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spf {
    pub outcome: Outcome,
    /// Whose record was asked for, in small ASCII letters.
    pub domain: String,
    /// The reverse-path was null: it is the name of the greeting (RFC 7208 2.4).
    pub of_helo: bool,
}

/// A DKIM signature (RFC 6376).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    pub outcome: Outcome,
    /// Small ASCII letters.
    pub domain: String,
    pub selector: String,
    /// Why it is no pass.
    pub why: Option<String>,
}

/// The chain of those that handed the message on (RFC 8617).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arc {
    pub outcome: Outcome,
    /// Domain of the last seal.
    pub domain: String,
    /// Links.
    pub links: usize,
}

/// A domain of an address within a name: "Giám đốc giam-doc@tinh.gov.vn" <x@example.org>.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// In small ASCII letters; none of the authors'.
    pub domain: String,
    /// It is one of this system's.
    pub ours: bool,
}
