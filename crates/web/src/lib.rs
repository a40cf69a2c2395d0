//! The HTTP front door. So far one page: `/healthz`, for supervisors and load balancers.
//!
//! Invariants: nothing about the installation is told to whoever asks; every connection ends when `shutdown` does.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use engine::Engine;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The longest a healthy database takes for nothing; supervisors ask again every few seconds.
const DATABASE_ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// Answers on `listener` until `shutdown`, then finishes the requests that are under way.
///
/// # Errors
/// When the listening socket fails for good.
pub async fn serve(
    listener: TcpListener,
    engine: Engine,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let stop = async move { shutdown.cancelled().await };
    axum::serve(listener, router(engine)).with_graceful_shutdown(stop).await
}

fn router(engine: Engine) -> Router {
    Router::new().route("/healthz", get(healthz)).with_state(engine)
}

/// 200 when the database answers, else 503.
async fn healthz(State(engine): State<Engine>) -> (StatusCode, &'static str) {
    let ready = tokio::time::timeout(DATABASE_ANSWERS_WITHIN, engine.is_ready()).await;
    if ready == Ok(true) {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "no database\n")
    }
}
