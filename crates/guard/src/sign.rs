//! Signing mail that leaves (DKIM, RFC 6376; Ed25519: RFC 8463), and making the keys for it.
//!
//! Invariants: of a message its header is held, its body hashed as it comes; a secret is in no `Debug`. Header and body are signed
//! relaxed (3.4.2, 3.4.4), as relays fold and trim; fields that people see are signed once more than they are there (5.4.2), so
//! that nobody adds another.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use mail_auth::common::crypto::{HashContext as _, HashImpl as _, Sha256};
use mail_auth::dkim::Canonicalization;
use mail_auth::dkim::canonicalize::BodyHasher;
use proto::mime::{HeaderField, header_fields};

/// Signed once more than they are there.
const GUARDED: &[&str] = &["From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To"];
/// Signed as often as they are there (RFC 6376 5.4.1).
const OTHERS: &[&str] = &[
    "Sender",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    // RFC 8460 5.3
    "TLS-Report-Domain",
    "TLS-Report-Submitter",
];
/// Fields of one name that are signed.
const FIELDS_MAX: usize = 20;
/// Characters of a line of base64.
const LINE_CHARS: usize = 72;

/// A key that signs for a domain.
pub struct SigningKey {
    pub(crate) domain: String,
    pub(crate) selector: String,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// A key as it was made.
pub struct NewKey {
    /// PKCS #8.
    pub secret: Vec<u8>,
    /// As `p=` of its record has it.
    pub public: String,
}

impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({}._domainkey.{})", self.selector, self.domain)
    }
}

/// The cryptographic library does not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key cannot be made or used")]
pub struct KeyError;

/// An RSA key of 2048 bits, which is what fits everywhere (RFC 8301 3.2). Takes some tenths of a second.
///
/// # Errors
/// When the library fails.
pub fn new_rsa_key() -> Result<NewKey, KeyError> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError)?;
    let secret = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair);
    let secret = secret.map_err(|_| KeyError)?.as_ref().to_vec();
    let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> =
        pair.public_key().as_der().map_err(|_| KeyError)?;
    Ok(NewKey { secret, public: STANDARD.encode(public.as_ref()) })
}

/// # Errors
/// When the library fails.
pub fn new_ed25519_key() -> Result<NewKey, KeyError> {
    let secret = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError)?;
    let pair = Ed25519KeyPair::from_pkcs8(secret.as_ref()).map_err(|_| KeyError)?;
    Ok(NewKey { secret: secret.as_ref().to_vec(), public: STANDARD.encode(pair.public_key().as_ref()) })
}

impl SigningKey {
    /// The label under which its record stands (RFC 6376 3.1).
    #[must_use]
    pub fn selector(&self) -> &str {
        &self.selector
    }

    /// `algorithm`: `rsa-sha256` or `ed25519-sha256`.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn read(domain: &str, selector: &str, algorithm: &str, secret: &[u8]) -> Result<Self, KeyError> {
        let pair = match algorithm {
            "rsa-sha256" => Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(secret).map_err(|_| KeyError)?)),
            "ed25519-sha256" => {
                Pair::Ed25519(Box::new(Ed25519KeyPair::from_pkcs8(secret).map_err(|_| KeyError)?))
            }
            _ => return Err(KeyError),
        };
        let domain = crate::ascii_domain(domain).ok_or(KeyError)?;
        Ok(Self { domain, selector: selector.to_owned(), pair })
    }

    /// RFC 8617 4.1.3 has seals as RFC 6376 has signatures; whoever knows Ed25519 knows RSA, too.
    #[must_use]
    pub fn can_seal(&self) -> bool {
        matches!(self.pair, Pair::Rsa(_))
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "rsa-sha256",
            Pair::Ed25519(_) => "ed25519-sha256",
        }
    }

    pub(crate) fn sign(&self, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let random = SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, &random, data, &mut signature).map_err(|_| KeyError)?;
                Ok(signature)
            }
            // RFC 8463 3: the hash is what is signed.
            Pair::Ed25519(pair) => {
                let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, data);
                Ok(pair.sign(hash.as_ref()).as_ref().to_vec())
            }
        }
    }
}

/// A message that is being signed.
pub struct Signer {
    header: Vec<u8>,
    body: BodyHasher<<Sha256 as mail_auth::common::crypto::HashImpl>::Context>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({} octets of header)", self.header.len())
    }
}

impl Signer {
    /// `header` is all of it; what is behind its blank line is not looked at.
    #[must_use]
    pub fn new(header: &[u8]) -> Self {
        let body = BodyHasher::new(Sha256::hasher(), Canonicalization::Relaxed, 0);
        Self { header: header.to_vec(), body }
    }

    /// The next octets behind the blank line.
    pub fn body(&mut self, piece: &[u8]) {
        self.body.write(piece);
    }

    /// A field for each key, to stand in front of the message.
    ///
    /// # Errors
    /// When a key cannot be used.
    pub fn fields(self, keys: &[SigningKey], now: Timestamp) -> Result<String, KeyError> {
        let (header, hash) = self.finish();
        let (names, signed) = selected(&header, &[]);
        let mut fields = String::new();
        for key in keys {
            let start = format!(
                "v=1; a={}; c=relaxed/relaxed; d={};\r\n\ts={}; t={}; bh={hash};\r\n\th={};\r\n\tb=",
                key.algorithm(),
                key.domain,
                key.selector,
                now.as_second(),
                names.join(":\r\n\t "),
            );
            let mut data = signed.clone();
            data.extend_from_slice(&relaxed(b"dkim-signature", start.as_bytes()));
            // RFC 6376 3.7: without the last line end.
            data.truncate(data.len().saturating_sub(2));
            fields.push_str(&format!("DKIM-Signature: {start}{}\r\n", folded(&key.sign(&data)?)));
        }
        Ok(fields)
    }

