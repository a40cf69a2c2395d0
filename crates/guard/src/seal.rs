//! Sealing mail of strangers that goes on to others (ARC, RFC 8617): what was found out of it when it came is handed on, signed,
//! as whoever gets it then can find out less. SPF fails there, and what a list changes breaks the author's signature.
//!
//! Invariants: sealed is only what has our results in front, which nobody else can put there; a chain that did not hold when the
//! message came is not continued (5.1.3), as nobody would believe it.

use crate::sign::{KeyError, Signer, SigningKey, folded, relaxed, selected};
use jiff::Timestamp;
use proto::mime::{HeaderField, header_fields};

/// Links that a chain may have (RFC 8617 4.2.1).
const LINKS_MAX: usize = 50;
/// Fields of a set, as they are sealed (RFC 8617 5.1.1).
const SET: [&str; 3] = ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"];
const RESULTS: &str = "Authentication-Results";

/// The chain that a message has, to which a link can be added.
#[derive(Debug)]
pub struct Chain {
    /// Its sets as they are sealed, the oldest first.
    before: Vec<u8>,
    links: usize,
    /// What we found out when it came: the value of the field that we wrote then.
    results: String,
}

impl Chain {
    /// Of a message whose first field are the results that `hostname` wrote. `None` for any other, and where the chain does not
    /// hold or is too long.
    #[must_use]
    pub fn of(header: &[u8], hostname: &str) -> Option<Self> {
        let first = header_fields(header).next().filter(|field| field.is(RESULTS))?;
        let results = str::from_utf8(first.value).ok()?.trim();
        let (name, found) = results.split_once(';')?;
        if !name.trim().eq_ignore_ascii_case(hostname) {
            return None;
        }
        let mut sets = SET.map(|name| fields(header, name));
        let links = sets.iter().map(Vec::len).max()?;
        // A line of its own, as we write it: what strangers call themselves stands in quotation marks, and has no line ends.
        let passed = found.lines().any(|line| line.starts_with("\tarc=pass "));
        if links >= LINKS_MAX || (links > 0 && !passed) {
            return None;
        }
        sets.iter_mut().for_each(|set| set.sort_by_key(|(instance, _)| *instance));
        let mut before = Vec::new();
        for link in 0..links {
            for (name, set) in SET.iter().zip(&sets) {
                let (instance, field) = set.get(link)?;
                if *instance != link + 1 {
                    return None;
                }
                before.extend_from_slice(&relaxed(name.as_bytes(), field.value));
            }
        }
        Some(Self { before, links, results: results.to_owned() })
    }
}

/// Those of a name, with their instances (RFC 8617 4.2.1).
fn fields<'a>(header: &'a [u8], name: &str) -> Vec<(usize, HeaderField<'a>)> {
    let instance = |field: &HeaderField<'_>| {
        let tags = field.value.split(|octet| *octet == b';');
        let tags = tags.filter_map(|tag| str::from_utf8(tag).ok()?.split_once('='));
        let (_, number) = tags.into_iter().find(|(name, _)| name.trim() == "i")?;
        number.trim().parse().ok()
    };
    let named = header_fields(header).filter(|field| field.is(name));
    named.map(|field| (instance(&field).unwrap_or(0), field)).collect()
}

impl Signer {
    /// A set of fields that continues `chain`, to stand in front of the message.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn seal(self, chain: &Chain, key: &SigningKey, now: Timestamp) -> Result<String, KeyError> {
        let [results_name, signature_name, seal_name] = SET;
        let (header, hash) = self.finish();
        let instance = chain.links + 1;
        let by = format!(
            "a={}; d={};\r\n\ts={}; t={}",
            key.algorithm(),
            key.domain,
            key.selector,
            now.as_second()
        );
        let results = format!(" i={instance}; {}", chain.results);
        // RFC 8617 4.1.2: the signatures that are there, and nothing of ARC.
        let (names, mut data) = selected(&header, &["DKIM-Signature"]);
        let signature = format!(
            " i={instance}; {by};\r\n\tc=relaxed/relaxed; bh={hash};\r\n\th={};\r\n\tb=",
            names.join(":\r\n\t ")
        );
        let signature = signed(key, &mut data, (signature_name, signature))?;
        let validated = if chain.links == 0 { "none" } else { "pass" };
        let mut data = chain.before.clone();
        data.extend_from_slice(&relaxed(results_name.as_bytes(), results.as_bytes()));
        data.extend_from_slice(&relaxed(signature_name.as_bytes(), signature.as_bytes()));
        let seal =
            signed(key, &mut data, (seal_name, format!(" i={instance}; cv={validated}; {by};\r\n\tb=")))?;
        Ok(format!("{seal_name}:{seal}\r\n{signature_name}:{signature}\r\n{results_name}:{results}\r\n"))
    }
}

