//! Large content outside the database: a directory (`[content] url = "file:///…"`), each upload one file.
//!
//! Invariants: a name is used once; a file is on the disk, and so is its name in the directory, before any chunk is said
//! to be in it; a file is removed only after the chunks in it are gone for good.

use crate::Error;
use model::Rng;
use std::io::{ErrorKind, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

/// Missing chunks of one message that together are smaller stay in the database: a file costs two syncs, and below
/// this size one row in the write-ahead log is cheaper.
const OBJECT_BYTES_MIN: usize = 128 * 1024;

/// Where a chunk lies in its object, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) offset: i64,
    pub(crate) length: i32,
}

/// The content directory.
#[derive(Clone, Debug)]
pub struct Objects {
    directory: PathBuf,
    rng: Arc<dyn Rng>,
}

impl Objects {
    /// Opens `directory`, making it when missing.
    ///
    /// # Errors
    /// When it cannot be made or is no directory.
    pub fn open(directory: &Path, rng: Arc<dyn Rng>) -> Result<Self, Error> {
        std::fs::create_dir_all(directory).map_err(Error::Content)?;
        Ok(Self { directory: directory.to_owned(), rng })
    }

    pub(crate) fn bytes_min(&self) -> usize {
        OBJECT_BYTES_MIN
    }

    /// 128 random bits: no other upload, by any node or before any restore, has the same.
    pub(crate) fn unique_name(&self) -> String {
        let mut bytes = [0; 16];
        self.rng.fill(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Writes the pieces into one new file and says where each lies when all of it is on the disk.
    pub(crate) async fn write(&self, name: &str, pieces: &[Vec<u8>]) -> Result<Vec<Placed>, Error> {
        let path = self.path(name);
        let parent = path.parent().unwrap_or(&self.directory).to_owned();
        tokio::fs::create_dir_all(&parent).await.map_err(Error::Content)?;
        let mut file = tokio::fs::File::create_new(&path).await.map_err(Error::Content)?;
        let mut places = Vec::with_capacity(pieces.len());
        let mut offset = 0i64;
        for piece in pieces {
            file.write_all(piece).await.map_err(Error::Content)?;
            places.push(Placed { offset, length: i32::try_from(piece.len()).unwrap_or(i32::MAX) });
            offset += i64::try_from(piece.len()).unwrap_or(0);
        }
        file.flush().await.map_err(Error::Content)?;
        file.sync_all().await.map_err(Error::Content)?;
        sync_directory(&parent).await?;
        sync_directory(&self.directory).await?;
        Ok(places)
    }

    pub(crate) async fn read(&self, name: &str, offset: i64, length: i32) -> Result<Vec<u8>, Error> {
        let mut file = tokio::fs::File::open(self.path(name)).await.map_err(Error::Content)?;
        file.seek(SeekFrom::Start(u64::try_from(offset).unwrap_or(0))).await.map_err(Error::Content)?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        file.read_exact(&mut bytes).await.map_err(Error::Content)?;
        Ok(bytes)
    }

    pub(crate) async fn remove(&self, name: &str) -> Result<(), Error> {
        match tokio::fs::remove_file(self.path(name)).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::Content(error)),
            _ => Ok(()),
        }
    }

    /// Two levels of directories, so that none grows past what a file system lists well.
    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name.get(..2).unwrap_or("00")).join(name)
    }
}

async fn sync_directory(path: &Path) -> Result<(), Error> {
    let directory = tokio::fs::File::open(path).await.map_err(Error::Content)?;
    directory.sync_all().await.map_err(Error::Content)
}
