//! Lists of addresses that mail is unwanted from (DNSBL, RFC 5782), as a policy names them: `zen.example.org/2-9=reject`.

use super::inbound::Doubtful;
use super::value::Value;
use super::{Measure, value};
use crate::DomainName;
use serde::{Deserialize, Serialize};

/// The least and most that the last octet of an answer may be: 127.0.0.1 is not used, 127.0.0.255 says nothing.
const CODES: std::ops::RangeInclusive<u8> = 2..=254;

/// A list, which of its answers are meant, and what becomes of mail from an address that has one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsList {
    /// Where it is asked.
    pub zone: DomainName,
    /// Last octets of the answer (127.0.0.x), both included; 2 to 254.
    pub first: u8,
    pub last: u8,
    pub act: Doubtful,
}

impl DnsList {
    /// Is an answer with this last octet meant?
    #[must_use]
    pub fn means(&self, code: u8) -> bool {
        (self.first..=self.last).contains(&code)
    }

    fn is_valid(&self) -> bool {
        self.zone.as_str().contains('.')
            && self.first <= self.last
            && CODES.contains(&self.first)
            && CODES.contains(&self.last)
    }

    fn text(&self) -> String {
        let (zone, act) = (&self.zone, self.act.as_str());
        match (self.first, self.last) {
            (first, last) if (first..=last) == CODES => format!("{zone}={act}"),
            (first, last) if first == last => format!("{zone}/{first}={act}"),
            (first, last) => format!("{zone}/{first}-{last}={act}"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (list, act) = text.split_once('=')?;
        let (zone, codes) = match list.split_once('/') {
            Some((zone, codes)) => (zone, Some(codes)),
            None => (list, None),
        };
        let number = |text: &str| text.parse::<u8>().ok();
        let (first, last) = match codes.map(|codes| codes.split_once('-').unwrap_or((codes, codes))) {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (*CODES.start(), *CODES.end()),
        };
        Some(Self { zone: DomainName::new(zone).ok()?, first, last, act: Doubtful::parse(act)? })
    }
}

impl Value for Vec<DnsList> {
    fn text(&self) -> String {
        value::joined(self.iter().map(DnsList::text))
    }
    fn parse(text: &str) -> Option<Self> {
        value::parts(text).map(DnsList::parse).collect()
    }
    fn shown(&self, _: Measure) -> String {
        if self.is_empty() {
            return "không có".to_owned();
        }
        let each = self.iter().map(|list| {
            let codes = match (list.first, list.last) {
                (first, last) if (first..=last) == CODES => String::new(),
                (first, last) if first == last => format!(" (127.0.0.{first})"),
                (first, last) => format!(" (127.0.0.{first}-{last})"),
            };
            format!("{}{codes}: {}", list.zone, list.act.label())
        });
        each.collect::<Vec<_>>().join("; ")
    }
    fn form(_: Measure, _: u32, max: u32) -> String {
        format!(
            "at most {max} lists with commas between, such as bl.example.org=junk or bl.example.org/2-9=reject, each with {}",
            <Doubtful as Value>::form(Measure::Plain, 0, 0)
        )
    }
    fn within(&self, min: u32, max: u32) -> bool {
        value::length(self.len()).within(min, max) && self.iter().all(DnsList::is_valid)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Doubtful, Policy, SetError};

    fn set(text: &str) -> Result<Policy, SetError> {
        let mut policy = Policy::default();
        policy.set("inbound.lists", text).map(|()| policy)
    }

    #[test]
    fn a_list_is_written_with_its_answers_and_what_becomes_of_them() {
        let policy =
            set("Zen.example.org/2-9=reject, zen.example.org/10=quarantine,bl.example.net=junk").unwrap();
        let field = Policy::field("inbound.lists").unwrap();
        let text = "zen.example.org/2-9=reject,zen.example.org/10=quarantine,bl.example.net=junk";
        assert_eq!(field.text(&policy), text);
        assert_eq!(set(text).unwrap(), policy);
        let shown = "zen.example.org (127.0.0.2-9): từ chối; zen.example.org (127.0.0.10): cách ly; bl.example.net: đưa vào thư rác";
        assert_eq!(field.shown(&policy), shown);
        let [first, single, all] = policy.inbound.lists.as_slice() else { panic!("three lists") };
        assert!(first.means(2) && first.means(9) && !first.means(10) && first.act == Doubtful::Reject);
        assert!(single.means(10) && !single.means(11));
        assert!(all.means(2) && all.means(254));
        assert_eq!(field.text(&set("").unwrap()), "");
        let kept = toml::to_string(&policy).unwrap();
        assert_eq!(toml::from_str::<Policy>(&kept).unwrap(), policy);
    }

    #[test]
    fn what_no_list_says_is_refused() {
        for (text, error) in [
            ("bl.example.org", SetError::Form),
            ("bl.example.org=spam", SetError::Form),
            ("bl.example.org/=junk", SetError::Form),
            ("bl.example.org/2-=junk", SetError::Form),
            ("bl.example.org/300=junk", SetError::Form),
            ("bl..org=junk", SetError::Form),
            ("=junk", SetError::Form),
            ("bl.example.org/1=junk", SetError::Range),
            ("bl.example.org/0-9=junk", SetError::Range),
            ("bl.example.org/2-255=junk", SetError::Range),
            ("bl.example.org/9-2=junk", SetError::Range),
            ("org=junk", SetError::Range),
        ] {
            assert_eq!(set(text).unwrap_err(), error, "{text}");
        }
        let many: Vec<String> = (0..17).map(|n| format!("l{n}.example.org=junk")).collect();
        assert_eq!(set(&many.join(",")).unwrap_err(), SetError::Range);
        assert!(set(&many[1..].join(",")).is_ok());
    }
}