/// The field's value with its signature over `data` and itself (RFC 6376 3.7: without the last line end).
fn signed(key: &SigningKey, data: &mut Vec<u8>, (name, value): (&str, String)) -> Result<String, KeyError> {
    data.extend_from_slice(&relaxed(name.as_bytes(), value.as_bytes()));
    data.truncate(data.len().saturating_sub(2));
    Ok(value + &folded(&key.sign(data)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::serve;
    use crate::{Examiner, new_rsa_key};
    use model::admission::{Arc, Outcome};

    const MESSAGE: &str =
        "From: An <an@a.vn>\r\nTo: b@b.vn\r\nSubject: C\u{f4}ng v\u{103}n\r\n\r\nHello.\r\n";

    fn divided(message: &str) -> (&[u8], &[u8]) {
        message.as_bytes().split_at(message.find("\r\n\r\n").unwrap() + 4)
    }

    async fn examined(message: &str, zone: &str) -> Arc {
        let (resolver, _running) = serve(zone).await;
        let (header, body) = divided(message);
        let mut examiner = Examiner::new(header);
        examiner.body(body);
        examiner.evidence(&resolver, None).await.arc
    }

    fn sealed(message: &str, hostname: &str, key: &SigningKey) -> Option<String> {
        let (header, body) = divided(message);
        let chain = Chain::of(header, hostname)?;
        let mut signer = Signer::new(header);
        signer.body(body);
        let set = signer.seal(&chain, key, "2026-11-22T01:00:00Z".parse().unwrap()).unwrap();
        assert!(set.lines().all(|line| line.len() <= 100), "{set}");
        Some(format!("{set}{message}"))
    }

    #[tokio::test]
    async fn what_we_seal_is_verified_link_by_link() {
        let rsa = new_rsa_key().unwrap();
        let record = format!("v=DKIM1; k=rsa; p={}", rsa.public);
        let zone = format!("s._domainkey.a.vn TXT {record}\ns._domainkey.b.vn TXT {record}");
        let key = |domain: &str| SigningKey::read(domain, "s", "rsa-sha256", &rsa.secret).unwrap();
        let came = format!("Authentication-Results: mx.a.vn;\r\n\tspf=pass smtp.mailfrom=a.vn\r\n{MESSAGE}");
        let once = sealed(&came, "mx.a.vn", &key("a.vn")).unwrap();
        let expected = |domain: &str, links| Arc { outcome: Outcome::Pass, domain: domain.into(), links };
        assert_eq!(examined(&once, &zone).await, expected("a.vn", 1));
        let came =
            format!("Authentication-Results: mx.b.vn;\r\n\tspf=fail;\r\n\tarc=pass header.d=a.vn\r\n{once}");
        let twice = sealed(&came, "MX.b.vn", &key("b.vn")).unwrap();
        assert_eq!(examined(&twice, &zone).await, expected("b.vn", 2));
        for (from, to) in
            [("Hello", "Hallo"), ("i=1; mx.a.vn", "i=1; mx.c.vn"), ("i=2; mx", "i=2; my"), ("An <", "Em <")]
        {
            let changed = twice.replacen(from, to, 1);
            assert_ne!(changed, twice);
            assert_eq!(examined(&changed, &zone).await.outcome, Outcome::Fail, "{to}");
        }
        // A chain that did not hold is not continued, nor one of which we said nothing, nor one in another's words.
        for results in [
            "mx.b.vn;\r\n\tarc=fail header.d=a.vn",
            "mx.b.vn;\r\n\tspf=pass smtp.mailfrom=\"; arc=pass \"",
            "mx.c.vn;\r\n\tarc=pass header.d=a.vn",
        ] {
            let came = format!("Authentication-Results: {results}\r\n{once}");
            assert_eq!(sealed(&came, "mx.b.vn", &key("b.vn")), None, "{results}");
        }
        assert_eq!(sealed(&once, "mx.b.vn", &key("b.vn")), None, "no results of ours");
        let torn = once.replacen("ARC-Message-Signature", "X", 1);
        let came = format!("Authentication-Results: mx.b.vn;\r\n\tarc=pass header.d=a.vn\r\n{torn}");
        assert_eq!(sealed(&came, "mx.b.vn", &key("b.vn")), None, "a set is not whole");
    }

    /// What dkimpy sealed goes on with a link of ours.
    #[tokio::test]
    async fn anothers_chain_is_continued() {
        let theirs = include_str!("auth/tests/vectors/arc.txt").replace('\n', "\r\n");
        let rsa = new_rsa_key().unwrap();
        let key = SigningKey::read("a.vn", "s", "rsa-sha256", &rsa.secret).unwrap();
        let came =
            format!("Authentication-Results: mx.a.vn;\r\n\tarc=pass header.d=relay.example.net\r\n{theirs}");
        let sealed = sealed(&came, "mx.a.vn", &key).unwrap();
        let zone = format!(
            "{}\ns._domainkey.a.vn TXT v=DKIM1; k=rsa; p={}",
            crate::auth::tests::vectors::zone(),
            rsa.public
        );
        let expected = Arc { outcome: Outcome::Pass, domain: "a.vn".into(), links: 3 };
        assert_eq!(examined(&sealed, &zone).await, expected);
    }
}
