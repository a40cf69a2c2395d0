//! Address lists of a header (RFC 5322 3.4) split tolerantly in one pass: whatever stands there comes out, as an
//! address if it looks like one, else as a mailbox name without a host. Groups are always balanced.

use super::envelope::MailAddress;
use super::header::unfold;
use super::limits::{ADDRESSES_MAX, COMMENT_DEPTH_MAX};

/// Octets searched for the end of an angle address or a domain literal; a path has at most 256 (RFC 5321 4.5.3.1.3),
/// a source route may be some of them.
const ANGLE_MAX: usize = 2_048;

/// The addresses of a field's value, folding and all, up to `ADDRESSES_MAX`.
pub(crate) fn addresses(value: &[u8]) -> impl Iterator<Item = MailAddress> + use<> {
    let mut list = Vec::new();
    parse_into(&unfold(value, usize::MAX), &mut list);
    list.into_iter()
}

/// Appends the addresses of one unfolded field to `list`, up to `ADDRESSES_MAX` altogether.
pub(super) fn parse_into(value: &[u8], list: &mut Vec<MailAddress>) {
    let mut parser = Parser {
        bytes: value,
        at: 0,
        text: Vec::new(),
        comment: Vec::new(),
        in_group: false,
        quotes_close: true,
        comments_close: true,
        list,
    };
    parser.run();
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What is outside of angle brackets and comments, quotes removed, white space single.
    text: Vec<u8>,
    comment: Vec<u8>,
    in_group: bool,
    /// False once a quotation mark was found that never closes: all later ones are plain characters. This keeps the
    /// search for the closing one linear.
    quotes_close: bool,
    /// The same for comments.
    comments_close: bool,
    list: &'a mut Vec<MailAddress>,
}

impl Parser<'_> {
    fn run(&mut self) {
        // One place is kept for the end of a group.
        while self.list.len() + 1 < ADDRESSES_MAX {
            let Some(byte) = self.bytes.get(self.at).copied() else { break };
            self.at += 1;
            match byte {
                b'"' if self.quotes_close => self.quoted(),
                b'(' if self.comments_close => self.comment(),
                b'<' => self.angle(),
                b'[' => self.literal(),
                b',' => self.finish(None),
                b';' => {
                    self.finish(None);
                    self.end_group();
                }
                b':' if !self.in_group && !self.text.contains(&b'@') => self.start_group(),
                _ if byte.is_ascii_whitespace() => self.space(),
                _ => self.text.push(byte),
            }
        }
        self.finish(None);
        self.end_group();
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        if self.text.last().is_some_and(|last| *last != b' ') {
            self.text.push(b' ');
        }
    }

    /// RFC 5322 3.2.4 quoted-string, behind its opening mark.
    fn quoted(&mut self) {
        let mut content = Vec::new();
        let mut octets = self.rest().iter();
        let mut length = 0;
        while let Some(byte) = octets.next() {
            length += 1;
            match byte {
                b'"' => {
                    self.at += length;
                    self.text.extend_from_slice(&content);
                    return;
                }
                b'\\' => {
                    length += 1;
                    content.extend(octets.next());
                }
                _ => content.push(*byte),
            }
        }
        self.quotes_close = false;
        self.text.push(b'"');
    }

    /// RFC 5322 3.2.2 comment, behind its opening parenthesis. The last one is a display name of old
    /// (`user@host (Name)`, RFC 822).
    fn comment(&mut self) {
        let mut content = Vec::new();
        let mut depth = 1_u32;
        let mut octets = self.rest().iter();
        let mut length = 0;
        while let Some(byte) = octets.next() {
            length += 1;
            match byte {
                b'(' => depth = depth.saturating_add(1).min(COMMENT_DEPTH_MAX),
                b')' => depth -= 1,
                b'\\' => {
                    length += 1;
                    content.extend(octets.next());
                    continue;
                }
                _ => {}
            }
            if depth == 0 {
                self.at += length;
                self.comment = content.trim_ascii().to_vec();
                self.space();
                return;
            }
            content.push(*byte);
        }
        self.comments_close = false;
        self.text.push(b'(');
    }

    /// A domain literal (RFC 5322 3.4.1), whose colons are no groups, behind its opening bracket.
    fn literal(&mut self) {
        self.text.push(b'[');
        let end =
            self.rest().iter().take(ANGLE_MAX).position(|byte| matches!(byte, b']' | b',' | b'<' | b'['));
        if let Some(end) = end.filter(|end| self.rest().get(*end) == Some(&b']')) {
            let content = self.rest().get(..=end).unwrap_or_default().to_vec();
            self.at += content.len();
            self.text.extend_from_slice(&content);
        }
    }

    /// An angle address, behind its opening bracket. One that does not close ends at the comma or bracket that must
    /// belong to the next.
    fn angle(&mut self) {
        let mut comma = None;
        let mut is_quoted = false;
        let mut end = None;
        let rest = self.rest().get(..ANGLE_MAX).unwrap_or(self.rest());
        for (position, byte) in rest.iter().enumerate() {
            match byte {
                b'"' => is_quoted = !is_quoted,
                b'>' if !is_quoted => {
                    end = Some((position, 1));
                    break;
                }
                b'<' if !is_quoted => {
                    end = Some((comma.unwrap_or(position), 0));
                    break;
                }
                b',' if !is_quoted && comma.is_none() => comma = Some(position),
                _ => {}
            }
        }
        let (length, closing) = end.unwrap_or((comma.unwrap_or(rest.len()), 0));
        let content = rest.get(..length).unwrap_or_default().to_vec();
        self.at += length + closing;
        self.finish(Some(&content));
    }

    fn start_group(&mut self) {
        // RFC 9051 7.5.2: the start of a group is a mailbox name without a host.
        let name = std::mem::take(&mut self.text).trim_ascii().to_vec();
        self.comment.clear();
        self.list.push(MailAddress { mailbox: Some(name), ..MailAddress::default() });
        self.in_group = true;
    }

    fn end_group(&mut self) {
        if self.in_group {
            self.list.push(MailAddress::default());
            self.in_group = false;
        }
    }

    /// Makes an address of what was gathered, if there is anything.
    fn finish(&mut self, angle: Option<&[u8]>) {
        let text = std::mem::take(&mut self.text).trim_ascii().to_vec();
        let comment = std::mem::take(&mut self.comment);
        let filled = |value: Vec<u8>| (!value.is_empty()).then_some(value);
        let address = match angle.map(<[u8]>::trim_ascii) {
            Some(spec) if !spec.is_empty() || !text.contains(&b'@') => {
                let (route, spec) = split_route(spec);
                let (mailbox, host) = split_host(&plain(spec));
                MailAddress { name: filled(text).or(filled(comment)), route, mailbox, host }
            }
            _ if text.is_empty() && comment.is_empty() => return,
            _ => bare(&text, filled(comment)),
        };
        self.list.push(address);
    }
}

