//! What the server announces, against the transcripts that show it and the document that lists it.

use super::RUN;
use crate::world::{PASSWORD, Province};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use testkit::transcript::Stream;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

/// What a transcript says it shows.
const MARK: &str = "# capability: ";

#[test]
fn every_file_is_run() {
    let there: Vec<String> = transcripts("imap/rfc").map(|(name, _)| name).collect();
    let mut run = RUN.to_vec();
    run.sort_unstable();
    assert_eq!(there, run);
}

#[tokio::test]
async fn every_capability_is_shown_by_a_transcript() {
    let announced = announced(&Province::new().await).await;
    let texts: Vec<String> =
        transcripts("imap").chain(transcripts("imap/rfc")).map(|(_, text)| text).collect();
    let marks = texts.iter().flat_map(|text| text.lines().filter_map(|line| line.strip_prefix(MARK)));
    let shown: BTreeSet<String> = marks.flat_map(str::split_whitespace).map(str::to_owned).collect();
    assert_eq!(announced.all, shown, "announced, and shown by a transcript");
}

#[tokio::test]
async fn the_document_lists_what_is_announced() {
    let announced = announced(&Province::new().await).await;
    let path = testkit::workspace().join("docs/imap-capabilities.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let listed: BTreeSet<String> = rows
        .filter_map(|row| {
            let mut cells = row.split('|').skip(1).map(str::trim);
            let name = cells.next()?.trim_matches('`').to_owned();
            (cells.next() == Some("yes")).then_some(name)
        })
        .filter(|name| !name.contains(' '))
        .collect();
    assert_eq!(announced.known, listed, "announced after the log-in, and listed as ours");
}

struct Announced {
    /// After the log-in.
    known: BTreeSet<String>,
    /// Whenever.
    all: BTreeSet<String>,
}

async fn announced(province: &Province) -> Announced {
    let mut plain = BufReader::new(Box::new(province.pipe(province.starttls())) as Stream);
    let pipe = Box::new(province.pipe(province.implicit()));
    let mut encrypted = BufReader::new(province.encrypt(pipe).await.unwrap());
    let mut all = told(&mut plain, "a CAPABILITY").await;
    all.extend(told(&mut encrypted, "a CAPABILITY").await);
    let known = told(&mut encrypted, &format!("b LOGIN an@demo.gov.vn {PASSWORD}\r\nc CAPABILITY")).await;
    all.extend(known.iter().cloned());
    Announced { known, all }
}

/// The names in the untagged CAPABILITY that comes behind `commands`, without the number of an APPENDLIMIT.
async fn told(stream: &mut BufReader<Stream>, commands: &str) -> BTreeSet<String> {
    stream.write_all(format!("{commands}\r\n").as_bytes()).await.unwrap();
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).await.unwrap() > 0, "closed");
        if let Some(names) = line.strip_prefix("* CAPABILITY ") {
            let name = |name: &str| match name.split_once('=') {
                Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name.to_owned(),
                _ => name.to_owned(),
            };
            return names.split_whitespace().map(name).collect();
        }
    }
}

/// Names and texts of the transcripts in a directory, by name.
fn transcripts(directory: &str) -> impl Iterator<Item = (String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(directory);
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths.into_iter().map(|path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(path).unwrap();
        (name, text)
    })
}
