//! What a rule writes to somebody: an answer, or word of a message (RFC 5230 5, RFC 5436 2.7).
//!
//! Invariants: whatever a stranger's message or a script holds, a field has one line and is the field that it was meant for; a machine
//! says that it is one (RFC 3834 5), so none answers it; nothing of it needs 8BITMIME but what a script writes so itself.

use crate::cases::mail::ids;
use crate::sender::written;
use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address as Mailbox;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::MimePart;
use model::{Address, seen};
use proto::mime::{header_fields, seven_bit};
use proto::sieve::Entity;
use std::borrow::Cow;

/// Octets of a text: what people write to each other has a hundredth of it.
pub(super) const TEXT_OCTETS_MAX: usize = 64 * 1024;
/// Octets of what is made of it: each may become three, and there is a header.
pub(crate) const WRITTEN_BYTES_MAX: u64 = 4 * TEXT_OCTETS_MAX as u64;
/// Characters of a subject, and of a name.
const SUBJECT_CHARS_MAX: usize = 250;
const NAME_CHARS_MAX: usize = 100;
/// Ids of References: the first of the conversation, and the last ones.
const REFERENCES_MAX: usize = 20;

/// A message that a rule writes.
#[derive(Clone, Debug)]
pub(super) struct Letter<'a> {
    pub(super) from: (&'a str, &'a Address),
    /// A path's mailbox.
    pub(super) to: &'a str,
    pub(super) subject: &'a str,
    /// Of Auto-Submitted (RFC 3834 5).
    pub(super) automatic: &'a str,
    /// Of Importance; None: it has none.
    pub(super) importance: Option<&'static str>,
    /// As in the field.
    pub(super) date: String,
    /// Without brackets.
    pub(super) message_id: String,
    pub(super) thread: Thread,
    pub(super) body: Body<'a>,
}

#[derive(Clone, Debug)]
pub(super) enum Body<'a> {
    Text(Cow<'a, str>),
    Entity(Entity),
}

/// What it belongs to (RFC 5322 3.6.4): ids without brackets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Thread {
    pub(super) answers: Option<String>,
    pub(super) references: Vec<String>,
}

impl Thread {
    /// Of an answer to the message with this header.
    pub(super) fn of(header: &[u8]) -> Self {
        let ids_in = |name: &str| {
            let field = header_fields(header).find(|field| field.is(name));
            field.map(|field| ids(&String::from_utf8_lossy(&field.unfolded()))).unwrap_or_default()
        };
        let Some(own) = ids_in("Message-ID").into_iter().next() else { return Self::default() };
        let mut references = ids_in("References");
        if references.is_empty() {
            references = Some(ids_in("In-Reply-To")).filter(|ids| ids.len() == 1).unwrap_or_default();
        }
        references.retain(|id| *id != own);
        let too_many = (references.len() + 1).saturating_sub(REFERENCES_MAX);
        if too_many > 0 {
            references.drain(1..=too_many);
        }
        references.push(own.clone());
        Self { answers: Some(own), references }
    }
}

impl Letter<'_> {
    /// RFC 5322, with CR LF.
    pub(super) fn octets(&self) -> Vec<u8> {
        let (name, from) = self.from;
        let name = line(name, NAME_CHARS_MAX);
        let mut message = MessageBuilder::new()
            .from(Mailbox::new_address(Some(name).filter(|name| !name.is_empty()), written(from)))
            .to(Mailbox::new_address(None::<&str>, self.to))
            .header("Subject", unstructured(line(self.subject, SUBJECT_CHARS_MAX)))
            .header("Date", Raw::new(self.date.as_str()))
            .message_id(self.message_id.as_str())
            .header("Auto-Submitted", Raw::new(self.automatic));
        if let Some(importance) = self.importance {
            message = message.header("Importance", Raw::new(importance));
        }
        if let Some(answers) = &self.thread.answers {
            message = message.in_reply_to(answers.as_str());
        }
        if !self.thread.references.is_empty() {
            message = message.references(self.thread.references.clone());
        }
        match &self.body {
            Body::Text(text) => message.text_body(plain(text)).write_to_vec().unwrap_or_default(),
            Body::Entity(entity) => {
                let whole = message.body(part(entity)).write_to_vec().unwrap_or_default();
                match whole.is_ascii() {
                    true => whole,
                    false => seven_bit(&whole).unwrap_or(whole),
                }
            }
        }
    }
}

