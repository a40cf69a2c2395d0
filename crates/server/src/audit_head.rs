//! Heads of the administrators' log as signed files: how the log stood, for an inspector to compare with later.
//!
//! Signed with Ed25519 and not with a shared secret, so that whoever checks a head (an inspector, with the public key he noted
//! when the system was taken over) cannot make one. Invariants: the key is made once, for its owner alone; a file is never
//! overwritten.

use anyhow::{Context as _, Result, bail};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use engine::AuditHead;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

const KEY_FILE: &str = "audit.key";
const FORMAT: &str = "congthu-audit-head-1";

/// The installation's key for heads.
pub(crate) struct SigningKey(Ed25519KeyPair);

/// A head as it lies in a file; numbers in hexadecimal.
#[derive(Serialize, Deserialize)]
struct Signed {
    format: String,
    at: jiff::Timestamp,
    rows: u64,
    id: i64,
    digest: String,
    public_key: String,
    signature: String,
}

impl SigningKey {
    /// The key of this data directory, made when there is none.
    pub(crate) fn open(data_dir: &Path) -> Result<Self> {
        let file = data_dir.join(KEY_FILE);
        let cannot = || format!("cannot read or make the key {}", file.display());
        let bytes = match fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => make(&file).with_context(cannot)?,
            Err(error) => return Err(error).with_context(cannot),
        };
        let key = Ed25519KeyPair::from_pkcs8(&bytes);
        Ok(Self(
            key.ok().with_context(|| format!("{} is damaged: restore it from a backup", file.display()))?,
        ))
    }

    pub(crate) fn public(&self) -> String {
        hex(self.0.public_key().as_ref())
    }

    pub(crate) fn sign(&self, head: &AuditHead) -> String {
        let signed = Signed {
            format: FORMAT.to_owned(),
            at: head.at,
            rows: head.rows,
            id: head.id,
            digest: hex(&head.digest),
            public_key: self.public(),
            signature: hex(self.0.sign(text(head).as_bytes()).as_ref()),
        };
        serde_json::to_string_pretty(&signed).unwrap_or_default()
    }
}

/// What is signed.
fn text(head: &AuditHead) -> String {
    format!("{FORMAT}\n{}\n{}\n{}\n{}\n", head.at, head.rows, head.id, hex(&head.digest))
}

/// Another process may make one at the same time: the first stays.
fn make(file: &Path) -> Result<Vec<u8>> {
    let key = Ed25519KeyPair::generate().ok().context("no randomness")?;
    let bytes = key.to_pkcs8().ok().context("the key cannot be written")?;
    match File::options().write(true).create_new(true).mode(0o600).open(file) {
        Ok(mut out) => {
            out.write_all(bytes.as_ref())?;
            out.sync_all()?;
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    Ok(fs::read(file)?)
}

/// The head in a file, if it was signed by `key`.
pub(crate) fn read(text_of_file: &str, key: &str) -> Result<AuditHead> {
    let signed: Signed = serde_json::from_str(text_of_file).context("this is no head of an audit log")?;
    let digest = unhex(&signed.digest).and_then(|bytes| bytes.try_into().ok());
    let (Some(digest), true) = (digest, signed.format == FORMAT) else {
        bail!("this is no head of an audit log that this version knows");
    };
    if signed.public_key != key {
        bail!(
            "it was signed with the key {}, and not with {key}: give --key if you know it",
            signed.public_key
        );
    }
    let head = AuditHead { at: signed.at, rows: signed.rows, id: signed.id, digest };
    let public = UnparsedPublicKey::new(&ED25519, unhex(key).context("a key is 64 hexadecimal digits")?);
    let signature = unhex(&signed.signature).unwrap_or_default();
    if public.verify(text(&head).as_bytes(), &signature).is_err() {
        bail!("its signature is not right: the file was changed");
    }
    Ok(head)
}

/// Writes a file that is not there yet.
pub(crate) fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let mut out = File::options().write(true).create_new(true).open(file)?;
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.sync_all()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn head() -> AuditHead {
        AuditHead { at: "2026-11-22T01:02:03Z".parse().unwrap(), rows: 7, id: 9, digest: [0xab; 32] }
    }

    #[test]
    fn a_signed_head_is_read_back_and_a_changed_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let key = SigningKey::open(dir.path()).unwrap();
        let again = SigningKey::open(dir.path()).unwrap();
        assert_eq!(key.public(), again.public());
        let mode = fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = key.sign(&head());
        assert_eq!(read(&text, &again.public()).unwrap(), head());
        for (from, to) in [
            ("\"rows\": 7", "\"rows\": 6"),
            ("abab", "abac"),
            ("01:02:03", "01:02:04"),
            ("\"id\": 9", "\"id\": 8"),
        ] {
            assert!(text.contains(from), "{text}");
            assert!(read(&text.replacen(from, to, 1), &key.public()).is_err(), "{from}");
        }
        let other = SigningKey::open(tempfile::tempdir().unwrap().path()).unwrap();
        assert!(read(&text, &other.public()).is_err());
        assert!(read("{}", &key.public()).is_err());
        let file = dir.path().join("head");
        write(&file, &text).unwrap();
        assert!(write(&file, &text).is_err());
    }
}
