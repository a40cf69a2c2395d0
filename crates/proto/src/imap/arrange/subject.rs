//! Base subjects (RFC 5256 2.1).

/// A subject without what replying and forwarding adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseSubject {
    pub text: String,
    /// Something was taken away that says reply or forward (RFC 5256 3, REFERENCES).
    pub is_reply: bool,
}

/// RFC 5256 2.1, of a decoded subject.
#[must_use]
pub fn base_subject(decoded: &str) -> BaseSubject {
    // (1)
    let spaced = decoded.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = spaced.as_str();
    let mut is_reply = false;
    loop {
        // (2)
        text = without_trailers(text, &mut is_reply);
        // (3) to (5)
        text = without_leaders(text, &mut is_reply);
        // (6) subj-fwd-hdr = "[fwd:", subj-fwd-trl = "]"
        match strip_prefix(text, "[fwd:").and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => {
                is_reply = true;
                text = inner;
            }
            None => return BaseSubject { text: text.to_owned(), is_reply },
        }
    }
}

/// `subj-trailer = "(fwd)" / WSP`
fn without_trailers<'a>(mut text: &'a str, is_reply: &mut bool) -> &'a str {
    loop {
        text = text.trim_end_matches(' ');
        let Some(at) = text.len().checked_sub("(fwd)".len()) else { return text };
        match (text.get(..at), text.get(at..)) {
            (Some(rest), Some(end)) if end.eq_ignore_ascii_case("(fwd)") => {
                *is_reply = true;
                text = rest;
            }
            _ => return text,
        }
    }
}

/// Steps (3) to (5): `subj-leader = (*subj-blob subj-refwd) / WSP`, and blobs as long as something is left behind them.
fn without_leaders<'a>(mut text: &'a str, is_reply: &mut bool) -> &'a str {
    loop {
        text = text.trim_start_matches(' ');
        // All blobs at once, or a subject of blobs would be looked through for each.
        let (mut rest, mut last) = (text, text);
        while let Some(after) = blob(rest) {
            (last, rest) = (rest, after);
        }
        match refwd(rest) {
            Some(after) => {
                *is_reply = true;
                text = after;
            }
            None => return if rest.is_empty() { last } else { rest },
        }
    }
}

/// What follows `subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"`
fn refwd(text: &str) -> Option<&str> {
    let rest = ["re", "fwd", "fw"].iter().find_map(|word| strip_prefix(text, word))?;
    let rest = rest.trim_start_matches(' ');
    blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// What follows `subj-blob = "[" *BLOBCHAR "]" *WSP`
fn blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    Some(inner.get(end..)?.strip_prefix(']')?.trim_start_matches(' '))
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_replying_adds_goes() {
        for (subject, base, is_reply) in [
            ("Re: Họp", "Họp", true),
            ("  re :  FWD: Fw: Họp   (fwd) (FWD)", "Họp", true),
            ("[list] Re: [list] Họp", "Họp", true),
            ("[list] Họp", "Họp", false),
            ("[only]", "[only]", false),
            ("[only] ", "[only]", false),
            ("Re[2]: Họp", "Họp", true),
            ("Re [x]: [fwd: Re: Họp (fwd)]", "Họp", true),
            ("[fwd: a] b", "b", false),
            ("Report", "Report", false),
            ("re", "re", false),
            ("Re:", "", true),
            ("", "", false),
            ("a\tb\r\n c", "a b c", false),
            ("[a[b] c", "[a[b] c", false),
        ] {
            let found = base_subject(subject);
            assert_eq!((found.text.as_str(), found.is_reply), (base, is_reply), "{subject:?}");
        }
    }

    #[test]
    fn floods_end() {
        for flood in ["re:", "[a]", "[", "(fwd)", "[fwd:", "]"] {
            let _ = base_subject(&flood.repeat(20_000));
        }
        let nested = format!("{}x{}", "[fwd:".repeat(10_000), "]".repeat(10_000));
        assert_eq!(base_subject(&nested).text, "x");
    }
}
