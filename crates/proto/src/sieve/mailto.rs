//! `mailto:` URIs (RFC 6068): whom a notice goes to, and what it says (RFC 5436 2.1).

use super::compile::notes::is_address;
use std::borrow::Cow;

/// Addresses of one URI: who wants more has a group.
const RECIPIENTS_MAX: usize = 4;

/// Whom to write to, and what. Whatever else a URI says of a message is unsafe, and is passed over (RFC 5436 2.7, RFC 6068 4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mailto {
    /// `local@domain` each, one at least, none twice.
    pub to: Vec<String>,
    /// Whatever characters stood in it, line ends too.
    pub subject: Option<String>,
    pub body: Option<String>,
}

impl Mailto {
    /// `None`: it is none, or names nobody, something that is no address, or more than a notice goes to.
    pub fn parse(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once(':')?;
        if !scheme.eq_ignore_ascii_case("mailto") {
            return None;
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (path, fields) = rest.split_once('?').unwrap_or((rest, ""));
        let mut mailto = Self::default();
        mailto.add_recipients(path)?;
        for field in fields.split('&').filter(|field| !field.is_empty()) {
            let (name, value) = field.split_once('=')?;
            match decoded(name)?.to_ascii_lowercase().as_str() {
                "to" => mailto.add_recipients(value)?,
                "subject" if mailto.subject.is_none() => mailto.subject = Some(decoded(value)?.into_owned()),
                "body" if mailto.body.is_none() => mailto.body = Some(decoded(value)?.into_owned()),
                _ => {}
            }
        }
        (!mailto.to.is_empty()).then_some(mailto)
    }

    /// RFC 6068 2: a comma that stands for itself parts them.
    fn add_recipients(&mut self, list: &str) -> Option<()> {
        for address in list.split(',').filter(|address| !address.is_empty()) {
            let address = decoded(address)?.into_owned();
            if self.to.contains(&address) {
                continue;
            }
            if !is_address(&address) || self.to.len() == RECIPIENTS_MAX {
                return None;
            }
            self.to.push(address);
        }
        Some(())
    }
}

/// RFC 3986 2.1; `None` when a percent sign stands before no two digits, or what comes of it is not UTF-8.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            octets.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(octets).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_what() {
        let mailto =
            |uri: &str| Mailto::parse(uri).map(|mailto| (mailto.to.join(" "), mailto.subject, mailto.body));
        let said = |text: &str| Some(text.to_owned());
        let to = |to: &str| Some((to.to_owned(), None, None));
        assert_eq!(mailto("mailto:an@x.test"), to("an@x.test"));
        // RFC 5436 3.
        assert_eq!(mailto("MailTo:01@sms.test?to=b@x.test"), to("01@sms.test b@x.test"));
        assert_eq!(mailto("mailto:?to=an@x.test,an@x.test,b@x.test"), to("an@x.test b@x.test"));
        assert_eq!(mailto("mailto:an%2Bviec@x.test"), to("an+viec@x.test"));
        assert_eq!(
            mailto("mailto:an@x.test?subject=C%C3%B3%20th%C6%B0&BODY=a%0D%0Ab+c&subject=x#y"),
            Some(("an@x.test".into(), said("Có thư"), said("a\r\nb+c")))
        );
        // RFC 5436 2.7: what is unsafe is passed over, and so is whoever would read it unseen.
        let unsafe_ones = "From=x@y.test&auto-submitted=no&Received=a&Date=b&bcc=z@y.test&cc=z@y.test&X-A=b";
        assert_eq!(mailto(&format!("mailto:an@x.test?{unsafe_ones}")), to("an@x.test"));
    }

    #[test]
    fn what_is_none_is_none() {
        for uri in [
            "",
            "mailto:",
            "mailto:?subject=a",
            "mail:an@x.test",
            "an@x.test",
            "mailto:an",
            "mailto:an@x.test%0D%0ABcc:b@x.test",
            "mailto:an@x.test%2Cb@x.test",
            "mailto:an@x.test?to=b",
            "mailto:an@x.test?subject",
            "mailto:an@x.test?subject=%",
            "mailto:an@x.test?subject=%+1",
            "mailto:an@x.test?subject=%đ",
            "mailto:an@x.test?subject=%FF",
            "mailto:a@x.test,b@x.test,c@x.test,d@x.test,e@x.test",
            "mailto:An <an@x.test>",
        ] {
            assert_eq!(Mailto::parse(uri), None, "{uri}");
        }
    }
}
