//! Whose a domain name roughly is: the part of it that somebody had to register, so that limits count names together that one
//! owner can make as many of as he likes.
//!
//! There is no list of public suffixes here, which would grow old; where the rule of thumb is wrong it takes strangers for one
//! owner, never one owner for several of a size that matters. It is for limits alone: who may speak for whom is for DMARC's tree walk.

/// Second labels under a country that registries sell names below: `xa.gov.vn`, `co.uk`.
const KINDS: [&str; 22] = [
    "ac", "biz", "co", "com", "edu", "go", "gob", "gouv", "gov", "health", "info", "int", "mil", "name",
    "ne", "net", "nom", "or", "org", "pro", "sch", "gv",
];

/// Two labels of a name, three below the likes of `gov.vn`; all of a shorter one. In ASCII and small letters, as names of DNS are.
#[must_use]
pub fn registered(domain: &str) -> &str {
    let mut dots = domain.rmatch_indices('.').map(|(at, _)| at);
    let (Some(country), Some(second)) = (dots.next(), dots.next()) else { return domain };
    let (kind, top) = (domain.get(second + 1..country), domain.get(country + 1..));
    let is_kind = kind.is_some_and(|kind| KINDS.contains(&kind)) && top.is_some_and(|top| top.len() == 2);
    let before = if is_kind { dots.next() } else { Some(second) };
    before.and_then(|at| domain.get(at + 1..)).unwrap_or(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_owner_are_one() {
        for (name, owner) in [
            ("a.vn", "a.vn"),
            ("1.2.3.a.vn", "a.vn"),
            ("xa.angiang.gov.vn", "angiang.gov.vn"),
            ("angiang.gov.vn", "angiang.gov.vn"),
            ("gov.vn", "gov.vn"),
            ("x.y.co.uk", "y.co.uk"),
            ("mail.com.example", "com.example"),
            ("x.y.example.com", "example.com"),
            ("vn", "vn"),
            ("", ""),
            ("..vn", ".vn"),
        ] {
            assert_eq!(registered(name), owner, "{name}");
        }
    }
}
