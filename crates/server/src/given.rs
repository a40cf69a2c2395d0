//! Files that whoever types a command names, read so that nothing put in their place does harm.
//!
//! Invariants: what is no file (a directory, a device, a named pipe, which may never end or never begin) is not even opened, but
//! for what was handed over open: standard input, `<(…)`, /dev/fd/N; no more is read than the reader has use for; while root, a
//! symbolic link is followed only where root made it, or whoever called us by sudo: anybody else may have it lead where only root reads.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, FileType, Metadata};
use std::io::{Error, Read as _, Result};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};

/// As many as the kernel follows.
const LINKS_MAX: u32 = 40;
/// Where what was handed over open is found.
const HANDED: [&str; 2] = ["/dev/fd", "/proc/self/fd"];
/// What may be named although it may be no file: it was handed over open, or has nothing in it.
const HARMLESS: [&str; 2] = ["/dev/stdin", "/dev/null"];

/// Opens a file for reading.
///
/// # Errors
/// When it cannot be opened or is no file, and as root also where somebody else's link leads to it; the text says what is wrong.
pub(crate) fn open(path: &Path) -> Result<File> {
    if !rustix::process::geteuid().is_root() {
        return open_through(path, None);
    }
    let caller = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    open_through(path, Some(&|link: &Metadata| link.uid() == 0 || Some(link.uid()) == caller))
}

/// The octets of a file, or of standard input where it is called `-`; `most` of them.
///
/// # Errors
/// As [`open`], and when there are more.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    match path == Path::new("-") {
        true => bounded(std::io::stdin().lock(), most),
        false => bounded(open(path)?, most),
    }
}

/// A text of the administrator's, such as the configuration, through whatever links; `most` octets.
///
/// # Errors
/// When it cannot be opened, is no file, has more octets or is not UTF-8.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<String> {
    String::from_utf8(bounded(open_through(path, None)?, most)?).map_err(|_| Error::other("it is not UTF-8"))
}

fn bounded(from: impl std::io::Read, most: u64) -> Result<Vec<u8>> {
    let mut octets = Vec::new();
    if from.take(most.saturating_add(1)).read_to_end(&mut octets)? as u64 <= most {
        return Ok(octets);
    }
    let (size, unit) = if most < 1 << 20 { (most >> 10, "KB") } else { (most >> 20, "MB") };
    Err(Error::other(format!("it is larger than {size} {unit}")))
}

/// `trusted`: which links may lead to it; `None`: every one.
fn open_through(path: &Path, trusted: Option<&dyn Fn(&Metadata) -> bool>) -> Result<File> {
    if HANDED.iter().any(|handed| is_handed(path, handed))
        || HARMLESS.iter().any(|harmless| path == Path::new(harmless))
    {
        return File::open(path);
    }
    // The place alone: nothing waits for the other end of a pipe, and no device begins to do anything.
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    let place = File::from(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?);
    let kind = place.metadata()?.file_type();
    if !kind.is_file() {
        return Err(no_file(kind));
    }
    let found = PathBuf::from(format!("/proc/self/fd/{}", place.as_raw_fd()));
    if let Some(trusted) = trusted
        && resolved(path, trusted)? != fs::read_link(&found)?
    {
        return Err(Error::other("somebody is putting something else in its place"));
    }
    File::open(found)
}

