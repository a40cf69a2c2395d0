//! Status responses with their codes, continuation requests, and what concerns the session.

use super::Writer;
use crate::imap::{Code, ObjectKind, Status, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// `resp-cond-state = ("OK" / "NO" / "BAD") SP resp-text` and the like, still without a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusLine<'a> {
    pub status: Status,
    pub code: Option<Code>,
    /// Not empty. Only ASCII is shown unless UTF-8 is enabled; other characters become `?`.
    pub text: &'a str,
}

impl<'a> StatusLine<'a> {
    #[must_use]
    pub const fn ok(text: &'a str) -> Self {
        Self { status: Status::Ok, code: None, text }
    }

    #[must_use]
    pub const fn no(text: &'a str) -> Self {
        Self { status: Status::No, code: None, text }
    }

    #[must_use]
    pub const fn bad(text: &'a str) -> Self {
        Self { status: Status::Bad, code: None, text }
    }

    #[must_use]
    pub const fn bye(text: &'a str) -> Self {
        Self { status: Status::Bye, code: None, text }
    }

    #[must_use]
    pub fn with(self, code: Code) -> Self {
        Self { code: Some(code), ..self }
    }
}

impl Writer {
    /// `response-tagged = tag SP resp-cond-state CRLF`
    pub fn tagged(&mut self, tag: &Tag, line: &StatusLine<'_>) {
        self.text(tag.as_str());
        self.byte(b' ');
        self.status_line(line);
    }

    /// `"*" SP (resp-cond-state / resp-cond-bye) CRLF`, the greeting too.
    pub fn untagged(&mut self, line: &StatusLine<'_>) {
        self.text("* ");
        self.status_line(line);
    }

    /// The reply to a command that was refused on its form.
    pub fn rejected(&mut self, reject: &crate::imap::Reject) {
        let line = StatusLine { status: reject.status, code: reject.code.clone(), text: reject.text };
        match &reject.tag {
            Some(tag) => self.tagged(tag, &line),
            None => self.untagged(&line),
        }
    }

    /// `continue-req = "+" SP (resp-text / base64) CRLF`, the text form.
    pub fn continuation(&mut self, text: &str) {
        self.text("+ ");
        self.resp_text(text);
        self.crlf();
    }

    /// A SASL challenge, encoded here; an empty one is `+ ` alone.
    pub fn challenge(&mut self, challenge: &[u8]) {
        self.text("+ ");
        self.text(&STANDARD.encode(challenge));
        self.crlf();
    }

    /// `capability-data = "CAPABILITY" *(SP capability) SP "IMAP4rev1" *(SP capability)`
    pub fn capability<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        self.text("* CAPABILITY ");
        self.spaced(names, Self::text);
        self.crlf();
    }

    /// `enable-data = "ENABLED" *(SP capability)` (RFC 5161 4)
    pub fn enabled<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        self.text("* ENABLED");
        for name in names {
            self.byte(b' ');
            self.text(name);
        }
        self.crlf();
    }

    /// `id-response = "ID" SP id-params-list` (RFC 2971 4)
    pub fn id(&mut self, pairs: &[(&str, &str)]) {
        self.text("* ID ");
        if pairs.is_empty() {
            self.text("NIL");
        } else {
            self.list(pairs, |w, (field, value)| {
                w.string(field.as_bytes());
                w.byte(b' ');
                w.string(value.as_bytes());
            });
        }
        self.crlf();
    }

    fn status_line(&mut self, line: &StatusLine<'_>) {
        self.text(line.status.as_str());
        self.byte(b' ');
        if let Some(code) = &line.code {
            self.code(code);
        }
        self.resp_text(line.text);
        self.crlf();
    }

    /// `text = 1*TEXT-CHAR`: any CHAR but CR and LF.
    fn resp_text(&mut self, text: &str) {
        for c in text.chars() {
            let shown = !c.is_control() && (c.is_ascii() || self.utf8);
            let mut utf8 = [0; 4];
            self.text(if shown { c.encode_utf8(&mut utf8) } else { "?" });
        }
    }

    /// `"[" resp-text-code "]" SP`; nothing for a code that would be about no message.
    fn code(&mut self, code: &Code) {
        let about_nothing = matches!(code, Code::AppendUid(_, uids) | Code::CopyUid(_, uids, _) | Code::Modified(uids) if uids.is_empty());
        if about_nothing {
            return;
        }
        self.byte(b'[');
        self.text(code.name());
        match code {
            Code::Capability(names) => {
                self.byte(b' ');
                self.spaced(names, |w, name| w.text(name));
            }
            // RFC 3501 6.4.4: the charsets that are supported
            Code::BadCharset => self.text(" (US-ASCII UTF-8)"),
            Code::PermanentFlags { flags, any } => {
                self.byte(b' ');
                self.list(flags.iter().map(String::as_str).chain(any.then_some("\\*")), Self::text);
            }
            Code::UidNext(n) | Code::UidValidity(n) | Code::Unseen(n) => self.code_number((*n).into()),
            Code::HighestModSeq(n) => self.code_number(*n),
            // "MODIFIED" SP sequence-set (RFC 7162 7)
            Code::Modified(numbers) => {
                self.byte(b' ');
                self.uid_set(numbers);
            }
            // "MAILBOXID" SP "(" objectid ")" (RFC 8474 7)
            Code::MailboxId(number) => {
                self.text(" (");
                self.object_id(ObjectKind::Mailbox, *number);
                self.byte(b')');
            }
            // resp-code-apnd = "APPENDUID" SP nz-number SP append-uid (RFC 4315 4)
            Code::AppendUid(validity, uids) => {
                self.code_number((*validity).into());
                self.byte(b' ');
                self.uid_set(uids);
            }
            // resp-code-copy = "COPYUID" SP nz-number SP uid-set SP uid-set (RFC 4315 4)
            Code::CopyUid(validity, from, to) => {
                self.code_number((*validity).into());
                self.byte(b' ');
                self.uid_set(from);
                self.byte(b' ');
                self.uid_set(to);
            }
            Code::InProgress { tag, done, goal } => self.in_progress(tag, *done, *goal),
            _ => {}
        }
        self.text("] ");
    }

    /// `SP "(" (quoted / nil) SP (number64 / nil) SP (nz-number64 / nil) ")"` (RFC 9585 5), with nothing done beyond the
    /// goal.
    fn in_progress(&mut self, tag: &str, done: Option<u64>, goal: Option<u64>) {
        let goal = goal.filter(|goal| *goal > 0);
        self.text(" (");
        self.string(tag.as_bytes());
        self.byte(b' ');
        self.number_or_nil(done.map(|done| goal.map_or(done, |goal| done.min(goal))));
        self.byte(b' ');
        self.number_or_nil(goal);
        self.byte(b')');
    }

    fn number_or_nil(&mut self, number: Option<u64>) {
        match number {
            Some(number) => self.number(number),
            None => self.text("NIL"),
        }
    }

    fn code_number(&mut self, number: u64) {
        self.byte(b' ');
        self.number(number);
    }
}
