//! The trace headers we put in front of a message: Return-Path and Received (RFC 5321 4.4), and what was found out of where it
//! comes from (Authentication-Results, RFC 8601), whose name nobody else uses here.
//!
//! Nothing per recipient: `for` is only written when there is one recipient, so no Bcc leaks and one copy serves all.

use crate::sender::written;
use crate::{Arrival, Recipient, Sender};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use memchr::memmem;
use model::admission::{Evidence, Outcome};
use model::connection::Connection;
use model::registered;
use proto::mime::{HeaderField, header_fields};

/// Characters of a value that a stranger chose.
const VALUE_CHARS_MAX: usize = 100;
/// A domain name has no more (RFC 1035 2.3.4); a selector that has cannot be one.
const NAME_CHARS_MAX: usize = 255;
/// Behind our name in Received: no client can call itself so, as it has no parentheses.
const OURS: &[u8] = b" (Cong Thu) with ";
/// The field that says what is odd about the connection.
const CONNECTION: &str = "X-Congthu-Connection";
/// Việt Nam has one time and no summer time.
const OFFSET_HOURS: i8 = 7;

pub(crate) fn headers(
    arrival: &Arrival,
    hostname: &str,
    id: &str,
    recipients: &[Recipient],
    now: Timestamp,
) -> Vec<u8> {
    let sender = arrival.sender.as_ref().map(Sender::as_str).unwrap_or_default();
    let results = arrival.examined.as_ref().map(|examined| results(&examined.evidence, hostname));
    let mut text = format!(
        "Return-Path: <{sender}>\r\n{}{}Received: from {} ([{}])\r\n\tby {hostname} (Cong Thu) with {} id {id}",
        results.unwrap_or_default(),
        arrival.examined.as_ref().map(|examined| connected(&examined.evidence)).unwrap_or_default(),
        clean(&arrival.helo),
        address_literal(arrival.origin.remote),
        arrival.with,
    );
    if let Some(tls) = &arrival.tls {
        text.push_str(&format!("\r\n\t({})", clean(tls)));
    }
    if let [only] = recipients {
        text.push_str(&format!("\r\n\tfor <{}>", written(only.address())));
    }
    text.push_str(&format!(";\r\n\t{}\r\n", date(now)));
    text.into_bytes()
}

/// RFC 8601 2.2: each result in a line of its own.
fn results(evidence: &Evidence, hostname: &str) -> String {
    let mut lines = Vec::new();
    let spf = &evidence.spf;
    let property = if spf.of_helo { "helo" } else { "mailfrom" };
    if !evidence.is_relayed {
        lines.push(format!("spf={} smtp.{property}={}", spf.outcome, value(&spf.domain)));
    }
    for signature in &evidence.signatures {
        let mut line = format!("dkim={}", signature.outcome);
        if let Some(why) = &signature.why {
            line.push_str(&format!(" reason={}", quoted(why)));
        }
        line.push_str(&format!(
            " header.d={} header.s={}",
            value(&signature.domain),
            value(&signature.selector)
        ));
        lines.push(line);
    }
    if evidence.signatures.is_empty() {
        lines.push("dkim=none".to_owned());
    }
    for author in &evidence.authors {
        let asks = author.asks.as_str();
        lines.push(format!("dmarc={} (p={asks}) header.from={}", author.dmarc, value(&author.domain)));
    }
    // A name of our own: no method that is registered says it.
    if let Some(domain) = evidence.own_name() {
        lines.push(format!("x-own-name=fail header.from={}", value(domain)));
    }
    if evidence.arc.outcome != Outcome::None {
        lines.push(format!("arc={} header.d={}", evidence.arc.outcome, value(&evidence.arc.domain)));
    }
    format!("Authentication-Results: {hostname};\r\n\t{}\r\n", lines.join(";\r\n\t"))
}

/// What is odd about the connection that it came by; no field where nothing is.
fn connected(evidence: &Evidence) -> String {
    let words = evidence.connection.as_ref().map(Connection::words).unwrap_or_default();
    if words.is_empty() { String::new() } else { format!("{CONNECTION}: {}\r\n", words.join("\r\n\t")) }
}

