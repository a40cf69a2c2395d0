//! The HTTP front door. In the clear, on this machine: `/healthz`, for supervisors and load balancers, and `/metrics`, for
//! monitoring. Under TLS: `/mat-khau`, where people change their passwords. On both, as a proxy may stand in front: what programs
//! set themselves up from. What an authority looks for that vouches for our names: in the clear as a page, under TLS as a certificate.
//!
//! Invariants: nothing about the installation is told to just anybody; a peer holds a connection for seconds only, and
//! there are few of them, of one address fewer still; however often it is asked, the database is asked once a second, and for a
//! page not at all until somebody gives a password; the listener ends soon after
//! `shutdown`, whatever its peers do.

mod challenges;
mod connections;
mod metrics;
mod password_page;
mod readiness;
mod set_up;

pub use axum::serve::Listener;
pub use connections::Challenges;
pub use metrics::Metrics;
pub use set_up::{MtaSts, Server, Servers};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, HeaderName};
use axum::routing::get;
use connections::Connections;
use engine::Engine;
use metrics::Peer;
use readiness::Readiness;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What requests under way get at the end. Their answer is one line, and a supervisor that gets none asks again.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// Answers on `listener` until `shutdown`, then gives the requests that are under way a second.
///
/// # Errors
/// When the listening socket fails for good.
pub async fn serve(
    listener: impl Listener<Io = TcpStream, Addr = SocketAddr>,
    engine: Engine,
    (metrics, servers): (Metrics, Servers),
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let pages =
        router(engine.clone(), metrics).merge(set_up::router(servers)).merge(challenges::router(engine));
    serve_pages(Connections::new(listener), pages, shutdown).await
}

/// Answers authorities on `listener`, where everybody may come, and sends all others to `home`; else as [`serve`].
///
/// # Errors
/// When the listening socket fails for good.
pub async fn serve_challenges(
    listener: impl Listener<Io = TcpStream, Addr = SocketAddr>,
    engine: Engine,
    home: &str,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let of_engine = engine.clone();
    let connections = Connections::for_everybody(listener, Arc::new(move |peer| of_engine.is_exempt(peer)));
    serve_pages(connections, challenges::router(engine).merge(challenges::elsewhere(home)), shutdown).await
}

/// Serves people's pages under TLS on `listener`, with the settings of `tls` that hold when a handshake begins, and authorities what they look for, if there are `challenges`; else as [`serve`].
///
/// # Errors
/// When the listening socket fails for good.
pub async fn serve_people(
    listener: impl Listener<Io = TcpStream, Addr = SocketAddr>,
    (tls, challenges): (watch::Receiver<Arc<rustls::ServerConfig>>, Option<Challenges>),
    (engine, servers): (Engine, Servers),
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let of_engine = engine.clone();
    let exempt = Arc::new(move |peer| of_engine.is_exempt(peer));
    let connections = Connections::under_tls(listener, (tls, challenges), exempt);
    serve_pages(connections, password_page::router(engine).merge(set_up::router(servers)), shutdown).await
}

async fn serve_pages(
    connections: Connections<impl Listener<Io = TcpStream, Addr = SocketAddr>>,
    pages: Router,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let stop = shutdown.clone();
    let pages = pages.into_make_service_with_connect_info::<Peer>();
    let served =
        axum::serve(connections, pages).with_graceful_shutdown(async move { stop.cancelled().await });
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN_MAX).await;
    };
    tokio::select! {
        ended = served.into_future() => ended,
        () = drained => Ok(()),
    }
}

#[derive(Debug)]
struct Health {
    engine: Engine,
    readiness: Readiness,
}

fn router(engine: Engine, metrics: Metrics) -> Router {
    let health = Arc::new(Health { engine, readiness: Readiness::default() });
    Router::new()
        .route("/healthz", get(healthz))
        .with_state(health)
        .merge(Router::new().route("/metrics", get(metrics::metrics)).with_state(Arc::new(metrics)))
}

type Answer = (StatusCode, [(HeaderName, &'static str); 1], &'static str);

/// 200 when the database answers, else 503. One request per connection: whoever asks comes back seconds later.
async fn healthz(State(health): State<Arc<Health>>) -> Answer {
    let close = [(CONNECTION, "close")];
    if health.readiness.ask(|| health.engine.is_ready()).await {
        (StatusCode::OK, close, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, close, "no database\n")
    }
}

#[cfg(test)]
mod tests;
