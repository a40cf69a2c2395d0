//! A script as its grammar has it (RFC 5228 8.2), before anybody knows what its commands mean.

/// A command or a test: they look the same but for what ends them.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// Offset of its name.
    pub at: usize,
    /// In small letters.
    pub name: String,
    pub arguments: Vec<Argument>,
    pub tests: Vec<Call>,
    /// A test stood alone, not in parentheses: `not` takes only that.
    pub is_lone_test: bool,
    /// None: it ended with a semicolon. Always None of a test.
    pub block: Option<Vec<Call>>,
}

#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub at: usize,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// In small letters, without the colon.
    Tag(String),
    Number(u64),
    /// One string is a list of one (RFC 5228 2.4.2.1).
    Strings {
        list: Vec<Written>,
        in_brackets: bool,
    },
}

/// A string as it is written.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub at: usize,
    pub text: String,
}
