//! What stands behind `MAIL` and `RCPT`: the path and the ESMTP parameters of the extensions we advertise.

use super::path::{Mailbox, PathError, Recipient, forward_path, reverse_path};
use super::reply::Reply;

/// An accepted `MAIL FROM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// `None` is the null reverse path `<>`.
    pub sender: Option<Mailbox>,
    /// Octets the client says the message has (RFC 1870 4).
    pub size: Option<u64>,
    /// The message or its envelope needs SMTPUTF8 (RFC 6531 3.4).
    pub smtputf8: bool,
}

/// Which parameters this session has advertised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offered {
    /// `AUTH=` (RFC 4954 5)
    pub(super) auth: bool,
}

/// `"FROM:" Reverse-path [SP Mail-parameters]` (RFC 5321 4.1.1.2)
pub(super) fn mail(args: &str, offered: Offered) -> Result<Mail, Reply> {
    let path = after_keyword(args, "FROM:").ok_or_else(|| syntax("Syntax: MAIL FROM:<address>"))?;
    let (sender, rest) = reverse_path(path).map_err(|error| path_error(error, (1, 7)))?;
    let mut mail = Mail { sender, size: None, smtputf8: false };
    let mut seen = Vec::new();
    for (keyword, value) in parameters(rest)? {
        if seen.contains(&keyword) {
            return Err(syntax("A parameter is given twice"));
        }
        match (keyword.as_str(), value) {
            ("SIZE", Some(value)) => mail.size = Some(size(value)?),
            ("BODY", Some(value)) if is_body(value) => {}
            ("SMTPUTF8", None) => mail.smtputf8 = true,
            ("AUTH", Some(value)) if offered.auth && is_auth(value) => {}
            ("SMTPUTF8", Some(_)) => return Err(syntax("SMTPUTF8 takes no value")),
            ("AUTH", _) if offered.auth => return Err(syntax("Syntax: AUTH=<> or an xtext address")),
            // RFC 5321 4.1.1.11
            _ => return Err(unknown_parameter()),
        }
        seen.push(keyword);
    }
    // RFC 6531 3.5: a non-ASCII address without the parameter.
    if !mail.smtputf8 && mail.sender.as_ref().is_some_and(Mailbox::is_international) {
        return Err(needs_smtputf8());
    }
    Ok(mail)
}

/// `"TO:" ( "<Postmaster>" / Forward-path ) [SP Rcpt-parameters]` (RFC 5321 4.1.1.3)
pub(super) fn rcpt(args: &str, smtputf8: bool) -> Result<Recipient, Reply> {
    let path = after_keyword(args, "TO:").ok_or_else(|| syntax("Syntax: RCPT TO:<address>"))?;
    let (recipient, rest) = forward_path(path).map_err(|error| path_error(error, (1, 3)))?;
    if parameters(rest)?.next().is_some() {
        return Err(unknown_parameter());
    }
    match &recipient {
        Recipient::Mailbox(mailbox) if mailbox.is_international() && !smtputf8 => Err(needs_smtputf8()),
        _ => Ok(recipient),
    }
}

/// The grammar has no space behind the colon (RFC 5321 4.1.1.2), many printers and scanners send one.
fn after_keyword<'a>(args: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, rest) = args.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then(|| rest.trim_start_matches(' '))
}

/// `esmtp-param *(SP esmtp-param)`; keywords come out in upper case.
fn parameters(rest: &str) -> Result<impl Iterator<Item = (String, Option<&str>)>, Reply> {
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(syntax("Unexpected text behind the address"));
    }
    let parts: Vec<_> = rest.split(' ').filter(|part| !part.is_empty()).map(parameter).collect();
    if parts.iter().any(|(keyword, value)| !is_keyword(keyword) || value.is_some_and(|v| !is_value(v))) {
        return Err(syntax("Malformed parameter"));
    }
    Ok(parts.into_iter())
}

fn parameter(part: &str) -> (String, Option<&str>) {
    match part.split_once('=') {
        Some((keyword, value)) => (keyword.to_ascii_uppercase(), Some(value)),
        None => (part.to_ascii_uppercase(), None),
    }
}

