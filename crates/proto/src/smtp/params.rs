//! What stands behind `MAIL` and `RCPT`: the path and the ESMTP parameters of the extensions we advertise.

use super::path::{Mailbox, PathError, Recipient, forward_path, reverse_path};
use super::reply::Reply;
use jiff::Timestamp;

/// Characters of an ENVID, once decoded (RFC 3461 4.4).
const ENVID_CHARS_MAX: usize = 100;
/// Characters of an ORCPT (RFC 3461 4.2).
const ORCPT_CHARS_MAX: usize = 500;

/// An accepted `MAIL FROM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// `None` is the null reverse path `<>`.
    pub sender: Option<Mailbox>,
    /// Octets the client says the message has (RFC 1870 4).
    pub size: Option<u64>,
    /// The message or its envelope needs SMTPUTF8 (RFC 6531 3.4).
    pub smtputf8: bool,
    /// How much of it comes back with a report (RFC 3461 4.3).
    pub ret: Option<Ret>,
    /// The sender's name for this envelope, xtext as it came (RFC 3461 4.4).
    pub envid: Option<String>,
    /// Only over verified TLS, all the way (RFC 8689).
    pub requiretls: bool,
    /// Not before then (RFC 4865).
    pub hold: Option<Hold>,
}

/// `RET` (RFC 3461 4.3)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    Full,
    Headers,
}

/// `HOLDFOR` and `HOLDUNTIL` (RFC 4865 4)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Seconds.
    For(u32),
    Until(Timestamp),
}

/// `NOTIFY` (RFC 3461 4.1): all false is `NEVER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    pub success: bool,
    pub failure: bool,
    pub delay: bool,
}

/// An accepted `RCPT TO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rcpt {
    pub recipient: Recipient,
    /// `None`: nothing was said.
    pub notify: Option<Notify>,
    /// `addr-type ";" xtext` as it came (RFC 3461 4.2).
    pub orcpt: Option<String>,
}

/// Which parameters this session has advertised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offered {
    /// `AUTH=` (RFC 4954 5)
    pub(super) auth: bool,
    /// RFC 3461
    pub(super) dsn: bool,
    /// RFC 8689 2: under TLS alone.
    pub(super) requiretls: bool,
    /// RFC 4865
    pub(super) hold: Option<FutureRelease>,
}

/// How far ahead mail may be sent (RFC 4865 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FutureRelease {
    pub seconds_max: u32,
    /// That many from now.
    pub until_max: Timestamp,
}

