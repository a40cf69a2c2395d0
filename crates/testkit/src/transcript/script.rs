//! Reading a transcript file into steps. What the lines mean is in `docs/how-to/write-a-transcript.md`.

use super::pattern::Pattern;

/// One line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Line number in the file, from 1.
    pub(super) line: usize,
    /// The line as written, for reports.
    pub(super) text: String,
    pub(super) action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// `A> text`, with CRLF, or `A>~ text`, without.
    Send { connection: String, pattern: Pattern, line_end: bool },
    /// `A< text`: the next line.
    Expect { connection: String, pattern: Pattern },
    /// `A<? text`: neighbouring ones come in any order.
    ExpectUnordered { connection: String, pattern: Pattern },
    /// `A<* text`: lines are passed over until this one comes.
    SkipTo { connection: String, pattern: Pattern },
    /// `@A words` or `@words`.
    Directive { connection: Option<String>, words: Vec<String> },
}

/// # Errors
/// Names the line that cannot be read.
pub(super) fn parse(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let action = parse_line(line).map_err(|error| format!("line {}: {error}: {line}", index + 1))?;
        steps.push(Step { line: index + 1, text: line.to_owned(), action });
    }
    Ok(steps)
}

fn parse_line(line: &str) -> Result<Action, String> {
    if let Some(directive) = line.strip_prefix('@') {
        return Ok(parse_directive(directive));
    }
    let Some(at) = line.find(['<', '>']) else {
        return Err("neither sent, expected nor a directive".to_owned());
    };
    let (name, rest) = line.split_at(at);
    if !is_connection(name) {
        return Err("a connection is named by capital letters and digits".to_owned());
    }
    let connection = name.to_owned();
    let (marker, text) = [">~", "<?", "<*", ">", "<"]
        .into_iter()
        .find_map(|marker| Some((marker, rest.strip_prefix(marker)?)))
        .ok_or("no such marker")?;
    // One space belongs to the marker; a line without text may lack it.
    let text = match text.strip_prefix(' ') {
        Some(text) => text,
        None if text.is_empty() => text,
        None => return Err(format!("a space must follow {name}{marker}")),
    };
    let pattern = Pattern::parse(text)?;
    Ok(match marker {
        ">" => Action::Send { connection, pattern, line_end: true },
        ">~" => Action::Send { connection, pattern, line_end: false },
        "<?" => Action::ExpectUnordered { connection, pattern },
        "<*" => Action::SkipTo { connection, pattern },
        _ => Action::Expect { connection, pattern },
    })
}

fn parse_directive(text: &str) -> Action {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let named = words.first().is_some_and(|word| is_connection(word));
    let connection = named.then(|| words.remove(0));
    Action::Directive { connection, words }
}

fn is_connection(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{Action, parse};

    #[test]
    fn reads_every_kind_of_line() {
        let text = "# why\n\nA> x\nA>~ y\nA>\nA< z\nB1<? u\nA<* v\n@clock +5m\n@A starttls\n";
        let steps = parse(text).unwrap();
        let kinds: Vec<(usize, &str)> = steps
            .iter()
            .map(|step| {
                let kind = match &step.action {
                    Action::Send { line_end: true, .. } => "line",
                    Action::Send { .. } => "bytes",
                    Action::Expect { .. } => "expect",
                    Action::ExpectUnordered { connection, .. } if connection == "B1" => "unordered",
                    Action::ExpectUnordered { .. } => "wrong connection",
                    Action::SkipTo { .. } => "skip",
                    Action::Directive { connection: Some(_), .. } => "directive to A",
                    Action::Directive { connection: None, .. } => "directive",
                };
                (step.line, kind)
            })
            .collect();
        let expected = [
            (3, "line"),
            (4, "bytes"),
            (5, "line"),
            (6, "expect"),
            (7, "unordered"),
            (8, "skip"),
            (9, "directive"),
            (10, "directive to A"),
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn says_which_line_is_wrong() {
        for (text, part) in
            [("A> x\na> y", "line 2"), ("hello", "line 1"), ("A>x", "space"), ("A> \\q", "escape")]
        {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
