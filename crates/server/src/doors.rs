//! From a listener of the configuration to the front door that speaks its protocol.

use crate::config::{Limits, Protocol};
use crate::sockets::Bound;
use engine::Engine;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Opens one listener; its tasks are in `tasks` and end after `shutdown`.
pub(crate) fn open(
    bound: Bound,
    engine: &Engine,
    tls: &Arc<rustls::ServerConfig>,
    limits: &Limits,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) {
    let Bound { spec, sockets } = bound;
    for socket in sockets {
        match spec.protocol {
            Protocol::Http => open_http(socket, engine, tasks, shutdown),
            _ => {
                let _ = (tls, limits);
            }
        }
    }
}

fn open_http(socket: TcpListener, engine: &Engine, tasks: &TaskTracker, shutdown: &CancellationToken) {
    let (engine, shutdown) = (engine.clone(), shutdown.clone());
    tasks.spawn(async move {
        if let Err(error) = web::serve(socket, engine, shutdown).await {
            tracing::error!(%error, "http has stopped");
        }
    });
}
