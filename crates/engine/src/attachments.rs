//! What a user may attach (tệp đính kèm: An Giang 63/2016 Điều 9.3b; Thái Nguyên 957/2013 Điều 3.7; Sóc Trăng 59/2024
//! Điều 7), counted on decoded octets, alike by whichever door it is sent; and how large a message may be at each door.
//!
//! Invariant: what is inside an attached message counts as part of it, and not again.

use crate::{Engine, Principal};
use model::Policy;
use proto::mime::Facts;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a submitted message's attachments are refused; octets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentError {
    #[error("{}", file_text(.name, *.bytes, *.limit))]
    File { name: String, bytes: u64, limit: u64 },
    #[error("the attachments have {} MB together, {} MB are allowed", shown(*.bytes), shown(*.limit))]
    Message { bytes: u64, limit: u64 },
}

fn file_text(name: &str, bytes: u64, limit: u64) -> String {
    let (bytes, limit) = (shown(bytes), shown(limit));
    // Replies of SMTP are ASCII where SMTPUTF8 was not asked for.
    let plain = |c: char| c.is_ascii_graphic() && c != '"' || c == ' ';
    let name: String = name.chars().map(|c| if plain(c) { c } else { '?' }).take(100).collect();
    format!("the attachment \"{name}\" has {bytes} MB, {limit} MB are allowed for each")
}

/// Megabytes of 2^20 with one digit, rounded up: what is too large is never shown as what is allowed.
fn shown(bytes: u64) -> String {
    let tenths = u128::from(bytes).saturating_mul(10).div_ceil(1 << 20);
    if tenths % 10 == 0 { (tenths / 10).to_string() } else { format!("{}.{}", tenths / 10, tenths % 10) }
}

/// May a user of this domain send what is attached?
pub(crate) fn check(facts: &Facts, policy: &Policy) -> Result<(), AttachmentError> {
    let (per_file, per_message) = (policy.file_bytes_max(), policy.attachments_bytes_max());
    let is_attachment =
        |part: u32| facts.attachments.binary_search_by_key(&part, |attachment| attachment.part).is_ok();
    let mut total: u64 = 0;
    for attachment in &facts.attachments {
        let mut around = facts.structure.at(attachment.part).parent;
        let mut is_inside = false;
        while let Some(part) = around {
            is_inside |= is_attachment(part);
            around = facts.structure.at(part).parent;
        }
        if is_inside {
            continue;
        }
        if attachment.size > per_file {
            let name = attachment.name.clone().unwrap_or_else(|| attachment.content_type.clone());
            return Err(AttachmentError::File { name, bytes: attachment.size, limit: per_file });
        }
        total = total.saturating_add(attachment.size);
    }
    if total > per_message {
        return Err(AttachmentError::Message { bytes: total, limit: per_message });
    }
    Ok(())
}

/// The largest message that any domain's policy takes, by door; renewed with the policies.
#[derive(Debug)]
pub(crate) struct Sizes {
    submission: AtomicU64,
    inbound: AtomicU64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { submission: AtomicU64::new(u64::MAX), inbound: AtomicU64::new(u64::MAX) }
    }
}

impl Sizes {
    pub(crate) fn renew<'a>(&self, policies: &(impl Iterator<Item = &'a Policy> + Clone)) {
        // Without a domain nothing is taken anyway.
        let largest = |of: fn(&Policy) -> u64| policies.clone().map(of).max().unwrap_or(u64::MAX);
        self.submission.store(largest(Policy::submission_bytes_max), Ordering::Relaxed);
        self.inbound.store(largest(Policy::inbound_bytes_max), Ordering::Relaxed);
    }
}

impl Engine {
    /// Octets of the largest message that a door advertises (RFC 1870 SIZE): of users (`submitted`) what the attachments
    /// that a policy allows take in base64, of others what the policies take from outside.
    #[must_use]
    pub fn arriving_bytes_max(&self, submitted: bool) -> u64 {
        let sizes = &self.0.sizes;
        let policies = if submitted { &sizes.submission } else { &sizes.inbound };
        policies.load(Ordering::Relaxed).min(self.message_bytes_max())
    }

    pub(crate) async fn check_attachments(
        &self,
        who: &Principal,
        facts: &Facts,
    ) -> Result<(), crate::DeliverError> {
        if facts.attachments.is_empty() {
            return Ok(());
        }
        let policy = self.present_policy(who).await?;
        Ok(check(facts, &policy)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: usize = 1 << 20;

    /// A message with attachments of so many octets each, in base64.
    fn message(files: &[usize]) -> Vec<u8> {
        let mut text = String::from(
            "From: <a@b.vn>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nKính gửi\r\n",
        );
        for (at, octets) in files.iter().enumerate() {
            text += &format!(
                "--x\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"tệp {at}.pdf\"\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\n"
            );
            // Three octets are four characters; the lines do not count.
            for line in "QUJD".repeat(octets / 3).as_bytes().chunks(76) {
                text += std::str::from_utf8(line).unwrap();
                text += "\r\n";
            }
        }
        text += "--x--\r\n";
        text.into_bytes()
    }

    fn checked(message: &[u8], policy: &Policy) -> Result<(), AttachmentError> {
        check(&proto::mime::facts(message), policy)
    }

    #[test]
    fn decoded_octets_count_per_file_and_per_message() {
        let mut policy = Policy::default();
        policy.attachment.per_message = 10;
        // 3 octets at a time: just below 10 MB.
        assert_eq!(checked(&message(&[10 * MB]), &policy), Ok(()));
        assert_eq!(checked(&message(&[5 * MB, 5 * MB]), &policy), Ok(()));
        let over = checked(&message(&[5 * MB, 5 * MB + 6]), &policy).unwrap_err();
        assert_eq!(over.to_string(), "the attachments have 10.1 MB together, 10 MB are allowed");
        let file = checked(&message(&[11 * MB]), &policy).unwrap_err();
        assert_eq!(file.to_string(), "the attachment \"t?p 0.pdf\" has 11 MB, 10 MB are allowed for each");
    }

    #[test]
    fn an_attached_message_counts_once() {
        let inner = message(&[4 * MB, 4 * MB]);
        let head =
            b"From: <a@b.vn>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n\
            --y\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n";
        let outer = [head.as_slice(), &inner, b"--y--\r\n"].concat();
        let mut policy = Policy::default();
        policy.attachment.per_message = 12;
        // As it is attached: encoded, 11 MB.
        assert_eq!(checked(&outer, &policy), Ok(()));
        policy.attachment.per_message = 10;
        assert!(matches!(checked(&outer, &policy), Err(AttachmentError::File { .. })));
    }
}