/// RFC 8601 2.2 `pvalue`: a domain or a token as it is, what else a stranger wrote in quotation marks.
fn value(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let is_short = text.len() <= NAME_CHARS_MAX;
    if !text.is_empty() && is_short && text.chars().all(is_plain) { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let plain = text.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\'));
    format!("\"{}\"", plain.take(VALUE_CHARS_MAX).collect::<String>())
}

/// The domain that a message was written in, by what stands in front of it since it came: where there is one author, and DMARC showed
/// him, or, as his domain says nothing of that, a signature or SPF of the same owner's. `None` for what was not looked at, too.
pub(crate) fn shown_author(header: &[u8]) -> Option<String> {
    let mut fields = header_fields(header);
    // In this place nobody else writes; the name is that of the node that took it, of which there may be several.
    fields.next().filter(|first| first.is("Return-Path"))?;
    let results = fields.next().filter(|field| field.is("Authentication-Results"))?;
    let text = String::from_utf8_lossy(results.value);
    // What is quoted has no line breaks.
    let mut lines = text.trim().split(";\r\n\t");
    lines.next()?;
    let (mut authors, mut shown) = (Vec::new(), Vec::new());
    for line in lines {
        let (result, rest) = line.split_once(' ').unwrap_or((line, ""));
        let named = |of: &str| rest.split(' ').find_map(|word| word.strip_prefix(of)).map(str::to_owned);
        match result {
            "spf=pass" => shown.extend(named("smtp.mailfrom=")),
            "dkim=pass" => shown.extend(named("header.d=")),
            _ if result.starts_with("dmarc=") => authors.push((result.to_owned(), named("header.from=")?)),
            _ => {}
        }
    }
    let [(dmarc, author)] = authors.as_slice() else { return None };
    let is_shown = match dmarc.as_str() {
        "dmarc=pass" => true,
        "dmarc=none" => shown.iter().any(|other| registered(other) == registered(author)),
        _ => false,
    };
    is_shown.then(|| author.clone())
}

/// Octets of the fields that this system put in front of a message, by the header that begins with them: those of [`headers`] and of
/// what scanners said; 0 where it has put none, as of what a client appended.
pub(crate) fn in_front(header: &[u8]) -> usize {
    let mut fields = header_fields(header).peekable();
    let mut octets = 0;
    for (name, must) in [
        ("Return-Path", true),
        ("Authentication-Results", false),
        (CONNECTION, false),
        ("Received", true),
        ("X-Congthu-Scan", false),
        ("X-Spam-Flag", false),
    ] {
        let is_ours =
            |field: &HeaderField<'_>| name != "Received" || memmem::find(field.value, OURS).is_some();
        match fields.next_if(|field| field.is(name) && is_ours(field)) {
            Some(field) => octets += field.raw.len(),
            None if must => return 0,
            // Without it, a flag is the sender's own.
            None if name == "X-Congthu-Scan" => break,
            None => {}
        }
    }
    octets
}

/// Times that a message has come here, by the Received fields of its header that have our name.
pub(crate) fn times_here(header: &[u8], hostname: &str) -> usize {
    let ours = format!("by {hostname} (Cong Thu) with ");
    let is_ours = |value: &[u8]| memmem::find(value, ours.as_bytes()).is_some();
    header_fields(header).filter(|field| field.is("Received") && is_ours(field.value)).count()
}

/// Takes out of a header that begins at `from` the results that claim to be ours (RFC 8601 5): nobody else has our name.
pub(crate) fn remove_forged(raw: &mut Vec<u8>, from: usize, hostname: &str) {
    let header = raw.get(from..).unwrap_or_default();
    let (mut at, mut forged) = (from, Vec::new());
    for field in header_fields(header) {
        let end = at + field.raw.len();
        if field.is("Authentication-Results") && may_be_by(field.value, hostname) {
            forged.push(at..end);
        }
        at = end;
    }
    let Some(first) = forged.first() else { return };
    // What stays moves once, however many there are.
    let mut kept = first.start;
    for (at, range) in forged.iter().enumerate() {
        let next = forged.get(at + 1).map_or(raw.len(), |next| next.start);
        raw.copy_within(range.end..next, kept);
        kept += next - range.end;
    }
    raw.truncate(kept);
}

/// Does a field's value begin with this name, behind white space and comments, quoted or not? Also where that cannot be said: what
/// one program reads as a comment, another reads as the name.
fn may_be_by(value: &[u8], hostname: &str) -> bool {
    let text = String::from_utf8_lossy(value);
    let mut characters = text.chars();
    let (mut depth, mut is_quoted, mut plain) = (0_u32, false, String::new());
    while let Some(c) = characters.next() {
        match c {
            // RFC 5322 3.2.1: a quoted pair is its second character.
            '\\' => plain.extend(characters.next().filter(|_| depth == 0)),
            '"' if depth == 0 => is_quoted = !is_quoted,
            '(' if !is_quoted => depth = depth.saturating_add(1),
            ')' if !is_quoted && depth > 0 => depth -= 1,
            ';' if depth == 0 && !is_quoted => break,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let is_unclear = depth > 0 || is_quoted;
    let bare = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    is_unclear || plain.split_whitespace().next().is_some_and(|id| bare(id) == bare(hostname))
}

/// RFC 5322 3.3.
pub(crate) fn date(now: Timestamp) -> String {
    let zone = TimeZone::fixed(Offset::constant(OFFSET_HOURS));
    now.to_zoned(zone).strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}

fn address_literal(address: std::net::IpAddr) -> String {
    match address.to_canonical() {
        std::net::IpAddr::V4(v4) => v4.to_string(),
        std::net::IpAddr::V6(v6) => format!("IPv6:{v6}"),
    }
}

/// What a stranger said, without what could end the header or a comment.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !matches!(c, '(' | ')' | '\\')).take(255).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::admission::{Asks, Author, Signature, Spf};
    use model::connection::{Greeting, Listing};

    #[test]
    fn results_are_written_whatever_strangers_call_themselves() {
        let signature = Signature {
            outcome: Outcome::Fail,
            domain: "b.vn".into(),
            selector: "s\r\nX: \"y".into(),
            why: Some("body".into()),
        };
        // No line gets longer than a line may be (RFC 5322 2.1.1).
        assert!(value(&"s".repeat(100_000)).len() <= VALUE_CHARS_MAX + 2);
        let author =
            Author { domain: "a.vn".into(), dmarc: Outcome::Pass, asks: Asks::Reject, ..Author::default() };
        let evidence = Evidence {
            spf: Spf { outcome: Outcome::Pass, domain: "a.vn".into(), of_helo: false },
            signatures: vec![signature],
            authors: vec![author],
            ..Evidence::default()
        };
        let expected = "Authentication-Results: mx.vn;\r\n\tspf=pass smtp.mailfrom=a.vn;\r\n\tdkim=fail reason=\"body\" \
                        header.d=b.vn header.s=\"sX: y\";\r\n\tdmarc=pass (p=reject) header.from=a.vn\r\n";
        assert_eq!(results(&evidence, "mx.vn"), expected);
    }

    #[test]
    fn what_is_odd_about_the_connection_has_a_field() {
        let mut evidence = Evidence { connection: Some(Connection::default()), ..Evidence::default() };
        assert_eq!((connected(&Evidence::default()), connected(&evidence)), Default::default());
        let listings = vec![Listing { zone: "bl.example.org".into(), codes: vec![2] }];
        evidence.connection =
            Some(Connection { greeting: Greeting::Ours, listings, ..Connection::default() });
        let field = "X-Congthu-Connection: helo=our_name\r\n\tlisted=bl.example.org (127.0.0.2)\r\n";
        assert_eq!(connected(&evidence), field);
    }

    #[test]
    fn who_is_shown_is_read_as_it_was_written() {
        let author = |domain: &str, dmarc| Author { domain: domain.into(), dmarc, ..Author::default() };
        let signed = |domain: &str, selector: &str| Signature {
            outcome: Outcome::Pass,
            domain: domain.into(),
            selector: selector.into(),
            why: None,
        };
        let spf = |outcome, domain: &str| Spf { outcome, domain: domain.into(), of_helo: false };
        let header = |evidence: &Evidence| {
            format!("Return-Path: <x@a.vn>\r\n{}Received: y\r\n", results(evidence, "mx.vn"))
        };
        let shown = |evidence: &Evidence| shown_author(header(evidence).as_bytes());
        let of = |dmarc, spf: Spf, signatures: &[Signature]| Evidence {
            spf,
            signatures: signatures.to_vec(),
            authors: vec![author("tin.a.vn", dmarc)],
            ..Evidence::default()
        };
        use Outcome::{Fail, None as Nothing, Pass, TempError};
        let named = Some("tin.a.vn".to_owned());
        assert_eq!(shown(&of(Pass, Spf::default(), &[])), named);
        assert_eq!(shown(&of(Fail, spf(Pass, "b.vn"), &[signed("b.vn", "s")])), None);
        assert_eq!(shown(&of(TempError, spf(Pass, "a.vn"), &[])), None);
        assert_eq!(shown(&of(Nothing, spf(Pass, "a.vn"), &[])), named, "no record, and the owner's host");
        assert_eq!(shown(&of(Nothing, spf(Fail, "a.vn"), &[signed("mx.a.vn", "s")])), named);
        assert_eq!(shown(&of(Nothing, spf(Fail, "a.vn"), &[signed("b.vn", "s")])), None);
        assert_eq!(shown(&Evidence { authors: Vec::new(), ..of(Pass, Spf::default(), &[]) }), None);
        let two = vec![author("a.vn", Pass), author("b.vn", Pass)];
        assert_eq!(shown(&Evidence { authors: two, ..of(Pass, Spf::default(), &[]) }), None);
        // What strangers call themselves is no result.
        for odd in [
            "s; dmarc=pass header.from=google.com",
            "s;\r\n\tdmarc=pass (p=none) header.from=google.com",
            "header.d=a.vn",
        ] {
            assert_eq!(shown(&of(Nothing, Spf::default(), &[signed("b.vn", odd)])), None, "{odd}");
            assert_eq!(shown(&of(Nothing, spf(Pass, odd), &[])), None, "{odd}");
        }
        // Ours in another place, and none.
        let good = header(&of(Pass, Spf::default(), &[]));
        let other_node = good.replace("mx.vn", "mx2.vn");
        assert_eq!(shown_author(other_node.as_bytes()), named, "another node took it");
        assert_eq!(shown_author(format!("Received: z\r\n{good}").as_bytes()), None);
        let behind = good.replace("Return-Path: <x@a.vn>\r\n", "Return-Path: <>\r\nReceived: z\r\n");
        assert_eq!(shown_author(behind.as_bytes()), None);
        assert_eq!(shown_author(b""), None);
    }

    #[test]
    fn what_stands_in_front_is_ours_alone() {
        let received =
            "Received: from x ([192.0.2.1])\r\n\tby mx.vn (Cong Thu) with ESMTP id 1;\r\n\tnow\r\n";
        let message = "Received: from y by x\r\nSubject: a\r\n\r\nX-Spam-Flag: YES\r\n";
        let path = "Return-Path: <x@a.vn>\r\n";
        let results = "Authentication-Results: mx.vn;\r\n\tspf=pass\r\n";
        let said = "X-Congthu-Scan: spam=yes (1.0/15.0)\r\n";
        let connection = "X-Congthu-Connection: helo=our_name\r\n\tlisted=bl.vn (127.0.0.2)\r\n";
        for front in [
            format!("{path}{results}{connection}{received}{said}"),
            format!("{path}{received}"),
            format!("{path}{results}{received}"),
            format!("{path}{results}{received}{said}"),
            format!("{path}{received}{said}X-Spam-Flag: YES\r\n"),
        ] {
            assert_eq!(in_front(format!("{front}{message}").as_bytes()), front.len(), "{front}");
        }
        let flagged = format!("{path}{received}X-Spam-Flag: YES\r\n{message}");
        assert_eq!(in_front(flagged.as_bytes()), path.len() + received.len(), "the sender's own");
        for other in [message.to_owned(), format!("{path}{message}"), received.to_owned(), String::new()] {
            assert_eq!(in_front(other.as_bytes()), 0, "{other}");
        }
    }

    /// As many as a message of the largest size has; one by one, the octets behind each would move for each.
    #[test]
    fn a_million_forged_results_are_removed_at_once() {
        let mut raw = b"Authentication-Results: mx.vn\r\nX: 1\r\n".repeat(1_000_000);
        raw.extend_from_slice(b"\r\nbody\r\n");
        remove_forged(&mut raw, 0, "mx.vn");
        assert_eq!(raw.len(), "X: 1\r\n".len() * 1_000_000 + "\r\nbody\r\n".len());
        assert!(raw.ends_with(b"X: 1\r\n\r\nbody\r\n"));
    }

    #[test]
    fn results_in_our_name_are_removed_and_others_stay() {
        let theirs = "Authentication-Results: mx.other.vn; spf=pass\r\n";
        let kept = format!(
            "Received: x\r\nSubject: a\r\n{theirs}From: b@c.vn\r\n\r\nAuthentication-Results: mx.vn; x\r\n"
        );
        for forged in [
            "Authentication-Results: mx.vn; dkim=pass\r\n",
            "authentication-results : MX.vn. 1;\r\n\tdkim=pass\r\n",
            "Authentication-Results: (a;(b) \r\n c) \"mx.vn\"; dkim=pass\r\n",
            "Authentication-Results:\r\n mx.vn\r\n",
            "Authentication-Results: (\\() mx.vn; dmarc=pass\r\n",
            "Authentication-Results: \"mx\\.vn\"; dmarc=pass\r\n",
            "Authentication-Results: (a mx.vn; dmarc=pass\r\n",
        ] {
            for place in ["Subject", "From", "Authentication-Results: mx.o"] {
                let at = kept.find(place).unwrap();
                let mut raw = kept.clone().into_bytes();
                raw.splice(at..at, forged.bytes());
                remove_forged(&mut raw, "Received: x\r\n".len(), "mx.vn");
                assert_eq!(String::from_utf8(raw).unwrap(), kept, "{forged}");
            }
        }
        let mut own = b"Authentication-Results: mx.vn; spf=pass\r\n\r\n".to_vec();
        let length = own.len();
        remove_forged(&mut own, length, "mx.vn");
        assert_eq!(own.len(), length, "what we wrote ourselves");
    }
}
