//! Answers to octets. One [`Writer`] per session collects what the driver then sends.
//!
//! Invariant: what is written is always well-formed, whatever text it is given: what a quoted string cannot hold goes into a
//! literal.

use super::types::{Code, Status};

/// RFC 5804 4, `quoted`.
const QUOTED_BYTES_MAX: usize = 1_024;

/// Collects responses.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What is to be sent.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// The end of a command (RFC 5804 4, `response-oknobye`). An empty text is not said.
    pub fn status(&mut self, status: Status, code: Option<&Code>, text: &str) {
        self.raw(match status {
            Status::Ok => "OK",
            Status::No => "NO",
            Status::Bye => "BYE",
        });
        if let Some(code) = code {
            self.raw(" (");
            self.code(code);
            self.raw(")");
        }
        if !text.is_empty() {
            self.raw(" ");
            self.string(text);
        }
        self.raw("\r\n");
    }

    /// One of the capabilities (RFC 5804 1.7).
    pub fn capability(&mut self, name: &str, value: Option<&str>) {
        self.string(name);
        if let Some(value) = value {
            self.raw(" ");
            self.string(value);
        }
        self.raw("\r\n");
    }

    /// One of the scripts that there are (RFC 5804 2.7).
    pub fn listed(&mut self, name: &str, is_active: bool) {
        self.string(name);
        self.raw(if is_active { " ACTIVE\r\n" } else { "\r\n" });
    }

    /// A script (RFC 5804 2.9).
    pub fn script(&mut self, source: &str) {
        self.literal(source);
        self.raw("\r\n");
    }

    /// A server's challenge, not yet base64 (RFC 5804 2.1).
    pub fn challenge(&mut self, challenge: &[u8]) {
        self.string(&crate::sasl::encode(challenge));
        self.raw("\r\n");
    }

    fn code(&mut self, code: &Code) {
        self.raw(match code {
            Code::EncryptNeeded => "ENCRYPT-NEEDED",
            Code::MaxScripts => "QUOTA/MAXSCRIPTS",
            Code::MaxSize => "QUOTA/MAXSIZE",
            Code::TryLater => "TRYLATER",
            Code::Active => "ACTIVE",
            Code::NonExistent => "NONEXISTENT",
            Code::AlreadyExists => "ALREADYEXISTS",
            Code::Tag(_) => "TAG ",
        });
        if let Code::Tag(tag) = code {
            self.string(tag);
        }
    }

    fn string(&mut self, text: &str) {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        if escaped.len() > QUOTED_BYTES_MAX || escaped.contains(['\r', '\n', '\0']) {
            return self.literal(text);
        }
        self.raw("\"");
        self.raw(&escaped);
        self.raw("\"");
    }

    fn literal(&mut self, text: &str) {
        self.raw(&format!("{{{}}}\r\n", text.len()));
        self.raw(text);
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}
