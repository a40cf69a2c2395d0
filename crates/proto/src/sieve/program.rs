//! A script that was understood: what its commands mean, with every argument in its place. Made by `compile`, followed by `run`.
//!
//! It owns all its text, refers to nothing outside, and nests no deeper than [`super::limits::NESTING_MAX`].

use super::compare::Compare;

/// A string that is made when it is needed (RFC 5229 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(pub Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    Variable(Variable),
    /// `${0}` and so on.
    Captured(usize),
}

/// A variable by its name, in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variable {
    pub name: String,
    /// Shared by all scripts of a run (RFC 6609 3.4).
    pub is_global: bool,
}

impl Text {
    /// Nothing of it is made at run time.
    pub(super) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

/// A command, and the line where it stands.
#[derive(Debug)]
pub(super) struct Step {
    pub line: u32,
    pub act: Act,
}

#[derive(Debug)]
pub(super) enum Act {
    If {
        arms: Vec<(Test, Vec<Step>)>,
        otherwise: Vec<Step>,
    },
    Stop,
    Keep {
        flags: Option<Vec<Text>>,
    },
    Discard,
    Redirect(Redirect),
    FileInto(FileInto),
    Reject {
        reason: Text,
        in_dialogue: bool,
    },
    /// Of `setflag`, `addflag`, `removeflag`.
    Flags {
        change: FlagChange,
        variable: Option<Variable>,
        flags: Vec<Text>,
    },
    Set {
        variable: Variable,
        modifiers: Vec<Modifier>,
        value: Text,
    },
    Vacation(Box<Vacation>),
    Notify(Box<Notify>),
    AddHeader {
        name: Text,
        value: Text,
        last: bool,
    },
    DeleteHeader(Box<DeleteHeader>),
    Include {
        script: ScriptName,
        once: bool,
        optional: bool,
    },
    Return,
    ForEveryPart {
        name: Option<String>,
        steps: Vec<Step>,
    },
    Break {
        name: Option<String>,
    },
    ExtractText {
        variable: Variable,
        modifiers: Vec<Modifier>,
        first: Option<usize>,
    },
    /// RFC 5463 5.
    Error(Text),
    /// A command that is not known, in a script that asks with `ihave` (RFC 5463 4).
    Unknown(String),
}

#[derive(Debug)]
pub(super) struct Redirect {
    pub to: Text,
    /// RFC 6134 2.3: `to` is a list, whose members each get it.
    pub is_list: bool,
    pub copy: bool,
}

#[derive(Debug)]
pub(super) struct FileInto {
    pub mailbox: Text,
    pub copy: bool,
    pub create: bool,
    pub flags: Option<Vec<Text>>,
    /// RFC 8579 4.
    pub special_use: Option<Text>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlagChange {
    Set,
    Add,
    Remove,
}

/// RFC 5229 4.1, RFC 5435 8: the higher its precedence, the earlier it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Modifier {
    Lower,
    Upper,
    LowerFirst,
    UpperFirst,
    QuoteWildcard,
    EncodeUrl,
    Length,
}

impl Modifier {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "lower" => Self::Lower,
            "upper" => Self::Upper,
            "lowerfirst" => Self::LowerFirst,
            "upperfirst" => Self::UpperFirst,
            "quotewildcard" => Self::QuoteWildcard,
            "encodeurl" => Self::EncodeUrl,
            "length" => Self::Length,
            _ => return None,
        })
    }

    /// Of two with the same, only one may stand (RFC 5229 4.1).
    pub(super) const fn precedence(self) -> u8 {
        match self {
            Self::Lower | Self::Upper => 40,
            Self::LowerFirst | Self::UpperFirst => 30,
            Self::QuoteWildcard => 20,
            Self::EncodeUrl => 15,
            Self::Length => 10,
        }
    }
}

/// RFC 5230 4.
#[derive(Debug)]
pub(super) struct Vacation {
    /// Seconds. None: as the owner of the mailbox, or policy, has it.
    pub period: Option<u64>,
    pub subject: Option<Text>,
    pub from: Option<Text>,
    pub addresses: Vec<Text>,
    /// The reason is a MIME entity, with its header.
    pub mime: bool,
    pub handle: Option<Text>,
    pub reason: Text,
    /// The same as another one is when this is (RFC 5230 4.2).
    pub digest: String,
}

/// RFC 5435 3.
#[derive(Debug)]
pub(super) struct Notify {
    pub method: Text,
    pub from: Option<Text>,
    pub importance: Option<Text>,
    pub message: Option<Text>,
}

