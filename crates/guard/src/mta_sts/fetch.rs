//! A policy as its domain publishes it (RFC 8461 3.3).

use super::{POLICY_OCTETS_MAX, Trouble};
use crate::https::{Head, Https, HttpsError};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, StatusCode};

/// Of a content type that is told: strangers choose it.
const KIND_CHARS_MAX: usize = 100;

/// Why a policy could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Https(#[from] HttpsError),
    /// A redirect, too: it is not followed.
    #[error("it answers with the status {0}")]
    Status(u16),
    #[error("it answers with the content type {0:?} instead of text/plain")]
    Kind(String),
    #[error("its answer is not UTF-8")]
    Text,
    #[error("it is no policy")]
    NoPolicy,
}

impl FetchError {
    /// As its domain hears of it.
    pub(super) fn trouble(&self) -> Trouble {
        match self {
            Self::Https(error) if error.is_unverified() => Trouble::Unverified,
            Self::Https(HttpsError::TooLong(_)) | Self::Kind(_) | Self::Text | Self::NoPolicy => {
                Trouble::Invalid
            }
            Self::Https(_) | Self::Status(_) => Trouble::Fetch,
        }
    }
}

#[derive(Debug)]
pub(super) struct Fetcher {
    pub(super) https: Https,
    /// 443, as every sender takes it, but in tests.
    pub(super) port: u16,
}

impl Fetcher {
    /// # Errors
    /// When it could not be had.
    pub(super) async fn fetch(&self, domain: &str) -> Result<String, FetchError> {
        let host = format!("mta-sts.{domain}");
        let request = Request::get("/.well-known/mta-sts.txt").header(HOST, &host);
        let request = request.body(Empty::<Bytes>::new()).map_err(|_| HttpsError::Broken)?;
        let wanted = |head: &Head| refused(head).is_none().then_some(POLICY_OCTETS_MAX);
        let (head, body) = self.https.ask((&host, self.port), request, wanted).await?;
        match refused(&head) {
            Some(why) => Err(why),
            None => String::from_utf8(body.to_vec()).map_err(|_| FetchError::Text),
        }
    }
}

/// Why what begins so is no policy, whatever follows.
fn refused(head: &Head) -> Option<FetchError> {
    // RFC 8461 3.3: a redirect must not be followed.
    if head.status != StatusCode::OK {
        return Some(FetchError::Status(head.status.as_u16()));
    }
    let is_text = head.kind.eq_ignore_ascii_case("text/plain");
    (!is_text).then(|| FetchError::Kind(head.kind.chars().take(KIND_CHARS_MAX).collect()))
}
