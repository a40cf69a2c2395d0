//! The filter for spam: rspamd's `POST /checkv2`, one HTTP/1.0 exchange for each message.
//!
//! Invariants: the message goes piece by piece; what is said of it in header fields has neither control characters nor line ends;
//! the answer is read within bounds; what is no answer with a known action is a failure.

use super::Envelope;
use super::endpoint::{ScanAddress, Stream};
use super::octets::Octets;
use model::scan::{Score, SpamAction};
use serde::Deserialize;
use std::fmt::Write as _;
use std::io::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Octets of an answer: symbols with their options, some tens of kilobytes at most.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// Recipients that are told to the filter.
const RECIPIENTS_MAX: usize = 100;

/// What we want of its answer.
#[derive(Deserialize)]
struct Answer {
    action: String,
    score: f64,
    required_score: f64,
}

pub(super) async fn score<O: Octets + ?Sized>(
    address: &ScanAddress,
    message: &O,
    envelope: &Envelope<'_>,
) -> Result<Score> {
    let mut stream = address.connect().await?;
    let sent = send(&mut *stream, message, &request(message.length(), envelope)).await;
    let mut answer = Vec::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await;
    match (understood(&answer), sent, read) {
        (Some(score), ..) => Ok(score),
        (None, Err(error), _) | (None, Ok(()), Err(error)) => Err(error),
        (None, Ok(()), Ok(_)) => Err(Error::new(ErrorKind::InvalidData, "rspamd gave no score")),
    }
}

/// What is said before the message.
fn request(length: u64, envelope: &Envelope<'_>) -> String {
    let mut head = format!("POST /checkv2 HTTP/1.0\r\nContent-Length: {length}\r\n");
    let mut field = |name: &str, value: &str| {
        let value: String = value.chars().filter(|letter| !letter.is_control()).collect();
        if !value.is_empty() {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    };
    field("IP", &envelope.remote.to_canonical().to_string());
    field("Helo", envelope.helo);
    // RFC 5321 4.5.5: the null sender is what it is.
    field("From", if envelope.sender.is_empty() { "<>" } else { envelope.sender });
    for recipient in envelope.recipients.iter().take(RECIPIENTS_MAX) {
        field("Rcpt", recipient);
    }
    field("User", envelope.user.unwrap_or_default());
    head.push_str("\r\n");
    head
}

pub(super) async fn send<O: Octets + ?Sized>(stream: &mut dyn Stream, message: &O, head: &str) -> Result<()> {
    stream.write_all(head.as_bytes()).await?;
    let mut at = 0;
    loop {
        let piece = message.piece(at).await?;
        if piece.is_empty() {
            break;
        }
        at += piece.len() as u64;
        stream.write_all(&piece).await?;
    }
    if at != message.length() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    stream.flush().await
}

fn understood(answer: &[u8]) -> Option<Score> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let mut words = head.lines().next()?.split(' ');
    if !words.next()?.starts_with("HTTP/1.") || words.next()? != "200" {
        return None;
    }
    let body: Answer = serde_json::from_slice(answer.get(end + 4..)?).ok()?;
    let action = match body.action.as_str() {
        "no action" => SpamAction::Nothing,
        "greylist" | "soft reject" => SpamAction::Later,
        "add header" | "rewrite subject" | "quarantine" => SpamAction::Suspect,
        "reject" => SpamAction::Reject,
        _ => return None,
    };
    let is_number = body.score.is_finite() && body.required_score.is_finite();
    is_number.then_some(Score { action, score: body.score, required: body.required_score })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_says_of_himself_adds_no_field() {
        let envelope = Envelope {
            remote: "::ffff:192.0.2.1".parse().unwrap(),
            helo: "x\r\nSettings-ID: evil\r\n\r\n",
            sender: "",
            recipients: &["an@demo.gov.vn".to_owned(), "binh@demo.gov.vn".to_owned()],
            user: None,
        };
        assert_eq!(
            request(7, &envelope),
            "POST /checkv2 HTTP/1.0\r\nContent-Length: 7\r\nIP: 192.0.2.1\r\nHelo: xSettings-ID: evil\r\nFrom: <>\r\n\
             Rcpt: an@demo.gov.vn\r\nRcpt: binh@demo.gov.vn\r\n\r\n"
        );
    }

    #[test]
    fn what_it_says_is_understood_or_it_is_a_failure() {
        let answer = |status: &str, body: &str| {
            understood(format!("HTTP/1.1 {status}\r\nServer: rspamd\r\n\r\n{body}").as_bytes())
        };
        let said = |action: &str| {
            let body = format!(
                "{{\"action\":\"{action}\",\"score\":15.5,\"required_score\":15.0,\"symbols\":{{}}}}"
            );
            answer("200 OK", &body)
        };
        let score = |action| Some(Score { action, score: 15.5, required: 15.0 });
        assert_eq!(said("reject"), score(SpamAction::Reject));
        assert_eq!(said("no action"), score(SpamAction::Nothing));
        assert_eq!(said("greylist"), score(SpamAction::Later));
        assert_eq!(said("add header"), score(SpamAction::Suspect));
        assert_eq!(said("dance"), None);
        assert_eq!(answer("500 Error", "{\"action\":\"no action\",\"score\":1,\"required_score\":1}"), None);
        assert_eq!(answer("200 OK", "{}"), None);
        assert_eq!(answer("200 OK", "{\"action\":\"no action\",\"score\":1"), None, "cut off");
        assert_eq!(understood(b""), None);
    }
}