/// `"FROM:" Reverse-path [SP Mail-parameters]` (RFC 5321 4.1.1.2)
pub(super) fn mail(args: &str, offered: Offered) -> Result<Mail, Reply> {
    let path = after_keyword(args, "FROM:").ok_or_else(|| syntax("Syntax: MAIL FROM:<address>"))?;
    let (sender, rest) = reverse_path(path).map_err(|error| path_error(error, (1, 7)))?;
    let mut mail =
        Mail { sender, size: None, smtputf8: false, ret: None, envid: None, requiretls: false, hold: None };
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
            ("RET", Some(value)) if offered.dsn => mail.ret = Some(ret(value)?),
            ("ENVID", Some(value)) if offered.dsn => mail.envid = Some(envid(value)?),
            ("REQUIRETLS", None) if offered.requiretls => mail.requiretls = true,
            ("HOLDFOR" | "HOLDUNTIL", Some(value)) if mail.hold.is_none() => {
                mail.hold = Some(hold(&keyword, value, offered.hold.ok_or_else(unknown_parameter)?)?);
            }
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
pub(super) fn rcpt(args: &str, smtputf8: bool, dsn: bool) -> Result<Rcpt, Reply> {
    let path = after_keyword(args, "TO:").ok_or_else(|| syntax("Syntax: RCPT TO:<address>"))?;
    let (recipient, rest) = forward_path(path).map_err(|error| path_error(error, (1, 3)))?;
    let mut rcpt = Rcpt { recipient, notify: None, orcpt: None };
    for (keyword, value) in parameters(rest)? {
        match (keyword.as_str(), value) {
            ("NOTIFY", Some(_)) if dsn && rcpt.notify.is_some() => return Err(twice()),
            ("ORCPT", Some(_)) if dsn && rcpt.orcpt.is_some() => return Err(twice()),
            ("NOTIFY", Some(value)) if dsn => rcpt.notify = Some(notify(value)?),
            ("ORCPT", Some(value)) if dsn => rcpt.orcpt = Some(orcpt(value)?),
            _ => return Err(unknown_parameter()),
        }
    }
    match &rcpt.recipient {
        Recipient::Mailbox(mailbox) if mailbox.is_international() && !smtputf8 => Err(needs_smtputf8()),
        _ => Ok(rcpt),
    }
}

fn twice() -> Reply {
    syntax("A parameter is given twice")
}

fn ret(value: &str) -> Result<Ret, Reply> {
    match value.to_ascii_uppercase().as_str() {
        "FULL" => Ok(Ret::Full),
        "HDRS" => Ok(Ret::Headers),
        _ => Err(syntax("Syntax: RET=FULL or RET=HDRS")),
    }
}

fn envid(value: &str) -> Result<String, Reply> {
    let decoded = xtext(value).filter(|text| (1..=ENVID_CHARS_MAX).contains(&text.chars().count()));
    decoded.map(|_| value.to_owned()).ok_or_else(|| syntax("Syntax: ENVID=xtext, of at most 100 characters"))
}

/// `"NEVER" / 1#( "SUCCESS" / "FAILURE" / "DELAY" )` (RFC 3461 4.1)
fn notify(value: &str) -> Result<Notify, Reply> {
    let mut notify = Notify::default();
    if value.eq_ignore_ascii_case("NEVER") {
        return Ok(notify);
    }
    for word in value.split(',') {
        match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => notify.success = true,
            "FAILURE" => notify.failure = true,
            "DELAY" => notify.delay = true,
            _ => return Err(syntax("Syntax: NOTIFY=NEVER, or of SUCCESS, FAILURE and DELAY")),
        }
    }
    Ok(notify)
}

/// RFC 3461 4.2; of the type utf-8, characters beyond ASCII may stand as they are (RFC 6533 3).
fn orcpt(value: &str) -> Result<String, Reply> {
    let fits = |(kind, address): &(&str, &str)| {
        let is_utf8 = kind.eq_ignore_ascii_case("utf-8");
        is_keyword(kind) && !address.is_empty() && (is_utf8 || xtext(address).is_some())
    };
    value
        .split_once(';')
        .filter(|_| value.chars().count() <= ORCPT_CHARS_MAX)
        .filter(fits)
        .map(|_| value.to_owned())
        .ok_or_else(|| syntax("Syntax: ORCPT=type;xtext"))
}

/// RFC 4865 4: seconds, or a moment.
fn hold(keyword: &str, value: &str, offered: FutureRelease) -> Result<Hold, Reply> {
    if keyword == "HOLDFOR" {
        let seconds = value.parse().ok().filter(|seconds| *seconds <= offered.seconds_max);
        return seconds
            .map(Hold::For)
            .ok_or_else(|| syntax("HOLDFOR takes seconds, as many as EHLO says at most"));
    }
    let until = value.parse::<Timestamp>().ok().filter(|until| *until <= offered.until_max);
    until.map(Hold::Until).ok_or_else(|| syntax("HOLDUNTIL takes a moment, not later than EHLO says"))
}

