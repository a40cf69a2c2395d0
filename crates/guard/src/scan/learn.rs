//! Teaches the filter for spam what users found: rspamd's controller, `POST /learnspam` and `/learnham`, one HTTP/1.0 exchange for each
//! message.
//!
//! Invariants: the message goes piece by piece and nothing is said of whose it is; an exchange ends within its time, and its answer
//! is read within bounds; the password is in no log.

use super::endpoint::ScanAddress;
use super::octets::Octets;
use super::rspamd::send;
use model::Lesson;
use std::fmt;
use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;

/// Octets of an answer: a word or a sentence.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// The controller as it is configured.
#[derive(Clone)]
pub struct LearnerSettings {
    pub address: ScanAddress,
    /// `None`: it trusts the address that we come from (`secure_ip`).
    pub password: Option<String>,
    /// For all of one exchange.
    pub timeout: Duration,
    /// Octets of the largest message it is taught.
    pub message_bytes_max: u64,
}

/// What became of a message that was to be learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taught {
    Learned,
    /// It had learned the message so before.
    Known,
    /// Nothing can be learned from it: it is too large, or has too few words.
    Useless,
    /// It failed on this message.
    Failed,
    /// It does not answer, or does not let itself be taught by us.
    Away,
}

impl Taught {
    /// For figures.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::Known => "known",
            Self::Useless => "useless",
            Self::Failed => "failed",
            Self::Away => "away",
        }
    }
}

/// Who teaches it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Learner(Arc<LearnerSettings>);

impl Learner {
    #[must_use]
    pub fn new(settings: LearnerSettings) -> Self {
        Self(Arc::new(settings))
    }

    /// Never longer than the time that was configured.
    pub async fn teach<O: Octets + ?Sized>(&self, message: &O, lesson: Lesson) -> Taught {
        if message.length() > self.0.message_bytes_max {
            return Taught::Useless;
        }
        let request = self.request(&format!("POST {}", path(lesson)), message.length());
        match tokio::time::timeout(self.0.timeout, self.exchange(message, &request)).await {
            Ok(Ok((status, answer))) => understood(status, &answer),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the filter for spam could not be taught");
                Taught::Away
            }
            Err(_) => {
                tracing::warn!("the filter for spam did not say in time what it learned");
                Taught::Away
            }
        }
    }

    /// Would it let itself be taught by us, as far as it says so without a message? Never longer than the time that was configured.
    ///
    /// # Errors
    /// When it does not answer in time, or nothing that can be understood.
    pub async fn may_teach(&self) -> Result<bool> {
        let request = self.request("GET /auth", 0);
        let asked = tokio::time::timeout(self.0.timeout, self.exchange(b"".as_slice(), &request)).await;
        match asked.map_err(|_| Error::from(ErrorKind::TimedOut))?? {
            (200, _) => Ok(true),
            (401 | 403, _) => Ok(false),
            _ => Err(Error::new(ErrorKind::InvalidData, "it is not rspamd's controller")),
        }
    }

    async fn exchange<O: Octets + ?Sized>(&self, message: &O, request: &str) -> Result<(u16, Vec<u8>)> {
        let mut stream = self.0.address.connect().await?;
        let sent = send(&mut *stream, message, request).await;
        // Whatever became of sending: who does not let us teach may say so and close.
        let mut answer = Vec::new();
        let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await;
        match (status(&answer), sent, read) {
            (Some(status), ..) => Ok((status, answer)),
            (None, Err(error), _) | (None, Ok(()), Err(error)) => Err(error),
            (None, Ok(()), Ok(_)) => Err(Error::new(ErrorKind::InvalidData, "rspamd did not answer in HTTP")),
        }
    }

    fn request(&self, what: &str, length: u64) -> String {
        let plain = |password: &String| password.chars().filter(|letter| !letter.is_control()).collect();
        let password: Option<String> = self.0.password.as_ref().map(plain);
        let password = password.map(|password| format!("Password: {password}\r\n")).unwrap_or_default();
        format!("{what} HTTP/1.0\r\nContent-Length: {length}\r\n{password}\r\n")
    }
}

impl fmt::Debug for LearnerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LearnerSettings").field("address", &self.address).finish_non_exhaustive()
    }
}

const fn path(lesson: Lesson) -> &'static str {
    match lesson {
        Lesson::Spam => "/learnspam",
        Lesson::Ham => "/learnham",
    }
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|octet| *octet == b'\n').next()?;
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let code = std::str::from_utf8(rest.get(2..5)?).ok()?;
    code.parse().ok()
}

/// rspamd's `rspamd_stat_quark` codes. Before 208 it said 404 of what it had learned, which may also be another service's, or another
/// worker's, that has never learned anything.
fn understood(status: u16, answer: &[u8]) -> Taught {
    let says = |words: &[u8]| answer.windows(words.len()).any(|some| some == words);
    match status {
        200 => Taught::Learned,
        208 => Taught::Known,
        404 if says(b"already learned") => Taught::Known,
        204 | 400 | 413 => Taught::Useless,
        401 | 403 => {
            tracing::error!("the filter for spam does not let us teach it: see [scan] rspamd_password_file");
            Taught::Away
        }
        _ => Taught::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_is_understood() {
        let said = |line: &str, body: &str| {
            let answer = format!("{line}\r\nServer: rspamd\r\n\r\n{body}");
            status(answer.as_bytes()).map(|status| understood(status, answer.as_bytes()))
        };
        for (line, body, expected) in [
            ("HTTP/1.1 200 OK", "{\"success\":true}", Some(Taught::Learned)),
            ("HTTP/1.1 208 <1@x> has been already learned as spam, ignore it", "", Some(Taught::Known)),
            ("HTTP/1.0 404 no", "{\"error\":\"<1@x> has been already learned as ham\"}", Some(Taught::Known)),
            ("HTTP/1.0 404 Not found", "", Some(Taught::Failed)),
            ("HTTP/1.1 204 <x> contains less tokens than required", "", Some(Taught::Useless)),
            ("HTTP/1.1 400 too many", "", Some(Taught::Useless)),
            ("HTTP/1.1 403 Unauthorized", "", Some(Taught::Away)),
            ("HTTP/1.1 500 Unknown statistics error", "", Some(Taught::Failed)),
            ("HTTP/1.1 2", "", None),
            ("220 mail ESMTP", "", None),
        ] {
            assert_eq!(said(line, body), expected, "{line}");
        }
        assert_eq!(status(b""), None);
    }

    #[test]
    fn a_password_adds_no_field_and_is_not_shown() {
        let settings = |password: Option<&str>| LearnerSettings {
            address: "127.0.0.1:11334".parse().unwrap(),
            password: password.map(str::to_owned),
            timeout: Duration::from_secs(1),
            message_bytes_max: 1,
        };
        let learner = Learner::new(settings(Some("q1\r\nFlag: 1")));
        assert_eq!(
            learner.request("POST /learnham", 7),
            "POST /learnham HTTP/1.0\r\nContent-Length: 7\r\nPassword: q1Flag: 1\r\n\r\n"
        );
        assert!(!format!("{learner:?}").contains("q1"), "{learner:?}");
        let open = Learner::new(settings(None));
        assert_eq!(
            open.request("POST /learnspam", 7),
            "POST /learnspam HTTP/1.0\r\nContent-Length: 7\r\n\r\n"
        );
    }
}
