//! Which capabilities a client is not offered because it is known to stumble over them.
//!
//! RFC 2971 3 wants ID to be read by people only. We keep to its purpose: nobody is refused anything, and every command
//! still works for everybody; a client is just not told of what its own makers found broken in it. Each row names its
//! source and goes when the last such version is gone.

/// One known bug.
struct Row {
    /// The client's name in ID begins so, whatever the case.
    name: &'static str,
    /// Versions before this one, by their numbers; empty for all.
    before: &'static [u32],
    without: &'static [&'static str],
    #[expect(dead_code, reason = "for whoever reads or revises the table")]
    because: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        name: "Microsoft Office 365",
        before: &[],
        without: &["UIDONLY"],
        because: "shows no messages once UIDONLY is announced: github.com/mjl-/mox/issues/388, \
                  github.com/modern-email/defects/issues/49",
    },
    Row {
        name: "Thunderbird for Android",
        before: &[13],
        without: &["UTF8=ACCEPT"],
        because: "shows ??? for folder names after ENABLE UTF8=ACCEPT: \
                  github.com/thunderbird/thunderbird-android/issues/9212, 9461, 9480",
    },
    Row {
        name: "K-9 Mail",
        before: &[13],
        without: &["UTF8=ACCEPT"],
        because: "the same code: github.com/thunderbird/thunderbird-android/issues/9212",
    },
];

/// What the client of a connection is not told of. Nothing until it has said who it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mask(Option<&'static [&'static str]>);

impl Mask {
    /// From the fields of ID (RFC 2971 3.3), of which clients send `name` and mostly `version`.
    pub(crate) fn of(fields: &[(String, Option<String>)]) -> Self {
        let value = |wanted: &str| {
            let field = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            field.and_then(|(_, value)| value.as_deref()).unwrap_or_default()
        };
        let (name, version) = (value("name"), numbers(value("version")));
        let row = ROWS.iter().find(|row| {
            let named = name.get(..row.name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(row.name));
            // Who does not tell its version may be an old one.
            named && (row.before.is_empty() || version.as_slice() < row.before)
        });
        Self(row.map(|row| row.without))
    }

    pub(crate) fn hides(self, capability: &str) -> bool {
        self.0.is_some_and(|without| without.contains(&capability))
    }
}

/// `12.0b1` is 12, 0, 1. Four of them tell any two versions apart.
fn numbers(version: &str) -> Vec<u32> {
    let runs = version.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    runs.take(4).map(|run| run.parse().unwrap_or(u32::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(name: &str, version: Option<&str>) -> Mask {
        let fields =
            [("Name".to_owned(), Some(name.to_owned())), ("version".to_owned(), version.map(str::to_owned))];
        Mask::of(&fields)
    }

    #[test]
    fn clients_by_name_and_version() {
        for version in [None, Some("11.0"), Some("12.0b1"), Some("nightly")] {
            assert!(mask("Thunderbird for Android", version).hides("UTF8=ACCEPT"), "{version:?}");
        }
        assert!(mask("k-9 mail", Some("9.0")).hides("UTF8=ACCEPT"));
        assert!(!mask("Thunderbird for Android", Some("13.0")).hides("UTF8=ACCEPT"));
        assert!(!mask("Thunderbird for Android", Some("99999999999999")).hides("UTF8=ACCEPT"));
        assert!(!mask("Thunderbird", Some("128.0")).hides("UTF8=ACCEPT"));
        assert!(mask("Microsoft Office 365/15.20", Some("15.20.1")).hides("UIDONLY"));
        assert!(!mask("Microsoft Office 365", None).hides("IDLE"));
        assert!(!Mask::default().hides("UIDONLY") && !Mask::of(&[]).hides("UIDONLY"));
        assert!(!mask("ế", None).hides("UIDONLY"));
    }
}
