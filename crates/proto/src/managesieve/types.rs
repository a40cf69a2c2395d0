//! The words of ManageSieve that both directions use.

use std::fmt;

/// What a client wants (RFC 5804 2). Names of scripts are as they came: UTF-8, perhaps empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Authenticate {
        mechanism: String,
        initial: Option<Response>,
    },
    Capability,
    CheckScript(Vec<u8>),
    DeleteScript(String),
    GetScript(String),
    HaveSpace {
        name: String,
        /// Of the script.
        octets: u32,
    },
    ListScripts,
    Logout,
    /// With what is to be said in the answer.
    Noop(Option<String>),
    PutScript {
        name: String,
        script: Vec<u8>,
    },
    RenameScript {
        from: String,
        to: String,
    },
    /// An empty name: none is to be followed.
    SetActive(String),
    Starttls,
}

impl Command {
    /// As it is registered, for figures and log lines.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Authenticate { .. } => "AUTHENTICATE",
            Self::Capability => "CAPABILITY",
            Self::CheckScript(_) => "CHECKSCRIPT",
            Self::DeleteScript(_) => "DELETESCRIPT",
            Self::GetScript(_) => "GETSCRIPT",
            Self::HaveSpace { .. } => "HAVESPACE",
            Self::ListScripts => "LISTSCRIPTS",
            Self::Logout => "LOGOUT",
            Self::Noop(_) => "NOOP",
            Self::PutScript { .. } => "PUTSCRIPT",
            Self::RenameScript { .. } => "RENAMESCRIPT",
            Self::SetActive(_) => "SETACTIVE",
            Self::Starttls => "STARTTLS",
        }
    }
}

/// What a client says in a SASL exchange, still in base64: it does not get into a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Response(pub Vec<u8>);

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Response(hidden)")
    }
}

/// How a command ended, or the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    No,
    Bye,
}

/// What a program can tell an answer by (RFC 5804 1.3): those that we have a reason for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    EncryptNeeded,
    MaxScripts,
    MaxSize,
    TryLater,
    Active,
    NonExistent,
    AlreadyExists,
    /// With what the command said.
    Tag(String),
}