    /// Its header, and the hash of its body as signatures have it.
    pub(crate) fn finish(self) -> (Vec<u8>, String) {
        let (hash, _) = self.body.finish();
        (self.header, STANDARD.encode(hash.complete().as_ref()))
    }
}

/// A signature as it is written, in lines.
pub(crate) fn folded(signature: &[u8]) -> String {
    let signature = STANDARD.encode(signature);
    let lines = signature.as_bytes().chunks(LINE_CHARS).filter_map(|line| str::from_utf8(line).ok());
    lines.collect::<Vec<_>>().join("\r\n\t ")
}

/// Names of the fields that are signed, and the fields as they are signed (RFC 6376 5.4.2: the last of a name first).
/// `more` are signed as often as they are there.
pub(crate) fn selected(header: &[u8], more: &[&'static str]) -> (Vec<&'static str>, Vec<u8>) {
    let (mut names, mut signed) = (Vec::new(), Vec::new());
    let others = OTHERS.iter().chain(more).map(|name| (*name, false));
    let all = GUARDED.iter().map(|name| (*name, true)).chain(others);
    for (name, is_guarded) in all {
        let mut fields: Vec<HeaderField<'_>> = header_fields(header).filter(|field| field.is(name)).collect();
        fields.reverse();
        for field in fields.iter().take(FIELDS_MAX) {
            names.push(name);
            signed.extend_from_slice(&relaxed(name.as_bytes(), field.value));
        }
        if is_guarded {
            names.push(name);
        }
    }
    (names, signed)
}

/// RFC 6376 3.4.2.
pub(crate) fn relaxed(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut line = name.to_ascii_lowercase();
    line.push(b':');
    let words = value.split(|octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n'));
    for (nth, word) in words.filter(|word| !word.is_empty()).enumerate() {
        if nth > 0 {
            line.push(b' ');
        }
        line.extend_from_slice(word);
    }
    line.extend_from_slice(b"\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::serve;
    use crate::{Examiner, Sender};
    use model::admission::Outcome;

    const MESSAGE: &str = "From: An <an@a.vn>\r\nTo: b@b.vn\r\nSubject: C\u{f4}ng\r\n\tv\u{103}n\r\nX: y\r\n\r\nHello \t x.\r\n\r\n";

    async fn examined(message: &str, zone: &str) -> Vec<Outcome> {
        let (resolver, _running) = serve(zone).await;
        let (header, body) = message.split_at(message.find("\r\n\r\n").unwrap() + 4);
        let mut examiner = Examiner::new(header.as_bytes());
        examiner.body(body.as_bytes());
        let sender = Sender { ip: "192.0.2.1".parse().unwrap(), helo: "x.vn", path: None };
        let evidence = examiner.evidence(&resolver, Some(sender)).await;
        evidence.signatures.iter().map(|signature| signature.outcome).collect()
    }

    #[tokio::test]
    async fn what_we_sign_is_verified_and_nothing_that_people_see_can_be_changed() {
        let (rsa, ed) = (new_rsa_key().unwrap(), new_ed25519_key().unwrap());
        let zone = format!(
            "r._domainkey.a.vn TXT v=DKIM1; k=rsa; p={}\ne._domainkey.a.vn TXT v=DKIM1; k=ed25519; p={}",
            rsa.public, ed.public
        );
        let keys = [
            SigningKey::read("A.vn", "r", "rsa-sha256", &rsa.secret).unwrap(),
            SigningKey::read("a.vn", "e", "ed25519-sha256", &ed.secret).unwrap(),
        ];
        let (header, body) = MESSAGE.split_at(MESSAGE.find("\r\n\r\n").unwrap() + 4);
        let mut signer = Signer::new(header.as_bytes());
        body.as_bytes().chunks(3).for_each(|piece| signer.body(piece));
        let fields = signer.fields(&keys, "2026-11-22T01:00:00Z".parse().unwrap()).unwrap();
        assert!(fields.lines().all(|line| line.len() <= 100), "{fields}");
        let signed = format!("{fields}{MESSAGE}");
        assert_eq!(examined(&signed, &zone).await, [Outcome::Pass, Outcome::Pass]);
        // What relays do on the way.
        let folded = signed.replace("Subject: ", "subject:  ").replace("\t x.\r\n\r\n", " x.\r\n\r\n\r\n");
        assert_eq!(examined(&folded, &zone).await, [Outcome::Pass, Outcome::Pass]);
        for (from, to) in [
            ("X: y", "From: other@a.vn"),
            ("X: y", "Subject: z"),
            ("X: y", "Reply-To: z@z.vn"),
            ("X: y", "Date: now"),
            ("To: b", "To: c"),
            ("Hello", "Hallo"),
        ] {
            let changed = signed.replace(from, to);
            assert_eq!(examined(&changed, &zone).await, [Outcome::Fail, Outcome::Fail], "{to}");
        }
        assert_eq!(examined(&signed.replace("X: y", "X: z"), &zone).await, [Outcome::Pass, Outcome::Pass]);
    }

    #[test]
    fn no_secret_is_shown() {
        let key = new_ed25519_key().unwrap();
        let secret = format!("{:?}", key.secret);
        let signing = SigningKey::read("a.vn", "e", "ed25519-sha256", &key.secret).unwrap();
        assert!(!format!("{key:?} {signing:?}").contains(&secret));
        assert!(SigningKey::read("a.vn", "e", "rsa-sha256", &key.secret).is_err());
    }
}
