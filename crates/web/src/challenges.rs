//! What an authority looks for that is to vouch for our names (ACME, RFC 8555 8.3), and where else whoever comes to port 80 is sent.
//!
//! Invariants: nothing is told but what the authority itself asked for; nobody is sent anywhere but to our own page.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use engine::Engine;
use std::sync::Arc;

/// RFC 8555 8.3.
const OCTETS: &str = "application/octet-stream";

pub(crate) fn router(engine: Engine) -> Router {
    Router::new().route("/.well-known/acme-challenge/{token}", get(page)).with_state(engine)
}

/// All else is found at `home`, which is `https://` and a host, and a port perhaps.
pub(crate) fn elsewhere(home: &str) -> Router {
    let home: Arc<str> = home.into();
    Router::new().fallback(get(send_on)).with_state(home)
}

async fn page(State(engine): State<Engine>, Path(token): Path<String>) -> Response {
    match engine.acme_page(&token).await {
        Some(shown) => ([(CONTENT_TYPE, OCTETS)], shown).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// For a while, not for good: another server may have port 80 one day.
async fn send_on(State(home): State<Arc<str>>, uri: Uri) -> Response {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    // Of a request in another form (RFC 9112 3.2), the path alone.
    let path = if path.starts_with('/') { path } else { "/" };
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, format!("{home}{path}"))]).into_response()
}
