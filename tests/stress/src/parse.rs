//! IMAP responses as values (RFC 3501 9): what a strict client accepts, and nothing else.

/// A token of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Atom(String),
    Text(Vec<u8>),
    List(Vec<Value>),
}

impl Value {
    pub fn atom(&self) -> Option<&str> {
        match self {
            Self::Atom(atom) => Some(atom),
            _ => None,
        }
    }

    pub fn number<T: std::str::FromStr>(&self) -> Option<T> {
        self.atom()?.parse().ok()
    }

    pub fn list(&self) -> Option<&[Value]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// An astring.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Atom(atom) => Some(atom.clone()),
            Self::Text(octets) => String::from_utf8(octets.clone()).ok(),
            Self::List(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ok,
    No,
    Bad,
    Bye,
}

/// What a FETCH response says of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    pub uid: Option<u32>,
    pub flags: Option<Vec<String>>,
    pub modseq: Option<u64>,
    pub size: Option<u64>,
    pub date: Option<Vec<u8>>,
    /// Octets by what was asked for, as the server names it.
    pub sections: Vec<(String, Option<Vec<u8>>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    Continue,
    /// `tag` is `None` for an untagged one.
    Status {
        tag: Option<String>,
        kind: Kind,
        code: Option<String>,
        text: String,
    },
    Number(u32, String),
    Fetch(u32, Fetched),
    Data(String, Vec<Value>),
}

/// Length of the first complete response in `input`, literals included.
pub fn complete(input: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let end = at + input.get(at..)?.windows(2).position(|two| two == b"\r\n")? + 2;
        match announced(&input[at..end - 2]) {
            Some(count) if end + count <= input.len() => at = end + count,
            Some(_) => return None,
            None => return Some(end),
        }
    }
}

/// The size in the `{…}` at the end of a line.
fn announced(line: &[u8]) -> Option<usize> {
    let digits = line.strip_suffix(b"}")?;
    let open = digits.iter().rposition(|octet| *octet == b'{')?;
    std::str::from_utf8(&digits[open + 1..]).ok()?.parse().ok()
}

pub fn response(raw: &[u8]) -> Result<Response, String> {
    let line = raw.strip_suffix(b"\r\n").ok_or("no CRLF")?;
    if line == b"+" || line.starts_with(b"+ ") {
        return Ok(Response::Continue);
    }
    let space = line.iter().position(|octet| *octet == b' ').ok_or("a response of one word")?;
    let (first, rest) = (&line[..space], &line[space + 1..]);
    let tag = (first != b"*").then(|| String::from_utf8_lossy(first).into_owned());
    if let Some(status) = status(&tag, rest)? {
        return Ok(status);
    }
    if let Some(tag) = tag {
        return Err(format!("tagged {tag} without a status"));
    }
    let mut values = Tokens { octets: rest, at: 0 }.all()?.into_iter();
    let name = values.next().and_then(|value| value.atom().map(str::to_owned)).ok_or("no name")?;
    let Ok(number) = name.parse::<u32>() else {
        return Ok(Response::Data(name.to_ascii_uppercase(), values.collect()));
    };
    let what = values.next().and_then(|value| value.atom().map(str::to_ascii_uppercase)).ok_or("no word")?;
    match (what.as_str(), values.next(), values.next()) {
        ("FETCH", Some(Value::List(items)), None) => Ok(Response::Fetch(number, fetched(items)?)),
        ("EXISTS" | "RECENT" | "EXPUNGE", None, None) => Ok(Response::Number(number, what)),
        _ => Err(format!("odd response {what}")),
    }
}

fn status(tag: &Option<String>, rest: &[u8]) -> Result<Option<Response>, String> {
    let text = String::from_utf8_lossy(rest);
    let (word, text) = text.split_once(' ').unwrap_or((&text, ""));
    let kind = match word {
        "OK" | "PREAUTH" => Kind::Ok,
        "NO" => Kind::No,
        "BAD" => Kind::Bad,
        "BYE" => Kind::Bye,
        _ => return Ok(None),
    };
    let (code, text) = match text.strip_prefix('[') {
        Some(rest) => {
            let (code, text) = rest.split_once(']').ok_or("a code without end")?;
            (Some(code.to_owned()), text.trim_start())
        }
        None => (None, text),
    };
    Ok(Some(Response::Status { tag: tag.clone(), kind, code, text: text.to_owned() }))
}

fn fetched(items: Vec<Value>) -> Result<Fetched, String> {
    let mut found = Fetched::default();
    let mut items = items.into_iter();
    while let Some(name) = items.next() {
        let name = name.atom().ok_or("a FETCH item without name")?.to_ascii_uppercase();
        let value = items.next().ok_or_else(|| format!("{name} without value"))?;
        let odd = || format!("odd {name}");
        match name.as_str() {
            "UID" => found.uid = Some(value.number().ok_or_else(odd)?),
            "RFC822.SIZE" => found.size = Some(value.number().ok_or_else(odd)?),
            "FLAGS" => {
                let atoms = value.list().ok_or_else(odd)?.iter().map(|flag| flag.atom().map(str::to_owned));
                found.flags = Some(atoms.collect::<Option<_>>().ok_or_else(odd)?);
            }
            "MODSEQ" => match value.list().ok_or_else(odd)? {
                [modseq] => found.modseq = Some(modseq.number().ok_or_else(odd)?),
                _ => return Err(odd()),
            },
            "INTERNALDATE" => match value {
                Value::Text(text) => found.date = Some(text),
                _ => return Err(odd()),
            },
            _ => {
                let octets = match value {
                    Value::Text(octets) => Some(octets),
                    _ => None,
                };
                found.sections.push((name, octets));
            }
        }
    }
    Ok(found)
}