/// RFC 5230 4.3: encoded words where there are characters beyond ASCII, and nowhere else.
fn unstructured(text: String) -> HeaderType<'static> {
    if text.is_ascii() { Raw::new(text).into() } else { Text::new(text).into() }
}

/// With its header, as it is. Of one that does not say what it is, it is what scripts are written in.
fn part(entity: &Entity) -> MimePart<'static> {
    let says = |name: &str| header_fields(&entity.fields).any(|field| field.is(name));
    let mut octets = Vec::new();
    if !says("Content-Type") {
        octets.extend_from_slice(b"Content-Type: text/plain; charset=utf-8\r\n");
    }
    if !says("Content-Transfer-Encoding") && !entity.body.is_ascii() {
        octets.extend_from_slice(b"Content-Transfer-Encoding: 8bit\r\n");
    }
    octets.extend_from_slice(&entity.fields);
    octets.extend_from_slice(b"\r\n");
    octets.extend_from_slice(&entity.body);
    MimePart::raw(octets)
}

/// Of one line, without what is not seen, and no longer than that.
fn line(text: &str, chars_max: usize) -> String {
    // A stranger's subject may be as long as a header.
    let bounded: String = text.chars().take(8 * chars_max).collect();
    let words = seen(&bounded).split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= chars_max {
        return words;
    }
    let begin: String = words.chars().take(chars_max - 1).collect();
    format!("{begin}…")
}

