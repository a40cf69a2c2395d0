//! What this node answers an authority that looks whether a name is ours, whichever node ordered.
//!
//! Invariant: anybody may ask, and as often as he likes: the database is asked once a second at most, whether or not it answers, and
//! yet whoever asks after an answer was kept gets it.

use crate::Engine;
use std::sync::Arc;
use std::time::Duration;
use store::AcmeAnswerRow;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Between two looks into the database.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Letters of a token (RFC 8555 8.3: base64url of 128 bits at least), and of a host name.
const SOUGHT_LETTERS_MAX: usize = 255;

/// What is known, and as of when.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<Option<(Instant, Arc<[AcmeAnswerRow]>)>>);

impl Engine {
    /// What stands at `/.well-known/acme-challenge/TOKEN` (RFC 8555 8.3).
    pub async fn acme_page(&self, token: &str) -> Option<String> {
        let is_token = token.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(&letter));
        if !is_token || token.len() > SOUGHT_LETTERS_MAX {
            return None;
        }
        self.acme_answer(|answer| answer.token == token).await
    }

    /// What the certificate of a host shows (RFC 8737 3).
    pub async fn acme_shown(&self, host: &str) -> Option<String> {
        if host.len() > SOUGHT_LETTERS_MAX {
            return None;
        }
        self.acme_answer(|answer| answer.name.eq_ignore_ascii_case(host)).await
    }

    async fn acme_answer(&self, is_sought: impl Fn(&AcmeAnswerRow) -> bool) -> Option<String> {
        let came = Instant::now();
        let mut known = self.0.answers.0.lock().await;
        let find = |rows: &[AcmeAnswerRow]| {
            rows.iter().find(|row| is_sought(row)).map(|row| row.key_authorization.clone())
        };
        if let Some((as_of, rows)) = known.as_ref()
            && as_of.elapsed() < LOOK_EVERY
        {
            // Whoever waited for the lock while somebody looked has what he saw.
            match find(rows) {
                None if *as_of < came => tokio::time::sleep_until(*as_of + LOOK_EVERY).await,
                found => return found,
            }
        }
        let as_of = Instant::now();
        // A database that does not answer is asked no more often; meanwhile what was known holds.
        let rows: Arc<[AcmeAnswerRow]> = match self.0.store.acme_answers().await {
            Ok(rows) => rows.into(),
            Err(error) => {
                tracing::warn!(%error, "what an authority is to be answered could not be read");
                known.take().map(|(_, rows)| rows).unwrap_or_default()
            }
        };
        let found = find(&rows);
        *known = Some((as_of, rows));
        found
    }
}
