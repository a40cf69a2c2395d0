//! `congthu mailbox export ADDRESS --out FILE.zip`: a mailbox as an archive that any office can open (kết xuất lưu trữ, B7).
//!
//! Invariants: messages pass one at a time, and lie in the archive octet for octet; nothing that a stranger wrote chooses a path; the
//! archive comes under its name whole, on the disk and for its owner alone, and only then on record: what fails leaves neither, but
//! where nobody can tell whether the record is there.

mod index;
mod names;
mod target;

use super::{Session, counted};
use crate::audit_head::hex;
use anyhow::{Context as _, Result, anyhow};
use aws_lc_rs::digest;
use engine::{AdminError, Archive, EntryRow, Export, Message};
use index::{Index, Row};
use jiff::Timestamp;
use model::calendar::{local_text, local_time};
use model::{Address, FolderName};
use names::Names;
use proto::mime::decode_header;
use serde_json::json;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use target::Target;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Of deflate: mail is mostly text, and what is not is packed already.
const LEVEL: i64 = 1;
/// Contents whose facts are read at once.
const BATCH: usize = 64;
/// Name of the index in the archive.
const INDEX: &str = "danh-muc.csv";
/// Octets read at once.
const PIECE: usize = 64 << 10;

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    folders: u64,
    messages: u64,
}

pub(super) async fn run(session: &Session, address: &Address, to: &Path) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    // Whether it may be exported at all is said before where to.
    let export = engine.begin_export(actor, address).await?;
    let mut target = Target::new(to)?;
    let cannot = || format!("cannot write {}", to.display());
    let index = Index::new(target.spare()?)?;
    let written = write(session, &export, target.file()?, index).await.with_context(cannot)?;
    let (octets, sha256) = digest_of(target.file()?).with_context(cannot)?;
    target.put_in_place().with_context(cannot)?;
    let archive =
        Archive { messages: written.messages, octets, sha256: &sha256, file_name: target.file_name() };
    let recorded = engine.end_export(actor, &export, &archive).await;
    if let Err(AdminError::Engine(_)) = recorded {
        // The record may be there: then the mailbox goes, and this is all that is left of it.
        target.keep();
        let unknown = || {
            format!(
                "{} is whole and stays, but may not be on record: congthu mailbox show {address} tells; if it is not, export anew \
                 to another file",
                to.display()
            )
        };
        return recorded.with_context(unknown);
    }
    recorded?;
    target.keep();
    let hex = hex(&sha256);
    let json = json!({
        "address": export.address.to_string(), "file": to.display().to_string(), "at": export.at,
        "folders": written.folders, "messages": written.messages, "octets": octets, "sha256": hex,
    });
    let text = format!(
        "{}: {} in {}, as of {}\n{}: {octets} octets\nSHA-256 {hex}",
        export.address,
        counted(written.messages, "message", "messages"),
        counted(written.folders, "folder", "folders"),
        local_text(export.at),
        to.display()
    );
    session.answer(&json, &text)
}

async fn write(session: &Session, export: &Export, file: &File, mut index: Index) -> Result<Written> {
    let mut zip = ZipWriter::new(file);
    let mut written = Written::default();
    let folders: Vec<&FolderName> = export.folders().map(|(name, _)| name).collect();
    let mut names = Names::new(INDEX, &folders);
    for directory in names.directories() {
        zip.add_directory(directory, options(export.at))?;
    }
    for (folder, entries) in export.folders() {
        written.folders += 1;
        names.begin(folder);
        let mut rest = entries;
        while !rest.is_empty() {
            let batch = rest.get(..BATCH.min(rest.len())).unwrap_or(rest);
            let contents: Vec<_> = batch.iter().map(|entry| entry.content).collect();
            let messages =
                session.node.engine.exported(&contents).await.context("a message cannot be read")?;
            for (entry, message) in batch.iter().zip(&messages) {
                let row = write_message(&mut zip, &mut names, entry, message).await?;
                let keywords = export.keywords(entry).join(" ");
                index.add(&Row { folder: folder.as_str(), keywords: &keywords, ..row.as_row(entry) })?;
                written.messages += 1;
            }
            // At least one.
            rest = rest.get(messages.len().max(1)..).unwrap_or_default();
        }
    }
    zip.start_file(INDEX, options(export.at))?;
    std::io::copy(&mut index.finish()?, &mut zip)?;
    zip.finish()?;
    file.sync_all()?;
    Ok(written)
}

/// What the index says of a message.
struct Facts {
    file: String,
    from: String,
    subject: String,
    sha256: String,
}

impl Facts {
    fn as_row(&self, entry: &EntryRow) -> Row<'_> {
        Row {
            folder: "",
            file: &self.file,
            at: entry.internal_date,
            from: &self.from,
            subject: &self.subject,
            flags: entry.flags,
            keywords: "",
            octets: u64::from(entry.size),
            sha256: &self.sha256,
        }
    }
}

async fn write_message(
    zip: &mut ZipWriter<&File>,
    names: &mut Names,
    entry: &EntryRow,
    message: &Message,
) -> Result<Facts> {
    let body = message.body.as_ref().ok_or_else(|| anyhow!("a message has no octets"))?;
    let envelope = message.envelope.as_ref();
    let text = |value: Option<&[u8]>| decode_header(value.unwrap_or_default());
    let subject = text(envelope.and_then(|envelope| envelope.subject.as_deref()));
    let author = envelope.and_then(|envelope| envelope.from.first());
    let from = author.map_or_else(String::new, |author| {
        let address = author.address().unwrap_or_default();
        author.display_name().map_or_else(|| address.clone(), |name| format!("{name} <{address}>"))
    });
    let when = local_time(entry.internal_date).strftime("%Y-%m-%d %H%M%S");
    let file = names.message(&format!("{when} {subject}"));
    zip.start_file(&*file, options(entry.internal_date))?;
    let mut sum = digest::Context::new(&digest::SHA256);
    let mut offset = 0;
    while offset < body.size() {
        let piece = body.piece(offset, body.size()).await.context("a message cannot be read")?;
        if piece.is_empty() {
            return Err(anyhow!("a message ends before its end"));
        }
        offset += piece.len() as u64;
        sum.update(&piece);
        zip.write_all(&piece)?;
    }
    Ok(Facts { file, from, subject, sha256: hex(sum.finish().as_ref()) })
}

/// A ZIP file has no years before 1980 and knows no time zones: it is the time in Vietnam.
fn options(at: Timestamp) -> SimpleFileOptions {
    let at = local_time(at);
    let part = |part: i8| part.unsigned_abs();
    let stamp = zip::DateTime::from_date_and_time(
        at.year().unsigned_abs(),
        part(at.month()),
        part(at.day()),
        part(at.hour()),
        part(at.minute()),
        part(at.second()),
    );
    SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(stamp.unwrap_or_default())
}

/// Octets and SHA-256 of what is on the disk: what was written is read back.
fn digest_of(mut file: &File) -> std::io::Result<(u64, [u8; 32])> {
    file.rewind()?;
    let mut sum = digest::Context::new(&digest::SHA256);
    let mut octets = 0;
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            break;
        }
        octets += read as u64;
        sum.update(piece.get(..read).unwrap_or_default());
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(sum.finish().as_ref());
    Ok((octets, sha256))
}