/// Line ends that are all CR LF, no other control characters, and the end cut off of what nobody reads.
fn plain(text: &str) -> String {
    let mut end = text.len().min(TEXT_OCTETS_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or_default().replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = String::with_capacity(text.len() + text.len() / 32);
    for line in text.lines() {
        lines.extend(line.chars().filter(|letter| *letter == '\t' || !letter.is_control()));
        lines.push_str("\r\n");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::mime::{decode_header, decode_text, facts};

    fn address() -> Address {
        "binh@demo.gov.vn".parse().unwrap()
    }

    fn octets(from: &Address, subject: &str, header: &str, body: Body<'_>) -> String {
        let letter = Letter {
            from: ("Lê Thị Bình", from),
            to: "\"an nguyen\"@x.test",
            subject,
            automatic: "auto-replied",
            importance: None,
            date: "Tue, 24 Nov 2026 09:00:00 +0700".into(),
            message_id: "1@mail.demo.gov.vn".into(),
            thread: Thread::of(header.as_bytes()),
            body,
        };
        String::from_utf8(letter.octets()).unwrap()
    }

    fn fields(message: &str) -> Vec<(String, String)> {
        let header = message.split_once("\r\n\r\n").unwrap().0;
        let fields = header_fields(header.as_bytes());
        fields.map(|field| (String::from_utf8_lossy(field.name).into(), decode_header(field.value))).collect()
    }

    fn words(message: &str) -> String {
        let facts = facts(message.as_bytes());
        let part = facts.structure.parts().find(|part| part.is_text()).unwrap();
        let body = usize::try_from(part.body_start).unwrap()..usize::try_from(part.body_end).unwrap();
        decode_text(part, &message.as_bytes()[body]).unwrap()
    }

    #[test]
    fn an_answer_is_as_it_should_be() {
        let header = "Message-ID: <3@x.test>\r\nReferences: <1@x.test>\r\n <2@x.test>\r\n\r\n";
        let text = Body::Text("Tôi đi công tác đến hết ngày 30/11.\n.\nTrân trọng\u{7}\r\n".into());
        let message = octets(&address(), "Trả lời tự động: Công văn số 12/SNV", header, text);
        let said: Vec<(String, String)> = fields(&message);
        let said: Vec<(&str, &str)> =
            said.iter().map(|(name, value)| (name.as_str(), value.trim())).collect();
        let expected = [
            ("From", "Lê Thị Bình <binh@demo.gov.vn>"),
            ("To", "<\"an nguyen\"@x.test>"),
            ("Subject", "Trả lời tự động: Công văn số 12/SNV"),
            ("Date", "Tue, 24 Nov 2026 09:00:00 +0700"),
            ("Message-ID", "<1@mail.demo.gov.vn>"),
            ("Auto-Submitted", "auto-replied"),
            ("In-Reply-To", "<3@x.test>"),
            ("References", "<1@x.test> <2@x.test> <3@x.test>"),
            ("MIME-Version", "1.0"),
        ];
        for field in expected {
            assert!(said.contains(&field), "{field:?} of {said:?}");
        }
        assert_eq!(said.len(), expected.len() + 2, "and Content-Type and its encoding: {said:?}");
        assert_eq!(words(&message), "Tôi đi công tác đến hết ngày 30/11.\r\n.\r\nTrân trọng\r\n");
        assert!(message.is_ascii() && message.lines().all(|line| line.len() <= 78), "{message}");
    }

    #[test]
    fn nothing_makes_a_field_of_its_own() {
        let hostile = "a\r\nBcc: z@y.test\r\n\r\nb\u{2028}c\0d";
        let header =
            "Message-ID: <1@x.test>\r\n\tBcc: <z@y.test>\r\nReferences: <a b> <c\u{7}> <ok@x.test>\r\n\r\n";
        let message = octets(&address(), hostile, header, Body::Text("x".into()));
        let fields = fields(&message);
        assert!(fields.iter().all(|(name, _)| name != "Bcc"), "{message}");
        assert!(fields.contains(&("Subject".into(), "a Bcc: z@y.test b c d".into())), "{message}");
        assert!(
            fields
                .iter()
                .any(|(name, value)| name == "References" && value.trim() == "<ok@x.test> <1@x.test>")
        );
        let entity =
            "Content-Type: text/html; charset=utf-8\nTo: z@y.test\nAuto-Submitted: no\n\n<p>Vắng</p>";
        let entity = Body::Entity(Entity::parse(entity).unwrap());
        let message = octets(&address(), "x", "", entity);
        let names: Vec<String> = self::fields(&message).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names.iter().filter(|name| *name == "To" || *name == "Auto-Submitted").count(),
            2,
            "{message}"
        );
        assert!(message.is_ascii(), "no 8BITMIME: {message}");
        assert_eq!(words(&message), "<p>Vắng</p>\r\n");
    }

    #[test]
    fn what_is_said_of_an_entity_is_kept() {
        let text = "Content-Type: multipart/alternative; boundary=foo\n\n--foo\n\nBeach\n--foo\nContent-Type: text/html; charset=us-ascii\n\n<p>Beach</p>\n--foo--\n";
        let message = octets(&address(), "x", "", Body::Entity(Entity::parse(text).unwrap()));
        let facts = facts(message.as_bytes());
        let types: Vec<String> =
            facts.structure.parts().map(|part| format!("{}/{}", part.media_type, part.subtype)).collect();
        assert_eq!(types, ["multipart/alternative", "text/plain", "text/html"]);
        let bare = octets(&address(), "x", "", Body::Entity(Entity::parse("\nVắng").unwrap()));
        assert_eq!(words(&bare), "Vắng\r\n");
    }

    #[test]
    fn everything_has_an_end() {
        let long = "Về việc ".repeat(5_000);
        let many: String = (0..200).map(|n| format!(" <{n}@x.test>")).collect();
        let header = format!("Message-ID: <own@x.test>\r\nReferences:{many}\r\n\r\n");
        let message = octets(&address(), &long, &header, Body::Text("đ".repeat(100_000).into()));
        assert!((message.len() as u64) < WRITTEN_BYTES_MAX, "{}", message.len());
        let thread = Thread::of(header.as_bytes());
        assert_eq!(thread.references.len(), REFERENCES_MAX);
        let ends =
            (thread.references[0].as_str(), thread.references[1].as_str(), thread.references.last().unwrap());
        assert_eq!(ends, ("0@x.test", "182@x.test", &"own@x.test".to_owned()));
        let subject = fields(&message).into_iter().find(|(name, _)| name == "Subject").unwrap().1;
        assert_eq!(subject.chars().count(), SUBJECT_CHARS_MAX);
        assert_eq!(Thread::of(b"References: <1@x.test>\r\n\r\n"), Thread::default());
    }
}