/// `esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")`
fn is_keyword(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// `esmtp-value = 1*(%d33-60 / %d62-126 / UTF8-non-ascii)` (RFC 6531 3.3)
fn is_value(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c != '=' && (c.is_ascii_graphic() || !c.is_ascii()))
}

/// RFC 1870 3: `size-value = 1*20DIGIT`. More than 64 bits hold is certainly too large, not malformed.
fn size(value: &str) -> Result<u64, Reply> {
    if value.len() > 20 || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(syntax("Syntax: SIZE=octets"));
    }
    Ok(value.parse().unwrap_or(u64::MAX))
}

/// RFC 6152: the body may have any octets but NUL either way, so the value changes nothing for us.
fn is_body(value: &str) -> bool {
    value.eq_ignore_ascii_case("7BIT") || value.eq_ignore_ascii_case("8BITMIME")
}

/// RFC 4954 5: `AUTH=<>` or an xtext; we trust nobody's word on it, so the value is only checked for its form.
fn is_auth(value: &str) -> bool {
    let xtext = value.split('+').skip(1).all(|tail| {
        tail.get(..2).is_some_and(|hex| hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F')))
    });
    value == "<>" || (value.is_ascii() && xtext)
}

fn syntax(text: &'static str) -> Reply {
    Reply::new(501, (5, 4), text)
}

fn unknown_parameter() -> Reply {
    Reply::new(555, (5, 4), "Parameter not known or not offered")
}

fn needs_smtputf8() -> Reply {
    Reply::new(553, (6, 7), "Non-ASCII addresses need the SMTPUTF8 parameter")
}

fn path_error(error: PathError, enhanced: (u16, u16)) -> Reply {
    match error {
        PathError::Syntax => Reply::new(501, enhanced, "Address syntax is wrong"),
        PathError::TooLong => Reply::new(501, enhanced, "Address is too long"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<Mail, Reply>) -> u16 {
        result.map_or_else(|reply| reply.code(), |_| 250)
    }

    #[test]
    fn mail_parameters() {
        let offered = Offered { auth: true };
        let mail_of = |args: &str| mail(args, offered);
        let full = mail_of("from:<a@b> SIZE=12 body=8bitmime SMTPUTF8 AUTH=e+3Dmc2@example.com").unwrap();
        assert_eq!((full.size, full.smtputf8), (Some(12), true));
        assert_eq!(mail_of("FROM: <a@b> ").unwrap().size, None);
        assert_eq!(mail_of("FROM:<> SIZE=99999999999999999999").unwrap().size, Some(u64::MAX));
        for (args, expected) in [
            ("FROM:<a@b> AUTH=<>", 250),
            ("FROM:<a@b> BODY=BINARYMIME", 555),
            ("FROM:<a@b> BODY", 555),
            ("FROM:<a@b> RET=FULL", 555),
            ("FROM:<a@b> SIZE=", 501),
            ("FROM:<a@b> SIZE=1x", 501),
            ("FROM:<a@b> SIZE=1 SIZE=2", 501),
            ("FROM:<a@b> SMTPUTF8=1", 501),
            ("FROM:<a@b> AUTH=a+b", 501),
            ("FROM:<a@b> AUTH", 501),
            ("FROM:<a@b>SIZE=1", 501),
            ("FROM:<a@b> -X=1", 501),
            ("FROM:<a@b> X==1", 501),
            ("FROM:a@b", 501),
            ("TO:<a@b>", 501),
            ("", 501),
            ("FROM:<đ@b>", 553),
            ("FROM:<đ@b> SMTPUTF8", 250),
        ] {
            assert_eq!(code(mail_of(args)), expected, "{args}");
        }
        assert_eq!(code(mail("FROM:<a@b> AUTH=<>", Offered { auth: false })), 555);
    }

    #[test]
    fn rcpt_parameters() {
        let code = |args: &str, utf8| rcpt(args, utf8).map_or_else(|reply| reply.code(), |_| 250);
        assert_eq!(code("TO:<a@b>", false), 250);
        assert_eq!(code("to: <Postmaster>", false), 250);
        assert_eq!(code("TO:<a@b> NOTIFY=NEVER", false), 555);
        assert_eq!(code("TO:<>", false), 501);
        assert_eq!(code("TO:<a@đ.vn>", false), 553);
        assert_eq!(code("TO:<a@đ.vn>", true), 250);
    }
}