/// An address without angle brackets, perhaps with a name in front that should have had them.
fn bare(text: &[u8], comment: Option<Vec<u8>>) -> MailAddress {
    let Some(at) = text.iter().rposition(|byte| *byte == b'@') else {
        // Nothing like an address: a local user's name, or text that must not be lost.
        return MailAddress {
            name: comment,
            route: None,
            mailbox: Some(text.to_vec()),
            host: Some(Vec::new()),
        };
    };
    let (local, host) = text.split_at_checked(at).unwrap_or((text, &[]));
    let local = local.trim_ascii_end();
    let space = local.iter().rposition(|byte| *byte == b' ');
    let (name, local) = match space {
        Some(space) => local.split_at_checked(space).unwrap_or((&[], local)),
        None => (&[][..], local),
    };
    let name = (!name.trim_ascii().is_empty()).then(|| name.trim_ascii().to_vec());
    MailAddress {
        name: name.or(comment),
        route: None,
        mailbox: Some(local.trim_ascii().to_vec()),
        host: Some(host.iter().skip(1).filter(|byte| !byte.is_ascii_whitespace()).copied().collect()),
    }
}

/// RFC 5322 4.4 obs-route: `@a,@b:user@host`.
fn split_route(spec: &[u8]) -> (Option<Vec<u8>>, &[u8]) {
    if spec.first() == Some(&b'@')
        && let Some(colon) = spec.iter().position(|byte| *byte == b':')
        && let Some((route, rest)) = spec.split_at_checked(colon)
    {
        return (Some(route.to_vec()), rest.get(1..).unwrap_or_default());
    }
    (None, spec)
}

fn split_host(spec: &[u8]) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let at = spec.iter().rposition(|byte| *byte == b'@').unwrap_or(spec.len());
    let (local, host) = spec.split_at_checked(at).unwrap_or((spec, &[]));
    let host = host.get(1..).unwrap_or_default();
    (Some(local.to_vec()), Some(host.to_vec()))
}

/// An addr-spec without quotation marks, and outside of them without comments and white space. A comment that does
/// not end is none.
fn plain(spec: &[u8]) -> Vec<u8> {
    let (text, is_whole) = plain_with(spec, true);
    if is_whole { text } else { plain_with(spec, false).0 }
}

