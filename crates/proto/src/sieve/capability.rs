//! What scripts may ask for with `require` (RFC 5228 3.2), and what of it is here.

use super::compare::Comparator;

/// An extension. Names are those that IANA keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    Body,
    Comparator(Comparator),
    Copy,
    Date,
    Duplicate,
    EditHeader,
    EncodedCharacter,
    Enotify,
    Envelope,
    Environment,
    Ereject,
    ExtLists,
    ExtractText,
    FileInto,
    ForEveryPart,
    Ihave,
    Imap4Flags,
    Include,
    Index,
    Mailbox,
    Mime,
    Reject,
    Relational,
    SpecialUse,
    Subaddress,
    Vacation,
    VacationSeconds,
    Variables,
}

/// By name. What is not here is refused where it is asked for.
const NAMES: [(&str, Capability); 32] = [
    ("body", Capability::Body), // RFC 5173 3
    ("comparator-i;ascii-casemap", Capability::Comparator(Comparator::AsciiCasemap)), // RFC 5228 2.7.3
    ("comparator-i;ascii-numeric", Capability::Comparator(Comparator::AsciiNumeric)), // RFC 4790 9.1
    ("comparator-i;octet", Capability::Comparator(Comparator::Octet)), // RFC 5228 2.7.3
    ("comparator-i;unicode-casemap", Capability::Comparator(Comparator::UnicodeCasemap)), // RFC 5051 2
    ("comparator-i;vnd.congthu.without-marks", Capability::Comparator(Comparator::WithoutMarks)),
    ("copy", Capability::Copy),                          // RFC 3894 3
    ("date", Capability::Date),                          // RFC 5260 3
    ("duplicate", Capability::Duplicate),                // RFC 7352 3
    ("editheader", Capability::EditHeader),              // RFC 5293 3
    ("encoded-character", Capability::EncodedCharacter), // RFC 5228 2.4.2.4
    ("enotify", Capability::Enotify),                    // RFC 5435 2
    ("envelope", Capability::Envelope),                  // RFC 5228 5.4
    ("environment", Capability::Environment),            // RFC 5183 3
    ("ereject", Capability::Ereject),                    // RFC 5429 2.1
    ("extlists", Capability::ExtLists),                  // RFC 6134 2.1
    ("extracttext", Capability::ExtractText),            // RFC 5703 7
    ("fileinto", Capability::FileInto),                  // RFC 5228 4.1
    ("foreverypart", Capability::ForEveryPart),          // RFC 5703 3
    ("ihave", Capability::Ihave),                        // RFC 5463 3
    ("imap4flags", Capability::Imap4Flags),              // RFC 5232 2
    ("include", Capability::Include),                    // RFC 6609 3.1
    ("index", Capability::Index),                        // RFC 5260 6
    ("mailbox", Capability::Mailbox),                    // RFC 5490 3
    ("mime", Capability::Mime),                          // RFC 5703 4
    ("reject", Capability::Reject),                      // RFC 5429 2.2
    ("relational", Capability::Relational),              // RFC 5231 3
    ("special-use", Capability::SpecialUse),             // RFC 8579 2
    ("subaddress", Capability::Subaddress),              // RFC 5233 3
    ("vacation", Capability::Vacation),                  // RFC 5230 3
    ("vacation-seconds", Capability::VacationSeconds),   // RFC 6131 2
    ("variables", Capability::Variables),                // RFC 5229 2
];

impl Capability {
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, capability)| *capability)
    }

    /// As ManageSieve tells them (RFC 5804 1.7).
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// The name by which it is asked for.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| *name)
    }
}

/// What a script asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Capabilities(Vec<Capability>);

impl Capabilities {
    pub(super) fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// With what it implies: `vacation-seconds` is `vacation` too (RFC 6131 2).
    pub(super) fn add(&mut self, capability: Capability) {
        if !self.has(capability) {
            self.0.push(capability);
        }
        if capability == Capability::VacationSeconds {
            self.add(Capability::Vacation);
        }
    }
}
