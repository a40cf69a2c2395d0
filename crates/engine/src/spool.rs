//! A message on its way in: in memory while small, in an unlinked file beyond, so that memory stays flat however
//! many arrive at once. Dropping a spool leaves nothing behind, and neither does a crash. Messages that come together
//! share the memory and the file of one.

use std::io::{ErrorKind, Result, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;

/// Octets kept in memory per message: most mail is smaller, and 1,000 such connections are 64 MB.
const MEMORY_BYTES_MAX: usize = 64 * 1024;
/// Octets of a larger message kept in memory while there is room: the attachments of an office. A file costs a message of
/// 2 MB a hundred turns on another thread, and all its octets once more into memory and out of it.
const ROOMY_BYTES_MAX: usize = 8 << 20;
/// Octets of all such messages together, beyond what each may have in any case.
const ROOM_BYTES: usize = 64 << 20;
/// Octets that are read back at once, to be looked at.
const PIECE_BYTES: u64 = 256 * 1024;
/// Octets of trace headers that are put in front without moving to another place.
const PREFIX_BYTES: usize = 1 << 10;

/// Memory that the spools of a node share; asking never waits.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<AtomicUsize>);

impl Room {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(ROOM_BYTES)))
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = |free: usize| free.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Takes the octets of one message.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    memory: Vec<u8>,
    /// Octets that `memory` may grow to.
    allowance: usize,
    room: Room,
    /// Octets of `room` that `memory` has beyond.
    taken: usize,
    /// Octets that `memory` may have with them: several messages of one command share them.
    roomy: usize,
    /// The message's octets begin at `start`; whoever writes last is at its end.
    file: Option<Arc<Mutex<File>>>,
    start: u64,
    length: u64,
}

impl Spool {
    pub(crate) fn new(directory: PathBuf, room: Room) -> Self {
        Self {
            directory,
            memory: Vec::new(),
            allowance: MEMORY_BYTES_MAX,
            room,
            taken: 0,
            roomy: ROOMY_BYTES_MAX,
            file: None,
            start: 0,
            length: 0,
        }
    }