fn plain_with(spec: &[u8], comments: bool) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(spec.len());
    let mut is_quoted = false;
    let mut depth = 0_u32;
    let mut octets = spec.iter();
    while let Some(byte) = octets.next() {
        match byte {
            b'"' if depth == 0 => is_quoted = !is_quoted,
            b'\\' if is_quoted => out.extend(octets.next()),
            b'(' if comments && !is_quoted => depth += 1,
            b')' if depth > 0 => depth -= 1,
            _ if depth > 0 || (!is_quoted && byte.is_ascii_whitespace()) => {}
            _ => out.push(*byte),
        }
    }
    (out, depth == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, route, mailbox, host of each address, `~` for NIL.
    fn check(value: &str, expected: &[&str]) {
        let mut list = Vec::new();
        parse_into(value.as_bytes(), &mut list);
        let show = |field: &Option<Vec<u8>>| {
            field.as_ref().map_or("~".to_owned(), |value| String::from_utf8_lossy(value).into_owned())
        };
        let shown: Vec<String> =
            list.iter().map(|a| [&a.name, &a.route, &a.mailbox, &a.host].map(show).join("|")).collect();
        assert_eq!(shown, expected, "{value}");
    }

    #[test]
    fn reads_the_examples_of_rfc_5322() {
        check("John Doe <jdoe@machine.example>", &["John Doe|~|jdoe|machine.example"]);
        check(
            "\"Joe Q. Public\" <john.q.public@example.com>, Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
            &[
                "Joe Q. Public|~|john.q.public|example.com",
                "Mary Smith|~|mary|x.test",
                "~|~|jdoe|example.org",
                "Who?|~|one|y.test",
            ],
        );
        check(
            "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
            &["~|~|boss|nil.test", "Giant; \"Big\" Box|~|sysservices|example.net"],
        );
        check(
            "A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;",
            &[
                "~|~|A Group|~",
                "Ed Jones|~|joe|where.test",
                "~|~|joe|where.test",
                "John|~|jdoe|one.test",
                "~|~|~|~",
            ],
        );
        check("Undisclosed recipients:;", &["~|~|Undisclosed recipients|~", "~|~|~|~"]);
        check("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", &["Pete|~|pete|silly.test"]);
        check(
            "Mary Smith <@node.test,@x:mary@example.net>, , jdoe@test  . example",
            &["Mary Smith|@node.test,@x|mary|example.net", "~|~|jdoe|test.example"],
        );
    }

    #[test]
    fn old_and_odd_forms() {
        check("user@host.example (Full (or so) Name)", &["Full (or so) Name|~|user|host.example"]);
        check("<\"a b@c\"@host>", &["~|~|a b@c|host"]);
        check("user@[IPv6:2001:db8::1]", &["~|~|user|[IPv6:2001:db8::1]"]);
        check("Nguyễn Văn A <a@ví-dụ.vn>", &["Nguyễn Văn A|~|a|ví-dụ.vn"]);
        check("=?utf-8?Q?Nguy=E1=BB=85n?= <a@b>", &["=?utf-8?Q?Nguy=E1=BB=85n?=|~|a|b"]);
        check("root", &["~|~|root|"]);
        check("", &[]);
        check(" , ;, ", &[]);
    }

    #[test]
    fn broken_ones_are_not_lost() {
        check("Foo Bar foo@bar.test", &["Foo Bar|~|foo|bar.test"]);
        check("a <a@b, c <c@d>", &["a|~|a|b", "c|~|c|d"]);
        check("a <a@b <c@d>", &["a|~|a|b", "~|~|c|d"]);
        check("\"open <a@b>, c@d", &["\"open|~|a|b", "~|~|c|d"]);
        check("(open <a@b>", &["(open|~|a|b"]);
        check("a@b; c@d", &["~|~|a|b", "~|~|c|d"]);
        check("g: a@b", &["~|~|g|~", "~|~|a|b", "~|~|~|~"]);
        check("Tên <>", &["Tên|~||"]);
        check("a@b <>", &["~|~|a|b"]);
        check("(only a comment)", &["only a comment|~||"]);
    }

    #[test]
    fn floods_are_linear_and_capped() {
        for flood in ["(", "\"", "<", "[", "a@b,", "<\"", "a:;", "a:", "<a,", "\\", "[,", "(\""] {
            let value = flood.repeat(1_000_000 / flood.len());
            let mut list = Vec::new();
            parse_into(value.as_bytes(), &mut list);
            assert!(list.len() <= ADDRESSES_MAX, "{flood}");
            let starts = list.iter().filter(|a| a.is_group_start()).count();
            assert_eq!(starts, list.iter().filter(|a| a.is_group_end()).count(), "{flood}");
        }
    }
}
