//! The record by which a domain asks for reports (RFC 8460 3): `_smtp._tls.DOMAIN TXT "v=TLSRPTv1; rua=mailto:…,https:…"`.

/// Octets of a record; real ones have a hundred.
pub const RECORD_BYTES_MAX: usize = 4 * 1024;
/// Places of one record that are looked at.
const PLACES_MAX: usize = 10;
/// Octets of a name of an extension field: a letter or digit, and 31 more.
const EXTENSION_NAME_BYTES_MAX: usize = 32;
/// What every record begins with; others of that name are none.
const VERSION: &str = "v=TLSRPTv1";
const BLANKS: [char; 2] = [' ', '\t'];

/// Where a report is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An address as it was written, its escapes (RFC 3986 2.1) undone; whether it is one is not said.
    Mail(String),
    /// A whole URI.
    Https(String),
}

/// What the texts of `_smtp._tls.DOMAIN` say: the places of the one record there is, in its order; none where there is no record, are
/// several, or the one is not as the grammar has it.
#[must_use]
pub fn places(texts: &[Vec<u8>]) -> Vec<Place> {
    let begins =
        |text: &&Vec<u8>| text.strip_prefix(VERSION.as_bytes()).is_some_and(|rest| rest.starts_with(b";"));
    let mut found = texts.iter().filter(begins);
    let (Some(record), None) = (found.next(), found.next()) else { return Vec::new() };
    std::str::from_utf8(record).ok().and_then(tlsrpt_record).unwrap_or_default()
}

/// `tlsrpt-version 1*(field-delim tlsrpt-field) [field-delim]`; one `rua` there must be.
fn tlsrpt_record(text: &str) -> Option<Vec<Place>> {
    if text.len() > RECORD_BYTES_MAX {
        return None;
    }
    let fields = text.strip_prefix(VERSION)?.trim_start_matches(BLANKS).strip_prefix(';')?;
    let fields = fields.trim_matches(BLANKS);
    let fields = fields.strip_suffix(';').unwrap_or(fields);
    let mut named = None;
    for field in fields.split(';').map(|field| field.trim_matches(BLANKS)) {
        match field.strip_prefix("rua=") {
            Some(uris) => named.get_or_insert_with(Vec::new).extend(tlsrpt_rua(uris)?),
            None => tlsrpt_extension(field)?,
        }
    }
    let mut named = named?;
    named.truncate(PLACES_MAX);
    Some(named)
}

/// `tlsrpt-uri *(*WSP "," *WSP tlsrpt-uri)`; of schemes that are not known nothing comes.
fn tlsrpt_rua(uris: &str) -> Option<Vec<Place>> {
    let mut places = Vec::new();
    for uri in uris.split(',').map(|uri| uri.trim_matches(BLANKS)) {
        let (scheme, rest) = tlsrpt_uri(uri)?;
        if scheme.eq_ignore_ascii_case("mailto") {
            // Behind the question mark are fields of a header, which are not ours to set.
            places.extend(unescaped(rest.split('?').next()?).map(Place::Mail));
        } else if scheme.eq_ignore_ascii_case("https") {
            places.push(Place::Https(uri.to_owned()));
        }
    }
    Some(places)
}

/// RFC 3986 3: scheme and what follows. Commas, semicolons and exclamation points must be escaped.
fn tlsrpt_uri(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_once(':')?;
    let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_scheme = |octet: u8| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet);
    let may_stand = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~:/?#[]@$&'()*+=%".contains(&octet);
    let is_uri = begins && scheme.bytes().all(is_scheme) && rest.bytes().all(may_stand);
    (is_uri && has_whole_escapes(rest)).then_some((scheme, rest))
}

/// `pct-encoded = "%" HEXDIG HEXDIG`
fn has_whole_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let hex = after.as_bytes().get(..2);
        hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    })
}

/// `None` for what is no text.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut octets = parts.next()?.as_bytes().to_vec();
    for part in parts {
        octets.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        octets.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(octets).ok()
}

/// `tlsrpt-ext-name "=" tlsrpt-ext-value`, passed over.
fn tlsrpt_extension(field: &str) -> Option<()> {
    let (name, value) = field.split_once('=')?;
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_name = |octet: u8| octet.is_ascii_alphanumeric() || b"_-.".contains(&octet);
    let fits = begins && name.len() <= EXTENSION_NAME_BYTES_MAX && name.bytes().all(is_name);
    let is_value = |octet: u8| octet.is_ascii_graphic() && octet != b'=';
    (fits && !value.is_empty() && value.bytes().all(is_value)).then_some(())
}
