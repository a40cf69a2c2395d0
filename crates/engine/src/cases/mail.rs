//! What the header of a mail to support says: who wrote it, what it answers, and whether a machine did.
//!
//! Invariants: nothing in it is believed but our own trace in front of it, which alone says that the writer had logged in (and
//! then submission has looked whose name From is); ids are plain and bounded, as they are written into headers and indexes.

use proto::mime::{HeaderField, MailAddress, authors, decode_header, header_fields};

/// Octets of a message id that is kept: real ones have a hundred.
const MESSAGE_ID_BYTES_MAX: usize = 250;
/// Ids of References that are looked up, the last ones.
const REFERENCES_MAX: usize = 20;
/// Characters of a subject that are kept.
const SUBJECT_CHARS_MAX: usize = 300;
/// Octets of a subject that are decoded.
const SUBJECT_BYTES_MAX: usize = 4_000;
/// In front of the `with` of our own Received: what a client called itself has no parentheses in it.
const OURS: &str = "(Cong Thu) with ";
/// Octets of an address.
const ADDRESS_BYTES_MAX: usize = 320;

/// A mail to support, as far as a case needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The one From address, in small letters.
    pub(crate) from: String,
    /// Whoever wrote it had logged in here.
    pub(crate) has_logged_in: bool,
    /// Nothing answers it (RFC 3834 2).
    pub(crate) is_automatic: bool,
    pub(crate) subject: String,
    /// Without brackets.
    pub(crate) message_id: Option<String>,
    /// What it answers, without brackets.
    pub(crate) answers: Vec<String>,
    /// The number in `[#123]` in the subject.
    pub(crate) number: Option<i64>,
}

/// `None` when nobody can be told for its author.
pub(crate) fn read(header: &[u8], is_report: bool) -> Option<Written> {
    let fields: Vec<_> = header_fields(header).collect();
    let first = |name: &str| fields.iter().find(|field| field.is(name)).map(HeaderField::unfolded);
    let text = |name: &str| first(name).map(|value| String::from_utf8_lossy(&value).trim().to_owned());
    let has_logged_in = fields
        .iter()
        .find(|field| field.is("Received"))
        .is_some_and(|field| protocol(field.value).is_some_and(|protocol| protocol.ends_with('A')));
    let from = author(header, has_logged_in)?;
    let subject = first("Subject").unwrap_or_default();
    let subject = decode_header(subject.get(..SUBJECT_BYTES_MAX).unwrap_or(&subject));
    let subject: String =
        subject.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SUBJECT_CHARS_MAX).collect();
    let mut answers = ids(&text("References").unwrap_or_default());
    answers.drain(..answers.len().saturating_sub(REFERENCES_MAX));
    answers.extend(ids(&text("In-Reply-To").unwrap_or_default()).into_iter().take(REFERENCES_MAX));
    let says = |name: &str, words: &[&str]| {
        text(name).is_some_and(|value| words.iter().any(|word| value.eq_ignore_ascii_case(word)))
    };
    // RFC 3834 2, 5: what comes from nobody, says of itself that a machine made it, or goes to a list.
    let is_automatic = is_report
        || text("Return-Path").is_none_or(|path| path == "<>")
        || text("Auto-Submitted").is_some_and(|value| !says_no(&value))
        || says("Precedence", &["bulk", "list", "junk"])
        || first("List-Id").is_some();
    Some(Written {
        from,
        has_logged_in,
        is_automatic,
        number: number(&subject),
        subject: subject.trim().to_owned(),
        message_id: ids(&text("Message-ID").unwrap_or_default()).into_iter().next(),
        answers,
    })
}

/// Did somebody bring it who did not log in? By the fields that we put in front of it; what this system writes itself has none, or comes
/// as by LMTP and of nobody.
pub(crate) fn is_from_outside(header: &[u8]) -> bool {
    let first = |name: &str| header_fields(header).find(|field| field.is(name));
    let is_of_nobody = || first("Return-Path").is_none_or(|path| path.value.trim_ascii() == b"<>");
    let protocol = first("Received").and_then(|field| protocol(field.value));
    protocol.is_some_and(|protocol| !(protocol.ends_with('A') || protocol.contains("LMTP") && is_of_nobody()))
}

/// Without brackets.
pub(crate) fn message_id(header: &[u8]) -> Option<String> {
    let value = header_fields(header).find(|field| field.is("Message-ID"))?.unfolded();
    ids(&String::from_utf8_lossy(&value)).into_iter().next()
}

/// Our name for it, by which the events tell of it.
pub(crate) fn queue_id(header: &[u8]) -> Option<String> {
    let received = header_fields(header).find(|field| field.is("Received"))?.unfolded();
    let received = String::from_utf8_lossy(&received);
    let (_, rest) = received.split_once(OURS)?;
    rest.split_whitespace().nth(2).map(|id| id.trim_end_matches(';').to_owned())
}

fn says_no(auto_submitted: &str) -> bool {
    let keyword = auto_submitted.split(';').next().unwrap_or_default();
    keyword.split('(').next().unwrap_or_default().trim().eq_ignore_ascii_case("no")
}

/// Of our own Received: its `with` (RFC 3848, RFC 6531 4.3).
fn protocol(received: &[u8]) -> Option<String> {
    let received = String::from_utf8_lossy(received);
    received.split_once(OURS).and_then(|(_, rest)| rest.split_whitespace().next()).map(str::to_owned)
}