/// RFC 5293 5.
#[derive(Debug)]
pub(super) struct DeleteHeader {
    pub name: Text,
    pub index: Option<Index>,
    pub compare: Compare,
    pub patterns: Option<Vec<Text>>,
}

/// RFC 5260 6.1: the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Index {
    pub number: usize,
    pub from_the_end: bool,
}

/// Another script (RFC 6609 3.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScriptName {
    pub location: Location,
    pub name: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Location {
    /// The user's own.
    #[default]
    Personal,
    /// The administrator's.
    Global,
}

#[derive(Debug)]
pub(super) enum Test {
    Const(bool),
    Not(Box<Test>),
    AllOf(Vec<Test>),
    AnyOf(Vec<Test>),
    Address(Box<AddressTest>),
    Envelope(Box<EnvelopeTest>),
    Header(Box<HeaderTest>),
    Exists {
        names: Vec<Text>,
        mime: Option<MimeOf>,
    },
    Size {
        over: bool,
        limit: u64,
    },
    Body(Box<BodyTest>),
    String(Box<StringTest>),
    HasFlag(Box<FlagTest>),
    Date(Box<DateTest>),
    Environment(Box<StringTest>),
    Duplicate(Box<Duplicate>),
    MailboxExists(Vec<Text>),
    SpecialUseExists {
        mailbox: Option<Text>,
        uses: Vec<Text>,
    },
    ValidList(Vec<Text>),
    ValidNotifyMethod(Vec<Text>),
    NotifyCapability(Box<StringTest>),
    /// A test that is not known, in a script that asks with `ihave` (RFC 5463 4).
    Unknown(String),
}

/// Which part of an address (RFC 5228 2.7.4, RFC 5233 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum AddressPart {
    #[default]
    All,
    Local,
    Domain,
    User,
    Detail,
}

/// RFC 5703 4: the header of MIME parts, not only of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MimeOf {
    pub any_child: bool,
    pub what: MimeWhat,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MimeWhat {
    Value,
    Type,
    Subtype,
    ContentType,
    Param(Vec<Text>),
}

#[derive(Debug)]
pub(super) struct AddressTest {
    pub fields: Vec<Text>,
    pub part: AddressPart,
    pub keys: Vec<Text>,
    pub compare: Compare,
    pub index: Option<Index>,
    pub mime: Option<MimeOf>,
}

#[derive(Debug)]
pub(super) struct EnvelopeTest {
    pub parts: Vec<Text>,
    pub part: AddressPart,
    pub keys: Vec<Text>,
    pub compare: Compare,
}

#[derive(Debug)]
pub(super) struct HeaderTest {
    pub fields: Vec<Text>,
    pub keys: Vec<Text>,
    pub compare: Compare,
    pub index: Option<Index>,
    pub mime: Option<MimeOf>,
}

/// RFC 5173 5.
#[derive(Debug)]
pub(super) struct BodyTest {
    pub transform: Transform,
    pub keys: Vec<Text>,
    pub compare: Compare,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Transform {
    Raw,
    Content(Vec<Text>),
    #[default]
    Text,
}

/// Of `string`, `environment`, `notify_method_capability`: what is named or made, against keys.
#[derive(Debug)]
pub(super) struct StringTest {
    pub sources: Vec<Text>,
    pub keys: Vec<Text>,
    pub compare: Compare,
}

#[derive(Debug)]
pub(super) struct FlagTest {
    /// Empty: the flags that the message will have.
    pub variables: Vec<Variable>,
    pub keys: Vec<Text>,
    pub compare: Compare,
}

/// RFC 5260 4, 5.
#[derive(Debug)]
pub(super) struct DateTest {
    /// None: now.
    pub field: Option<Text>,
    pub zone: Zone,
    pub part: Text,
    pub keys: Vec<Text>,
    pub compare: Compare,
    pub index: Option<Index>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Zone {
    /// The server's, which is the province's.
    #[default]
    Local,
    Original,
    Given(Text),
}

/// RFC 7352 3.
#[derive(Debug)]
pub(super) struct Duplicate {
    pub handle: Text,
    pub id: DuplicateId,
    /// Seconds.
    pub period: Option<u64>,
    pub last: bool,
}

#[derive(Debug)]
pub(super) enum DuplicateId {
    MessageId,
    Header(Text),
    Unique(Text),
}
