//! Stands between a program and Postgres and breaks the line at the worst moment: when COMMIT has gone through and its
//! answer has not come back.
//!
//! Loopback by a Unix socket only; everything ends with the proxy.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// Octets passed on at a time.
const BUFFER_BYTES: usize = 64 * 1024;

type Cut = Arc<Mutex<Option<Vec<u8>>>>;

/// A proxy in front of a Postgres socket.
#[derive(Debug)]
pub struct FaultProxy {
    directory: tempfile::TempDir,
    /// What the client says before the answer that is lost.
    cut_at: Cut,
    task: JoinHandle<()>,
}

impl FaultProxy {
    /// Listens in a directory of its own and passes everything on to the socket in `target`.
    ///
    /// # Panics
    /// When the socket cannot be made: no test could say anything then.
    #[must_use]
    pub fn start(target: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the proxy's socket");
        let listener = UnixListener::bind(socket(directory.path())).expect("the proxy's socket");
        let cut_at = Cut::default();
        let (target, cut) = (socket(target), cut_at.clone());
        #[expect(clippy::disallowed_methods, reason = "the test's own task, ended when the proxy is dropped")]
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, cut) = (target.clone(), cut.clone());
                tokio::spawn(async move {
                    if let Ok(server) = UnixStream::connect(target).await {
                        pass_on(client, server, &cut).await;
                    }
                });
            }
        });
        Self { directory, cut_at, task }
    }

    /// The directory to use as `host`.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The next COMMIT is carried out, but its answer never arrives. Later ones are let through.
    pub fn cut_at_next_commit(&self) {
        self.cut_at_next("commit");
    }

    /// The next statement whose text or parameters have `word` in them, in any case, is carried out, but its answer never
    /// arrives. Later ones are let through.
    pub fn cut_at_next(&self, word: &str) {
        *self.cut_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(word.as_bytes().to_vec());
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn socket(directory: &Path) -> PathBuf {
    directory.join(".s.PGSQL.5432")
}

/// Is it time to cut? Only once.
fn is_said(asked: &[u8], cut: &Cut) -> bool {
    let mut cut = cut.lock().unwrap_or_else(PoisonError::into_inner);
    let said = cut
        .as_ref()
        .is_some_and(|word| asked.windows(word.len()).any(|said| said.eq_ignore_ascii_case(word)));
    if said {
        *cut = None;
    }
    said
}

async fn pass_on(client: UnixStream, server: UnixStream, cut: &Cut) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut asked, mut answered) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
    let mut cutting = false;
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                let Ok(count @ 1..) = read else { return };
                cutting = is_said(&asked[..count], cut);
                if to_server.write_all(&asked[..count]).await.is_err() {
                    return;
                }
            }
            read = from_server.read(&mut answered) => {
                let Ok(count @ 1..) = read else { return };
                // Postgres has answered, so it has committed; the line breaks here.
                if cutting || to_client.write_all(&answered[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}
