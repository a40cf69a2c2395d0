//! Addresses within a name: what a mail program shows in place of the address of whoever wrote.
//!
//! Invariant: a name may have any form, and nothing is parsed of it: whatever a reader might take for an address counts as one.

use crate::ascii_domain;
use model::{is_dot, is_unseen};

/// Different domains of one message's names: nobody reads more, and each is looked up.
const NAMED_MAX: usize = 16;

/// Adds the domains of the addresses in `name` (as people see it, decoded), in small ASCII letters, each once.
pub(super) fn gather(name: &str, domains: &mut Vec<String>) {
    let visible: String = name.chars().filter(|c| !is_unseen(*c)).collect();
    let mut parts = visible.split(['@', '\u{fe6b}', '\u{ff20}']);
    let mut before = parts.next().unwrap_or_default();
    for part in parts {
        let is_local = |c: char| !c.is_whitespace() && !matches!(c, '<' | '(' | '[' | ',' | ';' | ':');
        let is_address = before.chars().next_back().is_some_and(is_local);
        let end = part.find(|c: char| !(c.is_alphanumeric() || c == '-' || looks_like_a_dot(c)));
        let host = part.get(..end.unwrap_or(part.len())).unwrap_or_default();
        let host = host.replace(looks_like_a_dot, ".");
        let domain = ascii_domain(host.trim_end_matches(['.', '-'])).filter(|domain| domain.contains('.'));
        if let Some(domain) = domain
            && is_address
            && domains.len() < NAMED_MAX
            && !domains.contains(&domain)
        {
            domains.push(domain);
        }
        before = part;
    }
}

/// Also those that are none in names.
const fn looks_like_a_dot(c: char) -> bool {
    is_dot(c) || matches!(c, '\u{2024}' | '\u{fe52}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_looks_like_an_address_is_one() {
        for (name, expected) in [
            ("giam-doc@demo.vn", &["demo.vn"][..]),
            ("Giám đốc <giam-doc@Demo.VN>", &["demo.vn"]),
            ("'an@demo.vn' via Nhóm", &["demo.vn"]),
            ("an@demo.vn, binh@so.demo.vn (an@demo.vn)", &["demo.vn", "so.demo.vn"]),
            ("an@demo.vn.", &["demo.vn"]),
            ("an@demo.vn/x", &["demo.vn"]),
            ("đốc@demo.vn", &["demo.vn"]),
            ("an\u{ff20}demo\u{ff0e}vn", &["demo.vn"]),
            ("an@de\u{200b}mo.vn", &["demo.vn"]),
            ("an@de\u{34f}mo\u{fe0f}.vn", &["demo.vn"]),
            ("an@demo\u{2024}vn", &["demo.vn"]),
            ("an@demo\u{ff61}vn", &["demo.vn"]),
            ("an@thư.vn", &["xn--th-e0a.vn"]),
            ("Nguyễn Văn An", &[]),
            ("an@demo", &[]),
            ("@demo.vn", &[]),
            ("an @demo.vn", &[]),
            ("an@ demo.vn", &[]),
            ("an@@demo.vn", &[]),
            ("", &[]),
        ] {
            let mut found = Vec::new();
            gather(name, &mut found);
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn a_name_has_no_end_of_addresses_and_they_do() {
        let name: String = (0..100_000).map(|n| format!("a@x{n}.vn ")).collect();
        let mut found = Vec::new();
        gather(&name, &mut found);
        assert_eq!(found.len(), NAMED_MAX);
    }
}