/// `/dev/fd/63`, and nothing that leads on from there.
fn is_handed(path: &Path, handed: &str) -> bool {
    let number = path.to_str().and_then(|path| path.strip_prefix(handed)?.strip_prefix('/'));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

fn no_file(kind: FileType) -> Error {
    let what = if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Error::other(format!("it is {what}: name a file, or - for standard input"))
}

/// Where a path leads, by trusted links only.
fn resolved(path: &Path, trusted: &dyn Fn(&Metadata) -> bool) -> Result<PathBuf> {
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    let mut left: VecDeque<OsString> = parts(&std::path::absolute(path)?).collect();
    while let Some(part) = left.pop_front() {
        if part == ".." || part == "/" {
            at = if part == "/" { PathBuf::from("/") } else { at.parent().unwrap_or(&at).to_owned() };
            continue;
        }
        let next = at.join(part);
        let metadata = fs::symlink_metadata(&next)?;
        if !metadata.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        if !trusted(&metadata) || links > LINKS_MAX {
            let next = next.display();
            return Err(Error::other(format!(
                "{next} is a link that somebody else made: name the file that it leads to"
            )));
        }
        for part in parts(&fs::read_link(&next)?).rev() {
            left.push_front(part);
        }
    }
    Ok(at)
}

fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter(|part| *part != Component::CurDir).map(|part| part.as_os_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};

    fn told<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(told(read(&pipe, 10)), "it is a named pipe: name a file, or - for standard input");
        assert_eq!(told(read_text(&pipe, 10)), "it is a named pipe: name a file, or - for standard input");
        let zero = read(Path::new("/dev/zero"), 10);
        assert_eq!(told(zero), "it is a device: name a file, or - for standard input");
        let listed = read(directory.path(), 10);
        assert_eq!(told(listed), "it is a directory: name a file, or - for standard input");
        assert_eq!(told(read(Path::new("/dev/fd"), 10)), told(read(directory.path(), 10)));
        assert!(is_handed(Path::new("/dev/fd/63"), HANDED[0]));
        for leads_on in ["/dev/fd/../../home/an/x", "/dev/fd/6/x", "/dev/fd/", "/dev/fd63"] {
            assert!(!is_handed(Path::new(leads_on), HANDED[0]), "{leads_on}");
        }
        assert_eq!(read_text(Path::new("/dev/null"), 10).unwrap(), "");
        let missing = open(&directory.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    }

    #[test]
    fn no_more_is_read_than_there_is_use_for() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().write_all(&[b'x'; 2_048]).unwrap();
        assert_eq!(read(file.path(), 2_048).unwrap().len(), 2_048);
        assert_eq!(told(read(file.path(), 1_024)), "it is larger than 1 KB");
    }

    /// As bash hands on what `<(…)` writes.
    #[test]
    fn a_pipe_that_was_handed_over_is_read() {
        let mut writer = Command::new("echo").arg("one").stdout(Stdio::piped()).spawn().unwrap();
        let pipe = writer.stdout.take().unwrap();
        writer.wait().unwrap();
        for place in HANDED {
            let path = format!("{place}/{}", pipe.as_raw_fd());
            let file = open(Path::new(&path)).unwrap();
            assert!(file.metadata().unwrap().file_type().is_fifo());
        }
        let path = format!("/dev/fd/{}", pipe.as_raw_fd());
        // It does not wait although the other end is closed by now.
        assert_eq!(read(Path::new(&path), 10).unwrap(), b"one\n");
    }

    #[test]
    fn links_are_followed_where_they_are_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(directory.path()).unwrap();
        let at = |name: &str| real.join(name);
        fs::create_dir(at("below")).unwrap();
        fs::write(at("below/secret"), "secret").unwrap();
        symlink("below/../below/secret", at("file-link")).unwrap();
        symlink(at("below"), at("directory-link")).unwrap();
        symlink("circle", at("circle")).unwrap();
        let open = |name: &str, trust: bool| open_through(&at(name), Some(&|_: &Metadata| trust));
        assert!(open("below/secret", false).is_ok(), "no link is in it");
        for name in ["file-link", "directory-link/secret", "directory-link/../below/secret"] {
            let mut text = String::new();
            open(name, true).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "secret", "{name}");
            let refused = told(open(name, false));
            assert!(refused.contains("is a link that somebody else made"), "{refused}");
            assert_eq!(open_through(&at(name), None).unwrap().metadata().unwrap().len(), 6);
        }
        assert!(open("circle", true).is_err());
    }
}