/// Strictly of who logged in; of others, whoever lists would show.
fn author(header: &[u8], has_logged_in: bool) -> Option<String> {
    let from = match authors(header) {
        Ok(found) => found.from.into_iter().next()?,
        Err(_) if has_logged_in => return None,
        Err(_) => proto::mime::facts(header).envelope.from.iter().find_map(MailAddress::address)?,
    };
    let from = from.to_lowercase();
    let fits = from.len() <= ADDRESS_BYTES_MAX && !from.chars().any(char::is_control);
    fits.then_some(from)
}

/// Message ids without brackets, those alone that can be written anywhere.
pub(crate) fn ids(value: &str) -> Vec<String> {
    let parts = value.split('<').skip(1).filter_map(|part| part.split_once('>').map(|(id, _)| id));
    let plain = |id: &&str| {
        (1..=MESSAGE_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_graphic())
    };
    parts.filter(plain).map(str::to_owned).collect()
}

/// Of the first `[#123]`.
fn number(subject: &str) -> Option<i64> {
    let (_, rest) = subject.split_once("[#")?;
    let (digits, _) = rest.split_once(']')?;
    digits.parse().ok().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str =
        "Return-Path: <an@demo.gov.vn>\r\nReceived: from x ([::1])\r\n\tby mail (Cong Thu) with ";

    fn written(with: &str, rest: &str) -> Option<Written> {
        read(format!("{TRACE}{with} id 1;\r\n\tx\r\n{rest}\r\n").as_bytes(), false)
    }

    #[test]
    fn what_stands_in_front_says_whether_it_came_from_outside_and_what_we_call_it() {
        let header = |path: &str, with: &str| {
            format!(
                "Return-Path: <{path}>\r\nAuthentication-Results: mail; spf=pass\r\n\
                 Received: from x ([::1])\r\n\tby mail (Cong Thu) with {with} id 0A1;\r\n\tx\r\n\
                 Received: from y\r\n\tby mail (Cong Thu) with ESMTPSA id 9;\r\n\tx\r\nMessage-ID: <1@x>\r\n\r\n"
            )
        };
        for (path, with, is_outside) in [
            ("a@x", "ESMTP", true),
            ("a@x", "UTF8SMTPS", true),
            ("", "ESMTPS", true),
            ("a@x", "LMTP", true),
            ("", "LMTP", false),
            ("a@x", "ESMTPSA", false),
            ("a@x", "UTF8SMTPA", false),
        ] {
            assert_eq!(is_from_outside(header(path, with).as_bytes()), is_outside, "{path} {with}");
        }
        assert!(
            !is_from_outside(b"Return-Path: <a@x>\r\nReceived: by me with ESMTP id 1\r\n\r\n"),
            "not ours"
        );
        assert!(!is_from_outside(b"From: a@x\r\n\r\n"));
        let header = header("a@x", "ESMTP");
        assert_eq!(queue_id(header.as_bytes()).as_deref(), Some("0A1"));
        assert_eq!(message_id(header.as_bytes()).as_deref(), Some("1@x"));
    }

    #[test]
    fn the_header_says_who_and_what() {
        let mail = written(
            "UTF8SMTPSA",
            "From: Nguyễn Văn An <An@demo.gov.vn>\r\nSubject: =?utf-8?q?L=E1=BB=97i?= [#12]\r\nMessage-ID: <1@x>\r\n\
             References: <a@x> <b@x>\r\nIn-Reply-To: <b@x>\r\nAuto-Submitted: no (by hand)\r\n",
        )
        .unwrap();
        assert_eq!(
            (mail.from.as_str(), mail.has_logged_in, mail.is_automatic),
            ("an@demo.gov.vn", true, false)
        );
        assert_eq!((mail.subject.as_str(), mail.number), ("Lỗi [#12]", Some(12)));
        assert_eq!((mail.message_id.as_deref(), mail.answers.len()), (Some("1@x"), 3));
    }

    #[test]
    fn only_our_own_trace_tells_of_a_login() {
        let forged = "Received: from y\r\n\tby mail (Cong Thu) with ESMTPSA id 2\r\nFrom: an@demo.gov.vn\r\n";
        assert!(!written("ESMTPS", forged).unwrap().has_logged_in);
        assert!(written("ESMTPSA", "Subject: x\r\n").is_none());
        assert!(written("ESMTPSA", "From: a@x\r\nFrom: b@x\r\n").is_none());
    }

    #[test]
    fn machines_are_known_by_what_they_say() {
        for line in [
            "Auto-Submitted: auto-replied",
            "Precedence: Bulk",
            "List-Id: <x.y>",
            "Auto-Submitted: auto-generated; x=y",
        ] {
            assert!(written("ESMTP", &format!("From: a@x.vn\r\n{line}\r\n")).unwrap().is_automatic, "{line}");
        }
        assert!(read(b"Return-Path: <>\r\nFrom: a@x.vn\r\n\r\n", false).unwrap().is_automatic);
        assert!(
            read(b"From: a@x.vn\r\n\r\n", false).unwrap().is_automatic,
            "nothing of ours is in front of it"
        );
        assert!(!written("ESMTP", "From: a@x.vn\r\n").unwrap().is_automatic);
    }

    #[test]
    fn odd_ids_and_numbers_are_none() {
        assert_eq!(ids("<a b> <> <đ@x> < a@x> x <c@d>"), ["c@d"]);
        assert_eq!(ids(&format!("<{}>", "a".repeat(251))), [""; 0]);
        for (subject, found) in [
            ("[#1]", Some(1)),
            ("Re: [#77] x", Some(77)),
            ("[#-1]", None),
            ("[#99999999999999999999]", None),
            ("#1", None),
        ] {
            assert_eq!(number(subject), found, "{subject}");
        }
    }
}
