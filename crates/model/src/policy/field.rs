//! One definition per field of a policy: from it come the struct, its default, the reader and writer of its text, its
//! range, its label and its place in a diff.

use super::coming::NOT_IN_FORCE;
use super::{Measure, Policy};

/// A field as a page or the command line sees it.
#[derive(Debug)]
pub struct Field {
    /// `section.name`, never changed once released: audit records name it.
    pub key: &'static str,
    /// For people to read.
    pub label: &'static str,
    pub measure: Measure,
    /// The least it may be, inclusive: of each number, of a text's characters, or of a list's entries.
    pub min: u32,
    /// The most, inclusive.
    pub max: u32,
    /// The row of the requirements it comes from; the article depends on the profile.
    pub requirement: &'static str,
    pub(super) text: fn(&Policy) -> String,
    pub(super) shown: fn(&Policy) -> String,
    pub(super) form: fn() -> String,
    pub(super) number: fn(&Policy) -> Option<u32>,
    pub(super) within: fn(&Policy, u32, u32) -> bool,
    pub(super) assign: fn(&mut Policy, &str) -> bool,
}

impl Field {
    /// The value as it is written on the command line and in profiles.
    #[must_use]
    pub fn text(&self, policy: &Policy) -> String {
        (self.text)(policy)
    }

    /// The value with its unit, in Vietnamese.
    #[must_use]
    pub fn shown(&self, policy: &Policy) -> String {
        (self.shown)(policy)
    }

    /// What may be written for it: "between 1 and 36 months, or off".
    #[must_use]
    pub fn form(&self) -> String {
        (self.form)()
    }

    /// Does anything act on it yet?
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        !NOT_IN_FORCE.contains(&self.key)
    }

    /// Is the value in the field's range?
    #[must_use]
    pub fn is_valid(&self, policy: &Policy) -> bool {
        (self.within)(policy, self.min, self.max)
    }
}

/// A section of the policy. Each line: field, type, default, unit, range, label, requirement.
macro_rules! section {
    (
        $(#[$doc:meta])*
        $name:ident $section:ident $table:ident {
            $(
                $(#[$field_doc:meta])*
                $field:ident: $type:ty = $default:expr,
                $measure:ident $min:tt..=$max:tt, $label:literal, $requirement:literal;
            )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name { $( $(#[$field_doc])* pub $field: $type, )* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),* }
            }
        }

        pub(super) const $table: &[Field] = &[$(Field {
            key: concat!(stringify!($section), ".", stringify!($field)),
            label: $label,
            measure: Measure::$measure,
            min: $min,
            max: $max,
            requirement: $requirement,
            text: |policy| policy.$section.$field.text(),
            shown: |policy| policy.$section.$field.shown(Measure::$measure),
            form: || <$type as Value>::form(Measure::$measure, $min, $max),
            number: |policy| policy.$section.$field.number(),
            within: |policy, min, max| policy.$section.$field.within(min, max),
            assign: |policy, text| match Value::parse(text) {
                Some(value) => {
                    policy.$section.$field = value;
                    true
                }
                None => false,
            },
        }),*];
    };
}

pub(super) use section;
