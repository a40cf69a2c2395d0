//! Why a script cannot be used, and where in it: for whoever wrote it, in his language.

use std::fmt;

/// What is wrong with a script, at the place where it shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ScriptError {
    /// From 1.
    pub line: u32,
    /// Characters from the beginning of the line, from 1.
    pub column: u32,
    pub problem: Problem,
}

impl ScriptError {
    pub(super) fn at(source: &[u8], offset: usize, problem: Problem) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line_start = before.iter().rposition(|octet| *octet == b'\n').map_or(0, |end| end + 1);
        let line = 1 + before.iter().filter(|octet| **octet == b'\n').count();
        let column =
            1 + String::from_utf8_lossy(before.get(line_start..).unwrap_or_default()).chars().count();
        let (line, column) = (u32::try_from(line), u32::try_from(column));
        Self { line: line.unwrap_or(u32::MAX), column: column.unwrap_or(u32::MAX), problem }
    }

    /// As a user of the webmail reads it.
    pub fn vietnamese(&self) -> String {
        format!("Dòng {}, cột {}: {}", self.line, self.column, self.problem.vietnamese())
    }
}

/// What is wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Larger than so many octets.
    TooLarge(usize),
    NotUtf8,
    /// A character that begins nothing.
    Character(char),
    /// RFC 5228 8.1: a comment, string or text that has no end.
    Unended(Kind),
    NumberTooLarge,
    /// What would have been right, and what stands there.
    Expected(Expected, String),
    /// More blocks, tests or lists within each other than so many.
    TooDeep(usize),
    TooManyCommands(usize),
    TooManyStrings(usize),
    /// RFC 5228 3.2: `require` stands before everything else.
    LateRequire,
    /// An extension that is not here.
    UnknownCapability(String),
    /// Used without `require` of the extension.
    NotRequired(&'static str),
    UnknownCommand(String),
    UnknownTest(String),
    UnknownTag(String),
    /// Two that exclude each other, or the same twice.
    Conflict(String),
    /// RFC 5228 3.1.
    ElseWithoutIf,
    Missing(Argument),
    TooManyArguments,
    WantsBlock,
    WantsNoBlock,
    WantsTest,
    WantsNoTest,
    /// What was to stand there, and what did.
    Invalid(Value, String),
    /// RFC 4790 4.2: this comparator orders, and looks for nothing.
    NoSubstrings,
    /// Stands where the script is not in `foreverypart` (RFC 5703 3.1, 7).
    OutsideLoop,
}

/// An argument that is not there, or is of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    String,
    Strings,
    Number,
}

/// What a string or a number was to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Address,
    Comparator,
    DatePart,
    EncodedCharacter,
    /// RFC 5230 4.4.
    Entity,
    HeaderName,
    Importance,
    Index,
    ListName,
    Loop,
    Mailbox,
    Namespace,
    Number,
    Relation,
    ScriptName,
    Variable,
    Zone,
}

/// What has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Comment,
    String,
    Text,
}

/// What would have been right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Command,
    Test,
    SemicolonOrBlock,
    StringOfList,
    CommaOrEnd,
    BlockEnd,
    Tag,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().0)
    }
}

impl Problem {
    /// As a user of the webmail reads it.
    pub fn vietnamese(&self) -> String {
        self.words().1
    }

    /// In English and in Vietnamese.
    fn words(&self) -> (String, String) {
        match self {
            Self::TooLarge(most) => {
                (format!("the script is larger than {most} octets"), format!("bộ lọc dài quá {most} byte"))
            }
            Self::NotUtf8 => ("this is not UTF-8".into(), "ký tự không đúng mã UTF-8".into()),
            Self::Character(c) => {
                let c = c.escape_default();
                (format!("nothing begins with “{c}”"), format!("không hiểu ký tự “{c}”"))
            }
            Self::Unended(kind) => kind.words(),
            Self::NumberTooLarge => ("the number is too large".into(), "số quá lớn".into()),
            Self::Expected(expected, found) => {
                let (english, vietnamese) = expected.words();
                (format!("expected {english}, found {found}"), format!("cần {vietnamese}, nhưng gặp {found}"))
            }
            Self::TooDeep(most) => (
                format!("more than {most} blocks, tests or lists within each other"),
                format!("các khối lệnh lồng nhau quá {most} cấp"),
            ),
            Self::TooManyCommands(most) => {
                (format!("more than {most} commands and tests"), format!("có quá {most} lệnh và điều kiện"))
            }
            Self::TooManyStrings(most) => {
                (format!("a list of more than {most} strings"), format!("danh sách dài quá {most} chuỗi"))
            }
            other => other.words_of_meaning(),
        }
    }