    /// A place for the message that follows this one, which must not be written to any more.
    #[must_use]
    pub fn next(&self) -> Self {
        Self {
            directory: self.directory.clone(),
            memory: Vec::new(),
            allowance: self.allowance.saturating_sub(self.memory.len()),
            room: self.room.clone(),
            taken: 0,
            roomy: self.roomy.saturating_sub(self.memory.len()),
            file: self.file.clone(),
            start: self.start + if self.file.is_some() { self.length } else { 0 },
            length: 0,
        }
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
        if let Some(file) = &self.file {
            return file.lock().await.write_all(bytes).await;
        }
        if self.grow(self.memory.len() + bytes.len()) {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        let directory = self.directory.clone();
        let file = tokio::task::spawn_blocking(move || tempfile::tempfile_in(directory)).await??;
        let mut file = File::from_std(file);
        file.write_all(&std::mem::take(&mut self.memory)).await?;
        self.room.give_back(std::mem::take(&mut self.taken));
        file.write_all(bytes).await?;
        self.file = Some(Arc::new(Mutex::new(file)));
        Ok(())
    }

    /// Sees to it that `memory` may hold this many octets; false when they have to go to a file.
    fn grow(&mut self, bytes: usize) -> bool {
        let has = self.allowance + self.taken;
        if bytes <= has {
            return true;
        }
        let wanted = bytes.max(2 * has).min(self.roomy);
        let more = wanted.saturating_sub(has);
        if bytes > wanted || !self.room.take(more) {
            return false;
        }
        self.taken += more;
        self.memory.reserve_exact((wanted + PREFIX_BYTES).saturating_sub(self.memory.len()));
        true
    }

    /// Octets from `offset` on, [`PIECE_BYTES`] at most; none at the end. Nothing may be written any more.
    ///
    /// # Errors
    /// When the disk is failing.
    pub async fn piece(&self, offset: u64) -> Result<Vec<u8>> {
        let rest = self.length.saturating_sub(offset).min(PIECE_BYTES);
        let Some(file) = &self.file else {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.memory.len());
            let end = start + usize::try_from(rest).unwrap_or(0);
            return Ok(self.memory.get(start..end).unwrap_or_default().to_vec());
        };
        let mut file = file.lock().await;
        file.flush().await?;
        file.seek(SeekFrom::Start(self.start + offset)).await?;
        let mut piece = Vec::with_capacity(usize::try_from(rest).unwrap_or(0));
        (&mut *file).take(rest).read_to_end(&mut piece).await?;
        if piece.len() as u64 == rest { Ok(piece) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// The whole message, behind `prefix`.
    pub(crate) async fn into_bytes(mut self, mut prefix: Vec<u8>) -> Result<Vec<u8>> {
        let Some(file) = &self.file else {
            let mut memory = std::mem::take(&mut self.memory);
            if self.taken > 0 {
                // To make room in front costs less than fresh memory for all of it.
                memory.splice(..0, prefix);
                return Ok(memory);
            }
            prefix.reserve_exact(memory.len());
            prefix.append(&mut memory);
            return Ok(prefix);
        };
        prefix.reserve_exact(usize::try_from(self.length).unwrap_or(0));
        let mut file = file.lock().await;
        file.flush().await?;
        file.seek(SeekFrom::Start(self.start)).await?;
        let expected = prefix.len() as u64 + self.length;
        (&mut *file).take(self.length).read_to_end(&mut prefix).await?;
        if prefix.len() as u64 == expected { Ok(prefix) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.room.give_back(self.taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_back_what_it_took_small_or_large() {
        let directory = tempfile::tempdir().unwrap();
        let (none, room) = (Room(Arc::new(AtomicUsize::new(0))), Room::new());
        for (pieces, room) in
            [(1, &none), (40, &none), (400, &none), (40, &room), (400, &room), (20_000, &room)]
        {
            let mut spool = Spool::new(directory.path().to_owned(), room.clone());
            let mut expected = b"Received: x\r\n".to_vec();
            for piece in 0..pieces {
                let bytes = vec![u8::try_from(piece % 251).unwrap(); 1000];
                spool.write(&bytes).await.unwrap();
                expected.extend_from_slice(&bytes);
            }
            assert_eq!(spool.len(), pieces * 1000);
            let is_roomy = pieces * 1000 <= ROOMY_BYTES_MAX as u64 && room.0.load(Ordering::Relaxed) > 0;
            let mut read = Vec::new();
            while let piece = spool.piece(read.len() as u64).await.unwrap()
                && !piece.is_empty()
            {
                read.extend_from_slice(&piece);
            }
            assert_eq!(read, expected.get(b"Received: x\r\n".len()..).unwrap());
            assert_eq!(spool.file.is_none(), pieces * 1000 <= MEMORY_BYTES_MAX as u64 || is_roomy);
            assert_eq!(spool.into_bytes(b"Received: x\r\n".to_vec()).await.unwrap(), expected);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left behind");
        assert_eq!(room.0.load(Ordering::Relaxed), ROOM_BYTES, "all room is given back");
    }

    #[tokio::test]
    async fn messages_that_come_together_share_memory_and_file() {
        let directory = tempfile::tempdir().unwrap();
        let room = Room(Arc::new(AtomicUsize::new(0)));
        let mut spools: Vec<Spool> = Vec::new();
        for (letter, length) in [(b'a', 40_000), (b'b', 20_000), (b'c', 30_000), (b'd', 1), (b'e', 100_000)] {
            let mut spool = spools
                .last()
                .map_or_else(|| Spool::new(directory.path().to_owned(), room.clone()), Spool::next);
            spool.write(&vec![letter; length - 1]).await.unwrap();
            spool.write(&[letter]).await.unwrap();
            spools.push(spool);
        }
        let held: usize = spools.iter().map(|spool| spool.memory.len()).sum();
        assert!(held <= MEMORY_BYTES_MAX, "{held}");
        let files = spools.iter().filter_map(|spool| spool.file.as_ref()).collect::<Vec<_>>();
        assert!(files.windows(2).all(|two| Arc::ptr_eq(two[0], two[1])) && !files.is_empty());
        let mut read = Vec::new();
        for spool in spools {
            let bytes = spool.into_bytes(Vec::new()).await.unwrap();
            assert!(bytes.iter().all(|octet| *octet == bytes[0]));
            read.push((bytes[0], bytes.len()));
        }
        assert_eq!(read, [(b'a', 40_000), (b'b', 20_000), (b'c', 30_000), (b'd', 1), (b'e', 100_000)]);
    }
}