/// What an xtext stands for (RFC 3461 4); `None` when it is none, or would be a control character.
#[must_use]
pub fn xtext(value: &str) -> Option<String> {
    let mut pieces = value.split('+');
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() && b != b'=');
    let mut bytes = pieces.next().filter(|text| plain(text))?.as_bytes().to_vec();
    for piece in pieces {
        let (hex, rest) = piece.split_at_checked(2)?;
        let is_hex = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
        if !is_hex || !plain(rest) {
            return None;
        }
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
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

    fn offered() -> Offered {
        let until_max = "2026-11-22T02:00:00Z".parse().unwrap();
        let hold = Some(FutureRelease { seconds_max: 3600, until_max });
        Offered { auth: true, dsn: true, requiretls: true, hold }
    }

    fn code(result: Result<Mail, Reply>) -> u16 {
        result.map_or_else(|reply| reply.code(), |_| 250)
    }

    #[test]
    fn mail_parameters() {
        let offered = offered();
        let mail_of = |args: &str| mail(args, offered);
        let full = mail_of("from:<a@b> SIZE=12 body=8bitmime SMTPUTF8 AUTH=e+3Dmc2@example.com").unwrap();
        assert_eq!((full.size, full.smtputf8), (Some(12), true));
        assert_eq!(mail_of("FROM: <a@b> ").unwrap().size, None);
        assert_eq!(mail_of("FROM:<> SIZE=99999999999999999999").unwrap().size, Some(u64::MAX));
        for (args, expected) in [
            ("FROM:<a@b> AUTH=<>", 250),
            ("FROM:<a@b> BODY=BINARYMIME", 555),
            ("FROM:<a@b> BODY", 555),
            ("FROM:<a@b> RET=FULL ENVID=QQ+2B1 REQUIRETLS HOLDFOR=60", 250),
            ("FROM:<a@b> RET=BODY", 501),
            ("FROM:<a@b> RET", 555),
            ("FROM:<a@b> ENVID=a+0Ab", 501),
            ("FROM:<a@b> ENVID=a+4", 501),
            ("FROM:<a@b> REQUIRETLS=1", 555),
            ("FROM:<a@b> HOLDFOR=3601", 501),
            ("FROM:<a@b> HOLDFOR=-1", 501),
            ("FROM:<a@b> HOLDUNTIL=2026-11-22T02:00:00Z", 250),
            ("FROM:<a@b> HOLDUNTIL=2026-11-22T02:00:01Z", 501),
            ("FROM:<a@b> HOLDUNTIL=tomorrow", 501),
            ("FROM:<a@b> HOLDFOR=1 HOLDUNTIL=2026-11-22T02:00:00Z", 555),
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
        let nothing = Offered { auth: false, dsn: false, requiretls: false, hold: None };
        for parameter in
            ["AUTH=<>", "RET=FULL", "ENVID=a", "REQUIRETLS", "HOLDFOR=1", "HOLDUNTIL=2026-11-22T02:00:00Z"]
        {
            assert_eq!(code(mail(&format!("FROM:<a@b> {parameter}"), nothing)), 555, "{parameter}");
        }
        let asked = mail_of("FROM:<> RET=hdrs ENVID=x+2By HOLDFOR=7").unwrap();
        assert_eq!((asked.ret, asked.hold), (Some(Ret::Headers), Some(Hold::For(7))));
        assert_eq!(asked.envid.as_deref().and_then(xtext).as_deref(), Some("x+y"));
    }

    #[test]
    fn rcpt_parameters() {
        let answer = |args: &str, utf8, dsn| rcpt(args, utf8, dsn).map_or_else(|reply| reply.code(), |_| 250);
        let code = |args: &str, utf8| answer(args, utf8, true);
        assert_eq!(code("TO:<a@b>", false), 250);
        assert_eq!(code("to: <Postmaster>", false), 250);
        assert_eq!(answer("TO:<a@b> NOTIFY=NEVER", false, false), 555);
        assert_eq!(code("TO:<>", false), 501);
        assert_eq!(code("TO:<a@đ.vn>", false), 553);
        assert_eq!(code("TO:<a@đ.vn>", true), 250);
        for (parameters, expected) in [
            ("NOTIFY=NEVER", 250),
            ("NOTIFY=success,DELAY ORCPT=rfc822;Bob+2Bx@b", 250),
            ("NOTIFY=NEVER,FAILURE", 501),
            ("NOTIFY=", 501),
            ("NOTIFY=NEVER NOTIFY=NEVER", 501),
            ("ORCPT=rfc822;a ORCPT=rfc822;a", 501),
            ("ORCPT=a@b", 501),
            ("ORCPT=rfc822;a+0D+0Ab", 501),
            ("ORCPT=rfc822;", 501),
            ("RET=FULL", 555),
        ] {
            assert_eq!(code(&format!("TO:<a@b> {parameters}"), false), expected, "{parameters}");
        }
        let asked = rcpt("TO:<a@b> NOTIFY=FAILURE,SUCCESS", false, true).unwrap().notify;
        assert_eq!(asked, Some(Notify { success: true, failure: true, delay: false }));
    }
}
