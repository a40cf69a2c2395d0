//! The certificate of a server nobody has given one yet.
//!
//! Invariants: key and certificate are one file, so they can never be of two generations; the file is
//! replaced by rename; what it is for stands in its first line, so nothing has to parse X.509 again.

use anyhow::{Context as _, Result};
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Certificate and key, for us alone; under `data_dir`.
const FILE: &str = "tls/self-signed.pem";
/// The certificate alone, for clients to trust; under `data_dir`.
pub(crate) const PUBLIC_FILE: &str = "tls/certificate.pem";
/// Longest life that clients accept (Apple and CA/Browser Forum: 398 days), less one against clocks that differ.
const LIFETIME_DAYS: i64 = 397;
/// How long before its end the certificate is replaced.
const RENEW_BEFORE_END_DAYS: i64 = 30;
/// How far back its life begins, for clients whose clocks are slow.
const BACKDATE_DAYS: i64 = 2;

/// The file with a certificate for `hostname` that is good at `now`: the one that is there, or a new one.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn ensure(data_dir: &Path, hostname: &str, now: Timestamp) -> Result<PathBuf> {
    let file = data_dir.join(FILE);
    let current = fs::read_to_string(&file).unwrap_or_default();
    if current.lines().next().and_then(|line| renewal(line, hostname)).is_some_and(|renewal| now < renewal) {
        return Ok(file);
    }
    let (public, private) = make(hostname, now).context("cannot make a self-signed certificate")?;
    let cannot = || format!("cannot write {}; check that the user congthu may write there", file.display());
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory).with_context(cannot)?;
    }
    write(&file, &private, 0o600).with_context(cannot)?;
    write(&data_dir.join(PUBLIC_FILE), &public, 0o644).with_context(cannot)?;
    tracing::info!(hostname, file = %file.display(), "made a self-signed certificate");
    Ok(file)
}

/// When the certificate under this first line must be replaced; none when it is for another name or not ours.
fn renewal(line: &str, hostname: &str) -> Option<Timestamp> {
    let (name, renewal) = line.strip_prefix("# congthu, self-signed for ")?.split_once(", renewed from ")?;
    (name == hostname).then(|| renewal.parse().ok()).flatten()
}

/// The certificate, and the certificate with its key behind a line that says what it is.
fn make(hostname: &str, now: Timestamp) -> Result<(String, String)> {
    let day = |offset: i64| -> Result<_> {
        let date = now.to_zoned(TimeZone::UTC).date().checked_add(offset.days())?;
        Ok(rcgen::date_time_ymd(date.year().into(), u8::try_from(date.month())?, u8::try_from(date.day())?))
    };
    let key = KeyPair::generate()?;
    // localhost too: the first client on a fresh machine usually runs beside the server.
    let mut names =
        vec![hostname.to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.dedup();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, hostname);
    params.not_before = day(-BACKDATE_DAYS)?;
    params.not_after = day(LIFETIME_DAYS - BACKDATE_DAYS)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let public = params.self_signed(&key)?.pem();
    let renewal = now.checked_add(((LIFETIME_DAYS - BACKDATE_DAYS - RENEW_BEFORE_END_DAYS) * 24).hours())?;
    let private = format!(
        "# congthu, self-signed for {hostname}, renewed from {renewal}\n{public}{}",
        key.serialize_pem()
    );
    Ok((public, private))
}

fn write(file: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let fresh = file.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_until_it_is_old_or_the_name_changes() {
        let directory = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let read = |hostname: &str, now| {
            fs::read_to_string(ensure(directory.path(), hostname, now).unwrap()).unwrap()
        };
        let first = read("mail.demo.gov.vn", now);
        assert_eq!(read("mail.demo.gov.vn", now + (364 * 24).hours()), first);
        let second = read("mail.demo.gov.vn", now + (366 * 24).hours());
        assert_ne!(second, first);
        let third = read("thu.demo.gov.vn", now + (366 * 24).hours());
        assert_ne!(third, second);
        let public = fs::read_to_string(directory.path().join(PUBLIC_FILE)).unwrap();
        assert!(third.contains(&public) && !public.contains("PRIVATE"));
    }

    #[test]
    fn a_damaged_file_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let file = ensure(directory.path(), "a.vn", now).unwrap();
        fs::write(&file, "").unwrap();
        ensure(directory.path(), "a.vn", now).unwrap();
        assert!(fs::read_to_string(&file).unwrap().contains("PRIVATE KEY"));
    }
}
