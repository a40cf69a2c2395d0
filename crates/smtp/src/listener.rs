//! Accepted connections: each a place at the gate and a task.
//!
//! Invariant: every connection is a task that shutdown waits for, and holds its place at the gate exactly as long as it lives.

use crate::figures;
use crate::gate::Full;
use crate::replies;
use crate::serve::{Door, serve};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves a connection by a task of `tasks`, if there is a place for it; else tells it so.
pub fn admit(
    stream: TcpStream,
    peer: IpAddr,
    door: &Arc<Door>,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) {
    let place = match door.gate.enter(peer, door.role) {
        Ok(place) => place,
        Err(full) => {
            figures::turned_away(door.role, full);
            return refuse(&stream, peer, full);
        }
    };
    // Replies are written whole; waiting for more to send would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let (door, shutdown) = (Arc::clone(door), shutdown.clone());
    tasks.spawn(async move {
        serve(stream, peer, &door, &shutdown).await;
        drop(place);
    });
}

fn refuse(stream: &TcpStream, peer: IpAddr, full: Full) {
    tracing::warn!(peer = %peer, ?full, "connection refused: too many");
    let mut line = Vec::new();
    replies::full(full).write(&mut line);
    // A courtesy that must not wait: an empty send buffer takes a line.
    if let Err(error) = stream.try_write(&line) {
        tracing::debug!(%error, "the refusal was not sent");
    }
}
