//! The accept loop of one listening socket.
//!
//! Invariants: accepting never ends on an error of one connection or for want of file descriptors; every connection is
//! a task that shutdown waits for, and holds its place at the gate exactly as long as it lives.

use crate::figures;
use crate::gate::Full;
use crate::limits::ACCEPT_PAUSE;
use crate::replies;
use crate::serve::{Door, serve};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Takes connections until `shutdown`; each is served by a task of `tasks`.
pub async fn listen(socket: TcpListener, door: Door, tasks: TaskTracker, shutdown: CancellationToken) {
    let door = Arc::new(door);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => admit(stream, peer, &door, &tasks, &shutdown),
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
}

fn admit(
    stream: TcpStream,
    peer: SocketAddr,
    door: &Arc<Door>,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) {
    let place = match door.gate.enter(peer.ip(), door.role) {
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
        serve(stream, peer.ip(), &door, &shutdown).await;
        drop(place);
    });
}

fn refuse(stream: &TcpStream, peer: SocketAddr, full: Full) {
    tracing::warn!(peer = %peer.ip(), ?full, "connection refused: too many");
    let mut line = Vec::new();
    replies::full(full).write(&mut line);
    // A courtesy that must not wait: an empty send buffer takes a line.
    if let Err(error) = stream.try_write(&line) {
        tracing::debug!(%error, "the refusal was not sent");
    }
}