    fn words_of_meaning(&self) -> (String, String) {
        match self {
            Self::UnknownCapability(name) => (
                format!("there is no extension “{name}” here"),
                format!("hệ thống không có phần mở rộng “{name}”"),
            ),
            Self::NotRequired(name) => {
                (format!("this needs require \"{name}\""), format!("phải khai báo require \"{name}\" trước"))
            }
            Self::UnknownCommand(name) => {
                (format!("there is no command “{name}”"), format!("không có lệnh “{name}”"))
            }
            Self::UnknownTest(name) => {
                (format!("there is no test “{name}”"), format!("không có điều kiện “{name}”"))
            }
            Self::UnknownTag(name) => {
                (format!("“:{name}” does not belong here"), format!("“:{name}” không dùng được ở đây"))
            }
            Self::Conflict(name) => (
                format!("“:{name}” cannot stand beside what is said before it"),
                format!("“:{name}” không dùng cùng với phần đứng trước"),
            ),
            Self::Missing(argument) => {
                let (english, vietnamese) = argument.words();
                (format!("{english} is missing"), format!("thiếu {vietnamese}"))
            }
            Self::Invalid(value, found) => {
                let (english, vietnamese) = value.words();
                (format!("“{found}” is not {english}"), format!("“{found}” không phải là {vietnamese}"))
            }
            other => {
                let (english, vietnamese) = other.plain_words();
                (english.into(), vietnamese.into())
            }
        }
    }

    const fn plain_words(&self) -> (&'static str, &'static str) {
        match self {
            Self::LateRequire => ("“require” stands before all else", "“require” phải đứng đầu bộ lọc"),
            Self::ElseWithoutIf => {
                ("“elsif” and “else” stand behind an “if”", "“elsif” và “else” phải đứng ngay sau “if”")
            }
            Self::TooManyArguments => ("there are too many arguments", "thừa tham số"),
            Self::WantsBlock => ("this wants a block in braces", "cần khối lệnh trong dấu { }"),
            Self::WantsNoBlock => {
                ("this ends with “;”, without a block", "lệnh này kết thúc bằng “;”, không có khối lệnh")
            }
            Self::WantsTest => ("this wants a test", "cần một điều kiện"),
            Self::WantsNoTest => ("a test does not belong here", "không có điều kiện ở đây"),
            Self::NoSubstrings => (
                "this comparator compares numbers, it does not look for parts",
                "cách so sánh này chỉ so sánh số, không tìm một phần của chuỗi",
            ),
            Self::OutsideLoop => {
                ("this belongs into “foreverypart”", "lệnh này chỉ dùng trong “foreverypart”")
            }
            _ => ("this cannot be", "không dùng được"),
        }
    }
}

impl Argument {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::String => ("a string", "một chuỗi"),
            Self::Strings => ("a string or a list of strings", "một chuỗi hoặc danh sách chuỗi"),
            Self::Number => ("a number", "một số"),
        }
    }
}

impl Value {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Address => ("an address", "địa chỉ thư"),
            Self::Comparator => ("a comparator that is here", "cách so sánh mà hệ thống có"),
            Self::DatePart => ("a part of a date", "một phần của ngày giờ"),
            Self::EncodedCharacter => ("a character by its number", "mã của một ký tự"),
            Self::Entity => (
                "a MIME entity with a header of its own",
                "nội dung MIME có phần đầu riêng (Content-Type…) không dấu",
            ),
            Self::HeaderName => ("the name of a header field", "tên trường đầu thư"),
            Self::Importance => ("\"1\", \"2\" or \"3\"", "\"1\", \"2\" hoặc \"3\""),
            Self::Index => ("a place counted from 1", "thứ tự tính từ 1"),
            Self::ListName => ("a list that is here", "danh sách mà hệ thống có"),
            Self::Loop => ("a loop around this", "vòng lặp bao quanh lệnh này"),
            Self::Mailbox => ("the name of a folder", "tên thư mục"),
            Self::Namespace => ("a namespace of variables", "nhóm biến mà hệ thống có"),
            Self::Number => ("a number of the range", "số trong giới hạn cho phép"),
            Self::Relation => ("one of gt, ge, lt, le, eq, ne", "một trong gt, ge, lt, le, eq, ne"),
            Self::ScriptName => ("the name of a script", "tên bộ lọc"),
            Self::Variable => ("the name of a variable", "tên biến"),
            Self::Zone => ("an offset such as +0700", "múi giờ dạng +0700"),
        }
    }
}

impl Kind {
    fn words(self) -> (String, String) {
        let (english, vietnamese) = match self {
            Self::Comment => ("the comment has no “*/”", "chú thích thiếu “*/”"),
            Self::String => ("the string has no closing quotation mark", "chuỗi thiếu dấu nháy kép ở cuối"),
            Self::Text => {
                ("the text has no line with a single period", "đoạn “text:” thiếu dòng chỉ có dấu chấm")
            }
        };
        (english.into(), vietnamese.into())
    }
}

impl Expected {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Command => ("a command", "một lệnh"),
            Self::Test => ("a test", "một điều kiện"),
            Self::SemicolonOrBlock => ("“;” or a block", "dấu “;” hoặc khối lệnh"),
            Self::StringOfList => ("a string", "một chuỗi"),
            Self::CommaOrEnd => ("“,” or the end of the list", "dấu “,” hoặc dấu kết thúc danh sách"),
            Self::BlockEnd => ("“}”", "dấu “}”"),
            Self::Tag => ("a name behind “:”", "một tên sau dấu “:”"),
        }
    }
}