struct Tokens<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Tokens<'_> {
    fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    fn all(mut self) -> Result<Vec<Value>, String> {
        let values = self.until(None)?;
        if self.at == self.octets.len() { Ok(values) } else { Err("a parenthesis too many".into()) }
    }

    fn until(&mut self, close: Option<u8>) -> Result<Vec<Value>, String> {
        let mut values = Vec::new();
        loop {
            match self.peek() {
                None if close.is_none() => return Ok(values),
                None => return Err("a list without end".into()),
                Some(b')') if close.is_some() => {
                    self.at += 1;
                    return Ok(values);
                }
                Some(b')') => return Err("a parenthesis too many".into()),
                Some(b' ') => self.at += 1,
                Some(b'(') => {
                    self.at += 1;
                    values.push(Value::List(self.until(Some(b')'))?));
                }
                Some(b'"') => values.push(self.quoted()?),
                Some(b'{' | b'~') => values.push(self.literal()?),
                Some(_) => values.push(self.atom()?),
            }
        }
    }

    fn quoted(&mut self) -> Result<Value, String> {
        let mut text = Vec::new();
        self.at += 1;
        loop {
            let octet = self.peek().ok_or("a string without end")?;
            self.at += 1;
            match octet {
                b'"' => return Ok(Value::Text(text)),
                b'\\' => {
                    text.push(self.peek().ok_or("a string without end")?);
                    self.at += 1;
                }
                octet => text.push(octet),
            }
        }
    }

    fn literal(&mut self) -> Result<Value, String> {
        let rest = &self.octets[self.at..];
        let head = rest.windows(2).position(|two| two == b"\r\n").ok_or("a literal without CRLF")?;
        let count = announced(&rest[..head]).ok_or("a literal without size")?;
        let octets = rest.get(head + 2..head + 2 + count).ok_or("a short literal")?.to_vec();
        self.at += head + 2 + count;
        Ok(Value::Text(octets))
    }

    /// With what stands in brackets: `BODY[HEADER.FIELDS (X)]<0>` is one.
    fn atom(&mut self) -> Result<Value, String> {
        let start = self.at;
        let mut depth = 0;
        while let Some(octet) = self.peek() {
            match octet {
                b'[' => depth += 1,
                b']' => depth -= 1,
                b' ' | b'(' | b')' | b'"' if depth <= 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        let atom =
            std::str::from_utf8(&self.octets[start..self.at]).map_err(|_| "an atom that is no text")?;
        Ok(Value::Atom(atom.to_owned()))
    }
}

/// Numbers of a set such as `1:3,7`; nothing if it is none, or larger than a folder of ours can be.
pub fn numbers(set: &str) -> Option<Vec<u32>> {
    const MAX: u32 = 1_000_000;
    let mut numbers = Vec::new();
    for part in set.split(',') {
        let (low, high) = part.split_once(':').unwrap_or((part, part));
        let (low, high): (u32, u32) = (low.parse().ok()?, high.parse().ok()?);
        let (low, high) = (low.min(high), low.max(high));
        if high - low > MAX {
            return None;
        }
        numbers.extend(low..=high);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fetch_with_literals() {
        let raw =
            b"* 3 FETCH (UID 7 FLAGS (\\Seen $K1) BODY[HEADER.FIELDS (X-A)] {4}\r\na)\r\n MODSEQ (9))\r\n";
        assert_eq!(complete(raw), Some(raw.len()));
        assert_eq!(complete(&raw[..raw.len() - 1]), None);
        let Ok(Response::Fetch(3, found)) = response(raw) else { panic!() };
        assert_eq!((found.uid, found.modseq), (Some(7), Some(9)));
        assert_eq!(found.sections, [("BODY[HEADER.FIELDS (X-A)]".to_owned(), Some(b"a)\r\n".to_vec()))]);
    }

    #[test]
    fn reads_statuses_and_refuses_nonsense() {
        let Ok(Response::Status { code, kind, .. }) = response(b"a1 OK [COPYUID 1 2:3 4:5] done\r\n") else {
            panic!()
        };
        assert_eq!((code.as_deref(), kind), (Some("COPYUID 1 2:3 4:5"), Kind::Ok));
        assert_eq!(response(b"* 4 EXPUNGE\r\n"), Ok(Response::Number(4, "EXPUNGE".into())));
        for wrong in [&b"* 4 EXPUNGE 5\r\n"[..], b"* 1 FETCH (UID)\r\n", b"* 1 FETCH (UID 3\r\n", b"a1\r\n"] {
            assert!(response(wrong).is_err());
        }
        assert_eq!(numbers("1:3,7"), Some(vec![1, 2, 3, 7]));
        assert_eq!(numbers("x"), None);
    }
}
