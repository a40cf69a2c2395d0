//! A message on its way in: in memory while small, in an unlinked file beyond, so that memory stays flat however
//! many arrive at once. Dropping a spool leaves nothing behind, and neither does a crash.

use std::io::{Result, SeekFrom};
use std::path::PathBuf;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

/// Octets kept in memory per message: most mail is smaller, and 1,000 such connections are 64 MB.
const MEMORY_BYTES_MAX: usize = 64 * 1024;

/// Takes the octets of one message.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    memory: Vec<u8>,
    file: Option<File>,
    length: u64,
}

impl Spool {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, memory: Vec::new(), file: None, length: 0 }
    }

    /// Octets so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// # Errors
    /// When the disk is full or failing; the message must then be refused for now.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.length += bytes.len() as u64;
        if let Some(file) = &mut self.file {
            return file.write_all(bytes).await;
        }
        if self.memory.len() + bytes.len() <= MEMORY_BYTES_MAX {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        let directory = self.directory.clone();
        let file = tokio::task::spawn_blocking(move || tempfile::tempfile_in(directory)).await??;
        let file = self.file.insert(File::from_std(file));
        file.write_all(&std::mem::take(&mut self.memory)).await?;
        file.write_all(bytes).await
    }

    /// The whole message, behind `prefix`.
    pub(crate) async fn into_bytes(mut self, mut prefix: Vec<u8>) -> Result<Vec<u8>> {
        prefix.reserve_exact(usize::try_from(self.length).unwrap_or(0));
        match &mut self.file {
            None => prefix.extend_from_slice(&self.memory),
            Some(file) => {
                file.flush().await?;
                file.seek(SeekFrom::Start(0)).await?;
                file.read_to_end(&mut prefix).await?;
            }
        }
        Ok(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_back_what_it_took_small_or_large() {
        let directory = tempfile::tempdir().unwrap();
        for pieces in [1, 40, 400] {
            let mut spool = Spool::new(directory.path().to_owned());
            let mut expected = b"Received: x\r\n".to_vec();
            for piece in 0..pieces {
                let bytes = vec![u8::try_from(piece % 251).unwrap(); 1000];
                spool.write(&bytes).await.unwrap();
                expected.extend_from_slice(&bytes);
            }
            assert_eq!(spool.len(), pieces * 1000);
            assert_eq!(spool.into_bytes(b"Received: x\r\n".to_vec()).await.unwrap(), expected);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left behind");
    }
}
