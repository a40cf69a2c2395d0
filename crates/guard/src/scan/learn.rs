//! Teaches the filter for spam what users found: rspamd's controller, `POST /learnspam` and `/learnham`, one HTTP/1.0 exchange for each
//! message.
//!
//! Invariants: the message goes piece by piece and nothing is said of whose it is; an exchange ends within its time, and its answer
//! is read within bounds; the password is in no log.

use super::endpoint::ScanAddress;
use super::octets::Octets;
use super::rspamd::send;
use model::Lesson;
use serde::Deserialize;
use std::fmt;
use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// It failed on this message, and said so with this status; or, 200, it did not say that it learned it.
    Failed(u16),
    /// It does not answer, or does not let itself be taught by us.
    Away,
    /// The message could not be read where we keep it.
    Unread,
}

impl Taught {
    /// For figures.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::Known => "known",
            Self::Useless => "useless",
            Self::Failed(_) => "failed",
            Self::Away => "away",
            Self::Unread => "unread",
        }
    }
}

/// What it answers to what it learned; of that which we know, what stands in every version.
#[derive(Deserialize)]
struct Success {
    success: bool,
}

/// What it answers to a password.
#[derive(Deserialize)]
struct Auth {
    auth: String,
    /// It is the password that only shows things (`password`), and there is another that lets things be done (`enable_password`).
    #[serde(default)]
    read_only: bool,
}

/// A message that says whether it could be read to its end.
struct Watched<'a, O: ?Sized> {
    message: &'a O,
    is_unread: AtomicBool,
}

impl<'a, O: ?Sized> Watched<'a, O> {
    const fn new(message: &'a O) -> Self {
        Self { message, is_unread: AtomicBool::new(false) }
    }

    fn is_unread(&self) -> bool {
        self.is_unread.load(Ordering::Relaxed)
    }
}

impl<O: Octets + ?Sized> Octets for Watched<'_, O> {
    fn length(&self) -> u64 {
        self.message.length()
    }

    async fn piece(&self, at: u64) -> Result<Vec<u8>> {
        let piece = self.message.piece(at).await;
        let is_short = piece.as_ref().is_ok_and(|piece| piece.is_empty() && at < self.length());
        if piece.is_err() || is_short {
            self.is_unread.store(true, Ordering::Relaxed);
        }
        piece
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
        let message = Watched::new(message);
        let request = self.request(&format!("POST {}", path(lesson)), message.length());
        let taught = tokio::time::timeout(self.0.timeout, self.exchange(&message, &request)).await;
        if message.is_unread() {
            return Taught::Unread;
        }
        match taught {
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
        let nothing = Watched::new(b"".as_slice());
        let asked = tokio::time::timeout(self.0.timeout, self.exchange(&nothing, &request)).await;
        match asked.map_err(|_| Error::from(ErrorKind::TimedOut))?? {
            (200, answer) if let Some(Auth { auth, read_only }) = said(&answer) => {
                Ok(auth == "ok" && !read_only)
            }
            (401 | 403, _) => Ok(false),
            _ => Err(Error::new(ErrorKind::InvalidData, "it is not rspamd's controller")),
        }
    }

    async fn exchange<O: Octets + ?Sized>(
        &self,
        message: &Watched<'_, O>,
        request: &str,
    ) -> Result<(u16, Vec<u8>)> {
        let mut stream = self.0.address.connect().await?;
        let sent = send(&mut *stream, message, request).await;
        if message.is_unread() {
            // It still waits for the rest.
            return Err(ErrorKind::UnexpectedEof.into());
        }
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

/// What stands in the body of an answer.
fn said<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Option<T> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    serde_json::from_slice(answer.get(end + 4..)?).ok()
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
        200 if said(answer).is_some_and(|Success { success }| success) => Taught::Learned,
        208 => Taught::Known,
        404 if says(b"already learned") => Taught::Known,
        204 | 400 | 413 => Taught::Useless,
        401 | 403 => {
            tracing::error!("the filter for spam does not let us teach it: see [scan] rspamd_password_file");
            Taught::Away
        }
        status => Taught::Failed(status),
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
            ("HTTP/1.0 404 Not found", "", Some(Taught::Failed(404))),
            ("HTTP/1.1 200 OK", "<html>Welcome to nginx!</html>", Some(Taught::Failed(200))),
            ("HTTP/1.1 200 OK", "{\"success\":false}", Some(Taught::Failed(200))),
            ("HTTP/1.1 200 OK", "", Some(Taught::Failed(200))),
            ("HTTP/1.1 204 <x> contains less tokens than required", "", Some(Taught::Useless)),
            ("HTTP/1.1 400 too many", "", Some(Taught::Useless)),
            ("HTTP/1.1 403 Unauthorized", "", Some(Taught::Away)),
            ("HTTP/1.1 500 Unknown statistics error", "", Some(Taught::Failed(500))),
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
